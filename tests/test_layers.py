"""Who imports whom: the layers of docs/architecture.md, read from the source; and what a run loads."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pgwizard
from headless import GOLDEN
from pgwizard import kinds
from pgwizard.kubeapi import Resource

SOURCE = Path(pgwizard.__file__).parent

LAYERS = (
    ("__main__",),
    ("cli",),
    ("machine",),
    ("operations",),
    ("console", "tui"),
    ("present", "inputs", "drafts"),
    ("deploy", "uninstall", "status", "export", "discovery", "lookup"),
    ("verdict", "probes", "jobs"),
    ("snapshot", "rollout", "stages", "secretvalues"),
    ("preflight", "helm", "diagnose", "choices", "secretrows", "typed"),
    ("releases",),
    ("record", "lock", "changes", "events", "draft", "standing"),
    ("cluster", "demo", "objectstore", "manifests", "health", "answersfile", "checks", "reference", "sensitive"),
    ("kubestreams",),
    ("kubehttp",),
    ("kubeconfig", "plan", "kinds"),
    ("answers", "tuning", "certificates", "schedules", "pgbackrest"),
    ("quantities", "yamlfile", "kubeapi", "messages", "files"),
    ("errors",),
    ("",),
)
"""From the top; a module or package imports only what stands further down. The last is the package itself."""

PURE = ("snapshot", "verdict", "present", "record", "health", "changes", "diagnose", "secretrows", "checks", "plan")
"""They decide by what they are given: nothing in them waits, asks or reads."""

KINDS = {(kind.api_version, kind.kind) for kind in vars(kinds).values() if isinstance(kind, Resource)}

ALONE = {"kubernetes": {"kubeconfig"}, "textual": {"tui"}}


def _owner(name: str) -> str:
    return name.partition(".")[0]


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        dotted = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        yield dotted.removesuffix("__init__").rstrip("."), ast.parse(path.read_text(encoding="utf-8"))


def _imports(dotted: str, tree: ast.Module) -> Iterator[str]:
    """Absolute names of what a module imports, deferred imports included."""
    package = ["pgwizard", *dotted.split(".")][: -1 if not (SOURCE / dotted.replace(".", "/")).is_dir() else None]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join([*package[: len(package) - node.level + 1], node.module or ""]) if node.level else node.module
            )
            yield from (f"{(base or '').rstrip('.')}.{alias.name}" for alias in node.names)


def _ours(name: str) -> str:
    """The module of ours that an import names; "" for the package itself."""
    inner = _owner(name.removeprefix("pgwizard.")) if name != "pgwizard" else ""
    return inner if (SOURCE / f"{inner}.py").exists() or (SOURCE / inner).is_dir() else ""


def test_every_module_has_a_layer() -> None:
    placed = {module for layer in LAYERS for module in layer}
    assert {_owner(dotted) for dotted, _ in _modules()} - placed == set()


def test_a_module_imports_only_lower_layers() -> None:
    """Siblings never import each other. Inside a package that is its own affair."""
    layer_of = {module: number for number, layer in enumerate(LAYERS) for module in layer}
    upward = [
        f"{dotted} imports {name}"
        for dotted, tree in _modules()
        for name in _imports(dotted, tree)
        if name.startswith("pgwizard")
        and _ours(name) != _owner(dotted)
        and layer_of.get(_ours(name), -1) <= layer_of.get(_owner(dotted), 99)
    ]
    assert upward == []


@pytest.mark.parametrize("package", ALONE)
def test_a_heavy_package_is_imported_in_one_place(package: str) -> None:
    users = {
        _owner(dotted) for dotted, tree in _modules() for name in _imports(dotted, tree) if _owner(name) == package
    }
    assert users <= ALONE[package]


def test_a_kind_is_named_in_one_place() -> None:
    """The simulated cluster stands in for a server: it names what it serves by itself."""
    named = [
        dotted
        for dotted, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Resource"
        if tuple(arg.value for arg in node.args if isinstance(arg, ast.Constant)) in KINDS
    ]
    assert {dotted for dotted in named if _owner(dotted) != "demo"} == {"kinds"}
    assert named.count("kinds") == len(KINDS)


@pytest.mark.parametrize("module", PURE)
def test_what_is_pure_neither_waits_nor_reads(module: str) -> None:
    tree = next(tree for dotted, tree in _modules() if dotted == module)
    outside = {"asyncio", "os", "pathlib", "socket", "ssl", "subprocess", "time", "aiohttp"}
    assert {_owner(name) for name in _imports(module, tree)} & outside == set()
    waits = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    assert not [node for node in ast.walk(tree) if isinstance(node, waits)]


def _loaded(*arguments: str) -> set[str]:
    """The top-level names of the modules that a run of the program loaded."""
    return {_owner(name) for name in _loaded_by(f"from pgwizard.cli import main\nmain({list(arguments)!r})\n")}


def _loaded_by(source: str) -> set[str]:
    """The names of all modules that a script loaded."""
    script = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: sys.stderr.write('\\n' + json.dumps(sorted(sys.modules))))\n"
        f"{source}"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_a_headless_run_loads_no_face_and_no_client() -> None:
    loaded = _loaded("--headless", str(GOLDEN / "everything-changed" / "answers.yaml"))
    assert loaded & {"textual", "kubernetes", "aiohttp", "rich"} == set()
    assert {"jinja2", "pydantic", "yaml"} <= loaded


def test_the_pages_of_the_wizard_load_nothing_of_a_release_that_runs() -> None:
    loaded = {name.removeprefix("pgwizard.") for name in _loaded_by("import pgwizard.tui.panels\n")}
    assert loaded & {"status", "snapshot", "verdict", "probes", "diagnose", "deploy", "kubernetes", "aiohttp"} == set()


def test_the_version_is_told_before_anything_is_loaded() -> None:
    assert _loaded("--version") & {"pydantic", "jinja2", "yaml", "argparse", "cryptography", "kubernetes"} == set()
