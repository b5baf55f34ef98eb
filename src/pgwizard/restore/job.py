"""The Job that restores, recovers and promotes, made from the live pod template; and the receipt that it prints. Pure.

Recovery runs in the Job and not in the database's pod: no client sees a half-recovered server, a failure has an exit
code and no crash loop, and the server is started only on what reached its target.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pgwizard.kube.api import CLAIM, JOB, Object, Ref
from pgwizard.plan.names import Names, ReleaseRef
from pgwizard.release.record import Origin
from pgwizard.restore.scripts import script_of
from pgwizard.restore.target import RestorePlan, lsn_text
from pgwizard.status.repository import read_lsn
from pgwizard.status.wal import Fork
from pgwizard.text import fit, plain

CONTAINER = COMPONENT = "restore"
READER = "repository-reader"
"""How the command of a pod that reads the repository calls itself."""
_RECEIPT = "pgwizard-receipt "
_UNTOUCHED_MARK = "pgwizard-untouched"
_SHORTEST_SECONDS = 3_600
_READER_TTL_SECONDS = 60
_SLOWEST = 20
"""So many times as long as estimated may a restore take."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a restore reached. timeline: the new one; lsn: where it begins; reason: why recovery ended there, by
    PostgreSQL's own words. reached_at: the time of the last commit that was replayed, UTC; None where none was.
    """

    timeline: int
    lsn: int
    reason: str
    restore_seconds: int
    recovery_seconds: int
    reached_at: datetime | None = None

    @property
    def moment(self) -> datetime | None:
        """The time of the commit at which recovery stopped, UTC; None where the reason names none."""
        return Fork(self.timeline, self.lsn, self.reason).moment


def job_name(release: ReleaseRef, id_: str) -> str:
    """The name of the Job of a restore."""
    return f"{release.name[:40]}-restore-{id_}"


def _labels(release: ReleaseRef, component: str) -> dict[str, str]:
    return {"app.kubernetes.io/instance": release.name, "app.kubernetes.io/component": component}


def selector(release: ReleaseRef, component: str) -> str:
    """The labels of the Jobs of all restores, or of all drills, of a release."""
    return ",".join(f"{name}={value}" for name, value in _labels(release, component).items())


def labels_with(release: ReleaseRef, component: str, others: Mapping[str, str]) -> dict[str, str]:
    """The labels of such a Job and its pod. others: those that policies want; our own win."""
    return {**others, **_labels(release, component), "app.kubernetes.io/managed-by": "pgwizard"}


def pod_spec(
    stateful: Object, container: str, storage: Object, command: Callable[[Sequence[str]], Sequence[str]]
) -> Object:
    """A pod for a Job with the image, user, mounts, certificate and keys of the live StatefulSet's.

    storage: the volume in the place of the database's. command: called with the server's arguments.
    """
    spec: Object = copy.deepcopy(stateful["spec"]["template"]["spec"])
    server = next(each for each in spec["containers"] if each["name"] == "postgresql")
    arguments = server.pop("args", None) or []
    for part in ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "ports"):
        server.pop(part, None)
    server |= {"name": container, "command": list(command(arguments))}
    spec |= {
        "containers": [server],
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "volumes": [*(spec.get("volumes") or ()), {"name": "postgresql-storage", **storage}],
    }
    spec.pop("shareProcessNamespace", None)
    return spec


def manifest(
    stateful: Object, release: ReleaseRef, name: str, plan: RestorePlan, marks: Object, *, origin: Origin | None
) -> Object:
    """The Job. stateful: the live StatefulSet; marks: labels and annotations that the answers want on Jobs.

    origin: the repository to restore from, where it is not the release's own.
    """
    options = plan.options
    state = "clone" if origin else "unknown" if plan.silence else "archived"

    def command(arguments: Sequence[str]) -> list[str]:
        own = (state, str(len(options)), *map(verbatim, options))
        return ["/bin/bash", "-c", script_of("restore"), CONTAINER, *own, *arguments]

    storage = {"persistentVolumeClaim": {"claimName": Names.of(release.name).claim}}
    spec = _reading(pod_spec(stateful, CONTAINER, storage, command), origin)
    return _marked_job(release, name, spec, max(_SHORTEST_SECONDS, int(plan.seconds * _SLOWEST)), marks)


def _reading(spec: Object, origin: Origin | None) -> Object:
    """A pod whose pgBackRest, also as restore_command, has this repository: variables win over pgbackrest.conf."""
    if origin is not None:
        [container] = spec["containers"]
        container["env"] = [*(container.get("env") or ()), *origin_variables(origin)]
    return spec


def origin_variables(origin: Origin) -> list[dict[str, str]]:
    """The variables by which pgBackRest reads another repository than its configuration names."""
    values = {
        "PATH": origin.path,
        "S3_BUCKET": origin.bucket,
        "S3_ENDPOINT": origin.endpoint,
        "S3_REGION": origin.region,
        "S3_URI_STYLE": origin.uri_style,
    }
    return [{"name": f"PGBACKREST_REPO1_{name}", "value": verbatim(text)} for name, text in values.items()]


def verbatim(text: str) -> str:
    """A text in a pod's command or variables so that it arrives as it is: Kubernetes replaces $(NAME), and $$ by $."""
    return text.replace("$", "$$")


