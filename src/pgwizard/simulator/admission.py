"""Owns what may be written: strict fields, defaults, immutable fields, a few validations.

Defaults are those of a v1.34 server for the fields that manifests of ours leave out, plus what a Service and a Job are
given. Who may write is ``policy``'s business. Not simulated: webhooks, quotas (see ``faults.Outcome``),
CEL, and nearly all range checks.
"""

from __future__ import annotations

import base64
import binascii
import copy
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from cronsim import CronSim, CronSimError

from pgwizard.kube.api import Object, Ref
from pgwizard.quantities import read_quantity
from pgwizard.simulator import schema
from pgwizard.simulator.schema import SchemaField
from pgwizard.simulator.statuses import Cause, bad_request, invalid, untypable

_DEFAULTS: dict[str, dict[str, Any]] = {
    "PodSpec": {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    },
    "Container": {
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    },
    "ContainerPort": {"protocol": "TCP"},
    "Probe": {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
    "SecretVolumeSource": {"defaultMode": 420},
    "ConfigMapVolumeSource": {"defaultMode": 420},
    "ProjectedVolumeSource": {"defaultMode": 420},
    "ObjectFieldSelector": {"apiVersion": "v1"},
    "ServicePort": {"protocol": "TCP"},
    "ServiceSpec": {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
    },
    "StatefulSetSpec": {
        "replicas": 1,
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "revisionHistoryLimit": 10,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    },
    "PersistentVolumeClaimSpec": {"volumeMode": "Filesystem"},
    "PodTemplateSpec": {"metadata": {}},
    "JobTemplateSpec": {"metadata": {}},
    "CronJobSpec": {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    },
    "Secret": {"type": "Opaque"},
    "StorageClass": {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
    "NetworkPolicyPort": {"protocol": "TCP"},
}
_JOB_DEFAULTS = {
    "parallelism": 1,
    "completions": 1,
    "backoffLimit": 6,
    "completionMode": "NonIndexed",
    "suspend": False,
    "manualSelector": False,
}
"""Given to Jobs alone: the template of a CronJob is left as it is."""
_FREE = frozenset(
    {
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    }
)
_STATEFULSET_TEXT = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
    "forbidden"
)
_CLAIM_TEXT = (
    "Forbidden: spec is immutable after creation except resources.requests and "
    "volumeAttributesClassName for bound claims"
)
_VOLUME_KINDS = ("emptyDir", "hostPath", "secret", "persistentVolumeClaim", "downwardAPI", "configMap", "projected")
_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_NAME_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def decode(obj: Object, ref: Ref, *, is_apply: bool) -> Object:
    """The object as the server reads it: known fields only, stringData folded into data."""
    field = schema.root(ref.resource.kind)
    kind = ref.resource.kind
    if is_apply:
        problems = [
            f"{path}: expected {want}, got {_go(value)}" for path, want, value in schema.wrong_types(obj, field)
        ]
        problems += [f"{path}: field not declared in schema" for path in schema.unknown_fields(obj, field, by_key=True)]
        if problems:
            raise untypable(ref, problems)
    else:
        prefix = f'{kind} in version "v1" cannot be handled as a {kind}: '
        if unknown := list(schema.unknown_fields(obj, field)):
            listing = ", ".join(f'unknown field "{path[1:]}"' for path in unknown)
            raise bad_request(f"{prefix}strict decoding error: {listing}")
        for path, want, value in schema.wrong_types(obj, field):
            actual = "string" if isinstance(value, str) else type(value).__name__
            raise bad_request(
                f"{prefix}json: cannot unmarshal {actual} into Go struct field {kind}{path} of type {want}"
            )
    new: Object = copy.deepcopy(obj)
    if text := new.pop("stringData", None):
        new["data"] = new.get("data", {}) | {key: base64.b64encode(v.encode()).decode() for key, v in text.items()}
    return new


def tidy(obj: Object) -> Object:
    """The object as the server keeps it: without nulls, empty lists and empty maps."""
    result: Object = schema.normal(obj, schema.root(obj["kind"]))
    return result


def _go(value: object) -> str:
    return f"&value.valueUnstructured{{Value:{value}}}"


def default(obj: Object) -> Object:
    """The object with the server's defaults filled in."""
    _fill(obj, schema.root(obj["kind"]))
    if obj["kind"] == "Job":
        policy = "Failed" if "podFailurePolicy" in obj["spec"] else "TerminatingOrFailed"
        obj["spec"] = _JOB_DEFAULTS | {"podReplacementPolicy": policy} | obj["spec"]
    if obj["kind"] == "Service" and obj.get("spec", {}).get("type") in {"ClusterIP", "NodePort", "LoadBalancer"}:
        spec = obj["spec"]
        spec.setdefault("clusterIP", _cluster_ip(obj["metadata"]))
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        for port in spec.get("ports", ()):
            port.setdefault("targetPort", port.get("port"))
    return obj


def _cluster_ip(metadata: dict[str, Any]) -> str:
    number = int(str(metadata.get("uid", "0")).replace("-", "")[:8] or "0", 16)
    return f"10.96.{number // 251 % 255}.{number % 251 + 2}"


def _fill(value: Any, field: SchemaField) -> None:
    if isinstance(value, list):
        for item in value:
            _fill(item, field.item)
        return
    if not isinstance(value, dict):
        return
    if not field.is_map:
        for key, item in _DEFAULTS.get(field.content, {}).items():
            value.setdefault(key, copy.deepcopy(item))
        if field.content == "Container" and "image" in value:
            tag = value["image"].rpartition("/")[2].partition(":")[2]
            value.setdefault("imagePullPolicy", "Always" if tag in {"", "latest"} else "IfNotPresent")
        if field.content == "PodSpec" and "serviceAccountName" in value:
            value["serviceAccount"] = value["serviceAccountName"]
        if field.content == "PersistentVolumeClaim":
            value.setdefault("apiVersion", "v1")
            value.setdefault("kind", "PersistentVolumeClaim")
    for key, item in value.items():
        below = schema.field_of(field, key)
        if below is not None:
            _fill(item, below)


def validate(ref: Ref, new: Object, old: Object | None) -> None:
    """Raises Invalid with every cause."""
    causes = [*_shape(ref, new), *(_immutable(new, old) if old is not None else ())]
    if causes:
        raise invalid(ref, causes)


def _shape(ref: Ref, new: Object) -> Iterator[Cause]:
    if not re.fullmatch(_NAME, ref.name) and new["kind"] not in {"Role", "RoleBinding"}:
        yield "metadata.name", f'Invalid value: "{ref.name}": {_NAME_TEXT}'
    spec = new.get("spec") or {}
    if new["kind"] == "Secret":
        yield from _secret(new)
    if new["kind"] == "CronJob":
        yield from _schedule(str(spec.get("schedule", "")))
    for path, template in templates(new):
        for group in ("initContainers", "containers"):
            for index, container in enumerate(template.get(group) or ()):
                for key in ("name", "image"):
                    if not container.get(key):
                        yield f"{path}.{group}[{index}].{key}", "Required value"
        # the server counts the volumes of the claims too, and first
        yield from _volumes(path, template, len(spec.get("volumeClaimTemplates") or ()))
    if new["kind"] == "StatefulSet":
        labels = spec.get("template", {}).get("metadata", {}).get("labels") or {}
        selector = (spec.get("selector") or {}).get("matchLabels") or {}
        if any(labels.get(key) != value for key, value in selector.items()):
            yield "spec.template.metadata.labels", "Invalid value: `selector` does not match template `labels`"


def _volumes(path: str, template: dict[str, Any], first: int) -> Iterator[Cause]:
    for index, volume in enumerate(template.get("volumes") or (), first):
        for second in [kind for kind in _VOLUME_KINDS if kind in volume][1:]:
            yield f"{path}.volumes[{index}].{second}", "Forbidden: may not specify more than 1 volume type"


def templates(obj: Object) -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, pod spec) of the pods that an object makes or is."""
    spec = obj.get("spec") or {}
    if obj["kind"] == "Pod":
        yield "spec", spec
    elif obj["kind"] in {"StatefulSet", "Job"}:
        yield "spec.template.spec", spec.get("template", {}).get("spec") or {}
    elif obj["kind"] == "CronJob":
        job = spec.get("jobTemplate", {}).get("spec") or {}
        yield "spec.jobTemplate.spec.template.spec", job.get("template", {}).get("spec") or {}


def _secret(new: Object) -> Iterator[Cause]:
    data = new.get("data") or {}
    for key, value in data.items():
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error:
            yield f"data[{key}]", "Invalid value: illegal base64 data"
    keys_by_type = {
        "kubernetes.io/tls": ("tls.crt", "tls.key"),
        "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    }
    for key in keys_by_type.get(new.get("type", ""), ()):
        if key not in data:
            yield f"data[{key}]", "Required value"


def _schedule(text: str) -> Iterator[Cause]:
    parts = text.split()
    if text.startswith("@"):
        return
    if len(parts) != 5:
        yield (
            "spec.schedule",
            f'Invalid value: "{text}": expected exactly 5 fields, found {len(parts)}: {_go_list(parts)}',
        )
        return
    try:
        CronSim(text, datetime.fromtimestamp(0, UTC))
    except CronSimError as error:
        yield "spec.schedule", f'Invalid value: "{text}": {error}'


def _go_list(parts: list[str]) -> str:
    return "[" + " ".join(parts) + "]"


def _immutable(new: Object, old: Object) -> Iterator[Cause]:
    kind = new["kind"]
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if kind == "StatefulSet":
        one, other = (schema.comparable(of, SchemaField("StatefulSetSpec")) for of in (spec, before))
        if any(one.get(key) != other.get(key) for key in (one | other).keys() - _FREE):
            yield "spec", _STATEFULSET_TEXT
    elif kind == "Job":
        for key in ("template", "selector", "completionMode"):
            if spec.get(key) != before.get(key):
                yield f"spec.{key}", "Invalid value: field is immutable"
    elif kind == "PersistentVolumeClaim":
        yield from _claim(spec, before, old)
    elif kind in {"Secret", "ConfigMap"}:
        yield from _data(new, old)
    elif kind == "RoleBinding" and new.get("roleRef") != old.get("roleRef"):
        role = new.get("roleRef") or {}
        old_role = f'{{"APIGroup":"{role.get("apiGroup")}","Kind":"{role.get("kind")}","Name":"{role.get("name")}"}}'
        yield "roleRef", f"Invalid value: {old_role}: cannot change roleRef"
    elif kind == "StorageClass":
        for key in ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"):
            if new.get(key) != old.get(key):
                yield key, "Forbidden: updates to " + key + " are forbidden."


def _data(new: Object, old: Object) -> Iterator[Cause]:
    if new.get("type") != old.get("type"):
        yield "type", f'Invalid value: "{new.get("type")}": field is immutable'
    if old.get("immutable") and any(new.get(key) != old.get(key) for key in ("data", "binaryData", "immutable")):
        yield "data", "Forbidden: field is immutable when `immutable` is set"


def _claim(spec: dict[str, Any], before: dict[str, Any], old: Object) -> Iterator[Cause]:
    rest = [{k: v for k, v in of.items() if k not in {"resources", "volumeName"}} for of in (spec, before)]
    size, last, status = requested_storage({"spec": spec}), requested_storage(old), old.get("status") or {}
    if rest[0] != rest[1] or (size != last and status.get("phase") != "Bound"):
        yield "spec", _CLAIM_TEXT
    elif size < last and size <= _storage(status.get("capacity")):
        yield "spec.resources.requests.storage", "Forbidden: field can not be less than status.capacity"


def requested_storage(claim: Object) -> Decimal:
    """The bytes that a claim asks for."""
    return _storage(((claim.get("spec") or {}).get("resources") or {}).get("requests"))


def _storage(resources: dict[str, Any] | None) -> Decimal:
    return read_quantity((resources or {}).get("storage")) or Decimal(0)
