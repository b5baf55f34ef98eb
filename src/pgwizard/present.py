"""Events and changes as text for people: one line each, no colour that means anything alone.

Pure: the same event gives the same line. It refuses to print and to know terminals.
"""

from __future__ import annotations

from collections.abc import Sequence

from pgwizard.changes import Change
from pgwizard.events import Event

_MARKS = {"done": "✓", "failed": "✗", "began": "●", "progress": "·", "warning": "!", "log": " ", "skipped": "-"}
_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "unchanged": "=", "keep": "="}


def event_line(event: Event) -> str:
    """``✓ apply         14 to create   0.9 s``; a log line is indented under its stage."""
    if event.kind == "log":
        return f"    {event.text}"
    took = f"   {event.seconds:.1f} s" if event.seconds is not None else ""
    return f"{_MARKS[event.kind]} {event.stage:13} {event.text}{took}".rstrip()


def change_line(change: Change) -> str:
    """``+ create  StatefulSet shop/postgresql``, with the reason where there is one."""
    why = f"   ({change.why})" if change.why else ""
    return f"{_SIGNS[change.action]} {change.action:9} {change.ref}{why}"


def change_lines(changes: Sequence[Change], *, whole: bool) -> list[str]:
    """What changes, a line an object; with ``whole`` its diff below, or all of an object that is new."""
    lines: list[str] = []
    for change in changes:
        if change.action == "unchanged":
            continue
        lines.append(change_line(change))
        if whole:
            shown = change.after.splitlines() if change.action == "create" else change.lines()
            lines += [f"    {line}" for line in shown]
    return lines
