"""Where the parts of a release are written by hand: names, stanza, volume, and what its CronJobs run."""

from __future__ import annotations

from typing import Any

import pytest

from pgwizard.kube.api import Object
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.layout import Layout, backup_type, layout_of, option, read_configuration, uses_pgbackrest

DB = ReleaseRef("shop", "orders")
CONF = """[global]
repo1-path=/backups
repo1-s3-verify-tls=n
repo1-retention-full=2
[global:archive-push]
compress-level=3
[orders]
pg1-path=/data/pg
repo1-retention-full=7
"""


def statefulset(**changes: Any) -> Object:
    """Its names are nobody else's: container, ConfigMap, volume, Secret of the certificate."""
    mounts = [
        {"name": "disk", "mountPath": "/data"},
        {"name": "conf", "mountPath": "/etc/pgbackrest/pgbackrest.conf", "subPath": "pgbackrest.conf"},
    ]
    pod = {
        "initContainers": [
            {"name": "trust", "volumeMounts": [{"name": "ca", "mountPath": "/usr/local/share/ca-certificates/s3"}]}
        ],
        "containers": [
            {"name": "exporter", "image": "exporter:1"},
            {
                "name": "db",
                "image": "registry.example/postgres:15",
                "env": [{"name": "PGDATA", "value": "/data/pg"}],
                "volumeMounts": mounts,
            },
        ],
        "volumes": [
            {"name": "conf", "configMap": {"name": "backup-settings"}},
            {"name": "ca", "secret": {"secretName": "store-ca"}},
        ],
    }
    spec = {"template": {"spec": pod}, "volumeClaimTemplates": [{"metadata": {"name": "disk"}}]}
    return {"metadata": {"name": "orders", "namespace": "shop"}, "spec": spec | changes}


def cronjob(name: str, *words: str) -> Object:
    pod = {"containers": [{"name": "run", "args": list(words)}]}
    return {"metadata": {"name": name}, "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}


def job(name: str, *words: str, owner: str = "") -> Object:
    owners = [{"kind": "CronJob", "name": owner}] if owner else []
    pod = {"containers": [{"name": "run", "command": list(words)}]}
    return {"metadata": {"name": name, "ownerReferences": owners}, "spec": {"template": {"spec": pod}}}


LAYOUT = layout_of(DB, statefulset(), read_configuration(CONF))


def test_a_layout_is_read_from_the_statefulset_and_the_configuration() -> None:
    assert (
        Layout(DB, "db", "orders", "/data", "disk-orders-0", "store-ca", "backup-settings", has_record=False) == LAYOUT
    )
    assert LAYOUT.pod == "orders-0"


def test_what_the_objects_do_not_tell_is_as_pgwizard_writes_it() -> None:
    bare = {"template": {"spec": {"containers": [{"name": "postgresql"}]}}}
    usual = Layout.of(DB)
    result = layout_of(DB, {"metadata": {}, "spec": bare}, {})
    assert (result.stanza, result.data, result.claim, result.ca) == (usual.stanza, usual.data, usual.claim, usual.ca)


def test_an_option_of_the_stanza_wins_over_the_global_one() -> None:
    result = read_configuration(CONF)
    assert [option(result, "orders", name) for name in ("repo1-retention-full", "repo1-path", "compress-level")] == [
        "7",
        "/backups",
        None,
    ]


@pytest.mark.parametrize(
    ("words", "is_own"),
    [
        (("exec", "orders-0", "--", "pgbackrest", "--stanza=orders", "--type=full", "backup"), True),
        (("sh", "-c", "kubectl exec -n shop sts/orders -c db -- pgbackrest --type diff backup"), True),
        (("exec", "orders-0", "--", "bash", "/etc/pgbackrest/apart.sh", "backup.sh", "full"), True),
        (("exec", "orders-01", "--", "pgbackrest", "backup"), False),
        (("exec", "old-orders-0", "--", "pgbackrest", "backup"), False),
        (("exec", "orders-0", "--", "pgbackrest", "check"), False),
        (("exec", "orders-0", "--", "pg_dump", "-f", "/backup/x"), False),
    ],
)
def test_a_schedule_is_known_by_what_it_runs(words: tuple[str, ...], is_own: bool) -> None:
    assert LAYOUT.is_schedule(cronjob("nightly", *words)) is is_own
    assert LAYOUT.is_backup(job("nightly-1", *words)) is is_own


def test_with_a_record_only_the_names_of_pgwizard_count() -> None:
    usual = Layout.of(DB)
    words = ("exec", "orders-0", "--", "pgbackrest", "backup")
    assert not usual.is_schedule(cronjob("nightly", *words))
    assert usual.is_schedule(cronjob("orders-pgbackrest-full"))
    assert usual.is_backup(job("orders-pgbackrest-init"))
    assert usual.is_backup(job("x", owner="orders-pgbackrest-incr"))


@pytest.mark.parametrize(
    ("workload", "kind"),
    [
        (cronjob("orders-pgbackrest-full"), "full"),
        (job("orders-pgbackrest-full-2", owner="orders-pgbackrest-incr"), "incr"),
        (cronjob("weekly", "exec", "orders-0", "--", "pgbackrest", "--type=full", "backup"), "full"),
        (cronjob("full-of-errors", "pgbackrest --type 'diff' backup"), "incr"),
        (cronjob("weekly-full", "/scripts/run.sh"), "full"),
        (cronjob("nightly", "pgbackrest backup"), "incr"),
    ],
)
def test_the_type_of_a_backup_is_read_from_the_command(workload: Object, kind: str) -> None:
    assert backup_type(workload, "orders") == kind


def test_pgbackrest_is_seen_by_configuration_variables_or_image() -> None:
    assert uses_pgbackrest(statefulset())
    for container, has in (
        ({"image": "postgres:15"}, False),
        ({"image": "x/postgres-pgbackrest:15"}, True),
        ({"image": "postgres:15", "env": [{"name": "PGBACKREST_REPO1_PATH", "value": "/b"}]}, True),
    ):
        assert uses_pgbackrest(statefulset(template={"spec": {"containers": [container]}})) is has
    owned = statefulset()
    owned["metadata"]["ownerReferences"] = [{"kind": "PostgresCluster", "controller": True}]
    assert not uses_pgbackrest(owned), "an operator's own business"


@pytest.mark.parametrize("text", ["no section", "[a\n=", "\x00"])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"pgbackrest\.conf cannot be read"):
        read_configuration(text)
