"""When backups run, and how far back they reach once the release has run for a while."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from rich.text import Text

from pgwizard.plan import cron
from pgwizard.plan import retention as plan_retention
from pgwizard.text import about, span
from pgwizard.tui.panels.base import Panel


class SchedulePanel(Panel):
    """Cron in words, the next runs, and what is kept."""

    def text(self) -> Text:
        """See the class."""
        text, answers = Text(), self.draft.answers
        try:
            full, incremental = (
                cron.CronSchedule(answers.schedule.full),
                cron.CronSchedule(answers.schedule.incremental),
            )
            zone = cron.zone(answers.schedule.time_zone)
        except ValueError as error:
            return text.append(f"! {error}")
        now = self.start.now().astimezone(zone)
        text.append("In words\n", "bold")
        text.append(f"  F full          {full.in_words()}\n  ▪ incremental   {incremental.in_words()}\n\n")
        text.append(f"The next five, {answers.schedule.time_zone}\n", "bold")
        runs = sorted(
            [
                *((at, "F full") for at in full.upcoming(now, 5)),
                *((at, "▪ incremental") for at in incremental.upcoming(now, 5)),
            ]
        )
        for at, kind in runs[:5]:
            text.append(f"  {at:%a %d %b %H:%M}  {kind:13}  in {span((at - now).total_seconds())}\n")
        if not runs:
            text.append("  cannot be told\n")
        retention = answers.retention
        minute = now.replace(second=0, microsecond=0)  # what is typed within a minute is worked out once
        held = plan_retention.kept(
            full, incremental, minute, keep=retention.full, by_days=retention.full_type == "time"
        )
        text.append("\nOnce it has run for a while\n", "bold")
        if held.since is None:
            return text.append(
                f"  cannot be told: no full backup falls into the {plan_retention.YEARS} years before now\n"
            )
        more = "" if held.whole else "at least "
        text.append(f"  {more}{len(held.fulls):,} full and {len(held.incrementals):,} incremental backups\n")
        least = plan_retention.least(
            full, incremental, minute, keep=retention.full, by_days=retention.full_type == "time"
        )
        text.append(f"  recoverable: {_recoverable(retention.full, least or timedelta(), now - held.since)}\n")
        if not held.whole:
            looked = f"{plan_retention.YEARS} years are looked at, and {plan_retention.LONGEST:,} backups of a kind"
            text.append(f"! more cannot be told: {looked}\n", "bold")
        if retention.full is None:
            text.append("! nothing is ever deleted: this grows for ever\n", "bold")
        text.append("\n")
        for line in timeline(held, now):
            text.append(f"  {line}\n")
        return text.append("  F full  ▪ incremental  ░ recoverable  · before", "dim")


def _recoverable(keep: int | None, least: timedelta, present: timedelta) -> str:
    """What one can plan with comes first: there is more for a while before each full backup."""
    if keep is None:
        return "any moment since the first full backup"
    today = about(present.total_seconds())
    if not least:
        return f"right after a full backup only that one ({today} now)"
    always = about(least.total_seconds())
    return f"at least the last {always}" + ("" if always == today else f" ({today} now)")


def timeline(held: plan_retention.Kept, now: datetime, weeks: int = 6) -> Iterable[str]:
    """A line a week, a column a day, Monday first: what was taken, and from where on one can go back."""
    first = (now - timedelta(days=now.weekday())).date()
    fulls, others = {at.date() for at in held.fulls}, {at.date() for at in held.incrementals}
    begin = first - timedelta(weeks=weeks - 1)
    since = held.since.date() if held.since else now.date()
    yield "          Mo  Tu  We  Th  Fr  Sa  Su"
    for week in range(weeks):
        cells = []
        for number in range(7):
            day = begin + timedelta(days=7 * week + number)
            mark = "F" if day in fulls else "▪" if day in others else ""
            ground = "░" if since <= day <= now.date() else " " if day > now.date() else "·"
            cells.append(f"{(mark or ground):{ground}<3}")
        yield f"{begin + timedelta(weeks=week):%d %b}    {' '.join(cells)}"
