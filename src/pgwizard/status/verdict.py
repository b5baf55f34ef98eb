"""The verdict on a snapshot: whether the database can be recovered, to which moments, and the reasons against it.

``judge`` turns a ``Snapshot`` into a ``Verdict``; every threshold is here, also for showing a figure beside it.
Pure. An old observation proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile, zip_longest
from typing import Literal

from pgwizard.diagnose.diagnose import diagnose, is_remark, sharper
from pgwizard.errors import Finding
from pgwizard.kube.api import POD, STATEFULSET, Ref
from pgwizard.kube.health import AWAITS_POD, SCALED_TO_0, SCALED_UP
from pgwizard.plan.names import STANZA, Names
from pgwizard.quantities import human_size
from pgwizard.release import drills
from pgwizard.release.backups import FIND_DAMAGE, RESUME, damage_cause, full_backup_command
from pgwizard.status.backup_files import MANIFEST, ComparedBackup
from pgwizard.status.repository import Backup, Wal
from pgwizard.status.snapshot import (
    LONG_AGO,
    PACE_SECONDS,
    Archiver,
    MirroredCertificate,
    Missing,
    Run,
    Snapshot,
    Volume,
)
from pgwizard.status.wal import Archive, Hole, Reach, RecoveryWindow
from pgwizard.status.walk import ArchiveWalk
from pgwizard.text import fit, span

STALE_SECONDS = 180.0
"""After this an answer that the verdict depends on is old; for other sources their interval is added."""

RecoveryState = Literal["recoverable", "at risk", "not recoverable", "unknown", "gone"]

_PROOF = ("repository", "archiver")
_IN_POD = (*_PROOF, "archive", "backups", "volume")
"""Sources that run a command in the database's container."""
_RECENT = timedelta(days=1)
DOWN = "the database is not running"
_OVERDUE = timedelta(hours=2)
_SIDECAR_GRACE = timedelta(minutes=1)
_POD_GRACE = timedelta(seconds=20)
"""A Job gets its pod within a second or two, unless something refuses it."""
_CA_SOON = timedelta(days=14)
_LEAST_FREE = 0.1
_FULL_SOON_DAYS = 7
_LARGER = "Make storage.size larger, and apply."


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a release can be recovered, and to which moments.

    windows: on the timeline of the server, oldest first; branches: on timelines that it has left. reasons: why it is
    not better, worst first.
    """

    state: RecoveryState
    windows: tuple[RecoveryWindow, ...]
    reasons: tuple[Finding, ...]
    branches: tuple[RecoveryWindow, ...] = ()

    @property
    def newest(self) -> RecoveryWindow | None:
        """The window that ends with the newest moment; None if there is none."""
        return self.windows[-1] if self.windows else None


# ---- limits, for whoever shows a figure ----------------------------------------------------------------------------


def outdated_seconds(snapshot: Snapshot, source: str) -> float | None:
    """The age of a source's answer in seconds where it is too old to go by; None where it is not, or there is none.

    A watch is silent while nothing changes, and a broken one is in ``failures``: a watched list is never too old.
    """
    at = snapshot.answered_at.get(source)
    if at is None or source not in PACE_SECONDS:
        return None
    age = (snapshot.at - at).total_seconds()
    return age if age > STALE_SECONDS + (0 if source in _PROOF else PACE_SECONDS[source]) else None


_ARCHIVES = timedelta(seconds=30)
"""How long a segment may take to be archived, plus the interval at which the archiver is polled."""
WAITS_SECONDS = 60
"""For how long a segment may wait: pgBackRest tries as long before it reports a failure."""


def is_archiving(archiver: Archiver, read_at: datetime) -> bool:
    """Whether archiving is seen to work: it did after it last failed, and as lately as archive_timeout asks for.

    Waiting segments must be new: pgBackRest tries for a minute before it reports a failure. A database without writes
    archives nothing, so False is no fault.
    """
    if archiver.last_at is None or archiver.is_failing or is_delayed(archiver):
        return False
    age, limit = read_at - archiver.last_at, timedelta(seconds=archiver.timeout_seconds) + _ARCHIVES
    if archiver.waiting and age > _ARCHIVES:
        return False
    return not archiver.timeout_seconds or age <= limit


def is_delayed(archiver: Archiver) -> bool:
    """Whether WAL waits for too long. The time of the last archived segment does not show it: see an idle database."""
    return bool(archiver.waiting) and archiver.waiting_seconds > WAITS_SECONDS


def is_ending(certificate: MirroredCertificate, now: datetime) -> bool:
    """Whether it is time to renew a certificate, or too late; False where its end is not known."""
    return certificate.ends is not None and certificate.ends - now < _CA_SOON


def is_nearly_full(volume: Volume) -> bool:
    """Whether too little of a volume is free."""
    return volume.free < volume.size * _LEAST_FREE


def is_full_soon(snapshot: Snapshot) -> bool:
    """Whether the growth of the database fills the volume within days."""
    return snapshot.full_days is not None and snapshot.full_days < _FULL_SOON_DAYS


# ---- why something is not known ------------------------------------------------------------------------------------


def outage(snapshot: Snapshot) -> Finding | None:
    """Why the database does not run, and what to do; None if it runs or that is not known."""
    names = Names.of(snapshot.ref.name)
    kubectl = partial(snapshot.commands.kubectl, namespace=snapshot.ref.namespace)
    if snapshot.is_gone:
        return None
    workload, pod = (snapshot.objects.get(ref) for ref in _server(snapshot))
    if snapshot.has_no_statefulset or (workload is not None and workload.reason == SCALED_TO_0):
        return _unfinished_restore(snapshot) or _absence(snapshot)  # a half restored database must not be started
    if pod is None:
        if workload is None or "pods" not in snapshot.answered_at:
            return None
        fix = f"{kubectl('describe', 'statefulset', names.release)} has the reason."
        return _reason(f"the database is down: it has no pod; {workload.message}", fix, "status-down")
    if pod.status == "ready":
        return None
    log = snapshot.crash_log or ()
    symptom, fault = diagnose(pod.message), diagnose("\n".join([pod.message, *log]))
    word = "down" if pod.status == "failed" else "not ready"
    fix = fault.fix if fault else f"{kubectl('describe', 'pod', names.pod)} has the details."
    reason = _reason(f"the database is {word}: {pod.message}", fix, fault.key if fault else "status-down")
    if fault is not None and fault != symptom:
        return replace(reason, cause=fault.cause)
    return replace(reason, cause=f"its log ends with: {log[-1]}") if log else reason


def _absence(snapshot: Snapshot) -> Finding:
    """That the database was not asked to run."""
    if snapshot.has_no_statefulset:
        fix = "" if snapshot.is_changing else f"{_deploy_again(snapshot)}: it creates what is missing."
        return _reason("the database is down: its StatefulSet does not exist", fix, "status-down")
    ref = snapshot.ref
    start = snapshot.commands.kubectl("scale", "statefulset", ref.name, "--replicas=1", namespace=ref.namespace)
    return _reason("the database is down: its StatefulSet is scaled to 0", f"{start}, or apply again.", "status-down")


def _deploy_again(snapshot: Snapshot) -> str:
    """What brings the objects of the release back: an apply, or the tool that manages it."""
    release = snapshot.release
    if release is None or release.has_record:
        return "Apply again"
    return f"Deploy it again with {release.manager}" if release.manager else "Create it again"


def _set_up_again(snapshot: Snapshot) -> str:
    """What brings the stanza back: the hook Job, which has run and is not created again while nothing else changes."""
    words = ("delete", "job", Names.of(snapshot.ref.name).init, "--ignore-not-found")
    delete = snapshot.commands.kubectl(*words, namespace=snapshot.ref.namespace)
    return f"Delete the Job that set it up: {delete}. {_deploy_again(snapshot)}: it creates what is missing."


def _failed_set_up(snapshot: Snapshot) -> Finding | None:
    """Why the hook Job failed, where its log shows that: created again it would fail again."""
    run = next((run for run in reversed(snapshot.runs) if run.kind == "init"), None)
    if run is None or run.state != "failed" or run.fault is None or is_remark(run.fault):
        return None
    fix = run.fault.fix if "apply again" in run.fault.fix else f"{run.fault.fix} {_deploy_again(snapshot)}."
    return _reason(f"Job {run.name} failed: {run.fault.cause}", fix, run.fault.key)


def _unfinished_restore(snapshot: Snapshot) -> Finding | None:
    if snapshot.is_gone or snapshot.release is None or not snapshot.release.is_restore_unfinished:
        return None
    resume = snapshot.commands.pgwizard("restore", snapshot.ref.name, namespace=snapshot.ref.namespace)
    return _reason("a restore has not ended", f"{resume} resumes it.", "status-restore")


def _reason(text: str, fix: str = "", key: str = "") -> Finding:
    return Finding(text=text, fix=fix, key=key)


def _because(text: str, fault: Finding | None) -> Finding:
    """A reason with its known cause."""
    return Finding(text=text, cause=fault.cause, fix=fault.fix, key=fault.key) if fault else Finding(text=text)


def _server(snapshot: Snapshot) -> tuple[Ref, Ref]:
    """The StatefulSet and the pod of the database."""
    names, namespace = Names.of(snapshot.ref.name), snapshot.ref.namespace
    return Ref(STATEFULSET, names.release, namespace), Ref(POD, names.pod, namespace)


def is_silent(snapshot: Snapshot, source: str) -> bool:
    """Whether a source does not answer only because the database is down."""
    failure = snapshot.failures.get(source)
    if failure is None or source not in _IN_POD or outage(snapshot) is None:
        return False
    return failure.key in ("", "container-missing")  # it is about a Job


def failure_text(snapshot: Snapshot, source: str) -> str:
    """Why a source did not answer at its last try, in words; empty if it did."""
    if is_silent(snapshot, source):
        return DOWN
    failure = failure_of(snapshot, source)
    return failure.cause or failure.text if failure else ""


def failure_of(snapshot: Snapshot, source: str) -> Finding | None:
    """Why a source did not answer, from the message that is most specific."""
    failure = snapshot.failures.get(source)
    return sharper(failure, _recent(snapshot)) if failure and failure.key else failure


def _recent(snapshot: Snapshot) -> Iterable[Finding]:
    """The faults of the archiver and of the newest Job: they get more details from the store than ``info`` does."""
    if snapshot.archiver is not None and snapshot.archiver.is_failing and snapshot.archiver.fault is not None:
        yield snapshot.archiver.fault
    run = _last_ended(snapshot)
    if run is not None and run.fault is not None and snapshot.at - (run.ended or LONG_AGO) < _RECENT:
        yield run.fault


def _last_ended(snapshot: Snapshot) -> Run | None:
    return next((run for run in reversed(snapshot.runs) if run.state != "running" and run.is_backup), None)


# ---- the verdict -----------------------------------------------------------------------------------------------------


def judge(snapshot: Snapshot) -> Verdict:
    """The verdict at ``snapshot.at``. Old observations do not count."""
    if snapshot.missing is not None and snapshot.is_gone:
        return Verdict("gone", (), tuple(_gone_verdict(snapshot, snapshot.missing)))
    verdict, down = _judge_backups(snapshot), (_unfinished_restore(snapshot), outage(snapshot), _others(snapshot))
    worst = [*_ending(snapshot), *dict.fromkeys(filter(None, down))]
    if not worst:
        return verdict
    state: RecoveryState = "at risk" if verdict.state == "recoverable" else verdict.state
    return replace(verdict, state=state, reasons=(*worst, *verdict.reasons))


def _others(snapshot: Snapshot) -> Finding | None:
    """That other pods beside the database's answer its clients, each with a volume that nobody backs up."""
    workload, names = snapshot.objects.get(_server(snapshot)[0]), Names.of(snapshot.ref.name)
    if workload is None or workload.reason != SCALED_UP:
        return None
    text = (
        f"the StatefulSet is {workload.message}: each pod is a database of its own, and only {names.pod} is backed up"
    )
    one = ("scale", "statefulset", names.release, "--replicas=1")
    scale = snapshot.commands.kubectl(*one, namespace=snapshot.ref.namespace)
    return _reason(text, f"{scale}. Delete the HorizontalPodAutoscaler or whatever else scales it.", "status-scaled")


