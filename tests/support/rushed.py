"""A pytest plugin that runs the screens as on a slow machine with a slow cluster, to find what counts on a fast one.

Tests with golden files are skipped, and the summary says so: they show a moment, with the ages and the durations of
that moment, and another delay is another picture. Every other test runs, whatever helper starts its simulated time.

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

GOLDEN = "compares golden files, which show other delays"
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "update_golden" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=GOLDEN))


def pytest_runtest_setup(item: pytest.Item) -> None:
    _chance.seed(item.config.getoption("--rushed-seed"))


def pytest_configure(config: pytest.Config) -> None:
    if "s" not in config.option.reportchars:
        config.option.reportchars += "s"  # a skip is named
    simtime.Loop.TURN_SECONDS = TURN_SECONDS
    vars(asyncio)["to_thread"] = _late_thread
    type.__setattr__(SimCluster, "_perform", _late_answer)
