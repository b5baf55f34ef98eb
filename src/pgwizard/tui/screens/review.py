"""The answers as a whole, before anything is applied: what is wrong, what differs from the defaults, the manifests, and
what they would change in the cluster.

It refuses to decide and to write: going to a question, exporting and applying are asked of the wizard by messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Literal, Self, cast

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widgets import ContentSwitcher, DataTable, Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import Worker, WorkerState

from pgwizard.answers.questions import Answers
from pgwizard.answers.schema import field_at, label_at, page_of, pages
from pgwizard.diagnose import messages
from pgwizard.errors import Finding, PgwizardError
from pgwizard.local import inputs
from pgwizard.plan import manifests
from pgwizard.plan.plan import Facts, resolve
from pgwizard.release.apply import ApplyOutcome, Options, ReleaseRequest, run
from pgwizard.release.changes import Change, counted
from pgwizard.release.report import change_line, event_line, explained
from pgwizard.release.stages import Event
from pgwizard.text import plain, visible
from pgwizard.tui.base import Hosted
from pgwizard.tui.navigation import Applied, message_link
from pgwizard.tui.widgets.folds import Fold, Folds
from pgwizard.wizard.draft import Draft
from pgwizard.wizard.text_input import write_text

if TYPE_CHECKING:
    from pgwizard.kube.api import Cluster

EXPORT_FOLDER = "manifests"


def change_folds(changes: Sequence[Change]) -> list[Fold]:
    """Changes as objects that unfold into their difference, or into all of what is new. What stays comes last."""
    ordered = sorted(changes, key=lambda change: change.action in ("unchanged", "keep"))
    return [
        Fold(change_line(change), tuple(change.after.splitlines()))
        if change.action == "create"
        else Fold(change_line(change), tuple(change.lines()), diff=True)
        for change in ordered
    ]


MORE = "more"
"""The word before a link."""


def failure_rows(found: Finding, findings: Sequence[Finding] = ()) -> list[tuple[str, str]]:
    """An error for people, as (word, text): what failed, each finding, why, what to do, where more is said."""
    rows = [("cause", found.cause), ("fix", found.fix), (MORE, messages.link(found.key) if found.key else "")]
    every = [("", finding.whole) for finding in findings]
    return [("✗", found.text), *every, *((word, text) for word, text in rows if text)]


def said_table(rows: Iterable[tuple[str, str]]) -> Table:
    """(word, text) below each other, each text wrapped in its own column."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    for number, (word, text) in enumerate(rows):
        shown = Text("\n".join(map(visible, text.splitlines())), "bold" if number == 0 else "")
        table.add_row(Text(word, "bold" if number == 0 else "dim"), message_link(text) if word == MORE else shown)
    return table


def found(draft: Draft) -> str:
    """How much is wrong, and how much is only to be looked at: `` 2✗ 1!``; empty for nothing."""
    wrong, doubtful = len(draft.problems), len(draft.warnings)
    return "".join([f" {wrong}✗" if wrong else "", f" {doubtful}!" if doubtful else ""])


# ---- the page ------------------------------------------------------------------------------------------------------

ReviewSection = Literal["problems", "answers", "manifests", "live"]
SECTIONS: tuple[ReviewSection, ...] = ("problems", "answers", "manifests", "live")


class Headings(Static):
    """The sections on one line, the shown one between brackets; each with its key."""

    def __init__(self) -> None:
        super().__init__(id="headings", markup=False)
        self._ends: list[int] = []

    def show(self, titles: Sequence[str], shown: int) -> None:
        """The titles, and which one is shown."""
        parts: list[tuple[str, str] | str] = []
        self._ends, end = [], 0
        for number, title in enumerate(titles):
            word = f"[{number + 1} {title}]" if number == shown else f" {number + 1} {title} "
            parts.append((word, "bold" if number == shown else "$text-muted"))
            end += len(word)
            self._ends.append(end)
        self.update(Content.assemble(*parts))

    async def on_click(self, event: Click) -> None:
        """Show the section under the pointer."""
        x = event.x - self.gutter.left
        number = next((number for number, end in enumerate(self._ends) if x < end), None)
        if number is not None:
            await cast("Review", self.parent).run_action(f"section('{SECTIONS[number]}')")


