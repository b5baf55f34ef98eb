"""The browser of the cluster's Secrets: which could be chosen, why, and why the others will not do.

The screen binds keys and chooses. ``secret_search`` finds and reads, ``secret_choice`` decides about typed names;
``widgets.secret_list``, ``candidate_text`` and ``browser_parts`` show. Values are never shown.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize, ScreenResume
from textual.timer import Timer
from textual.widgets import Input, Static

from pgwizard.endpoint import Endpoint
from pgwizard.text import plain
from pgwizard.tls.names import Rules
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.copying import Copies, Excerpt
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.secret_choice import SecretChoice, TypedName
from pgwizard.tui.secret_search import SecretSearch
from pgwizard.tui.widgets import browser_parts
from pgwizard.tui.widgets.browser_parts import Filter, LineInput
from pgwizard.tui.widgets.candidate_text import all_lines, certificate_text, outline_text
from pgwizard.tui.widgets.dialogs import TextWindow
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.secret_list import WIDE, SecretList
from pgwizard.wizard import browse, candidates
from pgwizard.wizard.candidates import Candidate, Search

REPAINT_SECONDS = 0.1
SETTLE_SECONDS = 0.06
"""How long the list must not move before what is in view is read."""


class SecretBrowser(Copies, ReportsDefects, BaseScreen["SecretChoice | None"]):
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
        Binding("f7", "why", "why denied", tooltip="list what may not be read, and how to ask for it"),
        Binding("f8", "copy", "copy", tooltip="copy what is known of the Secret to the terminal's clipboard (OSC 52)"),
        Binding("f9", "write_file", "write file", show=False, tooltip="write to a file what F8 copies"),
        Binding("escape", "back", "back"),
    ]
    WRITE_KEY = "F9"
    BLANK = True  # or each paint makes lines that are never seen
    # not CSS: that would style the whole application again at the opening
    DEFAULT_CSS = """
    SecretBrowser #ask { height: 1; }
    SecretBrowser #question { width: 1fr; height: 1; padding: 0 1; text-style: bold; }
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
        self.secrets = self._new_search()
        self.listing = SecretList(self.search, current)
        self._is_begun = self._is_ready = False
        self._repaint: Timer | None = None
        self._settle: Timer | None = None
        self._doubted: Candidate | None = None
        """What was refused once: it is chosen by another Enter."""
        self._trying: Candidate | None = None

    def _new_search(self) -> SecretSearch:
        return SecretSearch(self.search, self._now, self._found)

    def _now(self) -> datetime:
        return self.start.now()

    def compose(self) -> ComposeResult:
        """Question and filter, the list, how far the search is, what is known of one row."""
        with Horizontal(id="ask"):
            yield Static(self._question(browser_parts.QUESTIONS), id="question", markup=False)
            yield Filter("type to filter", "filter", 32)
        yield Static(id="heads", markup=False)
        yield self.listing
        yield Static(id="counts", markup=False)
        yield Static(id="detail", markup=False)
        yield KeyLine()
        if not self._is_begun:
            self.begin()

    def on_mount(self) -> None:
        """What needs the widgets."""
        self.listing.today = self.start.now()
        self.query_one(Filter).focus()
        self.watch(self.app, "link", self._show_row, init=False)
        self._is_ready = True
        self._show()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Its widgets were styled when they were made: the first time they are not styled once more."""
        event.refresh_styles = self.stack_updates > 0

    def on_resize(self, event: Resize) -> None:
        """The heads are above their columns, and other rows are in view."""
        small = event.size.width < WIDE
        self.query_one(Filter).styles.width = 20 if small else 32
        words = browser_parts.SHORT_QUESTIONS if small else browser_parts.QUESTIONS
        question = Text(self._question(words), overflow="ellipsis", no_wrap=True)
        self.query_one("#question", Static).update(question, layout=False)
        self.call_after_refresh(self._fit)

    def _question(self, words: dict[str, str]) -> str:
        endpoint, namespace = plain(str(self.search.endpoint), 80), self.search.namespace
        return words[self.search.purpose].format(endpoint=endpoint, namespace=namespace)

    def _fit(self) -> None:
        self.query_one("#heads", Static).update(Text(self.listing.heads()), layout=False)
        self._follow()

    # ---- finding ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Search: already before the browser is shown, as the cluster can answer while its widgets are made."""
        self._is_begun = True
        self.run_worker(self._browse(), name="browse secrets", group="browse", exclusive=True, exit_on_error=False)

    async def _browse(self) -> None:
        await self.secrets.run(await self.connection.once_connected(), self.connection.readable)

    def action_again(self) -> None:
        """Read everything again; where there is no connection, connect first."""
        if self.connection.cluster is None:
            self.connection.connect()
        self.connection.readable.clear()
        self.listing.moved, self._doubted = False, None
        self.secrets = self._new_search()
        self.secrets.findings.arrange(self.query_one(Filter).value)
        self._show()
        self.begin()

    def _found(self, first: bool) -> None:
        """Show the first rows at once, all others together with what comes in the same moment."""
        if first and self._is_ready:
            self._show()
        elif self._is_ready and self._repaint is None:
            self._repaint = self.set_timer(REPAINT_SECONDS, self._show)

    def _show(self) -> None:
        self._repaint = None
        here, findings = self.listing.row, self.secrets.findings
        findings.arrange()
        cursor = findings.place_of(here) if here is not None and self.listing.moved else 0
        self.listing.show(findings.shown, cursor if cursor is not None else self.listing.cursor)
        self._follow()

    def _follow(self) -> None:
        """Another row is highlighted, or other rows are in view, which are read once the list does not move."""
        self._show_row()
        if self._settle is not None:
            self._settle.stop()
        self._settle = self.set_timer(SETTLE_SECONDS, self._read_in_view)

    def _read_in_view(self) -> None:
        self._settle = None
        rows = [row for row in self.listing.in_view if row.hopeful]
        if self.listing.row is not None and self.listing.moved:
            rows.append(self.listing.row)
        for row in self.secrets.claim_unread(rows):
            self.run_worker(self._read(row), group="contents", exit_on_error=False)

    async def _read(self, row: Candidate) -> None:
        await self.secrets.read(await self.connection.once_connected(), row)

    def _show_row(self, *_: object) -> None:
        if not self._is_ready:
            return
        self.query_one("#counts", Static).update(Text(self._progress(), no_wrap=True), layout=False)
        self.query_one("#detail", Static).update(self._detail(), layout=False)

    def _progress(self) -> str:
        if self._trying is not None:
            return f"trying {plain(self._trying.place)} on {plain(str(self.search.endpoint), 80)} …"
        is_filtered = bool(self.query_one(Filter).value)
        in_view = len(self.listing.in_view)
        text = browser_parts.progress(self.secrets, in_view, self.host.link, is_filtered=is_filtered)
        is_connecting = self.secrets.state == "connecting"
        return f"{text} · DEMO: simulated" if self.start.demo and not is_connecting else text

    def _detail(self) -> Text:
        row = self.listing.row
        if row is None:
            return Text(browser_parts.nothing(self.secrets))
        if self.search.purpose != "ca" or row.bundle is None:
            return outline_text(row, self.search)
        return certificate_text(row, self.search, self.secrets.served, self.listing.today)

    # ---- keys ------------------------------------------------------------------------------------------------------

    def on_secret_list_highlighted(self) -> None:
        """By the mouse."""
        self._moved()

    def _moved(self) -> None:
        self._doubted = None
        self._follow()

    def action_move(self, step: int) -> None:
        """One row up or down."""
        self.listing.move(step)
        self._moved()

    def action_page(self, step: int) -> None:
        """As many rows as are in view."""
        self.listing.page(step)
        self._moved()

    def action_end(self, last: int) -> None:
        """The first or the last row."""
        self.listing.end(last=bool(last))
        self._moved()

    def action_type(self) -> None:
        """Ask for the name of a Secret that is not in the list."""
        if not self.query("#typed"):
            field = LineInput(browser_parts.PLACEHOLDERS[self.search.purpose], "typed", "1fr")
            self.mount(field, after=self.query_one("#ask"))
            field.focus()

    def action_why(self) -> None:
        """List what may not be read, and what failed."""
        lines = browser_parts.unreadable(self.secrets) or ["Everything could be read."]
        self.app.push_screen(TextWindow("What could not be read", Text("\n".join(lines))))

    def excerpt(self) -> Excerpt | None:
        """What is known of the row, nothing cut off."""
        row = self.listing.row
        if row is None:
            return None
        return Excerpt(plain(row.place), "\n".join(all_lines(row)) + "\n", f"{plain(row.secret)}.txt")

    def action_back(self) -> None:
        """Out of the field, out of the filter, out of the browser."""
        box = self.query_one(Filter)
        typed = self.query("#typed")
        if typed:
            typed.remove()
            box.focus()
        elif box.value:
            box.value = ""
        else:
            self.dismiss(None)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as it is typed."""
        if event.input.id == "filter":
            self.secrets.findings.arrange(event.value)
            self.listing.moved = False
            self.listing.show(self.secrets.findings.shown, 0)
            self._follow()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The name of a Secret that is not in the list."""
        self.run_worker(self._choose_named(event.value), group="choose", exclusive=True, exit_on_error=False)

    # ---- choosing --------------------------------------------------------------------------------------------------

    def on_secret_list_wanted(self) -> None:
        """By the mouse."""
        self.action_choose()

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        row = self.listing.row
        if row is not None and not (self._trying and self._trying.identity == row.identity):
            self.run_worker(self._choose(row), group="choose", exclusive=True, exit_on_error=False)

    async def _choose(self, row: Candidate) -> None:
        if row.kind == "not read":
            await self._read(row)
            self._show()
            self._warn("It had not been read yet: look at what it contains, then choose.")
            return
        if not row.keys:
            self._warn(plain(row.why) or "It contains nothing to choose.")
            return
        is_sure = self._doubted is not None and self._doubted.identity == row.identity
        if self.search.purpose == "ca" and not is_sure:
            refusal = row.why if row.ok is False else await self._try(row)
            if refusal is None:
                return
            if refusal:
                self._doubted = row
                why = f"It would not verify {plain(str(self.search.endpoint), 80)}: {plain(refusal)}"
                self._warn(f"{why}. Enter again selects it anyway.")
                return
        self.dismiss(SecretChoice(row.namespace, row.secret, row.keys))

    async def _try(self, row: Candidate) -> str | None:
        """Why it would not verify the server, empty where it may; None where another row is highlighted meanwhile."""
        here, self._trying = self.listing.row, row
        self.listing.moved = True  # it stays under the cursor while others are found
        self._show_row()
        try:
            found = await browse.confirm(await self.connection.once_connected(), row, self.search, self._now())
        finally:
            if self._trying is row:  # another one may have begun
                self._trying = None
                self._show_row()
        now = self.listing.row
        refusal = found.why if found.ok is False else ""
        return refusal if here and now and here.identity == now.identity else None

    async def _choose_named(self, text: str) -> None:
        field = self.query_one("#typed")
        named = candidates.parse_name(text, self.search)
        if isinstance(named, str):
            self._warn(named)
            return
        name = TypedName(*named)
        cluster = self.connection.cluster
        if cluster is None and self.connection.trouble is None:
            self._warn("Still connecting to the cluster: press Enter again in a moment.")
            return
        if cluster is None:
            self.dismiss(name.unread(self.search))
            return
        rows = await self.secrets.contents(cluster, name.namespace, name.secret)
        if not field.is_attached:
            return  # Esc closed it
        match name.choice(rows, self.search):
            case Candidate() as best:
                await field.remove()
                self._highlight(best, rows)
                await self._choose(best)
            case SecretChoice() as chosen:
                self.dismiss(chosen)
            case why:
                self._warn(why)

    def _highlight(self, best: Candidate, rows: tuple[Candidate, ...]) -> None:
        """Show the rows of a Secret, the best one under the cursor; a filter that hides it is cleared."""
        findings, box = self.secrets.findings, self.query_one(Filter)
        findings.learn(rows)
        findings.arrange()
        box.focus()
        if findings.place_of(best) is None:
            with self.prevent(Input.Changed):
                box.value = ""
            findings.arrange("")
        self.listing.moved = True
        self.listing.show(findings.shown, findings.place_of(best) or 0)
        self._show_row()

    def _warn(self, text: str) -> None:
        self.notify(text, severity="warning", markup=False)
