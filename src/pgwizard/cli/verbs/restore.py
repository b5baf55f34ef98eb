"""``restore``: a release back to an earlier moment, in place; or a release that is gone, from its repository."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pgwizard.cli import connect, prompt
from pgwizard.cli.json_lines import JsonLine, NoteLine
from pgwizard.cli.options import Invocation
from pgwizard.cli.prompt import NOTHING_WRITTEN
from pgwizard.cli.run_lines import reporter, show_changes
from pgwizard.cli.source import LocatedRelease, Source, release_of, with_overrides
from pgwizard.cli.table import (
    BEFORE,
    CA_FILE,
    END,
    FINISH,
    FROM_ANSWERS,
    INTO,
    NAMESPACE,
    PREVIEW,
    RECOVERY_TARGET,
    RESTORE_PLAN_ONLY,
    SET,
    UNDO,
    YES,
)
from pgwizard.cli.writer import Writer
from pgwizard.clock import Clock
from pgwizard.errors import Interrupted, UsageError
from pgwizard.kube.api import Cluster
from pgwizard.local.zone import local_zone
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import clone, records, rights
from pgwizard.release.apply import ReleaseRequest
from pgwizard.release.changes import Change
from pgwizard.release.record import Origin
from pgwizard.release.stages import Event, Report
from pgwizard.restore import creation, finish, preview
from pgwizard.restore import run as restore_run
from pgwizard.restore.journal import Journal
from pgwizard.restore.preview import OpenPreview
from pgwizard.restore.preview_job import reached_text
from pgwizard.restore.report import (
    UNTOUCHED_TEXT,
    loss_text,
    preview_rows,
    result_lines,
    rights_row,
    row_lines,
    unfinished_text,
)
from pgwizard.restore.target import RestorePlan, TargetRefusal, lsn_text, read_target, shown_moment
from pgwizard.text import fit


@dataclass(frozen=True, slots=True)
class RestorePlanLine(JsonLine):
    """What a restore does. lost_since, lost_until: what was committed between them is lost, null where not known.

    segments, bytes: what is replayed and fetched, at most; seconds: an estimate, without the full backup after it;
    basis: what has shown it, empty where no drill or restore of this release has.
    silence: why the server does not answer, empty where it does; archived_until: then, what it wrote later is lost.
    """

    type_name = "restorePlan"
    target: str
    backup: str
    timeline: int
    options: tuple[str, ...]
    loss: str
    lost_since: datetime | None
    lost_until: datetime | None
    segments: int
    bytes: int
    seconds: float
    basis: str
    silence: str
    archived_until: datetime | None


@dataclass(frozen=True, slots=True)
class UnreachableLine(JsonLine):
    """A target that cannot be reached. before, after: the nearest moments that can, null where there is none."""

    type_name = "unreachable"
    reason: str
    text: str
    before: datetime | None
    after: datetime | None


@dataclass(frozen=True, slots=True)
class ReceiptLine(JsonLine):
    """What a restore reached, its last line. timeline: the new one; lsn: the WAL position at which it begins; reason:
    why recovery ended there. reached_at: the time of the last commit that was replayed, null where none was.
    """

    type_name = "receipt"
    target: str
    timeline: int
    lsn: str
    reason: str
    reached_at: datetime | None
    restore_seconds: int
    recovery_seconds: int


@dataclass(frozen=True, slots=True)
class PreviewLine(JsonLine):
    """Where a preview is. lsn: all before it is replayed; reachedAt: when the newest commit was made that is replayed,
    null for none; reason: why recovery stopped there. isExact: false where no later commit is archived yet.

    endsAt: when it ends by itself; psql: the command that opens psql in it.
    """

    type_name = "preview"
    target: str
    lsn: str
    reached_at: datetime | None
    reason: str
    is_exact: bool
    ends_at: datetime
    psql: str


_QUESTION = "Begin a preview? The database keeps running, and nothing is written to it. [y/N] "


def restore(call: Invocation, writer: Writer) -> None:
    """Restore in place, or make the release again and restore it.

    Raises UsageError for a target that cannot be reached.
    """
    if call[FINISH]:
        _finish(call, writer)
        return
    _require_target(call)
    if call[PREVIEW]:
        _preview(call, writer)
        return
    answers, into = _answers(call), _into(call)
    interruption = Interrupted("stopped: nothing was written")

    async def work(cluster: Cluster, now: Clock) -> None:
        nonlocal interruption
        show = reporter(writer, answers.locate if answers else lambda finding: finding)
        release = ReleaseRef(call[NAMESPACE] or cluster.namespace, call.word)
        request, origin = answers.request if answers else None, None
        if into is not None:
            with writer.waiting(f"Reading what {into} is cloned from ..."):
                source = request or await clone.source_request(cluster, release)
                origin = clone.origin_of(source.answers, "" if answers else str(release))
                request = with_overrides(await clone.clone_request(cluster, source, into), call[SET])
        if request is not None:
            release = ReleaseRef.of(request.answers)
            interruption = Interrupted("stopped", hint="Run it again at any time: it resumes.")
            if not await _create(call, writer, request, cluster, origin, show=show, now=now):
                return
        with writer.waiting(f"Reading release {release} and its repository ..."):
            preparation = await restore_run.prepare(cluster, release)
            journal = await _journal(call, writer, cluster, preparation, now)
        show_resumed(writer, preparation.journal, journal)
        plan = preparation.shown_plan(journal)
        if plan is None:
            writer.line(UNTOUCHED_TEXT, NoteLine(UNTOUCHED_TEXT))
        else:
            show_plan(writer, plan, {**preparation.rows(plan), **rights_row(preparation.lacks)})
        if call[RESTORE_PLAN_ONLY]:
            return
        rights.refuse(cluster, preparation.lacks)
        written_text = NOTHING_WRITTEN if request is None else f"release {release} is created, and nothing was restored"
        await _confirm(call, release, written_text=written_text)
        command = cluster.commands.pgwizard("restore", release.name, namespace=release.namespace)
        interruption = Interrupted("stopped: the database was not touched")
        if preparation.journal is not None:
            interruption = Interrupted("stopped", hint=f"{unfinished_text(journal.stage)}\nResume it: {command}")

        def report(event: Event) -> None:
            nonlocal interruption
            if event.stage not in ("lock", restore_run.FIRST_STAGE) and event.kind == "began":
                interruption = Interrupted("stopped", hint=f"{unfinished_text(event.stage)}\nResume it: {command}")
            show(event)

        outcome = await restore_run.run(release, journal, cluster, report, now=now)
        show_receipt(writer, release, outcome, cluster)

    with answers.locating() if answers else contextlib.nullcontext():
        connect.run(call, writer, work, has_release=answers is None, interruption=lambda: interruption)


def _require_target(call: Invocation) -> None:
    """Raises UsageError where options lack the one that they go with."""
    if call[BEFORE] and call[RECOVERY_TARGET] is None:
        raise UsageError("--before needs --to TARGET", hint="Such as: --to 2026-11-27T21:00:04Z --before.")
    if call[END] and not call[PREVIEW]:
        raise UsageError("--end goes with --preview", hint="Such as: restore NAME --preview --end.")
    if call[PREVIEW] and not call[END] and call[RECOVERY_TARGET] is None:
        raise UsageError("--preview needs --to TARGET or --end", hint="Such as: --preview --to 2026-11-27T21:00:04Z.")


def _finish(call: Invocation, writer: Writer) -> None:
    _answers(call)

    async def work(cluster: Cluster, now: Clock) -> None:
        release = ReleaseRef(call[NAMESPACE] or cluster.namespace, call.word)
        with writer.waiting(f"Reading release {release} ..."):
            offer = await finish.read_offer(cluster, release)
        text = f"Ends the undo of the restore to {offer.journal.plan.target}. "
        text += f"Deletes {', '.join(offer.copies)}." if offer.copies else "No copy of WAL was kept on the volume."
        writer.line(text, NoteLine(text))
        if call[RESTORE_PLAN_ONLY]:
            return
        await _confirm(call, release, "finish its restore")
        await finish.finish(cluster, release, reporter(writer), now=now)
        text = "The restore can no longer be undone. Retention applies to all backups."
        writer.line(text, NoteLine(text))

    connect.run(
        call,
        writer,
        work,
        has_release=True,
        interruption=lambda: Interrupted("stopped", hint="Run it again at any time."),
    )


def _preview(call: Invocation, writer: Writer) -> None:
    """Begin a preview, move the one that is open, or end it. Raises UsageError for a target that cannot be reached."""
    _answers(call)
    text = call[RECOVERY_TARGET]
    interruption = Interrupted("stopped: nothing was written")

    async def work(cluster: Cluster, now: Clock) -> None:
        nonlocal interruption
        show = reporter(writer)
        release = ReleaseRef(call[NAMESPACE] or cluster.namespace, call.word)
        if text is None:
            if not await preview.is_there(cluster, release):
                await records.find_layout(cluster, release)  # a mistyped name is not an ended preview
            await preview.end(cluster, release, show)
            return
        target = read_target(text, local_zone(), is_exclusive=call[BEFORE])
        with writer.waiting(f"Reading release {release} and its repository ..."):
            preparation = await preview.prepare(cluster, release)
            open_preview = await preview.find(cluster, release)
            plan = await restore_run.plan_to(cluster, preparation, target, now)
        if isinstance(plan, TargetRefusal):
            raise _unreachable(writer, plan)
        if isinstance(target, TargetRefusal):
            raise _unreachable(writer, target)
        rows = {"Target": plan.target, **rights_row(preparation.lacks)}
        show_plan(writer, plan, rows if open_preview else preview_rows(plan, preparation.lacks))
        if call[RESTORE_PLAN_ONLY]:
            return
        rights.refuse(cluster, preparation.lacks)
        if open_preview is None:
            if prompt.is_interactive(yes=call[YES]) and not await prompt.confirm(_QUESTION):
                raise Interrupted("not approved: nothing was written")
            interruption = Interrupted("stopped: no preview is open")  # else the start itself says what is left
            open_preview = await preview.start(cluster, preparation, target, plan, report=show, now=now)
        else:
            interruption = Interrupted(
                "stopped: the preview was not ended", hint=preview.ended_by(cluster.commands, release)
            )
            open_preview = await preview.move(cluster, preparation, open_preview, target, plan, report=show, now=now)
        show_preview(writer, open_preview, cluster)

    connect.run(call, writer, work, has_release=True, interruption=lambda: interruption)


def _answers(call: Invocation) -> LocatedRelease | None:
    """The release of ``--from``; None where a release is named. Raises UsageError for neither and for both."""
    path = call[FROM_ANSWERS]
    if path is not None and call.words:
        raise UsageError("restore takes the release's NAME or --from FILE, not both", hint="FILE names it.")
    if path is None and not call.words:
        raise UsageError(
            "restore needs the release's NAME, or --from FILE", hint="pgwizard releases -A lists the names."
        )
    if path is None:
        if (call[SET] != () and call[INTO] is None) or call[CA_FILE] is not None:
            raise UsageError("--set and --ca-file change answers: they go with --from FILE, --set with --into too")
        return None
    overrides = call[SET] if call[INTO] is None else ()  # with --into they change the clone, not where backups are read
    return release_of(Source(path, overrides, call[CA_FILE]))


def _into(call: Invocation) -> ReleaseRef | None:
    """The clone to make; None without one. Raises UsageError."""
    text = call[INTO]
    if text is None:
        return None
    namespace, _, name = text.partition("/")
    if not namespace or not name or "/" in name:
        raise UsageError(f"--into {fit(text)}: expected NAMESPACE/NAME", hint="Such as: --into staging/postgresql.")
    return ReleaseRef(namespace, name)


async def _create(
    call: Invocation,
    writer: Writer,
    request: ReleaseRequest,
    cluster: Cluster,
    origin: Origin | None,
    *,
    show: Report,
    now: Clock,
) -> bool:
    """Make the objects of the release. Returns whether the repository can be read by now."""
    namespace, dry_run = request.answers.release.namespace, call[RESTORE_PLAN_ONLY]
    if not call[YES] and not dry_run and not prompt.is_interactive(yes=False):
        raise UsageError(f"standard input is no terminal: {NOTHING_WRITTEN}", hint="--yes confirms it.")

    async def approve(changes: Sequence[Change]) -> bool:
        show_changes(writer, changes, whole=False)
        return call[YES] or await prompt.confirm(f"Create this in {namespace}? [y/N] ")

    outcome = await creation.create(request, cluster, show, approve, dry_run=dry_run, now=now, origin=origin)
    if outcome is not None and dry_run:
        show_changes(writer, outcome.changes, whole=False)
        text = "Dry run: nothing was written. The backups can be read once the release's objects are there."
        writer.line(text, NoteLine(text))
    return outcome is None or not dry_run


async def _journal(
    call: Invocation, writer: Writer, cluster: Cluster, preparation: restore_run.Preparation, now: Clock
) -> Journal:
    """The restore that is wanted, or the one that has not ended. Raises UsageError."""
    text, is_undo = call[RECOVERY_TARGET], call[UNDO]
    if preparation.journal is not None and text is None:
        return restore_run.resume(preparation.journal, is_undo=is_undo)
    if preparation.awaits_restore and not is_undo:
        text = text or "latest"
    if text is None and not is_undo:
        raise UsageError("restore needs --to TARGET or --undo", hint="Such as: --to 2026-11-27T21:00:04Z.")
    target = read_target(text or "", local_zone(), is_exclusive=call[BEFORE])
    plan: RestorePlan | Journal | TargetRefusal
    if is_undo:
        plan = await restore_run.plan_undo(cluster, preparation, now)
    elif preparation.journal is not None:
        plan = await restore_run.redirect(cluster, preparation, target, now)
    else:
        plan = await restore_run.plan_to(cluster, preparation, target, now)
    if isinstance(plan, TargetRefusal):
        raise _unreachable(writer, plan)
    return plan if isinstance(plan, Journal) else restore_run.new_journal(plan, now)


def _unreachable(writer: Writer, refusal: TargetRefusal) -> UsageError:
    writer.line(None, UnreachableLine(refusal.reason, refusal.text, refusal.before, refusal.after))
    return UsageError(f"the target cannot be reached: {refusal.text}", hint=refusal.fix)


async def _confirm(
    call: Invocation, release: ReleaseRef, what: str = "restore it", *, written_text: str = NOTHING_WRITTEN
) -> None:
    """Raises UsageError and Interrupted where it is not confirmed. written_text: what already exists."""
    if call[YES]:
        return
    if not prompt.is_interactive(yes=False):
        raise UsageError(f"standard input is no terminal: {written_text}", hint="--yes confirms it.")
    question = f"Type the release's name to {what} in {release.namespace}: "
    if await prompt.ask(question, written_text=written_text) != release.name:
        raise Interrupted(f"not approved: {written_text}")


def show_resumed(writer: Writer, unfinished_restore: Journal | None, journal: Journal) -> None:
    """Where a restore that has not ended, if there is one, continues."""
    if unfinished_restore is not None:
        began = shown_moment(datetime.fromisoformat(unfinished_restore.at))
        text = f"A restore that began at {began} has not ended. It continues with the stage {journal.stage}."
        writer.line(text, NoteLine(text))


def show_plan(writer: Writer, plan: RestorePlan, rows: Mapping[str, str]) -> None:
    """What a restore would do. rows: what is shown of it to people."""
    line = RestorePlanLine(
        plan.target,
        plan.backup,
        plan.timeline,
        plan.options,
        loss_text(plan),
        plan.lost_since,
        plan.lost_until,
        plan.segments,
        plan.bytes,
        plan.seconds,
        plan.basis,
        plan.silence,
        plan.archived_until,
    )
    writer.line("\n".join(row_lines(rows, writer.columns)), line)


def show_preview(writer: Writer, open_preview: OpenPreview, cluster: Cluster) -> None:
    """Where a preview is, and what can be done with it."""
    release, target, reached_state = open_preview.release, open_preview.aim.target, open_preview.reached_state
    options = ["--to", target.as_typed, *(["--before"] if target.is_exclusive else [])]

    def command(*words: str) -> str:
        return cluster.commands.pgwizard("restore", release.name, *words, namespace=release.namespace)

    psql = preview.psql_command(cluster.commands, release)
    rows = {
        "Shows": f"{target}: {reached_text(reached_state)}",
        "psql": psql,
        "Later": command("--preview", "--to", "LATER"),
        "Restore": command(*options),
        "End": f"{command('--preview', '--end')}; it ends by itself at {shown_moment(open_preview.ends_at)}",
    }
    line = PreviewLine(
        str(target),
        lsn_text(reached_state.lsn),
        reached_state.at,
        reached_state.reason,
        reached_state.is_exact,
        open_preview.ends_at,
        psql,
    )
    writer.line("\n".join(row_lines(rows)), line)


def show_receipt(writer: Writer, release: ReleaseRef, journal: Journal, cluster: Cluster) -> None:
    """What a restore reached, and how it is undone."""
    text, receipt = "\n".join(result_lines(release, journal, cluster.commands)), journal.receipt
    if receipt is None:
        writer.line(text, NoteLine(text))
        return
    target, seconds = journal.plan.target, (receipt.restore_seconds, receipt.recovery_seconds)
    writer.line(
        text, ReceiptLine(target, receipt.timeline, lsn_text(receipt.lsn), receipt.reason, receipt.reached_at, *seconds)
    )
