"""What the answers name, read from the cluster before anything is decided, and compared with the answers.

Each object is read once. All that is missing is reported together; nothing is written.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pgwizard.answers.questions import (
    Answers,
    CaSource,
    ExistingCipher,
    ExistingCredentials,
    ExistingS3Credentials,
    GeneratedCredentials,
)
from pgwizard.answers.secrets import access_key_doubts, value_problem
from pgwizard.endpoint import Endpoint
from pgwizard.errors import (
    Finding,
    Forbidden,
    NotFound,
    PreflightError,
)
from pgwizard.kube.api import (
    CLAIM,
    CONFIGMAP,
    NAMESPACE,
    PROMETHEUS_RULE,
    SECRET,
    STATEFULSET,
    TRUST_BUNDLE,
    Cluster,
    Object,
    Ref,
    find_object,
    side_by_side,
)
from pgwizard.kube.commands import Commands
from pgwizard.plan.checks import together
from pgwizard.plan.names import CA_KEY, Names, ReleaseRef, mirrored_from
from pgwizard.plan.plan import Facts, Plan, mirrored_s3
from pgwizard.release import immutable, record, records
from pgwizard.release.immutable import Installation
from pgwizard.release.ownership import other_owner
from pgwizard.text import plain
from pgwizard.tls.certificates import Bundle, check_dates, is_der, read_bundle

_S3_QUESTION = "repository.credentials.secret"
S3_KEY_PAIRS = (
    ("accessKey", "secretKey"),
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ("AWS_ACCESS_KEY", "AWS_SECRET_KEY"),
    ("aws_access_key_id", "aws_secret_access_key"),
    ("accessKeyId", "secretAccessKey"),
    ("accessKeyID", "secretAccessKey"),
    ("access-key", "secret-key"),
    ("access_key", "secret_key"),
    ("access-key-id", "secret-access-key"),
    ("access_key_id", "secret_access_key"),
    ("accesskey", "secretkey"),
    ("ACCESS_KEY", "SECRET_KEY"),
    ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"),
    ("ACCESS_KEY_ID", "ACCESS_SECRET_KEY"),
    ("s3-access-key", "s3-secret-key"),
    ("S3_ACCESS_KEY", "S3_SECRET_KEY"),
    ("CONSOLE_ACCESS_KEY", "CONSOLE_SECRET_KEY"),
    ("rootUser", "rootPassword"),
    ("root-user", "root-password"),
    ("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"),
    ("username", "password"),
)
"""Names that charts and operators use for the keys of an S3 key pair, the most common first."""
SESSION_TOKEN = re.compile(r"(session|security)[-_.]?token", re.IGNORECASE)
"""An older name that AWS used."""
_WEB_IDENTITY = re.compile(r"web[-_.]?identity|role[-_.]?arn", re.IGNORECASE)

_NO_PROMETHEUS_RULES = Finding(
    "advanced.prometheusRule",
    "the cluster has no PrometheusRule (monitoring.coreos.com/v1): no alert is added",
    severity="warning",
    fix="Install the Prometheus Operator, and apply again.",
)
_ESCAPED_DOT = "\\."
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")


@dataclass(frozen=True, slots=True)
class Survey:
    """The result of a survey. None where an object does not exist, or may not be read.

    s3_source: the Secret of another namespace that is mirrored. existing: Secrets of the release's namespace that the
    answers name, by name. installation: what is installed already.
    unreadable: that the release's record is none that this version can read. missing: what the answers name and the
    cluster does not have. unusable: what it has, but not as it must be. fixed_findings: what the release keeps as it
    was made. doubts: what could not be compared.
    has_prometheus_rules: whether the cluster has that kind; True where it is not asked for, or may not be listed.
    """

    namespace_exists: bool
    record: record.Record | None
    record_version: str
    ca: Bundle | None
    s3_source: Object | None = field(repr=False)
    existing: dict[str, Object | None] = field(default_factory=dict, repr=False)
    installation: Installation = field(default_factory=Installation, repr=False)
    unreadable: Finding | None = None
    missing: tuple[Finding, ...] = ()
    unusable: tuple[Finding, ...] = ()
    fixed_findings: tuple[Finding, ...] = ()
    doubts: tuple[Finding, ...] = ()
    has_prometheus_rules: bool = True

    @property
    def facts(self) -> Facts:
        """What a plan needs of it."""
        return Facts(self.ca, self.has_prometheus_rules, self.installation.data_checksums)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Every error that must be fixed before anything is written."""
        return (*((self.unreadable,) if self.unreadable else ()), *self.missing, *self.unusable, *self.fixed_findings)

    def require(self, own: Sequence[Finding] = ()) -> None:
        """Raises PreflightError with every error, those of the answers alone included."""
        findings = together(self.errors, own)
        if self.unreadable:
            raise PreflightError(self.unreadable.text, findings, hint=self.unreadable.fix)
        if self.errors:
            what = "an installed release cannot change this"
            if self.missing:
                what = "the cluster does not have what the answers name"
            elif self.unusable:
                what = "what the answers name cannot be used as it is"
            raise PreflightError(f"{what}; nothing was written", findings)


