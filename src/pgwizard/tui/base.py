"""What a screen may know of the application, and the application of a screen: the base of each.

It imports no screen; a screen knows no other one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

from textual.app import App
from textual.dom import DOMNode
from textual.reactive import Reactive, reactive
from textual.screen import Screen
from textual.signal import Signal
from textual.widget import Widget

from pgwizard.plan.names import ReleaseRef
from pgwizard.tui.connection import Connection
from pgwizard.tui.navigation import Applied, Open
from pgwizard.tui.start import Start
from pgwizard.tui.terminal import Signals

T = TypeVar("T")


class BaseApp(App[int]):
    """The application as its screens see it."""

    LOGIN_SECONDS = 300.0
    """How long the instructions of a log-in are shown over a screen."""
    link: reactive[str] = reactive("connecting")
    """The state of the connection, for people."""

    def __init__(self, start: Start, *, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self.start = start
        self.connection = Connection(start.connect, partial(setattr, self, "link"))
        self.applied_signal: Signal[Applied] = Signal(self, "applied")
        self.signals = Signals()
        start.follow_login(self._show_login)

    def _show_login(self, line: str) -> None:
        """Show the instructions of a log-in, while connecting or at a renewal."""
        if self.connection.cluster is None:
            self.connection.add_login_line(line)
        else:
            self.notify(line, title="Log in", timeout=self.LOGIN_SECONDS, markup=False)


class HostAccess:
    """For widgets and screens of the application, beside their own base."""

    @property
    def host(self) -> BaseApp:
        return cast("BaseApp", cast("DOMNode", self).app)

    @property
    def start(self) -> Start:
        return self.host.start

    @property
    def connection(self) -> Connection:
        return self.host.connection

    def open_screen(self, request: Open, on_close: Callable[[Any], object] | None = None) -> None:
        """Ask for another screen. on_close: called with what it ends with, in the asker's own turn."""
        if on_close is not None:
            request.on_close = lambda result: cast("DOMNode", self).call_next(on_close, result)
        self.host.post_message(request)


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the palette. action: of the screen."""

    name: str
    help: str
    action: str


class ScreenPart(HostAccess):
    """What the application asks of its screens; beside a ``Screen`` or a ``ModalScreen``."""

    LEAVING: ClassVar[str] = ""
    """What to know before it is left while it writes."""

    def begin(self) -> None:
        """Called before the screen is shown: start slow work here."""

    def help_text(self) -> str:
        """What the screen is for, for the help."""
        return cast("DOMNode", self).HELP or ""

    def commands(self) -> Iterator[Command]:
        """For the palette, beside the keys."""
        yield from ()

    def stop(self) -> bool:
        """Ctrl+C: stop what runs. False where nothing can be stopped."""
        return False

    @property
    def is_writing(self) -> bool:
        """Whether it writes to the cluster now."""
        return False

    @property
    def leaving(self) -> str:
        """What leaving now would mean, while it writes."""
        return self.LEAVING

    @property
    def keeps_answers(self) -> bool:
        """Whether its unsaved answers are offered at the next start."""
        return False

    @property
    def ending(self) -> list[str]:
        """The result of its writes, in printable text."""
        return []

    @property
    def release(self) -> ReleaseRef | None:
        """The release whose status it shows."""
        return None

    @property
    def has_way_back(self) -> bool:
        """Whether there is another screen behind it; the opening does not count."""
        return cast("Screen[Any]", self) not in self.host.screen_stack[:2]


class BaseScreen(ScreenPart, Screen[T]):
    """A screen of the application."""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """As in Textual, but a change of focus repaints only the two widgets, not the whole screen."""
