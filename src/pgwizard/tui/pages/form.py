"""Questions as widgets, derived from the models: a row a question, below it its help, or its problem in that place.

A question's type alone decides its control. It refuses to validate: what is wrong comes from the draft.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, cast, get_args

from pydantic.fields import FieldInfo
from rich.text import Text
from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from pgwizard.answers.questions import Question, Section, question_of, sections_in
from pgwizard.answers.schema import NOTHING, SOME, QuestionPath, alternatives, field_at, is_optional, tags_of
from pgwizard.wizard.draft import Draft
from pgwizard.wizard.text_input import read_text, write_text


def widget_id(path: QuestionPath) -> str:
    """The id of a question's control; the path in the file is the same with dots."""
    return "q-" + "-".join(path)


_SHOWN = {NOTHING: "none", SOME: "a Secret", "existing": "existing Secret"}
"""Tags that people read better in other words."""


_GAP = 3


def _width(option: str) -> int:
    return len(f"(•) {_SHOWN.get(option, option)}") + _GAP


class Choice(Widget, can_focus=True):
    """One of a few words on one line: ``( ) web  (•) mixed``. Left and right move, a click chooses."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "move(-1)", "other choice", show=False),
        Binding("right,down,space", "move(1)", "other choice", show=False),
        Binding("enter", "follow", "next question", show=False),
    ]
    value: reactive[str] = reactive("")

    class Changed(Message):
        """Another word was chosen."""

        def __init__(self, choice: Choice, value: str) -> None:
            super().__init__()
            self.choice = choice
            self.value = value

        @property
        def control(self) -> Choice:
            """The sender."""
            return self.choice

    class Taken(Message):
        """Enter: the chosen word stays, and the next question is wanted."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, options: Sequence[str], value: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id)
        self.options = tuple(options)
        self.set_reactive(Choice.value, value)

    def render(self) -> RenderResult:
        """The words, the chosen one marked."""
        text = Text(overflow="ellipsis", no_wrap=True)
        for number, line in enumerate(self._lines(self.size.width)):
            text.append("\n" if number else "")
            for option in line:
                mark = "(•)" if option == self.value else "( )"
                text.append(f"{mark} {_SHOWN.get(option, option)}   ", "bold" if option == self.value else "")
        return text

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as the words take."""
        del container, viewport
        return len(self._lines(width))

    def _lines(self, width: int) -> list[list[str]]:
        """The words in lines, a mark never apart from its word."""
        lines, used = [list[str]()], 0
        for option in self.options:
            taken = _width(option)
            if lines[-1] and used + taken - _GAP > width:
                lines.append([])
                used = 0
            lines[-1].append(option)
            used += taken
        return lines

    def action_move(self, step: int) -> None:
        """Choose the word beside."""
        here = self.options.index(self.value) if self.value in self.options else 0
        self._choose(self.options[(here + step) % len(self.options)])

    def action_follow(self) -> None:
        """What stands is taken."""
        self.post_message(self.Taken(self))

    def on_click(self, event: Click) -> None:
        """Choose the word under the pointer."""
        lines, start = self._lines(self.size.width), 0
        for option in lines[event.y] if event.y < len(lines) else ():
            if start <= event.x < start + _width(option):
                self._choose(option)
                return
            start += _width(option)

    def _choose(self, value: str) -> None:
        if value != self.value:
            self.value = value
            self.post_message(self.Changed(self, value))


def in_words(text: str, *, nothing: str) -> str:
    """A help text that speaks of the file, as it is said beside a control. nothing: what stands for null there."""
    said = {"null": nothing, "true": "yes", "false": "no"}
    return re.sub(r"\b(null|true|false)\b", lambda match: said[match[0]], text)


class QuestionRow(Vertical):
    """One question: label and control on a line, help or problem below."""

    class Entered(Message):
        """This question is being answered."""

        def __init__(self, row: QuestionRow) -> None:
            super().__init__()
            self.row = row

    def __init__(self, path: QuestionPath, ask: Question, control: Widget, default: str = "") -> None:
        super().__init__(classes="row")
        self.path = path
        self.ask = ask
        self.control = control
        self._default = default
        self._help = in_words(ask.help, nothing="none" if isinstance(control, Choice) else "empty")
        self._problem = self._warning = ""
        self._said = Static(classes="help", markup=False)

    def compose(self) -> ComposeResult:
        """Label, control, help."""
        with Horizontal(classes="line"):
            yield Label(self.ask.label, classes="label", markup=False)
            yield self.control
        yield self._said

    def on_mount(self) -> None:
        """The help, until there is a problem."""
        self._tell()

    def say(self, problem: str, warning: str = "") -> None:
        """Show the problem, else the warning, else the help."""
        if (problem, warning) != (self._problem, self._warning):
            self._problem, self._warning = problem, warning
            self.set_class(bool(problem), "wrong")
            self.set_class(bool(warning) and not problem, "warned")
            self._tell()

    def on_descendant_focus(self) -> None:
        """The question that is being answered is in sight whole, with what is said of it."""
        self.call_after_refresh(self.scroll_visible, animate=False)
        self.post_message(self.Entered(self))

    def about(self) -> str:
        """What else is worth knowing of it: its help where a problem stands in its place, its default, its list."""
        more = [self._help] * bool(self._problem or self._warning)
        if self._default:
            more.append(f"default: {self._default}")
        if self.ask.choices:
            more.append("f4 lists what there is")
        return " · ".join(more)

    def _tell(self) -> None:
        said = f"✗ {self._problem}" if self._problem else f"! {self._warning}" if self._warning else self._help
        self._said.update(said)


class Form(VerticalScroll, can_focus=False):
    """The questions of some sections, kept in step with a draft."""

    class Answered(Message):
        """A question was answered, rightly or wrongly."""

        def __init__(self, path: QuestionPath) -> None:
            super().__init__()
            self.path = path

    class Finished(Message):
        """The last question was taken: the next page is wanted."""

    class ChoicesAsked(Message):
        """What there is to choose from for a question. choices: the name of the list."""

        def __init__(self, path: QuestionPath, ask: Question) -> None:
            super().__init__()
            self.path = path
            self.ask = ask

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f4", "choices", "choose", tooltip="list what there is to choose from in the cluster"),
        Binding("ctrl+r", "default", "default", show=False, tooltip="back to the default of this question"),
    ]

    def __init__(self, draft: Draft, sections: Sequence[str]) -> None:
        super().__init__(classes="form")
        self.draft = draft
        self.sections = tuple(sections)
        self._mounted: dict[QuestionPath, str] = {}

    def compose(self) -> ComposeResult:
        """Every question of the sections."""
        for name in self.sections:
            yield from self._section((name,))

    def on_mount(self) -> None:
        """A draft may begin with problems."""
        self.tell()

    def tell(self) -> None:
        """Show what is wrong, each problem at its question."""
        for row in self.query(QuestionRow):
            row.say(self.draft.said_of(row.path), self.draft.warned_of(row.path))

    def _section(self, path: QuestionPath) -> Iterator[Widget]:
        found = field_at(path, self.draft.chosen)
        ask = question_of(found.metadata) if found else None
        shapes = alternatives(path)
        if found is not None and (len(shapes) > 1 or is_optional(found)):
            title = Question(ask.label if ask else path[-1].capitalize(), ask.help if ask else "")
            self._mounted[path] = self.draft.chosen(path)
            yield QuestionRow(path, title, Choice(_shapes(shapes, found), self._mounted[path], id=widget_id(path)))
            yield Vertical(*self._questions(path), id=f"in-{widget_id(path)}", classes="nested")
        else:
            yield from self._questions(path)

    def _questions(self, path: QuestionPath) -> Iterator[Widget]:
        tag = self.draft.chosen(path)
        shapes = alternatives(path)
        shape = next((section for section in shapes if tag in tags_of(section)), None if tag == NOTHING else shapes[0])
        if shape is None:
            return
        for found in shape.model_fields.values():
            here, ask = (*path, str(found.alias)), question_of(found.metadata)
            if sections_in(found.annotation):
                yield from self._section(here)
            elif ask is not None:
                default = "" if found.is_required() else write_text(found.get_default(call_default_factory=True))
                yield QuestionRow(here, ask, _control(here, found, self.draft.value(here)), default)

    async def on_choice_changed(self, event: Choice.Changed) -> None:
        """A closed question, or another shape of a block."""
        event.stop()
        if self._overtaken(event.choice, event.value):
            return
        path = _path_of(event.choice)
        if not alternatives(path):
            self.draft.give(path, {"yes": True, "no": False}.get(event.value, event.value))
        elif event.value != self.draft.chosen(path):
            self.draft.choose(path, event.value)
            await self._reshape(path)
        self._answered(path)

    def _overtaken(self, control: Choice | Input, value: str) -> bool:
        """Whether a message is of no use any more: its control shows something else by now, or went with its block."""
        return control.value != value or self not in control.ancestors

    async def _reshape(self, path: QuestionPath) -> None:
        """The questions of the alternative that stands, where others are shown."""
        if self._mounted[path] == self.draft.chosen(path):
            return
        nested = self.query_one(f"#in-{widget_id(path)}", Vertical)
        if nested.has_focus_within:
            self.query_one(f"#{widget_id(path)}", Choice).focus()
        await nested.remove_children()
        self._mounted[path] = self.draft.chosen(path)
        await nested.mount(*self._questions(path))
        self.tell()

    def on_input_changed(self, event: Input.Changed) -> None:
        """An open question."""
        event.stop()
        if self._overtaken(event.input, event.value):
            return
        path = _path_of(event.input)
        found, stands = field_at(path, self.draft.chosen), self.draft.value(path)
        if found is None or event.value == write_text(stands):
            return  # it is shown, not typed: what a person wrote into the file may not fit on a line
        seen = "".join(filter(str.isprintable, event.value))
        if seen != event.value:  # it came with a paste, and nobody could see it
            event.input.value = seen
            return
        value = read_text(found, event.value)
        if value != stands:
            self.draft.give(path, value)
            self._answered(path)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on."""
        event.stop()
        self._follow(event.input)

    def on_choice_taken(self, event: Choice.Taken) -> None:
        """Enter goes on."""
        event.stop()
        self._follow(event.choice)

    def _follow(self, control: Widget) -> None:
        controls = [row.control for row in self.query(QuestionRow)]
        here = controls.index(control)
        if here + 1 < len(controls):
            controls[here + 1].focus()
        else:
            self.post_message(self.Finished())

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """The list is offered only where there is one."""
        if action == "choices":
            row = self._row_in_focus()
            return row is not None and bool(row.ask.choices)
        return True

    def _row_in_focus(self) -> QuestionRow | None:
        focused = self.screen.focused
        found = (parent for parent in focused.ancestors if isinstance(parent, QuestionRow)) if focused else iter(())
        return next(found, None)

    def action_choices(self) -> None:
        """Ask for the list of the question in focus."""
        if (row := self._row_in_focus()) is not None and row.ask.choices:
            self.post_message(self.ChoicesAsked(row.path, row.ask))

    async def action_default(self) -> None:
        """Forget the answer of the question in focus."""
        row = self._row_in_focus()
        if row is not None:
            self.draft.forget(row.path)
            self.show_answer(row.path)
            self._answered(row.path)

    def show_answer(self, path: QuestionPath) -> None:
        """Put what the draft says of a question into its control; of a block, into all of it.

        An answer within a block may have chosen its alternative: other questions stand there then.
        """
        for row in self.query(QuestionRow):
            within = row.path[: len(path)] == path
            if alternatives(row.path):
                if within or path[: len(row.path)] == row.path:
                    cast("Choice", row.control).value = self.draft.chosen(row.path)
                    self.call_later(self._reshape, row.path)  # in turn with the choices that are on their way
            elif within:
                value = self.draft.value(row.path)
                if isinstance(row.control, Input):
                    row.control.value = write_text(value)
                elif isinstance(row.control, Choice):
                    row.control.value = {True: "yes", False: "no"}.get(value, str(value))

    def focus_question(self, path: QuestionPath) -> bool:
        """Give the focus to a question, or to the first one of its block. False where it is not here."""
        for length in range(len(path), 0, -1):
            for row in self.query(QuestionRow):
                if row.path[:length] == path[:length]:
                    row.control.focus()
                    return True
        return False

    def _answered(self, path: QuestionPath) -> None:
        self.tell()
        self.post_message(self.Answered(path))


def _path_of(control: Widget) -> QuestionPath:
    row = next(parent for parent in control.ancestors if isinstance(parent, QuestionRow))
    return row.path


def _shapes(shapes: Sequence[type[Section]], found: FieldInfo) -> list[str]:
    tags = [tag for section in shapes for tag in tags_of(section)]
    return [*tags, NOTHING] if is_optional(found) else tags


def _control(path: QuestionPath, found: FieldInfo, value: Any) -> Widget:
    """The control that a question's type asks for."""
    choices = get_args(found.annotation)
    if found.annotation is bool:
        return Choice(("yes", "no"), "yes" if value is True else "no", id=widget_id(path))
    if choices and all(isinstance(choice, str) for choice in choices):
        return Choice(choices, str(value), id=widget_id(path))
    placeholder = "empty" if is_optional(found) else ""
    return Input(write_text(value), placeholder=placeholder, compact=True, id=widget_id(path))


__all__ = ["Choice", "Form", "QuestionRow", "widget_id"]
