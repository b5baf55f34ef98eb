"""The headless face: data on stdout, everything else on stderr, and files where they are asked for.

It reads the file of answers, and nothing else of the world. It refuses rules: what is right or wrong is said by the
modules below.
"""

from __future__ import annotations

import json

from pgwizard.cli.printer import _say, as_data, put
from pgwizard.cli.source import Source, planned
from pgwizard.local.files import write_folder
from pgwizard.plan import manifests
from pgwizard.plan.plan import Plan


def render(source: Source, *, folder: str | None, as_json: bool) -> None:
    """Print the manifests, or write them into a folder. Raises AnswersError and OutputError."""
    plan, warnings = planned(source)
    rendered = manifests.render(plan)
    if folder is None:
        _print_manifests(rendered, as_json=as_json)
    else:
        write_folder(folder, {manifest.file_name: manifest.text for manifest in rendered}, manifests.FILE_NAMES)
        names = [manifest.file_name for manifest in rendered]
        listed = (
            json.dumps({"folder": folder, "files": names})
            if as_json
            else "\n".join(f"{folder.rstrip('/')}/{name}" for name in names)
        )
        put(listed + "\n")
    for problem in warnings:
        _say(f"warning: {problem}", {"warning": as_data(problem)}, as_json=as_json)
    for note in _notes(plan):
        _say(f"note: {note}", {"note": note}, as_json=as_json)


# ---- writing -------------------------------------------------------------------------------------------------------


def _print_manifests(rendered: list[manifests.Manifest], *, as_json: bool) -> None:
    if as_json:
        items = [manifest.object for manifest in rendered]
        put(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2) + "\n")
    else:
        put("---\n".join(manifest.text for manifest in rendered))


def _notes(plan: Plan) -> list[str]:
    """What an operator must know before applying the manifests with other tools: Secrets come without their values."""
    place = f"kubectl -n {plan.namespace} create secret generic"
    notes = []
    if plan.credentials_source is not None:
        notes.append(
            f"Secret {plan.names.credentials} has no values here ({plan.credentials_source}). Make it first: {place} "
            f"{plan.names.credentials} --from-literal=username=... --from-file=password=FILE"
        )
    if plan.s3_source is not None:
        notes.append(
            f"Secret {plan.names.s3} has no values here ({plan.s3_source}). Make it first: {place} {plan.names.s3} "
            "--from-file=accessKey=FILE --from-file=secretKey=FILE"
        )
    if plan.cipher_source is not None:
        notes.append(
            f"Secret {plan.names.cipher} has no values here ({plan.cipher_source}). Make it first: {place} "
            f"{plan.names.cipher} --from-file=passphrase=FILE"
        )
    return notes
