"""The way of a restore to a target: which backup, which timeline, what is lost. Pure.

``choose`` names both backup and timeline for every target. pgBackRest takes the newest backup for a name or a
transaction, wherever that is, and PostgreSQL follows the newest timeline, on which the target may never have been: both
end in another state than was asked for, without an error.
"""

from __future__ import annotations

import contextlib
import re
import zoneinfo
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Literal

from pgwizard.plan.pgbackrest import Version, version, version_text
from pgwizard.release.drills import RestoreRates
from pgwizard.release.record import LONGEST_SECONDS
from pgwizard.status.repository import Backup, is_label, read_lsn
from pgwizard.status.wal import Archive, Reach, RecoveryPath, strangers
from pgwizard.status.walk import whole_backups
from pgwizard.text import fit

TargetKind = Literal["latest", "time", "backup", "name", "xid", "lsn"]
RefusalReason = Literal[
    "not-a-target",
    "no-offset",
    "doubled-hour",
    "skipped-hour",
    "future",
    "no-backup",
    "before-first-backup",
    "inside-backup",
    "hole",
    "quiet",
    "other-branch",
    "not-archived",
    "unknown-backup",
    "damaged-backup",
    "newer-backup",
    "no-history",
    "unknown-point",
    "ambiguous-point",
]

USUAL_RATES = RestoreRates(bytes_per_second=70e6, segments_per_second=4.0)
"""They were measured on two busy cores."""
NO_BACKUP = "no backup in the repository can be recovered"
_OTHERWISE = "Give a time, a backup, or latest."
_SECOND = timedelta(seconds=1)
_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")
_VERSION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){1,2}", re.ASCII)
_POINT = re.compile(r"[ -&(-\[\]-~]{1,63}")
"""pgBackRest writes the name into PostgreSQL's configuration, and escapes neither quotes nor backslashes."""


@dataclass(frozen=True, slots=True)
class RecoveryTarget:
    """What a restore is to reach. value: a label, a name or a number as text; at: of a time, UTC.

    is_exclusive: stop before it. timeline, lsn: where a name, a transaction or a position is, 0 where that is not
    known.
    """

    kind: TargetKind
    value: str = ""
    at: datetime | None = None
    is_exclusive: bool = False
    timeline: int = 0
    lsn: int = 0

    @property
    def as_typed(self) -> str:
        """What names it after ``--to``."""
        if self.kind == "latest":
            return "latest"
        return f"{self.at:%Y-%m-%dT%H:%M:%S.%fZ}" if self.kind == "time" else f"{self.kind}:{self.value}"

    def __str__(self) -> str:
        before = "just before " if self.is_exclusive else ""
        match self.kind:
            case "latest":
                return f"the newest state of timeline {self.timeline}" if self.timeline else "the newest state"
            case "time":
                return f"{before}{shown_moment(self.at)}"
            case "backup":
                return f"the end of backup {self.value}"
            case "name":
                return f"restore point {self.value}"
            case "xid":
                return f"{before or 'the end of '}transaction {self.value}"
            case "lsn":
                return f"{before}WAL position {self.value}"


