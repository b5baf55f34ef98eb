"""The questions: defaults that are the seed's, and what each kind of text takes."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from pgwizard.answers import questions
from pgwizard.answers.questions import Answers
from support.headless import answers_of

DEFAULTS = {
    "release": {"name": "postgresql", "namespace": "default", "createNamespace": False, "database": "myapp"},
    "credentials": {"from": "generate", "username": "postgres"},
    "storage": {"size": "10Gi", "storageClass": None, "dataChecksums": True},
    "tuning": {
        "profile": "mixed",
        "memory": "1Gi",
        "cpu": "2",
        "connections": 100,
        "disk": "ssd",
        "dataSize": "unknown",
        "archiveTimeoutSeconds": 60,
        "parameters": {},
    },
    "resources": {"memoryRequest": None, "cpuRequest": "250m", "cpuLimit": None},
    "repository": {
        "enabled": True,
        "endpoint": "minio.minio.svc:9000",
        "bucket": "backups",
        "region": "us-east-1",
        "path": "/postgresql",
        "uriStyle": "path",
        "credentials": {
            "from": "existing",
            "secret": "postgresql-pgbackrest-s3",
            "namespace": None,
            "accessKeyKey": "accessKey",
            "secretKeyKey": "secretKey",
        },
        "cipher": None,
    },
    "tls": {"verify": True, "source": {"namespace": "minio", "secret": "minio-tls", "key": "tls.crt"}, "caFile": None},
    "schedule": {
        "full": "0 2 * * 0",
        "incremental": "0 2 * * 1-6",
        "verify": "0 5 1 * *",
        "drill": None,
        "timeZone": "Etc/UTC",
    },
    "retention": {"full": 2, "fullType": "count"},
    "compression": {"type": "gz", "level": 6},
    "images": {
        "postgresql": "aryan-laptophp/postgres-pgbackrest:15.0",
        "postgresqlVersion": 15,
        "pgbackrestVersion": "2.45",
        "kubectl": "registry.k8s.io/kubectl:v1.34.4",
        "pullPolicy": "IfNotPresent",
        "pullSecrets": [],
    },
    "advanced": {
        "processMax": None,
        "bundle": True,
        "block": False,
        "archiveAsync": False,
        "archivePushQueueMax": None,
        "logLevel": "info",
        "networkPolicy": False,
        "prometheusRule": False,
        "options": {},
    },
    "pods": {
        "labels": {},
        "annotations": {},
        "nodeSelector": {},
        "tolerations": [],
        "priorityClass": None,
        "runtimeClass": None,
        "serviceAccount": None,
        "ephemeralStorageRequest": None,
        "ephemeralStorageLimit": None,
    },
    "initContainer": {"cpuRequest": "50m", "cpuLimit": "1", "memoryRequest": "32Mi", "memoryLimit": "64Mi"},
    "jobs": {
        "cpuRequest": "20m",
        "cpuLimit": "500m",
        "memoryRequest": "32Mi",
        "memoryLimit": "128Mi",
        "labels": {},
        "annotations": {},
    },
}


def test_no_answer_at_all_gives_the_chart_of_the_seed() -> None:
    assert Answers().model_dump(by_alias=True) == DEFAULTS


def test_answers_are_checked_when_they_are_assigned_too() -> None:
    release = Answers().release
    with pytest.raises(ValidationError):
        release.name = "Not A Name"
    assert release.name == "postgresql"


def test_numbers_and_booleans_are_text_where_a_configuration_file_has_text() -> None:
    result = answers_of(
        tuning={"cpu": 0.5, "parameters": {"jit": True, "work_mem": 7, "seq_page_cost": 1.25}},
        advanced={"options": {"delta": False, "db-timeout": 60}},
    )
    assert result.tuning.cpu == "0.5"
    assert result.tuning.parameters == {"jit": "on", "work_mem": "7", "seq_page_cost": "1.25"}
    assert result.advanced.options == {"delta": "n", "db-timeout": "60"}
    assert answers_of(jobs={"labels": {"inject": False}, "annotations": {"port": 15020}}).jobs.model_dump(
        include={"labels", "annotations"}
    ) == {"labels": {"inject": "false"}, "annotations": {"port": "15020"}}


KINDS: dict[str, tuple[Any, list[str], list[str]]] = {
    "namespace": (questions.Namespace, ["a", "shop-1"], ["", "-a", "a-", "A", "a.b", "a" * 64, "a\n", "a_b", "ä"]),
    "object name": (questions.ObjectName, ["a", "a.b-c", "a" * 253], ["", ".a", "a..b", "a" * 254, "A", "a/b"]),
    "key": (questions.SecretKey, ["tls.crt", "_A-b", "...", "a" * 253], ["", ".", "..", "a/b", "a b", "a" * 254]),
    "metadata key": (
        questions.MetadataKey,
        ["inject", "sidecar.istio.io/inject", "a" * 63, "app.kubernetes.io/part-of"],
        ["", "/a", "a/", "a" * 64, "A.b/c", "a b", "app.kubernetes.io/instance", "pgwizard/spec", "job-name"],
    ),
    "label": (questions.LabelValue, ["", "false", "a.B_1", "a" * 63], ["-a", "a b", "a" * 64, "a\n"]),
    "annotation": (questions.AnnotationValue, ["", "a b", '{"a": 1}'], ["a\n", "\x1b", " a"]),
    "identifier": (
        questions.Identifier,
        ["myapp", "My_App-2", "_x"],
        ["", "1a", "pg_x", "a b", "a;b", 'a"b', "a" * 64],
    ),
    "variable": (questions.Variable, ["DB_PASSWORD", "_X"], ["", "hunter2", "1A", "A-B", "A B", "$A", "A=1"]),
    "parameter": (questions.ParameterName, ["work_mem", "a.b_c"], ["", "Work_mem", "a.b.c", "1a", "a b", "a=1", "a-b"]),
    "option": (questions.OptionName, ["delta", "repo1-path"], ["", "Delta", "a_b", "a--b", "-a", "a=b", "[main]"]),
    "endpoint": (
        questions.EndpointText,
        [
            *("minio.minio.svc:9000", "https://s3.example.com/", "http://a", "[::1]:9000", "10.0.0.1:1"),
            *("S3.Example.com.", "minio.123"),
        ],
        [
            *("", "a b", "ftp://a", "a:b", "https://a/b", "user:pass@a", "a:123456", "a..b", "-a", "a?b"),
            *("10.0.0.300:9000", "0x7f.1", "1.2.3", "010.0.0.1", "2130706433", "1.2.3.4.5", "10.0.0.1."),
        ],
    ),
    "bucket": (questions.Bucket, ["abc", "a.b-c", "ABC", "a_b"], ["ab", "-abc", "abc-", "a b", "a/b", "a" * 256]),
    "region": (
        questions.Region,
        ["us-east-1", "RegionOne", "GRA", "eu_1", ":placement", "default:ssd", "a" * 128],
        ["", "us east", "a/b", "a,b", "é", "a\n", "a" * 129],
    ),
    "path": (
        questions.RepositoryPath,
        ["/", "/a/b c", "/..a", "/ü"],
        ["", "a", "//", "/a/", "/a//b", "/../a", "/a/..", "/."],
    ),
    "image": (
        questions.Image,
        ["postgres", "postgres:15", "r.io:5000/a/b-c__d:V1", "a@sha256:" + "0" * 64, "R.io/a", "10.0.0.1:1/a", "1/a"],
        [
            *("", "a b", "Postgres", "a:", "a//b", "a::b", "/a", "a/", "a@sha256:0", "a:" + "x" * 129, "-a", "a..b"),
            *("10.0.0.300:5000/a", "1.2.3/a", "010.0.0.1/a", "12345:5000/a"),
        ],
    ),
    "version": (questions.PgBackRestVersion, ["2.45", "2.52.1"], ["2", "2.", "v2.45", "2.45.1.1", "9" * 5000 + ".1"]),
    "text": (
        questions.Text,
        ["a", "ü 🎉 'x'"],
        ["", " a", "a ", "a\nb", "a\u2028b", "a\u202eb", "a\x00", "\ud800", "a\u200bb"],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_text_accepts_its_form_and_nothing_else(kind: str) -> None:
    annotation, good, bad = KINDS[kind]
    adapter: TypeAdapter[str] = TypeAdapter(annotation)

    def taken(text: str) -> bool:
        try:
            return adapter.validate_python(text) == text
        except ValidationError:
            return False

    assert [text for text in good if not taken(text)] == []
    assert [text for text in bad if taken(text)] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["a", "a-", "a.", "/a", "a:", "1", "..", "a_", "a@", "-", "1.", "a/a:"])
def test_no_kind_of_text_takes_long_to_refuse(kind: str, part: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(KINDS[kind][0])
    begin = time.process_time()
    for length in (60, 250, 500, 1000, 200_000):
        with pytest.raises(ValidationError):
            adapter.validate_python((part * length)[:length] + "!\x00")
    assert time.process_time() - begin < 60  # a hundredth of a second; backtracking takes years


def test_a_secret_value_in_place_of_a_variable_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        answers_of(credentials={"from": "env", "username": "U", "password": "hunter2!"})
    (problem,) = caught.value.errors()
    assert "hunter2" not in problem["msg"]


def test_a_port_of_the_endpoint_that_is_out_of_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="70000 is not a port; expected 1 to 65535"):
        answers_of(repository={"endpoint": "a:70000"})


def test_a_tab_between_the_fields_of_a_schedule_is_named() -> None:
    with pytest.raises(ValidationError, match="contains a tab at position 2: write a blank in its place"):
        answers_of(schedule={"full": "0\t2 * * 0"})


def test_credentials_in_a_url_are_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        answers_of(repository={"endpoint": "https://key:hunter2@s3.example.com"})
    (problem,) = caught.value.errors()
    assert "hunter2" not in problem["msg"]
    assert "//***@s3.example.com" in problem["msg"]


def test_a_certificate_is_mirrored_only_where_one_is_trusted() -> None:
    assert Answers().has_tls_mirror()
    assert answers_of(tls={"source": None, "caFile": "ca.crt"}).has_tls_mirror()
    assert not answers_of(tls={"source": None}).has_tls_mirror()
    assert not answers_of(tls={"verify": False}).has_tls_mirror()
    assert not answers_of(repository={"enabled": False}).has_tls_mirror()


@pytest.mark.parametrize(("typed", "path"), [("/pg/", "/pg"), ("/a/b//", "/a/b"), ("//", "/")])
def test_a_path_with_a_slash_at_its_end_is_refused_with_the_one_to_write(typed: str, path: str) -> None:
    with pytest.raises(ValidationError, match=f"ends with a slash: write {path}$|ends with a slash: write {path} "):
        TypeAdapter(questions.RepositoryPath).validate_python(typed)
