"""The chart's values: grouped and named as the questions, and where each field of a plan is among them. Pure.

A value that pgwizard computes is among them too, because Helm cannot: ``ChartValue.note`` says what it follows from.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from operator import attrgetter
from typing import Any

from pydantic.alias_generators import to_camel

from pgwizard.answers.questions import (
    LABEL_LENGTH,
    LABEL_MATCHING,
    PRINTABLE,
    VISIBLE,
    Answers,
    Cpu,
    Identifier,
    Namespace,
    NodeLabel,
    ObjectName,
    OptionName,
    ParameterName,
    SecretKey,
    Size,
    question_of,
)
from pgwizard.answers.schema import field_at
from pgwizard.export.translate import TemplateKind, Terms
from pgwizard.plan import cron
from pgwizard.plan.alerts import Alerts
from pgwizard.plan.names import Names
from pgwizard.plan.plan import Facts, Pair, Plan, resolve
from pgwizard.plan.tuning import Parameter

RELEASE_NAME = "$.Release.Name"
_PLACEHOLDER = "release-name"
_NAMESPACE = "release-namespace"
_POSITIVE = {"type": "integer", "minimum": 1}
_BYTES = {"type": "string", "pattern": "^[1-9][0-9]*$", "maxLength": 19}


def _object(properties: Mapping[str, Any], *optional: str, null: bool = False) -> dict[str, Any]:
    """A schema: exactly these keys."""
    return {
        "type": ["object", "null"] if null else "object",
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
        "properties": dict(properties),
    }


def _list(properties: Mapping[str, Any], *optional: str, **keywords: Any) -> dict[str, Any]:
    return {"type": "array", "items": {**_object(properties, *optional), **keywords}}


_TOLERATIONS = _list(
    {
        "key": NodeLabel,
        "operator": {"enum": ["Equal", "Exists"]},
        "value": {"type": "string", "maxLength": LABEL_LENGTH, **LABEL_MATCHING.keywords},
        "effect": {"enum": ["", "NoSchedule", "PreferNoSchedule", "NoExecute"]},
    },
    "value",
    "effect",
    **{"if": {"properties": {"operator": {"const": "Exists"}}}, "then": {"properties": {"value": {"maxLength": 0}}}},
)
_LEVELS = {"gz": (0, 9), "zst": (-7, 22), "lz4": (-5, 12), "bz2": (1, 9)}

SECTION_RULES: Mapping[str, Mapping[str, Any]] = {
    "compression": {
        "allOf": [
            *(
                {
                    "if": {"properties": {"type": {"const": name}}},
                    "then": {
                        "required": ["level"],
                        "properties": {"level": {"type": "integer", "minimum": least, "maximum": most}},
                    },
                }
                for name, (least, most) in _LEVELS.items()
            ),
            {
                "if": {"properties": {"type": {"const": "none"}}},
                "then": {"properties": {"level": {"type": "null"}}},
            },
        ]
    }
}
"""By section, what its schema demands of several values together."""


@dataclass(frozen=True, slots=True)
class ChartValue:
    """One value of the chart.

    path: dotted, in values.yaml. term: the field of the plan that it is, as templates name it; empty where it is no
    field. read: from the plan, where it is not the field as it is. note: printed above it, instead of the question's
    help. schema: where there is no question at the path, or another kind of answer to it; in it, a type is what the
    answers accept as that type. is_number: a whole number.
    """

    path: str
    term: str = ""
    read: Callable[[Plan], Any] | None = None
    note: str = ""
    schema: Any = None
    is_number: bool = False

    @property
    def about(self) -> str:
        """What it is, for a person: the note, or the question's help."""
        field = field_at(tuple(self.path.split(".")), lambda _: "")
        question = question_of(field.metadata) if field else None
        return self.note or (question.help if question else "")

    def of(self, plan: Plan) -> Any:
        """The value, as YAML holds it."""
        value = self.read(plan) if self.read else attrgetter(self.term)(plan)
        return int(value) if self.is_number and value is not None else value


def _named_values(pairs: Iterable[Pair | Parameter]) -> list[dict[str, str]]:
    return [asdict(pair) for pair in pairs]


def _mapping(pairs: Iterable[Pair]) -> dict[str, str]:
    return {pair.name: pair.value for pair in pairs}


def _job_labels(plan: Plan) -> dict[str, str]:
    """Those of the Jobs alone."""
    return _mapping(pair for pair in plan.job_labels if pair not in plan.backup_labels)


def _cipher(plan: Plan) -> dict[str, str] | None:
    ref = plan.cipher_pass
    return None if ref is None else {"secret": ref.secret, "passphraseKey": ref.key}


