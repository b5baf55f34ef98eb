"""A running release becomes answers that give the same objects again, and what no answer expresses is reported."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pgwizard.answers.file import load
from pgwizard.answers.questions import Answers, EnvCipher, EnvCredentials, EnvS3Credentials, FileCredentials
from pgwizard.kube.api import Object
from pgwizard.plan import manifests
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.live_answers import ImportedAnswers, LiveObjects, import_answers
from support.headless import GOLDEN, planned, rendered
from support.random_answers import random_answers

ANSWERLESS = "{}: cannot be an answer: {}"
CASES = sorted(GOLDEN.glob("*/answers.yaml"))
_SECRETS = frozenset({"credentials-secret", "s3-secret", "cipher-secret"})


def imported(answers: Answers, **changed: Object | None) -> ImportedAnswers:
    """What the objects of answers are imported as. changed: other objects, or none, by role with _ for -."""
    objects = {item.role: item.object for item in manifests.render(planned(answers))}
    objects |= {role.replace("_", "-"): obj for role, obj in changed.items() if obj is not None}
    for role, obj in changed.items():
        if obj is None:
            del objects[role.replace("_", "-")]
    return import_answers(LiveObjects(ReleaseRef.of(answers), objects, answers.images.pgbackrest_version))


def without_referenced(answers: Answers) -> dict[str, Object]:
    """The objects, less the Secrets whose values came from variables or files: they are referred to."""
    result = rendered(answers)
    credentials, repository = answers.credentials, answers.repository
    if isinstance(credentials, (EnvCredentials, FileCredentials)):
        del result["credentials-secret"]
    if isinstance(repository.credentials, EnvS3Credentials):
        result.pop("s3-secret", None)
    if isinstance(repository.cipher, EnvCipher):
        result.pop("cipher-secret", None)
    return result


@settings(max_examples=100, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(answers=random_answers().filter(lambda answers: answers is not None))
def test_rendered_objects_are_imported_as_answers_that_render_the_same(answers: Answers) -> None:
    result = imported(answers)
    assert (result.findings, rendered(result.answers)) == ((), without_referenced(answers))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_the_golden_cases_are_imported_without_a_finding(case: Path) -> None:
    loaded = load(case.read_bytes()).answers
    assert loaded is not None
    answers = loaded
    if answers.tls.ca_file and answers.tls.source:
        answers = answers.model_copy(update={"tls": answers.tls.model_copy(update={"ca_file": None})})
    result = imported(answers)
    assert (result.findings, rendered(result.answers)) == ((), without_referenced(answers))


# ---- what no answer expresses --------------------------------------------------------------------------------------


def findings(**changed: Object | None) -> list[str]:
    return [str(finding) for finding in imported(Answers(), **changed).findings]


def changed_statefulset(change: Callable[[dict[str, Any]], object]) -> Object:
    """The StatefulSet of the default answers with its pod spec changed."""
    statefulset = copy.deepcopy(rendered(Answers())["statefulset"])
    change(statefulset["spec"]["template"]["spec"])
    return statefulset


def changed_conf(role: str, key: str, old: str, new: str) -> Object:
    config = copy.deepcopy(rendered(Answers())[role])
    assert old in config["data"][key]
    config["data"][key] = config["data"][key].replace(old, new)
    return config


def test_sidecars_volumes_and_fields_of_others_are_named() -> None:
    def change(pod: dict[str, Any]) -> None:
        pod["containers"].append({"name": "metrics", "image": "exporter:1"})
        pod["containers"][0]["env"].append({"name": "PGPASSWORD", "value": "a secret"})
        pod["containers"][0]["volumeMounts"].append({"name": "extra", "mountPath": "/extra"})
        pod["volumes"].append({"name": "extra", "emptyDir": {}})
        pod["affinity"] = {"nodeAffinity": {}}
        pod["tolerations"] = [{"key": "db", "operator": "Exists", "tolerationSeconds": 60}]

    assert findings(statefulset=changed_statefulset(change)) == [
        "StatefulSet postgresql: spec.template.spec.containers[postgresql].env[PGPASSWORD]",
        "StatefulSet postgresql: spec.template.spec.containers[postgresql].volumeMounts[/extra]",
        "StatefulSet postgresql: spec.template.spec.containers[metrics]",
        "StatefulSet postgresql: spec.template.spec.volumes[extra]",
        'StatefulSet postgresql: spec.template.spec.affinity: {"nodeAffinity": {}}',
        (
            'StatefulSet postgresql: spec.template.spec.tolerations: [{"key": "db", "operator": "Exists", '
            '"tolerationSeconds": 60}]'
        ),
    ]


def test_a_volume_and_a_variable_of_another_kind_are_named_as_what_no_apply_replaces() -> None:
    """The server would see two kinds of one volume and refuse it: what an apply merges keeps the live one."""

    def change(pod: dict[str, Any]) -> None:
        (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "tmp")
        del volume["emptyDir"]
        volume["hostPath"] = {"path": "/srv/tmp"}
        (config,) = (volume for volume in pod["volumes"] if volume["name"] == "postgresql-config")
        config["configMap"]["optional"] = True
        (variable,) = (variable for variable in pod["containers"][0]["env"] if variable["name"] == "PGDATA")
        del variable["value"]
        variable["valueFrom"] = {"secretKeyRef": {"name": "a", "key": "b"}}

    place = "StatefulSet postgresql: spec.template.spec"
    advice = "is of another kind (an apply cannot replace it: remove it with the tool that set it)"
    named = findings(statefulset=changed_statefulset(change))
    assert f"{place}.volumes[tmp] {advice}" in named
    assert f"{place}.volumes[postgresql-config].configMap.optional: true" in named
    assert [text for text in named if "].env[" in text and text.endswith(advice)]
    assert len(named) == 3


def test_other_probes_and_missing_ones_are_named_once() -> None:
    def change(pod: dict[str, Any]) -> None:
        (container,) = pod["containers"]
        del container["startupProbe"]
        container["livenessProbe"]["exec"]["command"] = ["pg_isready", "-U", "app", "-d", "other"]
        container["readinessProbe"]["initialDelaySeconds"] = 30

    (finding,) = imported(Answers(), statefulset=changed_statefulset(change)).findings
    assert finding.whole == (
        "StatefulSet postgresql: startupProbe and livenessProbe and readinessProbe of container postgresql cannot be "
        "expressed   An apply sets pgwizard's own over them, and the pod starts again. Remove a probe that has no "
        "command, such as a tcpSocket, with the tool that set it: an apply cannot replace it."
    )


def test_probes_that_name_a_superuser_whose_name_the_answers_only_refer_to_are_named() -> None:
    def change(pod: dict[str, Any]) -> None:
        for variable in pod["containers"][0]["env"]:
            if variable["name"] in ("POSTGRES_USER", "POSTGRES_PASSWORD", "PGBACKREST_PG1_USER"):
                variable["valueFrom"]["secretKeyRef"]["name"] = "theirs"

    (finding,) = imported(Answers(), statefulset=changed_statefulset(change), credentials_secret=None).findings
    assert "startupProbe and livenessProbe and readinessProbe" in finding.text


def test_probes_with_the_server_s_defaults_are_the_same() -> None:
    def change(pod: dict[str, Any]) -> None:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            pod["containers"][0][probe]["successThreshold"] = 1

    assert findings(statefulset=changed_statefulset(change)) == []


def test_a_stateful_set_that_no_apply_can_change_stays_with_its_tool() -> None:
    statefulset = copy.deepcopy(rendered(Answers())["statefulset"])
    statefulset["spec"]["serviceName"] = "db"
    statefulset["spec"]["selector"]["matchLabels"] = {"app": "db"}
    assert imported(Answers(), statefulset=statefulset).findings[0].whole == (
        "StatefulSet postgresql cannot be taken over: its spec.selector and spec.serviceName cannot change   Leave it "
        "to the tool it belongs to: status, backup and verify work beside it. Or make a new release from its "
        "repository: pgwizard restore --from (docs/restore.md)."
    )


def test_a_database_in_a_container_of_another_name_stays_with_its_tool() -> None:
    def change(pod: dict[str, Any]) -> None:
        pod["containers"][0]["name"] = "db"

    first = imported(Answers(), statefulset=changed_statefulset(change)).findings[0]
    assert first.text == (
        "StatefulSet postgresql cannot be taken over: its database is in container db, and a second server would start "
        "beside it"
    )


def test_what_an_operator_made_stays_with_its_operator() -> None:
    statefulset = copy.deepcopy(rendered(Answers())["statefulset"])
    owner = {"kind": "PostgresCluster", "name": "shop", "controller": True}
    statefulset["metadata"]["ownerReferences"] = [owner]
    (text,) = findings(statefulset=statefulset)
    assert text == (
        "StatefulSet postgresql cannot be taken over: it belongs to PostgresCluster shop, whose operator would undo "
        "each change"
    )


def test_what_the_server_fills_in_and_tools_write_is_no_finding() -> None:
    def change(pod: dict[str, Any]) -> None:
        pod |= {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "restartPolicy": "Always"}
        pod["containers"][0] |= {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
        pod["containers"][0]["resources"]["requests"]["memory"] = "1024Mi"

    statefulset = changed_statefulset(change)
    statefulset["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm"
    statefulset["metadata"]["annotations"] = {"meta.helm.sh/release-name": "postgresql"}
    statefulset["status"] = {"readyReplicas": 1}
    assert findings(statefulset=statefulset) == []


def test_the_label_that_helm_writes_on_a_cronjob_adds_none_to_its_jobs() -> None:
    job = copy.deepcopy(rendered(Answers())["full-cronjob"])
    job["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm"
    result = imported(Answers(), full_cronjob=job)
    assert (result.answers.jobs.labels, result.findings) == ({}, ())


def test_a_config_map_of_another_name_is_named() -> None:
    config = copy.deepcopy(rendered(Answers())["pgbackrest-configmap"])
    config["metadata"]["name"] = "pgbackrest-config"
    assert findings(pgbackrest_configmap=config) == [
        "ConfigMap pgbackrest-config has another name: a release's is postgresql-pgbackrest-config"
    ]


def test_the_tabs_of_a_schedule_are_blanks() -> None:
    job = copy.deepcopy(rendered(Answers())["full-cronjob"])
    job["spec"]["schedule"] = "0\t2  * * 0"
    assert imported(Answers(), full_cronjob=job).answers.schedule.full == "0 2 * * 0"


def test_missing_cronjobs_are_named() -> None:
    assert findings(incremental_cronjob=None) == [
        "schedule.incremental: there is no CronJob postgresql-pgbackrest-incr"
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("start-fast=y", "start-fast=n", "pgbackrest.conf has start-fast=n; a release has y"),
        (
            "repo1-bundle=y",
            "repo1-bundle=y\nrepo1-host=backup",
            ANSWERLESS.format("advanced.options.repo1-host", "cannot be set: backups run in the database's own pod"),
        ),
        ("[main]", "[main]\n[other]", "pgbackrest.conf has a section [other]; the stanza of a release is main"),
        ("start-fast=y", "start-fast=y\nrepo1-s3-key=ABC", "pgbackrest.conf holds a secret, repo-s3-key"),
    ],
)  # fmt: skip
def test_options_that_no_answer_sets_are_named_and_secrets_are_not_shown(old: str, new: str, expected: str) -> None:
    assert findings(pgbackrest_configmap=changed_conf("pgbackrest-configmap", "pgbackrest.conf", old, new)) == [
        expected
    ]


def test_a_deprecated_option_is_read_by_its_present_name() -> None:
    config = changed_conf(
        "pgbackrest-configmap", "pgbackrest.conf", "repo1-storage-verify-tls=y", "repo1-s3-verify-tls=n"
    )
    assert imported(Answers(), pgbackrest_configmap=config).answers.tls.verify is False


def test_a_parameter_that_was_changed_by_hand_becomes_an_override() -> None:
    config = changed_conf("postgresql-configmap", "postgresql.conf", "= 256MB", "= 300MB")
    result = imported(Answers(), postgresql_configmap=config)
    assert (result.answers.tuning.parameters, result.findings) == (
        {"shared_buffers": "300MB", "wal_buffers": "7864kB"},
        (),
    )


def test_parameters_without_reasons_are_recognised_by_their_values() -> None:
    text = "max_connections = 100\nshared_buffers = 262144kB\nwork_mem = 64MB\ninclude 'other.conf'\n"
    config = {"kind": "ConfigMap", "metadata": {"name": "postgresql-config"}, "data": {"postgresql.conf": text}}
    result = imported(Answers(), postgresql_configmap=config)
    assert result.answers.tuning.parameters == {"work_mem": "64MB"}
    assert [str(finding) for finding in result.findings] == [
        "postgresql.conf has a line that sets no parameter: include 'other.conf'"
    ]


def test_a_parameter_that_cannot_be_overridden_is_a_finding() -> None:
    config = changed_conf("postgresql-configmap", "postgresql.conf", "jit = off", "port = 5433")
    result = imported(Answers(), postgresql_configmap=config)
    assert "port" not in result.answers.tuning.parameters
    assert (
        "tuning.parameters.port: cannot be an answer: cannot be overridden: the Service and the probes speak to 5432"
        in [str(finding) for finding in result.findings]
    )


def test_credentials_in_plain_text_are_named_and_never_copied() -> None:
    def change(pod: dict[str, Any]) -> None:
        variables = pod["containers"][0]["env"]
        next(item for item in variables if item["name"] == "POSTGRES_PASSWORD").update(value="hunter2", valueFrom=None)

    result = imported(Answers(), statefulset=changed_statefulset(change))
    assert "hunter2" not in repr(result)
    assert "POSTGRES_PASSWORD is not read from a Secret" in [str(finding) for finding in result.findings]


def test_secrets_within_fields_that_no_answer_expresses_are_not_shown() -> None:
    def change(pod: dict[str, Any]) -> None:
        (container,) = pod["containers"]
        container["lifecycle"] = {"preStop": {"exec": {"command": ["curl", "--user=a:hunter2", "registry"]}}}
        container["envFrom"] = [{"secretRef": {"name": "extra"}}]
        pod["initContainers"] = [
            {"name": "unpack", "image": "unpack:1", "env": [{"name": "TOKEN", "value": "hunter2"}]},
            {"name": "wait", "image": "wait:1", "args": ["--token=hunter2"]},
        ]

    without_init = Answers.model_validate({"tls": {"source": None}})
    statefulset = copy.deepcopy(rendered(without_init)["statefulset"])
    change(statefulset["spec"]["template"]["spec"])
    assert [str(finding) for finding in imported(without_init, statefulset=statefulset).findings] == [
        "StatefulSet postgresql: spec.template.spec.containers[postgresql].lifecycle",
        (
            "StatefulSet postgresql: spec.template.spec.containers[postgresql].envFrom: "
            '[{"secretRef": {"name": "extra"}}]'
        ),
        "StatefulSet postgresql: spec.template.spec.initContainers[unpack]",
        "StatefulSet postgresql: spec.template.spec.initContainers[wait]",
    ]


@pytest.mark.parametrize("left", [None, "conf.d"], ids=["none", "another key"])
def test_a_repository_whose_configuration_is_not_read_is_named(left: str | None) -> None:
    """Without a warning, answers that take no backups would look like all there is."""
    config = copy.deepcopy(rendered(Answers())["pgbackrest-configmap"])
    config["data"] = {left: "[global]"}
    result = imported(Answers(), pgbackrest_configmap=config if left else None)
    assert not result.answers.repository.enabled
    (finding,) = (each for each in result.findings if each.question == "repository.enabled")
    assert "the pod uses pgBackRest, but no pgbackrest.conf of it could be read" in finding.text
    assert "backups" in finding.fix


def test_a_certificate_without_a_source_becomes_a_file() -> None:
    secret = copy.deepcopy(rendered(Answers())["ca-secret"])
    del secret["metadata"]["annotations"]
    result = imported(Answers(), ca_secret=secret)
    assert (result.answers.tls.source, result.answers.tls.ca_file) == (None, "ca.crt")
    command = "kubectl -n default get secret postgresql-minio-ca -o jsonpath='{.data.tls\\.crt}' | base64 -d > ca.crt"
    fix = f"Name it in tls.source, or write the certificate into a file: {command}"
    assert [finding.fix for finding in result.findings] == [fix]


def test_hostile_text_is_printable() -> None:
    def change(pod: dict[str, Any]) -> None:
        pod["priorityClassName"] = "\x1b[31mred\x1b[0m\u202e"

    text = "".join(findings(statefulset=changed_statefulset(change)))
    assert text.isprintable()
