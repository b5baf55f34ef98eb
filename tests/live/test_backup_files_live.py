"""What the status claims of the files of real backups, beside what a real restore does with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.archives import change, files, mend, remove
from support.live_releases import INCREMENTAL, Site, site
from support.restoring import recover
from support.rigtools import LIVE, LONG

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]
SMALL = {"resources": {"cpuRequest": "20m", "memoryRequest": "64Mi"}}


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path) as scene:
        scene.apply(SMALL)
        scene.sql("CREATE TABLE moments (n int)")
        scene.sql("INSERT INTO moments VALUES (1)")
        yield scene


def status(place: Site, state: str) -> Any:
    command = place.command(None, "status", "postgresql", f"--namespace={place.kubectl.namespace}", "--json")
    output = json.loads(place.pgwizard(*command, expect=0 if state == "recoverable" else 11).out)
    assert output["verdict"]["state"] == state, output["verdict"]
    return output


def test_files_that_are_gone_or_cut_off_are_named_and_a_restore_fails_on_them(place: Site) -> None:
    place.run_job(INCREMENTAL, "unaffected")
    place.ended("unaffected")
    full, newer = (backup["label"] for backup in place.info()["backup"])
    whole = status(place, "recoverable")
    assert [backup["files"]["faultCount"] for backup in whole["backups"]] == [0, 0]

    [bundle, *_] = [name for name in files(place, f"backup/main/{full}") if name.startswith("bundle/")]
    size = files(place, f"backup/main/{full}")[bundle]
    change(place, f"backup/main/{full}/{bundle}", "truncate --size=-100 /tmp/file")
    broken = status(place, "not recoverable")
    texts = [reason["text"] for reason in broken["verdict"]["reasons"]]
    fault = f"{bundle} has {size - 100:,} bytes, its manifest {size:,}"
    assert f"backup {full} cannot be restored: {fault}; nor can {newer}" in texts
    reached = recover(place, "cut-off", f"--set={newer}")
    assert reached.code != 0
    assert place.info()["status"]["message"] == "ok", "pgbackrest info does not notice it"

    mend(place, f"backup/main/{full}/{bundle}")
    status(place, "recoverable")
    reached = recover(place, "mended", f"--set={newer}")
    assert (reached.code, reached.rows) == (0, "1"), reached.log

    remove(place, f"backup/main/{newer}/pg_data/backup_label.gz")
    lacking = status(place, "at risk")
    assert [window["base"] for window in lacking["verdict"]["windows"]] == [full]
    assert f"backup {newer} cannot be restored: pg_data/backup_label.gz is missing" in [
        reason["text"] for reason in lacking["verdict"]["reasons"]
    ]
    assert recover(place, "missing", f"--set={newer}").code != 0
    assert recover(place, "older", f"--set={full}").rows == "1"


def test_contents_that_changed_are_found_by_a_verification_alone(place: Site) -> None:
    [full] = (backup["label"] for backup in place.info()["backup"])
    where = f"--namespace={place.kubectl.namespace}"
    done = place.pgwizard(*place.command(None, "verify", "postgresql", where, "--json"))
    assert json.loads(done.out)["damaged"] == []
    status(place, "recoverable")

    bundle = max(
        (size, name) for name, size in files(place, f"backup/main/{full}").items() if name.startswith("bundle/")
    )[1]
    change(
        place,
        f"backup/main/{full}/{bundle}",
        "printf garbage | dd of=/tmp/file bs=1 seek=90000 conv=notrunc status=none",
    )
    status(place, "recoverable")
    done = place.pgwizard(*place.command(None, "verify", "postgresql", where, "--json"), expect=11)
    output = json.loads(done.out)
    assert [each["label"] for each in output["damaged"]] == [full]
    broken = status(place, "not recoverable")
    assert f"found damaged files in backup {full}: {full}/pg_data/" in broken["verdict"]["reasons"][1]["text"]
    assert recover(place, "garbage", f"--set={full}").code != 0
