"""What a Secret could be chosen for, as rows: what it is, whether it would do, and how good it is. Pure.

A certificate is judged against what the endpoint really sends, credentials by the names of their keys; each row says
the reason for its rank. It reads nothing, and keeps no value: of a Secret's data the names of its keys and its
certificates remain, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from pgwizard.endpoint import Endpoint
from pgwizard.errors import Finding
from pgwizard.kube.api import Object
from pgwizard.plan.checks import STORE_ADMINISTRATORS
from pgwizard.plan.names import mirrored_from
from pgwizard.release.survey import S3_KEY_PAIRS, SESSION_TOKEN
from pgwizard.text import plain
from pgwizard.tls.certificates import LIMIT_BYTES, Bundle, Certificate, read_bundle
from pgwizard.tls.chain import ChainVerdict, would_verify
from pgwizard.tls.handshake import Handshake
from pgwizard.tls.names import Rules

Purpose = Literal["ca", "s3", "database", "passphrase"]
CandidateKind = Literal[
    "CA",
    "self-signed",
    "chain",
    "leaf",
    "key only",
    "not a certificate",
    "credentials",
    "other keys",
    "not read",
    "cannot be read",
]
_HOPEFUL = re.compile(
    r"(^|[^a-z])(ca|cas|cert|certs|tls|ssl|trust|root|bundle|pki)([^a-z]|$)|cert|trust|bundle|-ca|ca-"
)
_CERTIFICATE_KEY = re.compile(r"(\.(crt|cer|pem|cert)$)|(^|[^a-z])(ca|cacert|root)([^a-z]|$)", re.IGNORECASE)
_LIKELY = re.compile(r"s3|minio|backup|credential|aws|access|object|storage|root|admin")
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_KEY_LABEL = b"PRIVATE KEY-----"

KEY_PAIRS: Mapping[Purpose, tuple[tuple[str, ...], ...]] = {
    "s3": S3_KEY_PAIRS,
    "database": (
        ("username", "password"),
        ("user", "password"),
        ("POSTGRES_USER", "POSTGRES_PASSWORD"),
        ("PGUSER", "PGPASSWORD"),
        ("superuser-username", "superuser-password"),
    ),
    "passphrase": (
        ("passphrase",),
        ("cipher-pass",),
        ("repo1-cipher-pass",),
        ("cipherPass",),
        ("encryption-key",),
        ("password",),
    ),
}
"""By purpose, from the surest on: the keys of the name and the secret, or of the passphrase."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for. namespace: the release's own; database and passphrase are looked for there alone.

    endpoint: the S3 server that a certificate is to verify. rules: those of the release's pgBackRest.
    """

    purpose: Purpose
    endpoint: Endpoint | None = None
    namespace: str = "default"
    rules: Rules = field(default_factory=Rules)

    @property
    def host(self) -> str:
        """The endpoint's host; empty without one."""
        return self.endpoint.host if self.endpoint else ""

    @property
    def homes(self) -> tuple[str, ...]:
        """The namespace of the endpoint, where its host is the name of a Service."""
        service = self.endpoint.service(self.namespace) if self.endpoint else None
        return (service.namespace,) if service else ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that can be chosen, or a reason why it cannot: a Secret, or one key of it that holds certificates.

    keys: what a choice would name, in order; empty where nothing can be chosen. others: the Secret's other keys, as
    far as they are known. bundle: the certificates. reason: the verdict on them, or what else speaks for or against it;
    None where nothing is known. rank: smaller is better. hopeful: it is not read yet, and its name or keys say that it
    should be. mirror_of: the Secret that it is a release's own copy of: it follows that one only when the release is
    applied, and so is no source.
    """

    namespace: str
    secret: str
    kind: CandidateKind
    keys: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    bundle: Bundle | None = None
    ok: bool | None = None
    reason: ChainVerdict | Finding | None = None
    rank: int = 90
    hopeful: bool = False
    mirror_of: str = ""

    @property
    def place(self) -> str:
        """``namespace/secret``."""
        return f"{self.namespace}/{self.secret}"

    @property
    def first(self) -> Certificate | None:
        """The first certificate."""
        return self.bundle.certificates[0] if self.bundle else None

    @property
    def order(self) -> tuple[int, str, str, tuple[str, ...]]:
        """Best first."""
        return self.rank, self.namespace, self.secret, self.keys

    @property
    def identity(self) -> tuple[str, str, tuple[str, ...]]:
        """The identity of a row in a list."""
        return self.namespace, self.secret, self.keys


def by_secret(rows: Iterable[Candidate]) -> dict[tuple[str, str], list[Candidate]]:
    """The rows by Secret; they replace all earlier rows of it."""
    by_name: dict[tuple[str, str], list[Candidate]] = {}
    for row in rows:
        by_name.setdefault((row.namespace, row.secret), []).append(row)
    return by_name


def keep_rank(before: Candidate, rows: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Rows of a Secret that was read because it was in view: a useless one keeps its place."""
    return tuple(row if row.keys else replace(row, rank=min(row.rank, before.rank)) for row in rows)


