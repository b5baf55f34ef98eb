"""Cron schedules as Kubernetes reads them, and when they fire: the rules are those of robfig/cron 3.0.1.

Its rules differ from those of Debian's cron where clocks change: an hour that is skipped has no run, an hour that comes
twice has two. cronsim reads the fields and puts them into words; it refuses what Kubernetes refuses (7 for Sunday,
``L``, ``#``, ``W``). ``@every`` is refused because its runs depend on more than the schedule, ``TZ=`` as Kubernetes
refuses it.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import islice, pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_RANGES = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31",
    "month": "1 to 12",
    "day-of-week": "0 (Sunday) to 6",
}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_PART = re.compile(r"(\*|\?|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/[0-9]+)?")
_NAME = re.compile("|".join([*_MONTHS, *_WEEKDAYS]), re.IGNORECASE)
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


class NeverFires(ValueError):
    """Kubernetes accepts the schedule, and never starts a Job for it."""


class CronSchedule:
    """A schedule that both Kubernetes and this module understand, and that fires at least once.

    Raises ValueError that names the field and what was expected.
    """

    def __init__(self, cron: str) -> None:
        from cronsim import CronSim, CronSimError

        self.cron = cron
        self._expression = _normalise(cron)
        try:
            next(CronSim(self._expression, _EPOCH))
        except CronSimError as error:
            if str(error) == "Bad day-of-month" and re.search(
                r" ([1-9]|[12][0-9]|3[01]) [^ ]+ [^ ]+$", self._expression
            ):
                raise NeverFires(f"{cron!r} never fires: there is no such day") from error
            field = next((name for name in _RANGES if name in str(error)), "")
            limits = (
                f"the {field.replace('-', ' ')} is not valid; expected {_RANGES[field]}"
                if field
                else "expected five fields"
            )
            raise ValueError(f"{cron!r} is not a cron schedule: {limits}") from error
        except StopIteration:
            raise NeverFires(f"{cron!r} never fires: there is no such day") from None

    def __eq__(self, other: object) -> bool:
        """Whether both have the same five fields."""
        return isinstance(other, CronSchedule) and self._expression == other._expression

    def __hash__(self) -> int:
        return hash(self._expression)

    def upcoming(self, after: datetime, count: int) -> list[datetime]:
        """The next ``count`` times strictly after a moment, in that moment's time zone; fewer where years end."""
        return [_in_zone(run, after.tzinfo) for run in islice(_runs(self._fields, _utc(after), after.tzinfo), count)]

    def before(self, moment: datetime, floor: datetime) -> Iterator[datetime]:
        """The times strictly before a moment and after ``floor``, the latest first, each found when it is needed.

        Runs can only be found forward: this looks through spans further and further back, each twice as long.
        """
        latest, earliest, span = _utc(moment) - datetime.resolution, _utc(floor), timedelta(days=8)
        while latest > earliest:
            begin = earliest if latest - earliest <= span else latest - span
            runs = [*_until(latest, _runs(self._fields, begin, moment.tzinfo))]
            yield from (_in_zone(run, moment.tzinfo) for run in reversed(runs))
            latest, span = begin, span * 2

    def in_words(self) -> str:
        """Such as ``At 02:00 on Sunday``."""
        from cronsim import CronSim

        return CronSim(self._expression, _EPOCH).explain()

    def fires_at(self, moment: datetime) -> bool:
        """Whether a run starts in the minute that begins at ``moment``."""
        return self.upcoming(moment - timedelta(minutes=1), 1) == [moment]

    @property
    def is_at_most_daily(self) -> bool:
        """Whether it has one time of day."""
        return len(self._fields.hours) == len(self._fields.minutes) == 1

    def shortest_gap_seconds(self, gaps: int = 1) -> int:
        """The shortest time from a run to the one that many runs later, looked at over 64 runs from a fixed day on."""
        return _shortest_gap_seconds(self._expression, gaps)

    def longest_gap_seconds(self) -> int:
        """The longest time between two runs, looked at over 16 runs from a fixed day on, in UTC."""
        runs = self.upcoming(_EPOCH, 16)
        return int(max((later - earlier for earlier, later in pairwise(runs)), default=_AHEAD).total_seconds())

    def never_on_a_day_of(self, other: CronSchedule) -> bool:
        """Whether both are restricted to weekdays and share none."""
        mine, theirs = self._fields, other._fields
        return mine.by_weekday and theirs.by_weekday and mine.weekdays.isdisjoint(theirs.weekdays)

    def clock_changes(self, time_zone: tzinfo) -> ClockChanges:
        """The runs that a zone's change of clocks skips or doubles, by the zone's rules for the years to come."""
        return _clock_changes(self._expression, time_zone)

    def without_clock_changes(self, time_zone: tzinfo) -> CronSchedule | None:
        """The same schedule at another hour, where no change of clocks skips or doubles a run; None if there is none.

        Only a schedule with one hour can be moved.
        """
        minute, hour, *days = self._expression.split(" ")
        if not hour.isdigit():
            return None
        hours = [*range(int(hour) + 1, 24), *reversed(range(int(hour)))]
        others = (CronSchedule(" ".join([minute, str(other), *days])) for other in hours)
        return next((each for each in others if each.clock_changes(time_zone) == ClockChanges(None, None)), None)

    @functools.cached_property
    def _fields(self) -> _Fields:
        return _fields(self._expression)


