"""One way for every request to the API server: one connection pool, a deadline, one retry loop, one mapping of errors.

What is repeated, for all methods alike: 429 (after Retry-After), 500, 502, 503, 504 (etcd without a leader is among
them), lost connections, answers that are late or cut off; with exponential backoff and jitter, bounded in number and in
time. Everything else fails at once. A request that must not be made twice is looked up before it is repeated.

It knows no verbs and no kinds, and never puts headers, credentials, request bodies or the text of a third party's
exception into a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
import ssl
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from pgwizard import __version__
from pgwizard.errors import (
    AlreadyExists,
    ApiError,
    ClusterError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    PgwizardError,
    ServerFailure,
    Unauthorized,
    Unreachable,
)
from pgwizard.kube.api import Access, Object
from pgwizard.kube.commands import CURRENT_CONTEXT, Commands
from pgwizard.kube.credentials import Credentials, Login
from pgwizard.kube.kubeconfig import Target, is_socks
from pgwizard.kube.sockets import ProxyFailure, ServerSocket
from pgwizard.text import plain

T = TypeVar("T")
TRANSIENT = frozenset({429, 500, 502, 503, 504})
_NOT_YET_VALID = 9
_OUT_OF_DATES = frozenset({_NOT_YET_VALID, 10})
"""OpenSSL's codes for a certificate before and after its dates."""
ERROR_BODY_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Patience:
    """Every timeout, and the clock, so that tests need not wait."""

    request_seconds: float = 35  # above the server's own limit for admission webhooks, 30
    connect_seconds: float = 10
    tries: int = 6
    total_seconds: float = 90
    first_delay_seconds: float = 0.25
    longest_delay_seconds: float = 10
    liveness_seconds: float = 75  # the API server sends a bookmark each minute
    watch_failures: int = 8
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random

    def delay(self, failures: int) -> float:
        """Seconds to wait after this many failures in a row."""
        return float(min(self.longest_delay_seconds, self.first_delay_seconds * 2 ** (failures - 1))) * (
            0.5 + self.jitter() / 2
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``purpose`` completes "cannot ..."; ``access`` is the permission that it needs, for the hint."""

    method: str
    path: str
    purpose: str
    params: tuple[tuple[str, str], ...] = ()
    body: Object | None = field(default=None, repr=False)
    content_type: str = "application/json"
    accept: str = "application/json"
    access: Access | None = None
    repeatable: bool = True
    tries: int | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A success: the parsed body, and the texts of the Warning headers."""

    body: Object
    warnings: tuple[str, ...] = ()


class _Status(Exception):
    """A failure status, as the connection pool saw it."""

    def __init__(self, status: int, body: bytes, retry_after: float | None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.retry_after = retry_after


class _TryError(Exception):
    """One try failed. is_lost: the answer was lost, and the server may have acted."""

    def __init__(
        self,
        error: Callable[[str], ClusterError],
        *,
        status: int = 0,
        transient: bool = True,
        is_lost: bool = True,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status)
        self.error = error
        self.status = status
        self.transient = transient
        self.is_lost = is_lost
        self.retry_after = retry_after


class _ConnectionLost(aiohttp.ClientConnectionError, OSError):
    """The connection broke after the request was sent. Its arguments are those of an ``OSError``."""


async def _send_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a GET whose connection is reset: it would run a command twice."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:  # nothing was sent
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _ConnectionLost(*error.args) from None


class Http:
    """Requests to one API server as one user."""

    def __init__(self, target: Target, login: Login, patience: Patience) -> None:
        self.target = target
        self.patience = patience
        self._login = login
        self._http_proxy = target.proxy
        self._sockets: weakref.WeakSet[ServerSocket] = weakref.WeakSet()
        traces = []
        if target.proxy and is_socks(target.proxy):
            from pgwizard.kube.socks import SocksProxy

            proxy = SocksProxy(target.proxy, URL(target.url), self._socket)
            self._http_proxy, connector, traces = None, proxy.connector, [proxy.trace]
        else:
            connector = aiohttp.TCPConnector(limit=0, socket_factory=self._socket)
        self._session = aiohttp.ClientSession(
            connector=connector,
            trace_configs=traces,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=patience.connect_seconds),
            # Compression made lists slower, even on a slow machine with a fast network.
            headers={"User-Agent": f"pgwizard/{__version__}", "Accept-Encoding": "identity"},
            raise_for_status=_raise_status,
            middlewares=(_send_once,),
        )

    async def close(self) -> None:
        """Close all connections, and return once they are closed."""
        await self._session.close()
        # TLS closes in the background for up to 30 s, which the end of the event loop would cut off.
        for _ in range(100):
            open_sockets = [connection for connection in self._sockets if connection.fileno() >= 0]
            if not open_sockets:
                return
            for connection in open_sockets:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            await asyncio.sleep(0)

    def _socket(self, address: aiohttp.AddrInfoType) -> ServerSocket:
        connection = ServerSocket.make(address)
        self._sockets.add(connection)
        return connection

    async def call(self, call: Call, recover: Callable[[], Awaitable[Response | None]] | None = None) -> Response:
        """Send and read the answer.

        recover: asked before a repetition whether the request was served after all, although its answer was lost.
        """
        return await self._persist(call, lambda credentials: self._exchange(call, credentials), recover)

    @contextlib.asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer to read as it arrives, within ``translated``."""
        response = await self._persist(call, lambda credentials: self._open(call, credentials))
        try:
            yield response
        finally:
            response.close()

    @contextlib.asynccontextmanager
    async def websocket(self, call: Call, protocols: tuple[str, ...]) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket, to be used within ``translated``."""
        socket_ = await self._persist(call, lambda credentials: self._upgrade(call, protocols, credentials))
        try:
            yield socket_
        finally:
            await socket_.close()

    @contextlib.contextmanager
    def translate_errors(self, call: Call) -> Iterator[None]:
        """Turns exceptions of the transport into errors of our own."""
        try:
            with self._one_try(call):
                yield
        except _TryError as error:
            raise error.error("") from None

    async def _persist(
        self,
        call: Call,
        once: Callable[[Credentials], Awaitable[T]],
        recover: Callable[[], Awaitable[T | None]] | None = None,
    ) -> T:
        patience = self.patience
        begin = patience.clock()
        tries, is_lost, is_renewed = 0, False, False
        while True:
            if self._session.closed:
                raise ClusterError(f"cannot {call.purpose}: the connection to {self.target.label} was closed")
            credentials = await self._login.current()
            tries += 1
            try:
                with self._one_try(call):
                    return await once(credentials)
            except _TryError as error:
                failure = error
            if failure.status == 401 and not is_renewed and self._login.reject(credentials):
                is_renewed = True
                continue
            is_lost = is_lost or failure.is_lost
            if recover and is_lost and (failure.is_lost or failure.status == 409):
                try:
                    recovery = await recover()
                except ClusterError:
                    raise failure.error(", and it cannot be looked up whether it was done") from None
                if recovery is not None:
                    return recovery
            wait = patience.delay(tries) if failure.retry_after is None else failure.retry_after
            over = tries >= (call.tries or patience.tries) or (patience.clock() - begin + wait > patience.total_seconds)
            if over or not failure.transient or (failure.is_lost and not call.repeatable):
                raise failure.error(f" ({tries} tries)" if tries > 1 else "")
            await patience.sleep(wait)

    async def _exchange(self, call: Call, credentials: Credentials) -> Response:
        async with asyncio.timeout(self.patience.request_seconds):
            response = await self._send(call, credentials)
            async with response:
                content = await response.read()
                warnings = tuple(_warnings(response.headers.getall("Warning", [])))
        return Response(_parse(content), warnings)

    async def _open(self, call: Call, credentials: Credentials) -> aiohttp.ClientResponse:
        async with asyncio.timeout(self.patience.request_seconds):
            return await self._send(call, credentials)

    async def _send(self, call: Call, credentials: Credentials) -> aiohttp.ClientResponse:
        headers = [*credentials.headers, ("Accept", call.accept)]
        data = None
        if call.body is not None:
            headers.append(("Content-Type", call.content_type))
            data = json.dumps(call.body).encode()
        return await self._session.request(
            call.method,
            self._url(call),
            data=data,
            headers=headers,
            allow_redirects=False,
            ssl=credentials.tls or True,
            server_hostname=self.target.server_hostname,
            proxy=self._http_proxy,
        )

    async def _upgrade(
        self, call: Call, protocols: tuple[str, ...], credentials: Credentials
    ) -> aiohttp.ClientWebSocketResponse:
        async with asyncio.timeout(self.patience.request_seconds):
            return await self._session.ws_connect(
                self._url(call),
                protocols=protocols,
                headers=list(credentials.headers),
                timeout=aiohttp.ClientWSTimeout(ws_close=2),
                max_msg_size=0,
                ssl=credentials.tls or True,
                server_hostname=self.target.server_hostname,
                proxy=self._http_proxy,
            )

    def _url(self, call: Call) -> URL:
        segments = call.path.split("/")[1:]
        # With an empty name, deleting an object would delete all of its kind.
        if any(segment in {"", ".", ".."} for segment in segments):
            raise PgwizardError(f"cannot {call.purpose}: {call.path!r} is not a path of an object")
        path = "/".join(quote(segment, safe=":") for segment in segments)
        query = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in call.params)
        return URL(f"{self.target.url}/{path}{'?' if query else ''}{query}", encoded=True)

    @contextlib.contextmanager
    def _one_try(self, call: Call) -> Iterator[None]:
        try:
            yield
        except _Status as answer:
            raise self._refusal(call, answer) from None
        except aiohttp.ConnectionTimeoutError:
            seconds = f"{self.patience.connect_seconds:g} s"
            raise self._failure(call, f"no connection within {seconds}", is_lost=False) from None
        except TimeoutError:
            seconds = f"{self.patience.request_seconds:g} s"
            raise self._failure(call, f"no answer to {call.method} {call.path} within {seconds}") from None
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            cause = getattr(error, "certificate_error", None) or error.__cause__
            reason = str(getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "TLS failed")
            hint = "Check that certificate-authority in the kubeconfig is this server's, and that the name is right."
            if (code := getattr(cause, "verify_code", 0)) in _OUT_OF_DATES:
                cause_text, hint = self._login.outdated_trust(is_early=code == _NOT_YET_VALID)
                reason = cause_text or f"the API server's {reason}"
            raise self._failure(
                call, f"no trusted TLS connection: {plain(reason)}", transient=False, hint=hint
            ) from None
        except (aiohttp.ClientConnectorError, ProxyFailure) as error:
            raise self._failure(call, f"no connection: {_reason(error)}", is_lost=False) from None
        except aiohttp.WSServerHandshakeError as error:
            raise self._failure(call, f"no WebSocket (HTTP {error.status})", transient=False) from None
        except aiohttp.ClientHttpProxyError as error:
            raise self._failure(
                call, f"the proxy answered {error.status}", transient=error.status in TRANSIENT
            ) from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise self._failure(call, "its URL is not one", transient=False) from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._failure(call, f"the connection was lost: {_reason(error)}") from None
        except ValueError:
            raise self._failure(call, f"the answer to {call.method} {call.path} is cut off or not JSON") from None

    def _refusal(self, call: Call, answer: _Status) -> _TryError:
        hint = ""
        try:
            body = _parse(answer.body)
        except ValueError:
            why = f"HTTP {answer.status}, and not in the words of a Kubernetes API server{self.target.route}"
            if hint := self.target.scheme_hint:
                why += f": {self.target.label} was asked by plain http, as its server in the kubeconfig has no scheme"
            body = {"message": why}
        # Server-side apply refuses an unknown field with a 500 that no repetition will change.
        invalid = answer.status == 500 and "failed to create typed patch object" in str(body.get("message"))
        status = 422 if invalid else answer.status
        return _TryError(
            lambda tries: api_error(call, status, body, tries, commands=self.target.commands, hint=hint),
            status=status,
            transient=status in TRANSIENT,
            is_lost=status >= 500,
            retry_after=answer.retry_after,
        )

    def _failure(
        self, call: Call, what: str, *, transient: bool = True, is_lost: bool = True, hint: str = ""
    ) -> _TryError:
        where = f"{self.target.label}{self.target.route}"
        return _TryError(
            lambda tries: Unreachable(
                f"cannot {call.purpose}: {where}: {what}{tries}", hint=hint or self.target.connection_hint
            ),
            transient=transient,
            is_lost=is_lost,
        )


