"""Cron schedules as Kubernetes reads them, and when they fire.

It refuses what one of the two readers takes and the other does not: Kubernetes (robfig/cron) has no 7 for Sunday and
no ``L``, ``#`` or ``W``; ``@every`` and ``TZ=`` are left out because nobody can tell when they fire.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, pairwise, takewhile
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
_PART = re.compile(r"(\*|\?|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/[0-9]+)?")
_NAME = re.compile(r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat", re.IGNORECASE)
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


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
                raise ValueError(f"{cron!r} never fires: there is no such day") from error
            raise ValueError(f"{cron!r} is not a cron schedule: {str(error).lower()}") from error
        except StopIteration:
            raise ValueError(f"{cron!r} never fires: there is no such day") from None

    def __eq__(self, other: object) -> bool:
        """Whether both are written alike, nicknames written out."""
        return isinstance(other, CronSchedule) and self._expression == other._expression

    def __hash__(self) -> int:
        return hash(self._expression)

    def upcoming(self, after: datetime, count: int) -> list[datetime]:
        """The next ``count`` times strictly after a moment, in that moment's time zone; fewer where years end."""
        return list(islice(_runs(self._expression, after), count))

    def before(self, moment: datetime, floor: datetime) -> Iterator[datetime]:
        """The times strictly before a moment and after ``floor``, the latest first, each looked for once asked for."""
        return takewhile(lambda at: at > floor, _runs(self._expression, moment, reverse=True))

    def in_words(self) -> str:
        """Such as ``At 02:00 on Sunday``."""
        from cronsim import CronSim

        return CronSim(self._expression, _EPOCH).explain()

    def fires_at(self, moment: datetime) -> bool:
        """Whether a run starts in the minute that begins at ``moment``."""
        return self.upcoming(moment - timedelta(minutes=1), 1) == [moment]

    def shortest_gap_seconds(self) -> int:
        """The shortest time between two runs, looked at over 64 runs from a fixed day on, in UTC."""
        return _shortest_gap_seconds(self._expression)

    def never_on_a_day_of(self, other: CronSchedule) -> bool:
        """Whether both go by the weekday and share none."""
        mine, theirs = self._weekdays(), other._weekdays()
        return mine is not None and theirs is not None and mine.isdisjoint(theirs)

    def _weekdays(self) -> set[object] | None:
        """None where the day of the month counts too."""
        from cronsim import CronSim

        by_weekday = self._expression.split(" ")[2] == "*"
        return set(CronSim(self._expression, _EPOCH).weekdays) if by_weekday else None


def _runs(expression: str, moment: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    """Times one after another, up to where the calendar begins or ends: cronsim goes on and fails there."""
    from cronsim import CronSim

    try:
        yield from CronSim(expression, moment, reverse=reverse)
    except OverflowError:
        return


@functools.cache
def _shortest_gap_seconds(expression: str) -> int:
    from cronsim import CronSim

    runs = islice(CronSim(expression, _EPOCH), 64)
    return int(min((later - earlier).total_seconds() for earlier, later in pairwise(runs)))


def _normalise(cron: str) -> str:
    """The schedule with nicknames and ``?`` written out. Raises ValueError."""
    if cron.lower() in _NICKNAMES:
        return _NICKNAMES[cron.lower()]
    if cron.startswith("@"):
        raise ValueError(f"{cron!r} is not a cron schedule; expected five fields, such as 0 2 * * 0")
    fields = cron.split(" ")
    if "" in fields or len(fields) != 5:
        raise ValueError(f"{cron!r} is not a cron schedule; expected five fields with single blanks, such as 0 2 * * 0")
    for name, text in zip(_FIELDS, fields, strict=True):
        for part in text.split(","):
            if not _PART.fullmatch(part) or (
                re.search("[A-Za-z]", part) and re.search("[A-Za-z]", _NAME.sub("", part))
            ):
                raise ValueError(f"{cron!r} is not a cron schedule: {part!r} is no {name}")
    if re.search("7", fields[4]):
        raise ValueError(f"{cron!r}: Kubernetes knows no 7th day of the week: write 0 for Sunday")
    for index, whole in (
        (2, "1-31"),
        (4, "0-6"),
    ):  # to Kubernetes */2 is a restriction, as 1-31/2 is; to cronsim it is none
        fields[index] = re.sub(r"(?<![^,])[*?]/(?!0*1?(,|$))", f"{whole}/", fields[index])
    return " ".join("*" if text == "?" else text for text in fields)


def zone(name: str) -> tzinfo:
    """The time zone of an IANA name. Raises ValueError."""
    if name == "Local":
        raise ValueError("'Local' is not taken by Kubernetes; expected an IANA name, such as Europe/Berlin")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is not a time zone; expected an IANA name, such as Etc/UTC or Europe/Berlin"
        ) from None


def collision(full: CronSchedule, incremental: CronSchedule, time_zone: tzinfo) -> datetime | None:
    """The first moment at which both start, looked for among the next 64 full backups; None if there is none."""
    if full.never_on_a_day_of(incremental):
        return None  # the usual case, without looking
    for moment in full.upcoming(_EPOCH.astimezone(time_zone), 64):
        if incremental.fires_at(moment):
            return moment
    return None
