"""Answers while a person edits them: as entered, as a model with defaults, and their problems so far.

The same validation and the same checks as for a file, after every answer. Contains no secrets, widgets or files:
values in, text out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from pgwizard.answers import file as answers_file
from pgwizard.answers.questions import Answers, Section
from pgwizard.answers.reference import answers_text
from pgwizard.answers.schema import NOTHING, SOME, QuestionPath, entry_of, field_at, is_union, tag_key
from pgwizard.errors import Finding
from pgwizard.plan import pgbackrest
from pgwizard.plan.checks import check, together
from pgwizard.plan.plan import Facts

STEPS = 100
"""The number of answers that can be undone."""


@dataclass
class Draft:
    """raw: the answers that were given, as nested dicts in the file's spelling; what is not in it is a default.

    answers: what raw comes to, with defaults in place of invalid ones. problems and warnings carry dotted paths.
    """

    raw: dict[str, Any] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    answers: Answers = field(init=False)
    problems: tuple[Finding, ...] = field(init=False, default=())
    warnings: tuple[Finding, ...] = field(init=False, default=())
    cluster_warnings: tuple[Finding, ...] = field(init=False, default=())
    _cluster_errors: tuple[Finding, ...] = field(init=False, default=())
    _shelf: dict[tuple[QuestionPath, str], dict[str, Any]] = field(init=False, default_factory=dict)
    _before: list[tuple[QuestionPath, dict[str, Any]]] = field(init=False, default_factory=list)
    """The answered question, and raw before it; typing into one question is one step."""

    def __post_init__(self) -> None:
        # A copy: it may belong to a record, which must not change. An empty section has no answer.
        self.raw = {section: deepcopy(answers) for section, answers in self.raw.items() if answers is not None}
        self.answers = Answers()
        self.evaluate()

    def give(self, path: QuestionPath, value: object) -> None:
        """Answer one question; an answer equal to the default is dropped."""
        self._remember(path)
        self._give(path, value)

    def adopt(self, path: QuestionPath, value: object) -> None:
        """Answer one question on a person's behalf: neither this step nor an earlier one can be undone."""
        self._before.clear()
        self._give(path, value)

    def _give(self, path: QuestionPath, value: object) -> None:
        node, within = self.raw, False
        for depth, key in enumerate(path[:-1], start=1):
            inner = node.get(key)
            within = within or is_union(path[:depth])
            if not isinstance(inner, dict):
                inner = self._empty_block(path[:depth])
            node[key] = inner
            node = inner
        node[path[-1]] = value
        if not within and value == _at(_dump(Answers()), path):
            self._forget(path)
        self.evaluate()

    def choose(self, path: QuestionPath, tag: str) -> None:
        """Take another alternative of a union, or ``NOTHING``; its earlier answers come back."""
        self._remember(path)
        before = self.tag(path)
        current = _at(self.raw, path, None)
        if isinstance(current, dict):
            self._shelf[path, before] = current
        key = tag_key(path)
        fresh = self._shelf.get((path, tag)) or ({key: tag} if key else {})
        self._give(path, None if tag == NOTHING else fresh)

    def tag(self, path: QuestionPath) -> str:
        """The tag of the chosen alternative: ``from`` or ``type``; ``SOME`` or ``NOTHING`` of an optional one."""
        current = _at(self.raw, path, _ABSENT)
        if current is _ABSENT:
            current = _at(_dump(Answers()), path, None)
        if current is None:
            return NOTHING
        return str(current.get(tag_key(path) or "", SOME)) if isinstance(current, dict) else NOTHING

    def forget(self, path: QuestionPath) -> None:
        """Back to the default; a block that becomes empty is dropped too."""
        self._remember(path)
        self._forget(path)
        self.evaluate()

    def _forget(self, path: QuestionPath) -> None:
        *parents, last = path
        nodes = [self.raw]
        for key in parents:
            inner = nodes[-1].get(key)
            if not isinstance(inner, dict):
                break
            nodes.append(inner)
        else:
            nodes[-1].pop(last, None)
            for node, key in zip(reversed(nodes[:-1]), reversed(parents), strict=True):
                if node[key] == {}:
                    del node[key]

    def _remember(self, path: QuestionPath) -> None:
        if not self._before or self._before[-1][0] != path:
            self._before.append((path, deepcopy(self.raw)))
            del self._before[:-STEPS]

    def undo(self) -> QuestionPath | None:
        """Undo the last answer. Returns its question; None if there is nothing to undo."""
        while self._before:
            path, raw = self._before.pop()
            if raw != self.raw:
                self.raw = raw
                self._shelf.clear()  # an undone answer must not return with another alternative
                self.evaluate()
                return path
        return None

    def value(self, path: QuestionPath) -> Any:
        """The current answer to a question, valid or not, else its default."""
        answer = _at(self.raw, path)
        if answer is not _ABSENT:
            return answer
        value = _at(_dump(self.answers), path)
        if value is not _ABSENT:
            return value
        fields = field_at(path, self.tag)
        return fields.get_default(call_default_factory=True) if fields and not fields.is_required() else ""

    def learn(
        self, facts: Facts, cluster_errors: tuple[Finding, ...] = (), cluster_warnings: tuple[Finding, ...] = ()
    ) -> None:
        """Store the cluster's facts about the answers, and check again."""
        self.facts, self._cluster_errors, self.cluster_warnings = facts, cluster_errors, cluster_warnings
        self.evaluate()

    def evaluate(self) -> None:
        loaded_answers = answers_file.from_mapping(self.raw)
        problems = list(loaded_answers.problems)
        if loaded_answers.answers is not None:
            self.answers = loaded_answers.answers
            findings = check(self.answers, self.facts)
            errors = together(self._cluster_errors, findings.errors)
            problems += [problem for problem in errors if loaded_answers.about_right_answers(problem)]
            self.warnings = (*self.cluster_warnings, *findings.warnings)
        self.problems = tuple(problems)

    def problem_of(self, path: QuestionPath) -> str:
        """The first problem of a question, or of an entry of it, which is named; empty where there is none."""
        return _first_text(self.problems, path)

    def warning_of(self, path: QuestionPath) -> str:
        """The first warning about a question; empty if there is none."""
        return _first_text(self.warnings, path)

    def text(self) -> str:
        """The answers as a file: what differs from the defaults, references only."""
        safe = without_secrets(self.raw)
        return ("" if safe == self.raw else _LEFT_OUT) + answers_text(safe)

    def rows(self) -> Iterator[tuple[QuestionPath, Any, Any]]:
        """Every question that applies, as (path, answer, default), in the order of the pages; fit to be shown."""
        defaults = _dump(Answers())
        for path, value in self._leaves(self.answers, ()):
            printable = value
            if path == _OPTIONS:
                printable = {name: "***" if pgbackrest.is_secret(name) else text for name, text in value.items()}
            yield path, printable, _at(defaults, path, None)

    def _leaves(self, section: BaseModel, path: QuestionPath) -> Iterator[tuple[QuestionPath, Any]]:
        for name, info in type(section).model_fields.items():
            value, here = getattr(section, name), (*path, str(info.alias))
            key, tag = tag_key(here), self.tag(here)
            if key and tag != (_dump(value)[key] if isinstance(value, Section) else NOTHING):
                # Invalid so far: value is the default, whose questions do not belong to the chosen alternative.
                yield (*here, key), None if tag == NOTHING else tag
            elif isinstance(value, Section):
                yield from self._leaves(value, here)
            else:
                yield here, value

    def non_defaults(self) -> Iterator[QuestionPath]:
        """The questions that were answered with anything but their default."""
        for path, value, default in self.rows():
            if value != default:
                yield path

    def _empty_block(self, path: QuestionPath) -> dict[str, Any]:
        """An empty block; of a union, with the tag that says which alternative it is."""
        key = tag_key(path)
        return {key: self.tag(path)} if key else {}


