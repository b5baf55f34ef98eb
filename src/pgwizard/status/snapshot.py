"""The known state of a release at a moment, as one frozen ``Snapshot``; each observation makes a new one. Pure.

A snapshot never grows beyond its limits, whatever a cluster sends.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal

from pgwizard.diagnose.row import Diagnosis
from pgwizard.errors import Finding
from pgwizard.kube.api import CLAIM, CRONJOB, JOB, POD, STATEFULSET, Ref
from pgwizard.kube.commands import CURRENT_CONTEXT, Commands
from pgwizard.kube.health import Health
from pgwizard.plan import cron as plan_cron
from pgwizard.plan.names import Names, ReleaseRef
from pgwizard.plan.tuning import SEGMENT_BYTES
from pgwizard.release import drills
from pgwizard.release.drills import RestoreRates
from pgwizard.release.live import LiveRelease
from pgwizard.release.record import DamagedBackup, DrillResult, Origin, Record, RepositoryVerification
from pgwizard.release.rollout import is_crash
from pgwizard.status.backup_files import BackupFiles, ComparedBackup
from pgwizard.status.listing import Listing
from pgwizard.status.repository import Backup, RepositoryInfo, is_segment, segment_number, segments_between
from pgwizard.status.walk import ArchiveWalk, walk, whole_backups
from pgwizard.text import plain

MAX_RUNS, MAX_OBJECTS = 20, 50
"""Limits of a snapshot, whatever the cluster sends. What the verdict needs is never left out; backups have no limit."""
MAX_TAIL_LINES = 20
"""Lines of a log that a snapshot keeps."""
WATCHED_KINDS = (STATEFULSET, POD, CLAIM, CRONJOB, JOB)
"""Kinds that are watched."""
PACE_SECONDS = {
    "release": 10.0,
    "repository": 60.0,
    "archive": 60.0,
    "backups": 60.0,
    "archiver": 10.0,
    "volume": 60.0,
    "certificate": 60.0,
}
"""Sources that are polled, and how often."""
IO_TIMEOUT_SECONDS = 5
"""How long pgBackRest tries one request to the store while a release is observed."""
INFO_TIMEOUTS = 10
"""Where the store does not answer, ``pgbackrest info`` ends after at most as many times its --io-timeout, by version:
see ``probes.info_command``."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)

JobKind = Literal["full", "incr", "init", "verify", "drill"]
_CHECKS = frozenset({"verify", "drill"})
NamespaceState = Literal["there", "ending", "gone", "unread"]

_WAITING_USUAL = 2
"""A segment, and the history file of a backup that ended with it."""
_SHORTEST_SPAN = timedelta(hours=1)
"""The shortest time to compute a rate from."""
_TREND = timedelta(days=7)
"""How far back the growth of the database is measured."""
_HEADER_BYTES = 40
"""What a segment begins with, before its first record."""
_SWITCH_SECONDS = 30
"""How late a segment may be switched after archive_timeout."""
_SETTLING = timedelta(minutes=30)
"""After this an unfinished apply or uninstall counts as abandoned."""