def _ending(snapshot: Snapshot) -> Iterable[Finding]:
    """The reason that the namespace is being deleted, which cannot be undone."""
    if snapshot.is_namespace_ending:
        namespace = fit(snapshot.ref.namespace)
        fix = "This cannot be undone: the volume is deleted too."
        if snapshot.wants_backups:
            fix += " What is in the repository stays: install again with another repository.path."
        yield _reason(f"namespace {namespace} is being deleted, with everything in it", fix, "namespace-ending")


def _judge_backups(snapshot: Snapshot) -> Verdict:
    """The verdict on the backups, whether or not the database runs."""
    if not snapshot.wants_backups:
        return _not_recoverable("this release makes no backups", "Set repository.enabled to true and apply.")
    read_at, repository = snapshot.answered_at.get("repository"), snapshot.repository
    is_unreadable = "repository" in snapshot.failures and not is_silent(snapshot, "repository")
    if repository is None or read_at is None:
        text = "the repository cannot be read" if is_unreadable else "the repository has not been read yet"
        return _unknown(snapshot, "repository", text)
    age = outdated_seconds(snapshot, "repository")
    if age is not None:
        return _unknown(snapshot, "repository", f"the repository was last read {age:.0f} s ago", "status-old")
    if snapshot.has_other_database:
        theirs, ours = repository.system_id, snapshot.system_id
        text = f"the repository holds another database's backups (system-id {theirs}; this database's is {ours})"
        return _not_recoverable(text, _ANOTHER_PATH, "status-foreign")
    takes_full = next((run for run in snapshot.runs if run.state == "running" and run.kind in ("full", "init")), None)
    stall = _stall(snapshot, takes_full) if takes_full else None
    running = takes_full.name if takes_full and stall is None else None
    if repository.stanza:
        return _without_stanza(snapshot, repository.stanza, running, stall)
    walk = snapshot.walk
    windows, branches = _windows(snapshot, walk, repository.wal), walk.continuity.branches if walk else ()
    faults = (
        *_incomplete(snapshot),
        *_invalid(snapshot),
        *_drill_failures(snapshot),
        *(_wal_faults(snapshot, walk, windows, running) if walk else ()),
    )
    if not windows:
        remedy = f"Job {running} is taking one." if running else ""
        if takes_full and stall:
            remedy = f"Job {takes_full.name} takes one as soon as it starts."
        base = _without_base(snapshot, remedy)
        return replace(base, reasons=(*base.reasons, *_stalls(snapshot), *faults), branches=branches)
    if not snapshot.system_id:
        text = "the owner of the backups in the repository is not known: the database has not reported its system-id"
        return _unknown(snapshot, "archiver", text, "status-whose")
    reasons = [_explain(snapshot, "repository", "the repository cannot be read")] if is_unreadable else []
    reasons += [*_archiving(snapshot), *faults, *_page_errors(snapshot), *_running(snapshot)]
    reasons += [*_surroundings(snapshot), *_unread(snapshot)]
    return Verdict("at risk" if reasons else "recoverable", windows, tuple(reasons), branches)


