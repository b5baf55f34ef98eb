"""Events, changes and snapshots as text for people: a line each, no colour that means anything alone.

Pure: the same event gives the same line. It does not print.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pgwizard.errors import Finding
from pgwizard.quantities import human_size
from pgwizard.text import about, fit, plain, span, table_lines, time_text

if TYPE_CHECKING:
    from pgwizard.status.repository import Backup, Wal
    from pgwizard.status.snapshot import Archiver, Cron, Run, Snapshot
    from pgwizard.status.verdict import RecoveryState, Verdict
    from pgwizard.status.wal import RecoveryWindow


# ---- a release's status --------------------------------------------------------------------------------------------

_STATES: dict[RecoveryState, str] = {
    "recoverable": "●",
    "at risk": "!",
    "not recoverable": "✗",
    "unknown": "?",
    "gone": "✗",
}
_RUNS = {"running": "●", "succeeded": "✓", "failed": "✗"}
_KINDS = {"full": "full", "incr": "incr", "init": "first", "verify": "verify", "drill": "drill"}
_PASS_TEXTS = {"verify": "nothing is damaged", "drill": "restored and checked"}
_HEALTH = {"ready": "✓", "progressing": "·", "failed": "✗"}
LEGEND = "F full   ▪ incremental   ▫ failed   ░ recoverable   │ now"
BRANCH_LEGEND = "╌ on another timeline"


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the status.

    mark: ``✓`` fine, ``!`` needs attention, ``·`` loading or no data, ``?`` cannot be known.
    """

    mark: Literal["✓", "!", "·", "?"]
    label: str
    text: str

    def __str__(self) -> str:
        return f"{self.mark} {self.label:11} {self.text}"


def when(moment: datetime, now: datetime) -> str:
    """A moment in UTC: ``Sun 16 Nov 02:00``; with its year if that is not the present one."""
    moment = moment.astimezone(UTC)
    year = "" if moment.year == now.year else f" {moment.year}"
    return f"{moment:%a} {moment.day} {moment:%b}{year} {moment:%H:%M}"


def headline(verdict: Verdict) -> str:
    """``● RECOVERABLE``."""
    return state_text(verdict.state)


def state_text(state: RecoveryState) -> str:
    """As ``headline``, of a state."""
    return f"{_STATES[state]} {state.upper()}"


def window(verdict: Verdict, now: datetime) -> str:
    """The newest window: ``from Sun 16 Nov 02:00 UTC to now − 38 s``; empty where nothing is recoverable."""
    newest = verdict.newest
    if newest is None:
        return ""
    if newest.hole is not None:
        return _span(newest, now)
    return f"from {when(newest.since, now)} UTC to now − {span((now - newest.until).total_seconds())}"


def _span(span: RecoveryWindow, now: datetime) -> str:
    since, until = when(span.since, now), when(span.until, now)
    return f"in the minute of {since} UTC" if since == until else f"from {since} to {until} UTC"


_WINDOWS_SHOWN = 5


def other_windows(verdict: Verdict, now: datetime) -> list[str]:
    """The windows beside the newest one: the newer ones first, then those of other timelines.

    A line each for the newest few, and one line for all others: with a hole behind each backup there are hundreds.
    """
    lines = _newest(verdict.windows[:-1], now, "also {}", "also in {} older windows {}")
    others = "on timelines that were left, in {} older windows {}"
    return [*lines, *_newest(verdict.branches, now, "on timeline {1}, which was left, {0}", others)]


def _newest(windows: Sequence[RecoveryWindow], now: datetime, each: str, others: str) -> list[str]:
    """A line for each of the newest windows, and one for the others. windows: the newest last."""
    count = len(windows) if len(windows) <= _WINDOWS_SHOWN + 1 else _WINDOWS_SHOWN
    older, newest = windows[: len(windows) - count], windows[len(windows) - count :]
    lines = [each.format(_span(window, now), window.timeline) for window in reversed(newest)]
    if older:
        since, until = min(window.since for window in older), max(window.until for window in older)
        lines.append(others.format(f"{len(older):,}", _span(replace(older[0], since=since, until=until), now)))
    return lines


