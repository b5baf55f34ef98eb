"""``restore``: a release back to an earlier moment, in place; or a release that is gone, from its repository."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pgwizard.cli import connect, prompt
from pgwizard.cli.json_lines import JsonLine, NoteLine
from pgwizard.cli.options import Invocation
from pgwizard.cli.run_lines import reporter, show_changes
from pgwizard.cli.source import LocatedRelease, Source, release_of, with_overrides
from pgwizard.cli.table import (
    BEFORE,
    CA_FILE,
    FINISH,
    FROM_ANSWERS,
    INTO,
    NAMESPACE,
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
from pgwizard.release import clone
from pgwizard.release.apply import ReleaseRequest
from pgwizard.release.changes import Change
from pgwizard.release.record import Origin
from pgwizard.release.stages import Event, Report
from pgwizard.restore import creation, finish
from pgwizard.restore import run as restore_run
from pgwizard.restore.journal import Journal
from pgwizard.restore.report import loss_text, plan_lines, receipt_text
from pgwizard.restore.target import RestorePlan, TargetRefusal, lsn_text, read_target
from pgwizard.text import fit


@dataclass(frozen=True, slots=True)
class RestorePlanLine(JsonLine):
    """What a restore does. lost_since, lost_until: what was committed between them is lost, null where not known.

    segments, bytes: what is replayed and fetched, at most; seconds: an estimate, without the full backup after it.
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
    why recovery ended there.
    """

    type_name = "receipt"
    target: str
    timeline: int
    lsn: str
    reason: str
    restore_seconds: int
    recovery_seconds: int


def restore(call: Invocation, writer: Writer) -> None:
    """Restore in place, or make the release again and restore it.

    Raises UsageError for a target that cannot be reached.
    """
    if call[FINISH]:
        _finish(call, writer)
        return
    answers, into = _answers(call), _into(call)
    interrupted = Interrupted("stopped: nothing was written")

    async def work(cluster: Cluster, now: Clock) -> None:
        nonlocal interrupted
        show = reporter(writer, answers.locate if answers else lambda finding: finding)
        release = ReleaseRef(call[NAMESPACE] or cluster.namespace, call.word)
        request, origin = answers.request if answers else None, None
        if into is not None:
            source = request or await clone.source_request(cluster, release)
            origin = clone.origin_of(source.answers, "" if answers else str(release))
            request = with_overrides(await clone.clone_request(cluster, source, into), () if answers else call[SET])
        if request is not None:
            release = ReleaseRef.of(request.answers)
            interrupted = Interrupted("stopped", hint="Run it again at any time: it resumes.")
            if not await _create(call, writer, request, cluster, origin, show=show, now=now):
                return
        preparation = await restore_run.prepare(cluster, release)
        journal = await _journal(call, writer, cluster, preparation, now)
        if journal.is_untouched_undo:
            text = "The data directory was not touched: the server is started on it again."
            writer.line(text, NoteLine(text))
        else:
            show_plan(writer, replace(journal.plan, silence="") if preparation.origin else journal.plan)
        if call[RESTORE_PLAN_ONLY]:
            return
        await _confirm(call, release)
        command = cluster.commands.pgwizard("restore", release.name, namespace=release.namespace)
        resume = Interrupted("stopped", hint=f"The restore has not ended. Resume it: {command}")
        interrupted = (
            resume if preparation.journal is not None else Interrupted("stopped: the database was not touched")
        )

        def report(event: Event) -> None:
            nonlocal interrupted
            if event.stage != restore_run.FIRST_STAGE and event.kind == "began":
                interrupted = resume
            show(event)

        ended = await restore_run.run(release, journal, cluster, report, now=now)
        show_receipt(writer, release, ended, cluster)

    with answers.locating() if answers else contextlib.nullcontext():
        connect.run(call, writer, work, released=answers is None, interruption=lambda: interrupted)


def _finish(call: Invocation, writer: Writer) -> None:
    _answers(call)

    async def work(cluster: Cluster, now: Clock) -> None:
        release = ReleaseRef(call[NAMESPACE] or cluster.namespace, call.word)
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
        call, writer, work, released=True, interruption=lambda: Interrupted("stopped", hint="Run it again at any time.")
    )


def _answers(call: Invocation) -> LocatedRelease | None:
    """The release of ``--from``; None where a release is named. Raises UsageError for neither and for both."""
    path = call[FROM_ANSWERS]
    if (path is None) != bool(call.words):
        raise UsageError("restore needs the release's NAME, or --from FILE", hint="Such as: --from answers.yaml.")
    if path is None:
        if (call[SET] != () and call[INTO] is None) or call[CA_FILE] is not None:
            raise UsageError("--set and --ca-file change answers: they go with --from FILE, --set with --into too")
        return None
    return release_of(Source(path, call[SET], call[CA_FILE]))


def _into(call: Invocation) -> ReleaseRef | None:
    """The clone to make; None without one. Raises UsageError."""
    typed = call[INTO]
    if typed is None:
        return None
    namespace, _, name = typed.partition("/")
    if not namespace or not name or "/" in name:
        raise UsageError(f"--into {fit(typed)}: expected NAMESPACE/NAME", hint="Such as: --into staging/postgresql.")
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
    namespace = request.answers.release.namespace

    async def approve(changes: Sequence[Change]) -> bool:
        show_changes(writer, changes, whole=False)
        return call[YES] or (
            prompt.is_interactive(yes=False) and await prompt.confirm(f"Create this in {namespace}? [y/N] ")
        )

    dry_run = call[RESTORE_PLAN_ONLY]
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
    typed, is_undo = call[RECOVERY_TARGET], call[UNDO]
    if preparation.journal is not None and typed is None:
        return restore_run.resumed(preparation.journal, is_undo=is_undo)
    if preparation.awaits_restore and not is_undo:
        typed = typed or "latest"
    if typed is None and not is_undo:
        raise UsageError("restore needs --to TARGET or --undo", hint="Such as: --to 2026-11-27T21:00:04Z.")
    target = read_target(typed or "", local_zone(), is_exclusive=call[BEFORE])
    plan: RestorePlan | Journal | TargetRefusal
    if is_undo:
        plan = await restore_run.undo_plan(cluster, preparation, now)
    elif preparation.journal is not None:
        plan = await restore_run.redirected(cluster, preparation, target, now)
    else:
        plan = await restore_run.plan_to(cluster, preparation, target, now)
    if isinstance(plan, TargetRefusal):
        writer.line(None, UnreachableLine(plan.reason, plan.text, plan.before, plan.after))
        raise UsageError(f"the target cannot be reached: {plan.text}", hint=plan.fix)
    return plan if isinstance(plan, Journal) else restore_run.new_journal(plan, now)


async def _confirm(call: Invocation, release: ReleaseRef, what: str = "restore it") -> None:
    """Raises UsageError and Interrupted where it is not confirmed."""
    if call[YES]:
        return
    if not prompt.is_interactive(yes=False):
        raise UsageError("standard input is no terminal: nothing was written", hint="--yes confirms it.")
    if await prompt.ask(f"Type the release's name to {what} in {release.namespace}: ") != release.name:
        raise Interrupted("not approved: nothing was written")


def show_plan(writer: Writer, plan: RestorePlan) -> None:
    """What a restore would do."""
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
        plan.silence,
        plan.archived_until,
    )
    writer.line("\n".join(plan_lines(plan)), line)


def show_receipt(writer: Writer, release: ReleaseRef, journal: Journal, cluster: Cluster) -> None:
    """What a restore reached, and how it is undone."""
    receipt = journal.receipt
    if receipt is None:
        text = "The database runs again. Nothing was restored."
        writer.line(text, NoteLine(text))
        return
    if journal.is_clone:
        text = (
            f"Clone {release} holds {journal.plan.target} of its source: {receipt_text(receipt)}.\n"
            "Its subscriptions and the jobs of pg_cron are asleep; docs/restore.md shows how to wake them."
        )
    else:
        undo = cluster.commands.pgwizard("restore", release.name, "--undo", namespace=release.namespace)
        text = f"Release is restored to {journal.plan.target}: {receipt_text(receipt)}.\nUndo it: {undo}"
    target, seconds = journal.plan.target, (receipt.restore_seconds, receipt.recovery_seconds)
    writer.line(text, ReceiptLine(target, receipt.timeline, lsn_text(receipt.lsn), receipt.reason, *seconds))