# ---- survey --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Live:
    """Objects by reference, None for missing ones, and those that may not be read."""

    objects: Mapping[Ref, Object | None] = field(repr=False)
    denials: Mapping[Ref, Forbidden]
    commands: Commands

    def get(self, ref: Ref) -> Object | None:
        return self.objects.get(ref)

    def with_others(self, others: _Live) -> _Live:
        return _Live({**self.objects, **others.objects}, {**self.denials, **others.denials}, self.commands)


async def _read(cluster: Cluster, refs: Iterable[Ref]) -> _Live:
    """Read each object once."""
    denials: dict[Ref, Forbidden] = {}

    async def look(ref: Ref) -> Object | None:
        try:
            return await find_object(cluster, ref)
        except Forbidden as error:
            denials[ref] = error
            return None

    distinct = list(dict.fromkeys(refs))
    objects = await side_by_side([look(ref) for ref in distinct])
    return _Live(dict(zip(distinct, objects, strict=True)), denials, cluster.commands)


async def survey(
    cluster: Cluster, answers: Answers, ca_file: Bundle | None = None, *, at: datetime, take_over: bool = False
) -> Survey:
    """Read the referenced objects, and compare. Raises only if the cluster does not answer.

    A Secret that may not be read is a warning, but for the certificate: the rights that an apply needs are another
    check. ca_file: certificates from a file, for where the source Secret cannot be looked up. at: the time,
    in UTC. take_over: a release of another tool counts as installed.
    """
    names, namespace = Names.of(answers.release.name), answers.release.namespace
    own, home = record.secret_ref(ReleaseRef.of(answers)), Ref(NAMESPACE, namespace)
    statefulset, claim = Ref(STATEFULSET, names.release, namespace), claim_of(answers)
    refs_by_name = {secret: Ref(SECRET, secret, namespace) for secret, _, _ in _named_secrets(answers)}
    sources = [ref for ref in (_s3_source(answers), _ca_source(answers)) if ref is not None]
    live = await _read(cluster, [home, own, statefulset, claim, *refs_by_name.values(), *sources])
    ca_source = _ca_source(answers)
    if ca_source is not None and ca_file is None and live.get(ca_source) is None:
        live = live.with_others(await _read(cluster, _namesakes(ca_source)))
    live = live.with_others(await _read(cluster, _config_maps_beside(answers, live)))
    missing, unusable, doubts = list[Finding](), list[Finding](), list[Finding]()
    own_record, version, unreadable = _record(live.get(own))
    before = _made_with(own_record, live.get(statefulset), live.get(claim), doubts)
    superuser = await _superuser(cluster, answers, before, live)
    s3 = _s3_source(answers)
    has_rules = not answers.advanced.prometheus_rule or await _has_prometheus_rules(cluster, namespace)
    survey_result = Survey(
        namespace_exists=home in live.denials or live.get(home) is not None,
        record=own_record,
        record_version=version,
        ca=_ca(answers, ca_file, live, at, missing=missing, unusable=unusable),
        s3_source=live.get(s3) if s3 else None,
        existing={secret: live.get(ref) for secret, ref in refs_by_name.items()},
        installation=Installation(
            before,
            live.get(statefulset)
            if take_over
            else _ours(live.get(statefulset), is_ours=own_record is not None and statefulset in own_record.inventory),
            live.get(claim),
            superuser,
            is_claim_unknown=claim in live.denials,
        ),
        has_prometheus_rules=has_rules,
    )
    if not has_rules:
        doubts.append(_NO_PROMETHEUS_RULES)
    unusable += _namespace_problems(live.get(home), live.commands)
    missing += _reference_problems(answers, survey_result, live, unusable, doubts)
    fixed_findings = immutable.problems(
        answers, survey_result.installation, _named_superuser(answers, survey_result.existing)
    )
    return replace(
        survey_result,
        unreadable=unreadable,
        missing=tuple(missing),
        unusable=tuple(unusable),
        fixed_findings=tuple(fixed_findings),
        doubts=tuple(doubts),
    )


