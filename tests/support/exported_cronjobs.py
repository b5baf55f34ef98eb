"""CronJobs over time as kube-state-metrics exports them, and what Prometheus' own promtool makes of rules on them."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.waiting import DEADLINE_SECONDS

PROMTOOL = shutil.which("promtool")
NEVER = -62_135_596_800
"""The next time of a schedule that has none: kube-state-metrics exports the zero of Go's time."""


@dataclass(frozen=True, slots=True)
class Run:
    """A Job of a CronJob, in minutes. end: None while it runs; passed: whether it ended well."""

    begin: int
    end: int | None
    passed: bool = True


@dataclass(frozen=True, slots=True)
class CronJob:
    """A CronJob that was made at minute 0. every: minutes, None for a schedule that never comes.

    suspended, deleted: since which minute; instances: those of kube-state-metrics that export it.
    """

    name: str
    every: int | None
    runs: tuple[Run, ...] = ()
    suspended: float = math.inf
    deleted: float = math.inf
    namespace: str = "db"
    instances: tuple[str, ...] = ("a",)

    def series(self, minutes: int) -> Iterator[dict[str, str]]:
        """Its series as a test of promtool wants them, with a value for each minute."""
        for metric, value in _METRICS.items():
            values = [None if minute >= self.deleted else value(self, minute) for minute in range(minutes + 1)]
            for instance in self.instances:
                labels = f'namespace="{self.namespace}",cronjob="{self.name}",instance="{instance}"'
                yield {"series": f"kube_cronjob_{metric}{{{labels}}}", "values": " ".join(_notation(values))}

    def _last_begin(self, minute: int) -> int | None:
        return max((run.begin for run in self.runs if run.begin <= minute), default=None)

    def _last_success(self, minute: int) -> int | None:
        ends = (run.end for run in self.runs if run.passed and run.end is not None and run.end <= minute)
        return max(ends, default=None)

    def _active(self, minute: int) -> int:
        return sum(run.begin <= minute and (run.end is None or minute < run.end) for run in self.runs)

    def _next(self, minute: int) -> float | None:
        """The first time after the last begin, also where that has passed; none while it is suspended."""
        if minute >= self.suspended:
            return None
        if self.every is None:
            return NEVER / 60
        return ((self._last_begin(minute) or 0) // self.every + 1) * self.every


def _seconds(minutes: float | None) -> float | None:
    return None if minutes is None else minutes * 60


_METRICS: Mapping[str, Callable[[CronJob, int], float | None]] = {
    "info": lambda _, __: 1,
    "spec_suspend": lambda cron, minute: float(minute >= cron.suspended),
    "status_active": lambda cron, minute: cron._active(minute),
    "status_last_schedule_time": lambda cron, minute: _seconds(cron._last_begin(minute)),
    "status_last_successful_time": lambda cron, minute: _seconds(cron._last_success(minute)),
    "next_schedule_time": lambda cron, minute: _seconds(cron._next(minute)),
}


def _notation(values: Iterable[float | None]) -> Iterator[str]:
    """A scrape without a series that was there marks it stale."""
    was_there = False
    for value in values:
        yield f"{value:.0f}" if value is not None else "stale" if was_there else "_"
        was_there = value is not None


def check_rules(groups: list[Any], folder: Path) -> str:
    """What ``promtool check rules`` prints; empty where it finds no fault."""
    return _promtool("check", "rules", _written(folder / "rules.json", {"groups": groups}))


def alerts_by_minute(
    groups: list[Any], crons: Iterable[CronJob], minutes: int, firing: Mapping[int, Iterable[str]], folder: Path
) -> str:
    """What ``promtool test rules`` says against the claim that at each minute exactly these alerts fire.

    firing: an alert as ``PostgreSQLBackupFailed shop-pgbackrest-full``.
    """
    tests = [
        {
            "expr": 'count by (alertname, cronjob) (ALERTS{alertstate="firing"})',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": _labels(name), "value": 1} for name in names],
        }
        for minute, names in firing.items()
    ]
    unit = {
        "interval": "1m",
        "input_series": [series for cron in crons for series in cron.series(minutes)],
        "promql_expr_test": tests,
    }
    rules = _written(folder / "rules.json", {"groups": groups})
    content = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [unit]}
    return _promtool("test", "rules", _written(folder / "test.json", content))


def check_metrics(text: str) -> str:
    """What ``promtool check metrics`` says of metrics; empty where it finds no fault."""
    return _promtool("check", "metrics", data=text)


def _labels(alert: str) -> str:
    name, cronjob = alert.split(" ")
    return f'{{alertname="{name}",cronjob="{cronjob}"}}'


def _written(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return path


def _promtool(*arguments: str | Path, data: str = "") -> str:
    assert PROMTOOL is not None
    command = [PROMTOOL, *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    return f"{done.stdout}{done.stderr}".strip() if done.returncode or done.stderr else ""
