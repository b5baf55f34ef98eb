"""Events, changes and snapshots as lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from pgwizard import text as text_module
from pgwizard.cli.json_lines import as_json
from pgwizard.cli.verbs.status_line import status_line
from pgwizard.diagnose.diagnose import diagnose
from pgwizard.errors import Finding
from pgwizard.kube.api import Ref, Resource
from pgwizard.plan.names import ReleaseRef
from pgwizard.plan.tuning import SEGMENT_BYTES
from pgwizard.release.changes import Action, Change
from pgwizard.release.record import Origin
from pgwizard.release.report import change_line, event_line
from pgwizard.release.stages import Event, EventKind
from pgwizard.status import report
from pgwizard.status.observations import failure
from pgwizard.status.report import status_lines
from pgwizard.status.repository import RepositoryInfo, Wal
from pgwizard.status.snapshot import MirroredCertificate, ReleaseSummary, Run, Snapshot, Volume
from pgwizard.status.verdict import judge
from support.snapshots import (
    ANOTHER,
    ARCHIVER,
    DONE,
    DOWN,
    FAILED,
    FINE,
    FULL,
    GB,
    LEFT,
    NOW,
    RELEASE,
    UNKNOWN_KEY,
    backup,
    listed,
    segment,
)

CAUSE = (
    "The S3 store does not know this access key: it is mistyped, was deleted or disabled, or belongs to another tenant."
)

REF = Ref(Resource("apps/v1", "StatefulSet"), "postgresql", "shop")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event("survey", "began"), "● survey"),
        (Event("apply", "progress", "create Service shop/a"), "· apply         create Service shop/a"),
        (Event("apply", "done", "14 to create", 0.94), "✓ apply         14 to create   0.9 s"),
        (Event("first backup", "failed", "no", 61.0), "✗ first backup  no   61.0 s"),
        (Event("checks", "warning", "careful"), "! checks        careful"),
        (Event("first backup", "log", "P00 INFO: done"), "    P00 INFO: done"),
        (Event("prune", "skipped"), "- prune"),
    ],
)
def test_an_event_is_a_line(event: Event, line: str) -> None:
    assert event_line(event) == line


def test_every_kind_of_event_and_change_has_a_sign() -> None:
    for kind in get_args(EventKind):
        assert event_line(Event("x", kind, "text"))
    assert [change_line(Change(REF, action)) for action in get_args(Action)] == [
        "+ create    StatefulSet shop/postgresql",
        "~ update    StatefulSet shop/postgresql",
        "± replace   StatefulSet shop/postgresql",
        "= unchanged StatefulSet shop/postgresql",
        "- delete    StatefulSet shop/postgresql",
        "= keep      StatefulSet shop/postgresql",
    ]


def test_a_change_line_ends_with_its_reason() -> None:
    change = Change(REF, "replace", why="the volume grows from 10Gi; the pod keeps running")
    assert change_line(change) == (
        "± replace   StatefulSet shop/postgresql   (the volume grows from 10Gi; the pod keeps running)"
    )


def test_foreign_text_in_a_change_is_escaped() -> None:
    change = Change(REF, "keep", why="\x1b]52;c;aGk=\x07\u202e")
    assert change_line(change) == "= keep      StatefulSet shop/postgresql   (\\x1b]52;c;aGk=\\x07\\u202e)"


# ---- a release's status --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text", "rough"),
    [
        (-3, "0 s", "0 s"),
        (38.9, "38 s", "38 s"),
        (252, "4 min 12 s", "4 min"),
        (3_600, "1 h", "1 h"),
        (511_200, "5 d 22 h", "5 d"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(seconds: float, text: str, rough: str) -> None:
    assert (text_module.span(seconds), text_module.about(seconds)) == (text, rough)


def test_a_moment_has_its_year_only_if_that_is_another() -> None:
    assert report.when(datetime(2026, 11, 8, 2, 0, tzinfo=UTC), NOW) == "Sun 8 Nov 02:00"
    assert report.when(datetime(2025, 11, 9, 2, 0, tzinfo=UTC), NOW) == "Sun 9 Nov 2025 02:00"


def test_a_status_is_text_with_the_verdict_first() -> None:
    weeks = [backup("full", 15.4 - 7 * week, wal=100) for week in range(3)]
    days = [backup("incr", 15.4 - day) for day in range(1, 16) if day not in (7, 14)]
    many = replace(
        FINE,
        runs=(DONE, replace(FAILED, fault=diagnose(UNKNOWN_KEY))),
        repository=RepositoryInfo(
            tuple(sorted([*weeks, *days], key=lambda item: item.stop)), wal=Wal(segment(100), segment(1303))
        ),
    )
    assert status_lines(many, judge(many)) == [
        "! AT RISK   from Sun 8 Nov 02:24 UTC to now − 38 s",
        f"! the last backup Job failed: postgresql-pgbackrest-incr-2: {CAUSE}",
        "  Put a valid key pair into the Secret that repository.credentials names.",
        "",
        "✓ release     revision 3 deployed, applied Tue 3 Nov 12:00 UTC",
        "✓ next full   Sun 29 Nov 02:00 UTC (in 5 d)",
        "✓ WAL         1,204 segments up to 000000010000000500000017, checked 20 s ago: no gap",
        "✓ archiver    fine, last segment 38 s ago",
        "✓ repository  16 backups, 14.9Gi, +953.67Mi a day, WAL not counted",
        "✓ files       2 of 16 backups, checked 20 s ago: complete; never verified",
        "✓ volume      60% free (5.59Gi of 9.31Gi): an S3 outage fills it in 4 d 13 h",
        "✓ CA          ends 2029-02-24 (in 824 d), same as its source",
        "",
        "Backups   F full   ▪ incremental   ▫ failed   ░ recoverable   │ now",
        "UTC     Mon       Tue       Wed       Thu       Fri       Sat       Sun",
        " 2 Nov                                                              F░░░░░░░░░",
        " 9 Nov  ▪░░░░░░░░░▪░░░░░░░░░▪░░░░░░░░░▪░░░░░░░░░▪░░░░░░░░░▪░░░░░░░░░F░░░░░░░░░",
        "16 Nov  ▪░░░░░░░░░▪░░░░░░░░░▪░░░░░░░░░▪░░░░░░░░░▪░░░░░░░░░▪░░░░░░░░░F░░░░░░░░░",
        "23 Nov  ▪▫░░░│",
        "",
        "pgbackrest info",
        "  backup               type   ended              took    database   stored     WAL from",
        "  ✓ 20261123-022400I   incr   Mon 23 Nov 02:24   4 min   3.73Gi     953.67Mi   000000010000000000000064",
        "  ✓ 20261122-022400F   full   Sun 22 Nov 02:24   4 min   3.73Gi     953.67Mi   000000010000000000000064",
        "  ✓ 20261121-022400I   incr   Sat 21 Nov 02:24   4 min   3.73Gi     953.67Mi   000000010000000000000064",
        "  ✓ 20261120-022400I   incr   Fri 20 Nov 02:24   4 min   3.73Gi     953.67Mi   000000010000000000000064",
        "  ✓ 20261119-022400I   incr   Thu 19 Nov 02:24   4 min   3.73Gi     953.67Mi   000000010000000000000064",
        "  ✓ 20261118-022400I   incr   Wed 18 Nov 02:24   4 min   3.73Gi     953.67Mi   000000010000000000000064",
        "  ✓ 20261117-022400I   incr   Tue 17 Nov 02:24   4 min   3.73Gi     953.67Mi   000000010000000000000064",
        "  ✓ 20261116-022400I   incr   Mon 16 Nov 02:24   4 min   3.73Gi     953.67Mi   000000010000000000000064",
        "  ✓ 20261115-022400F   full   Sun 15 Nov 02:24   4 min   3.73Gi     953.67Mi   000000010000000000000064",
        "  ✓ 20261114-022400I   incr   Sat 14 Nov 02:24   4 min   3.73Gi     953.67Mi   000000010000000000000064",
        "  and 6 older",
        "",
        "Jobs",
        f"  ✗ incr   Mon 23 Nov 02:19   5 min   failed [039] {CAUSE}",
        "  ✓ full   Sun 22 Nov 02:19   5 min   3.73Gi → 953.67Mi",
        "",
        "Schedules",
        "  ✓ full   Sun 29 Nov 02:00 (in 5 d)    never   0 2 * * 0",
        "  ✓ incr   Tue 24 Nov 02:00 (in 14 h)   never   0 2 * * 1-6",
        "",
        "Objects with a state",
        "  ✓ Pod           ready               postgresql-0",
        "  ✓ StatefulSet   1 of 1 pods ready   postgresql",
    ]


def test_loading_differs_from_denied_old_and_empty() -> None:
    empty = Snapshot(ReleaseRef("shop", "postgresql"), NOW)
    assert {fact.text for fact in report.facts(empty)} == {"reading"}
    denied = replace(
        empty, failures={"cronjobs": failure("cronjobs is forbidden"), "volume": failure("pods/exec is forbidden")}
    )
    assert [str(fact) for fact in report.facts(denied) if fact.mark == "?"] == [
        "? next full   not known: cronjobs is forbidden",
        "? volume      not known: pods/exec is forbidden",
    ]
    assert report.loading_or_empty(empty, "cronjobs", "none") == "· reading"
    assert report.loading_or_empty(denied, "cronjobs", "none") == "? not known: cronjobs is forbidden"
    assert report.loading_or_empty(replace(empty, answered_at={"cronjobs": NOW}), "cronjobs", "none") == "none"
    old = replace(
        FINE,
        answered_at={**FINE.answered_at, "volume": NOW - timedelta(minutes=4)},
        failures={"volume": failure("no route")},
    )
    assert "! volume      60% free (5.59Gi of 9.31Gi): an S3 outage fills it in 10 h (as of 4 min ago: no route)" in [
        str(fact) for fact in report.facts(old)
    ]


def test_an_unobserved_release_shows_its_age_on_each_line() -> None:
    """Its marks are no longer those of what is fine, and nothing counts on as if it were seen."""
    later = NOW + timedelta(minutes=4)
    left = FINE.without_watch(later)
    assert [str(fact) for fact in report.facts(left)] == [
        "! release     revision 3 deployed, applied Tue 3 Nov 12:00 UTC (as of 4 min 20 s ago: no longer watched)",
        "! next full   Sun 29 Nov 02:00 UTC (in 5 d) (as of 4 min ago: no longer watched)",
        ("! WAL         1,204 segments up to 000000010000000500000017, checked 4 min 20 s ago: no gap"),
        "! archiver    fine, last segment 4 min 38 s ago (as of 4 min 5 s ago: no longer watched)",
        "! repository  2 backups, 1.86Gi, +953.67Mi a day, WAL not counted (as of 4 min 20 s ago: no longer watched)",
        "! files       2 backups, checked 4 min 20 s ago: complete; never verified",
        (
            "! volume      60% free (5.59Gi of 9.31Gi): an S3 outage fills it in 10 h "
            "(as of 4 min 20 s ago: no longer watched)"
        ),
        "! CA          ends 2029-02-24 (in 823 d), same as its source (as of 4 min 20 s ago: no longer watched)",
    ]
    assert judge(left).state == "unknown"
    assert judge(FINE.without_watch(NOW)).state == "at risk"
    broken = replace(FINE, crons=(), answered_at={}, failures={"cronjobs": failure("no route")}).without_watch(later)
    assert report.loading_or_empty(broken, "cronjobs", "none") == "? not known: no route"
    assert report.loading_or_empty(broken, "jobs", "none") == "? not known: no longer watched"


def test_a_release_that_is_gone_shows_its_last_known_state_only() -> None:
    assert status_lines(LEFT, judge(LEFT))[:7] == [
        "✗ GONE",
        "! release shop/postgresql is gone since 2026-11-23 12:00 UTC: neither its record nor its StatefulSet exists",
        "  Its repository may still hold backups: 2 when it was read last, the newest of 2026-11-23 02:24 UTC.",
        "! still there: PersistentVolumeClaim shop/postgresql-storage-postgresql-0",
        "",
        "! release     revision 3 deployed, applied Tue 3 Nov 12:00 UTC (as of 20 s ago: the release is gone)",
        "! repository  2 backups, 1.86Gi, +953.67Mi a day, WAL not counted (as of 20 s ago: the release is gone)",
    ]
    assert len(report.facts(replace(LEFT, repository=None))) == 1
    assert report.loading_or_empty(LEFT, "repository", "none yet") == "· no longer read: the release is gone"
    assert report.loading_or_empty(LEFT, "jobs", "none yet") == "none"


BACKUPS = "2 backups, 1.86Gi, +953.67Mi a day, WAL not counted"
FACTS: list[tuple[dict[str, Any], str]] = [
    (
        {"archiver": replace(ARCHIVER, last_at=None, archived=0)},
        "· archiver    nothing archived since its statistics began",
    ),
    (
        {"archiver": replace(ARCHIVER, last_at=NOW - timedelta(seconds=95))},
        "✓ archiver    fine, last segment 1 min 35 s ago",
    ),
    (
        {"archiver": replace(ARCHIVER, last_at=NOW - timedelta(seconds=96))},
        "· archiver    idle, last segment 1 min 36 s ago",
    ),
    (
        {"archiver": replace(ARCHIVER, last_at=NOW - timedelta(seconds=96), waiting=1)},
        "· archiver    last segment 1 min 36 s ago, 1 wait",
    ),
    (
        {"archiver": replace(ARCHIVER, last_at=NOW - timedelta(seconds=96), waiting=3, waiting_seconds=25)},
        "· archiver    last segment 1 min 36 s ago, 3 wait for 25 s (late after 60 s)",
    ),
    (
        {"archiver": replace(ARCHIVER, last_at=NOW - timedelta(seconds=35), waiting=3, waiting_seconds=4)},
        "✓ archiver    fine, last segment 35 s ago, 3 wait",
    ),
    (
        {"archiver": replace(ARCHIVER, last_at=NOW - timedelta(seconds=35), waiting=3, waiting_seconds=5)},
        "✓ archiver    fine, last segment 35 s ago, 3 wait for 5 s (late after 60 s)",
    ),
    (
        {"slow_since": {"repository": NOW - timedelta(seconds=12)}},
        f"· repository  no answer for 12 s, pgBackRest tries up to 50 s; {BACKUPS}",
    ),
    (
        {"slow_since": {"repository": NOW - timedelta(seconds=70)}},
        f"· repository  no answer for 1 min 10 s; {BACKUPS}",
    ),
    (
        {"archiver": replace(ARCHIVER, last_at=NOW - timedelta(seconds=36), waiting=1)},
        "· archiver    last segment 36 s ago, 1 wait",
    ),
    (
        {"archiver": replace(ARCHIVER, last_at=NOW - timedelta(seconds=35), waiting=1)},
        "✓ archiver    fine, last segment 35 s ago, 1 wait",
    ),
    (
        {"archiver": replace(ARCHIVER, last_at=NOW - timedelta(hours=1), timeout_seconds=0)},
        "✓ archiver    fine, last segment 1 h ago",
    ),
    (
        {"archiver": replace(ARCHIVER, last_at=NOW - timedelta(seconds=50), failed_at=NOW - timedelta(seconds=60))},
        "✓ archiver    fine, last segment 50 s ago",
    ),
    (
        {"archiver": replace(ARCHIVER, lsn=1304 * SEGMENT_BYTES)},
        "✓ archiver    fine, last segment 38 s ago; all WAL is archived",
    ),
    (
        {"archiver": replace(ARCHIVER, lsn=1304 * SEGMENT_BYTES + 320 * 1024)},
        "✓ archiver    fine, last segment 38 s ago; 320Ki of WAL is on the volume alone",
    ),
    (
        {"archiver": replace(ARCHIVER, failed_wal="0" * 24, failed_at=NOW, waiting=3)},
        "! archiver    failing at 000000000000000000000000, last segment 38 s ago, 3 wait",
    ),
    (
        {"archiver": replace(ARCHIVER, waiting=5_000, waiting_seconds=61)},
        "! archiver    behind, last segment 38 s ago, 5,000 wait",
    ),
    (
        {"missing_wal": segment(1310)},
        f"! WAL         1,204 segments up to {segment(1303)}, checked 20 s ago: {segment(1310)} is missing",
    ),
    ({"repository": RepositoryInfo((), "missing stanza path")}, "! repository  missing stanza path"),
    ({"repository": RepositoryInfo(())}, "! WAL         none in the archive"),
    ({"archive": None}, f"· WAL         up to {segment(1303)}; the archive is being listed"),
    (
        {"archive": None, "failures": {"archive": failure("awk: not found")}},
        f"· WAL         up to {segment(1303)}; the archive cannot be listed",
    ),
    (
        {"archive": listed(100, 1303, 200), "archive_before": listed(100, 1303, 200)},
        f"! WAL         1,203 segments up to {segment(1303)}, checked 20 s ago: some are missing",
    ),
    (
        {"archive": listed(1303, 1303), "archive_before": listed(1303, 1303)},
        f"! WAL         1 segment up to {segment(1303)}, checked 20 s ago: some are missing",
    ),
    ({"crons": (), "answered_at": {"cronjobs": NOW}}, "! next full   none: no schedule for it, or it is suspended"),
    (
        {"certificate": MirroredCertificate(NOW - timedelta(days=1), "gone")},
        "! CA          ended 2026-11-22, its source is gone",
    ),
    (
        {"certificate": MirroredCertificate(NOW + timedelta(days=99), "unread")},
        "✓ CA          ends 2027-03-02 (in 99 d), its source may not be read",
    ),
    (
        {"certificate": None, "answered_at": {"certificate": NOW}},
        "✓ CA          none mirrored: the public authorities are trusted",
    ),
    (
        {"volume": Volume(100, 9), "repository": None},
        "! volume      9% free (9 bytes of 100 bytes); how fast WAL would fill it is not known yet",
    ),
]


@pytest.mark.parametrize(("change", "line"), FACTS, ids=[line for _, line in FACTS])
def test_a_fact_is_a_line(change: dict[str, Any], line: str) -> None:
    assert line in [str(fact) for fact in report.facts(replace(FINE, **change))]


ORIGIN = Origin("shop/postgresql", "s3.example.com:443", "backups", "eu-1", "/shop", "path", "20261120-020000F")


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (
            replace(ORIGIN, reached_at="2026-11-20T02:10:04.5+00:00"),
            "✓ origin      clone of shop/postgresql (backups/shop), as of 2026-11-20 02:10:04 UTC",
        ),
        (ORIGIN, "✓ origin      clone of shop/postgresql (backups/shop), as of backup 20261120-020000F"),
        (replace(ORIGIN, release="", backup=""), "✓ origin      clone of backups/shop"),
    ],
)
def test_a_clone_shows_what_it_was_made_from(origin: Origin, line: str) -> None:
    cloned = replace(FINE, release=replace(RELEASE, origin=origin))
    assert str(report.facts(cloned)[1]) == line
    line_origin = as_json(status_line(cloned, judge(cloned)))["release"]["origin"]
    assert (line_origin["release"], line_origin["reachedAt"]) == (origin.release, origin.reached_at)
    assert not [fact for fact in report.facts(FINE) if fact.label == "origin"]


LIMITS: list[tuple[str, str, dict[str, Any]]] = [
    ("volume", "volume", {"volume": Volume(10 * GB, GB)}),
    ("volume", "volume", {"volume": Volume(10 * GB, GB - 1)}),
    ("certificate", "CA", {"certificate": MirroredCertificate(NOW + timedelta(days=14), "same")}),
    ("certificate", "CA", {"certificate": MirroredCertificate(NOW + timedelta(days=14, seconds=-1), "same")}),
    ("archiver", "archiver", {"archiver": replace(ARCHIVER, waiting=1, waiting_seconds=60)}),
    ("archiver", "archiver", {"archiver": replace(ARCHIVER, waiting=1, waiting_seconds=61)}),
    *(
        (source, label, {"answered_at": {**FINE.answered_at, source: NOW - timedelta(seconds=seconds)}})
        for source, label, limit in (
            ("archiver", "archiver", 180),
            ("release", "release", 190),
            ("volume", "volume", 240),
            ("certificate", "CA", 240),
        )
        for seconds in (limit, limit + 1)
    ),
]


@pytest.mark.parametrize(("source", "label", "change"), LIMITS)
def test_a_fact_needs_a_look_exactly_where_the_verdict_has_a_reason(
    source: str, label: str, change: dict[str, Any]
) -> None:
    """The report and the verdict use one limit."""
    quiet = {"repository": replace(FINE.repository or RepositoryInfo(()), wal=Wal(segment(100), segment(101)))}
    snapshot = replace(FINE, **{**quiet, **change})
    marks = {fact.label: fact.mark for fact in report.facts(snapshot)}
    assert (marks[label] == "!") is bool(judge(snapshot).reasons), (source, judge(snapshot).reasons)


def test_a_release_without_backups_has_no_facts_about_any() -> None:
    release = ReleaseSummary(1, "failed", None, backups=False, superuser=None)
    bare = replace(FINE, release=release, repository=None)
    assert [str(fact) for fact in report.facts(bare)] == [
        "! release     revision 1 failed",
        "✓ volume      60% free (5.59Gi of 9.31Gi)",
    ]


def test_a_job_and_a_schedule_are_cells() -> None:
    running = Run("postgresql-pgbackrest-init", "u", "init", "running", NOW - timedelta(seconds=9), None, "running")
    assert report.run_cells(FINE, running) == ("● first", "Mon 23 Nov 11:59", "9 s", "running")
    again = replace(DONE, kind="init", started=NOW - timedelta(seconds=29), ended=NOW - timedelta(seconds=20))
    assert report.run_cells(FINE, again) == ("✓ first", "Mon 23 Nov 11:59", "9 s", "no new backup")
    unread = replace(FAILED, tail=None, unread="pods/log is forbidden")
    assert report.run_cells(FINE, unread)[-1] == ("failed backoff limit; its log cannot be read: pods/log is forbidden")
    resting = replace(FULL, suspended=True, zone="Europe/Berlin", last=NOW)
    assert report.cron_cells(FINE, resting) == (
        "‖ full",
        "suspended",
        "Mon 23 Nov 12:00",
        "0 2 * * 0 Europe/Berlin",
    )
    assert report.cron_cells(FINE, replace(FULL, schedule="never"))[1] == "is not known"


@pytest.mark.parametrize("width", [30, 78])
def test_a_failed_job_hides_no_backup_of_its_day(width: int) -> None:
    taken, noon = backup("full", 1.4), backup("full", 1.4).start
    failed = replace(DONE, state="failed", started=noon + timedelta(minutes=2), ended=noon + timedelta(minutes=3))
    snapshot = replace(FINE, repository=RepositoryInfo((taken,)), runs=(failed, replace(failed, uid="again")))
    strip = "".join(line[8:] for line in report.timeline(snapshot, judge(snapshot), width)[1:])
    assert (strip.count("F"), strip.count("▫")) == (1, 1)


def test_a_failed_job_without_a_backup_beside_it_is_where_it_failed() -> None:
    failed = replace(DONE, state="failed", started=NOW - timedelta(hours=7), ended=NOW - timedelta(hours=6))
    snapshot = replace(FINE, runs=(failed,))
    before = report.timeline(replace(FINE, runs=()), judge(FINE), 78)[-1].ljust(78)
    after = report.timeline(snapshot, judge(snapshot), 78)[-1].ljust(78)
    assert [(place, mark) for place, mark in enumerate(after) if mark != before[place]] == [(8 + 2, "▫")]


def test_the_next_full_backup_of_a_database_that_is_down_is_not_called_fine() -> None:
    shown = [str(fact) for fact in report.facts(DOWN)]
    assert "! next full   Sun 29 Nov 02:00 UTC (in 5 d); it fails if the database is still down" in shown


def test_a_repository_without_backups_has_no_timeline() -> None:
    nothing = replace(FINE, repository=RepositoryInfo(()), runs=())
    assert report.timeline(nothing, judge(nothing), 80) == []


def test_every_backup_is_a_line_the_newest_first() -> None:
    older, newer = backup("full", 8.4), replace(backup("incr", 1.4), error=True)
    snapshot = replace(FINE, repository=RepositoryInfo((older, newer)))
    lines = report.status_lines(snapshot, judge(snapshot))
    begin = lines.index("pgbackrest info")
    assert [line.split()[:2] for line in lines[begin + 1 : begin + 4]] == [
        ["backup", "type"],
        ["▫", f"{newer.label}:"],
        ["✓", older.label],
    ]
    nothing = replace(FINE, repository=RepositoryInfo(()))
    assert "pgbackrest info" not in report.status_lines(nothing, judge(nothing))


def test_a_job_of_an_unreadable_repository_is_not_reported_without_a_backup() -> None:
    """What was read of it after the Job's end stays true when it cannot be read any more."""
    unread = replace(FINE, repository=RepositoryInfo((), stanza="cannot be read"))
    assert report.run_cells(unread, DONE)[-1] == "not known: the repository cannot be read"
    again = replace(DONE, started=NOW - timedelta(seconds=60), ended=NOW - timedelta(seconds=30))
    assert report.run_cells(FINE, again)[-1] == "no new backup"
    assert report.run_cells(replace(FINE, failures={"repository": failure("no route")}), again)[-1] == "no new backup"
    later = replace(again, ended=NOW - timedelta(seconds=10))
    assert report.run_cells(FINE, later)[-1] == "· reading the repository"
    refused = replace(FINE, failures={"repository": failure("no route")})
    assert report.run_cells(refused, later)[-1] == "not known: the repository cannot be read"
    assert report.run_cells(DOWN, later)[-1] == "not known: the database is not running"


