"""Applies one observation to a snapshot. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from pgwizard.diagnose.diagnose import diagnose
from pgwizard.errors import Finding
from pgwizard.kube import jobs
from pgwizard.kube.api import CRONJOB, JOB, POD, Object, Ref, owners
from pgwizard.kube.health import AWAITS_POD, assess, condition
from pgwizard.plan.names import Names
from pgwizard.release import drills, record, verification
from pgwizard.release.layout import job_type
from pgwizard.release.record import DrillResult, RepositoryVerification
from pgwizard.status.observations import (
    ArchiveRead,
    ArchiverRead,
    BackupFilesRead,
    CertificateRead,
    CrashLogRead,
    JobPodSeen,
    JobRefused,
    ListRead,
    LogFailed,
    LogRead,
    ObjectSeen,
    Observation,
    Reading,
    ReleaseRead,
    RepositoryRead,
    SourceFailed,
    SourceSlow,
    VolumeRead,
)
from pgwizard.status.repository import Wal, is_segment
from pgwizard.status.snapshot import (
    LONG_AGO,
    MAX_OBJECTS,
    MAX_RUNS,
    MAX_TAIL_LINES,
    BackupEnd,
    Cron,
    JobKind,
    Missing,
    ReleaseSummary,
    Run,
    Snapshot,
    moment,
)
from pgwizard.text import fit, plain, visible

_UNSCHEDULABLE = "Unschedulable"
"""The scheduler's reason for a pod that no node can take."""


def reduce(snapshot: Snapshot, observation: Observation) -> Snapshot:
    """The snapshot after one observation."""
    if isinstance(observation, LogRead | LogFailed):
        return replace(snapshot, runs=_with_log(snapshot.runs, observation))
    if isinstance(observation, CrashLogRead):
        return replace(snapshot, crash_log=tuple(observation.lines)[-MAX_TAIL_LINES:])
    if isinstance(observation, JobPodSeen):
        return _with_job_pod(snapshot, observation.pod)
    if isinstance(observation, JobRefused):
        refusals = dict(list({**snapshot.refusals, fit(observation.uid): observation.why}.items())[-2 * MAX_RUNS :])
        runs = tuple(_with_refusal(run, refusals) for run in snapshot.runs)
        return replace(snapshot, refusals=refusals, runs=runs)
    current = _apply(replace(snapshot, at=max(snapshot.at, observation.at)), observation)
    if current.has_no_statefulset == snapshot.has_no_statefulset:
        return current
    return replace(current, no_statefulset_since=observation.at if current.has_no_statefulset else None)


def _apply(snapshot: Snapshot, observation: Reading | ObjectSeen | ListRead | SourceSlow | SourceFailed) -> Snapshot:
    match observation:
        case SourceSlow():
            return replace(snapshot, slow_since={**snapshot.slow_since, observation.source: observation.since})
        case SourceFailed():
            return _with_failure(snapshot, observation.source, observation.why)
        case ObjectSeen():
            return _with_object(snapshot, observation.ref, observation.object)
        case ListRead():
            return _with_success(snapshot, observation.resource.plural, observation.at)
        case ReleaseRead(release=Missing() as missing):
            since = snapshot.missing.since if snapshot.missing else observation.at
            why = Finding(text=record.absence(snapshot.ref))
            return _with_failure(replace(snapshot, missing=replace(missing, since=since)), observation.source, why)
    return _with_walk(_with_answer(_with_success(snapshot, observation.source, observation.at), observation))


def _with_walk(snapshot: Snapshot) -> Snapshot:
    """The snapshot with its walk, which later snapshots reuse."""
    walk = snapshot.walk
    return snapshot if walk is None else replace(snapshot, known_walk=(snapshot.walk_inputs, walk))


def _with_answer(snapshot: Snapshot, observation: Reading) -> Snapshot:
    match observation:
        case ReleaseRead(release=ReleaseSummary() as release):
            return replace(snapshot, release=release, missing=None)
        case RepositoryRead():
            return replace(_compare_wal(snapshot, observation.repository.wal), repository=observation.repository)
        case ArchiveRead():
            return replace(snapshot, archive=observation.listing, archive_before=snapshot.archive)
        case BackupFilesRead():
            return replace(snapshot, files=observation.files)
        case ArchiverRead():
            return replace(snapshot, archiver=observation.archiver)
        case VolumeRead():
            return replace(snapshot, volume=observation.volume)
        case CertificateRead():
            return replace(snapshot, certificate=observation.certificate)
    return snapshot


