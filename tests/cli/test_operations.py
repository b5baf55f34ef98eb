"""The verbs that speak to a cluster, as a shell sees them: what is printed, what is questions, and the exit code."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pgwizard.cli import prompt
from pgwizard.cli.run_lines import reporter
from pgwizard.cli.verbs import releases
from pgwizard.cli.writer import Writer
from pgwizard.clock import Clock
from pgwizard.errors import Finding, Forbidden
from pgwizard.kube.api import Cluster, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import record, stages
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, Request, ScriptedOutcome
from pgwizard.status import fleet
from support import faulting, headless, simtime
from support.faulting import CLAIM, SECRET, deployed, settle
from support.snapshots import FINE, FULL
from support.waiting import DEADLINE_SECONDS


def applied(*arguments: str) -> headless.Run:
    return headless.run("--headless", "answers.yaml", "--apply", "--demo", *arguments)


def untimed(text: str) -> list[str]:
    """Lines without how long a stage took."""
    return [line.rpartition("   ")[0] if line.endswith(" s") else line for line in text.splitlines()]


# ---- apply ---------------------------------------------------------------------------------------------------------


def test_an_install_prints_its_stages(sim: SimCluster, answers: str) -> None:
    done = applied()
    assert (done.code, done.err) == (0, "")
    lines = [line for line in untimed(done.out) if line[0] in "✓+"]
    assert lines == [
        "✓ survey        demo, namespace default",
        "✓ checks        13 objects",
        "✓ dry run       13 to create",
        "+ create    ServiceAccount default/postgresql-pgbackrest",
        "+ create    Secret default/postgresql",
        "+ create    Secret default/postgresql-minio-ca",
        "+ create    ConfigMap default/postgresql-config",
        "+ create    ConfigMap default/postgresql-pgbackrest-config",
        "+ create    Role default/postgresql-pgbackrest",
        "+ create    RoleBinding default/postgresql-pgbackrest",
        "+ create    Service default/postgresql",
        "+ create    StatefulSet default/postgresql",
        "+ create    CronJob default/postgresql-pgbackrest-full",
        "+ create    CronJob default/postgresql-pgbackrest-incr",
        "+ create    Job default/postgresql-pgbackrest-init",
        "+ create    CronJob default/postgresql-backup-verify",
        "✓ lock          Lease default/postgresql-pgwizard",
        "✓ apply         12 created",
        "✓ wait          postgresql-0 is ready",
        "✓ first backup  a valid full backup is in the repository",
        "✓ record        revision 1",
    ]
    connect = done.out.partition("\nRelease is up. First full backup succeeded.\n")[2].splitlines()
    kubectl = "kubectl -n default"
    password = f"$({kubectl} get secret postgresql -o jsonpath='{{.data.password}}' | base64 -d)"
    forward = f"{kubectl} port-forward service/postgresql 15432:5432 >/dev/null & sleep 2"
    assert connect == [
        "postgresql.default.svc:5432, database myapp; superuser and password are in Secret default/postgresql",
        "Connect with:",
        f'  export PGPASSWORD="{password}"',
        f"  {forward}; psql -h 127.0.0.1 -p 15432 -U postgres -d myapp; kill $!",
    ]


def test_a_second_apply_is_already_up_to_date(sim: SimCluster, answers: str) -> None:
    applied()
    done = applied()
    assert done.code == 0
    assert untimed(done.out)[:5] == [
        "✓ survey        demo, namespace default",
        "✓ checks        13 objects",
        "✓ dry run       13 unchanged",
        "Already up to date.",
        "Connect with:",
    ]


def test_every_line_of_json_is_json(sim: SimCluster, answers: str) -> None:
    done = applied("--json")
    assert done.code == 0
    lines = [json.loads(line) for line in done.out.splitlines()]
    version = {"apiVersion": "pgwizard/v1"}
    assert lines[0] == {
        **version,
        "type": "event",
        "stage": "survey",
        "kind": "began",
        "text": "",
        **dict.fromkeys(("seconds", "change", "problem")),
    }
    change = {
        "action": "create",
        "object": "StatefulSet default/postgresql",
        "why": "",
        "restarts": False,
        "diff": None,
    }
    assert {**version, "type": "change", **change} in lines
    assert (lines[-1]["type"], lines[-1]["outcome"], len(lines[-1]["connect"])) == ("outcome", "deployed", 2)
    assert {line["stage"] for line in lines if "stage" in line} == {
        *("survey", "checks", "dry run", "lock", "apply", "wait", "first backup", "record")
    }


def test_a_dry_run_and_diff_write_nothing(sim: SimCluster, answers: str) -> None:
    for done in (
        headless.run("--headless", "answers.yaml", "--apply", "--dry-run", "--demo"),
        headless.run("diff", "answers.yaml", "--demo"),
    ):
        assert done.code == 0
        assert "+ create    StatefulSet default/postgresql" in done.out
        assert done.out.endswith("Dry run: nothing was written.\n")
    assert [request for request in sim.requests if request.is_write] == []


def test_a_diff_shows_the_lines_that_change(sim: SimCluster, answers: str) -> None:
    applied()
    done = headless.run("diff", "answers.yaml", "--demo", "--set", "tuning.connections=200")
    assert done.code == 0
    assert "    -    max_connections = 100  # as asked" in done.out.splitlines()
    assert "    +    max_connections = 200  # as asked" in done.out.splitlines()
    assert "± replace   Job default/postgresql-pgbackrest-init   (a Job runs once: it is created again)" in done.out


def test_an_apply_asks_for_confirmation_and_no_stops_it(
    sim: SimCluster, answers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []

    async def no(question: str) -> bool:
        questions.append(question)
        return False

    monkeypatch.setattr(prompt, "is_interactive", lambda *, yes: not yes)
    monkeypatch.setattr(prompt, "confirm", no)
    done = applied()
    assert done.code == 130
    assert questions == ["Apply this to default? [y/N] "]
    assert done.err == "pgwizard: not approved: nothing was written\n"
    assert [request for request in sim.requests if request.is_write] == []
    assert applied("--yes").code == 0
    assert len(questions) == 1


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What is written here is typed at the terminal that standard input is."""
    master, slave = os.openpty()
    with os.fdopen(slave) as terminal, os.fdopen(master, "wb"):
        monkeypatch.setattr(sys, "stdin", terminal)
        yield master


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (b"y\n", True),
        (b" YES \n", True),
        (b"y\x04\x04", True),
        (b"\n", False),
        (b"n\n", False),
        (b"yep\n", False),
        (b"\x04", False),
    ],
)
def test_only_yes_confirms_and_the_end_of_input_does_not(typed: bytes, meant: bool, keyboard: int) -> None:
    os.write(keyboard, typed)
    assert asyncio.run(prompt.confirm("? ")) is meant


