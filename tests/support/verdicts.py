"""Each fault made for real in the cluster, beside what the status says of it and what a restore reaches.

``make verdicts`` prints a table for each pair of PostgreSQL and pgBackRest: one release on an S3 server of its own goes
through all of them. The words after the command choose faults by parts of their names, ``--major`` one pair.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pgwizard.clock import utc_now
from pgwizard.kube.client import connect
from pgwizard.plan.names import ReleaseRef
from pgwizard.status.observe import POLL_SOURCES, Again, observe
from pgwizard.status.report import facts
from pgwizard.status.snapshot import Snapshot
from pgwizard.status.verdict import WAITS_SECONDS, Verdict, judge
from support import archives, other_checks, small_volumes
from support.archives import SEGMENT, back_up, change, delete, end, files, keep, mend, remove, stored, wal, write
from support.live_releases import CLAIM, FULL, HOOK, INCREMENTAL, POD, Site, site
from support.own_store import CERTIFICATE, KEY, SECRET, OwnStore
from support.restores import PAIRS, build, images
from support.restoring import recover, recover_in_place, run_offline
from support.rigtools import KUBECONFIG, find_kubectl
from support.waiting import DEADLINE_SECONDS, KUBECTL_DEADLINE, wait_until

_AGAIN_SECONDS = 5.0
"""How often all sources are read: what a fault needs longer than this is not the pace of its source."""
_SLOWEST = 15.0
"""A fault shows within so many seconds once its source is read."""
_INFO = ("--stanza=main", "--output=json", "--io-timeout=5")
"""As the status reads the repository."""
_GARBAGE = "printf garbage | dd of=/tmp/file bs=1 seek=5000 conv=notrunc status=none"


class Watch:
    """A status screen without a screen: the newest snapshot of a release, with its verdict."""

    def __init__(self, namespace: str, ahead: timedelta = timedelta()) -> None:
        self._namespace, self._ahead = namespace, ahead
        self._again = Again()
        self._loop = asyncio.new_event_loop()
        self._snapshot: Snapshot | None = None
        self.notice = float("inf")
        """After how many seconds of ``until`` a line first said that something is waited for."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _now(self) -> datetime:
        return utc_now() + self._ahead

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._observe())

    async def _observe(self) -> None:
        self._task = asyncio.current_task()
        async with await connect(None, KUBECONFIG) as cluster:
            ref = ReleaseRef(self._namespace, "postgresql")
            async with aclosing(observe(cluster, ref, now=self._now, again=self._again)) as snapshots:
                async for snapshot in snapshots:
                    self._snapshot = snapshot

    def stop(self) -> None:
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(60)

    def latest(self) -> tuple[Snapshot, Verdict] | None:
        """The newest snapshot at this moment, once everything was read."""
        snapshot = self._snapshot
        if snapshot is None or snapshot.pending_sources:
            return None
        return snapshot, judge(snapshot)

    def until(self, reached: Callable[[Verdict], bool]) -> tuple[float, Verdict | None]:
        """Ask until the verdict is so: after how many seconds, and the verdict; the last one where it never is."""
        begun = last_look = time.monotonic()
        self.notice = float("inf")
        self._loop.call_soon_threadsafe(self._again.ask, *POLL_SOURCES)
        while (now := time.monotonic()) - begun < 150:
            result = self.latest()
            if result is not None and self.notice > now - begun and _is_waiting(result[0]):
                self.notice = now - begun
            if result is not None and reached(result[1]):
                return now - begun, result[1]
            if now - last_look > _AGAIN_SECONDS:
                last_look = now
                self._loop.call_soon_threadsafe(self._again.ask, *POLL_SOURCES)
            threading.Event().wait(0.1)
        result = self.latest()
        return float("inf"), result[1] if result else None


def _is_waiting(snapshot: Snapshot) -> bool:
    """Whether a line of the screen says that an answer, or a segment, is late, and by when it is known."""
    return any("no answer for" in fact.text or "(late after" in fact.text for fact in facts(snapshot))


