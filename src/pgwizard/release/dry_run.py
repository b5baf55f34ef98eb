"""Every object tried on the server before the first write: what would change, and what would be refused."""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pgwizard.diagnose.diagnose import diagnose
from pgwizard.errors import (
    ApiError,
    Conflict,
    Finding,
    Forbidden,
    Invalid,
    NotFound,
    OwnershipConflict,
    PreflightError,
)
from pgwizard.kube.api import (
    FIELD_MANAGER,
    JOB,
    NAMESPACE,
    ROLE,
    STATEFULSET,
    Cluster,
    Object,
    Ref,
    WriteResult,
    find_object,
    side_by_side,
)
from pgwizard.plan.plan import Plan
from pgwizard.quantities import live_bytes, read_quantity, size_text
from pgwizard.release.deletion import is_refused_by_count
from pgwizard.release.immutable import claim_size, claimed_size
from pgwizard.release.layout import operator_of, renamed_container
from pgwizard.release.ownership import applier_of, other_owner, without_marks
from pgwizard.release.survey import claim_ref

_LABELS = ".metadata.labels."
"""How the server begins the name of a label in a conflict."""
QUANTITIES = frozenset({"cpu", "memory", "storage", "sizeLimit", "ephemeral-storage"})
"""The fields of our objects that hold one."""

