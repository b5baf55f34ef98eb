"""Finds the releases of a cluster and reads their records. It does not write: ``apply`` and ``uninstall`` do."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from pgwizard.errors import AnswersError, ClusterError, Finding, Forbidden, NotFound, PreflightError
from pgwizard.kube.api import NAMESPACE, SECRET, Cluster, list_objects, side_by_side
from pgwizard.kube.commands import Commands
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import live, record
from pgwizard.release.layout import Layout
from pgwizard.release.live import LiveRelease
from pgwizard.text import fit

_MOST_NAMES = 5
"""How many releases a message names."""
UNREADABLE = (
    "It was written by another version of pgwizard, or damaged: use that version, or bring the Secret back from a copy."
)

AnyRecord = record.Record | record.UnreadableRecord
ListedRelease = AnyRecord | LiveRelease


async def find(cluster: Cluster, release: ReleaseRef) -> tuple[record.Record | None, str]:
    """The record of a release and its resourceVersion; None and an empty text where there is none.

    Raises PreflightError where what is there is no record that this version can read, and ClusterError.
    """
    try:
        live = await cluster.get(record.secret_ref(release))
    except NotFound:
        return None, ""
    try:
        return record.read(live), str(live["metadata"]["resourceVersion"])
    except ValueError as error:
        raise PreflightError(str(error), hint=UNREADABLE) from error


async def get(cluster: Cluster, release: ReleaseRef) -> tuple[record.Record, str]:
    """As ``find``, but raises PreflightError if there is no such release, or no record of it."""
    own_record, version = await find(cluster, release)
    if own_record is None:
        raise await _absence(cluster, release)
    return own_record, version


def unfinished_restore(release: ReleaseRef, commands: Commands) -> PreflightError:
    """The refusal of what must not be done while a restore has not ended."""
    command = commands.pgwizard("restore", release.name, namespace=release.namespace)
    return PreflightError(f"a restore of release {release} has not ended", hint=f"Resume it first: {command}")


async def find_layout(cluster: Cluster, release: ReleaseRef) -> Layout:
    """Where the parts of a release are, with or without a record. Raises PreflightError if there is no such release."""
    there, _ = await find(cluster, release)
    if there is not None:
        return Layout.of(release)
    return (await get_live(cluster, release)).layout


async def get_live(cluster: Cluster, release: ReleaseRef) -> LiveRelease:
    """A release without a record. Raises PreflightError if there is none."""
    release_ = await live.find(cluster, release)
    if release_ is None:
        raise await _absence(cluster, release)
    return release_


async def _absence(cluster: Cluster, release: ReleaseRef) -> PreflightError:
    """That there is no such release, or what manages it where there is no record of it."""
    live_release = None
    with contextlib.suppress(ClusterError):
        live_release = await live.find(cluster, release)
    if live_release is None:
        return PreflightError(record.absence(release), hint=other_releases_text(await _everywhere(cluster)))
    owner = f"{live_release.manager} manages it" if live_release.manager else "it was installed without pgwizard"
    command = cluster.commands.pgwizard("import", release.name, "-o", "answers.yaml", namespace=release.namespace)
    return PreflightError(
        f"release {release} has no record: {owner}",
        hint="status, explain, backup, logs and verify work without one. To manage it with pgwizard, read its answers: "
        f"{command}; then: pgwizard apply answers.yaml --take-over",
    )


async def releases(cluster: Cluster, namespace: str | None) -> list[AnyRecord]:
    """The releases of a namespace, or of all (None), in order of namespace and name."""
    listing: list[AnyRecord] = []
    async with contextlib.aclosing(cluster.pages(SECRET, namespace, fields=f"type={record.TYPE}", limit=None)) as pages:
        async for page in pages:
            for secret in page.items:
                try:
                    listing.append(record.read(secret))
                except ValueError as error:
                    with contextlib.suppress(TypeError, ValueError):  # a name that is not valid is not a release
                        listing.append(record.UnreadableRecord(record.release_of(secret), str(error)))
    return sorted(listing, key=lambda item: item.ref)


async def all_releases(cluster: Cluster, namespace: str | None) -> list[ListedRelease]:
    """As ``releases``, with those that have no record, where StatefulSets may be listed."""
    with_record: list[ListedRelease] = [*await releases(cluster, namespace)]
    without_record: list[LiveRelease] = []
    with contextlib.suppress(Forbidden):
        without_record = await live.releases(cluster, namespace, {item.ref for item in with_record})
    return sorted([*with_record, *without_record], key=lambda item: item.ref)


async def readable_releases(cluster: Cluster) -> tuple[list[ListedRelease], str]:
    """The releases of all namespaces, and what is left out where not all may be listed; empty where all may.

    Where Secrets of all namespaces may not be listed, each namespace is tried that is known: all that may be listed, or
    else that of the connection. Raises Forbidden where none may be.
    """
    try:
        return await all_releases(cluster, None), ""
    except Forbidden as error:
        denial = error
    namespaces, is_whole = await _namespaces(cluster)
    parts = await side_by_side([_releases_of(cluster, namespace) for namespace in namespaces])
    readable = [part for part in parts if part is not None]
    if not readable:
        raise denial
    listing = sorted((item for part in readable for item in part), key=lambda item: item.ref)
    if not is_whole:
        return listing, f"only namespace {fit(namespaces[0])} is shown: the others may not be listed"
    return (
        listing,
        f"{len(readable)} of {len(namespaces)} namespaces are shown: Secrets of the others may not be listed",
    )


async def _namespaces(cluster: Cluster) -> tuple[list[str], bool]:
    """The names of the namespaces, and whether these are all."""
    try:
        namespaces = await list_objects(cluster, NAMESPACE, metadata_only=True)
    except Forbidden:
        return [cluster.namespace], False
    return [str(item["metadata"]["name"]) for item in namespaces], True


async def _releases_of(cluster: Cluster, namespace: str) -> list[ListedRelease] | None:
    """The releases of a namespace; None where they may not be listed."""
    with contextlib.suppress(Forbidden):
        return await all_releases(cluster, namespace)
    return None


async def choices(cluster: Cluster, namespace: str) -> list[ListedRelease]:
    """The releases of a namespace; where it has none, those of all namespaces, if they may be listed."""
    return await all_releases(cluster, namespace) or await _everywhere(cluster)


async def _everywhere(cluster: Cluster) -> list[ListedRelease]:
    with contextlib.suppress(ClusterError):  # optional help: the error is known without them
        return await all_releases(cluster, None)
    return []


def other_releases_text(there: Sequence[ListedRelease]) -> str:
    """The other releases and how to name one, as a sentence; the first few of many."""
    if not there:
        return "No other one is seen: -n names another namespace, and pgwizard installs one."
    names = [fit(str(item.ref)) for item in there[:_MOST_NAMES]]
    more = [f"{len(there) - _MOST_NAMES} more"] if len(there) > _MOST_NAMES else []
    return f"There is {', '.join([*names, *more])}: give the name, and its namespace with -n."


def only_release(there: Sequence[ListedRelease], namespace: str) -> ReleaseRef:
    """The only release of a namespace among those that there are.

    Raises PreflightError for none, AnswersError for several.
    """
    here = [item.ref for item in there if item.ref.namespace == namespace]
    if not here:
        raise PreflightError(f"there is no release in namespace {namespace}", hint=other_releases_text(there))
    if len(here) > 1:
        names = ", ".join(release.name for release in here)
        message = f"namespace {namespace} has {len(here)} releases: name one of {names}"
        raise AnswersError("the command line", [Finding("NAME", message)])
    return here[0]
