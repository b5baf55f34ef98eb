"""A drill on the simulated cluster: what it proves, and what it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pgwizard.errors import DeadlineError, NotProven, PgwizardError, PreflightError
from pgwizard.kube.api import Object
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import backups, record
from pgwizard.release.layout import Layout
from pgwizard.release.record import DrillResult
from pgwizard.release.stages import Event
from pgwizard.restore import drill as restore_drill
from pgwizard.restore.drill_job import DrillQuery
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import FaultKind, Killed, Request, ScriptedOutcome
from pgwizard.simulator.repository import SimulatedRepository
from support.faulting import JOB, SECRET, STATEFULSET, clock, live, on_release
from support.scratch_jobs import require_apart

RELEASE = ReleaseRef("default", "postgresql")
DRILLS = "default/postgresql-drill-*"


async def drilled(
    sim: SimCluster, events: list[Event] | None = None, *, query: DrillQuery | None = None
) -> DrillResult:
    report = (events if events is not None else []).append
    return await restore_drill.run(sim, RELEASE, report, now=clock(sim), seconds=3_600, query=query)


def repository(sim: SimCluster) -> SimulatedRepository:
    return sim.runtime.programs.repository("default")


def kept(sim: SimCluster) -> tuple[DrillResult, ...]:
    return record.read(live(sim, SECRET, "postgresql-pgwizard")).drills


def drill_jobs(sim: SimCluster) -> list[str]:
    return [job["metadata"]["name"] for job in sim.store.find(JOB, "default") if "-drill-" in job["metadata"]["name"]]


async def killed(sim: SimCluster, is_last: Callable[[Request], bool]) -> None:
    """A drill whose client makes no request after one of them."""
    dead = False

    def rule(request: Request) -> FaultKind | None:
        nonlocal dead
        if dead:
            return "kill-before"
        dead = is_last(request)
        return "kill-after" if dead else None

    sim.faults.append(rule)
    with pytest.raises(Killed):
        await drilled(sim)
    sim.faults.clear()


def outcomes(result: DrillResult) -> dict[str, str]:
    return {check.name: check.outcome for check in result.checks}


def test_a_drill_of_a_healthy_release_passes_and_is_kept_and_leaves_nothing() -> None:
    async def scenario(sim: SimCluster) -> None:
        events: list[Event] = []
        result = await drilled(sim, events)
        assert outcomes(result) == {
            "continuity": "passed",
            "restore": "passed",
            "recovery": "passed",
            "wal": "passed",
            "rows": "passed",
            "indexes": "passed",
            "query": "skipped",
            "checksums": "passed",
        }
        assert [event.stage for event in events if event.kind == "done"] == ["continuity", "drill"]
        assert (kept(sim), drill_jobs(sim)) == ((result,), [])
        assert live(sim, STATEFULSET, "postgresql")["spec"]["replicas"] == 1
        for _ in range(5):
            await drilled(sim)
        assert len(kept(sim)) == 5, "the oldest are forgotten"

    on_release(scenario)


def test_a_gap_behind_the_newest_backup_fails_before_and_after_the_restore() -> None:
    async def scenario(sim: SimCluster) -> None:
        repository(sim).holes.add(5)
        result = await drilled(sim)
        failed = [check for check in result.checks if check.outcome == "failed"]
        assert [check.name for check in failed] == ["continuity", "wal"]
        assert "WAL segment 000000010000000000000005 is missing" in failed[0].text
        assert failed[1].text.startswith("recovery ended at 0/5000000, and the newest segment begins at 0/C000000")
        assert kept(sim) == (result,)

    on_release(scenario)


def test_a_damaged_segment_which_no_listing_shows_fails_by_the_position_that_recovery_reached() -> None:
    async def scenario(sim: SimCluster) -> None:
        newest = repository(sim).number(sim.clock.now())
        repository(sim).damaged_wal.add(newest)
        result = await drilled(sim)
        assert [check.name for check in result.checks if check.outcome == "failed"] == ["wal"]

    on_release(scenario)


def test_a_damaged_backup_fails_at_the_restore_and_nothing_behind_it_is_checked() -> None:
    async def scenario(sim: SimCluster) -> None:
        label = repository(sim).backups[-1]["label"]
        repository(sim).damaged_contents[label] = ["pg_data/base/5/1259.gz"]
        result = await drilled(sim)
        assert list(outcomes(result).values()) == ["passed", "failed", *["skipped"] * 6]
        assert result.failed_check is not None
        assert "unexpected eof in compressed data" in result.failed_check.text

    on_release(scenario)


def test_a_repository_without_a_backup_that_can_be_restored_fails_without_a_job() -> None:
    async def scenario(sim: SimCluster) -> None:
        repository(sim).backups[-1]["error"] = True
        result = await drilled(sim)
        assert outcomes(result) == {"continuity": "failed"}
        assert not any(request.resource == "jobs" and request.is_write for request in sim.requests[-20:])

    on_release(scenario)


@pytest.mark.parametrize(("sql", "outcome"), [("SELECT 1", "passed"), ("SELECT wrong", "failed")])
def test_the_query_of_the_user_must_answer_what_is_expected(sql: str, outcome: str) -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await drilled(sim, query=DrillQuery(sql, "5"))
        assert outcomes(result)["query"] == outcome

    on_release(scenario)


def test_the_job_has_a_volume_of_its_own_and_neither_token_nor_ports_nor_the_labels_of_the_service() -> None:
    async def scenario(sim: SimCluster) -> None:
        jobs: list[Object] = []
        sim.store.listeners.append(lambda change: jobs.append(change[2]) if change[2]["kind"] == "Job" else None)
        await drilled(sim, query=DrillQuery("SELECT $$ $(PGDATA) $$", "x"))
        job = next(job for job in jobs if "-drill-" in job["metadata"]["name"])
        stateful = live(sim, STATEFULSET, "postgresql")
        require_apart(job, stateful)
        [container] = job["spec"]["template"]["spec"]["containers"]
        [database] = stateful["spec"]["template"]["spec"]["containers"]
        assert job["spec"]["activeDeadlineSeconds"] == 3_600
        assert container["resources"]["requests"] == {"cpu": "100m", "memory": "256Mi"}
        assert container["env"][len(database["env"]) :] == [
            {"name": "DRILL_MUST_EXCEED", "value": "0/C000001"},
            {"name": "DRILL_QUERY", "value": "SELECT $$$$ $$(PGDATA) $$$$"},
            {"name": "DRILL_EXPECT", "value": "x"},
        ]

    on_release(scenario)


def test_the_requests_are_the_database_s_where_the_namespace_has_limit_ranges() -> None:
    async def scenario(sim: SimCluster) -> None:
        limits = {"limits": [{"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}]}
        metadata = {"name": "limits", "namespace": "default"}
        await sim.create({"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": limits})
        jobs: list[Object] = []
        sim.store.listeners.append(lambda change: jobs.append(change[2]) if change[2]["kind"] == "Job" else None)
        await drilled(sim)
        job = next(job for job in jobs if "-drill-" in job["metadata"]["name"])
        [container] = job["spec"]["template"]["spec"]["containers"]
        [database] = live(sim, STATEFULSET, "postgresql")["spec"]["template"]["spec"]["containers"]
        assert container["resources"] == database["resources"]

    on_release(scenario)


def test_a_job_that_ends_without_a_receipt_is_an_error_and_no_result() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("job-failed", DRILLS, lines=("bash: syntax error",)))
        with pytest.raises(NotProven, match="has no result"):
            await drilled(sim)
        assert (kept(sim), drill_jobs(sim)) == ((), [])

    on_release(scenario)


def test_a_drill_that_takes_too_long_is_ended_by_its_own_deadline() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("slow", DRILLS, seconds=5_000))
        with pytest.raises(DeadlineError, match="had not ended after 1 h"):
            await drilled(sim)
        assert (kept(sim), drill_jobs(sim)) == ((), [])

    on_release(scenario)


def test_a_cancelled_drill_deletes_its_job() -> None:
    async def scenario(sim: SimCluster) -> None:
        task = asyncio.ensure_future(drilled(sim))
        while not drill_jobs(sim):
            await sim.clock.sleep(0.1)
        await sim.clock.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert drill_jobs(sim) == []

    on_release(scenario)


def test_the_job_of_a_client_that_was_killed_is_followed_and_deleted_later() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("slow", DRILLS, seconds=60))
        await killed(sim, lambda request: (request.verb, request.resource) == ("create", "jobs"))
        [name] = drill_jobs(sim)
        with pytest.raises(PreflightError, match="without this query"):
            await drilled(sim, query=DrillQuery("SELECT 1"))
        events: list[Event] = []
        result = await drilled(sim, events)
        assert result.failed_check is None
        assert f"Job {name} is running a drill: it is followed" in [event.text for event in events]
        assert drill_jobs(sim) == [name], "whoever started it deletes it, or its own end does"
        sim.outcomes.clear()
        await drilled(sim)
        assert drill_jobs(sim) == [name], "whoever started it may still read its result"
        await sim.clock.sleep(60)
        await drilled(sim)
        assert drill_jobs(sim) == []

    on_release(scenario)


def test_a_client_killed_at_any_request_leaves_nothing_that_its_next_drill_does_not_delete() -> None:
    async def scenario(sim: SimCluster) -> None:
        before = len(sim.requests)
        await drilled(sim)
        total = len(sim.requests) - before
        for number in range(1, total, 2):
            last = len(sim.requests) + number
            await killed(sim, lambda request, last=last: request.number == last)  # type: ignore[misc]
            await sim.clock.sleep(120)
            result = await drilled(sim)
            assert (result.failed_check, drill_jobs(sim)) == (None, [])

    on_release(scenario)


def test_a_drill_waits_for_a_backup_that_runs() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("slow", "default/*full*", seconds=60))
        job = await backups.backup_now(sim, Layout.of(RELEASE), "full", clock(sim)())
        events: list[Event] = []
        result = await drilled(sim, events)
        assert f"backup Job {job} runs: waiting for its end" in [event.text for event in events]
        assert result.backup == repository(sim).backups[-1]["label"]

    on_release(scenario)


def test_a_release_with_an_unfinished_restore_is_refused() -> None:
    async def scenario(sim: SimCluster) -> None:
        secret = live(sim, SECRET, "postgresql-pgwizard")
        unfinished = record.Restoration("2026-11-27T21:00:00+00:00", is_finished=False, details={})
        await sim.apply(record.read(secret).with_restore(unfinished).secret(), force=True)
        with pytest.raises(PgwizardError, match="a restore of release default/postgresql has not ended"):
            await drilled(sim)

    on_release(scenario)


def test_the_record_keeps_what_it_can_read_of_drills() -> None:
    async def scenario(sim: SimCluster) -> None:
        await drilled(sim)
        secret: Any = live(sim, SECRET, "postgresql-pgwizard")
        for coded in ("", "bm8=", "W10=", "W3t9XQ=="):
            assert record.read({**secret, "data": {**secret["data"], "drills": coded}}).drills == ()

    on_release(scenario)
