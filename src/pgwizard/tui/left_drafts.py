"""Offers the answers that ended wizards left, the newest first, until one is restored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from pgwizard.plan.names import ReleaseRef
from pgwizard.tui.autosave import Autosave
from pgwizard.tui.widgets.dialogs import Offer
from pgwizard.wizard.draft import Draft

if TYPE_CHECKING:
    from pgwizard.tui.start import LeftDraft


class LeftDrafts:
    """restore: called with the answers that were chosen, as nested keys of the file."""

    def __init__(
        self, screen: Screen[Any], autosave: Autosave, restore: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        self._screen, self._autosave, self._restore = screen, autosave, restore

    async def offer(self, release: ReleaseRef | None, *, has_answers: Callable[[], bool]) -> None:
        """release: the one that is being changed: only its own drafts are offered.

        has_answers: whether a new release has answers already; then nothing is offered.
        """
        drafts = await self._autosave.left_drafts()
        if release is not None:
            drafts = [left_draft for left_draft in drafts if _release(left_draft) == release]
        elif has_answers():
            return
        await self._offer(drafts)

    async def _offer(self, drafts: list[LeftDraft]) -> None:
        if not drafts:
            return
        left_draft, *older = drafts
        draft = Draft(left_draft.raw)
        count = sum(1 for _ in draft.non_defaults())
        also = f" · {len(older)} older draft{'s' if len(older) > 1 else ''}" if older else ""
        dialog = Offer(
            f"Unsaved answers for {_release(left_draft)}",
            f"changed {left_draft.at.astimezone():%d %b %H:%M} · {count} differ{'s' if count == 1 else ''} from the "
            f"defaults{also}\nEnter restores them, F8 deletes them, Esc keeps them for later",
        )
        await self._screen.app.push_screen(dialog, lambda choice: self._decide(left_draft, older, choice))

    async def _decide(self, left_draft: LeftDraft, older: list[LeftDraft], choice: bool | None) -> None:
        """choice: True to restore the draft, False to delete it, None to keep it. No worker: the next key waits."""
        if choice is True:
            await self._restore(left_draft.raw)
        if choice is not None:
            await self._autosave.drop(left_draft)
        if choice is not True:
            await self._offer(older)


def _release(left_draft: LeftDraft) -> ReleaseRef:
    return ReleaseRef.of(Draft(left_draft.raw).answers)
