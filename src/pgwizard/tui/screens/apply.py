"""An apply: the changes, their approval, then each stage as it runs, and how it ended.

The screen runs ``release.apply`` and binds keys. ``apply_progress`` keeps what the run reports; ``widgets.approval``,
``widgets.stages``, ``widgets.log`` and ``widgets.outcomes`` show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.worker import Worker, WorkerState

from pgwizard.answers.questions import Answers
from pgwizard.answers.schema import label_at
from pgwizard.diagnose import messages
from pgwizard.kube.commands import CURRENT_CONTEXT
from pgwizard.local import inputs
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.apply import STAGES, ApplyOutcome, Options, ReleaseRequest, run
from pgwizard.release.changes import Change
from pgwizard.release.stages import Event
from pgwizard.text import visible
from pgwizard.tui.apply_progress import RESUMES, ApplyProgress
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.copying import COPY, WRITE, Copies, Excerpt
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.navigation import Applied, OpenMessages, OpenStatus
from pgwizard.tui.start import DEMO
from pgwizard.tui.widgets.approval import Approval
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.log import Log
from pgwizard.tui.widgets.outcomes import OutcomeBox, OutcomeRow, outcome_lines
from pgwizard.tui.widgets.panes import TextPart
from pgwizard.tui.widgets.stages import Stages

ApplyState = Literal["reading", "asking", "writing", "stopping", "stopped", "failed", "ended"]


class ApplyScreen(Copies, ReportsDefects, BaseScreen[str]):
    """opened: the release that the answers were opened from, if any.

    Ends with the dotted path of the question to go back to after a failure; empty for none.
    """

    DEFAULT_CSS = """
    ApplyScreen Log { border-top: solid $panel-lighten-3; border-title-color: $text-muted; }
    ApplyScreen Log { height: 1fr; min-height: 2; }
    ApplyScreen OutcomeBox { max-height: 55%; }
    ApplyScreen.-alone OutcomeBox { height: 1fr; max-height: 100%; }
    ApplyScreen #prompt { height: auto; padding: 0 1; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "approve", "apply", tooltip="apply these changes"),
        Binding("enter", "follow", "continue", priority=False, tooltip="open the status, or the question to change"),
        Binding("r", "again", "try again"),
        Binding("e", "explain", "explain", tooltip="show the message with its cause and fix"),
        COPY,
        WRITE,
        Binding("escape", "leave", "back"),
    ]
    HELP: ClassVar[str] = (
        "Stages: · to come  ● running  ✓ done  ✗ failed  - not needed  ! warning\n\n"
        "Nothing is written before you press y. Enter or a click unfolds a change,\n"
        "a unfolds all.\n"
        "Esc or Ctrl+C goes back before that; afterwards it stops watching, and the\n"
        "cluster continues. r applies again: what is there already is kept.\n"
        "At the end Enter opens the status; after a failure, the question to change."
    )

    def __init__(self, answers: Answers, opened: ReleaseRef | None = None) -> None:
        super().__init__()
        self.answers, self.opened = answers, opened
        self.state: ApplyState = "reading"
        self.progress = ApplyProgress()
        self._work: Worker[ApplyOutcome] | None = None

    @property
    def is_asking(self) -> bool:
        """Whether the approval is waited for."""
        return self.query_one(Approval).is_waiting

    @property
    def ending(self) -> list[str]:
        """How it ended, as lines; empty until it has."""
        return outcome_lines(self.query_one(OutcomeBox).rows)

    @property
    def is_writing(self) -> bool:
        """See ScreenPart."""
        return self.state in ("writing", "stopping")

    def compose(self) -> ComposeResult:
        """Stages, how it ended, the approval or the log, and what can be done now."""
        yield TextPart("header")
        yield Stages(_expected(self.answers))
        yield OutcomeBox()
        yield Approval(self.answers.release.name)
        yield Log(id="log", kept=5_000)
        yield TextPart("prompt")
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin at once: nothing is written before the approval."""
        self.watch(self.app, "link", self._follow_link)
        self.set_interval(0.5, self._tick)
        self._begin()

    def _begin(self) -> None:
        self.progress = ApplyProgress()
        self.query_one(Stages).restart()
        self.query_one(OutcomeBox).show(())
        log = self.query_one(Log)
        log.clear()
        log.border_title = "progress"
        log.display = False
        approval = self.query_one(Approval)
        approval.display = True
        approval.restart()
        self._turn("reading", "Reading the cluster. Nothing is written before you approve.")
        self._work = self.run_worker(self._run(), name="apply", group="apply", exclusive=True, exit_on_error=False)

    async def _run(self) -> ApplyOutcome:
        cluster = await self.connection.once_connected()
        read = inputs.read_references
        given, bundle = await asyncio.to_thread(read, self.answers, self.start.folder, self.start.now())
        request = ReleaseRequest(self.answers, given, bundle, self.opened)
        return await run(request, cluster, self._report, self._approve, Options(), now=self.start.now)

    async def _approve(self, changes: Sequence[Change]) -> bool:
        approval = self.query_one(Approval)
        self._turn("asking", "")
        await approval.ask(changes)
        self.progress.approve(changes)
        approval.display = False
        log = self.query_one(Log)
        log.display = True
        log.focus()
        self._publish(complete=False)  # what other screens know of the cluster is old from here on
        self._turn("writing", f"Ctrl+C stops watching. {RESUMES}")
        return True

    def on_approval_prompted(self, event: Approval.Prompted) -> None:
        """What can be done while the approval is waited for."""
        if self.state == "asking":
            self.query_one("#prompt", TextPart).show(event.text)

    # ---- progress --------------------------------------------------------------------------------------------------

    def _report(self, event: Event) -> None:
        self.progress.take(event)
        if event.kind == "log":
            self._write_log(event.text)
        elif event.kind == "progress" and event.stage in ("wait", "first backup"):
            self.query_one(Log).write(visible(f"· {event.text}"), "dim")
        self.query_one(Stages).take(event, self.start.now())
        self._tick()

    def _write_log(self, line: str) -> None:
        log = self.query_one(Log)
        log.border_title = "log"
        log.write(visible(line))

    def _tick(self) -> None:
        self.query_one(Stages).show(self.start.now())

    def _follow_link(self) -> None:
        release = self.answers.release
        demo = f"{DEMO}   " if self.start.demo else ""
        text = f"apply   {demo}{release.namespace}/{release.name}   {self.host.link}"
        self.query_one("#header", TextPart).show(text)

    def _turn(self, state: ApplyState, prompt: str) -> None:
        self.state = state
        self.query_one("#prompt", TextPart).show(prompt)
        self._tick()
        self.refresh_bindings()

    def _publish(self, *, complete: bool) -> None:
        self.host.post_message(Applied(self.answers, complete))

    # ---- the end ---------------------------------------------------------------------------------------------------

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show how the run ended; any other worker's defect is reported."""
        if event.worker is not self._work:
            return  # the handler of ReportsDefects is called next
        event.prevent_default()
        if not self.is_attached:
            return
        if event.state is WorkerState.SUCCESS and isinstance(event.worker.result, ApplyOutcome):
            self._succeed(event.worker.result)
        elif event.state is WorkerState.ERROR and event.worker.error is not None:
            self._fail(event.worker.error)
        elif event.state is WorkerState.CANCELLED:
            self._show_end("stopped", self.progress.stop())
            self._turn("stopped", "Press r to apply again from here, Esc for the answers.")

    def _succeed(self, outcome: ApplyOutcome) -> None:
        cluster = self.connection.cluster
        rows = self.progress.succeed(outcome, cluster.commands if cluster is not None else CURRENT_CONTEXT)
        self._show_end("done", rows)
        self._turn("ended", "Press Enter for its status, Esc for the answers, c to copy the commands.")

    def _fail(self, error: BaseException) -> None:
        has_log = bool(self.progress.log)
        rows = self.progress.fail(error)
        if not has_log:
            for line in self.progress.log:
                self._write_log(line)
        self._show_end("failed", rows)
        question = self.progress.question
        label, _ = label_at(tuple(question.split(".")))
        change = f"Press Enter to change {label} ({question}), or r" if question else "Press r"
        self._turn("failed", f"{change} to try again.")

    def _show_end(self, how: Literal["done", "failed", "stopped"], rows: Sequence[OutcomeRow]) -> None:
        self.query_one(Stages).end(how)
        if self.progress.is_approved or how == "done":
            self._publish(complete=how == "done")
        log, box = self.query_one(Log), self.query_one(OutcomeBox)
        box.show(rows)
        box.focus()  # which leaves Enter to the screen
        log.display = bool(self.progress.log) or (self.progress.is_approved and how != "failed")
        self.set_class(not log.display, "-alone")
        self.query_one(Approval).display = False

    # ---- keys ------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """Only the keys that do something now are shown."""
        states: dict[str, tuple[ApplyState, ...]] = {
            "approve": ("asking",),
            "again": ("failed", "stopped"),
            "copy": ("failed", "stopped", "ended"),
            "write_file": ("failed", "stopped", "ended"),
            "follow": ("ended", "failed"),
        }
        if action == "leave":
            return self.state != "stopping"
        if action == "again" and self.state == "reading":
            return not self.connection.connected.is_set()
        if action == "explain":
            return bool(self.progress.message)
        if action == "follow" and self.state == "failed":
            return bool(self.progress.question)
        return self.state in states.get(action, (self.state,))

    def action_approve(self) -> None:
        """Approve the changes."""
        self.query_one(Approval).approve()

    def action_follow(self) -> None:
        """Open the status, or the question to change after a failure."""
        if self.progress.failure is not None:
            self.dismiss(self.progress.question)
            return
        self.dismiss("")
        self.open_screen(OpenStatus(ReleaseRef.of(self.answers)))

    def action_explain(self) -> None:
        """Show the message about how it ended."""
        if self.progress.message:
            self.open_screen(OpenMessages(messages.link(self.progress.message)))

    def action_again(self) -> None:
        """Apply again: what is there already is kept."""
        if not self.connection.connected.is_set():
            self.connection.connect()
        self._begin()

    def excerpt(self) -> Excerpt:
        """How it ended, with the log."""
        text = "\n".join([*self.ending, *map(visible, self.progress.log)]) + "\n"
        return Excerpt("the result", text, f"{self.answers.release.name}-apply.txt")

    def action_leave(self) -> None:
        """Before anything is written, go back. While it is, stop watching and show what is there. Then go back."""
        if self.state == "asking" and self.query_one(Approval).take_back():
            return
        if self.state == "stopping":
            return  # to cancel again would interrupt the release of the lock
        if self._work is not None and not self._work.is_finished:
            self._work.cancel()
            if self.state == "writing":
                self._turn("stopping", "Stopping: the lock is being released. The cluster continues.")
                return
        self.dismiss("")

    def stop(self) -> bool:
        """See ScreenPart."""
        self.action_leave()
        return True


def _expected(answers: Answers) -> list[str]:
    """The stages that these answers go through; a prune appears only where there is something to delete."""
    absent = {"prune"} if answers.repository.enabled else {"prune", "first backup"}
    return [stage for stage in STAGES if stage not in absent]
