"""Work of a screen in the background, for units that know no screen."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol


class Job(Protocol):
    """Work that runs: a worker of Textual, or a task of asyncio."""

    def cancel(self) -> object:
        """Stop it; no error if it has ended."""


StartJob = Callable[[Callable[[], Coroutine[Any, Any, None]]], Job]
"""Starts work in the background. Whoever passes it on reports its defects, and stops it at the end."""
