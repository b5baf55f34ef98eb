"""Settings that cannot be changed after installation, reported at their questions before any dry run. Pure.

The first start alone makes the superuser and the database, with data checksums or without. A StatefulSet keeps its
StorageClass, and a volume never shrinks. It never shows a value of a Secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pgwizard.answers.questions import Answers, ExistingCredentials, GeneratedCredentials
from pgwizard.errors import Finding
from pgwizard.kube.api import Object
from pgwizard.quantities import live_bytes, size_text
from pgwizard.release.layout import database_container, variable
from pgwizard.text import plain


@dataclass(frozen=True, slots=True)
class Installation:
    """An installed release. statefulset and claim are the live ones, None where they do not exist.

    before: the answers that its database was made with; None where there are none, or another version wrote them.
    superuser: the role that the first start made, None where that is not known. is_claim_unknown: the claim may not be
    read, so that the StatefulSet's template has to speak for it.
    """

    before: Answers | None = None
    statefulset: Object | None = field(default=None, repr=False)
    claim: Object | None = field(default=None, repr=False)
    superuser: str | None = field(default=None, repr=False)
    is_claim_unknown: bool = False

    @property
    def data_checksums(self) -> bool | None:
        """Whether the first start was asked for them; None where there is none, or where a release starts over."""
        if self.statefulset is None or (self.claim is None and not self.is_claim_unknown):
            return None
        return initdb_has_checksums(self.statefulset)

    @property
    def has_data(self) -> bool:
        """Whether the volume may hold a database; a claim that was never bound holds none."""
        claim = self.claim
        return claim is not None and (self.before is not None or (claim.get("status") or {}).get("phase") == "Bound")


def problems(answers: Answers, installation: Installation, superuser: str | None) -> list[Finding]:
    """Every answer that would change what cannot change. superuser: the one that the answers name, where it is known.

    Without its volume claim a release starts over, with what the answers say.
    """
    if installation.claim is None and not installation.is_claim_unknown:
        return []
    return [
        *_first_start(answers, installation, superuser),
        *_data_checksums(answers, installation),
        *_volume(answers, installation),
    ]


def _first_start(answers: Answers, installation: Installation, superuser: str | None) -> Iterator[Finding]:
    if installation.claim is None or installation.before is None:
        return
    old, new = installation.before.release.database, answers.release.database
    if old != new:
        yield Finding(
            "release.database",
            f"only the first start creates a database, and it created {old}: keep it, and create {new} by SQL: "
            f"CREATE DATABASE {new}",
        )
    if superuser is not None and (problem := other_superuser(answers, installation, superuser)):
        yield problem


def _data_checksums(answers: Answers, installation: Installation) -> Iterator[Finding]:
    """Who does not answer the question keeps what there is: a pod would start again for an option without effect."""
    has_them, is_answered = installation.data_checksums, "data_checksums" in answers.storage.model_fields_set
    if is_answered and has_them not in (None, answers.storage.data_checksums):
        text = "only the first start decides about data checksums, and it made the database"
        how = "with them: set it to true" if has_them else "without them: set it to false"
        yield Finding("storage.dataChecksums", f"{text} {how}")


def initdb_has_checksums(statefulset: Object) -> bool:
    """Whether the first start was asked for data checksums: the image passes a variable on to initdb."""
    options = (variable(database_container(statefulset), "POSTGRES_INITDB_ARGS") or "").split()
    return "--data-checksums" in options or "-k" in options


def other_superuser(answers: Answers, installation: Installation, superuser: str) -> Finding | None:
    """That the answers name another superuser than the one that the first start made; one of a Secret is not shown."""
    if installation.claim is None or installation.before is None or installation.superuser in (None, superuser):
        return None
    is_known = isinstance(installation.before.credentials, GeneratedCredentials)
    first = plain(installation.superuser or "", 63) if is_known else "another one"
    message = (
        f"only the first start creates a superuser, and it created {first}: keep it; create other roles by SQL: "
        "CREATE ROLE"
    )
    where = "secret" if isinstance(answers.credentials, ExistingCredentials) else "username"
    return Finding(f"credentials.{where}", message)


def _volume(answers: Answers, installation: Installation) -> Iterator[Finding]:
    if installation.statefulset is None:
        return
    template = _template(installation.statefulset)
    if template is None:
        return
    old, new = template.get("storageClassName"), answers.storage.storage_class
    if old != new:
        stays = plain(old, 253) if old else f"null, the cluster's default{_default_of(installation.claim)}"
        yield Finding(
            "storage.storageClass",
            f"the StorageClass of a volume cannot be changed: keep {stays}; for another one, create a new "
            "release and restore into it",
        )
    least, size = _unshrinkable(installation, answers.storage.size), answers.storage.size
    if least is not None:
        message = f"the volume has {least} and cannot shrink to {size}: set storage.size to {least}, or more"
        yield Finding("storage.size", message)


def _unshrinkable(installation: Installation, size: str) -> str | None:
    """What the volume has, where it would have to shrink to this size; None where it need not.

    The claim decides, which may have been grown by hand; the template where the claim is not there or may not be
    read. A claim whose volume has not grown yet may ask for less again.
    """
    template = claim_size(installation.statefulset) if installation.statefulset else None
    current = claimed_size(installation.claim) or template
    capacity = (((installation.claim or {}).get("status") or {}).get("capacity") or {}).get("storage")
    new, old, request, has = map(live_bytes, (size, template, current, capacity))
    if new is None or request is None or new == old or new >= request or (has is not None and new > has):
        return None
    return size_text(current)


def claimed_size(claim: Object | None) -> str | None:
    """The size that a claim asks for; None without one."""
    requests = (((claim or {}).get("spec") or {}).get("resources") or {}).get("requests") or {}
    return requests.get("storage")


def _default_of(claim: Object | None) -> str:
    """The class that was the cluster's default when the claim was made."""
    name = (claim or {}).get("spec", {}).get("storageClassName")
    return f" ({plain(name, 253)} when it was created)" if name else ""


def claim_size(statefulset: Object) -> str | None:
    """The size that a StatefulSet claims; None where it claims no volume, and so is none of ours."""
    template = _template(statefulset)
    return template["resources"]["requests"]["storage"] if template else None


def _template(statefulset: Object) -> dict[str, Any] | None:
    claims = statefulset["spec"].get("volumeClaimTemplates")
    return claims[0]["spec"] if claims else None
