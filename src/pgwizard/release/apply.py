"""Brings a release into a cluster: the stages in plain sight, each safe to repeat.

Nothing is written before every object was tried and shown; after an interruption the next run resumes. Passwords are
made once and never changed. It does not print, prompt or read files: a face reports the events and approves, and
secrets come in as ``SecretInputs``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from pgwizard.answers.questions import Answers
from pgwizard.answers.secrets import SecretInputs, Sensitive
from pgwizard.clock import Clock
from pgwizard.errors import AlreadyExists, AnswersError, Finding, Interrupted, Locked, PgwizardError, PreflightError
from pgwizard.kube import api as kube_api
from pgwizard.kube import lease
from pgwizard.kube.api import CLAIM, CRONJOB, JOB, NAMESPACE, SECRET, STATEFULSET, Cluster, Object, Ref
from pgwizard.kube.health import assess, condition
from pgwizard.plan import checks, manifests
from pgwizard.plan.names import ReleaseRef
from pgwizard.plan.plan import Plan, resolve
from pgwizard.quantities import live_bytes, read_quantity, size_text
from pgwizard.release import (
    backups,
    deletion,
    ownership,
    record,
    rollout,
    secret_values,
    stages,
    survey,
)
from pgwizard.release import (
    checks as release_checks,
)
from pgwizard.release import (
    dry_run as release_dry_run,
)
from pgwizard.release import (
    rights as release_rights,
)
from pgwizard.release.changes import Change, compare, count_text
from pgwizard.release.dry_run import QUANTITIES, Trial
from pgwizard.release.image_version import ImageVersion, version_finding
from pgwizard.release.immutable import Installation, claim_size
from pgwizard.release.stages import Report, Stage
from pgwizard.tls.certificates import Bundle

STAGES = ("survey", "checks", "dry run", "lock", "apply", "wait", "first backup", "prune", "record")
INTERRUPTION_SECONDS = 5.0
"""Whoever stops a run waits no longer than this for its record to say so."""
AGES_SECONDS = 2.0
"""After a longer review of the changes, referenced objects are read again."""
HASH = "pgwizard/spec"
"""Annotation of the hook Job: the checksum of everything that was rendered, so that each spec runs it once."""
S3_MARK = "pgwizard/s3-credentials"
"""Annotation of the pod: changes with the S3 credentials, which it reads only when it starts; reveals nothing."""

Approve = Callable[[Sequence[Change]], Awaitable[bool]]
Result = Literal["deployed", "unchanged", "dry-run", "applied"]


@dataclass(frozen=True, slots=True)
class Options:
    """How to run. timeout_seconds bounds the wait for the pod; the first backup has the Job's own deadline.

    take_over: what another tool manages becomes pgwizard's. adoptable: the objects carry Helm's keys, so that Helm can
    adopt them.
    awaits_restore: the release is new, and its server is not started: a restore fills the volume first. origin: the
    repository of another release, which it restores.
    """

    dry_run: bool = False
    wait: bool = True
    timeout_seconds: float = 600
    force_conflicts: bool = False
    take_over: bool = False
    adoptable: bool = False
    awaits_restore: bool = False
    origin: record.Origin | None = None


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """What is wanted: answers, the secrets that they refer to, and certificates from a file, if any.

    origin: the release that a person opened to change it, if any.
    """

    answers: Answers
    secrets: SecretInputs = field(default_factory=SecretInputs)
    ca_file: Bundle | None = None
    origin: ReleaseRef | None = None


@dataclass(frozen=True, slots=True)
class ApplyOutcome:
    """How a run ended. ``unchanged``: the cluster was as wanted, and nothing was written.

    headline: the result in one line. findings: why the release cannot be relied on although it is up; the warnings of
    a stage come as events. plan: what was rendered, for ``report.address`` and ``report.connect_commands``.
    """

    result: Result
    changes: tuple[Change, ...]
    headline: str
    findings: tuple[Finding, ...] = ()
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class _Preparation:
    """All decisions of a run, made before the first write."""

    plan: Plan
    survey_result: survey.Survey
    trials: tuple[Trial, ...]
    changes: tuple[Change, ...]
    leftovers: tuple[Ref, ...]
    data: Mapping[Ref, Mapping[str, Sensitive]]
    spec: str
    salt: str
    damage: tuple[Finding, ...] = ()
    """Why the hook Job's backup cannot be relied on; it has run for this spec, and does not run again."""
    is_due: bool = False
    """Whether the hook Job took a damaged backup, and runs again."""

    @property
    def objects(self) -> list[Object]:
        return [trial.intent for trial in self.trials]

    @property
    def inventory(self) -> tuple[Ref, ...]:
        claim = survey.claim_ref(self.plan)
        return (*map(Ref.of, self.objects), claim)

    def outcome(self, result: Result, headline: str, findings: tuple[Finding, ...] = ()) -> ApplyOutcome:
        return ApplyOutcome(result, self.changes, headline, findings, self.plan)

    @property
    def job(self) -> Trial | None:
        return next((trial for trial in self.trials if Ref.of(trial.intent).resource == JOB), None)