def _windows(snapshot: Snapshot, walk: ArchiveWalk | None, wal: Wal | None) -> tuple[RecoveryWindow, ...]:
    """The windows on the server's timeline: by the walk through the archive, and by backups that are newer than it.

    Without a walk every backup counts whose first and last segment lie in what ``info`` calls the archive.
    """
    windows = list(walk.continuity.windows) if walk else []
    newer = walk.newer_backups if walk else snapshot.whole_backups
    for backup in newer:
        if not _has_wal(backup, wal):
            continue
        if windows and (walk is None or _continues(walk.archive, windows[-1], backup)):
            last, until = max(windows[-1].last, backup.wal_stop), max(windows[-1].until, backup.stop)
            windows[-1] = replace(windows[-1], until=until, last=last)
        else:
            timeline = int(backup.wal_stop[:8], 16)
            windows.append(RecoveryWindow(timeline, backup.label, backup.stop, backup.stop, backup.wal_stop))
    archiver = snapshot.archiver
    if not windows or windows[-1].hole is not None or archiver is None or archiver.last_at is None:
        return tuple(windows)
    is_listed = "archive" not in snapshot.failures and outdated_seconds(snapshot, "archive") is None
    if is_listed and not archiver.is_behind and not snapshot.missing_wal:
        windows[-1] = replace(windows[-1], until=max(windows[-1].until, archiver.last_at))
    return tuple(windows)


