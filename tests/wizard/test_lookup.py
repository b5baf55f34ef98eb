"""What the world says to answers while a person gives them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from pgwizard.answers.questions import Answers
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, FaultKind
from pgwizard.wizard.lookup import LookupStep, look_up
from support.faulting import answers_of, clock, deployed


def learnt(
    answers: Answers, *, faults: Sequence[Fault] = (), others: Sequence[Answers] = (), opened: Any = None
) -> list[LookupStep]:
    """All that is reported about these answers. others: releases that are there already."""

    async def main() -> list[LookupStep]:
        async with SimCluster(speed=50) as sim:
            for other in others:
                await deployed(sim, other)
            sim.faults = list(faults)
            return [step async for step in look_up(sim, answers, None, opened, at=clock(sim)())]

    return asyncio.run(main())


def texts(problems: Sequence[Any] | None) -> list[tuple[str, str]]:
    return [(problem.question, problem.text) for problem in problems or ()]


def test_errors_come_before_warnings() -> None:
    first, last = learnt(answers_of(credentials={"from": "existing", "secret": "not-there"}))
    assert first.warnings is None
    assert (first.bundle, first.errors) == (last.bundle, last.errors)
    assert first.bundle is not None
    assert [path for path, _ in texts(first.errors)] == ["credentials.secret"]
    assert last.warnings == ()


def test_a_certificate_that_would_fail_the_handshake_is_a_warning() -> None:
    tls = {"source": {"namespace": "staging", "secret": "minio-wrong-name", "key": "tls.crt"}}
    *_, last = learnt(answers_of(tls=tls))
    assert last.errors == ()
    ((path, message),) = texts(last.warnings)
    assert path == "tls.source"
    assert message.startswith("minio.minio.svc:9000 would be refused: ")
    assert message.endswith(": the first backup would fail")


def test_a_release_that_uses_the_same_path_is_a_warning() -> None:
    s3 = {"from": "existing", "namespace": "default", "secret": "postgresql-pgbackrest-s3"}
    other = answers_of(release={"namespace": "staging"}, repository={"credentials": s3})
    *_, last = learnt(answers_of(), others=[other])
    shared = "staging/postgresql backs up to backups/postgresql at minio.minio.svc:9000 as well"
    assert texts(last.warnings) == [("repository.path", f"{shared}: each database needs a path of its own")]


@pytest.mark.parametrize(("kind", "has_fix"), [("reset-before", False), ("401", True)])
def test_a_cluster_that_does_not_answer_is_no_problem_of_an_answer_and_is_retried(
    kind: FaultKind, has_fix: bool
) -> None:
    (only,) = learnt(answers_of(), faults=[Fault(kind, times=None)])
    assert (only.is_incomplete, only.bundle, only.warnings) == (True, None, ())
    (error,) = only.errors
    assert (error.question, bool(error.text), bool(error.fix)) == ("", True, has_fix)
