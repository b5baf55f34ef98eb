"""What a request is authenticated with: tokens, client certificates, credentials plug-ins, and the TLS context.

It is never interactive, and never puts a credential into a text.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import json
import os
import re
import shutil
import signal
import ssl
import tempfile
import time
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any
from urllib.parse import quote

import yaml

from pgwizard.errors import KubeconfigError
from pgwizard.kube import typed_yaml
from pgwizard.kube.kubeconfig import Part, Target, decode, read_bytes, reason_of
from pgwizard.text import about, fit_line, plain, span

PLUGIN_SECONDS = 600.0
"""A person needs minutes to log in with a device code."""
_ANSWER_BYTES = 1 << 20
_TOKEN_LEEWAY_SECONDS = 60
"""How long API servers still accept a token after its expiry."""
_RENEWED_EARLY_SECONDS = 300.0
"""How long before the expiry ``kubernetes`` renews a token."""
TOKEN_FILE_SECONDS = 60.0
"""Kubelets rotate token files in place; client-go rereads them every minute."""


@dataclass(frozen=True)
class Credentials:
    """What a request carries. ``fresh_until`` is wall-clock time; ``renewable``: reading it again may give another."""

    headers: tuple[tuple[str, str], ...] = field(repr=False)
    tls: ssl.SSLContext | None
    fresh_until: float
    renewable: bool


class Login:
    """The credentials of a target, read when first needed, kept while fresh, and read again when refused.

    show: called with each line that a credentials plug-in writes to stderr, fit for a terminal, as it comes.
    """

    def __init__(
        self, target: Target, *, now: Callable[[], float] = time.time, show: Callable[[str], object] = lambda _: None
    ) -> None:
        self._target = target
        self._now = now
        self._show = show
        self._lock = asyncio.Lock()
        self._credentials: Credentials | None = None

    async def current(self) -> Credentials:
        """Fresh credentials. Raises KubeconfigError; never returns empty ones if the kubeconfig names some."""
        async with self._lock:
            if self._credentials is None or self._now() >= self._credentials.fresh_until:
                self._credentials = await self._fetch()
            return self._credentials

    def reject(self, credentials: Credentials) -> bool:
        """The server answered 401 to these. Returns True if a new try may get others."""
        if self._credentials is credentials and credentials.renewable:
            self._credentials = None
        return credentials.renewable

    def outdated_trust(self, *, is_early: bool) -> tuple[str, str]:
        """Which certificate-authority is out of its dates, and what to do, where TLS found a certificate of that kind.

        is_early: one that is not valid yet; otherwise one that has expired. The first is empty where it is none of
        the cluster's authorities: then it is a certificate of the server.
        """
        now = self._now()
        context = self._credentials.tls if self._credentials else None
        dates = [
            (ssl.cert_time_to_seconds(str(item["notBefore"])), ssl.cert_time_to_seconds(str(item["notAfter"])))
            for item in (context.get_ca_certs() if context else ())
        ]
        name = f"certificate-authority of {plain(self._target.cluster.name)!r} in the kubeconfig"
        if is_early:
            all_are = bool(dates) and all(now < begins for begins, _ in dates)
            problem = f"{name} {_not_yet(min(begins for begins, _ in dates), now)}" if all_are else ""
            return problem, _EARLY_HINT
        all_are = bool(dates) and all(ends < now for _, ends in dates)
        problem = f"{name} {_expiry_text(max(ends for _, ends in dates), now)}" if all_are else ""
        renew = "Get a new kubeconfig from the cluster" if problem else "Renew the certificate of the API server"
        return problem, f"{renew}. If this machine's clock is ahead (it shows {_minute(now)}), set it."

    async def _fetch(self) -> Credentials:
        user, url = self._target.user, self._target.url
        values = user.values
        if not url.startswith("https://"):
            await asyncio.to_thread(_tls, self._target, None)  # missing files are refused, as by kubectl
            # Anyone on the network could read them; kubectl sends none either.
            headers = (*_authorization(_basic(self._target.login)), *_impersonation(values))
            return Credentials(_sendable(headers, user.name), None, float("inf"), renewable=False)
        authorization, fresh_until, renewable = "", float("inf"), bool(values.get("client-certificate"))
        whose, pair = f"the token of user {plain(user.name)!r}", None
        if token_file := values.get("tokenFile"):
            authorization = _bearer(await asyncio.to_thread(_file_token, user, token_file))
            whose = f"{whose} in {plain(str(user.folder / token_file))}"
            fresh_until, renewable = self._now() + TOKEN_FILE_SECONDS, True
        elif token := values.get("token"):
            authorization = _bearer(token)
        elif values.get("username"):
            authorization = _basic(f"{values['username']}:{values.get('password', '')}")
        elif values.get("auth-provider"):
            authorization = await asyncio.to_thread(_auth_provider, self._target, self._now())
            # The refresh token lives in the kubeconfig; the package decides by the token's own expiry.
            fresh_until, renewable = self._now() + TOKEN_FILE_SECONDS, True
        elif (plugin := values.get("exec")) and not _has_certificate(values):
            status = await _run_plugin(self._target, plugin, self._show)
            whose = f"the token of the credentials plug-in {plain(_command(self._target, plugin))}"
            authorization, pair = _from_plugin(_command(self._target, plugin), status)
            fresh_until, renewable = self._plugin_expiry(status), True
        certificate, tls = await asyncio.to_thread(_tls, self._target, pair)
        if authorization:
            _require_current_token(whose, authorization, self._now())
        elif not certificate:
            raise KubeconfigError(
                f"user {plain(user.name)!r} in the kubeconfig {plain(self._target.files)} has no credentials",
                hint="Log in, so that it gets a token, a client certificate or a credentials plug-in.",
            )
        else:  # an API server that refuses the certificate still accepts the token
            ends = _require_current_certificate(
                user.name, _certificate_place(self._target, pair), certificate, self._now()
            )
            fresh_until = min(fresh_until, ends)
        headers = (*_authorization(_basic(self._target.login) or authorization), *_impersonation(values))
        return Credentials(_sendable(headers, user.name), tls, fresh_until, renewable)

    def _plugin_expiry(self, status: Mapping[str, Any]) -> float:
        stamp = status.get("expirationTimestamp")
        if stamp is None:
            return float("inf")
        text = stamp if isinstance(stamp, str) and _RFC_3339.fullmatch(stamp) else ""
        try:
            expiry = datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError):
            raise KubeconfigError("the credentials plug-in gave an expirationTimestamp that is not a time") from None
        # The five seconds keep a plug-in with a slow clock from being run for every single request.
        return max(expiry - 10, self._now() + 5)


_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


# -- what a request carries -------------------------------------------------------------------------------------------


def _bearer(token: str) -> str:
    return f"Bearer {token}"


def _basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}" if login else ""


def _authorization(value: str) -> list[tuple[str, str]]:
    return [("Authorization", value)] if value else []


def _sendable(headers: tuple[tuple[str, str], ...], user: str) -> tuple[tuple[str, str], ...]:
    """The headers unchanged. Raises KubeconfigError if a value could be read as another header."""
    for _, value in headers:
        if any((character < " " and character != "\t") or character == "\x7f" for character in value):
            raise KubeconfigError(f"the credentials of {plain(user)!r} hold characters that cannot be sent")
    return headers


def _file_token(user: Part, name: str) -> str:
    """The token of a file; the one beside it where that is empty or cannot be read."""
    what, beside = f"the token file of {plain(user.name)!r}", str(user.values.get("token") or "")
    try:
        token = decode(read_bytes(user.folder / name, what), what)
    except KubeconfigError:
        if beside:
            return beside
        raise
    if not token and not beside:
        raise KubeconfigError(f"{what} is empty: {plain(str(user.folder / name))}")
    return token or beside


def _has_certificate(user: Mapping[str, Any]) -> bool:
    return bool(user.get("client-certificate") or user.get("client-certificate-data"))


def _require_current_token(whose: str, authorization: str, now: float) -> None:
    """Raises KubeconfigError for a JWT that has ended."""
    ends = _claims(authorization.removeprefix("Bearer ")).get("exp")
    if not isinstance(ends, int | float) or isinstance(ends, bool) or now <= ends + _TOKEN_LEEWAY_SECONDS:
        return
    with contextlib.suppress(ValueError, OverflowError):
        raise KubeconfigError(
            f"{whose} {_expiry_text(ends, now)}",
            hint="Log in again, or ask whoever gave you the kubeconfig for a new token.",
        )


def _claims(token: str) -> Mapping[str, Any]:
    """The claims of a JWT; empty for any other token."""
    parts = token.split(".")
    with contextlib.suppress(ValueError, RecursionError):
        claims = json.loads(base64.urlsafe_b64decode(f"{parts[1]}===")) if len(parts) == 3 else {}
        return claims if isinstance(claims, dict) else {}
    return {}


def _certificate_place(target: Target, from_plugin: tuple[bytes, bytes] | None) -> str:
    user = target.user
    if from_plugin:
        return f"the credentials plug-in {plain(_command(target, user.values['exec']))}"
    if path := user.values.get("client-certificate"):
        return plain(str(user.folder / path))
    return f"client-certificate-data in the kubeconfig {plain(target.files)}"


def _require_current_certificate(user: str, place: str, certificate: bytes, now: float) -> float:
    """When it ends. Raises KubeconfigError for a client certificate that has ended, or has not begun."""
    valid = _validity(certificate)
    if valid is None:
        return float("inf")
    begins, ends = (moment.timestamp() for moment in valid)
    whose = f"the client certificate of user {plain(user)!r} ({place})"
    if now > ends:
        raise KubeconfigError(
            f"{whose} {_expiry_text(ends, now)}",
            hint="Get a new client certificate: log in again, or ask whoever gave you the kubeconfig.",
        )
    if now < begins:
        raise KubeconfigError(f"{whose} {_not_yet(begins, now)}", hint=_EARLY_HINT)
    return ends


_EARLY_HINT = (
    "If this machine's clock is behind, set it. If it is right, the clock where the certificate was made is ahead: "
    "wait, or get a new one."
)


def _expiry_text(ends: float, now: float) -> str:
    return f"expired on {_minute(ends)}, {about(now - ends)} ago"


def _not_yet(begins: float, now: float) -> str:
    return f"is valid from {_minute(begins)} on, and this machine's clock shows {_minute(now)}"


def _minute(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


_IN_HEADER_NAMES = "!#$&'*+-.^_`|~"


def _impersonation(user: Mapping[str, Any]) -> list[tuple[str, str]]:
    headers = [("Impersonate-User", user["as"])] if user.get("as") else []
    if user.get("as-uid"):
        headers.append(("Impersonate-Uid", user["as-uid"]))
    headers += [("Impersonate-Group", group) for group in user.get("as-groups") or []]
    for key, values in (user.get("as-user-extra") or {}).items():
        name = f"Impersonate-Extra-{quote(key.lower(), safe=_IN_HEADER_NAMES)}"
        headers += [(name, value) for value in values]
    return headers


def _tls(target: Target, from_plugin: tuple[bytes, bytes] | None) -> tuple[bytes, ssl.SSLContext | None]:
    """The client's certificate, empty for none, and the context that uses it; no context for http."""
    authority = target.cluster.bytes_of("certificate-authority")
    certificate, key = from_plugin or (
        target.user.bytes_of("client-certificate"),
        target.user.bytes_of("client-key") if _has_certificate(target.user.values) else None,
    )
    if not target.url.startswith("https://"):
        return b"", None
    context = _trusting_the_system() if authority is None else _trusting(authority, target.cluster.name)
    _take_short_keys(context)
    # Clusters have certificate authorities that lack what strict mode (Python 3.13's default) asks for; Go takes them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # As in Go, whatever certificate-authority holds ends a chain, root or not, and a common name is no server's name.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = False
    if target.cluster.values.get("insecure-skip-tls-verify") is True:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        _require_pem(target.user.name, certificate, key or b"")
        with _private_file(_tidy(certificate) + b"\n" + _tidy(key or b"")) as path:
            try:
                # Without the callback an encrypted key would ask for its password on the terminal.
                context.load_cert_chain(path, password=lambda: "")
            except ssl.SSLError as error:
                whose = f"the client certificate and key of {plain(target.user.name)!r} cannot be used together"
                why = ": the key belongs to another certificate" if error.reason == "KEY_VALUES_MISMATCH" else ""
                raise KubeconfigError(f"{whose}{why}") from None
    return certificate or b"", context


