"""Owns the example world: namespaces, storage classes, MinIO with its certificate, and secrets of every kind.

Among them is what goes wrong elsewhere: certificates that have ended, name another host or are none, and texts that
would take over a terminal. Releases come from pgwizard itself.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from pgwizard.kube.api import Object
from pgwizard.simulator import admission
from pgwizard.simulator.birth import with_identity
from pgwizard.simulator.pki import Authority, KeyPair
from pgwizard.simulator.pods import NODE
from pgwizard.simulator.runtime import Runtime
from pgwizard.simulator.store import Store
from pgwizard.simulator.streams import ContainerLog

_BASE_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_MORE_NAMESPACES = ("cert-manager", "ingress-nginx", "minio", "monitoring", "shop", "staging")
_DEFAULT_CLASS = {"storageclass.kubernetes.io/is-default-class": "true"}
_MINIO_HOSTS = ("minio", "minio.minio", "minio.minio.svc", "minio.minio.svc.cluster.local", "localhost")
_TLS = "kubernetes.io/tls"
HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x1b[0m [bold red]markup[/] \u202egnp.exe\u202c\r\nsecond line"
"""What a terminal must never be given as it is."""


class _Builder:
    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, obj: Object) -> Object:
        """Store an object as if it had been created."""
        return self._store.put(admission.default(with_identity(self._store, self._store.birth(obj))))

    def secret(
        self,
        place: str,
        data: Mapping[str, bytes],
        kind: str = "Opaque",
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """A Secret at ``namespace/name``."""
        namespace, _, name = place.partition("/")
        metadata: dict[str, Any] = {"name": name, "namespace": namespace}
        metadata |= {"labels": dict(labels)} if labels else {}
        metadata |= {"annotations": dict(annotations)} if annotations else {}
        encoded_values = {key: base64.b64encode(value).decode() for key, value in data.items()}
        self.add({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": encoded_values})

    def pair(self, place: str, key_pair: KeyPair, chain: bytes = b"", **more: Any) -> None:
        """A certificate with its key."""
        self.secret(place, {"tls.crt": key_pair.pem + chain, "tls.key": key_pair.key_pem}, _TLS, **more)


def furnish(store: Store, runtime: Runtime, *, example: bool) -> None:
    """Fill an empty store. Without ``example`` only what every cluster has."""
    builder = _Builder(store)
    for name in _BASE_NAMESPACES + (_MORE_NAMESPACES if example else ()):
        builder.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for name, expandable in (("standard", True), ("fixed", False)):
        metadata = {"name": name} | ({"annotations": _DEFAULT_CLASS} if expandable else {})
        builder.add(
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": metadata,
                "provisioner": "demo.local/path",
                "reclaimPolicy": "Delete" if expandable else "Retain",
                "volumeBindingMode": "WaitForFirstConsumer",
                "allowVolumeExpansion": expandable,
            }
        )
    names = ("docker.io/aryan-laptophp/postgres-pgbackrest:15.0", "registry.k8s.io/kubectl:v1.34.4")
    images = [{"names": [name], "sizeBytes": 300_000_000} for name in names]
    builder.add({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "status": {"images": images}})
    if example:
        authority = Authority(store.now())
        _minio(builder, runtime, authority)
        _certificates(builder, authority)
        _oddities(builder, authority)
        _credentials(builder)


def _minio(builder: _Builder, runtime: Runtime, authority: Authority) -> None:
    labels = {"app": "minio"}
    own = authority.issue("minio.minio.svc", _MINIO_HOSTS, ca=True)
    builder.pair("minio/minio-tls", own, labels=labels)
    builder.secret("minio/minio-root", {"rootUser": b"demo-root", "rootPassword": b"demo-root-password"}, labels=labels)
    ports = [{"name": "api", "port": 9000}, {"name": "console", "port": 9001}]
    about = {"name": "minio", "namespace": "minio", "labels": labels}
    service = {"selector": labels, "ports": ports}
    builder.add({"apiVersion": "v1", "kind": "Service", "metadata": about, "spec": service})
    container = {"name": "minio", "image": "minio/minio:latest", "ports": [{"containerPort": 9000}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"serviceName": "minio", "selector": {"matchLabels": labels}, "template": template}
    owner = builder.add({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": about, "spec": spec})
    _running(builder, runtime, owner)


def _running(builder: _Builder, runtime: Runtime, owner: Object) -> None:
    """The pod of a StatefulSet that has long been there."""
    revision, at = runtime.revision(owner), owner["metadata"]["creationTimestamp"]
    name, namespace = f"{owner['metadata']['name']}-0", owner["metadata"]["namespace"]
    template = owner["spec"]["template"]
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": owner["metadata"]["name"]}
    reference |= {"uid": owner["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}
    labels = template["metadata"]["labels"] | {"controller-revision-hash": revision}
    labels |= {"statefulset.kubernetes.io/pod-name": name}
    metadata = {"name": name, "namespace": namespace, "labels": labels, "ownerReferences": [reference]}
    pod = builder.add({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    container = pod["spec"]["containers"][0]
    state = {"name": container["name"], "image": container["image"], "ready": True, "started": True}
    state |= {"restartCount": 0, "state": {"running": {"startedAt": at}}}
    pod["spec"]["nodeName"] = NODE
    pod["status"] |= {
        "phase": "Running",
        "podIP": "10.244.0.5",
        "startTime": at,
        "containerStatuses": [state],
        "conditions": [{"type": kind, "status": "True", "lastTransitionTime": at} for kind in kinds],
    }
    runtime.store.put(pod)
    log = ContainerLog(["MinIO Object Storage Server", "API: https://10.244.0.5:9000  https://127.0.0.1:9000"])
    runtime.logs[pod["metadata"]["uid"], container["name"]] = log


def _certificates(builder: _Builder, authority: Authority) -> None:
    root = authority.issue("Example Root", ca=True, days=(-300, 9 * 365))
    middle = authority.issue("Example Issuing CA 1", ca=True, issuer=root, days=(-100, 3 * 365))
    annotations = {"cert-manager.io/issuer-name": "example", "cert-manager.io/common-name": "web"}
    builder.pair("cert-manager/root-ca", root)
    builder.pair("cert-manager/issuing-ca", middle)
    builder.secret("cert-manager/trust-bundle", {"ca.crt": root.pem + middle.pem})
    web = authority.issue("shop.example.com", ("shop.example.com",), issuer=middle, days=(-78, 12))
    builder.pair("shop/web-tls", web, middle.pem, annotations=annotations)
    for name, namespace in (("grafana", "monitoring"), ("prometheus", "monitoring"), ("webhook", "cert-manager")):
        host = f"{name}.{namespace}.svc"
        builder.pair(f"{namespace}/{name}-tls", authority.issue(host, (host,), issuer=middle), middle.pem)
    minio = authority.issue("minio.minio.svc, by Example", _MINIO_HOSTS, issuer=middle)
    builder.pair("staging/minio-signed", minio, middle.pem + root.pem)
    other = authority.issue("s3.example.com", ("s3.example.com",), ca=True)
    builder.pair("staging/minio-wrong-name", other)
    builder.pair("default/old-minio", authority.issue("minio", ("minio",), ca=True, days=(-368, -3)))
    builder.pair("staging/minio-next", authority.issue("minio next", _MINIO_HOSTS, ca=True, days=(2, 400)))
    for number in range(1, 5):
        host = f"tenant-{number}.example.com"
        builder.pair(f"ingress-nginx/tenant-{number}-tls", authority.issue(host, (host,), issuer=middle))


def _oddities(builder: _Builder, authority: Authority) -> None:
    plain = authority.issue("plain.example.com", ("plain.example.com",))
    builder.secret("staging/key-only", {"tls.key": plain.key_pem})
    builder.secret("staging/certificate-only", {"tls.crt": plain.pem})
    builder.secret("staging/der-certificate", {"tls.crt": plain.der, "tls.key": b""}, _TLS)
    builder.secret("staging/garbage", {"tls.crt": b"not a certificate", "tls.key": b"nor a key"}, _TLS)
    bad_pem = plain.pem[:120] + b"!!!" + plain.pem[120:]
    builder.secret("staging/broken-pem", {"tls.crt": bad_pem, "tls.key": plain.key_pem}, _TLS)
    builder.secret("staging/empty", {"tls.crt": b"", "tls.key": b""}, _TLS)
    crlf = plain.pem.replace(b"\n", b"\r\n")
    builder.secret("staging/windows-lines", {"tls.crt": b"\xef\xbb\xbf" + crlf, "tls.key": plain.key_pem}, _TLS)
    builder.secret("staging/key-before-certificate", {"tls.crt": plain.key_pem + plain.pem, "tls.key": b""}, _TLS)
    hostile = authority.issue("\x1b[2J[bold]evil[/] \u202emoc", ("evil.example.com",), ca=True)
    builder.pair("staging/hostile-subject", hostile, annotations={"example.com/note": HOSTILE})


def _credentials(builder: _Builder) -> None:
    keys = {"accessKey": b"demo-backup", "secretKey": b"demo-backup-secret-key"}
    builder.secret("default/postgresql-pgbackrest-s3", keys)
    builder.secret(
        "shop/s3-backup", {"AWS_ACCESS_KEY_ID": b"demo-shop", "AWS_SECRET_ACCESS_KEY": b"demo-shop-secret\n"}
    )
    builder.secret("shop/database", {"username": b"shop", "password": b"demo-password"}, "kubernetes.io/basic-auth")
    builder.secret("monitoring/grafana-admin", {"admin-user": b"admin", "admin-password": b"demo-admin"})
    builder.secret("monitoring/alertmanager-config", {"alertmanager.yaml": b"route: {receiver: none}\n"})
    builder.secret("default/api-token", {"token": b"demo-token"}, annotations={"example.com/owner": HOSTILE})
    login = {"auths": {"registry.example.com": {"auth": base64.b64encode(b"demo:demo").decode()}}}
    pull = {".dockerconfigjson": json.dumps(login).encode()}
    for namespace in ("default", "shop", "staging"):
        builder.secret(f"{namespace}/registry", pull, "kubernetes.io/dockerconfigjson")
    for name, namespace, revisions in (("shop", "shop", 3), ("grafana", "monitoring", 2), ("minio", "minio", 1)):
        for number in range(1, revisions + 1):
            status = "deployed" if number == revisions else "superseded"
            labels = {"owner": "helm", "name": name, "version": str(number), "status": status}
            place = f"{namespace}/sh.helm.release.v1.{name}.v{number}"
            builder.secret(place, {"release": b"H4sIAAAAAAAC"}, "helm.sh/release.v1", labels=labels)
