"""What is proven by what was seen: the verdict, its window and its reasons."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pgwizard.diagnose.diagnose import ROWS, diagnose
from pgwizard.kube.health import SCALED_UP, Health
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import drills
from pgwizard.release.record import DamagedBackup, DrillCheck, DrillResult, RepositoryVerification
from pgwizard.status import report
from pgwizard.status.backup_files import BackupFiles, ComparedBackup
from pgwizard.status.listing import read
from pgwizard.status.observations import ArchiveRead, RepositoryRead, failure
from pgwizard.status.reduce import reduce
from pgwizard.status.repository import DamagedPages, FileFault, RepositoryInfo, Wal
from pgwizard.status.snapshot import PACE_SECONDS, MirroredCertificate, Missing, ReleaseSummary, Run, Snapshot, Volume
from pgwizard.status.verdict import Verdict, judge
from pgwizard.status.wal import Hole, RecoveryWindow
from support.snapshots import (
    ANOTHER,
    ARCHIVER,
    DONE,
    DOWN,
    FAILED,
    FINE,
    FULL,
    GB,
    INCR,
    KEPT,
    LEFT,
    NOW,
    RELEASE,
    REPOSITORY,
    SERVER,
    STATEFUL,
    SYSTEM,
    UNKNOWN_KEY,
    at,
    backup,
    holding,
    lines_of,
    listed,
    segment,
    state_and_reasons,
    window_of,
)


def test_a_valid_full_backup_and_a_working_archive_are_recoverable_up_to_the_last_segment() -> None:
    assert judge(FINE) == Verdict(
        "recoverable", (RecoveryWindow(1, FINE.backups[0].label, at(1.4), at(seconds=38), segment(1303)),), ()
    )


def test_without_a_reading_nothing_counts_as_recoverable() -> None:
    assert state_and_reasons(Snapshot(ReleaseRef("shop", "postgresql"), NOW)) == (
        "unknown",
        ["the repository has not been read yet"],
    )
    denied = Snapshot(ReleaseRef("shop", "postgresql"), NOW, failures={"repository": failure("pods/exec is forbidden")})
    assert state_and_reasons(denied) == ("unknown", ["the repository cannot be read: pods/exec is forbidden"])


def test_an_old_reading_does_not_count() -> None:
    old = replace(FINE, answered_at={**FINE.answered_at, "repository": at(seconds=181)})
    assert state_and_reasons(old) == ("unknown", ["the repository was last read 181 s ago"])
    assert judge(old).reasons[0].key == "status-old"
    old = replace(
        FINE, answered_at={**FINE.answered_at, "archiver": at(seconds=181)}, failures={"archiver": failure("no route")}
    )
    assert state_and_reasons(old) == ("at risk", ["the archiver last answered 181 s ago: no route"])


def test_a_repository_that_stopped_answering_is_a_risk_at_once_with_its_cause() -> None:
    why = "[CryptoError] unable to verify certificate presented by 'minio:9000': [10] certificate has expired"
    verdict = judge(replace(FINE, failures={"repository": failure(why)}))
    assert verdict.state == "at risk"
    assert str(verdict.reasons[0]) == (
        "the repository cannot be read: The certificate of minio:9000, or one above it, has expired; or the clock of "
        "the node is ahead."
    )
    assert verdict.reasons[0].fix
    assert verdict.reasons[0].key


@pytest.mark.parametrize(
    ("repository", "reason"),
    [
        (RepositoryInfo((), "missing stanza path"), "pgBackRest reports: missing stanza path"),
        (RepositoryInfo(()), "there is no valid full backup with its WAL"),
        (
            RepositoryInfo((backup("incr", 1),), wal=Wal(segment(1), segment(2))),
            "there is no valid full backup with its WAL",
        ),
        (
            RepositoryInfo((backup("full", 1, error=True),), wal=Wal(segment(1), segment(2))),
            "no backup is intact: the only one has page checksum errors",
        ),
        (
            RepositoryInfo((backup("full", 1, wal=99),), wal=Wal(segment(100), segment(101))),
            "there is no valid full backup with its WAL",
        ),
        (RepositoryInfo((backup("full", 1),)), "there is no valid full backup with its WAL"),
        (
            RepositoryInfo((backup("full", 1),), wal=Wal(segment(1, timeline=3), segment(9, timeline=3))),
            "there is no valid full backup with its WAL",
        ),
        (
            RepositoryInfo((replace(backup("full", 1), wal_start=""),), wal=Wal(segment(1), segment(200))),
            "there is no valid full backup with its WAL",
        ),
        (
            RepositoryInfo((backup("full", 1),), wal=Wal(segment(1), segment(99))),
            "there is no valid full backup with its WAL",
        ),
        (
            RepositoryInfo((replace(backup("full", 1), wal_stop=segment(102)),), wal=Wal(segment(1), segment(101))),
            "there is no valid full backup with its WAL",
        ),
    ],
    ids=[
        "no stanza",
        "nothing",
        "no full one",
        "a wrong page",
        "its WAL has gone",
        "no WAL at all",
        "an archive of a later timeline",
        "no name of its WAL",
        "an archive that ends before it",
        "an archive that ends within it",
    ],
)
def test_without_a_valid_full_backup_and_its_wal_nothing_is_recoverable(
    repository: RepositoryInfo, reason: str
) -> None:
    state, reasons = state_and_reasons(holding(repository))
    assert (state, reasons[0]) == ("not recoverable", reason)


FIRST = Run("postgresql-pgbackrest-init", "u", "init", "running", at(seconds=9), None)


def test_the_first_backup_that_still_runs_is_named() -> None:
    verdict = judge(replace(FINE, repository=RepositoryInfo(()), runs=(FIRST,)))
    assert verdict.reasons[0].fix == "Job postgresql-pgbackrest-init is taking one."


def test_the_window_begins_with_the_oldest_full_backup_whose_wal_is_there() -> None:
    fulls = (backup("full", 14, wal=50), backup("full", 7, wal=200))
    repository = judge(holding(RepositoryInfo(fulls, wal=Wal(segment(200), segment(1303)))))
    assert window_of(repository) == (at(7), at(seconds=38))


def test_a_backup_of_an_earlier_timeline_counts_where_the_archive_reaches_from_it_to_the_present_one() -> None:
    forks = base64.b64encode(b"1\t5/18000028\tno recovery target specified\n").decode()
    runs = [*lines_of(100, 1303), *lines_of(1304, 1310, timeline=2)]
    grown = read("\n".join(["archive 15-1", f"history 00000002 {int(at(seconds=40).timestamp())} {forks}", *runs]))
    server = replace(ARCHIVER, timeline=2, last_wal=segment(1310, timeline=2))
    repository = RepositoryInfo(FINE.backups, wal=Wal(segment(100), segment(1310, timeline=2)), system_id=SYSTEM)
    snapshot = replace(FINE, repository=repository, archive=grown, archive_before=grown, archiver=server)
    assert (state_and_reasons(snapshot), window_of(judge(snapshot))) == (("recoverable", []), (at(1.4), at(seconds=38)))


@pytest.mark.parametrize("count", [1, 10])
def test_wal_that_became_ready_a_moment_ago_is_no_risk_however_long_the_database_was_idle(count: int) -> None:
    fresh = replace(ARCHIVER, waiting=count, waiting_seconds=8, last_at=at(seconds=240))
    assert state_and_reasons(replace(FINE, archiver=fresh)) == ("recoverable", [])
    old = replace(fresh, waiting_seconds=61)
    assert state_and_reasons(replace(FINE, archiver=old))[0] == "at risk"


def test_with_waiting_wal_the_window_ends_with_the_last_backup() -> None:
    verdict = judge(
        replace(FINE, archiver=replace(ARCHIVER, waiting=5_000, waiting_seconds=300, last_at=at(seconds=3)))
    )
    assert (verdict.state, window_of(verdict)) == ("at risk", (at(1.4), at(seconds=38)))
    drained = judge(replace(FINE, archiver=replace(ARCHIVER, waiting=2, last_at=at(seconds=3))))
    assert (drained.state, window_of(drained)) == ("recoverable", (at(1.4), at(seconds=3)))


def test_a_backup_without_its_wal_has_no_window() -> None:
    repository = RepositoryInfo(
        (backup("full", 1.4), backup("incr", 0.4, wal=1304)), wal=Wal(segment(100), segment(1303))
    )
    result = judge(replace(holding(repository), archiver=replace(ARCHIVER, last_at=None)))
    assert window_of(result) == (at(1.4), at(seconds=38))


def test_archived_wal_that_the_next_reading_of_the_repository_lacks_was_dropped() -> None:
    stopped = RepositoryRead(NOW, REPOSITORY)
    ahead = replace(FINE, archiver=replace(ARCHIVER, last_wal=segment(1310), last_at=at(seconds=1)))
    first = reduce(ahead, stopped)
    assert (state_and_reasons(first), window_of(judge(first))) == (("recoverable", []), (at(1.4), at(seconds=1)))
    dropped = reduce(first, stopped)
    assert state_and_reasons(dropped) == (
        "at risk",
        [f"WAL was dropped: PostgreSQL reports {segment(1310)} as archived, but the archive ends with {segment(1303)}"],
    )
    assert (window_of(judge(dropped)), judge(dropped).reasons[0].key) == ((at(1.4), at(seconds=38)), "wal-dropped")
    there = RepositoryInfo(FINE.backups, wal=Wal(segment(100), segment(1310)))
    assert state_and_reasons(reduce(dropped, RepositoryRead(NOW, there))) == ("recoverable", [])


# ---- the archive -----------------------------------------------------------------------------------------------------


def archived(*missing: int, read_once: bool = False, timeline: int = 1, more: Sequence[str] = ()) -> Snapshot:
    """A release whose archive lacks segments; its full backup needs 100, its incremental one 600."""
    result = read("\n".join(["archive 15-1", *more, *lines_of(100, 1303, *missing)]))
    repository = replace(REPOSITORY, backups=(backup("full", 1.4, wal=100), backup("incr", 0.4, wal=600)))
    repository = replace(
        repository,
        backups=tuple(
            replace(each, label=name)
            for each, name in zip(
                repository.backups, ("20261122-022400F", "20261122-022400F_20261123-022400I"), strict=True
            )
        ),
    )
    server = replace(ARCHIVER, timeline=timeline)
    return replace(
        FINE, repository=repository, archive=result, archive_before=None if read_once else result, archiver=server
    )


def reached(snapshot: Snapshot) -> list[str]:
    """The backups that the walk through the archive begins with."""
    assert snapshot.walk is not None
    return [reach.backup.label for reach in snapshot.walk.continuity.reaches]


GONE = f"WAL segment {segment(190)} is"
DELETED = "then find out what deletes WAL: a lifecycle rule of the bucket, or a pgbackrest expire elsewhere."


def test_a_segment_that_is_missing_after_the_newest_backup_ends_what_can_be_recovered() -> None:
    verdict = judge(archived(1300, 1301))
    assert (verdict.state, window_of(verdict)) == ("at risk", (at(1.4), at(minutes=4, seconds=38)))
    assert [str(reason) for reason in verdict.reasons] == [
        f"nothing after 2026-11-23 11:55 UTC can be recovered: WAL segment {segment(1300)} and 1 after it are missing"
    ]
    assert verdict.reasons[0].fix == (
        f"Take a full backup now, which needs none of it: pgwizard backup postgresql --type full -n shop; {DELETED}"
    )


def test_a_segment_that_is_missing_between_two_backups_leaves_two_windows() -> None:
    verdict = judge(archived(400))
    assert [(window.base, window.since, window.hole) for window in verdict.windows] == [
        ("20261122-022400F", at(1.4), Hole(segment(400), 1)),
        ("20261122-022400F_20261123-022400I", at(0.4), None),
    ]
    assert (verdict.state, window_of(verdict)) == ("at risk", (at(0.4), at(seconds=38)))
    assert str(verdict.reasons[0]) == (
        "nothing between 2026-11-22 20:55 UTC and 2026-11-23 02:24 UTC can be recovered: "
        f"WAL segment {segment(400)} is missing"
    )


def test_a_backup_without_its_own_first_segment_is_named_and_the_others_count() -> None:
    verdict = judge(archived(100))
    assert (verdict.state, window_of(verdict)) == ("at risk", (at(0.4), at(seconds=38)))
    assert state_and_reasons(archived(100))[1] == [
        f"backup 20261122-022400F cannot be recovered: WAL segment {segment(100)} is missing"
    ]


def test_without_any_backup_whose_wal_is_there_nothing_is_recoverable() -> None:
    state, reasons = state_and_reasons(archived(100, 600))
    assert (state, reasons[0]) == ("not recoverable", "there is no valid full backup with its WAL")
    assert len(reasons) == 3


def test_a_segment_that_one_listing_lacks_is_looked_up_again() -> None:
    assert state_and_reasons(archived(1300, read_once=True))[1] == [
        f"WAL segment {segment(1300)} was not found; it is looked up again"
    ]
    lost = reduce(FINE, ArchiveRead(NOW, listed(100, 1303, 1300)))
    assert state_and_reasons(lost) == ("recoverable", [])
    assert state_and_reasons(reduce(lost, ArchiveRead(NOW, listed(100, 1303, 1300))))[0] == "at risk"


def test_another_server_that_archives_into_the_repository_is_named() -> None:
    theirs = [f"run {segment(900, 8)} {segment(910, 8)} 1 {int(NOW.timestamp())}"]
    state, reasons = state_and_reasons(archived(more=theirs))
    assert (state, reasons) == (
        "at risk",
        ["another server archives into this repository, on timeline 8; this one is on 1"],
    )
    twice = archived(more=[f"double {segment(200)}"])
    assert state_and_reasons(twice)[1] == [
        f"WAL segment {segment(200)} is there twice, with different contents: two servers archive"
    ]


def test_a_timeline_whose_history_is_missing_cannot_be_reached() -> None:
    state, reasons = state_and_reasons(archived(timeline=2))
    assert (state, reasons) == (
        "not recoverable",
        [
            "there is no valid full backup with its WAL",
            "the archive lacks 00000002.history: recovery cannot get to the server's timeline",
            "backup 20261122-022400F_20261123-022400I can be recovered on timeline 1 only, which the server has left",
        ],
    )


def test_a_dropped_segment_that_an_older_listing_still_has_ends_the_window_before_it() -> None:
    there = archived()
    [window] = judge(there).windows
    assert window.last == segment(1303)
    [window] = judge(replace(there, missing_wal=segment(1303))).windows
    assert window.last == segment(1302)


def test_the_fix_of_a_missing_history_archives_it_again_from_the_server() -> None:
    [fix] = (reason.fix for reason in judge(archived(timeline=2)).reasons if reason.key == "wal-history")
    assert fix == (
        "Archive it again from the server: kubectl -n shop exec postgresql-0 --container=postgresql -- bash -c "
        "'pgbackrest --stanza=main archive-push \"$PGDATA/pg_wal/00000002.history\"'"
    )


def test_after_a_restore_to_an_older_moment_the_timeline_that_was_left_is_a_window_of_its_own() -> None:
    forks = base64.b64encode(b"1\t3/E8000028\tbefore 2026-11-23 07:00:00+00\n").decode()
    history = f"history 00000002 {int(at(seconds=30).timestamp())} {forks}"
    result = archived(timeline=2, more=[history, *lines_of(1000, 1303, timeline=2)])
    verdict = judge(result)
    assert (verdict.state, window_of(verdict)) == ("recoverable", (at(1.4), at(seconds=38)))
    assert [(window.timeline, window.until) for window in verdict.branches] == [(1, at(seconds=38))]
    assert report.other_windows(verdict, NOW) == [
        "on timeline 1, which was left, from Mon 23 Nov 07:00 to Mon 23 Nov 11:59 UTC"
    ]


def test_of_many_windows_the_newest_are_printed_and_the_others_counted() -> None:
    def windows(count: int, timeline: int = 1) -> tuple[RecoveryWindow, ...]:
        ends = [NOW - timedelta(hours=number) for number in reversed(range(count))]
        return tuple(RecoveryWindow(timeline, "", end, end, segment(1), Hole(segment(2), 1)) for end in ends)

    many = Verdict("at risk", windows(672, 2), (), windows(8))
    lines = report.other_windows(many, NOW)
    assert lines[:2] == ["also in the minute of Mon 23 Nov 11:00 UTC", "also in the minute of Mon 23 Nov 10:00 UTC"]
    assert lines[5:7] == [
        "also in 666 older windows from Mon 26 Oct 13:00 to Mon 23 Nov 06:00 UTC",
        "on timeline 1, which was left, in the minute of Mon 23 Nov 12:00 UTC",
    ]
    assert lines[-1] == "on timelines that were left, in 3 older windows from Mon 23 Nov 05:00 to Mon 23 Nov 07:00 UTC"
    assert len(lines) == 12
    few = replace(many, windows=windows(7), branches=())
    last = report.other_windows(few, NOW)[-1]
    assert last == "also in the minute of Mon 23 Nov 06:00 UTC", "a line that counts one saves none"


def test_after_an_undo_the_branch_begins_where_it_parted_from_the_path_that_the_server_is_on_again() -> None:
    parted = base64.b64encode(b"1\t3/E8000028\tbefore 2026-11-23 07:00:00+00\n").decode()
    back = base64.b64encode(b"1\t5/18000000\tno recovery target specified\n").decode()
    seconds = int(at(seconds=30).timestamp())
    histories = [f"history 00000002 {seconds} {parted}", f"history 00000003 {seconds} {back}"]
    more = [*histories, *lines_of(1000, 1010, timeline=2), *lines_of(1304, 1310, timeline=3)]
    (branch,) = judge(archived(timeline=3, more=more)).branches
    assert (branch.timeline, branch.since) == (2, datetime(2026, 11, 23, 7, tzinfo=UTC))


def test_a_branch_of_which_no_moment_is_known_begins_with_its_backup() -> None:
    parted = base64.b64encode(b"1\t3/E8000028\tafter LSN 3/E8000028\n").decode()
    history = f"history 00000002 {int(at(seconds=30).timestamp())} {parted}"
    (branch,) = judge(archived(timeline=2, more=[history, *lines_of(1000, 1303, timeline=2)])).branches
    assert (branch.timeline, branch.since) == (1, at(1.4))


def test_a_backup_that_is_newer_than_the_listing_of_the_archive_counts_by_what_info_says() -> None:
    newer = replace(backup("full", 0.001, wal=1304), label="20261123-115500F")
    repository = replace(REPOSITORY, backups=(newer,), wal=Wal(segment(100), segment(1305)))
    snapshot = replace(FINE, repository=repository)
    assert (state_and_reasons(snapshot), window_of(judge(snapshot))) == (
        ("recoverable", []),
        (at(0.001), at(seconds=38)),
    )


def test_a_backup_far_behind_the_listing_begins_a_window_of_its_own() -> None:
    newer = replace(backup("full", 0.001, wal=1500), label="20261123-115500F")
    repository = replace(REPOSITORY, backups=(*REPOSITORY.backups, newer), wal=Wal(segment(100), segment(1501)))
    old = {**FINE.answered_at, "archive": at(hours=6)}
    snapshot = replace(FINE, repository=repository, answered_at=old, failures={"archive": failure("timed out")})
    assert [(window.since, window.until) for window in judge(snapshot).windows] == [
        (at(1.4), at(seconds=38)),
        (at(0.001), at(0.001)),
    ]
    alone = replace(snapshot, repository=replace(repository, backups=REPOSITORY.backups))
    assert window_of(judge(replace(alone, archiver=replace(ARCHIVER, last_at=NOW)))) == (at(1.4), at(seconds=38)), (
        "an old listing proves nothing that came later"
    )


def test_an_incremental_backup_counts_only_with_all_that_it_builds_on() -> None:
    label = "20261122-022400F"
    middle, last = (
        replace(backup("incr", days, wal=wal), label=f"{label}_{name}", prior=prior)
        for days, wal, name, prior in ((0.9, 500, "1I", label), (0.4, 900, "2I", f"{label}_1I"))
    )
    full = replace(backup("full", 1.4), label=label)
    complete = replace(FINE, repository=replace(REPOSITORY, backups=(full, middle, last)))
    assert reached(complete) == [full.label, middle.label, last.label]
    torn = replace(FINE, repository=replace(REPOSITORY, backups=(full, last)))
    assert reached(torn) == [full.label]


def test_many_backups_without_their_wal_are_one_reason_below_an_archiving_that_fails() -> None:
    backups = tuple(
        replace(backup("full", 20 - day, wal=100 + 10 * day), label=f"202611{day:02}-000000F") for day in range(1, 11)
    )
    listing = listed(100, 1303, *(100 + 10 * day for day in range(1, 10)))
    failing = replace(ARCHIVER, failed=1, failed_wal=segment(1304), failed_at=NOW)
    snapshot = replace(FINE, repository=replace(REPOSITORY, backups=backups), archive=listing, archive_before=listing)
    assert state_and_reasons(replace(snapshot, archiver=failing, crons=()))[1][:2] == [
        f"archiving fails: {segment(1304)} at 2026-11-23 12:00 UTC",
        f"9 backups from {backups[0].label} to {backups[8].label} cannot be recovered: {GONE} missing, among others",
    ]


def test_a_walk_is_reused_while_its_inputs_are_the_same() -> None:
    first = reduce(FINE, ArchiveRead(NOW, FINE.archive or listed(1, 2)))
    later = replace(first, at=NOW, failures={})
    assert later.walk is first.walk
    assert reduce(later, ArchiveRead(NOW, listed(100, 1303))).walk is not first.walk


def test_an_archive_that_cannot_be_listed_is_a_risk() -> None:
    unread = replace(FINE, archive=None, archive_before=None, failures={"archive": failure("awk: command not found")})
    assert state_and_reasons(unread) == ("at risk", ["archive cannot be read: awk: command not found"])


@pytest.mark.parametrize("name", ["", "00000002.history", f"{segment(1310)}.00000028.backup"])
def test_an_invalid_segment_name_is_not_looked_up_in_the_archive(name: str) -> None:
    stopped = RepositoryRead(NOW, REPOSITORY)
    odd = replace(FINE, archiver=replace(ARCHIVER, last_wal=name))
    assert state_and_reasons(reduce(reduce(odd, stopped), stopped)) == ("recoverable", [])


FIRST_FULL, SECOND_FULL = backup("full", 8), backup("full", 1.4)
INCREMENTAL = replace(
    backup("incr", 0.4), label=f"{SECOND_FULL.label}_20261123-022400I", prior=SECOND_FULL.label, wal_stop=segment(101)
)
CHAIN = replace(FINE, repository=replace(REPOSITORY, backups=(FIRST_FULL, SECOND_FULL, INCREMENTAL)))
TAKE_FULL = "Take a full backup now: pgwizard backup postgresql --type full -n shop"


def with_files(**compared: ComparedBackup) -> Snapshot:
    """The release whose backups were compared, whole where nothing else is said of them."""
    whole = {each.label: ComparedBackup("5 1 1") for each in CHAIN.backups}
    return replace(CHAIN, files=BackupFiles({**whole, **compared}))


def test_a_backup_that_lacks_a_file_and_those_that_build_on_it_do_not_count() -> None:
    lacking = ComparedBackup("4 1 1", (FileFault("bundle/1", 2_855_426),), 3)
    result = with_files(**{SECOND_FULL.label: lacking, INCREMENTAL.label: ComparedBackup(needs=(SECOND_FULL.label,))})
    verdict = judge(result)
    assert (verdict.state, [each.base for each in verdict.windows]) == ("at risk", [FIRST_FULL.label])
    [reason] = verdict.reasons
    assert reason.text == (
        f"backup {SECOND_FULL.label} cannot be restored: bundle/1 is missing, and 2 other files are damaged; "
        f"nor can {INCREMENTAL.label}"
    )
    assert (reason.key, reason.fix.startswith(TAKE_FULL)) == ("status-files", True)


def test_an_incremental_backup_that_lacks_a_file_leaves_its_full_one() -> None:
    fault = FileFault("pg_data/base/5/1259.gz", 900, 13)
    verdict = judge(with_files(**{INCREMENTAL.label: ComparedBackup("5 1 1", (fault,), 1)}))
    assert [reason.text for reason in verdict.reasons] == [
        f"backup {INCREMENTAL.label} cannot be restored: pg_data/base/5/1259.gz has 13 bytes, its manifest 900"
    ]
    assert [each.base for each in verdict.windows] == [FIRST_FULL.label]


def test_where_every_backup_lacks_files_nothing_is_recoverable() -> None:
    gone = ComparedBackup("", (FileFault("backup.manifest", 0),), 1)
    verdict = judge(with_files(**{each.label: gone for each in CHAIN.backups}))
    assert (verdict.state, verdict.windows) == ("not recoverable", ())
    assert [reason.text for reason in verdict.reasons][:2] == [
        "there is no valid full backup with its WAL",
        f"backup {INCREMENTAL.label} cannot be restored: its backup.manifest and the copy of it are missing or damaged",
    ]


def test_damaged_files_of_many_backups_are_counted() -> None:
    backups = tuple(backup("full", 7.4 - day, wal=100 + 10 * day) for day in range(8))
    fault = ComparedBackup("", (FileFault("bundle/1", 9),), 1)
    files = BackupFiles({each.label: fault for each in backups[:-1]})
    snapshot = replace(FINE, repository=replace(REPOSITORY, backups=backups), files=files)
    reasons = state_and_reasons(snapshot)[1]
    assert len(reasons) == 4
    assert reasons[3] == "4 older backups lack files too"


def verified(days: float = 3, **parts: Any) -> Snapshot:
    """The release with a verification so many days ago."""
    result = RepositoryVerification(at(days).isoformat(), 16, 3, (), (), 1204, 1204, ())
    return replace(CHAIN, release=replace(RELEASE, verification=replace(result, **parts)))


def test_a_valid_verification_is_shown_with_its_age_and_is_no_reason() -> None:
    assert state_and_reasons(verified()) == ("recoverable", [])
    assert report.verification_text(verified()) == "verified 3 d ago: valid, 3 backups and 1,204 WAL segments"
    assert (
        report.verification_text(verified(40))
        == "verified 40 d ago: valid, 3 backups and 1,204 WAL segments, verify again"
    )


def test_a_backup_that_a_verification_found_damaged_does_not_count_as_long_as_it_is_there() -> None:
    damaged = (DamagedBackup(FIRST_FULL.label, 1), DamagedBackup("20250101-000000F", 4))
    result = verified(damaged=damaged, files=("20250101-000000F/bundle/1", f"{FIRST_FULL.label}/bundle/2"))
    verdict = judge(result)
    assert [each.base for each in verdict.windows] == [SECOND_FULL.label]
    assert [reason.text for reason in verdict.reasons] == [
        f"the verification of 2026-11-20 found damaged files in backup {FIRST_FULL.label}: {FIRST_FULL.label}/bundle/2"
    ]
    assert verdict.reasons[0].fix.endswith("then verify again: pgwizard verify postgresql -n shop")
    expired = replace(result, repository=replace(REPOSITORY, backups=(SECOND_FULL, INCREMENTAL)))
    assert judge(expired).state == "recoverable"


def test_a_damaged_wal_segment_ends_the_window_as_a_missing_one_does() -> None:
    result = verified(segments_valid=1203, segments=(segment(700),))
    verdict = judge(result)
    assert (verdict.state, [each.last for each in verdict.windows]) == ("at risk", [segment(699)])
    assert f"the verification of 2026-11-20 found a damaged WAL segment: {segment(700)}" in [
        reason.text for reason in verdict.reasons
    ]


def test_a_backup_that_a_verification_could_not_read_is_a_risk_and_still_counts() -> None:
    verdict = judge(verified(damaged=(DamagedBackup(SECOND_FULL.label, 0, 3),)))
    assert [reason.text for reason in verdict.reasons] == [
        f"the verification of 2026-11-20 could not read backup {SECOND_FULL.label}"
    ]
    assert len(verdict.windows) == 1


def drilled(days: float = 3, failed: str = "", count: int = 1) -> Snapshot:
    """The release with drills, the last one so many days ago. failed: the name of a check."""
    checks = tuple(
        DrillCheck(name, "failed" if name == failed else "passed", seconds, "as it is")
        for name, seconds in (("restore", 40.0), ("recovery", 10.0), ("wal", 0.0), ("rows", 9.0), ("query", 0.1))
    )
    result = DrillResult(
        at(days).isoformat(), 252, FIRST_FULL.label, 1, "0/7000000", "2026-11-20T02:10:04Z", 4 * 10**9, 20, checks
    )
    return replace(CHAIN, release=replace(RELEASE, drills=(result,) * count))


def drill_facts(snapshot: Snapshot) -> list[str]:
    return [str(fact) for fact in report.facts(snapshot) if fact.label in ("drill", "restore")]


def test_a_drill_shows_what_it_has_proven_and_when_another_is_due() -> None:
    assert state_and_reasons(drilled()) == ("recoverable", [])
    assert drill_facts(CHAIN) == []
    assert drill_facts(drilled()) == [
        "✓ drill       proven by a restore 3 d ago to 2026-11-20 02:10:04 UTC, 4 min 12 s",
        "✓ restore     to now would take about 11 min 2 s, by the last drill",
    ]
    late = "✓ drill       proven by a restore 40 d ago to 2026-11-20 02:10:04 UTC, 4 min 12 s; drill again"
    assert drill_facts(drilled(40))[0] == late


def test_a_drill_that_replayed_no_commit_names_its_backup() -> None:
    result = drilled()
    assert result.drill is not None
    quiet = replace(result.drill, reached_at="")
    assert drills.proof_text(quiet) == f"of backup {FIRST_FULL.label}, behind which nothing was committed, 4 min 12 s"


def test_two_drills_give_an_estimate_of_a_restore_to_now() -> None:
    result = drilled(count=2)
    assert result.restore_seconds is not None
    seconds = 20 + result.whole_backups[-1].size / 1e8
    assert result.restore_seconds > seconds, "and WAL has to be replayed"
    assert drill_facts(result)[1].startswith("✓ restore     to now would take about ")
    assert replace(result, repository=None).restore_seconds is None


@pytest.mark.parametrize(
    ("check", "fix"),
    [
        ("wal", "Take a full backup now: pgwizard backup postgresql --type full -n shop"),
        ("rows", "The running database may be damaged as well: pg_amcheck names the damaged tables and indexes."),
        ("query", "Run the query on the running database too"),
    ],
)
def test_a_failed_drill_is_a_risk_until_one_passes(check: str, fix: str) -> None:
    result = drilled(0.01, check)
    verdict = judge(result)
    [reason] = verdict.reasons
    assert (verdict.state, reason.text, reason.key) == (
        "at risk",
        f"the drill of 2026-11-23 failed: {check}: as it is",
        "status-drill",
    )
    assert reason.fix.startswith(fix)
    assert reason.fix.endswith("hen drill again: pgwizard drill postgresql -n shop")
    assert drill_facts(result)[0] == f"! drill       failed 14 min ago: {check}: as it is"


def test_after_a_newer_full_backup_a_failed_drill_is_only_to_be_repeated() -> None:
    [reason] = judge(drilled(30, "restore")).reasons
    assert reason.fix == "A full backup was taken since: drill again: pgwizard drill postgresql -n shop"


def test_files_that_cannot_be_compared_are_a_risk() -> None:
    unread = replace(FINE, files=None, failures={"backups": failure("awk: command not found")})
    assert state_and_reasons(unread) == ("at risk", ["backups cannot be read: awk: command not found"])


def test_page_checksum_errors_name_the_relation_and_the_pages() -> None:
    pages = (DamagedPages("base/16384/16385", "3, 7-8", "shop"),)
    damaged = replace(CHAIN.backups[-1], error=True)
    result = with_files(**{INCREMENTAL.label: ComparedBackup("5 1 1", pages=pages, page_files=3)})
    result = replace(result, repository=replace(REPOSITORY, backups=(*CHAIN.backups[:-1], damaged)))
    [reason] = judge(result).reasons
    assert reason.text == (
        f"backup {INCREMENTAL.label} has page checksum errors: pages 3, 7-8 of base/16384/16385 of database shop, "
        "and 2 more files"
    )
    assert "In database shop, SELECT pg_filenode_relation(0, 16385) names the table or index." in reason.fix


def test_a_source_that_cannot_be_read_puts_a_release_at_risk() -> None:
    denied = dict.fromkeys(("cronjobs", "jobs", "pods", "volume", "certificate"), failure("forbidden"))
    assert state_and_reasons(replace(FINE, failures=denied)) == (
        "at risk",
        [
            "pods cannot be read: forbidden",
            "cronjobs cannot be read: forbidden",
            "jobs cannot be read: forbidden",
            "volume cannot be read: forbidden",
            "certificate cannot be read: forbidden",
        ],
    )


def test_a_release_without_backups_is_not_recoverable_and_no_backup_is_polled() -> None:
    bare = replace(FINE, release=ReleaseSummary(1, "deployed", NOW, backups=False, superuser=None), repository=None)
    assert state_and_reasons(bare) == ("not recoverable", ["this release makes no backups"])
    assert bare.sources == ("release", "statefulsets", "pods", "persistentvolumeclaims", "cronjobs", "jobs", "volume")


def test_backups_of_another_database_do_not_count() -> None:
    assert FINE.repository is not None
    theirs = replace(FINE, repository=replace(FINE.repository, system_id=ANOTHER), missing_wal=segment(1310))
    verdict = judge(theirs)
    assert (verdict.state, verdict.windows) == ("not recoverable", ())
    [reason] = verdict.reasons
    assert str(reason) == (
        f"the repository holds another database's backups (system-id {ANOTHER}; this database's is {SYSTEM})"
    )
    assert reason.fix.startswith("Choose another repository.path, and apply")
    assert reason.key == "status-foreign"
    assert (
        theirs.backups,
        theirs.intact_backups,
        theirs.wal_bytes_per_day,
        theirs.outage_days,
        theirs.has_newer_wal,
    ) == (
        (),
        (),
        None,
        None,
        False,
    )


def test_the_owner_of_the_backups_is_checked() -> None:
    text = "the owner of the backups in the repository is not known: the database has not reported its system-id"
    assert state_and_reasons(replace(FINE, archiver=None)) == ("unknown", [text])
    assert judge(replace(FINE, archiver=None)).reasons[0].key == "status-whose"
    failing = replace(FINE, archiver=None, failures={"archiver": failure("psql ended with 2")})
    assert state_and_reasons(failing) == ("unknown", [f"{text}: psql ended with 2"])
    assert state_and_reasons(replace(FINE, archiver=None, repository=RepositoryInfo(()))) == (
        "not recoverable",
        ["there is no valid full backup with its WAL"],
    )


WAITING = replace(DONE, name="postgresql-pgbackrest-incr-3", uid="u3", kind="incr", state="running", ended=None)
UNVERIFIED = replace(FAILED, name="postgresql-backup-verify-4", uid="u4", kind="verify", ended=at(0.1))
RISKS: list[tuple[dict[str, Any], str]] = [
    (
        {"archiver": replace(ARCHIVER, failed=3, failed_wal=segment(1304), failed_at=at(seconds=9))},
        "archiving fails: 000000010000000500000018 at 2026-11-23 11:59 UTC",
    ),
    (
        {"archiver": replace(ARCHIVER, waiting=7, waiting_seconds=61, last_at=at(seconds=600))},
        "7 WAL segments waiting to be archived; the last was archived at 2026-11-23 11:50 UTC",
    ),
    (
        {"archiver": replace(ARCHIVER, waiting=7, waiting_seconds=61, last_at=None)},
        "7 WAL segments waiting to be archived; none was yet",
    ),
    (
        {"archiver": replace(ARCHIVER, waiting=5_000, waiting_seconds=300, last_at=at(seconds=3))},
        "5000 WAL segments waiting to be archived; the last was archived at 2026-11-23 11:59 UTC",
    ),
    (
        {"archiver": replace(ARCHIVER, waiting=1, waiting_seconds=61, last_at=at(seconds=600))},
        "1 WAL segment waiting to be archived; the last was archived at 2026-11-23 11:50 UTC",
    ),
    (
        {"missing_wal": segment(1310)},
        f"WAL was dropped: PostgreSQL reports {segment(1310)} as archived, but the archive ends with {segment(1303)}",
    ),
    ({"crons": (INCR,)}, "there is no schedule of full backups"),
    ({"crons": ()}, "there is no schedule of full backups"),
    ({"failures": {"cronjobs": failure("forbidden")}}, "cronjobs cannot be read: forbidden"),
    (
        {"answered_at": {source: seen for source, seen in FINE.answered_at.items() if source != "jobs"}},
        "jobs not read yet",
    ),
    ({"answered_at": {**FINE.answered_at, "volume": at(seconds=241)}}, "volume last read 241 s ago"),
    ({"answered_at": {**FINE.answered_at, "certificate": at(seconds=241)}}, "certificate last read 241 s ago"),
    ({"runs": (DONE, FAILED)}, "the last backup Job failed: postgresql-pgbackrest-incr-2: backoff limit"),
    (
        {"crons": (replace(FULL, schedule="0 2 30 2 *"), INCR)},
        "the schedule postgresql-pgbackrest-full never starts a backup: 0 2 30 2 *",
    ),
    (
        {"runs": (DONE, WAITING), "stalls": {"u3": "cannot be scheduled: 0/3 nodes are available"}},
        "Job postgresql-pgbackrest-incr-3 does not start: cannot be scheduled: 0/3 nodes are available",
    ),
    (
        {"runs": (DONE, replace(WAITING, message="waiting for its pod: exceeded quota", refusal="exceeded quota"))},
        "Job postgresql-pgbackrest-incr-3 does not start: exceeded quota",
    ),
    (
        {"runs": (DONE, UNVERIFIED)},
        "the last verification Job failed: postgresql-backup-verify-4: backoff limit",
    ),
    (
        {"runs": (DONE, replace(UNVERIFIED, name="postgresql-backup-drill-5", kind="drill"))},
        "the last drill Job failed: postgresql-backup-drill-5: backoff limit",
    ),
    ({"crons": (FULL, replace(INCR, suspended=True))}, "the schedule postgresql-pgbackrest-incr is suspended"),
    (
        {"repository": RepositoryInfo((backup("full", 8.4),), wal=Wal(segment(100), segment(1303)))},
        "a backup of postgresql-pgbackrest-full was due on 2026-11-22 02:00 UTC and has not been taken",
    ),
    ({"certificate": MirroredCertificate(NOW + timedelta(days=13), "same")}, "the certificate ends on 2026-12-06"),
    ({"certificate": MirroredCertificate(at(1), "same")}, "the certificate ended on 2026-11-22"),
    (
        {"certificate": MirroredCertificate(NOW + timedelta(days=99), "differs")},
        "the certificate is no longer that of its source",
    ),
    ({"certificate": MirroredCertificate(NOW + timedelta(days=99), "gone")}, "the source of the certificate is gone"),
    ({"volume": Volume(100, 9)}, "only 9% of the volume is free"),
    (
        {"repository": replace(REPOSITORY, backups=(backup("full", 1.4), backup("full", 0.4, stored=2 * GB)))},
        "the volume is full in 1 d 12 h if the database keeps growing by 3.73Gi a day",
    ),
    (
        {"objects": {**FINE.objects, KEPT: Health("failed", "volume claim lost")}},
        "PersistentVolumeClaim shop/postgresql-storage-postgresql-0: volume claim lost",
    ),
]


@pytest.mark.parametrize(("change", "reason"), RISKS, ids=[reason for _, reason in RISKS])
def test_each_risk_puts_a_recoverable_release_at_risk(change: dict[str, Any], reason: str) -> None:
    state, reasons = state_and_reasons(replace(FINE, **change))
    assert state == "at risk"
    assert reason in reasons


VERIFY = replace(FULL, name="postgresql-backup-verify", kind="verify", schedule="0 5 1 * *")
QUIET: list[dict[str, Any]] = [
    {"archiver": replace(ARCHIVER, failed=3, failed_wal=segment(9), failed_at=at(2))},
    {"archiver": replace(ARCHIVER, last_at=at(0.5))},
    {"runs": (FAILED, replace(DONE, started=at(0.1), ended=at(0.1)))},
    {"certificate": MirroredCertificate(NOW + timedelta(days=99), "unread")},
    {"certificate": None},
    {"crons": (replace(FULL, schedule="@every 24h"), INCR)},
    {"crons": (FULL, INCR, VERIFY)},
    {"crons": (FULL, INCR, replace(VERIFY, suspended=True))},
    {"runs": (DONE, replace(UNVERIFIED, state="succeeded"))},
    {"runs": (DONE, UNVERIFIED, replace(UNVERIFIED, uid="u5", state="succeeded", ended=at(0.05)))},
    {"answered_at": {**FINE.answered_at, "certificate": at(seconds=240), "pods": at(99)}},
]


@pytest.mark.parametrize("change", QUIET)
def test_past_and_future_events_are_not_a_risk(change: dict[str, Any]) -> None:
    assert state_and_reasons(replace(FINE, **change)) == ("recoverable", [])


def test_a_release_that_is_gone_is_the_first_reason_and_has_no_other_advice() -> None:
    verdict = judge(LEFT)
    assert (verdict.state, verdict.windows) == ("gone", ())
    assert [(str(reason), reason.fix) for reason in verdict.reasons] == [
        (
            "release shop/postgresql is gone since 2026-11-23 12:00 UTC: neither its record nor its StatefulSet exists",
            "Its repository may still hold backups: 2 when it was read last, the newest of 2026-11-23 02:24 UTC.",
        ),
        ("still there: PersistentVolumeClaim shop/postgresql-storage-postgresql-0", ""),
    ]
    assert LEFT.sources == ("release", "statefulsets", "pods", "persistentvolumeclaims", "cronjobs", "jobs")
    assert LEFT.pending_sources == ()


@pytest.mark.parametrize(
    ("namespace", "certificate_text"),
    [
        ("gone", "; its namespace is gone too"),
        ("ending", "; its namespace is being deleted"),
        ("there", ""),
        ("unread", ""),
    ],
)
def test_the_state_of_the_namespace_is_reported_if_it_can_be_read(namespace: Any, certificate_text: str) -> None:
    gone = replace(LEFT, objects={}, repository=None, missing=Missing(namespace, NOW))
    [reason] = judge(gone).reasons
    assert str(reason).partition("StatefulSet exists")[2] == certificate_text
    assert reason.fix == "Its repository may still hold backups."
    bare = ReleaseSummary(1, "deployed", NOW, backups=False, superuser=None)
    assert judge(replace(gone, release=bare)).reasons[0].fix == ""


def test_a_namespace_that_is_being_deleted_is_the_first_reason_while_the_release_still_runs() -> None:
    assert FINE.release is not None
    first = judge(replace(FINE, release=replace(FINE.release, is_namespace_ending=True)))
    [reason] = first.reasons
    assert (first.state, reason.text) == ("at risk", "namespace shop is being deleted, with everything in it")
    assert reason.fix == (
        "This cannot be undone: the volume is deleted too. What is in the repository stays: install again with another "
        "repository.path."
    )
    without_record = replace(FINE, missing=Missing("ending", NOW))
    assert judge(without_record).reasons[0].key == "namespace-ending"


def test_a_release_whose_statefulset_is_there_or_was_not_looked_for_is_not_gone() -> None:
    there = replace(LEFT, objects={STATEFUL: Health("ready", "1 of 1 pods ready")})
    unseen = replace(
        LEFT, answered_at={source: at_ for source, at_ in FINE.answered_at.items() if source != "statefulsets"}
    )
    assert [judge(snapshot).state for snapshot in (there, unseen)] == ["at risk", "at risk"]
    assert judge(replace(LEFT, missing=None)).state == "at risk"


def test_a_database_with_pods_beside_it_that_are_not_backed_up_is_at_risk() -> None:
    verdict = judge(replace(FINE, objects={**FINE.objects, STATEFUL: Health("failed", "scaled to 3", SCALED_UP)}))
    assert verdict.state == "at risk"
    [reason] = verdict.reasons
    assert (str(reason), reason.fix, reason.key) == (
        "the StatefulSet is scaled to 3: each pod is a database of its own, and only postgresql-0 is backed up",
        (
            "kubectl -n shop scale statefulset postgresql --replicas=1. Delete the HorizontalPodAutoscaler or whatever "
            "else scales it."
        ),
        "status-scaled",
    )


def test_a_database_scaled_to_0_is_the_first_reason_without_false_ones() -> None:
    verdict = judge(DOWN)
    assert (verdict.state, window_of(verdict)) == ("at risk", (at(1.4), at(seconds=38)))
    [reason] = verdict.reasons
    assert (str(reason), reason.fix, reason.key) == (
        "the database is down: its StatefulSet is scaled to 0",
        "kubectl -n shop scale statefulset postgresql --replicas=1, or apply again.",
        "status-down",
    )
    old = replace(
        DOWN, answered_at={**DOWN.answered_at, **dict.fromkeys(("repository", "archiver", "volume"), at(seconds=600))}
    )
    assert state_and_reasons(old) == ("unknown", [str(reason), "the repository was last read 600 s ago"])
    never = replace(DOWN, repository=None, archiver=None, volume=None, answered_at={"statefulsets": NOW, "pods": NOW})
    assert state_and_reasons(never) == ("unknown", [str(reason), "the repository has not been read yet"])
    bare = replace(DOWN, release=ReleaseSummary(1, "deployed", NOW, backups=False, superuser=None))
    assert state_and_reasons(bare) == ("not recoverable", [str(reason), "this release makes no backups"])


def test_a_schedule_that_a_restore_has_suspended_is_not_to_be_resumed() -> None:
    suspended = replace(FINE, crons=(replace(FULL, suspended=True), INCR))
    fixes = {str(reason): reason.fix for reason in judge(suspended).reasons}
    assert fixes["the schedule postgresql-pgbackrest-full is suspended"] == "Resume it: pgwizard status, key s."
    restoring = replace(suspended, release=replace(RELEASE, is_restore_unfinished=True))
    fixes = {str(reason): reason.fix for reason in judge(restoring).reasons}
    assert fixes["the schedule postgresql-pgbackrest-full is suspended"] == (
        "The restore resumes it at its end, unless it was suspended before."
    )


def test_a_database_that_is_down_for_a_restore_is_not_to_be_started() -> None:
    release = replace(RELEASE, is_restore_unfinished=True)
    gone = replace(DOWN, objects={})
    for snapshot in (replace(DOWN, release=release), replace(gone, release=release), replace(FINE, release=release)):
        verdict = judge(snapshot)
        assert verdict.state == "at risk"
        assert [(str(reason), reason.fix, reason.key) for reason in verdict.reasons] == [
            ("a restore has not ended", "pgwizard restore postgresql -n shop resumes it.", "status-restore")
        ]


CRASHES = "container postgresql: CrashLoopBackOff: ended with exit code 1 (Error)"


@pytest.mark.parametrize(
    ("pod", "text", "fix", "key"),
    [
        (
            Health("failed", CRASHES),
            f"is down: {CRASHES}",
            "kubectl -n NAMESPACE logs POD --previous shows its last lines.",
            "crash-loop",
        ),
        (
            Health("progressing", "cannot be scheduled: 0/1 nodes are available: 1 Insufficient memory."),
            "is not ready: cannot be scheduled: 0/1 nodes are available: 1 Insufficient memory.",
            "Lower tuning.memory or resources.memoryRequest, or add a larger node.",
            "node-memory",
        ),
        (
            Health("progressing", "starting: 0 of 1 containers started"),
            "is not ready: starting: 0 of 1 containers started",
            "kubectl -n shop describe pod postgresql-0 has the details.",
            "status-down",
        ),
        (
            None,
            "is down: it has no pod; 0 of 1 pods ready",
            "kubectl -n shop describe statefulset postgresql has the reason.",
            "status-down",
        ),
    ],
    ids=["crashes", "pending", "starts", "no pod"],
)
def test_a_database_that_does_not_run_has_its_pod_s_own_reason(
    pod: Health | None, text: str, fix: str, key: str
) -> None:
    objects = {STATEFUL: Health("progressing", "0 of 1 pods ready"), **({SERVER: pod} if pod else {})}
    verdict = judge(
        replace(FINE, objects=objects, failures={"repository": failure('container not found ("postgresql")')})
    )
    assert [(str(reason), reason.fix, reason.key) for reason in verdict.reasons] == [(f"the database {text}", fix, key)]
    assert verdict.state == "at risk"


def test_a_missing_stanza_is_set_up_again_by_the_hook_job_which_an_apply_without_changes_does_not_create() -> None:
    lost = replace(FINE, repository=RepositoryInfo((), stanza="missing stanza path"))
    [reason] = judge(lost).reasons
    assert str(reason) == "pgBackRest reports: missing stanza path"
    assert reason.fix == (
        "Delete the Job that set it up: kubectl -n shop delete job postgresql-pgbackrest-init --ignore-not-found. "
        "Apply again: it creates what is missing."
    )


def test_a_missing_stanza_is_not_promised_by_a_job_whose_pod_the_cluster_refuses() -> None:
    why = (
        "the cluster refuses the pod: FailedCreate: ValidatingAdmissionPolicy 'team-label' with binding 'team-label' "
        "denied request: every pod needs the label team"
    )
    waits = replace(FIRST, message=f"waiting for its pod: {why}", refusal=why)
    lost = replace(FINE, repository=RepositoryInfo((), stanza="missing stanza path"), runs=(waits,))
    [reason] = judge(lost).reasons
    assert str(reason) == (
        f"pgBackRest reports: missing stanza path: Job postgresql-pgbackrest-init does not start: {why}"
    )
    assert (reason.fix[:15], reason.key) == ("Meet the policy", "admission-policy")
    assert judge(replace(lost, runs=(FIRST,))).reasons[0].fix == (
        "Job postgresql-pgbackrest-init is running: it may fix that."
    )
    unscheduled = replace(lost, runs=(FIRST,), stalls={FIRST.uid: "cannot be scheduled: 0/3 nodes are available"})
    [reason] = judge(unscheduled).reasons
    assert reason.fix == "kubectl -n shop describe job postgresql-pgbackrest-init has the details."


def test_a_job_without_a_pod_is_not_promised_either_once_the_event_of_the_refusal_has_expired() -> None:
    waits = replace(FIRST, message="waiting for its pod", started=FINE.at - timedelta(minutes=70))
    lost = replace(FINE, repository=RepositoryInfo((), stanza="missing stanza path"), runs=(waits,))
    [reason] = judge(lost).reasons
    assert str(reason) == (
        "pgBackRest reports: missing stanza path: Job postgresql-pgbackrest-init does not start: it has had no pod for "
        "1 h 10 min"
    )
    assert reason.fix == "kubectl -n shop describe job postgresql-pgbackrest-init has the details."
    new = replace(waits, started=FINE.at - timedelta(seconds=5))
    assert "may fix that" in judge(replace(lost, runs=(new,))).reasons[0].fix
    tried = replace(waits, message="waiting for its pod, 1 try failed")
    assert "may fix that" in judge(replace(lost, runs=(tried,))).reasons[0].fix


def test_a_first_backup_that_cannot_start_is_not_taking_one() -> None:
    waits = replace(FIRST, refusal="exceeded quota")
    reasons = judge(replace(FINE, repository=RepositoryInfo(()), runs=(waits,))).reasons
    assert [str(reason) for reason in reasons] == [
        "there is no valid full backup with its WAL",
        "Job postgresql-pgbackrest-init does not start: exceeded quota",
    ]
    assert reasons[0].fix == "Job postgresql-pgbackrest-init takes one as soon as it starts."


def test_a_missing_stanza_has_the_cause_for_which_the_first_job_failed() -> None:
    log = "P00  ERROR: [032]: 'zst' is not allowed for 'compress-type' option"
    failed = replace(FIRST, state="failed", ended=at(0.1), message="backoff limit", fault=diagnose(log))
    lost = replace(FINE, repository=RepositoryInfo((), stanza="missing stanza path"), runs=(failed,))
    [reason] = judge(lost).reasons
    assert str(reason) == (
        "pgBackRest reports: missing stanza path: Job postgresql-pgbackrest-init failed: This pgBackRest does not take "
        "compress-type: the value is wrong, or does not fit another option."
    )
    assert (reason.fix, reason.key) == (
        "Correct it in advanced.options, or use an image whose pgBackRest knows it. Apply again.",
        "option-invalid",
    )
    remark = diagnose("option 'repo1-retention-full' is not set for 'repo1-retention-full-type=count'")
    for unexplained in (None, remark):
        [reason] = judge(replace(lost, runs=(replace(failed, fault=unexplained),))).reasons
        assert reason.fix.startswith("Delete the Job that set it up"), "nothing says why it failed"


def test_a_missing_statefulset_is_reported_with_what_creates_it() -> None:
    missing = replace(FINE, objects={}, failures={"repository": failure('pods "postgresql-0" not found')})
    [reason] = judge(missing).reasons
    assert (str(reason), reason.fix) == (
        "the database is down: its StatefulSet does not exist",
        "Apply again: it creates what is missing.",
    )
    assert judge(replace(missing, no_statefulset_since=NOW)).reasons[0].fix == "", (
        "an apply or an uninstall is on its way"
    )
    unseen = replace(FINE, objects={}, answered_at={s: t for s, t in FINE.answered_at.items() if s in PACE_SECONDS})
    assert all("down" not in str(reason) for reason in judge(unseen).reasons), "nobody has looked"


def test_an_error_of_the_store_is_reported_though_the_pod_is_not_ready() -> None:
    unready = {STATEFUL: Health("progressing", "0 of 1 pods ready"), SERVER: Health("progressing", "starting")}
    verdict = judge(replace(FINE, objects=unready, failures={"repository": failure(UNKNOWN_KEY)}))
    assert verdict.reasons[1].key == "s3-unknown-key"


def test_the_fault_of_a_job_or_of_the_archiver_is_preferred_where_it_knows_more() -> None:
    refused = replace(
        FINE, failures={"repository": failure("[ProtocolError] HTTP request failed with 403 (Forbidden)")}
    )
    assert judge(refused).reasons[0].key == "s3-forbidden"
    failed = replace(FAILED, fault=diagnose(UNKNOWN_KEY))
    assert judge(replace(refused, runs=(DONE, failed))).reasons[0].key == "s3-unknown-key"
    assert judge(replace(refused, runs=(replace(failed, ended=at(2)),))).reasons[0].key == "s3-forbidden"
    assert judge(replace(refused, runs=(failed, replace(DONE, ended=at(0.1))))).reasons[0].key == "s3-forbidden"
    other = replace(FAILED, fault=diagnose("[111] unable to connect to 'minio:9000': [111] Connection refused"))
    assert judge(replace(refused, runs=(DONE, other))).reasons[0].key == "s3-forbidden", "another matter"
    archiver = replace(ARCHIVER, failed_wal=segment(1304), failed_at=NOW, fault=diagnose(UNKNOWN_KEY))
    assert judge(replace(refused, archiver=archiver)).reasons[0].key == "s3-unknown-key"


def test_failing_archiving_is_reported_though_the_repository_has_not_been_read() -> None:
    failing = replace(ARCHIVER, failed_wal=segment(1304), failed_at=NOW, fault=diagnose(UNKNOWN_KEY))
    unread = replace(FINE, repository=None, archiver=failing)
    assert [reason.key for reason in judge(unread).reasons] == ["", "s3-unknown-key"]
    assert str(judge(unread).reasons[1]).startswith(f"archiving fails: {segment(1304)} at 2026-11-23 12:00 UTC: The S3")
    refused = replace(unread, failures={"repository": failure(UNKNOWN_KEY)})
    assert [reason.key for reason in judge(refused).reasons] == ["s3-unknown-key"], "one cause is shown once"
    down_ = replace(DOWN, repository=None, archiver=failing)
    assert [reason.key for reason in judge(down_).reasons] == ["status-down", ""]


def test_every_cause_that_a_verdict_may_name_has_its_place_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    keys = [row.key for row in ROWS]
    keys += ["status-foreign", "status-whose", "status-down", "status-old", "status-damaged", "wal-dropped"]
    keys += ["status-restore", "status-scaled", "wal-missing", "wal-stranger", "wal-history", "wal-branch"]
    assert [key for key in keys if f'<a id="{key}"></a>' not in text] == []
