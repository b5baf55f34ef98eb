"""An application in leaping time, driven by a scene, that shows the same each time.

Nothing here waits, and nothing reads the machine: the loop's clock jumps to the next timer (see ``LeapingLoop``), the
simulated cluster and the application tell their time from it, and what would run in a thread runs at once.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Container
from datetime import UTC, datetime, tzinfo
from typing import Any, Self, TypeVar, cast

import pytest
import textual._time
import textual._wait
import textual.widget
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from faulting import LeapingLoop
from pgwizard.kube import lease
from pgwizard.simulator.cluster import SimCluster
from pgwizard.tui.app import WizardApp
from pgwizard.tui.start import Start
from support import pictures

NOW = datetime(2026, 11, 23, 10, 22, tzinfo=UTC)
SIZES = ((80, 24), (120, 40))
BEGIN_SECONDS = 1_000.0
"""Where the clock of a ``LeapingLoop`` begins."""
LATENCY_SECONDS = 0.004
SETTLE_SECONDS = 1.5
S = TypeVar("S", bound=Screen[Any])


# ---- time ----------------------------------------------------------------------------------------------------------


class Loop(LeapingLoop):
    """No thread: what is given to one is done at once, so that its answer never comes sooner or later."""

    def run_in_executor(self, _: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - as a thread does
            done.set_exception(error)
        return done


def monotonic(machine: Callable[[], float] = time.monotonic) -> float:
    """The loop's time, for whoever asks the machine for it; outside of one the machine's."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return machine()


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


def use_simulated_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's clocks, zone, names and random numbers are left out; a cursor does not blink."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("PGWIZARD_THEME", raising=False)
    for module in (time, textual.widget, textual._wait):
        monkeypatch.setattr(module, "monotonic", monotonic)
    monkeypatch.setattr(time, "perf_counter", monotonic)
    for name, module in list(sys.modules.items()):
        if name.startswith("pgwizard.") and getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", Moment)
    monkeypatch.setattr(textual._time, "get_time", monotonic)
    monkeypatch.setattr(textual._wait, "process_time", lambda: 0.0)
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)
    monkeypatch.setattr(secrets, "token_hex", lambda size: "5a" * size)
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size: "x" * size)
    monkeypatch.setattr(lease, "_me", lambda: "ada@laptop/42-00000000")


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
