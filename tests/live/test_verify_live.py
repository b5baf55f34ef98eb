"""What a verification finds in real repositories, with each pgBackRest that there is an image of."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import rig_s3
from support.archives import files
from support.live_releases import Site, site
from support.restores import PAIRS, build, images
from support.rigtools import LIVE, first_at_least

pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE
SMALL = {"resources": {"cpuRequest": "20m", "memoryRequest": "64Mi"}}
VERIFY = "postgresql-backup-verify"


@pytest.fixture(params=first_at_least(PAIRS))
def place(request: pytest.FixtureRequest, kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    if "PGWIZARD_TEST_RIG" not in os.environ:
        pytest.skip("PGWIZARD_TEST_RIG is not set: nothing builds the image")
    build(os.environ["PGWIZARD_TEST_RIG"], request.param)
    with site(kubectl_binary, tmp_path, prefix="pgw-verify") as scene:
        scene.apply({**SMALL, "images": images(request.param)})
        yield scene


def largest(place: Site, folder: str, part: str) -> str:
    """The largest file below a folder of the repository whose name has this part, as a path of the bucket."""
    name = max((size, name) for name, size in files(place, folder).items() if part in name)[1]
    return rig_s3.object_path(f"{place.path}/{folder}/{name}")


def scheduled(place: Site, name: str) -> tuple[str, str]:
    """How a Job of the schedule ended, and its log."""
    place.run_job(VERIFY, name)
    return place.kubectl.wait_for_end(name), place.logs(name)


def by_hand(place: Site, expect: int) -> Any:
    """The result of ``pgwizard verify``."""
    command = place.command(None, "verify", "postgresql", f"--namespace={place.kubectl.namespace}", "--json")
    return json.loads(place.pgwizard(*command, expect=expect).out)


def test_a_verification_tells_a_sound_repository_from_a_damaged_and_an_incomplete_one(place: Site) -> None:
    [label] = (backup["label"] for backup in place.info()["backup"])
    end, log = scheduled(place, "sound")
    assert (end, log.splitlines()[-1]) == ("Complete", "valid backups: 1"), log
    result = by_hand(place, 0)
    assert (result["backups"], result["damaged"], result["segments"]) == (1, [], []), result
    assert result["segmentsChecked"] == result["segmentsValid"] > 0, result

    bundle = largest(place, f"backup/main/{label}", "bundle/")
    whole = rig_s3.request("GET", bundle)
    rig_s3.request("PUT", bundle, body=whole[:90_000] + b"garbage" + whole[90_007:])
    end, log = scheduled(place, "damaged")
    assert end == "Failed", log
    assert "valid backups: 0" in log.splitlines(), log
    assert re.search(rf"backup: {label}, status: invalid, .*\n.*checksum invalid: [1-9]", log), log
    [damaged] = by_hand(place, 11)["damaged"]
    assert (damaged["label"], damaged["files"]) == (label, 1)

    rig_s3.request("DELETE", bundle)
    end, log = scheduled(place, "missing")
    assert end == "Failed", log
    assert "valid backups: 0" in log.splitlines(), log
    result = by_hand(place, 11)
    [damaged] = result["damaged"]
    assert damaged["label"] == label
    assert damaged["files"] > 1, "all files of the bundle are missing"
    assert {name.partition("/")[0] for name in result["files"]} == {label}, result

    rig_s3.request("PUT", bundle, body=whole)
    segment = largest(place, "archive/main", ".gz")
    content = rig_s3.request("GET", segment)
    rig_s3.request("PUT", segment, body=content[:5_000] + b"garbage" + content[5_007:])
    end, log = scheduled(place, "segment")
    assert end == "Failed", log
    result = by_hand(place, 11)
    assert result["segmentsChecked"] == result["segmentsValid"] + 1, result
    assert [segment.rpartition("/")[2].startswith(name) for name in result["segments"]] == [True], result
    assert result["damaged"] == [], result
