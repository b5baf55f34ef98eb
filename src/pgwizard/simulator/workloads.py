"""Owns the controllers of StatefulSets, Jobs and CronJobs.

Not simulated: partitions, parallel Jobs, pod failure policies and indexed completion. As in Kubernetes itself, a
StatefulSet with ``podManagementPolicy: OrderedReady`` does not replace a pod that never became ready.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from pgwizard.kube.api import Object, Ref, Resource
from pgwizard.simulator.birth import with_identity
from pgwizard.simulator.clock import seconds_of, stamp
from pgwizard.simulator.pods import CLAIM, SIDECAR, ready
from pgwizard.simulator.runtime import POD, Runtime
from pgwizard.simulator.store import copy_object

JOB = Resource("batch/v1", "Job")
_HASH = "controller-revision-hash"
_RETRY_SECONDS = 10


def _owner(obj: Object) -> dict[str, Any]:
    metadata = obj["metadata"]
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _children(rt: Runtime, kind: Resource, owner: Object) -> list[Object]:
    uid, namespace = owner["metadata"]["uid"], owner["metadata"]["namespace"]
    return [
        obj
        for obj in rt.store.find(kind, namespace)
        if any(item["uid"] == uid for item in obj["metadata"].get("ownerReferences") or ())
    ]


def _make_pod(owner: Object, template: dict[str, Any], name: str, labels: dict[str, str]) -> Object:
    metadata = copy_object(template.get("metadata") or {})
    metadata |= {"name": name, "namespace": owner["metadata"]["namespace"], "ownerReferences": [_owner(owner)]}
    metadata["labels"] = (metadata.get("labels") or {}) | labels
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": copy_object(template["spec"])}


def _refusal(rt: Runtime, owner: Object, name: str) -> str:
    """Why no pod can be created; empty where it can."""
    if outcome := rt.outcome("quota", owner):
        text = outcome.message or (
            "exceeded quota: compute, requested: limits.memory=1Gi, used: limits.memory=4Gi, limited: limits.memory=4Gi"
        )
        return f'pods "{name}" is forbidden: {text}'
    if outcome := rt.outcome("pod-security", owner):
        text = outcome.message or (
            'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "postgresql" must '
            "set securityContext.allowPrivilegeEscalation=false)"
        )
        return f'pods "{name}" is forbidden: {text}'
    if outcome := rt.outcome("webhook-silent", owner):
        return outcome.message or (
            'Internal error occurred: failed calling webhook "pods.policy.example.com": failed to call webhook: Post '
            '"https://policy.policy.svc:443/pods?timeout=10s": context deadline exceeded'
        )
    return ""


async def statefulset(rt: Runtime, ref: Ref) -> float | None:
    """Bring claims, pods and status of a StatefulSet to its spec."""
    await rt.clock.sleep(0.05)
    workload = rt.store.peek(ref)
    if workload is None:
        return None
    revision = rt.revision(workload)
    replicas = int(workload["spec"]["replicas"])
    delay: float | None = None
    for ordinal in range(replicas):
        name = f"{ref.name}-{ordinal}"
        pod = rt.store.peek(Ref(POD, name, ref.namespace))
        if pod is None:
            delay = _create_replica(rt, workload, ordinal, revision)
            break
        metadata = pod["metadata"]
        if not metadata.get("ownerReferences"):
            rt.change(Ref.of(pod), lambda obj: obj["metadata"].update(ownerReferences=[_owner(workload)]))
        is_outdated = (metadata.get("labels") or {}).get(_HASH) != revision
        is_ordered = workload["spec"]["podManagementPolicy"] == "OrderedReady"
        if "deletionTimestamp" in metadata or (is_ordered and not ready(pod)):
            break
        if is_outdated and workload["spec"]["updateStrategy"]["type"] != "OnDelete":
            text = f"delete Pod {name} in StatefulSet {ref.name} successful"
            rt.event(workload, "SuccessfulDelete", text, source="statefulset-controller")
            rt.delete(Ref.of(pod))
            break
    for pod in _children(rt, POD, workload):
        if int(pod["metadata"]["name"].rpartition("-")[2]) >= replicas:
            rt.delete(Ref.of(pod))
    _count(rt, ref, revision)
    return delay


def _create_replica(rt: Runtime, workload: Object, ordinal: int, revision: str) -> float | None:
    owner, namespace = workload["metadata"]["name"], workload["metadata"]["namespace"]
    name = f"{owner}-{ordinal}"
    template = copy_object(workload["spec"]["template"])
    volumes = template["spec"].setdefault("volumes", [])
    source = "statefulset-controller"
    for claim in workload["spec"].get("volumeClaimTemplates") or ():
        short = claim["metadata"]["name"]
        claim_name = f"{short}-{name}"
        volumes.append({"name": short, "persistentVolumeClaim": {"claimName": claim_name}})
        if rt.store.peek(Ref(CLAIM, claim_name, namespace)) is None:
            new = copy_object(claim) | {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
            new["metadata"] |= {"name": claim_name, "namespace": namespace}
            labels = (workload["spec"].get("selector") or {}).get("matchLabels") or {}
            new["metadata"]["labels"] = (new["metadata"].get("labels") or {}) | labels
            rt.store.put(with_identity(rt.store, rt.store.birth(new)))
            text = f"create Claim {claim_name} Pod {name} in StatefulSet {owner} success"
            rt.event(workload, "SuccessfulCreate", text, source=source)
    if problem := _refusal(rt, workload, name):
        text = f"create Pod {name} in StatefulSet {owner} failed error: {problem}"
        rt.event(workload, "FailedCreate", text, warning=True, source=source)
        return _RETRY_SECONDS
    labels = {_HASH: revision, "statefulset.kubernetes.io/pod-name": name, "apps.kubernetes.io/pod-index": str(ordinal)}
    pod = _make_pod(workload, template, name, labels)
    pod["spec"] |= {"hostname": name, "subdomain": workload["spec"].get("serviceName", "")}
    rt.store.put(with_identity(rt.store, rt.store.birth(pod)))
    rt.event(workload, "SuccessfulCreate", f"create Pod {name} in StatefulSet {owner} successful", source=source)
    return None


def _count(rt: Runtime, ref: Ref, revision: str) -> None:
    workload = rt.store.peek(ref)
    if workload is None:
        return
    pods = _children(rt, POD, workload)
    fresh = [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(_HASH) == revision]
    well = len([pod for pod in pods if ready(pod)])
    before = workload["status"].get("currentRevision", revision)
    is_complete = len(fresh) == len(pods) and well == len(pods) == workload["spec"]["replicas"]
    status = {
        "observedGeneration": workload["metadata"]["generation"],
        "replicas": len(pods),
        "readyReplicas": well,
        "availableReplicas": well,
        "currentReplicas": len(pods) - len(fresh) if before != revision and not is_complete else len(fresh),
        "updatedReplicas": len(fresh),
        "currentRevision": revision if is_complete else before,
        "updateRevision": revision,
        "collisionCount": 0,
    }
    rt.change(
        ref,
        lambda obj: obj.update(
            status={
                key: value
                for key, value in status.items()
                if value != 0 or "Count" in key or key in {"replicas", "availableReplicas"}
            }
        ),
    )


def _job_condition(rt: Runtime, kind: str, reason: str = "", message: str = "") -> dict[str, Any]:
    now = stamp(rt.clock.now())
    new = {"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now}
    return new | ({"reason": reason, "message": message} if reason else {})


def job_over(workload: Object) -> str:
    """``Complete``, ``Failed``, or empty while the Job runs."""
    for item in (workload.get("status") or {}).get("conditions") or ():
        if item["type"] in {"Complete", "Failed"} and item["status"] == "True":
            return str(item["type"])
    return ""


async def job(rt: Runtime, ref: Ref) -> float | None:
    """Run a Job's pod, again after failures, to its end."""
    workload = rt.store.peek(ref)
    if workload is None or "deletionTimestamp" in workload["metadata"]:
        return None
    if job_over(workload):
        return _expire(rt, ref, workload)
    if workload["spec"].get("suspend"):
        return None
    await rt.clock.sleep(0.05)
    current = rt.store.peek(ref)
    if current is None or current["metadata"]["uid"] != workload["metadata"]["uid"]:
        return 0  # another Job has that name
    if "deletionTimestamp" in current["metadata"]:
        return None
    workload, now = current, rt.clock.now()
    status = copy_object(workload["status"])
    status.setdefault("startTime", stamp(now))
    pods = _children(rt, POD, workload)
    phases = [pod["status"]["phase"] for pod in pods]
    failures = phases.count("Failed")
    active = [pod for pod in pods if pod["status"]["phase"] not in {"Failed", "Succeeded"}]
    status |= {"ready": 0, "active": len(active)}
    status |= {"failed": failures} if failures else {}
    deadline_seconds = workload["spec"].get("activeDeadlineSeconds")
    remaining = None if deadline_seconds is None else seconds_of(status["startTime"]) + deadline_seconds - now
    if "Succeeded" in phases:
        _complete(rt, workload, status)
    elif remaining is not None and remaining <= 0:
        text = "Job was active longer than specified deadline"
        _fail(rt, workload, status, active, reason="DeadlineExceeded", text=text)
    elif failures > workload["spec"]["backoffLimit"]:
        text = "Job has reached the specified backoff limit"
        _fail(rt, workload, status, active, reason="BackoffLimitExceeded", text=text)
    rt.change(
        ref,
        lambda obj: obj.update(status={key: value for key, value in status.items() if value != 0 or key == "ready"}),
    )
    if job_over({"status": status}) or active:
        return remaining
    return await _next_attempt(rt, ref, failures)


