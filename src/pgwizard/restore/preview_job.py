"""The Job of a preview: a read-only server at exactly one moment; and what its pod says of where it is. Pure.

The server runs in standby mode: at the end of the archive it waits for more, where recovery alone would fail or
promote. It cannot be aimed at an earlier moment than the one that it has reached.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pgwizard.kube.api import Object
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.record import Origin
from pgwizard.restore.job import origin_variables
from pgwizard.restore.scratch_job import ScratchTemplate, scratch_job
from pgwizard.restore.scripts import script_of
from pgwizard.restore.target import RecoveryTarget, RestorePlan, TargetRefusal, lsn_text, read_target, shown_moment
from pgwizard.status.repository import read_lsn
from pgwizard.text import fit, plain

CONTAINER = COMPONENT = "preview"
LIFE_SECONDS = 4 * 3_600.0
"""After so long a preview ends by itself; the restore before it is not counted."""
_SLOWEST = 20
"""So many times as long as estimated may the restore take."""
_TARGET, _BEFORE, _TIMELINE, _POSITION = (
    f"pgwizard/preview-{name}" for name in ("target", "before", "timeline", "position")
)


@dataclass(frozen=True, slots=True)
class Aim:
    """What a preview shows. target: what was asked for; timeline: the one that it is on; position: where it stops, 0
    where that is not known.
    """

    target: RecoveryTarget
    timeline: int
    position: int = 0

    @property
    def annotations(self) -> dict[str, str]:
        """For its Job."""
        return {
            _TARGET: self.target.as_typed,
            _BEFORE: "true" if self.target.is_exclusive else "false",
            _TIMELINE: str(self.timeline),
            _POSITION: str(self.position),
        }


@dataclass(frozen=True, slots=True)
class Reached:
    """Where the server of a preview is. lsn: all before it is replayed; at: when the newest commit was made that is
    replayed, UTC, None where none was; reason: why recovery stopped there, by PostgreSQL's own words.

    is_exact: whether it stays there; else everything that is archived is replayed, and it waits for more.
    is_promoted: whether it was allowed to write: then it shows no moment. locks: how many tables are locked by
    transactions that were open at that moment: they cannot be read.
    """

    lsn: int
    at: datetime | None
    reason: str
    is_exact: bool
    is_promoted: bool = False
    locks: int = 0


def job_name(release: ReleaseRef) -> str:
    """The name of the Job: a release has one preview at most."""
    return f"{release.name[:40]}-preview"


def lifetime_seconds(plan: RestorePlan) -> float:
    """How long the Job may run."""
    return LIFE_SECONDS + plan.seconds * _SLOWEST


def manifest(
    template: ScratchTemplate, release: ReleaseRef, plan: RestorePlan, aim: Aim, name: str, *, origin: Origin | None
) -> Object:
    """The Job. name: of its first target, as for ``target_lines``.

    origin: the repository to restore from, where it is not the release's own.
    """
    options = (f"--set={plan.backup}", f"--target-timeline={plan.timeline}", "--type=standby")

    def command(arguments: Sequence[str]) -> list[str]:
        return ["/bin/bash", "-c", script_of("preview"), CONTAINER, "serve", str(len(options)), *options, *arguments]

    variables = {"PREVIEW_TARGET": "\n".join(target_lines(plan, name))}
    seconds = lifetime_seconds(plan)
    job = scratch_job(
        template, release, job_name(release), CONTAINER, command, variables=variables, deadline_seconds=seconds
    )
    [container] = job["spec"]["template"]["spec"]["containers"]
    container["env"] += origin_variables(origin) if origin else ()
    there = {each["name"] for each in container["env"]}
    container["env"] += [  # so that psql needs no options
        {"name": own, "value": f"$({other})"}
        for own, other in (("PGUSER", "POSTGRES_USER"), ("PGDATABASE", "POSTGRES_DB"))
        if other in there and own not in there
    ]
    job["metadata"]["annotations"] = {**job["metadata"]["annotations"], **aim.annotations}
    return job


def target_lines(plan: RestorePlan, name: str) -> list[str]:
    """A target in the lines of the script. name: tells its lines in the log from those of other targets."""
    settings = [f"recovery_target_timeline={plan.timeline}"]
    if plan.type == "immediate":  # of a server that has come further, that is no position any more
        settings += [f"recovery_target_lsn={lsn_text(plan.position)}", "recovery_target_inclusive=off"]
    elif plan.type != "default":
        inclusive = "off" if plan.is_exclusive else "on"
        settings += [f"recovery_target_{plan.type}={plan.value}", f"recovery_target_inclusive={inclusive}"]
    return [name, lsn_text(plan.must_reach) if plan.type == "default" else "-", *settings]


def aim_of(job: Object) -> Aim:
    """What the preview of a Job shows. Raises ValueError where the Job does not tell."""
    answer = job["metadata"].get("annotations") or {}
    target = read_target(str(answer.get(_TARGET, "")), UTC, is_exclusive=answer.get(_BEFORE) == "true")
    numbers = [str(answer.get(name, "")) for name in (_TIMELINE, _POSITION)]
    if isinstance(target, TargetRefusal) or not all(re.fullmatch(r"[0-9]{1,20}", each, re.ASCII) for each in numbers):
        raise ValueError("its annotations do not tell what it shows")
    return Aim(target, int(numbers[0]), int(numbers[1]))


def aimed_line(name: str) -> str:
    """The line of the log with which the server starts towards a target."""
    return f"preview: replaying to {name}"


def reached_prefix(name: str) -> str:
    """How the line of the log begins that tells where the server is, once it has got as far as it gets."""
    return f"preview: reached {name} "


def reached_of(text: str) -> Reached:
    """Where a server is, by the JSON of the script. Raises ValueError."""
    try:
        answer = json.loads(text)
        at = datetime.fromisoformat(str(answer["at"])).astimezone(UTC) if answer["at"] else None
        is_promoted = not answer["recovering"]
        lsn = read_lsn(str(answer["lsn"])) if answer["lsn"] else 0
        reason = fit(str(answer["reason"] or ""))
        return Reached(lsn, at, reason, bool(answer["paused"]), is_promoted, int(answer["locks"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise ValueError(f"what it answered cannot be read: {plain(text, 120)}") from None


def is_there(aim: Aim, plan: RestorePlan) -> bool:
    """Whether a preview shows a target already: nothing was committed between."""
    return 0 < plan.position == aim.position and plan.timeline == aim.timeline


def why_not_forward(aim: Aim, reached_state: Reached, plan: RestorePlan) -> str:
    """Why a preview cannot be moved to a target; empty where it can."""
    if reached_state.is_promoted:
        return "its server was promoted, and has left the archive"
    if plan.timeline != aim.timeline:
        return f"the target is on timeline {plan.timeline}, and the preview on timeline {aim.timeline}"
    if plan.type == "default":
        return ""
    if plan.position:
        is_behind = plan.position < reached_state.lsn
    else:
        newest = reached_state.at or aim.target.at
        is_behind = plan.at is not None and newest is not None and plan.at < newest
    where = shown_moment(reached_state.at) if reached_state.at else f"WAL position {lsn_text(reached_state.lsn)}"
    return f"a preview moves only forward, and it is at {where} by now" if is_behind else ""


def reached_text(reached_state: Reached) -> str:
    """``its newest commit is of 2026-11-27 21:00:02 UTC``, and what else is to be known."""
    text = f"its newest commit is of {shown_moment(reached_state.at)}" if reached_state.at else "no commit is replayed"
    if not reached_state.is_exact:
        text += "; no later commit is archived yet"
    if reached_state.locks:
        text += f"; {reached_state.locks} tables are locked by transactions that were open then, and cannot be read"
    return text
