"""Restore and drill against the same steps by hand, on a real cluster and in one run: ``python bench/restore.py``.

A database is written to by pgbench until it stops. It is restored in place by pgwizard, from the confirmation until it
accepts writes; then by hand: scale to 0, a Job that restores, recovers and promotes, scale to 1. A drill is compared
with a Job that restores, recovers, dumps and checks indexes. Exit code 1 where a target is missed.

Needs what bench/apply.py needs. A namespace of its own, which goes away.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figures import Figure, show

KUBECONFIG = os.environ.get("PGWIZARD_TEST_KUBECONFIG") or os.environ.get("KUBECONFIG", "")
POD, CLAIM = "postgresql-0", "postgresql-storage-postgresql-0"
DEADLINE = "--timeout=1800s"
SERVER = "-c config_file=/etc/postgresql/postgresql.conf -c listen_addresses="
RECOVERED = """server=$!
while kill -0 $server 2>/dev/null; do
  [ "$(psql -U postgres -XAtqc 'select pg_is_in_recovery()' 2>/dev/null)" = f ] && break; sleep 0.2
done
kill -0 $server || exit 3
"""
RESTORE = f"""set -uo pipefail
pgbackrest --stanza=main --delta --log-level-console=warn --type=default --target-timeline=latest restore || exit $?
postgres -D $PGDATA {SERVER} &
{RECOVERED}pg_ctl -D $PGDATA stop -m fast -w -t 600 && wait $server
"""
ARCHIVED = """sql() { psql -U postgres -XAtqc "$1"; }
last="$(sql "select pg_walfile_name(pg_switch_wal())")"
until [ "$(sql "select last_archived_wal >= '$last' from pg_stat_archiver")" = t ]; do sleep 0.2; done
"""
DRILL = f"""set -uo pipefail
mkdir -m 700 -p $PGDATA
pgbackrest --stanza=main --archive-mode=off --log-level-console=warn --target-timeline=latest restore || exit $?
postgres -D $PGDATA {SERVER} -c fsync=off -c full_page_writes=off -c shared_buffers=64MB &
{RECOVERED}pg_dumpall -U postgres >/dev/null && pg_amcheck -U postgres --all --install-missing --heapallindexed &&
pg_ctl -D $PGDATA stop -m fast -w -t 600 && wait $server
"""


def main() -> int:
    options = _options()
    with contextlib.ExitStack() as stack:
        bench = Release(Path(stack.enter_context(tempfile.TemporaryDirectory())), f"pgw-bench-{uuid.uuid4().hex[:8]}")
        stack.callback(bench.clean_up)
        bench.create(options.scale)
        own, by_hand = _restores(bench, options.transactions)
        drill, drill_by_hand = _drills(bench)
    return show(
        [
            Figure("restore, confirmed to accepting writes", own, by_hand, "the same by hand", target=1.25, unit="s"),
            Figure("drill", drill, drill_by_hand, "the same by hand", target=1.2, unit="s"),
        ]
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=int, default=136, help="of pgbench (default 136, which is 2 GB)")
    parser.add_argument("--transactions", type=int, default=2_000, help="before each restore (default 2000 a client)")
    return parser.parse_args()


def _restores(bench: Release, transactions: int) -> tuple[float, float]:
    """Both begin with as much WAL behind a full backup; pgwizard's own restore ends with the next one."""
    with bench.written_to(transactions):
        own = bench.restored()
    note(f"restored by pgwizard: {own:.1f} s")
    bench.back_up()
    with bench.written_to(transactions):
        by_hand = bench.restored_by_hand()
    note(f"restored by hand: {by_hand:.1f} s")
    return own, by_hand


def _drills(bench: Release) -> tuple[float, float]:
    """Of the same backup, in turn."""
    begin = time.perf_counter()
    bench.pgwizard("drill", "postgresql", bench.where)
    own = time.perf_counter() - begin
    note(f"drill by pgwizard: {own:.1f} s")
    begin = time.perf_counter()
    bench.run_job("by-hand-drill", DRILL, {"emptyDir": {}})
    by_hand = time.perf_counter() - begin
    note(f"drill by hand: {by_hand:.1f} s")
    return own, by_hand


