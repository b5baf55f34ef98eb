"""The contract of the architecture document, compared word for word with what the default answers render.

One test a box that the document draws, each against a whole literal. Where a literal holds more than the document
draws, a comment says which part was added; docs/architecture.md has the reason.
"""

from __future__ import annotations

import base64
import functools
from pathlib import Path
from typing import Any

from pgwizard.answers.questions import Answers
from pgwizard.plan.checks import check
from pgwizard.plan.manifests import render
from pgwizard.plan.plan import Facts, resolve
from pgwizard.tls.certificates import read_bundle

CERTIFICATE = Path(__file__).parents[2] / "examples" / "minio-ca.crt"
NO_BACKUPS = {"repository": {"enabled": False}}
NO_TLS = {"tls": {"verify": False}}

POD_IS_READY = ["pg_isready", "-U", "postgres", "-d", "myapp"]
COPY_OF_THE_CA = "cp /usr/local/share/ca-certificates/minio/tls.crt /etc/ssl/certs/minio-ca.crt"


@functools.cache
def _facts() -> Facts:
    return Facts(ca=read_bundle(CERTIFICATE.read_bytes()))


def _rendered(answers: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [manifest.object for manifest in render(resolve(Answers.model_validate(answers or {}), _facts()))]


def _named(objects: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["kind"], each["metadata"]["name"]) for each in objects]


def _object(kind: str, name: str, answers: dict[str, Any] | None = None) -> dict[str, Any]:
    return next(each for each in _rendered(answers) if (each["kind"], each["metadata"]["name"]) == (kind, name))


def _pod(answers: dict[str, Any] | None = None) -> dict[str, Any]:
    spec: dict[str, Any] = _object("StatefulSet", "postgresql", answers)["spec"]["template"]["spec"]
    return spec


def _main(answers: dict[str, Any] | None = None) -> dict[str, Any]:
    (container,) = _pod(answers)["containers"]
    assert isinstance(container, dict)
    return container


def _init() -> dict[str, Any]:
    (container,) = _pod()["initContainers"]
    assert isinstance(container, dict)
    return container


def _settings(answers: dict[str, Any] | None = None) -> list[str]:
    """The lines of postgresql.conf without their comments."""
    text = _object("ConfigMap", "postgresql-config", answers)["data"]["postgresql.conf"]
    return [line.partition("  # ")[0] for line in text.splitlines() if not line.startswith("#")]


