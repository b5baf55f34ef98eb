"""``history``: what was committed in a stretch of time, and the target of a restore to just before each of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pgwizard.cli import connect
from pgwizard.cli.json_lines import JsonLine, NoteLine
from pgwizard.cli.options import Invocation, Option
from pgwizard.cli.table import HISTORY_SINCE, HISTORY_UNTIL
from pgwizard.cli.writer import Writer
from pgwizard.clock import Clock
from pgwizard.errors import Interrupted, UsageError
from pgwizard.kube.api import Cluster
from pgwizard.local.zone import local_zone
from pgwizard.release import records
from pgwizard.restore import history as wal_history
from pgwizard.restore.history import ReleaseHistory, WalEvent, WalEventKind
from pgwizard.restore.report import event_lines, history_text
from pgwizard.restore.target import TargetRefusal, read_target
from pgwizard.restore.view import read_view
from pgwizard.text import fit

_STRETCH = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class HistoryEventLine(JsonLine):
    """A commit, a restore point or a dropped database, oldest first. isLoss: whether it removed something.

    at: its time, of a restore point and of a dropped database that of the commit before it; xid: empty for none; name:
    of a restore point; database: of what was removed, by its OID where the name is not known; relations: how many
    tables and indexes were removed; isCatalog: entries of the catalog changed, by DDL, or by ANALYZE or VACUUM, which
    autovacuum runs too; isRewrite: all that was removed stayed in the catalog, as after TRUNCATE. to, before: the
    options of a restore to the state before it, of a restore point to the state at it. isReachable: whether a backup
    had ended before it, which such a restore needs.
    """

    type_name = "historyEvent"
    kind: WalEventKind
    text: str
    at: datetime | None
    timeline: int
    lsn: str
    xid: str
    name: str
    database: str
    relations: int
    is_catalog: bool
    is_rewrite: bool
    is_loss: bool
    to: str
    before: bool
    is_reachable: bool


@dataclass(frozen=True, slots=True)
class HistoryLine(JsonLine):
    """What was read of the WAL, the last line. commits: all of them; unlisted: those without a line of their own.

    until: where it ends, earlier than asked for if isCut: then there was too much WAL. unreadable: segments that could
    not be read; why: the last of them, and why not, empty for none.
    """

    type_name = "history"
    since: datetime
    until: datetime
    commits: int
    unlisted: int
    segments: int
    unreadable: int
    is_cut: bool
    why: str


def history(call: Invocation, writer: Writer) -> None:
    """Raises UsageError for a time that cannot be read."""

    async def work(cluster: Cluster, now: Clock) -> None:
        until = _moment(call, HISTORY_UNTIL) or now()
        since = _moment(call, HISTORY_SINCE) or until - _STRETCH
        if since >= until:
            raise UsageError("--from is not before --to", hint="Such as: --from 2026-11-27T20:00:00Z.")
        release = await connect.choose_release(call, cluster)
        record, _ = await records.get(cluster, release)

        def report(text: str) -> None:
            writer.note(f"· {text}", NoteLine(text))

        with writer.waiting(f"Reading the repository of release {release} ..."):
            view = await read_view(cluster, record)
        history_ = await wal_history.read(cluster, release, view, since, until, report=report)
        rows = event_lines(history_.events)
        for event, row in zip(history_.events, rows, strict=True):
            writer.line(row, _line(event))
        loss = next((each for each in reversed(history_.events) if each.is_loss and each.is_reachable), None)
        text = history_text(history_)
        if loss is not None:
            options = ["--to", loss.target.as_typed, *(["--before"] if loss.target.is_exclusive else [])]
            command = cluster.commands.pgwizard("restore", release.name, *options, namespace=release.namespace)
            text += f"\nThe state before the newest removal: {command}"
        writer.line(text, _summary(history_))

    connect.run(call, writer, work, has_release=True, interruption=lambda: Interrupted("stopped: nothing was written"))


def _moment(call: Invocation, option: Option[str | None]) -> datetime | None:
    text = call[option]
    if text is None:
        return None
    target = read_target(text, local_zone())
    if isinstance(target, TargetRefusal) and target.reason != "not-a-target":
        raise UsageError(f"{option.flag}: {target.text}", hint=target.fix)
    if isinstance(target, TargetRefusal) or target.at is None:
        raise UsageError(f"{option.flag} {fit(text)}: expected a time", hint="Such as: 2026-11-27T21:00:04Z.")
    return target.at


def _line(event: WalEvent) -> HistoryEventLine:
    target = event.target
    return HistoryEventLine(
        event.kind,
        event.text,
        event.at,
        event.timeline,
        event.position,
        event.xid,
        event.name,
        event.database,
        event.relations,
        event.is_catalog,
        event.is_rewrite,
        event.is_loss,
        target.as_typed,
        target.is_exclusive,
        event.is_reachable,
    )


def _summary(summary: ReleaseHistory) -> HistoryLine:
    return HistoryLine(
        summary.since,
        summary.until,
        summary.commits,
        summary.unlisted_commits,
        summary.segments,
        summary.unreadable,
        summary.is_cut,
        summary.why,
    )
