"""The metrics: read by Prometheus' own parser, each documented, and safe against what a cluster sends."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser

from pgwizard.plan.names import ReleaseRef
from pgwizard.release.record import RepositoryVerification
from pgwizard.status.fleet import Fleet
from pgwizard.status.metrics import METRICS, exposition
from pgwizard.status.snapshot import Snapshot
from support.exported_cronjobs import PROMTOOL, check_metrics
from support.fleets import forty
from support.snapshots import FINE, HOSTILE_NAME, NOW, RELEASE

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring.md"


def of(*snapshots: Snapshot) -> Fleet:
    return Fleet(NOW, {each.ref: each for each in snapshots}, releases=tuple(each.ref for each in snapshots))


def families_of(text: str) -> list[Metric]:
    return list(parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def samples(text: str) -> dict[str, float]:
    """The samples by name and labels, namespace and release left out."""
    items = {}
    for family in families_of(text):
        for sample in family.samples:
            labels = {key: value for key, value in sample.labels.items() if key not in ("namespace", "release")}
            items[f"{sample.name}{labels or ''}"] = sample.value
    return items


def test_a_release_that_is_fine_has_these_metrics() -> None:
    verification = RepositoryVerification("2026-11-20T12:00:00+00:00", 60, 2, (), (), 1204, 1204, ())
    snapshot = samples(exposition(of(replace(FINE, release=replace(RELEASE, verification=verification)))))
    assert {name: value for name, value in snapshot.items() if "source_up" not in name} == {
        "pgwizard_release_info{'manager': 'pgwizard'}": 1,
        "pgwizard_verdict{'state': 'recoverable'}": 1,
        "pgwizard_verdict{'state': 'at risk'}": 0,
        "pgwizard_verdict{'state': 'not recoverable'}": 0,
        "pgwizard_verdict{'state': 'unknown'}": 0,
        "pgwizard_verdict{'state': 'gone'}": 0,
        "pgwizard_reasons": 0,
        "pgwizard_windows": 1,
        "pgwizard_window_start_timestamp_seconds": 1795314240,
        "pgwizard_window_end_timestamp_seconds": 1795435162,
        "pgwizard_last_full_backup_timestamp_seconds": 1795314240,
        "pgwizard_last_backup_timestamp_seconds": 1795400640,
        "pgwizard_next_full_backup_timestamp_seconds": 1795917600,
        "pgwizard_backups": 2,
        "pgwizard_repository_backups_bytes": 2_000_000_000,
        "pgwizard_schedule_suspended{'cronjob': 'postgresql-pgbackrest-full', 'type': 'full'}": 0,
        "pgwizard_schedule_suspended{'cronjob': 'postgresql-pgbackrest-incr', 'type': 'incr'}": 0,
        "pgwizard_wal_archived_timestamp_seconds": 1795435162,
        "pgwizard_wal_waiting_segments": 0,
        "pgwizard_repository_wal_bytes": 19_264_000,
        "pgwizard_wal_archiving_failing": 0,
        "pgwizard_volume_size_bytes": 10_000_000_000,
        "pgwizard_volume_free_bytes": 6_000_000_000,
        "pgwizard_certificate_end_timestamp_seconds": 1866628800,
        "pgwizard_verification_timestamp_seconds": 1795176000,
        "pgwizard_verification_valid": 1,
    }
    assert snapshot["pgwizard_source_up{'source': 'repository'}"] == 1


def test_what_is_not_known_has_no_sample_and_its_source_is_down() -> None:
    result = samples(exposition(of(Snapshot(ReleaseRef("shop", "db"), NOW))))
    assert result["pgwizard_verdict{'state': 'unknown'}"] == 1
    assert result["pgwizard_source_up{'source': 'repository'}"] == 0
    assert not {"pgwizard_backups", "pgwizard_volume_free_bytes", "pgwizard_last_backup_timestamp_seconds"} & set(
        result
    )


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not on PATH: Prometheus does not read the metrics")
def test_prometheus_reads_the_metrics_of_a_fleet_in_every_state() -> None:
    assert check_metrics(exposition(forty())) == ""


def test_a_fleet_in_every_state_is_valid_openmetrics() -> None:
    result = families_of(exposition(forty()))
    unreadable = next(family for family in result if family.name == "pgwizard_release_unreadable")
    assert [sample.labels["namespace"] for sample in unreadable.samples] == ["team-07"]
    states = next(family for family in result if family.name == "pgwizard_verdict")
    assert sum(sample.value for sample in states.samples) == 38, "one state for each release that was read"


@pytest.mark.parametrize("name", [HOSTILE_NAME, 'a"b', "a\\", "a\nb", "é🦭"])
def test_a_hostile_name_breaks_no_line(name: str) -> None:
    text = exposition(of(replace(FINE, release=replace(RELEASE, has_record=False, manager=name))))
    (sample,) = next(each for each in families_of(text) if each.name == "pgwizard_release_info").samples
    assert sample.labels["manager"].isprintable()


def test_each_metric_is_documented_with_its_help() -> None:
    text = MONITORING.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(pgwizard_\w+)` \| [^|]* \| [^|]* \| ([^|]*) \|$", text, re.MULTILINE))
    expected = {each.name: each.help for each in METRICS}
    assert rows == {**expected, "pgwizard_release_unreadable": "1 for a release whose status cannot be read."}
