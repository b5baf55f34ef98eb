"""The table of PostgreSQL's parameters and their reader beside the servers themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from pgwizard.plan import settings
from support.restores import build
from support.rigtools import IMAGE, LIVE, LONG, Shell, first_at_least, own_namespace, pod_object
from support.waiting import KUBECTL_DEADLINE

pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE

READ_SETTINGS = r"""
set -euo pipefail
initdb --pgdata="$PWD/data" --auth=trust >/dev/null
pg_ctl --pgdata="$PWD/data" --options="-c unix_socket_directories=$PWD" --log="$PWD/log" --wait start >/dev/null
psql --host="$PWD" --username="$(id -un)" --dbname=postgres -XAt -F $'\t' -c "
  SELECT lower(name), context, vartype, coalesce(unit, ''), coalesce(min_val, ''), coalesce(max_val, ''),
         coalesce(array_to_string(enumvals, ','), '')
    FROM pg_settings"
pg_ctl --pgdata="$PWD/data" --mode=immediate stop >/dev/null
"""
READ_VALUES = r"""
set -uo pipefail
touch empty.conf
while IFS= read -r name && IFS= read -r value <&3; do
  postgres -D "$PWD" -C "$name" -c config_file="$PWD/empty.conf" -c "$name=$value" 2>/dev/null || echo REFUSED
done <names 3<values
"""
READ_SHARED_MEMORY = r"""
set -uo pipefail
[[ -d data ]] || initdb --pgdata="$PWD/data" --auth=trust >/dev/null
touch empty.conf
while IFS= read -r options; do
  postgres -D "$PWD/data" -C shared_memory_size -c config_file="$PWD/empty.conf" $options 2>/dev/null || echo REFUSED