@dataclass
class Lab:
    """The release, its store, and what the faults leave for one another."""

    place: Site
    store: OwnStore
    number: int = 0
    jobs: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    images: dict[str, Any] = field(default_factory=dict)

    def row(self) -> str:
        """Commit and archive one more row; the name of its segment."""
        self.number += 1
        return write(self.place, self.number)

    def full(self) -> str:
        """A full backup, and a row after it."""
        return self.take(FULL)

    def take(self, cronjob: str) -> str:
        label = back_up(self.place, cronjob, self.job("backup"))
        self.row()
        return label

    def job(self, stem: str) -> str:
        self.jobs += 1
        return f"{stem}-{self.jobs}"

    def patch(self, kind: str, name: str, spec: Any) -> None:
        self.place.kubectl.run("patch", kind, name, "--type=merge", f"--patch={json.dumps({'spec': spec})}")

    def scale(self, replicas: int) -> None:
        self.place.kubectl.run("scale", "statefulset", "postgresql", f"--replicas={replicas}")
        if replicas:
            self.place.kubectl.run("wait", "--for=create", f"pod/{POD}", KUBECTL_DEADLINE)
            self.place.kubectl.run("wait", "--for=condition=Ready", f"pod/{POD}", KUBECTL_DEADLINE)
        else:
            self.place.kubectl.run("wait", "--for=delete", f"pod/{POD}", KUBECTL_DEADLINE)

    def setting(self, statement: str) -> None:
        self.place.sql(statement)
        self.place.sql("SELECT pg_reload_conf()")

    def bundle(self, label: str) -> str:
        """The largest file of a backup."""
        result = files(self.place, f"backup/main/{label}")
        return f"backup/main/{label}/" + max((size, name) for name, size in result.items() if "bundle/" in name)[1]

    def newest_full(self) -> str:
        return str(next(each["label"] for each in reversed(self.place.info()["backup"]) if each["type"] == "full"))

    def verify(self) -> None:
        place = self.place
        command = place.command(None, "verify", "postgresql", f"--namespace={place.kubectl.namespace}", "--json")
        subprocess.run(
            command, capture_output=True, timeout=DEADLINE_SECONDS, check=False, env={**os.environ, **place.variables}
        )


@dataclass(frozen=True)
class Fault:
    """make: the fault; undo: its end. states: the verdicts that are right; reason: an expression that finds the reason.

    oracle: what a restore must do, by default ``check_windows``; ahead: how far the status' clock is ahead.
    pace: after how many seconds its source can know of it, as the screen shows.
    """

    name: str
    states: tuple[str, ...]
    reason: str
    make: Callable[[Lab], object]
    undo: Callable[[Lab], object]
    oracle: Callable[[Lab, Verdict], str] | None = None
    ahead: timedelta = timedelta()
    has_tools: bool = True
    pace: float = 0


@dataclass
class Row:
    """One fault, and what the verdict and each tool report of it.

    pace: how long its source needs for it: ``pgbackrest info``, or what the fault itself has as its pace. notice: when
    a line of the screen says that it is waited for.
    """

    fault: str
    verdict: str = ""
    reason: str = ""
    shown: float = float("inf")
    notice: float = float("inf")
    gone: float = float("inf")
    pace: float = 0
    oracle: str = ""
    tools: tuple[str, str, str] = ("", "", "")
    errors: list[str] = field(default_factory=list)


# ---- the oracle ------------------------------------------------------------------------------------------------------


def check_windows(lab: Lab, verdict: Verdict) -> str:
    """Restore to the end of each window, and to a moment before all. Raises AssertionError where one is not as claimed.

    Where nothing is claimed, no backup may be restorable.
    """
    place, windows = lab.place, (*verdict.windows, *verdict.branches)
    for window in windows:
        chosen = (f"--set={window.base}", "--type=default", f"--target-timeline={window.timeline}")
        reached = recover(place, lab.job("inside"), *chosen)
        assert reached.code == 0, f"window from {window.base} cannot be restored: {_last(reached.log)}"
        ends = end(window.last)
        assert reached.redo >= ends - SEGMENT, f"the restore ends at {reached.redo:X}, before {window.last}"
        if window.hole is not None:
            assert reached.redo < ends, f"the restore gets behind the hole at {window.hole.first}"
    if windows:
        first = min(each["timestamp"]["start"] for each in _info(lab)["backup"])
        before = f"{datetime.fromtimestamp(first - 1, UTC):%Y-%m-%d %H:%M:%S}+00"
        early = ("--type=time", f"--target={before}", "--target-action=promote")
        assert recover(place, lab.job("before"), *early).code, f"{before} can be restored"
        return f"{len(windows)} window{'s' if len(windows) > 1 else ''} right"
    return check_nothing(lab, verdict)


