"""How a release is doing, as one frozen ``Snapshot`` that is made anew with each thing that is seen.

``observe`` watches and asks; ``reduce`` is pure and puts one observation into a snapshot; ``judge`` says what matters
most: whether the database could be recovered, and to which moments. The two writes that an operator makes from here
stand at the end: a backup now, and a schedule that rests. It refuses to print, and to call an old observation proof.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pgwizard import record, schedules
from pgwizard.certificates import read_bundle
from pgwizard.diagnose import Diagnosis, diagnose
from pgwizard.errors import (
    AnswersError,
    ClusterError,
    DeadlineError,
    Forbidden,
    PgwizardError,
    PreflightError,
    Problem,
    visible,
)
from pgwizard.health import Health, assess, condition
from pgwizard.kubeapi import Cluster, Object, Ref, Resource, WatchEvent, fit, plain
from pgwizard.plan import CA_KEY, STANZA, Names
from pgwizard.preflight import CLAIM, JOB, NAMESPACE, SECRET, STATEFULSET, found

STALE_SECONDS = 180.0
"""An observation older than this is said to be old, and no longer proves anything."""
RUNS_KEPT, OBJECTS_KEPT, BACKUPS_KEPT = 20, 50, 400
"""What a snapshot holds at most, whatever the cluster sends: the newest ones."""
TAIL_LINES, TAIL_KEPT = 200, 20
"""Lines of a log that are read to find a cause, and those that a snapshot keeps."""
SEGMENT_BYTES = 16 * 1024**2
"""A WAL segment's size, as initdb makes it."""
POD, CRONJOB = Resource("v1", "Pod"), Resource("batch/v1", "CronJob")
DATA = "/var/lib/postgresql/data"

Kind = Literal["full", "incr", "init"]
Clock = Callable[[], datetime]