async def _has_prometheus_rules(cluster: Cluster, namespace: str) -> bool:
    """Whether the Prometheus Operator's kind is there; the check of the rights reports where it may not be listed."""
    try:
        async with contextlib.aclosing(cluster.pages(PROMETHEUS_RULE, namespace, limit=1)) as pages:
            async for _ in pages:
                return True
    except NotFound:
        return False
    except Forbidden:
        return True
    return True


def _record(live: Object | None) -> tuple[record.Record | None, str, Finding | None]:
    """The record of the release and its resourceVersion; None and an empty text where there is none to be read."""
    if live is None:
        return None, "", None
    try:
        return record.read(live), str(live["metadata"]["resourceVersion"]), None
    except ValueError as error:
        return None, "", Finding("release.name", str(error), fix=records.UNREADABLE)


def _s3_source(answers: Answers) -> Ref | None:
    """The Secret of another namespace that the S3 key pair is copied from."""
    s3 = answers.repository.credentials
    is_mirror = answers.repository.enabled and mirrored_s3(answers) and isinstance(s3, ExistingS3Credentials)
    return Ref(SECRET, s3.secret, s3.namespace) if is_mirror and isinstance(s3, ExistingS3Credentials) else None


def _ca_source(answers: Answers) -> Ref | None:
    source = answers.tls.source
    return Ref(SECRET, source.secret, source.namespace) if source and answers.has_tls_mirror() else None


def _ours(statefulset: Object | None, *, is_ours: bool) -> Object | None:
    """A StatefulSet of another tool is not an installed release; the dry run reports it as a conflict."""
    return None if statefulset is None or other_owner(statefulset, is_ours=is_ours) else statefulset


def _made_with(
    past: record.Record | None, statefulset: Object | None, claim: Object | None, doubts: list[Finding]
) -> Answers | None:
    """The answers that the database was created with, from the record; release and credentials only.

    One that is ready was made, and on a volume that was bound a start that failed later on may have made one too.
    """
    revision = past.deployed_revision if past else None
    if past and revision is None:
        ready = (statefulset or {}).get("status", {}).get("readyReplicas")
        is_bound = (claim or {}).get("status", {}).get("phase") == "Bound"
        revision = past.last if ready or is_bound else None
    before = read_sections(revision, "release", "credentials")
    if revision is not None and before is None:
        unread = f"the answers of revision {revision.number} cannot be read by this version of pgwizard"
        text = f"{unread}: whether database and superuser stay the same is not checked"
        doubts.append(Finding("release.name", text, severity="warning"))
    return before


