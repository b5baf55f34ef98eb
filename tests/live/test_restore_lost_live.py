"""Restores of a real release whose database does not run; what is compared is what the tables hold."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.live_releases import CLAIM, POD, Done, Site, site
from support.rigtools import LIVE, LONG
from support.store_keys import store_key
from support.waiting import KUBECTL_DEADLINE, wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]
SMALL = {"resources": {"cpuRequest": "20m", "memoryRequest": "64Mi"}}


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path) as scene:
        scene.apply(SMALL)
        scene.sql("CREATE TABLE moments (n int)")
        yield scene


def restore(place: Site, *options: str, expect: int = 0) -> Done:
    where = f"--namespace={place.kubectl.namespace}"
    return place.pgwizard(*place.command(None, "restore", "postgresql", where, *options), expect=expect)


def plan_of(done: Done) -> Any:
    items = [json.loads(line) for line in done.out.splitlines()]
    return next(line for line in items if line["type"] == "restorePlan")


def commit(place: Site, number: int) -> None:
    place.sql(f"INSERT INTO moments VALUES ({number})")


def archive(place: Site) -> None:
    name = place.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    place.sql("SELECT pg_switch_wal()")
    archived = "SELECT last_archived_wal FROM pg_stat_archiver"
    wait_until(f"{name} is archived", lambda: place.sql(archived) >= name)


def rows(place: Site) -> str:
    return place.sql("SELECT string_agg(n::text, ',' ORDER BY n) FROM moments")


def scale_down(place: Site) -> None:
    place.kubectl.run("scale", "statefulset", "postgresql", "--replicas=0")
    place.kubectl.run("wait", "--for=delete", f"pod/{POD}", KUBECTL_DEADLINE)


def ready(place: Site) -> None:
    place.kubectl.run("wait", "--for=create", f"pod/{POD}", KUBECTL_DEADLINE)
    place.kubectl.run("wait", "--for=condition=Ready", f"pod/{POD}", KUBECTL_DEADLINE)


def test_a_volume_that_is_gone_is_made_again_and_the_newest_state_restored(place: Site) -> None:
    commit(place, 1)
    archive(place)
    xid = place.sql("INSERT INTO moments VALUES (2) RETURNING pg_current_xact_id()").split()[0]
    scale_down(place)  # archives the rest
    place.kubectl.run("delete", "pvc", CLAIM, "--wait=true")

    plan = plan_of(restore(place, "--to=latest", "--dry-run", "--json"))
    assert plan["silence"] == "there is no pod"
    assert plan["archivedUntil"] is not None
    found = plan_of(restore(place, f"--to=xid:{xid}", "--before", "--dry-run", "--json"))
    assert found["target"].startswith(f"just before transaction {xid}"), "its segment is read without a database"
    done = restore(place, "--to=latest", "--yes")
    assert "is created: it was gone" in done.out
    assert rows(place) == "1,2"
    commit(place, 3)
    restore(place, "--to=latest", "--yes")
    assert rows(place) == "1,2,3"
    assert place.settled(SMALL)


def test_a_key_that_may_only_read_is_refused_before_anything_is_touched(place: Site) -> None:
    commit(place, 1)
    archive(place)
    scale_down(place)
    secrets = place.kubectl.json("get", "secrets")["items"]
    [live] = [each for each in secrets if each["metadata"]["name"].endswith("pgbackrest-s3")]
    name, keys = live["metadata"]["name"], live["data"]
    access, secret = sorted(keys)
    with store_key(reads=[place.path]) as key:
        weak = {access: base64.b64encode(key.access.encode()), secret: base64.b64encode(key.secret.encode())}
        patch = {"data": {name_: value.decode() for name_, value in weak.items()}}
        place.kubectl.run("patch", "secret", name, "--type=merge", f"--patch={json.dumps(patch)}")
        refused = restore(place, "--to", "latest", "--yes", expect=5)
        assert "its repository cannot be written to, and the restored database could not archive" in refused.err
        assert "403" in refused.err
        assert place.kubectl.json("get", "jobs", "--selector=app.kubernetes.io/component=restore")["items"] == []
        place.kubectl.run("patch", "secret", name, "--type=merge", f"--patch={json.dumps({'data': keys})}")
    restore(place, "--to", "latest", "--yes")
    assert rows(place) == "1"


def test_an_empty_database_on_a_new_volume_gives_way_to_the_one_in_the_repository(place: Site) -> None:
    commit(place, 1)
    archive(place)
    uid = place.get("pvc", CLAIM)["metadata"]["uid"]
    place.kubectl.run("delete", "pvc", CLAIM, "--wait=false")
    place.kubectl.run("delete", "pod", POD, "--wait=true")
    wait_until("the controller has made another claim", lambda: _claim_uid(place) not in ("", uid))
    ready(place)
    assert place.sql("SELECT to_regclass('moments') IS NULL") == "t", "the image has created an empty database"

    done = restore(place, "--to=latest", "--yes")
    assert "does not answer: it has another database: system identifier" in done.out
    assert rows(place) == "1"


def _claim_uid(place: Site) -> str:
    code, out, _ = place.kubectl.outcome("get", "pvc", CLAIM, "-o=jsonpath={.metadata.uid}")
    return out.decode() if code == 0 else ""


@pytest.mark.parametrize(
    "damage",
    [
        "rm -r $PGDATA/global",
        "rm -r $PGDATA/PG_VERSION $PGDATA/base $PGDATA/global/pg_control",
    ],
)
def test_a_database_that_cannot_start_is_restored(place: Site, damage: str) -> None:
    commit(place, 1)
    archive(place)
    place.in_pod("bash", "-c", damage)
    place.kubectl.run("delete", "pod", POD, "--grace-period=1", "--wait=true")
    wait_until("the server fails to start", lambda: _restarts(place) > 0)

    done = restore(place, "--to=latest", "--yes")
    assert "does not answer: container postgresql: " in done.out
    assert rows(place) == "1"


def test_wal_of_a_server_that_was_killed_is_kept_beside_the_data_directory(place: Site) -> None:
    commit(place, 1)
    archive(place)
    commit(place, 2)
    damage = 'mv "$PGDATA/global" "$PGDATA/../global.gone"; kill -9 "$(head -n 1 "$PGDATA/postmaster.pid")"'
    place.in_pod("bash", "-c", damage)
    wait_until("the server fails to start", lambda: _restarts(place) > 1)

    done = restore(place, "--to=latest", "--yes")
    assert "the server was killed: its last WAL, which is not archived, is kept in " in done.out
    assert rows(place) == "1"
    assert "pg_wal.before-restore-" in place.in_pod("bash", "-c", "ls $PGDATA/..")

    listed = restore(place, "--finish", "--dry-run")
    assert "Deletes pg_wal.before-restore-" in listed.out
    restore(place, "--finish", "--yes")
    assert "pg_wal.before-restore-" not in place.in_pod("bash", "-c", "ls $PGDATA/..")
    assert len(place.info()["backup"]) == 2, "retention keeps two full backups"
    assert "was finished: there is nothing to undo" in restore(place, "--undo", "--yes", expect=5).err


def test_a_namespace_that_is_gone_comes_back_from_the_bucket(place: Site) -> None:
    commit(place, 1)
    archive(place)
    before = place.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
    place.sql("SELECT pg_sleep(2)")
    commit(place, 2)
    scale_down(place)
    place.kubectl.run("delete", "namespace", place.kubectl.namespace, "--wait=true")

    answers = str(place.folder / "answers.yaml")
    place.pgwizard(*place.command(None, "restore", "--from", answers, "--yes", "--dry-run"))
    done = place.pgwizard(*place.command(None, "restore", "--from", answers, "--yes"))
    assert "Release is restored to the newest state" in done.out
    assert rows(place) == "1,2"
    password = place.secret("postgresql")["password"].decode()
    login = f"PGPASSWORD={password} exec psql -h 127.0.0.1 -U postgres -d myapp -Atc 'SELECT 1'"
    assert place.in_pod("bash", "-c", login).strip() == "1"
    place.apply(SMALL)
    assert place.settled(SMALL)
    restore(place, f"--to={before}", "--yes")
    assert rows(place) == "1"


def _restarts(place: Site) -> int:
    code, out, _ = place.kubectl.outcome("get", "pod", POD, "-o=jsonpath={.status.containerStatuses[0].restartCount}")
    return int(out or 0) if code == 0 else 0
