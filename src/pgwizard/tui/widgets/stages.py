"""The stages of an apply, a line each, with the time that each took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from rich.table import Table
from rich.text import Text
from textual.widgets import Static

from pgwizard.release.stages import Event
from pgwizard.text import visible

Mark = Literal["·", "●", "✓", "✗", "-"]


@dataclass
class StageLine:
    """One stage as far as it is known. seconds: how long it took; None until it has ended."""

    name: str
    mark: Mark = "·"
    text: str = ""
    seconds: float | None = None
    began: datetime | None = None
    warnings: list[str] = field(default_factory=list)


_WARNING_LINES = 3
"""Of a long warning on 80 columns."""
_SHARE = 0.6
"""Of the screen's lines. Warnings that would take more are cut to a line each, as are those of a failed apply: its
outcome and its log need the room.
"""


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

    def expect(self, names: Sequence[str]) -> None:
        """Begin again, with these stages to come."""
        self._names = tuple(names)
        self.restart()

    def restart(self) -> None:
        """Begin again: every stage is to come."""
        self.stages = [StageLine(name) for name in self._names]

    @property
    def now(self) -> str:
        """The stage that is running; empty for none."""
        return next((stage.name for stage in self.stages if stage.mark == "●"), "")

    def is_done(self, name: str) -> bool:
        """Whether a stage has succeeded."""
        return any(stage.name == name and stage.mark == "✓" for stage in self.stages)

    def take(self, event: Event, at: datetime) -> None:
        """Take in an event; a stage that was not expected gets a line before the last one."""
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
        """No more events will come. What did not run was not needed; what was stopped has not failed."""
        for stage in self.stages:
            if (how == "done" and stage.mark == "·") or (how == "stopped" and stage.mark in "●✗"):
                stage.mark = "-"

    def show(self, at: datetime) -> None:
        """Show what is known at this time, which counts the seconds of the running stage."""
        table = Table.grid(expand=True, padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1)
        table.add_column(justify="right", no_wrap=True)
        lines = len(self.stages) + _WARNING_LINES * sum(len(stage.warnings) for stage in self.stages)
        has_failed = any(stage.mark == "✗" for stage in self.stages)
        is_crowded = has_failed or lines > self.app.size.height * _SHARE
        for stage in self.stages:
            style = self.get_component_rich_style(f"stages--{self._STYLES[stage.mark]}", partial=True)
            rest = self.get_component_rich_style("stages--quiet", partial=True) if stage.mark in "·-" else ""
            took = ""
            if stage.seconds is not None:
                took = f"{stage.seconds:.1f} s"
            elif stage.mark == "●" and stage.began is not None:
                took = f"{max(0.0, (at - stage.began).total_seconds()):.0f} s …"
            text = Text(stage.text, rest, overflow="ellipsis", no_wrap=True)
            table.add_row(Text(stage.mark, style), Text(stage.name, rest or style), text, Text(took))
            for warning in stage.warnings:
                warns = self.get_component_rich_style("stages--warning", partial=True)
                table.add_row("", Text("!", warns), Text(warning, overflow="ellipsis", no_wrap=is_crowded))
        self.update(table)