@pytest.mark.parametrize("stop", [b"\x03", signal.SIGTERM, signal.SIGHUP])
def test_a_question_can_be_interrupted(stop: bytes | int, answers: str) -> None:
    script = (
        "import fcntl, termios\n"
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"  # so that ^C comes from the terminal
        "from pgwizard.cli.main import main\n"
        "main(['--headless', 'answers.yaml', '--apply', '--demo'])\n"
    )
    master, slave = os.openpty()
    with (
        os.fdopen(master, "wb", buffering=0) as keyboard,
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=slave,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process,
    ):
        os.close(slave)
        assert process.stderr is not None
        try:
            output = b""
            while not output.endswith(b"[y/N] "):
                output += (part := process.stderr.read(1))
                assert part, output
            if isinstance(stop, bytes):
                keyboard.write(stop)
            else:
                process.send_signal(stop)
            assert process.wait(timeout=DEADLINE_SECONDS) == (130 if isinstance(stop, bytes) else 128 + stop)
            assert process.stderr.read().startswith(b"\npgwizard: stopped: nothing was written\n")
        finally:
            process.kill()


def test_a_question_is_not_written_to_standard_output(answers: str) -> None:
    master, slave = os.openpty()
    with os.fdopen(slave) as terminal, os.fdopen(master, "wb", buffering=0) as keyboard:
        keyboard.write(b"n\n")
        command = [sys.executable, "-m", "pgwizard", "apply", answers, "--demo", "--json"]
        done = subprocess.run(command, check=False, stdin=terminal, capture_output=True, timeout=DEADLINE_SECONDS)
    assert done.returncode == 130
    assert {json.loads(line)["type"] for line in done.stdout.splitlines()} == {"event", "change"}
    question, _, error = done.stderr.decode().partition("[y/N] ")
    assert question == "Apply this to default? "
    assert json.loads(error)["exitCode"] == 130


