"""Candidates in order, filtered as a person types. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pgwizard.wizard import candidates
from pgwizard.wizard.candidates import Candidate


class CandidateIndex:
    """The rows in order, filtered; a row replaces earlier rows of its Secret."""

    def __init__(self) -> None:
        self.by_place: dict[tuple[str, str], tuple[Candidate, ...]] = {}
        self.visible_rows: list[Candidate] = []
        self.namespaces: set[str] = set()
        self._entries: list[tuple[tuple[int, str, str, tuple[str, ...]], Candidate, str]] = []
        self._filter = ""

    def learn(self, rows: Iterable[Candidate]) -> None:
        """Add rows; they are shown after ``arrange``."""
        fresh = candidates.by_secret(rows)
        self.namespaces |= {namespace for namespace, _ in fresh}
        if stale := fresh.keys() & self.by_place.keys():
            self._entries = [entry for entry in self._entries if (entry[1].namespace, entry[1].secret) not in stale]
        for place, of_place in fresh.items():
            self.by_place[place] = tuple(of_place)
            self._entries += [(row.order, row, _haystack(row)) for row in of_place]

    def arrange(self, text_filter: str | None = None) -> None:
        """Sort, and keep rows that contain every word of the filter."""
        if text_filter is not None:
            self._filter = text_filter
        self._entries.sort(key=lambda entry: entry[0])
        words = self._filter.lower().split()
        if words:
            self.visible_rows = [row for _, row, text in self._entries if all(word in text for word in words)]
        else:
            self.visible_rows = [row for _, row, _ in self._entries]

    def place_of(self, row: Candidate) -> int | None:
        """Where a Secret's row is shown now: the same key, else the Secret's first."""
        same = [number for number, row_ in enumerate(self.visible_rows) if row_.identity == row.identity]
        if same:
            return same[0]
        place = (row.namespace, row.secret)
        return next((n for n, row_ in enumerate(self.visible_rows) if (row_.namespace, row_.secret) == place), None)


def _haystack(row: Candidate) -> str:
    first = row.first
    words = [row.place, row.kind, *row.keys]
    if first is not None:
        words += [first.subject, *first.dns_names]
    return " ".join(words).lower()
