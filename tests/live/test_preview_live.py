"""Previews of a real release: what they show is compared by what the tables hold, and nothing else may change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.live_releases import Done, Site, site
from support.rigtools import LIVE, LONG
from support.waiting import wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE
SMALL = {"resources": {"cpuRequest": "20m", "memoryRequest": "64Mi"}}
KINDS = "statefulset,secret,configmap,service,serviceaccount,role,rolebinding,cronjob,pvc"


@pytest.fixture(scope="module")
def place(kubectl_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A release; each test has tables of its own, and ends its preview."""
    with site(kubectl_binary, tmp_path_factory.mktemp("release"), prefix="preview") as found_site:
        found_site.apply(SMALL)
        yield found_site


def preview(place: Site, *options: str, expect: int = 0) -> Done:
    where = f"--namespace={place.kubectl.namespace}"
    command = place.command(None, "restore", "postgresql", where, "--preview", *options)
    return place.pgwizard(*command, expect=expect)


def shown(place: Site, *options: str) -> dict[str, Any]:
    """The last line of a preview that begins or moves."""
    line: dict[str, Any] = json.loads(preview(place, *options, "--json").out.splitlines()[-1])
    return line


def preview_sql(place: Site, statement: str) -> tuple[int, str]:
    """Exit code and output of psql in the preview, as its command opens it."""
    code, out, err = place.kubectl.outcome(
        "exec", "job/postgresql-preview", "--container=preview", "--", "psql", "-XAtc", statement
    )
    return code, f"{out.decode()}{err}".strip()


def moment(place: Site) -> str:
    """The server's time, a moment after which nothing was committed for a second."""
    now = place.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    place.sql("SELECT pg_sleep(1)")
    return now


def archive(place: Site) -> None:
    name = place.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    place.sql("SELECT pg_switch_wal()")
    wait_until(f"{name} is archived", lambda: place.sql("SELECT last_archived_wal FROM pg_stat_archiver") >= name)


def repository(place: Site) -> dict[str, Any]:
    """Every file of the repository with its size and time."""
    listing = place.in_pod("pgbackrest", "--log-level-console=off", "--output=json", "--recurse", "repo-ls")
    files: dict[str, Any] = json.loads(listing)
    return {name: about for name, about in files.items() if about["type"] == "file"}


def left(place: Site) -> list[str]:
    """What there is of previews."""
    items = place.kubectl.json("get", "job,pod,pvc")["items"]
    return [item["metadata"]["name"] for item in items if "preview" in item["metadata"]["name"]]


def test_a_dropped_table_is_seen_before_the_drop_and_gone_behind_it_and_nothing_else_changes(place: Site) -> None:
    place.sql("CREATE TABLE moments (n int)")
    place.sql("INSERT INTO moments VALUES (1)")
    early = moment(place)
    place.sql("INSERT INTO moments VALUES (2)")
    before_the_drop = moment(place)
    place.sql("DROP TABLE moments")
    after_the_drop = moment(place)
    place.sql("CREATE TABLE other AS SELECT 3 AS n")
    archive(place)
    files, objects, uid = repository(place), place.versions(KINDS), place.pod_uid()

    line = shown(place, f"--to={early}")
    rows = "SELECT string_agg(n::text, ',' ORDER BY n) FROM moments"
    assert (line["type"], line["isExact"], preview_sql(place, rows)) == ("preview", True, (0, "1"))
    code, refusal = preview_sql(place, "INSERT INTO moments VALUES (9)")
    assert (code, "read-only transaction" in refusal) == (1, True)
    pod = place.kubectl.json("get", "pods", "-l=job-name=postgresql-preview")["items"][0]
    assert (
        place.kubectl.json("get", "endpointslices", "-l=kubernetes.io/service-name=postgresql")["items"][0][
            "endpoints"
        ][0]["targetRef"]["name"]
        == "postgresql-0"
    )

    shown(place, f"--to={before_the_drop}")
    assert preview_sql(place, rows) == (0, "1,2"), "the transaction that drops the table holds no lock yet"
    shown(place, f"--to={after_the_drop}")
    assert preview_sql(place, "SELECT to_regclass('moments') IS NULL, to_regclass('other') IS NULL") == (0, "t|t")
    refused = preview(place, f"--to={early}", expect=5)
    assert "a preview moves only forward" in refused.err
    shown(place, "--to=latest")
    assert preview_sql(place, "SELECT n FROM other") == (0, "3")
    [same] = place.kubectl.json("get", "pods", "-l=job-name=postgresql-preview")["items"]
    assert same["metadata"]["uid"] == pod["metadata"]["uid"], "no other restore"

    preview(place, "--end")
    assert left(place) == []
    assert repository(place).items() >= files.items()
    assert {name: each for name, each in place.versions(KINDS).items() if name in objects} == objects
    assert (place.pod_uid(), place.sql("SELECT n FROM other")) == (uid, "3")


@LONG
def test_a_table_that_was_dropped_a_moment_ago_is_seen_by_the_number_of_the_transaction(place: Site) -> None:
    place.sql("CREATE TABLE newest AS SELECT 1 AS n")
    archive(place)
    xid = place.sql("BEGIN; DROP TABLE newest; SELECT txid_current(); COMMIT").splitlines()[-2]
    shown(place, f"--to=xid:{xid}", "--before")
    assert preview_sql(place, "SELECT n FROM newest") == (0, "1")
    shown(place, f"--to=xid:{xid}")
    assert preview_sql(place, "SELECT to_regclass('newest') IS NULL") == (0, "t")
    preview(place, "--end")


@LONG
def test_a_client_that_is_killed_leaves_a_preview_that_can_be_ended(place: Site) -> None:
    where = f"--namespace={place.kubectl.namespace}"
    with place.start(None, "restore", "postgresql", where, "--preview", "--to=latest", "--yes") as process:
        wait_until("the Job is there", lambda: "postgresql-preview" in left(place))
        process.kill()
    job = place.get("job", "postgresql-preview")
    assert job["spec"]["activeDeadlineSeconds"] < 5 * 3_600
    preview(place, "--end")
    assert left(place) == []
