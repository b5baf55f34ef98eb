"""A repository in a folder of this machine, and a pgbackrest that lists and reads it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

_PROGRAM = """\
import json, os, pathlib, sys
root, place = pathlib.Path(os.environ["ROOT"], "repository"), pathlib.PurePath(sys.argv[-1])
if "repo-get" in sys.argv:
    file = root / place
    if os.environ.get("UNREADABLE", "-") in place.parts[-1]:
        sys.exit(49)
    if not file.is_file():
        sys.exit(1 if "--ignore-missing" in sys.argv else 55)
    with open(pathlib.Path(os.environ["ROOT"], "read"), "a") as lines:
        print(place, file=lines)
    sys.stdout.write(file.read_text())
elif os.environ.get("REFUSAL"):
    sys.exit(os.environ["REFUSAL"])
else:
    top = root / place
    found = {".": {"type": "path"}}
    for each in sorted(top.rglob("*")):
        size = each.stat().st_size
        about = {"type": "file", "size": size, "time": 1795814944} if each.is_file() else {"type": "path"}
        found[str(each.relative_to(top))] = about
    print(json.dumps(found, separators=(",", ":"), ensure_ascii=False), end="")
"""
TAIL = '\n[backrest]\nbackrest-checksum="435e67d7e9b4bc8a46aae6e3d38f40aa7446dc8b"\n'


class LocalRepository:
    """Backups of stanza main. folder: of its own."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("awk") is None:
            pytest.skip("awk is not installed")
        self.folder = folder
        self.main = folder / "repository" / "backup" / "main"
        self.main.mkdir(parents=True)
        program = folder / "bin" / "pgbackrest"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}\n{_PROGRAM}")
        program.chmod(0o755)
        self.labels: list[str] = []

    def add(
        self,
        label: str,
        files: Mapping[str, Mapping[str, Any]],
        stored: Mapping[str, int],
        *,
        bundles: bool = True,
        compression: str = "gz",
    ) -> None:
        """A backup. files: what its manifest has of each file; stored: the files in its folder, with their sizes."""
        self.labels.append(label)
        self._list_backups()
        lines = ["[backup]", f"backup-bundle={str(bundles).lower()}", f'backup-label="{label}"', "", "[backup:option]"]
        lines += [f'option-compress-type="{compression}"', "", "[db]", 'shop={"db-id":16384,"db-last-system-id":4}', ""]
        lines += ["[target:file]"]
        lines += [f"{name}={json.dumps(about, separators=(',', ':'))}" for name, about in files.items()]
        lines += ["", "[target:file:default]", "group=false", ""]
        for name in ("backup.manifest", "backup.manifest.copy"):
            self.write(f"{label}/{name}", "\n".join(lines) + TAIL)
        for name, size in stored.items():
            self.write(f"{label}/{name}", "x" * size)

    def write(self, path: str, text: str) -> None:
        file = self.main / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def forget(self, label: str) -> None:
        """As expire begins: the backup is no longer in backup.info."""
        self.labels.remove(label)
        self._list_backups()

    def _list_backups(self) -> None:
        listed = "".join(f'{each}={{"backrest-format":5}}\n' for each in self.labels)
        for name in ("backup.info", "backup.info.copy"):
            self.write(name, f"[backup:current]\n{listed}{TAIL}")

    def run(self, command: Sequence[str], *, refusal: str = "", unreadable: str = "-", expect: int = 0) -> str:
        """What a command prints that runs in the pod. unreadable: part of the names that the store fails to read."""
        environment = {**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "ROOT": str(self.folder)}
        environment |= {"REFUSAL": refusal, "UNREADABLE": unreadable}
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)
        assert done.returncode == expect, done.stderr
        return done.stdout if expect == 0 else done.stderr

    @property
    def manifests_read(self) -> list[str]:
        """The labels whose manifest was read, in order."""
        lines = (self.folder / "read").read_text().splitlines()
        return [path.split("/")[2] for path in lines if path.endswith("/backup.manifest")]
