"""The sections of the review, of which one is shown: problems, answers, manifests, and the comparison."""

from __future__ import annotations

import re
from typing import Literal

from textual.widget import Widget
from textual.widgets import ContentSwitcher

from pgwizard.answers.questions import Answers
from pgwizard.plan import manifests
from pgwizard.plan.plan import Facts, resolve
from pgwizard.text import visible
from pgwizard.tui.copying import Excerpt
from pgwizard.tui.widgets.comparison import Comparison
from pgwizard.tui.widgets.folds import Fold, Folds
from pgwizard.tui.widgets.review_parts import AnswersTable, ProblemList
from pgwizard.wizard.draft import Draft

ReviewSection = Literal["problems", "answers", "manifests", "live"]
SECTIONS: tuple[ReviewSection, ...] = ("problems", "answers", "manifests", "live")


def counts(draft: Draft) -> str:
    """How many problems and warnings there are: `` 2✗ 1!``; empty for none."""
    wrong, doubtful = len(draft.problems), len(draft.warnings)
    return "".join([f" {wrong}✗" if wrong else "", f" {doubtful}!" if doubtful else ""])


class ManifestFolds(Folds):
    """The manifests by object, rendered once for the same answers and certificate: what is unfolded stays so."""

    def __init__(self) -> None:
        super().__init__(id="manifests")
        self._source: tuple[Answers, Facts] | None = None

    def follow(self, draft: Draft) -> None:
        """Show the manifests of these answers; none while there are problems."""
        source = (draft.answers, draft.facts)
        if draft.problems:
            self._source = None
            self.show([Fold("The manifests appear here once there are no problems.")])
        elif self._source != source:
            self._source = source
            self.show(
                Fold(f"{item.object['kind']} {item.object['metadata']['name']}", tuple(item.text.splitlines()))
                for item in manifests.render(resolve(*source))
            )


class ReviewSections(ContentSwitcher):
    """section: the one that is shown."""

    def __init__(self) -> None:
        self.section: ReviewSection = "answers"
        self.problems, self.answers = ProblemList(), AnswersTable()
        self.manifests, self.comparison = ManifestFolds(), Comparison()
        parts = (self.problems, self.answers, self.manifests, self.comparison)
        super().__init__(*parts, id="sections", initial=self.section)

    def follow(self, draft: Draft) -> None:
        """Show the draft as it is now; what is highlighted stays so."""
        self.problems.show(draft)
        self.answers.show(draft)
        if not self.comparison.is_of(draft.answers):
            self.comparison.forget()

    def open(self, section: ReviewSection, draft: Draft) -> None:
        """Show this section. The manifests are rendered only once they are seen."""
        self.section = self.current = section
        if section == "manifests":
            self.manifests.follow(draft)

    @property
    def inner(self) -> Widget:
        """The part of the section that has the keys."""
        return self.folds or (self.problems if self.section == "problems" else self.answers)

    @property
    def folds(self) -> Folds | None:
        """The objects of the section; None where it has none."""
        if self.section == "live":
            return self.comparison.folds
        return self.manifests if self.section == "manifests" else None

    def titles(self, draft: Draft) -> tuple[str, ...]:
        """The headings of the sections, in their order."""
        differences = sum(value != default for _, value, default in draft.rows())
        return f"problems{counts(draft) or ' ✓'}", f"answers {differences}≠", "manifests", "diff against live"

    def hint(self) -> str:
        """What can be done in the section."""
        if self.section == "problems":
            return "Enter goes to the question"
        if self.section == "answers":
            switch = "o: all" if self.answers.only_changed else "o: only these"
            return f"≠ differs from its default · Enter goes to the question · {switch}"
        if self.section == "manifests":
            return f"{len(self.manifests.folds)} objects in apply order · / searches"
        return "d compares again; nothing is written · Enter unfolds an object · / searches"

    def excerpt(self, draft: Draft) -> Excerpt | None:
        """The object under the cursor, or the answers as a file."""
        if self.folds is None:
            return Excerpt("the answers", draft.text(), "answers.yaml")
        fold = self.folds.current
        if fold is None:
            return None
        title = visible(fold.title)
        name = "-".join(re.findall(r"[\w.]+", title)) or "object"
        return Excerpt(title, "\n".join(fold.lines) + "\n", f"{name}.yaml")
