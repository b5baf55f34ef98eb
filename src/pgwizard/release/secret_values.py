"""The values of the release's own Secrets: which of them a run must write, and how they are written.

What is stored stays: a password and a passphrase are never changed, S3 credentials only to the answers'.
Values are written apart from the objects, and never applied. It reads no variables and no files.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pgwizard.answers.questions import Answers, ExistingS3Credentials, GeneratedCredentials
from pgwizard.answers.secrets import SecretInputs, Sensitive, access_key_doubts
from pgwizard.errors import AlreadyExists, Finding, PreflightError
from pgwizard.kube import api as kube_api
from pgwizard.kube.api import SECRET, Cluster, Ref
from pgwizard.kube.commands import Commands
from pgwizard.plan.plan import Plan
from pgwizard.release import immutable
from pgwizard.release.dry_run import Trial
from pgwizard.release.survey import Survey


@dataclass(frozen=True, slots=True)
class Values:
    """What a run must write into Secrets, and what to know of it.

    to_write: by Secret; what is stored already and may not change is left out. s3: the S3 credentials as they will be,
    as one text; empty without a repository.
    """

    to_write: Mapping[Ref, Mapping[str, Sensitive]]
    s3: bytes = field(repr=False)
    warnings: tuple[Finding, ...] = ()


async def decide(
    answers: Answers, secret_inputs: SecretInputs, plan: Plan, survey_result: Survey, cluster: Cluster
) -> Values:
    """Compare the inputs with the stored values. Raises PreflightError with every missing or wrong value."""
    problems: list[Finding] = []
    warnings: list[Finding] = []
    data: dict[Ref, dict[str, Sensitive]] = {}
    s3 = _kept_s3(answers, survey_result)
    if plan.credentials_source is not None:
        ref = Ref(SECRET, plan.names.credentials, plan.namespace)
        stored_values = await _read_stored(cluster, ref, survey_result)
        inputs = _database_credentials(answers, secret_inputs)
        data[ref] = _missing(stored_values, inputs, problems)
        if "password" in data[ref] and survey_result.installation.has_data:
            loss = _lost_password(answers, plan, stored_values, survey_result, cluster.commands)
            (problems if loss.severity == "error" else warnings).append(loss)
        changes = _changes(stored_values, inputs)
        problems += _other_superuser(answers, stored_values, inputs, survey_result)
        if "username" in changes and survey_result.installation.claim is None:  # the first start creates it
            data[ref]["username"] = changes["username"]
        if not isinstance(answers.credentials, GeneratedCredentials) and "password" in changes:
            differs = f"{ref}: the password given differs from the stored one, which stays: an apply never changes it"
            warnings.append(Finding(text=differs, severity="warning"))
    if plan.cipher_source is not None:
        ref = Ref(SECRET, plan.names.cipher, plan.namespace)
        stored_values = await _read_stored(cluster, ref, survey_result)
        inputs = secret_inputs.of("cipher")
        data[ref] = _missing(stored_values, inputs, problems)
        if _changes(stored_values, inputs):
            problems.append(
                Finding(
                    "repository.cipher", f"{ref}: the passphrase differs from the stored one; the first backup fixed it"
                )
            )
    if plan.s3_source is not None:
        ref = Ref(SECRET, plan.names.s3, plan.namespace)
        stored_values = await _read_stored(cluster, ref, survey_result)
        inputs = _copy_source(answers, survey_result) or secret_inputs.of("s3")
        data[ref] = {**_missing(stored_values, inputs, problems), **_changes(stored_values, inputs)}
        s3 = {**stored_values, **{key: value.reveal() for key, value in data[ref].items()}}
        if "accessKey" in secret_inputs.of("s3"):
            access_key, question = s3.get("accessKey", b""), "repository.credentials.accessKey"
            warnings += access_key_doubts(access_key, "the access key", question)
    if problems:
        raise PreflightError("secrets are missing or wrong; nothing was written", problems)
    text = b"\0".join(part for key in sorted(s3) for part in (key.encode(), s3[key]))
    return Values(data, text, tuple(warnings))


def _lost_password(
    answers: Answers, plan: Plan, stored_values: Mapping[str, bytes], survey_result: Survey, commands: Commands
) -> Finding:
    """That the password of a database that exists is stored nowhere: the database would not know another one.

    An error where it would be generated; one that a variable or a file holds may be the right one.
    """
    names, namespace, question = plan.names, plan.namespace, "credentials"
    text = (
        f"{Ref(SECRET, names.credentials, namespace)} has no password, and the volume has a database that keeps its own"
    )
    if not isinstance(answers.credentials, GeneratedCredentials):
        return Finding(
            question,
            f"{text}: the one given is written; it has to be the one that the database has",
            severity="warning",
        )
    user = (
        stored_values["username"].decode(errors="replace")
        if "username" in stored_values
        else survey_result.installation.superuser
    )
    psql = ("psql", "-d", "postgres", "-U", user or answers.credentials.username, "-c", "\\password")
    change = commands.kubectl("exec", "-it", names.pod, "-c", "postgresql", "--", *psql, namespace=namespace)
    create = ("create", "secret", "generic", names.credentials, "--from-file=password=/dev/stdin")
    command = commands.kubectl(*create, "--dry-run=client", "-o", "yaml", namespace=namespace)
    apply_command = commands.kubectl("apply", "--server-side", "-f", "-", namespace=namespace)
    fix = (
        f"Set a password in the running pod: {change}; then put the same one into the Secret: "
        f'read -rs PASSWORD; printf %s "$PASSWORD" | {command} | {apply_command}; then apply again'
    )
    return Finding(question, f"{text}: a new one would not open it", fix=fix)


def _other_superuser(
    answers: Answers,
    stored_values: Mapping[str, bytes],
    inputs: Mapping[str, Sensitive | Finding],
    survey_result: Survey,
) -> list[Finding]:
    """The finding that a variable or a file names another superuser than the first start created."""
    name, installation = inputs.get("username"), survey_result.installation
    if not isinstance(name, Sensitive):
        return []
    if installation.superuser is None and "username" in stored_values:
        installation = replace(installation, superuser=stored_values["username"].decode(errors="replace"))
    problem = immutable.other_superuser(answers, installation, name.reveal().decode(errors="replace"))
    return [problem] if problem else []


def _kept_s3(answers: Answers, survey_result: Survey) -> dict[str, bytes]:
    """The S3 credentials of a Secret in the release's namespace that you manage."""
    credentials = answers.repository.credentials
    if not answers.repository.enabled or not isinstance(credentials, ExistingS3Credentials):
        return {}
    live = survey_result.existing.get(credentials.secret) or {}
    keys = (credentials.access_key_key, credentials.secret_key_key)
    return {key: base64.b64decode(value) for key, value in (live.get("data") or {}).items() if key in keys}


