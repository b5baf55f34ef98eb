"""A file of answers: bytes and overrides in, ``Answers`` and every problem with its place out.

It turns pydantic's findings into the words of the questions. It opens no files: bytes come in as an argument.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pgwizard.answers import schema, strict_yaml
from pgwizard.answers.questions import Answers, Section, sections_in
from pgwizard.errors import Finding

_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class LoadedAnswers:
    """A file of answers and its overrides, validated.

    answers: with defaults in place of invalid values, so that rules across fields can check the others; None where
    the file is no file of answers at all. wrong: the paths of those defaults. override_paths: those set by overrides.
    hidden_paths: the paths of invalid values that no message may quote, because they may be secrets.
    """

    answers: Answers | None
    problems: tuple[Finding, ...]
    wrong: frozenset[str] = frozenset()
    override_paths: frozenset[str] = frozenset()
    hidden_paths: frozenset[_Path] = frozenset()
    _places: dict[str, strict_yaml.Position] = field(default_factory=dict)

    def locate(self, problem: Finding) -> Finding:
        """The problem with the line of its path in the file, or of the nearest parent in the file."""
        path = problem.question
        if any(_within(path, override) for override in self.override_paths):
            return replace(problem, text=f"{problem.text} (from --set)")
        while path:
            if path in self._places:
                line, column = self._places[path]
                return replace(problem, line=line, column=column)
            path = path.rpartition(".")[0]
        return problem

    def about_right_answers(self, problem: Finding) -> bool:
        """Whether a problem across fields is about valid answers only."""
        return not any(_within(problem.question, path) or _within(path, problem.question) for path in self.wrong)


def load(data: bytes, overrides: Sequence[str] = ()) -> LoadedAnswers:
    """Read a file of answers, then apply ``path=value`` overrides. Never raises for bad input."""
    document = strict_yaml.read(data)
    problems = list(document.problems)
    value = document.value
    if value is None and not problems:
        problems.append(Finding("", "the file is empty: pgwizard init prints one with every default"))
    elif not problems and not isinstance(value, dict):
        problems.append(
            Finding("", f"expected a block of keys, found {_describe(value)}; the first line is usually release:", 1)
        )
    if not isinstance(value, dict):
        return LoadedAnswers(None, tuple(problems))
    override_paths, wrong = _override(value, overrides)
    problems += wrong
    answers, invalid, hidden_paths = _validate(value)
    places = {".".join(map(str, path)): place for path, place in document.places.items()}
    loaded_answers = LoadedAnswers(
        answers, (), frozenset(problem.question for problem in invalid), frozenset(override_paths), hidden_paths, places
    )
    problems += [loaded_answers.locate(problem) for problem in invalid]
    return replace(loaded_answers, problems=tuple(sorted(problems, key=lambda problem: problem.line or 0)))


def from_mapping(value: dict[str, Any]) -> LoadedAnswers:
    """Validate answers as nested keys, as in a file. Never raises for bad input."""
    answers, invalid, hidden_paths = _validate(value)
    return LoadedAnswers(
        answers, tuple(invalid), frozenset(problem.question for problem in invalid), hidden_paths=hidden_paths
    )


def _within(path: str, parent: str) -> bool:
    return path == parent or path.startswith(f"{parent}.")


# ---- overrides -----------------------------------------------------------------------------------------------------


_DEEPEST = 8
"""Parts of an override's path; a parameter's name may have a dot."""


_NO_YAML = ("@", "*", "%", "`")
"""A value of YAML never begins so, but a schedule such as ``@daily`` or ``*/15 * * * *`` does; no quotes are needed."""


def _override(value: dict[str, Any], overrides: Sequence[str]) -> tuple[list[str], list[Finding]]:
    """The paths that were overridden, and the problems of the overrides."""
    paths, problems = [], []
    for override in overrides:
        dotted_path, equals, text = override.partition("=")
        if text.startswith(_NO_YAML) or (not text and dotted_path.startswith("tuning.parameters.")):
            text = "'" + text.replace("'", "''") + "'"
        document = strict_yaml.read(text.encode("utf-8", "surrogatepass"))  # a byte of argv that is no UTF-8 stays none
        path = [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", dotted_path)]
        is_plain = schema.takes_text(tuple(path))
        if not equals or "" in path or len(path) > _DEEPEST:
            problems.append(Finding("", f"--set {dotted_path[:60]}: expected path=value, such as storage.size=20Gi"))
        elif is_plain and text.isprintable() and (document.problems or isinstance(document.value, (dict, list))):
            _assign(value, path, text)  # such as [fd00::1]:9000
            paths.append(".".join(path))
        elif document.problems:
            problems.append(Finding(dotted_path, f"--set: {document.problems[0].text}"))
        else:
            _assign(value, path, document.value)
            paths.append(".".join(path))
    return paths, problems


def _assign(value: dict[str, Any], path: list[str], leaf: object) -> None:
    """Parents that are no block are replaced by one, since the override wins."""
    if path[:2] in (["tuning", "parameters"], ["advanced", "options"]) and len(path) > 3:
        path = [*path[:2], ".".join(path[2:])]
    for part in path[:-1]:
        if not isinstance(value.get(part), dict):
            value[part] = {}
        value = value[part]
    value[path[-1]] = leaf


# ---- validation ----------------------------------------------------------------------------------------------------


def _validate(value: dict[str, Any]) -> tuple[Answers | None, list[Finding], frozenset[_Path]]:
    """The answers, their problems, and the hidden paths. Invalid values are left out until the others are valid."""
    problems: list[Finding] = []
    hidden_paths: set[_Path] = set()
    for _ in range(4):  # leaving out one part of a union can uncover what another part lacks
        try:
            return Answers.model_validate(value), problems, frozenset(hidden_paths)
        except ValidationError as error:
            details = error.errors(include_url=False)
        path_details = [(_locate(detail), detail) for detail in details]
        questions = {problem.question for problem in problems}
        new = [_problem(path, section, detail) for (path, section), detail in path_details]
        hidden_paths |= {
            path
            for ((path, _), detail), problem in zip(path_details, new, strict=True)
            if _hides_value(detail, problem.text)
        }
        problems += [problem for problem in new if problem.question not in questions]
        value = _without(value, [path for (path, _), _ in path_details])
    return None, problems, frozenset(hidden_paths)


def _hides_value(detail: ErrorDetails, message: str) -> bool:
    """Whether a message leaves out the value that it is about. A value under an unknown key is always left out."""
    value = detail["input"]
    if detail["type"] == "missing":
        return False
    return (
        detail["loc"][-1:] in ((), ("[key]",))
        or isinstance(value, dict)
        or (isinstance(value, str) and value not in message)
    )


def _without(value: dict[str, Any], paths: list[_Path]) -> dict[str, Any]:
    """A copy without these paths; where a required key is missing, without its block."""
    copy = _copy(value)
    for path in paths:
        node: Any = copy
        *parents, last = path or ("",)
        for part in parents:
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict) and last in node:
            del node[last]
        elif parents and node is not None:  # else the block went with another of its keys
            copy = _without(copy, [tuple(parents)])
    return copy


def _copy(node: dict[str, Any]) -> dict[str, Any]:
    return {key: _copy(item) if isinstance(item, dict) else item for key, item in node.items()}


def _locate(detail: ErrorDetails) -> tuple[_Path, type[Section] | None]:
    """The path as the file spells it, and the section that the last key belongs to.

    pydantic puts the name of the chosen alternative into its path; it is none of the file's keys.
    """
    path: list[str | int] = []
    sections: list[type[Section]] = [Answers]
    owner: type[Section] | None = Answers
    for part in detail["loc"]:
        if part == "[key]":
            break
        if len(sections) > 1:
            sections = [section for section in sections if part in _tags(section)]
            continue
        owner = sections[0] if sections else None
        path.append(part)
        sections = _sections_at(owner, part)
    return tuple(path), owner


def _sections_at(owner: type[Section] | None, key: str | int) -> list[type[Section]]:
    if owner is None:
        return []
    for field_ in owner.model_fields.values():
        if field_.alias == key:
            return sections_in(field_.annotation)
    return []


def _tags(section: type[Section]) -> tuple[Any, ...]:
    tag = section.model_fields.get("source") or section.model_fields.get("type")
    return get_args(tag.annotation) if tag else ()


# ---- words ---------------------------------------------------------------------------------------------------------

_TYPE_TEXTS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "dict_type": "a block of name: value",
    "list_type": "a list",
    "model_type": "a block of keys",
    "model_attributes_type": "a block of keys",
}


_BOUND = {
    "greater_than_equal": "expected {ge:,} or more, found {found}",
    "less_than_equal": "expected {le:,} or less, found {found}",
    "string_too_short": "expected {min_length} characters or more",
    "string_too_long": "expected {max_length} characters or fewer",
}


def _problem(path: _Path, section: type[Section] | None, detail: ErrorDetails) -> Finding:
    return Finding(".".join(map(str, path)), _message(path, section, detail))


def _message(path: _Path, section: type[Section] | None, detail: ErrorDetails) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        keys = [str(item.alias) for item in section.model_fields.values()] if section else []
        return f"is not known{_suggestion(str(path[-1]), keys)}"
    if kind == "missing":
        return "is required"
    if kind in _TYPE_TEXTS:
        quotes = ": put it in quotes" if kind == "string_type" and isinstance(value, (bool, int, float)) else ""
        actual = "text" if isinstance(value, str) else _describe(value)  # it may be a secret: not echoed
        return f"expected {_TYPE_TEXTS[kind]}, found {actual}{quotes}"
    if kind in ("literal_error", "union_tag_invalid"):
        choices = re.findall(r"'([^']*)'", str(context.get("expected") or context["expected_tags"]))
        choice = value[_tag_key(context)] if "tag" in context else value  # pydantic turns the tag into text
        return f"expected one of {', '.join(choices)}, found {_describe(choice)}{_guess(choice, choices)}"
    if kind == "union_tag_not_found":
        key = _tag_key(context)
        choices = [tag for each in _sections_at(section, path[-1]) for tag in _tags(each)]
        return f"{key}: is required; expected one of {', '.join(choices)}"
    if kind in _BOUND:
        is_empty = kind == "string_too_short" and context["min_length"] == 1
        return "is empty" if is_empty else _BOUND[kind].format(**context, found=_describe(value))
    if kind == "value_error":
        return str(context["error"])
    return detail["msg"][0].lower() + detail["msg"][1:]


def _tag_key(context: dict[str, Any]) -> str:
    """``from`` or ``type``."""
    key: str = re.findall(r"\w+", str(context["discriminator"]))[-1]
    return key.replace("source", "from")


def _suggestion(word: str, choices: list[str]) -> str:
    return _guess(word, choices) or (f"; expected one of {', '.join(choices)}" if choices else "")


def _guess(word: object, choices: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(str(word).lower(), [choice.lower() for choice in choices], 1, 0.6)
    matches = [choice for choice in choices if close and choice.lower() == close[0]]
    return f": did you mean {matches[0]}?" if matches else ""


def _describe(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"text {value!r}" if len(value) <= 60 else "a long text"
    return {type(None): "nothing", list: "a list"}.get(type(value), "a block of keys")
