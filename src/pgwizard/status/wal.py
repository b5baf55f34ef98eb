"""The continuity of the WAL: which backups can be recovered, on which timeline, to which moment, and what ends that.

``continuity`` walks from each backup's first segment along the path of each timeline, as recovery does. Pure; the
archive is a value, whether it is complete or not. ``listing`` reads one.

A segment has a number: its first WAL position divided by the size of a segment. The rules are PostgreSQL's: a history
file lists the timelines that a timeline comes from and where it left each; recovery takes the segment in which it
leaves a timeline from the next one, which begins with a copy of it (src/backend/access/transam/timeline.c, xlog.c).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pgwizard.status.repository import Backup, segment_number

TO_THE_END = "no recovery target specified"
"""What PostgreSQL writes into a history file whose timeline begins where all WAL of the one before ended."""
_LATE = timedelta(minutes=5)
"""So much later than the beginning of the next timeline may the last segment of the one before it be archived."""


@dataclass(frozen=True, slots=True)
class SegmentRun:
    """Segments without a gap. first, last: their numbers; archived_at: when the last one was stored, UTC."""

    timeline: int
    first: int
    last: int
    bytes: int
    archived_at: datetime


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a timeline was left. timeline: the one that was left; lsn: the position; reason: PostgreSQL's own."""

    timeline: int
    lsn: int
    reason: str = ""

    @property
    def moment(self) -> datetime | None:
        """The time of the commit at which it was left, UTC; None where the reason names none."""
        _, _, text = self.reason.partition(" ")
        if not self.reason.startswith(("before ", "after ")):
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        return moment.astimezone(UTC) if moment.tzinfo else None


@dataclass(frozen=True, slots=True)
class History:
    """The timelines that a timeline comes from, oldest first. archived_at: when the file was stored, UTC."""

    forks: tuple[Fork, ...]
    archived_at: datetime


