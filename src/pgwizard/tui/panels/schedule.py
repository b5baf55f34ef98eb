"""When backups run, and how far back they reach once the release has run for a while."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from rich.text import Text

from pgwizard.plan import cron
from pgwizard.plan import retention as plan_retention
from pgwizard.text import about, span
from pgwizard.tui.panels.base import Panel

_RUNS = 5


class SchedulePanel(Panel):
    """The schedules in words, their next runs, and what retention keeps."""

    def text(self) -> Text:
        text, answers = Text(), self.draft.answers
        try:
            full = cron.CronSchedule(answers.schedule.full)
            incremental = cron.CronSchedule(answers.schedule.incremental)
            zone = cron.zone(answers.schedule.time_zone)
        except ValueError as error:
            return text.append(f"! {error}")
        now = self.start.now().astimezone(zone)
        text.append("In words\n", "bold")
        text.append(f"  F full          {full.in_words()}\n  ▪ incremental   {incremental.in_words()}\n\n")
        text.append(f"Next runs, {answers.schedule.time_zone}\n", "bold")
        _append_runs(text, full, incremental, now)
        text.append("\nAfter some time\n", "bold")
        retention = answers.retention
        _append_kept(text, full, incremental, now, keep=retention.full, by_days=retention.full_type == "time")
        return text


def _append_runs(text: Text, full: cron.CronSchedule, incremental: cron.CronSchedule, now: datetime) -> None:
    runs = [(at, "F full") for at in full.upcoming(now, _RUNS)]
    runs += [(at, "▪ incremental") for at in incremental.upcoming(now, _RUNS)]
    for at, kind in sorted(runs, key=lambda run: run[0].timestamp())[:_RUNS]:
        text.append(f"  {at:%a %d %b %H:%M}  {kind:13}  in {span(at.timestamp() - now.timestamp())}\n")
    if not runs:
        text.append("  none that can be calculated\n")


def _append_kept(
    text: Text,
    full: cron.CronSchedule,
    incremental: cron.CronSchedule,
    now: datetime,
    *,
    keep: int | None,
    by_days: bool,
) -> None:
    minute = now.replace(second=0, microsecond=0)  # what is typed within a minute is calculated once
    retention = plan_retention.retain(full, incremental, minute, keep=keep, by_days=by_days)
    if retention.since is None:
        text.append(f"  not known: no full backup in the {plan_retention.YEARS} years before now\n")
        return
    least = plan_retention.shortest_reach(full, incremental, minute, keep=keep, by_days=by_days) or timedelta()
    more = "" if retention.whole else "at least "
    text.append(f"  {more}{len(retention.fulls):,} full and {len(retention.incrementals):,} incremental backups\n")
    text.append(f"  recoverable: {_recoverable(keep, least, now - retention.since)}\n")
    if not retention.whole:
        limits = f"{plan_retention.YEARS} years, and {plan_retention.LONGEST:,} backups of a kind"
        text.append(f"! more is not calculated than {limits}\n", "bold")
    if keep is None:
        text.append("! no backup ever expires: the repository grows without limit\n", "bold")
    text.append("\n")
    for line in timeline(retention, now):
        text.append(f"  {line}\n")
    text.append("  F full  ▪ incremental  ░ recoverable  · before", "dim")


def _recoverable(keep: int | None, least: timedelta, present: timedelta) -> str:
    """What one can plan with comes first: there is more for a while before each full backup."""
    if keep is None:
        return "any moment since the first full backup"
    today = about(present.total_seconds())
    if not least:
        return f"right after a full backup only that one ({today} now)"
    always = about(least.total_seconds())
    return f"at least the last {always}" + ("" if always == today else f" ({today} now)")


def timeline(retention: plan_retention.RetainedBackups, now: datetime, weeks: int = 6) -> Iterable[str]:
    """A line a week, a column a day, Monday first: the backups, and the days that can be recovered."""
    first = (now - timedelta(days=now.weekday())).date()
    fulls, others = {at.date() for at in retention.fulls}, {at.date() for at in retention.incrementals}
    begin = first - timedelta(weeks=weeks - 1)
    since = retention.since.date() if retention.since else now.date()
    yield "          Mo  Tu  We  Th  Fr  Sa  Su"
    for week in range(weeks):
        cells = []
        for number in range(7):
            day = begin + timedelta(days=7 * week + number)
            mark = "F" if day in fulls else "▪" if day in others else ""
            ground = "░" if since <= day <= now.date() else " " if day > now.date() else "·"
            cells.append(f"{(mark or ground):{ground}<3}")
        yield f"{begin + timedelta(weeks=week):%d %b}    {' '.join(cells)}"
