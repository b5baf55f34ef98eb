"""The application: one window, painted before anything slow is loaded.

It owns the connection to the cluster and the themes, and passes both on. It refuses rules.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Static

if TYPE_CHECKING:
    from pgwizard.kubeapi import Cluster

Connect = Callable[[AsyncExitStack], Awaitable["Cluster"]]
Save = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Start:
    """How to begin. connect: opens the cluster, to be closed by the stack; save: writes a new file, or OutputError.

    screen: the module and class to show; raw: answers that were given before, as nested keys of the file. release: the
    name (empty: the only one there is) and the namespace (None: the context's) of the release to look at. now: the
    time, in UTC.
    """

    connect: Connect
    save: Save
    screen: str = "pgwizard.tui.wizard:Wizard"
    demo: bool = False
    raw: dict[str, Any] | None = None
    release: tuple[str, str | None] = ("", None)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Opening(Screen[None]):
    """What is seen until the questions are loaded."""

    def compose(self) -> ComposeResult:
        yield Static("pgwizard", id="opening-title")
        yield Static("loading the questions", id="opening-state")


class WizardApp(App[int]):
    """See the module."""

    CSS_PATH = "pgwizard.tcss"
    TITLE = "pgwizard"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "quit", priority=True)]

    link: reactive[str] = reactive("connecting")
    """What the connection is up to, for people."""

    def __init__(self, start: Start) -> None:
        super().__init__()
        self.start = start
        self.cluster: Cluster | None = None
        self.connected = asyncio.Event()
        self._stack = AsyncExitStack()

    def get_default_screen(self) -> Screen[Any]:
        """Painted first."""
        return Opening()

    def on_mount(self) -> None:
        """The rest comes after the first paint."""
        self.call_after_refresh(self._load)

    def _load(self) -> None:
        self.run_worker(self._open(), name="load the questions", group="load", exit_on_error=False)

    async def _open(self) -> None:
        module, _, name = self.start.screen.partition(":")
        loaded = await asyncio.to_thread(importlib.import_module, module)
        await self.push_screen(getattr(loaded, name)())
        self.connect()

    def connect(self) -> None:
        """Connect, or connect again, in the background."""
        self.run_worker(self._connect(), name="connect", group="connect", exclusive=True, exit_on_error=False)

    async def _connect(self) -> None:
        from pgwizard.errors import PgwizardError

        self.link = "connecting"
        try:
            cluster = await self.start.connect(self._stack)
            version = await cluster.version()
        except PgwizardError as error:
            self.link = f"not connected: {error.message}"
            return
        self.cluster = cluster
        self.link = f"{cluster.server} · {version}"
        self.connected.set()

    async def cluster_once_connected(self) -> Cluster:
        """The cluster; waits until there is one."""
        await self.connected.wait()
        if self.cluster is None:
            raise RuntimeError("connected without a cluster")
        return self.cluster

    async def on_unmount(self) -> None:
        """Nothing is left open."""
        await self._stack.aclose()
