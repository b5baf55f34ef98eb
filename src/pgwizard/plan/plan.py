"""Every value that a template places, decided: ``resolve(answers, facts) -> Plan``.

Names, labels and numbers are made here and nowhere else. Does no I/O: what the world knows comes in as ``Facts``.
Answers are taken as they are; ``checks`` has checked them before.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from pgwizard import quantities
from pgwizard.answers.questions import (
    Answers,
    BackupJobs,
    Cipher,
    DatabaseCredentials,
    EnvCipher,
    EnvCredentials,
    EnvS3Credentials,
    ExistingCipher,
    ExistingCredentials,
    ExistingS3Credentials,
    FileCipher,
    FileCredentials,
    FileS3Credentials,
    GeneratedCredentials,
    InitContainer,
    NoCompression,
    S3Credentials,
)
from pgwizard.plan import cron as plan_cron
from pgwizard.plan.alerts import Alerts
from pgwizard.plan.names import STANZA, Names, ReleaseRef
from pgwizard.plan.pgbackrest import add_index
from pgwizard.plan.server import s3_server
from pgwizard.plan.tuning import Machine, Parameter, tune
from pgwizard.tls.certificates import Bundle

DAY_SECONDS = 86_400


DRILL_CPU, DRILL_MEMORY = "100m", "256Mi"
"""What the pod of a drill asks for at most: it is to find a place beside the database."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read from the cluster and files before anything is decided.

    ca: the certificates to trust, from the source Secret or from a file; None where none was read.
    has_prometheus_rules: whether the cluster knows the kind PrometheusRule; True where none was asked.
    data_checksums: whether the database that is there was made with them; None where there is none.
    """

    ca: Bundle | None = None
    has_prometheus_rules: bool = True
    data_checksums: bool | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A name and a value: a label, an option."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class KeyRef:
    """One key of a Secret of the release's namespace."""

    secret: str
    key: str


@dataclass(frozen=True, slots=True)
class ContainerResources:
    """The requests and limits of a container."""

    cpu_request: str
    cpu_limit: str
    memory_request: str
    memory_limit: str

    @classmethod
    def of(cls, section: InitContainer | BackupJobs) -> ContainerResources:
        """The resources that are answered."""
        return cls(section.cpu_request, section.cpu_limit, section.memory_request, section.memory_limit)


