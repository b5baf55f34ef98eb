"""Writes the answers, and the manifests that they come to, to the disk of this machine."""

from __future__ import annotations

import asyncio

from pgwizard.errors import OutputError
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.widgets.dialogs import Line
from pgwizard.wizard.draft import Draft

SAVED = "answers.yaml"


class Saving:
    """Asks on a screen where to, and says there what was written."""

    def __init__(self, screen: BaseScreen[None]) -> None:
        self._screen = screen

    async def save(self, draft: Draft) -> bool:
        """Write the answers as a new file; where it exists, ask for another name. False where Esc was pressed."""
        start = self._screen.start
        while True:
            line = Line("Save the answers as", str(start.folder / SAVED), "references only, no secret values")
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

    async def export(self, draft: Draft, folder: str) -> None:
        """Write one file for each object. Nothing while the answers have problems."""
        from pgwizard.plan import manifests
        from pgwizard.plan.plan import resolve

        if draft.problems:  # the certificate may have gone with the connection since the folder was typed
            self._screen.notify("not exported: the answers have problems", severity="warning", markup=False)
            return
        plan = resolve(draft.answers, draft.facts)
        texts = {manifest.file_name: manifest.text for manifest in manifests.render(plan)}
        try:
            await asyncio.to_thread(self._screen.start.export, folder, texts)
        except OutputError as error:
            self._fail(error)
        else:
            self._screen.notify(f"exported {len(texts)} manifests to {folder}", markup=False)

    def _fail(self, error: OutputError) -> None:
        self._screen.notify(f"{error.message}. {error.hint}", severity="error", markup=False)
