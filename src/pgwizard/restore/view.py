"""Reads what a restore is chosen from: the archive, the backups and the timeline, by commands in the database's pod."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from pgwizard.errors import ClusterError, PreflightError
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.layout import Layout
from pgwizard.restore.target import RepositoryView
from pgwizard.status import probes
from pgwizard.status.repository import Backup
from pgwizard.status.snapshot import ReleaseSummary
from pgwizard.status.wal import continuity
from pgwizard.status.walk import whole_backups

_IO_TIMEOUT_SECONDS = 10


async def read_view(cluster: Cluster, release: ReleaseRef, summary: ReleaseSummary) -> RepositoryView:
    """Raises PreflightError where the server or the repository does not answer.

    The archive is listed before the backups, so that a backup is never newer than the listing. A hole counts only once
    a second listing has it too: segments may arrive out of order.
    """
    try:
        archiver = await probes.archiver(cluster, Layout.of(release), summary.superuser)
        listing = await probes.archive(cluster, Layout.of(release), _IO_TIMEOUT_SECONDS)
        repository = await probes.repository(cluster, Layout.of(release), _IO_TIMEOUT_SECONDS)
        damaged = await _damaged(cluster, release, summary, repository.backups)
        archive = listing.archive(archiver.segment_bytes)
        if continuity(archive, whole_backups(repository.backups, damaged), archiver.timeline).has_hole:
            again = await probes.archive(cluster, Layout.of(release), _IO_TIMEOUT_SECONDS)
            archive = again.archive(archiver.segment_bytes, listing)
    except (ValueError, ClusterError) as error:
        text = error.message if isinstance(error, ClusterError) else str(error)
        command = cluster.commands.pgwizard("explain", f"release/{release.name}", namespace=release.namespace)
        raise PreflightError(
            f"the repository of release {release.name} in namespace {release.namespace} cannot be read: {text}",
            hint=f"See why: {command}",
        ) from error
    if repository.stanza:
        raise PreflightError(f"the repository of release {release.name} cannot be used: {repository.stanza}")
    if repository.system_id != archiver.system_id:
        raise PreflightError(
            f"the repository of release {release.name} holds backups of another database: system identifier "
            f"{repository.system_id}, and the server has {archiver.system_id}",
            hint="Look at repository.path in the answers.",
        )
    segments = summary.verification.segments if summary.verification else ()
    return RepositoryView(
        archive.without(segments), repository.backups, archiver.timeline, is_answering=True, damaged=damaged
    )


async def _damaged(
    cluster: Cluster, release: ReleaseRef, summary: ReleaseSummary, backups: Sequence[Backup]
) -> frozenset[str]:
    """The backups that a restore would fail on, as far as is known.

    Where the files cannot be compared, the restore goes ahead: pgBackRest itself fails at a missing file, before the
    server is started.
    """
    verification = summary.verification
    found = {each.label for each in (verification.damaged if verification else ()) if each.files}
    with contextlib.suppress(ValueError, ClusterError):
        found |= set((await probes.compared_files(cluster, Layout.of(release), _IO_TIMEOUT_SECONDS)).damaged(backups))
    return frozenset(found)
