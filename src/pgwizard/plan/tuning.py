"""PostgreSQL's numbers from memory, CPU, disk and connections, each with its reason in words.

The formulas are pgtune's, in the edition of 2026-07-30 (le0pard/pgtune, ``configurationSlice.js``): work_mem over
connections and workers with a floor of 4 MB, maintenance_work_mem capped at 8 GB. Three of its answers break a pod or
its backups and are not taken: ``huge_pages = try`` (a bus error on nodes that have huge pages, unless the pod asked
for some), ``wal_level = minimal`` (no archive) and ``io_method = io_uring`` (seccomp's default profile forbids it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal

from pgwizard.plan import settings
from pgwizard.quantities import postgres_size

Profile = Literal["web", "oltp", "dw", "desktop", "mixed"]
Disk = Literal["ssd", "nvme", "hdd", "san"]
DataSize = Literal["unknown", "fits-in-memory", "exceeds-memory"]

EDITION = "pgtune of 2026-07-30"
MB, GB = 1024, 1024**2
BASE_KB = 64 * MB
"""What PostgreSQL's own processes and a small pgBackRest need beside the parameters below; a round estimate."""
SEGMENT_BYTES = 16 * 1024**2
"""A WAL segment's size, as initdb makes it."""

_MIN_WAL = {"web": 1 * GB, "oltp": 2 * GB, "dw": 4 * GB, "desktop": 100 * MB, "mixed": 1 * GB}
_MAX_WAL = {"web": 4 * GB, "oltp": 8 * GB, "dw": 16 * GB, "desktop": 2 * GB, "mixed": 4 * GB}
_WORK_MEM_DIVISOR = {"web": 1, "oltp": 1, "dw": 2, "desktop": 6, "mixed": 2}
_IO_CONCURRENCY = {"hdd": 2, "ssd": 200, "san": 300, "nvme": 1000}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line of postgresql.conf and its reason."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What PostgreSQL runs on. memory_kb is the pod's memory limit in kB, not the node's memory."""

    profile: Profile
    memory_kb: int
    cores: int
    connections: int
    disk: Disk
    data_size: DataSize = "unknown"
    version: int = 15


