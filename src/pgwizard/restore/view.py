"""Reads what a restore is chosen from: the archive, the backups and the timeline.

The commands run in the database's pod, or in a pod of their own where the database does not run.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pgwizard.diagnose.diagnose import diagnose
from pgwizard.errors import ClusterError, DeadlineError, PgwizardError, PreflightError
from pgwizard.kube.api import POD, Cluster, Ref, find_object
from pgwizard.kube.health import assess
from pgwizard.plan.names import STANZA, Names, ReleaseRef
from pgwizard.release import drills
from pgwizard.release.image_version import printed_version
from pgwizard.release.layout import Layout
from pgwizard.release.record import Origin, Record
from pgwizard.restore import job, journal
from pgwizard.restore.pod_command import read_output
from pgwizard.restore.reader import reader_pod
from pgwizard.restore.target import USUAL_RATES, RepositoryView
from pgwizard.status import probes
from pgwizard.status.repository import Backup, RepositoryInfo, segment_number
from pgwizard.status.snapshot import Archiver, ReleaseSummary
from pgwizard.status.wal import reaches
from pgwizard.status.walk import whole_backups
from pgwizard.text import fit

_IO_TIMEOUT_SECONDS = 10
_COMMAND_SECONDS = 120.0
_NOT_IN_IMAGE = 127
_SERVER_VERSION = re.compile(r"PostgreSQL\) ([0-9]+)", re.ASCII)
_SYSTEM_ID = re.compile(r"^db-system-id=([0-9]+)", re.ASCII | re.MULTILINE)
_SEGMENT_BYTES = tuple(2**power * 2**20 for power in (4, 0, 1, 2, 3, 5, 6, 7, 8, 9, 10))
"""What initdb allows, PostgreSQL's default first."""


async def read_view(cluster: Cluster, record: Record) -> RepositoryView:
    """The repository of a release, with its server where that answers.

    Raises PreflightError where the repository cannot be read, or is not the release's own.
    """
    release = record.ref
    if not (silence := await silence_of(cluster, release)):
        reading = _Reading(cluster, record)
        archiver = await reading.archiver()
        repository = await reading.repository()
        if repository.system_id == archiver.system_id:
            return await reading.view(repository, archiver)
        silence = (
            f"it has another database: system identifier {archiver.system_id}, and the repository has "
            f"{repository.system_id or 'none'}"
        )
        if not has_own_repository(record):
            raise PreflightError(
                f"the repository of release {release.name} holds backups of another database; the server does not fit: "
                f"{silence}",
                hint="Look at repository.path in the answers.",
            )
    async with reader_pod(cluster, release) as pod:
        reading = _Reading(cluster, record, pod, silence)
        repository = await reading.repository()
        await reading.require_version(repository)
        if record.origin is not None and record.reads_origin:
            await reading.require_own_path(repository, record.origin)
        return await reading.view(repository, None)


async def silence_of(cluster: Cluster, release: ReleaseRef) -> str:
    """Why the server of a release does not answer; empty where its pod is ready."""
    pod = await find_object(cluster, Ref(POD, Names.of(release.name).pod, release.namespace))
    if pod is None:
        return "there is no pod"
    health = assess({**pod, "kind": POD.kind})
    return "" if health.status == "ready" else health.message


def has_own_repository(record: Record) -> bool:
    """Whether the repository is where this release has taken backups: then they are its own, whatever the server has.

    A volume that was lost comes back empty, and the image creates another database on it.
    """
    if record.last is None or record.deployed_revision is None:
        return False
    places = [_place(revision.answers.get("repository")) for revision in (record.last, record.deployed_revision)]
    return places[0] == places[1]


def _place(section: object) -> tuple[object, ...]:
    repository = section if isinstance(section, Mapping) else {}
    return tuple(repository.get(key) for key in ("endpoint", "bucket", "path"))


