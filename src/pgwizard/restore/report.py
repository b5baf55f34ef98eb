"""A restore in words: what it would do, and what it reached. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pgwizard.quantities import human_size
from pgwizard.restore.job import Receipt
from pgwizard.restore.target import RestorePlan, shown_moment
from pgwizard.text import fit, span


def plan_lines(plan: RestorePlan) -> list[str]:
    """What a restore would use, and what is lost."""
    rows: Mapping[str, str] = {
        "Target": plan.target,
        "Backup": f"{fit(plan.backup)}, on timeline {plan.timeline}",
        "Replay": f"about {_count(plan.segments, 'WAL segment')}; fetches at most {human_size(plan.bytes)}",
        "Loses": loss_text(plan),
        "Takes": f"about {span(plan.seconds)}, and a full backup after it; the database is down meanwhile",
    }
    if plan.silence:
        since = f"after {shown_moment(plan.archived_until)}" if plan.archived_until else "after the last backup"
        rows = {
            **rows,
            "Server": f"does not answer: {fit(plan.silence)}",
            "Archive": f"lacks what the server wrote {since}: it is lost, except for whole segments on its volume",
            "Undo": "brings back no more than the archive has",
        }
    return [f"{name:8} {text}" for name, text in rows.items()]


def loss_text(plan: RestorePlan) -> str:
    """What a restore loses."""
    if plan.is_newest:
        return "nothing that is archived"
    until = shown_moment(plan.lost_until and plan.lost_until.replace(microsecond=0))
    if plan.lost_since is None or plan.lost_until is None:
        return f"all that was committed after the target, until {until}"
    lost = span((plan.lost_until - plan.lost_since).total_seconds())
    return f"{lost}: all that was committed from {shown_moment(plan.lost_since)} until {until}"


def receipt_text(receipt: Receipt) -> str:
    """``timeline 2, before 2026-11-27 21:00:05.473485+00``."""
    return f"timeline {receipt.timeline}, {receipt.reason}"


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
