"""Reads what no watch shows: the record, the repository, the archiver, the volume, the certificate.

Each asks once and returns what a ``Snapshot`` keeps; what a command prints becomes a value by a pure function. It
does not poll, and never takes an answer that it cannot parse for an empty one.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pgwizard.diagnose.diagnose import diagnose
from pgwizard.errors import ClusterError, DeadlineError, Forbidden, PgwizardError
from pgwizard.kube.api import NAMESPACE, ROLE, SECRET, Cluster, Ref, find_object
from pgwizard.plan import pgbackrest
from pgwizard.plan.names import CA_KEY, DATA, STANZA, Names, ReleaseRef
from pgwizard.release import live, records
from pgwizard.release.backups import TAIL_LINES
from pgwizard.release.image_version import ImageVersion
from pgwizard.release.layout import Layout
from pgwizard.release.live import LiveRelease
from pgwizard.release.record import Record
from pgwizard.status import backup_files, listing
from pgwizard.status.backup_files import BackupFiles
from pgwizard.status.listing import Listing
from pgwizard.status.repository import Backup, RepositoryInfo, Wal, read_lsn
from pgwizard.status.snapshot import (
    Archiver,
    MirroredCertificate,
    Missing,
    NamespaceState,
    ReleaseSummary,
    Volume,
    moment,
)
from pgwizard.text import fit_line, plain
from pgwizard.tls import handshake
from pgwizard.tls.certificates import Bundle, read_bundle
from pgwizard.tls.names import Rules

_SERVER_SECTIONS = ("images", "repository", "advanced")
_EXEC_SECONDS = {"repository": 120.0, "archive": 120.0, "backups": 120.0, "archiver": 20.0, "volume": 20.0}

COLLECTED_LOG_COMMAND = (
    "bash",
    "-c",
    f'cd "$PGDATA" && tail --lines={TAIL_LINES} -- "$(sed -n "1s/^[a-z]* //p" current_logfiles)"',
)
"""current_logfiles names the files that are written now, relative to the data directory or absolute."""
_STATISTICS = """SELECT archived_count, last_archived_wal, last_archived_time, failed_count, last_failed_wal,
last_failed_time, system_identifier, setting, timeline_id, bytes_per_wal_segment,
CASE WHEN pg_is_in_recovery() THEN 0 ELSE pg_current_wal_insert_lsn() - '0/0' END
FROM pg_stat_archiver, pg_control_system(), pg_control_checkpoint(), pg_control_init(), pg_settings
WHERE name = 'archive_timeout'"""
_WAITING = """SELECT count(*), coalesce(extract(epoch FROM now() - min(modification))::bigint, 0)
FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"""

DATABASE = (
    "dbname=postgres options='-c statement_timeout=15s -c lock_timeout=0 -c search_path=pg_catalog -c datestyle=ISO "
    "-c timezone=UTC'"
)
"""How psql connects. The server's own timeouts may be too short for any query, and settings of the role or the database
may write times in another way, or find others' views first. Only parameters that every version has are set.
"""


def volume_command(data: str = DATA) -> tuple[str, ...]:
    """Size and free bytes of the file system of the data."""
    return ("df", "--block-size=1", "--output=size,avail", data)


def info_command(io_timeout_seconds: int, stanza: str = STANZA) -> tuple[str, ...]:
    """``pgbackrest info`` as JSON.

    io_timeout_seconds: how long one request to the store is tried. Where the store does not answer, the command ends
    after that in 2.60, after 4 to 6 times that in 2.45, and after 9 to 10 times in 2.55, as it was measured with
    connections that are refused and with addresses that do not answer. The default of 60 makes that 4 minutes or 9.
    """
    options = (f"--stanza={stanza}", "--output=json", "--log-level-console=off", f"--io-timeout={io_timeout_seconds}")
    return ("pgbackrest", *options, "info")


def archiver_command(superuser: str | None) -> tuple[str, ...]:
    """The command of psql. superuser: where it is not known, the container's own variable is used."""
    arguments = ("-d", DATABASE, "-v", "ON_ERROR_STOP=1", "-c", _STATISTICS, "-c", _WAITING)
    if superuser is not None:
        return ("psql", "-XAtq", "-U", superuser, *arguments)
    return ("bash", "-c", 'exec psql -XAtq -U "${POSTGRES_USER:-postgres}" "$@"', "psql", *arguments)


# ---- what is read of an answer -------------------------------------------------------------------------------------

_OK, _NO_BACKUP, _UNREADABLE = 0, 2, 99
_OWN = 1
"""The key of the repository that the release writes; its configuration may hold others that were added by hand."""


