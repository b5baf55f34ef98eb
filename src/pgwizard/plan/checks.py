"""Errors and warnings across answers.

Each rule is a generator of findings over the whole of the answers; a rule about one answer alone belongs to that
answer's type. Does no I/O and never changes an answer.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal

from pydantic import BaseModel

from pgwizard import quantities
from pgwizard.answers.questions import (
    Answers,
    EnvS3Credentials,
    ExistingCipher,
    ExistingCredentials,
    ExistingS3Credentials,
)
from pgwizard.errors import Finding
from pgwizard.plan import cron, pgbackrest, settings
from pgwizard.plan.names import Names
from pgwizard.plan.plan import Facts, mirrored_s3, parameters, shared_memory_bytes
from pgwizard.plan.server import host_question, s3_server, server_findings
from pgwizard.plan.tuning import (
    MOST_PROCESSES,
    SEGMENT_BYTES,
    SHARED_MEMORY_PARAMETERS,
    MemorySum,
    memory_sum,
    process_parameters,
    process_sum,
    shared_memory_kb,
)
from pgwizard.text import span


@dataclass(frozen=True, slots=True)
class Findings:
    """Errors stop a run; warnings are only shown."""

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


_Problems = Iterator[Finding]


def _warning(question: str, text: str) -> Finding:
    return Finding(question, text, severity="warning")


def check(answers: Answers, facts: Facts) -> Findings:
    """Every finding, in the order of the questions."""
    findings = [finding for rule in _RULES for finding in rule(answers, facts)]
    return Findings(
        tuple(finding for finding in findings if finding.severity == "error"),
        tuple(finding for finding in findings if finding.severity == "warning"),
    )


def together(from_survey: Sequence[Finding], own: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings of the survey and those of the answers; for the same question only the survey's."""
    prefixes = [f"{finding.question}." for finding in from_survey]
    return (
        *from_survey,
        *(finding for finding in own if not any(text.startswith(f"{finding.question}.") for text in prefixes)),
    )


# ---- volume and memory ---------------------------------------------------------------------------------------------

_SMALLEST_VOLUME = 256 * 1024**2
_SMALLEST_MEMORY = 128 * 1024**2
_LARGEST_MEMORY = 16 * 1024**4
"""Above this, effective_cache_size would leave its range."""


def _volume(answers: Answers, _: Facts) -> _Problems:
    size = quantities.size_bytes(answers.storage.size)
    if size < _SMALLEST_VOLUME:
        yield Finding(
            "storage.size", f"{answers.storage.size} is too small for PostgreSQL; expected 256Mi or more, such as 10Gi"
        )
        return
    values = {parameter.name: parameter.value for parameter in parameters(answers)}
    for name in ("max_wal_size", "wal_keep_size", "min_wal_size"):
        wal = settings.size_bytes(name, values, answers.images.postgresql_version)
        if wal is None:
            continue
        fix = f"raise storage.size or set tuning.parameters.{name}"
        if wal >= size:
            yield Finding(
                "storage.size", f"{name} is {values[name]}, and WAL alone would fill {answers.storage.size}: {fix}"
            )
            return
        if wal * 2 > size:
            yield _warning("storage.size", f"{name} is {values[name]}, more than half of {answers.storage.size}: {fix}")


def _memory(answers: Answers, _: Facts) -> _Problems:
    limit = quantities.size_bytes(answers.tuning.memory)
    if limit < _SMALLEST_MEMORY:
        yield Finding("tuning.memory", f"{answers.tuning.memory} is too little for PostgreSQL; expected 128Mi or more")
        return
    if limit > _LARGEST_MEMORY:
        yield Finding(
            "tuning.memory", f"{answers.tuning.memory} is more than PostgreSQL can count; expected 16Ti at most"
        )
        return
    if limit < 2 * _SMALLEST_MEMORY:
        yield _warning("tuning.memory", f"{answers.tuning.memory}: the formulas are made for 256Mi and more")
    values = {parameter.name: parameter.value for parameter in parameters(answers)}
    version = answers.images.postgresql_version
    parts = memory_sum(values, version)
    total = parts.total_kb * 1024
    if total > limit:
        yield _warning(
            "tuning.memory",
            f"{quantities.human_size(total)} when all {answers.tuning.connections} connections sort at once, above the "
            f"limit of {answers.tuning.memory}: {_less_memory(parts)}, or more memory",
        )
    shared_buffers = settings.size_bytes("shared_buffers", values, version)
    if shared_buffers is not None and shared_buffers >= limit:
        yield Finding(
            "tuning.parameters.shared_buffers", "as large as the memory limit: the pod would be killed at once"
        )
    elif (demand := shared_memory_kb(values, version) * 1024) >= limit:
        yield Finding(
            _heaviest(answers, SHARED_MEMORY_PARAMETERS, values, lambda each: shared_memory_kb(each, version)),
            f"PostgreSQL would ask for {quantities.human_size(demand)} of shared memory, above the limit of "
            f"{answers.tuning.memory}: lower it, or raise tuning.memory",
        )


