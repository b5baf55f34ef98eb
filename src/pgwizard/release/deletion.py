"""Deletion of the objects of a release: that very object, and never another tool's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pgwizard.errors import DeadlineError, Finding
from pgwizard.kube import api as kube_api
from pgwizard.kube.api import Cluster, Ref
from pgwizard.release import survey
from pgwizard.release.changes import Change
from pgwizard.release.stages import Stage


async def delete_ours(cluster: Cluster, refs: Sequence[Ref], stage: Stage) -> tuple[dict[Ref, str], list[Ref]]:
    """Delete objects of the inventory, those very ones. What another tool has taken over meanwhile stays.

    First: what was deleted, with its uid; it may take a while to go. Second: what another tool has.
    """
    deleted: dict[Ref, str] = {}
    foreign: list[Ref] = []
    for ref in refs:
        stage.changing(Change(ref, "delete"))
        live = await kube_api.find_object(cluster, ref)
        if live is None:
            continue
        if owner := survey.other_owner(live):
            stage.warning(Finding(text=f"{ref} belongs to {owner} by now: it is kept", severity="warning"))
            foreign.append(ref)
            continue
        deleted[ref] = live["metadata"]["uid"]
        await cluster.delete(ref, uid=deleted[ref])
    return deleted, foreign


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