_OVERDUE = timedelta(hours=2)
_CA_SOON = timedelta(days=14)
_WAITING_USUAL = 2
"""A segment, and the history file of a backup that ended with it."""
_FULL_VOLUME = 0.9
_SHORTEST_SPAN = timedelta(hours=1)
"""A rate from less than this would be a guess."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


# ---- what is known -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Release:
    """The record at a glance. applied: UTC; backups: whether the answers want any."""

    revision: int
    outcome: str
    applied: datetime | None
    backups: bool
    superuser: str | None


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no record any more. namespace: what became of it, where that may be read; since: when it was missed."""

    namespace: Literal["there", "ending", "gone", "unread"]
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup of the repository; sizes in bytes, times in UTC.

    size: of the database; stored: what this backup added to the repository. wal_start, wal_stop: the first and the last
    segment that it needs. error: a page's checksum was wrong.
    """

    label: str
    type: str
    start: datetime
    stop: datetime
    size: int
    stored: int
    wal_start: str
    wal_stop: str
    error: bool = False


@dataclass(frozen=True, slots=True)
class Wal:
    """The oldest and the newest segment of the archive, by name. What is missing between them cannot be seen."""

    first: str
    last: str

    @property
    def segments(self) -> int | None:
        """How many there must be; None where a timeline changed between them."""
        between = segments_between(self.first, self.last)
        return None if between is None else between + 1


@dataclass(frozen=True, slots=True)
class Repository:
    """What pgBackRest says. backups: oldest first; stanza: what is wrong with it as a whole, empty for nothing."""

    backups: tuple[Backup, ...]
    stanza: str = ""
    wal: Wal | None = None


@dataclass(frozen=True, slots=True)
class Cron:
    """One CronJob. last: when it last started a Job; succeeded: when one last ended well.

    name: fit to be shown; raw: what the cluster calls it, where that is not the same.
    """

    name: str
    kind: Kind
    schedule: str
    zone: str
    suspended: bool
    last: datetime | None
    succeeded: datetime | None
    raw: str = ""

    @property
    def real_name(self) -> str:
        """For requests, never to be shown."""
        return self.raw or self.name

    def due(self, after: datetime) -> datetime | None:
        """The first run after a moment, in UTC, suspended or not; None where the schedule cannot be read."""
        try:
            zone = schedules.zone(self.zone)
            return schedules.Schedule(self.schedule).upcoming(after.astimezone(zone), 1)[0].astimezone(UTC)
        except (ValueError, IndexError):
            return None


@dataclass(frozen=True, slots=True)
class Run:
    """One backup Job. message is Kubernetes' own; ended is None while it runs.

    tail: the last lines of a failed one's log, None until they are read; fault: what they mean. name: fit to be shown;
    raw: what the cluster calls it, where that is not the same.
    """

    name: str
    uid: str
    kind: Kind
    state: Literal["running", "succeeded", "failed"]
    started: datetime | None
    ended: datetime | None
    message: str = ""
    tail: tuple[str, ...] | None = None
    fault: Diagnosis | None = None
    raw: str = ""

    @property
    def real_name(self) -> str:
        """For requests, never to be shown."""
        return self.raw or self.name


@dataclass(frozen=True, slots=True)
class Archiver:
    """What pg_stat_archiver says; waiting: segments that are ready and not archived, None where that is not known."""

    archived: int
    last_wal: str
    last_at: datetime | None
    failed: int
    failed_wal: str
    failed_at: datetime | None
    waiting: int | None = None
    fault: Diagnosis | None = None

    @property
    def failing(self) -> bool:
        """Whether the newest try failed."""
        if self.failed_at is None:
            return False
        return self.last_at is None or self.failed_at > self.last_at

    @property
    def behind(self) -> bool:
        """Whether more waits than what is being archived: the last archived segment may then be hours old."""
        return (self.waiting or 0) > _WAITING_USUAL


@dataclass(frozen=True, slots=True)
class Volume:
    """The file system of the data, in bytes."""

    size: int
    free: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """The mirrored certificate. source: what stands at its source now; ``unread`` where that may not be read."""

    ends: datetime | None
    source: Literal["same", "differs", "gone", "unread"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is known at ``at``; None stands for not known.

    objects: StatefulSet, pod and claim. heard: when each source last answered; unknown: why a source did not at its
    last try, which leaves its older answer in place. A source in neither is still loading. promised: the newest segment
    that was archived, said the archiver before the repository answered last; owed: what was promised before that
    answer and is not in it, empty for nothing. So a segment that was archived since is not missed. missing: that the
    record, which had been read, is no longer there.
    """

    name: str
    namespace: str
    at: datetime
    release: Release | None = None
    objects: Mapping[Ref, Health] = field(default_factory=dict)
    crons: tuple[Cron, ...] = ()
    runs: tuple[Run, ...] = ()
    repository: Repository | None = None
    archiver: Archiver | None = None
    volume: Volume | None = None
    certificate: Certificate | None = None
    heard: Mapping[str, datetime] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    promised: str = ""
    owed: str = ""
    missing: Missing | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """What is asked: the record and the lists of Kubernetes, and with backups the repository and its like."""
        lists = ("release", *(resource.plural for resource in _WATCHED))
        if self.gone:  # there is no pod to ask
            return lists
        asked = (*lists, "volume")
        return (*asked, "repository", "archiver", "certificate") if self.wants_backups else asked

    @property
    def gone(self) -> bool:
        """Whether nothing is left that runs the database or knows how: neither the record nor the StatefulSet."""
        return self.missing is not None and self.idle

    @property
    def idle(self) -> bool:
        """Whether the StatefulSet was looked for and is not there."""
        return "statefulsets" in self.heard and all(ref.resource != STATEFULSET for ref in self.objects)

    @property
    def unsettled(self) -> bool:
        """Whether the record is another one soon: an apply ends, or a release is being removed."""
        if self.missing is not None:
            return self.missing.namespace == "ending"
        return self.idle or (self.release is not None and self.release.outcome == "applying")

    @property
    def read_at(self) -> datetime | None:
        """Since when nothing that is asked has been asked anew, at the oldest; what is watched is always of now."""
        return min(
            (at for source, at in self.heard.items() if source in _SECONDS and source in self.sources), default=None
        )

    @property
    def wants_backups(self) -> bool:
        """Whether the release is to have backups; until the record is read, that is taken for granted."""
        return self.release is None or self.release.backups

    @property
    def loading(self) -> tuple[str, ...]:
        """Sources that have not said anything yet, ``log`` for that of a failed Job."""
        missing = [source for source in self.sources if source not in self.heard and source not in self.unknown]
        return (*missing, *(["log"] if any(run.state == "failed" and run.tail is None for run in self.runs) else []))

    @property
    def ahead(self) -> bool:
        """Whether the archiver told of a segment that the repository did not hold when it was read: new, or dropped."""
        told = self.archiver.last_wal if self.archiver else ""
        wal = self.repository.wal if self.repository else None
        return _is_segment(told) and told > (wal.last if wal else "")

    @property
    def backups(self) -> tuple[Backup, ...]:
        """All backups, oldest first; none where the repository has not been read."""
        return self.repository.backups if self.repository else ()

    @property
    def valid(self) -> tuple[Backup, ...]:
        """Backups without a wrong page, oldest first."""
        return tuple(backup for backup in self.backups if not backup.error)

    @property
    def next_full(self) -> datetime | None:
        """When the next full backup starts, counted from ``at``; None where none will."""
        return min((due for cron in self.crons if cron.kind == "full" and (due := self.next_run(cron))), default=None)

    def next_run(self, cron: Cron) -> datetime | None:
        """When a CronJob runs next, counted from ``at``; None while it rests."""
        return None if cron.suspended else cron.due(self.at)

    @property
    def stored(self) -> int | None:
        """Bytes of all backups in the repository, WAL left out; None where it has not been read."""
        return sum(backup.stored for backup in self.backups) if self.repository else None

    @property
    def grows_per_day(self) -> float | None:
        """Bytes that backups add to the repository a day, WAL left out; None before there are two, a day apart."""
        if not self.backups or (span := self.backups[-1].stop - self.backups[0].stop) < timedelta(days=1):
            return None
        return sum(backup.stored for backup in self.backups[1:]) / (span / timedelta(days=1))

    @property
    def wal_per_day(self) -> float | None:
        """Bytes of WAL a day since the oldest backup of this timeline, uncompressed; None within its first hour."""
        at, wal = self.heard.get("repository"), self.repository.wal if self.repository else None
        for backup in self.backups:
            count = segments_between(backup.wal_start, wal.last) if wal else None
            if at is not None and count is not None and at - backup.start >= _SHORTEST_SPAN:
                return count * SEGMENT_BYTES / ((at - backup.start) / timedelta(days=1))
        return None

    @property
    def outage_days(self) -> float | None:
        """After how many days without S3 the volume is full of WAL; None where unknown, or where none is written."""
        rate = self.wal_per_day
        return self.volume.free / rate if self.volume and rate else None

    def backup_of(self, run: Run) -> Backup | None:
        """The backup that a Job took, by the times of both."""
        if run.started is None or run.ended is None:
            return None
        slack = timedelta(seconds=5)  # Kubernetes and pgBackRest count whole seconds, by clocks of their own
        return next(
            (
                backup
                for backup in reversed(self.backups)
                if run.started - slack <= backup.start and backup.stop <= run.ended + slack
            ),
            None,
        )


def segments_between(first: str, last: str) -> int | None:
    """How many segments later ``last`` is; None on another timeline, and for what is no name of a segment."""
    if len(first) != 24 or len(last) != 24 or first[:8] != last[:8]:
        return None
    try:
        low, high = (int(name[8:16], 16) * 256 + int(name[16:], 16) for name in (first, last))
    except ValueError:
        return None
    return high - low if high >= low else None


def _is_segment(name: str) -> bool:
    """Told from the files of histories, which are archived as well."""
    return segments_between(name, name) is not None


# ---- the verdict ---------------------------------------------------------------------------------------------------

