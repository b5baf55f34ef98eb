"""The contract on the simulated cluster."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from pgwizard.simulator.cluster import SimCluster
from support.cluster_contract import ClusterContract, Lab, Laboratory


@contextlib.asynccontextmanager
async def simulated() -> AsyncIterator[Lab]:
    async with SimCluster(speed=1000, example=False) as cluster:
        for name in ("lab", "lab-2"):
            await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        yield Lab(cluster, cluster.guest(manager="rival"), cluster.guest(user="someone"), "someone", "lab", "lab-2")


class TestSimCluster(ClusterContract):
    """The simulation."""

    @pytest.fixture
    def laboratory(self) -> Laboratory:
        return simulated
