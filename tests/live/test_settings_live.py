"""The table of PostgreSQL's parameters and their reader beside the servers themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby

import pytest

from pgwizard.plan import settings
from support.rigtools import IMAGE, LIVE, Shell, own_namespace, pod_object
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
    "max_connections": ["100", "10kB", "0", "1e2", "5000", "262144"],
    "fsync": ["on", "of", "o", "t", "TRUE", "y", "nO", "1", "2", " on", "onn", "enabled", "fals"],
    "huge_pages": ["try", "true", "0", "t", "ON", "maybe"],
    "wal_level": ["archive", "hot_standby", "Replica", "full", "minimal"],
    "wal_compression": ["on", "1", "pglz", "lz4", "gzip"],
    "default_transaction_isolation": ["repeatable read", "snapshot"],
    "log_line_prefix": ["%m ", "it's"],
}


@pytest.fixture(scope="module", params=settings.VERSIONS)
def server(request: pytest.FixtureRequest, kubectl_binary: str) -> Iterator[tuple[int, Shell]]:
    """The major version, and a shell in its image."""
    version = request.param
    image = IMAGE if version == 15 else f"{IMAGE.rpartition(':')[0]}:{version}"
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


def test_the_table_has_what_the_server_says_of_its_parameters(server: tuple[int, Shell], update_golden: bool) -> None:
    version, shell = server
    live = rows_of(version, shell)
    if update_golden:
        rows = {known: live if known == version else rows_in_table(known) for known in settings.VERSIONS}
        settings.TABLE.write_text(written(rows), encoding="ascii")
    assert rows_in_table(version) == live


def test_every_spelling_is_read_or_refused_as_by_the_server(server: tuple[int, Shell]) -> None:
    version, shell = server
    enums = [name for name, kind, *_ in rows_in_table(version) if kind == "enum"]
    tried = [(name, text) for name, texts in SPELLINGS.items() for text in texts]
    tried += [(name, text) for name in enums for text in ("true", "1", "no", "debug", "info", "off")]
    names, values = ("".join(f"{item[part]}\n" for item in tried) for part in (0, 1))

    server_read = shell.run(READ_VALUES, {"names": names, "values": values}).decode().splitlines()

    assert [
        (name, text, said, own)
        for (name, text), said in zip(tried, server_read, strict=True)
        if (own := as_server_prints(name, text, version)) != said and not is_same(own, said)
    ] == []


def as_server_prints(name: str, text: str, version: int) -> str:
    setting = settings.of(name, version)
    assert setting is not None
    try:
        read = setting.read(text)
    except ValueError:
        return "REFUSED"
    return {True: "on", False: "off"}[read] if isinstance(read, bool) else str(read)


def is_same(own: str, said: str) -> bool:
    """Numbers in another spelling, and what an old spelling of a level means."""
    if (own, said) in {("archive", "replica"), ("hot_standby", "replica"), ("on", "pglz")}:
        return True
    try:
        return abs(Decimal(own) - Decimal(said)) <= Decimal("1e-9")
    except ArithmeticError:
        return False
