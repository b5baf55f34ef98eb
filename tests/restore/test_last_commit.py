"""The last commit that a target includes, by what pg_waldump prints."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pgwizard.restore.last_commit import position_of, segments_of
from pgwizard.restore.target import RecoveryTarget, RepositoryView, RestorePlan, choose
from pgwizard.restore.wal_scan import script
from pgwizard.status.repository import Backup
from pgwizard.status.wal import Archive, Fork, History, SegmentRun

AT = datetime(2026, 11, 28, 11, 42, 34, tzinfo=UTC)
BACKUP = Backup("A", "full", AT, AT, 1, 1, "000000010000000000000003", "000000010000000000000003")
VIEW = RepositoryView(
    Archive(
        {1: [SegmentRun(1, 1, 5, 1, AT)], 2: [SegmentRun(2, 4, 6, 1, AT)]}, {2: History((Fork(1, 4 * 2**24 + 8),), AT)}
    ),
    (BACKUP,),
    2,
    is_answering=True,
)


def record(xid: int, lsn: str, what: str) -> str:
    return f"rmgr: Transaction len (rec/tot):     34/    34, tx: {xid:>10}, lsn: {lsn}, prev 0/00000028, desc: {what}"


RECORDS = [
    record(740, "0/090000F8", "COMMIT 2026-11-28 11:42:01.000000 UTC"),
    record(741, "0/0A000100", "ABORT 2026-11-28 11:42:02.000000 UTC"),
    record(742, "0/10000100", "COMMIT_PREPARED 739: 2026-11-28 11:42:03.000000 UTC"),
    record(743, "1/00000100", "COMMIT 2026-11-28 11:42:04.000000 UTC; rels: base/16384/16395"),
    record(744, "1/00000200", "COMMIT 2026-11-28 11:42:03.500000 UTC"),
]
FIRST, SECOND, THIRD = (
    "last 000000010000000000000009 0/90000F8 2026-11-28 11:42:01.000000",
    "last 000000010000000000000009 0/10000100 2026-11-28 11:42:03.000000",
    "last 000000010000000000000009 1/200 2026-11-28 11:42:03.500000",
)


def last(folder: Path, *, bound: str = "", until: str = "9999") -> list[str]:
    """What the script prints of the records."""
    lines = "\n".join(RECORDS)
    for name, body in {"pgbackrest": "", "pg_waldump": f"cat <<'END'\n{lines}\nEND"}.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    command = ["bash", "-c", script(), "wal-scan", "main", "last", bound, "volume", "", until, "0"]
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "PGDATA": str(folder / "pgdata")}
    done = subprocess.run(
        command, input="000000010000000000000009\n", env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_last_commit_is_the_one_before_the_first_that_is_later(tmp_path: Path) -> None:
    assert last(tmp_path, until="2026-11-28 11:42:00.999999") == ["past"]
    assert last(tmp_path, until="2026-11-28 11:42:01.000000") == [FIRST, "past"]
    assert last(tmp_path, until="2026-11-28 11:42:03.700000") == [SECOND, "past"], "not one behind it, although earlier"
    assert last(tmp_path, until="2026-11-28 11:43:00.000000") == [THIRD]


def test_the_last_commit_before_a_position_is_found_by_its_number_and_not_by_its_letters(tmp_path: Path) -> None:
    assert last(tmp_path, bound="0/90000F8") == ["past"]
    assert last(tmp_path, bound="0/10000100") == [FIRST, "past"]
    assert last(tmp_path, bound="1/100") == [SECOND, "past"]
    assert last(tmp_path, bound="A/0") == [THIRD]


def test_the_position_is_that_of_the_newest_segment_that_has_one() -> None:
    assert position_of([FIRST, "unreadable 1 x", SECOND, "past"]) == 0x10000100
    assert position_of(["past", "last x y z"]) is None


def test_the_timeline_of_the_plan_is_searched_from_the_end_of_its_backup() -> None:
    plan = choose(VIEW, RecoveryTarget("latest"), AT)
    assert isinstance(plan, RestorePlan)
    fresh = ["000000020000000000000007"]
    assert segments_of(VIEW, replace(plan, timeline=1), fresh) == [
        f"0000000100000000{number:08X}" for number in (3, 4, 5)
    ]
    assert segments_of(VIEW, plan, fresh) == [f"0000000200000000{number:08X}" for number in (4, 5, 6, 7)]
