"""The machine's clock. Entry points pass ``utc_now`` on; everything else takes a ``Clock`` or a moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""The time, in UTC."""


def utc_now() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)
