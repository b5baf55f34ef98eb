"""Questions to a person at the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

from pgwizard.errors import Interrupted

NOTHING_WRITTEN = "nothing was written"


def is_interactive(*, yes: bool) -> bool:
    """Whether to ask: only a person at a terminal can answer."""
    return not yes and sys.stdin is not None and sys.stdin.isatty()


async def confirm(question: str) -> bool:
    """Ask the person at the terminal, before anything is written. Only y or yes is a yes; the end of input is a no.

    Raises Interrupted where it is stopped instead.
    """
    return (await ask(question)).lower() in ("y", "yes")


async def ask(question: str, *, written_text: str = NOTHING_WRITTEN) -> str:
    """What the person at the terminal types. written_text: what already exists.

    Raises Interrupted where it is stopped.
    """
    sys.stderr.write(question)  # stdout may be a pipe
    sys.stderr.flush()
    try:
        answer = await _line(sys.stdin.fileno())
    except asyncio.CancelledError:
        raise Interrupted(f"stopped: {written_text}") from None
    return answer.decode(errors="replace").strip()


async def _line(terminal: int) -> bytes:
    """What is typed up to Enter or the end of input.

    The event loop watches the terminal: a thread that reads it could not be stopped, and would keep the process.
    """
    loop, end, line = asyncio.get_running_loop(), asyncio.Event(), bytearray()

    def take() -> None:
        part = b""
        with contextlib.suppress(OSError):  # the terminal is gone
            part = os.read(terminal, 1024)
        line.extend(part)
        if not part or part.endswith(b"\n"):
            end.set()

    loop.add_reader(terminal, take)
    try:
        await end.wait()
    finally:
        loop.remove_reader(terminal)
        if not line.endswith(b"\n"):  # the next message starts on a new line
            sys.stderr.write("\n")
    return bytes(line)
