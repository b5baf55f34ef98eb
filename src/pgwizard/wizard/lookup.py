"""What the world says to answers while a person gives them: ``look_up`` asks, and tells as soon as something is known.

First what the answers name and the cluster does not hold; then what only looks wrong from here: the certificate tried
on the server, and what other releases say. It refuses to decide how often to ask, and to know what is shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from pgwizard.answers.questions import Answers
from pgwizard.errors import ClusterError, Finding, Forbidden, PgwizardError
from pgwizard.kube.api import Cluster
from pgwizard.plan.pgbackrest import compares_addresses
from pgwizard.release import records, survey
from pgwizard.release.record import Record
from pgwizard.text import plain
from pgwizard.tls import handshake
from pgwizard.tls.certificates import Bundle


@dataclass(frozen=True, slots=True)
class Learnt:
    """What is known so far. bundle: the certificate that the answers name; None where there is none to be had.

    wrong: problems of single answers; doubts: what only looks wrong from here, None until it was asked; again: whether
    something could not be asked, so that it is worth to look up again.
    """

    bundle: Bundle | None
    wrong: tuple[Finding, ...]
    doubts: tuple[Finding, ...] | None = None
    again: bool = False


async def look_up(
    cluster: Cluster, answers: Answers, ca_file: Bundle | None, opened: tuple[str, str] | None
) -> AsyncGenerator[Learnt, None]:
    """What the answers name, then also what is doubtful about it.

    ca_file: the certificate that the answers name as a file; opened: namespace and name of the release that is being
    changed, None for a new one. A cluster that does not answer is a problem, never raised.
    """
    try:
        bundle, wrong = await survey.certificate(cluster, answers, ca_file)
        learnt = Learnt(bundle, (*wrong, *await survey.references(cluster, answers)))
    except PgwizardError as error:
        learnt = Learnt(ca_file, (Finding("tls.source", error.message),), again=True)
    yield learnt
    refused, others = await asyncio.gather(_tried(cluster, answers, learnt.bundle), _others(cluster))
    yield replace(learnt, doubts=(*refused, *survey.neighbours(answers, others, opened)))


async def _others(cluster: Cluster) -> Sequence[Record]:
    """The releases of the cluster, as far as they may be read."""
    try:
        return await records.releases(cluster, None)
    except ClusterError:
        return ()


async def _tried(cluster: Cluster, answers: Answers, bundle: Bundle | None) -> tuple[Finding, ...]:
    """What the server says to the certificate, as far as it can be asked from here."""
    if bundle is None or not answers.repository.enabled or not answers.tls.verify:
        return ()
    endpoint, by_address = answers.repository.endpoint, compares_addresses(answers.images.pgbackrest_version)
    try:
        found = await handshake.verify(cluster, endpoint, bundle.pem, by_address=by_address)
    except Forbidden:
        return ()
    except PgwizardError as error:
        return (Finding("repository.endpoint", error.message, severity="warning"),)
    if found.ok:
        return ()
    refused = f"{endpoint} would be refused: {plain(found.message)}: the first backup would fail"
    return (Finding("tls.source", refused, severity="warning"),)