def _less_memory(parts: MemorySum) -> str:
    """What to lower, by the largest part."""
    advice = {
        parts.work_kb: "fewer connections, a smaller work_mem",
        parts.maintenance_kb: "a smaller maintenance_work_mem, fewer autovacuum workers",
        parts.buffers_kb: "smaller shared_buffers",
        parts.base_kb: "fewer locks (max_locks_per_transaction) and processes",
    }
    return advice[max(advice)]


def _heaviest(
    answers: Answers, names: Sequence[str], values: Mapping[str, str], cost: Callable[[Mapping[str, str]], int]
) -> str:
    """The question of the parameter that adds most to a sum: without it the sum is the smallest."""
    among = [name for name in names if name in answers.tuning.parameters or name == "max_connections"]
    name = min(among, key=lambda each: cost({other: text for other, text in values.items() if other != each}))
    return "tuning.connections" if name == "max_connections" else f"tuning.parameters.{name}"


def _processes(answers: Answers, _: Facts) -> _Problems:
    version = answers.images.postgresql_version
    values = {parameter.name: parameter.value for parameter in parameters(answers)}
    if (total := process_sum(values, version)) > MOST_PROCESSES:
        names = process_parameters(version)
        yield Finding(
            _heaviest(answers, names, values, lambda each: process_sum(each, version)),
            f"the sum of {', '.join(names)} is {total:,}: the server would not start; expected {MOST_PROCESSES:,} at "
            "most",
        )


def _requests(answers: Answers, _: Facts) -> _Problems:
    resources, tuning = answers.resources, answers.tuning
    limit = resources.cpu_limit or tuning.cpu
    if quantities.cpu_millis(tuning.cpu) > pgbackrest.PROCESS_MAX * 1000:
        yield Finding(
            "tuning.cpu", f"{tuning.cpu} is more than pgBackRest can use; expected {pgbackrest.PROCESS_MAX} at most"
        )
    if resources.memory_request and quantities.size_bytes(resources.memory_request) > quantities.size_bytes(
        tuning.memory
    ):
        yield Finding(
            "resources.memoryRequest", f"{resources.memory_request} is above the limit, tuning.memory: {tuning.memory}"
        )
    if quantities.cpu_millis(resources.cpu_request) > quantities.cpu_millis(limit):
        which = "resources.cpuLimit" if resources.cpu_limit else "tuning.cpu"
        yield Finding("resources.cpuRequest", f"{resources.cpu_request} is above the limit, {which}: {limit}")
    for key, helper in (("initContainer", answers.init_container), ("jobs", answers.jobs)):
        if quantities.cpu_millis(helper.cpu_request) > quantities.cpu_millis(helper.cpu_limit):
            text = f"{helper.cpu_request} is above the limit, {key}.cpuLimit: {helper.cpu_limit}"
            yield Finding(f"{key}.cpuRequest", text)
        if quantities.size_bytes(helper.memory_request) > quantities.size_bytes(helper.memory_limit):
            text = f"{helper.memory_request} is above the limit, {key}.memoryLimit: {helper.memory_limit}"
            yield Finding(f"{key}.memoryRequest", text)


_WRITTEN_BYTES = 640 * 1024**2
"""What the kubelet counts of the database's pod at most: its volumes of this kind, and 50 MiB of its log."""


def _ephemeral_storage(answers: Answers, _: Facts) -> _Problems:
    request, limit = answers.pods.ephemeral_storage_request, answers.pods.ephemeral_storage_limit
    if limit is None:
        return
    if request is not None and quantities.size_bytes(request) > quantities.size_bytes(limit):
        text = f"{request} is above the limit, pods.ephemeralStorageLimit: {limit}"
        yield Finding("pods.ephemeralStorageRequest", text)
    if quantities.size_bytes(limit) < _WRITTEN_BYTES:
        yield _warning(
            "pods.ephemeralStorageLimit",
            f"{limit}: the kubelet evicts the database's pod once its logs and /tmp exceed it; expected 640Mi or more",
        )


# ---- postgresql.conf -----------------------------------------------------------------------------------------------

_NOT_OVERRIDDEN = {
    "archive_mode": "archiving follows repository.enabled",
    "archive_command": "pgBackRest takes the WAL",
    "archive_library": "pgBackRest takes the WAL",
    "archive_timeout": "use tuning.archiveTimeoutSeconds",
    "max_connections": "use tuning.connections",
    "listen_addresses": "the Service reaches the pod by its address",
    "port": "the Service and the probes speak to 5432",
    "unix_socket_directories": "pgBackRest and the probes use the image's socket",
    "data_directory": "the volume is mounted there",
    "config_file": "it is the file that is written here",
    "hba_file": "the image keeps it in the data directory",
    "ident_file": "the image keeps it in the data directory",
    "external_pid_file": "the root file system is read-only",
    "restore_command": "it is written by pgBackRest's restore, and is of no use before",
    "archive_cleanup_command": "there is no standby, and WAL of the repository expires with its backups",
    "recovery_end_command": "it belongs to a restore, which writes its own settings",
    "primary_conninfo": "there is no standby",
    "primary_slot_name": "there is no standby",
    "unix_socket_permissions": "pgBackRest and the probes use the image's socket",
    "unix_socket_group": "the container may change no group",
    "event_source": "it is for Windows only",
    "include": "includes are not supported",
    "include_dir": "includes are not supported",
    "include_if_exists": "includes are not supported",
}


