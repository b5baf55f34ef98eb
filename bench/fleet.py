"""What 200 releases cost on the simulated cluster: the first picture, and then half an hour in which nothing changes.

``python bench/fleet.py [COUNT]``. The clock of the cluster jumps, so that seconds are those of the processor alone. The
first third of the half hour is warming up; what memory grows by afterwards is printed.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections import Counter
from contextlib import aclosing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from pgwizard.simulator.cluster import SimCluster
from pgwizard.status import fleet
from pgwizard.status.fleet_report import rows, totals
from support.faulting import clock
from support.fleets import multiply
from support.observing import on

_IDLE_SECONDS = 1_800


async def measure(sim: SimCluster, count: int) -> None:
    multiply(sim, count - 1)
    begun = time.process_time()
    result = await fleet.look(sim, now=clock(sim))
    spent, requests = time.process_time() - begun, sum(result.requests.values())
    print(f"one shot: {spent:.2f} s, {totals(rows(result))}, {requests:,} requests")
    begun, complete, before, since, warm = time.process_time(), 0.0, Counter[str](), 0.0, 0.0
    async with aclosing(fleet.observe(sim, now=clock(sim))) as fleets:
        async for result in fleets:
            at = result.at.timestamp()
            sim.requests.clear()  # the simulator's own log
            if not complete and result.is_complete:
                complete, before, since = time.process_time(), Counter(result.requests), at
                print(f"first full picture: {complete - begun:.2f} s")
            if complete and not warm and at - since >= _IDLE_SECONDS / 3:
                warm = _resident_mib()
            if complete and at - since >= _IDLE_SECONDS:
                spent, passed = time.process_time() - complete, at - since
                requests = sum((Counter(result.requests) - before).values())
                print(f"idle: {spent / passed:.1%} of a core, {requests / passed / count:.2f} requests/s a release")
                end = _resident_mib()
                print(f"memory: {warm:.1f} MiB after a third of {passed / 60:.0f} minutes, {end:.1f} MiB at the end")
                return


def _resident_mib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    on(lambda sim: measure(sim, wanted))
