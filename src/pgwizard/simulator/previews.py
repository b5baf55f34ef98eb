"""Owns the server of a preview: what its pod prints, where it is, and how it is aimed at a later target.

Not simulated: SQL, and locks. Every segment that was due is archived, and a target that lies behind waits for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pgwizard.simulator.repository import SimulatedRepository
from pgwizard.simulator.streams import ContainerLog

CONTAINER = "preview"
"""The name of the Job's container."""
_SEGMENT_BYTES = 16 * 1024**2


@dataclass(slots=True)
class SimulatedPreview:
    """One server. log: of its container; target: the lines of its target."""

    repository: SimulatedRepository
    log: ContainerLog
    target: Sequence[str]
    is_promoted: bool = False

    def aim(self, target: Sequence[str], now: float) -> None:
        """Replay to a target, and print what the script prints. It is there at once."""
        self.target = target
        self.log.write(
            f"preview: replaying to {target[0]}",
            f"replayed to {self._end_text}",
            f"preview: reached {target[0]} {self.state(now)}",
        )

    @property
    def _settings(self) -> dict[str, str]:
        return dict(line.removeprefix("recovery_target_").split("=", 1) for line in self.target[2:])

    @property
    def _end_text(self) -> str:
        return self._settings.get("lsn") or self._settings.get("time") or "the end"

    def state(self, now: float) -> str:
        """Where it is, as JSON."""
        timeline = int(self._settings["timeline"])
        newest = self.repository.number(now, timeline)
        end = (newest + 1) * _SEGMENT_BYTES
        target = self._position(end)
        gaps = [each for each in self.repository.holes | self.repository.damaged_wal if each <= newest]
        end = min([end, *(each * _SEGMENT_BYTES for each in gaps)])
        position, is_paused = min(target, end), target <= end
        number = (position - 1) // _SEGMENT_BYTES
        at = datetime.fromtimestamp(self.repository.moment(number, timeline) + 5, UTC)
        return json.dumps(
            {
                "recovering": not self.is_promoted,
                "paused": is_paused and not self.is_promoted,
                "lsn": f"{position >> 32:X}/{position & 0xFFFFFFFF:X}",
                "at": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
                "reason": "" if self.target[1] != "-" else f'before WAL location (LSN) "{self._end_text}"',
                "locks": 0,
            }
        )

    def _position(self, end: int) -> int:
        settings = self._settings
        if "lsn" in settings:
            high, _, low = settings["lsn"].partition("/")
            return int(high, 16) << 32 | int(low, 16)
        if "time" in settings:
            at = datetime.fromisoformat(settings["time"]).timestamp()
            return self.repository.number(at, int(settings["timeline"])) * _SEGMENT_BYTES + 0x108
        return end
