"""Who imports whom: the packages of docs/architecture.md, read from the source; and what a run loads."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import pgwizard
from pgwizard.kube import api
from pgwizard.kube.api import Resource
from support.headless import GOLDEN
from support.waiting import DEADLINE_SECONDS

SOURCE = Path(pgwizard.__file__).parent

GROUND = ("clock", "endpoint", "errors", "text", "quantities", "")
"""What every package may import; the last is the program itself, which has a version."""

EDGES: dict[str, str] = {
    "answers": "",
    "kube": "",
    "diagnose": "",
    "simulator": "kube",
    "tls": "kube",
    "plan": "answers tls",
    "release": "answers diagnose kube plan tls",
    "status": "diagnose kube plan release tls",
    "restore": "diagnose kube plan release status",
    "export": "answers plan",
    "wizard": "answers kube plan release tls",
    "local": "answers tls",
    "tui": "answers diagnose export kube local plan release restore status tls wizard",
    "cli": "answers diagnose export kube local plan release restore simulator status tls tui wizard",
    "__main__": "cli",
}
"""What each package may import beside the ground."""

PUBLIC: dict[str, str] = {
    "answers": "file questions reference schema secrets strict_yaml",
    "kube": "api client commands health jobs kubeconfig lease",
    "diagnose": "diagnose messages row",
    "simulator": "clock cluster",
    "tls": "certificates chain handshake names public_authorities",
    "plan": "alerts checks cron manifests names pgbackrest plan postgresql_conf retention server settings tuning",
    "release": (
        "apply backups changes checks clone deletion drills image_version layout limits live live_answers live_objects "
        "record records report rights rollout stages survey uninstall verification"
    ),
    "status": "fleet fleet_report metrics observe probes report repository snapshot verdict wal walk",
    "restore": "creation drill drill_job finish history journal locate preview preview_job report run target view",
    "export": "chart folder prerequisites",
    "wizard": "browse candidate_index candidates choices draft lookup pasted_text secret_questions text_input",
    "local": "autosave files inputs zone",
    "tui": "app navigation start",
    "cli": "main",
}
"""The modules of each package that another package may import; all others are its own."""

PURE = (
    "answers.questions",
    "diagnose.diagnose",
    "export.folder",
    "export.kustomize",
    "export.prerequisites",
    "export.translate",
    "export.values",
    "kube.health",
    "plan.checks",
    "plan.plan",
    "plan.postgresql_conf",
    "plan.cron",
    "plan.retention",
    "plan.server",
    "release.changes",
    "release.drills",
    "release.immutable",
    "release.layout",
    "release.live_answers",
    "release.live_tuning",
    "release.ownership",
    "release.record",
    "release.report",
    "release.unexpressed",
    "restore.drill_job",
    "restore.journal",
    "restore.preview_job",
    "restore.report",
    "restore.scratch_job",
    "restore.target",
    "status.reduce",
    "status.report",
    "status.snapshot",
    "status.verdict",
    "text",
    "tls.chain",
    "tls.names",
    "wizard.candidates",
)
"""They decide by what they are given: nothing in them waits or reads."""

KINDS = {(kind.api_version, kind.kind) for kind in vars(api).values() if isinstance(kind, Resource)}

ALONE = {"kubernetes": {"kube.credentials"}, "textual": {"tui"}, "OpenSSL": {"tls.chain"}}
"""Heavy packages, and the one place that imports each: a module or a package."""


@cache
def _modules() -> dict[str, ast.Module]:
    """By dotted name below pgwizard; a package by its own name."""
    items = {}
    for path in sorted(SOURCE.rglob("*.py")):
        dotted = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        items[dotted.removesuffix("__init__").rstrip(".")] = ast.parse(path.read_text(encoding="utf-8"))
    return items


def _imports(dotted: str) -> Iterator[str]:
    """Absolute names of all that a module imports: in functions and for types alone, too."""
    for node in ast.walk(_modules()[dotted]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{dotted}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _ours(dotted: str) -> set[str]:
    """The modules of ours that a module imports."""
    items = set()
    for name in _imports(dotted):
        if name.partition(".")[0] != "pgwizard":
            continue
        inner = name.removeprefix("pgwizard").lstrip(".")
        items.add(inner if inner in _modules() else inner.rpartition(".")[0])
    return items - {dotted}


def _package(dotted: str) -> str:
    return dotted.partition(".")[0]


def test_packages_import_only_what_their_edges_allow() -> None:
    crossed = [
        f"{dotted} imports {other}"
        for dotted in _modules()
        for other in _ours(dotted)
        if _package(other) not in (_package(dotted), *GROUND, *EDGES.get(_package(dotted), "").split())
    ]
    assert crossed == []


def test_other_packages_import_only_the_public_modules_of_a_package() -> None:
    used: dict[str, set[str]] = {package: set() for package in PUBLIC}
    for dotted in _modules():
        for other in _ours(dotted):
            if _package(other) not in (_package(dotted), *GROUND):
                used[_package(other)].add(other.partition(".")[2])
    assert used == {package: set(modules.split()) for package, modules in PUBLIC.items()}


def test_a_package_names_its_main_modules() -> None:
    for package, modules in PUBLIC.items():
        named = set(re.findall(r"``(\w+)``", ast.get_docstring(_modules()[package]) or ""))
        assert named & set(modules.split()), f"{package} names none of its public modules"


def test_no_module_imports_a_private_name() -> None:
    private = [
        f"{dotted} imports {name}"
        for dotted in _modules()
        for name in _imports(dotted)
        if name.startswith("pgwizard") and re.search(r"\._(?!_)", name)
    ]
    assert private == []


def test_every_package_has_its_edges() -> None:
    packages = {_package(dotted) for dotted in _modules()} - set(GROUND)
    assert packages - set(EDGES) == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    left = {dotted: _ours(dotted) for dotted in _modules()}
    while free := [dotted for dotted, others in left.items() if not others & set(left)]:
        for dotted in free:
            del left[dotted]
    circles = {dotted: sorted(others & set(left)) for dotted, others in left.items()}
    assert circles == {}


def test_a_package_holds_a_docstring_and_no_code() -> None:
    packages = [path for path in SOURCE.rglob("__init__.py") if path.parent != SOURCE]
    assert packages
    for path in packages:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), path
        assert len(tree.body) == 1, f"{path}: code in a package"


def _classes(tree: ast.Module) -> Iterator[str]:
    """Classes, nested ones too, and type aliases; a message within a widget is named with it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and "Message" not in map(ast.unparse, node.bases):
            yield node.name
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from (name for name in map(ast.unparse, node.targets) if re.fullmatch(r"[A-Z]+[a-z]\w*", name))


