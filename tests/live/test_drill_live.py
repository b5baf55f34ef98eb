"""Drills of a real release: they fail exactly where a restore would lose something, and leave nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.archives import QUIET, archive, stored
from support.live_releases import CLAIM, Site, site
from support.rigtools import LIVE, LONG
from support.waiting import wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE
SMALL = {"resources": {"cpuRequest": "20m", "memoryRequest": "64Mi"}}


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path) as scene:
        scene.apply(SMALL)
        scene.sql("CREATE TABLE moments (n int); CREATE INDEX ON moments (n)")
        yield scene


def drill(place: Site, *options: str, expect: int = 0) -> dict[str, Any]:
    """The last line of a drill."""
    where = f"--namespace={place.kubectl.namespace}"
    done = place.pgwizard(*place.command(None, "drill", "postgresql", where, "--json", *options), expect=expect)
    [line] = [each for each in map(json.loads, done.out.splitlines()) if each["type"] == "drill"]
    return dict(line)


def outcomes(line: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["outcome"] for check in line["checks"]}


def failures(line: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["text"] for check in line["checks"] if check["outcome"] == "failed"}


def status(place: Site, expect: int) -> Any:
    command = place.command(None, "status", "postgresql", f"--namespace={place.kubectl.namespace}", "--json")
    return json.loads(place.pgwizard(*command, expect=expect).out)


def overwrite(place: Site, file: str) -> None:
    """Other bytes, as many as before: no listing shows it."""
    script = (
        f'size=$(pgbackrest {QUIET} repo-get "$1" | wc -c); '
        f'head -c "$size" /dev/urandom | pgbackrest {QUIET} repo-put "$1"'
    )
    place.in_pod("bash", "-c", script, "overwrite", file)


def leftovers(place: Site) -> list[str]:
    """Jobs and pods of drills, and volume claims beside the database's."""
    items = place.kubectl.json("get", "jobs,pods,pvc")["items"]
    names = [f"{item['kind']}/{item['metadata']['name']}" for item in items]
    return [name for name in names if "-drill-" in name and not name.endswith(CLAIM)]


def checksums_outcome(place: Site) -> str:
    """An image may make its database without regard to POSTGRES_INITDB_ARGS."""
    return "passed" if place.sql("SHOW data_checksums") == "on" else "skipped"


def test_a_drill_of_a_healthy_release_passes_and_the_status_shows_it(place: Site) -> None:
    place.sql("INSERT INTO moments SELECT generate_series(1, 1000)")
    archive(place)
    line = drill(place, "--query", "SELECT count(*) FROM moments", "--expect", "1000")
    assert outcomes(line) == {
        "continuity": "passed",
        "restore": "passed",
        "recovery": "passed",
        "wal": "passed",
        "rows": "passed",
        "indexes": "passed",
        "query": "passed",
        "checksums": checksums_outcome(place),
    }
    assert line["reachedAt"]
    wait_until("nothing is left", lambda: leftovers(place) == [])
    assert place.sql("SELECT count(*) FROM moments") == "1000"

    failed = drill(place, "--query", "SELECT count(*) FROM moments", "--expect", "7", expect=11)
    assert failures(failed) == {"query": "it answered 1000, and 7 was expected"}
    assert [reason["key"] for reason in status(place, 11)["verdict"]["reasons"]] == ["status-drill"]
    drill(place)
    result = status(place, 0)
    assert len(result["release"]["drills"]) == 3
    assert result["restoreSeconds"] > 20


@LONG
def test_a_segment_that_is_missing_or_damaged_fails_by_the_position_that_was_reached(place: Site) -> None:
    place.sql("INSERT INTO moments VALUES (1)")
    archive(place)
    place.sql("INSERT INTO moments VALUES (2)")
    last = archive(place)
    overwrite(place, stored(place, last))
    damaged = drill(place, expect=11)
    assert list(failures(damaged)) == ["wal"], "it is the newest segment, and a listing shows nothing"

    place.sql("INSERT INTO moments VALUES (3)")
    archive(place)
    place.in_pod("pgbackrest", QUIET, "repo-rm", stored(place, last))
    gone = failures(drill(place, expect=11))
    assert list(gone) == ["continuity", "wal"]
    assert last in gone["continuity"]

    place.pgwizard(
        *place.command(None, "backup", "postgresql", f"--namespace={place.kubectl.namespace}", "--type=full", "-f")
    )
    assert failures(drill(place)) == {}, "the newest backup does not need it"


