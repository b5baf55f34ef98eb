"""The browser of the cluster's Secrets: what could be chosen, what speaks for each, and why the others will not do.

It shows what ``discovery`` finds, as it is found. It refuses requests, rules, and values.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import Resize, ScreenResume
from textual.timer import Timer
from textual.widgets import Input, Static

from pgwizard.errors import PgwizardError
from pgwizard.kube.api import SECRET, Ref
from pgwizard.text import plain
from pgwizard.tls.chain import ChainVerdict
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.defects import SaysDefects
from pgwizard.tui.widgets.candidates import WIDE, CandidateIndex, SecretList, certified, outlined, whole
from pgwizard.tui.widgets.dialogs import Window
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.wizard import browse, candidates
from pgwizard.wizard.browse import Batch, Denied
from pgwizard.wizard.candidates import Candidate, Search

if TYPE_CHECKING:
    from pgwizard.tls.handshake import Served

ENDPOINT = "minio.minio.svc:9000"
REPAINT_SECONDS = 0.1
SETTLE_SECONDS = 0.06
"""How long the list must stand still before what is in view is read."""
AT_ONCE = 4
LONGEST_TOLD = 300
QUESTIONS = {
    "ca": "Which certificate should pgBackRest trust for {endpoint} ?",
    "s3": "Which Secret has the S3 key pair for {endpoint} ?",
    "database": "Which Secret of namespace {namespace} has the superuser's name and password?",
    "passphrase": "Which Secret of namespace {namespace} has the repository's passphrase?",
}
SHORT = {
    "ca": "Trust which certificate for {endpoint} ?",
    "s3": "Which S3 key pair for {endpoint} ?",
    "database": "Which Secret with superuser's name, password?",
    "passphrase": "Which Secret with the passphrase?",
}
PLACEHOLDERS = {
    "ca": "namespace/secret, or namespace/secret/key",
    "s3": "namespace/secret, or namespace/secret/key of the name,key of the secret",
    "database": "secret, or secret/key of the name,key of the password",
    "passphrase": "secret, or secret/key",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen. keys: for a CA one, for a key pair that of the name and that of the secret, a passphrase one."""

    namespace: str
    secret: str
    keys: tuple[str, ...]


class LineInput(Input):
    """An input of one line, as wide as it is told; the application's own rule for inputs gives way."""

    def __init__(self, placeholder: str, name: str, width: int | str) -> None:
        super().__init__(placeholder=placeholder, id=name, compact=True)
        self.styles.width = width
        self.styles.height = 1
        self.styles.padding = (0, 1)


class Filter(LineInput):
    """Words that a row must hold. It has all keys: those for the list move in the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.choose", "choose"),
        Binding("up", "screen.move(-1)", show=False),
        Binding("down", "screen.move(1)", show=False),
        Binding("pageup", "screen.page(-1)", show=False),
        Binding("pagedown", "screen.page(1)", show=False),
        Binding("home", "screen.end(0)", show=False),
        Binding("end", "screen.end(1)", show=False),
    ]


class Told(Window):
    """Some lines to read; any of the keys to leave closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,f7", "leave", "close")]
    DEFAULT_CSS = """
    Told > VerticalScroll { width: 90%; max-width: 110; height: auto; max-height: 80%; padding: 1 2;
        background: $surface; border: round $primary; }
    Told Static { height: auto; }
    """

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self.told = Text(f"{title}\n\n", "bold")
        self.told.append("\n".join(lines[:LONGEST_TOLD]), "not bold")
        if len(lines) > LONGEST_TOLD:
            self.told.append(f"\nand {len(lines) - LONGEST_TOLD:,} more", "not bold")
        self.told.append("\n\nescape closes this", "not bold dim")

    def compose(self) -> ComposeResult:
        """The lines."""
        with VerticalScroll():
            yield Static(self.told, markup=False)


