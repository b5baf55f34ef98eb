"""What a request is authenticated with: tokens, client certificates, credentials plug-ins, and the TLS context.

It is never interactive, and never puts a credential into a text.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import ssl
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from pgwizard.errors import KubeconfigError
from pgwizard.kube.kubeconfig import Target, decode, read_bytes, reason_of
from pgwizard.text import plain

PLUGIN_SECONDS = 60.0
_RENEWED_EARLY_SECONDS = 300.0
"""So long before a token ends ``kubernetes`` renews it."""
TOKEN_FILE_SECONDS = 60.0
"""Kubelets rotate token files in place; client-go rereads them every minute."""


@dataclass(frozen=True)
class Credentials:
    """What a request carries. ``fresh_until`` is wall-clock time; ``renewable``: reading it again may give another.

    certificate: the client's, as PEM, without its key; empty for none.
    """

    headers: tuple[tuple[str, str], ...] = field(repr=False)
    tls: ssl.SSLContext | None
    fresh_until: float
    renewable: bool
    certificate: bytes = field(default=b"", repr=False)


class Login:
    """The credentials of a target, read when first asked for, kept while fresh, and read again when refused."""

    def __init__(self, target: Target, *, now: Callable[[], float] = time.time) -> None:
        self._target = target
        self._now = now
        self._lock = asyncio.Lock()
        self._credentials: Credentials | None = None

    async def current(self) -> Credentials:
        """Credentials that are fresh. Raises KubeconfigError; never returns none where the kubeconfig names some."""
        async with self._lock:
            if self._credentials is None or self._now() >= self._credentials.fresh_until:
                self._credentials = await self._fetch()
            return self._credentials

    def reject(self, credentials: Credentials) -> bool:
        """The server answered 401 to these. True if asking again may give others."""
        if self._credentials is credentials and credentials.renewable:
            self._credentials = None
        return credentials.renewable

    def invalid_certificate(self, credentials: Credentials) -> str:
        """That the client certificate is not valid now, with its date; empty where it is, and where there is none."""
        valid = _validity(credentials.certificate) if credentials.certificate else None
        whose, now = f"the client certificate of user {plain(self._target.user.name)!r}", self._now()
        if valid is not None and now > valid[1].timestamp():
            return f"{whose} expired on {valid[1]:%Y-%m-%d %H:%M} UTC"
        if valid is not None and now < valid[0].timestamp():
            return f"{whose} is valid from {valid[0]:%Y-%m-%d %H:%M} UTC on"
        return ""

    async def _fetch(self) -> Credentials:
        user = self._target.user
        values = user.values
        authorization, fresh_until, renewable = "", float("inf"), bool(values.get("client-certificate"))
        pair: tuple[bytes, bytes] | None = None
        if token_file := values.get("tokenFile"):
            content = await asyncio.to_thread(read_bytes, user.folder / token_file, f"the token file of {user.name!r}")
            authorization = f"Bearer {decode(content, f'the token file of {user.name!r}')}"
            fresh_until, renewable = self._now() + TOKEN_FILE_SECONDS, True
        elif token := values.get("token"):
            authorization = f"Bearer {token}"
        elif values.get("username"):
            login = f"{values['username']}:{values.get('password', '')}"
            authorization = f"Basic {base64.b64encode(login.encode()).decode()}"
        elif values.get("auth-provider"):
            authorization = await asyncio.to_thread(_auth_provider, self._target, self._now())
            # The refresh token lives in the kubeconfig; the package decides by the token's own expiry.
            fresh_until, renewable = self._now() + TOKEN_FILE_SECONDS, True
        elif plugin := values.get("exec"):
            status = await _run_plugin(self._target, plugin)
            authorization, pair = _from_plugin(_command(self._target, plugin), status)
            fresh_until, renewable = self._plugin_expiry(status), True
        certificate, tls = await asyncio.to_thread(_tls, self._target, pair)
        return Credentials(
            headers=(*_authorization(authorization, user.name), *_impersonation(values)),
            tls=tls,
            fresh_until=fresh_until,
            renewable=renewable,
            certificate=certificate,
        )

    def _plugin_expiry(self, status: Mapping[str, Any]) -> float:
        stamp = status.get("expirationTimestamp")
        if not stamp:
            return float("inf")
        try:
            expiry = datetime.fromisoformat(stamp).timestamp()
        except ValueError:
            raise KubeconfigError("the credentials plug-in gave an expirationTimestamp that is not a time") from None
        # The five seconds keep a plug-in with a slow clock from being run for every single request.
        return max(expiry - 10, self._now() + 5)


# -- what a request carries -------------------------------------------------------------------------------------------


def _authorization(value: str, user: str) -> list[tuple[str, str]]:
    if not value:
        return []
    if not value.isascii() or not value.isprintable():
        raise KubeconfigError(f"the credentials of {user!r} hold characters that cannot be sent")
    return [("Authorization", value)]


def _impersonation(user: Mapping[str, Any]) -> list[tuple[str, str]]:
    headers = [("Impersonate-User", user["as"])] if user.get("as") else []
    if user.get("as-uid"):
        headers.append(("Impersonate-Uid", user["as-uid"]))
    headers += [("Impersonate-Group", group) for group in user.get("as-groups") or []]
    for key, values in (user.get("as-user-extra") or {}).items():
        headers += [(f"Impersonate-Extra-{quote(key, safe='')}", value) for value in values]
    return headers


def _tls(target: Target, from_plugin: tuple[bytes, bytes] | None) -> tuple[bytes, ssl.SSLContext | None]:
    """The client's certificate, empty for none, and the context that uses it; no context for http."""
    if not target.url.startswith("https://"):
        return b"", None
    authority = target.cluster.bytes_of("certificate-authority")
    try:
        context = ssl.create_default_context(cadata=authority.decode("ascii", "ignore") if authority else None)
    except ssl.SSLError:
        name = target.cluster.name
        raise KubeconfigError(f"certificate-authority of {name!r} in the kubeconfig holds no certificate") from None
    # Clusters have certificate authorities that lack what strict mode (Python 3.13's default) asks for; Go takes them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if target.cluster.values.get("insecure-skip-tls-verify") is True:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = from_plugin or (
        target.user.bytes_of("client-certificate"),
        target.user.bytes_of("client-key"),
    )
    if certificate and key:
        with _private_file(certificate + b"\n" + key) as path:
            try:
                # Without the callback an encrypted key would ask for its password on the terminal.
                context.load_cert_chain(path, password=lambda: "")
            except ssl.SSLError:
                name = target.user.name
                raise KubeconfigError(f"the client certificate and key of {name!r} cannot be used together") from None
    return certificate or b"", context