def reason_lines(verdict: Verdict) -> list[str]:
    """The reasons of a verdict, each with its fix below it."""
    lines = []
    for reason in verdict.reasons:
        lines.append(f"! {reason}")
        if reason.fix:
            lines.append(f"  {reason.fix}")
    return lines


def facts(snapshot: Snapshot) -> list[Fact]:
    """The facts behind the verdict, a line each."""
    if snapshot.is_gone:
        last = replace(snapshot, failures=dict.fromkeys(("release", "repository"), Finding(text="the release is gone")))
        return [_release_fact(last), *([_repository_fact(last)] if last.repository else [])]
    lines = [_release_fact(snapshot), *_origin_facts(snapshot), *_version_facts(snapshot)]
    if snapshot.wants_backups:
        lines += [_next_full(snapshot), *_wal_facts(snapshot), _repository_fact(snapshot), _files_fact(snapshot)]
        lines += _drill_facts(snapshot)
    lines.append(_volume_fact(snapshot))
    if snapshot.wants_backups:
        lines.append(_certificate_fact(snapshot))
    return lines


def _not_known(snapshot: Snapshot, source: str, label: str) -> Fact:
    from pgwizard.status.verdict import failure_text  # imported late, here and below: only a snapshot needs it

    if source in snapshot.failures:
        return Fact("?", label, f"not known: {failure_text(snapshot, source)}")
    return Fact("·", label, "reading")


def _with_age(snapshot: Snapshot, source: str, fact: Fact, *, has_cause: bool = False) -> Fact:
    """The fact with the age of an old answer, and why there is no newer one. has_cause: that is shown elsewhere.

    What failed at its last try is old at once.
    """
    from pgwizard.status.verdict import failure_text, outdated_seconds

    read_at = snapshot.answered_at.get(source)
    if read_at is None or (source not in snapshot.failures and outdated_seconds(snapshot, source) is None):
        return fact
    age = (snapshot.at - read_at).total_seconds()
    because = f": {failure_text(snapshot, source)}" if source in snapshot.failures and not has_cause else ""
    return Fact("!", fact.label, f"{fact.text} (as of {span(age)} ago{because})")


def _unread(snapshot: Snapshot) -> str:
    """The text for an unread repository; the cause is in the line about the repository."""
    from pgwizard.status.verdict import DOWN, is_silent

    return DOWN if is_silent(snapshot, "repository") else "the repository cannot be read"


def _release_fact(snapshot: Snapshot) -> Fact:
    release = snapshot.release
    if release is None:
        return _not_known(snapshot, "release", "release")
    if not release.has_record:
        owner = f"managed by {release.manager}" if release.manager else "installed without pgwizard"
        return _with_age(
            snapshot, "release", Fact("·", "release", f"{owner}; revisions are not known without a record")
        )
    applied_text = f", applied {when(release.applied, snapshot.at)} UTC" if release.applied else ""
    mark: Literal["✓", "!"] = "✓" if release.outcome == "deployed" else "!"
    return _with_age(
        snapshot, "release", Fact(mark, "release", f"revision {release.revision} {release.outcome}{applied_text}")
    )


def _origin_facts(snapshot: Snapshot) -> Iterator[Fact]:
    """What a clone was made from; nothing for a release that is none."""
    origin = snapshot.release.origin if snapshot.release is not None else None
    if origin is None:
        return
    state = ""
    if origin.reached_at:
        state = f", as of {time_text(origin.reached_at)}"
    elif origin.backup:
        state = f", as of backup {fit(origin.backup)}"
    yield Fact("✓", "origin", f"clone of {origin}{state}")


