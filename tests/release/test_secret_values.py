"""Secrets: made once, kept permanently, compared without being shown, and never leaked."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pgwizard.answers.secrets import SecretInputs, Sensitive
from pgwizard.errors import Finding, PreflightError
from pgwizard.kube.api import Ref
from pgwizard.release.changes import Change
from pgwizard.release.secret_values import Values
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, Killed
from support.faulting import (
    CLAIM,
    CONFIGMAP,
    POD,
    SECRET,
    STATEFULSET,
    ApplyRun,
    answers_of,
    applied,
    data,
    deployed,
    given,
    live,
    on,
    secret,
)

ENV = answers_of(
    credentials={"from": "env", "username": "DB_USER", "password": "DB_PASSWORD"},
    repository={
        "credentials": {"from": "env", "accessKey": "S3_KEY", "secretKey": "S3_SECRET"},
        "cipher": {"from": "env", "passphrase": "PASSPHRASE"},
    },
)
CANARIES = {
    "credentials_username": "canary-user-1f",
    "credentials_password": "canary-password-2e",
    "s3_accessKey": "canary-access-3d",
    "s3_secretKey": "canary-secret-4c",
    "cipher_passphrase": "canary-passphrase-5b",
}


def unset(*names: str) -> SecretInputs:
    """Variables that are not set in this run's shell."""
    parts = [tuple(name.split("_", 1)) for name in names]
    return SecretInputs({(role, key): Finding(f"{role}.{key}", f"variable {key} is not set") for role, key in parts})


def both(*sources: SecretInputs) -> SecretInputs:
    return SecretInputs({place: value for source in sources for place, value in source.values.items()})


def change(result: ApplyRun, ref: str) -> Change:
    changes = result.outcome.changes if result.outcome else result.shown
    return next(each for each in changes if str(each.ref) == ref)


# ---- passwords -----------------------------------------------------------------------------------------------------


def test_a_password_is_generated_once() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        first = data(sim, "postgresql")
        assert first["username"] == "postgres"
        assert len(first["password"]) == 32
        for connections in (150, 200, 250):
            await deployed(sim, answers_of(tuning={"connections": connections}))
            assert data(sim, "postgresql") == first

    on(scenario)


def test_two_releases_have_two_passwords() -> None:
    items: list[str] = []

    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        items.append(data(sim, "postgresql")["password"])

    on(scenario)
    on(scenario)
    assert len(set(items)) == 2


def test_a_secret_created_by_hand_is_completed_and_kept() -> None:
    async def scenario(sim: SimCluster) -> None:
        await sim.guest(manager="kubectl-create").create(secret("postgresql", password="mine"))
        await deployed(sim)
        assert data(sim, "postgresql") == {"username": "postgres", "password": "mine"}
        assert (await deployed(sim)).writes == []

    on(scenario)


def test_without_its_volume_a_release_gets_the_superuser_of_the_answers() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        password = data(sim, "postgresql")["password"]
        sim.store.remove(Ref(STATEFULSET, "postgresql", "default"))
        sim.store.remove(Ref(CLAIM, "postgresql-storage-postgresql-0", "default"))
        await applied(sim, answers_of(credentials={"from": "generate", "username": "other"}), wait=False)
        assert data(sim, "postgresql") == {"username": "other", "password": password}

    on(scenario)


