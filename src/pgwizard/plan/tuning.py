"""PostgreSQL's numbers from memory, CPU, disk and connections, each with its reason in words.

The formulas are pgtune's, in the edition of 2026-07-30 (le0pard/pgtune, ``configurationSlice.js``): work_mem over
connections and workers with a floor of 4 MB, maintenance_work_mem capped at 8 GB. Three of its answers break a pod or
its backups and are not used: ``huge_pages = try`` (a bus error on nodes that have huge pages, unless the pod asked
for some), ``wal_level = minimal`` (no archive) and ``io_method = io_uring`` (seccomp's default profile forbids it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
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


def tune(machine: Machine, overrides: Mapping[str, str] = MappingProxyType({})) -> list[Parameter]:
    """The parameters for this machine, in the order in which they are read best.

    overrides: values that are set by hand. What follows from one of them is computed from it, and its reason says so;
    the overridden parameters themselves are computed as without.
    """
    own = _Overrides(overrides, machine.version)
    maintenance = min(machine.memory_kb // (8 if machine.profile == "dw" else 16), 8 * GB)
    return [
        Parameter("max_connections", str(machine.connections), "as asked"),
        *_memory(machine, own, maintenance),
        *_wal(machine, own),
        *_planner(machine),
        *_workers(machine, own),
        *_autovacuum(machine, own.kilobytes("maintenance_work_mem", maintenance)),
    ]


@dataclass(frozen=True, slots=True)
class _Overrides:
    values: Mapping[str, str]
    version: int

    def kilobytes(self, name: str, default: int) -> int:
        size = settings.size_bytes(name, self.values, self.version)
        return default if size is None else size // 1024

    def count(self, name: str, default: int) -> int:
        number = settings.count(name, self.values, self.version)
        return default if number is None else number

    def name_for(self, name: str) -> str:
        """The name for a reason, with the value if the user set it."""
        is_read = settings.count(name, self.values, self.version) is not None
        return f"{name} ({self.values[name]}, as asked)" if is_read else name


def _shared_buffers(machine: Machine) -> int:
    return machine.memory_kb // (16 if machine.profile == "desktop" else 4)


def _memory(machine: Machine, own: _Overrides, maintenance: int) -> list[Parameter]:
    desktop = machine.profile == "desktop"
    default = _shared_buffers(machine)
    shared_buffers = own.kilobytes("shared_buffers", default)
    cache, share = machine.memory_kb // 4 if desktop else machine.memory_kb * 3 // 4, "1/4" if desktop else "3/4"
    reason = f"{share} of memory"
    if shared_buffers > cache:
        cache, reason = shared_buffers, f"not less than {own.name_for('shared_buffers')}"
    return [
        Parameter("shared_buffers", postgres_size(default), f"1/{16 if desktop else 4} of memory"),
        Parameter("effective_cache_size", postgres_size(cache), reason),
        Parameter(
            "maintenance_work_mem",
            postgres_size(maintenance),
            f"1/{8 if machine.profile == 'dw' else 16} of memory, 8GB at most",
        ),
        _work_mem(machine, own, shared_buffers),
        Parameter("huge_pages", "off", "the pod has no huge pages of its own"),
    ]


def _work_mem(machine: Machine, own: _Overrides, shared_buffers: int) -> Parameter:
    workers = own.count("max_worker_processes", machine.cores if machine.cores >= 4 else 8)
    divisor = _WORK_MEM_DIVISOR[machine.profile]
    share = (machine.memory_kb - shared_buffers) / ((machine.connections + workers) * 3) / divisor
    share *= {"unknown": 1.0, "fits-in-memory": 1.3, "exceeds-memory": 0.9}[machine.data_size]
    work_mem = max(int(share), 4 * MB)
    by_hand = ", as asked" if own.name_for("max_worker_processes") != "max_worker_processes" else ""
    reason = (
        f"(memory - {own.name_for('shared_buffers')}) / ((connections + {workers} workers{by_hand}) * 3) / {divisor}, "
        "4MB at least"
    )
    return Parameter("work_mem", postgres_size(work_mem), reason)


def wal_buffers_kb(shared_buffers_kb: int) -> int:
    """3 % of shared_buffers, 16 MB at most (from 14 MB on), 32 kB at least."""
    share = shared_buffers_kb * 3 // 100
    return 16 * MB if share > 14 * MB else max(share, 32)


def _wal(machine: Machine, own: _Overrides) -> list[Parameter]:
    profile = machine.profile
    compression = "lz4" if machine.version >= 15 else "on"
    wal_buffers = wal_buffers_kb(own.kilobytes("shared_buffers", _shared_buffers(machine)))
    smallest, reason = _MIN_WAL[profile], f"for {profile}"
    largest = own.kilobytes("max_wal_size", _MAX_WAL[profile])
    if smallest > largest >= 32 * MB:
        smallest, reason = largest, f"not more than {own.name_for('max_wal_size')}"
    return [
        Parameter("wal_buffers", postgres_size(wal_buffers), f"3% of {own.name_for('shared_buffers')}, 16MB at most"),
        Parameter("min_wal_size", postgres_size(smallest), reason),
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


def _workers(machine: Machine, own: _Overrides) -> list[Parameter]:
    """Below 4 cores PostgreSQL's own defaults are kept."""
    cores = machine.cores
    if cores < 4:
        return []
    gather = ceil(cores / 2) if machine.profile == "dw" else min(ceil(cores / 2), 4)
    half = "half the cores" + ("" if gather > 4 else ", 4 at most")
    processes = own.count("max_worker_processes", cores)
    parallel = own.count("max_parallel_workers", min(cores, processes))

    def at_most(name: str, number: int, reason: str, limit: str, most: int) -> Parameter:
        if number > most:
            return Parameter(name, str(most), f"not more than {own.name_for(limit)}")
        return Parameter(name, str(number), reason)

    most = "max_parallel_workers" if own.count("max_parallel_workers", -1) >= 0 else "max_worker_processes"
    return [
        Parameter("max_worker_processes", str(cores), "one a core"),
        at_most("max_parallel_workers", cores, "one a core", "max_worker_processes", processes),
        at_most("max_parallel_workers_per_gather", gather, half, most, parallel),
        at_most(
            "max_parallel_maintenance_workers", min(4, ceil(cores / 2)), "half the cores, 4 at most", most, parallel
        ),
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
        return self.buffers_kb + self.work_kb + self.maintenance_kb + self.base_kb


def memory_sum(values: Mapping[str, str], version: int = 15) -> MemorySum:
    """The worst case of these parameters (name -> value): buffers, connections x work_mem, maintenance, base.

    One sort a connection: PostgreSQL allows several in one query, so a query plan with many sorts can pass this sum.
    maintenance counts each autovacuum worker and one manual command. base includes usual tables of locks; larger ones
    are added. Missing parameters count with their defaults.
    """
    defaults = _Defaults(values, version)
    maintenance = defaults.kilobytes("maintenance_work_mem")
    workers_memory = settings.size_bytes("autovacuum_work_mem", values, version)
    return MemorySum(
        buffers_kb=defaults.kilobytes("shared_buffers") + defaults.wal_buffers_kb,
        work_kb=defaults.count("max_connections") * defaults.kilobytes("work_mem"),
        maintenance_kb=maintenance
        + defaults.count("autovacuum_max_workers")
        * (maintenance if workers_memory is None else workers_memory // 1024),
        base_kb=BASE_KB + max(0, defaults.locks_kb - _USUAL_LOCKS_KB),
    )


def shared_memory_kb(values: Mapping[str, str], version: int = 15) -> int:
    """The shared memory that the server asks for when it starts, within a tenth: buffers, locks, a place per process.

    Fitted to ``postgres -C shared_memory_size``; the fixture of its test has what the servers answer.
    """
    defaults = _Defaults(values, version)
    reserve = settings.size_bytes("min_dynamic_shared_memory", values, version) or 0
    return (
        defaults.kilobytes("shared_buffers") * 103 // 100
        + defaults.wal_buffers_kb
        + defaults.locks_kb
        + reserve // 1024
    )


MOST_PROCESSES = 262_141
"""The largest ``process_sum``: 2^18 less what the server needs itself."""


def process_sum(values: Mapping[str, str], version: int = 15) -> int:
    """Connections, autovacuum workers, background workers and WAL senders: each has a place in shared memory."""
    defaults = _Defaults(values, version)
    return sum(map(defaults.count, process_parameters(version)))


def process_parameters(version: int) -> tuple[str, ...]:
    """The parameters that each make room for processes."""
    vacuum = "autovacuum_worker_slots" if version >= 18 else "autovacuum_max_workers"
    return ("max_connections", vacuum, "max_worker_processes", "max_wal_senders")


_LOCK_BYTES, _PREDICATE_LOCK_BYTES, _PLACE_BYTES = 400, 260, 8192
_USUAL_LOCKS_KB = 16 * MB
_DEFAULTS_KB = {"shared_buffers": 128 * MB, "maintenance_work_mem": 64 * MB, "work_mem": 4 * MB}
_DEFAULT_COUNTS = {
    "autovacuum_max_workers": 3,
    "autovacuum_worker_slots": 16,
    "max_connections": 100,
    "max_locks_per_transaction": 64,
    "max_pred_locks_per_transaction": 64,
    "max_prepared_transactions": 0,
    "max_wal_senders": 10,
    "max_worker_processes": 8,
}
SHARED_MEMORY_PARAMETERS = (
    *("shared_buffers", "wal_buffers", "track_activity_query_size", "min_dynamic_shared_memory"),
    *_DEFAULT_COUNTS,
)
"""The parameters that ``shared_memory_kb`` depends on."""


@dataclass(frozen=True, slots=True)
class _Defaults:
    """Values of parameters, with PostgreSQL's own defaults for what is missing or cannot be read."""

    values: Mapping[str, str]
    version: int

    def kilobytes(self, name: str) -> int:
        size = settings.size_bytes(name, self.values, self.version)
        return _DEFAULTS_KB[name] if size is None else size // 1024

    def count(self, name: str) -> int:
        number = settings.count(name, self.values, self.version)
        return _DEFAULT_COUNTS[name] if number is None else number

    @property
    def wal_buffers_kb(self) -> int:
        size = settings.size_bytes("wal_buffers", self.values, self.version)
        return wal_buffers_kb(self.kilobytes("shared_buffers")) if size is None else size // 1024

    @property
    def locks_kb(self) -> int:
        """The tables of locks and of processes."""
        locks = self.count("max_locks_per_transaction") * _LOCK_BYTES
        locks += self.count("max_pred_locks_per_transaction") * _PREDICATE_LOCK_BYTES
        query = settings.size_bytes("track_activity_query_size", self.values, self.version) or 1024
        places = process_sum(self.values, self.version)
        transactions = self.count("max_prepared_transactions")
        return (places * (locks + _PLACE_BYTES + query) + transactions * (locks + _PLACE_BYTES)) // 1024
