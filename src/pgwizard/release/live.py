"""Finds releases by their live objects: those that Helm, Argo CD, Flux, kubectl or a person installed, too.

It reads StatefulSets and ConfigMaps, never a Secret. What a record knows beside them, ``records`` reads.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pgwizard.errors import ClusterError
from pgwizard.kube.api import CONFIGMAP, STATEFULSET, Cluster, Object, Ref, find_object, list_objects
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.layout import (
    Configuration,
    Layout,
    config_names,
    database_container,
    layout_of,
    option,
    read_configuration,
    uses_pgbackrest,
    variable,
)
from pgwizard.release.ownership import deployer_of

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class LiveRelease:
    """A release as its objects describe it. manager: the tool that installed it, empty where nothing says so.

    configuration: pgbackrest.conf; empty where it has none, or it may not be read.
    """

    ref: ReleaseRef
    manager: str
    statefulset: Object
    configuration: Configuration
    layout: Layout

    @property
    def takes_backups(self) -> bool:
        """Whether pgBackRest has a repository: in its configuration, or in the container's variables."""
        container = database_container(self.statefulset)
        names = (str(each.get("name")) for each in container.get("env") or ())
        return bool(self.configuration) or any(name.startswith("PGBACKREST_REPO") for name in names)

    @property
    def superuser(self) -> str | None:
        """The role that the image creates; None where it comes from a Secret."""
        container = database_container(self.statefulset)
        if any(each.get("name") == "POSTGRES_USER" and each.get("valueFrom") for each in container.get("env") or ()):
            return None
        return variable(container, "POSTGRES_USER")

    @property
    def is_tls_verified(self) -> bool:
        """Whether pgBackRest verifies the store's certificate; its default."""
        names = ("repo1-storage-verify-tls", "repo1-s3-verify-tls")
        return "n" not in [self.option(name) for name in names]

    def option(self, name: str) -> str | None:
        """An option of pgBackRest, by the container's variable or by its configuration."""
        text = variable(database_container(self.statefulset), f"PGBACKREST_{name.upper().replace('-', '_')}")
        return text if text is not None else option(self.configuration, self.layout.stanza, name)


async def find(cluster: Cluster, release: ReleaseRef) -> LiveRelease | None:
    """The release whose StatefulSet has this name; None where there is none with pgBackRest. Raises ClusterError."""
    statefulset = await find_object(cluster, Ref(STATEFULSET, release.name, release.namespace))
    if statefulset is None or not uses_pgbackrest(statefulset):
        return None
    configuration: Configuration = {}
    for name in config_names(statefulset):
        configuration = {**configuration, **await _read(cluster, Ref(CONFIGMAP, name, release.namespace))}
    layout = layout_of(release, statefulset, configuration)
    return LiveRelease(release, manager_of(statefulset), statefulset, configuration, layout)


async def _read(cluster: Cluster, ref: Ref) -> Configuration:
    """The configuration in a ConfigMap; none where it may not be read."""
    try:
        obj = await find_object(cluster, ref)
    except ClusterError:
        return {}
    texts = [text for key, text in sorted(((obj or {}).get("data") or {}).items()) if key.endswith(".conf")]
    try:
        return read_configuration("\n".join(texts))
    except ValueError:
        return {}


async def releases(
    cluster: Cluster, namespace: str | None, recorded_refs: Collection[ReleaseRef] = ()
) -> list[LiveRelease]:
    """The releases of a namespace, or of all (None), that have no record, in order; without their configuration.

    Raises ClusterError.
    """
    listing = []
    for item in filter(uses_pgbackrest, await list_objects(cluster, STATEFULSET, namespace)):
        ref = ReleaseRef(item["metadata"]["namespace"], item["metadata"]["name"])
        if ref not in recorded_refs:
            listing.append(LiveRelease(ref, manager_of(item), item, {}, layout_of(ref, item, {})))
    return sorted(listing, key=lambda each: each.ref)


def manager_of(live: Object) -> str:
    """The tool that manages an object, with its name for what it deploys, such as ``Helm release shop``.

    Empty where nothing says so, as for what pgwizard applied: its record says that.
    """
    if tool := deployer_of(live):
        return tool
    metadata = live["metadata"]
    managers = {str(each.get("manager")) for each in metadata.get("managedFields") or ()}
    is_kubectl = any(name.startswith("kubectl") for name in managers) or _LAST_APPLIED in _part(metadata, "annotations")
    return "kubectl" if is_kubectl else ""


def _part(metadata: Any, name: str) -> dict[str, Any]:
    return metadata.get(name) or {}
