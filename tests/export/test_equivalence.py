"""Random answers give the same objects natively, by ``helm template`` of the one chart, and by kustomize.

PGWIZARD_EQUIVALENCE is the number of answers; ``make equivalence`` tries 10,000. Every fifth also goes through
kustomize.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pgwizard.answers.questions import Answers
from pgwizard.export.chart import LEFT_OUT, chart, values
from pgwizard.export.kustomize import SECRETS_TO_CREATE, kustomize
from pgwizard.plan import checks, manifests
from pgwizard.plan.plan import Facts, Plan
from support.headless import planned, trusted
from support.helm import HELM, KUBECTL, Objects, kustomized, objects, templated, write
from support.hostile_texts import texts

CASES = int(os.environ.get("PGWIZARD_EQUIVALENCE", "500"))
pytestmark = pytest.mark.skipif(HELM is None or KUBECTL is None, reason="helm or kubectl is not at hand")


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The default, most of the time: answers whose places all change at once are hardly ever valid."""
    return st.one_of(st.none(), st.none(), values)


_SIZES = st.sampled_from(["512Mi", "1Gi", "2Gi", "1.5Gi", "16Gi", "3G"])
_SECRET = {"from": "existing", "secret": "mine"}
_PLACES: dict[str, st.SearchStrategy[Any]] = {
    "release.name": st.sampled_from(["postgresql", "shop", "a-b"]),
    "release.namespace": st.sampled_from(["default", "shop"]),
    "release.createNamespace": st.booleans(),
    "release.database": st.sampled_from(["app", "my_app", "A-b"]),
    "images.postgresql": st.sampled_from(["db:1", "registry.example.com:5000/a/b:2"]),
    "images.pullPolicy": st.sampled_from(["Always", "Never"]),
    "images.pullSecrets": st.lists(st.sampled_from(["one", "two"]), max_size=2, unique=True),
    "credentials": st.sampled_from(
        [
            {"from": "generate", "username": "admin"},
            {**_SECRET, "usernameKey": "user", "passwordKey": "pass.word"},
            {"from": "env", "username": "DB_USER", "password": "DB_PASSWORD"},
        ]
    ),
    "storage.size": st.sampled_from(["20Gi", "100Gi", "1.5Ti"]),
    "storage.storageClass": st.sampled_from(["fast", "slow.ssd"]),
    "tuning.memory": _SIZES,
    "tuning.cpu": st.sampled_from(["500m", "1", "4", "8"]),
    "tuning.connections": st.integers(10, 400),
    "tuning.profile": st.sampled_from(["web", "oltp", "dw", "desktop"]),
    "tuning.archiveTimeoutSeconds": st.integers(0, 3600),
    "tuning.parameters": st.dictionaries(
        st.sampled_from(["log_line_prefix", "search_path", "cluster_name", "myext.text"]), texts, max_size=3
    ),
    "resources.cpuRequest": st.sampled_from(["100m", "0.5"]),
    "repository.enabled": st.booleans(),
    "repository.endpoint": st.sampled_from(["s3.example.com", "minio.s3.svc:9000", "https://s3.example.com:8443/"]),
    "repository.bucket": st.sampled_from(["abc", "my-bucket"]),
    "repository.region": st.sampled_from(["eu_1", "RegionOne", "us-east-1:placement"]),
    "repository.path": texts.map(lambda text: f"/{text}"),
    "repository.uriStyle": st.just("host"),
    "repository.credentials": st.sampled_from(
        [{**_SECRET, "namespace": "minio"}, _SECRET, {"from": "env", "accessKey": "S3_KEY", "secretKey": "S3_SECRET"}]
    ),
    "repository.cipher": st.sampled_from(
        [{**_SECRET, "passphraseKey": "key"}, {"from": "env", "passphrase": "PASSPHRASE"}]
    ),
    "tls.verify": st.booleans(),
    "tls.source": st.sampled_from([{"namespace": "s3", "secret": "ca", "key": "ca.crt"}]),
    "schedule.full": st.sampled_from(["0 3 * * 6", "*/30 1 1 * *", "@weekly"]),
    "schedule.timeZone": st.sampled_from(["Europe/Berlin", "Asia/Kolkata"]),
    "retention.full": st.one_of(st.integers(1, 9_999_999)),
    "retention.fullType": st.just("time"),
    "compression": st.one_of(
        st.integers(0, 9).map(lambda level: {"type": "gz", "level": level}),
        st.just({"type": "none"}),
        st.integers(-5, 12).map(lambda level: {"type": "lz4", "level": level}),
    ),
    "advanced.processMax": st.integers(1, 999),
    "advanced.bundle": st.booleans(),
    "advanced.archiveAsync": st.booleans(),
    "advanced.archivePushQueueMax": _SIZES,
    "advanced.logLevel": st.sampled_from(["off", "trace"]),
    "advanced.networkPolicy": st.booleans(),
    "advanced.options": st.dictionaries(st.sampled_from(["delta", "buffer-size", "db-timeout"]), texts, max_size=2),
    "pods.labels": st.dictionaries(st.sampled_from(["team", "cost"]), st.sampled_from(["", "x", "1"])),
    "pods.annotations": st.dictionaries(st.sampled_from(["note", "example.com/x"]), texts, max_size=2),
    "pods.nodeSelector": st.dictionaries(st.sampled_from(["disk", "kubernetes.io/arch"]), st.sampled_from(["", "1"])),
    "pods.tolerations": st.lists(st.sampled_from(["a", "a:NoExecute", "a=1:NoSchedule", "a=", "b/c=d"]), unique=True),
    "pods.priorityClass": st.just("high"),
    "pods.runtimeClass": st.just("gvisor"),
    "pods.serviceAccount": st.just("database"),
    "pods.ephemeralStorageRequest": st.sampled_from(["64Mi", "0.5Gi"]),
    "pods.ephemeralStorageLimit": st.sampled_from(["1Gi", "2G"]),
    "initContainer.cpuRequest": st.sampled_from(["10m", "1"]),
    "jobs.memoryLimit": st.sampled_from(["256Mi", "1Gi"]),
    "jobs.labels": st.dictionaries(st.sampled_from(["team", "example.com/a.b"]), st.sampled_from(["", "x", "1"])),
    "jobs.annotations": st.dictionaries(st.sampled_from(["note", "example.com/x"]), texts, max_size=2),
}


