"""Copying from a screen: to the terminal's clipboard, or to a file if the terminal ignores that."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, cast

from textual.binding import Binding
from textual.widget import Widget

from pgwizard.errors import OutputError
from pgwizard.text import visible
from pgwizard.tui.base import HostAccess
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.widgets.dialogs import Line

COPY = Binding("c", "copy", "copy", tooltip="copy what is shown to the terminal's clipboard (OSC 52)")
WRITE = Binding("w", "write_file", "write file", show=False, tooltip="write to a file what the copy key copies")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Text to copy. what: its name in a sentence; file: a name for a file of it."""

    what: str
    text: str
    file: str


class Copies(ReportsDefects, HostAccess):
    """The two actions, beside a widget or a screen that binds keys to them."""

    WRITE_KEY: ClassVar[str] = "w"

    def excerpt(self) -> Excerpt | None:
        """The text to copy; None if there is none."""
        raise NotImplementedError

    def action_copy(self) -> None:
        """Copy; a terminal may ignore the sequence silently, so the result is unknown."""
        excerpt = self.excerpt()
        if excerpt is None:
            return
        lines = excerpt.text.count("\n") + (not excerpt.text.endswith("\n"))
        notice = f"Sent {excerpt.what} ({lines} line{'' if lines == 1 else 's'}) to the terminal's clipboard (OSC 52)."
        self.host.copy_to_clipboard(excerpt.text)
        self._show_notice(f"{notice} If the terminal ignores it, press {self.WRITE_KEY} to write a file.")

    def action_write_file(self) -> None:
        """Write the text to a file, after asking for its name."""
        excerpt = self.excerpt()
        if excerpt is None:
            return

        def write(path: str | None) -> None:
            if path is not None:
                work = self._save(path, excerpt.text)
                cast("Widget", self).run_worker(work, name="write a file", group="write", exit_on_error=False)

        self.host.push_screen(Line(f"Write {excerpt.what} to which file?", excerpt.file), write)

    async def _save(self, path: str, text: str) -> None:
        try:
            await asyncio.to_thread(self.start.save, path, text)
        except OutputError as error:
            self._show_notice(f"{error.message}. {error.hint}".strip(), is_failure=True)
        else:
            self._show_notice(f"Wrote {path}")

    def _show_notice(self, text: str, *, is_failure: bool = False) -> None:
        self.host.notify(visible(text), severity="error" if is_failure else "information", markup=False)
