"""An API server on the loopback that answers by script, and a cluster that speaks to it and never waits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from pgwizard.kube.client import KubeCluster
from pgwizard.kube.credentials import Login
from pgwizard.kube.http import Http, Patience
from pgwizard.kube.kubeconfig import Part, Target
from support.waiting import DEADLINE_SECONDS

TOKEN = "canary-token-5f2c"  # in place of a credential: it must never be seen again
Step = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, list[str]]
    body: Any


@dataclass
class Api:
    """``steps`` are taken one by one; the last one stays."""

    steps: list[Step] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        content = await request.read()
        headers = {key: request.headers.getall(key) for key in request.headers}
        body = json.loads(content) if content else None
        self.seen.append(Seen(request.method, request.path, dict(request.query), headers, body))
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return await step(request)

    @property
    def methods(self) -> list[str]:
        return [seen.method for seen in self.seen]


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def patience(self, **bounds: Any) -> Patience:
        clock = {"sleep": self.sleep, "clock": lambda: self.now, "jitter": lambda: 1.0}
        return Patience(**{"request_seconds": DEADLINE_SECONDS, **clock, **bounds})


def target(url: str, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> Target:
    values = {"token": TOKEN} if user is None else user
    return Target("test", url, "default", Part("c", cluster or {}, Path()), Part("u", values, Path()))


@contextlib.asynccontextmanager
async def served(api: Api, **options: Any) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(api.handle, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, **options)
    await site.start()
    try:
        scheme = "https" if options else "http"
        api.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
        yield api.url
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def scripted(
    *steps: Step, clock: Clock | None = None, user: dict[str, Any] | None = None, **bounds: Any
) -> AsyncIterator[tuple[KubeCluster, Api]]:
    api = Api(list(steps))
    async with served(api) as url:
        place = target(url, user)
        async with KubeCluster(Http(place, Login(place), (clock or Clock()).patience(**bounds))) as cluster:
            yield cluster, api


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def within() -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await scenario
        # asyncio's own server takes a turn to end a TLS handshake that was broken off.
        left = [task for task in asyncio.all_tasks() if "accept_connection" not in repr(task.get_coro())]
        assert left == [asyncio.current_task()]

    asyncio.run(within())


def everything_in(error: BaseException) -> str:
    """All that a careless caller could print of it."""
    return "".join([*traceback.format_exception(error), repr(error), repr(vars(error))])


# -- steps ------------------------------------------------------------------------------------------------------------


def says(body: Any, status: int = 200, headers: dict[str, str] | list[tuple[str, str]] | None = None) -> Step:
    async def step(_: web.BaseRequest) -> web.StreamResponse:
        response = web.json_response(body, status=status)
        response.headers.extend(headers or {})
        return response

    return step


def refuses(status: int, reason: str = "", message: str = "no", headers: Any = None, **details: Any) -> Step:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": status}
    return says({**body, "details": details}, status, headers)


def text(content: str, status: int = 200) -> Step:
    async def step(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=content, status=status, content_type="text/html")

    return step


async def resets(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hangs(_: web.BaseRequest) -> web.StreamResponse:
    await asyncio.Event().wait()
    return web.Response()


def streams(*lines: Any, end: str = "eof") -> Step:
    """Lines one by one; then ``eof``, ``reset`` or ``silent``. Text that is not JSON goes as it is."""

    async def step(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            await response.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        if end == "silent":
            await asyncio.Event().wait()
        if end == "reset" and request.transport is not None:
            request.transport.abort()
        return response

    return step
