"""Owns the timelines of a simulated database, and the Job of a restore, which begins a new one.

A segment is archived a minute, without an end. Not simulated: what is in the WAL, so every restore reaches its target.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

SEGMENT_SECONDS = 60
_SEGMENT_BYTES = 16 * 1024**2
_FIRST = 2
"""The number of the segment that is written when the stanza is created; the one before it is archived."""


@dataclass(frozen=True, slots=True)
class _Timeline:
    """One timeline. at: when its first segment was begun, whose number is first; parent: 0 for none."""

    number: int
    parent: int
    first: int
    at: float
    reason: str = ""

    def segment(self, now: float) -> int:
        """The number of the segment that is written at a moment."""
        return self.first + int(max(now - self.at, 0) // SEGMENT_SECONDS)

    @property
    def fork(self) -> int:
        """The WAL position at which it begins."""
        return self.first * _SEGMENT_BYTES + 0x500000


@dataclass(slots=True)
class Timelines:
    """All timelines of one database, oldest first; the last one is the server's."""

    every: list[_Timeline] = field(default_factory=list)

    def begin(self, at: float) -> None:
        """The database is created."""
        self.every = [_Timeline(1, 0, _FIRST, at)]

    @property
    def current(self) -> int:
        """The server's own."""
        return self.every[-1].number if self.every else 1

    def segment(self, now: float) -> str:
        """The name of the segment that is written at a moment."""
        last = self.every[-1] if self.every else _Timeline(1, 0, _FIRST, now)
        return segment_name(last.segment(now), last.number)

    def position(self, now: float) -> int:
        """The WAL position of the server at a moment."""
        return self.every[-1].segment(now) * _SEGMENT_BYTES + 0x100 if self.every else 0

    def listing(self, now: float, scope: str) -> list[str]:
        """The archive, reduced to a line for each run of segments in one folder; see ``status/listing``."""
        lines = []
        for timeline, end in zip(self.every, [*(each.at for each in self.every[1:]), now], strict=True):
            first = timeline.first if timeline.parent else timeline.first - 1
            last = timeline.segment(end)
            for folder in range(first // 256, last // 256 + 1):
                ends = (max(folder * 256, first), min(folder * 256 + 255, last))
                at = min(timeline.at + (ends[1] - timeline.first) * SEGMENT_SECONDS, end)
                names = [segment_name(number, timeline.number) for number in ends]
                lines += [f"folder {names[0][:16]}", *([f"read {names[0][:16]}"] if scope == "newest" else [])]
                lines.append(f"run {names[0]} {names[1]} {16_000 * (ends[1] - ends[0] + 1)} {at:.0f}")
            if timeline.parent:
                text = base64.b64encode(self._history(timeline).encode()).decode()
                lines.append(f"history {timeline.number:08X} {timeline.at:.0f} {text}")
        return lines

    def _history(self, timeline: _Timeline) -> str:
        parent = next((each for each in self.every if each.number == timeline.parent), None)
        earlier = self._history(parent) if parent is not None and parent.parent else ""
        return f"{earlier}{timeline.parent}\t{_lsn(timeline.fork)}\t{timeline.reason}\n"

    def restore(self, words: Sequence[str], now: float) -> list[str]:
        """What the Job of a restore prints. words: its command. The server is on a new timeline then."""
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
        parent = next(each for each in self.every if str(each.number) == options["target-timeline"])
        end = next((each.at for each in self.every if each.number > parent.number), now)
        reached, reason = end, "no recovery target specified"
        if options["type"] == "time":
            at = datetime.fromisoformat(options["target"])
            reached = min(at.timestamp(), end)
            reason = f"before {at + timedelta(seconds=1):%Y-%m-%d %H:%M:%S.%f}+00"
        elif options["type"] == "immediate":
            reached, reason = parent.at, "reached consistency"
        new = _Timeline(self.current + 1, parent.number, parent.segment(reached), now, reason)
        self.every.append(new)
        at_lsn = _lsn(new.fork)
        receipt = {"timeline": new.number, "lsn": at_lsn, "reason": reason, "restoreSeconds": 1, "recoverySeconds": 2}
        stamp = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S}.000"
        return [
            f"{stamp} P00   INFO: restore command begin 2.45: --set={options['set']}",
            f"{stamp} P00   INFO: restore command end: completed successfully (861ms)",
            f"replayed to {at_lsn}",
            f"{stamp} UTC [14] LOG:  selected new timeline ID: {new.number}",
            f"{stamp} UTC [14] LOG:  archive recovery complete",
            f"pgwizard-receipt {json.dumps(receipt)}",
        ]


def segment_name(number: int, timeline: int) -> str:
    """The file name of a segment."""
    return f"{timeline:08X}{number // 256:08X}{number % 256:08X}"


def _lsn(position: int) -> str:
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
