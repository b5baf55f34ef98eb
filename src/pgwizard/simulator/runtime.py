"""Owns what drives the controllers: one worker per object, Events, logs, deletion with its dependents.

Every worker is level-triggered: it reads the object, does the next step and goes back to sleep, so a run that was
abandoned is picked up by the next one. Which steps there are is not its business. Not simulated: finalizers and nodes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pgwizard import errors
from pgwizard.kube.api import Object, Ref, Resource
from pgwizard.simulator.clock import SimulatedClock, stamp
from pgwizard.simulator.faults import OutcomeKind, ScriptedOutcome
from pgwizard.simulator.postgres import Programs
from pgwizard.simulator.s3 import ObjectStore
from pgwizard.simulator.store import Store, StoreChange, copy_object
from pgwizard.simulator.streams import ContainerLog

POD = Resource("v1", "Pod")
_EVENT = Resource("v1", "Event")
_MAX_EVENTS = 2_000


Reconciler = Callable[["Runtime", Ref], Awaitable[float | None]]
"""The next step for one object. Returns after how many seconds to look again; None: when something changes."""
NextRun = Callable[[str, datetime], datetime | None]
"""When a cron schedule runs next after a moment, in that moment's zone; None where it never does."""


def never(_schedule: str, _after: datetime) -> None:
    """A cluster in which no CronJob fires."""


def waiting(pod: Object, container: str) -> str:
    """Why a container does not run, in one word."""
    status = pod.get("status") or {}
    for item in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        if item["name"] == container:
            return str((item["state"].get("waiting") or {}).get("reason", "PodInitializing"))
    return "ContainerCreating"


