"""Drives an application in simulated time: keys and clicks in, what is painted out.

Nothing here reads the application's own state: a key has taken effect when the loop has nothing left to do.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from textual.app import App
from textual.errors import NoWidget
from textual.events import Key
from textual.geometry import Region
from textual.keys import _character_to_key, key_to_character
from textual.pilot import Pilot
from textual.widget import Widget

from pgwizard.tui.app import WizardApp
from support import simtime

R = TypeVar("R")
DEADLINE_SECONDS = 1_800.0
LOOK_SECONDS, LATER_SECONDS = 0.02, 1.0
"""Between two looks, in the first minute and later: a test that fails does not paint a screen for minutes."""
PAINT_SECONDS = 0.05
"""Three times as long as it takes Textual to paint what has changed."""


@asynccontextmanager
async def opened(app: App[R], size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[R]]:
    """The application, running without a terminal; the loop must be a simulated one."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await settled(pilot)
        yield pilot


async def until(pilot: Pilot[Any], reached: Callable[[], bool]) -> None:
    """Let simulated time pass until something is true."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    while not reached():
        passed = loop.time() - begin
        assert passed < DEADLINE_SECONDS, (
            f"never, on {pilot.app.screen}:\n{inspect.getsource(reached)}\n{painted(pilot)}"
        )
        assert pilot.app.is_running, "the application has ended"
        await asyncio.sleep(LOOK_SECONDS if passed < 60 else LATER_SECONDS)


async def settled(pilot: Pilot[Any]) -> None:
    """Every message has been handled, every animation has ended, and the result is painted.

    What a timer, a worker or the cluster brings later is waited for by ``until``.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, simtime.Loop), "run it by simtime.run"
    await loop.idle()
    await pilot.app.animator.wait_until_complete()
    await asyncio.sleep(PAINT_SECONDS)
    await loop.idle()


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys as fast as a paste does, and let them take effect."""
    for key in keys:
        name, character = (_character_to_key(key), key) if len(key) == 1 else (key, key_to_character(key))
        pilot.app.post_message(Key(name, character))
        if not isinstance(pilot.app, WizardApp):  # which keeps their order itself
            await settled(pilot)
    await settled(pilot)


async def click(pilot: Pilot[Any], *where: Any, **how: Any) -> None:
    await settled(pilot)
    await pilot.click(*where, **how)
    await settled(pilot)


async def resize(pilot: Pilot[Any], width: int, height: int) -> None:
    """Give the terminal another size."""
    await pilot.resize_terminal(width, height)
    await until(pilot, lambda: pilot.app.screen.outer_size == (width, height))  # by a timer of Textual
    await settled(pilot)


def painted(of: Pilot[Any] | Widget) -> str:
    """What a person sees of a screen or a widget (of a pilot: the screen on top), a line a row, blanks at ends cut.

    Of a widget its frame is left out, and what is scrolled out of sight.
    """
    widget = of.app.screen if isinstance(of, Pilot) else of
    return "\n".join(_rows(widget, widget.content_region))


_SCROLL_BAR = re.compile("[▁▂▃▄▅▆▇█▔]+$", re.MULTILINE)


def words(of: Pilot[Any] | Widget) -> str:
    """The painted text in one line, wherever it wraps; a scroll bar beside it is left out."""
    return " ".join(_SCROLL_BAR.sub(" ", painted(of)).split())


def title(of: Widget) -> str:
    """The title in the upper edge of a widget's frame; empty while that is out of sight."""
    return " ".join(_rows(of, of.region)[:1]).strip("╭╮┏┓╔╗─━═ ")


def table(of: Widget) -> list[list[str]]:
    """The cells of a table below its titles, as far as they are in sight; a row may take several lines."""
    head, *lines = painted(of).splitlines() or [""]
    edges = [match.start() for match in re.finditer(r"\S+(?: \S+)*", head)]
    rows: list[list[str]] = []
    for line in lines:
        cells = [line[begin:end].strip() for begin, end in zip(edges, [*edges[1:], None], strict=True)]
        if cells[:1] == [""] and rows:
            rows[-1] = [
                " ".join((*above.split(), *below.split())) for above, below in zip(rows[-1], cells, strict=True)
            ]
        elif any(cells):
            rows.append(cells)
    return rows


def notices(pilot: Pilot[Any]) -> list[str]:
    """The notices at the edge of the screen, each in one line."""
    return [words(toast) for toast in pilot.app.screen.query("Toast")]


def _rows(widget: Widget, region: Region) -> list[str]:
    screen = widget.screen
    if widget is not screen:
        try:
            region = region.intersection(screen.find_widget(widget).clip)
        except NoWidget:
            return []
    strips = screen._compositor.render_strips()[region.y : region.bottom]
    return ["".join(part.text for part in strip.crop(region.x, region.right)).rstrip() for strip in strips]
