"""The contract on the simulated cluster."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from cluster_contract import ClusterContract, Lab, Laboratory
from pgwizard.demo import SimCluster


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