def _overrides(answers: Answers, _: Facts) -> _Problems:
    for name, value in answers.tuning.parameters.items():
        path = f"tuning.parameters.{name}"
        reason = _NOT_OVERRIDDEN.get(name)
        if name.startswith("recovery_target"):
            reason = "it belongs to a restore, which writes its own settings"
        if reason:
            yield Finding(path, f"cannot be overridden: {reason}")
        elif (refusal := _refusal(name, value, answers)) is not None:
            yield Finding(path, refusal)
        else:
            yield from _unwise(path, name, settings.of(name, answers.images.postgresql_version), value)


_SEGMENTS_KEPT = 2
"""The least amount of WAL, despite pg_settings: a server with less does not start."""


def _refusal(name: str, value: str, answers: Answers) -> str | None:
    """Why PostgreSQL would not start with this value; None if it would, as far as is known."""
    version = answers.images.postgresql_version
    if message := settings.find_unknown(name, version):
        return message
    if len(value) >= 2 and value[0] == value[-1] == "'":
        text, bare = f"{value} is already quoted, and pgwizard adds the quotes", value[1:-1]
        return text if _refusal(name, bare, answers) else f"{text}: did you mean {bare or 'an empty value'}?"
    setting = settings.of(name, version)
    if setting is None:
        return None
    try:
        parsed_value = setting.read(value)
    except ValueError as error:
        return str(error) + settings.origin(name, version)
    if reason := _ENDS_THE_SERVER.get((name, str(parsed_value))):
        return f"{value!r} {reason}"
    return _conflict(name, value, parsed_value, answers)


def _conflict(name: str, value: str, parsed_value: settings.Value, answers: Answers) -> str | None:
    """Why the value contradicts other answers."""
    version = answers.images.postgresql_version
    size = settings.size_bytes(name, {name: value}, version)
    if name in ("min_wal_size", "max_wal_size") and size is not None and size < _SEGMENTS_KEPT * SEGMENT_BYTES:
        return f"{value} is less than two WAL segments; expected 32MB or more"
    if name == "vacuum_buffer_usage_limit" and size is not None and 0 < size < _SMALLEST_RING:
        return f"{value} is less than PostgreSQL accepts; expected 0, or 128kB or more"
    if name in _RESERVATIONS and isinstance(parsed_value, Decimal):
        others = [
            settings.count(each, answers.tuning.parameters, version) or 0 for each in _RESERVATIONS if each != name
        ]
        if parsed_value + sum(others) >= answers.tuning.connections:
            return f"{value} leaves no connection for anyone else; expected less than tuning.connections"
    if name in ("pre_auth_delay", "post_auth_delay") and parsed_value:
        return f"{value} delays every connection, those of the probes and of backups too; expected 0"
    if name == "min_dynamic_shared_memory" and size is not None and size > (room := shared_memory_bytes(answers)):
        return f"{value} is more than /dev/shm has, a quarter of tuning.memory; expected {room // 1024**2}MB or less"
    return None


_SMALLEST_RING = 128 * 1024
_RESERVATIONS = ("superuser_reserved_connections", "reserved_connections")
_ENDS_THE_SERVER = {
    ("wal_level", "minimal"): "turns archiving off; expected replica or logical",
    ("huge_pages", "on"): "needs huge pages, and the pod asks for none: the server would not start",
    ("io_method", "io_uring"): "is forbidden to the container by seccomp's default profile: the server would not start",
    ("db_user_namespace", "True"): "lets nobody log in: every name would need its database after an @",
    ("bonjour", "True"): "is not built into PostgreSQL for Linux: the server would not start",
    ("allow_system_table_mods", "True"): "lets a mistake destroy the catalog; set it in a session",
    ("ignore_system_indexes", "True"): "is for manual repair; set it in a session",
    ("zero_damaged_pages", "True"): "destroys damaged pages permanently; set it in a session",
}
"""Values that stop the server or its archiving, or that destroy data."""
_UNWISE = {
    ("fsync", "False"): "off can destroy the database at a power failure",
    ("full_page_writes", "False"): "off can destroy the database at a power failure",
    ("default_transaction_read_only", "True"): "on lets no application write",
    ("autovacuum", "False"): "off lets tables grow, and stops the database at the wraparound of transactions",
    ("max_slot_wal_keep_size", "-1"): "-1 lets a forgotten replication slot fill the volume",
    ("log_min_messages", "panic"): "panic hides why a server does not start",
    ("ssl", "True"): "on needs server.crt and server.key in the data directory: the server does not start without them",
    ("synchronous_commit", "off"): "off loses the last commits at a crash",
    ("data_sync_retry", "True"): "on can lose data that the disk refused",
    ("ignore_invalid_pages", "True"): "on can lose data in a recovery",
    ("ignore_checksum_failure", "True"): "on hands out damaged data",
    ("restart_after_crash", "False"): "off ends the pod at the crash of one session",
}


