"""``restore``: the plan, the confirmation, and what a target that cannot be reached prints."""

from __future__ import annotations

import base64
import json
import os
import re
import signal

import pytest

from pgwizard.cli import prompt
from pgwizard.kube.api import SECRET, STATEFULSET, Ref
from pgwizard.release import record
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import FaultKind, Request, ScriptedOutcome
from support import faulting, headless


def restore(*options: str) -> headless.Run:
    return headless.run("restore", "postgresql", *options, "--demo")


def steady(text: str) -> str:
    """Without progress, logs and times."""
    kept = [line for line in text.splitlines() if not line.startswith(("    ", "·"))]
    joined = re.sub(r"\d{8}-\d{6}", "ID", "\n".join(kept))
    joined = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", "TIME", joined)
    return re.sub(r" +\d+\.\d s$", "", joined, flags=re.MULTILINE)


def writes(sim: SimCluster) -> list[str]:
    return [request.resource for request in sim.requests if request.is_write]


def test_a_restore_shows_its_plan_its_stages_and_what_it_reached(released: SimCluster) -> None:
    done = restore("--to", "latest", "--yes")
    assert (done.code, done.err) == (0, "")
    assert steady(done.out).splitlines() == [
        "Target   the newest state",
        "Backup   IDF, on timeline 1",
        "Replay   about 1 WAL segment; fetches at most 29.32Mi",
        "Loses    nothing that is archived",
        "Takes    not known before the first drill or restore; the database is down meanwhile. A full backup follows",
        "✓ restore point pgwizard-ID is archived",
        "✓ suspend       no backup starts",
        "✓ stop          postgresql-0 is gone",
        "✓ restore       timeline 2, to the end of the archive",
        "✓ start         postgresql-0 is ready",
        "✓ archive       timeline 2 is archived",
        "✓ backup        a full backup of the new timeline is in the repository",
        "✓ resume        3 schedules",
        "Release is restored to the newest state: timeline 2, to the end of the archive; last commit TIME UTC.",
        "Undo it: pgwizard restore postgresql --undo -n default",
    ]


def test_a_plan_goes_by_how_long_the_restore_before_it_took(released: SimCluster) -> None:
    first = restore("--to", "latest", "--yes", "--json")
    assert first.code == 0
    events = [json.loads(line) for line in first.out.splitlines()]
    took = {each["stage"]: each["seconds"] for each in events if each["type"] == "event" and each["kind"] == "done"}
    down = took["stop"] + took["restore"] + took["start"]
    second = restore("--to", "latest", "--dry-run", "--json")
    plan = json.loads(second.out)
    assert plan["basis"].startswith("the restore of 20")
    assert abs(plan["seconds"] - down) <= 2.5  # the Job measures in whole seconds
    assert f"s, by {plan['basis']}; the database is down" in restore("--to", "latest", "--dry-run").out


def test_a_dry_run_and_a_refusal_write_nothing(released: SimCluster) -> None:
    released.requests.clear()
    planned = restore("--to", "latest", "--dry-run", "--json")
    assert (planned.code, planned.err) == (0, "")
    plan = json.loads(planned.out)
    assert (plan["type"], plan["timeline"], plan["lostSince"]) == ("restorePlan", 1, None)
    refused = restore("--to", "2001-01-01T00:00:00Z", "--json")
    line, error = json.loads(refused.out), json.loads(refused.err)
    assert (refused.code, line["type"], line["reason"], line["before"]) == (
        2,
        "unreachable",
        "before-first-backup",
        None,
    )
    assert line["after"] is not None
    assert error["error"] == (
        "the target cannot be reached: 2001-01-01 00:00:00 UTC lies before the first backup that leads to it"
    )
    assert set(writes(released)) <= {"pods/exec"}


