"""Where the parts of a release are: names of its objects, and what its pod calls its container, stanza and volume.

pgwizard and its chart use fixed names. A release that was written by hand may use others, which are read from its
StatefulSet. Its pod is always NAME-0, as its controller calls it. Pure.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pgwizard.kube.api import CRONJOB, Object, owners
from pgwizard.plan.names import DATA, STANZA, Names, ReleaseRef
from pgwizard.text import plain

BackupType = Literal["full", "incr"]
JobType = Literal["full", "incr", "verify", "drill"]
Work = Literal["backup", "verify", "drill"]
Configuration = Mapping[str, Mapping[str, str]]
"""pgbackrest.conf: by section, options by name."""

_CHECKS: Mapping[JobType, Work] = {"verify": "verify", "drill": "drill"}
CONTAINER = "postgresql"
_CONTAINERS = (CONTAINER, "postgres", "database")
_CONFIG_FOLDER = "/etc/pgbackrest"
_TRUST_FOLDER = "/usr/local/share/ca-certificates"
_TYPE_OPTION = re.compile(r"--type[= ]['\"]?(full|incr|diff)\b")
_TYPE_WORD = re.compile(r"(?<![a-z])(full|incr|diff)")


@dataclass(frozen=True, slots=True)
class Layout:
    """container: of the database; data: where its volume is mounted; claim: of the volume; ca: the Secret of the
    certificate that the store is trusted by; config: the ConfigMap of pgbackrest.conf.

    has_record: whether pgwizard's record describes it. Without one, CronJobs and Jobs are known by what they run, too.
    """

    release: ReleaseRef
    container: str
    stanza: str
    data: str
    claim: str
    ca: str
    config: str
    has_record: bool

    @classmethod
    def of(cls, release: ReleaseRef) -> Layout:
        """The layout that pgwizard and its chart write."""
        names = Names.of(release.name)
        return cls(release, CONTAINER, STANZA, DATA, names.claim, names.ca, names.pgbackrest_config, has_record=True)

    @property
    def pod(self) -> str:
        """The pod of the database."""
        return Names.of(self.release.name).pod

    def is_schedule(self, cronjob: Object) -> bool:
        """Whether a CronJob takes backups of this release."""
        names, name = Names.of(self.release.name), cronjob["metadata"]["name"]
        if name in (names.full, names.incremental):
            return True
        if name in (names.verify, names.drill):
            return False
        return not self.has_record and self._backs_up(name, _pod_spec(cronjob))

    def is_backup(self, job: Object) -> bool:
        """Whether a Job takes backups of this release: the hook Job by its name, others by the CronJob of each.

        Labels prove nothing: Argo CD and others rewrite them.
        """
        names, name = Names.of(self.release.name), job["metadata"]["name"]
        crons = owners(job, CRONJOB.kind)
        if not {names.verify, names.drill}.isdisjoint(crons):
            return False
        if name == names.init or not {names.full, names.incremental}.isdisjoint(crons):
            return True
        return not self.has_record and self._backs_up(" ".join([name, *crons]), _pod_spec(job))

    def is_check(self, workload: Object) -> bool:
        """Whether a CronJob, or a Job of it, verifies the repository of this release, or drills."""
        return job_type(workload, self.release.name) in _CHECKS

    def work(self, job: Object) -> Work | None:
        """What a Job of this release does; None for any other Job."""
        return _CHECKS.get(job_type(job, self.release.name)) or ("backup" if self.is_backup(job) else None)

    def _backs_up(self, name: str, spec: Mapping[str, Any]) -> bool:
        """Whether a pod runs pgBackRest's backup in the pod of the database."""
        words = _words(spec)
        at_pod = re.search(
            rf"(?<![-\w.])({re.escape(self.pod)}|(sts|statefulsets?)/{re.escape(self.release.name)})"
            r"(?![-\w.])",
            words,
        )
        return bool(at_pod) and "pgbackrest" in f"{name} {words}" and bool(re.search(r"\bbackup", words))


