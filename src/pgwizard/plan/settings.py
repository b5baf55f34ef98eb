"""PostgreSQL's parameters and how it reads their values: ``of(name, version).read(text)``.

One reader for every rule, so that ``131072``, ``1GB`` and ``1073741824B`` are the same shared_buffers, and ``128M`` is
refused as the server refuses it. settings.tsv is pg_settings of PostgreSQL 15, 17 and 18, written by the live test that
compares it with the servers. The rules are those of guc.c: parse_bool, parse_int, parse_real and the enum look-up.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

Kind = Literal["bool", "integer", "real", "string", "enum", "internal"]
Value = bool | Decimal | str

TABLE = Path(__file__).with_name("settings.tsv")
VERSIONS = (15, 17, 18)
"""The versions in the table. Another one is checked by the table of a neighbour, see ``origin``."""

_BYTES: dict[str, int] = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_MICROSECONDS: dict[str, int] = {
    "us": 1,
    "ms": 1000,
    "s": 10**6,
    "min": 60 * 10**6,
    "h": 3600 * 10**6,
    "d": 86_400 * 10**6,
}
_NUMBER = re.compile(
    r"[ \t\n\v\f\r]*([+-]?(?:0[xX][0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?))"
    r"[ \t\n\v\f\r]*([^ \t\n\v\f\r]*)[ \t\n\v\f\r]*"
)
_SPELLINGS = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
_OLD_SPELLINGS = {"wal_level": ("archive", "hot_standby")}
"""Old spellings that pg_settings does not list; both mean replica."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter of one version. unit: what a bare number counts, such as ``8kB`` or ``ms``; empty for none.

    minimum, maximum: in that unit; None where there is none. choices: of an enum.
    """

    name: str
    kind: Kind
    unit: str = ""
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    choices: tuple[str, ...] = ()

    def read(self, text: str) -> Value:
        """The value as the server reads it: a bool, a number in the setting's unit, or text.

        Raises ValueError with what the server expects.
        """
        match self.kind:
            case "bool":
                return self._bool(text)
            case "enum":
                return self._choice(text)
            case "integer" | "real":
                return self._number(text)
            case "internal":
                raise ValueError("cannot be set: the server decides it")
        _check_text(self.name, text)
        return text

    def _bool(self, text: str) -> bool:
        value = boolean(text)
        if value is None:
            raise ValueError(f"{_short(text)} is neither on nor off")
        return value

    def _choice(self, text: str) -> str:
        word = text.lower()
        spellings: dict[str, str] = {
            choice.lower(): choice for choice in (*self.choices, *_OLD_SPELLINGS.get(self.name, ()))
        }
        if {"on", "off"} <= spellings.keys():
            spellings |= dict.fromkeys(("true", "yes", "1"), "on") | dict.fromkeys(("false", "no", "0"), "off")
        if "debug1" in spellings:
            spellings |= {"debug": "debug2", "info": "info"}
        if word not in spellings:
            raise ValueError(f"{_short(text)} is not one of {', '.join(filter(None, self.choices))}")
        return spellings[word]

    def _number(self, text: str) -> Decimal:
        expectation = self._expectation()
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise ValueError(f"{_short(text)} is not a number; expected {expectation}")
        number, unit = _decimal(match[1], whole=self.kind == "integer"), match[2]
        if unit:
            number = self._convert(number, unit, text)
        if self.kind == "integer":
            number = number.to_integral_value()  # to the nearest, half to even, as rint does
        low, high = self.minimum, self.maximum
        if (low is not None and number < low) or (high is not None and number > high):
            raise ValueError(f"{_short(text)} is outside {low} to {high}{f' (in {self.unit})' if self.unit else ''}")
        return number

    def _convert(self, number: Decimal, unit: str, text: str) -> Decimal:
        if not self.unit:
            raise ValueError(f"{_short(text)} has a unit; expected a number alone")
        units = _BYTES if self._is_size else _MICROSECONDS
        if unit not in units:
            short = unit.lower().replace("i", "") if self._is_size else unit.lower()
            # the largest first: 5m is meant as minutes
            close = [other for other in reversed(units) if _begins_alike(other.lower(), short)]
            spellings_with_unit = (f"{text[: text.rfind(unit)].strip()}{other}" for other in close)
            suggestion = next((f": did you mean {value}?" for value in spellings_with_unit if self._takes(value)), "")
            raise ValueError(
                f"{_short(text)}: {_short(unit)} is not a unit of it; expected {', '.join(units)}{suggestion}"
            )
        value = number * units[unit]
        smaller = max((size for size in units.values() if size < units[unit]), default=None)
        if smaller is not None:  # 1e-3GB is 1MB
            value = (value / smaller).to_integral_value() * smaller
        return value / self.unit_size

    def _takes(self, text: str) -> bool:
        try:
            self.read(text)
        except ValueError:
            return False
        return True

    @property
    def _is_size(self) -> bool:
        return self.unit.lstrip("0123456789") in _BYTES

    @property
    def unit_size(self) -> int:
        """The unit of a bare number, in bytes or in microseconds; 1 without a unit."""
        count, name = re.fullmatch(r"([0-9]*)(.*)", self.unit).groups()  # type: ignore[union-attr]
        return int(count or 1) * {**_BYTES, **_MICROSECONDS, "": 1}[name]

    def _expectation(self) -> str:
        if not self.unit:
            return "a whole number" if self.kind == "integer" else "a number"
        return f"a number with one of the units {', '.join(_BYTES if self._is_size else _MICROSECONDS)}"


def boolean(text: str) -> bool | None:
    """on, true, yes and 1 or a beginning of them, in any case, and their opposites; None for anything else."""
    word_ = text.lower()
    if word_ in ("0", "1"):
        return word_ == "1"
    values = {value for word, value in _SPELLINGS.items() if word_ and word.startswith(word_)}
    return values.pop() if len(values) == 1 else None


def _decimal(text: str, *, whole: bool) -> Decimal:
    """The number as strtol with base 0 and strtod read it: hexadecimal, and octal where it is a whole one."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.lstrip("+"))
    if digits[:2].lower() == "0x":
        return Decimal(sign * int(digits, 16))
    if whole and re.fullmatch(r"0[0-7]+", digits):
        return Decimal(sign * int(digits, 8))
    if whole and re.fullmatch(r"0[0-9]+", digits):  # strtol ends before the 8 or the 9
        raise ValueError(f"{_short(text)} is not a number; expected one without a leading zero")
    return sign * Decimal(digits)


