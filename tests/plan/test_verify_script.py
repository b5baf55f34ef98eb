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
    ("report", "code", "is_listed"),
    [(VALID, 0, False), (DAMAGED, 1, False), (LOST, 1, False), ("", 1, False)],
    ids=["valid", "backup damaged", "segment damaged", "no report"],
)
def test_the_report_decides_on_the_exit_code(report: str, code: int, is_listed: bool, tmp_path: Path) -> None:
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
    assert ("20261128-172845F" in done.stdout) is is_listed
    assert ("20261128-180000F, status: invalid" in done.stdout) is ("180000F" in report)
