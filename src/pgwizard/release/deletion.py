"""Deletion of the objects of a release: that very object, and never another tool's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from pgwizard.errors import DeadlineError, Finding, Forbidden
from pgwizard.kube import api as kube_api
from pgwizard.kube.api import CLAIM, FIELD_MANAGER, Cluster, Object, Ref
from pgwizard.release.changes import Change
from pgwizard.release.ownership import other_owner
from pgwizard.release.stages import Stage

_T = TypeVar("_T")
_FULL = re.compile(r"exceeded quota: [^,]+, requested: (?:count/[^,=]+=1,?)+, used: ")
_RECOUNT_SECONDS = 120


async def delete_ours(cluster: Cluster, refs: Sequence[Ref], stage: Stage) -> tuple[dict[Ref, str], list[Ref]]:
    """Delete objects of the inventory, those very ones. What another tool has taken over meanwhile stays.

    First: what was deleted, with its uid; it may take a while to go. Second: what another tool has.
    """
    deletions: dict[Ref, str] = {}
    others: list[Ref] = []
    for ref in refs:
        stage.changing(Change(ref, "delete"))
        live = await kube_api.find_object(cluster, ref)
        if live is None:
            continue
        # labels are rewritten, so the record decides; but another tool may have made an object of that name since
        if owner := other_owner(live, is_ours=ref.resource == CLAIM or _has_own_fields(live)):
            stage.warning(Finding(text=f"{ref} belongs to {owner} by now: it is kept", severity="warning"))
            others.append(ref)
            continue
        deletions[ref] = live["metadata"]["uid"]
        await cluster.delete(ref, uid=deletions[ref])
    return deletions, others


def _has_own_fields(live: Object) -> bool:
    """Whether pgwizard wrote any of it; a volume claim is the work of the StatefulSet's controller."""
    return any(entry.get("manager") == FIELD_MANAGER for entry in live["metadata"].get("managedFields") or ())


async def wait_until_gone(cluster: Cluster, ref: Ref, uid: str, seconds: float) -> None:
    """Wait until that very object is no longer there; another one of its name may be. Raises DeadlineError."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                live = await kube_api.find_object(cluster, ref)
                if live is None or live["metadata"]["uid"] != uid:
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise DeadlineError(f"{ref} was still there {seconds:.0f} s after it was deleted") from None


def is_refused_by_count(message: str) -> bool:
    """Whether a quota on the number of objects, and nothing else, refused one more."""
    return _FULL.search(message) is not None


async def write_in_place_of_deleted(write: Callable[[], Awaitable[_T]]) -> _T:
    """Write the successor of an object that is gone: a quota counts the old one until its controller has recounted.

    Raises the server's Forbidden where the quota is still full after two minutes: then it is full of other objects.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _RECOUNT_SECONDS
    while True:
        try:
            return await write()
        except Forbidden as error:
            if not is_refused_by_count(error.message) or loop.time() > deadline:
                raise
        await asyncio.sleep(0.5)
