"""What is found before anything is written: rights, certificates, Secrets that the answers name."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncGenerator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from pgwizard.answers.questions import Answers
from pgwizard.errors import NotFound, PreflightError
from pgwizard.kube.api import PROMETHEUS_RULE, Access, ListPage, Object, Ref, Resource
from pgwizard.kube.commands import CURRENT_CONTEXT
from pgwizard.plan.names import ReleaseRef
from pgwizard.plan.plan import Facts, resolve
from pgwizard.release import apply, checks, dry_run, record, records, rights, survey, uninstall
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault
from support import headless
from support.faulting import (
    INSTALLED,
    NAMESPACE,
    POD,
    SECRET,
    UPGRADED,
    answers_of,
    applied,
    clock,
    data,
    deployed,
    given,
    live,
    on,
    secret,
)

WRITING = ["get", "create", "patch", "update", "delete"]
S3 = given(s3_accessKey="access", s3_secretKey="secret")


def refused(result: Any) -> list[str]:
    """The problems of a run that wrote nothing."""
    assert isinstance(result.error, PreflightError), result.error
    assert [request for request in result.requests if request.is_write] == []
    return [problem.whole for problem in result.error.findings]


def role(name: str, namespace: str, rules: list[Any]) -> Object:
    """A Role."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}