def tune(machine: Machine) -> list[Parameter]:
    """The parameters for this machine, in the order in which they are read best."""
    shared_buffers = machine.memory_kb // (16 if machine.profile == "desktop" else 4)
    maintenance = min(machine.memory_kb // (8 if machine.profile == "dw" else 16), 8 * GB)
    return [
        Parameter("max_connections", str(machine.connections), "as asked"),
        *_memory(machine, shared_buffers, maintenance),
        *_wal(machine, shared_buffers),
        *_planner(machine),
        *_workers(machine),
        *_autovacuum(machine, maintenance),
    ]


def _memory(machine: Machine, shared_buffers: int, maintenance: int) -> list[Parameter]:
    desktop = machine.profile == "desktop"
    cache = machine.memory_kb // 4 if desktop else machine.memory_kb * 3 // 4
    return [
        Parameter("shared_buffers", postgres_size(shared_buffers), f"1/{16 if desktop else 4} of memory"),
        Parameter("effective_cache_size", postgres_size(cache), f"{'1/4' if desktop else '3/4'} of memory"),
        Parameter(
            "maintenance_work_mem",
            postgres_size(maintenance),
            f"1/{8 if machine.profile == 'dw' else 16} of memory, 8GB at most",
        ),
        _work_mem(machine, shared_buffers),
        Parameter("huge_pages", "off", "the pod has no huge pages of its own"),
    ]


def _work_mem(machine: Machine, shared_buffers: int) -> Parameter:
    workers = machine.cores if machine.cores >= 4 else 8
    divisor = _WORK_MEM_DIVISOR[machine.profile]
    share = (machine.memory_kb - shared_buffers) / ((machine.connections + workers) * 3) / divisor
    share *= {"unknown": 1.0, "fits-in-memory": 1.3, "exceeds-memory": 0.9}[machine.data_size]
    work_mem = max(int(share), 4 * MB)
    reason = f"(memory - shared_buffers) / ((connections + {workers} workers) * 3) / {divisor}, 4MB at least"
    return Parameter("work_mem", postgres_size(work_mem), reason)


def wal_buffers_kb(shared_buffers_kb: int) -> int:
    """3 % of shared_buffers, 16 MB at most (from 14 MB on), 32 kB at least."""
    share = shared_buffers_kb * 3 // 100
    return 16 * MB if share > 14 * MB else max(share, 32)


def _wal(machine: Machine, shared_buffers: int) -> list[Parameter]:
    profile = machine.profile
    compression = "lz4" if machine.version >= 15 else "on"
    return [
        Parameter("wal_buffers", postgres_size(wal_buffers_kb(shared_buffers)), "3% of shared_buffers, 16MB at most"),
        Parameter("min_wal_size", postgres_size(_MIN_WAL[profile]), f"for {profile}"),
        Parameter("max_wal_size", postgres_size(_MAX_WAL[profile]), f"for {profile}: a checkpoint at the latest then"),
        Parameter("checkpoint_completion_target", "0.9", "spreads a checkpoint's writes"),
        Parameter("wal_compression", compression, "less WAL to write and to archive"),
    ]


def _planner(machine: Machine) -> list[Parameter]:
    statistics = "500" if machine.profile == "dw" else "100"
    random_reads_cost = machine.disk == "hdd" or machine.profile == "dw"
    if machine.data_size == "fits-in-memory":
        cost = Parameter("random_page_cost", "1.1", "the data fits in memory")
    elif random_reads_cost:
        cost = Parameter("random_page_cost", "4", "hdd: seeks" if machine.disk == "hdd" else "dw: reads in sequence")
    else:
        cost = Parameter("random_page_cost", "1.1", f"{machine.disk}: random reads cost as much as others")
    parameters = [
        Parameter("default_statistics_target", statistics, f"for {machine.profile}"),
        cost,
        Parameter("effective_io_concurrency", str(_IO_CONCURRENCY[machine.disk]), f"for {machine.disk}"),
    ]
    if machine.profile in ("web", "oltp", "mixed"):
        parameters.append(Parameter("jit", "off", "short queries compile longer than they run"))
    return parameters


def _workers(machine: Machine) -> list[Parameter]:
    """Below 4 cores PostgreSQL's own defaults are kept."""
    cores = machine.cores
    if cores < 4:
        return []
    gather = ceil(cores / 2) if machine.profile == "dw" else min(ceil(cores / 2), 4)
    return [
        Parameter("max_worker_processes", str(cores), "one a core"),
        Parameter("max_parallel_workers", str(cores), "one a core"),
        Parameter(
            "max_parallel_workers_per_gather", str(gather), "half the cores" + ("" if gather > 4 else ", 4 at most")
        ),
        Parameter("max_parallel_maintenance_workers", str(min(4, ceil(cores / 2))), "half the cores, 4 at most"),
    ]


def _autovacuum(machine: Machine, maintenance: int) -> list[Parameter]:
    parameters = []
    if machine.cores >= 16:
        workers = "5" if machine.cores >= 32 else "4"
        parameters.append(Parameter("autovacuum_max_workers", workers, f"for {machine.cores} cores"))
    if maintenance >= 2 * GB:
        parameters.append(Parameter("autovacuum_work_mem", "2GB", "keeps autovacuum below maintenance_work_mem"))
    return parameters


@dataclass(frozen=True, slots=True)
class MemorySum:
    """The memory in use when every connection sorts at once and every autovacuum worker runs, in kB, part by part."""

    buffers_kb: int
    work_kb: int
    maintenance_kb: int
    base_kb: int

    @property
    def total_kb(self) -> int:
        """All parts."""
        return self.buffers_kb + self.work_kb + self.maintenance_kb + self.base_kb


def memory_sum(values: Mapping[str, str], version: int = 15) -> MemorySum:
    """The worst case of these parameters (name -> value): buffers, connections x work_mem, maintenance, base.

    One sort a connection: PostgreSQL allows several in one query, so a query plan with many sorts can pass this sum.
    maintenance counts each autovacuum worker and one manual command. Missing parameters count with their defaults.
    """

    def kilobytes(name: str, default: int) -> int:
        size = settings.size_bytes(name, values, version)
        return default if size is None else size // 1024

    def count(name: str, default: int) -> int:
        number = settings.count(name, values, version)
        return default if number is None else number

    shared_buffers = kilobytes("shared_buffers", 128 * MB)
    maintenance = kilobytes("maintenance_work_mem", 64 * MB)
    return MemorySum(
        buffers_kb=shared_buffers + kilobytes("wal_buffers", wal_buffers_kb(shared_buffers)),
        work_kb=count("max_connections", 100) * kilobytes("work_mem", 4 * MB),
        maintenance_kb=maintenance + count("autovacuum_max_workers", 3) * kilobytes("autovacuum_work_mem", maintenance),
        base_kb=BASE_KB,
    )
