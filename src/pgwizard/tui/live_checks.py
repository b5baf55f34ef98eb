"""Live checks of the answers against the cluster, while a person edits them.

What to look up is ``wizard.lookup``'s; when, and how often, is decided here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pgwizard.answers.questions import Answers
from pgwizard.clock import Clock
from pgwizard.errors import Finding
from pgwizard.local import inputs
from pgwizard.plan.names import ReleaseRef
from pgwizard.plan.plan import Facts
from pgwizard.tui.background import Job, StartJob
from pgwizard.tui.connection import Connection
from pgwizard.wizard.lookup import look_up

DELAY_SECONDS = 0.2
"""The delay before a look-up: while a person types, only the last answers are checked."""
RETRY_SECONDS = 5.0
_CHECKED_SECTIONS = frozenset(
    {
        *("release", "credentials", "storage", "repository", "tls", "images"),
        *("tuning", "resources", "pods", "initContainer", "jobs"),
    }
)
"""Sections that name objects of the cluster or size pods, or decide how a certificate is compared with a server."""


@dataclass(frozen=True, slots=True)
class CheckResults:
    """What is known so far. warnings: None where they were not looked up yet, so that those from before stay."""

    facts: Facts
    problems: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] | None = None


class LiveChecks:
    """answers: what to look up; release: the one that is being changed, None for a new one.

    learn: called as soon as something is known. folder: what the names of files are relative to.
    """

    def __init__(
        self,
        connection: Connection,
        folder: Path,
        run: StartJob,
        *,
        answers: Callable[[], Answers],
        release: Callable[[], ReleaseRef | None],
        learn: Callable[[CheckResults], None],
        now: Clock,
    ) -> None:
        self._connection, self._folder, self._run = connection, folder, run
        self._answers, self._release, self._learn, self._now = answers, release, learn, now
        self._work: Job | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._idle_event = asyncio.Event()
        self._idle_event.set()

    def answer_changed(self, section: str) -> None:
        """An answer of this section has changed."""
        if section in _CHECKED_SECTIONS:
            self.start()

    def start(self) -> None:
        """Look up what the answers name, soon. Nothing without a cluster."""
        self._stop()
        if self._connection.cluster is not None:
            self._idle_event.clear()
            self._work = self._run(self._look_up)

    def connection_changed(self) -> None:
        """Forget results: the cluster is another one, or none."""
        if self._connection.cluster is None:
            self._stop()
            self._idle_event.set()
            self._learn(CheckResults(Facts(), (), ()))
        self.start()

    async def wait(self, seconds: float) -> None:
        """Wait until the last answers are checked."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle_event.wait()

    def close(self) -> None:
        """Stop all look-ups."""
        self._stop()

    @property
    def is_settled(self) -> bool:
        """Whether the last answers are looked up."""
        return self._idle_event.is_set()

    def _stop(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._work is not None:
            self._work.cancel()
            self._work = None

    async def _look_up(self) -> None:
        cluster = self._connection.cluster
        if cluster is None:
            return
        await asyncio.sleep(DELAY_SECONDS)
        answers = self._answers()
        bundle, unread = await asyncio.to_thread(inputs.certificate, answers, self._folder, self._now())
        async with contextlib.aclosing(look_up(cluster, answers, bundle, self._release(), at=self._now())) as steps:
            async for step in steps:
                self._learn(CheckResults(Facts(ca=step.bundle), (*unread, *step.errors), step.warnings))
                self._idle_event.set()
        if step.is_incomplete:
            self._retry = asyncio.get_running_loop().call_later(RETRY_SECONDS, self.start)
