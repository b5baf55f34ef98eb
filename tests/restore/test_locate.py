"""Where a restore point or a transaction is, by what pg_waldump prints of the archived segments."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from pgwizard.restore.locate import placed, segments
from pgwizard.restore.target import RecoveryTarget, RepositoryView, TargetRefusal
from pgwizard.status.repository import Backup
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
    assert placed(NAME, [f"000000010000000000000004 {POINT}"]) == replace(NAME, timeline=1, lsn=0x4000060)
    expected = replace(XID, timeline=2, lsn=0x10F00B878, at=AT)
    assert placed(XID, [f"00000002000000010000000F {COMMIT}"]) == expected
    assert placed(XID, ["", "pg_waldump: first record is after"]) == XID


def test_a_copy_at_the_beginning_of_a_timeline_is_no_second_point() -> None:
    both = [f"000000020000000000000004 {POINT}", f"000000010000000000000004 {POINT}"]
    assert placed(NAME, both) == replace(NAME, timeline=2, lsn=0x4000060)


def test_a_point_that_is_there_twice_is_refused_with_both_places() -> None:
    twice = [f"000000010000000000000004 {POINT}", f"000000010000000000000005 {POINT.replace('04000060', '05000060')}"]
    found = placed(NAME, twice)
    assert isinstance(found, TargetRefusal)
    assert found.reason == "ambiguous-point"
    assert found.text.endswith(" is in the WAL more than once: 0/4000060 on timeline 1 and 0/5000060 on timeline 1")
