"""What the cluster's Secrets could be chosen for: certificates to trust, and credentials.

``browse`` finds them and tells as it goes: what may be read, the TLS Secrets with their certificates, all others by
their metadata alone; ``contents`` reads one of those when somebody looks at it. Each finding is judged against what the
endpoint really sends, and ranked with its reason. It refuses to write, and to keep a value: of a Secret's data the
names of its keys and its certificates remain, and nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import re
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from pgwizard import objectstore
from pgwizard.certificates import LIMIT_BYTES, Bundle, Certificate, Verdict, read_bundle, would_verify
from pgwizard.errors import ClusterError, Forbidden, Gone, NotFound, PgwizardError, Unauthorized
from pgwizard.kubeapi import Access, Cluster, Object, Page, Ref, Resource, plain
from pgwizard.objectstore import Served

Purpose = Literal["ca", "s3", "database", "passphrase"]
Kind = Literal[
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
SECRET, NAMESPACE = Resource("v1", "Secret"), Resource("v1", "Namespace")
SLICE_SECONDS = 0.004
"""How long a list keeps the event loop; a key press waits no longer."""
BREATH_SECONDS = 0.005
"""Between two slices. A key passes through several tasks until it is painted: sleep(0) lets each only make one step."""
HASTE = 0.008, 0.001
"""Slice and breath while certificates are read: a screen waits for them."""
SIDE_BY_SIDE = 8
REVIEWS = 64
"""Namespaces that are asked about at once."""
RELISTS = 3
_OPAQUE_PAGE = 100
_HOPEFUL = re.compile(
    r"(^|[^a-z])(ca|cas|cert|certs|tls|ssl|trust|root|bundle|pki)([^a-z]|$)|cert|trust|bundle|-ca|ca-"
)
_CERTIFICATE_KEY = re.compile(r"(\.(crt|cer|pem|cert)$)|(^|[^a-z])(ca|cacert|root)([^a-z]|$)", re.IGNORECASE)
_LIKELY = re.compile(r"s3|minio|backup|credential|aws|access|object|storage|root|admin")
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_KEY_LABEL = b"PRIVATE KEY-----"

KEY_PAIRS: Mapping[Purpose, tuple[tuple[str, ...], ...]] = {
    "s3": (
        ("accessKey", "secretKey"),
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("access-key", "secret-key"),
        ("access_key", "secret_key"),
        ("access-key-id", "secret-access-key"),
        ("access_key_id", "secret_access_key"),
        ("accesskey", "secretkey"),
        ("ACCESS_KEY", "SECRET_KEY"),
        ("ACCESS_KEY_ID", "ACCESS_SECRET_KEY"),
        ("s3-access-key", "s3-secret-key"),
        ("CONSOLE_ACCESS_KEY", "CONSOLE_SECRET_KEY"),
        ("rootUser", "rootPassword"),
        ("root-user", "root-password"),
        ("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"),
        ("username", "password"),
    ),
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
_ROOT_PAIRS = frozenset({"rootUser", "root-user", "MINIO_ROOT_USER"})


@lru_cache(maxsize=8)
def _host(endpoint: str) -> str:
    try:
        return objectstore.split(endpoint)[0]
    except ValueError:
        return endpoint


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for. namespace: the release's own; database and passphrase are looked for there alone.

    endpoint: the S3 endpoint that a certificate is to verify. by_address: whether pgBackRest compares addresses with
    certificates, which it does from 2.53 on.
    """

    purpose: Purpose
    endpoint: str = ""
    namespace: str = "default"
    by_address: bool = False

    @property
    def host(self) -> str:
        """The endpoint's host; as it was given where it is none."""
        return _host(self.endpoint)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that can be chosen, or a reason why it cannot: a Secret, or one key of it that holds certificates.

    keys: what a choice would name, in order; empty where nothing can be chosen. others: the Secret's other keys, as
    far as they are known. bundle: the certificates. why: the verdict in words, or what is wrong. rank: smaller is
    better. hopeful: it is not read yet, and its name or keys say that it should be.
    """

    namespace: str
    secret: str
    kind: Kind
    keys: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    bundle: Bundle | None = None
    ok: bool | None = None
    why: str = ""
    rank: int = 90
    hopeful: bool = False

    @property
    def place(self) -> str:
        """``namespace/secret``."""
        return f"{self.namespace}/{self.secret}"

    @property
    def first(self) -> Certificate | None:
        """The certificate that stands first."""
        return self.bundle.certificates[0] if self.bundle else None

    @property
    def order(self) -> tuple[int, str, str, tuple[str, ...]]:
        """Best first."""
        return self.rank, self.namespace, self.secret, self.keys

    @property
    def identity(self) -> tuple[str, str, tuple[str, ...]]:
        """What tells two rows of one list apart."""
        return self.namespace, self.secret, self.keys


@dataclass(frozen=True, slots=True)
class Denied:
    """A namespace whose Secrets may not be listed, and why. An empty name: all of them at once."""

    namespace: str
    why: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What was found since the last one. A row replaces all rows of its Secret that came before.

    seen, expected: Secrets so far and in all, the latter 0 where nobody says; namespaces, and those still to come.
    said: what went wrong on the way, for people. served: what the endpoint sends, or why that is not known; None until
    it is. done: the last one.
    """

    rows: tuple[Row, ...] = ()
    denied: tuple[Denied, ...] = ()
    said: tuple[str, ...] = ()
    seen: int = 0
    expected: int = 0
    namespaces_to_come: int = 0
    served: Served | str | None = None
    certificates_read: bool = False
    done: bool = False


