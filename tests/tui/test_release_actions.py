"""What can be done to a release from its status: each action asks first, and says what was done or why it was not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from textual.pilot import Pilot

from pgwizard.kube.api import CRONJOB, JOB, Cluster, ExecResult, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import record
from pgwizard.simulator.cluster import SimCluster
from pgwizard.status.snapshot import Snapshot
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.navigation import OpenWizard
from pgwizard.tui.release_actions import ReleaseActions
from support.alone import with_screen
from support.faulting import answers_of, deployed
from support.faulting import cluster as simulated
from support.screens import notices, painted, press, settled, until
from support.snapshots import FINE

RELEASE = ReleaseRef("default", "postgresql")
FULL = Ref(CRONJOB, "postgresql-pgbackrest-full", "default")


@dataclass
class Watch:
    """What is known of the release, as the actions see it."""

    snapshot: Snapshot | None
    server: str

    def ask_again(self, *_: str) -> None:
        """Nobody observes."""


def acting(scenario: Callable[[Pilot[int], ReleaseActions, SimCluster, Watch], Awaitable[None]]) -> list[Any]:
    """Play the scenario over a release that is installed. Returns the screens that were asked for."""
    opened: list[Any] = []
    sim = simulated()

    async def connect(stack: AsyncExitStack) -> Cluster:
        await stack.enter_async_context(sim)
        await deployed(sim, answers_of())
        return sim

    async def main(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        screen.connection.connect()
        await until(pilot, lambda: screen.connection.cluster is not None)
        vars(screen)["open_screen"] = opened.append
        watch: Any = Watch(replace(FINE, ref=RELEASE), sim.server)
        await scenario(pilot, ReleaseActions(screen, watch), sim, watch)

    with_screen(main, connect=connect, now=lambda: datetime.fromtimestamp(sim.clock.now(), UTC))
    return opened


def jobs(sim: SimCluster) -> list[str]:
    return sorted(item["metadata"]["name"] for item in sim.store.find(JOB, "default"))


def test_a_backup_starts_a_job_of_the_kind_that_is_chosen() -> None:
    async def scenario(pilot: Pilot[int], actions: ReleaseActions, sim: SimCluster, _: Watch) -> None:
        before, results = jobs(sim), list[bool]()
        run_to_the_end(pilot, actions.back_up, results)
        await until(pilot, lambda: "Take a backup now?" in painted(pilot))
        await press(pilot, "f")
        await until(pilot, lambda: results == [True])
        (job,) = set(jobs(sim)) - set(before)
        assert job.startswith("postgresql-pgbackrest-full")
        await settled(pilot)
        assert notices(pilot) == [f"Started Job {job}"]

    acting(scenario)


def test_no_backup_is_taken_while_a_restore_has_not_ended() -> None:
    async def scenario(pilot: Pilot[int], actions: ReleaseActions, sim: SimCluster, watch: Watch) -> None:
        before, seen = jobs(sim), watch.snapshot
        assert seen is not None
        assert seen.release is not None
        watch.snapshot = replace(seen, release=replace(seen.release, is_restore_unfinished=True))
        assert await actions.back_up() is False
        refusal = (
            "a restore of release default/postgresql has not ended "
            "Resume it first: pgwizard restore postgresql -n default"
        )
        await settled(pilot)
        assert notices(pilot) == [refusal]
        watch.snapshot = seen  # taken before the restore began
        secret = sim.store.peek(record.secret_ref(RELEASE))
        assert secret is not None
        begun = record.Restoration("2026-11-28T10:00:00+00:00", is_finished=False, details={})
        sim.store.put({**secret, "data": record.read(secret).with_restore(begun).secret()["data"]})
        run_to_the_end(pilot, actions.back_up, results := list[bool]())
        await until(pilot, lambda: "Take a backup now?" in painted(pilot))
        await press(pilot, "f")
        await until(pilot, lambda: results == [False])
        await settled(pilot)
        assert notices(pilot) == [refusal, refusal]
        assert jobs(sim) == before

    acting(scenario)


def test_esc_starts_no_backup() -> None:
    async def scenario(pilot: Pilot[int], actions: ReleaseActions, sim: SimCluster, _: Watch) -> None:
        before, results = jobs(sim), list[bool]()
        run_to_the_end(pilot, actions.back_up, results)
        await until(pilot, lambda: "Take a backup now?" in painted(pilot))
        await press(pilot, "escape")
        await until(pilot, lambda: results == [False])
        assert jobs(sim) == before

    acting(scenario)


def test_a_verification_is_shown_with_its_result_and_kept_in_the_record() -> None:
    async def scenario(pilot: Pilot[int], actions: ReleaseActions, sim: SimCluster, _: Watch) -> None:
        run_to_the_end(pilot, actions.verify, results := list[Any]())
        await until(pilot, lambda: "Verify the repository now?" in painted(pilot))
        await press(pilot, "y")
        await until(pilot, lambda: results == [None])
        await settled(pilot)
        assert notices(pilot)[-1] == "✓ valid: 1 backup and 20 WAL segments were read in 5 s"
        secret = sim.store.peek(record.secret_ref(ReleaseRef("default", "postgresql")))
        assert secret is not None
        assert record.read(secret).verification is not None

    acting(scenario)


def test_a_verification_whose_result_may_not_be_kept_reads_nothing() -> None:
    async def scenario(pilot: Pilot[int], actions: ReleaseActions, sim: SimCluster, _: Watch) -> None:
        sim.rules.deny("patch", "secrets")
        run_to_the_end(pilot, actions.verify, results := list[Any]())
        await until(pilot, lambda: "Verify the repository now?" in painted(pilot))
        await press(pilot, "y")
        await until(pilot, lambda: results == [None])
        await settled(pilot)
        assert "patch secrets postgresql-pgwizard in namespace default" in notices(pilot)[-1]
        assert not any("valid" in notice for notice in notices(pilot))

    acting(scenario)


def test_a_verification_that_runs_is_not_begun_again() -> None:
    async def scenario(pilot: Pilot[int], actions: ReleaseActions, sim: SimCluster, _: Watch) -> None:
        going_on, end = sim.exec, asyncio.Event()

        async def exec_later(*arguments: Any, **options: Any) -> ExecResult:
            await end.wait()
            return await going_on(*arguments, **options)

        vars(sim)["exec"] = exec_later
        run_to_the_end(pilot, actions.verify, results := list[Any]())
        await until(pilot, lambda: "Verify the repository now?" in painted(pilot))
        await press(pilot, "y")
        await until(pilot, lambda: "Verifying the repository; the result will be shown here." in notices(pilot))
        run_to_the_end(pilot, actions.verify, others := list[Any]())
        await until(pilot, lambda: others == [None])
        assert notices(pilot)[-1] == "The repository is being verified; the result will be shown here."
        assert results == []
        end.set()
        await until(pilot, lambda: results == [None])

    acting(scenario)


def test_a_drill_is_shown_with_its_result_and_kept_in_the_record() -> None:
    async def scenario(pilot: Pilot[int], actions: ReleaseActions, sim: SimCluster, _: Watch) -> None:
        run_to_the_end(pilot, actions.drill, results := list[Any]())
        await until(pilot, lambda: "Prove by a restore beside the database?" in painted(pilot))
        assert "it needs a second volume of 10Gi until it ends" in painted(pilot)  # the claim's, and not the disk's
        await press(pilot, "y")
        await until(pilot, lambda: any("-drill-" in job for job in jobs(sim)))
        run_to_the_end(pilot, actions.drill, others := list[Any]())
        await until(pilot, lambda: others == [None])
        await until(pilot, lambda: "A drill is running; its result will be shown here." in notices(pilot))
        await until(pilot, lambda: results == [None])
        await settled(pilot)
        assert notices(pilot)[-1].startswith("✓ proven by a restore to ")
        secret = sim.store.peek(record.secret_ref(ReleaseRef("default", "postgresql")))
        assert secret is not None
        assert len(record.read(secret).drills) == 1
        assert not any("-drill-" in job for job in jobs(sim))

    acting(scenario)


def test_nothing_is_written_to_another_cluster_than_the_one_that_is_shown() -> None:
    async def scenario(pilot: Pilot[int], actions: ReleaseActions, sim: SimCluster, watch: Watch) -> None:
        before, results = jobs(sim), list[bool]()
        watch.server = "https://10.0.0.9:6443"
        run_to_the_end(pilot, actions.back_up, results)
        await until(pilot, lambda: "Take a backup now?" in painted(pilot))
        await press(pilot, "f")
        await until(pilot, lambda: results == [False])
        await settled(pilot)
        assert notices(pilot) == [
            "Nothing was done: the status shown is not from the connected cluster. Press r to reload it."
        ]
        assert jobs(sim) == before

    acting(scenario)


def test_a_schedule_is_suspended_after_a_question_that_names_the_effect() -> None:
    async def scenario(pilot: Pilot[int], actions: ReleaseActions, sim: SimCluster, _: Watch) -> None:
        run_to_the_end(pilot, lambda: actions.suspend(FULL.name), results := list[Any]())
        await until(pilot, lambda: "Suspend postgresql-pgbackrest-full?" in painted(pilot))
        assert "no scheduled full backups until you resume it" in painted(pilot)
        await press(pilot, "y")
        await until(pilot, lambda: results == [None])
        cron = sim.store.peek(FULL)
        assert cron is not None
        assert cron["spec"]["suspend"] is True

    acting(scenario)


def test_without_a_schedule_under_the_cursor_one_of_all_is_chosen_first() -> None:
    async def scenario(pilot: Pilot[int], actions: ReleaseActions, _: SimCluster, __: Watch) -> None:
        run_to_the_end(pilot, lambda: actions.suspend(""), results := list[Any]())
        await until(pilot, lambda: "Which schedule?" in painted(pilot))
        await press(pilot, "2")
        assert "Suspend postgresql-pgbackrest-incr?" in painted(pilot)
        await press(pilot, "escape")
        await until(pilot, lambda: results == [None])

    acting(scenario)


def test_a_refused_write_is_an_error_with_its_reason() -> None:
    async def scenario(pilot: Pilot[int], actions: ReleaseActions, sim: SimCluster, _: Watch) -> None:
        sim.rules.deny("*", "cronjobs")
        run_to_the_end(pilot, lambda: actions.suspend(FULL.name), results := list[Any]())
        await until(pilot, lambda: "Suspend postgresql-pgbackrest-full?" in painted(pilot))
        await press(pilot, "y")
        await until(pilot, lambda: results == [None])
        await settled(pilot)
        (notice,) = notices(pilot)
        assert "postgresql-pgbackrest-full" in notice
        assert "forbidden" in notice

    acting(scenario)


def test_the_answers_of_the_last_revision_are_opened_in_the_wizard() -> None:
    async def scenario(_: Pilot[int], actions: ReleaseActions, __: SimCluster, ___: Watch) -> None:
        await actions.change_answers()

    (request,) = acting(scenario)
    assert isinstance(request, OpenWizard)
    assert request.raw is not None
    assert request.raw["release"]["name"] == "postgresql"


def test_without_a_snapshot_no_action_is_available() -> None:
    async def scenario(pilot: Pilot[int], actions: ReleaseActions, _: SimCluster, watch: Watch) -> None:
        watch.snapshot = None
        assert await actions.back_up() is False
        await actions.suspend("")
        await actions.change_answers()
        assert painted(pilot).strip() == ""

    assert acting(scenario) == []


def run_to_the_end(pilot: Pilot[int], action: Callable[[], Awaitable[Any]], results: list[Any]) -> None:
    """Run an action in a worker, as the screen does, and keep what it returns."""

    async def run() -> None:
        results.append(await action())

    pilot.app.run_worker(run())
