"""How observations come together in a snapshot, and the figures that follow from it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgwizard.cli.json_lines import as_json
from pgwizard.cli.verbs.status_line import status_line
from pgwizard.errors import Finding
from pgwizard.kube.api import CLAIM, CRONJOB, JOB, POD, STATEFULSET, Ref
from pgwizard.kube.health import Health
from pgwizard.plan.names import ReleaseRef
from pgwizard.status import report
from pgwizard.status import snapshot as status_snapshot
from pgwizard.status.observations import (
    JobPodSeen,
    ListRead,
    LogFailed,
    LogRead,
    ObjectSeen,
    Observation,
    ReleaseRead,
    SourceFailed,
    VolumeRead,
    failure,
)
from pgwizard.status.reduce import reduce
from pgwizard.status.repository import RepositoryInfo, Wal, segments_between
from pgwizard.status.snapshot import Exposure, Missing, ReleaseSummary, Run, Snapshot, Volume
from pgwizard.status.verdict import judge
from support.snapshots import (
    ARCHIVER,
    DONE,
    FINE,
    FIT_NAME,
    FULL,
    GB,
    HOSTILE_NAME,
    NOW,
    RELEASE,
    STATEFUL,
    at,
    backup,
    segment,
    state_and_reasons,
)

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
    assert segments_between(first, last, 16 * 1024**2) == between


def test_figures_come_from_backups_and_segments() -> None:
    backups = (backup("full", 10, wal=100), backup("incr", 6, stored=2 * GB), backup("incr", 0, stored=3 * GB))
    result = replace(
        FINE,
        repository=RepositoryInfo(backups, wal=Wal(segment(100), segment(1100))),
        answered_at={"repository": backups[0].start + timedelta(days=10)},
    )
    assert result.stored_bytes == 6 * GB
    assert result.growth_bytes_per_day == pytest.approx(GB / 2)
    assert result.wal_bytes_per_day == pytest.approx(100 * 16 * 2**20)
    assert result.outage_days == pytest.approx(6 * GB / (100 * 16 * 2**20))
    assert result.database_bytes_per_day == pytest.approx(4 * GB / 6), "of the last week"
    assert result.full_days == pytest.approx(6 * GB / (4 * GB / 6))
    assert FINE.archiver is not None
    larger = replace(result, archiver=replace(FINE.archiver, segment_bytes=64 * 2**20))
    assert larger.wal_bytes_per_day != result.wal_bytes_per_day, "a server's own size of a segment counts"


def test_a_database_that_does_not_grow_never_fills_its_volume() -> None:
    assert (FINE.database_bytes_per_day, FINE.full_days) == (0, None)
    shrunk = RepositoryInfo((backup("full", 2, stored=2 * GB), backup("incr", 0)))
    assert replace(FINE, repository=shrunk).full_days is None
    young = RepositoryInfo((backup("full", 0.9), backup("incr", 0, stored=2 * GB)))
    assert replace(FINE, repository=young).database_bytes_per_day is None


SEGMENT = 16 * 2**20
END = (1303 + 1) * SEGMENT
"""Where the newest archived segment ends."""


@pytest.mark.parametrize(
    ("archiver", "exposure"),
    [
        ({}, None),
        ({"lsn": END + 40}, Exposure(0, None)),
        ({"lsn": END + 5_000}, Exposure(5_000, at(seconds=38))),
        ({"lsn": END + 5_000, "last_at": at(hours=9)}, Exposure(0, None)),
        ({"lsn": END + 5_000, "last_at": at(hours=9), "timeout_seconds": 0}, Exposure(5_000, at(hours=9))),
        ({"lsn": END + 5_000, "last_at": at(hours=9), "waiting": 1}, Exposure(5_000, at(hours=9))),
        ({"lsn": END + 5_000, "last_at": at(hours=9), "failed_at": at(hours=1)}, Exposure(5_000, at(hours=9))),
        ({"lsn": END + 3 * SEGMENT, "last_at": at(hours=9)}, Exposure(3 * SEGMENT, at(hours=9))),
        ({"lsn": END + 40, "last_wal": "00000001.history"}, Exposure(0, None)),
        ({"lsn": END + 40, "timeline": 2}, None),
    ],
    ids=[
        "recovering",
        "just switched",
        "written since",
        "idle",
        "idle without archive_timeout",
        "waiting",
        "failing",
        "three segments",
        "after a history file",
        "nothing of this timeline",
    ],
)
def test_what_would_be_lost_with_the_volume_is_counted_by_positions(
    archiver: dict[str, Any], exposure: Exposure | None
) -> None:
    assert replace(FINE, archiver=replace(ARCHIVER, **archiver)).exposure == exposure


def test_dropped_wal_is_lost_with_the_volume() -> None:
    dropped = replace(ARCHIVER, last_wal=segment(1310), lsn=END + 7 * SEGMENT)
    assert replace(FINE, archiver=dropped, missing_wal=segment(1310)).exposure == Exposure(7 * SEGMENT, at(seconds=38))


def test_figures_without_data_are_unknown() -> None:
    young = replace(
        FINE,
        repository=RepositoryInfo((backup("full", 0, wal=1),), wal=Wal(segment(1), segment(9))),
        answered_at={"repository": NOW},
    )
    assert (young.growth_bytes_per_day, young.wal_bytes_per_day, young.outage_days) == (None, None, None)
    unread = Snapshot(ReleaseRef("shop", "postgresql"), NOW)
    assert (unread.stored_bytes, unread.growth_bytes_per_day, unread.wal_bytes_per_day, unread.outage_days) == (
        None,
        None,
        None,
        None,
    )
    idle = replace(FINE, repository=RepositoryInfo((backup("full", 9),), wal=Wal(segment(100), segment(100))))
    assert (idle.wal_bytes_per_day, idle.outage_days) == (0, None)


def _job(name: str, cronjob: str, **status: Any) -> dict[str, Any]:
    owner = {"kind": "CronJob", "name": cronjob}
    return {
        "kind": "Job",
        "metadata": {"name": name, "uid": name, "ownerReferences": [owner]},
        "spec": {},
        "status": status,
    }


REPORT = """file missing '20261122-022400F/pg_data/base/1/2.gz'
status: error
  archiveId: 15-1, total WAL checked: 7, total valid WAL: 7
  backup: 20261122-022400F, status: invalid, total files checked: 971, total valid files: 970
    missing: 1, checksum invalid: 0, size invalid: 0, other: 0
