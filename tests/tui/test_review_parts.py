"""The parts of the review by themselves: the prompt, the search through objects, the sections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from pgwizard.errors import Finding
from pgwizard.plan.plan import Facts
from pgwizard.tui.widgets.folds import Fold, Folds
from pgwizard.tui.widgets.review_parts import AnswersTable, FoldSearch, Jump, ProblemList, Prompt
from pgwizard.tui.widgets.review_sections import ManifestFolds, counts
from pgwizard.wizard.draft import Draft
from support import simtime
from support.headless import trusted
from support.screens import opened, press
from tui.test_folds import lines


class Parts(App[None]):
    """A prompt above the part that is tested. messages: what it reports."""

    def __init__(self, part: Folds | ProblemList) -> None:
        super().__init__()
        self.part, self.prompt, self.messages = part, Prompt(), list[str]()
        folds = part if isinstance(part, Folds) else None
        self.search = FoldSearch(self.prompt, lambda: folds, self.messages.append)

    def compose(self) -> ComposeResult:
        yield self.prompt
        yield self.part

    def on_prompt_closed(self, event: Prompt.Closed) -> None:
        self.messages.append("cancelled" if event.is_cancelled else "closed")

    def on_jump(self, event: Jump) -> None:
        self.messages.append(event.path)


def played(part: Folds | ProblemList, scenario: Callable[[Pilot[Any], Parts], Awaitable[None]]) -> None:
    async def main() -> None:
        app = Parts(part)
        async with opened(app) as pilot:
            await scenario(pilot, app)

    simtime.run(main())


def test_a_search_follows_what_is_typed_and_ends_with_enter() -> None:
    async def scenario(pilot: Pilot[Any], app: Parts) -> None:
        folds = app.part
        assert isinstance(folds, Folds)
        folds.show([Fold("one", ("a", "bb")), Fold("two", ("bb",))])
        app.search.ask()
        await press(pilot, "b", "b", "enter")
        app.search.step(1)
        app.search.step(-1)
        assert app.messages == [
            "'b': 1 of 2",
            "'bb': 1 of 2",
            "'bb': 1 of 2 · n: next, N: previous",
            "closed",
            "'bb': 2 of 2",
            "'bb': 1 of 2",
        ]

    played(Folds(), scenario)


def test_a_section_without_objects_is_not_searched() -> None:
    async def scenario(pilot: Pilot[Any], app: Parts) -> None:
        app.search.ask()
        await press(pilot, "x", "enter")
        app.search.step(1)
        assert app.messages == ["closed"]

    played(ProblemList(), scenario)


def test_a_prompt_that_esc_closes_passes_nothing_on() -> None:
    async def scenario(pilot: Pilot[Any], app: Parts) -> None:
        app.prompt.ask("folder", "manifests", app.messages.append)
        await press(pilot, "x", "escape")
        assert not app.prompt.display
        assert app.messages == ["cancelled"]
        app.prompt.ask("folder", "manifests", app.messages.append)
        await press(pilot, "x", "enter")
        assert app.messages == ["cancelled", "x", "closed"]

    played(ProblemList(), scenario)


def test_enter_on_a_problem_goes_to_its_question() -> None:
    async def scenario(pilot: Pilot[Any], app: Parts) -> None:
        draft = Draft({}, Facts(ca=trusted()))
        draft.learn(draft.facts, (Finding("storage.size", "too small"), Finding("tls.source", "gone")))
        problems = app.part
        assert isinstance(problems, ProblemList)
        problems.show(draft)
        problems.focus()
        await press(pilot, "down", "enter")
        assert app.messages == ["tls.source"]

    played(ProblemList(), scenario)


def test_manifests_stay_unfolded_until_the_answers_are_others() -> None:
    async def scenario(_: Pilot[Any], app: Parts) -> None:
        shown, draft = app.part, Draft({}, Facts(ca=trusted()))
        assert isinstance(shown, ManifestFolds)
        shown.follow(draft)
        shown.action_unfold()
        shown.follow(draft)
        assert shown.open == {0}
        draft.give(("storage", "size"), "20Gi")
        shown.follow(draft)
        assert shown.open == set()
        draft.give(("storage", "size"), "10 Gi")
        shown.follow(draft)
        assert lines(shown) == ["›   The manifests appear here once there are no problems."]

    played(ManifestFolds(), scenario)


def test_counts_name_problems_and_warnings_by_their_signs() -> None:
    draft = Draft({}, Facts(ca=trusted()))
    assert counts(draft) == ""
    draft.learn(draft.facts, (Finding("storage.size", "too small"),), (Finding("tls.source", "soon"),))
    assert counts(draft) == " 1✗ 1!"


def test_answers_that_are_filled_while_hidden_take_the_whole_width_once_they_are_shown() -> None:
    class Host(App[None]):
        def compose(self) -> ComposeResult:
            yield AnswersTable()

    async def main() -> None:
        async with opened(Host(), (80, 24)) as pilot:
            answers = pilot.app.query_one(AnswersTable)
            answers.display = False
            await pilot.pause()
            answers.show(Draft())
            answers.display = True
            await pilot.pause()
            assert 60 < sum(column.width for column in answers.columns.values()) <= 80

    simtime.run(main())