def _first_text(findings: Iterable[Finding], path: QuestionPath) -> str:
    entries = []
    for finding in findings:
        if finding.question == ".".join(path):
            return finding.text
        if (entry := entry_of(path, finding.question)) is not None:
            entries.append(f"{entry}: {finding.text}")
    more = f" · and {len(entries) - 1} more" if len(entries) > 1 else ""
    return f"{entries[0]}{more}" if entries else ""


def without_defaults(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Complete answers, as in a release's record, reduced to those that differ from the defaults."""
    return _differing(raw, dump(Answers()), ())


def dump(answers: Answers) -> dict[str, Any]:
    """Complete answers, as nested keys of the file."""
    return answers.model_dump(by_alias=True, mode="json")


def _differing(node: Mapping[str, Any], default: Mapping[str, Any], path: QuestionPath) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for key, item in node.items():
        here, usual = (*path, str(key)), default.get(key, _ABSENT)
        if item == usual:
            continue
        inside = isinstance(item, dict) and isinstance(usual, dict) and not is_union(here)
        changes[key] = _differing(item, usual, here) if inside else item
    return changes


def worth_keeping(raw: Mapping[str, Any]) -> bool:
    """Whether the answers are worth a draft: a chosen namespace alone is not."""
    release = raw.get("release")
    more = set(release) - {"namespace"} if isinstance(release, Mapping) else release is not None
    return bool(set(raw) - {"release"} or more)


# ---- no secrets ----------------------------------------------------------------------------------------------------

_OPTIONS: QuestionPath = ("advanced", "options")
_LEFT_OUT = "# What may be a secret was left out: secrets come from Secrets, variables or files, never from here.\n"


def without_secrets(raw: dict[str, Any]) -> dict[str, Any]:
    """A copy to save or to show: without secret options, and without invalid values that messages must not repeat."""
    loaded_answers = answers_file.from_mapping(raw)
    return _fit(raw, (), loaded_answers.hidden_paths) if loaded_answers.answers is not None else {}


def _fit(node: dict[str, Any], path: tuple[Any, ...], hidden_paths: frozenset[tuple[Any, ...]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, item in node.items():
        here = (*path, key)
        if here in hidden_paths or (path == _OPTIONS and pgbackrest.is_secret(str(key))):
            continue
        fit = _fit(item, here, hidden_paths) if isinstance(item, dict) else item
        if fit != {} or item == {}:  # a block of secrets only is dropped with them
            values[key] = fit
    return values


# ---- nested values -------------------------------------------------------------------------------------------------

_ABSENT: Any = object()


def _at(node: Any, path: QuestionPath, absent: Any = _ABSENT) -> Any:
    for key in path:
        if not isinstance(node, dict) or key not in node:
            return absent
        node = node[key]
    return node


def _dump(section: BaseModel) -> dict[str, Any]:
    return section.model_dump(by_alias=True)