def _ca_source(plan: Plan) -> dict[str, str] | None:
    parts = (plan.ca_source or "").split("/")
    is_secret = bool(plan.ca_source) and not str(plan.ca_source).startswith("file ")
    return dict(zip(("namespace", "secret", "key"), parts, strict=True)) if is_secret else None


def _version(plan: Plan) -> int:
    return int(next(pair.value for pair in plan.labels if pair.name == "app.kubernetes.io/version"))


VALUES = (
    ChartValue("release.database", "database"),
    ChartValue("images.postgresql", "image"),
    ChartValue("images.postgresqlVersion", read=_version, is_number=True),
    ChartValue("images.kubectl", "kubectl_image"),
    ChartValue("images.pullPolicy", "pull_policy"),
    ChartValue("images.pullSecrets", "pull_secrets", lambda plan: list(plan.pull_secrets)),
    ChartValue(
        "credentials.secret",
        "username.secret",
        note="The Secret with the superuser's name and password. It must exist before the install.",
        schema=ObjectName,
    ),
    ChartValue("credentials.usernameKey", "username.key", schema=SecretKey),
    ChartValue("credentials.passwordKey", "password.key", schema=SecretKey),
    ChartValue(
        "credentials.username",
        "probe_user",
        note="The superuser's name, for the probes. null: they read it from the Secret.",
        schema=Identifier | None,
    ),
    ChartValue("storage.size", "storage_size"),
    ChartValue("storage.storageClass", "storage_class"),
    ChartValue("storage.dataChecksums", "data_checksums"),
    ChartValue("tuning.memory", "memory_limit"),
    ChartValue(
        "tuning.sharedMemoryBytes",
        "shm_size",
        note="Computed: a quarter of the memory limit, 64 MiB at least, for parallel queries.",
        schema=_BYTES,
    ),
    ChartValue(
        "tuning.parameters",
        "parameters",
        lambda plan: _named_values(plan.parameters),
        note="Computed: every line of postgresql.conf, with its reason. For another memory limit, CPU or workload, "
        "compute them again: pgwizard export ANSWERS --values-only.",
        schema=_list(
            {
                "name": ParameterName,
                "value": {"type": "string", "maxLength": 1024, **VISIBLE.keywords},
                "reason": {"type": "string", **VISIBLE.keywords},
            },
            "reason",
        ),
    ),
    ChartValue("resources.memoryRequest", "memory_request", note="The memory that is reserved.", schema=Size),
    ChartValue("resources.cpuRequest", "cpu_request"),
    ChartValue("resources.cpuLimit", "cpu_limit", note="The most CPU that the pod may use.", schema=Cpu),
    ChartValue("repository.enabled", "backups"),
    ChartValue("repository.endpoint", "s3_endpoint"),
    ChartValue(
        "repository.port",
        "s3_port",
        note="The endpoint's port, for the NetworkPolicy.",
        schema={"type": "integer", "minimum": 1, "maximum": 65535},
        is_number=True,
    ),
    ChartValue(
        "repository.serverNamespace",
        "s3_namespace",
        note="The namespace of the S3 server's pods, for the NetworkPolicy. null: it is outside the cluster.",
        schema=Namespace | None,
    ),
    ChartValue("repository.bucket", "s3_bucket"),
    ChartValue("repository.region", "s3_region"),
    ChartValue("repository.path", "repository_path"),
    ChartValue("repository.uriStyle", "s3_uri_style"),
    ChartValue(
        "repository.credentials.secret",
        "s3_key.secret",
        note="The Secret with the S3 key pair, in the release's namespace. It must exist before the install.",
        schema=ObjectName,
    ),
    ChartValue("repository.credentials.accessKeyKey", "s3_key.key", schema=SecretKey),
    ChartValue("repository.credentials.secretKeyKey", "s3_key_secret.key", schema=SecretKey),
    ChartValue(
        "repository.cipher",
        "cipher_pass",
        _cipher,
        note="null: no encryption. Else the passphrase's Secret and its key: {secret: ..., passphraseKey: ...}.",
        schema=_object({"secret": ObjectName, "passphraseKey": SecretKey}, null=True),
    ),
    ChartValue(
        "tls.enabled",
        "tls",
        note="Whether the certificate below is mirrored and trusted. false: only the image's public authorities are.",
        schema={"type": "boolean"},
    ),
    ChartValue("tls.verify", "verify_tls"),
    ChartValue(
        "tls.source",
        read=_ca_source,
        note="The Secret whose certificate is mirrored. It is read from the cluster at each install and upgrade.",
        schema=_object({"namespace": Namespace, "secret": ObjectName, "key": SecretKey}, null=True),
    ),
    ChartValue(
        "tls.certificate",
        read=lambda plan: "" if _ca_source(plan) else base64.b64decode(plan.ca_certificate or "").decode(),
        note="PEM text to trust instead. Needed where no cluster can be read (helm template, Argo CD): "
        "--set-file tls.certificate=ca.crt.",
        schema={"type": "string"},
    ),
    ChartValue("schedule.full", "full_schedule", schema=cron.schema()),
    ChartValue("schedule.incremental", "incremental_schedule", schema=cron.schema()),
    ChartValue("schedule.verify", "verify_schedule", schema={"anyOf": [cron.schema(), {"type": "null"}]}),
    ChartValue("schedule.drill", "drill_schedule", schema={"anyOf": [cron.schema(), {"type": "null"}]}),
    ChartValue("schedule.drillCpuRequest", "drill_cpu_request", note="Computed: at most 100m.", schema=Cpu),
    ChartValue("schedule.drillMemoryRequest", "drill_memory_request", note="Computed: at most 256Mi.", schema=Size),
    ChartValue("schedule.timeZone", "time_zone"),
    ChartValue(
        "schedule.fullDeadlineSeconds",
        "full_deadline_seconds",
        note="Computed: a tenth less than to the next start, a day at most.",
        schema=_POSITIVE,
        is_number=True,
    ),
    ChartValue(
        "schedule.incrementalDeadlineSeconds",
        "incremental_deadline_seconds",
        note="Computed: a tenth less than to the next start, a day at most.",
        schema=_POSITIVE,
        is_number=True,
    ),
    ChartValue("retention.full", "retention_full", is_number=True),
    ChartValue("retention.fullType", "retention_full_type"),
    ChartValue(
        "compression.type",
        "compress_type",
        note="How backups and WAL are compressed: gz, zst, lz4, bz2 or none.",
        schema={"enum": ["gz", "zst", "lz4", "bz2", "none"]},
    ),
    ChartValue(
        "compression.level",
        "compress_level",
        note="gz: 0 to 9, zst: -7 to 22, lz4: -5 to 12, bz2: 1 to 9. null for none.",
        schema={"type": ["integer", "null"]},
        is_number=True,
    ),
    ChartValue(
        "advanced.processMax",
        "process_max",
        note="process-max of a backup, at most one per core.",
        schema={**_POSITIVE, "maximum": 999},
        is_number=True,
    ),
    ChartValue("advanced.bundle", "bundle"),
    ChartValue("advanced.block", "block"),
    ChartValue("advanced.archiveAsync", "archive_async"),
    ChartValue(
        "advanced.archivePushQueueMax",
        "archive_push_queue_max",
        note="archive-push-queue-max, in bytes and in quotes: above it WAL is dropped. null: never.",
        schema={**_BYTES, "type": ["string", "null"]},
    ),
    ChartValue("advanced.logLevel", "log_level"),
    ChartValue("advanced.networkPolicy", "network_policy"),
    ChartValue("advanced.prometheusRule", read=lambda plan: plan.prometheus_rule),
    ChartValue(
        "advanced.options",
        "options",
        lambda plan: _named_values(plan.options),
        note="Any other option of pgbackrest.conf: a list of {name: ..., value: ...}.",
        schema=_list(
            {"name": OptionName, "value": {"type": "string", "minLength": 1, "maxLength": 1024, **PRINTABLE.keywords}}
        ),
    ),
    ChartValue("pods.labels", read=lambda plan: _mapping(plan.answered_labels)),
    ChartValue("pods.annotations", read=lambda plan: _mapping(plan.pod_annotations)),
    ChartValue("pods.nodeSelector", read=lambda plan: _mapping(plan.node_selector)),
    ChartValue(
        "pods.tolerations",
        "tolerations",
        lambda plan: [asdict(toleration) for toleration in plan.tolerations],
        note="Taints that do not keep the pods away: a list of {key: ..., operator: ..., value: ..., effect: ...}.",
        schema=_TOLERATIONS,
    ),
    ChartValue("pods.priorityClass", "priority_class"),
    ChartValue("pods.runtimeClass", "runtime_class"),
    ChartValue("pods.serviceAccount", "service_account"),
    ChartValue("pods.ephemeralStorageRequest", "ephemeral_storage_request"),
    ChartValue("pods.ephemeralStorageLimit", "ephemeral_storage_limit"),
    *(
        ChartValue(f"{section}.{to_camel(name)}", f"{part}.{name}")
        for section, part in (("initContainer", "init_resources"), ("jobs", "job_resources"))
        for name in ("cpu_request", "cpu_limit", "memory_request", "memory_limit")
    ),
    ChartValue("jobs.labels", read=_job_labels),
    ChartValue("jobs.annotations", read=lambda plan: _mapping(plan.job_annotations)),
)
"""Every value, in the order of the questions."""

