"""The script of the Job of a restore, and the receipt that it prints."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import pgwizard
from pgwizard.restore.job import Receipt, receipt_of, shortfall
from pgwizard.restore.target import RestorePlan

SCRIPT = Path(pgwizard.__file__).parent / "restore" / "restore.sh"
AT = datetime(2026, 11, 27, 21, 0, 4, tzinfo=UTC)
FOUND = {
    "timeline": 2,
    "lsn": "1/9002478",
    "reason": "before 2026-11-27 21:00:05.473485+00",
    "restoreSeconds": 3,
    "recoverySeconds": 4,
}
RECEIPT = Receipt(2, 0x109002478, "before 2026-11-27 21:00:05.473485+00", 3, 4)
PLAN = RestorePlan(
    target="2026-11-27 21:00:04 UTC",
    backup="A",
    timeline=1,
    type="time",
    value="",
    is_exclusive=False,
    must_reach=0,
    left=1,
    lost_since=AT,
    lost_until=AT,
    segments=1,
    bytes=1,
    seconds=1,
    at=AT,
)


def test_the_script_passes_shellcheck() -> None:
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    command = [str(shellcheck), "--shell=bash", "--severity=style", str(SCRIPT)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""


def test_the_script_gives_no_secret_to_a_command_line_and_keeps_archiving_on() -> None:
    lines = [line for line in SCRIPT.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert [line for line in lines if "PASSWORD" in line] == [
        "\\getenv password POSTGRES_PASSWORD",
        "ALTER ROLE :\"name\" PASSWORD :'password';",
    ]
    assert not [line for line in lines if "archive_mode" in line or "archive-mode" in line]


def test_a_receipt_is_the_last_such_line_of_the_log() -> None:
    log = ["pgwizard-receipt {}", f"pgwizard-receipt {json.dumps(FOUND)}", "bye"]
    assert receipt_of(log) == RECEIPT
    hostile = {**FOUND, "reason": 'at restore point "\x1b[2J"'}
    assert "\x1b" not in receipt_of([f"pgwizard-receipt {json.dumps(hostile)}"]).reason


@pytest.mark.parametrize("line", ["{}", "[]", "5", "{", json.dumps({**FOUND, "lsn": "x"})])
def test_another_line_in_the_place_of_a_receipt_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="the receipt of the Job cannot be read"):
        receipt_of([f"pgwizard-receipt {line}"])
    with pytest.raises(ValueError, match="holds no receipt"):
        receipt_of([line])


def test_a_receipt_is_compared_with_the_plan() -> None:
    assert shortfall(PLAN, RECEIPT) == ""
    assert shortfall(replace(PLAN, must_reach=RECEIPT.lsn), RECEIPT) == ""
    assert shortfall(replace(PLAN, must_reach=RECEIPT.lsn + 1), RECEIPT) == (
        "recovery ended at WAL position 1/9002478, and the archive goes to 1/9002479 at least: a segment between them "
        "is missing or damaged"
    )
    early = replace(RECEIPT, reason="before 2026-11-27 21:00:03+00")
    assert shortfall(PLAN, early) == "recovery stopped at 2026-11-27 21:00:03 UTC, before the target"
