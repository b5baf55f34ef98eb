"""An input of one line."""

from __future__ import annotations

from typing import Any

from textual.widgets import Input


class TextLine(Input):
    """As Textual's compact input, without a class for it: each input would be styled once more when it is made."""

    DEFAULT_CSS = """
    TextLine, TextLine:focus { border: none; height: 1; padding: 0; }
    """

    def __init__(self, value: str = "", *, placeholder: str = "", id: str | None = None, **more: Any) -> None:  # noqa: A002 - Textual's
        super().__init__(value, placeholder=placeholder, id=id, validate_on=(), **more)