def _version_facts(snapshot: Snapshot) -> Iterator[Fact]:
    """That the image has another pgBackRest than the answers state; nothing where it has that one."""
    if snapshot.release is not None and snapshot.wants_backups and snapshot.has_other_pgbackrest:
        text = f"the image has {snapshot.pgbackrest}, not {snapshot.release.pgbackrest}"
        yield Fact("!", "pgBackRest", f"{text}: correct images.pgbackrestVersion, and apply")


def _next_full(snapshot: Snapshot) -> Fact:
    from pgwizard.status.verdict import outage

    if not snapshot.crons and "cronjobs" not in snapshot.answered_at:
        return _not_known(snapshot, "cronjobs", "next full")
    due = snapshot.next_full
    if due is None:
        fact = Fact("!", "next full", "none: no schedule for it, or it is suspended")
    else:
        ahead = about((due - snapshot.at).total_seconds())
        fact = Fact("✓", "next full", f"{when(due, snapshot.at)} UTC (in {ahead})")
        if outage(snapshot) is not None:
            fact = Fact("!", fact.label, f"{fact.text}; it fails if the database is still down")
    return _with_age(snapshot, "cronjobs", fact)


def _wal_facts(snapshot: Snapshot) -> list[Fact]:
    repository, archiver = snapshot.repository, snapshot.archiver
    if repository is None and "repository" in snapshot.failures:
        wal = Fact("?", "WAL", f"not known: {_unread(snapshot)}")
    elif repository is None:
        wal = _not_known(snapshot, "repository", "WAL")
    elif snapshot.has_other_database:
        wal = Fact("!", "WAL", "none of this database")
    elif repository.wal is None:
        wal = Fact("!", "WAL", "none in the archive")
    else:
        wal = _continuity_fact(snapshot, repository.wal)
    if repository is not None and snapshot.archive is None:
        wal = _with_age(snapshot, "repository", wal, has_cause=True)
    if archiver is None:
        return [wal, _not_known(snapshot, "archiver", "archiver")]
    read_at = snapshot.answered_at.get("archiver", snapshot.at)
    return [wal, _with_age(snapshot, "archiver", _archiver_fact(archiver, read_at, snapshot))]


def _continuity_fact(snapshot: Snapshot, wal: Wal) -> Fact:
    """How much WAL the archive contains, and whether any is missing."""
    from pgwizard.status.verdict import outdated_seconds

    listing, read_at = snapshot.archive, snapshot.answered_at.get("archive")
    if listing is None or snapshot.walk is None or read_at is None:
        why = "cannot be listed" if "archive" in snapshot.failures else "is being listed"
        lacks = f"{snapshot.missing_wal} is missing" if snapshot.missing_wal else f"the archive {why}"
        return Fact("!" if snapshot.missing_wal else "·", "WAL", f"up to {wal.last}; {lacks}")
    walk = snapshot.walk.continuity
    if snapshot.missing_wal:
        text = f"{snapshot.missing_wal} is missing"
    elif walk.has_hole:
        text = "some are missing"
    elif walk.strangers or listing.doubles:
        text = "another server's are among them"
    else:
        text = "no gap" if walk.is_connected else "the timeline's history is missing"
    is_old = "archive" in snapshot.failures or outdated_seconds(snapshot, "archive") is not None
    age = span((snapshot.at - read_at).total_seconds())
    mark: Literal["✓", "!"] = "✓" if text == "no gap" and not is_old else "!"
    count = "1 segment" if listing.count == 1 else f"{listing.count:,} segments"
    return Fact(mark, "WAL", f"{count} up to {wal.last}, checked {age} ago: {text}")


_WAITS_LONG_SECONDS = 5
"""A segment is archived within a second or two: one that waits for longer may wait for an archiver that hangs."""


