"""What the cluster says about the answers is looked up after each of them, and again where it did not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from pgwizard.answers.questions import Answers
from pgwizard.clock import utc_now
from pgwizard.kube.api import Cluster
from pgwizard.plan.plan import Facts
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault
from pgwizard.tui.connection import Connection
from pgwizard.tui.live_checks import DELAY_SECONDS, RETRY_SECONDS, CheckResults, LiveChecks
from support import simtime
from support.faulting import answers_of
from support.faulting import cluster as simulated


class Checked:
    """Live checks on a simulated cluster, the answers that they look up, and what they learned."""

    def __init__(self) -> None:
        self.sim: SimCluster
        self.answers = answers_of()
        self.learned: list[CheckResults] = []
        self.connection = Connection(self._connect, lambda _: self.checks.connection_changed())
        self.checks = LiveChecks(
            self.connection,
            Path(),
            lambda work: asyncio.create_task(work()),
            answers=lambda: self.answers,
            release=lambda: None,
            learn=self.learned.append,
            now=utc_now,
        )

    async def _connect(self, stack: AsyncExitStack) -> Cluster:
        self.sim = await stack.enter_async_context(simulated())
        return self.sim

    def problems(self) -> list[str]:
        return [f"{each.question}: {each.text}" for each in self.learned[-1].problems]

    async def settled(self) -> None:
        await self.checks.wait(60)
        assert self.checks.is_settled


def checked(scenario: Callable[[Checked], Awaitable[None]]) -> None:
    async def main() -> None:
        one = Checked()
        one.connection.connect()
        await one.connection.once_connected()
        await asyncio.sleep(0)
        await one.settled()
        await scenario(one)
        one.checks.close()
        await one.connection.close()
        await asyncio.sleep(0)

    simtime.run(main())


def naming(secret: str) -> Answers:
    return answers_of(credentials={"from": "existing", "secret": secret})


def test_a_connection_begins_the_checks() -> None:
    async def scenario(one: Checked) -> None:
        assert one.learned[0].facts == Facts(), "nothing is known before"
        assert one.learned[-1].facts.ca is not None
        assert one.problems() == []

    checked(scenario)


def test_only_the_last_of_answers_in_quick_succession_is_looked_up() -> None:
    async def scenario(one: Checked) -> None:
        one.learned.clear()
        for name in ("n", "no", "not-there"):
            one.answers = naming(name)
            one.checks.answer_changed("credentials")
            await asyncio.sleep(DELAY_SECONDS / 2)
        await one.settled()
        assert [each.question for each in one.learned[0].problems] == ["credentials.secret"]
        assert "not-there" in one.problems()[0]

    checked(scenario)


def test_an_answer_that_names_nothing_in_the_cluster_is_not_looked_up() -> None:
    async def scenario(one: Checked) -> None:
        await asyncio.sleep(RETRY_SECONDS)  # the doubts are known, too
        before = len(one.sim.requests)
        one.checks.answer_changed("schedule")
        await asyncio.sleep(2 * DELAY_SECONDS)
        assert one.checks.is_settled
        assert len(one.sim.requests) == before

    checked(scenario)


def test_a_failed_lookup_is_tried_again() -> None:
    async def scenario(one: Checked) -> None:
        one.sim.faults = [Fault("500", times=None)]
        one.checks.start()
        await one.settled()
        assert one.problems()
        one.sim.faults = []
        await asyncio.sleep(RETRY_SECONDS + 1)
        await one.settled()
        assert one.problems() == []

    checked(scenario)


def test_nothing_is_known_of_another_cluster() -> None:
    async def scenario(one: Checked) -> None:
        one.connection.connect()
        await asyncio.sleep(0)
        assert one.learned[-1] == CheckResults(Facts(), (), ())
        assert one.checks.is_settled, "nobody waits for a cluster that may never come"
        await one.connection.once_connected()
        await asyncio.sleep(0)
        await one.settled()
        assert one.learned[-1].facts.ca is not None

    checked(scenario)


def test_closed_checks_look_nothing_up() -> None:
    async def scenario(one: Checked) -> None:
        one.checks.start()
        one.checks.close()
        await asyncio.sleep(0.01)  # what had begun when they were closed
        before: Any = len(one.sim.requests)
        await asyncio.sleep(2 * RETRY_SECONDS)
        assert len(one.sim.requests) == before

    checked(scenario)