def _continues(archive: Archive, window: RecoveryWindow, backup: Backup) -> bool:
    """Whether a backup begins where the WAL of a window ends, without a gap."""
    if window.hole is not None or window.last[:8] != backup.wal_start[:8]:
        return False
    return archive.number(backup.wal_start) <= archive.number(window.last) + 1


def _without_stanza(snapshot: Snapshot, stanza: str, running: str | None, stall: Finding | None) -> Verdict:
    """The verdict where the stanza is missing. stanza: as pgBackRest reports it; running, stall: of the Job beside."""
    text = f"pgBackRest reports: {stanza}"
    if running:
        return _not_recoverable(text, f"Job {running} is running: it may fix that.")
    why = stall or _failed_set_up(snapshot)
    return (
        _not_recoverable(f"{text}: {why}", why.fix, why.key) if why else _not_recoverable(text, _set_up_again(snapshot))
    )


_GAPS_NAMED = 3
_NEW_WINDOW = "Take a full backup now, which needs none of it:"
_WHO_DELETES = "find out what deletes WAL: a lifecycle rule of the bucket, or a pgbackrest expire elsewhere."


def _wal_faults(
    snapshot: Snapshot, walk: ArchiveWalk, windows: Sequence[RecoveryWindow], running: str | None
) -> Iterable[Finding]:
    """Faults of the WAL in the archive. running: the Job that takes a full backup now, if any."""
    remedy = f"Job {running} takes a full backup" if running else f"{_NEW_WINDOW} {_full_backup(snapshot)}"
    continuity = walk.continuity
    if walk.has_new_hole and snapshot.archive_before is None:
        hole = next(reach.hole for reach in continuity.reaches if reach.hole)
        yield _reason(f"WAL segment {fit(hole.first)} was not found; it is looked up again", "", "wal-missing")
        return
    if continuity.strangers:
        theirs = ", ".join(map(str, continuity.strangers))
        yield _reason(
            f"another server archives into this repository, on timeline {theirs}; this one is on {continuity.timeline}",
            f"Stop it, or give it a repository.path of its own: a clone, or an old copy of this database. {remedy}",
            "wal-stranger",
        )
    if walk.archive.doubles:
        yield _reason(
            f"WAL segment {walk.archive.doubles[0]} is there twice, with different contents: two servers archive",
            f"Stop the other server, or give it a repository.path of its own. {remedy}",
            "wal-stranger",
        )
    if not continuity.is_connected:
        text = f"the archive lacks {continuity.timeline:08X}.history: recovery cannot get to the server's timeline"
        yield _reason(text, _archive_history(snapshot, continuity.timeline), "wal-history")
    yield from _gaps(windows, remedy)
    yield from _worthless(continuity.worthless, "" if windows else f"{remedy}; then {_WHO_DELETES}")
    if not windows and continuity.elsewhere:
        label, timeline = list(continuity.elsewhere.items())[-1]
        text = f"backup {label} can be recovered on timeline {timeline} only, which the server has left"
        yield _reason(text, remedy, "wal-branch")


def _archive_history(snapshot: Snapshot, timeline: int) -> str:
    """How to archive a history again: PostgreSQL never deletes that of its own timeline from its volume."""
    push = f'pgbackrest --stanza={STANZA} archive-push "$PGDATA/pg_wal/{timeline:08X}.history"'
    words = ("exec", Names.of(snapshot.ref.name).pod, "--container=postgresql", "--", "bash", "-c", push)
    return f"Archive it again from the server: {snapshot.commands.kubectl(*words, namespace=snapshot.ref.namespace)}"


