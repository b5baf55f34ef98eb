"""The way of a restore to a target: which backup, which timeline, what is lost. Pure.

``choose`` names both backup and timeline for every target. pgBackRest takes the newest backup for a name or a
transaction, wherever that is, and PostgreSQL follows the newest timeline, on which the target may never have been: both
end in another state than was asked for, without an error.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

from pgwizard.release.drills import START_SECONDS, RestoreRates
from pgwizard.status.repository import Backup, is_label, read_lsn
from pgwizard.status.wal import Archive, Reach, continuity
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
    "unknown-point",
    "ambiguous-point",
]

USUAL_RATES = RestoreRates(bytes_per_second=70e6, segments_per_second=4.0)
"""They were measured on two busy cores."""
NO_BACKUP = "no backup in the repository can be recovered"
_OTHERWISE = "Give a time, a backup, or latest."
_SECOND = timedelta(seconds=1)
_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")
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
    def typed(self) -> str:
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
    segments, bytes: what is replayed and fetched, at most; seconds: an estimate of all. silence: why the server does
    not answer, empty where it does; archived_until: then, what it wrote later is not in the archive, as far as known.
    position: where the target is in the WAL; 0 where that is not known.
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
class RepositoryView:
    """What a restore is chosen from. backups: oldest first; timeline: the server's own.

    damaged: the labels of backups that lack files, or hold files whose contents are damaged.
    is_answering: whether the server can still commit and archive, so that what it has written until now is reachable;
    silence: why it does not answer. rates: those of its drills, where there are any.
    """

    archive: Archive
    backups: tuple[Backup, ...]
    timeline: int
    is_answering: bool
    damaged: frozenset[str] = frozenset()
    silence: str = ""
    rates: RestoreRates = USUAL_RATES

    @property
    def whole_backups(self) -> tuple[Backup, ...]:
        """The backups that a restore can begin with, oldest first."""
        return whole_backups(self.backups, self.damaged)


def is_point_name(text: str) -> bool:
    """Whether a restore can be aimed at a restore point by this name; any other is reached by its position."""
    return _POINT.fullmatch(text) is not None


# ---- what is typed ---------------------------------------------------------------------------------------------------


def read_target(typed: str, local: tzinfo, *, is_exclusive: bool = False) -> RecoveryTarget | TargetRefusal:
    """What ``--to`` names. local: the time zone of the person, for a time without one."""
    kind, _, value = typed.partition(":")
    if typed == "latest":
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
        target = _read_time(typed, local, is_exclusive=is_exclusive)
    if isinstance(target, RecoveryTarget) and is_exclusive and target.kind not in ("time", "xid", "lsn"):
        return TargetRefusal(
            "not-a-target",
            f"--before means nothing for {target}",
            "Leave it out: it goes with a time, xid:N and lsn:X.",
        )
    return target


def _read_time(typed: str, local: tzinfo, *, is_exclusive: bool) -> RecoveryTarget | TargetRefusal:
    text, _, name = typed.strip().rpartition(" ")
    zone, zone_name = None, ""
    if text and re.fullmatch(r"[A-Za-z]+(/[A-Za-z0-9_+-]+)*", name):
        try:
            zone, zone_name = zoneinfo.ZoneInfo(name), name
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            text = ""
    else:
        text = typed.strip()
    try:
        at = datetime.fromisoformat(re.sub(r"\s+(?=[-+][0-9:]+$)", "", text) if ":" in text else text)
        if at.tzinfo is not None and zone is None:
            return RecoveryTarget("time", at=at.astimezone(UTC), is_exclusive=is_exclusive)
        moments = _moments(at, zone or local) if at.tzinfo is None else []
    except (ValueError, OverflowError):  # the first and the last hours of the calendar have no other time zones
        return TargetRefusal(
            "not-a-target",
            f"{fit(typed)} is no target",
            "Give latest, a time such as 2026-11-27T21:00:04Z, backup:LABEL, name:POINT, xid:N or lsn:X.",
        )
    if at.tzinfo is not None:
        return TargetRefusal("not-a-target", f"{fit(typed)} has an offset and a time zone", "Leave one of the two out.")
    if zone is not None and len(moments) == 1:
        return RecoveryTarget("time", at=moments[0].astimezone(UTC), is_exclusive=is_exclusive)
    meant = " or ".join(f"{moment:%Y-%m-%dT%H:%M:%S}{_offset(moment)}" for moment in moments)
    where = zone_name or "local time"
    if not moments:
        return TargetRefusal(
            "skipped-hour", f"{fit(typed)} does not exist: clocks were put forward", "Give a time with its offset."
        )
    if len(moments) > 1:
        return TargetRefusal(
            "doubled-hour",
            f"{fit(typed)} happened twice in {where}: clocks were put back",
            f"Give the one that you mean: {meant}.",
        )
    utc = f"{at:%Y-%m-%dT%H:%M:%S}Z"
    return TargetRefusal(
        "no-offset", f"{fit(typed)} has no offset from UTC", f"Give {meant} for local time, or {utc} for UTC."
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


@dataclass(frozen=True, slots=True)
class _Span:
    """Moments that can be reached from one backup on one timeline, both ends included.

    is_open: until now. is_end: at its last moment everything that the archive has is replayed.
    """

    timeline: int
    reach: Reach
    since: datetime
    until: datetime
    is_open: bool
    ends_at: datetime


def choose(view: RepositoryView, target: RecoveryTarget, now: datetime) -> RestorePlan | TargetRefusal:
    """The restore that reaches a target, or why none does."""
    spans = list(_spans(view, now))
    if not spans:
        return TargetRefusal("no-backup", NO_BACKUP, "Take a full backup, as soon as the database runs.")
    match target.kind:
        case "time":
            return _at_time(view, spans, target, now)
        case "latest":
            return _newest(view, target, now)
        case "backup":
            return _at_backup(view, spans, target, now)
        case _:
            return _at_position(view, spans, target, now)


def _lives(view: RepositoryView) -> list[tuple[int, datetime | None, datetime | None]]:
    """The timelines of this server, each with the moments between which it was written; None for the outermost.

    One server writes at a time, so a timeline ends when the next one's history is archived. Those of other servers are
    left out.
    """
    strangers = continuity(view.archive, (), view.timeline).strangers
    own = [each for each in view.archive.timelines if each not in strangers and each <= view.timeline]
    own = sorted({*own, view.timeline})
    births = {
        each: view.archive.histories[each].archived_at if each in view.archive.histories else None for each in own
    }
    return [
        (each, births[each], next((births[later] for later in own if later > each and births[later]), None))
        for each in own
    ]


def _spans(view: RepositoryView, now: datetime) -> Iterator[_Span]:
    """All that can be reached, by timeline and from the oldest backup to the newest."""
    backups = view.whole_backups
    for timeline, birth, death in _lives(view):
        for reach in continuity(view.archive, backups, timeline).reaches:
            if not reach.is_usable:
                continue
            since = reach.backup.stop + _SECOND  # the stop is known to the second
            is_open = timeline == view.timeline and reach.hole is None and view.is_answering
            ends_at = reach.until
            if reach.hole is not None:
                until = reach.until
            elif timeline != view.timeline:
                until = (death or now) - _SECOND
            else:
                until = max(now if is_open else reach.until, since)  # the newest WAL may be the backup's own
            since = max(since, birth) if birth else since
            if since <= until:
                yield _Span(timeline, reach, since, until, is_open, ends_at)


@dataclass(frozen=True, slots=True)
class ReachableSpan:
    """Moments on one timeline that can be reached, both ends included, UTC. is_open: until now."""

    timeline: int
    since: datetime
    until: datetime
    is_open: bool


def reachable_spans(view: RepositoryView, now: datetime) -> list[ReachableSpan]:
    """Every moment that a restore can reach: by timeline, on each the oldest first."""
    spans: list[ReachableSpan] = []
    for span in sorted(_spans(view, now), key=lambda span: (span.timeline, span.since)):
        last = spans[-1] if spans else None
        if last is not None and last.timeline == span.timeline and span.since <= last.until + _SECOND:
            spans[-1] = replace(last, until=max(last.until, span.until), is_open=last.is_open or span.is_open)
        else:
            spans.append(ReachableSpan(span.timeline, span.since, span.until, span.is_open))
    return spans


def _at_time(
    view: RepositoryView, spans: Sequence[_Span], target: RecoveryTarget, now: datetime
) -> RestorePlan | TargetRefusal:
    at = target.at or now
    if at > now:
        return _refusal("future", f"{shown_moment(at)} is in the future", spans, now)
    timeline = _alive_at(view, at)
    there = [span for span in spans if span.timeline == timeline and span.since <= at <= span.until]
    if there:
        span = there[-1]
        is_end = not span.is_open and at >= span.ends_at  # no commit behind it could stop recovery
        plan = _plan(view, span.reach, timeline, target, now)
        share = _share(span, at, now)
        plan = replace(
            plan,
            lost_since=at,
            segments=round(plan.segments * share) or 1,
            bytes=span.reach.backup.size + round((plan.bytes - span.reach.backup.size) * share),
            at=at,
        )
        plan = _with_estimate(plan, view.rates)
        if is_end:
            return replace(plan, type="default", value="", is_exclusive=False, must_reach=_last_lsn(view, span.reach))
        return replace(plan, type="time", value=f"{at:%Y-%m-%d %H:%M:%S.%f}+00", is_exclusive=target.is_exclusive)
    return _why_not(view, spans, at, timeline, now)


def _alive_at(view: RepositoryView, at: datetime) -> int:
    """The timeline that the server wrote at a moment."""
    return next(each for each, birth, _ in reversed(_lives(view)) if birth is None or birth <= at)


def _why_not(view: RepositoryView, spans: Sequence[_Span], at: datetime, timeline: int, now: datetime) -> TargetRefusal:
    backups = view.whole_backups
    during = next((each for each in backups if each.start <= at < each.stop + _SECOND), None)
    before = [span for span in spans if span.timeline == timeline and span.since <= at]
    if before:
        furthest = max(before, key=lambda span: span.until)
        if furthest.reach.hole is not None:
            gone = fit(furthest.reach.hole.first)
            return _refusal(
                "hole", f"{shown_moment(at)} lies behind a hole: WAL segment {gone} is missing", spans, now, at
            )
        return _refusal(
            "quiet",
            f"nothing was archived on timeline {timeline} between {shown_moment(furthest.until)} and "
            f"{shown_moment(at)}: its newest state is the same as at that moment, as far as the archive has it",
            spans,
            now,
            at,
            fix="Restore to latest." if timeline == view.timeline else "",
        )
    if during is not None:
        return _refusal(
            "inside-backup",
            f"{shown_moment(at)} lies within backup {fit(during.label)}, which is consistent only at its end",
            spans,
            now,
            at,
        )
    return _refusal(
        "before-first-backup", f"{shown_moment(at)} lies before the first backup that leads to it", spans, now, at
    )


def _refusal(
    reason: RefusalReason,
    text: str,
    spans: Sequence[_Span],
    now: datetime,
    at: datetime | None = None,
    *,
    fix: str = "",
) -> TargetRefusal:
    """With the nearest moments that can be reached, as whole seconds."""
    at = at or now
    before = max((min(_floor(span.until), _floor(at)) for span in spans if span.since <= _floor(at)), default=None)
    after = min((_ceiling(span.since) for span in spans if _ceiling(span.since) > at), default=None)
    nearest = " or ".join(f"{each:%Y-%m-%dT%H:%M:%S}Z" for each in (before, after) if each is not None)
    return TargetRefusal(reason, text, fix or f"The nearest that can be reached: {nearest}.", before, after)


def _floor(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _ceiling(at: datetime) -> datetime:
    return _floor(at) + (_SECOND if at.microsecond else timedelta())


def _newest(view: RepositoryView, target: RecoveryTarget, now: datetime) -> RestorePlan | TargetRefusal:
    timeline = target.timeline or view.timeline
    spans = [span for span in _spans(view, now) if span.timeline == timeline]
    reaches = [reach for reach in continuity(view.archive, view.whole_backups, timeline).reaches if reach.is_usable]
    if not reaches:
        return _refusal("no-backup", f"no backup leads to timeline {timeline}", list(_spans(view, now)), now)
    whole = [reach for reach in reaches if reach.hole is None]
    if not whole:
        hole = reaches[-1].hole
        gone = fit(hole.first) if hole else ""
        text = f"the newest state cannot be reached: WAL segment {gone} is missing"
        return _refusal("hole", text, spans or list(_spans(view, now)), now)
    reach = whole[-1]
    plan = _plan(view, reach, timeline, target, now)
    if timeline == view.timeline:
        return replace(plan, must_reach=_last_lsn(view, reach), lost_since=None, lost_until=None)
    death = next(death for each, _, death in _lives(view) if each == timeline) if _is_own(view, timeline) else None
    return replace(plan, must_reach=_last_lsn(view, reach), lost_since=death)


def _is_own(view: RepositoryView, timeline: int) -> bool:
    return any(each == timeline for each, _, _ in _lives(view))


def _at_backup(
    view: RepositoryView, spans: Sequence[_Span], target: RecoveryTarget, now: datetime
) -> RestorePlan | TargetRefusal:
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
        elif backup.label in view.damaged:
            why = "has missing or damaged files"
        return _refusal("damaged-backup", f"backup {fit(backup.label)} {why}", spans, now, backup.stop)
    timeline = int(backup.wal_start[:8], 16)
    reach = next(
        (
            each
            for each in continuity(view.archive, view.whole_backups, timeline).reaches
            if each.backup == backup and each.is_usable
        ),
        None,
    )
    if reach is None:
        return _refusal("hole", f"backup {fit(backup.label)} lacks WAL of its own", spans, now, backup.stop)
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


def _also_on(view: RepositoryView, spans: Sequence[_Span], lsn: int) -> set[int]:
    """Other timelines that have this position in WAL of their own."""
    size = view.archive.segment_bytes
    return {
        span.timeline
        for span in spans
        if span.timeline != view.timeline
        and span.reach.last is not None
        and lsn < (view.archive.number(span.reach.last) + 1) * size
        and lsn >= _fork_between(view, span.timeline, view.timeline)
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


def _at_position(
    view: RepositoryView, spans: Sequence[_Span], target: RecoveryTarget, now: datetime
) -> RestorePlan | TargetRefusal:
    timeline = target.timeline or view.timeline
    if not target.lsn:
        return TargetRefusal(
            "unknown-point",
            f"{target} was not found in the archived WAL",
            "Check its name or number, or give the time.",
        )
    size = view.archive.segment_bytes
    there = [
        span.reach
        for span in spans
        if span.timeline == timeline
        and span.reach.backup.lsn_stop <= target.lsn
        and span.reach.last is not None
        and (
            target.lsn < (view.archive.number(span.reach.last) + 1) * size
            or (span.is_open and target.timeline)  # it is known: the server archives it before it stops
        )
    ]
    if not there:
        return _no_position(view, spans, target, timeline, now)
    if target.kind == "lsn" and not target.timeline and (others := _also_on(view, spans, target.lsn)):
        branches = " and ".join(map(str, sorted({timeline, *others})))
        text = f"{target} is a position on timelines {branches}, which differ there"
        return _refusal("other-branch", text, spans, now, fix="Give the time instead.")
    reach = there[-1]
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


def _no_position(
    view: RepositoryView, spans: Sequence[_Span], target: RecoveryTarget, timeline: int, now: datetime
) -> TargetRefusal:
    size, number = view.archive.segment_bytes, target.lsn // view.archive.segment_bytes
    own = [span for span in spans if span.timeline == timeline]
    if own and all(target.lsn < span.reach.backup.lsn_stop for span in own):
        text = f"{target} lies before the end of the first backup"
        return _refusal("before-first-backup", text, spans, now, min(span.reach.backup.stop for span in own))
    for other in reversed(view.archive.timelines):
        if other != timeline and view.archive.run_at(other, number) is not None:
            death = next((death for each, _, death in _lives(view) if each == other), None)
            fix = f"Give a time before {shown_moment(death)}, when that timeline was left." if death else _OTHERWISE
            return TargetRefusal("other-branch", f"{target} is on timeline {other}, which the server has left", fix)
    for span in reversed(own):
        hole = span.reach.hole
        if hole is not None and target.lsn >= view.archive.number(hole.first) * size:
            text = f"{target} lies behind a hole: WAL segment {fit(hole.first)} is missing"
            return _refusal("hole", text, spans, now, span.until + _SECOND)
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
    seconds = START_SECONDS + rates.seconds(plan.bytes, plan.segments)
    return replace(plan, seconds=round(seconds, 1))


def _share(span: _Span, at: datetime, now: datetime) -> float:
    """How much of the WAL behind a backup was written until a moment, if it was written evenly."""
    begin, end = span.reach.backup.start, span.ends_at if not span.is_open else now
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