@dataclass(frozen=True)
class Release:
    """A release in a namespace of its own."""

    folder: Path
    namespace: str

    @property
    def where(self) -> str:
        return f"--namespace={self.namespace}"

    def create(self, scale: int) -> None:
        """With a full backup of a database that pgbench has filled."""
        keys = {"from": "env", "accessKey": "RIG_S3_ACCESS_KEY", "secretKey": "RIG_S3_SECRET_KEY"}
        answers = {
            "release": {"namespace": self.namespace},
            "storage": {"size": "10Gi"},
            "resources": {"cpuRequest": "20m", "memoryRequest": "128Mi"},
            "compression": {"type": "lz4"},
            "repository": {"path": f"/pgwizard-bench/{self.namespace}", "credentials": keys},
        }
        file = self.folder / "answers.yaml"
        file.write_text(json.dumps(answers))
        self.kubectl("create", "namespace", self.namespace)
        self.pgwizard("apply", str(file), "--yes", f"--ca-file={os.environ['RIG_S3_CA']}")
        note(f"filling the database: scale {scale}")
        self.pgbench("-i", "-q", "-s", str(scale))
        self.back_up()

    def back_up(self) -> None:
        """Take a full backup."""
        self.pgwizard("backup", "postgresql", self.where, "--type=full", "--follow")

    @contextlib.contextmanager
    def written_to(self, transactions: int) -> Iterator[None]:
        """After so many transactions of each client, and under more of them until the server stops."""
        self.pgbench("-c", "4", "-t", str(transactions))
        command = [
            *_kubectl(),
            "-n",
            self.namespace,
            "exec",
            POD,
            "--",
            "pgbench",
            "-U",
            "postgres",
            "-c2",
            "-R50",
            "-T3600",
        ]
        with subprocess.Popen([*command, "postgres"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
            try:
                yield
            finally:
                load.kill()

    def restored(self) -> float:
        """Seconds from the plan that is confirmed to the server that accepts writes."""
        command = [*pgwizard(), "restore", "postgresql", self.where, "--to=latest", "--yes", "--json"]
        confirmed = accepting = 0.0
        with subprocess.Popen([*command, f"--kubeconfig={KUBECONFIG}"], stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                event = json.loads(line)
                if event["type"] == "restorePlan":
                    confirmed = time.perf_counter()
                elif event["type"] == "event" and (event["stage"], event["kind"]) == ("start", "done"):
                    accepting = time.perf_counter()
                if event["type"] == "event" and event["kind"] == "done":
                    note(f"  {event['stage']}: {event['seconds']:.1f} s")
        if process.returncode or not accepting:
            raise SystemExit(f"the restore ended with {process.returncode}")
        return accepting - confirmed

    def restored_by_hand(self) -> float:
        begin = time.perf_counter()
        self.kubectl("exec", POD, "--", "bash", "-c", ARCHIVED)
        self.kubectl("scale", "statefulset", "postgresql", "--replicas=0")
        self.kubectl("wait", "--for=delete", f"pod/{POD}", DEADLINE)
        self.run_job("by-hand", RESTORE, {"persistentVolumeClaim": {"claimName": CLAIM}})
        self.kubectl("scale", "statefulset", "postgresql", "--replicas=1")
        self.kubectl("wait", "--for=create", f"pod/{POD}", DEADLINE)
        self.kubectl("wait", "--for=condition=Ready", f"pod/{POD}", DEADLINE)
        return time.perf_counter() - begin

    def run_job(self, name: str, script: str, volume: dict[str, Any]) -> None:
        """A Job from the live pod template, until it has ended."""
        stateful = json.loads(self.kubectl("get", "statefulset", "postgresql", "-o=json"))
        spec = copy.deepcopy(stateful["spec"]["template"]["spec"])
        [server] = spec["containers"]
        for part in ("startupProbe", "livenessProbe", "readinessProbe", "ports", "args"):
            server.pop(part, None)
        server |= {"name": "restore", "command": ["/bin/bash", "-c", script]}
        spec["volumes"].append({"name": "postgresql-storage", **volume})
        spec["restartPolicy"] = "Never"
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": {"job": name}}, "spec": spec}},
        }
        self.kubectl("create", "--filename=-", data=json.dumps(job))
        self.kubectl("wait", "--for=condition=Complete", f"job/{name}", DEADLINE)

    def pgbench(self, *options: str) -> None:
        self.kubectl("exec", POD, "--", "pgbench", "-U", "postgres", *options, "postgres")

    def pgwizard(self, *words: str) -> None:
        _call([*pgwizard(), *words, f"--kubeconfig={KUBECONFIG}"])

    def kubectl(self, *words: str, data: str = "") -> str:
        return _call([*_kubectl(), "-n", self.namespace, *words], data)

    def clean_up(self) -> None:
        """Empty the repository as far as it can be, and let the namespace go."""
        empty = "pgbackrest --stanza=main stop; pgbackrest --stanza=main --force stanza-delete"
        for words in (
            ("exec", POD, "--", "bash", "-c", empty),
            ("delete", "namespace", self.namespace, "--wait=false"),
        ):
            subprocess.run([*_kubectl(), "-n", self.namespace, *words], capture_output=True, check=False)


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def pgwizard() -> list[str]:
    return [str(Path(sys.executable).with_name("pgwizard"))]


def _kubectl() -> list[str]:
    return [os.environ.get("RIG_KUBECTL") or shutil.which("kubectl") or "kubectl", f"--kubeconfig={KUBECONFIG}"]


def _call(command: Sequence[str], data: str = "") -> str:
    done = subprocess.run(command, capture_output=True, text=True, input=data, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