async def _superuser(cluster: Cluster, answers: Answers, before: Answers | None, live: _Live) -> str | None:
    """The role that the first start created; not looked up if the answers about it have not changed."""
    if before is None or before.credentials == answers.credentials:
        return None
    if isinstance(before.credentials, GeneratedCredentials):
        return before.credentials.username
    secret, key = Names.of(before.release.name).credentials, "username"
    if isinstance(before.credentials, ExistingCredentials):
        secret, key = before.credentials.secret, before.credentials.username_key
    ref = Ref(SECRET, secret, answers.release.namespace)
    if ref not in live.objects:
        live = await _read(cluster, [ref])
    return _text(live.get(ref), key)


def _named_superuser(answers: Answers, existing: Mapping[str, Object | None]) -> str | None:
    """The superuser that the answers name; None if it is in a variable or a file, or cannot be read."""
    credentials = answers.credentials
    if isinstance(credentials, GeneratedCredentials):
        return credentials.username
    if isinstance(credentials, ExistingCredentials):
        return _text(existing.get(credentials.secret), credentials.username_key)
    return None


def _text(secret: Object | None, key: str) -> str | None:
    """One value of a Secret as text; None if it is missing, empty, or not text."""
    with contextlib.suppress(ValueError):
        return _value(secret or {}, key, "").decode(errors="replace") or None
    return None


def _value(secret: Object, key: str, where: str) -> bytes:
    """One value of a Secret. where: the Secret, for messages. Raises ValueError with why there is none."""
    data = secret.get("data") or {}
    if key not in data:
        raise ValueError(f"{where} has no key {key}; its keys: {', '.join(sorted(map(plain, data))) or 'none'}")
    try:
        return base64.b64decode(data[key], validate=True)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}, key {key}: the server sent no base64") from error


def read_sections(revision: record.Revision | None, *sections: str) -> Answers | None:
    """These sections of a revision's answers, with defaults for all else; None without one, or where one is not valid.

    Other sections may no longer be valid if another version wrote them.
    """
    if revision is None:
        return None
    try:
        return Answers.model_validate({key: revision.answers[key] for key in sections if key in revision.answers})
    except ValueError:
        return None


def repository_place(answers: Answers) -> tuple[Endpoint, str, str] | None:
    """Endpoint, bucket and path, which two databases must not share; None where there are no backups."""
    repository = answers.repository
    return (repository.s3_endpoint, repository.bucket, repository.path) if repository.enabled else None


def _ca(
    answers: Answers,
    ca_file: Bundle | None,
    live: _Live,
    at: datetime,
    *,
    missing: list[Finding],
    unusable: list[Finding],
) -> Bundle | None:
    """The certificates of the source Secret. Each way to be wrong has its own message."""
    source, ref = answers.tls.source, _ca_source(answers)
    if source is None or ref is None:
        return ca_file
    where, secret = f"Secret {source.namespace}/{source.secret}", live.get(ref)
    if secret is None:
        if ca_file is not None:
            return ca_file
        denial = live.denials.get(ref)
        why = (
            f"may not be read: {denial.message}"
            if denial
            else "does not exist; it should hold the certificate to trust"
        )
        copies = [] if denial else [each for each in map(live.get, _namesakes(ref)) if each is not None]
        findings = (published_finding(each, where, live.commands) for each in copies)
        finding = next((each for each in findings if each is not None), None)
        missing.append(finding or Finding("tls.source", f"{where} {why}"))
        return None
    if wrong := _own_mirror(answers, source, secret):
        unusable.append(wrong)
        return None
    try:
        pem = _value(secret, source.key, where)
    except ValueError as error:
        missing.append(Finding("tls.source.key", str(error)))
        return None
    try:
        bundle = read_bundle(pem)
        check_dates(bundle, at)
    except ValueError as error:
        unusable.append(Finding("tls.source.key", f"{where}, key {source.key} {error}"))
        return None
    return bundle


