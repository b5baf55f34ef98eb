"""Small windows over a screen: text to read, a line to type, a list to choose from, a question to answer.

Each answers with what was typed or chosen, or None, and knows nothing of what that is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rich.console import Group
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from pgwizard.tui.base import ScreenPart
from pgwizard.tui.widgets.filtered_list import FilteredList, Item
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.text_line import TextLine


class Window(ScreenPart, ModalScreen[Any]):
    """Centred over what it belongs to, which stays in sight."""

    DEFAULT_CSS = """
    Window { align: center middle; }
    Window > Vertical {
        width: 76; max-width: 96%; height: auto; max-height: 90%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    Window .title { text-style: bold; }
    Window .hint { color: $text-muted; }
    Window VerticalScroll { height: auto; max-height: 24; }
    Window OptionList { height: auto; max-height: 18; background: $surface; padding: 0; }
    Window OptionList, Window OptionList:focus { border: none; }
    Window TextLine { background: $boost; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back"),
        Binding("f1", "app.explain", "help", show=False),
    ]
    HELP: ClassVar[str] = "Enter accepts the answer, Esc cancels."

    def action_leave(self) -> None:
        self.dismiss(None)


class Line(Window):
    """A line of text to type; answers with it, or None."""

    def __init__(self, title: str, value: str, hint: str = "") -> None:
        super().__init__()
        self._title, self._value, self._hint = title, value, hint

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield TextLine(self._value)
            yield Static(self._hint or "Enter selects, Esc goes back", classes="hint", markup=False)
        yield KeyLine()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip() or None)


class Pick(Window):
    """A list to choose from; answers with a value of it or None, where it is free also with what was typed."""

    DEFAULT_CSS = "Pick FilteredList { height: 20; max-height: 60%; }"
    HELP: ClassVar[str] = (
        "What you type filters the list; Up and Down move in it.\n"
        "Enter selects what is highlighted, or what was typed; Esc cancels."
    )

    def __init__(
        self, title: str, items: Sequence[Item], *, current: str = "", note: str = "", free: bool = True
    ) -> None:
        super().__init__()
        self._free = free
        self._title, self._items, self._current, self._note = title, items, current, note

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield Static(self._note, id="note", classes="hint", markup=False)
            yield FilteredList(self._items, self._current, free=self._free)
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one("#note").display = bool(self._note)  # or it would be a blank line

    def fill(self, items: Sequence[Item], note: str) -> None:
        """Show other items, and a note about them; empty for none."""
        self.query_one(FilteredList).fill(items, self._current)
        line = self.query_one("#note", Static)
        line.update(note)
        line.display = bool(note)

    def on_filtered_list_chosen(self, event: FilteredList.Chosen) -> None:
        event.stop()
        self.dismiss(event.value)


class Offer(Window):
    """Something to restore: answers True to restore it, False to delete it, None to keep it for later."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "restore", "restore"),
        Binding("f8", "delete", "delete"),
    ]

    def __init__(self, title: str, hint: str) -> None:
        super().__init__()
        self._title, self._hint = title, hint
        self._is_sure = False

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield Static(self._hint, classes="hint", markup=False)
        yield KeyLine()

    def action_restore(self) -> None:
        self.dismiss(True)

    def action_delete(self) -> None:
        """At the second press, because it cannot be undone."""
        if self._is_sure:
            self.dismiss(False)
            return
        self._is_sure = True
        self.notify("Press F8 again to delete permanently", severity="warning", markup=False)


class TextWindow(Window):
    """Text over the screen that it belongs to."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "leave", "back", show=False)]
    DEFAULT_CSS = """
    TextWindow VerticalScroll {
        width: 100; max-width: 96%; height: auto; max-height: 90%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    TextWindow Static { height: auto; }
    """

    def __init__(self, title: str, text: Text | Group) -> None:
        super().__init__()
        self._title, self.text = title, text

    def compose(self) -> ComposeResult:
        with VerticalScroll() as pane:
            pane.border_title = Text(self._title)
            yield Static(self.text, markup=False)
        yield KeyLine()


class Working(Window):
    """What is being done, until whoever opened it dismisses it; Esc hides it alone."""

    HELP: ClassVar[str] = "It closes by itself. Esc hides it, and the work continues."

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(f"{self._title} ...", classes="title", markup=False)
            yield Static("It closes by itself. Esc hides it, and the work continues.", classes="hint", markup=False)
        yield KeyLine()


class ChoiceDialog(Window):
    """A question that one key answers, or the choice that is highlighted; answers with the key, or None."""

    HELP: ClassVar[str] = "Press the letter before a choice, or Enter for the highlighted one; Esc cancels."

    def __init__(self, title: str, choices: Mapping[str, str]) -> None:
        super().__init__()
        self._title, self._choices = title, choices

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield OptionList(
                *(Option(Text(f"{key}   {meaning}"), id=key) for key, meaning in self._choices.items()), markup=False
            )
        yield KeyLine()

    def on_key(self, event: Key) -> None:
        if event.key in self._choices:
            event.stop()
            self.dismiss(event.key)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """By Enter or by the mouse."""
        event.stop()
        self.dismiss(event.option.id)
