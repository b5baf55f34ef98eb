"""The status of a release, once, against the slowest command that it needs: ``python bench/status.py``.

Every round runs ``pgwizard status`` and then, as a process with the same client, the slowest of the commands that it
runs in the pod, alone (A B A B ...). Exit code 1 where a target is missed.

Needs what bench/apply.py needs. A namespace of its own, which goes away.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from figures import Figure, show

from restore import DEADLINE, KUBECONFIG, POD, Release, note, pgwizard

ALONE = """
import asyncio, json, sys, time
from pgwizard.kube.client import connect

async def main():
    kubeconfig, namespace, pod, command = sys.argv[1:]
    async with await connect(None, kubeconfig) as cluster:
        begin = time.perf_counter()
        result = await cluster.exec(namespace, pod, "postgresql", json.loads(command))
        print(time.perf_counter() - begin)
        sys.exit(result.exit_code)

asyncio.run(main())
"""
"""Prints the seconds of the command alone, without those of the process and its connection."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="of each side (default 15)")
    parser.add_argument("--scale", type=int, default=10, help="of pgbench (default 10, which is 150 MB)")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        # As installed: modules are compiled. The first run of each side, which is not counted, does it.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/compiled"
        bench = Release(Path(folder), f"pgw-bench-{uuid.uuid4().hex[:8]}")
        stack.callback(bench.clean_up)
        bench.create(options.scale)
        bench.kubectl("wait", "--for=condition=Complete", "job", "--all", DEADLINE)  # its end would be read for again
        slowest = _slowest(bench.namespace)
        shots, alone, bare = [], [], []
        for _ in range(options.rounds + 1):
            shots.append(_one_shot(bench))
            process, command = _alone(bench.namespace, slowest)
            alone.append(process)
            bare.append(command)
    shot = min(shots[1:]) * 1000
    return show(
        [
            Figure("status, one shot", shot, min(alone[1:]) * 1000, "a process that runs its slowest command", 1.5),
            Figure("the same", shot, min(bare[1:]) * 1000, "that command alone, on an open connection", None),
        ]
    )


def _slowest(namespace: str) -> list[str]:
    """The slowest of the commands that the status runs in the pod, each alone."""
    commands = asyncio.run(_commands(namespace))
    seconds = [statistics.median(_alone(namespace, command)[1] for _ in range(5)) for command in commands]
    for command, spent in zip(commands, seconds, strict=True):
        note(f"  {_name(command)}: {spent * 1000:.0f} ms")
    return commands[seconds.index(max(seconds))]


def _name(command: Sequence[str]) -> str:
    words = [word for word in command if "\n" not in word]
    return " ".join(words)[:80]


async def _commands(namespace: str) -> list[list[str]]:
    from pgwizard.clock import utc_now
    from pgwizard.kube.client import connect
    from pgwizard.plan.names import ReleaseRef
    from pgwizard.status import observe

    commands: list[list[str]] = []
    async with await connect(None, KUBECONFIG) as cluster:
        run, begin = cluster.exec, time.perf_counter()

        async def run_noted(where: str, pod: str, container: str, command: Sequence[str], **options: Any) -> Any:
            commands.append(list(command))
            since = time.perf_counter()
            result = await run(where, pod, container, command, **options)
            until = time.perf_counter()
            note(f"  {since - begin:.2f} s to {until - begin:.2f} s: {_name(command)}")
            return result

        vars(cluster)["exec"] = run_noted
        await observe.look(cluster, ReleaseRef(namespace, "postgresql"), now=utc_now)
        note(f"  {time.perf_counter() - begin:.2f} s: all")
    return commands


def _one_shot(bench: Release) -> float:
    begin = time.perf_counter()
    command = [*pgwizard(), "status", "postgresql", bench.where, "--json", f"--kubeconfig={KUBECONFIG}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        raise SystemExit(f"the status ended with {done.returncode}: {done.stderr}")
    return time.perf_counter() - begin


def _alone(namespace: str, command: Sequence[str]) -> tuple[float, float]:
    """Seconds of the process, and of the command in it."""
    begin = time.perf_counter()
    process = [sys.executable, "-c", ALONE, KUBECONFIG, namespace, POD, json.dumps(command)]
    done = subprocess.run(process, capture_output=True, text=True, check=True)
    return time.perf_counter() - begin, float(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
