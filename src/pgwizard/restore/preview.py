"""A preview of a restore: a read-only server at exactly the target, in a pod that is thrown away.

Nothing is written to the release, its record or its repository. The preview lives until it is ended, or until the
deadline of its Job, so a client that is killed leaves nothing for good.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pgwizard.clock import Clock
from pgwizard.errors import (
    AlreadyExists,
    ClusterError,
    DeadlineError,
    Interrupted,
    JobFailed,
    NotProven,
    PgwizardError,
    PreflightError,
)
from pgwizard.kube import jobs
from pgwizard.kube.api import JOB, POD, Access, Cluster, Object, Ref, find_object, list_objects, owners
from pgwizard.kube.commands import Commands
from pgwizard.kube.health import assess
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import records, rights, rollout, stages
from pgwizard.release.stages import Report, Stage
from pgwizard.restore import preview_job, scratch
from pgwizard.restore.last_commit import stop_at_commit
from pgwizard.restore.preview_job import LIFE_SECONDS, Aim, Reached
from pgwizard.restore.run import Preparation, lacking_writes
from pgwizard.restore.scripts import script_of
from pgwizard.restore.target import RecoveryTarget, RestorePlan, lsn_text
from pgwizard.restore.view import read_view
from pgwizard.status.snapshot import ReleaseSummary
from pgwizard.text import plain

STAGE = "preview"
_EXEC_SECONDS = 60.0
_PROGRESS = ("preview: ", "replayed to ")


@dataclass(frozen=True, slots=True)
class OpenPreview:
    """A preview that runs. ends_at: when it ends by itself, UTC."""

    release: ReleaseRef
    aim: Aim
    reached_state: Reached
    ends_at: datetime
    pod: str


async def prepare(cluster: Cluster, release: ReleaseRef) -> Preparation:
    """Read what a preview is chosen from. Raises PreflightError where there is nothing to show."""
    live_record, _ = await records.get(cluster, release)
    lacks = await lacking_writes(cluster, _accesses(release))
    if not ReleaseSummary.of(live_record).backups:
        raise PreflightError(f"release {release} takes no backups", hint="There is nothing to show.")
    if live_record.unfinished_restore is not None:
        raise records.unfinished_restore(release, cluster.commands)
    origin = live_record.origin if live_record.reads_origin else None
    return Preparation(release, None, await read_view(cluster, live_record), live_record.awaits_restore, origin, lacks)


async def find(cluster: Cluster, release: ReleaseRef) -> OpenPreview | None:
    """The preview of a release, if one is open. Raises PreflightError where it does not answer."""
    job = await _live_job(cluster, release)
    pods = [pod for pod in await _pods(cluster, release) if pod.get("status", {}).get("phase") == "Running"]
    if job is None or not pods:
        return None
    pod = str(pods[-1]["metadata"]["name"])
    text = await _run(cluster, release, pod, "state", seconds=_EXEC_SECONDS)
    try:
        aim, reached_state = preview_job.aim_of(job), preview_job.reached_of(text)
        began = datetime.fromisoformat(str(job["metadata"]["creationTimestamp"]))
        ends_at = began + timedelta(seconds=float(job["spec"].get("activeDeadlineSeconds") or LIFE_SECONDS))
    except (ValueError, OverflowError) as error:
        raise PreflightError(f"{_ref(release)}: {error}", hint=ended_by(cluster.commands, release)) from None
    return OpenPreview(release, aim, reached_state, ends_at, pod)


async def start(
    cluster: Cluster, preparation: Preparation, target: RecoveryTarget, plan: RestorePlan, *, report: Report, now: Clock
) -> OpenPreview:
    """Restore beside the release, and wait until the server is at the target. Whatever ends the wait ends the preview.

    Raises PreflightError where one is open, NotProven where the target is not reached, and the errors of the cluster.
    Cancelled, it raises CancelledError once nothing is left, and Interrupted where the preview may be.
    """
    release, is_ours = preparation.release, False
    async with stages.enter(STAGE, report) as stage:
        await _tidy(cluster, release)
        stop = await _stop_of(cluster, preparation, plan, stage)
        name = secrets.token_hex(4)
        try:
            template = await scratch.read_template(cluster, release)
            is_ours = True
            aim = Aim(target, stop.timeline, stop.position)
            job = preview_job.manifest(template, release, stop, aim, name, origin=preparation.origin)
            await cluster.create(job)
            open_preview = await _wait(cluster, release, stop, name, stage, now=now, is_first=True)
        except AlreadyExists:
            raise _open(cluster.commands, release) from None
        except BaseException as cause:
            if is_ours:
                await _end_after(cluster, release, cause)
            raise
        stage.complete(preview_job.reached_text(open_preview.reached_state))
    return open_preview


async def _end_after(cluster: Cluster, release: ReleaseRef, cause: BaseException) -> None:
    """End the preview that could not begin; where that fails, say how it ends."""
    try:
        await scratch.delete(cluster, _ref(release))
    except (ClusterError, DeadlineError, asyncio.CancelledError) as error:
        why = error.message if isinstance(error, PgwizardError) else "that was stopped too"
        text = f"the preview of release {release} could not be ended: {why}"
        hint = f"It ends by itself after {LIFE_SECONDS / 3_600:.0f} hours. {ended_by(cluster.commands, release)}"
        if isinstance(cause, PgwizardError):
            cause.add_hint(f"{text}.\n{hint}")
        else:
            raise Interrupted(f"stopped: {text}", hint=hint) from error


async def move(
    cluster: Cluster,
    preparation: Preparation,
    open_preview: OpenPreview,
    target: RecoveryTarget,
    plan: RestorePlan,
    *,
    report: Report,
    now: Clock,
) -> OpenPreview:
    """Aim an open preview at a later target, without another restore. Raises PreflightError where it is not later."""
    release = open_preview.release
    async with stages.enter(STAGE, report) as stage:
        stop = await _stop_of(cluster, preparation, plan, stage)
        aim = Aim(target, stop.timeline, stop.position)
        if preview_job.is_there(open_preview.aim, stop):
            await cluster.patch(_ref(release), {"metadata": {"annotations": aim.annotations}})
            stage.complete(f"nothing was committed in between: {preview_job.reached_text(open_preview.reached_state)}")
            return replace(open_preview, aim=aim)
        if why := preview_job.why_not_forward(open_preview.aim, open_preview.reached_state, stop):
            raise PreflightError(
                f"the preview of release {release} cannot be moved: {why}",
                hint=f"End it, and begin another one: {_end_command(cluster.commands, release)}",
            )
        name = secrets.token_hex(4)
        lines = preview_job.target_lines(stop, name)
        await _run(cluster, release, open_preview.pod, "move", *lines, seconds=_EXEC_SECONDS)
        await cluster.patch(_ref(release), {"metadata": {"annotations": aim.annotations}})
        new_preview = await _wait(cluster, release, stop, name, stage, now=now, is_first=False)
        stage.complete(preview_job.reached_text(new_preview.reached_state))
    return new_preview


async def is_there(cluster: Cluster, release: ReleaseRef) -> bool:
    """Whether there is something to end, though it may not answer."""
    return await find_object(cluster, _ref(release)) is not None


async def end(cluster: Cluster, release: ReleaseRef, report: Report) -> bool:
    """Delete the preview with its volume. Returns whether there was one."""
    async with stages.enter(STAGE, report) as stage:
        was_there = await scratch.delete(cluster, _ref(release))
        stage.complete("its pod and its volume are deleted" if was_there else "none is open")
    return was_there


def psql_command(commands: Commands, release: ReleaseRef) -> str:
    """The command that opens psql in a preview."""
    words = ("exec", "-it", f"job/{preview_job.job_name(release)}", "-c", preview_job.CONTAINER, "--", "psql")
    return commands.kubectl(*words, namespace=release.namespace)


def ended_by(commands: Commands, release: ReleaseRef) -> str:
    """What to do to end a preview."""
    return f"End it: {_end_command(commands, release)}"


# ---- the Job ---------------------------------------------------------------------------------------------------------


def _ref(release: ReleaseRef) -> Ref:
    return Ref(JOB, preview_job.job_name(release), release.namespace)


def _end_command(commands: Commands, release: ReleaseRef) -> str:
    return commands.pgwizard("restore", release.name, "--preview", "--end", namespace=release.namespace)


def _open(commands: Commands, release: ReleaseRef) -> PreflightError:
    return PreflightError(f"a preview of release {release} is open already", hint=ended_by(commands, release))


def _accesses(release: ReleaseRef) -> list[Access]:
    kinds = (
        ("secrets", "", ("get",)),
        ("statefulsets", "apps", ("get",)),
        ("persistentvolumeclaims", "", ("get",)),
        ("pods", "", ("get", "list", "watch")),
        ("pods/log", "", ("get",)),
        ("pods/exec", "", ("get", "create")),
        ("jobs", "batch", ("get", "list", "watch", "create", "patch", "delete")),
        ("events", "", ("list", "watch")),
    )
    return rights.in_namespace(release.namespace, kinds)


async def _live_job(cluster: Cluster, release: ReleaseRef) -> Object | None:
    """The Job, unless it has ended or is being deleted."""
    job = await find_object(cluster, _ref(release))
    if job is None or job["metadata"].get("deletionTimestamp"):
        return None
    return job if assess({**job, "kind": JOB.kind}).status == "progressing" else None


async def _tidy(cluster: Cluster, release: ReleaseRef) -> None:
    """Delete the Job of a preview that has ended. Raises PreflightError where it has not."""
    if await _live_job(cluster, release) is not None:
        raise _open(cluster.commands, release)
    await scratch.delete(cluster, _ref(release))


async def _stop_of(cluster: Cluster, preparation: Preparation, plan: RestorePlan, stage: Stage) -> RestorePlan:
    if preparation.view is None:
        return plan
    stage.progress("looking for the last commit that the target includes")
    return await stop_at_commit(cluster, preparation.release, preparation.view, plan)


async def _pods(cluster: Cluster, release: ReleaseRef) -> Sequence[Object]:
    name = preview_job.job_name(release)
    pods = await list_objects(cluster, POD, release.namespace, labels=f"job-name={name}")
    return [pod for pod in pods if name in owners(pod, JOB.kind)]


async def _run(cluster: Cluster, release: ReleaseRef, pod: str, *words: str, seconds: float) -> str:
    command = ("/bin/bash", "-c", script_of("preview"), preview_job.CONTAINER, *words)
    result = await cluster.exec(release.namespace, pod, preview_job.CONTAINER, command, timeout_seconds=seconds)
    if result.exit_code != 0:
        text = plain((result.stderr or result.stdout).decode(errors="replace"))
        raise PreflightError(
            f"the preview of release {release} does not answer: {text}",
            hint=ended_by(cluster.commands, release),
        )
    return result.stdout.decode(errors="replace")


async def _wait(
    cluster: Cluster,
    release: ReleaseRef,
    plan: RestorePlan,
    name: str,
    stage: Stage,
    *,
    now: Clock,
    is_first: bool,
) -> OpenPreview:
    """Until the server is as far as it gets. name: of the target."""
    answer, is_read, prefix = "", is_first, preview_job.reached_prefix(name)

    def progress(text: str) -> None:
        if is_read:
            stage.progress(text)

    def read(line: str) -> None:
        nonlocal answer, is_read
        if line == preview_job.aimed_line(name):
            is_read = True
            stage.progress("replaying WAL")
        elif line.startswith(prefix):
            answer = line.removeprefix(prefix)
        elif is_read and line.startswith(_PROGRESS):
            stage.progress(line.removeprefix(_PROGRESS[0]))
        elif is_read:
            stage.log(line)

    seconds = preview_job.lifetime_seconds(plan)
    try:
        await jobs.wait_job(
            cluster,
            _ref(release),
            seconds,
            progress,
            read,
            explain=rollout.explain,
            at=now(),
            is_last_line=lambda line: line.startswith(prefix),
        )
        reached_state = preview_job.reached_of(answer)
    except JobFailed as error:
        text = f"the preview of release {release} has failed: {error.message}"
        raise NotProven(text, fault=error.fault, hint="The release is untouched.", log=error.log) from error
    except ValueError as error:
        raise NotProven(f"the preview of release {release}: {error}") from None
    await _require_reached(cluster, release, plan, reached_state)
    open_preview = await find(cluster, release)
    if open_preview is None:
        raise NotProven(f"the preview of release {release} has ended", hint="Run it again.")
    return open_preview


async def _require_reached(cluster: Cluster, release: ReleaseRef, plan: RestorePlan, state: Reached) -> None:
    """Raises NotProven where the server is somewhere else than at the target."""
    if state.is_exact:
        return
    live_record, _ = await records.get(cluster, release)
    view = await read_view(cluster, live_record)
    newest = view.archive.newest(plan.timeline)
    if newest is not None and state.lsn <= newest.last * view.archive.segment_bytes:
        raise NotProven(
            f"the preview of release {release} does not reach its target: recovery ends at WAL position "
            f"{lsn_text(state.lsn)}, and the archive goes further: a segment between them is missing or damaged",
            hint="Choose an earlier target.",
        )
    if plan.type != "time":
        raise DeadlineError(
            f"the preview of release {release} does not reach {plan.target}: it is not archived yet",
            hint=f"The archive ends at {lsn_text(state.lsn)}. Run it again once the server has archived more.",
        )
