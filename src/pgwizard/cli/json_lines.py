"""The lines of ``--json``: one dataclass per type, their JSON, and the JSON schema of that. Pure.

Keys are the fields' names in camel case and are always there; null is "none" or "not known". Times are ISO 8601 in UTC,
sizes are bytes. The schema is read from the same annotations as the lines, so the two cannot differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

from pgwizard.errors import Finding, PgwizardError

API_VERSION = "pgwizard/v1"
"""Changes when a key changes its meaning or is removed. New keys and types do not change it."""


class JsonLine:
    """One line. type_name: what ``type`` says."""

    type_name: ClassVar[str]


@dataclass(frozen=True, slots=True)
class ProblemPart:
    """One problem. path: the question that it is about; line, column: its place in the file of answers, from 1.

    key: explained by ``pgwizard explain``, empty where no message is about it.
    """

    path: str
    message: str
    fix: str
    line: int | None
    column: int | None
    key: str

    @classmethod
    def of(cls, finding: Finding) -> Self:
        message = ": ".join(filter(None, (finding.text, finding.cause)))
        return cls(finding.question, message, finding.fix, finding.line, finding.column, finding.key)


@dataclass(frozen=True, slots=True)
class ErrorLine(JsonLine):
    """Why a run failed; the last line on standard error. problems: one by one. log: the end of a log.

    key, cause, fix: of the fault, if it is known; explained by ``pgwizard explain``. hint: what to do otherwise.
    """

    type_name = "error"
    error: str
    exit_code: int
    problems: tuple[ProblemPart, ...]
    log: tuple[str, ...]
    key: str
    cause: str
    fix: str
    hint: str


@dataclass(frozen=True, slots=True)
class WarningLine(ProblemPart, JsonLine):
    """A problem of the answers that does not stop the run, on standard error. Its keys are those of a problem."""

    type_name = "warning"


@dataclass(frozen=True, slots=True)
class NoteLine(JsonLine):
    """A remark on standard error."""

    type_name = "note"
    text: str


# ---- JSON ----------------------------------------------------------------------------------------------------------


def line_of(record: JsonLine) -> str:
    """One line of JSON in ASCII, with its end."""
    return json.dumps({"apiVersion": API_VERSION, "type": record.type_name, **as_json(record)}) + "\n"


def error_line(error: PgwizardError) -> ErrorLine:
    fault = error.fault or Finding()
    problems = tuple(map(ProblemPart.of, error.findings))
    return ErrorLine(error.message, error.exit_code, problems, error.log, fault.key, fault.cause, fault.fix, error.hint)


def explain_command(key: str) -> str:
    """The command that shows the message of a key in full."""
    return f"pgwizard explain docs/errors.md#{key}"


def as_json(value: Any) -> Any:
    """A value in JSON's own types. ``raw`` names are for requests and are left out."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [as_json(item) for item in value]
    if not is_dataclass(value):
        return value
    return {_camel(item.name): as_json(getattr(value, item.name)) for item in fields(value) if item.name != "raw"}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


# ---- schema --------------------------------------------------------------------------------------------------------


def schema_of(lines: Sequence[type[JsonLine]]) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of one line, whichever type it is."""
    parts: dict[str, Any] = {}
    for line in lines:
        _object(line, parts, {"apiVersion": {"const": API_VERSION}, "type": {"const": line.type_name}})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of pgwizard --json",
        "oneOf": [{"$ref": f"#/$defs/{line.__name__}"} for line in lines],
        "$defs": parts,
    }


def _object(kind: type, parts: dict[str, Any], first: Mapping[str, Any]) -> None:
    parts[kind.__name__] = {}  # its place, before those that it needs
    hints = get_type_hints(kind)
    properties = {
        **first,
        **{_camel(item.name): _schema(hints[item.name], parts) for item in fields(kind) if item.name != "raw"},
    }
    parts[kind.__name__] = {
        "description": " ".join((kind.__doc__ or "").split()),
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}


def _schema(hint: Any, parts: dict[str, Any]) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(part, parts) for part in inner]}
    if origin in (tuple, list):
        return {"type": "array", "items": _schema(inner[0], parts)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(inner[1], parts)}
    if is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in parts:
            _object(hint, parts, {})
        return {"$ref": f"#/$defs/{hint.__name__}"}
    raise TypeError(f"{hint} has no JSON")