@dataclass(frozen=True, slots=True)
class TargetRefusal:
    """Why a target cannot be reached; before, after: the nearest moments that can, UTC, None where there is none."""

    reason: RefusalReason
    text: str
    fix: str
    before: datetime | None = None
    after: datetime | None = None


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """A restore that reaches its target, unless the repository changes meanwhile.

    target: for people. type, value, is_exclusive: pgBackRest's. must_reach: the WAL position that recovery must get to;
    0 where PostgreSQL itself fails unless it reaches the target. left: the timeline that the server is on now.
    lost_since, lost_until: whatever was committed between them is lost; None where the moment is not known.
    segments, bytes: what is replayed and fetched, at most; seconds: an estimate of all; basis: what has shown it, empty
    where nothing of this release has. silence: why the server does not answer, empty where it does; archived_until:
    then, what it wrote later is not in the archive, as far as known. position: where the target is in the WAL; 0 where
    that is not known.
    """

    target: str
    backup: str
    timeline: int
    type: Literal["default", "time", "immediate", "name", "xid", "lsn"]
    value: str
    is_exclusive: bool
    must_reach: int
    left: int
    lost_since: datetime | None
    lost_until: datetime | None
    segments: int
    bytes: int
    seconds: float
    at: datetime | None = None
    silence: str = ""
    archived_until: datetime | None = None
    position: int = 0
    basis: str = ""

    @property
    def is_newest(self) -> bool:
        """Whether it ends where the server is now. To the end before a hole is another thing."""
        return self.type == "default" and self.timeline == self.left and self.lost_since is None

    @property
    def options(self) -> tuple[str, ...]:
        """Of ``pgbackrest restore``."""
        options = [f"--set={self.backup}", f"--type={self.type}"]
        if self.type != "immediate":  # which stays on the backup's own, and takes no such option
            options.insert(1, f"--target-timeline={self.timeline}")
        if self.type != "default":
            options.append("--target-action=promote")
        if self.value:
            options.append(f"--target={self.value}")
        if self.is_exclusive:
            options.append("--target-exclusive")
        return tuple(options)


@dataclass(frozen=True, slots=True)
class Span:
    """Moments that can be reached on one timeline from backups that lead to the same end, both ends included.

    backups: oldest first; reach: of the newest one; until: None for now. is_open: whether the server adds to it;
    ends_at: when all that the archive has is replayed.
    """

    timeline: int
    backups: Sequence[Backup]
    reach: Reach
    since: datetime
    until: datetime | None
    is_open: bool
    ends_at: datetime

    def holds(self, at: datetime) -> bool:
        """Whether a moment that is not in the future can be reached."""
        return self.since <= at and (self.until is None or at <= self.until)

    def reach_before(self, at: datetime) -> Reach:
        """From the newest backup that leads to a moment, which it holds."""
        place = bisect_right(self.backups, at, key=_consistent_at)
        return replace(self.reach, backup=self.backups[max(place, 1) - 1])


def _consistent_at(backup: Backup) -> datetime:
    """The first moment that a backup leads to: its end is known to the second."""
    return backup.stop + _SECOND


@dataclass(frozen=True, slots=True)
class Life:
    """The moments between which this server wrote a timeline; None for the outermost."""

    timeline: int
    birth: datetime | None
    death: datetime | None


