"""Observes all releases of a cluster at once.

``observe`` never ends, ``look`` ends once every release was read. Each release is observed as one alone is, over a
``SharedCluster``: their watches are shared, and what is polled is spread over time. It decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime

from pgwizard.clock import Clock
from pgwizard.errors import Finding, PgwizardError, describe_defect
from pgwizard.kube.api import POD, Cluster
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import records
from pgwizard.release.live import LiveRelease
from pgwizard.release.record import UnreadableRecord
from pgwizard.status import observe as one
from pgwizard.status.shared_cluster import SharedCluster
from pgwizard.status.snapshot import Snapshot

_SLOWEST_PACE = 60.0
"""Each source is polled once a minute: the archiver and the record as well, which one release alone polls often."""
_RELIST_SECONDS = 60.0
"""How often releases are looked for."""
_CALM_SECONDS = 1.0
"""Changes of so long are one picture."""
_LISTS_SEEN_GONE = 2
_LABEL = "app.kubernetes.io/name"


@dataclass(frozen=True, slots=True)
class Fleet:
    """All releases at a moment. snapshots: by release, what was read; troubles: why one cannot be read.

    requests: how many there were so far, by verb. left_out: which namespaces may not be listed; empty for none.
    """

    at: datetime
    snapshots: Mapping[ReleaseRef, Snapshot] = field(default_factory=dict)
    troubles: Mapping[ReleaseRef, Finding] = field(default_factory=dict)
    releases: tuple[ReleaseRef, ...] = ()
    requests: Mapping[str, int] = field(default_factory=dict)
    left_out: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether every release was read, or cannot be."""
        return all(
            ref in self.troubles or (ref in self.snapshots and not self.snapshots[ref].pending_sources)
            for ref in self.releases
        )


class _Spread(one.Again):
    """Polls at a slower pace, and each release at another moment of it."""

    def __init__(self, release: ReleaseRef) -> None:
        super().__init__()
        self._release = release
        self._begun_sources: set[str] = set()

    async def due(self, source: str, seconds: float) -> None:
        pace = max(seconds, _SLOWEST_PACE)
        if source not in self._begun_sources:
            self._begun_sources.add(source)
            share = zlib.crc32(f"{self._release}/{source}".encode()) / 2**32
            pace *= 0.5 + share / 2
        await super().due(source, pace)


async def _releases(cluster: Cluster) -> tuple[list[records.ListedRelease], SharedCluster, str]:
    """The releases, the cluster to observe them by, and which namespaces are left out. Raises ClusterError."""
    there, left_out = await records.readable_releases(cluster)
    shared_cluster = SharedCluster(cluster, {POD: f"{_LABEL}=postgresql"}, is_namespaced=bool(left_out))
    _watch_all_pods(shared_cluster, there)
    return there, shared_cluster, left_out


def _watch_all_pods(shared_cluster: SharedCluster, there: Iterable[records.ListedRelease]) -> None:
    for item in there:
        if isinstance(item, LiveRelease) and not _has_label(item):
            shared_cluster.watch_widely(item.ref.namespace)


def _has_label(release: LiveRelease) -> bool:
    template = release.statefulset["spec"]["template"].get("metadata") or {}
    return bool((template.get("labels") or {}).get(_LABEL) == "postgresql")


async def look(cluster: Cluster, *, now: Clock, timeout_seconds: float = 60) -> Fleet:
    """All releases, once each was read or cannot be. Raises ClusterError where they cannot be listed."""
    there, shared_cluster, left_out = await _releases(cluster)
    shared_cluster.requests["list"] += 2
    snapshots: dict[ReleaseRef, Snapshot] = {}
    troubles = _unreadable(there)

    async def read(release: ReleaseRef) -> None:
        try:
            snapshots[release] = await one.look(
                shared_cluster, release, now=now, timeout_seconds=timeout_seconds, is_one_of_many=True
            )
        except PgwizardError as error:
            troubles[release] = Finding(text=error.message, fix=error.hint)
        except Exception as defect:  # noqa: BLE001 - shown in its line: the other releases are read
            troubles[release] = Finding(text=describe_defect(defect))

    try:
        async with asyncio.TaskGroup() as group:
            for item in there:
                if item.ref not in troubles:
                    group.create_task(read(item.ref))
    finally:
        await shared_cluster.stop()
    at = now()
    as_of_now = {ref: replace(snapshot, at=at) for ref, snapshot in snapshots.items()}
    return Fleet(at, as_of_now, troubles, tuple(item.ref for item in there), dict(shared_cluster.requests), left_out)