async def _next_attempt(rt: Runtime, ref: Ref, failures: int) -> float | None:
    if failures:
        await rt.clock.sleep(10 * 2 ** (failures - 1))
    workload = rt.store.peek(ref)
    if workload is None:
        return 0
    name = f"{ref.name}-{rt.store.suffix()}"
    if problem := _refusal(rt, workload, name):
        rt.event(workload, "FailedCreate", f"Error creating: {problem}", warning=True, source="job-controller")
        return _RETRY_SECONDS
    pod = _make_pod(workload, workload["spec"]["template"], name, {})
    if rt.outcome("sidecar", pod):
        proxy = {"name": SIDECAR, "image": "istio/proxyv2:1.27"}
        pod = {**pod, "spec": {**pod["spec"], "containers": [proxy, *pod["spec"]["containers"]]}}
    rt.store.put(with_identity(rt.store, rt.store.birth(pod)))
    rt.event(workload, "SuccessfulCreate", f"Created pod: {name}", source="job-controller")
    return 0


def _complete(rt: Runtime, workload: Object, status: dict[str, Any]) -> None:
    reason, text = "CompletionsReached", "Reached expected number of succeeded pods"
    status["conditions"] = [_job_condition(rt, kind, reason, text) for kind in ("SuccessCriteriaMet", "Complete")]
    status |= {"succeeded": 1, "active": 0, "completionTime": stamp(rt.clock.now())}
    rt.event(workload, "Completed", "Job completed", source="job-controller")


