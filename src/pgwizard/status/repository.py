"""The backups and the WAL of a release's repository, as pgBackRest lists them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup of the repository; sizes in bytes, times in UTC.

    size: of the database; stored: what this backup added to the repository. wal_start, wal_stop: the first and the last
    segment that it needs; lsn_stop: the WAL position at which it is consistent, 0 where that is not known. error: a
    page's checksum was wrong.
    """

    label: str
    type: str
    start: datetime
    stop: datetime
    size: int
    stored: int
    wal_start: str
    wal_stop: str
    error: bool = False
    lsn_stop: int = 0

    @property
    def full_label(self) -> str:
        """The label of the full backup that this one is, or builds on."""
        return self.label.partition("_")[0]


@dataclass(frozen=True, slots=True)
class Wal:
    """The oldest and the newest segment of the archive, by name. What is missing between them cannot be seen."""

    first: str
    last: str

    @property
    def segments(self) -> int | None:
        """How many there must be; None where a timeline changed between them."""
        between = segments_between(self.first, self.last)
        return None if between is None else between + 1


@dataclass(frozen=True, slots=True)
class RepositoryInfo:
    """The repository by pgBackRest's answer. backups: oldest first; stanza: its error as a whole, empty for none.

    system_id: of the database whose backups these are, empty where there is none yet.
    """

    backups: tuple[Backup, ...]
    stanza: str = ""
    wal: Wal | None = None
    system_id: str = ""


def segments_between(first: str, last: str) -> int | None:
    """How many segments later ``last`` is; None on another timeline, and for what is no name of a segment."""
    if len(first) != 24 or len(last) != 24 or first[:8] != last[:8]:
        return None
    try:
        low, high = (int(name[8:16], 16) * 256 + int(name[16:], 16) for name in (first, last))
    except ValueError:
        return None
    return high - low if high >= low else None


def is_segment(name: str) -> bool:
    """Whether a file of the archive is a segment, and no history file."""
    return segments_between(name, name) is not None
