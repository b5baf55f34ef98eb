"""The script of a drill, run with other programs, and the receipt that it leaves."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pgwizard.plan.names import ReleaseRef
from pgwizard.release.drills import receipt_of
from pgwizard.release.record import DrillCheck, DrillResult
from pgwizard.restore.drill_job import DrillPlan, manifest
from pgwizard.restore.scratch_job import ScratchTemplate
from pgwizard.restore.scripts import script_of
from support.headless import answers_of, rendered, trusted

SCRIPT = script_of("drill")
AT = datetime(2026, 11, 27, 21, 0, 4, tzinfo=UTC)
CONTROL = """cat <<'END'
Bytes per WAL segment:                16777216
Data page checksum version:           1
max_connections setting:              100
END"""
RESTORE = """case "$*" in
  *repo-ls*main/15-1/0000000200000000) echo 000000020000000000000006-0123456789012345678901234567890123456789.gz ;;
  *repo-ls*main/15-1) printf '%s\\n' 0000000100000000 0000000200000000 00000002.history ;;
  *repo-ls*) printf '%s\\n' 15-1 archive.info ;;
  *restore*)
    echo "P00   INFO: repo1: restore backup set 20261127-210000F, recovery will start at 2026-11-27 21:00:00"
    echo 'START WAL LOCATION: 0/2000028 (file 000000010000000000000002)' >"$PGDATA/backup_label" ;;
esac"""
PSQL = """statement="$*"
[[ "$statement" == *-c* ]] || statement="$(cat)"
case "$statement" in
  *pg_is_in_recovery*) echo f ;;
  *pause_state*) echo "not paused" ;;
  *history*) echo "1 0/7000000 2026-11-27T21:00:04Z" ;;
  *amcheck*) echo 1 ;;
  *orders*) echo 5 ;;
