"""What was committed, by recorded output of pg_waldump 15, 17 and 18; and how the segments of an hour are found."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from pgwizard.errors import PreflightError
from pgwizard.kube.api import Cluster, ExecResult
from pgwizard.plan.names import ReleaseRef
from pgwizard.restore import history
from pgwizard.restore.history import WalEvent
from pgwizard.restore.report import event_lines, history_text, short_event_lines
from pgwizard.restore.target import RecoveryTarget, RepositoryView, read_target
from pgwizard.restore.wal_scan import script
from pgwizard.status.repository import Backup
from pgwizard.status.wal import Archive, SegmentRun

RECORDED = Path(__file__).parents[1] / "fixtures" / "waldump"
RELEASE = ReleaseRef("default", "postgresql")
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
BACKUP = Backup("A", "full", NOON, NOON, 1, 1, "000000010000000000000001", "000000010000000000000001")
WHOLE_DAY = ("2026-11-28 00:00:00.000000", "2026-11-28 23:59:59.000000", "1000")


def scanned(
    folder: Path,
    names: str,
    recorded: str,
    *,
    what: str = "events",
    window: Sequence[str] = WHOLE_DAY,
    pgbackrest: str = ":",
) -> list[str]:
    """What the script prints where every segment holds this. pgbackrest: before it has read a segment."""
    programs = {
        "pgbackrest": f'{pgbackrest}\ntouch "${{@: -1}}"',
        "pg_waldump": f"[[ \"$*\" != *--start* ]] && cat '{recorded}'",
        "timeout": 'shift; exec "$@"',
    }
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    command = ["bash", "-c", script(), "wal-scan", "main", what, "", "volume", *window]
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "PGDATA": str(folder / "pgdata")}
    done = subprocess.run(command, input=names, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("version", ["15", "17", "18"])
def test_every_release_of_pg_waldump_is_understood(tmp_path: Path, version: str) -> None:
    lines = scanned(tmp_path, "000000010000000000000003\n", str(RECORDED / f"{version}.txt"))
    result = history.events(lines)
    first = int(result[0].xid)
    shown = [(each.kind, each.text, each.target.as_typed, each.target.is_exclusive) for each in result]
    dropped = next(each for each in result if each.kind == "dropped-database")
    assert shown == [
        ("commit", "commit", f"xid:{first}", True),
        ("removal", "removed 4 relations in database 16384", f"xid:{first + 1}", True),
        ("removal", "emptied or rewrote 1 relation in database 16384", f"xid:{first + 2}", True),
        ("removal", "removed 1 relation in database 16384", f"xid:{first + 3}", True),
        ("restore-point", "restore point before migration", "name:before migration", False),
        ("dropped-database", f"removed the files of database {dropped.database}", f"lsn:{dropped.position}", True),
        ("commit", "commit, catalog changed", f"xid:{first + 4}", True),
        ("removal", "removed 1 relation in database 16384", f"xid:{first + 5}", True),
        ("commit", "commit, catalog changed", f"xid:{first + 7}", True),
    ]
    assert result[4].at == result[3].at, "a restore point has the time of the commit before it"
    assert history.totals_of(lines) == {"commits": 7, "unlisted": 0}
    assert history.reached_of(lines) == result[-1].at


def test_what_is_listed_can_be_restored_to_by_its_own_words() -> None:
    here = [
        WalEvent("restore-point", None, 1, 8, name="pgBackRest Archive Check"),
        WalEvent("restore-point", NOON, 1, 20, name="twice"),
        WalEvent("removal", NOON, 1, 24, "730", database="16384", relations=1),
        WalEvent("restore-point", NOON, 2, 32, name="twice"),
        WalEvent("restore-point", NOON, 2, 40, name="once"),
    ]
    listed = history.locate_events(here, {"16384": "shop"}, 16)
    assert [line.partition("  ")[2].split("  ")[-1].strip() for line in event_lines(listed)] == [
        "not reachable: no backup had ended",
        "--to lsn:0/14",
        "--to xid:730 --before",
        "--to lsn:0/20",
        "--to name:once",
    ]
    assert [each.database for each in listed] == ["", "", "shop", "", ""]


def test_the_target_of_an_event_comes_first_where_there_is_little_room_and_times_line_up() -> None:
    here = [
        WalEvent("removal", NOON, 1, 24, "730", database="shop", relations=12),
        WalEvent("commit", NOON + timedelta(milliseconds=20), 1, 28, "7310", is_catalog=True),
    ]
    assert short_event_lines(here) == [
        "2026-11-28 12:00:00.000000 UTC  before xid:730   removed 12 relations in database shop",
        "2026-11-28 12:00:00.020000 UTC  before xid:7310  commit, catalog changed",
    ]


def test_a_transaction_whose_number_was_given_again_after_a_restore_is_named_by_its_time() -> None:
    later = NOON + timedelta(minutes=5)
    both = [WalEvent("removal", NOON, 1, 24, "730", relations=1), WalEvent("commit", later, 2, 24, "730")]
    removal, commit = history.locate_events(both, {}, 16)
    assert removal.target == RecoveryTarget("time", at=NOON, is_exclusive=True)
    assert commit.target == RecoveryTarget("time", at=later, is_exclusive=True)
    assert event_lines([removal])[0].endswith("--to 2026-11-28T12:00:00.000000Z --before")


def test_what_was_committed_after_a_restore_is_named_by_its_time() -> None:
    """The timeline that was left may have the same number outside of the stretch that was read."""
    listed = [
        WalEvent("removal", NOON, 1, 16, "730", relations=1),
        WalEvent("removal", NOON, 2, 24, "747", relations=1),
        WalEvent("restore-point", NOON, 2, 32, name="once"),
    ]
    assert [event.target.as_typed for event in history.locate_events(listed, {}, 8, fork=24)] == [
        "xid:730",
        "2026-11-28T12:00:00.000000Z",
        "name:once",
    ]


def test_a_commit_is_placed_by_its_own_record() -> None:
    line = (
        "000000020000000100000003 2026-11-28T17:24:45.225042 rmgr: Transaction len (rec/tot): 1245/1245, "
        "tx:        730, lsn: 1/03000A08, prev 1/030009D0, desc: COMMIT "
        "2026-11-28 17:24:45.225042 UTC; rels: base/16384/16385"
    )
    [event] = history.events([line])
    at = datetime(2026, 11, 28, 17, 24, 45, 225042, UTC)
    assert event == WalEvent("removal", at, 2, 0x103000A08, "730", "", "16384", 1, is_rewrite=True)
    expected = RecoveryTarget("xid", "730", at, is_exclusive=True, timeline=2, lsn=0x103000A08)
    assert event.target == expected
    assert history.events(["commits 3", "", "pg_waldump: first record is after", line, line]) == [event]


def test_commits_outside_the_stretch_are_neither_listed_nor_counted(tmp_path: Path) -> None:
    window = ("2026-11-28 17:24:45.200000", "2026-11-28 17:24:45.300000", "1000")
    lines = scanned(tmp_path, "000000010000000000000003\n", str(RECORDED / "15.txt"), window=window)
    assert [each.xid for each in history.events(lines)] == ["730", "731", "732", "", "733"]
    assert history.totals_of(lines)["commits"] == 3


def test_plain_commits_beyond_the_most_are_counted(tmp_path: Path) -> None:
    lines = scanned(tmp_path, "000000010000000000000003\n", str(RECORDED / "15.txt"), window=(*WHOLE_DAY[:2], "1"))
    assert [each.kind for each in history.events(lines)].count("commit") == 1
    assert history.totals_of(lines) == {"commits": 7, "unlisted": 2}


def test_nothing_is_left_in_the_pod(tmp_path: Path) -> None:
    made = tmp_path / "made"  # by this run: others have folders in /tmp at the same time
    program = tmp_path / "mktemp"
    program.write_text(f"#!/bin/bash\n{shutil.which('mktemp')} \"$@\" | tee '{made}'\n", encoding="utf-8")
    program.chmod(0o755)
    scanned(tmp_path, "000000010000000000000003\n000000010000000000000004\n", str(RECORDED / "15.txt"))
    folder = Path(made.read_text(encoding="utf-8").strip())
    assert folder.name.startswith("pgwizard-wal.")
    assert not folder.exists()


def number_of(name: str) -> int:
    name = name.removeprefix("+")
    return int(name[8:16], 16) * 256 + int(name[16:], 16)


class _Archive:
    """A cluster whose segments each hold a commit, a minute apart from noon on."""

    def __init__(self, last: int) -> None:
        self.last, self.read, self.probes, self.error = last, list[str](), 0, ""

    async def exec(
        self, _namespace: str, _pod: str, _container: str, command: Sequence[str], **options: bytes
    ) -> ExecResult:
        if command[0] != "bash" or command[3] != "wal-scan":
            sql = " ".join(command)
            last = f"00000001{(self.last + 1) // 256:08X}{(self.last + 1) % 256:08X}\n"
            answer = "16384 shop\n" if "pg_database" in sql else last
            return ExecResult(answer.encode(), b"", 0)
        names = [line.split()[0] for line in options["stdin"].decode().splitlines()]
        lines = []
        for name in names:
            at = NOON + timedelta(minutes=number_of(name))
            if command[5] == "times":
                self.probes += 1
                if number_of(name) <= self.last:
                    lines.append(f"{name} {at.timestamp():.0f}")
            elif not name.startswith("+"):
                self.read.append(name[-2:])
                lines.append(f"reached {at:%Y-%m-%dT%H:%M:%S.%f}")
        if self.error and command[5] == "events":
            lines = [self.error]
        return ExecResult("".join(f"{line}\n" for line in lines).encode(), b"", 0)


def read(place: _Archive, since: int, until: int) -> history.ReleaseHistory:
    archive = Archive({1: [SegmentRun(1, 1, place.last, 1, NOON)]}, {})
    view = RepositoryView(archive, (BACKUP,), 1, is_answering=True)
    moments = [NOON + timedelta(minutes=minutes) for minutes in (since, until)]
    return asyncio.run(history.read(cast("Cluster", place), RELEASE, view, *moments, report=lambda _: None))


def test_only_the_segments_of_the_stretch_are_read() -> None:
    place = _Archive(200)
    result = read(place, 100, 110)
    assert (place.read[0], place.read[-1]) == ("63", "72"), "a minute earlier, and to the end of a batch"
    assert (result.segments, result.is_cut) == (16, False)
    assert place.probes < 40


def test_what_is_not_archived_yet_is_read_too() -> None:
    place = _Archive(20)
    read(place, 18, 60)
    assert place.read == ["11", "12", "13", "14", "15"]


def test_too_much_wal_ends_where_it_can_go_on() -> None:
    place = _Archive(3_000)
    result = read(place, 0, 3_000)
    assert (result.is_cut, result.segments, result.until) == (True, 992, NOON + timedelta(minutes=992))
    assert history_text(result) == (
        "0 commits from 2026-11-28 12:00:00 UTC to 2026-11-29 04:32:00 UTC; 992 WAL segments read; "
        "this is too much WAL to read at once: go on with --from 2026-11-29T04:32:00Z."
    )


def test_too_much_wal_without_a_commit_is_not_passed_over() -> None:
    place = _Archive(3_000)
    place.error = "commits 0"
    result = read(place, 0, 3_000)
    assert (result.is_cut, result.until) == (True, NOON)
    assert history_text(result).endswith("; this is too much WAL to read at once: give a later --from.")


def test_segments_that_could_not_be_read_are_named() -> None:
    result = history.ReleaseHistory(NOON, NOON + timedelta(hours=1), (), 5, 2, 9, 1, is_cut=False)
    assert history_text(result) == (
        "5 commits from 2026-11-28 12:00:00 UTC to 2026-11-28 13:00:00 UTC; 9 WAL segments read; "
        "2 of them are not listed: narrow --from and --to; 1 segment could not be read."
    )
    assert history_text(replace(result, why="000000010000000000000003: no permission")).endswith(
        "; 1 segment could not be read (000000010000000000000003: no permission)."
    )


@pytest.mark.parametrize(
    ("tries", "expected"),
    [(1, []), (2, ["unreadable 1 000000010000000000000004: it is not there"])],
)
def test_a_segment_that_is_archived_while_it_is_looked_for_is_read(
    tmp_path: Path, tries: int, expected: list[str]
) -> None:
    """It is not in the archive at first, and not on the volume a moment later."""
    failing = (
        f'echo >>{tmp_path}/tried; [ "$(wc -l <{tmp_path}/tried)" -gt {tries} ] || {{ echo it is not there; exit 1; }}'
    )
    lines = scanned(tmp_path, "000000010000000000000004\n", str(RECORDED / "15.txt"), pgbackrest=failing)
    assert [line for line in lines if line.startswith("unreadable")] == expected
    assert any("desc: COMMIT" in line for line in lines) != bool(expected)


def test_an_archive_that_cannot_be_read_is_not_an_empty_one() -> None:
    place = _Archive(3)
    place.error = "unreadable 4 ERROR: [041]: no permission"
    with pytest.raises(PreflightError, match=r"none of 4 segments could be read: ERROR: \[041\]: no permission"):
        read(place, 0, 60)


def test_an_event_is_a_line_with_its_target() -> None:
    items = [
        WalEvent("removal", NOON, 1, 8, "730", database="shop", relations=4),
        WalEvent("restore-point", None, 1, 9, name="it's \x1b[31mred"),
    ]
    assert event_lines(items) == [
        "2026-11-28 12:00:00.000000 UTC  removed 4 relations in database shop  --to xid:730 --before",
        "before all others               restore point it's [31mred            --to lsn:0/9",
    ]


@pytest.mark.parametrize(
    ("name", "typed"), [("before migration", "name:before migration"), ("vor März", "lsn:0/9"), ("it's", "lsn:0/9")]
)
def test_a_restore_point_is_offered_by_what_a_restore_takes(name: str, typed: str) -> None:
    target = WalEvent("restore-point", NOON, 1, 9, name=name).target
    assert (target.as_typed, target.is_exclusive) == (typed, False)
    assert isinstance(read_target(target.as_typed, UTC), RecoveryTarget)
