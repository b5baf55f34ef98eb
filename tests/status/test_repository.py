"""Verdicts on what pgbackrest info prints: many backups, damaged ones, several repositories."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgwizard.status import report
from pgwizard.status.probes import repository_of
from pgwizard.status.snapshot import Run, Snapshot
from pgwizard.status.verdict import judge
from support import repository_info
from support.repository_info import NO_BACKUPS, OK, schedule, segment, stanza
from support.snapshots import ARCHIVER, FULL, INCR, NOW, holding, window_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOURLY = replace(INCR, schedule="0 * * * *")
MONTHLY = replace(FULL, schedule="0 12 26 * *")
UNREADABLE: dict[str, Any] = {"code": 99, "message": "[HostConnectError] unable to connect to 'minio:9000'"}
MISSING: dict[str, Any] = {"code": 1, "message": "missing stanza path"}


def release(info: Any) -> Snapshot:
    """A release that is fine but for what its repository holds."""
    repository = repository_of(json.loads(json.dumps(info)))
    last_wal = repository.wal.last if repository.wal else ""
    archiver = replace(ARCHIVER, last_wal=last_wal, system_id=str(repository_info.SYSTEM_ID))
    return replace(holding(repository), archiver=archiver, runs=(), crons=())


def since(snapshot: Snapshot) -> datetime | None:
    """The beginning of the newest window."""
    reading = window_of(judge(snapshot))
    return reading[0] if reading else None


def texts(snapshot: Snapshot) -> list[str]:
    return [reason.text for reason in judge(snapshot).reasons if "schedule of full backups" not in reason.text]


# ---- many backups --------------------------------------------------------------------------------------------------


def test_the_oldest_of_many_backups_counts() -> None:
    backups = schedule(NOW, days=28, every=HOUR, full_every=28 * DAY)
    snapshot = replace(release(stanza(backups)), crons=(MONTHLY, HOURLY))
    assert len(backups) == len(snapshot.backups) == 672
    verdict = judge(snapshot)
    assert (verdict.state, verdict.reasons) == ("recoverable", ())
    assert snapshot.backups[0].stop == NOW - timedelta(days=28) + repository_info.TAKES
    assert window_of(verdict) == (snapshot.backups[0].stop, ARCHIVER.last_at)
    assert snapshot.stored_bytes == 3_900_000 + 671 * 90_000
    assert snapshot.growth_bytes_per_day == pytest.approx(90_000 * 24)
    [fact] = [fact for fact in report.facts(snapshot) if fact.label == "repository"]
    assert fact.text.startswith("672 backups, 61.31Mi, ")


@settings(deadline=None, max_examples=25)
@given(
    days=st.integers(1, 60),
    minutes=st.sampled_from([15, 60, 360, 1_440]),
    full_every=st.integers(1, 60),
)
def test_any_number_of_intact_backups_is_recoverable_from_the_oldest_full_one(
    days: int, minutes: int, full_every: int
) -> None:
    backups = schedule(NOW, days=days, every=timedelta(minutes=minutes), full_every=full_every * DAY)
    snapshot = release(stanza(backups))
    assert texts(snapshot) == []
    assert since(snapshot) == snapshot.backups[0].stop
    assert len(snapshot.backups) == len(backups)


def test_a_status_prints_the_newest_backups_and_counts_the_others() -> None:
    snapshot = release(stanza(schedule(NOW, days=28, every=HOUR, full_every=28 * DAY)))
    lines = report.status_lines(snapshot, judge(snapshot))
    assert "  and 662 older" in lines


# ---- damaged backups -----------------------------------------------------------------------------------------------


def weekly(*damaged: int) -> list[dict[str, Any]]:
    """Three weeks of daily backups: full ones are 0, 7 and 14, the newest is 20."""
    return schedule(NOW - timedelta(hours=9), days=20.5, every=DAY, full_every=7 * DAY, damaged=damaged)


def test_a_newest_backup_with_page_errors_is_named_with_the_newest_intact_one() -> None:
    snapshot = release(stanza(weekly(20)))
    verdict = judge(snapshot)
    assert (verdict.state, since(snapshot)) == ("at risk", snapshot.backups[0].stop)
    bad, good = snapshot.backups[20], snapshot.backups[19]
    [reason] = [reason for reason in verdict.reasons if reason.key == "status-damaged"]
    assert reason.text == (
        f"backup {bad.label} has page checksum errors: files of the database were damaged when it was taken"
    )
    assert reason.fix.startswith(
        f"{good.label} is the newest intact backup: pgwizard restore postgresql --to latest -n shop begins with it"
    )


def test_several_newest_backups_with_page_errors_are_one_reason() -> None:
    snapshot = release(stanza(weekly(*range(14, 21))))
    [text] = texts(snapshot)
    assert text.startswith(f"the 7 newest backups have page checksum errors, since {snapshot.backups[14].label}: ")
    assert snapshot.backups[13].label in judge(snapshot).reasons[0].fix


def test_the_window_never_ends_with_a_damaged_backup() -> None:
    snapshot = release(stanza(weekly(19, 20)))
    silent = replace(snapshot, archiver=replace(snapshot.archiver or ARCHIVER, last_at=None))
    assert window_of(judge(silent)) == (snapshot.backups[0].stop, ARCHIVER.last_at)


def test_a_damaged_backup_is_one_that_was_taken() -> None:
    daily = replace(INCR, schedule="0 15 * * *")
    snapshot = replace(release(stanza(weekly(*range(14, 21)))), crons=(replace(FULL, schedule="0 15 * * 1"), daily))
    assert not [text for text in texts(snapshot) if "has not been taken" in text]


def test_a_backup_that_names_no_wal_is_one_whose_wal_is_missing() -> None:
    backups = schedule(NOW, days=5, every=6 * HOUR, full_every=2 * DAY)
    answer = stanza(backups)
    backups[-1]["archive"] = {"start": None, "stop": None}
    assert texts(release(answer)) == [f"backup {backups[-1]['label']} cannot be recovered: its WAL is missing"]


def test_old_damage_with_intact_backups_since_is_not_a_risk() -> None:
    snapshot = release(stanza(weekly(3, 4, 5, 6)))
    assert (judge(replace(snapshot, crons=(MONTHLY,))).state, texts(snapshot)) == ("recoverable", [])
    [fact] = [fact for fact in report.facts(snapshot) if fact.label == "repository"]
    assert (fact.mark, fact.text.partition(", ")[2].partition(", ")[0]) == ("✓", "4 with page errors")


def test_a_damaged_full_backup_is_a_risk_though_a_newer_one_is_intact() -> None:
    snapshot = release(stanza(weekly(14)))
    assert texts(snapshot)[0].startswith(f"full backup {snapshot.backups[14].label} has page checksum errors")


def test_where_every_full_backup_is_damaged_and_no_newer_one_is_intact_that_is_the_reason() -> None:
    snapshot = release(stanza(weekly(*range(21))))
    verdict = judge(snapshot)
    assert (verdict.state, verdict.windows) == ("not recoverable", ())
    assert verdict.reasons[0].text == "no backup is intact: all 21 have page checksum errors"
    assert verdict.reasons[0].key == "status-damaged"


def test_an_intact_incremental_backup_counts_though_its_full_one_is_damaged() -> None:
    snapshot = release(stanza(weekly(0, 1, 7, 14)))
    assert (judge(snapshot).state, since(snapshot)) == ("at risk", snapshot.backups[2].stop)


@settings(deadline=None, max_examples=200)
@given(st.sets(st.integers(0, 20)))
def test_a_damaged_backup_is_shown_but_does_not_count(damaged: set[int]) -> None:
    snapshot = release(stanza(weekly(*damaged)))
    verdict = judge(snapshot)
    assert len(snapshot.backups) == 21
    assert not [text for text in texts(snapshot) if "there is no valid full backup" in text]
    intact = [backup for number, backup in enumerate(snapshot.backups) if number not in damaged]
    if intact:
        assert since(snapshot) == intact[0].stop
    else:
        assert verdict.state == "not recoverable"
    if 20 in damaged or 14 in damaged:
        assert any("page checksum errors" in text for text in texts(snapshot))
        assert verdict.state != "recoverable"


def test_a_job_whose_backup_has_page_errors_shows_them() -> None:
    snapshot = release(stanza(weekly(20)))
    bad = snapshot.backups[20]
    run = Run("job", "u", "incr", "succeeded", bad.start, bad.stop)
    assert report.run_cells(snapshot, run)[3] == "27.66Mi → 87.89Ki, page errors"


# ---- several repositories ------------------------------------------------------------------------------------------


def two(first: dict[str, Any], second: dict[str, Any], *backups: dict[str, Any]) -> Any:
    return stanza(backups, repos={1: first, 2: second})


BACKUPS = schedule(NOW, days=3, every=DAY, full_every=7 * DAY)
ELSEWHERE = schedule(NOW, days=9, every=DAY, full_every=7 * DAY, repo=2)


@pytest.mark.parametrize("second", [OK, NO_BACKUPS, MISSING, UNREADABLE], ids=lambda status: str(status["code"]))
def test_the_verdict_depends_only_on_the_first_repository(second: dict[str, Any]) -> None:
    snapshot = release(two(OK, second, *(ELSEWHERE if second is OK else ()), *BACKUPS))
    assert texts(snapshot) == []
    assert (since(snapshot), len(snapshot.backups)) == (snapshot.backups[0].stop, 3)


def test_backups_in_another_repository_do_not_count() -> None:
    snapshot = release(two(NO_BACKUPS, OK, *ELSEWHERE))
    assert (snapshot.backups, texts(snapshot)) == ((), ["there is no valid full backup with its WAL"])
    missing = release(two(MISSING, OK, *ELSEWHERE))
    assert texts(missing) == ["pgBackRest reports: missing stanza path"]


def test_a_first_repository_that_cannot_be_read_is_not_an_empty_one() -> None:
    with pytest.raises(ValueError, match="unable to connect to 'minio:9000'"):
        repository_of(two(UNREADABLE, OK, *ELSEWHERE))


def test_an_answer_without_the_first_repository_is_reported() -> None:
    snapshot = release(stanza(ELSEWHERE, repos={2: OK}))
    assert texts(snapshot) == ["pgBackRest reports: repo1 is not configured"]


def test_the_archive_of_another_repository_is_not_the_first_one_s() -> None:
    info = two(OK, OK, *BACKUPS)
    info[0]["archive"][1] |= {"min": segment(900), "max": segment(999)}
    assert texts(release(info)) == []
    info[0]["archive"].reverse()
    assert texts(release(info)) == []


def test_another_database_in_another_repository_is_not_ours() -> None:
    info = two(OK, OK, *BACKUPS)
    info[0]["db"].append({"id": 2, "repo-key": 2, "system-id": 5, "version": "15"})
    assert texts(release(info)) == []
