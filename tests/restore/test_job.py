"""The script of the Job of a restore, and the receipt that it prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pgwizard.plan.names import ReleaseRef
from pgwizard.restore.job import Receipt, manifest, receipt_of, shortfall
from pgwizard.restore.scripts import script_of
from pgwizard.restore.target import RestorePlan
from support.headless import rendered

SCRIPT = script_of("restore")
LEFT = "pgBackRest ended with 38: nothing was touched\npgwizard-untouched\n"
AT = datetime(2026, 11, 27, 21, 0, 4, tzinfo=UTC)
RECEIPT_VALUES = {
    "timeline": 2,
    "lsn": "1/9002478",
    "reason": "before 2026-11-27 21:00:05.473485+00",
    "restoreSeconds": 3,
    "recoverySeconds": 4,
    "reachedAt": "2026-11-27T21:00:02.513785Z",
}
LAST_COMMIT = datetime(2026, 11, 27, 21, 0, 2, 513785, UTC)
RECEIPT = Receipt(2, 0x109002478, "before 2026-11-27 21:00:05.473485+00", 3, 4, LAST_COMMIT)
PLAN = RestorePlan(
    target="2026-11-27 21:00:04 UTC",
    backup="A",
    timeline=1,
    type="time",
    value="",
    is_exclusive=False,
    must_reach=0,
    left=1,
    lost_since=AT,
    lost_until=AT,
    segments=1,
    bytes=1,
    seconds=1,
    at=AT,
)


def test_the_script_gives_no_secret_to_a_command_line_and_keeps_archiving_on() -> None:
    lines = [line for line in SCRIPT.splitlines() if not line.startswith("#")]
    assert [line for line in lines if "PASSWORD" in line] == [
        "\\getenv password POSTGRES_PASSWORD",
        "ALTER ROLE :\"name\" PASSWORD :'password';",
    ]
    assert "pg_stat_statements.track_utility=off" in SCRIPT, "which would keep the statement with the password"
    switched = [line.strip() for line in lines if "archive_mode" in line or "archive-mode" in line]
    assert switched == [
        "-c archive_mode=off -c fsync=off -c full_page_writes=off -c shared_buffers=64MB -c huge_pages=off",
        "own=(-c archive_mode=off)",
    ], "for a clone alone, and without a trace in the data directory"


def test_the_name_of_a_restore_point_is_none_of_a_variable() -> None:
    """Kubernetes would put the password into the command line, and a single dollar in the place of two."""
    stateful, release = rendered()["statefulset"], ReleaseRef("default", "postgresql")
    plan = replace(PLAN, type="name", value="a$$b $(POSTGRES_PASSWORD)")
    job = manifest(stateful, release, "x", plan, {}, origin=None)
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert "--target=a$$$$b $$(POSTGRES_PASSWORD)" in container["command"]


def test_an_end_of_the_script_is_none_of_pgbackrest() -> None:
    [codes] = [line for line in SCRIPT.splitlines() if "unarchived=" in line]
    assert [int(code) for code in re.findall(r"=(\d+)", codes)] == [201, 202, 203, 204, 205, 206]


def script_on(folder: Path, *, state: str = "archived", **programs: str) -> tuple[int, str]:
    """Exit code and output of the script, where pgBackRest and PostgreSQL are what is given: their answers in bash."""
    tools = folder / "tools"
    tools.mkdir()
    ours = {"psql": "echo 'psql (PostgreSQL) 15.14 (Debian)'", "pg_controldata": "", "pgbackrest": "exit 38"}
    for name, body in (ours | programs).items():
        (tools / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PGDATA": str(folder / "volume" / "pgdata"),
        "POSTGRES_USER": "postgres",
    }
    command = ["bash", "-c", SCRIPT, "restore", state, "1", "--type=default"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A data directory with a segment that was not ready to be archived, and one that was."""
    wal = tmp_path / "volume" / "pgdata" / "pg_wal"
    (wal / "archive_status").mkdir(parents=True)
    (wal / "000000010000000000000007").write_text("the last commits", encoding="utf-8")
    control = tmp_path / "volume" / "pgdata" / "global" / "pg_control"
    control.parent.mkdir()
    control.touch()
    os.utime(control, (AT.timestamp(), AT.timestamp()))
    return tmp_path / "volume"


@pytest.mark.parametrize("state", ["in production", "in crash recovery", "shutting down"])
def test_the_wal_of_a_server_that_was_killed_is_kept_once(tmp_path: Path, volume: Path, state: str) -> None:
    answer = f"echo 'Database cluster state:               {state}'"
    code, text = script_on(tmp_path, pg_controldata=answer)
    kept = volume / "pg_wal.before-restore-20261127-210004"
    assert (code, text) == (
        38,
        f"the server was killed: its last WAL, which is not archived, is kept in {kept}\n{LEFT}",
    )
    assert (kept / "000000010000000000000007").read_text(encoding="utf-8") == "the last commits"
    (tmp_path / "tools").rename(tmp_path / "first")
    assert script_on(tmp_path, pg_controldata=answer) == (code, text)
    assert sorted(path.name for path in volume.iterdir()) == [kept.name, "pgdata"]


def test_wal_that_cannot_be_kept_ends_the_script_before_the_restore(tmp_path: Path, volume: Path) -> None:
    code, text = script_on(
        tmp_path,
        pg_controldata="echo 'Database cluster state:               in production'",
        pgbackrest="echo restored",
        cp="exit 1",
    )
    kept = volume / "pg_wal.before-restore-20261127-210004"
    assert text.splitlines() == [
        f"the server was killed, and its last WAL could not be copied to {kept}: nothing was restored",
        "pgwizard-untouched",
    ]
    assert code == 206


