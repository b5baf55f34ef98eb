"""Cron schedules as Kubernetes reads them, and the panels beside the page that asks for them and others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text
from textual.app import App, ComposeResult
from textual.events import Resize
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from pgwizard.plan import cron as cron_module
from pgwizard.plan import tuning
from pgwizard.plan.cron import CronSchedule, collision, zone
from pgwizard.plan.retention import retain, shortest_reach
from pgwizard.tui.panels import storage as storage_panel
from pgwizard.tui.panels import tuning as tuning_panel
from pgwizard.tui.panels.base import Panel
from pgwizard.tui.panels.schedule import SchedulePanel
from pgwizard.tui.panels.storage import StoragePanel
from pgwizard.tui.panels.tuning import TuningPanel
from pgwizard.wizard.draft import Draft
from support import simtime
from support.screens import opened, settled, until

FIXTURES = Path(__file__).parents[1] / "fixtures"
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def _next(cron: str, count: int = 1) -> list[str]:
    return [f"{moment:%a %m-%d %H:%M}" for moment in CronSchedule(cron).upcoming(MONDAY, count)]


@pytest.mark.parametrize(
    ("cron", "runs"),
    [
        ("0 2 * * 0", ["Sun 11-29 02:00", "Sun 12-06 02:00"]),
        ("0 2 * * 1-6", ["Mon 11-23 02:00", "Tue 11-24 02:00"]),
        ("30 1 * * MON,wed", ["Mon 11-23 01:30", "Wed 11-25 01:30"]),
        ("@daily", ["Tue 11-24 00:00", "Wed 11-25 00:00"]),
        ("@weekly", ["Sun 11-29 00:00", "Sun 12-06 00:00"]),
        ("0 0 ? * ?", ["Tue 11-24 00:00", "Wed 11-25 00:00"]),
        ("5/20 3 * * *", ["Mon 11-23 03:05", "Mon 11-23 03:25"]),
        ("0 0 13 * 5", ["Fri 11-27 00:00", "Fri 12-04 00:00"]),
        ("0 2 */10 * 0", ["Sun 11-29 02:00", "Tue 12-01 02:00"]),
        ("0 2 */1 * 0", ["Sun 11-29 02:00", "Sun 12-06 02:00"]),
        (" 0  2 *  * 0 ", ["Sun 11-29 02:00", "Sun 12-06 02:00"]),
        ("0 2 * * */7", ["Sun 11-29 02:00", "Sun 12-06 02:00"]),
        ("0 2 * * 0/7", ["Sun 11-29 02:00", "Sun 12-06 02:00"]),
    ],
)
def test_a_schedule_fires_when_kubernetes_fires_it(cron: str, runs: list[str]) -> None:
    """``*/10`` is a restriction to robfig/cron: with a weekday beside it either fires; ``*/1`` is none."""
    assert _next(cron, 2) == runs


def test_runs_are_those_of_the_library_that_kubernetes_uses() -> None:
    """The fixture holds what robfig/cron 3.0.1 answers around changes of clocks; tools/cron_fixture writes it."""
    lines = [json.loads(line) for line in (FIXTURES / "robfig_cron.jsonl").read_text().splitlines()]
    assert len(lines) > 900
    for line in lines:
        after = datetime.fromisoformat(line["after"]).astimezone(ZoneInfo(line["zone"]))
        runs = [at.astimezone(UTC) for at in CronSchedule(line["schedule"]).upcoming(after, len(line["runs"]))]
        assert (line, runs) == (line, [datetime.fromisoformat(run) for run in line["runs"]])


@given(
    st.sampled_from(["30 2 * * *", "15 */2 * * *", "0 0 1 * *", "0 0 * * 0", "*/20 1-3 * * *", "0 2 29 2 *"]),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Etc/UTC"]),
    st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_runs_before_a_moment_are_the_runs_up_to_it_in_reverse(text: str, place: str, floor: datetime) -> None:
    """Not in Cairo or on Lord Howe Island: there the library's answer depends on the moment at which it begins."""
    schedule, begin = CronSchedule(text), floor.astimezone(ZoneInfo(place))
    forward = [at.timestamp() for at in schedule.upcoming(begin, 30)]
    end = datetime.fromtimestamp(forward[-1], ZoneInfo(place))
    assert [at.timestamp() for at in schedule.before(end, begin)] == forward[-2::-1]


