"""The question models by path: pages, fields, labels, and the alternatives of a union. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pgwizard.answers.questions import Answers, Page, Section, question_of, sections_in

QuestionPath = tuple[str, ...]
NOTHING = "null"
SOME = "given"


# ---- the models by path --------------------------------------------------------------------------------------------


def pages() -> list[str]:
    """The pages that have questions, in order."""
    return list(dict.fromkeys(page for page, _ in _sections()))


def sections_of(page: str) -> list[str]:
    """The sections of a page, in order."""
    return [section for title, section in _sections() if title == page]


def page_of(path: str) -> str:
    """The page that a dotted path belongs to; the first one where it belongs to none."""
    section = path.partition(".")[0]
    return next((page for page, name in _sections() if name == section), pages()[0])


def _sections() -> Iterator[tuple[str, str]]:
    for field in Answers.model_fields.values():
        page = next(item.title for item in field.metadata if isinstance(item, Page))
        yield page, str(field.alias)


def field_at(path: QuestionPath, choice_of: Any) -> FieldInfo | None:
    """The field of a path. choice_of: path -> tag of the chosen alternative."""
    owner: type[BaseModel] = Answers
    field: FieldInfo | None = None
    for depth, key in enumerate(path, start=1):
        field = next((item for item in owner.model_fields.values() if item.alias == key), None)
        if field is None:
            return None
        sections = sections_in(field.annotation)
        if depth == len(path) or not sections:
            break
        tag = choice_of(path[:depth])
        owner = next((section for section in sections if tag in tags_of(section)), sections[0])
    return field


def label_at(path: QuestionPath, choice_of: Any = lambda _: "") -> tuple[str, QuestionPath]:
    """The label of a question and its page; for the tag of an alternative, those of the whole block.

    choice_of: as for ``field_at``.
    """
    for end in range(len(path), 0, -1):
        field = field_at(path[:end], choice_of)
        ask = question_of(field.metadata) if field else None
        if ask:
            return ask.label, path[:end]
    return path[-1].capitalize(), path


def entry_of(path: QuestionPath, dotted_path: str) -> str | None:
    """The entry of a map or list question that a dotted path is about; None where it is about another question.

    Of a map it is the key, which may have dots of its own; of a list ``entry 2``.
    """
    parent = ".".join(path) + "."
    field = field_at(path, lambda _: "") if dotted_path.startswith(parent) else None
    kind = get_origin(field.annotation) if field else None
    entry = dotted_path.removeprefix(parent)
    if kind is list and entry.isdecimal():
        return f"entry {int(entry) + 1}"
    return entry if kind is dict else None


def takes_text(path: QuestionPath) -> bool:
    """Whether the answer is one text, or an entry of a map, whose values are texts."""
    field = field_at(path, lambda _: "")
    kind = get_origin(field.annotation) if field else list
    if field is None or kind is list:
        return False
    if kind is dict:
        return field_at(path[:-1], lambda _: "") is field
    return field.annotation is str or any(part is str or str in get_args(part) for part in get_args(field.annotation))


def alternatives(path: QuestionPath) -> list[type[Section]]:
    """The sections that a path can be answered with; empty where it is a plain question."""
    field = field_at(path, lambda _: "")
    return sections_in(field.annotation) if field else []


def is_union(path: QuestionPath) -> bool:
    """Whether one of several shapes, or none, is to be chosen at a path."""
    field = field_at(path, lambda _: "")
    return field is not None and (len(sections_in(field.annotation)) > 1 or is_optional(field))


def is_optional(field: FieldInfo) -> bool:
    """Whether null is an answer."""
    annotation = field.annotation
    return any(part is type(None) or type(None) in get_args(part) for part in get_args(annotation))


def tag_key(path: QuestionPath) -> str | None:
    """``from`` or ``type``: the key that names the alternative; None where there is nothing to name."""
    sections = alternatives(path)
    if len(sections) < 2:
        return None
    name = "source" if "source" in sections[0].model_fields else "type"
    return str(sections[0].model_fields[name].alias)


def tags_of(section: type[BaseModel]) -> tuple[str, ...]:
    """How a section is named among alternatives."""
    tag = section.model_fields.get("source") or section.model_fields.get("type")
    return tuple(map(str, get_args(tag.annotation))) if tag else (SOME,)
