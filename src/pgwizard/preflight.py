"""What is read from the cluster before anything is decided, and what must be right before anything is written.

Every check is a read or a server-side dry run. It refuses to write, and to stop at the first finding: all that is
missing is said at once, with the kubectl line that checks it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from pgwizard import record, releases, standing
from pgwizard.answers import (
    Answers,
    CaSource,
    ExistingCipher,
    ExistingCredentials,
    ExistingS3Credentials,
    GeneratedCredentials,
)
from pgwizard.certificates import Bundle, read_bundle
from pgwizard.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OwnershipConflict,
    PreflightError,
    Problem,
)
from pgwizard.kinds import CLAIM, JOB, NAMESPACE, ROLE, SECRET, STATEFULSET
from pgwizard.kubeapi import Access, Cluster, Object, Ref, Written, plain
from pgwizard.plan import Names, Plan, mirrored_from, mirrored_s3
from pgwizard.quantities import read_quantity, size_text
from pgwizard.standing import Standing, claim_size, claimed_size

T = TypeVar("T")
SIDE_BY_SIDE = 8


@dataclass(frozen=True, slots=True)
class Survey:
    """What was read. None stands for what is not there.

    s3_source: the Secret of another namespace that is mirrored. existing: Secrets of the release's namespace that the
    answers name, by name. standing: what of the release stands already.
    """

    namespace_exists: bool
    record: record.Record | None
    record_version: str
    ca: Bundle | None
    s3_source: Object | None = field(repr=False)
    existing: dict[str, Object | None] = field(default_factory=dict, repr=False)
    standing: Standing = field(default_factory=Standing, repr=False)


async def side_by_side(questions: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results, a few requests at a time; the first error ends the others."""
    gate = asyncio.Semaphore(SIDE_BY_SIDE)
    asked = list(questions)

    async def through(question: Coroutine[Any, Any, T]) -> T:
        async with gate:
            return await question

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(through(question)) for question in asked]
    except BaseExceptionGroup as errors:  # the first is what happened, the others are its consequences
        raise errors.exceptions[0] from None
    finally:
        for question in asked:  # one whose turn never came must not complain of it
            question.close()
    return [task.result() for task in tasks]


async def found(cluster: Cluster, ref: Ref) -> Object | None:
    """The object, or None."""
    try:
        return await cluster.get(ref)
    except NotFound:
        return None


# ---- rights --------------------------------------------------------------------------------------------------------

_WRITE = ("get", "create", "patch")
_RELEASE_KINDS = (
    ("secrets", "", _WRITE),
    ("configmaps", "", (*_WRITE, "delete")),
    ("services", "", (*_WRITE, "delete")),
    ("statefulsets", "apps", (*_WRITE, "delete", "list", "watch")),
    ("persistentvolumeclaims", "", ("get", "list", "watch", "patch")),
    ("pods", "", ("get", "list", "watch", "delete")),
    ("pods/log", "", ("get",)),
    ("events", "", ("list", "watch")),
    ("leases", "coordination.k8s.io", ("get", "create", "update")),
)
_BACKUP_KINDS = (  # who gives a right to the CronJobs must have it: hence get pods, above, and pods/exec
    ("serviceaccounts", "", (*_WRITE, "delete")),
    ("roles", "rbac.authorization.k8s.io", (*_WRITE, "delete")),
    ("rolebindings", "rbac.authorization.k8s.io", (*_WRITE, "delete")),
    ("cronjobs", "batch", (*_WRITE, "delete")),
    ("jobs", "batch", ("get", "list", "watch", "create", "delete")),
    ("pods/exec", "", ("get", "create")),
)


