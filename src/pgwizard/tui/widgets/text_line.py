"""The input of every screen: one line, which is what a paste must fit on."""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo
from textual.events import Paste
from textual.widgets import Input

from pgwizard.answers.questions import question_of
from pgwizard.wizard.pasted_text import PasteRefused, one_line


class TextLine(Input):
    """Textual would take the first line of a paste and drop the rest. field: of the question; None where it is none.

    Tab selects a value, which the next key or paste replaces; but no list or map, whose entries nobody wants to lose.

    Its looks are Textual's compact ones, but by no class: that would style each input once more when it is made.
    """

    DEFAULT_CSS = """
    TextLine { border: none; height: 1; padding: 0; }
    TextLine:focus { border: none; }
    """

    def __init__(self, value: str = "", *, field: FieldInfo | None = None, **more: Any) -> None:
        has_entries = field is not None and getattr(field.annotation, "__origin__", None) in (dict, list)
        super().__init__(value, validate_on=(), select_on_focus=not has_entries, **more)
        self._field = field

    def on_paste(self, event: Paste) -> None:
        event.stop()
        event.prevent_default()
        self._paste(event.text)

    def action_paste(self) -> None:
        """What was copied here; a terminal pastes by an event."""
        self._paste(self.app.clipboard)

    def _paste(self, text: str) -> None:
        begin, end = sorted(self.selection)
        try:
            line = one_line(text, self._field, self.value[:begin], self.value[end:])
        except PasteRefused as error:
            question = question_of(self._field.metadata) if self._field else None
            into = f" into {question.label}" if question else ""
            self.notify(f"not pasted{into}: {error}", severity="warning", timeout=15, markup=False)
        else:
            self.replace(line, begin, end)
