"""Which cluster a verb speaks to: a real one or the simulated one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pgwizard.answers.questions import Answers
from pgwizard.kube.api import Cluster
from pgwizard.release import apply
from pgwizard.release.changes import Change

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class ClusterSource:
    """Which cluster. demo: the simulated one, in this process; released: with a release in it, to look at."""

    context: str | None = None
    kubeconfig: str | None = None
    demo: bool = False
    released: bool = False


@contextlib.asynccontextmanager
async def connected(place: ClusterSource) -> AsyncIterator[Cluster]:
    """The cluster, closed on every way out."""
    if place.demo:
        from pgwizard.simulator.clock import ScaledClock
        from pgwizard.simulator.cluster import SimCluster

        clock = ScaledClock(_HURRY if place.released else 1)
        async with SimCluster(clock=clock) as simulated:
            if place.released:
                await apply.run(apply.ReleaseRequest(Answers()), simulated, lambda _: None, _yes, apply.Options())
                clock.run_at(1)
            yield simulated
    else:
        from pgwizard.kube.client import connect

        async with await connect(place.context, place.kubeconfig) as cluster:
            yield cluster


_HURRY = 30
"""How many times as fast a demonstration is prepared."""


async def _yes(_: Sequence[Change]) -> bool:
    return True
