"""What the schedules beside the backups do on a real cluster without pgwizard, and what the status reads of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.archives import change, files, write
from support.live_releases import RECORD, Site, site
from support.rigtools import LIVE, LONG, Kubectl
from support.waiting import KUBECTL_DEADLINE, wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]
SMALL = {"resources": {"cpuRequest": "20m", "memoryRequest": "64Mi"}}
VERIFY, DRILL = "postgresql-backup-verify", "postgresql-backup-drill"


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path, prefix="sched") as found:
        found.apply({**SMALL, "schedule": {"drill": "0 6 2 * *"}})
        found.sql("CREATE TABLE moments (n int)")
        yield found


def status(place: Site, state: str) -> Any:
    command = place.command(None, "status", "postgresql", f"--namespace={place.kubectl.namespace}", "--json")
    found = json.loads(place.pgwizard(*command, expect=0 if state == "recoverable" else 11).out)
    assert found["verdict"]["state"] == state, found["verdict"]
    return found


def status_text(place: Site, expect: int = 0) -> str:
    return place.pgwizard(
        *place.command(None, "status", "postgresql", f"--namespace={place.kubectl.namespace}"), expect=expect
    ).out


def run(place: Site, cronjob: str, name: str) -> str:
    """Start a Job of a schedule; how it ended."""
    place.run_job(cronjob, name)
    return place.kubectl.wait_for_end(name)


def test_a_scheduled_verification_finds_damage_and_the_status_names_it_without_a_record(place: Site) -> None:
    [full] = (backup["label"] for backup in place.info()["backup"])
    assert "; never verified" in status_text(place)
    assert run(place, VERIFY, "sound") == "Complete", place.logs("sound")
    assert re.search(r" ago: valid, 1 backup and \d+ WAL segments", status_text(place))
    logs = place.command(None, "logs", "postgresql", f"--namespace={place.kubectl.namespace}", "--kind", "verify", "-f")
    assert place.pgwizard(*logs).out.splitlines()[-1] == "valid backups: 1"

    bundle = max(
        (size, name) for name, size in files(place, f"backup/main/{full}").items() if name.startswith("bundle/")
    )[1]
    change(
        place,
        f"backup/main/{full}/{bundle}",
        "printf garbage | dd of=/tmp/file bs=1 seek=90000 conv=notrunc status=none",
    )
    status(place, "recoverable")
    assert run(place, VERIFY, "damaged") == "Failed", place.logs("damaged")
    failed = place.pgwizard(*logs, expect=9)
    assert f"backup: {full}, status: invalid" in failed.out
    reasons = [reason["text"] for reason in status(place, "not recoverable")["verdict"]["reasons"]]
    assert any(f"found damaged files in backup {full}: {full}/pg_data/" in reason for reason in reasons), reasons
    place.kubectl.run("delete", "secret", RECORD)
    assert status(place, "not recoverable")["verdict"]["reasons"]
    assert " ago: damaged" in status_text(place, 11)


def test_a_scheduled_drill_proves_the_release_until_the_repository_is_damaged(place: Site) -> None:
    [full] = (backup["label"] for backup in place.info()["backup"])
    write(place, 1)
    assert run(place, DRILL, "sound") == "Complete", place.logs("sound")
    [ended] = [each for each in status(place, "recoverable")["runs"] if each["kind"] == "drill"]
    assert {each["name"]: each["outcome"] for each in ended["drill"]["checks"]} == {
        "restore": "passed",
        "recovery": "passed",
        "wal": "passed",
        "rows": "passed",
        "indexes": "passed",
        "query": "skipped",
        "checksums": "passed" if place.sql("SHOW data_checksums") == "on" else "skipped",
    }
    assert re.search(r"✓ drill       proven by a restore .+ ago to \d{4}-\d\d-\d\d .+ UTC, \d+", status_text(place))
    pod = place.kubectl.json("get", "pods", "--selector=job-name=sound")["items"][0]
    assert not any("token" in volume["name"] or "projected" in volume for volume in pod["spec"]["volumes"])

    bundle = max(
        (size, name) for name, size in files(place, f"backup/main/{full}").items() if name.startswith("bundle/")
    )[1]
    change(place, f"backup/main/{full}/{bundle}", 'head -c "$(stat -c %s /tmp/file)" /dev/urandom > /tmp/file')
    assert run(place, DRILL, "damaged") == "Failed", place.logs("damaged")
    reasons = [reason["text"] for reason in status(place, "at risk")["verdict"]["reasons"]]
    assert any(re.match(r"the drill of \S+ failed: restore: pgBackRest ended with", reason) for reason in reasons), (
        reasons
    )
    place.kubectl.run("delete", "pods", "--selector=job-name=damaged")
    wait_until("the claim of the failed drill is gone", lambda: "damaged" not in claims(place))
    assert "the last drill Job failed: damaged" in status_text(place, 11)


def claims(place: Site) -> str:
    return " ".join(item["metadata"]["name"] for item in place.kubectl.json("get", "pvc")["items"])


CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "prometheusrules.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "scope": "Namespaced",
        "names": {"plural": "prometheusrules", "singular": "prometheusrule", "kind": "PrometheusRule"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    }
                },
            }
        ],
    },
}


@pytest.fixture
def crd(kubectl_binary: str) -> Iterator[Kubectl]:
    """The kind of the Prometheus Operator: made by the test, and removed behind it."""
    kubectl = Kubectl(kubectl_binary)
    if kubectl.outcome("get", "crd", CRD["metadata"]["name"])[0] == 0:
        pytest.skip("the cluster has the Prometheus Operator's kind already")
    yield kubectl
    kubectl.outcome("delete", "crd", CRD["metadata"]["name"], "--ignore-not-found")


def test_alerts_are_added_only_where_the_cluster_has_their_kind(
    kubectl_binary: str, tmp_path: Path, crd: Kubectl
) -> None:
    answers = {**SMALL, "advanced": {"prometheusRule": True}}
    missing = "the cluster has no PrometheusRule (monitoring.coreos.com/v1): no alert is added"
    with site(kubectl_binary, tmp_path, prefix="sched") as place:
        assert missing in place.apply(answers).output
        assert place.settled(answers)
        crd.run("apply", "--filename=-", data=json.dumps(CRD).encode())
        crd.run("wait", "--for=condition=Established", f"crd/{CRD['metadata']['name']}", KUBECTL_DEADLINE)
        done = place.apply(answers).output
        assert missing not in done
        assert "PrometheusRule" in done
        [group] = place.get("prometheusrule", "postgresql-pgbackrest")["spec"]["groups"]
        assert [rule["alert"] for rule in group["rules"]] == [
            "PostgreSQLBackupFailed",
            "PostgreSQLBackupCheckFailed",
            "PostgreSQLBackupMissed",
            "PostgreSQLBackupSuspended",
            "PostgreSQLBackupScheduleAbsent",
        ]
        assert place.settled(answers)
        crd.run("delete", "crd", CRD["metadata"]["name"])
        assert missing in place.apply(answers).output
        place.uninstall("--yes")