"""
SOUND = """INFO: stanza: main
      status: ok
        archiveId: 15-1, total WAL checked: 1207, total valid WAL: 1207
          missing: 0, checksum invalid: 0, size invalid: 0, other: 0
        backup: 20261122-022400F, status: valid, total files checked: 971, total valid files: 971
INFO: verify command end: completed successfully (3568ms)
stanza: main
status: ok
  archiveId: 15-1, total WAL checked: 1207, total valid WAL: 1207
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
valid backups: 3
"""


def test_the_result_of_a_scheduled_verification_comes_from_its_job_without_a_record() -> None:
    assert FINE.verification is None
    ref = Ref(JOB, "v-1", "shop")
    ended = {"startTime": "2026-11-23T05:00:00Z", "completionTime": "2026-11-23T05:10:00Z"}
    passed = _job("v-1", "postgresql-backup-verify", **ended, conditions=[{"type": "Complete", "status": "True"}])
    valid = reduce(FINE, ObjectSeen(NOW, ref, passed))
    assert valid.verification is not None
    assert (valid.verification.is_valid, valid.verification.moment) == (True, datetime(2026, 11, 23, 5, 10, tzinfo=UTC))
    assert [run.kind for run in valid.runs] == ["full", "verify"]
    assert [run.name for run in valid.runs_without_log] == ["v-1"]

    counted = reduce(valid, LogRead(ref, SOUND.splitlines()))
    assert counted.verification is not None
    assert (counted.verification.is_valid, counted.verification.backups, counted.verification.segments_checked) == (
        *(True, 3),
        1207,
    )
    assert not counted.runs_without_log
    text = report.verification_text(replace(counted, at=at(24)))
    assert text.endswith(" ago: valid, 3 backups and 1,207 WAL segments")
    for no_report in (LogFailed(ref, "no pod", is_final=True), LogRead(ref, ["no report"])):
        uncounted = reduce(valid, no_report)
        assert not uncounted.runs_without_log
        assert report.verification_text(uncounted).endswith(" ago: valid")

    conditions = [{"type": "Failed", "status": "True", "lastTransitionTime": "2026-11-23T05:10:00Z"}]
    failed = _job("v-1", "postgresql-backup-verify", startTime="2026-11-23T05:00:00Z", conditions=conditions)
    unread = reduce(FINE, ObjectSeen(NOW, ref, failed))
    assert unread.verification is None
    damaged = reduce(unread, LogRead(ref, REPORT.splitlines())).verification
    assert damaged is not None
    assert ([each.label for each in damaged.damaged], damaged.files) == (
        ["20261122-022400F"],
        ("20261122-022400F/pg_data/base/1/2.gz",),
    )


def test_a_verification_whose_job_is_deleted_is_known_by_its_schedule() -> None:
    cron = replace(FULL, name="postgresql-backup-verify", kind="verify", succeeded=at(20))
    assert "verified 20 d ago: valid" in report.verification_text(replace(FINE, crons=(FULL, cron)))


RECEIPT = json.dumps(
    {
        "backup": "20261122-020000F",
        "timeline": 1,
        "lsn": "0/7000000",
        "reached_at": "2026-11-23T06:00:00Z",
        "bytes": 5,
        "segments": 2,
        "checks": [{"name": "wal", "outcome": "OUTCOME", "seconds": 1, "text": "a \x1b[31mhole"}],
    }
)


def _drill_pod(message: str) -> dict[str, Any]:
    ended = {"exitCode": 0, "message": message, "finishedAt": "2026-11-23T06:10:00Z"}
    return {
        "spec": {"containers": [{"name": "drill"}]},
        "metadata": {"name": "p", "ownerReferences": [{"kind": "Job", "uid": "d-1"}]},
        "status": {
            "phase": "Succeeded",
            "startTime": "2026-11-23T06:00:00Z",
            "containerStatuses": [{"name": "drill", "state": {"terminated": ended}}],
        },
    }


def test_the_receipt_of_a_scheduled_drill_counts_like_that_of_a_drill_by_hand() -> None:
    ref = Ref(JOB, "d-1", "shop")
    ended = {"startTime": "2026-11-23T06:00:00Z", "completionTime": "2026-11-23T06:10:01Z"}
    passed = _job("d-1", "postgresql-backup-drill", **ended, conditions=[{"type": "Complete", "status": "True"}])
    seen = reduce(FINE, ObjectSeen(NOW, ref, passed))
    assert [run.kind for run in seen.runs] == ["full", "drill"]
    assert "whose receipt is gone with its pod" in "\n".join(fact.text for fact in report.facts(seen))

    proven = reduce(seen, JobPodSeen(NOW, _drill_pod(RECEIPT.replace("OUTCOME", "passed"))))
    assert proven.drill is not None
    assert (proven.drill.seconds, proven.drill.lsn, proven.drill.checks[0].text) == (600, "0/7000000", "a [31mhole")
    assert "ago to 2026-11-23 06:00:00 UTC, 10 min" in "\n".join(fact.text for fact in report.facts(proven))
    failed = reduce(seen, JobPodSeen(NOW, _drill_pod(RECEIPT.replace("OUTCOME", "failed"))))
    assert [reason.key for reason in judge(failed).reasons] == ["status-drill"]
    unread = reduce(seen, JobPodSeen(NOW, _drill_pod("no JSON")))
    assert unread.drill == seen.drill


def test_a_drill_whose_job_is_deleted_is_known_by_its_schedule() -> None:
    cron = replace(FULL, name="postgresql-backup-drill", kind="drill", succeeded=at(20))
    known = replace(FINE, crons=(FULL, cron))
    assert known.drill is not None
    assert known.drill.moment == at(20)


def test_the_last_check_stays_in_sight_behind_any_number_of_later_backups() -> None:
    conditions = [{"type": "Complete", "status": "True"}]
    snapshot = reduce(
        FINE,
        ObjectSeen(
            NOW,
            Ref(JOB, "v-1", "shop"),
            _job("v-1", "postgresql-backup-verify", startTime="2026-11-01T05:00:00Z", conditions=conditions),
        ),
    )
    for number in range(30):
        name, started = f"b-{number}", f"2026-11-{number % 20 + 2:02}T02:00:00Z"
        job = _job(name, "postgresql-pgbackrest-full", startTime=started, conditions=conditions)
        snapshot = reduce(snapshot, ObjectSeen(NOW, Ref(JOB, name, "shop"), job))
    assert len(snapshot.runs) == status_snapshot.MAX_RUNS
    assert snapshot.runs[0].kind == "verify"


def test_a_job_whose_pod_finds_no_node_is_stalled_until_it_has_one() -> None:
    pod: dict[str, Any] = {
        "spec": {"containers": [{"name": "backup"}]},
        "metadata": {"name": "p", "ownerReferences": [{"kind": "Job", "uid": DONE.uid}]},
        "status": {
            "phase": "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
            ],
        },
    }
    stalled = reduce(FINE, JobPodSeen(NOW, pod))
    assert stalled.stalls == {DONE.uid: "cannot be scheduled: 0/3 nodes"}
    assert reduce(stalled, JobPodSeen(NOW, {**pod, "status": {"phase": "Running"}})).stalls == {}


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


def test_jobs_that_ran_at_the_same_time_are_not_credited_with_a_backup() -> None:
    """The second waits for the first one's lock, so that both backups lie within its time."""
    first, second = FINE.backups
    early = replace(DONE, uid="a", started=first.start, ended=first.stop)
    late = replace(DONE, uid="b", started=first.start, ended=second.stop)
    both = replace(FINE, runs=(early, late))
    assert (both.backup_of(early), both.backup_of(late)) == (None, None)
    assert both.is_backup_unclear(early)
    assert both.is_backup_unclear(late)
    one_after_another = replace(late, started=second.start)
    alone = replace(FINE, runs=(early, one_after_another))
    assert (alone.backup_of(early), alone.backup_of(one_after_another)) == (first, second)
    assert not alone.is_backup_unclear(early)