@dataclass(frozen=True)
class RepositoryView:
    """What a restore is chosen from. backups: oldest first; timeline: the server's own.

    damaged_labels: the labels of backups that lack files, or hold files whose contents are damaged.
    is_answering: whether the server can still commit and archive, so that what it has written until now is reachable;
    silence: why it does not answer. rates: those of its restores and drills, where there are any. image: the version of
    the image's pgBackRest, None where that is not known.
    """

    archive: Archive
    backups: tuple[Backup, ...]
    timeline: int
    is_answering: bool
    damaged_labels: frozenset[str] = frozenset()
    silence: str = ""
    rates: RestoreRates = USUAL_RATES
    image: Version | None = None

    # With thousands of backups the walks take longer than there is between two keys, and they are the same at each.

    @cached_property
    def whole_backups(self) -> tuple[Backup, ...]:
        """The backups that a restore can begin with, oldest first."""
        return whole_backups(self.backups, self.damaged_labels)

    @cached_property
    def lives(self) -> tuple[Life, ...]:
        """The timelines of this server, ascending. Those of other servers are left out.

        One server writes at a time, so a timeline ends when the next one's history is archived.
        """
        foreign, histories = strangers(self.archive, self.timeline), self.archive.histories
        own = {each for each in self.archive.timelines if each not in foreign and each <= self.timeline}
        lives, death = list[Life](), None
        for timeline in sorted({*own, self.timeline}, reverse=True):
            birth = histories[timeline].archived_at if timeline in histories else None
            lives.append(Life(timeline, birth, death))
            death = birth or death
        return tuple(reversed(lives))

    def usable(self, timeline: int, until: int | None = None, *, oldest_first: bool = False) -> Iterator[Reach]:
        """How far recovery gets towards a timeline, from each backup that leads there, the newest first.

        No older one gets further. until: the WAL position at which a backup must have ended.
        """
        path = RecoveryPath(self.archive, timeline)
        backups = [backup for starts in self._leading_to(timeline) for _, backup in reversed(starts)]
        for backup in reversed(backups) if oldest_first else backups:
            if until is None or backup.lsn_stop <= until:
                reach = path.reach(backup)
                if reach is not None and reach.is_usable:
                    yield reach

    def _leading_to(self, timeline: int) -> list[list[tuple[int, Backup]]]:
        """The backups on each timeline of a path, the last timeline first."""
        return [self._starts.get(each, []) for each, _ in reversed(self.archive.path(timeline))]

    @cached_property
    def _starts(self) -> dict[int, list[tuple[int, Backup]]]:
        """Backups with the number of their first segment, oldest first, by timeline."""
        starts: dict[int, list[tuple[int, Backup]]] = {}
        for backup in self.whole_backups:
            with contextlib.suppress(ValueError):  # the name of no segment: there is no WAL for it
                number = self.archive.number(backup.wal_start)
                starts.setdefault(int(backup.wal_start[:8], 16), []).append((number, backup))
        for backups in starts.values():
            backups.sort(key=_number)
        return starts

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """All that can be reached, by timeline and from the oldest moment to the newest."""
        return tuple(span for life in self.lives for span in reversed([*self._spans(life)]))

    def _spans(self, life: Life) -> Iterator[Span]:
        """The newest first, until the one that holds the first moment of the timeline."""
        path = RecoveryPath(self.archive, life.timeline)
        is_live = life.timeline == self.timeline
        for starts in self._leading_to(life.timeline):
            end = len(starts)
            while end:
                reach, newest = path.reach(starts[end - 1][1]), end
                end -= 1
                if reach is None or not reach.is_usable:
                    continue
                end = min(end, bisect_left(starts, path.beginning(reach.backup), key=_number))
                backups = [backup for _, backup in starts[end:newest]]
                since, last = _consistent_at(backups[0]), _consistent_at(backups[-1])
                is_open = is_live and reach.hole is None and self.is_answering
                until: datetime | None = None
                if reach.hole is not None:
                    until = reach.until
                elif not is_live:
                    until = life.death - _SECOND if life.death else None
                elif not is_open:
                    until = max(reach.until, last)  # the newest WAL may be the backup's own
                since = max(since, life.birth) if life.birth else since
                if until is None or since <= until:
                    yield Span(life.timeline, backups, reach, since, until, is_open, reach.until)
                if since == life.birth:
                    return


def _number(start: tuple[int, Backup]) -> int:
    return start[0]


def is_point_name(text: str) -> bool:
    """Whether a restore can be aimed at a restore point by this name; any other is reached by its position."""
    return _POINT.fullmatch(text) is not None


# ---- what is typed ---------------------------------------------------------------------------------------------------


