"""PostgreSQL's numbers, computed by hand from the formulas of pgtune in its edition of 2026-07-30."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pgwizard.plan import tuning
from pgwizard.plan.tuning import GB, MB, Machine, MemorySum, memory_sum, shared_memory_kb, tune

COMMON = {"huge_pages": "off", "checkpoint_completion_target": "0.9"}
FOUR_CORES = {
    "max_worker_processes": "4",
    "max_parallel_workers": "4",
    "max_parallel_workers_per_gather": "2",
    "max_parallel_maintenance_workers": "2",
}
LARGE = {
    "max_worker_processes": "32",
    "max_parallel_workers": "32",
    "max_parallel_maintenance_workers": "4",
    "autovacuum_max_workers": "5",
    "autovacuum_work_mem": "2GB",
}

MACHINES = {
    "the defaults: mixed, 1 GB, 2 cores": (
        Machine("mixed", 1 * GB, 2, 100, "ssd"),
        # work_mem: (1048576 - 262144) / ((100 + 8) * 3) / 2 = 1213 kB, below the floor
        {
            "max_connections": "100",
            "shared_buffers": "256MB",
            "effective_cache_size": "768MB",
            "maintenance_work_mem": "64MB",
            "work_mem": "4MB",
            "wal_buffers": "7864kB",
            "min_wal_size": "1GB",
            "max_wal_size": "4GB",
            "wal_compression": "lz4",
            "default_statistics_target": "100",
            "random_page_cost": "1.1",
            "effective_io_concurrency": "200",
            "jit": "off",
        },
    ),
    "web, 8 GB, 4 cores, data in memory": (
        Machine("web", 8 * GB, 4, 200, "hdd", "fits-in-memory"),
        # work_mem: (8388608 - 2097152) / ((200 + 4) * 3) * 1.3 = 13364 kB
        {
            "max_connections": "200",
            "shared_buffers": "2GB",
            "effective_cache_size": "6GB",
            "maintenance_work_mem": "512MB",
            "work_mem": "13364kB",
            "wal_buffers": "16MB",
            "min_wal_size": "1GB",
            "max_wal_size": "4GB",
            "wal_compression": "lz4",
            "default_statistics_target": "100",
            "random_page_cost": "1.1",
            "effective_io_concurrency": "2",
            "jit": "off",
            **FOUR_CORES,
        },
    ),
    "oltp, 64 GB, 32 cores, more data than memory": (
        Machine("oltp", 64 * GB, 32, 300, "nvme", "exceeds-memory"),
        # work_mem: (67108864 - 16777216) / ((300 + 32) * 3) * 0.9 = 45480 kB
        {
            "max_connections": "300",
            "shared_buffers": "16GB",
            "effective_cache_size": "48GB",
            "maintenance_work_mem": "4GB",
            "work_mem": "45480kB",
            "wal_buffers": "16MB",
            "min_wal_size": "2GB",
            "max_wal_size": "8GB",
            "wal_compression": "lz4",
            "default_statistics_target": "100",
            "random_page_cost": "1.1",
            "effective_io_concurrency": "1000",
            "jit": "off",
            "max_parallel_workers_per_gather": "4",
            **LARGE,
        },
    ),
    "dw, 64 GB, 32 cores, PostgreSQL 14": (
        Machine("dw", 64 * GB, 32, 40, "ssd", version=14),
        # work_mem: 50331648 / ((40 + 32) * 3) / 2 = 116508 kB; maintenance_work_mem: 64 GB / 8
        {
            "max_connections": "40",
            "shared_buffers": "16GB",
            "effective_cache_size": "48GB",
            "maintenance_work_mem": "8GB",
            "work_mem": "116508kB",
            "wal_buffers": "16MB",
            "min_wal_size": "4GB",
            "max_wal_size": "16GB",
            "wal_compression": "on",
            "default_statistics_target": "500",
            "random_page_cost": "4",
            "effective_io_concurrency": "200",
            "max_parallel_workers_per_gather": "16",
            **LARGE,
        },
    ),
    "desktop, 8 GB, 4 cores": (
        Machine("desktop", 8 * GB, 4, 20, "san"),
        # work_mem: (8388608 - 524288) / ((20 + 4) * 3) / 6 = 18204 kB
        {
            "max_connections": "20",
            "shared_buffers": "512MB",
            "effective_cache_size": "2GB",
            "maintenance_work_mem": "512MB",
            "work_mem": "18204kB",
            "wal_buffers": "16MB",
            "min_wal_size": "100MB",
            "max_wal_size": "2GB",
            "wal_compression": "lz4",
            "default_statistics_target": "100",
            "random_page_cost": "1.1",
            "effective_io_concurrency": "300",
            **FOUR_CORES,
        },
    ),
    "mixed, 256 MB, 1 core, on a hard disk, PostgreSQL 13": (
        Machine("mixed", 256 * MB, 1, 100, "hdd", version=13),
        {
            "max_connections": "100",
            "shared_buffers": "64MB",
            "effective_cache_size": "192MB",
            "maintenance_work_mem": "16MB",
            "work_mem": "4MB",
            "wal_buffers": "1966kB",
            "min_wal_size": "1GB",
            "max_wal_size": "4GB",
            "wal_compression": "on",
            "default_statistics_target": "100",
            "random_page_cost": "4",
            "effective_io_concurrency": "2",
            "jit": "off",
        },
    ),
}


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_gets_the_numbers_of_the_formulas(name: str) -> None:
    machine, expected = MACHINES[name]
    assert {parameter.name: parameter.value for parameter in tune(machine)} == COMMON | expected


@pytest.mark.parametrize("name", MACHINES)
def test_every_number_has_its_reason(name: str) -> None:
    assert [parameter.name for parameter in tune(MACHINES[name][0]) if len(parameter.reason) < 5] == []


@pytest.mark.parametrize(("cores", "workers"), [(15, None), (16, "4"), (31, "4"), (32, "5")])
def test_more_cores_vacuum_with_more_workers(cores: int, workers: str | None) -> None:
    values = {parameter.name: parameter.value for parameter in tune(Machine("web", 8 * GB, cores, 100, "ssd"))}
    assert values.get("autovacuum_max_workers") == workers


@pytest.mark.parametrize(
    ("cores", "gather", "maintenance"), [(3, None, None), (5, "3", "3"), (7, "4", "4"), (64, "4", "4")]
)
def test_half_the_cores_work_on_one_query(cores: int, gather: str | None, maintenance: str | None) -> None:
    values = {parameter.name: parameter.value for parameter in tune(Machine("web", 8 * GB, cores, 100, "ssd"))}
    assert values.get("max_parallel_workers_per_gather") == gather
    assert values.get("max_parallel_maintenance_workers") == maintenance


@pytest.mark.parametrize(
    ("shared_buffers", "wal_buffers"),
    [(100, 32), (32 * MB, 983), (466 * MB, 14315), (467 * MB, 16 * MB), (64 * GB, 16 * MB)],
)
def test_wal_buffers_are_three_percent_between_their_bounds(shared_buffers: int, wal_buffers: int) -> None:
    assert tuning.wal_buffers_kb(shared_buffers) == wal_buffers


def test_maintenance_work_mem_ends_at_8_gb() -> None:
    values = {parameter.name: parameter.value for parameter in tune(Machine("dw", 256 * GB, 8, 100, "ssd"))}
    assert values["maintenance_work_mem"] == "8GB"


def test_no_computed_value_breaks_the_archive_or_the_pod() -> None:
    for machine, _ in MACHINES.values():
        names = {parameter.name: parameter.value for parameter in tune(machine)}
        assert names.keys() & {"wal_level", "max_wal_senders", "io_method"} == set()
        assert names["huge_pages"] == "off"


OVERRIDES: list[tuple[dict[str, str], dict[str, tuple[str, str]]]] = [
    (
        {"shared_buffers": "1024MB"},
        {
            "work_mem": (
                "21845kB",  # (8388608 - 1048576) / ((100 + 12) * 3)
                "(memory - shared_buffers (1024MB, as asked)) / ((connections + 12 workers) * 3) / 1, 4MB at least",
            ),
            "wal_buffers": ("16MB", "3% of shared_buffers (1024MB, as asked), 16MB at most"),
        },
    ),
    (
        {"shared_buffers": "7GB"},
        {
            "effective_cache_size": ("7GB", "not less than shared_buffers (7GB, as asked)"),
            "work_mem": (
                "4MB",
                "(memory - shared_buffers (7GB, as asked)) / ((connections + 12 workers) * 3) / 1, 4MB at least",
            ),
            "wal_buffers": ("16MB", "3% of shared_buffers (7GB, as asked), 16MB at most"),
        },
    ),
    ({"max_wal_size": "512MB"}, {"min_wal_size": ("512MB", "not more than max_wal_size (512MB, as asked)")}),
    (
        {"maintenance_work_mem": "4096MB"},
        {"autovacuum_work_mem": ("2GB", "keeps autovacuum below maintenance_work_mem")},
    ),
    (
        {"max_worker_processes": "3"},
        {
            "work_mem": (
                "20360kB",  # (8388608 - 2097152) / ((100 + 3) * 3)
                "(memory - shared_buffers) / ((connections + 3 workers, as asked) * 3) / 1, 4MB at least",
            ),
            "max_parallel_workers": ("3", "not more than max_worker_processes (3, as asked)"),
            "max_parallel_workers_per_gather": ("3", "not more than max_worker_processes (3, as asked)"),
            "max_parallel_maintenance_workers": ("3", "not more than max_worker_processes (3, as asked)"),
        },
    ),
    (
        {"max_parallel_workers": "2"},
        {
            "max_parallel_workers_per_gather": ("2", "not more than max_parallel_workers (2, as asked)"),
            "max_parallel_maintenance_workers": ("2", "not more than max_parallel_workers (2, as asked)"),
        },
    ),
    ({"work_mem": "1MB", "jit": "on", "shared_buffers": "many"}, {}),
]


@pytest.mark.parametrize(("overrides", "following"), OVERRIDES, ids=[", ".join(each) for each, _ in OVERRIDES])
def test_values_that_depend_on_an_override_follow_it_with_their_reasons(
    overrides: dict[str, str], following: dict[str, tuple[str, str]]
) -> None:
    machine = Machine("web", 8 * GB, 12, 100, "ssd")
    computed = {parameter.name: parameter for parameter in tune(machine)}
    different = [
        each for each in tune(machine, overrides) if each != computed.get(each.name) and each.name not in overrides
    ]
    assert {each.name: (each.value, each.reason) for each in different} == following


def test_the_memory_sum_counts_every_connection_and_every_worker() -> None:
    values = {parameter.name: parameter.value for parameter in tune(Machine("mixed", 1 * GB, 2, 100, "ssd"))}
    expected = MemorySum(buffers_kb=256 * MB + 7864, work_kb=100 * 4 * MB, maintenance_kb=4 * 64 * MB, base_kb=64 * MB)
    assert memory_sum(values) == expected
    assert expected.total_kb == 262144 + 7864 + 409600 + 262144 + 65536


def test_the_memory_sum_reads_bare_numbers_in_the_parameters_own_unit() -> None:
    bare = {"shared_buffers": "1000", "work_mem": "5000", "maintenance_work_mem": "7000", "wal_buffers": "-1"}
    bare |= {"max_connections": "10", "autovacuum_max_workers": "2", "autovacuum_work_mem": "1MB"}
    assert memory_sum(bare) == MemorySum(8000 + 240, 50_000, 7000 + 2048, 64 * MB)


@pytest.mark.parametrize("text", ["²", "٣", "", "-", ".", "9" * 400, "NaN", "1e400", "many"])
def test_the_memory_sum_uses_the_default_for_a_value_that_is_not_a_number(text: str) -> None:
    assert memory_sum(dict.fromkeys(("work_mem", "max_connections", "shared_buffers"), text)) == memory_sum({})


FIXTURE = Path(__file__).parents[1] / "fixtures/postgresql_shared_memory.jsonl"
SHARED_MEMORY = [json.loads(line) for line in FIXTURE.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("version", "parameters", "megabytes"), SHARED_MEMORY, ids=str)
def test_the_shared_memory_is_what_the_server_asks_for(version: int, parameters: str, megabytes: int) -> None:
    """The fixture has the servers' own numbers; this is a fit, within a tenth and 16 MB."""
    values = dict(each.split("=") for each in parameters.split())
    computed = shared_memory_kb(values, version) / 1024
    assert abs(computed - megabytes) <= megabytes / 10 + 16, computed


def test_the_memory_sum_counts_unusually_large_tables_of_locks() -> None:
    assert memory_sum({"max_locks_per_transaction": "1000"}).base_kb > memory_sum({}).base_kb == 64 * MB