def _archiver_fact(archiver: Archiver, read_at: datetime, snapshot: Snapshot) -> Fact:
    from pgwizard.status.verdict import WAITS_SECONDS, is_archiving, is_delayed

    last = "nothing archived since its statistics began"  # a crash of the server resets the statistics
    if archiver.last_at is not None:
        last = f"last segment {span((snapshot.at - archiver.last_at).total_seconds())} ago"
    waits = f", {archiver.waiting:,} wait" if archiver.waiting else ""
    if archiver.is_failing:
        return Fact("!", "archiver", f"failing at {archiver.failed_wal}, {last}{waits}")
    if is_delayed(archiver):
        return Fact("!", "archiver", f"behind, {last}{waits}")
    if archiver.waiting and archiver.waiting_seconds >= _WAITS_LONG_SECONDS:
        waits += f" for {archiver.waiting_seconds} s (late after {WAITS_SECONDS} s)"
    if is_archiving(archiver, read_at):
        return Fact("✓", "archiver", f"fine, {last}{waits}{_exposure_text(snapshot)}")
    idle = "idle, " if archiver.waiting == 0 and archiver.last_at is not None else ""  # no writes
    return Fact("·", "archiver", f"{idle}{last}{waits}{_exposure_text(snapshot)}")


def _exposure_text(snapshot: Snapshot) -> str:
    exposure = snapshot.exposure
    if exposure is None:
        return ""
    return (
        f"; {human_size(exposure.bytes)} of WAL is on the volume alone" if exposure.bytes else "; all WAL is archived"
    )


def _repository_fact(snapshot: Snapshot) -> Fact:
    """The repository; before it, for how long the store has not answered."""
    from pgwizard.status.snapshot import INFO_TIMEOUTS, IO_TIMEOUT_SECONDS

    fact, since = _repository_state(snapshot), snapshot.slow_since.get("repository")
    if since is None:
        return fact
    seconds = (snapshot.at - since).total_seconds()
    longest = INFO_TIMEOUTS * IO_TIMEOUT_SECONDS
    tries = f", pgBackRest tries up to {longest} s" if seconds < longest else ""
    return Fact(
        "·" if fact.mark == "✓" else fact.mark, fact.label, f"no answer for {span(seconds)}{tries}; {fact.text}"
    )


def _repository_state(snapshot: Snapshot) -> Fact:
    stored_bytes = snapshot.stored_bytes
    if snapshot.repository is None or stored_bytes is None:
        return _not_known(snapshot, "repository", "repository")
    if snapshot.repository.stanza:
        return Fact("!", "repository", snapshot.repository.stanza)
    if snapshot.has_other_database:
        others = len(snapshot.repository.backups)
        text = f"another database's: {others} backup{'' if others == 1 else 's'}, of system-id"
        return _with_age(snapshot, "repository", Fact("!", "repository", f"{text} {snapshot.repository.system_id}"))
    grows = (
        f", +{human_size(int(snapshot.growth_bytes_per_day))} a day"
        if snapshot.growth_bytes_per_day is not None
        else ""
    )
    count = f"{len(snapshot.backups)} backup{'' if len(snapshot.backups) == 1 else 's'}"
    mark: Literal["✓", "!"] = "✓" if snapshot.intact_backups and not snapshot.backups[-1].error else "!"
    if damage_count := len(snapshot.backups) - len(snapshot.intact_backups):
        count += f", {damage_count} with page errors"
    text = f"{count}, {human_size(stored_bytes)}{grows}, WAL not counted"
    return _with_age(snapshot, "repository", Fact(mark, "repository", text))


_DRILLED_FOR = timedelta(days=35)
_VERIFIED_FOR = timedelta(days=35)
"""Both are usual each month."""


