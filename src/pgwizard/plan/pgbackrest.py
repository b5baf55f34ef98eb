"""What each release of pgBackRest supports: its options and their values, and the PostgreSQL versions it can read.

pgbackrest.tsv is what pgBackRest 2.45, 2.55 and 2.60 say of their own options, and the release notes of what came
between them; tools/pgbackrest_options writes it. A release between two of them is read by the older one's rows and by
what it brought itself.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pgwizard.tls.names import Rules

Version = tuple[int, ...]
OptionKind = Literal["boolean", "integer", "size", "time", "choice", "path", "string", "list", "hash", ""]

TABLE = Path(__file__).with_name("pgbackrest.tsv")

POSTGRESQL_SINCE: dict[int, Version] = {16: (2, 46), 17: (2, 53, 1), 18: (2, 55)}
COMPRESSION_SINCE: dict[str, Version] = {"lz4": (2, 25), "zst": (2, 27), "bz2": (2, 28)}
HTTP_SINCE: Version = (2, 58)
DOTTED_BUCKET_SINCE: Version = (2, 58)
IP_SAN_SINCE: Version = (2, 53)
BLOCK_SINCE: Version = (2, 52, 1)
BUNDLE_SINCE: Version = (2, 39)
TIME_UNITS_SINCE: Version = (2, 53)
QUEUE_MAX_BYTES = 4 * 1024**5
PROCESS_MAX = 999

_OLD_NAMES = {
    "archive-queue-max": "archive-push-queue-max",
    "hardlink": "repo-hardlink",
    "retention-archive": "repo-retention-archive",
    "retention-archive-type": "repo-retention-archive-type",
    "retention-diff": "repo-retention-diff",
    "retention-full": "repo-retention-full",
    "repo-s3-host": "repo-storage-host",
    "repo-s3-port": "repo-storage-port",
    "repo-s3-ca-file": "repo-storage-ca-file",
    "repo-s3-ca-path": "repo-storage-ca-path",
    "repo-s3-verify-tls": "repo-storage-verify-tls",
    "repo-s3-verify-ssl": "repo-storage-verify-tls",
}
"""The present name of a deprecated one, without index."""


@dataclass(frozen=True, slots=True)
class ConfigOption:
    """One option from a release on. removed_in: the first release of the table that no longer has it; empty for none.

    section: which part of a configuration file may hold it: global, stanza, or command for none. minimum, maximum: as
    pgBackRest writes them. choices: the allowed values, of any kind.
    """

    name: str
    since: Version
    removed_in: Version
    section: Literal["global", "stanza", "command"]
    kind: OptionKind
    minimum: str
    maximum: str
    choices: tuple[str, ...]
    is_secret: bool

    def check(self, text: str, release: Version) -> None:
        """Raise ValueError with what the release expects, where it would not start with this value or misread it."""
        match self.kind:
            case "boolean" if text not in ("y", "n"):
                raise ValueError(f"{_short(text)} is neither y nor n")
            case "path" if not text.startswith("/"):
                raise ValueError(f"{_short(text)} is not a path; expected one that begins with /")
            case "hash" if "=" not in text[1:]:
                raise ValueError(f"{_short(text)} is not a pair; expected key=value")
            case "integer" | "size" | "time":
                self._check_number(text, release)
            case "choice" if self.choices and text not in self.choices:
                raise ValueError(f"{_short(text)} is not one of {', '.join(self.choices)}")

    def _check_number(self, text: str, release: Version) -> None:
        number = _number(self.kind, text, release)
        if self.choices and number not in [_number(self.kind, choice, release) for choice in self.choices]:
            raise ValueError(f"{_short(text)} is not one of {', '.join(self.choices)}")
        low, high = (_number(self.kind, end, TIME_UNITS_SINCE) if end else None for end in (self.minimum, self.maximum))
        if (low is not None and number < low) or (high is not None and number > high):
            raise ValueError(f"{_short(text)} is outside {self.minimum} to {self.maximum}")


_SIZE_UNITS: dict[str, int] = {"": 1, **{unit: 1024**power for power, unit in enumerate("kmgtp", start=1)}}
_TIME_UNITS = {"ms": 1, "": 1000, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def _number(kind: OptionKind, text: str, release: Version) -> float:
    """The number that pgBackRest reads: bytes of a size, milliseconds of a time. Raises ValueError."""
    if kind == "integer":
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise ValueError(f"{_short(text)} is not a whole number")
        return int(text)
    if kind == "size":
        match = re.fullmatch(r"([0-9]{1,18})(?:([kmgtp])i?b?|b)?", text, re.IGNORECASE)
        if match is None:
            raise ValueError(f"{_short(text)} is not a size; expected a whole number and a unit, such as 64MiB")
        return int(match[1]) * _SIZE_UNITS[(match[2] or "").lower()]
    if release < TIME_UNITS_SINCE:
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?|\.[0-9]{1,6}", text):  # it would read 5m as five seconds
            raise ValueError(
                f"{_short(text)} is not a number of seconds: pgBackRest accepts a unit from "
                f"{version_text(TIME_UNITS_SINCE)} on, and ignores it before"
            )
        return float(text) * 1000
    match = re.fullmatch(r"([0-9]{1,12})(ms|[smhdw])?", text, re.IGNORECASE)
    if match is None:
        raise ValueError(f"{_short(text)} is not a time; expected a whole number and ms, s, m, h, d or w, such as 5m")
    return int(match[1]) * _TIME_UNITS[(match[2] or "").lower()]


def milliseconds(text: str, release: Version) -> float:
    """The value of an option that is a time. Raises ValueError."""
    return _number("time", text, release)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


_SECRET_WORDS = frozenset({"key", "pass", "passphrase", "password", "secret", "token"})


def is_secret(option: str) -> bool:
    """Whether the value of an option is a secret; for an unknown option, whether its name suggests it."""
    name = re.sub(r"^(repo|pg)[0-9]+-", r"\1-", option.strip().lower())
    rows = _table().get(name)
    return any(row.is_secret for row in rows) if rows else not _SECRET_WORDS.isdisjoint(name.split("-"))


def version(text: str) -> Version:
    """``"2.52.1"`` as (2, 52, 1)."""
    return tuple(int(part) for part in text.split("."))


def version_text(number: Version) -> str:
    """(2, 52, 1) as ``2.52.1``."""
    return ".".join(map(str, number))


def rules(release: Version) -> Rules:
    """Those for the names in a server's certificate."""
    return Rules(has_addresses=release >= IP_SAN_SINCE)


