"""How a screen becomes a picture that is the same each time: an application in leaping time, and a tidy SVG.

Nothing here waits, and nothing reads the machine: the loop's clock jumps to the next timer (see ``simtime``), the
simulated cluster and the application tell their time from it, and what would run in a thread runs at once.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, tzinfo
from html import escape, unescape
from itertools import groupby
from typing import Any, Self, TypeVar, cast

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from headless import ROOT
from pgwizard import lock
from pgwizard.demo import SimCluster
from pgwizard.tui.app import Start, WizardApp
from support.simtime import BEGIN_SECONDS, Loop, monotonic

SCREENSHOTS = ROOT / "screenshots"
NOW = datetime(2026, 11, 23, 10, 22, tzinfo=UTC)
SIZES = ((80, 24), (120, 40))
LATENCY_SECONDS = 0.004
SETTLE_SECONDS = 1.5
S = TypeVar("S", bound=Screen[Any])


# ---- time ----------------------------------------------------------------------------------------------------------


def today() -> float:
    """Seconds since the epoch: the loop begins at ``NOW``."""
    return NOW.timestamp() + monotonic() - BEGIN_SECONDS


class Moment(datetime):
    """A ``datetime`` of whoever asks the machine for the time of day."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(today(), tz)


class Clock:
    """The cluster's time."""

    def now(self) -> float:
        return today()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0))


class Remote(SimCluster):
    """A simulated cluster whose answers take a moment, so that what took how long is worth showing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(clock=Clock(), **options)

    async def _perform(self, asked: Any, action: Callable[[], Any]) -> Any:
        await asyncio.sleep(LATENCY_SECONDS)
        return await super()._perform(asked, action)


def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's clocks, zone, names and random numbers are left out; a cursor does not blink."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("PGWIZARD_THEME", raising=False)
    for name, module in list(sys.modules.items()):
        if name.startswith("pgwizard.") and getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", Moment)
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)
    monkeypatch.setattr(secrets, "token_hex", lambda size: "5a" * size)
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size: "x" * size)
    monkeypatch.setattr(lock, "_me", lambda: "ada@laptop/42-00000000")


# ---- pictures ------------------------------------------------------------------------------------------------------

_CELL, _LINE = 12.2, 24.4
_FONT = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_CLIP = re.compile(r'<clipPath id="[^"]*-line-\d+">.*?</clipPath>\s*', re.DOTALL)
_RECT = re.compile(
    r'<rect fill="([^"]*)" x="([^"]*)" y="([^"]*)" width="([^"]*)" height="[^"]*" shape-rendering="crispEdges"/>'
)
_TEXT = re.compile(r'<text class="([^"]*)" x="([^"]*)" y="([^"]*)" textLength="[^"]*" clip-path="[^"]*">(.*?)</text>')
_WORDS = re.compile(r"\S+(?: \S+)*")


def tidy(svg: str) -> str:
    """A picture as Rich makes it, without fonts of other hosts; one element a line, the fewest that look the same.

    Words that stand apart are placed apart: not every renderer keeps blanks, or has a font as wide as it should be.
    """
    svg = re.sub(r"terminal-\d+-", "", _CLIP.sub("", _FONT.sub("", svg)))
    svg = svg.replace("Fira Code, monospace", '"Fira Code", monospace')
    svg = _replaced(_RECT, svg, _areas)
    svg = _replaced(_TEXT, svg, _words)
    return "\n".join(line.rstrip() for line in svg.replace("&#160;", " ").splitlines() if line.strip()) + "\n"


def _replaced(pattern: re.Pattern[str], svg: str, made: Callable[[list[tuple[str, ...]]], list[str]]) -> str:
    """All that the pattern finds, which stands together, as other lines."""
    found = list(pattern.finditer(svg))
    if not found:
        return svg
    lines = "\n".join(made([match.groups() for match in found]))
    return f"{svg[: found[0].start()]}\n{lines}\n{svg[found[-1].end() :]}"


def _areas(cells: list[tuple[str, ...]]) -> list[str]:
    """Backgrounds: neighbours of one colour are one."""
    rows: dict[tuple[str, float, float], list[float]] = {}
    areas: list[tuple[str, float, float, list[float]]] = []
    for (fill, y), side_by_side in groupby(cells, key=lambda cell: (cell[0], float(cell[2]))):
        run = list(side_by_side)
        x, width = float(run[0][1]), sum(float(cell[3]) for cell in run)
        place = (fill, x, round(width, 1))
        height = rows.get(place)
        if height is not None and abs(height[0] + height[1] * _LINE - y) < 1:
            height[1] += 1
        else:
            rows[place] = [y, 1]
            areas.append((*place, rows[place]))
    return [
        f'<rect fill="{fill}" x="{x:g}" y="{top:g}" width="{width:g}" height="{count * _LINE + 0.25:g}" '
        'shape-rendering="crispEdges"/>'
        for fill, x, width, (top, count) in areas
    ]


def _words(texts: list[tuple[str, ...]]) -> list[str]:
    lines = []
    for style, x, y, coded in texts:
        text = unescape(coded).replace("\xa0", " ")
        for words in _WORDS.finditer(text):
            left = float(x) + cell_len(text[: words.start()]) * _CELL
            length = cell_len(words[0]) * _CELL
            shown = escape(words[0], quote=False)
            lines.append(f'<text class="{style}" x="{left:g}" y="{y}" textLength="{length:g}">{shown}</text>')
    return lines


class Camera:
    """Takes pictures of an application."""

    def __init__(self, pilot: Pilot[int]) -> None:
        self.pilot = pilot
        self.app = cast("WizardApp", pilot.app)
        self.taken: dict[str, str] = {}

    def screen(self, kind: type[S]) -> S:
        """The screen that is shown, which must be of this kind."""
        assert isinstance(self.app.screen, kind), self.app.screen
        return self.app.screen

    async def until(self, reached: Callable[[], bool]) -> None:
        """Let the application run until something holds; a minute of leaping time at most."""
        end = monotonic() + 60
        while not reached():
            assert monotonic() < end, f"it never came; {self.app.screen} is shown"
            await self.pilot.pause(0.05)

    async def shown(self, kind: type[S]) -> S:
        """The screen, once it is there."""
        await self.until(lambda: isinstance(self.app.screen, kind))
        return self.screen(kind)

    async def settled(self) -> None:
        """Whatever is about to happen has happened: in leaping time this takes no longer than it does."""
        await self.pilot.pause(SETTLE_SECONDS)

    async def take(self, name: str) -> None:
        """The screen as it is now."""
        await self.settled()
        self.taken[name] = tidy(self.app.export_screenshot())


Scene = Callable[[Camera], Awaitable[None]]


def played(scene: Scene, start: Callable[[], Awaitable[Start]], size: tuple[int, int]) -> dict[str, str]:
    """Open the application, play the scene; what was taken, by name."""

    async def main() -> dict[str, str]:
        app = WizardApp(await start())
        async with app.run_test(size=size) as pilot:
            camera = Camera(pilot)
            await scene(camera)
            return camera.taken

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main())
