"""Answers are on disk a moment after they were given, until they are saved, applied or left to the next wizard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pgwizard.tui.autosave import DELAY_SECONDS, FAILURE_TEXT, Autosave
from support import simtime

SIZE = {"storage": {"size": "77Gi"}}


class Store:
    """A disk that notes what is done to it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.is_full = False

    def find_abandoned(self) -> list[Any]:
        return []

    def keep(self, raw: dict[str, Any]) -> bool:
        self.calls.append(("keep", raw))
        return not self.is_full

    def drop(self, left: Any = None) -> None:
        self.calls.append(("drop", left))

    def close(self) -> None:
        self.calls.append(("close", None))


class Kept:
    """An autosave, its store, the answers that it keeps, and its warnings."""

    def __init__(self) -> None:
        self.store = Store()
        self.raw: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.autosave = Autosave(
            lambda: self.store, lambda work: asyncio.create_task(work()), lambda: self.raw, self.warnings.append
        )


def kept(scenario: Callable[[Kept], Awaitable[None]]) -> None:
    async def main() -> None:
        one = Kept()
        await one.autosave.open()
        await scenario(one)

    simtime.run(main())


def test_fast_typing_is_saved_once() -> None:
    async def scenario(one: Kept) -> None:
        for size in ("7", "77", "77Gi"):
            one.raw = {"storage": {"size": size}}
            one.autosave.keep()
            await asyncio.sleep(DELAY_SECONDS / 2)
        assert one.store.calls == []
        await asyncio.sleep(DELAY_SECONDS)
        assert one.store.calls == [("keep", SIZE)]

    kept(scenario)


def test_secret_options_are_not_written() -> None:
    async def scenario(one: Kept) -> None:
        one.raw = {**SIZE, "advanced": {"options": {"repo1-s3-key": "AKIA", "delta": "y"}}}
        one.autosave.keep()
        await asyncio.sleep(2 * DELAY_SECONDS)
        assert one.store.calls == [("keep", {**SIZE, "advanced": {"options": {"delta": "y"}}})]

    kept(scenario)


def test_answers_that_are_all_defaults_again_leave_no_draft() -> None:
    async def scenario(one: Kept) -> None:
        one.autosave.keep()
        await asyncio.sleep(2 * DELAY_SECONDS)
        assert one.store.calls == [("drop", None)]

    kept(scenario)


def test_saved_answers_are_forgotten_and_not_written_again() -> None:
    async def scenario(one: Kept) -> None:
        one.raw = SIZE
        one.autosave.keep()
        one.autosave.forget()
        await asyncio.sleep(2 * DELAY_SECONDS)
        assert one.store.calls == [("drop", None)]

    kept(scenario)


def test_the_end_of_the_wizard_writes_the_answer_of_the_last_moment() -> None:
    async def scenario(one: Kept) -> None:
        one.raw = SIZE
        one.autosave.keep()
        one.autosave.close()
        await asyncio.sleep(2 * DELAY_SECONDS)
        assert one.store.calls == [("keep", SIZE), ("close", None)]

    kept(scenario)


def test_the_end_of_the_wizard_writes_what_a_busy_machine_has_not_written_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait_for_a_thread(*_: Any) -> None:
        await asyncio.Event().wait()

    async def scenario(one: Kept) -> None:
        monkeypatch.setattr(asyncio, "to_thread", wait_for_a_thread)
        one.raw = SIZE
        one.autosave.keep()
        await asyncio.sleep(2 * DELAY_SECONDS)
        (write,) = (task for task in asyncio.all_tasks() if "Autosave._write" in repr(task))
        write.cancel()
        one.autosave.close()
        assert one.store.calls == [("keep", SIZE), ("close", None)]
        await asyncio.gather(write, return_exceptions=True)

    kept(scenario)


def test_the_end_of_the_wizard_does_not_bring_back_forgotten_answers() -> None:
    async def scenario(one: Kept) -> None:
        one.raw = SIZE
        one.autosave.forget()
        await asyncio.sleep(2 * DELAY_SECONDS)
        one.autosave.close()
        assert one.store.calls == [("drop", None), ("close", None)]

    kept(scenario)


def test_a_disk_that_is_full_warns_once_until_it_can_be_written_again() -> None:
    async def answered(one: Kept) -> None:
        one.autosave.keep()
        await asyncio.sleep(2 * DELAY_SECONDS)

    async def scenario(one: Kept) -> None:
        one.raw, one.store.is_full = SIZE, True
        await answered(one)
        await answered(one)
        assert one.warnings == [FAILURE_TEXT]
        one.store.is_full = False
        await answered(one)
        one.store.is_full = True
        await answered(one)
        assert one.warnings == [FAILURE_TEXT, FAILURE_TEXT]

    kept(scenario)


@pytest.mark.parametrize("end", ["forget", "close"])
def test_without_a_store_nothing_is_kept_and_nothing_fails(end: str) -> None:
    async def main() -> None:
        warnings: list[str] = []
        autosave = Autosave(None, lambda work: asyncio.create_task(work()), lambda: SIZE, warnings.append)
        await autosave.open()
        autosave.keep()
        await asyncio.sleep(2 * DELAY_SECONDS)
        getattr(autosave, end)()
        await asyncio.sleep(0)
        assert not autosave.is_open
        assert await autosave.left_drafts() == []
        assert warnings == []

    simtime.run(main())
