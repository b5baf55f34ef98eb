"""Unsaved answers on disk while they are given, and those that ended wizards left behind.

Where and how a draft is written is the store's (``local.autosave``); when, and what of it, is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pgwizard.tui.background import StartJob
from pgwizard.wizard.draft import without_secrets, worth_keeping

if TYPE_CHECKING:
    from pgwizard.tui.start import DraftStore, LeftDraft

DELAY_SECONDS = 0.3
"""The delay between an answer and its write, so that fast typing is written once."""
FAILURE_TEXT = "autosave failed: the answers are not on disk. Ctrl+S saves them"


class Autosave:
    """raw: the answers now, as nested keys of the file; make: the store, blocking, or None to keep nothing.

    warn: called once when answers cannot be written.
    """

    def __init__(
        self,
        make: Callable[[], DraftStore] | None,
        run: StartJob,
        raw: Callable[[], dict[str, Any]],
        warn: Callable[[str], None],
    ) -> None:
        self._make, self._run, self._raw, self._warn = make, run, raw, warn
        self._store: DraftStore | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()
        self._has_failed = False
        self._newest = self._newest_written = 0
        """Numbers of answers. The end of the wizard may cancel a pending write."""

    async def open(self) -> None:
        """Make the store."""
        if self._make is not None:
            self._store = await asyncio.to_thread(self._make)

    @property
    def is_open(self) -> bool:
        """Whether answers are kept."""
        return self._store is not None

    async def left_drafts(self) -> list[LeftDraft]:
        """The drafts of wizards that have ended, the newest first."""
        return await asyncio.to_thread(self._store.find_abandoned) if self._store is not None else []

    async def drop(self, draft: LeftDraft) -> None:
        """Delete a draft of another wizard."""
        if self._store is not None:
            await asyncio.to_thread(self._store.drop, draft)

    def keep(self) -> None:
        """Write the answers soon."""
        self._stop()
        self._newest += 1
        self._timer = asyncio.get_running_loop().call_later(DELAY_SECONDS, lambda: self._run(self._write))

    def forget(self) -> None:
        """Delete the draft: the answers are saved or applied."""
        self._stop()
        self._newest_written = self._newest
        self._run(self._delete)

    def close(self) -> None:
        """Write the last answers, and leave them to the next wizard. Blocking."""
        if self._store is None:
            return
        self._stop()
        if self._newest_written != self._newest and worth_keeping(self._raw()):
            self._store.keep(without_secrets(self._raw()))
        self._store.close()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _write(self) -> None:
        self._timer, number = None, self._newest
        raw = without_secrets(self._raw())  # a copy: a thread writes it while the next answer is given
        async with self._turn:
            if self._store is None:
                return
            if not worth_keeping(raw):
                await asyncio.to_thread(self._store.drop)
                self._newest_written = number
                return
            is_written = await asyncio.to_thread(self._store.keep, raw)
            self._newest_written = number
        if not is_written and not self._has_failed:
            self._warn(FAILURE_TEXT)
        self._has_failed = not is_written

    async def _delete(self) -> None:
        async with self._turn:
            if self._store is not None:
                await asyncio.to_thread(self._store.drop)
