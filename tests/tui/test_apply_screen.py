"""The apply screen: what it shows while it runs, how a failure leads back, and what stopping leaves."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from pgwizard.answers.questions import Answers
from pgwizard.clock import utc_now
from pgwizard.errors import AnswersError, DeadlineError, Finding, JobFailed, ServerFailure, Unreachable
from pgwizard.kube import jobs
from pgwizard.kube.api import LEASE, Cluster, Object, Ref, Resource
from pgwizard.kube.commands import Commands
from pgwizard.release.apply import STAGES
from pgwizard.release.changes import Change
from pgwizard.release.report import connect_commands, finding_of
from pgwizard.release.stages import Event
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, ScriptedOutcome
from pgwizard.simulator.world import HOSTILE
from pgwizard.tui.app import WizardApp
from pgwizard.tui.screens.apply import ApplyScreen
from pgwizard.tui.screens.status import StatusScreen
from pgwizard.tui.start import Save, Start
from pgwizard.tui.widgets.approval import Approval
from pgwizard.tui.widgets.log import Log
from pgwizard.tui.widgets.outcomes import OutcomeBox
from pgwizard.tui.widgets.stages import Stages
from support import simtime
from support.faulting import STATEFULSET, answers_of, deployed, live
from support.faulting import cluster as simulated
from support.screens import notices, opened, painted, press, settled, until, words
from tui.test_folds import lines

HOOK = "default/postgresql-pgbackrest-init*"
UNTRUSTED = (
    "P00   INFO: stanza-create command begin 2.56.0",
    (
        "P00  ERROR: [095]: unable to verify certificate presented by 'minio.minio.svc:9000 (10.0.0.1)': [20] unable "
        "to get local issuer certificate"
    ),
)


class Blank(Screen[None]):
    """In place of the wizard."""


class Driven:
    """An apply screen on a simulated cluster, its pilot, and how it was left."""

    def __init__(self, pilot: Pilot[int], screen: ApplyScreen, sim: SimCluster) -> None:
        self.pilot = pilot
        self.screen = screen
        self.sim = sim
        self.left: list[str | None] = []
        self.published: list[bool] = []

    async def await_approval(self) -> None:
        await until(self.pilot, lambda: self.screen.is_asking or self.screen.run.state == "failed")
        assert self.screen.is_asking, self.screen.ending

    async def approve(self) -> None:
        await self.await_approval()
        await press(self.pilot, "y")

    async def reached(self, state: str) -> None:
        await until(self.pilot, lambda: self.screen.run.state == state)
        await settled(self.pilot)

    async def gone(self) -> str:
        """The question that it ended with."""
        await until(self.pilot, lambda: bool(self.left))
        assert self.left[0] is not None
        return self.left[0]

    def stages(self) -> list[str]:
        """``✓ survey``, from the top."""
        lines = painted(self.screen.query_one(Stages)).splitlines()
        return [f"{line[0]} {name}" for line in lines for name in STAGES if line[2:].startswith(name)]

    def keys(self) -> set[str]:
        """The keys of this screen that do something now."""
        result = self.screen.active_bindings.values()
        return {binding.key for node, binding, enabled, _ in result if node is self.screen and enabled and binding.show}

    def text(self, selector: str) -> str:
        return words(self.screen.query_one(selector))

    @property
    def log(self) -> str:
        return words(self.screen.query_one(Log))

    @property
    def ending(self) -> str:
        """How it ended, in one line."""
        return words(self.screen.query_one(OutcomeBox))


def one_line(*lines: str) -> str:
    return " ".join(" ".join(lines).split())


Scenario = Callable[[Driven], Awaitable[None]]


def applying(
    scenario: Scenario,
    answers: Answers | None = None,
    *,
    before: Answers | None = None,
    start: Mapping[str, Any] | None = None,
    save: Save = lambda *_: None,
    **options: Any,
) -> None:
    """Open the screen for these answers, on a cluster where others may have been applied before."""
    sim = simulated(**options)

    async def connect(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(sim)

    async def main() -> None:
        if before is not None:
            await deployed(sim, before)
        app = WizardApp(Start(connect, save, screen=f"{__name__}:Blank", **{"now": utc_now, **(start or {})}))
        async with opened(app, size=(100, 30)) as pilot:
            await until(pilot, lambda: isinstance(app.screen, Blank))
            driven = Driven(pilot, ApplyScreen(answers or Answers()), sim)
            await app.push_screen(driven.screen, driven.left.append)
            app.applied_signal.subscribe(
                driven.screen, lambda each: driven.published.append(each.complete), immediate=True
            )
            await scenario(driven)

    simtime.run(main())


# ---- a good end ----------------------------------------------------------------------------------------------------


def test_an_apply_shows_its_stages_and_leads_to_the_status() -> None:
    async def scenario(driven: Driven) -> None:
        await driven.await_approval()
        assert driven.stages() == [
            "✓ survey",
            "✓ checks",
            "✓ dry run",
            "· lock",
            "· apply",
            "· wait",
            "· first backup",
            "· record",
        ]
        assert lines(driven.screen.query_one("#changes"))[0] == (  # type: ignore[arg-type]
            "› ▸ + create    ServiceAccount default/postgresql-pgbackrest   12 lines"
        )
        assert driven.keys() == {"y", "escape"}
        await press(driven.pilot, "y")
        await driven.reached("ended")
        assert {stage[0] for stage in driven.stages()} == {"✓"}
        assert "expire command end" in driven.log
        assert driven.ending.startswith("✓ Release is up. First full backup succeeded.")
        assert driven.keys() == {"enter", "c", "escape"}
        assert driven.published == [False, True], "it has begun to write; all of it is in the cluster"
        await press(driven.pilot, "enter")
        assert await driven.gone() == ""
        await until(driven.pilot, lambda: isinstance(driven.pilot.app.screen, StatusScreen))

    applying(scenario)


def test_an_apply_without_changes_needs_no_approval() -> None:
    async def scenario(driven: Driven) -> None:
        await driven.reached("ended")
        assert driven.stages()[2:] == [
            "✓ dry run",
            "- lock",
            "- apply",
            "- wait",
            "- first backup",
            "- record",
        ]
        assert driven.ending.startswith("✓ Already up to date.")

    applying(scenario, before=Answers())


def test_an_apply_ends_with_commands_to_connect_which_are_copied_unwrapped() -> None:
    async def scenario(driven: Driven) -> None:
        driven.sim.commands = Commands("prod", "/home/ada/.kube/config")
        await driven.approve()
        await driven.reached("ended")
        commands = connect_commands(driven.screen.run.progress.outcome.plan, driven.sim.commands)  # type: ignore[arg-type, union-attr]
        assert all("--context prod --kubeconfig /home/ada/.kube/config" in command for command in commands)
        await press(driven.pilot, "c")
        assert driven.pilot.app.clipboard == "\n".join(commands) + "\n"
        assert "export PGPASSWORD=" in driven.ending
        assert "port-forward service/postgresql" in driven.ending

    applying(scenario)


# ---- what is lost --------------------------------------------------------------------------------------------------


def test_losses_are_named_and_need_the_release_s_name_typed() -> None:
    async def scenario(driven: Driven) -> None:
        await driven.await_approval()
        await until(driven.pilot, lambda: "no longer taken" in driven.text("#costs"))
        assert driven.text("#costs") == one_line(
            (
                "! StatefulSet default/postgresql: the volume grows from 10Gi, and it can never shrink again; the pod "
                "restarts: connections end, and the database is away for a moment"
            ),
            "! CronJob default/postgresql-backup-verify: the repository is no longer verified",
            "! CronJob default/postgresql-pgbackrest-incr: these backups are no longer taken",
            "! CronJob default/postgresql-pgbackrest-full: these backups are no longer taken",
        )
        await press(driven.pilot, "y")
        assert driven.text("#prompt") == ("To delete 8 objects, type the release's name, postgresql, and press Enter.")
        await press(driven.pilot, *"yes", "enter")
        assert driven.screen.is_asking
        await press(driven.pilot, "escape")
        assert driven.screen.is_asking
        assert not driven.screen.query_one(Input).display
        await press(driven.pilot, "y", *"postgresql", "enter")
        await driven.reached("ended")
        assert "✓ prune" in driven.stages()
        assert driven.screen.run.progress.outcome is not None
        assert driven.screen.run.progress.outcome.result == "deployed"

    applying(scenario, answers_of(repository={"enabled": False}, storage={"size": "20Gi"}), before=Answers())


# ---- failures ------------------------------------------------------------------------------------------------------


def test_a_failed_first_backup_shows_cause_and_fix_and_leads_to_its_question() -> None:
    async def scenario(driven: Driven) -> None:
        await driven.approve()
        await driven.reached("failed")
        assert driven.ending == one_line(
            "✗       Job default/postgresql-pgbackrest-init failed: Job has reached the specified backoff limit",
            (
                "cause   The certificate of minio.minio.svc:9000 (10.0.0.1) was signed by an authority that is not "
                "trusted here, or the server does not send its intermediate certificate."
            ),
            (
                "fix     Let tls.source name the Secret and key with the root that signed it (often ca.crt), and let "
                "the server send its whole chain."
            ),
            "more    docs/errors.md#certificate-unknown-authority",
            "written 12 of 12 objects (the Job of the first backup not counted)",
        )
        assert driven.stages()[-2:] == ["✗ first backup", "· record"]
        assert "P00 ERROR: [095]" in driven.log
        assert driven.text("#prompt") == ("Press Enter to change CA certificate (tls.source), or r to try again.")
        await press(driven.pilot, "c")
        assert "[095]" in driven.pilot.app.clipboard
        await press(driven.pilot, "enter")
        assert await driven.gone() == "tls.source"

    applying(scenario, outcomes=[ScriptedOutcome("job-failed", HOOK, lines=UNTRUSTED)])


def test_a_failed_apply_resumes_once_the_cause_is_fixed() -> None:
    async def scenario(driven: Driven) -> None:
        await driven.approve()
        await driven.reached("failed")
        driven.sim.outcomes.clear()
        await press(driven.pilot, "r")
        await driven.approve()
        await driven.reached("ended")
        assert driven.screen.run.progress.outcome is not None
        assert [change.action for change in driven.screen.run.progress.outcome.changes].count("replace") == 1

    applying(scenario, outcomes=[ScriptedOutcome("job-failed", HOOK, lines=UNTRUSTED)])


def test_a_pod_that_cannot_start_shows_its_last_lines_and_its_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "GRACE_SECONDS", 0.1)
    fate = ScriptedOutcome(
        "crash-loop", "default/postgresql-0", lines=("FATAL:  could not write lock file: No space left on device",)
    )

    async def scenario(driven: Driven) -> None:
        await driven.approve()
        await driven.reached("failed")
        assert driven.log.endswith("FATAL: could not write lock file: No space left on device")
        assert driven.screen.run.progress.failure is not None
        assert driven.screen.run.progress.failure.question == "storage.size"

    applying(scenario, outcomes=[fate])


def test_missing_objects_lead_to_their_question_before_anything_is_written() -> None:
    async def scenario(driven: Driven) -> None:
        await driven.reached("failed")
        assert driven.stages()[:2] == ["✓ survey", "✗ checks"]
        assert driven.ending == one_line(
            "✗       the cluster does not have what the answers name; nothing was written",
            (
                "        release.namespace: namespace nowhere does not exist: set release.createNamespace to true, or "
                "run kubectl create namespace nowhere"
            ),
            "        repository.credentials.secret: Secret nowhere/postgresql-pgbackrest-s3 does not exist",
        )
        await press(driven.pilot, "enter")
        assert await driven.gone() == "release.namespace"

    applying(scenario, answers_of(release={"namespace": "nowhere"}))


FAULTS = {
    "403": 'cannot apply Service default/postgresql: services "postgresql" is forbidden: denied by a fault',
    "401": "cannot apply Service default/postgresql: Unauthorized",
    "reset-before": "cannot apply Service default/postgresql: demo: closed by the other side",
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_refused_write_is_shown_at_its_stage_and_can_be_tried_again(kind: Any) -> None:
    async def scenario(driven: Driven) -> None:
        await driven.await_approval()
        driven.sim.faults.append(Fault(kind, "apply", "services", writes_only=True))
        await press(driven.pilot, "y")
        await driven.reached("failed")
        assert driven.ending.startswith(f"✗ {FAULTS[kind]}")
        assert driven.ending.endswith(
            "written 7 of 12 objects (the Job of the first backup not counted); "
            "Service default/postgresql was in progress"
        )
        assert driven.stages()[4] == "✗ apply"
        await press(driven.pilot, "r")
        await driven.approve()
        await driven.reached("ended")

    applying(scenario)


def test_a_namespace_that_is_deleted_during_the_apply_is_named() -> None:
    async def scenario(driven: Driven) -> None:
        await driven.await_approval()
        await driven.sim.delete(Ref(Resource("v1", "Namespace"), "staging"))
        await press(driven.pilot, "y")
        await driven.reached("failed")
        assert "staging" in driven.ending

    applying(
        scenario,
        answers_of(
            release={"namespace": "staging"}, repository={"enabled": False}, tls={"verify": False, "source": None}
        ),
    )


def test_without_a_connection_the_apply_says_so_and_reconnects() -> None:
    tries: list[int] = []
    sim = simulated()

    async def connect(stack: AsyncExitStack) -> Cluster:
        tries.append(1)
        if len(tries) == 1:
            raise Unreachable("cannot reach prod-eu")
        return await stack.enter_async_context(sim)

    async def main() -> None:
        app = WizardApp(Start(connect, lambda *_: None, utc_now, screen=f"{__name__}:Blank"))
        async with opened(app) as pilot:
            await until(pilot, lambda: "cannot reach" in app.link)
            driven = Driven(pilot, ApplyScreen(Answers()), sim)
            await app.push_screen(driven.screen, driven.left.append)
            await settled(pilot)
            assert "not connected: cannot reach prod-eu" in driven.text("#header")
            assert driven.keys() == {"r", "escape"}
            await press(pilot, "r")
            await driven.await_approval()

    simtime.run(main())


# ---- stopping ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
def test_before_the_approval_going_back_writes_nothing(key: str) -> None:
    async def scenario(driven: Driven) -> None:
        await driven.await_approval()
        await press(driven.pilot, key)
        assert await driven.gone() == ""
        assert [request for request in driven.sim.requests if request.is_write] == []

    applying(scenario)


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
def test_stopping_an_apply_reports_what_was_written_and_it_resumes(key: str) -> None:
    async def scenario(driven: Driven) -> None:
        await driven.approve()
        await until(driven.pilot, lambda: "● wait" in driven.stages())
        await press(driven.pilot, key)
        await driven.reached("stopped")
        assert driven.ending == one_line(
            "-       Stopped watching. The pod continues to start in the cluster, and the first backup follows. Apply",
            "again at any time to resume.",
            "written 12 of 12 objects (the Job of the first backup not counted)",
        )
        assert driven.stages()[5:] == ["- wait", "· first backup", "· record"]
        assert driven.text("#prompt") == "Press r to apply again from here, Esc for the answers."
        assert driven.keys() == {"r", "c", "escape"}
        assert live(driven.sim, STATEFULSET, "postgresql") is not None
        driven.sim.outcomes.clear()
        await press(driven.pilot, "r")
        await driven.approve()
        await driven.reached("ended")
        assert driven.published == [False, False, False, True]
        await press(driven.pilot, "escape")
        assert await driven.gone() == ""

    applying(scenario, outcomes=[ScriptedOutcome("slow", "default/postgresql-0", seconds=150)])


def test_a_created_namespace_counts_as_written() -> None:
    async def scenario(driven: Driven) -> None:
        await driven.approve()
        await until(driven.pilot, lambda: "● wait" in driven.stages())
        await driven.pilot.press("escape")
        await driven.reached("stopped")
        assert "✓ apply 5 created" in words(driven.screen.query_one(Stages))
        assert driven.ending.endswith("written 5 of 5 objects")

    made = {"namespace": "new", "createNamespace": True}
    answers = answers_of(release=made, repository={"enabled": False}, tls={"verify": False, "source": None})
    applying(scenario, answers, outcomes=[ScriptedOutcome("slow", "new/postgresql-0", seconds=150)])


def test_sigterm_stops_the_apply_in_order_and_reports_what_was_written() -> None:
    async def scenario(driven: Driven) -> None:
        app = driven.pilot.app
        assert isinstance(app, WizardApp)
        left, leave = list[str](), app.exit

        def left_with(result: int, *, message: object = None) -> None:
            left.append(one_line(str(message)))
            leave(result)

        app.exit = left_with  # type: ignore[method-assign, assignment]
        await driven.approve()
        await until(driven.pilot, lambda: "● wait" in driven.stages())
        app.end_by(signal.SIGTERM)
        await app.workers.wait_for_complete([worker for worker in app.workers if worker.group == "end"])
        assert app.return_value == 143
        assert left == [
            one_line(
                "pgwizard: stopped",
                "-       Stopped watching. The pod continues to start in the cluster, and the first backup follows.",
                "Apply again at any time to resume.",
                "written 12 of 12 objects (the Job of the first backup not counted)",
            )
        ]
        lease = live(driven.sim, LEASE, "postgresql-pgwizard")
        assert lease is not None
        assert not lease["spec"].get("holderIdentity")

    applying(scenario, outcomes=[ScriptedOutcome("slow", "default/postgresql-0", seconds=150)])


def test_a_second_escape_during_a_stop_is_ignored() -> None:
    async def scenario(driven: Driven) -> None:
        gate, get = asyncio.Event(), driven.sim.get

        async def slow(ref: Ref) -> Object:
            if ref.resource.kind == "Lease" and driven.screen.run.state == "stopping":
                await gate.wait()
            return await get(ref)

        driven.sim.get = slow  # type: ignore[method-assign]
        await driven.approve()
        await until(driven.pilot, lambda: "● wait" in driven.stages())
        seen = [driven.screen.is_writing]
        await press(driven.pilot, "escape")
        await driven.reached("stopping")
        seen.append(driven.screen.is_writing)
        assert driven.keys() == set()
        await press(driven.pilot, "escape", "ctrl+c")
        assert driven.left == []
        gate.set()
        await driven.reached("stopped")
        assert [*seen, driven.screen.is_writing] == [True, True, False]
        lease = live(driven.sim, LEASE, "postgresql-pgwizard")
        assert lease is not None
        assert not lease["spec"].get("holderIdentity")

    applying(scenario, outcomes=[ScriptedOutcome("slow", "default/postgresql-0", seconds=150)])


def test_reasons_and_costs_from_the_cluster_are_escaped() -> None:
    async def scenario(driven: Driven) -> None:
        await driven.await_approval()
        screen = driven.screen
        approval = asyncio.create_task(
            screen.query_one(Approval).ask([Change(Ref(STATEFULSET, f"x{HOSTILE}", "shop"), "delete")])
        )
        await until(driven.pilot, lambda: "owned" in driven.text("#costs"))
        assert driven.text("#costs").isprintable()
        approval.cancel()

    applying(scenario)


# ---- stages --------------------------------------------------------------------------------------------------------


def test_the_running_stage_counts_its_seconds_and_shows_its_warnings_below() -> None:
    from rich.console import Console

    begun = datetime(2026, 11, 23, tzinfo=UTC)

    async def scenario(driven: Driven) -> None:
        stages = driven.screen.query_one(Stages)
        stages.restart()
        for event in (
            Event("survey", "began"),
            Event("survey", "done", "prod-eu", 1.44),
            Event("checks", "began"),
            Event("checks", "warning", f"{HOSTILE} is odd"),
            Event("checks", "warning", "[/etc/ssl] [/x]"),
            Event("checks", "progress", "looking"),
        ):
            stages.take(event, begun)
        stages.show(begun + timedelta(seconds=6))
        console = Console(width=60, color_system=None)
        with console.capture() as capture:
            console.print(stages.content)
        seen = [line.rstrip() for line in capture.get().splitlines()]
        assert seen[0] == "✓ survey       prod-eu                                 1.4 s"
        assert seen[1] == "● checks       looking                                 6 s …"
        assert seen[2].startswith("  !            \\x1b]0;owned\\x07")
        assert "  !            [/etc/ssl] [/x]" in seen

    applying(scenario)


# ---- failures as data ----------------------------------------------------------------------------------------------


def test_what_the_checks_find_is_shown_under_their_stage_before_the_approval() -> None:
    async def scenario(driven: Driven) -> None:
        await driven.await_approval()
        stages = words(driven.screen.query_one(Stages))
        assert "✓ checks 12 objects, 2 warnings" in stages
        assert "! tls.verify: false: backups go to whoever answers at the endpoint" in stages
        assert "! storage.storageClass: StorageClass fast does not exist: the volume would wait" in stages

    applying(scenario, answers_of(tls={"verify": False, "source": None}, storage={"storageClass": "fast"}))


def test_an_error_is_explained_by_its_fault_or_by_the_log_before_it() -> None:
    fault = Finding(key="volume-full", cause="The disk is full.", fix="Grow it.")
    failure = JobFailed("Job shop/x failed: gave up", fault=fault, hint="See its log.")
    assert finding_of(failure) == replace(fault, text="Job shop/x failed: gave up")
    problems = AnswersError("the answers", [Finding("", "odd"), Finding("storage.size", "too small")])
    assert finding_of(problems).question == "storage.size"
    assert finding_of(DeadlineError("too late"), ["No space left on device"]).key == "volume-full"
    quota = ServerFailure("busy", status=503, hint="Wait.")
    assert finding_of(quota) == Finding(text="busy", fix="Wait.")


def test_a_defect_shows_only_its_type() -> None:
    assert finding_of(KeyError("s3cret")) == Finding(
        text="a bug in pgwizard: KeyError", fix="Try again, and report it."
    )


def test_a_defect_beside_the_run_is_reported_and_the_result_stays() -> None:
    def broken(*_: object) -> None:
        raise KeyError("s3cret")

    async def scenario(driven: Driven) -> None:
        await driven.approve()
        await driven.reached("ended")
        await press(driven.pilot, "w", "enter")
        await until(driven.pilot, lambda: notices(driven.pilot) != [])
        [notice] = notices(driven.pilot)
        assert notice.startswith("a bug in pgwizard: KeyError at ")
        assert driven.screen.run.state == "ended"

    applying(scenario, save=broken)


def test_a_defect_that_ends_the_run_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("s3cret")

    monkeypatch.setattr("pgwizard.local.inputs.read_references", broken)

    async def scenario(driven: Driven) -> None:
        await driven.reached("failed")
        assert "a bug in pgwizard: KeyError" in driven.ending
        assert notices(driven.pilot) == []

    applying(scenario)


def test_unexpected_stages_get_a_line() -> None:
    stages = Stages(["apply", "record"])
    stages.take(Event("prune", "began"), datetime(2026, 11, 23, tzinfo=UTC))
    assert [stage.name for stage in stages.stages] == ["apply", "prune", "record"]


def test_a_first_backup_with_page_errors_is_not_a_plain_success() -> None:
    async def scenario(driven: Driven) -> None:
        driven.sim.runtime.programs.has_damaged_pages = True
        await driven.await_approval()
        await press(driven.pilot, "y")
        await driven.reached("ended")
        ending = driven.screen.ending
        assert ending[0] == "!       Release is up, but its first full backup has page checksum errors."
        assert "cause   files of the database were damaged when it was taken" in ending
        assert driven.keys() == {"enter", "e", "c", "escape"}

    applying(scenario)
