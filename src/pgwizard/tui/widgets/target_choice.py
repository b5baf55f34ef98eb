"""Where to restore to: a line for the target, what the archive can reach, and what the restore would use and lose."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import Click
from textual.message import Message
from textual.widgets import Input, OptionList

from pgwizard.local.zone import local_zone
from pgwizard.restore.history import WalEvent
from pgwizard.restore.locate import needs_lookup
from pgwizard.restore.report import (
    BEFORE,
    UNTOUCHED_TEXT,
    plan_rows,
    short_event_lines,
    strip_lines,
    strip_moment,
    typed_target,
)
from pgwizard.restore.target import RecoveryTarget, RepositoryView, RestorePlan, TargetRefusal, choose, read_target
from pgwizard.text import visible
from pgwizard.tui.base import HostAccess
from pgwizard.tui.widgets.panes import TextPart, grid
from pgwizard.tui.widgets.text_line import TextLine

ABOUT = (
    "To which moment? One just before the mistake loses the least: F6 lists what was committed. Up and Down move it, "
    "with Shift by a second. Or type latest, a time such as {time}, backup:LABEL, name:POINT, xid:N or lsn:X; before "
    "xid:N stops just before it."
)
GO_ON = "Press Enter to go on. Nothing is written before you confirm."
_SECOND, _MINUTE, _HOUR = 1, 60, 3_600
_NEVER = datetime.min.replace(tzinfo=UTC)
_MOST_EVENTS = 500
"""So many are listed: nobody reads more."""


class TargetLine(TextLine):
    """The line for the target; keys move a moment in it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", f"move({_MINUTE})", "1 min", key_display="↑ ↓", tooltip="a minute later; Down: earlier"),
        Binding("down", f"move({-_MINUTE})", "1 min earlier", show=False),
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