def read_target(text: str, local: tzinfo, *, is_exclusive: bool = False) -> RecoveryTarget | TargetRefusal:
    """What ``--to`` names. local: the time zone of the person, for a time without one."""
    kind, _, value = text.partition(":")
    if text == "latest":
        target: RecoveryTarget | TargetRefusal = RecoveryTarget("latest")
    elif kind == "backup" and is_label(value):
        target = RecoveryTarget("backup", value)
    elif kind == "name" and is_point_name(value):
        target = RecoveryTarget("name", value, is_exclusive=is_exclusive)
    elif kind == "name" and value:
        target = TargetRefusal(
            "not-a-target",
            f"restore point {fit(value)} cannot be restored by its name, which must be ASCII without quotes or "
            "backslashes",
            "Give its position, lsn:X: pgwizard history lists it.",
        )
    elif kind == "xid" and re.fullmatch(r"[0-9]{1,10}", value, re.ASCII):
        target = RecoveryTarget("xid", str(int(value)), is_exclusive=is_exclusive)
    elif kind == "lsn" and _LSN.fullmatch(value):
        lsn = read_lsn(value)
        target = RecoveryTarget("lsn", lsn_text(lsn), lsn=lsn, is_exclusive=is_exclusive)
    else:
        target = _read_time(text, local, is_exclusive=is_exclusive)
    if isinstance(target, RecoveryTarget) and is_exclusive and target.kind not in ("time", "xid", "lsn"):
        return TargetRefusal(
            "not-a-target",
            f"--before means nothing for {target}",
            "Leave it out: it goes with a time, xid:N and lsn:X.",
        )
    return target


def _read_time(target_text: str, local: tzinfo, *, is_exclusive: bool) -> RecoveryTarget | TargetRefusal:
    text, _, name = target_text.strip().rpartition(" ")
    zone, zone_name = None, ""
    if text and re.fullmatch(r"[A-Za-z]+(/[A-Za-z0-9_+-]+)*", name):
        try:
            zone, zone_name = zoneinfo.ZoneInfo(name), name
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            text = ""
    else:
        text = target_text.strip()
    try:
        at = datetime.fromisoformat(re.sub(r"\s+(?=[-+][0-9:]+$)", "", text) if ":" in text else text)
        if at.tzinfo is not None and zone is None:
            return RecoveryTarget("time", at=at.astimezone(UTC), is_exclusive=is_exclusive)
        moments = _moments(at, zone or local) if at.tzinfo is None else []
    except (ValueError, OverflowError):  # the first and the last hours of the calendar have no other time zones
        return TargetRefusal(
            "not-a-target",
            f"{fit(target_text)} is no target",
            "Give latest, a time such as 2026-11-27T21:00:04Z, backup:LABEL, name:POINT, xid:N or lsn:X.",
        )
    if at.tzinfo is not None:
        return TargetRefusal(
            "not-a-target", f"{fit(target_text)} has an offset and a time zone", "Leave one of the two out."
        )
    if zone is not None and len(moments) == 1:
        return RecoveryTarget("time", at=moments[0].astimezone(UTC), is_exclusive=is_exclusive)
    suggestion = " or ".join(f"{moment:%Y-%m-%dT%H:%M:%S}{_offset(moment)}" for moment in moments)
    where = zone_name or "local time"
    if not moments:
        return TargetRefusal(
            "skipped-hour",
            f"{fit(target_text)} does not exist: clocks were put forward",
            "Give a time with its offset.",
        )
    if len(moments) > 1:
        return TargetRefusal(
            "doubled-hour",
            f"{fit(target_text)} happened twice in {where}: clocks were put back",
            f"Give the one that you mean: {suggestion}.",
        )
    utc = f"{at:%Y-%m-%dT%H:%M:%S}Z"
    return TargetRefusal(
        "no-offset",
        f"{fit(target_text)} has no offset from UTC",
        f"Give {suggestion} for local time, or {utc} for UTC.",
    )