@pytest.mark.parametrize("is_secret_there", [True, False])
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_lost_password_of_an_existing_database_is_never_replaced_by_a_new_one(
    is_secret_there: bool, dry_run: bool
) -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        ref = Ref(SECRET, "postgresql", "default")
        if is_secret_there:
            await sim.guest(manager="kubectl-patch").patch(ref, {"data": {"password": None}})
        else:
            sim.store.remove(ref)
        result = await applied(sim, dry_run=dry_run)
        assert isinstance(result.error, PreflightError)
        assert [(finding.question, finding.text, finding.fix) for finding in result.error.findings] == [
            (
                "credentials",
                (
                    "Secret default/postgresql has no password, and the volume has a database that keeps its own: a "
                    "new one would not open it"
                ),
                (
                    "Set a password in the running pod: kubectl -n default exec -it postgresql-0 -c postgresql -- psql "
                    "-d postgres -U postgres -c '\\password'; then put the same one into the Secret: read -rs "
                    'PASSWORD; printf %s "$PASSWORD" | kubectl -n default create secret generic postgresql '
                    "--from-file=password=/dev/stdin --dry-run=client -o yaml | kubectl -n default apply --server-side "
                    "-f -; then apply again"
                ),
            )
        ]
        assert result.writes == []

        actual = secret("postgresql", password="set-by-hand")
        await sim.guest(manager="kubectl").apply(
            {**actual, "data": {"password": base64.b64encode(b"set-by-hand").decode()}, "stringData": {}}
        )
        await deployed(sim)
        assert data(sim, "postgresql") == {"username": "postgres", "password": "set-by-hand"}

    on(scenario)


def test_a_lost_password_that_a_variable_holds_is_written_with_a_warning() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, ENV, given(**CANARIES))
        sim.store.remove(Ref(SECRET, "postgresql", "default"))
        result = await deployed(sim, ENV, given(**CANARIES))
        assert result.texts("warning") == [
            (
                "credentials: Secret default/postgresql has no password, and the volume has a database that keeps its "
                "own: the one given is written; it has to be the one that the database has"
            )
        ]
        assert data(sim, "postgresql")["password"] == CANARIES["credentials_password"]

    on(scenario)


def test_another_superuser_in_a_variable_is_refused() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, ENV, given(**CANARIES))
        result = await applied(sim, ENV, given(**{**CANARIES, "credentials_username": "another"}))
        assert isinstance(result.error, PreflightError)
        assert [(problem.question, problem.text) for problem in result.error.findings] == [
            (
                "credentials.username",
                (
                    "only the first start creates a superuser, and it created another one: keep it; create other roles "
                    "by SQL: CREATE ROLE"
                ),
            )
        ]
        assert result.writes == []

    on(scenario)


def test_a_secret_that_appears_at_the_last_moment_is_kept() -> None:
    async def scenario(sim: SimCluster) -> None:
        def meanwhile(request: Any) -> None:
            if request.verb == "create" and request.resource == "secrets":
                made = secret("postgresql", password="theirs")
                made["data"] = {"password": base64.b64encode(b"theirs").decode()}
                del made["stringData"]
                sim.store.put(sim.store.birth({**made, "type": "Opaque"}))

        sim.faults.append(meanwhile)
        await deployed(sim)
        assert data(sim, "postgresql") == {"username": "postgres", "password": "theirs"}

    on(scenario)


def test_a_password_that_differs_from_the_stored_one_changes_nothing_and_is_warned_of() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, ENV, given(**CANARIES))
        result = await deployed(sim, ENV, given(**{**CANARIES, "credentials_password": "another"}))
        assert result.texts("warning") == [
            (
                "Secret default/postgresql: the password given differs from the stored one, which stays: an apply "
                "never changes it"
            )
        ]
        assert result.writes == []
        assert data(sim, "postgresql")["password"] == CANARIES["credentials_password"]

    on(scenario)


# ---- S3 credentials and the passphrase -----------------------------------------------------------------------------


def test_a_temporary_access_key_of_a_variable_is_warned_of_and_not_shown() -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await deployed(sim, ENV, given(**{**CANARIES, "s3_accessKey": "ASIAIOSFODNN7EXAMPLE"}))
        (warning,) = result.texts("warning")
        assert "the access key is one of AWS's temporary keys (ASIA...), which need a session token" in warning

    on(scenario)


def test_s3_credentials_that_differ_are_updated_and_shown_as_changed_without_values() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, ENV, given(**CANARIES))
        result = await deployed(sim, ENV, given(**{**CANARIES, "s3_secretKey": "canary-rotated"}))
        actual = change(result, "Secret default/postgresql-pgbackrest-s3")
        assert actual.action == "update"
        assert [line for line in actual.lines() if line[0] in "+-" and line[1] not in "+-"] == [
            "-  secretKey: '*** (before)'",
            "+  secretKey: '*** (after)'",
        ]
        assert data(sim, "postgresql-pgbackrest-s3") == {"accessKey": "canary-access-3d", "secretKey": "canary-rotated"}
        assert [write for write in result.writes if "postgresql-pgbackrest-s3" in write] == [
            "patch secrets/postgresql-pgbackrest-s3",
            "apply secrets/postgresql-pgbackrest-s3",
        ]

    on(scenario)


