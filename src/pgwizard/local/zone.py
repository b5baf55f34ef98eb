"""The time zone of this machine."""

from __future__ import annotations

import contextlib
import os
import zoneinfo
from datetime import UTC, tzinfo
from pathlib import Path


def local_zone() -> tzinfo:
    """With its changes of the clock; UTC where it has none that can be read."""
    with contextlib.suppress(OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        if name := os.environ.get("TZ"):
            return zoneinfo.ZoneInfo(name.removeprefix(":"))
        with Path("/etc/localtime").open("rb") as file:
            return zoneinfo.ZoneInfo.from_file(file)
    return UTC
