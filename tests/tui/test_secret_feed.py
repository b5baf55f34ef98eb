"""The list of Secrets is filled from a search, without a screen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

from pgwizard.clock import utc_now
from pgwizard.endpoint import Endpoint
from pgwizard.kube.api import Cluster
from pgwizard.simulator.cluster import SimCluster
from pgwizard.tui.connection import Connection
from pgwizard.tui.secret_feed import REPAINT_SECONDS, SETTLE_SECONDS, SecretFeed
from pgwizard.wizard.browse import Batch
from pgwizard.wizard.candidates import Candidate, Search
from support import simtime
from support.faulting import cluster as simulated

SEARCH = Search("ca", Endpoint.parse("minio.minio.svc:9000"), "default")


class PlainList:
    """A list of three lines that shows nothing. shows: how often it was filled."""

    def __init__(self) -> None:
        self.rows: Sequence[Candidate] = ()
        self.cursor = 0
        self.has_moved = False
        self.shows = 0

    @property
    def row(self) -> Candidate | None:
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    @property
    def in_view(self) -> Sequence[Candidate]:
        return self.rows[:3]

    def show(self, rows: Sequence[Candidate], cursor: int) -> None:
        self.rows, self.cursor = list(rows), cursor
        self.shows += 1

    @property
    def places(self) -> list[str]:
        return [row.place for row in self.rows]


class LoopAlarm:
    def __init__(self, seconds: float, ring: Callable[[], None]) -> None:
        self._handle = asyncio.get_running_loop().call_later(seconds, ring)

    def stop(self) -> None:
        self._handle.cancel()


class Feeding:
    """A feed on a simulated cluster, and the list that it fills. changes: how often it reported a change."""

    def __init__(self, search: Search) -> None:
        self.listing, self.changes = PlainList(), 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.sim: SimCluster
        self.connection = Connection(self._connect, lambda _: None)
        self.feed = SecretFeed(
            search,
            self.listing,
            lambda: self.connection,
            self._run,
            after=LoopAlarm,
            on_change=self._changed,
            now=utc_now,
        )

    async def _connect(self, stack: AsyncExitStack) -> Cluster:
        self.sim = await stack.enter_async_context(simulated())
        return self.sim

    def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(work())
        self.tasks.add(task)
        return task

    def _changed(self) -> None:
        self.changes += 1

    async def searched(self) -> None:
        """The search has ended, and what came last is listed."""
        await asyncio.wait(self.tasks)
        await asyncio.sleep(REPAINT_SECONDS + SETTLE_SECONDS)


def fed(scenario: Callable[[Feeding], Awaitable[None]], search: Search = SEARCH) -> None:
    async def main() -> None:
        one = Feeding(search)
        one.connection.connect()
        try:
            await scenario(one)
        finally:
            for task in one.tasks:
                task.cancel()
            await asyncio.gather(*one.tasks, return_exceptions=True)
            await one.connection.close()

    simtime.run(main())


def row(name: str, rank: int = 0, **more: Any) -> Candidate:
    return Candidate("shop", name, "CA", rank=rank, **more)


def test_rows_that_come_before_the_list_is_open_are_shown_with_it() -> None:
    async def scenario(one: Feeding) -> None:
        one.feed.secrets.take(Batch(rows=(row("a"),)))
        assert one.listing.places == []
        one.feed.open()
        assert one.listing.places == ["shop/a"]

    fed(scenario)


def test_the_first_rows_are_shown_at_once_and_later_ones_together() -> None:
    async def scenario(one: Feeding) -> None:
        one.feed.open()
        shows = one.listing.shows
        one.feed.secrets.take(Batch(rows=(row("a"),)))
        assert one.listing.shows == shows + 1
        for name in "bcd":
            one.feed.secrets.take(Batch(rows=(row(name),)))
        assert one.listing.places == ["shop/a"]
        await asyncio.sleep(REPAINT_SECONDS)
        assert one.listing.places == ["shop/a", "shop/b", "shop/c", "shop/d"]
        assert one.listing.shows == shows + 2

    fed(scenario)


def test_the_cursor_stays_on_the_best_row_until_a_person_moves_it() -> None:
    async def scenario(one: Feeding) -> None:
        one.feed.open()
        one.feed.secrets.take(Batch(rows=(row("b", 5),)))
        one.feed.secrets.take(Batch(rows=(row("a", 1),)))
        one.feed.show()
        assert one.listing.row == row("a", 1)
        one.listing.cursor, one.listing.has_moved = 1, True
        one.feed.secrets.take(Batch(rows=(row("c", 0),)))
        one.feed.show()
        assert one.listing.row == row("b", 5)

    fed(scenario)


def test_promising_rows_are_read_once_the_list_does_not_scroll() -> None:
    async def scenario(one: Feeding) -> None:
        await one.connection.once_connected()
        one.feed.open()
        one.feed.secrets.take(
            Batch(
                rows=(
                    Candidate("cert-manager", "trust-bundle", "not read", rank=1, hopeful=True),
                    Candidate("default", "api-token", "not read", rank=2),
                )
            )
        )
        await asyncio.sleep(SETTLE_SECONDS / 2)
        one.feed.follow()
        await asyncio.sleep(SETTLE_SECONDS / 2)
        assert one.tasks == set()
        await asyncio.sleep(SETTLE_SECONDS)
        await asyncio.gather(*one.tasks)
        kinds = {place: rows[0].kind for place, rows in one.feed.secrets.findings.by_place.items()}
        assert kinds == {("cert-manager", "trust-bundle"): "CA", ("default", "api-token"): "not read"}

    fed(scenario)


def test_a_filter_applies_to_a_search_that_begins_again_as_well() -> None:
    async def scenario(one: Feeding) -> None:
        one.feed.open()
        one.feed.begin()
        one.feed.begin()
        await one.searched()
        before = one.feed.secrets
        one.feed.filter_by("tenant-3")
        assert one.listing.places == ["ingress-nginx/tenant-3-tls"]
        one.feed.again()
        assert one.listing.places == []
        await one.searched()
        assert one.feed.secrets is not before
        assert one.listing.places == ["ingress-nginx/tenant-3-tls"]

    fed(scenario)


def test_a_filter_that_hides_a_revealed_row_is_dropped() -> None:
    async def scenario(one: Feeding) -> None:
        one.feed.open()
        one.feed.secrets.take(Batch(rows=(row("a"), row("b"))))
        one.feed.filter_by("shop/a")
        one.feed.reveal(row("a"), (row("a"),))
        assert one.feed.filter == "shop/a"
        one.feed.reveal(row("b"), (row("b"),))
        assert one.feed.filter == ""
        assert one.listing.row == row("b")

    fed(scenario)


def test_a_search_that_begins_again_connects_where_there_is_no_connection() -> None:
    async def scenario(one: Feeding) -> None:
        await one.connection.once_connected()
        await one.connection.close()
        one.connection.cluster = None
        one.connection.connect_event.clear()
        one.feed.open()
        one.feed.again()
        await one.searched()
        assert one.feed.secrets.state == "done"

    fed(scenario)
