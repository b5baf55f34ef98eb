"""What holds for every test: an empty current folder, no variables of the machine, golden files on request."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

if "support" not in sys.modules:  # -p support.rushed has imported it, and then it is too late
    pytest.register_assert_rewrite("support")  # an assert there says what it compared

from support import live_workers, simtime

simtime.install()  # before a module of Textual or of the application takes the machine's clock
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")  # an example may take as long as it takes on a busy machine
_OF_THE_MACHINE = ("PGWIZARD_TRACEBACK", "KUBECONFIG", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest --update-golden`` writes what the tests see as what they expect; read the diff before committing it.

    With ``--screens-once`` each screen test runs once in two runs: those with golden files here, the others rushed.
    """
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files; other tests are left out")
    parser.addoption(
        "--screens-once", action="store_true", help="leave out the screen tests that -p support.rushed runs"
    )


def pytest_collection_finish() -> None:
    """What is loaded by now stays: a collection of garbage that scans it again and again is a seventh of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``-m live`` a worker reads the files of live tests alone, a tenth of all."""
    is_live = config.getoption("-m").partition(" ")[0] == "live"
    return True if is_live and not live_workers.may_be_live(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def is_left_out(item: pytest.Item) -> bool:
        if "update_golden" in getattr(item, "fixturenames", ()):
            return False
        is_screen = item.path.is_relative_to(config.rootpath / "tests" / "tui")
        return bool(config.getoption("--update-golden")) or (is_screen and bool(config.getoption("--screens-once")))

    live_workers.require_seen(items)
    left_out = [item for item in items if is_left_out(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = sorted((item for item in items if not is_left_out(item)), key=live_workers.rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return live_workers.Scheduler(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def _no_variables_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _OF_THE_MACHINE:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _current_folder_is_empty(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture(autouse=True)
def _no_network_but_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that a test names is looked for on this machine alone."""
    connect = asyncio.open_connection

    async def here(host: str, port: int, **how: Any) -> Any:
        if host not in ("localhost", "127.0.0.1", "::1"):
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        return await connect(host, port, **how)

    monkeypatch.setattr(asyncio, "open_connection", here)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: empty, and gone after the test."""
    return Path.cwd()
