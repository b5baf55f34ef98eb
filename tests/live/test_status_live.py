"""The status of a real release: the verdict becomes recoverable, and a backup is seen as it runs and ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from pgwizard.clock import utc_now
from pgwizard.kube.api import Cluster
from pgwizard.kube.client import connect
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import backups
from pgwizard.release.layout import Layout
from pgwizard.status import observe
from pgwizard.status.snapshot import Snapshot
from pgwizard.status.verdict import judge
from support.live_releases import INCREMENTAL, Site, site
from support.rigtools import KUBECONFIG, LIVE
from support.waiting import DEADLINE_SECONDS, KUBECTL_DEADLINE

pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE
SMALL = {"resources": {"cpuRequest": "20m", "memoryRequest": "64Mi"}}


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path) as scene:
        yield scene


async def seen(cluster: Cluster, namespace: str, reached: Callable[[Snapshot], bool]) -> Snapshot:
    """Observe until a snapshot is as it should be; three minutes at most."""
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        aclosing(observe.observe(cluster, ReleaseRef(namespace, "postgresql"), now=utc_now)) as snapshots,
    ):
        async for snapshot in snapshots:
            if reached(snapshot):
                return snapshot
    raise AssertionError("observing ended")


async def _backed_up(namespace: str) -> tuple[Snapshot, list[str]]:
    """Take an incremental backup; the last snapshot, and the states in which its Job was seen."""
    states: list[str] = []
    async with await connect(None, KUBECONFIG) as cluster:
        first = await seen(cluster, namespace, lambda snapshot: not snapshot.pending_sources and not snapshot.failures)
        assert judge(first).state == "recoverable", judge(first).reasons
        assert [backup.type for backup in first.backups] == ["full"]
        job = await backups.backup_now(cluster, Layout.of(ReleaseRef(namespace, "postgresql")), "incr", utc_now())

        def done(snapshot: Snapshot) -> bool:
            states.extend(run.state for run in snapshot.runs if run.name == job)
            return len(snapshot.backups) == 2 and states[-1] == "succeeded"

        last = await seen(cluster, namespace, done)
        lines = [line async for line in backups.log(cluster, ReleaseRef(namespace, "postgresql"), job)]
        assert any("new backup label" in line for line in lines), lines
        await backups.set_suspend(cluster, INCREMENTAL, namespace, suspend=True)
        await seen(cluster, namespace, lambda snapshot: any(cron.suspended for cron in snapshot.crons))
        await backups.set_suspend(cluster, INCREMENTAL, namespace, suspend=False)
    return last, list(dict.fromkeys(states))


def test_a_backup_is_seen_running_and_done_and_the_verdict_is_printed(place: Site) -> None:
    place.apply(SMALL)
    last, states = asyncio.run(_backed_up(place.kubectl.namespace))
    assert states == ["running", "succeeded"]
    assert [backup.type for backup in last.backups] == ["full", "incr"]
    assert last.archiver is not None
    assert last.archiver.waiting is not None
    assert last.volume is not None
    assert last.certificate is not None
    assert last.certificate.source == "same"
    assert {ref.resource.kind for ref in last.objects} == {"StatefulSet", "Pod", "PersistentVolumeClaim"}

    where = f"--namespace={place.kubectl.namespace}"
    status = json.loads(place.pgwizard(*place.command(None, "status", "postgresql", where, "--json")).out)
    assert status["verdict"]["state"] == "recoverable"
    assert status["archiver"]["failing"] is False
    assert (status["unknown"], status["loading"]) == ({}, [])
    shown = place.pgwizard(*place.command(None, "status", where)).out
    assert shown.splitlines()[1].startswith("● RECOVERABLE   from ")

    # without the right to its repository nothing is proven any more, and the exit code says so
    place.kubectl.run("scale", "statefulset", "postgresql", "--replicas=0")
    place.kubectl.run("wait", "--for=delete", "pod/postgresql-0", KUBECTL_DEADLINE)
    away = place.pgwizard(*place.command(None, "status", where), expect=11)
    assert "? UNKNOWN" in away.out
    place.kubectl.run("scale", "statefulset", "postgresql", "--replicas=1")
    place.kubectl.run("wait", "--for=create", "pod/postgresql-0", KUBECTL_DEADLINE)
    place.kubectl.run("wait", "--for=condition=Ready", "pod/postgresql-0", KUBECTL_DEADLINE)
