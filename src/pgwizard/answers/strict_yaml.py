"""Reads one YAML document strictly, and remembers the place of everything in it.

Scalars follow YAML 1.2's core schema, as editors and JSON schema see them (``no`` and ``off`` are text), but for what
is not written as a number is printed: ``08``, ``1e3`` and ``1.10`` are text, because text is given back unchanged. It
refuses what a hand-written file of answers never needs and an attacker does: anchors and aliases, tags, several
documents, duplicate keys, deep nesting, files over 256 KiB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from pgwizard.errors import Finding

if TYPE_CHECKING:
    from yaml.events import Event

LIMIT_BYTES = 256 * 1024
_DEPTH = 16
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"0|-?[1-9][0-9]{0,17}")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,15})\.[0-9]{1,15}")
_CORE_NUMBER = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_FORBIDDEN_CHARACTERS = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

NodePath = tuple[str | int, ...]
Position = tuple[int, int]
"""1-based line and column."""


Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Document:
    """What was read. ``places`` has the place of each key and list item by its path; problems in the order found."""

    value: Any = None
    places: dict[NodePath, Position] = field(default_factory=dict)
    problems: list[Finding] = field(default_factory=list)

    def place(self, path: NodePath) -> Position | None:
        """The position of path, or of its nearest parent in the file."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path[:-1]
        return None


class _Unreadable(Exception):
    """Reading cannot go on; the problem is already noted."""


def read(data: bytes) -> Document:
    """Read UTF-8 bytes. Never raises for bad input: each of ``problems`` has a line and a column."""
    document = Document()
    if len(data) > LIMIT_BYTES:
        document.problems.append(Finding("", f"larger than {LIMIT_BYTES // 1024} KiB: not a file of answers"))
        return document
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        document.problems.append(Finding("", f"byte 0x{byte:02x} is not UTF-8: save the file as UTF-8", line))
        return document
    if match := _FORBIDDEN_CHARACTERS.search(text):
        line = text.count("\n", 0, match.start()) + 1
        document.problems.append(Finding("", f"character U+{ord(match[0]):04X} is not allowed in YAML", line))
        return document
    try:
        loader = Loader(text)
        try:
            _Composer(document, loader).compose()
        finally:
            loader.dispose()
    except _Unreadable:
        document.value = None
    except yaml.MarkedYAMLError as error:
        document.value = None
        document.problems.append(_syntax_problem(error, text))
    return document


def scalar(text: str) -> Any:
    """The value of a plain scalar, by the core schema."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and repr(float(text)) == text:
        return float(text)
    return text


def is_plain_text(text: str) -> bool:
    """Whether every reader of YAML 1.2 takes the plain scalar for text."""
    return not (_NULL.fullmatch(text) or _BOOL.fullmatch(text) or _CORE_NUMBER.fullmatch(text))


class _Composer:
    def __init__(self, document: Document, loader: Any) -> None:
        self.document = document
        self.events: Iterator[Event] = iter(loader.get_event, None)

    def compose(self) -> None:
        self._next()  # stream start
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return
        self.document.value = self._node(self._next(), ())
        self._next()  # document end
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            self._refuse(event, (), "the file holds more than one YAML document: keep one")

    def _next(self) -> Event:
        return next(self.events)

    def _refuse(self, event: Event, path: NodePath, message: str) -> None:
        self._note(event, path, message)
        raise _Unreadable

    def _note(self, event: Event, path: NodePath, message: str) -> None:
        dotted_path = ".".join(map(str, path))
        self.document.problems.append(Finding(dotted_path, message, *_place(event)))

    def _node(self, event: Event, path: NodePath) -> Any:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, path, "anchors (&) and aliases (*) are not supported: write the value out")
        if getattr(event, "tag", None) not in (None, "!"):
            self._refuse(event, path, "tags (!) are not supported: write a plain value")
        if len(path) > _DEPTH:
            self._refuse(event, path[:1], f"nested more than {_DEPTH} levels deep")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event)

    def _scalar(self, event: Any) -> Any:
        return scalar(event.value) if event.implicit[0] else event.value

    def _text(self, event: Any) -> str:
        return str(event.value)

    def _mapping(self, path: NodePath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse(event, path, "a key must be a word")
            key = self._text(event)
            here = (*path, key)
            if key in result:
                first = self.document.places[here][0]
                self._note(event, here, f"set twice; the first is on line {first}: keep one")
            else:
                self.document.places[here] = _place(event)
            value = self._node(self._next(), here)
            result.setdefault(key, value)
        return result

    def _sequence(self, path: NodePath) -> list[Any]:
        result: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            here = (*path, len(result))
            self.document.places[here] = _place(event)
            result.append(self._node(event, here))
        return result


def _place(event: Any) -> Position:
    return event.start_mark.line + 1, event.start_mark.column + 1


_SYNTAX = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        ("cannot start any token", "a value cannot begin with {at}: put it in quotes"),
        ("alphabetic or numeric", "a value cannot begin with * or &: put it in quotes"),
        ("',' or ']'", "a list in [ ] lacks a comma or its end"),
        ("',' or '}'", "a block in {{ }} lacks a comma or its end"),
        ("node content", "a value is missing here, or a bracket is in its place"),
        ("end of stream", "a quote is opened and never closed"),
        ("escape|hex", "within double quotes \\ begins an escape sequence: use single quotes"),
        ("mapping values", "a colon that fits no key: check the indent, or put the value in quotes"),
        ("comment or|chomping", "text after | or > begins on the next line"),
        ("could not find expected ':'", "this line has no colon: write name: value, or indent it below its key"),
        ("expected key|<block end>|'-' indicator", "this does not continue what is above it: check indent and quotes"),
        ("sequence entries", "a list begins on the line below its key"),
        ("mapping keys", "? begins no key: write name: value"),
        ("URI|'>'|tag handle", "tags (!) are not supported: write a plain value"),
        ("document start|directive|YAML", "this is outside of the document: delete it"),
    )
)
"""How the parser's words begin (libyaml's, or those of its Python twin), and ours."""


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    lines = text.splitlines()
    at = lines[line][mark.column : mark.column + 1] if mark and line < len(lines) else ""
    problem = str(error.problem or error.context)
    what = next((words for pattern, words in _SYNTAX if pattern.search(problem)), "it cannot be read from here on")
    message = f"not YAML: {what.format(at=at)}"
    if line < len(lines) and "\t" in lines[line][: len(lines[line]) - len(lines[line].lstrip()) + 1]:
        message = "a tab indents this line: YAML indents with spaces only"
    return Finding("", message, line + 1, mark.column + 1 if mark else None)
