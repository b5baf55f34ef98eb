"""The contract on a real API server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import uuid
from collections.abc import AsyncIterator

import pytest

from pgwizard.kube import credentials, kubeconfig
from pgwizard.kube.api import Cluster, Object, Ref, Resource
from pgwizard.kube.client import KubeCluster
from pgwizard.kube.http import Http, Patience
from support.cluster_contract import ClusterContract, Lab, Laboratory

KUBECONFIG = os.environ.get("PGWIZARD_TEST_KUBECONFIG")


@contextlib.asynccontextmanager
async def opened(manager: str = "pgwizard", user: str | None = None) -> AsyncIterator[Cluster]:
    """The real cluster as another field manager, or as another user by impersonation."""
    target = await asyncio.to_thread(kubeconfig.load, None, KUBECONFIG)
    if user is not None:
        person = dataclasses.replace(target.user, values={**target.user.values, "as": user})
        target = dataclasses.replace(target, user=person)
    async with KubeCluster(Http(target, credentials.Login(target), Patience()), manager) as cluster:
        yield cluster


@contextlib.asynccontextmanager
async def real() -> AsyncIterator[Lab]:
    name = f"contract-{uuid.uuid4().hex[:8]}"
    spaces: list[Object] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in (name, f"{name}-2")
    ]
    async with opened() as cluster, opened("rival") as rival, opened(user=f"user-{name}") as stranger:
        try:
            for space in spaces:
                await cluster.create(space)
            yield Lab(cluster, rival, stranger, f"user-{name}", name, f"{name}-2")
        finally:
            for space in spaces:
                await cluster.delete(Ref(Resource("v1", "Namespace"), space["metadata"]["name"]))


@pytest.mark.live
@pytest.mark.skipif(KUBECONFIG is None, reason="PGWIZARD_TEST_KUBECONFIG names no cluster")
class TestKubeCluster(ClusterContract):
    """A real API server."""

    @pytest.fixture
    def laboratory(self) -> Laboratory:
        return real
