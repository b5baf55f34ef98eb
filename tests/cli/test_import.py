"""``pgwizard import``: answers on standard output, what no answer expresses on standard error."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgwizard.kube.api import Ref
from pgwizard.simulator.cluster import SimCluster
from support import headless
from support.faulting import STATEFULSET

MANY: dict[str, Any] = {
    "release": {"name": "shop", "namespace": "orders", "createNamespace": True, "database": "orders"},
    "credentials": {"from": "env", "username": "DB_USER", "password": "DB_PASSWORD"},
    "storage": {"size": "20.5Gi", "storageClass": "standard"},
    "tuning": {
        "profile": "oltp",
        "memory": "3G",
        "cpu": "4",
        "disk": "nvme",
        "parameters": {"max_parallel_workers": "2", "log_line_prefix": "%m it's "},
    },
    "resources": {"cpuLimit": "5500m", "memoryRequest": "0.5Gi"},
    "repository": {
        "credentials": {"from": "env", "accessKey": "S3_KEY", "secretKey": "S3_SECRET"},
        "cipher": {"from": "env", "passphrase": "PASSPHRASE"},
    },
    "compression": {"type": "zst", "level": 5},
    "advanced": {
        "archiveAsync": True,
        "archivePushQueueMax": "1.5Gi",
        "networkPolicy": True,
        "prometheusRule": True,
        "options": {"repo1-retention-diff": 3, "delta": True},
    },
    "jobs": {"labels": {"team": "data"}, "annotations": {"linkerd.io/inject": "disabled"}},
}
VARIABLES = {
    "DB_USER": "owner",
    "DB_PASSWORD": "hunter2",
    "S3_KEY": "an id",
    "S3_SECRET": "a key",
    "PASSPHRASE": "long",
}


def pgwizard(*arguments: str, code: int = 0) -> headless.Run:
    done = headless.run(*arguments, "--demo")
    assert done.code == code, done.out + done.err
    return done


@pytest.mark.parametrize("given", [{}, MANY], ids=["defaults", "many"])
@pytest.mark.usefixtures("sim")
def test_what_was_applied_is_imported_as_answers_without_a_difference(
    given: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    (folder / "answers.yaml").write_text(yaml.safe_dump(given))
    pgwizard("apply", "answers.yaml", "--yes")
    for name in VARIABLES:
        monkeypatch.delenv(name)
    name, namespace = (given.get("release", {}).get(key, default) for key, default in NAMED.items())

    done = pgwizard("import", name, "-n", namespace, "-o", "imported.yaml", "--exit-code")

    assert (done.out, done.err) == ("", "")
    assert "hunter2" not in (folder / "imported.yaml").read_text()
    pgwizard("diff", "imported.yaml", "--exit-code")


NAMED = {"name": "postgresql", "namespace": "default"}


@pytest.mark.usefixtures("sim")
def test_without_its_file_a_certificate_is_compared_with_the_one_that_the_release_has(folder: Path) -> None:
    trust = {"tls": {"source": None, "caFile": "trust.crt"}}
    (folder / "answers.yaml").write_text(yaml.safe_dump(trust))
    (folder / "trust.crt").write_bytes(headless.CA.read_bytes())
    pgwizard("apply", "answers.yaml", "--yes")
    pgwizard("import", "postgresql", "-o", "imported.yaml")
    (folder / "trust.crt").unlink()

    done = pgwizard("diff", "imported.yaml", "--exit-code")

    (warning,) = [line for line in done.err.splitlines() if line.startswith("warning")]
    assert "trust.crt: cannot be read: No such file" in warning
    assert warning.endswith("compared with the certificate that the release has")
    refused = pgwizard("apply", "imported.yaml", "--yes", code=2)
    assert "trust.crt: cannot be read: No such file" in refused.err


@pytest.mark.usefixtures("sim")
def test_without_its_file_and_without_a_release_a_certificate_is_missing(folder: Path) -> None:
    (folder / "answers.yaml").write_text(yaml.safe_dump({"tls": {"source": None, "caFile": "trust.crt"}}))
    done = pgwizard("diff", "answers.yaml", code=2)
    assert "trust.crt: cannot be read: No such file" in done.err


def test_a_sidecar_is_a_warning_and_an_exit_code(sim: SimCluster, answers: str) -> None:
    pgwizard("apply", answers, "--yes")
    pod = {"containers": [{"name": "metrics", "image": "exporter:1"}]}

    async def add_sidecar() -> None:
        async with sim:
            ref = Ref(STATEFULSET, "postgresql", "default")
            live = await sim.get(ref)
            containers = [*live["spec"]["template"]["spec"]["containers"], *pod["containers"]]
            await sim.patch(ref, {"spec": {"template": {"spec": {"containers": containers}}}})

    asyncio.run(add_sidecar())
    text = "StatefulSet postgresql: spec.template.spec.containers[metrics]"
    done = pgwizard("import", "postgresql", "--exit-code", code=1)
    assert (yaml.safe_load(done.out), done.err) == ({"release": NAMED}, f"warning: {text}\n")
    as_json = pgwizard("import", "postgresql", "--json")
    assert (json.loads(as_json.out), json.loads(as_json.err)["message"]) == ({"release": NAMED}, text)


def test_a_configuration_in_a_projected_volume_is_read(sim: SimCluster, answers: str) -> None:
    """Else the answers would take no backups, and an apply of them would end those of the release."""
    pgwizard("apply", answers, "--yes")

    async def project() -> None:
        async with sim:
            ref = Ref(STATEFULSET, "postgresql", "default")
            volumes = (await sim.get(ref))["spec"]["template"]["spec"]["volumes"]
            projected = [_projected(volume) if "configMap" in volume else volume for volume in volumes]
            assert projected != volumes
            await sim.patch(ref, {"spec": {"template": {"spec": {"volumes": projected}}}})

    asyncio.run(project())
    done = pgwizard("import", "postgresql")
    assert yaml.safe_load(done.out) == {"release": NAMED}
    assert "volumes[pgbackrest-config] is of another kind" in done.err


def _projected(volume: dict[str, Any]) -> dict[str, Any]:
    sources = [{"secret": {"name": "extra"}}, {"configMap": {"name": volume["configMap"]["name"]}}]
    return {"name": volume["name"], "projected": {"sources": sources}}


@pytest.mark.usefixtures("sim")
def test_a_release_that_does_not_exist_is_named() -> None:
    done = pgwizard("import", "shop", "-n", "orders", code=5)
    assert done.out == ""
    assert done.err.splitlines()[0] == "pgwizard: there is no StatefulSet shop in namespace orders"


@pytest.mark.usefixtures("sim")
def test_an_existing_file_is_not_replaced(answers: str) -> None:
    pgwizard("apply", answers, "--yes")
    done = pgwizard("import", "postgresql", "-o", answers, code=3)
    assert "answers.yaml exists already: nothing was written" in done.err
