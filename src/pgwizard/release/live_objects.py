"""Reads the objects of a running release, whoever made it: by the names of the seed, and by what its pod refers to."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from typing import Any

from pgwizard.errors import Finding, Forbidden, PreflightError
from pgwizard.kube.api import (
    CONFIGMAP,
    CRONJOB,
    NAMESPACE,
    NETWORK_POLICY,
    PROMETHEUS_RULE,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFULSET,
    Cluster,
    Object,
    Ref,
    find_object,
    list_objects,
    side_by_side,
)
from pgwizard.plan.names import Names, ReleaseRef
from pgwizard.plan.pgbackrest import version_text
from pgwizard.release import records
from pgwizard.release.image_version import ImageVersion
from pgwizard.release.layout import config_names
from pgwizard.release.live_answers import LiveObjects, import_answers
from pgwizard.release.ownership import other_owner

_CONFIGURATIONS = {"postgresql-configmap": "/etc/postgresql", "pgbackrest-configmap": "/etc/pgbackrest"}
"""Where the pod mounts them."""
_BACKUP_TYPES = {"full-cronjob": "full", "incremental-cronjob": "incr"}


async def collect(cluster: Cluster, release: ReleaseRef) -> LiveObjects:
    """Read each object once; nothing is written.

    Raises PreflightError if the namespace has no StatefulSet of that name.
    """
    statefulset = await find_object(cluster, Ref(STATEFULSET, release.name, release.namespace))
    if statefulset is None:
        text = f"there is no StatefulSet {release.name} in namespace {release.namespace}"
        raise PreflightError(text, hint=records.other_releases_text(await records.choices(cluster, release.namespace)))
    refs = _refs(release, statefulset)
    live = await side_by_side([_read(cluster, ref) for ref in refs.values()])
    objects = {role: obj for role, obj in zip(refs, live, strict=True) if obj is not None}
    objects["statefulset"] = statefulset
    if "pgbackrest-configmap" in objects:
        objects |= await _cronjobs(cluster, release, objects)
    pod = ((statefulset["spec"].get("template") or {}).get("spec") or {}).get("containers") or [{}]
    version = await ImageVersion(cluster, release).read(str(pod[0].get("image")))
    return LiveObjects(release, objects, version_text(version) if version else "")


async def current_answers(cluster: Cluster, release: ReleaseRef) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """The answers of a release, as nested keys of the file, and what they do not express.

    Those of the last revision; imported where there is none, or another tool manages the release by now. Raises
    PreflightError, and the errors of the cluster.
    """
    record, _ = await records.find(cluster, release)
    statefulset = await find_object(cluster, Ref(STATEFULSET, release.name, release.namespace))
    is_ours = statefulset is None or other_owner(statefulset, is_ours=True) is None
    if record is not None and record.last is not None and is_ours:
        return dict(record.last.answers), ()
    import_result = import_answers(await collect(cluster, release))
    return import_result.answers.model_dump(by_alias=True, mode="json"), import_result.findings


async def _read(cluster: Cluster, ref: Ref) -> Object | None:
    with contextlib.suppress(Forbidden):  # what may not be read is not imported; the comparison says what is missing
        return await find_object(cluster, ref)
    return None


def _refs(release: ReleaseRef, statefulset: Object) -> dict[str, Ref]:
    """By role. The Secrets of database and cipher are left out: nothing in them is read."""
    names, namespace = Names.of(release.name), release.namespace
    refs = {
        "namespace": Ref(NAMESPACE, namespace),
        "network-policy": Ref(NETWORK_POLICY, names.release, namespace),
        "service-account": Ref(SERVICE_ACCOUNT, names.backup, namespace),
        "s3-secret": Ref(SECRET, names.s3, namespace),
        "ca-secret": Ref(SECRET, names.ca, namespace),
        "role": Ref(ROLE, names.backup, namespace),
        "role-binding": Ref(ROLE_BINDING, names.backup, namespace),
        "service": Ref(SERVICE, names.release, namespace),
        "full-cronjob": Ref(CRONJOB, names.full, namespace),
        "incremental-cronjob": Ref(CRONJOB, names.incremental, namespace),
        "verify-cronjob": Ref(CRONJOB, names.verify, namespace),
        "drill-cronjob": Ref(CRONJOB, names.drill, namespace),
        "prometheus-rule": Ref(PROMETHEUS_RULE, names.backup, namespace),
    }
    for role, folder in _CONFIGURATIONS.items():
        for name in config_names(statefulset, folder)[:1]:
            refs[role] = Ref(CONFIGMAP, name, namespace)
    return refs


async def _cronjobs(cluster: Cluster, release: ReleaseRef, others: Iterable[str]) -> dict[str, Object]:
    """Those of other names that run a backup in the release's pod."""
    missing = [role for role in _BACKUP_TYPES if role not in others]
    cronjobs: dict[str, Object] = {}
    if not missing:
        return cronjobs
    with contextlib.suppress(Forbidden):
        for job in await list_objects(cluster, CRONJOB, release.namespace):
            words = json.dumps(job["spec"].get("jobTemplate") or {})
            for role in missing:
                if Names.of(release.name).pod in words and _BACKUP_TYPES[role] in words:
                    cronjobs.setdefault(role, {"apiVersion": "batch/v1", "kind": "CronJob", **job})
    return cronjobs