done <options
"""
SHARED_MEMORY = [
    "shared_buffers=128MB",
    "shared_buffers=1GB",
    "shared_buffers=4GB",
    "wal_buffers=16MB",
    "wal_buffers=512MB",
    "max_connections=1000",
    "max_connections=10000",
    "max_locks_per_transaction=1000",
    "max_locks_per_transaction=10000",
    "max_locks_per_transaction=100000",
    "max_pred_locks_per_transaction=10000",
    "max_prepared_transactions=1000",
    "max_prepared_transactions=100000",
    "max_worker_processes=1000",
    "max_worker_processes=10000",
    "max_wal_senders=1000",
    "max_wal_senders=10000",
    "autovacuum_max_workers=1000",
    "max_connections=1000 max_locks_per_transaction=1000",
    "track_activity_query_size=1MB",
    "min_dynamic_shared_memory=100MB",
]
"""Parameters with a blank between them; the others have PostgreSQL's defaults."""
MEMORY_FIXTURE = Path(__file__).parents[1] / "fixtures/postgresql_shared_memory.jsonl"
"""[version, parameters, megabytes that ``postgres -C shared_memory_size`` prints]; --update-golden writes it."""
FIXTURE = Path(__file__).parents[1] / "fixtures/postgresql_values.jsonl"
"""[version, parameter, spelling, what ``postgres -C`` prints of it or REFUSED]; --update-golden writes it."""
NOT_IN_A_FILE = {"transaction_isolation", "transaction_read_only", "transaction_deferrable"}
"""What pg_settings does not tell: the server refuses them in a configuration file."""
SPELLINGS = {
    "shared_buffers": [
        "131072",
        "1GB",
        "1073741824B",
        "1024 MB",
        "0x20000",
        "0.5GB",
        "1e3MB",
        "010MB",
        "128M",
        "512mb",
        "many",
        "8",
        "08",
        "-1",
        "1.5",
        ".5GB",
        "1.GB",
        "1GB1",
        "1 G B",
    ],
    "max_wal_size": ["20480", "20GB", "20GiB", "2", "1", "2047.6"],
    "wal_keep_size": ["20GB", "0", "-1", "1TB"],
    "archive_timeout": ["1min", "1500ms", "2500ms", "5 minutes", "1h", "1d", "60", "60S", "0.5min"],
    "log_min_duration_statement": ["-1", "250", "1.5s", "1us", "999us", "1 sec"],
    "random_page_cost": ["1.1", "4", "1e1", ".5", "0x2", "cheap", "-1", "1.1x"],
    "autovacuum_vacuum_cost_delay": ["2ms", "2", "0.5", "1s", "100000us", "-1"],
    "max_connections": ["100", "10kB", "0", "1e2", "5000", "262144", "100 ", "1,000"],
    "fsync": ["on", "of", "o", "t", "TRUE", "y", "nO", "1", "2", " on", "onn", "enabled", "fals"],
    "huge_pages": ["try", "true", "0", "t", "ON", "maybe"],
    "wal_level": ["archive", "hot_standby", "Replica", "full", "minimal"],
    "wal_compression": ["on", "1", "pglz", "lz4", "gzip"],
    "default_transaction_isolation": ["repeatable read", "snapshot"],
    "log_line_prefix": ["%m ", "it's", " [%p] ", "'%m'"],
    "work_mem": [
        "64",
        "63",
        "64kB",
        "65535B",
        "65536B",
        "4 MB",
        "4MB ",
        " 4MB",
        "4  MB",
        "4\tMB",
        "4Mb",
        "4mB",
        "4KB",
        "4k",
        "0x10000",
        "0X10000kB",
        "1e4",
        "1E4kB",
        "1e-3GB",
        "0.25GB",
        "2TB",
        "2147483647",
        "2147483648",
        "+64MB",
        "64 M B",
        "64,5MB",
        "1_000",
        "",
    ],
    "maintenance_work_mem": ["1GB", "1024", "1023", "1.5MB", "1e9B"],
    "effective_cache_size": ["1", "0", "8kB", "4GB", "1PB"],
    "wal_buffers": ["-1", "0", "32kB", "16MB", "2GB", "-1MB"],
    "checkpoint_timeout": ["5min", "30", "29", "1d", "25h", "0.5h", "90s", "300000ms", "5m", "1M", "5 min", "5min."],
    "statement_timeout": ["0", "1.5s", "1h", "2500us", "499us", "501us", "1d", "24.9d", "-1", "0x10", "08", "010"],
    "bgwriter_lru_multiplier": ["2.0", "2", "10.1", "1e0", "0x1p1", "inf", "nan", "2,0", "2.0ms"],
    "checkpoint_completion_target": ["0.9", "1", "1.1", ".9", "9e-1", "90%", "0"],
    "vacuum_cost_delay": ["0", "2.5ms", "2500us", "0.1s", "101", "1min"],
    "seq_page_cost": ["1.0", "1e308", "1e309", "-0", "+1", "1."],
    "archive_mode": ["always", "on", "1", "yes", "ALWAYS", "sometimes"],
    "synchronous_commit": ["on", "true", "local", "remote_apply", "remote_write", "0", "maybe"],
    "jit": ["on", "OFF", "yes", "0", "10", "offf", "of", "n", ""],
    "autovacuum": ["t", "f", "TrUe", "yess", "ON ", "tr"],
    "log_destination": ["stderr", "csvlog", "stderr,csvlog", "jsonlog", "nowhere", ""],
    "search_path": ['"$user", public', " a , b ", "a b", ""],
    "shared_preload_libraries": ["", "pg_stat_statements", "a, b"],
    "datestyle": ["iso, dmy", "ISO", "nonsense"],
    "timezone": ["Etc/UTC", "Europe/Berlin", "UTC", "utc", "CET-1CEST", "Mars/Base", "+02", "5"],
    "max_worker_processes": ["8", "0", "262143", "262144", "8.4", "8.6", "1e1", "eight"],
    "log_rotation_age": ["1d", "1440", "24h", "0", "90s"],
    "temp_file_limit": ["-1", "1GB", "0", "2TB"],
}


@pytest.fixture(scope="module", params=first_at_least(settings.VERSIONS))
def server(request: pytest.FixtureRequest, kubectl_binary: str) -> Iterator[tuple[int, Shell]]:
    """The major version, and a shell in its image."""
    version = request.param
    image = IMAGE if version == 15 else f"{IMAGE.rpartition(':')[0]}:{version}"
    if "PGWIZARD_TEST_RIG" in os.environ:
        build(os.environ["PGWIZARD_TEST_RIG"], version)
    with own_namespace(kubectl_binary, "pgw-settings") as kubectl:
        there, _ = kubectl.run("get", "nodes", "--output=jsonpath={.items[*].status.images[*].names}")
        if image not in there.decode():
            pytest.skip(f"no node has {image}")
        pod = pod_object("shell")
        pod["spec"]["containers"][0]["image"] = image
        kubectl.run("apply", "--filename=-", data=json.dumps(pod).encode())
        kubectl.run("wait", "--for=condition=Ready", "pod/shell", KUBECTL_DEADLINE)
        yield version, Shell(kubectl, "shell")