def _with_success(snapshot: Snapshot, source: str, at: datetime) -> Snapshot:
    failures = {other: why for other, why in snapshot.failures.items() if other != source}
    answered_at = {**snapshot.answered_at, source: at}
    return replace(snapshot, failures=failures, answered_at=answered_at, slow_since=_without(snapshot, source))


def _with_failure(snapshot: Snapshot, source: str, why: Finding) -> Snapshot:
    return replace(snapshot, failures={**snapshot.failures, source: why}, slow_since=_without(snapshot, source))


def _without(snapshot: Snapshot, source: str) -> Mapping[str, datetime]:
    """The slow sources other than this one."""
    return {other: since for other, since in snapshot.slow_since.items() if other != source}


def _compare_wal(snapshot: Snapshot, wal: Wal | None) -> Snapshot:
    """Compare the WAL: what was archived before the repository was read must be in its answer. No clock is used."""
    expectation = snapshot.expected_wal
    newest = snapshot.archiver.last_wal if snapshot.archiver else ""
    return replace(
        snapshot,
        missing_wal=expectation if wal is None or expectation > wal.last else "",
        expected_wal=newest if is_segment(newest) else expectation,
    )


def _with_log(runs: Sequence[Run], observation: LogRead | LogFailed) -> tuple[Run, ...]:
    return tuple(
        _add_log(run, observation) if run.real_name == observation.job.name and run.state != "running" else run
        for run in runs
    )


def _add_log(run: Run, observation: LogRead | LogFailed) -> Run:
    if isinstance(observation, LogFailed) and not observation.is_final:
        return replace(run, unread=observation.why)
    lines = (
        tuple(observation.lines)
        if isinstance(observation, LogRead)
        else (f"the log cannot be read: {observation.why}",)
    )
    fault = (diagnose("\n".join(lines)) or diagnose(run.message)) if run.state == "failed" else None
    return replace(run, tail=lines[-MAX_TAIL_LINES:], unread="", fault=fault, verification=_verification(run, lines))


def _verification(run: Run, lines: Sequence[str]) -> RepositoryVerification | None:
    """The result in the log of a verification; None where there is none."""
    if run.kind != "verify" or run.started is None or run.ended is None:
        return None
    # pgBackRest has logged the same report before, indented
    place = max((number for number, line in enumerate(lines) if line.startswith("stanza: ")), default=0)
    try:
        return verification.read("\n".join(lines[place:]), "\n".join(lines[:place]), run.started, run.ended)
    except ValueError:
        return None


def _with_object(snapshot: Snapshot, ref: Ref, obj: Object | None) -> Snapshot:
    names = Names.of(snapshot.ref.name)
    if ref.resource == CRONJOB:
        crons = [cron for cron in snapshot.crons if cron.real_name != ref.name] + ([_cron(obj, names)] if obj else [])
        crons.sort(key=lambda cron: (cron.real_name not in (names.full, names.incremental), cron.name))
        visible_crons = sorted(crons[:MAX_OBJECTS], key=lambda cron: (not cron.is_backup, cron.name))
        return replace(snapshot, crons=tuple(visible_crons))
    if ref.resource == JOB:
        before = next((run for run in snapshot.runs if run.real_name == ref.name), None)
        runs = [run for run in snapshot.runs if run is not before]
        if obj is not None:
            run = _with_refusal(_run(obj, names, before), snapshot.refusals)
            runs.append(_with_end(run, snapshot))
        checks = {run.kind: run.uid for run in sorted(runs, key=_began) if run.state != "running" and not run.is_backup}
        runs.sort(key=lambda run: (run.state == "running" or run.uid in checks.values(), _began(run)))
        return replace(snapshot, runs=tuple(sorted(runs[-MAX_RUNS:], key=_began)))
    objects = {other: health for other, health in snapshot.objects.items() if other != ref}
    if obj is not None and not owners(obj, JOB.kind):
        health = assess(obj)
        objects[ref] = replace(health, message=visible(health.message))
    own = (names.release, names.pod)
    order = sorted(objects, key=lambda ref: (ref.name not in own, objects[ref].status != "failed", str(ref)))
    after = replace(snapshot, objects={ref: objects[ref] for ref in sorted(order[:MAX_OBJECTS], key=str)})
    pod = objects.get(Ref(POD, names.pod, snapshot.ref.namespace))
    is_over = pod is None or pod.status == "ready"  # between two crashes it is only starting
    return replace(after, crash_log=None) if is_over else after


def _began(run: Run) -> datetime:
    return run.started or LONG_AGO