def next_run(cron: str, after: datetime) -> datetime | None:
    """The first run after a moment, in its time zone; None where there is none, or the schedule cannot be read."""
    try:
        return next(iter(CronSchedule(cron).upcoming(after, 1)), None)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class ClockChanges:
    """One run of each kind as the clock on the wall shows it, None where there is none.

    skipped_run: does not happen, for its hour (or its day) is lost. double_run: happens twice.
    """

    skipped_run: datetime | None
    double_run: datetime | None


@dataclass(frozen=True, slots=True)
class _Fields:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    by_weekday: bool
    """Every day of the month matches."""
    both_days: bool
    """The day of the month and the weekday must both match; else one of the two is enough."""

    def on_day(self, day: date) -> bool:
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month and of_week if self.both_days else of_month or of_week


_STAR = re.compile(r"(^|,)\*(/0*1)?(,|$)")


@functools.cache
def _fields(expression: str) -> _Fields:
    from cronsim import CronSim

    fields = CronSim(expression, _EPOCH)
    _, _, of_month, _, of_week = expression.split(" ")
    has_star = any(_STAR.search(field) for field in (of_month, of_week))
    weekdays = frozenset(int(str(day)) % 7 for day in fields.weekdays)
    return _Fields(
        frozenset(fields.minutes),
        frozenset(fields.hours),
        frozenset(fields.days),
        frozenset(fields.months),
        weekdays,
        by_weekday=of_month == "*",
        both_days=has_star,
    )


_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
_YEARS_AHEAD = 5
_AHEAD = timedelta(days=_YEARS_AHEAD * 365)


def _next_run(fields: _Fields, after: datetime, time_zone: tzinfo | None) -> datetime | None:  # noqa: C901, PLR0912
    """The first run after a moment, both in UTC without a zone; None where none comes within five years.

    This is ``SpecSchedule.Next`` of robfig/cron 3.0.1, with longer steps where they change nothing, so that it does
    the same where clocks change at midnight (it may miss that day) or by half an hour. The steps go forward on the
    clock on the wall, and each loop that passes the end of its unit begins again with the months.
    """
    at = after.replace(microsecond=0) + timedelta(seconds=1)
    is_aligned = False
    local = _local(at, time_zone)
    last_year = local.year + _YEARS_AHEAD
    while local.year <= last_year:
        while local.month not in fields.months:
            if not is_aligned:
                is_aligned, local = True, local.replace(day=1, hour=0, minute=0, second=0)
            at = _instant(_month_later(local), time_zone)
            local = _local(at, time_zone)
            if local.month == 1:
                break
        else:
            while not fields.on_day(local):
                if not is_aligned:
                    is_aligned, local = True, local.replace(hour=0, minute=0, second=0)
                    at = _instant(local, time_zone)
                    local = _local(at, time_zone)
                begin = at
                at = _instant(local + _days_ahead(fields, local), time_zone)
                hour = _local(at, time_zone).hour
                at += (24 - hour if hour > 12 else -hour) * _HOUR  # there is no midnight on that day
                local = _local(at, time_zone)
                if at <= begin:
                    return None  # a whole day was skipped (Samoa, 2011), where the original never ends
                if local.day == 1:
                    break
            else:
                while local.hour not in fields.hours:
                    if not is_aligned:
                        is_aligned, at = True, _instant(local.replace(minute=0, second=0), time_zone)
                    at += _steady(_ahead(fields.hours, local.hour, 24) * _HOUR, at, time_zone, _HOUR)
                    local = _local(at, time_zone)
                    if local.hour == 0:
                        break
                else:
                    while local.minute not in fields.minutes:
                        if not is_aligned:
                            is_aligned, at = True, at.replace(second=0)
                        at += _steady(_ahead(fields.minutes, local.minute, 60) * _MINUTE, at, time_zone, _MINUTE)
                        local = _local(at, time_zone)
                        if local.minute == 0:
                            break
                    else:
                        if at.second == 0:
                            return at
                        is_aligned, at = True, at + timedelta(seconds=60 - at.second)
                        local = _local(at, time_zone)
    return None