def test_a_script_confirms_nothing() -> None:
    assert not sys.stdin.isatty()
    assert prompt.is_interactive(yes=False) is False


def test_a_script_without_standard_input_confirms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert prompt.is_interactive(yes=False) is False


def test_a_person_who_pipes_the_output_confirms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert prompt.is_interactive(yes=False) is True
    assert prompt.is_interactive(yes=True) is False


# ---- exit codes ----------------------------------------------------------------------------------------------------


def test_each_kind_of_failure_has_its_exit_code(sim: SimCluster, answers: str) -> None:
    before = {Ref.of(obj) for obj in sim.store.everything()}

    def code(*arguments: str, **world: Any) -> int:
        for ref in {Ref.of(obj) for obj in sim.store.everything()} - before:
            sim.store.remove(ref)
        sim.faults = world.get("faults", [])
        sim.outcomes[:] = world.get("outcomes", [])
        return applied(*arguments).code

    assert code("--set", "storage.size=none") == 2
    assert code(faults=[Fault("503", "get", times=None)]) == 4
    assert code("--set", "release.namespace=nowhere") == 5
    assert code("--timeout", "30", outcomes=[ScriptedOutcome("unschedulable", "default/*")]) == 7
    assert code(outcomes=[ScriptedOutcome("image-pull", "default/postgresql-0")]) == 8
    assert code(outcomes=[ScriptedOutcome("job-failed", "default/*init*")]) == 9


def test_an_error_goes_to_stderr_with_its_hint(sim: SimCluster, answers: str) -> None:
    sim.rules.deny("create", "services", "default")
    done = applied()
    assert done.code == 5
    assert done.err.startswith("pgwizard: demo does not let you do all that this needs; nothing was written\n")
    assert "An administrator grants it with:\n" in done.err


@pytest.mark.parametrize("verb", ["apply", "diff"])
def test_a_problem_of_the_answers_has_the_file_and_the_line_that_render_shows(
    verb: str, sim: SimCluster, folder: Path
) -> None:
    (folder / "a.yaml").write_text("release:\n  namespace: default\nstorage:\n  size: 10Mi\n")
    rendered = headless.run("render", "a.yaml", "--ca-file", headless.CA)
    (shown,) = (line for line in rendered.err.splitlines() if "storage.size" in line)
    assert shown.startswith("  line 4: storage.size: ")
    done = headless.run(verb, "a.yaml", "--demo")
    assert (done.code, done.err.splitlines()[:2]) == (2, ["pgwizard: a.yaml: 1 problem", shown])
    (problem,) = json.loads(headless.run(verb, "a.yaml", "--demo", "--json").err)["problems"]
    assert (problem["path"], problem["line"]) == ("storage.size", 4)


def test_the_certificate_of_the_command_line_replaces_the_secret_s(sim: SimCluster, answers: str) -> None:
    assert applied("--ca-file", str(headless.CA), "--no-wait").code == 0
    mirror = sim.store.peek(Ref(SECRET, "postgresql-minio-ca", "default"))
    assert mirror is not None
    (value,) = mirror["data"].values()
    assert base64.b64decode(value).decode() == headless.trusted().pem
    assert "minio/minio-tls" not in json.dumps(mirror)


def test_what_the_cluster_does_not_have_has_its_line_in_the_file(sim: SimCluster, folder: Path) -> None:
    (folder / "a.yaml").write_text("release:\n  namespace: nowhere\n")
    done = headless.run("apply", "a.yaml", "--demo", "--json")
    lines = {problem["path"]: problem["line"] for problem in json.loads(done.err)["problems"]}
    assert (done.code, lines["release.namespace"]) == (5, 2)


