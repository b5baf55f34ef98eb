"""The status screen, driven by a pilot: what it says, and what its keys do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any, cast

import pytest
from rich.console import Console
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from pgwizard.answers.questions import Answers
from pgwizard.errors import Unreachable
from pgwizard.kube.api import CRONJOB, JOB, NAMESPACE, Cluster, ExecResult, Ref
from pgwizard.plan.names import ANY_RELEASE, PartialReleaseRef, ReleaseRef
from pgwizard.release import apply, record, records
from pgwizard.release import backups as release_backups
from pgwizard.release.changes import Change
from pgwizard.release.layout import Layout
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, ScriptedOutcome
from pgwizard.status import observe, report
from pgwizard.status.probes import repository_of
from pgwizard.tui.app import WizardApp
from pgwizard.tui.screens.messages import Messages
from pgwizard.tui.screens.status import StatusScreen
from pgwizard.tui.screens.wizard import Wizard
from pgwizard.tui.start import ClusterChoice, Start
from pgwizard.tui.widgets.details import Details
from pgwizard.tui.widgets.dialogs import ChoiceDialog, Pick, TextWindow
from pgwizard.tui.widgets.filtered_list import FilteredList
from pgwizard.tui.widgets.job_details import job_details
from pgwizard.tui.widgets.job_log import JobLog
from pgwizard.tui.widgets.rows import Rows
from pgwizard.tui.widgets.status_parts import JobsTable
from support import screens, simtime
from support.faulting import clock
from support.faulting import cluster as simulated
from support.repository_info import schedule, stanza
from support.screens import notices, opened, painted, press, resize, settled, table, until, words
from support.snapshots import FAILED, FINE
from tui.test_bad_input import CONTROLS

Scenario = Callable[[Pilot[int], SimCluster], Awaitable[None]]
LINE = "P00  ERROR: [039]: HTTP request failed with 403 (Forbidden): <Code>InvalidAccessKeyId</Code>"
FAILS = ScriptedOutcome("job-failed", who="*/postgresql-pgbackrest-incr*", lines=(LINE,), exit_code=39)


def df(command: list[str], _: bytes) -> ExecResult | None:
    return ExecResult(b"1B-blocks Avail\n10737418240 6549825126\n", b"", 0) if command[0] == "df" else None


async def deployed(sim: SimCluster, **sections: Any) -> None:
    async def approve(_: Sequence[Change]) -> bool:
        return True

    answers = Answers.model_validate({"release": {"namespace": "default"}, **sections})
    await apply.run(apply.ReleaseRequest(answers), sim, lambda _: None, approve, apply.Options(), now=clock(sim))


def driven(
    scenario: Scenario,
    *,
    size: tuple[int, int] = (120, 40),
    release: PartialReleaseRef = ANY_RELEASE,
    outcomes: Sequence[ScriptedOutcome] = (),
    prepare: Callable[[SimCluster], Awaitable[None]] = deployed,
    connect: Callable[[AsyncExitStack], Awaitable[Cluster]] | None = None,
) -> None:
    """Open the status screen on a simulated cluster with a release, in its time, and play the scenario."""

    async def main() -> None:
        async with simulated(outcomes=outcomes) as sim:
            sim.runtime.programs.answers.append(df)
            await prepare(sim)

            async def connected(_: AsyncExitStack) -> Cluster:
                return sim

            start = Start(
                connect or connected,
                lambda _path, _text: None,
                screen="pgwizard.tui.screens.status:StatusScreen",
                demo=True,
                release=release,
                now=lambda: datetime.fromtimestamp(sim.clock.now(), UTC),
            )
            async with opened(WizardApp(start), size=size) as pilot:
                await until(pilot, lambda: any(isinstance(screen, StatusScreen) for screen in pilot.app.screen_stack))
                await settled(pilot)
                await scenario(pilot, sim)

    simtime.run(main())


def status(pilot: Pilot[int]) -> StatusScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, StatusScreen))


def title(pilot: Pilot[int], part: str) -> str:
    return screens.title(status(pilot).query_one(f"#{part}"))


def marked(pilot: Pilot[int]) -> list[str]:
    """The panes whose title is marked."""
    parts = ("timeline", "jobs", "log", "info", "schedules", "objects")
    return [part for part in parts if title(pilot, part).startswith("▸ ")]


def in_sight(pilot: Pilot[int], part: str) -> bool:
    """Whether a pane is seen with its title."""
    screen = status(pilot)
    return screen.query_one("#dash").region.contains_region(screen.query_one(f"#{part}").region)


def text(pilot: Pilot[int], part: str) -> str:
    """The words of a part of the status."""
    return words(status(pilot).query_one(f"#{part}"))


def rows(pilot: Pilot[int], part: str) -> list[list[str]]:
    return table(status(pilot).query_one(f"#{part}"))


def log_text(pilot: Pilot[int]) -> str:
    """The words of the log that are in sight."""
    return words(status(pilot).query_one(JobLog))


def question(pilot: Pilot[int]) -> str:
    """The question over the status; empty without one."""
    screen = pilot.app.screen
    return "".join(map(words, screen.query(".title"))) if isinstance(screen, (ChoiceDialog, Pick)) else ""


def explained(pilot: Pilot[int]) -> str:
    """What the page of messages was opened at."""
    return pilot.app.screen.query_one(Input).value if isinstance(pilot.app.screen, Messages) else ""


async def scrolled_to(pilot: Pilot[int], part: str) -> None:
    """Bring a part of the status into sight."""
    status(pilot).query_one(f"#{part}").scroll_visible(animate=False, immediate=True)
    await settled(pilot)


async def loaded(pilot: Pilot[int]) -> None:
    def whole() -> bool:
        snapshot = status(pilot).release_watch.snapshot
        return snapshot is not None and not snapshot.pending_sources

    await until(pilot, whole)


def test_a_recoverable_release_shows_its_verdict_first_and_the_facts_below() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))
        assert status(pilot).query_one("#verdict").has_class("fine")
        assert text(pilot, "header").startswith("pgwizard default/postgresql updated ")
        assert text(pilot, "header").endswith(" DEMO: a simulated cluster in this process demo · v1.34.4")
        assert "61% free (6.1Gi of 10Gi)" in text(pilot, "facts")
        assert painted(status(pilot).query_one("#timeline")).splitlines()[-1].count("F") == 1
        assert [row[0] for row in rows(pilot, "jobs")] == ["✓ first"]
        assert [[row[0], *row[2:]] for row in rows(pilot, "schedules")] == [
            ["✓ full", "never", "0 2 * * 0"],
            ["✓ incr", "never", "0 2 * * 1-6"],
            ["✓ verify", "never", "0 5 1 * *"],
        ]
        await until(pilot, lambda: "expire command end" in log_text(pilot))

    driven(scenario)


def test_the_status_and_the_list_of_backups_can_be_copied() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))
        await press(pilot, "i")
        assert status(pilot).query_one("#info", Rows).has_focus
        [[label, *_]] = rows(pilot, "info")
        assert label.startswith("✓ ")
        await press(pilot, "y")
        assert pilot.app.clipboard == "", "y answers a question elsewhere: it copies nothing"
        await press(pilot, "c")
        assert pilot.app.clipboard.startswith("● RECOVERABLE")
        assert label in pilot.app.clipboard

    driven(scenario)


def test_a_backup_now_asks_which_and_is_seen_from_its_start_to_its_end() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await press(pilot, "b")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await press(pilot, "x")
        assert isinstance(pilot.app.screen, ChoiceDialog)
        await press(pilot, "i")
        await until(pilot, lambda: [row[0] for row in rows(pilot, "jobs")] == ["✓ incr", "✓ first"])
        assert status(pilot).query_one(JobsTable).cursor_row == 0
        await until(pilot, lambda: "2 backups" in text(pilot, "facts"))
        await until(pilot, lambda: "expire command end" in log_text(pilot))

    driven(scenario)


def test_esc_on_a_question_writes_nothing() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        first = len(sim.requests)
        for key in ("b", "s"):
            await press(pilot, key)
            await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
            await press(pilot, "escape")
            await until(pilot, lambda: isinstance(pilot.app.screen, StatusScreen))
            await until(pilot, lambda: all(worker.group != "ask" or worker.is_finished for worker in pilot.app.workers))
        assert [request for request in sim.requests[first:] if request.is_write] == []

    driven(scenario)


def test_a_failed_job_shows_cause_and_fix_and_enter_shows_the_details() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await press(pilot, "b", "i")
        await until(pilot, lambda: "AT RISK" in text(pilot, "verdict"))
        await until(pilot, lambda: "fix: Put a valid key pair" in log_text(pilot))
        assert rows(pilot, "jobs")[0][3].startswith("failed [039] The S3 store does not know this access key")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextWindow))
        shown = pilot.app.export_screenshot().replace("&#160;", " ")
        for part in ("docs/errors.md#s3-unknown-key", "Put a valid key pair", "Job has reached the specified backoff"):
            assert part in shown
        await press(pilot, "c")
        assert "Put a valid key pair into the Secret that repository.credentials names." in pilot.app.clipboard
        await press(pilot, "e")
        await until(pilot, lambda: explained(pilot) == "docs/errors.md#s3-unknown-key")
        await press(pilot, "escape", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, StatusScreen))
        commands = {command.title for command in pilot.app.get_system_commands(pilot.app.screen)}
        assert {"explain", "help"} <= commands
        await press(pilot, "e")
        await until(pilot, lambda: explained(pilot) == "docs/errors.md#s3-unknown-key")

    driven(scenario, outcomes=[FAILS])


@pytest.mark.parametrize(
    ("tail", "unread", "cause"),
    [
        (None, "", "reading its log"),
        (None, "pods/log is forbidden", "unknown: its log cannot be read: pods/log is forbidden"),
        (("its last line",), "", "unknown"),
    ],
)
def test_the_details_of_a_failed_job_say_why_no_cause_is_known(
    tail: tuple[str, ...] | None, unread: str, cause: str
) -> None:
    console = Console(file=StringIO(), width=200)
    with console.capture() as shown:
        console.print(job_details(FINE, replace(FAILED, tail=tail, unread=unread), ""))
    lines = shown.get().splitlines()
    assert [line.removeprefix("cause").strip() for line in lines if line.startswith("cause")] == [cause]


def test_a_log_that_breaks_off_is_read_again_while_its_job_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        real, read = sim.logs, list[str]()

        async def logs(namespace: str, pod: str, container: str, **more: Any) -> Any:
            if more.get("follow"):
                read.append(pod)
                yield f"read {len(read)}"
                if len(read) < 3:
                    raise Unreachable("cannot read the logs: connection reset")
                await asyncio.Event().wait()
            async for line in real(namespace, pod, container, **more):
                yield line

        monkeypatch.setattr(sim, "logs", logs)
        await press(pilot, "b")
        await until(pilot, lambda: question(pilot) == "Take a backup now?")
        await press(pilot, "f")
        await until(pilot, lambda: log_text(pilot) == "read 3")
        assert len(set(read)) == 1

    driven(scenario, outcomes=[ScriptedOutcome("slow", "*/postgresql-pgbackrest-full*", seconds=3_600)])


def test_a_risk_that_no_message_knows_is_explained_by_its_own_fix() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await until(pilot, lambda: "● RECOVERABLE" in text(pilot, "verdict") and "e explain" not in text(pilot, "keys"))
        await press(pilot, "e")
        assert isinstance(pilot.app.screen, StatusScreen), "there is nothing to explain"
        await release_backups.set_suspend(sim, "postgresql-pgbackrest-incr", "default", suspend=True)
        await until(pilot, lambda: "AT RISK" in text(pilot, "verdict"))
        await until(pilot, lambda: "e explain" in text(pilot, "keys"))
        await press(pilot, "e")
        await until(pilot, lambda: isinstance(pilot.app.screen, Messages))
        reason = "the schedule postgresql-pgbackrest-incr is suspended fix Resume it: pgwizard status, key s. "
        await until(pilot, lambda: words(pilot.app.screen.query_one("#found")).startswith(reason))

    driven(scenario)


def test_a_question_is_answered_by_going_through_its_choices_too() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await press(pilot, "b")
        await until(pilot, lambda: question(pilot) == "Take a backup now?")
        choices = pilot.app.screen.query_one(OptionList)
        await until(pilot, lambda: choices.has_focus)
        await press(pilot, "down", "enter")
        await until(pilot, lambda: any("-incr-" in run.name for run in status(pilot).release_watch.snapshot.runs))  # type: ignore[union-attr]

    driven(scenario)


def test_a_schedule_is_suspended_after_a_yes_and_resumed_after_another() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        for key, title in (("s", "Which schedule?"), ("2", "Suspend postgresql-pgbackrest-incr?")):
            await press(pilot, key)
            await until(pilot, lambda title=title: question(pilot) == title)  # type: ignore[misc]
        await press(pilot, "y")
        await until(pilot, lambda: rows(pilot, "schedules")[1][0] == "‖ incr")
        await until(pilot, lambda: "the schedule postgresql-pgbackrest-incr is suspended" in text(pilot, "verdict"))
        status(pilot).query_one("#schedules").focus()
        await press(pilot, "down", "s")
        await until(pilot, lambda: question(pilot) == "Resume postgresql-pgbackrest-incr?")
        await press(pilot, "y")
        await until(pilot, lambda: rows(pilot, "schedules")[1][0] == "✓ incr")
        await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))

    driven(scenario)


def test_a_refusal_shows_the_server_s_reason() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        sim.faults = [Fault("403", verb="create", resource="jobs"), Fault("403", verb="patch", resource="cronjobs")]
        for keys in (("b", "f"), ("s", "1", "y")):
            await press(pilot, *keys)
            await until(pilot, lambda: any("denied by a fault" in notice for notice in notices(pilot)))
            await until(pilot, lambda: notices(pilot) == [])

    driven(scenario)


def test_sources_without_permission_say_so_in_their_places() -> None:
    async def denied(sim: SimCluster) -> None:
        await deployed(sim)
        sim.faults = [
            Fault("403", verb="list", resource="cronjobs", times=None),
            Fault("403", verb="list", resource="jobs", times=None),
            Fault("403", resource="pods/exec", times=None),
        ]

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await until(pilot, lambda: "UNKNOWN" in text(pilot, "verdict") and "denied by a fault" in text(pilot, "facts"))
        await until(pilot, lambda: rows(pilot, "jobs")[0][0].startswith("? not known: "))
        assert rows(pilot, "schedules")[0][0].startswith("? not known: ")
        assert text(pilot, "timeline").startswith("? not known: ")

    driven(scenario, prepare=denied)


def test_a_missing_release_is_named_and_r_reloads() -> None:
    async def nothing(_: SimCluster) -> None:
        return

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await until(pilot, lambda: "✗ there is no release in namespace default" in text(pilot, "verdict"))
        await deployed(sim)
        await press(pilot, "r")
        await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))

    driven(scenario, prepare=nothing)


def test_several_releases_are_listed_and_a_name_chooses_one() -> None:
    async def two(sim: SimCluster) -> None:
        await deployed(sim)
        await deployed(sim, release={"namespace": "default", "name": "another"}, repository={"path": "/another"})

    async def unnamed(pilot: Pilot[int], sim: SimCluster) -> None:
        await until(pilot, lambda: "has 2 releases: name one of another, postgresql" in text(pilot, "verdict"))

    async def named(pilot: Pilot[int], sim: SimCluster) -> None:
        await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))
        assert "default/another" in text(pilot, "header")

    driven(unnamed, prepare=two)
    driven(named, prepare=two, release=PartialReleaseRef("default", "another"))


def test_without_a_name_one_of_several_releases_or_one_elsewhere_is_chosen() -> None:
    async def two(sim: SimCluster) -> None:
        await deployed(sim)
        await deployed(sim, release={"namespace": "default", "name": "another"}, repository={"path": "/another"})

    async def several(pilot: Pilot[int], sim: SimCluster) -> None:
        await until(pilot, lambda: question(pilot) == "Which release?")
        await press(pilot, "enter")
        await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))
        assert "default/another" in text(pilot, "header")

    async def elsewhere(pilot: Pilot[int], sim: SimCluster) -> None:
        await until(pilot, lambda: question(pilot) == "No release in staging. Choose another one?")
        await press(pilot, "escape")
        assert text(pilot, "verdict").startswith(
            "✗ there is no release in namespace staging "
            "There is default/postgresql: give the name, and its namespace with -n."
        )
        await press(pilot, "r")
        await until(pilot, lambda: question(pilot) != "")
        await press(pilot, "enter")
        await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))
        assert "default/postgresql" in text(pilot, "header")

    driven(several, prepare=two)
    driven(elsewhere, release=PartialReleaseRef("staging"))


def test_any_of_many_releases_is_found_by_typing_and_only_one_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    real = records.choices

    async def many(cluster: Cluster, namespace: str) -> Any:
        [there] = await real(cluster, namespace)
        others = [replace(there, ref=ReleaseRef("default", f"another-{number}")) for number in range(20)]
        return [*others, there]

    monkeypatch.setattr(records, "choices", many)

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await until(pilot, lambda: question(pilot) == "Which release?")
        window = pilot.app.screen
        await press(pilot, *"nowhere", "enter")
        await until(pilot, lambda: "0 of 21" in words(window.query_one(FilteredList)))
        assert pilot.app.screen is window, "what is typed is no release"
        await press(pilot, *["backspace"] * len("nowhere"), *"postgresql", "enter")
        await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))
        assert "default/postgresql" in text(pilot, "header")

    driven(scenario)


WIDE = "20261122-022400F_20261123-022400I"


@pytest.mark.parametrize(
    ("size", "backups", "schedules"),
    [
        ((80, 24), ["backup", "type", "ended", "took", "database", "stored"], ["schedule", "next run", "cron"]),
        (
            (120, 40),
            ["backup", "type", "ended", "took", "database", "stored", "WAL from"],
            ["schedule", "next run", "cron"],
        ),
        (
            (180, 50),
            ["backup", "type", "ended", "took", "database", "stored", "WAL from"],
            ["schedule", "next run", "last run", "cron"],
        ),
    ],
)
def test_no_column_is_beyond_the_edge_and_a_result_wraps_into_a_second_line(
    size: tuple[int, int], backups: list[str], schedules: list[str]
) -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await press(pilot, "b", "i")
        await until(pilot, lambda: "the last backup Job failed" in text(pilot, "verdict"))
        await scrolled_to(pilot, "jobs")
        await until(pilot, lambda: rows(pilot, "jobs")[0][-1].startswith("failed [039] The S3"))
        screen = status(pilot)
        last = screen.release_watch.snapshot
        assert last is not None
        assert last.repository is not None
        full = last.backups[-1]
        incr = replace(full, label=WIDE, type="incr", stop=full.stop + timedelta(minutes=10), size=954 * 2**20)
        crons = tuple(replace(cron, zone="America/New_York", last=last.at) for cron in last.crons)
        screen.workers.cancel_group(screen, "observe")
        screen.release_watch.snapshot = replace(
            last, repository=replace(last.repository, backups=(full, incr)), crons=crons
        )
        screen.show()
        await settled(pilot)
        assert [str(column.label) for column in screen.query_one("#info", Rows).ordered_columns] == backups
        assert [str(column.label) for column in screen.query_one("#schedules", Rows).ordered_columns] == schedules
        await scrolled_to(pilot, "jobs")
        assert rows(pilot, "jobs")[0][-1].endswith(" …") is (size[0] < 180)
        await scrolled_to(pilot, "info")
        assert rows(pilot, "info")[0][:2] == ["✓   20261123-022400I", "incr"]
        await scrolled_to(pilot, "schedules")
        assert rows(pilot, "schedules")[0][-1] == "0 2 * * 0 America/New_York"
        assert [row.height for row in screen.query_one(JobsTable).ordered_rows] == [2, 1]
        for each in screen.query(Rows):
            assert each.virtual_size.width <= each.size.width, each.id

    driven(scenario, size=size, outcomes=[FAILS])


def test_a_failed_connection_shows_its_cause_and_r_tries_again() -> None:
    tries: list[int] = []
    reached: list[SimCluster] = []

    async def connect(_: AsyncExitStack) -> Cluster:
        tries.append(1)
        if len(tries) == 1:
            raise Unreachable("cannot reach https://10.0.0.1:6443: connection refused")
        return reached[0]

    async def keep(sim: SimCluster) -> None:
        await deployed(sim)
        reached.append(sim)

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await until(pilot, lambda: "✗ cannot reach https://10.0.0.1:6443" in text(pilot, "verdict"))
        await press(pilot, "r")
        await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))

    driven(scenario, prepare=keep, connect=connect)


def test_a_defect_that_ends_the_watch_is_shown_and_r_starts_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen before stays, and says how old it is: it must not look fresh, nor count on."""

    def broken(*_: Any) -> None:
        raise KeyError("secret")

    titles = {"timeline": "backups", "info": "pgbackrest info", "jobs": "jobs", "schedules": "schedules"}
    titles["objects"] = "objects"

    def titled(pilot: Pilot[int]) -> dict[str, str]:
        return {part: title(pilot, part).removeprefix("▸ ") for part in titles}

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await press(pilot, "b", "i")
        await until(pilot, lambda: rows(pilot, "jobs")[0][0] == "● incr")
        await until(pilot, lambda: titled(pilot) == titles)  # a notice may cover one
        app, screen = cast("WizardApp", pilot.app), status(pilot)
        start = app.start
        with monkeypatch.context() as patched:
            patched.setattr(observe, "reduce", broken)
            await press(pilot, "r")
            await until(
                pilot,
                lambda: text(pilot, "verdict").startswith("✗ a bug in pgwizard: KeyError Press r to try again. "),
            )
        assert screen.release_watch.snapshot is not None
        last = screen.release_watch.snapshot.at
        [first, *_] = rows(pilot, "jobs")
        app.start = replace(start, now=lambda: last + timedelta(minutes=2))
        screen.show()
        await settled(pilot)
        assert text(pilot, "verdict").endswith("Showing the last known state, 2 min old.")
        assert {title.removeprefix(titles[part])[:7] for part, title in titled(pilot).items()} == {", as of"}
        assert titled(pilot)["jobs"] == "jobs, as of 2 min ago"
        lines = text(pilot, "facts")
        assert ("'✓" in lines, lines.count("no longer watched")) == (False, 6), "of the repository once"
        assert rows(pilot, "jobs")[0] == first, "what nobody watches does not run on"
        await press(pilot, "c")
        assert pilot.app.clipboard.startswith(
            "✗ a bug in pgwizard: KeyError\nPress r to try again.\nShowing the last known"
        )
        assert "RECOVERABLE" not in pilot.app.clipboard
        app.start = replace(start, now=lambda: last + timedelta(minutes=12))
        screen.show()
        await settled(pilot)
        assert titled(pilot)["jobs"] == "jobs, as of 12 min ago"
        assert lines != text(pilot, "facts")
        app.start = start
        await press(pilot, "r")
        await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))
        await until(pilot, lambda: titled(pilot) == titles)  # a notice may cover one
        assert "no longer watched" not in text(pilot, "facts")

    driven(scenario)


