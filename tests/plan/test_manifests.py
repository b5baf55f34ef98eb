"""Manifests: golden folders, order, and what a rendering promises whatever the answers are."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgwizard.answers.questions import Answers
from pgwizard.plan import manifests
from support.headless import CA, GOLDEN, answers_of, planned, rendered, run

CASES = sorted(path.parent.name for path in GOLDEN.glob("*/answers.yaml"))


def _tree(folder: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().decode() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("case", CASES)
def test_a_golden_case_renders_its_folder_and_its_messages(case: str, tmp_path: Path, update_golden: bool) -> None:
    """``tests/golden/<case>/manifests`` is exactly what ``-o`` writes, ``stderr.txt`` what it says besides."""
    home = GOLDEN / case
    result = run("--headless", home / "answers.yaml", "-o", tmp_path / "manifests")
    if update_golden:
        shutil.rmtree(home / "manifests", ignore_errors=True)
        shutil.copytree(tmp_path / "manifests", home / "manifests")
        (home / "stderr.txt").write_text(result.err, encoding="utf-8")
    assert (result.code, result.err) == (0, (home / "stderr.txt").read_text(encoding="utf-8"))
    assert _tree(tmp_path / "manifests") == _tree(home / "manifests")


@pytest.mark.parametrize("case", CASES)
def test_printing_gives_the_same_objects_as_writing_in_apply_order(case: str) -> None:
    first, second = (run("--headless", GOLDEN / case / "answers.yaml").out for _ in range(2))
    assert first == second
    assert first == "---\n".join(_tree(GOLDEN / case / "manifests").values())


def test_every_golden_case_has_a_folder_of_expectations() -> None:
    assert {path.name for path in GOLDEN.iterdir() if path.is_dir()} == {*CASES, "help", "screens"}
    assert len(CASES) >= 11


def test_golden_files_end_lines_with_a_line_feed_alone() -> None:
    assert [path for path in GOLDEN.rglob("*.*") if b"\r" in path.read_bytes()] == []


def test_no_private_key_is_committed() -> None:
    assert [path for path in GOLDEN.rglob("*.*") if b"PRIVATE KEY" in path.read_bytes()] == []


def test_the_case_of_everything_changed_repeats_no_default() -> None:
    def same(changed: Any, default: Any, path: str = "") -> list[str]:
        if isinstance(changed, dict) and isinstance(default, dict):
            return [each for key in changed for each in same(changed[key], default.get(key), f"{path}.{key}")]
        return [path] if changed == default else []

    text = (GOLDEN / "everything-changed" / "answers.yaml").read_text(encoding="utf-8")
    changed = Answers.model_validate(yaml.safe_load(text) | {"images": {}}).model_dump(by_alias=True)
    idle = {".repository.enabled", ".tls.verify", ".advanced.block", ".images", ".repository.credentials.from"}
    left = {path for path in same(changed, Answers().model_dump(by_alias=True)) if not path.startswith(".images")}
    assert left <= idle


def test_what_others_need_comes_first_and_what_the_first_backup_does_not_need_comes_last() -> None:
    roles = list(rendered(answers_of(release={"createNamespace": True}, advanced={"networkPolicy": True})))
    assert roles == [role for role in manifests.ORDER if role in roles]
    assert (roles[0], roles[-2:]) == ("namespace", ["init-job", "verify-cronjob"])


@pytest.mark.parametrize(
    ("endpoint", "namespaces"),
    [
        ("minio.minio.svc", ["minio"]),
        ("https://s3.Storage.svc.cluster.local:443/", ["storage"]),
        ("minio-0.minio-hl.store.svc.cluster.local:9000", ["store"]),
        ("backups.minio.minio.svc", ["minio"]),
        ("minio.minio.svc.", ["minio"]),
        ("minio", ["shop"]),
        ("minio.store", ["store"]),
        ("s3.svc.example.com", []),
        ("s3.example.com", []),
        ("10.0.0.1:9000", []),
        ("[fd00::1]:9000", []),
    ],
)
def test_a_network_policy_allows_egress_to_the_pods_behind_a_service_at_any_port(
    endpoint: str, namespaces: list[str]
) -> None:
    """Most implementations compare the port of the pod, not the one of the Service."""
    policy = rendered(
        answers_of(
            release={"namespace": "shop"},
            repository={"endpoint": endpoint, "credentials": {"from": "existing", "secret": "s3"}},
            advanced={"networkPolicy": True},
        )
    )["network-policy"]
    to_pods = [rule for rule in policy["spec"]["egress"] if "to" in rule]
    assert [rule["ports"] for rule in to_pods] == [[{"protocol": "TCP"}] for _ in namespaces]
    assert [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in to_pods
        for peer in rule["to"]
    ] == namespaces


def test_a_network_policy_allows_egress_to_dns_pods_that_listen_on_5353() -> None:
    policy = rendered(answers_of(advanced={"networkPolicy": True}))["network-policy"]
    dns = {(port["port"], port["protocol"]) for port in policy["spec"]["egress"][0]["ports"]}
    assert dns == {(53, "UDP"), (53, "TCP"), (5353, "UDP"), (5353, "TCP")}


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader], ids=["pure", "c"])
@pytest.mark.parametrize("case", CASES)
def test_both_readers_of_yaml_read_the_same_objects(case: str, loader: Any) -> None:
    for manifest in manifests.render(planned(Answers())):
        assert yaml.load(manifest.text, loader) == manifest.object


@pytest.mark.parametrize("value", [None, 1.5, b"x", ["x"], object()])
def test_only_text_numbers_and_booleans_can_be_placed(value: object) -> None:
    with pytest.raises(manifests.PlacementError, match="no scalar"):
        manifests._place(value)


def test_a_value_that_does_not_come_back_is_a_defect_not_a_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without quotes the label "15" would be a number."""
    monkeypatch.setattr(manifests, "yaml_value", str)
    with pytest.raises(manifests.PlacementError, match="'15' did not come back"):
        manifests.render(planned(Answers()))


