"""Guards: what nobody may break unnoticed. No dead question, no dead value, templates that a translator can follow."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
import sysconfig
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import annotated_types
import jinja2
import pytest
import yaml
from jinja2 import nodes
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from pgwizard import errors
from pgwizard.answers.questions import Answers, Section, question_of, sections_in
from pgwizard.plan import manifests
from pgwizard.plan.alerts import Alerts
from pgwizard.plan.names import Names
from pgwizard.plan.plan import ContainerResources, KeyRef, Pair, Plan, Toleration
from pgwizard.plan.tuning import Parameter
from pgwizard.wizard.choices import LISTS
from pgwizard.wizard.secret_questions import SECRET_QUESTIONS
from support.headless import GOLDEN, ROOT, certificate, pem, planned, run

TEMPLATES = manifests.templates_dir()
NAMES = sorted(
    str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*") if path.is_file() and path.suffix != ".md"
)

# ---- no dead question ----------------------------------------------------------------------------------------------

SAMPLES: dict[str, object] = {
    "release.name": "other",
    "release.database": "other",
    "storage.size": "77Gi",
    "tuning.memory": "7Gi",
    "tuning.cpu": "7",
    "resources.memoryRequest": "77Mi",
    "resources.cpuRequest": "77m",
    "resources.cpuLimit": "7",
    "tuning.parameters": {"work_mem": "7MB"},
    "repository.endpoint": "other.example.com:7777",
    "repository.path": "/other",
    "schedule.full": "7 7 * * 0",
    "schedule.incremental": "7 7 * * 1-6",
    "schedule.timeZone": "Europe/Berlin",
    "images.pgbackrestVersion": "2.59.1",
    "advanced.archivePushQueueMax": "7Gi",
    "advanced.options": {"delta": "y"},
    "pods.labels": {"team": "payments"},
    "pods.annotations": {"linkerd.io/inject": "disabled"},
    "pods.nodeSelector": {"disktype": "ssd"},
    "pods.tolerations": ["dedicated=database:NoSchedule"],
    "pods.ephemeralStorageRequest": "77Mi",
    "pods.ephemeralStorageLimit": "7Gi",
    "initContainer.cpuRequest": "77m",
    "initContainer.cpuLimit": "7",
    "initContainer.memoryRequest": "33Mi",
    "initContainer.memoryLimit": "77Mi",
    "jobs.cpuRequest": "77m",
    "jobs.cpuLimit": "7",
    "jobs.memoryRequest": "33Mi",
    "jobs.memoryLimit": "77Mi",
    "jobs.labels": {"sidecar.istio.io/inject": "false"},
    "jobs.annotations": {"linkerd.io/inject": "disabled"},
}
"""Other answers where the type alone does not say what one looks like."""

GATES = {"images.pgbackrestVersion": "decides which options and values are taken, and is no value itself"}
"""Questions that only decide whether other answers are right; ``checks`` reads them."""

NEEDS: dict[str, dict[str, Any]] = {
    "advanced.networkPolicy": {},
    "tls.caFile": {"tls": {"source": None, "caFile": "one.crt"}},
}
"""Answers that must be given for a question to matter."""


def _alternatives(
    path: str, section: type[Section], given: dict[str, Any]
) -> Iterator[tuple[str, FieldInfo, dict[str, Any]]]:
    """Each question under a section: its path, its field, and the answers of its section."""
    for field in section.model_fields.values():
        key = str(field.alias)
        inner = sections_in(field.annotation)
        if question_of(field.metadata):
            yield f"{path}{key}", field, given
        for alternative in inner:
            yield from _alternatives(f"{path}{key}.", alternative, _filled(alternative))


def _filled(section: type[Section]) -> dict[str, Any]:
    """Answers of a section: its required questions and what chooses it."""
    filled: dict[str, Any] = {}
    for field in section.model_fields.values():
        tags = typing.get_args(field.annotation)
        if str(field.alias) in ("from", "type") and len(tags) == 1:
            filled[str(field.alias)] = tags[0]
        elif field.is_required():
            filled[str(field.alias)] = _filled_word(filled)
    return filled


def _filled_word(given: dict[str, Any]) -> str:
    """Variables are written in capitals, objects are not."""
    return "ONE" if given.get("from") == "env" else "one"


def _other(path: str, field: FieldInfo, current: object) -> Any:
    """Another valid answer, by the question's type."""
    if path in SAMPLES:
        return SAMPLES[path]
    inner = sections_in(field.annotation)
    if inner:
        return None if current is not None and type(None) in typing.get_args(field.annotation) else _filled(inner[-1])
    kinds = _flat(field.annotation)
    literals = [
        choice for kind in kinds for choice in typing.get_args(kind) if typing.get_origin(kind) is typing.Literal
    ]
    if literals:
        return next(choice for choice in literals if choice != current)
    if bool in kinds:
        return not current
    if int in kinds:
        bounds = [int(str(item.ge)) for item in field.metadata if isinstance(item, annotated_types.Ge)]
        low = max(bounds, default=1)
        return low if low != current else low + 1
    if any(typing.get_origin(kind) is list for kind in kinds):
        return ["other"]
    return "OTHER" if current == "ONE" else "other"