@dataclass(frozen=True, slots=True)
class ReleaseSummary:
    """The record at a glance. applied: UTC; backups: whether the answers want any.

    is_namespace_ending: whether the namespace is being deleted; False where that may not be read.
    is_role_empty: whether the Role of the backup Jobs grants nothing, or is not there; False where that is not known.
    is_restore_unfinished: whether a restore has begun and not ended: the data directory may be half restored.
    drills: the last ones, oldest first.
    pgbackrest: the version that the answers state, empty where that is not known.
    has_record: False for a release that is known by its live objects alone: what a record says is not known then.
    manager: the tool that installed it, empty where that is not known.
    origin: the repository that it was cloned from, None where it is no clone.
    """

    revision: int
    outcome: str
    applied: datetime | None
    backups: bool
    superuser: str | None
    is_namespace_ending: bool = False
    is_tls_verified: bool = True
    is_role_empty: bool = False
    verification: RepositoryVerification | None = None
    is_restore_unfinished: bool = False
    drills: tuple[DrillResult, ...] = ()
    has_record: bool = True
    manager: str = ""
    pgbackrest: str = ""
    origin: Origin | None = None

    @classmethod
    def of_live(cls, live: LiveRelease, *, is_namespace_ending: bool = False) -> ReleaseSummary:
        """The summary of a release without a record."""
        return cls(
            revision=0,
            outcome="",
            applied=None,
            backups=live.takes_backups,
            superuser=live.superuser,
            is_namespace_ending=is_namespace_ending,
            is_tls_verified=live.is_tls_verified,
            has_record=False,
            manager=live.manager,
        )

    @classmethod
    def of(cls, record: Record, *, is_namespace_ending: bool = False) -> ReleaseSummary:
        """The summary of a record; an unreadable answer is left out."""
        last, is_unfinished = record.last, record.awaits_restore or record.unfinished_restore is not None
        if last is None:
            return cls(
                0,
                "",
                None,
                True,
                None,
                is_namespace_ending,
                verification=record.verification,
                is_restore_unfinished=is_unfinished,
                drills=record.drills,
                origin=record.origin,
            )
        sections = (last.answers.get(section) for section in ("credentials", "repository", "images"))
        credentials, repository, images = (section if isinstance(section, Mapping) else {} for section in sections)
        return cls(
            revision=last.number,
            outcome=last.outcome,
            applied=moment(last.at),
            backups=repository.get("enabled") is not False,
            superuser=credentials.get("username") if credentials.get("from") == "generate" else None,
            is_namespace_ending=is_namespace_ending,
            is_restore_unfinished=is_unfinished,
            is_tls_verified=not (isinstance(tls := last.answers.get("tls"), Mapping) and tls.get("verify") is False),
            verification=record.verification,
            drills=record.drills,
            pgbackrest=plain(str(images.get("pgbackrestVersion") or "")),
            origin=record.origin,
        )


@dataclass(frozen=True, slots=True)
class Missing:
    """The record no longer exists. namespace: its state, if it may be read; since: when the record was missed first."""

    namespace: NamespaceState
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cron:
    """One CronJob. last: when it last started a Job; succeeded: when one last ended well.

    name: fit to be shown; raw: what the cluster calls it, where that is not the same.
    """

    name: str
    kind: JobKind
    schedule: str
    zone: str
    suspended: bool
    last: datetime | None
    succeeded: datetime | None
    raw: str = ""

    @property
    def real_name(self) -> str:
        """The name for requests; it is never shown."""
        return self.raw or self.name

    @property
    def is_backup(self) -> bool:
        """Whether it takes backups, in place of checking them."""
        return self.kind not in _CHECKS

    @property
    def is_never_due(self) -> bool:
        """Whether Kubernetes accepts the schedule, and never starts a Job for it."""
        try:
            plan_cron.CronSchedule(self.schedule)
        except plan_cron.NeverFires:
            return True
        except ValueError:
            return False
        return False

    def due(self, after: datetime) -> datetime | None:
        """The first run after a moment, in UTC, suspended or not; None where the schedule cannot be read."""
        try:
            run = plan_cron.next_run(self.schedule, after.astimezone(plan_cron.zone(self.zone)))
        except ValueError:
            return None
        return run and run.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Run:
    """One Job that takes a backup, verifies or drills. message is Kubernetes' own; ended is None while it runs.

    tail: the last lines of the log of one that failed or verified, None until they are read; unread: why they were not
    at the last try, which is not the last one; fault: what they mean. name: fit to be shown; raw: what the cluster
    calls it, where that is not the same. stuck_since: since when the backup has ended and another container keeps the
    Job from ending.
    verification: the result in the log of one that verified; drill: the receipt in its pod.
    refusal: why admission refuses its pod.
    """

    name: str
    uid: str
    kind: JobKind
    state: Literal["running", "succeeded", "failed"]
    started: datetime | None
    ended: datetime | None
    message: str = ""
    tail: tuple[str, ...] | None = None
    unread: str = ""
    fault: Diagnosis | None = None
    raw: str = ""
    stuck_since: datetime | None = None
    verification: RepositoryVerification | None = None
    drill: DrillResult | None = None
    refusal: str = ""

    @property
    def is_backup(self) -> bool:
        """Whether it takes a backup, in place of checking them."""
        return self.kind not in _CHECKS

    @property
    def real_name(self) -> str:
        """The name for requests; it is never shown."""
        return self.raw or self.name


