"""Owns container logs that can be followed. Not simulated: rotation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable


class ContainerLog:
    """What one container printed. It outlives the loop in which it is read. message: its /dev/termination-log.

    before: the log of its run before this one.
    """

    def __init__(self, lines: Iterable[str] = (), *, is_over: bool = False, before: ContainerLog | None = None) -> None:
        self.before = before
        self.lines = list(lines)
        self.is_over = is_over
        self.message = ""
        self._readers: list[asyncio.Event] = []

    def write(self, *lines: str) -> None:
        self.lines += lines
        self._wake()

    def end(self) -> None:
        """The container is over: followers stop."""
        self.is_over = True
        self._wake()

    def _wake(self) -> None:
        for reader in self._readers:
            reader.set()

    async def read(self, start: int = 0, *, follow: bool = False) -> AsyncGenerator[str, None]:
        """The lines from ``start`` on; with follow those to come as well."""
        wake = asyncio.Event()
        self._readers.append(wake)
        try:
            while True:
                wake.clear()
                while start < len(self.lines):
                    start += 1
                    yield self.lines[start - 1]
                if not follow or self.is_over:
                    return
                await wake.wait()
        finally:
            self._readers.remove(wake)
