"""The plan: names, secrets, options and numbers, decided."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pgwizard.answers.questions import Answers
from pgwizard.plan.manifests import repository_options
from pgwizard.plan.names import Names
from pgwizard.plan.plan import KeyRef, parameters
from support.headless import answers_of, planned, trusted


def _options(**sections: Any) -> dict[str, str]:
    return {pair.name: pair.value for pair in repository_options(planned(answers_of(**sections)))}


def test_the_names_of_the_release_postgresql_are_the_seeds() -> None:
    assert Names.of("postgresql") == Names(
        release="postgresql",
        pod="postgresql-0",
        config="postgresql-config",
        pgbackrest_config="postgresql-pgbackrest-config",
        credentials="postgresql",
        s3="postgresql-pgbackrest-s3",
        cipher="postgresql-pgbackrest-cipher",
        ca="postgresql-minio-ca",
        backup="postgresql-pgbackrest",
        full="postgresql-pgbackrest-full",
        incremental="postgresql-pgbackrest-incr",
        verify="postgresql-backup-verify",
        drill="postgresql-backup-drill",
        init="postgresql-pgbackrest-init",
        client="postgresql-client",
    )


def test_the_longest_release_still_fits_a_cron_job() -> None:
    names = Names.of("a" * 36)
    assert max(len(names.full), len(names.incremental), len(names.verify)) == 52
    assert max(len(getattr(names, name)) for name in Names.__slots__) <= 63
    with pytest.raises(ValueError, match="at most 36"):
        answers_of(release={"name": "a" * 37})


def test_the_default_options_are_those_of_the_design() -> None:
    assert _options() == {
        "repo1-type": "s3",
        "repo1-path": "/postgresql",
        "repo1-s3-bucket": "backups",
        "repo1-s3-endpoint": "minio.minio.svc:9000",
        "repo1-s3-region": "us-east-1",
        "repo1-s3-uri-style": "path",
        "repo1-storage-verify-tls": "y",
        "repo1-storage-ca-file": "/etc/ssl/certs/minio-ca.crt",
        "repo1-bundle": "y",
        "repo1-retention-full-type": "count",
        "repo1-retention-full": "2",
        "compress-type": "gz",
        "compress-level": "6",
        "process-max": "2",
        "start-fast": "y",
        "log-level-console": "info",
        "log-level-file": "warn",
        "log-path": "/var/log/pgbackrest",
    }


def test_without_a_repository_there_are_no_options_and_no_archive() -> None:
    off = answers_of(repository={"enabled": False})
    assert repository_options(planned(off)) == []
    values = {item.name: item.value for item in parameters(off)}
    assert values["archive_mode"] == "off"
    assert "archive_command" not in values


def test_the_default_parameters_begin_with_the_seeds() -> None:
    values = {item.name: item.value for item in parameters(Answers())}
    expected = {
        "listen_addresses": "*",
        "archive_mode": "on",
        "archive_command": "pgbackrest --stanza=main archive-push %p",
        "archive_timeout": "60s",
        "wal_level": "replica",
        "max_connections": "100",
        "shared_buffers": "256MB",
    }
    assert dict(list(values.items())[:7]) == expected


def test_an_override_replaces_the_computed_parameter() -> None:
    changed = parameters(answers_of(tuning={"parameters": {"work_mem": "7MB", "log_statement": "all"}}))
    names = [item.name for item in parameters(Answers())]
    assert [item.name for item in changed] == [*names, "log_statement"]
    assert {item.name: (item.value, item.reason) for item in changed}["work_mem"] == ("7MB", "as asked")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"compression": {"type": "none"}}, {"compress-type": "none", "compress-level": None}),
        ({"retention": {"full": None}}, {"repo1-retention-full": None, "repo1-retention-full-type": None}),
        ({"tls": {"verify": False}}, {"repo1-storage-verify-tls": "n", "repo1-storage-ca-file": None}),
        ({"tls": {"source": None}}, {"repo1-storage-verify-tls": "y", "repo1-storage-ca-file": None}),
        ({"repository": {"endpoint": "https://a:1/"}}, {"repo1-s3-endpoint": "a:1"}),
        ({"repository": {"endpoint": "http://a"}}, {"repo1-s3-endpoint": "http://a"}),
        ({"tuning": {"cpu": "500m"}}, {"process-max": "1"}),
        ({"advanced": {"processMax": 5}}, {"process-max": "5"}),
        ({"advanced": {"archivePushQueueMax": "1Gi"}}, {"archive-push-queue-max": "1073741824"}),
        ({"advanced": {"options": {"repo-hardlink": "y"}}}, {"repo1-hardlink": "y"}),
        (
            {"advanced": {"archiveAsync": True}},
            {"archive-async": "y", "spool-path": "/var/lib/postgresql/data/pgbackrest-spool", "archive-timeout": "120"},
        ),
    ],
)
def test_an_answer_becomes_options(changes: dict[str, Any], expected: dict[str, str | None]) -> None:
    result = _options(**changes)
    assert {name: result.get(name) for name in expected} == expected


def test_no_option_is_written_twice() -> None:
    """pgBackRest refuses a duplicate."""
    everything = answers_of(
        advanced={"archiveAsync": True, "block": True, "archivePushQueueMax": "1Gi", "options": {"delta": "y"}},
        repository={"cipher": {"from": "env", "passphrase": "P"}},
    )
    names = [pair.name for pair in repository_options(planned(everything))]
    assert len(names) == len(set(names))


def test_generated_credentials_are_in_the_releases_own_secret() -> None:
    plan = planned(answers_of(credentials={"from": "generate", "username": "root"}))
    assert (plan.username, plan.password) == (KeyRef("postgresql", "username"), KeyRef("postgresql", "password"))
    assert plan.credentials_source == "generated once, for root"


def test_existing_secrets_are_referenced_and_never_created() -> None:
    plan = planned(
        answers_of(
            credentials={"from": "existing", "secret": "mine", "usernameKey": "u", "passwordKey": "p"},
            repository={"cipher": {"from": "existing", "secret": "phrase"}},
        )
    )
    assert (plan.username, plan.password) == (KeyRef("mine", "u"), KeyRef("mine", "p"))
    assert plan.cipher_pass == KeyRef("phrase", "passphrase")
    assert (plan.credentials_source, plan.s3_source, plan.cipher_source) == (None, None, None)


@pytest.mark.parametrize(("namespace", "mirrored"), [(None, False), ("default", False), ("minio", True)])
def test_a_key_pair_of_another_namespace_is_mirrored(namespace: str | None, mirrored: bool) -> None:
    credentials = {
        "from": "existing",
        "secret": "root",
        "namespace": namespace,
        "accessKeyKey": "a",
        "secretKeyKey": "s",
    }
    plan = planned(answers_of(repository={"credentials": credentials}))
    assert plan.s3_key == (KeyRef("postgresql-pgbackrest-s3", "accessKey") if mirrored else KeyRef("root", "a"))
    assert plan.s3_source == ("Secret minio/root, keys a and s" if mirrored else None)


def test_the_group_follows_the_certificate() -> None:
    assert planned(Answers()).fs_group == 1001
    assert planned(answers_of(tls={"verify": False})).fs_group == 999


def test_the_certificate_is_the_one_that_was_read() -> None:
    certificate = planned(Answers()).ca_certificate
    assert certificate is not None
    assert base64.b64decode(certificate).decode() == trusted().pem
    assert planned(answers_of(tls={"verify": False})).ca_certificate is None


@pytest.mark.parametrize(
    ("cron", "seconds"), [("0 2 * * 0", 86_400), ("0 * * * *", 3240), ("* * * * *", 600), ("0 */6 * * *", 19_440)]
)
def test_a_backup_may_take_nine_tenths_of_the_time_to_its_next_start(cron: str, seconds: int) -> None:
    plan = planned(answers_of(schedule={"full": cron, "incremental": cron}))
    assert (plan.full_deadline_seconds, plan.incremental_deadline_seconds) == (seconds, seconds)


def test_shared_memory_is_a_quarter_of_memory_and_64_mi_at_least() -> None:
    assert planned(answers_of(tuning={"memory": "4Gi"})).shm_size == str(1024**3)
    assert planned(answers_of(tuning={"memory": "128Mi"})).shm_size == str(64 * 1024**2)


def test_a_schedule_that_cannot_be_read_hides_nothing_else_of_the_plan() -> None:
    """The wizard shows pgbackrest.conf beside the page while a schedule is being typed."""
    plan = planned(answers_of(schedule={"full": "*/5"}))
    assert (plan.full_deadline_seconds, plan.incremental_deadline_seconds) == (86_400, 77_760)
