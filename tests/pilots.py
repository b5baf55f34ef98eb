"""Driving an application by a pilot, without a guess at when it is done.

Textual's pilot takes a moment in which the process got no CPU for idle: on a busy machine every moment is one. Here
nothing goes on before each widget waits for its next message. What a timer, a thread or a worker brings is not in a
queue yet: that is waited for by name, with ``until``.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.events import Key
from textual.keys import _character_to_key, key_to_character
from textual.pilot import Pilot

from pgwizard.tui.app import WizardApp

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.02


async def until(pilot: Pilot[Any], reached: Callable[[], bool]) -> None:
    """Let the application run until something holds."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < end, f"it never came, on {pilot.app.screen}:\n{inspect.getsource(reached)}"
        await pilot.pause(LOOK_SECONDS)


async def settled(pilot: Pilot[Any]) -> None:
    """What was set off has gone through: no key and no message is left anywhere, all is laid out and painted."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        await pilot.pause(0)
        await pilot.app.animator.wait_until_complete()
        if _rests(pilot.app):
            return
        assert time.monotonic() < end, f"it never came to rest, on {pilot.app.screen}"


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys, until they have done what they do."""
    for key in keys:
        name, character = (_character_to_key(key), key) if len(key) == 1 else (key, key_to_character(key))
        pilot.app.post_message(Key(name, character))
        if not isinstance(pilot.app, WizardApp):  # which keeps their order itself
            await settled(pilot)
    await settled(pilot)


async def click(pilot: Pilot[Any], *where: Any, **how: Any) -> None:
    """Click, where it is by then, until that has done what it does."""
    await settled(pilot)
    await pilot.click(*where, **how)
    await settled(pilot)


async def resize(pilot: Pilot[Any], width: int, height: int) -> None:
    """Give the terminal another size, until all has its new place."""
    await pilot.resize_terminal(width, height)
    await until(pilot, lambda: pilot.app.screen.outer_size == (width, height))  # by a timer of Textual
    await settled(pilot)


def _rests(app: App[Any]) -> bool:
    """Whether no key is on its way, and every widget waits for its next message."""
    keys = app._keys._task if isinstance(app, WizardApp) else None
    if keys is not None and not keys.done():
        return False
    screens = (node for screen in app.screen_stack for node in screen.walk_children(with_self=True))
    return all(map(_waits, (app, *screens)))


def _waits(pump: Any) -> bool:
    """An empty queue alone does not say it: a message may be in hand. Textual keeps this to itself."""
    ended = pump._task.done() if pump._task is not None else not pump.is_running
    here = pump._message_queue.ready_event
    return ended or (not here.is_set() and bool(here._waiters))
