"""Looks through the cluster's Secrets for what could be chosen: certificates to trust, and credentials.

``browse`` reports them as they arrive: TLS Secrets with their certificates, all others by their metadata alone;
``contents`` reads one of those when it is shown. How good a Secret is, ``candidates`` decides. It never writes, and
never keeps a value.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pgwizard.clock import Clock
from pgwizard.errors import ClusterError, Finding, Forbidden, Gone, NotFound, PgwizardError, Unauthorized
from pgwizard.kube.api import (
    CONFIGMAP,
    NAMESPACE,
    SECRET,
    Access,
    Cluster,
    ListPage,
    Object,
    Ref,
    find_object,
    list_objects,
)
from pgwizard.release.survey import misplaced_finding, published_finding
from pgwizard.tls import handshake
from pgwizard.tls.chain import ChainVerdict
from pgwizard.tls.handshake import Handshake
from pgwizard.wizard.candidates import KEY_PAIRS, Candidate, Search, by_secret, judge, outline, place_of, rows_of

SLICE_SECONDS = 0.004
"""How long a list may block the event loop, and so a key press."""
BREATH_SECONDS = 0.005
"""The pause between slices. A key passes through several tasks until it is painted; sleep(0) runs one step of each."""
HASTE = 0.008, 0.001
"""Slice and pause while certificates are read: a screen waits for them."""
SIDE_BY_SIDE = 8
REVIEWS = 64
"""Namespaces in one batch of access reviews."""
RELISTS = 3
_OPAQUE_PAGE = 100


@dataclass(frozen=True, slots=True)
class Denial:
    """A namespace whose Secrets may not be listed. An empty name: all of them at once."""

    namespace: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Batch:
    """What was found since the last one. A row replaces all rows of its Secret that came before.

    count, expected: Secrets so far and in all, the latter 0 where nobody says; namespaces, and those still to come.
    failures: what could not be read. server_answer: what the endpoint sends, or why that is not known; None until
    it is. is_done: the last one.
    """

    rows: tuple[Candidate, ...] = ()
    denials: tuple[Denial, ...] = ()
    failures: tuple[Finding, ...] = ()
    count: int = 0
    expected: int = 0
    namespaces_to_come: int = 0
    server_answer: Handshake | Finding | None = None
    certificates_read: bool = False
    is_done: bool = False


# ---- browsing ------------------------------------------------------------------------------------------------------

Readable = set[str | None]
"""Namespaces whose Secrets may be listed; None: all at once."""


async def browse(
    cluster: Cluster,
    search: Search,
    now: Clock,
    readable: Readable | None = None,
) -> AsyncGenerator[Batch, None]:
    """Everything that could be chosen, as it is found. Use ``contextlib.aclosing``.

    readable: what access reviews have granted before in this cluster is not reviewed again; what they grant is added.

    A namespace or a list that cannot be read is reported in ``Batch.failures``; only what ends the whole search
    (no connection, credentials refused) is raised.
    """
    queue: asyncio.Queue[Batch | None] = asyncio.Queue()
    task = asyncio.create_task(_Walk(cluster, search, now, queue, set() if readable is None else readable).run())
    task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (batch := await queue.get()) is not None:
            yield batch
            await asyncio.sleep(0)  # a full queue would block every other task
        task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def best(
    cluster: Cluster,
    search: Search,
    now: Clock,
    readable: Readable | None = None,
) -> Candidate | None:
    """The candidate to propose once the search is complete: the first certain one. None if there is none."""
    latest: dict[tuple[str, str], list[Candidate]] = {}
    async with contextlib.aclosing(browse(cluster, search, now, readable)) as batches:
        async for batch in batches:
            latest.update(by_secret(batch.rows))
    return min((row for rows in latest.values() for row in rows if row.ok), key=lambda row: row.order, default=None)


@dataclass
class _Walk:
    """One search: the Secrets that it has reported, and what the endpoint sends."""

    cluster: Cluster
    search: Search
    now: Clock
    queue: asyncio.Queue[Batch | None]
    readable: Readable
    server_answer: Handshake | Finding | None = None
    places: set[tuple[str, str]] = field(default_factory=set)
    pending: list[tuple[Candidate, ...]] = field(default_factory=list)
    expected: int = 0
    handshake_task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        try:
            await self._walk()
            if self.search.purpose == "ca":
                await self._start_handshake()
            self._report(is_done=True)
        finally:
            if self.handshake_task is not None:
                self.handshake_task.cancel()
                await asyncio.wait([self.handshake_task])

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
        is_granted = (await self.cluster.check_access([access]))[access]
        if is_granted:
            self.readable.add(namespace)
        return is_granted

    def _report(self, rows: Iterable[Candidate] = (), **more: Any) -> None:
        batch = Batch(
            tuple(rows), count=len(self.places), expected=self.expected, server_answer=self.server_answer, **more
        )
        self.queue.put_nowait(batch)

    def _start_handshake(self) -> asyncio.Task[None]:
        """Start once the first certificates are read: rows are shown before their verdicts."""
        if self.handshake_task is None:
            self.handshake_task = asyncio.create_task(self._ask_endpoint())
        return self.handshake_task

    async def _ask_endpoint(self) -> None:
        """Read what the endpoint sends, then decide again about the rows from before."""
        self.server_answer = await ask_endpoint(self.cluster, self.search)
        earlier, self.pending = self.pending, []
        self._report()
        async for slice_ in _slices(earlier):  # by Secrets: a row replaces all earlier rows of its Secret
            self._report([judge(row, self.search, self.server_answer, self.now()) for rows in slice_ for row in rows])

    # -- all Secrets at once

    async def _everywhere(self) -> None:
        if self.search.purpose == "s3":
            await self._own()
        try:
            if self.search.purpose == "ca":
                await self._typed_secrets(None)
            await self._others(None)
        except Forbidden as error:  # a permission that was revoked
            self.readable.clear()
            self._report(denials=(Denial("", Finding(text=error.message)),))

    async def _typed_secrets(self, namespace: str | None) -> None:
        """TLS Secrets, in one answer: the server has it from its cache, where pages may come from etcd."""
        async for page in self._pages(namespace, fields="type=kubernetes.io/tls", limit=None):
            await self._read(page.items)
        self._report(certificates_read=namespace is None)
        self._start_handshake()

    async def _others(self, namespace: str | None) -> None:
        """All other Secrets: names and keys, no value leaves the server."""
        async for page in self._pages(namespace, metadata_only=True, limit=500):
            fresh = [item for item in page.items if self._fresh(item)]
            if namespace is None:
                self.expected = max(self.expected, len(self.places) + (page.remaining or 0))
            async for slice_ in _slices(fresh):
                self._report([outline(item, self.search) for item in slice_])

    async def _own(self) -> None:
        """The release's own namespace with contents; their values are dropped at once."""
        if not await self._may(self.search.namespace):
            self._report(denials=(self._denial(self.search.namespace),))
            return
        await self._guard(self.search.namespace, self._read_all(self.search.namespace))

    async def _read_all(self, namespace: str) -> None:
        async for page in self._pages(namespace, limit=_OPAQUE_PAGE):
            await self._read([item for item in page.items if self._fresh(item)])

    def _denial(self, namespace: str) -> Denial:
        check = f"Check: {_listing(namespace).command(self.cluster.commands)}"
        return Denial(namespace, Finding(text="Secrets may not be listed there", fix=check))

    def _fresh(self, item: Object) -> bool:
        key = place_of(item)
        if key in self.places:
            return False
        self.places.add(key)
        return True

    async def _read(self, items: Iterable[Object]) -> None:
        async for slice_ in _slices(items, *HASTE):
            rows: list[Candidate] = []
            for item in slice_:
                self.places.add(place_of(item))
                of_secret = rows_of(item, self.search, self.server_answer, self.now())
                if self.server_answer is None and of_secret[0].bundle:
                    self.pending.append(of_secret)
                rows += of_secret
            self._report(rows)

    async def _pages(self, namespace: str | None, **how: Any) -> AsyncGenerator[ListPage, None]:
        """A list, from its beginning again if the continuation has expired (410)."""
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
                    self._report(failures=(Finding(text=text),))

    # -- namespace by namespace

    async def _one_by_one(self) -> None:
        try:
            names = await self._namespaces()
        except ClusterError as error:
            likely = {self.search.namespace, self.cluster.namespace, *self.search.homes}
            names = sorted(likely)
            text = error.message
            if isinstance(error, Forbidden):
                text = f"namespaces may not be listed, so only {', '.join(names)} are searched; type a name for another"
            self._report(denials=(Denial("", Finding(text=text)),))
        remaining = len(names)
        gate = asyncio.Semaphore(SIDE_BY_SIDE)
        for start in range(0, len(names), REVIEWS):
            part = names[start : start + REVIEWS]
            permissions = await self.cluster.check_access([_listing(name) for name in part])
            readable = [name for name in part if permissions[_listing(name)]]
            denials = tuple(self._denial(name) for name in part if name not in readable)
            remaining -= len(denials)
            self._report(denials=denials, namespaces_to_come=remaining)

            async def one(name: str) -> None:
                async with gate:
                    await self._guard(name, self._namespace(name))

            try:
                async with asyncio.TaskGroup() as group:
                    for name in readable:
                        group.create_task(one(name))
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
            remaining -= len(readable)
            self._report(namespaces_to_come=remaining)

    async def _namespaces(self) -> list[str]:
        """The release's own and the endpoint's first: they are the likely ones."""
        namespaces = await list_objects(self.cluster, NAMESPACE, metadata_only=True)
        names = [str(item["metadata"]["name"]) for item in namespaces]
        likely = {self.search.namespace, *self.search.homes}
        return sorted(names, key=lambda name: (name not in likely, name))

    async def _namespace(self, name: str) -> None:
        if name == self.search.namespace and self.search.purpose != "ca":
            await self._read_all(name)
            return
        if self.search.purpose == "ca":
            await self._typed_secrets(name)
        await self._others(name)

    async def _guard(self, namespace: str, work: Coroutine[Any, Any, None]) -> None:
        """One namespace that cannot be read does not end the search."""
        try:
            await work
        except Forbidden as error:
            self._report(denials=(Denial(namespace, Finding(text=error.message)),))
        except Unauthorized:
            raise  # no other request would succeed either
        except ClusterError as error:
            self._report(failures=(Finding(text=f"namespace {namespace}: {error.message}"),))