def check_nothing(lab: Lab, _: Verdict) -> str:
    """No restore succeeds."""
    labels = [[f"--set={each['label']}"] for each in _info(lab).get("backup", ())]
    for chosen in [[], *labels]:
        reached = recover(lab.place, lab.job("nothing"), "--io-timeout=5", *chosen)
        assert reached.code, f"a restore succeeds{' '.join(['', *chosen])}: rows {reached.rows}"
    return f"no restore of {len(labels) + 1} succeeds"


def check_later(lab: Lab, _: Verdict) -> str:
    """Nothing in the repository is damaged: a restore reaches all rows."""
    reached = recover(lab.place, lab.job("all"))
    wanted = ",".join(map(str, range(1, lab.number + 1)))
    assert (reached.code, reached.rows) == (0, wanted), f"rows {reached.rows}, not {wanted}: {_last(reached.log)}"
    return "all rows"


def check_other(lab: Lab, _: Verdict) -> str:
    """What is restored is the other database."""
    reached = recover(lab.place, lab.job("other"))
    assert reached.code == 0, _last(reached.log)
    assert reached.rows, "no rows"
    return "restores the other one's rows"


def unreachable(lab: Lab, _: Verdict) -> str:
    """The store cannot be used, so a restore fails now."""
    reached = recover(lab.place, lab.job("unreachable"), "--io-timeout=2")
    assert reached.code, "a restore succeeds"
    return "a restore fails"


def _last(log: str) -> str:
    lines = [line for line in log.splitlines() if re.search("ERROR|FATAL|PANIC", line)]
    return lines[-1] if lines else (log.splitlines() or [""])[-1]


def _info(lab: Lab) -> dict[str, Any]:
    with contextlib.suppress(AssertionError, ValueError, IndexError):
        output = lab.place.in_pod("pgbackrest", archives.QUIET, *_INFO, "info")
        return dict(json.loads(output)[0])
    return {}


# ---- the faults ------------------------------------------------------------------------------------------------------


def _suspend(cronjob: str, *, suspend: bool) -> Callable[[Lab], None]:
    return lambda lab: lab.patch("cronjob", cronjob, {"suspend": suspend})


def _schedule(lab: Lab, schedule: str) -> None:
    lab.patch("cronjob", FULL, {"schedule": schedule})


def _fail_job(lab: Lab) -> None:
    lab.place.in_pod("pgbackrest", "--stanza=main", "stop")
    name = lab.job("failing")
    lab.place.run_job(INCREMENTAL, name)

    def has_failed() -> bool:
        conditions = lab.place.get("job", name).get("status", {}).get("conditions", [])
        return any(each["type"] == "Failed" and each["status"] == "True" for each in conditions)

    wait_until("the Job fails", has_failed)
    lab.place.in_pod("pgbackrest", "--stanza=main", "start")


def _strand_job(lab: Lab) -> None:
    """A backup Job whose pod finds no node."""
    job = json.loads(
        lab.place.kubectl.run(
            "create", "job", "stranded", f"--from=cronjob/{INCREMENTAL}", "--dry-run=client", "-o", "json"
        )[0]
    )
    job["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": "nowhere"}
    lab.place.kubectl.run("create", "--filename=-", data=json.dumps(job).encode())


def _block_archiver(lab: Lab) -> None:
    lab.setting("ALTER SYSTEM SET archive_command = 'sleep 3600'")
    for _ in range(4):
        lab.place.sql("CREATE TABLE IF NOT EXISTS waste (n int)")
        lab.place.sql("INSERT INTO waste VALUES (1)")
        lab.place.sql("SELECT pg_switch_wal()")


def _unblock_archiver(lab: Lab) -> None:
    lab.setting("ALTER SYSTEM RESET archive_command")
    lab.place.in_pod(
        "bash", "-c", 'for p in /proc/[0-9]*; do read -r c < $p/comm; [ "$c" = sleep ] && kill ${p#/proc/}; done; true'
    )


def _drop_wal(lab: Lab) -> None:
    lab.setting(
        "ALTER SYSTEM SET archive_command = 'pgbackrest --stanza=main --archive-push-queue-max=1 archive-push %p'"
    )
    lab.place.sql("CREATE TABLE IF NOT EXISTS waste (n int); INSERT INTO waste VALUES (2)")
    name = lab.place.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    lab.place.sql("SELECT pg_switch_wal()")
    wait_until(
        "PostgreSQL counts it as archived",
        lambda: lab.place.sql("SELECT last_archived_wal FROM pg_stat_archiver") >= name,
    )
    lab.setting("ALTER SYSTEM RESET archive_command")