def _validity(certificate: bytes) -> tuple[datetime, datetime] | None:
    """When the first certificate of a PEM begins and ends; None where that cannot be read."""
    from cryptography import x509

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that library's opinion of odd ones is for nobody to see
        try:
            read = x509.load_pem_x509_certificates(certificate)[0]
            return read.not_valid_before_utc, read.not_valid_after_utc
        except ValueError:
            return None


@contextlib.contextmanager
def _private_file(content: bytes) -> Iterator[str]:
    """A path to read ``content`` from, in memory where the system can: OpenSSL takes keys by path only."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("client-certificate")
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp()
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield path
    finally:
        os.close(descriptor)
        if not path.startswith("/proc/"):
            Path(path).unlink()


def _auth_provider(target: Target, at: float) -> str:
    """A token by ``kubernetes``' own OIDC code, which also saves a renewed refresh token in the kubeconfig."""
    from kubernetes.config import load_kube_config

    holder = SimpleNamespace(api_key={})
    provider = target.user.values["auth-provider"]
    name = provider.get("name") or ""
    if name == "oidc":
        _require_verified_renewal(target, provider.get("config") or {}, at)
    try:
        with tempfile.TemporaryDirectory() as folder:
            load_kube_config(  # type: ignore[no-untyped-call]
                target.files, target.context, client_configuration=holder, temp_file_path=folder
            )
    except Exception:  # noqa: BLE001 - whatever a third party's code raises may hold the token in its text
        raise KubeconfigError(f"the auth-provider {plain(name)!r} of the kubeconfig failed") from None
    token = str(holder.api_key.get("BearerToken", ""))
    if not token:
        raise KubeconfigError(
            f"the auth-provider {plain(name)!r} of the kubeconfig gave no token",
            hint="Log in again, or use a credentials plug-in (exec).",
        )
    return token


def _require_verified_renewal(target: Target, config: Mapping[str, str], at: float) -> None:
    """``kubernetes`` verifies no certificate where none is set, and would send the refresh token to whoever answers."""
    if config.get("idp-certificate-authority") or config.get("idp-certificate-authority-data"):
        return
    claims = (config.get("id-token") or "").split(".")[1:2]
    expires: Any = None
    with contextlib.suppress(ValueError, AttributeError):
        expires = json.loads(base64.urlsafe_b64decode(f"{claims[0]}===" if claims else "")).get("exp")
    if isinstance(expires, int | float) and expires <= at + _RENEWED_EARLY_SECONDS:
        raise KubeconfigError(
            f"the id-token of user {plain(target.user.name)!r} has expired, and without idp-certificate-authority it "
            "cannot be renewed safely",
            hint=f"Use a credentials plug-in (exec), or renew it with: {target.commands.kubectl('get', 'namespaces')}",
        )


