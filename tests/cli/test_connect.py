"""The clock of a command: that of the machine, or of the simulated cluster."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from pgwizard.cli import start
from pgwizard.kube.api import Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import record
from pgwizard.simulator.cluster import SimCluster
from support.faulting import CONFIGMAP, LEASE, clock, live
from support.headless import run


def test_the_demo_cluster_uses_its_own_clock() -> None:
    ended = run("status", "--demo", "--json")
    status = json.loads(ended.out.splitlines()[-1])
    assert status["at"] >= status["backups"][-1]["stop"]


def test_each_verb_writes_by_the_time_of_the_simulated_cluster(sim: SimCluster, answers: str) -> None:
    async def pass_a_week() -> datetime:
        sim.clock.now()
        await sim.clock.sleep(7 * 86_400)
        return clock(sim)()

    begin = asyncio.run(pass_a_week())
    assert run("apply", answers, "--demo").code == 0
    assert run("backup", "--demo", "--follow").code == 0
    release = json.loads(run("releases", "--demo", "--json").out)
    assert abs(datetime.fromisoformat(release["at"]) - begin) < timedelta(hours=1)
    lease = live(sim, LEASE, record.lease_ref(ReleaseRef("default", "postgresql")).name)
    assert abs(datetime.fromisoformat(lease["spec"]["renewTime"]) - begin) < timedelta(hours=1)


def test_the_simulated_cluster_is_found_as_the_connection_before_left_it() -> None:
    begin, config = start.start(demo=True), {"apiVersion": "v1", "kind": "ConfigMap"}
    ref = Ref(CONFIGMAP, "left", "default")

    async def main() -> None:
        before = AsyncExitStack()
        first = await begin.connect(before)
        await first.create({**config, "metadata": {"name": "left", "namespace": "default"}})
        async with AsyncExitStack() as stack:
            again = await begin.places()[0].connect(stack)
            await before.aclose()
            assert (await again.get(ref))["metadata"]["name"] == "left"
        async with AsyncExitStack() as stack:
            assert (await (await begin.connect(stack)).get(ref))["metadata"]["name"] == "left"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