def _delete_last(lab: Lab) -> None:
    delete(lab.place, lab.row())


def _delete_middle(lab: Lab) -> None:
    gone = lab.row()
    lab.row()
    delete(lab.place, gone)


def _delete_first(lab: Lab) -> None:
    lab.take(INCREMENTAL)
    delete(lab.place, lab.place.info()["backup"][-1]["archive"]["start"])


def _damage_segment(lab: Lab) -> None:
    name = lab.row()
    lab.row()
    change(lab.place, stored(lab.place, name), _GARBAGE)
    lab.verify()


def _two_fulls(lab: Lab) -> None:
    """Retention keeps two: everything older goes, with its WAL."""
    lab.full()
    lab.full()


def _two_fulls_and_verify(lab: Lab) -> None:
    _two_fulls(lab)
    lab.verify()


def _delete_file(lab: Lab) -> None:
    lab.notes["path"] = lab.bundle(lab.full())
    keep(lab.place, lab.notes["path"])
    remove(lab.place, lab.notes["path"])


def _truncate_file(lab: Lab) -> None:
    lab.notes["path"] = lab.bundle(lab.newest_full())
    change(lab.place, lab.notes["path"], "truncate --size=-100 /tmp/file")


def _overwrite_file(lab: Lab) -> None:
    lab.notes["path"] = lab.bundle(lab.newest_full())
    change(lab.place, lab.notes["path"], "printf garbage | dd of=/tmp/file bs=1 seek=90000 conv=notrunc status=none")
    lab.verify()


def _mend(lab: Lab) -> None:
    mend(lab.place, lab.notes["path"])


def _mend_and_verify(lab: Lab) -> None:
    _mend(lab)
    lab.verify()


def _enable_checksums(lab: Lab) -> None:
    """Scale to 0; page checksums, which PostgreSQL before 18 has off by default, come on while it is down."""
    lab.scale(0)
    data = "/var/lib/postgresql/data/pgdata"
    run_offline(lab.place, lab.job("checksums"), f"pg_checksums --check -D {data} || pg_checksums --enable -D {data}")


def _damage_page(lab: Lab) -> None:
    place = lab.place
    place.sql("CREATE TABLE victims WITH (autovacuum_enabled = off) AS SELECT generate_series(1, 1000) AS n")
    place.sql("VACUUM (FREEZE) victims")  # a page that is written again would be whole again
    place.sql("CHECKPOINT")
    lab.notes["page"] = place.sql("SELECT current_setting('data_directory') || '/' || pg_relation_filepath('victims')")
    place.in_pod("bash", "-c", f"printf garbage | dd of={lab.notes['page']} bs=1 seek=9000 conv=notrunc status=none")
    back_up(place, FULL, lab.job("backup"))


def _mend_page(lab: Lab) -> None:
    lab.place.sql("DROP TABLE victims")
    lab.place.sql("CHECKPOINT")
    lab.full()


def _switch(lab: Lab) -> None:
    """Go back to the end of the newest full backup; a newer one and its row are on the timeline that is left."""
    place, base = lab.place, lab.full()
    lab.row()
    target = place.sql("SELECT now()")
    lab.row()
    lab.full()
    options = (f"--set={base}", "--type=time", f"--target={target}", "--target-action=promote")
    done = recover_in_place(place, lab.job("switch"), *options)
    assert done.code == 0, done.log
    for name in ("restore_command", "recovery_target_time", "recovery_target_action", "recovery_target_timeline"):
        place.sql(f"ALTER SYSTEM RESET {name}")
    lab.row()


def _fill_volume(lab: Lab) -> None:
    lab.scale(0)
    small_volumes.fill(lab.place, lab.job("fill"))
    lab.scale(1)


def _empty_volume(lab: Lab) -> None:
    lab.scale(0)
    small_volumes.empty(lab.place, lab.job("empty"))
    lab.scale(1)


def _nothing(_: Lab) -> None:
    pass


def _lose_history(lab: Lab) -> None:
    timeline = int(lab.place.sql("SELECT timeline_id FROM pg_control_checkpoint()"))
    lab.notes["path"] = f"{wal(lab.place)}/{timeline:08X}.history"
    keep(lab.place, lab.notes["path"])
    remove(lab.place, lab.notes["path"])