# ---- browsing ------------------------------------------------------------------------------------------------------

Readable = set[str | None]
"""Namespaces whose Secrets may be listed; None: all at once."""


async def browse(
    cluster: Cluster,
    search: Search,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    readable: Readable | None = None,
) -> AsyncGenerator[Batch, None]:
    """Everything that could be chosen, as it is found. Use ``contextlib.aclosing``.

    readable: what access reviews have granted before in this cluster is not asked again; what they grant is added.

    What goes wrong with one namespace or one list is told in ``Batch.said`` and ends nothing; only what ends
    everything (no connection, credentials refused) is raised.
    """
    queue: asyncio.Queue[Batch | None] = asyncio.Queue()
    task = asyncio.create_task(_Walk(cluster, search, now, queue, set() if readable is None else readable).run())
    task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (batch := await queue.get()) is not None:
            yield batch
            await asyncio.sleep(0)  # a full queue would let nobody else have a turn
        task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def best(
    cluster: Cluster,
    search: Search,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    readable: Readable | None = None,
) -> Row | None:
    """The one to propose, once all was looked through: the first that would surely do. None where there is none."""
    latest: dict[tuple[str, str], list[Row]] = {}
    async with contextlib.aclosing(browse(cluster, search, now, readable)) as batches:
        async for batch in batches:
            latest.update(by_secret(batch.rows))
    return min((row for rows in latest.values() for row in rows if row.ok), key=lambda row: row.order, default=None)