class Runtime:
    """The workers of one cluster. They start with the first request of a run and end with ``stop``."""

    def __init__(
        self,
        store: Store,
        clock: SimulatedClock,
        outcomes: Sequence[ScriptedOutcome],
        reconcilers: Mapping[str, Reconciler],
        next_run: NextRun,
    ) -> None:
        self.store = store
        self.clock = clock
        self.outcomes = outcomes
        self.next_run = next_run
        self.programs = Programs(store, clock)
        self.logs: dict[tuple[str, str], ContainerLog] = {}
        self.objects = ObjectStore()
        self._reconcilers = reconcilers
        self._tasks: dict[Ref, asyncio.Task[None]] = {}
        self._wakes: dict[Ref, asyncio.Event] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._defects: list[Exception] = []

    def ensure_running(self) -> None:
        """Start the workers in the running loop, once."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        self._loop = loop
        self._tasks.clear()
        self._wakes.clear()
        if self._on_change not in self.store.listeners:
            self.store.listeners.append(self._on_change)
        for obj in self.store.everything():
            self._touch(Ref.of(obj))

    async def stop(self) -> None:
        """End every worker. Raises the first defect of a controller."""
        tasks = list(self._tasks.values()) if self._loop is asyncio.get_running_loop() else []
        if self._on_change in self.store.listeners:
            self.store.listeners.remove(self._on_change)
        self._loop = None
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._defects:
            raise self._defects[0]

    def _on_change(self, change: StoreChange) -> None:
        _, _, obj, _ = change
        if self._loop is None or self._loop.is_closed():
            return
        self._touch(Ref.of(obj))
        for owner in obj["metadata"].get("ownerReferences") or ():
            self._touch(
                Ref(Resource(owner["apiVersion"], owner["kind"]), owner["name"], obj["metadata"].get("namespace"))
            )
        if obj["kind"] in {"Secret", "ConfigMap", "PersistentVolumeClaim"}:
            for pod in self.store.find(POD, obj["metadata"].get("namespace")):
                if (pod.get("status") or {}).get("phase") == "Pending":
                    self._touch(Ref.of(pod))

    def _touch(self, ref: Ref) -> None:
        reconcile = self._reconcilers.get(ref.resource.kind)
        if reconcile is None:
            return
        if ref in self._tasks:
            self._wakes[ref].set()
        elif self._loop is not None and self.store.peek(ref) is not None:
            self._wakes[ref] = asyncio.Event()
            self._tasks[ref] = self._loop.create_task(self._work(ref, reconcile), name=str(ref))

    async def _work(self, ref: Ref, reconcile: Reconciler) -> None:
        wake = self._wakes[ref]
        try:
            while self.store.peek(ref) is not None:
                wake.clear()
                delay = await reconcile(self, ref)
                if not wake.is_set() and self.store.peek(ref) is not None:
                    await self._pause(wake, delay)
        except Exception as defect:  # noqa: BLE001 - nobody awaits a worker
            self._defects.append(defect)
        finally:
            if self._wakes.get(ref) is wake:
                self._tasks.pop(ref, None)
                del self._wakes[ref]

    async def _pause(self, wake: asyncio.Event, delay: float | None) -> None:
        if delay is None:
            await wake.wait()
            return
        waits = [asyncio.ensure_future(wake.wait()), asyncio.ensure_future(self.clock.sleep(delay))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def outcome(self, kind: OutcomeKind, obj: Object, container: str = "") -> ScriptedOutcome | None:
        """The scripted fate of this kind, if any."""
        metadata = obj["metadata"]
        places = [metadata["name"], *(owner["name"] for owner in metadata.get("ownerReferences") or ())]
        for outcome in self.outcomes:
            if outcome.kind == kind and any(
                outcome.concerns(metadata.get("namespace", ""), name, container) for name in places
            ):
                return outcome
        return None

    def change(self, ref: Ref, edit: Callable[[Any], None]) -> Object | None:
        """Store an edited copy; None where the object has gone."""
        current = self.store.peek(ref)
        if current is None:
            return None
        new = copy_object(current)
        edit(new)
        return self.store.put(new)

    def event(self, obj: Object, reason: str, message: str, *, warning: bool = False, source: str = "kubelet") -> None:
        """Record an Event about an object; the same one again only counts up."""
        metadata = obj["metadata"]
        now = stamp(self.clock.now())
        namespace = metadata.get("namespace", "default")
        events = self.store.find(_EVENT, namespace)
        for old in events:
            same = old["involvedObject"]["uid"] == metadata["uid"] and old["reason"] == reason
            if same and old["message"] == message:
                self.store.put(old | {"count": old["count"] + 1, "lastTimestamp": now})
                return
        if len(events) >= _MAX_EVENTS:
            self.store.remove(Ref.of(min(events, key=lambda event: str(event["lastTimestamp"]))))
        about = {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        }
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{self.store.suffix(16)}", "namespace": namespace},
            "involvedObject": about | ({"namespace": namespace} if "namespace" in metadata else {}),
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": source},
            "reportingComponent": source,
            "reportingInstance": "",
            "eventTime": None,
        }
        self.store.put(self.store.birth(event))

    def log(self, pod: Object, container: str, *, previous: bool = False) -> ContainerLog:
        """The log of a container. Raises Invalid as the server does where there is none yet."""
        lines = self.logs.get((pod["metadata"]["uid"], container))
        if previous:
            if lines is not None and waiting(pod, container) != "CrashLoopBackOff":
                lines = lines.before
            if lines is None:
                text = f'previous terminated container "{container}" in pod "{pod["metadata"]["name"]}" not found'
                raise errors.Invalid(text, status=400, reason="BadRequest")
        if lines is not None:
            return lines
        spec = pod["spec"]
        names = [item["name"] for item in [*(spec.get("initContainers") or ()), *spec["containers"]]]
        if container not in names:
            text = f"container {container} is not valid for pod {pod['metadata']['name']}"
        else:
            name = pod["metadata"]["name"]
            text = f'container "{container}" in pod "{name}" is waiting to start: {waiting(pod, container)}'
        raise errors.Invalid(text, status=400, reason="BadRequest")

    @staticmethod
    def revision(workload: Object) -> str:
        """The name of the ControllerRevision that a StatefulSet's template makes."""
        digest = hashlib.sha256(json.dumps(workload["spec"]["template"], sort_keys=True).encode()).digest()
        suffix = "".join("bcdfghjklmnpqrstvwxz2456789"[byte % 27] for byte in digest[:10])
        return f"{workload['metadata']['name']}-{suffix}"

    def open_log(self, pod: Object, container: str) -> ContainerLog:
        """The log to write to; a restarted container begins a new one."""
        key = (pod["metadata"]["uid"], container)
        log = self.logs[key] = ContainerLog(before=self.logs.get(key))
        return log

    def delete(self, ref: Ref, propagation: str = "Background") -> None:
        """Delete with dependents: afterwards, before the object itself, or letting them go free."""
        current = self.store.peek(ref)
        if current is None or "deletionTimestamp" in current["metadata"]:
            return
        if ref.resource.kind in {"Pod", "Namespace"}:
            self.change(ref, lambda obj: obj["metadata"].update(deletionTimestamp=stamp(self.clock.now())))
            if ref.resource.kind == "Namespace":
                self.change(ref, lambda obj: obj.update(status={"phase": "Terminating"}))
            return
        uid = current["metadata"]["uid"]
        dependents = self._dependents(uid)
        if propagation == "Foreground" and dependents:
            self.change(ref, lambda obj: _end_in_foreground(obj, stamp(self.clock.now())))
        else:
            self.store.remove(ref)
        for obj in dependents:
            if propagation == "Orphan":
                self.change(Ref.of(obj), lambda dependent: _disown(dependent, uid))
            else:
                self.delete(Ref.of(obj), propagation)
        self._release(current["metadata"])

    def remove(self, ref: Ref) -> None:
        """Take the object out for good, and with it each owner that waited for its dependents to end."""
        current = self.store.peek(ref)
        if current is not None:
            self.store.remove(ref)
            self._release(current["metadata"])

    def _release(self, metadata: Object) -> None:
        for owner in metadata.get("ownerReferences") or ():
            ref = Ref.of({**owner, "metadata": {"name": owner["name"], "namespace": metadata.get("namespace")}})
            current = self.store.peek(ref)
            waits = current is not None and _FOREGROUND in (current["metadata"].get("finalizers") or ())
            if current is not None and waits and not self._dependents(current["metadata"]["uid"]):
                self.remove(ref)

    def _dependents(self, uid: str) -> list[Object]:
        pairs = (
            (obj, owner["uid"])
            for obj in self.store.everything()
            for owner in obj["metadata"].get("ownerReferences") or ()
        )
        return [obj for obj, owner in pairs if owner == uid]


_FOREGROUND = "foregroundDeletion"
"""The finalizer of an object that ends after its dependents."""


def _end_in_foreground(obj: Object, at: str) -> None:
    metadata = obj["metadata"]
    metadata.update(deletionTimestamp=at, finalizers=[*metadata.get("finalizers", ()), _FOREGROUND])


def _disown(obj: Object, uid: str) -> None:
    owners = [owner for owner in obj["metadata"]["ownerReferences"] if owner["uid"] != uid]
    if owners:
        obj["metadata"]["ownerReferences"] = owners
    else:
        del obj["metadata"]["ownerReferences"]