def _gaps(windows: Sequence[RecoveryWindow], remedy: str) -> Iterable[Finding]:
    """The WAL that is missing behind windows: at the end of all, and the newest of those between them."""
    gaps = [(window, later) for window, later in zip_longest(windows, windows[1:]) if window.hole is not None]
    for window, later in reversed(gaps[-_GAPS_NAMED:]):
        which, end = f"{_which(window.hole)} missing", f"{window.until:%Y-%m-%d %H:%M} UTC"
        text, fix = f"nothing after {end} can be recovered: {which}", f"{remedy}; then {_WHO_DELETES}"
        if later is not None:
            begin = f"{later.since:%Y-%m-%d %H:%M} UTC"
            text, fix = f"nothing between {end} and {begin} can be recovered: {which}", f"F{_WHO_DELETES[1:]}"
        yield _reason(text, fix, "wal-missing")
    if len(gaps) > _GAPS_NAMED:
        yield _reason(f"WAL is missing in {len(gaps) - _GAPS_NAMED} older places too", "", "wal-missing")


def _worthless(reaches: Sequence[Reach], fix: str) -> Iterable[Finding]:
    """The reasons for backups that lack their own WAL; many of them are one reason."""
    if len(reaches) > _GAPS_NAMED:
        first, last = reaches[0], reaches[-1]
        text = f"{len(reaches)} backups from {first.backup.label} to {last.backup.label} cannot be recovered"
        yield _reason(f"{text}: {_which(last.hole)} missing, among others", fix, "wal-missing")
        return
    for reach in reaches:
        yield _reason(
            f"backup {reach.backup.label} cannot be recovered: {_which(reach.hole)} missing", fix, "wal-missing"
        )


def _which(hole: Hole | None) -> str:
    if hole is None or not hole.first:  # a backup that was taken offline names none
        return "its WAL is"
    others = f" and {hole.count - 1:,} after it are" if hole.count > 1 else " is"
    return f"WAL segment {fit(hole.first)}{others}"


_WHO_DELETES_FILES = "find out what deletes or changes files of the bucket, such as a lifecycle rule."
_FILES_KEY = "status-files"
_INVALID_KEY = "status-invalid"
_ANOTHER_PATH = (
    "Choose another repository.path, and apply: this one's backups stay. stanza-upgrade would mix two databases: it is "
    "for what pg_upgrade made alone."
)


def _full_backup(snapshot: Snapshot) -> str:
    return full_backup_command(snapshot.ref, snapshot.commands)


def _without_base(snapshot: Snapshot, remedy: str) -> Verdict:
    """The reason that no backup can be restored. remedy: what creates one already, empty for nothing."""
    count = len(snapshot.backups)
    if count and not snapshot.intact_backups:
        which = "the only one has" if count == 1 else f"all {count} have"
        fix = f"{FIND_DAMAGE} Then take a full backup: {remedy or _full_backup(snapshot)}"
        return _not_recoverable(f"no backup is intact: {which} page checksum errors", fix, "status-damaged")
    verdict = _not_recoverable(
        "there is no valid full backup with its WAL",
        remedy or f"Take one now: {_full_backup(snapshot)}",
    )
    return replace(verdict, reasons=(*verdict.reasons, *_page_errors(snapshot)))


def _page_errors(snapshot: Snapshot) -> Iterable[Finding]:
    """The reason that the newest backups, or the newest full one, have page checksum errors."""
    newest = list(takewhile(lambda backup: backup.error, reversed(snapshot.backups)))
    full = next((backup for backup in reversed(snapshot.backups) if backup.type == "full"), None)
    if newest and snapshot.intact_backups:
        base, text = snapshot.intact_backups[-1].label, f"backup {newest[0].label} has page checksum errors"
        if len(newest) > 1:
            text = f"the {len(newest)} newest backups have page checksum errors, since {newest[-1].label}"
        ref = snapshot.ref
        restore = snapshot.commands.pgwizard("restore", ref.name, "--to", "latest", namespace=ref.namespace)
        fix = f"{base} is the newest intact backup: {restore} begins with it and replays the WAL since."
        yield _reason(
            f"{text}: {_pages(snapshot, newest[0]) or damage_cause(len(newest))}",
            f"{fix} {_find_damage(snapshot, newest[0])}",
            "status-damaged",
        )
    elif full is not None and full.error:
        fix = f"{_find_damage(snapshot, full)} Then take a full backup: {_full_backup(snapshot)}"
        text = f"full backup {full.label} has page checksum errors: {_pages(snapshot, full) or damage_cause()}"
        yield _reason(text, fix, "status-damaged")


