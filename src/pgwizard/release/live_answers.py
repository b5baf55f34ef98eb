"""The answers of a running release, whoever made it, and what in it no answer can express. Pure.

Each answer is read where its template places it. Then the answers are rendered, and whatever the live objects have
beyond that is reported. Values of Secrets are neither read nor written: an answer refers to the Secret.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pgwizard import quantities
from pgwizard.answers import file as answers_file
from pgwizard.answers.questions import Answers, is_free_key
from pgwizard.errors import Finding
from pgwizard.kube.api import Object
from pgwizard.plan import checks, manifests, pgbackrest, settings
from pgwizard.plan.names import CA_FILE, CA_KEY, STANZA, Names, ReleaseRef
from pgwizard.plan.plan import Facts, Toleration, resolve
from pgwizard.plan.postgresql_conf import PostgresqlConf, read_postgresql
from pgwizard.plan.tuning import Machine
from pgwizard.release.immutable import initdb_has_checksums
from pgwizard.release.layout import (
    Configuration,
    configures_pgbackrest,
    operator_of,
    read_configuration,
    renamed_container,
)
from pgwizard.release.live_tuning import tuned_server
from pgwizard.release.unexpressed import is_deployers, unexpressed_fields
from pgwizard.text import plain
from pgwizard.tls.certificates import Bundle, read_bundle

VALUES_FROM, SOURCE = "pgwizard/values-from", "pgwizard/source"
"""Annotations of the release's own Secrets: where their values come from."""
_CONTAINER, _INIT = "postgresql", "minio-ca-init"
_POSTGRESQL_CONF, _PGBACKREST_CONF = "postgresql.conf", "pgbackrest.conf"
_GENERATED_MARK = re.compile(r"generated once, for (.+)")
_MIRROR_SOURCE = re.compile(r"Secret ([^/ ]+)/([^/, ]+), keys ([^/ ]+) and ([^/ ]+)")
_S3_VARIABLES = ("PGBACKREST_REPO1_S3_KEY", "PGBACKREST_REPO1_S3_KEY_SECRET")
_CIPHER_VARIABLE = "PGBACKREST_REPO1_CIPHER_PASS"
_OWN_OPTIONS = {
    "repo-type": "s3",
    "repo-cipher-type": "aes-256-cbc",
    "repo-storage-ca-file": CA_FILE,
    "start-fast": "y",
    "log-level-file": "warn",
    "log-path": "/var/log/pgbackrest",
    "pg-path": "/var/lib/postgresql/data/pgdata",
    "pg-port": "5432",
    "pg-socket-path": "/var/run/postgresql",
    "spool-path": "/var/lib/postgresql/data/pgbackrest-spool",
}
"""Options that pgwizard always sets to the same value."""


@dataclass(frozen=True, slots=True)
class LiveObjects:
    """The objects of a release by the role of their templates; those that do not exist, or may not be read, are absent.

    pgbackrest_version: of the running pod; empty where it is not known. Secrets need their metadata alone, but for the
    ``ca-secret``, whose certificate is no secret.
    """

    ref: ReleaseRef
    objects: Mapping[str, Object]
    pgbackrest_version: str = ""


@dataclass(frozen=True, slots=True)
class ImportedAnswers:
    """answers: what could be expressed. findings: what could not, all of them warnings."""

    answers: Answers
    findings: tuple[Finding, ...]


def import_answers(live: LiveObjects) -> ImportedAnswers:
    """The answers of a release that has a StatefulSet."""
    reader = _Reader(live)
    reader.read()
    answers, refusals = _valid_answers(reader.raw, Facts(ca=reader.ca))
    findings = [*reader.findings, *refusals, *_others(live, answers, Facts(ca=reader.ca))]
    return ImportedAnswers(answers, tuple(findings))


def _warning(text: str, question: str = "", fix: str = "") -> Finding:
    return Finding(question, text, severity="warning", fix=fix)