def repository_of(info: Any, stanza_name: str = STANZA) -> RepositoryInfo:
    """The first repository in ``pgbackrest info --output=json``; the others are not the release's own.

    Backups of an earlier system-id are left out: the database with the highest id is the one that the stanza was made
    or upgraded for last, and pgBackRest takes backups and WAL of no other one.

    Raises ValueError with pgBackRest's message where the repository could not be read; info
    ends with 0 even then.
    """
    try:
        stanza = next((item for item in info if item["name"] == stanza_name), None)
        if stanza is None:
            return RepositoryInfo((), "the stanza has not been created")
        repos = stanza.get("repo") or ()
        statuses = [repo["status"] for repo in repos if _whole(repo.get("key", _OWN)) == _OWN]
        if repos and not statuses:
            return RepositoryInfo((), f"repo{_OWN} is not configured")
        status = statuses[0] if statuses else stanza["status"]
        code, message = _whole(status["code"]), plain(str(status["message"]))
        databases = [item for item in stanza.get("db") or () if _whole(item.get("repo-key", _OWN)) == _OWN]
        newest = max(databases, key=lambda item: _whole(item["id"]), default=None)
        database, system_id = (_whole(newest["id"]), plain(str(newest["system-id"]))) if newest else (1, "")
        version = plain(str(newest.get("version") or "")) if newest else ""
        backups = [_backup(item) for item in stanza.get("backup") or () if _is_of(item["database"], database)]
        archives = [item for item in stanza.get("archive") or () if _is_of(item["database"], database)]
        wal = [Wal(plain(item["min"]), plain(item["max"])) for item in archives if item.get("min")]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, OSError) as error:
        raise ValueError(f"pgbackrest info answered with something else: {type(error).__name__}") from error
    if code == _UNREADABLE:
        raise ValueError(message)
    backups.sort(key=lambda backup: backup.stop)
    problem = "" if code in (_OK, _NO_BACKUP) else message
    return RepositoryInfo(tuple(backups), problem, wal[-1] if wal else None, system_id, version)


def _is_of(place: Any, database: int) -> bool:
    """Whether a backup or an archive belongs to this database, in the first repository."""
    return _whole(place["id"]) == database and _whole(place.get("repo-key", _OWN)) == _OWN


def _whole(value: Any) -> int:
    """A number that may be written as text, so that ``"1"`` is not taken for another repository.

    Raises TypeError or ValueError for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"{type(value).__name__} is no number")
    return int(value)


def _backup(item: Any) -> Backup:
    return Backup(
        label=plain(item["label"]),
        type=plain(item["type"]),
        start=datetime.fromtimestamp(_whole(item["timestamp"]["start"]), UTC),
        stop=datetime.fromtimestamp(_whole(item["timestamp"]["stop"]), UTC),
        size=_whole(item["info"]["size"] or 0),
        stored=_whole((item["info"].get("repository") or {}).get("delta") or 0),
        wal_start=plain(item["archive"]["start"] or ""),
        wal_stop=plain(item["archive"]["stop"] or ""),
        error=_flag(item.get("error")),
        lsn_stop=_lsn(item.get("lsn")),
        prior=plain(item.get("prior") or ""),
        version=plain(str((item.get("backrest") or {}).get("version") or "")),
    )


def _flag(value: Any) -> bool:
    """Raises TypeError for what is no boolean: the text "false" would be true."""
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"{type(value).__name__} is no boolean")
    return bool(value)


def _lsn(positions: Any) -> int:
    """The position at which a backup is consistent, in bytes; 0 where it is unknown."""
    return read_lsn(str((positions or {}).get("stop") or "0/0"))


def archiver_of(text: str) -> Archiver:
    """The archiver in psql's lines: the columns of the statistics, and in a second line the waiting segments
    and the age of the oldest in seconds.

    Raises ValueError for anything else.
    """
    head, *more = [line for line in text.splitlines() if line.strip()] or [""]
    count, wal, at, failures, failed_wal, failed_at, system_id, timeout, timeline, segment, lsn = head.strip().split(
        "|"
    )
    waiting, age = map(int, more[0].split("|")) if more else (None, 0)
    return Archiver(
        archived=int(count),
        last_wal=plain(wal),
        last_at=moment(at),
        failed=int(failures),
        failed_wal=plain(failed_wal),
        failed_at=moment(failed_at),
        waiting=waiting,
        waiting_seconds=age,
        system_id=str(int(system_id)),
        timeout_seconds=int(timeout),
        timeline=int(timeline),
        segment_bytes=int(segment),
        lsn=int(lsn),
    )


def volume_of(text: str) -> Volume:
    """The volume in ``df --output=size,avail`` in bytes. Raises ValueError for anything else."""
    size, free = text.splitlines()[-1].split() if text.strip() else ("", "")
    if int(size) <= 0:
        raise ValueError(f"df reports a volume of {size} bytes")
    return Volume(int(size), int(free))


# ---- asking --------------------------------------------------------------------------------------------------------


async def summary(cluster: Cluster, layout: Layout) -> ReleaseSummary | Missing:
    """A summary of the record, or of the live objects of a release that never had one.

    ``Missing`` where neither is there.
    """
    there, _ = await records.find(cluster, layout.release)
    if there is not None:
        return await summary_of(cluster, there)
    live_release = None if layout.has_record else await live.find(cluster, layout.release)
    return (
        await summary_of(cluster, live_release)
        if live_release
        else Missing(await namespace_state(cluster, layout.release))
    )


async def summary_of(cluster: Cluster, release: Record | LiveRelease) -> ReleaseSummary:
    """A summary of a release, and what the cluster has that matters to all of it."""
    state = await namespace_state(cluster, release.ref)
    names = (
        ReleaseSummary.of_live(release, is_namespace_ending=state == "ending")
        if isinstance(release, LiveRelease)
        else ReleaseSummary.of(release, is_namespace_ending=state == "ending")
    )
    return replace(names, is_role_empty=names.backups and await _is_role_empty(cluster, names, release.ref))


async def _is_role_empty(cluster: Cluster, summary: ReleaseSummary, release: ReleaseRef) -> bool:
    """Without a record the Role of the Jobs may have another name."""
    role = Ref(ROLE, Names.of(release.name).backup, release.namespace)
    with contextlib.suppress(ClusterError):
        obj = await find_object(cluster, role)
        return summary.has_record if obj is None else not obj.get("rules")
    return False


async def namespace_state(cluster: Cluster, release: ReleaseRef) -> NamespaceState:
    """The state of the release's namespace; ``unread`` if it may not be read."""
    try:
        home = await find_object(cluster, Ref(NAMESPACE, release.namespace))
    except Forbidden:
        return "unread"
    if home is None:
        return "gone"
    return "ending" if home["metadata"].get("deletionTimestamp") else "there"