def api_error(
    call: Call,
    status: int,
    answer: Mapping[str, Any],
    tries: str = "",
    commands: Commands = CURRENT_CONTEXT,
    *,
    hint: str = "",
) -> ApiError:
    """The error for a Status object of the server. hint: in place of that of the status."""
    reason = plain(str(answer.get("reason") or ""), 60)
    details = answer.get("details")
    raw = (details.get("causes") if isinstance(details, dict) else None) or []
    causes = [
        (plain(str(cause.get("field") or "")), _mask(plain(str(cause.get("message") or "")), call))
        for cause in raw
        if isinstance(cause, dict)
    ]
    conflict = any(isinstance(cause, dict) and cause.get("reason") == "FieldManagerConflict" for cause in raw)
    if conflict:
        text = "; ".join(f"{where}: {message}" for where, message in causes[:5])
        text += f" and {len(causes) - 5} more" if len(causes) > 5 else ""
    else:
        text = _mask(plain(str(answer.get("message") or "")), call) or reason or f"HTTP {status}"
    kind = AlreadyExists if status == 409 and reason == "AlreadyExists" else _CLASSES.get(status, ApiError)
    if status >= 500:
        kind = ServerFailure
    return kind(
        f"cannot {call.purpose}: {text}{tries}",
        status=status,
        reason=reason,
        causes=causes,
        hint=hint or _hint(kind, call, text, commands, conflict=conflict),
    )


