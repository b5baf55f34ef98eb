"""The Secrets that must exist where rendered objects are deployed: none is rendered with values. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pgwizard.plan.plan import Plan


def secrets_to_create(plan: Plan) -> Iterator[str]:
    """The release's own Secrets, which are exported without values, each with the command that creates it."""
    place = f"kubectl -n {plan.namespace} create secret generic"
    names = plan.names
    for source, name, options in (
        (plan.credentials_source, names.credentials, "--from-literal=username=... --from-file=password=FILE"),
        (plan.s3_source, names.s3, "--from-file=accessKey=FILE --from-file=secretKey=FILE"),
        (plan.cipher_source, names.cipher, "--from-file=passphrase=FILE"),
    ):
        if source is not None:
            yield f"Create Secret {name} first (its values: {source}): {place} {name} {options}"


def secrets_to_exist(plan: Plan) -> Iterator[str]:
    """The Secrets that the answers name, with their keys: they must be there before the install."""
    keys: dict[str, list[str]] = {}
    for source, refs in (
        (plan.credentials_source, (plan.username, plan.password)),
        (plan.s3_source, (plan.s3_key, plan.s3_key_secret) if plan.backups else ()),
        (plan.cipher_source, (plan.cipher_pass,) if plan.cipher_pass else ()),
    ):
        for ref in refs if source is None else ():
            keys.setdefault(ref.secret, []).append(ref.key)
    for name, keys_of_secret in keys.items():
        names = " and ".join(dict.fromkeys(keys_of_secret))
        yield f"Secret {name} with the keys {names} must exist in namespace {plan.namespace}"