# ---- from objects to answers ---------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, live: LiveObjects) -> None:
        self._live = live
        self._names = Names.of(live.ref.name)
        self._spec: dict[str, Any] = _at(live.objects.get("statefulset"), "spec") or {}
        self._pod: dict[str, Any] = _at(self._spec, "template", "spec") or {}
        self._main = _entry(self._pod.get("containers"), _CONTAINER) or _first(self._pod.get("containers"))
        self._variables = {str(item.get("name")): item for item in self._main.get("env") or ()}
        self.raw: dict[str, Any] = {}
        self.findings: list[Finding] = []
        self.ca: Bundle | None = None

    def read(self) -> None:
        backups = bool(self._conf("pgbackrest-configmap", _PGBACKREST_CONF))
        self._release()
        self._images()
        self._credentials()
        self._storage()
        options = self._repository() if backups else {}
        if not backups:
            self._no_repository()
        self._tuning(options.get("process-max"))
        self._tls(verify=options.get("repo-storage-verify-tls", "y") != "n", backups=backups)
        self._pods()
        self._jobs()
        self._put("advanced.networkPolicy", "network-policy" in self._live.objects)
        self._put("advanced.prometheusRule", "prometheus-rule" in self._live.objects)

    def _no_repository(self) -> None:
        self._put("repository.enabled", False)
        statefulset = self._live.objects.get("statefulset")
        if statefulset is not None and configures_pgbackrest(statefulset):
            self._warn(
                "the pod uses pgBackRest, but no pgbackrest.conf of it could be read: it is in no ConfigMap, or in one "
                "that you may not read",
                "repository.enabled",
                "An apply of these answers would end the backups: set repository first.",
            )

    def _put(self, path: str, value: Any) -> None:
        """Nothing is put where nothing is there: the question keeps its default."""
        if value is None:
            return
        *sections, key = path.split(".")
        place = self.raw
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value

    def _warn(self, text: str, question: str = "", fix: str = "") -> None:
        self.findings.append(_warning(text, question, fix))

    def _conf(self, role: str, key: str) -> str:
        return str(_at(self._live.objects.get(role), "data", key) or "")

    def _annotation(self, role: str, key: str) -> str:
        return str(_at(self._live.objects.get(role), "metadata", "annotations", key) or "")

    # -- release and pod -------------------------------------------------------------------------------------------

    def _release(self) -> None:
        self._put("release.name", self._live.ref.name)
        self._put("release.namespace", self._live.ref.namespace)
        labels = _at(self._live.objects.get("namespace"), "metadata", "labels") or {}
        is_made = labels.get("app.kubernetes.io/managed-by") == "pgwizard"
        self._put("release.createNamespace", is_made and "pod-security.kubernetes.io/enforce" in labels)
        database = self._variables.get("POSTGRES_DB", {}).get("value")
        if database is None:
            self._warn("the database is not named by POSTGRES_DB", "release.database", "Set release.database.")
        self._put("release.database", database)

    def _images(self) -> None:
        image = str(self._main.get("image") or "")
        self._put("images.postgresql", image or None)
        self._put("images.pullPolicy", self._main.get("imagePullPolicy"))
        self._put("images.pullSecrets", [str(item.get("name")) for item in self._pod.get("imagePullSecrets") or ()])
        version = self._version(image)
        if version is None:
            self._warn(
                "the version of PostgreSQL is neither a label nor in the image's tag",
                "images.postgresqlVersion",
                "Set images.postgresqlVersion.",
            )
        self._put("images.postgresqlVersion", version)
        self._put("images.pgbackrestVersion", self._live.pgbackrest_version or None)

    def _version(self, image: str) -> int | None:
        label = _at(self._live.objects.get("statefulset"), "metadata", "labels", "app.kubernetes.io/version")
        for text in (str(label or ""), image.rpartition("/")[2].partition(":")[2]):
            match = re.match(r"(1[3-8])(?![0-9])", text)
            if match:
                return int(match[1])
        return None

    def _storage(self) -> None:
        claims = self._spec.get("volumeClaimTemplates") or []
        claim = _entry([{**_at(item, "metadata"), **item} for item in claims], "postgresql-storage") or _first(claims)
        self._put("storage.size", _at(claim, "spec", "resources", "requests", "storage"))
        self._put("storage.storageClass", _at(claim, "spec", "storageClassName"))
        statefulset = self._live.objects.get("statefulset")
        self._put("storage.dataChecksums", statefulset is not None and initdb_has_checksums(statefulset))

    # -- secrets: references alone ---------------------------------------------------------------------------------

    def _key_ref(self, variable: str) -> tuple[str, str] | None:
        """The Secret and the key that a variable comes from."""
        item = self._variables.get(variable)
        ref = _at(item, "valueFrom", "secretKeyRef") or {}
        if item is not None and not ref:
            self._warn(
                f"{variable} is not read from a Secret",
                fix="Create a Secret with that value, and name it in the answers.",
            )
        return (str(ref.get("name")), str(ref.get("key"))) if ref else None

    def _credentials(self) -> None:
        username, password = self._key_ref("POSTGRES_USER"), self._key_ref("POSTGRES_PASSWORD")
        if username is None or password is None:
            self._warn("the superuser's credentials are not in a Secret", "credentials", "Set credentials.")
            return
        own = ((self._names.credentials, "username"), (self._names.credentials, "password"))
        if (username, password) == own and (user := self._generated_for()):
            self.raw["credentials"] = {"from": "generate", "username": user}
            return
        self._same_secret(username, password, "credentials")
        self.raw["credentials"] = {
            "from": "existing",
            "secret": username[0],
            "usernameKey": username[1],
            "passwordKey": password[1],
        }

    def _generated_for(self) -> str | None:
        """The superuser whose name the release knows: then the probes name it."""
        command = _at(self._main, "readinessProbe", "exec", "command") or []
        if command[:1] == ["pg_isready"] and "-U" in command[:-1]:
            return str(command[command.index("-U") + 1])
        return None

    def _same_secret(self, one: tuple[str, str], other: tuple[str, str], question: str) -> None:
        if one[0] != other[0]:
            text = f"two Secrets hold a pair of credentials: {plain(one[0], 253)} and {plain(other[0], 253)}"
            self._warn(text, question, "Put both values into one Secret.")

    def _s3_credentials(self) -> None:
        key, secret = map(self._key_ref, _S3_VARIABLES)
        if key is None or secret is None:
            self._warn("the S3 key pair is not in a Secret", "repository.credentials", "Set repository.credentials.")
            return
        match = _MIRROR_SOURCE.fullmatch(self._annotation("s3-secret", VALUES_FROM))
        answers: dict[str, Any] = {
            "from": "existing",
            "secret": key[0],
            "accessKeyKey": key[1],
            "secretKeyKey": secret[1],
        }
        if key[0] == self._names.s3 and match:
            answers = {
                "from": "existing",
                **dict(zip(("namespace", "secret", "accessKeyKey", "secretKeyKey"), match.groups(), strict=True)),
            }
        self._same_secret(key, secret, "repository.credentials")
        self._put("repository.credentials", answers)

    # -- pgBackRest ------------------------------------------------------------------------------------------------

    def _repository(self) -> dict[str, str]:
        """Returns every option by its present name, without index."""
        sections = self._configuration()
        spelling = {pgbackrest.present_name(name): name for name in sections.get("global", {})}
        options = {pgbackrest.present_name(name): value for name, value in sections.get("global", {}).items()}
        stanza = {pgbackrest.present_name(name): value for name, value in sections.get(STANZA, {}).items()}
        for name in sections.keys() - {"global", STANZA}:
            self._warn(f"pgbackrest.conf has a section [{plain(name, 80)}]; the stanza of a release is {STANZA}")
        for answer, option in (
            ("repository.path", "repo-path"),
            ("repository.bucket", "repo-s3-bucket"),
            ("repository.endpoint", "repo-s3-endpoint"),
            ("repository.region", "repo-s3-region"),
        ):
            self._put(answer, options.get(option))
        self._put("repository.uriStyle", options.get("repo-s3-uri-style", "host"))
        self._put("advanced.logLevel", options.get("log-level-console", "warn"))
        for answer, option in (
            ("advanced.bundle", "repo-bundle"),
            ("advanced.block", "repo-block"),
            ("advanced.archiveAsync", "archive-async"),
        ):
            self._put(answer, options.get(option) == "y")
        self.raw["retention"] = {
            "full": _whole(options.get("repo-retention-full")),
            "fullType": options.get("repo-retention-full-type", "count"),
        }
        compression = options.get("compress-type", "gz")
        level = _whole(options.get("compress-level"))
        self.raw["compression"] = {"type": compression} | (
            {"level": level} if level is not None and compression != "none" else {}
        )
        self._queue(options.get("archive-push-queue-max"))
        self._s3_credentials()
        if _CIPHER_VARIABLE in self._variables and (ref := self._key_ref(_CIPHER_VARIABLE)):
            self._put("repository.cipher", {"from": "existing", "secret": ref[0], "passphraseKey": ref[1]})
        self._other_options({**options, **stanza}, spelling)
        return options

    def _configuration(self) -> Configuration:
        try:
            return read_configuration(self._conf("pgbackrest-configmap", _PGBACKREST_CONF))
        except ValueError as error:
            self._warn(plain(str(error)))
            return {}

    def _queue(self, text: str | None) -> None:
        with contextlib.suppress(ValueError):
            self._put(
                "advanced.archivePushQueueMax",
                None if text is None else quantities.size_text(str(pgbackrest.read_size(text))),
            )

    def _other_options(self, options: Mapping[str, str], spelling: Mapping[str, str]) -> None:
        own = dict(_OWN_OPTIONS) | ({"archive-timeout": "120"} if options.get("archive-async") == "y" else {})
        others = {}
        for name, value in options.items():
            if name in own:
                if value != own[name]:
                    text = f"pgbackrest.conf has {plain(name)}={plain(value)}; a release has {own[name]}"
                    self._warn(text)
            elif name not in _ANSWERED_OPTIONS and not pgbackrest.is_secret(name):
                others[spelling.get(name, name)] = value
            elif pgbackrest.is_secret(name):
                self._warn(f"pgbackrest.conf holds a secret, {plain(name)}", fix="Move it into a Secret.")
        self._put("advanced.options", others)

    # -- PostgreSQL ------------------------------------------------------------------------------------------------

    def _tuning(self, process_max: str | None) -> None:
        resources = self._main.get("resources") or {}
        memory, cpu = (_at(resources, "limits", key) for key in ("memory", "cpu"))
        conf = read_postgresql(self._conf("postgresql-configmap", _POSTGRESQL_CONF))
        for line in conf.unread:
            self._warn(f"postgresql.conf has a line that sets no parameter: {plain(line, 120)}")
        version = self.raw.get("images", {}).get("postgresqlVersion", 15)
        size = quantities.live_bytes(memory) or 1024**3
        limit = _cores(cpu)
        workers = next((_whole(each.value) for each in conf.parameters if each.name == "max_worker_processes"), None)
        likely = [number for number in (limit, _whole(process_max), workers, 1) if number and 1 <= number <= 999]
        machine = Machine("mixed", size // 1024, likely[0], 100, "ssd", version=version)
        answers = tuned_server(conf.parameters, machine, likely)
        self.raw["tuning"] = answers.answers()
        cores = answers.machine.cores
        self._put("tuning.memory", memory)
        if cpu is not None and cores != limit:
            self._put("resources.cpuLimit", cpu)
        self._put("tuning.cpu", str(cores) if cores != limit else cpu)
        if process_max is not None and _whole(process_max) != cores:
            self._put("advanced.processMax", _whole(process_max))
        self._archiving(conf, version)
        request = _at(resources, "requests", "memory")
        same = quantities.live_bytes(request) == quantities.live_bytes(memory)
        self._put("resources.memoryRequest", None if same else request)
        self._put("resources.cpuRequest", _at(resources, "requests", "cpu"))

    def _archiving(self, conf: PostgresqlConf, version: int) -> None:
        values = {each.name: each.value for each in conf.parameters}
        seconds = settings.count("archive_timeout", values, version)
        if "pgbackrest-configmap" in self._live.objects:
            self._put("tuning.archiveTimeoutSeconds", seconds or 0)
        command = values.get("archive_command")
        if command is not None and command != f"pgbackrest --stanza={STANZA} archive-push %p":
            self._warn("archive_command is not that of a release")

    # -- TLS, Jobs -------------------------------------------------------------------------------------------------

    def _tls(self, *, verify: bool, backups: bool) -> None:
        if not backups:
            return
        self._put("tls.verify", verify)
        if not verify:
            return
        volume = _entry(self._pod.get("volumes"), "minio-ca")
        secret = _at(volume, "secret", "secretName")
        if secret is None:
            self.raw["tls"]["source"] = None
            return
        with contextlib.suppress(ValueError):
            pem = base64.b64decode(str(_at(self._live.objects.get("ca-secret"), "data", CA_KEY) or ""))
            self.ca = read_bundle(pem)
        if secret != self._names.ca:
            self._put("tls.source", {"namespace": self._live.ref.namespace, "secret": secret, "key": CA_KEY})
            return
        origin = self._annotation("ca-secret", SOURCE)
        parts = origin.split("/")
        if origin.startswith("file "):
            self.raw["tls"] |= {"source": None, "caFile": origin.removeprefix("file ")}
        elif len(parts) == 3:
            self._put("tls.source", dict(zip(("namespace", "secret", "key"), parts, strict=True)))
            return
        else:
            self.raw["tls"] |= {"source": None, "caFile": "ca.crt"}
        where = f"kubectl -n {self._live.ref.namespace} get secret {self._names.ca} -o jsonpath='{{.data.tls\\.crt}}'"
        path = self.raw["tls"]["caFile"]
        self._warn(
            "no Secret is named that the certificate was copied from",
            "tls.caFile",
            f"Name it in tls.source, or write the certificate into a file: {where} | base64 -d > {plain(path)}",
        )

    def _pods(self) -> None:
        outside = _at(self._live.objects.get("statefulset"), "metadata", "labels") or {}
        template = _at(self._spec, "template", "metadata") or {}
        labels = {key: value for key, value in _free(template.get("labels")).items() if outside.get(key) == value}
        self._put("pods.labels", labels)
        self._put("pods.annotations", _free(template.get("annotations")))
        self._put("pods.nodeSelector", dict(self._pod.get("nodeSelector") or {}))
        self._put("pods.tolerations", [text for item in self._pod.get("tolerations") or () if (text := _taint(item))])
        self._put("pods.priorityClass", self._pod.get("priorityClassName"))
        self._put("pods.runtimeClass", self._pod.get("runtimeClassName"))
        self._put("pods.serviceAccount", self._pod.get("serviceAccountName"))
        for kind, part in (("requests", "Request"), ("limits", "Limit")):
            self._put(f"pods.ephemeralStorage{part}", _at(self._main, "resources", kind, "ephemeral-storage"))

    def _jobs(self) -> None:
        init = _entry(self._pod.get("initContainers"), _INIT)
        self._resources("initContainer", init)
        jobs = {role: self._live.objects.get(role) for role in ("full-cronjob", "incremental-cronjob")}
        for key, (role, job) in zip(("full", "incremental"), jobs.items(), strict=True):
            if job is None:
                if "pgbackrest-configmap" in self._live.objects:
                    name = getattr(self._names, role.removesuffix("-cronjob"))
                    self._warn(f"there is no CronJob {name}", f"schedule.{key}")
                continue
            self._put(f"schedule.{key}", _schedule(job))
        if "pgbackrest-configmap" in self._live.objects:
            for key in ("verify", "drill"):
                check = self._live.objects.get(f"{key}-cronjob")
                self.raw.setdefault("schedule", {})[key] = _schedule(check)
        job = next((item for item in jobs.values() if item is not None), None)
        if job is None:
            return
        self._put("schedule.timeZone", _at(job, "spec", "timeZone"))
        pod = _at(job, "spec", "jobTemplate", "spec", "template", "spec") or {}
        container = _first(pod.get("containers"))
        self._put("images.kubectl", container.get("image"))
        self._resources("jobs", container)
        metadata = _at(job, "spec", "jobTemplate", "metadata") or {}
        plain_answers = Answers.model_validate({"release": {"name": self._live.ref.name}})
        own = {pair.name for pair in resolve(plain_answers, Facts()).backup_labels}
        labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key not in own}
        self._put("jobs.labels", labels)
        self._put("jobs.annotations", dict(metadata.get("annotations") or {}))

    def _resources(self, section: str, container: Mapping[str, Any]) -> None:
        for kind, part in (("requests", "Request"), ("limits", "Limit")):
            for resource in ("cpu", "memory"):
                self._put(f"{section}.{resource}{part}", _at(container, "resources", kind, resource))


