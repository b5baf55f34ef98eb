"""What the WAL of a real release tells, and the restore to just before what it lists; tables are compared by rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.live_releases import POD, Site, site
from support.rigtools import LIVE, LONG
from support.waiting import wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE


@pytest.fixture(scope="module")
def place(kubectl_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A release; each test has tables of its own."""
    with site(kubectl_binary, tmp_path_factory.mktemp("release")) as scene:
        scene.apply()
        yield scene


def history(place: Site, *options: str) -> list[Any]:
    where = f"--namespace={place.kubectl.namespace}"
    done = place.pgwizard(*place.command(None, "history", "postgresql", where, "--json", *options))
    return [json.loads(line) for line in done.out.splitlines()]


def scratch(place: Site) -> str:
    return place.in_pod("bash", "-c", "ls -d /tmp/pgwizard-wal.* 2>/dev/null; true").strip()


def test_a_dropped_table_is_found_and_comes_back(place: Site) -> None:
    place.sql("CREATE TABLE orders AS SELECT n FROM generate_series(1, 1000) n")
    place.sql("SELECT pg_switch_wal()")
    place.sql("SELECT pg_create_restore_point('before migration')")
    place.sql("CREATE TABLE other (n int)")
    place.sql("DROP TABLE orders")
    place.sql("TRUNCATE other")

    *events, summary = history(place)
    losses = [line for line in events if line["isLoss"]]
    assert [(line["database"], line["relations"], line["isRewrite"]) for line in losses] == [
        ("myapp", 1, False),
        ("myapp", 1, True),
    ]
    points = [line["name"] for line in events if line["kind"] == "restore-point"]
    assert points[-1] == "before migration"
    assert (summary["unreadable"], summary["isCut"], summary["unlisted"]) == (0, False, 0)
    assert scratch(place) == ""
    place.sql("SELECT pg_switch_wal()")
    assert history(place)[-1]["unreadable"] == 0, "right after a switch the next segment is no file yet"

    dropped = losses[0]
    where = f"--namespace={place.kubectl.namespace}"
    options = (f"--to={dropped['to']}", "--before", "--yes")
    place.pgwizard(*place.command(None, "restore", "postgresql", where, *options))
    assert place.sql("SELECT count(*), max(n) FROM orders") == "1000|1000"
    assert place.sql("SELECT to_regclass('other') IS NOT NULL") == "t", "the commit before it is kept"

    again = [line for line in history(place) if line["type"] == "historyEvent"]
    both = [(line["timeline"], line["kind"]) for line in again if line["isLoss"]]
    assert both == [(1, "removal"), (1, "removal")], "what was left is still listed, and once"


@LONG
def test_a_restore_point_of_any_name_is_reached_by_what_is_listed(place: Site) -> None:
    """pgBackRest writes names into PostgreSQL's configuration as they are, quotes too."""
    place.sql("CREATE TABLE invoices AS SELECT n FROM generate_series(1, 1000) n")
    place.sql("SELECT pg_create_restore_point('vor dem Löschen: it''s')")
    place.sql("DROP TABLE invoices")
    events = [line for line in history(place) if line["type"] == "historyEvent"]
    [point] = [line for line in events if line["name"].endswith("it's")]
    assert (point["to"].startswith("lsn:"), point["before"]) == (True, False)
    where = f"--namespace={place.kubectl.namespace}"
    place.pgwizard(*place.command(None, "restore", "postgresql", where, f"--to={point['to']}", "--yes"))
    assert place.sql("SELECT count(*), max(n) FROM invoices") == "1000|1000"


@LONG
def test_a_stretch_of_one_commit_reads_no_more_than_its_segments(place: Site) -> None:
    place.sql("CREATE TABLE filler (n int)")
    for _ in range(12):
        place.sql("INSERT INTO filler SELECT generate_series(1, 1000)")
        place.sql("SELECT pg_switch_wal()")
    shape = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
    place.sql("DROP TABLE filler")
    now = place.sql(f"SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', {shape})")
    since = place.sql(f"SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC' - interval '5 seconds', {shape})")
    *events, summary = history(place, f"--from={since}", f"--to={now}")
    assert [line["relations"] for line in events if line["isLoss"]] == [1]
    assert summary["commits"] < 12


@LONG
def test_a_stopped_history_leaves_nothing_in_the_pod(place: Site) -> None:
    place.sql("CREATE TABLE padding (n int)")
    segment = "INSERT INTO padding SELECT generate_series(1, 1000); SELECT pg_switch_wal();"
    place.sql(12 * segment)
    where = f"--namespace={place.kubectl.namespace}"
    with place.start(None, "history", "postgresql", where) as process:
        wait_until("it reads in the pod", lambda: bool(scratch(place)))
        process.kill()
    wait_until("its folder is gone", lambda: not scratch(place))
    assert place.get("pod", POD)["status"]["phase"] == "Running"