def accesses(answers: Answers, *, ca_file: bool = False) -> list[Access]:
    """Every right that an apply of these answers may need, in the release's namespace and beyond.

    ca_file: whether a certificate is given as a file, which stands in where its Secret may not be read.
    """
    namespace = answers.release.namespace
    kinds = list(_RELEASE_KINDS)
    if answers.repository.enabled:
        kinds += _BACKUP_KINDS
    if answers.advanced.network_policy:
        kinds.append(("networkpolicies", "networking.k8s.io", (*_WRITE, "delete")))
    needed = [Access(verb, resource, group, namespace) for resource, group, verbs in kinds for verb in verbs]
    if answers.release.create_namespace:
        needed += [Access(verb, "namespaces", name=namespace if verb != "create" else "") for verb in _WRITE]
    if answers.tls_mirrored() and answers.tls.source is not None and not ca_file:
        needed.append(Access("get", "secrets", "", answers.tls.source.namespace, answers.tls.source.secret))
    credentials = answers.repository.credentials
    if answers.repository.enabled and mirrored_s3(answers) and isinstance(credentials, ExistingS3Credentials):
        needed.append(Access("get", "secrets", "", credentials.namespace, credentials.secret))
    return needed


async def require_rights(cluster: Cluster, answers: Answers, *, ca_file: bool = False) -> None:
    """Raises PreflightError with every missing right, its kubectl line, and a Role that grants them."""
    await require(cluster, accesses(answers, ca_file=ca_file))


async def require_deletion(cluster: Cluster, refs: Sequence[Ref]) -> None:
    """The same for objects that are to go: earlier answers may have needed rights that these do not."""
    kinds = dict.fromkeys((ref.resource.plural, ref.resource.group, ref.namespace) for ref in refs)
    await require(cluster, [Access("delete", *kind) for kind in kinds])


async def require(cluster: Cluster, needed: Sequence[Access]) -> None:
    """Raises PreflightError with all of them that are missing."""
    allowed = await cluster.allowed(needed)
    missing = [access for access, granted in allowed.items() if not granted]
    if missing:
        raise PreflightError(
            f"{cluster.server} does not let you do all that this needs; nothing was written",
            [Problem("", f"{_named(access)}   check: {access.command()}") for access in missing],
            hint="An administrator grants it with:\n" + role(missing),
        )


def _named(access: Access) -> str:
    group = f".{access.group}" if access.group else ""
    name = f" {access.name}" if access.name else ""
    where = f" in namespace {access.namespace}" if access.namespace else ""
    return f"{access.verb} {access.resource}{group}{name}{where}"


def role(missing: Sequence[Access]) -> str:
    """Roles, and a ClusterRole where it takes one, that grant the accesses; as YAML to hand to an administrator."""
    documents = []
    for namespace in sorted({access.namespace or "" for access in missing}):
        rules: dict[tuple[str, str, str], list[str]] = {}
        for access in missing:
            if (access.namespace or "") == namespace:
                rules.setdefault((access.group, access.resource, access.name), []).append(access.verb)
        kind, place = ("Role", f"\n  namespace: {namespace}") if namespace else ("ClusterRole", "")
        lines = [
            "apiVersion: rbac.authorization.k8s.io/v1",
            f"kind: {kind}",
            f"metadata:\n  name: pgwizard-operator{place}",
            "rules:",
        ]
        for (group, resource, name), verbs in rules.items():
            names = f', resourceNames: ["{name}"]' if name else ""
            lines.append(f'  - {{apiGroups: ["{group}"], resources: ["{resource}"]{names}, verbs: {_flow(verbs)}}}')
        documents.append("\n".join(lines))
    return "\n---\n".join(documents)


