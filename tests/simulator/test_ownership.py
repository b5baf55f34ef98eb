"""Server-side apply and refusals: texts and managedFields as recorded from a v1.34 API server."""

from __future__ import annotations

from typing import Any

import pytest

from pgwizard.errors import Conflict, Invalid
from pgwizard.kube.api import Object
from support.simulated import CLAIM, CONFIGMAP, Cluster, configmap, job, ref, run, secret, statefulset


def test_conflicts_are_grouped_by_manager() -> None:
    async def scenario(sim: Cluster) -> None:
        await sim.apply(configmap(foo="1", bar="1"))
        await sim.guest(manager="kubectl-edit").patch(ref(CONFIGMAP, "a"), {"data": {"foo": "x"}})
        with pytest.raises(Conflict) as caught:
            await sim.guest(manager="other").apply(configmap(foo="2", bar="2"))
        assert caught.value.causes == (
            (".data.foo", 'conflict with "kubectl-edit" using v1'),
            (".data.bar", 'conflict with "pgwizard"'),
        )

    run(scenario)


def test_path_of_a_list_item() -> None:
    async def scenario(sim: Cluster) -> None:
        await sim.apply(statefulset())
        other = statefulset()
        other["spec"]["template"]["spec"]["containers"][0]["image"] = "postgres:16"
        del other["spec"]["volumeClaimTemplates"]
        with pytest.raises(Conflict) as caught:
            await sim.guest(manager="kubectl").apply(other)
        assert [field for field, _ in caught.value.causes] == [
            '.spec.template.spec.containers[name="postgresql"].image'
        ]

    run(scenario)


