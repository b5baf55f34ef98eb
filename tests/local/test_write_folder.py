"""A folder is written whole or not at all: real processes are killed, or meet a disk that refuses or is full."""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pgwizard.local import files as local_files
from support.headless import GOLDEN
from support.helm import write
from support.waiting import DEADLINE_SECONDS

ANSWERS = GOLDEN / "defaults" / "answers.yaml"

_KILLED_AT_EACH_STEP = """
import json, os, signal, sys
from pathlib import Path
from pgwizard.local.files import write_folder

fresh = {"a.txt": "new", "below/b.txt": "new"}
step = 0

def write_until(folder, number):
    def count(event, arguments):
        global step
        if event.partition(".")[0] in ("open", "os", "shutil", "fcntl"):
            step += 1
            if step == number:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    write_folder(folder, fresh, fresh, force=True)

def files(parent):
    return {str(path.relative_to(parent)): path.read_text() for path in parent.rglob("*") if path.is_file()}

for number in range(1, 1000):
    parent = Path(sys.argv[1], str(number))
    (parent / "out").mkdir(parents=True)
    (parent / "out" / "a.txt").write_text("old")
    (parent / "out" / "mine.txt").write_text("mine")
    child = os.fork()
    if child == 0:
        write_until(str(parent / "out"), number)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    left = files(parent)
    write_folder(str(parent / "out"), fresh, fresh, force=True)
    print(json.dumps([left, files(parent)]))
    if status == 0:
        break
"""


def test_a_write_that_is_killed_at_any_step_leaves_the_old_folder_or_the_new_one(tmp_path: Path) -> None:
    """Between its two renames the old one is beside. The next write is not hindered, and removes what was left."""
    printed = _run([sys.executable, "-c", _KILLED_AT_EACH_STEP, str(tmp_path)]).stdout
    old, new = {"a.txt": "old", "mine.txt": "mine"}, {"a.txt": "new", "below/b.txt": "new", "mine.txt": "mine"}
    seen: set[str] = set()
    for line in printed.splitlines():
        left, then = json.loads(line)
        target, moved = _below(left, "out/"), _below(left, ".*/old/")
        assert (target, moved) in ((old, {}), ({}, old), (new, old), (new, {})), left
        assert then == {f"out/{name}": text for name, text in new.items()}
        seen |= {"old" if target == old else "new" if target else "between the renames"}
    assert seen == {"old", "new", "between the renames"}


def _below(files: dict[str, str], pattern: str) -> dict[str, str]:
    """The files of a folder, by their path in it."""
    matches = ((re.match(pattern, name), name, text) for name, text in files.items())
    return {name[match.end() :]: text for match, name, text in matches if match}


def test_a_write_leaves_the_work_of_another_process_alone(tmp_path: Path) -> None:
    script = """
import sys
from pgwizard.local import files
place = files.Path(sys.argv[1])
other = files.Path(files.tempfile.mkdtemp(prefix=files._work_prefix(place), dir=place.parent))
lock = files._lock(other)
files.write_folder(str(place), {"a": "1"}, {"a"})
print(other.is_dir())
"""
    assert _run([sys.executable, "-c", script, str(tmp_path / "out")]).stdout == "True\n"


def test_what_only_looks_like_the_rest_of_a_write_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, {"elsewhere/old/a": "1", ".out.pgwizard-a.b/a": "1", ".out.pgwizard-": "1"})
    (tmp_path / ".out.pgwizard-abcd1234").symlink_to("elsewhere")
    before = sorted(tmp_path.rglob("*"))
    local_files.put_back(str(tmp_path / "out"))
    assert sorted(tmp_path.rglob("*")) == before


# ---- what a disk refuses -------------------------------------------------------------------------------------------


def test_a_read_only_folder_is_refused_with_its_reason(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        done = _export(tmp_path / "chart", prepare=_obey_permissions)
    finally:
        tmp_path.chmod(0o755)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{tmp_path}/chart cannot be written: Permission denied: nothing was written" in done.stderr
    assert "Give a folder that you may write to." in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["helm", "kustomize", "yaml"])
def test_a_full_disk_leaves_what_was_there(form: str, tmp_path: Path) -> None:
    write(tmp_path / "chart", {"mine.yaml": "mine"})
    done = _export(tmp_path / "chart", "--force", f"--format={form}", prepare=_let_no_file_grow)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{tmp_path}/chart cannot be written: File too large: nothing was written" in done.stderr
    assert "Free some space there, or give a folder on another disk." in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["chart", "mine.yaml"]


def test_force_is_advised_where_it_helps(tmp_path: Path) -> None:
    write(tmp_path, {"chart/mine.yaml": "mine", "file": ""})
    done = _export(tmp_path / "chart")
    assert "holds mine.yaml, which this export does not write: nothing was written" in done.stderr
    assert "Give a folder of its own. --force keeps its other files and replaces those of the export." in done.stderr
    done = _export(tmp_path / "file")
    assert "is not a folder: nothing was written" in done.stderr
    assert "--force" not in done.stderr


def _export(folder: Path, *options: str, prepare: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pgwizard", "export", str(ANSWERS), "-o", str(folder), *options]
    return _run(command, prepare)


def _run(command: list[str], prepare: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        preexec_fn=prepare,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


_LIBC = ctypes.CDLL(None)
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE = 24, 1


def _obey_permissions() -> None:
    """Take from root the right to write anywhere, from the next program on."""
    if os.geteuid() == 0:
        _LIBC.prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0)


def _let_no_file_grow() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
