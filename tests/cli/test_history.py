"""``history``: what was committed, and the restore that brings back what a commit removed."""

from __future__ import annotations

import json
import re

import pytest

from pgwizard.simulator.cluster import SimCluster
from support import headless


@pytest.fixture
def released(sim: SimCluster, answers: str) -> SimCluster:
    assert headless.run("apply", answers, "--demo").code == 0
    repository = sim.runtime.programs.repository("default")
    repository.began -= 3_600
    repository.removals.add(40)
    repository.points[39] = "before migration"
    return sim


def history(*options: str) -> headless.Run:
    return headless.run("history", "postgresql", *options, "--demo")


def test_a_dropped_table_is_listed_with_the_restore_to_just_before_it(released: SimCluster) -> None:
    done = history()
    steady = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? UTC", "TIME", done.out).splitlines()
    assert done.code == 0
    assert [re.sub(" +", " ", line) for line in steady if "commit " not in line] == [
        "TIME restore point before migration --to 'name:before migration'",
        "TIME removed 2 relations in database myapp --to xid:740 --before",
        re.sub(" +", " ", steady[-2]),
        "The state before the newest removal: pgwizard restore postgresql --to xid:740 --before -n default",
    ]
    assert re.fullmatch(r"\d\d commits from TIME to TIME; \d\d WAL segments read\.", steady[-2])
    planned = headless.run("restore", "postgresql", "--to", "xid:740", "--before", "--dry-run", "--demo")
    assert (planned.code, planned.err) == (0, "")
    assert planned.out.splitlines()[0] == "Target   just before transaction 740"


def test_json_has_a_line_an_event_and_one_of_what_was_read(released: SimCluster) -> None:
    done = history("--json")
    *events, summary = [json.loads(line) for line in done.out.splitlines()]
    assert {line["type"] for line in events} == {"historyEvent"}
    [loss] = [line for line in events if line["isLoss"]]
    assert (loss["kind"], loss["xid"], loss["relations"], loss["to"], loss["before"]) == (
        "removal",
        "740",
        2,
        "xid:740",
        True,
    )
    assert (summary["type"], summary["unlisted"], summary["isCut"]) == ("history", 0, False)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--from", "latest"], "pgwizard: --from latest: expected a time\nSuch as: 2026-11-27T21:00:04Z.\n"),
        (
            ["-n", "default", "--from", "2026-11-28T10:00:00Z", "--to", "2026-11-28T09:00:00Z"],
            "pgwizard: --from is not before --to\nSuch as: --from 2026-11-27T20:00:00Z.\n",
        ),
    ],
)
def test_a_stretch_that_is_none_is_refused(released: SimCluster, options: list[str], error: str) -> None:
    done = history(*options)
    assert (done.code, done.err) == (2, error)


def test_nothing_is_written(released: SimCluster) -> None:
    released.requests.clear()
    assert history().code == 0
    assert {request.resource for request in released.requests if request.is_write} <= {"pods/exec"}
