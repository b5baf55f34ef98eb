"""Where a named restore point or a transaction is in the archived WAL, which neither its name nor its number tells.

pgBackRest does not choose a backup for either: it takes the newest, which may lie behind the target.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pgwizard.errors import PreflightError
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import ReleaseRef
from pgwizard.restore.server import DatabaseServer
from pgwizard.restore.target import RecoveryTarget, RepositoryView, TargetRefusal, lsn_text
from pgwizard.restore.wal_scan import MOST_SEGMENTS, SECONDS, batches, open_scan, unarchived_segments, unreadable_of
from pgwizard.status.repository import read_lsn
from pgwizard.status.walk import whole_backups

_PLACE = re.compile(
    r"(?P<name>[0-9A-F]{24}) .*lsn: (?P<lsn>[0-9A-F]+/[0-9A-F]+), .*desc: "
    r"(?:COMMIT(?:_PREPARED [0-9]+:)? (?P<at>[0-9-]+ [0-9:.]+) UTC|RESTORE_POINT)"
)


def segments(view: RepositoryView) -> list[str]:
    """The names of the segments in which a target can be, newest first: from the first backup to the server's own end.

    A timeline that was left is searched too, as far as it goes.
    """
    archive = view.archive
    firsts = [backup.wal_start for backup in whole_backups(view.backups)]
    begin = min((archive.number(first) for first in firsts), default=0)
    return [
        archive.name(timeline, number)
        for timeline in reversed(archive.timelines)
        for run in reversed(archive.runs.get(timeline, ()))
        for number in range(run.last, max(run.first, begin) - 1, -1)
    ]


def needs_lookup(view: RepositoryView, target: RecoveryTarget) -> bool:
    """Whether only the WAL or the server tells where a target is. A server's WAL is longer than its archive."""
    if target.kind == "lsn" and not target.timeline and not view.silence:
        newest = view.archive.newest(view.timeline)
        return newest is not None and target.lsn // view.archive.segment_bytes > newest.last
    return target.kind in ("name", "xid") and not target.lsn


async def locate(
    cluster: Cluster, release: ReleaseRef, view: RepositoryView, target: RecoveryTarget
) -> RecoveryTarget | TargetRefusal:
    """The target with its place; as it is where it was not found. A name that is there twice is refused.

    Raises PreflightError where the WAL cannot be read.
    """
    if not needs_lookup(view, target) or not view.whole_backups:
        return target
    if target.kind not in ("name", "xid"):
        position = await DatabaseServer(cluster, release, None).position()
        return replace(target, timeline=view.timeline) if target.lsn < position else target
    names = [*reversed(await unarchived_segments(cluster, release, view)), *segments(view)]
    searched_names, lines, beside = names[:MOST_SEGMENTS], list[str](), ""
    try:
        async with asyncio.timeout(SECONDS), open_scan(cluster, release, view) as scan:
            for batch in batches(searched_names):
                lines += await scan.records(target.kind, target.value, batch, beside)
                beside = batch[-1]
    except TimeoutError:
        raise PreflightError(
            f"release {release}: the WAL cannot be searched: it did not end within {SECONDS:.0f} s",
            hint="Give the time instead.",
        ) from None
    unreadable, why = unreadable_of(lines)
    if searched_names and unreadable >= len(searched_names):
        raise PreflightError(
            f"release {release}: the WAL cannot be searched: none of {unreadable} segments could be read: {why}"
        )
    place = place_target(target, lines)
    if place == target:
        return doubt(target, unreadable, len(searched_names), len(names)) or target
    return place


def place_target(target: RecoveryTarget, lines: Sequence[str]) -> RecoveryTarget | TargetRefusal:
    """The target where the lines of pg_waldump say that it is."""
    places = list(dict.fromkeys(_places(lines)))
    if not places:
        return target
    if len({(timeline, lsn) for timeline, lsn, _ in places}) > 1:
        list_ = " and ".join(f"{lsn_text(lsn)} on timeline {timeline}" for timeline, lsn, _ in places[:5])
        return TargetRefusal(
            "ambiguous-point", f"{target} is in the WAL more than once: {list_}", "Give the one that you mean: lsn:X."
        )
    timeline, lsn, at = places[0]
    return replace(target, timeline=timeline, lsn=lsn, at=at)


def doubt(target: RecoveryTarget, unreadable: int, searched_count: int, there: int) -> TargetRefusal | None:
    """Why a target that was not found may still be in the WAL; None where all of it was searched."""
    if not unreadable and searched_count == there:
        return None
    newest = (
        f"the newest {searched_count:,} of {there:,} segments"
        if searched_count < there
        else f"the {searched_count:,} segments"
    )
    but = f", of which {unreadable:,} could not be read" if unreadable else ""
    return TargetRefusal(
        "unknown-point",
        f"{target} was not found in the archived WAL; searched: {newest}{but}",
        "Check its name or number, or give the time.",
    )


def _places(lines: Sequence[str]) -> Iterator[tuple[int, int, datetime | None]]:
    """Timeline, position and time of each. The segment in which a timeline begins repeats what came before it."""
    places = set[tuple[int, datetime | None]]()
    for match in filter(None, map(_PLACE.match, lines)):
        lsn = read_lsn(match["lsn"])
        at = datetime.fromisoformat(match["at"]).replace(tzinfo=UTC) if match["at"] else None
        timeline = int(match["name"][:8], 16)
        if (lsn, at) not in places:
            places.add((lsn, at))
            yield timeline, lsn, at
