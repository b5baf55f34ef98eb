"""An answer as a line of text: how it is shown in an input, and the value of what is typed there.

Pure. It does not validate: what fits no type stays text, to be called wrong by the models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

from pgwizard.answers import strict_yaml
from pgwizard.answers.schema import is_optional
from pgwizard.plan.pgbackrest import is_secret

ESCAPED_SEMICOLON = r"\;"
"""A semicolon within a value; an unescaped one ends it."""


def write_text(value: Any) -> str:
    """A value as it is shown in an input."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        parts = [f"{name}={_quote(_scalar_text(item)).replace(';', ESCAPED_SEMICOLON)}" for name, item in value.items()]
        # a backslash must not precede the semicolon that ends its value
        return "; ".join(f"{part} " if part.endswith("\\") else part for part in parts)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def read_text(field: FieldInfo, text: str) -> Any:
    """The typed text as a value of the question's type; text that fits none stays text, which validation refuses."""
    annotation = field.annotation
    if text == "" and is_optional(field):
        return None
    origin = getattr(annotation, "__origin__", None)
    if origin is dict:
        return {
            name: _unquote(value) if _QUOTED_TEXT.fullmatch(value) else _scalar(value) for name, value in _pairs(text)
        }
    if origin is list:
        return [part.strip() for part in text.split(",") if part.strip()]
    if _takes_int(annotation) and re.fullmatch(r"-?[0-9]{1,18}", text.strip()):
        return int(text)
    return text


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """``name=value; name=value``, or with colons as in the file; a secret, which is refused, extends to the end."""
    while text := text.strip():
        part, *rest = re.split(r"(?<!\\);", text, maxsplit=1)
        name, *value = re.split("[=:]", part, maxsplit=1)
        if is_secret(name):
            value, rest = re.split("[=:]", text, maxsplit=1)[1:], []
        if part.strip():
            yield name.strip(), "".join(value).strip().replace(ESCAPED_SEMICOLON, ";")
        text = "".join(rest)


_QUOTED_TEXT = re.compile(r"'(?:[^']|'')*'")


def _quote(text: str) -> str:
    """In quotes where blanks at its ends belong to it, or where it would be taken for a text in quotes."""
    needs_quotes = text != text.strip() or _QUOTED_TEXT.fullmatch(text)
    return "'" + text.replace("'", "''") + "'" if needs_quotes else text


def _unquote(text: str) -> str:
    """A text in quotes, as postgresql.conf has it, without them."""
    return text[1:-1].replace("''", "'")


def _scalar_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _scalar(text: str) -> Any:
    """As the file would be read, so that both give the same: ``true`` is no text, nor is a number; null is no value."""
    value = strict_yaml.scalar(text)
    return text if value is None else value


def _takes_int(annotation: Any) -> bool:
    return annotation is int or any(_takes_int(part) for part in get_args(annotation) if not isinstance(part, str))