@pytest.mark.parametrize("verb", ["render", "apply", "diff"])
def test_a_wrong_certificate_hides_no_other_problem(verb: str, sim: SimCluster, folder: Path) -> None:
    (folder / "a.yaml").write_text("storage:\n  size: 10Mi\ntls:\n  caFile: missing.crt\n")
    done = headless.run(verb, "a.yaml", "--json")
    output = json.loads(done.err)
    assert (done.code, output["error"]) == (2, "a.yaml: 2 problems")
    assert [(problem["path"], problem["line"]) for problem in output["problems"]] == [
        ("storage.size", 2),
        ("tls.caFile", 4),
    ]


@pytest.mark.parametrize("verb", ["apply", "diff"])
def test_an_invalid_answer_hides_no_problem_across_the_others(verb: str, folder: Path) -> None:
    (folder / "a.yaml").write_text("storage:\n  size: 10Mi\ntuning:\n  connections: many\n")
    output = json.loads(headless.run(verb, "a.yaml", "--json").err)
    assert [problem["path"] for problem in output["problems"]] == ["storage.size", "tuning.connections"]


# ---- warnings ------------------------------------------------------------------------------------------------------


def test_a_warning_of_a_run_has_its_question_line_and_fix(sim: SimCluster, folder: Path) -> None:
    (folder / "a.yaml").write_text("release:\n  namespace: default\ntls:\n  verify: false\n")
    done = headless.run("diff", "a.yaml", "--demo", "--json")
    warned = [line for line in map(json.loads, done.out.splitlines()) if line.get("kind") == "warning"]
    rendered = json.loads(headless.run("render", "a.yaml", "--json").err.splitlines()[0])
    problem = warned[0]["problem"]
    assert problem == {key: rendered[key] for key in ("path", "message", "fix", "line", "column", "key")}
    assert (problem["path"], problem["line"]) == ("tls.verify", 4)


def test_the_fix_of_a_warning_is_printed_with_it(sim: SimCluster) -> None:
    out = io.StringIO()
    finding = Finding("storage.size", "is small", severity="warning", fix="Raise it.")
    with contextlib.redirect_stdout(out):
        stages.Stage("checks", reporter(Writer(as_json=False))).warning(finding)
    assert out.getvalue() == "! checks        storage.size: is small   Raise it.\n"


def test_an_event_of_a_change_says_which(sim: SimCluster, answers: str) -> None:
    lines = [json.loads(line) for line in applied("--json").out.splitlines()]
    made = [line["change"] for line in lines if line["type"] == "event" and line["change"]]
    assert {
        "action": "create",
        "object": "StatefulSet default/postgresql",
        "why": "",
        "restarts": False,
    } in made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_in_order_and_shows_how_to_resume(sim: SimCluster, answers: str, number: int) -> None:
    def struck(request: Any) -> None:
        if request.verb == "watch":
            os.kill(os.getpid(), number)

    sim.faults.append(struck)
    done = applied()
    assert done.code == 128 + number
    assert done.err == (
        "pgwizard: stopped; written: 12 of 12 objects (the Job of the first backup not counted)\n"
        "The pod continues to start in the cluster, and the first backup follows. "
        "Run it again at any time: it resumes.\n"
    )
    lease = faulting.live(sim, faulting.LEASE, "postgresql-pgwizard")
    assert "holderIdentity" not in lease["spec"]
    sim.faults.clear()
    assert applied().code == 0


