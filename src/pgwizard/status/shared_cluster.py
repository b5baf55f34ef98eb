"""A cluster for observing many releases at once: their watches are shared, commands in pods take turns, all is counted.

A watch of one namespace becomes one of all namespaces that every release reads, where that is allowed; what is not its
own is left out. It decides nothing about releases.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Literal

from pgwizard.kube.api import (
    Access,
    ByteStream,
    Cluster,
    ExecResult,
    ListPage,
    Object,
    Ref,
    Resource,
    WatchEvent,
    WriteResult,
)
from pgwizard.kube.commands import Commands

AT_ONCE = 16
"""Commands in pods that run side by side."""
_NAME = "metadata.name="


class SharedCluster(Cluster):
    """cluster: what it asks. labels: narrows the watch of a kind, but for namespaces that are watched widely.

    is_namespaced: each namespace has watches of its own, because all of them may not be watched at once.
    """

    def __init__(
        self, cluster: Cluster, labels: Mapping[Resource, str] | None = None, *, is_namespaced: bool = False
    ) -> None:
        self._cluster, self._labels, self._is_namespaced = cluster, labels or {}, is_namespaced
        self._wide: set[str] = set()
        self._feeds: dict[tuple[Resource, str | None, str, str], _Feed] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.requests: Counter[str] = Counter()
        """How many requests there were, by verb."""

    @property
    def server(self) -> str:
        return self._cluster.server

    @property
    def namespace(self) -> str:
        return self._cluster.namespace

    @property
    def commands(self) -> Commands:
        return self._cluster.commands

    def watch_widely(self, namespace: str) -> None:
        """Watch all objects of a namespace from now on: some that matter lack the labels."""
        self._wide.add(namespace)

    async def watch(
        self, resource: Resource, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> AsyncGenerator[WatchEvent, None]:
        terms = [term for term in fields.split(",") if term]
        name = next((term.removeprefix(_NAME) for term in terms if term.startswith(_NAME)), "")
        others = ",".join(term for term in terms if not term.startswith(_NAME))
        scope = namespace if self._is_namespaced else None
        narrow = "" if namespace is None or namespace in self._wide else self._labels.get(resource, "")
        key = (resource, scope, labels or narrow, others)
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = _Feed(self._cluster, *key)
            self.requests["watch"] += 1
        async with aclosing(feed.read(namespace, name)) as events:
            async for event in events:
                yield event

    async def stop(self) -> None:
        """End the shared watches; the cluster stays open."""
        await asyncio.gather(*(feed.stop() for feed in self._feeds.values()))

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout_seconds: float = 60,
    ) -> ExecResult:
        async with self._turns:
            self.requests["exec"] += 1
            return await self._cluster.exec(
                namespace, pod, container, command, stdin=stdin, timeout_seconds=timeout_seconds
            )

    async def get(self, ref: Ref) -> Object:
        async with self._turns:
            self.requests["get"] += 1
            return await self._cluster.get(ref)

    def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
        limit: int | None = 500,
    ) -> AsyncGenerator[ListPage, None]:
        self.requests["list"] += 1
        return self._cluster.pages(
            resource, namespace, labels=labels, fields=fields, metadata_only=metadata_only, limit=limit
        )

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        previous: bool = False,
    ) -> AsyncGenerator[str, None]:
        self.requests["logs"] += 1
        return self._cluster.logs(namespace, pod, container, follow=follow, tail=tail, previous=previous)

    # ---- passed on ---------------------------------------------------------------------------------------------------

    async def version(self) -> str:
        return await self._cluster.version()

    async def apply(self, obj: Object, *, dry_run: bool = False, force: bool = False) -> WriteResult:
        return await self._cluster.apply(obj, dry_run=dry_run, force=force)

    async def create(self, obj: Object, *, dry_run: bool = False) -> WriteResult:
        return await self._cluster.create(obj, dry_run=dry_run)

    async def patch(self, ref: Ref, patch: Object, *, dry_run: bool = False) -> WriteResult:
        return await self._cluster.patch(ref, patch, dry_run=dry_run)

    async def replace(self, obj: Object) -> WriteResult:
        return await self._cluster.replace(obj)

    async def delete(
        self,
        ref: Ref,
        *,
        uid: str | None = None,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
    ) -> None:
        await self._cluster.delete(ref, uid=uid, propagation=propagation)

    def port_forward(self, namespace: str, pod: str, port: int) -> AbstractAsyncContextManager[ByteStream]:
        return self._cluster.port_forward(namespace, pod, port)

    async def check_access(self, accesses: Sequence[Access]) -> dict[Access, bool]:
        return await self._cluster.check_access(accesses)

    async def close(self) -> None:
        await self.stop()


class _Feed:
    """One watch, and who reads it: each gets what there is, then what changes. namespace: None for all of them."""

    def __init__(self, cluster: Cluster, resource: Resource, namespace: str | None, labels: str, fields: str) -> None:
        self._cluster, self._resource, self._namespace = cluster, resource, namespace
        self._labels, self._fields = labels, fields
        self._objects: dict[str, dict[str, Object]] = {}
        self._readers: dict[str | None, set[_FeedReader]] = {}
        self._is_synced = False
        self._task: asyncio.Task[None] | None = None

    async def read(self, namespace: str | None, name: str) -> AsyncGenerator[WatchEvent, None]:
        """As ``Cluster.watch``: raises what ends the shared watch, which the next reader begins again."""
        reader = _FeedReader(name)
        there = self._readers.setdefault(namespace, set())
        there.add(reader)
        spaces = self._objects.values() if namespace is None else [self._objects.get(namespace, {})]
        for item in [item for space in spaces for item in space.values()]:
            reader.take(WatchEvent("ADDED", item))
        if self._is_synced:
            reader.take(_SYNC_EVENT)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            while True:
                event = await reader.queue.get()
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            there.discard(reader)

    async def _run(self) -> None:
        try:
            events = self._cluster.watch(self._resource, self._namespace, labels=self._labels, fields=self._fields)
            async with aclosing(events):
                async for event in events:
                    self._pass_on(event)
        except Exception as error:  # noqa: BLE001 - each reader gets it, as from a watch of its own
            self._objects, self._is_synced = {}, False
            for reader in self._all_readers():
                reader.queue.put_nowait(error)

    def _pass_on(self, event: WatchEvent) -> None:
        if event.type == "SYNCED":
            self._is_synced = True
            for reader in self._all_readers():
                reader.take(event)
            return
        metadata = event.object["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if event.type == "DELETED":
            self._objects.get(namespace, {}).pop(name, None)
        else:
            self._objects.setdefault(namespace, {})[name] = event.object
        for reader in (*self._readers.get(namespace, ()), *self._readers.get(None, ())):
            reader.take(event)

    def _all_readers(self) -> list[_FeedReader]:
        return [reader for readers in self._readers.values() for reader in readers]

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


class _FeedReader:
    """name: of the only object that it wants; empty for all of its namespace."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.queue: asyncio.Queue[WatchEvent | Exception] = asyncio.Queue()

    def take(self, event: WatchEvent) -> None:
        if event.type == "SYNCED" or not self._name or event.object["metadata"]["name"] == self._name:
            self.queue.put_nowait(event)


_SYNC_EVENT = WatchEvent("SYNCED", {})
