"""``status --all``: every release as a line, once or as it changes, or as metrics."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from pgwizard.cli import connect
from pgwizard.cli.json_lines import JsonLine, NoteLine, explain_command
from pgwizard.cli.options import Invocation
from pgwizard.cli.table import WATCH
from pgwizard.cli.writer import Writer
from pgwizard.clock import Clock
from pgwizard.errors import NotProven, PreflightError
from pgwizard.kube.api import Cluster
from pgwizard.status import fleet
from pgwizard.status.fleet import Fleet
from pgwizard.status.fleet_report import TITLES, FleetRow, cost, rows, totals, worst
from pgwizard.status.metrics import exposition
from pgwizard.status.verdict import RecoveryState
from pgwizard.text import table_lines

_METRICS = "prometheus"


@dataclass(frozen=True, slots=True)
class FleetLine(JsonLine):
    """One release of ``status --all``. since, until: of the newest window; windows: how many there are.

    wal_archived: when the newest WAL was archived; reason, key, fix: the worst reason, empty for none.
    """

    type_name = "fleet"
    namespace: str
    name: str
    at: datetime
    state: RecoveryState
    since: datetime | None
    until: datetime | None
    windows: int
    wal_archived: datetime | None
    last_full: datetime | None
    next_run: datetime | None
    reason: str
    key: str
    fix: str
    manager: str


def status_of_all(call: Invocation, writer: Writer, *, metrics: bool) -> None:
    """Print every release. Raises NotProven unless all are recoverable."""

    async def work(cluster: Cluster, now: Clock) -> list[FleetRow]:
        begin = now()
        with writer.waiting("Reading all releases and their repositories ..."):
            survey = await fleet.look(cluster, now=now)
        lines = rows(survey)
        if metrics:
            writer.put(exposition(survey))
            if survey.left_out:
                writer.note(survey.left_out, NoteLine(survey.left_out))
            return lines
        _print(writer, lines)
        text = f"{totals(lines)}; {cost(survey, (now() - begin).total_seconds())}"
        if survey.left_out:
            writer.note(survey.left_out, NoteLine(survey.left_out))
        writer.note(text, NoteLine(text))
        return lines

    async def follow(cluster: Cluster, now: Clock) -> list[FleetRow]:
        """Print a release each time its state or its worst reason changes, until a signal."""
        last_essences: dict[object, tuple[object, ...]] = {}
        left_out = ""
        with connect.until_unread():
            async with aclosing(fleet.observe(cluster, now=now)) as fleets:
                async for reading in fleets:
                    if reading.left_out != left_out:
                        left_out = reading.left_out
                        text = left_out or "all namespaces are shown"
                        writer.note(text, NoteLine(text))
                    is_first = not last_essences
                    _print(writer, _changed_rows(reading, last_essences), with_titles=is_first)
        return []

    if call[WATCH]:
        connect.run(call, writer, follow, has_release=True)
        return
    lines = connect.run(call, writer, work, has_release=True)
    if not lines:
        raise PreflightError("no release in the cluster", hint="pgwizard installs one.")
    if (first := worst(lines)) is not None:
        why = f": {first.worst}" if first.worst else ""
        key = first.worst.key if first.worst else ""
        hint = f"More: {explain_command(key)}" if key else ""
        raise NotProven(f"{totals(lines)}; the worst is {first.ref}, {first.state}{why}", hint=hint)


def _changed_rows(reading: Fleet, last_essences: dict[object, tuple[object, ...]]) -> list[FleetRow]:
    """The rows that differ in state or reason from what was printed; ages alone are no change."""
    changes = []
    for each in rows(reading):
        essence = (each.state, each.worst.key or each.worst.text if each.worst else "")
        if not each.is_loading and last_essences.get(each.ref) != essence:
            last_essences[each.ref] = essence
            changes.append(each)
    return changes


def _print(writer: Writer, fleet_lines: list[FleetRow], *, with_titles: bool = True) -> None:
    lines = table_lines([tuple(title.upper() for title in TITLES), *(each.cells for each in fleet_lines)])
    if with_titles and fleet_lines and not writer.is_json:
        writer.put(f"{lines[0]}\n")
    for line, each in zip(lines[1:], fleet_lines, strict=True):
        writer.line(line, _line(each))


def _line(each: FleetRow) -> FleetLine:
    reason = each.worst
    return FleetLine(
        namespace=each.ref.namespace,
        name=each.ref.name,
        at=each.at,
        state=each.state,
        since=each.since,
        until=each.until,
        windows=each.windows,
        wal_archived=each.archived_at,
        last_full=each.last_full,
        next_run=each.next_run,
        reason=": ".join(filter(None, (reason.text, reason.cause))) if reason else "",
        key=reason.key if reason else "",
        fix=reason.fix if reason else "",
        manager=each.manager,
    )