async def repository(cluster: Cluster, layout: Layout, io_timeout_seconds: int, *, pod: str = "") -> RepositoryInfo:
    """The answer of ``pgbackrest info``. Raises ValueError where it fails.

    io_timeout_seconds: see info_command; pod: where it is asked, by default in the database's.
    """
    command = info_command(io_timeout_seconds, layout.stanza)
    text = await _run_in_pod(cluster, layout, command, _EXEC_SECONDS["repository"], pod)
    try:
        info = json.loads(text)
    except ValueError:
        raise ValueError(f"pgbackrest info answered with no JSON: {plain(text, 120)}") from None
    return repository_of(info, layout.stanza)


async def archive(
    cluster: Cluster, layout: Layout, io_timeout_seconds: int, last: Listing | None = None, *, pod: str = ""
) -> Listing:
    """The WAL that is in the archive; with a known listing only what may have changed since is read.

    Raises ValueError where that fails. io_timeout_seconds, pod: as for ``repository``.
    """
    command = listing.command(io_timeout_seconds, last, layout.stanza)
    text = await _run_in_pod(cluster, layout, command, _EXEC_SECONDS["archive"], pod)
    files = listing.read(text, last)
    return await archive(cluster, layout, io_timeout_seconds, pod=pod) if files is None else files


async def compared_files(
    cluster: Cluster, layout: Layout, io_timeout_seconds: int, last: BackupFiles | None = None, *, pod: str = ""
) -> BackupFiles:
    """The files of the backups beside their manifests; only what is new or has changed since ``last`` is compared.

    Raises ValueError where that fails. io_timeout_seconds, pod: as for ``repository``.
    """

    async def run(command: Sequence[str]) -> str:
        return await _run_in_pod(cluster, layout, command, _EXEC_SECONDS["backups"], pod)

    if last is None or not last.comparisons:
        return backup_files.read_first(await run(backup_files.first_command(io_timeout_seconds, layout.stanza)))
    fingerprints = backup_files.read_listing(await run(backup_files.listing_command(io_timeout_seconds, layout.stanza)))
    labels = backup_files.choose_due(fingerprints, last)
    if not labels:
        return backup_files.drop_expired(fingerprints, last)
    text = await run(backup_files.comparison_command(io_timeout_seconds, labels, layout.stanza))
    return backup_files.read_comparison(text, labels, fingerprints, last)