def job_type(workload: Object, release: str) -> JobType:
    """What a CronJob or a Job of a release does."""
    names, workloads = Names.of(release), (workload["metadata"]["name"], *owners(workload, CRONJOB.kind))
    if names.verify in workloads:
        return "verify"
    if names.drill in workloads:
        return "drill"
    return backup_type(workload, release)


def backup_type(workload: Object, release: str) -> BackupType:
    """The type of backup that a CronJob or a Job takes, by pgwizard's names, or else by its command.

    A differential backup counts as incremental: neither can be restored without its full one.
    """
    names = Names.of(release)
    for name in (workload["metadata"]["name"], *owners(workload, CRONJOB.kind)):
        if name in (names.full, names.incremental):
            return "full" if name == names.full else "incr"
    words = _words(_pod_spec(workload))
    matches = _TYPE_OPTION.findall(words) or _TYPE_WORD.findall(words)
    if not matches and words:
        matches = _TYPE_WORD.findall(workload["metadata"]["name"])
    return "full" if matches and matches[-1] == "full" else "incr"


def layout_of(release: ReleaseRef, statefulset: Object, configuration: Configuration) -> Layout:
    """The layout of a release that pgwizard did not install; what its objects do not tell is as in pgwizard's own."""
    usual, pod = Layout.of(release), statefulset["spec"]["template"]["spec"]
    container = database_container(statefulset)
    data, claim = _data(usual, statefulset, container)
    secret = _mount_name(pod, container, "secret", "secretName", _TRUST_FOLDER)
    inits = (each for each in pod.get("initContainers") or ())
    secret = secret or next(
        filter(None, (_mount_name(pod, each, "secret", "secretName", _TRUST_FOLDER) for each in inits)), ""
    )
    return Layout(
        release,
        container=str(container.get("name") or usual.container),
        stanza=variable(container, "PGBACKREST_STANZA") or next(iter(stanzas(configuration)), usual.stanza),
        data=data,
        claim=claim,
        ca=secret or usual.ca,
        config=next(iter(config_names(statefulset)), usual.config),
        has_record=False,
    )


def database_container(statefulset: Object) -> Mapping[str, Any]:
    """The container of the database: by a usual name, or else the one that mounts a volume of its own, or the first."""
    spec = statefulset["spec"]
    containers: list[Mapping[str, Any]] = list(spec["template"]["spec"].get("containers") or [{}])
    for name in _CONTAINERS:
        if container := next((each for each in containers if each.get("name") == name), None):
            return container
    templates = {each["metadata"]["name"] for each in spec.get("volumeClaimTemplates") or ()}
    with_volume = (each for each in containers if templates & {mount.get("name") for mount in _mounts(each)})
    return next(with_volume, containers[0])


def renamed_container(statefulset: Object) -> str | None:
    """The database's container where its name is not pgwizard's: an apply would start a second server beside it."""
    name = str(database_container(statefulset).get("name"))
    return plain(name, 63) if name != CONTAINER else None


def uses_pgbackrest(statefulset: Object) -> bool:
    """Whether the pods of a StatefulSet have pgBackRest: by its configuration, its variables, or the image's name.

    Those of an operator are its own business.
    """
    if operator_of(statefulset):
        return False
    return configures_pgbackrest(statefulset) or "pgbackrest" in str(database_container(statefulset).get("image"))


def operator_of(statefulset: Object) -> str:
    """What an operator made a StatefulSet for, such as ``PostgresCluster shop``; empty where none did.

    The operator would undo each change.
    """
    there = statefulset["metadata"].get("ownerReferences") or ()
    return next((plain(f"{each.get('kind')} {each.get('name')}", 120) for each in there if each.get("controller")), "")


def configures_pgbackrest(statefulset: Object) -> bool:
    """Whether the database's container has a configuration of pgBackRest, or variables for it."""
    container = database_container(statefulset)
    variables = (str(each.get("name")) for each in container.get("env") or ())
    folders = (str(mount.get("mountPath")) for mount in _mounts(container))
    return any(name.startswith("PGBACKREST_") for name in variables) or any(
        _is_below(folder, _CONFIG_FOLDER) for folder in folders
    )