def _archive_history(lab: Lab) -> None:
    """As the status advises."""
    name = lab.notes["path"].rpartition("/")[2]
    lab.place.in_pod("bash", "-c", f'pgbackrest --stanza=main archive-push "$PGDATA/pg_wal/{name}"')


def _clone(lab: Lab) -> None:
    lab.full()  # after a switch the newest backup may be of a timeline that was left
    timeline = int(lab.place.sql("SELECT timeline_id FROM pg_control_checkpoint()"))
    lab.notes["clone"] = f"{timeline + 1:08X}"
    done = recover(lab.place, lab.job("clone"), archives=True)
    assert done.code == 0, done.log


def _remove_clone(lab: Lab) -> None:
    folder = wal(lab.place)
    for name in files(lab.place, folder):
        if name.startswith(lab.notes["clone"]):
            remove(lab.place, f"{folder}/{name}")


def _lose_archive_info(lab: Lab) -> None:
    keep(lab.place, "archive/main/archive.info")
    for name in ("archive.info", "archive.info.copy"):
        remove(lab.place, f"archive/main/{name}")


def _mend_archive_info(lab: Lab) -> None:
    for name in ("archive.info", "archive.info.copy"):
        mend(lab.place, f"archive/main/{name}")
    lab.row()


def _lose_stanza(lab: Lab) -> None:
    for folder in ("archive/main", "backup/main"):
        remove(lab.place, folder, recurse=True)


def _empty_bucket(lab: Lab) -> None:
    for folder in ("archive", "backup"):
        remove(lab.place, folder, recurse=True)


def _apply_again(lab: Lab) -> None:
    """As the status advises."""
    lab.place.kubectl.run("delete", "job", HOOK, "--ignore-not-found")
    lab.place.apply(_answers(lab))
    lab.row()


def _other_database(lab: Lab) -> None:
    """The volume is lost: the StatefulSet makes a new database, which has the old one's path."""
    lab.scale(0)
    lab.place.kubectl.run("delete", "pvc", CLAIM, "--wait=true")
    lab.scale(1)


def _move_path(lab: Lab) -> None:
    lab.place.apply({**_answers(lab), "repository": {**_answers(lab)["repository"], "path": f"{lab.place.path}-new"}})


