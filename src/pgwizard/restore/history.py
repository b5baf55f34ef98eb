"""What was committed and when, by the WAL: above all the commits that removed tables, each with the target before it.

``read`` finds the segments of a stretch of time and reads no other. The parser is pure.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from pgwizard.errors import PreflightError
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import ReleaseRef
from pgwizard.restore.server import DatabaseServer
from pgwizard.restore.target import RecoveryTarget, RepositoryView, is_point_name, lsn_text, shown_moment
from pgwizard.restore.wal_scan import (
    MOST_SEGMENTS,
    SECONDS,
    Moments,
    WalScan,
    batches,
    open_scan,
    unarchived_segments,
    unreadable_of,
)
from pgwizard.status.repository import read_lsn
from pgwizard.status.wal import Archive, continuity
from pgwizard.status.walk import whole_backups
from pgwizard.text import plain

MOST_COMMITS = 1_000
"""So many are listed, not counting those that removed something."""
_SKEW = timedelta(minutes=1)
"""So far may the clocks of the server and of the store differ."""

WalEventKind = Literal["commit", "removal", "dropped-database", "restore-point"]
_RECORD = re.compile(
    r"(?P<segment>[0-9A-F]{24}) (?P<last>\S+) rmgr: \w+ .*?tx: +(?P<xid>\d+), lsn: (?P<lsn>[0-9A-F]+/[0-9A-F]+), .*?"
    r"desc: (?P<what>COMMIT_PREPARED|COMMIT|RESTORE_POINT|DROP) (?P<rest>.*)"
)
_COMMIT = re.compile(r"(?:(?P<prepared>\d+): )?(?P<at>[0-9-]+ [0-9:.]+) UTC(?P<parts>.*)")


@dataclass(frozen=True, slots=True)
class WalEvent:
    """A commit, a named restore point, or the removal of a database's files.

    at: its time, UTC; where the WAL has none, that of the commit before it, and None if that is not known.
    name: of a restore point; database: of what was removed, its OID, or its name where that is known.
    relations: how many tables, indexes and the like lost their files; is_rewrite: all of them kept their entries in the
    catalog, as after TRUNCATE; is_catalog: whether entries of it changed, by DDL, or by ANALYZE or VACUUM, which
    autovacuum runs too. is_unique: whether no other restore point has its name, or no transaction of another timeline
    its number; is_reachable: whether a backup had ended before it.
    """

    kind: WalEventKind
    at: datetime | None
    timeline: int
    lsn: int
    xid: str = ""
    name: str = ""
    database: str = ""
    relations: int = 0
    is_rewrite: bool = False
    is_catalog: bool = False
    is_unique: bool = True
    is_reachable: bool = True

    @property
    def is_loss(self) -> bool:
        """Whether a restore to just before it brings something back."""
        return self.kind in ("removal", "dropped-database")

    @property
    def position(self) -> str:
        """Where it is in the WAL."""
        return lsn_text(self.lsn)

    @property
    def target(self) -> RecoveryTarget:
        """The state just before it; of a restore point, the state at it."""
        place = RecoveryTarget("name", self.name, at=self.at, timeline=self.timeline, lsn=self.lsn)
        if self.kind == "restore-point":
            is_named = self.is_unique and is_point_name(self.name)
            return place if is_named else replace(place, kind="lsn", value=self.position)
        if self.kind == "dropped-database" or not self.xid:  # its files are gone before its transaction ends
            return replace(place, kind="lsn", value=self.position, is_exclusive=True)
        if not self.is_unique:
            return RecoveryTarget("time", at=self.at, is_exclusive=True)
        return replace(place, kind="xid", value=self.xid, is_exclusive=True)

    @property
    def text(self) -> str:
        """What happened, for people."""
        where = f" in database {plain(self.database)}" if self.database else ""
        count = f"{self.relations} relation" + ("" if self.relations == 1 else "s")
        match self.kind:
            case "removal":
                return f"emptied or rewrote {count}{where}" if self.is_rewrite else f"removed {count}{where}"
            case "dropped-database":
                return f"removed the files of database {plain(self.database)}"
            case "restore-point":
                return f"restore point {plain(self.name)}"
            case _:
                return "commit, catalog changed" if self.is_catalog else "commit"


@dataclass(frozen=True, slots=True)
class ReleaseHistory:
    """What the WAL has of a stretch of time. events: oldest first; commits: all of them; unlisted_commits: how many of
    those are not among the events; segments: how many were read; unreadable: how many could not be, and why: the last
    of them, and why not.

    until: the end of what was read, which is earlier than wanted where that is too much: then is_cut. It is since
    where nothing is known to have been read.
    """

    since: datetime
    until: datetime
    events: tuple[WalEvent, ...]
    commits: int
    unlisted_commits: int
    segments: int
    unreadable: int
    is_cut: bool
    why: str = ""


async def read(
    cluster: Cluster,
    release: ReleaseRef,
    view: RepositoryView,
    since: datetime,
    until: datetime,
    *,
    report: Callable[[str], object],
) -> ReleaseHistory:
    """What was committed between two moments. report: called with the progress, for people.

    Raises PreflightError where the WAL cannot be read.
    """
    fresh = await unarchived_segments(cluster, release, view)
    names = {} if view.silence else await DatabaseServer(cluster, release, None).database_names()
    reading = _HistoryReading(Moments(since, until, MOST_COMMITS), report)
    try:
        async with asyncio.timeout(SECONDS), open_scan(cluster, release, view) as scan:
            for timeline, segments in _segments(view, fresh):
                birth = view.archive.histories.get(timeline)
                if birth is None or birth.archived_at <= until + _SKEW:
                    await reading.timeline(scan, segments)
    except TimeoutError:
        reading.is_cut = True
    unreadable, why = unreadable_of(reading.lines)
    if unreadable and unreadable >= reading.count:
        raise PreflightError(
            f"release {release}: the WAL cannot be read: none of {unreadable} segments could be read: {why}"
        )
    consistent = min((each.lsn_stop for each in whole_backups(view.backups)), default=0)
    forks = [fork.lsn for each in view.archive.histories.values() for fork in each.forks]
    located_events = locate_events(events(reading.lines), names, consistent, min(forks, default=None))
    totals = totals_of(reading.lines)
    end = until
    if reading.is_cut:  # a timeline begins after the last commit of the one before it
        end = min(max(reading.last_commit or since, since), until)
    return ReleaseHistory(
        since,
        end,
        located_events,
        totals["commits"],
        totals["unlisted"],
        reading.count,
        unreadable,
        is_cut=reading.is_cut,
        why=why,
    )


def locate_events(
    there: Sequence[WalEvent], databases: Mapping[str, str], consistent: int, fork: int | None = None
) -> tuple[WalEvent, ...]:
    """Events with what others decide. databases: names by OID; consistent: where the first backup ended in the WAL.

    fork: where the first of the timelines was left, None where there is one alone. What was committed behind it may
    have its number on another timeline too, outside of what was read.
    """
    names = Counter(each.name for each in there if each.name)
    numbers = Counter(each.xid for each in there if each.kind in ("commit", "removal"))

    def is_unique(event: WalEvent) -> bool:
        is_numbered = event.kind in ("commit", "removal")
        is_shared = is_numbered and (numbers[event.xid] > 1 or (fork is not None and event.lsn >= fork))
        return names[event.name] <= 1 and not is_shared

    return tuple(
        replace(
            each,
            database=databases.get(each.database, each.database),
            is_unique=is_unique(each),
            is_reachable=each.lsn >= consistent,
        )
        for each in there
    )


def _segments(view: RepositoryView, fresh: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The segments of each timeline of this server, oldest first, from the first backup on."""
    archive: Archive = view.archive
    strangers = continuity(archive, (), view.timeline).strangers
    begin = min((archive.number(each.wal_start) for each in whole_backups(view.backups)), default=0)
    for timeline in archive.timelines:
        if timeline in strangers or timeline > view.timeline:
            continue
        there = [
            archive.name(timeline, number)
            for run in archive.runs.get(timeline, ())
            for number in range(max(run.first, begin), run.last + 1)
        ]
        yield timeline, [*there, *(fresh if timeline == view.timeline else ())]


