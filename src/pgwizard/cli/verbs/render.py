"""``render``: the manifests of a file of answers, without a cluster."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pgwizard.cli.export_files import write_export
from pgwizard.cli.json_lines import JsonLine, NoteLine, WarningLine, line_of
from pgwizard.cli.options import Invocation
from pgwizard.cli.source import resolve_plan, source_of
from pgwizard.cli.table import EXPORT_FOLDER, FORCE, FORMAT, JSON, OUTPUT_FOLDER, VALUES_ONLY
from pgwizard.cli.writer import Writer
from pgwizard.errors import Finding, UsageError
from pgwizard.export.prerequisites import secrets_to_create, secrets_to_exist
from pgwizard.local.files import write_folder
from pgwizard.plan import manifests
from pgwizard.plan.plan import Plan

if TYPE_CHECKING:
    from pgwizard.export.folder import ExportFormat


@dataclass(frozen=True, slots=True)
class FilesLine(JsonLine):
    """The files that ``render -o`` wrote, in apply order."""

    type_name = "files"
    folder: str
    files: tuple[str, ...]


def render(call: Invocation, writer: Writer) -> None:
    """Print the manifests, or write them into a folder. Raises AnswersError and OutputError."""
    plan, warnings = resolve_plan(source_of(call))
    rendering = manifests.render(plan)
    folder = call[OUTPUT_FOLDER]
    if folder is not None:
        write_folder(folder, {manifest.file_name: manifest.text for manifest in rendering}, manifests.FILE_NAMES)
        _list_files(call, writer, folder, tuple(manifest.file_name for manifest in rendering))
    elif call[JSON]:  # a List, which kubectl reads, not a line of our own
        items = [manifest.object for manifest in rendering]
        writer.put(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2) + "\n")
    else:
        writer.put("---\n".join(manifest.text for manifest in rendering))
    _advise(plan, warnings, writer)


def export(call: Invocation, writer: Writer) -> None:
    """Write a folder for another tool, or print the chart's values. Raises AnswersError and OutputError."""
    from pgwizard.export.chart import values, values_yaml
    from pgwizard.export.folder import export_folder

    form = call[FORMAT]
    if form != "helm" and call[VALUES_ONLY]:
        raise UsageError(f"--values-only does not go with --format {form}: only a chart has values")
    folder = call[EXPORT_FOLDER]
    if folder is None and not call[VALUES_ONLY]:
        raise UsageError("-o DIR is missing", hint="Name the folder to write: pgwizard export answers.yaml -o chart.")
    plan, warnings = resolve_plan(source_of(call), needs_certificate=form != "helm")
    if folder is None:
        writer.put(json.dumps(values(plan), indent=2, ensure_ascii=False) + "\n" if call[JSON] else values_yaml(plan))
    else:
        files = export_folder(plan, cast("ExportFormat", form))
        write_export(folder, files.texts, files.replaceable, force=call[FORCE])
        _list_files(call, writer, folder, tuple(files.texts))
    _advise(plan, warnings, writer)
    for note in secrets_to_exist(plan):
        writer.note(f"note: {note}", NoteLine(note))


def _list_files(call: Invocation, writer: Writer, folder: str, names: tuple[str, ...]) -> None:
    lines = "\n".join(f"{folder.rstrip('/')}/{name}" for name in names)
    writer.put(line_of(FilesLine(folder, names)) if call[JSON] else f"{lines}\n")


def _advise(plan: Plan, warnings: Sequence[Finding], writer: Writer) -> None:
    for problem in warnings:
        writer.note(f"warning: {problem}", WarningLine.of(problem))
    for note in secrets_to_create(plan):
        writer.note(f"note: {note}", NoteLine(note))
