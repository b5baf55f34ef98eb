"""Which releases there are, and the record of one."""

from __future__ import annotations

import json

import pytest

from faulting import answers_of, deployed, secret
from observing import on
from pgwizard import record, releases
from pgwizard.demo import SimCluster
from pgwizard.errors import AnswersError, PreflightError, Problem

ELSEWHERE = {"repository": {"enabled": False}, "tls": {"verify": False, "source": None}}
"""Answers that need nothing of another namespace."""


def test_releases_are_found_wherever_they_are() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        await deployed(sim, answers_of(release={"namespace": "staging"}, **ELSEWHERE))
        await sim.create({**secret("broken-pgwizard", "monitoring"), "type": record.TYPE})
        found = await releases.releases(sim, None)
        assert [(item.namespace, item.name) for item in found] == [("default", "postgresql"), ("staging", "postgresql")]
        assert [item.namespace for item in await releases.releases(sim, "staging")] == ["staging"]

    on(scenario)


def test_the_answers_of_the_last_revision_are_those_that_were_applied() -> None:
    async def scenario(sim: SimCluster) -> None:
        found = await releases.answers_of(sim, "postgresql", "default")
        assert found["schedule"] == {"full": "0 3 * * 0", "incremental": "0 2 * * 1-6", "timeZone": "Etc/UTC"}
        assert json.dumps(found)

    on(scenario, answers={"schedule": {"full": "0 3 * * 0"}})


def test_the_only_release_of_a_namespace_needs_no_name() -> None:
    shop, other = record.Record("shop", "default"), record.Record("other", "default")
    assert releases.chosen([shop], "default") == "shop"
    with pytest.raises(PreflightError, match="there is no release in namespace default"):
        releases.chosen([], "default")
    with pytest.raises(AnswersError) as caught:
        releases.chosen([other, shop], "default")
    assert caught.value.problems == (Problem("NAME", "namespace default has 2 releases: name one of other, shop"),)