@pytest.mark.parametrize(
    ("cron", "place", "skipped", "doubled"),
    [
        ("30 2 * * 0", "Europe/Berlin", "March 02:30", "October 02:30"),
        ("0 2 * * 1-6", "Europe/Berlin", None, None),
        ("30 4 * * 0", "Europe/Berlin", None, None),
        ("0 2 * * *", "America/New_York", "March 02:00", None),
        ("0 4 * * 5", "Africa/Cairo", "April 04:00", None),
        ("30 2 * * 0", "Etc/UTC", None, None),
        ("30 2 * * 0", "Asia/Kolkata", None, None),
    ],
)
def test_runs_that_a_change_of_clocks_skips_or_doubles_are_found(
    cron: str, place: str, skipped: str | None, doubled: str | None
) -> None:
    """In Cairo clocks change at midnight of a Friday, and Kubernetes misses that whole day for a weekly schedule."""
    changes = CronSchedule(cron).clock_changes(zone(place))
    assert (skipped, doubled) == tuple(at and f"{at:%B %H:%M}" for at in (changes.skipped_run, changes.double_run))


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("hello", "'hello' is not a cron schedule; expected five fields, such as 0 2 * * 0"),
        ("* * * *", "'* * * *' is not a cron schedule; expected five fields, such as 0 2 * * 0"),
        (
            "0 0 2 * * 0",
            (
                "'0 0 2 * * 0' is not a cron schedule; expected five fields, such as 0 2 * * 0 (Kubernetes has none "
                "for seconds or years)"
            ),
        ),
        ("0, 30 2 * *", "'0, 30 2 * *' is not a cron schedule: '0,' lacks a minute beside a comma"),
        ("@WEEKLY", "'@WEEKLY' is not a cron schedule: write @weekly"),
        ("@reboot", "'@reboot' is not a cron schedule; expected five fields, such as 0 2 * * 0"),
        (
            "@every 1h",
            (
                "'@every 1h' counts from when the CronJob was made, so nobody can tell its next run; expected five "
                "fields, such as 0 2 * * 0, or @daily"
            ),
        ),
        (
            "CRON_TZ=Europe/Berlin 0 2 * * 0",
            (
                "'CRON_TZ=Europe/Berlin 0 2 * * 0' names its time zone, which Kubernetes refuses: write 0 2 * * 0, and "
                "Europe/Berlin as schedule.timeZone"
            ),
        ),
        ("60 2 * * 0", "'60 2 * * 0' is not a cron schedule: the minute is not valid; expected 0 to 59"),
        ("0 2 * * 7", "'0 2 * * 7': Kubernetes has no weekday 7: write 0 for Sunday"),
        ("0 2 L * *", "'0 2 L * *' is not a cron schedule: 'L' is no day of month"),
        ("0 2 * * 1#2", "'0 2 * * 1#2' is not a cron schedule: '1#2' is no day of week"),
        ("0 2 * foo *", "'0 2 * foo *' is not a cron schedule: 'foo' is no month"),
        ("0 2 30 2 *", "'0 2 30 2 *' never fires: there is no such day"),
        ("*/0 2 * * *", "'*/0 2 * * *' is not a cron schedule: the minute is not valid; expected 0 to 59"),
        ("0 2 * * 6-1", "'0 2 * * 6-1' is not a cron schedule: the day of week is not valid; expected 0 (Sunday) to 6"),
        (
            "TZ=UTC 2 * * 0",
            (
                "'TZ=UTC 2 * * 0' names its time zone, which Kubernetes refuses: write 2 * * 0, and UTC as "
                "schedule.timeZone"
            ),
        ),
    ],
)
def test_cron_nonsense_is_named(cron: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        CronSchedule(cron)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("cron", "seconds"),
    [("0 2 * * 0", 604800), ("*/15 * * * *", 900), ("0 2 * * 1-6", 86400), ("0 0 29 2 *", 126230400)],
)
def test_the_shortest_gap_is_found(cron: str, seconds: int) -> None:
    assert CronSchedule(cron).shortest_gap_seconds() == seconds


