"""Which releases there are, and the record of one."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pgwizard.errors import AnswersError, Finding, PreflightError
from pgwizard.release import record, records, uninstall
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault
from pgwizard.status import observe
from support.faulting import SECRET, answers_of, deployed, live, secret
from support.observing import on

ELSEWHERE = {"repository": {"enabled": False}, "tls": {"verify": False, "source": None}}
"""Answers that need nothing of another namespace."""


def test_releases_are_found_wherever_they_are() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        await deployed(sim, answers_of(release={"namespace": "staging"}, **ELSEWHERE))
        await sim.create({**secret("broken-pgwizard", "monitoring"), "type": record.TYPE})
        found = await records.releases(sim, None)
        assert [(item.namespace, item.name) for item in found] == [("default", "postgresql"), ("staging", "postgresql")]
        assert [item.namespace for item in await records.releases(sim, "staging")] == ["staging"]

    on(scenario)


def test_the_answers_of_the_last_revision_are_those_that_were_applied() -> None:
    async def scenario(sim: SimCluster) -> None:
        found = await records.answers_of(sim, "postgresql", "default")
        assert found["schedule"] == {"full": "0 3 * * 0", "incremental": "0 2 * * 1-6", "timeZone": "Etc/UTC"}
        assert json.dumps(found)

    on(scenario, answers={"schedule": {"full": "0 3 * * 0"}})


def test_the_only_release_of_a_namespace_needs_no_name() -> None:
    shop, other = record.Record("shop", "default"), record.Record("other", "default")
    assert records.chosen([shop], "default") == "shop"
    many = [record.Record(f"r{number}", "shop") for number in range(7)]
    for there, hint in (
        ([], "No other one is seen: -n names another namespace, and pgwizard installs one."),
        (many[:2], "There is shop/r0, shop/r1: give the name, and its namespace with -n."),
        (
            many,
            "There is shop/r0, shop/r1, shop/r2, shop/r3, shop/r4, 2 more: give the name, and its namespace with -n.",
        ),
    ):
        with pytest.raises(PreflightError, match="there is no release in namespace default") as missing:
            records.chosen(there, "default")
        assert missing.value.hint == hint
    with pytest.raises(AnswersError) as caught:
        records.chosen([other, shop], "default")
    assert caught.value.findings == (Finding("NAME", "namespace default has 2 releases: name one of other, shop"),)


def test_a_record_comes_with_its_version_and_none_is_told_from_one_that_has_to_be_there() -> None:
    async def scenario(sim: SimCluster) -> None:
        found, version = await records.recorded(sim, "postgresql", "default")
        assert found is not None
        assert (found.name, found.last and found.last.outcome) == ("postgresql", "deployed")
        assert version == live(sim, SECRET, "postgresql-pgwizard")["metadata"]["resourceVersion"]
        assert await records.required(sim, "postgresql", "default") == (found, version)
        assert await records.recorded(sim, "other", "default") == (None, "")
        with pytest.raises(PreflightError) as caught:
            await records.required(sim, "other", "default")
        assert caught.value.message == "there is no release other in namespace default"
        assert caught.value.hint == "There is default/postgresql: give the name, and its namespace with -n."

    on(scenario)


def test_where_a_namespace_has_no_release_those_of_others_are_offered_if_they_may_be_listed() -> None:
    async def scenario(sim: SimCluster) -> None:
        assert [item.namespace for item in await records.choices(sim, "default")] == ["default"]
        assert [item.namespace for item in await records.choices(sim, "staging")] == ["default"]
        sim.faults = [Fault("403", verb="list", resource="secrets", times=None)]
        with pytest.raises(PreflightError) as caught:
            await records.required(sim, "other", "default")
        assert caught.value.hint == "No other one is seen: -n names another namespace, and pgwizard installs one."

    on(scenario)


@pytest.mark.parametrize("question", ["an apply", "an uninstall", "a status", "its answers"])
def test_a_record_that_is_damaged_or_of_another_version_is_said_to_be_so(question: str) -> None:
    """Nothing of pgwizard itself is at fault."""

    async def scenario(sim: SimCluster) -> None:
        sim.store.put({**live(sim, SECRET, "postgresql-pgwizard"), "data": {"record": "e30="}})
        asked: dict[str, Callable[[], Awaitable[Any]]] = {
            "an apply": lambda: deployed(sim),
            "an uninstall": lambda: uninstall.removal(sim, "postgresql", "default", purge_data=False),
            "a status": lambda: observe.look(sim, "postgresql", "default"),
            "its answers": lambda: records.answers_of(sim, "postgresql", "default"),
        }
        with pytest.raises(PreflightError) as caught:
            await asked[question]()
        assert caught.value.message == "Secret default/postgresql-pgwizard holds no record of a release"
        assert caught.value.hint == (
            "It was written by another version of pgwizard, or damaged: use that version, or bring the Secret back "
            "from a copy."
        )

    on(scenario)
