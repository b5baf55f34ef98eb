"""Verifies the repository of a release: ``pgbackrest verify`` in the database's pod, and its result in the record.

pgBackRest ends with 0 whatever it finds, so its report counts. It reads every file of every backup and all WAL, but
does not look for gaps in the WAL: the status does.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import asdict
from datetime import datetime

from pgwizard.clock import Clock
from pgwizard.errors import PreflightError
from pgwizard.kube.api import Access, Cluster
from pgwizard.plan.names import STANZA
from pgwizard.release import record, rights
from pgwizard.release.layout import Layout
from pgwizard.release.record import DamagedBackup, RepositoryVerification
from pgwizard.text import fit, plain, span

_LONGEST_SECONDS = 86_400
_MOST_NAMES = 20
"""Damaged backups, files and segments that a record keeps by name."""
_WAL = re.compile(r"\s*archiveId: \S+, total WAL checked: (\d+), total valid WAL: (\d+)")
_BACKUP = re.compile(r"\s*backup: (\S+), status: ([a-z -]+), total files checked: (\d+), total valid files: (\d+)")
_VALID = re.compile(r"valid backups: (\d+)")
"""In place of the lines of valid backups in the log of a scheduled verification."""
_FAULT = re.compile(r"(file missing|invalid checksum|invalid size|invalid result) '?([^\s':]+)")
_SEGMENT = re.compile(r"(?:^|/)([0-9A-F]{24})-[0-9a-f]{40}")


def command(stanza: str = STANZA) -> tuple[str, ...]:
    """``pgbackrest verify`` with a report."""
    logs = ("--log-level-console=off", "--log-level-stderr=detail")
    return ("pgbackrest", f"--stanza={stanza}", "--output=text", "--verbose", *logs, "verify")


async def verify(cluster: Cluster, layout: Layout, now: Clock) -> RepositoryVerification:
    """Read the whole repository. Nothing is written: ``keep`` does that.

    Raises PreflightError where a right is missing that this or ``keep`` needs, before anything is read, and where
    pgBackRest does not get to the end. Raises ClusterError.
    """
    await rights.require(cluster, _accesses(layout))
    began = now()
    release = layout.release
    result = await cluster.exec(
        release.namespace, layout.pod, layout.container, command(layout.stanza), timeout_seconds=_LONGEST_SECONDS
    )
    log = result.stderr.decode(errors="replace")
    try:
        return read(result.stdout.decode(errors="replace"), log, began, now())
    except ValueError as error:
        reason = plain(log.strip() or result.stdout.decode(errors="replace"), 300)
        text = f"pgbackrest verify of release {release} ended with {result.exit_code}: {reason or error}"
        raise PreflightError(text, hint="Once the reason is fixed, verify again.") from error


async def keep(cluster: Cluster, layout: Layout, verification: RepositoryVerification) -> None:
    """Write the result into the record, if there is one. Raises ClusterError."""
    if layout.has_record:
        data = {record.VERIFICATION_KEY: encode(verification)}
        await cluster.patch(record.secret_ref(layout.release), {"data": data})


def _accesses(layout: Layout) -> list[Access]:
    accesses = rights.in_namespace(layout.release.namespace, [("pods/exec", "", ("get", "create"))])
    if layout.has_record:
        secret = record.secret_ref(layout.release)
        accesses.append(Access("patch", "secrets", "", secret.namespace, secret.name))
    return accesses


def read(report: str, log: str, began: datetime, ended_at: datetime) -> RepositoryVerification:
    """The result in the report and the log of ``command``. Raises ValueError where the report is not complete."""
    if not re.search(r"^status: (ok|error)$", report, re.MULTILINE):
        raise ValueError("it printed no report")
    checked_files = valid = backups = 0
    damaged_backups = list[DamagedBackup]()
    for line in report.splitlines():
        if match := _WAL.match(line):
            checked_files, valid = checked_files + int(match[1]), valid + int(match[2])
        elif match := _VALID.match(line):
            backups += int(match[1])
        elif (match := _BACKUP.match(line)) and match[2] != "in-progress":
            backups += 1
            if match[2] != "valid":
                damaged_backups.append(DamagedBackup(fit(match[1]), 0))
        elif damaged_backups and (
            counts := dict(re.findall(r"(missing|checksum invalid|size invalid|other): (\d+)", line))
        ):
            other = int(counts.pop("other", 0))
            last = damaged_backups[-1]
            if not last.files and not last.unread:
                damaged_backups[-1] = DamagedBackup(last.label, sum(map(int, counts.values())), other)
    faults = [fit(match[2]) for match in _FAULT.finditer(f"{log}\n{report}")]
    segments = [match[1] for name in faults if (match := _SEGMENT.search(name))]
    files = [name for name in faults if not _SEGMENT.search(name)]
    return RepositoryVerification(
        at=ended_at.isoformat(),
        seconds=round((ended_at - began).total_seconds(), 1),
        backups=backups,
        damaged=tuple(damaged_backups[:_MOST_NAMES]),
        files=tuple(dict.fromkeys(files))[:_MOST_NAMES],
        segments_checked=checked_files,
        segments_valid=valid,
        segments=tuple(dict.fromkeys(segments))[:_MOST_NAMES],
    )


def result_lines(verification: RepositoryVerification) -> list[str]:
    """A verification as text, the result first."""
    text = f"{counts(verification)} were read in {span(verification.seconds)}"
    if verification.is_valid:
        return [f"✓ valid: {text}"]
    lines = [f"✗ damaged: {text}"]
    for each in verification.damaged:
        unread = f", {each.unread:,} not readable" if each.unread else ""
        lines.append(f"! backup {each.label}: {each.files:,} damaged files{unread}")
    if bad := verification.segments_checked - verification.segments_valid:
        lines.append(f"! {bad:,} WAL segment{'s are' if bad > 1 else ' is'} damaged")
    return [*lines, *(f"  {name}" for name in (*verification.files, *verification.segments))]


def counts(verification: RepositoryVerification) -> str:
    """How much was read, in words."""
    backups = "1 backup" if verification.backups == 1 else f"{verification.backups:,} backups"
    return f"{backups} and {verification.segments_checked:,} WAL segments"


def encode(verification: RepositoryVerification) -> str:
    """As a value of the record's Secret."""
    return base64.b64encode(json.dumps(asdict(verification), sort_keys=True).encode()).decode()
