"""Simulated time: an event loop whose clock jumps to the next timer, so that no test depends on the machine's speed.

``install`` makes the loop's time the time of everything that runs on it: of Textual, of the application and of the
simulated cluster. Code outside of such a loop keeps the machine's clocks.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from support.waiting import DEADLINE_SECONDS

T = TypeVar("T")
BEGIN_SECONDS = 1_000.0
"""What the clock of a ``Loop`` shows when it begins."""
_LOOK_SECONDS = 1.0
_monotonic, _time, _process_time = time.monotonic, time.time, time.process_time


class _Selector(selectors.DefaultSelector):
    """Waits only for what is outside of this process; where the loop would sleep, its clock moves on instead."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_seconds = 0.0
        self.turn_seconds = 0.0
        self.idle: list[asyncio.Future[None]] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            self.passed_seconds += self.turn_seconds
            return ready
        if self.idle:
            for waiter in self.idle:
                if not waiter.done():
                    waiter.set_result(None)
            self.idle.clear()
            return []
        end = _monotonic() + DEADLINE_SECONDS
        while self._is_outside_awaited() and _monotonic() < end:  # a process of a test before may just have ended
            begin = _monotonic()
            ready = super().select(_LOOK_SECONDS if timeout is None else timeout)
            self.passed_seconds += _monotonic() - begin
            if ready or timeout is not None:
                return ready
        if timeout is None:
            raise AssertionError("nothing is left that could ever happen: the run hangs")
        self.passed_seconds += max(timeout, 0)
        return []

    def _is_outside_awaited(self) -> bool:
        """Whether a socket, a pipe or a process of the loop is open. (Its own pipe to itself is the first entry.)"""
        return len(self.get_map()) > 1 or any(
            thread.name.startswith(("asyncio-waitpid", "waitpid-")) for thread in threading.enumerate()
        )


class Loop(asyncio.SelectorEventLoop):
    """An event loop in which sleeping takes no time, and every run has the same order.

    It has no threads: a function for one is called at once, so that its result never comes sooner or later. While a
    socket or a process is open, time passes as it does outside.
    """

    TURN_SECONDS = 0.0
    """How long a turn takes in which something was done: nothing, unless a slow machine is simulated."""

    def __init__(self) -> None:
        self._simulated = _Selector()
        self._simulated.turn_seconds = self.TURN_SECONDS
        super().__init__(self._simulated)

    def time(self) -> float:
        return BEGIN_SECONDS + self._simulated.passed_seconds

    async def idle(self) -> None:
        """Wait until nothing is left to do before time passes."""
        waiter = self.create_future()
        self._simulated.idle.append(waiter)
        await waiter

    def run_in_executor(self, _: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - as a thread does
            done.set_exception(error)
        return done


class LoopClock:
    """Seconds since the epoch, moved by the loop; it continues from one run to the next.

    It begins at noon of this machine's day, so that no schedule of a release is due soon, whenever a test runs.
    behind_seconds: how much earlier it begins.
    """

    def __init__(self, behind_seconds: float = 0) -> None:
        self._past = _time() // 86_400 * 86_400 + 43_200 - behind_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._since = 0.0

    def now(self) -> float:
        loop = asyncio._get_running_loop()
        if loop is None:
            return self._past
        if loop is not self._loop:
            self._loop, self._since = loop, loop.time()
        self._past, self._since = self._past + loop.time() - self._since, loop.time()
        return self._past

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0))

    def __deepcopy__(self, _: Any) -> LoopClock:
        other = LoopClock()
        other._past = self._past
        return other


def monotonic() -> float:
    loop = asyncio._get_running_loop()
    return loop.time() if isinstance(loop, Loop) else _monotonic()


def _process_seconds() -> float:
    """On a simulated loop the process never works, so that whoever waits for it to be idle does so in vain."""
    return 0.0 if isinstance(asyncio._get_running_loop(), Loop) else _process_time()


def install() -> None:
    """Put the loop's time in the place of the machine's, for modules that are imported from now on as well."""
    assert "textual" not in sys.modules, "textual has taken the machine's clock already"
    vars(time).update(monotonic=monotonic, perf_counter=monotonic, process_time=_process_seconds)


def run(work: Awaitable[T]) -> T:
    """Run to the end in simulated time. A task that is left over is an error."""

    async def watched() -> T:
        result = await work
        left = asyncio.all_tasks() - {asyncio.current_task()}
        names = [task.get_name() for task in left if "Timer._run_timer" not in repr(task)]  # which Textual may leave
        assert not names, f"tasks are left: {names}"
        return result

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(watched())
