"""When an application has painted. Textual takes the driver from TEXTUAL_DRIVER, so both sides are timed alike."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.drivers.linux_driver import LinuxDriver

ON_PAINT: list[Callable[[float], None]] = []
"""Called with ``time.perf_counter()`` after each write to the terminal."""


class PaintNotingDriver(LinuxDriver):
    """Writes, then tells."""

    def write(self, data: str) -> None:
        super().write(data)
        now = time.perf_counter()
        for note in ON_PAINT:
            note(now)