async def _read_stored(cluster: Cluster, ref: Ref, survey_result: Survey) -> dict[str, bytes]:
    live = await kube_api.find_object(cluster, ref) if survey_result.namespace_exists else None
    return {key: base64.b64decode(value) for key, value in ((live or {}).get("data") or {}).items()}


def _database_credentials(answers: Answers, secret_inputs: SecretInputs) -> dict[str, Sensitive | Finding]:
    credentials = answers.credentials
    if isinstance(credentials, GeneratedCredentials):
        return {
            "username": Sensitive(credentials.username.encode()),
            "password": Sensitive(secrets.token_urlsafe(24).encode()),
        }
    return secret_inputs.of("credentials")


def _missing(
    stored_values: Mapping[str, bytes], inputs: Mapping[str, Sensitive | Finding], problems: list[Finding]
) -> dict[str, Sensitive]:
    """Inputs that are not stored yet; a value that is in neither place is a problem."""
    values: dict[str, Sensitive] = {}
    for key, value in inputs.items():
        if key in stored_values:
            continue
        if isinstance(value, Finding):
            problems.append(value)
        else:
            values[key] = value
    return values


def _changes(stored_values: Mapping[str, bytes], inputs: Mapping[str, Sensitive | Finding]) -> dict[str, Sensitive]:
    """Inputs that differ from the stored values."""
    return {
        key: value
        for key, value in inputs.items()
        if isinstance(value, Sensitive)
        and key in stored_values
        and not secrets.compare_digest(stored_values[key], value.reveal())
    }


def _copy_source(answers: Answers, survey_result: Survey) -> dict[str, Sensitive | Finding]:
    credentials, source = answers.repository.credentials, survey_result.s3_source
    if source is None or not isinstance(credentials, ExistingS3Credentials):
        return {}
    return {
        "accessKey": Sensitive(base64.b64decode(source["data"][credentials.access_key_key])),
        "secretKey": Sensitive(base64.b64decode(source["data"][credentials.secret_key_key])),
    }


def encode(values: Mapping[str, Sensitive]) -> dict[str, str]:
    """Values as a Secret holds them."""
    return {key: base64.b64encode(value.reveal()).decode() for key, value in values.items()}


async def store(cluster: Cluster, trial: Trial, values: Mapping[str, Sensitive]) -> None:
    """Write the values of a Secret apart from the rest of it.

    Server-side apply deletes what its manager applied before and leaves out now; a password must survive a run that
    does not know it, so it is never part of what is applied.
    """
    secret, ref = trial.intent, Ref.of(trial.intent)
    if trial.live is None:
        bare = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": ref.name, "namespace": ref.namespace}}
        try:
            await cluster.create({**bare, "type": secret["type"], "data": encode(values)})
            return
        except AlreadyExists:
            stored_values = (await cluster.get(ref)).get("data") or {}
            values = {key: value for key, value in values.items() if key not in stored_values}
    if values:
        await cluster.patch(ref, {"data": encode(values)})