def test_a_watch_ends_once_nobody_reads_it_although_nothing_changes() -> None:
    command = [sys.executable, "-m", "pgwizard", "status", "-A", "--watch", "--demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline().startswith(b"RELEASE")
            process.stdout.close()
            assert process.wait(DEADLINE_SECONDS) == 141
            assert process.stderr.read() == b""
        finally:
            process.kill()


# ---- uninstall and releases ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("removal", "stopped: nothing was removed"),
        ("remove", "stopped\nRun it again to remove what is left."),
    ],
)
def test_a_stopped_uninstall_reports_whether_anything_was_removed(
    sim: SimCluster, answers: str, monkeypatch: pytest.MonkeyPatch, step: str, message: str
) -> None:
    async def stopped(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    applied()
    monkeypatch.setattr(releases, step, stopped)
    done = headless.run("uninstall", "postgresql", "-n", "default", "--demo")
    assert (done.code, done.err) == (130, f"pgwizard: {message}\n")


def test_an_uninstall_lists_what_is_deleted_and_what_is_kept(sim: SimCluster, answers: str) -> None:
    applied()
    done = headless.run("uninstall", "postgresql", "-n", "default", "--demo")
    assert (done.code, done.err) == (0, "")
    lines = [line for line in untimed(done.out) if line[0] in "-=✓"]
    assert [line for line in lines if not line.startswith("-")] == [
        "= keep      PersistentVolumeClaim default/postgresql-storage-postgresql-0   (it holds the database)",
        "= keep      Secret default/postgresql-minio-ca   (the mirrored certificate is retained)",
        "= keep      Secret default/postgresql   (the database that is kept was made with it)",
        "= keep      the repository in S3   (backups are never deleted from here)",
        "✓ remove        11 deleted, 3 kept",
    ]
    assert [line for line in lines if line.startswith("-")] == [
        "- delete    CronJob default/postgresql-backup-verify",
        "- delete    Job default/postgresql-pgbackrest-init",
        "- delete    CronJob default/postgresql-pgbackrest-incr",
        "- delete    CronJob default/postgresql-pgbackrest-full",
        "- delete    StatefulSet default/postgresql",
        "- delete    Service default/postgresql",
        "- delete    RoleBinding default/postgresql-pgbackrest",
        "- delete    Role default/postgresql-pgbackrest",
        "- delete    ConfigMap default/postgresql-pgbackrest-config",
        "- delete    ConfigMap default/postgresql-config",
        "- delete    ServiceAccount default/postgresql-pgbackrest",
    ]
    assert sim.store.peek(Ref(CLAIM, "postgresql-storage-postgresql-0", "default")) is not None
    assert sim.store.peek(Ref(SECRET, "postgresql", "default")) is not None


def test_purging_needs_the_name_of_the_release(sim: SimCluster, answers: str) -> None:
    applied()
    done = headless.run("uninstall", "postgresql", "-n", "default", "--demo", "--purge-data", "yes")
    assert done.code == 2
    assert done.err == ("pgwizard: --purge-data: expected the release's name, postgresql: its data would be deleted\n")
    done = headless.run("uninstall", "postgresql", "-n", "default", "--demo", "--purge-data", "postgresql")
    assert done.code == 0
    assert sim.store.peek(Ref(CLAIM, "postgresql-storage-postgresql-0", "default")) is None
    assert sim.store.peek(Ref(SECRET, "postgresql-minio-ca", "default")) is not None


def test_an_uninstall_of_a_missing_release_is_refused(sim: SimCluster) -> None:
    done = headless.run("uninstall", "other", "-n", "default", "--demo")
    assert done.code == 5
    assert done.err == (
        "pgwizard: there is no release other in namespace default\n"
        "No other one is seen: -n names another namespace, and pgwizard installs one.\n"
    )


def test_a_namespace_without_releases_says_so(sim: SimCluster) -> None:
    here = headless.run("releases", "-n", "default", "--demo")
    assert (here.code, here.out, here.err) == (0, "", "no release in namespace default; -A lists those of all\n")
    assert headless.run("releases", "-A", "--demo").err == "no release in the cluster\n"
    line = headless.run("releases", "-A", "--demo", "--json")
    assert (line.out, json.loads(line.err)["text"]) == ("", "no release in the cluster")


def test_releases_as_a_table_and_as_json(sim: SimCluster, answers: str) -> None:
    applied()
    header, row = headless.run("releases", "-A", "--demo").out.splitlines()
    assert header.split() == ["NAMESPACE", "NAME", "REVISION", "OUTCOME", "AT", "MANAGER"]
    assert row.split()[:4] == ["default", "postgresql", "1", "deployed"]
    assert header.index("REVISION") == row.index("1")
    item = json.loads(headless.run("releases", "-n", "default", "--demo", "--json").out)
    assert {key: item[key] for key in ("type", "namespace", "name", "revision", "outcome", "manager")} == {
        "type": "release",
        "namespace": "default",
        "name": "postgresql",
        "revision": 1,
        "outcome": "deployed",
        "manager": "pgwizard",
    }


def test_a_release_without_a_record_is_listed_with_its_manager_and_has_a_status(sim: SimCluster, answers: str) -> None:
    applied()
    sim.store.remove(record.secret_ref(ReleaseRef("default", "postgresql")))
    server = copy.deepcopy(faulting.live(sim, faulting.STATEFULSET, "postgresql"))
    server["metadata"]["annotations"] = {"meta.helm.sh/release-name": "postgresql"}
    sim.store.put(server)
    row = headless.run("releases", "-n", "default", "--demo").out.splitlines()[1]
    assert row.split() == ["default", "postgresql", "-", "unrecorded", "-", "Helm", "release", "postgresql"]
    shown = headless.run("status", "-n", "default", "--demo")
    assert shown.out.splitlines()[0] == "default/postgresql"
    assert "· release     managed by Helm release postgresql; revisions are not known without a record" in shown.out
    refused = headless.run("uninstall", "postgresql", "-n", "default", "--demo", "--yes")
    assert (refused.code, refused.err.splitlines()[0]) == (
        5,
        "pgwizard: release default/postgresql has no record: Helm release postgresql manages it",
    )


def test_a_release_whose_record_cannot_be_read_is_listed_with_a_warning(sim: SimCluster, answers: str) -> None:
    sim.store.put({**faulting.secret("broken-pgwizard", "default"), "type": record.TYPE})
    done = headless.run("releases", "-n", "default", "--demo")
    assert done.out.splitlines()[1].split() == ["default", "broken", "-", "unreadable", "-", "pgwizard"]
    assert done.err.startswith("warning: Secret default/broken-pgwizard holds no record of a release   It was written")
    assert done.code == 0
    (item,) = map(json.loads, headless.run("releases", "-n", "default", "--demo", "--json").out.splitlines())
    assert (item["name"], item["outcome"]) == ("broken", "unreadable")


def test_two_runs_of_a_shell_find_the_same_cluster(sim: SimCluster) -> None:
    async def twice() -> None:
        async with sim:
            await deployed(sim)

    simtime.run(twice())
    assert headless.run("releases", "-n", "default", "--demo").out.count("deployed") == 1


# ---- verify ----------------------------------------------------------------------------------------------------------


def test_a_verification_ends_with_0_only_if_everything_is_valid_and_the_status_shows_it(
    sim: SimCluster, answers: str, volume: None
) -> None:
    headless.run("--headless", answers, "--apply", "--demo")
    done = headless.run("verify", "--demo", "-n", "default")
    assert (done.code, done.out) == (0, "✓ valid: 1 backup and 20 WAL segments were read in 5 s\n")
    assert "verified 0 s ago: valid" in looked("-n", "default").out

    repository = sim.runtime.programs.repository("default")
    label = repository.backups[0]["label"]
    repository.damaged_contents[label] = ["pg_data/base/1/1255.gz"]
    done = headless.run("verify", "--demo", "-n", "default", "--json")
    line = json.loads(done.out)
    assert (done.code, line["type"], line["damaged"]) == (
        11,
        "verification",
        [{"label": label, "files": 1, "unread": 0}],
    )
    result = looked("-n", "default")
    assert result.code == 11
    assert f"found damaged files in backup {label}: {label}/pg_data/base/1/1255.gz" in result.out


def test_a_verification_whose_result_may_not_be_kept_is_refused_before_anything_is_read(
    sim: SimCluster, answers: str, volume: None
) -> None:
    headless.run("--headless", answers, "--apply", "--demo")
    sim.rules.deny("patch", "secrets")
    requests: list[Request] = []
    sim.faults.append(requests.append)
    done = headless.run("verify", "--demo", "-n", "default")
    assert (done.code, done.out) == (5, "")
    assert "patch secrets postgresql-pgwizard in namespace default" in done.err
    assert not [request for request in requests if request.resource == "pods/exec"]


@pytest.mark.parametrize(("is_damaged", "code"), [(False, 4), (True, 11)])
def test_the_result_of_a_verification_is_printed_even_if_it_cannot_be_kept(
    sim: SimCluster, answers: str, volume: None, is_damaged: bool, code: int
) -> None:
    headless.run("--headless", answers, "--apply", "--demo")
    repository = sim.runtime.programs.repository("default")
    if is_damaged:
        repository.damaged_contents[repository.backups[0]["label"]] = ["pg_data/base/1/1255.gz"]

    def refuse(request: Request) -> None:
        if (request.verb, request.resource) == ("patch", "secrets"):
            raise Forbidden("the quota of writes is used up", status=403)

    sim.faults.append(refuse)
    done = headless.run("verify", "--demo", "-n", "default")
    assert (done.code, done.out.split(":")[0]) == (code, "✗ damaged" if is_damaged else "✓ valid")
    assert "the result is not kept" in done.err
    assert "the quota of writes is used up" in done.err


def test_a_verification_that_is_stopped_names_what_may_go_on(sim: SimCluster, answers: str, volume: None) -> None:
    headless.run("--headless", answers, "--apply", "--demo")

    def interrupt(request: Request) -> None:
        if request.resource == "pods/exec":
            os.kill(os.getpid(), signal.SIGINT)

    sim.faults.append(interrupt)
    done = headless.run("verify", "--demo", "-n", "default")
    assert (done.code, done.err.splitlines()[-1]) == (
        130,
        "pgwizard: stopped: pgbackrest verify may still run in the database's pod, which does no harm",
    )


# ---- status --------------------------------------------------------------------------------------------------------


def looked(*arguments: str) -> headless.Run:
    return headless.run("status", "--demo", *arguments)


def test_the_status_of_a_new_release_says_first_that_it_is_recoverable(
    sim: SimCluster, answers: str, volume: None
) -> None:
    applied()
    settle(sim)
    done = looked()
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "default/postgresql"
    assert lines[1].startswith("● RECOVERABLE   from ")
    assert "✓ volume      61% free (6.1Gi of 10Gi); how fast WAL would fill it is not known yet" in lines
    assert lines[lines.index("Jobs") + 1].startswith("  ✓ first  ")
    assert looked("postgresql", "-n", "default").out.splitlines()[:2] == lines[:2]


def test_the_status_as_json_is_whole(sim: SimCluster, answers: str, volume: None) -> None:
    applied()
    done = json.loads(looked("--json").out)
    assert done["verdict"]["state"] == "recoverable"
    assert done["verdict"]["reasons"] == []
    assert [backup["type"] for backup in done["backups"]] == ["full"]
    assert done["backups"][0]["walStart"].startswith("00000001")
    assert [cron["name"] for cron in done["crons"]] == [
        "postgresql-pgbackrest-full",
        "postgresql-pgbackrest-incr",
        "postgresql-backup-verify",
    ]
    assert done["volume"] == {"size": 10737418240, "free": 6549825126}
    assert (done["unknown"], done["loading"]) == ({}, [])


def test_a_status_that_is_not_recoverable_ends_with_11_and_says_why(
    sim: SimCluster, answers: str, volume: None
) -> None:
    applied()
    settle(sim)
    sim.runtime.programs.repository("default").backups.clear()
    done = looked()
    assert done.code == 11
    assert done.out.splitlines()[1:4] == [
        "✗ NOT RECOVERABLE",
        "! there is no valid full backup with its WAL",
        "  Take one now: pgwizard backup postgresql --type full -n default",
    ]
    assert done.err == ("pgwizard: default/postgresql: not recoverable: there is no valid full backup with its WAL\n")
    assert json.loads(looked("--json").err)["exitCode"] == 11


def test_a_status_without_a_name_needs_exactly_one_release(sim: SimCluster, answers: str, volume: None) -> None:
    none = looked()
    assert (none.code, none.out) == (5, "")
    assert none.err.startswith("pgwizard: there is no release in namespace default\n")
    applied()
    applied("--set", "release.name=another", "--set", "repository.path=/another")
    several = looked()
    assert (several.code, several.out) == (2, "")
    assert "NAME: namespace default has 2 releases: name one of another, postgresql" in several.err
    assert looked("another").code == 0


def test_the_status_of_the_demo_has_a_release_and_does_not_load_the_screens() -> None:
    script = (
        "import contextlib, sys\n"
        "from pgwizard.cli.main import main\n"
        "with contextlib.suppress(SystemExit): main(['status', '--demo'])\n"
        "print('textual' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=DEADLINE_SECONDS
    )
    assert done.stdout.splitlines()[0] == "default/postgresql"
    assert "RECOVERABLE" in done.stdout.splitlines()[1]
    assert done.stdout.splitlines()[-1] == "False"


def test_an_apply_whose_first_backup_has_page_errors_ends_as_its_status_does(sim: SimCluster, answers: str) -> None:
    sim.runtime.programs.has_damaged_pages = True
    done = applied()
    assert "\nRelease is up, but its first full backup has page checksum errors.\n" in done.out
    status = headless.run("status", "-n", "default", "--demo")
    assert (done.code, status.code) == (11, 11)
    cause = "files of the database were damaged when it was taken"
    assert done.err.splitlines() == [
        f"pgwizard: default/postgresql: the backup has page checksum errors: {cause}",
        "pg_amcheck names the damaged tables and indexes. Then take a full backup.",
        "More: pgwizard explain docs/errors.md#status-damaged",
    ]
    again = applied("--json")
    line = next(line for line in map(json.loads, again.out.splitlines()) if line["type"] == "outcome")
    assert (again.code, line["outcome"]) == (11, "unchanged")
    assert ["the backup has page checksum errors" in finding["message"] for finding in line["findings"]] == [True]


# ---- status of all -------------------------------------------------------------------------------------------------


def test_all_releases_are_a_line_each_with_what_that_took(sim: SimCluster, answers: str) -> None:
    applied()
    sim.store.put({**faulting.secret("broken-pgwizard", "default"), "type": record.TYPE})
    done = headless.run("status", "-A", "--demo")
    header, broken, fine = done.out.splitlines()
    assert header.startswith("RELEASE")
    assert broken.startswith("default/broken       ? UNKNOWN       none")
    assert broken.endswith("Secret default/broken-pgwizard holds no record of a release")
    assert fine.startswith("default/postgresql   ")
    assert re.match(r"2 releases: 1 unknown, 1 .*; \d+ requests in \d+\.\d s \(", done.err.splitlines()[0])
    assert done.code == 11
    line = headless.run("status", "-A", "--demo", "--json")
    items = [json.loads(text) for text in line.out.splitlines()]
    assert next((item["type"], item["name"], item["state"]) for item in items) == ("fleet", "broken", "unknown")


def test_watching_prints_a_release_again_when_its_state_or_its_worst_reason_changes(
    sim: SimCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspended = replace(FINE, crons=(replace(FULL, suspended=True),))
    older = replace(FINE, at=FINE.at + timedelta(seconds=5))
    seen = [FINE, older, suspended, replace(suspended, at=older.at), FINE]

    async def observe(cluster: Cluster, *, now: Clock) -> AsyncGenerator[fleet.Fleet, None]:
        for snapshot in seen:
            yield fleet.Fleet(snapshot.at, {snapshot.ref: snapshot}, releases=(snapshot.ref,), left_out="1 of 2")

    monkeypatch.setattr(fleet, "observe", observe)
    done = headless.run("status", "-A", "--watch", "--demo", "--json")
    assert done.code == 0, done.err
    assert [(line["state"], line["reason"]) for line in map(json.loads, done.out.splitlines())] == [
        ("recoverable", ""),
        ("at risk", "the schedule postgresql-pgbackrest-full is suspended"),
        ("recoverable", ""),
    ]
    assert [json.loads(line)["text"] for line in done.err.splitlines()] == ["1 of 2"]

    printed = headless.run("status", "-A", "--watch", "--demo").out.splitlines()
    assert [line.split()[0] for line in printed] == ["RELEASE", *["shop/postgresql"] * 3]


def test_metrics_of_all_releases_or_of_one_are_printed(sim: SimCluster, answers: str) -> None:
    applied()
    for words in (("-A",), ("postgresql", "-n", "default")):
        done = headless.run("status", *words, "--demo", "--format", "prometheus")
        assert 'pgwizard_release_info{namespace="default",release="postgresql",manager="pgwizard"} 1' in done.out
        assert done.out.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("status", "shop", "-A"), "-A shows all releases, not shop alone"),
        (("status", "--watch"), "--watch needs -A"),
        (("status", "-A", "--json", "--format=prometheus"), "--json cannot be used with --format"),
        (("status", "-A", "-n", "shop"), "--namespace cannot be used with --all-namespaces"),
    ],
)
def test_options_of_the_status_that_do_not_fit_are_refused(words: tuple[str, ...], text: str) -> None:
    done = headless.run(*words)
    assert (done.code, text in done.err) == (2, True), done.err
