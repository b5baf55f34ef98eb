"""The Job of a drill, which restores into a volume of its own. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pgwizard.kube.api import Object
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import drills
from pgwizard.restore.scratch_job import ScratchTemplate, scratch_job
from pgwizard.restore.scripts import script_of
from pgwizard.restore.target import lsn_text

COMPONENT = drills.CONTAINER
LONGEST_ANSWER = 1_000
"""So many bytes of what a query answers are compared."""


@dataclass(frozen=True, slots=True)
class DrillQuery:
    """A query of the user's own. expected: what it must answer; None where it only has to succeed."""

    sql: str
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """What a drill restores. options: of ``pgbackrest restore``. must_exceed: the WAL position that recovery must get
    beyond: where the newest segment of the archive begins; None where the Job is to find that itself.
    """

    options: tuple[str, ...]
    must_exceed: int | None


def job_name(release: ReleaseRef, at: datetime) -> str:
    """The name of the Job of a drill that begins now."""
    return f"{release.name[:40]}-drill-{at:%Y%m%d-%H%M%S}"


def manifest(
    template: ScratchTemplate,
    release: ReleaseRef,
    name: str,
    plan: DrillPlan,
    *,
    query: DrillQuery | None,
    deadline_seconds: float,
) -> Object:
    """query: the user's own, None without one. deadline_seconds: after which Kubernetes ends the Job."""

    def command(arguments: Sequence[str]) -> list[str]:
        return [
            "/bin/bash",
            "-c",
            script_of("drill"),
            drills.CONTAINER,
            str(len(plan.options)),
            *plan.options,
            *arguments,
        ]

    return scratch_job(
        template,
        release,
        name,
        COMPONENT,
        command,
        variables=_variables(plan, query),
        deadline_seconds=deadline_seconds,
    )


def _variables(plan: DrillPlan, query: DrillQuery | None) -> dict[str, str]:
    variables = {} if plan.must_exceed is None else {"DRILL_MUST_EXCEED": lsn_text(plan.must_exceed)}
    if query is not None:
        variables["DRILL_QUERY"] = query.sql
        if query.expected is not None:
            variables["DRILL_EXPECT"] = query.expected
    return variables
