"""What is seen of an apply, from the survey to its end, without an apply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from textual.pilot import Pilot

from pgwizard.kube.api import Ref, Resource
from pgwizard.release.changes import Change
from pgwizard.release.stages import Event
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.widgets.apply_view import ApplyView
from pgwizard.tui.widgets.approval import Approval
from pgwizard.tui.widgets.log import Log
from pgwizard.tui.widgets.outcomes import OutcomeBox
from support.alone import with_screen
from support.screens import painted, settled, title, until

SERVICE = Change(Ref(Resource("v1", "Service"), "postgresql", "shop"), "create", "", "kind: Service")
ROWS = [("✗", "no space left on device")]


def viewed(scenario: Callable[[Pilot[int], ApplyView], Awaitable[None]]) -> None:
    """Play the scenario on a view of a run that has just begun."""

    async def main(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        view = ApplyView(["survey", "apply", "first backup"], "postgresql")
        await screen.mount(view)
        view.restart()
        view.show_prompt("Reading the cluster.")
        await settled(pilot)
        await scenario(pilot, view)

    with_screen(main)


def test_a_run_begins_with_its_stages_and_what_can_be_done_now() -> None:
    async def scenario(pilot: Pilot[int], _: ApplyView) -> None:
        for line in ("· survey", "· apply", "· first backup", "Reading the cluster."):
            assert line in painted(pilot)

    viewed(scenario)


def test_after_the_approval_the_log_takes_its_place() -> None:
    async def scenario(pilot: Pilot[int], view: ApplyView) -> None:
        approval, log = view.query_one(Approval), view.query_one(Log)
        asking = asyncio.create_task(view.ask([SERVICE]))
        await until(pilot, lambda: "Service" in painted(approval))
        assert (log.display, asking.done()) == (False, False)
        approval.approve()
        await asking
        await settled(pilot)
        assert (approval.display, log.display, view.screen.focused) == (False, True, log)

    viewed(scenario)


def test_log_lines_and_the_progress_of_long_waits_go_to_the_log() -> None:
    async def scenario(pilot: Pilot[int], view: ApplyView) -> None:
        log = view.query_one(Log)
        log.display = True
        view.take(Event("survey", "progress", "not in the log"))
        view.take(Event("first backup", "progress", "50 % of the files are stored"))
        assert title(log) in ("", "progress")
        view.take(Event("first backup", "log", "P00 INFO\x1b[2J"))
        await settled(pilot)
        assert painted(log).split("\n")[:2] == ["· 50 % of the files are stored", r"P00 INFO\x1b[2J"]
        assert title(log).startswith("log")

    viewed(scenario)


def test_stages_follow_the_events() -> None:
    async def scenario(pilot: Pilot[int], view: ApplyView) -> None:
        view.take(Event("survey", "began"))
        view.take(Event("survey", "done", "prod, namespace shop", 0.5))
        view.take(Event("apply", "began"))
        await settled(pilot)
        assert "✓ survey" in painted(pilot)
        assert "● apply" in painted(pilot)

    viewed(scenario)


def test_a_run_that_failed_before_it_wrote_shows_its_outcome_alone() -> None:
    async def scenario(pilot: Pilot[int], view: ApplyView) -> None:
        view.take(Event("survey", "began"))
        view.take(Event("survey", "failed", "refused", 0.5))
        view.end("failed", ROWS, has_log=False)
        view.show_prompt("Press r to try again.")
        await settled(pilot)
        assert "no space left on device" in painted(pilot)
        assert "✗ survey" in painted(pilot)
        box, approval, log = view.query_one(OutcomeBox), view.query_one(Approval), view.query_one(Log)
        assert (approval.display, log.display, view.screen.focused) == (False, False, box)

    viewed(scenario)


def test_a_run_that_begins_again_shows_nothing_of_the_one_before() -> None:
    async def scenario(pilot: Pilot[int], view: ApplyView) -> None:
        view.take(Event("survey", "began"))
        view.write_log("a line of the first run")
        view.end("failed", ROWS, has_log=True)
        view.restart()
        view.show_prompt("Reading the cluster.")
        await settled(pilot)
        assert "· survey" in painted(pilot)
        assert "no space left" not in painted(pilot)
        assert "a line of the first run" not in painted(pilot)
        assert view.query_one(Approval).display

    viewed(scenario)