def _flat(annotation: Any) -> list[Any]:
    """The kinds in an annotation, unions and Annotated unfolded."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _flat(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Literal, list, dict):
        return [annotation]
    parts = typing.get_args(annotation)
    return [kind for part in parts for kind in _flat(part)] if parts else [annotation]


def _assigned(answers: dict[str, Any], path: str, value: object, siblings: dict[str, Any]) -> dict[str, Any]:
    """The answers with one value at a path; the block around it gets its siblings first."""
    head, _, rest = path.partition(".")
    if not rest:
        return {**answers, **siblings, head: value}
    return {**answers, head: _assigned(answers.get(head) or {}, rest, value, siblings)}


def _bytes(answers: dict[str, Any]) -> str:
    return "".join(item.text for item in manifests.render(planned(Answers.model_validate(answers))))


QUESTIONS = [
    pytest.param(
        path, field, given, id=f"{path}{''.join(f'[{given[key]}]' for key in ('from', 'type') if key in given)}"
    )
    for path, field, given in _alternatives("", Answers, {})
]


@pytest.mark.parametrize(("path", "field", "given"), QUESTIONS)
def test_another_answer_changes_a_rendered_byte(path: str, field: FieldInfo, given: dict[str, Any]) -> None:
    base = dict(NEEDS.get(path, {}))
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    current = _filled_word(given) if field.is_required() else default
    other = _other(path, field, current)
    assert other != current
    key = path.rpartition(".")[2]
    before = _assigned(base, path, given[key], given) if key in given else _without_answer(base, path, given)
    after = _assigned(base, path, other, given)
    assert (_bytes(before) == _bytes(after)) == (path in GATES)


def _without_answer(base: dict[str, Any], path: str, given: dict[str, Any]) -> dict[str, Any]:
    """The answers that show the question, still without an answer to it."""
    parent = path.rpartition(".")[0]
    return _assigned(base, parent, {**given}, {}) if given and parent else base


def test_every_question_is_walked() -> None:
    paths = {path for path, _, _ in (param.values for param in QUESTIONS)}
    assert len(QUESTIONS) > 65
    assert set(SAMPLES) | set(GATES) | set(NEEDS) <= paths


def test_another_certificate_in_the_file_changes_the_secret_and_the_pod(folder: Path) -> None:
    (folder / "answers.yaml").write_text("tls: {caFile: ca.crt}")
    outputs = []
    for name in ("one", "two"):
        (folder / "ca.crt").write_bytes(pem(certificate(name)))
        outputs.append(run("--headless", "answers.yaml").out)
    changed = [
        a.partition(":")[0].strip() for a, b in zip(*(text.splitlines() for text in outputs), strict=True) if a != b
    ]
    assert changed == ["tls.crt", "checksum/minio-ca"]


def test_no_question_asks_for_a_secret() -> None:
    def fields(section: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
        for name, field in section.model_fields.items():
            yield f"{section.__name__}.{name}", field
            for inner in sections_in(field.annotation):
                yield from fields(inner)

    everything = dict(fields(Answers))
    assert [name for name, field in everything.items() if SecretStr in _flat(field.annotation)] == []
    secretive = re.compile("pass|secret|token|cipher", re.IGNORECASE)
    references = re.compile(
        r"^(Existing|Env|File)\w+\.|^(Answers\.credentials|Repository\.cipher|CaSource\.secret|Images\.pull_secrets)$"
    )
    assert [
        name for name in everything if secretive.search(name.partition(".")[2]) and not references.match(name)
    ] == []


# ---- templates and plan --------------------------------------------------------------------------------------------

FUNCTIONS = {"file", "checksum", "ca_certificate"}
FILTERS = {"block", "sha256", "bare", "comment"}
PLACED = (
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.CondExpr,
    nodes.Filter,
    nodes.Call,
    nodes.Const,
)
BLOCKS = (nodes.Template, nodes.If, nodes.For)
TESTS = (nodes.Compare, nodes.Operand, nodes.Not, nodes.And, nodes.Or)


def _parsed(name: str) -> nodes.Template:
    return jinja2.Environment(autoescape=True).parse((TEMPLATES / name).read_text(encoding="utf-8"))


def _read_names() -> set[str]:
    """What templates read that no loop of theirs binds."""
    items: set[str] = set()
    for name in NAMES:
        bound = {loop.target.name for loop in _parsed(name).find_all(nodes.For) if isinstance(loop.target, nodes.Name)}
        items |= {node.name for node in _parsed(name).find_all(nodes.Name)} - bound
    return items


def test_templates_read_plan_fields_and_the_three_functions_alone_and_all_of_them() -> None:
    """``ca_certificate`` is a field and a function: what is placed is what the function gives."""
    assert _read_names() == {field.name for field in dataclasses.fields(Plan)} | FUNCTIONS


def test_every_part_of_a_planned_value_is_placed() -> None:
    placed = {node.attr for name in NAMES for node in _parsed(name).find_all(nodes.Getattr)}
    parts = {
        field.name
        for kind in (Alerts, ContainerResources, Names, KeyRef, Pair, Parameter, Toleration)
        for field in dataclasses.fields(kind)
    }
    assert placed == parts


def test_the_order_names_every_template_and_no_other() -> None:
    assert sorted(manifests.ORDER) == sorted(path.stem for path in TEMPLATES.glob("*.yaml"))
    assert len(set(manifests.ORDER)) == len(manifests.ORDER)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_uses_only_what_a_translator_can_follow(name: str) -> None:
    for node in _parsed_nodes(_parsed(name)):
        if isinstance(node, TESTS):
            continue
        assert isinstance(node, (*PLACED, *BLOCKS)), f"{name}:{node.lineno}: {type(node).__name__}"
    for node in _parsed(name).find_all(nodes.Filter):
        assert node.name in FILTERS, f"{name}:{node.lineno}"
        assert all(isinstance(argument, nodes.Const) for argument in node.args)
    for call in _parsed(name).find_all(nodes.Call):
        assert isinstance(call.node, nodes.Name), f"{name}:{call.lineno}"
        assert call.node.name in FUNCTIONS
        assert all(isinstance(argument, nodes.Const) for argument in call.args)
        assert (call.kwargs, call.dyn_args, call.dyn_kwargs) == ([], None, None)
    for loop in _parsed(name).find_all(nodes.For):
        assert isinstance(loop.iter, (nodes.Name, nodes.Getattr)), f"{name}:{loop.lineno}"
        assert isinstance(loop.target, nodes.Name)
        assert (loop.else_, loop.test, loop.recursive) == ([], None, False)


def _parsed_nodes(tree: nodes.Node) -> Iterator[nodes.Node]:
    yield tree
    for child in tree.iter_child_nodes():
        yield from _parsed_nodes(child)


@pytest.mark.parametrize("name", NAMES)
def test_conditions_are_only_in_if(name: str) -> None:
    """And, or and not give values in Jinja2 and booleans elsewhere: they never reach an output."""

    def compared(node: nodes.Node) -> Iterator[nodes.Node]:
        for child in node.iter_child_nodes():
            if isinstance(node, (nodes.If, nodes.CondExpr)) and child is node.test:
                continue
            if isinstance(child, TESTS):
                yield child
            yield from compared(child)

    assert list(compared(_parsed(name))) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_block_tag_is_alone_on_its_line(name: str) -> None:
    """Inside a line it would eat the line's end."""
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if "{%" in line and not re.fullmatch(r"{% [^%]* %}", line)] == []
    assert "{#" not in text
    assert "\t" not in text


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".yaml")])
def test_no_expression_of_a_manifest_is_part_of_a_larger_scalar(name: str) -> None:
    """Each is a whole key or a whole value: its quotes are the scalar's."""
    lines = [line for line in (TEMPLATES / name).read_text(encoding="utf-8").splitlines() if "{{" in line]
    whole = re.compile(r"\s*(- )?({{ [^}]* }}|[-A-Za-z0-9_./]+)(: ({{ [^}]* }}|\"true\"))?")
    assert [line for line in lines if not whole.fullmatch(line)] == []