def test_another_database_s_backups_are_not_shown_as_our_own() -> None:
    assert FINE.repository is not None
    theirs = replace(FINE, repository=replace(FINE.repository, system_id=ANOTHER))
    shown = [str(fact) for fact in report.facts(theirs)]
    assert "! WAL         none of this database" in shown
    assert f"! repository  another database's: 2 backups, of system-id {ANOTHER}" in shown
    assert report.run_cells(theirs, DONE)[-1] == "the repository is another database's"
    assert report.loading_or_empty(theirs, "repository", "none yet") == "none of this database"
    assert report.timeline(replace(theirs, runs=()), judge(theirs), 80) == []


def test_a_database_that_is_down_is_named_in_place_of_its_answers() -> None:
    assert [str(fact) for fact in report.facts(DOWN)[2:7]] == [
        ("! WAL         1,204 segments up to 000000010000000500000017, checked 20 s ago: no gap"),
        "! archiver    fine, last segment 38 s ago (as of 5 s ago: the database is not running)",
        (
            "! repository  2 backups, 1.86Gi, +953.67Mi a day, WAL not counted "
            "(as of 20 s ago: the database is not running)"
        ),
        "! files       2 backups, checked 20 s ago: complete; never verified",
        (
            "! volume      60% free (5.59Gi of 9.31Gi): an S3 outage fills it in 10 h "
            "(as of 20 s ago: the database is not running)"
        ),
    ]
    fresh = replace(DOWN, repository=None, archiver=None, volume=None, answered_at={}, crons=(), runs=())
    assert [str(fact) for fact in report.facts(fresh)[2:7]] == [
        "? WAL         not known: the database is not running",
        "? archiver    not known: the database is not running",
        "? repository  not known: the database is not running",
        "? files       not known: the database is not running",
        "? volume      not known: the database is not running",
    ]
    assert report.loading_or_empty(fresh, "repository", "none yet") == "? not known: the database is not running"