def test_a_plan_needs_no_permission_to_write_and_says_which_are_missing(released: SimCluster) -> None:
    for verb, resource in (("patch", "secrets"), ("patch", "statefulsets"), ("create", "jobs"), ("delete", "jobs")):
        released.rules.deny(verb, resource)
    released.requests.clear()
    planned = restore("--to", "latest", "--dry-run")
    assert (planned.code, planned.err) == (0, "")
    assert "Rights   missing: patch secrets; patch statefulsets; create and delete jobs\n" in planned.out
    refused = restore("--to", "latest", "--yes")
    assert refused.code == 5
    assert "does not let you do all that this needs; nothing was written" in refused.err
    preview = restore("--to", "latest", "--preview", "--dry-run")
    assert (preview.code, preview.out.splitlines()[-1]) == (0, "Rights   missing: create and delete jobs")
    assert restore("--to", "latest", "--preview", "--yes").code == 5
    assert set(writes(released)) <= {"pods/exec"}


def test_a_plan_that_cannot_be_read_is_refused(released: SimCluster) -> None:
    released.rules.deny("create", "pods/exec")
    refused = restore("--to", "latest", "--dry-run")
    assert (refused.code, refused.out) == (5, "")
    assert "create pods/exec in namespace default" in refused.err


def test_a_restore_without_a_target_names_the_options(released: SimCluster) -> None:
    refused = restore("--yes")
    assert (refused.code, refused.err) == (
        2,
        "pgwizard: restore needs --to TARGET or --undo\nSuch as: --to 2026-11-27T21:00:04Z.\n",
    )
    assert restore("--undo", "--yes").err == (
        "pgwizard: release default/postgresql was not restored: there is nothing to undo\n"
    )


def test_a_release_is_named_or_comes_from_answers(released: SimCluster, answers: str) -> None:
    neither = headless.run("restore", "--to", "latest", "--demo")
    expected = "pgwizard: restore needs the release's NAME, or --from FILE\npgwizard releases -A lists the names.\n"
    assert (neither.code, neither.err) == (2, expected)
    assert headless.run("restore", "postgresql", "--from", answers, "--demo").err == (
        "pgwizard: restore takes the release's NAME or --from FILE, not both\nFILE names it.\n"
    )
    assert restore("--before").err == (
        "pgwizard: --before needs --to TARGET\nSuch as: --to 2026-11-27T21:00:04Z --before.\n"
    )
    unconfirmed = headless.run("restore", "--from", answers, "--demo")
    assert (unconfirmed.code, unconfirmed.err) == (
        2,
        "pgwizard: standard input is no terminal: nothing was written\n--yes confirms it.\n",
    )
    assert restore("--set", "storage.size=2Gi").err == (
        "pgwizard: --set and --ca-file change answers: they go with --from FILE, --set with --into too\n"
    )
    there = headless.run("restore", "--from", answers, "--yes", "--demo")
    assert (there.code, there.err.splitlines()) == (
        5,
        [
            "pgwizard: release postgresql in namespace default exists; nothing was written",
            "It is restored in place: pgwizard restore postgresql --to latest -n default",
        ],
    )


def test_a_release_from_answers_is_made_first_and_needs_a_repository_with_backups(
    sim: SimCluster, answers: str
) -> None:
    dry = headless.run("restore", "--from", answers, "--dry-run", "--demo")
    assert (dry.code, dry.out.splitlines()[-1]) == (
        0,
        "Dry run: nothing was written. The backups can be read once the release's objects are there.",
    )
    assert set(writes(sim)) <= {"pods/exec"}
    empty = headless.run("restore", "--from", answers, "--yes", "--demo")
    assert (empty.code, empty.err.splitlines()) == (
        5,
        [
            "pgwizard: the repository of release postgresql, backups/postgresql, cannot be used: missing stanza path",
            "The backups are elsewhere: correct repository.bucket or repository.path, and run it again.",
        ],
    )
    assert faulting.live(sim, STATEFULSET, "postgresql")["spec"]["replicas"] == 0
    again = headless.run("restore", "postgresql", "--demo")
    assert again.err == empty.err


