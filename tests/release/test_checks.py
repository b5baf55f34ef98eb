"""Checks on what is around a release, as far as they are not shown by what both faces find."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pgwizard.answers.questions import Answers
from pgwizard.errors import Finding
from pgwizard.kube.api import NODE, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import checks, record, survey
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.pods import NODE as NODE_NAME
from support.faulting import answers_of, clock, deployed
from support.simtime import run


def on(scenario: Callable[[SimCluster], Awaitable[None]]) -> None:
    async def main() -> None:
        async with SimCluster(speed=50) as sim:
            await scenario(sim)

    run(main())


async def found(sim: SimCluster, answers: Answers) -> list[Finding]:
    surveyed = await survey.survey(sim, answers, at=clock(sim)())
    return [*surveyed.errors, *surveyed.doubts, *await checks.run(checks.Subject(sim, answers, surveyed, clock(sim)()))]


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        ("postgres", "docker.io/library/postgres:latest"),
        ("postgres:15", "docker.io/library/postgres:15"),
        ("me/postgres", "docker.io/me/postgres:latest"),
        ("localhost/postgres:15", "localhost/postgres:15"),
        ("registry.example.com:5000/postgres", "registry.example.com:5000/postgres:latest"),
        ("quay.io/me/postgres:15@sha256:ab", "quay.io/me/postgres@sha256:ab"),
        ("postgres@sha256:ab", "docker.io/library/postgres@sha256:ab"),
    ],
)
def test_an_image_is_compared_by_the_name_that_a_node_gives_it(short: str, whole: str) -> None:
    assert checks.whole_name(short) == whole


def test_an_image_that_the_database_already_runs_is_not_checked() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        node = sim.store.peek(Ref(NODE, NODE_NAME))
        assert node is not None
        sim.store.put({**node, "status": {"images": []}})
        assert await found(sim, answers_of()) == []
        (finding,) = await found(sim, answers_of(images={"postgresql": "other:1"}))
        assert finding.question == "images.postgresql"

    on(scenario)


async def rewritten(sim: SimCluster, section: str, key: str, value: Any) -> None:
    """One answer of the last revision, as another version of pgwizard may have written it."""
    live = sim.store.peek(record.secret_ref(ReleaseRef("default", "postgresql")))
    assert live is not None
    kept = record.read(live)
    assert kept.last is not None
    answers = {**kept.last.answers, section: {**kept.last.answers[section], key: value}}
    revision = record.Revision(1, kept.last.at, "deployed", kept.last.spec, answers)
    changed = record.Record(kept.ref, kept.inventory, (revision,), kept.salt)
    await sim.apply(changed.secret(), force=True)


def test_a_recorded_answer_that_is_no_longer_valid_does_not_hide_immutable_settings() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        await rewritten(sim, "schedule", "gone", "whatever")
        findings = await found(sim, answers_of(release={"database": "shop"}))
        assert [finding.question for finding in findings] == ["release.database"]

    on(scenario)


def test_an_unreadable_revision_is_warned_of_with_what_is_not_checked() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        await rewritten(sim, "release", "gone", "whatever")
        (finding,) = await found(sim, answers_of(release={"database": "shop"}))
        assert (finding.severity, finding.question) == ("warning", "release.name")
        assert finding.text.endswith("whether database and superuser stay the same is not checked")

    on(scenario)


def test_a_key_pair_that_may_not_be_read_in_its_namespace_is_not_checked_and_that_is_reported() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.rules.deny("get", "secrets", "shop")
        existing = {"from": "existing", "namespace": "shop", "secret": "s3-backup"}
        (finding,) = await found(sim, answers_of(repository={"credentials": existing}))
        assert (finding.severity, finding.question) == ("warning", "repository.credentials.secret")
        assert finding.text == "not checked: no permission to get Secret shop/s3-backup"

    on(scenario)
