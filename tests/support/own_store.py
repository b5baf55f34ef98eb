"""An S3 server of a test's own, which can be stopped, and can change its certificate and its keys.

Three MinIO servers share one folder: the first that a release is installed with, one with a certificate of another
authority, and one with other credentials. The Service leads to one of them, or to none.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Literal

from support.chains import Issued, issue
from support.rigtools import Kubectl
from support.waiting import KUBECTL_DEADLINE

KEY, SECRET = "verdicts", "verdicts-secret"
CERTIFICATE = "s3-tls"
_PORTS = {"first": 9000, "other authority": 9010, "other credentials": 9020}
_IMAGE = "docker.io/minio/minio:latest"
_BUCKET_MAKER = "registry.k8s.io/kubectl:v1.34.4"
"""Any image with a command that ends: mounting a folder of the volume makes it, and a folder is a bucket."""

State = Literal["first", "other authority", "other credentials", "stopped"]


@dataclass(frozen=True, slots=True)
class OwnStore:
    """The store in a namespace, at ``endpoint``; its certificate is in the Secret ``CERTIFICATE``."""

    kubectl: Kubectl

    @property
    def endpoint(self) -> str:
        return f"s3.{self.kubectl.namespace}.svc:9000"

    def start(self) -> None:
        """Create it, and wait until it answers."""
        certificates = {name: self._certificate(name) for name in ("first", "other")}
        self._apply(*(_tls(f"s3-{name}", issued) for name, issued in certificates.items()))
        self._apply(_tls(CERTIFICATE, certificates["first"]), self._service("first"), _pod())
        self.kubectl.run("wait", "--for=condition=Ready", "pod/s3", KUBECTL_DEADLINE)

    def switch(self, to: State) -> None:
        """Lead the clients to another server; the Secret has the certificate of the one that they reach."""
        name = "s3-other" if to == "other authority" else "s3-first"
        data = self.kubectl.json("get", "secret", name)["data"]
        self._apply(_secret(CERTIFICATE, data), self._service(to))

    def _certificate(self, name: str) -> Issued:
        host = f"s3.{self.kubectl.namespace}.svc"
        return issue(f"s3 {name}", ca=True, names=(host,), number=len(name), days=(-1, 400))

    def _service(self, to: State) -> dict[str, Any]:
        selector = {"app": "nothing" if to == "stopped" else "s3"}
        port = {"name": "https", "port": 9000, "targetPort": _PORTS.get(to, 9000)}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "s3"},
            "spec": {"selector": selector, "ports": [port]},
        }

    def _apply(self, *objects: dict[str, Any]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl.run(
            "apply", "--server-side", "--force-conflicts", "--filename=-", data=json.dumps(listed).encode()
        )


def _secret(name: str, data: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": "kubernetes.io/tls",
        "data": data,
    }


def _tls(name: str, issued: Issued) -> dict[str, Any]:
    parts = {"tls.crt": issued.pem, "tls.key": issued.key_pem}
    return _secret(name, {key: base64.b64encode(value).decode() for key, value in parts.items()})


def _pod() -> dict[str, Any]:
    servers = [_server(name, port, "other" if name == "other authority" else "first") for name, port in _PORTS.items()]
    bucket = {"name": "data", "mountPath": "/bucket", "subPath": "backups"}
    maker = {"name": "bucket", "image": _BUCKET_MAKER, "args": ["version", "--client"], "volumeMounts": [bucket]}
    volumes: list[dict[str, Any]] = [{"name": "data", "emptyDir": {}}]
    for name in ("first", "other"):
        items = [{"key": "tls.crt", "path": "public.crt"}, {"key": "tls.key", "path": "private.key"}]
        volumes.append({"name": name, "secret": {"secretName": f"s3-{name}", "items": items}})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "s3", "labels": {"app": "s3"}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "initContainers": [maker],
            "containers": servers,
            "volumes": volumes,
        },
    }


def _server(name: str, port: int, certificate: str) -> dict[str, Any]:
    secret = "revoked-since" if name == "other credentials" else SECRET
    addresses = ["--address", f":{port}", "--console-address", f"127.0.0.1:{port + 1}"]
    return {
        "name": name.replace(" ", "-"),
        "image": _IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["server", "--certs-dir", "/certs", *addresses, "/data"],
        "env": [{"name": "MINIO_ROOT_USER", "value": KEY}, {"name": "MINIO_ROOT_PASSWORD", "value": secret}],
        "readinessProbe": {
            "httpGet": {"path": "/minio/health/ready", "port": port, "scheme": "HTTPS"},
            "periodSeconds": 2,
        },
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": certificate, "mountPath": "/certs", "readOnly": True},
        ],
    }
