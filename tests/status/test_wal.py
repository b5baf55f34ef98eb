"""How far recovery gets from a backup through the WAL that is there, on each timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pgwizard.status.repository import Backup
from pgwizard.status.wal import Archive, Fork, History, Hole, SegmentRun, continuity

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
SEGMENT = 16 * 1024**2


def moment(number: float) -> datetime:
    """Segment N is archived N minutes after the beginning."""
    return BEGIN + timedelta(minutes=number)


def archive(
    segments: Mapping[int, str],
    histories: Mapping[int, Sequence[tuple[int, float]]] | None = None,
    reason: str = "",
    restored: float | None = None,
) -> Archive:
    """segments: such as ``1-4 6-9`` by timeline. histories: the timelines that were left and at which segment, where
    .5 is the middle of one. restored: the minute at which each was left, by default when its last segment was archived.
    """
    runs = {
        timeline: [
            SegmentRun(timeline, first, last, last - first + 1, moment(last))
            for begin, _, end in (part.partition("-") for part in text.split())
            for first, last in [(int(begin), int(end or begin))]
        ]
        for timeline, text in segments.items()
    }
    return Archive(
        runs,
        {
            timeline: History(
                tuple(Fork(parent, int(at * SEGMENT), reason) for parent, at in forks),
                moment(restored if restored is not None else _last(runs, forks[-1][0])),
            )
            for timeline, forks in (histories or {}).items()
        },
    )


def _last(runs: Mapping[int, Sequence[SegmentRun]], timeline: int) -> float:
    return runs[timeline][-1].last if runs.get(timeline) else 0


def name(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}00000000{number:08X}"


def backup(start: int, stop: int, timeline: int = 1) -> Backup:
    """A full backup from one segment to another; it ends in the middle of the last one."""
    return Backup(
        f"{timeline}-{start}F",
        "full",
        moment(start),
        moment(stop),
        1,
        1,
        name(start, timeline),
        name(stop, timeline),
        lsn_stop=int((stop + 0.5) * SEGMENT),
    )


def windows(there: Archive, backups: Sequence[Backup], timeline: int | None = None) -> list[str]:
    """Each window as ``timeline: backup since-until``, with ``!N`` for the segment that is missing behind it."""
    result = continuity(there, backups, timeline)
    return [
        f"{window.timeline}: {window.base} {minutes(window.since)}-{minutes(window.until)}"
        + (f" !{int(window.hole.first[8:], 16)}" if window.hole else "")
        for window in (*result.windows, *result.branches)
    ]


def minutes(at: datetime) -> int:
    return round((at - BEGIN) / timedelta(minutes=1))


def test_without_a_gap_every_moment_since_the_first_backup_can_be_recovered() -> None:
    assert windows(archive({1: "1-20"}), [backup(3, 4), backup(10, 11)]) == ["1: 1-3F 4-20"]


def test_a_gap_ends_the_window_and_the_next_backup_begins_another() -> None:
    result = archive({1: "1-6 9-20"})
    assert windows(result, [backup(3, 4), backup(10, 11)]) == ["1: 1-3F 4-6 !7", "1: 1-10F 11-20"]
    assert continuity(result, [backup(3, 4)]).windows[0].hole == Hole(name(7), 2)


def test_a_gap_after_the_newest_backup_ends_the_only_window() -> None:
    assert windows(archive({1: "1-14 16-20"}), [backup(3, 4), backup(10, 11)]) == ["1: 1-3F 4-14 !15"]


def test_a_backup_that_lacks_one_of_its_own_segments_is_not_counted() -> None:
    for gone, text in ((10, "1-9 11-20"), (11, "1-10 12-20")):
        result = continuity(archive({1: text}), [backup(3, 4), backup(10, 11)])
        assert [(reach.backup.label, reach.hole) for reach in result.worthless] == [("1-10F", Hole(name(gone), 1))]
        assert [minutes(window.until) for window in result.windows] == [gone - 1]


def test_a_backup_after_the_end_of_the_archive_is_unusable() -> None:
    result = continuity(archive({1: "1-10"}), [backup(10, 11)])
    assert (result.windows, result.worthless[0].hole) == ((), Hole(name(11), 1))


def test_without_any_wal_every_backup_is_unusable() -> None:
    result = continuity(archive({}), [backup(3, 4)], 1)
    assert (result.windows, result.worthless[0].hole) == ((), Hole(name(3), 1))


def test_recovery_continues_on_the_next_timeline_with_the_segment_in_which_it_was_left() -> None:
    there = archive({1: "1-12", 2: "12-20"}, {2: [(1, 12.5)]}, "no recovery target specified")
    assert windows(there, [backup(3, 4), backup(14, 15, 2)], 2) == ["2: 1-3F 4-20"]


def test_a_timeline_that_ends_between_two_segments_shares_none_with_the_next() -> None:
    assert windows(archive({1: "1-11", 2: "12-20"}, {2: [(1, 12.0)]}), [backup(3, 4)], 2) == ["2: 1-3F 4-20"]


def test_after_a_restore_to_an_older_moment_the_newest_backup_is_usable_only_on_the_abandoned_timeline() -> None:
    there = archive({1: "1-20", 2: "8-24"}, {2: [(1, 8.5)]}, "before 2026-11-01 00:08:30+00")
    result = continuity(there, [backup(3, 4), backup(14, 15)], 2)
    assert windows(there, [backup(3, 4), backup(14, 15)], 2) == ["2: 1-3F 4-24", "1: 1-3F 8-20"]
    assert result.elsewhere == {"1-14F": 1}


def test_a_backup_during_which_the_timeline_was_left_is_not_on_the_path() -> None:
    there = archive({1: "1-20", 2: "8-24"}, {2: [(1, 8.5)]})
    assert [reach.backup.label for reach in continuity(there, [backup(3, 4), backup(7, 9)], 2).reaches] == ["1-3F"]


def test_a_history_that_skips_a_number_is_not_a_gap() -> None:
    there = archive(
        {1: "1-4", 2: "5-7", 3: "8-9", 5: "10-14"},
        {2: [(1, 5.0)], 3: [(1, 5.0), (2, 8.0)], 5: [(1, 5.0), (2, 8.0), (3, 10.0)]},
        "no recovery target specified",
    )
    assert windows(there, [backup(2, 3)], 5) == ["5: 1-2F 3-14"]


def test_segments_above_the_servers_timeline_and_without_a_history_are_another_servers() -> None:
    there = archive({1: "1-10", 2: "10-20", 8: "12-15"}, {2: [(1, 10.5)]}, "no recovery target specified")
    result = continuity(there, [backup(3, 4)], 2)
    assert (result.strangers, windows(there, [backup(3, 4)], 2)) == ((8,), ["2: 1-3F 4-20"])


def test_segments_on_a_timeline_that_the_server_left_long_ago_are_another_servers() -> None:
    there = archive({1: "1-40", 2: "10-20"}, {2: [(1, 10.5)]}, restored=11)
    assert continuity(there, [backup(3, 4)], 2).strangers == (1,)
    assert continuity(there, [backup(3, 4)]).strangers == (), "which server's is not known: none is accused"


def test_a_server_whose_history_is_missing_is_not_connected() -> None:
    result = continuity(archive({1: "1-10", 2: "10-20"}), [backup(3, 4)], 2)
    assert (result.is_connected, result.windows, result.elsewhere) == (False, (), {"1-3F": 1})


def test_a_backup_in_the_segment_of_a_fork_does_not_speak_for_those_before_it() -> None:
    there = archive({1: "1-2"}, {2: [(1, 2.5)]})
    result = continuity(there, [backup(2, 2), backup(1, 1)], 2)
    assert [(reach.backup.label, reach.last) for reach in result.reaches] == [("1-2F", None), ("1-1F", name(1))]


def test_a_timeline_on_which_nothing_was_archived_yet_ends_where_it_begins() -> None:
    for reason, until in (("before 2026-11-01 00:08:00.5+00", 8), ("at restore point x", 4), ("before \x1b[2J", 4)):
        there = archive({1: "1-20"}, {2: [(1, 8.5)]}, reason)
        assert windows(there, [backup(3, 4)], 2)[0] == f"2: 1-3F 4-{until}"


def test_hostile_names_of_segments_make_a_backup_worthless() -> None:
    odd = Backup("x", "full", moment(1), moment(2), 1, 1, "\x1b[2J", "no segment")
    assert continuity(archive({1: "1-20"}), [odd], 1).worthless[0].hole == Hole("\x1b[2J", 1)


# ---- against the definition ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    segments: frozenset[tuple[int, int]]
    forks: Mapping[int, tuple[int, float]]
    backups: tuple[Backup, ...]

    def history(self, timeline: int) -> list[tuple[int, float]]:
        parent = self.forks.get(timeline)
        return [*self.history(parent[0]), parent] if parent else []

    def archive(self) -> Archive:
        texts: dict[int, str] = {}
        for timeline, number in sorted(self.segments):
            texts[timeline] = f"{texts.get(timeline, '')} {number}"
        single = archive(texts, {timeline: self.history(timeline) for timeline in self.forks})
        return Archive({each: merged(runs) for each, runs in single.runs.items()}, single.histories)

    def recovered(self, backup: Backup, timeline: int) -> tuple[int, int] | None:
        """Timeline and number of the last segment that a recovery reads, one segment after another.

        None where the backup is not consistent there, or is not on the path.
        """
        path = [*self.history(timeline), (timeline, float("inf"))]
        own, start = int(backup.wal_start[:8], 16), int(backup.wal_start[8:], 16)
        stop = int(backup.wal_stop[8:], 16)
        place = next((index for index, (each, _) in enumerate(path) if each == own), None)
        if place is None or stop + 0.5 > path[place][1]:
            return None
        number, read = start, None
        while True:
            while number + 1 > path[place][1] and number >= int(path[place][1]):
                place += 1
            if (path[place][0], number) not in self.segments:
                return read if read is not None and number > stop else None
            read = (path[place][0], number)
            number += 1


def merged(runs: Sequence[SegmentRun]) -> list[SegmentRun]:
    items: list[SegmentRun] = []
    for run in runs:
        if items and run.first == items[-1].last + 1:
            items[-1] = SegmentRun(run.timeline, items[-1].first, run.last, 1, run.archived_at)
        else:
            items.append(run)
    return items


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """One server that is restored to older moments, whose archive then loses segments, and its backups."""
    segments, forks = set[tuple[int, int]](), dict[int, tuple[int, float]]()
    backups, ends = list[Backup](), dict[int, int]()
    begin: float = 1
    for timeline in range(1, draw(st.integers(1, 4)) + 1):
        if timeline > 1:
            parent = draw(st.integers(1, timeline - 1))
            low = forks[parent][1] if parent in forks else 1.0
            begin = draw(st.integers(int(low * 2) + 1, int(ends[parent] * 2) + 2)) / 2
            forks[timeline] = (parent, begin)
        ends[timeline] = int(begin) + draw(st.integers(0, 12))
        segments |= {(timeline, number) for number in range(int(begin), ends[timeline] + 1)}
        for _ in range(draw(st.integers(0, 2))):
            start = draw(st.integers(int(begin), ends[timeline]))
            taken = backup(start, min(start + draw(st.integers(0, 2)), ends[timeline]), timeline)
            backups.append(replace(taken, label=f"{len(backups)}F"))
    lost = draw(st.sets(st.sampled_from(sorted(segments)), max_size=4))
    return World(frozenset(segments - lost), forks, tuple(backups))


@given(worlds())
@settings(max_examples=500)
def test_the_walk_agrees_with_a_recovery_segment_by_segment(world: World) -> None:
    for timeline in (1, *world.forks):
        result = continuity(world.archive(), world.backups, timeline)
        reached = {reach.backup: reach.last for reach in result.reaches if reach.last}
        expected = {each: name(last[1], last[0]) for each in world.backups if (last := world.recovered(each, timeline))}
        assert reached == expected