# ---- scripts and errors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".sh") and name != "files/recovery.sh"])
def test_a_script_passes_shellcheck(name: str) -> None:
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    command = [str(shellcheck), "--shell=bash", "--severity=style", "-"]
    text = manifests.script(name.removeprefix("files/"))
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.stdout == ""


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".sh")])
def test_a_script_is_the_same_in_every_release(name: str) -> None:
    """No value is ever placed into a script: it has no expression."""
    assert "{{" not in (TEMPLATES / name).read_text(encoding="utf-8")


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    def drawn(kind: type[errors.PgwizardError], depth: int) -> Iterator[tuple[int, str, int]]:
        yield depth, kind.__name__, kind.exit_code
        for below in kind.__subclasses__():
            if below.__module__ == errors.__name__:
                yield from drawn(below, depth + 1)

    lines = re.findall(r"^    ([│├└─ ]*)(\w+) +(\d+)(?: |$)", str(errors.__doc__), re.MULTILINE)
    assert [(len(bars) // 4, name, int(code)) for bars, name, code in lines] == list(drawn(errors.PgwizardError, 0))


def test_every_exit_code_of_an_error_has_a_meaning_of_its_own() -> None:
    def kinds(kind: type[errors.PgwizardError]) -> Iterator[type[errors.PgwizardError]]:
        yield kind
        for below in kind.__subclasses__():
            yield from kinds(below)

    meanings: dict[int, set[str]] = {}
    for kind in kinds(errors.PgwizardError):
        meanings.setdefault(kind.exit_code, set()).add(kind.meaning)
    assert {code: each for code, each in meanings.items() if len(each) != 1 and code != 130} == {}


def test_no_test_sleeps() -> None:
    sleeping = re.compile(r"^\s*time\.sleep\(", re.MULTILINE)
    assert [path.name for path in (ROOT / "tests").glob("test_*.py") if sleeping.search(path.read_text())] == []


# ---- text is no markup ---------------------------------------------------------------------------------------------

WITH_MARKUP = frozenset({"Static", "Label", "RichLog", "notify"})
"""What takes a text for markup unless markup is switched off."""


def markup(tree: ast.AST) -> Iterator[int]:
    """Lines where a text that is no constant may be taken for markup; a cell is made a Text where it is added."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            plain = any(keyword.arg == "markup" for keyword in node.keywords)
            fixed = bool(node.args) and isinstance(node.args[0], ast.Constant)
            if name in WITH_MARKUP and not plain and not fixed:
                yield node.lineno
            if name in ("add_row", "Option"):
                loose = (ast.JoinedStr, ast.Name) if name == "add_row" else ast.JoinedStr
                yield from (cell.lineno for cell in node.args if isinstance(cell, loose))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.JoinedStr):
            names = {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
            if names & {"border_title", "border_subtitle", "tooltip"}:
                yield node.lineno


def test_no_text_on_the_screen_is_taken_for_markup() -> None:
    sources = (ROOT / "src" / "pgwizard" / "tui").glob("*.py")
    items = {path.name: list(markup(ast.parse(path.read_text(encoding="utf-8")))) for path in sources}
    assert {name: lines for name, lines in items.items() if lines} == {}


# ---- what Kubernetes would expand ----------------------------------------------------------------------------------


def texts_that_kubernetes_expands(node: Any) -> Iterator[str]:
    """``$(VAR)`` is expanded in a container's env values, args and command; nowhere else, probes included."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("containers", "initContainers"):
                for container in value:
                    yield from (item["value"] for item in container.get("env", ()) if "value" in item)
                    yield from (*container.get("args", ()), *container.get("command", ()))
            yield from texts_that_kubernetes_expands(value)
    elif isinstance(node, list):
        for item in node:
            yield from texts_that_kubernetes_expands(item)


@pytest.mark.parametrize("case", sorted(path.parent.name for path in GOLDEN.glob("*/answers.yaml")))
def test_kubernetes_finds_nothing_to_expand(case: str) -> None:
    objects = [yaml.safe_load(path.read_bytes()) for path in (GOLDEN / case / "manifests").iterdir()]
    texts = [text for item in objects for text in texts_that_kubernetes_expands(item)]
    assert len(texts) > 3
    assert [text for text in texts if "$(" in text] == []


def _marked(value: Any, path: str) -> Any:
    """The value with each text in it replaced by ``$(its place)``."""
    if isinstance(value, str):
        return f"$({path})"
    if isinstance(value, tuple):
        return tuple(_marked(item, f"{path}.{number}") for number, item in enumerate(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **{name: _marked(part, f"{path}.{name}") for name, part in parts.items()})
    return value


def test_only_two_answers_reach_what_kubernetes_expands_and_neither_can_hold_a_variable() -> None:
    marked = _marked(planned(Answers.model_validate({"images": {"pullSecrets": ["a"]}})), "")
    plan = dataclasses.replace(marked, ca_certificate="AA==")
    objects = [item.object for item in manifests.render(plan)]
    texts = {text for item in objects for text in texts_that_kubernetes_expands(item) if "$(" in text}
    assert texts == {"$(.names.pod)", "$(.names.release)", "$(.database)"}
    for key in ("name", "database"):
        with pytest.raises(ValueError, match="is not"):
            Answers.model_validate({"release": {key: "a$(B)"}})


def test_every_question_about_a_secret_has_its_browser_which_answers_questions_that_are_there() -> None:
    questions = {path: question_of(each.metadata) for path, each, _ in _alternatives("", Answers, {})}
    without_list = {path for path, ask in questions.items() if ask and ask.choices and ask.choices not in LISTS}
    assert without_list == {
        path for path in without_list if any(path.startswith(".".join(block)) for block in SECRET_QUESTIONS)
    }
    answered = [
        question
        for browser in SECRET_QUESTIONS.values()
        for question in (browser.secret, *browser.keys, *([browser.namespace] if browser.namespace else []))
    ]
    assert {".".join(question) for question in answered} <= questions.keys()


def test_no_script_hides_a_module_of_python_from_the_others_beside_it() -> None:
    beside = {path.stem for folder in ("bench", "tests") for path in (ROOT / folder).glob("*.py")}
    assert beside & sys.stdlib_module_names == set()
