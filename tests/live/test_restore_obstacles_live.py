"""Restores of a real release that something hinders; what is compared is what the tables hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pgwizard.quantities import read_quantity
from support.archives import write
from support.live_releases import POD, Done, Site, site
from support.own_store import CERTIFICATE, KEY, SECRET, OwnStore
from support.rigtools import LIVE, LONG, pod_object
from support.waiting import KUBECTL_DEADLINE, wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path) as found:
        found.apply()
        found.sql("CREATE TABLE moments (n int)")
        yield found


def command(place: Site, *options: str) -> list[str]:
    return place.command(None, "restore", "postgresql", f"--namespace={place.kubectl.namespace}", "--yes", *options)


def restore(place: Site, *options: str, expect: int = 0) -> Done:
    return place.pgwizard(*command(place, *options), expect=expect)


def rows(place: Site) -> str:
    return place.sql("SELECT string_agg(n::text, ',' ORDER BY n) FROM moments")


def moment(place: Site) -> str:
    """The server's time, and a second after it."""
    now = place.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    place.sql("SELECT pg_sleep(1)")
    return now


def replicas(place: Site) -> int:
    return int(place.get("statefulset", "postgresql")["spec"]["replicas"])


def test_a_restore_that_is_killed_in_any_stage_resumes_to_the_target_that_was_planned(place: Site) -> None:
    for number, stage in enumerate(("suspend", "stop", "restore", "start", "backup"), start=1):
        write(place, number)
        target = moment(place)
        write(place, 100 + number)
        arguments = ("restore", "postgresql", f"--namespace={place.kubectl.namespace}", "--yes", f"--to={target}")
        with place.start(None, *arguments, "--json") as process:
            assert process.stdout is not None
            for line in process.stdout:
                event = json.loads(line)
                if event["type"] == "event" and (event["stage"], event["kind"]) == (stage, "began"):
                    break
            process.kill()
        restore(place)
        assert rows(place) == ",".join(str(each) for each in range(1, number + 1)), stage
    assert not any(each["spec"].get("suspend") for each in place.kubectl.json("get", "cronjobs")["items"])
    assert place.kubectl.json("get", "jobs", "--selector=app.kubernetes.io/component=restore")["items"] == []


def test_a_pod_that_does_not_go_away_is_waited_for(place: Site) -> None:
    write(place, 1)
    hold = json.dumps({"metadata": {"finalizers": ["example.com/hold"]}})
    place.kubectl.run("patch", "pod", POD, "--type=merge", f"--patch={hold}")
    with place.start(
        None, "restore", "postgresql", f"--namespace={place.kubectl.namespace}", "--yes", "--to=latest"
    ) as process:
        wait_until("the pod has ended", lambda: _has_ended(place))
        assert place.kubectl.json("get", "jobs", "--selector=app.kubernetes.io/component=restore")["items"] == []
        assert process.poll() is None
        place.kubectl.run("patch", "pod", POD, "--type=merge", '--patch={"metadata":{"finalizers":null}}')
        out, _ = process.communicate()
        assert process.returncode == 0, out
    assert rows(place) == "1"


def _has_ended(place: Site) -> bool:
    pod = place.get("pod", POD)
    states = [each["state"] for each in pod["status"].get("containerStatuses", ())]
    return "deletionTimestamp" in pod["metadata"] and all("terminated" in state for state in states)


def test_rows_in_a_tablespace_come_back_and_a_drill_reads_them(place: Site) -> None:
    place.in_pod("bash", "-c", 'mkdir "${PGDATA%/*}/fast"')
    folder = place.in_pod("bash", "-c", 'echo "${PGDATA%/*}/fast"').strip()
    place.sql(f"CREATE TABLESPACE fast LOCATION '{folder}'")
    place.sql("CREATE TABLE there (n int) TABLESPACE fast")
    place.sql("INSERT INTO there SELECT generate_series(1, 1000)")
    write(place, 1)
    where = f"--namespace={place.kubectl.namespace}"
    place.pgwizard(*place.command(None, "backup", "postgresql", where, "--type=full", "--follow"))
    before = moment(place)
    place.sql("DELETE FROM there WHERE n > 10")
    write(place, 2)

    restore(place, f"--to={before}")
    assert (rows(place), place.sql("SELECT count(*) FROM there")) == ("1", "1000")
    query = ("--query=SELECT count(*) FROM there", "--expect=1000")
    place.pgwizard(*place.command(None, "drill", "postgresql", where, *query))


