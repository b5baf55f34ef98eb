"""The restore screen: what a target would use and lose, the confirmation, the run, and what stopping leaves."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from textual.pilot import Pilot

from pgwizard.answers.questions import Answers
from pgwizard.kube.api import JOB, STATEFULSET, Cluster, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import apply, clone
from pgwizard.release.changes import Change
from pgwizard.restore import creation
from pgwizard.restore.history import ReleaseHistory
from pgwizard.restore.target import lsn_text
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import ScriptedOutcome
from pgwizard.tui.app import WizardApp
from pgwizard.tui.navigation import OpenRestore
from pgwizard.tui.screens.restore import RestoreScreen
from pgwizard.tui.screens.status import StatusScreen
from pgwizard.tui.start import Start
from support import simtime
from support.faulting import clock
from support.faulting import cluster as simulated
from support.screens import notices, opened, painted, press, resize, settled, until, words

Scenario = Callable[[Pilot[int], RestoreScreen, SimCluster], Awaitable[None]]
RELEASE = ReleaseRef("default", "postgresql")
UNREADABLE = "P00  ERROR: [055]: unable to load info file '/postgresql/archive/main/archive.info'"
FAILS = ScriptedOutcome("job-failed", who="*/*-restore-*", lines=(UNREADABLE,), exit_code=55)


async def approved(_: Sequence[Change]) -> bool:
    return True


async def deployed(sim: SimCluster) -> None:
    answers = Answers.model_validate({"release": {"namespace": "default"}})
    await apply.run(apply.ReleaseRequest(answers), sim, lambda _: None, approved, apply.Options(), now=clock(sim))


def driven(scenario: Scenario, *, size: tuple[int, int] = (120, 40), outcomes: Sequence[ScriptedOutcome] = ()) -> None:
    """Open the restore of a release from its status, an hour after its backup, and play the scenario."""

    async def main() -> None:
        async with simulated(outcomes=outcomes) as sim:
            await deployed(sim)
            await sim.clock.sleep(3_600)

            async def connected(_: AsyncExitStack) -> Cluster:
                return sim

            start = Start(
                connected,
                lambda _path, _text: None,
                screen="pgwizard.tui.screens.status:StatusScreen",
                demo=True,
                now=lambda: datetime.fromtimestamp(sim.clock.now(), UTC),
            )
            async with opened(WizardApp(start), size=size) as pilot:
                await until(pilot, lambda: "RECOVERABLE" in painted(pilot))
                await press(pilot, "R")
                screen = await on_top(pilot)
                await until(pilot, lambda: screen.run.state != "reading")
                await settled(pilot)
                await scenario(pilot, screen, sim)

    simtime.run(main())


async def on_top(pilot: Pilot[Any]) -> RestoreScreen:
    await until(pilot, lambda: isinstance(pilot.app.screen, RestoreScreen))
    screen = pilot.app.screen
    assert isinstance(screen, RestoreScreen)
    return screen


async def typed(pilot: Pilot[int], text: str) -> None:
    await press(pilot, "ctrl+u", *text)


async def reached(pilot: Pilot[int], screen: RestoreScreen, state: str) -> None:
    await until(pilot, lambda: screen.run.state in (state, "failed"))
    await settled(pilot)
    assert screen.run.state == state, screen.ending


async def restored(pilot: Pilot[int], screen: RestoreScreen, target: str) -> None:
    await typed(pilot, target)
    await press(pilot, "enter")
    await reached(pilot, screen, "confirming")
    await press(pilot, *RELEASE.name, "enter")
    await reached(pilot, screen, "ended")


def test_the_newest_state_is_proposed_with_what_it_uses_and_loses() -> None:
    async def scenario(pilot: Pilot[int], _screen: RestoreScreen, _sim: SimCluster) -> None:
        text = words(pilot)
        assert "Target the newest state" in text
        assert "Loses nothing that is archived" in text
        assert "timeline 1 ●━━━" in text

    driven(scenario)


def test_a_clone_lacks_what_its_source_keeps_and_nothing_of_it_is_down() -> None:
    async def scenario(pilot: Pilot[int], _screen: RestoreScreen, sim: SimCluster) -> None:
        copy = ReleaseRef("staging", "copy")
        source = await clone.source_request(sim, RELEASE)
        request, origin = await clone.clone_request(sim, source, copy), clone.origin_of(source.answers, str(RELEASE))
        await creation.create(request, sim, lambda _: None, approved, dry_run=False, now=clock(sim), origin=origin)
        app = pilot.app
        assert isinstance(app, WizardApp)
        app.post_message(OpenRestore(copy))
        await until(pilot, lambda: "Lacks nothing that is archived" in words(pilot))
        assert "is down" not in words(pilot)
        assert "does not answer" not in words(pilot)

    driven(scenario)


def test_up_and_down_move_the_moment_and_show_what_it_loses() -> None:
    async def scenario(pilot: Pilot[int], _screen: RestoreScreen, _sim: SimCluster) -> None:
        await press(pilot, *["down"] * 3, "shift+up")
        assert "Loses 2 min 59 s: all that was committed from" in words(pilot)
        assert "▲" in painted(pilot)
        await press(pilot, "pageup")
        assert "Loses less than 1 s" in words(pilot), "the future is not reached"

    driven(scenario)


def test_a_moment_that_has_come_since_it_was_typed_is_taken() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        await typed(pilot, f"{datetime.fromtimestamp(sim.clock.now() + 60, UTC):%Y-%m-%dT%H:%M:%SZ}")
        assert "is in the future" in words(pilot)
        await sim.clock.sleep(120)
        await press(pilot, "enter")
        await reached(pilot, screen, "confirming")

    driven(scenario)


def test_the_ends_of_the_calendar_are_no_targets() -> None:
    async def scenario(pilot: Pilot[int], _screen: RestoreScreen, _sim: SimCluster) -> None:
        await typed(pilot, "0001-01-01T00:00:00+05:00")
        assert "0001-01-01T00:00:00+05:00 is no target" in words(pilot)
        await typed(pilot, "0001-01-01T00:00:30Z")
        await press(pilot, "down")
        assert "0001-01-01T00:00:30Z" in painted(pilot)

    driven(scenario)


def test_what_cannot_be_reached_says_why_and_the_nearest_moment() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, _sim: SimCluster) -> None:
        await typed(pilot, "2020-01-01T00:00:00Z")
        text = words(pilot)
        assert "✗ 2020-01-01 00:00:00 UTC lies before the first backup that leads to it" in text
        assert "The nearest that can be reached: 20" in text
        await press(pilot, "enter")
        assert screen.run.state == "choosing"
        await typed(pilot, "2020-01-01T00:00:00")
        assert "has no offset from UTC" in words(pilot)

    driven(scenario)


def test_a_position_that_only_the_volume_has_is_reached() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        await sim.clock.sleep(600)  # what the server writes now is not in the listing that the screen has
        newest = sim.runtime.programs.repository("default").number(sim.clock.now()) << 24
        await typed(pilot, f"lsn:{lsn_text(newest + 1)}")
        assert "Press Enter to look for WAL position" in words(pilot)
        await press(pilot, "enter")
        await reached(pilot, screen, "confirming")
        await press(pilot, "escape")
        await reached(pilot, screen, "choosing")
        await typed(pilot, f"lsn:{lsn_text(newest + 2**24)}")
        await press(pilot, "enter")
        await reached(pilot, screen, "choosing")
        assert "is not in the archive" in words(pilot)

    driven(scenario)


def test_nothing_is_written_before_the_name_is_typed() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        await press(pilot, "enter")
        await reached(pilot, screen, "confirming")
        first = len(sim.requests)
        await press(pilot, *"postgres", "enter")
        assert "Not the release's name, postgresql: nothing was written" in " ".join(notices(pilot))
        assert [request for request in sim.requests[first:] if request.is_write] == []
        await press(pilot, "escape")
        await reached(pilot, screen, "choosing")
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, StatusScreen)

    driven(scenario)


def test_a_restore_ends_with_what_it_reached_and_can_be_undone() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, _sim: SimCluster) -> None:
        await press(pilot, *["down"] * 10, "enter")
        await reached(pilot, screen, "confirming")
        await press(pilot, *RELEASE.name, "enter")
        await reached(pilot, screen, "ended")
        text = words(pilot)
        assert "✓ Release is restored to" in text
        assert "timeline 2, before" in text
        assert "pgwizard" in text
        assert "restore postgresql --undo" in text
        await press(pilot, "f7")
        await reached(pilot, screen, "confirming")
        assert "Target the newest state of timeline 1" in words(pilot)
        await press(pilot, *RELEASE.name, "enter")
        await reached(pilot, screen, "ended")
        assert "timeline 3" in words(pilot)
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, StatusScreen)

    driven(scenario)


async def stop_while_restoring(pilot: Pilot[int], screen: RestoreScreen) -> None:
    await press(pilot, "enter")
    await reached(pilot, screen, "confirming")
    await press(pilot, *RELEASE.name, "enter")
    await until(pilot, lambda: "● restore  " in painted(pilot))
    await press(pilot, "ctrl+c")
    await reached(pilot, screen, "stopped")


def test_a_restore_that_was_stopped_is_resumed() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, _sim: SimCluster) -> None:
        await stop_while_restoring(pilot, screen)
        assert "The restore has not ended. The database is down until it has." in words(pilot)
        assert "Press r to resume the restore" in words(pilot)
        assert " r resume " in painted(pilot).splitlines()[-1]
        await press(pilot, "r")
        await reached(pilot, screen, "confirming")
        await press(pilot, *RELEASE.name, "enter")
        await reached(pilot, screen, "ended")

    driven(scenario)


def test_an_open_restore_that_is_opened_again_is_resumed_by_the_key_that_both_lines_name() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, _sim: SimCluster) -> None:
        await stop_while_restoring(pilot, screen)
        await press(pilot, "escape", "R")
        screen = await on_top(pilot)
        await reached(pilot, screen, "open")
        assert "A restore to the newest state has not ended. next its stage restore" in words(pilot)
        assert "Press r to resume it" in words(pilot)
        assert " r resume " in painted(pilot).splitlines()[-1]
        await press(pilot, "r")
        await reached(pilot, screen, "confirming")

    driven(scenario)


def test_a_failed_restore_says_why_and_that_the_database_is_down() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, _sim: SimCluster) -> None:
        await press(pilot, "enter")
        await reached(pilot, screen, "confirming")
        await press(pilot, *RELEASE.name, "enter")
        await until(pilot, lambda: screen.run.state == "failed")
        await settled(pilot)
        text = words(pilot)
        assert "✗" in text
        assert "unable to load info file" in text
        assert "The database is down until it has" in text
        await press(pilot, "r")
        await reached(pilot, screen, "confirming")

    driven(scenario, outcomes=[FAILS])


def test_leaving_while_it_runs_wants_a_second_press() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, _sim: SimCluster) -> None:
        await press(pilot, "enter")
        await reached(pilot, screen, "confirming")
        await press(pilot, *RELEASE.name, "enter")
        await until(pilot, lambda: screen.is_writing)
        await press(pilot, "ctrl+q")
        assert "A restore is running. Press Ctrl+Q again to leave it" in " ".join(notices(pilot))
        await reached(pilot, screen, "ended")

    driven(scenario)


def test_what_removed_tables_is_listed_and_enter_takes_the_moment_just_before_it() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        repository = sim.runtime.programs.repository("default")
        repository.removals.add(30)
        repository.points[40] = "before migration"
        await press(pilot, "f6")
        await until(pilot, lambda: "before xid:730" in words(pilot))
        listed = [line.strip() for line in painted(pilot).splitlines() if " before xid:" in line]
        assert listed[0].partition("before ")[2] == "xid:730         removed 2 relations in database myapp"
        assert "commit" in listed[1]
        await press(pilot, "down", "up", "enter")
        await until(pilot, lambda: "Target just before transaction 730" in words(pilot))
        assert "before xid:730" in words(pilot)
        assert "▲" in painted(pilot)
        await press(pilot, "f6")
        await until(pilot, lambda: "No commit since" in words(pilot))
        await press(pilot, "escape")  # back to the target
        await until(pilot, lambda: "To which moment?" in painted(pilot))
        await press(pilot, "enter")
        await reached(pilot, screen, "confirming")
        await press(pilot, *RELEASE.name, "enter")
        await reached(pilot, screen, "ended")

    driven(scenario)


def test_a_refused_undo_asks_for_another_target() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        await restored(pilot, screen, "latest")
        repository = sim.runtime.programs.repository("default")
        del repository.backups[:-1]
        await press(pilot, "f7")
        await reached(pilot, screen, "choosing")
        text = words(pilot)
        assert "✗ no backup leads to timeline 1" in text
        assert "To which moment?" in text
        await press(pilot, "enter")
        assert screen.run.state == "choosing", "the refused target is not taken"
        await restored(pilot, screen, "latest")

    driven(scenario)


def test_an_open_restore_is_aimed_at_another_moment() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, _sim: SimCluster) -> None:
        await stop_while_restoring(pilot, screen)
        await press(pilot, "r")
        await reached(pilot, screen, "confirming")
        await press(pilot, "escape")
        await reached(pilot, screen, "open")
        await press(pilot, "t")
        await reached(pilot, screen, "choosing")
        await press(pilot, *["down"] * 10, "enter")
        await reached(pilot, screen, "confirming")
        assert "Loses" in words(pilot)
        await press(pilot, *RELEASE.name, "enter")
        await reached(pilot, screen, "ended")

    driven(scenario)


def test_a_click_on_a_timeline_moves_the_target() -> None:
    async def scenario(pilot: Pilot[int], _screen: RestoreScreen, _sim: SimCluster) -> None:
        await pilot.click("#strip", offset=(60, 0))
        await settled(pilot)
        at = painted(pilot).splitlines()
        marker = next(line for line in at if "▲" in line)
        assert marker.index("▲") in (60, 61, 62)
        assert "Loses" in words(pilot)

    driven(scenario)


async def shown(pilot: Pilot[int], screen: RestoreScreen, minutes: int) -> None:
    """A preview of some minutes ago is open."""
    await press(pilot, *["down"] * minutes, "enter")
    await reached(pilot, screen, "confirming")
    await press(pilot, "f8")
    await reached(pilot, screen, "showing")


def preview_jobs(sim: SimCluster) -> list[str]:
    return [job["metadata"]["name"] for job in sim.store.find(JOB, "default") if "-preview" in job["metadata"]["name"]]


def test_a_preview_is_shown_moved_and_ended_and_nothing_was_restored() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        await shown(pilot, screen, 10)
        text = words(pilot)
        assert "✓ The preview shows " in text
        assert "its newest commit is of " in text
        assert "kubectl -n default exec -it job/postgresql-preview -c preview -- psql" in text
        await press(pilot, "t")
        assert "Press Enter to move the preview to this moment." in words(pilot)
        await press(pilot, *["up"] * 5, "enter")
        await reached(pilot, screen, "showing")
        await press(pilot, "t", *["down"] * 20, "enter")
        await reached(pilot, screen, "failed")
        assert "cannot be moved: a preview moves only forward" in words(pilot)
        await press(pilot, "r")
        await reached(pilot, screen, "showing")
        await press(pilot, "x")
        await reached(pilot, screen, "choosing")
        assert preview_jobs(sim) == []

    driven(scenario)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_preview_that_is_being_opened(number: int) -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        await opening(pilot, screen, sim)
        app = pilot.app
        assert isinstance(app, WizardApp)
        app.end_by(number)
        await app.workers.wait_for_complete([worker for worker in app.workers if worker.group == "end"])
        assert app.return_value == 128 + number
        assert preview_jobs(sim) == []
        assert "Stopped. No preview is open. The database was not touched." in " ".join(screen.ending)

    driven(scenario)


def test_leaving_while_a_preview_is_opened_wants_a_second_press_and_ends_it() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        await opening(pilot, screen, sim)
        await press(pilot, "ctrl+q")
        assert "A preview is being opened. Press Ctrl+Q again to leave: that ends it." in " ".join(notices(pilot))
        await press(pilot, "ctrl+q")
        app = pilot.app
        await app.workers.wait_for_complete([worker for worker in app.workers if worker.group == "end"])
        assert app.return_value == 0
        assert preview_jobs(sim) == []

    driven(scenario)


async def opening(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
    """The Job of a preview has begun, and does not show its target yet."""
    await press(pilot, *["down"] * 10, "enter")
    await reached(pilot, screen, "confirming")
    await press(pilot, "f8")
    await until(pilot, lambda: preview_jobs(sim) != [])
    assert screen.run.state == "previewing"


def test_an_open_preview_is_found_again_and_restored_in_place_after_it_was_ended() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        await shown(pilot, screen, 10)
        target = words(pilot).partition("The preview shows ")[2].partition(": its newest commit")[0]
        await press(pilot, "escape", "R")
        screen = await on_top(pilot)
        await reached(pilot, screen, "showing")
        assert f"The preview shows {target}: its newest commit" in words(pilot)
        await press(pilot, "i")
        await reached(pilot, screen, "confirming")
        assert f"Target {target}" in words(pilot)
        await press(pilot, "escape")
        await reached(pilot, screen, "showing")
        await press(pilot, "i")
        await reached(pilot, screen, "confirming")
        await press(pilot, *RELEASE.name, "enter")
        await reached(pilot, screen, "ended")
        assert f"is restored to {target}: timeline 2" in words(pilot)
        assert preview_jobs(sim) == []

    driven(scenario)


@pytest.mark.parametrize("state", ["showing", "confirming"])
def test_the_strip_is_whole_again_in_a_terminal_that_was_narrow(state: str) -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, _sim: SimCluster) -> None:
        await shown(pilot, screen, 10)
        if state == "confirming":
            await press(pilot, "i")
            await reached(pilot, screen, "confirming")
        await resize(pilot, 20, 24)
        await resize(pilot, 80, 24)
        if state == "showing":
            await press(pilot, "i")
            await reached(pilot, screen, "confirming")

        def is_whole() -> bool:
            lines = [line.rstrip() for line in painted(pilot).splitlines()]
            strip = any("timeline 1" in line and len(line) > 70 for line in lines)
            return strip and any(line.endswith("now") for line in lines)

        await until(pilot, is_whole)

    driven(scenario, size=(80, 24))


def test_missing_permissions_are_named_before_the_name_is_typed() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        sim.rules.deny("patch", "statefulsets")
        await press(pilot, "escape", "R")
        screen = await on_top(pilot)
        await reached(pilot, screen, "choosing")
        await press(pilot, "enter")
        await reached(pilot, screen, "confirming")
        assert "You cannot restore it. Missing permissions: patch statefulsets." in words(pilot)
        await press(pilot, *RELEASE.name, "enter")
        await until(pilot, lambda: screen.run.state == "failed")
        assert "nothing was written" in words(pilot)

    driven(scenario)


def test_a_preview_that_is_stopped_while_it_begins_is_ended() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        await press(pilot, "down", "enter")
        await reached(pilot, screen, "confirming")
        await press(pilot, "f8")
        await until(pilot, lambda: "● preview" in painted(pilot) and bool(preview_jobs(sim)))
        await press(pilot, "ctrl+c")
        await reached(pilot, screen, "stopped")
        assert "Stopped. No preview is open. The database was not touched." in words(pilot)
        assert preview_jobs(sim) == []
        await press(pilot, "r")
        await reached(pilot, screen, "choosing")

    driven(scenario)


def test_psql_opens_or_its_command_is_copied() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, _sim: SimCluster) -> None:
        await shown(pilot, screen, 10)
        await press(pilot, "p")
        assert "psql cannot be opened here. Its command was copied: kubectl" in " ".join(notices(pilot))
        assert pilot.app.clipboard == "kubectl -n default exec -it job/postgresql-preview -c preview -- psql"

    driven(scenario)


def test_every_key_of_the_choice_is_in_sight_on_80_columns() -> None:
    async def scenario(pilot: Pilot[int], _screen: RestoreScreen, _sim: SimCluster) -> None:
        assert " F6 history  F7 undo  Esc back  Ctrl+Q quit  F1 help" in painted(pilot).splitlines()[-1]

    driven(scenario, size=(80, 24))


def test_an_undo_of_what_touched_nothing_is_confirmed_and_ends_as_what_it_is() -> None:
    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        await press(pilot, "enter")
        await reached(pilot, screen, "confirming")
        await press(pilot, *RELEASE.name, "enter")
        await until(pilot, lambda: screen.run.state == "failed")
        sim.outcomes.clear()
        await press(pilot, "r")
        await reached(pilot, screen, "confirming")
        await press(pilot, "escape")
        await reached(pilot, screen, "open")
        await press(pilot, "f7")
        await reached(pilot, screen, "confirming")
        assert "The data directory was not touched: the server is started on it again." in words(pilot)
        assert "Loses" not in painted(pilot)
        await press(pilot, *RELEASE.name, "enter")
        await reached(pilot, screen, "ended")
        text = words(pilot)
        assert "✓ The database runs again. Nothing was restored." in text
        assert "F7 to undo" not in text

    untouched = ScriptedOutcome("job-failed", who="*/*-restore-*", lines=("pgwizard-untouched",), exit_code=201)
    driven(scenario, outcomes=[untouched])


def test_leaving_while_the_repository_is_read_deletes_the_job_that_reads_it() -> None:
    def readers(sim: SimCluster) -> list[str]:
        return [
            job["metadata"]["name"] for job in sim.store.find(JOB, "default") if "-read-" in job["metadata"]["name"]
        ]

    async def scenario(pilot: Pilot[int], screen: RestoreScreen, sim: SimCluster) -> None:
        await press(pilot, "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, StatusScreen))
        sim.runtime.change(Ref(STATEFULSET, "postgresql", "default"), lambda obj: obj["spec"].update(replicas=0))
        await sim.clock.sleep(30)
        await press(pilot, "R")
        screen = await on_top(pilot)
        await until(pilot, lambda: bool(readers(sim)))
        assert screen.run.state == "reading"
        await press(pilot, "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, StatusScreen))
        assert readers(sim) == []

    driven(scenario)


def test_what_was_not_read_of_the_history_is_named_and_read_next(monkeypatch: pytest.MonkeyPatch) -> None:
    stretches: list[tuple[datetime, datetime]] = []

    async def read(*arguments: Any, **_: object) -> ReleaseHistory:
        since, until = arguments[3:5]
        stretches.append((since, until))
        is_cut = len(stretches) == 1
        middle = since + (until - since) / 2 if is_cut else until
        return ReleaseHistory(since, middle, (), 7, 0, 9, 2 if is_cut else 0, is_cut)

    monkeypatch.setattr("pgwizard.restore.history.read", read)

    async def scenario(pilot: Pilot[int], _screen: RestoreScreen, _sim: SimCluster) -> None:
        await press(pilot, "f6")
        await until(pilot, lambda: "as far as it was read" in words(pilot))
        assert (
            "2 segments could not be read; this is too much WAL to read at once. Enter takes the moment just before "
            "one; F6 reads the rest." in words(pilot)
        )
        await press(pilot, "f6")
        await until(pilot, lambda: "F6 reads an hour further back." in words(pilot))
        await press(pilot, "f6")
        await until(pilot, lambda: len(stretches) == 3)
        (since, end), rest, before = stretches
        assert rest == (since + (end - since) / 2, end)
        assert before[1] == since

    driven(scenario)