def strip_index(option: str) -> str:
    """The option without its index: ``repo1-path`` is ``repo-path``. Only repository 1 and cluster 1 exist here."""
    return re.sub(r"^(repo|pg)1-", r"\1-", option)


def add_index(option: str) -> str:
    """The option as a configuration file spells it: ``repo-path`` is ``repo1-path``."""
    return re.sub(r"^(repo|pg)-", r"\g<1>1-", option)


def present_name(option: str) -> str:
    """The option's name of today, without its index."""
    name = strip_index(option)
    return _OLD_NAMES.get(name, name)


def read_size(text: str) -> int:
    """The bytes of a size such as ``64MiB``, as pgBackRest reads it. Raises ValueError."""
    return int(_number("size", text, TIME_UNITS_SINCE))


def known_options() -> list[str]:
    """Every option that a configuration file may hold in some release, spelt as the file does."""
    return sorted(add_index(name) for name, rows in _table().items() if rows[-1].section != "command")


def of(option: str, release: Version) -> ConfigOption | None:
    """The option as the release has it; None where it has none of that name."""
    rows = [row for row in _table().get(strip_index(option), ()) if row.since <= release]
    return rows[-1] if rows and not (rows[-1].removed_in and rows[-1].removed_in <= release) else None


def since(option: str) -> Version | None:
    """The version that added the option: (0,) if every version has it, None if none has it in a file."""
    rows = _table().get(strip_index(option))
    return rows[0].since if rows and rows[0].section != "command" else None


def find_unknown(option: str, release: Version) -> str | None:
    """Why the option may not be in a configuration file of this release, with any value. None if it may."""
    name = strip_index(option)
    if current := _OLD_NAMES.get(name):
        return f"is an old name: use {add_index(current)}"
    rows = _table().get(name)
    if rows is None:
        if re.match(r"(repo|pg)[0-9]+-", name):
            return "there is one repository and one cluster, of index 1"
        import difflib

        close = difflib.get_close_matches(add_index(name), known_options(), 1)
        return "is not an option of pgBackRest" + (f": did you mean {close[0]}?" if close else "")
    if rows[-1].section == "command":
        return "is an option of the command line; pgBackRest ignores it in a file"
    if rows[-1].removed_in and rows[-1].removed_in <= release:
        return f"was removed in pgBackRest {version_text(rows[-1].removed_in)}"
    return None


@functools.cache
def _table() -> dict[str, tuple[ConfigOption, ...]]:
    """The rows of each option, the oldest first."""
    table: dict[str, tuple[ConfigOption, ...]] = {}
    for line in TABLE.read_text(encoding="ascii").splitlines():
        name, first, removed_in, section, kind, low, high, choices, secret = line.split("\t")
        among = tuple(filter(None, choices.split(",")))
        option = ConfigOption(
            name,
            version(first),
            version(removed_in) if removed_in else (),
            section,  # type: ignore[arg-type]
            kind,  # type: ignore[arg-type]
            low,
            high,
            among,
            bool(secret),
        )
        table[name] = (*table.get(name, ()), option)
    return table
