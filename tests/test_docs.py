"""The documents and the code say the same: generated pages, links, commands, lists that exist twice."""

from __future__ import annotations

import ast
import functools
import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode

from pgwizard.answers.file import load
from pgwizard.answers.questions import Answers
from pgwizard.cli import main
from pgwizard.cli.parse import parse
from pgwizard.cli.reference import pages
from pgwizard.cli.table import VERBS
from pgwizard.plan.manifests import ORDER, render
from pgwizard.plan.plan import Facts, resolve
from pgwizard.tls.certificates import read_bundle
from test_packages import EDGES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *DOCS.glob("*.md"), ROOT / "templates/WHY.md")
)
SOURCES = sorted((ROOT / "src/pgwizard").rglob("*.py"))
MAPPING = "## The architecture document, line by line"


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _fenced(text: str, language: str = "") -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for each, block in fences if each == language]


def _without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


# ---- docstrings ------------------------------------------------------------------------------------------------------


def test_a_docstring_describes_the_parameters_that_a_function_has() -> None:
    """``name: what it is``, at the beginning of a sentence or of a part of one."""
    strange = []
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = node.args
                every = [*arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
                names = {each.arg for each in every if each is not None}
                text = " ".join((ast.get_docstring(node) or "").split())
                lists = re.findall(r"(?:^|[.;] )([a-z_]+(?:, [a-z_]+)*): ", text)
                described = {name for each in lists for name in each.split(", ")}
                strange += [f"{source.name}:{node.lineno} {name}" for name in sorted(described - names)]
    assert strange == []


# ---- generated pages and links -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_generated_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == pages()[name], "make docs regenerates it"


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", _without_fences(text), re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_has_a_target(name: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", _without_fences(_text(name))):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.is_file(), f"{name}: {link}"
        assert not anchor or anchor in _anchors(target.read_text(encoding="utf-8")), f"{name}: {link}"


def test_the_readme_links_to_every_document() -> None:
    linked = {path.partition("#")[0] for path in re.findall(r"\]\(([^)\s]+)\)", _text("README.md"))}
    assert set(DOCUMENTS) - {"README.md"} <= linked


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_has_one_title_and_lines_that_fit_a_screen(name: str) -> None:
    text = _without_fences(_text(name))
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert not [line for line in text.splitlines() if len(line) > 120 and not line.startswith("|")]


# ---- the README ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/dependencies.md"])
def test_every_make_command_that_is_named_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", _text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"`(?:[A-Z_]+=\S+ )?make ([a-z]+)`", _text(name)))
    assert named <= targets
    assert named or name.startswith("docs/")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_pgwizard_command_that_is_shown_is_understood(name: str) -> None:
    """A verb alone is a name; placeholders in capitals match any value, and what is optional is not looked at."""
    text = _text(name)
    shown = [
        *re.findall(r"^\$ (?:source <\()?pgwizard\b(.*?)(?:  #.*)?$", "\n".join(_fenced(text)), re.MULTILINE),
        *re.findall(r"`pgwizard((?: [^`]*)?)`", text),
    ]
    for command in shown:
        words = re.split(r" [|>&] |\)", command)[0].split()
        if "VERB" not in words and "..." not in words and words not in [[verb] for verb in VERBS]:
            parse(["bash" if word == "SHELL" else word for word in words if not word.startswith("[")])


def _facts() -> Facts:
    return Facts(ca=read_bundle((ROOT / "examples/minio-ca.crt").read_bytes()))


def _answers_of_the_readme() -> Answers:
    (block,) = _fenced(_text("README.md"), "yaml")
    loaded = load(block.encode())
    assert loaded.answers is not None
    assert not loaded.problems
    return loaded.answers


def test_the_run_in_the_readme_writes_the_files_that_it_lists() -> None:
    listed = re.findall(r"^manifests/(\S+)$", "\n".join(_fenced(_text("README.md"))), re.MULTILINE)
    assert listed == [manifest.file_name for manifest in render(resolve(_answers_of_the_readme(), _facts()))]


def test_the_run_in_the_readme_names_the_objects_that_it_makes() -> None:
    made = [manifest.object for manifest in render(resolve(_answers_of_the_readme(), _facts()))]
    rendered = {(item["kind"], item["metadata"]["name"]) for item in made}
    shown = re.findall(r"^\+ create +(\S+) (?:\S+/)?(\S+)$", "\n".join(_fenced(_text("README.md"))), re.MULTILINE)
    assert set(shown) == rendered


