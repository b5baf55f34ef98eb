"""What of a release that stands cannot be changed in place, said at its question before anything is tried. Pure.

The first start alone makes the superuser and the database, a StatefulSet keeps its StorageClass, and a volume never
shrinks. It refuses to read the cluster, and to show a value of a Secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pgwizard.answers.questions import Answers, ExistingCredentials, GeneratedCredentials
from pgwizard.errors import Finding
from pgwizard.kube.api import Object
from pgwizard.quantities import read_quantity, size_text
from pgwizard.text import plain


@dataclass(frozen=True, slots=True)
class Standing:
    """A release as it stands. statefulset and claim are the live ones, None where they are not there.

    before: the answers that its database was made with; None where there are none, or another version wrote them.
    superuser: the role that the first start made, None where that is not known.
    """

    before: Answers | None = None
    statefulset: Object | None = field(default=None, repr=False)
    claim: Object | None = field(default=None, repr=False)
    superuser: str | None = field(default=None, repr=False)


def problems(answers: Answers, standing: Standing, superuser: str | None) -> list[Finding]:
    """Every answer that would change what cannot change. superuser: the one that the answers name, where it is known.

    Without its volume claim a release starts afresh, and makes what is asked for.
    """
    if standing.claim is None and standing.statefulset is None:
        return []
    return [*_first_start(answers, standing, superuser), *_volume(answers, standing)]


def _first_start(answers: Answers, standing: Standing, superuser: str | None) -> Iterator[Finding]:
    if standing.claim is None or standing.before is None:
        return
    made, wanted = standing.before.release.database, answers.release.database
    if made != wanted:
        yield Finding(
            "release.database",
            f"the first start made the database {made}, and no later one makes another: keep it, and make {wanted} by "
            f"SQL: CREATE DATABASE {wanted}",
        )
    if superuser is not None and (problem := other_superuser(answers, standing, superuser)):
        yield problem


def other_superuser(answers: Answers, standing: Standing, superuser: str) -> Finding | None:
    """That the answers name another superuser than the one that the first start made; one of a Secret is not shown."""
    if standing.claim is None or standing.before is None or standing.superuser in (None, superuser):
        return None
    known = isinstance(standing.before.credentials, GeneratedCredentials)
    made = f"the superuser {plain(standing.superuser or '', 63)}" if known else "another superuser"
    message = (
        f"the first start made {made}, and no later one makes this one: keep it; SQL makes further roles: CREATE ROLE"
    )
    where = "secret" if isinstance(answers.credentials, ExistingCredentials) else "username"
    return Finding(f"credentials.{where}", message)


def _volume(answers: Answers, standing: Standing) -> Iterator[Finding]:
    if standing.statefulset is None:
        return
    template = _template(standing.statefulset)
    if template is None:
        return
    made, wanted = template.get("storageClassName"), answers.storage.storage_class
    if made != wanted:
        stays = plain(made, 253) if made else f"null, the cluster's default{_default_of(standing.claim)}"
        yield Finding(
            "storage.storageClass",
            f"the volume keeps the StorageClass that it was made with: keep {stays}; for another one, make a new "
            "release and restore into it",
        )
    kept, size = _unshrinkable(standing, answers.storage.size), answers.storage.size
    if kept is not None:
        message = f"the volume has {kept} and cannot shrink to {size}: set storage.size to {kept}, or more"
        yield Finding("storage.size", message)


def _unshrinkable(standing: Standing, size: str) -> str | None:
    """What the volume has, where it would have to shrink to this size; None where it need not.

    The claim decides, which somebody may have grown by hand; the template where the claim is not there or may not be
    read. A claim whose volume has not grown yet may ask for less again.
    """
    template = claim_size(standing.statefulset) if standing.statefulset else None
    kept = claimed_size(standing.claim) or template
    capacity = (((standing.claim or {}).get("status") or {}).get("capacity") or {}).get("storage")
    wanted, made, asked, has = map(read_quantity, (size, template, kept, capacity))
    if wanted is None or asked is None or wanted == made or wanted >= asked or (has is not None and wanted > has):
        return None
    return size_text(kept)


def claimed_size(claim: Object | None) -> str | None:
    """The size that a claim asks for; None without one."""
    requests = (((claim or {}).get("spec") or {}).get("resources") or {}).get("requests") or {}
    return requests.get("storage")


def _default_of(claim: Object | None) -> str:
    """The class that the cluster's default stood for when the claim was made."""
    name = (claim or {}).get("spec", {}).get("storageClassName")
    return f" ({plain(name, 253)} when it was made)" if name else ""


def claim_size(statefulset: Object) -> str | None:
    """The size that a StatefulSet claims; None where it claims no volume, and so is none of ours."""
    template = _template(statefulset)
    return template["resources"]["requests"]["storage"] if template else None


def _template(statefulset: Object) -> dict[str, Any] | None:
    claims = statefulset["spec"].get("volumeClaimTemplates")
    return claims[0]["spec"] if claims else None
