"""Owns one simulated pgBackRest repository: backups, the archive with its timelines and holes, and damaged files.

What a test makes of it is what the programs print. Not simulated: contents of files, and expire.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SEGMENT_SECONDS = 60
VERSION = "2.45"
_FOLDER = 256
"""Segments in one folder of the archive."""
_FIRST = 2
"""The segment that is written when the stanza is created; one more was archived before."""


@dataclass(frozen=True, slots=True)
class LeftTimeline:
    """A timeline that a restore left. last: its newest segment; fork: where the next one begins; at: when, epoch.

    origin: the timeline that the next one continues, which may be an earlier one; reason: as in the history file.
    """

    last: int
    fork: int
    at: float
    origin: int
    reason: str


@dataclass(frozen=True, slots=True)
class DamagedFile:
    """A file in the folder of a backup. actual: its size in bytes, None where it is missing."""

    path: str
    expected: int
    actual: int | None = None


@dataclass(slots=True)
class SimulatedRepository:
    """One stanza in one bucket path. holes: numbers of segments that are gone; damaged_files: by label.

    damaged_contents: files whose size is right and whose contents are not, by label. damaged_wal: numbers of segments
    of that kind. removals: numbers of segments whose commit drops a table; points: names of restore points, by number.
    """

    stanza: str = "main"
    system_id: int = 0
    backups: list[dict[str, Any]] = field(default_factory=list)
    began: float = 0
    is_locked: bool = False
    holes: set[int] = field(default_factory=set)
    former_timelines: list[LeftTimeline] = field(default_factory=list)
    damaged_files: dict[str, list[DamagedFile]] = field(default_factory=dict)
    damaged_contents: dict[str, list[str]] = field(default_factory=dict)
    damaged_wal: set[int] = field(default_factory=set)
    removals: set[int] = field(default_factory=set)
    points: dict[int, str] = field(default_factory=dict)

    @property
    def timeline(self) -> int:
        """The server's own."""
        return len(self.former_timelines) + 1

    def number(self, now: float, timeline: int | None = None) -> int:
        """The newest segment of a timeline at a moment, by default of the server's: it writes one a minute."""
        place = (timeline or self.timeline) - 1
        began, first = (
            (self.former_timelines[place - 1].at, self.former_timelines[place - 1].fork)
            if place
            else (self.began, _FIRST)
        )
        end = self.former_timelines[place].at if place < len(self.former_timelines) else now
        return first + int(max(min(now, end) - began, 0) // SEGMENT_SECONDS)

    def moment(self, number: int, timeline: int) -> float:
        """When a segment of a timeline began, epoch."""
        began, first = (
            (self.former_timelines[timeline - 2].at, self.former_timelines[timeline - 2].fork)
            if timeline > 1
            else (self.began, _FIRST)
        )
        return began + max(number - first, 0) * SEGMENT_SECONDS

    def segment(self, now: float) -> str:
        """The name of the newest segment."""
        return segment_name(self.number(now), self.timeline)

    def go_back(self, number: int, now: float, origin: int | None = None, reason: str = "") -> None:
        """Continue on a new timeline, as after a restore to an earlier moment."""
        reason = reason or f"before {datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S}.000000+00"
        self.former_timelines.append(LeftTimeline(self.number(now), number, now, origin or self.timeline, reason))

    def archive_listing(self, now: float, scope: str) -> list[str]:
        """The archive, reduced to a line for each run of segments in one folder; see ``status/listing``."""
        if not self.system_id:
            return [f"pgBackRest {VERSION}"]
        return [f"pgBackRest {VERSION}", "archive 15-1", *self._histories(), *self._runs(now, scope)]

    def _histories(self) -> Iterator[str]:
        texts = {1: ""}
        for timeline, former in enumerate(self.former_timelines, start=2):
            texts[timeline] = f"{texts[former.origin]}{former.origin}\t{lsn(former.fork)}\t{former.reason}\n"
            yield f"history {timeline:08X} {former.at:.0f} {base64.b64encode(texts[timeline].encode()).decode()}"

    def _runs(self, now: float, scope: str) -> Iterator[str]:
        firsts = [1, *(former.fork for former in self.former_timelines)]
        lasts = [*(former.last for former in self.former_timelines), self.number(now)]
        begans = [self.began, *(former.at for former in self.former_timelines)]
        for timeline, (first, last, began) in enumerate(zip(firsts, lasts, begans, strict=True), start=1):
            for folder in range(first // _FOLDER, last // _FOLDER + 1):
                name = segment_name(folder * _FOLDER, timeline)[:16]
                yield f"folder {name}"
                if scope == "newest":
                    yield f"read {name}"
                start, end = max(folder * _FOLDER, first), min(folder * _FOLDER + _FOLDER - 1, last)
                for begin, stop in self._present(start, end):
                    at = began + max(stop - max(first, _FIRST), 0) * SEGMENT_SECONDS
                    size = 16_000 * (stop - begin + 1)
                    yield f"run {segment_name(begin, timeline)} {segment_name(stop, timeline)} {size} {at:.0f}"

    def _present(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Runs without the holes."""
        begin = first
        for hole in sorted(each for each in self.holes if first <= each <= last):
            if hole > begin:
                yield begin, hole - 1
            begin = hole + 1
        if begin <= last:
            yield begin, last

    def backup_script(self, name: str, chosen_labels: list[str]) -> list[str]:
        """What a script of ``status/backup_files`` prints."""
        if name == "backup-files":
            labels = [backup["label"] for backup in self.backups]
            return [*self._backup_listing(), "listed", *self._backup_comparison(labels)]
        return self._backup_listing() if name == "backup-listing" else self._backup_comparison(chosen_labels)

    def _backup_listing(self) -> list[str]:
        """A fingerprint of each backup's folder."""
        labels = [backup["label"] for backup in self.backups]
        damages = {label: self.damaged_files.get(label, []) for label in labels}
        files = [f"files {label} {5 - len(damage)} 4568010 {len(damage)}" for label, damage in damages.items()]
        return [*(f"backup {label}" for label in labels), *files]

    def _backup_comparison(self, chosen_labels: list[str]) -> list[str]:
        """The files of backups beside their manifests; every backup builds on the earlier ones of its full backup."""
        lines = []
        for backup in self.backups:
            label, damage = backup["label"], self.damaged_files.get(backup["label"], [])
            if label not in chosen_labels:
                continue
            lines += [
                f"fault {label} {file.expected} {'-' if file.actual is None else file.actual} {file.path}"
                for file in damage
            ]
            lines += [f"faults {label} {len(damage)}"] if damage else []
            if backup["error"]:
                lines += [f"page {label} pg_data/base/16384/16385 [3] myapp", f"pages {label} 1"]
            lines.append(f"compared {label}")
        labels = [backup["label"] for backup in self.backups]
        for bad_label in (label for label in labels if self.damaged_files.get(label)):
            full = bad_label.partition("_")[0]
            lines += [f"needs {label} {bad_label}" for label in labels if label > bad_label and label.startswith(full)]
        return lines + [f"backup {label}" for label in labels]

    def verification(self) -> list[str]:
        """The report of ``pgbackrest verify --output=text --verbose``, after a line for each damaged file."""
        lines = []
        for label, damage in self.damaged_contents.items():
            lines += [f"P01   INFO: invalid checksum '{label}/{path}'" for path in damage]
        is_whole = not any(self.damaged_contents.values())
        lines += ["stanza: main", f"status: {'ok' if is_whole else 'error'}"]
        lines.append("  archiveId: 15-1, total WAL checked: 20, total valid WAL: 20")
        for backup in self.backups:
            count = len(self.damaged_contents.get(backup["label"], []))
            state = f"status: {'invalid' if count else 'valid'}, total files checked: 1262"
            lines.append(f"  backup: {backup['label']}, {state}, total valid files: {1262 - count}")
            lines.append(f"    missing: 0, checksum invalid: {count}, size invalid: 0, other: 0")
        return lines


def add_backup(
    repository: SimulatedRepository, kind: str, began: float, ended_at: float, segment: str
) -> dict[str, Any]:
    """Record a backup in the form of the info JSON; returns it."""
    at = datetime.fromtimestamp(began, UTC).strftime("%Y%m%d-%H%M%S")
    fulls = [backup for backup in repository.backups if backup["type"] == "full"]
    full = kind == "full" or not fulls
    prior = None if full else (fulls[-1] if kind == "diff" else repository.backups[-1])["label"]
    label = f"{at}F" if full else f"{fulls[-1]['label']}_{at}{kind[0].upper()}"
    delta = 30_723_875 if full else 2_214_912
    number = int(segment[-8:], 16)
    backup = {
        "archive": {"start": segment, "stop": segment},
        "backrest": {"format": 5, "version": VERSION},
        "database": {"id": 1, "repo-key": 1},
        "error": False,
        "info": {
            "delta": delta,
            "repository": {"delta": delta // 8, "size": 30_723_875 // 8},
            "size": 30_723_875,
        },
        "label": label,
        "lsn": {"start": f"0/{number:X}000028", "stop": f"0/{number:X}000138"},
        "prior": prior,
        "reference": None if full else [fulls[-1]["label"]],
        "timestamp": {"start": int(began), "stop": int(ended_at)},
        "type": "full" if full else kind,
    }
    repository.backups.append(backup)
    return backup


def segment_name(number: int, timeline: int = 1) -> str:
    """24 hexadecimal digits."""
    return f"{timeline:08X}{number // 256:08X}{number % 256:08X}"


def lsn(number: int) -> str:
    """A WAL position near the beginning of a segment."""
    return f"{number >> 8:X}/{(number & 0xFF) << 24 | 40:X}"