async def ask_endpoint(cluster: Cluster, search: Search) -> Handshake | Finding:
    """What the endpoint sends, or why it cannot be read, with a fix."""
    if search.endpoint is None:
        return Finding(text="there is no endpoint to ask")
    try:
        return await handshake.handshake(cluster, search.endpoint, namespace=search.namespace)
    except PgwizardError as error:
        return _why(error)


def _why(error: PgwizardError) -> Finding:
    return Finding(text=error.message, fix=error.hint)


async def contents(
    cluster: Cluster, ref: Ref, search: Search, server: Handshake | Finding | None, now: datetime
) -> tuple[Candidate, ...]:
    """One Secret, read now. Its problem (gone, denied) is its row's ``reason``."""
    namespace, secret = ref.namespace or "", ref.name
    try:
        item = await cluster.get(ref)
    except NotFound:
        reason = await _find_published(cluster, ref, search) or Finding(text="does not exist")
        return (Candidate(namespace, secret, "cannot be read", reason=reason, rank=95),)
    except Forbidden:
        check = f"Check: {Access('get', 'secrets', '', namespace, secret).command(cluster.commands)}"
        reason = Finding(text="may not be read", fix=check)
        return (Candidate(namespace, secret, "cannot be read", reason=reason, rank=95, hopeful=True),)
    except ClusterError as error:
        return (Candidate(namespace, secret, "cannot be read", reason=Finding(text=error.message), rank=95),)
    return rows_of(item, search, server, now)


