"""What the LimitRanges and ResourceQuotas of a namespace have against the pods and the volume of a release. Pure.

A dry run does not show it: controllers make pods and claims, and only then are they refused. What a mutating webhook
adds to a pod is not known here, nor pod overhead.
Source: plugin/pkg/admission/limitranger and pkg/quota/v1/evaluator/core, Kubernetes v1.34.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from pgwizard.errors import Finding
from pgwizard.kube.api import Object, Resource
from pgwizard.quantities import read_quantity, size_text
from pgwizard.text import plain

_NAMESPACE = "release.namespace"
_CLASS_KEY = ".storageclass.storage.k8s.io/"
_KINDS = ("requests", "limits")
_EPHEMERAL = {
    "requests.ephemeral-storage": "pods.ephemeralStorageRequest",
    "limits.ephemeral-storage": "pods.ephemeralStorageLimit",
}


@dataclass(frozen=True, slots=True)
class NamespaceLimits:
    """The live objects. default_class, default_priority: what the cluster gives to whoever names none, if anything."""

    ranges: Sequence[Object] = ()
    quotas: Sequence[Object] = ()
    default_class: str | None = None
    default_priority: str | None = None


@dataclass(frozen=True, slots=True)
class PodDemand:
    """A pod that the release makes. spec: the pod's. questions: the sections whose answers size each container.

    running: the spec of the pod that it replaces, if one runs: what that has is free again.
    is_settled: whether a pod of the same size was made already, so that only the next one is in doubt.
    """

    label: str
    spec: Mapping[str, Any]
    questions: Mapping[str, Mapping[str, str]]
    running: Mapping[str, Any] | None = None
    is_settled: bool = False


@dataclass(frozen=True, slots=True)
class ClaimDemand:
    """The volume claim that is to be made. storage_class: as answered, None for the cluster's default."""

    size: str
    storage_class: str | None


@dataclass(frozen=True, slots=True)
class Demand:
    """All that a release asks of its namespace. objects: how many of each kind are to be created."""

    pods: Sequence[PodDemand]
    claim: ClaimDemand | None = None
    objects: Mapping[Resource, int] = field(default_factory=dict)


_POSTGRESQL = {
    "requests.cpu": "resources.cpuRequest",
    "limits.cpu": "resources.cpuLimit",
    "requests.memory": "resources.memoryRequest",
    "limits.memory": "tuning.memory",
    **_EPHEMERAL,
}


def _section(section: str) -> dict[str, str]:
    """The questions of a section that has all four sizes of a container."""
    sizes = {
        f"{kind}.{what}": f"{section}.{what}{kind.removesuffix('s').title()}"
        for kind in _KINDS
        for what in ("cpu", "memory")
    }
    return sizes | _EPHEMERAL


def pods(objects: Sequence[Object], running: Object | None, schedule: Object | None) -> tuple[PodDemand, ...]:
    """The pods that run while a release is installed: the database's and that of the first backup.

    Later backups are of the same size. running, schedule: the live pod and the live CronJob of full backups.
    """
    demands = []
    for obj in objects:
        if obj["kind"] not in ("StatefulSet", "Job"):
            continue
        spec = obj["spec"]["template"]["spec"]
        if obj["kind"] == "StatefulSet":
            there = (running or {}).get("spec")
            questions = {"postgresql": _POSTGRESQL, "minio-ca-init": _section("initContainer")}
            demands.append(PodDemand("the database's pod", spec, questions, there, _has_sizes(spec, there)))
        else:
            cron_spec = schedule["spec"]["jobTemplate"]["spec"]["template"]["spec"] if schedule else None
            questions = {str(container["name"]): _section("jobs") for container in (*_inits(spec), *_mains(spec))}
            demands.append(PodDemand("the pod of a backup", spec, questions, None, _has_sizes(spec, cron_spec)))
    return tuple(demands)


