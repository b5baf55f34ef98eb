"""``apply`` and ``diff``: a file of answers against the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pgwizard.cli import connect, prompt
from pgwizard.cli.json_lines import JsonLine, ProblemPart, WarningLine
from pgwizard.cli.options import Invocation
from pgwizard.cli.run_lines import reporter, require_proof, show_changes
from pgwizard.cli.source import LocatedRelease, release_of, source_of
from pgwizard.cli.table import (
    ADOPTABLE,
    CONTEXT,
    DIFF,
    DRY_RUN,
    EXIT_CODE,
    FORCE_CONFLICTS,
    KUBECONFIG,
    NO_WAIT,
    TAKE_OVER,
    TIMEOUT,
    YES,
)
from pgwizard.cli.writer import Writer
from pgwizard.clock import Clock
from pgwizard.errors import AnswersError, Finding, Interrupted
from pgwizard.kube.api import Cluster
from pgwizard.kube.commands import Commands
from pgwizard.release import apply as release_apply
from pgwizard.release import survey
from pgwizard.release.changes import Change
from pgwizard.release.report import WriteCount, address, connect_commands
from pgwizard.release.stages import Event
from pgwizard.tls.certificates import Bundle

DIFFERENCES = 1
"""Exit code of ``diff --exit-code`` if there are differences, as of diff(1) and ``kubectl diff``."""


@dataclass(frozen=True, slots=True)
class OutcomeLine(JsonLine):
    """How an apply or a diff ended; the last line. connect: shell commands that open psql on the database.

    findings: problems of a release that is up, such as a damaged backup.
    """

    type_name = "outcome"
    outcome: release_apply.Result
    message: str
    connect: tuple[str, ...]
    findings: tuple[ProblemPart, ...]


def apply(call: Invocation, writer: Writer) -> None:
    """Install or upgrade a release, a line for each stage."""
    options = release_apply.Options(
        dry_run=call[DRY_RUN],
        wait=not call[NO_WAIT],
        timeout_seconds=call[TIMEOUT],
        force_conflicts=call[FORCE_CONFLICTS],
        take_over=call[TAKE_OVER],
        adoptable=call[ADOPTABLE],
    )
    outcome = _run(call, writer, options, whole=call[DIFF], yes=call[YES])
    commands: tuple[str, ...] = ()
    if outcome.plan is not None and outcome.result in ("deployed", "unchanged"):
        commands = connect_commands(outcome.plan, Commands(call[CONTEXT], call[KUBECONFIG]))
    show_outcome(writer, outcome, commands)
    if outcome.plan is not None:
        require_proof(outcome.plan.ref, outcome.findings)


def diff(call: Invocation, writer: Writer) -> int:
    """Show what an apply would change. With ``--exit-code`` it returns DIFFERENCES if there are any.

    A release whose file of the certificate is not at hand is compared with the certificate that it has.
    """
    options = release_apply.Options(
        dry_run=True,
        force_conflicts=call[FORCE_CONFLICTS],
        take_over=call[TAKE_OVER],
        adoptable=call[ADOPTABLE],
    )
    outcome = _run(call, writer, options, whole=True, yes=True, may_lack_certificate=True)
    show_outcome(writer, outcome)
    differs = any(change.action not in ("unchanged", "keep") for change in outcome.changes)
    return DIFFERENCES if call[EXIT_CODE] and differs else 0


def _run(
    call: Invocation,
    writer: Writer,
    options: release_apply.Options,
    *,
    whole: bool,
    yes: bool,
    may_lack_certificate: bool = False,
) -> release_apply.ApplyOutcome:
    release = release_of(source_of(call), may_lack_certificate=may_lack_certificate)
    namespace = release.request.answers.release.namespace
    count = WriteCount()

    def interruption() -> Interrupted:
        if not count.is_approved:
            return Interrupted("stopped: nothing was written")
        resume = f"{count.sequel} Run it again at any time: it resumes."
        return Interrupted(f"stopped; written: {count.text}", hint=resume)

    async def approve(changes: Sequence[Change]) -> bool:
        show_changes(writer, changes, whole=whole)
        if prompt.is_interactive(yes=yes) and not await prompt.confirm(f"Apply this to {namespace}? [y/N] "):
            return False
        count.approve(changes)
        return True

    async def work(cluster: Cluster, now: Clock) -> release_apply.ApplyOutcome:
        show = reporter(writer, release.locate)

        def report(event: Event) -> None:
            count.take(event)
            show(event)

        request = release.request
        if release.unread:
            request = replace(request, ca_file=await _own_certificate(cluster, release, release.unread, writer))
        return await release_apply.run(request, cluster, report, approve, options, now=now)

    with release.locating():
        outcome = connect.run(call, writer, work, interruption=interruption)
    if outcome.result == "dry-run":
        show_changes(writer, outcome.changes, whole=whole)
    return outcome


async def _own_certificate(cluster: Cluster, release: LocatedRelease, unread: Finding, writer: Writer) -> Bundle:
    """What the release's mirror has. Raises AnswersError without one."""
    bundle = await survey.mirrored_certificate(cluster, release.request.answers)
    if bundle is None:
        raise AnswersError(release.name, [release.locate(unread)])
    same = replace(
        unread, text=f"{unread.text}: compared with the certificate that the release has", severity="warning"
    )
    writer.note(f"warning: {same.whole}", WarningLine.of(same))
    return bundle


def show_outcome(writer: Writer, outcome: release_apply.ApplyOutcome, commands: Sequence[str] = ()) -> None:
    lines = [outcome.headline]
    if outcome.result == "deployed" and outcome.plan is not None:
        lines.append(address(outcome.plan))
    message, findings = "\n".join(lines), tuple(map(ProblemPart.of, outcome.findings))
    if commands:
        lines += ["Connect with:", *(f"  {command}" for command in commands)]
    writer.line("\n".join(lines), OutcomeLine(outcome.result, message, tuple(commands), findings))
