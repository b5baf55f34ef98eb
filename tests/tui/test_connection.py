"""One connection at a time: another choice closes the one before, and trouble is reported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from pgwizard.errors import Unreachable
from pgwizard.kube.api import Cluster
from pgwizard.tui.connection import Connection
from pgwizard.tui.start import ClusterChoice, Connector
from support import simtime


class Servers:
    """Clusters by name, each with how long it takes to connect; what was opened and closed."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def connect_to(self, name: str, seconds: float = 0) -> Connector:
        async def version() -> str:
            return "v1.34"

        @asynccontextmanager
        async def opened() -> AsyncIterator[Any]:
            self.log.append(f"open {name}")
            await asyncio.sleep(seconds)
            yield SimpleNamespace(server=name, version=version)
            self.log.append(f"close {name}")

        async def connect(stack: AsyncExitStack) -> Cluster:
            cluster: Cluster = await stack.enter_async_context(opened())
            return cluster

        return connect


def choice(name: str, connect: Connector) -> ClusterChoice:
    return ClusterChoice(name, "https://there", "default", connect)


async def refused(_: AsyncExitStack) -> Cluster:
    raise Unreachable("no route to prod\x1b[2J", hint="is it up?")


async def defective(_: AsyncExitStack) -> Cluster:
    raise KeyError("nobody thought of this")


def test_a_waiter_gets_the_cluster_and_the_state_is_shown() -> None:
    async def main() -> None:
        reports: list[str] = []
        connection = Connection(Servers().connect_to("a", 3), reports.append)
        connection.connect()
        cluster = await connection.once_connected()
        assert cluster is connection.cluster
        assert reports == ["connecting", "a · v1.34"]
        await connection.close()

    simtime.run(main())


def test_another_choice_cancels_the_pending_connection_and_closes_the_previous_one() -> None:
    async def main() -> None:
        servers, reports = Servers(), list[str]()
        connection = Connection(servers.connect_to("a"), reports.append)
        connection.connect()
        await connection.once_connected()
        connection.connect(choice("slow", servers.connect_to("slow", 100)))
        await asyncio.sleep(1)
        connection.connect(choice("b", servers.connect_to("b")))
        assert connection.cluster is None
        assert (await connection.once_connected()).server == "b"
        assert connection.place is not None
        assert connection.place.name == "b"
        await asyncio.sleep(200)
        assert reports[-1] == "b · v1.34"
        await connection.close()
        assert servers.log == ["open a", "open slow", "close a", "open b", "close b"]

    simtime.run(main())


@pytest.mark.parametrize("ends_by", ["another choice", "the end"])
def test_a_cancelled_connection_is_closed_only_once_it_has_stopped(ends_by: str) -> None:
    """It may still open something while it is being cancelled."""
    log: list[str] = []

    async def slow(stack: AsyncExitStack) -> Cluster:
        stack.callback(log.append, "close")
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(1)
            stack.callback(log.append, "close what came late")
            log.append("stopped")
        raise NotImplementedError

    async def main() -> None:
        connection = Connection(slow, lambda _: None)
        connection.connect()
        await asyncio.sleep(1)
        if ends_by == "another choice":
            connection.connect(choice("b", Servers().connect_to("b")))
            assert (await connection.once_connected()).server == "b"
        await connection.close()
        assert log == ["stopped", "close what came late", "close"]

    simtime.run(main())


def test_reconnecting_without_a_choice_uses_the_same_cluster() -> None:
    async def main() -> None:
        servers = Servers()
        connection = Connection(servers.connect_to("a"), lambda _: None)
        connection.connect(choice("b", servers.connect_to("b")))
        await connection.once_connected()
        connection.connect()
        await connection.once_connected()
        await connection.close()
        assert sorted(servers.log) == ["close b", "close b", "open b", "open b"]

    simtime.run(main())


@pytest.mark.parametrize(
    ("connect", "message"),
    [(refused, "no route to prod\\x1b[2J"), (defective, "a bug in pgwizard: KeyError")],
)
def test_a_failed_connection_is_shown_until_the_next_try(connect: Connector, message: str) -> None:
    async def main() -> None:
        reports: list[str] = []
        connection = Connection(connect, reports.append)
        connection.connect()
        await asyncio.sleep(1)
        assert reports[-1] == f"not connected: {message}"
        before = connection.trouble
        connection.connect()
        assert (before is None, connection.trouble) == (False, None)
        await connection.close()

    simtime.run(main())
