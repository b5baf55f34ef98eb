"""The log of one backup Job, with its cause and fix at the end where it failed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from rich.text import Text
from textual import work

from pgwizard.errors import PgwizardError
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import backups
from pgwizard.status.snapshot import Run
from pgwizard.text import plain
from pgwizard.tui.base import HostAccess
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.widgets.log import Log
from pgwizard.tui.widgets.panes import Pane

if TYPE_CHECKING:
    from pgwizard.kube.api import Cluster

MAX_LINES = 2_000
SETTLE_SECONDS = 0.15
"""While the cursor moves through a list, only the log of the Job where it stays is read."""
RETRY_SECONDS = 1.0


class JobLog(HostAccess, ReportsDefects, Pane, Log):
    """Shows the log of one Job at a time."""

    def __init__(self) -> None:
        super().__init__(id="log", max_lines=MAX_LINES)
        self._identity: tuple[str, ...] = ()

    def follow(self, run: Run, release: ReleaseRef) -> None:
        """Read the log of a Job of this release, and go on while the Job runs.

        The same Job in another state is read again to its end: a reader stays at the same lines.
        """
        identity = (run.uid, run.state, run.fault.key if run.fault else "")
        if identity == self._identity:
            return
        if self._identity[:1] != identity[:1]:
            self.clear()
        self._identity = identity
        self._read(run, release)

    @work(name="read a log", group="log", exclusive=True, exit_on_error=False)
    async def _read(self, run: Run, release: ReleaseRef) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        self.entitle(f"log of {run.name}")
        cluster = await self.connection.once_connected()
        while True:
            self.restart()
            await self._read_once(cluster, run, release)
            if run.state != "running":
                break
            await asyncio.sleep(RETRY_SECONDS)  # the pod has not started, or failed and gets a successor
        if run.fault is not None:
            for line in f"cause: {run.fault.cause}\nfix: {run.fault.fix}".splitlines():
                self.write(line, "bold")

    async def _read_once(self, cluster: Cluster, run: Run, release: ReleaseRef) -> None:
        follow = run.state == "running"
        lines = backups.log(cluster, release, run.real_name, follow=follow, tail=MAX_LINES)
        try:
            async with aclosing(lines):
                async for line in lines:
                    self.border_subtitle = ""
                    self.write(line)
        except PgwizardError as error:
            if follow:
                self.border_subtitle = Text(plain(f"waiting: {error.message}", 60))
                return
            self.write(plain(error.message, 1_000), "dim")
        self.border_subtitle = ""
