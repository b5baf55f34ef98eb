"""The answers as a whole, before anything is applied: what is wrong, what differs from the defaults, the manifests."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from pgwizard import manifests
from pgwizard.draft import Draft
from pgwizard.plan import resolve


class Review(VerticalScroll, can_focus=True):
    """Made anew each time it is shown."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(markup=False, id="review")

    def show_draft(self) -> None:
        """Show the draft as it is now."""
        self.query_one("#review", Static).update(self._text())

    def _text(self) -> Text:
        draft, text = self.draft, Text()
        for problem in draft.problems:
            text.append(f"✗ {problem.path}: {problem.message}\n", "bold")
        for problem in draft.warnings:
            text.append(f"! {problem.path}: {problem.message}\n")
        changed = [(path, value, default) for path, value, default in draft.rows() if value != default]
        text.append(f"\n{len(changed)} answers differ from their defaults\n", "bold")
        for path, value, default in changed:
            text.append(f"  {'.'.join(path):38} {value}")
            text.append(f"   (default {default})\n", "dim")
        if draft.problems:
            text.append("\nThe manifests are shown once nothing is wrong.\n", "dim")
            return text
        rendered = manifests.render(resolve(draft.answers, draft.facts))
        text.append(f"\n{len(rendered)} objects, in the order in which they are applied\n", "bold")
        for manifest in rendered:
            text.append(f"\n{manifest.object['kind']} {manifest.object['metadata']['name']}\n", "bold")
            text.append(manifest.text)
        return text
