"""A list that is filtered while a person types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from pgwizard.tui.widgets.text_line import TextLine

_UNKNOWN_WIDTH = 80
"""Before the list has its place."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to choose. note: what helps to choose it; below: lines that say more; label: in the value's place."""

    value: str
    note: str = ""
    below: tuple[str, ...] = ()
    label: str = ""

    @property
    def haystack(self) -> str:
        """What a filter looks through."""
        return "\n".join((self.label or self.value, self.note, *self.below)).lower()


class FilterInput(TextLine):
    """A line whose arrows move through the list below it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "next entry", show=False),
        Binding("up", "move(-1)", "previous entry", show=False),
        Binding("pagedown", "move(10)", "ten entries on", show=False),
        Binding("pageup", "move(-10)", "ten entries back", show=False),
    ]

    def action_move(self, step: int) -> None:
        """Move in the list; the filter keeps the focus."""
        for parent in self.ancestors:
            if isinstance(parent, FilteredList):
                parent.move(step)
                return


class FilteredList(Vertical):
    """Enter selects the highlighted item. free: the typed text can be selected too, where no item equals it."""

    DEFAULT_CSS = """
    FilteredList { height: 1fr; }
    FilteredList FilterInput { background: $boost; }
    FilteredList OptionList { height: 1fr; border: none; padding: 0; background: $background; }
    FilteredList OptionList { scrollbar-size-vertical: 1; }
    FilteredList .hint { color: $text-muted; }
    """
    _MOST_SHOWN = 500
    """Rows: nobody reads more, and a filter finds the rest."""

    class Chosen(Message):
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
        self._items, self._current, self._matches, self._free = items, current, list(items), free
        self._width = 0

    def compose(self) -> ComposeResult:
        yield FilterInput(placeholder="type to filter")
        yield OptionList()
        yield Static(classes="hint", markup=False)

    def on_mount(self) -> None:
        """The filter alone has the focus."""
        self.query_one(OptionList).can_focus = False
        self._show("", self._current)

    def on_resize(self) -> None:
        """Wrap the rows to the width, the scroll bar's column left out."""
        width = self.size.width - 1
        if width != self._width:
            self._width = width
            self._show(self.query_one(FilterInput).value, self.here)

    def fill(self, items: Sequence[Item], current: str) -> None:
        """Show other items. What is typed filters them as well; what is highlighted stays so if it is among them."""
        here = self.here
        has_moved = bool(here) and here != self._current and self._current == current
        self._items, self._current = items, current
        filter_text = self.query_one(FilterInput).value
        self._show(filter_text, here if has_moved else self._first_highlight(filter_text))

    @property
    def here(self) -> str:
        """The highlighted value; empty for none, and while the list is mounted or removed with its page."""
        options = [option_list.highlighted_option for option_list in self.query(OptionList)]
        return next((option.value for option in options if isinstance(option, _Listed)), "")

    def mark(self, current: str) -> None:
        """Mark another item as the answer of now."""
        self.fill(self._items, current)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value, self._first_highlight(event.value))

    def _first_highlight(self, filter_text: str) -> str:
        """The current answer as long as nothing is typed; else none, because the best match is the first row."""
        return "" if filter_text.strip() else self._current

    def _show(self, filter_text: str, current: str) -> None:
        text = filter_text.strip().lower()
        fitting = [item for item in self._items if text in item.haystack]
        self._matches = sorted(fitting, key=lambda item: item.value.lower() != text)[: self._MOST_SHOWN]
        if self._free and text and all(item.value != filter_text.strip() for item in fitting):
            self._matches.append(Item(filter_text.strip(), "as it is typed"))
        option_list = self.query_one(OptionList)
        option_list.clear_options()
        rows = [_Listed(item, self._width, current=item.value == self._current) for item in self._matches]
        option_list.add_options(rows)
        here = next((number for number, item in enumerate(self._matches) if item.value == current), 0)
        option_list.highlighted = here if self._matches else None
        cut = f", the first {self._MOST_SHOWN} shown" if len(fitting) > self._MOST_SHOWN else ""
        counts = f"{len(fitting)} of {len(self._items)}{cut}   {'Enter selects' if self._matches else ''}"
        self.query_one(".hint", Static).update(counts if self._items or text else "")

    def move(self, step: int) -> None:
        option_list = self.query_one(OptionList)
        if option_list.option_count:
            option_list.highlighted = min(max((option_list.highlighted or 0) + step, 0), option_list.option_count - 1)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """By the mouse. The list may have been filled again since."""
        event.stop()
        if isinstance(event.option, _Listed):
            self.post_message(self.Chosen(self, event.option.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        here = self.query_one(OptionList).highlighted
        if here is not None and here < len(self._matches):
            self.post_message(self.Chosen(self, self._matches[here].value))


class _Listed(Option):
    """A row of an item."""

    def __init__(self, item: Item, width: int, *, current: bool) -> None:
        super().__init__(_row(item, width or _UNKNOWN_WIDTH, current))
        self.value = item.value


def _row(item: Item, width: int, current: bool) -> Text:
    """What does not fit on its line continues below it, indented."""
    name = f"{'●' if current else ' '} {item.label or item.value}"
    text = Text("\n".join(wrap(name, width, subsequent_indent="  ")))
    is_short = len(name) + len(item.note) + 3 <= width
    if item.note and is_short:
        text.append(f"   {item.note}", "dim")
    elif item.note:
        text.append(_below(item.note, width), "dim")
    for line in item.below:
        text.append(_below(line, width))
    return text


def _below(line: str, width: int) -> str:
    indent = "   "
    return "\n" + "\n".join(wrap(line, width, initial_indent=indent, subsequent_indent=indent))
