"""How a run ended, as words and texts below each other: what failed, why, what to do, where to read more."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from pgwizard.diagnose import messages
from pgwizard.errors import Finding
from pgwizard.release.apply import ApplyOutcome
from pgwizard.release.report import address
from pgwizard.text import visible
from pgwizard.tui.navigation import message_link

OutcomeRow = tuple[str, str]
"""A word and its text, which may have several lines."""
MORE = "more"
"""The word before a link to a message."""
CONNECT = "connect"
"""The word before commands for a shell."""


def failure_rows(failure: Finding, findings: Sequence[Finding] = ()) -> list[OutcomeRow]:
    """An error: what failed, each finding, cause, fix, and the message that explains it."""
    rows = [("cause", failure.cause), ("fix", failure.fix), (MORE, messages.link(failure.key) if failure.key else "")]
    every = [("", finding.whole) for finding in findings]
    return [("✗", failure.text), *every, *((word, text) for word, text in rows if text)]


def success_rows(outcome: ApplyOutcome) -> list[OutcomeRow]:
    """An apply that ended: its headline, where the database is, and why the release cannot be relied on."""
    rows = [("!" if outcome.findings else "✓", outcome.headline)]
    if outcome.result == "deployed" and outcome.plan is not None:
        rows.append(("", address(outcome.plan)))
    for finding in outcome.findings:
        rows += [("cause", finding.cause), ("fix", finding.fix), (MORE, messages.link(finding.key))]
    return rows


def outcome_table(rows: Sequence[OutcomeRow]) -> Table:
    """The rows, each text wrapped in its own column."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    for number, (word, text) in enumerate(rows):
        cell = Text("\n".join(map(visible, text.splitlines())), "bold" if number == 0 else "")
        table.add_row(Text(word, "bold" if number == 0 else "dim"), message_link(text) if word == MORE else cell)
    return table


def outcome_lines(rows: Sequence[OutcomeRow]) -> list[str]:
    """The rows as plain text; a command stays one line, to paste into a shell."""
    return [
        visible(line if word == CONNECT else f"{word:7} {line}") for word, text in rows for line in text.splitlines()
    ]


class OutcomeBox(VerticalScroll):
    """Shows the rows, once there are some."""

    DEFAULT_CSS = "OutcomeBox { height: auto; display: none; padding: 0 1; border-top: solid $panel-lighten-3; }"

    def __init__(self) -> None:
        super().__init__(id="outcome")
        self.rows: Sequence[OutcomeRow] = ()

    def compose(self) -> ComposeResult:
        """One text, to scroll where it is long."""
        yield Static(markup=False)

    def show(self, rows: Sequence[OutcomeRow]) -> None:
        """Show these rows; hide where there are none."""
        self.rows = rows
        self.query_one(Static).update(outcome_table(rows))
        self.display = bool(rows)
        self.scroll_home(animate=False)
