"""A pasted text as the one line of an input, or the reason why it is none. Pure.

Lines of a configuration file become the entries of a map; other questions take one line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import get_args

from pydantic.fields import FieldInfo

from pgwizard.answers.questions import ParameterName
from pgwizard.plan.pgbackrest import is_secret
from pgwizard.plan.postgresql_conf import postgresql_line
from pgwizard.wizard.text_input import read_text, write_text

_PAIR = re.compile(r"(?P<name>[^=:\s]+)\s*[=:]\s*(?P<value>(?:(?!\\;|;\s|;$).)*)")
"""A line of pgbackrest.conf; none of several entries as they are shown here."""


_SWITCH = re.compile(r"--(?P<name>[A-Za-z][-\w]*)(?:(?:=|\s+)(?P<value>.*))?")


class PasteRefused(ValueError):
    """Nothing was pasted. Its text says why, and never repeats what was pasted: it may be a secret."""


def one_line(text: str, field: FieldInfo | None = None, before: str = "", after: str = "") -> str:
    """The pasted text as a line to insert between two others. field: of the question; None where it is none.

    Raises PasteRefused.
    """
    _refuse_control_characters(text)
    if "-----BEGIN" in text:
        raise PasteRefused(
            "it is a PEM block, and an answer is the name of a file or of a Secret. Save the block as a file, and "
            "enter its path where a file is asked for"
        )
    lines = text.replace("\t", " ").splitlines()
    filled_lines = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    kind = getattr(field.annotation, "__origin__", None) if field is not None else None
    if field is not None and kind is dict:
        is_postgresql = get_args(field.annotation)[0] == ParameterName
        line = _map_line(filled_lines, field, _parameter if is_postgresql else _pair)
        return _between(before, line, after, ";") if len(filled_lines) > 1 else line
    if kind is list and len(filled_lines) > 1:
        items = (line.removeprefix("- ").strip(" ,") for _, line in filled_lines if not line.startswith("#"))
        return _between(before, ", ".join(items), after, ",")
    if len(filled_lines) > 1:
        raise PasteRefused(f"it has {len(filled_lines)} lines, and the answer is one line. Paste one of them")
    return "".join(line for _, line in filled_lines)


def _between(before: str, line: str, after: str, separator: str) -> str:
    """With a separator on each side where there are other entries."""
    begins = bool(before.strip()) and not before.rstrip().endswith(separator)
    ends = bool(after.strip()) and not after.lstrip().startswith(separator)
    return f"{f'{separator} ' if begins else ''}{line}{f'{separator} ' if ends else ''}"


def _refuse_control_characters(text: str) -> None:
    for character in text:
        if unicodedata.category(character) == "Cc" and character not in "\t\r\n":
            raise PasteRefused(
                f"it holds a control character, U+{ord(character):04X}. Copy it again as plain text, without colours"
            )


# ---- maps ----------------------------------------------------------------------------------------------------------


def _map_line(lines: list[tuple[int, str]], field: FieldInfo, read: Callable[[str], tuple[str, str] | None]) -> str:
    if len(lines) == 1 and read(lines[0][1]) is None:  # part of an entry, or entries in the form of the input
        number, line = lines[0]
        for name in read_text(field, line):
            _refuse_secret(name, number)
        return line
    entries: dict[str, str] = {}
    for number, line in _entries(lines):
        entry = read(line)
        if entry is None:
            raise PasteRefused(f"line {number} is not name = value. Correct that line, and paste again")
        name, value = entry
        _refuse_secret(name, number)
        if not value.isprintable():
            raise PasteRefused(
                f"the value in line {number} has a line break or another character that does not print. Leave that "
                "line out"
            )
        entries[name] = value  # as in a file, the last one counts
    text = write_text(entries)
    if read_text(field, text).keys() != entries.keys():
        raise PasteRefused("it does not fit on one line. Write it into the file of answers")
    return text


def _refuse_secret(name: str, number: int) -> None:
    if is_secret(name):
        raise PasteRefused(f"line {number} holds a secret, and an answer never does. Leave that line out")


def _entries(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Without comments and the titles of sections. The switches of a command, such as --jit=off, are a line each."""
    for number, line in lines:
        if line.startswith(("#", "[")) or re.match(r"--(\s|$)", line):
            continue
        is_command = line.startswith("--")
        for entry in re.split(r"\s+(?=--[A-Za-z])", line.rstrip("\\ ")) if is_command else [line]:
            yield number, entry


def _parameter(line: str) -> tuple[str, str] | None:
    if switch := _SWITCH.fullmatch(line):
        line = f"{switch['name'].replace('-', '_')} = {switch['value'] or ''}"
    parameter = postgresql_line(line)
    return (parameter.name, parameter.value) if parameter else None


def _pair(line: str) -> tuple[str, str] | None:
    if switch := _SWITCH.fullmatch(line):
        name, value = switch["name"], switch["value"]
        if value is None:
            return name.removeprefix("no-"), "n" if name.startswith("no-") else "y"
        line = f"{name}={value}"
    match = _PAIR.fullmatch(line)
    if match is None:
        return None
    value = match["value"]
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return match["name"], value[1:-1] if is_quoted else value