def by_secret(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """The rows of each Secret, which replace all that came of it before."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.namespace, row.secret), []).append(row)
    return found


@dataclass
class _Walk:
    """One browse: it knows which Secrets it has told about, and what the endpoint sends."""

    cluster: Cluster
    search: Search
    now: Callable[[], datetime]
    queue: asyncio.Queue[Batch | None]
    readable: Readable
    served: Served | str | None = None
    told: set[tuple[str, str]] = field(default_factory=set)
    unjudged: list[tuple[Row, ...]] = field(default_factory=list)
    expected: int = 0
    shaking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Fill the queue."""
        try:
            await self._walk()
            if self.search.purpose == "ca":
                await self._shaken()
            self._tell(done=True)
        finally:
            if self.shaking is not None:
                self.shaking.cancel()
                await asyncio.wait([self.shaking])

    async def _walk(self) -> None:
        if self.search.purpose in {"database", "passphrase"}:
            await self._own()
        elif await self._may(None):
            await self._everywhere()
        else:
            await self._one_by_one()

    async def _may(self, namespace: str | None) -> bool:
        if namespace in self.readable:
            return True
        access = _listing(namespace)
        granted = (await self.cluster.allowed([access]))[access]
        if granted:
            self.readable.add(namespace)
        return granted

    def _tell(self, rows: Iterable[Row] = (), **more: Any) -> None:
        batch = Batch(tuple(rows), seen=len(self.told), expected=self.expected, served=self.served, **more)
        self.queue.put_nowait(batch)

    def _shaken(self) -> asyncio.Task[None]:
        """Once the first certificates are there: what is seen comes before what it is worth."""
        if self.shaking is None:
            self.shaking = asyncio.create_task(self._shake())
        return self.shaking

    async def _shake(self) -> None:
        """See what the endpoint sends, then judge anew what was found before."""
        self.served = await served(self.cluster, self.search)
        earlier, self.unjudged = self.unjudged, []
        self._tell()
        async for slice_ in _sliced(earlier):  # by Secrets, as a row replaces all that came of its Secret before
            self._tell([judged(row, self.search, self.served, self.now()) for rows in slice_ for row in rows])

    # -- all Secrets at once

    async def _everywhere(self) -> None:
        if self.search.purpose == "s3":
            await self._own()
        try:
            if self.search.purpose == "ca":
                await self._typed(None)
            await self._others(None)
        except Forbidden as error:  # a right that was taken away
            self.readable.clear()
            self._tell(denied=(Denied("", error.message),))

    async def _typed(self, namespace: str | None) -> None:
        """TLS Secrets, in one answer: the server has it from its cache, where pages may come from etcd."""
        async for page in self._pages(namespace, fields="type=kubernetes.io/tls", limit=None):
            await self._read(page.items)
        self._tell(certificates_read=namespace is None)
        self._shaken()

    async def _others(self, namespace: str | None) -> None:
        """All other Secrets: names and keys, no value leaves the server."""
        async for page in self._pages(namespace, metadata_only=True, limit=500):
            fresh = [item for item in page.items if self._fresh(item)]
            if namespace is None:
                self.expected = max(self.expected, len(self.told) + (page.remaining or 0))
            async for slice_ in _sliced(fresh):
                self._tell([outline(item, self.search) for item in slice_])

    async def _own(self) -> None:
        """The release's own namespace with contents, whose values are dropped at once."""
        if not await self._may(self.search.namespace):
            self._tell(denied=(_denied(self.search.namespace),))
            return
        await self._guarded(self.search.namespace, self._read_all(self.search.namespace))

    async def _read_all(self, namespace: str) -> None:
        async for page in self._pages(namespace, limit=_OPAQUE_PAGE):
            await self._read([item for item in page.items if self._fresh(item)])

    def _fresh(self, item: Object) -> bool:
        key = _key(item)
        if key in self.told:
            return False
        self.told.add(key)
        return True

    async def _read(self, items: Iterable[Object]) -> None:
        async for slice_ in _sliced(items, *HASTE):
            rows: list[Row] = []
            for item in slice_:
                self.told.add(_key(item))
                found = rows_of(item, self.search, self.served, self.now())
                if self.served is None and found[0].bundle:
                    self.unjudged.append(found)
                rows += found
            self._tell(rows)

    async def _pages(self, namespace: str | None, **how: Any) -> AsyncGenerator[Page, None]:
        """A list; from its beginning again where the server has forgotten its place (410)."""
        for attempt in range(1, RELISTS + 1):
            try:
                async with contextlib.aclosing(self.cluster.pages(SECRET, namespace, **how)) as pages:
                    async for page in pages:
                        yield page
                return
            except Gone:
                where = f" of namespace {namespace}" if namespace else ""
                if attempt == RELISTS:
                    text = f"the list of Secrets{where} changes faster than it can be read: it is not complete"
                    self._tell(said=(text,))

    # -- namespace by namespace

    async def _one_by_one(self) -> None:
        try:
            names = await self._namespaces()
        except ClusterError as error:
            likely = {self.search.namespace, self.cluster.namespace, *_namespace_of(self.search.host)}
            names = sorted(likely)
            why = f"namespaces may not be listed, so only {', '.join(names)} are looked at; type a name for another"
            self._tell(denied=(Denied("", why if isinstance(error, Forbidden) else error.message),))
        left = len(names)
        gate = asyncio.Semaphore(SIDE_BY_SIDE)
        for start in range(0, len(names), REVIEWS):
            part = names[start : start + REVIEWS]
            allowed = await self.cluster.allowed([_listing(name) for name in part])
            readable = [name for name in part if allowed[_listing(name)]]
            denied = tuple(_denied(name) for name in part if name not in readable)
            left -= len(denied)
            self._tell(denied=denied, namespaces_to_come=left)

            async def one(name: str) -> None:
                async with gate:
                    await self._guarded(name, self._namespace(name))

            try:
                async with asyncio.TaskGroup() as group:
                    for name in readable:
                        group.create_task(one(name))
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
            left -= len(readable)
            self._tell(namespaces_to_come=left)

    async def _namespaces(self) -> list[str]:
        """The release's own and the endpoint's first: they are the likely ones."""
        names: list[str] = []
        async with contextlib.aclosing(self.cluster.pages(NAMESPACE, metadata_only=True)) as pages:
            async for page in pages:
                names += [str(item["metadata"]["name"]) for item in page.items]
        likely = {self.search.namespace, *_namespace_of(self.search.host)}
        return sorted(names, key=lambda name: (name not in likely, name))

    async def _namespace(self, name: str) -> None:
        if name == self.search.namespace and self.search.purpose != "ca":
            await self._read_all(name)
            return
        if self.search.purpose == "ca":
            await self._typed(name)
        await self._others(name)

    async def _guarded(self, namespace: str, work: Coroutine[Any, Any, None]) -> None:
        """One namespace's failure is told, and ends nothing else."""
        try:
            await work
        except Forbidden as error:
            self._tell(denied=(Denied(namespace, error.message),))
        except Unauthorized:
            raise  # nothing else would be answered either
        except ClusterError as error:
            self._tell(said=(f"namespace {namespace}: {error.message}",))


async def served(cluster: Cluster, search: Search) -> Served | str:
    """What the endpoint sends, or why that cannot be seen, and what to do."""
    try:
        return await objectstore.handshake(cluster, search.endpoint)
    except PgwizardError as error:
        return ". ".join(part for part in (error.message, error.hint) if part)


async def contents(
    cluster: Cluster, ref: Ref, search: Search, server: Served | str | None, now: datetime
) -> tuple[Row, ...]:
    """One Secret, read now. What is wrong with it (gone, denied) is its row's ``why``."""
    namespace, secret = ref.namespace or "", ref.name
    try:
        item = await cluster.get(ref)
    except NotFound:
        return (Row(namespace, secret, "cannot be read", why="does not exist (any more)", rank=95),)
    except Forbidden:
        why = "may not be read: " + Access("get", "secrets", "", namespace, secret).command()
        return (Row(namespace, secret, "cannot be read", why=why, rank=95, hopeful=True),)
    except ClusterError as error:
        return (Row(namespace, secret, "cannot be read", why=plain(error.message), rank=95),)
    return rows_of(item, search, server, now)


def settled(before: Row, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Rows of a Secret that was read because it was in view: what is of no use stays where it was seen."""
    return tuple(row if row.keys else replace(row, rank=min(row.rank, before.rank)) for row in rows)


def named(text: str, search: Search) -> tuple[str, str, tuple[str, ...]] | str:
    """Namespace, Secret and keys of a typed ``namespace/secret/key,key``, or what is wrong with it.

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
    """The keys that are taken where nobody can look."""
    return ("tls.crt",) if search.purpose == "ca" else KEY_PAIRS[search.purpose][0]


def has_keys(rows: tuple[Row, ...], keys: tuple[str, ...]) -> bool:
    """Whether a Secret that was read has all of these keys."""
    return set(keys) <= {key for row in rows for key in (*row.keys, *row.others)}


async def confirmed(cluster: Cluster, row: Row, search: Search) -> Verdict:
    """A real handshake that trusts this row's certificates alone; ``ok`` is None where there was none."""
    if row.bundle is None:
        return Verdict(None, "holds no certificate")
    try:
        found = await objectstore.verify(cluster, search.endpoint, row.bundle.pem, by_address=search.by_address)
    except PgwizardError as error:
        return Verdict(None, error.message)
    return Verdict(found.ok, found.message)


def _listing(namespace: str | None) -> Access:
    return Access("list", "secrets", "", namespace)


def _denied(namespace: str) -> Denied:
    return Denied(namespace, f"Secrets may not be listed there: {_listing(namespace).command()}")


def _namespace_of(host: str) -> tuple[str, ...]:
    parts = host.split(".")
    return (parts[1],) if len(parts) > 2 and parts[2] == "svc" else ()


def _key(item: Object) -> tuple[str, str]:
    return str(item["metadata"].get("namespace", "")), str(item["metadata"]["name"])


async def _sliced(
    items: Iterable[Any],
    slice_seconds: float = SLICE_SECONDS,
    breath_seconds: float = BREATH_SECONDS,
) -> AsyncGenerator[list[Any], None]:
    """The items in lists that grow until the time of a slice is used up: others have their turn in between."""
    chunk: list[Any] = []
    size = 8
    begin = time.perf_counter()
    for item in items:
        chunk.append(item)
        if len(chunk) >= size:
            yield chunk
            spent = time.perf_counter() - begin
            size = max(4, min(500, int(size * slice_seconds / max(spent, 1e-5))))
            chunk = []
            await asyncio.sleep(breath_seconds)
            begin = time.perf_counter()
    if chunk:
        yield chunk


# ---- what a Secret is ----------------------------------------------------------------------------------------------


def outline(item: Object, search: Search) -> Row:
    """A Secret by its metadata alone. The names of its keys are in managedFields, as far as anybody wrote them."""
    namespace, name = _key(item)
    keys = tuple(sorted(set(_managed_keys(item))))
    if search.purpose == "ca":
        named = bool(_HOPEFUL.search(name)) and not name.startswith("sh.helm.release.")
        hopeful = any(_CERTIFICATE_KEY.search(key) for key in keys) or named
        return Row(namespace, name, "not read", others=keys, rank=50 if hopeful else 80, hopeful=hopeful)
    if keys:
        return _credentials(namespace, name, dict.fromkeys(keys, True), search)
    if name.startswith("sh.helm.release."):
        return Row(namespace, name, "not read", rank=80)
    return Row(namespace, name, "not read", rank=50 if _LIKELY.search(name) else 55, hopeful=True)


def _managed_keys(item: Object) -> Iterator[str]:
    for entry in item["metadata"].get("managedFields") or ():
        fields = entry.get("fieldsV1") or {}
        for part in ("f:data", "f:stringData"):
            for key in fields.get(part) or ():
                if key.startswith("f:"):
                    yield key[2:]


def rows_of(item: Object, search: Search, server: Served | str | None, now: datetime) -> tuple[Row, ...]:
    """A whole Secret: each of its keys that holds certificates, or one row that says why there is none. Pure."""
    namespace, name = _key(item)
    data: Mapping[str, str] = item.get("data") or {}
    if search.purpose != "ca":
        return (_credentials(namespace, name, {key: bool(value) for key, value in data.items()}, search),)
    rows: list[Row] = []
    wrong: list[tuple[str, str]] = []
    keys = tuple(sorted(data))
    for key in keys:
        others = tuple(other for other in keys if other != key)
        text, broken = _certificates_of(key, data[key], now)
        if text is not None:
            row = Row(namespace, name, kind_of(text), (key,), others, text)
            rows.append(judged(row, search, server, now))
        elif broken:
            wrong.append((key, broken))
    if rows:
        return tuple(rows)
    if wrong:
        # the key that is meant to be the certificate says most about it
        key, why = min(wrong, key=lambda pair: (pair[0] not in {"tls.crt", "ca.crt"}, pair[0]))
        bare = key in {"tls.crt", "ca.crt"} and why == "is empty" and bool(data.get("tls.key"))
        if not bare:
            return (Row(namespace, name, "not a certificate", others=keys, why=f"{key} {why}", rank=70),)
    if any(_holds_key(value) for value in data.values()):
        return (Row(namespace, name, "key only", others=keys, why="a private key without its certificate", rank=71),)
    nothing = "holds no certificate" if keys else "has no data"
    return (Row(namespace, name, "other keys", others=keys, why=nothing, rank=85),)


def _certificates_of(key: str, coded: str, now: datetime) -> tuple[Bundle | None, str]:
    """The certificates of a key's value, or what is wrong with them; neither where it is meant for something else."""
    if key == "tls.key":
        return None, ""  # not even decoded
    meant = key in {"tls.crt", "ca.crt"} or bool(_CERTIFICATE_KEY.search(key))
    if len(coded) > LIMIT_BYTES * 4 // 3 + 4:
        return None, f"is larger than {LIMIT_BYTES // 1024} KiB" if meant else ""
    try:
        value = base64.b64decode(coded)
    except (binascii.Error, ValueError):
        return None, "is not base64" if meant else ""
    if b"CERTIFICATE-----" not in value and not meant:
        return None, ""
    try:
        return read_bundle(value, now, valid=False), ""
    except ValueError as error:
        return None, str(error)


def _holds_key(coded: str) -> bool:
    try:
        return _KEY_LABEL in base64.b64decode(coded[:400])[:100]
    except (binascii.Error, ValueError):
        return False


def kind_of(bundle: Bundle) -> Kind:
    """What the certificates are: authorities alone, one for a server alone, or such a one with what signed it."""
    first, *others = bundle.certificates
    if others:
        return "CA" if all(item.is_ca for item in bundle.certificates) else "chain"
    return kind_of_one(first)


def kind_of_one(certificate: Certificate) -> Kind:
    """A certificate by itself: one that signs others, one that signed itself for a server, one that was signed."""
    if certificate.is_ca and not (certificate.self_signed and certificate.dns_names):
        return "CA"
    return "self-signed" if certificate.self_signed else "leaf"


# ---- judging and ranking -------------------------------------------------------------------------------------------


def judged(row: Row, search: Search, server: Served | str | None, now: datetime) -> Row:
    """The row with its verdict, its reason in words and its rank. Pure."""
    if row.bundle is None:
        return row
    if isinstance(server, Served):
        verdict = would_verify(row.bundle, server.chain, search.host, now, by_address=search.by_address)
    else:
        verdict = Verdict(None, "" if server is None else "cannot be tried from here")
    first = row.bundle.certificates[0]
    named = verdict.ok is None and first.names(search.host, by_address=search.by_address)
    rank = _rank(row, verdict, search, now, named=named)
    return replace(row, ok=verdict.ok, why=_reason(verdict, search, named=named), rank=rank)


def _reason(verdict: Verdict, search: Search, *, named: bool) -> str:
    if verdict.ok and verdict.why == "signed the server's certificate":
        return f"signed the certificate that {search.endpoint} sends"
    if named:
        return f"names {search.host}" + (f"; {verdict.why}" if verdict.why else "")
    return verdict.why


def _rank(row: Row, verdict: Verdict, search: Search, now: datetime, *, named: bool) -> int:
    kinds = {"CA": 0, "self-signed": 1, "chain": 2, "leaf": 3}
    kind = kinds.get(row.kind, 4)
    near = row.namespace in _namespace_of(search.host)
    if verdict.ok:
        return kind * 2 + (not near)
    ended = bool(row.bundle and row.bundle.ends <= now)
    if verdict.ok is None:
        return 30 if ended else 10 + kind + (0 if named else 8)
    return 35 if ended else 30 + kind


def _credentials(namespace: str, name: str, keys: Mapping[str, bool], search: Search) -> Row:
    """A Secret by the names of its keys; each with whether it holds anything."""
    known = tuple(sorted(keys))
    for place, pair in enumerate(KEY_PAIRS[search.purpose]):
        if not all(key in keys for key in pair):
            continue
        others = tuple(key for key in known if key not in pair)
        empty = [key for key in pair if not keys[key]]
        if empty:
            return Row(namespace, name, "credentials", (), known, ok=False, why=f"{empty[0]} is empty", rank=60)
        own = namespace == search.namespace
        why = f"has {' and '.join(pair)}"
        if pair[0] in _ROOT_PAIRS:
            why = f"has {' and '.join(pair)}: the server's own administrator, more than backups need"
        ok = None if search.purpose == "s3" and pair == ("username", "password") else True  # of what, nobody says
        return Row(namespace, name, "credentials", pair, others, ok=ok, why=why, rank=min(49, place * 2 + (not own)))
    nothing = "no usual keys" if keys else "has no data"
    return Row(namespace, name, "other keys", others=known, why=nothing, rank=85)