def rows_of(version: int, shell: Shell) -> list[list[str]]:
    """name, kind, unit, minimum, maximum and choices of each parameter, as the table writes them."""
    rows = []
    for line in shell.run(READ_SETTINGS).decode().splitlines():
        name, context, *row = line.split("\t")
        rows.append([name, *(["internal", "", "", "", ""] if context == "internal" or name in NOT_IN_A_FILE else row)])
    return sorted(rows)


def written(rows: dict[int, list[list[str]]]) -> str:
    """The table of all versions: equal rows of neighbours are one."""
    ordered = sorted((name, version, row) for version, each in rows.items() for name, *row in each)
    lines = []
    for (name, row), same in groupby(ordered, key=lambda item: (item[0], item[2])):
        versions = [version for _, version, _ in same]
        lines.append("\t".join([name, str(versions[0]), str(versions[-1]), *row]))
    return "".join(f"{line}\n" for line in lines)


def rows_in_table(version: int) -> list[list[str]]:
    lines = [line.split("\t") for line in settings.TABLE.read_text(encoding="ascii").splitlines()]
    return [[name, *row] for name, first, last, *row in lines if int(first) <= version <= int(last)]


def test_the_table_agrees_with_the_server_s_pg_settings(server: tuple[int, Shell], update_golden: bool) -> None:
    version, shell = server
    live = rows_of(version, shell)
    if update_golden:
        rows = {known: live if known == version else rows_in_table(known) for known in settings.VERSIONS}
        settings.TABLE.write_text(written(rows), encoding="ascii")
    assert rows_in_table(version) == live


def test_the_fixture_agrees_with_the_server_for_every_spelling(server: tuple[int, Shell], update_golden: bool) -> None:
    version, shell = server
    enums = [name for name, kind, *_ in rows_in_table(version) if kind == "enum"]
    tried = [(name, text) for name, texts in SPELLINGS.items() for text in texts]
    tried += [(name, text) for name in enums for text in ("true", "1", "no", "debug", "info", "off")]
    names, values = ("".join(f"{item[part]}\n" for item in tried) for part in (0, 1))
    answers = shell.run(READ_VALUES, {"names": names, "values": values}).decode().splitlines()
    live = [[version, name, text, answer] for (name, text), answer in zip(tried, answers, strict=True)]

    known = [json.loads(line) for line in FIXTURE.read_text(encoding="utf-8").splitlines()] if FIXTURE.exists() else []
    if update_golden:
        known = sorted([*(row for row in known if row[0] != version), *live], key=lambda row: row[0])
        FIXTURE.write_text("".join(f"{json.dumps(row)}\n" for row in known), encoding="utf-8")
    assert [row for row in known if row[0] == version] == live


@LONG
def test_the_fixture_agrees_with_the_shared_memory_that_the_server_needs(
    server: tuple[int, Shell], update_golden: bool
) -> None:
    version, shell = server
    options = "".join(" ".join(f"-c {each}" for each in row.split()) + "\n" for row in SHARED_MEMORY)
    printed = shell.run(READ_SHARED_MEMORY, {"options": options}).decode().split()
    live = [[version, row, int(text)] for row, text in zip(SHARED_MEMORY, printed, strict=True)]
    lines = MEMORY_FIXTURE.read_text(encoding="utf-8").splitlines() if MEMORY_FIXTURE.exists() else []
    known = [json.loads(line) for line in lines]
    if update_golden:
        known = sorted([*(row for row in known if row[0] != version), *live], key=lambda row: row[0])
        MEMORY_FIXTURE.write_text("".join(f"{json.dumps(row)}\n" for row in known), encoding="utf-8")
    assert [row for row in known if row[0] == version] == live
