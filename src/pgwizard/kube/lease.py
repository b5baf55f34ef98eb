"""One writer per release: a Lease that its owner renews, and that others may take once the owner has died.

It never takes a Lease from a living holder: one that is renewed while it is being watched ends in ``Locked``. Clocks
differ, so how old a Lease says that it is counts for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

from pgwizard.clock import Clock
from pgwizard.errors import AlreadyExists, ClusterError, Conflict, Locked, NotFound, Unreachable
from pgwizard.kube.api import LEASE, NAMESPACE, Cluster, Object, Ref
from pgwizard.text import plain, time_text

DURATION_SECONDS = 15
RENEW_SECONDS = 5


def _me() -> str:
    with contextlib.suppress(OSError, KeyError):
        return f"{getpass.getuser()}@{socket.gethostname()}/{os.getpid()}-{os.urandom(4).hex()}"
    return f"{socket.gethostname()}/{os.getpid()}-{os.urandom(4).hex()}"


@contextlib.asynccontextmanager
async def hold(
    cluster: Cluster,
    ref: Ref,
    *,
    report: Callable[[str], None],
    now: Clock,
    sleep: Callable[[float], Any] = asyncio.sleep,
    holder: str | None = None,
) -> AsyncIterator[None]:
    """Hold the Lease for the block. report: called with the reason for a wait.

    Raises Locked where another run holds it; where the Lease is lost meanwhile, the block is cancelled and Locked
    raised, or NotFound where that is since its namespace goes. The Lease is given back on every way out that leaves
    time for it.
    """
    me = holder or _me()
    await _acquire(cluster, ref, me, now, report=report, sleep=sleep)
    task = asyncio.current_task()
    losses: list[Exception] = []

    async def renew() -> None:
        try:
            await _keep_renewing(cluster, ref, me, now, sleep)
        except Exception as error:  # noqa: BLE001 - a lock that nobody renews protects nothing, whatever the reason
            losses.append(error)
            if task is not None:
                task.cancel()

    renewal = asyncio.create_task(renew(), name="renew the lease")
    try:
        yield
    except asyncio.CancelledError:
        if losses:
            if task is not None:
                task.uncancel()
            if not isinstance(losses[0], ClusterError):
                raise losses[0] from None
            if isinstance(losses[0], NotFound) and await _namespace_goes(cluster, ref.namespace or ""):
                raise NotFound(
                    f"namespace {ref.namespace} was deleted, with everything in it",
                    status=404,
                    reason="NotFound",
                    hint="Find out who deletes it. Once it is gone, make it again and run this again.",
                ) from losses[0]
            raise Locked(
                f"the lock {ref} was lost while writing: {losses[0]}", hint="Run it again: it continues."
            ) from losses[0]
        raise
    finally:
        renewal.cancel()
        await asyncio.wait([renewal])  # awaited itself, its end would look like a cancellation of this task
        if not losses or not isinstance(losses[0], ClusterError):
            with contextlib.suppress(ClusterError):
                await _write(cluster, await cluster.get(ref), "", now, required_holder=me)


async def _namespace_goes(cluster: Cluster, name: str) -> bool:
    """Whether the namespace is being deleted or gone; False if it may not be read."""
    try:
        live = await cluster.get(Ref(NAMESPACE, name))
    except ClusterError as error:
        return isinstance(error, NotFound)
    return bool(live["metadata"].get("deletionTimestamp"))


async def _keep_renewing(cluster: Cluster, ref: Ref, me: str, now: Clock, sleep: Callable[[float], Any]) -> None:
    """Renew the Lease without end. Raises once another run holds it, or could since it was not renewed in time."""
    loop = asyncio.get_running_loop()
    renewed_at = loop.time()
    while True:
        await sleep(RENEW_SECONDS)
        try:
            async with asyncio.timeout_at(renewed_at + DURATION_SECONDS):
                live = await cluster.get(ref)
                if _holder(live)[0] == me:
                    await _write(cluster, live, me, now, required_holder=me)
                    renewed_at = loop.time()
                    continue
        except TimeoutError:
            raise Unreachable(f"it could not be renewed for {DURATION_SECONDS} s") from None
        except ClusterError:  # the server may be back for the next try; no one takes the Lease before it expires
            if loop.time() + RENEW_SECONDS >= renewed_at + DURATION_SECONDS:
                raise
            continue
        raise Conflict(f"it is held by {plain(_holder(live)[0]) or 'nobody'}", status=409, reason="Conflict")


async def _acquire(
    cluster: Cluster, ref: Ref, me: str, now: Clock, *, report: Callable[[str], None], sleep: Callable[[float], Any]
) -> None:
    holder: tuple[str, str] | None = None
    for _ in range(4):  # free or stale at the second look, unless others race for it
        try:
            live = await cluster.get(ref)
        except NotFound:
            try:
                await cluster.create(_lease(ref, me, now))
                return
            except AlreadyExists:
                continue
        owner, renewed_at = _holder(live)
        last_seen = time_text(renewed_at) or "an unknown time"
        if not owner or owner == me or holder == (owner, renewed_at):
            try:
                await _write(cluster, live, me, now, required_holder=owner)
                return
            except Conflict:
                continue
        if holder is not None:
            break
        holder = owner, renewed_at
        report(f"{plain(owner)} held the lock at {last_seen}: waiting {DURATION_SECONDS} s to see whether it lives")
        await sleep(DURATION_SECONDS + 1)
    raise Locked(
        f"{ref}: {plain(owner)} is writing to this release, last seen at {last_seen}",
        hint="Wait until it ends, or end it; the lock of a dead one expires after 15 s.",
    )


def _holder(live: Object) -> tuple[str, str]:
    spec = live.get("spec", {})
    return str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or "")


def _lease(ref: Ref, holder: str, now: Clock) -> Object:
    at = now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": LEASE.api_version,
        "kind": LEASE.kind,
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": {"app.kubernetes.io/managed-by": "pgwizard"},
        },
        "spec": {
            **({"holderIdentity": holder} if holder else {}),  # an empty one is not valid
            "leaseDurationSeconds": DURATION_SECONDS,
            "acquireTime": at,
            "renewTime": at,
        },
    }


async def _write(cluster: Cluster, live: Object, holder: str, now: Clock, *, required_holder: str) -> None:
    """Compare and swap. Raises Conflict if another run was faster."""
    if _holder(live)[0] != required_holder:
        raise Conflict(f"the lock is held by {plain(_holder(live)[0]) or 'nobody'}", status=409, reason="Conflict")
    fresh = _lease(Ref.of(live), holder, now)
    if holder == required_holder:
        fresh["spec"]["acquireTime"] = live["spec"].get("acquireTime", fresh["spec"]["acquireTime"])
    fresh["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    await cluster.replace(fresh)
