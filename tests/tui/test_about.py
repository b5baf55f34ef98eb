"""The line below a page, about the question in focus."""

from __future__ import annotations

from textual.pilot import Pilot

from pgwizard.answers.questions import Question
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.pages.about import AboutLine
from pgwizard.tui.pages.question import QuestionRow
from pgwizard.tui.widgets.text_line import TextLine
from support.alone import with_screen
from support.screens import painted, settled


def line(number: int, help_text: str = "Its help.") -> QuestionRow:
    return QuestionRow(("a", str(number)), Question(f"Question {number}", help_text), TextLine(""), f"default {number}")


def test_the_line_is_about_the_question_that_it_was_turned_to() -> None:
    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        first, second, about = line(1), line(2), AboutLine()
        await screen.mount(first, second, about)
        about.turn_to(first)
        await settled(pilot)
        assert painted(about).strip() == "default: default 1"
        about.turn_to(second)
        await settled(pilot)
        assert painted(about).strip() == "default: default 2"
        about.turn_to(None)
        await settled(pilot)
        assert painted(about).strip() == ""

    with_screen(scenario)


def test_the_help_that_a_problem_replaces_is_shown_below_the_page() -> None:
    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        row, about = line(1), AboutLine()
        await screen.mount(row, about)
        about.turn_to(row)
        row.show("'20GB' is not a size")
        about.follow()
        await settled(pilot)
        assert painted(about).strip() == "Its help. · default: default 1"

    with_screen(scenario)


def test_a_question_that_was_removed_is_shown_no_more_and_gets_no_focus() -> None:
    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        row, about = line(1), AboutLine()
        await screen.mount(row, about)
        about.turn_to(row)
        about.focus_question()
        await settled(pilot)
        assert screen.focused is row.control
        await row.remove()
        about.follow()
        about.focus_question()
        await settled(pilot)
        assert painted(about).strip() == ""
        assert screen.focused is None

    with_screen(scenario)