def _files_fact(snapshot: Snapshot) -> Fact:
    """Whether the files of the backups are there."""
    from pgwizard.status.verdict import outdated_seconds

    read_at, files, total = snapshot.answered_at.get("backups"), snapshot.files, len(snapshot.backups)
    if files is None or read_at is None:
        return _not_known(snapshot, "backups", "files")
    count, damage_count = (
        sum(backup.label in files.comparisons for backup in snapshot.backups),
        len(snapshot.damaged_backups),
    )
    if not count:
        return Fact("·", "files", "no backup to check")
    backups = "1 backup" if total == 1 else f"{total:,} backups"
    text = f"{damage_count:,} {'is' if damage_count == 1 else 'are'} damaged" if damage_count else "complete"
    is_old = "backups" in snapshot.failures or outdated_seconds(snapshot, "backups") is not None
    mark: Literal["✓", "!"] = "!" if damage_count or is_old else "✓"
    age = span((snapshot.at - read_at).total_seconds())
    of = f"{count:,} of " if count < total else ""
    return Fact(mark, "files", f"{of}{backups}, checked {age} ago: {text}; {verification_text(snapshot)}")


def verification_text(snapshot: Snapshot) -> str:
    """When the repository was verified last, and whether that is long ago."""
    from pgwizard.release.verification import counts

    verification = snapshot.verification
    if verification is None:
        has_record = snapshot.release is None or snapshot.release.has_record
        return "never verified" if has_record else "results of pgwizard verify are not kept without a record"
    age = snapshot.at - verification.moment
    text = "valid" if verification.is_valid else "damaged"
    if verification.backups and verification.is_valid:
        text += f", {counts(verification)}"
    late = ", verify again" if age > _VERIFIED_FOR else ""
    return f"verified {about(max(age.total_seconds(), 0))} ago: {text}{late}"


def _drill_facts(snapshot: Snapshot) -> Iterator[Fact]:
    """What the last drill has proven, and how long a restore would take; nothing before there was one."""
    from pgwizard.release import drills

    drill = snapshot.drill
    if drill is None:
        return
    age = snapshot.at - drill.moment
    ago = f"{about(max(age.total_seconds(), 0))} ago"
    failed_check = drill.failed_check
    if failed_check is not None:
        yield Fact("!", "drill", f"failed {ago}: {failed_check.name}: {failed_check.text}")
        return
    late = "; drill again" if age > _DRILLED_FOR else ""
    yield Fact("✓", "drill", f"proven by a restore {ago} {drills.proof_text(drill)}{late}")
    if snapshot.restore_seconds is not None:
        basis = snapshot.restore_rates.basis if snapshot.restore_rates else ""
        yield Fact("✓", "restore", f"to now would take about {span(snapshot.restore_seconds)}, by {basis}")


def _volume_fact(snapshot: Snapshot) -> Fact:
    from pgwizard.status.verdict import is_full_soon, is_nearly_full

    volume = snapshot.volume
    if volume is None:
        return _not_known(snapshot, "volume", "volume")
    text = f"{volume.free / volume.size:.0%} free ({human_size(volume.free)} of {human_size(volume.size)})"
    days = snapshot.outage_days
    if days is not None:
        text += f": an S3 outage fills it in {span(days * 86_400)}" if days < 1_000 else ": outlasts any S3 outage"
    elif snapshot.wants_backups:
        text += "; how fast WAL would fill it is not known yet"
    growth_days = snapshot.full_days
    if growth_days is not None and growth_days < 1_000:
        text += f"; full in {span(growth_days * 86_400)} as the database grows"
    is_short = is_nearly_full(volume) or is_full_soon(snapshot) or (days is not None and days < 1)
    mark: Literal["✓", "!"] = "!" if is_short else "✓"
    return _with_age(snapshot, "volume", Fact(mark, "volume", text))


_SOURCES = {
    "same": "same as its source",
    "differs": "its source holds another one: apply again",
    "gone": "its source is gone",
    "unread": "its source may not be read",
    "unnamed": "its source is not known",
}