def _pages(snapshot: Snapshot, backup: Backup) -> str:
    """The damaged pages by the backup's manifest; empty while that is not read."""
    comparison = snapshot.files.comparisons.get(backup.label) if snapshot.files else None
    if comparison is None or not comparison.pages:
        return ""
    page = comparison.pages[0]
    where = f" of database {page.database}" if page.database else ""
    others = comparison.page_files - 1
    more = f", and {others:,} more file{'s' if others > 1 else ''}" if others > 0 else ""
    return f"page{'s' if ',' in page.pages or '-' in page.pages else ''} {page.pages} of {page.path}{where}{more}"


def _find_damage(snapshot: Snapshot, backup: Backup) -> str:
    """How to find what the damaged pages belong to."""
    comparison = snapshot.files.comparisons.get(backup.label) if snapshot.files else None
    page = comparison.pages[0] if comparison and comparison.pages else None
    if page is None or not page.database or page.filenode is None:
        return FIND_DAMAGE
    query = f"SELECT pg_filenode_relation({page.filenode[0]}, {page.filenode[1]})"
    return f"In database {page.database}, {query} names the table or index. {FIND_DAMAGE}"


def _incomplete(snapshot: Snapshot) -> Iterable[Finding]:
    """That files of backups are missing or have another size: one by one while they are few."""
    damaged_backups = snapshot.damaged_backups
    faulty = [label for label, comparison in damaged_backups.items() if comparison.faults]
    for label in reversed(faulty[-_GAPS_NAMED:]):
        others = [each for each, comparison in damaged_backups.items() if label in comparison.needs]
        text = f"backup {label} cannot be restored: {_fault_text(damaged_backups[label])}"
        if others:
            text += f"; nor can {len(others)} that build on it" if len(others) > 1 else f"; nor can {others[0]}"
        yield _reason(text, f"Take a full backup now: {_full_backup(snapshot)}; then {_WHO_DELETES_FILES}", _FILES_KEY)
    if len(faulty) > _GAPS_NAMED:
        yield _reason(f"{len(faulty) - _GAPS_NAMED} older backups lack files too", "", _FILES_KEY)


def _invalid(snapshot: Snapshot) -> Iterable[Finding]:
    """What the last verification found, as far as it is still there."""
    verification = snapshot.verification
    if verification is None or verification.is_valid:
        return
    day, labels = f"{verification.moment:%Y-%m-%d}", {backup.label for backup in snapshot.backups}
    fix = f"Take a full backup now: {_full_backup(snapshot)}; then verify again: {_verify(snapshot)}"
    invalid = [label for label in snapshot.invalid_backups if label not in snapshot.damaged_backups]
    if invalid:
        which = f"backup {invalid[-1]}" if len(invalid) == 1 else f"{len(invalid)} backups since {min(invalid)}"
        files = [name for name in verification.files if name.partition("/")[0] in labels]
        example = f": {files[0]}{f' and {len(files) - 1} more' if len(files) > 1 else ''}" if files else ""
        yield _reason(f"the verification of {day} found damaged files in {which}{example}", fix, _INVALID_KEY)
    unread = [each.label for each in verification.damaged if not each.files and each.label in labels]
    if unread:
        which = f"backup {unread[-1]}" if len(unread) == 1 else f"{len(unread)} backups since {min(unread)}"
        yield _reason(f"the verification of {day} could not read {which}", fix, _INVALID_KEY)
    if verification.segments:
        count = verification.segments_checked - verification.segments_valid
        more = f" and {count - 1} more" if count > 1 else ""
        text = f"the verification of {day} found a damaged WAL segment: {verification.segments[0]}{more}"
        yield _reason(text, fix, _INVALID_KEY)


def _drill_failures(snapshot: Snapshot) -> Iterable[Finding]:
    """That the last drill failed."""
    drill = snapshot.drill
    failure = drills.failure(drill, snapshot.ref, snapshot.commands) if drill else None
    if drill is None or failure is None:
        return
    if any(backup.type == "full" and backup.start > drill.moment for backup in snapshot.intact_backups):
        again = snapshot.commands.pgwizard("drill", snapshot.ref.name, namespace=snapshot.ref.namespace)
        failure = replace(failure, fix=f"A full backup was taken since: drill again: {again}")
    yield failure


def _verify(snapshot: Snapshot) -> str:
    return snapshot.commands.pgwizard("verify", snapshot.ref.name, namespace=snapshot.ref.namespace)


def _fault_text(comparison: ComparedBackup) -> str:
    """The first file that is missing or has another size, and how many others there are."""
    fault = comparison.faults[0]
    if fault.path == MANIFEST:
        return "its backup.manifest and the copy of it are missing or damaged"
    text = f"{fault.path} is missing"
    if fault.found is not None:
        text = f"{fault.path} has {fault.found:,} bytes, its manifest {fault.expected:,}"
    others = comparison.fault_count - 1
    return f"{text}, and {others:,} other file{'s are' if others > 1 else ' is'} damaged" if others > 0 else text


def _not_recoverable(text: str, fix: str, key: str = "") -> Verdict:
    return Verdict("not recoverable", (), (_reason(text, fix, key),))