def _has_sizes(spec: Mapping[str, Any], cron_spec: Mapping[str, Any] | None) -> bool:
    """Whether every container that both have is of the same size in both."""
    if cron_spec is None:
        return False
    live = {str(container["name"]): _exact(container) for container in (*_inits(cron_spec), *_mains(cron_spec))}
    own = {str(container["name"]): _exact(container) for container in (*_inits(spec), *_mains(spec))}
    if not own.keys() & live.keys():  # containers of a Job and of a CronJob have other names, but one size
        return set(map(str, own.values())) == set(map(str, live.values()))
    return all(live.get(name) == size for name, size in own.items())


def _exact(container: Mapping[str, Any]) -> dict[str, dict[str, Decimal]]:
    return {kind: _sizes(container, kind) for kind in _KINDS}


def is_about_classes(quotas: Sequence[Object]) -> bool:
    """Whether a quota counts the volumes of one StorageClass."""
    return any(_CLASS_KEY in key for quota in quotas for key in _hard(quota))


def is_about_priorities(quotas: Sequence[Object]) -> bool:
    """Whether a quota counts the pods of one PriorityClass."""
    return any("PriorityClass" in str(quota.get("spec")) for quota in quotas)


def is_about_objects(quotas: Sequence[Object]) -> bool:
    """Whether a quota counts objects that a release makes, other than pods and volumes."""
    return any(_pod_key(key) is None and "requests." not in key for quota in quotas for key in _hard(quota))


def _hard(quota: Object) -> Mapping[str, Any]:
    hard: Mapping[str, Any] = (quota.get("status") or {}).get("hard") or (quota.get("spec") or {}).get("hard") or {}
    return hard


def findings(demand: Demand, limits: NamespaceLimits) -> tuple[Finding, ...]:
    """Everything that would be refused, each once: errors, and warnings for what is refused only when made again."""
    demand = replace(demand, pods=[_with_defaults(pod, limits.ranges) for pod in demand.pods])
    problems = [
        *(finding for item in limits.ranges for finding in _range_findings(demand, item)),
        *(finding for quota in limits.quotas for finding in _quota_findings(demand, quota, limits)),
    ]
    return tuple(dict.fromkeys(problems))


# ---- LimitRanges ---------------------------------------------------------------------------------------------------


def _range_findings(demand: Demand, limit_range: Object) -> Iterator[Finding]:
    where = f"the LimitRange {plain(limit_range['metadata']['name'])}"
    for item in (limit_range.get("spec") or {}).get("limits") or ():
        if item.get("type") == "PersistentVolumeClaim" and demand.claim is not None:
            yield from _claim_in_range(demand.claim, item, where)
        for pod in demand.pods:
            severity: Any = "warning" if pod.is_settled else "error"
            reports = set[tuple[str, str]]()
            for subject, questions, resources in _subjects(pod, item):
                for question, text in _out_of_range(subject, questions, resources, item, where):
                    same = (question, text.replace(subject, ""))  # the containers of a Job are all of one size
                    if same in reports:
                        continue
                    reports.add(same)
                    fix = f"Change {question}, or have the LimitRange changed."
                    yield Finding(question, f"{text}{_later(pod)}", severity=severity, key="limits-range", fix=fix)


def _later(pod: PodDemand) -> str:
    return ": the next pod would be refused" if pod.is_settled else ""


def _claim_in_range(claim: ClaimDemand, item: Mapping[str, Any], where: str) -> Iterator[Finding]:
    size = read_quantity(claim.size)
    for end, word in (("min", "or more"), ("max", "at most")):
        bound = (item.get(end) or {}).get("storage")
        edge = read_quantity(bound)
        if size is None or edge is None or not (size < edge if end == "min" else size > edge):
            continue
        text = f"the volume has {claim.size}, and {where} allows {plain(str(bound), 40)} {word}"
        fix = "Choose a size within it, or have the LimitRange changed."
        yield Finding("storage.size", text, key="limits-volume", fix=fix)


_Resources = Mapping[str, Mapping[str, Any]]


