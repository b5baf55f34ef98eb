"""The draft of one release in a wizard: it may begin with the answers of another one, and ends once it is applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pgwizard.plan.names import ReleaseRef
from pgwizard.tui.autosave import Autosave
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.left_drafts import LeftDrafts
from pgwizard.tui.navigation import Applied
from pgwizard.tui.pages.frame import Frame
from pgwizard.wizard.draft import dump, without_defaults, worth_keeping


class Drafting:
    """release: the one that is being changed, None for a new one.

    on_replace: called after other answers have taken the place of these.
    """

    def __init__(
        self,
        screen: BaseScreen[Any],
        frame: Frame,
        autosave: Autosave,
        release: ReleaseRef | None,
        on_replace: Callable[[], None],
    ) -> None:
        self._frame, self._pages, self._autosave, self._on_replace = frame, frame.pages, autosave, on_replace
        self._left_drafts = LeftDrafts(screen, autosave, self._restore)
        self.release = release

    async def open(self, *, offer: bool) -> None:
        """Keep the answers from now on. offer: whether drafts that other wizards left are offered first."""
        await self._autosave.open()
        if offer:
            await self._left_drafts.offer(self.release, has_answers=lambda: worth_keeping(self._pages.draft.raw))

    async def follow_apply(self, message: Applied) -> None:
        """Applied answers are no draft any more, here or in a wizard that changes the same release."""
        if not message.complete:
            return
        release = ReleaseRef.of(message.answers)
        if self._pages.draft.answers == message.answers:
            self.release = release
            self._autosave.forget()
        elif self.release == release:
            self._autosave.forget()
            await self._replace(without_defaults(dump(message.answers)), self._pages.page)
        self._pages.reload()

    async def _restore(self, raw: dict[str, Any]) -> None:
        await self._replace(raw, self._pages.order.names[1])
        self._autosave.keep()

    async def _replace(self, raw: dict[str, Any], page: str) -> None:
        await self._pages.replace(raw)
        await self._frame.go(page)
        self._on_replace()
