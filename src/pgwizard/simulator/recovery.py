"""Owns the Job of a restore: it moves the simulated repository to a new timeline and prints what the real one prints.

Not simulated: what is in the WAL, so every restore reaches its target.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pgwizard.simulator.repository import SimulatedRepository, lsn

CONTAINER = "restore"
"""The name of the Job's container."""
READER = "repository-reader"
"""A word in the command of a pod that only waits for commands."""


def restore(repository: SimulatedRepository, words: Sequence[str], now: float) -> list[str]:
    """What the Job prints. words: its command."""
    options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
    origin = int(options.get("target-timeline", repository.timeline))
    end, reason = now, "no recovery target specified"
    if options["type"] == "time":
        at = datetime.fromisoformat(options["target"])
        end, reason = at.timestamp(), f"before {at + timedelta(seconds=1):%Y-%m-%d %H:%M:%S.%f}+00"
    elif options["type"] == "immediate":
        end, reason = 0, "reached consistency"
    number = repository.number(end, origin)
    repository.go_back(number, now, origin, reason)
    at_lsn, timeline = lsn(number), repository.timeline
    receipt = {
        "timeline": timeline,
        "lsn": at_lsn,
        "reason": reason,
        "restoreSeconds": 1,
        "recoverySeconds": 2,
        "reachedAt": f"{datetime.fromtimestamp(end, UTC):%Y-%m-%dT%H:%M:%S.%fZ}" if end else None,
    }
    stamp = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S}.000"
    return [
        f"{stamp} P00   INFO: restore command begin 2.45: --set={options['set']}",
        f"{stamp} P00   INFO: restore command end: completed successfully (861ms)",
        f"replayed to {at_lsn}",
        f"{stamp} UTC [14] LOG:  selected new timeline ID: {timeline}",
        f"{stamp} UTC [14] LOG:  archive recovery complete",
        f"pgwizard-receipt {json.dumps(receipt)}",
    ]
