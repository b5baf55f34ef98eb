"""Reads archived WAL with pg_waldump: in the database's pod, or in one of its own where the database does not run.

One segment at a time is in the pod, with the one before it, and neither is left there.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Literal

from pgwizard.errors import PreflightError
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import STANZA, Names, ReleaseRef
from pgwizard.quantities import human_size
from pgwizard.restore.pod_command import read_output
from pgwizard.restore.reader import reader_pod
from pgwizard.restore.server import DatabaseServer
from pgwizard.restore.target import RepositoryView, lsn_text
from pgwizard.status.wal import Archive
from pgwizard.text import plain

NAME = "wal-scan"
MOST_SEGMENTS = 1_000
"""So many are searched, at five a second or so."""
SECONDS = 600.0
_BATCH = 16
"""So many are read in one command."""
_MOST_BYTES = 128 * 2**20
"""Of the segments that are in the pod together: /tmp holds twice as much."""
_CROSSING_BYTES = 2**20
"""So far may a record reach into the next segment."""
_COMMAND_SECONDS = 300.0
_MOST_UNARCHIVED = 1_000
_PROBES = 8

ScanKind = Literal["times", "name", "xid", "events", "last"]


@cache
def script() -> str:
    return resources.files("pgwizard.restore").joinpath("scan.sh").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Moments:
    """A stretch of time as pg_waldump writes it, and how many commits of it are printed."""

    since: datetime
    until: datetime
    most: int

    @property
    def words(self) -> tuple[str, ...]:
        moments = [f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}" for at in (self.since, self.until)]
        return (*moments, str(self.most))


@dataclass(frozen=True, slots=True)
class WalScan:
    """pod: where it runs; has_volume: whether that is the database's pod."""

    cluster: Cluster
    release: ReleaseRef
    archive: Archive
    pod: str
    has_volume: bool

    async def records(
        self, kind: ScanKind, value: str, names: Sequence[str], beside: str = "", moments: Moments | None = None
    ) -> list[str]:
        """The lines of the script for segments, in this order. beside: the one that was read before the first.

        Raises PreflightError where nothing can be read.
        """
        lines = [f"+{beside}"] if self._neighbour(names[0], beside) else []
        for name in names:
            lines.append(f"{name} {self._neighbour(name, beside)}".rstrip())
            beside = name
        return await self._run(kind, value, lines, moments)

    async def first_since(self, names: Sequence[str], since: datetime) -> int:
        """The first of some segments of a timeline, in their order, that was archived at a moment or later.

        What was committed since is in none before it.
        """
        low, high = 0, len(names)
        while low < high:
            probes = list(range(low, high, max(1, (high - low) // _PROBES)))
            times = await self._times([names[index] for index in probes])
            for index in probes:
                at = times.get(names[index])  # what is not archived yet is newer than all others
                if at is None or at >= since:
                    high = index
                    break
                low = index + 1
        return low

    async def _times(self, names: Sequence[str]) -> dict[str, datetime]:
        times = {}
        for line in await self._run("times", "", names, None):
            name, _, at = line.partition(" ")
            with contextlib.suppress(ValueError, OverflowError, OSError):
                times[name] = datetime.fromtimestamp(int(at), UTC)
        return times

    def _neighbour(self, name: str, beside: str) -> str:
        """The segment beside, where a record may cross from one to the other, and a position behind that."""
        size = self.archive.segment_bytes
        if not beside or name[:8] != beside[:8] or size * 2 > _MOST_BYTES:
            return ""
        one, other = sorted((self.archive.number(name), self.archive.number(beside)))
        return f"{beside} {lsn_text(other * size + min(_CROSSING_BYTES, size))}" if other == one + 1 else ""

    async def _run(self, kind: ScanKind, value: str, lines: Sequence[str], moments: Moments | None) -> list[str]:
        window = moments.words if moments is not None else ("", "", "0")
        command = ("bash", "-c", script(), NAME, STANZA, kind, value, "volume" if self.has_volume else "", *window)
        text = await read_output(
            self.cluster,
            self.release,
            command,
            seconds=_COMMAND_SECONDS,
            pod=self.pod,
            stdin="".join(f"{line}\n" for line in lines).encode(),
            name="its script",
            purpose="the WAL cannot be searched",
        )
        return text.splitlines()


@contextlib.asynccontextmanager
async def open_scan(cluster: Cluster, release: ReleaseRef, view: RepositoryView) -> AsyncIterator[WalScan]:
    """Where the WAL of a release is read. Raises PreflightError where that is not possible."""
    size = view.archive.segment_bytes
    if size > _MOST_BYTES:
        raise PreflightError(
            f"release {release}: WAL segments of {human_size(size)} are too large to be searched in its pod",
            hint="Restore to a time instead.",
        )
    if not view.silence:
        yield WalScan(cluster, release, view.archive, Names.of(release.name).pod, has_volume=True)
        return
    async with reader_pod(cluster, release) as pod:
        yield WalScan(cluster, release, view.archive, pod, has_volume=False)


async def unarchived_segments(cluster: Cluster, release: ReleaseRef, view: RepositoryView) -> list[str]:
    """The segments that only the volume of a running server has, oldest first; the last one is being written."""
    newest = view.archive.newest(view.timeline)
    if view.silence or newest is None:
        return []
    current = await DatabaseServer(cluster, release, None).segment()
    try:
        end = view.archive.number(current)
    except ValueError:
        raise PreflightError(f"release {release}: psql answered with something else") from None
    if current[:8] != f"{view.timeline:08X}" or end - newest.last > _MOST_UNARCHIVED:
        return []
    return [view.archive.name(view.timeline, number) for number in range(newest.last + 1, end + 1)]


def batches(names: Sequence[str]) -> list[Sequence[str]]:
    """Segments in the same order, as many together as one command reads."""
    return [names[start : start + _BATCH] for start in range(0, len(names), _BATCH)]


def unreadable_of(lines: Sequence[str]) -> tuple[int, str]:
    """How many segments could not be read, and which is the last of them and why."""
    count, why = 0, ""
    for line in lines:
        word, _, rest = line.partition(" ")
        number, _, text = rest.partition(" ")
        if word == "unreadable" and number.isdecimal():
            count, why = count + int(number), plain(text)
    return count, why
