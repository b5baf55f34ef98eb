"""What is proven by what was seen: the verdict and its window, and how observations come together."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from faulting import CRONJOB, JOB, POD, SECRET, STATEFULSET, answers_of, cluster, deployed, live, run
from pgwizard import present, record, status, uninstall
from pgwizard.demo import Fault, Outcome, SimCluster
from pgwizard.diagnose import ROWS
from pgwizard.errors import AnswersError, Forbidden, NotFound, PreflightError, Problem, Unreachable
from pgwizard.health import Health
from pgwizard.kubeapi import ExecResult, Ref, WatchEvent
from pgwizard.preflight import CLAIM, NAMESPACE
from pgwizard.status import (
    Archiver,
    Backup,
    Certificate,
    Cron,
    Missing,
    Observation,
    Release,
    Repository,
    Run,
    Snapshot,
    Verdict,
    Volume,
    Wal,
    judge,
    reduce,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
GB = 10**9


def at(days: float = 0, **more: float) -> datetime:
    """So long before the present moment."""
    return NOW - timedelta(days=days, **more)


def segment(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}{number // 256:08X}{number % 256:08X}"


def backup(kind: str, days: float, *, stored: int = GB, wal: int = 100, error: bool = False) -> Backup:
    label = f"{at(days):%Y%m%d-%H%M%S}{kind[0].upper()}"
    return Backup(label, kind, at(days, minutes=4), at(days), 4 * stored, stored, segment(wal), segment(wal), error)


FULL = Cron("postgresql-pgbackrest-full", "full", "0 2 * * 0", "Etc/UTC", suspended=False, last=None, succeeded=None)
INCR = replace(FULL, name="postgresql-pgbackrest-incr", kind="incr", schedule="0 2 * * 1-6")
DONE = Run("postgresql-pgbackrest-full-1", "u1", "full", "succeeded", at(1.4, minutes=5), at(1.4), "complete")
FAILED = Run("postgresql-pgbackrest-incr-2", "u2", "incr", "failed", at(0.4, minutes=5), at(0.4), "backoff limit", ())
ARCHIVER = Archiver(1204, segment(1303), at(seconds=38), 0, "", None, 0)
FINE = Snapshot(
    "postgresql",
    "shop",
    NOW,
    release=Release(3, "deployed", at(20), backups=True, superuser="postgres"),
    crons=(FULL, INCR),
    runs=(DONE,),
    repository=Repository((backup("full", 1.4), backup("incr", 0.4)), wal=Wal(segment(100), segment(1303))),
    archiver=ARCHIVER,
    volume=Volume(10 * GB, 6 * GB),
    certificate=Certificate(NOW + timedelta(days=824), "same"),
    heard={
        **{source: at(seconds=20) for source in status.ASKED},
        **{source: at(1) for source in ("statefulsets", "pods", "persistentvolumeclaims", "cronjobs", "jobs")},
        "archiver": at(seconds=5),
    },
)


def said(snapshot: Snapshot) -> tuple[str, list[str]]:
    """State and reasons of the verdict."""
    verdict = judge(snapshot)
    return verdict.state, [reason.text for reason in verdict.reasons]


# ---- the verdict ---------------------------------------------------------------------------------------------------


def test_a_valid_full_backup_and_a_working_archive_are_recoverable_up_to_the_last_segment() -> None:
    assert judge(FINE) == Verdict("recoverable", at(1.4), at(seconds=38), ())


def test_what_has_not_been_read_proves_nothing() -> None:
    assert said(Snapshot("postgresql", "shop", NOW)) == ("unknown", ["the repository has not been read yet"])
    denied = Snapshot("postgresql", "shop", NOW, unknown={"repository": "pods/exec is forbidden"})
    assert said(denied) == ("unknown", ["the repository cannot be read: pods/exec is forbidden"])


def test_what_is_old_proves_nothing() -> None:
    old = replace(FINE, heard={**FINE.heard, "repository": at(seconds=181)})
    assert said(old) == ("unknown", ["the repository was last read 181 s ago"])
    old = replace(FINE, heard={**FINE.heard, "archiver": at(seconds=181)}, unknown={"archiver": "no route"})
    assert said(old) == ("at risk", ["the archiver last answered 181 s ago: no route"])


def test_a_repository_that_stopped_answering_is_a_risk_at_once_with_its_cause() -> None:
    why = "[CryptoError] unable to verify certificate presented by 'minio:9000': [10] certificate has expired"
    verdict = judge(replace(FINE, unknown={"repository": why}))
    assert verdict.state == "at risk"
    assert verdict.reasons[0].text == (
        "the repository cannot be read: The certificate of minio:9000, or one above it, has expired; or the clock of "
        "the node is ahead."
    )
    assert verdict.reasons[0].fix
    assert verdict.reasons[0].key


@pytest.mark.parametrize(
    ("repository", "reason"),
    [
        (Repository((), "missing stanza path"), "pgBackRest says: missing stanza path"),
        (Repository(()), "there is no valid full backup with its WAL"),
        (
            Repository((backup("incr", 1),), wal=Wal(segment(1), segment(2))),
            "there is no valid full backup with its WAL",
        ),
        (
            Repository((backup("full", 1, error=True),), wal=Wal(segment(1), segment(2))),
            "there is no valid full backup with its WAL",
        ),
        (
            Repository((backup("full", 1, wal=99),), wal=Wal(segment(100), segment(101))),
            "there is no valid full backup with its WAL",
        ),
        (Repository((backup("full", 1),)), "there is no valid full backup with its WAL"),
        (
            Repository((backup("full", 1),), wal=Wal(segment(1, timeline=3), segment(9, timeline=3))),
            "there is no valid full backup with its WAL",
        ),
        (
            Repository((replace(backup("full", 1), wal_start=""),), wal=Wal(segment(1), segment(200))),
            "there is no valid full backup with its WAL",
        ),
        (
            Repository((backup("full", 1),), wal=Wal(segment(1), segment(99))),
            "there is no valid full backup with its WAL",
        ),
        (
            Repository((replace(backup("full", 1), wal_stop=segment(102)),), wal=Wal(segment(1), segment(101))),
            "there is no valid full backup with its WAL",
        ),
    ],
    ids=[
        "no stanza",
        "nothing",
        "no full one",
        "a wrong page",
        "its WAL has gone",
        "no WAL at all",
        "an archive of a later timeline",
        "no name of its WAL",
        "an archive that ends before it",
        "an archive that ends within it",
    ],
)
def test_without_a_valid_full_backup_and_its_wal_nothing_is_recoverable(repository: Repository, reason: str) -> None:
    assert said(replace(FINE, repository=repository)) == ("not recoverable", [reason])


def test_the_first_backup_that_still_runs_is_named() -> None:
    first = Run("postgresql-pgbackrest-init", "u", "init", "running", at(seconds=9), None)
    verdict = judge(replace(FINE, repository=Repository(()), runs=(first,)))
    assert verdict.reasons[0].fix == "Job postgresql-pgbackrest-init is taking one."


def test_the_window_begins_with_the_oldest_full_backup_whose_wal_is_there() -> None:
    fulls = (backup("full", 14, wal=50), backup("full", 7, wal=200))
    found = judge(replace(FINE, repository=Repository(fulls, wal=Wal(segment(200), segment(1303)))))
    assert found.since == at(7)


def test_a_backup_of_an_earlier_timeline_counts_where_the_archive_reaches_from_it_to_the_present_one() -> None:
    grown = Repository(FINE.backups, wal=Wal(segment(100), segment(9, timeline=2)))
    assert judge(replace(FINE, repository=grown)) == Verdict("recoverable", at(1.4), at(seconds=38), ())


def test_where_wal_waits_nothing_after_the_last_backup_is_proven() -> None:
    verdict = judge(replace(FINE, archiver=replace(ARCHIVER, waiting=5_000, last_at=at(seconds=3))))
    assert (verdict.state, verdict.until) == ("at risk", at(0.4))
    drained = judge(replace(FINE, archiver=replace(ARCHIVER, waiting=2, last_at=at(seconds=3))))
    assert (drained.state, drained.until) == ("recoverable", at(seconds=3))


def test_a_backup_without_its_wal_proves_no_moment() -> None:
    repository = Repository((backup("full", 1.4), backup("incr", 0.4, wal=1304)), wal=Wal(segment(100), segment(1303)))
    assert judge(replace(FINE, repository=repository, archiver=None)).until == at(1.4)


def test_wal_that_the_archiver_told_of_and_the_next_reading_of_the_repository_lacks_was_dropped() -> None:
    stopped = Observation("repository", NOW, value=FINE.repository)
    ahead = replace(FINE, archiver=replace(ARCHIVER, last_wal=segment(1310), last_at=at(seconds=1)))
    first = reduce(ahead, stopped)
    assert judge(first) == Verdict("recoverable", at(1.4), at(seconds=1), ())
    dropped = reduce(first, stopped)
    assert said(dropped) == (
        "at risk",
        [f"WAL was dropped: {segment(1310)} is archived, says PostgreSQL, and the archive ends with {segment(1303)}"],
    )
    assert (judge(dropped).until, judge(dropped).reasons[0].key) == (at(0.4), "wal-dropped")
    there = Repository(FINE.backups, wal=Wal(segment(100), segment(1310)))
    assert said(reduce(dropped, Observation("repository", NOW, value=there))) == ("recoverable", [])


@pytest.mark.parametrize("name", ["", "00000002.history", f"{segment(1310)}.00000028.backup"])
def test_what_is_no_segment_is_not_looked_for_in_the_archive(name: str) -> None:
    stopped = Observation("repository", NOW, value=FINE.repository)
    odd = replace(FINE, archiver=replace(ARCHIVER, last_wal=name))
    assert said(reduce(reduce(odd, stopped), stopped)) == ("recoverable", [])


def test_what_may_not_be_read_or_was_not_leaves_a_release_at_risk() -> None:
    denied = dict.fromkeys(("cronjobs", "jobs", "pods", "volume", "certificate"), "forbidden")
    assert said(replace(FINE, unknown=denied)) == (
        "at risk",
        [
            "pods cannot be read: forbidden",
            "cronjobs cannot be read: forbidden",
            "jobs cannot be read: forbidden",
            "volume cannot be read: forbidden",
            "certificate cannot be read: forbidden",
        ],
    )


def test_a_release_without_backups_is_not_recoverable_and_is_not_asked_about_any() -> None:
    bare = replace(FINE, release=Release(1, "deployed", NOW, backups=False, superuser=None), repository=None)
    assert said(bare) == ("not recoverable", ["this release makes no backups"])
    assert bare.sources == ("release", "statefulsets", "pods", "persistentvolumeclaims", "cronjobs", "jobs", "volume")


RISKS: list[tuple[dict[str, Any], str]] = [
    (
        {"archiver": replace(ARCHIVER, failed=3, failed_wal=segment(1304), failed_at=at(seconds=9))},
        "archiving fails: 000000010000000500000018 at 2026-11-23 11:59 UTC",
    ),
    ({"archiver": None}, "the archiver has not answered yet"),
    (
        {"archiver": replace(ARCHIVER, waiting=7, last_at=at(seconds=600))},
        "7 segments of WAL wait to be archived since 2026-11-23 11:50 UTC",
    ),
    (
        {"archiver": replace(ARCHIVER, waiting=7, last_at=None)},
        "7 segments of WAL wait to be archived and none has been archived",
    ),
    (
        {"archiver": replace(ARCHIVER, waiting=5_000, last_at=at(seconds=3))},
        "5000 segments of WAL wait to be archived since 2026-11-23 11:59 UTC",
    ),
    (
        {"archiver": replace(ARCHIVER, waiting=1, last_at=at(seconds=600))},
        "1 segments of WAL wait to be archived since 2026-11-23 11:50 UTC",
    ),
    (
        {"owed": segment(1310)},
        f"WAL was dropped: {segment(1310)} is archived, says PostgreSQL, and the archive ends with {segment(1303)}",
    ),
    ({"crons": (INCR,)}, "there is no schedule of full backups"),
    ({"crons": ()}, "there is no schedule of full backups"),
    ({"unknown": {"cronjobs": "forbidden"}}, "cronjobs cannot be read: forbidden"),
    (
        {"heard": {source: seen for source, seen in FINE.heard.items() if source != "jobs"}},
        "jobs not read yet",
    ),
    ({"heard": {**FINE.heard, "volume": at(seconds=241)}}, "volume last read 241 s ago"),
    ({"heard": {**FINE.heard, "certificate": at(seconds=241)}}, "certificate last read 241 s ago"),
    ({"runs": (DONE, FAILED)}, "the last backup Job failed: postgresql-pgbackrest-incr-2: backoff limit"),
    ({"crons": (FULL, replace(INCR, suspended=True))}, "the schedule postgresql-pgbackrest-incr is suspended"),
    (
        {"repository": Repository((backup("full", 8.4),), wal=Wal(segment(100), segment(1303)))},
        "a backup of postgresql-pgbackrest-full was due on 2026-11-22 02:00 UTC, and there is none since",
    ),
    ({"certificate": Certificate(NOW + timedelta(days=13), "same")}, "the certificate ends on 2026-12-06"),
    ({"certificate": Certificate(at(1), "same")}, "the certificate ended on 2026-11-22"),
    (
        {"certificate": Certificate(NOW + timedelta(days=99), "differs")},
        "the certificate is no longer that of its source",
    ),
    ({"certificate": Certificate(NOW + timedelta(days=99), "gone")}, "the source of the certificate is gone"),
    ({"volume": Volume(100, 9)}, "only 9% of the volume are free"),
    (
        {"objects": {Ref(POD, "postgresql-0", "shop"): Health("failed", "container postgresql: CrashLoopBackOff")}},
        "Pod shop/postgresql-0: container postgresql: CrashLoopBackOff",
    ),
]


@pytest.mark.parametrize(("change", "reason"), RISKS, ids=[reason for _, reason in RISKS])
def test_what_makes_a_recoverable_release_one_at_risk(change: dict[str, Any], reason: str) -> None:
    state, reasons = said(replace(FINE, **change))
    assert state == "at risk"
    assert reason in reasons


QUIET: list[dict[str, Any]] = [
    {"archiver": replace(ARCHIVER, failed=3, failed_wal=segment(9), failed_at=at(2))},
    {"archiver": replace(ARCHIVER, last_at=at(0.5))},
    {"runs": (FAILED, replace(DONE, started=at(0.1), ended=at(0.1)))},
    {"certificate": Certificate(NOW + timedelta(days=99), "unread")},
    {"certificate": None},
    {"heard": {**FINE.heard, "certificate": at(seconds=240), "pods": at(99)}},
]


@pytest.mark.parametrize("change", QUIET)
def test_what_is_over_or_not_due_yet_is_no_risk(change: dict[str, Any]) -> None:
    assert said(replace(FINE, **change)) == ("recoverable", [])


STATEFUL = Ref(STATEFULSET, "postgresql", "shop")
KEPT = Ref(CLAIM, "postgresql-storage-postgresql-0", "shop")
LEFT = replace(
    FINE,
    crons=(),
    runs=(),
    objects={KEPT: Health("ready", "bound, 10Gi")},
    unknown={"release": "there is no release", "repository": 'pods "postgresql-0" not found', "archiver": "not found"},
    missing=Missing("there", NOW),
)


def test_a_release_that_is_gone_is_said_first_and_nothing_is_advised_for_it() -> None:
    verdict = judge(LEFT)
    assert (verdict.state, verdict.since, verdict.until) == ("gone", None, None)
    assert [(reason.text, reason.fix) for reason in verdict.reasons] == [
        (
            "release shop/postgresql is gone since 2026-11-23 12:00 UTC: its record and its StatefulSet are not there",
            "Its repository may still hold backups: 2 when it was read last, the newest of 2026-11-23 02:24 UTC.",
        ),
        ("still there: PersistentVolumeClaim shop/postgresql-storage-postgresql-0", ""),
    ]
    assert LEFT.sources == ("release", "statefulsets", "pods", "persistentvolumeclaims", "cronjobs", "jobs")
    assert LEFT.loading == ()


@pytest.mark.parametrize(
    ("namespace", "said_of_it"),
    [
        ("gone", "; its namespace is gone too"),
        ("ending", "; its namespace is being deleted"),
        ("there", ""),
        ("unread", ""),
    ],
)
def test_what_became_of_the_namespace_is_said_where_it_can_be_read(namespace: Any, said_of_it: str) -> None:
    gone = replace(LEFT, objects={}, repository=None, missing=Missing(namespace, NOW))
    [reason] = judge(gone).reasons
    assert reason.text.partition("are not there")[2] == said_of_it
    assert reason.fix == "Its repository may still hold backups."
    bare = Release(1, "deployed", NOW, backups=False, superuser=None)
    assert judge(replace(gone, release=bare)).reasons[0].fix == ""


def test_a_release_whose_statefulset_is_there_or_was_not_looked_for_is_not_gone() -> None:
    there = replace(LEFT, objects={STATEFUL: Health("ready", "1 of 1 pods ready")})
    unseen = replace(LEFT, heard={source: at_ for source, at_ in FINE.heard.items() if source != "statefulsets"})
    assert [judge(snapshot).state for snapshot in (there, unseen)] == ["at risk", "at risk"]
    assert judge(replace(LEFT, missing=None)).state == "at risk"


def test_a_record_is_missed_from_the_first_time_on_until_it_is_there_again() -> None:
    missed = reduce(FINE, Observation("release", at(seconds=60), value=Missing("there")))
    again = reduce(missed, Observation("release", NOW, value=Missing("gone")))
    assert again.missing == Missing("gone", at(seconds=60))
    assert again.unknown == {"release": "there is no release postgresql in namespace shop"}
    assert (again.release, again.heard["release"]) == (FINE.release, FINE.heard["release"])
    unread = reduce(again, Observation("release", NOW, failure="no route"))
    assert unread.missing == again.missing
    back = reduce(unread, Observation("release", NOW, value=FINE.release))
    assert (back.missing, back.unknown) == (None, {})


def test_freshness_is_that_of_the_oldest_answer() -> None:
    """Watches are silent where nothing changes; what was never heard is said in its own place."""
    assert FINE.read_at == at(seconds=20)
    assert replace(FINE, heard={**FINE.heard, "volume": at(seconds=90)}).read_at == at(seconds=90)
    assert Snapshot("postgresql", "shop", NOW, heard={"jobs": NOW}).read_at is None
    bare = Release(1, "deployed", NOW, backups=False, superuser=None)
    assert replace(FINE, release=bare, heard={**FINE.heard, "archiver": at(9)}).read_at == at(seconds=20)


# ---- figures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "between"),
    [
        (segment(100), segment(1303), 1203),
        (segment(255), segment(256), 1),
        (segment(7), segment(7), 0),
        (segment(8), segment(7), None),
        (segment(1, timeline=1), segment(9, timeline=2), None),
        ("", segment(1), None),
        ("x" * 24, "x" * 24, None),
    ],
)
def test_segments_are_counted_by_their_names(first: str, last: str, between: int | None) -> None:
    assert status.segments_between(first, last) == between


def test_figures_come_from_backups_and_segments() -> None:
    backups = (backup("full", 10, wal=100), backup("incr", 6, stored=2 * GB), backup("incr", 0, stored=3 * GB))
    found = replace(
        FINE,
        repository=Repository(backups, wal=Wal(segment(100), segment(1100))),
        heard={"repository": backups[0].start + timedelta(days=10)},
    )
    assert found.stored == 6 * GB
    assert found.grows_per_day == pytest.approx(GB / 2)
    assert found.wal_per_day == pytest.approx(100 * 16 * 2**20)
    assert found.outage_days == pytest.approx(6 * GB / (100 * 16 * 2**20))
    assert found.repository is not None
    assert found.repository.wal is not None
    assert found.repository.wal.segments == 1001


def test_figures_that_nothing_stands_behind_are_unknown() -> None:
    young = replace(
        FINE,
        repository=Repository((backup("full", 0, wal=1),), wal=Wal(segment(1), segment(9))),
        heard={"repository": NOW},
    )
    assert (young.grows_per_day, young.wal_per_day, young.outage_days) == (None, None, None)
    unread = Snapshot("postgresql", "shop", NOW)
    assert (unread.stored, unread.grows_per_day, unread.wal_per_day, unread.outage_days) == (None, None, None, None)
    idle = replace(FINE, repository=Repository((backup("full", 9),), wal=Wal(segment(100), segment(100))))
    assert (idle.wal_per_day, idle.outage_days) == (0, None)


def test_the_next_run_is_counted_in_the_schedule_s_own_zone() -> None:
    berlin = replace(FULL, zone="Europe/Berlin")
    assert FINE.next_run(berlin) == datetime(2026, 11, 29, 1, 0, tzinfo=UTC)
    assert FINE.next_full == datetime(2026, 11, 29, 2, 0, tzinfo=UTC)
    assert FINE.next_run(replace(FULL, suspended=True)) is None
    assert FINE.next_run(replace(FULL, schedule="@every 5m")) is None
    assert FINE.next_run(replace(FULL, zone="Mars/Olympus")) is None


def test_a_job_knows_its_backup_by_the_time() -> None:
    assert FINE.backup_of(DONE) == FINE.backups[0]
    assert FINE.backup_of(replace(DONE, started=at(3), ended=at(2))) is None
    assert FINE.backup_of(replace(DONE, ended=None)) is None


# ---- reading -------------------------------------------------------------------------------------------------------


def info(**changes: Any) -> Any:
    """What pgBackRest 2.45 says of one backup."""
    ok = {"code": 0, "message": "ok"}
    return [
        {
            "name": "main",
            "status": {**ok, "lock": {"backup": {"held": False}}},
            "repo": [{"cipher": "none", "key": 1, "status": ok}],
            "db": [{"id": 1, "repo-key": 1, "system-id": 7, "version": "15"}],
            "archive": [
                {"database": {"id": 1, "repo-key": 1}, "id": "15-1", "min": segment(1), "max": segment(5)},
            ],
            "backup": [
                {
                    "label": "20261116-020000F",
                    "type": "full",
                    "database": {"id": 1, "repo-key": 1},
                    "archive": {"start": segment(2), "stop": segment(3)},
                    "timestamp": {"start": 1_795_000_000, "stop": 1_795_000_240},
                    "info": {"delta": 30_723_875, "repository": {"delta": 3_900_000, "size": 3_900_000}, "size": 30},
                    "error": None,
                }
            ],
            **changes,
        }
    ]


def test_info_becomes_backups_and_the_range_of_the_archive() -> None:
    assert status.repository_of(info()) == Repository(
        (
            Backup(
                "20261116-020000F",
                "full",
                datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC),
                datetime(2026, 11, 18, 11, 10, 40, tzinfo=UTC),
                30,
                3_900_000,
                segment(2),
                segment(3),
            ),
        ),
        "",
        Wal(segment(1), segment(5)),
    )


def test_backups_of_an_earlier_cluster_are_left_out() -> None:
    two = [{"id": 1, "system-id": 7}, {"id": 2, "system-id": 8}]
    assert status.repository_of(info(db=two)) == Repository((), "", None)


@pytest.mark.parametrize(
    ("answer", "stanza"),
    [
        ([], "the stanza has not been created"),
        (info(status={"code": 1, "message": "missing stanza path"}, backup=[], archive=[]), "missing stanza path"),
        (info(status={"code": 2, "message": "no valid backups"}, backup=[]), ""),
    ],
)
def test_a_stanza_that_is_not_there_is_told_from_one_that_is_empty(answer: Any, stanza: str) -> None:
    found = status.repository_of(answer)
    assert (found.backups, found.stanza) == ((), stanza)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            info(
                status={"code": 99, "message": "other"},
                repo=[{"status": {"code": 99, "message": "[CryptoError] unable to\x1b[2J verify"}}],
            ),
            r"^\[CryptoError\] unable to \[2J verify$",
        ),
        (info(status={"code": 99, "message": "other"}, repo=[]), "^other$"),
        ({"name": "main"}, "answered with something else: TypeError"),
        (info(backup=[{"label": "x"}]), "answered with something else: KeyError"),
        (
            info(backup=[{**info()[0]["backup"][0], "timestamp": {"start": 10**30, "stop": 10**30}}]),
            "answered with something else: OverflowError",
        ),
        (None, "answered with something else: TypeError"),
    ],
)
def test_a_repository_that_could_not_be_read_is_not_an_empty_one(answer: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        status.repository_of(answer)


def test_the_archiver_is_read_with_and_without_what_waits() -> None:
    line = f"1204|{segment(9)}|2026-11-23 11:59:22.5+00|2|{segment(8)}|2026-11-20 10:00:00+00\n"
    found = Archiver(
        1204,
        segment(9),
        datetime(2026, 11, 23, 11, 59, 22, 500_000, tzinfo=UTC),
        2,
        segment(8),
        datetime(2026, 11, 20, 10, 0, tzinfo=UTC),
    )
    assert status.archiver_of(line) == found
    assert status.archiver_of(f"{line}3\n") == replace(found, waiting=3)
    assert status.archiver_of("0|||0||") == Archiver(0, "", None, 0, "", None)
    for wrong in ("", "psql: error: connection failed", "x|||0||"):
        with pytest.raises(ValueError, match=r".+"):
            status.archiver_of(wrong)


def test_the_volume_is_the_last_line_of_df() -> None:
    assert status.volume_of("    1B-blocks        Avail\n  1000  610\n") == Volume(1000, 610)
    for wrong in ("", "df: no such file", "1B-blocks Avail\n0 0\n"):
        with pytest.raises(ValueError, match=r".+"):
            status.volume_of(wrong)


def test_times_are_read_as_kubernetes_and_postgresql_write_them() -> None:
    noon = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    for text in ("2026-11-23T12:00:00Z", "2026-11-23 12:00:00+00", "2026-11-23 13:00:00+01", "2026-11-23T12:00:00"):
        assert status.moment(text) == noon
    for wrong in (None, "", "yesterday"):
        assert status.moment(wrong) is None


def test_psql_is_told_the_superuser_or_asks_the_container_for_it() -> None:
    known, asked = status.archiver_command("owner"), status.archiver_command(None)
    assert known[:6] == ("psql", "-XAtq", "-d", "postgres", "-U", "owner")
    assert asked[:4] == ("bash", "-c", 'exec psql -XAtq -d postgres -U "$POSTGRES_USER" "$@"', "psql")
    assert known[6:] == asked[4:]


# ---- observations --------------------------------------------------------------------------------------------------

EMPTY = Snapshot("postgresql", "shop", at(1))


def job(name: str, uid: str = "u", **status_: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": uid, "creationTimestamp": "2026-11-23T11:00:00Z"}
    return {"kind": "Job", "metadata": metadata, "status": status_}


def failed(message: str = "Job has reached the specified backoff limit") -> dict[str, Any]:
    ended = "2026-11-23T11:09:00Z"
    return {"conditions": [{"type": "Failed", "status": "True", "message": message, "lastTransitionTime": ended}]}


def of_job(name: str, obj: Any) -> Observation:
    return Observation("jobs", NOW, Ref(JOB, name, "shop"), obj)


def test_an_answer_is_kept_where_the_next_question_fails_and_says_why() -> None:
    first = reduce(EMPTY, Observation("volume", at(seconds=60), value=Volume(10, 5)))
    then = reduce(first, Observation("volume", NOW, failure="pods/exec is forbidden"))
    assert (then.volume, then.heard, then.unknown) == (
        Volume(10, 5),
        {"volume": at(seconds=60)},
        {"volume": "pods/exec is forbidden"},
    )
    again = reduce(then, Observation("volume", NOW, value=Volume(10, 4)))
    assert (again.volume, again.unknown, again.at) == (Volume(10, 4), {}, NOW)


def test_loading_is_told_from_empty() -> None:
    assert "cronjobs" in EMPTY.loading
    listed = reduce(EMPTY, Observation("cronjobs", NOW))
    assert "cronjobs" not in listed.loading
    assert listed.crons == ()
    denied = reduce(EMPTY, Observation("cronjobs", NOW, failure="forbidden"))
    assert "cronjobs" not in denied.loading


def test_a_job_runs_and_ends() -> None:
    name = "postgresql-pgbackrest-incr-29391"
    running = reduce(EMPTY, of_job(name, job(name, active=1, startTime="2026-11-23T11:05:00Z")))
    started = datetime(2026, 11, 23, 11, 5, tzinfo=UTC)
    assert running.runs == (Run(name, "u", "incr", "running", started, None, "running"),)
    ended = reduce(running, of_job(name, job(name, startTime="2026-11-23T11:05:00Z", **failed("too late"))))
    over = datetime(2026, 11, 23, 11, 9, tzinfo=UTC)
    assert ended.runs == (Run(name, "u", "incr", "failed", started, over, "too late"),)
    assert "log" in ended.loading
    assert reduce(ended, of_job(name, None)).runs == ()


HOSTILE_NAME = "x\x1b[2J\u202eevil\x9b"
FIT_NAME = r"x\x1b[2J\u202eevil\x9b"


def named(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": name, "uid": f"uid of {name}"},
        "spec": {"schedule": "* * * * *"},
        **more,
    }


def test_a_name_is_made_fit_to_be_shown_and_kept_for_requests() -> None:
    """The API server refuses such names; somebody who answers in its place need not."""
    over = {"conditions": [{"type": "Failed", "status": "True", "message": HOSTILE_NAME}]}
    claim = named("PersistentVolumeClaim", HOSTILE_NAME, status={"phase": "Bound", "capacity": {"storage": "\x9b2J"}})
    pod = named("Pod", HOSTILE_NAME, status={"phase": "Failed", "message": HOSTILE_NAME})
    snapshot = replace(FINE, crons=(), runs=())
    for resource, name, value in (
        (CRONJOB, HOSTILE_NAME, named("CronJob", HOSTILE_NAME)),
        (CRONJOB, f"{HOSTILE_NAME}-full", named("CronJob", f"{HOSTILE_NAME}-full") | {"spec": {"suspend": True}}),
        (JOB, HOSTILE_NAME, named("Job", HOSTILE_NAME, status=over)),
        (POD, HOSTILE_NAME, pod),
        (CLAIM, HOSTILE_NAME, claim),
    ):
        snapshot = reduce(snapshot, Observation(resource.plural, NOW, Ref(resource, name, "shop"), value))
    assert [(cron.name, cron.real_name) for cron in snapshot.crons] == [
        (FIT_NAME, HOSTILE_NAME),
        (f"{FIT_NAME}-full", f"{HOSTILE_NAME}-full"),
    ]
    assert [(run.name, run.real_name) for run in snapshot.runs] == [(FIT_NAME, HOSTILE_NAME)]
    texts = [json.dumps(status.told(snapshot), ensure_ascii=False), *said(snapshot)[1]]
    texts += [part for line in present.status_lines(snapshot, judge(snapshot)) for part in line.splitlines()]
    assert [text for text in texts if not text.isprintable()] == []
    assert any(f"Pod shop/{FIT_NAME}" in text for text in texts)
    log = Observation("log", NOW, Ref(JOB, HOSTILE_NAME, "shop"), ["its last line"])
    assert reduce(snapshot, log).runs[0].tail == ("its last line",)
    for resource in (CRONJOB, JOB):
        snapshot = reduce(snapshot, Observation(resource.plural, NOW, Ref(resource, HOSTILE_NAME, "shop")))
    assert ([cron.name for cron in snapshot.crons], snapshot.runs) == ([f"{FIT_NAME}-full"], ())


def test_the_log_of_a_failed_job_gives_its_cause_and_stays_with_it() -> None:
    name = "postgresql-pgbackrest-full-1"
    seen = reduce(EMPTY, of_job(name, job(name, **failed())))
    lines = ["P00   INFO: backup command begin", "P00  ERROR: [050]: unable to acquire lock on file '/tmp/x.lock'"]
    told = reduce(seen, Observation("log", NOW, Ref(JOB, name, "shop"), lines))
    again = reduce(told, of_job(name, job(name, **failed())))
    assert again.runs[0].tail == tuple(lines)
    assert again.runs[0].fault is not None
    assert again.runs[0].fault.exit_code == 50
    assert "log" not in again.loading
    anew = reduce(again, of_job(name, job(name, uid="another", **failed())))
    assert anew.runs[0].tail is None


def test_a_log_that_cannot_be_read_says_so_in_its_place() -> None:
    name = "postgresql-pgbackrest-full-1"
    seen = reduce(EMPTY, of_job(name, job(name, **failed())))
    told = reduce(seen, Observation("log", NOW, Ref(JOB, name, "shop"), failure="pods/log is forbidden"))
    assert told.runs[0].tail == ("the log cannot be read: pods/log is forbidden",)


def test_the_pod_of_a_job_is_none_of_the_release_s_objects() -> None:
    owned = {"kind": "Pod", "metadata": {"name": "x", "ownerReferences": [{"kind": "Job", "name": "j"}]}}
    assert reduce(EMPTY, Observation("pods", NOW, Ref(POD, "x", "shop"), owned)).objects == {}


def test_a_snapshot_stays_bounded_whatever_comes() -> None:
    snapshot = EMPTY
    for number in range(3_000):
        name = f"postgresql-pgbackrest-incr-{number}"
        started = f"2026-11-23T11:{number // 60 % 60:02}:{number % 60:02}Z"
        snapshot = reduce(snapshot, of_job(name, job(name, startTime=started, **failed())))
        snapshot = reduce(snapshot, Observation("log", NOW, Ref(JOB, name, "shop"), ["line"] * 500))
        pod = {"kind": "Pod", "metadata": {"name": f"pod-{number}"}}
        snapshot = reduce(snapshot, Observation("pods", NOW, Ref(POD, f"pod-{number}", "shop"), pod))
        cron = {"metadata": {"name": f"cron-{number}"}, "spec": {"schedule": "0 2 * * *"}}
        snapshot = reduce(snapshot, Observation("cronjobs", NOW, Ref(CRONJOB, f"cron-{number}", "shop"), cron))
        snapshot = reduce(snapshot, Observation("volume", NOW, failure=f"failure {number}"))
    assert len(snapshot.runs) == status.RUNS_KEPT
    assert {len(found.tail or ()) for found in snapshot.runs} == {status.TAIL_KEPT}
    assert len(snapshot.objects) == status.OBJECTS_KEPT
    assert len(snapshot.crons) == status.OBJECTS_KEPT
    assert snapshot.unknown == {"volume": "failure 2999"}
    many = info(backup=info()[0]["backup"] * 2_000)
    assert len(status.repository_of(many).backups) == status.BACKUPS_KEPT


def test_hostile_text_becomes_plain() -> None:
    name = "postgresql-pgbackrest-full"
    spec = {"schedule": "0 2 * * *\x1b[2J", "timeZone": "\u202eUTC"}
    cron = {"metadata": {"name": name}, "spec": spec, "status": {"lastScheduleTime": "\x1b"}}
    found = reduce(EMPTY, Observation("cronjobs", NOW, Ref(CRONJOB, name, "shop"), cron)).crons[0]
    assert (found.schedule, found.zone, found.last) == ("0 2 * * * [2J", "UTC", None)


# ---- observing a cluster -------------------------------------------------------------------------------------------

Scenario = Callable[[SimCluster], Awaitable[None]]


def df(command: list[str], _: bytes) -> ExecResult | None:
    return ExecResult(b"1B-blocks Avail\n10000000000 6100000000\n", b"", 0) if command[0] == "df" else None


def on(scenario: Scenario, *, answers: dict[str, Any] | None = None, **options: Any) -> None:
    """A scenario on a cluster with a release, in time that jumps."""

    async def main() -> None:
        async with cluster(**options) as sim:
            sim.runtime.programs.answers.append(df)
            await deployed(sim, answers_of(**(answers or {})))
            await scenario(sim)

    run(main())


def clock(sim: SimCluster) -> status.Clock:
    return lambda: datetime.fromtimestamp(sim.clock.now(), UTC)


async def seen(sim: SimCluster, reached: Callable[[Snapshot], bool], again: status.Again | None = None) -> Snapshot:
    """Observe until a snapshot is as it should be; two simulated hours at most."""
    async with (
        asyncio.timeout(7_200),
        aclosing(status.observe(sim, "postgresql", "default", now=clock(sim), again=again)) as snapshots,
    ):
        async for snapshot in snapshots:
            if reached(snapshot):
                return snapshot
    raise AssertionError("observing ended")


def test_a_new_release_is_recoverable_and_nothing_about_it_is_unknown() -> None:
    async def scenario(sim: SimCluster) -> None:
        found = await status.look(sim, "postgresql", "default", now=clock(sim))
        assert (found.loading, found.unknown) == ((), {})
        assert said(found) == ("recoverable", [])
        assert found.release is not None
        assert replace(found.release, applied=None) == Release(1, "deployed", None, backups=True, superuser="postgres")
        assert {str(ref): health.message for ref, health in found.objects.items()} == {
            "PersistentVolumeClaim default/postgresql-storage-postgresql-0": "bound, 10Gi",
            "Pod default/postgresql-0": "ready",
            "StatefulSet default/postgresql": "1 of 1 pods ready",
        }
        assert [(item.kind, item.schedule, item.suspended) for item in found.crons] == [
            ("full", "0 2 * * 0", False),
            ("incr", "0 2 * * 1-6", False),
        ]
        assert [(item.kind, item.state) for item in found.runs] == [("init", "succeeded")]
        assert [item.type for item in found.backups] == ["full"]
        assert found.backup_of(found.runs[0]) == found.backups[0]
        assert found.volume == Volume(10_000_000_000, 6_100_000_000)
        assert found.certificate is not None
        assert found.certificate.source == "same"

    on(scenario)


def test_a_backup_now_is_seen_running_and_done() -> None:
    async def scenario(sim: SimCluster) -> None:
        name = await status.backup_now(sim, "postgresql", "default", "incr", clock(sim)())
        made = live(sim, JOB, name)
        assert made["metadata"]["ownerReferences"][0]["name"] == "postgresql-pgbackrest-incr"
        assert made["metadata"]["annotations"] == {"cronjob.kubernetes.io/instantiate": "manual"}
        states: list[str] = []

        def done(snapshot: Snapshot) -> bool:
            states.extend(item.state for item in snapshot.runs if item.name == name)
            return len(snapshot.backups) == 2

        found = await seen(sim, done)
        assert list(dict.fromkeys(states)) == ["running", "succeeded"]
        assert [item.type for item in found.backups] == ["full", "incr"]
        assert [line async for line in status.log(sim, "postgresql", "default", name)][-1].endswith(
            "expire command end: completed successfully (49ms)"
        )

    on(scenario)


def test_a_backup_that_fails_names_cause_and_fix() -> None:
    line = "P00  ERROR: [039]: HTTP request failed with 403 (Forbidden): <Code>InvalidAccessKeyId</Code>"
    fate = Outcome("job-failed", who="*/postgresql-pgbackrest-incr*", lines=(line,), exit_code=39)

    async def scenario(sim: SimCluster) -> None:
        name = await status.backup_now(sim, "postgresql", "default", "incr", clock(sim)())
        found = await seen(sim, lambda snapshot: any(item.fault for item in snapshot.runs))
        broken = next(item for item in found.runs if item.name == name)
        assert (broken.state, broken.tail) == ("failed", (line,))
        assert broken.fault is not None
        assert broken.fault.fix
        assert judge(found).state == "at risk"
        assert judge(found).reasons[0].key == broken.fault.key

    on(scenario, outcomes=[fate])


def test_a_backup_that_is_refused_says_the_server_s_reason() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults = [Fault("403", verb="create", resource="jobs")]
        with pytest.raises(Forbidden, match="denied by a fault"):
            await status.backup_now(sim, "postgresql", "default", "full", clock(sim)())
        sim.faults = []
        await sim.delete(Ref(CRONJOB, "postgresql-pgbackrest-full", "default"))
        with pytest.raises(NotFound, match="postgresql-pgbackrest-full"):
            await status.backup_now(sim, "postgresql", "default", "full", clock(sim)())

    on(scenario)


def test_a_schedule_rests_and_goes_on() -> None:
    async def scenario(sim: SimCluster) -> None:
        name = "postgresql-pgbackrest-incr"
        await status.suspend(sim, name, "default", rest=True)
        resting = await seen(sim, lambda snapshot: any(item.suspended for item in snapshot.crons))
        assert [item.name for item in resting.crons if resting.next_run(item) is None] == [name]
        await status.suspend(sim, name, "default", rest=False)
        found = await status.look(sim, "postgresql", "default", now=clock(sim))
        assert [item.suspended for item in found.crons] == [False, False]
        sim.faults = [Fault("403", verb="patch", resource="cronjobs")]
        with pytest.raises(Forbidden, match="denied by a fault"):
            await status.suspend(sim, name, "default", rest=True)

    on(scenario)


def test_what_is_denied_is_said_and_the_rest_is_seen() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults = [
            Fault("403", resource="pods/exec", times=None),
            Fault("403", verb="list", resource="cronjobs", times=None),
        ]
        found = await status.look(sim, "postgresql", "default", now=clock(sim))
        assert sorted(found.unknown) == ["archiver", "cronjobs", "repository", "volume"]
        assert all("denied by a fault" in why for why in found.unknown.values())
        assert judge(found).state == "unknown"
        assert len(found.objects) == 3

    on(scenario)


def test_what_was_denied_is_asked_again() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults = [Fault("503", resource="pods/exec", times=4), Fault("503", verb="list", resource="jobs", times=2)]
        found = await seen(sim, lambda snapshot: not snapshot.loading and not snapshot.unknown)
        assert judge(found).state == "recoverable"

    on(scenario)


def test_what_was_deleted_while_a_watch_was_lost_goes() -> None:
    ref = Ref(CRONJOB, "postgresql-pgbackrest-full", "default")

    async def scenario(sim: SimCluster) -> None:
        watch = sim.watch

        async def lost(*asked: Any, **selected: Any) -> AsyncGenerator[WatchEvent, None]:
            async with aclosing(watch(*asked, **selected)) as events:
                async for event in events:
                    yield event
                    if event.type == "SYNCED" and sim.store.peek(ref) is not None:
                        if asked[0] == CRONJOB:
                            sim.store.remove(ref)
                        raise Unreachable("no route")

        sim.watch = lost  # type: ignore[method-assign]
        found = await seen(sim, lambda snapshot: not snapshot.loading and not snapshot.unknown)
        assert [item.name for item in found.crons] == ["postgresql-pgbackrest-incr"]
        assert said(found) == ("at risk", ["there is no schedule of full backups"])

    on(scenario)


def test_a_defect_is_said_in_the_place_of_its_answer_and_the_question_is_asked_again() -> None:
    async def scenario(sim: SimCluster) -> None:
        execute, watch = sim.exec, sim.watch
        broken = True

        async def odd(*asked: Any, **limits: Any) -> ExecResult:
            if broken:
                raise KeyError("secret")
            return await execute(*asked, **limits)

        async def blind(*asked: Any, **selected: Any) -> AsyncGenerator[WatchEvent, None]:
            if broken:
                raise KeyError("secret")
            async with aclosing(watch(*asked, **selected)) as events:
                async for event in events:
                    yield event

        sim.exec, sim.watch = odd, blind  # type: ignore[method-assign]

        def mended(snapshot: Snapshot) -> bool:
            nonlocal broken
            if broken and not snapshot.loading:
                assert snapshot.unknown == dict.fromkeys(
                    (
                        *("statefulsets", "pods", "persistentvolumeclaims", "cronjobs", "jobs"),
                        *("volume", "repository", "archiver"),
                    ),
                    "a defect of pgwizard itself: KeyError",
                )
                broken = False
            return not snapshot.unknown and not snapshot.loading

        assert judge(await seen(sim, mended)).state == "recoverable"

    on(scenario)


def test_a_log_that_breaks_pgwizard_is_said_and_the_next_one_is_read() -> None:
    async def read(job: str) -> AsyncGenerator[str, None]:
        if job == "first":
            raise KeyError("secret")
        yield "line"

    async def scenario() -> None:
        failed: asyncio.Queue[Ref] = asyncio.Queue()
        queue: asyncio.Queue[Observation] = asyncio.Queue()
        for name in ("first", "second"):
            failed.put_nowait(Ref(JOB, name, "shop"))
        reading = asyncio.create_task(status._logs(read, failed, queue))
        assert (await queue.get()).failure == "a defect of pgwizard itself: KeyError"
        assert (await queue.get()).value == ["line"]
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    run(scenario())


def recorded(sim: SimCluster, **sections: Any) -> None:
    """Change the answers of the last revision, as an apply elsewhere does."""
    ref = record.ref("postgresql", "default")
    read = record.read(live(sim, SECRET, ref.name))
    last = read.revisions[-1]
    changed = replace(last, answers={**last.answers, **sections})
    sim.store.put(replace(read, revisions=(changed,)).secret())


def test_backups_that_an_apply_elsewhere_turns_on_and_off_are_asked_for_from_then_on() -> None:
    async def scenario(sim: SimCluster) -> None:
        recorded(sim, repository={"enabled": False})
        steps: list[str] = []

        def turned(snapshot: Snapshot) -> bool:
            if not snapshot.loading:
                state = judge(snapshot).state
                if not steps and state == "not recoverable":
                    recorded(sim, repository={}, credentials={"from": "generate", "username": "owner"})
                    steps.append("on")
                elif steps == ["on"] and state == "recoverable" and asked():
                    recorded(sim, repository={"enabled": False})
                    steps.append("off")
                return steps == ["on", "off"] and state == "not recoverable"
            return False

        commands: list[list[str]] = []

        def note(command: list[str], _: bytes) -> ExecResult | None:
            commands.append(command)
            return None

        def asked() -> bool:
            return any(command[:6] == ["psql", "-XAtq", "-d", "postgres", "-U", "owner"] for command in commands)

        sim.runtime.programs.answers.append(note)
        found = await seen(sim, turned)
        assert said(found) == ("not recoverable", ["this release makes no backups"])

    on(scenario)


@pytest.mark.parametrize("odd", [None, "text", 7, ["list"]])
def test_answers_of_another_shape_are_taken_for_none(odd: Any) -> None:
    async def scenario(sim: SimCluster) -> None:
        recorded(sim, credentials=odd, repository=odd)
        found = (await status.look(sim, "postgresql", "default", now=clock(sim))).release
        assert found is not None
        assert (found.backups, found.superuser) == (True, None)

    on(scenario)


def test_a_certificate_whose_source_changed_or_went_is_seen() -> None:
    source = Ref(SECRET, "minio-tls", "minio")

    async def scenario(sim: SimCluster) -> None:
        await sim.patch(source, {"data": {"tls.crt": base64.b64encode(b"no certificate").decode()}})
        found = await status.look(sim, "postgresql", "default", now=clock(sim))
        assert found.certificate is not None
        assert found.certificate.source == "differs"
        await sim.delete(source)
        found = await status.look(sim, "postgresql", "default", now=clock(sim))
        assert found.certificate is not None
        assert found.certificate.source == "gone"

    on(scenario)


def test_a_release_that_is_not_there_or_cannot_be_read_is_an_error() -> None:
    async def scenario(sim: SimCluster) -> None:
        with pytest.raises(PreflightError, match="there is no release other in namespace default"):
            await status.look(sim, "other", "default")
        sim.faults = [Fault("403", resource="secrets", times=None)]
        with pytest.raises(Forbidden, match="denied by a fault"):
            await status.look(sim, "postgresql", "default")

    on(scenario)


def test_a_release_that_is_removed_while_it_is_watched_says_so() -> None:
    async def scenario(sim: SimCluster) -> None:
        again = status.Again()

        def gone(snapshot: Snapshot) -> bool:
            if not snapshot.loading and sim.store.peek(record.ref("postgresql", "default")) is not None:
                sim.store.remove(record.ref("postgresql", "default"))
                sim.runtime.delete(Ref(STATEFULSET, "postgresql", "default"))
                again.ask(*status.ASKED)
            return "release" in snapshot.unknown

        found = await seen(sim, gone, again)
        assert found.unknown["release"] == "there is no release postgresql in namespace default"

    on(scenario)


def test_an_uninstall_is_told_within_two_seconds_though_the_record_goes_last() -> None:
    """When it goes nothing is left that is watched and could tell."""

    async def scenario(sim: SimCluster) -> None:
        removing: list[asyncio.Task[None]] = []
        ended: list[float] = []

        async def remove() -> None:
            found = await uninstall.removal(sim, "postgresql", "default", purge_data=False)
            await uninstall.remove(found, sim, lambda _: None)
            ended.append(sim.clock.now())

        def gone(snapshot: Snapshot) -> bool:
            if not snapshot.loading and not removing:
                removing.append(asyncio.create_task(remove()))
            return snapshot.gone

        found = await seen(sim, gone)
        await asyncio.gather(*removing)
        assert (found.missing or Missing("gone")).namespace == "there"
        assert found.at.timestamp() - ended[0] <= 2
        assert judge(found).reasons[1].text == (
            "still there: PersistentVolumeClaim default/postgresql-storage-postgresql-0"
        )

    on(scenario)


@pytest.mark.parametrize("denied", [False, True], ids=["the namespace may be read", "it may not"])
def test_a_namespace_that_is_deleted_while_it_is_watched_is_said_within_seconds(denied: bool) -> None:
    async def scenario(sim: SimCluster) -> None:
        if denied:
            sim.faults = [Fault("403", verb="get", resource="namespaces", times=None)]
        begun: list[float] = []

        def gone(snapshot: Snapshot) -> bool:
            if not snapshot.loading and not begun:
                begun.append(sim.clock.now())
                sim.runtime.delete(Ref(NAMESPACE, "default"))
            if not snapshot.gone or snapshot.missing is None or snapshot.objects or snapshot.crons:
                return False
            return denied or snapshot.missing.namespace == "gone"

        found = await seen(sim, gone)
        assert sim.clock.now() - begun[0] < 10
        assert found.missing is not None
        assert found.missing.namespace == ("unread" if denied else "gone")
        assert (found.missing.since or NOW).timestamp() - begun[0] < 3
        verdict = judge(found)
        assert verdict.state == "gone"
        assert len(verdict.reasons) == 1
        assert not any("denied by a fault" in reason.text for reason in verdict.reasons)

    on(scenario)


def test_a_release_that_comes_back_is_judged_anew() -> None:
    async def scenario(sim: SimCluster) -> None:
        steps: list[str] = []
        kept = {
            ref: sim.store.peek(ref)
            for ref in (record.ref("postgresql", "default"), Ref(STATEFULSET, "postgresql", "default"))
        }

        def back(snapshot: Snapshot) -> bool:
            if not snapshot.loading and not steps:
                for ref in kept:
                    sim.store.remove(ref)
                steps.append("removed")
            elif snapshot.gone and steps == ["removed"]:
                for obj in kept.values():
                    assert obj is not None
                    sim.store.put(obj)
                steps.append("there")
            return steps == ["removed", "there"] and not snapshot.loading and judge(snapshot).state == "recoverable"

        assert (await seen(sim, back)).missing is None

    on(scenario)


def test_a_revision_that_is_applied_elsewhere_is_seen_within_two_seconds() -> None:
    """Of what is watched, other retention changes the first backup's Job alone, before the revision is deployed."""

    async def scenario(sim: SimCluster) -> None:
        applying: list[asyncio.Task[Any]] = []
        ended: list[float] = []

        def shown(snapshot: Snapshot) -> bool:
            if not snapshot.loading and not applying:
                applying.append(asyncio.create_task(deployed(sim, answers_of(retention={"full": 5}))))
                applying[0].add_done_callback(lambda _: ended.append(sim.clock.now()))
            release = snapshot.release
            return release is not None and (release.revision, release.outcome) == (2, "deployed")

        await seen(sim, shown)
        assert sim.clock.now() - (ended[0] if ended else sim.clock.now()) <= 2
        await asyncio.gather(*applying)

    on(scenario)


