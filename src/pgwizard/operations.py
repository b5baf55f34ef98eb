"""The headless verbs that speak to a cluster: apply, diff, uninstall, releases, status.

It reads what answers refer to (variables and files), prints events as they come, and asks where a person is there to be
asked. It refuses rules: what happens is ``deploy``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pgwizard import answersfile, deploy, inputs
from pgwizard import releases as released
from pgwizard.answers import Answers
from pgwizard.changes import Change
from pgwizard.console import Source, put, read
from pgwizard.errors import AnswersError, Interrupted, NotProven, Problem
from pgwizard.events import Event
from pgwizard.kubeapi import Cluster, fit
from pgwizard.present import change_lines, event_line
from pgwizard.uninstall import removal, remove

if TYPE_CHECKING:
    from pgwizard.snapshot import Snapshot
    from pgwizard.verdict import Verdict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Which cluster. demo: the simulated one, in this process; released: with a release in it, to look at."""

    context: str | None = None
    kubeconfig: str | None = None
    demo: bool = False
    released: bool = False


@contextlib.asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Cluster]:
    """The cluster, closed on every way out."""
    if place.demo:
        from pgwizard.demo import ScaledClock, SimCluster

        clock = ScaledClock(_HURRY if place.released else 1)
        async with SimCluster(clock=clock) as simulated:
            if place.released:
                await deploy.run(deploy.Release(Answers()), simulated, lambda _: None, _yes, deploy.Options())
                clock.run_at(1)
            yield simulated
    else:
        from pgwizard.cluster import connect

        async with await connect(place.context, place.kubeconfig) as cluster:
            yield cluster


_HURRY = 30
"""How many times as fast a demonstration is prepared."""


async def _yes(_: Sequence[Change]) -> bool:
    return True


# ---- the verbs -----------------------------------------------------------------------------------------------------


def apply(source: Source, place: Place, options: deploy.Options, *, yes: bool, whole: bool, as_json: bool) -> None:
    """Bring a release into the cluster, telling every stage. With ``options.dry_run`` it is ``diff``."""
    release = _release(source)
    printer = _Printer(as_json=as_json)

    async def approve(changes: Sequence[Change]) -> bool:
        printer.changes(changes, whole=whole)
        if not _is_asked(yes=yes):
            return True
        return await _confirmed(f"Apply this to {release.answers.release.namespace}? [y/N] ")

    async def work() -> deploy.Outcome:
        async with connected(place) as cluster:
            return await deploy.run(release, cluster, printer.report, approve, options)

    outcome = _finished(work(), printer, "The cluster goes on. Run it again at any time: it resumes.")
    if outcome.result == "dry-run":
        printer.changes(outcome.changes, whole=whole)
    printer.outcome(outcome)


def uninstall(
    name: str, namespace: str | None, place: Place, *, purge_data: str | None, yes: bool, as_json: bool
) -> None:
    """Remove a release. purge_data: the release's name, typed out, where its data is to go as well."""
    if purge_data is not None and purge_data != name:
        raise AnswersError(
            "the command line",
            [Problem("--purge-data", f"expected the release's name, {name}: its data would be gone")],
        )
    printer = _Printer(as_json=as_json)

    async def work() -> None:
        async with connected(place) as cluster:
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
            if _is_asked(yes=yes) and not await _confirmed(question):
                raise Interrupted("not approved: nothing was written")
            await remove(found, cluster, printer.report)

    _finished(work(), printer, "Run it again to remove what is left.")


def releases(namespace: str | None, place: Place, *, everywhere: bool, as_json: bool) -> None:
    """List the releases of a namespace, or of all."""

    async def work() -> list[dict[str, Any]]:
        async with connected(place) as cluster:
            found = await released.releases(cluster, None if everywhere else namespace or cluster.namespace)
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


def status(name: str, namespace: str | None, place: Place, *, as_json: bool) -> None:
    """Print how a release is doing; an empty name stands for the only one there is.

    Raises NotProven, after it has printed, for any verdict but recoverable.
    """
    from pgwizard import status as observed
    from pgwizard.present import status_lines
    from pgwizard.verdict import judge

    async def work() -> Snapshot:
        async with connected(place) as cluster:
            where = namespace or cluster.namespace
            wanted = name or released.chosen(await released.choices(cluster, where), where)
            return await observed.look(cluster, wanted, where)

    snapshot = _finished(work(), _Printer(as_json=as_json), "")
    verdict = judge(snapshot)
    if as_json:
        put(json.dumps(_told(snapshot, verdict), indent=2, ensure_ascii=False) + "\n")
    else:
        title = f"{snapshot.namespace}/{snapshot.name}"
        put("\n".join([title, *status_lines(snapshot, verdict)]) + "\n")
    if verdict.state != "recoverable":
        why = f": {verdict.reasons[0].text}" if verdict.reasons else ""
        raise NotProven(f"{snapshot.namespace}/{snapshot.name}: {verdict.state}{why}")