@dataclass(frozen=True, slots=True)
class BackupEnd:
    """The end of the container that takes a Job's backup. has_company: another container keeps the pod running."""

    exit_code: int
    at: datetime | None
    has_company: bool


@dataclass(frozen=True, slots=True)
class Archiver:
    """The server's statistics of its archiving. waiting: segments that are ready and not archived, None if unknown.

    waiting_seconds: for how long the oldest of them has been ready, 0 where none is or that is unknown.
    system_id: the server's own; timeout_seconds: its archive_timeout, 0 for none; timeline: its own, 0 if unknown.
    lsn: where the next WAL record goes, 0 for a server in recovery.
    """

    archived: int
    last_wal: str
    last_at: datetime | None
    failed: int
    failed_wal: str
    failed_at: datetime | None
    waiting: int | None = None
    waiting_seconds: int = 0
    fault: Diagnosis | None = None
    system_id: str = ""
    timeout_seconds: int = 0
    timeline: int = 0
    segment_bytes: int = SEGMENT_BYTES
    lsn: int = 0

    @property
    def is_failing(self) -> bool:
        """Whether the newest try failed."""
        if self.failed_at is None:
            return False
        return self.last_at is None or self.failed_at > self.last_at

    @property
    def is_behind(self) -> bool:
        """Whether more than the segment being archived waits: the last archived one may be hours old."""
        return (self.waiting or 0) > _WAITING_USUAL


@dataclass(frozen=True, slots=True)
class Exposure:
    """WAL that is on the volume alone, and would be lost with it. since: when it began at the earliest.

    bytes: 0 where all that was written is archived; since is None then, and where nothing was ever archived.
    """

    bytes: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Volume:
    """The file system of the data, in bytes."""

    size: int
    free: int


@dataclass(frozen=True, slots=True)
class MirroredCertificate:
    """The mirrored certificate. source: how the source compares; ``unread`` where that may not be read.

    ``unnamed``: nothing says which Secret it was copied from.
    """

    ends: datetime | None
    source: Literal["same", "differs", "gone", "unread", "unnamed"]


