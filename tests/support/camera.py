"""An application in leaping time, driven by a scene, that shows the same each time.

Nothing here waits, and nothing reads the machine: the loop's clock jumps to the next timer (see ``simtime``), the
simulated cluster and the application tell their time from it, and what would run in a thread runs at once.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable, Container
from datetime import UTC, datetime, tzinfo
from typing import Any, Self, TypeVar, cast

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from pgwizard.diagnose import messages
from pgwizard.kube import lease
from pgwizard.plan.cron import next_run
from pgwizard.simulator.cluster import SimCluster
from pgwizard.tui.app import WizardApp
from pgwizard.tui.start import Start
from support import pictures
from support.simtime import BEGIN_SECONDS, Loop, monotonic

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
        super().__init__(clock=Clock(), next_run=next_run, **options)

    async def _perform(self, request: Any, action: Callable[[], Any]) -> Any:
        await asyncio.sleep(LATENCY_SECONDS)
        return await super()._perform(request, action)


def use_simulated_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's clocks, zone, names and random numbers are left out; a cursor does not blink."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("PGWIZARD_THEME", raising=False)
    for name, module in list(sys.modules.items()):
        if name.startswith("pgwizard.") and getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", Moment)
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)
    monkeypatch.setattr(secrets, "token_hex", lambda size: "5a" * size)
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size: "x" * size)
    monkeypatch.setattr(lease, "_me", lambda: "ada@laptop/42-00000000")
    some = tuple(entry for entry in messages.entries() if "certificate" in entry.key)
    monkeypatch.setattr(messages, "entries", lambda: some)  # counted on their screen: others come and go


# ---- the camera ---------------------------------------------------------------------------------------------------


class Camera:
    """Drives an application, and takes down what it shows. pictured: of which scenes a picture is taken as well."""

    def __init__(self, pilot: Pilot[int], pictured: Container[str] = ()) -> None:
        self.pilot = pilot
        self.app = cast("WizardApp", pilot.app)
        self.pictured = pictured
        self.texts: dict[str, str] = {}
        self.pictures: dict[str, str] = {}

    def screen(self, kind: type[S]) -> S:
        """The screen that is shown, which must be of this kind."""
        assert isinstance(self.app.screen, kind), self.app.screen
        return self.app.screen

    async def until(self, reached: Callable[[], bool]) -> None:
        """Let the application run until something is true; a minute of leaping time at most."""
        end = monotonic() + 60
        while not reached():
            assert monotonic() < end, f"never, on {self.app.screen}:\n{pictures.text(self.app)}"
            await self.pilot.pause(0.05)

    async def reach(self, kind: type[S]) -> S:
        """The screen, once it is there."""
        await self.until(lambda: isinstance(self.app.screen, kind))
        return self.screen(kind)

    async def see(self, words: str) -> None:
        """Wait until they are on the screen."""
        await self.until(lambda: words in pictures.text(self.app))

    async def settle(self) -> None:
        """Whatever is about to happen has happened: in leaping time this takes no longer than it does."""
        await self.pilot.pause(SETTLE_SECONDS)

    async def take(self, name: str) -> None:
        """The screen as it is now."""
        await self.settle()
        self.texts[name] = pictures.golden_text(pictures.terminal_output(self.app))
        if name in self.pictured:
            self.pictures[name] = pictures.svg(self.app)


Scene = Callable[[Camera], Awaitable[None]]


def play(
    scene: Scene, start: Callable[[], Awaitable[Start]], size: tuple[int, int], pictured: Container[str] = ()
) -> Camera:
    """Open the application and play the scene; the camera has what was taken."""

    async def main() -> Camera:
        app = WizardApp(await start())
        async with app.run_test(size=size) as pilot:
            camera = Camera(pilot, pictured)
            await scene(camera)
            return camera

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main())
