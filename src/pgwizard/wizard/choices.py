"""The names in this cluster that a question can be answered with, each with a note that helps to choose.

``Question.choices`` names the list. Secrets are not here: ``browse`` has them. A name that is not listed may still be
typed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from pgwizard.kube.api import DEFAULT_STORAGE_CLASS, NAMESPACE, SERVICE, STORAGE_CLASS, Cluster, Object, Resource
from pgwizard.text import plain

_S3_PORTS = frozenset({443, 9000})
_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One answer. note: what helps to choose it; best: the one that an experienced operator would look at first."""

    value: str
    note: str = ""
    best: bool = False


async def choices(cluster: Cluster, name: str) -> list[Suggestion]:
    """The choices of a list (``namespaces``, ``storageClasses``, ``services``), the best first, then by name.

    Raises the errors of the cluster, Forbidden among them.
    """
    resource, read = _LISTS[name]
    suggestions: list[Suggestion] = []
    light = resource == NAMESPACE
    async with aclosing(cluster.pages(resource, metadata_only=light)) as pages:
        async for page in pages:
            suggestions += [choice for obj in page.items for choice in read(obj)]
            if len(suggestions) >= _LIMIT:
                break
    return sorted(suggestions, key=lambda choice: (not choice.best, choice.value))


def _namespace(obj: Object) -> list[Suggestion]:
    metadata = obj["metadata"]
    level = (metadata.get("labels") or {}).get("pod-security.kubernetes.io/enforce", "")
    going = "being deleted" if metadata.get("deletionTimestamp") else ""
    security = f"Pod Security {plain(level, 20)}" if level else ""
    return [Suggestion(plain(metadata["name"], 63), " · ".join(filter(None, (going, security))))]


def _storage_class(obj: Object) -> list[Suggestion]:
    default = ((obj["metadata"].get("annotations") or {}).get(DEFAULT_STORAGE_CLASS)) == "true"
    grows = "can expand" if obj.get("allowVolumeExpansion") else "cannot expand"
    reclaim = plain(str(obj.get("reclaimPolicy", "Delete")), 20)
    fate = f"{reclaim}: the volume goes with its claim" if reclaim == "Delete" else f"{reclaim}: the volume outlives it"
    notes = ("default", grows, fate, plain(str(obj.get("provisioner", "")), 60))
    return [Suggestion(plain(obj["metadata"]["name"], 253), " · ".join(notes if default else notes[1:]), default)]


def _services(obj: Object) -> list[Suggestion]:
    metadata = obj["metadata"]
    host = f"{plain(metadata['name'], 63)}.{plain(metadata['namespace'], 63)}.svc"
    services = []
    for port in obj.get("spec", {}).get("ports") or []:
        if port.get("protocol", "TCP") == "TCP" and isinstance(port.get("port"), int):
            likely = port["port"] in _S3_PORTS or "s3" in str(port.get("name", ""))
            likely = likely and any(word in host for word in ("minio", "s3", "ceph", "rgw", "garage", "seaweed"))
            services.append(Suggestion(f"{host}:{port['port']}", plain(str(port.get("name") or ""), 40), likely))
    return services


_LISTS: dict[str, tuple[Resource, Callable[[Object], list[Suggestion]]]] = {
    "namespaces": (NAMESPACE, _namespace),
    "storageClasses": (STORAGE_CLASS, _storage_class),
    "services": (SERVICE, _services),
}
LISTS = frozenset(_LISTS)
"""The names of the lists."""
