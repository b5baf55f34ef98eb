"""What is read from the cluster before anything is decided, and what must be right before anything is written.

Every check is a read or a server-side dry run. It refuses to write, and to stop at the first finding: all that is
missing is said at once, with the kubectl line that checks it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pgwizard.answers.questions import (
    Answers,
    CaSource,
    ExistingCipher,
    ExistingCredentials,
    ExistingS3Credentials,
    GeneratedCredentials,
)
from pgwizard.errors import (
    Finding,
    Forbidden,
    NotFound,
    PreflightError,
)
from pgwizard.kube.api import (
    CLAIM,
    NAMESPACE,
    SECRET,
    STATEFULSET,
    Cluster,
    Object,
    Ref,
    found,
    side_by_side,
)
from pgwizard.plan.names import Names, mirrored_from
from pgwizard.plan.plan import Plan, mirrored_s3
from pgwizard.release import immutable, record, records
from pgwizard.release.immutable import Standing
from pgwizard.text import plain
from pgwizard.tls.certificates import Bundle, read_bundle


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


# ---- survey --------------------------------------------------------------------------------------------------------


async def survey(cluster: Cluster, answers: Answers, ca_file: Bundle | None = None) -> Survey:
    """Read what the answers speak of. Raises PreflightError with every reference that leads nowhere.

    It raises that too where the record of the release cannot be read. ca_file: certificates from a file, taken where
    the source Secret cannot be looked up.
    """
    names, namespace = Names.of(answers.release.name), answers.release.namespace
    problems: list[Finding] = []
    s3 = answers.repository.credentials
    mirrored = answers.repository.enabled and mirrored_s3(answers) and isinstance(s3, ExistingS3Credentials)
    s3_ref = Ref(SECRET, s3.secret, s3.namespace) if mirrored and isinstance(s3, ExistingS3Credentials) else None
    named = sorted({secret for secret, _, _ in _named_secrets(answers)})
    questions: list[Coroutine[Any, Any, Any]] = [
        _namespace(cluster, namespace),
        records.recorded(cluster, names.release, namespace),
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
    fixed = immutable.problems(answers, surveyed.standing, _named_superuser(answers, surveyed.existing))
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


async def _optional(cluster: Cluster, ref: Ref | None, problems: list[Finding], question: str) -> Object | None:
    if ref is None:
        return None
    try:
        return await cluster.get(ref)
    except (NotFound, Forbidden) as error:
        problems.append(Finding(question, error.message))
        return None


async def references(cluster: Cluster, answers: Answers) -> tuple[Finding, ...]:
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
        problems.append(Finding("repository.credentials.secret", f"{where} does not exist"))
    past = None
    with contextlib.suppress(ValueError):  # what cannot be read is said where it is opened
        past = record.read(live_record) if live_record else None
    before = _made_with(past, statefulset, claim)
    stands = Standing(before, _ours(statefulset), claim, await _superuser(cluster, answers, before))
    return (*problems, *immutable.problems(answers, stands, _named_superuser(answers, existing)))


def moved(answers: Answers, live: record.Record | None) -> tuple[Finding, ...]:
    """That an existing release gets another bucket or path: what it has stays where it is. Pure.

    What was tried since and failed has no backups. Another endpoint alone may well be another name of the same store.
    """
    then = _recorded(live.deployed if live else None)
    before, now = _repository(then) if then else None, _repository(answers)
    if before is None or now is None or before[1:] == now[1:]:
        return ()
    message = f"the backups so far stay in {_s3(before)}: the new place begins with a full backup, and without a past"
    question = "repository.bucket" if before[1] != now[1] else "repository.path"
    return (Finding(question, message, severity="warning"),)


def neighbours(
    answers: Answers, releases: Iterable[record.Record], opened: tuple[str, str] | None = None
) -> tuple[Finding, ...]:
    """What other releases of the cluster say to these answers, and the release's own past. Pure.

    opened: namespace and name of the release that was to be changed, if any.
    """
    own, place = answers.release, _repository(answers)
    problems: list[Finding] = []
    for release in releases:
        if (release.namespace, release.name) == (own.namespace, own.name):
            problems += moved(answers, release)
            continue
        if (release.namespace, release.name) == opened:
            where = f"{release.namespace}/{release.name}"
            second = f"this makes a second release: {where} stays as it is"
            problems.append(Finding("release.name", second, severity="warning"))
        other = _recorded(release.last)
        if other is not None and place is not None and _repository(other) == place:
            where, to = f"{release.namespace}/{release.name}", _s3(place)
            shared = f"{where} backs up to {to} as well: one path a database, never shared"
            problems.append(Finding("repository.path", shared, severity="warning"))
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
) -> tuple[Bundle | None, tuple[Finding, ...]]:
    """The certificates that the answers name, and what is wrong with them; all at ``tls.source``, for a person."""
    problems: list[Finding] = []
    bundle = await _ca(cluster, answers, ca_file, problems)
    return bundle, tuple(replace(problem, question="tls.source") for problem in problems)


async def _ca(cluster: Cluster, answers: Answers, ca_file: Bundle | None, problems: list[Finding]) -> Bundle | None:
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
        problems.append(Finding("tls.source", f"{where} does not exist: it holds the certificate to trust"))
        return None
    except Forbidden as error:
        if ca_file is not None:
            return ca_file
        problems.append(Finding("tls.source", f"{where} may not be read: {error.message}"))
        return None
    if wrong := _no_source(answers, source, secret):
        problems.append(wrong)
        return None
    data = secret["data"]
    try:
        return read_bundle(base64.b64decode(data[source.key], validate=True), datetime.now(UTC))
    except binascii.Error:
        problems.append(Finding("tls.source.key", f"{where}, key {source.key}: the server sent no base64"))
    except ValueError as error:
        problems.append(Finding("tls.source.key", f"{where}, key {source.key} {error}"))
    return None


def _no_source(answers: Answers, source: CaSource, secret: Object) -> Finding | None:
    """Why a certificate is not to be taken from this Secret, or cannot be."""
    where = f"Secret {source.namespace}/{source.secret}"
    if (source.namespace, source.secret) == (answers.release.namespace, Names.of(answers.release.name).ca):
        origin = plain(mirrored_from(secret["metadata"]), 320) or "the Secret that the certificate comes from"
        own = "is the release's own mirror: it would only be compared with itself"
        return Finding("tls.source", f"{where} {own}: name {origin}")
    data = secret.get("data") or {}
    if source.key in data:
        return None
    keys = ", ".join(sorted(map(plain, data))) or "none"
    return Finding("tls.source.key", f"{where} has no key {source.key}; its keys: {keys}")


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


def _reference_problems(answers: Answers, surveyed: Survey, denied: frozenset[str] = frozenset()) -> list[Finding]:
    namespace = answers.release.namespace
    problems = []
    if not surveyed.namespace_exists and not answers.release.create_namespace:
        problems.append(
            Finding(
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
            problems.append(Finding(question, f"Secret {namespace}/{secret} does not exist"))
            continue
        problems += _key_problems(live, keys, f"Secret {namespace}/{secret}", question)
    s3 = answers.repository.credentials
    if surveyed.s3_source is not None and isinstance(s3, ExistingS3Credentials):
        where = f"Secret {s3.namespace}/{s3.secret}"
        problems += _key_problems(
            surveyed.s3_source, (s3.access_key_key, s3.secret_key_key), where, "repository.credentials.secret"
        )
    return problems


def _key_problems(secret: Object, keys: Sequence[str], where: str, question: str) -> list[Finding]:
    """A value with a line break at its end is S3's commonest wrong secret: it signs nothing that the server accepts."""
    data = secret.get("data") or {}
    problems = []
    for key in keys:
        if key not in data:
            has = ", ".join(sorted(map(plain, data))) or "none"
            problems.append(Finding(question, f"{where} has no key {key}; its keys: {has}"))
            continue
        value = base64.b64decode(data[key])
        if not value:
            problems.append(Finding(question, f"{where}, key {key} is empty"))
        elif value != value.strip():
            problems.append(Finding(question, f"{where}, key {key} begins or ends with a blank or a line break"))
    return problems


def foreign_owner(live: Object) -> str | None:
    """The tool that says that it manages a live object; None for ours and for nobody's."""
    labels, annotations = live["metadata"].get("labels") or {}, live["metadata"].get("annotations") or {}
    manager = labels.get("app.kubernetes.io/managed-by")
    if "meta.helm.sh/release-name" in annotations:
        return f"Helm release {plain(annotations['meta.helm.sh/release-name'])}"
    return None if manager in (None, "pgwizard") else plain(manager)


def claim_ref(plan: Plan) -> Ref:
    """The release's volume claim."""
    return _claim(plan.names, plan.namespace)


def claim_of(answers: Answers) -> Ref:
    """The same, before there is a plan."""
    return _claim(Names.of(answers.release.name), answers.release.namespace)


def _claim(names: Names, namespace: str) -> Ref:
    return Ref(CLAIM, f"postgresql-storage-{names.pod}", namespace)
