"""Small windows over a screen: help, text to read, a line to type, a list to choose from, a question to answer.

They answer with what was typed or chosen, or None. They refuse to know what it is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.console import Group
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.dom import DOMNode
from textual.events import Key
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from pgwizard.tui.base import ScreenPart
from pgwizard.tui.widgets.keyline import KeyLine

MARKS = "✓ answered   ● here   ! needs a look   · to come   ✗ failed   - left out"
DOCS = "ctrl+p, messages: every message with its cause and what to do. docs/answers.md explains every question."


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
    Window Input { border: none; height: 1; padding: 0; background: $boost; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back"),
        Binding("f1", "app.explain", "help", show=False),
    ]
    HELP: ClassVar[str] = "Enter accepts the answer, Esc cancels."

    def action_leave(self) -> None:
        """Without an answer."""
        self.dismiss(None)


class Help(Window):
    """What a screen is for, and its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f1,question_mark,enter", "leave", "back", show=False)]

    def __init__(self, text: str, keys: Sequence[tuple[str, str]]) -> None:
        """keys: each with what it does."""
        super().__init__()
        self._text = Text(f"{text.strip()}\n\n")
        for key, does in keys:
            self._text.append(f"{key:>12}  ", "bold").append(f"{does}\n")
        self._text.append(f"{'tab':>12}  ", "bold")
        self._text.append("next question or list; shift+tab goes back\n")
        self._text.append(f"{'ctrl+p':>12}  ", "bold")
        self._text.append("every command by its name, and the themes\n")
        self._text.append(f"\n{MARKS}\n{DOCS}")

    def compose(self) -> ComposeResult:
        """One text, to scroll where it is long."""
        with Vertical():
            yield Static("Help", classes="title")
            with VerticalScroll():
                yield Static(self._text, markup=False)
        yield KeyLine()


def keys_of(screen: Screen[Any]) -> list[tuple[str, str]]:
    """The keys that pgwizard binds on a screen, each with what it does; keys of editing and scrolling are left out."""
    found, seen = [], set()
    for node, binding, _, _ in screen.active_bindings.values():
        if binding.description and binding.action not in seen and binding.action in _own_actions(type(node)):
            seen.add(binding.action)
            found.append((screen.app.get_key_display(binding), binding.tooltip or binding.description))
    return found


def _own_actions(kind: type[DOMNode]) -> set[str]:
    """What pgwizard binds there; how a line is edited, and lists scrolled, everybody knows."""
    ours = [each for each in kind.__mro__ if each.__module__.startswith("pgwizard.")]
    return {binding.action for each in ours for binding in Binding.make_bindings(each.__dict__.get("BINDINGS", ()))}


class Line(Window):
    """A line of text to type; answers with it, or None."""

    def __init__(self, title: str, value: str, hint: str = "") -> None:
        super().__init__()
        self._title, self._value, self._hint = title, value, hint

    def compose(self) -> ComposeResult:
        """Title, line, hint."""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield Input(self._value, compact=True)
            yield Static(self._hint or "Enter selects, Esc goes back", classes="hint", markup=False)
        yield KeyLine()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Taken."""
        event.stop()
        self.dismiss(event.value.strip() or None)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to choose. note: what helps to choose it; below: lines that say more; shown: in the value's place."""

    value: str
    note: str = ""
    below: tuple[str, ...] = ()
    shown: str = ""

    @property
    def haystack(self) -> str:
        """What a filter looks through."""
        return "\n".join((self.shown or self.value, self.note, *self.below)).lower()


