"""Writes the answers, and what other tools deploy of them, to the disk of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from rich.text import Text

from pgwizard.errors import OutputError
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.widgets.dialogs import ChoiceDialog, Line, TextWindow, Working
from pgwizard.wizard.draft import Draft

if TYPE_CHECKING:
    from pgwizard.export.folder import ExportFormat
    from pgwizard.plan.plan import Plan

T = TypeVar("T")
SHOW_SECONDS = 0.5
"""Work that takes longer is named."""
SAVE_NAME = "answers.yaml"
_FORMATS: dict[str, tuple[ExportFormat, str]] = {
    "h": ("helm", "Helm chart: its values are the answers"),
    "k": ("kustomize", "kustomize: a base, and an overlay to edit"),
    "y": ("yaml", "YAML: one file per object, for kubectl apply"),
}
_FOLDERS: dict[ExportFormat, str] = {"helm": "chart", "kustomize": "deploy", "yaml": "manifests"}


class Saving:
    """Asks on a screen where to, and says there what was written."""

    def __init__(self, screen: BaseScreen[None]) -> None:
        self._screen = screen

    async def save(self, draft: Draft) -> bool:
        """Write the answers as a new file; where it exists, ask for another name. False where Esc was pressed."""
        start = self._screen.start
        while True:
            line = Line("Save the answers as", str(start.folder / SAVE_NAME), "references only, no secret values")
            name = await self._screen.app.push_screen_wait(line)
            if name is None:
                return False
            try:
                await asyncio.to_thread(start.save, name, draft.text())
            except OutputError as error:
                self._fail(error)
                continue
            count = len(draft.problems)
            problems = f"{count} problem{'' if count == 1 else 's'}: see the Review page"
            onward = problems if count else f"to apply them: pgwizard --headless {name} --apply"
            self._screen.notify(f"saved as {name}; {onward}", markup=False)
            return True

    async def export(self, draft: Draft) -> None:
        """Ask for the format and the folder, write it, and show what it needs. Esc goes back, and writes nothing."""
        from pgwizard.export.folder import export_folder
        from pgwizard.plan.plan import resolve

        window = self._screen.app.push_screen_wait
        form = await window(ChoiceDialog("Export the answers as", {key: text for key, (_, text) in _FORMATS.items()}))
        if form is None:
            return
        export_format, _ = _FORMATS[form]
        while True:
            if draft.problems:  # the certificate may have gone with the connection meanwhile
                self._screen.notify("not exported: the answers have problems", severity="warning", markup=False)
                return
            plan = resolve(draft.answers, draft.facts)
            files = await self._in_sight("Preparing the files", export_folder, plan, export_format)
            hint = f"Enter writes {len(files.texts)} files, none with a secret: {', '.join(list(files.texts)[:2])} ..."
            folder = await window(Line("Write into the folder", _FOLDERS[export_format], hint))
            if folder is None:
                return
            try:
                write = self._screen.start.export
                await self._in_sight(f"Writing {len(files.texts)} files", write, folder, files.texts, files.replaceable)
            except OutputError as error:
                self._fail(error)
                continue
            await window(TextWindow("Exported", _result(plan, folder, files.texts)))
            return

    async def _in_sight(self, what: str, work: Callable[..., T], *arguments: Any) -> T:
        """The result of blocking work; a window names it once it takes so long that a person would wonder."""
        running = asyncio.create_task(asyncio.to_thread(work, *arguments))
        await asyncio.wait([running], timeout=SHOW_SECONDS)
        if running.done():
            return running.result()
        window = Working(what)
        await self._screen.app.push_screen(window)
        try:
            return await running
        finally:
            if window.is_current:  # else it was hidden, or another window is over it
                window.dismiss()

    def _fail(self, error: OutputError) -> None:
        self._screen.notify(f"{error.message}. {error.hint}", severity="error", markup=False)


def _result(plan: Plan, folder: str, texts: dict[str, str]) -> Text:
    """What was written, and the Secrets that must be there before it is deployed."""
    from pgwizard.export.prerequisites import secrets_to_create, secrets_to_exist

    notes = [*secrets_to_create(plan), *secrets_to_exist(plan)]
    text = Text()
    if notes:
        text.append("Before it is deployed:\n").append("".join(f"· {note}\n" for note in notes)).append("\n")
    text.append(f"{len(texts)} files in {folder}:\n")
    return text.append("".join(f"  {name}\n" for name in texts), "dim")
