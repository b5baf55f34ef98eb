"""Where a preview stops: right after the last commit that its target includes.

A server that stops just before the next commit, as recovery to a time does, has already replayed what that transaction
did. It holds its locks: a table that the transaction dropped could not be read. Both have the same data.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pgwizard.kube.api import Cluster
from pgwizard.plan.names import ReleaseRef
from pgwizard.restore.target import RepositoryView, RestorePlan, lsn_text
from pgwizard.restore.wal_scan import SECONDS, Moments, WalScan, batches, open_scan, unarchived_segments
from pgwizard.status.repository import read_lsn

_SKEW = timedelta(minutes=1)
"""So far may the clocks of the server and of the store differ."""
_BATCH = 16
_MOST_BATCHES = 16
"""So many are read before the target is used as it is."""
_LAST = re.compile(r"last [0-9A-F]{24} ([0-9A-F]+/[0-9A-F]+) ([0-9-]+ [0-9:.]+)")


async def stop_at_commit(cluster: Cluster, release: ReleaseRef, view: RepositoryView, plan: RestorePlan) -> RestorePlan:
    """The plan with the position of the last commit as its target; as it is where there is none.

    Raises PreflightError where the WAL cannot be read.
    """
    if plan.type != "time" and not (plan.type == "xid" and plan.is_exclusive and plan.position):
        return plan
    names = segments_of(view, plan, await unarchived_segments(cluster, release, view))
    try:
        async with asyncio.timeout(SECONDS), open_scan(cluster, release, view) as scan:
            position = await _last_commit(scan, names, plan)
    except TimeoutError:
        return plan
    if position is None:
        return plan
    consistent = next((each.lsn_stop for each in view.backups if each.label == plan.backup), 0)
    # before the next record, whatever it is: it may be the lock of another transaction
    behind = max(position + 1, consistent)
    return replace(plan, type="lsn", value=lsn_text(behind), is_exclusive=True, position=behind)


def segments_of(view: RepositoryView, plan: RestorePlan, fresh: list[str]) -> list[str]:
    """The names of the segments of the plan's timeline behind the backup, oldest first. fresh: not archived yet."""
    archive = view.archive
    begin = next((archive.number(each.wal_stop) for each in view.backups if each.label == plan.backup), 0)
    there = [
        archive.name(plan.timeline, number)
        for run in archive.runs.get(plan.timeline, ())
        for number in range(max(run.first, begin), run.last + 1)
    ]
    return [*there, *(fresh if plan.timeline == view.timeline else ())]


async def _last_commit(scan: WalScan, names: list[str], plan: RestorePlan) -> int | None:
    """Its position; None where it is further back than is searched."""
    at = plan.at or datetime.max.replace(tzinfo=UTC)
    if plan.is_exclusive and plan.at is not None:
        at -= timedelta.resolution
    if plan.type == "time":
        bound, middle = "", await scan.first_since(names, at - _SKEW)
    else:
        bound = lsn_text(plan.position)
        number = plan.position // scan.archive.segment_bytes
        middle = next((index for index, name in enumerate(names) if scan.archive.number(name) >= number), 0)
    moments, position = Moments(at, at, 0), None
    for batch in batches(names[middle:])[:_MOST_BATCHES]:
        lines = await scan.records("last", bound, batch, moments=moments)
        position = position_of(lines) or position
        if "past" in lines:
            break
    for end in range(middle, max(0, middle - _MOST_BATCHES * _BATCH), -_BATCH):
        if position is not None:
            break
        position = position_of(await scan.records("last", bound, names[max(0, end - _BATCH) : end], moments=moments))
    return position


def position_of(lines: list[str]) -> int | None:
    """Where the last commit is, by the lines of the script."""
    matches = [match for match in map(_LAST.match, lines) if match]
    return read_lsn(matches[-1][1]) if matches else None