def config_names(statefulset: Object, folder: str = _CONFIG_FOLDER) -> list[str]:
    """The ConfigMaps that the database's container mounts in a folder, by default pgBackRest's."""
    pod, container = statefulset["spec"]["template"]["spec"], database_container(statefulset)
    mounts = {mount.get("name") for mount in _mounts(container) if _is_below(str(mount.get("mountPath")), folder)}
    names = []
    for volume in pod.get("volumes") or ():
        if volume.get("name") in mounts:
            sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
            names += [str(each["configMap"].get("name")) for each in sources if each.get("configMap")]
    return names


def read_configuration(text: str) -> Configuration:
    """The sections of pgbackrest.conf. Raises ValueError where it is none."""
    parser = configparser.RawConfigParser(
        strict=False, delimiters=("=",), comment_prefixes=("#",), default_section="", empty_lines_in_values=False
    )
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(f"pgbackrest.conf cannot be read: {type(error).__name__}") from error
    return {name: dict(parser[name]) for name in parser.sections()}


def stanzas(configuration: Configuration) -> Iterable[str]:
    """The stanzas of a configuration, the first one first."""
    return (name for name in configuration if name.partition(":")[0] != "global" and ":" not in name)


def option(configuration: Configuration, stanza: str, name: str) -> str | None:
    """An option of pgBackRest, from the stanza's section, or from the global one."""
    return configuration.get(stanza, {}).get(name, configuration.get("global", {}).get(name))


def variable(container: Mapping[str, Any], name: str) -> str | None:
    """The value of a variable of a container, where it is written there."""
    return next(
        (str(each["value"]) for each in container.get("env") or () if each.get("name") == name and each.get("value")),
        None,
    )


def _data(usual: Layout, statefulset: Object, container: Mapping[str, Any]) -> tuple[str, str]:
    """Where the volume of the data is mounted, and the name of its claim."""
    spec = statefulset["spec"]
    claims = {
        each["metadata"]["name"]: f"{each['metadata']['name']}-{usual.pod}"
        for each in spec.get("volumeClaimTemplates") or ()
    }
    for volume in spec["template"]["spec"].get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            claims[volume["name"]] = str(claim.get("claimName"))
    directory = variable(container, "PGDATA") or usual.data
    mounts = [mount for mount in _mounts(container) if mount.get("name") in claims]
    mounts.sort(key=lambda mount: not directory.startswith(str(mount.get("mountPath"))))
    return (str(mounts[0]["mountPath"]), claims[mounts[0]["name"]]) if mounts else (usual.data, usual.claim)


def _mount_name(pod: Mapping[str, Any], container: Mapping[str, Any], kind: str, key: str, folder: str) -> str:
    """The Secret or ConfigMap that a container mounts below a folder; empty for none."""
    volumes = {volume.get("name"): volume for volume in pod.get("volumes") or ()}
    for mount in _mounts(container):
        source = volumes.get(mount.get("name"), {}).get(kind)
        if source and str(mount.get("mountPath")).startswith(folder):
            return str(source.get(key))
    return ""


def _is_below(path: str, folder: str) -> bool:
    """Whether a path is the folder, or within it."""
    return f"{path}/".startswith(f"{folder}/")


def _mounts(container: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(container.get("volumeMounts") or ())


def _pod_spec(workload: Object) -> Mapping[str, Any]:
    """The pod of a CronJob or a Job."""
    spec = workload.get("spec") or {}
    template = (spec.get("jobTemplate") or {}).get("spec") or spec
    pod: Mapping[str, Any] = template.get("template") or {}
    return pod.get("spec") or {}


def _words(spec: Mapping[str, Any]) -> str:
    """The commands of a pod's containers as one text."""
    containers = spec.get("containers") or ()
    return " ".join(
        str(word) for each in containers for word in [*(each.get("command") or ()), *(each.get("args") or ())]
    )