def test_an_apply_that_touches_nothing_that_is_watched_is_seen_soon_and_at_once_when_asked() -> None:
    async def scenario(sim: SimCluster) -> None:
        again, changed = status.Again(), list[float]()

        def renewed(snapshot: Snapshot) -> bool:
            if not snapshot.loading and not changed:
                recorded(sim, credentials={"from": "generate", "username": "owner"})
                changed.append(sim.clock.now())
                again.ask("release")
            return snapshot.release is not None and snapshot.release.superuser == "owner"

        await seen(sim, renewed, again)
        assert sim.clock.now() - changed.pop() < 1
        recorded(sim, credentials={})
        await seen(sim, lambda snapshot: not snapshot.loading)
        began = sim.clock.now()
        await seen(sim, renewed)
        assert sim.clock.now() - began <= 15

    on(scenario)


def test_half_an_hour_of_watching_asks_at_its_pace_and_leaves_nothing_behind() -> None:
    async def scenario(sim: SimCluster) -> None:
        before, began = len(asyncio.all_tasks()), sim.clock.now()
        listeners = len(sim.store.listeners)
        count, first = 0, len(sim.requests)

        def over(snapshot: Snapshot) -> bool:
            nonlocal count
            count += 1
            assert len(snapshot.runs) <= status.RUNS_KEPT
            return sim.clock.now() - began >= 1_800

        found = await seen(sim, over)
        assert judge(found).state == "recoverable"
        assert count < 600
        execs = [request for request in sim.requests[first:] if request.resource == "pods/exec"]
        assert 200 < len(execs) < 260
        assert len(sim.store.listeners) == listeners
        assert len(asyncio.all_tasks()) == before

    on(scenario)