esac"""
SHORT = "recovery ended at 0/7000000, and the newest segment begins at 0/7000000: a segment is missing or damaged"
PROGRAMS = {
    "pgbackrest": RESTORE,
    "pg_controldata": CONTROL,
    "postgres": '[[ "$*" == *" -C "* ]] && echo 20 || { echo "$*" >"$PGDATA/../server"; exec sleep 30; }',
    "psql": PSQL,
    "pg_dumpall": "",
    "pg_amcheck": "",
    "pg_ctl": 'kill "$(pgrep -f "sleep 30" -P "$PPID")"',
    "pg_checksums": "",
}


def drilled(
    folder: Path, *, script: str = SCRIPT, variables: dict[str, str] | None = None, **programs: str
) -> tuple[int, dict[str, Any]]:
    """Exit code and receipt of the script with these programs in bash."""
    tools = folder / "tools"
    tools.mkdir()
    for name, body in (PROGRAMS | programs).items():
        (tools / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PGDATA": str(folder / "pgdata"),
        "POSTGRES_USER": "postgres",
        "POSTGRES_DB": "shop",
        "DRILL_RECEIPT": str(folder / "receipt"),
        **(variables or {}),
    }
    command = ["bash", "-c", script, "drill", "0", "-c", "config_file=x"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.stderr == "", done.stderr
    return done.returncode, json.loads((folder / "receipt").read_text(encoding="utf-8"))


def outcomes(receipt: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: f"{check['outcome']}: {check['text']}" for check in receipt["checks"]}


def test_every_check_is_made_once_and_the_receipt_says_what_was_reached(tmp_path: Path) -> None:
    code, receipt = drilled(tmp_path, variables={"DRILL_QUERY": "SELECT n FROM orders", "DRILL_EXPECT": "5"})
    size = receipt.pop("bytes")
    assert outcomes(receipt) == {
        "restore": f"passed: {size} bytes",
        "recovery": "passed: timeline 1 to 0/7000000, 2026-11-27T21:00:04Z",
        "wal": "passed: everything that is archived was replayed",
        "rows": "passed: pg_dumpall read every row",
        "indexes": "passed: pg_amcheck found no damage",
        "query": "passed: it answered 5",
        "checksums": "passed: the checksum of every page is right",
    }
    del receipt["checks"]
    assert (code, receipt) == (
        0,
        {
            "backup": "20261127-210000F",
            "timeline": 1,
            "lsn": "0/7000000",
            "reached_at": "2026-11-27T21:00:04Z",
            "segments": 5,
        },
    )


def test_the_server_reaches_no_other_system_and_has_the_limits_of_the_backup(tmp_path: Path) -> None:
    drilled(tmp_path)
    server = (tmp_path / "server").read_text(encoding="utf-8")
    for setting in (
        "listen_addresses=",
        "archive_mode=off",
        "fsync=off",
        "max_logical_replication_workers=0",
        "cron.launch_active_jobs=off",
        "max_connections=100",
        "lc_messages=C",
        "log_error_verbosity=default",
        "log_min_messages=warning",
    ):
        assert f"-c {setting}" in server


@pytest.mark.parametrize(
    ("programs", "variables", "name", "text"),
    [
        (
            {"pgbackrest": "echo 'ERROR: [055]: unable to open missing file'; exit 55"},
            {"DRILL_MUST_EXCEED": "0/6000000"},
            "restore",
            "pgBackRest ended with 55: [055]: unable to open missing file",
        ),
        (
            {
                "postgres": '[[ "$*" == *" -C "* ]] || { echo "27 UTC [7] FATAL:  could not locate it" ; exit 1; }',
                "psql": "exit 2",
            },
            {},
            "recovery",
            "the server ended during recovery: FATAL:  could not locate it",
        ),
        (
            {},
            {"DRILL_MUST_EXCEED": "0/7000000"},
            "wal",
            SHORT,
        ),
        ({"pg_dumpall": "echo 'invalid page \"3\"' >&2; exit 1"}, {}, "rows", 'pg_dumpall: invalid page "3"'),
        (
            {
                "pg_dumpall": """echo 'pg_dump: error: Dumping the contents of table "goods" failed: """
                """PQgetResult() failed.\npg_dump: detail: Error message from server: ERROR:  could not access file """
                """"$libdir/hstore"' >&2; exit 1"""
            },
            {},
            "rows",
            'pg_dumpall: Dumping the contents of table "goods" failed:  ERROR:  could not access file "$libdir/hstore"',
        ),
        ({"pg_amcheck": "echo 'heap\tdamaged'; exit 2"}, {}, "indexes", "pg_amcheck: heap damaged"),
        ({"pg_checksums": "echo bad; exit 1"}, {}, "checksums", "pg_checksums: bad"),
        (
            {},
            {"DRILL_QUERY": "SELECT n FROM orders", "DRILL_EXPECT": "6"},
            "query",
            "it answered 5, and 6 was expected",
        ),
    ],
)
def test_a_check_that_fails_ends_the_script_with_1_after_the_others(
    tmp_path: Path, programs: dict[str, str], variables: dict[str, str], name: str, text: str
) -> None:
    code, receipt = drilled(tmp_path, variables=variables, **programs)
    failed = {check["name"]: check["text"] for check in receipt["checks"] if check["outcome"] == "failed"}
    assert (code, failed) == (1, {name: text})
    assert len(receipt["checks"]) == 7


def test_the_newest_segment_begins_where_segments_of_the_database_s_size_put_it(tmp_path: Path) -> None:
    large = CONTROL.replace("16777216", str(64 * 1024**2))
    _, receipt = drilled(tmp_path, pg_controldata=large)
    assert outcomes(receipt)["wal"] == f"failed: {SHORT.replace('begins at 0/7000000', 'begins at 0/18000000')}"


def test_a_long_answer_is_no_failure(tmp_path: Path) -> None:
    long = PSQL.replace("*orders*) echo 5", "*orders*) set -e; head -c 300000 /dev/zero | tr '\\0' x")
    code, receipt = drilled(tmp_path, variables={"DRILL_QUERY": "SELECT n FROM orders"}, psql=long)
    assert (code, outcomes(receipt)["query"]) == (0, f"passed: it answered {'x' * 80}")


def test_a_clock_that_is_set_back_leaves_a_receipt_that_can_be_read(tmp_path: Path) -> None:
    """As if each check began at a moment that is still to come."""
    late = SCRIPT.replace('mark="$now"', 'mark="$((now + 5000))"')
    code, receipt = drilled(tmp_path, script=late)
    assert (code, {check["seconds"] for check in receipt["checks"][1:]}) == (0, {0.0})