def _certificate_fact(snapshot: Snapshot) -> Fact:
    from pgwizard.status.verdict import is_ending

    certificate = snapshot.certificate
    if certificate is None:
        if "certificate" in snapshot.answered_at and "certificate" not in snapshot.failures:
            if snapshot.release is not None and not snapshot.release.is_tls_verified:
                return Fact(
                    "!", "CA", "none: TLS is not verified (tls.verify is false), so anyone may pose as the store"
                )
            if snapshot.release is not None and not snapshot.release.has_record:
                return Fact("·", "CA", "no Secret with a certificate is mounted")
            return Fact("✓", "CA", "none mirrored: the public authorities are trusted")
        return _not_known(snapshot, "certificate", "CA")
    ends = certificate.ends
    remaining_seconds = (ends - snapshot.at).total_seconds() if ends else 0
    text = (
        "ends at a time unknown" if ends is None else f"ends {ends:%Y-%m-%d} (in {int(remaining_seconds // 86_400)} d)"
    )
    if ends is not None and remaining_seconds <= 0:
        text = f"ended {ends:%Y-%m-%d}"
    fine = (
        certificate.source in ("same", "unread", "unnamed")
        and ends is not None
        and not is_ending(certificate, snapshot.at)
    )
    mark: Literal["✓", "!"] = "✓" if fine else "!"
    return _with_age(snapshot, "certificate", Fact(mark, "CA", f"{text}, {_SOURCES[certificate.source]}"))


def run_cells(snapshot: Snapshot, run: Run) -> tuple[str, str, str, str]:
    """A backup Job as cells: mark and kind, start, duration, and result."""
    start = when(run.started, snapshot.at) if run.started else ""
    end = run.ended or (snapshot.at if run.state == "running" else None)
    took = span((end - run.started).total_seconds()) if end and run.started else ""
    backup = snapshot.backup_of(run)
    if run.verification is not None and not run.verification.is_valid:
        came = "found damage"
    elif run.drill is not None and (check := run.drill.failed_check) is not None:
        came = plain(f"failed: {check.name}: {check.text}", 120)
    elif run.state == "failed":
        unread = f"; its log cannot be read: {run.unread}" if run.unread else ""
        came = plain(run.fault.cause if run.fault else f"{run.message}{unread}", 120)
        code = f"[{run.fault.exit_code:03}] " if run.fault and run.fault.exit_code is not None else ""
        came = f"failed {code}{came}"
    elif not run.is_backup:
        came = _PASS_TEXTS[run.kind] if run.state == "succeeded" else ""
    elif backup is not None:
        came = f"{human_size(backup.size)} → {human_size(backup.stored)}{', page errors' if backup.error else ''}"
    elif run.state == "running":
        came = ""
    elif snapshot.is_backup_unclear(run):
        came = "not known: Jobs ran side by side"
    else:
        came = _nothing_new(snapshot, run)
    return (f"{_RUNS[run.state]} {_KINDS[run.kind]}", start, took, came or run.message)


def _nothing_new(snapshot: Snapshot, run: Run) -> str:
    """The result of a Job that succeeded and has no backup in the known state of the repository.

    An answer read after its end stays true even if the repository cannot be read later.
    """
    read_at, ended_at = snapshot.answered_at.get("repository"), run.ended
    if snapshot.has_other_database:
        return "the repository is another database's"
    if (
        snapshot.repository is not None
        and not snapshot.repository.stanza
        and ended_at
        and read_at
        and read_at >= ended_at
    ):
        return "no new backup"
    has_failed = "repository" in snapshot.failures or (snapshot.repository is not None and snapshot.repository.stanza)
    return f"not known: {_unread(snapshot)}" if has_failed else "· reading the repository"


_MOST_ROWS = 10
"""How many backups a printed status lists."""
BACKUPS_LISTED = 400
"""How many backups a scrollable list shows; the verdict and all figures count all of them."""
BACKUP_TITLES = ("backup", "type", "ended", "took", "database", "stored", "WAL from")


