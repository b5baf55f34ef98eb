"""A pasted text as the one line of an input, or the reason why it is none. Pure.

Lines of a configuration file become the entries of a map; other questions take one line.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

from pydantic.fields import FieldInfo

from pgwizard.answers import strict_yaml
from pgwizard.answers.questions import LabelValue, ParameterName
from pgwizard.plan.pgbackrest import is_secret
from pgwizard.plan.postgresql_conf import postgresql_line
from pgwizard.wizard.text_input import read_text, write_text

_PAIR = re.compile(r"(?P<name>[^=:\s]+)\s*[=:]\s*(?P<value>(?:(?!\\;|;\s|;$).)*)")
"""A line of pgbackrest.conf; none of several entries as they are shown here."""


_BEGINS_ENTRY = re.compile(r"[A-Za-z_][\w./-]*\s*[=:]")
_SQL = re.compile(r"(?:ALTER\s+SYSTEM\s+)?SET\s+(?:(?:SESSION|LOCAL)\s+)?(?P<rest>.+)", re.IGNORECASE)
_BEGINNING = re.compile(r"ALTER\s+SYSTEM(?:\s+SET)?", re.IGNORECASE)
_OTHER_SQL = re.compile(r"(?:ALTER|RESET|SELECT|SET|SHOW)\s", re.IGNORECASE)
_SQL_COMMENT = re.compile(r"('(?:[^']|'')*')|(?<=[\s;])--.*")
_Entry = tuple[int, str | tuple[str, Any]]
"""The number of a line, and the line or the name and the value that were read from it."""
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
        names, values = get_args(field.annotation)
        if values == LabelValue:  # as kubectl prints labels; no value of one has a comma
            filled_lines = [(number, part.strip()) for number, line in filled_lines for part in line.split(",")]
        line = _map_line(
            _yaml_entries(text) or list(_entries(filled_lines)), field, _parameter if names == ParameterName else _pair
        )
        is_part = not _BEGINS_ENTRY.match(line) or before.rstrip().endswith(("=", ":"))
        return line if is_part else _between(before, line, after, ";")
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


def _map_line(lines: Sequence[_Entry], field: FieldInfo, read: Callable[[str], tuple[str, Any] | None]) -> str:
    if len(lines) == 1 and isinstance(line := lines[0][1], str) and read(line) is None:
        for name in read_text(field, line):  # part of an entry, or entries in the form of the input
            _refuse_secret(name, lines[0][0])
        return line
    entries: dict[str, Any] = {}
    for number, line in lines:
        entry = read(line) if isinstance(line, str) else line
        if entry is None:
            raise PasteRefused(f"line {number} is not name = value. Correct that line, and paste again")
        name, value = entry
        _refuse_secret(name, number)
        if not str(value).isprintable():
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
    """Without comments and the titles of sections. The switches of a command, such as --jit=off, are a line each.

    A command of SQL may have its parameter on the next line, as those of pgtune have.
    """
    began = ""
    for number, line in lines:
        whole = f"{began} {line}".strip()
        began = whole if _BEGINNING.fullmatch(whole) else ""
        if began or whole.startswith(("#", "[")) or re.match(r"--(\s|$)", whole):
            continue
        is_command = re.match(r"--|-c\s", whole)
        for entry in re.split(r"\s+(?=--[A-Za-z]|-c\s)", whole.rstrip("\\ ")) if is_command else [whole]:
            yield number, entry
    if began:
        yield lines[-1][0], began


def _yaml_entries(text: str) -> list[_Entry]:
    """The entries of a block of YAML or JSON, also below the question's own key, and as a list; empty if it is none."""
    if len(text.split("\n")) == 1 and not text.lstrip().startswith(("{", "- ")):
        return []
    document = strict_yaml.read(textwrap.dedent(text).encode(errors="replace"))
    block, path = document.value, tuple[str | int, ...]()
    while isinstance(block, dict) and len(block) == 1 and isinstance(next(iter(block.values())), (dict, list)):
        path = (*path, *block)
        block = block[path[-1]]
    items = [(block, path)] if isinstance(block, dict) else [(item, (*path, n)) for n, item in enumerate(block or ())]
    if document.problems or not isinstance(block, (dict, list)) or not all(isinstance(item, dict) for item, _ in items):
        return []
    entries = [(document.place((*at, name)), name, value) for item, at in items for name, value in item.items()]
    if any(value is None or isinstance(value, (dict, list)) for _, _, value in entries):
        return []
    return [(place[0] if place else 1, (name, value)) for place, name, value in entries]


def _parameter(line: str) -> tuple[str, str] | None:
    if switch := _SWITCH.fullmatch(line):
        line = f"{switch['name'].replace('-', '_')} = {switch['value'] or ''}"
    else:
        line = _SQL_COMMENT.sub(r"\1", line.removeprefix("-c ")).strip()
        if command := _SQL.fullmatch(line):
            line = command["rest"]
            if re.search(r"(=|\sTO)\s*DEFAULT\s*;?$", line, re.IGNORECASE):  # a word that the file does not know
                return None
        if _OTHER_SQL.match(line):
            return None
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
