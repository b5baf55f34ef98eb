"""Parts of the browser of Secrets: its question, its lines to type into, and in words how far the search has come."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.widgets import Input, Static

from pgwizard.text import plain
from pgwizard.tui.secret_search import SecretSearch
from pgwizard.tui.widgets.candidate_text import finding_text
from pgwizard.tui.widgets.secret_list import WIDE, SecretList
from pgwizard.tui.widgets.text_line import TextLine
from pgwizard.wizard.candidates import Candidate, Search

_LONGEST = 300
"""Lines of what could not be read."""
_QUESTIONS = {
    "ca": "Which certificate should pgBackRest trust for {endpoint} ?",
    "s3": "Which Secret has the S3 key pair for {endpoint} ?",
    "database": "Which Secret of namespace {namespace} has the superuser's name and password?",
    "passphrase": "Which Secret of namespace {namespace} has the repository's passphrase?",
}
_SHORT_QUESTIONS = {
    "ca": "Trust which certificate for {endpoint} ?",
    "s3": "Which S3 key pair for {endpoint} ?",
    "database": "Which Secret with superuser's name, password?",
    "passphrase": "Which Secret with the passphrase?",
}
_PLACEHOLDERS = {
    "ca": "namespace/secret, or namespace/secret/key",
    "s3": "namespace/secret, or namespace/secret/key of the name,key of the secret",
    "database": "secret, or secret/key of the name,key of the password",
    "passphrase": "secret, or secret/key",
}


class LineInput(TextLine):
    """A line with a width of its own."""

    def __init__(self, placeholder: str, name: str, width: int | str) -> None:
        super().__init__(placeholder=placeholder, id=name)
        self.styles.width = width
        self.styles.padding = (0, 1)


class Filter(LineInput):
    """Words that a row must contain. It has all keys: those for the list move in the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.choose", "choose"),
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "edge(-1)", show=False),
        Binding("end", "edge(1)", show=False),
    ]

    def __init__(self, listing: SecretList) -> None:
        super().__init__("type to filter", "filter", 32)
        self._listing = listing

    def action_move(self, step: int) -> None:
        self._listing.move(step)

    def action_page(self, step: int) -> None:
        self._listing.page(step)

    def action_edge(self, side: int) -> None:
        self._listing.end(last=side > 0)


class QuestionBar(Horizontal):
    """What is to be chosen, beside the filter; on request, a line below for a name that is not in the list."""

    # not CSS: that would style the whole application again at the opening
    DEFAULT_CSS = """
    QuestionBar { height: 1; }
    QuestionBar #question { width: 1fr; height: 1; padding: 0 1; text-style: bold; }
    """

    def __init__(self, search: Search, listing: SecretList) -> None:
        super().__init__(id="ask")
        self._search = search
        self.filter = Filter(listing)

    def compose(self) -> ComposeResult:
        yield Static(self._text(_QUESTIONS), id="question", markup=False)
        yield self.filter

    def on_resize(self, event: Resize) -> None:
        """Fewer words where there is little room."""
        small = event.size.width < WIDE
        self.filter.styles.width = 20 if small else 32
        text = self._text(_SHORT_QUESTIONS if small else _QUESTIONS)
        self.query_one("#question", Static).update(Text(text, overflow="ellipsis", no_wrap=True), layout=False)

    def _text(self, words: dict[str, str]) -> str:
        endpoint, namespace = plain(str(self._search.endpoint), 80), self._search.namespace
        return words[self._search.purpose].format(endpoint=endpoint, namespace=namespace)

    async def ask_name(self) -> None:
        """Open the line for a name. Nothing where it is open."""
        if not self.screen.query("#typed"):
            field = LineInput(_PLACEHOLDERS[self._search.purpose], "typed", "1fr")
            await self.screen.mount(field, after=self)
            field.focus()

    async def close_name(self) -> bool:
        """Close the line for a name, and go back to the filter. False where it is not open."""
        fields = self.screen.query("#typed")
        if not fields:
            return False
        await fields.remove()
        self.filter.focus()
        return True

    async def leave_name(self, text: str) -> None:
        """Close the line for a name, over rows that are filtered by this text already."""
        await self.close_name()
        with self.filter.prevent(Input.Changed):
            self.filter.value = text

    def clear_filter(self) -> bool:
        """Drop the words of the filter. False where there are none."""
        has_words = bool(self.filter.value)
        self.filter.value = ""
        return has_words


def attempt_text(attempt: Candidate, search: Search) -> str:
    """That a certificate is being tried on the server."""
    return f"trying {plain(attempt.place)} on {plain(str(search.endpoint), 80)} …"


def progress(secrets: SecretSearch, in_view: int, link: str, *, is_filtered: bool) -> str:
    """How much was found, what may not be read, and how far the search is. in_view: rows; link: the connection."""
    if secrets.state == "connecting":
        return plain(link) if link.startswith("not connected") else "connecting to the cluster …"
    rows_shown, total_rows = len(secrets.findings.visible_rows), sum(map(len, secrets.findings.by_place.values()))
    parts: list[str] = []
    if is_filtered:
        parts.append(f"{rows_shown:,} of {total_rows:,} match the filter")
    elif total_rows:
        below = max(0, rows_shown - in_view)
        spaces = len(secrets.findings.namespaces)
        more = f"{below:,} more" if below else f"{total_rows:,} in all"
        parts.append(f"{more} in {spaces:,} namespace{'s' if spaces != 1 else ''}")
    if secrets.denials:
        count = sum(1 for denial in secrets.denials if denial.namespace)
        what = f"{count:,} namespace{'s' if count != 1 else ''}" if count else "some"
        parts.append(f"{what} may not be read (why: F7)")
    if secrets.state == "loading":
        total = f" of {secrets.expected:,}" if secrets.expected > secrets.count else ""
        to_come = f", {secrets.to_come:,} namespaces" if secrets.to_come else ""
        parts.append(f"loading {secrets.count:,}{total}{to_come}")
    elif secrets.state == "failed":
        parts.append("stopped (why: F7; read again: F5)")
    if secrets.failures and secrets.state != "failed":
        parts.append(f"! {plain(finding_text(secrets.failures[-1]), 120)}")
    return " · ".join(parts)


def nothing(secrets: SecretSearch) -> str:
    """Why there is no row: loading, empty, filtered, denied and failed are different things."""
    last = plain(finding_text(secrets.failures[-1]), 600) if secrets.failures else ""
    if secrets.state == "connecting":
        return ""
    if secrets.state == "failed":
        return f"The list could not be read: {last}"
    if secrets.findings.by_place:
        return "Nothing matches the filter. Esc clears it."
    if last:
        return f"Not everything could be read: {last}"
    if secrets.state == "loading":
        return "Searching …"
    if secrets.denials:
        return f"{plain(finding_text(secrets.denials[0].finding), 600)}\nYou can still type a name: F6"
    search = secrets.search
    where = f"namespace {search.namespace}" if search.purpose in {"database", "passphrase"} else "cluster"
    return f"There is no Secret in this {where}. You can type a name: F6"


def unreadable(secrets: SecretSearch) -> list[str]:
    """Each namespace that may not be read and why, and each failure; no more lines than anybody reads."""
    denials = [": ".join(filter(None, (each.namespace, finding_text(each.finding)))) for each in secrets.denials]
    lines = [plain(text, 600) for text in (*denials, *map(finding_text, secrets.failures))]
    more = len(lines) - _LONGEST
    return [*lines[:_LONGEST], *([f"and {more:,} more"] if more > 0 else [])]