State = Literal["recoverable", "at risk", "not recoverable", "unknown", "gone"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the verdict is not better. key: the anchor in docs/errors.md, empty for none."""

    text: str
    fix: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """since, until: the oldest and the newest moment to which the database can be recovered; reasons: worst first."""

    state: State
    since: datetime | None
    until: datetime | None
    reasons: tuple[Reason, ...]


def judge(snapshot: Snapshot) -> Verdict:
    """What the observations prove at ``snapshot.at``. Old ones prove nothing.

    A segment that is missing in the middle of the archive is seen by no command of pgBackRest, so not by this verdict.
    """
    if snapshot.missing is not None and snapshot.gone:
        return Verdict("gone", None, None, tuple(_gone(snapshot, snapshot.missing)))
    if not snapshot.wants_backups:
        return _lost("this release makes no backups", "Set repository.enabled to true and apply.")
    read_at, why = snapshot.heard.get("repository"), snapshot.unknown.get("repository", "")
    repository = snapshot.repository
    if repository is None or read_at is None:
        text = f"the repository cannot be read: {why}" if why else "the repository has not been read yet"
        return Verdict("unknown", None, None, (_explained(text, why),))
    age = (snapshot.at - read_at).total_seconds()
    if age > STALE_SECONDS:
        text = f"the repository was last read {age:.0f} s ago{f': {why}' if why else ''}"
        return Verdict("unknown", None, None, (_explained(text, why),))
    taken = next((run.name for run in snapshot.runs if run.state == "running" and run.kind != "incr"), None)
    if repository.stanza:
        fix = f"Job {taken} is running: it may mend that." if taken else "Apply again: it creates what is missing."
        return _lost(f"pgBackRest says: {repository.stanza}", fix)
    proven = [backup for backup in snapshot.valid if _has_wal(backup, repository.wal)]
    fulls = [backup for backup in proven if backup.type == "full"]
    if not fulls:
        fix = f"Job {taken} is taking one." if taken else "Take one now: pgwizard status, key b."
        return _lost("there is no valid full backup with its WAL", fix)
    reasons = [_explained(f"the repository cannot be read: {why}", why)] if why else []
    reasons += [*_archiving(snapshot), *_running(snapshot), *_surroundings(snapshot), *_unread(snapshot)]
    archiver, until = snapshot.archiver, proven[-1].stop
    if archiver is not None and archiver.last_at is not None and not archiver.behind and not snapshot.owed:
        until = max(until, archiver.last_at)
    return Verdict("at risk" if reasons else "recoverable", fulls[0].stop, until, tuple(reasons))


def _lost(text: str, fix: str) -> Verdict:
    return Verdict("not recoverable", None, None, (Reason(text, fix),))


_NAMESPACES = {"gone": "; its namespace is gone too", "ending": "; its namespace is being deleted"}


def _gone(snapshot: Snapshot, missing: Missing) -> Iterable[Reason]:
    """That nothing is there any more, and what may be left of it."""
    since = f"{missing.since or snapshot.at:%Y-%m-%d %H:%M} UTC"
    text = f"release {snapshot.namespace}/{snapshot.name} is gone since {since}: its record and its StatefulSet are not"
    fix, backups = "", snapshot.backups
    if snapshot.wants_backups:
        fix = "Its repository may still hold backups"
        if backups:
            fix += f": {len(backups)} when it was read last, the newest of {backups[-1].stop:%Y-%m-%d %H:%M} UTC"
    yield Reason(f"{text} there{_NAMESPACES.get(missing.namespace, '')}", fix and f"{fix}.")
    if snapshot.objects:
        yield Reason(f"still there: {', '.join(fit(str(ref)) for ref in snapshot.objects)}")


def _explained(text: str, said: str) -> Reason:
    """said: what the program said, which stands in text as well: its cause takes its place where it is known."""
    fault = diagnose(said)
    if fault is None:
        return Reason(text)
    return Reason(f"{text.removesuffix(said)}{fault.cause}", fault.fix, fault.key)


def _has_wal(backup: Backup, wal: Wal | None) -> bool:
    """Whether the archive reaches from the first to the last segment that a backup needs; later timelines sort last."""
    return wal is not None and bool(backup.wal_start) and wal.first <= backup.wal_start <= backup.wal_stop <= wal.last


def _archiving(snapshot: Snapshot) -> Iterable[Reason]:
    archiver, at = snapshot.archiver, snapshot.heard.get("archiver")
    why = snapshot.unknown.get("archiver", "")
    wal = snapshot.repository.wal if snapshot.repository else None
    if snapshot.owed and wal is not None:
        yield Reason(
            f"WAL was dropped: {snapshot.owed} is archived, says PostgreSQL, and the archive ends with {wal.last}",
            "Mend the archiving, and take a full backup at once.",
            "wal-dropped",
        )
    if archiver is None or at is None:
        yield Reason(f"the archiver has not answered{f': {why}' if why else ' yet'}")
        return
    if (snapshot.at - at).total_seconds() > STALE_SECONDS:
        ago = f"the archiver last answered {(snapshot.at - at).total_seconds():.0f} s ago"
        yield Reason(f"{ago}{f': {why}' if why else ''}")
    if archiver.failing:
        fault = archiver.fault
        text = f"archiving fails: {archiver.failed_wal} at {archiver.failed_at:%Y-%m-%d %H:%M} UTC"
        yield Reason(f"{text}: {fault.cause}", fault.fix, fault.key) if fault else Reason(text)
    elif archiver.behind or (
        archiver.waiting and (archiver.last_at or _LONG_AGO) < at - timedelta(seconds=STALE_SECONDS)
    ):
        last = f"since {archiver.last_at:%Y-%m-%d %H:%M} UTC" if archiver.last_at else "and none has been archived"
        yield Reason(f"{archiver.waiting} segments of WAL wait to be archived {last}")


def _running(snapshot: Snapshot) -> Iterable[Reason]:
    """What is wrong with the backups that are to come."""
    ended = [run for run in snapshot.runs if run.state != "running"]
    if ended and ended[-1].state == "failed":
        run = ended[-1]
        text = f"the last backup Job failed: {run.name}"
        fault = run.fault
        yield Reason(f"{text}: {fault.cause}", fault.fix, fault.key) if fault else Reason(f"{text}: {run.message}")
    if "cronjobs" in snapshot.heard and not any(cron.kind == "full" for cron in snapshot.crons):
        yield Reason("there is no schedule of full backups", "Apply again: it creates what is missing.")
    for cron in snapshot.crons:
        if cron.suspended:
            yield Reason(f"the schedule {cron.name} is suspended", "Let it go on: pgwizard status, key s.")
            continue
        counted = [backup for backup in snapshot.valid if cron.kind != "full" or backup.type == "full"]
        due = cron.due(counted[-1].stop) if counted else None
        if due is not None and snapshot.at - due > _OVERDUE:
            yield Reason(f"a backup of {cron.name} was due on {due:%Y-%m-%d %H:%M} UTC, and there is none since")


def _surroundings(snapshot: Snapshot) -> Iterable[Reason]:
    certificate, volume = snapshot.certificate, snapshot.volume
    if certificate is not None and certificate.ends is not None and certificate.ends - snapshot.at < _CA_SOON:
        ended = "ended" if certificate.ends <= snapshot.at else "ends"
        yield Reason(f"the certificate {ended} on {certificate.ends:%Y-%m-%d}", "Renew it at its source, and apply.")
    if certificate is not None and certificate.source == "differs":
        yield Reason("the certificate is no longer that of its source", "Apply again: it is mirrored anew.")
    if certificate is not None and certificate.source == "gone":
        yield Reason("the source of the certificate is gone", "Bring it back, or answer with another one, and apply.")
    if volume is not None and volume.free < volume.size * (1 - _FULL_VOLUME):
        free = volume.free / volume.size
        yield Reason(f"only {free:.0%} of the volume are free", "Make storage.size larger, and apply.")
    for ref, health in snapshot.objects.items():
        if health.status == "failed":
            yield Reason(f"{fit(str(ref))}: {health.message}")


def _unread(snapshot: Snapshot) -> Iterable[Reason]:
    """What may hide a risk, since nobody could look; repository and archiver have been judged by then."""
    for source in snapshot.sources:
        if source in ("repository", "archiver"):
            continue
        at, why = snapshot.heard.get(source), snapshot.unknown.get(source)
        if why:
            yield _explained(f"{source} cannot be read: {why}", why)
        elif at is None:
            yield Reason(f"{source} not read yet")
        # a watch is silent where nothing changes, and says in ``unknown`` that it broke
        elif source in _SECONDS and (age := (snapshot.at - at).total_seconds()) > STALE_SECONDS + _SECONDS[source]:
            yield Reason(f"{source} last read {age:.0f} s ago")


def told(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot and its verdict as JSON's own types: times in ISO 8601, sizes in bytes, names in camel case."""
    verdict, repository = judge(snapshot), snapshot.repository
    return {
        "name": snapshot.name,
        "namespace": snapshot.namespace,
        "at": snapshot.at.isoformat(),
        "verdict": _json(verdict),
        "release": _json(snapshot.release),
        "nextFull": _json(snapshot.next_full),
        "backups": [_json(backup) for backup in repository.backups] if repository else None,
        "stanza": repository.stanza if repository else None,
        "wal": {**_json(repository.wal), "segments": repository.wal.segments}
        if repository and repository.wal
        else None,
        "stored": snapshot.stored,
        "growsPerDay": snapshot.grows_per_day,
        "walPerDay": snapshot.wal_per_day,
        "outageDays": snapshot.outage_days,
        "archiver": {**_json(snapshot.archiver), "failing": snapshot.archiver.failing} if snapshot.archiver else None,
        "volume": _json(snapshot.volume),
        "certificate": _json(snapshot.certificate),
        "crons": [{**_json(cron), "next": _json(snapshot.next_run(cron))} for cron in snapshot.crons],
        "runs": [_json(run) for run in snapshot.runs],
        "objects": {fit(str(ref)): _json(health) for ref, health in snapshot.objects.items()},
        "heard": {source: at.isoformat() for source, at in snapshot.heard.items()},
        "unknown": dict(snapshot.unknown),
        "loading": list(snapshot.loading),
    }


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [_json(item) for item in value]
    if not is_dataclass(value):
        return value
    return {
        "".join(part if number == 0 else part.title() for number, part in enumerate(item.name.split("_"))): _json(
            getattr(value, item.name)
        )
        for item in fields(value)
        if item.name != "raw"
    }


# ---- observations --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that was seen: an object (None once it is gone), or an answer, or that there was none.

    source: one of ``Snapshot.sources``, or ``log``. ref: the object, or for ``log`` the Job. value: an object
    for the lists of Kubernetes (None without a ref: all have been seen), a frozen value of this module for the rest.
    failure: why there is no answer.
    """

    source: str
    at: datetime
    ref: Ref | None = None
    value: Any = None
    failure: str = ""


def reduce(snapshot: Snapshot, seen: Observation) -> Snapshot:
    """The snapshot with one observation put in."""
    snapshot = replace(snapshot, at=max(snapshot.at, seen.at))
    if seen.source == "log" and seen.ref is not None:
        return replace(snapshot, runs=_with_log(snapshot.runs, seen.ref.name, seen))
    if isinstance(seen.value, Missing):
        first = snapshot.missing.since if snapshot.missing else seen.at
        snapshot = replace(snapshot, missing=replace(seen.value, since=first))
        seen = replace(seen, failure=_none(snapshot.name, snapshot.namespace))
    if seen.failure:
        return replace(snapshot, unknown={**snapshot.unknown, seen.source: seen.failure})
    if seen.ref is not None:
        return _with_object(snapshot, seen.ref, seen.value)
    unknown = {source: why for source, why in snapshot.unknown.items() if source != seen.source}
    snapshot = replace(snapshot, unknown=unknown, heard={**snapshot.heard, seen.source: seen.at})
    if seen.source == "release":
        snapshot = replace(snapshot, missing=None)
    if seen.source == "repository":
        snapshot = _compared(snapshot, seen.value.wal)
    return replace(snapshot, **{seen.source: seen.value}) if seen.source in _SECONDS else snapshot


def _compared(snapshot: Snapshot, wal: Wal | None) -> Snapshot:
    """What the archiver said before the repository was asked has to be in its answer, whatever the clocks say."""
    owed = snapshot.promised if wal is None or snapshot.promised > wal.last else ""
    told = snapshot.archiver.last_wal if snapshot.archiver else ""
    return replace(snapshot, owed=owed, promised=told if _is_segment(told) else snapshot.promised)


def ended(snapshot: Snapshot, at: datetime) -> Snapshot:
    """What is left at a moment of a snapshot whose release nobody watches any more: no source speaks for it.

    A list of Kubernetes was known up to the last thing that was seen.
    """
    watched = {resource.plural: snapshot.at for resource in _WATCHED if resource.plural in snapshot.heard}
    unknown = {**dict.fromkeys(snapshot.sources, "no longer watched"), **snapshot.unknown}
    return replace(snapshot, at=at, heard={**snapshot.heard, **watched}, unknown=unknown)


def _with_log(runs: Sequence[Run], name: str, seen: Observation) -> tuple[Run, ...]:
    lines = (f"the log cannot be read: {seen.failure}",) if seen.failure else tuple(seen.value)
    return tuple(
        replace(run, tail=lines[-TAIL_KEPT:], fault=diagnose("\n".join(lines)) or diagnose(run.message))
        if run.real_name == name and run.state == "failed"
        else run
        for run in runs
    )


def _with_object(snapshot: Snapshot, ref: Ref, obj: Object | None) -> Snapshot:
    if ref.resource == CRONJOB:
        crons = [cron for cron in snapshot.crons if cron.real_name != ref.name] + ([_cron(obj)] if obj else [])
        return replace(snapshot, crons=tuple(sorted(crons, key=lambda cron: cron.name)[:OBJECTS_KEPT]))
    if ref.resource == JOB:
        before = next((run for run in snapshot.runs if run.real_name == ref.name), None)
        runs = [run for run in snapshot.runs if run is not before] + ([_run(obj, before)] if obj else [])
        return replace(snapshot, runs=tuple(sorted(runs, key=lambda run: run.started or _LONG_AGO)[-RUNS_KEPT:]))
    objects = {known: health for known, health in snapshot.objects.items() if known != ref}
    if obj is not None and not _of_job(obj) and len(objects) < OBJECTS_KEPT:
        health = assess(obj)
        objects[ref] = replace(health, message=visible(health.message))
    return replace(snapshot, objects=dict(sorted(objects.items(), key=lambda item: str(item[0]))))


def _of_job(obj: Object, name: str = "") -> bool:
    owners = obj["metadata"].get("ownerReferences") or []
    return any(owner.get("kind") == "Job" and name in ("", owner.get("name")) for owner in owners)


def _raw(name: str) -> str:
    return "" if fit(name) == name else name


def _cron(obj: Object) -> Cron:
    spec, status, name = obj["spec"], obj.get("status") or {}, obj["metadata"]["name"]
    return Cron(
        name=fit(name),
        kind="full" if name.endswith("-full") else "incr",
        schedule=plain(str(spec.get("schedule", ""))),
        zone=plain(str(spec.get("timeZone") or "Etc/UTC")),
        suspended=bool(spec.get("suspend")),
        last=moment(status.get("lastScheduleTime")),
        succeeded=moment(status.get("lastSuccessfulTime")),
        raw=_raw(name),
    )


def _run(obj: Object, before: Run | None) -> Run:
    health, status, name = assess(obj), obj.get("status") or {}, obj["metadata"]["name"]
    state: Literal["running", "succeeded", "failed"] = "running"
    if health.status != "progressing":
        state = "succeeded" if health.status == "ready" else "failed"
    uid = fit(str(obj["metadata"].get("uid", "")))
    known = before if before is not None and before.uid == uid else None  # the hook Job is made anew under its name
    return Run(
        name=fit(name),
        uid=uid,
        kind="init" if name.endswith("-init") else "full" if "-pgbackrest-full" in name else "incr",
        state=state,
        started=moment(status.get("startTime") or obj["metadata"].get("creationTimestamp")),
        ended=moment(status.get("completionTime") or condition(obj, "Failed").get("lastTransitionTime")),
        message=health.message,
        tail=known.tail if known else None,
        fault=known.fault if known else None,
        raw=_raw(name),
    )


_OK, _NO_BACKUP, _UNREADABLE = 0, 2, 99


def repository_of(info: Any) -> Repository:
    """The repository in ``pgbackrest info --output=json``; backups of an earlier system-id are left out.

    Raises ValueError with the repository's own words where it could not be read: info itself ends with 0 even then.
    """
    try:
        stanza = next((item for item in info if item["name"] == STANZA), None)
        if stanza is None:
            return Repository((), "the stanza has not been created")
        code, message = stanza["status"]["code"], plain(str(stanza["status"]["message"]))
        said = [repo["status"]["message"] for repo in stanza.get("repo") or () if repo["status"]["code"] == code]
        if code == _UNREADABLE:
            raise ValueError(plain(str(said[0])) if said else message)
        database = max((item["id"] for item in stanza.get("db") or ()), default=1)
        backups = [_backup(item) for item in stanza.get("backup") or () if item["database"]["id"] == database]
        archives = [item for item in stanza.get("archive") or () if item["database"]["id"] == database]
        wal = [Wal(plain(item["min"]), plain(item["max"])) for item in archives if item.get("min")]
    except (KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise ValueError(f"pgbackrest info answered with something else: {type(error).__name__}") from error
    kept = tuple(sorted(backups, key=lambda backup: backup.stop)[-BACKUPS_KEPT:])
    return Repository(kept, "" if code in (_OK, _NO_BACKUP) else message, wal[-1] if wal else None)


def _backup(item: Any) -> Backup:
    return Backup(
        label=plain(item["label"]),
        type=plain(item["type"]),
        start=datetime.fromtimestamp(item["timestamp"]["start"], UTC),
        stop=datetime.fromtimestamp(item["timestamp"]["stop"], UTC),
        size=int(item["info"]["size"]),
        stored=int(item["info"].get("repository", {}).get("delta", 0)),
        wal_start=plain(item["archive"]["start"] or ""),
        wal_stop=plain(item["archive"]["stop"] or ""),
        error=bool(item.get("error")),
    )


def archiver_of(text: str) -> Archiver:
    """The archiver in psql's lines: pg_stat_archiver's columns, and below it how many segments wait, if it says so.

    Raises ValueError for anything else.
    """
    head, *more = [line for line in text.splitlines() if line.strip()] or [""]
    archived, wal, at, failed, failed_wal, failed_at = head.strip().split("|")
    waiting = int(more[0]) if more else None
    return Archiver(int(archived), plain(wal), moment(at), int(failed), plain(failed_wal), moment(failed_at), waiting)


def volume_of(text: str) -> Volume:
    """The volume in ``df --output=size,avail`` in bytes. Raises ValueError for anything else."""
    size, free = text.splitlines()[-1].split() if text.strip() else ("", "")
    if int(size) <= 0:
        raise ValueError(f"df says that the volume has {size} bytes")
    return Volume(int(size), int(free))


def moment(text: str | None) -> datetime | None:
    """A time as Kubernetes or PostgreSQL writes it, in UTC; None for none, and for what is no time."""
    try:
        read = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)


# ---- observing -----------------------------------------------------------------------------------------------------

_WATCHED = (STATEFULSET, POD, CLAIM, CRONJOB, JOB)
_SECONDS = {"release": 10.0, "repository": 60.0, "archiver": 10.0, "volume": 60.0, "certificate": 60.0}
_SOON_SECONDS = 1.5
"""After how long an unsettled record is read again."""
ASKED = tuple(_SECONDS)
"""What is asked from time to time; all else is watched."""
_AGAIN_SECONDS = 10.0
"""After how long a watch that was refused is tried again."""
_EXEC_SECONDS = {"repository": 90.0, "archiver": 20.0, "volume": 20.0}

INFO_COMMAND = ("pgbackrest", f"--stanza={STANZA}", "--output=json", "--log-level-console=off", "info")
VOLUME_COMMAND = ("df", "--block-size=1", "--output=size,avail", DATA)
_STATISTICS = """SELECT archived_count, last_archived_wal, last_archived_time, failed_count, last_failed_wal,
last_failed_time FROM pg_stat_archiver"""
_WAITING = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"


def archiver_command(superuser: str | None) -> tuple[str, ...]:
    """The command of psql. superuser: where it is not known, the container's own variable is asked."""
    queries = ("-c", _STATISTICS, "-c", _WAITING)
    if superuser is not None:
        return ("psql", "-XAtq", "-d", "postgres", "-U", superuser, *queries)
    return ("bash", "-c", 'exec psql -XAtq -d postgres -U "$POSTGRES_USER" "$@"', "psql", *queries)


class Again:
    """What wakes ``observe`` before its time: each question has an event of its own, so that none is missed."""

    def __init__(self) -> None:
        self._events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.soon: Collection[str] = ()
        """What is asked again soon, rather than at its pace."""

    def ask(self, *sources: str) -> None:
        """Ask these at once."""
        for source in sources:
            self._events[source].set()

    async def due(self, source: str, seconds: float) -> None:
        """Return when it is time to ask again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SOON_SECONDS if source in self.soon else seconds):
                await self._events[source].wait()
        self._events[source].clear()


def _utc() -> datetime:
    return datetime.now(UTC)


async def observe(
    cluster: Cluster, name: str, namespace: str, *, now: Clock = _utc, again: Again | None = None
) -> AsyncGenerator[Snapshot, None]:
    """Snapshots, one for each burst of what is seen; for ever. Use ``contextlib.aclosing``: nothing is left then.

    Raises PreflightError where there is no such release, and ClusterError where its record cannot be read. What cannot
    be asked later on is said in ``unknown``, and asked again.
    """
    release = _release(await _record(cluster, name, namespace))
    snapshot = reduce(Snapshot(name, namespace, now()), Observation("release", now(), value=release))
    again = again or Again()
    queue: asyncio.Queue[Observation] = asyncio.Queue(maxsize=1_000)  # a flood waits at the server, not here
    failed: asyncio.Queue[Ref] = asyncio.Queue()
    names = Names.of(name)
    asks: dict[str, Callable[[], Awaitable[Any]]] = {
        "release": lambda: _release_or_missing(cluster, name, namespace),
        "repository": lambda: _repository(cluster, names, namespace),
        "archiver": lambda: _archiver(cluster, names, namespace, (snapshot.release or release).superuser),
        "volume": lambda: _volume(cluster, names, namespace),
        "certificate": lambda: _certificate(cluster, names, namespace),
    }
    tasks = [
        *(asyncio.create_task(_watched(cluster, resource, snapshot, queue, now)) for resource in _WATCHED),
        asyncio.create_task(_logs(lambda job: log(cluster, name, namespace, job), failed, queue)),
    ]
    asking: dict[str, asyncio.Task[None]] = {}
    asked: set[str] = set()
    try:
        yield snapshot
        while True:
            for source in asks.keys() & set(snapshot.sources) - asking.keys():  # an apply may have turned backups on
                asking[source] = asyncio.create_task(_every(source, asks[source], queue, now, again))
            for source in asking.keys() - set(snapshot.sources):
                asking[source].cancel()
                tasks.append(asking.pop(source))
            before = snapshot
            snapshot = reduce(snapshot, await queue.get())
            while not queue.empty():  # a burst is one change on a screen
                snapshot = reduce(snapshot, queue.get_nowait())
            again.soon = ("release",) if snapshot.unsettled else ()
            again.ask(*_worth_asking(before, snapshot))
            unread = {run.uid: run.real_name for run in snapshot.runs if run.state == "failed" and run.tail is None}
            for uid in unread.keys() - asked:
                failed.put_nowait(Ref(JOB, unread[uid], namespace))
            asked = set(unread)
            yield snapshot
    finally:
        tasks += asking.values()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _worth_asking(before: Snapshot, after: Snapshot) -> Collection[str]:
    """What a change makes worth asking: the record for any, since an apply may have made it.

    The rest where a backup has ended, or where the pod answers from now on.
    """
    ready = {ref for ref, health in after.objects.items() if ref.resource == POD and health.status == "ready"}
    if any(ref in before.objects and before.objects[ref].status != "ready" for ref in ready):
        return ASKED
    running = {run.uid for run in before.runs if run.state == "running"}
    ended = any(run.uid in running and run.state != "running" for run in after.runs)
    if ended:
        return ("release", "repository", "archiver", "volume")
    touched = _objects(before) != _objects(after) or before.unsettled < after.unsettled
    return ("release",) if touched else ()


def _objects(snapshot: Snapshot) -> tuple[Any, ...]:
    """What an apply changes, of what is watched."""
    jobs = [(run.uid, run.state) for run in snapshot.runs]
    return (snapshot.objects, [replace(cron, last=None, succeeded=None) for cron in snapshot.crons], jobs)


async def look(
    cluster: Cluster, name: str, namespace: str, *, now: Clock = _utc, timeout_seconds: float = 30
) -> Snapshot:
    """One snapshot, once every source has been heard; or what is known at the deadline. Raises as ``observe``.

    Where the archiver is ahead, the repository is read again, until that is known to be new WAL or dropped WAL.
    """
    snapshot, again = None, Again()
    with contextlib.suppress(TimeoutError):
        observed = observe(cluster, name, namespace, now=now, again=again)
        async with asyncio.timeout(timeout_seconds), aclosing(observed) as snapshots:
            async for snapshot in snapshots:
                if snapshot.loading:
                    continue
                if snapshot.owed or not snapshot.ahead or "repository" in snapshot.unknown:
                    break
                again.ask("repository")
    if snapshot is None:
        raise DeadlineError(f"the record of release {namespace}/{name} was not read within {timeout_seconds:.0f} s")
    return snapshot


async def _watched(
    cluster: Cluster, resource: Resource, snapshot: Snapshot, queue: asyncio.Queue[Observation], now: Clock
) -> None:
    labels = f"app.kubernetes.io/instance={snapshot.name},app.kubernetes.io/name=postgresql"
    shown: set[Ref] = set()
    while True:
        there: set[Ref] = set()
        try:
            async with aclosing(cluster.watch(resource, snapshot.namespace, labels=labels)) as events:
                async for event in events:
                    seen = _seen(resource, event, snapshot.namespace, now())
                    if seen.ref is None:  # a new watch does not know what went while nobody watched
                        for ref in shown - there:
                            await queue.put(Observation(resource.plural, now(), ref))
                        shown = there
                    elif seen.value is None:
                        there.discard(seen.ref)
                    else:
                        there.add(seen.ref)
                    await queue.put(seen)
        except Exception as error:  # noqa: BLE001 - what is not asked any more would look as if nothing changed
            await queue.put(Observation(resource.plural, now(), failure=_why(error)))
        shown |= there
        await asyncio.sleep(_AGAIN_SECONDS)


def _why(error: Exception) -> str:
    """Why there is no answer; of a defect only the type, since its text may hold anything."""
    if isinstance(error, PgwizardError):
        return plain(error.message)
    return f"a defect of pgwizard itself: {type(error).__name__}"


def _seen(resource: Resource, event: WatchEvent, namespace: str, at: datetime) -> Observation:
    if event.type == "SYNCED":
        return Observation(resource.plural, at)
    ref = Ref(resource, event.object["metadata"]["name"], namespace)
    return Observation(
        resource.plural, at, ref, None if event.type == "DELETED" else {**event.object, "kind": resource.kind}
    )


async def _every(
    source: str, ask: Callable[[], Awaitable[Any]], queue: asyncio.Queue[Observation], now: Clock, again: Again
) -> None:
    while True:
        at = now()  # an answer is as old as its question
        try:
            seen = Observation(source, at, value=await ask())
        except ValueError as error:  # the program's own words
            seen = Observation(source, now(), failure=plain(str(error)))
        except Exception as error:  # noqa: BLE001 - an answer that grows old in silence would be no answer
            seen = Observation(source, now(), failure=_why(error))
        await queue.put(seen)
        await again.due(source, _SECONDS[source])


async def _logs(
    read: Callable[[str], AsyncGenerator[str, None]], failed: asyncio.Queue[Ref], queue: asyncio.Queue[Observation]
) -> None:
    """Read the ends of the logs of failed Jobs, one after another."""
    while True:
        job = await failed.get()
        try:
            async with aclosing(read(job.name)) as lines:
                seen = Observation("log", _LONG_AGO, job, [line async for line in lines])
        except Exception as error:  # noqa: BLE001 - the logs of other Jobs are still to be read
            seen = Observation("log", _LONG_AGO, job, failure=_why(error))
        await queue.put(seen)


async def log(
    cluster: Cluster, name: str, namespace: str, job: str, *, follow: bool = False, tail: int = TAIL_LINES
) -> AsyncGenerator[str, None]:
    """Lines of the newest pod of a Job of this release, fit for a terminal; with follow also those to come.

    Raises PreflightError where no pod is left, and ClusterError with the kubelet's reason where it has not started.
    """
    pods: list[Object] = []
    labels = f"app.kubernetes.io/instance={name},app.kubernetes.io/component=backup"
    async with aclosing(cluster.pages(POD, namespace, labels=labels)) as pages:
        async for page in pages:
            pods += [pod for pod in page.items if _of_job(pod, job)]
    if not pods:
        raise PreflightError(f"Job {namespace}/{fit(job)} has no pod, so there is no log of it")
    newest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    container = newest["spec"]["containers"][0]["name"]
    lines = cluster.logs(namespace, newest["metadata"]["name"], container, follow=follow, tail=tail)
    async with aclosing(lines):
        async for line in lines:
            yield _fit_line(line)


def _fit_line(line: str) -> str:
    """A line of a log, fit for a terminal; what stands in columns keeps them."""
    return "".join(c if c.isprintable() else " " for c in line[:1_000]).rstrip()


# ---- the questions -------------------------------------------------------------------------------------------------


async def _record(cluster: Cluster, name: str, namespace: str) -> record.Record:
    live = await found(cluster, record.ref(name, namespace))
    if live is None:
        raise PreflightError(_none(name, namespace), hint="pgwizard releases -A lists what there is.")
    return _read(live)


def _none(name: str, namespace: str) -> str:
    return f"there is no release {name} in namespace {namespace}"


def _read(live: Object) -> record.Record:
    try:
        return record.read(live)
    except ValueError as error:
        raise PreflightError(str(error), hint="It was written by another version of pgwizard, or damaged.") from error


async def _release_or_missing(cluster: Cluster, name: str, namespace: str) -> Release | Missing:
    """Where there is no record, what became of the namespace; that this may not be read is no failure."""
    live = await found(cluster, record.ref(name, namespace))
    if live is not None:
        return _release(_read(live))
    try:
        home = await found(cluster, Ref(NAMESPACE, namespace))
    except Forbidden:
        return Missing("unread")
    if home is None:
        return Missing("gone")
    return Missing("ending" if home["metadata"].get("deletionTimestamp") else "there")


def _release(read: record.Record) -> Release:
    last = read.last
    if last is None:
        return Release(0, "", None, backups=True, superuser=None)
    sections = (last.answers.get(section) for section in ("credentials", "repository"))
    credentials, repository = (section if isinstance(section, Mapping) else {} for section in sections)
    return Release(
        revision=last.number,
        outcome=last.outcome,
        applied=moment(last.at),
        backups=repository.get("enabled") is not False,
        superuser=credentials.get("username") if credentials.get("from") == "generate" else None,
    )


async def answers_of(cluster: Cluster, name: str, namespace: str) -> dict[str, Any]:
    """The answers of the last revision, as nested keys of the file. Raises PreflightError where there are none."""
    last = (await _record(cluster, name, namespace)).last
    if last is None:
        raise PreflightError(f"the record of release {namespace}/{name} holds no revision")
    return dict(last.answers)


async def _run_in_pod(cluster: Cluster, names: Names, namespace: str, command: Sequence[str], seconds: float) -> str:
    """What a command prints. Raises ValueError with its own words where it fails."""
    result = await cluster.exec(namespace, names.pod, "postgresql", command, timeout_seconds=seconds)
    if result.exit_code != 0:
        said = plain((result.stderr or result.stdout).decode(errors="replace"))
        raise ValueError(f"{command[0]} ended with {result.exit_code}{f': {said}' if said else ''}")
    return result.stdout.decode(errors="replace")


async def _repository(cluster: Cluster, names: Names, namespace: str) -> Repository:
    text = await _run_in_pod(cluster, names, namespace, INFO_COMMAND, _EXEC_SECONDS["repository"])
    try:
        info = json.loads(text)
    except ValueError:
        raise ValueError(f"pgbackrest info answered with no JSON: {plain(text, 120)}") from None
    return repository_of(info)


async def _archiver(cluster: Cluster, names: Names, namespace: str, superuser: str | None) -> Archiver:
    text = await _run_in_pod(cluster, names, namespace, archiver_command(superuser), _EXEC_SECONDS["archiver"])
    try:
        archiver = archiver_of(text)
    except ValueError:
        raise ValueError(f"psql answered with something else: {plain(text, 120)}") from None
    if not archiver.failing:
        return archiver
    lines: list[str] = []
    with contextlib.suppress(ClusterError):  # the cause is a help; that archiving fails is known without it
        async with aclosing(cluster.logs(namespace, names.pod, "postgresql", tail=TAIL_LINES)) as tail:
            lines = [_fit_line(line) async for line in tail]
    return replace(archiver, fault=diagnose("\n".join(lines)))


async def _volume(cluster: Cluster, names: Names, namespace: str) -> Volume:
    text = await _run_in_pod(cluster, names, namespace, VOLUME_COMMAND, _EXEC_SECONDS["volume"])
    try:
        return volume_of(text)
    except ValueError:
        raise ValueError(f"df answered with something else: {plain(text, 120)}") from None


async def _certificate(cluster: Cluster, names: Names, namespace: str) -> Certificate | None:
    """None where the release mirrors no certificate."""
    mirror = await found(cluster, Ref(SECRET, names.ca, namespace))
    if mirror is None:
        return None
    mine = read_bundle(base64.b64decode((mirror.get("data") or {}).get(CA_KEY, "")), _LONG_AGO, valid=False)
    source = str((mirror["metadata"].get("annotations") or {}).get("pgwizard/source", "")).split("/")
    if len(source) != 3:
        return Certificate(mine.ends, "unread")
    try:
        original = await found(cluster, Ref(SECRET, source[1], source[0]))
    except Forbidden:
        return Certificate(mine.ends, "unread")
    there = base64.b64decode(((original or {}).get("data") or {}).get(source[2], ""))
    if not there:
        return Certificate(mine.ends, "gone")
    try:
        same = read_bundle(there, _LONG_AGO, valid=False).pem == mine.pem
    except ValueError:
        same = False
    return Certificate(mine.ends, "same" if same else "differs")


def chosen(releases: Sequence[record.Record], namespace: str) -> str:
    """The name of the only release of a namespace. Raises PreflightError for none, AnswersError for several."""
    names = [release.name for release in releases]
    if not names:
        raise PreflightError(
            f"there is no release in namespace {namespace}", hint="pgwizard releases -A lists what there is."
        )
    if len(names) > 1:
        message = f"namespace {namespace} has {len(names)} releases: name one of {', '.join(names)}"
        raise AnswersError("the command line", [Problem("NAME", message)])
    return names[0]


# ---- what is written from here -------------------------------------------------------------------------------------


async def backup_now(cluster: Cluster, name: str, namespace: str, kind: Literal["full", "incr"], at: datetime) -> str:
    """Start a Job from the CronJob, as ``kubectl create job --from`` does; at names it. Returns the Job's name.

    Raises ClusterError with the server's reason.
    """
    names = Names.of(name)
    cron = await cluster.get(Ref(CRONJOB, names.full if kind == "full" else names.incremental, namespace))
    template, about = cron["spec"]["jobTemplate"], cron["metadata"]
    owner = {
        "apiVersion": CRONJOB.api_version,
        "kind": CRONJOB.kind,
        "name": about["name"],
        "uid": about["uid"],
        "controller": True,
    }
    metadata = {
        "name": f"{about['name'][:47]}-{int(at.timestamp()):x}",
        "namespace": namespace,
        "labels": (template.get("metadata") or {}).get("labels") or {},
        "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
        "ownerReferences": [owner],
    }
    job = {"apiVersion": JOB.api_version, "kind": JOB.kind, "metadata": metadata, "spec": template["spec"]}
    await cluster.create(job)
    return str(metadata["name"])


async def suspend(cluster: Cluster, cron: str, namespace: str, *, rest: bool) -> None:
    """Let a CronJob rest, or go on. The next apply brings back what the answers say. Raises ClusterError."""
    await cluster.patch(Ref(CRONJOB, cron, namespace), {"spec": {"suspend": rest}})
