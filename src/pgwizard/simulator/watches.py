"""Owns what one watch has shown its reader. It does not wait: the caller brings lists and changes."""

from __future__ import annotations

from pgwizard.kube.api import Object, Ref, WatchEvent
from pgwizard.simulator.store import Selector, StoreChange, copy_object


class View:
    """The objects that the reader knows of, and the events that bring it up to date."""

    def __init__(self, selector: Selector) -> None:
        self._selector = selector
        self._objects: dict[Ref, Object] = {}

    def after_list(self, objects: list[Object]) -> list[WatchEvent]:
        """After a list: what vanished, what is new, what changed, and SYNCED."""
        now = {Ref.of(obj): obj for obj in objects}
        events = [
            WatchEvent("DELETED", self._objects.pop(ref)) for ref in [ref for ref in self._objects if ref not in now]
        ]
        for ref, obj in now.items():
            events += self._events(ref, obj)
        return [*events, WatchEvent("SYNCED", {})]

    def after_change(self, change: StoreChange) -> list[WatchEvent]:
        """After a change: nothing where it is none of the reader's."""
        _, kind, obj, _ = change
        ref = Ref.of(obj)
        if kind != "DELETED" and self._selector.matches(obj):
            return self._events(ref, obj)
        return [WatchEvent("DELETED", copy_object(obj))] if self._objects.pop(ref, None) is not None else []

    def _events(self, ref: Ref, obj: Object) -> list[WatchEvent]:
        before = self._objects.get(ref)
        self._objects[ref] = obj
        new = copy_object(obj)
        if before is None:
            return [WatchEvent("ADDED", new)]
        if before["metadata"]["uid"] != obj["metadata"]["uid"]:
            return [WatchEvent("DELETED", before), WatchEvent("ADDED", new)]
        same = before["metadata"]["resourceVersion"] == obj["metadata"]["resourceVersion"]
        return [] if same else [WatchEvent("MODIFIED", new)]
