"""Which releases there are, and the record of one."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pgwizard.answers.questions import Answers
from pgwizard.errors import AnswersError, Finding, PreflightError
from pgwizard.kube.api import Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import record, records, uninstall
from pgwizard.release.live_objects import current_answers
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault
from pgwizard.status import observe
from support.faulting import CRONJOB, SECRET, STATEFULSET, answers_of, clock, deployed, live, secret, taken_over
from support.observing import on

ELSEWHERE = {"repository": {"enabled": False}, "tls": {"verify": False, "source": None}}
"""Answers that need nothing of another namespace."""


def test_releases_are_found_in_every_namespace() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        await deployed(sim, answers_of(release={"namespace": "staging"}, **ELSEWHERE))
        await sim.create({**secret("broken-pgwizard", "monitoring"), "type": record.TYPE})
        release_record = await records.releases(sim, None)
        assert [str(item.ref) for item in release_record] == [
            "default/postgresql",
            "monitoring/broken",
            "staging/postgresql",
        ]
        assert release_record[1] == record.UnreadableRecord(
            ReleaseRef("monitoring", "broken"), "Secret monitoring/broken-pgwizard holds no record of a release"
        )
        assert [item.ref.namespace for item in await records.releases(sim, "staging")] == ["staging"]

    on(scenario)


def test_the_answers_of_the_last_revision_are_those_that_were_applied() -> None:
    async def scenario(sim: SimCluster) -> None:
        result, findings = await current_answers(sim, ReleaseRef("default", "postgresql"))
        assert findings == ()
        assert result["schedule"] == {**Answers().schedule.model_dump(by_alias=True), "full": "0 3 * * 0"}
        assert json.dumps(result)

    on(scenario, answers={"schedule": {"full": "0 3 * * 0"}})


@pytest.mark.parametrize("change", ["no record", "another tool"])
def test_the_answers_of_a_release_of_another_tool_are_those_of_its_objects(change: str) -> None:
    async def scenario(sim: SimCluster) -> None:
        if change == "no record":
            await sim.delete(Ref(SECRET, "postgresql-pgwizard", "default"))
        else:
            taken_over(sim, Ref(STATEFULSET, "postgresql", "default"))
        job = Ref(CRONJOB, "postgresql-pgbackrest-full", "default")
        await sim.patch(job, {"spec": {"schedule": "0 4 * * 0"}})
        result, findings = await current_answers(sim, ReleaseRef("default", "postgresql"))
        assert (result["schedule"]["full"], findings) == ("0 4 * * 0", ())

    on(scenario, answers={"schedule": {"full": "0 3 * * 0"}})


def test_the_only_release_of_a_namespace_needs_no_name() -> None:
    shop, other = record.Record(ReleaseRef("default", "shop")), record.Record(ReleaseRef("default", "other"))
    assert records.only_release([shop], "default") == shop.ref
    many = [record.Record(ReleaseRef("shop", f"r{number}")) for number in range(7)]
    for there, hint in (
        ([], "No other one is seen: -n names another namespace, and pgwizard installs one."),
        (many[:2], "There is shop/r0, shop/r1: give the name, and its namespace with -n."),
        (
            many,
            "There is shop/r0, shop/r1, shop/r2, shop/r3, shop/r4, 2 more: give the name, and its namespace with -n.",
        ),
    ):
        with pytest.raises(PreflightError, match="there is no release in namespace default") as missing:
            records.only_release(there, "default")
        assert missing.value.hint == hint
    with pytest.raises(AnswersError) as caught:
        records.only_release([other, shop], "default")
    assert caught.value.findings == (Finding("NAME", "namespace default has 2 releases: name one of other, shop"),)


def test_a_record_comes_with_its_version_and_a_missing_one_is_none_or_an_error() -> None:
    async def scenario(sim: SimCluster) -> None:
        release_record, version = await records.find(sim, ReleaseRef("default", "postgresql"))
        assert release_record is not None
        assert (release_record.ref.name, release_record.last and release_record.last.outcome) == (
            "postgresql",
            "deployed",
        )
        assert version == live(sim, SECRET, "postgresql-pgwizard")["metadata"]["resourceVersion"]
        assert await records.get(sim, ReleaseRef("default", "postgresql")) == (release_record, version)
        assert await records.find(sim, ReleaseRef("default", "other")) == (None, "")
        with pytest.raises(PreflightError) as caught:
            await records.get(sim, ReleaseRef("default", "other"))
        assert caught.value.message == "there is no release other in namespace default"
        assert caught.value.hint == "There is default/postgresql: give the name, and its namespace with -n."

    on(scenario)


def test_where_a_namespace_has_no_release_those_of_others_are_offered_if_they_may_be_listed() -> None:
    async def scenario(sim: SimCluster) -> None:
        assert [item.ref.namespace for item in await records.choices(sim, "default")] == ["default"]
        assert [item.ref.namespace for item in await records.choices(sim, "staging")] == ["default"]
        sim.faults = [Fault("403", verb="list", resource="secrets", times=None)]
        with pytest.raises(PreflightError) as caught:
            await records.get(sim, ReleaseRef("default", "other"))
        assert caught.value.hint == "No other one is seen: -n names another namespace, and pgwizard installs one."

    on(scenario)


@pytest.mark.parametrize("question", ["an apply", "an uninstall", "a status", "its answers"])
def test_a_record_that_is_damaged_or_of_another_version_is_refused_as_such(question: str) -> None:
    """Nothing of pgwizard itself is at fault."""

    async def scenario(sim: SimCluster) -> None:
        sim.store.put({**live(sim, SECRET, "postgresql-pgwizard"), "data": {"record": "e30="}})
        readers: dict[str, Callable[[], Awaitable[Any]]] = {
            "an apply": lambda: deployed(sim),
            "an uninstall": lambda: uninstall.removal(sim, ReleaseRef("default", "postgresql"), purge_data=False),
            "a status": lambda: observe.look(sim, ReleaseRef("default", "postgresql"), now=clock(sim)),
            "its answers": lambda: current_answers(sim, ReleaseRef("default", "postgresql")),
        }
        with pytest.raises(PreflightError) as caught:
            await readers[question]()
        assert caught.value.message == "Secret default/postgresql-pgwizard holds no record of a release"
        assert caught.value.hint == (
            "It was written by another version of pgwizard, or damaged: use that version, or bring the Secret back "
            "from a copy."
        )

    on(scenario)