@st.composite
def random_answers(draw: st.DrawFn) -> Answers | None:
    """Valid answers; None where what was drawn is refused."""
    drawn: dict[str, Any] = {}
    for path, strategy in _PLACES.items():
        value = draw(_maybe(strategy))
        if value is not None:
            section, _, key = path.partition(".")
            drawn[section] = {**drawn.get(section, {}), key: value} if key else value
    while True:  # what is refused is left at its default: each round takes one answer away
        try:
            answers = Answers.model_validate(drawn)
            break
        except ValidationError as error:
            first, *others = map(str, error.errors()[0]["loc"][:2])
            _drop(drawn, first, others)
    errors = checks.check(answers, Facts(ca=trusted())).errors
    return None if errors else answers


def _drop(drawn: dict[str, Any], section: str, key: list[str]) -> None:
    if key and isinstance(drawn[section], dict) and key[0] in drawn[section]:
        del drawn[section][key[0]]
    else:
        del drawn[section]


def _native(plan: Plan, without: frozenset[str]) -> Objects:
    return objects(item.object for item in manifests.render(plan) if item.role not in without)


@pytest.fixture(scope="module")
def one_chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart of the default answers: all others are values for it."""
    return write(tmp_path_factory.mktemp("chart") / "postgresql", chart(planned(Answers())))


_numbers = iter(range(10**9))


@settings(
    max_examples=CASES,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
@given(answers=random_answers().filter(lambda answers: answers is not None))
def test_native_helm_and_kustomize_give_the_same_objects(
    answers: Answers, one_chart: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan, folder = planned(answers), tmp_path_factory.mktemp("case")
    assert templated(one_chart, plan, values(plan), folder) == _native(plan, LEFT_OUT)
    if next(_numbers) % 5 == 0:
        overlay = write(folder / "kustomize", kustomize(plan)) / "overlays" / "default"
        assert kustomized(overlay) == _native(plan, SECRETS_TO_CREATE)
