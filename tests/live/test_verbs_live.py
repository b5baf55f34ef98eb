"""The verbs of the command line on a real cluster: how an apply says to connect, backups by hand, their logs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.live_releases import Site, site
from support.rigtools import LIVE

pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path) as scene:
        yield scene


def test_a_release_is_connected_to_backed_up_and_read_by_verbs(place: Site, kubectl_binary: str) -> None:
    def verb(name: str, *arguments: str, expect: int = 0) -> list[dict[str, object]]:
        where = f"--namespace={place.kubectl.namespace}"
        done = place.pgwizard(*place.command(None, name, where, "--json", *arguments), expect=expect)
        return [json.loads(line) for line in done.out.splitlines()]

    applied = [json.loads(line) for line in place.apply({}, "--json").out.splitlines()]
    _connects(applied[-1]["connect"], kubectl_binary)
    (started, *log) = verb("backup", "--follow")
    assert (started["type"], started["backup"]) == ("job", "incr")
    assert "backup command end: completed successfully" in str(log)
    assert place.backups() == ["full", "incr"]
    (other,) = verb("backup", "--type", "full")
    assert "expire command end" in str(verb("logs", "-f")[-1]["text"])
    assert {line["job"] for line in verb("logs", "--tail", "1")} == {other["name"]}
    assert place.backups() == ["full", "incr", "full"]
    assert [line["name"] for line in verb("releases")] == ["postgresql"]


def _connects(commands: list[str], kubectl: str) -> None:
    """The two commands that an apply ends with, in a shell as a person has it."""
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed here: the commands that connect are not tried")
    read, opened = commands
    script = "\n".join([read, opened.replace("; kill", " -Atc 'SELECT 6 * 7'; kill")])
    path = f"{Path(kubectl).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env={**os.environ, "PATH": path},
    )
    assert done.stdout == "42\n", done.stderr
