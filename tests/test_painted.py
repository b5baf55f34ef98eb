"""Tests of the screens read what is painted, not what the program keeps to itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = sorted((Path(__file__).parent / "tui").glob("test_*.py"))


def private_names(source: str) -> Iterator[str]:
    """Names that begin with an underscore, looked up on an object that is not the test's own."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__"):
            is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not is_own:
                yield node.attr


def test_a_private_name_is_found() -> None:
    source = "assert screen._text == self._text == app.screen._stages[0].text"
    assert sorted(private_names(source)) == ["_stages", "_text"]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_no_test_of_a_screen_reads_a_private_name(path: Path) -> None:
    assert set(private_names(path.read_text(encoding="utf-8"))) == set()