def test_a_script_must_confirm_and_a_person_types_the_name(
    released: SimCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    released.requests.clear()
    silent = restore("--to", "latest")
    assert (silent.code, silent.err) == (
        2,
        "pgwizard: standard input is no terminal: nothing was written\n--yes confirms it.\n",
    )
    questions, answers = list[str](), ["y", "postgresql"]

    async def ask(question: str, **_: str) -> str:
        questions.append(question)
        return answers.pop(0)

    monkeypatch.setattr(prompt, "is_interactive", lambda *, yes: not yes)
    monkeypatch.setattr(prompt, "ask", ask)
    refused = restore("--to", "latest")
    assert (refused.code, refused.err) == (130, "pgwizard: not approved: nothing was written\n")
    assert set(writes(released)) <= {"pods/exec"}
    assert restore("--to", "latest").code == 0
    assert questions == ["Type the release's name to restore it in default: "] * 2


def test_a_restore_that_failed_exits_with_12_and_the_next_run_ends_it(released: SimCluster) -> None:
    fault = "FATAL:  recovery ended before configured recovery target was reached"
    released.outcomes.append(ScriptedOutcome("job-failed", "default/postgresql-restore-*", lines=(fault,)))
    failed = restore("--to", "latest", "--yes")
    assert failed.code == 12
    assert "Cause: The target of the restore lies after the last archived commit" in failed.err
    assert (
        "The restore has not ended. The database is down until it has.\n"
        "Resume it: pgwizard restore postgresql -n default\n"
        "Back to the state before the restore: pgwizard restore postgresql --undo -n default\n"
    ) in failed.err
    assert faulting.live(released, STATEFULSET, "postgresql")["spec"]["replicas"] == 0
    released.outcomes.clear()
    other = restore("--to", "latest", "--dry-run")
    assert (other.code, other.out.splitlines()[1]) == (0, "Target   the newest state"), "another target can be given"
    assert headless.run("apply", "answers.yaml", "--demo").code == 5
    assert restore("--yes").code == 0
    assert released.store.peek(Ref(STATEFULSET, "postgresql", "default")) is not None


def test_an_undo_brings_back_the_timeline_that_was_left(released: SimCluster) -> None:
    assert restore("--to", "latest", "--yes").code == 0
    undone = restore("--undo", "--yes", "--json")
    lines = [json.loads(line) for line in undone.out.splitlines()]
    plan, receipt = lines[0], lines[-1]
    assert (undone.code, plan["timeline"], plan["target"]) == (0, 1, "the newest state of timeline 1")
    assert (receipt["type"], receipt["timeline"]) == ("receipt", 3)


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ("leases", "stopped: the database was not touched"),
        (
            "cronjobs",
            """stopped
The restore has not ended. The database runs, and its backup schedules may be suspended until it has.
Resume it: pgwizard restore postgresql -n default""",
        ),
    ],
)
def test_a_stopped_restore_shows_whether_and_how_it_resumes(released: SimCluster, resource: str, message: str) -> None:
    def struck(request: Request) -> None:
        if request.is_write and request.resource == resource:
            os.kill(os.getpid(), signal.SIGINT)

    released.faults.append(struck)
    stopped = restore("--to", "latest", "--yes")
    assert (stopped.code, stopped.err) == (130, f"pgwizard: {message}\n")
    released.faults.clear()
    again = restore("--yes") if resource == "cronjobs" else restore("--to", "latest", "--yes")
    assert (again.code, again.err) == (0, "")
    assert ("has not ended. It continues with the stage suspend." in again.out) == (resource == "cronjobs")