def _days_ahead(fields: _Fields, local: datetime) -> timedelta:
    """Days to the next one that matches, or to the first of a month; one unless it is midnight."""
    day = local + _DAY
    while local.hour == 0 and day.day != 1 and not fields.on_day(day):
        day += _DAY
    return day - local


def _ahead(numbers: frozenset[int], present: int, end: int) -> int:
    """Hours or minutes to the next one that matches, or to the end of the day or hour."""
    return min((later for later in numbers if later > present), default=end) - present


def _steady(ahead: timedelta, at: datetime, time_zone: tzinfo | None, unit: timedelta) -> timedelta:
    """The step, or only one unit if the clocks change in between."""
    return ahead if _offset(at, time_zone) == _offset(at + ahead, time_zone) else unit


def _month_later(local: datetime) -> datetime:
    """A month later on the wall; a day that this month does not have is counted on into the next."""
    first = local.replace(day=1) + timedelta(days=31)  # in the next month, or OverflowError
    return first.replace(day=1) + timedelta(days=local.day - 1)


def _runs(fields: _Fields, after: datetime, time_zone: tzinfo | None) -> Iterator[datetime]:
    """Times one after another, up to where the calendar ends; these and ``after`` are UTC without a zone."""
    run: datetime | None = after
    try:
        while run is not None and (run := _next_run(fields, run, time_zone)) is not None:
            yield run
    except OverflowError:
        return


def _until(latest: datetime, runs: Iterator[datetime]) -> Iterator[datetime]:
    return takewhile(lambda run: run <= latest, runs)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _in_zone(utc: datetime, time_zone: tzinfo | None) -> datetime:
    return utc.replace(tzinfo=UTC).astimezone(time_zone)


def _local(utc: datetime, time_zone: tzinfo | None) -> datetime:
    """The local time, as a clock on the wall shows it."""
    return utc if time_zone is UTC else _in_zone(utc, time_zone).replace(tzinfo=None, fold=0)


def _instant(local: datetime, time_zone: tzinfo | None) -> datetime:
    """The moment at which a clock on the wall shows a time, by the rule of Go's ``time.Date``.

    For a time that does not exist, or exists twice, it is the offset at the same time in UTC that decides.
    """
    if time_zone is UTC:
        return local
    at = local - _offset(local, time_zone)
    return local - _offset(at, time_zone)


def _offset(utc: datetime, time_zone: tzinfo | None) -> timedelta:
    if time_zone is UTC:
        return timedelta()
    return _in_zone(utc, time_zone).utcoffset() or timedelta()


_RULES_FROM, _RULES_DAYS = datetime.fromisoformat("2032-01-01"), 731
"""Years far enough ahead that the zone database has rules for them rather than decisions of the past."""


@functools.cache
def _changes(time_zone: tzinfo) -> tuple[datetime, ...]:
    """The days (in UTC) on which a zone changes its clocks, within two years of its rules."""
    days = [_RULES_FROM + timedelta(days=number) for number in range(_RULES_DAYS)]
    return tuple(day for day, after in pairwise(days) if _offset(day, time_zone) != _offset(after, time_zone))


@functools.lru_cache(maxsize=64)
def _clock_changes(expression: str, time_zone: tzinfo) -> ClockChanges:
    fields = _fields(expression)
    skipped_run = double_run = None
    for day in _changes(time_zone):
        begin, end = day - timedelta(days=2), day + timedelta(days=3)
        runs = Counter(_local(run, time_zone) for run in _until(end, _runs(fields, begin, time_zone)))
        first, last = begin + timedelta(days=1), end - timedelta(days=1)
        usual_runs = [*_until(last, _runs(fields, first, UTC))]
        skipped_run = skipped_run or next((run for run in usual_runs if runs[run] == 0), None)
        double_run = double_run or next((run for run in usual_runs if runs[run] > 1), None)
    return ClockChanges(skipped_run, double_run)


_RUNS = 64


@functools.cache
def _shortest_gap_seconds(expression: str, gaps: int) -> int:
    if gaps > _RUNS:
        return _shortest_gap_seconds(expression, _RUNS) * gaps // _RUNS
    runs = CronSchedule(expression).upcoming(_EPOCH, _RUNS + gaps - 1)
    spans = [later - earlier for earlier, later in zip(runs, runs[gaps:], strict=False)]
    return int(min(spans, default=_AHEAD).total_seconds())


