"""The time comes in as an argument: hardly a module reads the machine's clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pgwizard

SOURCE = Path(pgwizard.__file__).parent

CLOCKS = frozenset(
    {
        "datetime.now",
        "datetime.today",
        "datetime.utcnow",
        "date.today",
        "time.time",
        "time.time_ns",
        "time.monotonic",
        "time.monotonic_ns",
        "time.gmtime",
        "time.localtime",
    }
)
"""By class or module and name; a duration is measured with ``perf_counter`` or the loop's own time."""

READERS = {
    "clock": "it is the machine's clock",
    "kube/credentials": "the default of the real client's log-in: tokens end by this machine's time",
    "kube/http": "the default of Patience, which tests replace",
    "simulator/clock": "the simulated cluster of --demo runs in real time",
}

ENTRY_POINTS = {
    "cli/connect": "the time of a real cluster; that of the simulated one has run ahead",
    "cli/source": "a certificate file is checked before there is a cluster",
    "cli/start": "the screens open before there is a cluster",
}
"""What hands the machine's clock to all else. A verb gets its time from ``connect.run``."""


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).with_suffix("").as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def clocks_in(tree: ast.Module) -> set[str]:
    """The clocks that a module names, called or passed on, under whatever name they were imported."""
    origins = {"datetime": "datetime", "date": "date", "time": "time"}
    items = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            origins |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module in ("datetime", "time"):
            origins |= {alias.asname: alias.name for alias in node.names if alias.asname}
            items |= {f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            items.add(f"{origins.get(owner, owner)}.{node.attr}")
    return items & CLOCKS


@pytest.mark.parametrize(
    ("source", "clock"),
    [
        ("from datetime import datetime\nat = datetime.now(UTC)", "datetime.now"),
        ("import datetime\nat = datetime.datetime.now()", "datetime.now"),
        ("import datetime as dt\nat = dt.date.today()", "date.today"),
        ("from datetime import datetime as Moment\ndef f(now=Moment.now): ...", "datetime.now"),
        (
            "from datetime import datetime\nclass A:\n    at: datetime = field(default=datetime.utcnow)",
            "datetime.utcnow",
        ),
        ("import time\nbegin = time.monotonic()", "time.monotonic"),
        ("import time as t\nbegin = t.time()", "time.time"),
        ("from time import monotonic as seconds\nbegin = seconds()", "time.monotonic"),
    ],
)
def test_a_clock_is_seen_under_any_name(source: str, clock: str) -> None:
    assert clocks_in(ast.parse(source)) == {clock}


def test_loops_and_given_clocks_may_be_read() -> None:
    source = "def f(start, loop):\n    return start.now(), loop.time(), asyncio.get_running_loop().time()"
    assert clocks_in(ast.parse(source)) == set()


def test_only_these_modules_read_the_machines_clock() -> None:
    readers = {name: clocks for name, tree in _modules() if (clocks := clocks_in(tree))}
    assert {name: clocks for name, clocks in readers.items() if name not in READERS} == {}
    assert set(READERS) <= set(readers), "a module of READERS reads no clock any more"


def test_only_entry_points_hand_on_the_machines_clock() -> None:
    users = {
        name
        for name, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "pgwizard.clock"
        if "utc_now" in {alias.name for alias in node.names}
    }
    assert users == set(ENTRY_POINTS)