def _unknown(snapshot: Snapshot, source: str, text: str, key: str = "") -> Verdict:
    """The verdict without a source; a failure of the archiving is reported even so, and often has the same cause.

    key: where no fault is known that has one.
    """
    worst = _explain(snapshot, source, text)
    worst = replace(worst, key=worst.key or key)
    others = () if is_silent(snapshot, "archiver") else _failing(snapshot)
    return Verdict("unknown", (), (worst, *(other for other in others if other.key != worst.key)))


_NAMESPACES = {"gone": "; its namespace is gone too", "ending": "; its namespace is being deleted"}


def _gone_verdict(snapshot: Snapshot, missing: Missing) -> Iterable[Finding]:
    """The verdict on a release that is gone, with what may be left of it."""
    since = f"{missing.since or snapshot.at:%Y-%m-%d %H:%M} UTC"
    text = f"release {snapshot.ref} is gone since {since}: neither its record nor its StatefulSet exists"
    fix, backups = "", snapshot.backups
    if snapshot.wants_backups:
        fix = "Its repository may still hold backups"
        if backups:
            fix += f": {len(backups)} when it was read last, the newest of {backups[-1].stop:%Y-%m-%d %H:%M} UTC"
    yield _reason(f"{text}{_NAMESPACES.get(missing.namespace, '')}", fix and f"{fix}.")
    if snapshot.objects:
        yield _reason(f"still there: {', '.join(fit(str(ref)) for ref in snapshot.objects)}")


def _explain(snapshot: Snapshot, source: str, text: str) -> Finding:
    """A reason, with why its source does not answer; an outage of the database is a separate reason."""
    if is_silent(snapshot, source) or source not in snapshot.failures:
        return _reason(text)
    failure = failure_of(snapshot, source)
    return _because(text, replace(failure, cause=failure.cause or failure.text) if failure else None)


def _has_wal(backup: Backup, wal: Wal | None) -> bool:
    """Whether the archive reaches from the first to the last segment that a backup needs; later timelines sort last."""
    return wal is not None and bool(backup.wal_start) and wal.first <= backup.wal_start <= backup.wal_stop <= wal.last


def _archiving(snapshot: Snapshot) -> Iterable[Finding]:
    archiver, at = snapshot.archiver, snapshot.answered_at.get("archiver")
    wal = snapshot.repository.wal if snapshot.repository else None
    if (segment := snapshot.missing_wal) and wal is not None:
        yield _reason(
            f"WAL was dropped: PostgreSQL reports {segment} as archived, but the archive ends with {wal.last}",
            "Fix the archiving, then take a full backup.",
            "wal-dropped",
        )
    if archiver is None or at is None:  # without the system-id the verdict is unknown already
        return
    age = outdated_seconds(snapshot, "archiver")
    if age is not None:
        yield _explain(snapshot, "archiver", f"the archiver last answered {age:.0f} s ago")
    yield from _failing(snapshot)
    if not archiver.is_failing and is_delayed(archiver):
        last = f"the last was archived at {archiver.last_at:%Y-%m-%d %H:%M} UTC" if archiver.last_at else "none was yet"
        count = f"{archiver.waiting} WAL segment{'' if archiver.waiting == 1 else 's'}"
        yield _reason(f"{count} waiting to be archived; {last}")


def _failing(snapshot: Snapshot) -> Iterable[Finding]:
    """The reason that archiving fails, from the archiver's last answer."""
    archiver = snapshot.archiver
    if archiver is None or not archiver.is_failing:
        return
    fault = sharper(archiver.fault, _recent(snapshot)) if archiver.fault else None
    text = f"archiving fails: {archiver.failed_wal} at {archiver.failed_at:%Y-%m-%d %H:%M} UTC"
    yield _because(text, fault)


def _running(snapshot: Snapshot) -> Iterable[Finding]:
    """Risks to the next backups."""
    run = _last_ended(snapshot)
    if run is not None and run.state == "failed":
        yield _because(f"the last backup Job failed: {run.name}", run.fault or Finding(cause=run.message))
    yield from _check_failures(snapshot)
    yield from _stalls(snapshot)
    yield from _endless_jobs(snapshot)
    if snapshot.release is not None and snapshot.release.is_role_empty and not snapshot.is_changing:
        role = Names.of(snapshot.ref.name).backup
        fix = "Apply again, with --force-conflicts where another tool has emptied it."
        yield _reason(f"the Role {role} lets no backup Job reach the database", fix)
    if "cronjobs" in snapshot.answered_at and not any(cron.kind == "full" for cron in snapshot.crons):
        yield _reason("there is no schedule of full backups", f"{_deploy_again(snapshot)}: it creates what is missing.")
    is_restoring = _unfinished_restore(snapshot) is not None
    for cron in snapshot.crons:
        if not cron.is_backup:  # a late check proves nothing wrong
            continue
        if cron.suspended:
            fix = "The restore resumes it at its end, unless it was suspended before." if is_restoring else RESUME
            yield _reason(f"the schedule {cron.name} is suspended", fix)
            continue
        if cron.is_never_due:
            fix = "Change schedule.full or schedule.incremental, and apply."
            yield _reason(f"the schedule {cron.name} never starts a backup: {cron.schedule}", fix)
            continue
        last = next((each for each in reversed(snapshot.backups) if cron.kind != "full" or each.type == "full"), None)
        due = cron.due(last.stop) if last else None
        if due is not None and snapshot.at - due > _OVERDUE:
            yield _reason(f"a backup of {cron.name} was due on {due:%Y-%m-%d %H:%M} UTC and has not been taken")


