"""Admission on a real cluster: a webhook that puts a sidecar into pods as a mesh does or refuses, and policies.

The API server of the rig lives in a network namespace of its own: a webhook on this machine's loopback is never
reached, and with ``failurePolicy: Ignore`` that does not show. So the webhook runs inside that namespace.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.rigtools import CHECKOUT, IMAGE, Kubectl

RIG = Path(os.environ.get("PGWIZARD_TEST_RIG") or CHECKOUT.parent / "shared" / "rig" / "rig")
SIDECAR = "istio-proxy"
OPT_OUT = "sidecar.istio.io/inject"
Place = Literal["first", "last", "native"]
"""Before or after the containers of the pod, or as an init container that Kubernetes ends by itself."""
_SERVER = f"""
import base64, http.server, json, ssl, sys
sidecar, words = json.loads(sys.argv[2]), sys.argv[3]
class Webhook(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        if words:
            return self.answer({{"uid": request["uid"], "allowed": False, "status": {{"message": words, "code": 403}}}})
        labels = request["object"]["metadata"].get("labels") or {{}}
        where = {{"first": "/spec/containers/0", "last": "/spec/containers/-", "native": "/spec/initContainers/0"}}
        place = self.path.partition("?")[0].strip("/")
        value = sidecar | ({{"restartPolicy": "Always"}} if place == "native" else {{}})
        patch = [{{"op": "add", "path": where[place], "value": value}}]
        if place == "native" and not request["object"]["spec"].get("initContainers"):
            patch = [{{"op": "add", "path": "/spec/initContainers", "value": [value]}}]
        response = {{"uid": request["uid"], "allowed": True}}
        if labels.get("{OPT_OUT}") != "false":
            response |= {{"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}}
        self.answer(response)
    def answer(self, response):
        body = {{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"""
_SIDECAR: dict[str, Any] = {
    "name": SIDECAR,
    "image": IMAGE,
    "imagePullPolicy": "IfNotPresent",
    "command": ["/bin/sh", "-c", "echo proxy ready; trap 'exit 0' TERM; while :; do sleep 1; done"],
    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}},
    "securityContext": {
        "runAsUser": 1337,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}


@contextlib.contextmanager
def mesh(kubectl: Kubectl, place: Place, folder: Path) -> Iterator[None]:
    """Every pod of the namespace that is made from now on gets a sidecar, unless its label opts out."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    with _webhook(kubectl, "MutatingWebhookConfiguration", "sidecar.mesh.test", rule, folder, place=place):
        yield


@contextlib.contextmanager
def denying_webhook(kubectl: Kubectl, group: str, resource: str, words: str, folder: Path) -> Iterator[str]:
    """No object of that kind is made or changed in the namespace from now on. The webhook's name."""
    name = f"{resource}.policy.test"
    operations = ["CREATE", "UPDATE"]
    rule = {"apiGroups": [group], "apiVersions": ["v1"], "operations": operations, "resources": [resource]}
    with _webhook(kubectl, "ValidatingWebhookConfiguration", name, rule, folder, words=words):
        yield name


@contextlib.contextmanager
def _webhook(
    kubectl: Kubectl, kind: str, name: str, rule: Mapping[str, Any], folder: Path, *, place: str = "", words: str = ""
) -> Iterator[None]:
    """A server inside the network namespace of the API server, and its registration. words: why it denies."""
    if not RIG.exists():
        pytest.skip(f"{RIG}: no rig to run a webhook in; PGWIZARD_TEST_RIG names one")
    certificate, both = _certificate()
    file = folder / f"{name}.pem"
    file.write_bytes(both)
    command = [str(RIG), "exec", sys.executable, "-c", _SERVER, str(file), json.dumps(_SIDECAR), words]
    registered = f"{kubectl.namespace}-{name.partition('.')[0]}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            webhook = {
                "name": name,
                "clientConfig": {
                    "url": f"https://127.0.0.1:{port}/{place}",
                    "caBundle": base64.b64encode(certificate).decode(),
                },
                "rules": [rule],
                "namespaceSelector": _only(kubectl),
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
            _create(kubectl, kind, registered, {"webhooks": [webhook]})
            yield
        finally:
            kubectl.outcome("delete", kind.lower(), registered, "--ignore-not-found")
            server.terminate()


@contextlib.contextmanager
def silent_webhook(kubectl: Kubectl) -> Iterator[str]:
    """A webhook without which no pod is made, at a port where nobody listens. Its name."""
    name = f"{kubectl.namespace}-silent"
    webhook: dict[str, Any] = {
        "name": "silent.policy.test",
        "clientConfig": {"url": "https://127.0.0.1:1/pods"},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": _only(kubectl),
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    try:
        _create(kubectl, "ValidatingWebhookConfiguration", name, {"webhooks": [webhook]})
        yield str(webhook["name"])
    finally:
        kubectl.outcome("delete", "validatingwebhookconfiguration", name, "--ignore-not-found")


@contextlib.contextmanager
def policy(kubectl: Kubectl, group: str, resource: str, expression: str, words: str) -> Iterator[None]:
    """A ValidatingAdmissionPolicy that denies what does not meet the expression, in this namespace alone."""
    name = f"{kubectl.namespace}-{resource}"
    rule = {"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": expression, "message": words}],
    }
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": _only(kubectl)},
    }
    try:
        _create(kubectl, "ValidatingAdmissionPolicy", name, {"spec": spec})
        _create(kubectl, "ValidatingAdmissionPolicyBinding", name, {"spec": binding})
        yield
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            kubectl.outcome("delete", kind, name, "--ignore-not-found")


@contextlib.contextmanager
def warning_policies(kubectl: Kubectl, policies: Mapping[str, tuple[str, str]]) -> Iterator[None]:
    """Policies on the pods of this namespace, (expression, words) by name, that only warn: a dry run shows them all."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    names = [f"{kubectl.namespace}-{name}" for name in policies]
    try:
        for name, (expression, words) in zip(names, policies.values(), strict=True):
            spec = {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": expression, "message": words}],
            }
            place = {"namespaceSelector": _only(kubectl)}
            binding = {"policyName": name, "validationActions": ["Warn"], "matchResources": place}
            _create(kubectl, "ValidatingAdmissionPolicy", name, {"spec": spec})
            _create(kubectl, "ValidatingAdmissionPolicyBinding", name, {"spec": binding})
        yield
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            kubectl.outcome("delete", kind, *names, "--ignore-not-found")


def _only(kubectl: Kubectl) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": kubectl.namespace}}


def _create(kubectl: Kubectl, kind: str, name: str, body: Mapping[str, Any]) -> None:
    about = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}}
    kubectl.run("create", "--filename=-", data=json.dumps({**about, **body}).encode())


def _certificate() -> tuple[bytes, bytes]:
    """The certificate of 127.0.0.1, and the same with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhook")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, pem + private
