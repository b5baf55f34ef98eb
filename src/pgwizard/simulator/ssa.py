"""Owns field ownership: server-side apply, its conflicts, and managedFields for every other write.

It follows structured-merge-diff for one API version per kind; a live test compares it with a real server. It does not
convert between versions, and it leaves out the entries of managers inside the server, such as the one that owns the
label which every namespace gets.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pgwizard.kube.api import Object
from pgwizard.simulator import schema
from pgwizard.simulator.schema import SchemaField
from pgwizard.simulator.statuses import conflicts
from pgwizard.simulator.store import copy_object

FieldPath = tuple[str, ...]
"""A field in the notation of FieldsV1, such as ``("f:data", "f:tls.crt")``."""

_IDENTITY = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields"}
)
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Owner:
    """A manager as managedFields tells them apart."""

    manager: str
    operation: Literal["Apply", "Update"]
    api_version: str
    subresource: str = ""

    def __str__(self) -> str:
        part = f' with subresource "{self.subresource}"' if self.subresource else ""
        using = f" using {self.api_version}" if self.operation == "Update" else ""
        return f'"{self.manager}"{part}{using}'


Ownership = dict[Owner, tuple[frozenset[FieldPath], str]]
"""What each manager owns, and since when."""


def owned_by(obj: Object) -> Ownership:
    """managedFields, decoded."""
    result: Ownership = {}
    for entry in filter(None, obj["metadata"].get("managedFields") or ()):  # [{}] forgets all owners
        owner = Owner(entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", ""))
        result[owner] = (frozenset(_decode(entry["fieldsV1"])), entry["time"])
    return result


def _decode(node: dict[str, Any], path: FieldPath = ()) -> Iterator[FieldPath]:
    if path and (not node or "." in node):
        yield path
    for segment, below in node.items():
        if segment != ".":
            yield from _decode(below, (*path, segment))


def _encode(paths: Iterable[FieldPath]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    members = set(paths)
    inner = {path[:end] for path in members for end in range(1, len(path))}
    for path in sorted(members):
        node = root
        for segment in path:
            node = node.setdefault(segment, {})
        if path in inner:
            node["."] = {}
    return root


def _write_owners(obj: Object, ownership: Ownership) -> None:
    entries = []
    for owner, (paths, since) in ownership.items():
        if not paths:
            continue
        entry: Object = {"manager": owner.manager, "operation": owner.operation, "apiVersion": owner.api_version}
        entry |= {"time": since, "fieldsType": "FieldsV1", "fieldsV1": _encode(paths)}
        entries.append(entry | ({"subresource": owner.subresource} if owner.subresource else {}))
    entries.sort(key=lambda entry: (entry["operation"], entry["time"], entry["manager"]))
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def _leaf(field: SchemaField) -> bool:
    return field.atomic or (field.is_list and not field.keys and not field.is_set)


def _children(value: Any, field: SchemaField) -> dict[str, tuple[Any, SchemaField]] | None:
    """What is below a value, by segment; None for a leaf."""
    if _leaf(field):
        return None
    if isinstance(value, dict) and not field.is_list:
        return {
            f"f:{key}": (item, schema.field_of(field, key) or SchemaField("a", atomic=True))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return {_segment(item, field): (item, field.item) for item in value}
    return None


def _segment(item: Any, field: SchemaField) -> str:
    if field.is_set:
        return "v:" + json.dumps(item)
    return "k:" + json.dumps(schema.key_of(item, field.keys), separators=(",", ":"))


def _fields(value: Any, field: SchemaField, path: FieldPath = ()) -> Iterator[FieldPath]:
    below = _children(value, field)
    if below is None or (not below and isinstance(value, dict)):
        yield path
        return
    for segment, (item, item_field) in below.items():
        if segment[0] == "k":
            yield (*path, segment)
        yield from _fields(item, item_field, (*path, segment))


def _ownable(path: FieldPath) -> bool:
    if path[0] == "f:metadata":
        return len(path) > 1 and path[1][2:] not in _IDENTITY
    return path[0] not in {"f:apiVersion", "f:kind", "f:status"}


def field_set(obj: Object) -> frozenset[FieldPath]:
    """Every field that a manager of this object can own."""
    return frozenset(path for path in _fields(obj, schema.root(obj["kind"])) if path and _ownable(path))


def _compare(
    old: Any, new: Any, field: SchemaField, path: FieldPath = (), *, inside: bool = False
) -> Iterator[tuple[FieldPath, bool]]:
    """(path, still there) for each field that differs. inside: what surrounds it is itself new, or gone.

    An empty map or list alone is no difference to the server, but it is a part of a larger one.
    """
    before = None if old is _ABSENT else _children(old, field)
    after = None if new is _ABSENT else _children(new, field)
    if before is None and after is None:
        if old is _ABSENT or new is _ABSENT or old != new:
            yield path, new is not _ABSENT
        return
    one_sided = old is _ABSENT or new is _ABSENT
    if path and one_sided and (before or after or inside or not (field.is_map or field.is_list)):
        yield path, new is not _ABSENT
    before, after = before or {}, after or {}
    for segment in before | after:
        was, is_ = before.get(segment), after.get(segment)
        below = (is_ or was or (None, field))[1]
        pair = (was[0] if was else _ABSENT, is_[0] if is_ else _ABSENT)
        yield from _compare(*pair, below, (*path, segment), inside=bool(path) and one_sided)


def _differences(old: Object, new: Object) -> tuple[frozenset[FieldPath], frozenset[FieldPath]]:
    """(set or changed, removed)."""
    pairs = [(path, there) for path, there in _compare(old, new, schema.root(new["kind"])) if path and _ownable(path)]
    return frozenset(path for path, there in pairs if there), frozenset(path for path, there in pairs if not there)


def _merge(live: Any, intent: Any, field: SchemaField) -> Any:
    if _leaf(field) or type(live) is not type(intent):
        return copy_object(intent)
    if isinstance(intent, dict):
        result = dict(live)
        for key, item in intent.items():
            below = schema.field_of(field, key) or SchemaField("a", atomic=True)
            result[key] = _merge(live[key], item, below) if key in live else copy.deepcopy(item)
        return result
    if isinstance(intent, list):
        return _merge_list(live, intent, field)
    return intent


def _merge_list(live: list[Any], intent: list[Any], field: SchemaField) -> list[Any]:
    """Applied items in their order; the others stay behind the neighbour that they had."""
    old = {_segment(item, field): item for item in live}
    result = {
        segment: _merge(old[segment], item, field.item) if segment in old else copy.deepcopy(item)
        for segment, item in ((_segment(item, field), item) for item in intent)
    }
    order = list(result)
    previous = None
    for segment, item in old.items():
        if segment not in result:
            result[segment] = item
            order.insert(0 if previous is None else order.index(previous) + 1, segment)
        previous = segment
    return [result[segment] for segment in order]


def _remove(value: Any, field: SchemaField, path: FieldPath) -> None:
    """Take a field out."""
    segment, rest = path[0], path[1:]
    if isinstance(value, dict):
        key = segment[2:]
        if rest and key in value:
            _remove(value[key], schema.field_of(field, key) or SchemaField("a"), rest)
        elif not rest:
            value.pop(key, None)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if _segment(item, field) == segment:
                if rest:
                    _remove(item, field.item, rest)
                else:
                    del value[index]
                return


def _prune(result: Object, before: frozenset[FieldPath], owned_paths: frozenset[FieldPath]) -> None:
    """Take out what its last owner no longer applies, with the structures around it that nobody else needs.

    An owner of a field needs the structures around it, but not the list item: that it owns by itself or not at all.
    """
    root = schema.root(result["kind"])
    for path in sorted(_with_structures(before) - _with_structures(owned_paths), key=len):
        if path != ("f:metadata",) and not _is_key(path):
            _remove(result, root, path)


def _with_structures(paths: frozenset[FieldPath]) -> set[FieldPath]:
    around = {path[:end] for path in paths for end in range(1, len(path))}
    return {*paths, *(path for path in around if path[-1][0] == "f")}


def _is_key(path: FieldPath) -> bool:
    """Whether the field identifies its list item: it goes with the item, never alone."""
    return len(path) > 1 and path[-2][0] == "k" and path[-1][2:] in json.loads(path[-2][2:])


def apply(live: Object | None, intent_object: Object, manager: str, now: str, *, force: bool) -> Object:
    """What the server would store, before defaults. Raises Conflict."""
    owner = Owner(manager, "Apply", intent_object["apiVersion"])
    fields = field_set(intent_object)
    if live is None:
        new = copy_object(intent_object)
        new["metadata"].pop("managedFields", None)
        _write_owners(new, {owner: (fields, now)})
        return new
    ownership = owned_by(live)
    before, since = ownership.get(owner, (frozenset(), now))
    others = {other: paths for other, (paths, _) in ownership.items() if other != owner}
    intent = {key: value for key, value in intent_object.items() if key != "status"}
    intent["metadata"] = {key: value for key, value in intent_object["metadata"].items() if key not in _IDENTITY}
    outcome: Object = _merge(copy_object(live), intent, schema.root(live["kind"]))
    _prune(outcome, before, fields.union(*others.values()))
    changes, removals = _differences(live, outcome)
    clashes = [(other, paths & changes) for other, paths in others.items() if paths & changes]
    if clashes and not force:
        raise conflicts(
            [(str(other), print_paths(paths)) for other, paths in sorted(clashes, key=lambda clash: str(clash[0]))]
        )
    result: Ownership = {owner: (fields, since if fields == before else now)}
    for other, paths in others.items():
        rest = paths - changes - removals
        result[other] = (rest, ownership[other][1])
    _write_owners(outcome, result)
    return outcome


def update(live: Object | None, new: Object, manager: str, now: str) -> Object:
    """A copy of ``new`` with managedFields as after a create, patch or replace."""
    result = copy_object(new)
    owner = Owner(manager, "Update", new["apiVersion"])
    if live is None:
        _write_owners(result, {owner: (field_set(new), now)})
        return result
    changes, removals = _differences(live, new)
    ownership = owned_by(new if "managedFields" in new["metadata"] else live)  # a patch may end what others own
    paths, since = ownership.get(owner, (frozenset(), now))
    after: Ownership = {other: (had - changes - removals, at) for other, (had, at) in ownership.items()}
    mine = (paths | changes) - removals
    after[owner] = (mine, since if mine == paths else now)
    _write_owners(result, after)
    return result


def print_paths(paths: Iterable[FieldPath]) -> list[str]:
    """Paths as in conflict messages, in the server's order: of one parent the plain fields before what lies deeper."""
    members = sorted(paths, key=lambda path: [(end < len(path), segment) for end, segment in enumerate(path, 1)])
    return ["".join(map(_print_segment, path)) for path in members]


def _print_segment(segment: str) -> str:
    sort, _, text = segment.partition(":")
    if sort == "f":
        return f".{text}"
    if sort == "v":
        return f"[={text}]"
    return "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(text).items()) + "]"
