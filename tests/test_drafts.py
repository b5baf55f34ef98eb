"""Unsaved answers outlive the wizard that was given them, and a disk that cannot be written costs nothing else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pgwizard.drafts import Drafts, state_folder

RAW = {"release": {"name": "shop"}, "storage": {"size": "20Gi"}}
NOBODY = 4_194_305
"""No process has this number: it is above the kernel's highest."""


def ended(folder: Path, number: int, text: str, at: int) -> Path:
    """A draft of a wizard that has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"draft-{number}.yaml"
    path.write_text(text)
    os.utime(path, (at, at))
    return path


def test_what_is_kept_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    assert Drafts(tmp_path / "a" / "state").keep(RAW)
    (path,) = (tmp_path / "a" / "state").iterdir()
    assert path.name == f"draft-{os.getpid()}.yaml"
    assert path.read_text() == "release:\n  name: shop\nstorage:\n  size: 20Gi\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_keeping_again_replaces_and_dropping_leaves_nothing(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    drafts.keep(RAW)
    drafts.keep({"storage": {"size": "30Gi"}})
    assert [path.read_text() for path in tmp_path.iterdir()] == ["storage:\n  size: 30Gi\n"]
    drafts.drop()
    drafts.drop()
    assert list(tmp_path.iterdir()) == []


def test_the_newest_draft_of_an_ended_wizard_is_found(tmp_path: Path) -> None:
    ended(tmp_path, NOBODY, "release: {name: old}\n", 1_000)
    newest = ended(tmp_path, NOBODY + 1, "release: {name: new}\n", 2_000)
    left = Drafts(tmp_path).left()
    assert left is not None
    assert (left.path, left.raw, left.at.timestamp()) == (newest, {"release": {"name": "new"}}, 2_000)


def test_the_draft_of_a_wizard_that_still_runs_is_not_offered(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        ended(tmp_path, running.pid, "release: {name: mine}\n", 1_000)
        assert Drafts(tmp_path).left() is None
        running.communicate(b"\n")
    assert Drafts(tmp_path).left() is not None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the state of a process is read from /proc")
def test_a_wizard_that_has_ended_but_was_not_collected_yet_does_not_run(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as finished:
        os.waitid(os.P_PID, finished.pid, os.WEXITED | os.WNOWAIT)
        ended(tmp_path, finished.pid, "release: {name: mine}\n", 1_000)
        assert Drafts(tmp_path).left() is not None


@pytest.mark.parametrize("text", ["", "{}\n", "- a list\n", "a: [\n", "&a a: *a\n"])
def test_what_holds_no_answers_is_passed_over(tmp_path: Path, text: str) -> None:
    ended(tmp_path, NOBODY, text, 1_000)
    assert Drafts(tmp_path).left() is None


def test_old_drafts_do_not_pile_up(tmp_path: Path) -> None:
    for number in range(9):
        ended(tmp_path, NOBODY + number, "release: {name: a}\n", 1_000 + number)
    Drafts(tmp_path).left()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"draft-{NOBODY + number}.yaml" for number in range(4, 9)
    ]


def test_a_disk_that_cannot_be_written_costs_the_draft_alone(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in the folder's place")
    drafts = Drafts(tmp_path / "state")
    assert not drafts.keep(RAW)
    assert drafts.left() is None
    drafts.drop()


def test_it_lies_where_the_desktop_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert state_folder() == Path("/var/state/pgwizard")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert state_folder() == Path("/home/somebody/.local/state/pgwizard")
