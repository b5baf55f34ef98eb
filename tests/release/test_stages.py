"""The events of a stage, and deletions: of our own objects only, each waited for."""

from __future__ import annotations

import pytest

from pgwizard.errors import DeadlineError, PreflightError
from pgwizard.kube.api import Ref
from pgwizard.release import deletion, stages
from pgwizard.release.stages import Event
from pgwizard.simulator.cluster import SimCluster
from support.faulting import ROLE, SERVICE, deployed, live, on, taken_over
from support.simtime import run

SERVED = Ref(SERVICE, "postgresql", "default")


def events_of(error: BaseException | None) -> list[tuple[str, str]]:
    events: list[Event] = []

    async def staged() -> None:
        async with stages.enter("wait", events.append) as stage:
            stage.progress("waiting")
            stage.complete("it is there")
            if error is not None:
                raise error

    if error is None:
        run(staged())
    else:
        with pytest.raises(type(error)):
            run(staged())
    return [(event.kind, event.text) for event in events]


def test_a_stage_ends_with_its_summary() -> None:
    assert events_of(None) == [("began", ""), ("progress", "waiting"), ("done", "it is there")]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PreflightError("refused", []), "refused"),
        (DeadlineError("in vain", log=["and more"]), "in vain"),
        (ValueError("internal"), "stopped"),
    ],
)
def test_a_failed_stage_is_reported_with_the_first_line_of_its_error(error: Exception, text: str) -> None:
    assert events_of(error)[-1] == ("failed", text)


def test_only_our_own_objects_are_deleted() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        role, absent = Ref(ROLE, "postgresql-pgbackrest", "default"), Ref(SERVICE, "absent", "default")
        taken_over(sim, role)
        uid = live(sim, SERVICE, "postgresql")["metadata"]["uid"]
        result = await deletion.delete_ours(sim, [absent, role, SERVED], stages.Stage("prune", lambda _: None))
        assert result == ({SERVED: uid}, [role])
        assert sim.store.peek(role) is not None

    on(scenario)


def test_the_wait_for_a_deletion_is_bounded_and_ignores_a_new_object_of_that_name() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        uid = live(sim, SERVICE, "postgresql")["metadata"]["uid"]
        await deletion.wait_until_gone(sim, SERVED, "another", 5)
        with pytest.raises(DeadlineError, match="Service default/postgresql was still there 5 s after it was deleted"):
            await deletion.wait_until_gone(sim, SERVED, uid, 5)

    on(scenario)
