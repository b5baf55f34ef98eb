"""A pytest plugin that runs the screens as on a slow machine with a slow cluster, to find what counts on a fast one.

It selects the modules that use ``support.simtime``. The golden screens are no part of it: they show a moment, with the
ages and the durations of that moment, and another delay is another picture.

Each turn of a simulated loop takes time, so that timers overtake work; threads and the simulated cluster answer late,
each request by another (repeatable) delay, so that no two answers keep their order. ``--rushed-seed`` gives other
delays.
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


async def _late_thread(*args: Any, **options: Any) -> Any:
    result = await _to_thread(*args, **options)
    await asyncio.sleep(THREAD_SECONDS)
    return result


async def _late_answer(sim: SimCluster, *args: Any) -> Any:
    await asyncio.sleep(_chance.uniform(0, REQUEST_SECONDS))
    return await _perform(sim, *args)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rushed-seed", type=int, default=20, help="which delays a test gets; the same in each run")


def pytest_runtest_setup(item: pytest.Item) -> None:
    _chance.seed(item.config.getoption("--rushed-seed"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def is_simulated(item: pytest.Item) -> bool:
        return simtime in vars(getattr(item, "module", asyncio)).values()

    config.hook.pytest_deselected(items=[item for item in items if not is_simulated(item)])
    items[:] = filter(is_simulated, items)


def pytest_configure() -> None:
    simtime.Loop.TURN_SECONDS = TURN_SECONDS
    vars(asyncio)["to_thread"] = _late_thread
    type.__setattr__(SimCluster, "_perform", _late_answer)