def _options(answers: dict[str, Any] | None = None) -> list[str]:
    text = _object("ConfigMap", "postgresql-pgbackrest-config", answers)["data"]["pgbackrest.conf"]
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _places(mounts: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    return [(mount["mountPath"], mount["name"], mount.get("readOnly", False)) for mount in mounts]


# ---- high-level architecture ---------------------------------------------------------------------------------------


def test_every_object_has_the_name_that_the_document_gives_it() -> None:
    assert _named(_rendered()) == [
        ("ServiceAccount", "postgresql-pgbackrest"),  # added: what the CronJobs run as
        ("Secret", "postgresql"),
        ("Secret", "postgresql-minio-ca"),
        ("ConfigMap", "postgresql-config"),
        ("ConfigMap", "postgresql-pgbackrest-config"),
        ("Role", "postgresql-pgbackrest"),  # added
        ("RoleBinding", "postgresql-pgbackrest"),  # added
        ("Service", "postgresql"),
        ("StatefulSet", "postgresql"),
        ("CronJob", "postgresql-pgbackrest-full"),
        ("CronJob", "postgresql-pgbackrest-incr"),
        ("Job", "postgresql-pgbackrest-init"),
        ("CronJob", "postgresql-backup-verify"),  # added
    ]


def test_everything_lives_in_the_namespace_default() -> None:
    assert {each["metadata"]["namespace"] for each in _rendered()} == {"default"}


def test_the_statefulset_has_one_pod_named_postgresql_0() -> None:
    result = _object("StatefulSet", "postgresql")
    assert (result["metadata"]["name"], result["spec"]["replicas"]) == ("postgresql", 1)
    assert result["spec"]["serviceName"] == "postgresql"
    assert "ordinals" not in result["spec"]  # so the first pod is number 0
    assert [container["name"] for container in _pod()["initContainers"]] == ["minio-ca-init"]
    assert [container["name"] for container in _pod()["containers"]] == ["postgresql"]


def test_the_service_is_a_cluster_ip_from_5432_to_the_pods_5432() -> None:
    result = _object("Service", "postgresql")
    assert result["spec"] == {
        "type": "ClusterIP",
        "selector": {
            "app.kubernetes.io/name": "postgresql",
            "app.kubernetes.io/instance": "postgresql",
            "app.kubernetes.io/component": "database",
        },
        "ports": [{"name": "postgresql", "port": 5432, "targetPort": 5432, "protocol": "TCP"}],
    }
    labels = _object("StatefulSet", "postgresql")["spec"]["template"]["metadata"]["labels"]
    assert result["spec"]["selector"].items() <= labels.items()


def test_the_service_selects_no_pod_of_a_backup() -> None:
    selector = _object("Service", "postgresql")["spec"]["selector"]
    job = _object("Job", "postgresql-pgbackrest-init")["spec"]["template"]["metadata"]["labels"]
    assert not selector.items() <= job.items()


def test_the_claim_is_postgresql_storage_postgresql_0_of_10gi() -> None:
    result = _object("StatefulSet", "postgresql")
    (claim,) = result["spec"]["volumeClaimTemplates"]
    assert f"{claim['metadata']['name']}-{result['metadata']['name']}-0" == "postgresql-storage-postgresql-0"
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}