def reader_manifest(
    stateful: Object, release: ReleaseRef, name: str, seconds: int, marks: Object, *, origin: Origin | None
) -> Object:
    """A Job whose pod waits for commands that read the repository, and then for its end. It does not mount the volume.

    seconds: how long it lives, if nobody deletes it: then Kubernetes does. marks, origin: as for ``manifest``.
    """
    command = ("/bin/bash", "-c", "trap 'exit 0' TERM; sleep infinity & wait", READER)
    spec = _reading(pod_spec(stateful, "postgresql", {"emptyDir": {}}, lambda _: command), origin)
    job = _marked_job(release, name, spec, seconds, marks)
    job["spec"]["ttlSecondsAfterFinished"] = _READER_TTL_SECONDS
    return job


def claim_manifest(stateful: Object, claim: Ref) -> Object:
    """The volume claim as the StatefulSet's controller would make it, which adopts it by its name."""
    template = next(
        each for each in stateful["spec"]["volumeClaimTemplates"] if claim.name.startswith(each["metadata"]["name"])
    )
    metadata = template["metadata"]
    labels = {**(metadata.get("labels") or {}), **(stateful["spec"]["selector"].get("matchLabels") or {})}
    return {
        "apiVersion": CLAIM.api_version,
        "kind": CLAIM.kind,
        "metadata": {
            "name": claim.name,
            "namespace": claim.namespace,
            "labels": labels,
            "annotations": metadata.get("annotations") or {},
        },
        "spec": copy.deepcopy(template["spec"]),
    }


def _marked_job(release: ReleaseRef, name: str, spec: Object, seconds: int, marks: Object) -> Object:
    labels = labels_with(release, COMPONENT, marks.get("labels") or {})
    return job_of(Ref(JOB, name, release.namespace), spec, seconds, labels, marks.get("annotations") or {})


def job_of(ref: Ref, spec: Object, seconds: int, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Object:
    """A Job that is tried once. spec: its pod's; labels, annotations: of both."""
    both = {"labels": dict(labels), "annotations": dict(annotations)}
    return {
        "apiVersion": JOB.api_version,
        "kind": JOB.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace, **both},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": seconds,
            "template": {"metadata": both, "spec": spec},
        },
    }


def is_untouched(log: Sequence[str]) -> bool:
    """Whether the Job has failed before it changed the data directory, by the last lines of its log."""
    return _UNTOUCHED_MARK in log


def receipt_of(log: Sequence[str]) -> Receipt:
    """The receipt in the log of the Job. Raises ValueError where there is none, or another text in its place."""
    line = next((each for each in reversed(log) if each.startswith(_RECEIPT)), None)
    if line is None:
        raise ValueError("the log of the Job holds no receipt")
    try:
        receipt = json.loads(line.removeprefix(_RECEIPT))
        return Receipt(
            int(receipt["timeline"]),
            read_lsn(str(receipt["lsn"])),
            fit(str(receipt["reason"])),
            int(receipt["restoreSeconds"]),
            int(receipt["recoverySeconds"]),
            _moment(receipt.get("reachedAt")),
        )
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"the receipt of the Job cannot be read: {plain(line, 120)}") from None


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)).astimezone(UTC) if text else None


def shortfall(plan: RestorePlan, receipt: Receipt) -> str:
    """Why a restore did not reach what was planned; empty where it did."""
    if receipt.lsn < plan.must_reach:
        position, goal = lsn_text(receipt.lsn), lsn_text(plan.must_reach)
        return (
            f"recovery ended at WAL position {position}, and the archive goes to {goal} at least: a segment between "
            "them is missing or damaged"
        )
    moment = receipt.moment
    if plan.type == "time" and plan.at is not None and moment is not None and moment < plan.at:
        return f"recovery stopped at {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, before the target"
    return ""
