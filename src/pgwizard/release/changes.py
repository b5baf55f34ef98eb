"""What an apply would change: live objects beside wanted ones, for people to read before anything is written.

Values of Secrets never appear, not even their likeness: only that they are there, and whether they differ.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from pgwizard.kube.api import Object, Ref
from pgwizard.text import visible

Action = Literal["create", "update", "replace", "unchanged", "delete", "keep"]

_SERVER_FIELDS = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class Change:
    """One object of the release, and what would become of it. before and after are YAML without secrets.

    why: for ``replace`` and ``keep``, the reason in words. restarts: the pod would be another one.
    has_volume: False for a StatefulSet that is replaced before it has a volume.
    """

    ref: Ref
    action: Action
    before: str = ""
    after: str = ""
    why: str = ""
    restarts: bool = False
    has_volume: bool = True

    def lines(self) -> list[str]:
        """A unified diff; empty where nothing changes."""
        if self.before == self.after:
            return []
        diff = difflib.unified_diff(
            self.before.splitlines(),
            self.after.splitlines(),
            f"live/{self.ref}",
            f"wanted/{self.ref}",
            lineterm="",
            n=3,
        )
        return list(diff)


def compare(live: Object | None, intent: Object) -> Change:
    """Compare a live object with the server's answer to a dry run."""
    ref = Ref.of(intent)
    if live is None:
        return Change(ref, "create", "", text(intent))
    if normalise(live) == normalise(intent):
        return Change(ref, "unchanged")
    before, after = _mask(normalise(live), normalise(intent))
    restarts = ref.resource.kind == "StatefulSet" and before["spec"]["template"] != after["spec"]["template"]
    return Change(ref, "update", _dump(before), _dump(after), restarts=restarts)


def text(obj: Object) -> str:
    """An object as YAML, without server-made fields and without secrets."""
    return _dump(_mask(normalise(obj), normalise(obj))[0])


def normalise(obj: Object) -> Object:
    """An object without what the server keeps for itself."""
    copy = {key: value for key, value in obj.items() if key != "status"}
    metadata = {key: value for key, value in copy.get("metadata", {}).items() if key not in _SERVER_FIELDS}
    if _LAST_APPLIED in metadata.get("annotations", {}):  # a client-side apply keeps a Secret's values there
        annotations = {key: value for key, value in metadata["annotations"].items() if key != _LAST_APPLIED}
        metadata = {**metadata, "annotations": annotations}
    if not metadata.get("annotations", True):
        del metadata["annotations"]
    copy["metadata"] = metadata
    return copy


def _mask(before: Object, after: Object) -> tuple[Object, Object]:
    if after.get("kind") != "Secret":
        return before, after
    before, after = dict(before), dict(after)
    for field in ("data", "stringData"):
        old, new = before.get(field) or {}, after.get(field) or {}
        differing = {key for key in (*old, *new) if old.get(key) != new.get(key)}
        if old:
            before[field] = {key: "*** (before)" if key in differing else "***" for key in old}
        if new:
            after[field] = {key: "*** (after)" if key in differing else "***" for key in new}
    return before, after


class _Dumper(yaml.SafeDumper):
    """Configuration files as blocks, so that a diff shows the line that changes."""


def _represent_text(dumper: yaml.SafeDumper, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _represent_text)


def _dump(obj: Object) -> str:
    """YAML for people: what others wrote into an object may hold marks of direction, which a dumper leaves."""
    text: str = yaml.dump(obj, Dumper=_Dumper, sort_keys=False, width=1_000_000, allow_unicode=True)
    return "\n".join(map(visible, text.split("\n")))


_COSTS = {
    "CronJob": "these backups are no longer taken",
    "NetworkPolicy": "whoever can reach the pod may then connect",
    "Service": "clients no longer find the database by this name",
    "StatefulSet": "the database stops; its volume stays",
}


_LOST_CHECKS = {
    "-backup-verify": "the repository is no longer verified",
    "-backup-drill": "restores are no longer tried",
}
"""By the end of a CronJob's name."""


def cost(change: Change) -> str:
    """What a change takes away or makes final, in words; empty where it costs nothing."""
    if change.action == "delete":
        checks = (text for end, text in _LOST_CHECKS.items() if change.ref.name.endswith(end))
        loss = _COSTS.get(change.ref.resource.kind, "")
        return next(checks, loss) if change.ref.resource.kind == "CronJob" else loss
    costs = []
    if change.ref.resource.kind == "StatefulSet" and change.action == "replace" and change.has_volume:
        costs.append(f"{change.why}, and it can never shrink again")
    if change.restarts:
        costs.append("the pod restarts: connections end, and the database is away for a moment")
    return "; ".join(costs)


_COUNT_WORDS = {
    "create": ("to create", "created"),
    "update": ("to update", "updated"),
    "replace": ("to replace", "replaced"),
    "delete": ("to delete", "deleted"),
    "unchanged": ("unchanged", "unchanged"),
    "keep": ("kept", "kept"),
}


def count_text(changes: Iterable[Change], *, is_done: bool = False) -> str:
    """``3 to create, 1 to update, 13 unchanged``, for people; once it is done ``3 created, ...``."""
    actions = [change.action for change in changes]
    return ", ".join(
        f"{actions.count(action)} {words[is_done]}" for action, words in _COUNT_WORDS.items() if action in actions
    )
