"""A restore in place: the target and what reaching it costs, the confirmation, then each stage as it runs.

The screen binds keys. ``restore_run`` plans and runs the restore, and ``widgets.restore_view`` shows it.
"""

from __future__ import annotations

import shlex
from typing import ClassVar

from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType

from pgwizard.diagnose import messages
from pgwizard.plan.names import ReleaseRef
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.navigation import OpenMessages
from pgwizard.tui.restore_run import RestoreRun, RestoreState
from pgwizard.tui.start import DEMO
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.outcomes import OutcomeBox, outcome_lines
from pgwizard.tui.widgets.panes import TextPart
from pgwizard.tui.widgets.restore_view import RestoreView
from pgwizard.tui.widgets.target_choice import TargetChoice


class RestoreScreen(ReportsDefects, BaseScreen[None]):
    """Restores a release in place."""

    LEAVING = "A restore is running. Press Ctrl+Q again to leave it: its next stage waits until you resume it."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", "status"),
        Binding("f6", "history", "history", tooltip="list what was committed, what removed tables first"),
        Binding("f8", "preview", "preview", tooltip="show it on a read-only server first; the database keeps running"),
        Binding("p", "psql", "psql", tooltip="open psql in the preview"),
        Binding("t", "retarget", "another target", tooltip="aim the open restore or preview at another target"),
        Binding("i", "in_place", "restore", tooltip="restore in place to what the preview shows"),
        Binding("x", "end_preview", "end", tooltip="end the preview, and delete its volume"),
        Binding("f7", "undo", "undo", tooltip="bring back the state before the newest restore"),
        Binding("r", "resume", "resume", tooltip="resume the restore that has not ended"),
        Binding("r", "again", "look again", tooltip="read again what can be restored"),
        Binding("e", "explain", "explain", tooltip="show the message with its cause and fix"),
        Binding("escape", "leave", "back"),
    ]
    HELP: ClassVar[str] = """\
Brings the database back to an earlier moment, in place.

Up and Down move the moment by a minute, with Shift by a second, PageUp and PageDown by an hour. Typed times need an \
offset from UTC, such as 2026-11-28T10:39:51Z. A click on a line below moves the moment too.

F6 lists what was committed in the last hour, and each time again an hour further back: first what removed or emptied \
tables, the newest first. Enter takes the moment just before it.

━ can be reached   ● end of a backup   · cannot be reached   ▲ target
A line a timeline: each restore begins a new one.

After Enter, F8 shows the target on a read-only server first, in a pod that is thrown away. psql opens in it, and it \
moves to later moments. It stays open until you end it, for about four hours at most.

Nothing is written before you type the release's name. Then the database stops, is restored in a Job, and starts only \
if the target was reached. A full backup follows.
Ctrl+C stops watching. A running Job continues to its end; the next stage waits until the restore is resumed here or \
by pgwizard restore.
F7 undoes the newest restore, as long as the repository holds the state before it."""

    def __init__(self, release: ReleaseRef) -> None:
        super().__init__()
        self._release = release
        self._view = RestoreView(release.name)
        self.run = RestoreRun(self, self._view, release, self.refresh_bindings)

    @property
    def ending(self) -> list[str]:
        """How it ended, as lines; empty until it has."""
        return outcome_lines(self.query_one(OutcomeBox).rows)

    @property
    def is_writing(self) -> bool:
        return self.run.is_writing

    @property
    def leaving(self) -> str:
        if self.run.state != "previewing":
            return self.LEAVING
        if self.run.psql_command():
            return "The preview is being moved. Press Ctrl+Q again to leave: it stays open."
        return "A preview is being opened. Press Ctrl+Q again to leave: that ends it."

    def compose(self) -> ComposeResult:
        yield TextPart("header")
        yield self._view
        yield KeyLine()

    def on_mount(self) -> None:
        self.watch(self.app, "link", self._show_header)
        self.run.begin()

    def _show_header(self) -> None:
        demo = f"{DEMO}   " if self.start.demo else ""
        text = f"restore   {demo}{self._release}   {self.host.link}"
        self.query_one("#header", TextPart).show(text)

    def on_target_choice_restore_request(self, event: TargetChoice.RestoreRequest) -> None:
        if self.run.state == "choosing":
            self.run.plan(event.target)

    def on_target_choice_confirmed(self) -> None:
        if self.run.state == "confirming":
            self.run.start()

    # ---- keys ------------------------------------------------------------------------------------------------------

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Only the keys that do something now are shown."""
        states: dict[str, tuple[RestoreState, ...]] = {
            "go_on": ("ended",),
            "history": ("choosing",),
            "retarget": ("open", "showing"),
            "psql": ("showing",),
            "in_place": ("showing",),
            "end_preview": ("showing",),
            "undo": ("choosing", "open", "ended"),
            "again": ("failed", "stopped"),
        }
        if action == "resume" or (action == "again" and self.run.can_resume):
            return action == "resume" and self.run.can_resume
        if action == "leave":
            return self.run.state != "stopping"
        if action == "preview":
            return self.run.can_preview
        if action == "explain":
            return bool(self.run.message)
        return action not in states or self.run.state in states[action]

    def action_go_on(self) -> None:
        self.dismiss(None)

    def action_history(self) -> None:
        self.run.list_events()

    def action_preview(self) -> None:
        self.run.preview()

    def action_in_place(self) -> None:
        self.run.restore_previewed()

    def action_end_preview(self) -> None:
        self.run.end_preview()

    def action_psql(self) -> None:
        """Leave the terminal to psql, until it ends; where that is not possible, copy its command."""
        command = self.run.psql_command()
        try:
            self.host.signals.lend(self.app, shlex.split(command))
        except (SuspendNotSupported, OSError):
            self.app.copy_to_clipboard(command)
            self.notify(f"psql cannot be opened here. Its command was copied: {command}", markup=False)

    def action_retarget(self) -> None:
        self.run.retarget()

    def action_undo(self) -> None:
        self.run.undo()

    def action_resume(self) -> None:
        """Ask for the confirmation to resume the restore that has not ended."""
        self._reconnect()
        self.run.resume()

    def action_again(self) -> None:
        """Read the repository again."""
        self._reconnect()
        self.run.begin()

    def _reconnect(self) -> None:
        if not self.connection.connect_event.is_set():
            self.connection.connect()

    def action_explain(self) -> None:
        """Show the message about how it ended."""
        self.open_screen(OpenMessages(messages.link(self.run.message)))

    def action_leave(self) -> None:
        """From the confirmation back to the choice. While the restore runs, stop watching. Then go back."""
        if not self.run.go_back() and self.run.stop():
            self.dismiss(None)

    def stop(self) -> bool:
        self.action_leave()
        return True