_CLASSES: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: ServerFailure,
}


_HINTS: dict[type[ApiError], str] = {
    Unauthorized: "Log in again: the credentials of the kubeconfig are not accepted.",
    AlreadyExists: "Use it as it is, delete it, or choose another name.",
    Conflict: "Read it again and repeat: something else has changed it.",
    Gone: "List again: the list has expired.",
    ServerFailure: "Try again later: the API server is overloaded or failing.",
}


def _hint(kind: type[ApiError], call: Call, text: str, commands: Commands, *, conflict: bool) -> str:
    if conflict:
        return "Let the other tool give up the field, or take it over by force."
    if kind is Forbidden and call.access and "cannot" in text:
        return f"Ask for the permission. The same question: {call.access.command(commands)}"
    return _HINTS.get(kind, "")


def _mask(text: str, call: Call) -> str:
    """The server may quote what it refuses: values of Secrets are masked."""
    if call.body is None or "/secrets" not in call.path:  # a patch has no kind
        return text
    for block in ("data", "stringData"):
        for value in (call.body.get(block) or {}).values():
            if isinstance(value, str) and len(value) >= 4:
                text = text.replace(plain(value, len(value)), "…")
    return text


def _reason(error: BaseException) -> str:
    """Why the transport failed, in the system's words only: others may hold URLs with credentials."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {plain(error.host)} cannot be resolved"
    if isinstance(error, ssl.SSLError):
        return plain(str(error.reason or "TLS failed"))
    if isinstance(error, OSError):
        cause = getattr(error, "os_error", error)
        text = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror
        return plain(text or "closed by the other side")
    return "it ended too early" if isinstance(error, aiohttp.ClientPayloadError) else "closed by the other side"


def _parse(content: bytes) -> Object:
    answer = json.loads(content)
    if not isinstance(answer, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - as bad as text that does not parse
    return answer


async def _raise_status(response: aiohttp.ClientResponse) -> None:
    """The pool's hook for every response: reads a refusal's body before the WebSocket handshake would drop it."""
    if response.status == 101 or 200 <= response.status < 300:
        return
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > ERROR_BODY_BYTES:
            break
    response.close()
    after = response.headers.get("Retry-After", "")
    raise _Status(response.status, body, float(after) if after.isdecimal() else None)


def _warnings(headers: list[str]) -> Iterator[str]:
    """The texts of Warning headers: ``299 - "text"``, with quotes escaped by backslashes."""
    for header in dict.fromkeys(headers):
        _, quote_, rest = header.partition('"')
        text, is_escaped = "", False
        for character in rest if quote_ else "":
            if character == '"' and not is_escaped:
                break
            is_escaped = character == "\\" and not is_escaped
            text += "" if is_escaped else character
        if text:
            yield plain(text, 1000)