class FilterInput(Input):
    """A line whose arrows move through the list below it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "down", show=False),
        Binding("up", "move(-1)", "up", show=False),
        Binding("pagedown", "move(10)", "down", show=False),
        Binding("pageup", "move(-10)", "up", show=False),
    ]

    def action_move(self, step: int) -> None:
        """Through the list, without leaving the filter."""
        for parent in self.ancestors:
            if isinstance(parent, FilteredList):
                parent.move(step)
                return


class FilteredList(Vertical):
    """A list, filtered as one types; enter takes the one that is highlighted. free: or what was typed, as it is."""

    DEFAULT_CSS = """
    FilteredList { height: 1fr; }
    FilteredList FilterInput { border: none; height: 1; padding: 0; background: $boost; }
    FilteredList OptionList { height: 1fr; border: none; padding: 0; background: $background; }
    FilteredList OptionList { text-wrap: nowrap; text-overflow: ellipsis; }
    FilteredList .hint { color: $text-muted; }
    """
    _SHOWN = 500
    """Rows: nobody reads more, and a filter finds the rest."""

    class Taken(Message):
        """A value was chosen or typed."""

        def __init__(self, sender: FilteredList, value: str) -> None:
            super().__init__()
            self.sender, self.value = sender, value

        @property
        def control(self) -> FilteredList:
            """The list."""
            return self.sender

    def __init__(
        self,
        items: Sequence[Item] = (),
        current: str = "",
        *,
        free: bool = True,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(id=id)
        self._items, self._current, self._found, self._free = items, current, list(items), free

    def compose(self) -> ComposeResult:
        """Filter and list."""
        yield FilterInput(placeholder="type to filter", compact=True)
        yield OptionList()
        yield Static(classes="hint", markup=False)

    def on_mount(self) -> None:
        """The filter alone has the focus."""
        self.query_one(OptionList).can_focus = False
        self._show("", self._current)

    def fill(self, items: Sequence[Item], current: str) -> None:
        """Other items; what is typed goes on to filter them, and what is highlighted stays so while it is there."""
        here = self.here
        moved = bool(here) and here != self._current and self._current == current
        self._items, self._current = items, current
        typed = self.query_one(FilterInput).value
        self._show(typed, here if moved else self._meant(typed))

    @property
    def here(self) -> str:
        """The value that is highlighted; empty for none, and where the list comes or goes with its page."""
        highlighted = [listed.highlighted_option for listed in self.query(OptionList)]
        return next((option.value for option in highlighted if isinstance(option, _Listed)), "")

    def mark(self, current: str) -> None:
        """Another one stands."""
        self.fill(self._items, current)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Those that hold what is typed."""
        event.stop()
        self._show(event.value, self._meant(event.value))

    def _meant(self, typed: str) -> str:
        """What stands is meant only where nothing was typed: else the very name that was typed, which stands first."""
        return "" if typed.strip() else self._current

    def _show(self, typed: str, highlighted: str) -> None:
        wanted = typed.strip().lower()
        fitting = [item for item in self._items if wanted in item.haystack]
        self._found = sorted(fitting, key=lambda item: item.value.lower() != wanted)[: self._SHOWN]
        if self._free and wanted and all(item.value != typed.strip() for item in fitting):
            self._found.append(Item(typed.strip(), "as it is typed"))
        listed = self.query_one(OptionList)
        listed.clear_options()
        listed.add_options([_Listed(item, current=item.value == self._current) for item in self._found])
        here = next((number for number, item in enumerate(self._found) if item.value == highlighted), 0)
        listed.highlighted = here if self._found else None
        cut = f", the first {self._SHOWN} shown" if len(fitting) > self._SHOWN else ""
        told = f"{len(fitting)} of {len(self._items)}{cut}   {'Enter selects' if self._found else ''}"
        self.query_one(".hint", Static).update(told if self._items or wanted else "")

    def move(self, step: int) -> None:
        """Highlight another one."""
        listed = self.query_one(OptionList)
        if listed.option_count:
            listed.highlighted = min(max((listed.highlighted or 0) + step, 0), listed.option_count - 1)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """By the mouse; the list may be another one by now."""
        event.stop()
        if isinstance(event.option, _Listed):
            self.post_message(self.Taken(self, event.option.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The one that is highlighted."""
        event.stop()
        here = self.query_one(OptionList).highlighted
        if here is not None and here < len(self._found):
            self.post_message(self.Taken(self, self._found[here].value))


class _Listed(Option):
    """An item as it is listed."""

    def __init__(self, item: Item, *, current: bool) -> None:
        super().__init__(_row(item, current))
        self.value = item.value


class Pick(Window):
    """A list to choose from; answers with a value, or None. What is typed can be taken too."""

    DEFAULT_CSS = "Pick FilteredList { height: 20; max-height: 60%; }"
    HELP: ClassVar[str] = (
        "What you type filters the list; up and down move in it.\n"
        "enter takes what is highlighted, or what was typed; escape leaves the answer as it was."
    )

    def __init__(self, title: str, items: Sequence[Item], *, current: str = "", said: str = "") -> None:
        super().__init__()
        self._title, self._items, self._current, self._said = title, items, current, said

    def compose(self) -> ComposeResult:
        """Title, what is up with the list, the list."""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield Static(self._said, id="said", classes="hint", markup=False)
            yield FilteredList(self._items, self._current)
        yield KeyLine()

    def on_mount(self) -> None:
        """No blank line where nothing is said."""
        self.query_one("#said").display = bool(self._said)

    def fill(self, items: Sequence[Item], said: str) -> None:
        """What has come meanwhile, and what is up with it."""
        self.query_one(FilteredList).fill(items, self._current)
        self.query_one("#said", Static).update(said)
        self.query_one("#said").display = bool(said)

    def on_filtered_list_taken(self, event: FilteredList.Taken) -> None:
        """Chosen."""
        event.stop()
        self.dismiss(event.value)


def _row(item: Item, current: bool = False) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{'●' if current else ' '} {item.shown or item.value}")
    if item.note:
        text.append(f"   {item.note}", "dim")
    for line in item.below:
        text.append(f"\n    {line}")
    return text


class Offer(Window):
    """Something that was found; answers True to take it, False to delete it, None to leave it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "take up"),
        Binding("f8", "delete", "delete"),
    ]

    def __init__(self, title: str, hint: str) -> None:
        super().__init__()
        self._title, self._hint = title, hint
        self._sure = False

    def compose(self) -> ComposeResult:
        """Two lines."""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield Static(self._hint, classes="hint", markup=False)
        yield KeyLine()

    def action_take(self) -> None:
        """Yes."""
        self.dismiss(True)

    def action_delete(self) -> None:
        """Never again, once it was asked for twice: nothing brings it back."""
        if self._sure:
            self.dismiss(False)
            return
        self._sure = True
        self.notify("f8 again deletes them for good", severity="warning", markup=False)


