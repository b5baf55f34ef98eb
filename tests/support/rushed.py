"""A pytest plugin that runs the screens as on a slow machine with a slow cluster, to find what counts on a fast one.

It selects the modules that use ``support.screens``.

Each turn of a simulated loop takes time, so that timers overtake work; threads and the simulated cluster answer late,
each request by another (repeatable) delay, so that no two answers keep their order.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from pgwizard.simulator.cluster import SimCluster
from support import simtime

TURN_SECONDS = 0.001
THREAD_SECONDS = 0.1
REQUEST_SECONDS = 0.2
"""At most."""
_to_thread, _perform = asyncio.to_thread, SimCluster._perform
_chance = random.Random(20)


async def _late_thread(*given: Any, **named: Any) -> Any:
    found = await _to_thread(*given, **named)
    await asyncio.sleep(THREAD_SECONDS)
    return found


async def _late_answer(sim: SimCluster, *given: Any) -> Any:
    await asyncio.sleep(_chance.uniform(0, REQUEST_SECONDS))
    return await _perform(sim, *given)


def pytest_runtest_setup() -> None:
    _chance.seed(20)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    from support import screens

    def drives(item: pytest.Item) -> bool:
        return screens.opened in vars(getattr(item, "module", asyncio)).values()

    config.hook.pytest_deselected(items=[item for item in items if not drives(item)])
    items[:] = filter(drives, items)


def pytest_configure() -> None:
    simtime.Loop.TURN_SECONDS = TURN_SECONDS
    vars(asyncio)["to_thread"] = _late_thread
    type.__setattr__(SimCluster, "_perform", _late_answer)
