"""The application: one window, painted before anything slow is loaded.

It owns the connection to the cluster and the themes, and passes both on. It refuses rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual import work
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Key
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from pgwizard.tui.keys import Keys

if TYPE_CHECKING:
    from pgwizard.errors import PgwizardError
    from pgwizard.kubeapi import Cluster

Connect = Callable[[AsyncExitStack], Awaitable["Cluster"]]
Save = Callable[[str, str], None]
Export = Callable[[str, dict[str, str]], None]
WIZARD = "pgwizard.tui.wizard:Wizard"


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster to choose: a context of the kubeconfig. runs: the program that logs it in; empty for none."""

    name: str
    server: str
    namespace: str
    connect: Connect
    runs: str = ""
    current: bool = False


class LeftDraft(Protocol):
    """Answers that an ended wizard left."""

    @property
    def at(self) -> datetime:
        """When they were last changed, UTC."""

    @property
    def raw(self) -> dict[str, Any]:
        """The answers, as nested keys of the file."""


class Drafts(Protocol):
    """Unsaved answers on disk. Every call is short and blocking."""

    def left(self) -> Any:
        """The newest ``LeftDraft``, or None."""

    def keep(self, raw: dict[str, Any]) -> bool:
        """Keep this wizard's answers; False where they cannot be kept."""

    def drop(self, left: Any = None) -> None:
        """Forget what another wizard left, or (None) this one's."""


@dataclass(frozen=True, slots=True)
class Start:
    """How to begin. connect: opens the cluster, to be closed by the stack; save: writes a new file, or OutputError.

    screen: the module and class to show; raw: answers that were given before, as nested keys of the file. release: the
    name (empty: the only one there is) and the namespace (None: the context's) of the release to look at. now: the
    time, in UTC. places: the clusters to choose from, blocking, or KubeconfigError. export: writes a folder of files,
    or OutputError. drafts: made when first needed; None keeps none. folder: what the names of files are relative to.
    """

    connect: Connect
    save: Save
    screen: str = WIZARD
    demo: bool = False
    raw: dict[str, Any] | None = None
    release: tuple[str, str | None] = ("", None)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    places: Callable[[], Sequence[Place]] = tuple
    export: Export = lambda _folder, _texts: None
    drafts: Callable[[], Drafts] | None = None
    folder: Path = Path()


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
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "quit", priority=True),
        Binding("ctrl+c", "stop", "stop", show=False, priority=True),
        Binding("f1,question_mark", "explain", "help", key_display="?"),
        Binding("ctrl+t", "next_theme", "theme", show=False),
    ]

    link: reactive[str] = reactive("connecting")
    """What the connection is up to, for people."""

    def __init__(self, start: Start) -> None:
        # For NO_COLOR Textual takes greys, unless colours are the terminal's own: then it takes none.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.start = start
        self.cluster: Cluster | None = None
        self.connected = asyncio.Event()
        self.trouble: PgwizardError | None = None
        """Why there is no connection, where that is known."""
        self._connect_by = start.connect
        self._keys = Keys(self, super().on_event)
        self._stack = AsyncExitStack()

    async def on_event(self, event: Event) -> None:
        """Keys in the order in which they were typed."""
        if isinstance(event, Key) and not event.is_forwarded:
            self._keys.press(event)
        else:
            await super().on_event(event)

    def get_default_screen(self) -> Screen[Any]:
        """Painted first."""
        return Opening()

    def on_mount(self) -> None:
        """The rest comes after the first paint."""
        self.call_after_refresh(self._load)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: Textual's own but for its key panel, and every key of the screen by its name."""
        for command in super().get_system_commands(screen):
            if command.title not in ("Keys", "Show keys and help panel"):
                yield command
        for _, binding, enabled, _ in screen.active_bindings.values():
            if enabled and binding.show and binding.description:
                keys = self.get_key_display(binding)
                run = f"{'screen.' if '.' not in binding.action else ''}{binding.action}"
                yield SystemCommand(binding.description, f"as {keys} does", lambda run=run: self._do(run))

    @work(group="palette", exit_on_error=False)
    async def _do(self, action: str) -> None:
        await self.run_action(action)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A defect is said, not swallowed; what is being answered is not lost to it."""
        if event.state is WorkerState.ERROR:
            defect = f"a defect of pgwizard itself: {type(event.worker.error).__name__} in {event.worker.name}"
            self.notify(defect, severity="error", timeout=60, markup=False)

    def _load(self) -> None:
        self._open()

    @work(name="load the questions", group="load", exit_on_error=False)
    async def _open(self) -> None:
        self._add_themes()
        module, _, name = self.start.screen.partition(":")
        loaded = await asyncio.to_thread(importlib.import_module, module)
        await self.push_screen(getattr(loaded, name)())
        gc.freeze()  # what was loaded stays: no collection has to look through it again
        self.connect()

    def _add_themes(self) -> None:
        from pgwizard.tui.themes import THEMES, wanted

        for theme in THEMES:
            self.register_theme(theme)
        self.theme = wanted(dict(os.environ), self.theme)

    # ---- the connection --------------------------------------------------------------------------------------------

    def connect(self, place: Place | None = None) -> None:
        """Connect in the background: to another place, or (None) to the same one again."""
        if place is not None:
            self._connect_by = place.connect
        self.cluster, self.trouble = None, None
        self.connected.clear()
        self._connect()

    @work(name="connect", group="connect", exclusive=True, exit_on_error=False)
    async def _connect(self) -> None:
        from pgwizard.errors import PgwizardError, visible

        self.link = "connecting"
        await self._stack.aclose()
        self._stack = AsyncExitStack()
        try:
            cluster = await self._connect_by(self._stack)
            version = await cluster.version()
        except PgwizardError as error:
            self.trouble = error
            self.link = f"not connected: {error.message}"
            return
        self.cluster = cluster
        self.connected.set()
        self.link = visible(f"{cluster.server} · {version}")

    async def cluster_once_connected(self) -> Cluster:
        """The cluster; waits until there is one."""
        await self.connected.wait()
        if self.cluster is None:
            raise RuntimeError("connected without a cluster")
        return self.cluster

    async def on_unmount(self) -> None:
        """Nothing is left open."""
        with contextlib.suppress(Exception):  # the window is closed: nobody is left to be told
            await self._stack.aclose()

    # ---- keys that work everywhere ---------------------------------------------------------------------------------

    def action_explain(self) -> None:
        """What this screen is for, its keys, its marks."""
        from pgwizard.tui.dialogs import Help

        if not isinstance(self.screen, Help):
            self.push_screen(Help(self.screen))

    def action_stop(self) -> None:
        """Ctrl-C copies what is selected; otherwise it says how to leave, twice in a row it leaves."""
        text = self.screen.get_selected_text()
        if text:
            self.copy_to_clipboard(text)
            self.notify("copied", markup=False)
            return
        stop = getattr(self.screen, "action_stop", None)
        if stop is not None:
            stop()
            return
        self.exit(130)

    def action_next_theme(self) -> None:
        """Dark, light, high contrast, in turn."""
        from pgwizard.tui.themes import following

        self.theme = following(self.theme)
