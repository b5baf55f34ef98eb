"""Schedules against robfig/cron, which Kubernetes uses: its committed table, and a new one where Go is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pgwizard.plan.cron import CronSchedule
from support.agreement import Row

CHECKOUT = Path(__file__).parents[2]
FIXTURE = CHECKOUT / "tests" / "fixtures" / "robfig_cron.jsonl"
TOOL = CHECKOUT / "tools" / "cron_fixture"


def compare() -> Iterator[Row]:
    """The committed table, then the output of its program now."""
    yield _row("robfig/cron 3.0.1, committed table", FIXTURE.read_text())
    oracle = "robfig/cron 3.0.1, run now"
    go = shutil.which("go")
    if go is None:
        yield Row("cron", oracle, absent="Go is not installed")
        return
    done = subprocess.run([go, "run", "."], cwd=TOOL, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        yield Row("cron", oracle, absent=f"does not build: {done.stderr.strip().splitlines()[-1]}")
    else:
        yield _row(oracle, done.stdout)


def _row(oracle: str, text: str) -> Row:
    lines, wrong = [json.loads(line) for line in text.splitlines()], []
    for line in lines:
        after = datetime.fromisoformat(line["after"]).astimezone(ZoneInfo(line["zone"]))
        runs = [at.astimezone(UTC) for at in CronSchedule(line["schedule"]).upcoming(after, len(line["runs"]))]
        if runs != [datetime.fromisoformat(run) for run in line["runs"]]:
            wrong.append(f"{line['schedule']} in {line['zone']} after {line['after']}")
    return Row("cron", oracle, len(lines), tuple(wrong))
