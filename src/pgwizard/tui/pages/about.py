"""The line below a page: more about the question in focus."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from pgwizard.tui.pages.question import QuestionRow


class AboutLine(Static):
    """Empty where no question is in focus."""

    def __init__(self) -> None:
        super().__init__(id="about", markup=False)
        self._row: QuestionRow | None = None
        self._text = ""

    def turn_to(self, row: QuestionRow | None) -> None:
        """row: the question in focus; None for another page."""
        self._row = row
        self.follow()

    def follow(self) -> None:
        """Show what is known of the question now: a problem takes the place of its help, which is then shown here."""
        text = self._row.about() if self._row is not None and self._row.is_attached else ""
        if text != self._text:
            self._text = text
            lines = Content(text).wrap(max(self.content_size.width, 1))
            self.update(text, layout=len(lines) != self.content_size.height)  # the page is laid out again only for that

    def focus_question(self) -> None:
        """Focus the question that this line is about."""
        if self._row is not None and self._row.is_attached:
            self._row.control.focus()