def test_a_release_without_backups_is_seen_as_such() -> None:
    async def scenario(sim: SimCluster) -> None:
        found = await status.look(sim, "postgresql", "default", now=clock(sim))
        assert said(found) == ("not recoverable", ["this release makes no backups"])
        assert (found.crons, found.loading, found.unknown) == ((), (), {})

    on(scenario, answers={"repository": {"enabled": False}})


def test_the_answers_of_the_last_revision_are_those_that_were_applied() -> None:
    async def scenario(sim: SimCluster) -> None:
        found = await status.answers_of(sim, "postgresql", "default")
        assert found["schedule"] == {"full": "0 3 * * 0", "incremental": "0 2 * * 1-6", "timeZone": "Etc/UTC"}
        assert json.dumps(found)

    on(scenario, answers={"schedule": {"full": "0 3 * * 0"}})


def test_the_only_release_of_a_namespace_needs_no_name() -> None:
    shop, other = record.Record("shop", "default"), record.Record("other", "default")
    assert status.chosen([shop], "default") == "shop"
    with pytest.raises(PreflightError, match="there is no release in namespace default"):
        status.chosen([], "default")
    with pytest.raises(AnswersError) as caught:
        status.chosen([other, shop], "default")
    assert caught.value.problems == (Problem("NAME", "namespace default has 2 releases: name one of other, shop"),)