_FOREVER = timedelta(days=400)
FAULTS = (
    Fault(
        "CronJob suspended",
        ("at risk",),
        f"{FULL} is suspended",
        _suspend(FULL, suspend=True),
        _suspend(FULL, suspend=False),
        check_later,
    ),
    Fault(
        "CronJob never due",
        ("at risk",),
        f"{FULL} never",
        lambda lab: _schedule(lab, "0 2 30 2 *"),
        lambda lab: _schedule(lab, "0 2 1 1 *"),
        check_later,
    ),
    Fault(
        "CronJob overdue",
        ("at risk",),
        "was due on",
        lambda lab: _schedule(lab, _in_an_hour()),
        lambda lab: _schedule(lab, "0 2 1 1 *"),
        check_later,
        ahead=timedelta(hours=4),
    ),
    Fault(
        "CronJob failing",
        ("at risk",),
        "the last backup Job failed: failing",
        _fail_job,
        lambda lab: lab.take(INCREMENTAL),
        check_later,
    ),
    Fault(
        "Job without a node",
        ("at risk",),
        "stranded",
        _strand_job,
        lambda lab: lab.place.kubectl.run("delete", "job", "stranded"),
        check_later,
    ),
    Fault(
        "pod down, checksums on",
        ("at risk", "unknown"),
        "the database is down",
        _enable_checksums,
        lambda lab: lab.scale(1),
        check_later,
        has_tools=False,
    ),
    Fault("page corrupted", ("at risk",), "has page checksum errors", _damage_page, _mend_page),
    Fault("volume nearly full", ("at risk",), "of the volume is free", _fill_volume, _empty_volume, check_later),
    Fault(
        "archiver stuck",
        ("at risk",),
        "waiting to be archived",
        _block_archiver,
        _unblock_archiver,
        pace=WAITS_SECONDS,
    ),
    Fault("queue-max drop", ("at risk",), "WAL", _drop_wal, _two_fulls),
    Fault(
        "S3 stopped",
        ("at risk", "unknown"),
        "the repository cannot be read",
        lambda lab: lab.store.switch("stopped"),
        lambda lab: lab.store.switch("first"),
        unreachable,
    ),
    Fault(
        "credentials revoked",
        ("at risk", "unknown"),
        "the repository cannot be read",
        lambda lab: lab.store.switch("other credentials"),
        lambda lab: lab.store.switch("first"),
        unreachable,
    ),
    Fault(
        "CA rotated",
        ("at risk", "unknown"),
        "the certificate is no longer that of its source",
        lambda lab: lab.store.switch("other authority"),
        lambda lab: lab.store.switch("first"),
        unreachable,
    ),
    Fault("segment deleted: last", ("at risk",), "is missing|WAL was dropped", _delete_last, _two_fulls),
    Fault("segment deleted: middle", ("at risk",), "is missing", _delete_middle, _two_fulls),
    Fault(
        "segment deleted: backup's first", ("at risk",), "cannot be recovered: WAL segment", _delete_first, _two_fulls
    ),
    Fault(
        "segment damaged, verified",
        ("at risk",),
        "damaged WAL segment",
        _damage_segment,
        _two_fulls_and_verify,
    ),
    Fault("backup file deleted", ("at risk",), "is missing", _delete_file, _mend),
    Fault("backup file truncated", ("at risk",), "bytes, its manifest", _truncate_file, _mend),
    Fault("backup file overwritten, verified", ("at risk",), "found damaged files", _overwrite_file, _mend_and_verify),
    Fault("timeline switch", ("recoverable",), "", _switch, _nothing),
    Fault("second switch", ("recoverable",), "", _switch, _nothing),
    Fault(".history missing", ("at risk", "not recoverable"), r"\.history", _lose_history, _archive_history),
    Fault("clone in the same path", ("at risk",), "another server archives", _clone, _remove_clone),
    Fault(
        "archive.info gone",
        ("at risk", "not recoverable", "unknown"),
        "",
        _lose_archive_info,
        _mend_archive_info,
        check_nothing,
    ),
    Fault("stanza gone", ("not recoverable",), "", _lose_stanza, _apply_again),
    Fault("bucket emptied", ("not recoverable",), "", _empty_bucket, _apply_again),
    Fault(
        "two databases in one path",
        ("not recoverable",),
        "another database's backups",
        _other_database,
        _move_path,
        check_other,
    ),
)


def _in_an_hour() -> str:
    due = utc_now() + timedelta(hours=1)
    return f"{due.minute} {due.hour} * * *"


def _answers(lab: Lab) -> dict[str, Any]:
    namespace = lab.place.kubectl.namespace
    return {
        "images": lab.images,
        "repository": {
            "endpoint": lab.store.endpoint,
            "credentials": {"from": "env", "accessKey": "VERDICTS_ACCESS_KEY", "secretKey": "VERDICTS_SECRET_KEY"},
        },
        "tls": {"source": {"namespace": namespace, "secret": CERTIFICATE, "key": "tls.crt"}},
        "schedule": {"full": "0 2 1 1 *", "incremental": "0 3 1 1 *"},
    }


# ---- running them ----------------------------------------------------------------------------------------------------


def run(lab: Lab, fault: Fault) -> Row:
    """Make one fault, look at it from all sides, and end it."""
    row = Row(fault.name)
    watch = Watch(lab.place.kubectl.namespace, fault.ahead)
    try:
        lab.row()
        before = watch.until(lambda verdict: verdict.state == "recoverable")
        if before[1] is None or before[1].state != "recoverable":
            row.errors.append(f"before it: {_short(before[1])}")
        fault.make(lab)
        seconds, verdict = watch.until(lambda verdict: _is_shown(fault, verdict))
        row.shown, row.notice = seconds, watch.notice
        if seconds == float("inf") or verdict is None:
            row.errors.append(f"never shown: {_short(verdict)}")
        if verdict is not None:
            row.verdict = verdict.state
            row.reason = next((each.text for each in verdict.reasons if re.search(fault.reason, each.text)), "")
            begun = time.monotonic()
            message = str(_info(lab).get("status", {}).get("message", "fails"))
            row.pace = max(fault.pace, time.monotonic() - begun)
            if fault.has_tools:
                row.tools = (other_checks.check_pgbackrest(lab.place), message[:20], other_checks.verify(lab.place))
            if seconds > _SLOWEST + _AGAIN_SECONDS + row.pace:
                row.errors.append("shows late")
            if seconds > _SLOWEST + _AGAIN_SECONDS and row.notice > _SLOWEST:
                row.errors.append("the screen does not say that it is waited for")
            row.oracle = (fault.oracle or check_windows)(lab, verdict)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        row.errors.append(str(error).strip()[:600])
    try:
        fault.undo(lab)
        row.gone, after = watch.until(lambda verdict: verdict.state == "recoverable")
        if row.gone == float("inf"):
            row.errors.append(f"does not go away: {_short(after)}")
    except (AssertionError, subprocess.TimeoutExpired) as error:
        row.errors.append(f"its end: {str(error).strip()[:600]}")
    finally:
        watch.stop()
    return row


