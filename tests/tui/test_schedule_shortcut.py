"""Schedules that share no weekday are known not to collide; looking at every run agrees."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pgwizard.plan.cron import CronSchedule, collision

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("full", "incremental", "never"),
    [
        ("0 2 * * 0", "0 2 * * 1-6", True),
        ("0 2 * * SUN", "0 2 * * mon-sat", True),
        ("0 2 * * 0", "0 2 * * 0,3", False),
        ("0 2 * * 0", "0 2 1 * 1-6", False),
        ("0 2 * * 0", "@daily", False),
        ("@weekly", "0 0 ? * 1", True),
        ("0 2 * * 0", "0 2 * * */2", False),
    ],
)
def test_only_weekdays_prevent_a_collision(full: str, incremental: str, never: bool) -> None:
    assert CronSchedule(full).never_on_a_day_of(CronSchedule(incremental)) is never


@pytest.mark.parametrize("zone", ["Etc/UTC", "Europe/Berlin", "America/New_York"])
def test_schedules_that_never_collide_do_not(zone: str) -> None:
    dice = random.Random(zone)
    tried = 0
    for _ in range(300):
        full, incremental = (CronSchedule(_cron(dice)) for _ in range(2))
        if not full.never_on_a_day_of(incremental):
            continue
        tried += 1
        runs = full.upcoming(EPOCH.astimezone(ZoneInfo(zone)), 64)
        assert not any(incremental.fires_at(moment) for moment in runs), (full.cron, incremental.cron)
        assert collision(full, incremental, ZoneInfo(zone)) is None
    assert tried > 20


def _cron(dice: random.Random) -> str:
    first, last = sorted(dice.choices(range(7), k=2))
    weekdays = dice.choice([f"{first}-{last}", f"{first}", f"{first},{last}"])
    day = dice.choice(["*", "*", "*", "*", "?", "1", "*/2"])
    return f"{dice.choice([0, 30])} {dice.choice([1, 2, 3])} {day} * {weekdays}"
