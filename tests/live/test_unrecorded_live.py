"""The status of releases that pgwizard did not install: by Helm, by kubectl, and by hand with names of its own."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.helm import HELM
from support.live_releases import HOOK, Done, Site, site
from support.rigtools import KUBECONFIG, LIVE, LONG
from support.waiting import DEADLINE_SECONDS, KUBECTL_DEADLINE

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]

SECRETS: dict[str, Any] = {
    "credentials": {"from": "existing", "secret": "superuser"},
    "repository": {"credentials": {"from": "existing", "secret": "s3"}},
}


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    """A namespace with the Secrets that the releases refer to."""
    with site(kubectl_binary, tmp_path, "purpose=unrecorded", create=False) as scene:
        for name, values in (
            ("superuser", {"username": "postgres", "password": "of-a-test"}),
            ("s3", {"accessKey": os.environ["RIG_S3_ACCESS_KEY"], "secretKey": os.environ["RIG_S3_SECRET_KEY"]}),
        ):
            literals = [f"--from-literal={key}={value}" for key, value in values.items()]
            scene.kubectl.run("create", "secret", "generic", name, *literals)
        yield scene


def verb(place: Site, *words: str, expect: int = 0) -> Done:
    return place.pgwizard(*place.command(None, *words, f"--namespace={place.kubectl.namespace}"), expect=expect)


def status(place: Site, name: str, expect: int = 0) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(verb(place, "status", name, "--json", expect=expect).out)
    return line


def manifests(place: Site, certificate: Path) -> str:
    """The release as ``pgwizard render`` prints it."""
    place.command(SECRETS)  # writes the file of answers
    words = ("render", str(place.folder / "answers.yaml"), f"--ca-file={certificate}")
    return place.pgwizard(*place.command(None, *words)[:-1]).out


@pytest.fixture
def certificate(place: Site) -> Path:
    file = place.folder / "ca.crt"
    result = place.kubectl.json("get", "secret", "minio-tls", "--namespace=minio")
    file.write_bytes(base64.b64decode(result["data"]["tls.crt"]))
    return file


@pytest.mark.skipif(HELM is None, reason="helm is neither in RIG_HELM nor on PATH")
def test_a_release_of_helm_has_the_verdict_windows_and_exit_codes_of_any_other(place: Site) -> None:
    place.command(SECRETS)
    chart = place.folder / "chart"
    place.pgwizard(*place.command(None, "export", str(place.folder / "answers.yaml"), "-o", str(chart))[:-1])
    command = [str(HELM), f"--kubeconfig={KUBECONFIG}", f"--namespace={place.kubectl.namespace}"]
    subprocess.run(
        [*command, "install", "postgresql", str(chart), "--wait", KUBECTL_DEADLINE],
        check=True,
        capture_output=True,
        timeout=2 * DEADLINE_SECONDS,
    )

    result = status(place, "postgresql")
    assert (result["verdict"]["state"], len(result["verdict"]["windows"])) == ("recoverable", 1)
    assert (result["release"]["hasRecord"], result["release"]["manager"]) == (False, "Helm release postgresql")
    assert {cron["name"] for cron in result["crons"]} == {
        "postgresql-pgbackrest-full",
        "postgresql-pgbackrest-incr",
        "postgresql-backup-verify",
    }
    assert result["certificate"]["source"] == "same"
    [listed] = [json.loads(line) for line in verb(place, "releases", "--json").out.splitlines()]
    assert (listed["name"], listed["outcome"], listed["manager"]) == (
        "postgresql",
        "unrecorded",
        "Helm release postgresql",
    )
    verb(place, "backup", "--type=incr", "-f")
    assert place.backups() == ["full", "incr"]
    assert "✓ valid" in verb(place, "verify").out
    assert "new backup label" in verb(place, "logs").out
    assert "recoverable" in verb(place, "explain", "release/postgresql").err
    refused = verb(place, "uninstall", "postgresql", "--yes", expect=5).output
    assert "has no record: " in refused
    assert "Helm release postgresql manages it" in refused
    verb(place, "restore", "postgresql", "--to=latest", "--dry-run", expect=5)

    place.kubectl.run("patch", "cronjob", "postgresql-pgbackrest-full", "--patch", '{"spec": {"suspend": true}}')
    assert status(place, "postgresql", expect=11)["verdict"]["state"] == "at risk"


def test_rendered_manifests_that_kubectl_applied_have_a_status(place: Site, certificate: Path) -> None:
    file = place.folder / "manifests.yaml"
    file.write_text(manifests(place, certificate))
    place.kubectl.run("apply", "-f", str(file))
    place.ended(HOOK)
    result = status(place, "postgresql")
    assert (result["verdict"]["state"], result["release"]["manager"]) == ("recoverable", "kubectl")


def test_a_release_written_by_hand_is_found_by_what_its_objects_do(place: Site, certificate: Path) -> None:
    """Other names for everything but the StatefulSet: ConfigMap, stanza, container, claim, CronJob, Secret."""
    text = manifests(place, certificate)
    for name, other in (
        ("postgresql-pgbackrest-config", "backup-settings"),
        ("postgresql-config", "server-settings"),
        ("postgresql-minio-ca", "store-ca"),
        ("postgresql-pgbackrest-full", "weekly"),
        ("postgresql-pgbackrest-incr", "nightly"),
        ("postgresql-storage", "disk"),
        ("--container=postgresql", "--container=db"),
        ("- name: postgresql\n          image", "- name: db\n          image"),
        ("[main]", "[orders]"),
        ("--stanza=main", "--stanza=orders"),
    ):
        assert name in text
        text = text.replace(name, other)
    file = place.folder / "by-hand.yaml"
    file.write_text(text)
    place.kubectl.run("apply", "-f", str(file))
    place.kubectl.run("delete", "job", HOOK)
    place.kubectl.run("wait", "--for=condition=Ready", "pod/postgresql-0", KUBECTL_DEADLINE)
    for command in ("stanza-create", "check", "backup"):
        words = (
            ("pgbackrest", "--stanza=orders", "--type=full")
            if command == "backup"
            else ("pgbackrest", "--stanza=orders")
        )
        place.kubectl.run("exec", "postgresql-0", "--container=db", "--", *words, command)
    result = status(place, "postgresql")
    assert (result["verdict"]["state"], result["stanza"]) == ("recoverable", "")
    assert {cron["name"]: cron["kind"] for cron in result["crons"]} == {
        "nightly": "incr",
        "weekly": "full",
        "postgresql-backup-verify": "verify",
    }
    assert result["certificate"]["source"] == "same"
    assert result["volume"]["size"] > 0
    verb(place, "backup", "--type=full", "-f")
    assert len(status(place, "postgresql")["backups"]) == 2
    verb(place, "verify")
