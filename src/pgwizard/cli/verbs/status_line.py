"""The status of a release as one line of JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from pgwizard.cli.json_lines import JsonLine, ProblemPart
from pgwizard.kube.health import Health
from pgwizard.status.repository import Backup, DamagedPages, FileFault, Wal
from pgwizard.status.snapshot import (
    Archiver,
    Cron,
    Exposure,
    MirroredCertificate,
    ReleaseSummary,
    Run,
    Snapshot,
    Volume,
)
from pgwizard.status.verdict import Verdict
from pgwizard.text import fit

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WalPart(Wal):
    """The oldest and the newest segment of the archive; segments: how many there are, null until it is listed."""

    segments: int | None = None


@dataclass(frozen=True, slots=True)
class BackupPart(Backup):
    """A backup; files: what its files are like, null until they are compared with its manifest."""

    files: BackupFilesPart | None = None


@dataclass(frozen=True, slots=True)
class BackupFilesPart:
    """The files of a backup beside its manifest. faults, pages: the first of them, fault_count, page_files: how many.

    needs: backups with damaged files that it builds on.
    """

    faults: tuple[FileFault, ...]
    fault_count: int
    pages: tuple[DamagedPages, ...]
    page_files: int
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArchiverPart(Archiver):
    """PostgreSQL's own statistics of its archiving; failing: whether its newest try failed."""

    failing: bool = False


@dataclass(frozen=True, slots=True)
class CronPart(Cron):
    """One schedule; next: its next run, null while it is suspended."""

    next: datetime | None = None


@dataclass(frozen=True, slots=True)
class StatusLine(JsonLine):
    """A release at a moment. Rates are bytes per day; outage_days: how long the volume has room for WAL without S3.
    exposure: what would be lost with the volume now. stored, stored_wal: bytes of backups and of WAL in the repository.
    restore_seconds: how long a restore to now would take, by the last drills. pgbackrest: the version in the
    database's pod.

    answered: when each source last answered; unknown: why a source did not; loading: sources still being read.
    """

    type_name = "status"
    name: str
    namespace: str
    at: datetime
    verdict: Verdict
    release: ReleaseSummary | None
    next_full: datetime | None
    backups: tuple[BackupPart, ...] | None
    repository_system_id: str | None
    system_id: str | None
    stanza: str | None
    wal: WalPart | None
    exposure: Exposure | None
    stored: int | None
    stored_wal: int | None
    grows_per_day: float | None
    wal_per_day: float | None
    outage_days: float | None
    restore_seconds: float | None
    archiver: ArchiverPart | None
    volume: Volume | None
    certificate: MirroredCertificate | None
    pgbackrest: str | None
    crons: tuple[CronPart, ...]
    runs: tuple[Run, ...]
    objects: Mapping[str, Health]
    answered: Mapping[str, datetime]
    unknown: Mapping[str, ProblemPart]
    loading: tuple[str, ...]


def status_line(snapshot: Snapshot, verdict: Verdict) -> StatusLine:
    """The snapshot of a release and its verdict, as one line."""
    repository, archiver = snapshot.own_repository, snapshot.archiver
    wal = repository.wal if repository else None
    return StatusLine(
        name=snapshot.ref.name,
        namespace=snapshot.ref.namespace,
        at=snapshot.at,
        verdict=verdict,
        release=snapshot.release,
        next_full=snapshot.next_full,
        backups=tuple(_backup(snapshot, each) for each in repository.backups) if repository else None,
        repository_system_id=repository.system_id if repository else None,
        system_id=snapshot.system_id or None,
        stanza=repository.stanza if repository else None,
        wal=_part(WalPart, wal, segments=snapshot.archive.count if snapshot.archive else None) if wal else None,
        exposure=snapshot.exposure,
        stored=snapshot.stored_bytes,
        stored_wal=snapshot.stored_wal_bytes,
        grows_per_day=snapshot.growth_bytes_per_day,
        wal_per_day=snapshot.wal_bytes_per_day,
        outage_days=snapshot.outage_days,
        restore_seconds=snapshot.restore_seconds,
        archiver=_part(ArchiverPart, archiver, failing=archiver.is_failing) if archiver else None,
        volume=snapshot.volume,
        certificate=snapshot.certificate,
        pgbackrest=snapshot.pgbackrest or None,
        crons=tuple(_part(CronPart, cron, next=snapshot.next_run(cron)) for cron in snapshot.crons),
        runs=snapshot.runs,
        objects={fit(str(ref)): health for ref, health in snapshot.objects.items()},
        answered=snapshot.answered_at,
        unknown={source: ProblemPart.of(why) for source, why in snapshot.failures.items()},
        loading=snapshot.pending_sources,
    )


def _backup(snapshot: Snapshot, backup: Backup) -> BackupPart:
    comparison = snapshot.files.comparisons.get(backup.label) if snapshot.files else None
    files = (
        BackupFilesPart(
            comparison.faults, comparison.fault_count, comparison.pages, comparison.page_files, comparison.needs
        )
        if comparison
        else None
    )
    return _part(BackupPart, backup, files=files)


def _part(kind: type[T], value: Any, **more: Any) -> T:
    """A value of the snapshot with what is derived from it beside its own fields."""
    return kind(**{item.name: getattr(value, item.name) for item in fields(value)}, **more)