def _told(snapshot: Snapshot, verdict: Verdict) -> dict[str, Any]:
    """A snapshot and its verdict as JSON's own types: times in ISO 8601, sizes in bytes, names in camel case."""
    repository = snapshot.ours
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
        "stored": snapshot.stored,
        "growsPerDay": snapshot.grows_per_day,
        "walPerDay": snapshot.wal_per_day,
        "outageDays": snapshot.outage_days,
        "archiver": {**_json(snapshot.archiver), "failing": snapshot.archiver.failing} if snapshot.archiver else None,
        "volume": _json(snapshot.volume),
        "certificate": _json(snapshot.certificate),
        "crons": [{**_json(cron), "next": _json(snapshot.next_run(cron))} for cron in snapshot.crons],
        "runs": [_json(run) for run in snapshot.runs],
        "objects": {fit(str(ref)): _json(health) for ref, health in snapshot.objects.items()},
        "heard": {source: at.isoformat() for source, at in snapshot.heard.items()},
        "unknown": dict(snapshot.unknown),
        "loading": list(snapshot.loading),
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


def _is_asked(*, yes: bool) -> bool:
    """Only a person at a terminal can be asked; a script has said what it wants by calling."""
    return not yes and sys.stdin is not None and sys.stdin.isatty()


async def _confirmed(question: str) -> bool:
    """Ask the person at the terminal, before anything is written. Only y or yes is a yes; the end of input is a no.

    Raises Interrupted where it is stopped instead.
    """
    sys.stderr.write(question)  # stdout may be a pipe
    sys.stderr.flush()
    try:
        typed = await _line(sys.stdin.fileno())
    except asyncio.CancelledError:
        raise Interrupted("stopped: nothing was written") from None
    return typed.strip().lower() in (b"y", b"yes")


async def _line(terminal: int) -> bytes:
    """What is typed up to Enter or the end of input.

    The event loop watches the terminal: a thread that reads it could not be stopped, and would keep the process.
    """
    loop, ended, typed = asyncio.get_running_loop(), asyncio.Event(), bytearray()

    def take() -> None:
        part = b""
        with contextlib.suppress(OSError):  # the terminal is gone
            part = os.read(terminal, 1024)
        typed.extend(part)
        if not part or part.endswith(b"\n"):
            ended.set()

    loop.add_reader(terminal, take)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(terminal)
        if not typed.endswith(b"\n"):  # what is said next begins a line of its own
            sys.stderr.write("\n")
    return bytes(typed)


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


# ---- what answers refer to -----------------------------------------------------------------------------------------


def _release(source: Source) -> deploy.Release:
    """The answers of a source and the secrets that they refer to. Raises AnswersError."""
    loaded = answersfile.load(read(source), source.overrides)
    if loaded.answers is None or loaded.problems:
        raise AnswersError(source.name, loaded.problems)
    bundle, wrong = inputs.certificate(loaded.answers, source.folder, source.ca_file)
    if wrong:
        raise AnswersError(source.name, [loaded.located(problem) for problem in wrong])
    return deploy.Release(loaded.answers, inputs.given(loaded.answers, source.folder), bundle)


# ---- printing ------------------------------------------------------------------------------------------------------


class _Printer:
    """Events as lines: JSON where asked, a spinner behind the current stage on a terminal, plain lines otherwise."""

    def __init__(self, *, as_json: bool, console: Any = None) -> None:
        self._json = as_json
        self._status: Any = None
        self._console = console
        if console is None and not as_json and sys.stdout.isatty():
            from rich.console import Console

            self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    def report(self, event: Event) -> None:
        if self._json:
            self.line("", {key: value for key, value in asdict(event).items() if value is not None})
        elif self._console is None:
            if event.kind != "began":
                self.line(event_line(event))
        elif event.kind in ("began", "progress"):
            self._spin(event_line(event)[2:])
        else:
            if event.kind in ("done", "failed"):
                self.close()
            self.line(event_line(event), cropped=event.kind == "log")

    def _spin(self, text: str) -> None:
        from rich.text import Text

        if self._status is None:
            self._status = self._console.status(Text(text))
            self._status.start()
        else:
            self._status.update(Text(text))

    def line(self, text: str, data: dict[str, Any] | None = None, *, cropped: bool = False) -> None:
        if self._json:
            print(json.dumps(data if data is not None else {"text": text}), flush=True)
        elif self._console is not None:
            from rich.text import Text

            shown = Text(text)
            if cropped:  # pgBackRest's lines are long; what matters stands at their beginning
                shown.truncate(self._console.width, overflow="ellipsis")
            self._console.print(shown)
        else:
            print(text, flush=True)

    def changes(self, changes: Sequence[Change], *, whole: bool) -> None:
        if self._json:
            for change in changes:
                data = {"action": change.action, "object": str(change.ref), "why": change.why}
                shown = {"diff": change.lines()} if whole else {}
                self.line("", {"change": {**data, **shown}})
        else:
            for line in change_lines(changes, whole=whole):
                self.line(line)

    def outcome(self, outcome: deploy.Outcome) -> None:
        self.line(outcome.message, {"outcome": outcome.result, "message": outcome.message})

    def close(self) -> None:
        """Take the spinner off the screen."""
        if self._status is not None:
            self._status.stop()
            self._status = None
