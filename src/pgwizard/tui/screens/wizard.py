"""The wizard's frame: a rail of pages with their state, the page's questions, what follows from them beside it.

Pages come from the models; a page has code of its own only where it has a live panel. It refuses rules and requests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Click, Resize
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static

from pgwizard.answers.schema import QuestionPath, field_at, label_at, page_of, pages, sections_of
from pgwizard.errors import ClusterError, Finding, OutputError
from pgwizard.local import inputs
from pgwizard.plan.pgbackrest import compares_addresses
from pgwizard.plan.plan import Facts
from pgwizard.text import visible
from pgwizard.tui.base import BaseScreen, Command
from pgwizard.tui.defects import SaysDefects
from pgwizard.tui.navigation import Applied, OpenApply, OpenSecretBrowser, OpenStatus, OpenWizard
from pgwizard.tui.pages.form import Form, QuestionRow
from pgwizard.tui.pages.panels import FOCUSABLE, PANELS, Panel, TlsPanel
from pgwizard.tui.screens.connect import Connect
from pgwizard.tui.screens.review import Review, found
from pgwizard.tui.start import DEMO
from pgwizard.tui.widgets.dialogs import Item, Line, Offer, Pick
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.wizard.candidates import Candidate
from pgwizard.wizard.choices import LISTS, Suggestion, choices
from pgwizard.wizard.draft import Draft, differing, dumped, without_secrets, worth_keeping
from pgwizard.wizard.lookup import look_up
from pgwizard.wizard.secret_questions import SecretQuestion, asked_by

if TYPE_CHECKING:
    from pgwizard.tui.screens.secret_browser import Chosen
    from pgwizard.tui.start import DraftStore, LeftDraft

SAVED = "answers.yaml"
CONNECT, REVIEW = "Connect", "Review"
NARROW, MIDDLE, WIDE = 90, 112, 140
"""Columns: below the first the rail becomes one line, below the second the panel hides behind its key, and from the
last on it has as much room as the questions."""
PANEL = 52
"""Columns of the panel beside a page."""
LOOKED_UP_SECONDS = 5.0
"""How long an apply waits for what the cluster says to the answers of a moment ago."""
LOOK_UP_SECONDS = 0.2
_BESIDE = 60
"""Characters of a choice and its note that fit on a line of a window."""
ASK_AGAIN_SECONDS = 5.0
_NAMING = frozenset({"release", "credentials", "storage", "repository", "tls", "images"})
"""Sections whose answers are compared with the cluster, or decide how a certificate is compared with a server."""
_ABOUT = {
    CONNECT: "Which cluster and which namespace the release goes to, or which release to look at or to change.",
    REVIEW: "All that was answered, what it comes to, and what it would change. Nothing is written before you approve.",
}


class Rail(Static):
    """``✓`` answered, ``●`` here, ``!`` needs a look, ``·`` to come."""

    def __init__(self) -> None:
        super().__init__(id="rail", markup=False)
        self.entries: list[tuple[str, str]] = []

    def show(self, entries: list[tuple[str, str]]) -> None:
        """(mark, page) from the top."""
        if entries == self.entries:
            return
        self.entries = entries
        text = Text()
        for mark, page in entries:
            text.append(f"{mark} {page}\n", "bold" if mark == "●" else "")
        self.update(text)

    async def on_click(self, event: Click) -> None:
        """Go to the page under the pointer."""
        line = event.y - self.gutter.top
        if 0 <= line < len(self.entries):
            await cast("Wizard", self.screen).go(self.entries[line][1])


def _item(choice: Suggestion) -> Item:
    """A choice for a window: what does not fit beside its name stands below it."""
    fits = len(choice.value) + len(choice.note) <= _BESIDE
    return Item(choice.value, choice.note) if fits else Item(choice.value, "", (choice.note,))


class Wizard(SaysDefects, BaseScreen[None]):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "page(1)", "next", tooltip="the next page"),
        Binding("ctrl+b", "page(-1)", "back", tooltip="the page before; nothing is lost"),
        Binding("f2", "panel", "panel", tooltip="what follows from the answers, where it is folded away"),
        Binding("f3", "take", "best CA", tooltip="take the certificate that is proposed"),
        Binding("ctrl+z", "undo", "undo", show=False, tooltip="take the last answer back, and go to its question"),
        Binding("ctrl+s", "save", "save", tooltip="save the answers as a file: references only, no secret"),
        Binding("escape", "leave", "leave", tooltip="back to the screen that this was opened from"),
        Binding("f9", "apply", "apply", tooltip="show what would change, and apply it once you approve"),
    ]
    KEEP_SECONDS = 0.3
    page: reactive[str] = reactive("", init=False)

    def __init__(self, raw: dict[str, Any] | None = None) -> None:
        """raw: the answers of a release that is to be changed."""
        super().__init__()
        self.draft = Draft(differing(raw or {}))
        release = self.draft.answers.release
        self._opened = (release.namespace, release.name) if raw else None
        self.order = [CONNECT, *pages(), REVIEW]
        self.visited: set[str] = set()
        self._drafts: DraftStore | None = None
        self._writing = asyncio.Lock()
        self._cannot_keep = False
        self._keeping: Timer | None = None
        self._asking_again: Timer | None = None
        self._looked_up = asyncio.Event()
        self._looked_up.set()
        self._adopts_namespace = not raw
        self._makes_namespace = False
        self._row: QuestionRow | None = None
        self._told = ""
        self._going = asyncio.Lock()
        self._width = MIDDLE
        self._unfolded = False
        self._best: Candidate | None = None

    def compose(self) -> ComposeResult:
        """Header, rail, page, panel, footer."""
        if self.start.raw and self._opened is None and not self.draft.raw:
            self.draft = Draft(self.start.raw)
            self._adopts_namespace = False
        yield Static(id="header", markup=False)
        with Horizontal(id="body"):
            yield Rail()
            with Vertical(id="middle"):
                yield ContentSwitcher(id="pages")
                yield Static(id="about", markup=False)
            yield Vertical(id="panel")
        yield KeyLine()

    async def on_mount(self) -> None:
        """Begin with the first page, or with the first questions of answers that were given before."""
        self.watch(self.app, "link", self._linked)
        given = bool(self._opened or self.draft.raw)
        await self.go(self.order[1] if given else self.order[0])
        self._look_for_drafts(offer=not given or self._opened is not None)
        self.host.applied.subscribe(self, self._after_apply)

    # ---- pages -----------------------------------------------------------------------------------------------------

    async def go(self, page: str, question: QuestionPath | None = None) -> None:
        """Show a page, at a question of it; it is made when it is seen first."""
        async with self._going:  # a key and a click may come while the page before is being made
            await self._go(page, question)

    async def _go(self, page: str, question: QuestionPath | None) -> None:
        self.visited.add(page)
        self._best = self._row = None
        switcher = self.query_one("#pages", ContentSwitcher)
        new = not switcher.query(f"#page-{page}")
        if new:
            await switcher.add_content(self._made(page), id=f"page-{page}")
        switcher.current = f"page-{page}"
        self.page = page
        panel = self.query_one("#panel", Vertical)
        await panel.remove_children()
        self._unfolded = False
        self._lay_out()
        if page in PANELS:
            await panel.mount(PANELS[page](self.draft))
        self._refresh()
        self.refresh_bindings()
        shown = switcher.query_one(f"#page-{page}")
        if isinstance(shown, Review):
            shown.enter()
            shown.focus()
        elif isinstance(shown, Connect):
            if not new:  # it reads by itself when it is made
                shown.read_again()
            shown.focus_first()
        elif isinstance(shown, Form):
            shown.tell()
            if question is None or not shown.focus_question(question):
                shown.query("Choice, Input").first(Widget).focus()

    def _made(self, page: str) -> Widget:
        if page == CONNECT:
            return Connect(self.draft.answers.release.namespace)
        if page == REVIEW:
            return Review(self.draft)
        return Form(self.draft, sections_of(page))

    def help_text(self) -> str:
        """See ScreenPart."""
        about = _ABOUT.get(self.page, "Enter accepts the answer and moves on; every default is a good first answer.")
        return f"{self.page}\n{about}"

    async def action_page(self, step: int) -> None:
        """The page before or after."""
        here = self.order.index(self.page) + step
        if 0 <= here < len(self.order):
            await self.go(self.order[here])

    def on_question_row_entered(self, event: QuestionRow.Entered) -> None:
        """The question in focus is said whole, in one place."""
        event.stop()
        self._row = event.row
        self._about()

    def _about(self) -> None:
        here = self._row is not None and self._row.is_attached and self.page not in (CONNECT, REVIEW)
        about = self.query_one("#about", Static)
        text = self._row.about() if here and self._row is not None else ""
        if text != self._told:
            self._told = text
            about.display = bool(text)
            about.update(text)

    async def on_form_finished(self, event: Form.Finished) -> None:
        """Enter on the last question."""
        event.stop()
        await self.action_page(1)

    def on_form_answered(self, event: Form.Answered) -> None:
        """An answer changes marks and panel; another source of the certificate is looked up."""
        self._changed(event.path)

    def _changed(self, path: QuestionPath) -> None:
        if path[:2] == ("release", "namespace"):
            self._adopts_namespace = False
        if path[0] in ("repository", "images"):
            self._best = None  # it was judged for another server
        if path[0] in _NAMING:
            self._look_up()
        if path[0] == "tls":
            self.refresh_bindings()
        self._keep()
        self._refresh()

    # ---- the first page --------------------------------------------------------------------------------------------

    def on_connect_namespace_chosen(self, event: Connect.NamespaceChosen) -> None:
        """Where the release goes; a namespace that is not there yet is to be made."""
        another = event.target != self.draft.answers.release.namespace
        self._give(("release", "namespace"), event.target)
        if another or event.exists is not None:
            self._makes_namespace = event.exists is False
            self._give(("release", "createNamespace"), self._makes_namespace)

    def on_connect_namespaces_read(self, event: Connect.NamespacesRead) -> None:
        """What was chosen to be made in the cluster before may be there in this one."""
        if self._makes_namespace and self.draft.answers.release.namespace in event.names:
            self._makes_namespace = False
            self._adopt(("release", "createNamespace"), False)

    async def on_connect_begun(self) -> None:
        """A new release."""
        await self.action_page(1)

    def on_connect_release_chosen(self, event: Connect.ReleaseChosen) -> None:
        """An existing one: its status, or its answers as they were applied last."""
        record = event.record
        if not event.change:
            self.open_screen(OpenStatus(record.name, record.namespace), self._read_again)
            return
        last = record.last
        self.open_screen(OpenWizard(dict(last.answers) if last else None), self._read_again)

    def action_leave(self) -> None:
        """The panel first; then back, where there is something to go back to. The answers are kept as a draft."""
        if self._unfolded:
            self.action_panel()
        elif self.has_way_back:
            self.dismiss()

    def _read_again(self, _: object = None) -> None:
        """What was applied or removed meanwhile is shown; ``go`` does so for the page when it is not seen now."""
        if self.page == CONNECT:
            self.query_one(Connect).read_again()

    # ---- live choices ----------------------------------------------------------------------------------------------

    async def on_form_choices_asked(self, event: Form.ChoicesAsked) -> None:
        """A list for the question in focus. It opens before anything is known: what is typed ahead goes into it."""
        event.stop()
        if event.ask.choices in LISTS:
            window = Pick(event.ask.label, (), current=str(self.draft.value(event.path)), said="… asking the cluster")
            await self.app.push_screen(window, lambda value: self._chosen(event.path, value))
            self._fill(window, event.ask.choices)
        else:
            self._browse(event.path)

    @work(group="choose", exclusive=True, exit_on_error=False)
    async def _fill(self, window: Pick, name: str) -> None:
        cluster = self.connection.cluster
        items, said = [], ""
        if cluster is None:
            said = f"! {self.host.link}: type the name"
        else:
            try:
                items = [_item(choice) for choice in await choices(cluster, name)]
            except ClusterError as error:
                said = f"! {error.message}: type the name"
        if window.is_attached:
            window.fill(items, said)

    def _chosen(self, path: QuestionPath, value: str | None) -> None:
        if value is not None:
            self._give(path, value)

    def _browse(self, path: QuestionPath) -> None:
        asked = asked_by(path)
        release = self.draft.answers.release
        place = str(self.draft.value(asked.namespace) or "") if asked.namespace else ""
        current = (place or release.namespace, str(self.draft.value(asked.secret) or ""))
        endpoint = self.draft.answers.repository.endpoint
        by_address = compares_addresses(self.draft.answers.images.pgbackrest_version)
        self.open_screen(
            OpenSecretBrowser(asked.purpose, endpoint, release.namespace, current, by_address),
            lambda chosen: self._took(asked, chosen),
        )

    def _took(self, asked: SecretQuestion, chosen: Chosen | None) -> None:
        if chosen is not None:
            own = self.draft.answers.release.namespace
            for question, value in asked.answers(chosen.namespace, chosen.secret, chosen.keys, own):
                self._give(question, value)

    def on_tls_panel_proposed(self, event: TlsPanel.Proposed) -> None:
        """The best candidate."""
        self._best = event.row
        self.refresh_bindings()

    @property
    def _proposed(self) -> Candidate | None:
        """The best candidate, unless it is the one that stands."""
        source, best = self.draft.answers.tls.source, self._best
        stands = (source.namespace, source.secret, source.key) if source else ()
        return best if best and (best.namespace, best.secret, best.keys[0]) != stands else None

    def action_take(self) -> None:
        """Take what is proposed."""
        best = self._proposed
        if best is None:
            return
        for key, value in (("namespace", best.namespace), ("secret", best.secret), ("key", best.keys[0])):
            self._give(("tls", "source", key), value)
        self.refresh_bindings()

    def _give(self, path: QuestionPath, value: Any) -> None:
        """An answer that was not typed into its own control."""
        self.draft.give(path, value)
        self._shown_anew(path)

    def _adopt(self, path: QuestionPath, value: Any) -> None:
        """An answer that follows from the cluster."""
        self.draft.adopt(path, value)
        self._shown_anew(path)

    def _shown_anew(self, path: QuestionPath) -> None:
        for form in self.query(Form):
            form.show_answer(path)
            form.tell()
        self._changed(path)

    async def action_undo(self) -> None:
        """What stood before comes back, wherever it was."""
        path = self.draft.undo()
        self.app.clear_notifications()  # each press would add one
        if path is None:
            self.notify("no answer was given that could be taken back", markup=False)
            return
        self._shown_anew(path)
        if self.page in (CONNECT, REVIEW):
            self.notify(f"taken back: {label_at(path, self.draft.chosen)[0]}", markup=False)
        else:
            await self.go(page_of(".".join(path)), path)

    # ---- what the cluster says -------------------------------------------------------------------------------------

    def _linked(self) -> None:
        cluster = self.connection.cluster
        if cluster is not None and self._adopts_namespace:
            self._adopt(("release", "namespace"), cluster.namespace)
            self._adopts_namespace = True  # of another cluster as well, until somebody chooses
            for page in self.query(Connect):
                page.target = cluster.namespace
        self._header()
        if cluster is None:
            self.workers.cancel_group(self, "look up")
            self._looked_up.set()
            self._best = None
            self._learn(Facts(), (), ())  # what was read came from another cluster, or from none
        self._look_up()

    def _look_up(self) -> None:
        if self.connection.cluster is not None:
            self._looked_up.clear()
            self._read_world()

    @work(group="look up", exclusive=True, exit_on_error=False)
    async def _read_world(self) -> None:
        """What the answers name: the certificate, and whether namespace and Secrets are there."""
        cluster = self.connection.cluster
        if cluster is None:
            return
        await asyncio.sleep(LOOK_UP_SECONDS)  # while somebody types, only what stands is looked up
        answers = self.draft.answers
        bundle, unread = await asyncio.to_thread(inputs.certificate, answers, self.start.folder)
        async with contextlib.aclosing(look_up(cluster, answers, bundle, self._opened)) as learnt:
            async for told in learnt:
                doubts = self.draft.doubts if told.doubts is None else told.doubts
                self._learn(Facts(ca=told.bundle), (*unread, *told.wrong), doubts)
                self._looked_up.set()
        if told.again:
            if self._asking_again is not None:
                self._asking_again.stop()
            self._asking_again = self.set_timer(ASK_AGAIN_SECONDS, self._look_up)

    def _learn(self, facts: Facts, wrong: tuple[Finding, ...], doubts: tuple[Finding, ...]) -> None:
        self.draft.learn(facts, wrong, doubts)
        for form in self.query(Form):
            form.tell()
        self._refresh()
        if self.page == REVIEW:
            self.query_one(Review).follow()

    # ---- review, save, apply ---------------------------------------------------------------------------------------

    async def jump(self, path: str) -> None:
        """Go to the question of a dotted path; what no question asks for can only be left out."""
        question = tuple(path.split("."))
        if field_at(question, self.draft.chosen) is None and self.draft.value(question) != "":
            self.draft.forget(question)
            self._shown_anew(question)
            self.notify(f"left out: {visible(path)}", markup=False)
            return
        await self.go(page_of(path), question)

    async def on_review_jump(self, event: Review.Jump) -> None:
        """From a problem or an answer to its question."""
        await self.jump(event.path)

    async def on_review_apply_asked(self) -> None:
        """As the key does."""
        await self.action_apply()

    def on_review_export_asked(self, event: Review.ExportAsked) -> None:
        """Write the manifests into a folder."""
        self._export(event.folder)

    @work(group="export", exclusive=True, exit_on_error=False)
    async def _export(self, folder: str) -> None:
        from pgwizard.plan import manifests
        from pgwizard.plan.plan import resolve

        if self.draft.problems:  # the certificate may have gone with the connection since the folder was asked for
            self.notify("something is wrong by now: see the problems", severity="warning", markup=False)
            return
        plan = resolve(self.draft.answers, self.draft.facts)
        texts = {manifest.file_name: manifest.text for manifest in manifests.render(plan)}
        try:
            await asyncio.to_thread(self.start.export, folder, texts)
        except OutputError as error:
            self.notify(f"{error.message}. {error.hint}", severity="error", markup=False)
        else:
            self.notify(f"{len(texts)} manifests are in {folder}", markup=False)

    async def action_apply(self) -> None:
        """Only answers in which nothing is wrong are applied; otherwise the review says what is."""
        if self.connection.cluster is None and self.connection.trouble is None:
            self.notify("still connecting: a moment", severity="warning", markup=False)
            return
        if self.draft.problems:  # what was mended a moment ago may not have been looked up yet
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOKED_UP_SECONDS):
                    await self._looked_up.wait()
        if self.draft.problems:
            await self.go(REVIEW)
            self.notify("something is still wrong: see the marks and the list", severity="warning", markup=False)
            return
        self.open_screen(OpenApply(self.draft.answers, self.draft.doubts), self._apply_closed)

    async def _apply_closed(self, question: str | None) -> None:
        """question: what a failure goes back to."""
        if question:
            await self.jump(question)

    async def _after_apply(self, applied: Applied) -> None:
        """What is in the cluster now is no draft, here or in a wizard that changes the same release."""
        if not applied.complete:
            return
        release = applied.answers.release.namespace, applied.answers.release.name
        if self.draft.answers == applied.answers:
            self._opened = release
            self._forget_draft()
        elif self._opened == release:
            self._forget_draft()
            await self._take_over(differing(dumped(applied.answers)), self.page)
        self._read_again()

    @work(group="save", exclusive=True, exit_on_error=False)
    async def action_save(self) -> None:
        """Write the answers where pgwizard was started; an existing file is kept, and another name asked for."""
        folder = self.start.folder
        while True:
            name = await self.app.push_screen_wait(
                Line("Save the answers as", str(folder / SAVED), "references only: no secret is in it")
            )
            if name is None:
                return
            try:
                await asyncio.to_thread(self.start.save, name, self.draft.text())
            except OutputError as error:
                self.notify(f"{error.message}. {error.hint}", severity="error", markup=False)
                continue
            self._forget_draft()
            wrong = len(self.draft.problems)
            does = f"{wrong} problem{'' if wrong == 1 else 's'} in it: see the review"
            does = does if wrong else f"pgwizard --headless {name} --apply does the same"
            self.notify(f"saved as {name}: {does}", markup=False)
            return

    # ---- the draft on disk -----------------------------------------------------------------------------------------

    @work(group="drafts", exit_on_error=False)
    async def _look_for_drafts(self, *, offer: bool) -> None:
        make = self.start.drafts
        if make is None:
            return
        self._drafts = await asyncio.to_thread(make)
        if offer:
            await self._offer(await asyncio.to_thread(self._drafts.left))

    async def _offer(self, drafts: list[LeftDraft]) -> None:
        """One after the other, the newest first, until one is taken up."""
        if self._opened is not None:  # what is answered to a release that is changed goes with it alone
            drafts = [left for left in drafts if self._is_opened(left)]
        elif worth_keeping(self.draft.raw):
            return
        if not drafts:
            return
        left, *older = drafts
        found = Draft(left.raw)
        release, count = found.answers.release, sum(1 for _ in found.given())
        also = f"; {len(older)} older after these" if older else ""
        offer = Offer(
            f"Unsaved answers for {release.namespace}/{release.name}",
            f"changed last {left.at.astimezone():%d %b %H:%M}, {count} differ{'s' if count == 1 else ''} from the "
            f"defaults{also}\nenter takes them up, f8 deletes them, escape leaves them for later",
        )
        await self.app.push_screen(offer, lambda taken: self._take_up(left, older, taken))

    def _is_opened(self, left: LeftDraft) -> bool:
        release = Draft(left.raw).answers.release
        return (release.namespace, release.name) == self._opened

    async def _take_up(self, left: LeftDraft, older: list[LeftDraft], taken: bool | None) -> None:
        """Answers that were found. Not in a worker: the key after the answer waits for it."""
        if taken is True:
            await self._take_over(left.raw, self.order[1])
            self._keep()
        if taken is not None and self._drafts is not None:
            await asyncio.to_thread(self._drafts.drop, left)
        if taken is not True:
            await self._offer(older)

    async def _take_over(self, raw: dict[str, Any], page: str) -> None:
        """Other answers in place of these: every page is made anew."""
        self.draft = Draft(raw, self.draft.facts)
        self._adopts_namespace = False
        pages = self.query_one("#pages", ContentSwitcher)
        pages.current = None  # or the new page of the same name would not be shown
        await pages.remove_children()
        await self.go(page)
        self._look_up()

    def _keep(self) -> None:
        if self._keeping is not None:
            self._keeping.stop()
        self._keeping = self.set_timer(self.KEEP_SECONDS, self._write_draft)

    @work(group="keep", exit_on_error=False)
    async def _write_draft(self) -> None:
        raw = without_secrets(self.draft.raw)  # a copy: a thread writes it while the next answer is given
        async with self._writing:
            if self._drafts is None:
                return
            if not worth_keeping(raw):
                await asyncio.to_thread(self._drafts.drop)
                return
            kept = await asyncio.to_thread(self._drafts.keep, raw)
        if not kept and not self._cannot_keep:
            said = "unsaved answers cannot be kept on this disk: ctrl+s saves them"
            self.notify(said, severity="warning", markup=False)
        self._cannot_keep = not kept

    @work(group="keep", exit_on_error=False)
    async def _forget_draft(self) -> None:
        if self._keeping is not None:
            self._keeping.stop()
            self._keeping = None
        async with self._writing:
            if self._drafts is not None:
                await asyncio.to_thread(self._drafts.drop)

    def on_unmount(self) -> None:
        """What was typed in the last moment is kept as well."""
        if self._drafts is None:
            return
        if self._keeping is not None and worth_keeping(self.draft.raw):
            self._drafts.keep(without_secrets(self.draft.raw))
        self._drafts.close()

    # ---- what is seen ----------------------------------------------------------------------------------------------

    def on_resize(self, event: Resize) -> None:
        """Fold what does not fit."""
        self._width = event.size.width
        self._lay_out()
        self._header()
        self.refresh_bindings()

    @property
    def _folded(self) -> bool:
        return self._width < MIDDLE

    def _lay_out(self) -> None:
        """What is seen of rail, page and panel. No class of the screen says it: each would style every page anew."""
        panel, has = self.query_one("#panel"), self.page in PANELS
        over = has and self._folded and self._unfolded
        panel.display = has and (over or not self._folded)
        panel.styles.width = "1fr" if over or self._width >= WIDE else PANEL
        self.query_one("#middle").display = not over
        self.query_one(Rail).display = self._width >= NARROW

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """The panel's key is shown only where there is a panel."""
        if action == "leave":
            return self._unfolded or self.has_way_back
        if action == "take":
            return self.page == "TLS" and self._proposed is not None
        return action != "panel" or (self.page in PANELS and (self._folded or self.page in FOCUSABLE))

    def action_panel(self) -> None:
        """Show the panel where it is folded, or fold it; where it stands beside the page, go into it and back."""
        self._unfolded = self._folded and not self._unfolded
        self._lay_out()
        inside = list(self.query_one("#panel").query("OptionList").results(Widget))
        if inside and not inside[0].has_focus and (not self._folded or self._unfolded):
            inside[0].focus()
        elif self._row is not None and self._row.is_attached:
            self._row.control.focus()

    def _refresh(self) -> None:
        wrong = self._wrong()
        entries = []
        for page in self.order:
            mark = "✓" if page in self.visited else "·"
            entries.append(("●" if page == self.page else "!" if page in wrong else mark, page))
        self.query_one(Rail).show(entries)
        for panel in self.query_one("#panel").query(Panel):
            panel.follow(self.draft)
        self._header()
        self._about()

    def _wrong(self) -> set[str]:
        """The pages that need a look."""
        return {page_of(problem.question) for problem in (*self.draft.problems, *self.draft.doubts)}

    def commands(self) -> Iterator[Command]:
        """See ScreenPart."""
        for page in self.order:
            yield Command(f"page {page}", "go to this page; every answer is kept", f"go({page!r})")

    async def action_go(self, page: str) -> None:
        """Show a page."""
        await self.go(page)

    def _header(self) -> None:
        if not self.page:
            return
        release = self.draft.answers.release
        narrow = self._width < NARROW
        place = ""
        if narrow:  # there is no rail: its marks are counted
            marks = found(self.draft)
            place = f"{self.order.index(self.page) + 1}/{len(self.order)} {self.page}{marks}   "
        demo = ("DEMO: simulated   " if narrow else f"{DEMO}   ") if self.start.demo else ""
        text = f"pgwizard   {demo}{place}{release.namespace}/{release.name}   {self.host.link}"
        self.query_one("#header", Static).update(text, layout=False)
