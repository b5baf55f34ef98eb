"""pgBackRest's rules for names, version by version."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.x509.name import _ASN1Type

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
    assert Rules("2.45").fit(certificate_, host) == fits


@pytest.mark.parametrize("version", ["2.53", "2.60"])
def test_addresses_count_from_pgbackrest_2_53_on(version: str) -> None:
    server, rules = _named("minio", addresses=("10.0.0.1", "2001:db8::1")), Rules(version)
    assert rules.fit(server, "10.0.0.1")
    assert rules.fit(server, "2001:DB8:0::1")
    assert not rules.fit(server, "10.0.0.2")
    assert rules.fit(server, "minio")
    assert not Rules("2.52.1").fit(server, "10.0.0.1")


def test_a_name_in_wide_characters_is_not_read() -> None:
    """pgBackRest sees NULs in it, and fails."""
    (wide,) = read_bundle(issue("minio", ca=None, kind=_ASN1Type.BMPString).pem).certificates
    assert (wide.subject, wide.common_name) == ("CN=minio", "")
    assert not Rules().fit(wide, "minio")
