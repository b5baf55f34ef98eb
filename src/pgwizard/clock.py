"""The machine's clock. It is read here alone: whatever needs the time is given a ``Clock``."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""The time, in UTC."""


def utc_now() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)


def seconds() -> float:
    """The machine's monotonic clock, to measure how long something takes."""
    return time.perf_counter()
