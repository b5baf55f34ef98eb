"""One observation put into a snapshot. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from pgwizard.diagnose.diagnose import diagnose
from pgwizard.kube.api import CRONJOB, JOB, Object, Ref, owners
from pgwizard.kube.health import assess, condition
from pgwizard.plan.names import Names
from pgwizard.release import record
from pgwizard.status.snapshot import (
    LONG_AGO,
    OBJECTS_KEPT,
    PACE_SECONDS,
    RUNS_KEPT,
    TAIL_KEPT,
    WATCHED,
    BackupKind,
    Cron,
    Missing,
    Run,
    Snapshot,
    Wal,
    _is_segment,
    moment,
)
from pgwizard.text import fit, plain, visible

# ---- observations --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that was seen: an object (None once it is gone), or an answer, or that there was none.

    source: one of ``Snapshot.sources``, or ``log``. ref: the object, or for ``log`` the Job. value: an object
    for the lists of Kubernetes (None without a ref: all have been seen), a frozen value of this module for the rest.
    failure: why there is no answer; final: whether there never will be one, which is for ``log`` alone to say.
    """

    source: str
    at: datetime
    ref: Ref | None = None
    value: Any = None
    failure: str = ""
    final: bool = False


def reduce(snapshot: Snapshot, seen: Observation) -> Snapshot:
    """The snapshot with one observation put in."""
    known = _reduced(snapshot, seen)
    return known if known.idle == snapshot.idle else replace(known, idle_since=seen.at if known.idle else None)


def _reduced(snapshot: Snapshot, seen: Observation) -> Snapshot:
    snapshot = replace(snapshot, at=max(snapshot.at, seen.at))
    if seen.source == "log" and seen.ref is not None:
        return replace(snapshot, runs=_with_log(snapshot.runs, seen.ref.name, seen))
    if isinstance(seen.value, Missing):
        first = snapshot.missing.since if snapshot.missing else seen.at
        snapshot = replace(snapshot, missing=replace(seen.value, since=first))
        seen = replace(seen, failure=record.absent(snapshot.name, snapshot.namespace))
    if seen.failure:
        return replace(snapshot, unknown={**snapshot.unknown, seen.source: seen.failure})
    if seen.ref is not None:
        return _with_object(snapshot, seen.ref, seen.value)
    unknown = {source: why for source, why in snapshot.unknown.items() if source != seen.source}
    snapshot = replace(snapshot, unknown=unknown, heard={**snapshot.heard, seen.source: seen.at})
    if seen.source == "release":
        snapshot = replace(snapshot, missing=None)
    if seen.source == "repository":
        snapshot = _compared(snapshot, seen.value.wal)
    return replace(snapshot, **{seen.source: seen.value}) if seen.source in PACE_SECONDS else snapshot


def _compared(snapshot: Snapshot, wal: Wal | None) -> Snapshot:
    """What the archiver said before the repository was asked has to be in its answer, whatever the clocks say."""
    owed = snapshot.promised if wal is None or snapshot.promised > wal.last else ""
    told = snapshot.archiver.last_wal if snapshot.archiver else ""
    return replace(snapshot, owed=owed, promised=told if _is_segment(told) else snapshot.promised)


def ended(snapshot: Snapshot, at: datetime) -> Snapshot:
    """What is left at a moment of a snapshot whose release nobody watches any more: no source speaks for it.

    A list of Kubernetes was known up to the last thing that was seen.
    """
    watched = {resource.plural: snapshot.at for resource in WATCHED if resource.plural in snapshot.heard}
    unknown = {**dict.fromkeys(snapshot.sources, "no longer watched"), **snapshot.unknown}
    return replace(snapshot, at=at, heard={**snapshot.heard, **watched}, unknown=unknown)


def _with_log(runs: Sequence[Run], name: str, seen: Observation) -> tuple[Run, ...]:
    return tuple(_logged(run, seen) if run.real_name == name and run.state == "failed" else run for run in runs)


def _logged(run: Run, seen: Observation) -> Run:
    if seen.failure and not seen.final:
        return replace(run, unread=seen.failure)
    lines = (f"the log cannot be read: {seen.failure}",) if seen.failure else tuple(seen.value)
    fault = diagnose("\n".join(lines)) or diagnose(run.message)
    return replace(run, tail=lines[-TAIL_KEPT:], unread="", fault=fault)


def _with_object(snapshot: Snapshot, ref: Ref, obj: Object | None) -> Snapshot:
    names = Names.of(snapshot.name)
    if ref.resource == CRONJOB:
        crons = [cron for cron in snapshot.crons if cron.real_name != ref.name] + ([_cron(obj, names)] if obj else [])
        crons.sort(key=lambda cron: (cron.real_name not in (names.full, names.incremental), cron.name))
        return replace(snapshot, crons=tuple(sorted(crons[:OBJECTS_KEPT], key=lambda cron: cron.name)))
    if ref.resource == JOB:
        before = next((run for run in snapshot.runs if run.real_name == ref.name), None)
        runs = [run for run in snapshot.runs if run is not before] + ([_run(obj, names, before)] if obj else [])
        runs.sort(key=lambda run: (run.state == "running", run.started or LONG_AGO))
        return replace(snapshot, runs=tuple(sorted(runs[-RUNS_KEPT:], key=lambda run: run.started or LONG_AGO)))
    objects = {known: health for known, health in snapshot.objects.items() if known != ref}
    if obj is not None and not owners(obj, JOB.kind):
        health = assess(obj)
        objects[ref] = replace(health, message=visible(health.message))
    own = (names.release, names.pod)
    kept = sorted(objects, key=lambda ref: (ref.name not in own, objects[ref].status != "failed", str(ref)))
    return replace(snapshot, objects={ref: objects[ref] for ref in sorted(kept[:OBJECTS_KEPT], key=str)})


def _raw(name: str) -> str:
    return "" if fit(name) == name else name


def _cron(obj: Object, names: Names) -> Cron:
    spec, status, name = obj["spec"], obj.get("status") or {}, obj["metadata"]["name"]
    return Cron(
        name=fit(name),
        kind="full" if name == names.full else "incr",
        schedule=plain(str(spec.get("schedule", ""))),
        zone=plain(str(spec.get("timeZone") or "Etc/UTC")),
        suspended=bool(spec.get("suspend")),
        last=moment(status.get("lastScheduleTime")),
        succeeded=moment(status.get("lastSuccessfulTime")),
        raw=_raw(name),
    )


def _kind(job: Object, names: Names) -> BackupKind:
    """That of the CronJob which a Job comes from: its own name may be cut, and holds whatever the release is called."""
    if job["metadata"]["name"] == names.init:
        return "init"
    return "full" if names.full in owners(job, CRONJOB.kind) else "incr"


def _run(obj: Object, names: Names, before: Run | None) -> Run:
    health, status, name = assess(obj), obj.get("status") or {}, obj["metadata"]["name"]
    state: Literal["running", "succeeded", "failed"] = "running"
    if health.status != "progressing":
        state = "succeeded" if health.status == "ready" else "failed"
    uid = fit(str(obj["metadata"].get("uid", "")))
    known = before if before is not None and before.uid == uid else None  # the hook Job is made anew under its name
    return Run(
        name=fit(name),
        uid=uid,
        kind=_kind(obj, names),
        state=state,
        started=moment(status.get("startTime") or obj["metadata"].get("creationTimestamp")),
        ended=moment(status.get("completionTime") or condition(obj, "Failed").get("lastTransitionTime")),
        message=health.message,
        tail=known.tail if known else None,
        unread=known.unread if known else "",
        fault=known.fault if known else None,
        raw=_raw(name),
    )