def test_a_defect_beside_the_watch_is_reported_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("secret")

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        monkeypatch.setattr("pgwizard.tui.release_actions.ReleaseActions.back_up", broken)
        await press(pilot, "b")
        await until(pilot, lambda: notices(pilot) != [])
        [notice] = notices(pilot)
        assert notice.startswith("a bug in pgwizard: KeyError at ")
        assert "RECOVERABLE" in text(pilot, "verdict")

    driven(scenario)


def test_until_the_release_answers_again_nothing_looks_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = asyncio.Event()

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        screen, real = status(pilot), observe.observe

        async def slow(*arguments: Any, **more: Any) -> Any:
            await waits.wait()
            async for snapshot in real(*arguments, **more):
                yield snapshot

        screen.workers.cancel_group(screen, "observe")  # or a snapshot on its way would still come in
        screen.release_watch.end(Unreachable("cannot reach \x1b[2J\u202ehttps://10.0.0.1"))
        await settled(pilot)
        assert text(pilot, "verdict").startswith(
            "✗ cannot reach \\x1b[2J\\u202ehttps://10.0.0.1 Press r to try again. "
        )
        with monkeypatch.context() as patched:
            patched.setattr(observe, "observe", slow)
            await press(pilot, "r")
            await until(pilot, lambda: text(pilot, "verdict").startswith("· reading Showing the last known state, "))
            assert not screen.query_one("#verdict").has_class("lost")
            assert "no longer watched" in text(pilot, "facts")
            waits.set()
            await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))
            assert "no longer watched" not in text(pilot, "facts")

    driven(scenario)


