"""Fills the list of Secrets from a search: rows that come together are shown together, those in view are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from pgwizard.clock import Clock
from pgwizard.tui.background import Job, StartJob
from pgwizard.tui.connection import Connection
from pgwizard.tui.secret_search import SecretSearch
from pgwizard.wizard.candidates import Candidate, Search

REPAINT_SECONDS = 0.1
SETTLE_SECONDS = 0.06
"""How long the list must not move before what is in view is read."""


class CandidateList(Protocol):
    """The list that is filled. has_moved: whether a person has moved the cursor."""

    cursor: int
    has_moved: bool

    @property
    def row(self) -> Candidate | None:
        """The row under the cursor."""

    @property
    def in_view(self) -> Sequence[Candidate]:
        """The rows that are seen."""

    def show(self, rows: Sequence[Candidate], cursor: int) -> None:
        """cursor: the number of the row under it."""


class Alarm(Protocol):
    """What a timer gives to stop it."""

    def stop(self) -> None:
        """No error where it has rung."""


class SecretFeed:
    """after: calls a function after so many seconds; on_change: called when rows, cursor or view have changed.

    It may begin before the list can show anything: ``open`` shows what has come until then.
    """

    def __init__(
        self,
        search: Search,
        listing: CandidateList,
        connection: Callable[[], Connection],
        run: StartJob,
        *,
        after: Callable[[float, Callable[[], None]], Alarm],
        on_change: Callable[[], None],
        now: Clock,
    ) -> None:
        self._listing, self._connection, self._run = listing, connection, run
        self._after, self._on_change, self._now = after, on_change, now
        self._work: Job | None = None
        self._repaint: Alarm | None = None
        self._settle: Alarm | None = None
        self._is_open = False
        self.filter = ""
        self.secrets = self._new_search(search)

    def _new_search(self, search: Search) -> SecretSearch:
        return SecretSearch(search, self._now, self._take_rows)

    def open(self) -> None:
        """The list can show rows from now on."""
        self._is_open = True
        self.show()

    def begin(self) -> None:
        """Search, as soon as there is a connection. Nothing where that has begun."""
        if self._work is None:
            self._work = self._run(self._browse)

    def again(self) -> None:
        """Read everything again; where there is no connection, connect first."""
        connection = self._connection()
        if connection.cluster is None:
            connection.connect()
        connection.readable.clear()
        self._listing.has_moved = False
        if self._work is not None:
            self._work.cancel()
        self.secrets = self._new_search(self.secrets.search)
        self.secrets.findings.arrange(self.filter)
        self.show()
        self._work = self._run(self._browse)

    async def _browse(self) -> None:
        connection = self._connection()
        await self.secrets.run(await connection.once_connected(), connection.readable)

    def filter_by(self, text: str) -> None:
        """Show only rows that have all of these words, from the first one on."""
        self.filter = text
        self.secrets.findings.arrange(text)
        self._listing.has_moved = False
        self._listing.show(self.secrets.findings.visible_rows, 0)
        self.follow()

    def reveal(self, best: Candidate, rows: Sequence[Candidate]) -> None:
        """Show the rows of a Secret, this one under the cursor; a filter that hides it is cleared."""
        findings = self.secrets.findings
        findings.learn(rows)
        findings.arrange()
        if findings.place_of(best) is None:
            self.filter = ""
            findings.arrange("")
        self._listing.has_moved = True
        self._listing.show(findings.visible_rows, findings.place_of(best) or 0)
        self._on_change()

    def follow(self) -> None:
        """Another row is under the cursor, or others are in view: they are read once the list does not move."""
        self._on_change()
        if self._settle is not None:
            self._settle.stop()
        self._settle = self._after(SETTLE_SECONDS, self._read_in_view)

    async def read(self, row: Candidate) -> None:
        """Read the contents of a row's Secret."""
        await self.secrets.read(await self._connection().once_connected(), row)

    def _take_rows(self, first: bool) -> None:
        """Show the first rows at once, all others together with what comes in the same moment."""
        if first and self._is_open:
            self.show()
        elif self._is_open and self._repaint is None:
            self._repaint = self._after(REPAINT_SECONDS, self.show)

    def show(self) -> None:
        """Show the rows in their order of now; the row under the cursor stays there if a person has moved to it."""
        self._repaint = None
        here, findings = self._listing.row, self.secrets.findings
        findings.arrange()
        cursor = findings.place_of(here) if here is not None and self._listing.has_moved else 0
        self._listing.show(findings.visible_rows, cursor if cursor is not None else self._listing.cursor)
        self.follow()

    def _read_in_view(self) -> None:
        self._settle = None
        rows = [row for row in self._listing.in_view if row.hopeful]
        if self._listing.row is not None and self._listing.has_moved:
            rows.append(self._listing.row)
        for row in self.secrets.claim_unread(rows):
            self._run(lambda row=row: self.read(row))  # type: ignore[misc]