def test_what_the_image_or_the_database_lacks_is_skipped(tmp_path: Path) -> None:
    off = CONTROL.replace("version:           1", "version:           0")
    code, receipt = drilled(tmp_path, pg_controldata=off, psql=PSQL.replace("*amcheck*) echo 1", "*amcheck*) true"))
    result = outcomes(receipt)
    assert (code, result["indexes"], result["checksums"], result["query"]) == (
        0,
        "skipped: the extension amcheck is not in the image",
        "skipped: the database has no data checksums",
        "skipped: no query",
    )


CHECK = {"name": "restore", "outcome": "passed", "seconds": 1.5, "text": "fine\x1b[2J"}
RECEIPT = {
    "backup": "A",
    "timeline": 2,
    "lsn": "0/7000000",
    "reached_at": "2026-11-27T21:00:04Z",
    "bytes": 5,
    "segments": 6,
    "checks": [CHECK],
}


def pod(message: str) -> dict[str, Any]:
    ended = {"terminated": {"exitCode": 0, "message": message}}
    return {"status": {"containerStatuses": [{"name": "proxy", "state": {}}, {"name": "drill", "state": ended}]}}


def test_a_receipt_is_read_from_the_end_of_the_container_and_made_printable() -> None:
    assert receipt_of(pod(json.dumps(RECEIPT)), AT, 9.876) == DrillResult(
        at="2026-11-27T21:00:04+00:00",
        seconds=9.9,
        backup="A",
        timeline=2,
        lsn="0/7000000",
        reached_at="2026-11-27T21:00:04+00:00",
        bytes=5,
        segments=6,
        checks=(DrillCheck("restore", "passed", 1.5, "fine [2J"),),
    )


ENDLESS = {**RECEIPT, "checks": [{**CHECK, "seconds": float("inf")}]}


@pytest.mark.parametrize(
    "message",
    [
        *("{}", "[]", "5", "{", json.dumps({**RECEIPT, "checks": [{"outcome": "x"}]}), json.dumps([RECEIPT])),
        json.dumps(ENDLESS),
        json.dumps({**RECEIPT, "bytes": 10**400}),
    ],
)
def test_another_text_in_the_place_of_a_receipt_is_refused(message: str) -> None:
    with pytest.raises(ValueError, match="the receipt of its pod cannot be read"):
        receipt_of(pod(message), AT, 1)
    with pytest.raises(ValueError, match="its pod has left no receipt"):
        receipt_of({"status": {}}, AT, 1)


def test_a_scheduled_drill_runs_the_same_script_in_the_same_pod_without_password_and_priority() -> None:
    release = ReleaseRef("default", "postgresql")
    objects = rendered(answers_of(schedule={"drill": "0 6 2 * *"}, pods={"priorityClass": "databases"}), trusted())
    plan = DrillPlan(("--type=default",), None)
    template = ScratchTemplate(objects["statefulset"], "10Gi", is_small=True)
    job = manifest(template, release, "x", plan, query=None, deadline_seconds=86_400)
    usual, scheduled = job["spec"], objects["drill-cronjob"]["spec"]["jobTemplate"]["spec"]
    assert {key: scheduled[key] for key in ("backoffLimit", "activeDeadlineSeconds")} == {
        key: usual[key] for key in ("backoffLimit", "activeDeadlineSeconds")
    }
    pod, other = scheduled["template"]["spec"], usual["template"]["spec"]
    [container], [drill] = pod.pop("containers"), other.pop("containers")
    assert other.pop("priorityClassName") == "databases"
    claim, wanted = (each["volumes"].pop()["ephemeral"]["volumeClaimTemplate"]["spec"] for each in (pod, other))
    assert (pod, claim) == (other, wanted)
    script, count, *arguments = drill.pop("command")[2:3] + drill.pop("args", []) + ["1", "--type=default"]
    assert objects["pgbackrest-configmap"]["data"]["drill.sh"] == script
    assert (container.pop("command"), container.pop("args")) == (
        ["/bin/bash", "/etc/pgbackrest/drill.sh"],
        [count, *arguments, "-c", "config_file=/etc/postgresql/postgresql.conf"],
    )
    of_the_first_start = ("POSTGRES_PASSWORD", "POSTGRES_INITDB_ARGS")
    drill["env"] = [each for each in drill["env"] if each["name"] not in of_the_first_start]
    assert container == drill


def test_without_a_schedule_there_is_no_drill() -> None:
    objects = rendered()
    assert "drill-cronjob" not in objects
    assert "drill.sh" not in objects["pgbackrest-configmap"]["data"]
