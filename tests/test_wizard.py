"""The wizard, driven by a pilot: pages from the models, problems in place, the same answers as a file gives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import cast

from textual.pilot import Pilot
from textual.widgets import Input

from pgwizard import answersfile, manifests
from pgwizard.demo import SimCluster
from pgwizard.draft import Draft, pages
from pgwizard.kubeapi import Cluster
from pgwizard.plan import resolve
from pgwizard.tui.app import Start, WizardApp
from pgwizard.tui.apply import Apply
from pgwizard.tui.form import Choice, Row
from pgwizard.tui.wizard import Wizard

Scenario = Callable[[Pilot[int], Wizard, dict[str, str]], Awaitable[None]]


def driven(scenario: Scenario, size: tuple[int, int] = (120, 40)) -> None:
    """Open the wizard on a simulated cluster, wait until it has read the certificate, and play the scenario."""
    saved: dict[str, str] = {}

    async def connect(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(SimCluster(speed=50))

    async def main() -> None:
        app = WizardApp(Start(connect, saved.__setitem__, demo=True))
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: isinstance(app.screen, Wizard) and not app.screen.draft.problems)
            await scenario(pilot, cast("Wizard", app.screen), saved)

    asyncio.run(main())


async def until(pilot: Pilot[int], reached: Callable[[], bool]) -> None:
    """Let the application run until something holds; a minute at most."""
    async with asyncio.timeout(60):
        while not reached():
            await pilot.pause(0.02)


def row(wizard: Wizard, path: str) -> Row:
    """The row of a question on the page that is shown."""
    return next(found for found in wizard.query(Row) if ".".join(found.path) == path)


def test_every_question_page_comes_from_the_models() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        assert wizard.order == [*pages(), "Review"]
        for page in wizard.order[:-1]:
            await wizard.go(page)
            assert wizard.query(f"#page-{page} Row")

    driven(scenario)


def test_a_wrong_answer_is_said_at_its_question_and_in_the_rail() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Storage")
        size = row(wizard, "storage.size")
        cast("Input", size.control).value = "20GB"
        await pilot.pause()
        assert wizard.draft.said_of(("storage", "size")) == "'20GB' is not a size: did you mean 20Gi?"
        assert size.has_class("wrong")
        await wizard.go("Tuning")
        assert ("!", "Storage") in wizard.query_one("#rail").entries  # type: ignore[attr-defined]

    driven(scenario)


def test_another_alternative_brings_its_own_questions_and_gives_the_old_ones_back() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Repository")
        choice = cast("Choice", row(wizard, "repository.credentials").control)
        choice.focus()
        await pilot.press("right")
        await pilot.pause()
        cast("Input", row(wizard, "repository.credentials.accessKey").control).value = "S3_ACCESS_KEY"
        cast("Input", row(wizard, "repository.credentials.secretKey").control).value = "S3_SECRET_KEY"
        await pilot.pause()
        given = {"from": "env", "accessKey": "S3_ACCESS_KEY", "secretKey": "S3_SECRET_KEY"}
        assert wizard.draft.raw == {"repository": {"credentials": given}}
        await pilot.press("left")
        await pilot.pause()
        assert wizard.draft.answers.repository.credentials.source == "existing"
        await pilot.press("right")
        await pilot.pause()
        assert wizard.draft.raw == {"repository": {"credentials": given}}

    driven(scenario)


def test_saved_answers_give_the_same_bytes_as_the_wizard() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, saved: dict[str, str]) -> None:
        await wizard.go("Tuning")
        cast("Input", row(wizard, "tuning.memory").control).value = "4Gi"
        cast("Input", row(wizard, "tuning.parameters").control).value = "work_mem=16MB; log_min_duration_statement=250"
        await wizard.go("Storage")
        cast("Input", row(wizard, "storage.size").control).value = "50Gi"
        await pilot.pause()
        await pilot.press("ctrl+s")
        loaded = answersfile.load(saved["answers.yaml"].encode())
        assert loaded.problems == ()
        assert loaded.answers == wizard.draft.answers
        shown = manifests.render(resolve(wizard.draft.answers, wizard.draft.facts))
        assert loaded.answers is not None
        assert manifests.render(resolve(loaded.answers, wizard.draft.facts)) == shown

    driven(scenario)


def test_from_the_first_page_to_a_valid_backup_by_keyboard_alone() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(pilot.app.screen, Apply))
        screen = cast("Apply", pilot.app.screen)
        await until(pilot, lambda: screen.asked)
        await pilot.press("y")
        await until(pilot, lambda: screen.outcome is not None)
        assert screen.outcome is not None
        assert screen.outcome.result == "deployed"
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is wizard)

    driven(scenario)


def test_nothing_is_applied_while_something_is_wrong() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        wizard.draft.give(("storage", "size"), "10 Gi")
        await pilot.press("f9")
        await until(pilot, lambda: wizard.page == "Review")
        assert pilot.app.screen is wizard

    driven(scenario)


def test_a_default_that_is_given_again_is_forgotten() -> None:
    draft = Draft()
    draft.give(("storage", "size"), "20Gi")
    assert draft.text() == "storage:\n  size: 20Gi\n"
    draft.give(("storage", "size"), "10Gi")
    assert draft.text() == "{}\n"


def test_a_number_in_the_place_of_text_stays_text_in_the_file() -> None:
    draft = Draft()
    draft.give(("release", "database"), "no")
    draft.give(("repository", "credentials", "secret"), "123")
    loaded = answersfile.load(draft.text().encode())
    assert loaded.answers == draft.answers
