"""Restores of a real release to every kind of moment, on each pair of images: ``make restores`` prints the table."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.live_releases import Site, site
from support.rigtools import Kubectl, find_kubectl
from support.waiting import DEADLINE_SECONDS, wait_until

PAIRS = {15: "2.45", 17: "2.55", 18: "2.60"}
"""By PostgreSQL's major version, that of pgBackRest in the rig's image."""
_PHASES = ("restore point", "stop", "restore", "start", "backup")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One restore. window: what could be reached before it; rows, expected: what the table holds after it and must.

    seconds: by phase, in their order.
    """

    pair: str
    name: str
    window: str
    target: str
    reached: str
    rows: str
    expected: str
    seconds: tuple[tuple[str, float], ...]

    @property
    def is_right(self) -> bool:
        """Whether the table holds what it must."""
        return self.rows == self.expected


def images(major: int) -> dict[str, Any]:
    """The answers that name the image of a pair."""
    if major == 15:
        return {}
    return {
        "postgresql": f"aryan-laptophp/postgres-pgbackrest:{major}",
        "postgresqlVersion": major,
        "pgbackrestVersion": PAIRS[major],
    }


def build(rig: str, major: int) -> None:
    """Put the image of a pair onto the rig's node; another process that does the same is waited for."""
    with Path(tempfile.gettempdir(), f"pgwizard-rig-image-{major}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if major != 15 and f"postgres-pgbackrest:{major}" not in _images_there():
            subprocess.run([rig, "postgres", str(major)], check=True, capture_output=True, timeout=DEADLINE_SECONDS)


def _images_there() -> str:
    kubectl = Kubectl(find_kubectl() or "kubectl", "default")
    return kubectl.run("get", "nodes", "-o=jsonpath={.items[*].status.images[*].names}")[0].decode()


@dataclass(frozen=True, slots=True)
class Restores:
    """The scenarios of one release, one after another: each begins where the last one ended."""

    place: Site
    pair: str

    def scenarios(self) -> Iterator[Scenario]:
        """Raises AssertionError where a command fails."""
        self.place.sql("CREATE TABLE moments (n int)")
        self._commit(1)
        self._archive()
        yield self._drill("1")
        first = self._moment()
        self._commit(2)
        self.place.sql("SELECT pg_create_restore_point('before migration')")
        self._commit(3)
        second = self._moment()
        xid = self.place.sql("WITH added AS (INSERT INTO moments VALUES (4)) SELECT txid_current()")
        yield self._restore("newest", "--to=latest", expected="1,2,3,4")
        label = self.place.info()["backup"][-1]["label"]
        self.place.sql("DROP TABLE moments")
        yield self._restore("before a dropped table", f"--to={self._loss()}", "--before", expected="1,2,3,4")
        yield self._restore("before a transaction", f"--to=xid:{xid}", "--before", expected="1,2,3")
        yield self._restore("named restore point", "--to=name:before migration", expected="1,2")
        yield self._restore("time", f"--to={first}", expected="1")
        self._commit(5)
        yield self._restore("time of a branch that was left", f"--to={second}", expected="1,2,3")
        yield self._restore("end of a backup", f"--to=backup:{label}", expected="1,2,3,4")
        yield self._restore("undo", "--undo", expected="1,2,3")

    def _loss(self) -> str:
        """The target of the newest commit that removed something."""
        self._archive()
        events = [line for line in self._lines("history") if line["type"] == "historyEvent"]
        return next(str(event["to"]) for event in reversed(events) if event["isLoss"])

    def _commit(self, number: int) -> None:
        self.place.sql(f"INSERT INTO moments VALUES ({number})")

    def _moment(self) -> str:
        """The server's time, a moment after which nothing was committed for a second."""
        now = self.place.sql(
            "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        )
        self.place.sql("SELECT pg_sleep(1)")
        return now

    def _archive(self) -> None:
        name = self.place.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
        self.place.sql("SELECT pg_switch_wal()")
        archived = "SELECT last_archived_wal FROM pg_stat_archiver"
        wait_until(f"{name} is archived", lambda: self.place.sql(archived) >= name)

    def _rows(self) -> str:
        return self.place.sql("SELECT string_agg(n::text, ',' ORDER BY n) FROM moments")

    def _lines(self, verb: str, *options: str) -> list[dict[str, Any]]:
        where = f"--namespace={self.place.kubectl.namespace}"
        done = self.place.pgwizard(*self.place.command(None, verb, "postgresql", where, "--json", *options))
        return [json.loads(line) for line in (done.out + done.err).splitlines()]

    def _window(self) -> str:
        where = f"--namespace={self.place.kubectl.namespace}"
        command = self.place.command(None, "status", "postgresql", where, "--json")
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
        windows = json.loads(done.stdout)["verdict"]["windows"]
        return "; ".join(f"{each['since'][11:19]} to {(each['until'] or 'now')[11:19] or 'now'}" for each in windows)

    def _drill(self, expected: str) -> Scenario:
        query = "SELECT string_agg(n::text, ',' ORDER BY n) FROM moments"
        window = self._window()
        line = next(
            each for each in self._lines("drill", "--query", query, "--expect", expected) if each["type"] == "drill"
        )
        reached = f"{line['reachedAt'][11:19]}, {line['lsn']}, timeline {line['timeline']}"
        seconds = tuple((check["name"], check["seconds"]) for check in line["checks"] if check["outcome"] == "passed")
        return Scenario(self.pair, "drill", window, "newest", reached, expected, expected, seconds)

    def _restore(self, name: str, *options: str, expected: str) -> Scenario:
        window = self._window()
        lines = self._lines("restore", "--yes", *options)
        receipt = next(line for line in lines if line["type"] == "receipt")
        seconds = tuple(
            (line["stage"], line["seconds"])
            for line in lines
            if line["type"] == "event" and line["kind"] == "done" and line["stage"] in _PHASES
        )
        last = (receipt["reachedAt"] or "")[11:19] or "no commit replayed"
        reached = f"{last}, {receipt['lsn']}, timeline {receipt['timeline']}, {receipt['reason']}"
        return Scenario(self.pair, name, window, receipt["target"], reached, self._rows(), expected, seconds)


def table(scenarios: Iterable[Scenario]) -> str:
    """A block a scenario."""
    blocks = []
    for each in scenarios:
        rows = each.rows if each.is_right else f"{each.rows}, AND NOT {each.expected}"
        spent = ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in each.seconds)
        blocks.append(
            f"{each.pair:<10}{each.name}: rows {rows}\n"
            f"{'':<10}window {each.window}; target {each.target}\n"
            f"{'':<10}reached {each.reached}\n"
            f"{'':<10}seconds {spent}"
        )
    return "\n".join(blocks)


def main(majors: Iterable[int] = PAIRS) -> int:
    """1 where a table does not hold what it must."""
    binary, rig = find_kubectl(), os.environ.get("PGWIZARD_TEST_RIG", "")
    if binary is None or "PGWIZARD_TEST_KUBECONFIG" not in os.environ or not rig:
        print("make restores needs PGWIZARD_TEST_KUBECONFIG, PGWIZARD_TEST_RIG and kubectl")
        return 1
    status = 0
    for major in majors:
        build(rig, major)
        with tempfile.TemporaryDirectory() as folder, site(binary, Path(folder)) as place:
            place.apply({"images": images(major)} if major != 15 else None)
            for each in Restores(place, f"{major}/{PAIRS[major]}").scenarios():
                print(table([each]), flush=True)
                status |= not each.is_right
    return status


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:]] or PAIRS))