def test_managed_fields_of_a_stateful_set() -> None:
    async def scenario(sim: Cluster) -> Any:
        obj = statefulset("p")
        obj["spec"]["template"]["spec"]["containers"][0] |= {"ports": [{"containerPort": 5432}]}
        written = await sim.apply(obj)
        return written.object["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]

    container: Object = {".": {}, "f:image": {}, "f:name": {}}
    container["f:ports"] = {'k:{"containerPort":5432,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}
    assert run(scenario) == {
        "f:selector": {},
        "f:serviceName": {},
        "f:template": {
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {"f:containers": {'k:{"name":"postgresql"}': container}},
        },
        "f:volumeClaimTemplates": {},
    }


def test_an_update_takes_fields_from_an_apply() -> None:
    async def scenario(sim: Cluster) -> Any:
        await sim.apply(configmap(foo="1"))
        patched = await sim.guest(manager="kubectl-edit").patch(ref(CONFIGMAP, "a"), {"data": {"foo": "x"}})
        return [(e["manager"], e["operation"], e["fieldsV1"]) for e in patched.object["metadata"]["managedFields"]]

    assert run(scenario) == [("kubectl-edit", "Update", {"f:data": {"f:foo": {}}})]


def test_unknown_fields_in_the_words_of_create_and_apply() -> None:
    async def scenario(sim: Cluster) -> None:
        bad = statefulset()
        bad["spec"] |= {"foo": 1}
        bad["spec"]["template"]["spec"]["containers"][0]["zzz"] = 1
        with pytest.raises(Invalid) as caught:
            await sim.create(bad)
        text = 'strict decoding error: unknown field "spec.template.spec.containers[0].zzz", unknown field "spec.foo"'
        assert text in caught.value.message
        with pytest.raises(Invalid) as caught:
            await sim.apply(bad)
        assert '.spec.template.spec.containers[name="postgresql"].zzz: field not declared in schema' in str(
            caught.value
        )

    run(scenario)


def test_a_number_is_refused_in_place_of_text() -> None:
    async def scenario(sim: Cluster) -> None:
        bad: Object = configmap() | {"data": {"a": 1}}
        with pytest.raises(Invalid, match=r"\.data\.a: expected string, got"):
            await sim.apply(bad)
        limits = statefulset()
        limits["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": 1, "memory": "1Gi"}}
        await sim.apply(limits)

    run(scenario)


FORBIDDEN = "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "


@pytest.mark.parametrize(
    "change", [{"serviceName": "q"}, {"podManagementPolicy": "Parallel"}, {"volumeClaimTemplates": []}]
)
def test_a_stateful_set_keeps_most_of_its_spec(change: dict[str, Any]) -> None:
    async def scenario(sim: Cluster) -> None:
        await sim.apply(statefulset())
        with pytest.raises(Invalid) as caught:
            await sim.apply(statefulset(**change), dry_run=True)
        assert caught.value.causes[0][1].startswith(FORBIDDEN)
        free: dict[str, Any] = {"replicas": 0, "minReadySeconds": 5, "revisionHistoryLimit": 3}
        await sim.apply(statefulset(**free))

    run(scenario)


def test_a_job_keeps_its_template() -> None:
    async def scenario(sim: Cluster) -> None:
        await sim.apply(job("j", suspend=True))
        await sim.apply(job("j", suspend=True, backoff=3))
        changed = job("j", suspend=True)
        changed["spec"]["template"]["spec"]["containers"][0]["image"] = "x:2"
        with pytest.raises(Invalid, match=r"spec\.template: Invalid value: .*field is immutable"):
            await sim.apply(changed)

    run(scenario)


def claim(size: str, **spec: Any) -> Object:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}} | spec
    metadata = {"name": "c", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": wanted}


def test_a_claim_does_not_shrink_or_move() -> None:
    async def scenario(sim: Cluster) -> None:
        await sim.apply(statefulset())
        await sim.until(20)
        target = ref(CLAIM, "postgresql-storage-postgresql-0")
        for size in ("5Gi", "5000Mi"):
            with pytest.raises(Invalid, match=r"field can not be less than status\.capacity"):
                await sim.patch(target, {"spec": {"resources": {"requests": {"storage": size}}}})
        with pytest.raises(Invalid, match="spec is immutable after creation"):
            await sim.patch(target, {"spec": {"storageClassName": "fixed"}})
        await sim.apply(claim("1Gi"))
        with pytest.raises(Invalid, match="spec is immutable after creation"):
            await sim.apply(claim("2Gi"))

    run(scenario)


def test_growth_needs_a_class_that_allows_it() -> None:
    async def scenario(sim: Cluster) -> None:
        obj = statefulset()
        obj["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] = "fixed"
        await sim.apply(obj)
        await sim.until(20)
        target = ref(CLAIM, "postgresql-storage-postgresql-0")
        with pytest.raises(Exception, match="only dynamically provisioned pvc can be resized"):
            await sim.patch(target, {"spec": {"resources": {"requests": {"storage": "20Gi"}}}})

    run(scenario)


def test_role_bindings_and_secrets_keep_what_they_are() -> None:
    def binding(role: str) -> Object:
        group = "rbac.authorization.k8s.io"
        return {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "r", "namespace": "default"},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": role},
        }

    async def scenario(sim: Cluster) -> None:
        await sim.apply(binding("a"))
        with pytest.raises(Invalid, match="cannot change roleRef"):
            await sim.apply(binding("b"))
        await sim.apply(secret("s", a="b"))
        with pytest.raises(Invalid, match=r'type: Invalid value: "kubernetes\.io/tls": field is immutable'):
            await sim.apply(secret("s", **{"tls.crt": "", "tls.key": ""}) | {"type": "kubernetes.io/tls"}, force=True)
        with pytest.raises(Invalid, match=r"data\[tls.key\]: Required value"):
            await sim.apply(secret("t", **{"tls.crt": "x"}) | {"type": "kubernetes.io/tls"})

    run(scenario)


def test_pod_security_warns() -> None:
    async def scenario(sim: Cluster) -> None:
        labels = {"pod-security.kubernetes.io/warn": "restricted"}
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "strict", "labels": labels}}
        await sim.apply(space)
        obj = statefulset()
        obj["metadata"]["namespace"] = "strict"
        written = await sim.apply(obj, dry_run=True)
        assert written.warnings[0].startswith(
            'would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
            '(container "postgresql" must '
        )
        context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
        context["seccompProfile"] = {"type": "RuntimeDefault"}
        obj["spec"]["template"]["spec"]["containers"][0]["securityContext"] = context
        assert (await sim.apply(obj, dry_run=True)).warnings == ()

    run(scenario)


def test_a_size_with_a_fraction_of_a_byte_draws_the_server_s_warning() -> None:
    async def scenario(sim: Cluster) -> None:
        obj = statefulset()
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1.3Gi"}}}
        obj["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "v"}, "spec": spec}]
        obj["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"memory": "1.5Gi", "cpu": "0.3"}}
        where, why = "spec.volumeClaimTemplates[0].resources.requests[storage]", "is invalid, must be an integer"
        warnings = (await sim.apply(obj, dry_run=True)).warnings
        assert warnings == (f'{where}: fractional byte value "1395864371200m" {why}',)

    run(scenario)


def test_defaults_and_generation() -> None:
    async def scenario(sim: Cluster) -> None:
        first = (await sim.apply(statefulset())).object
        assert first["spec"]["podManagementPolicy"] == "OrderedReady"
        assert first["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
        again = (await sim.apply(statefulset())).object
        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        changed = (await sim.apply(statefulset(minReadySeconds=1))).object
        assert changed["metadata"]["generation"] == 2

    run(scenario)
