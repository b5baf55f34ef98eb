"""What one object says of its health, kind by kind."""

from __future__ import annotations

from typing import Any

import pytest

from pgwizard.kube.api import Object
from pgwizard.kube.health import STUCK_REASONS, Health, assess, condition


def thing(
    kind: str, status: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **metadata: Any
) -> Object:
    about = {"name": "db", "namespace": "shop", **metadata}
    return {"kind": kind, "metadata": about, "spec": spec or {}, "status": status or {}}


def conditions(kind: str, **fields: str) -> list[dict[str, Any]]:
    return [{"type": kind, "status": "True", **fields}]


def test_other_kinds_are_ready_once_they_exist() -> None:
    assert assess(thing("Service")) == Health("ready", "exists")
    assert assess({}) == Health("ready", "exists")


SAME = {"currentRevision": "a", "updateRevision": "a"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, Health("progressing", "the controller has not seen the change yet")),
        ({"observedGeneration": 1}, Health("progressing", "the controller has not seen the change yet")),
        ({"observedGeneration": 2}, Health("progressing", "the pod is being replaced")),
        (
            {"observedGeneration": 2, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
            Health("progressing", "the pod is being replaced"),
        ),
        ({"observedGeneration": 2, "updatedReplicas": 1, **SAME}, Health("progressing", "0 of 1 pods ready")),
        (
            {"observedGeneration": 2, "updatedReplicas": 1, "readyReplicas": 1, **SAME},
            Health("ready", "1 of 1 pods ready"),
        ),
    ],
)
def test_a_stateful_set(status: dict[str, Any], expected: Health) -> None:
    assert assess(thing("StatefulSet", status, {"replicas": 1}, generation=2)) == expected


def test_a_stateful_set_scaled_to_0_is_not_ready() -> None:
    status = {"observedGeneration": 2, "updatedReplicas": 0, **SAME}
    assert assess(thing("StatefulSet", status, {"replicas": 0}, generation=2)) == Health(
        "failed", "scaled to 0", "ScaledToZero"
    )


def test_a_stateful_set_with_more_than_one_pod_is_not_ready() -> None:
    """The pods share nothing: each has a database of its own."""
    status = {"observedGeneration": 2, "updatedReplicas": 2, "readyReplicas": 2, **SAME}
    assert assess(thing("StatefulSet", status, {"replicas": 2}, generation=2)) == Health(
        "failed", "scaled to 2", "ScaledUp"
    )


def container(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "postgresql", "state": state, **fields}]}