def _damaged_labels(snapshot: Snapshot) -> set[str]:
    return {*snapshot.damaged_backups, *snapshot.invalid_backups}


def backup_cells(snapshot: Snapshot, backup: Backup, *, whole: bool = True) -> tuple[str, ...]:
    """A backup as ``pgbackrest info`` knows it, and whether its files are there, under BACKUP_TITLES.

    whole: the label that pgBackRest takes; else what is the backup's own of it, set in under its full one's.
    """
    full, _, own = backup.label.rpartition("_")
    label = backup.label if whole or not full else f"  {own}"
    fault = "page errors" if backup.error else "damaged" if backup.label in _damaged_labels(snapshot) else ""
    return (
        f"▫ {label}: {fault}" if fault else f"✓ {label}",
        backup.type,
        when(backup.stop, backup.stop),  # the label has its year
        about((backup.stop - backup.start).total_seconds()),
        human_size(backup.size),
        human_size(backup.stored),
        backup.wal_start,
    )


def older_cells(snapshot: Snapshot) -> tuple[str, ...] | None:
    """A row below BACKUPS_LISTED backups that counts the others; None where there are none."""
    older = len(snapshot.backups) - BACKUPS_LISTED
    return (f"and {older:,} older", *[""] * (len(BACKUP_TITLES) - 1)) if older > 0 else None


def cron_cells(snapshot: Snapshot, cron: Cron) -> tuple[str, str, str, str]:
    """A CronJob as cells: what it takes, when it runs next, when it last ran, and its schedule."""
    zone = "" if cron.zone in ("Etc/UTC", "UTC") else f" {cron.zone}"
    last = when(cron.last, snapshot.at) if cron.last else "never"
    due = snapshot.next_run(cron)
    coming = f"{when(due, snapshot.at)} (in {about((due - snapshot.at).total_seconds())})" if due else "is not known"
    kind = _KINDS[cron.kind]
    if cron.suspended:
        return (f"‖ {kind}", "suspended", last, f"{cron.schedule}{zone}")
    return (f"✓ {kind}", coming, last, f"{cron.schedule}{zone}")


def object_cells(snapshot: Snapshot) -> list[tuple[str, ...]]:
    """The release's objects with a state as cells: mark and kind, message, and name.

    Jobs and schedules have lists of their own; a ConfigMap or a Service has no state.
    """
    return [
        (f"{_HEALTH[health.status]} {ref.resource.kind}", health.message, fit(ref.name))
        for ref, health in snapshot.objects.items()
    ]


def loading_or_empty(snapshot: Snapshot, source: str, empty: str) -> str:
    """The text in place of an empty list: loading, not readable, or empty."""
    if snapshot.is_gone:
        return "none" if source in snapshot.sources else "· no longer read: the release is gone"
    if source in snapshot.failures:
        return f"? not known: {_unread(snapshot) if source == 'repository' else snapshot.failures[source].text}"
    if source == "repository" and snapshot.has_other_database:
        return "none of this database"
    return empty if source in snapshot.answered_at else "· reading"


_WEEKS = 5
_RANKS = "▪F▫"
"""Marks of the timeline, in the order in which they are placed: a later one takes the cell of an earlier one."""