_LOADED_BY_SESSIONS: dict[str, set[str]] = {
    "session_preload_libraries": {"auto_explain"},
    "local_preload_libraries": set(),
}
"""The parameters, with the libraries that the image has for certain."""
_LOCALES = {"C", "POSIX", "C.UTF-8", "C.utf8", "C.UTF8"}
_OF_THE_IMAGE = {
    "shared_preload_libraries": {
        *("auth_delay", "auto_explain", "basebackup_to_shell", "passwordcheck", "pg_overexplain", "pg_prewarm"),
        *("pg_stat_statements", "test_decoding"),
    },
    **dict.fromkeys(("lc_messages", "lc_monetary", "lc_numeric", "lc_time"), _LOCALES),
    "timezone_abbreviations": {"Default", "Australia", "India"},
}
"""Parameters that name something of the image, with what is in each image: of PostgreSQL's own distribution."""
_LARGEST_STACK_KB = 7680
_SHORTEST = {
    "statement_timeout": 1000,
    "transaction_timeout": 1000,
    "lock_timeout": 1000,
    "idle_session_timeout": 1000,
    "idle_in_transaction_session_timeout": 1000,
    "client_connection_check_interval": 1000,
    "tcp_user_timeout": 1000,
    "authentication_timeout": 5,
}
"""In the unit of the parameter. Shorter ones are rarely meant: 5 is often meant as seconds."""
_TIMEOUT_EFFECTS = {
    "statement_timeout": "each longer query is canceled, that of an application too",
    "transaction_timeout": "each longer transaction is ended",
    "lock_timeout": "each longer wait for a lock ends in an error",
    "idle_session_timeout": "a connection that is idle that long is closed, those of a pool too",
    "idle_in_transaction_session_timeout": "a transaction that pauses that long is ended",
    "client_connection_check_interval": "each running query checks its connection that often",
    "tcp_user_timeout": "a connection whose network stalls that long is cut",
    "authentication_timeout": "a slow client cannot connect",
}


def _library_names(value: str) -> list[str]:
    return [name for part in value.split(",") if (name := part.strip().strip('"'))]


def _short_timeout(name: str, value: str, number: Decimal, unit: str) -> str:
    suggestion = f"; did you mean {value.strip()}s?" if unit == "ms" and value.strip().isdigit() else ""
    return f"{value} is {number.normalize():f} {unit}: {_TIMEOUT_EFFECTS[name]}{suggestion}"


def _unwise(path: str, name: str, setting: settings.Setting | None, value: str) -> _Problems:
    parsed_value = setting.read(value) if setting is not None else value
    if name == "huge_pages" and parsed_value != "off":
        yield _warning(path, f"{value!r} crashes with a bus error on a node with huge pages: the pod asks for none")
    elif name == "logging_collector" and parsed_value is True:
        yield _warning(
            path,
            "on hides the log: it goes to files in the data directory, not to kubectl logs, and a server that does not "
            "start cannot say why",
        )
    elif name == "synchronous_standby_names" and value.strip():
        yield _warning(path, "commits wait for these standbys, and pgwizard creates none: every commit would hang")
    elif name in _LOADED_BY_SESSIONS and not set(_library_names(value)) <= _LOADED_BY_SESSIONS[name]:
        yield _warning(
            path,
            f"{value}: every connection loads it; if the image lacks it, every connection fails, and the pod still "
            "counts as ready",
        )
    elif name == "jit_provider" and value != "llvmjit":
        yield _warning(path, f"{value}: if the image lacks it, nothing is compiled, and no error says so")
    elif isinstance(parsed_value, Decimal) and name in _SHORTEST and 0 < parsed_value < _SHORTEST[name]:
        yield _warning(path, _short_timeout(name, value, parsed_value, setting.unit if setting else ""))
    elif name == "log_directory" and value.startswith("/"):
        yield _warning(path, f"{value}: the container can write to the data directory alone")
    elif name in _OF_THE_IMAGE and not set(_library_names(value)) <= _OF_THE_IMAGE[name]:
        english = name != "lc_messages" or value.startswith(("C", "en", "POSIX"))
        yield _warning(
            path,
            f"{value}: the server does not start if the image lacks it"
            f"{'' if english else '; pgwizard finds causes and fixes in English messages only'}",
        )
    elif name == "max_stack_depth" and isinstance(parsed_value, Decimal) and parsed_value > _LARGEST_STACK_KB:
        yield _warning(
            path, f"{value}: the server does not start where the node's stack limit is 8 MB, as it usually is"
        )
    elif name == "log_destination" and "stderr" not in value:
        yield _warning(path, f"{value} keeps the log from kubectl logs: a server that does not start cannot say why")
    elif text := _UNWISE.get((name, str(parsed_value))):
        yield _warning(path, text)


# ---- secrets -------------------------------------------------------------------------------------------------------


