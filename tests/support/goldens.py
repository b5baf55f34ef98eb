"""Golden files: what a test sees must be what the file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import unified_diff
from pathlib import Path

SHOWN = 3


def compare(seen: Mapping[Path, str], update: bool) -> None:
    """Fail with the differences of the first files that differ. update: write the files instead."""
    if update:
        for file, text in seen.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return
    expected = {file: file.read_text(encoding="utf-8") if file.exists() else "" for file in seen}
    different = [file for file, text in seen.items() if expected[file] != text]
    differences = [line for file in different[:SHOWN] for line in _difference(file, expected[file], seen[file])]
    names = " ".join(file.name for file in different)
    assert not different, "\n".join(
        [f"{len(different)} golden files differ: {names}", *differences, "If that is meant: make golden, git diff"]
    )


def _difference(file: Path, expected: str, seen: str) -> Iterator[str]:
    return unified_diff(expected.splitlines(), seen.splitlines(), str(file), "seen", n=1, lineterm="")
