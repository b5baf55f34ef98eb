"""Clones of a real release that is writing meanwhile; the source's bucket and the rows are compared."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.live_releases import Site, site
from support.restores import build, images
from support.rigtools import LIVE, LONG, Kubectl
from support.store_keys import StoreKey, store_key
from support.waiting import wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]
SMALL = {"resources": {"cpuRequest": "20m", "memoryRequest": "64Mi"}}


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path) as scene:
        scene.apply(SMALL)
        scene.sql("CREATE TABLE moments (n int)")
        yield scene


@pytest.fixture
def copy(place: Site, kubectl_binary: str) -> Iterator[Site]:
    """Where the clone is made."""
    namespace = f"{place.kubectl.namespace}-clone"
    snapshot = replace(place, kubectl=Kubectl(kubectl_binary, namespace))
    try:
        yield snapshot
    finally:
        snapshot.forget_repository()
        snapshot.kubectl.outcome("delete", "namespace", namespace, "--wait=false", "--ignore-not-found")


def listing(place: Site) -> dict[str, tuple[int, int]]:
    """Size and time of every file of the source's repository."""
    text = place.in_pod("pgbackrest", "--log-level-console=off", "repo-ls", "--recurse", "--output=json")
    return {name: (each["size"], each["time"]) for name, each in json.loads(text).items() if each["type"] == "file"}


def assert_unchanged(place: Site, before: dict[str, tuple[int, int]]) -> None:
    """The source's repository, but for the WAL that the source itself archives."""
    after = listing(place)
    assert {name: after.get(name) for name in before} == before
    assert {name.rpartition("/")[0].partition("15-1/")[0] for name in after.keys() - before.keys()} <= {"archive/main/"}


def archive(place: Site) -> None:
    name = place.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
    place.sql("SELECT pg_switch_wal()")
    archived = "SELECT last_archived_wal FROM pg_stat_archiver"
    wait_until(f"{name} is archived", lambda: place.sql(archived) >= name)


def rows(place: Site) -> list[str]:
    return place.sql("SELECT n FROM moments ORDER BY n").split()


def test_a_clone_of_a_writing_release_leaves_its_bucket_as_it_was(place: Site, copy: Site) -> None:
    place.sql("SELECT pg_create_physical_replication_slot('standby')")
    place.sql("CREATE SUBSCRIPTION orders CONNECTION 'host=127.0.0.1' PUBLICATION orders WITH (connect=false)")
    place.sql("ALTER SUBSCRIPTION orders ENABLE")
    place.sql("INSERT INTO moments SELECT generate_series(1, 1000)")
    archive(place)
    before, ended = listing(place), threading.Event()
    written = []

    def write() -> None:
        number = 1000
        while not ended.wait(0.5):
            number += 1
            place.sql(f"INSERT INTO moments VALUES ({number})")
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        where = f"--namespace={place.kubectl.namespace}"
        into = f"--into={copy.kubectl.namespace}/postgresql"
        done = place.pgwizard(*place.command(None, "restore", "postgresql", where, into, "--yes"))
    finally:
        ended.set()
        writer.join()
    assert f"Clone {copy.kubectl.namespace}/postgresql holds the newest state of its source" in done.out
    assert written, "the source was writing"
    source, cloned = rows(place), rows(copy)
    assert len(cloned) >= 1000
    assert cloned == source[: len(cloned)]

    assert_unchanged(place, before)
    assert place.sql("SELECT timeline_id FROM pg_control_checkpoint()") == "1"

    assert copy.sql("SELECT count(*) FROM pg_replication_slots") == "0"
    assert copy.sql("SELECT subname, subenabled FROM pg_subscription") == "orders|t"
    assert copy.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'logical%'") == "0"
    assert copy.backups() == ["full"]
    assert copy.secret("postgresql")["password"] != place.secret("postgresql")["password"]
    password = copy.secret("postgresql")["password"].decode()
    login = f"PGPASSWORD={password} exec psql -h 127.0.0.1 -U postgres -d myapp -Atc 'SELECT 1'"
    assert copy.in_pod("bash", "-c", login).strip() == "1"

    copy.sql("DELETE FROM moments WHERE n > 10")
    restored = ("restore", "postgresql", f"--namespace={copy.kubectl.namespace}", "--to=latest", "--yes")
    copy.pgwizard(*copy.command(None, *restored))
    assert len(rows(copy)) == 10, "the clone is restored from its own archive"
    assert copy.sql("SELECT timeline_id FROM pg_control_checkpoint()") == "3"
    assert {name: each for name, each in listing(place).items() if name in before} == before


def make_key_secret(place: Site, name: str, key: StoreKey) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": {"accessKey": key.access, "secretKey": key.secret},
    }
    place.kubectl.run("apply", "--server-side", "--force-conflicts", "--filename=-", data=json.dumps(secret).encode())