def _config_maps_beside(answers: Answers, live: _Live) -> list[Ref]:
    """The ConfigMaps in which keys may be that the Secrets of these names lack, or which were made in their place."""
    return [
        Ref(CONFIGMAP, ref.name, ref.namespace)
        for ref, keys, _ in _secrets_to_look_up(answers)
        if ref not in live.denials and not set(keys) <= set((live.get(ref) or {}).get("data") or {})
    ]


async def mirrored_certificate(cluster: Cluster, answers: Answers) -> Bundle | None:
    """The certificates of the release's own mirror; None where it has none that can be read."""
    mirror = await find_object(cluster, Ref(SECRET, Names.of(answers.release.name).ca, answers.release.namespace))
    try:
        return read_bundle(_value(mirror or {}, CA_KEY, ""))
    except ValueError:
        return None


def _namesakes(secret: Ref) -> tuple[Ref, Ref]:
    """Objects of that name in which trust-manager, OpenShift and Kubernetes publish authorities."""
    return Ref(CONFIGMAP, secret.name, secret.namespace), Ref(TRUST_BUNDLE, secret.name)


_KEYS_NAMED = 5


def published_finding(config_map: Object, where: str, commands: Commands) -> Finding | None:
    """How to use the certificates of a ConfigMap or a ClusterTrustBundle in place of a Secret, where it has some.

    where: the Secret.
    """
    metadata, kind = config_map["metadata"], str(config_map.get("kind") or CONFIGMAP.kind)
    if kind == TRUST_BUNDLE.kind:
        has_some = _has_certificate(config_map["spec"].get("trustBundle"))
        places = {"trustBundle": (".spec.trustBundle", "")} if has_some else {}
    else:
        places = _config_map_keys(config_map)
    key = next(iter(places), None)
    if key is None:
        return None
    path, decode = places[key]
    words = ("get", kind.lower(), metadata["name"], "-o", f"jsonpath={{{path}}}")
    command = commands.kubectl(*words, namespace=metadata.get("namespace")) + decode
    more = f" and {len(places) - _KEYS_NAMED} more" if len(places) > _KEYS_NAMED else ""
    others = f" in its keys {', '.join(list(places)[:_KEYS_NAMED])}{more}" if len(places) > 1 else ""
    text = f"{where} does not exist, but a {kind} of that name has certificates{others}"
    return Finding(
        "tls.source", text, fix=f"Set tls.caFile to ca.crt and tls.source to null, after: {command} > ca.crt"
    )


def _config_map_keys(config_map: Object) -> dict[str, tuple[str, str]]:
    """The keys that hold certificates, each with its path and what turns its value into PEM.

    Those of ``data`` alone, if there are some. PEM comes before DER, and then ca.crt first.
    """
    keys: dict[str, tuple[str, str]] = {
        key: ("data", "") for key, text in (config_map.get("data") or {}).items() if _has_certificate(text)
    }
    for key, value in (config_map.get("binaryData") or {}).items() if not keys else ():
        with contextlib.suppress(TypeError, ValueError):
            content = base64.b64decode(value, validate=True)
            if _has_certificate(content.decode(errors="replace")):
                keys[key] = ("binaryData", _FROM_BASE64)
            elif is_der(content):
                keys[key] = ("binaryData", _FROM_BASE64 + _FROM_DER)
    order = sorted(
        filter(_CONFIG_KEY.fullmatch, keys), key=lambda key: (_FROM_DER in keys[key][1], key != "ca.crt", key)
    )
    return {key: (f".{keys[key][0]}.{key.replace('.', _ESCAPED_DOT)}", keys[key][1]) for key in order}


_FROM_BASE64 = " | base64 -d"
_FROM_DER = " | openssl x509 -inform der"


def _has_certificate(text: object) -> bool:
    return "-----BEGIN CERTIFICATE-----" in str(text)


