"""A simulated cluster for the verbs, the same for all runs of a test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pgwizard.cli import connect
from pgwizard.kube.api import ExecResult
from pgwizard.simulator.cluster import SimCluster
from support import faulting, headless, simtime

ANSWERS = "release:\n  namespace: default\n"


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> SimCluster:
    """What ``--demo`` speaks to: one cluster for all runs of a test, in leaping time."""
    shared = faulting.cluster()

    @contextlib.asynccontextmanager
    async def connected(place: connect.ClusterSource) -> AsyncIterator[SimCluster]:
        assert place.demo
        async with shared:
            yield shared

    monkeypatch.setattr(connect, "open_cluster", connected)
    monkeypatch.setattr(asyncio, "run", simtime.run)
    return shared


@pytest.fixture
def answers(folder: Path) -> str:
    (folder / "answers.yaml").write_text(ANSWERS)
    return "answers.yaml"


@pytest.fixture
def released(sim: SimCluster, answers: str) -> SimCluster:
    """The cluster with a release."""
    assert headless.run("apply", answers, "--demo").code == 0
    return sim


@pytest.fixture
def volume(sim: SimCluster) -> None:
    """The simulated pod knows ``df``."""

    def df(command: list[str], _: bytes) -> ExecResult | None:
        return ExecResult(b"1B-blocks Avail\n10737418240 6549825126\n", b"", 0) if command[0] == "df" else None

    sim.runtime.programs.answers.append(df)