@pytest.mark.parametrize("kind", ["kill-before", "kill-after"])
def test_a_pod_gets_new_s3_credentials_even_if_the_run_that_wrote_them_was_killed(kind: Any) -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, ENV, given(**CANARIES))
        before = live(sim, POD, "postgresql-0")["metadata"]["uid"]
        rotated = given(**{**CANARIES, "s3_secretKey": "canary-rotated"})
        sim.faults.append(Fault(kind, "apply", "statefulsets", writes_only=True))
        with pytest.raises(Killed):
            await applied(sim, ENV, rotated)
        sim.faults.clear()
        result = await deployed(sim, ENV, rotated)
        assert live(sim, POD, "postgresql-0")["metadata"]["uid"] != before
        assert "create jobs/postgresql-pgbackrest-init" in result.writes  # it checks the archive again
        assert (await deployed(sim, ENV, rotated)).writes == []

    on(scenario)


def test_a_pod_picks_up_s3_credentials_changed_by_another_tool() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        before = live(sim, POD, "postgresql-0")["metadata"]["uid"]
        other = sim.guest(manager="vault")
        await other.patch(Ref(SECRET, "postgresql-pgbackrest-s3", "default"), {"metadata": {"labels": {"a": "b"}}})
        assert (await deployed(sim)).writes == []
        new = {"data": {"secretKey": base64.b64encode(b"rotated").decode()}}
        await other.patch(Ref(SECRET, "postgresql-pgbackrest-s3", "default"), new)
        await deployed(sim)
        assert live(sim, POD, "postgresql-0")["metadata"]["uid"] != before

    on(scenario)


def test_the_mark_of_the_s3_credentials_differs_from_release_to_release() -> None:
    marks = []

    async def scenario(sim: SimCluster) -> None:
        await deployed(sim)
        marks.append(live(sim, POD, "postgresql-0")["metadata"]["annotations"]["pgwizard/s3-credentials"])

    on(scenario)
    on(scenario)
    assert [len(mark) for mark in marks] == [16, 16]
    assert len(set(marks)) == 2


def test_variables_that_are_missing_later_keep_what_is_stored() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, ENV, given(**CANARIES))
        result = await deployed(sim, ENV, unset(*CANARIES))
        assert result.outcome is not None
        assert result.outcome.result == "unchanged"
        assert data(sim, "postgresql-pgbackrest-s3")["secretKey"] == CANARIES["s3_secretKey"]

    on(scenario)


def test_variables_that_are_missing_at_first_are_all_named() -> None:
    async def scenario(sim: SimCluster) -> None:
        missing = unset("credentials_password", "s3_secretKey", "cipher_passphrase")
        empty = ENV.model_copy(update={"release": answers_of(release={"namespace": "staging"}).release})
        result = await applied(sim, empty, both(given(s3_accessKey="x"), missing))
        assert isinstance(result.error, PreflightError)
        assert [str(problem) for problem in result.error.findings] == [
            "credentials.password: variable password is not set",
            "cipher.passphrase: variable passphrase is not set",
            "s3.secretKey: variable secretKey is not set",
        ]
        assert result.writes == []

    on(scenario)


def test_another_passphrase_is_refused() -> None:
    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, ENV, given(**CANARIES))
        result = await applied(sim, ENV, given(**{**CANARIES, "cipher_passphrase": "canary-other"}))
        assert isinstance(result.error, PreflightError)
        assert [str(problem) for problem in result.error.findings] == [
            (
                "repository.cipher: Secret default/postgresql-pgbackrest-cipher: the passphrase differs from the "
                "stored one; the first backup fixed it"
            )
        ]
        assert result.writes == []

    on(scenario)


