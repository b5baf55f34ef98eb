"""Texts that users read are plain English: a short list of words that they never hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pgwizard
from support.headless import ROOT

SOURCE = Path(pgwizard.__file__).parent
BANNED = re.compile(
    r"\b(stands?|stood|anew|by then|all the same|somebody|for ever|what is wrong|goes on|takes it|its like|told"
    r"|a way out|what came of|as it stands|can-?not be told)\b",
    re.IGNORECASE,
)
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "templates" / "WHY.md"]


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module, docstrings and style sheets left out, with their lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            names = [
                ast.unparse(target) for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            ]
            if "DEFAULT_CSS" in names and node.value is not None:
                skipped.add(id(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def test_the_list_finds_what_it_bans() -> None:
    assert BANNED.findall("It stands anew. Outstanding, understands, renewed.") == ["stands", "anew"]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_text_of_the_program_holds_a_banned_word(path: Path) -> None:
    assert [f"line {line}: {text}" for line, text in _texts(path) if BANNED.search(text)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_holds_a_banned_word(path: Path) -> None:
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    assert [f"line {number}: {line}" for number, line in lines if BANNED.search(line)] == []
