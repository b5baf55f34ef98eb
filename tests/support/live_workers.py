"""How the tests of ``--dist loadfile`` are spread over workers: each by itself, the longest first.

Tests of a file with a fixture of the module's stay together, since each worker would make another one. Any other file
kept together is one long queue beside workers that have nothing left to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

LONGEST = (
    "test_restore_images_live.py",
    "test_live_changes_live.py",
    "test_restore_obstacles_live.py",
    "test_restore_live.py",
    "test_drill_live.py",
    "test_wal_live.py",
    "test_config_live.py",
    "test_preview_live.py",
    "test_history_live.py",
    "test_apply_live.py",
    "test_apply_failures_live.py",
    "test_restore_lost_live.py",
    "test_clone_live.py",
    "test_seed_chart_live.py",
    "test_restore_page_live.py",
    "test_verify_live.py",
)
"""The files with the longest tests, in their order; the others follow as they are collected."""


@cache
def may_be_live(path: Path) -> bool:
    """Whether tests below a path may be live; those of a file without the mark are not."""
    return path.suffix != ".py" or re.search(r"\b(mark\.live|LIVE)\b", path.read_text(encoding="utf-8")) is not None


def require_seen(items: Iterable[pytest.Item]) -> None:
    """Raise UsageError for a live test in a file that a run of the live ones leaves out."""
    for item in items:
        if item.get_closest_marker("live") and not may_be_live(item.path):
            raise pytest.UsageError(f"{item.path} has live tests, and neither LIVE nor mark.live in its text")


def unit(root: Path, nodeid: str) -> str:
    """What goes to a worker as one: the file where its tests share a fixture, else the test. root: of the checkout."""
    file = nodeid.partition("::")[0]
    return file if 'fixture(scope="module"' in (root / file).read_text(encoding="utf-8") else nodeid


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Hands out units in the order of the tests."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False  # it would begin with the units of the most tests
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit(self.config.rootpath, nodeid)


def rank(item: pytest.Item) -> int:
    """The place of a test's file among the longest."""
    return LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST)