# -- the credentials plug-in ------------------------------------------------------------------------------------------


def _command(target: Target, plugin: Mapping[str, Any]) -> str:
    command: str = plugin["command"]
    return str(target.user.folder / command) if os.sep in command else command


async def _run_plugin(target: Target, plugin: Mapping[str, Any]) -> Mapping[str, Any]:
    """Run it as client-go does, but never with a terminal; the ``status`` of its ExecCredential."""
    command = _command(target, plugin)
    if plugin.get("interactiveMode") == "Always":
        raise KubeconfigError(
            f"the credentials plug-in {plain(command)} wants a terminal of its own (interactiveMode: Always)",
            hint="Log in with it first, and use a kubeconfig whose plug-in can run without a terminal.",
        )
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = _cluster_info(target)
    version = plugin["apiVersion"]
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    extra = {item["name"]: item.get("value") or "" for item in plugin.get("env") or []}
    environment = {**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)}
    try:
        process = await asyncio.create_subprocess_exec(
            command,
            *(plugin.get("args") or []),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # neither can it open /dev/tty
        )
    except (OSError, ValueError) as error:
        hint = plain(plugin.get("installHint") or "", 600)
        raise KubeconfigError(
            f"the credentials plug-in {plain(command)} cannot be started: {reason_of(error)}",
            hint=hint or "Install it, or add its folder to PATH.",
        ) from None
    stdout, stderr = await _outcome(process, command)
    if process.returncode:
        raise KubeconfigError(
            f"the credentials plug-in {plain(command)} failed with exit code {process.returncode}: "
            f"{plain(stderr.decode(errors='replace')) or 'it wrote nothing to stderr'}",
            hint=f"Log in again, then try the plug-in with: {target.commands.kubectl('get', 'namespaces')}",
        )
    try:
        answer = json.loads(stdout)
        status, answered = answer["status"], answer["apiVersion"]
    except (ValueError, KeyError, TypeError):
        raise KubeconfigError(f"the credentials plug-in {plain(command)} did not print an ExecCredential") from None
    if answered != version or not isinstance(status, dict):
        raise KubeconfigError(
            f"the credentials plug-in {plain(command)} answers in another version than {plain(version)}"
        )
    for key in ("token", "clientCertificateData", "clientKeyData", "expirationTimestamp"):
        if not isinstance(status.get(key) or "", str):
            raise KubeconfigError(f"the credentials plug-in {plain(command)} gave a {key} that is no text")
    return status


async def _outcome(process: asyncio.subprocess.Process, command: str) -> tuple[bytes, bytes]:
    try:
        async with asyncio.timeout(PLUGIN_SECONDS):
            return await process.communicate()
    except TimeoutError:
        raise KubeconfigError(
            f"the credentials plug-in {plain(command)} gave no answer within {PLUGIN_SECONDS:g} s",
            hint="Log in first: it may wait for a login in the browser.",
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


def _cluster_info(target: Target) -> dict[str, Any]:
    values = target.cluster.values
    info: dict[str, Any] = {"server": target.url}
    if authority := target.cluster.bytes_of("certificate-authority"):
        info["certificate-authority-data"] = base64.b64encode(authority).decode()
    for key in ("tls-server-name", "insecure-skip-tls-verify", "proxy-url"):
        if values.get(key):
            info[key] = values[key]
    for extension in values.get("extensions") or []:
        if extension.get("name") == "client.authentication.k8s.io/exec":
            info["config"] = extension.get("extension")
    return info


def _from_plugin(command: str, status: Mapping[str, Any]) -> tuple[str, tuple[bytes, bytes] | None]:
    token = (status.get("token") or "").strip()
    certificate, key = status.get("clientCertificateData") or "", status.get("clientKeyData") or ""
    if bool(certificate) != bool(key):
        raise KubeconfigError(f"the credentials plug-in {plain(command)} gave a certificate without its key, or a key")
    if not token and not certificate:
        raise KubeconfigError(f"the credentials plug-in {plain(command)} gave neither a token nor a certificate")
    pair = (certificate.encode(), key.encode()) if certificate else None
    return (f"Bearer {token}" if token else ""), pair