class Connection:
    """A connection of its own to a simulated cluster."""

    def __init__(self, sim: SimCluster, server: str) -> None:
        self._sim, self.server = sim, server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sim, name)

    async def made(self, _: AsyncExitStack) -> Cluster:
        return cast("Cluster", self)


def test_another_cluster_is_neither_taken_for_the_one_that_is_shown_nor_written_to() -> None:
    """The wizard above the status may have chosen it; a release of the same name may be there."""

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        app, shown = cast("WizardApp", pilot.app), status(pilot)
        async with simulated() as other:
            await deployed(other)
            first, server = len(other.requests), "https://prod.example.com:6443"
            app.connection.connect(ClusterChoice("prod", server, "default", Connection(other, server).made))
            verdict = (
                f"✗ another cluster was chosen: {server} Press r to try again. "
                f"Showing the last known state of {sim.server}, "
            )
            await until(pilot, lambda: text(pilot, "verdict").startswith(verdict))
            await press(pilot, "b")
            await until(pilot, lambda: question(pilot) == "Take a backup now?")
            await press(pilot, "f")
            await until(pilot, lambda: bool(notices(pilot)))
            assert notices(pilot) == [
                "Nothing was done: the status shown is not from the connected cluster. Press r to reload it."
            ]
            assert [request for request in other.requests[first:] if request.is_write] == []
            await press(pilot, "r")
            await until(pilot, lambda: shown.release_watch.server == server)
            await until(pilot, lambda: "another cluster" not in text(pilot, "verdict"))
            await press(pilot, "b", "f")
            await until(pilot, lambda: any(request.is_write for request in other.requests[first:]))

    driven(scenario)


