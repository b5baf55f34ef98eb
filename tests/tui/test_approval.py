"""The approval of an apply, without an apply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from pgwizard.kube.api import Ref, Resource
from pgwizard.release.changes import Change
from pgwizard.release.report import progress_text
from pgwizard.tui.widgets.approval import ASKS, Approval
from support import simtime
from support.screens import opened, painted, press, settled

SERVICE = Change(Ref(Resource("v1", "Service"), "postgresql", "shop"), "create", "", "kind: Service")
CONFIG = Change(Ref(Resource("v1", "ConfigMap"), "postgresql-config", "shop"), "update", "a: 1", "a: 2")
JOB = Change(Ref(Resource("batch/v1", "Job"), "postgresql-pgbackrest-init", "shop"), "create")
CRON = Change(Ref(Resource("batch/v1", "CronJob"), "postgresql-pgbackrest-incr", "shop"), "delete")


class Alone(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.prompts: list[str] = []

    def compose(self) -> ComposeResult:
        yield Approval("postgresql")

    def on_approval_prompted(self, event: Approval.Prompted) -> None:
        self.prompts.append(event.text)


class Waiting:
    """An approval that is waited for."""

    def __init__(self, pilot: Pilot[None], changes: Sequence[Change]) -> None:
        self.pilot = pilot
        self.approval = pilot.app.query_one(Approval)
        self.approval.restart()
        self.answer = asyncio.create_task(self.approval.ask(changes))

    @property
    def prompt(self) -> str:
        assert isinstance(self.pilot.app, Alone)
        return self.pilot.app.prompts[-1]

    async def approve(self) -> bool:
        """Whether that was enough."""
        self.approval.approve()
        await settled(self.pilot)
        return self.answer.done()


def with_approval(scenario: Callable[[Waiting], Awaitable[None]], *changes: Change) -> None:
    async def main() -> None:
        async with opened(Alone(), size=(100, 20)) as pilot:
            asking = Waiting(pilot, changes)
            await settled(pilot)
            await scenario(asking)
            asking.answer.cancel()

    simtime.run(main())


def test_changes_without_loss_need_one_confirmation() -> None:
    async def scenario(asking: Waiting) -> None:
        assert asking.prompt == ASKS
        assert asking.approval.is_waiting
        assert "1 to create, 1 to update" in painted(asking.pilot)
        assert await asking.approve()
        assert await asking.answer
        assert not asking.approval.is_waiting

    with_approval(scenario, SERVICE, CONFIG)


def test_a_deletion_needs_the_name_of_the_release() -> None:
    async def scenario(asking: Waiting) -> None:
        assert "these backups are no longer taken" in painted(asking.pilot)
        assert not await asking.approve()
        assert asking.prompt == "To delete 1 object, type the release's name, postgresql, and press Enter."
        await press(asking.pilot, *"other", "enter")
        assert not asking.answer.done()
        assert asking.approval.take_back()
        await settled(asking.pilot)
        assert asking.prompt == ASKS
        assert not asking.approval.take_back()
        await asking.approve()
        await press(asking.pilot, *"postgresql", "enter")
        assert asking.answer.done()

    with_approval(scenario, SERVICE, CRON)


@pytest.mark.parametrize(
    ("changes", "begun", "complete", "text"),
    [
        ([SERVICE, CONFIG], [], False, "0 of 2 objects"),
        ([SERVICE, CONFIG], [SERVICE], False, "0 of 2 objects; Service shop/postgresql was in progress"),
        ([SERVICE, CONFIG], [SERVICE, CONFIG], True, "2 of 2 objects"),
        (
            [SERVICE, CONFIG, JOB],
            [SERVICE, CONFIG],
            True,
            "2 of 2 objects (the Job of the first backup not counted)",
        ),
        ([JOB], [], False, "nothing: every object is up to date"),
    ],
)
def test_the_writes_of_an_unfinished_apply_are_counted(
    changes: list[Change], begun: list[Change], complete: bool, text: str
) -> None:
    assert progress_text(changes, begun, complete=complete) == text
