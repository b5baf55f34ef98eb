"""What an apply would change, as it is shown; and that no value of a Secret is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pgwizard.kube.api import Object, Ref, Resource
from pgwizard.release.changes import Change, compare, cost, count_text, normalise, text
from pgwizard.release.report import change_lines

REF = Ref(Resource("v1", "ConfigMap"), "a", "shop")


def configmap(**data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}, "data": data}


def secret(metadata: dict[str, Any] | None = None, **data: str) -> Object:
    about = {"name": "a", "namespace": "shop", **(metadata or {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": about, "data": data}


def served(obj: Object, **metadata: Any) -> Object:
    """An object with all that a server adds."""
    kept = {"uid": "1", "resourceVersion": "7", "generation": 2, "creationTimestamp": "now", "managedFields": [{}]}
    return {**obj, "metadata": {**obj["metadata"], **kept, **metadata}, "status": {"phase": "well"}}


def test_a_field_that_only_the_server_sets_is_not_a_change() -> None:
    assert compare(served(configmap(x="1")), served(configmap(x="1"), resourceVersion="8")) == Change(REF, "unchanged")
    assert normalise(served(configmap(x="1"))) == configmap(x="1")


def test_a_missing_object_is_created() -> None:
    change = compare(None, configmap(x="1"))
    assert (change.action, change.before) == ("create", "")
    assert change.after == (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: shop\ndata:\n  x: '1'\n"
    )


def test_a_file_is_compared_line_by_line() -> None:
    change = compare(configmap(conf="a = 1\nb = 2\n"), configmap(conf="a = 1\nb = 3\n"))
    assert change.action == "update"
    assert change.lines() == [
        "--- live/ConfigMap shop/a",
        "+++ wanted/ConfigMap shop/a",
        "@@ -6,4 +6,4 @@",
        " data:",
        "   conf: |",
        "     a = 1",
        "-    b = 2",
        "+    b = 3",
    ]


def test_values_of_secrets_never_appear() -> None:
    change = compare(secret(same="czE=", old="b2xk", other="eA=="), secret(same="czE=", new="bmV3", other="eQ=="))
    assert change.lines() == [
        "--- live/Secret shop/a",
        "+++ wanted/Secret shop/a",
        "@@ -5,5 +5,5 @@",
        "   namespace: shop",
        " data:",
        "   same: '***'",
        "-  old: '*** (before)'",
        "-  other: '*** (before)'",
        "+  new: '*** (after)'",
        "+  other: '*** (after)'",
    ]


def test_values_of_a_secret_in_plain_text_never_appear() -> None:
    plain = {**secret(), "stringData": {"x": "canary"}}
    assert "canary" not in text(plain)
    assert "canary" not in compare(None, plain).after
    assert "canary" not in "\n".join(compare(secret(x="Y2FuYXJ5"), plain).lines())


def test_the_copy_that_kubectl_keeps_of_a_secret_never_appears() -> None:
    mark = {"kubectl.kubernetes.io/last-applied-configuration": '{"data": {"x": "Y2FuYXJ5"}}'}
    live = secret({"annotations": {**mark, "mine": "1"}}, x="Y2FuYXJ5")
    assert "Y2FuYXJ5" not in text(live)
    assert "mine: '1'" in text(live)
    assert compare(live, secret({"annotations": {"mine": "1"}}, x="Y2FuYXJ5")).action == "unchanged"
    assert compare(secret({"annotations": mark}, x="eA=="), secret(x="eA==")).action == "unchanged"


def test_changes_are_counted_in_words() -> None:
    actions: list[Any] = ["create", "create", "unchanged", "update", "delete", "replace", "keep"]
    assert count_text(Change(REF, action) for action in actions) == (
        "2 to create, 1 to update, 1 to replace, 1 to delete, 1 unchanged, 1 kept"
    )
    assert count_text([Change(REF, "create"), Change(REF, "keep")], is_done=True) == "1 created, 1 kept"
    assert count_text([]) == ""


def statefulset(image: str, replicas: int = 1) -> Object:
    spec = {"replicas": replicas, "template": {"spec": {"containers": [{"image": image}]}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": spec,
    }


RESTARTS = "the pod restarts: connections end, and the database is away for a moment"


def test_only_a_change_of_the_pod_template_restarts_the_pod() -> None:
    assert cost(compare(served(statefulset("one")), statefulset("two"))) == RESTARTS
    assert cost(compare(served(statefulset("one")), statefulset("one", replicas=0))) == ""
    assert cost(compare(None, statefulset("one"))) == ""


def test_a_volume_that_grows_is_final_whether_or_not_the_pod_restarts() -> None:
    grown = Change(Ref.of(statefulset("one")), "replace", why="the volume grows from 10Gi; the pod keeps running")
    assert cost(grown) == "the volume grows from 10Gi; the pod keeps running, and it can never shrink again"
    restarted = replace(grown, why="the volume grows from 10Gi", restarts=True)
    assert cost(restarted) == f"the volume grows from 10Gi, and it can never shrink again; {RESTARTS}"


def test_a_deletion_names_what_is_lost_with_it() -> None:
    assert cost(Change(Ref.of(statefulset("one")), "delete")) == "the database stops; its volume stays"
    assert cost(Change(REF, "delete")) == ""


def test_changes_as_lines() -> None:
    changes = [
        compare(None, configmap(x="1")),
        Change(REF, "unchanged"),
        compare(configmap(x="1"), configmap(x="2")),
        Change(REF, "delete", why="no longer part of the release"),
        Change(Ref.of(statefulset("one")), "update", restarts=True),
    ]
    assert change_lines(changes, whole=False) == [
        "+ create    ConfigMap shop/a",
        "~ update    ConfigMap shop/a",
        "- delete    ConfigMap shop/a   (no longer part of the release)",
        "~ update    StatefulSet shop/a",
        "    ! the pod restarts: connections end, and the database is away for a moment",
    ]
    whole = change_lines(changes, whole=True)
    assert whole[:2] == ["+ create    ConfigMap shop/a", "    apiVersion: v1"]
    assert "    -  x: '1'" in whole
    assert "    +  x: '2'" in whole


def test_what_others_wrote_into_an_object_is_spelt_out() -> None:
    hostile = "\x1b[31m\u202egnp\u2028 \x9b\x07\u200b"
    change = compare(served(configmap(**{"a": "1\n", hostile: f"1\n{hostile}\n"})), configmap(a="1\n"))
    assert any("\\u202egnp" in line for line in change.lines())
    assert [line for line in change.lines() if not line.isprintable()] == []
