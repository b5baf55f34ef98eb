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
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from pgwizard import errors
from pgwizard.kube.api import (
    FIELD_MANAGER,
    Access,
    ByteStream,
    ExecResult,
    ListPage,
    Object,
    Ref,
    Resource,
    WatchEvent,
    WriteResult,
)
from pgwizard.kube.commands import CURRENT_CONTEXT
from pgwizard.simulator import admission, doors, ssa, statuses, world
from pgwizard.simulator.birth import with_identity
from pgwizard.simulator.clock import ScaledClock, SimulatedClock, stamp
from pgwizard.simulator.controllers import RECONCILERS
from pgwizard.simulator.faults import FaultRule, Request, ScriptedOutcome
from pgwizard.simulator.gate import ApiCall, Gate
from pgwizard.simulator.policy import ADMINISTRATOR, PolicyRules, can_grow, fractional_sizes, pod_security
from pgwizard.simulator.runtime import NextRun, Runtime, never
from pgwizard.simulator.store import CLUSTER_SCOPED, Selector, Store, StoreChange, copy_object
from pgwizard.simulator.watches import View

T = TypeVar("T")
_POD = Resource("v1", "Pod")


class SimCluster:
    """A cluster in memory. ``speed``: how many times as fast its time runs; ``clock`` replaces time altogether.

    next_run: by what rule CronJobs fire; without one none does. faults: consulted at every request. outcomes: fates
    of pods and Jobs. rules: RBAC. requests: all, in order. With ``example=False`` only the namespaces of an empty
    cluster and the StorageClasses exist.
    """

    def __init__(
        self,
        *,
        speed: float = 1,
        clock: SimulatedClock | None = None,
        faults: Sequence[FaultRule] = (),
        outcomes: Sequence[ScriptedOutcome] = (),
        next_run: NextRun = never,
        example: bool = True,
        window: int = 10_000,
    ) -> None:
        self.commands = CURRENT_CONTEXT
        self.clock: SimulatedClock = clock or ScaledClock(speed)
        self.store = Store(self.clock.now, window)
        self.rules = PolicyRules(self.store)
        self.outcomes: list[ScriptedOutcome] = list(outcomes)
        self.runtime = Runtime(self.store, self.clock, self.outcomes, RECONCILERS, next_run)
        self._gate = Gate(self.rules, self.server, self.runtime.ensure_running)
        self._gate.faults += faults
        self.requests: list[Request] = self._gate.requests
        self._manager = FIELD_MANAGER
        self._user = ADMINISTRATOR
        self._guest = False
        world.furnish(self.store, self.runtime, example=example)
        self._is_closed = False

    async def __aenter__(self) -> Self:
        self.reopen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def reopen(self) -> None:
        """Let another run use the same cluster after ``close`` or after it was abandoned."""
        self._is_closed = False

    def guest(self, *, manager: str = FIELD_MANAGER, user: str = ADMINISTRATOR) -> Self:
        """The same cluster as another field manager or another user; closing it leaves the cluster running."""
        other = copy.copy(self)
        vars(other).update(_manager=manager, _user=user, _guest=True, _closed=False)
        return other

    @property
    def faults(self) -> list[FaultRule]:
        """Called at every request."""
        return self._gate.faults

    @faults.setter
    def faults(self, rules: Sequence[FaultRule]) -> None:
        self._gate.faults[:] = rules

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
        call = ApiCall("get", "version", "/version", "ask for the server's version")
        return await self._perform(call, lambda: "v1.34.4")

    async def get(self, ref: Ref) -> Object:
        """Raises NotFound."""
        return await self._perform(ApiCall.about("get", ref), lambda: copy_object(self._find(ref)))

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
        limit: int | None = 500,
    ) -> AsyncGenerator[ListPage, None]:
        """The list as it was at the first page, in chunks."""
        selector = Selector.parse(resource, namespace, labels, fields)
        version, rest = 0, list[Object]()

        def first() -> None:
            nonlocal version, rest
            version, rest = self.store.version, self.store.match(selector)

        def following() -> None:
            if self.store.since(version) is None:
                raise statuses.outdated_list(
                    "The provided continue parameter is too old to display a consistent list result."
                )

        step: Callable[[], None] = first
        while step is first or rest:
            await self._perform(ApiCall.within("list", resource, namespace), step)
            step = following
            size = len(rest) if limit is None else limit
            chunk, rest = rest[:size], rest[size:]
            items = tuple(copy_object(_metadata(obj) if metadata_only else obj) for obj in chunk)
            # the server does not count what a selector would have to look at
            remaining = None if labels or fields or not rest else len(rest)
            yield ListPage(items, str(version), remaining)

    async def watch(
        self, resource: Resource, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> AsyncGenerator[WatchEvent, None]:
        """List, then follow; lists again where the window of changes was left behind."""
        selector = Selector.parse(resource, namespace, labels, fields)
        wake = asyncio.Event()

        def listen(_: StoreChange) -> None:
            wake.set()

        def everything() -> list[Object]:
            return self.store.select(selector)

        self.store.listeners.append(listen)
        try:
            view = View(selector)
            version: int | None = None
            while True:
                wake.clear()
                changes = self.store.since(version) if version is not None else None
                if changes is None:
                    listing = await self._perform(ApiCall.within("list", resource, namespace), everything)
                    version = self.store.version
                    for event in view.after_list(listing):
                        yield event
                    await self._perform(ApiCall.within("watch", resource, namespace), lambda: None)
                    continue
                for change in changes:
                    version = change[0]
                    for event in view.after_change(change):
                        yield event
                if not changes:
                    await wake.wait()
                self._check_open()
        finally:
            self.store.listeners.remove(listen)

    async def apply(self, obj: Object, *, dry_run: bool = False, force: bool = False) -> WriteResult:
        """Server-side apply."""
        ref = Ref.of(obj)

        def commit() -> WriteResult:
            intent = admission.decode(obj, ref, is_apply=True)
            live = self.store.peek(ref)
            new = ssa.apply(live, intent, self._manager, stamp(self.clock.now()), force=force)
            return self._write(ref, live, new, dry_run=dry_run)

        return await self._perform(ApiCall.about("apply", ref, dry_run=dry_run), commit)

    async def create(self, obj: Object, *, dry_run: bool = False) -> WriteResult:
        """Raises AlreadyExists."""
        draft = copy_object(obj)
        if "name" not in draft["metadata"]:
            draft["metadata"]["name"] = draft["metadata"]["generateName"] + self.store.suffix()
        ref = Ref.of(draft)

        def commit() -> WriteResult:
            new = admission.decode(draft, ref, is_apply=False)
            self._place(ref)
            if self.store.peek(ref) is not None:
                raise statuses.already_exists(ref)
            return self._write(ref, None, self._update(None, new), dry_run=dry_run)

        return await self._perform(ApiCall.about("create", ref, dry_run=dry_run), commit)

    async def patch(self, ref: Ref, patch: Object, *, dry_run: bool = False) -> WriteResult:
        """JSON merge patch."""

        def commit() -> WriteResult:
            live = self._find(ref)
            version = (patch.get("metadata") or {}).get("resourceVersion")
            if version is not None and version != live["metadata"]["resourceVersion"]:
                raise statuses.outdated_version(ref)
            new = admission.decode(_merge_patch(live, patch), ref, is_apply=False)
            return self._write(ref, live, self._update(live, new), dry_run=dry_run)

        return await self._perform(ApiCall.about("patch", ref, dry_run=dry_run), commit)

    async def replace(self, obj: Object) -> WriteResult:
        """PUT."""
        ref = Ref.of(obj)

        def commit() -> WriteResult:
            live = self._find(ref)
            version = obj["metadata"].get("resourceVersion")
            if version is not None and version != live["metadata"]["resourceVersion"]:
                raise statuses.outdated_version(ref)
            new = admission.decode(obj, ref, is_apply=False)
            for key in ("uid", "creationTimestamp", "generation", "managedFields"):
                if key in live["metadata"]:
                    new["metadata"][key] = live["metadata"][key]
            if "status" in live:
                new["status"] = live["status"]
            return self._write(ref, live, self._update(live, new), dry_run=False)

        return await self._perform(ApiCall.about("update", ref, word="replace"), commit)

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
            self.runtime.delete(ref, propagation)

        await self._perform(ApiCall.about("delete", ref), commit)

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        previous: bool = False,
    ) -> AsyncGenerator[str, None]:
        """Lines as they come."""
        ref = Ref(_POD, pod, namespace)
        purpose = f"read the logs of pod {namespace}/{pod}, container {container}"
        call = ApiCall.of_pod("get", "log", ref, purpose)
        log = await self._perform(call, lambda: self.runtime.log(self._find(ref), container, previous=previous))
        start = 0 if tail is None else max(len(log.lines) - tail, 0)
        async with aclosing(log.read(start, follow=follow)) as lines:
            async for line in lines:
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
        purpose = f"run {command[0]} in pod {namespace}/{pod}, container {container}"
        call = ApiCall.of_pod("create", "exec", ref, purpose)
        running = await self._perform(call, lambda: self._running(ref, container))
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self.runtime.programs.run(running, list(command), stdin)
        except TimeoutError:
            raise errors.DeadlineError(f"cannot {purpose}: no end after {timeout_seconds:g} s") from None

    def port_forward(self, namespace: str, pod: str, port: int) -> AbstractAsyncContextManager[ByteStream]:
        """A connection; only ports of pods that the world furnished with a server answer."""
        return self._forward_port(Ref(_POD, pod, namespace), port)

    @asynccontextmanager
    async def _forward_port(self, ref: Ref, port: int) -> AsyncIterator[ByteStream]:
        purpose = f"connect to port {port} of pod {ref.namespace}/{ref.name}"
        call = ApiCall.of_pod("create", "portforward", ref, purpose)
        pod = await self._perform(call, lambda: self._find(ref))
        async with doors.connect(self.store, self.runtime.objects, pod, port) as stream:
            yield stream

    async def check_access(self, accesses: Sequence[Access]) -> dict[Access, bool]:
        """SelfSubjectAccessReview for each."""
        review = Resource("authorization.k8s.io/v1", "SelfSubjectAccessReview")
        call = ApiCall("review", review.plural, review.path(), "ask for permissions")
        result = {}
        for access in dict.fromkeys(accesses):
            result[access] = await self._perform(call, partial(self.rules.allows, access, self._user))
        return result

    async def close(self) -> None:
        """Stop the controllers. The state stays: see ``reopen``."""
        self._is_closed = True
        if not self._guest:
            await self.runtime.stop()

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("the cluster was closed")

    def _find(self, ref: Ref) -> Object:
        obj = self.store.peek(ref)
        if obj is None:
            raise statuses.not_found(ref)
        return obj

    def _running(self, ref: Ref, container: str) -> Object:
        pod = self._find(ref)
        for item in pod["status"].get("containerStatuses") or ():
            if item["name"] == container and "running" in item["state"]:
                return pod
        if any(item["name"] == container for item in pod["spec"]["containers"]):
            raise statuses.not_started(container)
        raise statuses.bad_request(f"container {container} is not valid for pod {ref.name}")

    def _place(self, ref: Ref) -> None:
        if ref.resource.kind in CLUSTER_SCOPED or ref.namespace is None:
            return
        home = self.store.peek(Ref(Resource("v1", "Namespace"), ref.namespace))
        if home is None:
            raise statuses.no_namespace(ref.namespace)
        if "deletionTimestamp" in home["metadata"]:
            raise statuses.terminating(ref)

    def _update(self, live: Object | None, new: Object) -> Object:
        return ssa.update(live, admission.default(admission.tidy(new)), self._manager, stamp(self.clock.now()))

    def _write(self, ref: Ref, live: Object | None, new: Object, *, dry_run: bool) -> WriteResult:
        if live is None:
            self._place(ref)
            new = with_identity(self.store, self.store.birth(new))
        new = admission.default(admission.tidy(new))
        if ref.resource.kind == "RoleBinding" and not self.rules.resolves(new, self._user):
            raise statuses.no_role(ref, new["roleRef"]["name"])
        admission.validate(ref, new, live)
        if live is not None and ref.resource.kind == "PersistentVolumeClaim" and not can_grow(self.store, new, live):
            raise statuses.not_resizable(ref)
        result = new if dry_run else self.store.put(new)
        return WriteResult(copy_object(result), self._warnings(ref, new))

    def _warnings(self, ref: Ref, new: Object) -> tuple[str, ...]:
        home = self.store.peek(Ref(Resource("v1", "Namespace"), ref.namespace)) if ref.namespace else None
        labels = ((home or {}).get("metadata") or {}).get("labels") or {}
        level = labels.get("pod-security.kubernetes.io/warn", labels.get("pod-security.kubernetes.io/enforce", ""))
        text = pod_security(new, level)
        warnings = [f'would violate PodSecurity "restricted:latest": {text}'] if text else []
        return (*warnings, *fractional_sizes(new))

    async def _perform(self, call: ApiCall, action: Callable[[], T]) -> T:
        self._check_open()
        return await self._gate.perform(call, action, self._user)


def _metadata(obj: Object) -> Object:
    return {key: obj[key] for key in ("apiVersion", "kind", "metadata")}


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
