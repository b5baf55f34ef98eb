"""``backup`` and ``logs``: a Job that is started from a CronJob, and what a Job printed."""

from __future__ import annotations

import asyncio
import json

import pytest

from pgwizard.cli.writer import Writer
from pgwizard.kube.api import STATEFULSET, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import backups, records
from pgwizard.release.record import Restoration, read, secret_ref
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import ScriptedOutcome
from support import faulting, headless, simtime
from support.faulting import CRONJOB, JOB

HOOK = "postgresql-pgbackrest-init"
UNKNOWN_KEY = "P00  ERROR: [039]: HTTP request failed with 403 (Forbidden): <Code>InvalidAccessKeyId</Code>"


def run(*arguments: str) -> headless.Run:
    return headless.run(*arguments, "--demo")


def jobs(sim: SimCluster) -> set[str]:
    return {job["metadata"]["name"] for job in sim.store.find(JOB, "default")}


@pytest.mark.parametrize(("options", "cron"), [([], "incr"), (["--type", "full"], "full")])
def test_a_backup_is_a_job_of_the_cronjob(released: SimCluster, options: list[str], cron: str) -> None:
    before = jobs(released)
    done = run("backup", *options)
    (name,) = jobs(released) - before
    assert (done.code, done.err) == (0, "")
    assert done.out == (f"started Job default/{name}\nFollow it with: pgwizard logs postgresql -f -n default\n")
    owner = faulting.live(released, JOB, name)["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("CronJob", f"postgresql-pgbackrest-{cron}")


def test_a_backup_that_is_followed_prints_its_log_to_its_end(released: SimCluster) -> None:
    done = run("backup", "--follow", "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert (done.code, lines[0]["type"], lines[0]["backup"]) == (0, "job", "incr")
    assert {(line["type"], line["job"]) for line in lines[1:]} == {("log", lines[0]["name"])}
    assert "backup command end: completed successfully" in done.out
    assert {json.loads(line)["type"] for line in done.err.splitlines()} == {"note"}


def test_a_followed_backup_ends_with_its_reader(released: SimCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Writer.put

    def closed(writer: Writer, text: str) -> None:
        if "P00" in text:
            raise BrokenPipeError
        put(writer, text)

    monkeypatch.setattr(Writer, "put", closed)
    assert run("backup", "--follow").code == 141


def test_a_followed_backup_that_fails_ends_with_9_and_its_cause(released: SimCluster) -> None:
    released.outcomes.append(ScriptedOutcome("job-failed", "default/*incr*"))
    done = run("backup", "-f")
    assert done.code == 9
    assert " failed: " in done.err


def test_a_backup_of_a_database_that_is_down_starts_with_a_warning(released: SimCluster) -> None:
    scaled = Ref(STATEFULSET, "postgresql", "default")
    released.runtime.change(scaled, lambda obj: obj["spec"].update(replicas=0))
    done = run("backup")
    assert (done.code, done.out.split()[:2]) == (0, ["started", "Job"])
    assert done.err == (
        "warning: the backup would fail: the database is down: its StatefulSet is scaled to 0   "
        "kubectl -n default scale statefulset postgresql --replicas=1, or apply again.\n"
    )
    line = json.loads(run("backup", "--json").err)
    assert (line["type"], line["message"]) == ("warning", "the database is down: its StatefulSet is scaled to 0")


def test_a_backup_during_a_restore_is_refused_and_no_job_is_started(released: SimCluster) -> None:
    released.runtime.change(Ref(STATEFULSET, "postgresql", "default"), lambda obj: obj["spec"].update(replicas=0))
    secret = released.store.peek(secret_ref(ReleaseRef("default", "postgresql")))
    assert secret is not None
    restoration = Restoration("2026-11-28T10:00:00+00:00", is_finished=False, details={})
    released.store.put({**secret, "data": read(secret).with_restore(restoration).secret()["data"]})
    before = jobs(released)
    done = run("backup")
    assert done.code == 5
    assert done.err == (
        "pgwizard: a restore of release default/postgresql has not ended\n"
        "Resume it first: pgwizard restore postgresql -n default\n"
    )
    assert jobs(released) == before


@pytest.mark.parametrize("resource", ["statefulsets", "pods"])
def test_a_backup_needs_no_right_to_see_the_database(released: SimCluster, resource: str) -> None:
    released.rules.deny("list", resource)
    done = run("backup")
    assert (done.code, done.out.split()[:2], done.err) == (0, ["started", "Job"], "")


def test_a_release_without_backups_cannot_start_one(sim: SimCluster, answers: str) -> None:
    assert run("apply", answers, "--set", "repository.enabled=false").code == 0
    done = run("backup")
    assert (done.code, done.err) == (
        5,
        "pgwizard: release default/postgresql takes no backups\nSet repository.enabled to true and apply.\n",
    )


def test_a_backup_of_a_missing_release_is_refused(sim: SimCluster) -> None:
    done = run("backup", "other")
    assert (done.code, done.err.splitlines()[0]) == (5, "pgwizard: there is no release other in namespace default")


def test_logs_are_those_of_the_newest_job(released: SimCluster) -> None:
    first = run("logs")
    assert (first.code, first.err) == (0, "")
    assert "--type=full" in first.out
    assert run("backup", "-f").code == 0
    newest = run("logs")
    assert "--type=incr" in newest.out
    assert run("logs", "--job", HOOK).out == first.out
    assert run("logs", "--tail", "1").out == newest.out.splitlines(keepends=True)[-1]
    line = json.loads(run("logs", "--tail", "1", "--json").out)
    assert (line["type"], line["text"] + "\n") == ("log", run("logs", "--tail", "1").out)


def test_following_an_ended_job_prints_its_log(released: SimCluster) -> None:
    assert run("logs", "-f").out == run("logs").out


def test_the_log_of_a_failed_job_is_followed_by_its_cause_and_fix(sim: SimCluster, answers: str) -> None:
    sim.outcomes.append(ScriptedOutcome("job-failed", "default/*init*", lines=(UNKNOWN_KEY,)))
    assert run("apply", answers).code == 9
    done = run("logs")
    assert done.code == 0
    assert done.out.splitlines() == UNKNOWN_KEY.splitlines()
    cause, fix, more = done.err.splitlines()
    assert (cause[:7], fix[:5]) == ("Cause: ", "Fix: ")
    words = more.removeprefix("More: pgwizard ").split()
    explained = headless.run(*words)
    assert (explained.code, explained.out.count("  link ")) == (0, 1)
    fault = json.loads(run("logs", "--json").err)
    assert (fault["type"], f"Cause: {fault['cause']}", f"Fix: {fault['fix']}") == ("fault", cause, fix)


def test_the_cause_is_found_in_the_whole_log_even_if_only_its_tail_is_shown(sim: SimCluster, answers: str) -> None:
    lines = (UNKNOWN_KEY, *(f"P00   INFO: line {number}" for number in range(300)))
    sim.outcomes.append(ScriptedOutcome("job-failed", "default/*init*", lines=lines))
    assert run("apply", answers).code == 9
    done = run("logs", "--tail", "2")
    assert done.out == "P00   INFO: line 298\nP00   INFO: line 299\n"
    assert done.err == run("logs", "--tail", "400").err != ""


def test_a_job_that_has_failed_ends_a_followed_log_with_9_and_its_cause(sim: SimCluster, answers: str) -> None:
    sim.outcomes.append(ScriptedOutcome("job-failed", "default/*init*", lines=(UNKNOWN_KEY,)))
    assert run("apply", answers).code == 9
    done = run("logs", "-f")
    assert (done.code, done.out) == (9, run("logs").out)
    failed, *known = done.err.splitlines()
    assert failed.startswith(f"pgwizard: Job default/{HOOK} failed: ")
    assert known == run("logs").err.splitlines()
    assert json.loads(run("logs", "-f", "--json").err)["exitCode"] == 9


def test_a_followed_log_of_an_unknown_failure_ends_with_9_too(sim: SimCluster, answers: str) -> None:
    sim.outcomes.append(ScriptedOutcome("job-failed", "default/*init*", lines=("it went wrong",)))
    assert run("apply", answers).code == 9
    done = run("logs", "-f")
    assert (done.code, done.out) == (9, "it went wrong\n")


@pytest.mark.parametrize(("kind", "last"), [("verify", "valid backups: 1"), ("drill", "drill: ")])
def test_the_log_of_a_scheduled_check_is_printed_and_followed_by_its_kind(
    released: SimCluster, answers: str, kind: str, last: str
) -> None:
    assert run("apply", answers, "--set", "schedule.drill=0 6 2 * *").code == 0
    cronjob = faulting.live(released, CRONJOB, f"postgresql-backup-{kind}")
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": f"postgresql-backup-{kind}",
        "uid": cronjob["metadata"]["uid"],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "check-1", "namespace": "default", "ownerReferences": [owner]},
        "spec": cronjob["spec"]["jobTemplate"]["spec"],
    }
    before = run("logs").out

    async def start() -> None:
        async with released:
            await released.create(job)

    simtime.run(start())
    followed = run("logs", "--kind", kind, "-f", "--json")
    assert followed.code == 0, followed.err
    lines = [json.loads(line) for line in followed.out.splitlines()]
    assert {line["job"] for line in lines} == {"check-1"}
    assert lines[-1]["text"].startswith(last)
    printed = run("logs", "--kind", kind)
    assert (printed.code, printed.out.split()) == (0, " ".join(line["text"] for line in lines).split())
    assert run("logs", "--job", "check-1").out == printed.out
    assert run("logs").out == before


@pytest.mark.parametrize(("kind", "word"), [("verify", "verification"), ("drill", "drill")])
def test_a_release_without_a_job_of_a_kind_is_reported(released: SimCluster, kind: str, word: str) -> None:
    done = run("logs", "--kind", kind)
    assert (done.code, done.err) == (5, f"pgwizard: release default/postgresql has no {word} Job\n")


def test_a_missing_job_is_reported_with_the_existing_ones(released: SimCluster) -> None:
    done = run("logs", "--job", "nope")
    assert (done.code, done.err) == (
        5,
        f"pgwizard: release default/postgresql has no Job nope\nThe newest are: {HOOK}.\n",
    )


def test_a_release_without_any_job_says_so(sim: SimCluster, answers: str) -> None:
    assert run("apply", answers, "--set", "repository.enabled=false").code == 0
    done = run("logs")
    assert (done.code, done.err) == (5, "pgwizard: release default/postgresql has no backup Job\n")


def test_a_followed_backup_with_page_errors_ends_as_the_status_does(released: SimCluster) -> None:
    released.runtime.programs.has_damaged_pages = True
    done = headless.run("backup", "-n", "default", "--demo", "--follow")
    assert done.code == 11
    assert "default/postgresql: the backup has page checksum errors" in done.err


def test_a_backup_that_is_stopped_before_its_job_names_no_log(
    released: SimCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stopped(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(records, "find_layout", stopped)
    done = headless.run("backup", "postgresql", "-n", "default", "--demo")
    assert (done.code, done.err) == (130, "pgwizard: stopped\n")


def test_a_stopped_backup_names_the_command_that_follows_it(
    released: SimCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stopped(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(backups, "backup_now", stopped)
    done = headless.run("backup", "postgresql", "-n", "default", "--demo")
    assert (done.code, done.err) == (
        130,
        "pgwizard: stopped\nA started backup continues in the cluster: pgwizard logs postgresql -f -n default\n",
    )