_NAME_LISTS = ("search_path", "log_destination", "datestyle", "temp_tablespaces")
"""Parameters that are names with commas between them; those with blanks or commas of their own in double quotes."""
_NAMES = re.compile(r'\s*(?:"(?:[^"]|"")+"|[^",\s]+)(?:\s*,\s*(?:"(?:[^"]|"")+"|[^",\s]+))*\s*')
_ENCODINGS = {
    *("abc", "alt", "big5", "gb18030", "gbk", "johab", "koi8", "koi8r", "koi8u", "mskanji", "muleinternal", "shiftjis"),
    *("eucjis2004", "shiftjis2004", "sjis", "sqlascii", "tcvn", "tcvn5712", "uhc", "unicode", "utf8", "vscii", "win"),
    *(f"euc{country}" for country in ("cn", "jp", "kr", "tw")),
    *(f"latin{number}" for number in range(1, 11)),
    *(f"iso8859{number}" for number in (*range(1, 11), 13, 14, 15, 16)),
    *(f"{family}{number}" for family in ("win", "windows") for number in (866, 874, 932, 936, 949, 950)),
    *(f"{family}{number}" for family in ("win", "windows") for number in range(1250, 1259)),
}
"""By lower-case letters and digits alone. Source: pg_encname_tbl of PostgreSQL's encnames.c."""
_DESTINATIONS = ("stderr", "csvlog", "jsonlog", "syslog")
_DATE_WORDS = {"iso", "sql", "german", "postgres", "ymd", "dmy", "mdy", "us", "noneuro", "euro", "european", "default"}
_POSIX_ZONE = re.compile(r"(?:<[^<>]{3,}>|[A-Za-z]{3,})[+-]?[0-9]{1,3}.*|[+-]?[0-9.]+|interval .*", re.IGNORECASE)


