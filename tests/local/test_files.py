"""Files are read to their end, and what may have none is not opened."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from pgwizard.local import files as local_files


def test_a_file_that_is_too_large_is_not_read_to_its_end(folder: Path) -> None:
    (folder / "a").write_bytes(b"12345")
    assert local_files.read(folder / "a", 5) == b"12345"
    assert local_files.read(folder / "a", 3) == b"1234"


def test_a_link_to_a_file_is_that_file(folder: Path) -> None:
    (folder / "a").write_bytes(b"1")
    (folder / "b").symlink_to("a")
    assert local_files.read(folder / "b", 5) == b"1"


def test_a_file_that_is_not_regular_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)  # the path of a socket is short
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name, why in {
            "pipe": "it is a pipe, and only a regular file is taken",
            "socket": "it is a socket, and only a regular file is taken",
            "/dev/zero": "it is a device, and only a regular file is taken",
            ".": "Is a directory",
            "missing": "No such file or directory",
        }.items():
            with pytest.raises(ValueError, match=re.escape(f"{name}: cannot be read: {why}")):
                local_files.read(Path(name), 5)