def test_freshness_is_that_of_the_oldest_answer() -> None:
    """A watch is silent while nothing changes, so only a source that never answered is reported as such."""
    assert FINE.read_at == at(seconds=20)
    assert replace(FINE, answered_at={**FINE.answered_at, "volume": at(seconds=90)}).read_at == at(seconds=90)
    assert Snapshot(ReleaseRef("shop", "postgresql"), NOW, answered_at={"jobs": NOW}).read_at is None
    bare = ReleaseSummary(1, "deployed", NOW, backups=False, superuser=None)
    assert replace(FINE, release=bare, answered_at={**FINE.answered_at, "archiver": at(9)}).read_at == at(seconds=20)


def test_times_are_read_as_kubernetes_and_postgresql_write_them() -> None:
    noon = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    for text in ("2026-11-23T12:00:00Z", "2026-11-23 12:00:00+00", "2026-11-23 13:00:00+01", "2026-11-23T12:00:00"):
        assert status_snapshot.moment(text) == noon
    for wrong in (None, "", "yesterday", "0001-01-01T00:00:00+14:00"):
        assert status_snapshot.moment(wrong) is None


# ---- observations --------------------------------------------------------------------------------------------------

EMPTY = Snapshot(ReleaseRef("shop", "postgresql"), at(1))


