"""What every ``Cluster`` does alike, real or simulated: one suite, written against the protocol.

An implementation is plugged in by a subclass of ``ClusterContract`` named ``Test...`` with a fixture ``laboratory``
that returns a function without arguments, which gives a ``Lab`` by ``async with``. Namespaces are empty and the test's
own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from pgwizard.errors import AlreadyExists, Conflict, Forbidden, Gone, Invalid, NotFound
from pgwizard.kube.api import Access, Cluster, ListPage, Object, Ref, Resource, WatchEvent, WriteResult
from support.waiting import DEADLINE_SECONDS

CONFIG_MAP = Resource("v1", "ConfigMap")
SECRET = Resource("v1", "Secret")
STATEFUL_SET = Resource("apps/v1", "StatefulSet")


@dataclass(frozen=True)
class Lab:
    """cluster: everything is allowed. rival: the same as another field manager. stranger: ``user``, without rights."""

    cluster: Cluster
    rival: Cluster
    stranger: Cluster
    user: str
    namespace: str
    elsewhere: str


Laboratory = Callable[[], AbstractAsyncContextManager[Lab]]
Test = Callable[[Any, Laboratory], None]


def scenario(test: Callable[[Any, Lab], Awaitable[None]]) -> Test:
    """An async test in its own event loop and laboratory."""

    def run(self: Any, laboratory: Laboratory) -> None:
        async def within() -> None:
            async with laboratory() as lab, asyncio.timeout(DEADLINE_SECONDS):
                await test(self, lab)

        asyncio.run(within())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def config_map(namespace: str, name: str = "settings", labels: dict[str, str] | None = None, **data: str) -> Object:
    metadata: Object = {"name": name, "namespace": namespace}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def secret(namespace: str, name: str, kind: str = "Opaque", **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": kind,
        "data": {key.replace("_", "."): base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def stateful_set(namespace: str, *, replicas: int = 0, service: str = "db", image: str = "pause") -> Object:
    labels = {"app": "db"}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "serviceName": service,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": image, "ports": [{"containerPort": 5432}]}]},
            },
        },
    }


def version(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])


async def pages(cluster: Cluster, resource: Resource, namespace: str | None, **options: Any) -> list[ListPage]:
    async with contextlib.aclosing(cluster.pages(resource, namespace, **options)) as listing:
        return [page async for page in listing]


async def names(cluster: Cluster, resource: Resource, namespace: str, **options: Any) -> list[str]:
    result = await pages(cluster, resource, namespace, **options)
    # Every namespace of a real cluster gets this one in its own time.
    listed = [item["metadata"]["name"] for page in result for item in page.items]
    return [name for name in listed if name != "kube-root-ca.crt"]


class Watcher:
    """A watch read event by event, without what the cluster itself puts into each namespace."""

    def __init__(self, cluster: Cluster, resource: Resource, namespace: str, **options: Any) -> None:
        self._events = cluster.watch(resource, namespace, **options)

    async def __aenter__(self) -> Watcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._events.aclose()

    async def next(self) -> tuple[str, str]:
        event = await self.event()
        return event.type, event.object["metadata"]["name"] if event.object else ""

    async def event(self) -> WatchEvent:
        while True:
            event = await anext(self._events)
            if not event.object or event.object["metadata"]["name"] != "kube-root-ca.crt":
                return event


class ClusterContract:
    """The suite."""

    # -- reading and writing ------------------------------------------------------------------------------------------

    @scenario
    async def test_version_and_names(self, lab: Lab) -> None:
        assert (await lab.cluster.version()).startswith("v1.")
        assert lab.cluster.server
        assert lab.cluster.namespace

    @scenario
    async def test_create_then_get(self, lab: Lab) -> None:
        written = await lab.cluster.create(config_map(lab.namespace, a="1"))
        assert isinstance(written, WriteResult)
        assert written.object["metadata"]["uid"]
        assert written.object["metadata"]["creationTimestamp"]
        got = await lab.cluster.get(Ref.of(written.object))
        assert got["data"] == {"a": "1"}
        assert (got["apiVersion"], got["kind"]) == ("v1", "ConfigMap")
        assert version(got) == version(written.object)

    @scenario
    async def test_create_twice(self, lab: Lab) -> None:
        await lab.cluster.create(config_map(lab.namespace, a="1"))
        with pytest.raises(AlreadyExists, match="settings") as caught:
            await lab.cluster.create(config_map(lab.namespace, a="2"))
        assert caught.value.status == 409
        assert caught.value.reason == "AlreadyExists"

    @scenario
    async def test_get_absent(self, lab: Lab) -> None:
        with pytest.raises(NotFound, match=r"ConfigMap .*/absent") as caught:
            await lab.cluster.get(Ref(CONFIG_MAP, "absent", lab.namespace))
        assert caught.value.status == 404

    @scenario
    async def test_write_into_absent_namespace(self, lab: Lab) -> None:
        for write in (lab.cluster.create, lab.cluster.apply):
            with pytest.raises(NotFound):
                await write(config_map(f"{lab.namespace}-absent", a="1"))

    @scenario
    async def test_strings_of_a_secret_come_back_coded(self, lab: Lab) -> None:
        obj = {**secret(lab.namespace, "login"), "stringData": {"password": "s3cret"}}
        del obj["data"]
        await lab.cluster.create(obj)
        got = await lab.cluster.get(Ref.of(obj))
        assert got["data"] == {"password": base64.b64encode(b"s3cret").decode()}
        assert "stringData" not in got

    @scenario
    async def test_patch_merges_and_removes(self, lab: Lab) -> None:
        made = await lab.cluster.create(config_map(lab.namespace, a="1", b="2"))
        patched = await lab.cluster.patch(Ref.of(made.object), {"data": {"a": None, "c": "3"}})
        assert patched.object["data"] == {"b": "2", "c": "3"}
        assert version(patched.object) != version(made.object)
        with pytest.raises(NotFound):
            await lab.cluster.patch(Ref(CONFIG_MAP, "absent", lab.namespace), {"data": {"a": "1"}})

    @scenario
    async def test_replace_is_compare_and_swap(self, lab: Lab) -> None:
        first = (await lab.cluster.create(config_map(lab.namespace, a="1", b="2"))).object
        second = (await lab.cluster.replace({**first, "data": {"a": "2"}})).object
        assert second["data"] == {"a": "2"}
        assert version(second) != version(first)
        with pytest.raises(Conflict) as caught:
            await lab.cluster.replace({**first, "data": {"a": "3"}})
        assert not isinstance(caught.value, AlreadyExists)
        assert (await lab.cluster.get(Ref.of(first)))["data"] == {"a": "2"}

    @scenario
    async def test_delete(self, lab: Lab) -> None:
        ref = Ref.of((await lab.cluster.create(config_map(lab.namespace, a="1"))).object)
        await lab.cluster.delete(ref)
        with pytest.raises(NotFound):
            await lab.cluster.get(ref)
        await lab.cluster.delete(ref)

    @scenario
    async def test_delete_only_that_very_object(self, lab: Lab) -> None:
        obj = (await lab.cluster.create(config_map(lab.namespace, a="1"))).object
        with pytest.raises(Conflict):
            await lab.cluster.delete(Ref.of(obj), uid="11111111-2222-3333-4444-555555555555")
        await lab.cluster.get(Ref.of(obj))
        await lab.cluster.delete(Ref.of(obj), uid=obj["metadata"]["uid"])
        with pytest.raises(NotFound):
            await lab.cluster.get(Ref.of(obj))

    # -- server-side apply --------------------------------------------------------------------------------------------

    @scenario
    async def test_apply_creates_and_changes(self, lab: Lab) -> None:
        first = (await lab.cluster.apply(config_map(lab.namespace, a="1"))).object
        second = (await lab.cluster.apply(config_map(lab.namespace, a="2"))).object
        assert second["data"] == {"a": "2"}
        assert second["metadata"]["uid"] == first["metadata"]["uid"]
        assert version(second) != version(first)

    @scenario
    async def test_applying_the_same_writes_nothing(self, lab: Lab) -> None:
        for obj in (config_map(lab.namespace, a="1"), stateful_set(lab.namespace)):
            await lab.cluster.apply(obj)
            first = await lab.cluster.get(Ref.of(obj))
            again = (await lab.cluster.apply(obj)).object
            # The StatefulSet's controller writes its status; the generation counts changes of the spec.
            assert again["metadata"].get("generation") == first["metadata"].get("generation")
            if obj["kind"] == "ConfigMap":
                assert version(again) == version(first)

    @scenario
    async def test_a_field_that_is_no_longer_applied_is_deleted(self, lab: Lab) -> None:
        await lab.cluster.apply(config_map(lab.namespace, labels={"x": "1", "y": "2"}, a="1", b="2"))
        after = (await lab.cluster.apply(config_map(lab.namespace, labels={"x": "1"}, b="2"))).object
        assert after["data"] == {"b": "2"}
        assert after["metadata"]["labels"] == {"x": "1"}

    @scenario
    async def test_fields_of_other_managers_stay(self, lab: Lab) -> None:
        await lab.cluster.apply(config_map(lab.namespace, a="1", b="2"))
        await lab.rival.apply(config_map(lab.namespace, z="9"))
        after = (await lab.cluster.apply(config_map(lab.namespace, a="1"))).object
        assert after["data"] == {"a": "1", "z": "9"}

    @scenario
    async def test_a_field_that_two_own_stays_until_both_let_go(self, lab: Lab) -> None:
        await lab.cluster.apply(config_map(lab.namespace, a="1", b="2"))
        await lab.rival.apply(config_map(lab.namespace, b="2"))
        assert (await lab.cluster.apply(config_map(lab.namespace, a="1"))).object["data"] == {"a": "1", "b": "2"}
        assert (await lab.rival.apply(config_map(lab.namespace))).object["data"] == {"a": "1"}

    @scenario
    async def test_conflict_names_manager_and_field(self, lab: Lab) -> None:
        await lab.rival.apply(config_map(lab.namespace, a="1"))
        with pytest.raises(Conflict, match="rival") as caught:
            await lab.cluster.apply(config_map(lab.namespace, a="2"))
        assert ".data.a" in str(caught.value)
        assert [field for field, _ in caught.value.causes] == [".data.a"]
        assert (await lab.cluster.get(Ref(CONFIG_MAP, "settings", lab.namespace)))["data"] == {"a": "1"}

    @scenario
    async def test_force_takes_the_field(self, lab: Lab) -> None:
        await lab.rival.apply(config_map(lab.namespace, a="1"))
        taken = (await lab.cluster.apply(config_map(lab.namespace, a="2"), force=True)).object
        assert taken["data"] == {"a": "2"}
        with pytest.raises(Conflict, match="pgwizard"):
            await lab.rival.apply(config_map(lab.namespace, a="1"))

    @scenario
    async def test_a_patch_of_another_is_a_conflict_too(self, lab: Lab) -> None:
        made = (await lab.cluster.apply(config_map(lab.namespace, a="1"))).object
        await lab.rival.patch(Ref.of(made), {"data": {"a": "2"}})
        with pytest.raises(Conflict, match="rival"):
            await lab.cluster.apply(config_map(lab.namespace, a="1"))

    @scenario
    async def test_what_was_created_or_patched_is_not_owned_by_apply(self, lab: Lab) -> None:
        """An owner is a manager and its operation: create and patch conflict with a later apply of the same manager."""
        made = (await lab.cluster.create(config_map(lab.namespace, a="1"))).object
        assert [entry["operation"] for entry in made["metadata"]["managedFields"]] == ["Update"]
        with pytest.raises(Conflict, match="pgwizard"):
            await lab.cluster.apply(config_map(lab.namespace, a="2"))
        shared = (await lab.cluster.apply(config_map(lab.namespace, a="1"))).object
        assert {entry["operation"] for entry in shared["metadata"]["managedFields"]} == {"Apply", "Update"}
        taken = (await lab.cluster.apply(config_map(lab.namespace, a="2"), force=True)).object
        assert taken["data"] == {"a": "2"}

    @scenario
    async def test_a_write_that_takes_a_field_ends_the_others_ownership(self, lab: Lab) -> None:
        made = (await lab.cluster.apply(config_map(lab.namespace, a="1", b="1"))).object
        patched = (await lab.rival.patch(Ref.of(made), {"data": {"a": "2"}})).object
        owners = {entry["manager"]: entry["fieldsV1"] for entry in patched["metadata"]["managedFields"]}
        assert owners == {"pgwizard": {"f:data": {"f:b": {}}}, "rival": {"f:data": {"f:a": {}}}}

    @scenario
    async def test_lists_are_merged_by_key(self, lab: Lab) -> None:
        obj = stateful_set(lab.namespace)
        obj["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "pause"})
        await lab.cluster.apply(obj)
        after = (await lab.cluster.apply(stateful_set(lab.namespace))).object
        assert [c["name"] for c in after["spec"]["template"]["spec"]["containers"]] == ["main"]

    @scenario
    async def test_managed_fields_say_who(self, lab: Lab) -> None:
        applied = (await lab.cluster.apply(config_map(lab.namespace, a="1"))).object
        (entry,) = applied["metadata"]["managedFields"]
        assert (entry["manager"], entry["operation"]) == ("pgwizard", "Apply")
        assert entry["fieldsV1"] == {"f:data": {"f:a": {}}}

    # -- refusals -----------------------------------------------------------------------------------------------------

    @scenario
    async def test_unknown_fields_are_refused(self, lab: Lab) -> None:
        obj = {**config_map(lab.namespace, a="1"), "bogus": 1}
        deep = stateful_set(lab.namespace)
        deep["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
        for bad, field in ((obj, "bogus"), (deep, "imagePullPolice")):
            for write in (lab.cluster.apply, lab.cluster.create):
                with pytest.raises(Invalid, match=field):
                    await write(bad)

    @scenario
    async def test_invalid_values_are_refused(self, lab: Lab) -> None:
        bad_name = config_map(lab.namespace, name="Not_A_Name", a="1")
        bad_selector = stateful_set(lab.namespace)
        bad_selector["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
        for obj in (bad_name, bad_selector):
            with pytest.raises(Invalid) as caught:
                await lab.cluster.apply(obj)
            assert caught.value.status == 422
            assert caught.value.causes

    @scenario
    async def test_immutable_fields_of_a_stateful_set(self, lab: Lab) -> None:
        await lab.cluster.apply(stateful_set(lab.namespace))
        with pytest.raises(Invalid, match="updates to statefulset spec") as caught:
            await lab.cluster.apply(stateful_set(lab.namespace, service="other"))
        assert caught.value.status == 422
        changed = await lab.cluster.apply(stateful_set(lab.namespace, image="pause:2"))
        assert changed.object["spec"]["template"]["spec"]["containers"][0]["image"] == "pause:2"
        assert changed.object["metadata"]["generation"] == 2

    @scenario
    async def test_the_type_of_a_secret_is_immutable(self, lab: Lab) -> None:
        await lab.cluster.create(secret(lab.namespace, "login", password="x"))
        with pytest.raises(Invalid):
            await lab.cluster.patch(Ref(SECRET, "login", lab.namespace), {"type": "kubernetes.io/basic-auth"})

    # -- dry run ------------------------------------------------------------------------------------------------------

    @scenario
    async def test_dry_run_persists_nothing(self, lab: Lab) -> None:
        ref = Ref(CONFIG_MAP, "settings", lab.namespace)
        for write in (lab.cluster.create, lab.cluster.apply):
            seen = (await write(config_map(lab.namespace, a="1"), dry_run=True)).object
            assert seen["data"] == {"a": "1"}
            with pytest.raises(NotFound):
                await lab.cluster.get(ref)
        before = (await lab.cluster.apply(config_map(lab.namespace, a="1"))).object
        seen = (await lab.cluster.apply(config_map(lab.namespace, a="2"), dry_run=True)).object
        assert seen["data"] == {"a": "2"}
        seen = (await lab.cluster.patch(ref, {"data": {"a": "3"}}, dry_run=True)).object
        assert seen["data"] == {"a": "3"}
        after = await lab.cluster.get(ref)
        assert (after["data"], version(after)) == ({"a": "1"}, version(before))

    @scenario
    async def test_dry_run_is_refused_like_the_write(self, lab: Lab) -> None:
        await lab.rival.apply(config_map(lab.namespace, a="1"))
        with pytest.raises(Conflict):
            await lab.cluster.apply(config_map(lab.namespace, a="2"), dry_run=True)
        with pytest.raises(AlreadyExists):
            await lab.cluster.create(config_map(lab.namespace, a="2"), dry_run=True)

    # -- lists --------------------------------------------------------------------------------------------------------

    @scenario
    async def test_selectors(self, lab: Lab) -> None:
        for name, tier in (("one", "a"), ("two", "b"), ("three", "")):
            labels = {"tier": tier} if tier else {}
            await lab.cluster.create(config_map(lab.namespace, name, labels=labels))
        for selector, expected in (
            ("tier=a", {"one"}),
            ("tier!=a", {"two", "three"}),
            ("tier", {"one", "two"}),
            ("!tier", {"three"}),
            ("tier in (a,b)", {"one", "two"}),
            ("tier notin (a)", {"two", "three"}),
            ("tier=a,tier=b", set()),
        ):
            assert set(await names(lab.cluster, CONFIG_MAP, lab.namespace, labels=selector)) == expected, selector
        assert await names(lab.cluster, CONFIG_MAP, lab.namespace, fields="metadata.name=two") == ["two"]

    @scenario
    async def test_tls_secrets_by_type(self, lab: Lab) -> None:
        await lab.cluster.create(secret(lab.namespace, "plain", password="x"))
        await lab.cluster.create(secret(lab.namespace, "web", "kubernetes.io/tls", tls_crt="c", tls_key="k"))
        selected = await names(lab.cluster, SECRET, lab.namespace, fields="type=kubernetes.io/tls", limit=None)
        assert selected == ["web"]

    @scenario
    async def test_pages(self, lab: Lab) -> None:
        for number in range(5):
            await lab.cluster.create(secret(lab.namespace, f"s{number}", a="1"))
        result = await pages(lab.cluster, SECRET, lab.namespace, limit=2)
        assert [[item["metadata"]["name"] for item in page.items] for page in result] == [
            ["s0", "s1"],
            ["s2", "s3"],
            ["s4"],
        ]
        assert [page.remaining for page in result] == [3, 1, None]
        assert result[-1].resource_version
        assert len(await pages(lab.cluster, SECRET, lab.namespace, limit=None)) == 1
        (empty,) = await pages(lab.cluster, STATEFUL_SET, lab.namespace)
        assert empty.items == ()

    @scenario
    async def test_items_carry_their_kind(self, lab: Lab) -> None:
        await lab.cluster.create(secret(lab.namespace, "s", a="1"))
        for metadata_only in (False, True):
            (page,) = await pages(lab.cluster, SECRET, lab.namespace, metadata_only=metadata_only)
            assert [Ref.of(item) for item in page.items] == [Ref(SECRET, "s", lab.namespace)]

    @scenario
    async def test_metadata_only(self, lab: Lab) -> None:
        await lab.cluster.create(secret(lab.namespace, "web", "kubernetes.io/tls", tls_crt="c", tls_key="k"))
        await lab.cluster.create(secret(lab.namespace, "plain", password="x"))
        options = {"fields": "type=kubernetes.io/tls", "metadata_only": True}
        (page,) = await pages(lab.cluster, SECRET, lab.namespace, **options)
        assert set(page.items[0]) == {"apiVersion", "kind", "metadata"}
        assert [item["metadata"]["name"] for item in page.items] == ["web"]

    @scenario
    async def test_all_namespaces(self, lab: Lab) -> None:
        mark = {"lab": lab.namespace}
        await lab.cluster.create(config_map(lab.namespace, "here", labels=mark))
        await lab.cluster.create(config_map(lab.elsewhere, "there", labels=mark))
        (page,) = await pages(lab.cluster, CONFIG_MAP, None, labels=f"lab={lab.namespace}")
        items = {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in page.items}
        assert items == {(lab.namespace, "here"), (lab.elsewhere, "there")}
        assert await names(lab.cluster, CONFIG_MAP, lab.namespace) == ["here"]

    # -- watches ------------------------------------------------------------------------------------------------------

    @scenario
    async def test_watch(self, lab: Lab) -> None:
        await lab.cluster.create(config_map(lab.namespace, "old"))
        async with Watcher(lab.cluster, CONFIG_MAP, lab.namespace) as watcher:
            assert await watcher.next() == ("ADDED", "old")
            assert await watcher.next() == ("SYNCED", "")
            await lab.cluster.create(config_map(lab.namespace, "new"))
            assert await watcher.next() == ("ADDED", "new")
            await lab.cluster.patch(Ref(CONFIG_MAP, "old", lab.namespace), {"data": {"a": "1"}})
            event = await watcher.event()
            assert (event.type, event.object["data"]) == ("MODIFIED", {"a": "1"})
            assert Ref.of(event.object) == Ref(CONFIG_MAP, "old", lab.namespace)
            await lab.cluster.delete(Ref(CONFIG_MAP, "new", lab.namespace))
            assert await watcher.next() == ("DELETED", "new")

    @scenario
    async def test_watch_begins_with_nothing(self, lab: Lab) -> None:
        async with Watcher(lab.cluster, STATEFUL_SET, lab.namespace) as watcher:
            assert await watcher.next() == ("SYNCED", "")

    @scenario
    async def test_a_watch_gets_no_event_for_a_dry_run_or_an_unchanged_apply(self, lab: Lab) -> None:
        await lab.cluster.apply(config_map(lab.namespace, a="1"))
        async with Watcher(lab.cluster, CONFIG_MAP, lab.namespace) as watcher:
            assert await watcher.next() == ("ADDED", "settings")
            assert await watcher.next() == ("SYNCED", "")
            await lab.cluster.apply(config_map(lab.namespace, a="1"))
            await lab.cluster.apply(config_map(lab.namespace, a="2"), dry_run=True)
            await lab.cluster.create(config_map(lab.elsewhere, "elsewhere"))
            await lab.cluster.create(config_map(lab.namespace, "last"))
            assert await watcher.next() == ("ADDED", "last")

    @scenario
    async def test_watch_by_label(self, lab: Lab) -> None:
        await lab.cluster.create(config_map(lab.namespace, "one", labels={"tier": "a"}))
        await lab.cluster.create(config_map(lab.namespace, "two", labels={"tier": "b"}))
        async with Watcher(lab.cluster, CONFIG_MAP, lab.namespace, labels="tier=a") as watcher:
            assert await watcher.next() == ("ADDED", "one")
            assert await watcher.next() == ("SYNCED", "")
            await lab.cluster.patch(Ref(CONFIG_MAP, "two", lab.namespace), {"metadata": {"labels": {"tier": "a"}}})
            assert await watcher.next() == ("ADDED", "two")
            await lab.cluster.patch(Ref(CONFIG_MAP, "one", lab.namespace), {"metadata": {"labels": {"tier": "z"}}})
            assert await watcher.next() == ("DELETED", "one")

    # -- permissions --------------------------------------------------------------------------------------------------

    @scenario
    async def test_allowed_for_all(self, lab: Lab) -> None:
        accesses = [
            Access("create", "pods/exec", namespace=lab.namespace),
            Access("patch", "statefulsets", "apps", lab.namespace),
            Access("create", "namespaces"),
        ]
        assert await lab.cluster.check_access([*accesses, accesses[0]]) == dict.fromkeys(accesses, True)
        assert await lab.cluster.check_access([]) == {}

    @scenario
    async def test_a_stranger_has_no_permission(self, lab: Lab) -> None:
        ref = Ref.of((await lab.cluster.create(config_map(lab.namespace))).object)
        access = Access("get", "configmaps", namespace=lab.namespace)
        assert await lab.stranger.check_access([access]) == {access: False}
        with pytest.raises(Forbidden, match="settings") as caught:
            await lab.stranger.get(ref)
        assert caught.value.status == 403
        assert "auth can-i get configmaps" in caught.value.hint
        with pytest.raises(Forbidden):
            await pages(lab.stranger, CONFIG_MAP, lab.namespace)
        with pytest.raises(Forbidden):
            await lab.stranger.apply(config_map(lab.namespace, a="1"))

    @scenario
    async def test_a_binding_to_a_missing_role_is_refused_to_a_user_without_its_permissions(self, lab: Lab) -> None:
        api = "rbac.authorization.k8s.io"

        def role(name: str, *rules: Object) -> Object:
            about = {"name": name, "namespace": lab.namespace}
            return {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": about, "rules": list(rules)}

        def binding(name: str, to: str) -> Object:
            return {
                "apiVersion": f"{api}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": name, "namespace": lab.namespace},
                "roleRef": {"apiGroup": api, "kind": "Role", "name": to},
                "subjects": [{"apiGroup": api, "kind": "User", "name": lab.user}],
            }

        verbs = ["get", "create", "patch"]
        await lab.cluster.apply(role("binder", {"apiGroups": [api], "resources": ["rolebindings"], "verbs": verbs}))
        await lab.cluster.apply(binding("binder", "binder"))
        wanted, access = binding("own", "nothing"), Access("patch", "rolebindings", api, lab.namespace)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not (await lab.stranger.check_access([access]))[access]:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.05)
        for dry_run in (True, False):
            with pytest.raises(NotFound, match=r'rolebindings.* "nothing" not found'):
                await lab.stranger.apply(wanted, dry_run=dry_run)
        await lab.cluster.apply(wanted, dry_run=True)
        await lab.cluster.apply(role("nothing"))
        async with asyncio.timeout(DEADLINE_SECONDS):  # the authorizer learns of new roles a moment later
            while True:
                with contextlib.suppress(NotFound):
                    await lab.stranger.apply(wanted)
                    break
                await asyncio.sleep(0.05)

    @scenario
    async def test_a_role_permits_what_it_names(self, lab: Lab) -> None:
        about = {"name": "reader", "namespace": lab.namespace}
        role_api = "rbac.authorization.k8s.io"
        rules = [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
            {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"], "resourceNames": ["db-0"]},
        ]
        await lab.cluster.apply({"apiVersion": f"{role_api}/v1", "kind": "Role", "metadata": about, "rules": rules})
        await lab.cluster.apply(
            {
                "apiVersion": f"{role_api}/v1",
                "kind": "RoleBinding",
                "metadata": about,
                "roleRef": {"apiGroup": role_api, "kind": "Role", "name": "reader"},
                "subjects": [{"apiGroup": role_api, "kind": "User", "name": lab.user}],
            }
        )
        expected = {
            Access("get", "configmaps", namespace=lab.namespace): True,
            Access("delete", "configmaps", namespace=lab.namespace): False,
            Access("get", "configmaps", namespace=lab.elsewhere): False,
            Access("get", "configmaps"): False,
            Access("create", "pods/exec", namespace=lab.namespace, name="db-0"): True,
            Access("create", "pods/exec", namespace=lab.namespace, name="db-1"): False,
            Access("create", "pods/exec", namespace=lab.namespace): False,
            Access("create", "pods", namespace=lab.namespace): False,
        }
        # The authorizer learns of new roles a moment later.
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await lab.stranger.check_access(list(expected)) != expected:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.05)
        assert await names(lab.stranger, CONFIG_MAP, lab.namespace) == []
        with pytest.raises(Forbidden):
            await lab.stranger.create(config_map(lab.namespace))

    @scenario
    async def test_errors_are_distinguished(self, lab: Lab) -> None:
        """A caller that catches one of these never catches another by accident."""
        assert not issubclass(Gone, Conflict)
        with pytest.raises(NotFound) as caught:
            await lab.cluster.get(Ref(SECRET, "absent", lab.namespace))
        assert not isinstance(caught.value, (Conflict, Forbidden, Invalid))