@pytest.mark.parametrize(
    ("cron", "gaps", "seconds"),
    [("0 2,3 * * 0", 1, 3600), ("0 2,3 * * 0", 2, 604800), ("* * * * *", 63, 3780), ("* * * * *", 2000, 120000)],
)
def test_the_shortest_time_over_several_runs_is_found(cron: str, gaps: int, seconds: int) -> None:
    assert CronSchedule(cron).shortest_gap_seconds(gaps) == seconds


@pytest.mark.parametrize(("cron", "days"), [("0 2 * * 0", 7), ("@monthly", 31), ("@yearly", 366), ("0 0 29 2 *", 1461)])
def test_the_longest_gap_is_found(cron: str, days: int) -> None:
    assert CronSchedule(cron).longest_gap_seconds() == days * 86400


def test_full_and_incremental_backups_that_start_together_collide() -> None:
    full, daily, others = CronSchedule("0 2 * * 0"), CronSchedule("0 2 * * *"), CronSchedule("0 2 * * 1-6")
    moment = collision(full, daily, ZoneInfo("Europe/Berlin"))
    assert moment is not None
    assert f"{moment:%A %H:%M}" == "Sunday 02:00"
    assert collision(full, others, UTC) is None
    assert collision(CronSchedule("* * * * *"), others, UTC) == datetime(2024, 1, 1, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "name", ["Local", "", "Europe/Nowhere", "../../etc/passwd", "/etc/localtime", "\0", "x" * 5000]
)
def test_an_invalid_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"time zone|does not accept"):
        zone(name)


def test_a_time_zone_is_found_by_its_iana_name() -> None:
    assert str(zone("Europe/Berlin")) == "Europe/Berlin"


def test_a_schedule_is_described_in_words() -> None:
    assert CronSchedule("0 2 * * 1-6").in_words() == "At 02:00 on Monday through Saturday"


FULL, INCREMENTAL = CronSchedule("0 2 * * 0"), CronSchedule("0 2 * * 1-6")


@pytest.mark.parametrize(
    ("keep", "by_days", "fulls", "incrementals", "since"),
    [
        (2, False, 2, 6, "2026-11-15"),
        (1, False, 1, 0, "2026-11-22"),
        (14, True, 3, 12, "2026-11-08"),
        (None, False, 8, 42, "2026-10-04"),
    ],
)
def test_the_retained_backups_follow_from_schedule_and_retention(
    keep: int | None, by_days: bool, fulls: int, incrementals: int, since: str
) -> None:
    """By days the newest full backup that is older stays as well, so that every one of those days can be reached."""
    result = retain(FULL, INCREMENTAL, MONDAY, keep=keep, by_days=by_days)
    assert (len(result.fulls), len(result.incrementals), f"{result.since:%Y-%m-%d}") == (fulls, incrementals, since)
    assert list(result.fulls) == sorted(result.fulls)
    assert list(result.incrementals) == sorted(result.incrementals)


LEAP = CronSchedule("0 0 29 2 *")


