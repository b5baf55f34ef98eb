"""Where a restore point or a transaction is, by what pg_waldump prints of the archived segments."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from pgwizard.errors import DeadlineError, PreflightError
from pgwizard.kube.api import Cluster, ExecResult
from pgwizard.plan.names import ReleaseRef
from pgwizard.restore.locate import doubt, locate, place_target, segments
from pgwizard.restore.target import RecoveryTarget, RepositoryView, TargetRefusal
from pgwizard.restore.wal_scan import script
from pgwizard.status.repository import Backup, read_lsn
from pgwizard.status.wal import Archive, Fork, History, SegmentRun

AT = datetime(2026, 11, 28, 11, 42, 34, 490819, UTC)
BACKUP = Backup("A", "full", AT, AT, 1, 1, "000000010000000000000003", "000000010000000000000003")
VIEW = RepositoryView(
    Archive(
        {1: [SegmentRun(1, 1, 5, 1, AT)], 2: [SegmentRun(2, 4, 6, 1, AT)]}, {2: History((Fork(1, 4 * 2**24 + 8),), AT)}
    ),
    (BACKUP,),
    2,
    is_answering=True,
)
POINT = (
    "rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: 0/04000060, prev 0/04000028, "
    "desc: RESTORE_POINT before migration"
)
COMMIT = (
    "rmgr: Transaction len (rec/tot):     34/    34, tx:        745, lsn: 1/0F00B878, prev 1/0F00B838, "
    "desc: COMMIT 2026-11-28 11:42:34.490819 UTC; rels: base/16384/16395"
)
NAME, XID = RecoveryTarget("name", "before migration"), RecoveryTarget("xid", "745")


def test_segments_are_searched_from_the_newest_back_to_the_first_backup() -> None:
    assert segments(VIEW) == [
        *("000000020000000000000006", "000000020000000000000005", "000000020000000000000004"),
        *("000000010000000000000005", "000000010000000000000004", "000000010000000000000003"),
    ]


def test_a_point_and_a_transaction_get_their_place() -> None:
    assert place_target(NAME, [f"000000010000000000000004 {POINT}"]) == replace(NAME, timeline=1, lsn=0x4000060)
    expected = replace(XID, timeline=2, lsn=0x10F00B878, at=AT)
    assert place_target(XID, [f"00000002000000010000000F {COMMIT}"]) == expected
    assert place_target(XID, ["", "pg_waldump: first record is after"]) == XID


def test_a_copy_at_the_beginning_of_a_timeline_is_no_second_point() -> None:
    both = [f"000000020000000000000004 {POINT}", f"000000010000000000000004 {POINT}"]
    assert place_target(NAME, both) == replace(NAME, timeline=2, lsn=0x4000060)


def test_a_point_that_is_there_twice_is_refused_with_both_places() -> None:
    twice = [f"000000010000000000000004 {POINT}", f"000000010000000000000005 {POINT.replace('04000060', '05000060')}"]
    result = place_target(NAME, twice)
    assert isinstance(result, TargetRefusal)
    assert result.reason == "ambiguous-point"
    assert result.text.endswith(" is in the WAL more than once: 0/4000060 on timeline 1 and 0/5000060 on timeline 1")


def test_transactions_at_one_position_of_two_timelines_are_two() -> None:
    """Two restores to one moment begin alike: the first transaction of each has the same number and position."""
    later = COMMIT.replace("11:42:34", "11:59:00")
    result = place_target(XID, [f"00000003000000010000000F {later}", f"00000002000000010000000F {COMMIT}"])
    assert isinstance(result, TargetRefusal)
    assert result.text.endswith(" more than once: 1/F00B878 on timeline 3 and 1/F00B878 on timeline 2")


def search(
    folder: Path, names: str, pgbackrest: str, *, has_volume: bool = True, **programs: str
) -> tuple[int, str, str]:
    """Exit code, output and errors of the script, where pg_waldump finds the point in each segment."""
    for name, body in {"pgbackrest": pgbackrest, "pg_waldump": f"echo '{POINT}'", **programs}.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    volume = "volume" if has_volume else ""
    command = ["bash", "-c", script(), "wal-scan", "main", "name", "before migration", volume, "", "", "0"]
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "PGDATA": str(folder / "pgdata")}
    done = subprocess.run(command, input=names, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_segments_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    only_b = '[[ "$*" == *" --no-archive-async archive-get B "* ]] || { echo "ERROR: [041]: no permission"; exit 41; }'
    assert search(tmp_path, "A\nB\nC\n", only_b) == (0, f"unreadable 2 C: ERROR: [041]: no permission\nB {POINT}\n", "")


def test_an_archive_that_cannot_be_read_is_not_one_without_the_point(tmp_path: Path) -> None:
    nothing = "echo 'ERROR: [041]: no permission'; exit 41"
    assert search(tmp_path, "A\nB\n", nothing) == (0, "unreadable 2 B: ERROR: [041]: no permission\n", "")
    assert search(tmp_path, "", nothing) == (0, "", "")


STORED = """case "$*" in
  *" repo-ls archive/main") printf '%s\\n' 15-1 9.6-2 archive.info ;;
  *" repo-ls --filter=^B- archive/main/9.6-2/B") echo NAME ;;
  *" repo-get archive/main/9.6-2/B/NAME") PRINT ;;
