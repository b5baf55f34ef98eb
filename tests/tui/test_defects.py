"""Work in the background has an owner that reports its defects."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.dom import DOMNode

import pgwizard.tui
from pgwizard.tui.base import HostAccess
from pgwizard.tui.defects import ReportsDefects
from pgwizard.tui.widgets.comparison import Comparison

SOURCE = Path(pgwizard.tui.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
OF_THEIR_OWN = {Comparison}
"""It shows a defect in the place of what it compares."""


def starters(tree: ast.AST) -> Iterator[str]:
    """Classes with a method that is a worker, or that starts one."""
    for kind in ast.walk(tree):
        if isinstance(kind, ast.ClassDef):
            names = {node.attr for node in ast.walk(kind) if isinstance(node, ast.Attribute)}
            names |= {node.id for node in ast.walk(kind) if isinstance(node, ast.Name)}
            if names & {"work", "run_worker"}:
                yield kind.name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_widget_that_starts_work_reports_its_defects(path: Path) -> None:
    """Textual reports a worker that died only to the widget that started it."""
    items = list(starters(ast.parse(path.read_text(encoding="utf-8"))))
    if items:
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        kinds = [vars(importlib.import_module(f"pgwizard.tui.{name}"))[each] for each in items]
        widgets = {kind for kind in kinds if issubclass(kind, DOMNode | HostAccess)}
        assert {kind for kind in widgets - OF_THEIR_OWN if not issubclass(kind, ReportsDefects)} == set()


def test_the_classes_that_start_work_are_found() -> None:
    source = "class A:\n    @work()\n    def f(self): ...\nclass B:\n    x = self.app.run_worker\nclass C: ..."
    assert list(starters(ast.parse(source))) == ["A", "B"]
