"""Unsaved answers outlive the wizard that was given them, and a disk that cannot be written costs nothing else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pgwizard.local.autosave import Drafts, state_folder

RAW = {"release": {"name": "shop"}, "storage": {"size": "20Gi"}}


def ended(folder: Path, number: int, text: str, at: int) -> Path:
    """A draft of a wizard that has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"draft-{number:016x}.yaml"
    path.write_text(text)
    os.utime(path, (at, at))
    return path


def kept(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.glob("draft-*.yaml"))]


def test_a_draft_is_readable_only_by_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "state"
    drafts = Drafts(folder)
    assert drafts.keep(RAW)
    assert kept(folder) == ["release:\n  name: shop\nstorage:\n  size: 20Gi\n"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_saving_again_replaces_the_draft_and_dropping_deletes_it(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    drafts.keep(RAW)
    drafts.keep({"storage": {"size": "30Gi"}})
    assert kept(tmp_path) == ["storage:\n  size: 30Gi\n"]
    drafts.drop()
    drafts.drop()
    assert list(tmp_path.iterdir()) == []
    assert drafts.keep(RAW)
    assert len(kept(tmp_path)) == 1


def test_two_wizards_in_one_process_have_separate_drafts(tmp_path: Path) -> None:
    one, other = Drafts(tmp_path), Drafts(tmp_path)
    one.keep(RAW)
    other.keep({"storage": {"size": "30Gi"}})
    assert len(kept(tmp_path)) == 2
    other.drop()
    assert kept(tmp_path) == ["release:\n  name: shop\nstorage:\n  size: 20Gi\n"]
    assert Drafts(tmp_path).find_abandoned() == []
    one.close()
    assert Drafts(tmp_path).find_abandoned()


def test_the_drafts_of_ended_wizards_are_found_the_newest_first(tmp_path: Path) -> None:
    older = ended(tmp_path, 1, "release: {name: old}\n", 1_000)
    newest = ended(tmp_path, 2, "release: {name: new}\n", 2_000)
    assert [(left.path, left.raw, left.at.timestamp()) for left in Drafts(tmp_path).find_abandoned()] == [
        (newest, {"release": {"name": "new"}}, 2_000),
        (older, {"release": {"name": "old"}}, 1_000),
    ]


KEEPS = """
import sys
from pathlib import Path
from pgwizard.local.autosave import Drafts
drafts = Drafts(Path(sys.argv[1]))
drafts.keep({"release": {"name": "mine"}})
print("kept", flush=True)
input()
"""


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_a_draft_is_offered_once_its_wizard_no_longer_runs(tmp_path: Path, how: str) -> None:
    command = [sys.executable, "-c", KEEPS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "kept\n"
        assert Drafts(tmp_path).find_abandoned() == []
        if how == "is killed":
            running.kill()
        running.communicate("\n")
    [left] = Drafts(tmp_path).find_abandoned()
    Drafts(tmp_path).drop(left)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{}\n", "- a list\n", "a: [\n", "&a a: *a\n"])
def test_a_file_without_answers_is_skipped(tmp_path: Path, text: str) -> None:
    ended(tmp_path, 1, text, 1_000)
    assert Drafts(tmp_path).find_abandoned() == []


def test_old_drafts_do_not_pile_up(tmp_path: Path) -> None:
    for number in range(9):
        ended(tmp_path, number, "release: {name: a}\n", 1_000 + number)
    Drafts(tmp_path).find_abandoned()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"draft-{number:016x}.yaml" for number in range(4, 9)]


def test_a_disk_that_cannot_be_written_loses_only_the_draft(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in the folder's place")
    drafts = Drafts(tmp_path / "state")
    assert not drafts.keep(RAW)
    assert drafts.find_abandoned() == []
    drafts.drop()
    (tmp_path / "state").unlink()
    assert drafts.keep(RAW)


def test_drafts_are_stored_in_the_xdg_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert state_folder() == Path("/var/state/pgwizard")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert state_folder() == Path("/home/somebody/.local/state/pgwizard")


def test_a_user_id_without_a_home_has_no_autosave_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654_321)
    assert state_folder() is None
    drafts = Drafts(state_folder())
    assert drafts.find_abandoned() == []
    assert not drafts.keep(RAW)
    drafts.drop()
    drafts.close()


def test_a_user_id_without_a_home_keeps_drafts_in_the_xdg_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654_321)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "pgwizard"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert state_folder() is None
