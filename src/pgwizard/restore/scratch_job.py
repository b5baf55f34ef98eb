"""A Job that restores into a volume of its own, made from the live pod template. Pure.

The volume is made for its pod and deleted with it. It has no token, no port, and no label by which the release's
Service or its NetworkPolicy would choose it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pgwizard.kube.api import JOB, Object, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.plan.plan import DRILL_CPU, DRILL_MEMORY
from pgwizard.quantities import read_quantity
from pgwizard.restore.job import job_of, labels_with, pod_spec, verbatim

_TTL_SECONDS = 600
"""After its end the Job of a client that was killed is deleted, with its volume."""


@dataclass(frozen=True, slots=True)
class ScratchTemplate:
    """What such a Job is made from. stateful: the live StatefulSet; size: of the release's volume; is_small: whether it
    may ask for less CPU and memory than the database.
    """

    stateful: Object
    size: str
    is_small: bool


def scratch_job(
    template: ScratchTemplate,
    release: ReleaseRef,
    name: str,
    component: str,
    command: Callable[[Sequence[str]], Sequence[str]],
    *,
    variables: Mapping[str, str],
    deadline_seconds: float,
) -> Object:
    """The Job. component: the label and the name of its container; command: called with the server's arguments."""
    stateful = template.stateful
    claim = copy.deepcopy(stateful["spec"]["volumeClaimTemplates"][0]["spec"])
    claim = {key: claim[key] for key in ("accessModes", "storageClassName") if key in claim}
    claim |= {"resources": {"requests": {"storage": template.size}}}
    foreign, annotations = _foreign_metadata(stateful)
    labels = labels_with(release, component, foreign)
    storage = {"ephemeral": {"volumeClaimTemplate": {"metadata": {"labels": labels}, "spec": claim}}}
    spec = pod_spec(stateful, component, storage, command)
    spec["terminationGracePeriodSeconds"] = 1  # nothing in it is worth an orderly end
    [container] = spec["containers"]
    own = [{"name": key, "value": verbatim(value)} for key, value in variables.items()]
    container["env"] = [*(container.get("env") or ()), *own]
    if template.is_small:
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


def _small(resources_: Object) -> Object:
    """Limits as the database's, requests never above it: the pod is to find a place beside the database."""
    own: Object = {**(resources_.get("limits") or {}), **(resources_.get("requests") or {})}
    requests = dict(resources_.get("requests") or {})
    for what, most in (("cpu", DRILL_CPU), ("memory", DRILL_MEMORY)):
        size, small = read_quantity(own.get(what)), read_quantity(most)
        if size is not None and small is not None and size > small:
            requests[what] = most
    return {**resources_, "requests": requests}
