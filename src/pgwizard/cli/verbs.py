"""The headless verbs that speak to a cluster: apply, diff, uninstall, releases, status.

It reads what answers refer to (variables and files), prints events as they come, and asks where a person is there to be
asked. It refuses rules: what happens is ``deploy``'s.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Coroutine, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pgwizard.cli import connect, prompt
from pgwizard.cli.connect import ClusterSource
from pgwizard.cli.printer import _Printer, put
from pgwizard.cli.source import Source, _release
from pgwizard.errors import AnswersError, Finding, Interrupted, NotProven
from pgwizard.release import apply as release_apply
from pgwizard.release import records
from pgwizard.release.changes import Change
from pgwizard.release.uninstall import removal, remove
from pgwizard.text import fit

if TYPE_CHECKING:
    from pgwizard.status.snapshot import Snapshot
    from pgwizard.status.verdict import Verdict

T = TypeVar("T")


# ---- the verbs -----------------------------------------------------------------------------------------------------


def apply(
    source: Source, place: ClusterSource, options: release_apply.Options, *, yes: bool, whole: bool, as_json: bool
) -> None:
    """Bring a release into the cluster, telling every stage. With ``options.dry_run`` it is ``diff``."""
    release = _release(source)
    printer = _Printer(as_json=as_json)

    async def approve(changes: Sequence[Change]) -> bool:
        printer.changes(changes, whole=whole)
        if not prompt.is_asked(yes=yes):
            return True
        return await prompt.confirmed(f"Apply this to {release.answers.release.namespace}? [y/N] ")

    async def work() -> release_apply.ApplyOutcome:
        async with connect.connected(place) as cluster:
            return await release_apply.run(release, cluster, printer.report, approve, options)

    outcome = _finished(work(), printer, "The cluster goes on. Run it again at any time: it resumes.")
    if outcome.result == "dry-run":
        printer.changes(outcome.changes, whole=whole)
    printer.outcome(outcome)


def uninstall(
    name: str, namespace: str | None, place: ClusterSource, *, purge_data: str | None, yes: bool, as_json: bool
) -> None:
    """Remove a release. purge_data: the release's name, typed out, where its data is to go as well."""
    if purge_data is not None and purge_data != name:
        raise AnswersError(
            "the command line",
            [Finding("--purge-data", f"expected the release's name, {name}: its data would be gone")],
        )
    printer = _Printer(as_json=as_json)

    async def work() -> None:
        async with connect.connected(place) as cluster:
            found = await removal(cluster, name, namespace or cluster.namespace, purge_data=purge_data is not None)
            for ref in found.deleted:
                printer.line(f"- delete    {ref}", {"change": {"action": "delete", "object": str(ref)}})
            for ref, why in found.kept:
                printer.line(
                    f"= keep      {ref}   ({why})", {"change": {"action": "keep", "object": str(ref), "why": why}}
                )
            printer.line(
                "= keep      the repository in S3   (backups are never deleted from here)",
                {"change": {"action": "keep", "object": "repository"}},
            )
            question = f"Remove {name} from {found.record.namespace}? [y/N] "
            if prompt.is_asked(yes=yes) and not await prompt.confirmed(question):
                raise Interrupted("not approved: nothing was written")
            await remove(found, cluster, printer.report)

    _finished(work(), printer, "Run it again to remove what is left.")


