"""The questions of a page as widgets, derived from the models. A question's type alone decides its control.

It validates nothing: problems come from the draft.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, cast, get_args

from pydantic.fields import FieldInfo
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from pgwizard.answers.questions import Question, Section, question_of, sections_in
from pgwizard.answers.schema import NOTHING, QuestionPath, alternatives, field_at, is_optional, tags_of
from pgwizard.tui.pages.choice import Choice
from pgwizard.tui.pages.question import QuestionRow, widget_id
from pgwizard.tui.widgets.text_line import TextLine
from pgwizard.wizard.draft import Draft
from pgwizard.wizard.text_input import read_text, write_text


class Form(VerticalScroll, can_focus=False):
    """The questions of some sections, kept in step with a draft."""

    class Answered(Message):
        """A question has another answer, right or wrong."""

        def __init__(self, path: QuestionPath) -> None:
            super().__init__()
            self.path = path

    class Finished(Message):
        """Enter on the last question: the next page is wanted."""

    class ChoicesWanted(Message):
        """The list of choices of a question is wanted."""

        def __init__(self, path: QuestionPath, question: Question) -> None:
            super().__init__()
            self.path = path
            self.question = question

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f4", "choices", "choose", tooltip="list the choices that the cluster has"),
        Binding("ctrl+r", "default", "default", show=False, tooltip="back to the default of this question"),
        Binding("up", "walk(-1)", "question above", show=False),
        Binding("down", "walk(1)", "question below", show=False),
    ]

    def __init__(self, draft: Draft, sections: Sequence[str]) -> None:
        super().__init__(classes="form")
        self.draft = draft
        self.sections = tuple(sections)
        self._shapes: dict[QuestionPath, str] = {}
        """The alternative of each block whose questions are mounted."""

    def compose(self) -> ComposeResult:
        for name in self.sections:
            yield from self._section((name,))

    def on_mount(self) -> None:
        self.show_problems()  # a draft may begin with some

    def show_problems(self) -> None:
        """Show each problem and warning at its question."""
        for row in self.walk_children(QuestionRow):
            row.show(self.draft.problem_of(row.path), self.draft.warning_of(row.path))

    def _section(self, path: QuestionPath) -> Iterator[Widget]:
        field = field_at(path, self.draft.tag)
        question = question_of(field.metadata) if field else None
        shapes = alternatives(path)
        if field is not None and (len(shapes) > 1 or is_optional(field)):
            title = Question(question.label if question else path[-1].capitalize(), question.help if question else "")
            self._shapes[path] = self.draft.tag(path)
            control = Choice(_words(shapes, field), self._shapes[path], id=widget_id(path))
            yield QuestionRow(path, title, control)
            yield Vertical(*self._questions(path), id=f"in-{widget_id(path)}", classes="nested")
        else:
            yield from self._questions(path)

    def _questions(self, path: QuestionPath) -> Iterator[Widget]:
        tag = self.draft.tag(path)
        shapes = alternatives(path)
        shape = next((section for section in shapes if tag in tags_of(section)), None if tag == NOTHING else shapes[0])
        if shape is None:
            return
        for field in shape.model_fields.values():
            here, question = (*path, str(field.alias)), question_of(field.metadata)
            if sections_in(field.annotation):
                yield from self._section(here)
            elif question is not None:
                default = "" if field.is_required() else write_text(field.get_default(call_default_factory=True))
                yield QuestionRow(here, question, _control(here, field, self.draft.value(here)), default)

    # ---- answers ---------------------------------------------------------------------------------------------------

    async def on_choice_changed(self, event: Choice.Changed) -> None:
        """A closed question, or another alternative of a block."""
        event.stop()
        if self._is_outdated(event.choice, event.value):
            return
        path = _path_of(event.choice)
        if not alternatives(path):
            self.draft.give(path, {"yes": True, "no": False}.get(event.value, event.value))
        elif event.value != self.draft.tag(path):
            self.draft.choose(path, event.value)
            await self._reshape(path)
        self._report_answer(path)

    def _is_outdated(self, control: Choice | Input, value: str) -> bool:
        """Whether a message came too late: its control has another value by now, or was removed with its block."""
        return control.value != value or self not in control.ancestors

    async def _reshape(self, path: QuestionPath) -> None:
        """Mount the questions of the alternative that is chosen, where those of another one are mounted."""
        if self._shapes[path] == self.draft.tag(path):
            return
        container = self.query_one(f"#in-{widget_id(path)}", Vertical)
        if container.has_focus_within:
            self.query_one(f"#{widget_id(path)}", Choice).focus()
        await container.remove_children()
        self._shapes[path] = self.draft.tag(path)
        await container.mount(*self._questions(path))
        self.show_problems()

    def on_input_changed(self, event: Input.Changed) -> None:
        """An open question."""
        event.stop()
        if self._is_outdated(event.input, event.value):
            return
        path = _path_of(event.input)
        field, before = field_at(path, self.draft.tag), self.draft.value(path)
        if field is None or event.value == write_text(before):
            return  # it is shown, not typed: what a person wrote into the file may not fit on a line
        printable = "".join(filter(str.isprintable, event.value))
        if printable != event.value:  # invisible characters come with a paste
            event.input.value = printable
            return
        value = read_text(field, event.value)
        if value != before:
            self.draft.give(path, value)
            self._report_answer(path)

    def _report_answer(self, path: QuestionPath) -> None:
        self.show_problems()
        self.post_message(self.Answered(path))

    def show_answer(self, path: QuestionPath) -> None:
        """Put the draft's answer to a question into its control; of a block, into all of it.

        An answer within a block may have chosen its alternative: then other questions are mounted.
        """
        for row in self.query(QuestionRow):
            within = row.path[: len(path)] == path
            if alternatives(row.path):
                if within or path[: len(row.path)] == row.path:
                    cast("Choice", row.control).value = self.draft.tag(row.path)
                    self.call_later(self._reshape, row.path)  # in turn with the choices that are on their way
            elif within:
                value = self.draft.value(row.path)
                if isinstance(row.control, Input):
                    row.control.value = write_text(value)
                elif isinstance(row.control, Choice):
                    row.control.value = {True: "yes", False: "no"}.get(value, str(value))

    # ---- focus and keys --------------------------------------------------------------------------------------------

    def focus_question(self, path: QuestionPath) -> bool:
        """Focus a question, or the first one of its block. False where it is not on this page."""
        for length in range(len(path), 0, -1):
            for row in self.query(QuestionRow):
                if row.path[:length] == path[:length]:
                    row.control.focus()
                    return True
        return False

    def focus_first(self) -> None:
        """Focus the first question."""
        self.query(QuestionRow).first().control.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._focus_next(event.input)

    def on_choice_submitted(self, event: Choice.Submitted) -> None:
        event.stop()
        self._focus_next(event.choice)

    def _focus_next(self, control: Widget) -> None:
        if not self._focus_beside(control, 1):
            self.post_message(self.Finished())

    def _focus_beside(self, control: Widget, step: int) -> bool:
        """False at the first or the last question."""
        rows = self.walk_children(QuestionRow)
        place = [row.control for row in rows].index(control) + step
        if 0 <= place < len(rows):
            if not self.screen.can_view_entire(rows[place]):  # at once: Textual's way would paint the page twice
                self.screen.scroll_to_center(rows[place], animate=False, immediate=True)
            rows[place].control.focus(scroll_visible=False)
            return True
        return False

    @property
    def _focused_row(self) -> QuestionRow | None:
        widget = self.screen.focused
        rows = (parent for parent in widget.ancestors if isinstance(parent, QuestionRow)) if widget else iter(())
        return next(rows, None)

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """The list is offered only where there is one."""
        if action == "choices":
            row = self._focused_row
            return row is not None and bool(row.question.choices)
        return True

    def action_walk(self, step: int) -> None:
        """The question above or below; its answer stays."""
        if (row := self._focused_row) is not None:
            self._focus_beside(row.control, step)

    def action_choices(self) -> None:
        if (row := self._focused_row) is not None and row.question.choices:
            self.post_message(self.ChoicesWanted(row.path, row.question))

    async def action_default(self) -> None:
        """Forget the answer of the question in focus."""
        if (row := self._focused_row) is not None:
            self.draft.forget(row.path)
            self.show_answer(row.path)
            self._report_answer(row.path)


def _path_of(control: Widget) -> QuestionPath:
    return next(parent for parent in control.ancestors if isinstance(parent, QuestionRow)).path


def _words(shapes: Sequence[type[Section]], field: FieldInfo) -> list[str]:
    """The alternatives of a block."""
    tags = [tag for section in shapes for tag in tags_of(section)]
    return [*tags, NOTHING] if is_optional(field) else tags


def _control(path: QuestionPath, field: FieldInfo, value: Any) -> Widget:
    """The control that a question's type asks for."""
    choices = get_args(field.annotation)
    if field.annotation is bool:
        return Choice(("yes", "no"), "yes" if value is True else "no", id=widget_id(path))
    if choices and all(isinstance(choice, str) for choice in choices):
        return Choice(choices, str(value), id=widget_id(path))
    placeholder = "empty" if is_optional(field) else ""
    return TextLine(write_text(value), field=field, placeholder=placeholder, id=widget_id(path))
