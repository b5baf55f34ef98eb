"""A user id without a name and a home, as containers have, on a terminal: the wizard opens and says what is missing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.terminals import AS_NOBODY, assert_restored, terminals
from support.waiting import DEADLINE_SECONDS

CTRL_Q = b"\x11"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Any]:
    try:
        subprocess.run([*AS_NOBODY, "true"], check=True, capture_output=True, timeout=DEADLINE_SECONDS)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no user namespaces here")
    with terminals(tmp_path) as start:
        yield start


def test_without_a_name_and_a_home_the_wizard_opens_and_says_why_it_is_not_connected(terminal: Any) -> None:
    wizard = terminal(nobody=True)
    wizard.read_until("this user has no home")
    wizard.press(CTRL_Q)
    assert wizard.end() == 0
    assert_restored(wizard)
    assert b"Traceback" not in wizard.output


def test_without_a_name_and_a_home_a_simulated_cluster_connects(terminal: Any) -> None:
    wizard = terminal("--demo", nobody=True)
    wizard.read_until("connected")
    wizard.press(CTRL_Q)
    assert wizard.end() == 0
    assert_restored(wizard)