# ---- the run -------------------------------------------------------------------------------------------------------


async def run(
    release: ReleaseRequest, cluster: Cluster, report: Report, approve: Approve, options: Options, *, now: Clock
) -> ApplyOutcome:
    """Bring the release to what is wanted, stage by stage.

    Raises AnswersError, PreflightError, OwnershipConflict, Locked, RolloutFailed, DeadlineError, JobFailed,
    Interrupted, and the errors of the cluster. A run that failed or was killed is simply run again.
    """
    preparation = await prepare(release, cluster, report, options, now)
    if options.dry_run:
        return preparation.outcome("dry-run", "Dry run: nothing was written.")
    if await _is_up_to_date(preparation, release, cluster):
        headline = "Already up to date."
        if preparation.damage:
            headline = "Already up to date, but its first full backup has page checksum errors."
        return preparation.outcome("unchanged", headline, preparation.damage)
    loop = asyncio.get_running_loop()
    painted_at = loop.time()
    if not await approve(preparation.changes):
        raise Interrupted("not approved: nothing was written")
    if loop.time() - painted_at > AGES_SECONDS:
        await _require_references(release, cluster, now)
    await _create_namespace(preparation, cluster, report)
    async with _hold_lock(preparation, cluster, report, now):
        await _delete_damaged(preparation, cluster)
        new_record = await _write_revision(preparation, release, cluster, now, options)
        try:
            async with stages.enter("apply", report) as stage:
                await _retire_unfinished(preparation, cluster)
                stage.complete(await _apply(preparation, cluster, stage, options))
            if options.awaits_restore or not options.wait:
                return await _end_early(preparation, new_record, cluster, options)
            await _start_early(preparation, cluster)
            async with stages.enter("wait", report) as stage:
                plan = preparation.plan
                timeout = options.timeout_seconds
                ready = await rollout.wait_ready(
                    cluster, plan.ref, timeout, stage.progress, backups=plan.backups, at=now()
                )
                if other := await _other_version(preparation, release.answers, cluster):
                    stage.warning(other)
                stage.complete(ready)
            findings = await _first_backup(preparation, cluster, report, now)
            await _prune(preparation, cluster, report)
        except asyncio.CancelledError:
            with contextlib.suppress(PgwizardError, TimeoutError):
                async with asyncio.timeout(INTERRUPTION_SECONDS):
                    await _record_interruption(preparation, new_record, cluster)
            raise
        except Exception:  # a closed pipe of the output too: the run has ended, so no revision may stay "applying"
            with contextlib.suppress(PgwizardError):  # the first failure is the one to report
                failure_outcome: Literal["failed", "damaged"] = "damaged" if preparation.damage else "failed"
                await cluster.apply(new_record.finish(new_record.inventory, failure_outcome).secret(), force=True)
            raise
        async with stages.enter("record", report) as stage:
            outcome: Literal["deployed", "damaged"] = "damaged" if findings else "deployed"
            await cluster.apply(new_record.finish(preparation.inventory, outcome).secret(), force=True)
            stage.complete(f"revision {new_record.revisions[-1].number}")
    headline = _headline(preparation.plan, findings, preparation.survey_result.installation)
    return preparation.outcome("deployed", headline, findings)


