"""A fleet as rows, the worst release first, and as lines of text. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pgwizard.errors import Finding
from pgwizard.plan.names import ReleaseRef
from pgwizard.status import report
from pgwizard.status.fleet import Fleet
from pgwizard.status.snapshot import Snapshot
from pgwizard.status.verdict import RecoveryState, Verdict, judge
from pgwizard.text import about, fit, plain

TITLES = ("release", "verdict", "window", "newest WAL", "last full", "next run", "worst reason")
_WORST_FIRST: tuple[RecoveryState, ...] = ("not recoverable", "gone", "unknown", "at risk", "recoverable")
_READING = "reading"


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One release. since, until: of its newest window; archived_at: when the newest WAL was; last_full, next_run: of
    its backups; worst: the first reason, None for none. is_loading: whether sources are still being read.
    """

    ref: ReleaseRef
    at: datetime
    state: RecoveryState
    is_loading: bool
    since: datetime | None = None
    until: datetime | None = None
    archived_at: datetime | None = None
    last_full: datetime | None = None
    next_run: datetime | None = None
    worst: Finding | None = None
    windows: int = 0
    manager: str = ""

    @classmethod
    def of(cls, snapshot: Snapshot, verdict: Verdict) -> FleetRow:
        """The row of a release that was read."""
        newest, archiver = verdict.newest, snapshot.archiver
        release = snapshot.release
        moments = (archiver.last_at if archiver else None, newest.until if newest else None)
        archive_times = [each for each in moments if each is not None]  # a crash resets the statistics
        fulls = [backup.stop for backup in snapshot.intact_backups if backup.type == "full"]
        runs = [run for cron in snapshot.crons if cron.is_backup and (run := snapshot.next_run(cron))]
        return cls(
            ref=snapshot.ref,
            at=snapshot.at,
            state=verdict.state,
            is_loading=bool(snapshot.pending_sources),
            since=newest.since if newest else None,
            until=newest.until if newest else None,
            archived_at=max(archive_times, default=None),
            last_full=fulls[-1] if fulls else None,
            next_run=min(runs, default=None),
            worst=verdict.reasons[0] if verdict.reasons else None,
            windows=len(verdict.windows),
            manager=release.manager if release is not None else "",
        )

    @property
    def rank(self) -> tuple[int, ReleaseRef]:
        """The worst first; those that are still read come last."""
        return (len(_WORST_FIRST) if self.is_loading else _WORST_FIRST.index(self.state), self.ref)

    @property
    def cells(self) -> tuple[str, ...]:
        """The row under TITLES."""
        if self.is_loading:
            return (fit(str(self.ref)), f"· {_READING}", "", "", "", "", "")
        return (
            fit(str(self.ref)),
            report.state_text(self.state),
            f"{_ago(self.since, self.at)} to {_ago(self.until, self.at)}" if self.since else "none",
            _ago(self.archived_at, self.at),
            _ago(self.last_full, self.at),
            f"in {about((self.next_run - self.at).total_seconds())}" if self.next_run else "none",
            plain(str(self.worst)) if self.worst else "",
        )


def _ago(moment: datetime | None, now: datetime) -> str:
    return f"−{about(max((now - moment).total_seconds(), 0))}" if moment else "none"


def rows(fleet: Fleet) -> list[FleetRow]:
    """The rows of a fleet, the worst first."""
    return sorted(map(row, [fleet] * len(fleet.releases), fleet.releases), key=lambda each: each.rank)


def row(fleet: Fleet, ref: ReleaseRef) -> FleetRow:
    """The row of a release; that of one that cannot be read has the reason."""
    trouble, snapshot = fleet.troubles.get(ref), fleet.snapshots.get(ref)
    if trouble is not None:
        return FleetRow(ref, fleet.at, "unknown", is_loading=False, worst=trouble)
    if snapshot is None:
        return FleetRow(ref, fleet.at, "unknown", is_loading=True)
    return FleetRow.of(snapshot, judge(snapshot))


def totals(releases: Sequence[FleetRow]) -> str:
    """How many releases are in which state, as text."""
    counts = Counter(_READING if each.is_loading else each.state for each in releases)
    parts = [f"{counts[state]:,} {state}" for state in (*_WORST_FIRST, _READING) if counts[state]]
    return (
        f"{len(releases):,} release{'' if len(releases) == 1 else 's'}: {', '.join(parts)}"
        if releases
        else "no release"
    )


def cost(fleet: Fleet, seconds: float) -> str:
    """What reading the fleet took, as text."""
    parts = [f"{count:,} {verb}" for verb, count in sorted(fleet.requests.items()) if count]
    return f"{sum(fleet.requests.values()):,} requests in {seconds:.1f} s ({', '.join(parts)})"


def worst(releases: Iterable[FleetRow]) -> FleetRow | None:
    """The first row that is not recoverable; None where all are."""
    return next((each for each in releases if each.state != "recoverable"), None)
