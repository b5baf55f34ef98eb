"""Texts are plain English: a short list of words that they never hold.

It covers what users read, and what developers read in the packages that are clean: docstrings, comments, test names.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import pgwizard
from support.headless import ROOT

SOURCE = Path(pgwizard.__file__).parent
BANNED = re.compile(
    r"\b(stands?|stood|anew|by then|all the same|somebody|for ever|what is wrong|goes on|takes it|its like|told"
    r"|a way out|what came of)\b",
    re.IGNORECASE,
)
BANNED_NAMES = {"told", "said", "held", "heard", "stands", "anew", "judged", "asked"}
"""As a part of a name: a name is a noun or a verb."""
IRREGULAR_PARTICIPLES = re.compile(
    "begun|born|bought|built|caught|cut|done|drawn|felt|found|given|gone|got|grown|heard|held|hidden|kept|known|laid|led"
    "|left|lost|made|meant|met|paid|put|read|run|sent|set|shown|sold|spent|split|spread|struck|stuck|taken|thought|thrown"
    "|understood|won|written"
)
NOUNS_AND_VERBS = re.compile(
    "between|children|cut|feed|listen|need|open|put|read|reopen|run|screen|set|speed|split|succeed|then|token|when"
)
"""They end as a participle does, or are spelled like one."""
FIELD_TERMS = {
    "expected": "beside actual or count, as in messages of tests and servers",
    "expired": "what X.509 calls a certificate after its end",
    "focused": "Textual's own attribute",
    "highlighted": "Textual's own attribute",
}
PUBLISHED_NAMES = {
    ("answers/questions.py", "advanced"),
    ("answers/questions.py", "enabled"),
    ("cli/verbs/history.py", "unlisted"),
    ("cli/verbs/status_line.py", "answered"),
    ("cli/verbs/status_line.py", "stored"),
    ("release/record.py", "damaged"),
    ("restore/journal.py", "suspended"),
    ("restore/target.py", "left"),
    ("status/repository.py", "found"),
    ("status/repository.py", "stored"),
    ("status/snapshot.py", "applied"),
    ("status/snapshot.py", "archived"),
    ("status/snapshot.py", "ended"),
    ("status/snapshot.py", "failed"),
    ("status/snapshot.py", "started"),
    ("status/snapshot.py", "succeeded"),
    ("status/snapshot.py", "suspended"),
}
"""Keys of answers, of a release's record, and of the JSON output."""
MODULES = sorted(path for folder in ("src", "tests", "bench", "tools") for path in (ROOT / folder).rglob("*.py"))
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


def _remarks(path: Path) -> Iterator[tuple[int, str]]:
    """Docstrings, comments, and names of tests as words, with their lines."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.lineno, node.name.replace("_", " ")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _names(path: Path) -> Iterator[tuple[int, str]]:
    """Functions, classes, attributes, arguments and variables of a module, with their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def test_the_list_finds_what_it_bans() -> None:
    assert BANNED.findall("It stands anew. Outstanding, understands, renewed.") == ["stands", "anew"]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_text_of_the_program_holds_a_banned_word(path: Path) -> None:
    assert [f"line {line}: {text}" for line, text in _texts(path) if BANNED.search(text)] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_remark_of_a_module_holds_a_banned_word(path: Path) -> None:
    assert [f"line {line}: {text}" for line, text in _remarks(path) if BANNED.search(text)] == []


def test_remarks_are_docstrings_comments_and_test_names(tmp_path: Path) -> None:
    module = tmp_path / "test_module.py"
    module.write_text('"""One."""\n\n\ndef test_two_words() -> None:\n    """Three."""  # four\n')
    assert sorted(_remarks(module)) == [(1, "One."), (4, "test two words"), (5, "# four"), (5, "Three.")]


def test_a_name_is_split_at_underscores_and_capitals() -> None:
    assert _words("_ApplyAsked") == {"apply", "asked"}
    assert _words("is_asked") == {"is", "asked"}
    assert _words("ASKED") == {"asked"}
    assert _words("threshold") == {"threshold"}


def test_names_are_those_of_functions_classes_attributes_arguments_and_variables(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("class A:\n    def b(self, c): self.d = e\n")
    assert {name for _, name in _names(module)} == {"A", "b", "self", "c", "d", "e"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_name_of_a_module_holds_a_banned_word(path: Path) -> None:
    assert [f"line {line}: {name}" for line, name in _names(path) if _words(name) & BANNED_NAMES] == []


def _bindings(path: Path) -> Iterator[tuple[int, str]]:
    """The names that a module gives to values, arguments, functions and classes, with their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.MatchAs(name=str(name)) | ast.alias(asname=str(name)):
                yield node.lineno, name


def test_bindings_are_what_a_module_names_itself(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("import x as a\nclass B:\n    def c(self, d): self.e = [f for f in d.g]\n")
    assert {name for _, name in _bindings(module)} == {"a", "B", "c", "self", "d", "e", "f"}


def _is_bare_participle(name: str) -> bool:
    """Whether the whole name is a participle. Classes may be: messages and errors are named for what has happened."""
    word = name.strip("_").lower()
    if "_" in word or NOUNS_AND_VERBS.fullmatch(word) or word in FIELD_TERMS or name.strip("_")[:2].istitle():
        return False
    return word.endswith(("ed", "en")) or IRREGULAR_PARTICIPLES.fullmatch(word) is not None


def test_a_bare_participle_is_a_whole_name() -> None:
    names = ["changed", "_shown", "LEFT", "kept", "changed_at", "is_written", "Chosen", "token", "read", "expected"]
    assert [name for name in names if _is_bare_participle(name)] == ["changed", "_shown", "LEFT", "kept"]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_name_of_the_program_is_a_bare_participle(path: Path) -> None:
    module = str(path.relative_to(SOURCE))
    assert [
        f"line {line}: {name}"
        for line, name in _bindings(path)
        if _is_bare_participle(name) and (module, name) not in PUBLISHED_NAMES
    ] == []


def test_every_published_name_is_there() -> None:
    bindings = {(str(path.relative_to(SOURCE)), name) for path in SOURCE.rglob("*.py") for _, name in _bindings(path)}
    assert PUBLISHED_NAMES - bindings == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_holds_a_banned_word(path: Path) -> None:
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    assert [f"line {number}: {line}" for number, line in lines if BANNED.search(line)] == []