def _own_secrets(answers: Answers, _: Facts) -> _Problems:
    """A Secret that the answers name as existing, with the name of one that the release creates itself."""
    repository, names = answers.repository, Names.of(answers.release.name)
    uses: dict[str, BaseModel | None] = {"credentials": answers.credentials}
    if repository.enabled:
        uses |= {"repository.credentials": repository.credentials, "repository.cipher": repository.cipher}
    own = {"credentials": names.credentials, "repository.credentials": names.s3, "repository.cipher": names.cipher}
    existing = {
        path: use.secret
        for path, use in uses.items()
        if isinstance(use, (ExistingCredentials, ExistingCipher))
        or (isinstance(use, ExistingS3Credentials) and not mirrored_s3(answers))
    }
    own_names = {own[path] for path, use in uses.items() if use is not None and path not in existing}
    if answers.has_tls_mirror():
        own_names.add(names.ca)
    for path, secret in existing.items():
        if secret in own_names:
            yield Finding(f"{path}.secret", f"{secret} is a Secret that the release creates for something else")


STORE_ADMINISTRATORS = frozenset({"rootUser", "root-user", "MINIO_ROOT_USER"})
"""Keys and variables that hold the credentials of an S3 store's administrator."""


def _administrator(answers: Answers, _: Facts) -> _Problems:
    """Warn of administrator keys: anyone with access to the database's pod can read them."""
    credentials = answers.repository.credentials
    if not answers.repository.enabled:
        return
    name, key = "", "accessKey"
    if isinstance(credentials, ExistingS3Credentials):
        name, key = credentials.access_key_key, "accessKeyKey"
    elif isinstance(credentials, EnvS3Credentials):
        name = credentials.access_key
    if name in STORE_ADMINISTRATORS:
        yield _warning(
            f"repository.credentials.{key}",
            f"{name} is the store's own administrator, and the pod would hold its keys: make a user that may only use "
            f"this bucket",
        )


# ---- repository and TLS --------------------------------------------------------------------------------------------


def _endpoint(answers: Answers, _: Facts) -> _Problems:
    repository = answers.repository
    if not repository.enabled:
        return
    server, question = s3_server(answers), host_question(answers)
    version = pgbackrest.version(answers.images.pgbackrest_version)
    if version < pgbackrest.HTTP_SINCE:  # pgBackRest reads the endpoint too, even if an option replaces its host
        schemes = {"repository.endpoint": repository.s3_endpoint.scheme, question: server.scheme}
        for path in (path for path, scheme in schemes.items() if scheme == "http"):
            yield _too_old(path, "http://", pgbackrest.HTTP_SINCE, answers)
    elif server.scheme == "http" and answers.tls.verify:
        yield Finding("tls.verify", "http:// has no certificate to verify: set it to false, or use https")
    if repository.uri_style == "host" and not re.fullmatch(r"[a-z0-9][-.a-z0-9]*", repository.bucket):
        yield Finding(
            "repository.bucket", f"{repository.bucket} cannot be part of a host name: set repository.uriStyle to path"
        )
    endpoint = repository.s3_endpoint
    without_names = endpoint.is_address or endpoint.is_loopback
    if repository.uri_style == "host" and without_names and question == "repository.endpoint":
        yield Finding("repository.uriStyle", f"host puts the bucket before {endpoint.host}: use path")
    if "." in repository.bucket and version < pgbackrest.DOTTED_BUCKET_SINCE:
        yield _too_old("repository.bucket", "a dot in a bucket's name", pgbackrest.DOTTED_BUCKET_SINCE, answers)
    if server.is_loopback:
        yield _warning(
            question,
            f"{server.host} is the pod itself, not this machine: give a host that the pod reaches, such as "
            "minio.minio.svc:9000",
        )
    elif server.is_address and answers.tls.verify and version < pgbackrest.IP_SAN_SINCE:
        yield _warning(
            question,
            f"pgBackRest {answers.images.pgbackrest_version} finds no IP address among a certificate's alternative "
            f"names: give a host name, or use {pgbackrest.version_text(pgbackrest.IP_SAN_SINCE)} or newer",
        )
    yield from server_findings(answers)
    yield from _s3_names(answers)
    if server.port == 9001:
        yield _warning("repository.endpoint", "9001 is where MinIO has its console; its S3 API is on 9000")


_AWS = re.compile(
    r"(?:.+\.)?s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-[0-9])\.amazonaws\.com(?:\.cn)?", re.IGNORECASE
)


def _s3_names(answers: Answers) -> _Problems:
    """A bucket or a region that the endpoint's host has as well, and differently."""
    repository = answers.repository
    host = repository.s3_endpoint.host
    if host.lower().startswith(f"{repository.bucket.lower()}.s3.") and ".svc" not in host:
        rest = repository.s3_endpoint.host[len(repository.bucket) + 1 :]
        yield _warning(
            "repository.endpoint",
            f"{host} begins with the bucket, which pgBackRest adds once more: give {rest}, "
            "and set repository.uriStyle to host if the bucket belongs there",
        )
    aws = _AWS.fullmatch(host)
    there = aws[1].lower() if aws else ""
    if (
        host.lower() == "s3.amazonaws.com" and repository.uri_style == "path"
    ):  # with the bucket in its name it redirects
        there = "us-east-1"
    if there not in ("", repository.region):
        yield _warning(
            "repository.region", f"{host} is in {there}, not in {repository.region}: S3 refuses every request"
        )