def test_no_two_classes_or_type_aliases_have_the_same_name() -> None:
    homes: dict[str, list[str]] = {}
    for dotted, tree in _modules().items():
        for name in _classes(tree):
            homes.setdefault(name, []).append(dotted)
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_classes_are_nested_ones_and_type_aliases_too() -> None:
    source = "class One:\n    class Two: ...\n    class Changed(Message): ...\nThree = One | None\nFOUR = 4\n"
    assert sorted(_classes(ast.parse(source))) == ["One", "Three", "Two"]


@pytest.mark.parametrize("package", ALONE)
def test_a_heavy_package_is_imported_in_one_place(package: str) -> None:
    users = {dotted for dotted in _modules() for name in _imports(dotted) if name.partition(".")[0] == package}
    assert users
    assert {user for user in users if not {user, _package(user)} & ALONE[package]} == set()


def test_a_kind_is_named_in_one_place() -> None:
    """The simulated cluster takes the place of a server: it names what it serves by itself."""
    named = [
        dotted
        for dotted, tree in _modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Resource"
        if tuple(arg.value for arg in node.args if isinstance(arg, ast.Constant)) in KINDS
    ]
    assert {dotted for dotted in named if _package(dotted) != "simulator"} == {"kube.api"}
    assert named.count("kube.api") == len(KINDS)


@pytest.mark.parametrize("module", PURE)
def test_what_is_pure_neither_waits_nor_reads(module: str) -> None:
    outside = {"asyncio", "os", "pathlib", "socket", "ssl", "subprocess", "time", "aiohttp"}
    assert {name.partition(".")[0] for name in _imports(module)} & outside == set()
    waits = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    assert not [node for node in ast.walk(_modules()[module]) if isinstance(node, waits)]


def _loaded(*arguments: str) -> set[str]:
    """The top-level names of the modules that a run of the program loaded."""
    script = f"from pgwizard.cli.main import main\nmain({list(arguments)!r})\n"
    return {name.partition(".")[0] for name in _loaded_by(script)}


def _loaded_by(source: str) -> set[str]:
    """The names of all modules that a script loaded."""
    script = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: sys.stderr.write('\\n' + json.dumps(sorted(sys.modules))))\n"
        f"{source}"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=DEADLINE_SECONDS
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_a_headless_run_loads_no_face_and_no_client() -> None:
    loaded = _loaded("--headless", str(GOLDEN / "everything-changed" / "answers.yaml"))
    assert loaded & {"textual", "kubernetes", "aiohttp", "rich", "OpenSSL"} == set()
    assert {"jinja2", "pydantic", "yaml"} <= loaded


def test_the_version_loads_nothing_beside_the_command_line() -> None:
    loaded = _loaded("--version")
    assert (
        loaded
        & {"textual", "kubernetes", "aiohttp", "rich", "pydantic", "jinja2", "cryptography", "OpenSSL", "argparse"}
        == set()
    )


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["apply", "--help"], ["completion", "bash"], ["version", "--json"], ["explain"]],
)
def test_help_and_completion_load_no_face_no_client_and_no_questions(arguments: list[str]) -> None:
    loaded = _loaded(*arguments)
    assert (
        loaded & {"textual", "kubernetes", "aiohttp", "rich", "pydantic", "jinja2", "cryptography", "OpenSSL"} == set()
    )
    assert "argparse" in loaded


def test_the_pages_of_the_wizard_load_nothing_of_a_release_that_runs() -> None:
    loaded = _loaded_by("import pgwizard.tui.panels.by_page\n")
    assert {name for name in loaded if name.startswith(("pgwizard.status", "pgwizard.diagnose"))} == set()
    assert loaded & {"pgwizard.release.apply", "kubernetes", "aiohttp"} == set()


def test_what_observes_a_release_loads_no_questions() -> None:
    loaded = _loaded_by("import pgwizard.cli.verbs.status_line, pgwizard.status.observe, pgwizard.status.report\n")
    assert loaded & {"pydantic", "jinja2", "textual", "pgwizard.plan.plan"} == set()


def test_the_version_is_printed_before_anything_is_loaded() -> None:
    assert (
        _loaded("--version") & {"pydantic", "jinja2", "yaml", "argparse", "cryptography", "OpenSSL", "kubernetes"}
        == set()
    )
