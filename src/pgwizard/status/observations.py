"""Observations of a release: one type for each kind of answer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from pgwizard.diagnose.diagnose import diagnose
from pgwizard.errors import Finding
from pgwizard.kube.api import Object, Ref, Resource
from pgwizard.status.backup_files import BackupFiles
from pgwizard.status.listing import Listing
from pgwizard.status.repository import RepositoryInfo
from pgwizard.status.snapshot import Archiver, MirroredCertificate, Missing, ReleaseSummary, Volume


@dataclass(frozen=True, slots=True)
class ReleaseRead:
    """The record of the release, or that there is none any more."""

    source: ClassVar[str] = "release"
    at: datetime
    release: ReleaseSummary | Missing


@dataclass(frozen=True, slots=True)
class RepositoryRead:
    """The answer of ``pgbackrest info``."""

    source: ClassVar[str] = "repository"
    at: datetime
    repository: RepositoryInfo


@dataclass(frozen=True, slots=True)
class ArchiveRead:
    """The WAL that is in the archive."""

    source: ClassVar[str] = "archive"
    at: datetime
    listing: Listing


@dataclass(frozen=True, slots=True)
class BackupFilesRead:
    """The files of the backups beside their manifests."""

    source: ClassVar[str] = "backups"
    at: datetime
    files: BackupFiles


@dataclass(frozen=True, slots=True)
class ArchiverRead:
    """The answer of PostgreSQL about its archiver."""

    source: ClassVar[str] = "archiver"
    at: datetime
    archiver: Archiver


@dataclass(frozen=True, slots=True)
class VolumeRead:
    """The answer of ``df``."""

    source: ClassVar[str] = "volume"
    at: datetime
    volume: Volume


@dataclass(frozen=True, slots=True)
class CertificateRead:
    """The mirrored certificate; None where the release has none."""

    source: ClassVar[str] = "certificate"
    at: datetime
    certificate: MirroredCertificate | None


@dataclass(frozen=True, slots=True)
class ObjectSeen:
    """An object of a watched list; None once it is deleted."""

    at: datetime
    ref: Ref
    object: Object | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class JobPodSeen:
    """A pod that belongs to a Job."""

    at: datetime
    pod: Object = field(repr=False)


@dataclass(frozen=True, slots=True)
class JobRefused:
    """Admission keeps a Job from making its pod. uid: the Job's; why: its words."""

    at: datetime
    uid: str
    why: str


@dataclass(frozen=True, slots=True)
class ListRead:
    """Every object of a watched list has been seen."""

    at: datetime
    resource: Resource


@dataclass(frozen=True, slots=True)
class SourceSlow:
    """A source that was asked at ``since`` has not answered by now."""

    at: datetime
    source: str
    since: datetime


@dataclass(frozen=True, slots=True)
class SourceFailed:
    """A source did not answer. why: with its cause, where that is known."""

    at: datetime
    source: str
    why: Finding


@dataclass(frozen=True, slots=True)
class LogRead:
    """The last lines of the log of a failed Job."""

    job: Ref
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class LogFailed:
    """The log of a failed Job cannot be read; is_final: nor will it ever be."""

    job: Ref
    why: str
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class CrashLogRead:
    """The last lines of the log of a server that crashes; empty where they cannot be read."""

    lines: Sequence[str]


Reading = ReleaseRead | RepositoryRead | ArchiveRead | BackupFilesRead | ArchiverRead | VolumeRead | CertificateRead
Observation = (
    Reading
    | ObjectSeen
    | JobPodSeen
    | JobRefused
    | ListRead
    | SourceSlow
    | SourceFailed
    | LogRead
    | LogFailed
    | CrashLogRead
)


def failure(text: str) -> Finding:
    """Why a source did not answer, as a finding: the text with what is known of its cause."""
    cause = diagnose(text) or Finding()
    return Finding(text=text, key=cause.key, cause=cause.cause, fix=cause.fix, question=cause.question)