def _own_mirror(answers: Answers, source: CaSource, secret: Object) -> Finding | None:
    """The finding that the source is the release's own mirror."""
    if (source.namespace, source.secret) != (answers.release.namespace, Names.of(answers.release.name).ca):
        return None
    where = f"Secret {source.namespace}/{source.secret}"
    origin = plain(mirrored_from(secret["metadata"]), 320) or "the Secret that the certificate comes from"
    own = "is the release's own mirror: it would only be compared with itself"
    return Finding("tls.source", f"{where} {own}: name {origin}")


def _named_secrets(answers: Answers) -> list[tuple[str, tuple[str, ...], str]]:
    """(Secret, keys, question) of each Secret of the release's namespace that the answers name."""
    names: list[tuple[str, tuple[str, ...], str]] = []
    credentials = answers.credentials
    if isinstance(credentials, ExistingCredentials):
        names.append((credentials.secret, (credentials.username_key, credentials.password_key), "credentials.secret"))
    if answers.repository.enabled:
        s3, cipher = answers.repository.credentials, answers.repository.cipher
        if isinstance(s3, ExistingS3Credentials) and not mirrored_s3(answers):
            names.append((s3.secret, (s3.access_key_key, s3.secret_key_key), _S3_QUESTION))
        if isinstance(cipher, ExistingCipher):
            names.append((cipher.secret, (cipher.passphrase_key,), "repository.cipher.secret"))
    return names


def _namespace_problems(home: Object | None, commands: Commands) -> Iterator[Finding]:
    """The finding that the namespace is being deleted: writes are refused, or deleted with it."""
    if home is not None and home["metadata"].get("deletionTimestamp"):
        name = plain(home["metadata"]["name"])
        wait = commands.kubectl("wait", f"namespace/{name}", "--for=delete", "--timeout=10m")
        fix = f"Wait until it is gone ({wait}) and apply again, or choose another namespace."
        text = f"namespace {name} is being deleted, with everything in it"
        yield Finding("release.namespace", text, key="namespace-ending", fix=fix)


def _reference_problems(
    answers: Answers, survey_result: Survey, live: _Live, unusable: list[Finding], doubts: list[Finding]
) -> list[Finding]:
    """What is missing; what is there and cannot be used, and doubts, are added to those lists."""
    namespace = answers.release.namespace
    problems = []
    if not survey_result.namespace_exists and not answers.release.create_namespace:
        command = live.commands.kubectl("create", "namespace", namespace)
        text = f"namespace {namespace} does not exist: set release.createNamespace to true, or run {command}"
        problems.append(Finding("release.namespace", text))
    for ref, keys, question in _secrets_to_look_up(answers):
        if ref in live.denials:
            doubts.append(Finding(question, f"not checked: no permission to get {ref}", severity="warning"))
            continue
        secret, config_map = live.get(ref), live.get(Ref(CONFIGMAP, ref.name, ref.namespace)) or {}
        if secret is None:
            pairs = (keys, *(S3_KEY_PAIRS if question == _S3_QUESTION else ()))
            misplacement = misplaced_finding(config_map, ref, pairs, question, live.commands)
            problems.append(misplacement or Finding(question, f"{ref} does not exist"))
        else:
            wrong = _key_problems(secret, keys, str(ref), question)
            if question == _S3_QUESTION:
                fix = _s3_fix(secret, keys) or _move_fix(config_map, secret, keys)
                wrong = [replace(problem, fix=fix) for problem in wrong]
                doubts += _session_token(secret, ref)
                if not wrong:
                    access_key = _value(secret, keys[0], str(ref))
                    doubts += access_key_doubts(access_key, f"{ref}, key {plain(keys[0])}", _S3_QUESTION)
            has_keys = set(keys) <= set(secret.get("data") or {})
            (unusable if has_keys else problems).extend(wrong)
    return problems


