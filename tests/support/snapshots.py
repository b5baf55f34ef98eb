"""Snapshots to begin from: a release that is fine, its parts, and what is left of one that is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pgwizard.kube.api import CLAIM, POD, STATEFULSET, Ref
from pgwizard.kube.health import SCALED_TO_0, Health
from pgwizard.plan.names import ReleaseRef
from pgwizard.status.backup_files import BackupFiles, ComparedBackup
from pgwizard.status.listing import Listing, read
from pgwizard.status.observations import failure
from pgwizard.status.repository import Backup, RepositoryInfo, Wal
from pgwizard.status.snapshot import (
    PACE_SECONDS,
    Archiver,
    Cron,
    MirroredCertificate,
    Missing,
    ReleaseSummary,
    Run,
    Snapshot,
    Volume,
)
from pgwizard.status.verdict import Verdict, judge

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
GB = 10**9
UNKNOWN_KEY = "P00  ERROR: [039]: HTTP request failed with 403 (Forbidden): <Code>InvalidAccessKeyId</Code>"


def at(days: float = 0, **more: float) -> datetime:
    """So long before the present moment."""
    return NOW - timedelta(days=days, **more)


def segment(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}{number // 256:08X}{number % 256:08X}"


def backup(kind: str, days: float, *, stored: int = GB, wal: int = 100, error: bool = False) -> Backup:
    label = f"{at(days):%Y%m%d-%H%M%S}{kind[0].upper()}"
    return Backup(label, kind, at(days, minutes=4), at(days), 4 * stored, stored, segment(wal), segment(wal), error)


def listed(first: int, last: int, *missing: int, timeline: int = 1) -> Listing:
    """The archive with the segments from first to last but the missing ones."""
    result = read("\n".join(["archive 15-1", *lines_of(first, last, *missing, timeline=timeline)]))
    assert result is not None
    return result


def lines_of(first: int, last: int, *missing: int, timeline: int = 1) -> list[str]:
    """What the listing prints of segments, each as a run of its own; the last one was stored 38 s ago."""
    return [
        f"run {segment(each, timeline)} {segment(each, timeline)} 16000 {int(stored(each, last).timestamp())}"
        for each in range(first, last + 1)
        if each not in missing
    ]


def stored(number: int, last: int) -> datetime:
    """A segment a minute."""
    return at(minutes=last - number, seconds=38)


FULL = Cron("postgresql-pgbackrest-full", "full", "0 2 * * 0", "Etc/UTC", suspended=False, last=None, succeeded=None)
INCR = replace(FULL, name="postgresql-pgbackrest-incr", kind="incr", schedule="0 2 * * 1-6")
DONE = Run("postgresql-pgbackrest-full-1", "u1", "full", "succeeded", at(1.4, minutes=5), at(1.4), "complete")
FAILED = Run("postgresql-pgbackrest-incr-2", "u2", "incr", "failed", at(0.4, minutes=5), at(0.4), "backoff limit", ())
SYSTEM, ANOTHER = "7712486012677398561", "7712486012677398562"
ARCHIVER = Archiver(
    1204, segment(1303), at(seconds=38), 0, "", None, 0, system_id=SYSTEM, timeout_seconds=60, timeline=1
)
STATEFUL = Ref(STATEFULSET, "postgresql", "shop")
SERVER = Ref(POD, "postgresql-0", "shop")
RELEASE = ReleaseSummary(3, "deployed", at(20), backups=True, superuser="postgres")
REPOSITORY = RepositoryInfo(
    (backup("full", 1.4), backup("incr", 0.4)), wal=Wal(segment(100), segment(1303)), system_id=SYSTEM
)
LISTING = listed(100, 1303)
FINE = Snapshot(
    ReleaseRef("shop", "postgresql"),
    NOW,
    release=RELEASE,
    objects={SERVER: Health("ready", "ready"), STATEFUL: Health("ready", "1 of 1 pods ready")},
    crons=(FULL, INCR),
    runs=(DONE,),
    repository=REPOSITORY,
    archive=LISTING,
    archive_before=LISTING,
    files=BackupFiles({each.label: ComparedBackup("5 1 1") for each in REPOSITORY.backups}),
    archiver=ARCHIVER,
    volume=Volume(10 * GB, 6 * GB),
    certificate=MirroredCertificate(NOW + timedelta(days=824), "same"),
    answered_at={
        **{source: at(seconds=20) for source in PACE_SECONDS},
        **{source: at(1) for source in ("statefulsets", "pods", "persistentvolumeclaims", "cronjobs", "jobs")},
        "archiver": at(seconds=5),
    },
)
KEPT = Ref(CLAIM, "postgresql-storage-postgresql-0", "shop")
LEFT = replace(
    FINE,
    crons=(),
    runs=(),
    objects={KEPT: Health("ready", "bound, 10Gi")},
    failures={
        "release": failure("there is no release"),
        "repository": failure('pods "postgresql-0" not found'),
        "archive": failure("not found"),
        "backups": failure("not found"),
        "archiver": failure("not found"),
    },
    missing=Missing("there", NOW),
)
DOWN = replace(
    FINE,
    objects={STATEFUL: Health("failed", "scaled to 0", SCALED_TO_0)},
    failures=dict.fromkeys(
        ("repository", "archive", "backups", "archiver", "volume"), failure('pods "postgresql-0" not found')
    ),
)
HOSTILE_NAME = "x\x1b[2J\u202eevil\x9b"
FIT_NAME = r"x\x1b[2J\u202eevil\x9b"


def holding(repository: RepositoryInfo) -> Snapshot:
    """A release that is fine but for its repository, whose archive has no gap."""
    wal = repository.wal
    listing = Listing("15-1")
    if wal is not None:
        first, last = (int(name[8:16], 16) * 256 + int(name[16:], 16) for name in (wal.first, wal.last))
        listing = listed(first, last, timeline=int(wal.last[:8], 16))
    timeline = int(wal.last[:8], 16) if wal else 1
    archiver = replace(ARCHIVER, timeline=timeline, system_id=repository.system_id or SYSTEM)
    return replace(FINE, repository=repository, archive=listing, archive_before=listing, archiver=archiver)


def window_of(verdict: Verdict) -> tuple[datetime, datetime] | None:
    """The newest window of a verdict: from when, and until when."""
    return (verdict.newest.since, verdict.newest.until) if verdict.newest else None


def state_and_reasons(snapshot: Snapshot) -> tuple[str, list[str]]:
    """State and reasons of the verdict."""
    verdict = judge(snapshot)
    return verdict.state, [str(reason) for reason in verdict.reasons]
