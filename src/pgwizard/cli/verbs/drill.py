"""``drill``: the newest state of a release is restored beside it and checked, and the result is kept in its record."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pgwizard.cli import connect
from pgwizard.cli.json_lines import JsonLine
from pgwizard.cli.options import Invocation
from pgwizard.cli.run_lines import reporter
from pgwizard.cli.table import DRILL_QUERY, DRILL_TIMEOUT, EXPECTED_ANSWER
from pgwizard.cli.writer import Writer
from pgwizard.clock import Clock
from pgwizard.errors import Interrupted, NotProven, UsageError
from pgwizard.kube.api import Cluster
from pgwizard.release import drills
from pgwizard.release.record import DrillResult
from pgwizard.restore import drill as restore_drill
from pgwizard.restore.drill_job import LONGEST_ANSWER, DrillQuery


@dataclass(frozen=True, slots=True)
class DrillLine(DrillResult, JsonLine):
    """The result of a drill. checks: in the order in which they were made, with their seconds.

    lsn: where recovery ended; reachedAt: when the newest commit was made that was replayed, empty for none.
    """

    type_name = "drill"


def drill(call: Invocation, writer: Writer) -> None:
    """Raises NotProven where a check failed."""
    sql, expected = call[DRILL_QUERY], call[EXPECTED_ANSWER]
    if expected is not None and sql is None:
        raise UsageError("--expect needs --query SQL", hint="Such as: --query 'SELECT count(*) FROM orders'.")
    if expected is not None and len(expected.encode()) > LONGEST_ANSWER:
        raise UsageError(
            f"--expect takes at most {LONGEST_ANSWER} bytes", hint="Such as: --query 'SELECT md5(...)' --expect HASH."
        )
    query = DrillQuery(sql, expected) if sql is not None else None

    outcome = "no Job was started"

    def keep(text: str) -> None:
        nonlocal outcome
        outcome = text

    async def work(cluster: Cluster, now: Clock) -> None:
        release = await connect.choose_release(call, cluster)
        result = await restore_drill.run(
            cluster, release, reporter(writer), now=now, seconds=call[DRILL_TIMEOUT], query=query, report_left=keep
        )
        parts = {item.name: getattr(result, item.name) for item in fields(result)}
        writer.line("\n".join(drills.result_lines(result)), DrillLine(**parts))
        failure = drills.failure(result, release, cluster.commands)
        if failure is not None:
            raise NotProven(f"{release}: {failure}", hint=failure.fix)

    connect.run(call, writer, work, has_release=True, interruption=lambda: Interrupted(f"stopped: {outcome}"))