def test_a_new_connection_to_the_same_cluster_keeps_the_status() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        app, shown = cast("WizardApp", pilot.app), status(pilot)
        again = Connection(sim, sim.server)
        app.connection.connect(ClusterChoice("the same", sim.server, "default", again.made))
        await until(pilot, lambda: cast("Any", shown.release_watch.cluster) is again)
        await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))

    driven(scenario)


def test_change_answers_opens_the_wizard_with_those_of_the_last_revision_and_back() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, StatusScreen)
        await press(pilot, "a")
        await until(pilot, lambda: isinstance(pilot.app.screen, Wizard))
        assert cast("Wizard", pilot.app.screen).draft.answers.tuning.connections == 50
        await press(pilot, "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, StatusScreen))

    async def small(sim: SimCluster) -> None:
        await deployed(sim, tuning={"connections": 50})

    driven(scenario, prepare=small)


def test_a_revision_shows_as_soon_as_the_status_is_shown_again() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await until(pilot, lambda: "revision 1 deployed" in text(pilot, "facts"))
        await press(pilot, "a")
        await until(pilot, lambda: isinstance(pilot.app.screen, Wizard))
        first = len(sim.requests)
        live = sim.store.peek(record.secret_ref(ReleaseRef("default", "postgresql")))
        assert live is not None
        known = record.read(live)
        newer = replace(known.revisions[-1], number=2)
        sim.store.put(replace(known, revisions=(*known.revisions, newer)).secret())
        await press(pilot, "escape")
        await until(pilot, lambda: "revision 2 deployed" in text(pilot, "facts"))
        assert sum(request.name == "postgresql-pgwizard" for request in sim.requests[first:]) <= 2

    driven(scenario)


def test_updated_is_the_age_of_the_oldest_answer() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        app, screen = cast("WizardApp", pilot.app), status(pilot)
        assert screen.release_watch.snapshot is not None
        now = app.start.now()
        screen.workers.cancel_group(screen, "observe")
        ages = {**dict.fromkeys(screen.release_watch.snapshot.answered_at, now), "release": now - timedelta(seconds=26)}
        app.start = replace(app.start, now=lambda: now)
        screen.release_watch.snapshot = replace(screen.release_watch.snapshot, answered_at=ages)
        screen.show()
        await settled(pilot)
        assert " updated 26 s ago " in text(pilot, "header")

    driven(scenario)


def test_a_deleted_namespace_makes_the_release_gone_and_no_line_contradicts_it() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await until(pilot, lambda: "RECOVERABLE" in text(pilot, "verdict"))
        sim.runtime.delete(Ref(NAMESPACE, "default"))
        await until(pilot, lambda: "its namespace is gone too" in text(pilot, "verdict"))
        await until(pilot, lambda: "none" in text(pilot, "objects"))
        await settled(pilot)
        assert status(pilot).query_one("#verdict").has_class("lost")
        assert "✗ GONE" in text(pilot, "verdict")
        assert "Its repository may still hold backups: 1 when it was read last" in text(pilot, "verdict")
        shown = painted(pilot)
        for wrong in ("AT RISK", "Apply again", "Wait until", "none yet", "updated", "reading"):
            assert wrong not in shown, wrong
        assert title(pilot, "timeline").startswith("backups, as of ")
        assert title(pilot, "objects") == "objects"

    driven(scenario)


@pytest.mark.parametrize(("key", "part"), [("i", "info"), ("l", "log")])
@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_a_pane_in_focus_is_marked_without_colour_and_in_sight_and_escape_leaves_it_first(
    size: tuple[int, int], key: str, part: str
) -> None:
    home = ["jobs"] if size[0] == 120 else []

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await until(pilot, lambda: marked(pilot) == home)
        status(pilot).query_one("#dash").scroll_end(animate=False)
        await settled(pilot)
        await press(pilot, key)
        await until(pilot, lambda: marked(pilot) == [part])
        await until(pilot, lambda: in_sight(pilot, part))
        status(pilot).show()
        await settled(pilot)
        assert marked(pilot) == [part]
        assert status(pilot).query_one(f"#{part}").styles.border_top[0] == "heavy"
        await press(pilot, "escape")
        await until(pilot, lambda: marked(pilot) == home)
        assert status(pilot).query_one(f"#{part}").styles.border_top[0] == "round"

    driven(scenario, size=size)


def test_escape_leaves_the_status_only_from_where_it_began() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await pilot.app.push_screen(StatusScreen(ReleaseRef("default", "postgresql")))
        await until(pilot, lambda: len(pilot.app.screen_stack) == 3)
        upper = pilot.app.screen
        assert isinstance(upper, StatusScreen)
        await until(
            pilot, lambda: upper.release_watch.snapshot is not None and upper.focused is upper.query_one(JobsTable)
        )
        for key in ("i", "l", "tab"):
            await press(pilot, key, "escape")
            assert pilot.app.screen is upper
            assert upper.focused is upper.query_one(JobsTable)
        await press(pilot, "escape")
        await until(pilot, lambda: pilot.app.screen is not upper)

    driven(scenario)


def test_a_log_keeps_its_mark_when_another_job_is_read() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await until(pilot, lambda: title(pilot, "log") == "log of postgresql-pgbackrest-init")
        await press(pilot, "l")
        await until(pilot, lambda: title(pilot, "log") == "▸ log of postgresql-pgbackrest-init")
        await release_backups.backup_now(
            sim, Layout.of(ReleaseRef("default", "postgresql")), "incr", datetime.fromtimestamp(sim.clock.now(), UTC)
        )
        await until(pilot, lambda: title(pilot, "log").startswith("▸ log of postgresql-pgbackrest-incr"))

    driven(scenario)


def test_without_backups_there_is_no_list_of_them_to_go_to() -> None:
    async def bare(sim: SimCluster) -> None:
        await deployed(sim, repository={"enabled": False})

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await until(pilot, lambda: marked(pilot) == ["jobs"])
        await press(pilot, "i")
        assert marked(pilot) == ["jobs"]

    driven(scenario, prepare=bare)


def test_panes_are_below_each_other_on_a_narrow_screen() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await settled(pilot)
        screen = status(pilot)
        jobs, log = screen.query_one("#jobs").region, screen.query_one("#log").region
        assert (jobs.x == log.x, jobs.bottom <= log.y) == (True, True)
        assert screen.query_one("#verdict").region.y == 1
        await resize(pilot, 140, 50)
        jobs, log = screen.query_one("#jobs").region, screen.query_one("#log").region
        assert (jobs.y == log.y, jobs.right <= log.x) == (True, True)

    driven(scenario, size=(80, 24))


def test_unchanged_rows_are_not_drawn_again_and_the_cursor_stays() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await press(pilot, "b", "i")
        await until(pilot, lambda: [row[0] for row in rows(pilot, "jobs")] == ["✓ incr", "✓ first"])
        await press(pilot, "down")
        listed = status(pilot).query_one(JobsTable)
        here = listed.here
        await release_backups.backup_now(
            sim, Layout.of(ReleaseRef("default", "postgresql")), "full", datetime.fromtimestamp(sim.clock.now(), UTC)
        )
        await until(pilot, lambda: rows(pilot, "jobs")[0][0] == "✓ full")
        screen = status(pilot)
        drawn: list[str] = []
        for part in ("verdict", "facts", "timeline", "objects"):
            widget = screen.query_one(f"#{part}", Static)
            widget.update = lambda _, part=part: drawn.append(part)  # type: ignore[method-assign, assignment, misc]
        app, now = cast("WizardApp", pilot.app), datetime.fromtimestamp(sim.clock.now(), UTC)
        app.start = replace(app.start, now=lambda: now)
        screen.show()
        drawn.clear()
        screen.show()
        assert drawn == []
        assert listed.here == here

    driven(scenario)


def test_hostile_text_is_shown_as_text() -> None:
    async def hostile(sim: SimCluster) -> None:
        await deployed(sim)
        ref = Ref(CRONJOB, "postgresql-pgbackrest-incr", "default")
        obj = sim.store.peek(ref)
        assert obj is not None
        sim.store.put({**obj, "spec": {**obj["spec"], "schedule": "[bold]\x1b[2J[/]", "suspend": True}})

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        await until(pilot, lambda: any("[bold] [2J[/]" in row for row in rows(pilot, "schedules")))
        await settled(pilot)
        shown = painted(pilot)
        assert "[bold] [2J[/]" in shown
        assert CONTROLS.findall(shown) == []

    driven(scenario, prepare=hostile)


def test_no_name_that_comes_from_outside_takes_over_the_terminal() -> None:
    """Whoever answers for an API server may send names that none would take."""
    nasty = "x\x1b[2J\u202eevil\x9b[bold]"
    fit = r"x\x1b[2J\u202eevil\x9b[bold]"

    async def hostile(sim: SimCluster) -> None:
        await deployed(sim)
        cron = sim.store.peek(Ref(CRONJOB, "postgresql-pgbackrest-incr", "default"))
        assert cron is not None
        owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": cron["metadata"]["name"], "uid": "u"}
        about = {"namespace": "default", "name": nasty, "ownerReferences": [owner]}
        over = {"type": "Failed", "status": "True", "message": nasty, "lastTransitionTime": "2030-11-23T00:05:00Z"}
        template = cron["spec"]["jobTemplate"]["spec"]
        status = {"conditions": [over], "startTime": "2030-11-23T00:00:00Z"}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": template, "status": status}
        sim.store.put(sim.store.birth(job))

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        async def clean() -> str:
            await settled(pilot)
            shown = painted(pilot)
            assert CONTROLS.findall(shown) == [], shown
            return shown

        await loaded(pilot)
        jobs = status(pilot).query_one(JobsTable)
        await until(pilot, lambda: status(pilot).query_one(JobsTable).run is not None)
        jobs.move_cursor(row=next(number for number, row in enumerate(rows(pilot, "jobs")) if "evil" in row[3]))
        await until(pilot, lambda: f"Job default/{fit} has no pod" in log_text(pilot))
        assert fit.partition("[")[0] in title(pilot, "log")
        shown = await clean()
        assert f"the last backup Job failed: {fit}" in shown
        await press(pilot, "c")
        assert fit in pilot.app.clipboard
        assert CONTROLS.findall(pilot.app.clipboard) == []
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Details))
        assert fit in await clean()
        await press(pilot, "c")
        assert CONTROLS.findall(pilot.app.clipboard) == []
        await press(pilot, "escape")

    driven(scenario, prepare=hostile, size=(160, 60))