def test_s3_credentials_of_another_namespace_are_mirrored_and_follow_their_source() -> None:
    answers = answers_of(
        release={"namespace": "staging"},
        repository={"credentials": {"from": "existing", "secret": "postgresql-pgbackrest-s3", "namespace": "default"}},
    )

    async def scenario(sim: SimCluster) -> None:
        await deployed(sim, answers)
        assert data(sim, "postgresql-pgbackrest-s3", "staging") == {
            "accessKey": "demo-backup",
            "secretKey": "demo-backup-secret-key",
        }
        new = {"data": {"secretKey": base64.b64encode(b"rotated").decode()}}
        await sim.guest(manager="vault").patch(Ref(SECRET, "postgresql-pgbackrest-s3", "default"), new)
        result = await deployed(sim, answers)
        assert result.actions()["Secret staging/postgresql-pgbackrest-s3"] == "update"
        assert data(sim, "postgresql-pgbackrest-s3", "staging")["secretKey"] == "rotated"
        assert (await deployed(sim, answers)).writes == []

    on(scenario)


# ---- nothing leaks -----------------------------------------------------------------------------------------------


def forms(value: str) -> tuple[str, str]:
    return value, base64.b64encode(value.encode()).decode()


def test_the_decisions_about_secrets_show_no_value() -> None:
    ref = Ref(SECRET, "postgresql-pgbackrest-s3", "default")
    assert "canary" not in repr(Values({ref: {"secretKey": Sensitive(b"canary")}}, b"canary"))


def assert_nothing_leaked(sim: SimCluster, result: ApplyRun, values: list[str]) -> None:
    changes = result.outcome.changes if result.outcome else result.shown
    texts = [
        *result.texts(),
        repr(result.events),
        repr(changes),
        *(line for each in changes for line in each.lines()),
    ]
    for error in (result.error, getattr(result.error, "__cause__", None), getattr(result.error, "__context__", None)):
        texts += [str(error), repr(error), getattr(error, "hint", ""), repr(getattr(error, "__dict__", ""))]
    texts += [f"{request}" for request in result.requests]
    stored = sim.store.peek(Ref(SECRET, "postgresql-pgwizard", "default"))
    texts.append(base64.b64decode(stored["data"]["record"]).decode() if stored else "")
    texts += [repr(obj) for obj in sim.store.everything() if obj["kind"] != "Secret"]
    for value in values:
        assert not any(form in text for text in texts for form in forms(value)), value


def test_no_secret_value_leaks_in_an_install_an_upgrade_or_a_rotation() -> None:
    async def scenario(sim: SimCluster) -> None:
        values = [*CANARIES.values(), "canary-rotated-6a"]
        assert_nothing_leaked(sim, await deployed(sim, ENV, given(**CANARIES)), values)
        rotated = given(**{**CANARIES, "s3_secretKey": "canary-rotated-6a", "credentials_password": "canary-new-7d"})
        larger = ENV.model_copy(update={"tuning": answers_of(tuning={"connections": 200}).tuning})
        assert_nothing_leaked(sim, await deployed(sim, larger, rotated), [*values, "canary-new-7d"])

    on(scenario)


@pytest.mark.parametrize("verb", ["create", "apply"])
@pytest.mark.parametrize("kind", ["422", "403", "500", "truncated", "409"])
def test_no_secret_value_leaks_in_a_failure(verb: str, kind: Any) -> None:
    async def scenario(sim: SimCluster) -> None:
        sim.faults.append(Fault(kind, verb, "secrets", "postgresql", writes_only=True))
        result = await applied(sim, ENV, given(**CANARIES))
        assert result.error is not None
        assert_nothing_leaked(sim, result, list(CANARIES.values()))

    on(scenario)


def test_a_generated_password_leaks_nowhere() -> None:
    async def scenario(sim: SimCluster) -> None:
        result = await deployed(sim)
        assert_nothing_leaked(sim, result, [data(sim, "postgresql")["password"]])
        assert CONFIGMAP.kind in {obj["kind"] for obj in sim.store.everything()}
        assert "password" in live(sim, SECRET, "postgresql")["data"]

    on(scenario)
