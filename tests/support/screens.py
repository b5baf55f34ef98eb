"""Drives an application in simulated time: keys and clicks in, what is painted out.

Nothing here reads the application's own state: a key has taken effect when the loop has nothing left to do.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from textual.app import App
from textual.events import Key
from textual.keys import _character_to_key, key_to_character
from textual.pilot import Pilot
from textual.screen import Screen

from pgwizard.tui.app import WizardApp
from support import simtime

R = TypeVar("R")
DEADLINE_SECONDS = 1_800.0
LOOK_SECONDS = 0.02
PAINT_SECONDS = 0.05
"""Three times as long as it takes Textual to paint what has changed."""


@asynccontextmanager
async def opened(app: App[R], size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[R]]:
    """The application, running without a terminal; the loop must be a simulated one."""
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield pilot


async def until(pilot: Pilot[Any], reached: Callable[[], bool]) -> None:
    """Let simulated time pass until something is true."""
    loop = asyncio.get_running_loop()
    end = loop.time() + DEADLINE_SECONDS
    while not reached():
        assert loop.time() < end, f"never, on {pilot.app.screen}:\n{inspect.getsource(reached)}\n{painted(pilot)}"
        assert pilot.app.is_running, "the application has ended"
        await asyncio.sleep(LOOK_SECONDS)


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


def painted(of: Pilot[Any] | Screen[Any]) -> str:
    """What a person sees of a screen (of a pilot: the one on top), a line a row, without blanks at the ends."""
    screen = of.app.screen if isinstance(of, Pilot) else of
    strips = screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def notices(pilot: Pilot[Any]) -> list[str]:
    """The messages that the application shows over its screens, without the line breaks that they are painted with."""
    return [notice.message for notice in pilot.app._notifications]