def _unreadable(there: Iterable[records.ListedRelease]) -> dict[ReleaseRef, Finding]:
    return {
        item.ref: Finding(text=item.problem, fix=records.UNREADABLE)
        for item in there
        if isinstance(item, UnreadableRecord)
    }


async def observe(cluster: Cluster, *, now: Clock) -> AsyncGenerator[Fleet, None]:
    """A fleet for each second in which something changed, without end. Use ``contextlib.aclosing``.

    Raises ClusterError where the releases cannot be listed at first.
    """
    there, shared_cluster, left_out = await _releases(cluster)
    watch = _FleetWatch(shared_cluster, now)
    await watch.follow(there, left_out)
    try:
        yield watch.fleet()
        while True:
            await watch.change.wait()
            watch.change.clear()
            yield watch.fleet()
            await asyncio.sleep(_CALM_SECONDS)
    finally:
        await watch.stop()


class _FleetWatch:
    """What is known of every release, kept by a task each."""

    def __init__(self, shared_cluster: SharedCluster, now: Clock) -> None:
        self._cluster, self._now = shared_cluster, now
        self._snapshots: dict[ReleaseRef, Snapshot] = {}
        self._troubles: dict[ReleaseRef, Finding] = {}
        self._tasks: dict[ReleaseRef, asyncio.Task[None]] = {}
        self._unreadable: dict[ReleaseRef, Finding] = {}
        self._absent: Counter[ReleaseRef] = Counter()
        self._left_out = ""
        self._relisting = asyncio.create_task(self._relist())
        self.change = asyncio.Event()

    def fleet(self) -> Fleet:
        refs = tuple(sorted({*self._tasks, *self._unreadable}))
        troubles = {**self._troubles, **self._unreadable}
        return Fleet(self._now(), dict(self._snapshots), troubles, refs, dict(self._cluster.requests), self._left_out)

    async def follow(self, there: Iterable[records.ListedRelease], left_out: str) -> None:
        """Observe these releases, and no others. One that is gone stays for two lists: it is seen to be gone."""
        there, self._left_out = list(there), left_out
        _watch_all_pods(self._cluster, there)
        self._unreadable = _unreadable(there)
        present = {item.ref for item in there}
        self._absent = Counter({ref: self._absent[ref] + 1 for ref in set(self._tasks) - present})
        absent = [ref for ref, lists in self._absent.items() if lists > _LISTS_SEEN_GONE]
        await self._end([self._tasks.pop(ref) for ref in absent])
        for ref in absent:
            self._snapshots.pop(ref, None)
            self._troubles.pop(ref, None)
        for ref in present - set(self._tasks) - set(self._unreadable):
            self._tasks[ref] = asyncio.create_task(self._keep(ref))
        self.change.set()

    async def _relist(self) -> None:
        while True:
            await asyncio.sleep(_RELIST_SECONDS)
            with contextlib.suppress(PgwizardError):  # each release itself reports that it cannot be read
                await self.follow(*await records.readable_releases(self._cluster))

    async def _keep(self, release: ReleaseRef) -> None:
        """Observe one release; after an error again a minute later."""
        again = _Spread(release)
        while True:
            try:
                observation = one.observe(self._cluster, release, now=self._now, again=again, is_one_of_many=True)
                async with aclosing(observation) as snapshots:
                    async for snapshot in snapshots:
                        self._snapshots[release] = snapshot
                        self._troubles.pop(release, None)
                        self.change.set()
            except PgwizardError as error:
                self._troubles[release] = Finding(text=error.message, fix=error.hint)
            except Exception as defect:  # noqa: BLE001 - shown in its line: the other releases are observed
                self._troubles[release] = Finding(text=describe_defect(defect))
            self.change.set()
            await asyncio.sleep(_RELIST_SECONDS)

    async def stop(self) -> None:
        await self._end([self._relisting, *self._tasks.values()])
        await self._cluster.stop()

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
