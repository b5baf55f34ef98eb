"""Files that answers name: read to their end, and never for longer than that takes.

It refuses what is no regular file. A pipe or a device may have no end, nothing can interrupt the read, and a process
cannot end while one of its threads sits in it.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

_OTHERS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read(path: Path, limit_bytes: int) -> bytes:
    """The content of a regular file; of a larger one the limit and one byte more, which tells it.

    Blocking. Raises ValueError, which names the file.
    """
    try:
        mode = path.stat().st_mode  # before it is opened: that alone would wait for the other end of a pipe
        for is_one, what in _OTHERS:
            if is_one(mode):
                raise ValueError(f"{path}: cannot be read: it is {what}, and only a regular file is taken")
        with path.open("rb") as file:
            return file.read(limit_bytes + 1)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from error
