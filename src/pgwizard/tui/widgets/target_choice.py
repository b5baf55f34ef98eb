"""Where to restore to: a line for the target, what the archive can reach, and what the restore would use and lose."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Input

from pgwizard.local.zone import local_zone
from pgwizard.restore.report import plan_rows, strip_lines
from pgwizard.restore.target import RecoveryTarget, RepositoryView, RestorePlan, TargetRefusal, choose, read_target
from pgwizard.text import visible
from pgwizard.tui.base import HostAccess
from pgwizard.tui.widgets.panes import TextPart, grid
from pgwizard.tui.widgets.text_line import TextLine

ABOUT = (
    "To which moment? One just before the mistake loses the least. Up and Down move it, with Shift by a second. "
    "Or type latest, a time such as {time}, backup:LABEL, name:POINT, xid:N or lsn:X."
)
GO_ON = "Press Enter to go on. Nothing is written before you confirm."
_SEARCHED = ("name", "xid")
"""Targets that have to be looked for in the WAL."""
_SECOND, _MINUTE, _HOUR = 1, 60, 3_600


class TargetLine(TextLine):
    """The line for the target; keys move a moment in it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", f"move({_MINUTE})", "1 min later", key_display="↑"),
        Binding("down", f"move({-_MINUTE})", "1 min earlier", key_display="↓"),
        Binding("shift+up", f"move({_SECOND})", "1 s later", show=False),
        Binding("shift+down", f"move({-_SECOND})", "1 s earlier", show=False),
        Binding("pageup", f"move({_HOUR})", "1 h later", show=False),
        Binding("pagedown", f"move({-_HOUR})", "1 h earlier", show=False),
    ]

    class Moved(Message):
        """seconds: how much later, or earlier."""

        def __init__(self, seconds: int) -> None:
            super().__init__()
            self.seconds = seconds

    def action_move(self, seconds: int) -> None:
        self.post_message(self.Moved(seconds))


class TargetChoice(HostAccess, VerticalScroll):
    """name: of the release, which is typed to confirm."""

    DEFAULT_CSS = """
    TargetChoice { height: 1fr; padding: 0 1; }
    TargetChoice #about-target { color: $text-muted; height: auto; }
    TargetChoice Input { background: $boost; margin: 0 0 1 0; }
    TargetChoice #strip, TargetChoice #plan { height: auto; margin: 0 0 1 0; }
    """

    class Confirmed(Message):
        """The name of the release was typed."""

    class Prompted(Message):
        """What to do now. text: for people."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Wanted(Message):
        """This target is to be restored."""

        def __init__(self, target: RecoveryTarget) -> None:
            super().__init__()
            self.target = target

    def __init__(self, name: str) -> None:
        super().__init__(id="choice")
        self._release = name
        self._archive: RepositoryView | None = None
        self._target: RecoveryTarget | TargetRefusal = RecoveryTarget("latest")
        self._is_reachable = True

    def compose(self) -> ComposeResult:
        yield TextPart("about-target")
        yield TargetLine("latest", id="target")
        yield TextPart("strip")
        yield TextPart("plan")
        yield TextLine(id="typed", placeholder=self._release)

    def restart(self) -> None:
        """Nothing is known of the repository yet."""
        self._archive = None
        for part in self.children:
            part.display = False

    def choose(self, archive: RepositoryView) -> None:
        """Ask for the target."""
        self._archive = archive
        for part in self.children:
            part.display = part.id != "typed"
        self._show()
        self.query_one("#target").focus()

    def confirm(self, plan: RestorePlan) -> None:
        """Ask for the name; what is shown is what will be done."""
        for part in self.children:
            part.display = part.id in ("strip", "plan", "typed")
        self._show_plan(plan, plan.at)
        typed = self.query_one("#typed", Input)
        typed.value = ""
        typed.focus()

    def refuse(self, refusal: TargetRefusal) -> None:
        """Say why a target that was looked for cannot be reached."""
        for part in self.children:
            part.display = part.id != "typed"
        self._show_plan(refusal, None)
        self.query_one("#target").focus()

    def on_target_line_moved(self, event: TargetLine.Moved) -> None:
        """From anything else than a time, from now."""
        event.stop()
        now = self.start.now().replace(microsecond=0)
        at = self._target.at if isinstance(self._target, RecoveryTarget) and self._target.kind == "time" else None
        moved = min((at or now) + timedelta(seconds=event.seconds), now)
        line = self.query_one(TargetLine)
        line.value = f"{moved:%Y-%m-%dT%H:%M:%SZ}"
        line.cursor_position = len(line.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.input.id == "target":
            self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input.id == "typed":
            if event.value.strip() == self._release:
                self.post_message(self.Confirmed())
            else:
                self.notify(f"Not the release's name, {self._release}: nothing was written", markup=False)
        elif isinstance(self._target, RecoveryTarget) and self._is_reachable:
            self.post_message(self.Wanted(self._target))

    def on_resize(self) -> None:
        if self._archive is not None and self.query_one("#target").display:
            self._show()

    def _show(self) -> None:
        """What the target that is typed would mean."""
        if self._archive is None:
            return
        now = self.start.now()
        self.query_one("#about-target", TextPart).show(ABOUT.format(time=f"{now:%Y-%m-%dT%H:%M:%SZ}"))
        self._target = read_target(self.query_one("#target", Input).value.strip(), local_zone())
        if isinstance(self._target, RecoveryTarget) and self._target.kind not in _SEARCHED:
            plan = choose(self._archive, self._target, now)
            self._show_plan(plan, self._target.at if isinstance(plan, TargetRefusal) else plan.at)
        elif isinstance(self._target, RecoveryTarget):
            self._is_reachable = True  # as far as is known before it is looked for
            self._show_strip(None)
            self.query_one("#plan", TextPart).show(f"Press Enter to look for {self._target} in the archived WAL.")
        else:
            self._show_plan(self._target, None)
        self.post_message(self.Prompted(GO_ON if self._is_reachable else "Choose another moment."))

    def _show_plan(self, plan: RestorePlan | TargetRefusal, at: datetime | None) -> None:
        self._show_strip(at)
        self._is_reachable = isinstance(plan, RestorePlan)
        if isinstance(plan, TargetRefusal):
            rows = [("✗", plan.text), ("", plan.fix)]
        else:
            rows = list(plan_rows(plan).items())
            local = at.astimezone(local_zone()) if at is not None else None
            if local is not None and local.utcoffset():
                rows.insert(1, ("Here", f"{local:%Y-%m-%d %H:%M:%S %Z}"))
        shown = [(Text(name), Text(visible(text))) for name, text in rows if text]
        text = "\n".join(f"{name.plain} {text.plain}" for name, text in shown)
        self.query_one("#plan", TextPart).show(text, grid(shown))

    def _show_strip(self, at: datetime | None) -> None:
        if self._archive is None:
            return
        width = max(20, self.size.width - 2)
        strip = "\n".join(strip_lines(self._archive, at, self.start.now(), width))
        self.query_one("#strip", TextPart).show(strip, Text(strip, no_wrap=True))