def test_a_secret_that_an_override_of_a_clone_names_is_read(
    released: SimCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLONE_PASSPHRASE", "correct horse battery staple")
    cipher = ("repository.cipher.from=env", "repository.cipher.passphrase=CLONE_PASSPHRASE")
    options = [word for each in cipher for word in ("--set", each)]
    restore("--into", "staging/copy", *options, "--yes")
    secret = faulting.live(released, SECRET, "copy-pgbackrest-cipher", "staging")
    assert base64.b64decode(secret["data"]["passphrase"]) == b"correct horse battery staple"


def test_a_clone_is_made_beside_its_source(released: SimCluster) -> None:
    wrong = restore("--into", "staging")
    assert (wrong.code, wrong.err) == (
        2,
        "pgwizard: --into staging: expected NAMESPACE/NAME\nSuch as: --into staging/postgresql.\n",
    )
    done = restore("--into", "staging/copy", "--set", "storage.size=20Gi", "--yes")
    assert (done.code, done.err) == (0, "")
    printed = steady(done.out).splitlines()
    assert printed[printed.index("Target   the newest state") :] == [
        "Target   the newest state",
        "Backup   IDF, on timeline 1",
        "Replay   about 1 WAL segment; fetches at most 29.32Mi",
        "Lacks    nothing that is archived",
        "Takes    not known before the first drill or restore. A full backup follows",
        "✓ restore point none: the release is new",
        "✓ suspend       no backup starts",
        "✓ stop          copy-0 is gone",
        "✓ restore       timeline 2, to the end of the archive",
        "✓ start         copy-0 is ready",
        "✓ archive       timeline 2 is archived",
        "✓ backup        a full backup of the new timeline is in the repository",
        "✓ resume        3 schedules",
        (
            "Clone staging/copy holds the newest state of its source: timeline 2, to the end of the archive; "
            "last commit TIME UTC."
        ),
        "Its subscriptions and the jobs of pg_cron are asleep; docs/restore.md shows how to wake them.",
    ]
    assert restore("--into", "staging/copy", "--yes").err.splitlines()[0] == (
        "pgwizard: release copy in namespace staging exists; nothing was written"
    )


def test_a_clone_from_a_file_reads_the_file_s_repository_whatever_it_gets_itself(
    released: SimCluster, answers: str
) -> None:
    options = ("--from", answers, "--into", "staging/copy", "--set", "repository.path=/staging/own", "--yes", "--demo")
    done = headless.run("restore", *options)
    assert (done.code, done.err) == (0, "")
    kept = record.read(faulting.live(released, SECRET, "copy-pgwizard", "staging"))
    source = record.read(faulting.live(released, SECRET, "postgresql-pgwizard"))
    assert kept.last is not None
    assert source.last is not None
    assert kept.origin is not None
    assert kept.last.answers["repository"]["path"] == "/staging/own"
    assert kept.origin.path == source.last.answers["repository"]["path"]


def test_a_name_that_is_not_confirmed_leaves_a_clone_that_is_created(
    released: SimCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(question: str, **_: str) -> str:
        return "y" if question.startswith("Create") else "another"

    monkeypatch.setattr(prompt, "is_interactive", lambda **_: True)
    monkeypatch.setattr(prompt, "ask", ask)
    refused = restore("--into", "staging/copy")
    assert (refused.code, refused.err) == (
        130,
        "pgwizard: not approved: release staging/copy is created, and nothing was restored\n",
    )


def test_finish_asks_and_ends_the_undo(released: SimCluster) -> None:
    assert restore("--to", "latest", "--yes").code == 0
    shown = "Ends the undo of the restore to the newest state. No copy of WAL was kept on the volume.\n"
    assert restore("--finish", "--dry-run").out == shown
    assert restore("--finish").err == (
        "pgwizard: standard input is no terminal: nothing was written\n--yes confirms it.\n"
    )
    done = restore("--finish", "--yes")
    assert (done.code, done.err) == (0, "")
    assert steady(done.out).splitlines() == [
        shown.strip(),
        "✓ delete        no copy of WAL was kept on the volume",
        "✓ expire        retention applies to all backups and WAL",
        "The restore can no longer be undone. Retention applies to all backups.",
    ]
    assert restore("--undo", "--yes").err.splitlines()[0] == (
        "pgwizard: the last restore of release default/postgresql was finished: there is nothing to undo"
    )


def test_a_preview_is_begun_moved_and_ended(released: SimCluster) -> None:
    label = released.runtime.programs.repository("default").backups[-1]["label"]
    begun = restore("--to", f"backup:{label}", "--preview")
    assert (begun.code, begun.err) == (0, "")
    assert steady(begun.out).splitlines() == [
        "Target   the end of backup IDF",
        "Backup   IDF, on timeline 1",
        "Replay   about 1 WAL segment; fetches at most 29.3Mi",
        "✓ preview       its newest commit is of TIME UTC",
        "Shows    the end of backup IDF: its newest commit is of TIME UTC",
        "psql     kubectl -n default exec -it job/postgresql-preview -c preview -- psql",
        "Later    pgwizard restore postgresql --preview --to LATER -n default",
        "Restore  pgwizard restore postgresql --to backup:IDF -n default",
        "End      pgwizard restore postgresql --preview --end -n default; it ends by itself at TIME UTC",
    ]
    moved = restore("--to", "latest", "--preview", "--json")
    assert moved.err == ""
    line = json.loads(moved.out.splitlines()[-1])
    assert (moved.code, line["type"], line["target"], line["isExact"]) == (0, "preview", "the newest state", True)
    assert line["psql"] == "kubectl -n default exec -it job/postgresql-preview -c preview -- psql"
    refused = restore("--to", f"backup:{label}", "--preview")
    assert refused.code == 5
    assert "cannot be moved: a preview moves only forward" in refused.err
    assert restore("--preview", "--end").out.startswith("✓ preview       its pod and its volume are deleted")
    assert restore("--preview", "--end").out.startswith("✓ preview       none is open")


def test_ending_the_preview_of_a_release_that_does_not_exist_is_refused() -> None:
    done = headless.run("restore", "typo", "--preview", "--end", "--demo")
    assert done.code == 5
    assert "none is open" not in done.out
    assert "there is no release typo in namespace default" in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preview"], "--preview needs --to TARGET or --end"),
        (["--end"], "--end goes with --preview"),
        (["--preview", "--end", "--to", "latest"], "--to cannot be used with --end"),
        (["--preview", "--undo"], "--undo cannot be used with --preview"),
        (["--preview", "--to", "2001-01-01T00:00:00Z"], "the target cannot be reached: 2001-01-01 00:00:00 UTC lies"),
        (["--preview", "--to", "yesterday"], "the target cannot be reached: yesterday is no target"),
    ],
)
def test_a_preview_of_nothing_is_refused_and_nothing_is_written(
    released: SimCluster, options: list[str], message: str
) -> None:
    released.requests.clear()
    refused = restore(*options)
    assert (refused.code, writes(released)) == (2, [])
    assert message in refused.err


