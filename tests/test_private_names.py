"""No module of ours uses what another package, or another module, keeps to itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from functools import cache
from pathlib import Path

import pytest
from textual.message_pump import MessagePump

import pgwizard
import pgwizard.tui

SOURCE = Path(pgwizard.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))

PUBLISHED = frozenset({"_replace", "_asdict", "_fields"})
"""Named tuples have these for everybody."""

ALLOWED = {
    "tls/handshake.py": frozenset({"_sslobj"}),
}
"""``_sslobj``: the chain that a server sends, which Python publishes from 3.13 on."""


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name != "_" and name not in PUBLISHED


def _defined(tree: ast.AST) -> set[str]:
    """Private names that a module gives to its own classes, objects and functions."""
    items = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                items.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                items.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                items.add(name)
    return {name for name in items if _is_private(name)}


def _used(tree: ast.AST) -> set[tuple[str, int]]:
    """Private names that are looked up on an object, each with its line."""
    return {
        (node.attr, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and _is_private(node.attr)
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_uses_only_private_names_of_its_own(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    allowed = ALLOWED.get(str(path.relative_to(SOURCE)), frozenset())
    foreign = {f"line {line}: {name}" for name, line in _used(tree) if name not in _defined(tree) | allowed}
    assert foreign == set()


@cache
def _kept_by(kind: type) -> frozenset[str]:
    """Private names of a class of Textual, those that its methods set among them."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    set_by = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    return frozenset(filter(_is_private, set_by | set(vars(kind))))


def _widgets() -> set[type[MessagePump]]:
    """Our widgets, screens and applications."""
    items = set()
    for module in pkgutil.walk_packages(pgwizard.tui.__path__, "pgwizard.tui."):
        for kind in vars(importlib.import_module(module.name)).values():
            if isinstance(kind, type) and issubclass(kind, MessagePump) and kind.__module__.startswith("pgwizard."):
                items.add(kind)
    return items


def test_no_widget_takes_a_private_name_of_textual_for_itself() -> None:
    taken = {}
    for kind in _widgets():
        path = inspect.getsourcefile(kind)
        assert path is not None
        body = next(
            node
            for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8")))
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__
        )
        kept = frozenset().union(*(_kept_by(base) for base in kind.__mro__ if base.__module__.startswith("textual.")))
        if both := _defined(body) & kept:
            taken[f"{kind.__module__}.{kind.__name__}"] = sorted(both)
    assert taken == {}
