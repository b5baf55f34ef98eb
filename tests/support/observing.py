"""Scenarios on a simulated cluster with a release, and snapshots of it as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pgwizard.kube.api import ExecResult
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import record
from pgwizard.simulator.cluster import SimCluster
from pgwizard.status import observe
from pgwizard.status.snapshot import Snapshot
from support.faulting import SECRET, answers_of, clock, cluster, deployed, live
from support.simtime import run

_CONTROLLER_SECONDS = 5
"""The Job's controller sees the end of the first backup after the apply does."""
Scenario = Callable[[SimCluster], Awaitable[None]]


def df(command: list[str], _: bytes) -> ExecResult | None:
    return ExecResult(b"1B-blocks Avail\n10000000000 6100000000\n", b"", 0) if command[0] == "df" else None


def on(scenario: Scenario, *, answers: dict[str, Any] | None = None, **options: Any) -> None:
    """A scenario on a cluster with a release, in time that jumps."""

    async def main() -> None:
        async with cluster(**options) as sim:
            sim.runtime.programs.answers.append(df)
            await deployed(sim, answers_of(**(answers or {})))
            await sim.clock.sleep(_CONTROLLER_SECONDS)
            await scenario(sim)

    run(main())


async def seen(sim: SimCluster, reached: Callable[[Snapshot], bool], again: observe.Again | None = None) -> Snapshot:
    """Observe until a snapshot is as it should be; two simulated hours at most."""
    async with (
        asyncio.timeout(7_200),
        aclosing(observe.observe(sim, ReleaseRef("default", "postgresql"), now=clock(sim), again=again)) as snapshots,
    ):
        async for snapshot in snapshots:
            if reached(snapshot):
                return snapshot
    raise AssertionError("observing ended")


def recorded(sim: SimCluster, **sections: Any) -> None:
    """Change the answers of the last revision, as an apply elsewhere does."""
    ref = record.secret_ref(ReleaseRef("default", "postgresql"))
    read = record.read(live(sim, SECRET, ref.name))
    last = read.revisions[-1]
    changed = replace(last, answers={**last.answers, **sections})
    sim.store.put(replace(read, revisions=(changed,)).secret())


def applying(sim: SimCluster) -> None:
    """As an apply leaves its record that does not wait, or that was stopped."""
    ref = record.secret_ref(ReleaseRef("default", "postgresql"))
    read = record.read(live(sim, SECRET, ref.name))
    now = datetime.fromtimestamp(sim.clock.now(), UTC).isoformat()
    sim.store.put(replace(read, revisions=(replace(read.revisions[-1], outcome="applying", at=now),)).secret())