def place_of(item: Object) -> tuple[str, str]:
    """Namespace and name of an object."""
    return str(item["metadata"].get("namespace", "")), str(item["metadata"]["name"])


# ---- what a Secret is ----------------------------------------------------------------------------------------------


def outline(item: Object, search: Search) -> Candidate:
    """A Secret by its metadata alone. The names of its keys are in managedFields, as far as anybody wrote them."""
    return _last_if_mirror(_outline(item, search), item)


def _last_if_mirror(row: Candidate, item: Object) -> Candidate:
    source = plain(mirrored_from(item["metadata"]), 320)
    return _last(replace(row, mirror_of=source)) if source else row


def _last(row: Candidate) -> Candidate:
    """Rank a mirror among the useless rows."""
    reason = Finding(text=f"a mirror of {row.mirror_of}: choose that")
    return replace(row, ok=False, reason=reason, rank=86, hopeful=False)


def _outline(item: Object, search: Search) -> Candidate:
    namespace, name = place_of(item)
    keys = tuple(sorted(set(_managed_keys(item))))
    if search.purpose == "ca":
        is_hopeful = bool(_HOPEFUL.search(name)) and not name.startswith("sh.helm.release.")
        hopeful = any(_CERTIFICATE_KEY.search(key) for key in keys) or is_hopeful
        return Candidate(namespace, name, "not read", others=keys, rank=50 if hopeful else 80, hopeful=hopeful)
    if keys:
        return _credentials(namespace, name, dict.fromkeys(keys, True), search)
    if name.startswith("sh.helm.release."):
        return Candidate(namespace, name, "not read", rank=80)
    return Candidate(namespace, name, "not read", rank=50 if _LIKELY.search(name) else 55, hopeful=True)


def _managed_keys(item: Object) -> Iterator[str]:
    for entry in item["metadata"].get("managedFields") or ():
        fields = entry.get("fieldsV1") or {}
        for part in ("f:data", "f:stringData"):
            for key in fields.get(part) or ():
                if key.startswith("f:"):
                    yield key[2:]


def rows_of(item: Object, search: Search, server: Handshake | Finding | None, now: datetime) -> tuple[Candidate, ...]:
    """A whole Secret: each of its keys that holds certificates, or one row that says why there is none. Pure."""
    return tuple(_last_if_mirror(row, item) for row in _rows_of(item, search, server, now))