@dataclass(frozen=True)
class Snapshot:
    """The state at ``at``; None means not known.

    objects: StatefulSet, pod and claim. answered_at: when each source last answered; failures: why a source did not
    at its last try, which leaves its older answer in place. A source in neither is still pending. slow_since: when a
    source was asked that takes long to answer. archive_before:
    the listing before ``archive``: what one of them has is not missing, as a listing may be older than what it is
    compared with. files: those of the backups, beside their manifests. known_walk: inputs and result of the last walk.
    expected_wal: the newest segment that the archiver reported before the repository last answered; missing_wal: what
    was expected before that answer and is not in it, empty for nothing. So a segment that was archived since is not
    missed. missing: that the record, which had been read, is no longer there. no_statefulset_since: since when the
    StatefulSet is not there; None while it is, or has not been looked for. crash_log: the last lines of a server that
    crashes, None until they are read. backup_ends: by the uids of the Jobs, which learn of them late, or never.
    refusals: why Jobs get no pod, by their uids; stalls: why the pods of Jobs do not start, by the uids of the Jobs.
    receipts: of drills, by the uids of their Jobs.
    """

    ref: ReleaseRef
    at: datetime
    release: ReleaseSummary | None = None
    objects: Mapping[Ref, Health] = field(default_factory=dict)
    crons: tuple[Cron, ...] = ()
    runs: tuple[Run, ...] = ()
    repository: RepositoryInfo | None = None
    archive: Listing | None = None
    archive_before: Listing | None = None
    known_walk: tuple[tuple[object, ...], ArchiveWalk] | None = field(default=None, compare=False, repr=False)
    files: BackupFiles | None = None
    archiver: Archiver | None = None
    volume: Volume | None = None
    certificate: MirroredCertificate | None = None
    answered_at: Mapping[str, datetime] = field(default_factory=dict)
    failures: Mapping[str, Finding] = field(default_factory=dict)
    slow_since: Mapping[str, datetime] = field(default_factory=dict)
    expected_wal: str = ""
    missing_wal: str = ""
    missing: Missing | None = None
    no_statefulset_since: datetime | None = None
    crash_log: tuple[str, ...] | None = None
    commands: Commands = CURRENT_CONTEXT
    backup_ends: Mapping[str, BackupEnd] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)
    stalls: Mapping[str, str] = field(default_factory=dict)
    receipts: Mapping[str, DrillResult] = field(default_factory=dict)

    def without_watch(self, at: datetime) -> Snapshot:
        """The snapshot at a later moment without observing in between: every source is out of date.

        A list of Kubernetes was known up to the last thing that was seen.
        """
        moments = {resource.plural: self.at for resource in WATCHED_KINDS if resource.plural in self.answered_at}
        failures = {**dict.fromkeys(self.sources, Finding(text="no longer watched")), **self.failures}
        return replace(self, at=at, answered_at={**self.answered_at, **moments}, failures=failures)

    @property
    def sources(self) -> tuple[str, ...]:
        """All sources: the record, the lists of Kubernetes and the volume, and with backups those about them."""
        lists = ("release", *(resource.plural for resource in WATCHED_KINDS))
        if self.is_gone:  # there is no pod to run a command in
            return lists
        running = (*lists, "volume")
        return (
            (*running, "repository", "archive", "backups", "archiver", "certificate") if self.wants_backups else running
        )

    @property
    def is_gone(self) -> bool:
        """Whether neither the record nor the StatefulSet is left."""
        return self.missing is not None and self.has_no_statefulset

    @property
    def is_namespace_ending(self) -> bool:
        """Whether the namespace is known to be being deleted."""
        if self.missing is not None:
            return self.missing.namespace == "ending"
        return self.release is not None and self.release.is_namespace_ending

    @property
    def has_no_statefulset(self) -> bool:
        """Whether the StatefulSet was looked up and does not exist."""
        return "statefulsets" in self.answered_at and all(ref.resource != STATEFULSET for ref in self.objects)

    @property
    def is_changing(self) -> bool:
        """Whether the record will change soon: a recent apply or removal is still in progress."""
        if self.missing is not None:
            return self.missing.namespace == "ending" and self._lately(self.missing.since)
        release = self.release
        applied_at = release.applied if release is not None and release.outcome in ("applying", "interrupted") else None
        return self._lately(self.no_statefulset_since) or self._lately(applied_at)

    def _lately(self, began: datetime | None) -> bool:
        return began is not None and self.at - began < _SETTLING

    @property
    def read_at(self) -> datetime | None:
        """When the oldest answer of a polled source was read; None before the first. Watched lists are current."""
        return min(
            (at for source, at in self.answered_at.items() if source in PACE_SECONDS and source in self.sources),
            default=None,
        )

    @property
    def wants_backups(self) -> bool:
        """Whether the release has backups enabled; assumed until the record is read."""
        return self.release is None or self.release.backups

    @property
    def pending_sources(self) -> tuple[str, ...]:
        """Sources that have neither answered nor failed yet, ``log`` for that of a failed Job or server."""
        missing = [source for source in self.sources if source not in self.answered_at and source not in self.failures]
        log = any(not run.unread for run in self.runs_without_log)
        log = log or (self.crash is not None and self.crash_log is None)
        return (*missing, *(["log"] if log else []))

    @property
    def crash(self) -> Health | None:
        """The state of the database's pod if it crashes, else None."""
        pod = self.objects.get(Ref(POD, Names.of(self.ref.name).pod, self.ref.namespace))
        return pod if pod is not None and is_crash(pod) else None

    @property
    def runs_without_log(self) -> tuple[Run, ...]:
        """Failed Jobs, and the newest verification, whose log is still to be read."""
        newest = [run.uid for run in self.runs if run.kind == "verify" and run.state == "succeeded"][-1:]
        return tuple(run for run in self.runs if run.tail is None and (run.state == "failed" or run.uid in newest))

    @property
    def pgbackrest(self) -> str:
        """The version in the database's pod; empty where that is not known."""
        return self.archive.pgbackrest if self.archive else ""

    @property
    def has_other_pgbackrest(self) -> bool:
        """Whether the image has another version than the answers state; False until both are known."""
        answer = self.release.pgbackrest if self.release else ""
        return bool(answer and self.pgbackrest) and answer != self.pgbackrest

    @property
    def system_id(self) -> str:
        """The system identifier of the running database; empty until it is known."""
        return self.archiver.system_id if self.archiver else ""

    @property
    def has_other_database(self) -> bool:
        """Whether the repository is another database's; False until both system identifiers are known."""
        theirs = self.repository.system_id if self.repository else ""
        return bool(self.system_id and theirs) and self.system_id != theirs

    @property
    def own_repository(self) -> RepositoryInfo | None:
        """The repository; without backups and WAL if they belong to another database."""
        return (
            replace(self.repository, backups=(), wal=None)
            if self.repository and self.has_other_database
            else self.repository
        )

    @property
    def has_newer_wal(self) -> bool:
        """Whether the archiver reported a segment that was not in the repository when it was read: new, or dropped."""
        newest = self.archiver.last_wal if self.archiver else ""
        wal = self.repository.wal if self.repository else None
        return is_segment(newest) and newest > (wal.last if wal else "") and not self.has_other_database

    @property
    def backups(self) -> tuple[Backup, ...]:
        """All backups of this database, oldest first; none where the repository has not been read."""
        return self.own_repository.backups if self.own_repository else ()

    @property
    def intact_backups(self) -> tuple[Backup, ...]:
        """Backups without page errors, oldest first. One with page errors is no proof, but it was taken."""
        return tuple(backup for backup in self.backups if not backup.error)

    @cached_property
    def damaged_backups(self) -> dict[str, ComparedBackup]:
        """Backups that lack files, or build on files that others lack, by label, oldest first."""
        return self.files.damage(self.backups) if self.files else {}

    @property
    def verification(self) -> RepositoryVerification | None:
        """The last verification of the repository, by hand or by its schedule; None where it was never verified."""
        results = [self.release.verification] if self.release and self.release.verification else []
        for run in self.runs:
            if run.kind == "verify" and run.state != "running" and run.ended is not None:
                if run.verification is not None:
                    results.append(run.verification)
                elif run.state == "succeeded":
                    results.append(_valid(run.ended, run.started))
        results += [
            _valid(cron.succeeded) for cron in self.crons if cron.kind == "verify" and cron.succeeded is not None
        ]
        return max(results, key=lambda each: each.moment, default=None)

    @property
    def drills(self) -> tuple[DrillResult, ...]:
        """The drills by hand and by the schedule that are known, oldest first."""
        runs = [run for run in self.runs if run.kind == "drill"]
        results = [
            *(self.release.drills if self.release else ()),
            *(run.drill for run in runs if run.drill is not None),
        ]
        if "pods" not in self.answered_at:  # the receipts may be still to come
            return tuple(sorted(results, key=lambda each: each.moment))
        receipts = {run.ended: run.drill for run in runs if run.state == "succeeded" and run.ended is not None}
        for cron in self.crons:
            if cron.kind == "drill" and cron.succeeded is not None:
                receipts.setdefault(cron.succeeded, None)
        results += [drills.without_receipt(end) for end, receipt in receipts.items() if receipt is None]
        return tuple(sorted(results, key=lambda each: each.moment))

    @property
    def drill(self) -> DrillResult | None:
        """The last drill; None where there was none."""
        return self.drills[-1] if self.drills else None

    @property
    def restore_rates(self) -> RestoreRates | None:
        """How fast the last drills restored; None before there is one."""
        return drills.rates(self.drills)

    @property
    def restore_seconds(self) -> float | None:
        """How long a restore to now would take, by the last drills; None where that is not known."""
        rates = self.restore_rates
        wal = self.own_repository.wal if self.own_repository else None
        if rates is None or wal is None or not self.whole_backups:
            return None
        backup = self.whole_backups[-1]
        count = segments_between(backup.wal_start, wal.last, self._segment_bytes)
        return None if count is None else round(rates.seconds(backup.size, count + 1), 1)

    @property
    def invalid_backups(self) -> dict[str, DamagedBackup]:
        """Backups with damaged files by the last verification, by label; those that are left."""
        labels = {backup.label for backup in self.backups}
        damaged_backups = self.verification.damaged if self.verification else ()
        return {each.label: each for each in damaged_backups if each.files and each.label in labels}

    @cached_property
    def walk(self) -> ArchiveWalk | None:
        """The walk through the archive; None until archive and repository are read.

        It takes a tenth of a second for 5,000 backups: one that is known is taken over while its inputs are the same.
        """
        if self.archive is None or self.repository is None:
            return None
        last = self.known_walk
        inputs = self.walk_inputs
        if last is not None and last[0][3:] == inputs[3:] and all(map(operator.is_, last[0][:3], inputs[:3])):
            return last[1]
        timeline = self.archiver.timeline if self.archiver else 0
        return walk(
            self.archive,
            self.archive_before,
            self.whole_backups,
            self._segment_bytes,
            timeline or None,
            damaged_segments=(*(self.verification.segments if self.verification else ()), self.missing_wal),
        )

    @property
    def whole_backups(self) -> tuple[Backup, ...]:
        """Backups that can be restored as far as is known, whatever the WAL, oldest first."""
        return whole_backups(self.backups, {*self.damaged_backups, *self.invalid_backups})

    @property
    def walk_inputs(self) -> tuple[object, ...]:
        """What the walk depends on; what was read is the first three, to be compared by identity."""
        timeline = self.archiver.timeline if self.archiver else 0
        others = (
            self._segment_bytes,
            timeline,
            self.has_other_database,
            tuple(self.damaged_backups),
            self.verification,
            self.missing_wal,
        )
        return (self.archive, self.archive_before, self.repository, *others)

    @property
    def _segment_bytes(self) -> int:
        return self.archiver.segment_bytes if self.archiver else SEGMENT_BYTES

    @property
    def exposure(self) -> Exposure | None:
        """What would be lost if the volume were lost now; None where that is not known.

        The archive ends with the newest segment that PostgreSQL has archived, or with the one before what is missing.
        """
        archiver, read_at = self.archiver, self.answered_at.get("archiver")
        if archiver is None or read_at is None or not archiver.lsn or self.own_repository is None:
            return None
        end = self._archived_end(archiver)
        if end is None:
            return None
        wal_bytes = archiver.lsn - end
        if wal_bytes <= _HEADER_BYTES or _is_idle(archiver, read_at, wal_bytes):
            return Exposure(0, None)
        return Exposure(wal_bytes, archiver.last_at)

    def _archived_end(self, archiver: Archiver) -> int | None:
        """The position up to which WAL is archived on the server's timeline."""
        wal = self.own_repository.wal if self.own_repository else None
        names = [archiver.last_wal if not self.missing_wal else "", wal.last if wal else ""]
        own = [name for name in names if is_segment(name) and int(name[:8], 16) == archiver.timeline]
        if not own:
            return None
        return (segment_number(max(own), archiver.segment_bytes) + 1) * archiver.segment_bytes

    @property
    def next_full(self) -> datetime | None:
        """When the next full backup starts, counted from ``at``; None where none will."""
        return min((due for cron in self.crons if cron.kind == "full" and (due := self.next_run(cron))), default=None)

    def next_run(self, cron: Cron) -> datetime | None:
        """When a CronJob runs next, counted from ``at``; None while it is suspended."""
        return None if cron.suspended else cron.due(self.at)

    @property
    def stored_bytes(self) -> int | None:
        """Bytes of all backups in the repository, WAL left out; None where it has not been read."""
        return sum(backup.stored for backup in self.backups) if self.repository else None

    @cached_property
    def stored_wal_bytes(self) -> int | None:
        """Bytes of all WAL in the archive, as it is stored; None where it has not been listed."""
        if self.archive is None:
            return None
        runs = self.archive.archive(self._segment_bytes).runs.values()
        return sum(run.bytes for group in runs for run in group)

    @property
    def growth_bytes_per_day(self) -> float | None:
        """Bytes that backups add to the repository a day, WAL left out; None before there are two, a day apart."""
        if not self.backups or (span := self.backups[-1].stop - self.backups[0].stop) < timedelta(days=1):
            return None
        return sum(backup.stored for backup in self.backups[1:]) / (span / timedelta(days=1))

    @property
    def wal_bytes_per_day(self) -> float | None:
        """Bytes of WAL a day since the oldest backup of this timeline, uncompressed; None within its first hour."""
        at, wal = self.answered_at.get("repository"), self.own_repository.wal if self.own_repository else None
        for backup in self.backups:
            count = segments_between(backup.wal_start, wal.last, self._segment_bytes) if wal else None
            if at is not None and count is not None and at - backup.start >= _SHORTEST_SPAN:
                return count * self._segment_bytes / ((at - backup.start) / timedelta(days=1))
        return None

    @property
    def database_bytes_per_day(self) -> float | None:
        """By how much the database grew a day in the week before its newest backup; None without two, a day apart."""
        newest = self.backups[-1].stop if self.backups else LONG_AGO
        recent = [backup for backup in self.backups if newest - backup.stop <= _TREND]
        if not recent or (elapsed_time := newest - recent[0].stop) < timedelta(days=1):
            return None
        return (recent[-1].size - recent[0].size) / (elapsed_time / timedelta(days=1))

    @property
    def full_days(self) -> float | None:
        """After how many days the volume is full, as the database grows; None where unknown, or where it does not."""
        rate = self.database_bytes_per_day
        return self.volume.free / rate if self.volume and rate and rate > 0 else None

    @property
    def outage_days(self) -> float | None:
        """After how many days without S3 the volume is full of WAL; None where unknown, or where none is written."""
        rate = self.wal_bytes_per_day
        return self.volume.free / rate if self.volume and rate else None

    def backup_of(self, run: Run) -> Backup | None:
        """The backup that a Job took, by the times of both; None also where another Job may have taken it."""
        during = self._backups_during(run)
        return during[0] if len(during) == 1 and not self._is_shared(during[0], run) else None

    def is_backup_unclear(self, run: Run) -> bool:
        """Whether backups were taken while a Job ran that others may have taken, because Jobs ran side by side."""
        return bool(self._backups_during(run)) and self.backup_of(run) is None

    def _is_shared(self, backup: Backup, run: Run) -> bool:
        others = (each for each in self.runs if each.uid != run.uid and each.state == "succeeded" and each.is_backup)
        return any(backup in self._backups_during(other) for other in others)

    def _backups_during(self, run: Run) -> list[Backup]:
        """Those that began and ended within a Job; with some seconds more where there is none."""
        if run.started is None or run.ended is None:
            return []
        for slack in (timedelta(seconds=1), timedelta(seconds=5)):  # both count whole seconds, each by its own clock
            begin, end = run.started - slack, run.ended + slack
            backups = []
            for backup in reversed(self.backups):
                if backup.stop < begin:
                    break
                if backup.start >= begin and backup.stop <= end:
                    backups.append(backup)
            if backups:
                return backups
        return []


def _is_idle(archiver: Archiver, read_at: datetime, wal_bytes: int) -> bool:
    """Whether there is no transaction in what was written since the last segment.

    After archive_timeout PostgreSQL switches a segment that has more than checkpoints and the like. So one that it has
    not switched after that time has nothing else in it (src/backend/postmaster/checkpointer.c, CheckArchiveTimeout).
    """
    if archiver.last_at is None or archiver.waiting != 0 or archiver.is_failing or not archiver.timeout_seconds:
        return False
    age = (read_at - archiver.last_at).total_seconds()
    return wal_bytes < archiver.segment_bytes and age > archiver.timeout_seconds + _SWITCH_SECONDS


def _valid(ended_at: datetime, began: datetime | None = None) -> RepositoryVerification:
    """The result of a Job that found nothing damaged, without its log: how much it has read is not known."""
    seconds = (ended_at - began).total_seconds() if began else 0.0
    return RepositoryVerification(ended_at.isoformat(), seconds, 0, (), (), 0, 0, ())


def moment(text: str | None) -> datetime | None:
    """A time as Kubernetes or PostgreSQL writes it, in UTC; None for none, and for what is no time."""
    try:
        time = datetime.fromisoformat(text or "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