esac"""


@pytest.mark.parametrize(
    ("name", "printed", "tool"),
    [
        ("B-0123.gz", "echo segment | gzip", "gzip"),
        ("B-0123.gz", "echo segment", "gzip"),
        ("B-0123.zst", "echo tsegmen", "zstd"),
        ("B-0123", "echo segment", ""),
    ],
    ids=["compressed", "by a pgBackRest that decompresses", "with another program", "plain"],
)
def test_without_a_database_a_segment_is_read_as_it_is_stored(
    tmp_path: Path, name: str, printed: str, tool: str
) -> None:
    others = {"zstd": "tr -d t | sed s/n/nt/"} if tool == "zstd" else {}
    repository = STORED.replace("NAME", name).replace("PRINT", printed)
    reads = f"""[[ "$(cat "${{@: -1}}")" == segment ]] && echo '{POINT}'"""
    assert search(tmp_path, "B\n", repository, has_volume=False, pg_waldump=reads, **others) == (0, f"B {POINT}\n", "")


def test_a_segment_that_no_program_of_the_image_decompresses_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for tool in ("awk", "bash", "cat", "cp", "find", "grep", "head", "mktemp", "rm", "sed", "sort", "tail", "timeout"):
        (programs / tool).symlink_to(shutil.which(tool) or "")
    monkeypatch.setenv("PATH", str(programs))
    why = "it is compressed, and the image has no lz4"
    repository = STORED.replace("NAME", "B-0123.lz4")
    assert search(tmp_path, "B\n", repository, has_volume=False) == (0, f"unreadable 1 B: {why}\n", "")


@pytest.mark.parametrize(
    ("repository", "why"),
    [
        (STORED.replace("echo NAME", ":"), "it is not in the archive"),
        (STORED.replace("echo NAME", "echo 'ERROR: [041]: denied' >&2; exit 41"), "ERROR: [041]: denied"),
        (
            STORED.replace("NAME", "B-0123.gz").replace("PRINT", "echo 'ERROR: [042]: reset' >&2; exit 42"),
            "ERROR: [042]: reset",
        ),
    ],
)
def test_without_a_database_the_reason_why_a_segment_cannot_be_read_is_printed(
    tmp_path: Path, repository: str, why: str
) -> None:
    assert search(tmp_path, "B\n", repository, has_volume=False) == (0, f"unreadable 1 B: {why}\n", "")


@pytest.mark.parametrize(
    ("unreadable", "searched", "there", "text"),
    [
        (0, 1_000, 2_400, "the newest 1,000 of 2,400 segments"),
        (3, 6, 6, "the 6 segments, of which 3 could not be read"),
        (3, 1_000, 2_400, "the newest 1,000 of 2,400 segments, of which 3 could not be read"),
    ],
)
def test_a_target_that_was_not_found_says_what_was_searched(
    unreadable: int, searched: int, there: int, text: str
) -> None:
    result = doubt(XID, unreadable, searched, there)
    assert result is not None
    assert (result.reason, result.text) == (
        "unknown-point",
        f"{XID} was not found in the archived WAL; searched: {text}",
    )
    assert doubt(XID, 0, 6, 6) is None


def test_a_search_that_does_not_end_is_refused() -> None:
    class Slow:
        async def exec(self, *arguments: Sequence[str], **_: object) -> ExecResult:
            if "wal-scan" not in arguments[3]:
                return ExecResult(b"000000020000000000000006", b"", 0)
            raise DeadlineError("cannot run it: it did not end within 600 s")

    with pytest.raises(PreflightError, match=r"the WAL cannot be searched: .*: it did not end within 600 s"):
        asyncio.run(locate(cast("Cluster", Slow()), ReleaseRef("postgresql", "db"), VIEW, NAME))


@pytest.mark.parametrize(("value", "timeline"), [("0/7000028", 2), ("0/7000100", 0), ("0/6000028", 0)])
def test_a_position_that_only_the_volume_has_is_known_up_to_where_the_server_is(value: str, timeline: int) -> None:
    class Server:
        async def exec(self, *_: object, **__: object) -> ExecResult:
            return ExecResult(b"0/7000100\n", b"", 0)

    target = RecoveryTarget("lsn", value, lsn=read_lsn(value))
    place = asyncio.run(locate(cast("Cluster", Server()), ReleaseRef("postgresql", "db"), VIEW, target))
    assert place == replace(target, timeline=timeline)
