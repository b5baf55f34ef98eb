"""The server that pgBackRest connects to, by every answer that changes it."""

from __future__ import annotations

from typing import Any

import pytest

from pgwizard.answers.questions import Answers
from pgwizard.errors import Finding
from pgwizard.plan.server import s3_server, server_findings


def answers(repository: dict[str, Any], **options: str) -> Answers:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return Answers.model_validate({"repository": repository, "advanced": {"options": named}})


ENDPOINT = {"endpoint": "minio.minio.svc:9000"}


@pytest.mark.parametrize(
    ("repository", "options", "server"),
    [
        (ENDPOINT, {}, "minio.minio.svc:9000"),
        ({"endpoint": "s3.example.com"}, {}, "s3.example.com"),
        ({**ENDPOINT, "uriStyle": "host", "bucket": "backups"}, {}, "backups.minio.minio.svc:9000"),
        (ENDPOINT, {"repo1_storage_host": "proxy.example.com"}, "proxy.example.com"),
        (ENDPOINT, {"repo1_storage_host": "proxy.example.com:8443"}, "proxy.example.com:8443"),
        (ENDPOINT, {"repo_storage_host": "https://proxy.example.com/"}, "proxy.example.com"),
        ({**ENDPOINT, "uriStyle": "host"}, {"repo1_storage_host": "[2001:db8::1]"}, "[2001:db8::1]"),
        (ENDPOINT, {"repo1_storage_host": "http://proxy.example.com"}, "http://proxy.example.com"),
        ({"endpoint": "http://minio.minio.svc:9000"}, {}, "http://minio.minio.svc:9000"),
        ({"endpoint": "http://minio.minio.svc:9000"}, {"repo1_storage_host": "proxy.example.com"}, "proxy.example.com"),
        ({"endpoint": "http://minio.minio.svc"}, {"repo1_storage_port": "7070"}, "http://minio.minio.svc:7070"),
        (ENDPOINT, {"repo1_storage_port": "7070"}, "minio.minio.svc:7070"),
        (ENDPOINT, {"repo1_storage_host": "proxy.example.com:8443", "repo1_storage_port": "7070"},
         "proxy.example.com:7070"),
        (ENDPOINT, {"repo1_s3_host": "proxy.example.com", "repo1_s3_port": "7070"}, "proxy.example.com:7070"),
    ],
)  # fmt: skip
def test_every_answer_that_changes_the_server_changes_it(
    repository: dict[str, Any], options: dict[str, str], server: str
) -> None:
    given = answers(repository, **options)
    assert (str(s3_server(given)), list(server_findings(given))) == (server, [])


LONG = 70 * "a"


@pytest.mark.parametrize(
    ("repository", "options", "question", "host"),
    [
        ({"endpoint": f"{LONG}.minio.svc"}, {}, "repository.endpoint", f"{LONG}.minio.svc"),
        ({"endpoint": f"{LONG}.a.b"}, {"repo1_storage_port": "7070"}, "repository.endpoint", f"{LONG}.a.b"),
        ({**ENDPOINT, "uriStyle": "host", "bucket": LONG}, {}, "repository.bucket", f"{LONG}.minio.mi…"),
        ({**ENDPOINT, "uriStyle": "host", "bucket": "my..bucket"}, {}, "repository.bucket",
         "my..bucket.minio.minio.svc"),
        (ENDPOINT, {"repo1_storage_host": "a..b"}, "advanced.options.repo1-storage-host", "a..b"),
    ],
)  # fmt: skip
def test_a_host_that_dns_cannot_hold_is_reported_where_it_is_written(
    repository: dict[str, Any], options: dict[str, str], question: str, host: str
) -> None:
    why = f"{host} cannot be a host name: expected 1 to 63 characters between two dots"
    assert list(server_findings(answers(repository, **options))) == [Finding(question, why)]


def test_an_option_that_is_no_host_or_no_port_is_reported_and_changes_nothing() -> None:
    given = answers(ENDPOINT, repo1_storage_host="a b", repo1_storage_port="70000")
    assert str(s3_server(given)) == "minio.minio.svc:9000"
    assert list(server_findings(given)) == [
        Finding("advanced.options.repo1-storage-host", "a b is not an endpoint: expected host:port"),
        Finding("advanced.options.repo1-storage-port", "70000 is not a port; expected 1 to 65535"),
    ]