_ANSWERED_OPTIONS = frozenset(
    {
        *("repo-path", "repo-s3-bucket", "repo-s3-endpoint", "repo-s3-region", "repo-s3-uri-style"),
        *("repo-storage-verify-tls", "repo-bundle", "repo-block", "repo-retention-full", "repo-retention-full-type"),
        *("compress-type", "compress-level", "process-max", "log-level-console", "archive-async"),
        "archive-push-queue-max",
    }
)


def _at(node: Any, *keys: str) -> Any:
    """What is there; None where a part of the path is missing."""
    for key in keys:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _schedule(job: Any) -> Any:
    """The schedule of a CronJob, in which Kubernetes takes tabs as well."""
    schedule = _at(job, "spec", "schedule")
    return " ".join(schedule.split()) if isinstance(schedule, str) else schedule


def _entry(items: Any, name: str) -> dict[str, Any]:
    return next((item for item in items or () if item.get("name") == name), {})


def _first(items: Any) -> dict[str, Any]:
    return items[0] if items else {}


def _free(metadata: Any) -> dict[str, str]:
    """The labels or annotations that an answer may set."""
    return {key: value for key, value in (metadata or {}).items() if is_free_key(key) and not is_deployers(key)}


def _taint(toleration: Mapping[str, Any]) -> str:
    """The toleration as an answer; empty where none expresses it."""
    key, value, effect = (str(toleration.get(part) or "") for part in ("key", "value", "effect"))
    text = key + (f"={value}" if toleration.get("operator") != "Exists" else "") + (f":{effect}" if effect else "")
    result = Toleration.of(text)
    same = (result.key, result.operator, result.value, result.effect) == (
        key,
        toleration.get("operator") or "Equal",
        value,
        effect,
    )
    return text if same and key and "tolerationSeconds" not in toleration else ""


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"-?[0-9]{1,9}", text) else None


