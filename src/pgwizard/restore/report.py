"""A restore in words: what it would do, and what it reached. Pure."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime

from pgwizard.kube.api import Access
from pgwizard.kube.commands import Commands
from pgwizard.plan.names import ReleaseRef
from pgwizard.quantities import human_size
from pgwizard.release import rights
from pgwizard.restore.history import ReleaseHistory, WalEvent
from pgwizard.restore.job import Receipt
from pgwizard.restore.journal import Journal
from pgwizard.restore.target import RecoveryTarget, RepositoryView, RestorePlan, reachable_spans, shown_moment
from pgwizard.status.wal import TO_THE_END
from pgwizard.text import fit, span, visible

BEFORE = "before "
"""In front of a target in the line of the page: to stop just before it."""


def row_lines(rows: Mapping[str, str], columns: int | None = None) -> list[str]:
    """Rows as text, a line each; or as many as fit into so many columns, between words."""
    lines = [f"{name:8} {text}" for name, text in rows.items()]
    if columns is None:
        return lines
    wrap = textwrap.TextWrapper(
        max(columns, 20), subsequent_indent=" " * 9, break_long_words=False, break_on_hyphens=False
    )
    return [part for line in lines for part in wrap.wrap(line)]


def preview_rows(plan: RestorePlan, lacks: Sequence[Access] = ()) -> Mapping[str, str]:
    """What a preview would use. lacks: permissions that are missing."""
    rows = plan_rows(plan)
    return {**{name: rows[name] for name in ("Target", "Backup", "Replay")}, **rights_row(lacks)}


def rights_row(lacks: Sequence[Access]) -> Mapping[str, str]:
    """What of it is not permitted; empty where all is."""
    return {"Rights": f"missing: {rights.summary(lacks)}"} if lacks else {}


def plan_rows(plan: RestorePlan, *, is_new: bool = False, is_clone: bool = False) -> Mapping[str, str]:
    """What a restore would use, and what is lost. is_new: whether the release was made to be restored; is_clone:
    whether it is restored from the repository of another, which runs on and loses nothing.
    """
    takes = f"about {span(plan.seconds)}, by {fit(plan.basis)}"
    if not plan.basis:
        takes = "not known before the first drill or restore"
    downtime = "" if is_new else "; the database is down meanwhile"
    rows: Mapping[str, str] = {
        "Target": plan.target,
        "Backup": f"{fit(plan.backup)}, on timeline {plan.timeline}",
        "Replay": f"about {_count(plan.segments, 'WAL segment')}; fetches at most {human_size(plan.bytes)}",
        "Lacks" if is_clone else "Loses": loss_text(plan),
        "Takes": f"{takes}{downtime}. A full backup follows",
    }
    if plan.silence and is_new:
        since = shown_moment(plan.archived_until) if plan.archived_until else "the last backup"
        return {**rows, "Archive": f"ends with what was archived until {since}: what was written later is lost"}
    if plan.silence:
        since = f"after {shown_moment(plan.archived_until)}" if plan.archived_until else "after the last backup"
        return {
            **rows,
            "Server": f"does not answer: {fit(plan.silence)}",
            "Archive": f"lacks what the server wrote {since}: it is lost, except for whole segments on its volume",
            "Undo": "brings back no more than the archive has",
        }
    return rows


def loss_text(plan: RestorePlan) -> str:
    """What a restore loses."""
    if plan.is_newest:
        return "nothing that is archived"
    until = shown_moment(plan.lost_until and plan.lost_until.replace(microsecond=0))
    if plan.lost_since is None or plan.lost_until is None:
        return f"all that was committed after the target, until {until}"
    seconds = (plan.lost_until - plan.lost_since).total_seconds()
    if seconds <= 0:
        return "nothing that is archived"
    loss = span(seconds) if seconds >= 1 else "less than 1 s"
    return f"{loss}: all that was committed from {shown_moment(plan.lost_since)} until {until}"


def event_lines(events: Sequence[WalEvent]) -> list[str]:
    """A line each: when, what, and what names the state just before it after ``--to``."""
    cells = [(_event_moment(each), each.text, _options(each)) for each in events]
    widths = [max((len(row[column]) for row in cells), default=0) for column in (0, 1)]
    return [f"{at:{widths[0]}}  {text:{widths[1]}}  {options}" for at, text, options in cells]


def short_event_lines(events: Sequence[WalEvent]) -> list[str]:
    """The same where there is little room: the target comes before what happened, which may be cut."""
    cells = [(_event_moment(each), visible(typed_target(each.target)), each.text) for each in events]
    widths = [max((len(row[column]) for row in cells), default=0) for column in (0, 1)]
    return [f"{at:{widths[0]}}  {target:{widths[1]}}  {text}" for at, target, text in cells]


def typed_target(target: RecoveryTarget) -> str:
    """What names a target in the line of the page."""
    return f"{BEFORE}{target.as_typed}" if target.is_exclusive else target.as_typed


def _event_moment(event: WalEvent) -> str:
    return "before all others" if event.at is None else f"{event.at:%Y-%m-%d %H:%M:%S.%f} UTC"


def _options(event: WalEvent) -> str:
    if not event.is_reachable:
        return "not reachable: no backup had ended"
    return f"--to {shlex.quote(visible(event.target.as_typed))}" + (" --before" if event.target.is_exclusive else "")


def history_text(history: ReleaseHistory) -> str:
    """What was read, and what is not listed."""
    until = history.until.replace(microsecond=0)
    moments = f"from {shown_moment(history.since.replace(microsecond=0))} to {shown_moment(until)}"
    parts = [f"{_count(history.commits, 'commit')} {moments}; {_count(history.segments, 'WAL segment')} read"]
    if history.unlisted_commits:
        parts.append(f"{history.unlisted_commits:,} of them are not listed: narrow --from and --to")
    parts += unread_parts(history)
    if history.is_cut:
        has_begun = history.until > history.since
        parts[-1] += f": go on with --from {until:%Y-%m-%dT%H:%M:%SZ}" if has_begun else ": give a later --from"
    return "; ".join(parts) + "."


def unread_parts(history: ReleaseHistory) -> list[str]:
    """Why events may be missing."""
    parts = [f"{_count(history.unreadable, 'segment')} could not be read"] if history.unreadable else []
    if parts and history.why:
        parts[0] += f" ({'the last of them, ' if history.unreadable > 1 else ''}{history.why})"
    return [*parts, "this is too much WAL to read at once"] if history.is_cut else parts


def unfinished_text(stage: str) -> str:
    """What a restore that has not ended leaves behind. stage: the next one, or the one that is under way."""
    match stage:
        case "stop" | "start":
            database = "The database may be down"
        case "restore":
            database = "The database is down"
        case _:
            database = "The database runs, and its backup schedules may be suspended"
    return f"The restore has not ended. {database} until it has."


def receipt_text(receipt: Receipt) -> str:
    """``timeline 2, before 2026-11-27 21:00:05.473485+00``, in PostgreSQL's own words, or where it was the end."""
    is_end = receipt.reason.startswith(TO_THE_END)
    return f"timeline {receipt.timeline}, {'to the end of the archive' if is_end else receipt.reason}"