class Found(Option):
    """A problem or a warning, with its question: the list may be made anew while enter is still on its way."""

    def __init__(self, prompt: Table, question: str) -> None:
        super().__init__(prompt)
        self.question = question


class Prompt(Input):
    """What to search for, or where to export to. It has an escape of its own: the screen's would leave the wizard."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "close", tooltip="leave the prompt")]

    def action_close(self) -> None:
        """Leave it unanswered."""
        cast("Review", self.parent).leave_prompt()


class Review(Hosted, Vertical):
    """Made once, shown anew each time by ``enter`` and ``follow``."""

    DEFAULT_CSS = """
    Review { height: 1fr; }
    Review #headings { height: 1; padding: 0 1; background: $panel; }
    Review #sections { height: 1fr; }
    Review OptionList, Review OptionList:focus { height: 1fr; border: none; background: $background; padding: 0 1; }
    Review DataTable { height: 1fr; background: $background; }
    Review #live { height: 1fr; }
    Review #compared { height: auto; max-height: 60%; padding: 0 1; }
    Review #prompt { display: none; height: 1; border: none; padding: 0 1; background: $boost; }
    Review #said { height: 1; padding: 0 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "section('problems')", "problems", show=False),
        Binding("2", "section('answers')", "answers", show=False),
        Binding("3", "section('manifests')", "manifests", show=False),
        Binding("4", "section('live')", "live", show=False),
        Binding("f9", "apply", "apply"),
        Binding("d", "compare", "diff"),
        Binding("o", "only_changed", "differing"),
        Binding("slash", "search", "search", key_display="/"),
        Binding("n", "step(1)", "next place", show=False),
        Binding("N", "step(-1)", "place before", show=False),
        Binding("e", "export", "export"),
        Binding("c", "copy", "copy"),
    ]
    HELP: ClassVar[str] = (
        "1 problems · 2 answers · 3 manifests · 4 what an apply would change in the cluster\n"
        "enter on a problem or an answer goes to its question; on an object it folds (left, right; a: all)\n"
        "o: only the answers that differ from their defaults (≠) · /: search, n and N: next and before\n"
        "d: compare with the cluster; nothing is written · shift+left, shift+right: long lines\n"
        "e: write the manifests into a folder · c: copy what is shown · ctrl+s: save the answers · f9: apply"
    )

    class Jump(Message):
        """Go to a question. path: dotted, as in the file."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    class ApplyAsked(Message):
        """The answers are to be applied."""

    class ExportAsked(Message):
        """The manifests are to be written, a file an object. folder: as it was typed."""

        def __init__(self, folder: str) -> None:
            super().__init__()
            self.folder = folder

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self.section: ReviewSection = "answers"
        self.outcome: ApplyOutcome | None = None
        self._shown = self._only_changed = False
        self._asks: Literal["search", "export"] = "search"
        self._compared: Answers | None = None
        self._compared_with: Cluster | None = None
        self._rendered: tuple[Answers, Facts] | None = None
        self._work: Worker[ApplyOutcome] | None = None

    def compose(self) -> ComposeResult:
        """Headings, the section, the prompt, a line of what is said."""
        yield Headings()
        with ContentSwitcher(id="sections", initial="answers"):
            yield OptionList(id="problems", markup=False)
            yield DataTable[Text | str](id="answers", cursor_type="row", zebra_stripes=False)
            yield Folds(id="manifests")
            with Vertical(id="live"):
                yield Static(id="compared", markup=False)
                yield Folds(id="changes")
        yield Prompt(id="prompt", compact=True)
        yield Static(id="said", markup=False)

    def on_mount(self) -> None:
        """What was compared is of one cluster, as it was before an apply."""
        self.watch(self.app, "link", self._linked, init=False)
        self.host.applied.subscribe(self, self._after_apply)

    def on_resize(self) -> None:
        """The columns share the width."""
        if self._shown:
            self._list_answers()

    def enter(self) -> None:
        """Show the draft to somebody who comes to the page: what is wrong first."""
        if self.draft.problems:
            self.section = "problems"
        elif self.section == "problems" and not self.draft.warnings:
            self.section = "answers"
        self.follow()

    def follow(self) -> None:
        """Show the draft as it is now to somebody who is reading: the section and what is highlighted stay."""
        self._shown = True
        self._list_problems()
        self._list_answers()
        if self._compared != self.draft.answers:
            self.forget_comparison()
        self._show_section()

    def focus(self, scroll_visible: bool = True) -> Self:
        """The section takes it: the page itself has no keys of its own to show."""
        self._inner.focus(scroll_visible)
        return self

    # ---- sections

    def action_section(self, section: ReviewSection) -> None:
        """Show a section."""
        self.section = section
        self._show_section()
        self.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """Keys that say nothing in this section are not shown."""
        wanted = {"only_changed": ("answers",), "search": ("manifests", "live"), "step": ("manifests", "live")}
        return self.section in wanted.get(action, SECTIONS)

    def _show_section(self) -> None:
        self.query_one("#sections", ContentSwitcher).current = self.section
        if self.section == "manifests":
            self._render_manifests()
        self._head()
        self._hint()
        self.refresh_bindings()

    @property
    def _table(self) -> DataTable[Text | str]:
        return cast("DataTable[Text | str]", self.query_one("#answers"))

    @property
    def _inner(self) -> OptionList | DataTable[Text | str] | Folds:
        found = self.query_one("#changes" if self.section == "live" else f"#{self.section}")
        return cast("OptionList | DataTable[Text | str] | Folds", found)

    def _head(self) -> None:
        changed = sum(value != default for _, value, default in self.draft.rows())
        titles = (f"problems{found(self.draft) or ' ✓'}", f"answers {changed}≠", "manifests", "diff against live")
        self.query_one(Headings).show(titles, SECTIONS.index(self.section))

    def _hint(self) -> None:
        changed = "o: all answers" if self._only_changed else "o: only what differs"
        objects = len(self.query_one("#manifests", Folds).folds)
        self._say(
            {
                "problems": "enter goes to the question",
                "answers": f"≠ differs from its default · enter goes to the question · {changed}",
                "manifests": f"{objects} objects, in the order in which they are applied · / searches"
                if objects
                else "",
                "live": "d compares again; nothing is written · enter unfolds an object · / searches",
            }[self.section]
        )

    def _say(self, text: str) -> None:
        self.query_one("#said", Static).update(text)

    # ---- problems and answers

    def _list_problems(self) -> None:
        listed = self.query_one("#problems", OptionList)
        here = listed.highlighted_option
        question = here.question if isinstance(here, Found) else ""
        listed.clear_options()
        marked = [*(("✗", item) for item in self.draft.problems), *(("!", item) for item in self.draft.warnings)]
        for mark, problem in marked:
            place = tuple(problem.question.split("."))
            label = label_at(place, self.draft.chosen)[0] if problem.question else "the answers as a whole"
            text = Table.grid(padding=(0, 1))
            text.add_row(Text(mark, "bold"), Text.assemble((label, "bold"), f"   {problem.question}"))
            asked = not problem.question or field_at(place, self.draft.chosen) is not None
            text.add_row("", Text(visible(problem.text) + ("" if asked else " · enter leaves it out")))
            listed.add_option(Found(text, problem.question))
        if not marked:
            listed.add_option(Option("✓ nothing is wrong, and there is nothing to warn of", disabled=True))
        else:
            questions = [problem.question for _, problem in marked]
            listed.highlighted = questions.index(question) if question in questions else 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Go to the question of a problem."""
        event.stop()
        if isinstance(event.option, Found):
            self.post_message(self.Jump(event.option.question))

    def _list_answers(self) -> None:
        table = self._table
        row = table.cursor_row
        table.clear(columns=True)
        table.add_column("", width=1)
        room = max(30, self.size.width - 12)  # less the sign, the gaps and a scroll bar
        for title, share in (("question", 48), ("answer", 34), ("default", 18)):
            table.add_column(title, width=room * share // 100)
        page, order = "", pages()
        for path, value, default in sorted(self.draft.rows(), key=lambda row: order.index(page_of(row[0][0]))):
            differs = value != default
            if self._only_changed and not differs:
                continue
            label, place = label_at(path, self.draft.chosen)
            question = ".".join(place)
            if page != page_of(question):
                page = page_of(question)
                table.add_row("", Text(page, "bold underline"), "", "")
            table.add_row(
                Text("≠" if differs else "", "bold"),
                Text(f" {label}"),
                Text(_shown(value), "bold" if differs else "", no_wrap=True, overflow="ellipsis"),
                Text(_shown(default) if differs else "", "dim", no_wrap=True, overflow="ellipsis"),
                key=question,
            )
        if not table.row_count:
            table.add_row("", "every answer is its default", "", "")
        table.move_cursor(row=max(1, row), animate=False)  # the first row is a page's name

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Go to the question of an answer."""
        event.stop()
        if event.row_key.value:
            self.post_message(self.Jump(event.row_key.value))

    def action_only_changed(self) -> None:
        """Leave out what is as by default, or show it again."""
        self._only_changed = not self._only_changed
        self._list_answers()
        self._hint()

    # ---- manifests

    def _render_manifests(self) -> None:
        """Once for the same answers and the same certificate: they stay folded and found as they are."""
        wanted = (self.draft.answers, self.draft.facts)
        shown = self.query_one("#manifests", Folds)
        if self.draft.problems:
            self._rendered = None
            shown.show([Fold("the manifests are shown once nothing is wrong")])
        elif self._rendered != wanted:
            self._rendered = wanted
            rendered = manifests.render(resolve(*wanted))
            shown.show(
                Fold(f"{item.object['kind']} {item.object['metadata']['name']}", tuple(item.text.splitlines()))
                for item in rendered
            )

    # ---- live

    def action_compare(self) -> None:
        """Ask the cluster what an apply would change. Nothing is written."""
        self.action_section("live")
        if self.draft.problems:
            self._tell("the comparison is made once nothing is wrong: 1 lists what is")
            return
        self.forget_comparison()
        self._compared = self.draft.answers
        self._tell_waiting()
        self._work = self.run_worker(
            self._compare(self.draft.answers),
            name="compare with the cluster",
            group="compare",
            exclusive=True,
            exit_on_error=False,
        )

    async def _compare(self, answers: Answers) -> ApplyOutcome:
        cluster = self._compared_with = await self.connection.once_connected()
        given, bundle = await asyncio.to_thread(inputs.referred, answers, self.start.folder)
        return await run(ReleaseRequest(answers, given, bundle), cluster, self._report, _refused, Options(dry_run=True))

    def _report(self, event: Event) -> None:
        if event.kind in ("began", "progress"):
            self._tell(f"● comparing: {event_line(event)[2:]}")

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show what the comparison came to."""
        if event.worker is not self._work:
            return
        if event.state is WorkerState.SUCCESS and isinstance(event.worker.result, ApplyOutcome):
            self.outcome = event.worker.result
            self.query_one("#changes", Folds).show(change_folds(self.outcome.changes))
            self._tell(_verdict(self.outcome.changes, self.start.now()))
        elif event.state is WorkerState.ERROR and event.worker.error is not None:
            error = event.worker.error
            findings = error.findings if isinstance(error, PgwizardError) else ()
            self._tell(said_table([*failure_rows(explained(error), findings), ("d", "tries again")]))

    def forget_comparison(self) -> None:
        """What was compared is no longer there: an apply has begun to write, or the cluster is another one."""
        self.workers.cancel_group(self, "compare")
        self.outcome = self._compared = self._compared_with = self._work = None
        self.query_one("#changes", Folds).show([])
        self._tell("not compared yet: d asks the cluster what an apply would change; nothing is written")

    def _after_apply(self, _: Applied) -> None:
        self.forget_comparison()

    def _linked(self) -> None:
        if self._compared_with is not None and self._compared_with is not self.connection.cluster:
            self.forget_comparison()
        elif self._compared is not None and self._compared_with is None:
            self._tell_waiting()

    def _tell_waiting(self) -> None:
        self._tell(f"● waiting for the cluster: {self.host.link}")

    def _tell(self, what: str | Table) -> None:
        self.query_one("#compared", Static).update(what)

    # ---- the prompt

    def action_apply(self) -> None:
        """The wizard applies, or says why not."""
        self.post_message(self.ApplyAsked())

    def action_search(self) -> None:
        """Ask what to look for."""
        self._ask("search", "search", "")

    def action_step(self, by: int) -> None:
        """The next place, or the one before."""
        if isinstance(self._inner, Folds):
            self._say(self._inner.step(by))

    def action_export(self) -> None:
        """Ask for the folder."""
        if self.draft.problems:
            self.notify("something is still wrong: 1 lists what is", severity="warning", markup=False)
            return
        self._ask("export", "folder for the manifests; it is replaced as a whole", EXPORT_FOLDER)
        self._say("enter writes one file an object into this folder · escape leaves it")

    def _ask(self, what: Literal["search", "export"], placeholder: str, value: str) -> None:
        self._asks = what
        prompt = self.query_one("#prompt", Input)
        prompt.placeholder, prompt.value, prompt.display = placeholder, value, True
        prompt.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """A search goes along with what is typed."""
        event.stop()
        if self._asks == "search" and event.input.display and isinstance(self._inner, Folds):
            self._say(self._inner.find(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The prompt is answered."""
        event.stop()
        self._close_prompt()
        if self._asks == "export" and event.value.strip():
            self.post_message(self.ExportAsked(event.value.strip()))
        elif self._asks == "search" and isinstance(self._inner, Folds):
            self._say(f"{self._inner.step(0)} · n next, N before")

    def leave_prompt(self) -> None:
        """Nothing was asked for."""
        self._close_prompt()
        self._hint()

    def _close_prompt(self) -> None:
        self.query_one("#prompt").display = False
        self.focus()

    # ---- copying

    def action_copy(self) -> None:
        """Copy what is shown: the object under the cursor, or the answers as a file."""
        inner = self._inner
        if isinstance(inner, Folds):
            if inner.current is None:
                return
            what, text = inner.current.title, "\n".join(inner.current.lines) + "\n"
        else:
            what, text = "answers.yaml", self.draft.text()
        self.app.copy_to_clipboard(text)
        lines = text.count("\n")
        self.notify(f"copied: {visible(what)}, {lines} line{'s' if lines != 1 else ''}", markup=False)


async def _refused(_: Sequence[Change]) -> bool:
    return False


def _verdict(changes: Sequence[Change], at: datetime) -> str:
    """at: when it was found."""
    actions = {change.action for change in changes}
    if actions == {"create"}:
        said = f"+ nothing there yet: all {len(changes)} objects are new"
    elif actions <= {"unchanged", "keep"}:
        said = f"= nothing would change: all {len(changes)} objects are as wanted"
    else:
        said = f"~ {counted(changes)}; enter shows what"
    return f"{said} · compared {at.astimezone():%d %b %H:%M}"


def _shown(value: object) -> str:
    """An answer in a cell."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(write_text(value), 60) or "none"