def binding(role: str, namespace: str, user: str) -> Object:
    """A RoleBinding of the Role's name that gives it to a user."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": role, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


# ---- rights --------------------------------------------------------------------------------------------------------

EVERYTHING = answers_of(
    release={"namespace": "shop", "createNamespace": True},
    repository={"credentials": {"from": "existing", "secret": "postgresql-pgbackrest-s3", "namespace": "default"}},
    advanced={"networkPolicy": True, "prometheusRule": True},
)
NEEDED = rights.accesses(EVERYTHING)


def only(sim: SimCluster, accesses: Iterable[Access]) -> list[Access]:
    """Deny what is not in the list; returns what is then candidate for and allowed."""
    granted, used = set(accesses), list[Access]()

    def allows(access: Access, user: str = "") -> bool:
        for name in ("", access.name):
            candidate = Access(access.verb, access.resource, access.group, access.namespace, name)
            if candidate in granted:
                used.append(candidate)
                return True
        return False

    sim.rules.allows = allows  # type: ignore[method-assign]
    return used


@pytest.mark.parametrize("access", NEEDED, ids=lambda access: access.command(CURRENT_CONTEXT).removeprefix("kubectl "))
def test_a_right_that_is_missing_is_named_before_anything_is_written(access: Access) -> None:
    async def scenario(sim: SimCluster) -> None:
        only(sim, set(NEEDED) - {access})
        result = await applied(sim, EVERYTHING)
        (problem,) = refused(result)
        group = f".{access.group}" if access.group else ""
        assert problem.startswith(f"{access.verb} {access.resource}{group}")
        assert problem.endswith(f"   check: {access.command(CURRENT_CONTEXT)}")
        assert (f" in namespace {access.namespace} " in problem) is (access.namespace is not None)
        assert result.error is not None
        assert set(granted(result.error.hint)) == {access}

    on(scenario)


def granted(hint: str) -> Iterable[Access]:
    """The accesses that the Roles of a hint grant."""
    title, text = hint.split("\n", 1)
    assert title == "An administrator grants it with:"
    for document in yaml.safe_load_all(text):
        namespace = document["metadata"].get("namespace")
        assert document["kind"] == ("Role" if namespace else "ClusterRole")
        for rule in document["rules"]:
            (resource,), (group,) = rule["resources"], rule["apiGroups"]
            for name in rule.get("resourceNames", [""]):
                yield from (Access(verb, resource, group, namespace, name) for verb in rule["verbs"])


def test_all_missing_rights_are_named_at_once() -> None:
    async def scenario(sim: SimCluster) -> None:
        only(sim, [])
        result = await applied(sim, EVERYTHING)
        assert len(refused(result)) == len(NEEDED)
        assert result.error is not None
        assert sorted(granted(result.error.hint), key=str) == sorted(NEEDED, key=str)

    on(scenario)


def test_a_missing_permission_is_described() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.rules.deny("patch", "statefulsets", "default")
        sim.rules.deny("create", "pods/exec", "default")
        result = await applied(sim)
        assert result.error is not None
        assert f"{result.error}\n{result.error.hint}" == (
            "demo does not let you do all that this needs; nothing was written\n"
            "  patch statefulsets.apps in namespace default   check: kubectl -n default auth can-i patch "
            "statefulsets.apps\n"
            "  create pods/exec in namespace default   check: kubectl -n default auth can-i create pods "
            "--subresource=exec\n"
            "An administrator grants it with:\n"
            "apiVersion: rbac.authorization.k8s.io/v1\n"
            "kind: Role\n"
            "metadata:\n"
            "  name: pgwizard-operator\n"
            "  namespace: default\n"
            "rules:\n"
            '  - {apiGroups: ["apps"], resources: ["statefulsets"], verbs: ["patch"]}\n'
            '  - {apiGroups: [""], resources: ["pods/exec"], verbs: ["create"]}'
        )

    on(scenario)


@pytest.mark.parametrize("answers", [INSTALLED, EVERYTHING, answers_of(repository={"enabled": False})])
def test_the_checked_permissions_are_sufficient(answers: Answers) -> None:
    async def scenario(sim: SimCluster) -> None:
        only(sim, rights.accesses(answers))
        await deployed(sim, answers, S3)
        larger = answers.model_copy(
            update={"storage": UPGRADED.storage, "tuning": UPGRADED.tuning, "schedule": UPGRADED.schedule}
        )
        await deployed(sim, larger, S3)
        assert (await deployed(sim, larger, S3)).writes == []

    on(scenario)


def test_a_certificate_file_replaces_the_right_to_read_its_secret() -> None:
    async def scenario(sim: SimCluster) -> None:
        only(sim, rights.accesses(INSTALLED, ca_file=True))
        release = apply.ReleaseRequest(INSTALLED, S3, headless.trusted())
        outcome = await apply.run(release, sim, lambda _: None, approved, apply.Options(dry_run=True), now=clock(sim))
        assert outcome.result == "dry-run"

    on(scenario)


async def approved(_: object) -> bool:
    return True


def test_removing_the_repository_needs_the_permissions_that_created_it() -> None:
    """What is to be pruned is among the rights that are checked before anything is written."""
    bare = answers_of(repository={"enabled": False})

    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, INSTALLED, S3)
        only(sim, rights.accesses(bare))
        result = await applied(sim, bare)
        assert "delete cronjobs.batch in namespace default" in "\n".join(refused(result))

    on(scenario)


def test_no_unnecessary_permission_is_checked() -> None:
    applied_kinds = {
        "configmaps",
        "cronjobs",
        "networkpolicies",
        "prometheusrules",
        "rolebindings",
        "roles",
        "serviceaccounts",
        "services",
    }
    expected = {
        *(("create", kind) for kind in (*applied_kinds, "namespaces")),  # a server-side apply may create
        ("patch", "namespaces"),
        *(("delete", kind) for kind in applied_kinds),  # pruned by other answers
        ("delete", "pods"),  # one that is stuck in an old revision
        ("get", "pods/exec"),  # the CronJobs' own, which only who has them may give
    }

    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, EVERYTHING)
        await deployed(sim, EVERYTHING.model_copy(update={"storage": UPGRADED.storage, "tuning": UPGRADED.tuning}))
        used = {(request.verb.replace("apply", "patch"), request.resource) for request in sim.requests}
        assert {(access.verb, access.resource) for access in NEEDED} - used == expected

    on(scenario)


def test_a_removal_names_its_missing_rights_before_it_deletes() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        sim.rules.deny("delete", "services", "default")
        sim.rules.deny("delete", "leases", "default")
        with pytest.raises(PreflightError) as caught:
            await uninstall.removal(sim, ReleaseRef("default", "postgresql"), purge_data=False)
        assert [problem.whole for problem in caught.value.findings] == [
            "delete services in namespace default   check: kubectl -n default auth can-i delete services",
            (
                "delete leases.coordination.k8s.io in namespace default   check: kubectl -n default auth can-i delete "
                "leases.coordination.k8s.io"
            ),
        ]

    on(scenario)


# ---- the certificate to trust --------------------------------------------------------------------------------------


def wrong(key: str, value: bytes | None, **source: str) -> list[str]:
    """What an apply says of a source with this value; None: the Secret is not there."""
    problems: list[str] = []

    async def scenario(sim: SimCluster) -> None:
        if value is not None:
            bare = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "trust", "namespace": "minio"}}
            await sim.create({**bare, "data": {key: base64.b64encode(value).decode()}})
        result = await applied(sim, answers_of(tls={"source": {"secret": "trust", **source}}))
        problems.extend(refused(result))

    on(scenario)
    return problems


def test_a_missing_certificate_secret_is_refused() -> None:
    assert wrong("", None) == ["tls.source: Secret minio/trust does not exist; it should hold the certificate to trust"]


def test_a_certificate_secret_without_the_key_is_refused() -> None:
    assert wrong("ca.crt", b"x") == ["tls.source.key: Secret minio/trust has no key tls.crt; its keys: ca.crt"]


def test_a_certificate_secret_that_may_not_be_read_is_refused() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.rules.deny("get", "secrets", "minio")
        assert refused(await applied(sim)) == [
            "get secrets minio-tls in namespace minio   check: kubectl -n minio auth can-i get secrets/minio-tls"
        ]

    on(scenario)


def test_a_certificate_secret_that_the_server_refuses_although_it_may_be_read() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults.append(Fault("403", "get", "secrets", "minio-tls"))
        (problem,) = refused(await applied(sim))
        assert problem.startswith(
            "tls.source: Secret minio/minio-tls may not be read: cannot get Secret minio/minio-tls"
        )

    on(scenario)


def test_a_secret_without_a_certificate_is_refused() -> None:
    assert wrong("tls.crt", b"hello") == [
        (
            "tls.source.key: Secret minio/trust, key tls.crt is not a certificate: expected PEM text that begins with "
            "-----BEGIN CERTIFICATE-----"
        )
    ]


def test_a_private_key_beside_the_certificate_is_refused() -> None:
    data = headless.pem(headless.certificate()) + headless.private_key()
    assert wrong("tls.crt", data) == [
        (
            "tls.source.key: Secret minio/trust, key tls.crt holds a private key: give the certificate alone (the key "
            "must not leave the server)"
        )
    ]


def test_an_expired_certificate_is_refused() -> None:
    ended = datetime.now(UTC) - timedelta(days=2)
    data = headless.pem(headless.certificate(begins=timedelta(days=-9), ends=timedelta(days=-2)))
    (problem,) = wrong("tls.crt", data)
    assert problem.startswith(f"tls.source.key: Secret minio/trust, key tls.crt CN=minio ended on {ended:%Y-%m-%d}")
    assert problem.endswith(": renew it at its source")


def test_a_certificate_that_is_not_valid_yet_is_refused() -> None:
    begins = datetime.now(UTC) + timedelta(days=2)
    data = headless.pem(headless.certificate(begins=timedelta(days=2), ends=timedelta(days=9)))
    (problem,) = wrong("tls.crt", data)
    assert problem.startswith(
        f"tls.source.key: Secret minio/trust, key tls.crt CN=minio is valid only from {begins:%Y-%m-%d}"
    )


def test_a_certificate_from_a_file_replaces_a_secret_that_cannot_be_read() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults.append(Fault("403", "get", "secrets", "minio-tls", times=None))
        release = apply.ReleaseRequest(answers_of(), ca_file=headless.trusted())
        surveyed = await survey.survey(sim, release.answers, release.ca_file, at=clock(sim)())
        assert surveyed.ca == headless.trusted()

    on(scenario)


def test_alerts_are_left_out_with_a_warning_where_the_cluster_has_no_such_kind() -> None:
    async def scenario(sim: SimCluster) -> None:
        pages = sim.pages

        def without(resource: Resource, *arguments: Any, **selected: Any) -> AsyncGenerator[ListPage, None]:
            if resource == PROMETHEUS_RULE:
                raise NotFound("the server could not find the requested resource", status=404, reason="NotFound")
            return pages(resource, *arguments, **selected)

        answers = answers_of(advanced={"prometheusRule": True})
        assert (await survey.survey(sim, answers, at=clock(sim)())).facts.has_prometheus_rules
        sim.pages = without  # type: ignore[method-assign]
        surveyed = await survey.survey(sim, answers, at=clock(sim)())
        assert not surveyed.facts.has_prometheus_rules
        assert [(each.question, each.severity, each.text) for each in surveyed.doubts] == [
            (
                "advanced.prometheusRule",
                "warning",
                "the cluster has no PrometheusRule (monitoring.coreos.com/v1): no alert is added",
            )
        ]
        assert (await survey.survey(sim, answers_of(), at=clock(sim)())).doubts == (), "no alerts are wanted"

    on(scenario)


def test_a_certificate_that_changes_at_its_source_changes_the_mirror_and_restarts_the_pod() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        before = live(sim, POD, "postgresql-0")["metadata"]["uid"]
        new = headless.pem(headless.certificate("minio, renewed"))
        patch = {"data": {"tls.crt": base64.b64encode(new).decode()}}
        await sim.guest(manager="cert-manager").patch(Ref(SECRET, "minio-tls", "minio"), patch)
        result = await deployed(sim)
        assert result.actions()["Secret default/postgresql-minio-ca"] == "update"
        assert data(sim, "postgresql-minio-ca")["tls.crt"] == new.decode()
        assert live(sim, POD, "postgresql-0")["metadata"]["uid"] != before

    on(scenario)


# ---- Secrets that the answers name ---------------------------------------------------------------------------------


def test_a_ca_in_a_config_map_is_reported_with_how_to_use_it() -> None:
    async def scenario(sim: SimCluster) -> None:
        metadata = {"name": "trust", "namespace": "minio"}
        pem = headless.CA.read_text()
        sim.store.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": pem}})
        answers = answers_of(tls={"source": {"namespace": "minio", "secret": "trust"}})
        (problem,) = (await survey.survey(sim, answers, at=clock(sim)())).missing
        assert str(problem) == (
            "tls.source: Secret minio/trust does not exist, but a ConfigMap of that name has certificates"
        )
        assert problem.fix == (
            "Set tls.caFile to ca.crt and tls.source to null, after: "
            r"kubectl -n minio get configmap trust -o jsonpath='{.data.ca\.crt}' > ca.crt"
        )
        sim.rules.deny("get", "configmaps", "minio")
        (denied,) = (await survey.survey(sim, answers, at=clock(sim)())).missing
        assert denied.text == "Secret minio/trust does not exist; it should hold the certificate to trust"

    on(scenario)


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


DER = in_base64(ssl.PEM_cert_to_DER_cert(headless.CA.read_text()))
JAVA_KEY_STORE = in_base64(b"\xfe\xed\xfe\xed")


@pytest.mark.parametrize(
    ("published", "what", "command"),
    [
        (
            {"kind": "ConfigMap", "binaryData": {"ca-bundle.pem": base64.b64encode(headless.CA.read_bytes()).decode()}},
            "a ConfigMap of that name has certificates",
            r"kubectl -n minio get configmap trust -o jsonpath='{.binaryData.ca-bundle\.pem}' | base64 -d > ca.crt",
        ),
        (
            {"kind": "ConfigMap", "binaryData": {"ca.der": DER, "trust.jks": JAVA_KEY_STORE}},
            "a ConfigMap of that name has certificates",
            (
                r"kubectl -n minio get configmap trust -o jsonpath='{.binaryData.ca\.der}' | base64 -d "
                "| openssl x509 -inform der > ca.crt"
            ),
        ),
        (
            {"kind": "ConfigMap", "binaryData": {"ca.crt": DER, "bundle": in_base64(headless.CA.read_bytes())}},
            "a ConfigMap of that name has certificates in its keys bundle, ca.crt",
            "kubectl -n minio get configmap trust -o jsonpath='{.binaryData.bundle}' | base64 -d > ca.crt",
        ),
        (
            {
                "kind": "ConfigMap",
                "data": {"b.pem": headless.CA.read_text(), "ca.crt": headless.CA.read_text(), "x": ""},
            },
            "a ConfigMap of that name has certificates in its keys ca.crt, b.pem",
            r"kubectl -n minio get configmap trust -o jsonpath='{.data.ca\.crt}' > ca.crt",
        ),
        (
            {"kind": "ClusterTrustBundle", "spec": {"trustBundle": headless.CA.read_text()}},
            "a ClusterTrustBundle of that name has certificates",
            "kubectl get clustertrustbundle trust -o jsonpath='{.spec.trustBundle}' > ca.crt",
        ),
    ],
    ids=["binary", "binary DER", "DER beside PEM", "several keys", "trust bundle"],
)
def test_a_ca_that_is_published_elsewhere_is_reported_with_how_to_use_it(
    published: dict[str, Any], what: str, command: str
) -> None:
    async def scenario(sim: SimCluster) -> None:
        get = sim.get

        async def with_bundle(ref: Ref) -> Any:
            if ref.resource.kind != published["kind"] or ref.name != "trust":
                return await get(ref)
            place = {} if ref.namespace is None else {"namespace": ref.namespace}
            return {**published, "metadata": {"name": "trust", **place}}

        sim.get = with_bundle  # type: ignore[method-assign]
        answers = answers_of(tls={"source": {"namespace": "minio", "secret": "trust"}})
        (problem,) = (await survey.survey(sim, answers, at=clock(sim)())).missing
        assert problem.text == f"Secret minio/trust does not exist, but {what}"
        assert problem.fix == f"Set tls.caFile to ca.crt and tls.source to null, after: {command}"

    on(scenario)


def test_of_many_published_certificates_a_few_keys_are_named() -> None:
    texts = {f"{number}.pem": "-----BEGIN CERTIFICATE-----" for number in range(9)}
    published = {"kind": "ConfigMap", "metadata": {"name": "roots"}, "data": texts}
    finding = survey.published_finding(published, "Secret minio/roots", CURRENT_CONTEXT)
    assert finding is not None
    assert finding.text.endswith("in its keys 0.pem, 1.pem, 2.pem, 3.pem, 4.pem and 4 more")


def test_a_value_that_is_not_base64_is_a_problem_of_its_key() -> None:
    async def scenario(sim: SimCluster) -> None:
        odd = secret("odd", "default")
        sim.store.put({**odd, "data": {"username": "%%%", "password": "a"}})
        result = await survey.survey(
            sim, answers_of(credentials={"from": "existing", "secret": "odd"}), at=clock(sim)()
        )
        assert [str(each) for each in result.errors] == [
            "credentials.secret: Secret default/odd, key username: the server sent no base64",
            "credentials.secret: Secret default/odd, key password: the server sent no base64",
        ]

    on(scenario)


def config_map(name: str, namespace: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.mark.parametrize("namespace", ["default", "minio"])
@pytest.mark.parametrize("keys", [("accessKey", "secretKey"), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")])
def test_an_s3_key_pair_in_a_config_map_is_named_with_how_to_move_it(namespace: str, keys: tuple[str, str]) -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.store.put(config_map("s3", namespace, **dict(zip(keys, ("AKIA", "hush-hush"), strict=True))))
        existing = {"from": "existing", "namespace": namespace, "secret": "s3"}
        (problem,) = (
            await survey.survey(sim, answers_of(repository={"credentials": existing}), at=clock(sim)())
        ).missing
        assert str(problem) == (
            f"repository.credentials.secret: Secret {namespace}/s3 does not exist, but a ConfigMap of that name has "
            f"{keys[0]} and {keys[1]}"
        )
        read = f"kubectl -n {namespace} get configmap s3 -o jsonpath="
        assert problem.fix == (
            "Move them into a Secret, which fewer may read, in bash: "
            f"kubectl -n {namespace} create secret generic s3 --from-file={keys[0]}=<({read}'{{.data.{keys[0]}}}') "
            f"--from-file={keys[1]}=<({read}'{{.data.{keys[1]}}}')"
        )
        assert "hush-hush" not in problem.fix

    on(scenario)


def test_one_key_of_a_pair_in_a_config_map_is_named() -> None:
    async def scenario(sim: SimCluster) -> None:
        await sim.create(secret("s3", "default", secretKey="S"))
        sim.store.put(config_map("s3", "default", accessKey="A", BUCKET_NAME="b"))
        existing = {"from": "existing", "namespace": "default", "secret": "s3"}
        (problem,) = (
            await survey.survey(sim, answers_of(repository={"credentials": existing}), at=clock(sim)())
        ).missing
        assert problem.fix == "The ConfigMap of that name has accessKey: move it into the Secret."

    on(scenario)


def test_a_config_map_with_a_bucket_alone_is_no_key_pair() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.store.put(config_map("s3", "default", BUCKET_NAME="b", BUCKET_HOST="rgw"))
        existing = {"from": "existing", "namespace": "default", "secret": "s3"}
        (problem,) = (
            await survey.survey(sim, answers_of(repository={"credentials": existing}), at=clock(sim)())
        ).missing
        assert str(problem) == "repository.credentials.secret: Secret default/s3 does not exist"

    on(scenario)


def test_database_credentials_in_a_config_map_are_named() -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.store.put(config_map("db", "default", username="u", password="p"))
        existing = {"from": "existing", "secret": "db"}
        (problem,) = (await survey.survey(sim, answers_of(credentials=existing), at=clock(sim)())).missing
        assert (
            problem.text == "Secret default/db does not exist, but a ConfigMap of that name has username and password"
        )
        sim.rules.deny("get", "configmaps", "default")
        (denied,) = (await survey.survey(sim, answers_of(credentials=existing), at=clock(sim)())).missing
        assert denied.text == "Secret default/db does not exist"

    on(scenario)


@pytest.mark.parametrize("key", ["AWS_SESSION_TOKEN", "sessionToken", "session-token", "aws_security_token"])
def test_a_session_token_beside_an_s3_key_pair_is_warned_of(key: str) -> None:
    async def scenario(sim: SimCluster) -> None:
        await sim.create(secret("s3", "default", accessKey="A", secretKey="S", **{key: "T"}))
        existing = {"from": "existing", "namespace": "default", "secret": "s3"}
        result = await survey.survey(sim, answers_of(repository={"credentials": existing}), at=clock(sim)())
        (warning,) = result.doubts
        assert str(warning) == (
            f"repository.credentials.secret: Secret default/s3 has a session token, {key}, which is not used: its key "
            "pair is temporary and expires within hours"
        )
        assert warning.fix == "Create a key pair that does not expire, and name its Secret."

    on(scenario)


@pytest.mark.parametrize("namespace", ["default", "minio"])
def test_an_access_key_in_base64_twice_is_warned_of_and_not_shown(namespace: str) -> None:
    async def scenario(sim: SimCluster) -> None:
        await sim.create(secret("twice", namespace, accessKey="bWluaW9hZG1pbg==", secretKey="S"))
        existing = {"from": "existing", "namespace": namespace, "secret": "twice"}
        result = await survey.survey(sim, answers_of(repository={"credentials": existing}), at=clock(sim)())
        (warning,) = result.doubts
        assert str(warning) == (
            f"repository.credentials.secret: Secret {namespace}/twice, key accessKey is encoded in base64 once more"
        )
        assert warning.fix == "Store it as it is: kubectl create secret and stringData encode it."

    on(scenario)


@pytest.mark.parametrize(
    ("keys", "fix"),
    [
        (
            ("AWS_ACCESS_KEY", "AWS_SECRET_KEY"),
            (
                "Set repository.credentials.accessKeyKey to AWS_ACCESS_KEY and repository.credentials.secretKeyKey to "
                "AWS_SECRET_KEY."
            ),
        ),
        (
            ("CONSOLE_ACCESS_KEY", "CONSOLE_SECRET_KEY"),
            (
                "Set repository.credentials.accessKeyKey to CONSOLE_ACCESS_KEY and "
                "repository.credentials.secretKeyKey to CONSOLE_SECRET_KEY."
            ),
        ),
        (
            ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
            "Name a Secret with a key pair: a web identity (AWS_ROLE_ARN) is not supported.",
        ),
        (("one", "two"), ""),
    ],
)
def test_a_key_pair_under_other_names_is_reported_with_the_answers_that_name_it(
    keys: tuple[str, str], fix: str
) -> None:
    async def scenario(sim: SimCluster) -> None:
        await sim.create(secret("s3", "default", **dict.fromkeys(keys, "A")))
        existing = {"from": "existing", "namespace": "default", "secret": "s3"}
        result = await survey.survey(sim, answers_of(repository={"credentials": existing}), at=clock(sim)())
        assert {problem.fix for problem in result.missing} == {fix}
        assert [problem.text for problem in result.missing] == [
            f"Secret default/s3 has no key {key}; its keys: {', '.join(keys)}" for key in ("accessKey", "secretKey")
        ]

    on(scenario)


def test_every_secret_that_is_wrong_is_named() -> None:
    answers = answers_of(
        release={"namespace": "shop"},
        credentials={"from": "existing", "secret": "database", "usernameKey": "user"},
        repository={
            "credentials": {
                "from": "existing",
                "secret": "s3-backup",
                "accessKeyKey": "AWS_ACCESS_KEY_ID",
                "secretKeyKey": "AWS_SECRET_ACCESS_KEY",
            },
            "cipher": {"from": "existing", "secret": "passphrase"},
        },
    )

    async def scenario(sim: SimCluster) -> None:
        assert refused(await applied(sim, answers)) == [
            "credentials.secret: Secret shop/database has no key user; its keys: password, username",
            "repository.cipher.secret: Secret shop/passphrase does not exist",
            (
                "repository.credentials.secret: Secret shop/s3-backup, key AWS_SECRET_ACCESS_KEY begins or ends with a "
                "blank or a line break"
            ),
        ]

    on(scenario)


def test_a_secret_that_is_there_and_cannot_be_used_is_not_called_missing() -> None:
    keys = {"accessKeyKey": "AWS_ACCESS_KEY_ID", "secretKeyKey": "AWS_SECRET_ACCESS_KEY"}
    answers = answers_of(
        release={"namespace": "shop"},
        repository={"credentials": {"from": "existing", "secret": "s3-backup", **keys}},
    )

    async def scenario(sim: SimCluster) -> None:
        result = await applied(sim, answers)
        assert str(result.error).startswith("what the answers name cannot be used as it is; nothing was written\n")
        assert result.writes == []

    on(scenario)


def test_a_value_that_no_container_can_be_given_is_refused() -> None:
    """The kubelet would try again and again, and the apply would wait until its deadline."""

    async def scenario(sim: SimCluster) -> None:
        binary = {"username": "cG9zdGdyZXM=", "password": base64.b64encode(b"canary\xff").decode()}
        await sim.create({**secret("superuser"), "data": binary})
        result = refused(await applied(sim, answers_of(credentials={"from": "existing", "secret": "superuser"})))
        words = "is not text in UTF-8: no container would start with it"
        assert result == [f"credentials.secret: Secret default/superuser, key password {words}"]

    on(scenario)


def test_a_mirrored_s3_secret_is_read_where_it_is() -> None:
    answers = answers_of(
        release={"namespace": "shop"},
        repository={"credentials": {"from": "existing", "secret": "no-such", "namespace": "staging"}},
    )

    async def scenario(sim: SimCluster) -> None:
        (problem,) = refused(await applied(sim, answers))
        assert problem == "repository.credentials.secret: Secret staging/no-such does not exist"

    on(scenario)


def test_a_pod_that_pod_security_would_refuse_is_a_warning_of_the_dry_run() -> None:
    async def scenario(sim: SimCluster) -> None:
        labels = {"pod-security.kubernetes.io/warn": "restricted"}
        await sim.patch(Ref(NAMESPACE, "default"), {"metadata": {"labels": labels}})
        result = await deployed(sim)
        assert result.texts("warning") == []  # the release meets it

    on(scenario)


def _kept(name: str, **sections: Any) -> record.Record:
    dumped = Answers.model_validate(sections).model_dump(by_alias=True, mode="json")
    return record.Record(ReleaseRef("shop", name), revisions=(record.Revision(1, "now", "deployed", "spec", dumped),))


def _kept_with_an_unknown_key(name: str) -> record.Record:
    revision = record.Revision(3, "now", "deployed", "spec", {"repository": {"path": "/shop", "shards": 2}})
    return record.Record(ReleaseRef("shop", name), revisions=(revision,))


def test_other_releases_with_the_same_path_are_reported() -> None:
    others: list[records.AnyRecord] = [
        _kept("same", repository={"path": "/shop"}),
        _kept("elsewhere", repository={"path": "/other"}),
        _kept("without", repository={"enabled": False}),
        record.Record(ReleaseRef("shop", "begun")),
        record.Record(
            ReleaseRef("shop", "odd"), revisions=(record.Revision(1, "now", "deployed", "spec", {"no": "answers"}),)
        ),
        _kept_with_an_unknown_key("newer"),
        record.UnreadableRecord(ReleaseRef("other", "broken"), "Secret other/odd holds no record"),
    ]
    answers = Answers.model_validate({"release": {"name": "new", "namespace": "shop"}, "repository": {"path": "/shop"}})
    shared = "shop/same backs up to backups/shop at minio.minio.svc:9000 as well"
    assert [str(each) for each in checks.neighbours(answers, others, ReleaseRef("shop", "elsewhere"))] == [
        f"repository.path: {shared}: each database needs a path of its own",
        "release.name: this creates a second release: shop/elsewhere is not changed",
        "repository.path: revision 3 of shop/newer cannot be read: whether it shares the path is not checked",
        "repository.path: Secret other/odd holds no record: whether other/broken shares the path is not checked",
    ]
    assert checks.neighbours(Answers.model_validate({"repository": {"enabled": False}}), others) == ()


def test_another_spelling_of_the_same_store_is_not_a_move() -> None:
    live = _kept("new", repository={"path": "/shop"})
    same = Answers.model_validate({"repository": {"path": "/shop", "endpoint": "https://s3.example.com"}})
    assert checks.move_findings(same, live) == ()
    assert len(checks.move_findings(Answers(), live)) == 1
    assert checks.move_findings(Answers(), None) == ()


def test_a_revision_whose_repository_cannot_be_read_is_warned_of_with_what_is_not_checked() -> None:
    (finding,) = checks.move_findings(Answers(), _kept_with_an_unknown_key("new"))
    assert (finding.severity, finding.question) == ("warning", "repository.path")
    assert finding.text == "revision 3 of the record cannot be read: whether the repository moves is not checked"
    assert finding.fix.startswith("It was written by another version of pgwizard")


def test_immutable_settings_are_reported_in_the_wizard() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, answers_of(storage={"storageClass": "standard"}))
        answers = answers_of(
            release={"database": "shop"},
            credentials={"from": "generate", "username": "owner"},
            storage={"size": "5Gi", "storageClass": "fixed"},
        )
        result = await survey.survey(sim, answers, at=clock(sim)())
        assert [problem.question for problem in result.errors] == [
            "release.database",
            "credentials.username",
            "storage.storageClass",
            "storage.size",
        ]
        sim.rules.deny("get", "secrets")  # without the record nobody knows what was made
        sim.rules.deny("get", "persistentvolumeclaims")
        assert [
            problem.question for problem in (await survey.survey(sim, answers, at=clock(sim)())).fixed_findings
        ] == [
            "storage.storageClass",
            "storage.size",
        ]

    on(scenario)


def test_the_mirror_of_the_release_cannot_be_its_own_source() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        own = answers_of(tls={"source": {"secret": "postgresql-minio-ca", "namespace": "default"}})
        assert refused(await applied(sim, own)) == [
            (
                "tls.source: Secret default/postgresql-minio-ca is the release's own mirror: it would only be "
                "compared with itself: name minio/minio-tls"
            )
        ]

    on(scenario)


# ---- a namespace's own administrator -------------------------------------------------------------------------------


def test_an_install_works_for_a_user_who_may_only_grant_own_permissions() -> None:
    async def scenario(sim: SimCluster) -> None:
        rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", *WRITING]}]
        for namespace in ("default", "minio"):
            await sim.create(role("administrator", namespace, rules))
            await sim.create(binding("administrator", namespace, "kim"))
        user = sim.guest(user="kim")
        result = await applied(user)
        assert result.error is None
        tried = next(event.text for event in result.events if (event.stage, event.kind) == ("dry run", "done"))
        assert tried == (
            "13 to create; RoleBinding default/postgresql-pgbackrest can be tried only after its Role is made"
        )
        again = await applied(user)
        assert again.outcome is not None
        assert again.outcome.result == "unchanged"

    on(scenario)


def test_a_binding_to_a_role_that_is_never_created_is_an_error() -> None:
    async def scenario(sim: SimCluster) -> None:
        await sim.create(role("administrator", "default", [{"apiGroups": ["*"], "resources": ["*"], "verbs": WRITING}]))
        await sim.create(binding("administrator", "default", "kim"))
        stray = {**binding("administrator", "default", "kim"), "metadata": {"name": "stray", "namespace": "default"}}
        stray["roleRef"] = {**stray["roleRef"], "name": "nobody-s"}
        plan = resolve(answers_of(), Facts(ca=headless.trusted()))
        with pytest.raises(NotFound, match='"nobody-s" not found'):
            await dry_run.try_out(sim.guest(user="kim"), plan, [stray], force=False, namespace_exists=True)

    on(scenario)
