"""Rules across answers: what stops, what is worth a second look, and nothing where all is well."""

from __future__ import annotations

from typing import Any

import pytest

from pgwizard.answers.questions import Answers
from pgwizard.plan import checks, pgbackrest
from pgwizard.plan.plan import Facts
from support.headless import answers_of, trusted


def _messages(**sections: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Errors and warnings: message by path."""
    result = checks.check(answers_of(**sections), Facts(ca=trusted()))
    return {item.question: item.text for item in result.errors}, {item.question: item.text for item in result.warnings}


def images(version: int) -> dict[str, Any]:
    """The versions of an image with that PostgreSQL."""
    return {"postgresqlVersion": version, "pgbackrestVersion": {15: "2.45", 17: "2.55", 18: "2.60"}[version]}


def test_the_defaults_have_no_error_and_no_warning() -> None:
    assert checks.check(Answers(), Facts(ca=trusted())) == checks.Findings((), ())


def test_the_source_secret_cannot_be_looked_up_offline() -> None:
    (problem,) = checks.check(Answers(), Facts()).errors
    assert problem.question == "tls.source"
    assert r"kubectl -n minio get secret minio-tls -o jsonpath='{.data.tls\.crt}' | base64 -d" in problem.text


@pytest.mark.parametrize(
    "sections", [{"tls": {"source": None}}, {"tls": {"verify": False}}, {"repository": {"enabled": False}}]
)
def test_no_certificate_is_required_if_none_is_mirrored(sections: dict[str, Any]) -> None:
    assert checks.check(answers_of(**sections), Facts()).errors == ()


def test_a_certificate_file_that_nobody_read_is_an_error() -> None:
    (problem,) = checks.check(answers_of(tls={"source": None, "caFile": "ca.crt"}), Facts()).errors
    assert (problem.question, problem.text) == ("tls.caFile", "ca.crt was not read")


ERRORS: list[tuple[dict[str, Any], str, str]] = [
    *(
        (
            {"tuning": {"parameters": {name: value}}, "images": images(version)},
            f"tuning.parameters.{name}",
            message,
        )
        for version, name, value, message in [
            (15, "client_encoding", "cp1252", "'cp1252' is not an encoding of PostgreSQL; expected such as UTF8"),
            (
                15,
                "db_user_namespace",
                "on",
                "'on' lets nobody log in: every name would need its database after an @",
            ),
            (15, "transaction_timeout", "5min", "is not a parameter of PostgreSQL 15, only of 17, 18"),
            (18, "old_snapshot_threshold", "1h", "is not a parameter of PostgreSQL 18, only of 15"),
            (15, "wal_keep_segments", "32", "is not a parameter of PostgreSQL 15: use wal_keep_size"),
            (18, "ssl_ecdh_curve", "prime256v1", "is not a parameter of PostgreSQL 18: use ssl_groups"),
            (
                17,
                "vacuum_buffer_usage_limit",
                "64kB",
                "64kB is less than PostgreSQL accepts; expected 0, or 128kB or more",
            ),
        ]
    ),
    (
        {"tuning": {"parameters": {"max_worker_processes": "262143"}, "memory": "16Ti"}, "storage": {"size": "9Ti"}},
        "tuning.parameters.max_worker_processes",
        (
            "the sum of max_connections, autovacuum_max_workers, max_worker_processes, max_wal_senders is 262,256: "
            "the server would not start; expected 262,141 at most"
        ),
    ),
    (
        {"tuning": {"parameters": {"wal_buffers": "1GB", "work_mem": "64kB", "max_wal_senders": "20"}}},
        "tuning.parameters.wal_buffers",
        ("PostgreSQL would ask for 1.26Gi of shared memory, above the limit of 1Gi: lower it, or raise tuning.memory"),
    ),
    (
        {"repository": {"endpoint": "[fd00::1]:9000", "uriStyle": "host"}},
        "repository.uriStyle",
        "host puts the bucket before fd00::1: use path",
    ),
    (
        {"storage": {"size": "100Mi"}},
        "storage.size",
        "100Mi is too small for PostgreSQL; expected 256Mi or more, such as 10Gi",
    ),
    (
        {"storage": {"size": "4Gi"}},
        "storage.size",
        "max_wal_size is 4GB, and WAL alone would fill 4Gi: raise storage.size or set tuning.parameters.max_wal_size",
    ),
    ({"tuning": {"memory": "64Mi"}}, "tuning.memory", "64Mi is too little for PostgreSQL; expected 128Mi or more"),
    ({"tuning": {"memory": "17Ti"}}, "tuning.memory", "17Ti is more than PostgreSQL can count; expected 16Ti at most"),
    (
        {"tuning": {"parameters": {"shared_buffers": "1GB"}}},
        "tuning.parameters.shared_buffers",
        "as large as the memory limit: the pod would be killed at once",
    ),
    ({"tuning": {"cpu": "1000"}}, "tuning.cpu", "1000 is more than pgBackRest can use; expected 999 at most"),
    ({"resources": {"memoryRequest": "2Gi"}}, "resources.memoryRequest", "2Gi is above the limit, tuning.memory: 1Gi"),
    ({"resources": {"cpuRequest": "3"}}, "resources.cpuRequest", "3 is above the limit, tuning.cpu: 2"),
    (
        {"resources": {"cpuRequest": "2", "cpuLimit": "1500m"}},
        "resources.cpuRequest",
        "2 is above the limit, resources.cpuLimit: 1500m",
    ),
    (
        {"tuning": {"parameters": {"archive_command": "true"}}},
        "tuning.parameters.archive_command",
        "cannot be overridden: pgBackRest takes the WAL",
    ),
    (
        {"tuning": {"parameters": {"include": "x.conf"}}},
        "tuning.parameters.include",
        "cannot be overridden: includes are not supported",
    ),
    (
        {"tuning": {"parameters": {"wal_level": "minimal"}}},
        "tuning.parameters.wal_level",
        "'minimal' turns archiving off; expected replica or logical",
    ),
    (
        {"tuning": {"parameters": {"shared_buffers": "131072"}}},
        "tuning.parameters.shared_buffers",
        "as large as the memory limit: the pod would be killed at once",
    ),
    (
        {"tuning": {"parameters": {"shared_buffers": "1073741824B"}}},
        "tuning.parameters.shared_buffers",
        "as large as the memory limit: the pod would be killed at once",
    ),
    (
        {"jobs": {"cpuRequest": "1"}},
        "jobs.cpuRequest",
        "1 is above the limit, jobs.cpuLimit: 500m",
    ),
    (
        {"jobs": {"memoryLimit": "16Mi"}},
        "jobs.memoryRequest",
        "32Mi is above the limit, jobs.memoryLimit: 16Mi",
    ),
    (
        {"initContainer": {"cpuLimit": "10m"}},
        "initContainer.cpuRequest",
        "50m is above the limit, initContainer.cpuLimit: 10m",
    ),
    (
        {"advanced": {"options": {"repo1-s3-key-type": "web-id"}}},
        "advanced.options.repo1-s3-key-type",
        "web-id needs a ServiceAccount that has a role of the cloud: name it in pods.serviceAccount",
    ),
    (
        {
            "images": {"pgbackrestVersion": "2.60"},
            "advanced": {"options": {"repo1-s3-key-type": "process"}},
        },
        "advanced.options.repo1-s3-key-type",
        "process needs repo1-s3-process-cmd",
    ),
    (
        {"advanced": {"options": {"protocol-timeout": "600", "db-timeout": "600"}}},
        "advanced.options.protocol-timeout",
        "600 is not longer than db-timeout, 600: pgBackRest would refuse every command",
    ),
    (
        {
            "images": {"pgbackrestVersion": "2.60"},
            "advanced": {"options": {"db-timeout": "1h", "protocol-timeout": "3599s"}},
        },
        "advanced.options.protocol-timeout",
        "3599s is not longer than db-timeout, 1h: pgBackRest would refuse every command",
    ),
    (
        {"advanced": {"options": {"pg-version-force": "15"}}},
        "advanced.options.pg-version-force",
        "cannot be set: the version is that of the image",
    ),
    (
        {"pods": {"ephemeralStorageRequest": "2Gi", "ephemeralStorageLimit": "1Gi"}},
        "pods.ephemeralStorageRequest",
        "2Gi is above the limit, pods.ephemeralStorageLimit: 1Gi",
    ),
    (
        {"initContainer": {"memoryRequest": "1Gi"}},
        "initContainer.memoryRequest",
        "1Gi is above the limit, initContainer.memoryLimit: 64Mi",
    ),
    (
        {"tuning": {"parameters": {"shared_buffers": "128M"}}},
        "tuning.parameters.shared_buffers",
        "'128M': 'M' is not a unit of it; expected B, kB, MB, GB, TB: did you mean 128MB?",
    ),
    (
        {"tuning": {"parameters": {"shared_buffers": "512mb"}}},
        "tuning.parameters.shared_buffers",
        "'512mb': 'mb' is not a unit of it; expected B, kB, MB, GB, TB: did you mean 512MB?",
    ),
    (
        {"tuning": {"parameters": {"max_wal_size": "20480"}}},
        "storage.size",
        (
            "max_wal_size is 20480, and WAL alone would fill 10Gi: raise storage.size or set "
            "tuning.parameters.max_wal_size"
        ),
    ),
    (
        {"tuning": {"parameters": {"wal_keep_size": "20GB"}}},
        "storage.size",
        (
            "wal_keep_size is 20GB, and WAL alone would fill 10Gi: raise storage.size or set "
            "tuning.parameters.wal_keep_size"
        ),
    ),
    (
        {"tuning": {"parameters": {"max_wal_size": "16MB"}}},
        "tuning.parameters.max_wal_size",
        "16MB is less than two WAL segments; expected 32MB or more",
    ),
    (
        {"tuning": {"parameters": {"superuser_reserved_connections": "100"}}},
        "tuning.parameters.superuser_reserved_connections",
        "100 leaves no connection for anyone else; expected less than tuning.connections",
    ),
    (
        {"tuning": {"parameters": {"shared_preload_libraries": "'pg_stat_statements'"}}},
        "tuning.parameters.shared_preload_libraries",
        ("'pg_stat_statements' is already quoted, and pgwizard adds the quotes: did you mean pg_stat_statements?"),
    ),
    (
        {"tuning": {"parameters": {"shared_bufers": "1GB"}}},
        "tuning.parameters.shared_bufers",
        "is not a parameter of PostgreSQL 15: did you mean shared_buffers?",
    ),
    *(
        (
            {"tuning": {"parameters": {name: value}}, "images": {"postgresqlVersion": 18, "pgbackrestVersion": "2.60"}},
            f"tuning.parameters.{name}",
            message,
        )
        for name, value, message in [
            (
                "recovery_target_time",
                "now",
                "cannot be overridden: it belongs to a restore, which writes its own settings",
            ),
            ("primary_conninfo", "host=a", "cannot be overridden: there is no standby"),
            (
                "huge_pages",
                "true",
                "'true' needs huge pages, and the pod asks for none: the server would not start",
            ),
            (
                "io_method",
                "io_uring",
                "'io_uring' is forbidden to the container by seccomp's default profile: the server would not start",
            ),
            ("zero_damaged_pages", "1", "'1' destroys damaged pages permanently; set it in a session"),
            (
                "reserved_connections",
                "100",
                "100 leaves no connection for anyone else; expected less than tuning.connections",
            ),
            (
                "min_dynamic_shared_memory",
                "300MB",
                "300MB is more than /dev/shm has, a quarter of tuning.memory; expected 256MB or less",
            ),
            (
                "pre_auth_delay",
                "30",
                "30 delays every connection, those of the probes and of backups too; expected 0",
            ),
            (
                "post_auth_delay",
                "1min",
                "1min delays every connection, those of the probes and of backups too; expected 0",
            ),
            (
                "timezone",
                "Mars/Base",
                "'Mars/Base' is not a time zone; expected an IANA name, such as Etc/UTC or Europe/Berlin",
            ),
            ("log_destination", "nowhere", "'nowhere' is not one of stderr, csvlog, jsonlog, syslog"),
            ("search_path", "a b", "'a b' is not a list of names; expected commas between them"),
        ]
    ),
    (
        {"repository": {"bucket": "My_Bucket", "uriStyle": "host"}},
        "repository.bucket",
        "My_Bucket cannot be part of a host name: set repository.uriStyle to path",
    ),
    (
        {"repository": {"credentials": {"from": "existing", "secret": "postgresql"}}},
        "repository.credentials.secret",
        "postgresql is a Secret that the release creates for something else",
    ),
    (
        {"credentials": {"from": "existing", "secret": "postgresql-minio-ca"}},
        "credentials.secret",
        "postgresql-minio-ca is a Secret that the release creates for something else",
    ),
    (
        {"repository": {"endpoint": "http://a"}},
        "repository.endpoint",
        "http:// needs pgBackRest 2.58 or newer; images.pgbackrestVersion is 2.45",
    ),
    (
        {"repository": {"endpoint": "http://a"}, "images": {"pgbackrestVersion": "2.59.1"}},
        "tls.verify",
        "http:// has no certificate to verify: set it to false, or use https",
    ),
    (
        {"advanced": {"options": {"repo1-storage-host": "http://a"}}},
        "advanced.options.repo1-storage-host",
        "http:// needs pgBackRest 2.58 or newer; images.pgbackrestVersion is 2.45",
    ),
    (
        {"repository": {"endpoint": "http://a"}, "advanced": {"options": {"repo1-storage-host": "a"}}},
        "repository.endpoint",
        "http:// needs pgBackRest 2.58 or newer; images.pgbackrestVersion is 2.45",
    ),
    (
        {
            "advanced": {"options": {"repo1-storage-host": "http://a"}},
            "images": {"pgbackrestVersion": "2.60"},
        },
        "tls.verify",
        "http:// has no certificate to verify: set it to false, or use https",
    ),
    (
        {"repository": {"bucket": "a.b.c"}},
        "repository.bucket",
        "a dot in a bucket's name needs pgBackRest 2.58 or newer; images.pgbackrestVersion is 2.45",
    ),
    (
        {"schedule": {"full": "hello"}},
        "schedule.full",
        "'hello' is not a cron schedule; expected five fields, such as 0 2 * * 0",
    ),
    (
        {"schedule": {"timeZone": "Mars/Base"}},
        "schedule.timeZone",
        "'Mars/Base' is not a time zone; expected an IANA name, such as Etc/UTC or Europe/Berlin",
    ),
    (
        {"images": {"postgresqlVersion": 16}},
        "images.postgresqlVersion",
        "PostgreSQL 16 needs pgBackRest 2.46 or newer; images.pgbackrestVersion is 2.45",
    ),
    (
        {"images": {"pgbackrestVersion": "2.38"}},
        "advanced.bundle",
        "bundling needs pgBackRest 2.39 or newer; images.pgbackrestVersion is 2.38",
    ),
    (
        {"advanced": {"block": True}},
        "advanced.block",
        "block incremental needs pgBackRest 2.52.1 or newer; images.pgbackrestVersion is 2.45",
    ),
    (
        {"advanced": {"block": True, "bundle": False}, "images": {"pgbackrestVersion": "2.59.1"}},
        "advanced.block",
        "block incremental needs advanced.bundle: true",
    ),
    (
        {"compression": {"type": "zst"}, "images": {"pgbackrestVersion": "2.26"}, "advanced": {"bundle": False}},
        "compression.type",
        "zst needs pgBackRest 2.27 or newer; images.pgbackrestVersion is 2.26",
    ),
    (
        {"advanced": {"options": {"repo1-s3-key": "x"}}},
        "advanced.options.repo1-s3-key",
        "is a secret: it comes from a Secret, never from a configuration file",
    ),
    (
        {"advanced": {"options": {"repo1-path": "/x"}}},
        "advanced.options.repo1-path",
        "is already answered: use repository.path",
    ),
    (
        {"advanced": {"options": {"archive-timeout": "9"}, "archiveAsync": True}},
        "advanced.options.archive-timeout",
        "is already answered: advanced.archiveAsync sets it to 120 s",
    ),
    (
        {"advanced": {"options": {"db-timout": "9"}}},
        "advanced.options.db-timout",
        "is not an option of pgBackRest: did you mean db-timeout?",
    ),
    (
        {"advanced": {"options": {"repo1-symlink": "n"}}},
        "advanced.options.repo1-symlink",
        "repo1-symlink needs pgBackRest 2.57 or newer; images.pgbackrestVersion is 2.45",
    ),
    (
        {"advanced": {"options": {"repo1-storage-tag": "team=shop"}}},
        "advanced.options.repo1-storage-tag",
        "repo1-storage-tag needs pgBackRest 2.48 or newer; images.pgbackrestVersion is 2.45",
    ),
    (
        {"advanced": {"options": {"archive-check": "n"}}},
        "advanced.options.archive-check",
        "cannot be set: a backup without its WAL cannot be restored",
    ),
    (
        {"advanced": {"options": {"repo1-host": "backup.example.org"}}},
        "advanced.options.repo1-host",
        "cannot be set: backups run in the database's own pod",
    ),
    (
        {"advanced": {"options": {"repo1-s3-token": "c"}}},
        "advanced.options.repo1-s3-token",
        "cannot be set: a session token expires within hours: use a key pair that does not",
    ),
    (
        {"advanced": {"options": {"repo1-azure-container": "c"}}},
        "advanced.options.repo1-azure-container",
        "cannot be set: the repository is S3",
    ),
    (
        {"advanced": {"options": {"type": "full"}}},
        "advanced.options.type",
        "is an option of the command line; pgBackRest ignores it in a file",
    ),
    ({"advanced": {"options": {"delta": "yes"}}}, "advanced.options.delta", "'yes' is neither y nor n"),
    (
        {"advanced": {"options": {"io-timeout": 7200}}},
        "advanced.options.io-timeout",
        "'7200' is outside 100ms to 1h",
    ),
    (
        {"advanced": {"options": {"repo-hardlink": "y", "repo1-hardlink": "y"}}},
        "advanced.options.repo1-hardlink",
        "set twice, with and without its index",
    ),
    (
        {"advanced": {"archivePushQueueMax": "5Pi"}},
        "advanced.archivePushQueueMax",
        "5Pi is more than pgBackRest accepts; expected 4Pi at most",
    ),
]


@pytest.mark.parametrize(
    ("sections", "path", "message"), ERRORS, ids=[f"{path}-{n}" for n, (_, path, _) in enumerate(ERRORS)]
)
def test_an_answer_that_cannot_work_is_an_error(sections: dict[str, Any], path: str, message: str) -> None:
    errors, _ = _messages(**sections)
    assert errors == {path: message}


WARNINGS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"repository": {"endpoint": "s3.amazonaws.com", "region": "eu-central-1"}},
        "repository.region",
        "s3.amazonaws.com is in us-east-1, not in eu-central-1: S3 refuses every request",
    ),
    (
        {"advanced": {"options": {"repo1-s3-key-type": "web-id"}}, "pods": {"serviceAccount": "backup"}},
        "advanced.options.repo1-s3-key-type",
        "web-id leaves repository.credentials unused: the role of the pod's ServiceAccount is used",
    ),
    (
        {"advanced": {"options": {"repo1-s3-key-type": "auto"}}},
        "advanced.options.repo1-s3-key-type",
        (
            "auto leaves repository.credentials unused: the role of the node's instance is used, which the metadata "
            "service of the cloud gives to pods"
        ),
    ),
    (
        {"pods": {"ephemeralStorageLimit": "512Mi"}},
        "pods.ephemeralStorageLimit",
        "512Mi: the kubelet evicts the database's pod once its logs and /tmp exceed it; expected 640Mi or more",
    ),
    (
        {"tuning": {"parameters": {"max_locks_per_transaction": "10000"}}},
        "tuning.memory",
        (
            "1.4Gi when all 100 connections sort at once, above the limit of 1Gi: fewer locks "
            "(max_locks_per_transaction) and processes, or more memory"
        ),
    ),
    (
        {"tuning": {"parameters": {"maintenance_work_mem": "1GB"}}},
        "tuning.memory",
        (
            "4.71Gi when all 100 connections sort at once, above the limit of 1Gi: a smaller maintenance_work_mem, "
            "fewer autovacuum workers, or more memory"
        ),
    ),
    (
        {
            "repository": {
                "endpoint": "Backups.s3.eu-central-1.amazonaws.com",
                "region": "eu-central-1",
                "uriStyle": "host",
            }
        },
        "repository.endpoint",
        (
            "Backups.s3.eu-central-1.amazonaws.com begins with the bucket, which pgBackRest adds once more: give "
            "s3.eu-central-1.amazonaws.com, and set repository.uriStyle to host if the bucket belongs there"
        ),
    ),
    (
        {"repository": {"endpoint": "s3.eu-central-1.amazonaws.com"}},
        "repository.region",
        "s3.eu-central-1.amazonaws.com is in eu-central-1, not in us-east-1: S3 refuses every request",
    ),
    (
        {"repository": {"endpoint": "s3.dualstack.us-gov-west-1.amazonaws.com"}},
        "repository.region",
        "s3.dualstack.us-gov-west-1.amazonaws.com is in us-gov-west-1, not in us-east-1: S3 refuses every request",
    ),
    (
        {"retention": {"full": 1}},
        "retention.full",
        "1: right after a full backup no earlier moment can be recovered; use 2 or more",
    ),
    (
        {"schedule": {"full": "0 2,3 * * 0"}},
        "retention.full",
        "2 full backups reach back 1 h at times: keep more, or take full ones less often",
    ),
    (
        {"schedule": {"full": "*/30 2 * * 0"}, "retention": {"full": 5}},
        "schedule.full",
        "starts every 30 min at times: each copies the whole database",
    ),
    (
        {"schedule": {"full": "@yearly", "incremental": "0 3 * * *"}},
        "schedule.full",
        (
            "full backups are up to 366 days apart: a restore replays all incremental ones in between, and nothing "
            "expires before"
        ),
    ),
    (
        {"schedule": {"incremental": "* * * * 1-6"}},
        "schedule.incremental",
        "starts every 1 min: one that takes longer makes the next be skipped",
    ),
    (
        {"storage": {"size": "5Gi"}},
        "storage.size",
        "max_wal_size is 4GB, more than half of 5Gi: raise storage.size or set tuning.parameters.max_wal_size",
    ),
    (
        {"tuning": {"connections": 400}},
        "tuning.memory",
        (
            "2.14Gi when all 400 connections sort at once, above the limit of 1Gi: fewer connections, "
            "a smaller work_mem, or more memory"
        ),
    ),
    (
        {"tuning": {"parameters": {"huge_pages": "try"}}},
        "tuning.parameters.huge_pages",
        "'try' crashes with a bus error on a node with huge pages: the pod asks for none",
    ),
    (
        {"tuning": {"parameters": {"logging_collector": "Yes"}}},
        "tuning.parameters.logging_collector",
        (
            "on hides the log: it goes to files in the data directory, not to kubectl logs, and a server that does "
            "not start cannot say why"
        ),
    ),
    (
        {"tuning": {"parameters": {"full_page_writes": "F"}}},
        "tuning.parameters.full_page_writes",
        "off can destroy the database at a power failure",
    ),
    (
        {"tuning": {"parameters": {"wal_keep_size": "6000"}}},
        "storage.size",
        "wal_keep_size is 6000, more than half of 10Gi: raise storage.size or set tuning.parameters.wal_keep_size",
    ),
    (
        {"tuning": {"parameters": {"fsync": "off"}}},
        "tuning.parameters.fsync",
        "off can destroy the database at a power failure",
    ),
    *(
        ({"tuning": {"parameters": {name: value}}}, f"tuning.parameters.{name}", message)
        for name, value, message in [
            (
                "ssl",
                "t",
                "on needs server.crt and server.key in the data directory: the server does not start without them",
            ),
            ("default_transaction_read_only", "yes", "on lets no application write"),
            (
                "synchronous_standby_names",
                "*",
                "commits wait for these standbys, and pgwizard creates none: every commit would hang",
            ),
            ("max_slot_wal_keep_size", "-1", "-1 lets a forgotten replication slot fill the volume"),
            (
                "log_destination",
                "csvlog",
                "csvlog keeps the log from kubectl logs: a server that does not start cannot say why",
            ),
            ("log_directory", "/var/log", "/var/log: the container can write to the data directory alone"),
            (
                "session_preload_libraries",
                "auto_explain, foo",
                (
                    "auto_explain, foo: every connection loads it; if the image lacks it, every connection fails, and "
                    "the pod still counts as ready"
                ),
            ),
            (
                "local_preload_libraries",
                "foo",
                (
                    "foo: every connection loads it; if the image lacks it, every connection fails, and the pod still "
                    "counts as ready"
                ),
            ),
            ("jit_provider", "foo", "foo: if the image lacks it, nothing is compiled, and no error says so"),
            (
                "statement_timeout",
                "5",
                "5 is 5 ms: each longer query is canceled, that of an application too; did you mean 5s?",
            ),
            ("lock_timeout", "0.5s", "0.5s is 500 ms: each longer wait for a lock ends in an error"),
            (
                "idle_session_timeout",
                "1",
                "1 is 1 ms: a connection that is idle that long is closed, those of a pool too; did you mean 1s?",
            ),
            (
                "client_connection_check_interval",
                "10",
                "10 is 10 ms: each running query checks its connection that often; did you mean 10s?",
            ),
            ("authentication_timeout", "1", "1 is 1 s: a slow client cannot connect"),
            (
                "tcp_user_timeout",
                "5",
                "5 is 5 ms: a connection whose network stalls that long is cut; did you mean 5s?",
            ),
            (
                "lc_messages",
                "de_DE.UTF-8",
                (
                    "de_DE.UTF-8: the server does not start if the image lacks it; pgwizard finds causes and fixes in "
                    "English messages only"
                ),
            ),
            ("lc_messages", "en_US.UTF-8", "en_US.UTF-8: the server does not start if the image lacks it"),
            ("lc_time", "xx", "xx: the server does not start if the image lacks it"),
            ("timezone_abbreviations", "Foo", "Foo: the server does not start if the image lacks it"),
            (
                "shared_preload_libraries",
                "pg_stat_statements, pg_cron",
                "pg_stat_statements, pg_cron: the server does not start if the image lacks it",
            ),
            (
                "max_stack_depth",
                "100MB",
                "100MB: the server does not start where the node's stack limit is 8 MB, as it usually is",
            ),
            ("synchronous_commit", "no", "off loses the last commits at a crash"),
            (
                "autovacuum",
                "off",
                "off lets tables grow, and stops the database at the wraparound of transactions",
            ),
        ]
    ),
    ({"tls": {"verify": False}}, "tls.verify", "false: backups go to whoever answers at the endpoint"),
    (
        {"advanced": {"options": {"checksum-page": False}}},
        "advanced.options.checksum-page",
        "n weakens backups: a backup with damaged pages looks like a good one",
    ),
    (
        {
            "repository": {
                "credentials": {
                    "from": "existing",
                    "secret": "minio-root",
                    "namespace": "minio",
                    "accessKeyKey": "rootUser",
                    "secretKeyKey": "rootPassword",
                }
            }
        },
        "repository.credentials.accessKeyKey",
        (
            "rootUser is the store's own administrator, and the pod would hold its keys: make a user that may only "
            "use this bucket"
        ),
    ),
    (
        {"repository": {"credentials": {"from": "env", "accessKey": "MINIO_ROOT_USER", "secretKey": "S"}}},
        "repository.credentials.accessKey",
        (
            "MINIO_ROOT_USER is the store's own administrator, and the pod would hold its keys: make a user that may "
            "only use this bucket"
        ),
    ),
    (
        {"repository": {"endpoint": "minio:9001"}},
        "repository.endpoint",
        "9001 is where MinIO has its console; its S3 API is on 9000",
    ),
    (
        {"repository": {"endpoint": "10.0.0.1:9000"}},
        "repository.endpoint",
        (
            "pgBackRest 2.45 finds no IP address among a certificate's alternative names: give a host name, "
            "or use 2.53 or newer"
        ),
    ),
    *(
        (
            {"repository": {"endpoint": endpoint}, **more},
            question,
            (
                f"{host} is the pod itself, not this machine: give a host that the pod reaches, such as "
                "minio.minio.svc:9000"
            ),
        )
        for endpoint, host, question, more in [
            ("localhost:9000", "localhost", "repository.endpoint", {}),
            ("LocalHost.", "LocalHost.", "repository.endpoint", {}),
            ("127.0.0.1:9000", "127.0.0.1", "repository.endpoint", {}),
            ("store.localhost:9000", "store.localhost", "repository.endpoint", {}),
            ("0.0.0.0:9000", "0.0.0.0", "repository.endpoint", {}),
            ("[::1]:9000", "::1", "repository.endpoint", {}),
            ("[::ffff:127.0.0.1]:9000", "::ffff:7f00:1", "repository.endpoint", {}),
            (
                "minio.minio.svc:9000",
                "localhost",
                "advanced.options.repo1-storage-host",
                {"advanced": {"options": {"repo1-storage-host": "localhost"}}},
            ),
        ]
    ),
    (
        {"schedule": {"incremental": "0 2 * * *"}},
        "schedule.incremental",
        (
            "starts together with the full backup, first at Sunday 02:00: one waits for the other; keep the days "
            "apart, as in 0 2 * * 0 and 0 2 * * 1-6"
        ),
    ),
    (
        {"schedule": {"full": "30 2 * * 0", "timeZone": "Europe/Berlin"}},
        "schedule.full",
        (
            "clocks change in Europe/Berlin: the run at 02:30 is skipped once in March and starts twice in October; "
            "use 30 3 * * 0 instead"
        ),
    ),
    (
        {"schedule": {"full": "0 0 * * 5", "incremental": "0 * * * 0-4", "timeZone": "Africa/Cairo"}},
        "schedule.full",
        "clocks change in Africa/Cairo: the run at 00:00 is skipped once in April; choose another hour or day",
    ),
    (
        {"schedule": {"full": "0 0 * * 0", "incremental": "0 2 * * 1-5", "timeZone": "America/Santiago"}},
        "schedule.full",
        "clocks change in America/Santiago: the run at 00:00 is skipped once in September; use 0 1 * * 0 instead",
    ),
    (
        {"retention": {"full": None}},
        "retention.full",
        "null: no backup ever expires, and the bucket grows until it is full",
    ),
    ({"retention": {"full": 1000}}, "retention.full", "1,000 full backups are 19 years: practically forever"),
    (
        {"retention": {"full": 36500, "fullType": "time"}},
        "retention.full",
        "36,500 days are 100 years: practically forever",
    ),
    (
        {"advanced": {"archivePushQueueMax": "1Gi"}},
        "advanced.archivePushQueueMax",
        "past 1Gi WAL is dropped, and recovery ends there",
    ),
]


@pytest.mark.parametrize(
    "repository",
    [
        {"endpoint": "s3.amazonaws.com"},
        {"endpoint": "s3.us-east-1.amazonaws.com"},
        {"endpoint": "s3-fips.us-east-1.amazonaws.com"},
        {"endpoint": "s3.gra.io.cloud.ovh.net", "region": "gra"},
        {"endpoint": "account.r2.cloudflarestorage.com", "region": "auto"},
        {"endpoint": "minio.s3.svc:9000", "bucket": "minio"},
        {"endpoint": "backups.example.com"},
        {"endpoint": "localhost.example.com"},
    ],
)
def test_an_endpoint_that_agrees_with_bucket_and_region_is_taken_in_silence(repository: dict[str, Any]) -> None:
    result = checks.check(answers_of(repository=repository), Facts(ca=trusted()))
    assert result == checks.Findings((), ())


@pytest.mark.parametrize(
    ("sections", "path", "message"), WARNINGS, ids=[f"{path}-{n}" for n, (_, path, _) in enumerate(WARNINGS)]
)
def test_a_doubtful_answer_is_a_warning(sections: dict[str, Any], path: str, message: str) -> None:
    assert _messages(**sections) == ({}, {path: message})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statement_timeout", "0"),
        ("statement_timeout", "1s"),
        ("session_preload_libraries", "auto_explain"),
        ("session_preload_libraries", ""),
        ("post_auth_delay", "0"),
        ("jit_provider", "llvmjit"),
        ("authentication_timeout", "60"),
    ],
)
def test_a_usual_value_has_no_warning(name: str, value: str) -> None:
    assert _messages(tuning={"parameters": {name: value}}) == ({}, {})


def test_without_a_repository_its_answers_are_not_checked() -> None:
    answers = {
        "repository": {"enabled": False, "endpoint": "a:9001", "bucket": "a.b"},
        "schedule": {"full": "nonsense"},
        "retention": {"full": None},
        "advanced": {"block": True, "archivePushQueueMax": "9Pi"},
        "tls": {"verify": False},
    }
    assert _messages(**answers) == ({}, {})


def test_all_errors_come_at_once_in_the_order_of_the_questions() -> None:
    errors, _ = _messages(
        storage={"size": "1Mi"},
        schedule={"full": "x", "timeZone": "y"},
        advanced={"block": True},
        resources={"cpuRequest": "9"},
    )
    assert list(errors) == [
        "storage.size",
        "resources.cpuRequest",
        "schedule.full",
        "schedule.timeZone",
        "advanced.block",
    ]


def test_every_option_that_pgwizard_writes_is_one_that_pgbackrest_knows() -> None:
    assert set(checks._ANSWERED_ELSEWHERE) <= {pgbackrest.strip_index(option) for option in pgbackrest.known_options()}


@pytest.mark.parametrize("version", [13, 14, 16])
def test_a_refused_parameter_names_the_table_of_another_version_that_refuses_it(version: int) -> None:
    errors, _ = _messages(images={"postgresqlVersion": version}, tuning={"parameters": {"work_mem": "1G"}})
    origin = f" (checked by the parameters of PostgreSQL 15; pgwizard has no table for {version})"
    assert errors["tuning.parameters.work_mem"].endswith(origin)
