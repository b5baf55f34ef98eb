"""The pages of the wizard in their order: which one is shown, which were visited, and what a person should look at."""

from __future__ import annotations

from collections.abc import Sequence

from pgwizard.answers import schema
from pgwizard.wizard.draft import Draft

CONNECT, REVIEW = "Connect", "Review"


class PageOrder:
    """page: the one that is shown; empty for none yet."""

    def __init__(self) -> None:
        self.names = [CONNECT, *schema.pages(), REVIEW]
        self.page = ""
        self._visits: set[str] = set()

    def visit(self, page: str) -> None:
        self.page = page
        self._visits.add(page)

    def beside(self, step: int) -> str | None:
        """The page so many steps after the shown one; None beyond the ends, and where none is shown."""
        place = self.names.index(self.page) + step if self.page else -1
        return self.names[place] if 0 <= place < len(self.names) else None

    @property
    def ahead(self) -> Sequence[str]:
        """The pages after the shown one."""
        return self.names[self.names.index(self.page) + 1 :] if self.page else ()

    @property
    def place(self) -> str:
        """``3/9 Storage``."""
        return f"{self.names.index(self.page) + 1}/{len(self.names)} {self.page}"

    def marks(self, draft: Draft) -> list[tuple[str, str]]:
        """(mark, page) for the rail."""
        findings = (*draft.problems, *draft.cluster_warnings)
        doubtful = {schema.page_of(finding.question) for finding in findings}
        return [(self._mark(page, doubtful), page) for page in self.names]

    def _mark(self, page: str, doubtful: set[str]) -> str:
        if page == self.page:
            return "●"
        if page in doubtful:
            return "!"
        return "✓" if page in self._visits else "·"