def test_a_pod_that_waits_for_the_place_of_the_database_is_named_and_nothing_is_touched(
    kubectl_binary: str, tmp_path: Path
) -> None:
    large = {
        "tuning": {"memory": "8Gi", "parameters": {"shared_buffers": "64MB", "work_mem": "4MB"}},
        "resources": {"memoryRequest": "8Gi"},
    }
    with site(kubectl_binary, tmp_path) as place:
        place.apply(large)
        place.sql("CREATE TABLE moments (n int)")
        write(place, 1)
        rival: dict[str, Any] = pod_object("rival")
        [container] = rival["spec"]["containers"]
        container["resources"] = {"requests": {"memory": str(_free_memory(place) + 4 * 1024**3)}}
        place.kubectl.run("apply", "--filename=-", data=json.dumps(rival).encode())
        place.kubectl.run("wait", "--for=condition=PodScheduled=false", "pod/rival", KUBECTL_DEADLINE)

        refused = restore(place, "--to=latest", expect=5)
        assert f"has no room for pods that wait: {place.kubectl.namespace}/rival. One of them would take" in refused.err
        assert "nothing was touched" in refused.err
        assert (replicas(place), rows(place)) == (1, "1")
        place.kubectl.run("delete", "pod", "rival", "--wait=true")
        restore(place, "--to=latest")
        assert rows(place) == "1"


def _free_memory(place: Site) -> int:
    """What no pod of the node asks for, in bytes."""
    [node] = place.kubectl.json("get", "nodes")["items"]
    allocatable = read_quantity(node["status"]["allocatable"]["memory"])
    assert allocatable is not None
    taken = 0
    for pod in place.kubectl.json("get", "pods", "--all-namespaces")["items"]:
        if pod["status"]["phase"] in ("Running", "Pending") and pod["spec"].get("nodeName"):
            for each in pod["spec"]["containers"]:
                taken += int(read_quantity(each.get("resources", {}).get("requests", {}).get("memory", "0")) or 0)
    return int(allocatable) - taken


def test_a_store_that_goes_away_before_the_stop_leaves_the_database_up_and_midway_down_until_it_is_back(
    kubectl_binary: str, tmp_path: Path
) -> None:
    with site(kubectl_binary, tmp_path, create=False) as place:
        store = OwnStore(place.kubectl)
        store.start()
        place.variables.update({"OWN_ACCESS": KEY, "OWN_SECRET": SECRET})
        keys = {"from": "env", "accessKey": "OWN_ACCESS", "secretKey": "OWN_SECRET"}
        place.apply(
            {
                "repository": {"endpoint": store.endpoint, "credentials": keys},
                "tls": {"source": {"namespace": place.kubectl.namespace, "secret": CERTIFICATE, "key": "tls.crt"}},
            }
        )
        place.sql("CREATE TABLE moments (n int)")
        write(place, 1)
        before = moment(place)
        write(place, 2)

        store.switch("stopped")
        refused = restore(place, f"--to={before}", expect=5)
        assert (replicas(place), rows(place)) == (1, "1,2"), refused.output
        store.switch("first")

        arguments = ("restore", "postgresql", f"--namespace={place.kubectl.namespace}", "--yes", f"--to={before}")
        with place.start(None, *arguments, "--json") as process:
            assert process.stdout is not None
            output = []
            for line in process.stdout:
                output.append(line)
                event = json.loads(line)
                if event["type"] == "event" and (event["stage"], event["kind"]) == ("stop", "done"):
                    store.switch("stopped")
            assert process.wait() == 12, "".join(output)
        assert replicas(place) == 0, "it is not started on what is half restored"
        store.switch("first")
        restore(place)
        assert rows(place) == "1"
