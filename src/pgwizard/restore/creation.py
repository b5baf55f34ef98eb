"""Makes the objects of a release that is restored from its repository alone. Its server is not started meanwhile."""

from __future__ import annotations

import contextlib

from pgwizard.clock import Clock
from pgwizard.errors import Forbidden, PreflightError
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import apply, records, survey
from pgwizard.release.record import Origin, Record
from pgwizard.release.stages import Report
from pgwizard.text import fit


async def create(
    request: apply.ReleaseRequest,
    cluster: Cluster,
    report: Report,
    approve: apply.Approve,
    *,
    dry_run: bool,
    now: Clock,
    origin: Origin | None = None,
) -> apply.ApplyOutcome | None:
    """Apply the objects. None where they are there already, and wait for the restore or are being restored.

    origin: the repository of another release, for a clone of it. Raises what an apply does.
    """
    release = ReleaseRef.of(request.answers)
    if not request.answers.repository.enabled:
        raise PreflightError(f"the answers of release {release} have no repository to restore from")
    own = request.answers.repository
    if origin is not None and (str(own.s3_endpoint), own.bucket, own.path) == origin.place:
        raise PreflightError(
            f"the clone would archive into {origin}, which is its source's; nothing was written",
            hint="Give it a path of its own: --set repository.path=PATH",
        )
    before, _ = await records.find(cluster, release)
    if before is not None and (_is_created(before, request, origin) or before.unfinished_restore is not None):
        return None
    await _require_no_other(request, cluster, release)
    options = apply.Options(dry_run=dry_run, awaits_restore=True, origin=origin)
    return await apply.run(request, cluster, report, approve, options, now=now)


def _is_created(before: Record, request: apply.ReleaseRequest, origin: Origin | None) -> bool:
    """Whether nothing is left to apply; answers, or the source, may have been corrected meanwhile."""
    last = before.last
    if not before.awaits_restore or before.origin != origin or last is None or last.outcome != "deployed":
        return False
    return bool(last.answers == request.answers.model_dump(by_alias=True, mode="json"))


async def _require_no_other(request: apply.ReleaseRequest, cluster: Cluster, release: ReleaseRef) -> None:
    """Two servers that archive into one path ruin each other's WAL, and pgBackRest does not notice."""
    own, place = request.answers.repository, survey.repository_place(request.answers)
    with contextlib.suppress(Forbidden):
        for other in await records.releases(cluster, None):
            if not isinstance(other, Record) or other.ref == release:
                continue
            sections = survey.read_sections(other.last, "repository")
            if sections is not None and survey.repository_place(sections) == place:
                raise PreflightError(
                    f"release {other.ref} backs up to {fit(own.bucket)}{fit(own.path)} too; nothing was written",
                    hint="Two servers must not archive into one path. Uninstall that release first.",
                )
