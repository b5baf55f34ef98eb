"""What ``pgbackrest info --output=json`` prints for repositories of any size, in the form of version 2.45."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

SYSTEM_ID = 7712486012677398561
OK: dict[str, Any] = {"code": 0, "message": "ok"}
NO_BACKUPS: dict[str, Any] = {"code": 2, "message": "no valid backups"}
TAKES = timedelta(seconds=40)


def segment(number: int) -> str:
    return f"00000001{number // 256:08X}{number % 256:08X}"


def schedule(
    now: datetime, *, days: float, every: timedelta, full_every: timedelta, damaged: Collection[int] = (), repo: int = 1
) -> list[dict[str, Any]]:
    """Backups from so many days ago until now; those whose number, counted from 0, is in ``damaged`` have page errors.

    Each takes 40 seconds and two segments of WAL.
    """
    backups: list[dict[str, Any]] = []
    at = next_full = now - timedelta(days=days)
    full = ""
    while at + TAKES < now:
        number = len(backups)
        is_full = at >= next_full
        if is_full:
            full, next_full = f"{at:%Y%m%d-%H%M%S}F", at + full_every
        label = full if is_full else f"{full}_{at:%Y%m%d-%H%M%S}I"
        wal = segment(2 + 2 * number)
        backups.append(
            {
                "annotation": None,
                "archive": {"start": wal, "stop": wal},
                "backrest": {"format": 5, "version": "2.45"},
                "database": {"id": 1, "repo-key": repo},
                "error": number in damaged,
                "info": {
                    "delta": 29_000_000 if is_full else 900_000,
                    "repository": {"delta": 3_900_000 if is_full else 90_000, "size": 3_900_000},
                    "size": 29_000_000,
                },
                "label": label,
                "lsn": {"start": "0/2000028", "stop": "0/2000100"},
                "prior": None if is_full else backups[-1]["label"],
                "reference": None if is_full else [full],
                "timestamp": {"start": int(at.timestamp()), "stop": int((at + TAKES).timestamp())},
                "type": "full" if is_full else "incr",
            }
        )
        at += every
    return backups


def stanza(
    backups: Sequence[dict[str, Any]], *, repos: dict[int, dict[str, Any]] | None = None, system_id: int = SYSTEM_ID
) -> list[dict[str, Any]]:
    """The answer for stanza ``main``. repos: the status of each repository by its key.

    Each repository has an archive that reaches from the first backup's WAL past the last one's.
    """
    statuses = repos or {1: OK if backups else NO_BACKUPS}
    codes = {status["code"] for status in statuses.values()}
    whole = next(iter(statuses.values())) if len(codes) == 1 else {"code": 4, "message": "different across repos"}
    ends = [backup["archive"]["stop"] for backup in backups] or [segment(2)]
    readable = [key for key, status in statuses.items() if status["code"] in (0, 2)]
    return [
        {
            "archive": [
                {"database": {"id": 1, "repo-key": key}, "id": "15-1", "max": _after(max(ends)), "min": segment(2)}
                for key in readable
            ],
            "backup": list(backups),
            "cipher": "none",
            "db": [{"id": 1, "repo-key": key, "system-id": system_id, "version": "15"} for key in readable],
            "name": "main",
            "repo": [{"cipher": "none", "key": key, "status": status} for key, status in statuses.items()],
            "status": {**whole, "lock": {"backup": {"held": False}}},
        }
    ]


def _after(name: str) -> str:
    return segment(int(name[8:16], 16) * 256 + int(name[16:], 16) + 2)