@dataclass
class _HistoryReading:
    """What was read so far. newest: the last commit that was seen."""

    moments: Moments
    report: Callable[[str], object]
    count: int = 0
    is_cut: bool = False
    last_commit: datetime | None = None

    def __post_init__(self) -> None:
        self.lines: list[str] = []

    async def timeline(self, scan: WalScan, names: Sequence[str]) -> None:
        first = await scan.first_since(names, self.moments.since - _SKEW)
        beside = names[first - 1] if first else ""
        for batch in batches(names[first:]):
            if self.count + len(batch) > MOST_SEGMENTS:
                self.is_cut = True
                return
            records = await scan.records("events", "", batch, beside, self.moments)
            commits = sum(" desc: COMMIT" in line and "; rels:" not in line for line in records)
            self.moments = replace(self.moments, most=max(0, self.moments.most - commits))
            beside = batch[-1]
            self.lines += records
            self.count += len(batch)
            newest = reached_of(records)
            if newest is not None:
                self.last_commit = newest
                segments = "WAL segment" if self.count == 1 else "WAL segments"
                self.report(f"read {self.count:,} {segments}, to {shown_moment(newest.replace(microsecond=0))}")
                if newest > self.moments.until:
                    return


# ---- the parser ------------------------------------------------------------------------------------------------------


