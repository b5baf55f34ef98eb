"""What an apply would change, as objects that unfold."""

from __future__ import annotations

from collections.abc import Sequence

from pgwizard.release.changes import Change
from pgwizard.release.report import change_line
from pgwizard.tui.widgets.folds import Fold


def change_folds(changes: Sequence[Change]) -> list[Fold]:
    """Each with its diff, or with all of an object that is new. What does not change comes last."""
    order = sorted(changes, key=lambda change: change.action in ("unchanged", "keep"))
    return [
        Fold(change_line(change), tuple(change.after.splitlines()))
        if change.action == "create"
        else Fold(change_line(change), tuple(change.lines()), diff=True)
        for change in order
    ]