def test_the_volume_outlives_the_statefulset_and_a_stuck_pod_is_replaced() -> None:
    result = _object("StatefulSet", "postgresql")["spec"]
    assert result["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert (result["podManagementPolicy"], result["updateStrategy"]) == ("Parallel", {"type": "RollingUpdate"})
    assert sorted(result["template"]["metadata"]["annotations"]) == ["checksum/minio-ca", "checksum/postgresql-config"]


def test_the_size_of_the_claim_is_configurable() -> None:
    result = _object("StatefulSet", "postgresql", {"storage": {"size": "50Gi"}})
    (claim,) = result["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"] == {"requests": {"storage": "50Gi"}}


def test_the_configmaps_hold_the_two_configuration_files() -> None:
    assert list(_object("ConfigMap", "postgresql-config")["data"]) == ["postgresql.conf"]
    assert list(_object("ConfigMap", "postgresql-pgbackrest-config")["data"]) == [
        "pgbackrest.conf",
        "apart.sh",  # added: runs the other two apart from the stream of kubectl exec
        "backup.sh",  # added: what the CronJobs run
        "init.sh",  # added: what the hook Job runs
        "verify.sh",  # added: what the CronJob of the verification runs
    ]


def test_the_secrets_are_the_database_s_and_the_s3_ones_and_none_is_rendered_with_values() -> None:
    result = _object("Secret", "postgresql")
    assert (result["type"], "data" in result, "stringData" in result) == ("Opaque", False, False)
    s3 = {"repository": {"credentials": {"from": "env", "accessKey": "KEY", "secretKey": "SECRET_KEY"}}}
    made = _object("Secret", "postgresql-pgbackrest-s3", s3)
    assert (made["type"], "data" in made, "stringData" in made) == ("Opaque", False, False)
    references = {
        env["valueFrom"]["secretKeyRef"]["name"] for env in _main()["env"] if env["name"].startswith("PGBACKREST_REPO1")
    }
    assert references == {"postgresql-pgbackrest-s3"}


def test_the_full_backup_is_weekly_and_the_incremental_daily() -> None:
    full = _object("CronJob", "postgresql-pgbackrest-full")["spec"]
    incremental = _object("CronJob", "postgresql-pgbackrest-incr")["spec"]
    assert (full["schedule"], full["timeZone"]) == ("0 2 * * 0", "Etc/UTC")  # Sunday 2 AM
    assert (incremental["schedule"], incremental["timeZone"]) == ("0 2 * * 1-6", "Etc/UTC")  # Monday to Saturday 2 AM


def test_the_cronjobs_take_the_backup_that_their_name_says() -> None:
    arguments = {}
    for name in ("postgresql-pgbackrest-full", "postgresql-pgbackrest-incr"):
        (container,) = _object("CronJob", name)["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        arguments[name] = container["args"]
    inside = ["exec", "postgresql-0", "--container=postgresql", "--", "bash", "/etc/pgbackrest/apart.sh", "backup.sh"]
    assert arguments == {
        "postgresql-pgbackrest-full": [*inside, "full"],
        "postgresql-pgbackrest-incr": [*inside, "incr"],
    }


def test_the_hook_job_runs_after_an_install_and_after_an_upgrade() -> None:
    assert _object("Job", "postgresql-pgbackrest-init")["metadata"]["annotations"] == {
        "helm.sh/hook": "post-install,post-upgrade",
        "helm.sh/hook-delete-policy": "before-hook-creation",
    }


# ---- the pod -------------------------------------------------------------------------------------------------------


def test_the_pod_runs_as_999_with_fs_group_1001_because_tls_is_on() -> None:
    assert _pod()["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 999,
        "fsGroup": 1001,
        "fsGroupChangePolicy": "OnRootMismatch",  # added: a large volume is not walked at every start
        "seccompProfile": {"type": "RuntimeDefault"},  # added: Pod Security "restricted"
    }


def test_the_init_container_runs_as_1001_with_no_capability() -> None:
    result = _init()
    assert result["name"] == "minio-ca-init"
    assert result["image"] == _main()["image"]
    assert result["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1001,
        "runAsGroup": 1001,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,  # added
        "seccompProfile": {"type": "RuntimeDefault"},  # added
    }


def test_the_init_container_copies_the_certificate_into_the_trust_store() -> None:
    shell, option, script = _init()["command"]
    assert (shell, option) == ("/bin/bash", "-c")
    commands = "".join(line for line in script.splitlines(keepends=True) if not line.startswith("#"))
    assert commands.splitlines() == [
        "set -eu",
        COPY_OF_THE_CA,
        # added: the document's copy alone is not trusted
        "cp /usr/share/ca-certificates/mozilla/*.crt /etc/ssl/certs/",
        (
            """awk '/-----BEGIN/ { n++ } n { print > ("/etc/ssl/certs/minio-ca-" n ".crt") }'"""
            " /etc/ssl/certs/minio-ca.crt"
        ),
        "openssl rehash /etc/ssl/certs",
    ]


def test_the_init_container_reads_the_secret_and_writes_the_trust_store() -> None:
    assert _places(_init()["volumeMounts"]) == [
        ("/usr/local/share/ca-certificates/minio", "minio-ca", True),
        ("/etc/ssl/certs", "ssl-certs", False),
    ]


def test_the_main_container_runs_the_document_s_image_with_its_own_configuration_file() -> None:
    result = _main()
    assert (result["name"], result["image"]) == ("postgresql", "aryan-laptophp/postgres-pgbackrest:15.0")
    assert result["args"] == ["-c", "config_file=/etc/postgresql/postgresql.conf"]
    assert "command" not in result  # the image's entrypoint makes the cluster and the database
    assert result["ports"] == [{"name": "postgresql", "containerPort": 5432, "protocol": "TCP"}]


def test_the_main_container_may_do_nothing_that_it_need_not() -> None:
    assert _main()["securityContext"] == {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_the_environment_is_the_document_s_in_its_order() -> None:
    def secret(name: str, key: str) -> dict[str, Any]:
        return {"secretKeyRef": {"name": name, "key": key}}

    assert _main()["env"] == [
        {"name": "POSTGRES_USER", "valueFrom": secret("postgresql", "username")},
        {"name": "POSTGRES_PASSWORD", "valueFrom": secret("postgresql", "password")},
        {"name": "POSTGRES_DB", "value": "myapp"},
        {"name": "PGDATA", "value": "/var/lib/postgresql/data/pgdata"},
        {"name": "POSTGRES_INITDB_ARGS", "value": "--data-checksums"},  # added
        {"name": "PGBACKREST_PG1_USER", "valueFrom": secret("postgresql", "username")},  # added
        {"name": "PGBACKREST_REPO1_S3_KEY", "valueFrom": secret("postgresql-pgbackrest-s3", "accessKey")},
        {"name": "PGBACKREST_REPO1_S3_KEY_SECRET", "valueFrom": secret("postgresql-pgbackrest-s3", "secretKey")},
    ]


def test_liveness_and_readiness_ask_pg_isready_every_10_seconds() -> None:
    for probe in ("livenessProbe", "readinessProbe"):
        result = _main()[probe]
        assert (result["exec"]["command"], result["periodSeconds"]) == (POD_IS_READY, 10)


def test_a_startup_probe_keeps_liveness_away_from_a_long_crash_recovery() -> None:
    result = _main()["startupProbe"]
    # over TCP: the server that initdb starts for itself answers on the socket
    assert result["exec"]["command"] == [POD_IS_READY[0], "-h", "127.0.0.1", *POD_IS_READY[1:]]
    assert result["periodSeconds"] * result["failureThreshold"] == 3600


def test_the_mounts_of_the_main_container_are_the_document_s() -> None:
    assert _places(_main()["volumeMounts"]) == [
        ("/var/lib/postgresql/data", "postgresql-storage", False),
        ("/etc/postgresql", "postgresql-config", True),
        ("/etc/pgbackrest", "pgbackrest-config", True),
        ("/var/log/pgbackrest", "pgbackrest-log", False),
        ("/etc/ssl/certs", "ssl-certs", False),
        ("/usr/local/share/ca-certificates/minio", "minio-ca", True),
        ("/var/run/postgresql", "run", False),  # added: the root file system is read-only
        ("/tmp", "tmp", False),  # added
        ("/dev/shm", "shm", False),  # added: parallel query outgrows the 64 MiB that a pod has
    ]


def test_the_volumes_are_the_document_s() -> None:
    items = [
        (volume["name"], {kind: volume[kind] for kind in volume if kind != "name"}) for volume in _pod()["volumes"]
    ]
    assert items == [
        ("postgresql-config", {"configMap": {"name": "postgresql-config"}}),
        ("pgbackrest-config", {"configMap": {"name": "postgresql-pgbackrest-config"}}),
        ("pgbackrest-log", {"emptyDir": {"sizeLimit": "256Mi"}}),
        ("ssl-certs", {"emptyDir": {"sizeLimit": "16Mi"}}),
        ("minio-ca", {"secret": {"secretName": "postgresql-minio-ca"}}),
        ("run", {"emptyDir": {"sizeLimit": "16Mi"}}),  # added, as are tmp and shm
        ("tmp", {"emptyDir": {"sizeLimit": "256Mi"}}),
        ("shm", {"emptyDir": {"medium": "Memory", "sizeLimit": "268435456"}}),
    ]
    (claim,) = _object("StatefulSet", "postgresql")["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "postgresql-storage"


def test_postgresql_conf_has_the_document_s_lines_word_for_word() -> None:
    drawn = {
        "archive_mode = on",
        "archive_command = 'pgbackrest --stanza=main archive-push %p'",
        "wal_level = replica",
        "max_connections = 100",
        "shared_buffers = 256MB",
    }
    assert drawn <= set(_settings())


def test_postgresql_conf_has_all_tuning_parameters() -> None:
    assert _settings() == [
        "listen_addresses = '*'",
        "archive_mode = on",
        "archive_command = 'pgbackrest --stanza=main archive-push %p'",
        "archive_timeout = 60s",
        "wal_level = replica",
        "max_connections = 100",
        "shared_buffers = 256MB",
        "effective_cache_size = 768MB",
        "maintenance_work_mem = 64MB",
        "work_mem = 4MB",
        "huge_pages = off",
        "wal_buffers = 7864kB",
        "min_wal_size = 1GB",
        "max_wal_size = 4GB",
        "checkpoint_completion_target = 0.9",
        "wal_compression = lz4",
        "default_statistics_target = 100",
        "random_page_cost = 1.1",
        "effective_io_concurrency = 200",
        "jit = off",
    ]


# ---- the backup flow -----------------------------------------------------------------------------------------------


def test_an_install_follows_the_document_s_sequence() -> None:
    order = [kind for kind, _ in _named(_rendered({"schedule": {"verify": None}}))]
    configuration, secrets = order.index("ConfigMap"), order.index("Secret")
    assert max(configuration, secrets) < order.index("StatefulSet") < order.index("Job")
    assert order[-1] == "Job"  # a post-install hook runs after everything else, the CronJobs too


def test_the_hook_job_creates_the_stanza_and_takes_the_first_full_backup() -> None:
    job = _object("Job", "postgresql-pgbackrest-init")["spec"]["template"]["spec"]
    (container,) = job["containers"]
    assert container["args"][:7] == [
        "exec",
        "postgresql-0",
        "--container=postgresql",
        "--",
        "bash",
        "/etc/pgbackrest/apart.sh",
        "init.sh",
    ]
    script = _object("ConfigMap", "postgresql-pgbackrest-config")["data"]["init.sh"]
    stanza, validated, backup = (
        script.index(command)
        for command in (
            "pgbackrest --stanza=main stanza-create",
            "pgbackrest --stanza=main check",
            "exec bash /etc/pgbackrest/backup.sh full",
        )
    )
    assert stanza < validated < backup


def test_an_upgrade_validates_the_stanza_and_skips_the_backup_when_a_valid_one_exists() -> None:
    script = _object("ConfigMap", "postgresql-pgbackrest-config")["data"]["init.sh"]
    assert script.endswith(
        """\
found="$(full_backups)"
if ((found > 0)); then
  say "$found valid full backup(s) found: no new one is taken"
else
  exec bash /etc/pgbackrest/backup.sh full
fi
"""
    )


def test_wal_and_backups_are_compressed_with_gzip_at_level_6() -> None:
    options = _options()
    assert options.count("compress-type=gz") == options.count("compress-level=6") == 1


def test_wal_segments_keep_their_16_megabytes() -> None:
    """initdb's own size: no argument changes it."""
    options = [env["value"] for env in _main()["env"] if env["name"] == "POSTGRES_INITDB_ARGS"]
    assert options == ["--data-checksums"]


def test_pgbackrest_conf_is_the_document_s_repository() -> None:
    assert _options() == [
        "[global]",
        "repo1-type=s3",
        "repo1-path=/postgresql",
        "repo1-s3-bucket=backups",
        "repo1-s3-endpoint=minio.minio.svc:9000",
        "repo1-s3-region=us-east-1",
        "repo1-s3-uri-style=path",
        "repo1-storage-verify-tls=y",
        "repo1-storage-ca-file=/etc/ssl/certs/minio-ca.crt",
        "repo1-bundle=y",
        "repo1-retention-full-type=count",
        "repo1-retention-full=2",
        "compress-type=gz",
        "compress-level=6",
        "process-max=2",
        "start-fast=y",
        "log-level-console=info",
        "log-level-file=warn",
        "log-path=/var/log/pgbackrest",
        "[main]",
        "pg1-path=/var/lib/postgresql/data/pgdata",
        "pg1-port=5432",
        "pg1-socket-path=/var/run/postgresql",
    ]


# ---- the certificate's way -----------------------------------------------------------------------------------------


def test_the_certificate_comes_from_the_secret_minio_tls_of_namespace_minio() -> None:
    source = Answers().tls.source
    assert source is not None
    assert (source.namespace, source.secret, source.key) == ("minio", "minio-tls", "tls.crt")


def test_a_certificate_that_cannot_be_read_stops_everything() -> None:
    result = check(Answers(), Facts(ca=None))
    assert [problem.question for problem in result.errors] == ["tls.source"]


def test_the_mirrored_secret_holds_the_certificate_and_outlives_an_uninstall() -> None:
    result = _object("Secret", "postgresql-minio-ca")
    assert result["type"] == "Opaque"
    assert result["data"] == {"tls.crt": base64.b64encode(CERTIFICATE.read_bytes()).decode()}
    assert result["metadata"]["annotations"] == {
        "helm.sh/resource-policy": "keep",
        "pgwizard/source": "minio/minio-tls/tls.crt",
    }


def test_the_copy_goes_from_the_mirrored_secret_to_minio_ca_crt() -> None:
    volumes = {volume["name"]: volume for volume in _pod()["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in _init()["volumeMounts"]}
    assert volumes["minio-ca"]["secret"]["secretName"] == "postgresql-minio-ca"
    copy = f"cp {mounts['minio-ca']}/tls.crt {mounts['ssl-certs']}/minio-ca.crt"
    assert copy == COPY_OF_THE_CA
    assert copy in _init()["command"][2].splitlines()


def test_the_main_container_reads_the_directory_that_the_init_container_wrote() -> None:
    written = {(mount["name"], mount["mountPath"]) for mount in _init()["volumeMounts"]}
    assert written <= {(mount["name"], mount["mountPath"]) for mount in _main()["volumeMounts"]}


def test_pgbackrest_verifies_tls_by_default() -> None:
    """The document's repo1-s3-verify-tls is the old name of the same option."""
    assert "repo1-storage-verify-tls=y" in _options()
    assert not [option for option in _options() if option.startswith("repo1-s3-verify-tls")]


# ---- conditions ----------------------------------------------------------------------------------------------------


def test_without_tls_there_is_no_certificate_anywhere_and_fs_group_is_999() -> None:
    pod = _pod(NO_TLS)
    assert pod["securityContext"]["fsGroup"] == 999
    assert "initContainers" not in pod
    assert [volume["name"] for volume in pod["volumes"]] == [
        "postgresql-config",
        "pgbackrest-config",
        "pgbackrest-log",
        "run",
        "tmp",
        "shm",
    ]
    assert {"ssl-certs", "minio-ca"}.isdisjoint(mount["name"] for mount in _main(NO_TLS)["volumeMounts"])
    assert ("Secret", "postgresql-minio-ca") not in _named(_rendered(NO_TLS))
    assert "minio-ca" not in str(_rendered(NO_TLS))


def test_without_backups_there_is_nothing_of_pgbackrest() -> None:
    assert _named(_rendered(NO_BACKUPS)) == [
        ("Secret", "postgresql"),
        ("ConfigMap", "postgresql-config"),
        ("Service", "postgresql"),
        ("StatefulSet", "postgresql"),
    ]
    everything = str([{**each, "metadata": None} for each in _rendered(NO_BACKUPS)])
    assert "PGBACKREST" not in everything
    assert "pgbackrest-config" not in everything
    assert "archive_mode = off" in _settings(NO_BACKUPS)
    assert not [line for line in _settings(NO_BACKUPS) if line.startswith("archive_command")]


def test_without_backups_the_volumes_are_the_unconditional_ones() -> None:
    assert [volume["name"] for volume in _pod(NO_BACKUPS)["volumes"]] == ["postgresql-config", "run", "tmp", "shm"]
    assert _pod(NO_BACKUPS)["securityContext"]["fsGroup"] == 999


def test_another_release_s_name_takes_the_place_of_postgresql_in_every_name() -> None:
    assert _named(_rendered({"release": {"name": "shop"}})) == [
        (kind, name.replace("postgresql", "shop")) for kind, name in _named(_rendered())
    ]