def test_a_plan_with_tls_and_no_certificate_is_refused() -> None:
    with pytest.raises(manifests.PlacementError, match="has none"):
        manifests.render(dataclasses.replace(planned(Answers()), ca_certificate=None))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("256MB", "256MB"),
        ("0.9", "0.9"),
        ("on", "on"),
        ("-1", "-1"),
        ("60s", "60s"),
        ("1.5GB", "'1.5GB'"),
        ("", "''"),
        ("*", "'*'"),
        ("it's", "'it''s'"),
        ("a\\b", "'a\\\\b'"),
        ("a\nport = 1", "'a\\nport = 1'"),
        ("# no", "'# no'"),
    ],
)
def test_postgresql_conf_quotes_what_its_lexer_would_not_take_bare(value: str, written: str) -> None:
    assert manifests.postgresql_value(value) == written


@pytest.mark.parametrize("value", ["", " x", "x ", "a\nb", "a\x00b", "a\x7fb"])
def test_pgbackrest_conf_refuses_what_it_cannot_quote(value: str) -> None:
    with pytest.raises(manifests.PlacementError):
        manifests.pgbackrest_value(value)


@pytest.mark.parametrize("text", ["no end of line", " leading\n", "tab\there\n", "\u2028\n", "nul\0\n"])
def test_a_block_refuses_what_yaml_would_change(text: str) -> None:
    with pytest.raises(manifests.PlacementError):
        manifests._block(text, 2)


def test_one_file_is_read_as_the_pod_reads_it() -> None:
    plan = planned(Answers())
    assert (
        manifests.render_file(plan, "postgresql.conf") == rendered()["postgresql-configmap"]["data"]["postgresql.conf"]
    )


def test_the_certificate_of_the_fixtures_expires_in_the_far_future() -> None:
    assert CA.read_bytes().count(b"BEGIN CERTIFICATE") == 1


def test_another_spelling_of_the_endpoint_restarts_no_pod() -> None:
    """An earlier version wrote a default port as it was answered; this one leaves it out."""

    def objects(endpoint: str) -> dict[str, Any]:
        return rendered(answers_of(repository={"endpoint": endpoint}))

    without, with_default, other = map(objects, ("s3.example.com", "s3.example.com:443", "s3.example.com:8443"))
    assert without == with_default
    changed = {obj["kind"]: obj["metadata"]["name"] for role, obj in without.items() if obj != other[role]}
    assert changed == {"ConfigMap": "postgresql-pgbackrest-config", "Job": "postgresql-pgbackrest-init"}
