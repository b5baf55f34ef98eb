"""Drafts that ended wizards left: offered one after the other, restored, deleted or kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from textual.pilot import Pilot

from pgwizard.plan.names import ReleaseRef
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.left_drafts import LeftDrafts
from support.alone import with_screen
from support.screens import notices, painted, press, settled


@dataclass
class Draft:
    """A draft on a disk, as far as the offer needs it."""

    name: str
    raw: dict[str, Any]
    at: datetime = datetime(2026, 11, 23, tzinfo=UTC)


def draft(name: str, **sections: Any) -> Draft:
    return Draft(name, {"release": {"namespace": "shop", "name": name}, **sections})


class Store:
    """The drafts that are left, and which were deleted."""

    def __init__(self, *drafts: Draft) -> None:
        self.drafts = list(drafts)
        self.deleted: list[str] = []

    async def left_drafts(self) -> list[Any]:
        return self.drafts

    async def drop(self, draft: Draft) -> None:
        self.deleted.append(draft.name)


def offered(
    store: Store,
    scenario: Callable[[Pilot[int], list[dict[str, Any]]], Awaitable[None]],
    release: ReleaseRef | None = None,
    *,
    has_answers: bool = False,
) -> None:
    async def main(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        restored: list[dict[str, Any]] = []

        async def restore(raw: dict[str, Any]) -> None:
            restored.append(raw)

        autosave: Any = store
        await LeftDrafts(screen, autosave, restore).offer(release, has_answers=lambda: has_answers)
        await settled(pilot)
        await scenario(pilot, restored)

    with_screen(main)


def test_enter_restores_the_newest_draft_and_deletes_its_file() -> None:
    store = Store(draft("newest", storage={"size": "77Gi"}), draft("older"))

    async def scenario(pilot: Pilot[int], restored: list[dict[str, Any]]) -> None:
        assert "Unsaved answers for shop/newest" in painted(pilot)
        assert "3 differ from the defaults · 1 older draft" in painted(pilot)
        await press(pilot, "enter")
        assert restored == [store.drafts[0].raw]
        assert store.deleted == ["newest"]
        assert "Unsaved answers" not in painted(pilot)

    offered(store, scenario)


def test_esc_keeps_a_draft_and_offers_the_next_older_one() -> None:
    store = Store(draft("newest"), draft("older"), draft("oldest"))

    async def scenario(pilot: Pilot[int], restored: list[dict[str, Any]]) -> None:
        assert "2 older drafts" in painted(pilot)
        await press(pilot, "escape")
        assert "Unsaved answers for shop/older" in painted(pilot)
        await press(pilot, "escape", "escape")
        assert "Unsaved answers" not in painted(pilot)
        assert (restored, store.deleted) == ([], [])

    offered(store, scenario)


def test_f8_deletes_a_draft_at_the_second_press_only() -> None:
    store = Store(draft("newest"), draft("older"))

    async def scenario(pilot: Pilot[int], restored: list[dict[str, Any]]) -> None:
        await press(pilot, "f8")
        assert store.deleted == []
        assert notices(pilot) == ["Press F8 again to delete permanently"]
        await press(pilot, "f8")
        assert store.deleted == ["newest"]
        assert "Unsaved answers for shop/older" in painted(pilot)
        assert restored == []

    offered(store, scenario)


def test_a_release_that_is_being_changed_is_offered_its_own_drafts_only() -> None:
    store = Store(draft("other"), draft("mine"))

    async def scenario(pilot: Pilot[int], _: list[dict[str, Any]]) -> None:
        assert "Unsaved answers for shop/mine" in painted(pilot)
        assert "older" not in painted(pilot)

    offered(store, scenario, ReleaseRef("shop", "mine"), has_answers=True)


def test_nothing_is_offered_over_answers_of_a_new_release() -> None:
    async def scenario(pilot: Pilot[int], _: list[dict[str, Any]]) -> None:
        assert "Unsaved answers" not in painted(pilot)

    offered(Store(draft("newest")), scenario, has_answers=True)


def test_without_drafts_no_question_is_shown() -> None:
    async def scenario(pilot: Pilot[int], _: list[dict[str, Any]]) -> None:
        assert "Unsaved answers" not in painted(pilot)

    offered(Store(), scenario)
