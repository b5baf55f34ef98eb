"""Ends the undo of the newest restore: what was kept for it is deleted, and retention applies again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pgwizard.clock import Clock
from pgwizard.errors import PreflightError
from pgwizard.kube import lease
from pgwizard.kube.api import Access, Cluster
from pgwizard.plan.names import STANZA, ReleaseRef
from pgwizard.release import record, records, rights, stages
from pgwizard.release.record import Record
from pgwizard.release.stages import Event, Report
from pgwizard.restore.journal import Journal, read_journal
from pgwizard.restore.pod_command import read_output
from pgwizard.text import plain

_SECONDS = 600.0
_SCRIPT = """set -euo pipefail
shopt -s nullglob
for kept in "${PGDATA%/*}"/pg_wal.before-restore-*; do
  [ "$1" = list ] || rm -rf "$kept"
  echo "${kept##*/}"
done
"""


@dataclass(frozen=True, slots=True)
class UndoOffer:
    """The undo of a release's newest restore. copies: those of WAL that lie beside the data directory."""

    journal: Journal
    copies: tuple[str, ...]


async def read_offer(cluster: Cluster, release: ReleaseRef) -> UndoOffer:
    """What would be deleted. Raises PreflightError where there is nothing to finish."""
    own_record, _ = await records.get(cluster, release)
    await rights.require(cluster, _accesses(release))
    return UndoOffer(_open_journal(cluster, own_record), tuple(await _run_script(cluster, release, "list")))


async def finish(cluster: Cluster, release: ReleaseRef, report: Report, *, now: Clock) -> None:
    """Delete what is kept for an undo, let expire do the rest, and end the offer. It may be repeated after a failure.

    Raises PreflightError and the errors of the cluster.
    """
    ref = record.lease_ref(release)
    async with lease.hold(cluster, ref, report=lambda text: report(Event("lock", "progress", text)), now=now):
        own_record, _ = await records.get(cluster, release)
        journal = _open_journal(cluster, own_record)
        async with stages.enter("delete", report) as stage:
            deletions = await _run_script(cluster, release, "delete")
            stage.complete(", ".join(deletions) or "no copy of WAL was kept on the volume")
        async with stages.enter("expire", report) as stage:
            await _output(cluster, release, "pgbackrest", f"--stanza={STANZA}", "--log-level-console=warn", "expire")
            stage.complete("retention applies to all backups and WAL")
        own_record, _ = await records.get(cluster, release)
        restoration = replace(journal, undo=None, is_finished=True).restoration()
        await cluster.apply(own_record.with_newest_restore(restoration).secret(), force=True)


def _open_journal(cluster: Cluster, own_record: Record) -> Journal:
    """The newest restore, whose undo is still offered. Raises PreflightError."""
    if own_record.unfinished_restore is not None or own_record.awaits_restore:
        raise records.unfinished_restore(own_record.ref, cluster.commands)
    try:
        journal = read_journal(own_record.restorations[-1]) if own_record.restorations else None
    except ValueError as error:
        raise PreflightError(f"release {own_record.ref}: {error}", hint="Use the version that began it.") from error
    if journal is None or journal.is_finished or journal.is_clone or journal.receipt is None:
        raise PreflightError(
            f"release {own_record.ref} has no restore that could be undone: there is nothing to finish"
        )
    return journal


def _accesses(release: ReleaseRef) -> list[Access]:
    kinds = (
        ("secrets", "", ("get", "patch")),
        ("pods/exec", "", ("get", "create")),
        ("leases", "coordination.k8s.io", ("get", "create", "update")),
    )
    return rights.in_namespace(release.namespace, kinds)


async def _run_script(cluster: Cluster, release: ReleaseRef, action: str) -> list[str]:
    text = await _output(cluster, release, "bash", "-c", _SCRIPT, "kept-wal", action)
    return [plain(line) for line in text.splitlines()]


async def _output(cluster: Cluster, release: ReleaseRef, *command: str) -> str:
    """What a command in the database's pod prints. Raises PreflightError."""
    hint = "The database must run for it. Run it again."
    return await read_output(cluster, release, command, seconds=_SECONDS, hint=hint)