def events(lines: Sequence[str]) -> list[WalEvent]:
    """The events in the lines of the script, oldest first. The segment in which a timeline begins repeats some."""
    counts = dict[tuple[object, ...], WalEvent]()
    for event in filter(None, map(_event, lines)):
        counts.setdefault((event.kind, event.lsn, event.xid, event.at, event.name), event)
    first = datetime.min.replace(tzinfo=UTC)
    return sorted(counts.values(), key=lambda event: (event.at or first, event.timeline, event.lsn))


def _event(line: str) -> WalEvent | None:
    record = _RECORD.match(line)
    if record is None:
        return None
    timeline, lsn, rest = int(record["segment"][:8], 16), read_lsn(record["lsn"]), record["rest"]
    at, xid = _moment(record["last"]), record["xid"].removeprefix("0")
    if record["what"] == "RESTORE_POINT":
        return WalEvent("restore-point", at, timeline, lsn, name=rest)
    if record["what"] == "DROP":
        return WalEvent("dropped-database", at, timeline, lsn, xid, database=rest.rpartition("/")[2])
    commit = _COMMIT.match(rest)
    if commit is None:
        return None
    is_catalog = "; inval msgs:" in commit["parts"]
    event = WalEvent("commit", _moment(commit["at"]), timeline, lsn, commit["prepared"] or xid, is_catalog=is_catalog)
    parts = dict(part.partition(": ")[::2] for part in commit["parts"].split("; ")[1:])
    files = parts.get("rels", "").split()
    if not files:
        return event
    drops = [each for each in parts.get("dropped stats", "").split() if each.startswith("2/")]
    database = files[0].split("/")[-2] if files[0].count("/") > 1 else ""
    return replace(event, kind="removal", database=database, relations=len(files), is_rewrite=not drops)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def reached_of(lines: Sequence[str]) -> datetime | None:
    """The time of the last commit in what the script has read, inside the stretch of time or not."""
    moments = [_moment(line.removeprefix("reached ")) for line in lines if line.startswith("reached ")]
    return moments[-1] if moments else None


def totals_of(lines: Sequence[str]) -> dict[str, int]:
    """The sums of what the script counts."""
    totals = {"commits": 0, "unlisted": 0}
    for line in lines:
        word, _, number = line.partition(" ")
        if word in totals and number.isdecimal():
            totals[word] += int(number)
    return totals
