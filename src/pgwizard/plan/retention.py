"""Which backups a schedule and a retention keep, and how far back they reach. Pure."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import islice

from pgwizard.plan.cron import CronSchedule


@dataclass(frozen=True, slots=True)
class RetainedBackups:
    """The backups that a repository holds once a schedule has long been followed, oldest first.

    since: from when on the database can be recovered; None where nothing would have been taken yet. whole: whether
    these are all that the retention keeps; else more lies further back than was looked at.
    """

    fulls: tuple[datetime, ...]
    incrementals: tuple[datetime, ...]
    since: datetime | None
    whole: bool


LONGEST = 1_000
"""The most backups of a kind that are computed. A thousand take about 0.2 s."""
YEARS = 10
"""How far back backups are looked for: a full one every fourth year would else lead to before the calendar."""


def retain(
    full: CronSchedule, incremental: CronSchedule, now: datetime, *, keep: int | None, by_days: bool
) -> RetainedBackups:
    """What is kept at ``now``, in its time zone. keep: that many full backups, or days; None keeps everything.

    pgBackRest's rule: by count the last ``keep`` full backups stay; by time the newest that is older than ``keep`` days
    stays as well, so that every moment of those days can be reached. Incremental backups go with their full one.
    """
    # the same moment in two time zones is equal, and its days are not
    return _retain(full, incremental, now, now.tzinfo, keep, by_days)


_COMING = 32
"""How many full backups are compared to find the shortest time between them: a month of daily ones."""


def shortest_reach(
    full: CronSchedule, incremental: CronSchedule, now: datetime, *, keep: int | None, by_days: bool
) -> timedelta | None:
    """How far back one can go at the worst moment from ``now`` on; None where nothing would have been taken yet.

    By count that is right after a full backup, which takes the place of the oldest one. By time it is when a full
    backup reaches the age limit, so that the one before it expires.
    """
    return _shortest_reach(full, incremental, now, now.tzinfo, keep, by_days)


@functools.lru_cache(maxsize=32)
def _shortest_reach(
    full: CronSchedule, incremental: CronSchedule, now: datetime, _zone: tzinfo | None, keep: int | None, by_days: bool
) -> timedelta | None:
    backups = retain(full, incremental, now, keep=keep, by_days=by_days)
    if backups.since is None:
        return None
    spans = [now - backups.since]
    if keep is not None and by_days:
        spans.append(timedelta(days=keep))
    elif keep is not None:
        coming = full.upcoming(now, _COMING)
        times = [*backups.fulls, *coming]
        spans += [at - times[max(place - keep + 1, 0)] for place, at in enumerate(times) if at > now]
    return min(spans)


_MOST_FULLS = 8
"""How many full backups are shown if none ever expires."""


@functools.lru_cache(maxsize=32)
def _retain(
    full: CronSchedule, incremental: CronSchedule, now: datetime, _zone: tzinfo | None, keep: int | None, by_days: bool
) -> RetainedBackups:
    floor = now - timedelta(days=365 * YEARS)
    fulls: list[datetime] = []
    whole = keep is None
    for moment in islice(full.before(now, floor), LONGEST):
        fulls.append(moment)
        if keep is None:
            enough = len(fulls) == _MOST_FULLS
        else:
            enough = (now - moment).days >= keep if by_days else len(fulls) == keep
        if enough:
            whole = True
            break
    if not fulls:
        return RetainedBackups((), (), None, whole=False)
    newer = list(islice(incremental.before(now, fulls[-1]), LONGEST + 1))
    whole = whole and len(newer) <= LONGEST
    return RetainedBackups(tuple(reversed(fulls)), tuple(reversed(newer[:LONGEST])), fulls[-1], whole)
