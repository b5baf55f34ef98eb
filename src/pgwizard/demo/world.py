"""Owns the example world of ``--demo``: namespaces, storage classes, MinIO, and secrets of every kind."""

from __future__ import annotations

from pgwizard.demo import admission
from pgwizard.demo.birth import born
from pgwizard.demo.runtime import Runtime
from pgwizard.demo.store import Store
from pgwizard.kubeapi import Object

_BASE_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_DEFAULT_CLASS = {"storageclass.kubernetes.io/is-default-class": "true"}


def furnish(store: Store, runtime: Runtime, *, example: bool) -> None:
    """Fill an empty store."""

    def add(obj: Object) -> Object:
        return store.put(admission.default(born(store, store.birth(obj))))

    for name in _BASE_NAMESPACES:
        add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for name, expandable in (("standard", True), ("fixed", False)):
        add(
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {"name": name, "annotations": _DEFAULT_CLASS if expandable else {}},
                "provisioner": "demo.local/path",
                "reclaimPolicy": "Delete" if expandable else "Retain",
                "volumeBindingMode": "WaitForFirstConsumer",
                "allowVolumeExpansion": expandable,
            }
        )
