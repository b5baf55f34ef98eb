"""The apply as it goes on: stages with their times, what the cluster says, the hook Job's log; and what came of it.

It starts ``deploy.run`` and shows its events. It refuses to decide: the approval is a key, and of what is lost the
release's name, typed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerState

from pgwizard.answers.questions import Answers
from pgwizard.answers.schema import label_at
from pgwizard.diagnose import messages
from pgwizard.errors import Finding, PgwizardError
from pgwizard.local import inputs
from pgwizard.release.apply import STAGES, ApplyOutcome, Options, ReleaseRequest, run
from pgwizard.release.changes import Change, cost, counted
from pgwizard.release.report import explained
from pgwizard.release.stages import Event
from pgwizard.text import visible
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.navigation import Applied, OpenMessages, OpenStatus
from pgwizard.tui.screens.review import change_folds, failure_rows, said_table
from pgwizard.tui.start import DEMO
from pgwizard.tui.widgets.folds import Folds
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.log import Log

ASKS = "y applies this · enter shows a change · escape goes back: nothing was written"
RESUMES = "The cluster continues. Run it again at any time: it resumes."


# ---- stages --------------------------------------------------------------------------------------------------------

Mark = Literal["·", "●", "✓", "✗", "-"]


@dataclass
class StageLine:
    """One stage as far as it is known. seconds: how long it took; None while it goes on."""

    name: str
    mark: Mark = "·"
    text: str = ""
    seconds: float | None = None
    began: datetime | None = None
    warnings: list[str] = field(default_factory=list)


class Stages(Static):
    """``·`` to come, ``●`` now, ``✓`` done, ``✗`` failed, ``-`` not needed; ``!`` a warning, under its stage."""

    DEFAULT_CSS = """
    Stages { height: auto; padding: 0 1; }
    Stages > .stages--now { text-style: bold; }
    Stages > .stages--done { color: $text-success; }
    Stages > .stages--failed { color: $text-error; text-style: bold; }
    Stages > .stages--warning { color: $text-warning; }
    Stages > .stages--quiet { text-style: dim; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "stages--now",
        "stages--done",
        "stages--failed",
        "stages--warning",
        "stages--quiet",
    }
    _STYLES: ClassVar[dict[str, str]] = {"✓": "done", "✗": "failed", "●": "now", "·": "quiet", "-": "quiet"}

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(id="stages", markup=False)
        self._names = tuple(names)
        self.stages: list[StageLine] = []
        self.restart()

    def restart(self) -> None:
        """Everything is still to come."""
        self.stages = [StageLine(name) for name in self._names]

    @property
    def now(self) -> str:
        """The stage that goes on; empty where none does."""
        return next((stage.name for stage in self.stages if stage.mark == "●"), "")

    def take(self, event: Event, at: datetime) -> None:
        """An event of a stage; one that nobody expected gets its line too."""
        stage = next((stage for stage in self.stages if stage.name == event.stage), None)
        if stage is None:
            stage = StageLine(event.stage)
            self.stages.insert(max(0, len(self.stages) - 1), stage)
        match event.kind:
            case "began":
                stage.mark, stage.began = "●", at
            case "progress":
                stage.text = visible(event.text)
            case "warning":
                stage.warnings.append(visible(event.text))
            case "done" | "failed":
                stage.mark = "✓" if event.kind == "done" else "✗"
                stage.text, stage.seconds = visible(event.text), event.seconds
            case "skipped":
                stage.mark, stage.text = "-", visible(event.text)

    def end(self, how: Literal["done", "failed", "stopped"]) -> None:
        """Nothing more will come: what has not begun was not needed, or is left out; stopping is no failure."""
        for stage in self.stages:
            if (how == "done" and stage.mark == "·") or (how == "stopped" and stage.mark in "●✗"):
                stage.mark = "-"

    def show(self, at: datetime) -> None:
        """Show what is known, with the time that the present stage takes so far."""
        table = Table.grid(expand=True, padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1, overflow="ellipsis", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        for stage in self.stages:
            style = self.get_component_rich_style(f"stages--{self._STYLES[stage.mark]}", partial=True)
            rest = self.get_component_rich_style("stages--quiet", partial=True) if stage.mark in "·-" else ""
            took = ""
            if stage.seconds is not None:
                took = f"{stage.seconds:.1f} s"
            elif stage.mark == "●" and stage.began is not None:
                took = f"{max(0.0, (at - stage.began).total_seconds()):.0f} s …"
            table.add_row(Text(stage.mark, style), Text(stage.name, rest or style), Text(stage.text, rest), Text(took))
            for warning in stage.warnings:
                warns = self.get_component_rich_style("stages--warning", partial=True)
                table.add_row("", Text("!", warns), Text(warning))
        self.update(table)


# ---- the screen ----------------------------------------------------------------------------------------------------

ApplyState = Literal["reading", "asking", "writing", "stopping", "stopped", "failed", "ended"]


class Apply(BaseScreen[str]):
    """Shows the changes, waits for the key that approves them, then shows each stage.

    Ends with the dotted path of the question that a failure goes back to; empty for none.
    """

    DEFAULT_CSS = """
    Apply #what { height: auto; max-height: 45%; display: none; padding: 0 1; border-top: solid $panel-lighten-3; }
    Apply.-alone #what { height: 1fr; max-height: 100%; }
    Apply #costs { height: auto; max-height: 30%; display: none; padding: 0 1; color: $text-warning; }
    Apply Folds, Apply Log { border-top: solid $panel-lighten-3; border-title-color: $text-muted; }
    Apply Log { height: 1fr; min-height: 2; display: none; }
    Apply #typed { display: none; border: none; height: 1; padding: 0 1; background: $boost; }
    Apply #say { height: auto; padding: 0 1; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "approve", "apply this"),
        Binding("enter", "follow", "go on", priority=False),
        Binding("r", "again", "try again"),
        Binding("e", "explained", "explain", tooltip="the message with its cause and fix"),
        Binding("c", "copy", "copy"),
        Binding("escape", "leave", "back"),
    ]
    HELP: ClassVar[str] = (
        "· to come  ● now  ✓ done  ✗ failed  - not needed  ! warning\n"
        "enter or a click on a change unfolds it · a: all of them · y: apply this; nothing is written before\n"
        "escape or ctrl+c: before the apply goes back; after it began stops watching, and the cluster continues\n"
        "r: try again; what is there already is found and kept · c: copy what is said\n"
        "e: the message of a failure among all of them\n"
        "enter at the end: the status; after a failure: the question that it goes back to"
    )

    def __init__(self, answers: Answers, doubts: Sequence[Finding] = ()) -> None:
        super().__init__()
        self.answers, self.doubts = answers, doubts
        self.outcome: ApplyOutcome | None = None
        self.failure: Finding | None = None
        self.state: ApplyState = "reading"
        self.changes: tuple[Change, ...] = ()
        self._approved: asyncio.Future[bool] | None = None
        self._work: Worker[ApplyOutcome] | None = None
        self._written: list[str] = []
        self._log: list[str] = []
        self._said: list[str] = []
        self._stages = Stages(_expected(answers))

    @property
    def asked(self) -> bool:
        """Whether the approval is waited for."""
        return self._approved is not None and not self._approved.done()

    @property
    def is_writing(self) -> bool:
        """Whether an apply has begun to write, and has not ended."""
        return self.state in ("writing", "stopping")

    def compose(self) -> ComposeResult:
        """Stages, what came of them, the changes or the log, a line that says what can be done."""
        yield Static(id="header", markup=False)
        yield self._stages
        with VerticalScroll(id="what"):
            yield Static(id="verdict", markup=False)
        yield Static(id="costs", markup=False)
        yield Folds(id="changes")
        yield Log(id="log", kept=5_000)
        yield Input(id="typed", compact=True)
        yield Static(id="say", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin at once: nothing is written before the approval."""
        self.watch(self.app, "link", self._linked)
        self.set_interval(0.5, self._tick)
        self._begin()

    def _begin(self) -> None:
        self.outcome, self.failure, self._approved, self.changes = None, None, None, ()
        self._written.clear()
        self._log.clear()
        self._stages.restart()
        log = self.query_one(Log)
        log.clear()
        log.border_title = "what the cluster says"
        self.query_one(Folds).show([])
        for name in ("#what", "#costs", "#log", "#typed"):
            self.query_one(name).display = False
        self.query_one(Folds).display = True
        self.query_one(Folds).border_title = "what changes"
        self.query_one(Folds).focus()
        self._turn("reading", "nothing is written before you have seen it")
        self._work = self.run_worker(self._run(), name="apply", group="apply", exclusive=True, exit_on_error=False)

    async def _run(self) -> ApplyOutcome:
        cluster = await self.connection.once_connected()
        given, bundle = await asyncio.to_thread(inputs.referred, self.answers, self.start.folder)
        return await run(ReleaseRequest(self.answers, given, bundle), cluster, self._report, self._approve, Options())

    # ---- what is told

    def _report(self, event: Event) -> None:
        if event.kind == "log":
            self._hear(event.text)
        elif event.kind == "progress" and event.stage in ("wait", "first backup"):
            self._hear(f"· {event.text}", quiet=True)
        if event.stage == "apply" and event.change is not None:
            self._written.append(str(event.change.ref))
        self._stages.take(event, self.start.now())
        self._tick()

    def _hear(self, line: str, *, quiet: bool = False) -> None:
        if not quiet:
            self.query_one(Log).border_title = "log"
            self._log.append(line)
            del self._log[:-400]
        self.query_one(Log).write(visible(line), "dim" if quiet else "")

    def _tick(self) -> None:
        self._stages.show(self.start.now())

    def _linked(self) -> None:
        release = self.answers.release
        demo = f"{DEMO}   " if self.start.demo else ""
        self.query_one("#header", Static).update(f"apply   {demo}{release.namespace}/{release.name}   {self.host.link}")

    def _turn(self, state: ApplyState, say: str) -> None:
        self.state = state
        self.query_one("#say", Static).update(say)
        self._tick()
        self.refresh_bindings()

    # ---- the approval

    async def _approve(self, changes: Sequence[Change]) -> bool:
        self.changes = tuple(changes)
        folds = self.query_one(Folds)
        folds.show(change_folds(changes))
        folds.border_title = Text(f"what changes: {counted(changes)}")
        told = {warning for stage in self._stages.stages for warning in stage.warnings}
        costs = [visible(f"! {doubt}") for doubt in self.doubts if visible(str(doubt)) not in told]
        costs += [visible(f"! {change.ref}: {lost}") for change in changes if (lost := cost(change))]
        self.query_one("#costs", Static).update("\n".join(costs))
        self.query_one("#costs").display = bool(costs)
        self._approved = asyncio.get_running_loop().create_future()
        self._turn("asking", ASKS)
        approved = await self._approved
        folds.display = False
        self.query_one("#costs").display = False
        log = self.query_one(Log)
        log.display = True
        log.focus()
        self._publish(complete=False)  # what other screens know of the cluster is old from here on
        self._turn("writing", f"ctrl+c stops watching. {RESUMES}")
        return approved

    def action_approve(self) -> None:
        """Once, and only when it was asked for; where something is lost, after the release's name was typed."""
        lost = sum(change.action == "delete" for change in self.changes)
        if not lost:
            self._go_on()
            return
        typed = self.query_one("#typed", Input)
        typed.value, typed.display = "", True
        typed.placeholder = self.answers.release.name
        typed.focus()
        objects = "1 object is deleted" if lost == 1 else f"{lost} objects are deleted"
        self._turn("asking", f"{objects}: type the release's name, {self.answers.release.name}, and press enter")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The name, typed out."""
        if event.value.strip() == self.answers.release.name:
            event.input.display = False
            self._go_on()
        else:
            self.notify(f"that is not {self.answers.release.name}: nothing is applied", markup=False)

    def _go_on(self) -> None:
        if self.asked and self._approved is not None:
            self._approved.set_result(True)

    # ---- the end

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say how it ended."""
        if event.worker is not self._work or not self.is_attached:
            return
        if event.state is WorkerState.SUCCESS and isinstance(event.worker.result, ApplyOutcome):
            self.outcome = event.worker.result
            self._stages.end("done")
            self._publish(complete=True)
            first, _, rest = self.outcome.message.partition("\n")
            self._show([("✓", first), *([("", rest)] if rest else [])])
            self._turn("ended", "enter: its status · escape: back to the answers · c: copy")
        elif event.state is WorkerState.ERROR and event.worker.error is not None:
            self._failed(event.worker.error)
        elif event.state is WorkerState.CANCELLED:
            self._stages.end("stopped")
            if self._started:
                self._publish(complete=False)
            self._show([("-", f"stopped watching. {RESUMES}"), ("written", self._there())])
            self._turn("stopped", "r: try again, from where it is · escape: back to the answers · c: copy")

    def _publish(self, *, complete: bool) -> None:
        self.host.post_message(Applied(self.answers, complete))

    def _failed(self, error: BaseException) -> None:
        self.failure = found = explained(error, self._log)
        self._stages.end("failed")
        if self._started:
            self._publish(complete=False)
        findings, log = (error.findings, error.log) if isinstance(error, PgwizardError) else ((), ())
        if not self._log:
            for line in log:
                self._hear(line)
        self._show([*failure_rows(found, findings), *([("written", self._there())] if self._started else [])])
        label, _ = label_at(tuple(found.question.split(".")))
        enter = f"enter: question {label} ({found.question}) · " if found.question else ""
        more = "e: explained · " if found.key else ""
        self._turn("failed", f"{enter}{more}r: try again")

    @property
    def _started(self) -> bool:
        return self._approved is not None and self._approved.done() and not self._approved.cancelled()

    def _there(self) -> str:
        """What is in the cluster by now, as far as it was told."""
        if not self._started:
            return "nothing"
        writes = [change for change in self.changes if change.action in ("create", "update", "replace")]
        wanted = sum(change.ref.resource.kind != "Job" for change in writes)  # the Job belongs to the first backup
        if not wanted:
            return "nothing: every object is as wanted"
        done = any(stage.name == "apply" and stage.mark == "✓" for stage in self._stages.stages)
        sure = len(self._written) if done else max(0, len(self._written) - 1)
        unsure = "" if done or not self._written else f"; {self._written[-1]} was tried last"
        job = " (the Job of the first backup is apart)" if wanted < len(writes) else ""
        return f"{sure} of {wanted} objects{job}{unsure}"

    def _show(self, rows: Sequence[tuple[str, str]]) -> None:
        self.query_one("#verdict", Static).update(said_table(rows))
        box = self.query_one("#what")
        box.display = True
        box.focus()  # it has no enter of its own
        log = self.query_one(Log)
        log.display = bool(self._log) or (log.display and self.failure is None)
        self.set_class(not log.display, "-alone")  # alone, it takes the room
        self.query_one("#typed").display = self.query_one(Folds).display = False
        self._said = [f"{word:5} {visible(line)}" for word, text in rows for line in text.splitlines()]

    # ---- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """Only the keys that do something now are shown."""
        states: dict[str, tuple[ApplyState, ...]] = {
            "approve": ("asking",),
            "again": ("failed", "stopped"),
            "copy": ("failed", "stopped", "ended"),
            "follow": ("ended", "failed"),
        }
        if action == "leave":
            return self.state != "stopping"
        if action == "again" and self.state == "reading":
            return not self.connection.connected.is_set()
        if action == "explained":
            return bool(self.failure and self.failure.key)
        if action == "follow" and self.state == "failed":
            return bool(self.failure and self.failure.question)
        return self.state in states.get(action, (self.state,))

    def action_follow(self) -> None:
        """To the status of what stands now, or to the question that the failure goes back to."""
        if self.failure is not None:
            self.dismiss(self.failure.question)
            return
        release = self.answers.release
        self.dismiss("")
        self.open_screen(OpenStatus(release.name, release.namespace))

    def action_explained(self) -> None:
        """The message that fits the failure."""
        if self.failure is not None:
            self.open_screen(OpenMessages(messages.link(self.failure.key)))

    def action_again(self) -> None:
        """Run again: what is there already is found."""
        if not self.connection.connected.is_set():
            self.connection.connect()
        self._begin()

    def action_copy(self) -> None:
        """What came of it, with the log."""
        self.app.copy_to_clipboard("\n".join([*self._said, *self._log]))
        self.notify("copied", markup=False)

    def action_leave(self) -> None:
        """Before anything is written: back. While it is written: stop watching, and say what is there. Then: back."""
        if self.query_one("#typed").display:
            self.query_one("#typed").display = False
            self.query_one(Folds).focus()
            self._turn("asking", ASKS)
            return
        if self.state == "stopping":
            return  # to cancel again would hit what gives the lease back
        if self._work is not None and not self._work.is_finished:
            self._work.cancel()
            if self.state == "writing":
                self._turn("stopping", "stopping: releasing the lock; the cluster continues")
                return
        self.dismiss("")

    def stop(self) -> bool:
        """See ScreenPart."""
        self.action_leave()
        return True


def _expected(answers: Answers) -> list[str]:
    """The stages that these answers will go through; a prune shows itself where there is something to delete."""
    absent = {"prune"} if answers.repository.enabled else {"prune", "first backup"}
    return [stage for stage in STAGES if stage not in absent]