def test_a_preview_that_is_stopped_is_ended(released: SimCluster) -> None:
    def stop(request: Request) -> None:
        if (request.verb, request.resource) == ("create", "jobs"):
            os.kill(os.getpid(), signal.SIGINT)

    released.faults.append(stop)
    stopped = restore("--to", "latest", "--preview", "--yes")
    assert stopped.code == 130
    assert "stopped: no preview is open" in stopped.err
    released.faults.clear()
    assert restore("--preview", "--end").out.startswith("✓ preview       none is open")


def test_a_preview_that_is_stopped_and_cannot_be_ended_says_how_it_is_ended(released: SimCluster) -> None:
    def stop(request: Request) -> FaultKind | None:
        if (request.verb, request.resource) == ("create", "jobs"):
            os.kill(os.getpid(), signal.SIGINT)
        return "403" if (request.verb, request.resource) == ("delete", "jobs") else None

    released.faults.append(stop)
    stopped = restore("--to", "latest", "--preview", "--yes")
    assert stopped.code == 130
    assert "stopped: the preview of release default/postgresql could not be ended: " in stopped.err
    assert "End it: pgwizard restore postgresql --preview --end -n default" in stopped.err
    released.faults.clear()
    assert restore("--preview", "--end").out.startswith("✓ preview       its pod and its volume are deleted")
