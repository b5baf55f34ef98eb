"""kubectl and pgwizard on the same kubeconfigs and environments: where their requests go, and as whom.

Both ask for one ConfigMap at servers on the loopback that record what arrives.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import ipaddress
import json
import os
import re
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any, cast
from unittest import mock

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pgwizard.errors import ClusterError, KubeconfigError, PgwizardError, Unreachable
from pgwizard.kube import kubeconfig
from pgwizard.kube.api import Ref, Resource
from pgwizard.kube.client import connect
from pgwizard.kube.http import Patience
from support.agreement import Row
from support.waiting import DEADLINE_SECONDS

EXEC = "client.authentication.k8s.io"
_CONFIG_MAP = Resource("v1", "ConfigMap")
_ANSWERS: dict[str, Any] = {
    "api": {"kind": "APIVersions", "versions": ["v1"]},
    "apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [{"name": "configmaps", "namespaced": True, "kind": "ConfigMap", "verbs": ["get"]}],
    },
    "probe": {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "probe", "namespace": "any"}},
}


@dataclass(frozen=True)
class Case:
    """One kubeconfig and environment. files: text or an object by name; arguments: the options of both programs.

    pod: the service account of a pod is mounted. differs: why pgwizard refuses, before or after it has seen the server,
    what kubectl takes; empty where both must do the same.
    """

    name: str
    files: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)
    context: str | None = None
    kubeconfig: str | None = None
    pod: Mapping[str, str] | None = None
    differs: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a program did. contacts: the servers it spoke to, with the name in SNI; request: as it arrived.

    end: ``served``, ``refused`` before anything was sent, ``distrusted`` after a TLS handshake, ``unreachable``.
    plugin: what the credentials plug-in was run with.
    """

    end: str
    contacts: tuple[str, ...] = ()
    request: Mapping[str, Any] | None = None
    plugin: tuple[str, ...] = ()
    words: str = field(default="", compare=False)


# ---- certificates ---------------------------------------------------------------------------------------------------


