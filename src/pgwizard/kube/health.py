"""The health of one object, from its own status: ``assess(object) -> Health``.

Pure, kind by kind, after kstatus; but a pod that cannot start is distinguished from one that is starting, with
the kubelet's message. It does not wait, and does not look at other objects: the caller combines several.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pgwizard.kube.api import Object
from pgwizard.quantities import size_text
from pgwizard.text import plain

Status = Literal["ready", "progressing", "failed"]

SCALED_TO_0 = "ScaledToZero"
"""Our own reason for a StatefulSet that is scaled to 0."""
SCALED_UP = "ScaledUp"
"""Our own reason for a StatefulSet with more than one pod, each a database of its own."""

STUCK_REASONS = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
"""Reasons that a container rarely recovers from without help."""
REFUSAL_REASON = "FailedCreate"
"""The reason of an event about pods that a controller cannot create."""
_VOLUME_AWAITED = "waiting for ephemeral volume controller to create the persistentvolumeclaim"
"""The scheduler's message about each pod with an ephemeral claim, until the claim is there."""
AWAITS_POD = "waiting for its pod"
MESSAGE_CHARACTERS = 1000
"""The kubelet repeats the image three times before the reason."""


@dataclass(frozen=True, slots=True)
class Health:
    """reason is Kubernetes' own word, empty where it has none; message is one plain line for people.

    ``failed`` is final for a Job and, for a pod and a StatefulSet, what does not mend itself as a rule.
    """

    status: Status
    message: str
    reason: str = ""


def assess(obj: Object) -> Health:
    """The health of a StatefulSet, Pod, Job or PersistentVolumeClaim; any other kind is ready once it exists."""
    rule = {
        "StatefulSet": _statefulset,
        "Pod": _pod,
        "Job": _job,
        "PersistentVolumeClaim": _claim,
    }.get(obj.get("kind", ""))
    if rule is None:
        return Health("ready", "exists")
    return rule(obj)


def condition(obj: Object, kind: str) -> dict[str, Any]:
    """The condition of that type; empty where there is none."""
    conditions = obj.get("status", {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), {})


def _statefulset(obj: Object) -> Health:
    status, spec = obj.get("status", {}), obj.get("spec", {})
    replicas = spec.get("replicas", 1)
    if replicas == 0:  # ready for its controller, but there is no database
        return Health("failed", "scaled to 0", SCALED_TO_0)
    if replicas > 1:
        return Health("failed", f"scaled to {replicas}", SCALED_UP)
    if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
        return Health("progressing", "the controller has not seen the change yet")
    if status.get("updatedReplicas", 0) < replicas or status.get("currentRevision") != status.get("updateRevision"):
        return Health("progressing", "the pod is being replaced")
    ready = status.get("readyReplicas", 0)
    if ready < replicas:
        return Health("progressing", f"{ready} of {replicas} pods ready")
    return Health("ready", f"{ready} of {replicas} pods ready")


def _pod(obj: Object) -> Health:
    status = obj.get("status", {})
    if obj["metadata"].get("deletionTimestamp"):
        return Health("progressing", "the old pod is stopping")
    if condition(obj, "Ready").get("status") == "True":
        return Health("ready", "ready")
    if status.get("phase") == "Failed":
        return Health("failed", plain(status.get("message") or "the pod failed"), plain(status.get("reason", "")))
    scheduling = condition(obj, "PodScheduled")
    if scheduling.get("status") == "False":
        why, reason = plain(scheduling.get("message", "")), plain(scheduling.get("reason", ""))
        if _VOLUME_AWAITED in why:  # for a second or two, each time
            return Health("progressing", "its volume claim is being created")
        return Health("progressing", f"cannot be scheduled: {why}", reason)
    for container in _containers(obj):
        if (fault := _container(container)) is not None:
            return fault
    started_count = sum(1 for container in status.get("containerStatuses") or [] if container.get("started"))
    total = len(obj.get("spec", {}).get("containers") or [])
    return Health("progressing", f"starting: {started_count} of {total} containers started")


def _containers(obj: Object) -> Iterator[dict[str, Any]]:
    for field in ("initContainerStatuses", "containerStatuses"):
        yield from obj.get("status", {}).get(field) or []


def _container(status: dict[str, Any]) -> Health | None:
    """The health of one container; None if it runs or has succeeded."""
    name, state = plain(status.get("name", "")), status.get("state", {})
    termination = state.get("terminated") or status.get("lastState", {}).get("terminated") or {}
    end = plain(termination.get("reason", ""))
    last = f": ended with exit code {termination['exitCode']} ({end or 'Error'})" if termination.get("exitCode") else ""
    waiting = state.get("waiting", {})
    reason = plain(waiting.get("reason", ""))
    if reason in STUCK_REASONS:
        text = plain(waiting.get("message") or "", MESSAGE_CHARACTERS)
        why = f": {text}" if text and reason != "CrashLoopBackOff" else last
        return Health("failed", f"container {name}: {reason}{why}", reason)
    if state.get("terminated", {}).get("exitCode"):
        return Health("progressing", f"container {name}{last}", end)
    if reason and reason not in ("PodInitializing", "ContainerCreating"):
        return Health("progressing", f"container {name}: {reason}", reason)
    return None


def _job(obj: Object) -> Health:
    failure, complete = condition(obj, "Failed"), condition(obj, "Complete")
    if complete.get("status") == "True":
        return Health("ready", "complete")
    if failure.get("status") == "True":
        return Health("failed", plain(failure.get("message") or "failed"), plain(failure.get("reason", "")))
    active, tries = obj.get("status", {}).get("active", 0), obj.get("status", {}).get("failed", 0)
    tries_text = f", {tries} {'try' if tries == 1 else 'tries'} failed" if tries else ""
    return Health("progressing", f"{'running' if active else AWAITS_POD}{tries_text}")


def _claim(obj: Object) -> Health:
    status = obj.get("status", {})
    if status.get("phase") != "Bound":
        phase = plain(status.get("phase", "new"))
        return Health("progressing", f"volume claim {plain(obj['metadata']['name'])} is {phase}")
    size = size_text(obj.get("spec", {}).get("resources", {}).get("requests", {}).get("storage"))
    for kind in ("ControllerResizeError", "NodeResizeError"):
        if (refusal := condition(obj, kind)).get("status") == "True":
            why = plain(refusal.get("message") or kind)
            return Health("progressing", f"the volume cannot grow to {size}: {why}", kind)
    for kind in ("FileSystemResizePending", "Resizing"):
        if condition(obj, kind).get("status") == "True":
            return Health("progressing", f"growing to {size}: {kind}", kind)
    capacity = status.get("capacity", {}).get("storage")
    return Health("ready", f"bound, {size_text(capacity) if capacity else size}")
