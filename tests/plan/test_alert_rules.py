"""Prometheus reads the alerts: each fires where it should, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.exported_cronjobs import PROMTOOL, CronJob, Run, alerts_by_minute, check_rules
from support.headless import answers_of, rendered

pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not on PATH: nothing reads the rules")

_DAY = 24 * 60
_END = 2 * _DAY


def groups() -> list[Any]:
    rule = rendered(answers_of(release={"name": "shop", "namespace": "db"}, advanced={"prometheusRule": True}))
    items: list[Any] = rule["prometheus-rule"]["spec"]["groups"]
    return items


def runs(every: int, minutes: int = 10) -> tuple[Run, ...]:
    """A run at each of its times, all of which end well."""
    return tuple(Run(begin, begin + minutes) for begin in range(every, _END, every))


def changed(items: tuple[Run, ...], number: int, **fields: Any) -> tuple[Run, ...]:
    """The runs with one of them changed."""
    return tuple(replace(run, **fields) if index == number else run for index, run in enumerate(items))


FULL = CronJob("shop-pgbackrest-full", _DAY, runs(_DAY))
INCREMENTAL = CronJob("shop-pgbackrest-incr", 240, runs(240))
VERIFY = CronJob("shop-backup-verify", _DAY, runs(_DAY))
DRILL = CronJob("shop-backup-drill", _DAY, runs(_DAY))
FAILED, CHECK, MISSED, SUSPENDED, ABSENT = (
    f"PostgreSQLBackup{name}" for name in ("Failed", "CheckFailed", "Missed", "Suspended", "ScheduleAbsent")
)

SCENARIOS: dict[str, tuple[list[CronJob], dict[str, tuple[int, int]]]] = {
    "all is well": ([FULL, INCREMENTAL, VERIFY, DRILL], {}),
    "a run fails, and the next one ends well": (
        [FULL, replace(INCREMENTAL, runs=changed(INCREMENTAL.runs, 1, passed=False))],
        {f"{FAILED} {INCREMENTAL.name}": (490 + 15, 720)},
    ),
    "the first run of all fails": (
        [FULL, replace(INCREMENTAL, runs=changed(INCREMENTAL.runs, 0, passed=False))],
        {f"{FAILED} {INCREMENTAL.name}": (250 + 15, 480)},
    ),
    "every full backup fails": (
        [replace(FULL, runs=(Run(_DAY, _DAY + 10, passed=False),)), INCREMENTAL],
        {f"{FAILED} {FULL.name}": (_DAY + 10 + 15, _END)},
    ),
    "a failed run is followed by one by hand": (
        [replace(FULL, runs=(Run(_DAY, _DAY + 10, passed=False), Run(_DAY + 100, _DAY + 120))), INCREMENTAL],
        {f"{FAILED} {FULL.name}": (_DAY + 10 + 15, _DAY + 100)},
    ),
    "a backup takes half a day": ([replace(FULL, runs=(Run(_DAY, _DAY + 720),)), INCREMENTAL], {}),
    "no run has begun, though two were due": (
        [FULL, replace(INCREMENTAL, runs=())],
        {f"{MISSED} {INCREMENTAL.name}": (240 + 120 + 1 + 5, _END)},
    ),
    "a run begins three hours late": (
        [FULL, replace(INCREMENTAL, runs=(*INCREMENTAL.runs[:1], Run(660, 670), *INCREMENTAL.runs[2:]))],
        {f"{MISSED} {INCREMENTAL.name}": (480 + 120 + 1 + 5, 660)},
    ),
    "a schedule never comes": (
        [replace(FULL, every=None, runs=()), INCREMENTAL],
        {f"{MISSED} {FULL.name}": (5, _END)},
    ),
    "a schedule is suspended": (
        [replace(FULL, suspended=100, runs=()), INCREMENTAL],
        {f"{SUSPENDED} {FULL.name}": (160, _END)},
    ),
    "the schedule of full backups is deleted": (
        [replace(FULL, deleted=100), INCREMENTAL],
        {f"{ABSENT} {FULL.name}": (115, _END)},
    ),
    "nothing exports the CronJobs": ([], {f"{ABSENT} {FULL.name}": (15, _END)}),
    "a verification fails": (
        [FULL, INCREMENTAL, replace(VERIFY, runs=changed(VERIFY.runs, 0, passed=False))],
        {f"{CHECK} {VERIFY.name}": (_DAY + 10 + 15, _END)},
    ),
    "a drill fails": (
        [FULL, INCREMENTAL, VERIFY, replace(DRILL, runs=changed(DRILL.runs, 0, passed=False))],
        {f"{CHECK} {DRILL.name}": (_DAY + 10 + 15, _END)},
    ),
    "verification and drill are suspended": (
        [FULL, INCREMENTAL, replace(VERIFY, suspended=0, runs=()), replace(DRILL, suspended=0, runs=())],
        {},
    ),
    "two instances export a failed run": (
        [FULL, replace(INCREMENTAL, runs=changed(INCREMENTAL.runs, 1, passed=False), instances=("a", "b"))],
        {f"{FAILED} {INCREMENTAL.name}": (490 + 15, 720)},
    ),
    "other releases fail": (
        [
            FULL,
            INCREMENTAL,
            replace(FULL, namespace="other", runs=(Run(_DAY, _DAY + 10, passed=False),)),
            replace(FULL, name="shop-2-pgbackrest-full", runs=(Run(_DAY, _DAY + 10, passed=False),)),
            replace(INCREMENTAL, name="my-shop-pgbackrest-incr", suspended=0, runs=()),
        ],
        {},
    ),
}


def test_promtool_finds_no_fault_in_the_rules(tmp_path: Path) -> None:
    assert check_rules(groups(), tmp_path) == ""


@pytest.mark.parametrize(("crons", "firing"), SCENARIOS.values(), ids=SCENARIOS)
def test_each_alert_fires_from_its_minute_to_its_end_and_no_other_does(
    crons: list[CronJob], firing: dict[str, tuple[int, int]], tmp_path: Path
) -> None:
    edges = {minute + near for span in firing.values() for minute in span for near in (-1, 0, 1)}
    minutes = sorted({*range(0, _END, 30), *edges} - {_END, _END + 1})
    expected = {
        minute: [alert for alert, (begin, end) in firing.items() if begin <= minute < end] for minute in minutes
    }
    assert alerts_by_minute(groups(), crons, _END, expected, tmp_path) == ""
