"""The browser of the cluster's Secrets: which could be chosen, why, and why the others will not do.

The screen lays out its parts and binds keys. ``secret_feed`` fills the list, ``secret_choosing`` tries and chooses;
``widgets.secret_list``, ``candidate_text`` and ``browser_parts`` show. Values are never shown.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import ScreenResume
from textual.widgets import Input, Static

from pgwizard.endpoint import Endpoint
from pgwizard.text import plain
from pgwizard.tls.names import Rules
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.copying import Copies, Excerpt
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.secret_choice import SecretChoice
from pgwizard.tui.secret_choosing import SecretChoosing
from pgwizard.tui.secret_feed import SecretFeed
from pgwizard.tui.widgets.browser_parts import QuestionBar, attempt_text, nothing, progress, unreadable
from pgwizard.tui.widgets.candidate_text import all_lines, row_text
from pgwizard.tui.widgets.dialogs import TextWindow
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.secret_list import SecretList
from pgwizard.wizard.candidates import Search


class SecretBrowser(Copies, ReportsDefects, BaseScreen[SecretChoice | None]):
    """Ends with what was chosen, or None."""

    HELP: ClassVar[str] = (
        "Every Secret that you may read, the best one first, with the reason. Values are never shown.\n\n"
        "✓ would do   ✗ would not, and why   ? unknown   · not read yet\n\n"
        "A Secret whose name or keys look right is read when it comes into view.\n\n"
        "What you type filters by any words: name, kind, subject, host names.\n"
        "Enter chooses; Enter again chooses one that would not verify.\n"
        "F5 reads everything again. F6 accepts a name that is not in the list.\n"
        "F7 lists the namespaces that may not be read, and how to ask for it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "again", "reload", tooltip="read everything again"),
        Binding("f6", "type", "type a name", tooltip="name a Secret that is not in the list"),
        Binding("f7", "why", "why denied", tooltip="list what you may not read, and how to get permission"),
        Binding("f8", "copy", "copy", tooltip="copy the details of the Secret to the terminal's clipboard (OSC 52)"),
        Binding("f9", "write_file", "write file", show=False, tooltip="write to a file what F8 copies"),
        Binding("escape", "back", "back"),
    ]
    WRITE_KEY = "F9"
    BLANK = True  # or each paint makes lines that are never seen
    # not CSS: that would style the whole application again at the opening
    DEFAULT_CSS = """
    SecretBrowser #heads { height: 1; color: $text-muted; }
    SecretBrowser #counts { height: 1; padding: 0 1; background: $panel; }
    SecretBrowser #detail { height: 7; padding: 0 1; }
    """

    def __init__(
        self,
        purpose: Literal["ca", "s3", "database", "passphrase"],
        endpoint: Endpoint,
        namespace: str,
        current: tuple[str, str],
        rules: Rules,
    ) -> None:
        super().__init__()
        self.search = Search(purpose, endpoint, namespace, rules)
        self.listing = SecretList(self.search, current)
        self.question = QuestionBar(self.search, self.listing)
        self.feed = SecretFeed(
            self.search,
            self.listing,
            lambda: self.connection,
            lambda work: self.run_worker(work(), group="search", exit_on_error=False),
            after=self.set_timer,
            on_change=self._show_row,
            now=self._now,
        )
        self.choosing = SecretChoosing(
            self.feed,
            self.listing,
            lambda: self.connection,
            warn=lambda text: self.notify(text, severity="warning", markup=False),
            on_change=self._show_row,
            leave_name=self.question.leave_name,
            choose=self.dismiss,
            now=self._now,
        )

    def _now(self) -> datetime:
        return self.start.now()

    def compose(self) -> ComposeResult:
        """Question and filter, the list, how far the search is, what is known of one row."""
        yield self.question
        yield self.listing.heads
        yield self.listing
        yield Static(id="counts", markup=False)
        yield Static(id="detail", markup=False)
        yield KeyLine()
        self.feed.begin()

    def on_mount(self) -> None:
        """What needs the widgets."""
        self.listing.today = self.start.now()
        self.question.filter.focus()
        self.watch(self.app, "link", self._show_row, init=False)
        self.feed.open()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Its widgets were styled when they were made: the first time they are not styled once more."""
        event.refresh_styles = self.stack_updates > 0

    def begin(self) -> None:
        """Search: already before the browser is shown, as the cluster can answer while its widgets are made."""
        self.feed.begin()

    def _show_row(self) -> None:
        """How far the search is, and what is known of the row under the cursor."""
        if not self.is_mounted:
            return
        secrets, attempt, row = self.feed.secrets, self.choosing.attempt, self.listing.row
        if attempt is not None:
            counts = attempt_text(attempt, self.search)
        else:
            in_view, is_filtered = len(self.listing.in_view), bool(self.feed.filter)
            counts = progress(secrets, in_view, self.host.link, is_filtered=is_filtered)
            if self.start.demo and secrets.state != "connecting":
                counts += " · DEMO: simulated"
        if row is not None:
            width = self.size.width - 2
            detail = row_text(row, self.search, secrets.server_answer, self.listing.today, width)
        else:
            detail = Text(nothing(secrets))
        self.query_one("#counts", Static).update(Text(counts, no_wrap=True), layout=False)
        self.query_one("#detail", Static).update(detail, layout=False)

    def excerpt(self) -> Excerpt | None:
        """What is known of the row, nothing cut off."""
        row = self.listing.row
        if row is None:
            return None
        return Excerpt(plain(row.place), "\n".join(all_lines(row)) + "\n", f"{plain(row.secret)}.txt")

    # ---- keys and messages -----------------------------------------------------------------------------------------

    def on_secret_list_moved(self) -> None:
        self.choosing.follow()
        self.feed.follow()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as it is typed."""
        if event.input is self.question.filter:
            self.feed.filter_by(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The name of a Secret that is not in the list."""
        work = self.choosing.choose_named(event.value)
        self.run_worker(work, group="choose", exclusive=True, exit_on_error=False)

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        row = self.listing.row
        if row is not None and not self.choosing.is_trying(row):
            self.run_worker(self.choosing.choose(row), group="choose", exclusive=True, exit_on_error=False)

    def action_again(self) -> None:
        """Read everything again; where there is no connection, connect first."""
        self.choosing.forget()
        self.feed.again()

    async def action_type(self) -> None:
        """Ask for the name of a Secret that is not in the list."""
        await self.question.ask_name()

    def action_why(self) -> None:
        """List what may not be read, and what failed."""
        lines = unreadable(self.feed.secrets) or ["Everything could be read."]
        self.app.push_screen(TextWindow("What could not be read", Text("\n".join(lines))))

    async def action_back(self) -> None:
        """Out of the field, out of the filter, out of the browser."""
        if await self.question.close_name():
            self.workers.cancel_group(self, "choose")  # the name may be being read
        elif not self.question.clear_filter():
            self.dismiss(None)
