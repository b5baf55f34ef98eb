"""What a run tells while it goes on, as data; a face decides how it looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["began", "progress", "warning", "log", "done", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. stage: which of the run's stages; text: for people, plain, one line.

    seconds: how long the stage took; with ``done`` and ``failed`` only.
    """

    stage: str
    kind: Kind
    text: str = ""
    seconds: float | None = None


Report = Callable[[Event], None]