def _certificate(answers: Answers, facts: Facts) -> _Problems:
    if not answers.repository.enabled:
        return
    if not answers.tls.verify:
        yield _warning("tls.verify", "false: backups go to whoever answers at the endpoint")
        return
    source = answers.tls.source
    if facts.ca is None and source is None and answers.tls.ca_file is not None:
        yield Finding("tls.caFile", f"{answers.tls.ca_file} was not read")
    if facts.ca is None and source is not None:
        yield Finding(
            "tls.source",
            f"Secret {source.namespace}/{source.secret} cannot be looked up without a cluster: give its "
            f"{source.key} as a file with --ca-file or tls.caFile (kubectl -n {source.namespace} get secret "
            f"{source.secret} -o jsonpath='{{.data.{source.key.replace('.', chr(92) + '.')}}}' | base64 -d)",
        )


def _too_old(path: str, what: str, least: pgbackrest.Version, answers: Answers) -> Finding:
    return Finding(
        path,
        f"{what} needs pgBackRest {pgbackrest.version_text(least)} or newer; images.pgbackrestVersion is "
        f"{answers.images.pgbackrest_version}",
    )


# ---- schedule and retention ----------------------------------------------------------------------------------------


def _schedule(answers: Answers, _: Facts) -> _Problems:
    if not answers.repository.enabled:
        return
    schedules: dict[str, cron.CronSchedule] = {}
    for name in ("full", "incremental", *(name for name in ("verify", "drill") if getattr(answers.schedule, name))):
        try:
            schedules[name] = cron.CronSchedule(getattr(answers.schedule, name))
        except ValueError as error:
            yield Finding(f"schedule.{name}", str(error))
    try:
        zone = cron.zone(answers.schedule.time_zone)
    except ValueError as error:
        yield Finding("schedule.timeZone", str(error))
        return
    if (
        "full" in schedules
        and "incremental" in schedules
        and (moment := cron.collision(schedules["full"], schedules["incremental"], zone))
    ):
        yield _warning(
            "schedule.incremental",
            f"starts together with the full backup, first at {moment:%A %H:%M}: one waits for the other; "
            "keep the days apart, as in 0 2 * * 0 and 0 2 * * 1-6",
        )
    for name, schedule in schedules.items():
        yield from _frequency(name, schedule)
        if warning := _clock_changes(schedule, zone, answers.schedule.time_zone):
            yield _warning(f"schedule.{name}", warning)


_OFTEN_SECONDS = {"full": 3600, "incremental": 300, "verify": 86_400, "drill": 86_400}
_OFTEN_EFFECTS = {
    "full": "each copies the whole database",
    "incremental": "one that takes longer makes the next be skipped",
    "verify": "each reads the whole repository, and backups wait for it",
    "drill": "each restores the whole database",
}
_LONG_DAYS = 100
"""A quarter of a year, and a few days."""


