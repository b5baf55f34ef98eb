"""Questions as widgets, derived from the models: a row a question, below it its help, or its problem in that place.

A question's type alone decides its control. It refuses to validate: what is wrong comes from the draft.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, get_args

from pydantic.fields import FieldInfo
from rich.text import Text
from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Label, Static

from pgwizard.answers import Ask, Section, ask_of, sections_in
from pgwizard.draft import NOTHING, SOME, Draft, Path, alternatives, field_at, is_optional, tag_key, tags_of


def widget_id(path: Path) -> str:
    """The id of a question's control; the path in the file is the same with dots."""
    return "q-" + "-".join(path)


_SHOWN = {NOTHING: "none", SOME: "a Secret", "existing": "existing Secret"}
"""Tags that people read better in other words."""


class Choice(Widget, can_focus=True):
    """One of a few words on one line: ``( ) web  (•) mixed``. Left and right move, a click chooses."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "move(-1)", "other choice", show=False),
        Binding("right,down,space", "move(1)", "other choice", show=False),
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

    def __init__(self, options: Sequence[str], value: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id)
        self.options = tuple(options)
        self.set_reactive(Choice.value, value)

    def render(self) -> RenderResult:
        """The words, the chosen one marked."""
        text = Text(overflow="ellipsis", no_wrap=False)
        for option in self.options:
            shown = _SHOWN.get(option, option)
            mark = "(•)" if option == self.value else "( )"
            style = "bold" if option == self.value else ""
            text.append(f"{mark} {shown}".replace(" ", "\N{NO-BREAK SPACE}"), style).append("   ")
        text.rstrip()
        return text

    def action_move(self, step: int) -> None:
        """Choose the word beside."""
        here = self.options.index(self.value) if self.value in self.options else 0
        self._choose(self.options[(here + step) % len(self.options)])

    def on_click(self, event: Click) -> None:
        """Choose the word under the pointer."""
        start = 0
        for option in self.options:
            width = len(f"(•) {_SHOWN.get(option, option)}   ")
            if start <= event.x < start + width:
                self._choose(option)
                return
            start += width

    def _choose(self, value: str) -> None:
        if value != self.value:
            self.value = value
            self.post_message(self.Changed(self, value))


class Row(Vertical):
    """One question: label and control on a line, help or problem below."""

    def __init__(self, path: Path, ask: Ask, control: Widget) -> None:
        super().__init__(classes="row")
        self.path = path
        self.ask = ask
        self.control = control
        self._said = Static(ask.help, classes="help", markup=False)

    def compose(self) -> ComposeResult:
        """Label, control, help."""
        with Horizontal(classes="line"):
            yield Label(self.ask.label, classes="label", markup=False)
            yield self.control
        yield self._said

    def say(self, problem: str) -> None:
        """Show the problem, or the help where there is none."""
        self.set_class(bool(problem), "wrong")
        self._said.update(f"! {problem}" if problem else self.ask.help)


class Form(VerticalScroll, can_focus=False):
    """The questions of some sections, kept in step with a draft."""

    class Answered(Message):
        """A question was answered, rightly or wrongly."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    def __init__(self, draft: Draft, sections: Sequence[str]) -> None:
        super().__init__(classes="form")
        self.draft = draft
        self.sections = tuple(sections)

    def compose(self) -> ComposeResult:
        """Every question of the sections."""
        for name in self.sections:
            yield from self._section((name,))

    def on_mount(self) -> None:
        """A draft may begin with problems."""
        self.tell()

    def tell(self) -> None:
        """Show what is wrong, each problem at its question."""
        for row in self.query(Row):
            row.say(self.draft.said_of(row.path))

    def _section(self, path: Path) -> Iterator[Widget]:
        found = field_at(path, self.draft.chosen)
        ask = ask_of(found.metadata) if found else None
        shapes = alternatives(path)
        if found is not None and (len(shapes) > 1 or is_optional(found)):
            title = Ask(ask.label if ask else path[-1].capitalize(), ask.help if ask else "")
            yield Row(path, title, Choice(_shapes(shapes, found), self.draft.chosen(path), id=widget_id(path)))
            yield Vertical(*self._questions(path), id=f"in-{widget_id(path)}", classes="nested")
        else:
            yield from self._questions(path)

    def _questions(self, path: Path) -> Iterator[Widget]:
        tag = self.draft.chosen(path)
        shapes = alternatives(path)
        shape = next((section for section in shapes if tag in tags_of(section)), None if tag == NOTHING else shapes[0])
        if shape is None:
            return
        for found in shape.model_fields.values():
            here, ask = (*path, str(found.alias)), ask_of(found.metadata)
            if sections_in(found.annotation):
                yield from self._section(here)
            elif ask is not None:
                yield Row(here, ask, _control(here, found, self.draft.value(here)))

    async def on_choice_changed(self, event: Choice.Changed) -> None:
        """A closed question, or another shape of a block."""
        event.stop()
        path = _path_of(event.choice)
        if alternatives(path):
            self.draft.choose(path, event.value)
            nested = self.query_one(f"#in-{widget_id(path)}", Vertical)
            await nested.remove_children()
            await nested.mount(*self._questions(path))
        else:
            self.draft.give(path, {"yes": True, "no": False}.get(event.value, event.value))
        self._answered(path)

    def on_input_changed(self, event: Input.Changed) -> None:
        """An open question."""
        event.stop()
        path = _path_of(event.input)
        found = field_at(path, self.draft.chosen)
        if found is not None:
            value = read_text(found, event.value)
            if value != self.draft.value(path):
                self.draft.give(path, value)
                self._answered(path)

    def _answered(self, path: Path) -> None:
        self.tell()
        self.post_message(self.Answered(path))


def _path_of(control: Widget) -> Path:
    row = next(parent for parent in control.ancestors if isinstance(parent, Row))
    return row.path


def _shapes(shapes: Sequence[type[Section]], found: FieldInfo) -> list[str]:
    tags = [tag for section in shapes for tag in tags_of(section)]
    return [*tags, NOTHING] if is_optional(found) else tags


def _control(path: Path, found: FieldInfo, value: Any) -> Widget:
    """The control that a question's type asks for."""
    choices = get_args(found.annotation)
    if found.annotation is bool:
        return Choice(("yes", "no"), "yes" if value is True else "no", id=widget_id(path))
    if choices and all(isinstance(choice, str) for choice in choices):
        return Choice(choices, str(value), id=widget_id(path))
    placeholder = "null" if is_optional(found) else ""
    return Input(write_text(value), placeholder=placeholder, compact=True, id=widget_id(path))


def write_text(value: Any) -> str:
    """A value as it stands in an input."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return "; ".join(f"{name}={item}" for name, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def read_text(found: FieldInfo, text: str) -> Any:
    """What is typed, as the question's type takes it; text that fits no type stays text, to be called wrong."""
    annotation = found.annotation
    if text == "" and is_optional(found):
        return None
    origin = getattr(annotation, "__origin__", None)
    if origin is dict:
        pairs = [part.partition("=") for part in text.split(";") if part.strip()]
        return {name.strip(): value.strip() for name, _, value in pairs}
    if origin is list:
        return [part.strip() for part in text.split(",") if part.strip()]
    if _takes_int(annotation) and text.strip().lstrip("-").isdigit():
        return int(text)
    return text


def _takes_int(annotation: Any) -> bool:
    return annotation is int or any(_takes_int(part) for part in get_args(annotation) if not isinstance(part, str))


__all__ = ["Choice", "Form", "Row", "read_text", "tag_key", "widget_id", "write_text"]
