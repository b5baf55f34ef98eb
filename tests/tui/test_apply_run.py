"""One run of an apply after another: its states, who may leave it, and what it publishes, with a view but no keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from textual.pilot import Pilot

from pgwizard.kube.api import Cluster
from pgwizard.release.apply import STAGES
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import ScriptedOutcome
from pgwizard.tui.apply_run import ApplyRun
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.widgets.apply_view import ApplyView
from pgwizard.tui.widgets.approval import Approval
from support.alone import with_screen
from support.faulting import answers_of
from support.faulting import cluster as simulated
from support.screens import painted, until

SLOW = ScriptedOutcome("slow", "default/postgresql-0", seconds=150)


def running(scenario: Callable[[Pilot[int], ApplyRun, ApplyView], Awaitable[None]]) -> list[str]:
    """Play the scenario with a run that waits for its connection. Returns the states that it went through."""
    sim: SimCluster = simulated(outcomes=[SLOW])
    states: list[str] = []

    async def connect(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(sim)

    async def main(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        answers = answers_of()
        view = ApplyView(STAGES, answers.release.name)
        await screen.mount(view)
        run = ApplyRun(screen, view, answers, None, lambda: states.append(run.state))
        run.begin()
        await scenario(pilot, run, view)

    with_screen(main, connect=connect, now=lambda: datetime.fromtimestamp(sim.clock.now(), UTC))
    return states


def test_a_run_that_has_written_nothing_can_be_left_at_once() -> None:
    async def scenario(pilot: Pilot[int], run: ApplyRun, _: ApplyView) -> None:
        await until(pilot, lambda: "Nothing is written before you approve." in painted(pilot))
        assert (run.is_writing, run.stop()) == (False, True)

    assert running(scenario)[0] == "reading"


def test_a_run_that_writes_is_left_once_its_lock_is_released() -> None:
    async def scenario(pilot: Pilot[int], run: ApplyRun, view: ApplyView) -> None:
        run.begin()  # in place of the one that waits for the connection
        pilot.app.screen.connection.connect()  # type: ignore[attr-defined]
        await until(pilot, lambda: view.query_one(Approval).is_waiting)
        view.query_one(Approval).approve()
        await until(pilot, lambda: "● wait" in painted(pilot))
        assert (run.is_writing, run.stop()) == (True, False)
        assert (run.is_writing, run.stop()) == (True, False)
        await until(pilot, lambda: run.state == "stopped")
        assert (run.is_writing, run.stop()) == (False, True)

    assert running(scenario) == ["reading", "reading", "asking", "writing", "stopping", "stopped"]
