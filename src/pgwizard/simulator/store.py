"""Owns the stored objects: resource versions, uids, selectors, the window of past changes that a watch can read.

Contains no policy: whether a write is allowed or valid was decided before it gets here. It is synchronous; a write is
seen by its listeners before it returns.
"""

from __future__ import annotations

import copy
import random
import re
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pgwizard.kube.api import Object, Ref, Resource
from pgwizard.simulator.clock import stamp
from pgwizard.simulator.statuses import bad_request

CLUSTER_SCOPED = frozenset(
    {
        "Namespace",
        "StorageClass",
        "Node",
        "PersistentVolume",
        "ClusterRole",
        "ClusterRoleBinding",
        "PriorityClass",
        "RuntimeClass",
    }
)
_GENERATION = frozenset({"StatefulSet", "Job", "CronJob", "NetworkPolicy", "Deployment", "Pod"})
_FIELDS = {
    "Secret": ("type",),
    "Pod": ("spec.nodeName", "spec.restartPolicy", "status.phase", "spec.serviceAccountName"),
    "Event": (
        *(f"involvedObject.{key}" for key in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
        "reason",
        "type",
        "reportingComponent",
    ),
    "Job": ("status.successful",),
    "Namespace": ("status.phase",),
}

StoreChange = tuple[int, Literal["ADDED", "MODIFIED", "DELETED"], Object, Object | None]
"""Resource version, what happened, the object after it (or its last state), and the object before it."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Parsed label and field selectors of one list or watch."""

    resource: Resource
    namespace: str | None
    labels: tuple[Callable[[Mapping[str, str]], bool], ...]
    fields: tuple[tuple[str, bool, str], ...]

    @classmethod
    def parse(cls, resource: Resource, namespace: str | None, labels: str, fields: str) -> Selector:
        """Raises Invalid as the server does."""
        return cls(resource, namespace, tuple(map(_label_term, _split(labels))), _field_terms(resource, fields))

    def matches(self, obj: Object) -> bool:
        """Whether the object is of this kind, place and selection."""
        if Resource(obj["apiVersion"], obj["kind"]) != self.resource:
            return False
        metadata = obj["metadata"]
        if self.namespace is not None and metadata.get("namespace") != self.namespace:
            return False
        labels = metadata.get("labels") or {}
        if not all(term(labels) for term in self.labels):
            return False
        return all((_dig(obj, path) == value) is equal for path, equal, value in self.fields)


def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _label_term(text: str) -> Callable[[Mapping[str, str]], bool]:
    name = r"[A-Za-z0-9./_-]+"
    if match := re.fullmatch(rf"({name})\s*(=|==|!=)\s*([A-Za-z0-9._-]*)", text):
        key, operator, value = match.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := re.fullmatch(rf"({name})\s+(in|notin)\s*\(([^)]*)\)", text):
        key, operator, values = match[1], match[2], {value.strip() for value in match[3].split(",")}
        return lambda labels: (labels.get(key) in values) is (operator == "in")
    if match := re.fullmatch(rf"(!?)\s*({name})", text):
        absent, key = bool(match[1]), match[2]
        return lambda labels: (key not in labels) is absent
    raise bad_request(f"unable to parse requirement: {text!r}")


def _field_terms(resource: Resource, text: str) -> tuple[tuple[str, bool, str], ...]:
    names = ("metadata.name", "metadata.namespace", *_FIELDS.get(resource.kind, ()))
    terms = []
    for part in _split(text):
        match = re.fullmatch(r"([^=!]+?)\s*(==|=|!=)\s*(.*)", part)
        if not match:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        if match[1] not in names:
            listing = ", ".join(f'"{name}"' for name in names)
            raise bad_request(f'"{match[1]}" is not a known field selector: only {listing}')
        terms.append((match[1], match[2] != "!=", match[3]))
    return tuple(terms)


def _dig(obj: Object, path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return str(value)


def copy_object(obj: Object) -> Object:
    """A copy of an object of plain JSON values, several times as fast as ``copy.deepcopy``."""
    clone: Object = _copy(obj)
    return clone


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


class Store:
    """All objects of the cluster, and what happened to them lately.

    A stored object never changes, another takes its place: copies of the store share them.
    """

    def __init__(self, now: Callable[[], float], window: int = 10_000) -> None:
        self.now = now
        self.version = 100
        self.listeners: list[Callable[[StoreChange], None]] = []
        self.oldest = 0
        self._objects: dict[Ref, Object] = {}
        self._kinds: dict[Resource, dict[str, dict[str, Object]]] = {}
        """The same objects by kind, namespace and name, as etcd has them; the namespace of all others is empty."""
        self._changes: deque[StoreChange] = deque()
        self._window = window
        self._random = random.Random(20)  # noqa: S311 (uids need to repeat, not to be secret)

    def __deepcopy__(self, memo: dict[int, Any]) -> Store:
        other = copy.copy(self)
        memo[id(self)] = other
        own = {name: copy.deepcopy(getattr(self, name), memo) for name in ("now", "listeners", "_random")}
        kinds = {kind: {space: dict(items) for space, items in spaces.items()} for kind, spaces in self._kinds.items()}
        vars(other).update(own, _objects=dict(self._objects), _kinds=kinds, _changes=self._changes.copy())
        return other

    def uid(self) -> str:
        """A fresh uid; the same in every run."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def suffix(self, length: int = 5) -> str:
        """The random end of a generated name, from the alphabet that Kubernetes uses."""
        return "".join(self._random.choices("bcdfghjklmnpqrstvwxz2456789", k=length))

    def peek(self, ref: Ref) -> Object | None:
        """The stored object itself; not to be changed."""
        return self._objects.get(ref)

    def find(self, kind: Resource, namespace: str | None = None) -> list[Object]:
        """Every object of a kind in name order; not to be changed."""
        spaces = self._kinds.get(kind, {})
        names = sorted(spaces) if namespace is None else [namespace]
        return [obj for space in names for _, obj in sorted(spaces.get(space, {}).items())]

    def match(self, selector: Selector) -> list[Object]:
        """What the selector matches, in the order of etcd; not to be changed."""
        return [obj for obj in self.find(selector.resource, selector.namespace) if selector.matches(obj)]

    def select(self, selector: Selector) -> list[Object]:
        """Copies of what the selector matches, in the order of etcd."""
        return [copy_object(obj) for obj in self.match(selector)]

    def everything(self) -> list[Object]:
        """Every object; not to be changed."""
        return list(self._objects.values())

    def birth(self, obj: Object) -> Object:
        """A copy with the metadata that a new object gets, except for its resource version."""
        new = copy_object(obj)
        metadata = new["metadata"]
        metadata["uid"] = self.uid()
        metadata["creationTimestamp"] = stamp(self.now())
        metadata.pop("resourceVersion", None)
        if new["kind"] in _GENERATION:
            metadata["generation"] = 1
        return new

    def put(self, obj: Object) -> Object:
        """Store a copy under the next resource version; returns a copy. Nothing happens where nothing changed."""
        ref = Ref.of(obj)
        before = self._objects.get(ref)
        new = copy_object(obj)
        if before is not None:
            new["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
            if new == before:
                return new
            if ref.resource.kind in _GENERATION and new.get("spec") != before.get("spec"):
                new["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
        self.version += 1
        new["metadata"]["resourceVersion"] = str(self.version)
        self._objects[ref] = new
        self._kinds.setdefault(ref.resource, {}).setdefault(ref.namespace or "", {})[ref.name] = new
        self._log((self.version, "ADDED" if before is None else "MODIFIED", new, before))
        return copy_object(new)

    def remove(self, ref: Ref) -> None:
        """Take the object out; a deletion has a resource version of its own."""
        last = copy_object(self._objects.pop(ref))
        del self._kinds[ref.resource][ref.namespace or ""][ref.name]
        self.version += 1
        last["metadata"]["resourceVersion"] = str(self.version)
        self._log((self.version, "DELETED", last, last))

    def since(self, version: int) -> list[StoreChange] | None:
        """What happened after ``version``; None where that is no longer known (the server says 410)."""
        if version < self.oldest:
            return None
        return [change for change in self._changes if change[0] > version]

    def compact(self) -> None:
        """Forget all changes so far: a watch that is behind, or a list that is half read, gets 410."""
        self._changes.clear()
        self.oldest = self.version

    def _log(self, change: StoreChange) -> None:
        self._changes.append(change)
        while len(self._changes) > self._window:
            self.oldest = self._changes.popleft()[0]
        for listener in tuple(self.listeners):
            listener(change)
