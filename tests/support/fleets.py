"""Many releases: copies of one on a simulated cluster, and snapshots of forty in every state."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta

from pgwizard.errors import Finding
from pgwizard.kube.api import Object, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.simulator.cluster import SimCluster
from pgwizard.status.fleet import Fleet
from pgwizard.status.snapshot import Missing, Snapshot
from support.snapshots import ARCHIVER, DOWN, FAILED, FINE, LEFT, NOW, RELEASE

_LEFT_OUT = ("Namespace", "Event", "Node", "StorageClass", "Lease")


def multiply(sim: SimCluster, count: int, *, source: str = "default") -> list[ReleaseRef]:
    """Copies of the release of a namespace, in ``count`` more namespaces, with the same repository."""
    sim.runtime.next_run = lambda *_: None
    objects = [
        each
        for each in sim.store.everything()
        if each["metadata"].get("namespace") == source and each["kind"] not in _LEFT_OUT
    ]
    items = []
    for number in range(count):
        namespace = f"team-{number:03}"
        sim.store.put(sim.store.birth({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
        for each in objects:
            sim.store.put(_moved(each, namespace))
        items.append(ReleaseRef(namespace, "postgresql"))
    return items


def _moved(obj: Object, namespace: str) -> Object:
    moved = copy.deepcopy(obj)
    moved["metadata"]["namespace"] = namespace
    return moved


def forty() -> Fleet:
    """A fleet of forty with every state: fine, at risk, down, lost, another database's, unknown, gone, unreadable."""
    states: list[Snapshot | Finding | None] = [
        replace(FINE, runs=(FAILED,)),
        DOWN,
        replace(FINE, repository=None, archive=None, files=None, answered_at={}),
        replace(FINE, repository=replace(FINE.own_repository, backups=()) if FINE.own_repository else None),
        replace(FINE, archiver=replace(ARCHIVER, system_id="1")),
        replace(LEFT, missing=Missing("gone", NOW - timedelta(hours=3))),
        None,
        Finding(text="Secret team/db-pgwizard holds no record of a release"),
        replace(FINE, release=replace(RELEASE, has_record=False, manager="Helm release db")),
        replace(FINE, archiver=replace(ARCHIVER, failed_at=NOW, failed=3, failed_wal=ARCHIVER.last_wal)),
    ]
    snapshots: dict[ReleaseRef, Snapshot] = {}
    troubles: dict[ReleaseRef, Finding] = {}
    refs = []
    for number in range(40):
        ref = ReleaseRef(f"team-{number:02}", "orders" if number % 3 else "a-database-with-a-long-name")
        refs.append(ref)
        state = states[number] if number < len(states) else FINE
        if isinstance(state, Finding):
            troubles[ref] = state
        elif state is not None:
            objects = {
                Ref(known.resource, known.name.replace("postgresql", ref.name), ref.namespace): health
                for known, health in state.objects.items()
            }
            snapshots[ref] = replace(state, ref=ref, objects=objects)
    return Fleet(NOW, snapshots, troubles, tuple(refs), {"exec": 240, "get": 120, "list": 2, "watch": 7})