def _is_shown(fault: Fault, verdict: Verdict) -> bool:
    if not fault.reason and fault.states == ("recoverable",):
        return verdict.state == "recoverable" and bool(verdict.branches)
    return verdict.state in fault.states and any(re.search(fault.reason, each.text) for each in verdict.reasons)


def _short(verdict: Verdict | None) -> str:
    if verdict is None:
        return "nothing was read"
    return f"{verdict.state}: {'; '.join(each.text for each in verdict.reasons)}"[:600]


def table(rows: list[Row]) -> str:
    titles = (
        "fault",
        "verdict",
        "shown s",
        "pace s",
        "notice s",
        "gone s",
        "oracle",
        "check_pgbackrest",
        "info",
        "verify",
        "reason",
    )
    cells: list[tuple[str, ...]] = [titles]
    for row in rows:
        times = tuple(
            f"{seconds:.0f}" if seconds < 1e6 else "-" for seconds in (row.shown, row.pace, row.notice, row.gone)
        )
        oracle = "WRONG" if row.errors else row.oracle
        cells.append((row.fault, row.verdict, *times, oracle, *row.tools, row.reason[:100]))
    widths = [max(len(line[column]) for line in cells) for column in range(len(titles))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines += [f"{row.fault}: {error}" for row in rows for error in row.errors]
    right = sum(not row.errors for row in rows)
    return "\n".join([*lines, f"{right} of {len(rows)} right"])


@contextlib.contextmanager
def laboratory(prefix: str, folder: Path, major: int) -> Iterator[Lab]:
    """A release of a major version of PostgreSQL, on a store of its own."""
    binary = find_kubectl()
    assert binary is not None, "kubectl is neither on PATH nor in KUBEBUILDER_ASSETS"
    with site(binary, folder, create=False, prefix=prefix) as place:
        place.variables.update(VERDICTS_ACCESS_KEY=KEY, VERDICTS_SECRET_KEY=SECRET)
        lab = Lab(place, OwnStore(place.kubectl), images=images(major))
        lab.store.start()
        place.apply(_answers(lab))
        place.sql("CREATE TABLE moments (n int)")
        yield lab


def main() -> int:
    """1 where a verdict is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", nargs="*", help="parts of the names of faults")
    parser.add_argument("--major", type=int, choices=PAIRS, help="the major version of PostgreSQL; by default each")
    parser.add_argument("--prefix", default="pgw-verdicts", help="how the namespace's name begins")
    chosen = parser.parse_args()
    rig = os.environ.get("PGWIZARD_TEST_RIG", "")
    if KUBECONFIG is None or not rig:
        print("PGWIZARD_TEST_KUBECONFIG names no cluster, or PGWIZARD_TEST_RIG no rig", file=sys.stderr)
        return 1
    if other_checks.find_check_pgbackrest() is None:
        print("check_pgbackrest is not installed (Debian: check-pgbackrest): its column is skipped", file=sys.stderr)
    faults = [each for each in FAULTS if not chosen.faults or any(word in each.name for word in chosen.faults)]
    status = 0
    for major in [chosen.major] if chosen.major else PAIRS:
        build(rig, major)
        rows: list[Row] = []
        with tempfile.TemporaryDirectory() as folder, laboratory(chosen.prefix, Path(folder), major) as lab:
            for fault in faults:
                begun = time.monotonic()
                rows.append(run(lab, fault))
                result = "WRONG" if rows[-1].errors else "right"
                print(f"{major} {fault.name}: {result} ({time.monotonic() - begun:.0f} s)", file=sys.stderr)
                for error in rows[-1].errors:
                    print(f"  {error}", file=sys.stderr)
        print(f"PostgreSQL {major}, pgBackRest {PAIRS[major]}\n{table(rows)}", flush=True)
        status |= any(row.errors for row in rows)
    return status


if __name__ == "__main__":
    sys.exit(main())
