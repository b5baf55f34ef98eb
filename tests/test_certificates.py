"""Certificates: what bytes are, said before anything trusts them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from headless import CA, NOW, certificate, der, pem, private_key, trusted
from pgwizard.certificates import LIMIT_BYTES, Certificate, read_bundle


def _refusal(data: bytes, now: datetime | None = None) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        read_bundle(data, now or datetime.now(UTC))
    return str(caught.value)


def test_a_certificate_is_read() -> None:
    assert trusted().certificates == (
        Certificate(
            subject="CN=pgwizard test CA",
            issuer="CN=pgwizard test CA",
            not_before=datetime(2026, 1, 1, tzinfo=UTC),
            not_after=datetime(2126, 1, 1, tzinfo=UTC),
            is_ca=True,
            sha256=trusted().certificates[0].sha256,
        ),
    )
    assert len(trusted().certificates[0].sha256) == 95
    assert trusted().certificates[0].self_signed


def test_the_text_that_is_kept_is_the_certificate_alone() -> None:
    plain = CA.read_text()
    around = f"Bag Attributes\n  friendlyName: x\n{plain}trailing text\n".replace("\n", "\r\n").encode()
    assert read_bundle(around, NOW).pem == plain


def test_a_chain_keeps_its_order_and_ends_with_its_first_end() -> None:
    first, second = certificate("one", ends=timedelta(days=9)), certificate("two", ends=timedelta(days=3))
    bundle = read_bundle(pem(first) + pem(second), datetime.now(UTC))
    assert [item.subject for item in bundle.certificates] == ["CN=one", "CN=two"]
    assert bundle.pem.encode() == pem(first) + pem(second)
    assert bundle.ends == second.not_valid_after_utc


def test_a_private_key_is_refused_even_beside_a_certificate() -> None:
    message = "holds a private key: give the certificate alone (the key must not leave the server)"
    assert _refusal(private_key()) == _refusal(CA.read_bytes() + private_key()) == message


def test_what_is_no_certificate_is_named() -> None:
    assert _refusal(b"") == _refusal(b" \n") == "is empty"
    assert _refusal(b"hello") == "is not a certificate: expected PEM text that begins with -----BEGIN CERTIFICATE-----"
    assert _refusal(der(certificate())) == (
        "is a certificate in DER form: convert it with openssl x509 -inform der -outform pem"
    )
    request = b"-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n"
    assert _refusal(request) == "holds a certificate request, not a certificate"
    assert _refusal(b"x" * (LIMIT_BYTES + 1)) == "larger than 512 KiB: not a certificate"


def test_a_certificate_that_is_cut_off_is_named() -> None:
    whole = CA.read_bytes()
    message = "holds a certificate that is cut off: the END line is missing"
    assert _refusal(whole[:-30]) == _refusal(whole[:-30] + whole) == message


def test_a_broken_certificate_is_named_by_its_number() -> None:
    broken = CA.read_bytes().replace(b"MII", b"AAA")
    assert _refusal(broken) == "the certificate is broken: its PEM text does not hold a certificate"
    assert _refusal(CA.read_bytes() + broken).startswith("certificate 2 of 2 is broken")
    assert _refusal(CA.read_bytes().replace(b"MII", "ü".encode())).startswith("the certificate is broken")


def test_a_certificate_out_of_its_time_is_refused() -> None:
    before, after = datetime(2025, 12, 31, 23, 59, tzinfo=UTC), datetime(2126, 1, 1, tzinfo=UTC)
    assert (
        _refusal(CA.read_bytes(), after) == "CN=pgwizard test CA ended on 2126-01-01 00:00 UTC: renew it at its source"
    )
    assert _refusal(CA.read_bytes(), before) == (
        "CN=pgwizard test CA is valid only from 2026-01-01 00:00 UTC on: check the clock, or wait"
    )


@pytest.mark.parametrize(
    "data",
    [b"-----BEGIN CERTIFICATE-----\n", b"-----BEGIN A-----\n", b"-----BEGIN ", b"-----END CERTIFICATE-----", b"-----"],
)
def test_half_a_megabyte_of_anything_is_read_at_once(data: bytes) -> None:
    begin = time.monotonic()
    _refusal((data * LIMIT_BYTES)[:LIMIT_BYTES])
    assert time.monotonic() - begin < 2