def _check_failures(snapshot: Snapshot) -> Iterable[Finding]:
    """The reasons that the last scheduled check of a kind did not get to its result, and none was made since."""
    names = {"verify": "verification", "drill": "drill"}
    results = {"verify": snapshot.verification, "drill": snapshot.drill}
    last_runs = {run.kind: run for run in snapshot.runs if run.kind in names and run.state != "running"}
    for kind, last in last_runs.items():
        newest = results[kind]
        has_result = last.verification is not None or last.drill is not None
        is_newer = newest is not None and last.ended is not None and newest.moment >= last.ended
        if last.state != "failed" or has_result or is_newer:
            continue
        again = snapshot.commands.pgwizard(kind, snapshot.ref.name, namespace=snapshot.ref.namespace)
        why = last.fault or Finding(cause=last.message)
        failure = _because(f"the last {names[kind]} Job failed: {last.name}", why)
        yield replace(failure, fix=f"{failure.fix} Try again: {again}".strip())


def _stalls(snapshot: Snapshot) -> Iterable[Finding]:
    """The reasons for Jobs whose pod is refused, or does not start."""
    return filter(None, (_stall(snapshot, run) for run in snapshot.runs))


def _stall(snapshot: Snapshot, run: Run) -> Finding | None:
    """Why a Job that has not ended has no pod, or one that does not start; None if it has one that does."""
    why = snapshot.stalls.get(run.uid, "") or run.refusal
    if not why and run.message == AWAITS_POD and run.started is not None:
        age = snapshot.at - run.started  # what refuses it is an Event, which the cluster forgets after an hour
        why = f"it has had no pod for {span(age.total_seconds())}" if age > _POD_GRACE else ""
    if run.state != "running" or not why:
        return None
    fault = diagnose(why)
    describe = snapshot.commands.kubectl("describe", "job", run.real_name, namespace=snapshot.ref.namespace)
    fix = fault.fix if fault else f"{describe} has the details."
    return _reason(f"Job {run.name} does not start: {why}", fix, fault.key if fault else "job-stalled")


def _endless_jobs(snapshot: Snapshot) -> Iterable[Finding]:
    """The reasons for Jobs that do not end, so that their schedule starts no other."""
    for run in snapshot.runs:
        if run.kind != "init" and run.stuck_since is not None and snapshot.at - run.stuck_since > _SIDECAR_GRACE:
            text = f"Job {run.name} does not end, and its schedule starts no other: "
            delete = snapshot.commands.kubectl("delete", "job", run.real_name, namespace=snapshot.ref.namespace)
            yield _reason(
                f"{text}its backup has ended, but another container keeps its pod running",
                f"Exclude the namespace from the injection of sidecars, then: {delete}",
                "job-stuck",
            )


def _surroundings(snapshot: Snapshot) -> Iterable[Finding]:
    certificate, volume = snapshot.certificate, snapshot.volume
    if certificate is not None and certificate.ends is not None and is_ending(certificate, snapshot.at):
        verb = "ended" if certificate.ends <= snapshot.at else "ends"
        yield _reason(f"the certificate {verb} on {certificate.ends:%Y-%m-%d}", "Renew it at its source, and apply.")
    if certificate is not None and certificate.source == "differs":
        yield _reason(
            "the certificate is no longer that of its source", f"{_deploy_again(snapshot)}: this mirrors it again."
        )
    if certificate is not None and certificate.source == "gone":
        yield _reason(
            "the source of the certificate is gone", "Restore it, or name another one in tls.source, and apply."
        )
    if volume is not None and is_nearly_full(volume):
        free = volume.free / volume.size
        yield _reason(f"only {free:.0%} of the volume is free", _LARGER)
    if is_full_soon(snapshot):
        when = span((snapshot.full_days or 0) * 86_400)
        grows = human_size(int(snapshot.database_bytes_per_day or 0))
        yield _reason(f"the volume is full in {when} if the database keeps growing by {grows} a day", _LARGER)
    for ref, health in snapshot.objects.items():
        if health.status == "failed" and ref not in _server(snapshot):  # ``outage`` reports those
            yield _reason(f"{fit(str(ref))}: {health.message}")


def _unread(snapshot: Snapshot) -> Iterable[Finding]:
    """Sources that may hide a risk because they cannot be read; repository and archiver have reasons of their own."""
    for source in snapshot.sources:
        if source in _PROOF:
            continue
        at = snapshot.answered_at.get(source)
        if is_silent(snapshot, source):
            continue
        if source in snapshot.failures:
            yield _explain(snapshot, source, f"{source} cannot be read")
        elif at is None:
            yield _reason(f"{source} not read yet")
        elif (age := outdated_seconds(snapshot, source)) is not None:
            yield _reason(f"{source} last read {age:.0f} s ago")