def _subjects(pod: PodDemand, item: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, str], _Resources]]:
    """(name, questions, resources) of each thing that the limits are about: a container, or the whole pod."""
    if item.get("type") == "Container":
        for container in (*_inits(pod.spec), *_mains(pod.spec)):
            questions = pod.questions.get(str(container["name"]), {})
            yield f"container {container['name']} of {pod.label}", questions, container["resources"]
    elif item.get("type") == "Pod":
        main = str(_mains(pod.spec)[0]["name"])
        totals = _pod_resources(pod.spec)
        yield pod.label, pod.questions.get(main, {}), {kind: _size_texts(totals[kind]) for kind in _KINDS}


def _with_defaults(pod: PodDemand, ranges: Sequence[Object]) -> PodDemand:
    """The pod as admission completes it: a limit alone is a request too, then each LimitRange fills what is left."""
    items = [item for limit_range in ranges for item in (limit_range.get("spec") or {}).get("limits") or ()]
    spec = dict(pod.spec)
    for group in ("initContainers", "containers"):
        containers = []
        for container in spec.get(group) or ():
            resources = container.get("resources") or {}
            limits = dict(resources.get("limits") or {})
            requests = {**limits, **(resources.get("requests") or {})}
            for item in items:
                if item.get("type") == "Container":
                    limits = {**(item.get("default") or {}), **limits}
                    requests = {**(item.get("defaultRequest") or {}), **requests}
            containers.append({**container, "resources": {"limits": limits, "requests": requests}})
        spec[group] = containers
    return replace(pod, spec=spec)


def _out_of_range(
    subject: str, questions: Mapping[str, str], resources: _Resources, item: Mapping[str, Any], where: str
) -> Iterator[tuple[str, str]]:
    """(question, text) of each size that the limits do not allow."""
    for end, word in (("min", "or more"), ("max", "at most")):
        for what, bound in (item.get(end) or {}).items():
            edge = read_quantity(bound)
            needed_kind = "requests" if end == "min" else "limits"
            for kind in _KINDS:
                size = resources[kind].get(what)
                number = read_quantity(size)
                question = questions.get(f"{kind}.{what}", _NAMESPACE)
                range_text = f"{where} allows {plain(str(bound), 40)} {word}"
                if size is None and kind == needed_kind:
                    yield question, f"{subject} has no {_name(kind, what)}, and {range_text}"
                elif number is not None and edge is not None and (number < edge if end == "min" else number > edge):
                    yield question, f"the {_name(kind, what)} of {subject} is {plain(str(size), 40)}, and {range_text}"
    for what, bound in (item.get("maxLimitRequestRatio") or {}).items():
        request, limit, most = (
            read_quantity(value) for value in (resources["requests"].get(what), resources["limits"].get(what), bound)
        )
        for kind, number in (("requests", request), ("limits", limit)):
            if not number and most is not None:
                text = f"{subject} has no {_name(kind, what)}, and {where} wants a limit of at most"
                yield questions.get(f"{kind}.{what}", _NAMESPACE), f"{text} {plain(str(bound), 40)} times the request"
        if not request or not limit or most is None or limit / request <= most:
            continue
        question = questions.get(f"requests.{what}", _NAMESPACE)
        share = f"{plain(str(resources['limits'][what]), 40)} to {plain(str(resources['requests'][what]), 40)}"
        text = f"the {_name('limits', what)} of {subject} is {_number(limit / request)} times its request ({share})"
        yield question, f"{text}, and {where} allows {plain(str(bound), 40)} times"


def _name(kind: str, what: str) -> str:
    return f"{plain({'cpu': 'CPU'}.get(what, what), 100)} {kind.removesuffix('s')}"


# ---- ResourceQuotas ------------------------------------------------------------------------------------------------


