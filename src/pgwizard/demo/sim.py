"""Owns ``SimCluster``: the ``Cluster`` protocol answered in process, for ``--demo`` and for tests.

There is no listener and no serialisation: what is behind the protocol is the package's own store, field ownership,
admission, controllers and canned programs. It does not do: admission webhooks, CRDs and conversion, protobuf, CEL,
finalizers, priority and fairness, nodes that fail, networks, or a shell. Error texts are the server's where
``statuses`` has them. Retries never show: see ``faults``.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from pgwizard import errors
from pgwizard.demo import admission, ssa, statuses, world
from pgwizard.demo.clock import Clock, ScaledClock, stamp
from pgwizard.demo.controllers import Controllers
from pgwizard.demo.faults import AFTER_COMMIT, FaultRule, Outcome, Request, failure, struck
from pgwizard.demo.store import CLUSTER_SCOPED, Change, Selector, Store
from pgwizard.kubeapi import Access, ByteStream, ExecResult, Object, Page, Ref, Resource, WatchEvent, Written

T = TypeVar("T")
_MANAGER = "pgwizard"
_VERBS = {"apply": "patch"}
_POD = Resource("v1", "Pod")


class SimCluster:
    """A cluster in memory. ``speed``: how many times as fast its time runs; ``clock`` replaces time altogether.

    faults: asked at every request. outcomes: fates of pods and Jobs. rules: RBAC. requests: all that was asked.
    With ``example=False`` only the namespaces of an empty cluster and the StorageClasses exist.
    """

    def __init__(
        self,
        *,
        speed: float = 1,
        clock: Clock | None = None,
        faults: Sequence[FaultRule] = (),
        outcomes: Sequence[Outcome] = (),
        example: bool = True,
        window: int = 10_000,
    ) -> None:
        self.clock: Clock = clock or ScaledClock(speed)
        self.store = Store(self.clock.now, window)
        self.rules = admission.Rules()
        self.faults: list[FaultRule] = list(faults)
        self.outcomes: list[Outcome] = list(outcomes)
        self.requests: list[Request] = []
        self.controllers = Controllers(self.store, self.clock, self.outcomes)
        world.furnish(self.store, self.controllers, example=example)
        self._closed = False

    async def __aenter__(self) -> Self:
        self.reopen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def reopen(self) -> None:
        """Let another run use the same cluster after ``close`` or after it was abandoned."""
        self._closed = False

    @property
    def server(self) -> str:
        """The name of the context."""
        return "demo"

    @property
    def namespace(self) -> str:
        """The namespace of the context."""
        return "default"

    async def version(self) -> str:
        """The version whose behaviour was recorded."""
        return await self._call("get", "version", "/version", None, "", lambda: "v1.34.4")

    async def get(self, ref: Ref) -> Object:
        """Raises NotFound."""
        return await self._object_call("get", ref, lambda: copy.deepcopy(self._stored(ref)))

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
        limit: int | None = 500,
    ) -> AsyncIterator[Page]:
        """The list as it was at the first page, in chunks."""
        selector = Selector.parse(resource, namespace, labels, fields)
        version, rest = 0, list[Object]()

        def first() -> None:
            nonlocal version, rest
            version, rest = self.store.version, self.store.select(selector)

        def following() -> None:
            if self.store.since(version) is None:
                raise statuses.gone("The provided continue parameter is too old to display a consistent list result.")

        step: Callable[[], None] = first
        while step is first or rest:
            await self._call("list", _plural(resource), resource.path(namespace), namespace, "", step)
            step = following
            size = len(rest) if limit is None else limit
            chunk, rest = rest[:size], rest[size:]
            items = tuple(_metadata(obj) if metadata_only else obj for obj in chunk)
            # the server does not count what a selector would have to look at
            counted = None if labels or fields or not rest else len(rest)
            yield Page(items, str(version), counted)

    async def watch(
        self, resource: Resource, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> AsyncIterator[WatchEvent]:
        """List, then follow; lists again where the window of changes was left behind."""
        selector = Selector.parse(resource, namespace, labels, fields)
        wake = asyncio.Event()

        def listen(_: Change) -> None:
            wake.set()

        self.store.listeners.append(listen)
        try:
            known: dict[Ref, Object] = {}
            version = -1
            while True:
                wake.clear()
                changes = self.store.since(version) if version >= 0 else None
                if changes is None:
                    path = resource.path(namespace)
                    await self._call("list", _plural(resource), path, namespace, "", lambda: None)
                    version, found = self.store.version, self.store.select(selector)
                    for event in _relisted(known, found):
                        yield event
                    await self._call("watch", _plural(resource), path, namespace, "", lambda: None)
                    continue
                for change in changes:
                    version = change[0]
                    for event in _seen(known, change, selector):
                        yield event
                if not changes:
                    await wake.wait()
                self._check_open()
        finally:
            self.store.listeners.remove(listen)

    async def apply(self, obj: Object, *, dry_run: bool = False, force: bool = False) -> Written:
        """Server-side apply as field manager ``pgwizard``."""
        return await self.apply_as(_MANAGER, obj, dry_run=dry_run, force=force)

    async def apply_as(self, manager: str, obj: Object, *, dry_run: bool = False, force: bool = False) -> Written:
        """Server-side apply as somebody else: what another tool does to the cluster."""
        ref = Ref.of(obj)

        def commit() -> Written:
            applied = admission.decode(obj, ref, applied=True)
            live = self.store.peek(ref)
            new = ssa.apply(live, applied, manager, stamp(self.clock.now()), force=force)
            return self._write(ref, live, new, dry_run=dry_run)

        return await self._object_call("apply", ref, commit, dry_run=dry_run)

    async def create(self, obj: Object, *, dry_run: bool = False) -> Written:
        """Raises AlreadyExists."""
        named = copy.deepcopy(obj)
        if "name" not in named["metadata"]:
            named["metadata"]["name"] = named["metadata"]["generateName"] + self.store.suffix()
        ref = Ref.of(named)

        def commit() -> Written:
            new = admission.decode(named, ref, applied=False)
            self._place(ref)
            if self.store.peek(ref) is not None:
                raise statuses.already_exists(ref)
            return self._write(ref, None, self._updated(None, new), dry_run=dry_run)

        return await self._object_call("create", ref, commit, dry_run=dry_run)

    async def patch(self, ref: Ref, patch: Object, *, dry_run: bool = False) -> Written:
        """JSON merge patch."""
        return await self.patch_as(_MANAGER, ref, patch, dry_run=dry_run)

    async def patch_as(self, manager: str, ref: Ref, patch: Object, *, dry_run: bool = False) -> Written:
        """JSON merge patch as somebody else, such as ``kubectl-edit``."""

        def commit() -> Written:
            live = self._stored(ref)
            version = (patch.get("metadata") or {}).get("resourceVersion")
            if version is not None and version != live["metadata"]["resourceVersion"]:
                raise statuses.modified(ref)
            new = admission.decode(_merge_patch(live, patch), ref, applied=False)
            return self._write(ref, live, self._updated(live, new, manager), dry_run=dry_run)

        return await self._object_call("patch", ref, commit, dry_run=dry_run)

    async def replace(self, obj: Object) -> Written:
        """PUT."""
        ref = Ref.of(obj)

        def commit() -> Written:
            live = self._stored(ref)
            version = obj["metadata"].get("resourceVersion")
            if version is not None and version != live["metadata"]["resourceVersion"]:
                raise statuses.modified(ref)
            new = admission.decode(obj, ref, applied=False)
            for key in ("uid", "creationTimestamp", "generation", "managedFields"):
                if key in live["metadata"]:
                    new["metadata"][key] = live["metadata"][key]
            if "status" in live:
                new["status"] = live["status"]
            return self._write(ref, live, self._updated(live, new), dry_run=False)

        return await self._object_call("update", ref, commit)

    async def delete(
        self,
        ref: Ref,
        *,
        uid: str | None = None,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
    ) -> None:
        """An absent object is not an error."""

        def commit() -> None:
            live = self.store.peek(ref)
            if live is None:
                return
            if uid is not None and uid != live["metadata"]["uid"]:
                raise statuses.other_uid(ref, uid, live["metadata"]["uid"])
            self.controllers.delete(ref, orphan=propagation == "Orphan")

        await self._object_call("delete", ref, commit)

    async def logs(
        self, namespace: str, pod: str, container: str, *, follow: bool = False, tail: int | None = None
    ) -> AsyncIterator[str]:
        """Lines as they come."""
        ref = Ref(_POD, pod, namespace)
        log = await self._object_call(
            "get", ref, lambda: self.controllers.log(self._stored(ref), container), subresource="log"
        )
        start = 0 if tail is None else max(len(log.lines) - tail, 0)
        async for line in log.read(start, follow=follow):
            yield line

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
        """Run one of the canned programs."""
        ref = Ref(_POD, pod, namespace)
        found = await self._object_call("create", ref, lambda: self._stored(ref), subresource="exec")
        return await self.controllers.programs.run(found, container, list(command), stdin, timeout_seconds)

    def port_forward(self, namespace: str, pod: str, port: int) -> AbstractAsyncContextManager[ByteStream]:
        """A connection; only ports of pods that the world furnished with a server answer."""
        return self._forwarded(Ref(_POD, pod, namespace), port)

    @asynccontextmanager
    async def _forwarded(self, ref: Ref, port: int) -> AsyncIterator[ByteStream]:
        found = await self._object_call("create", ref, lambda: self._stored(ref), subresource="portforward")
        async with doors.connect(self.store, found, port) as stream:
            yield stream

    async def allowed(self, accesses: Sequence[Access]) -> dict[Access, bool]:
        """SelfSubjectAccessReview for each."""
        review = Resource("authorization.k8s.io/v1", "SelfSubjectAccessReview")
        result = {}
        for access in accesses:
            answer = self.rules.allows(access)
            result[access] = await self._call("review", _plural(review), review.path(), None, "", lambda a=answer: a)
        return result

    async def close(self) -> None:
        """Stop the controllers. The state stays: see ``reopen``."""
        self._closed = True
        await self.controllers.stop()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the cluster was closed")

    def _stored(self, ref: Ref) -> Object:
        found = self.store.peek(ref)
        if found is None:
            raise statuses.not_found(ref)
        return found

    def _place(self, ref: Ref) -> None:
        if ref.resource.kind in CLUSTER_SCOPED or ref.namespace is None:
            return
        home = self.store.peek(Ref(Resource("v1", "Namespace"), ref.namespace))
        if home is None:
            raise statuses.no_namespace(ref.namespace)
        if "deletionTimestamp" in home["metadata"]:
            raise statuses.terminating(ref)

    def _updated(self, live: Object | None, new: Object, manager: str = _MANAGER) -> Object:
        return ssa.update(live, new, manager, stamp(self.clock.now()))

    def _write(self, ref: Ref, live: Object | None, new: Object, *, dry_run: bool) -> Written:
        if live is None:
            self._place(ref)
            new = self.controllers.born(self.store.birth(new))
        new = admission.default(new)
        admission.validate(ref, new, live)
        stored = new if dry_run else self.store.put(new)
        return Written(copy.deepcopy(stored), self._warnings(ref, new))

    def _warnings(self, ref: Ref, new: Object) -> tuple[str, ...]:
        home = self.store.peek(Ref(Resource("v1", "Namespace"), ref.namespace)) if ref.namespace else None
        labels = ((home or {}).get("metadata") or {}).get("labels") or {}
        level = labels.get("pod-security.kubernetes.io/warn", labels.get("pod-security.kubernetes.io/enforce", ""))
        text = admission.pod_security(new, level)
        return (f'would violate PodSecurity "restricted:latest": {text}',) if text else ()

    async def _object_call(
        self, verb: str, ref: Ref, action: Callable[[], T], *, dry_run: bool = False, subresource: str | None = None
    ) -> T:
        resource = ref.resource.plural + (f"/{subresource}" if subresource else "")
        named = None if verb == "create" and not subresource else ref.name
        path = ref.resource.path(ref.namespace, named, subresource)
        if verb in {"apply", "patch", "create"} and subresource is None and ref.resource.kind == "":
            raise statuses.bad_request("kind must not be empty")
        group = ref.resource.group
        return await self._call(
            verb, f"{resource}.{group}" if group else resource, path, ref.namespace, ref.name, action, dry_run=dry_run
        )

    async def _call(
        self,
        verb: str,
        what: str,
        path: str,
        namespace: str | None,
        name: str,
        action: Callable[[], T],
        *,
        dry_run: bool = False,
    ) -> T:
        self._check_open()
        self.controllers.ensure_running()
        plural, _, group = what.partition(".")
        request = Request(len(self.requests) + 1, verb, plural, path, namespace, name, dry_run)
        self.requests.append(request)
        fault = struck(self.faults, request)
        await asyncio.sleep(0)  # as any request, it lets others run
        if fault is not None and fault not in AFTER_COMMIT:
            raise failure(fault, request, self.server)
        if verb != "review" and plural != "version":
            self.rules.require(Access(_VERBS.get(verb, verb), plural, group, namespace, name))
        result = action()
        if fault is not None:
            raise failure(fault, request, self.server)
        return result


def _plural(resource: Resource) -> str:
    return statuses.group_resource(resource)


def _metadata(obj: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _relisted(known: dict[Ref, Object], found: list[Object]) -> list[WatchEvent]:
    events = []
    now = {Ref.of(obj): obj for obj in found}
    for ref in [ref for ref in known if ref not in now]:
        events.append(WatchEvent("DELETED", known.pop(ref)))
    for ref, obj in now.items():
        events.append(WatchEvent("MODIFIED" if ref in known else "ADDED", obj))
        known[ref] = obj
    return [*events, WatchEvent("SYNCED", {})]


def _seen(known: dict[Ref, Object], change: Change, selector: Selector) -> list[WatchEvent]:
    _, kind, obj, _ = change
    ref = Ref.of(obj)
    if kind != "DELETED" and selector.matches(obj):
        event = WatchEvent("MODIFIED" if ref in known else "ADDED", copy.deepcopy(obj))
        known[ref] = event.object
        return [event]
    if known.pop(ref, None) is not None:
        return [WatchEvent("DELETED", copy.deepcopy(obj))]
    return []


def _merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return json.loads(json.dumps(patch))
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge_patch(result.get(key), value)
    return result