@dataclass(frozen=True, slots=True)
class Toleration:
    """A taint that the pods tolerate. value: empty where any is tolerated; effect: empty for every effect."""

    key: str
    operator: str
    value: str
    effect: str

    @classmethod
    def of(cls, taint: str) -> Toleration:
        """As ``kubectl taint`` spells it: ``key=value:effect``, ``key:effect`` or ``key``."""
        rest, _, effect = taint.partition(":")
        key, equals, value = rest.partition("=")
        return cls(key, "Equal" if equals else "Exists", value, effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the templates place. Text that ends in a configuration file is text here; numbers are YAML's own.

    credentials_source, s3_source, cipher_source, ca_source: where the values of a Secret of the release come from, for
    people; None where the release makes no such Secret.
    s3_namespace: where the pods of the S3 server are; None where it is outside the cluster.
    probe_user: the superuser, where the plan knows the name. ca_certificate: base64 of PEM text; None without one.
    options: those of pgBackRest that are answered by their names.
    """

    names: Names
    namespace: str
    create_namespace: bool
    labels: tuple[Pair, ...]
    selector: tuple[Pair, ...]
    answered_labels: tuple[Pair, ...]
    backup_labels: tuple[Pair, ...]
    job_labels: tuple[Pair, ...]
    job_annotations: tuple[Pair, ...]
    pod_annotations: tuple[Pair, ...]
    node_selector: tuple[Pair, ...]
    tolerations: tuple[Toleration, ...]
    priority_class: str | None
    runtime_class: str | None
    service_account: str | None
    ephemeral_storage_request: str | None
    ephemeral_storage_limit: str | None
    job_resources: ContainerResources
    init_resources: ContainerResources
    database: str
    probe_user: str | None
    username: KeyRef
    password: KeyRef
    s3_key: KeyRef
    s3_key_secret: KeyRef
    cipher_pass: KeyRef | None
    credentials_source: str | None
    s3_source: str | None
    cipher_source: str | None
    ca_source: str | None
    ca_certificate: str | None
    tls: bool
    fs_group: int
    storage_size: str
    storage_class: str | None
    data_checksums: bool
    memory_limit: str
    memory_request: str
    cpu_limit: str
    cpu_request: str
    shm_size: str
    parameters: tuple[Parameter, ...]
    backups: bool
    repository_path: str
    s3_bucket: str
    s3_endpoint: str
    s3_region: str
    s3_uri_style: str
    verify_tls: bool
    bundle: bool
    block: bool
    retention_full: str | None
    retention_full_type: str
    compress_type: str
    compress_level: str | None
    process_max: str
    log_level: str
    archive_async: bool
    archive_push_queue_max: str | None
    options: tuple[Pair, ...]
    full_schedule: str
    incremental_schedule: str
    verify_schedule: str | None
    drill_schedule: str | None
    drill_cpu_request: str
    drill_memory_request: str
    time_zone: str
    full_deadline_seconds: int
    incremental_deadline_seconds: int
    image: str
    kubectl_image: str
    pull_policy: str
    pull_secrets: tuple[str, ...]
    network_policy: bool
    prometheus_rule: bool
    alerts: Alerts
    s3_port: int
    s3_namespace: str | None

    @property
    def ref(self) -> ReleaseRef:
        """The planned release."""
        return ReleaseRef(self.namespace, self.names.release)


def stand_ins(answers: Answers) -> dict[str, str]:
    """The effective value of an answer that is null, by its question."""
    return {
        "storage.storageClass": "the cluster's default",
        "resources.memoryRequest": answers.tuning.memory,
        "resources.cpuLimit": answers.tuning.cpu,
    }


def resolve(answers: Answers, facts: Facts) -> Plan:
    """The plan of answers in which ``checks.check`` finds no error."""
    names = Names.of(answers.release.name)
    backups, tls = answers.repository.enabled, answers.has_tls_mirror()
    instance = (Pair("app.kubernetes.io/name", "postgresql"), Pair("app.kubernetes.io/instance", names.release))
    backup = (*instance, Pair("app.kubernetes.io/component", "backup"))
    common = (
        Pair("app.kubernetes.io/managed-by", "pgwizard"),
        Pair("app.kubernetes.io/version", str(answers.images.postgresql_version)),
    )
    username, password = _credential_keys(answers.credentials, names)
    s3_key, s3_key_secret = _s3_keys(answers, names)
    memory, others = answers.tuning.memory, stand_ins(answers)
    memory_request = quantities.whole_size(answers.resources.memory_request or others["resources.memoryRequest"])
    own_labels = _pairs(answers.pods.labels)
    ephemeral_request, ephemeral_limit = answers.pods.ephemeral_storage_request, answers.pods.ephemeral_storage_limit
    return Plan(
        names=names,
        namespace=answers.release.namespace,
        create_namespace=answers.release.create_namespace,
        labels=(*instance, Pair("app.kubernetes.io/component", "database"), *common, *own_labels),
        selector=(*instance, Pair("app.kubernetes.io/component", "database")),
        answered_labels=own_labels,
        backup_labels=(*backup, *common, *own_labels),
        job_labels=(*backup, *common, *_pairs({**answers.pods.labels, **answers.jobs.labels})),
        job_annotations=_pairs(answers.jobs.annotations),
        pod_annotations=_pairs(answers.pods.annotations),
        node_selector=_pairs(answers.pods.node_selector),
        tolerations=tuple(map(Toleration.of, answers.pods.tolerations)),
        priority_class=answers.pods.priority_class,
        runtime_class=answers.pods.runtime_class,
        service_account=answers.pods.service_account,
        ephemeral_storage_request=ephemeral_request and quantities.whole_size(ephemeral_request),
        ephemeral_storage_limit=ephemeral_limit and quantities.whole_size(ephemeral_limit),
        job_resources=ContainerResources.of(answers.jobs),
        init_resources=ContainerResources.of(answers.init_container),
        database=answers.release.database,
        probe_user=answers.credentials.username if isinstance(answers.credentials, GeneratedCredentials) else None,
        username=username,
        password=password,
        s3_key=s3_key,
        s3_key_secret=s3_key_secret,
        cipher_pass=_cipher_key(answers.repository.cipher, names) if backups else None,
        credentials_source=_credentials_source(answers.credentials),
        s3_source=_s3_source(answers.repository.credentials, answers.release.namespace) if backups else None,
        cipher_source=_cipher_source(answers.repository.cipher) if backups else None,
        ca_source=ca_source(answers) if tls else None,
        ca_certificate=base64.b64encode(facts.ca.pem.encode()).decode() if tls and facts.ca else None,
        tls=tls,
        fs_group=1001 if tls else 999,
        storage_size=quantities.whole_size(answers.storage.size),
        storage_class=answers.storage.storage_class,
        data_checksums=answers.storage.data_checksums if facts.data_checksums is None else facts.data_checksums,
        memory_limit=quantities.whole_size(memory),
        memory_request=memory_request,
        cpu_limit=answers.resources.cpu_limit or others["resources.cpuLimit"],
        cpu_request=answers.resources.cpu_request,
        shm_size=str(shared_memory_bytes(answers)),
        parameters=tuple(parameters(answers)),
        backups=backups,
        repository_path=answers.repository.path,
        s3_bucket=answers.repository.bucket,
        s3_endpoint=str(answers.repository.s3_endpoint),
        s3_region=answers.repository.region,
        s3_uri_style=answers.repository.uri_style,
        verify_tls=answers.tls.verify,
        bundle=answers.advanced.bundle,
        block=answers.advanced.block,
        retention_full=None if answers.retention.full is None else str(answers.retention.full),
        retention_full_type=answers.retention.full_type,
        compress_type=answers.compression.type,
        compress_level=None if isinstance(answers.compression, NoCompression) else str(answers.compression.level),
        process_max=str(answers.advanced.process_max or _cores(answers)),
        log_level=answers.advanced.log_level,
        archive_async=answers.advanced.archive_async,
        archive_push_queue_max=_bytes_text(answers.advanced.archive_push_queue_max),
        options=tuple(Pair(add_index(name), value) for name, value in answers.advanced.options.items()),
        full_schedule=answers.schedule.full,
        incremental_schedule=answers.schedule.incremental,
        verify_schedule=answers.schedule.verify if backups else None,
        drill_schedule=answers.schedule.drill if backups else None,
        drill_cpu_request=quantities.smaller(answers.resources.cpu_request, DRILL_CPU),
        drill_memory_request=quantities.smaller(memory_request, DRILL_MEMORY),
        time_zone=answers.schedule.time_zone,
        full_deadline_seconds=_deadline_seconds(answers.schedule.full),
        incremental_deadline_seconds=_deadline_seconds(answers.schedule.incremental),
        image=answers.images.postgresql,
        kubectl_image=answers.images.kubectl,
        pull_policy=answers.images.pull_policy,
        pull_secrets=tuple(answers.images.pull_secrets),
        network_policy=answers.advanced.network_policy,
        prometheus_rule=answers.advanced.prometheus_rule and backups and facts.has_prometheus_rules,
        alerts=Alerts.of(names, answers.release.namespace),
        s3_port=s3_server(answers).port,
        s3_namespace=_s3_namespace(answers),
    )


def _pairs(answers: Mapping[str, str]) -> tuple[Pair, ...]:
    return tuple(Pair(*item) for item in answers.items())


# ---- secrets -------------------------------------------------------------------------------------------------------


def _credential_keys(credentials: DatabaseCredentials, names: Names) -> tuple[KeyRef, KeyRef]:
    if isinstance(credentials, ExistingCredentials):
        return (
            KeyRef(credentials.secret, credentials.username_key),
            KeyRef(credentials.secret, credentials.password_key),
        )
    return KeyRef(names.credentials, "username"), KeyRef(names.credentials, "password")


def _credentials_source(credentials: DatabaseCredentials) -> str | None:
    match credentials:
        case GeneratedCredentials():
            return f"generated once, for {credentials.username}"
        case EnvCredentials():
            return f"variables {credentials.username} and {credentials.password}"
        case FileCredentials():
            return f"files {credentials.username} and {credentials.password}"
    return None


def _s3_keys(answers: Answers, names: Names) -> tuple[KeyRef, KeyRef]:
    credentials = answers.repository.credentials
    if isinstance(credentials, ExistingS3Credentials) and not mirrored_s3(answers):
        return (
            KeyRef(credentials.secret, credentials.access_key_key),
            KeyRef(credentials.secret, credentials.secret_key_key),
        )
    return KeyRef(names.s3, "accessKey"), KeyRef(names.s3, "secretKey")


def mirrored_s3(answers: Answers) -> bool:
    """Whether the S3 key pair is copied from a Secret of another namespace."""
    credentials = answers.repository.credentials
    return isinstance(credentials, ExistingS3Credentials) and credentials.namespace not in (
        None,
        answers.release.namespace,
    )


def _s3_source(credentials: S3Credentials, namespace: str) -> str | None:
    match credentials:
        case EnvS3Credentials():
            return f"variables {credentials.access_key} and {credentials.secret_key}"
        case FileS3Credentials():
            return f"files {credentials.access_key} and {credentials.secret_key}"
        case ExistingS3Credentials() if credentials.namespace not in (None, namespace):
            return (
                f"Secret {credentials.namespace}/{credentials.secret}, "
                f"keys {credentials.access_key_key} and {credentials.secret_key_key}"
            )
    return None


def _cipher_key(cipher: Cipher, names: Names) -> KeyRef | None:
    if cipher is None:
        return None
    if isinstance(cipher, ExistingCipher):
        return KeyRef(cipher.secret, cipher.passphrase_key)
    return KeyRef(names.cipher, "passphrase")


def _cipher_source(cipher: Cipher) -> str | None:
    match cipher:
        case EnvCipher():
            return f"variable {cipher.passphrase}"
        case FileCipher():
            return f"file {cipher.passphrase}"
    return None


def ca_source(answers: Answers) -> str:
    """Where the mirrored certificate comes from, as namespace/secret/key; with only a file, its path."""
    source = answers.tls.source
    return f"{source.namespace}/{source.secret}/{source.key}" if source else f"file {answers.tls.ca_file}"


def shared_memory_bytes(answers: Answers) -> int:
    """The size of /dev/shm, which parallel queries use."""
    return max(quantities.size_bytes(answers.tuning.memory) // 4, 64 * 1024**2)


# ---- PostgreSQL ----------------------------------------------------------------------------------------------------


def parameters(answers: Answers) -> list[Parameter]:
    """Every line of postgresql.conf. An override replaces the computed value; what follows from it follows it."""
    tuning = answers.tuning
    lines = tune(
        Machine(
            profile=tuning.profile,
            memory_kb=quantities.size_bytes(tuning.memory) // 1024,
            cores=_cores(answers),
            connections=tuning.connections,
            disk=tuning.disk,
            data_size=tuning.data_size,
            version=answers.images.postgresql_version,
        ),
        tuning.parameters,
    )
    by_name = {parameter.name: parameter for parameter in (*_fixed_parameters(answers), *lines)}
    for name, value in tuning.parameters.items():
        by_name[name] = Parameter(name, value, "as asked")
    return list(by_name.values())


def _fixed_parameters(answers: Answers) -> list[Parameter]:
    addresses = Parameter("listen_addresses", "*", "the Service reaches the pod by its address")
    level = Parameter("wal_level", "replica", "enough for backups and replicas")
    if not answers.repository.enabled:
        return [addresses, Parameter("archive_mode", "off", "there is no repository"), level]
    return [
        addresses,
        Parameter("archive_mode", "on", "WAL goes to the repository"),
        Parameter("archive_command", f"pgbackrest --stanza={STANZA} archive-push %p", "pgBackRest takes each segment"),
        Parameter(
            "archive_timeout",
            f"{answers.tuning.archive_timeout_seconds}s",
            "the most that a quiet database can lose",
        ),
        level,
    ]


# ---- pgBackRest ----------------------------------------------------------------------------------------------------


def _cores(answers: Answers) -> int:
    return max(1, quantities.cpu_millis(answers.tuning.cpu) // 1000)


def _bytes_text(size: str | None) -> str | None:
    return None if size is None else str(quantities.size_bytes(size))


def _s3_namespace(answers: Answers) -> str | None:
    """Where the host may be a public domain of two labels as well, nothing is in a namespace of that name."""
    service = s3_server(answers).service(answers.release.namespace)
    return service.namespace if service else None


def _deadline_seconds(cron: str) -> int:
    """How long one backup Job may take: a tenth less than to its next start, a day at most, ten minutes at least.

    A Job that never ends blocks every later one of its CronJob.
    """
    try:
        gap_seconds = plan_cron.CronSchedule(cron).shortest_gap_seconds()
    except ValueError:
        return DAY_SECONDS  # the checks report it; the wizard shows the rest of the plan meanwhile
    return max(600, min(DAY_SECONDS, gap_seconds * 9 // 10))