def _rows_of(item: Object, search: Search, server: Handshake | Finding | None, now: datetime) -> tuple[Candidate, ...]:
    namespace, name = place_of(item)
    data: Mapping[str, str] = item.get("data") or {}
    if search.purpose != "ca":
        return (_credentials(namespace, name, {key: bool(value) for key, value in data.items()}, search),)
    rows: list[Candidate] = []
    wrong: list[tuple[str, str]] = []
    keys = tuple(sorted(data))
    for key in keys:
        others = tuple(other for other in keys if other != key)
        text, problem = _certificates_of(key, data[key])
        if text is not None:
            row = Candidate(namespace, name, kind_of(text), (key,), others, text)
            rows.append(judge(row, search, server, now))
        elif problem:
            wrong.append((key, problem))
    if rows:
        return tuple(rows)
    if wrong:
        # the key that should be the certificate has the best reason
        key, why = min(wrong, key=lambda pair: (pair[0] not in {"tls.crt", "ca.crt"}, pair[0]))
        bare = key in {"tls.crt", "ca.crt"} and why == "is empty" and bool(data.get("tls.key"))
        if not bare:
            reason = Finding(text=f"{key} {why}")
            return (Candidate(namespace, name, "not a certificate", others=keys, reason=reason, rank=70),)
    if any(_holds_key(value) for value in data.values()):
        reason = Finding(text="a private key without its certificate")
        return (Candidate(namespace, name, "key only", others=keys, reason=reason, rank=71),)
    reason = Finding(text="holds no certificate" if keys else "has no data")
    return (Candidate(namespace, name, "other keys", others=keys, reason=reason, rank=85),)


def _certificates_of(key: str, encoding: str) -> tuple[Bundle | None, str]:
    """The certificates of a key's value, or their problem; neither where it is meant for something else."""
    if key == "tls.key":
        return None, ""  # do not even decode it
    is_certificate = key in {"tls.crt", "ca.crt"} or bool(_CERTIFICATE_KEY.search(key))
    if len(encoding) > LIMIT_BYTES * 4 // 3 + 4:
        return None, f"is larger than {LIMIT_BYTES // 1024} KiB" if is_certificate else ""
    try:
        value = base64.b64decode(encoding)
    except (binascii.Error, ValueError):
        return None, "is not base64" if is_certificate else ""
    if b"CERTIFICATE-----" not in value and not is_certificate:
        return None, ""
    try:
        return read_bundle(value), ""
    except ValueError as error:
        return None, str(error)


def _holds_key(encoding: str) -> bool:
    try:
        return _KEY_LABEL in base64.b64decode(encoding[:400])[:100]
    except (binascii.Error, ValueError):
        return False


def kind_of(bundle: Bundle) -> CandidateKind:
    """What the certificates are: authorities alone, one for a server alone, or such a one with what signed it."""
    first, *others = bundle.certificates
    if others:
        return "CA" if all(item.is_ca for item in bundle.certificates) else "chain"
    return kind_of_one(first)


def kind_of_one(certificate: Certificate) -> CandidateKind:
    """A certificate by itself: one that signs others, one that signed itself for a server, one that was signed."""
    if certificate.is_ca and not (certificate.self_signed and certificate.dns_names):
        return "CA"
    return "self-signed" if certificate.self_signed else "leaf"


# ---- judging and ranking -------------------------------------------------------------------------------------------


def judge(row: Candidate, search: Search, server: Handshake | Finding | None, now: datetime) -> Candidate:
    """The row with its verdict and its rank. Pure."""
    if row.bundle is None or row.mirror_of:
        return row
    if isinstance(server, Handshake):
        verdict = would_verify(row.bundle, server.chain, search.host, now, search.rules)
    else:
        verdict = ChainVerdict(None)
    is_named = verdict.ok is None and not search.rules.refusal(row.bundle.certificates[0], search.host)
    rank = _rank(row, verdict, search, now, is_named=is_named)
    reason: ChainVerdict | Finding | None = verdict if verdict.reason else None
    if reason is None and isinstance(server, Finding):
        reason = Finding(text="cannot be tried from here")
    if is_named:
        host_text = f"names {search.host}"
        reason = Finding(text=host_text, cause=verdict.why or (reason.text if isinstance(reason, Finding) else ""))
    return replace(row, ok=verdict.ok, reason=reason, rank=rank)


