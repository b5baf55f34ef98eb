"""The application: one window, painted before anything slow is loaded.

It owns the connection to the cluster and the themes, and passes both on. Contains no rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.driver import Driver
from textual.events import Event, Key, Paste, Print
from textual.screen import Screen
from textual.widgets import Static

from pgwizard.tui.base import BaseApp, ScreenPart
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.keys import Keys, key_name
from pgwizard.tui.navigation import BROWSER, WIZARD, Applied, Open, OpenMessages, OpenStatus
from pgwizard.tui.start import Start
from pgwizard.tui.terminal import driver_class

LEAVE_SECONDS = 5.0
END_SECONDS = 20.0
"""How long leaving waits for an apply or a restore to release its lock, and for a drill to delete its Job."""
TERMINAL_SECONDS = 1.0
"""How often to check whether the terminal still exists."""
STOP_TEXT = "pgwizard: stopped"
_IN_PALETTE = frozenset({"quit", "command_palette"})
"""Keys that are in the palette already, or open it."""


class Opening(Screen[None]):
    """The screen until the questions are loaded."""

    def compose(self) -> ComposeResult:
        yield Static("pgwizard", id="opening-title")
        yield Static("loading the questions", id="opening-state")


class WizardApp(ReportsDefects, BaseApp):
    """See the module."""

    CSS_PATH = "pgwizard.tcss"
    TITLE = "pgwizard"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "quit", priority=True),
        Binding(
            "ctrl+c",
            "stop",
            "stop",
            show=False,
            priority=True,
            tooltip="copy what the mouse selected, or stop an apply; twice: leave",
        ),
        Binding("f1,question_mark", "explain", "help", key_display="F1"),
        Binding("ctrl+t", "next_theme", "theme", show=False),
    ]

    def __init__(self, start: Start) -> None:
        # For NO_COLOR Textual uses greys, unless colours are the terminal's own: then it uses none.
        super().__init__(start, ansi_color=True if "NO_COLOR" in os.environ else None)
        self._keys = Keys(self, super().on_event)
        self._leaving_until = 0.0
        self._is_ending = False
        self.remarks: list[str] = []
        """What libraries wrote to standard error while the screens were on that terminal."""

    async def on_event(self, event: Event) -> None:
        """Keys and pastes in the order in which they came."""
        if isinstance(event, (Key, Paste)) and not event.is_forwarded:
            self._keys.press(event)
        else:
            await super().on_event(event)

    def get_driver_class(self) -> type[Driver]:
        return driver_class(super().get_driver_class())

    def get_default_screen(self) -> Screen[Any]:
        return Opening()

    def on_mount(self) -> None:
        """Load the rest after the first paint."""
        self.begin_capture_print(self, stdout=False)
        if not self.is_headless:
            self.signals.listen(self.end_by)
            self.set_interval(TERMINAL_SECONDS, self._end_without_terminal)
        self.call_after_refresh(self._load)

    def get_key_display(self, binding: Binding) -> str:
        """``Ctrl+N``, as everything else that is read here names it."""
        return binding.key_display or key_name(binding.key)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: themes, the way out, messages, and every key of the screen by its name."""
        yield SystemCommand("quit", "Ctrl+Q: leave pgwizard", self.action_quit)
        yield SystemCommand("theme", "choose other colours", self.action_change_theme)
        yield SystemCommand("messages", "every message with its cause and fix", self.action_messages)
        if isinstance(screen, ScreenPart):
            for own in screen.commands():
                yield SystemCommand(own.name, own.help, partial(self._do, own.action, screen))
        offers: set[tuple[DOMNode, str]] = set()
        for node, binding, is_enabled, _ in screen.active_bindings.values():
            is_command = is_enabled and binding.show and binding.description and binding.action not in _IN_PALETTE
            if is_command and (node, binding.action) not in offers:
                offers.add((node, binding.action))
                key = self.get_key_display(binding)
                does = f"{key}: {binding.tooltip}" if binding.tooltip else key
                yield SystemCommand(binding.description, does, partial(self._do, binding.action, node))

    @work(group="palette", exit_on_error=False)
    async def _do(self, action: str, node: DOMNode) -> None:
        await self.run_action(action, node)

    def _load(self) -> None:
        self._open()

    @work(name="load the questions", group="load", exit_on_error=False)
    async def _open(self) -> None:
        self._add_themes()
        screen = await asyncio.to_thread(_screen_class, self.start.screen)
        await self.push_screen(screen())
        self.start.on_load()
        self.connection.connect()
        if self.start.screen == WIZARD:
            await asyncio.to_thread(_screen_class, BROWSER)  # before anything waits for it

    def _add_themes(self) -> None:
        from pgwizard.tui.themes import THEMES, theme_from

        for theme in THEMES:
            self.register_theme(theme)
        self.theme = theme_from(dict(os.environ), self.theme)

    async def on_unmount(self) -> None:
        """Nothing is left open."""
        await self._keys.close()
        await self.connection.close()

    # ---- signals and streams ----------------------------------------------------------------------------------------

    def on_print(self, event: Print) -> None:
        """Keep what was written to standard error: it goes to the file, or to the terminal at the end."""
        stream = sys.__stderr__
        if stream is None or stream.isatty():
            self.remarks.append(event.text)
        else:
            with contextlib.suppress(OSError):
                stream.write(event.text)
                stream.flush()

    def end_by(self, number: int) -> None:
        """A signal quits as Ctrl+C twice does; an apply that writes is stopped in order first."""
        if self._is_ending:
            self.exit(128 + number)
        self._is_ending = True
        self.run_worker(self._end_in_order(128 + number), group="end", exit_on_error=False)

    def _end_without_terminal(self) -> None:
        """A terminal that is gone is a hangup, also where no signal says so: it is not everybody's controlling one."""
        if sys.__stdin__ is not None and not sys.__stdin__.isatty() and not self._is_ending:
            self.end_by(signal.SIGHUP)

    async def _end_in_order(self, code: int) -> None:
        writing = [screen for screen in self.screen_stack if isinstance(screen, ScreenPart) and screen.is_writing]
        for screen in writing:
            screen.stop()
        ends = [
            worker.wait()
            for worker in self.workers
            if worker.node in writing and worker.is_cancelled and not worker.is_finished
        ]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*ends, return_exceptions=True), END_SECONDS)
        lines = [line for screen in writing for line in screen.ending]
        self.exit(code, message=Text("\n".join([STOP_TEXT, *lines])) if writing else None)

    # ---- navigation ------------------------------------------------------------------------------------------------

    @on(Open)
    async def _open_screen(self, request: Open) -> None:
        if isinstance(request, OpenStatus) and await self._go_back(request):
            return
        screen = _screen_class(request.screen)(*request.arguments())
        screen.begin()
        await self.push_screen(screen, request.on_close)

    async def _go_back(self, request: OpenStatus) -> bool:
        """Close what is above the status of the release, where that is open already."""
        shows = [isinstance(each, ScreenPart) and each.release == request.release for each in self.screen_stack]
        if not any(shows):
            return False
        for _ in range(shows[::-1].index(True)):
            await self.screen.dismiss(None)
        return True

    def on_applied(self, message: Applied) -> None:
        """Tell every screen."""
        self.applied_signal.publish(message)

    # ---- keys that work everywhere ---------------------------------------------------------------------------------

    def action_explain(self) -> None:
        """Show what this screen is for, its keys and its marks."""
        from pgwizard.tui.widgets.help import Help, keys_of

        if not isinstance(self.screen, Help):
            text = self.screen.help_text() if isinstance(self.screen, ScreenPart) else ""
            self.push_screen(Help(text, keys_of(self.screen)))

    def action_stop(self) -> None:
        """Ctrl+C copies what is selected, or stops what runs; otherwise it leaves, at the second press."""
        selection = self.screen.get_selected_text()  # by the mouse; an answer is selected as soon as it has the focus
        if selection:
            self.copy_to_clipboard(selection)
            self.notify("Sent the selection to the terminal's clipboard (OSC 52).", markup=False)
            return
        if any(isinstance(screen, ScreenPart) and screen.stop() for screen in reversed(self.screen_stack)):
            return
        keeps_answers = any(isinstance(screen, ScreenPart) and screen.keeps_answers for screen in self.screen_stack)
        note = " Unsaved answers are kept, and offered at the next start." if keeps_answers else ""
        if self._is_second_press(f"Press Ctrl+C again to leave.{note}"):
            self.exit(130)

    async def action_quit(self) -> None:
        """Quit; while a screen writes, at the second press."""
        writing = [screen for screen in self.screen_stack if isinstance(screen, ScreenPart) and screen.is_writing]
        if not writing or self._is_ending:
            self.exit()
        elif self._is_second_press(writing[-1].leaving):
            self._is_ending = True
            self.run_worker(self._end_in_order(0), group="end", exit_on_error=False)

    def _is_second_press(self, text: str) -> bool:
        """Whether the key was pressed a moment ago; else show the text and wait for the second press."""
        now = asyncio.get_running_loop().time()
        if now < self._leaving_until:
            return True
        self._leaving_until = now + LEAVE_SECONDS
        self.notify(text, severity="warning", timeout=LEAVE_SECONDS, markup=False)
        return False

    def action_messages(self, words: str = "") -> None:
        """Every message with its cause and what to do; words: which to begin with."""
        self.post_message(OpenMessages(words))

    def action_next_theme(self) -> None:
        """Switch between dark, light and high contrast."""
        from pgwizard.tui.themes import next_theme

        self.theme = next_theme(self.theme)


def _screen_class(name: str) -> type[Any]:
    """name: the module and the class."""
    module, _, kind = name.partition(":")
    return cast("type[Any]", getattr(importlib.import_module(module), kind))