@pytest.mark.parametrize(
    ("full", "incremental", "keep", "by_days", "fulls", "whole"),
    [
        (LEAP, INCREMENTAL, 14, True, 1, True),
        (LEAP, FULL, 2, False, 2, True),
        (LEAP, INCREMENTAL, 600, False, 2, False),
        (LEAP, INCREMENTAL, 9_999_999, True, 2, False),
        (LEAP, FULL, None, True, 2, True),
        (FULL, INCREMENTAL, 9_999_999, False, 522, False),
        (CronSchedule("0 * * * *"), INCREMENTAL, 9_999_999, False, 1_000, False),
        (CronSchedule("@yearly"), CronSchedule("* * * * *"), 1, False, 1, False),
    ],
)
def test_backups_beyond_the_limit_are_not_counted_and_that_is_shown(
    full: CronSchedule, incremental: CronSchedule, keep: int | None, by_days: bool, fulls: int, whole: bool
) -> None:
    """A full backup every fourth year, or very many kept, would lead back before the calendar begins."""
    result = retain(full, incremental, MONDAY, keep=keep, by_days=by_days)
    assert (len(result.fulls), result.whole) == (fulls, whole)
    assert len(result.incrementals) <= 1_000
    assert result.fulls[0] > MONDAY - timedelta(days=3_651)