@dataclass(frozen=True, slots=True)
class Archive:
    """What the repository holds of one database's WAL.

    runs: of each timeline, by number; histories: by timeline; doubles: names of segments that are there twice, with
    different contents.
    """

    runs: Mapping[int, Sequence[SegmentRun]]
    histories: Mapping[int, History]
    doubles: tuple[str, ...] = ()
    segment_bytes: int = 16 * 1024**2

    def name(self, timeline: int, number: int) -> str:
        """The file name of a segment: 24 hexadecimal digits."""
        high, low = divmod(number, 2**32 // self.segment_bytes)
        return f"{timeline:08X}{high:08X}{low:08X}"

    def number(self, name: str) -> int:
        """The number of a segment. Raises ValueError for what is no name of one."""
        return segment_number(name, self.segment_bytes)

    @property
    def timelines(self) -> tuple[int, ...]:
        """All timelines of which there is a segment or a history, ascending."""
        return tuple(sorted({*self.runs, *self.histories}))

    def newest(self, timeline: int) -> SegmentRun | None:
        """The last run of a timeline."""
        runs = self.runs.get(timeline)
        return runs[-1] if runs else None

    def is_behind(self, name: str) -> bool:
        """Whether a segment would come after all that are there of its timeline: it may be newer than the listing."""
        try:
            newest = self.newest(int(name[:8], 16))
            return newest is not None and self.number(name) > newest.last
        except ValueError:
            return False

    def run_at(self, timeline: int, number: int) -> SegmentRun | None:
        """The run that holds a segment; None where that is missing."""
        runs = self.runs.get(timeline, ())
        place = bisect_right(runs, number, key=lambda run: run.first)
        run = runs[place - 1] if place else None
        return run if run is not None and number <= run.last else None

    def without(self, names: Collection[str]) -> Archive:
        """The archive without some segments."""
        runs = dict(self.runs)
        for name in names:
            try:
                timeline, number = int(name[:8], 16), self.number(name)
            except ValueError:
                continue
            if (run := self.run_at(timeline, number)) is None:
                continue
            parts = [replace(run, last=number - 1), replace(run, first=number + 1)]
            parts_left = [part for part in parts if part.first <= part.last]
            runs[timeline] = [part for each in runs[timeline] for part in (parts_left if each is run else [each])]
        return replace(self, runs=runs)

    def path(self, timeline: int) -> tuple[tuple[int, Fork | None], ...]:
        """The timelines that lead to one, each with where it is left; None for the last."""
        history = self.histories.get(timeline)
        forks = history.forks if history else ()
        return (*((fork.timeline, fork) for fork in forks), (timeline, None))


@dataclass(frozen=True, slots=True)
class Hole:
    """WAL that is missing. first: the name of the first segment; count: how many until the next that is there."""

    first: str
    count: int


@dataclass(frozen=True, slots=True)
class Reach:
    """How far recovery gets from one backup towards one timeline.

    last: the last segment that is there, None where not even the backup's own are; until: a moment, at the earliest the
    backup's end, up to which recovery gets at least; hole: what ends it, None where the archive does.
    """

    backup: Backup
    last: str | None
    until: datetime
    hole: Hole | None

    @property
    def is_usable(self) -> bool:
        """Whether the backup can be recovered at all."""
        return self.last is not None


@dataclass(frozen=True, slots=True)
class RecoveryWindow:
    """Moments that can be recovered, on one timeline, all of them. Times are UTC.

    base: the label of the backup that the earliest one is recovered from; last: the last segment; hole: what ends it,
    None where the archive does.
    """

    timeline: int
    base: str
    since: datetime
    until: datetime
    last: str
    hole: Hole | None = None


@dataclass(frozen=True, slots=True)
class Continuity:
    """Which backups of an archive can be recovered, and to when.

    timeline: the server's own; windows: on it, oldest first; branches: windows on timelines that the server has left,
    each from where it parts from the server's path, as far as that moment is known; reaches: of each backup on the
    server's timeline, oldest first; elsewhere: backups that are not on its path, by the timeline on which each can be
    used; strangers: timelines on which another server archives; is_connected: whether a history file says where the
    server's timeline comes from.
    """

    timeline: int
    windows: tuple[RecoveryWindow, ...]
    branches: tuple[RecoveryWindow, ...]
    reaches: tuple[Reach, ...]
    elsewhere: Mapping[str, int]
    strangers: tuple[int, ...]
    is_connected: bool

    @property
    def has_hole(self) -> bool:
        """Whether WAL is missing that a backup on the path needs, or that follows a backup."""
        return any(reach.hole for reach in self.reaches)

    @property
    def worthless(self) -> tuple[Reach, ...]:
        """Backups on the path that lack their own WAL."""
        return tuple(reach for reach in self.reaches if not reach.is_usable)


def continuity(archive: Archive, backups: Sequence[Backup], timeline: int | None = None) -> Continuity:
    """Which backups can be recovered, and to when.

    backups: oldest first, those only that are intact and whose prior ones are there. timeline: the server's own; None
    where that is not known: the newest is taken, and nobody is taken for another server.
    """
    timelines = archive.timelines
    live = timeline or max(timelines, default=1)
    own = reaches(archive, backups, live)
    own_labels = {reach.backup.label for reach in own}
    elsewhere, branches = dict[str, int](), list[RecoveryWindow]()
    foreign = strangers(archive, live) if timeline is not None else ()
    for other in reversed([each for each in timelines if each != live and each not in foreign]):
        usable = [reach for reach in reaches(archive, backups, other) if reach.is_usable]
        for reach in usable:
            if reach.backup.label not in own_labels:
                elsewhere.setdefault(reach.backup.label, other)
        if _goes_beyond(archive, live, other):
            beyond = [window for window in _windows(other, usable) if window.last[:8] == f"{other:08X}"]
            parting = _parting(archive, live, other)
            branches += [_since(window, parting) if parting else window for window in beyond]
    is_connected = live == 1 or live in archive.histories
    windows = _windows(live, [reach for reach in own if reach.is_usable])
    return Continuity(live, tuple(windows), tuple(branches), own, elsewhere, foreign, is_connected=is_connected)


def reaches(archive: Archive, backups: Sequence[Backup], timeline: int) -> tuple[Reach, ...]:
    """How far recovery gets towards a timeline from each backup that is on its path, in their order."""
    path = RecoveryPath(archive, timeline)
    return tuple(reach for backup in backups if (reach := path.reach(backup)))


def strangers(archive: Archive, live: int) -> tuple[int, ...]:
    """Timelines on which another server archives: above the server's own, without a history, or after it was left."""
    return tuple(_strangers(archive, live))


class RecoveryPath:
    """The path of a recovery to one timeline. Backups in the same run of segments share the rest of it."""

    def __init__(self, archive: Archive, timeline: int) -> None:
        self._archive = archive
        self._legs = archive.path(timeline)
        self._places = {each: place for place, (each, _) in reversed([*enumerate(self._legs)])}
        self._ends: dict[tuple[int, int], _End] = {}

    def reach(self, backup: Backup) -> Reach | None:
        """How far recovery gets from a backup; None where the backup is not on the path."""
        archive = self._archive
        try:
            timeline, begin = int(backup.wal_start[:8], 16), archive.number(backup.wal_start)
            stop_timeline, stop = int(backup.wal_stop[:8], 16), archive.number(backup.wal_stop)
        except ValueError:
            return Reach(backup, None, backup.stop, Hole(backup.wal_start, 1))
        leg = self._places.get(timeline)
        if leg is None or stop_timeline != timeline:
            return None
        fork = self._legs[leg][1]
        if fork is not None and (backup.lsn_stop or stop * archive.segment_bytes) > fork.lsn:
            return None
        end = self._end(leg, begin)
        if end.number <= stop:
            hole = end.hole or Hole(archive.name(self._legs[-1][0], end.number), 1)
            return Reach(backup, None, backup.stop, hole)
        return Reach(backup, end.last, max(backup.stop, end.until or backup.stop), end.hole)

    def beginning(self, backup: Backup) -> int:
        """The first segment, by number, from which recovery comes to the same end as from a backup on the path."""
        number = self._archive.number(backup.wal_start)
        run = self._archive.run_at(int(backup.wal_start[:8], 16), number)
        return run.first if run is not None else number

    def _end(self, leg: int, number: int) -> _End:
        """Where recovery ends that begins with a segment."""
        timeline, fork = self._legs[leg]
        run = self._archive.run_at(timeline, number)
        if run is None or number > _end(self._archive, timeline, fork):
            return self._walk(leg, number)
        if (leg, run.first) not in self._ends:
            self._ends[leg, run.first] = self._walk(leg, number)
        return self._ends[leg, run.first]

    def _walk(self, leg: int, number: int) -> _End:
        archive, last, until = self._archive, None, None
        for timeline, fork in self._legs[leg:]:
            end = _end(archive, timeline, fork)
            while number <= end:
                run = archive.run_at(timeline, number)
                if run is None:
                    hole = Hole(archive.name(timeline, number), _missing(archive, timeline, number, end))
                    return _End(number, last, until, hole)
                number = min(run.last, end) + 1
                last = archive.name(timeline, number - 1)
                # of a run that goes beyond this path it is not known when its part here was stored
                at = run.archived_at if run.last <= end else fork.moment if fork is not None else None
                until = max(filter(None, (until, at)), default=None)
        return _End(number, last, until, None)


@dataclass(frozen=True, slots=True)
class _End:
    """Where recovery ends: before a segment, by number; last: the one before it, None for none at all."""

    number: int
    last: str | None
    until: datetime | None
    hole: Hole | None


def _end(archive: Archive, timeline: int, fork: Fork | None) -> int:
    """The number of the last segment that recovery takes from a timeline."""
    if fork is not None:
        return fork.lsn // archive.segment_bytes - 1
    newest = archive.newest(timeline)
    return newest.last if newest else -1


def _missing(archive: Archive, timeline: int, number: int, end: int) -> int:
    following = next((run.first for run in archive.runs.get(timeline, ()) if run.first > number), end + 1)
    return min(following, end + 1) - number


def _windows(timeline: int, reaches: Iterable[Reach]) -> list[RecoveryWindow]:
    """The windows of usable backups, oldest first: those that end at one segment share one."""
    windows: dict[str, RecoveryWindow] = {}
    for reach in reaches:
        if reach.last is None:
            continue
        since, until = reach.backup.stop, reach.until
        before = windows.get(reach.last)
        if before is None:
            windows[reach.last] = RecoveryWindow(timeline, reach.backup.label, since, until, reach.last, reach.hole)
        elif since < before.since:
            windows[reach.last] = RecoveryWindow(
                timeline, reach.backup.label, since, before.until, reach.last, reach.hole
            )
    return sorted(windows.values(), key=lambda window: window.since)


def _parting(archive: Archive, live: int, other: int) -> datetime | None:
    """When the paths to two timelines part; None where that is not known."""
    last_fork = None
    for (timeline, fork), (other_timeline, other_fork) in zip(archive.path(live), archive.path(other), strict=False):
        if timeline != other_timeline:
            break
        forks = [each for each in (fork, other_fork) if each is not None]
        last_fork = min(forks, key=lambda each: each.lsn, default=None)
        if len(forks) < 2 or fork != other_fork:
            break
    return last_fork.moment if last_fork else None


def _since(window: RecoveryWindow, moment: datetime) -> RecoveryWindow:
    return replace(window, since=min(max(window.since, moment), window.until))


def _goes_beyond(archive: Archive, live: int, other: int) -> bool:
    """Whether a timeline holds WAL that the path of the server's does not: it was written beyond the fork."""
    newest = archive.newest(other)
    if newest is None:
        return False
    history = archive.histories.get(live)
    fork = next((fork for fork in history.forks if fork.timeline == other), None) if history else None
    if fork is None:
        return True
    segments, offset = divmod(fork.lsn, archive.segment_bytes)
    return newest.last > segments or (newest.last == segments and offset > 0 and not fork.reason.startswith(TO_THE_END))


def _strangers(archive: Archive, live: int) -> Iterator[int]:
    for timeline in archive.timelines:
        newest = archive.newest(timeline)
        if newest is None or timeline == live:
            continue
        if timeline > live or (timeline > 1 and timeline not in archive.histories) or _is_late(archive, live, newest):
            yield timeline


def _is_late(archive: Archive, live: int, newest: SegmentRun) -> bool:
    """Whether a timeline got a segment long after the server's own began: another server still writes it."""
    birth = archive.histories.get(live)
    return birth is not None and newest.archived_at > birth.archived_at + _LATE
