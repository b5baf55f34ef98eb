"""Random answers give the same objects natively, by ``helm template`` of the one chart, by kustomize and as plain YAML.

PGWIZARD_EQUIVALENCE is the number of answers; ``make equivalence`` tries 10,000, continuous integration 500. Every
fifth also goes through kustomize, and there Go parses what Helm wrote and the plain files, as helm and kubectl would.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pgwizard.answers.questions import Answers
from pgwizard.export.chart import LEFT_OUT, chart, values
from pgwizard.export.folder import export_folder
from pgwizard.export.kustomize import kustomize
from pgwizard.plan import manifests
from pgwizard.plan.plan import Plan
from support.headless import planned
from support.helm import (
    HELM,
    KUBECTL,
    Objects,
    documents,
    kustomized,
    objects,
    parsed_by_go,
    separated,
    templated,
    without_test,
    write,
)
from support.random_answers import random_answers

CASES = int(os.environ.get("PGWIZARD_EQUIVALENCE") or (500 if os.environ.get("PGWIZARD_TEST_LONG") else 200))
pytestmark = pytest.mark.skipif(HELM is None or KUBECTL is None, reason="helm or kubectl is not at hand")


def _native(plan: Plan, without: frozenset[str]) -> Objects:
    return objects(item.object for item in manifests.render(plan) if item.role not in without)


@pytest.fixture(scope="module")
def one_chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart of the default answers: all others are values for it."""
    return write(tmp_path_factory.mktemp("chart") / "postgresql", chart(planned(Answers())))


_numbers = iter(range(10**9))


@pytest.mark.parametrize("half", [1, 2])  # a process for each
@settings(
    max_examples=CASES // 2,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
@given(answers=random_answers().filter(lambda answers: answers is not None))
def test_native_helm_kustomize_and_plain_files_give_the_same_objects(
    answers: Answers, one_chart: Path, tmp_path_factory: pytest.TempPathFactory, half: int
) -> None:
    plan, folder = planned(answers), tmp_path_factory.mktemp("case")
    manifests_of_helm = templated(one_chart, plan, values(plan), folder)
    assert without_test(objects(documents(manifests_of_helm))) == _native(plan, LEFT_OUT)
    if next(_numbers) % 5 == 0:
        without_secrets = _native(plan, manifests.SECRETS_TO_CREATE)
        overlay = write(folder / "kustomize", kustomize(plan)) / "overlays" / "default"
        assert kustomized(overlay) == without_secrets
        of_helm, plain = separated(manifests_of_helm), list(export_folder(plan, "yaml").texts.values())
        parsed = parsed_by_go([*of_helm, *plain], folder / "parser")
        assert without_test(objects(parsed[: len(of_helm)])) == _native(plan, LEFT_OUT)
        assert objects(parsed[len(of_helm) :]) == without_secrets


def test_what_go_writes_without_quotes_is_read_as_go_reads_it() -> None:
    assert [*documents("note: <<\nother: =\n")] == [{"note": "<<", "other": "="}]
