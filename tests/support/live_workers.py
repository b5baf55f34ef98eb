"""How the tests of ``--dist loadfile`` are spread over workers: each by itself, the longest first.

Tests of a file with a fixture of the module's stay together, since each worker would make another one. Any other file
kept together is one long queue beside workers that have nothing left to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

_SHARES = 'fixture(scope="module"'
LONGEST = (
    "test_restore_images_live.py",
    "test_live_changes_live.py",
)
"""The files with the longest tests, in their order; the others follow as they are collected."""


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Hands out units: a test, or all tests of a file that share a fixture."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False  # as they are collected, not by how many tests a unit has
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if _SHARES in (self.config.rootpath / file).read_text(encoding="utf-8") else nodeid


def rank(item: pytest.Item) -> int:
    """The place of a test's file among the longest."""
    return LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST)
