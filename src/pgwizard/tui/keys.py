"""Keys and pastes in order: each reaches the screen that the one before it has opened.

Textual hands a key to the widget in focus at once, while what the key before it does (another page, another focus) is
still on its way: what is typed ahead would land in the wrong question. It never waits for long: a handler that
hangs must not take the keyboard with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.events import Key, Paste
from textual.keys import format_key
from textual.widgets import Input

from pgwizard.tui.defects import report_defect

PATIENCE_SECONDS = 3.0
"""Longer than a busy machine needs to build a page."""


_LABELS = {"escape": "Esc", "pageup": "PgUp", "pagedown": "PgDn"}


def key_name(key: str) -> str:
    """The name of a Textual key for people: ``Ctrl+N`` for ``ctrl+n``, ``/`` for ``slash``. N is another key than n."""
    *modifiers, last = key.split("+")
    if len(last) > 1:
        symbol = format_key(last)
        last = symbol if len(symbol) == 1 and symbol.isascii() else _LABELS.get(last, last.capitalize())
    elif modifiers:
        last = last.upper()
    return "+".join([*map(str.capitalize, modifiers), last])


class Keys:
    """Passes keys to ``handle`` one after another, each once the application has settled after the last."""

    def __init__(self, app: App[Any], handle: Callable[[Key | Paste], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._waiting: deque[Key | Paste] = deque()
        self._task: asyncio.Task[None] | None = None
        self._typing = False

    def press(self, key: Key | Paste) -> None:
        """Queue a key or a paste."""
        self._waiting.append(key)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._pass_on())

    async def close(self) -> None:
        """Drop the queued keys: the application ends."""
        self._waiting.clear()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _pass_on(self) -> None:
        while self._waiting:
            key = self._waiting.popleft()
            letter = isinstance(key, Key) and key.is_printable and isinstance(self._app.focused, Input)
            if self._typing and not letter:
                await self._settle()  # a key of the application itself, such as Ctrl+Q, would overtake the letters
            try:
                await self._handle(key)
            except Exception as defect:  # noqa: BLE001 - no message of Textual's: nobody else would report it
                report_defect(self._app, defect)
            self._typing = letter
            if not letter:  # a letter moves nothing; the next one follows it through the same queue
                await self._settle()

    async def _settle(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._wait_settled()

    async def _wait_settled(self) -> None:
        """What the key set off has gone through: the key itself up to the application, whose bindings come last; the
        messages of the action that it was bound to; and the focus that those moved.
        """
        for _ in range(3):
            widget = self._app.focused
            there = widget is not None and widget.is_attached  # a removed page may still have the focus
            chain = list(widget.ancestors_with_self) if widget and there else [self._app.screen, self._app]
            for pump in chain:
                arrival = asyncio.Event()
                if pump.is_running and pump.call_later(arrival.set):
                    await arrival.wait()