def schema() -> dict[str, Any]:
    """The JSON schema of the schedules that CronSchedule takes, and of more in two ways only.

    A range may end before it begins, and a schedule may never fire. What joins the parts of a field is a second
    pattern, so that each number is in the first one twice instead of four times: Helm compiles both at each run.
    """

    def with_names(numbers: str, names: list[str]) -> str:
        either = ("".join(f"[{letter.upper()}{letter}]" for letter in name) for name in names)
        return "|".join([numbers, *either])

    numbers = (
        "0*[0-5]?[0-9]",
        "0*(1?[0-9]|2[0-3])",
        "0*([1-9]|[12][0-9]|3[01])",
        with_names("0*([1-9]|1[0-2])", _MONTHS),
        with_names("0*[0-6]", _WEEKDAYS),
    )
    parts = (f"([*?]|{number})(/0*[1-9][0-9]*)?" for number in numbers)
    fields = " +".join(f"({part}[-,])*{part}" for part in parts)
    nicknames = "|".join(name.removeprefix("@") for name in _NICKNAMES)
    return {
        "type": "string",
        "maxLength": 1024,
        "pattern": f"(^(@({nicknames})|{fields})$)",
        "not": {"pattern": r"-[^, ]*-|[*?]-|-[*?]|/[0-9]+-"},
    }


_USAGE = "expected five fields, such as 0 2 * * 0"


def _normalise(cron: str) -> str:
    """The schedule with nicknames and ``?`` written out. Raises ValueError."""
    if cron in _NICKNAMES:
        return _NICKNAMES[cron]
    if cron.startswith("@every"):
        raise ValueError(
            f"{cron!r} counts from when the CronJob was made, so nobody can tell its next run; {_USAGE}, or @daily"
        )
    if cron.startswith("@"):
        written_out = f": write {cron.lower()}" if cron.lower() in _NICKNAMES else f"; {_USAGE}"
        raise ValueError(f"{cron!r} is not a cron schedule{written_out}")
    if match := re.match(r"(?:CRON_)?TZ=(\S*)\s+(.+)", cron):
        raise ValueError(
            f"{cron!r} names its time zone, which Kubernetes refuses: write {match[2]}, and {match[1]} as "
            "schedule.timeZone"
        )
    fields = cron.replace("?", "*").split()  # they are the same to Kubernetes
    if len(fields) != 5:
        seconds = " (Kubernetes has none for seconds or years)" if len(fields) in (6, 7) else ""
        raise ValueError(f"{cron!r} is not a cron schedule; {_USAGE}{seconds}")
    for name, text in zip(_FIELDS, fields, strict=True):
        for part in text.split(","):
            if not part:
                raise ValueError(f"{cron!r} is not a cron schedule: {text!r} lacks a {name} beside a comma")
            if not _PART.fullmatch(part) or (
                re.search("[A-Za-z]", part) and re.search("[A-Za-z]", _NAME.sub("", part))
            ):
                raise ValueError(f"{cron!r} is not a cron schedule: {part!r} is no {name}")
    if any("7" in part.partition("/")[0] for part in fields[4].split(",")):
        raise ValueError(f"{cron!r}: Kubernetes has no weekday 7: write 0 for Sunday")
    for index, whole in (
        (2, "1-31"),
        (4, "0-6"),
    ):  # to Kubernetes */2 is a restriction, as 1-31/2 is; to cronsim it is none
        fields[index] = re.sub(r"(?<![^,])\*/(?!0*1?(,|$))", f"{whole}/", fields[index])
    return " ".join(fields)


def zone(name: str) -> tzinfo:
    """The time zone of an IANA name. Raises ValueError."""
    if name == "Local":
        raise ValueError("Kubernetes does not accept 'Local'; expected an IANA name, such as Europe/Berlin")
    if name in ("Etc/UTC", "UTC"):
        return UTC  # the default, whose runs are found without a look at the clock on the wall
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is not a time zone; expected an IANA name, such as Etc/UTC or Europe/Berlin"
        ) from None


def collision(full: CronSchedule, incremental: CronSchedule, time_zone: tzinfo) -> datetime | None:
    """The first moment at which both start, looked for among the next 64 runs of each; None if there is none."""
    if full.never_on_a_day_of(incremental):
        return None  # the usual case, decided without a search
    begin = _EPOCH.astimezone(time_zone)
    pairs = ((full, incremental), (incremental, full))
    moments = (next(filter(other.fires_at, each.upcoming(begin, _RUNS)), None) for each, other in pairs)
    return min(filter(None, moments), default=None)