@dataclass(frozen=True, slots=True)
class _Reading:
    """pod: where the repository is read, by default the database's; silence: why the server does not answer."""

    cluster: Cluster
    record: Record
    pod: str = ""
    silence: str = ""

    @property
    def _release(self) -> ReleaseRef:
        return self.record.ref

    @property
    def _layout(self) -> Layout:
        return Layout.of(self.record.ref)

    async def archiver(self) -> Archiver:
        release, commands = self._release, self.cluster.commands
        try:
            return await probes.archiver(self.cluster, self._layout, ReleaseSummary.of(self.record).superuser)
        except (ValueError, ClusterError, DeadlineError) as error:
            text = error.message if isinstance(error, PgwizardError) else str(error)
            down = commands.kubectl("scale", "statefulset", release.name, "--replicas=0", namespace=release.namespace)
            raise PreflightError(
                f"the server of release {release.name} in namespace {release.namespace} cannot be asked: {text}",
                hint=f"Run it again. If the server cannot be repaired, stop it first: {down}",
            ) from error

    async def repository(self) -> RepositoryInfo:
        try:
            reading = await probes.repository(self.cluster, self._layout, _IO_TIMEOUT_SECONDS, pod=self.pod)
        except (ValueError, ClusterError, DeadlineError) as error:
            raise self._unreadable(error) from error
        if reading.stanza:
            raise PreflightError(
                f"the repository of release {self._release.name}, {self._place()}, cannot be used: {reading.stanza}",
                hint="The backups are elsewhere: correct repository.bucket or repository.path, and run it again.",
            )
        return reading

    def _place(self) -> str:
        """Bucket and path."""
        if self.record.origin is not None and self.record.reads_origin:
            return str(replace(self.record.origin, release=""))
        _, bucket, path = _place(self.record.last.answers.get("repository") if self.record.last else None)
        return fit(f"{bucket}{path}")

    async def require_version(self, repository: RepositoryInfo) -> None:
        """Only the major version of PostgreSQL that wrote a data directory can read it. Raises PreflightError."""
        match = _SERVER_VERSION.search(await self._output("postgres", "--version"))
        if match is None or repository.version in ("", match[1]):
            return
        raise PreflightError(
            f"the backups of release {self._release.name} are of PostgreSQL {repository.version}, and the image has "
            f"PostgreSQL {match[1]}; nothing was restored",
            hint="Name an image of that version in images.postgresql, and the version in images.postgresqlVersion.",
        )

    async def require_own_path(self, repository: RepositoryInfo, origin: Origin) -> None:
        """The clone's path may hold no database: pgBackRest takes its WAL into its source's archive without a word.

        Raises PreflightError.
        """
        script = "for name in archive backup; do pgbackrest --log-level-console=off --log-level-stderr=error"
        script += f' repo-get --ignore-missing "$name/{STANZA}/$name.info" || [ $? = 1 ] || exit 1; done'
        unset = [word for each in job.origin_variables(origin) for word in ("-u", each["name"])]
        text = await self._output("env", *unset, "bash", "-c", script, "own-repository")
        ids = _SYSTEM_ID.findall(text)
        if not ids:
            return
        which = "the same database" if repository.system_id in ids else f"another database, {ids[0]}"
        raise PreflightError(
            f"the archive path of release {self._release} holds backups of {which}; nothing was restored",
            hint="Uninstall this release, and clone again with a path of its own: --set repository.path=PATH",
        )

    async def _output(self, *command: str) -> str:
        """What a command prints; nothing of one that the image lacks. Raises PreflightError."""
        codes = (0, _NOT_IN_IMAGE)
        return await read_output(
            self.cluster, self._release, command, seconds=_COMMAND_SECONDS, pod=self.pod, codes=codes
        )

    async def view(self, repository: RepositoryInfo, archiver: Archiver | None) -> RepositoryView:
        """The archive is listed after the backups, so that it has their WAL.

        A hole counts only once a second listing has it too: segments may arrive out of order.
        """
        backups = repository.backups
        size = archiver.segment_bytes if archiver else segment_bytes(backups)
        try:
            listing, damaged_labels, version = await asyncio.gather(
                probes.archive(self.cluster, self._layout, _IO_TIMEOUT_SECONDS, pod=self.pod),
                self._damaged_labels(backups),
                self._output("pgbackrest", "version"),
            )
            archive = listing.archive(size)
            timeline = archiver.timeline if archiver else max(archive.timelines, default=1)
            if any(each.hole for each in reaches(archive, whole_backups(backups, damaged_labels), timeline)):
                again = await probes.archive(self.cluster, self._layout, _IO_TIMEOUT_SECONDS, pod=self.pod)
                archive = again.archive(size, listing)
        except (ValueError, ClusterError, DeadlineError) as error:
            raise self._unreadable(error) from error
        segments = self.record.verification.segments if self.record.verification else ()
        return RepositoryView(
            archive.without(segments),
            backups,
            timeline,
            is_answering=not self.silence,
            damaged_labels=damaged_labels,
            silence=self.silence,
            rates=journal.rates(self.record.restorations) or drills.rates(self.record.drills) or USUAL_RATES,
            image=printed_version(version),
        )

    async def _damaged_labels(self, backups: Sequence[Backup]) -> frozenset[str]:
        """The backups that a restore would fail on, as far as is known.

        Where the files cannot be compared, the restore goes ahead: pgBackRest itself fails at a missing file, before
        the server is started.
        """
        verification = self.record.verification
        labels = {each.label for each in (verification.damaged if verification else ()) if each.files}
        with contextlib.suppress(ValueError, ClusterError, DeadlineError):
            files = await probes.compared_files(self.cluster, self._layout, _IO_TIMEOUT_SECONDS, pod=self.pod)
            labels |= set(files.damage(backups))
        return frozenset(labels)

    def _unreadable(self, error: ValueError | ClusterError | DeadlineError) -> PreflightError:
        name, namespace = self._release.name, self._release.namespace
        text = error.message if isinstance(error, PgwizardError) else str(error)
        fault = diagnose(text)
        why = f"See why: {self.cluster.commands.pgwizard('explain', f'release/{name}', namespace=namespace)}"
        return PreflightError(
            f"the repository of release {name} in namespace {namespace} cannot be read: {text}",
            hint=f"{fault.cause} {fault.fix}" if fault else why,
        )


def segment_bytes(backups: Sequence[Backup]) -> int:
    """The size of a WAL segment, which follows from where backups end and the names of the segments there."""
    ends = [(each.lsn_stop - 1, each.wal_stop) for each in backups if each.lsn_stop]
    for size in _SEGMENT_BYTES:
        with contextlib.suppress(ValueError):
            if all(position // size == segment_number(name, size) for position, name in ends):
                return size
    return _SEGMENT_BYTES[0]
