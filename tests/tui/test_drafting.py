"""The answers as a draft: restored from what an ended wizard left, replaced by what was applied above it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot

from pgwizard.clock import utc_now
from pgwizard.plan.names import ReleaseRef
from pgwizard.tui.autosave import Autosave
from pgwizard.tui.drafting import Drafting
from pgwizard.tui.navigation import Applied
from pgwizard.tui.screens.wizard import Wizard
from support.faulting import answers_of
from support.screens import painted, press, settled
from support.wizards import with_wizard

SHOP_DB = ReleaseRef("shop", "db")


class Keeper(Autosave):
    """Notes what is to be kept and forgotten, and keeps nothing."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def open(self) -> None:
        self.calls.append("open")

    async def left_drafts(self) -> list[Any]:
        return []

    def keep(self) -> None:
        self.calls.append("keep")

    def forget(self) -> None:
        self.calls.append("forget")


class Drafted:
    """The draft of a wizard, the calls of its autosave, and how often other answers took the place of its own."""

    def __init__(self, wizard: Wizard, release: ReleaseRef | None) -> None:
        self.keeper, self.changes = Keeper(), 0
        self.drafting = Drafting(wizard, wizard.frame, self.keeper, release, self._change)

    def _change(self) -> None:
        self.changes += 1


def drafted(
    scenario: Callable[[Pilot[int], Wizard, Drafted], Awaitable[None]], release: ReleaseRef | None = None
) -> None:
    async def main(pilot: Pilot[int], wizard: Wizard) -> None:
        await scenario(pilot, wizard, Drafted(wizard, release))

    with_wizard(main)


def applied(*, complete: bool = True, **sections: Any) -> Applied:
    return Applied(answers_of(release={"namespace": "shop", "name": "db"}, **sections), complete)


def test_answers_that_were_applied_are_no_draft_any_more_but_those_of_a_release() -> None:
    async def scenario(_: Pilot[int], wizard: Wizard, one: Drafted) -> None:
        await one.drafting.follow_apply(Applied(wizard.draft.answers, complete=True))
        assert one.drafting.release == ReleaseRef.of(wizard.draft.answers)
        assert one.keeper.calls == ["forget"]
        assert one.changes == 0

    drafted(scenario)


def test_an_apply_that_only_began_changes_nothing() -> None:
    async def scenario(_: Pilot[int], wizard: Wizard, one: Drafted) -> None:
        await one.drafting.follow_apply(Applied(wizard.draft.answers, complete=False))
        assert one.drafting.release is None
        assert one.keeper.calls == []

    drafted(scenario)


def test_what_was_applied_to_the_release_takes_the_place_of_its_older_answers() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, one: Drafted) -> None:
        await wizard.go("Storage")
        await one.drafting.follow_apply(applied(storage={"size": "77Gi"}))
        await settled(pilot)
        assert "77Gi" in painted(pilot)
        assert wizard.draft.raw == {"release": {"namespace": "shop", "name": "db"}, "storage": {"size": "77Gi"}}
        assert one.keeper.calls == ["forget"]
        assert one.changes == 1

    drafted(scenario, SHOP_DB)


def test_what_was_applied_to_another_release_leaves_the_answers_alone() -> None:
    async def scenario(_: Pilot[int], wizard: Wizard, one: Drafted) -> None:
        before = wizard.draft.answers
        await one.drafting.follow_apply(applied(storage={"size": "77Gi"}))
        assert wizard.draft.answers == before
        assert one.keeper.calls == []

    drafted(scenario, ReleaseRef("shop", "another"))


def test_a_left_draft_that_is_restored_is_shown_from_its_first_question_and_kept() -> None:
    raw = {"release": {"namespace": "shop", "name": "left"}}

    class Left:
        def __init__(self) -> None:
            self.raw = raw
            self.at = utc_now()

    class Leaving(Keeper):
        async def left_drafts(self) -> list[Any]:
            return [Left()]

        async def drop(self, draft: Any) -> None:
            self.calls.append(f"drop {draft.raw['release']['name']}")

    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        one, changes = Leaving(), []
        drafting = Drafting(wizard, wizard.frame, one, None, lambda: changes.append("changed"))
        await drafting.open(offer=True)
        await settled(pilot)
        assert "Unsaved answers for shop/left" in painted(pilot)
        await press(pilot, "enter")
        assert wizard.page == "Release"
        assert wizard.draft.raw == raw
        assert one.calls == ["open", "keep", "drop left"]
        assert changes == ["changed"]

    with_wizard(scenario)


def test_drafts_are_not_offered_where_they_are_not_wanted() -> None:
    async def scenario(pilot: Pilot[int], _: Wizard, one: Drafted) -> None:
        await one.drafting.open(offer=False)
        await settled(pilot)
        assert "Unsaved answers" not in painted(pilot)
        assert one.keeper.calls == ["open"]

    drafted(scenario)
