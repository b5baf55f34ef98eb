"""Jobs that restore into volumes of their own: what they are made from, and their end."""

from __future__ import annotations

import contextlib

from pgwizard.errors import Forbidden
from pgwizard.kube.api import CLAIM, LIMIT_RANGE, STATEFULSET, Cluster, Ref, find_object, list_objects
from pgwizard.plan.names import Names, ReleaseRef
from pgwizard.release import deletion
from pgwizard.restore.scratch_job import ScratchTemplate

_GONE_SECONDS = 300.0


async def read_template(cluster: Cluster, release: ReleaseRef) -> ScratchTemplate:
    """The live StatefulSet, and the size of the live volume; where that is gone, of the next one."""
    stateful = await cluster.get(Ref(STATEFULSET, release.name, release.namespace))
    claim = await find_object(cluster, Ref(CLAIM, Names.of(release.name).claim, release.namespace))
    claim_spec = (claim or stateful["spec"]["volumeClaimTemplates"][0])["spec"]
    size = str(claim_spec["resources"]["requests"]["storage"])
    return ScratchTemplate(stateful, size, is_small=not await _has_limit_ranges(cluster, release))


async def _has_limit_ranges(cluster: Cluster, release: ReleaseRef) -> bool:
    """Whether the namespace may refuse requests that are smaller than the database's."""
    with contextlib.suppress(Forbidden):
        return bool(await list_objects(cluster, LIMIT_RANGE, release.namespace))
    return False


async def delete(cluster: Cluster, ref: Ref) -> bool:
    """Delete a Job with its pod and volume, and wait until they are gone. Returns whether it was there."""
    live = await find_object(cluster, ref)
    if live is None:
        return False
    uid = live["metadata"]["uid"]
    await cluster.delete(ref, uid=uid, propagation="Foreground")
    await deletion.wait_until_gone(cluster, ref, uid, _GONE_SECONDS)
    return True