def test_a_job_without_a_pod_has_no_log() -> None:
    async def scenario(sim: SimCluster) -> None:
        for name, fit in (("none", "none"), (HOSTILE_NAME, FIT_NAME)):
            with pytest.raises(PreflightError) as caught:
                _ = [line async for line in status.log(sim, "postgresql", "default", name)]
            assert str(caught.value) == f"Job default/{fit} has no pod, so there is no log of it"

    on(scenario)


def test_archiving_that_fails_names_its_cause_from_the_server_s_log() -> None:
    line = (
        "P00  ERROR: [103]: unable to find a valid repository: HTTP request failed with 403: <Code>NoSuchBucket</Code>"
    )

    def psql(command: list[str], _: bytes) -> ExecResult | None:
        failing = f"1|{segment(1)}|2026-11-23 11:00:00+00|3|{segment(2)}|2026-11-23 11:05:00+00\n4\n"
        return ExecResult(failing.encode(), b"", 0) if command[0] == "psql" else None

    async def scenario(sim: SimCluster) -> None:
        sim.runtime.programs.answers.append(psql)
        pod = live(sim, POD, "postgresql-0")
        sim.runtime.logs[pod["metadata"]["uid"], "postgresql"].write(line)
        found = await status.look(sim, "postgresql", "default", now=clock(sim))
        assert found.archiver is not None
        assert (found.archiver.failing, found.archiver.waiting) == (True, 4)
        worst = judge(found).reasons[0]
        assert worst.text.startswith(f"archiving fails: {segment(2)} at 2026-11-23 11:05 UTC: ")
        assert worst.key == "s3-no-bucket"

    on(scenario)


def test_one_look_tells_wal_that_was_dropped_from_wal_that_is_new() -> None:
    def psql(command: list[str], _: bytes) -> ExecResult | None:
        dropping = f"900|{segment(900)}|2026-11-23 11:00:00+00|0||\n0\n"
        return ExecResult(dropping.encode(), b"", 0) if command[0] == "psql" else None

    async def scenario(sim: SimCluster) -> None:
        sim.runtime.programs.answers.append(psql)
        found = await status.look(sim, "postgresql", "default", now=clock(sim))
        assert found.owed == segment(900)
        assert judge(found).reasons[0].key == "wal-dropped"

    on(scenario)


def test_every_cause_that_a_verdict_may_name_has_its_place_in_the_documentation() -> None:
    text = (Path(__file__).parents[1] / "docs" / "errors.md").read_text(encoding="utf-8")
    assert [row.key for row in ROWS if f'<a id="{row.key}"></a>' not in text] == []
