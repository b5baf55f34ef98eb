"""Printable text: text from outside without control characters, times and their lengths in words, and tables. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def visible(text: str) -> str:
    """Text from a file, safe for a terminal: escape sequences and direction marks are escaped."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def plain(text: str, limit: int = 300) -> str:
    """Text from outside, safe for a message: one line, no control characters, at most ``limit`` characters."""
    line = " ".join((text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def fit(name: str) -> str:
    """A name that is safe to print. An API server accepts no other, but another server may answer in its place."""
    return plain(visible(name))


def fit_line(line: str) -> str:
    """A line of a log, safe for a terminal; columns are kept."""
    return "".join(c if c.isprintable() else " " for c in line[:1_000]).rstrip()


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of equally many cells as lines, their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["   ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def time_text(timestamp: str) -> str:
    """A time in ISO 8601 for people: ``2026-11-27 21:00:04 UTC``; as it is, made plain, where it is none."""
    try:
        return f"{datetime.fromisoformat(timestamp).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return plain(timestamp)


def span(seconds: float) -> str:
    """A length of time in its two largest units: ``38 s``, ``4 min 12 s``, ``5 d 22 h``."""
    whole = max(int(seconds), 0)
    for unit, size, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}{f' {rest} {smaller}' if rest else ''}"
    return f"{whole} s"


def about(seconds: float) -> str:
    """A length of time in its largest unit alone: ``5 d``."""
    return " ".join(span(seconds).split(" ")[:2])
