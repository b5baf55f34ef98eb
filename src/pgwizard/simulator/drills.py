"""Owns the Job of a drill: what it prints, and the receipt that its pod leaves, by the state of the repository.

Not simulated: SQL. A query answers what is expected, unless ``wrong`` is in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pgwizard.simulator.repository import SEGMENT_SECONDS, SimulatedRepository

CONTAINER = "drill"
"""The name of the Job's container."""
_SEGMENT_BYTES = 16 * 1024**2
_SECONDS = {"restore": 1.9, "recovery": 2.4, "wal": 0.0, "rows": 1.2, "indexes": 1.6, "query": 0.1, "checksums": 0.2}


def drill(
    repository: SimulatedRepository, words: Sequence[str], variables: Mapping[str, str], now: float
) -> tuple[list[str], str]:
    """What the Job prints, and its receipt. words: its command."""
    options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
    label = options.get("set") or str(repository.backups[-1]["label"])
    timeline = int(options.get("target-timeline", repository.timeline))
    backup = next(each for each in repository.backups if each["label"] == label)
    receipt: dict[str, Any] = {
        "backup": label,
        "timeline": 0,
        "lsn": "0/0",
        "reached_at": "",
        "bytes": 0,
        "segments": 0,
    }
    if contents := repository.damaged_contents.get(label):
        error = f"[029]: unable to restore file '{contents[0]}': unexpected eof in compressed data"
        return _result(receipt, {"restore": ("failed", f"pgBackRest ended with 29: {error}")})
    receipt |= {"bytes": backup["info"]["size"], "timeline": timeline}
    first, newest = int(backup["archive"]["start"][-8:], 16), repository.number(now, timeline)
    gaps = [each for each in repository.holes | repository.damaged_wal if first <= each <= newest]
    end = min(gaps, default=newest + 1) * _SEGMENT_BYTES
    at = datetime.fromtimestamp(now - (newest + 1 - end // _SEGMENT_BYTES) * SEGMENT_SECONDS, UTC)
    receipt |= {"lsn": _lsn(end), "segments": end // _SEGMENT_BYTES - first, "reached_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    checks = {
        "restore": ("passed", f"{receipt['bytes']} bytes"),
        "recovery": ("passed", f"timeline {timeline} to {receipt['lsn']}, {receipt['reached_at']}"),
        "wal": ("passed", "everything that is archived was replayed"),
        "rows": ("passed", "pg_dumpall read every row"),
        "indexes": ("passed", "pg_amcheck found no damage"),
        "query": _answer(variables),
        "checksums": ("passed", "the checksum of every page is right"),
    }
    if gaps:
        text = f"recovery ended at {receipt['lsn']}, and the newest segment begins at {_lsn(newest * _SEGMENT_BYTES)}"
        checks["wal"] = ("failed", f"{text}: a segment is missing or damaged")
    return _result(receipt, checks)


def _answer(variables: Mapping[str, str]) -> tuple[str, str]:
    sql, expectation = variables.get("DRILL_QUERY", ""), variables.get("DRILL_EXPECT", "")
    if not sql:
        return "skipped", "no query"
    if "wrong" in sql:
        return "failed", f"it answered 0, and {expectation} was expected"
    return "passed", f"it answered {expectation or 1}"


def _result(receipt: dict[str, Any], checks: Mapping[str, tuple[str, str]]) -> tuple[list[str], str]:
    steps = []
    for name, seconds in _SECONDS.items():
        outcome, text = checks.get(name, ("skipped", "not reached"))
        duration = 0.0 if text == "not reached" else seconds
        steps.append({"name": name, "outcome": outcome, "seconds": duration, "text": text})
    lines = [f"drill: {each['name']} {each['outcome']}: {each['text']}" for each in steps]
    return lines, json.dumps({**receipt, "checks": steps})


def _lsn(position: int) -> str:
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
