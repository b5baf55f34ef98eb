"""Owns the life of pods and claims: scheduling, binding, mounting, container states, readiness, growth.

Times are those of a small cluster with warm images. Not simulated: probes that really run, eviction and accounting.
"""

from __future__ import annotations

from typing import Any

from pgwizard.kube.api import Object, Ref, Resource
from pgwizard.quantities import read_quantity
from pgwizard.simulator.birth import CLASS
from pgwizard.simulator.clock import seconds_of, stamp
from pgwizard.simulator.faults import ScriptedOutcome
from pgwizard.simulator.runtime import Runtime, waiting

CLAIM = Resource("v1", "PersistentVolumeClaim")
NODE = "demo-node"
SIDECAR = "istio-proxy"
"""What a mesh injects into the pod of a Job: it does not end by itself."""
_NODE_KEY = "volume.kubernetes.io/selected-node"
_LONGEST_BACKOFF_SECONDS = 300


def ready(pod: Object) -> bool:
    """Whether the pod counts as ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


async def pod(rt: Runtime, ref: Ref) -> float | None:
    """The next step in the life of a pod."""
    pod_ = rt.store.peek(ref)
    if pod_ is None:
        return None
    if "deletionTimestamp" in pod_["metadata"]:
        await _terminate(rt, ref, pod_)
        return None
    status = pod_["status"]
    if status["phase"] in {"Succeeded", "Failed"} or ready(pod_):
        return None
    if not pod_["spec"].get("nodeName"):
        return await _schedule(rt, ref, pod_)
    if missing := _missing_volume(rt, pod_):
        await rt.clock.sleep(1)
        rt.event(pod_, "FailedMount", missing, warning=True)
        return 5
    for group, key in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
        for container in pod_["spec"].get(group) or ():
            state = _status(status, key, container["name"])
            if "terminated" in state["state"] and (
                state["state"]["terminated"]["exitCode"] == 0 or (key == "containerStatuses" and _of_job(pod_))
            ):
                continue
            if "running" in state["state"] and key == "containerStatuses":
                continue
            if (delay := await _start(rt, ref, container, key)) is not None:
                return delay
    return await _become_ready(rt, ref)


async def _terminate(rt: Runtime, ref: Ref, pod: Object) -> None:
    await rt.clock.sleep(1)
    for (uid, _), log in rt.logs.items():
        if uid == pod["metadata"]["uid"]:
            log.end()
    rt.remove(ref)


def _status(status: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    entry = next((item for item in status.get(key) or () if item["name"] == name), None)
    if entry is None:
        entry = {"name": name, "ready": False, "started": False, "restartCount": 0, "state": {}}
        status.setdefault(key, []).append(entry)
    return entry


def _condition(
    rt: Runtime, status: dict[str, Any], kind: str, *, yes: bool, reason: str = "", message: str = ""
) -> None:
    conditions = status.setdefault("conditions", [])
    new = {"type": kind, "status": "True" if yes else "False"}
    new |= {"reason": reason, "message": message} if reason else {}
    for index, old in enumerate(conditions):
        if old["type"] == kind:
            is_change = old["status"] != new["status"]
            conditions[index] = new | {
                "lastTransitionTime": stamp(rt.clock.now()) if is_change else old["lastTransitionTime"]
            }
            return
    conditions.append(new | {"lastTransitionTime": stamp(rt.clock.now())})


async def _schedule(rt: Runtime, ref: Ref, pod: Object) -> float | None:
    await rt.clock.sleep(0.2)
    namespace = ref.namespace
    problem = ""
    if outcome := rt.outcome("unschedulable", pod):
        problem = outcome.message or (
            "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available: "
            "1 No preemption victims found for incoming pod."
        )
    for volume in pod["spec"].get("volumes") or ():
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if not name or problem:
            continue
        target = Ref(CLAIM, name, namespace)
        claim = rt.store.peek(target)
        if claim is None:
            problem = f'persistentvolumeclaim "{name}" not found'
        elif claim["status"]["phase"] != "Bound":
            rt.change(target, lambda obj: obj["metadata"].setdefault("annotations", {}).update({_NODE_KEY: NODE}))
            return 1
    if problem:

        def refuse(obj: Any) -> None:
            _condition(rt, obj["status"], "PodScheduled", yes=False, reason="Unschedulable", message=problem)

        rt.change(ref, refuse)
        rt.event(pod, "FailedScheduling", problem, warning=True, source="default-scheduler")
        return 10

    def place(obj: Any) -> None:
        obj["spec"]["nodeName"] = NODE
        obj["status"] |= {"hostIP": "192.0.2.1", "startTime": stamp(rt.clock.now())}
        _condition(rt, obj["status"], "PodScheduled", yes=True)
        _condition(rt, obj["status"], "Initialized", yes=not obj["spec"].get("initContainers"))
        _condition(rt, obj["status"], "Ready", yes=False, reason="ContainersNotReady", message="containers not ready")
        for group, key in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
            for container in obj["spec"].get(group) or ():
                reason = "PodInitializing" if obj["spec"].get("initContainers") else "ContainerCreating"
                item = _status(obj["status"], key, container["name"])
                item |= {"image": container["image"], "imageID": "", "state": {"waiting": {"reason": reason}}}

    rt.change(ref, place)
    text = f"Successfully assigned {namespace}/{ref.name} to {NODE}"
    rt.event(pod, "Scheduled", text, source="default-scheduler")
    return 0


def _missing_volume(rt: Runtime, pod: Object) -> str:
    for volume in pod["spec"].get("volumes") or ():
        for key, kind, field in (("secret", "Secret", "secretName"), ("configMap", "ConfigMap", "name")):
            source = volume.get(key)
            if not source or source.get("optional"):
                continue
            source_object = rt.store.peek(Ref(Resource("v1", kind), source[field], pod["metadata"]["namespace"]))
            start = f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
            if source_object is None:
                return f'{start}{kind.lower()} "{source[field]}" not found'
            for item in source.get("items") or ():
                if item["key"] not in {**(source_object.get("data") or {}), **(source_object.get("binaryData") or {})}:
                    return f"{start}references non-existent {kind.lower()} key: {item['key']}"
    return ""


def _missing_variable(rt: Runtime, pod: Object, container: dict[str, Any]) -> str:
    namespace = pod["metadata"]["namespace"]
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        for key, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
            reference = source.get(key)
            if not reference or reference.get("optional"):
                continue
            source_object = rt.store.peek(Ref(Resource("v1", kind), reference["name"], namespace))
            if source_object is None:
                return f'{kind.lower()} "{reference["name"]}" not found'
            if reference["key"] not in (source_object.get("data") or {}):
                return f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}"
    return ""


def _set(rt: Runtime, ref: Ref, key: str, name: str, **fields: Any) -> Object | None:
    def edit(obj: Any) -> None:
        item = _status(obj["status"], key, name)
        if "state" in fields and "terminated" in item["state"] and "terminated" not in fields["state"]:
            item["lastState"] = item["state"]
        item.update(fields)

    return rt.change(ref, edit)


async def _start(rt: Runtime, ref: Ref, container: dict[str, Any], key: str) -> float | None:
    """Start one container. None where it runs, or where it is an init container that is done."""
    name, image = container["name"], container["image"]
    pod = rt.store.peek(ref)
    if pod is None:
        return 0
    if (remaining := _backing_off(rt, _status(pod["status"], key, name))) > 0:
        return remaining
    await rt.clock.sleep(0.5)
    if outcome := rt.outcome("image-pull", pod, name):
        return await _fail_pull(rt, ref, key, container, outcome)
    rt.event(pod, "Pulled", f'Container image "{image}" already present on machine')
    if problem := _missing_variable(rt, pod, container):
        _set(rt, ref, key, name, state={"waiting": {"reason": "CreateContainerConfigError", "message": problem}})
        rt.event(pod, "Failed", f"Error: {problem}", warning=True)
        return 5
    rt.event(pod, "Created", f"Created container: {name}")
    rt.event(pod, "Started", f"Started container {name}")
    began = stamp(rt.clock.now())
    log = rt.open_log(pod, name)
    runs = {"running": {"startedAt": began}}
    _set(rt, ref, key, name, state=runs, imageID=f"{image}@sha256:{'0' * 64}", started=True)
    if crash := rt.outcome("crash-loop", pod, name):
        await rt.clock.sleep(1)
        log.write(*(crash.lines or ("FATAL:  could not start",)))
        return _crash(rt, ref, key, name, began=began, code=crash.exit_code)
    if key == "initContainerStatuses":
        await rt.clock.sleep(1)
        log.end()
        _set(rt, ref, key, name, state=_over(rt, began, 0), ready=True)
        return None
    if _of_job(pod):
        rt.change(ref, lambda obj: obj["status"].update(phase="Running", podIP="10.244.0.20"))
        return await _run_job(rt, ref, name, began)
    log.write(*rt.programs.boot(pod, name))
    return None


def _of_job(pod: Object) -> bool:
    return pod["spec"].get("restartPolicy") in {"Never", "OnFailure"}


def _over(rt: Runtime, began: str, code: int, message: str = "") -> dict[str, Any]:
    reason = "Completed" if code == 0 else "Error"
    termination = {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": stamp(rt.clock.now())}
    return {"terminated": {**termination, "message": message} if message else termination}


async def _fail_pull(rt: Runtime, ref: Ref, key: str, container: dict[str, Any], outcome: ScriptedOutcome) -> float:
    name, image = container["name"], container["image"]
    pod = rt.store.peek(ref)
    if pod is None:
        return 0
    text = outcome.message or (
        f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": pull access denied, '
        "repository does not exist or may require authorization"
    )
    if waiting(pod, name) != "ImagePullBackOff":
        rt.event(pod, "Pulling", f'Pulling image "{image}"')
        rt.event(pod, "Failed", f'Failed to pull image "{image}": {text}', warning=True)
        _set(rt, ref, key, name, state={"waiting": {"reason": "ErrImagePull", "message": text}})
        await rt.clock.sleep(2)
    back = f'Back-off pulling image "{image}": ErrImagePull: {text}'
    rt.event(pod, "BackOff", f'Back-off pulling image "{image}"', warning=True)
    _set(rt, ref, key, name, state={"waiting": {"reason": "ImagePullBackOff", "message": back}})
    return 10


def _backoff_seconds(restarts: int) -> int:
    return int(min(10 * 2**restarts, _LONGEST_BACKOFF_SECONDS))


def _backing_off(rt: Runtime, status: dict[str, Any]) -> float:
    """How long a container that crashed still has to wait."""
    if (status["state"].get("waiting") or {}).get("reason") != "CrashLoopBackOff":
        return 0
    end = seconds_of(status["lastState"]["terminated"]["finishedAt"])
    return end + _backoff_seconds(status["restartCount"] - 1) - rt.clock.now()


def _crash(rt: Runtime, ref: Ref, key: str, name: str, *, began: str, code: int) -> float:
    rt.logs[_uid(rt, ref), name].end()
    pod = _set(rt, ref, key, name, state=_over(rt, began, code), ready=False, started=False)
    if pod is None:
        return 0
    count = int(_status(pod["status"], key, name)["restartCount"])
    delay = _backoff_seconds(count)
    where = f"pod={ref.name}_{ref.namespace}({pod['metadata']['uid']})"
    text = f"back-off {delay}s restarting failed container={name} {where}"
    waits = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
    rt.event(pod, "BackOff", f"Back-off restarting failed container {name} in pod {ref.name}", warning=True)
    _set(rt, ref, key, name, state=waits, restartCount=count + 1)
    return delay


def _uid(rt: Runtime, ref: Ref) -> str:
    pod = rt.store.peek(ref)
    return pod["metadata"]["uid"] if pod else ""


async def _run_job(rt: Runtime, ref: Ref, name: str, began: str) -> float | None:
    pod = rt.store.peek(ref)
    if pod is None:
        return 0
    log = rt.logs[pod["metadata"]["uid"], name]
    if name == SIDECAR:
        log.write("proxy ready")
        return None
    slow = rt.outcome("slow", pod, name)
    if slow and await _is_killed_within(rt, ref, slow.seconds):
        return 0
    if failure := rt.outcome("job-failed", pod, name):
        await rt.clock.sleep(1)
        log.write(*failure.lines)
        code = failure.exit_code
    else:
        code = await rt.programs.job(pod, log)
    log.end()
    _set(rt, ref, "containerStatuses", name, state=_over(rt, began, code, log.message), started=False)

    def finish(obj: Any) -> None:
        if any("terminated" not in item["state"] for item in obj["status"]["containerStatuses"]):
            return
        obj["status"]["phase"] = "Failed" if code else "Succeeded"
        reason = "PodFailed" if code else "PodCompleted"
        _condition(rt, obj["status"], "Ready", yes=False, reason=reason)

    rt.change(ref, finish)
    return 0


async def _is_killed_within(rt: Runtime, ref: Ref, seconds: float) -> bool:
    """Whether the pod is deleted while it takes its time."""
    end = rt.clock.now() + seconds
    while (remaining := end - rt.clock.now()) > 0:
        await rt.clock.sleep(min(1, remaining))
        pod = rt.store.peek(ref)
        if pod is None or "deletionTimestamp" in pod["metadata"]:
            return True
    return False


async def _become_ready(rt: Runtime, ref: Ref) -> float | None:
    pod = rt.change(ref, lambda obj: obj["status"].update(phase="Running", podIP="10.244.0.10"))
    if pod is None or _of_job(pod):
        return None
    slow = rt.outcome("slow", pod)
    await rt.clock.sleep(slow.seconds if slow else 3)
    pod = rt.store.peek(ref)
    if pod is None or "deletionTimestamp" in pod["metadata"]:
        return 0
    if outcome := rt.outcome("never-ready", pod):
        text = outcome.message or "Readiness probe failed: /var/run/postgresql:5432 - no response"
        rt.event(pod, "Unhealthy", text, warning=True)
        return 10

    def finish(obj: Any) -> None:
        for item in obj["status"]["containerStatuses"]:
            item["ready"] = True
        for kind in ("Initialized", "ContainersReady", "Ready"):
            _condition(rt, obj["status"], kind, yes=True)

    rt.change(ref, finish)
    return None


async def claim(rt: Runtime, ref: Ref) -> float | None:
    """Bind a claim, or grow it."""
    pvc = rt.store.peek(ref)
    if pvc is None:
        return None
    name = pvc["spec"].get("storageClassName", "")
    kind = rt.store.peek(Ref(CLASS, name))
    if pvc["status"]["phase"] != "Bound":
        return await _bind(rt, ref, pvc, kind)
    size = pvc["spec"]["resources"]["requests"]["storage"]
    request, has = read_quantity(size), read_quantity(pvc["status"]["capacity"]["storage"])
    if request is None or has is None or request <= has:
        return None
    await rt.clock.sleep(2)

    def grow(obj: Any) -> None:
        obj["status"]["capacity"]["storage"] = size
        obj["status"].pop("conditions", None)

    rt.change(ref, grow)
    rt.event(pvc, "FileSystemResizeSuccessful", "MountVolume.NodeExpandVolume succeeded for volume")
    return None


async def _bind(rt: Runtime, ref: Ref, pvc: Object, kind: Object | None) -> float | None:
    source = "persistentvolume-controller"
    name = pvc["spec"].get("storageClassName", "")
    if kind is None:
        if name:
            text = f'storageclass.storage.k8s.io "{name}" not found'
            rt.event(pvc, "ProvisioningFailed", text, warning=True, source=source)
        return 15
    late = kind.get("volumeBindingMode") == "WaitForFirstConsumer"
    if late and _NODE_KEY not in (pvc["metadata"].get("annotations") or {}):
        rt.event(pvc, "WaitForFirstConsumer", "waiting for first consumer to be created before binding", source=source)
        return None
    if outcome := rt.outcome("pvc-pending", pvc):
        text = outcome.message or (
            f'failed to provision volume with StorageClass "{name}": rpc error: code = ResourceExhausted desc = '
            "not enough free capacity"
        )
        rt.event(pvc, "ProvisioningFailed", text, warning=True, source=kind["provisioner"])
        return 15
    await rt.clock.sleep(1)
    volume = f"pvc-{pvc['metadata']['uid']}"

    def bind(obj: Any) -> None:
        obj["spec"]["volumeName"] = volume
        capacity = {"storage": obj["spec"]["resources"]["requests"]["storage"]}
        obj["status"] = {"phase": "Bound", "accessModes": obj["spec"]["accessModes"], "capacity": capacity}

    rt.change(ref, bind)
    text = f"Successfully provisioned volume {volume}"
    rt.event(pvc, "ProvisioningSucceeded", text, source=kind["provisioner"])
    return None
