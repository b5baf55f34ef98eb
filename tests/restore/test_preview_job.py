"""What a preview can be moved to, what its pod says, and its script run with other programs."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pgwizard.restore.preview_job import Aim, Reached, aim_of, reached_of, reached_text, target_lines, why_not_forward
from pgwizard.restore.scripts import script_of
from pgwizard.restore.target import RecoveryTarget, RestorePlan
from support.waiting import DEADLINE_SECONDS

SCRIPT = script_of("preview")
AT = datetime(2026, 11, 27, 21, 0, 4, tzinfo=UTC)
PLAN = RestorePlan(
    target="a target",
    backup="20261127-210000F",
    timeline=2,
    type="lsn",
    value="0/5000108",
    is_exclusive=True,
    must_reach=0,
    left=2,
    lost_since=None,
    lost_until=None,
    segments=3,
    bytes=1,
    seconds=20.0,
    position=0x5000108,
)
AIM = Aim(RecoveryTarget("time", at=AT), 2, 0x5000108)
REACHED = Reached(0x5000200, AT, "", is_exact=True)
BEHIND = "a preview moves only forward, and it is at 2026-11-27 21:00:04 UTC by now"


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (replace(PLAN, position=0x5000200), ""),
        (replace(PLAN, position=0x50001FF), BEHIND),
        (replace(PLAN, type="time", position=0, at=AT), ""),
        (replace(PLAN, type="time", position=0, at=AT - timedelta(seconds=1)), BEHIND),
        (replace(PLAN, type="default", position=0), ""),
        (replace(PLAN, timeline=3), "the target is on timeline 3, and the preview on timeline 2"),
    ],
)
def test_a_preview_is_moved_forward_on_its_timeline_alone(plan: RestorePlan, why: str) -> None:
    assert why_not_forward(AIM, REACHED, plan) == why


@pytest.mark.parametrize(
    ("plan", "lines"),
    [
        (PLAN, ["-", "recovery_target_lsn=0/5000108", "recovery_target_inclusive=off"]),
        (
            replace(PLAN, type="name", value="$(x) y", is_exclusive=False),
            ["-", "recovery_target_name=$(x) y", "recovery_target_inclusive=on"],
        ),
        (replace(PLAN, type="immediate"), ["-", "recovery_target_lsn=0/5000108", "recovery_target_inclusive=off"]),
        (replace(PLAN, type="default", must_reach=0x6000001), ["0/6000001"]),
    ],
)
def test_a_target_becomes_settings_of_the_server(plan: RestorePlan, lines: list[str]) -> None:
    assert target_lines(plan, "one") == ["one", lines[0], "recovery_target_timeline=2", *lines[1:]]


def test_what_a_job_shows_is_read_from_its_annotations() -> None:
    before = Aim(RecoveryTarget("xid", "745", is_exclusive=True), 2, 7)
    for aim in (AIM, before):
        assert aim_of({"metadata": {"annotations": aim.annotations}}) == aim
    for name in AIM.annotations:
        damaged = {**AIM.annotations, name: "\x1b[31m"}
        if not name.endswith("before"):
            with pytest.raises(ValueError, match="its annotations do not tell what it shows"):
                aim_of({"metadata": {"annotations": damaged}})


def test_the_answer_of_a_pod_is_made_printable_or_refused() -> None:
    answer = {"recovering": True, "paused": True, "lsn": "0/5000200", "at": None, "reason": "a\x1b[31m", "locks": 2}
    reached = reached_of(json.dumps(answer))
    assert (reached.lsn, reached.at, "\x1b" in reached.reason, reached.locks) == (0x5000200, None, False, 2)
    assert reached_text(reached) == (
        "no commit is replayed; 2 tables are locked by transactions that were open then, and cannot be read"
    )
    for text in (
        "",
        "{}",
        "[]",
        "{" * 100_000,
        json.dumps({**answer, "lsn": "x"}),
        json.dumps({**answer, "locks": []}),
    ):
        with pytest.raises(ValueError, match="what it answered cannot be read"):
            reached_of(text)


PROGRAMS = {
    "pgbackrest": 'echo "$*"',
    "pg_controldata": "echo 'max_connections setting:              100'",
    "postgres": '[[ "$*" == *" -C "* ]] && echo 20 || { echo "LOG:  recovery stopping before x"; exec sleep 600; }',
    "psql": """statement="$(cat)"
case "$statement" in
  *json_build_object*) echo '{"lsn": "0/5000200"}' ;;
  *"replayed to"*) echo "replayed to 0/5000200" ;;
  *) echo "${STATE:-t|paused|0/5000200|f}" ;;
esac""",
}


def served(folder: Path, stop_after: str, **variables: str) -> tuple[int, list[str]]:
    """Exit code and lines of the script until it prints a line that begins like this, or ends."""
    tools = folder / "tools"
    tools.mkdir()
    for name, body in PROGRAMS.items():
        (tools / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PGDATA": str(folder / "pgdata"),
        "POSTGRES_USER": "postgres",
        "PREVIEW_CONTROL": str(folder / "control"),
        "PREVIEW_TARGET": "one\n-\nrecovery_target_lsn=0/5000108",
        **variables,
    }
    command = ["bash", "-c", SCRIPT, "preview", "serve", "1", "--set=A", "-c", "config_file=x"]
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, process_group=0, **options) as process:
        assert process.stdout is not None
        lines, too_late = list[str](), threading.Timer(DEADLINE_SECONDS, os.killpg, (process.pid, 9))
        too_late.start()
        for line in process.stdout:
            lines.append(line.rstrip())
            if line.startswith(stop_after):
                break
        too_late.cancel()
        os.killpg(process.pid, 15)
        return process.wait(), lines


def test_the_script_restores_without_archiving_and_serves_at_the_target(tmp_path: Path) -> None:
    _, lines = served(tmp_path, "preview: reached")
    assert lines[0] == "preview: restoring"
    assert lines[1].endswith("--log-level-console=detail --archive-mode=off --set=A restore")
    assert lines[2] == "preview: replaying to one"
    assert lines[-1] == 'preview: reached one {"lsn": "0/5000200"}'


def test_the_script_says_where_it_is_once_no_more_wal_comes(tmp_path: Path) -> None:
    _, lines = served(tmp_path, "preview: reached", STATE="t|not paused|0/5000200|f", PREVIEW_PATIENCE="1")
    own = [line for line in lines if not line.startswith("LOG:")]  # the server's come when they come
    assert own[-2:] == ["replayed to 0/5000200", 'preview: reached one {"lsn": "0/5000200"}']


def test_a_move_does_not_wait_for_the_end_of_the_server_since_the_next_one_begins_at_once(tmp_path: Path) -> None:
    (tmp_path / "pg_ctl").write_text('#!/bin/bash\necho "$*"\n', encoding="utf-8")
    (tmp_path / "pg_ctl").chmod(0o755)
    control = tmp_path / "control"
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PGDATA": "/pgdata",
        "PREVIEW_CONTROL": str(control),
    }
    command = ["bash", "-c", SCRIPT, "preview", "move", "two", "-", "recovery_target_lsn=0/6000108"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("-D /pgdata stop -m fast -W\n", "")
    assert (control / "target").read_text(encoding="utf-8") == "two\n-\nrecovery_target_lsn=0/6000108\n"
    assert (control / "moving").exists()
