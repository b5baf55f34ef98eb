"""What a Secret could be chosen for: kinds distinguished, keys known by their names, and a reason for each."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from pgwizard.endpoint import Endpoint
from pgwizard.errors import Finding
from pgwizard.simulator.world import HOSTILE
from pgwizard.tui.widgets.candidate_text import reason_text
from pgwizard.wizard import candidates
from pgwizard.wizard.candidates import Purpose, Search, judge, outline, rows_of
from pgwizard.wizard.secret_questions import secret_question_of
from support.headless import certificate, der, pem, private_key

CA = Search("ca", Endpoint.parse("minio.minio.svc:9000"), "default")
NOW = datetime.now(UTC)


def secret(data: dict[str, bytes], name: str = "a", namespace: str = "shop", kind: str = "Opaque") -> dict[str, Any]:
    coded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"metadata": {"name": name, "namespace": namespace}, "type": kind, "data": coded}


# ---- certificates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind", "why"),
    [
        ({"tls.crt": b"", "tls.key": private_key()}, "key only", "a private key without its certificate"),
        ({"tls.key": private_key()}, "key only", "a private key without its certificate"),
        ({"tls.crt": der(certificate())}, "not a certificate", "tls.crt is a certificate in DER form"),
        ({"tls.crt": pem(certificate())[:200]}, "not a certificate", "tls.crt holds a certificate that is cut off"),
        ({"tls.crt": private_key() + pem(certificate())}, "not a certificate", "tls.crt holds a private key"),
        ({"ca.crt": b"hello"}, "not a certificate", "ca.crt is not a certificate"),
        ({"token": b"x"}, "other keys", "holds no certificate"),
        ({}, "other keys", "has no data"),
        ({"tls.crt": b"x" * 600_000}, "not a certificate", "tls.crt is larger than 512 KiB"),
    ],
)
def test_a_row_that_cannot_be_chosen_has_its_reason(data: dict[str, bytes], kind: str, why: str) -> None:
    (row,) = rows_of(secret(data), CA, None, NOW)
    assert (row.kind, row.keys, reason_text(row)[: len(why)]) == (kind, (), why)


def test_each_key_that_holds_certificates_is_a_row() -> None:
    data = {"tls.crt": pem(certificate("one")), "ca.crt": pem(certificate("two")), "odd": pem(certificate("three"))}
    rows = rows_of(secret(data), CA, None, NOW)
    assert [(row.keys, row.first.subject if row.first else "") for row in rows] == [
        (("ca.crt",), "CN=two"),
        (("odd",), "CN=three"),
        (("tls.crt",), "CN=one"),
    ]


def test_no_row_holds_a_value() -> None:
    value = b"top-secret-value"
    for purpose in ("ca", "s3", "database", "passphrase"):
        data = {"password": value, "username": value, "passphrase": value, "tls.key": value, "ca.crt": value}
        rows = rows_of(secret(data), Search(purpose), None, NOW)
        assert value.decode() not in repr(rows)
        assert base64.b64encode(value).decode() not in repr(rows)


def test_a_mirror_is_last_and_names_its_source() -> None:
    origin = secret({"tls.crt": pem(certificate("one"))}, "minio-tls", "minio", "kubernetes.io/tls")
    mirror = secret({"tls.crt": pem(certificate("one"))}, "postgresql-minio-ca", "default")
    mirror["metadata"]["annotations"] = {"pgwizard/source": "minio/minio-tls/tls.crt"}
    served = Finding(text="cannot be reached")
    (result,), (copy,), seen = rows_of(origin, CA, served, NOW), rows_of(mirror, CA, served, NOW), outline(mirror, CA)
    assert min([seen, copy, result], key=lambda row: row.order) is result
    for row in (copy, seen, judge(copy, CA, served, NOW)):
        assert (row.ok, reason_text(row), row.hopeful) == (False, "a mirror of minio/minio-tls: choose that", False)


@pytest.mark.parametrize(
    ("source", "ok", "why"),
    [
        ("Secret minio/creds, keys accessKey and secretKey", False, "a mirror of minio/creds: choose that"),
        ("variables S3_KEY and S3_SECRET", True, "has accessKey and secretKey"),
    ],
)
def test_a_mirrored_key_pair_is_not_a_candidate_but_one_from_a_variable_is(source: str, ok: bool, why: str) -> None:
    item = secret({"accessKey": b"a", "secretKey": b"b"}, "postgresql-pgbackrest-s3", "default")
    item["metadata"]["annotations"] = {"pgwizard/values-from": source}
    (row,) = rows_of(item, Search("s3", None, "default"), None, NOW)
    assert (row.ok, reason_text(row)) == (ok, why)


def test_invalid_base64_is_not_a_certificate() -> None:
    item = secret({})
    item["data"] = {"ca.crt": "%%%"}
    (row,) = rows_of(item, CA, None, NOW)
    assert row.kind == "not a certificate"


# ---- credentials ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("purpose", "keys", "chosen"),
    [
        ("s3", ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        ("s3", ("rootUser", "rootPassword"), ("rootUser", "rootPassword")),
        ("s3", ("accessKey",), ()),
        ("database", ("password", "username", "more"), ("username", "password")),
        ("passphrase", ("passphrase", "other"), ("passphrase",)),
        ("passphrase", ("other",), ()),
    ],
)
def test_keys_are_proposed_by_their_names(purpose: Purpose, keys: tuple[str, ...], chosen: tuple[str, ...]) -> None:
    (row,) = rows_of(secret(dict.fromkeys(keys, b"x")), Search(purpose), None, NOW)
    assert row.keys == chosen


def test_an_empty_value_is_no_credential() -> None:
    (row,) = rows_of(secret({"accessKey": b"x", "secretKey": b""}), Search("s3"), None, NOW)
    assert (row.keys, row.ok, reason_text(row)) == ((), False, "secretKey is empty")


def test_the_keys_of_a_secret_that_is_not_read_are_known_from_who_manages_them() -> None:
    fields: dict[str, Any] = {"f:data": {".": {}, "f:accessKey": {}, "f:secretKey": {}}, "f:type": {}}
    item = {"metadata": {"name": "a", "namespace": "b", "managedFields": [{"fieldsV1": fields}]}}
    row = candidates.outline(item, Search("s3"))
    assert (row.kind, row.keys) == ("credentials", ("accessKey", "secretKey"))
    fields = {"f:data": {"f:ca.crt": {}}}
    item = {"metadata": {"name": "a", "namespace": "b", "managedFields": [{"fieldsV1": fields}]}}
    assert candidates.outline(item, CA).hopeful


# ---- names that are typed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("search", "text", "expected"),
    [
        (CA, "minio/minio-tls", ("minio", "minio-tls", ())),
        (CA, "minio-tls", ("default", "minio-tls", ())),
        (CA, "minio/minio-tls/ca.crt", ("minio", "minio-tls", ("ca.crt",))),
        (Search("s3"), "a/b/c,d", ("a", "b", ("c", "d"))),
        (Search("database", namespace="shop"), "db/user,pass", ("shop", "db", ("user", "pass"))),
        (Search("database", namespace="shop"), "shop/db", ("shop", "db", ())),
    ],
)
def test_a_name_that_is_typed(search: Search, text: str, expected: object) -> None:
    assert candidates.parse_name(text, search) == expected


@pytest.mark.parametrize("text", ["", "a/b/c/d", "A/B", "../x", "a b", HOSTILE, "a/b/c,d"])
def test_an_invalid_name_is_refused_in_printable_text(text: str) -> None:
    wrong = candidates.parse_name(text, CA)
    assert isinstance(wrong, str)
    assert wrong.isprintable()


def test_the_database_secret_must_be_in_the_release_s_namespace() -> None:
    search = Search("database", namespace="shop")
    assert candidates.parse_name("other/db/a,b", search) == "it must be in the release's own namespace, shop"


def test_a_choice_answers_the_questions_about_its_secret() -> None:
    s3, ca = (
        secret_question_of(("repository", "credentials", "secret")),
        secret_question_of(("tls", "source", "secret")),
    )
    where, secret = ("repository", "credentials", "namespace"), ("repository", "credentials", "secret")
    names = [("repository", "credentials", "accessKeyKey"), ("repository", "credentials", "secretKeyKey")]
    assert list(s3.answers("minio", "root", ("user", "password"), "shop")) == [
        (where, "minio"),
        (secret, "root"),
        (names[0], "user"),
        (names[1], "password"),
    ]
    assert list(s3.answers("shop", "root", (), "shop")) == [(where, None), (secret, "root")]
    assert list(ca.answers("shop", "ca", ("ca.crt",), "shop")) == [
        (("tls", "source", "namespace"), "shop"),
        (("tls", "source", "secret"), "ca"),
        (("tls", "source", "key"), "ca.crt"),
    ]
    assert secret_question_of(("credentials", "secret")).namespace is None
