"""The panes of a status: what each shows of a snapshot, where the keys begin, and which log is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from textual.pilot import Pilot

from pgwizard.plan.names import ReleaseRef
from pgwizard.status.snapshot import Run, Snapshot
from pgwizard.status.verdict import judge
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.widgets.dashboard import NARROW_COLUMNS, Dashboard
from pgwizard.tui.widgets.job_log import JobLog
from pgwizard.tui.widgets.status_parts import BackupsTable, JobsTable, ReleaseHeader, SchedulesTable
from support.alone import with_screen
from support.screens import painted, resize, settled, table, title
from support.snapshots import DONE, FAILED, FINE, NOW

Scenario = Callable[[Pilot[int], BaseScreen[None], Dashboard], Awaitable[None]]


def shown(scenario: Scenario, snapshot: Snapshot = FINE, last: Snapshot | None = None) -> None:
    """Play the scenario on a screen that shows the snapshot and nothing else."""

    async def main(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        dashboard = Dashboard()
        await screen.mount(dashboard)
        await settled(pilot)
        dashboard.show_snapshot(snapshot, judge(snapshot), last)
        await settled(pilot)
        await scenario(pilot, screen, dashboard)

    with_screen(main, now=lambda: NOW)


@contextmanager
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The Jobs whose log is followed."""
    names: list[str] = []

    def follow(_: JobLog, run: Run, release: ReleaseRef) -> None:
        names.append(f"{release} {run.uid}")

    monkeypatch.setattr(JobLog, "follow", follow)
    yield names


def test_every_pane_shows_its_part_of_the_snapshot() -> None:
    snapshot = replace(FINE, runs=(DONE, FAILED))

    async def scenario(_: Pilot[int], __: BaseScreen[None], dashboard: Dashboard) -> None:
        assert [row[0] for row in table(dashboard.query_one(JobsTable))] == ["✗ incr", "✓ full"]
        assert len(table(dashboard.query_one(SchedulesTable))) == len(snapshot.crons)
        titles = [title(dashboard.query_one(f"#{pane}")) for pane in ("timeline", "jobs", "log")]
        assert [each.split("  ")[0] for each in titles] == ["backups", "jobs", "log"]

    shown(scenario, snapshot)


def test_the_log_is_that_of_the_highlighted_job(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(pilot: Pilot[int], _: BaseScreen[None], dashboard: Dashboard) -> None:
        dashboard.query_one(JobsTable).move_cursor(row=1)
        await settled(pilot)
        assert names[0] == "shop/postgresql u2"
        assert names[-1] == "shop/postgresql u1"

    with logs(monkeypatch) as names:
        shown(scenario, replace(FINE, runs=(DONE, FAILED)))


def test_without_a_job_no_log_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(_: Pilot[int], __: BaseScreen[None], ___: Dashboard) -> None:
        assert names == []

    with logs(monkeypatch) as names:
        shown(scenario, replace(FINE, runs=()))


def test_what_is_no_longer_observed_says_how_old_it_is() -> None:
    answers = dict.fromkeys(FINE.answered_at, NOW)
    later = replace(FINE, at=NOW + timedelta(minutes=10), answered_at=answers)

    async def scenario(_: Pilot[int], __: BaseScreen[None], dashboard: Dashboard) -> None:
        assert title(dashboard.query_one("#jobs")).startswith("jobs, as of 10 min ago")

    shown(scenario, later, FINE)


def test_the_keys_begin_in_the_jobs_and_in_a_narrow_terminal_with_scrolling() -> None:
    async def scenario(pilot: Pilot[int], screen: BaseScreen[None], dashboard: Dashboard) -> None:
        jobs, backups = dashboard.query_one(JobsTable), dashboard.query_one(BackupsTable)
        assert dashboard.home == jobs
        places = []
        for place in (jobs, backups, dashboard):
            screen.set_focus(place)
            await settled(pilot)
            places.append(dashboard.is_home_left)
        assert places == [False, True, False]
        await resize(pilot, NARROW_COLUMNS - 1, 24)
        assert not isinstance(dashboard.home, JobsTable)

    shown(scenario)


# ---- the header ----------------------------------------------------------------------------------------------------


def header(*, seconds_ago: float | None, is_narrow: bool = False, demo: bool = False, name: str = "shop/db") -> str:
    lines: list[str] = []

    async def main(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        part = ReleaseHeader("header")
        await screen.mount(part)
        screen.host.link = "prod · v1.34"
        read_at = None if seconds_ago is None else NOW - timedelta(seconds=seconds_ago)
        part.show_release(name, read_at, is_narrow=is_narrow)
        await settled(pilot)
        lines.append(painted(part).strip())

    with_screen(main, now=lambda: NOW, demo=demo)
    return lines[0]


def test_the_header_names_the_release_the_age_of_the_answers_and_the_connection() -> None:
    assert header(seconds_ago=90) == "pgwizard   shop/db   updated 1 min ago   prod · v1.34"


def test_before_anything_is_read_the_header_has_no_age() -> None:
    assert header(seconds_ago=None) == "pgwizard   shop/db   prod · v1.34"


def test_the_header_of_a_demo_says_so_in_the_room_that_there_is() -> None:
    assert "   DEMO: a simulated cluster in this process   " in header(seconds_ago=None, demo=True)
    assert header(seconds_ago=None, demo=True, is_narrow=True) == "pgwizard   shop/db   DEMO   prod · v1.34"


def test_control_characters_in_the_header_are_made_visible() -> None:
    assert header(seconds_ago=None, name="x\x1b[2J/db") == r"pgwizard   x\x1b[2J/db   prod · v1.34"