def test_runs_end_where_the_calendar_ends() -> None:
    assert [at.year for at in LEAP.upcoming(datetime(9990, 1, 1, tzinfo=UTC), 5)] == [9992, 9996]
    begin = datetime(1, 1, 1, tzinfo=UTC)
    assert [at.year for at in LEAP.before(datetime(10, 1, 1, tzinfo=UTC), begin)] == [8, 4]
    assert list(LEAP.before(datetime(3, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")), begin)) == []


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The moments after which a run was looked for."""
    items: list[datetime] = []
    real = cron_module._next_run

    def counted(fields: Any, after: datetime, time_zone: Any) -> datetime | None:
        items.append(after)
        return real(fields, after, time_zone)

    monkeypatch.setattr(cron_module, "_next_run", counted)
    return items


def test_only_a_few_runs_are_computed_and_only_once_a_minute(drawn: list[datetime]) -> None:
    """The panel asks at each key that is typed."""
    assert len([*islice(FULL.before(MONDAY, MONDAY - timedelta(days=999)), 2)]) == 2
    assert len(drawn) < 10
    drawn.clear()
    moment = datetime(2031, 5, 5, 5, 5, tzinfo=ZoneInfo("Europe/Berlin"))
    first = retain(FULL, INCREMENTAL, moment, keep=14, by_days=True)
    assert len(drawn) < 2 * (len(first.fulls) + len(first.incrementals)) + 10
    drawn.clear()
    again = retain(CronSchedule(FULL.cron), CronSchedule(INCREMENTAL.cron), moment, keep=14, by_days=True)
    assert (again, drawn) == (first, [])
    elsewhere = retain(FULL, INCREMENTAL, moment.astimezone(UTC), keep=14, by_days=True)
    assert elsewhere.fulls[0].tzinfo is UTC, "the same moment in another time zone is another question"


MONTHLY, EVERY_THIRD = CronSchedule("0 2 1 * *"), CronSchedule("0 2 1-31/3 * *")


@pytest.mark.parametrize(
    ("full", "keep", "by_days", "days"),
    [
        (FULL, 2, False, 7),
        (FULL, 3, False, 14),
        (FULL, 1, False, 0),
        (FULL, 14, True, 14),
        (FULL, 15, True, 15),
        (MONTHLY, 2, False, 28),
        (EVERY_THIRD, 2, False, 1),
        (FULL, None, False, 49),
    ],
)
def test_the_shortest_window_is_the_one_right_after_a_full_backup(
    full: CronSchedule, keep: int | None, by_days: bool, days: int
) -> None:
    """By days it is those days: an older full backup goes at the moment at which a younger one is as old.

    The 31st is followed by the 1st: a schedule every third day has one gap of a day.
    """
    result = shortest_reach(full, INCREMENTAL, MONDAY, keep=keep, by_days=by_days)
    assert result is not None
    assert result.days == days


def test_the_shortest_window_is_not_longer_than_the_present_one() -> None:
    """Where not all that is kept can be looked at, and where the newest full backup is younger than the others."""
    for full, keep in ((LEAP, 600), (FULL, 77), (CronSchedule("0 2 1 1 *"), 2)):
        backups = retain(full, INCREMENTAL, MONDAY, keep=keep, by_days=False)
        result = shortest_reach(full, INCREMENTAL, MONDAY, keep=keep, by_days=False)
        assert backups.since is not None
        assert result is not None
        assert result <= MONDAY - backups.since
    just_before = datetime(2026, 11, 22, 1, 59, tzinfo=UTC)
    assert shortest_reach(FULL, INCREMENTAL, just_before, keep=2, by_days=False) == timedelta(days=7)
    moment = datetime(1907, 1, 1, tzinfo=UTC)  # 1900 had no 29th of February, and 1896 is too long ago
    assert shortest_reach(LEAP, INCREMENTAL, moment, keep=2, by_days=False) == moment - datetime(
        1904, 2, 29, tzinfo=UTC
    )


def test_without_a_full_backup_there_is_no_shortest_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CronSchedule, "before", lambda *_: iter(()))
    assert shortest_reach(FULL, INCREMENTAL, datetime(2033, 5, 5, tzinfo=UTC), keep=2, by_days=False) is None


def test_the_shortest_window_is_computed_once_a_minute_and_quickly(drawn: list[datetime]) -> None:
    moment = datetime(2032, 5, 5, 5, 5, tzinfo=ZoneInfo("Europe/Berlin"))
    retain(FULL, INCREMENTAL, moment, keep=2, by_days=False)
    drawn.clear()
    first = shortest_reach(FULL, INCREMENTAL, moment, keep=2, by_days=False)
    assert 0 < len(drawn) <= 32
    drawn.clear()
    assert (shortest_reach(FULL, INCREMENTAL, moment, keep=2, by_days=False), drawn) == (first, [])


# ---- the panels ----------------------------------------------------------------------------------------------------


def shown(made: Callable[[], Panel], scenario: Callable[[Pilot[None], Panel], Awaitable[None]]) -> None:
    """Play a scenario on a panel alone."""

    class Alone(App[None]):
        start = SimpleNamespace(now=lambda: MONDAY)
        connected = asyncio.Event()

        async def cluster_once_connected(self) -> Any:
            await self.connected.wait()

        def compose(self) -> ComposeResult:
            yield made()

    async def main() -> None:
        app = Alone()
        async with opened(app, size=(100, 60)) as pilot:
            panel = app.query_one(Panel)
            panel.refresh_from(panel.draft)  # the wizard asks for that as well
            await scenario(pilot, panel)
            assert app.is_running

    simtime.run(main())


def text_of(panel: Panel) -> str:
    return panel.shown_text.plain


def scheduled(retention: dict[str, Any], **schedule: str) -> Draft:
    return Draft({"schedule": schedule, "retention": retention})


@pytest.mark.parametrize(
    ("draft", "lines"),
    [
        (
            scheduled({}),
            ["  2 full and 6 incremental backups", "  recoverable: at least the last 7 d"],
        ),
        (
            scheduled({"full": 2}, full="0 2 * * 5", incremental="0 2 * * 0-4"),
            ["  2 full and 6 incremental backups", "  recoverable: at least the last 7 d (9 d now)"],
        ),
        (
            scheduled({"full": None}),
            ["  8 full and 42 incremental backups", "  recoverable: any moment since the first full backup"],
        ),
        (
            scheduled({"full": 1}),
            [
                "  1 full and 0 incremental backups",
                "  recoverable: right after a full backup only that one (22 h now)",
            ],
        ),
        (
            scheduled({"full": 14, "fullType": "time"}, full="0 0 29 2 *"),
            ["  1 full and 855 incremental backups", "  recoverable: at least the last 14 d (998 d now)"],
        ),
        (
            scheduled({"full": 600}, full="0 0 29 2 *"),
            [
                "  at least 2 full and 1,000 incremental backups",
                "  recoverable: at least the last 2459 d",
                "! more is not calculated than 10 years, and 1,000 backups of a kind",
            ],
        ),
    ],
)
def test_the_retained_backups_are_shown_or_that_they_are_not_known(draft: Draft, lines: list[str]) -> None:
    async def scenario(_: Pilot[None], panel: Panel) -> None:
        assert text_of(panel).partition("After some time\n")[2].splitlines()[: len(lines)] == lines

    shown(lambda: SchedulePanel(draft), scenario)


def test_at_the_end_of_the_calendar_nothing_is_calculated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CronSchedule, "upcoming", lambda *_: [])
    monkeypatch.setattr(CronSchedule, "before", lambda *_: iter(()))

    async def scenario(_: Pilot[None], panel: Panel) -> None:
        assert text_of(panel).count("  none that can be calculated\n") == 1
        assert "  not known: no full backup in the 10 years before now\n" in text_of(panel)

    shown(lambda: SchedulePanel(scheduled({"full": 78})), scenario)  # results are cached: no other test keeps 78


@pytest.mark.parametrize("kind", [SchedulePanel, StoragePanel, TuningPanel])
def test_a_defect_of_a_panel_is_a_line_in_it_and_goes_with_its_cause(
    kind: type[Panel], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Text:
        raise KeyError("secret")

    async def scenario(pilot: Pilot[None], panel: Panel) -> None:
        before = text_of(panel)
        with monkeypatch.context() as patched:
            patched.setattr(kind, "text", broken)
            panel.follow(panel.draft)
            await until(pilot, lambda: text_of(panel) == "! a bug in pgwizard: KeyError")
        panel.follow(panel.draft)
        await until(pilot, lambda: text_of(panel) == before)

    shown(lambda: kind(scheduled({})), scenario)


def test_a_defect_of_the_parameters_does_not_end_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise OverflowError("secret")

    async def scenario(pilot: Pilot[None], panel: Panel) -> None:
        monkeypatch.setattr(tuning_panel, "parameters", broken)
        panel.follow(panel.draft)
        await until(pilot, lambda: text_of(panel) == "! a bug in pgwizard: OverflowError")

    shown(lambda: TuningPanel(Draft({})), scenario)


def test_a_removed_panel_is_no_longer_computed() -> None:
    """Another size of the terminal may come while its page is being left."""

    async def scenario(pilot: Pilot[None], panel: Panel) -> None:
        await panel.remove_children()
        panel.refresh_from(panel.draft)
        panel.post_message(Resize(panel.size, panel.size))
        await settled(pilot)

    shown(lambda: TuningPanel(Draft({})), scenario)


def test_a_removed_line_is_not_explained() -> None:
    """Another list may have come since the line was highlighted."""

    async def scenario(pilot: Pilot[None], panel: Panel) -> None:
        listed, hint = panel.query_one(OptionList), "F2 goes through them, with the reason of each"
        late = OptionList.OptionHighlighted(listed, listed.get_option_at_index(0), listed.option_count)
        panel.post_message(late)
        await settled(pilot)
        assert str(panel.query_one("#reason", Static).content) == hint
        listed.highlighted = 0
        await settled(pilot)
        assert str(panel.query_one("#reason", Static).content) != hint

    shown(lambda: TuningPanel(Draft({})), scenario)


def test_a_segment_has_one_size() -> None:
    """The page's figures and those of the status come from one number."""
    assert storage_panel._lasting(tuning.SEGMENT_BYTES * 48, 3600) == "2 d"


@pytest.mark.parametrize(
    ("schedule", "is_at_most_daily"),
    [("0 2 * * *", True), ("0 2 1 * 0", True), ("0 2,3 * * *", False), ("0,30 2 * * 0", False), ("* * 1 1 *", False)],
)
def test_a_schedule_with_one_time_of_day_runs_at_most_daily(schedule: str, is_at_most_daily: bool) -> None:
    assert CronSchedule(schedule).is_at_most_daily is is_at_most_daily
    assert (CronSchedule(schedule).shortest_gap_seconds() >= 86_400) is is_at_most_daily