ENDED = {"terminated": {"exitCode": 2, "reason": "Error"}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, Health("progressing", "starting: 0 of 1 containers started")),
        ({"conditions": conditions("Ready")}, Health("ready", "ready")),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on\nmemory."},
            Health("failed", "The node was low on memory.", "Evicted"),
        ),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
                ]
            },
            Health("progressing", "cannot be scheduled: 0/1 nodes", "Unschedulable"),
        ),
        (
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "SchedulerError",
                        "message": 'running PreFilter plugin "VolumeBinding": waiting for ephemeral volume controller '
                        'to create the persistentvolumeclaim "postgresql-drill-x-data"',
                    }
                ]
            },
            Health("progressing", "its volume claim is being created"),
        ),
        (
            container({"waiting": {"reason": "ContainerCreating"}}),
            Health("progressing", "starting: 0 of 1 containers started"),
        ),
        (
            container({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}),
            Health("failed", "container postgresql: ImagePullBackOff: no such image", "ImagePullBackOff"),
        ),
        (
            container({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}, lastState=ENDED),
            Health(
                "failed", "container postgresql: CrashLoopBackOff: ended with exit code 2 (Error)", "CrashLoopBackOff"
            ),
        ),
        (container(ENDED), Health("progressing", "container postgresql: ended with exit code 2 (Error)", "Error")),
        (
            container({"waiting": {"reason": "Odd"}}),
            Health("progressing", "container postgresql: Odd", "Odd"),
        ),
        (
            container({"running": {}}, started=True),
            Health("progressing", "starting: 1 of 1 containers started"),
        ),
        (
            {"initContainerStatuses": [{"name": "ca", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
            Health("failed", "container ca: CrashLoopBackOff", "CrashLoopBackOff"),
        ),
    ],
)
def test_a_pod(status: dict[str, Any], expected: Health) -> None:
    assert assess(thing("Pod", status, {"containers": [{"name": "postgresql"}]})) == expected


def test_a_deleted_pod_is_stopping_whatever_its_state() -> None:
    pod = thing("Pod", {"conditions": conditions("Ready")}, deletionTimestamp="now")
    assert assess(pod) == Health("progressing", "the old pod is stopping")


@pytest.mark.parametrize("reason", sorted(STUCK_REASONS))
def test_each_reason_that_no_container_recovers_from_is_a_failure(reason: str) -> None:
    assert assess(thing("Pod", container({"waiting": {"reason": reason}}))).status == "failed"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, Health("progressing", "waiting for its pod")),
        ({"active": 1}, Health("progressing", "running")),
        ({"active": 1, "failed": 1}, Health("progressing", "running, 1 try failed")),
        ({"active": 1, "failed": 2}, Health("progressing", "running, 2 tries failed")),
        ({"conditions": conditions("SuccessCriteriaMet")}, Health("progressing", "waiting for its pod")),
        ({"conditions": conditions("FailureTarget")}, Health("progressing", "waiting for its pod")),
        ({"conditions": conditions("Complete")}, Health("ready", "complete")),
        (
            {"conditions": conditions("Failed", reason="DeadlineExceeded", message="too long")},
            Health("failed", "too long", "DeadlineExceeded"),
        ),
    ],
)
def test_a_job(status: dict[str, Any], expected: Health) -> None:
    assert assess(thing("Job", status)) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, Health("progressing", "volume claim db is new")),
        ({"phase": "Pending"}, Health("progressing", "volume claim db is Pending")),
        ({"phase": "Bound", "capacity": {"storage": "10Gi"}}, Health("ready", "bound, 10Gi")),
        ({"phase": "Bound", "capacity": {"storage": "1395864371200m"}}, Health("ready", "bound, 1.3Gi")),
        (
            {"phase": "Bound", "conditions": conditions("Resizing")},
            Health("progressing", "growing to 20Gi: Resizing", "Resizing"),
        ),
        (
            {"phase": "Bound", "conditions": conditions("FileSystemResizePending")},
            Health("progressing", "growing to 20Gi: FileSystemResizePending", "FileSystemResizePending"),
        ),
        (
            {
                "phase": "Bound",
                "conditions": conditions("Resizing") + conditions("ControllerResizeError", message="no space\nleft"),
            },
            Health("progressing", "the volume cannot grow to 20Gi: no space left", "ControllerResizeError"),
        ),
        (
            {"phase": "Bound", "conditions": conditions("NodeResizeError")},
            Health("progressing", "the volume cannot grow to 20Gi: NodeResizeError", "NodeResizeError"),
        ),
    ],
)
def test_a_claim(status: dict[str, Any], expected: Health) -> None:
    spec = {"resources": {"requests": {"storage": "20Gi"}}}
    assert assess(thing("PersistentVolumeClaim", status, spec)) == expected


def test_a_condition_is_found_by_its_type() -> None:
    pod = thing("Pod", {"conditions": [*conditions("Initialized"), *conditions("Ready", reason="x")]})
    assert condition(pod, "Ready") == {"type": "Ready", "status": "True", "reason": "x"}
    assert condition(pod, "Other") == {}
    assert condition({}, "Ready") == {}


def test_text_from_the_cluster_is_made_plain() -> None:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "\x1b[31mred\u202e\nline"}}
    assert assess(thing("Pod", container(waiting))).message == "container postgresql: ErrImagePull: [31mred line"


HOSTILE = "Odd\x1b]52;c;aGk=\x07\u202e"


@pytest.mark.parametrize(
    "obj",
    [
        thing("Pod", {"containerStatuses": [{"name": HOSTILE, "state": {"waiting": {"reason": HOSTILE}}}]}),
        thing(
            "Pod",
            {"containerStatuses": [{"name": HOSTILE, "state": {"terminated": {"exitCode": 1, "reason": HOSTILE}}}]},
        ),
        thing("Pod", {"phase": "Failed", "reason": HOSTILE, "message": HOSTILE}),
        thing(
            "Pod",
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": HOSTILE, "message": HOSTILE}]},
        ),
        thing("Job", {"conditions": conditions("Failed", reason=HOSTILE, message=HOSTILE)}),
        thing("PersistentVolumeClaim", {"phase": HOSTILE}),
    ],
)
def test_text_from_the_cluster_is_made_printable(obj: Object) -> None:
    health = assess(obj)
    assert "Odd ]52;c;aGk=" in health.message
    assert f"{health.message}{health.reason}".isprintable()