def _with_job_pod(snapshot: Snapshot, pod: Object) -> Snapshot:
    """Add the end of its backup, which tells the Job's state before the Job does."""
    ends, stalls, code = dict(snapshot.backup_ends), dict(snapshot.stalls), jobs.exit_code(pod)
    health = assess({**pod, "kind": POD.kind})
    does_not_start = code is None and (health.status == "failed" or health.reason == _UNSCHEDULABLE)
    for uid in (fit(str(owner.get("uid"))) for owner in pod["metadata"].get("ownerReferences") or ()):
        if code is not None:
            has_company = pod.get("status", {}).get("phase") == "Running"
            ends[uid] = BackupEnd(code, moment(jobs.end_time(pod)), has_company)
        elif uid in ends and ends[uid].exit_code:  # the next attempt
            del ends[uid]
        stalls.pop(uid, None)
        if does_not_start:
            stalls[uid] = visible(health.message)
    stalls = dict(list(stalls.items())[-2 * MAX_RUNS :])
    newest = dict(list(ends.items())[-2 * MAX_RUNS :])
    receipts = dict(list({**snapshot.receipts, **_receipts(pod)}.items())[-MAX_RUNS:])
    after = replace(snapshot, backup_ends=newest, stalls=stalls, receipts=receipts)
    return replace(after, runs=tuple(_with_end(run, after) for run in snapshot.runs))


def _receipts(pod: Object) -> dict[str, DrillResult]:
    """The receipt of a drill that has ended, by the uid of its Job; none where its pod has left none to be read."""
    start, end = moment((pod.get("status") or {}).get("startTime")), moment(jobs.end_time(pod))
    uids = [fit(str(owner.get("uid"))) for owner in pod["metadata"].get("ownerReferences") or ()]
    if end is None or start is None or not uids:
        return {}
    try:
        return {uids[0]: drills.receipt_of(pod, end, (end - start).total_seconds())}
    except ValueError:
        return {}


def _with_end(run: Run, snapshot: Snapshot) -> Run:
    """A failed backup is retried, so only the Job itself reports a failure."""
    if run.kind == "drill":
        run = replace(run, drill=snapshot.receipts.get(run.uid))
    end = snapshot.backup_ends.get(run.uid)
    if run.state != "running" or end is None:
        return run
    stuck_since = end.at if end.has_company else None
    if end.exit_code:
        return replace(run, stuck_since=stuck_since)
    return replace(run, state="succeeded", ended=end.at, message="complete", stuck_since=stuck_since)


def _with_refusal(run: Run, refusals: Mapping[str, str]) -> Run:
    """Only while the Job has no pod: admission may have accepted a later one."""
    awaits_pod = run.state == "running" and run.message.startswith(AWAITS_POD)
    if not awaits_pod or run.uid not in refusals:
        return run
    return replace(run, message=f"{AWAITS_POD}: {refusals[run.uid]}", refusal=refusals[run.uid])


def _raw(name: str) -> str:
    return "" if fit(name) == name else name


def _cron(obj: Object, names: Names) -> Cron:
    spec, status, name = obj["spec"], obj.get("status") or {}, obj["metadata"]["name"]
    return Cron(
        name=fit(name),
        kind=job_type(obj, names.release),
        schedule=plain(str(spec.get("schedule", ""))),
        zone=plain(str(spec.get("timeZone") or "Etc/UTC")),
        suspended=bool(spec.get("suspend")),
        last=moment(status.get("lastScheduleTime")),
        succeeded=moment(status.get("lastSuccessfulTime")),
        raw=_raw(name),
    )


def _kind(job: Object, names: Names) -> JobKind:
    """The type by the CronJob of a Job: the Job's own name may be cut, and contains the name of the release."""
    if job["metadata"]["name"] == names.init:
        return "init"
    return job_type(job, names.release)


def _run(obj: Object, names: Names, before: Run | None) -> Run:
    health, status, name = assess(obj), obj.get("status") or {}, obj["metadata"]["name"]
    state: Literal["running", "succeeded", "failed"] = "running"
    if health.status != "progressing":
        state = "succeeded" if health.status == "ready" else "failed"
    uid = fit(str(obj["metadata"].get("uid", "")))
    same_run = before if before is not None and before.uid == uid else None  # the hook Job keeps its name
    return Run(
        name=fit(name),
        uid=uid,
        kind=_kind(obj, names),
        state=state,
        started=moment(status.get("startTime") or obj["metadata"].get("creationTimestamp")),
        ended=moment(status.get("completionTime") or condition(obj, "Failed").get("lastTransitionTime")),
        message=health.message,
        tail=same_run.tail if same_run else None,
        unread=same_run.unread if same_run else "",
        fault=same_run.fault if same_run else None,
        verification=same_run.verification if same_run else None,
        raw=_raw(name),
    )