def test_the_wrong_answer_in_the_readme_is_answered_as_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = _fenced(_text("README.md"), "yaml")
    (folder / "answers.yaml").write_text(block.replace("20Gi", "2Gi"))
    (folder / "minio-ca.crt").write_bytes((ROOT / "examples/minio-ca.crt").read_bytes())
    shown = next(fence for fence in _fenced(_text("README.md")) if "1 problem" in fence)
    command, _, error_text = shown.partition("\n")
    with pytest.raises(SystemExit) as ended:
        main.main(command.removeprefix("$ pgwizard ").split())
    assert (ended.value.code, capsys.readouterr().err) == (2, error_text)


# ---- lists that exist twice ----------------------------------------------------------------------------------------


def _packages(requirements: list[str]) -> list[str]:
    return [re.split(r"[<>=!~\[; ]", requirement)[0] for requirement in requirements]


def test_the_list_of_dependencies_is_that_of_pyproject() -> None:
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    text = _text("docs/dependencies.md")
    run_time, development = text.split("## For development")
    rows = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
    assert rows.findall(run_time) == _packages(project["dependencies"])
    assert rows.findall(development) == _packages(project["optional-dependencies"]["dev"])


def _templates() -> list[str]:
    folder = ROOT / "templates"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix not in ("", ".md"))


def test_every_template_has_its_reasons() -> None:
    headings = re.findall(r"^## (\S+\.\S+)$", _text("templates/WHY.md"), re.MULTILINE)
    assert sorted(headings) == _templates()
    assert [f"{role}.yaml" for role in ORDER] == [heading for heading in headings if "/" not in heading]


def _mapping() -> str:
    return _text("docs/architecture.md").partition(MAPPING)[2]


def test_every_template_that_the_architecture_page_names_exists_and_none_is_left_out() -> None:
    named = set(re.findall(r"`([-a-z0-9/]+\.(?:yaml|conf|sh))`", _mapping()))
    assert sorted(named) == _templates()


@functools.cache
def _test_functions() -> dict[str, set[str]]:
    return {
        path.name: {
            node.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
        }
        for path in (ROOT / "tests").rglob("*.py")
    }


def test_every_test_that_the_architecture_page_names_exists_and_none_is_left_out() -> None:
    named = re.findall(r"`(test_\w+)`", _mapping())
    assert len(named) == len(set(named))
    assert set(named) == _test_functions()["test_seed.py"]


def _package_rows() -> dict[str, tuple[set[str], set[str]]]:
    """The table of packages: by package, its modules and what it imports."""
    section = _text("docs/architecture.md").partition("## Packages")[2].partition("## Decisions")[0]
    rows = {}
    for line in section.splitlines():
        if match := re.match(r"\| `(\w+)/` \|", line):
            cells = line.strip("|").split("|")
            rows[match[1]] = (set(re.findall(r"`(\w+)`", cells[1])), set(re.findall(r"`(\w+)/`", cells[3])))
    return rows


def test_the_table_of_packages_lists_the_folders_and_their_modules() -> None:
    folder = ROOT / "src/pgwizard"
    packages = {path.parent for path in folder.glob("*/__init__.py")}
    there = {
        package.name: {
            path.stem if path.name != "__init__.py" else path.parent.name
            for path in package.glob("*.py")
            if path.parent != package or path.name != "__init__.py"
        }
        | {path.parent.name for path in package.glob("*/__init__.py")}
        for package in packages
    }
    assert {package: modules for package, (modules, _) in _package_rows().items()} == there


def test_the_table_of_packages_shows_the_edges_that_imports_are_limited_to() -> None:
    rows = _package_rows()
    assert {package: edges for package, (_, edges) in rows.items() if package != "cli"} == {
        package: set(EDGES[package].split()) & set(rows) for package in rows if package != "cli"
    }


# ---- messages ------------------------------------------------------------------------------------------------------


@functools.cache
def _literals() -> list[str]:
    """Every text of the sources, with … where a value is put in."""
    items = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                items.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                items.append("".join(_part(part) for part in node.values))
    return items


def _part(node: Any) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else "…"


def _messages() -> list[str]:
    return re.findall(r"^\| <a id=\"[^\"]+\"></a>`([^`]+)` \|", _text("docs/errors.md"), re.MULTILINE)


@pytest.mark.parametrize("message", _messages())
def test_a_message_in_the_documentation_is_one_of_the_program(message: str) -> None:
    for fragment in filter(None, (part.strip() for part in message.split("…"))):
        assert any(fragment in literal for literal in _literals()), fragment


