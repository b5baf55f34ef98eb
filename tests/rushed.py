"""A plugin that finds guesses in tests that drive an application: see CONTRIBUTING.md.

The machine never looks busy, so that whatever Textual's pilot takes for idle comes at once; and what threads say comes
late, so that it cannot be counted on to be there already.
"""

from __future__ import annotations

import asyncio
from typing import Any

import textual.app
import textual.pilot

LATE_SECONDS = 0.1
_to_thread = asyncio.to_thread


async def _idle(*_: object) -> None:
    await asyncio.sleep(0)


async def _late(*given: Any, **named: Any) -> Any:
    found = await _to_thread(*given, **named)
    await asyncio.sleep(LATE_SECONDS)
    return found


def pytest_configure() -> None:
    for module in (textual.app, textual.pilot):
        vars(module)["wait_for_idle"] = _idle
    asyncio.to_thread = _late