def _check_text(name: str, text: str) -> None:
    """Check a text as the server checks its form. Raises ValueError."""
    if name in _NAME_LISTS and text.strip() and not _NAMES.fullmatch(text):
        raise ValueError(f"{_short(text)} is not a list of names; expected commas between them")
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if name == "client_encoding" and re.sub("[^a-z0-9]", "", text.lower()) not in _ENCODINGS:
        raise ValueError(f"{_short(text)} is not an encoding of PostgreSQL; expected such as UTF8")
    if name == "log_destination" and (wrong := [word for word in words if word not in _DESTINATIONS]):
        raise ValueError(f"{_short(wrong[0])} is not one of {', '.join(_DESTINATIONS)}")
    if name == "datestyle" and (wrong := [word for word in words if word not in _DATE_WORDS]):
        raise ValueError(f"{_short(wrong[0])} is no style of dates; expected such as iso, dmy")
    if name in ("timezone", "log_timezone") and not _POSIX_ZONE.fullmatch(text) and text.lower() not in _zones():
        raise ValueError(f"{_short(text)} is not a time zone; expected an IANA name, such as Etc/UTC or Europe/Berlin")


@functools.cache
def _zones() -> frozenset[str]:
    import zoneinfo

    return frozenset(name.lower() for name in zoneinfo.available_timezones())


def _begins_alike(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def of(name: str, version: int) -> Setting | None:
    """The parameter of that version of PostgreSQL; None where it has none, or where that is not known."""
    return _table(_nearest(version)).get(name) or (_table(17).get(name) if version == 16 else None)


def origin(name: str, version: int) -> str:
    """The table that a refusal comes from, to be appended to it; empty where it is that of the version itself."""
    if version in VERSIONS:
        return ""
    table = _nearest(version) if name in _table(_nearest(version)) or version != 16 else 17
    return f" (checked by the parameters of PostgreSQL {table}; pgwizard has no table for {version})"


def find_unknown(name: str, version: int) -> str | None:
    """Why the server would not start: it has no parameter of that name. None where it has one, or may have one."""
    if "." in name or version < VERSIONS[0] or of(name, version) is not None:
        return None  # an extension's, or of a version that the table does not have
    unknown = f"is not a parameter of PostgreSQL {version}"
    if present := _PRESENT_NAMES.get(name):
        return f"{unknown}: use {present}"
    if others := [version_ for version_ in VERSIONS if name in _table(version_)]:
        return f"{unknown}, only of {', '.join(map(str, others))}"
    import difflib

    settable = [name for name, setting in _table(_nearest(version)).items() if setting.kind != "internal"]
    close = difflib.get_close_matches(name, settable, 1)
    return unknown + (f": did you mean {close[0]}?" if close else "")


_PRESENT_NAMES = {
    "checkpoint_segments": "max_wal_size",
    "force_parallel_mode": "debug_parallel_query",
    "sort_mem": "work_mem",
    "ssl_ecdh_curve": "ssl_groups",
    "unix_socket_directory": "unix_socket_directories",
    "vacuum_mem": "maintenance_work_mem",
    "wal_keep_segments": "wal_keep_size",
}
"""What a parameter that was renamed is called today."""


def size_bytes(name: str, values: Mapping[str, str], version: int) -> int | None:
    """The bytes of a size among values; None where it is not there, is not readable, or is negative: a default."""
    number = _number(name, values, version)
    setting = of(name, version)
    return int(number * setting.unit_size) if setting and number is not None and number >= 0 else None


def count(name: str, values: Mapping[str, str], version: int) -> int | None:
    """The same for a plain number."""
    number = _number(name, values, version)
    return int(number) if number is not None and number >= 0 else None


def _number(name: str, values: Mapping[str, str], version: int) -> Decimal | None:
    setting = of(name, version)
    if setting is None or name not in values:
        return None
    try:
        value = setting.read(values[name])
    except ValueError:
        return None
    return value if isinstance(value, Decimal) else None


def _nearest(version: int) -> int:
    return max((each for each in VERSIONS if each <= version), default=VERSIONS[0])


@functools.cache
def _table(version: int) -> dict[str, Setting]:
    table = {}
    for line in TABLE.read_text(encoding="ascii").splitlines():
        name, first, last, kind, unit, low, high, choices = line.split("\t")
        if int(first) <= version <= int(last):
            limits = (Decimal(low) if low else None, Decimal(high) if high else None)
            among = tuple(choices.split(",")) if kind == "enum" else ()  # one of them may be the empty text
            table[name] = Setting(name, kind, unit, *limits, among)  # type: ignore[arg-type]
    return table
