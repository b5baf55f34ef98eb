"""Cron schedules as Kubernetes reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pgwizard.schedules import Schedule, collision, kept, zone

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def _next(cron: str, count: int = 1) -> list[str]:
    return [f"{moment:%a %m-%d %H:%M}" for moment in Schedule(cron).upcoming(MONDAY, count)]


@pytest.mark.parametrize(
    ("cron", "runs"),
    [
        ("0 2 * * 0", ["Sun 11-29 02:00", "Sun 12-06 02:00"]),
        ("0 2 * * 1-6", ["Mon 11-23 02:00", "Tue 11-24 02:00"]),
        ("30 1 * * MON,wed", ["Mon 11-23 01:30", "Wed 11-25 01:30"]),
        ("@daily", ["Tue 11-24 00:00", "Wed 11-25 00:00"]),
        ("@WEEKLY", ["Sun 11-29 00:00", "Sun 12-06 00:00"]),
        ("0 0 ? * ?", ["Tue 11-24 00:00", "Wed 11-25 00:00"]),
        ("5/20 3 * * *", ["Mon 11-23 03:05", "Mon 11-23 03:25"]),
        ("0 0 13 * 5", ["Fri 11-27 00:00", "Fri 12-04 00:00"]),
        ("0 2 */10 * 0", ["Sun 11-29 02:00", "Tue 12-01 02:00"]),
        ("0 2 */1 * 0", ["Sun 11-29 02:00", "Sun 12-06 02:00"]),
    ],
)
def test_a_schedule_fires_when_kubernetes_fires_it(cron: str, runs: list[str]) -> None:
    """``*/10`` is a restriction to robfig/cron: with a weekday beside it either fires; ``*/1`` is none."""
    assert _next(cron, 2) == runs


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("hello", "'hello' is not a cron schedule; expected five fields with single blanks, such as 0 2 * * 0"),
        ("* * * *", "'* * * *' is not a cron schedule; expected five fields with single blanks, such as 0 2 * * 0"),
        (
            "0  2 * * 0",
            "'0  2 * * 0' is not a cron schedule; expected five fields with single blanks, such as 0 2 * * 0",
        ),
        ("@every 1h", "'@every 1h' is not a cron schedule; expected five fields, such as 0 2 * * 0"),
        ("60 2 * * 0", "'60 2 * * 0' is not a cron schedule: bad minute"),
        ("0 2 * * 7", "'0 2 * * 7': Kubernetes knows no 7th day of the week: write 0 for Sunday"),
        ("0 2 L * *", "'0 2 L * *' is not a cron schedule: 'L' is no day of month"),
        ("0 2 * * 1#2", "'0 2 * * 1#2' is not a cron schedule: '1#2' is no day of week"),
        ("0 2 * foo *", "'0 2 * foo *' is not a cron schedule: 'foo' is no month"),
        ("0 2 30 2 *", "'0 2 30 2 *' never fires: there is no such day"),
        ("*/0 2 * * *", "'*/0 2 * * *' is not a cron schedule: bad minute"),
        ("0 2 * * 6-1", "'0 2 * * 6-1' is not a cron schedule: bad day-of-week"),
        ("TZ=UTC 2 * * 0", "'TZ=UTC 2 * * 0' is not a cron schedule: 'TZ=UTC' is no minute"),
    ],
)
def test_cron_nonsense_is_named(cron: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Schedule(cron)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("cron", "seconds"),
    [("0 2 * * 0", 604800), ("*/15 * * * *", 900), ("0 2 * * 1-6", 86400), ("0 0 29 2 *", 126230400)],
)
def test_the_shortest_gap_is_found(cron: str, seconds: int) -> None:
    assert Schedule(cron).shortest_gap_seconds() == seconds


def test_full_and_incremental_backups_that_start_together_collide() -> None:
    full, daily, others = Schedule("0 2 * * 0"), Schedule("0 2 * * *"), Schedule("0 2 * * 1-6")
    moment = collision(full, daily, ZoneInfo("Europe/Berlin"))
    assert moment is not None
    assert f"{moment:%A %H:%M}" == "Sunday 02:00"
    assert collision(full, others, UTC) is None


@pytest.mark.parametrize(
    "name", ["Local", "", "Europe/Nowhere", "../../etc/passwd", "/etc/localtime", "\0", "x" * 5000]
)
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"time zone|not taken by Kubernetes"):
        zone(name)


def test_a_time_zone_is_found_by_its_iana_name() -> None:
    assert str(zone("Europe/Berlin")) == "Europe/Berlin"


def test_a_schedule_is_said_in_words() -> None:
    assert Schedule("0 2 * * 1-6").in_words() == "At 02:00 on Monday through Saturday"


FULL, INCREMENTAL = Schedule("0 2 * * 0"), Schedule("0 2 * * 1-6")


@pytest.mark.parametrize(
    ("keep", "by_days", "fulls", "incrementals", "since"),
    [
        (2, False, 2, 6, "2026-11-15"),
        (1, False, 1, 0, "2026-11-22"),
        (14, True, 3, 12, "2026-11-08"),
        (None, False, 8, 42, "2026-10-04"),
    ],
)
def test_what_is_kept_follows_from_schedule_and_retention(
    keep: int | None, by_days: bool, fulls: int, incrementals: int, since: str
) -> None:
    """By days the newest full backup that is older stays as well, so that every one of those days can be reached."""
    found = kept(FULL, INCREMENTAL, MONDAY, keep=keep, by_days=by_days)
    assert (len(found.fulls), len(found.incrementals), f"{found.since:%Y-%m-%d}") == (fulls, incrementals, since)
    assert list(found.fulls) == sorted(found.fulls)
    assert list(found.incrementals) == sorted(found.incrementals)
