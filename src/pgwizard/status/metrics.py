"""The status of releases as OpenMetrics text, for Prometheus. Pure.

Each metric is a row of ``METRICS``; docs/monitoring.md describes the same rows. A value that is not known has no
sample, and a source that is not read is 0 in ``pgwizard_source_up``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from pgwizard.status.fleet import Fleet
from pgwizard.status.snapshot import Snapshot
from pgwizard.status.verdict import RecoveryState, Verdict, judge, outdated_seconds

Samples = Iterator[tuple[Mapping[str, str], float]]


@dataclass(frozen=True, slots=True)
class Metric:
    """One family, all of gauges. unit: ends the name; read: the samples of a release, by their labels."""

    name: str
    unit: str
    help: str
    read: Callable[[Snapshot, Verdict], Samples]


def _one(value: Callable[[Snapshot, Verdict], float | datetime | None]) -> Callable[[Snapshot, Verdict], Samples]:
    def read(snapshot: Snapshot, verdict: Verdict) -> Samples:
        number = value(snapshot, verdict)
        if number is not None:
            yield {}, number.timestamp() if isinstance(number, datetime) else float(number)

    return read


def _states(_: Snapshot, verdict: Verdict) -> Samples:
    for state in get_args(RecoveryState):
        yield {"state": state}, float(verdict.state == state)


def _sources(snapshot: Snapshot, _: Verdict) -> Samples:
    for source in snapshot.sources:
        is_read = source in snapshot.answered_at and source not in snapshot.failures
        yield {"source": source}, float(is_read and outdated_seconds(snapshot, source) is None)


def _schedules(snapshot: Snapshot, _: Verdict) -> Samples:
    for cron in snapshot.crons:
        yield {"cronjob": cron.name, "type": cron.kind}, float(cron.suspended)


def _info(snapshot: Snapshot, _: Verdict) -> Samples:
    release = snapshot.release
    yield {"manager": "pgwizard" if release is None or release.has_record else release.manager}, 1.0


METRICS: tuple[Metric, ...] = (
    Metric("pgwizard_release_info", "", "The release; manager is the tool that installed it.", _info),
    Metric("pgwizard_verdict", "", "1 for the state that the release is in, 0 for the others.", _states),
    Metric("pgwizard_reasons", "", "Reasons why the verdict is not better.", _one(lambda _, v: len(v.reasons))),
    Metric("pgwizard_windows", "", "Windows that the release can be restored to.", _one(lambda _, v: len(v.windows))),
    Metric(
        "pgwizard_window_start_timestamp_seconds",
        "seconds",
        "Begin of the newest window.",
        _one(lambda _, v: v.newest.since if v.newest else None),
    ),
    Metric(
        "pgwizard_window_end_timestamp_seconds",
        "seconds",
        "Newest moment that the release can be restored to.",
        _one(lambda _, v: v.newest.until if v.newest else None),
    ),
    Metric(
        "pgwizard_last_full_backup_timestamp_seconds",
        "seconds",
        "End of the newest full backup without page errors.",
        _one(lambda s, _: max((each.stop for each in s.intact_backups if each.type == "full"), default=None)),
    ),
    Metric(
        "pgwizard_last_backup_timestamp_seconds",
        "seconds",
        "End of the newest backup without page errors.",
        _one(lambda s, _: max((each.stop for each in s.intact_backups), default=None)),
    ),
    Metric(
        "pgwizard_next_full_backup_timestamp_seconds",
        "seconds",
        "When the next full backup starts.",
        _one(lambda s, _: s.next_full),
    ),
    Metric(
        "pgwizard_backups",
        "",
        "Backups of this database in the repository.",
        _one(lambda s, _: len(s.backups) if s.repository else None),
    ),
    Metric(
        "pgwizard_repository_backups_bytes",
        "bytes",
        "Size of all backups in the repository, WAL left out.",
        _one(lambda s, _: s.stored_bytes),
    ),
    Metric("pgwizard_schedule_suspended", "", "1 for a schedule that is suspended.", _schedules),
    Metric(
        "pgwizard_wal_archived_timestamp_seconds",
        "seconds",
        "When PostgreSQL last archived a WAL segment.",
        _one(lambda s, _: s.archiver.last_at if s.archiver else None),
    ),
    Metric(
        "pgwizard_wal_waiting_segments",
        "segments",
        "WAL segments that wait to be archived.",
        _one(lambda s, _: s.archiver.waiting if s.archiver else None),
    ),
    Metric(
        "pgwizard_wal_exposed_bytes",
        "bytes",
        "WAL that is not archived: lost if the volume is lost now.",
        _one(lambda s, _: s.exposure.bytes if s.exposure else None),
    ),
    Metric(
        "pgwizard_repository_wal_bytes",
        "bytes",
        "Size of all WAL in the repository.",
        _one(lambda s, _: s.stored_wal_bytes),
    ),
    Metric(
        "pgwizard_wal_archiving_failing",
        "",
        "1 while the newest try to archive a WAL segment failed.",
        _one(lambda s, _: s.archiver.is_failing if s.archiver else None),
    ),
    Metric(
        "pgwizard_volume_size_bytes",
        "bytes",
        "Size of the database's volume.",
        _one(lambda s, _: s.volume.size if s.volume else None),
    ),
    Metric(
        "pgwizard_volume_free_bytes",
        "bytes",
        "Free space of the database's volume.",
        _one(lambda s, _: s.volume.free if s.volume else None),
    ),
    Metric(
        "pgwizard_certificate_end_timestamp_seconds",
        "seconds",
        "When the certificate that the store is trusted by ends.",
        _one(lambda s, _: s.certificate.ends if s.certificate else None),
    ),
    Metric(
        "pgwizard_verification_timestamp_seconds",
        "seconds",
        "End of the last pgwizard verify.",
        _one(lambda s, _: s.verification.moment if s.verification else None),
    ),
    Metric(
        "pgwizard_verification_valid",
        "",
        "1 if the last pgwizard verify found nothing damaged.",
        _one(lambda s, _: s.verification.is_valid if s.verification else None),
    ),
    Metric("pgwizard_source_up", "", "1 if a source of the status was read at its last try.", _sources),
)
_UNREADABLE = "pgwizard_release_unreadable"


def exposition(fleet: Fleet) -> str:
    """All metrics of all releases."""
    verdicts = [(snapshot, judge(snapshot)) for _, snapshot in sorted(fleet.snapshots.items())]
    lines: list[str] = []
    for metric in METRICS:
        samples = [
            ({"namespace": snapshot.ref.namespace, "release": snapshot.ref.name, **labels}, value)
            for snapshot, verdict in verdicts
            for labels, value in metric.read(snapshot, verdict)
        ]
        lines += _family(metric.name, metric.unit, metric.help, samples)
    troubles = [({"namespace": ref.namespace, "release": ref.name}, 1.0) for ref in sorted(fleet.troubles)]
    lines += _family(_UNREADABLE, "", "1 for a release whose status cannot be read.", troubles)
    return "\n".join([*lines, "# EOF", ""])


def _family(name: str, unit: str, about: str, samples: Sequence[tuple[Mapping[str, str], float]]) -> Iterable[str]:
    yield f"# TYPE {name} gauge"  # all of them: node_exporter's textfile collector knows no type of OpenMetrics' own
    if unit:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {about}"
    for labels, value in samples:
        pairs = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
        yield f"{name}{{{pairs}}} {_number(value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"


def _escape(text: str) -> str:
    """A label's value; of the characters that a line cannot hold only the printable ones are left."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return clean.replace("\\", "\\\\").replace('"', '\\"')