class TextWindow(Window):
    """Text over the screen that it belongs to."""

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
        """One text, to scroll where it is long."""
        with VerticalScroll() as pane:
            pane.border_title = Text(self._title)
            yield Static(self.text, markup=False)
        yield KeyLine()


class LinesWindow(Window):
    """Some lines to read; each of the keys to leave closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,f7", "leave", "close")]
    DEFAULT_CSS = """
    LinesWindow > VerticalScroll { width: 90%; max-width: 110; height: auto; max-height: 80%; padding: 1 2;
        background: $surface; border: round $primary; }
    LinesWindow Static { height: auto; }
    """
    _LONGEST = 300

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self.text = Text(f"{title}\n\n", "bold")
        self.text.append("\n".join(lines[: self._LONGEST]), "not bold")
        if len(lines) > self._LONGEST:
            self.text.append(f"\nand {len(lines) - self._LONGEST:,} more", "not bold")
        self.text.append("\n\nEsc closes this", "not bold dim")

    def compose(self) -> ComposeResult:
        """The lines."""
        with VerticalScroll():
            yield Static(self.text, markup=False)


class ChoiceDialog(Window):
    """A question that one key answers, or the choice that is highlighted; answers with the key, or None."""

    HELP: ClassVar[str] = "Press the letter before a choice, or Enter for the highlighted one; Esc cancels."

    def __init__(self, title: str, choices: Mapping[str, str]) -> None:
        super().__init__()
        self._title, self._choices = title, choices

    def compose(self) -> ComposeResult:
        """The question, and what can be answered."""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield OptionList(
                *(Option(Text(f"{key}   {meaning}"), id=key) for key, meaning in self._choices.items()), markup=False
            )
        yield KeyLine()

    def on_key(self, event: Key) -> None:
        """Only what was offered."""
        if event.key in self._choices:
            event.stop()
            self.dismiss(event.key)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """By enter or by the mouse."""
        event.stop()
        self.dismiss(event.option.id)