def releases(namespace: str | None, place: ClusterSource, *, everywhere: bool, as_json: bool) -> None:
    """List the releases of a namespace, or of all."""

    async def work() -> list[dict[str, Any]]:
        async with connect.connected(place) as cluster:
            found = await records.releases(cluster, None if everywhere else namespace or cluster.namespace)
        return [
            {
                "namespace": item.namespace,
                "name": item.name,
                "revision": item.last.number if item.last else 0,
                "outcome": item.last.outcome if item.last else "",
                "at": item.last.at if item.last else "",
            }
            for item in found
        ]

    rows = _finished(work(), _Printer(as_json=as_json), "")
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    header = ("NAMESPACE", "NAME", "REVISION", "OUTCOME", "AT")
    table = [header, *(tuple(str(value) for value in row.values()) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        print("   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def status(name: str, namespace: str | None, place: ClusterSource, *, as_json: bool) -> None:
    """Print how a release is doing; an empty name stands for the only one there is.

    Raises NotProven, after it has printed, for any verdict but recoverable.
    """
    from pgwizard.status import observe
    from pgwizard.status.report import status_lines
    from pgwizard.status.verdict import judge

    async def work() -> Snapshot:
        async with connect.connected(place) as cluster:
            where = namespace or cluster.namespace
            wanted = name or records.chosen(await records.choices(cluster, where), where)
            return await observe.look(cluster, wanted, where)

    snapshot = _finished(work(), _Printer(as_json=as_json), "")
    verdict = judge(snapshot)
    if as_json:
        put(json.dumps(_told(snapshot, verdict), indent=2, ensure_ascii=False) + "\n")
    else:
        title = f"{snapshot.namespace}/{snapshot.name}"
        put("\n".join([title, *status_lines(snapshot, verdict)]) + "\n")
    if verdict.state != "recoverable":
        why = f": {verdict.reasons[0]}" if verdict.reasons else ""
        raise NotProven(f"{snapshot.namespace}/{snapshot.name}: {verdict.state}{why}")


def _told(snapshot: Snapshot, verdict: Verdict) -> dict[str, Any]:
    """A snapshot and its verdict as JSON's own types: times in ISO 8601, sizes in bytes, names in camel case."""
    repository = snapshot.own_repository
    return {
        "name": snapshot.name,
        "namespace": snapshot.namespace,
        "at": snapshot.at.isoformat(),
        "verdict": _json(verdict),
        "release": _json(snapshot.release),
        "nextFull": _json(snapshot.next_full),
        "backups": [_json(backup) for backup in repository.backups] if repository else None,
        "repositorySystemId": repository.system_id if repository else None,
        "systemId": snapshot.system_id or None,
        "stanza": repository.stanza if repository else None,
        "wal": {**_json(repository.wal), "segments": repository.wal.segments}
        if repository and repository.wal
        else None,
        "stored": snapshot.stored_bytes,
        "growsPerDay": snapshot.growth_bytes_per_day,
        "walPerDay": snapshot.wal_bytes_per_day,
        "outageDays": snapshot.outage_days,
        "archiver": {**_json(snapshot.archiver), "failing": snapshot.archiver.is_failing}
        if snapshot.archiver
        else None,
        "volume": _json(snapshot.volume),
        "certificate": _json(snapshot.certificate),
        "crons": [{**_json(cron), "next": _json(snapshot.next_run(cron))} for cron in snapshot.crons],
        "runs": [_json(run) for run in snapshot.runs],
        "objects": {fit(str(ref)): _json(health) for ref, health in snapshot.objects.items()},
        "heard": {source: at.isoformat() for source, at in snapshot.answered_at.items()},
        "unknown": {source: why.text for source, why in snapshot.failures.items()},
        "loading": list(snapshot.pending_sources),
    }


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [_json(item) for item in value]
    if not is_dataclass(value):
        return value
    return {
        "".join(part if number == 0 else part.title() for number, part in enumerate(item.name.split("_"))): _json(
            getattr(value, item.name)
        )
        for item in fields(value)
        if item.name != "raw"
    }


def _finished(work: Coroutine[Any, Any, T], printer: _Printer, resume: str) -> T:
    """Run to the end. Ctrl-C, SIGTERM and a closed terminal end it in order, and say how to go on."""

    async def guarded() -> T:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        if task is not None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, task.cancel)
        return await work

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        raise Interrupted("stopped", hint=resume) from None
    finally:
        printer.close()