async def _end_early(
    preparation: _Preparation, new_record: record.Record, cluster: Cluster, options: Options
) -> ApplyOutcome:
    """Once the objects are applied, without a wait for the server."""
    if options.awaits_restore:
        await cluster.apply(new_record.finish(preparation.inventory, "deployed").secret(), force=True)
        return preparation.outcome("applied", "The release is created. Its server starts after the restore.")
    await _start_job(preparation, cluster)  # suspended by itself: WAL without a stanza would fill the volume
    headline = "Applied without waiting for the first backup. Run it again to wait for it."
    return preparation.outcome("applied", headline)


async def _record_interruption(preparation: _Preparation, new_record: record.Record, cluster: Cluster) -> None:
    """Nothing where the record is no longer the one of this run: a lost lock cancels it too."""
    live = await kube_api.find_object(cluster, record.secret_ref(new_record.ref))
    if live is None or live.get("data") != new_record.secret()["data"]:
        return
    interruption = new_record.finish(new_record.inventory, "damaged" if preparation.damage else "interrupted").secret()
    interruption["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    await cluster.apply(interruption, force=True)


async def _other_version(preparation: _Preparation, answers: Answers, cluster: Cluster) -> Finding | None:
    """That a new image has another pgBackRest than the answers say; of one that ran before, the checks have seen it."""
    image = answers.images.postgresql
    if not preparation.plan.backups or release_checks.runs(preparation.survey_result.installation.statefulset, image):
        return None
    return version_finding(answers, await ImageVersion(cluster, preparation.plan.ref).read(image))


def _headline(plan: Plan, findings: Sequence[Finding], before: Installation) -> str:
    """before: what was installed; no backup is taken of a database that has a valid full one."""
    if findings:
        return "Release is up, but its first full backup has page checksum errors."
    if not plan.backups:
        return "Release is up. It has no backups."
    is_new = not before.has_data and not before.is_claim_unknown
    backup = "First full backup succeeded." if is_new else "A valid full backup is in the repository."
    return f"Release is up. {backup}"


async def _require_references(release: ReleaseRequest, cluster: Cluster, now: Clock) -> None:
    """The survey may be old after a long approval: no running pod may be stopped for one that cannot start."""
    problems = (await survey.survey(cluster, release.answers, release.ca_file, at=now())).errors
    if problems:
        raise PreflightError("a referenced object no longer exists; nothing was written", problems)


async def _survey(
    release: ReleaseRequest, cluster: Cluster, report: Report, options: Options, now: Clock
) -> survey.Survey:
    async with stages.enter("survey", report) as stage:
        rights, survey_result = await asyncio.gather(
            release_rights.require_rights(cluster, release.answers, ca_file=release.ca_file is not None),
            survey.survey(cluster, release.answers, release.ca_file, at=now(), take_over=options.take_over),
            return_exceptions=True,
        )
        if isinstance(rights, BaseException):  # a missing permission explains the rest
            raise rights
        if isinstance(survey_result, BaseException):
            raise survey_result
        if options.awaits_restore:
            _require_new(release, cluster, survey_result)
        else:
            _require_no_restore(release, cluster, survey_result)
        stage.complete(f"{cluster.server}, namespace {release.answers.release.namespace}")
        return survey_result


def _require_new(release: ReleaseRequest, cluster: Cluster, survey_result: survey.Survey) -> None:
    """A server that runs would be stopped without archiving its last WAL first."""
    ref, before = ReleaseRef.of(release.answers), survey_result.record
    stateful = survey_result.installation.statefulset
    if stateful is not None and not (before is not None and before.awaits_restore):
        command = cluster.commands.pgwizard("restore", ref.name, "--to", "latest", namespace=ref.namespace)
        raise PreflightError(
            f"release {ref.name} in namespace {ref.namespace} exists; nothing was written",
            hint=f"It is restored in place: {command}",
        )


def _require_no_restore(release: ReleaseRequest, cluster: Cluster, survey_result: survey.Survey) -> None:
    """An apply would start the server, on a data directory that may be half restored.

    Once the target is reached an apply is welcome: it may be what makes the pod start, or the backup succeed.
    """
    unfinished_restore = survey_result.record.unfinished_restore if survey_result.record else None
    awaits = survey_result.record is not None and survey_result.record.awaits_restore
    if awaits or (unfinished_restore is not None and not unfinished_restore.has_receipt):
        ref = ReleaseRef.of(release.answers)
        command = cluster.commands.pgwizard("restore", ref.name, namespace=ref.namespace)
        raise PreflightError(
            f"a restore of release {ref.name} in namespace {ref.namespace} has not ended; nothing was written",
            hint=f"End it first, it resumes: {command}",
        )


async def _check(
    release: ReleaseRequest, cluster: Cluster, survey_result: survey.Survey, report: Report, at: datetime
) -> tuple[Plan, list[manifests.Manifest]]:
    """The plan, and what it renders to."""
    async with stages.enter("checks", report) as stage:
        answers, facts = release.answers, survey_result.facts
        findings = checks.check(answers, facts)
        outside = await release_checks.run(release_checks.Subject(cluster, answers, survey_result, at, release.origin))
        refusals = [finding for finding in outside if finding.severity == "error"]
        doubts = (finding for finding in outside if finding.severity == "warning")
        warnings = (*findings.warnings, *survey_result.doubts, *doubts)
        for finding in warnings:
            stage.warning(finding)
        survey_result.require([*refusals, *findings.errors])
        if refusals:
            raise PreflightError("the cluster would refuse the pods or the volume; nothing was written", refusals)
        if findings.errors:
            raise AnswersError("the answers", findings.errors)
        plan = resolve(answers, facts)
        rendering = manifests.render(plan)
        warning_text = f", {_count(len(warnings), 'warning')}" if warnings else ""  # a face may find more
        stage.complete(f"{len(rendering)} objects{warning_text}")
        return plan, rendering


async def prepare(
    release: ReleaseRequest, cluster: Cluster, report: Report, options: Options, now: Clock
) -> _Preparation:
    """Read, check and try everything without writing."""
    survey_result = await _survey(release, cluster, report, options, now)
    plan, rendering = await _check(release, cluster, survey_result, report, now())
    async with stages.enter("dry run", report) as stage:
        values = await secret_values.decide(release.answers, release.secrets, plan, survey_result, cluster)
        for finding in values.warnings:
            stage.warning(finding)
        salt = (survey_result.record and survey_result.record.salt) or secrets.token_hex(16)
        mark = hmac.digest(salt.encode(), values.s3, "sha256").hex()[:16] if values.s3 else ""
        # where the values of a Secret come from changes nothing that runs; the mark changes with them
        texts = [_spec_text(item.object) for item in rendering if item.role not in manifests.SECRETS_TO_CREATE]
        spec = hashlib.sha256("---\n".join([*texts, mark]).encode()).hexdigest()
        live = survey_result.installation.statefulset
        objects = [_stamp(item.object, spec, mark, live) for item in rendering]
        if options.adoptable:
            chart = {role for role in manifests.ORDER if role not in _NOT_ADOPTED}
            pairs = zip(rendering, objects, strict=True)
            objects = [ownership.adoptable(obj, plan.ref) if item.role in chart else obj for item, obj in pairs]
        if options.awaits_restore:
            objects = [_without_server(each) for each in objects if Ref.of(each).resource != JOB]
        trials = await release_dry_run.try_out(
            cluster,
            plan,
            objects,
            force=options.force_conflicts,
            namespace_exists=survey_result.namespace_exists,
            inventory=survey_result.record.inventory if survey_result.record else (),
            take_over=options.take_over,
        )
        suspensions = list[Finding]()
        for trial in trials:
            for warning in trial.warnings:
                stage.warning(Finding(text=f"{Ref.of(trial.intent)}: {warning}", severity="warning"))
            if Ref.of(trial.intent).resource == CRONJOB and (suspension := backups.suspension(trial.live or {})):
                suspensions.append(suspension)
        for finding in _suspensions(plan.ref, cluster, survey_result.record, suspensions):
            stage.warning(finding)
        leftovers = _leftovers(survey_result.record, objects)
        if options.take_over:
            leftovers += await _helm_history(cluster, plan.ref)
        if leftovers:
            await release_rights.require_deletion(cluster, leftovers)
        has_damage = await _has_damage(survey_result.record, spec, trials, cluster)
        is_due = has_damage and await backups.has_newer_full(cluster, plan.ref)
        writes = (_change(trial, spec, values.to_write, is_due=is_due) for trial in trials)
        changes = (*writes, *(_removal(ref) for ref in leftovers))
        trial_text = (
            ""
            if survey_result.namespace_exists
            else "; the namespace is created first, then the other objects are tried in it"
        )
        for trial in trials:
            if trial.after is not None:
                trial_text += (
                    f"; {Ref.of(trial.intent)} can be tried only after its {trial.after.resource.kind} is made"
                )
        stage.complete(count_text(changes) + trial_text)
    damage = (backups.damage_finding(),) if has_damage and not is_due else ()
    return _Preparation(
        plan, survey_result, tuple(trials), changes, tuple(leftovers), values.to_write, spec, salt, damage, is_due
    )


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _suspensions(
    ref: ReleaseRef, cluster: Cluster, before: record.Record | None, suspensions: Sequence[Finding]
) -> Sequence[Finding]:
    """The warnings about suspended schedules; a restore has suspended them on purpose until it ends."""
    if not suspensions or before is None or before.unfinished_restore is None:
        return suspensions
    command = cluster.commands.pgwizard("restore", ref.name, namespace=ref.namespace)
    text = "the schedules are suspended by a restore that has not ended"
    return [Finding(text=text, severity="warning", fix=f"It resumes them at its end. Where it was stopped: {command}")]


# ---- what is wanted ------------------------------------------------------------------------------------------------


def _spec_text(value: Any, key: str = "") -> str:
    """An object as text that is the same however a quantity is spelt: 1.5Gi is 1536Mi."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(name)}:{_spec_text(value[name], name)}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_spec_text, value)) + "]"
    exact = read_quantity(value) if key in QUANTITIES else None
    return json.dumps(value) if exact is None else f"{exact.normalize():f}"


def _stamp(obj: Object, spec: str, mark: str, live: Object | None) -> Object:
    """Add the checksum of the spec to the hook Job, and the mark of its S3 credentials to the pod.

    live: the StatefulSet. A pod that another tool made has no mark, and a first one would restart it: the StatefulSet
    keeps it until the credentials change.
    """
    resource = Ref.of(obj).resource
    if resource == JOB:
        return _annotate(obj, HASH, spec)
    if resource == STATEFULSET and mark:
        has_own_place = live is not None and S3_MARK not in _annotations(live["spec"]["template"])
        if has_own_place and _annotations(live or {}).get(S3_MARK, mark) == mark:
            return _annotate(obj, S3_MARK, mark)
        template = _annotate(obj["spec"]["template"], S3_MARK, mark)
        return {**obj, "spec": {**obj["spec"], "template": template}}
    return obj


def _without_server(obj: Object) -> Object:
    """Without its server, which would create an empty database on the empty volume."""
    return {**obj, "spec": {**obj["spec"], "replicas": 0}} if Ref.of(obj).resource == STATEFULSET else obj


_NOT_ADOPTED = frozenset({"namespace", "init-job"}) | manifests.SECRETS_TO_CREATE
"""What the chart does not have, or makes again: Helm adopts none of it."""


def _annotations(obj: Object) -> Mapping[str, str]:
    return (obj.get("metadata") or {}).get("annotations") or {}


async def _helm_history(cluster: Cluster, release: ReleaseRef) -> list[Ref]:
    """Helm's revisions of a release: with them ``helm uninstall`` would delete objects that are no longer Helm's."""
    labels = f"owner=helm,name={release.name}"
    secrets_of_helm = await kube_api.list_objects(cluster, SECRET, release.namespace, labels=labels, metadata_only=True)
    return [Ref(SECRET, item["metadata"]["name"], release.namespace) for item in secrets_of_helm]


def _annotate(obj: Object, key: str, value: str) -> Object:
    metadata = obj["metadata"]
    return {**obj, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), key: value}}}


# ---- what changes --------------------------------------------------------------------------------------------------


async def _has_damage(before: record.Record | None, spec: str, trials: Sequence[Trial], cluster: Cluster) -> bool:
    """Whether the hook Job that has run for this spec took a backup with page checksum errors."""
    last = before.last if before else None
    if last is None or last.outcome != "damaged" or last.spec != spec:
        return False
    live = next((trial.live for trial in trials if Ref.of(trial.intent).resource == JOB), None)
    is_same = live is not None and (live["metadata"].get("annotations") or {}).get(HASH) == spec
    return live is not None and is_same and await backups.has_succeeded(cluster, live)


def _growth(size: str, statefulset: Object) -> str:
    """What happens to a volume of this size, which may have grown by hand, or in a run that did not end."""
    claim = claim_size(statefulset)
    has_grown = claim is not None and live_bytes(claim) == live_bytes(size)
    return f"the volume {'has grown to' if has_grown else 'grows from'} {size_text(size)}{' already' * has_grown}"


def _change(trial: Trial, spec: str, data: Mapping[Ref, Mapping[str, Sensitive]], *, is_due: bool) -> Change:
    """is_due: the hook Job has run for this spec and must run again."""
    ref = Ref.of(trial.intent)
    if values := data.get(ref):
        old = trial.result.get("data") or {}
        return compare(trial.live, {**trial.result, "data": {**old, **secret_values.encode(values)}})
    if trial.grows_from is not None:
        change = compare(trial.live, trial.result)
        cause = _growth(trial.grows_from, trial.intent) if trial.has_volume else "it has no volume yet"
        why = cause + ("" if change.restarts or not trial.has_volume else "; the pod keeps running")
        return replace(change, action="replace", why=why, has_volume=trial.has_volume)
    if ref.resource == JOB and trial.live is not None:
        if is_due:
            return Change(
                ref, "replace", why="the first full backup has page checksum errors, and there is a newer one"
            )
        if (trial.live["metadata"].get("annotations") or {}).get(HASH) == spec and assess(
            trial.live
        ).status != "failed":
            return Change(ref, "unchanged")
        return Change(ref, "replace", why="a Job runs once: it is created again")
    return compare(trial.live, trial.result)


_NEVER_PRUNED = frozenset({SECRET, CLAIM, NAMESPACE})


def _leftovers(before: record.Record | None, objects: Sequence[Object]) -> list[Ref]:
    """Objects that the answers no longer need, last applied first. Volumes, Secrets and the namespace always stay."""
    plan_refs = set(map(Ref.of, objects))
    inventory = before.inventory if before else ()
    return [ref for ref in reversed(inventory) if ref not in plan_refs and ref.resource not in _NEVER_PRUNED]


def _removal(ref: Ref) -> Change:
    why = (
        "helm uninstall would delete the release with it" if ref.resource == SECRET else "no longer part of the release"
    )
    return Change(ref, "delete", why=why)


async def _is_up_to_date(preparation: _Preparation, release: ReleaseRequest, cluster: Cluster) -> bool:
    """Whether there is nothing to write and nothing to wait for."""
    if any(change.action not in ("unchanged", "keep") for change in preparation.changes):
        return False
    last = preparation.survey_result.record.last if preparation.survey_result.record else None
    if (
        last is None
        or not (last.outcome == "deployed" or preparation.damage)
        or last.answers != _dump(release.answers, preparation.plan)
    ):
        return False
    for trial in preparation.trials:
        if Ref.of(trial.intent).resource == STATEFULSET and assess(trial.live or {}).status != "ready":
            return False
    job = preparation.job
    return job is None or (job.live is not None and await backups.has_succeeded(cluster, job.live))


def _dump(answers: Answers, plan: Plan) -> dict[str, object]:
    """The answers as a record keeps them, with what the release has where they were not given."""
    values: dict[str, Any] = answers.model_dump(by_alias=True, mode="json")
    values["storage"]["dataChecksums"] = plan.data_checksums
    return values


# ---- writing -------------------------------------------------------------------------------------------------------


async def _create_namespace(preparation: _Preparation, cluster: Cluster, report: Report) -> None:
    """Create the namespace, which the lock needs; then try all other objects before they are written."""
    if preparation.survey_result.namespace_exists:
        return
    namespace, *others = preparation.objects
    Stage("apply", report).changing(preparation.changes[0])  # counts as applied
    await cluster.apply(namespace)
    try:
        await release_dry_run.try_out(cluster, preparation.plan, others, force=False, namespace_exists=True)
    except PreflightError as error:
        message = "the cluster refuses what would be written; only the namespace was made"
        raise PreflightError(message, error.findings, hint=error.hint) from error


@contextlib.asynccontextmanager
async def _hold_lock(preparation: _Preparation, cluster: Cluster, report: Report, now: Clock) -> AsyncIterator[None]:
    """Acquire the release's Lease, and check that its record has not changed since the survey."""
    plan = preparation.plan
    async with contextlib.AsyncExitStack() as stack:
        async with stages.enter("lock", report) as stage:
            ref = record.lease_ref(plan.ref)
            await stack.enter_async_context(lease.hold(cluster, ref, report=stage.progress, now=now))
            live = await kube_api.find_object(cluster, record.secret_ref(plan.ref))
            if (live["metadata"]["resourceVersion"] if live else "") != preparation.survey_result.record_version:
                raise Locked("another run changed this release meanwhile; nothing was written", hint="Run it again.")
            stage.complete(str(ref))
        yield


async def _write_revision(
    preparation: _Preparation, release: ReleaseRequest, cluster: Cluster, now: Clock, options: Options
) -> record.Record:
    """Record objects before they are created, so that the leftovers of an interrupted run are known."""
    plan = preparation.plan
    before = preparation.survey_result.record or record.Record(plan.ref)
    before = replace(
        before,
        salt=preparation.salt,
        awaits_restore=options.awaits_restore,
        origin=options.origin or before.origin,
    )
    new_record = before.begin(
        preparation.inventory,
        now().isoformat(timespec="seconds"),
        preparation.spec,
        _dump(release.answers, preparation.plan),
    )
    if preparation.damage:  # an interruption must not hide it: the log of the Job may be gone by the next run
        new_record = new_record.finish(new_record.inventory, "damaged")
    await cluster.apply(new_record.secret(), force=True)
    return new_record


async def _apply(preparation: _Preparation, cluster: Cluster, stage: Stage, options: Options) -> str:
    """Write what changes, in order, and stop at the first error. The Job belongs to the first backup."""
    for trial, change in zip(preparation.trials, preparation.changes, strict=False):
        ref = Ref.of(trial.intent)
        if (change.action == "unchanged" and trial.owner is None) or ref.resource == JOB:
            continue  # what is taken over may differ in its owner alone
        if ref.resource == NAMESPACE and not preparation.survey_result.namespace_exists:
            continue  # created before the lock
        stage.changing(change)
        if trial.owner is not None and trial.live is not None:
            await cluster.patch(ref, ownership.ending_patch(trial.live, trial.result))
        if trial.grows_from is not None and trial.live is not None:
            await _grow(preparation.plan, cluster, trial.intent, trial.live)
            continue
        if values := preparation.data.get(ref):
            await secret_values.store(cluster, trial, values)
        result = await cluster.apply(trial.intent, force=options.force_conflicts or trial.owner is not None)
        if options.adoptable and ref.resource == STATEFULSET:
            await cluster.patch(ref, ownership.disowning_patch(result.object))
    writes = [change for change in preparation.changes if change.action != "delete" and change.ref.resource != JOB]
    return count_text(writes, is_done=True)


async def _grow(plan: Plan, cluster: Cluster, target: Object, live: Object) -> None:
    """Grow the claim, then replace the StatefulSet around its running pod, since a claim template cannot change."""
    ref = survey.claim_ref(plan)
    if await kube_api.find_object(cluster, ref) is not None:
        await cluster.patch(ref, {"spec": {"resources": {"requests": {"storage": plan.storage_size}}}})
    uid = live["metadata"]["uid"]
    await cluster.delete(Ref.of(target), uid=uid, propagation="Orphan")
    await deletion.wait_until_gone(cluster, Ref.of(target), uid, 60)
    await deletion.write_in_place_of_deleted(lambda: cluster.apply(target))


async def _start_early(preparation: _Preparation, cluster: Cluster) -> None:
    """Start the hook Job beside the very first pod: it waits for the rollout itself, and its own pod starts meanwhile.

    In an upgrade it starts after the wait, so that a pod that cannot start leaves the last Job alone.
    """
    is_installed = any(trial.live for trial in preparation.trials if Ref.of(trial.intent).resource == STATEFULSET)
    if preparation.job is not None and preparation.job.live is None and not is_installed:
        with contextlib.suppress(AlreadyExists):
            await cluster.create(preparation.job.intent)


async def _first_backup(preparation: _Preparation, cluster: Cluster, report: Report, now: Clock) -> tuple[Finding, ...]:
    """Wait for the hook Job of this spec. Returns why its backup cannot be relied on."""
    if preparation.job is None:
        return ()
    async with stages.enter("first backup", report) as stage:
        findings = preparation.damage
        if not findings:
            await _start_job(preparation, cluster)
            job = preparation.job.intent
            findings = await backups.wait(cluster, job, stage.progress, stage.log, at=now(), awaits_exit=False)
        for finding in findings:
            stage.warning(finding)
        stage.complete("a full backup is in the repository" if findings else "a valid full backup is in the repository")
        return findings


async def _delete_damaged(preparation: _Preparation, cluster: Cluster) -> None:
    """Delete a hook Job that runs again before the record forgets the damage: it would pass for a good one."""
    job = preparation.job
    if preparation.is_due and job is not None and job.live is not None:
        await cluster.delete(Ref.of(job.intent), uid=job.live["metadata"]["uid"])


async def _retire_unfinished(preparation: _Preparation, cluster: Cluster) -> None:
    """End a hook Job of an earlier spec that still waits for a pod: two at once would get in each other's way."""
    live = preparation.job.live if preparation.job is not None else None
    if live is None or assess(live).status != "progressing":
        return
    if (live["metadata"].get("annotations") or {}).get(HASH) != preparation.spec and not await backups.has_succeeded(
        cluster, live
    ):
        await cluster.delete(
            Ref.of({**live, "apiVersion": JOB.api_version, "kind": JOB.kind}), uid=live["metadata"]["uid"]
        )


async def _start_job(preparation: _Preparation, cluster: Cluster) -> None:
    """Run the hook Job once for each spec; one that is running or has succeeded for this spec is not run again."""
    if preparation.job is None:
        return
    ref = Ref.of(preparation.job.intent)
    live = await kube_api.find_object(cluster, ref)
    if live is not None:
        metadata = live["metadata"]
        same = (metadata.get("annotations") or {}).get(HASH) == preparation.spec
        again = any(change.ref == ref and change.action == "replace" for change in preparation.changes)
        if not same or again or condition(live, "Failed").get("status") == "True" or metadata.get("deletionTimestamp"):
            await cluster.delete(ref, uid=metadata["uid"])
            await deletion.wait_until_gone(cluster, ref, metadata["uid"], 120)
            live = None
    if live is None:
        job = preparation.job.intent
        with contextlib.suppress(AlreadyExists):
            await deletion.write_in_place_of_deleted(lambda: cluster.create(job))


async def _prune(preparation: _Preparation, cluster: Cluster, report: Report) -> None:
    if not preparation.leftovers:
        return
    async with stages.enter("prune", report) as stage:
        deletions, others = await deletion.delete_ours(cluster, preparation.leftovers, stage)
        stage.complete(f"{len(deletions)} deleted" + (f", {len(others)} kept" if others else ""))
