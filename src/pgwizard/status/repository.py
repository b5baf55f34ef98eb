"""The backups and the WAL of a release's repository, as pgBackRest lists them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

_FILENODE = re.compile(r"[0-9]+")
_LABEL = re.compile(r"[0-9]{8}-[0-9]{6}F(_[0-9]{8}-[0-9]{6}[DI])?")


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup of the repository; sizes in bytes, times in UTC.

    size: of the database; stored: what this backup added to the repository. wal_start, wal_stop: the first and the last
    segment that it needs; lsn_stop: the WAL position at which it is consistent, 0 where that is not known. error: a
    page's checksum was wrong; prior: the label of the backup that it builds on. version: pgBackRest's, empty where that
    is not known.
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
    prior: str = ""
    version: str = ""

    @property
    def full_label(self) -> str:
        """The label of the full backup that this one is, or builds on."""
        return self.label.partition("_")[0]


@dataclass(frozen=True, slots=True)
class FileFault:
    """A file of a backup that is missing, where ``found`` is None, or has another size. path: in the backup's folder.

    Sizes in bytes, as stored.
    """

    path: str
    expected: int
    found: int | None = None


@dataclass(frozen=True, slots=True)
class DamagedPages:
    """A file of the database with pages whose checksum was wrong.

    path: in the data directory; pages: such as ``3, 7-8``; database: its name, empty if unknown.
    """

    path: str
    pages: str
    database: str = ""

    @property
    def filenode(self) -> tuple[int, int] | None:
        """The tablespace, 0 for the default one, and the number of the file; None for what is no relation of one."""
        match self.path.split("/"):
            case ["base", _, name] if match := _FILENODE.match(name):
                return 0, int(match[0])
            case ["pg_tblspc", space, _, _, name] if space.isdecimal() and (match := _FILENODE.match(name)):
                return int(space), int(match[0])
        return None


@dataclass(frozen=True, slots=True)
class Wal:
    """The oldest and the newest segment of the archive, by name. Gaps between them cannot be seen."""

    first: str
    last: str


@dataclass(frozen=True, slots=True)
class RepositoryInfo:
    """The repository by pgBackRest's answer. backups: oldest first; stanza: its error as a whole, empty for none.

    system_id: of the database whose backups these are, empty where there is none yet; version: its major version
    of PostgreSQL, empty where that is not known.
    """

    backups: tuple[Backup, ...]
    stanza: str = ""
    wal: Wal | None = None
    system_id: str = ""
    version: str = ""


def read_lsn(text: str) -> int:
    """A WAL position as PostgreSQL writes it, such as ``0/3000050``, in bytes. Raises ValueError."""
    high, low = text.split("/")
    return int(high, 16) * 2**32 + int(low, 16)


def segment_number(name: str, segment_bytes: int) -> int:
    """The first WAL position of a segment, divided by its size. Raises ValueError for what is no name of one."""
    if len(name) != 24:
        raise ValueError(f"{name} is no segment")
    return int(name[8:16], 16) * (2**32 // segment_bytes) + int(name[16:], 16)


def segments_between(first: str, last: str, segment_bytes: int) -> int | None:
    """How many segments later ``last`` is; None on another timeline, and for an invalid name."""
    try:
        count = segment_number(last, segment_bytes) - segment_number(first, segment_bytes)
    except ValueError:
        return None
    return count if first[:8] == last[:8] and count >= 0 else None


def is_label(text: str) -> bool:
    """Whether it is the label of a backup, as pgBackRest names them all."""
    return _LABEL.fullmatch(text) is not None


def is_segment(name: str) -> bool:
    """Whether a file of the archive is a segment rather than a history file."""
    return segments_between(name, name, 2**24) is not None