def test_a_refusal_of_the_store_is_shown_once_by_its_cause() -> None:
    dump = "[ProtocolError] HTTP request failed with 403 (Forbidden): *** Path/Query ***: GET /backups/?delimiter=%2F"
    fresh = replace(FINE, repository=None, failures={"repository": failure(dump)}, runs=())
    assert [str(fact) for fact in report.facts(fresh) if fact.mark == "?"] == [
        "? WAL         not known: the repository cannot be read",
        (
            "? repository  not known: The S3 store refused the request and did not say why: access key, secret key, "
            "clock or policy."
        ),
    ]
    assert report.loading_or_empty(fresh, "repository", "none") == "? not known: the repository cannot be read"
    knows = replace(fresh, runs=(DONE, replace(FAILED, fault=diagnose(UNKNOWN_KEY))))
    assert f"? repository  not known: {CAUSE}" in [str(fact) for fact in report.facts(knows)]


def test_the_status_as_json_has_the_fix_for_a_source_that_did_not_answer() -> None:
    why = Finding(text="no route", cause="it is down", fix="Start it.", key="s3-access-denied")
    snapshot = replace(FINE, failures={"volume": why})
    assert as_json(status_line(snapshot, judge(snapshot)))["unknown"] == {
        "volume": {
            "path": "",
            "message": "no route: it is down",
            "fix": "Start it.",
            "line": None,
            "column": None,
            "key": "s3-access-denied",
        }
    }


def test_an_unverified_store_has_no_check_mark() -> None:
    assert FINE.release is not None
    unverified = replace(FINE, certificate=None, release=replace(FINE.release, is_tls_verified=False))
    line = "! CA          none: TLS is not verified (tls.verify is false), so anyone may pose as the store"
    assert line in [str(fact) for fact in report.facts(unverified)]