_PEM = re.compile(rb"^-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL | re.MULTILINE)
_KEY = re.compile(rb"^-----BEGIN ([A-Z]+ )?PRIVATE KEY-----", re.MULTILINE)


_BLOCK = re.compile(rb"^(-----BEGIN ([A-Z0-9 ]+)-----)[ \t\r]*\n(.*?)^(-----END \2-----)", re.DOTALL | re.MULTILINE)


def _tidy(pem: bytes) -> bytes:
    """The PEM with nothing but base64 in its blocks: Go skips headers and blank lines there, and OpenSSL does not."""

    def body(block: re.Match[bytes]) -> bytes:
        lines = [line.strip() for line in block[3].split(b"\n")]
        return b"\n".join([block[1], *(line for line in lines if line and b":" not in line), block[4]])

    return _BLOCK.sub(body, pem)


def _require_pem(user: str, certificate: bytes, key: bytes) -> None:
    """Raises KubeconfigError where one of them holds none: a request without it would be nobody's."""
    if not _PEM.search(certificate):
        raise KubeconfigError(f"the client certificate of {plain(user)!r} holds no certificate")
    if not _KEY.search(key):
        raise KubeconfigError(f"the client key of {plain(user)!r} holds no private key")


def _take_short_keys(context: ssl.SSLContext) -> None:
    """Take RSA keys of 1024 bits, as Go does. SHA-1 stays refused, by OpenSSL 3 at every level above 0.

    Finite-field Diffie-Hellman, which Go does not speak, would be weakened with them, and is left out.
    """
    if ssl.OPENSSL_VERSION_INFO >= (3,) and context.security_level > 1:
        suites = [suite["name"] for suite in context.get_ciphers() if suite["name"].startswith("ECDHE-")]
        context.set_ciphers(":".join(["@SECLEVEL=1", *suites]))


def _trusting_the_system() -> ssl.SSLContext:
    """A context that trusts the system's certificates, and those of SSL_CERT_DIR under any name, as Go does.

    OpenSSL reads those alone whose names are their hashes.
    """
    context = ssl.create_default_context()
    for folder in os.environ.get("SSL_CERT_DIR", "").split(os.pathsep):
        for path in sorted(Path(folder).iterdir()) if folder and Path(folder).is_dir() else ():
            with contextlib.suppress(OSError):
                _add_certificates(context, path.read_bytes())
    return context


def _add_certificates(context: ssl.SSLContext, content: bytes) -> int:
    """Trust those that can be read, and return their number. The others are left out, as by Go."""
    count = 0
    for certificate in _PEM.findall(content):
        with contextlib.suppress(ssl.SSLError):
            context.load_verify_locations(cadata=certificate.decode("ascii", "ignore"))
            count += 1
    return count


def _trusting(authority: bytes, cluster: str) -> ssl.SSLContext:
    """A context that trusts these certificates alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not _add_certificates(context, authority):
        raise KubeconfigError(f"certificate-authority of {plain(cluster)!r} in the kubeconfig holds no certificate")
    return context


def _validity(certificate: bytes) -> tuple[datetime, datetime] | None:
    """When the first certificate of a PEM begins and ends; None where that cannot be read."""
    from cryptography import x509

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's warnings about unusual certificates are not for users
        try:
            leaf = x509.load_pem_x509_certificates(certificate)[0]
            return leaf.not_valid_before_utc, leaf.not_valid_after_utc
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
    _require_verified_renewal(target, provider.get("config") or {}, at)
    try:
        with tempfile.TemporaryDirectory() as folder:
            load_kube_config(  # type: ignore[no-untyped-call]
                target.files, target.context, client_configuration=holder, temp_file_path=folder
            )
    except Exception:  # noqa: BLE001 - whatever a third party's code raises may hold the token in its text
        raise KubeconfigError("the auth-provider oidc of the kubeconfig failed") from None
    token = str(holder.api_key.get("BearerToken", ""))
    if not token:
        raise KubeconfigError(
            "the auth-provider oidc of the kubeconfig gave no token",
            hint="Log in again, or use a credentials plug-in (exec).",
        )
    return token


def _require_verified_renewal(target: Target, config: Mapping[str, str], at: float) -> None:
    """``kubernetes`` verifies no certificate where none is set, and would send the refresh token to whoever answers."""
    if config.get("idp-certificate-authority") or config.get("idp-certificate-authority-data"):
        return
    expires = _claims(config.get("id-token") or "").get("exp")
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


def _program(command: str) -> str:
    """The path of a program, as Go looks it up: by this process's own PATH, whatever the plug-in's env sets.

    Never in a folder that depends on the working directory, which may be anybody's. Raises OSError.
    """
    if os.sep in command:
        return command
    path = shutil.which(command, path=os.environ.get("PATH", ""))
    if path is None:
        raise FileNotFoundError(errno.ENOENT, "it is in no folder of PATH")
    if not Path(path).is_absolute():
        raise PermissionError(errno.EACCES, f"PATH leads to {path}, which depends on the working directory")
    return path


async def _run_plugin(target: Target, plugin: Mapping[str, Any], show: Callable[[str], object]) -> Mapping[str, Any]:
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
    async with _pipe() as (stdout, stdout_end), _pipe() as (stderr, stderr_end):
        try:
            process = await asyncio.create_subprocess_exec(
                _program(command),
                *(plugin.get("args") or []),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout_end,
                stderr=stderr_end,
                start_new_session=True,  # nor can it open /dev/tty
            )
        except (OSError, ValueError) as error:
            hint = plain(plugin.get("installHint") or "", 600)
            raise KubeconfigError(
                f"the credentials plug-in {plain(command)} cannot be started: {reason_of(error)}",
                hint=hint or "Install it, or add its folder to PATH.",
            ) from None
        stdout_end.close()
        stderr_end.close()
        output, words = await _outcome(process, stdout, stderr, command, show)
    if process.returncode:
        raise KubeconfigError(
            f"the credentials plug-in {plain(command)} {_end_of(process.returncode)}: "
            f"{plain(' '.join(words)) or 'it wrote nothing to stderr'}",
            hint=f"Log in again, then try the plug-in with: {target.commands.kubectl('get', 'namespaces')}",
        )
    try:
        if output.lstrip().startswith(b"{"):
            json.loads(output)  # YAML would ignore anything after the object
        answer: Mapping[str, Any] = typed_yaml.read(output, _CREDENTIAL)
    except typed_yaml.WrongType as error:
        raise KubeconfigError(
            f"the credentials plug-in {plain(command)} did not print an ExecCredential: "
            f"{error.place or 'it'} is {error.actual}; expected {error.expected}"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        answer = {}
    if (answer.get("kind") or _KIND) != _KIND or "status" not in answer:
        raise KubeconfigError(f"the credentials plug-in {plain(command)} did not print an ExecCredential")
    if answer.get("apiVersion") != version:
        raise KubeconfigError(
            f"the credentials plug-in {plain(command)} answers in another version than {plain(version)}"
        )
    status: Mapping[str, Any] = answer["status"]
    return status


def _end_of(code: int) -> str:
    """How a program ended. code: as subprocess has it, where a signal is a negative number."""
    if code >= 0:
        return f"failed with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


_KIND = "ExecCredential"
_CREDENTIAL: typed_yaml.Shape = {
    "apiVersion": str,
    "kind": str,
    "status": {"token": str, "clientCertificateData": str, "clientKeyData": str, "expirationTimestamp": object},
}


@contextlib.asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[asyncio.StreamReader, IO[bytes]]]:
    """A pipe, and its end for the plug-in.

    asyncio waits for the end of its own pipes before it reports the end of a process, and a program that the plug-in
    left in the background may hold them open without end.
    """
    reader = asyncio.StreamReader()
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as end:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
        )
        try:
            yield reader, end
        finally:
            transport.close()


async def _outcome(
    process: asyncio.subprocess.Process,
    stdout: asyncio.StreamReader,
    stderr: asyncio.StreamReader,
    command: str,
    show: Callable[[str], object],
) -> tuple[bytes, list[str]]:
    """What the plug-in printed, and the last lines of its stderr. Waits for a pipe only while the plug-in runs."""
    content, words = bytearray(), deque[str](maxlen=20)

    def follow(line: str) -> None:
        words.append(line)
        show(line)

    def announce() -> None:
        if not words:
            show(f"waiting for the credentials plug-in {plain(command)}")

    ending = asyncio.create_task(process.wait())
    answer = asyncio.create_task(_read_answer(stdout, content, command))
    follower = asyncio.create_task(_follow(stderr, follow))

    def check_readers() -> None:
        for reader in (answer, follower):
            if reader.done():
                reader.result()

    silence = asyncio.get_running_loop().call_later(SILENCE_SECONDS, announce)
    try:
        async with asyncio.timeout(PLUGIN_SECONDS):
            while not ending.done():  # without a reader the pipe would fill up, and the plug-in hang
                tasks = [task for task in (ending, answer, follower) if not task.done()]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                check_readers()
            has_failed = bool(ending.result())
            await asyncio.wait([answer], timeout=REST_SECONDS)
            await asyncio.wait([follower], timeout=REST_SECONDS if has_failed else _PAUSE_SECONDS)
            check_readers()
            return bytes(content), list(words)
    except TimeoutError:
        raise KubeconfigError(
            f"the credentials plug-in {plain(command)} was stopped after {span(PLUGIN_SECONDS)}; it was waiting for: "
            f"{plain(' '.join(words)) or 'nothing that it wrote to stderr'}",
            hint="Log in with it first, then try again.",
        ) from None
    finally:
        silence.cancel()
        for task in (answer, follower):
            task.cancel()
        if not ending.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.wait([ending], timeout=REST_SECONDS)
            ending.cancel()
        await asyncio.gather(answer, follower, ending, return_exceptions=True)


async def _read_answer(stream: asyncio.StreamReader, content: bytearray, command: str) -> None:
    while chunk := await stream.read(1 << 16):
        content += chunk
        if len(content) > _ANSWER_BYTES:
            raise KubeconfigError(
                f"the credentials plug-in {plain(command)} printed more than {_ANSWER_BYTES >> 20} MiB"
            )


SILENCE_SECONDS = 10.0
"""After this long a silent plug-in is named, so that users know what they wait for."""
REST_SECONDS = 5.0
"""So long after its end what it wrote may take to be read, where another program holds the pipe open."""
_PAUSE_SECONDS = 0.3
"""A line without an end, such as a prompt, is shown after this long."""
_SECRETS = re.compile(
    r"""
    (?P<before> "(?:\w*token|clientKeyData)" \s* : \s* ") [^"]*
    | (?P<bearer> \bBearer\s+ ) \S{8,}
    | \beyJ[\w-]{8,} (?: \.[\w-]* )+
    | ^ [\w+/=.-]{60,} $
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Parts of an ExecCredential, headers, JWTs, and lines of nothing but Base64, such as those of a private key."""


def _without_secrets(line: str) -> str:
    return _SECRETS.sub(lambda match: f"{match['before'] or match['bearer'] or ''}***", line)


async def _follow(stream: asyncio.StreamReader, show: Callable[[str], object]) -> None:
    """Pass on each line, and what is left without an end."""
    rest = b""
    while True:
        try:
            async with asyncio.timeout(_PAUSE_SECONDS if rest else None):
                chunk = await stream.read(1 << 12)
            *lines, rest = re.split(rb"\r\n|\r|\n", rest + chunk)
        except TimeoutError:
            chunk, lines, rest = b"...", [rest], b""
        if not chunk or len(rest) > 1 << 12:
            lines, rest = [*lines, rest], b""
        for line in lines:
            if text := fit_line(line.decode(errors="replace")).strip():
                show(_without_secrets(text))
        if not chunk:
            return


def _cluster_info(target: Target) -> dict[str, Any]:
    values = target.cluster.values
    info: dict[str, Any] = {"server": values["server"], "config": None}
    if authority := target.cluster.bytes_of("certificate-authority"):
        info["certificate-authority-data"] = base64.b64encode(authority).decode()
    for key in ("tls-server-name", "insecure-skip-tls-verify", "proxy-url", "disable-compression"):
        if values.get(key):
            info[key] = values[key]
    for extension in values.get("extensions") or []:
        if extension.get("name") == "client.authentication.k8s.io/exec":
            info["config"] = extension.get("extension")
    return info


def _from_plugin(command: str, status: Mapping[str, Any]) -> tuple[str, tuple[bytes, bytes] | None]:
    token = status.get("token") or ""
    certificate, key = status.get("clientCertificateData") or "", status.get("clientKeyData") or ""
    if bool(certificate) != bool(key):
        raise KubeconfigError(f"the credentials plug-in {plain(command)} gave a certificate without its key, or a key")
    if not token.strip() and not certificate:
        raise KubeconfigError(f"the credentials plug-in {plain(command)} gave neither a token nor a certificate")
    pair = (certificate.encode(), key.encode()) if certificate else None
    return (_bearer(token) if token else ""), pair