def _fail(
    rt: Runtime, workload: Object, status: dict[str, Any], active: list[Object], *, reason: str, text: str
) -> None:
    status["conditions"] = [_job_condition(rt, kind, reason, text) for kind in ("FailureTarget", "Failed")]
    status["active"] = 0
    for pod in active:
        rt.delete(Ref.of(pod))
    rt.event(workload, reason, text, warning=True, source="job-controller")


def _expire(rt: Runtime, ref: Ref, workload: Object) -> float | None:
    seconds = workload["spec"].get("ttlSecondsAfterFinished")
    if seconds is None:
        return None
    end = next(
        item["lastTransitionTime"]
        for item in workload["status"]["conditions"]
        if item["type"] in {"Complete", "Failed"}
    )
    remaining = seconds_of(end) + float(seconds) - rt.clock.now()
    if remaining > 0:
        return remaining
    rt.delete(ref)
    return None


async def cronjob(rt: Runtime, ref: Ref) -> float | None:
    """Start the Job that is due, delete old ones, and sleep until the next time."""
    workload = rt.store.peek(ref)
    if workload is None:
        return None
    await rt.clock.sleep(0.05)
    _tidy(rt, ref, workload)
    if workload["spec"].get("suspend"):
        return None
    zone = ZoneInfo(workload["spec"].get("timeZone", "Etc/UTC"))
    last = seconds_of(workload["status"].get("lastScheduleTime", workload["metadata"]["creationTimestamp"]))
    run = rt.next_run(workload["spec"]["schedule"], datetime.fromtimestamp(last, UTC).astimezone(zone))
    if run is None:
        return None
    due, now = run.timestamp(), rt.clock.now()
    if due > now:
        return due - now
    running = [job for job in _children(rt, JOB, workload) if not job_over(job)]
    if workload["spec"]["concurrencyPolicy"] == "Forbid" and running:
        rt.event(
            workload,
            "JobAlreadyActive",
            "Not starting job because prior execution is running and concurrency policy is Forbid",
            source="cronjob-controller",
        )
        return 10
    name = f"{ref.name}-{int(due // 60)}"
    new = copy_object(workload["spec"]["jobTemplate"]) | {"apiVersion": "batch/v1", "kind": "Job"}
    new.setdefault("metadata", {}).update(name=name, namespace=ref.namespace, ownerReferences=[_owner(workload)])
    rt.change(ref, lambda obj: obj["status"].update(lastScheduleTime=stamp(due)))
    if rt.store.peek(Ref(JOB, name, ref.namespace)) is None:
        rt.store.put(with_identity(rt.store, rt.store.birth(new)))
        rt.event(workload, "SuccessfulCreate", f"Created job {name}", source="cronjob-controller")
    return 0


def _note(fields: dict[str, Any], obj: Any) -> None:
    obj["status"].update(fields)


def _tidy(rt: Runtime, ref: Ref, workload: Object) -> None:
    jobs = sorted(_children(rt, JOB, workload), key=lambda job: str(job["metadata"]["creationTimestamp"]))
    for outcome, limit in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
        over = [job for job in jobs if job_over(job) == outcome]
        for job in over[: max(len(over) - int(workload["spec"].get(limit, 3)), 0)]:
            rt.delete(Ref.of(job))
        if outcome == "Complete" and over:
            latest = {"lastSuccessfulTime": over[-1]["status"]["completionTime"]}
            rt.change(ref, partial(_note, latest))
    active = [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": job["metadata"]["name"],
            "namespace": ref.namespace,
            "uid": job["metadata"]["uid"],
        }
        for job in jobs
        if not job_over(job)
    ]

    def note(obj: Any) -> None:
        if active:
            obj["status"]["active"] = active
        else:
            obj["status"].pop("active", None)

    rt.change(ref, note)
