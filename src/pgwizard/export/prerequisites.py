"""The Secrets that must exist where rendered objects are deployed: none is rendered with values. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from pgwizard.plan.plan import Plan


def secrets_to_create(plan: Plan) -> Iterator[str]:
    """The release's own Secrets, which are exported without values, each with the command that creates it."""
    names, user = plan.names, shlex.quote(plan.probe_user or "NAME")
    for source, name, options in (
        (plan.credentials_source, names.credentials, f"--from-literal=username={user} --from-file=password=FILE"),
        (plan.s3_source, names.s3, "--from-file=accessKey=FILE --from-file=secretKey=FILE"),
        (plan.cipher_source, names.cipher, "--from-file=passphrase=FILE"),
    ):
        if source is not None:
            yield f"Create Secret {name} first (its values: {source}): {_command(plan, name, options)}"


def secrets_to_exist(plan: Plan) -> Iterator[str]:
    """The Secrets that the answers name, with their keys, and the commands that create them: they must exist before."""
    keys: dict[str, list[str]] = {}
    for source, refs in (
        (plan.credentials_source, (plan.username, plan.password)),
        (plan.s3_source, (plan.s3_key, plan.s3_key_secret) if plan.backups else ()),
        (plan.cipher_source, (plan.cipher_pass,) if plan.cipher_pass else ()),
    ):
        for ref in refs if source is None else ():
            keys.setdefault(ref.secret, []).append(ref.key)
    for name, keys_of_secret in keys.items():
        names = list(dict.fromkeys(keys_of_secret))
        command = _command(plan, name, " ".join(f"--from-file={key}=FILE" for key in names))
        yield f"Secret {name} with the keys {' and '.join(names)} must exist first. To create it: {command}"


def _command(plan: Plan, name: str, options: str) -> str:
    return f"kubectl -n {plan.namespace} create secret generic {name} {options}"