def _frequency(name: str, schedule: cron.CronSchedule) -> _Problems:
    if not schedule.is_at_most_daily and (shortest := schedule.shortest_gap_seconds()) < _OFTEN_SECONDS[name]:
        at_times = " at times" if shortest < schedule.longest_gap_seconds() else ""
        yield _warning(f"schedule.{name}", f"starts every {span(shortest)}{at_times}: {_OFTEN_EFFECTS[name]}")
    if name == "full" and (days := schedule.longest_gap_seconds() // 86_400) > _LONG_DAYS:
        yield _warning(
            "schedule.full",
            f"full backups are up to {days} days apart: a restore replays all incremental ones in between, and nothing "
            "expires before",
        )


_RARE_SECONDS = 4 * 3600
"""No warning for a schedule that runs more often: the run before or after a lost one is as good."""


def _clock_changes(schedule: cron.CronSchedule, zone: tzinfo, zone_name: str) -> str:
    changes = schedule.clock_changes(zone)
    skipped_run, double_run = changes.skipped_run, changes.double_run
    if not (skipped_run or double_run) or schedule.shortest_gap_seconds() < _RARE_SECONDS:
        return ""
    effects = []
    if skipped_run:
        effects.append(f"the run at {skipped_run:%H:%M} is skipped once in {skipped_run:%B}")
    if double_run:
        same = skipped_run is not None and skipped_run.time() == double_run.time()
        effects.append(f"{'' if same else f'the run at {double_run:%H:%M} '}starts twice in {double_run:%B}")
    steady = schedule.without_clock_changes(zone)
    fix = f"use {steady.cron} instead" if steady else "choose another hour or day"
    return f"clocks change in {zone_name}: {' and '.join(effects)}; {fix}"


def _retention(answers: Answers, _: Facts) -> _Problems:
    if not answers.repository.enabled:
        return
    retention = answers.retention
    if retention.full is None:
        yield _warning("retention.full", "null: no backup ever expires, and the bucket grows until it is full")
        return
    try:
        full = cron.CronSchedule(answers.schedule.full)
    except ValueError:
        return  # reported elsewhere
    gap_days = full.shortest_gap_seconds() / 86_400
    if retention.full_type == "count":
        yield from _short_reach(full, retention.full)
    kept_days = retention.full * (gap_days if retention.full_type == "count" else 1)
    if kept_days > 3650:
        yield _warning(
            "retention.full",
            f"{retention.full:,} {'full backups' if retention.full_type == 'count' else 'days'} are "
            f"{kept_days / 365:,.0f} years: practically forever",
        )


_SHORTEST_REACH_SECONDS = 86_400


def _short_reach(full: cron.CronSchedule, count: int) -> _Problems:
    """Right after a full backup the oldest one goes, and recovery reaches back to the next."""
    if count == 1:
        yield _warning(
            "retention.full", "1: right after a full backup no earlier moment can be recovered; use 2 or more"
        )
    elif (reach := full.shortest_gap_seconds(count - 1)) < _SHORTEST_REACH_SECONDS:
        yield _warning(
            "retention.full",
            f"{count} full backups reach back {span(reach)} at times: keep more, or take full ones less often",
        )


# ---- pgBackRest ----------------------------------------------------------------------------------------------------

_ANSWERED_ELSEWHERE = {
    "repo-type": "it is S3",
    "repo-path": "use repository.path",
    "repo-s3-bucket": "use repository.bucket",
    "repo-s3-endpoint": "use repository.endpoint",
    "repo-s3-region": "use repository.region",
    "repo-s3-uri-style": "use repository.uriStyle",
    "repo-storage-verify-tls": "use tls.verify",
    "repo-storage-ca-file": "use tls.source",
    "repo-storage-ca-path": "use tls.source",
    "repo-cipher-type": "use repository.cipher",
    "repo-bundle": "use advanced.bundle",
    "repo-block": "use advanced.block",
    "repo-retention-full": "use retention.full",
    "repo-retention-full-type": "use retention.fullType",
    "compress-type": "use compression.type",
    "compress-level": "use compression.level",
    "process-max": "use advanced.processMax",
    "start-fast": "it is always on",
    "archive-async": "use advanced.archiveAsync",
    "archive-push-queue-max": "use advanced.archivePushQueueMax",
    "spool-path": "it is on the volume, outside pg_wal",
    "log-level-console": "use advanced.logLevel",
    "log-level-file": "it is warn, in /var/log/pgbackrest: nothing rotates it",
    "log-path": "it is /var/log/pgbackrest",
    "lock-path": "the scripts and info read it where it is",
    "pg-path": "it is the data directory",
    "pg-socket-path": "it is the image's socket",
    "pg-port": "it is 5432",
    "pg-user": "it is the superuser of credentials",
    "pg-database": "it is postgres",
}


_REFUSALS = {
    "archive-check": "a backup without its WAL cannot be restored",
    "archive-header-check": "it keeps the WAL of another cluster out of the repository",
    "archive-mode": "a restored database would archive nothing",
    "archive-mode-check": "the WAL of a standby would be archived twice",
    "backup-standby": "there is no standby",
    "compress": "use compression.type",
    "link-map": "the data directory has no links",
    "pg-host-": "backups run in the database's own pod",
    "pg-version-force": "the version is that of the image",
    "repo-azure-": "the repository is S3",
    "repo-gcs-": "the repository is S3",
    "repo-host-": "backups run in the database's own pod",
    "repo-s3-sse-customer-key": "no Secret of a release holds it: encrypt with repository.cipher",
    "repo-s3-token": "a session token expires within hours: use a key pair that does not",
    "repo-sftp-": "the repository is S3",
    "repo-target-time": "status, archiving and backups would see the repository as it was",
    "tls-server-": "no pgBackRest server runs here",
}
"""Options that break backups, or have no use here; a name that ends in ``-`` is a family."""

_UNWISE_OPTIONS = {
    ("checksum-page", "n"): "a backup with damaged pages looks like a good one",
    ("expire-auto", "n"): "no backup ever expires, and the bucket grows until it is full",
    ("exclude", None): "what is excluded is missing from every backup",
    ("page-header-check", "n"): "a backup with damaged pages looks like a good one",
    ("repo-retention-archive", None): "WAL expires before its backups: older ones cannot be rolled forward",
}
_OTHER_KEYS = {
    "auto": "the role of the node's instance is used, which the metadata service of the cloud gives to pods",
    "process": "a program of the image is asked",
    "web-id": "the role of the pod's ServiceAccount is used",
    "pod-id": "the role of the pod's ServiceAccount is used",
}
"""Values of repo-s3-key-type that leave the key pair unused."""


def _options(answers: Answers, _: Facts) -> _Problems:
    if not answers.repository.enabled:
        return
    release = pgbackrest.version(answers.images.pgbackrest_version)
    names_before: set[str] = set()
    for name, value in answers.advanced.options.items():
        path, plain = f"advanced.options.{name}", pgbackrest.strip_index(name)
        if plain in names_before:
            yield Finding(path, "set twice, with and without its index")
        names_before.add(plain)
        since, option = pgbackrest.since(name), pgbackrest.of(name, release)
        if reason := _reason_to_refuse(plain):
            yield Finding(path, f"cannot be set: {reason}")
        elif pgbackrest.is_secret(plain):
            yield Finding(path, "is a secret: it comes from a Secret, never from a configuration file")
        elif plain in _ANSWERED_ELSEWHERE or (plain == "archive-timeout" and answers.advanced.archive_async):
            yield Finding(
                path, f"is already answered: {_ANSWERED_ELSEWHERE.get(plain, 'advanced.archiveAsync sets it to 120 s')}"
            )
        elif unknown := pgbackrest.find_unknown(name, release):
            yield Finding(path, unknown)
        elif option is None and since is not None:
            yield _too_old(path, name, since, answers)
        elif option is not None:
            yield from _option_value(path, option, value, release)
            if option.name == "repo-s3-key-type":
                yield from _key_type(path, value, answers)
    yield from _timeouts(answers.advanced.options, release)


def _timeouts(options: Mapping[str, str], release: pgbackrest.Version) -> _Problems:
    """Where one alone is set, pgBackRest moves the other; both as here make it refuse every command."""
    protocol, db = options.get("protocol-timeout"), options.get("db-timeout")
    if protocol is None or db is None:
        return
    with contextlib.suppress(ValueError):  # a value that is no time is named as such
        if pgbackrest.milliseconds(protocol, release) <= pgbackrest.milliseconds(db, release):
            yield Finding(
                "advanced.options.protocol-timeout",
                f"{protocol} is not longer than db-timeout, {db}: pgBackRest would refuse every command",
            )


def _reason_to_refuse(plain: str) -> str:
    """The reason for the option itself, or for its family."""
    reasons = (
        reason
        for name, reason in _REFUSALS.items()
        if plain == name or (name.endswith("-") and f"{plain}-".startswith(name))
    )
    return next(reasons, "")


def _option_value(path: str, option: pgbackrest.ConfigOption, value: str, release: pgbackrest.Version) -> _Problems:
    try:
        option.check(value, release)
    except ValueError as error:
        yield Finding(path, str(error))
        return
    effect = _UNWISE_OPTIONS.get((option.name, value)) or _UNWISE_OPTIONS.get((option.name, None))
    if effect:
        yield _warning(path, f"{value} weakens backups: {effect}")


def _key_type(path: str, value: str, answers: Answers) -> _Problems:
    """A pod has what the answers give it, and what a cloud's webhook adds for a ServiceAccount."""
    options = set(map(pgbackrest.strip_index, answers.advanced.options))
    if value in ("web-id", "pod-id") and answers.pods.service_account is None:
        yield Finding(
            path, f"{value} needs a ServiceAccount that has a role of the cloud: name it in pods.serviceAccount"
        )
    elif value == "process" and "repo-s3-process-cmd" not in options:
        yield Finding(path, f"{value} needs repo1-s3-process-cmd")
    elif value in _OTHER_KEYS:
        yield _warning(path, f"{value} leaves repository.credentials unused: {_OTHER_KEYS[value]}")


def _versions(answers: Answers, _: Facts) -> _Problems:
    if not answers.repository.enabled:
        return
    version = pgbackrest.version(answers.images.pgbackrest_version)
    if (least := pgbackrest.POSTGRESQL_SINCE.get(answers.images.postgresql_version)) and version < least:
        yield _too_old("images.postgresqlVersion", f"PostgreSQL {answers.images.postgresql_version}", least, answers)
    if answers.advanced.bundle and version < pgbackrest.BUNDLE_SINCE:
        yield _too_old("advanced.bundle", "bundling", pgbackrest.BUNDLE_SINCE, answers)
    if answers.advanced.block:
        if version < pgbackrest.BLOCK_SINCE:
            yield _too_old("advanced.block", "block incremental", pgbackrest.BLOCK_SINCE, answers)
        if not answers.advanced.bundle:
            yield Finding("advanced.block", "block incremental needs advanced.bundle: true")
    if (least := pgbackrest.COMPRESSION_SINCE.get(answers.compression.type)) and version < least:
        yield _too_old("compression.type", answers.compression.type, least, answers)


def _queue(answers: Answers, _: Facts) -> _Problems:
    queue = answers.advanced.archive_push_queue_max
    if not answers.repository.enabled or queue is None:
        return
    if quantities.size_bytes(queue) > pgbackrest.QUEUE_MAX_BYTES:
        yield Finding("advanced.archivePushQueueMax", f"{queue} is more than pgBackRest accepts; expected 4Pi at most")
    else:
        yield _warning(
            "advanced.archivePushQueueMax",
            f"past {queue} WAL is dropped, and recovery ends there",
        )


_RULES: tuple[Callable[[Answers, Facts], _Problems], ...] = (
    _volume,
    _memory,
    _processes,
    _overrides,
    _requests,
    _ephemeral_storage,
    _own_secrets,
    _administrator,
    _endpoint,
    _certificate,
    _schedule,
    _retention,
    _versions,
    _options,
    _queue,
)
