"""The stages of a run as they are told, and how a stage deletes: that very object, and never another tool's."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from pgwizard import preflight
from pgwizard.errors import DeadlineError, PgwizardError
from pgwizard.events import Event, Report
from pgwizard.kubeapi import Cluster, Ref


@dataclass
class Stage:
    """One stage, as it is told."""

    name: str
    report: Report
    summary: str = ""

    def progress(self, text: str) -> None:
        """What it does at the moment."""
        self.report(Event(self.name, "progress", text))

    def warning(self, text: str) -> None:
        """What a person should know, and what stops nothing."""
        self.report(Event(self.name, "warning", text))

    def log(self, text: str) -> None:
        """A line that the cluster said."""
        self.report(Event(self.name, "log", text))

    def done(self, text: str) -> None:
        """What it came to, told once it ends."""
        self.summary = text


@contextlib.asynccontextmanager
async def told(name: str, report: Report) -> AsyncIterator[Stage]:
    """A stage from its beginning to its end, or to what ended it."""
    stage, start = Stage(name, report), time.monotonic()
    report(Event(name, "began"))
    try:
        yield stage
    except BaseException as error:
        message = error.message.partition("\n")[0] if isinstance(error, PgwizardError) else "stopped"
        report(Event(name, "failed", message, time.monotonic() - start))
        raise
    report(Event(name, "done", stage.summary, time.monotonic() - start))


async def delete_ours(cluster: Cluster, refs: Sequence[Ref], stage: Stage) -> tuple[dict[Ref, str], list[Ref]]:
    """Delete objects of the inventory, those very ones. What another tool has taken over meanwhile stays.

    First: what was deleted, with its uid; it may take a while to go. Second: what another tool has.
    """
    deleted: dict[Ref, str] = {}
    foreign: list[Ref] = []
    for ref in refs:
        stage.progress(f"delete {ref}")
        live = await preflight.found(cluster, ref)
        if live is None:
            continue
        if owner := preflight.foreign_owner(live):
            stage.warning(f"{ref} belongs to {owner} by now: it is kept")
            foreign.append(ref)
            continue
        deleted[ref] = live["metadata"]["uid"]
        await cluster.delete(ref, uid=deleted[ref])
    return deleted, foreign


async def gone(cluster: Cluster, ref: Ref, uid: str, seconds: float) -> None:
    """Wait until that very object is no longer there; another one of its name may be. Raises DeadlineError."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                live = await preflight.found(cluster, ref)
                if live is None or live["metadata"]["uid"] != uid:
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise DeadlineError(f"{ref} was still there {seconds:.0f} s after it was deleted") from None