def test_a_key_that_may_only_read_the_source_suffices_for_its_clone_and_its_drill(place: Site, copy: Site) -> None:
    place.sql("INSERT INTO moments SELECT generate_series(1, 1000)")
    archive(place)
    before, own = listing(place), f"/{copy.kubectl.namespace}/postgresql"
    where, into = f"--namespace={place.kubectl.namespace}", f"--into={copy.kubectl.namespace}/postgresql"
    with store_key(reads=[place.path], writes=[own]) as key:
        make_key_secret(place, "clone-key", key)
        with_key = "--set=repository.credentials.secret=clone-key"
        place.pgwizard(*place.command(None, "restore", "postgresql", where, into, with_key, "--yes"))
        assert rows(copy) == rows(place)
        put = f"echo text | pgbackrest --log-level-console=error --repo1-path={place.path} repo-put archive/text"
        code, out, err = copy.kubectl.outcome("exec", "postgresql-0", "--", "bash", "-c", put)
        assert (code != 0, "403" in out.decode() + err) == (True, True), "the source's path cannot be written"
        put = put.replace(place.path, own)
        assert copy.kubectl.outcome("exec", "postgresql-0", "--", "bash", "-c", put)[0] == 0

        shown = copy.command(None, "status", "postgresql", f"--namespace={copy.kubectl.namespace}")
        line = f"clone of {place.kubectl.namespace}/postgresql (backups{place.path}), as of 20"
        assert line in copy.pgwizard(*shown).out
        origin = json.loads(copy.pgwizard(*shown, "--json").out)["release"]["origin"]
        assert (origin["release"], origin["path"]) == (f"{place.kubectl.namespace}/postgresql", place.path)
        assert origin["reachedAt"]

    with store_key(reads=[place.path]) as key:
        make_key_secret(place, "postgresql-pgbackrest-s3", key)  # the database's pod keeps the other one
        query = ("--query=SELECT count(*) FROM moments", "--expect=1000")
        done = place.pgwizard(*place.command(None, "drill", "postgresql", where, "--json", *query))
        checks = json.loads(done.out.splitlines()[-1])["checks"]
        assert {each["name"] for each in checks if each["outcome"] != "passed"} <= {"checksums"}
    assert_unchanged(place, before)


def test_a_clone_from_the_bucket_alone_and_one_into_its_sources_path(place: Site, copy: Site) -> None:
    place.sql("INSERT INTO moments VALUES (1)")
    archive(place)
    answers = str(place.folder / "answers.yaml")
    own = f"--set=repository.path={place.path}"
    into = f"--into={copy.kubectl.namespace}/postgresql"
    where = f"--namespace={place.kubectl.namespace}"
    refused = place.pgwizard(*place.command(None, "restore", "postgresql", where, into, own, "--yes"), expect=5)
    assert "which is its source's; nothing was written" in refused.err

    place.kubectl.run("delete", "namespace", place.kubectl.namespace, "--wait=true")
    place.pgwizard(*place.command(None, "restore", "--from", answers, into, "--yes"))
    assert rows(copy) == ["1"]


def test_a_source_that_is_not_there_or_does_not_fit_is_named_and_can_be_corrected(place: Site, copy: Site) -> None:
    place.sql("INSERT INTO moments VALUES (1)")
    archive(place)
    answers, into = str(place.folder / "answers.yaml"), f"--into={copy.kubectl.namespace}/postgresql"
    clone = ("restore", "--from", answers, into, "--yes")

    file = Path(answers)
    right = file.read_text()
    file.write_text(right.replace(place.path, "/nowhere"))
    elsewhere = place.pgwizard(*place.command(None, *clone), expect=5)
    file.write_text(right)
    assert "backups/nowhere, cannot be used: missing stanza" in elsewhere.err
    assert "correct repository.bucket or repository.path" in elsewhere.err
    place.pgwizard(*place.command(None, *clone))
    assert rows(copy) == ["1"]

    where = f"--namespace={copy.kubectl.namespace}"
    place.pgwizard(*place.command(None, "uninstall", "postgresql", where, "--purge-data=postgresql", "--yes"))
    kept = place.pgwizard(*place.command(None, *clone), expect=5)
    assert "holds backups of the same database; nothing was restored" in kept.err

    place.variables["CLONE_TEST_PASSPHRASE"] = "correct horse battery staple"
    other = ("restore", "--from", answers, f"--into={copy.kubectl.namespace}/other", "--yes")
    cipher = ("--set=repository.cipher.from=env", "--set=repository.cipher.passphrase=CLONE_TEST_PASSPHRASE")
    sealed = place.pgwizard(*place.command(None, *other, *cipher), expect=5)
    assert "A passphrase was given, but the repository is not encrypted" in sealed.err
    assert "correct horse" not in sealed.output


def test_an_image_of_another_major_version_is_refused_before_anything_is_restored(place: Site, copy: Site) -> None:
    if "PGWIZARD_TEST_RIG" not in os.environ:
        pytest.skip("PGWIZARD_TEST_RIG is not set: nothing builds the image")
    build(os.environ["PGWIZARD_TEST_RIG"], 17)
    archive(place)
    answers, into = str(place.folder / "answers.yaml"), f"--into={copy.kubectl.namespace}/postgresql"
    newer = [f"--set=images.{name}={json.dumps(value)}" for name, value in images(17).items()]
    refused = place.pgwizard(*place.command(None, "restore", "--from", answers, into, "--yes", *newer), expect=5)
    assert "are of PostgreSQL 15, and the image has PostgreSQL 17; nothing was restored" in refused.err
    assert copy.get("statefulset", "postgresql")["spec"]["replicas"] == 0
