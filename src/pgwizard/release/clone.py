"""The answers of a clone: another release with the data of this one, and an archive path of its own."""

from __future__ import annotations

import base64
from dataclasses import replace

from pgwizard.answers.questions import (
    Answers,
    CaSource,
    EnvCipher,
    ExistingCipher,
    ExistingCredentials,
    ExistingS3Credentials,
    GeneratedCredentials,
)
from pgwizard.answers.secrets import SecretInputs, Sensitive
from pgwizard.errors import PreflightError
from pgwizard.kube.api import NAMESPACE, SECRET, Cluster, Ref, find_object
from pgwizard.plan.names import CA_KEY, Names, ReleaseRef
from pgwizard.release import records, survey
from pgwizard.release.apply import ReleaseRequest
from pgwizard.release.record import Origin
from pgwizard.text import plain

_ASLEEP = {"max_logical_replication_workers": "0"}
_CRON_ASLEEP = {"cron.launch_active_jobs": "off"}
"""Settings of a clone, beside those of its source: its subscriptions and jobs would act on the same systems."""
ASLEEP = (*_ASLEEP, *_CRON_ASLEEP)


def origin_of(answers: Answers, release: str) -> Origin:
    """Where the backups of these answers are. release: whose they are, empty where only the bucket is known."""
    own = answers.repository
    return Origin(release, str(own.s3_endpoint), own.bucket, own.region, own.path, own.uri_style)


async def source_request(cluster: Cluster, source: ReleaseRef) -> ReleaseRequest:
    """The answers of a running release, so that they hold in every namespace, and its passphrase.

    The superuser is the source's with a new password, and Secrets are mirrored from the source's namespace.
    Raises PreflightError where its record or a Secret cannot be read.
    """
    source_record, _ = await records.get(cluster, source)
    if source_record.last is None:
        raise PreflightError(f"the record of release {source} holds no answers")
    answers = survey.read_sections(source_record.last, *source_record.last.answers)
    if answers is None:
        raise PreflightError(
            f"the answers of release {source} were written by another version of pgwizard",
            hint="Apply it with this version first.",
        )
    names = Names.of(source.name)
    user = await _superuser(cluster, answers, names, source)
    repository, tls, inputs = answers.repository, answers.tls, SecretInputs()
    s3 = repository.credentials
    if not isinstance(s3, ExistingS3Credentials):
        s3 = ExistingS3Credentials.model_validate({"from": "existing", "secret": names.s3})
    s3 = s3.model_copy(update={"namespace": s3.namespace or source.namespace})
    cipher = repository.cipher
    if cipher is not None:
        secret, key = names.cipher, "passphrase"
        if isinstance(cipher, ExistingCipher):
            secret, key = cipher.secret, cipher.passphrase_key
        passphrase = await _value(cluster, Ref(SECRET, secret, source.namespace), key)
        inputs = SecretInputs({("cipher", "passphrase"): Sensitive(passphrase)})
        cipher = EnvCipher.model_validate({"from": "env", "passphrase": "PGBACKREST_REPO1_CIPHER_PASS"})
    if tls.source is None and tls.ca_file is not None:
        mirror = CaSource(namespace=source.namespace, secret=names.ca, key=CA_KEY)
        tls = tls.model_copy(update={"source": mirror, "ca_file": None})
    clone_answers = answers.model_copy(
        update={
            "credentials": GeneratedCredentials(username=user),
            "repository": repository.model_copy(update={"credentials": s3, "cipher": cipher}),
            "tls": tls,
        }
    )
    return ReleaseRequest(clone_answers, inputs)


async def clone_request(cluster: Cluster, source: ReleaseRequest, into: ReleaseRef) -> ReleaseRequest:
    """The source's answers for another release. The archive path is the clone's own: NAMESPACE/NAME in the bucket."""
    answers, repository = source.answers, source.answers.repository
    target_record, _ = await records.find(cluster, into)
    if target_record is not None and target_record.last is not None:
        makes_namespace = bool((target_record.last.answers.get("release") or {}).get("createNamespace"))
    else:
        makes_namespace = await find_object(cluster, Ref(NAMESPACE, into.namespace)) is None
    s3 = repository.credentials
    if isinstance(s3, ExistingS3Credentials) and s3.namespace is None:
        s3 = s3.model_copy(update={"namespace": answers.release.namespace})
    asleep = dict(_ASLEEP)
    if "pg_cron" in answers.tuning.parameters.get("shared_preload_libraries", ""):
        asleep |= _CRON_ASLEEP
    release = answers.release.model_copy(
        update={"name": into.name, "namespace": into.namespace, "create_namespace": makes_namespace}
    )
    own = repository.model_copy(update={"path": f"/{into.namespace}/{into.name}", "credentials": s3})
    tuning = answers.tuning.model_copy(update={"parameters": {**answers.tuning.parameters, **asleep}})
    return replace(
        source,
        answers=answers.model_copy(update={"release": release, "repository": own, "tuning": tuning}),
    )


async def _superuser(cluster: Cluster, answers: Answers, names: Names, source: ReleaseRef) -> str:
    credentials = answers.credentials
    if isinstance(credentials, GeneratedCredentials):
        return credentials.username
    secret, key = names.credentials, "username"
    if isinstance(credentials, ExistingCredentials):
        secret, key = credentials.secret, credentials.username_key
    return plain((await _value(cluster, Ref(SECRET, secret, source.namespace), key)).decode(errors="replace"))


async def _value(cluster: Cluster, ref: Ref, key: str) -> bytes:
    live = await find_object(cluster, ref)
    encoded_value = ((live or {}).get("data") or {}).get(key)
    if not encoded_value:
        raise PreflightError(f"{ref} has no key {key}, which the clone needs")
    return base64.b64decode(encoded_value)
