"""An apply: the changes, their approval, then each stage as it runs, and how it ended.

The screen binds keys. ``apply_run`` runs ``release.apply``, ``apply_progress`` keeps what it reports, and
``widgets.apply_view`` shows it.
"""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from pgwizard.answers.questions import Answers
from pgwizard.diagnose import messages
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.apply import STAGES
from pgwizard.text import visible
from pgwizard.tui.apply_run import ApplyRun, ApplyState
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.copying import COPY, WRITE, Copies, Excerpt
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.navigation import OpenMessages, OpenStatus
from pgwizard.tui.start import DEMO
from pgwizard.tui.widgets.apply_view import ApplyView
from pgwizard.tui.widgets.approval import Approval
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.outcomes import OutcomeBox, outcome_lines
from pgwizard.tui.widgets.panes import TextPart


class ApplyScreen(Copies, ReportsDefects, BaseScreen[str]):
    """opened_release: the release that the answers were opened from, if any.

    Ends with the dotted path of the question to go back to after a failure; empty for none.
    """

    LEAVING = "An apply is running. Press Ctrl+Q again to leave it: the cluster continues, and a later apply resumes."
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
        "· to come  ● running  ✓ done  ✗ failed  - not needed  ! warning\n\n"
        "Nothing is written before you press y. Enter or a click unfolds a change, a unfolds all. Shift+Left and "
        "Shift+Right scroll long lines.\n"
        "Esc or Ctrl+C goes back before that; afterwards it stops watching, and the cluster continues.\n"
        "r applies again: what is there already is kept.\n"
        "At the end Enter opens the status; after a failure, the question to change. c copies the commands that "
        "connect to the database; after a failure, the result with its log."
    )

    def __init__(self, answers: Answers, opened_release: ReleaseRef | None = None) -> None:
        super().__init__()
        self.answers = answers
        self._view = ApplyView(_expectations(answers), answers.release.name)
        self.run = ApplyRun(self, self._view, answers, opened_release, self.refresh_bindings)

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
        return self.run.is_writing

    def compose(self) -> ComposeResult:
        yield TextPart("header")
        yield self._view
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin at once: nothing is written before the approval."""
        self.watch(self.app, "link", self._show_header)
        self.run.begin()

    def _show_header(self) -> None:
        release = self.answers.release
        demo = f"{DEMO}   " if self.start.demo else ""
        text = f"apply   {demo}{release.namespace}/{release.name}   {self.host.link}"
        self.query_one("#header", TextPart).show(text)

    # ---- keys ------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Only the keys that do something now are shown."""
        state, progress = self.run.state, self.run.progress
        states: dict[str, tuple[ApplyState, ...]] = {
            "approve": ("asking",),
            "again": ("failed", "stopped"),
            "copy": ("failed", "stopped", "ended"),
            "write_file": ("failed", "stopped", "ended"),
            "follow": ("ended", "failed"),
        }
        if action == "leave":
            return state != "stopping"
        if action == "again" and state == "reading":
            return not self.connection.connect_event.is_set()
        if action == "explain":
            return bool(progress.message)
        if action == "follow" and state == "failed":
            return bool(progress.question)
        return state in states.get(action, (state,))

    def action_approve(self) -> None:
        self.query_one(Approval).approve()

    def action_follow(self) -> None:
        """Open the status, or the question to change after a failure."""
        if self.run.progress.failure is not None:
            self.dismiss(self.run.progress.question)
            return
        self.dismiss("")
        self.open_screen(OpenStatus(ReleaseRef.of(self.answers)))

    def action_explain(self) -> None:
        """Show the message about how it ended."""
        self.open_screen(OpenMessages(messages.link(self.run.progress.message)))

    def action_again(self) -> None:
        """Apply again: what is there already is kept."""
        if not self.connection.connect_event.is_set():
            self.connection.connect()
        self.run.begin()

    def excerpt(self) -> Excerpt:
        """The commands that connect to the database; after a failure how it ended, with the log."""
        name, commands = self.answers.release.name, self.run.progress.commands
        if commands:
            return Excerpt("the commands", "\n".join(commands) + "\n", f"{name}-connect.sh")
        text = "\n".join([*self.ending, *map(visible, self.run.progress.log)]) + "\n"
        return Excerpt("the result", text, f"{name}-apply.txt")

    def action_leave(self) -> None:
        """Before anything is written, go back. While it is, stop watching and show what is there. Then go back."""
        is_name_line_open = self.run.state == "asking" and self.query_one(Approval).take_back()
        if not is_name_line_open and self.run.stop():
            self.dismiss("")

    def stop(self) -> bool:
        self.action_leave()
        return True


def _expectations(answers: Answers) -> list[str]:
    """The stages that these answers go through; a prune appears only where there is something to delete."""
    absent = {"prune"} if answers.repository.enabled else {"prune", "first backup"}
    return [stage for stage in STAGES if stage not in absent]