async def archiver(cluster: Cluster, layout: Layout, superuser: str | None) -> Archiver:
    """The row of pg_stat_archiver, with the cause where archiving fails. Raises ValueError where psql fails."""
    text = await _run_in_pod(cluster, layout, archiver_command(superuser), _EXEC_SECONDS["archiver"])
    try:
        archiver = archiver_of(text)
    except ValueError:
        raise ValueError(f"psql answered with something else: {plain(text, 120)}") from None
    if not archiver.is_failing:
        return archiver
    fault = diagnose(await _server_log(cluster, layout))
    return replace(archiver, fault=fault or diagnose(await _collected_log(cluster, layout)))


async def _server_log(cluster: Cluster, layout: Layout) -> str:
    """The end of the container's log; empty if it cannot be read: it only helps to find the cause."""
    with contextlib.suppress(ClusterError, DeadlineError):
        async with aclosing(
            cluster.logs(layout.release.namespace, layout.pod, layout.container, tail=TAIL_LINES)
        ) as tail:
            return "\n".join([fit_line(line) async for line in tail])
    return ""


async def _collected_log(cluster: Cluster, layout: Layout) -> str:
    """The end of the file that PostgreSQL's logging collector writes; empty where it does not run."""
    with contextlib.suppress(ClusterError, DeadlineError, ValueError):
        text = await _run_in_pod(cluster, layout, COLLECTED_LOG_COMMAND, _EXEC_SECONDS["archiver"])
        return "\n".join(map(fit_line, text.splitlines()))
    return ""


async def volume(cluster: Cluster, layout: Layout) -> Volume:
    """Size and free space of the data's volume. Raises ValueError where ``df`` fails."""
    text = await _run_in_pod(cluster, layout, volume_command(layout.data), _EXEC_SECONDS["volume"])
    try:
        return volume_of(text)
    except ValueError:
        raise ValueError(f"df answered with something else: {plain(text, 120)}") from None


async def certificate(
    cluster: Cluster, layout: Layout, image: ImageVersion, at: datetime
) -> MirroredCertificate | None:
    """The mirrored certificate beside its source; None where the release mirrors none."""
    release = layout.release
    mirror = await find_object(cluster, Ref(SECRET, layout.ca, release.namespace))
    if mirror is None:
        return None
    data = mirror.get("data") or {}
    mine = read_bundle(base64.b64decode(next((data[key] for key in (CA_KEY, "ca.crt") if key in data), "")))
    ends = await _end_of(mine, cluster, release, image, at)
    source = str((mirror["metadata"].get("annotations") or {}).get("pgwizard/source", "")).split("/")
    if len(source) != 3:
        return MirroredCertificate(ends, "unread" if layout.has_record else "unnamed")
    try:
        original = await find_object(cluster, Ref(SECRET, source[1], source[0]))
    except Forbidden:
        return MirroredCertificate(ends, "unread")
    there = base64.b64decode(((original or {}).get("data") or {}).get(source[2], ""))
    if not there:
        return MirroredCertificate(ends, "gone")
    try:
        same = read_bundle(there).pem == mine.pem
    except ValueError:
        same = False
    return MirroredCertificate(ends, "same" if same else "differs")


async def _end_of(mine: Bundle, cluster: Cluster, release: ReleaseRef, image: ImageVersion, at: datetime) -> datetime:
    """When the trust in the server ends: only certificates that its chain leads to count.

    By the strictest rules where the version in the image is not known.
    """
    if len(mine.certificates) > 1:
        from pgwizard.plan.server import s3_server  # with the models of the answers, which nothing else here needs
        from pgwizard.release.survey import read_sections

        with contextlib.suppress(PgwizardError):  # a missing permission, or a server that cannot be reached from here
            there, _ = await records.find(cluster, release)
            answers = read_sections(there.deployed_revision if there else None, *_SERVER_SECTIONS)
            if answers is not None:
                version = await image.read(answers.images.postgresql)
                rules = pgbackrest.rules(version) if version else Rules()
                chain = await handshake.verify(
                    cluster, s3_server(answers), mine, rules, at, namespace=release.namespace
                )
                return chain.verdict.ends or mine.next_end(at)
    return mine.next_end(at)


async def _run_in_pod(cluster: Cluster, layout: Layout, command: Sequence[str], seconds: float, pod: str = "") -> str:
    """The output of a command. Raises ValueError with its output if it fails."""
    result = await cluster.exec(
        layout.release.namespace, pod or layout.pod, layout.container, command, timeout_seconds=seconds
    )
    if result.exit_code != 0:
        output = plain((result.stderr or result.stdout).decode(errors="replace"))
        raise ValueError(f"{command[0]} ended with {result.exit_code}{f': {output}' if output else ''}")
    return result.stdout.decode(errors="replace")
