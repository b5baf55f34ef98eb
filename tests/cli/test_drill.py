"""``drill``: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal

from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Request
from support import headless
from support.faulting import JOB


def drill(*options: str) -> headless.Run:
    return headless.run("drill", "postgresql", *options, "--demo")


def steady(text: str) -> str:
    """Without progress, logs and times."""
    kept = [line for line in text.splitlines() if not line.startswith(("    ", "· drill ", "· continuity "))]
    joined = re.sub(r"\d{8}-\d{6}", "ID", "\n".join(kept))
    joined = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ?", "TIME", joined)
    joined = re.sub(r"UTC, \d s$", "UTC, SECONDS", joined, flags=re.MULTILINE)
    return re.sub(r" +\d+\.\d s( *$|)", "  SECONDS", joined, flags=re.MULTILINE)


def test_an_answer_that_is_too_long_to_compare_is_refused() -> None:
    refused = headless.run("drill", "postgresql", "--query", "SELECT 1", "--expect", "x" * 1_001, "--demo")
    assert (refused.code, refused.err) == (
        2,
        "pgwizard: --expect takes at most 1000 bytes\nSuch as: --query 'SELECT md5(...)' --expect HASH.\n",
    )


def test_a_drill_prints_its_stages_what_it_has_proven_and_every_check(released: SimCluster) -> None:
    done = drill()
    assert (done.code, done.err) == (0, "")
    assert steady(done.out).splitlines() == [
        "✓ continuity    backup IDF and all WAL behind it are there  SECONDS",
        "✓ drill         restored and checked  SECONDS",
        "✓ proven by a restore to TIME UTC, SECONDS",
        "✓ continuity  SECONDS  backup IDF and all WAL behind it are there",
        "✓ restore  SECONDS  30723875 bytes",
        "✓ recovery  SECONDS  timeline 1 to 0/3000000, TIME",
        "✓ wal  SECONDS  everything that is archived was replayed",
        "✓ rows  SECONDS  pg_dumpall read every row",
        "✓ indexes  SECONDS  pg_amcheck found no damage",
        "· query  SECONDS  no query",
        "✓ checksums  SECONDS  the checksum of every page is right",
    ]


def test_a_failed_drill_exits_with_11_and_says_what_to_do(released: SimCluster) -> None:
    repository = released.runtime.programs.repository("default")
    label = repository.backups[0]["label"]
    repository.damaged_contents[label] = ["base/1/1255.gz"]
    done = drill()
    assert done.code == 11
    assert "the drill of " in done.err
    assert (
        "failed: restore: pgBackRest ended with 29: [029]: unable to restore file 'base/1/1255.gz': unexpected eof in "
        "compressed data"
    ) in done.err
    assert (
        "Take a full backup now: pgwizard backup postgresql --type full -n default; then drill again: pgwizard drill "
        "postgresql -n default"
    ) in done.err


def test_the_query_is_compared_and_an_expectation_needs_a_query(released: SimCluster) -> None:
    assert drill("--query", "SELECT 1", "--expect", "1").code == 0
    failed = drill("--query", "SELECT wrong", "--expect", "1", "--json")
    line, error = json.loads(failed.out.splitlines()[-1]), json.loads(failed.err)
    assert (failed.code, line["type"], error["exitCode"]) == (11, "drill", 11)
    assert "query: it answered 0, and 1 was expected" in error["error"]
    assert error["hint"].startswith("Run the query on the running database too")
    alone = drill("--expect", "1")
    assert (alone.code, alone.err) == (
        2,
        "pgwizard: --expect needs --query SQL\nSuch as: --query 'SELECT count(*) FROM orders'.\n",
    )


def test_ctrl_c_deletes_the_job(released: SimCluster) -> None:
    def interrupt(request: Request) -> None:
        is_there = any("-drill-" in job["metadata"]["name"] for job in released.store.find(JOB, "default"))
        if is_there and (request.verb, request.resource) == ("watch", "pods"):
            os.kill(os.getpid(), signal.SIGINT)

    released.faults.append(interrupt)
    done = drill()
    released.faults.clear()
    assert (done.code, done.err.splitlines()[-1]) == (130, "pgwizard: stopped: the drill's Job was deleted")
    assert [job for job in released.store.find(JOB, "default") if "-drill-" in job["metadata"]["name"]] == []


def test_ctrl_c_before_there_is_a_job_deletes_none(released: SimCluster) -> None:
    def interrupt(request: Request) -> None:
        if request.resource == "pods/exec":
            os.kill(os.getpid(), signal.SIGINT)

    released.faults.append(interrupt)
    done = drill()
    released.faults.clear()
    assert (done.code, done.err.splitlines()[-1]) == (130, "pgwizard: stopped: no Job was started")