def _rank(row: Candidate, verdict: ChainVerdict, search: Search, now: datetime, *, is_named: bool) -> int:
    kinds = {"CA": 0, "self-signed": 1, "chain": 2, "leaf": 3}
    kind = kinds.get(row.kind, 4)
    near = row.namespace in search.homes
    if verdict.ok:
        return kind * 2 + (not near)
    is_over = bool(row.bundle and not row.bundle.is_valid(now))
    if verdict.ok is None:
        return 30 if is_over else 10 + kind + (0 if is_named else 8)
    return 35 if is_over else 30 + kind


def _credentials(namespace: str, name: str, keys: Mapping[str, bool], search: Search) -> Candidate:
    """A row for a Secret from the names of its keys, each with whether its value is empty."""
    names = tuple(sorted(keys))
    for place, pair in enumerate(KEY_PAIRS[search.purpose]):
        if not all(key in keys for key in pair):
            continue
        others = tuple(key for key in names if key not in pair)
        empty = [key for key in pair if not keys[key]]
        if empty:
            reason = Finding(text=f"{empty[0]} is empty")
            return Candidate(namespace, name, "credentials", (), names, ok=False, reason=reason, rank=60)
        own = namespace == search.namespace
        why = f"has {' and '.join(pair)}"
        if pair[0] in STORE_ADMINISTRATORS:
            why = f"has {' and '.join(pair)}: the server's own administrator, more than backups need"
        ok = (
            None if search.purpose == "s3" and pair == ("username", "password") else True
        )  # the token does not tell of what
        if search.purpose == "s3" and (token := next(filter(SESSION_TOKEN.search, names), None)):
            ok, why = None, f"has {token}, which is not used: the key pair is temporary"
        rank = min(49, place * 2 + (not own))
        return Candidate(namespace, name, "credentials", pair, others, ok=ok, reason=Finding(text=why), rank=rank)
    reason = Finding(text="no usual keys" if keys else "has no data")
    return Candidate(namespace, name, "other keys", others=names, reason=reason, rank=85)


# ---- names that are typed ------------------------------------------------------------------------------------------


def parse_name(text: str, search: Search) -> tuple[str, str, tuple[str, ...]] | str:
    """Namespace, Secret and keys of a typed ``namespace/secret/key,key``, or its problem.

    Without a namespace it is the release's own, which is the only one for database and passphrase.
    """
    own = search.purpose in {"database", "passphrase"}
    parts = [part.strip() for part in text.split("/")]
    if (own and len(parts) < 3 and parts[0] != search.namespace) or len(parts) == 1:
        parts.insert(0, search.namespace)
    if not 2 <= len(parts) <= 3 or not all(_NAME.fullmatch(part) for part in parts[:2]):
        return f"{plain(text, 80)!r} is not a name: expected namespace/secret, or namespace/secret/key"
    if own and parts[0] != search.namespace:
        return f"it must be in the release's own namespace, {search.namespace}"
    keys = tuple(key.strip() for key in parts[2].split(",")) if len(parts) == 3 else ()
    expected = len(usual_keys(search))
    if keys and (len(keys) != expected or not all(_KEY.fullmatch(key) for key in keys)):
        return f"{plain(text, 80)!r}: expected {expected} key{'s' if expected > 1 else ''} after the Secret's name"
    return parts[0], parts[1], keys


def usual_keys(search: Search) -> tuple[str, ...]:
    """The keys to use for a Secret that cannot be read."""
    return ("tls.crt",) if search.purpose == "ca" else KEY_PAIRS[search.purpose][0]


def has_keys(rows: tuple[Candidate, ...], keys: tuple[str, ...]) -> bool:
    """Whether a Secret that was read has all of these keys."""
    return set(keys) <= {key for row in rows for key in (*row.keys, *row.others)}