def test_of_many_backups_the_newest_are_listed_and_the_others_counted() -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await loaded(pilot)
        screen = status(pilot)
        last = screen.release_watch.snapshot
        assert last is not None
        assert last.repository is not None
        many = schedule(last.at, days=28, every=timedelta(hours=1), full_every=timedelta(days=28))
        backups = repository_of(stanza(many)).backups
        screen.workers.cancel_group(screen, "observe")
        screen.release_watch.snapshot = replace(last, repository=replace(last.repository, backups=backups))
        screen.show()
        await settled(pilot)
        assert screen.query_one("#info", Rows).row_count == report.BACKUPS_LISTED + 1
        assert rows(pilot, "info")[0][0].endswith(backups[-1].label.rpartition("_")[2])
        await press(pilot, "i", "ctrl+end")
        assert rows(pilot, "info")[-1][0] == f"and {672 - report.BACKUPS_LISTED} older"

    driven(scenario)


def test_leaving_during_a_drill_wants_a_second_press_and_deletes_its_job() -> None:
    def drills(sim: SimCluster) -> list[str]:
        return [
            job["metadata"]["name"] for job in sim.store.find(JOB, "default") if "-drill-" in job["metadata"]["name"]
        ]

    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await until(pilot, lambda: "RECOVERABLE" in painted(pilot))
        await press(pilot, "D")
        await until(pilot, lambda: "Prove by a restore beside the database?" in painted(pilot))
        await press(pilot, "y")
        await until(pilot, lambda: bool(drills(sim)))
        await press(pilot, "ctrl+q")
        assert "A drill is running. Press Ctrl+Q again to leave" in " ".join(notices(pilot))
        assert drills(sim) != []
        pilot.app.exit = lambda code, **_: leavings.append(code)  # type: ignore[method-assign]
        await press(pilot, "ctrl+q")
        await until(pilot, lambda: bool(leavings))
        assert (leavings, drills(sim)) == ([0], [])

    leavings = list[int]()
    driven(scenario)


@pytest.mark.parametrize("key", ["b", "R", "v", "D", "s", "a"])
def test_a_key_pressed_twice_asks_once_on_a_slow_cluster(key: str) -> None:
    async def scenario(pilot: Pilot[int], sim: SimCluster) -> None:
        await until(pilot, lambda: "RECOVERABLE" in painted(pilot))
        get, before = sim.get, len(pilot.app.screen_stack)

        async def get_slowly(*arguments: Any, **options: Any) -> Any:
            await asyncio.sleep(2)
            return await get(*arguments, **options)

        vars(sim)["get"] = get_slowly
        await press(pilot, key, key)
        await until(pilot, lambda: len(pilot.app.screen_stack) > before)
        await asyncio.sleep(10)
        await settled(pilot)
        assert len(pilot.app.screen_stack) == before + 1

    driven(scenario)
