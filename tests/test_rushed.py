"""The mode of a slow machine leaves nothing out without a word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.rushed import GOLDEN, TURN_SECONDS

TESTS = Path(__file__).parent
MODULE = f"""
import pytest

@pytest.fixture
def update_golden():
    return False

def test_with_time_that_a_helper_starts():
    from support.simtime import Loop
    assert Loop.TURN_SECONDS == {TURN_SECONDS}

def test_of_a_golden_screen(update_golden):
    raise AssertionError("another delay, another picture")
"""


def test_every_test_is_run_in_the_rushed_mode_or_named_as_skipped(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(MODULE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "support.rushed", "-p", "no:cacheprovider", "."]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "1 passed, 1 skipped" in done.stdout
    assert f"SKIPPED [1] test_some.py: {GOLDEN}" in done.stdout
