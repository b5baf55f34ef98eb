"""What the questions look like on paper: the commented file, the JSON schema, the table of the documentation.

All of it is derived from the models; a question is never listed here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pgwizard.answers.questions import Answers, Section, question_of, sections_in
from pgwizard.answers.strict_yaml import is_plain_text

_HEAD = """\
# Answers of pgwizard. Every value below is its default: keep what you change, delete the rest.
# Secrets are never in this file, only where they come from. Check and render: pgwizard render THIS-FILE
# An editor's YAML plug-in completes and checks it with: pgwizard schema > answers.schema.json
# yaml-language-server: $schema=./answers.schema.json
"""
_WIDTH = 116


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a file of answers."""
    node = _with_refused_keys(Answers.model_json_schema(by_alias=True))
    node["title"] = "Answers of pgwizard"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **node}


def _with_refused_keys(node: Any) -> Any:
    """With maps that refuse every key that matches no pattern; pydantic's accept it with any value.

    ``propertyNames`` would do, but Helm's validator reports its errors at another place.
    """
    if isinstance(node, list):
        return [_with_refused_keys(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {key: _with_refused_keys(item) for key, item in node.items()}
    if "patternProperties" in copy:
        excluded_names = copy.get("propertyNames", {}).pop("not", None)
        copy["patternProperties"] |= {excluded_names["pattern"]: False} if excluded_names else {}
        copy["additionalProperties"] = False
    return copy


def commented_answers() -> str:
    """A file of answers with every default, each question above its answer, alternatives as comments."""
    blocks = [_HEAD]
    for name, field in Answers.model_fields.items():
        default = getattr(Answers(), name)
        ask = question_of(field.metadata)
        title = ask.help if ask else _first_line(type(default))
        lines = [*comment(title, ""), f"{field.alias}:", *_answers(default, "  ")]
        blocks.append("\n".join([*lines, *_alternatives(field, type(default), "")]) + "\n")
    return "\n".join(blocks)


def _answers(section: BaseModel, indent: str) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        ask = question_of(field.metadata)
        if ask:
            yield from comment(f"{ask.label}: {ask.help}{_choices(field)}", indent)
        if isinstance(value, Section):
            yield f"{indent}{field.alias}:"
            yield from _answers(value, indent + "  ")
        else:
            yield f"{indent}{field.alias}: {_default_value(value)}"
        yield from _alternatives(field, type(value), indent)


def _alternatives(field: FieldInfo, default: type, indent: str) -> Iterator[str]:
    """The other shapes of a union, as comments that become answers once uncommented."""
    for section in sections_in(field.annotation):
        if section is default:
            continue
        yield f"{indent}# or: {_first_line(section)}"
        yield f"{indent}# {field.alias}:"
        for inner in section.model_fields.values():
            value = _example(inner)
            yield f"{indent}#   {inner.alias}: {value}"


def _example(field: FieldInfo) -> str:
    """An answer to show: the default, the only choice, or a placeholder in upper case."""
    literal = _literal(field)
    if literal:
        return str(literal[0])
    if field.default is PydanticUndefined:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(field.alias)).upper()
    return yaml_value(field.default)


def yaml_value(value: object) -> str:
    """A value as a person writes it in YAML: bare where it reads back the same, else in quotes."""
    if isinstance(value, str):
        bare = re.fullmatch(r"[A-Za-z0-9/][-A-Za-z0-9_./]*(:[A-Za-z0-9][-A-Za-z0-9_./]*)*", value)
        return value if bare and is_plain_text(value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _default_value(value: object) -> str:
    """A CPU share is written as the number that people think of; it is taken as its text."""
    return value if isinstance(value, str) and value.isdigit() else yaml_value(value)


def answers_text(value: dict[str, Any]) -> str:
    """Answers as the text of a file, without comments; an empty text means every default."""
    if not value:
        return "{}\n"
    return "\n".join(_block(value, "")) + "\n"


def _block(value: dict[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield f"{indent}{yaml_value(key)}:"
            yield from _block(item, indent + "  ")
        elif isinstance(item, list):
            yield f"{indent}{yaml_value(key)}: [{', '.join(map(yaml_value, item))}]"
        else:
            yield f"{indent}{yaml_value(key)}: {yaml_value(item)}"


def comment(text: str, indent: str) -> Iterator[str]:
    line = f"{indent}#"
    for word in text.split():
        if len(line) + len(word) + 1 > _WIDTH:
            yield line
            line = f"{indent}#"
        line += f" {word}"
    yield line


def _first_line(section: type) -> str:
    return (section.__doc__ or "").strip().splitlines()[0]


def _literal(field: FieldInfo) -> tuple[Any, ...]:
    """The choices of a closed question; empty for an open one."""
    choices = get_args(field.annotation)
    return choices if choices and all(isinstance(choice, str) for choice in choices) else ()


def _choices(field: FieldInfo) -> str:
    literal = _literal(field)
    return f" One of {', '.join(literal)}." if len(literal) > 1 else ""


# ---- documentation -------------------------------------------------------------------------------------------------


def documentation() -> str:
    """docs/answers.md: one table a section, one row a question."""
    lines = [
        "# Answers",
        "",
        "Generated from the models by `make docs`. `pgwizard init` prints the same as a commented file,",
        "`pgwizard schema` as a JSON schema. Defaults give the chart of the architecture document. Text that YAML",
        "would read as a number goes into quotes; `no`, `off` and `yes` are text (YAML 1.2). Anchors, aliases and tags",
        "are refused.",
        "",
    ]
    for name, field in Answers.model_fields.items():
        ask = question_of(field.metadata)
        default = getattr(Answers(), name)
        lines += [f"## {field.alias}", "", ask.help if ask else _first_line(type(default)), ""]
        sections = sections_in(field.annotation)
        for section in sections:
            if len(sections) > 1:
                default_mark = " (default)" if section is type(default) else ""
                lines += [f"**`{_tag(section)}`**{default_mark}: {_first_line(section)}", ""]
            lines += [*_table(section, ""), ""]
    return "\n".join([*lines, *_PARAMETERS])


_PARAMETERS = (
    "## Parameters of PostgreSQL",
    "",
    "The names and values in `tuning.parameters` are checked against pg_settings of PostgreSQL 15, 17 and 18. There is",
    "no table for another `images.postgresqlVersion`:",
    "",
    "| version | names | values |",
    "|---|---|---|",
    "| 13, 14 | not checked: a name that PostgreSQL 15 does not have is written as it is | by the rules of 15 |",
    "| 16 | refused where neither 15 nor 17 has it | by the rules of 15, or of 17 where only that has the name |",
    "",
    "So a value whose limits differ between the versions can be refused wrongly, or reach a server that does not",
    "start. A refusal by the table of another version names that version.",
    "",
)
"""What ``plan.settings`` does with a version; a test compares the versions."""


def _tag(section: type[Section]) -> str:
    name = "source" if "source" in section.model_fields else "type"
    tag = section.model_fields[name]
    return f"{tag.alias}: {_literal(tag)[0]}"


def _table(section: type[Section], prefix: str) -> Iterator[str]:
    rows = list(_rows(section, prefix))
    if rows:
        yield "| key | default | question |"
        yield "|---|---|---|"
        yield from rows
    else:
        yield "Nothing further to decide."


def _rows(section: type[Section], prefix: str) -> Iterator[str]:
    for field in section.model_fields.values():
        ask = question_of(field.metadata)
        sections = sections_in(field.annotation)
        if ask and not (field.default_factory and sections):
            default = (
                "required" if field.is_required() else f"`{yaml_value(field.get_default(call_default_factory=True))}`"
            )
            text = f"{ask.help}{_choices(field)}".replace("|", "\\|")
            yield f"| `{prefix}{field.alias}` | {default} | {text} |"
        for inner in sections:
            if len(sections) > 1:
                yield f"| `{prefix}{field.alias}` | | with `{_tag(inner)}`: {_first_line(inner)} |"
            yield from _rows(inner, f"{prefix}{field.alias}.")


def pages() -> dict[str, str]:
    """The generated pages of the documentation, by file name."""
    return {"answers.md": documentation()}