def _quota_findings(demand: Demand, quota: Object, limits: NamespaceLimits) -> Iterator[Finding]:
    status, spec = quota.get("status") or {}, quota.get("spec") or {}
    usage: Mapping[str, Any] = status.get("used") or {}
    pods = [
        pod
        if pod.running is None or _is_counted(spec, pod.running, limits.default_priority)
        else replace(pod, running=None)
        for pod in demand.pods
        if _is_counted(spec, pod.spec, limits.default_priority)
    ]
    has_scopes = bool(spec.get("scopes") or (spec.get("scopeSelector") or {}).get("matchExpressions"))
    for key, bound in _hard(quota).items():
        most, used_up = read_quantity(bound), read_quantity(usage.get(key, "0")) or Decimal(0)
        if most is None:
            continue
        room = _Room(f"the quota {plain(quota['metadata']['name'])}", key, most - used_up)
        if (of_pod := _pod_key(key)) is not None:
            yield from _pods_in_quota(pods, of_pod, room)
        elif not has_scopes:
            yield from _others_in_quota(demand, limits.default_class, room)


@dataclass(frozen=True, slots=True)
class _Room:
    """What a quota has left of one thing; below zero where it was lowered since."""

    quota: str
    key: str
    rest: Decimal

    def text(self, quota_key: str) -> str:
        return f"{self.quota} has {_amount_text(max(self.rest, Decimal(0)), quota_key)} of {plain(self.key)} left"


def _pod_key(key: str) -> str | None:
    """What a quota on pods counts, as ``requests.cpu`` or ``pods``; None for a quota on anything else."""
    if key in ("pods", "count/pods"):
        return "pods"
    if key in ("cpu", "memory", "ephemeral-storage"):
        return f"requests.{key}"
    kind, _, what = key.partition(".")
    return key if kind in _KINDS and what in ("cpu", "memory", "ephemeral-storage") else None


def _pods_in_quota(pods: Sequence[PodDemand], quota_key: str, room: _Room) -> Iterator[Finding]:
    """The pods one after another, as they are made: the first that does not fit is named, with its question."""
    room = replace(room, rest=room.rest + sum(amount(pod.running, quota_key) for pod in pods))
    for pod in pods:
        size = amount(pod.spec, quota_key)
        if size > max(room.rest, Decimal(0)):
            main = str(_mains(pod.spec)[0]["name"])
            question = pod.questions.get(main, {}).get(quota_key, _NAMESPACE)
            text = f"{pod.label} needs {_amount_text(size, quota_key)}, and {room.text(quota_key)}{_later(pod)}"
            fix = "Have the quota raised." if question == _NAMESPACE else f"Lower {question}, or have the quota raised."
            yield Finding(
                question, text, severity="warning" if pod.is_settled else "error", key="limits-quota", fix=fix
            )
            return
        room = replace(room, rest=room.rest - size)


def _others_in_quota(demand: Demand, default_class: str | None, room: _Room) -> Iterator[Finding]:
    claim = demand.claim
    of_class, _, what = room.key.rpartition(_CLASS_KEY)
    if of_class and claim is not None and of_class != (claim.storage_class or default_class):
        return
    if what == "requests.storage":
        size = read_quantity(claim.size) if claim is not None else None
        if claim is not None and size is not None and size > room.rest:
            text = f"the volume needs {claim.size}, and {room.text('storage')}"
            fix = "Lower storage.size, or have the quota raised."
            yield Finding("storage.size", text, key="limits-volume", fix=fix)
    elif (number := _objects(demand, room.key, what)) > max(room.rest, Decimal(0)):
        text = f"the release makes {number} of {plain(room.key)}, and {room.text('pods')}"
        question = "storage.storageClass" if of_class else _NAMESPACE
        yield Finding(question, text, key="limits-objects", fix="Have the quota raised.")


def _objects(demand: Demand, key: str, what: str) -> int:
    """How many objects the release makes that a quota counts under this key."""
    claims = 1 if demand.claim is not None else 0
    if what == "persistentvolumeclaims" or key == "count/persistentvolumeclaims":
        return claims
    quota_key = key.removeprefix("count/")
    for resource, number in demand.objects.items():
        plural = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        if quota_key == plural and (key.startswith("count/") or not resource.group):
            return number
    return 0