def _flow(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


# ---- survey --------------------------------------------------------------------------------------------------------


async def survey(cluster: Cluster, answers: Answers, ca_file: Bundle | None = None) -> Survey:
    """Read what the answers speak of. Raises PreflightError with every reference that leads nowhere.

    It raises that too where the record of the release cannot be read. ca_file: certificates from a file, taken where
    the source Secret cannot be looked up.
    """
    names, namespace = Names.of(answers.release.name), answers.release.namespace
    problems: list[Problem] = []
    s3 = answers.repository.credentials
    mirrored = answers.repository.enabled and mirrored_s3(answers) and isinstance(s3, ExistingS3Credentials)
    s3_ref = Ref(SECRET, s3.secret, s3.namespace) if mirrored and isinstance(s3, ExistingS3Credentials) else None
    named = sorted({secret for secret, _, _ in _named_secrets(answers)})
    questions: list[Coroutine[Any, Any, Any]] = [
        _namespace(cluster, namespace),
        releases.recorded(cluster, names.release, namespace),
        _ca(cluster, answers, ca_file, problems),
        _optional(cluster, s3_ref, problems, "repository.credentials"),
        found(cluster, Ref(STATEFULSET, names.release, namespace)),
        found(cluster, claim_of(answers)),
        *(found(cluster, Ref(SECRET, secret, namespace)) for secret in named),
    ]
    live_namespace, (known, version), ca, s3_source, statefulset, claim, *live = await side_by_side(questions)
    before = _made_with(known, statefulset, claim)
    superuser = await _superuser(cluster, answers, before)
    surveyed = Survey(
        namespace_exists=live_namespace is not None,
        record=known,
        record_version=version,
        ca=ca,
        s3_source=s3_source,
        existing=dict(zip(named, live, strict=True)),
        standing=Standing(before, _ours(statefulset), claim, superuser),
    )
    problems += _reference_problems(answers, surveyed)
    fixed = standing.problems(answers, surveyed.standing, _named_superuser(answers, surveyed.existing))
    if problems or fixed:
        message = (
            "the cluster does not hold what the answers name" if problems else "a release keeps what it was made with"
        )
        raise PreflightError(f"{message}; nothing was written", [*problems, *fixed])
    return surveyed


def _ours(statefulset: Object | None) -> Object | None:
    """What another tool has is no release of ours that stands; that it is in the way, the dry run says."""
    return None if statefulset is None or foreign_owner(statefulset) else statefulset


def _made_with(past: record.Record | None, statefulset: Object | None, claim: Object | None) -> Answers | None:
    """The answers that the database was made with, as far as the record tells.

    One that is ready was made, and on a volume that was bound a start that failed later on may have made one too.
    """
    made = past.deployed if past else None
    if past and made is None:
        ready = (statefulset or {}).get("status", {}).get("readyReplicas")
        bound = (claim or {}).get("status", {}).get("phase") == "Bound"
        made = past.last if ready or bound else None
    return _recorded(made)


async def _superuser(cluster: Cluster, answers: Answers, before: Answers | None) -> str | None:
    """The role that the first start made; not looked up where the answers about it are the same as then."""
    if before is None or before.credentials == answers.credentials:
        return None
    if isinstance(before.credentials, GeneratedCredentials):
        return before.credentials.username
    secret, key = Names.of(before.release.name).credentials, "username"
    if isinstance(before.credentials, ExistingCredentials):
        secret, key = before.credentials.secret, before.credentials.username_key
    with contextlib.suppress(Forbidden):
        return _text(await found(cluster, Ref(SECRET, secret, answers.release.namespace)), key)
    return None


def _named_superuser(answers: Answers, existing: Mapping[str, Object | None]) -> str | None:
    """The superuser that the answers name; None where that is in a variable or a file, or cannot be read."""
    credentials = answers.credentials
    if isinstance(credentials, GeneratedCredentials):
        return credentials.username
    if isinstance(credentials, ExistingCredentials):
        return _text(existing.get(credentials.secret), credentials.username_key)
    return None


def _text(secret: Object | None, key: str) -> str | None:
    """One value of a Secret as text, if it is there."""
    coded = ((secret or {}).get("data") or {}).get(key)
    return base64.b64decode(coded).decode(errors="replace") if coded else None


async def _namespace(cluster: Cluster, name: str) -> Object | None:
    """The namespace; a stand-in where it may not be read, since a namespaced user need not be able to."""
    try:
        return await found(cluster, Ref(NAMESPACE, name))
    except Forbidden:
        return {"metadata": {"name": name}}


async def _optional(cluster: Cluster, ref: Ref | None, problems: list[Problem], question: str) -> Object | None:
    if ref is None:
        return None
    try:
        return await cluster.get(ref)
    except (NotFound, Forbidden) as error:
        problems.append(Problem(question, error.message))
        return None


async def references(cluster: Cluster, answers: Answers) -> tuple[Problem, ...]:
    """What the answers name and the cluster does not hold, but for the certificate, and what the release keeps as it
    was made; for a person who is answering.

    What may not be read is left out: whether it is there shows at the apply.
    """
    s3, denied = answers.repository.credentials, set[str]()

    async def looked_up(ref: Ref) -> Object | None:
        try:
            return await found(cluster, ref)
        except Forbidden:
            denied.add(ref.name)
            return None

    name, namespace = answers.release.name, answers.release.namespace
    named = sorted({secret for secret, _, _ in _named_secrets(answers)})
    release = (record.ref(name, namespace), Ref(STATEFULSET, name, namespace), claim_of(answers))
    questions = [*map(looked_up, release), *(looked_up(Ref(SECRET, secret, namespace)) for secret in named)]
    mirrored = answers.repository.enabled and mirrored_s3(answers) and isinstance(s3, ExistingS3Credentials)
    if mirrored and isinstance(s3, ExistingS3Credentials):
        questions.append(looked_up(Ref(SECRET, s3.secret, s3.namespace)))
    live_namespace, live_record, statefulset, claim, *live = await side_by_side(
        [_namespace(cluster, namespace), *questions]
    )
    source = live.pop() if mirrored else None
    existing = dict(zip(named, live, strict=True))
    surveyed = Survey(live_namespace is not None, None, "", None, source, existing)
    problems = _reference_problems(answers, surveyed, frozenset(denied))
    if mirrored and source is None and isinstance(s3, ExistingS3Credentials) and s3.secret not in denied:
        where = f"Secret {s3.namespace}/{s3.secret}"
        problems.append(Problem("repository.credentials.secret", f"{where} does not exist"))
    past = None
    with contextlib.suppress(ValueError):  # what cannot be read is said where it is opened
        past = record.read(live_record) if live_record else None
    before = _made_with(past, statefulset, claim)
    stands = Standing(before, _ours(statefulset), claim, await _superuser(cluster, answers, before))
    return (*problems, *standing.problems(answers, stands, _named_superuser(answers, existing)))


def moved(answers: Answers, live: record.Record | None) -> tuple[Problem, ...]:
    """That an existing release gets another bucket or path: what it has stays where it is. Pure.

    What was tried since and failed has no backups. Another endpoint alone may well be another name of the same store.
    """
    then = _recorded(live.deployed if live else None)
    before, now = _repository(then) if then else None, _repository(answers)
    if before is None or now is None or before[1:] == now[1:]:
        return ()
    message = f"the backups so far stay in {_s3(before)}: the new place begins with a full backup, and without a past"
    return (Problem("repository.bucket" if before[1] != now[1] else "repository.path", message),)


def neighbours(
    answers: Answers, releases: Iterable[record.Record], opened: tuple[str, str] | None = None
) -> tuple[Problem, ...]:
    """What other releases of the cluster say to these answers, and the release's own past. Pure.

    opened: namespace and name of the release that was to be changed, if any.
    """
    own, place = answers.release, _repository(answers)
    problems: list[Problem] = []
    for release in releases:
        if (release.namespace, release.name) == (own.namespace, own.name):
            problems += moved(answers, release)
            continue
        if (release.namespace, release.name) == opened:
            where = f"{release.namespace}/{release.name}"
            problems.append(Problem("release.name", f"this makes a second release: {where} stays as it is"))
        other = _recorded(release.last)
        if other is not None and place is not None and _repository(other) == place:
            where, to = f"{release.namespace}/{release.name}", _s3(place)
            shared = f"{where} backs up to {to} as well: one path a database, never shared"
            problems.append(Problem("repository.path", shared))
    return tuple(problems)


def _recorded(revision: record.Revision | None) -> Answers | None:
    """The answers of a revision; None without one, or where another version wrote them."""
    try:
        return Answers.model_validate(revision.answers) if revision else None
    except ValueError:
        return None


def _repository(answers: Answers) -> tuple[str, str, str] | None:
    """Endpoint, bucket and path; None where there are no backups."""
    repository = answers.repository
    return (repository.s3_endpoint, repository.bucket, repository.path) if repository.enabled else None


def _s3(place: tuple[str, str, str]) -> str:
    endpoint, bucket, path = (plain(part, 100) for part in place)
    return f"{bucket}{path} at {endpoint}"


async def certificate(
    cluster: Cluster, answers: Answers, ca_file: Bundle | None = None
) -> tuple[Bundle | None, tuple[Problem, ...]]:
    """The certificates that the answers name, and what is wrong with them; all at ``tls.source``, for a person."""
    problems: list[Problem] = []
    bundle = await _ca(cluster, answers, ca_file, problems)
    return bundle, tuple(replace(problem, path="tls.source") for problem in problems)


async def _ca(cluster: Cluster, answers: Answers, ca_file: Bundle | None, problems: list[Problem]) -> Bundle | None:
    """The certificates of the source Secret, each way of its being wrong with its own words."""
    source = answers.tls.source
    if not answers.tls_mirrored() or source is None:
        return ca_file
    where = f"Secret {source.namespace}/{source.secret}"
    try:
        secret = await cluster.get(Ref(SECRET, source.secret, source.namespace))
    except NotFound:
        if ca_file is not None:
            return ca_file
        problems.append(Problem("tls.source", f"{where} does not exist: it holds the certificate to trust"))
        return None
    except Forbidden as error:
        if ca_file is not None:
            return ca_file
        problems.append(Problem("tls.source", f"{where} may not be read: {error.message}"))
        return None
    if wrong := _no_source(answers, source, secret):
        problems.append(wrong)
        return None
    data = secret["data"]
    try:
        return read_bundle(base64.b64decode(data[source.key], validate=True), datetime.now(UTC))
    except binascii.Error:
        problems.append(Problem("tls.source.key", f"{where}, key {source.key}: the server sent no base64"))
    except ValueError as error:
        problems.append(Problem("tls.source.key", f"{where}, key {source.key} {error}"))
    return None


def _no_source(answers: Answers, source: CaSource, secret: Object) -> Problem | None:
    """Why a certificate is not to be taken from this Secret, or cannot be."""
    where = f"Secret {source.namespace}/{source.secret}"
    if (source.namespace, source.secret) == (answers.release.namespace, Names.of(answers.release.name).ca):
        origin = plain(mirrored_from(secret["metadata"]), 320) or "the Secret that the certificate comes from"
        own = "is the release's own mirror, compared with itself for ever"
        return Problem("tls.source", f"{where} {own}: name {origin}")
    data = secret.get("data") or {}
    if source.key in data:
        return None
    keys = ", ".join(sorted(map(plain, data))) or "none"
    return Problem("tls.source.key", f"{where} has no key {source.key}; its keys: {keys}")


def _named_secrets(answers: Answers) -> list[tuple[str, tuple[str, ...], str]]:
    """(Secret, keys, question) of each Secret of the release's namespace that the answers name."""
    named: list[tuple[str, tuple[str, ...], str]] = []
    credentials = answers.credentials
    if isinstance(credentials, ExistingCredentials):
        named.append((credentials.secret, (credentials.username_key, credentials.password_key), "credentials.secret"))
    if answers.repository.enabled:
        s3, cipher = answers.repository.credentials, answers.repository.cipher
        if isinstance(s3, ExistingS3Credentials) and not mirrored_s3(answers):
            named.append((s3.secret, (s3.access_key_key, s3.secret_key_key), "repository.credentials.secret"))
        if isinstance(cipher, ExistingCipher):
            named.append((cipher.secret, (cipher.passphrase_key,), "repository.cipher.secret"))
    return named


def _reference_problems(answers: Answers, surveyed: Survey, denied: frozenset[str] = frozenset()) -> list[Problem]:
    namespace = answers.release.namespace
    problems = []
    if not surveyed.namespace_exists and not answers.release.create_namespace:
        problems.append(
            Problem(
                "release.namespace",
                f"namespace {namespace} does not exist: set release.createNamespace to true, or run kubectl create "
                f"namespace {namespace}",
            )
        )
    for secret, keys, question in _named_secrets(answers):
        if secret in denied:
            continue
        live = surveyed.existing.get(secret)
        if live is None:
            problems.append(Problem(question, f"Secret {namespace}/{secret} does not exist"))
            continue
        problems += _key_problems(live, keys, f"Secret {namespace}/{secret}", question)
    s3 = answers.repository.credentials
    if surveyed.s3_source is not None and isinstance(s3, ExistingS3Credentials):
        where = f"Secret {s3.namespace}/{s3.secret}"
        problems += _key_problems(
            surveyed.s3_source, (s3.access_key_key, s3.secret_key_key), where, "repository.credentials.secret"
        )
    return problems


def _key_problems(secret: Object, keys: Sequence[str], where: str, question: str) -> list[Problem]:
    """A value with a line break at its end is S3's commonest wrong secret: it signs nothing that the server accepts."""
    data = secret.get("data") or {}
    problems = []
    for key in keys:
        if key not in data:
            has = ", ".join(sorted(map(plain, data))) or "none"
            problems.append(Problem(question, f"{where} has no key {key}; its keys: {has}"))
            continue
        value = base64.b64decode(data[key])
        if not value:
            problems.append(Problem(question, f"{where}, key {key} is empty"))
        elif value != value.strip():
            problems.append(Problem(question, f"{where}, key {key} begins or ends with a blank or a line break"))
    return problems


# ---- live objects and dry runs -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trial:
    """One object as it is, and as the server says it would be. warnings: what the server said about it.

    after: what must be made before it can be tried; until then the wanted object stands for the server's answer.
    Objects are not shown by repr: a Secret's data is among them.
    """

    wanted: Object = field(repr=False)
    live: Object | None = field(repr=False)
    result: Object = field(repr=False)
    warnings: tuple[str, ...] = ()
    grows_from: str | None = None
    after: Ref | None = None


@dataclass(frozen=True, slots=True)
class _Refused:
    """An object that would not be written, and why: another tool has it or a field of it, or the server refuses it."""

    why: Literal["owned", "conflict", "invalid"]
    problem: Problem


async def try_out(
    cluster: Cluster, plan: Plan, objects: Sequence[Object], *, force: bool, namespace_exists: bool
) -> list[Trial]:
    """Dry-run every object. Raises OwnershipConflict or PreflightError with all that the server would refuse.

    In a namespace that is still to be made nothing can be tried: the wanted objects stand for the server's answer. Nor
    can a RoleBinding whose Role is still to be made, by who must hold what it grants.
    """
    wanted = set(map(Ref.of, objects))

    async def one(obj: Object) -> Trial | _Refused:
        ref = Ref.of(obj)
        if not namespace_exists and ref.namespace is not None:
            return Trial(obj, None, obj)
        live = await found(cluster, ref)
        if live is not None and (owner := foreign_owner(live)):
            return _Refused("owned", Problem("", f"{ref} belongs to {owner}"))
        if ref.resource == JOB:  # never changed, only made anew: under another name it can be tried beside the old one
            attempt = {**obj, "metadata": {**obj["metadata"], "name": f"{ref.name}-try"}}
            tried = await _attempt(ref, cluster.create(attempt, dry_run=True))
            return tried if isinstance(tried, _Refused) else Trial(obj, live, obj, tried.warnings)
        if ref.resource == NAMESPACE and live is not None:
            return Trial(live, live, live)
        try:
            return await _dry_run(cluster, plan, obj, live, force=force)
        except NotFound:  # the server looks into the Role for what it would grant, and a dry run has made none
            role = _role_of(obj)
            if role is None or role not in wanted or await found(cluster, role) is not None:
                raise
            return Trial(obj, live, obj, after=role)

    tried = await side_by_side([one(obj) for obj in objects])
    refused = [item for item in tried if isinstance(item, _Refused)]
    owned, conflicts, invalid = (
        [item.problem for item in refused if item.why == why] for why in ("owned", "conflict", "invalid")
    )
    if owned or conflicts:
        raise OwnershipConflict(
            "\n".join(
                [
                    "another tool owns what would be written; nothing was written",
                    *(f"  {problem}" for problem in (*owned, *conflicts)),
                ]
            ),
            hint="Choose another release.name, or remove them with the tool they belong to."
            if owned
            else "Take the fields over with --force-conflicts where that is meant.",
        )
    if invalid:
        raise PreflightError("the cluster refuses what would be written; nothing was written", invalid)
    return [item for item in tried if isinstance(item, Trial)]


def _role_of(obj: Object) -> Ref | None:
    """The Role of a RoleBinding; None of anything else."""
    to = obj.get("roleRef") or {}
    return Ref(ROLE, to["name"], obj["metadata"]["namespace"]) if to.get("kind") == ROLE.kind else None


async def _dry_run(cluster: Cluster, plan: Plan, obj: Object, live: Object | None, *, force: bool) -> Trial | _Refused:
    attempt, grows_from = obj, None
    ref = Ref.of(obj)
    if ref.resource == STATEFULSET and live is not None:
        problem, grows_from = await _growth(cluster, plan, live)
        if problem is not None:
            return _Refused("invalid", problem)
        if grows_from is not None:  # the claim template cannot change in place: the rest is tried with the old size
            attempt = with_claim_size(obj, grows_from)
    tried = await _attempt(ref, cluster.apply(attempt, dry_run=True, force=force))
    if isinstance(tried, _Refused):
        return tried
    result = with_claim_size(tried.object, plan.storage_size) if grows_from is not None else tried.object
    return Trial(obj, live, result, tried.warnings, grows_from)


async def _attempt(ref: Ref, write: Coroutine[Any, Any, Written]) -> Written | _Refused:
    """The server's answer; its refusal is one, so that the others go on."""
    try:
        return await write
    except Conflict as error:
        return _Refused("conflict", Problem("", error.message))
    except (Invalid, Forbidden) as error:
        return _Refused("invalid", Problem("", _refusal(ref, error)))


def _refusal(ref: Ref, error: ApiError) -> str:
    if ref.resource == STATEFULSET and "updates to statefulset spec" in error.message:
        return f"{error.message}: a StatefulSet cannot change this in place. Make a new release and restore into it"
    return error.message


def foreign_owner(live: Object) -> str | None:
    """The tool that says that it manages a live object; None for ours and for nobody's."""
    labels, annotations = live["metadata"].get("labels") or {}, live["metadata"].get("annotations") or {}
    manager = labels.get("app.kubernetes.io/managed-by")
    if "meta.helm.sh/release-name" in annotations:
        return f"Helm release {plain(annotations['meta.helm.sh/release-name'])}"
    return None if manager in (None, "pgwizard") else plain(manager)


def with_claim_size(statefulset: Object, size: str) -> Object:
    """A copy of the StatefulSet that claims this size."""
    template = statefulset["spec"]["volumeClaimTemplates"][0]
    claim = {
        **template,
        "spec": {**template["spec"], "resources": {**template["spec"]["resources"], "requests": {"storage": size}}},
    }
    return {**statefulset, "spec": {**statefulset["spec"], "volumeClaimTemplates": [claim]}}


def claim_ref(plan: Plan) -> Ref:
    """The release's volume claim."""
    return _claim(plan.names, plan.namespace)


def claim_of(answers: Answers) -> Ref:
    """The same, before there is a plan."""
    return _claim(Names.of(answers.release.name), answers.release.namespace)


def _claim(names: Names, namespace: str) -> Ref:
    return Ref(CLAIM, f"postgresql-storage-{names.pod}", namespace)


async def _growth(cluster: Cluster, plan: Plan, live: Object) -> tuple[Problem | None, str | None]:
    """What speaks against the wanted size, and the live size it grows from; both None where the size is the same.

    A claim that an interrupted run has grown already counts as grown.
    """
    before, wanted = claim_size(live), plan.storage_size
    if before is None or read_quantity(before) in (None, read_quantity(wanted)):
        return None, None
    claim = await found(cluster, claim_ref(plan))
    if claim is None or read_quantity(claimed_size(claim)) == read_quantity(wanted):
        return None, before
    try:
        await cluster.patch(claim_ref(plan), {"spec": {"resources": {"requests": {"storage": wanted}}}}, dry_run=True)
    except (Forbidden, Invalid) as error:
        has = size_text(claimed_size(claim))
        return Problem("storage.size", f"the volume of {has} cannot grow to {wanted}: {error.message}"), None
    return None, before
