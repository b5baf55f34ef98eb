"""Restores in place of a real release; what is compared is what the tables hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.live_releases import INCREMENTAL, Done, Site, site
from support.rigtools import LIVE, LONG
from support.waiting import wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE
SMALL = {"resources": {"cpuRequest": "20m", "memoryRequest": "64Mi"}}


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path) as scene:
        scene.apply(SMALL)
        scene.sql("CREATE TABLE moments (n int)")
        yield scene


def restore(place: Site, *options: str, expect: int = 0) -> Done:
    where = f"--namespace={place.kubectl.namespace}"
    return place.pgwizard(*place.command(None, "restore", "postgresql", where, "--yes", *options), expect=expect)


def lines(done: Done, kind: str) -> list[Any]:
    items = [json.loads(line) for line in (done.out + done.err).splitlines()]
    return [line for line in items if line["type"] == kind]


def commit(place: Site, number: int) -> None:
    place.sql(f"INSERT INTO moments VALUES ({number})")


def moment(place: Site) -> str:
    """The server's time, a moment after which nothing was committed for a second."""
    now = place.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    place.sql("SELECT pg_sleep(1)")
    return now


def rows(place: Site) -> str:
    return place.sql("SELECT string_agg(n::text, ',' ORDER BY n) FROM moments")


def archived(place: Site) -> str:
    """The segment that has all that was committed; it is in the repository."""
    name = place.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    place.sql("SELECT pg_switch_wal()")
    wait_until(f"{name} is archived", lambda: bool(_stored(place, name)))
    return name


def _stored(place: Site, name: str) -> str:
    folder = f"archive/main/15-1/{name[:16]}"
    files = place.in_pod("pgbackrest", "--log-level-console=off", "repo-ls", folder).split()
    return next((f"{folder}/{file}" for file in files if file.startswith(f"{name}-")), "")


def suspended(place: Site) -> list[bool]:
    return [bool(each["spec"].get("suspend")) for each in place.kubectl.json("get", "cronjobs")["items"]]


def test_a_dropped_table_comes_back_and_every_state_between_can_be_reached(place: Site) -> None:
    commit(place, 1)
    archived(place)
    before_the_drop = moment(place)
    place.sql("DROP TABLE moments")
    after_the_drop = moment(place)
    place.sql("CREATE TABLE other AS SELECT 2 AS n")

    done = restore(place, f"--to={before_the_drop}", "--json")
    [receipt] = lines(done, "receipt")
    assert (rows(place), receipt["timeline"]) == ("1", 2)
    assert receipt["reason"].startswith("before ")
    assert not any(suspended(place))
    assert place.get("statefulset", "postgresql")["spec"]["replicas"] == 1
    assert place.sql("SHOW restore_command") == ""
    assert place.sql("SELECT to_regclass('other') IS NULL") == "t"

    commit(place, 3)
    quiet = moment(place)
    [plan] = lines(restore(place, "--to=latest", "--json"), "restorePlan")
    assert (rows(place), plan["timeline"], plan["lostSince"]) == ("1,3", 2, None), (
        "a restore to the newest loses nothing"
    )

    [plan] = lines(restore(place, f"--to={quiet}", "--json"), "restorePlan")
    assert (rows(place), plan["timeline"]) == ("1,3", 2), "nothing was committed after that moment but by the restore"

    [plan] = lines(restore(place, f"--to={after_the_drop}", "--json"), "restorePlan")
    assert plan["timeline"] == 1, "the moment is on the branch that the first restore left"
    assert place.sql("SELECT to_regclass('moments') IS NULL") == "t"

    restore(place, "--undo")
    assert rows(place) == "1,3"
    restore(place, "--undo")
    assert place.sql("SELECT to_regclass('moments') IS NULL") == "t", "an undo is undone"
    restore(place, "--undo")
    assert rows(place) == "1,3"
    password = place.secret("postgresql")["password"].decode()
    login = f"PGPASSWORD={password} exec psql -h 127.0.0.1 -U postgres -d myapp -Atc 'SELECT 1'"
    assert place.in_pod("bash", "-c", login).strip() == "1"
    assert place.settled(SMALL)


@LONG
def test_a_target_behind_a_hole_is_refused_and_one_before_it_is_reached(place: Site) -> None:
    commit(place, 1)
    before = moment(place)
    commit(place, 2)
    archived(place)
    commit(place, 3)
    hole = archived(place)
    commit(place, 4)
    archived(place)
    behind = moment(place)
    place.in_pod("pgbackrest", "--log-level-console=off", "repo-rm", _stored(place, hole))

    for target in (behind, "latest"):
        refused = restore(place, f"--to={target}", "--json", expect=2)
        [result] = lines(refused, "unreachable")
        assert (result["reason"], hole in result["text"]) == ("hole", True)
    assert rows(place) == "1,2,3,4"
    assert not any(suspended(place)), "nothing was touched"

    newer = f"{INCREMENTAL}-later"
    place.run_job(INCREMENTAL, newer)
    place.ended(newer)
    commit(place, 5)
    restore(place, "--to=latest")
    assert rows(place) == "1,2,3,4,5"
    restore(place, f"--to={before}")
    assert rows(place) == "1"


@LONG
def test_a_restore_that_is_stopped_resumes_and_a_target_of_the_past_is_refused(place: Site) -> None:
    refused = restore(place, "--to=2001-01-01T00:00:00Z", expect=2)
    assert "lies before the first backup" in refused.err
    commit(place, 1)
    where = f"--namespace={place.kubectl.namespace}"
    with place.start(None, "restore", "postgresql", where, "--yes", "--to=latest") as process:
        wait_until("the database is down", lambda: place.get("statefulset", "postgresql")["spec"]["replicas"] == 0)
        process.kill()
    apply = place.apply(SMALL, expect=5)
    assert "a restore of release postgresql" in apply.err
    restore(place)
    assert rows(place) == "1"


@LONG
def test_every_kind_of_target_is_reached(place: Site) -> None:
    commit(place, 1)
    place.run_job(INCREMENTAL, f"{INCREMENTAL}-target")
    place.ended(f"{INCREMENTAL}-target")
    label = place.info()["backup"][-1]["label"]
    commit(place, 2)
    place.sql("SELECT pg_create_restore_point('before migration')")
    xid = place.sql("WITH added AS (INSERT INTO moments VALUES (3)) SELECT txid_current()")
    lsn = place.sql("SELECT pg_current_wal_insert_lsn()")
    commit(place, 4)
    archived(place)

    reached = {}
    for target in (  # a restore to before the transaction gives its number to another one
        f"--to=lsn:{lsn}",
        f"--to=xid:{xid}",
        f"--to=xid:{xid} --before",
        "--to=name:before migration",
        f"--to=backup:{label}",
    ):
        restore(place, *([target] if "name:" in target else target.split()))
        reached[target.partition(":")[0] + (" --before" if "--before" in target else "")] = rows(place)
    assert reached == {
        "--to=lsn": "1,2,3",
        "--to=name": "1,2",
        "--to=xid --before": "1,2",
        "--to=xid": "1,2,3",
        "--to=backup": "1",
    }
