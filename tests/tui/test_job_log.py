"""The log of a Job: read while it runs, read again when it has ended, without moving a reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, cast

import pytest
from textual.app import ComposeResult
from textual.pilot import Pilot

from pgwizard.clock import utc_now
from pgwizard.diagnose.diagnose import diagnose
from pgwizard.errors import PreflightError, Unreachable
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import backups
from pgwizard.status.snapshot import Run
from pgwizard.tui.base import BaseApp
from pgwizard.tui.start import Start
from pgwizard.tui.widgets import job_log
from pgwizard.tui.widgets.job_log import JobLog
from support import simtime
from support.screens import opened, settled, until
from support.snapshots import FAILED

FAULT = diagnose("P00  ERROR: [039]: HTTP request failed with 403 (Forbidden): <Code>InvalidAccessKeyId</Code>")
RUNNING = replace(FAILED, state="running", ended=None, tail=None)
LINES = [f"line {number}" for number in range(40)]


class Pod:
    """The log of the pod of a Job. breaks: how often its stream ends with an error after all lines so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.error: Exception | None = None
        self.reads = 0
        self.more = asyncio.Event()

    async def log(self, *_: Any, follow: bool, tail: int) -> AsyncGenerator[str, None]:
        assert tail == job_log.MAX_LINES
        self.reads += 1
        if self.error is not None:
            raise self.error
        sent = 0
        while True:
            for line in self.lines[sent:]:
                yield line
            sent = len(self.lines)
            if not follow:
                return
            self.more.clear()
            await self.more.wait()
            if self.error is not None:
                raise self.error

    def write(self, *lines: str) -> None:
        self.lines += lines
        self.more.set()

    def fail(self, error: Exception) -> None:
        self.error = error
        self.more.set()


class Alone(BaseApp):
    CSS = "JobLog { height: 12; }"

    def compose(self) -> ComposeResult:
        yield JobLog()


Scenario = Callable[[Pilot[int], JobLog, Pod], Awaitable[None]]


def played(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(_: AsyncExitStack) -> Cluster:
        raise NotImplementedError

    async def main() -> None:
        pod, app = Pod(), Alone(Start(connect, lambda *_: None, utc_now))
        app.connection.cluster = cast("Cluster", object())
        monkeypatch.setattr(backups, "log", pod.log)
        monkeypatch.setattr(job_log, "SETTLE_SECONDS", 0)
        monkeypatch.setattr(job_log, "RETRY_SECONDS", 0.01)
        async with opened(app, (100, 20)) as pilot:
            await scenario(pilot, app.query_one(JobLog), pod)

    simtime.run(main())


def follow(log: JobLog, run: Run) -> None:
    log.follow(run, ReleaseRef("default", "postgresql"))


def cause_and_fix() -> list[str]:
    assert FAULT is not None
    return [f"cause: {FAULT.cause}", f"fix: {FAULT.fix}"]


def top(log: JobLog) -> str:
    return log.render_line(0).text.strip()


def bottom(log: JobLog) -> str:
    return log.render_line(log.size.height - 1).text.strip()


def test_a_job_that_ends_leaves_a_reader_at_the_same_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(pilot: Pilot[int], log: JobLog, pod: Pod) -> None:
        pod.write(*LINES)
        follow(log, RUNNING)
        await until(pilot, lambda: log.lines == LINES)
        await settled(pilot)  # Textual scrolls only what it has laid out
        log.scroll_to(y=5, animate=False)
        await settled(pilot)
        pod.write("the end")
        await until(pilot, lambda: log.lines == [*LINES, "the end"])
        for run in (FAILED, replace(FAILED, fault=FAULT)):
            before = pod.reads
            follow(log, run)
            await until(pilot, lambda before=before: pod.reads > before)  # type: ignore[misc]
            await settled(pilot)
            assert top(log) == "line 5"
        await until(pilot, lambda: log.lines[-2:] == cause_and_fix())
        assert top(log) == "line 5"

    played(scenario, monkeypatch)


def test_cause_and_fix_of_a_failed_job_are_at_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(pilot: Pilot[int], log: JobLog, pod: Pod) -> None:
        pod.write(*LINES)
        follow(log, replace(FAILED, fault=FAULT))
        await until(pilot, lambda: log.lines == [*LINES, *cause_and_fix()])
        await settled(pilot)
        assert bottom(log).split()[-1] == cause_and_fix()[-1].split()[-1]

    played(scenario, monkeypatch)


def test_a_stream_that_breaks_off_is_read_again_from_its_start_and_nothing_is_shown_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(pilot: Pilot[int], log: JobLog, pod: Pod) -> None:
        pod.write(*LINES)
        follow(log, RUNNING)
        await until(pilot, lambda: log.lines == LINES)
        pod.fail(Unreachable("connection reset"))
        await until(pilot, lambda: "connection reset" in str(log.border_subtitle))
        assert log.lines == LINES
        pod.error = None
        pod.write("one more")
        await until(pilot, lambda: log.lines == [*LINES, "one more"] and not log.border_subtitle)

    played(scenario, monkeypatch)


def test_a_job_whose_pod_has_not_started_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(pilot: Pilot[int], log: JobLog, pod: Pod) -> None:
        pod.fail(PreflightError("it has no pod"))
        follow(log, RUNNING)
        await until(pilot, lambda: "waiting: it has no pod" in str(log.border_subtitle))
        pod.error = None
        pod.write("begun")
        await until(pilot, lambda: log.lines == ["begun"] and not log.border_subtitle)

    played(scenario, monkeypatch)


def test_another_job_has_its_own_log_and_its_title(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(pilot: Pilot[int], log: JobLog, pod: Pod) -> None:
        pod.write(*LINES)
        follow(log, RUNNING)
        await until(pilot, lambda: log.lines == LINES)
        await settled(pilot)  # Textual scrolls only what it has laid out
        log.scroll_to(y=5, animate=False)
        await settled(pilot)
        pod.lines = [f"other {number}" for number in range(40)]
        follow(log, replace(RUNNING, uid="another", name="another"))
        await until(pilot, lambda: log.lines == pod.lines)
        await settled(pilot)
        assert (bottom(log), str(log.border_title)) == ("other 39", "▸ log of another")

    played(scenario, monkeypatch)


def test_a_log_that_cannot_be_read_of_a_job_that_has_ended_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(pilot: Pilot[int], log: JobLog, pod: Pod) -> None:
        pod.fail(PreflightError("Job default/x has no pod"))
        follow(log, FAILED)
        await until(pilot, lambda: log.lines == ["Job default/x has no pod"])

    played(scenario, monkeypatch)