@pytest.mark.parametrize(
    ("state", "remains"),
    [("shut down", ""), ("in production", "recovery.signal"), ("in production", "backup.manifest.copy")],
)
def test_wal_is_not_kept_of_a_server_that_ended_in_order_or_of_a_restore(
    tmp_path: Path, volume: Path, state: str, remains: str
) -> None:
    if remains:
        (volume / "pgdata" / remains).touch()
    answer = f"echo 'Database cluster state:               {state}'"
    assert script_on(tmp_path, pg_controldata=answer) == (38, "" if remains == "backup.manifest.copy" else LEFT)
    assert [path.name for path in volume.iterdir()] == ["pgdata"]


def test_wal_that_a_silent_server_left_is_archived_or_else_kept(tmp_path: Path, volume: Path) -> None:
    """It may be damaged, or another database's: that is no reason to leave the database down."""
    status = volume / "pgdata" / "pg_wal" / "archive_status"
    for name in ("000000010000000000000005", "000000010000000000000006"):
        (status / f"{name}.ready").touch()
    refuses = '[[ "$*" != *archive-push* ]] || [[ "$*" == *5 ]] || exit 44\n[[ "$*" != *restore* ]] || exit 38'
    damaged = "echo 'Database cluster state: in production'; echo 'Calculated CRC checksum does not match' >&2"
    code, text = script_on(tmp_path, state="unknown", pg_controldata=damaged, pgbackrest=refuses)
    kept = volume / "pg_wal.before-restore-20261127-210004"
    assert (code, text.splitlines()) == (
        38,
        [
            "archiving 000000010000000000000005, which only the volume has",
            "archiving 000000010000000000000006, which only the volume has",
            "000000010000000000000006 could not be archived",
            f"the server was killed: its last WAL, which is not archived, is kept in {kept}",
            *LEFT.splitlines(),
        ],
    )
    assert (kept / "000000010000000000000007").read_text(encoding="utf-8") == "the last commits"
    assert sorted(path.name for path in status.iterdir()) == [
        "000000010000000000000005.done",
        "000000010000000000000006.ready",
    ]


def test_wal_that_a_stopped_server_left_must_be_archived(tmp_path: Path, volume: Path) -> None:
    (volume / "pgdata" / "pg_wal" / "archive_status" / "000000010000000000000006.ready").touch()
    code, text = script_on(tmp_path, pgbackrest="exit 44")
    assert (code, text.splitlines()[-2:]) == (
        201,
        ["000000010000000000000006 could not be archived: nothing was touched", "pgwizard-untouched"],
    )


def test_a_data_directory_that_pgbackrest_would_not_know_is_compared_too(tmp_path: Path, volume: Path) -> None:
    assert script_on(tmp_path)[0] == 38
    assert (volume / "pgdata" / "PG_VERSION").exists()
    (tmp_path / "tools").rename(tmp_path / "first")
    subprocess.run(["rm", "-r", str(volume / "pgdata")], check=True)
    assert script_on(tmp_path, state="unknown")[0] == 38
    assert list((volume / "pgdata").iterdir()) == []


def test_an_older_psql_ends_the_script_before_anything_is_touched(tmp_path: Path, volume: Path) -> None:
    assert script_on(tmp_path, psql="echo 'psql (PostgreSQL) 14.19'", pgbackrest="echo touched") == (
        203,
        (
            "psql 15 or newer is needed to set the password, and the image has another: nothing was touched\n"
            "pgwizard-untouched\n"
        ),
    )


def test_a_repository_that_cannot_be_read_leaves_the_data_directory_alone(tmp_path: Path, volume: Path) -> None:
    assert script_on(tmp_path) == (38, LEFT)
    (volume / "pgdata" / "backup.manifest").touch()
    (tmp_path / "tools").rename(tmp_path / "first")
    assert script_on(tmp_path) == (38, "")


def test_a_receipt_is_the_last_such_line_of_the_log() -> None:
    log = ["pgwizard-receipt {}", f"pgwizard-receipt {json.dumps(RECEIPT_VALUES)}", "bye"]
    assert receipt_of(log) == RECEIPT
    hostile = {**RECEIPT_VALUES, "reason": 'at restore point "\x1b[2J"'}
    assert "\x1b" not in receipt_of([f"pgwizard-receipt {json.dumps(hostile)}"]).reason
    without_commits = {**RECEIPT_VALUES, "reachedAt": None}
    assert receipt_of([f"pgwizard-receipt {json.dumps(without_commits)}"]) == replace(RECEIPT, reached_at=None)


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[]",
        "5",
        "{",
        json.dumps({**RECEIPT_VALUES, "lsn": "x"}),
        json.dumps({**RECEIPT_VALUES, "reachedAt": "x"}),
    ],
)
def test_another_line_in_the_place_of_a_receipt_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="the receipt of the Job cannot be read"):
        receipt_of([f"pgwizard-receipt {line}"])
    with pytest.raises(ValueError, match="holds no receipt"):
        receipt_of([line])


def test_a_receipt_is_compared_with_the_plan() -> None:
    assert shortfall(PLAN, RECEIPT) == ""
    assert shortfall(replace(PLAN, must_reach=RECEIPT.lsn), RECEIPT) == ""
    assert shortfall(replace(PLAN, must_reach=RECEIPT.lsn + 1), RECEIPT) == (
        "recovery ended at WAL position 1/9002478, and the archive goes to 1/9002479 at least: a segment between them "
        "is missing or damaged"
    )
    early = replace(RECEIPT, reason="before 2026-11-27 21:00:03+00")
    assert shortfall(PLAN, early) == "recovery stopped at 2026-11-27 21:00:03 UTC, before the target"
