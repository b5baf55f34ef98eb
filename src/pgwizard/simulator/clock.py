"""Owns simulated time. No calendars: seconds since the epoch in, RFC 3339 text out."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime
from typing import Protocol


def stamp(seconds: float) -> str:
    """The API's form of a time: whole seconds, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str) -> float:
    """The reverse of ``stamp``; fractions are accepted."""
    return datetime.fromisoformat(text).timestamp()


class SimulatedClock(Protocol):
    """What the simulation asks of time."""

    def now(self) -> float:
        """Seconds since the epoch."""

    async def sleep(self, seconds: float) -> None:
        """Let simulated time pass."""


class ScaledClock:
    """The wall clock, ``speed`` times as fast."""

    def __init__(self, speed: float = 1, start: float | None = None) -> None:
        self._speed = speed
        self._start = time.time() if start is None else start
        self._origin = time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._start + (time.monotonic() - self._origin) * self._speed

    def run_at(self, speed: float) -> None:
        """Run at another speed from now on; tasks that sleep already wake when they were to."""
        self._start, self._origin, self._speed = self.now(), time.monotonic(), speed

    async def sleep(self, seconds: float) -> None:
        """Wait ``seconds`` of simulated time; at least one turn of the loop."""
        await asyncio.sleep(max(seconds, 0) / self._speed)


class ManualClock:
    """Time that is frozen until ``advance``: nothing in a test waits, and every run has the same order."""

    def __init__(self, start: float = 1_790_000_000) -> None:
        self._now = float(start)
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait for ``advance`` to pass the moment."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let time pass; sleepers wake one after another, each with everything that follows from it done."""
        end = self._now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            if future.done() or future.get_loop() is not asyncio.get_running_loop():
                continue  # its run was abandoned
            self._now = max(self._now, due)
            future.set_result(None)
            await settle()
        self._now = end


async def settle(turns: int = 30) -> None:
    """Run every task that is ready; the longest chain of wake-ups is shorter than ``turns``."""
    for _ in range(turns):
        await asyncio.sleep(0)
