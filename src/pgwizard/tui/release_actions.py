"""What can be done to a release from its status, each after a question. Screens bind keys to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

from textual.worker import Worker, get_current_worker

from pgwizard.errors import PgwizardError
from pgwizard.quantities import human_size
from pgwizard.release import backups, drills, records, verification
from pgwizard.release.live_objects import current_answers
from pgwizard.release.report import error_lines
from pgwizard.release.stages import Event
from pgwizard.restore import drill as restore_drill
from pgwizard.status import probes
from pgwizard.status.snapshot import Cron, ReleaseSummary, Snapshot
from pgwizard.status.verdict import outage
from pgwizard.text import fit, plain
from pgwizard.tui.base import ScreenPart
from pgwizard.tui.navigation import OpenWizard
from pgwizard.tui.release_watch import ReleaseWatch
from pgwizard.tui.widgets.dialogs import ChoiceDialog

if TYPE_CHECKING:
    from pgwizard.kube.api import Cluster

P = ParamSpec("P")
T = TypeVar("T")

_CHOICES = 9
"""Choices with a digit as their key."""


def _one_at_a_time(
    ask: Callable[Concatenate[ReleaseActions, P], Awaitable[T]],
) -> Callable[Concatenate[ReleaseActions, P], Coroutine[Any, Any, T | None]]:
    """Do nothing while another question is on its way or open: a key pressed twice would ask, and act, twice."""

    async def alone(actions: ReleaseActions, /, *arguments: P.args, **options: P.kwargs) -> T | None:
        if actions.is_asking:
            return None
        actions.is_asking = True
        try:
            return await ask(actions, *arguments, **options)
        finally:
            actions.is_asking = False

    return alone


class ReleaseActions:
    """Actions on the release that ``watch`` observes; questions appear over ``screen``. Each runs within a worker."""

    def __init__(self, screen: ScreenPart, watch: ReleaseWatch) -> None:
        self._screen, self._watch = screen, watch
        self._drill: Worker[Any] | None = None
        self._is_verifying = False
        self.is_asking = False

    @property
    def is_drilling(self) -> bool:
        """Whether a drill runs, or its Job is still to be deleted."""
        return self._drill is not None

    def end_drill(self) -> None:
        """End the drill that runs, which deletes its Job."""
        if self._drill is not None and not self._drill.is_cancelled:  # a second cancel would interrupt the deletion
            self._drill.cancel()

    @_one_at_a_time
    async def back_up(self) -> bool:
        """Start a Job for a full or an incremental backup; whether one was started."""
        snapshot = self._watch.snapshot
        if snapshot is None or not snapshot.wants_backups:
            return False
        if snapshot.release is not None and snapshot.release.is_restore_unfinished:
            self._refuse(records.unfinished_restore(snapshot.ref, snapshot.commands))
            return False
        outage_finding = outage(snapshot)
        title = "Take a backup now?" + (f" It would fail: {outage_finding.text}" if outage_finding else "")
        choices = {"f": "full: the whole database", "i": "incremental: changes since the last backup"}
        key = await self._screen.host.push_screen_wait(ChoiceDialog(title, choices))
        cluster = self._writable() if key is not None else None
        if cluster is None:
            return False
        kind: Literal["full", "incr"] = "full" if key == "f" else "incr"
        try:
            layout = await records.find_layout(cluster, snapshot.ref)
            summary = await probes.summary(cluster, layout)
            if isinstance(summary, ReleaseSummary) and summary.is_restore_unfinished:  # begun since the snapshot
                raise records.unfinished_restore(snapshot.ref, cluster.commands)
            job = await backups.backup_now(cluster, layout, kind, self._screen.start.now())
        except PgwizardError as error:
            self._refuse(error)
            return False
        self._screen.host.notify(f"Started Job {fit(job)}", markup=False)
        return True

    async def verify(self) -> None:
        """Read the whole repository with pgbackrest verify; the result is in the record, and shown once it is there."""
        snapshot = self._watch.snapshot
        if snapshot is None or not snapshot.wants_backups:
            return
        if self._is_verifying:
            self._screen.host.notify("The repository is being verified; the result will be shown here.", markup=False)
            return
        cluster = await self._ask_to_verify(snapshot)
        if cluster is None:
            return
        self._screen.host.notify("Verifying the repository; the result will be shown here.", markup=False)
        self._is_verifying = True
        try:
            layout = await records.find_layout(cluster, snapshot.ref)
            result = await verification.verify(cluster, layout, self._screen.start.now)
        except PgwizardError as error:
            self._refuse(error)
            return
        finally:
            self._is_verifying = False
        severity: Literal["information", "error"] = "information" if result.is_valid else "error"
        self._screen.host.notify(verification.result_lines(result)[0], severity=severity, markup=False, timeout=15)
        try:
            await verification.keep(cluster, layout, result)
        except PgwizardError as error:
            self._refuse(error)
        self._watch.ask_again("release")

    @_one_at_a_time
    async def _ask_to_verify(self, snapshot: Snapshot) -> Cluster | None:
        """The cluster to verify in; None for no."""
        size = human_size(snapshot.stored_bytes or 0)
        choices = {"y": f"yes: it reads {size} of backups and all WAL from the store"}
        key = await self._screen.host.push_screen_wait(ChoiceDialog("Verify the repository now?", choices))
        return self._writable() if key is not None else None

    async def drill(self) -> None:
        """Restore the newest state beside the database and check it; progress and result are shown as notices."""
        snapshot = self._watch.snapshot
        if snapshot is None or not snapshot.wants_backups:
            return
        if self.is_drilling:
            self._screen.host.notify("A drill is running; its result will be shown here.", markup=False)
            return
        cluster = await self._ask_to_drill(snapshot)
        if cluster is None:
            return
        self._screen.host.notify("Drilling: the result will be shown here. Leaving this screen ends it.", markup=False)

        def report(event: Event) -> None:
            if event.kind == "done" or event.is_result:
                self._screen.host.notify(fit(event.text), markup=False)

        self._drill = get_current_worker()
        try:
            result = await restore_drill.run(cluster, snapshot.ref, report, now=self._screen.start.now)
        except PgwizardError as error:
            self._refuse(error)
            return
        finally:
            self._drill = None
        self._watch.ask_again("release")
        severity: Literal["information", "error"] = "error" if result.failed_check else "information"
        self._screen.host.notify(drills.result_lines(result)[0], severity=severity, markup=False, timeout=15)

    @_one_at_a_time
    async def _ask_to_drill(self, snapshot: Snapshot) -> Cluster | None:
        """The cluster to drill in; None for no."""
        cluster = self._writable()
        if cluster is None:
            return None
        try:
            size = await restore_drill.volume_size(cluster, snapshot.ref)
        except PgwizardError as error:
            self._refuse(error)
            return None
        choices = {"y": f"yes: it needs a second volume of {size} until it ends"}
        key = await self._screen.host.push_screen_wait(ChoiceDialog("Prove by a restore beside the database?", choices))
        return self._writable() if key is not None else None

    @_one_at_a_time
    async def suspend(self, name: str) -> None:
        """Suspend a schedule, or resume it. name: the CronJob's name, empty to choose one of all."""
        snapshot = self._watch.snapshot
        if snapshot is None or not snapshot.crons:
            return
        cron = next((each for each in snapshot.crons if each.real_name == name), None)
        cron = cron or await self._choose_schedule(snapshot)
        if cron is None:
            return
        verb = "Resume" if cron.suspended else "Suspend"
        yes = await self._screen.host.push_screen_wait(
            ChoiceDialog(f"{verb} {cron.name}?", {"y": f"yes: {_effect(cron)}"})
        )
        cluster = self._writable() if yes is not None else None
        if cluster is None:
            return
        try:
            await backups.set_suspend(cluster, cron.real_name, snapshot.ref.namespace, suspend=not cron.suspended)
        except PgwizardError as error:
            self._refuse(error)

    async def _choose_schedule(self, snapshot: Snapshot) -> Cron | None:
        crons = {str(number): cron for number, cron in enumerate(snapshot.crons[:_CHOICES], start=1)}
        choices = {key: f"{'resume' if cron.suspended else 'suspend'} {cron.name}" for key, cron in crons.items()}
        key = await self._screen.host.push_screen_wait(ChoiceDialog("Which schedule?", choices))
        return crons.get(key or "")

    @_one_at_a_time
    async def change_answers(self) -> None:
        """Open the wizard with the answers of the last revision, or with those that another tool's release has."""
        snapshot, cluster = self._watch.snapshot, self._writable()
        if snapshot is None or cluster is None:
            return
        try:
            raw, findings = await current_answers(cluster, snapshot.ref)
        except PgwizardError as error:
            self._refuse(error)
            return
        if findings:
            command = cluster.commands.pgwizard("import", snapshot.ref.name, namespace=snapshot.ref.namespace)
            text = f"{len(findings)} of its settings cannot be expressed as answers. They are listed by: {command}"
            self._screen.host.notify(text, severity="warning", markup=False, timeout=15)
        self._screen.open_screen(OpenWizard(raw))

    def _writable(self) -> Cluster | None:
        """The cluster that the snapshot is from; None, with a notice, where another one is connected."""
        cluster = self._screen.connection.cluster
        if cluster is not None and cluster.server == self._watch.server:
            return cluster
        self._screen.host.notify(
            "Nothing was done: the status shown is not from the connected cluster. Press r to reload it.",
            severity="error",
            markup=False,
        )
        return None

    def _refuse(self, error: PgwizardError) -> None:
        text = plain(" ".join(error_lines(error)), 1_000)
        self._screen.host.notify(text, severity="error", markup=False, timeout=15)


def _effect(cron: Cron) -> str:
    what = {"full": "full backups", "verify": "verifications", "drill": "drills"}.get(cron.kind, "incremental backups")
    return "it runs on schedule again" if cron.suspended else f"no scheduled {what} until you resume it"