def timeline(snapshot: Snapshot, verdict: Verdict, width: int) -> list[str]:
    """Backups week by week in UTC, Monday first, ``width`` characters wide; empty where there are none.

    ``F`` full, ``▪`` incremental, ``▫`` failed, ``░`` recoverable, ``╌`` on another timeline alone; ``│`` is now.
    """
    damaged_labels = _damaged_labels(snapshot)
    marks = [
        (backup.start, "▫" if backup.error or backup.label in damaged_labels else "F" if backup.type == "full" else "▪")
        for backup in snapshot.backups
    ]
    marks += [(run.started, "▫") for run in snapshot.runs if run.state == "failed" and run.started and run.is_backup]
    if not marks:
        return []
    now = snapshot.at.astimezone(UTC)
    this_week = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=now.weekday())
    oldest = min(moment for moment, _ in marks)
    weeks = min(max(int((this_week - oldest) / timedelta(days=7)) + (2 if oldest < this_week else 1), 1), _WEEKS)
    cells = max((width - 8) // 7, 3)
    lines = [
        "UTC     " + "".join(day.ljust(cells) for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")).rstrip()
    ]
    first, cell_seconds, marks_by_place = this_week - timedelta(days=7 * (weeks - 1)), 86_400 / cells, dict[int, str]()
    for moment, mark in sorted(marks, key=lambda each: (_RANKS.find(each[1]), each[0])):
        if moment >= first:
            place = int((moment - first).total_seconds() / cell_seconds)
            if mark == "▫":
                latest = int((now - first).total_seconds() / cell_seconds)
                marks_by_place.setdefault(_free_beside(marks_by_place, place, cells, latest), mark)
            else:
                marks_by_place[place] = mark
    for back in range(weeks - 1, -1, -1):
        monday = this_week - timedelta(days=7 * back)
        begin = 7 * cells * (weeks - 1 - back)
        row = [
            marks_by_place.get(begin + number)
            or _window_mark(verdict, monday + number * timedelta(days=1) / cells, now, cells)
            for number in range(7 * cells)
        ]
        if back == 0:
            here = min(int((now - monday) / timedelta(days=1) * cells), len(row) - 1)
            row[here] = row[here] if row[here] in "F▪▫" else "│"
        lines.append(f"{monday.day:>2} {monday:%b}  {''.join(row)}".rstrip())
    return lines


def _free_beside(marks_by_place: Mapping[int, str], place: int, cells: int, latest: int) -> int:
    """The nearest cell of the same day for a failure, so that it hides no backup; its own where none is free.

    cells: of a day; latest: the last cell that is not in the future.
    """
    day = place // cells * cells
    free = (each for each in range(day, min(day + cells, latest + 1)) if marks_by_place.get(each, "▫") == "▫")
    return min(free, key=lambda each: abs(each - place), default=place)


def _window_mark(verdict: Verdict, begin: datetime, now: datetime, cells: int) -> str:
    end = begin + timedelta(days=1) / cells
    if begin > now:
        return " "
    if any(end > each.since and begin <= each.until for each in verdict.windows):
        return "░"
    return "╌" if any(end > each.since and begin <= each.until for each in verdict.branches) else " "


def status_lines(snapshot: Snapshot, verdict: Verdict) -> list[str]:
    """A snapshot as text, the most important first."""
    now = snapshot.at
    lines = [f"{headline(verdict)}   {window(verdict, now)}".rstrip(), *other_windows(verdict, now)]
    lines += [*reason_lines(verdict), ""]
    lines += [str(fact) for fact in facts(snapshot)]
    if line := timeline(snapshot, verdict, 78):
        lines += ["", f"Backups   {LEGEND}{f'   {BRANCH_LEGEND}' if verdict.branches else ''}", *line]
    newest = list(reversed(snapshot.backups))[:_MOST_ROWS]
    backups = [BACKUP_TITLES, *(backup_cells(snapshot, backup) for backup in newest)] if newest else []
    lines += _table("pgbackrest info", backups)
    if older := len(snapshot.backups) - len(newest):
        lines.append(f"  and {older} older")
    lines += _table("Jobs", [run_cells(snapshot, run) for run in reversed(snapshot.runs)])
    lines += _table("Schedules", [cron_cells(snapshot, cron) for cron in snapshot.crons])
    lines += _table("Objects with a state", object_cells(snapshot))
    return lines


def _table(title: str, rows: Sequence[tuple[str, ...]]) -> list[str]:
    return ["", title, *(f"  {line}" for line in table_lines(rows))] if rows else []
