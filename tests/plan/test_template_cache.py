"""Compiled templates are kept beside compiled modules, and nothing depends on their being there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.waiting import DEADLINE_SECONDS

ROOT = Path(__file__).parents[2]


def manifests_with(prefix: Path) -> str:
    """The manifests of the example, by a process that keeps what it compiles under this folder."""
    answers, ca_file = ROOT / "examples" / "answers.yaml", ROOT / "examples" / "minio-ca.crt"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pgwizard", "--headless", str(answers), "--ca-file", str(ca_file)],
        env={**environment, "PYTHONPYCACHEPREFIX": str(prefix), "PGWIZARD_TRACEBACK": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def kept(prefix: Path) -> list[Path]:
    return sorted(prefix.rglob("template-*"))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")  # one for all: the first run compiles every library into it


def test_a_second_run_reads_what_the_first_kept_and_prints_the_same(prefix: Path) -> None:
    first = manifests_with(prefix)
    written = {file: file.stat().st_mtime_ns for file in kept(prefix)}

    assert manifests_with(prefix) == first
    assert {file: file.stat().st_mtime_ns for file in kept(prefix)} == written
    assert len(written) > 15


def test_broken_files_are_compiled_again(prefix: Path) -> None:
    first = manifests_with(prefix)
    files = {file: file.read_bytes() for file in kept(prefix)}
    for number, (file, content) in enumerate(files.items()):
        file.write_bytes(content[: number * 10] if number % 2 else content[:-number])

    assert manifests_with(prefix) == first
    assert {file: file.read_bytes() for file in kept(prefix)} == files


def test_without_a_writable_folder_nothing_is_cached(prefix: Path, tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")

    assert manifests_with(occupied) == manifests_with(prefix)
    assert occupied.read_text() == ""
