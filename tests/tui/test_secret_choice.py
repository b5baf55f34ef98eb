"""What a typed name chooses, by what was read of the Secret."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pgwizard.endpoint import Endpoint
from pgwizard.errors import Finding
from pgwizard.tls.chain import ChainReason, ChainVerdict
from pgwizard.tui.secret_choice import SecretChoice, TypedName
from pgwizard.wizard.candidates import Candidate, Search

CA = Search("ca", Endpoint.parse("minio.minio.svc:9000"), "default")
PAIR = replace(CA, purpose="database")
BUNDLE = Candidate("shop", "certs", "CA", ("ca.crt",), rank=1)
LEAF = replace(BUNDLE, keys=("tls.crt",), rank=5)
OTHER = Candidate(
    "shop",
    "login",
    "other keys",
    others=("admin-user", "admin-password"),
    reason=Finding(text="has not the usual keys"),
)
DENIED = Candidate("shop", "certs", "cannot be read", reason=Finding(text="may not be read"), hopeful=True)
GONE = replace(DENIED, reason=Finding(text="does not exist"), hopeful=False)


def test_without_keys_the_best_candidate_of_the_secret_is_chosen() -> None:
    assert TypedName("shop", "certs", ()).choice((LEAF, BUNDLE), CA) == BUNDLE


def test_with_keys_the_candidate_of_these_keys_is_chosen() -> None:
    assert TypedName("shop", "certs", ("tls.crt",)).choice((LEAF, BUNDLE), CA) == LEAF


def test_keys_of_other_names_are_accepted_for_a_key_pair_that_has_them() -> None:
    keys = ("admin-user", "admin-password")
    assert TypedName("shop", "login", keys).choice((OTHER,), PAIR) == SecretChoice("shop", "login", keys)


def test_a_key_that_holds_no_certificate_is_refused() -> None:
    assert TypedName("shop", "login", ("admin-user",)).choice((OTHER,), CA) == "shop/login: has not the usual keys"


@pytest.mark.parametrize(
    ("key", "refusal"),
    [("other.crt", "it does not have the key other.crt"), ("tls.key", "tls.key holds no certificate")],
)
def test_another_key_of_a_secret_with_certificates_is_refused_by_its_name(key: str, refusal: str) -> None:
    rows = (replace(BUNDLE, others=("tls.key",), reason=ChainVerdict(True, ChainReason.IS_ISSUER)),)
    assert TypedName("shop", "certs", (key,)).choice(rows, CA) == f"shop/certs: {refusal}"


def test_a_secret_that_may_not_be_read_is_accepted_with_the_usual_keys() -> None:
    assert TypedName("shop", "certs", ()).choice((DENIED,), CA) == SecretChoice("shop", "certs", ("tls.crt",))


def test_a_secret_that_does_not_exist_is_refused() -> None:
    assert TypedName("shop", "certs", ()).choice((GONE,), CA) == "shop/certs: does not exist"