def _is_counted(spec: Mapping[str, Any], pod: Mapping[str, Any], default_priority: str | None) -> bool:
    """Whether the pod is in every scope of the quota."""
    scopes = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    scopes += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return all(_is_in_scope(scope, pod, default_priority) for scope in scopes)


def _is_in_scope(scope: Mapping[str, Any], pod: Mapping[str, Any], default_priority: str | None) -> bool:
    """False also for pods that name other namespaces, and claims with attributes: a release has neither."""
    is_terminating = pod.get("activeDeadlineSeconds") is not None
    priority, values = pod.get("priorityClassName") or default_priority, scope.get("values") or ()
    is_in_class = {
        "Exists": priority is not None,
        "DoesNotExist": priority is None,
        "In": priority in values,
        "NotIn": priority not in values,
    }
    return {
        "Terminating": is_terminating,
        "NotTerminating": not is_terminating,
        "BestEffort": _is_best_effort(pod),
        "NotBestEffort": not _is_best_effort(pod),
        "PriorityClass": is_in_class.get(str(scope.get("operator")), False),
    }.get(str(scope.get("scopeName")), False)


def _is_best_effort(pod: Mapping[str, Any]) -> bool:
    return not any(
        (container.get("resources") or {}).get(kind) for container in (*_inits(pod), *_mains(pod)) for kind in _KINDS
    )


# ---- sizes of pods -------------------------------------------------------------------------------------------------


def _mains(pod: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return pod.get("containers") or ()


def _inits(pod: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return pod.get("initContainers") or ()


def amount(pod: Mapping[str, Any] | None, quota_key: str) -> Decimal:
    """How much of one thing, such as ``requests.cpu`` or ``pods``, the spec of a pod takes; 0 without one."""
    if pod is None:
        return Decimal(0)
    if quota_key == "pods":
        return Decimal(1)
    kind, _, what = quota_key.partition(".")
    return _pod_resources(pod)[kind].get(what, Decimal(0))


def _pod_resources(pod: Mapping[str, Any]) -> dict[str, dict[str, Decimal]]:
    """Requests and limits of a pod: init containers run one by one before the others, native sidecars beside all."""
    totals: dict[str, dict[str, Decimal]] = {}
    for kind in _KINDS:
        beside: dict[str, Decimal] = {}
        peak: dict[str, Decimal] = {}
        for container in _inits(pod):
            own = _sizes(container, kind)
            if container.get("restartPolicy") == "Always":
                beside = _sum(beside, own)
            peak = _larger(peak, beside if container.get("restartPolicy") == "Always" else _sum(beside, own))
        total = beside
        for container in _mains(pod):
            total = _sum(total, _sizes(container, kind))
        totals[kind] = _larger(peak, total)
    return totals


def _sizes(container: Mapping[str, Any], kind: str) -> dict[str, Decimal]:
    resources = container.get("resources") or {}
    amounts = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}  # a limit alone is a request too
    return {
        what: number
        for what, value in (amounts if kind == "requests" else resources.get("limits") or {}).items()
        if (number := read_quantity(value)) is not None
    }


def _sum(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {key: one.get(key, Decimal(0)) + other.get(key, Decimal(0)) for key in (*one, *other)}


def _larger(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {key: max(one.get(key, Decimal(0)), other.get(key, Decimal(0))) for key in (*one, *other)}


def _size_texts(sizes: Mapping[str, Decimal]) -> dict[str, str]:
    return {what: _amount_text(number, f"requests.{what}") for what, number in sizes.items()}


def _amount_text(number: Decimal, quota_key: str) -> str:
    """As an answer could have it: cores or thousandths of one, bytes in the unit that fits, or a plain count."""
    what = quota_key.partition(".")[2] or quota_key
    if what == "cpu":
        return _number(number) if number == int(number) else f"{_number(number * 1000)}m"
    return _number(number) if what == "pods" or number <= 0 else size_text(str(number))


def _number(number: Decimal) -> str:
    return f"{number.quantize(Decimal('0.01')):f}".rstrip("0").rstrip(".")
