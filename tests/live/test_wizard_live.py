"""The wizard in a real terminal against a real cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support.live_releases import Site, site
from support.painted_terminals import NEEDS_TMUX, terminal
from support.rigtools import KUBECONFIG, LIVE

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, NEEDS_TMUX]

NAMESPACE, PATH = "NAMESPACE", "/PATH"
"""In the recorded keys in place of the test's own values."""
RECORDED = [
    # Connect: the namespace by its name; then "new release in it"
    *(NAMESPACE, "Enter", "Enter"),
    # Release and Database: every default
    *("C-n", "C-n"),
    # Storage: a small volume
    *("1Gi", "C-n"),
    # Tuning: mixed, 512Mi, CPU unchanged, 20 connections, disk and data size and archive_timeout unchanged
    *("Enter", "512Mi", "Enter", "Enter", "20", "Enter", "Enter", "Enter", "Enter"),
    # Tuning: parameters, and little that is set aside on the node
    *("max_wal_size=256MB; min_wal_size=64MB", "Enter", "64Mi", "Enter", "20m", "C-n"),
    # Repository: enabled, endpoint, bucket, region unchanged; a path of its own; the style unchanged
    *("Enter", "Enter", "Enter", "Enter", PATH, "Enter", "Enter"),
    # Repository: the key pair from variables
    *("Right", "Enter", "RIG_S3_ACCESS_KEY", "Enter", "RIG_S3_SECRET_KEY", "C-n"),
    # TLS: the certificate unchanged; save as answers.yaml
    *("C-s", "Enter"),
]
TO_STORAGE = ("C-n", "C-n", "C-n")
"""From the first page."""
OPEN = "new release in"
"""Seen once the first page is there."""


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    """A namespace that is there already: the wizard's first page lists it."""
    with site(kubectl_binary, tmp_path, create=False) as scene:
        yield scene


# ---- from nothing to a proven backup -------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (80, 24)])
def test_from_the_first_page_to_a_valid_backup_by_keyboard_alone(place: Site, columns: int, rows: int) -> None:
    own = {NAMESPACE: place.kubectl.namespace, PATH: place.path}
    with terminal(place.folder, columns, rows) as wizard:
        wizard.shows(OPEN)
        wizard.press(*(own.get(key, key) for key in RECORDED))
        wizard.shows("saved as answers.yaml")
        wizard.press("F9")
        wizard.shows("Press y to apply")
        wizard.press("y")
        wizard.shows("a valid full backup is in the repository")
        wizard.shows("Press Enter for its status")
        wizard.press("Enter")
        wizard.shows("RECOVERABLE")
        wizard.press("C-q")
        wizard.until("it has ended", lambda: not wizard.alive)
    saved = place.folder / "answers.yaml"
    assert yaml.safe_load(saved.read_text()) == {
        "release": {"namespace": place.kubectl.namespace},
        "storage": {"size": "1Gi"},
        "tuning": {
            "memory": "512Mi",
            "connections": 20,
            "parameters": {"max_wal_size": "256MB", "min_wal_size": "64MB"},
        },
        "resources": {"memoryRequest": "64Mi", "cpuRequest": "20m"},
        "repository": {
            "path": place.path,
            "credentials": {"from": "env", "accessKey": "RIG_S3_ACCESS_KEY", "secretKey": "RIG_S3_SECRET_KEY"},
        },
    }
    assert place.backups() == ["full"]
    arguments = (f"--headless={saved}", "--apply", f"--kubeconfig={KUBECONFIG}")
    done = place.pgwizard(sys.executable, "-m", "pgwizard", *arguments)
    assert "Already up to date." in done.out


# ---- what a terminal does ------------------------------------------------------------------------------------------


def drafts(folder: Path) -> list[str]:
    return [path.read_text() for path in (folder / "state" / "pgwizard").glob("draft-*.yaml")]


def taken_up(folder: Path) -> None:
    """The next start offers the volume of 77Gi, and gives it back."""
    with terminal(folder) as wizard:
        wizard.shows("1 differs from the")
        wizard.press("Enter", "C-n", "C-n")
        wizard.shows("● Storage")
        wizard.shows("77Gi")


def test_answers_left_by_ctrl_q_are_offered_at_the_next_start(tmp_path: Path) -> None:
    with terminal(tmp_path) as wizard:
        wizard.shows(OPEN)
        wizard.press(*TO_STORAGE, "77Gi", "C-q")
        wizard.until("it has ended", lambda: not wizard.alive)
    assert drafts(tmp_path) == ["storage:\n  size: 77Gi\n"]
    taken_up(tmp_path)