class EventList(OptionList):
    """What was committed: what removed something first, the newest first. Enter takes the moment just before it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "back to the target")]

    class Closed(Message):
        """Nothing was taken."""

    def __init__(self) -> None:
        super().__init__(id="events", markup=False)
        self.events: list[WalEvent] = []

    def add(self, more: Sequence[WalEvent]) -> None:
        """Add events that are older than all others."""
        every = sorted([*self.events, *more], key=lambda event: (event.is_loss, event.at or _NEVER), reverse=True)
        self.events = every[:_MOST_EVENTS]
        self.clear_options()
        self.add_options([Text(visible(line), no_wrap=True) for line in short_event_lines(self.events)])
        self.highlighted = 0 if self.events else None

    def action_close(self) -> None:
        self.post_message(self.Closed())


class StripPart(TextPart):
    """A click moves the target."""

    class Clicked(Message):
        """column: of the text."""

        def __init__(self, column: int) -> None:
            super().__init__()
            self.column = column

    def on_click(self, event: Click) -> None:
        event.stop()
        self.post_message(self.Clicked(event.x))


class TargetChoice(HostAccess, VerticalScroll):
    """name: of the release, which is typed to confirm."""

    DEFAULT_CSS = """
    TargetChoice { height: 1fr; padding: 0 1; }
    TargetChoice #about-target { color: $text-muted; height: auto; }
    TargetChoice Input { background: $boost; margin: 0 0 1 0; }
    TargetChoice EventList { background: $background; border: none; height: auto; margin: 0 0 1 0; max-height: 8; }
    TargetChoice EventList:focus { background: $boost; border: none; }
    TargetChoice EventList { padding: 0; text-overflow: ellipsis; text-wrap: nowrap; }
    TargetChoice #strip, TargetChoice #plan { height: auto; margin: 0 0 1 0; }
    """

    class Confirmed(Message):
        """The name of the release was typed."""

    class Prompted(Message):
        """What to do now. text: for people."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class RestoreRequest(Message):
        """This target is to be restored."""

        def __init__(self, target: RecoveryTarget) -> None:
            super().__init__()
            self.target = target

    def __init__(self, name: str) -> None:
        super().__init__(id="choice")
        self._release = name
        self.rows_of: Callable[[RestorePlan], Mapping[str, str]] = plan_rows
        """What is shown of a plan."""
        self._archive: RepositoryView | None = None
        self._target: RecoveryTarget | TargetRefusal = RecoveryTarget("latest")
        self._is_reachable = True
        self._strip_at: datetime | None = None
        self._refusal: TargetRefusal | None = None
        """Of a target that was looked for, until another one is typed."""
        self._places: dict[str, RecoveryTarget] = {}
        """By what is typed, targets whose place in the WAL is known."""

    def compose(self) -> ComposeResult:
        yield TextPart("about-target")
        yield TargetLine("latest", id="target")
        yield EventList()
        yield StripPart("strip")
        yield TextPart("plan")
        yield TextLine(id="typed", placeholder=self._release)

    def restart(self) -> None:
        """Nothing is known of the repository yet."""
        self._archive = None
        self._places.clear()
        event_list = self.query_one(EventList)
        event_list.events = []
        event_list.add(())
        for part in self.children:
            part.display = False

    def choose(self, archive: RepositoryView) -> None:
        """Ask for the target."""
        self._archive, self._refusal = archive, None
        self._show_line()
        self._show()

    def _show_line(self) -> None:
        for part in self.children:
            part.display = part.id not in ("typed", "events")
        self.query_one("#target").focus()

    def list_events(self, events: Sequence[WalEvent]) -> None:
        """Show what was committed, with what is already listed."""
        event_list = self.query_one(EventList)
        event_list.add(events)
        self._places |= {typed_target(event.target): event.target for event in events}
        event_list.display = bool(event_list.events)
        self.query_one("#about-target").display = not event_list.display
        if event_list.display:
            event_list.focus()

    def confirm(self, plan: RestorePlan | None) -> None:
        """Ask for the name; what is shown is what will be done. plan: None where the server is only started again."""
        for part in self.children:
            part.display = part.id in ("strip", "plan", "typed")
        if plan is None:
            self._show_strip(None)
            self.query_one("#plan", TextPart).show(UNTOUCHED_TEXT)
        else:
            self._show_plan(plan, plan.at)
        name_input = self.query_one("#typed", Input)
        name_input.value = ""
        name_input.focus()

    def refuse(self, archive: RepositoryView, refusal: TargetRefusal) -> None:
        """Say why a target that was looked for cannot be reached, and ask for another."""
        self._archive, self._refusal = archive, refusal
        self._show_line()
        self._show()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the moment just before it."""
        event.stop()
        line, target = self.query_one(TargetLine), self.query_one(EventList).events[event.option_index].target
        line.value = typed_target(target)
        self._places[line.value] = target  # another timeline may have one at the same position
        line.cursor_position = len(line.value)
        self._show_line()
        self._show()

    def on_event_list_closed(self, event: EventList.Closed) -> None:
        event.stop()
        self._show_line()
        self._show()

    def on_strip_part_clicked(self, event: StripPart.Clicked) -> None:
        event.stop()
        if self._archive is not None and self.query_one("#target").display:
            moment = strip_moment(self._archive, event.column, self.start.now(), self._width)
            if moment is not None:
                self._type_moment(moment)

    def on_target_line_moved(self, event: TargetLine.Moved) -> None:
        """From anything else than a time, from now."""
        event.stop()
        now = self.start.now().replace(microsecond=0)
        at = self._target.at if isinstance(self._target, RecoveryTarget) and self._target.kind == "time" else None
        moment = at or now
        with contextlib.suppress(OverflowError):  # at either end of the calendar
            moment += timedelta(seconds=event.seconds)
        self._type_moment(min(moment, now))

    def _type_moment(self, moment: datetime) -> None:
        line = self.query_one(TargetLine)
        line.value = f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"
        line.cursor_position = len(line.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.input.id == "target":
            self._refusal = None
            self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input.id == "typed":
            if event.value.strip() == self._release:
                self.post_message(self.Confirmed())
            else:
                self.notify(f"Not the release's name, {self._release}: nothing was written", markup=False)
            return
        self._show()  # time has passed since it was typed
        if isinstance(self._target, RecoveryTarget) and self._is_reachable:
            self.post_message(self.RestoreRequest(self._target))

    def on_resize(self) -> None:
        if self._archive is not None and self.query_one("#target").display:
            self._show(prompts=False)  # a longer prompt leaves less room, and would be replaced at once
        elif (part := self.query_one("#strip")).display:
            self._show_strip(self._strip_at)
            # A layout that is on its way may be that of the strip at its former width, which can have a line less.
            self.call_after_refresh(part.refresh, layout=True)

    def _show(self, *, prompts: bool = True) -> None:
        """What the target that is typed would mean. prompts: whether to say what to do now."""
        if self._archive is None:
            return
        now = self.start.now()
        self._show_about()
        if self._refusal is not None:
            self._show_plan(self._refusal, None)
            return
        text = self.query_one("#target", Input).value.strip()
        is_before = text.startswith(BEFORE)
        target = read_target(text.removeprefix(BEFORE), local_zone(), is_exclusive=is_before)
        self._target = self._places.get(text, target)
        if isinstance(self._target, TargetRefusal):
            self._show_plan(self._target, None)
        elif needs_lookup(self._archive, self._target):
            self._is_reachable = True  # as far as is known before it is looked for
            self._show_strip(None)
            where = "on the server" if self._target.kind == "lsn" else "in the archived WAL"
            self.query_one("#plan", TextPart).show(f"Press Enter to look for {self._target} {where}.")
        else:
            plan = choose(self._archive, self._target, now)
            self._show_plan(plan, self._target.at if isinstance(plan, TargetRefusal) else plan.at)
        if not prompts or self.query_one(EventList).display:
            return  # the prompt is about the list
        self.post_message(self.Prompted(GO_ON if self._is_reachable else "Choose another moment."))

    def _show_about(self) -> None:
        text = ABOUT.format(time=f"{self.start.now():%Y-%m-%dT%H:%M:%SZ}")
        self.query_one("#about-target", TextPart).show(text)

    def _show_plan(self, plan: RestorePlan | TargetRefusal, at: datetime | None) -> None:
        self._show_strip(at)
        self._is_reachable = isinstance(plan, RestorePlan)
        if isinstance(plan, TargetRefusal):
            rows = [("✗", plan.text), ("", plan.fix)]
        else:
            rows = list(self.rows_of(plan).items())
            local = at.astimezone(local_zone()) if at is not None else None
            if local is not None and local.utcoffset():
                rows.insert(1, ("Here", f"{local:%Y-%m-%d %H:%M:%S %Z}"))
        lines = [(Text(name), Text(visible(text))) for name, text in rows if text]
        text = "\n".join(f"{name.plain} {text.plain}" for name, text in lines)
        self.query_one("#plan", TextPart).show(text, grid(lines))

    def _show_strip(self, at: datetime | None) -> None:
        self._strip_at = at
        if self._archive is None:
            return
        strip = "\n".join(strip_lines(self._archive, at, self.start.now(), self._width))
        self.query_one("#strip", TextPart).show(strip, Text(strip, no_wrap=True))

    @property
    def _width(self) -> int:
        """Of the strip."""
        return max(20, self.size.width - 2)