def job(name: str, uid: str = "u", **status_: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": uid, "creationTimestamp": "2026-11-23T11:00:00Z"}
    return {"kind": "Job", "metadata": metadata, "status": status_}


def failed(message: str = "Job has reached the specified backoff limit") -> dict[str, Any]:
    ended = "2026-11-23T11:09:00Z"
    return {"conditions": [{"type": "Failed", "status": "True", "message": message, "lastTransitionTime": ended}]}


def of_job(name: str, obj: Any) -> Observation:
    return ObjectSeen(NOW, Ref(JOB, name, "shop"), obj)


def test_an_answer_is_kept_when_the_next_poll_fails_with_a_reason() -> None:
    first = reduce(EMPTY, VolumeRead(at(seconds=60), Volume(10, 5)))
    then = reduce(first, SourceFailed(NOW, "volume", failure("pods/exec is forbidden")))
    assert (then.volume, then.answered_at, then.failures) == (
        Volume(10, 5),
        {"volume": at(seconds=60)},
        {"volume": failure("pods/exec is forbidden")},
    )
    again = reduce(then, VolumeRead(NOW, Volume(10, 4)))
    assert (again.volume, again.failures, again.at) == (Volume(10, 4), {}, NOW)


def test_loading_differs_from_empty() -> None:
    assert "cronjobs" in EMPTY.pending_sources
    listed = reduce(EMPTY, ListRead(NOW, CRONJOB))
    assert "cronjobs" not in listed.pending_sources
    assert listed.crons == ()
    denied = reduce(EMPTY, SourceFailed(NOW, "cronjobs", failure("forbidden")))
    assert "cronjobs" not in denied.pending_sources


def test_a_record_counts_as_missing_until_it_exists_again() -> None:
    missed = reduce(FINE, ReleaseRead(at(seconds=60), Missing("there")))
    again = reduce(missed, ReleaseRead(NOW, Missing("gone")))
    assert again.missing == Missing("gone", at(seconds=60))
    assert again.failures == {"release": Finding(text="there is no release postgresql in namespace shop")}
    assert (again.release, again.answered_at["release"]) == (FINE.release, FINE.answered_at["release"])
    unread = reduce(again, SourceFailed(NOW, "release", failure("no route")))
    assert unread.missing == again.missing
    back = reduce(unread, ReleaseRead(NOW, RELEASE))
    assert (back.missing, back.failures) == (None, {})


@pytest.mark.parametrize(
    ("applied", "unsettled"),
    [(at(minutes=1), True), (at(minutes=-1), True), (at(minutes=31), False), (at(3), False), (None, False)],
)
def test_an_apply_that_is_long_ago_is_not_waited_for(applied: datetime | None, unsettled: bool) -> None:
    """With --no-wait it stays one that is being applied; one that was stopped continues in the cluster."""
    there = replace(FINE, objects={STATEFUL: Health("ready", "1 of 1 pods ready")})
    for outcome in ("applying", "interrupted"):
        release = ReleaseSummary(2, outcome, applied, backups=True, superuser=None)
        assert replace(there, release=release).is_changing is unsettled
    assert not there.is_changing


def test_a_statefulset_that_is_long_gone_is_not_waited_for() -> None:
    there = replace(FINE, objects={STATEFUL: Health("ready", "1 of 1 pods ready")})
    gone = reduce(there, ObjectSeen(NOW, STATEFUL))
    later = reduce(gone, SourceFailed(at(minutes=-31), "volume", failure("there is no pod")))
    back = reduce(later, ObjectSeen(at(minutes=-32), STATEFUL, named("StatefulSet", "postgresql")))
    again = reduce(back, ObjectSeen(at(minutes=-33), STATEFUL))
    assert [each.is_changing for each in (there, gone, later, back, again)] == [False, True, False, False, True]
    listed = reduce(EMPTY, ListRead(at(1), STATEFULSET))
    assert (EMPTY.is_changing, listed.is_changing, replace(listed, at=NOW).is_changing) == (False, True, False)


def test_a_namespace_that_does_not_end_is_not_waited_for() -> None:
    missing = reduce(FINE, ReleaseRead(NOW, Missing("ending")))
    assert (missing.is_changing, replace(missing, at=at(minutes=-31)).is_changing) == (True, False)
    assert not reduce(FINE, ReleaseRead(NOW, Missing("there"))).is_changing


def test_a_job_runs_and_ends() -> None:
    name = "postgresql-pgbackrest-incr-29391"
    running = reduce(EMPTY, of_job(name, job(name, active=1, startTime="2026-11-23T11:05:00Z")))
    started = datetime(2026, 11, 23, 11, 5, tzinfo=UTC)
    assert running.runs == (Run(name, "u", "incr", "running", started, None, "running"),)
    ended = reduce(running, of_job(name, job(name, startTime="2026-11-23T11:05:00Z", **failed("too late"))))
    over = datetime(2026, 11, 23, 11, 9, tzinfo=UTC)
    assert ended.runs == (Run(name, "u", "incr", "failed", started, over, "too late"),)
    assert "log" in ended.pending_sources
    assert reduce(ended, of_job(name, None)).runs == ()


LONG = "a-release-whose-name-fills-its-limit"


@pytest.mark.parametrize(
    ("release", "name", "owner", "kind"),
    [
        ("postgresql", "postgresql-pgbackrest-full-29391", "postgresql-pgbackrest-full", "full"),
        ("postgresql", "postgresql-pgbackrest-init", "", "init"),
        ("postgresql", "postgresql-pgbackrest-full-by-hand", "", "incr"),
        (LONG, f"{LONG}-pgbackrest-6924b0c0", f"{LONG}-pgbackrest-full", "full"),
        ("db-pgbackrest-full", "db-pgbackrest-full-pgbackrest-incr-29", "db-pgbackrest-full-pgbackrest-incr", "incr"),
        ("db-pgbackrest-full", "db-pgbackrest-full-pgbackrest-full-29", "db-pgbackrest-full-pgbackrest-full", "full"),
        ("db-pgbackrest-init", "db-pgbackrest-init-pgbackrest-incr-29", "db-pgbackrest-init-pgbackrest-incr", "incr"),
    ],
)
def test_the_kind_of_a_job_is_that_of_the_cronjob_that_owns_it(release: str, name: str, owner: str, kind: str) -> None:
    """Its name may be cut, and holds whatever the release is called."""
    obj = job(name)
    obj["metadata"]["ownerReferences"] = [{"kind": "CronJob", "name": owner}] if owner else []
    snapshot = reduce(replace(EMPTY, ref=ReleaseRef("shop", release)), of_job(name, obj))
    assert [run.kind for run in snapshot.runs] == [kind]


def test_the_kind_of_a_schedule_is_that_of_its_whole_name() -> None:
    """A CronJob of another tool under the same labels is no schedule of full backups."""
    result = EMPTY
    for name in ("postgresql-pgbackrest-full", "postgresql-pgbackrest-incr", "postgresql-check-full"):
        seen = ObjectSeen(NOW, Ref(CRONJOB, name, "shop"), named("CronJob", name))
        result = reduce(result, seen)
    assert {cron.name: cron.kind for cron in result.crons} == {
        "postgresql-check-full": "incr",
        "postgresql-pgbackrest-full": "full",
        "postgresql-pgbackrest-incr": "incr",
    }


def named(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": name, "uid": f"uid of {name}"},
        "spec": {"schedule": "* * * * *"},
        **more,
    }


def test_a_name_is_shown_in_plain_text_and_kept_for_requests() -> None:
    """The API server refuses such names; an impostor need not."""
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
        snapshot = reduce(snapshot, ObjectSeen(NOW, Ref(resource, name, "shop"), value))
    assert [(cron.name, cron.real_name) for cron in snapshot.crons] == [
        (FIT_NAME, HOSTILE_NAME),
        (f"{FIT_NAME}-full", f"{HOSTILE_NAME}-full"),
    ]
    assert [(run.name, run.real_name) for run in snapshot.runs] == [(FIT_NAME, HOSTILE_NAME)]
    texts = [
        json.dumps(as_json(status_line(snapshot, judge(snapshot))), ensure_ascii=False),
        *state_and_reasons(snapshot)[1],
    ]
    texts += [part for line in report.status_lines(snapshot, judge(snapshot)) for part in line.splitlines()]
    assert [text for text in texts if not text.isprintable()] == []
    assert any(f"Pod shop/{FIT_NAME}" in text for text in texts)
    log = LogRead(Ref(JOB, HOSTILE_NAME, "shop"), ["its last line"])
    assert reduce(snapshot, log).runs[0].tail == ("its last line",)
    for resource in (CRONJOB, JOB):
        snapshot = reduce(snapshot, ObjectSeen(NOW, Ref(resource, HOSTILE_NAME, "shop")))
    assert ([cron.name for cron in snapshot.crons], snapshot.runs) == ([f"{FIT_NAME}-full"], ())


def test_the_log_of_a_failed_job_gives_its_cause_and_stays_with_it() -> None:
    name = "postgresql-pgbackrest-full-1"
    seen = reduce(EMPTY, of_job(name, job(name, **failed())))
    lines = ["P00   INFO: backup command begin", "P00  ERROR: [050]: unable to acquire lock on file '/tmp/x.lock'"]
    result = reduce(seen, LogRead(Ref(JOB, name, "shop"), lines))
    again = reduce(result, of_job(name, job(name, **failed())))
    assert again.runs[0].tail == tuple(lines)
    assert again.runs[0].fault is not None
    assert again.runs[0].fault.exit_code == 50
    assert "log" not in again.pending_sources
    second = reduce(again, of_job(name, job(name, uid="another", **failed())))
    assert second.runs[0].tail is None


def test_a_log_that_can_never_be_read_is_replaced_by_the_reason() -> None:
    name = "postgresql-pgbackrest-full-1"
    seen = reduce(EMPTY, of_job(name, job(name, **failed())))
    result = reduce(seen, LogFailed(Ref(JOB, name, "shop"), "it has no pod", is_final=True))
    assert result.runs[0].tail == ("the log cannot be read: it has no pod",)
    assert "log" not in result.pending_sources


def test_a_log_that_could_not_be_read_this_time_is_neither_read_nor_loading() -> None:
    name, ref = "postgresql-pgbackrest-full-1", Ref(JOB, "postgresql-pgbackrest-full-1", "shop")
    seen = reduce(EMPTY, of_job(name, job(name, **failed())))
    result = reduce(seen, LogFailed(ref, "pods/log is forbidden"))
    result = reduce(result, of_job(name, job(name, **failed())))
    assert (result.runs[0].tail, result.runs[0].unread) == (None, "pods/log is forbidden")
    assert "log" not in result.pending_sources
    read = reduce(result, LogRead(ref, ["P00  ERROR: [050]: unable to acquire lock on file '/tmp/x'"]))
    assert (read.runs[0].unread, (read.runs[0].fault or pytest.fail("no cause")).exit_code) == ("", 50)


def test_the_pod_of_a_job_is_none_of_the_release_s_objects() -> None:
    owned = {"kind": "Pod", "metadata": {"name": "x", "ownerReferences": [{"kind": "Job", "name": "j"}]}}
    assert reduce(EMPTY, ObjectSeen(NOW, Ref(POD, "x", "shop"), owned)).objects == {}


def test_a_snapshot_stays_bounded_whatever_comes() -> None:
    snapshot = EMPTY
    for number in range(3_000):
        name = f"postgresql-pgbackrest-incr-{number}"
        started = f"2026-11-23T11:{number // 60 % 60:02}:{number % 60:02}Z"
        snapshot = reduce(snapshot, of_job(name, job(name, startTime=started, **failed())))
        snapshot = reduce(snapshot, LogRead(Ref(JOB, name, "shop"), ["line"] * 500))
        pod = {"kind": "Pod", "metadata": {"name": f"pod-{number}"}}
        snapshot = reduce(snapshot, ObjectSeen(NOW, Ref(POD, f"pod-{number}", "shop"), pod))
        cron = {"metadata": {"name": f"cron-{number}"}, "spec": {"schedule": "0 2 * * *"}}
        snapshot = reduce(snapshot, ObjectSeen(NOW, Ref(CRONJOB, f"cron-{number}", "shop"), cron))
        snapshot = reduce(snapshot, SourceFailed(NOW, "volume", failure(f"failure {number}")))
    assert len(snapshot.runs) == status_snapshot.MAX_RUNS
    assert {len(each.tail or ()) for each in snapshot.runs} == {status_snapshot.MAX_TAIL_LINES}
    assert len(snapshot.objects) == status_snapshot.MAX_OBJECTS
    assert len(snapshot.crons) == status_snapshot.MAX_OBJECTS
    assert snapshot.failures == {"volume": failure("failure 2999")}


def test_the_limits_never_drop_what_the_verdict_needs() -> None:
    own_cron, running = "postgresql-pgbackrest-full", "postgresql-pgbackrest-full-1"
    spec = {"spec": {"schedule": "0 2 * * *"}}
    snapshot = EMPTY
    for number in range(60):
        for resource in (POD, CLAIM):
            other = Ref(resource, f"a-{number}", "shop")
            obj = {"kind": resource.kind, "metadata": {"name": other.name}}
            snapshot = reduce(snapshot, ObjectSeen(NOW, other, obj))
        cron = {"metadata": {"name": f"a-{number}"}, **spec}
        snapshot = reduce(snapshot, ObjectSeen(NOW, Ref(CRONJOB, f"a-{number}", "shop"), cron))
    own = {"kind": "StatefulSet", "metadata": {"name": "postgresql"}, "spec": {"replicas": 1}}
    lost = {"kind": "PersistentVolumeClaim", "metadata": {"name": "z"}, "status": {"phase": "Lost"}}
    snapshot = reduce(snapshot, ObjectSeen(NOW, STATEFUL, own))
    snapshot = reduce(snapshot, ObjectSeen(NOW, Ref(CLAIM, "z", "shop"), lost))
    full = {"metadata": {"name": own_cron}, **spec}
    snapshot = reduce(snapshot, ObjectSeen(NOW, Ref(CRONJOB, own_cron, "shop"), full))
    snapshot = reduce(snapshot, of_job(running, job(running, startTime="2026-11-22T02:00:00Z")))
    for number in range(60):
        name, started = f"postgresql-pgbackrest-incr-{number}", f"2026-11-23T11:{number:02}:00Z"
        snapshot = reduce(snapshot, of_job(name, job(name, startTime=started, **failed())))
    assert STATEFUL in snapshot.objects
    assert [cron.name for cron in snapshot.crons if cron.kind == "full"] == [own_cron]
    assert snapshot.runs[0].name == running


def test_hostile_text_becomes_plain() -> None:
    name = "postgresql-pgbackrest-full"
    spec = {"schedule": "0 2 * * *\x1b[2J", "timeZone": "\u202eUTC"}
    cron = {"metadata": {"name": name}, "spec": spec, "status": {"lastScheduleTime": "\x1b"}}
    snapshot = reduce(EMPTY, ObjectSeen(NOW, Ref(CRONJOB, name, "shop"), cron)).crons[0]
    assert (snapshot.schedule, snapshot.zone, snapshot.last) == ("0 2 * * * [2J", "UTC", None)