def _moments(at: datetime, zone: tzinfo) -> list[datetime]:
    """The moments at which clocks of a zone show a time: none, one or two."""
    both = [at.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    real = [moment for moment in both if moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == at]
    return real[:1] if len({moment.astimezone(UTC) for moment in real}) == 1 else real


def _offset(moment: datetime) -> str:
    return f"{moment:%z}"[:3] + (f":{moment:%z}"[3:6] if not f"{moment:%z}".endswith("00") else "")


def lsn_text(lsn: int) -> str:
    """A WAL position as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


# ---- the choice ------------------------------------------------------------------------------------------------------


def choose(view: RepositoryView, target: RecoveryTarget, now: datetime) -> RestorePlan | TargetRefusal:
    """The restore that reaches a target, or why none does."""
    if not view.spans:
        return TargetRefusal("no-backup", NO_BACKUP, "Take a full backup, as soon as the database runs.")
    plan = _plan_to(view, target, now)
    return plan if isinstance(plan, TargetRefusal) else _no_history(view, plan) or _newer_backup(view, plan) or plan


def _no_history(view: RepositoryView, plan: RestorePlan) -> TargetRefusal | None:
    """PostgreSQL recovers to no timeline above 1 by its number without the history of it."""
    if plan.timeline == 1 or plan.timeline in view.archive.histories:
        return None
    return TargetRefusal(
        "no-history",
        f"the archive lacks {plan.timeline:08X}.history, without which PostgreSQL cannot recover to timeline "
        f"{plan.timeline}",
        "Archive it again, as the status of the release says.",
    )


def _newer_backup(view: RepositoryView, plan: RestorePlan) -> TargetRefusal | None:
    """Older versions of pgBackRest do not know every form of a file, and find that out in the middle of a restore."""
    taken_by = next((backup.version for backup in view.backups if backup.label == plan.backup), "")
    if view.image is None or not _VERSION.fullmatch(taken_by) or version(taken_by)[:2] <= view.image[:2]:
        return None
    return TargetRefusal(
        "newer-backup",
        f"backup {fit(plan.backup)} was taken by pgBackRest {taken_by}, and the image has {version_text(view.image)}, "
        "which may not read all of it",
        f"Use an image with pgBackRest {taken_by} or newer: images.postgresql.",
    )


def _plan_to(view: RepositoryView, target: RecoveryTarget, now: datetime) -> RestorePlan | TargetRefusal:
    match target.kind:
        case "time":
            return _at_time(view, target, now)
        case "latest":
            return _newest(view, target, now)
        case "backup":
            return _at_backup(view, target, now)
        case _:
            return _at_position(view, target, now)


@dataclass(frozen=True, slots=True)
class ReachableSpan:
    """Moments on one timeline that can be reached, both ends included, UTC. is_open: until now."""

    timeline: int
    since: datetime
    until: datetime
    is_open: bool


def reachable_spans(view: RepositoryView, now: datetime) -> list[ReachableSpan]:
    """Every moment that a restore can reach: by timeline, on each the oldest first."""
    stretches: list[tuple[int, datetime, datetime, bool]] = []
    for span in sorted(view.spans, key=_order):
        timeline, since, until, is_open = span.timeline, span.since, span.until or now, span.is_open
        if stretches and stretches[-1][0] == timeline and since <= stretches[-1][2] + _SECOND:
            _, since, before, was_open = stretches.pop()
            until, is_open = max(until, before), is_open or was_open
        stretches.append((timeline, since, until, is_open))
    return [ReachableSpan(*each) for each in stretches]


def _order(span: Span) -> tuple[int, datetime]:
    return span.timeline, span.since


def _at_time(view: RepositoryView, target: RecoveryTarget, now: datetime) -> RestorePlan | TargetRefusal:
    at = target.at or now
    if at > now:
        return _refusal(view, "future", f"{shown_moment(at)} is in the future", now)
    timeline = _alive_at(view, at)
    span = next((span for span in reversed(view.spans) if span.timeline == timeline and span.holds(at)), None)
    if span is not None:
        is_end = not span.is_open and at >= span.ends_at  # no commit behind it could stop recovery
        reach = span.reach_before(at)
        plan = _plan(view, reach, timeline, target, now)
        share = _share(span, reach.backup, at, now)
        plan = replace(
            plan,
            lost_since=at,
            segments=round(plan.segments * share) or 1,
            bytes=reach.backup.size + round((plan.bytes - reach.backup.size) * share),
            at=at,
        )
        plan = _with_estimate(plan, view.rates)
        if is_end:
            return replace(plan, type="default", value="", is_exclusive=False, must_reach=_last_lsn(view, reach))
        return replace(plan, type="time", value=f"{at:%Y-%m-%d %H:%M:%S.%f}+00", is_exclusive=target.is_exclusive)
    return _why_not(view, at, timeline, now)


def _alive_at(view: RepositoryView, at: datetime) -> int:
    """The timeline that the server wrote at a moment; the oldest that is there, where it wrote an earlier one."""
    alive = (each.timeline for each in reversed(view.lives) if each.birth is None or each.birth <= at)
    return next(alive, view.lives[0].timeline)


def _why_not(view: RepositoryView, at: datetime, timeline: int, now: datetime) -> TargetRefusal:
    during = next((each for each in view.whole_backups if each.start <= at < each.stop + _SECOND), None)
    before = [span for span in view.spans if span.timeline == timeline and span.since <= at]
    if before:
        furthest = max(before, key=lambda span: span.until or now)
        if furthest.reach.hole is not None:
            segment = fit(furthest.reach.hole.first)
            return _refusal(
                view, "hole", f"{shown_moment(at)} lies behind a hole: WAL segment {segment} is missing", now, at
            )
        return _refusal(
            view,
            "quiet",
            f"nothing was archived on timeline {timeline} between {shown_moment(furthest.until)} and "
            f"{shown_moment(at)}: its newest state is the same as at that moment, as far as the archive has it",
            now,
            at,
            fix="Restore to latest." if timeline == view.timeline else "",
        )
    if during is not None:
        return _refusal(
            view,
            "inside-backup",
            f"{shown_moment(at)} lies within backup {fit(during.label)}, which is consistent only at its end",
            now,
            at,
        )
    return _refusal(
        view, "before-first-backup", f"{shown_moment(at)} lies before the first backup that leads to it", now, at
    )


def _refusal(
    view: RepositoryView, reason: RefusalReason, text: str, now: datetime, at: datetime | None = None, *, fix: str = ""
) -> TargetRefusal:
    """With the nearest moments that can be reached, as whole seconds."""
    second = _floor(at or now)
    until = max((span.until or now for span in view.spans if span.since <= second), default=None)
    since = min((span.since for span in view.spans if span.since > second), default=None)
    before = min(_floor(until), second) if until else None
    after = _ceiling(since) if since else None
    nearest = " or ".join(f"{each:%Y-%m-%dT%H:%M:%S}Z" for each in (before, after) if each is not None)
    return TargetRefusal(reason, text, fix or f"The nearest that can be reached: {nearest}.", before, after)


def _floor(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _ceiling(at: datetime) -> datetime:
    return _floor(at) + (_SECOND if at.microsecond else timedelta())


def _newest(view: RepositoryView, target: RecoveryTarget, now: datetime) -> RestorePlan | TargetRefusal:
    timeline = target.timeline or view.timeline
    reach = next(view.usable(timeline), None)
    if reach is None:
        return _refusal(view, "no-backup", f"no backup leads to timeline {timeline}", now)
    if reach.hole is not None:
        text = f"the newest state cannot be reached: WAL segment {fit(reach.hole.first)} is missing"
        return _refusal(view, "hole", text, now)
    plan = _plan(view, reach, timeline, target, now)
    if timeline == view.timeline:
        return replace(plan, must_reach=_last_lsn(view, reach), lost_since=None, lost_until=None)
    return replace(plan, must_reach=_last_lsn(view, reach), lost_since=_death(view, timeline))


def _death(view: RepositoryView, timeline: int) -> datetime | None:
    """When the server left a timeline; None where that is not known, or the timeline is not its own."""
    return next((each.death for each in view.lives if each.timeline == timeline), None)


def _at_backup(view: RepositoryView, target: RecoveryTarget, now: datetime) -> RestorePlan | TargetRefusal:
    backup = next((each for each in view.backups if each.label == target.value), None)
    if backup is None:
        there = ", ".join(fit(each.label) for each in view.backups[-5:])
        return TargetRefusal(
            "unknown-backup", f"there is no backup {fit(target.value)}", f"The newest backups are {there}."
        )
    if backup not in view.whole_backups:
        why = "lacks a backup that it builds on"
        if backup.error:
            why = "has page checksum errors"
        elif backup.label in view.damaged_labels:
            why = "has missing or damaged files"
        return _refusal(view, "damaged-backup", f"backup {fit(backup.label)} {why}", now, backup.stop)
    timeline = int(backup.wal_start[:8], 16)
    reach = next((each for each in view.usable(timeline, backup.lsn_stop) if each.backup == backup), None)
    if reach is None:
        return _refusal(view, "hole", f"backup {fit(backup.label)} lacks WAL of its own", now, backup.stop)
    plan = _plan(view, reach, timeline, target, now)
    first, last = view.archive.number(backup.wal_start), view.archive.number(backup.wal_stop)
    plan = replace(
        plan,
        type="immediate",
        lost_since=backup.stop,
        must_reach=backup.lsn_stop,
        position=backup.lsn_stop,
        segments=last - first + 1,
        bytes=backup.size,
    )
    return _with_estimate(plan, view.rates)


def _also_on(view: RepositoryView, lsn: int) -> set[int]:
    """Other timelines that have this position in WAL of their own."""
    lasts = {(span.timeline, span.reach.last) for span in view.spans if span.timeline != view.timeline}
    return {
        timeline
        for timeline, last in lasts
        if last is not None
        and lsn < (view.archive.number(last) + 1) * view.archive.segment_bytes
        and lsn >= _fork_between(view, timeline, view.timeline)
    }


def _fork_between(view: RepositoryView, one: int, other: int) -> int:
    """Where the WAL of two timelines begins to differ."""
    paths = []
    for timeline in (one, other):
        history = view.archive.histories.get(timeline)
        ends = [(fork.timeline, fork.lsn) for fork in history.forks] if history else []
        paths.append([*ends, (timeline, 2**64)])
    for first, second in zip(*paths, strict=False):
        if first != second:
            return min(int(first[1]), int(second[1]))
    return 2**64


def _at_position(view: RepositoryView, target: RecoveryTarget, now: datetime) -> RestorePlan | TargetRefusal:
    timeline = target.timeline or view.timeline
    if not target.lsn:
        return TargetRefusal(
            "unknown-point",
            f"{target} was not found in the archived WAL",
            "Check its name or number, or give the time.",
        )
    size = view.archive.segment_bytes
    reach = next(view.usable(timeline, target.lsn), None)
    is_own = any(life.timeline == timeline for life in view.lives)
    if not is_own or reach is None or not _is_there(view, reach, target):
        return _no_position(view, target, timeline, now)
    if target.kind == "lsn" and not target.timeline and (others := _also_on(view, target.lsn)):
        branches = " and ".join(map(str, sorted({timeline, *others})))
        text = f"{target} is a position on timelines {branches}, which differ there"
        return _refusal(view, "other-branch", text, now, fix="Give the time instead.")
    plan = _plan(view, reach, timeline, target, now)
    count = target.lsn // size - view.archive.number(reach.backup.wal_start) + 1
    share = count / max(plan.segments, count)
    kind = target.kind if target.kind in ("name", "xid") else "lsn"
    plan = replace(
        plan,
        type=kind,
        value=target.value,
        is_exclusive=target.is_exclusive,
        lost_since=target.at,
        position=target.lsn,
        segments=count,
        bytes=reach.backup.size + round((plan.bytes - reach.backup.size) * share),
    )
    return _with_estimate(plan, view.rates)


def _is_there(view: RepositoryView, reach: Reach, target: RecoveryTarget) -> bool:
    """Whether recovery gets to a position, or will: a running server archives what it has written before it stops."""
    if target.timeline == view.timeline and reach.hole is None and view.is_answering:
        return True
    return reach.last is not None and target.lsn // view.archive.segment_bytes <= view.archive.number(reach.last)


def _no_position(view: RepositoryView, target: RecoveryTarget, timeline: int, now: datetime) -> TargetRefusal:
    number = target.lsn // view.archive.segment_bytes
    reach = next(view.usable(timeline, target.lsn), None)
    first = next(view.usable(timeline, oldest_first=True), None)
    if reach is None and first is not None:
        text = f"{target} lies before the end of the first backup"
        return _refusal(view, "before-first-backup", text, now, first.backup.stop)
    for other in reversed(view.archive.timelines):
        if other != timeline and view.archive.run_at(other, number) is not None:
            death = _death(view, other)
            fix = f"Give a time before {shown_moment(death)}, when that timeline was left." if death else _OTHERWISE
            return TargetRefusal("other-branch", f"{target} is on timeline {other}, which the server has left", fix)
    if reach is not None and reach.hole is not None:
        text = f"{target} lies behind a hole: WAL segment {fit(reach.hole.first)} is missing"
        return _refusal(view, "hole", text, now, reach.until + _SECOND)
    return TargetRefusal("not-archived", f"{target} is not in the archive", _OTHERWISE)


def _plan(view: RepositoryView, reach: Reach, timeline: int, target: RecoveryTarget, now: datetime) -> RestorePlan:
    """Everything to the end of the timeline; what a target shortens is replaced."""
    archive, backup = view.archive, reach.backup
    segments, wal_bytes = 0, 0
    last = reach.last or backup.wal_stop
    number, legs = archive.number(backup.wal_start), archive.path(timeline)
    for each, fork in legs:
        end = fork.lsn // archive.segment_bytes - 1 if fork is not None else archive.number(last)
        end = min(end, archive.number(last))
        for run in archive.runs.get(each, ()) if each >= int(backup.wal_start[:8], 16) else ():
            count = min(run.last, end) - max(run.first, number) + 1
            if count > 0:
                segments += count
                wal_bytes += run.bytes * count // (run.last - run.first + 1)
        number = max(number, end + 1)
    plan = RestorePlan(
        target=str(target),
        backup=backup.label,
        timeline=timeline,
        type="default",
        value="",
        is_exclusive=False,
        must_reach=0,
        left=view.timeline,
        lost_since=None,
        lost_until=now,
        segments=segments,
        bytes=backup.size + wal_bytes,
        seconds=0,
        at=target.at,
        silence=view.silence,
        archived_until=_archived_until(view) if view.silence else None,
    )
    return _with_estimate(plan, view.rates)


def _archived_until(view: RepositoryView) -> datetime | None:
    """When the server archived its last segment, or ended its last backup."""
    newest = view.archive.newest(view.timeline)
    moments = [newest.archived_at] if newest else []
    return max([*moments, *(backup.stop for backup in view.backups[-1:])], default=None)


def _with_estimate(plan: RestorePlan, rates: RestoreRates) -> RestorePlan:
    seconds = min(rates.seconds(plan.bytes, plan.segments), LONGEST_SECONDS)
    return replace(plan, seconds=round(seconds, 1), basis=rates.basis)


def _share(span: Span, backup: Backup, at: datetime, now: datetime) -> float:
    """How much of the WAL behind a backup was written until a moment, if it was written evenly."""
    begin, end = backup.start, span.ends_at if not span.is_open else now
    return min(max((at - begin) / (end - begin), 0.0), 1.0) if end > begin else 1.0


def _last_lsn(view: RepositoryView, reach: Reach) -> int:
    """The first byte of the last segment that recovery reads: how much of it is used is not known.

    Recovery that ends where that segment begins has not read it: it is damaged.
    """
    return view.archive.number(reach.last) * view.archive.segment_bytes + 1 if reach.last else reach.backup.lsn_stop


def shown_moment(at: datetime | None) -> str:
    """``2026-11-27 21:00:04 UTC``."""
    if at is None:
        return "an unknown time"
    fraction = f"{at:.%f}".rstrip("0") if at.microsecond else ""
    return f"{at:%Y-%m-%d %H:%M:%S}{fraction} UTC"