def outcome_text(receipt: Receipt) -> str:
    """The same, and the time of the last commit that it brought back."""
    last = f"; last commit {shown_moment(receipt.reached_at)}" if receipt.reached_at else ""
    return f"{receipt_text(receipt)}{last}"


UNTOUCHED_TEXT = "The data directory was not touched: the server is started on it again."


def result_lines(release: ReleaseRef, journal: Journal, commands: Commands) -> list[str]:
    """What a restore that has ended brought back, and how it is undone."""
    target = journal.plan.target
    if journal.receipt is None:
        return ["The database runs again. Nothing was restored."]
    outcome = outcome_text(journal.receipt)
    if journal.is_clone:
        return [
            f"Clone {release} holds {target} of its source: {outcome}.",
            "Its subscriptions and the jobs of pg_cron are asleep; docs/restore.md shows how to wake them.",
        ]
    undo = commands.pgwizard("restore", release.name, "--undo", namespace=release.namespace)
    return [f"Release is restored to {target}: {outcome}.", f"Undo it: {undo}"]


def strip_lines(view: RepositoryView, at: datetime | None, now: datetime, width: int, rows: int = 4) -> list[str]:
    """What can be reached, from the oldest moment to now: a line a timeline, the newest first, at most ``rows``.

    ``━`` can be reached, ``●`` is the end of a backup, ``·`` cannot be reached; ``▲`` below is ``at``.
    Empty where nothing can be reached.
    """
    spans = reachable_spans(view, now)
    if not spans:
        return []
    begin = min(span.since for span in spans)
    timelines = sorted({span.timeline for span in spans}, reverse=True)[:rows]
    titles = {timeline: f"timeline {timeline:<{len(str(timelines[0]))}} " for timeline in timelines}
    cells = max(1, width - len(titles[timelines[0]]))
    seconds = max(1.0, (now - begin).total_seconds())

    def cell(moment: datetime) -> int:
        return min(max(int((moment - begin).total_seconds() / seconds * cells), 0), cells - 1)

    rows_by_timeline = {timeline: ["·"] * cells for timeline in timelines}
    for span_ in spans:
        if span_.timeline in rows_by_timeline:
            first, last = cell(span_.since), cell(span_.until)
            rows_by_timeline[span_.timeline][first : last + 1] = "━" * (last + 1 - first)
    earliest = begin - (now - begin) / cells
    for backup in view.whole_backups:
        own = rows_by_timeline.get(int(backup.wal_stop[:8], 16))
        if own is not None and backup.stop >= earliest:
            own[cell(backup.stop)] = "●"
    lines = [titles[timeline] + "".join(row) for timeline, row in rows_by_timeline.items()]
    indent = " " * len(titles[timelines[0]])
    if at is not None and begin <= at <= now:
        lines.append(indent + "▲".rjust(cell(at) + 1))
    since = shown_moment(begin)
    return [*lines, f"{indent}{since}{'now':>{cells - len(since)}}"] if cells > len(since) + 4 else lines


def strip_moment(view: RepositoryView, column: int, now: datetime, width: int) -> datetime | None:
    """The moment at a column of ``strip_lines``; None left of it, and where nothing can be reached."""
    spans = reachable_spans(view, now)
    if not spans:
        return None
    begin = min(span.since for span in spans)
    indent = len(f"timeline {max(span.timeline for span in spans)} ")
    cells = max(1, width - indent)
    if not 0 <= column - indent < cells:
        return None
    moment = begin + (now - begin) * ((column - indent + 0.5) / cells)
    return min(moment, now).replace(microsecond=0)


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
