"""``verify``: everything in the repository is read once, and the result is kept in the release's record."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields

from pgwizard.cli import connect
from pgwizard.cli.json_lines import JsonLine, NoteLine
from pgwizard.cli.options import Invocation
from pgwizard.cli.writer import Writer
from pgwizard.clock import Clock
from pgwizard.errors import ClusterError, Interrupted, NotProven
from pgwizard.kube.api import Cluster
from pgwizard.release import records, verification
from pgwizard.release.record import RepositoryVerification
from pgwizard.text import span

_PROGRESS_SECONDS = 10


@dataclass(frozen=True, slots=True)
class VerificationLine(RepositoryVerification, JsonLine):
    """The result of a verification. damaged: backups that are not valid; files, segments: the first damaged ones."""

    type_name = "verification"


def verify(call: Invocation, writer: Writer) -> None:
    """Raises NotProven where something is damaged, and ClusterError where the result cannot be kept."""

    async def work(cluster: Cluster, now: Clock) -> None:
        release = await connect.choose_release(call, cluster)
        layout = await records.find_layout(cluster, release)
        writer.note(f"· reading the whole repository of {release}", NoteLine(f"reading the repository of {release}"))
        async with _progress(writer, now):
            result = await verification.verify(cluster, layout, now)
        parts = {item.name: getattr(result, item.name) for item in fields(result)}
        writer.line("\n".join(verification.result_lines(result)), VerificationLine(**parts))
        loss: ClusterError | None = None
        try:
            await verification.keep(cluster, layout, result)
        except ClusterError as error:
            loss = error
        if loss is not None or not layout.has_record:
            text = f"the result is not kept: {loss or f'pgwizard has no record of release {release}'}"
            writer.note(f"· {text}", NoteLine(text))
        if not result.is_valid:
            take = cluster.commands.pgwizard("backup", release.name, "--type", "full", namespace=release.namespace)
            raise NotProven(f"{release}: the repository is damaged", hint=f"Take a full backup: {take}")
        if loss is not None:
            raise loss

    interruption = Interrupted("stopped: pgbackrest verify may still run in the database's pod, which does no harm")
    connect.run(call, writer, work, has_release=True, interruption=lambda: interruption)


@contextlib.asynccontextmanager
async def _progress(writer: Writer, now: Clock) -> AsyncIterator[None]:
    """A line every few seconds: pgBackRest itself reports nothing until it ends."""
    began = now()

    async def report() -> None:
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            text = f"still reading, for {span((now() - began).total_seconds())}"
            writer.note(f"· {text}", NoteLine(text))

    task = asyncio.create_task(report())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
