"""One YAML document read into a shape, as client-go reads its files: a value of another type is refused.

Which plain scalar is text, a number, true or false follows the YAML reader of Kubernetes, not PyYAML: ``2026-01-01``
and ``1:30`` are text, ``y`` is true. As in client-go keys differ by case, unknown ones are ignored, null counts as left
out, and of several documents the first is read.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import yaml

Shape = Any
"""``str``, ``bool``, ``bytes`` (written in base64), ``object`` (anything), ``[Shape]`` for a list, ``{"*": Shape}`` for
a mapping with any keys, ``{"key": Shape}`` for one whose other keys are ignored.
"""

_PLAIN, _TEXT, _MERGE = "plain", "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
_TRUE = frozenset(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
_FALSE = frozenset(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_NUMBER = re.compile(
    r"[-+]?([0-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+|0o[0-7_]+)"
    r"|[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    re.ASCII,
)
_DEEPEST = 100
_MOST_VALUES = 400_000
"""Of a document whose aliases are written out, the number up to which the YAML reader of Kubernetes takes any."""


class WrongType(Exception):
    """A value of the wrong type. line: 1-based; actual, expected: types in words, never the value."""

    def __init__(self, line: int, place: str, actual: str, expected: str) -> None:
        super().__init__(place)
        self.line = line
        self.place = place
        self.actual = actual
        self.expected = expected


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Does not resolve plain scalars; keeps explicit tags."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _TEXT
        return str(super().resolve(kind, value, implicit))


def read(content: bytes, shape: Shape) -> Any:
    """The first document in a shape; the shape's empty value for an empty one.

    Raises WrongType, and YAMLError where it is no YAML.
    """
    loader = _Loader(content)
    try:
        node = loader.get_node() if loader.check_node() else None
    finally:
        loader.dispose()
    if node is None:
        return _empty(shape)
    if _extent(node, {})[0] > _MOST_VALUES:
        raise yaml.MarkedYAMLError(problem="aliases that explode", problem_mark=node.start_mark)
    _refuse_what_go_refuses(node, content.decode(errors="replace"))
    return _value(node, shape, "")


_INCOMPATIBLE = re.compile(r"\A\ufeff?(?:[ \t]*(?:#.*)?\r?\n|%.*\n)*%YAML[ \t]+1\.2\s")
_SECOND_MARK = re.compile(r"\A\ufeff\ufeff|\n\ufeff\s*\Z")
_ESCAPED_SLASH = re.compile(r"(?<!\\)(?:\\\\)*\\/")


def _refuse_what_go_refuses(node: yaml.Node, text: str) -> None:
    """The YAML library takes YAML 1.2, its escaped slash, and a byte order mark that the file does not begin with."""
    if _INCOMPATIBLE.match(text):
        raise yaml.MarkedYAMLError(problem="found incompatible YAML document", problem_mark=node.start_mark)
    if _SECOND_MARK.search(text):
        raise yaml.MarkedYAMLError(problem="a byte order mark within the file", problem_mark=node.start_mark)
    for scalar in _quoted_scalars(node, set()) if "\\/" in text else ():
        if _ESCAPED_SLASH.search(text[scalar.start_mark.index : scalar.end_mark.index]):
            raise yaml.MarkedYAMLError(problem="found unknown escape character", problem_mark=scalar.start_mark)


def _quoted_scalars(node: yaml.Node, node_ids: set[int]) -> Iterator[yaml.ScalarNode]:
    """The texts in double quotes, each once."""
    if isinstance(node, yaml.ScalarNode):
        if node.style == '"':
            yield node
    elif id(node) not in node_ids:
        node_ids.add(id(node))
        for part in chain.from_iterable(node.value) if isinstance(node, yaml.MappingNode) else node.value:
            yield from _quoted_scalars(part, node_ids)


def _extent(node: yaml.Node, extents: dict[int, tuple[int, int]], depth: int = 0) -> tuple[int, int]:
    """How many values a node is, each alias counted in full, and how deep they are nested."""
    if isinstance(node, yaml.ScalarNode):
        return 1, 0
    if id(node) not in extents:
        parts = list(chain.from_iterable(node.value)) if isinstance(node, yaml.MappingNode) else node.value
        below = [_extent(part, extents, depth + 1) for part in parts] if depth < _DEEPEST else [(0, _DEEPEST)]
        extents[id(node)] = 1 + sum(size for size, _ in below), 1 + max((height for _, height in below), default=0)
    if extents[id(node)][1] > _DEEPEST:
        raise yaml.MarkedYAMLError(problem="nested too deep, or within itself", problem_mark=node.start_mark)
    return extents[id(node)]


def _empty(shape: Shape) -> Any:
    return type(shape)() if isinstance(shape, list | dict) else None if shape is object else shape()


def _value(node: yaml.Node, shape: Shape, place: str) -> Any:
    kind = _kind(node)
    if kind == "null":
        return _empty(shape)
    if shape is object:
        return _anything(node, kind, place)
    if isinstance(shape, dict) and kind == "a mapping":
        return _mapping(node, shape, place)
    if isinstance(shape, list) and kind == "a list":
        return [
            _value(item, shape[0], f"{place}[{_name_of(item) or number}]") for number, item in enumerate(node.value)
        ]
    if shape is bool and kind == "a boolean":
        return node.value in _TRUE
    if shape is str and kind == "text":
        return _text(node)
    if shape is bytes and kind == "text":
        try:  # line breaks are left out as in Go, and nothing else
            return base64.b64decode(re.sub(r"[\r\n]", "", _text(node)), validate=True)
        except ValueError:
            raise WrongType(_line(node), place, "not base64", "base64, in lines or not, without blanks") from None
    raise WrongType(_line(node), place, kind, _expectation(shape, kind))


def _expectation(shape: Shape, actual: str) -> str:
    if isinstance(shape, list | dict):
        return "a list" if isinstance(shape, list) else "a mapping"
    if shape is bool:
        return "true or false, without quotes" if actual == "text" else "true or false"
    what = "text" if shape is str else "base64"
    return f"{what}: put it in quotes" if actual in ("a number", "a boolean") else what


def _mapping(node: yaml.Node, shape: dict[str, Shape], place: str) -> dict[str, Any]:
    last = dict(_entries(node))  # which wins, merged or not
    return {
        key: _value(value, below, f"{place}.{key}" if place else key)
        for key, value in last.items()
        if (below := shape.get(key, shape.get("*"))) is not None
        and not (
            isinstance(shape.get(key), dict) and _kind(value) == "null"
        )  # Go tells an absent one from an empty one
    }


def _entries(node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    """Keys and values of a mapping, with those that ``<<`` merges into it in its place."""
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag in (_PLAIN, _MERGE) and key.value == "<<":
            for source in reversed(value.value) if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(source, yaml.MappingNode):
                    raise yaml.MarkedYAMLError(problem="<< merges mappings only", problem_mark=key.start_mark)
                yield from _entries(source)
            continue
        kind = _kind(key)
        if kind not in ("text", "a number", "a boolean"):
            raise yaml.MarkedYAMLError(problem="a key that is no text", problem_mark=key.start_mark)
        yield (str(key.value in _TRUE).lower() if kind == "a boolean" else _text(key)), value


def _anything(node: yaml.Node, kind: str, place: str) -> Any:
    if kind == "a mapping":
        return _mapping(node, {"*": object}, place)
    if kind == "a list":
        return _value(node, [object], place)
    if kind == "a boolean":
        return node.value in _TRUE
    return _number(node.value) if kind == "a number" else _text(node)


def _number(text: str) -> int | float:
    digits = text.replace("_", "").lower()
    for read_as in (int, lambda number: int(number, 0), float):
        try:
            return read_as(digits)
        except ValueError:
            continue
    return float(digits.replace(".inf", "inf").replace(".nan", "nan"))


def _kind(node: yaml.Node) -> str:
    """The type of a value in words, for a message; ``null`` for none."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    tag = node.tag.rpartition("tag:yaml.org,2002:")[2]
    if tag not in (_PLAIN, *_KINDS):
        return "text"
    kind = _kind_of_text(node.value)
    if tag in _KINDS and kind != _KINDS[tag]:
        raise yaml.MarkedYAMLError(problem=f"{kind} that is tagged !!{tag}", problem_mark=node.start_mark)
    return kind


_KINDS = {"null": "null", "bool": "a boolean", "int": "a number", "float": "a number"}


def _kind_of_text(text: str) -> str:
    if text in _NULL:
        return "null"
    if text in _TRUE | _FALSE:
        return "a boolean"
    if not _NUMBER.fullmatch(text):
        return "text"
    is_too_large = _number(text) in (math.inf, -math.inf) and "inf" not in text.lower()
    return "text" if is_too_large else "a number"


def _text(node: yaml.Node) -> str:
    if node.tag == "tag:yaml.org,2002:binary":
        try:
            return base64.b64decode(re.sub(r"\s", "", node.value), validate=True).decode()
        except ValueError:
            raise yaml.MarkedYAMLError(problem="!!binary that is no text", problem_mark=node.start_mark) from None
    return str(node.value)


def _name_of(item: yaml.Node) -> str:
    """The ``name`` of an entry of a list; empty for none."""
    if not isinstance(item, yaml.MappingNode):
        return ""
    return next((str(value.value) for key, value in item.value if key.value == "name" and _kind(value) == "text"), "")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
