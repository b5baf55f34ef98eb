"""The JSON schema of the chart's values: what the answers accept, where a value is an answer. Pure.

Helm checks the schema itself and compiles its patterns at each run. So it is of draft 7, whose meta-schema is a third
of the later ones, and a pattern that several values have is in it once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from pgwizard.answers.reference import schema
from pgwizard.export.values import SECTION_RULES, VALUES

_GLOBAL = {"type": "object", "description": "Helm's own, where this chart is a dependency of another."}


def values_schema() -> dict[str, Any]:
    """The schema. A value that is not null is required, because Helm removes a value where null is given for it."""
    answers = schema()
    tree: dict[str, Any] = _section()
    for value in VALUES:
        *sections, key = value.path.split(".")
        place = tree
        for section in sections:
            if section not in place["properties"]:
                place["properties"][section] = _section()
                place["required"].append(section)
            place = place["properties"][section]
        value_schema = _merge(_schema_at(answers, value.path) if value.schema is None else _resolve(value.schema))
        description = {"description": value.about} if value.about else {}
        place["properties"][key] = {**value_schema, **description}
        if not _accepts_null(value_schema):
            place["required"].append(key)
    for name, rules in SECTION_RULES.items():
        tree["properties"][name].update(rules)
    tree["properties"]["global"] = _GLOBAL
    return {"$schema": "http://json-schema.org/draft-07/schema#", **_with_definitions(tree)}


def _section() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": [], "properties": {}}


def _schema_at(answers: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What the answers accept at a path."""
    place: Mapping[str, Any] = answers
    for key in path.split("."):
        while "properties" not in place:
            reference = place.get("$ref") or next(item["$ref"] for item in place["allOf"])
            place = answers["$defs"][reference.rsplit("/", 1)[1]]
        place = place["properties"][key]
    return {name: item for name, item in place.items() if name not in ("default", "title")}


def _resolve(node: Any) -> Any:
    """The schema, with each type replaced by the schema of what it accepts."""
    if isinstance(node, Mapping):
        return {key: _resolve(item) for key, item in node.items()}
    if isinstance(node, list):
        return [_resolve(item) for item in node]
    return node if node is None or isinstance(node, str | int | float) else TypeAdapter(node).json_schema()


_LONG_PATTERN = 200


def _merge(node: Any) -> Any:
    """The schema with one part in the place of alternatives, where each is of another type: that is less to compile.

    A keyword applies to values of its type alone, but for ``not``, which names its type. null stays an alternative of
    a long pattern, which is shared with values that are not null.
    """
    if isinstance(node, list):
        return [_merge(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    copy = {key: _merge(item) for key, item in node.items()}
    parts: list[dict[str, Any]] = copy.pop("anyOf", [])
    is_long = any(len(part.get("pattern", "")) > _LONG_PATTERN for part in parts)
    separate = [part for part in parts if is_long and part == {"type": "null"}]
    result: dict[str, Any] = {}
    for part in parts:
        if part not in separate:
            if result.keys() & part.keys() - {"type"}:
                return {**copy, "anyOf": parts}
            result |= {**part, "type": [*result.get("type", []), part["type"]]}
    match result:
        case {"type": [one]}:
            result["type"] = one
        case {"not": exclusion}:
            result["not"] = {"type": "string", **exclusion}
    return {**copy, "anyOf": [result, *separate]} if separate else {**copy, **result}


def _accepts_null(schema: Mapping[str, Any]) -> bool:
    return "null" in schema.get("type", ()) or any(item.get("type") == "null" for item in schema.get("anyOf", ()))


# ---- definitions ---------------------------------------------------------------------------------------------------


def _with_definitions(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with a definition of each part with a pattern that is in it more than once."""
    times: Counter[str] = Counter()
    _count(tree, times)
    repeats = [text for text, count in times.items() if count > 1]
    names = {text: str(number) for number, text in enumerate(repeats, start=1)}
    definitions = {name: _parts_replaced(json.loads(text), names) for text, name in names.items()}
    return {**_parts_replaced(tree, names), "definitions": definitions}


def _count(node: Any, times: Counter[str]) -> None:
    """How often each part is there, as JSON without its description; what is inside a part counts once."""
    if isinstance(node, list):
        for item in node:
            _count(item, times)
    elif isinstance(node, Mapping):
        text = _part(node)
        times.update([text] if text else [])
        if times[text] < 2:
            for item in node.values():
                _count(item, times)


def _part(node: Mapping[str, Any]) -> str:
    text = json.dumps({key: item for key, item in node.items() if key != "description"}, sort_keys=True)
    return text if '"pattern"' in text and node.keys() & {"type", "anyOf"} and "properties" not in node else ""


def _parts_replaced(node: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """With references to the definitions in the place of parts below the node."""
    return {key: _with_references(item, names) for key, item in node.items()}


def _with_references(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_with_references(item, names) for item in node]
    if not isinstance(node, Mapping):
        return node
    if name := names.get(_part(node)):
        return {"$ref": f"#/definitions/{name}", **{key: node[key] for key in node if key == "description"}}
    return _parts_replaced(node, names)