# ---- live objects and dry runs -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trial:
    """One object as it is, and as the server says it would be. warnings: the server's.

    grows_from: the size of the volume of a StatefulSet that is replaced since its claim template has another one.
    has_volume: False where it has claimed none yet, so that it may claim another size or StorageClass.
    after: what must be made before it can be tried; until then result is the wanted object.
    owner: the other tool that manages it until it is taken over.
    Objects are not shown by repr: a Secret's data is among them.
    """

    intent: Object = field(repr=False)
    live: Object | None = field(repr=False)
    result: Object = field(repr=False)
    warnings: tuple[str, ...] = ()
    grows_from: str | None = None
    has_volume: bool = True
    after: Ref | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An object that would not be written, and why: another tool has it or a field of it, or the server refuses it."""

    why: Literal["owned", "conflict", "invalid"]
    problem: Finding


async def try_out(
    cluster: Cluster,
    plan: Plan,
    objects: Sequence[Object],
    *,
    force: bool,
    namespace_exists: bool,
    inventory: Collection[Ref] = (),
    take_over: bool = False,
) -> list[Trial]:
    """Dry-run every object. inventory: what the record says is the release's own, whatever its labels say.
    take_over: objects of other tools are tried as well, without the marks of these tools.

    Raises OwnershipConflict or PreflightError with all that the server would refuse.

    In a namespace that is still to be made nothing can be tried: results are the wanted objects. Nor can a RoleBinding
    whose Role is still to be made, since the server compares what the Role grants with what the user may do.
    """
    plan_refs = set(map(Ref.of, objects))

    async def one(obj: Object) -> Trial | _Refusal:
        ref = Ref.of(obj)
        if not namespace_exists and ref.namespace is not None:
            return Trial(obj, None, obj)
        live = await find_object(cluster, ref)
        if ref.resource == NAMESPACE and live is not None:  # never written, so whose it is does not matter
            return Trial(live, live, live)
        is_ours = ref in inventory
        owner = _owner(live, is_ours=is_ours, take_over=take_over)
        if owner is not None and not take_over:
            return _Refusal("owned", Finding("", f"{ref} belongs to {owner}"))
        if ref.resource == JOB:  # never changed, only created again
            beside = await _try_beside(cluster, obj, live)
            if isinstance(beside, _Refusal):
                return beside
            return Trial(obj, live, obj, beside.warnings if beside is not None else ())
        try:
            trial = await _dry_run(cluster, plan, obj, live, force=force or owner is not None)
            if isinstance(trial, _Refusal):
                return trial if is_ours else _refused_by_tool(trial, live)
            return trial if owner is None else _without_owner(trial, owner)
        except NotFound:  # the server looks into the Role for what it would grant, and a dry run has made none
            role = _role_of(obj)
            if role is None or role not in plan_refs or await find_object(cluster, role) is not None:
                raise
            return Trial(obj, live, obj, after=role)

    results = await side_by_side([one(obj) for obj in objects])
    refusals = [item for item in results if isinstance(item, _Refusal)]
    claims, conflicts, invalid = (
        [item.problem for item in refusals if item.why == why] for why in ("owned", "conflict", "invalid")
    )
    if claims or conflicts:
        raise OwnershipConflict(
            "another tool owns what would be written; nothing was written",
            findings=(*claims, *conflicts),
            hint=_owned_hint(cluster, plan)
            if claims
            else "Take the fields over with --force-conflicts where that is meant.",
        )
    if invalid:
        diagnoses = (diagnose(problem.text) for problem in invalid)
        hint = next((each.fix for each in diagnoses if each is not None), "")
        raise PreflightError("the cluster refuses what would be written; nothing was written", invalid, hint=hint)
    return [item for item in results if isinstance(item, Trial)]


def _owner(live: Object | None, *, is_ours: bool, take_over: bool) -> str | None:
    """The tool that must be asked first. kubectl is one only for who takes over: it never writes by itself."""
    if live is None:
        return None
    return other_owner(live, is_ours=is_ours) or (applier_of(live) if take_over else None)


def _refused_by_tool(refusal: _Refusal, live: Object | None) -> _Refusal:
    """A conflict over an object that another tool has applied is about the object, not about a field."""
    is_applied = live is not None and applier_of(live) is not None
    return replace(refusal, why="owned") if refusal.why == "conflict" and is_applied else refusal


def _without_owner(trial: Trial, owner: str) -> Trial:
    return replace(trial, result=without_marks(trial.result), owner=owner)


def _owned_hint(cluster: Cluster, plan: Plan) -> str:
    ref = plan.ref
    answers = cluster.commands.pgwizard("import", ref.name, "-o", "live.yaml", namespace=ref.namespace)
    return (
        "Change them with the tool they belong to, or choose another release.name. To manage them with pgwizard from "
        f"now on: {answers}; then look at the differences, pgwizard diff live.yaml --take-over, and apply them, "
        "pgwizard apply live.yaml --take-over (docs/gitops.md)"
    )


def _role_of(obj: Object) -> Ref | None:
    """The Role of a RoleBinding; None of anything else."""
    to = obj.get("roleRef") or {}
    return Ref(ROLE, to["name"], obj["metadata"]["namespace"]) if to.get("kind") == ROLE.kind else None


async def _dry_run(cluster: Cluster, plan: Plan, obj: Object, live: Object | None, *, force: bool) -> Trial | _Refusal:
    ref = Ref.of(obj)
    if ref.resource == STATEFULSET and live is not None and (owner := operator_of(live)):
        text = f"{ref} belongs to {owner}, whose operator would undo each change"
        return _Refusal("invalid", Finding("", f"{text}. Choose another release.name"))
    if ref.resource == STATEFULSET and live is not None and (other := renamed_container(live)):
        text = f"{ref}: its database is in container {other}; a second server would start beside it, on the same volume"
        return _Refusal("invalid", Finding("", f"{text}. Make a new release and restore into it"))
    size = claim_size(live) if ref.resource == STATEFULSET and live is not None else None
    obj = obj if live is None else _with_live_quantities(obj, live)
    # a claim template cannot change in place, not even how its size is written: the rest is tried with the live one
    attempt = obj if size is None else with_claim_size(obj, size)
    claim = None if size is None else await find_object(cluster, claim_ref(plan))
    has_volume = size is None or claim is not None
    differs = size is not None and live_bytes(size) not in (None, live_bytes(plan.storage_size))
    differs = differs or (not has_volume and live is not None and _storage_class(live) != _storage_class(obj))
    grows_from = (claimed_size(claim) or size) if differs else None
    if grows_from is not None and (problem := await _growth_problem(cluster, plan)):
        return _Refusal("invalid", problem)
    skips_apply = grows_from is not None and not has_volume  # its StorageClass may change too
    answer: WriteResult | _Refusal | None = None
    if not skips_apply:
        try:
            answer = await _attempt(ref, cluster.apply(attempt, dry_run=True, force=force))
        except _ForeignLabels as foreign:
            return await _dry_run(cluster, plan, _without_labels(obj, foreign.labels), live, force=force)
    if not isinstance(answer, _Refusal) and grows_from is not None:  # created again, without what others added to it
        attempt, first_answer = obj, answer
        answer = await _try_beside(cluster, obj, live)
        if answer is None and (first_answer is None or live is None or _has_foreign_template(live)):
            return Trial(attempt, live, attempt, (), grows_from, has_volume)
        if answer is None and first_answer is not None:
            answer = WriteResult(with_claim_size(first_answer.object, plan.storage_size), first_answer.warnings)
    if answer is None or isinstance(answer, _Refusal):
        return answer or Trial(attempt, live, attempt, (), grows_from, has_volume)
    result = {**answer.object, "metadata": {**answer.object["metadata"], "name": ref.name}}
    warnings = answer.warnings
    if size is not None and grows_from is None:  # nobody can do anything about those of the live template
        warnings = tuple(text for text in warnings if "volumeClaimTemplates" not in text)
    return Trial(attempt, live, result, warnings, grows_from, has_volume)


def _has_foreign_template(live: Object) -> bool:
    """Whether others have written into the pod's template, so that a new StatefulSet makes another pod."""
    entries = [item for item in live["metadata"].get("managedFields") or () if item.get("manager") != FIELD_MANAGER]
    return any("f:template" in (item.get("fieldsV1") or {}).get("f:spec", {}) for item in entries)


