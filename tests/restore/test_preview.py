"""A preview on the simulated cluster: what it shows, how it is moved and ended, and what it leaves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from pgwizard.errors import Interrupted, NotProven, PreflightError
from pgwizard.kube.api import Object
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import record
from pgwizard.release.stages import Event
from pgwizard.restore import preview
from pgwizard.restore import run as restore_run
from pgwizard.restore.preview import OpenPreview
from pgwizard.restore.target import RestorePlan, TargetRefusal, read_target, shown_moment
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import FaultKind, Killed, Request, ScriptedOutcome
from support.faulting import CLAIM, JOB, POD, SECRET, STATEFULSET, clock, live, on_release
from support.scratch_jobs import require_apart

RELEASE = ReleaseRef("default", "postgresql")
JOB_NAME = "postgresql-preview"


def before(sim: SimCluster, seconds: float) -> str:
    """A time as it is typed."""
    return f"{datetime.fromtimestamp(sim.clock.now() - seconds, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


async def shown(sim: SimCluster, typed: str, events: list[Event] | None = None) -> OpenPreview:
    """A preview that begins, or the open one after it was moved."""
    report = (events if events is not None else []).append
    found = await preview.prepare(sim, RELEASE)
    opened = await preview.find(sim, RELEASE)
    target = read_target(typed, UTC)
    plan = await restore_run.plan_to(sim, found, target, clock(sim))
    assert isinstance(plan, RestorePlan), plan
    assert not isinstance(target, TargetRefusal)
    if opened is None:
        return await preview.start(sim, found, target, plan, report=report, now=clock(sim))
    return await preview.move(sim, found, opened, target, plan, report=report, now=clock(sim))


def left(sim: SimCluster) -> list[str]:
    """What there is of previews: Jobs, pods and volume claims."""
    kinds = (JOB, POD, CLAIM)
    return [each["metadata"]["name"] for kind in kinds for each in sim.store.find(kind, "default") if is_ours(each)]


def is_ours(obj: Object) -> bool:
    return str(obj["metadata"]["name"]).startswith(JOB_NAME)


async def ended(sim: SimCluster) -> bool:
    return await preview.end(sim, RELEASE, lambda _: None)


def test_a_preview_shows_the_last_commit_before_its_target_and_is_ended_without_a_trace() -> None:
    async def scenario(sim: SimCluster) -> None:
        secret, stateful = (
            live(sim, SECRET, "postgresql-pgwizard"),
            live(sim, STATEFULSET, "postgresql"),
        )
        events: list[Event] = []
        at = before(sim, 300)
        opened = await shown(sim, at, events)
        reached = opened.reached_state
        assert reached.at is not None
        assert 0 <= (datetime.fromisoformat(at) - reached.at).total_seconds() < 60
        assert (reached.is_exact, reached.is_promoted) == (True, False)
        assert (opened.aim.target.as_typed, opened.aim.timeline) == (at, 1)
        assert [event.text for event in events if event.kind == "done"] == [
            f"its newest commit is of {shown_moment(reached.at)}"
        ]
        assert await preview.find(sim, RELEASE) == opened
        assert (opened.ends_at - clock(sim)()).total_seconds() > 4 * 3_600 - 60
        assert await ended(sim)
        assert (left(sim), await preview.find(sim, RELEASE), await ended(sim)) == ([], None, False)
        now = live(sim, SECRET, "postgresql-pgwizard"), live(sim, STATEFULSET, "postgresql")
        assert [each["metadata"]["resourceVersion"] for each in now] == [
            each["metadata"]["resourceVersion"] for each in (secret, stateful)
        ]

    on_release(scenario)


def test_a_preview_moves_forward_without_another_pod_and_not_back() -> None:
    async def scenario(sim: SimCluster) -> None:
        early, middle, late = before(sim, 400), before(sim, 300), before(sim, 200)
        first = await shown(sim, middle)
        second = await shown(sim, late)
        assert (second.pod, second.aim.target.as_typed) == (first.pod, late)
        assert second.reached_state.lsn > first.reached_state.lsn
        with pytest.raises(PreflightError, match="a preview moves only forward, and it is at ") as caught:
            await shown(sim, early)
        assert caught.value.hint.endswith("pgwizard restore postgresql --preview --end -n default")
        assert await preview.find(sim, RELEASE) == second, "a move that is refused changes nothing"
        newest = await shown(sim, "latest")
        assert (newest.pod, newest.aim.target.as_typed) == (first.pod, "latest")
        assert newest.reached_state.lsn > second.reached_state.lsn

    on_release(scenario)


def test_a_move_to_a_moment_with_the_same_data_restarts_nothing() -> None:
    async def scenario(sim: SimCluster) -> None:
        at = sim.clock.now()
        moment = datetime.fromtimestamp(at - at % 60 - 300 + 30, UTC)
        first = await shown(sim, f"{moment:%Y-%m-%dT%H:%M:%SZ}")
        events: list[Event] = []
        later = moment.replace(microsecond=500_000)
        second = await shown(sim, f"{later:%Y-%m-%dT%H:%M:%S.%fZ}", events)
        assert (second.reached_state, second.pod) == (first.reached_state, first.pod)
        assert second.aim.target.at == later
        [ending] = [event.text for event in events if event.kind == "done"]
        assert ending.startswith("nothing was committed in between: its newest commit is of ")
        assert await preview.find(sim, RELEASE) == second

    on_release(scenario)


def test_the_job_has_a_volume_of_its_own_and_neither_token_nor_ports_nor_the_labels_of_the_service() -> None:
    async def scenario(sim: SimCluster) -> None:
        await shown(sim, "latest")
        job = live(sim, JOB, JOB_NAME)
        stateful = live(sim, STATEFULSET, "postgresql")
        require_apart(job, stateful)
        [container] = job["spec"]["template"]["spec"]["containers"]
        [database] = stateful["spec"]["template"]["spec"]["containers"]
        assert 4 * 3_600 < job["spec"]["activeDeadlineSeconds"] < 5 * 3_600
        assert container["command"][4:9] == [
            "serve",
            "3",
            f"--set={sim.runtime.programs.repository('default').backups[-1]['label']}",
            "--target-timeline=1",
            "--type=standby",
        ]
        own = {each["name"]: each["value"] for each in container["env"][len(database["env"]) :]}
        assert {name: own[name] for name in ("PGUSER", "PGDATABASE")} == {
            "PGUSER": "$(POSTGRES_USER)",
            "PGDATABASE": "$(POSTGRES_DB)",
        }
        assert own["PREVIEW_TARGET"].splitlines()[2:] == ["recovery_target_timeline=1"]

    on_release(scenario)


def test_a_damaged_segment_which_no_listing_shows_ends_the_preview() -> None:
    async def scenario(sim: SimCluster) -> None:
        repository = sim.runtime.programs.repository("default")
        target = before(sim, 120)
        repository.damaged_wal.add(repository.number(sim.clock.now() - 300))
        with pytest.raises(NotProven, match="a segment between them is missing or damaged"):
            await shown(sim, target)
        assert left(sim) == []

    on_release(scenario)


def test_a_job_that_fails_is_deleted_and_its_log_is_in_the_error() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("job-failed", "default/postgresql-preview*", lines=("preview: failed: x",)))
        with pytest.raises(NotProven, match="the preview of release default/postgresql has failed") as caught:
            await shown(sim, "latest")
        assert caught.value.log == ("preview: failed: x",)
        assert left(sim) == []

    on_release(scenario)


@pytest.mark.parametrize("seconds", [0, 1, 3, 5])
def test_a_start_that_is_cancelled_leaves_nothing(seconds: float) -> None:
    async def scenario(sim: SimCluster) -> None:
        task = asyncio.ensure_future(shown(sim, "latest"))
        while not left(sim):
            await sim.clock.sleep(0.1)
        await sim.clock.sleep(seconds)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert left(sim) == []

    on_release(scenario)


def test_a_start_that_fails_and_cannot_be_ended_says_so_beside_its_reason() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.outcomes.append(ScriptedOutcome("job-failed", "default/postgresql-preview*"))
        sim.faults.append(lambda request: "403" if request.verb == "delete" else None)
        with pytest.raises(NotProven, match="the preview of release default/postgresql has failed") as caught:
            await shown(sim, "latest")
        assert "the preview of release default/postgresql could not be ended: " in caught.value.hint
        assert caught.value.hint.endswith("End it: pgwizard restore postgresql --preview --end -n default")

    on_release(scenario)


def test_a_second_cancel_while_it_is_being_ended_says_that_it_may_be_left() -> None:
    async def scenario(sim: SimCluster) -> None:
        task = asyncio.ensure_future(shown(sim, "latest"))
        while not left(sim):
            await sim.clock.sleep(0.1)
        task.cancel()
        while "deletionTimestamp" not in live(sim, JOB, JOB_NAME)["metadata"]:
            await sim.clock.sleep(0.1)
        task.cancel()
        with pytest.raises(Interrupted, match="could not be ended: that was stopped too"):
            await task

    on_release(scenario)


def test_a_client_killed_at_any_request_leaves_what_can_be_ended_or_ends_at_its_deadline() -> None:
    async def scenario(sim: SimCluster) -> None:
        begin = len(sim.requests)
        await shown(sim, "latest")
        total = len(sim.requests) - begin
        await ended(sim)
        for number in range(1, total, 3):
            await killed(sim, len(sim.requests) + number)
            await sim.clock.sleep(60)
            assert await ended(sim) in (True, False)
            assert left(sim) == []
        await killed(sim, len(sim.requests) + total - 1)
        assert left(sim) != []
        await sim.clock.sleep(6 * 3_600)
        assert left(sim) == [], "the Job ends at its deadline, and is deleted after it"

    on_release(scenario)


async def killed(sim: SimCluster, last: int) -> None:
    """A start whose client makes no request after one of them."""

    def rule(request: Request) -> FaultKind | None:
        if request.number > last:
            return "kill-before"
        return "kill-after" if request.number == last else None

    sim.faults.append(rule)
    with pytest.raises(Killed):
        await shown(sim, "latest")
    sim.faults.clear()


def test_a_release_with_an_unfinished_restore_has_no_preview() -> None:
    async def scenario(sim: SimCluster) -> None:
        secret = live(sim, SECRET, "postgresql-pgwizard")
        unfinished = record.Restoration("2026-11-27T21:00:00+00:00", is_finished=False, details={})
        await sim.apply(record.read(secret).with_restore(unfinished).secret(), force=True)
        with pytest.raises(PreflightError, match="a restore of release default/postgresql has not ended"):
            await preview.prepare(sim, RELEASE)

    on_release(scenario)


def test_a_preview_that_was_promoted_cannot_be_moved() -> None:
    async def scenario(sim: SimCluster) -> None:
        await shown(sim, before(sim, 300))
        [served] = sim.runtime.programs.previews.values()
        served.is_promoted = True
        with pytest.raises(PreflightError, match="its server was promoted, and has left the archive"):
            await shown(sim, "latest")

    on_release(scenario)


def test_annotations_that_others_wrote_are_refused() -> None:
    async def scenario(sim: SimCluster) -> None:
        await shown(sim, "latest")
        job = live(sim, JOB, JOB_NAME)
        job["metadata"]["annotations"]["pgwizard/preview-target"] = "\x1b[31mnow"
        await sim.replace(job)
        with pytest.raises(PreflightError, match="its annotations do not tell what it shows") as caught:
            await preview.find(sim, RELEASE)
        assert "End it: pgwizard restore postgresql --preview --end -n default" in caught.value.hint
        assert await ended(sim)

    on_release(scenario)
