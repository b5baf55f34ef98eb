"""Which backup and which timeline lead to a target, and why none does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgwizard.release.drills import RestoreRates
from pgwizard.restore.report import loss_text
from pgwizard.restore.target import (
    RecoveryTarget,
    RepositoryView,
    RestorePlan,
    TargetKind,
    TargetRefusal,
    choose,
    reachable_spans,
    read_target,
)
from pgwizard.status.repository import Backup
from pgwizard.status.wal import Archive, Fork, History, Reach, RecoveryPath, SegmentRun

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
SEGMENT = 16 * 1024**2
NOW = 40.0
"""Minutes after the beginning."""


def moment(minute: float) -> datetime:
    """Segment N is archived N minutes after the beginning."""
    return BEGIN + timedelta(minutes=minute)


def minute(at: datetime | None) -> float | None:
    return None if at is None else round((at - BEGIN) / timedelta(minutes=1), 2)


@dataclass(frozen=True)
class Left:
    """A timeline that was left for another one: at which segment, .5 is the middle of one, and in which minute."""

    timeline: int
    at: float
    minute: float


def view(
    segments: Mapping[int, str],
    backups: Sequence[Backup],
    *,
    left: Mapping[int, Sequence[Left]] | None = None,
    is_answering: bool = True,
    begun: Mapping[int, float] | None = None,
) -> RepositoryView:
    """segments: such as ``1-4 6-9`` by timeline; left: by timeline, those that it comes from."""
    offsets = begun or {}
    runs = {
        timeline: [
            SegmentRun(timeline, first, last, (last - first + 1) * 1000, moment(last + offsets.get(timeline, 0)))
            for begin, _, end in (part.partition("-") for part in text.split())
            for first, last in [(int(begin), int(end or begin))]
        ]
        for timeline, text in segments.items()
    }
    histories = {
        timeline: History(tuple(Fork(each.timeline, int(each.at * SEGMENT)) for each in path), moment(path[-1].minute))
        for timeline, path in (left or {}).items()
    }
    return RepositoryView(Archive(runs, histories), tuple(backups), max(runs), is_answering)


def backup(start: int, stop: int, timeline: int = 1, *, late: float = 0, kind: str = "full") -> Backup:
    """A full backup from one segment to another; it ends in the middle of the last one."""
    return Backup(
        f"{timeline}-{start}F",
        kind,
        moment(start + late),
        moment(stop + late),
        1_000_000,
        1,
        f"{timeline:08X}00000000{start:08X}",
        f"{timeline:08X}00000000{stop:08X}",
        lsn_stop=int((stop + 0.5) * SEGMENT),
    )


def at(minutes: float, *, is_exclusive: bool = False) -> RecoveryTarget:
    return RecoveryTarget("time", at=moment(minutes), is_exclusive=is_exclusive)


def position(number: int, kind: TargetKind = "lsn", timeline: int = 0) -> RecoveryTarget:
    """The beginning of a segment."""
    return RecoveryTarget(kind, "x", timeline=timeline, lsn=number * SEGMENT)


def chosen(repository: RepositoryView, target: RecoveryTarget, now: float = NOW) -> str:
    """``backup timeline type`` of the plan, or the reason of the refusal with the nearest minutes."""
    plan = choose(repository, target, moment(now))
    if isinstance(plan, TargetRefusal):
        return f"{plan.reason} {minute(plan.before)} {minute(plan.after)}"
    return f"{plan.backup} {plan.timeline} {plan.type}"


WHOLE = view({1: "1-39"}, [backup(3, 4), backup(10, 11)])
HOLE = view({1: "1-6 9-39"}, [backup(3, 4), backup(10, 11)])
ONLY_HOLE = view({1: "1-14 16-39"}, [backup(3, 4), backup(10, 11)])
RESTORED = view({1: "1-20", 2: "8-17"}, [backup(3, 4), backup(14, 15)], left={2: [Left(1, 8.5, 21)]}, begun={2: 14})
"""Timeline 1 was written until minute 20; then the server was restored to the middle of segment 8, and writes 2."""
AGAIN = view(
    {1: "1-20", 2: "8-12", 3: "11-14"},
    [backup(3, 4), backup(9, 9, 2, late=14)],
    left={2: [Left(1, 8.5, 21)], 3: [Left(1, 8.5, 21), Left(2, 11.5, 28)]},
    begun={2: 14, 3: 20},
)
EXPIRED = view({2: "8-17"}, [backup(10, 11, 2, late=14)], left={2: [Left(1, 8.5, 21)]}, begun={2: 14})
"""As RESTORED, once no backup is left that needs timeline 1."""
SECOND = 1 / 60
BY_TIME: list[tuple[str, RepositoryView, float, str]] = [
    ("the newest backup before the moment", WHOLE, 20, "1-10F 1 time"),
    ("an older backup where the newest ends later", WHOLE, 8, "1-3F 1 time"),
    ("the second after a backup's end", WHOLE, 11 + SECOND, "1-10F 1 time"),
    ("the second of a backup's end", WHOLE, 11, "1-3F 1 time"),
    ("until now, since a commit can still be made", WHOLE, 39.9, "1-10F 1 time"),
    ("the future", WHOLE, 41, "future 40.0 None"),
    ("before the first backup", WHOLE, 2, "before-first-backup None 4.02"),
    ("inside the first backup", WHOLE, 3.5, "inside-backup None 4.02"),
    ("in a hole", HOLE, 8, "hole 6.0 11.02"),
    ("behind a hole, before the next backup ends", HOLE, 10.5, "hole 6.0 11.02"),
    ("behind a hole and the next backup", HOLE, 12, "1-10F 1 time"),
    ("before a hole", HOLE, 5, "1-3F 1 time"),
    ("the last moment before a hole", HOLE, 6, "1-3F 1 default"),
    ("behind a hole that no backup follows", ONLY_HOLE, 20, "hole 14.0 None"),
    ("on a branch that was left", RESTORED, 16, "1-14F 1 time"),
    ("on a branch that was left, before its own backup", RESTORED, 12, "1-3F 1 time"),
    ("in the last minute of a branch that was left", RESTORED, 20.5, "1-14F 1 default"),
    ("on the present branch, from a backup before the fork", RESTORED, 25, "1-3F 2 time"),
    ("on the present branch, in the segment before the fork", RESTORED, 7, "1-3F 1 time"),
    ("on the first of three branches", AGAIN, 15, "1-3F 1 time"),
    ("on the second of three branches", AGAIN, 25.5, "2-9F 2 time"),
    ("on the third of three branches", AGAIN, 35, "2-9F 3 time"),
    ("on a branch of which all is expired", EXPIRED, 15, "before-first-backup None 25.02"),
]


@pytest.mark.parametrize(
    ("repository", "target", "expected"), [case[1:] for case in BY_TIME], ids=[x[0] for x in BY_TIME]
)
def test_a_moment_is_reached_from_the_newest_backup_on_the_timeline_that_was_written_then(
    repository: RepositoryView, target: float, expected: str
) -> None:
    assert chosen(repository, at(target)) == expected


def test_a_quiet_stretch_is_refused_only_where_the_server_cannot_commit() -> None:
    quiet = view({1: "1-20"}, [backup(3, 4)])
    assert chosen(quiet, at(30)) == "1-3F 1 time"
    silent = view({1: "1-20"}, [backup(3, 4)], is_answering=False)
    assert chosen(silent, at(30)) == "quiet 20.0 None"
    result = choose(silent, at(30), moment(NOW))
    assert isinstance(result, TargetRefusal)
    assert result.fix == "Restore to latest."
    assert result.text == (
        "nothing was archived on timeline 1 between 2026-11-01 00:20:00 UTC and 2026-11-01 00:30:00 UTC: its newest "
        "state is the same as at that moment, as far as the archive has it"
    )


def test_a_silent_server_that_archived_nothing_after_its_backup_can_be_restored() -> None:
    idle = view({1: "1-4"}, [backup(3, 4)], is_answering=False)
    plan = choose(idle, RecoveryTarget("latest"), moment(NOW))
    assert isinstance(plan, RestorePlan)
    assert (plan.backup, plan.type, plan.lost_since) == (idle.backups[0].label, "default", None)


OTHERS: list[tuple[str, RepositoryView, RecoveryTarget, str]] = [
    ("newest", WHOLE, RecoveryTarget("latest"), "1-10F 1 default"),
    ("newest, the newest backup is on the branch that was left", RESTORED, RecoveryTarget("latest"), "1-3F 2 default"),
    ("newest of the branch that was left", RESTORED, RecoveryTarget("latest", timeline=1), "1-14F 1 default"),
    ("newest behind a hole and a backup", HOLE, RecoveryTarget("latest"), "1-10F 1 default"),
    ("newest behind a hole alone", ONLY_HOLE, RecoveryTarget("latest"), "hole 14.0 None"),
    ("a backup", WHOLE, RecoveryTarget("backup", "1-3F"), "1-3F 1 immediate"),
    ("a backup of the branch that was left", RESTORED, RecoveryTarget("backup", "1-14F"), "1-14F 1 immediate"),
    ("a backup that expired", WHOLE, RecoveryTarget("backup", "1-1F"), "unknown-backup None None"),
    ("a position", WHOLE, position(20), "1-10F 1 lsn"),
    ("a position within the newest backup", WHOLE, position(11), "1-3F 1 lsn"),
    ("a position before the first backup ends", WHOLE, position(4), "before-first-backup None 4.02"),
    ("a position in a hole", HOLE, position(8), "hole 6.0 11.02"),
    ("a position of the future", WHOLE, position(99), "not-archived None None"),
    ("a position on two branches that differ there", RESTORED, position(12), "other-branch 40.0 None"),
    ("a position before two branches part", RESTORED, position(7), "1-3F 2 lsn"),
    ("a position on the branch that was left", RESTORED, position(19), "other-branch None None"),
    ("a point", WHOLE, position(20, "name", 1), "1-10F 1 name"),
    ("a point on the branch that was left", RESTORED, position(19, "name", 1), "1-14F 1 name"),
    ("a transaction before the newest backup", WHOLE, position(9, "xid", 1), "1-3F 1 xid"),
    ("a point that nobody made", WHOLE, RecoveryTarget("name", "x"), "unknown-point None None"),
]


@pytest.mark.parametrize(
    ("repository", "target", "expected"), [case[1:] for case in OTHERS], ids=[x[0] for x in OTHERS]
)
def test_every_other_target_has_its_backup_and_its_timeline(
    repository: RepositoryView, target: RecoveryTarget, expected: str
) -> None:
    assert chosen(repository, target) == expected


def test_the_end_before_a_hole_is_not_the_newest_state() -> None:
    plan = choose(ONLY_HOLE, at(14), moment(NOW))
    assert isinstance(plan, RestorePlan)
    assert (plan.type, plan.is_newest) == ("default", False)
    assert loss_text(plan).startswith("26 min")
    newest = choose(WHOLE, RecoveryTarget("latest"), moment(NOW))
    assert isinstance(newest, RestorePlan)
    assert (newest.is_newest, loss_text(newest)) == (True, "nothing that is archived")


def test_a_backup_that_lacks_files_is_not_restored_from() -> None:
    lacking = dataclasses.replace(WHOLE, damaged_labels=frozenset({"1-10F"}))
    assert (chosen(WHOLE, at(20)), chosen(lacking, at(20))) == ("1-10F 1 time", "1-3F 1 time")


def test_a_backup_that_lacks_files_is_named_as_such() -> None:
    lacking = dataclasses.replace(WHOLE, damaged_labels=frozenset({"1-10F"}))
    refused = choose(lacking, RecoveryTarget("backup", "1-10F"), moment(NOW))
    assert isinstance(refused, TargetRefusal)
    assert (refused.reason, refused.text) == ("damaged-backup", "backup 1-10F has missing or damaged files")


def test_without_a_backup_that_is_whole_nothing_can_be_reached() -> None:
    assert chosen(view({1: "1-20"}, []), RecoveryTarget("latest")) == "no-backup None None"
    alone = backup(3, 4, kind="incr")
    assert chosen(view({1: "1-20"}, [alone]), at(10)) == "no-backup None None"
    both = view({1: "1-20"}, [alone, backup(10, 11)])
    assert chosen(both, RecoveryTarget("backup", "1-3F")) == "damaged-backup None 11.02"


def test_a_plan_names_backup_timeline_and_target_and_what_is_lost() -> None:
    assert choose(WHOLE, at(20.5, is_exclusive=True), moment(NOW)) == RestorePlan(
        target="just before 2026-11-01 00:20:30 UTC",
        backup="1-10F",
        timeline=1,
        type="time",
        value="2026-11-01 00:20:30.000000+00",
        is_exclusive=True,
        must_reach=0,
        left=1,
        lost_since=moment(20.5),
        lost_until=moment(NOW),
        segments=10,
        bytes=1_010_500,
        seconds=22.5,
        at=moment(20.5),
    )


def test_a_plan_takes_as_long_as_the_release_s_own_drills_have_shown() -> None:
    slow = dataclasses.replace(WHOLE, rates=RestoreRates(bytes_per_second=101_050, segments_per_second=0.5))
    plan = choose(slow, at(20.5, is_exclusive=True), moment(NOW))
    assert isinstance(plan, RestorePlan)
    assert plan.seconds == 20 + 10 + 20


def test_a_target_of_this_moment_loses_nothing() -> None:
    moments = {0.0: "nothing that is archived", 0.01: "less than 1 s: all that", 0.02: "1 s: all that was committed"}
    for minutes, words in moments.items():
        plan = choose(WHOLE, at(NOW - minutes), moment(NOW))
        assert isinstance(plan, RestorePlan)
        assert loss_text(plan).startswith(words)


def test_a_plan_becomes_the_options_of_pgbackrest() -> None:
    plans = [choose(WHOLE, target, moment(NOW)) for target in (at(20, is_exclusive=True), RecoveryTarget("latest"))]
    assert [plan.options for plan in plans if isinstance(plan, RestorePlan)] == [
        (
            "--set=1-10F",
            "--target-timeline=1",
            "--type=time",
            "--target-action=promote",
            "--target=2026-11-01 00:20:00.000000+00",
            "--target-exclusive",
        ),
        ("--set=1-10F", "--target-timeline=1", "--type=default"),
    ]


def test_the_newest_state_must_reach_into_the_last_segment_and_a_backup_its_end() -> None:
    newest = choose(WHOLE, RecoveryTarget("latest"), moment(NOW))
    first = choose(WHOLE, RecoveryTarget("backup", "1-3F"), moment(NOW))
    assert isinstance(newest, RestorePlan)
    assert isinstance(first, RestorePlan)
    assert (newest.must_reach, first.must_reach) == (39 * SEGMENT + 1, int(4.5 * SEGMENT))
    assert (newest.lost_since, newest.lost_until) == (None, None)
    assert (first.lost_since, first.segments) == (moment(4), 2)


# ---- what is typed ---------------------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")
TYPED = {
    "2026-11-27 21:00:04+00": "2026-11-27 21:00:04 UTC",
    "2026-11-27T21:00:04Z": "2026-11-27 21:00:04 UTC",
    "2026-11-27 21:00:04.25+0100": "2026-11-27 20:00:04.25 UTC",
    "2026-11-27 21:00:04 +01:00": "2026-11-27 20:00:04 UTC",
    "2026-11-27 21:00:04 UTC": "2026-11-27 21:00:04 UTC",
    "2026-11-27 21:00 Europe/Berlin": "2026-11-27 20:00:00 UTC",
    "latest": "the newest state",
    "backup:20261128-103028F_20261129-020000I": "the end of backup 20261128-103028F_20261129-020000I",
    "name:before migration": "restore point before migration",
    "xid:0745": "the end of transaction 745",
    "lsn:0/9002478": "WAL position 0/9002478",
    "lsn:1a/FF": "WAL position 1A/FF",
}


@pytest.mark.parametrize("typed", TYPED)
def test_a_target_is_read(typed: str) -> None:
    assert str(read_target(typed, BERLIN)) == TYPED[typed]


_UNNAMABLE = ("not-a-target", "Give its position, lsn:X: pgwizard history lists it.")
REFUSED = {
    **dict.fromkeys(("name:\x1b[2J", "name:vor März", "name:it's", "name:a\\b"), _UNNAMABLE),
    "2026-11-27 21:00:04": (
        "no-offset",
        "Give 2026-11-27T21:00:04+01 for local time, or 2026-11-27T21:00:04Z for UTC.",
    ),
    "2026-10-25 02:30": (
        "doubled-hour",
        "Give the one that you mean: 2026-10-25T02:30:00+02 or 2026-10-25T02:30:00+01.",
    ),
    "2026-11-01 01:30 America/New_York": (
        "doubled-hour",
        "Give the one that you mean: 2026-11-01T01:30:00-04 or 2026-11-01T01:30:00-05.",
    ),
    "2026-03-29 02:30 Europe/Berlin": ("skipped-hour", "Give a time with its offset."),
    "2026-11-27 21:00+01 Europe/Berlin": ("not-a-target", "Leave one of the two out."),
    **dict.fromkeys(
        (
            "",
            "yesterday",
            "2026-13-01 00:00Z",
            "backup:",
            "name:",
            "0001-01-01T00:00:00+05:00",
            "9999-12-31T23:59:59-05:00",
            "0001-01-01T00:00:00 Europe/Berlin",
            "0001-01-01T00:00:00",
            "xid:x",
            "xid:-1",
            "lsn:5",
            "now Nowhere/At",
        ),
        (
            "not-a-target",
            "Give latest, a time such as 2026-11-27T21:00:04Z, backup:LABEL, name:POINT, xid:N or lsn:X.",
        ),
    ),
}


@pytest.mark.parametrize("typed", REFUSED)
def test_what_is_no_moment_for_sure_is_refused_with_what_to_type(typed: str) -> None:
    result = read_target(typed, BERLIN)
    assert isinstance(result, TargetRefusal)
    assert (result.reason, result.fix) == REFUSED[typed]
    assert "\x1b" not in result.text


@pytest.mark.parametrize("typed", ["latest", "backup:20261128-103028F", "name:x"])
def test_before_means_nothing_for_some_targets(typed: str) -> None:
    result = read_target(typed, UTC, is_exclusive=True)
    assert isinstance(result, TargetRefusal)
    assert result.text.startswith("--before means nothing for ")


# ---- against the definition ------------------------------------------------------------------------------------------


def reachable(repository: RepositoryView, target: datetime, now: datetime) -> set[tuple[str, int]]:
    """Every backup and timeline from which each segment until a moment is there, by looking at each one."""
    archive = repository.archive
    there = {
        (run.timeline, number)
        for runs in archive.runs.values()
        for run in runs
        for number in range(run.first, run.last + 1)
    }
    born = {timeline: history.archived_at for timeline, history in archive.histories.items()}
    alive = max((each for each in archive.timelines if born.get(each, BEGIN) <= target), default=1)
    usable = set()
    for each in repository.backups:
        own = int(each.wal_start[:8], 16)
        path = [timeline for timeline, _ in archive.path(alive)]
        if own not in path or each.stop + timedelta(seconds=1) > target:
            continue
        forks = {timeline: fork.lsn for timeline, fork in archive.path(alive) if fork is not None}
        if own in forks and each.lsn_stop > forks[own]:
            continue
        newest = max((number for timeline, number in there if timeline == alive), default=0)
        if alive != repository.timeline or target > moment(newest):
            last = newest
        else:
            last = min(newest, -int(-(target - BEGIN) / timedelta(minutes=1) // 1))
        number = archive.number(each.wal_start)
        complete = True
        while number <= max(last, archive.number(each.wal_stop)):
            holder = next(
                timeline
                for timeline in path[path.index(own) :]
                if timeline not in forks or number < forks[timeline] // SEGMENT
            )
            complete = complete and (holder, number) in there
            number += 1
        if complete:
            usable.add((each.label, alive))
    return usable


@st.composite
def repositories(draw: st.DrawFn) -> RepositoryView:
    end = draw(st.integers(8, 30))
    missing = draw(st.sets(st.integers(1, end), max_size=3))
    numbers = [number for number in range(1, end + 1) if number not in missing]
    starts = draw(st.sets(st.integers(1, end - 1), min_size=1, max_size=4))
    backups = [backup(start, start + 1) for start in sorted(starts)]
    return view({1: " ".join(map(str, numbers)) or "1"}, backups)


@settings(max_examples=300, deadline=None)
@given(repositories(), st.floats(1, 40))
def test_a_moment_is_chosen_exactly_where_each_segment_until_then_is_there(
    repository: RepositoryView, target: float
) -> None:
    """On one timeline, whose segments are archived once a minute; a hole ends what is before it at its last segment."""
    plan = choose(repository, at(target), moment(NOW))
    expected = reachable(repository, moment(target), moment(NOW))
    if isinstance(plan, RestorePlan):
        assert (plan.backup, plan.timeline) in expected
        assert plan.backup == max((label for label, _ in expected), key=lambda label: int(label[2:-1]))
    else:
        assert expected == set()
        for near in (plan.before, plan.after):
            assert near is None or isinstance(choose(repository, at(minute_of(near)), moment(NOW)), RestorePlan)


def minute_of(moment_: datetime) -> float:
    return (moment_ - BEGIN) / timedelta(minutes=1)


def test_reachable_moments_are_listed_by_timeline_and_spans_that_overlap_are_one() -> None:
    def spans(repository: RepositoryView) -> list[tuple[int, float | None, float | None, bool]]:
        return [
            (each.timeline, minute(each.since), minute(each.until), each.is_open)
            for each in reachable_spans(repository, moment(NOW))
        ]

    assert spans(WHOLE) == [(1, 4.02, 40.0, True)]
    assert spans(HOLE) == [(1, 4.02, 6.0, False), (1, 11.02, 40.0, True)]


@pytest.mark.parametrize(
    ("taken_by", "image", "expected"),
    [
        ("2.60.0", (2, 45), "newer-backup"),
        ("2.60.0", (2, 60, 0), "1-10F 1 default"),
        ("2.45", (2, 60, 0), "1-10F 1 default"),
        ("2.55.1", (2, 55), "1-10F 1 default"),
        ("2.60.0", None, "1-10F 1 default"),
        ("", (2, 45), "1-10F 1 default"),
        ("2.dev", (2, 45), "1-10F 1 default"),
    ],
)
def test_a_backup_of_a_newer_pgbackrest_than_the_image_s_is_refused(
    taken_by: str, image: tuple[int, ...] | None, expected: str
) -> None:
    backups = tuple(dataclasses.replace(each, version=taken_by) for each in WHOLE.backups)
    repository = dataclasses.replace(WHOLE, backups=backups, image=image)
    plan = choose(repository, RecoveryTarget("latest"), moment(NOW))
    if isinstance(plan, TargetRefusal):
        assert plan.text.startswith(
            "backup 1-10F was taken by pgBackRest 2.60.0, and the image has 2.45, which may not"
        )
        assert plan.fix == "Use an image with pgBackRest 2.60.0 or newer: images.postgresql."
    assert (
        plan.reason if isinstance(plan, TargetRefusal) else chosen(repository, RecoveryTarget("latest"))
    ) == expected


@pytest.mark.parametrize("target", [RecoveryTarget("latest"), at(8), position(6), position(6, "xid", 2)])
def test_a_timeline_above_1_without_its_history_is_refused(target: RecoveryTarget) -> None:
    repository = view({2: "3-9"}, [backup(3, 4, 2)])
    plan = choose(repository, target, moment(NOW))
    assert isinstance(plan, TargetRefusal)
    assert (plan.reason, plan.text) == (
        "no-history",
        "the archive lacks 00000002.history, without which PostgreSQL cannot recover to timeline 2",
    )


@pytest.mark.parametrize(
    "target", [at(16), RecoveryTarget("latest", timeline=2), RecoveryTarget("backup", "2-9F"), position(10, "xid", 2)]
)
def test_a_timeline_that_was_left_is_not_offered_without_its_history(target: RecoveryTarget) -> None:
    archive = AGAIN.archive
    histories = {timeline: each for timeline, each in archive.histories.items() if timeline != 2}
    repository = dataclasses.replace(AGAIN, archive=dataclasses.replace(archive, histories=histories))
    plan = choose(repository, target, moment(NOW))
    assert isinstance(plan, TargetRefusal) or plan.timeline != 2
    assert 2 not in {each.timeline for each in reachable_spans(repository, moment(NOW))}


def test_the_archive_is_walked_once_a_timeline_for_what_can_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[int] = []

    class Counted(RecoveryPath):
        def __init__(self, archive: Archive, timeline: int) -> None:
            walked.append(timeline)
            super().__init__(archive, timeline)

    monkeypatch.setattr("pgwizard.restore.target.RecoveryPath", Counted)
    repository = dataclasses.replace(AGAIN)
    for target in (at(15), at(2), at(30)):
        choose(repository, target, moment(NOW))
        reachable_spans(repository, moment(NOW))
    assert sorted(walked) == [1, 2, 3]


def test_thousands_of_backups_are_looked_at_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On ten timelines, each of which is reached from all backups before it."""
    looked: list[str] = []

    class Counted(RecoveryPath):
        def reach(self, backup: Backup) -> Reach | None:
            looked.append(backup.label)
            return super().reach(backup)

    monkeypatch.setattr("pgwizard.restore.target.RecoveryPath", Counted)
    forks = [Left(each, each * 1000 + 0.5, each * 1000) for each in range(1, 10)]
    repository = view(
        {each: f"{each * 1000 - 1000}-{each * 1000}" for each in range(1, 11)},
        [backup(start, start + 1, 1 + start // 1000) for start in range(2, 9990, 4)],
        left={each: forks[: each - 1] for each in range(2, 11)},
    )
    for target in (RecoveryTarget("latest"), at(5500), at(-5), position(5500), RecoveryTarget("backup", "3-2002F")):
        choose(repository, target, moment(10_000))
    reachable_spans(repository, moment(10_000))
    assert len(looked) < 100
