"""The end of an undo on the simulated cluster."""

from __future__ import annotations

import pytest

from pgwizard.errors import PreflightError
from pgwizard.kube.api import ExecResult
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import record
from pgwizard.release.stages import Event
from pgwizard.restore import finish
from pgwizard.restore import run as restore_run
from pgwizard.restore.target import RecoveryTarget, RestorePlan, choose
from pgwizard.simulator.cluster import SimCluster
from support import simtime
from support.faulting import SECRET, clock, cluster, deployed, live

RELEASE = ReleaseRef("default", "postgresql")


async def restore(sim: SimCluster) -> None:
    preparation = await restore_run.prepare(sim, RELEASE)
    assert preparation.view is not None
    plan = choose(preparation.view, RecoveryTarget("latest"), clock(sim)())
    assert isinstance(plan, RestorePlan)
    await restore_run.run(RELEASE, restore_run.new_journal(plan, clock(sim)), sim, lambda _: None, now=clock(sim))


async def undo(sim: SimCluster) -> None:
    await restore_run.plan_undo(sim, await restore_run.prepare(sim, RELEASE), clock(sim))


def test_finish_deletes_what_was_kept_and_ends_the_offer() -> None:
    async def scenario() -> None:
        sim = cluster()
        async with sim:
            await deployed(sim)
            await sim.clock.sleep(600)
            with pytest.raises(PreflightError, match="no restore that could be undone: there is nothing to finish"):
                await finish.read_offer(sim, RELEASE)
            await restore(sim)
            await undo(sim)
            ran, events = list[list[str]](), list[Event]()

            def kept_wal(command: list[str], _: bytes) -> ExecResult | None:
                ran.append([word for word in command if "\n" not in word])
                text = b"pg_wal.before-restore-20261128-104029\n" if "kept-wal" in command else b""
                return ExecResult(text, b"", 0) if text or "expire" in command else None

            sim.runtime.programs.answers.append(kept_wal)
            offer = await finish.read_offer(sim, RELEASE)
            assert (offer.copies, offer.journal.plan.target) == (
                ("pg_wal.before-restore-20261128-104029",),
                "the newest state",
            )
            await finish.finish(sim, RELEASE, events.append, now=clock(sim))
            assert [(event.stage, event.text) for event in events if event.kind == "done"] == [
                ("delete", "pg_wal.before-restore-20261128-104029"),
                ("expire", "retention applies to all backups and WAL"),
            ]
            assert ran == [
                ["bash", "-c", "kept-wal", "list"],
                ["bash", "-c", "kept-wal", "delete"],
                ["pgbackrest", "--stanza=main", "--log-level-console=warn", "expire"],
            ]
            with pytest.raises(PreflightError, match="was finished: there is nothing to undo"):
                await undo(sim)
            with pytest.raises(PreflightError, match="there is nothing to finish"):
                await finish.finish(sim, RELEASE, events.append, now=clock(sim))
            assert len(record.read(live(sim, SECRET, "postgresql-pgwizard")).restorations) == 1

    simtime.run(scenario())


def test_an_expire_that_fails_leaves_the_offer() -> None:
    async def scenario() -> None:
        sim = cluster()
        async with sim:
            await deployed(sim)
            await sim.clock.sleep(600)
            await restore(sim)

            def locked(command: list[str], _: bytes) -> ExecResult | None:
                return ExecResult(b"", b"ERROR: [050]: unable to acquire lock", 50) if "expire" in command else None

            sim.runtime.programs.answers.append(locked)
            with pytest.raises(PreflightError, match=r"pgbackrest ended with 50: ERROR: \[050\]"):
                await finish.finish(sim, RELEASE, lambda _: None, now=clock(sim))
            await undo(sim)

    simtime.run(scenario())
