"""pgBackRest's rules for names, version by version."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.x509.name import _ASN1Type

from pgwizard.plan import pgbackrest
from pgwizard.tls.certificates import Certificate, read_bundle
from pgwizard.tls.names import Rules
from support.chains import issue


def _named(*names: str, common: str = "", addresses: tuple[str, ...] = ()) -> Certificate:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Certificate("", "", moment, moment, False, "", "", common, names, addresses)


@pytest.mark.parametrize(
    ("certificate_", "host", "fits"),
    [
        (_named("a.example.com"), "a.example.com", True),
        (_named("A.Example.com"), "a.eXample.COM", True),
        (_named("*.example.com"), "ab.example.com", True),
        (_named("*.example.com"), "a.b.example.com", False),
        (_named("*.example.com"), "example.com", False),
        (_named("a*.example.com"), "ab.example.com", False),
        (_named("*"), "localhost", False),
        (_named(common="a"), "a", True),
        (_named("b", common="a"), "a", False),
        (_named(), "", False),
        (_named("*.example.com"), "a.example.com", False),
        (_named("*."), "a.", False),
        (_named("a.example.com."), "a.example.com", False),
        (_named("b\0", "a"), "a", False),
        (_named("a", "b\0"), "a", True),
        (_named(addresses=("10.0.0.1",)), "10.0.0.1", False),
        (_named(common="10.0.0.1", addresses=("10.0.0.2",)), "10.0.0.1", False),
        (replace(_named(common="a"), other_names=1), "a", False),
    ],
)
def test_names_are_compared_as_pgbackrest_does(certificate_: Certificate, host: str, fits: bool) -> None:
    assert (Rules().refusal(certificate_, host) == "") == fits


@pytest.mark.parametrize("version", ["2.53", "2.60"])
def test_addresses_count_from_pgbackrest_2_53_on(version: str) -> None:
    server, rules = (
        _named("minio", addresses=("10.0.0.1", "2001:db8::1")),
        pgbackrest.rules(pgbackrest.version(version)),
    )
    assert rules.refusal(server, "10.0.0.1") == ""
    assert rules.refusal(server, "2001:DB8:0::1") == ""
    assert rules.refusal(server, "10.0.0.2") == _not_found("10.0.0.2")
    assert rules.refusal(server, "minio") == ""
    assert pgbackrest.rules((2, 52, 1)).refusal(server, "10.0.0.1") == _not_found("10.0.0.1")


def _not_found(host: str) -> str:
    return f"unable to find hostname '{host}' in certificate common name or subject alternative names"


def test_a_refusal_has_the_words_of_pgbackrest() -> None:
    assert Rules().refusal(_named("a\0", "b"), "b") == "TLS certificate name contains embedded null"
    assert Rules().refusal(_named(), "b") == "common name is missing"
    assert Rules().refusal(_named(addresses=("10.0.0.1",)), "b") == _not_found("b")


def test_a_name_in_wide_characters_is_refused_for_the_nuls_that_pgbackrest_sees_in_it() -> None:
    (wide,) = read_bundle(issue("minio", ca=None, kind=_ASN1Type.BMPString).pem).certificates
    assert wide.subject == "CN=minio"
    assert Rules().refusal(wide, "minio") == "TLS certificate name contains embedded null"