def _cores(cpu: Any) -> int:
    exact = quantities.read_quantity(cpu)
    return max(1, int(exact)) if exact is not None else 2


# ---- answers that are valid ----------------------------------------------------------------------------------------


def _valid_answers(raw: dict[str, Any], facts: Facts) -> tuple[Answers, list[Finding]]:
    """Valid answers: what is refused becomes a finding and keeps its default."""
    loaded_answers = answers_file.from_mapping(raw)
    answers = loaded_answers.answers or Answers()
    findings = [_warning(f"cannot be an answer: {item.text}", item.question) for item in loaded_answers.problems]
    refusals = [
        item for item in checks.check(answers, facts).errors if item.question not in ("tls.source", "tls.caFile")
    ]
    for item in refusals:
        section, _, rest = item.question.partition(".")
        kind, _, name = rest.partition(".")
        if (section, kind) in (("tuning", "parameters"), ("advanced", "options")) and name:
            entries = dict(getattr(getattr(answers, section), kind))
            entries.pop(name, None)
            part = getattr(answers, section).model_copy(update={kind: entries})
            answers = answers.model_copy(update={section: part})
        findings.append(_warning(f"cannot be an answer: {item.text}", item.question))
    return answers, findings


# ---- what is left --------------------------------------------------------------------------------------------------