def _storage_class(statefulset: Object) -> object:
    return statefulset["spec"]["volumeClaimTemplates"][0]["spec"].get("storageClassName")


class _ForeignLabels(Exception):
    """Nothing but these labels is in conflict: Argo CD and others write labels of their own onto every object."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__(*labels)
        self.labels = labels


async def _try_beside(cluster: Cluster, obj: Object, live: Object | None) -> WriteResult | _Refusal | None:
    """Try under another name what is to take the place of a live object.

    None where a quota on the number of objects has no room for both: the live one is deleted first.
    """
    ref = Ref.of(obj)
    trial = await _attempt(ref, cluster.create(_rename(obj), dry_run=True))
    if isinstance(trial, _Refusal):
        problem = replace(trial.problem, text=trial.problem.text.replace(f"{ref.name}-try", ref.name))
        return None if live is not None and is_refused_by_count(problem.text) else replace(trial, problem=problem)
    return trial


def _rename(obj: Object) -> Object:
    """A copy that can be created beside the live object."""
    return {**obj, "metadata": {**obj["metadata"], "name": f"{obj['metadata']['name']}-try"}}


def _without_labels(obj: Object, labels: Sequence[str]) -> Object:
    metadata = obj["metadata"]
    rest = {key: value for key, value in (metadata.get("labels") or {}).items() if key not in labels}
    return {**obj, "metadata": {**metadata, "labels": rest}}


async def _attempt(ref: Ref, write: Coroutine[Any, Any, WriteResult]) -> WriteResult | _Refusal:
    """The server's answer; a refusal is a value, so that all are collected."""
    try:
        return await write
    except Conflict as error:
        labels = [field.removeprefix(_LABELS) for field, _ in error.causes if field.startswith(_LABELS)]
        if labels and len(labels) == len(error.causes):
            raise _ForeignLabels(labels) from error
        return _Refusal("conflict", Finding("", error.message))
    except (Invalid, Forbidden) as error:
        return _Refusal("invalid", Finding("", _refusal(ref, error)))


def _refusal(ref: Ref, error: ApiError) -> str:
    if ref.resource == STATEFULSET and "updates to statefulset spec" in error.message:
        return f"{error.message}: a StatefulSet cannot change this in place. Make a new release and restore into it"
    return error.message


def _with_live_quantities(intent: Any, live: Any, key: str = "") -> Any:
    """What is wanted, with each quantity of the same value spelt as the live one.

    A StatefulSet restarts its pod where nothing but a spelling changes (536870912 for 512Mi), and the server does not
    even count that as a new generation: nobody who waits for the new pod would see that one is due.
    """
    if isinstance(intent, Mapping) and isinstance(live, Mapping):
        return {name: _with_live_quantities(value, live.get(name), name) for name, value in intent.items()}
    if isinstance(intent, list) and isinstance(live, list):
        by_name = {item["name"]: item for item in live if isinstance(item, Mapping) and "name" in item}
        return [
            _with_live_quantities(item, by_name.get(item.get("name")) if isinstance(item, Mapping) else None)
            for item in intent
        ]
    if key in QUANTITIES and (exact := read_quantity(intent)) is not None and exact == read_quantity(live):
        return live
    return intent


def with_claim_size(statefulset: Object, size: str) -> Object:
    """A copy of the StatefulSet that claims this size."""
    template = statefulset["spec"]["volumeClaimTemplates"][0]
    claim = {
        **template,
        "spec": {**template["spec"], "resources": {**template["spec"]["resources"], "requests": {"storage": size}}},
    }
    return {**statefulset, "spec": {**statefulset["spec"], "volumeClaimTemplates": [claim]}}


async def _growth_problem(cluster: Cluster, plan: Plan) -> Finding | None:
    """What speaks against growing the volume. A claim that an interrupted run has grown already counts as grown."""
    size = plan.storage_size
    claim = await find_object(cluster, claim_ref(plan))
    if claim is None or live_bytes(claimed_size(claim)) == live_bytes(size):
        return None
    try:
        await cluster.patch(claim_ref(plan), {"spec": {"resources": {"requests": {"storage": size}}}}, dry_run=True)
    except (Forbidden, Invalid) as error:
        text = f"the volume of {size_text(claimed_size(claim))} cannot grow to {size_text(size)}: {error.message}"
        return Finding("storage.size", text)
    return None
