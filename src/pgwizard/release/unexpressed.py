"""What a live object has and its rendered counterpart has not: fields that no answer decides. Pure.

Defaults that the API server fills in, and the marks of the tools that deploy, are no such fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pgwizard.kube.api import Object
from pgwizard.quantities import read_quantity
from pgwizard.text import plain

_SERVER_FIELDS = frozenset(
    {"status", "clusterIPs", "serviceAccount", "ipFamilies", "ipFamilyPolicy", "creationTimestamp"}
)
_SERVER_DEFAULTS: dict[str, tuple[object, ...]] = {
    "apiVersion": ("v1",),
    "clusterIP": (),
    "concurrencyPolicy": ("Allow",),
    "defaultMode": (420,),
    "dnsPolicy": ("ClusterFirst",),
    "enableServiceLinks": (True,),
    "failureThreshold": (3,),
    "imagePullPolicy": ("IfNotPresent", "Always"),
    "internalTrafficPolicy": ("Cluster",),
    "minReadySeconds": (0,),
    "podManagementPolicy": ("OrderedReady",),
    "protocol": ("TCP",),
    "publishNotReadyAddresses": (False,),
    "restartPolicy": ("Always",),
    "revisionHistoryLimit": (10,),
    "rollingUpdate": ({"partition": 0},),
    "schedulerName": ("default-scheduler",),
    "sessionAffinity": ("None",),
    "successThreshold": (1,),
    "suspend": (False,),
    "terminationGracePeriodSeconds": (30,),
    "terminationMessagePath": ("/dev/termination-log",),
    "terminationMessagePolicy": ("File",),
    "timeoutSeconds": (1,),
    "volumeMode": ("Filesystem",),
}
_DEPLOYERS = (
    *("app.kubernetes.io/managed-by", "helm.sh/", "meta.helm.sh/", "kubectl.kubernetes.io/", "argocd.argoproj.io/"),
    *("helm.toolkit.fluxcd.io/", "kustomize.toolkit.fluxcd.io/", "pgwizard/", "deployment.kubernetes.io/"),
)
"""How the keys of labels and annotations begin that deploying tools write."""


def unexpressed_fields(live: Object, intent: Object) -> Iterator[str]:
    """Each field with its value, such as ``spec.template.spec.nodeSelector: {"disk": "ssd"}``.

    An entry of a list is named by its name: ``spec.template.spec.containers[metrics]`` is a whole container.
    """
    content = {key: value for key, value in live.items() if key not in ("apiVersion", "kind", "metadata", "status")}
    yield from _metadata(live.get("metadata"), intent.get("metadata"), "metadata")
    yield from _below(content, intent, "")


def _metadata(live: Any, intent: Any, path: str) -> Iterator[str]:
    """Labels and annotations alone: all else is the server's."""
    for kind in ("labels", "annotations"):
        there, ours = (dict((each or {}).get(kind) or {}) for each in (live, intent))
        for key, value in there.items():
            if ours.get(key) != value and not is_deployers(key):
                yield _field(f"{path}.{kind}[{key}]", value)


def is_deployers(key: str) -> bool:
    """Whether a label or an annotation is of a tool that deploys."""
    return key.startswith(_DEPLOYERS)


def _below(live: Mapping[str, Any], intent: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in live.items():
        here = f"{path}.{key}" if path else key
        if key == "metadata":
            yield from _metadata(value, intent.get(key), here)
        elif key not in intent:
            if isinstance(value, list) and value and all(map(_entry_name, value)):
                yield from _differing(value, [], here)
            elif not _is_servers(key, value):
                yield _field(here, value)
        else:
            yield from _differing(value, intent[key], here)


def _differing(live: Any, intent: Any, path: str) -> Iterator[str]:
    if isinstance(live, Mapping) and isinstance(intent, Mapping):
        yield from _below(live, intent, path)
    elif isinstance(live, list) and isinstance(intent, list) and all(map(_entry_name, [*live, *intent])):
        ours = {_entry_name(item): item for item in intent}
        for item in live:
            name = _entry_name(item)
            here = f"{path}[{plain(name, 80)}]"
            if name in ours and path.endswith(_EXCLUSIVE) and not _kinds(item) & _kinds(ours[name]):
                yield f"{here} is of another kind (an apply cannot replace it: remove it with the tool that set it)"
            else:
                yield from _below(item, ours[name], here) if name in ours else (here,)
    elif not _is_equal(live, intent):
        yield f"{_field(path, live)} (an apply replaces it)"


_EXCLUSIVE = (".volumes", ".env")
"""Lists whose entries have a name and one field that says what they are: an apply would add the other one."""


def _kinds(entry: Mapping[str, Any]) -> set[str]:
    return {*entry} - {"name"}


def _entry_name(item: Any) -> str:
    """What names an entry of a list; empty where nothing does."""
    if not isinstance(item, Mapping):
        return ""
    metadata = item.get("metadata") or {}
    return str(item.get("mountPath") or item.get("name") or metadata.get("name") or "")


def _is_servers(key: str, value: Any) -> bool:
    if key in _SERVER_FIELDS or value in ({}, [], None, ""):
        return True
    return value in _SERVER_DEFAULTS.get(key, ()) or (key == "clusterIP" and value != "None")


def _is_equal(live: Any, intent: Any) -> bool:
    if live == intent:
        return True
    sizes = [read_quantity(value) for value in (live, intent)]
    return sizes[0] is not None and sizes[0] == sizes[1]


_MAY_BE_SECRET = re.compile(r"\.(env\[|args\b|command\b|httpHeaders\b)|^(data|binaryData|stringData)\b")
_SECRET_KEYS = frozenset({"env", "args", "command", "httpHeaders"})


def _has_secret_key(value: Any) -> bool:
    """Whether there is a field anywhere below in which people write passwords."""
    if isinstance(value, Mapping):
        return not _SECRET_KEYS.isdisjoint(value) or any(map(_has_secret_key, value.values()))
    return isinstance(value, list) and any(map(_has_secret_key, value))


def _field(path: str, value: Any) -> str:
    if _MAY_BE_SECRET.search(path) or _has_secret_key(value):
        return plain(path, 200)
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return f"{plain(path, 200)}: {plain(text, 120)}"
