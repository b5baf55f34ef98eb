"""Random valid answers, of every question and with hostile texts."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from pgwizard.answers.questions import Answers
from pgwizard.plan import checks
from pgwizard.plan.plan import Facts
from support.headless import trusted
from support.hostile_texts import texts


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
    "tuning.disk": st.sampled_from(["nvme", "hdd", "san"]),
    "tuning.dataSize": st.sampled_from(["fits-in-memory", "exceeds-memory"]),
    "tuning.profile": st.sampled_from(["web", "oltp", "dw", "desktop"]),
    "tuning.archiveTimeoutSeconds": st.integers(0, 3600),
    "tuning.parameters": st.dictionaries(
        st.sampled_from(["log_line_prefix", "search_path", "cluster_name", "myext.text"]), texts, max_size=3
    ),
    "resources.cpuLimit": st.sampled_from(["500m", "3", "16"]),
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
    "schedule.verify": st.sampled_from([None, "0 5 1 * *"]),
    "schedule.drill": st.sampled_from([None, "0 6 2 * *"]),
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
    "advanced.prometheusRule": st.booleans(),
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