def _pair(
    name: str,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
    *,
    ca: bool = False,
    named: bool = True,
    key: Any = None,
    extensions: tuple[x509.ExtensionType, ...] = (),
) -> Any:
    """A certificate and its key. named: it has alternative names."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    day = datetime.datetime.now(datetime.UTC)
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "0.0.0.0", "::1")]
    names = [x509.DNSName(host) for host in ("api.test", "localhost", "a.lab.test")]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(day - datetime.timedelta(days=9))
        .not_valid_after(day + datetime.timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=ca or issuer is None, path_length=None), critical=True)
    )
    if issuer is not None and named:
        builder = builder.add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def _pem(pair: Any) -> tuple[str, str]:
    certificate, key = pair
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# ---- servers --------------------------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    """An API server that knows one ConfigMap, and a proxy."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        self.via: list[str] = []
        self.name_in_sni = ""
        self.rfile = self.wfile = cast("Any", None)
        self.connection = self.request
        if self.server.tls:
            self._handshake("tls")
        super().setup()

    def _handshake(self, listener: str) -> None:
        def note(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
            self.name_in_sni = name or ""
            self.server.lab.contacts.add(f"{listener} {name or '-'}")

        context = self.server.lab.server_context(self.server.title)
        context.sni_callback = cast("Any", note)
        self.request = self.connection = context.wrap_socket(self.request, server_side=True)

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()

    def do_CONNECT(self) -> None:
        """A tunnel whose other end is the API server, whatever the name."""
        self._note_proxy()
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        self._handshake("tunnel")
        self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb")

    def do_GET(self) -> None:
        if self.path.startswith("http://"):
            self.via.clear()
            self._note_proxy()
        path = self.path.partition("?")[0]
        kind = path.rpartition("/")[2]
        if kind == "probe":
            lab = self.server.lab
            lab.request = {
                "listener": self.server.title,
                "via": list(self.via),
                "path": path,
                "host": self.headers.get("Host"),
                "sni": self.name_in_sni,
                "authorization": [value.strip() for value in self.headers.get_all("Authorization", [])],
                "impersonation": sorted(
                    f"{name.lower()}: {value}"
                    for name, value in self.headers.items()
                    if name.lower().startswith("impersonate-")
                ),
                "certificate": self._peer(),
            }
        body = json.dumps(_ANSWERS.get(kind, {})).encode()
        self.send_response(200 if kind in _ANSWERS else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _note_proxy(self) -> None:
        authorization = self.headers.get("Proxy-Authorization", "")
        target = self.path if self.command == "CONNECT" else self.path.split("/")[2]
        self.via.append(f"{self.command} {target} {authorization}".strip())
        self.server.lab.contacts.add(f"{self.server.title} proxy {target}")

    def _peer(self) -> str:
        result = self.request.getpeercert() if isinstance(self.request, ssl.SSLSocket) else None
        return "" if not result else str(result["subject"][0][0][1])

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, lab: Lab, title: str, *, tls: bool) -> None:
        self.lab, self.title, self.tls = lab, title, tls
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is one of the outcomes."""


class _SocksHandler(BaseRequestHandler):
    """A SOCKS5 proxy whose every way leads to the API server with TLS. ``user:secret`` logs in where it has to."""

    server: _SocksServer

    def handle(self) -> None:
        lab, client = self.server.lab, cast("socket.socket", self.request)
        with contextlib.suppress(OSError, IndexError):
            methods = client.recv(2)[1]
            login = 2 in client.recv(methods)
            client.sendall(bytes([5, 2 if login else 0]))
            if login:
                sent = client.recv(512)
                is_right = sent == b"\x01\x04user\x06secret"
                client.sendall(bytes([1, 0 if is_right else 1]))
                if not is_right:
                    lab.contacts.add("socks refused")
                    return
            head = client.recv(4)
            host = client.recv(client.recv(1)[0]).decode() if head[3] == 3 else f"address {client.recv(4).hex()}"
            lab.contacts.add(f"socks {host} {'port' if client.recv(2) else ''}")
            if host == "closed.test":
                client.sendall(b"\x05\x05\x00\x01" + bytes(6))
                return
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            with socket.create_connection(("127.0.0.1", lab.tls_port)) as server:
                _relay(client, server)


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Pass on bytes both ways until one side ends."""
    while True:
        for ready in select.select([one, other], [], [])[0]:
            if not (data := ready.recv(65536)):
                return
            (other if ready is one else one).sendall(data)


class _SocksServer(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        super().__init__(("127.0.0.1", 0), _SocksHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


ODD_SERVERS = ("short", "any purpose", "signing")
_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Lab:
    """The servers, and what they saw of one program."""

    def __init__(self, folder: Path) -> None:
        self.contacts: set[str] = set()
        self.request: dict[str, Any] | None = None
        authority = _pair("authority")
        self.ca = _pem(authority)[0]
        self.other_ca = _pem(_pair("somebody"))[0]
        self.client = _pem(_pair("jane", authority))
        self.other_client = _pem(_pair("john", authority))
        self._ca_pem = folder / "ca.pem"
        self._ca_pem.write_text(self.ca)
        middle = _pair("intermediate", authority, ca=True)
        below, common = _pair("api.test", middle), _pair("localhost", authority, named=False)
        short = _pair("api.test", authority, key=rsa.generate_private_key(65537, 1024))
        any_purpose = _pair(
            "api.test",
            authority,
            extensions=(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),),
        )
        signs = dict.fromkeys(_KEY_USAGES, False) | {"key_cert_sign": True}
        signing = _pair("api.test", authority, extensions=(x509.KeyUsage(**signs),))
        self.intermediate, self.below_certificate = _pem(middle)[0], _pem(below)[0]
        everyday = "".join(_pem(_pair("api.test", authority)))
        self._sent = {
            "tls": everyday,
            "secure-proxy": everyday,
            "below": "".join(_pem(below)),
            "below, whole": "".join(_pem(below)) + self.intermediate,
            "common name": "".join(_pem(common)),
            "short": "".join(_pem(short)),
            "any purpose": "".join(_pem(any_purpose)),
            "signing": "".join(_pem(signing)),
        }
        for title, text in self._sent.items():
            (folder / f"{title}.pem").write_text(text)
        self._folder = folder
        titles = ("tls", "http", "proxy", "secure-proxy", "below", "below, whole", "common name", *ODD_SERVERS)
        self._servers = [_Server(self, title, tls=title in self._sent) for title in titles]
        ports = [each.server_address[1] for each in self._servers]
        self.tls_port, self.http_port, self.proxy_port, self.secure_proxy_port = ports[:4]
        self.below_port, self.whole_port, self.common_name_port = ports[4:7]
        self.odd_ports = dict(zip(ODD_SERVERS, ports[7:], strict=True))
        self._socks = _SocksServer(self)
        self.socks_port = self._socks.server_address[1]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.closed_port = free.getsockname()[1]

    @property
    def tls(self) -> str:
        return f"https://127.0.0.1:{self.tls_port}"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def proxy(self) -> str:
        return f"http://127.0.0.1:{self.proxy_port}"

    def server_context(self, title: str) -> ssl.SSLContext:
        """That of the server, or of one behind the proxy."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.load_cert_chain(self._folder / f"{title if title in self._sent else 'tls'}.pem")
        context.load_verify_locations(self._ca_pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def close(self) -> None:
        for server in (*self._servers, self._socks):
            server.shutdown()
            server.server_close()


# ---- the two programs -----------------------------------------------------------------------------------------------


def kubectl_binary() -> str | None:
    """The rig's, else that of PATH.

    In place of Google's dispatcher the newest that it may call: it asks the server itself, before kubectl has judged
    the kubeconfig.
    """
    places = [os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ.get("PATH", "")]
    result = shutil.which("kubectl", path=os.pathsep.join(filter(None, places)))
    if result is None:
        return None
    called = Path(result).resolve().parent.glob("kubectl.1.*")
    return str(max(called, key=lambda path: int(path.suffix[1:]), default=result))


def can_mount() -> bool:
    """Whether a program can get a service account mounted that nobody else sees."""
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/run"],
        capture_output=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    return done.returncode == 0


class Place:
    """The folder of one case."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.folder = case, folder
        for name, content in case.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if callable(content):
                content(path)
            else:
                text = content if isinstance(content, str | bytes) else yaml.safe_dump(content, sort_keys=False)
                path.write_bytes(text if isinstance(text, bytes) else text.encode())
            if name.startswith("plugin") or "/plugin" in name:
                path.chmod(0o755)
        if case.pod is not None:
            (folder / "pod").mkdir()
            for name, text in case.pod.items():
                (folder / "pod" / name).write_text(text)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            **{name: value.replace("{here}", str(folder)) for name, value in case.environment.items()},
        }
        self.environment = {name: value for name, value in self.environment.items() if value != "{unset}"}
        self.kubeconfig = case.kubeconfig and case.kubeconfig.replace("{here}", str(folder))

    def plugin(self) -> tuple[str, ...]:
        """What the plug-in saw, without repetitions."""
        log = self.folder / "plugin.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return tuple(sorted({_sorted_json(line) for line in lines if line}))


def _sorted_json(line: str) -> str:
    with contextlib.suppress(ValueError):
        return json.dumps(json.loads(line), sort_keys=True)
    return line


def _outcome(lab: Lab, place: Place, words: str, unreachable: str) -> Outcome:
    contacts, request = tuple(sorted(lab.contacts)), lab.request
    end = "served" if request else "distrusted" if contacts else unreachable or "refused"
    lab.contacts, lab.request = set(), None
    return Outcome(end, contacts, request, place.plugin(), words)


_IN_POD = """
mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/kubernetes.io
ln -s "$1" /run/secrets/kubernetes.io/serviceaccount; shift; exec "$@"
"""


def run_kubectl(binary: str, lab: Lab, place: Place) -> Outcome:
    case = place.case
    command = [binary, f"--cache-dir={place.folder / 'cache'}", "get", "configmap", "probe", "--output=name"]
    command += [f"--context={case.context}"] if case.context is not None else []
    command += [f"--kubeconfig={place.kubeconfig}"] if place.kubeconfig is not None else []
    if case.pod is not None:
        command = ["unshare", "-rm", "sh", "-c", _IN_POD, "sh", str(place.folder / "pod"), *command]
    done = subprocess.run(
        command,
        env=place.environment,
        cwd=place.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    words = done.stderr.decode(errors="replace").strip().rpartition("\n")[2] if done.returncode else ""
    dialled = re.search(r"dial tcp:? (?:lookup )?([^ ]+?):? ", words) or re.search(
        r"The connection to the server (\S+) was refused", words
    )
    # Without a cluster kubectl tries localhost:8080: that it names none is what matters.
    where = dialled[1] if dialled and "localhost:8080" not in words and "[::1]:8080" not in words else ""
    return _outcome(lab, place, words, f"unreachable {where.partition(':')[0]}" if where else "")


def run_pgwizard(lab: Lab, place: Place) -> Outcome:
    case = place.case

    async def probe() -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            cluster = await connect(case.context, place.kubeconfig, patience=Patience(tries=1))
            async with cluster:
                await cluster.get(Ref(_CONFIG_MAP, "probe", cluster.namespace))

    words = unreachable = ""
    account = place.folder / "pod" if case.pod is not None else place.folder / "no-pod"
    before = Path.cwd()
    with (
        mock.patch.dict(os.environ, place.environment, clear=True),
        mock.patch.object(kubeconfig, "SERVICE_ACCOUNT", account),
    ):
        os.chdir(place.folder)
        try:
            asyncio.run(probe())
        except KubeconfigError as error:
            words = error.message
        except (Unreachable, ClusterError) as error:
            words = error.message
            name = re.search(r"the name (\S+) cannot be resolved", words)
            host = re.search(r"\(https?://([^:/)]+)\S*\).*: no connection: ", words)
            unreachable = f"unreachable {(name or host or [0, '?'])[1]}" if name or host else ""
        except PgwizardError as error:
            words = error.message
        except Exception as error:  # noqa: BLE001 - a defect is a disagreement, not the end of the comparison
            words = unreachable = f"defect {type(error).__name__}: {error}"
        finally:
            os.chdir(before)
    return _outcome(lab, place, words, unreachable)


@contextlib.contextmanager
def open_lab() -> Iterator[tuple[Lab, Path]]:
    with tempfile.TemporaryDirectory() as name:
        lab = Lab(Path(name))
        try:
            yield lab, Path(name)
        finally:
            lab.close()


WITHOUT_PODS = "(no unshare -rm here; pod cases left out)"


def compare() -> Iterator[Row]:
    """All cases."""
    binary = kubectl_binary()
    if binary is None:
        yield Row("kubeconfigs", "kubectl", absent="kubectl is neither on PATH nor in KUBEBUILDER_ASSETS")
        return
    yield compare_with(binary)


def compare_with(
    binary: str, only: Callable[[int, Case], bool] = lambda *_: True, tell: Callable[[str], object] = lambda _: None
) -> Row:
    """only: by number and case. tell: called with each disagreement as it is found."""
    from support.kubeconfig_cases import cases

    version = json.loads(
        subprocess.run(
            [binary, "version", "--client", "--output=json"], capture_output=True, timeout=DEADLINE_SECONDS, check=True
        ).stdout
    )["clientVersion"]["gitVersion"]
    tried, skipped, disagreements, mounts = 0, 0, [], can_mount()
    with open_lab() as (lab, folder):
        for number, case in enumerate(cases(lab)):
            if not only(number, case):
                continue
            if case.pod is not None and not mounts:
                skipped += 1
                continue
            (folder / str(number)).mkdir()
            place = Place(case, folder / str(number))
            tried += 1
            theirs, ours = run_kubectl(binary, lab, place), run_pgwizard(lab, place)
            refuses = ours.end in ("refused", "distrusted") and ours.end != theirs.end
            if ours == theirs or (case.differs and refuses):
                continue
            disagreements.append(f"{case.name}\n  kubectl:  {theirs}\n  pgwizard: {ours}")
            tell(disagreements[-1])
    without = f" {WITHOUT_PODS}: {skipped}" if skipped else ""
    return Row("kubeconfigs", f"kubectl {version}{without}", tried, tuple(disagreements))


if __name__ == "__main__":
    import sys

    words = sys.argv[1:]
    comparison = compare_with(
        kubectl_binary() or "kubectl", lambda _, case: not words or any(word in case.name for word in words), print
    )
    print(f"{comparison.oracle}: {comparison.tried} tried, {comparison.agreed} agreed")
