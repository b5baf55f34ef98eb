"""Choosing a Secret: a certificate is tried on the server first. It shows nothing, and knows no screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pgwizard.clock import Clock
from pgwizard.errors import Finding
from pgwizard.text import plain
from pgwizard.tui.connection import Connection
from pgwizard.tui.secret_choice import SecretChoice, TypedName
from pgwizard.tui.secret_feed import CandidateList, SecretFeed
from pgwizard.tui.widgets.candidate_text import finding_text, reason_text
from pgwizard.wizard import browse, candidates
from pgwizard.wizard.candidates import Candidate


class SecretChoosing:
    """One that would not verify, or could not be tried, is chosen by a second Enter.

    warn: shows why nothing is chosen; on_change: called when another row is tried; leave_name: closes the field of a
    typed name whose rows are listed, called with the filter of these rows; choose: called with the choice.
    """

    def __init__(
        self,
        feed: SecretFeed,
        listing: CandidateList,
        connection: Callable[[], Connection],
        *,
        warn: Callable[[str], None],
        on_change: Callable[[], None],
        leave_name: Callable[[str], Awaitable[None]],
        choose: Callable[[SecretChoice], object],
        now: Clock,
    ) -> None:
        self._feed, self._listing, self._connection = feed, listing, connection
        self._warn, self._on_change, self._leave_name, self._choose = warn, on_change, leave_name, choose
        self._now = now
        self._doubtful: Candidate | None = None
        """What was warned of once: it is chosen by another Enter."""
        self.attempt: Candidate | None = None
        """The row whose certificates are being tried on the server."""

    def follow(self) -> None:
        """The cursor may have moved: what was refused elsewhere is refused again."""
        if not _is_same(self._doubtful, self._listing.row):
            self._doubtful = None

    def forget(self) -> None:
        """Everything is read again: what was refused may be right now."""
        self._doubtful = None

    def is_trying(self, row: Candidate) -> bool:
        """Whether this row is being tried already."""
        return _is_same(self.attempt, row)

    async def choose(self, row: Candidate) -> None:
        """Choose a row, or show why it cannot be chosen."""
        if row.kind == "not read":
            await self._feed.read(row)
            self._feed.show()
            self._warn("It had not been read yet: look at what it contains, then choose.")
            return
        if not row.keys:
            self._warn(reason_text(row) or "It contains nothing to choose.")
            return
        if self._feed.secrets.search.purpose == "ca" and not _is_same(self._doubtful, row):
            doubt = self._refusal(reason_text(row)) if row.ok is False else await self._try(row)
            if doubt is None:
                return
            if doubt:
                self._doubtful = row
                self._warn(f"{doubt}. Enter again selects it anyway.")
                return
        self._choose(SecretChoice(row.namespace, row.secret, row.keys))

    async def _try(self, row: Candidate) -> str | None:
        """What speaks against it, empty for nothing; None where another row is highlighted meanwhile."""
        here, self.attempt = self._listing.row, row
        self._listing.has_moved = True  # it stays under the cursor while others are found
        self._on_change()
        try:
            cluster = await self._connection().once_connected()
            verdict = await browse.confirm(cluster, row, self._feed.secrets.search, self._now())
        finally:
            if self.attempt is row:  # another one may have begun
                self.attempt = None
                self._on_change()
        if not _is_same(here, self._listing.row):
            return None
        if isinstance(verdict, Finding):
            return f"It was not tried on {self._server}: {plain(finding_text(verdict)).rstrip('.')}"
        if verdict.ok is None:
            return f"Whether it would verify {self._server} is not known: it {plain(verdict.why)}"
        return "" if verdict.ok else self._refusal(verdict.why)

    def _refusal(self, why: str) -> str:
        return f"It would not verify {self._server}: {plain(why)}"

    @property
    def _server(self) -> str:
        return plain(str(self._feed.secrets.search.endpoint), 80)

    async def choose_named(self, text: str) -> None:
        """Choose a Secret by its name, which need not be in the list, or show why it cannot be chosen."""
        search = self._feed.secrets.search
        parts = candidates.parse_name(text, search)
        if isinstance(parts, str):
            self._warn(parts)
            return
        name, connection = TypedName(*parts), self._connection()
        if connection.cluster is None and connection.trouble is None:
            self._warn("Still connecting to the cluster: press Enter again in a moment.")
            return
        if connection.cluster is None:
            self._choose(name.unread(search))
            return
        rows = await self._feed.secrets.contents(connection.cluster, name.namespace, name.secret)
        match name.choice(rows, search):
            case Candidate() as best:
                self._feed.reveal(best, rows)
                await self._leave_name(self._feed.filter)
                await self.choose(best)
            case SecretChoice() as choice:
                self._choose(choice)
            case why:
                self._warn(why)


def _is_same(one: Candidate | None, other: Candidate | None) -> bool:
    return one is not None and other is not None and one.identity == other.identity
