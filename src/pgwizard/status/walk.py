"""The walk through a listed archive with the backups of ``pgbackrest info``. Pure."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass

from pgwizard.status.listing import Listing
from pgwizard.status.repository import Backup
from pgwizard.status.wal import Archive, Continuity, continuity


@dataclass(frozen=True, slots=True)
class ArchiveWalk:
    """continuity: that of the archive and the whole backups that it covers; newer_backups: those that are newer.

    has_new_hole: WAL is missing in the newest listing, and the one before does not confirm it.
    """

    archive: Archive
    continuity: Continuity
    newer_backups: tuple[Backup, ...]
    has_new_hole: bool


def walk(
    listing: Listing,
    before: Listing | None,
    whole: Sequence[Backup],
    segment_bytes: int,
    timeline: int | None,
    *,
    damaged_segments: Collection[str] = (),
) -> ArchiveWalk:
    """The walk with what any of two listings has: the newer one may be older than what it is compared with.

    whole: backups that can be restored, oldest first; timeline: the server's own, None if unknown; damaged_segments:
    those that are there and cannot be read.
    """
    there = listing.archive(segment_bytes, *([before] if before else [])).without(damaged_segments)
    newer_backups = tuple(backup for backup in whole if there.is_behind(backup.wal_stop))
    covered_backups = [backup for backup in whole if not there.is_behind(backup.wal_stop)]
    result = continuity(there, covered_backups, timeline)
    if before is None:
        return ArchiveWalk(there, result, newer_backups, result.has_hole)
    alone = continuity(listing.archive(segment_bytes).without(damaged_segments), covered_backups, timeline)
    return ArchiveWalk(there, result, newer_backups, alone.has_hole and not result.has_hole)


def whole_backups(backups: Sequence[Backup], damaged_labels: Container[str] = ()) -> tuple[Backup, ...]:
    """The backups without page errors whose prior ones are all there, oldest first.

    damaged_labels: labels of those that lack files, or build on files that others lack.
    """
    chain_labels = set[str]()
    for backup in backups:
        if backup.type == "full" or (backup.prior or backup.full_label) in chain_labels:
            chain_labels.add(backup.label)
    return tuple(
        backup
        for backup in backups
        if backup.label in chain_labels and not backup.error and backup.label not in damaged_labels
    )