_NOT_COMPARED = frozenset({"init-job", "namespace", "credentials-secret", "s3-secret", "cipher-secret", "ca-secret"})
_FIXED_FIELDS = ("selector", "serviceName", "podManagementPolicy")
"""Fields of a StatefulSet's spec that its API server never changes, but for the claim, which may grow."""


def _others(live: LiveObjects, answers: Answers, facts: Facts) -> Iterator[Finding]:
    """Whatever live objects have that the answers, rendered, have not."""
    if answers.has_tls_mirror() and facts.ca is None:
        tls = answers.tls.model_copy(update={"source": None, "ca_file": None})
        answers = answers.model_copy(update={"tls": tls})
    plan = resolve(answers, facts)
    rendered_objects = {item.role: item.object for item in manifests.render(plan)}
    for role in manifests.ORDER:
        there = live.objects.get(role)
        if there is None or role in _NOT_COMPARED:
            continue
        ours = rendered_objects.get(role)
        name = f"{there.get('kind', role)} {plain(str(_at(there, 'metadata', 'name')), 253)}"
        if ours is None:
            yield _warning(f"{name} has no counterpart")
            continue
        if _at(there, "metadata", "name") != ours["metadata"]["name"]:
            yield _warning(f"{name} has another name: a release's is {ours['metadata']['name']}")
        if role == "statefulset":
            yield from _fixed_fields(there, ours, name)
            yield from _probes(there, ours, name)
        for text in unexpressed_fields(there, ours):
            if not text.startswith(("data", "spec.template.metadata.annotations[checksum/")) and not _PROBE.search(
                text
            ):
                yield _warning(f"{name}: {text}")


