"""What a restore asks of the running server: a restore point that is archived, and whether it still recovers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pgwizard.errors import DeadlineError, PreflightError
from pgwizard.kube.api import Cluster
from pgwizard.kube.jobs import ReportLine
from pgwizard.plan.names import STANZA, ReleaseRef
from pgwizard.release.layout import Layout
from pgwizard.restore.pod_command import read_output
from pgwizard.status import probes
from pgwizard.status.repository import read_lsn
from pgwizard.status.snapshot import Archiver
from pgwizard.text import plain

_ARCHIVE_SECONDS = 300.0
"""How long the server may take to archive what it has written."""
_FAILING_SECONDS = 75.0
"""After so long with a cause that is known the wait ends: PostgreSQL has tried again meanwhile."""
_SQL_SECONDS = 60.0
_POLL_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """The server of a release. superuser: where it is not known, the container's own variable is used."""

    cluster: Cluster
    release: ReleaseRef
    superuser: str | None

    async def mark(self, name: str, report: ReportLine, *, hint: str) -> int:
        """Commit, name a restore point, end the segment, and wait until it is archived. The restore point's position.

        After it every earlier moment can be reached: recovery to a moment stops only at a later commit. Raises
        DeadlineError with the hint where it is not archived in time.
        """
        rows = await self._sql(
            "SELECT txid_current() IS NOT NULL",
            f"SELECT pg_create_restore_point('{name}')",
            "SELECT pg_walfile_name(pg_switch_wal())",
        )
        try:
            _, point, segment = rows
            position = read_lsn(point)
        except ValueError:
            raise PreflightError(f"release {self.release}: psql answered with something else") from None
        report(f"waiting until WAL segment {plain(segment)} is archived")
        await self._wait_archived(segment, hint)
        return position

    async def create_stanza(self) -> None:
        """Make its own archive, or check it where it is there. Raises PreflightError."""
        command = ("pgbackrest", f"--stanza={STANZA}", "--log-level-console=warn", "stanza-create")
        await read_output(self.cluster, self.release, command, seconds=_ARCHIVE_SECONDS, name="stanza-create")

    async def segment(self) -> str:
        """The name of the newest WAL segment with a record. Right after a switch the next one is no file yet."""
        return " ".join(
            await self._sql(
                "SELECT max(name) FROM pg_ls_waldir() WHERE length(name) = 24 AND name <= "
                "pg_walfile_name(pg_current_wal_insert_lsn())"
            )
        )

    async def position(self) -> int:
        """Where the next WAL record will be. Raises PreflightError."""
        text = " ".join(await self._sql("SELECT pg_current_wal_insert_lsn()"))
        try:
            return read_lsn(text)
        except ValueError:
            raise PreflightError(f"release {self.release}: psql answered with something else") from None

    async def database_names(self) -> dict[str, str]:
        """The names of the databases by OID, as decimal text."""
        lines = (await self._output("SELECT oid || ' ' || datname FROM pg_database")).splitlines()
        return {oid: name for oid, _, name in (line.partition(" ") for line in lines) if name}

    async def is_recovering(self) -> bool:
        """Whether it refuses writes."""
        return await self._sql("SELECT pg_is_in_recovery()") != ["f"]

    async def _wait_archived(self, segment: str, hint: str) -> None:
        loop = asyncio.get_running_loop()
        begin, failing_since, last = loop.time(), None, ""
        deadline, fault = begin + _ARCHIVE_SECONDS, None
        while loop.time() < deadline:
            archiver = await self._archiver()
            if len(archiver.last_wal) >= len(segment) and archiver.last_wal >= segment:  # a history's name is shorter
                return
            last, fault = "", None
            if archiver.is_failing:
                last, fault = f": archiving {archiver.failed_wal} fails", archiver.fault
            failing_since = (failing_since or loop.time()) if fault else None
            if failing_since is not None and loop.time() - failing_since > _FAILING_SECONDS:
                break
            await asyncio.sleep(_POLL_SECONDS)
        text = f"WAL segment {plain(segment)} was not archived in {loop.time() - begin:.0f} s"
        error = DeadlineError(f"release {self.release}: {text}{last}", fault=fault)
        error.add_hint(hint)
        raise error

    async def _archiver(self) -> Archiver:
        try:
            return await probes.archiver(self.cluster, Layout.of(self.release), self.superuser)
        except ValueError as error:
            raise PreflightError(f"release {self.release}: {error}") from error

    async def _sql(self, *statements: str) -> list[str]:
        """The words that the statements return, each in a transaction of its own. Raises PreflightError."""
        return (await self._output(*statements)).split()

    async def _output(self, *statements: str) -> str:
        user = ["psql", "-XAtq", "-U", self.superuser] if self.superuser else []
        command = user or ["bash", "-c", 'exec psql -XAtq -U "$POSTGRES_USER" "$@"', "psql"]
        command += ["-d", probes.DATABASE, "-v", "ON_ERROR_STOP=1"]
        for statement in statements:
            command += ["-c", statement]
        return await read_output(self.cluster, self.release, command, seconds=_SQL_SECONDS, name="psql")