class SecretBrowser(SaysDefects, BaseScreen["Chosen | None"]):
    """See the module. It ends with what was chosen, or None."""

    HELP: ClassVar[str] = (
        "Every Secret that you may read, the best one first, and the reason why. Values are never shown.\n\n"
        "✓ would do   ✗ would not, and why   ? is not known   · not read yet\n\n"
        "What is promising by its name or its keys is read when it comes into view.\n\n"
        "What you type filters by any words: name, kind, subject, host names.\n"
        "Enter chooses; what would not verify is chosen by a second Enter\n"
        "F5 reads all again   F6 takes a name that is not in the list\n"
        "F7 says which namespaces may not be read, and how to ask for it"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "again", "again", tooltip="read all again"),
        Binding("f6", "type", "type a name", tooltip="name a Secret that is not in the list"),
        Binding("f7", "why", "why denied", tooltip="what may not be read, and how to ask for it"),
        Binding("f8", "copy", "copy", tooltip="copy what is known of the certificate, its whole fingerprint as well"),
        Binding("escape", "back", "back"),
    ]
    BLANK = True  # or each paint makes lines that are never seen
    # not CSS: that would style the whole application anew at the opening
    DEFAULT_CSS = """
    SecretBrowser #ask { height: 1; }
    SecretBrowser #question { width: 1fr; height: 1; padding: 0 1; text-style: bold; }
    SecretBrowser #heads { height: 1; color: $text-muted; }
    SecretBrowser #counts { height: 1; padding: 0 1; background: $panel; }
    SecretBrowser #detail { height: 7; padding: 0 1; }
    """

    def __init__(
        self,
        purpose: Literal["ca", "s3", "database", "passphrase"] = "ca",
        endpoint: str = ENDPOINT,
        namespace: str = "default",
        current: tuple[str, str] = ("", ""),
        by_address: bool = False,
    ) -> None:
        super().__init__()
        self.search = Search(purpose, endpoint, namespace, by_address)
        self.findings = CandidateIndex()
        self.denied: list[Denied] = []
        self.said: list[str] = []
        self.served: Served | str | None = None
        self.state: Literal["connecting", "loading", "done", "failed"] = "connecting"
        self.seen = self.expected = self.to_come = 0
        self.certificates_read = False
        self.listing = SecretList(self.search, current)
        self._begun = self._ready = False
        self._repaint: Timer | None = None
        self._settle: Timer | None = None
        self._asked: set[tuple[str, str]] = set()
        self._doubted: Candidate | None = None
        self._trying: Candidate | None = None
        self._gate = asyncio.Semaphore(AT_ONCE)

    def compose(self) -> ComposeResult:
        """Question and filter, the list, what is known of all, what is known of one."""
        with Horizontal(id="ask"):
            yield Static(self._question(QUESTIONS), id="question", markup=False)
            yield Filter("type to filter", "filter", 32)
        yield Static(id="heads", markup=False)
        yield self.listing
        yield Static(id="counts", markup=False)
        yield Static(id="detail", markup=False)
        yield KeyLine()
        if not self._begun:
            self.begin()

    def on_mount(self) -> None:
        """What needs the widgets."""
        self.listing.today = self.start.now()
        self.query_one(Filter).focus()
        self.watch(self.app, "link", self._tell, init=False)
        self._ready = True
        self._show()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Its widgets were styled when they were made: the first time they are not styled once more."""
        event.refresh_styles = self.stack_updates > 0

    def on_resize(self, event: Resize) -> None:
        """The heads stand above their columns, and other rows are in view."""
        small = event.size.width < WIDE
        self.query_one(Filter).styles.width = 20 if small else 32
        question = Text(self._question(SHORT if small else QUESTIONS), overflow="ellipsis", no_wrap=True)
        self.query_one("#question", Static).update(question, layout=False)
        self.call_after_refresh(self._fit)

    def _question(self, words: dict[str, str]) -> str:
        return words[self.search.purpose].format(
            endpoint=plain(self.search.endpoint, 80), namespace=self.search.namespace
        )

    def _fit(self) -> None:
        self.query_one("#heads", Static).update(Text(self.listing.heads()), layout=False)
        self._tell()  # how many are below
        self._look()

    # -- finding

    def action_again(self) -> None:
        """Read everything anew; where there is no connection, make it first."""
        if self.connection.cluster is None:
            self.connection.connect()
        self.connection.readable.clear()
        self.listing.moved, self._doubted = False, None
        self.findings, self.denied, self.said = CandidateIndex(), [], []
        self._asked.clear()
        self.state, self.seen, self.expected, self.served = "connecting", 0, 0, None
        self.certificates_read = False
        self.findings.arrange(self.query_one(Filter).value)
        self._show()
        self.begin()

    def begin(self) -> None:
        """Search: already before the browser is shown, as the cluster can answer while its widgets are made."""
        self._begun = True
        self.run_worker(self._browse(), name="browse secrets", group="browse", exclusive=True, exit_on_error=False)

    async def _browse(self) -> None:
        cluster = await self.connection.once_connected()
        self.state = "loading"
        try:
            found = browse.browse(cluster, self.search, self.start.now, self.connection.readable)
            async with contextlib.aclosing(found) as batches:
                async for batch in batches:
                    self._take(batch)
        except PgwizardError as error:
            self.state = "failed"
            self.said.append(". ".join(part for part in (error.message, error.hint) if part))
        except Exception as error:
            self.state = "failed"
            self.said.append(f"a defect of pgwizard itself: {type(error).__name__}")
            raise
        finally:
            self._soon()

    def _take(self, batch: Batch) -> None:
        first = not self.findings.by_place and batch.rows
        self.findings.learn(batch.rows)
        self.denied += batch.denied
        self.said += batch.said
        self.seen, self.expected, self.to_come = batch.seen, batch.expected, batch.namespaces_to_come
        if batch.served is not None and self.served is None:
            self._judge_anew(batch.served)
        self.served = batch.served or self.served
        self.certificates_read = self.certificates_read or batch.certificates_read
        if batch.done:
            self.state = "done"
        if not self._ready:  # it is shown with all else
            return
        if first:
            self._show()
        else:
            self._soon()

    def _judge_anew(self, served: Served | str) -> None:
        """What was read because it was in view, before it was known what the server sends."""
        now, read = self.start.now(), [self.findings.by_place.get(place, ()) for place in self._asked]
        self.findings.learn(candidates.judged(row, self.search, served, now) for rows in read for row in rows)

    def _soon(self) -> None:
        """Paint what came, once for all that comes in the same moment."""
        if self._repaint is None:
            self._repaint = self.set_timer(REPAINT_SECONDS, self._show)

    def _show(self) -> None:
        self._repaint = None
        here = self.listing.row
        self.findings.arrange()
        cursor = self.findings.place_of(here) if here is not None and self.listing.moved else 0
        self.listing.show(self.findings.shown, cursor if cursor is not None else self.listing.cursor)
        self._tell()
        self._look()

    def _look(self) -> None:
        """Read what is in view, once the list stands still."""
        if self._settle is not None:
            self._settle.stop()
        self._settle = self.set_timer(SETTLE_SECONDS, self._read_in_view)

    def _read_in_view(self) -> None:
        self._settle = None
        wanted = [row for row in self.listing.in_view if row.kind == "not read" and row.hopeful]
        here = self.listing.row
        if here is not None and here.kind == "not read" and self.listing.moved:
            wanted.append(here)
        for row in wanted:
            place = (row.namespace, row.secret)
            if place not in self._asked:
                self._asked.add(place)
                self.run_worker(self._read(row), group="contents", exit_on_error=False)

    async def _read(self, row: Candidate) -> None:
        cluster = await self.connection.once_connected()
        async with self._gate:
            rows = await browse.contents(
                cluster, Ref(SECRET, row.secret, row.namespace), self.search, self.served, self.start.now()
            )
        self.findings.learn(candidates.settled(row, rows))
        self._soon()

    # -- telling

    def on_secret_list_highlighted(self) -> None:
        """By the mouse."""
        self._moved()

    def _moved(self) -> None:
        self._doubted = None
        self._follow()

    def _follow(self) -> None:
        self._tell()
        self._look()

    def _tell(self, *_: object) -> None:
        if not self._ready:
            return
        self.query_one("#counts", Static).update(Text(self._counts(), no_wrap=True), layout=False)
        self.query_one("#detail", Static).update(self._detail(), layout=False)

    def _counts(self) -> str:
        shown, known = len(self.findings.shown), sum(map(len, self.findings.by_place.values()))
        parts: list[str] = []
        if self._trying is not None:
            return f"trying {plain(self._trying.place)} on {plain(self.search.endpoint, 80)} …"
        if self.state == "connecting":
            link = plain(self.host.link)
            return link if link.startswith("not connected") else "connecting to the cluster …"
        if self.query_one(Filter).value:
            parts.append(f"{shown:,} of {known:,} pass the filter")
        elif known:
            below = max(0, shown - len(self.listing.in_view))
            spaces = len(self.findings.namespaces)
            more = f"{below:,} more" if below else f"{known:,} in all"
            parts.append(f"{more} in {spaces:,} namespace{'s' if spaces != 1 else ''}")
        if self.denied:
            named = sum(1 for denied in self.denied if denied.namespace)
            what = f"{named:,} namespace{'s' if named != 1 else ''}" if named else "some"
            parts.append(f"{what} may not be read (why: F7)")
        if self.state == "loading":
            total = f" of {self.expected:,}" if self.expected > self.seen else ""
            parts.append(f"loading {self.seen:,}{total}" + (f", {self.to_come:,} namespaces" if self.to_come else ""))
        elif self.state == "failed":
            parts.append("stopped (why: F7; read again: F5)")
        if self.said and self.state != "failed":
            parts.append(f"! {plain(self.said[-1], 120)}")
        if self.start.demo:
            parts.append("DEMO: simulated")
        return " · ".join(parts)

    def _detail(self) -> Text:
        row = self.listing.row
        if row is None:
            return Text(self._nothing())
        if self.search.purpose != "ca" or row.bundle is None:
            return outlined(row, self.search)
        return certified(row, self.search, self.served, self.listing.today)

    def _nothing(self) -> str:
        """Loading, empty, filtered, denied and failed are different things."""
        if self.state == "connecting":
            return ""
        if self.state == "failed":
            return f"The list could not be read: {plain(self.said[-1], 600) if self.said else ''}"
        if self.findings.by_place:
            return "Nothing passes the filter. Esc clears it."
        if self.said:
            return f"Not everything could be read: {plain(self.said[-1], 600)}"
        if self.state == "loading":
            return "Looking …"
        if self.denied:
            return f"{plain(self.denied[0].why, 600)}\nYou can still type a name: F6"
        where = f"namespace {self.search.namespace}" if self.search.purpose in {"database", "passphrase"} else "cluster"
        return f"There is no Secret in this {where}. A name can be typed: F6"

    # -- keys

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        row = self.listing.row
        if row is not None and not (self._trying and self._trying.identity == row.identity):
            self.run_worker(self._choose(row), group="choose", exclusive=True, exit_on_error=False)

    def action_move(self, step: int) -> None:
        """One row up or down."""
        self.listing.move(step)
        self._moved()

    def action_page(self, step: int) -> None:
        """As many rows as are seen."""
        self.listing.page(step)
        self._moved()

    def action_end(self, last: int) -> None:
        """The first or the last row."""
        self.listing.end(last=bool(last))
        self._moved()

    def action_type(self) -> None:
        """Name a Secret that is not in the list."""
        if self.query("#typed"):
            return
        field = LineInput(PLACEHOLDERS[self.search.purpose], "typed", "1fr")
        self.mount(field, after=self.query_one("#ask"))
        field.focus()

    def action_why(self) -> None:
        """What may not be read, and what went wrong."""
        lines = [
            f"{plain(item.namespace)}: {plain(item.why)}" if item.namespace else plain(item.why) for item in self.denied
        ]
        lines += [plain(said, 600) for said in self.said]
        self.app.push_screen(Told("What could not be read", lines or ["Everything could be read."]))

    def action_copy(self) -> None:
        """What is known of the row, nothing cut off."""
        row = self.listing.row
        if row is not None:
            self.app.copy_to_clipboard("\n".join(whole(row)) + "\n")
            self.notify(f"Sent {plain(row.place)} to the terminal's clipboard (OSC 52).", markup=False)

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
            self.findings.arrange(event.value)
            self.listing.moved = False
            self.listing.show(self.findings.shown, 0)
            self._follow()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The name of a Secret that is not in the list."""
        self.run_worker(self._named(event.value), group="choose", exclusive=True, exit_on_error=False)

    # -- choosing

    def on_secret_list_wanted(self) -> None:
        """By the mouse."""
        self.action_choose()

    async def _choose(self, row: Candidate) -> None:
        if row.kind == "not read":
            await self._read(row)
            self._show()
            self._say("it was not read yet: look at what it holds, then choose")
            return
        if not row.keys:
            self._say(plain(row.why) or "there is nothing to choose in it")
            return
        sure = self._doubted is not None and self._doubted.identity == row.identity
        if self.search.purpose == "ca" and not sure:
            found = ChainVerdict(row.ok, row.why) if row.ok is False else await self._tried(row)
            if found is None:
                return
            if found.ok is False:
                self._doubted = row
                why = f"it would not verify {plain(self.search.endpoint, 80)}: {plain(found.why)}"
                self._say(f"{why}. Enter again selects it anyway")
                return
        self.dismiss(Chosen(row.namespace, row.secret, row.keys))

    async def _tried(self, row: Candidate) -> ChainVerdict | None:
        """What the server says to it; None where somebody looks at another row by then."""
        here, self._trying = self.listing.row, row
        self.listing.moved = True  # it stays under the cursor, whatever else is found meanwhile
        self._tell()
        try:
            found = await browse.confirmed(await self.connection.once_connected(), row, self.search)
        finally:
            if self._trying is row:  # another one may have begun
                self._trying = None
                self._tell()
        now = self.listing.row
        return found if here and now and here.identity == now.identity else None

    async def _named(self, text: str) -> None:
        """A name that was typed. What may not be read, or not now, is taken at its word; what is read must fit."""
        field = self.query_one("#typed")
        named = candidates.named(text, self.search)
        if isinstance(named, str):
            self._say(named)
            return
        namespace, secret, keys = named
        cluster = self.connection.cluster
        if cluster is None and self.connection.trouble is None:
            self._say("still connecting to the cluster: press Enter again in a moment")
            return
        if cluster is None:
            self.dismiss(Chosen(namespace, secret, keys or candidates.usual_keys(self.search)))
            return
        rows = await browse.contents(
            cluster, Ref(SECRET, secret, namespace), self.search, self.served, self.start.now()
        )
        if not field.is_attached:
            return  # somebody went back meanwhile
        fitting = [row for row in rows if row.keys and (not keys or row.keys == keys)]
        if fitting:
            best = min(fitting, key=lambda row: row.order)
            self.findings.learn(rows)
            await field.remove()
            box = self.query_one(Filter)
            box.focus()
            self.findings.arrange()
            if self.findings.place_of(best) is None:
                with self.prevent(Input.Changed):
                    box.value = ""
                self.findings.arrange("")
            self.listing.moved = True
            self.listing.show(self.findings.shown, self.findings.place_of(best) or 0)
            self._tell()
            await self._choose(best)
        elif rows[0].kind == "cannot be read" and rows[0].hopeful:
            self.dismiss(Chosen(namespace, secret, keys or candidates.usual_keys(self.search)))
        elif keys and candidates.has_keys(rows, keys) and self.search.purpose != "ca":
            self.dismiss(Chosen(namespace, secret, keys))
        else:
            self._say(f"{namespace}/{secret}: {plain(rows[0].why) or 'has not these keys'}")

    def _say(self, text: str) -> None:
        self.notify(text, severity="warning", markup=False)
