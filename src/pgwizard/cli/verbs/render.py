"""``render``: the manifests of a file of answers, without a cluster."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pgwizard.cli.json_lines import JsonLine, NoteLine, WarningLine, line_of
from pgwizard.cli.options import Invocation
from pgwizard.cli.source import resolve_plan, source_of
from pgwizard.cli.table import FORCE, FORMAT, JSON, OUTPUT_FOLDER, VALUES_ONLY
from pgwizard.cli.writer import Writer
from pgwizard.errors import Finding, UsageError
from pgwizard.local.files import write_folder
from pgwizard.plan import manifests
from pgwizard.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class FilesLine(JsonLine):
    """The files that ``render -o`` wrote, in apply order."""

    type_name = "files"
    folder: str
    files: tuple[str, ...]


def render(call: Invocation, writer: Writer) -> None:
    """Print the manifests, or write them into a folder. Raises AnswersError and OutputError."""
    plan, warnings = resolve_plan(source_of(call))
    rendered = manifests.render(plan)
    folder = call[OUTPUT_FOLDER]
    if folder is not None:
        write_folder(folder, {manifest.file_name: manifest.text for manifest in rendered}, manifests.FILE_NAMES)
        _list_files(call, writer, folder, tuple(manifest.file_name for manifest in rendered))
    elif call[JSON]:  # a List, which kubectl reads, not a line of our own
        items = [manifest.object for manifest in rendered]
        writer.put(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2) + "\n")
    else:
        writer.put("---\n".join(manifest.text for manifest in rendered))
    _advise(plan, warnings, writer)


def export(call: Invocation, writer: Writer) -> None:
    """Write a folder for another tool, or print the chart's values. Raises AnswersError and OutputError."""
    from pgwizard.export.chart import chart, values, values_yaml
    from pgwizard.export.kustomize import file_names, kustomize

    form = call[FORMAT]
    if form != "helm" and call[VALUES_ONLY]:
        raise UsageError(f"--values-only does not go with --format {form}: only a chart has values")
    folder = call[OUTPUT_FOLDER]
    if folder is None and not call[VALUES_ONLY]:
        raise UsageError("-o DIR is missing", hint="Name the folder to write: pgwizard export answers.yaml -o chart.")
    plan, warnings = resolve_plan(source_of(call), needs_certificate=form != "helm")
    if folder is None:
        writer.put(json.dumps(values(plan), indent=2, ensure_ascii=False) + "\n" if call[JSON] else values_yaml(plan))
    else:
        match form:
            case "helm":
                texts = chart(plan)
                replaceable = frozenset(texts)
            case "kustomize":
                texts, replaceable = kustomize(plan), file_names()
            case _:
                texts = {manifest.file_name: manifest.text for manifest in manifests.render(plan)}
                replaceable = frozenset(manifests.FILE_NAMES)
        write_folder(folder, texts, replaceable, force=call[FORCE])
        _list_files(call, writer, folder, tuple(texts))
    _advise(plan, warnings, writer)
    for note in _existing_secrets(plan):
        writer.note(f"note: {note}", NoteLine(note))


def _existing_secrets(plan: Plan) -> list[str]:
    """The Secrets that the answers name, with their keys: they must be there before the install."""
    keys: dict[str, list[str]] = {}
    for source, refs in (
        (plan.credentials_source, (plan.username, plan.password)),
        (plan.s3_source, (plan.s3_key, plan.s3_key_secret) if plan.backups else ()),
        (plan.cipher_source, (plan.cipher_pass,) if plan.cipher_pass else ()),
    ):
        for ref in refs if source is None else ():
            keys.setdefault(ref.secret, []).append(ref.key)
    return [
        f"Secret {name} with the keys {' and '.join(dict.fromkeys(found))} must exist in namespace {plan.namespace}"
        for name, found in keys.items()
    ]


def _list_files(call: Invocation, writer: Writer, folder: str, names: tuple[str, ...]) -> None:
    listed = "\n".join(f"{folder.rstrip('/')}/{name}" for name in names)
    writer.put(line_of(FilesLine(folder, names)) if call[JSON] else f"{listed}\n")


def _advise(plan: Plan, warnings: Sequence[Finding], writer: Writer) -> None:
    for problem in warnings:
        writer.note(f"warning: {problem}", WarningLine.of(problem))
    for note in _notes(plan):
        writer.note(f"note: {note}", NoteLine(note))


def _notes(plan: Plan) -> list[str]:
    """Which Secrets must be created before other tools apply the manifests."""
    place = f"kubectl -n {plan.namespace} create secret generic"
    notes = []
    if plan.credentials_source is not None:
        notes.append(
            f"Secret {plan.names.credentials} is rendered without values ({plan.credentials_source}). "
            f"Create it first: {place} {plan.names.credentials} --from-literal=username=... --from-file=password=FILE"
        )
    if plan.s3_source is not None:
        notes.append(
            f"Secret {plan.names.s3} is rendered without values ({plan.s3_source}). "
            f"Create it first: {place} {plan.names.s3} --from-file=accessKey=FILE --from-file=secretKey=FILE"
        )
    if plan.cipher_source is not None:
        notes.append(
            f"Secret {plan.names.cipher} is rendered without values ({plan.cipher_source}). "
            f"Create it first: {place} {plan.names.cipher} --from-file=passphrase=FILE"
        )
    return notes