_PROMETHEUS_RULE = (
    "(and $.Values.advanced.prometheusRule $.Values.repository.enabled "
    '($.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PrometheusRule"))'
)
LABEL_LISTS = ("labels", "selector", "backup_labels")
ANSWERED_LISTS = ("job_labels", "job_annotations", "pod_annotations", "node_selector")
CONFIGURATIONS: tuple[TemplateKind, ...] = ("postgresql.conf", "pgbackrest.conf")
SCRIPTS = ("apart.sh", "backup.sh", "drill.sh", "init.sh", "minio-ca-init.sh", "verify.sh")
"""Files without an expression in them."""


def terms() -> Terms:
    """What the names of the templates are in the chart."""
    names = Names.of(_PLACEHOLDER)
    table = {f"names.{item.name}": _name_expression(getattr(names, item.name)) for item in fields(Names)}
    alerts = Alerts.of(names, _NAMESPACE)
    table |= {f"alerts.{item.name}": _alert(getattr(alerts, item.name)) for item in fields(Alerts)}
    table |= {value.term: f"$.Values.{value.path}" for value in VALUES if value.term}
    table |= {
        "namespace": "$.Release.Namespace",
        "verify_schedule": "(and $.Values.repository.enabled $.Values.schedule.verify)",
        "drill_schedule": "(and $.Values.repository.enabled $.Values.schedule.drill)",
        "prometheus_rule": _PROMETHEUS_RULE,
        "password.secret": table["username.secret"],
        "s3_key_secret.secret": table["s3_key.secret"],
        "cipher_pass.secret": "$.Values.repository.cipher.secret",
        "cipher_pass.key": "$.Values.repository.cipher.passphraseKey",
        "fs_group": "(ternary 1001 999 $.Values.tls.enabled)",
        "ca_source": '(include "postgresql.ca-source" $)',
        "s3_endpoint": '(include "postgresql.endpoint" $)',
        "compress_level": '(include "postgresql.compress-level" $)',  # 0 is a level, and false for Go
    }
    lists = {name: table.pop(name) for name in ("pull_secrets", "parameters", "options", "tolerations")}
    blocks = {name: f'include "postgresql.{name}" $' for name in (*LABEL_LISTS, *ANSWERED_LISTS)}
    functions = {
        "ca_certificate()": '(include "postgresql.ca-certificate" $)',
        **{f'file("{name}")': f'(include "postgresql.{name}" $)' for name in CONFIGURATIONS},
        **{f'checksum("{name}")': f'(include "postgresql.{name}" $ | sha256sum)' for name in CONFIGURATIONS},
        **{f'file("{name}")': f'($.Files.Get "files/{name}")' for name in SCRIPTS},
    }
    numbers = {value.term for value in VALUES if value.is_number} - {"compress_level"} | {"fs_group"}
    return Terms(table, lists, blocks, functions, frozenset(numbers))


