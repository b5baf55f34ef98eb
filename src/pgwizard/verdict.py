"""What the observations prove: whether the database could be recovered, to which moments, and why not better.

``judge`` turns a ``Snapshot`` into a ``Verdict``; every threshold stands here, for whoever shows a figure beside it.
Pure: it refuses to ask, and to call an old observation proof.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pgwizard.diagnose import diagnose
from pgwizard.kubeapi import fit
from pgwizard.snapshot import LONG_AGO, PACE_SECONDS, Archiver, Backup, Certificate, Missing, Snapshot, Volume, Wal

STALE_SECONDS = 180.0
"""An answer that proves something is old after this; any other one has its pace on top."""

State = Literal["recoverable", "at risk", "not recoverable", "unknown", "gone"]

_PROOF = ("repository", "archiver")
_OVERDUE = timedelta(hours=2)
_CA_SOON = timedelta(days=14)
_LEAST_FREE = 0.1


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


# ---- limits, for whoever shows a figure ----------------------------------------------------------------------------


def outdated(snapshot: Snapshot, source: str) -> float | None:
    """The age of a source's answer in seconds where it is too old to go by; None where it is not, or there is none.

    A watch is silent where nothing changes, and says in ``unknown`` that it broke: what is watched is never too old.
    """
    at = snapshot.heard.get(source)
    if at is None or source not in PACE_SECONDS:
        return None
    age = (snapshot.at - at).total_seconds()
    return age if age > STALE_SECONDS + (0 if source in _PROOF else PACE_SECONDS[source]) else None


def held_up(archiver: Archiver, read_at: datetime) -> bool:
    """Whether WAL waits: more than is usual, or for too long."""
    long = (archiver.last_at or LONG_AGO) < read_at - timedelta(seconds=STALE_SECONDS)
    return archiver.behind or (bool(archiver.waiting) and long)


def ends_soon(certificate: Certificate, now: datetime) -> bool:
    """Whether it is time to renew a certificate, or too late; False where its end is not known."""
    return certificate.ends is not None and certificate.ends - now < _CA_SOON


def nearly_full(volume: Volume) -> bool:
    """Whether too little of a volume is free."""
    return volume.free < volume.size * _LEAST_FREE


# ---- judging -------------------------------------------------------------------------------------------------------


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
    age = outdated(snapshot, "repository")
    if age is not None:
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
    age = outdated(snapshot, "archiver")
    if age is not None:
        yield Reason(f"the archiver last answered {age:.0f} s ago{f': {why}' if why else ''}")
    if archiver.failing:
        fault = archiver.fault
        text = f"archiving fails: {archiver.failed_wal} at {archiver.failed_at:%Y-%m-%d %H:%M} UTC"
        yield Reason(f"{text}: {fault.cause}", fault.fix, fault.key) if fault else Reason(text)
    elif held_up(archiver, at):
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
    if certificate is not None and certificate.ends is not None and ends_soon(certificate, snapshot.at):
        ended = "ended" if certificate.ends <= snapshot.at else "ends"
        yield Reason(f"the certificate {ended} on {certificate.ends:%Y-%m-%d}", "Renew it at its source, and apply.")
    if certificate is not None and certificate.source == "differs":
        yield Reason("the certificate is no longer that of its source", "Apply again: it is mirrored anew.")
    if certificate is not None and certificate.source == "gone":
        yield Reason("the source of the certificate is gone", "Bring it back, or answer with another one, and apply.")
    if volume is not None and nearly_full(volume):
        free = volume.free / volume.size
        yield Reason(f"only {free:.0%} of the volume are free", "Make storage.size larger, and apply.")
    for ref, health in snapshot.objects.items():
        if health.status == "failed":
            yield Reason(f"{fit(str(ref))}: {health.message}")


def _unread(snapshot: Snapshot) -> Iterable[Reason]:
    """What may hide a risk, since nobody could look; repository and archiver have been judged by then."""
    for source in snapshot.sources:
        if source in _PROOF:
            continue
        at, why = snapshot.heard.get(source), snapshot.unknown.get(source)
        if why:
            yield _explained(f"{source} cannot be read: {why}", why)
        elif at is None:
            yield Reason(f"{source} not read yet")
        elif (age := outdated(snapshot, source)) is not None:
            yield Reason(f"{source} last read {age:.0f} s ago")
