"""The script of the scheduled verification: what its exit code and the end of its log are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pgwizard.plan.manifests import templates_dir
from support.waiting import DEADLINE_SECONDS

VALID = """stanza: main
status: ok
  archiveId: 15-1, total WAL checked: 7, total valid WAL: 7
  backup: 20261128-172845F, status: valid, total files checked: 971, total valid files: 971
"""
DAMAGED = VALID.replace("status: ok", "status: error") + (
    "  backup: 20261128-180000F, status: invalid, total files checked: 971, total valid files: 970\n"
    "    missing: 0, checksum invalid: 1, size invalid: 0, other: 0\n"
)
LOST = VALID.replace("total valid WAL: 7", "total valid WAL: 6")


@pytest.mark.parametrize(
    ("report", "code", "valid"),
    [(VALID, 0, 1), (DAMAGED, 1, 1), (LOST, 1, 1), ("", 1, 0)],
    ids=["valid", "backup damaged", "segment damaged", "no report"],
)
def test_the_report_decides_on_the_exit_code_and_valid_backups_are_counted(
    report: str, code: int, valid: int, tmp_path: Path
) -> None:
    program = tmp_path / "pgbackrest"
    program.write_text(f"#!/bin/bash\ncat <<'END'\n{report}END\n")
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", str(templates_dir() / "files" / "verify.sh")],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert done.returncode == code, done
    assert "20261128-172845F" not in done.stdout
    assert done.stdout.splitlines()[-1] == f"valid backups: {valid}"
    assert ("20261128-180000F, status: invalid" in done.stdout) is ("180000F" in report)