def test_every_row_of_messages_has_an_anchor_of_its_own() -> None:
    text = _text("docs/errors.md")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| message")]
    anchors = re.findall(r"<a id=\"([^\"]+)\">", text)
    assert len(rows) == len(anchors) == len(set(anchors)) == len(_messages())


def test_every_finding_across_answers_has_a_row() -> None:
    """A check that is added without a word of help is found here."""
    documented = _messages()
    tree = ast.parse(_text("src/pgwizard/plan/checks.py"))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if not (isinstance(call.func, ast.Name) and call.func.id in ("Finding", "_warning") and len(call.args) == 2):
            continue
        text = "".join(
            node.value
            for node in ast.walk(call.args[1])
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        fragments = [[part.strip() for part in message.split("…") if part.strip()] for message in documented]
        assert not text or any(all(part in text for part in parts) for parts in fragments if parts), text


# ---- keys ----------------------------------------------------------------------------------------------------------

SCREENS = {"The status": "screens.status", "Choosing a certificate": "screens.secret_browser"}
"""Headings of docs/errors.md whose keys are those of one screen."""
_KEY = r"(?:Shift\+|Ctrl\+)?(?:F[0-9]+|Enter|Esc|Tab|Space|Up|Down|Left|Right|[A-Za-z?/])"
_NAMES = {"esc": "escape", "?": "question_mark", "/": "slash"}


def _bound(*modules: str) -> set[str]:
    """The keys of every class in these modules of the screens, and of what they are derived from."""
    items: set[str] = set()
    for module in modules:
        for part in vars(importlib.import_module(f"pgwizard.tui.{module}")).values():
            if isinstance(part, type) and issubclass(part, DOMNode) and part.__module__.startswith("pgwizard."):
                bindings = [binding for base in part.__mro__ for binding in getattr(base, "BINDINGS", ())]
                keys = [item.key if isinstance(item, Binding) else item[0] for item in bindings]
                items |= {key.strip() for each in keys for key in each.split(",")}
    return items | {App.COMMAND_PALETTE_BINDING}


def _as_bound(key: str) -> str:
    *modifiers, last = key.split("+")
    last = last if not modifiers and len(last) == 1 and last.isalpha() else last.lower()  # N is another key than n
    return "+".join([*(part.lower() for part in modifiers), _NAMES.get(last, last)])


def test_the_keys_that_a_message_s_fix_names_are_those_of_its_screen() -> None:
    sections = re.split(r"^## (.*)$", _text("docs/errors.md"), flags=re.MULTILINE)
    named = {
        heading.partition(" (")[0]: re.findall(rf"press `({_KEY})`", text)
        for heading, text in zip(sections[1::2], sections[2::2], strict=True)
    }
    assert {heading for heading, keys in named.items() if keys} == set(SCREENS)
    for heading, module in SCREENS.items():
        assert {_as_bound(key) for key in named[heading]} <= _bound(module), heading
    assert not re.search(r"\bkey [a-z]\b|: [a-z] \|$", _text("docs/errors.md"), re.MULTILINE), "write press `b`"


@pytest.mark.parametrize("name", ["docs/wizard.md", "README.md", "CHANGELOG.md"])
def test_a_key_that_a_document_names_is_bound_on_some_screen(name: str) -> None:
    folder = ROOT / "src/pgwizard/tui"
    modules = [
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if path.name != "__init__.py"
    ]
    named = re.findall(rf"`({_KEY})`", _text(name))
    assert {key for key in named if _as_bound(key) not in _bound(*modules)} == set()
    assert name != "docs/wizard.md" or len(set(named)) > 10
    assert not re.search(r"`(?:ctrl\+|shift\+|f[0-9]+`|enter`|escape`|tab`)", _text(name)), "Ctrl+C, F8, Enter, Esc"


# ---- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_speaks_of_the_project_alone(name: str) -> None:
    """No path of a machine, no badge: the only pictures are screenshots."""
    text = _text(name)
    assert not re.search(r"/work/|/root/|/home/|/tmp/[a-z]|\.\./shared", text)
    assert not re.search(r"!\[[^]]*\]\((?!screenshots/)", text)


@pytest.mark.parametrize(
    "name", ["CONTRIBUTING.md", "docs/architecture.md", "docs/dependencies.md", "templates/WHY.md"]
)
def test_a_document_names_only_paths_that_exist(name: str) -> None:
    paths = re.findall(r"`((?:src|tests|docs|templates|bench)/[\w./-]+)`", _text(name))
    assert [path for path in paths if not (ROOT / path).exists()] == []
