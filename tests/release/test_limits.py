"""What LimitRanges and quotas of a namespace have against the pods and the volume of a release."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pgwizard.kube.api import CONFIGMAP, Object
from pgwizard.release import limits
from pgwizard.release.limits import ClaimDemand, Demand, NamespaceLimits
from support.sized_pods import limit_range, manifests_of, quota

OBJECTS = manifests_of()


def lines_of(
    *items: Object,
    running: Object | None = None,
    schedule: Object | None = None,
    claim: ClaimDemand | None = None,
    count: int = 0,
    default_class: str | None = None,
    default_priority: str | None = None,
) -> list[str]:
    """Every finding in one line: severity, question, text and fix."""
    known = NamespaceLimits(
        [item for item in items if item["kind"] == "LimitRange"],
        [item for item in items if item["kind"] == "ResourceQuota"],
        default_class,
        default_priority,
    )
    demand = Demand(limits.pods(OBJECTS, running, schedule), claim, {CONFIGMAP: count})
    return [f"{item.severity} {item.whole}" for item in limits.findings(demand, known)]


CHANGE = ", or have the LimitRange changed."
RANGES: list[Any] = [
    pytest.param({"min": {"memory": "16Mi"}, "max": {"cpu": "2", "memory": "1Gi"}}, [], id="within"),
    pytest.param(
        {"min": {"memory": "64Mi"}},
        [
            (
                "error initContainer.memoryRequest: the memory request of container minio-ca-init of the database's "
                f"pod is 32Mi, and the LimitRange limits allows 64Mi or more"
                f"   Change initContainer.memoryRequest{CHANGE}"
            ),
            (
                "error jobs.memoryRequest: the memory request of container wait-for-revision of the pod of a backup "
                f"is 32Mi, and the LimitRange limits allows 64Mi or more   Change jobs.memoryRequest{CHANGE}"
            ),
        ],
        id="a minimum above the request of the small containers",
    ),
    pytest.param(
        {"max": {"memory": "512Mi"}},
        [
            f"error {question}: the memory {kind} of container postgresql of the database's pod is 1Gi, and the "
            f"LimitRange limits allows 512Mi at most   Change {question}{CHANGE}"
            for kind, question in (("request", "resources.memoryRequest"), ("limit", "tuning.memory"))
        ],
        id="a maximum below the memory",
    ),
    pytest.param(
        {"maxLimitRequestRatio": {"cpu": "8"}},
        [
            f"error {section}.cpuRequest: the CPU limit of container {name} is {times} times its request ({share}), "
            f"and the LimitRange limits allows 8 times   Change {section}.cpuRequest{CHANGE}"
            for section, name, times, share in (
                ("initContainer", "minio-ca-init of the database's pod", "20", "1 to 50m"),
                ("jobs", "wait-for-revision of the pod of a backup", "25", "500m to 20m"),
            )
        ],
        id="a ratio",
    ),
    pytest.param(
        {"maxLimitRequestRatio": {"ephemeral-storage": "2"}, "defaultRequest": {"ephemeral-storage": "1Gi"}},
        [
            f"error pods.ephemeralStorageLimit: container {name} has no ephemeral-storage limit, and the LimitRange "
            f"limits wants a limit of at most 2 times the request   Change pods.ephemeralStorageLimit{CHANGE}"
            for name in ("minio-ca-init of the database's pod", "wait-for-revision of the pod of a backup")
        ],
        id="a ratio without a limit",
    ),
    pytest.param(
        {"min": {"ephemeral-storage": "1Gi"}, "defaultRequest": {"ephemeral-storage": "2Gi"}},
        [],
        id="a default that the pods do not state",
    ),
    pytest.param(
        {"type": "Pod", "max": {"cpu": "1500m"}},
        [
            (
                "error resources.cpuLimit: the CPU limit of the database's pod is 2, and the LimitRange limits allows "
                f"1500m at most   Change resources.cpuLimit{CHANGE}"
            )
        ],
        id="a maximum of the whole pod",
    ),
]


@pytest.mark.parametrize(("item", "expected"), RANGES)
def test_a_size_outside_a_limit_range_is_named_with_its_question(item: dict[str, Any], expected: list[str]) -> None:
    assert lines_of(limit_range(**item)) == expected


def test_a_volume_outside_a_limit_range_or_a_quota_is_named() -> None:
    item = limit_range(type="PersistentVolumeClaim", min={"storage": "20Gi"})
    claim = ClaimDemand("10Gi", None)
    assert lines_of(item, claim=claim) == [
        (
            "error storage.size: the volume has 10Gi, and the LimitRange limits allows 20Gi or more   "
            "Choose a size within it, or have the LimitRange changed."
        )
    ]
    assert lines_of(item) == []
    of_class = "fast.storageclass.storage.k8s.io"
    small = quota({"requests.storage": "15Gi", f"{of_class}/persistentvolumeclaims": "0"}, {"requests.storage": "8Gi"})
    assert lines_of(small, claim=claim) == [
        (
            "error storage.size: the volume needs 10Gi, and the quota small has 7Gi of requests.storage left   "
            "Lower storage.size, or have the quota raised."
        )
    ]
    assert lines_of(small, claim=ClaimDemand("1Gi", None), default_class="fast") == [
        (
            f"error storage.storageClass: the release makes 1 of {of_class}/persistentvolumeclaims, and the quota "
            f"small has 0 of {of_class}/persistentvolumeclaims left   Have the quota raised."
        )
    ]


QUOTAS: list[Any] = [
    pytest.param({"requests.cpu": "1", "limits.memory": "2Gi", "pods": "2"}, {}, {}, [], id="room for all"),
    pytest.param(
        {"limits.memory": "1Gi"},
        {"limits.memory": "256Mi"},
        {},
        [
            (
                "error tuning.memory: the database's pod needs 1Gi, and the quota small has 768Mi of limits.memory left"
                "   Lower tuning.memory, or have the quota raised."
            )
        ],
        id="too little for the database",
    ),
    pytest.param(
        {"memory": "1Gi"},
        {},
        {},
        [
            (
                "error jobs.memoryRequest: the pod of a backup needs 32Mi, and the quota small has 0 of memory left   "
                "Lower jobs.memoryRequest, or have the quota raised."
            )
        ],
        id="too little for database and backup together",
    ),
    pytest.param(
        {"pods": "1"},
        {},
        {},
        [
            (
                "error release.namespace: the pod of a backup needs 1, and the quota small has 0 of pods left   "
                "Have the quota raised."
            )
        ],
        id="one pod",
    ),
    pytest.param({"pods": "0"}, {}, {"scopes": ["BestEffort"]}, [], id="best effort alone"),
    pytest.param({"pods": "0"}, {}, {"scopes": ["Terminating"]}, [], id="pods that end alone"),
    pytest.param(
        {"cpu": "100m"},
        {},
        {"scopes": ["NotTerminating", "NotBestEffort"]},
        [
            (
                "error resources.cpuRequest: the database's pod needs 250m, and the quota small has 100m of cpu left   "
                "Lower resources.cpuRequest, or have the quota raised."
            )
        ],
        id="two scopes that both hold",
    ),
]


@pytest.mark.parametrize(("hard", "used", "scopes", "expected"), QUOTAS)
def test_a_pod_that_a_quota_has_no_room_for_is_named_with_its_question(
    hard: dict[str, str], used: dict[str, str], scopes: dict[str, Any], expected: list[str]
) -> None:
    assert lines_of(quota(hard, used, **scopes)) == expected


@pytest.mark.parametrize(
    ("operator", "default", "applies"),
    [
        ("In", "high", True),
        ("In", "low", False),
        ("In", None, False),
        ("NotIn", None, True),
        ("Exists", None, False),
        ("Exists", "low", True),
        ("DoesNotExist", None, True),
    ],
)
def test_a_quota_of_a_priority_class_counts_what_the_cluster_gives_by_default(
    operator: str, default: str | None, applies: bool
) -> None:
    values = {"values": ["high"]} if operator in ("In", "NotIn") else {}
    scope = {"scopeName": "PriorityClass", "operator": operator, **values}
    item = quota({"pods": "0"}, {}, scopeSelector={"matchExpressions": [scope]})
    assert bool(lines_of(item, default_priority=default)) is applies


def test_what_the_running_pod_has_is_free_for_the_next_one() -> None:
    (statefulset,) = (obj for obj in OBJECTS if obj["kind"] == "StatefulSet")
    (schedule,) = (obj for obj in OBJECTS if obj["kind"] == "CronJob" and obj["metadata"]["name"].endswith("full"))
    pod = copy.deepcopy(statefulset["spec"]["template"])
    full = quota({"limits.memory": "1152Mi"}, {"limits.memory": "1Gi"})
    assert lines_of(full, running=pod, schedule=schedule) == []
    lowered = quota({"limits.memory": "512Mi"}, {"limits.memory": "1Gi"})
    assert lines_of(lowered, running=pod, schedule=schedule) == [
        (
            "warning tuning.memory: the database's pod needs 1Gi, and the quota small has 512Mi of limits.memory left: "
            "the next pod would be refused   Lower tuning.memory, or have the quota raised."
        )
    ]
    pod["spec"]["containers"][0]["resources"]["limits"]["memory"] = "512Mi"
    assert [line[:5] for line in lines_of(lowered, running=pod, schedule=schedule)] == ["error"]


def test_a_quota_that_does_not_count_the_running_pod_gives_nothing_of_it_back() -> None:
    (statefulset,) = (obj for obj in OBJECTS if obj["kind"] == "StatefulSet")
    running = copy.deepcopy(statefulset["spec"]["template"])
    running["spec"]["priorityClassName"] = "low"
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
    of_high = quota({"pods": "0"}, {}, scopeSelector={"matchExpressions": [scope]})
    assert [line[:5] for line in lines_of(of_high, running=running, default_priority="high")] == ["warni"]


def test_objects_beyond_a_count_are_named() -> None:
    assert lines_of(quota({"count/configmaps": "5"}, {"count/configmaps": "4"}), count=2) == [
        (
            "error release.namespace: the release makes 2 of count/configmaps, and the quota small has 1 of "
            "count/configmaps left   Have the quota raised."
        )
    ]
    assert lines_of(quota({"configmaps": "6"}, {"configmaps": "4"}), count=2) == []