_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_PROBE = re.compile(rf"^spec\.template\.spec\.containers\[postgresql\]\.({'|'.join(_PROBES)})\b")


def _probes(live: Object, intent: Object, name: str) -> Iterator[Finding]:
    """That the database's container has other probes, or lacks one: no answer decides them."""
    there, ours = (
        _entry(_at(each, "spec", "template", "spec", "containers") or [], "postgresql") for each in (live, intent)
    )
    pairs = {
        probe: tuple({probe: each[probe]} if each and each.get(probe) else {} for each in (there, ours))
        for probe in _PROBES
    }
    others = [
        probe
        for probe, (one, other) in pairs.items()
        if [*unexpressed_fields(one, other), *unexpressed_fields(other, one)]
    ]
    if there and others:
        yield _warning(
            f"{name}: {' and '.join(others)} of container postgresql cannot be expressed",
            fix="An apply sets pgwizard's own over them, and the pod starts again. Remove a probe that has no command, "
            "such as a tcpSocket, with the tool that set it: an apply cannot replace it.",
        )


def _fixed_fields(live: Object, intent: Object, name: str) -> Iterator[Finding]:
    """That no apply can take a StatefulSet over."""
    policy = {"podManagementPolicy": "OrderedReady"}
    there, ours = ({**policy, **each["spec"]} for each in (live, intent))
    fields = [f"spec.{field}" for field in _FIXED_FIELDS if there.get(field) != ours.get(field)]
    causes = [f"its {' and '.join(fields)} cannot change"] if fields else []
    if owner := operator_of(live):
        causes.append(f"it belongs to {owner}, whose operator would undo each change")
    if other := renamed_container(live):
        causes.append(f"its database is in container {other}, and a second server would start beside it")
    if causes:
        yield _warning(
            f"{name} cannot be taken over: {'; '.join(causes)}",
            fix="Leave it to the tool it belongs to: status, backup and verify work beside it. Or make a new release "
            "from its repository: pgwizard restore --from (docs/restore.md).",
        )
