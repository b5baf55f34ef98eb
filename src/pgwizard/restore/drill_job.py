"""The Job of a drill, made from the live pod template. Pure.

Its volume is made for its pod and deleted with it. It has no token, no port, and no label by which the release's
Service or its NetworkPolicy would choose it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from pgwizard.kube.api import JOB, Object, Ref
from pgwizard.plan.manifests import templates_dir
from pgwizard.plan.names import ReleaseRef
from pgwizard.plan.plan import DRILL_CPU, DRILL_MEMORY
from pgwizard.quantities import read_quantity
from pgwizard.release import drills
from pgwizard.restore.job import job_of, labels_with, pod_spec
from pgwizard.restore.target import lsn_text

COMPONENT = "drill"
_TTL_SECONDS = 600
"""After its end the Job of a client that was killed is deleted, with its volume."""


@dataclass(frozen=True, slots=True)
class DrillQuery:
    """A query of the user's own. expected: what it must answer; None where it only has to succeed."""

    sql: str
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """What a drill restores. options: of ``pgbackrest restore``. must_exceed: the WAL position that recovery must get
    beyond: where the newest segment of the archive begins; None where the Job is to find that itself.
    """

    options: tuple[str, ...]
    must_exceed: int | None


@cache
def _script() -> str:
    return (templates_dir() / "files" / "drill.sh").read_text(encoding="utf-8")


def job_name(release: ReleaseRef, at: datetime) -> str:
    """The name of the Job of a drill that begins now."""
    return f"{release.name[:40]}-drill-{at:%Y%m%d-%H%M%S}"


def manifest(
    stateful: Object,
    size: str,
    release: ReleaseRef,
    name: str,
    plan: DrillPlan,
    *,
    query: DrillQuery | None,
    deadline_seconds: float,
    is_small: bool,
) -> Object:
    """The Job. stateful: the live StatefulSet; size: of its live volume; is_small: whether it may ask for less CPU and
    memory than the database.
    """

    def command(arguments: Sequence[str]) -> list[str]:
        return ["/bin/bash", "-c", _script(), drills.CONTAINER, str(len(plan.options)), *plan.options, *arguments]

    claim = copy.deepcopy(stateful["spec"]["volumeClaimTemplates"][0]["spec"])
    claim = {key: claim[key] for key in ("accessModes", "storageClassName") if key in claim}
    claim |= {"resources": {"requests": {"storage": size}}}
    foreign, annotations = _foreign_metadata(stateful)
    labels = labels_with(release, COMPONENT, foreign)
    storage = {"ephemeral": {"volumeClaimTemplate": {"metadata": {"labels": labels}, "spec": claim}}}
    spec = pod_spec(stateful, drills.CONTAINER, storage, command)
    spec["terminationGracePeriodSeconds"] = 1  # nothing in it is worth an orderly end
    [container] = spec["containers"]
    container["env"] = [*(container.get("env") or ()), *_variables(plan, query)]
    if is_small:
        container["resources"] = _small(container.get("resources") or {})
    job = job_of(Ref(JOB, name, release.namespace), spec, max(1, int(deadline_seconds)), labels, annotations)
    job["spec"]["ttlSecondsAfterFinished"] = _TTL_SECONDS
    return job


def _foreign_metadata(stateful: Object) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations that policies and meshes want on the database's pod: all but its own."""
    metadata, own = stateful["spec"]["template"]["metadata"], ("app.kubernetes.io/", "checksum/")
    labels, annotations = (
        {key: value for key, value in (metadata.get(kind) or {}).items() if not key.startswith(own)}
        for kind in ("labels", "annotations")
    )
    return labels, annotations


def _variables(plan: DrillPlan, query: DrillQuery | None) -> list[dict[str, str]]:
    variables = {} if plan.must_exceed is None else {"DRILL_MUST_EXCEED": lsn_text(plan.must_exceed)}
    if query is not None:
        variables["DRILL_QUERY"] = query.sql
        if query.expected is not None:
            variables["DRILL_EXPECT"] = query.expected
    # Kubernetes would replace $(NAME) in a value.
    return [{"name": name, "value": value.replace("$(", "$$(")} for name, value in variables.items()]


def _small(resources_: Object) -> Object:
    """Limits as the database's, requests never above it: the pod is to find a place beside the database."""
    own: Object = {**(resources_.get("limits") or {}), **(resources_.get("requests") or {})}
    requests = dict(resources_.get("requests") or {})
    for what, most in (("cpu", DRILL_CPU), ("memory", DRILL_MEMORY)):
        size, small = read_quantity(own.get(what)), read_quantity(most)
        if size is not None and small is not None and size > small:
            requests[what] = most
    return {**resources_, "requests": requests}