async def _find_published(cluster: Cluster, ref: Ref, search: Search) -> Finding | None:
    """How to use what a ConfigMap of that name has instead; None if it has nothing of use."""
    with contextlib.suppress(ClusterError):
        config_map = await find_object(cluster, Ref(CONFIGMAP, ref.name, ref.namespace))
        if config_map is not None and search.purpose == "ca":
            return published_finding(config_map, str(ref), cluster.commands)
        if config_map is not None:
            return misplaced_finding(config_map, ref, KEY_PAIRS[search.purpose], "", cluster.commands)
    return None


async def confirm(cluster: Cluster, row: Candidate, search: Search, now: datetime) -> ChainVerdict | Finding:
    """The verdict of a separate handshake, or why there was none, with a fix."""
    if search.endpoint is None:
        return Finding(text="there is no endpoint to ask")
    if row.bundle is None:
        return row.reason if isinstance(row.reason, Finding) else Finding(text="its certificates were not read")
    try:
        home = search.namespace
        return (await handshake.verify(cluster, search.endpoint, row.bundle, search.rules, now, namespace=home)).verdict
    except PgwizardError as error:
        return _why(error)


def _listing(namespace: str | None) -> Access:
    return Access("list", "secrets", "", namespace)


async def _slices(
    items: Iterable[Any],
    slice_seconds: float = SLICE_SECONDS,
    breath_seconds: float = BREATH_SECONDS,
) -> AsyncGenerator[list[Any], None]:
    """The items in lists, each within the time of a slice; other tasks run in between."""
    chunk: list[Any] = []
    size = 8
    begin = time.perf_counter()
    for item in items:
        chunk.append(item)
        if len(chunk) >= size:
            yield chunk
            elapsed_seconds = time.perf_counter() - begin
            size = max(4, min(500, int(size * slice_seconds / max(elapsed_seconds, 1e-5))))
            chunk = []
            await asyncio.sleep(breath_seconds)
            begin = time.perf_counter()
    if chunk:
        yield chunk