def _name_expression(name: str) -> str:
    if name == _PLACEHOLDER:
        return RELEASE_NAME
    return f"(printf {json.dumps(name.replace(_PLACEHOLDER, '%s'))} {RELEASE_NAME})"


def _alert(expression: str) -> str:
    """The expression with the release's namespace and name."""
    text = json.dumps(expression.replace(_NAMESPACE, "%[1]s").replace(_PLACEHOLDER, "%[2]s"))
    return f"(printf {text} $.Release.Namespace {RELEASE_NAME})"


def label_lists() -> Iterator[tuple[str, str]]:
    """Each list of labels without the answered ones, and the lines of YAML that a helper of the chart writes for it."""
    plan = resolve(Answers.model_validate({"release": {"name": _PLACEHOLDER}}), Facts())
    for name in LABEL_LISTS:
        yield name, "\n".join(f"{json.dumps(pair.name)}: {_label_value(pair)}" for pair in getattr(plan, name))


def _label_value(pair: Pair) -> str:
    if pair.value == _PLACEHOLDER:
        return f"{{{{ toJson {RELEASE_NAME} }}}}"
    if pair.name == "app.kubernetes.io/version":
        return "{{ int64 $.Values.images.postgresqlVersion | toString | toJson }}"
    return json.dumps(pair.value)
