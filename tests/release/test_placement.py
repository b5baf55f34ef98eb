"""What ``pods`` names in the cluster, and the nodes that would take the pods."""

from __future__ import annotations

from typing import Any

import pytest

from pgwizard.answers.questions import Answers
from pgwizard.errors import Finding
from pgwizard.kube.api import Object
from pgwizard.release import placement
from pgwizard.simulator.cluster import SimCluster
from support.simtime import run

CLASS = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1}
DEDICATED = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
SPOT = {"key": "spot", "effect": "NoExecute"}
SOFT = {"key": "old", "effect": "PreferNoSchedule"}
EVERYTHING: dict[str, Any] = {"priorityClass": "high", "runtimeClass": "gvisor", "serviceAccount": "database"}


def answers_of(**pods: Any) -> Answers:
    return Answers.model_validate({"pods": pods})


def node(labels: dict[str, str] | None = None, *taints: dict[str, str]) -> Object:
    return {"metadata": {"name": "n", "labels": labels or {}}, "spec": {"taints": list(taints)}}


def missing(answers: Answers, *objects: Object, denied: str = "") -> list[str]:
    items: list[Finding] = []

    async def main() -> None:
        async with SimCluster(speed=50) as sim:
            for obj in objects:
                await sim.create(obj)
            if denied:
                sim.rules.deny("get", denied)
            items.extend(await placement.missing(sim, answers))

    run(main())
    return [f"{finding.severity} {finding.whole}" for finding in items]


def unplaceable(nodes: list[Object], answers: Answers) -> list[str]:
    return [f"{finding.severity} {finding.whole}" for finding in placement.unplaceable(nodes, answers.pods)]


def test_a_class_or_a_service_account_that_does_not_exist_is_an_error_at_its_question() -> None:
    assert missing(answers_of(**EVERYTHING), CLASS) == [
        (
            "error pods.runtimeClass: RuntimeClass gvisor does not exist: the API server would refuse the pods"
            "   Create it, or correct pods.runtimeClass."
        ),
        (
            "error pods.serviceAccount: ServiceAccount default/database does not exist: the API server would refuse "
            "the pods   Create it, or correct pods.serviceAccount."
        ),
    ]


def test_what_may_not_be_read_is_not_taken_for_missing() -> None:
    assert missing(answers_of(priorityClass="high"), denied="priorityclasses") == [
        "warning pods.priorityClass: not checked: no permission to get PriorityClass high"
    ]


@pytest.mark.parametrize(
    ("nodes", "pods", "expected"),
    [
        pytest.param([node({}, SOFT)], {}, [], id="a taint that only prefers others"),
        pytest.param([node({}, DEDICATED), node()], {}, [], id="one node is free"),
        pytest.param(
            [node({}, DEDICATED), node({}, SPOT)],
            {},
            [
                (
                    "warning pods.tolerations: every node that could run the pods has a taint that they do not "
                    "tolerate: dedicated=db:NoSchedule, spot:NoExecute   Name the taints in pods.tolerations, or "
                    "remove them from a node."
                )
            ],
            id="every node is tainted",
        ),
        pytest.param([node({}, DEDICATED)], {"tolerations": ["dedicated=db:NoSchedule"]}, [], id="the same"),
        pytest.param([node({}, DEDICATED)], {"tolerations": ["dedicated:NoSchedule"]}, [], id="any value"),
        pytest.param([node({}, DEDICATED)], {"tolerations": ["dedicated"]}, [], id="any value and effect"),
        pytest.param([node({}, SPOT)], {"tolerations": ["spot="]}, [], id="an empty value"),
        pytest.param(
            [node({}, DEDICATED)],
            {"tolerations": ["dedicated=other:NoSchedule", "dedicated:NoExecute"]},
            [
                (
                    "warning pods.tolerations: every node that could run the pods has a taint that they do not "
                    "tolerate: dedicated=db:NoSchedule   Name the taints in pods.tolerations, or remove them from a "
                    "node."
                )
            ],
            id="another value and another effect",
        ),
        pytest.param(
            [node({"disk": "ssd"}), node()], {"nodeSelector": {"disk": "ssd"}}, [], id="a node with the label"
        ),
        pytest.param(
            [node({"disk": "hdd"}), node()],
            {"nodeSelector": {"disk": "ssd", "zone": "a"}},
            [
                (
                    "warning pods.nodeSelector: no node has the labels disk=ssd, zone=a: the pods would wait for one"
                    "   Correct pods.nodeSelector, or label a node."
                )
            ],
            id="no node with the label",
        ),
    ],
)
def test_pods_that_no_node_takes_are_warned_of(nodes: list[Object], pods: dict[str, Any], expected: list[str]) -> None:
    assert unplaceable(nodes, answers_of(**pods)) == expected