def test_answers_left_by_a_closed_terminal_are_offered_at_the_next_start(tmp_path: Path) -> None:
    with terminal(tmp_path) as wizard:
        wizard.shows(OPEN)
        wizard.press(*TO_STORAGE, "77Gi")
        wizard.until("the draft is kept", lambda: drafts(tmp_path) == ["storage:\n  size: 77Gi\n"])
        wizard.tmux("kill-session")
    taken_up(tmp_path)


def test_another_size_of_the_terminal_loses_nothing(tmp_path: Path) -> None:
    with terminal(tmp_path, 80, 24) as wizard:
        wizard.shows(OPEN)
        wizard.press(*TO_STORAGE, "33Gi")
        small = wizard.shows("33Gi")
        assert "How long the volume lasts" not in small
        wizard.resize(200, 60)
        wizard.shows("How long the volume lasts")
        wizard.press("Enter", "fast")
        wizard.shows("fast")
        wizard.resize(80, 24)
        folded = "the panel is folded, and both answers are there"  # a resized terminal is empty for a moment
        wizard.until(
            folded,
            lambda: "How long the volume lasts" not in wizard.screen and {"33Gi", "fast"} <= {*wizard.screen.split()},
        )
        wizard.press("C-s", "Enter")
        wizard.shows("saved as answers.yaml")
    saved = yaml.safe_load((tmp_path / "answers.yaml").read_text())
    assert saved == {"storage": {"size": "33Gi", "storageClass": "fast"}}


def test_a_click_on_the_rail_goes_to_its_page(tmp_path: Path) -> None:
    with terminal(tmp_path) as wizard:
        lines = wizard.shows(OPEN).splitlines()
        row = next(number for number, line in enumerate(lines, start=1) if line.startswith(" · Schedule"))
        wizard.click(5, row)
        wizard.shows("● Schedule")
        wizard.shows("In words")


def test_no_color_turns_colours_off(tmp_path: Path) -> None:
    plain = {"", "0", "1", "2", "3", "4", "7", "9", "39", "49"}
    with terminal(tmp_path, NO_COLOR="1") as wizard:
        wizard.shows(OPEN)
        assert wizard.colours <= plain
        wizard.press(*TO_STORAGE)
        wizard.shows("How long the volume lasts")
        assert wizard.colours <= plain
        wizard.press(*(["C-b"] * len(TO_STORAGE)), "C-b", "Tab")
        wizard.until("the chosen row is underlined", lambda: "4" in wizard.colours)
    with terminal(tmp_path) as wizard:
        wizard.shows(OPEN)
        assert not wizard.colours <= plain


# ---- a program that logs in ----------------------------------------------------------------------------------------

ASKS = """#!/bin/sh
if (printf 'YOUR PASSWORD PLEASE' > /dev/tty) 2> /dev/null; then read answer < /dev/tty; fi
if read answer; then echo "it was given $answer"; fi
printf 'WRITTEN \\033[31mTO STDERR: no terminal to ask for a password on' >&2
exit 1
"""


def test_a_plug_in_that_prompts_never_writes_on_the_screen_and_its_failure_is_shown(tmp_path: Path) -> None:
    plugin, kubeconfig = tmp_path / "log-in", tmp_path / "kubeconfig"
    plugin.write_text(ASKS)
    plugin.chmod(0o700)
    original = yaml.safe_load(Path(str(KUBECONFIG)).read_text())
    for user in original["users"]:
        user["user"] = {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": str(plugin),
                "interactiveMode": "IfAvailable",
            }
        }
    kubeconfig.write_text(yaml.safe_dump(original))
    with terminal(tmp_path, 80, 24, KUBECONFIG=str(kubeconfig)) as wizard:
        wizard.shows("F5 reconnects")
        words = " ".join(wizard.screen.split())  # where it wraps follows from the length of a path
        assert "failed with exit code 1:" in words
        assert "WRITTEN [31mTO STDERR" in words
        assert "YOUR PASSWORD PLEASE" not in words
        wizard.press(*TO_STORAGE, "44Gi")
        wizard.shows("44Gi")
        assert "YOUR PASSWORD PLEASE" not in wizard.screen
        assert "TO STDERR" not in wizard.screen
