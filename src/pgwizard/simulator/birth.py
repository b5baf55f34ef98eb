"""Owns what the server and its controllers give to a new object at once. Defaults are in ``admission``."""

from __future__ import annotations

from pgwizard.kube.api import Object, Resource
from pgwizard.simulator.store import Store

CLASS = Resource("storage.k8s.io/v1", "StorageClass")


def with_identity(store: Store, new: Object) -> Object:
    """What the server and its controllers give to a new object at once."""
    metadata, kind = new["metadata"], new["kind"]
    spec = new.setdefault("spec", {}) if kind in {"Namespace", "PersistentVolumeClaim", "Job", "Pod"} else {}
    if kind == "Namespace":
        metadata.setdefault("labels", {})["kubernetes.io/metadata.name"] = metadata["name"]
        spec.setdefault("finalizers", ["kubernetes"])
        new["status"] = {"phase": "Active"}
    elif kind == "PersistentVolumeClaim":
        metadata.setdefault("finalizers", ["kubernetes.io/pvc-protection"])
        if "storageClassName" not in spec and (name := default_class(store)):
            spec["storageClassName"] = name
        new["status"] = {"phase": "Pending"}
    elif kind == "Job":
        own = {"batch.kubernetes.io/controller-uid": metadata["uid"], "batch.kubernetes.io/job-name": metadata["name"]}
        labels = own | {"controller-uid": metadata["uid"], "job-name": metadata["name"]}
        pod = spec.setdefault("template", {}).setdefault("metadata", {})
        pod["labels"] = (pod.get("labels") or {}) | labels
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": metadata["uid"]}}
        if not metadata.get("labels"):
            metadata["labels"] = dict(pod["labels"])
        new["status"] = {}
    elif kind == "StatefulSet":
        new["status"] = {"replicas": 0, "availableReplicas": 0}
    elif kind == "CronJob":
        new["status"] = {}
    elif kind == "Pod":
        new["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
    elif kind == "Service":
        new["status"] = {"loadBalancer": {}}
    return new


def default_class(store: Store) -> str:
    """The name of the default StorageClass; empty where there is none."""
    for kind in store.find(CLASS):
        if (kind["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class") == "true":
            return str(kind["metadata"]["name"])
    return ""