def _secrets_to_look_up(answers: Answers) -> list[tuple[Ref, tuple[str, ...], str]]:
    """(Secret, keys, question) of each Secret that the answers name, but for the certificate's."""
    home = answers.release.namespace
    secrets = [(Ref(SECRET, secret, home), keys, question) for secret, keys, question in _named_secrets(answers)]
    s3, source = answers.repository.credentials, _s3_source(answers)
    if source is not None and isinstance(s3, ExistingS3Credentials):
        secrets.append((source, (s3.access_key_key, s3.secret_key_key), _S3_QUESTION))
    return secrets


def misplaced_finding(
    config_map: Object, where: Ref, pairs: Sequence[Sequence[str]], question: str, commands: Commands
) -> Finding | None:
    """The finding that a ConfigMap has the name and the keys of a Secret that does not exist.

    where: the Secret. pairs: sets of keys, any of which would do. No value is shown.
    """
    there = config_map.get("data") or {}
    keys = next((pair for pair in pairs if all(key in there for key in pair)), None)
    if not keys:
        return None
    command_lines = [
        commands.kubectl("get", "configmap", where.name, *_output(key), namespace=where.namespace) for key in keys
    ]
    files = " ".join(f"--from-file={key}=<({command})" for key, command in zip(keys, command_lines, strict=True))
    create = commands.kubectl("create", "secret", "generic", where.name, namespace=where.namespace)
    return Finding(
        question,
        f"{where} does not exist, but a ConfigMap of that name has {' and '.join(map(plain, keys))}",
        fix=f"Move them into a Secret, which fewer may read, in bash: {create} {files}",
    )


def _output(key: str) -> tuple[str, str]:
    return "-o", f"jsonpath={{.data.{key.replace('.', _ESCAPED_DOT)}}}"


def _s3_fix(secret: Object, keys: Sequence[str]) -> str:
    """How to name the keys of a Secret with other usual ones; empty if it has the expected keys or no usual ones."""
    there = secret.get("data") or {}
    if all(key in there for key in keys):
        return ""
    pair = next((pair for pair in S3_KEY_PAIRS if all(key in there for key in pair)), None)
    if pair is not None:
        question = "repository.credentials"
        return f"Set {question}.accessKeyKey to {pair[0]} and {question}.secretKeyKey to {pair[1]}."
    if any(map(_WEB_IDENTITY.search, there)):
        return "Name a Secret with a key pair: a web identity (AWS_ROLE_ARN) is not supported."
    return ""


def _move_fix(config_map: Object, secret: Object, keys: Sequence[str]) -> str:
    """That a key which the Secret lacks is in the ConfigMap of its name; empty if it is not."""
    lacking = [key for key in keys if key not in (secret.get("data") or {})]
    beside = [key for key in lacking if key in (config_map.get("data") or {})]
    return (
        f"The ConfigMap of that name has {' and '.join(map(plain, beside))}: move it into the Secret." if beside else ""
    )


def _session_token(secret: Object, ref: Ref) -> Iterator[Finding]:
    """The finding that a key pair is temporary: a release passes no session token to pgBackRest."""
    token = next(filter(SESSION_TOKEN.search, secret.get("data") or {}), None)
    if token is not None:
        note = f"{ref} has a session token, {plain(token)}, which is not used"
        fix = "Create a key pair that does not expire, and name its Secret."
        text = f"{note}: its key pair is temporary and expires within hours"
        yield Finding(_S3_QUESTION, text, severity="warning", fix=fix)


def _key_problems(secret: Object, keys: Sequence[str], where: str, question: str) -> list[Finding]:
    problems = []
    for key in keys:
        try:
            value = _value(secret, key, where)
        except ValueError as error:
            problems.append(Finding(question, str(error)))
            continue
        if problem := value_problem(value):
            problems.append(Finding(question, f"{where}, key {key} {problem}"))
    return problems


def claim_ref(plan: Plan) -> Ref:
    """The release's volume claim."""
    return Ref(CLAIM, plan.names.claim, plan.namespace)


def claim_of(answers: Answers) -> Ref:
    """The release's volume claim, before there is a plan."""
    return Ref(CLAIM, Names.of(answers.release.name).claim, answers.release.namespace)
