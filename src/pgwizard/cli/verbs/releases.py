"""``releases`` and ``uninstall``: which releases there are, and the removal of one."""

from __future__ import annotations

from dataclasses import dataclass

from pgwizard.cli import connect, prompt
from pgwizard.cli.json_lines import JsonLine, NoteLine, WarningLine
from pgwizard.cli.options import Invocation
from pgwizard.cli.run_lines import ChangeLine, reporter
from pgwizard.cli.table import ALL_NAMESPACES, JSON, NAMESPACE, PURGE_DATA, YES
from pgwizard.cli.writer import Writer
from pgwizard.clock import Clock
from pgwizard.errors import Finding, Interrupted, UsageError
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import records
from pgwizard.release.live import LiveRelease
from pgwizard.release.record import UnreadableRecord
from pgwizard.release.uninstall import removal, remove
from pgwizard.text import plain, table_lines, time_text

_OURS = "pgwizard"


@dataclass(frozen=True, slots=True)
class ReleaseLine(JsonLine):
    """One release. revision, outcome, at: of the last apply; 0 and empty if the record has none.

    outcome is ``unreadable`` if another version wrote the record, or it is damaged, and ``unrecorded`` without one.
    manager: the tool that installed it; empty where nothing says so.
    """

    type_name = "release"
    namespace: str
    name: str
    revision: int
    outcome: str
    at: str
    manager: str


def releases(call: Invocation, writer: Writer) -> None:
    """List the releases of a namespace, or of all."""

    async def work(cluster: Cluster, _: Clock) -> tuple[str | None, list[records.ListedRelease]]:
        namespace = None if call[ALL_NAMESPACES] else call[NAMESPACE] or cluster.namespace
        return namespace, await records.all_releases(cluster, namespace)

    namespace, listing = connect.run(call, writer, work, has_release=True)
    items = list(map(_release_line, listing))
    cells = [
        (
            item.namespace,
            item.name,
            str(item.revision or "-"),
            item.outcome,
            time_text(item.at) or "-",
            item.manager or "-",
        )
        for item in items
    ]
    if not items:
        text = (
            f"no release in namespace {namespace}; -A lists those of all" if namespace else "no release in the cluster"
        )
        writer.note(text, NoteLine(text))
        return
    lines = table_lines([("NAMESPACE", "NAME", "REVISION", "OUTCOME", "AT", "MANAGER"), *cells])
    if not call[JSON]:
        writer.put(f"{lines[0]}\n")
    for line, item in zip(lines[1:], items, strict=True):
        writer.line(line, item)
    for release in listing:
        if isinstance(release, UnreadableRecord):
            warning = Finding(text=release.problem, severity="warning", fix=records.UNREADABLE)
            writer.note(f"warning: {warning.whole}", WarningLine.of(warning))


def _release_line(release: records.ListedRelease) -> ReleaseLine:
    namespace, name = plain(release.ref.namespace), plain(release.ref.name)
    if isinstance(release, UnreadableRecord):
        return ReleaseLine(namespace, name, 0, "unreadable", "", _OURS)
    if isinstance(release, LiveRelease):
        return ReleaseLine(namespace, name, 0, "unrecorded", "", release.manager)
    last = release.last
    if last is None:
        return ReleaseLine(namespace, name, 0, "", "", _OURS)
    return ReleaseLine(namespace, name, last.number, last.outcome, last.at, _OURS)


def uninstall(call: Invocation, writer: Writer) -> None:
    """Remove a release. Its data is deleted only if the user typed its name a second time."""
    name, purge = call.word, call[PURGE_DATA]
    if purge is not None and purge != name:
        raise UsageError(f"--purge-data: expected the release's name, {name}: its data would be deleted")

    interruption = Interrupted("stopped: nothing was removed")

    async def work(cluster: Cluster, now: Clock) -> None:
        nonlocal interruption
        plan = await removal(
            cluster, ReleaseRef(call[NAMESPACE] or cluster.namespace, name), purge_data=purge is not None
        )
        for ref in plan.deletions:
            writer.line(f"- delete    {ref}", ChangeLine("delete", str(ref), "", restarts=False))
        remainder = [(str(ref), why) for ref, why in plan.remainder]
        for remaining, why in [*remainder, ("the repository in S3", "backups are never deleted from here")]:
            writer.line(f"= keep      {remaining}   ({why})", ChangeLine("keep", remaining, why, restarts=False))
        question = f"Remove {name} from {plan.record.ref.namespace}? [y/N] "
        if prompt.is_interactive(yes=call[YES]) and not await prompt.confirm(question):
            raise Interrupted("not approved: nothing was written")
        interruption = Interrupted("stopped", hint="Run it again to remove what is left.")
        await remove(plan, cluster, reporter(writer), now=now)

    connect.run(call, writer, work, has_release=True, interruption=lambda: interruption)