@LONG
def test_a_damaged_backup_file_fails_at_the_restore(place: Site) -> None:
    [label] = [backup["label"] for backup in place.info()["backup"]]
    files = place.in_pod("pgbackrest", QUIET, "repo-ls", "--recurse", f"backup/main/{label}").split()
    bundle = next(file for file in files if file.startswith(("bundle/", "pg_data/base/")) and "." not in file[-2:])
    overwrite(place, f"backup/main/{label}/{bundle}")
    line = drill(place, expect=11)
    assert list(failures(line)) == ["restore"]
    assert outcomes(line)["rows"] == "skipped"
    wait_until("nothing is left", lambda: leftovers(place) == [])


@LONG
def test_a_client_that_was_killed_leaves_nothing_that_the_next_drill_does_not_delete(place: Site) -> None:
    where = f"--namespace={place.kubectl.namespace}"
    with place.start(None, "drill", "postgresql", where) as process:
        wait_until("the Job is there", lambda: any("Job/" in name for name in leftovers(place)))
        process.kill()
    [job] = place.kubectl.json("get", "jobs", "--selector=app.kubernetes.io/component=drill")["items"]
    assert (job["spec"]["ttlSecondsAfterFinished"], job["spec"]["activeDeadlineSeconds"]) == (600, 21_600)
    place.ended(job["metadata"]["name"])
    place.in_pod("sleep", "61")  # until then it is left to whoever reads its result
    drill(place)
    wait_until("nothing is left", lambda: leftovers(place) == [])

    with place.start(None, "drill", "postgresql", where) as process:
        wait_until("the Job is there", lambda: any("Job/" in name for name in leftovers(place)))
        process.terminate()
        process.wait(300)
    wait_until("nothing is left", lambda: leftovers(place) == [])


@LONG
def test_a_table_with_a_damaged_page_fails_where_its_rows_are_read(place: Site) -> None:
    place.sql("CREATE TABLE broken WITH (autovacuum_enabled = off) AS SELECT n FROM generate_series(1, 5000) n")
    place.sql("VACUUM (FREEZE) broken")  # a page that is changed later, if only by a hint, would be written over ours
    place.sql("CHECKPOINT")
    file = place.sql("SELECT pg_relation_filepath('broken')")
    page = f'head -c 8192 /dev/urandom | dd of="$PGDATA/{file}" bs=8192 seek=3 conv=notrunc status=none'
    place.in_pod("bash", "-c", page)
    place.pgwizard(
        *place.command(None, "backup", "postgresql", f"--namespace={place.kubectl.namespace}", "--type=full", "-f")
    )
    result = failures(drill(place, expect=11))
    assert set(result) == {"rows", "indexes", *(["checksums"] if checksums_outcome(place) == "passed" else [])}
    assert "invalid page in block 3" in result["rows"]


@pytest.fixture
def encrypted(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path) as scene:
        scene.variables["DRILL_TEST_PASSPHRASE"] = "correct horse battery staple"
        scene.apply({**SMALL, "repository": {"cipher": {"from": "env", "passphrase": "DRILL_TEST_PASSPHRASE"}}})
        scene.sql("CREATE TABLE moments (n int)")
        yield scene


@LONG
def test_an_encrypted_repository_is_restored_and_a_damaged_segment_in_it_is_found(encrypted: Site) -> None:
    encrypted.sql("INSERT INTO moments VALUES (1)")
    archive(encrypted)
    assert failures(drill(encrypted, "--query", "SELECT count(*) FROM moments", "--expect", "1")) == {}
    encrypted.sql("INSERT INTO moments VALUES (2)")
    last = archive(encrypted)
    encrypted.in_pod("pgbackrest", QUIET, "repo-rm", stored(encrypted, last))
    encrypted.sql("INSERT INTO moments VALUES (3)")
    archive(encrypted)
    assert list(failures(drill(encrypted, expect=11))) == ["continuity", "wal"]
