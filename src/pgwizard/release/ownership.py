"""Which tool manages a live object, by the marks that it leaves; and what ends its management. Pure.

Helm leaves annotations, Flux labels, Argo CD an annotation or a label; all of them, and kubectl, are field managers.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pgwizard.kube.api import FIELD_MANAGER, Object
from pgwizard.plan.names import ReleaseRef
from pgwizard.text import plain

MANAGED_BY = "app.kubernetes.io/managed-by"
_HELM_RELEASE, _HELM_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_ARGO_ID, _ARGO_NAME = "argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance"
_FLUX = {"HelmRelease": "helm.toolkit.fluxcd.io", "Kustomization": "kustomize.toolkit.fluxcd.io"}
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MARKS = (_HELM_RELEASE, _HELM_NAMESPACE, _ARGO_ID, _ARGO_NAME, _LAST_APPLIED, *(f"{key}/" for key in _FLUX.values()))
_CONTROLLERS = {"argocd-controller": "Argo CD", "helm-controller": "Flux", "kustomize-controller": "Flux"}
"""Field managers that write again whatever was changed, by the tool's name."""
_MANAGERS = frozenset({*_CONTROLLERS, "flux-client-side-apply", "helm", "kubectl", "kubectl-client-side-apply"})


def deployer_of(live: Object) -> str:
    """The tool that deploys an object and would deploy it again; empty for none."""
    return _marked_by(live) or _named_manager(live["metadata"].get("labels") or {}) or _controller(live)


def other_owner(live: Object, *, is_ours: bool = False) -> str | None:
    """The tool that manages a live object; None for pgwizard's own and for unmanaged ones.

    is_ours: the release's record lists it. Then a label that another tool rewrote does not make it another tool's.
    """
    return (_marked_by(live) if is_ours else deployer_of(live)) or None


def applier_of(live: Object) -> str | None:
    """The tool that has applied an object, as a field manager; the only trace of kubectl, and of Argo CD's labels."""
    return next((str(entry["manager"]) for entry in _managed_fields(live) if _is_tool_s(entry)), None)


def _marked_by(live: Object) -> str:
    labels, annotations = (live["metadata"].get(key) or {} for key in ("labels", "annotations"))
    for kind, prefix in _FLUX.items():
        if name := labels.get(f"{prefix}/name"):
            return f"Flux {kind} {plain(str(name))}"
    if name := str(annotations.get(_ARGO_ID) or "").partition(":")[0] or labels.get(_ARGO_NAME):
        return f"Argo CD application {plain(str(name))}"
    if _HELM_RELEASE in annotations and not _is_own_stamp(live):
        return f"Helm release {plain(str(annotations[_HELM_RELEASE]))}"
    return ""


def _named_manager(labels: Mapping[str, Any]) -> str:
    manager = labels.get(MANAGED_BY)
    return "" if manager in (None, FIELD_MANAGER) else plain(str(manager))


def _controller(live: Object) -> str:
    """The controller that has applied an object without a mark: Argo CD may track by a label of the release's own.

    Empty once pgwizard has applied it too: what a tool alone has set stays the tool's.
    """
    if any(map(_is_own_apply, _managed_fields(live))):
        return ""
    return next(
        (_CONTROLLERS[entry["manager"]] for entry in _managed_fields(live) if entry.get("manager") in _CONTROLLERS), ""
    )


def _is_own_stamp(live: Object) -> bool:
    """Whether pgwizard alone wrote Helm's annotation, for a release that Helm may adopt."""
    owners = {
        str(entry.get("manager"))
        for entry in live["metadata"].get("managedFields") or ()
        if f"f:{_HELM_RELEASE}" in _managed_annotations(entry)
    }
    return owners == {FIELD_MANAGER}


def _managed_annotations(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = (entry.get("fieldsV1") or {}).get("f:metadata") or {}
    return metadata.get("f:annotations") or {}


def adoptable(obj: Object, release: ReleaseRef) -> Object:
    """The object with the keys by which ``helm upgrade --install`` adopts it."""
    metadata = obj["metadata"]
    labels = {**(metadata.get("labels") or {}), MANAGED_BY: "Helm"}
    keys = {_HELM_RELEASE: release.name, _HELM_NAMESPACE: release.namespace}
    annotations = {**(metadata.get("annotations") or {}), **keys}
    return {**obj, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


def disowning_patch(statefulset: Object) -> Object:
    """The merge patch by which pgwizard no longer owns the claim templates of a StatefulSet.

    The server fills in defaults there, so that the same templates of another manager would be in conflict.
    """
    entries = copy.deepcopy(statefulset["metadata"].get("managedFields") or [])
    for entry in entries:
        ((entry.get("fieldsV1") or {}).get("f:spec") or {}).pop("f:volumeClaimTemplates", None)
    return {"metadata": {"managedFields": entries}}


def without_marks(obj: Object) -> Object:
    """The object as it is once the management of other tools has ended."""
    metadata = dict(obj["metadata"])
    for kind in ("labels", "annotations"):
        if kind in metadata:
            metadata[kind] = {key: value for key, value in metadata[kind].items() if not key.startswith(_MARKS)}
    return {**obj, "metadata": metadata}


def ending_patch(live: Object, trial: Object) -> Object:
    """The merge patch that ends the management of other tools: their marks go, and what an apply writes is pgwizard's.

    trial: the object as a dry run of the apply gave it. A tool that still owned these fields would be in conflict with
    each later change. What only the tool has set, such as a sidecar, stays the tool's: an apply neither adds nor
    removes it. pgwizard's own entry is among the rest, since without any the server would invent a manager.
    """
    metadata = live["metadata"]
    patch: dict[str, Any] = {kind: dict.fromkeys(_marks(metadata.get(kind))) for kind in ("labels", "annotations")}
    own = next(filter(_is_own_apply, _managed_fields(live)), None) or next(
        filter(_is_own_apply, _managed_fields(trial)), None
    )
    own_fields: Mapping[str, Any] = next(
        (entry["fieldsV1"] for entry in _managed_fields(trial) if _is_own_apply(entry)), {}
    )
    entries = [own] if own is not None else []
    for entry in _managed_fields(live):
        fields = _without(entry.get("fieldsV1") or {}, own_fields) if _is_tool_s(entry) else entry.get("fieldsV1")
        if fields and not _is_own_apply(entry):
            entries.append({**entry, "fieldsV1": fields})
    return {"metadata": {**{kind: keys for kind, keys in patch.items() if keys}, "managedFields": entries}}


def _managed_fields(obj: Object) -> Sequence[Mapping[str, Any]]:
    return obj["metadata"].get("managedFields") or ()


def _is_tool_s(entry: Mapping[str, Any]) -> bool:
    return entry.get("manager") in _MANAGERS and not entry.get("subresource")


def _is_own_apply(entry: Mapping[str, Any]) -> bool:
    return (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply")


def _without(fields: Mapping[str, Any], own_fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields in the form of managedFields, without those that are written too, and without marks."""
    rest: dict[str, Any] = {}
    for key, below in fields.items():
        if key.removeprefix("f:").startswith(_MARKS) or (key in own_fields and not own_fields[key]):
            continue
        remainder = _without(below, own_fields.get(key, {}))
        if key not in own_fields or remainder.keys() - {"."}:
            rest[key] = remainder
    return rest


def _marks(pairs: Mapping[str, str] | None) -> Iterator[str]:
    return (key for key in pairs or () if key.startswith(_MARKS))
