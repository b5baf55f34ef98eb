"""A Helm chart from the templates and a plan. Pure: texts by their path in the chart's folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pgwizard import __version__
from pgwizard.answers.reference import comment, yaml_value
from pgwizard.export.translate import TemplateKind, Terms, translate
from pgwizard.export.values import CONFIGURATIONS, SCRIPTS, VALUES, label_lists, terms
from pgwizard.export.values_schema import values_schema
from pgwizard.plan.manifests import BARE_VALUE, ORDER, SECRETS_TO_CREATE, script, templates_dir
from pgwizard.plan.plan import Plan

LEFT_OUT: Final = SECRETS_TO_CREATE | {"namespace"}
"""The roles that the chart has no template of: Secrets whose values it must not hold, and what Helm itself creates."""
_QUOTED_BARE_VALUE = f"(?m)^([^ ]+ = )'({BARE_VALUE.pattern.replace('(', '(?:')})'(  # )"
"""A regular expression costs Helm more to compile than to run: one for the whole file."""
_CHECK = '{{- include "postgresql.check" $ -}}\n'
_VALUES_HEAD = """\
# Values of the chart that pgwizard exported. Secrets are never here: only the names of those that must exist.
"""
_CHECKSUM = "# Checksum of this file as it was exported; an export over an edited one needs --force: "


def chart(plan: Plan) -> dict[str, str]:
    """The files of the chart whose default values are the plan's, by their path.

    Raises Untranslatable where a template uses what Helm has no twin for.
    """
    folder, meaning = templates_dir(), terms()
    files = {
        "Chart.yaml": _chart_yaml(plan),
        ".helmignore": ".git/\n*.orig\n*.tmp\n",
        "README.md": _own_file("README.md"),
        "values.yaml": values_yaml(plan),
        "values.schema.json": json.dumps(values_schema(), indent=2) + "\n",
        "templates/_helpers.tpl": _helpers(folder, meaning),
        "templates/NOTES.txt": _own_file("NOTES.txt"),
        "templates/tests/connection.yaml": _own_file("connection.yaml"),
    }
    for role in ORDER:
        if role not in LEFT_OUT:
            name = f"{role}.yaml"
            text = translate((folder / name).read_text(encoding="utf-8"), name, meaning)
            files[f"templates/{name}"] = f"{_CHECK}{text}" if role == "statefulset" else text
    for name in SCRIPTS:
        files[f"files/{name}"] = script(name)
    return files


def _own_file(name: str) -> str:
    return (Path(__file__).parent / "files" / name).read_text(encoding="utf-8")


def _chart_yaml(plan: Plan) -> str:
    version = next(pair.value for pair in plan.labels if pair.name == "app.kubernetes.io/version")
    return f"""\
apiVersion: v2
name: postgresql
description: PostgreSQL whose pgBackRest backups go to an S3 bucket
type: application
version: {json.dumps(__version__)}
appVersion: {json.dumps(version)}
kubeVersion: ">=1.30.0-0"
"""


def _helpers(folder: Path, meaning: Terms) -> str:
    parts = [
        _own_file("helpers.tpl").replace("QUOTED_BARE_VALUE", json.dumps(_QUOTED_BARE_VALUE)),
        *(f'{{{{- define "postgresql.own.{name}" -}}}}\n{text}\n{{{{- end }}}}\n' for name, text in label_lists()),
        *(_configuration(folder, name, meaning) for name in CONFIGURATIONS),
    ]
    return "\n".join(parts)


def _configuration(folder: Path, name: TemplateKind, meaning: Terms) -> str:
    """A configuration file as a helper. The text ends before the last action, so that its line break remains."""
    text = translate((folder / "files" / name).read_text(encoding="utf-8"), f"files/{name}", meaning, name)
    helper = f"quoted.{name}" if name == "postgresql.conf" else name
    return f'{{{{- define "postgresql.{helper}" -}}}}\n{text}{{{{ end }}}}\n'


# ---- values --------------------------------------------------------------------------------------------------------


def values(plan: Plan) -> dict[str, Any]:
    """The chart's values for a plan."""
    tree: dict[str, Any] = {}
    for value in VALUES:
        *sections, key = value.path.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value.of(plan)
    return tree


def values_yaml(plan: Plan) -> str:
    """The same as a commented file, with the checksum by which ``is_edited`` knows it."""
    text = "\n".join([_VALUES_HEAD, *_comments(plan)]) + "\n"
    return f"{text}\n{_CHECKSUM}{_checksum(text)}\n"


def is_edited(text: str) -> bool:
    """Whether a file of values is not as it was exported."""
    body, mark, checksum = text.rpartition(f"\n{_CHECKSUM}")
    return not mark or checksum.strip() != _checksum(body)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _comments(plan: Plan) -> Iterator[str]:
    before: list[str] = []
    for value in VALUES:
        *sections, key = value.path.split(".")
        for depth, section in enumerate(sections):
            if before[: depth + 1] != sections[: depth + 1]:
                if depth == 0 and before:
                    yield ""
                yield f"{'  ' * depth}{section}:"
                before = sections[: depth + 1]
        before, indent = sections, "  " * len(sections)
        yield from comment(value.about, indent) if value.about else ()
        yield from _entry(key, value.of(plan), indent)


def _entry(key: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        yield f"{indent}{key}:"
        for item in value:
            yield from (
                f"{indent}  {'- ' if not place else '  '}{name}: {json.dumps(item[name], ensure_ascii=False)}"
                for place, name in enumerate(item)
            )
    elif isinstance(value, str) and "\n" in value:
        yield f"{indent}{key}: |"
        yield from (f"{indent}  {line}" for line in value.splitlines())
    elif isinstance(value, (dict, list)):
        yield f"{indent}{key}: {json.dumps(value, ensure_ascii=False)}"
    else:
        yield f"{indent}{key}: {yaml_value(value)}"
