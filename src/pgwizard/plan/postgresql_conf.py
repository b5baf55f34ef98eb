"""Reads postgresql.conf as PostgreSQL does. Pure. Source: guc-file.l of PostgreSQL 15."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pgwizard.plan.tuning import Parameter

_POSTGRESQL = re.compile(
    r"""(?:ALTER\ SYSTEM\ SET\ )?
        (?P<name>[a-z_][a-z0-9_.$]*) (?:\s*=\s*|\s+(?:TO\s+)?)
        (?P<value>'(?:[^'\\]|''|\\.)*'|[a-z0-9_.:/+%-]+)
        \s* ;? \s* (?:\#\s*(?P<comment>.*))?""",
    re.IGNORECASE | re.VERBOSE,
)
"""A line of postgresql.conf, or the command that writes one."""
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def postgresql_line(line: str) -> Parameter | None:
    """The parameter of a line, its comment as the reason; None where it sets none, as an include does."""
    match = _POSTGRESQL.fullmatch(line.strip())
    if match is None or match["name"].lower().startswith("include"):
        return None
    return Parameter(match["name"].lower(), _unquote(match["value"]), (match["comment"] or "").strip())


def _unquote(value: str) -> str:
    if not value.startswith("'"):
        return value

    def character(match: re.Match[str]) -> str:
        if match[0] == "''":
            return "'"
        return chr(int(match[1], 8) % 256) if match[1][0] in "01234567" else _ESCAPES.get(match[1], match[1])

    return re.sub(r"''|\\([0-7]{1,3}|.)", character, value[1:-1])


@dataclass(frozen=True, slots=True)
class PostgresqlConf:
    """The parameters of a file, in the order of their first lines; of one that is set twice the last value counts.

    unread: the lines that set no parameter, such as includes.
    """

    parameters: tuple[Parameter, ...]
    unread: tuple[str, ...]


def read_postgresql(text: str) -> PostgresqlConf:
    """Blank lines and comments are left out."""
    settings: dict[str, Parameter] = {}
    unread = []
    for line in map(str.strip, text.split("\n")):
        if not line or line.startswith("#"):
            continue
        parameter = postgresql_line(line)
        if parameter is None:
            unread.append(line)
        else:
            settings[parameter.name] = parameter
    return PostgresqlConf(tuple(settings.values()), tuple(unread))
