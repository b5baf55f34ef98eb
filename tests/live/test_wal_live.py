"""What the status claims of the WAL in a real archive, beside what a real restore reaches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.archives import SEGMENT, back_up, delete, end, stored, texts, write
from support.live_releases import FULL, INCREMENTAL, Site, site
from support.restoring import recover, recover_in_place
from support.rigtools import LIVE, LONG

pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE
SMALL = {"resources": {"cpuRequest": "20m", "memoryRequest": "64Mi"}}


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path) as scene:
        scene.apply(SMALL)
        scene.sql("CREATE TABLE moments (n int)")
        yield scene


def status(place: Site, state: str) -> Any:
    where = f"--namespace={place.kubectl.namespace}"
    command = place.command(None, "status", "postgresql", where, "--json")
    output = json.loads(place.pgwizard(*command, expect=0 if state == "recoverable" else 11).out)["verdict"]
    assert output["state"] == state, output
    return output


def test_a_gap_ends_the_window_where_a_restore_ends_and_a_backup_begins_another(place: Site) -> None:
    full = place.info()["backup"][0]["label"]
    for number in (1, 2):
        write(place, number)
    gone = write(place, 3)
    write(place, 4)
    [window] = status(place, "recoverable")["windows"]
    reached = recover(place, "whole")
    assert (reached.code, reached.rows) == (0, "1,2,3,4"), reached.log
    assert end(window["last"]) >= reached.redo

    delete(place, gone)
    broken = status(place, "at risk")
    assert [text for text in texts(broken) if f"WAL segment {gone} is missing" in text], broken
    [window] = broken["windows"]
    assert window["hole"] == {"first": gone, "count": 1}
    reached = recover(place, "broken")
    assert (reached.code, reached.rows) == (0, "1,2"), reached.log
    assert end(window["last"]) - SEGMENT <= reached.redo < end(window["last"])

    newer = back_up(place, INCREMENTAL, "after-the-hole")
    write(place, 5)
    first, second = status(place, "at risk")["windows"]
    assert (first["base"], second["base"], second["hole"]) == (full, newer, None)
    reached = recover(place, "newer")
    assert (reached.code, reached.rows) == (0, "1,2,3,4,5"), reached.log
    reached = recover(place, "older", f"--set={full}")
    assert (reached.code, reached.rows) == (0, "1,2"), reached.log

    own = place.info()["backup"][-1]["archive"]["start"]
    delete(place, own)
    worthless = status(place, "at risk")
    assert f"backup {newer} cannot be recovered: WAL segment {own} is missing" in texts(worthless)
    assert [window["base"] for window in worthless["windows"]] == [full]
    reached = recover(place, "worthless", f"--set={newer}")
    assert reached.code != 0
    assert "could not locate required checkpoint record" in reached.log

    back_up(place, FULL, "later")
    write(place, 6)
    assert status(place, "at risk")["windows"][-1]["hole"] is None, "the old hole is still there"


@LONG
def test_after_a_restore_to_an_older_moment_each_timeline_has_its_own_window(place: Site) -> None:
    write(place, 1)
    target = place.sql("SELECT now()")
    write(place, 2)
    late = back_up(place, FULL, "late")
    write(place, 3)
    first = place.info()["backup"][0]["label"]
    options = (f"--set={first}", "--type=time", f"--target={target}", "--target-action=promote")
    back = recover_in_place(place, "back", *options)
    assert (back.code, back.rows) == (0, "1"), back.log
    write(place, 4)

    result = status(place, "recoverable")
    [window] = result["windows"]
    assert (window["timeline"], window["base"]) == (2, first)
    assert [branch["timeline"] for branch in result["branches"]] == [1]
    here = recover(place, "here", f"--set={first}", "--target-timeline=2")
    assert (here.code, here.rows) == (0, "1,4"), here.log
    there = recover(place, "there", f"--set={late}", "--type=default", "--target-timeline=1")
    assert (there.code, there.rows) == (0, "1,2,3"), there.log
    wrong = recover(place, "wrong", f"--set={late}", "--type=default", "--target-timeline=2")
    assert wrong.code != 0, "a backup of the timeline that was left is not on the path"


@LONG
def test_another_server_that_archives_into_the_path_is_named(place: Site) -> None:
    name = write(place, 1)
    path = stored(place, name)
    file = path.rpartition("/")[2]
    folder = f"archive/main/15-1/00000008{name[8:16]}"
    script = 'pgbackrest --log-level-console=off repo-get "$1" | pgbackrest --log-level-console=off repo-put "$2"'
    place.in_pod("bash", "-c", script, "copy", path, f"{folder}/00000008{file[8:]}")
    result = status(place, "at risk")
    assert texts(result) == ["another server archives into this repository, on timeline 8; this one is on 1"]
    assert recover(place, "own").rows == "1"
