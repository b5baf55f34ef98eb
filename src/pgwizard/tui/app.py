"""The application: one window, painted before anything slow is loaded.

It owns the connection to the cluster and the themes, and passes both on. It refuses rules.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual import work
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.events import Event, Key
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Static

from pgwizard.tui.defects import SaysDefects
from pgwizard.tui.keys import Keys

if TYPE_CHECKING:
    from pgwizard.errors import PgwizardError
    from pgwizard.kube.api import Cluster
    from pgwizard.wizard.browse import Readable

Connect = Callable[[AsyncExitStack], Awaitable["Cluster"]]
Save = Callable[[str, str], None]
Export = Callable[[str, dict[str, str]], None]
DEMO = "DEMO: a simulated cluster in this process"
LEAVE_SECONDS = 5.0
WIZARD = "pgwizard.tui.screens.wizard:Wizard"
_IN_PALETTE = frozenset({"quit", "command_palette"})
"""Actions for which Textual has commands of its own."""
_OF_TEXTUAL = frozenset({"Theme", "Quit"})
"""Its commands that are of use here."""


@dataclass(frozen=True, slots=True)
class ClusterChoice:
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


class DraftStore(Protocol):
    """Unsaved answers on disk. Every call is short and blocking."""

    def left(self) -> list[Any]:
        """Each a ``AbandonedDraft``, the newest first."""

    def keep(self, raw: dict[str, Any]) -> bool:
        """Keep this wizard's answers; False where they cannot be kept."""

    def drop(self, left: Any = None) -> None:
        """Forget what another wizard left, or (None) this one's."""

    def close(self) -> None:
        """This wizard has ended: its answers may be offered to the next."""


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
    places: Callable[[], Sequence[ClusterChoice]] = tuple
    export: Export = lambda _folder, _texts: None
    drafts: Callable[[], DraftStore] | None = None
    folder: Path = Path()


class Opening(Screen[None]):
    """What is seen until the questions are loaded."""

    def compose(self) -> ComposeResult:
        yield Static("pgwizard", id="opening-title")
        yield Static("loading the questions", id="opening-state")


class WizardApp(SaysDefects, App[int]):
    """See the module."""

    CSS_PATH = "pgwizard.tcss"
    TITLE = "pgwizard"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "quit", priority=True),
        Binding("ctrl+c", "stop", "stop", show=False, priority=True),
        Binding("f1,question_mark", "explain", "help", key_display="f1"),
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
        self.place: ClusterChoice | None = None
        """The cluster that was chosen; None for the one that it began with."""
        self.readable: Readable = set()
        """Where Secrets may be listed: not asked again at each look through them."""
        self._connect_by = start.connect
        self._keys = Keys(self, super().on_event)
        self._stack = AsyncExitStack()
        self._closings: set[asyncio.Task[None]] = set()
        self._leaving_until = 0.0

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

    def get_key_display(self, binding: Binding) -> str:
        """As it stands on the key."""
        shown = super().get_key_display(binding)
        return "enter" if shown == "⏎" else shown

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: themes, the way out, messages, and every key of the screen by its name."""
        for command in super().get_system_commands(screen):
            if command.title in _OF_TEXTUAL:
                yield command
        yield SystemCommand("messages", "every message, why it is said, and what to do", self.action_messages)
        for title, does, action in getattr(screen, "commands", lambda: ())():
            yield SystemCommand(title, does, partial(self._do, action, screen))
        told: set[str] = set()
        for node, binding, enabled, _ in screen.active_bindings.values():
            if enabled and binding.show and binding.description and binding.action not in _IN_PALETTE | told:
                told.add(binding.action)
                does = binding.tooltip or binding.description
                keys = f"{self.get_key_display(binding)}: {does}"
                yield SystemCommand(binding.description, keys, partial(self._do, binding.action, node))

    @work(group="palette", exit_on_error=False)
    async def _do(self, action: str, node: DOMNode) -> None:
        await self.run_action(action, node)

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

    def connect(self, place: ClusterChoice | None = None) -> None:
        """Connect in the background: to another place, or (None) to the same one again."""
        if place is not None:
            self.place, self._connect_by = place, place.connect
        self.cluster, self.trouble, self.readable = None, None, set()
        self.connected.clear()
        self._connect()

    @work(name="connect", group="connect", exclusive=True, exit_on_error=False)
    async def _connect(self) -> None:
        from pgwizard.errors import PgwizardError
        from pgwizard.text import visible

        self.link = "connecting"
        self._close(self._stack)
        stack = self._stack = AsyncExitStack()
        try:
            cluster = await self._connect_by(stack)
            version = await cluster.version()
        except Exception as defect:  # noqa: BLE001 - whatever it is, nobody may wait for it for ever
            error = defect
            if not isinstance(error, PgwizardError):
                error = PgwizardError(f"a defect of pgwizard itself: {type(defect).__name__}")
            self.trouble = error
            self.link = visible(f"not connected: {error.message}")
            return
        self.cluster = cluster
        self.connected.set()
        self.link = visible(f"{cluster.server} · {version}")

    def _close(self, stack: AsyncExitStack) -> None:
        """In the background, to its end: another choice of a cluster must not leave half of the last one open."""
        task = asyncio.create_task(stack.aclose())
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def cluster_once_connected(self) -> Cluster:
        """The cluster; waits until there is one."""
        while self.cluster is None:  # another one may be chosen before a waiter's turn comes
            await self.connected.wait()
        return self.cluster

    async def on_unmount(self) -> None:
        """Nothing is left open."""
        self._close(self._stack)
        await asyncio.gather(*self._closings, return_exceptions=True)  # nobody is left to be told

    # ---- keys that work everywhere ---------------------------------------------------------------------------------

    def action_explain(self) -> None:
        """What this screen is for, its keys, its marks."""
        from pgwizard.tui.widgets.dialogs import Help

        if not isinstance(self.screen, Help):
            self.push_screen(Help(self.screen))

    def action_stop(self) -> None:
        """Ctrl-C copies what is selected, or stops what runs; otherwise it leaves, at the second press."""
        text = self.screen.get_selected_text()  # by the mouse; an answer is selected as soon as it has the focus
        if text:
            self.copy_to_clipboard(text)
            self.notify("copied", markup=False)
            return
        for screen in reversed(self.screen_stack):
            if (stop := getattr(screen, "action_stop", None)) is not None:
                stop()
                return
        if self._said_twice("ctrl+c again leaves: unsaved answers are kept, and offered at the next start"):
            self.exit(130)

    async def action_quit(self) -> None:
        """Leave; in the middle of an apply at the second press."""
        writing = any(getattr(screen, "writing", False) for screen in self.screen_stack)
        if not writing or self._said_twice(
            "an apply is writing: ctrl+q again leaves it. The cluster goes on; run it again at any time: it resumes"
        ):
            self.exit()

    def _said_twice(self, text: str) -> bool:
        """Whether this was said a moment ago; else it is said."""
        now = time.monotonic()
        if now < self._leaving_until:
            return True
        self._leaving_until = now + LEAVE_SECONDS
        self.notify(text, severity="warning", timeout=LEAVE_SECONDS, markup=False)
        return False

    def action_messages(self, words: str = "") -> None:
        """Every message with its cause and what to do; words: which to begin with."""
        from pgwizard.tui.screens.messages import Messages

        self.push_screen(Messages(words))

    def action_next_theme(self) -> None:
        """Dark, light, high contrast, in turn."""
        from pgwizard.tui.themes import following

        self.theme = following(self.theme)
