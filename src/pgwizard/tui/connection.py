"""The one connection to a cluster that all screens share. It knows no screen."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgwizard.errors import PgwizardError
    from pgwizard.kube.api import Cluster
    from pgwizard.tui.start import ClusterChoice, Connector
    from pgwizard.wizard.browse import Readable

_LOGIN_LINES = 10


class Connection:
    """Connects in the background. tell: called with the state of the connection, for people, at each change."""

    def __init__(self, connect_by: Connector, tell: Callable[[str], None]) -> None:
        self.cluster: Cluster | None = None
        self.connect_event = asyncio.Event()
        self.trouble: PgwizardError | None = None
        """Why there is no connection, once that is known."""
        self.login_lines: deque[str] = deque(maxlen=_LOGIN_LINES)
        """The last ones that a log-in wrote while connecting, fit to be shown."""
        self.place: ClusterChoice | None = None
        """The cluster that was chosen; None for the one that it began with."""
        self.readable: Readable = set()
        """Where Secrets may be listed, so that permissions are reviewed once."""
        self._connect_by = connect_by
        self._tell = tell
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[None] | None = None
        self._closings: set[asyncio.Task[None]] = set()

    def connect(self, place: ClusterChoice | None = None) -> None:
        """Connect to another place, or (None) to the same one again."""
        if place is not None:
            self.place, self._connect_by = place, place.connect
        self.cluster, self.trouble, self.readable = None, None, set()
        self.connect_event.clear()
        self.login_lines.clear()
        before, stack = self._opening, self._stack
        self._stack = AsyncExitStack()
        self._opening = asyncio.create_task(self._open(self._stack))
        self._close(before, stack)

    async def once_connected(self) -> Cluster:
        """The cluster; waits until there is one."""
        while self.cluster is None:  # another cluster may be chosen before a waiter runs
            await self.connect_event.wait()
        return self.cluster

    def add_login_line(self, line: str) -> None:
        """Show a line of a log-in."""
        self.login_lines.append(line)
        self._tell(f"logging in: {line}")

    @property
    def is_logging_in(self) -> bool:
        """Whether a log-in waits for a person."""
        return bool(self.login_lines) and self.cluster is None and self.trouble is None

    def cancel_login(self) -> None:
        """Stop connecting; the log-in program is ended."""
        from pgwizard.errors import PgwizardError

        self._close(self._opening, self._stack)
        self._opening, self._stack = None, AsyncExitStack()
        self.trouble = PgwizardError("the log-in was cancelled")
        self._tell(f"not connected: {self.trouble.message}")

    async def close(self) -> None:
        """Nothing is left open."""
        self._close(self._opening, self._stack)
        await asyncio.gather(*self._closings, return_exceptions=True)  # no one is left to read an error

    async def _open(self, stack: AsyncExitStack) -> None:
        from pgwizard.errors import PgwizardError, describe_defect
        from pgwizard.text import visible

        self._tell("connecting")
        try:
            cluster = await self._connect_by(stack)
            version = await cluster.version()
        except Exception as defect:  # noqa: BLE001 - whatever it is, screens must not wait for it endlessly
            error = defect
            if not isinstance(error, PgwizardError):
                error = PgwizardError(describe_defect(defect))
            self.trouble = error
            self._tell(visible(f"not connected: {error.message}"))
            return
        self.cluster = cluster
        self.connect_event.set()
        self._tell(visible(f"{cluster.server} · {version}"))

    def _close(self, opening: asyncio.Task[None] | None, stack: AsyncExitStack) -> None:
        """Close in the background, to the end: choosing another cluster must not leave the last one half open."""

        async def close() -> None:
            if opening is not None:
                await asyncio.wait([opening])  # until then it may put more on the stack
            await stack.aclose()

        if opening is not None:
            opening.cancel()
        task = asyncio.create_task(close())
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)
        task.add_done_callback(lambda closing: closing.cancelled() or closing.exception())
