"""The exported chart: complete, the same for all answers but its values, and current in the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pgwizard.answers.questions import Answers
from pgwizard.export.chart import chart, values, values_yaml
from pgwizard.export.folder import export_folder
from pgwizard.export.kustomize import file_names, kustomize
from pgwizard.export.values_schema import values_schema
from pgwizard.plan.plan import Facts, resolve
from support import headless
from support.headless import GOLDEN, ROOT, answers_of, planned
from support.helm import HELM, documents, helm, objects, templated, write
from support.rigtools import golden_plan

CASES = sorted(GOLDEN.glob("*/answers.yaml"))
NEEDS_HELM = pytest.mark.skipif(HELM is None, reason="helm is neither in RIG_HELM nor on PATH")


def test_the_chart_in_the_repository_is_that_of_the_default_answers() -> None:
    """``make chart`` writes it."""
    items = {
        str(path.relative_to(ROOT / "chart")): path.read_text(encoding="utf-8")
        for path in (ROOT / "chart").rglob("*")
        if path.is_file()
    }
    assert items == chart(resolve(Answers(), Facts()))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_only_the_values_differ_between_answers(case: Path) -> None:
    default, other = chart(planned(Answers())), chart(golden_plan(case))
    assert {name for name in default if default[name] != other[name]} <= {"values.yaml", "Chart.yaml"}
    assert default.keys() == other.keys()


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_the_file_of_values_reads_back_as_the_values_and_fits_the_schema(case: Path) -> None:
    plan = golden_plan(case)
    assert yaml.safe_load(values_yaml(plan)) == values(plan)
    jsonschema.Draft7Validator(values_schema()).validate(values(plan))


def test_the_chart_holds_no_value_of_a_secret_and_no_template_of_one() -> None:
    names = set(chart(planned(Answers())))
    assert not {name for name in names if "credentials-secret" in name or "s3-secret" in name or "cipher" in name}


@pytest.mark.parametrize(
    "wrong",
    [
        {"storage": {"size": True}},
        {"storage": {"size": "ten"}},
        {"repository": {"enabled": "yes"}},
        {"schedule": {"fullDeadlineSeconds": 0}},
        {"tuning": {"parameters": [{"name": "work_mem"}]}},
        {"tls": {"source": {"namespace": "minio"}}},
        {"compression": {"type": "rar"}},
        {"jobs": {"unknown": 1}},
        {"unknown": {}},
    ],
)
def test_a_wrong_value_is_refused_by_the_schema(wrong: dict[str, dict[str, Any]]) -> None:
    right = values(planned(Answers()))
    changed = {**right, **{name: {**right.get(name, {}), **section} for name, section in wrong.items()}}
    assert not jsonschema.Draft7Validator(values_schema()).is_valid(changed)


@NEEDS_HELM
def test_helm_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    done = helm("lint", "--strict", write(tmp_path / "postgresql", chart(planned(Answers()))))
    assert done.returncode == 0, done.stdout
    assert "0 chart(s) failed" in done.stdout


@NEEDS_HELM
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "Secret minio/minio-tls does not exist"),
        (["--set", "tls.source=null"], "tls.enabled needs tls.source or tls.certificate"),
        (["--set", "tls.certificate=nonsense"], "tls.certificate is not a certificate"),
        (["--set", "tls.certificate=-----BEGIN PRIVATE KEY-----"], "tls.certificate holds a private key"),
        (["--set", "storage.size=ten"], "storage/size"),
    ],
)
def test_helm_refuses_what_pgwizard_would_refuse(tmp_path: Path, arguments: list[str], expected: str) -> None:
    folder = write(tmp_path / "postgresql", chart(planned(Answers())))
    done = helm("template", "postgresql", folder, *arguments)
    assert done.returncode != 0
    assert expected in done.stderr


@NEEDS_HELM
def test_the_pod_of_helm_test_is_placed_and_labelled_as_a_pod_of_a_backup(tmp_path: Path) -> None:
    """Else no node would take it where all are tainted, and a mesh would keep it from its end."""
    plan = planned(
        answers_of(
            pods={
                "nodeSelector": {"disk": "fast", "zone": 1},
                "tolerations": ["dedicated=database:NoSchedule", "gpu"],
                "priorityClass": "high",
                "runtimeClass": "gvisor",
                "labels": {"team": "payments", "mesh": True},
                "ephemeralStorageRequest": "1Gi",
                "ephemeralStorageLimit": "2Gi",
            },
            jobs={"labels": {"mesh": False}, "annotations": {"sidecar.istio.io/inject": "false"}},
        )
    )
    folder = write(tmp_path / "postgresql", chart(planned(Answers())))
    rendered = objects(documents(templated(folder, plan, values(plan), tmp_path)))
    test = rendered["Pod", "postgresql-connection-test"]
    backup = rendered["CronJob", "postgresql-pgbackrest-full"]["spec"]["jobTemplate"]["spec"]["template"]
    for key in ("nodeSelector", "priorityClassName", "runtimeClassName"):
        assert test["spec"][key] == backup["spec"][key], key
    tolerations = [{key: text for key, text in each.items() if text} for each in test["spec"]["tolerations"]]
    assert tolerations == backup["spec"]["tolerations"]
    for labels in (test["metadata"]["labels"], backup["metadata"]["labels"]):
        assert (labels["team"], labels["mesh"]) == ("payments", "false")
    assert test["metadata"]["annotations"].items() >= backup["metadata"]["annotations"].items()
    resources = test["spec"]["containers"][0]["resources"]
    assert [resources[kind]["ephemeral-storage"] for kind in ("requests", "limits")] == ["1Gi", "2Gi"]


# ---- the verb ------------------------------------------------------------------------------------------------------


@NEEDS_HELM
def test_a_name_that_leaves_no_room_for_a_cronjob_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "postgresql", chart(planned(Answers())))
    done = helm("template", "a" * 37, folder, "--set-file", f"tls.certificate={GOLDEN / 'ca.crt'}")
    assert done.returncode != 0
    assert "expected at most 36 lower-case letters" in done.stderr


def test_export_names_the_secrets_that_must_exist() -> None:
    done = headless.run("export", GOLDEN / "existing-secrets-only" / "answers.yaml", "--values-only")
    command = "kubectl -n default create secret generic shop-superuser --from-file=user=FILE --from-file=pass=FILE"
    assert command in done.err


def test_export_writes_a_chart_and_names_its_files_and_the_secrets_to_create(tmp_path: Path) -> None:
    case = GOLDEN / "encrypted-from-env" / "answers.yaml"
    done = headless.run("export", case, "-o", tmp_path / "chart")
    assert (done.code, len(done.out.splitlines())) == (0, len(chart(planned(Answers()))))
    assert f"{tmp_path}/chart/templates/statefulset.yaml" in done.out.splitlines()
    assert "create secret generic postgresql --from-literal=username=NAME" in done.err
    again = headless.run("export", case, "-o", tmp_path / "chart")
    assert again.code == 0, "what an export wrote, an export replaces"


def test_values_that_were_edited_are_replaced_only_on_request(tmp_path: Path) -> None:
    answers, folder = GOLDEN / "defaults" / "answers.yaml", tmp_path / "chart"
    assert headless.run("export", answers, "-o", folder).code == 0
    values_file = folder / "values.yaml"
    edited = values_file.read_text().replace("size: 10Gi", "size: 20Gi")
    values_file.write_text(edited)
    done = headless.run("export", answers, "-o", folder)
    assert (done.code, values_file.read_text()) == (3, edited)
    assert f"{values_file} was edited since it was exported: nothing was written\n--force replaces it." in done.err
    assert headless.run("export", answers, "-o", folder, "--force").code == 0
    assert "size: 10Gi" in values_file.read_text()


@pytest.fixture
def defaults(tmp_path: Path) -> Path:
    """A file of answers that changes nothing; its certificate is in the cluster alone."""
    (tmp_path / "answers.yaml").write_text("{}\n", encoding="utf-8")
    return tmp_path / "answers.yaml"


def test_a_chart_needs_no_certificate_at_hand(defaults: Path) -> None:
    done = headless.run("export", defaults, "--values-only")
    assert done.code == 0
    assert yaml.safe_load(done.out) == values(resolve(Answers(), Facts()))
    as_json = headless.run("export", defaults, "--values-only", "--json")
    assert json.loads(as_json.out) == values(resolve(Answers(), Facts()))


def test_a_foreign_file_is_kept_and_nothing_is_written(tmp_path: Path) -> None:
    answers, folder = GOLDEN / "defaults" / "answers.yaml", tmp_path / "chart"
    write(folder, {"templates/mine.yaml": "mine"})
    done = headless.run("export", answers, "-o", folder)
    assert (done.code, done.out) == (3, "")
    assert "holds templates/mine.yaml, which this export does not write: nothing was written" in done.err
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["mine.yaml"]
    forced = headless.run("export", answers, "-o", folder, "--force")
    assert forced.code == 0
    assert (folder / "templates" / "mine.yaml").read_text() == "mine"
    assert (folder / "Chart.yaml").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["chart"], "no temporary folder is left"


def test_what_a_link_in_the_folder_points_to_is_left_alone(tmp_path: Path) -> None:
    answers, folder = GOLDEN / "defaults" / "answers.yaml", tmp_path / "chart"
    write(tmp_path, {"elsewhere/values.yaml": "mine", "elsewhere/templates/role.yaml": "mine", "chart/own.yaml": ""})
    (folder / "values.yaml").symlink_to("../elsewhere/values.yaml")
    (folder / "templates").symlink_to("../elsewhere/templates")
    assert headless.run("export", answers, "-o", folder, "--force").code == 0
    assert [path.read_text() for path in (tmp_path / "elsewhere").rglob("*.yaml")] == ["mine", "mine"]
    assert not (folder / "values.yaml").is_symlink()
    assert not (folder / "templates").is_symlink()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--format", "yaml", "--values-only"], "--values-only does not go with --format yaml"),
        ([], "-o DIR is missing"),
        (["--format", "kustomize", "-o", "out"], "tls.source"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_the_reason(
    defaults: Path, arguments: list[str], expected: str
) -> None:
    done = headless.run("export", defaults, *arguments)
    assert done.code == 2
    assert expected in done.err


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_exported_manifests_leave_out_secrets_without_values(case: Path) -> None:
    """kubectl apply would remove the values of one that was created with --save-config."""
    texts = export_folder(golden_plan(case), "yaml").texts
    secrets = [obj for obj in map(yaml.safe_load, texts.values()) if obj["kind"] == "Secret"]
    assert all(secret["data"] for secret in secrets)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_kustomize_files_have_known_names_and_no_secret_without_values(case: Path) -> None:
    plan = golden_plan(case)
    files = kustomize(plan)
    assert files.keys() <= file_names()
    secrets = [text for text in files.values() if "kind: Secret" in text]
    assert len(secrets) == (1 if plan.tls else 0)


def test_kustomize_without_backups_patches_no_schedule() -> None:
    files = kustomize(planned(answers_of(repository={"enabled": False})))
    assert "CronJob" not in files["overlays/default/kustomization.yaml"]
