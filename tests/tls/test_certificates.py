"""Certificates: what kind of bytes these are, before anything trusts them."""

from __future__ import annotations

import base64
import contextlib
import ssl
import time
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, pkcs7, pkcs12
from hypothesis import given
from hypothesis import strategies as st

from pgwizard.tls.certificates import LIMIT_BYTES, Certificate, check_dates, read_bundle
from pgwizard.tls.names import Rules
from support.chains import issue
from support.headless import CA, certificate, der, pem, private_key, trusted


def _refusal(data: bytes, now: datetime | None = None) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        check_dates(read_bundle(data), now or datetime.now(UTC))
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
            key_type="EC P-256",
            common_name="pgwizard test CA",
            serial="1",
        ),
    )
    assert len(trusted().certificates[0].sha256) == 95
    assert trusted().certificates[0].self_signed


def test_a_certificate_that_was_read_before_is_not_parsed_again() -> None:
    once, again = (read_bundle(CA.read_bytes() + around) for around in (b"", b"a comment"))
    assert once.certificates[0] is again.certificates[0]


def test_the_text_that_is_kept_is_the_certificate_alone() -> None:
    plain = CA.read_text()
    around = f"Bag Attributes\n  friendlyName: x\n{plain}trailing text\n".replace("\n", "\r\n").encode()
    assert read_bundle(around).pem == plain


def test_a_chain_keeps_its_order_and_ends_with_its_first_end() -> None:
    first, second = certificate("one", ends=timedelta(days=9)), certificate("two", ends=timedelta(days=3))
    bundle = read_bundle(pem(first) + pem(second))
    assert [item.subject for item in bundle.certificates] == ["CN=one", "CN=two"]
    assert bundle.pem.encode() == pem(first) + pem(second)
    assert bundle.next_end(datetime.now(UTC)) == second.not_valid_after_utc


def test_a_private_key_is_refused_even_beside_a_certificate() -> None:
    message = "holds a private key: give the certificate alone (the key must not leave the server)"
    assert _refusal(private_key()) == _refusal(CA.read_bytes() + private_key()) == message


def trusted_form(settings: bytes) -> bytes:
    text = base64.encodebytes(ssl.PEM_cert_to_DER_cert(CA.read_text()) + settings)
    return b"-----BEGIN TRUSTED CERTIFICATE-----\n" + text + b"-----END TRUSTED CERTIFICATE-----\n"


def test_openssl_s_own_form_is_a_certificate_unless_it_is_not_trusted_for_servers() -> None:
    clients = bytes.fromhex("300c300a06082b06010505070302")
    assert read_bundle(trusted_form(b"")).pem == read_bundle(trusted_form(b"0\0")).pem == CA.read_text()
    message = "holds a TRUSTED CERTIFICATE, OpenSSL's own form, that is not trusted for servers"
    assert _refusal(trusted_form(clients)) == message
    assert read_bundle(CA.read_bytes() + trusted_form(clients)).pem == CA.read_text()


@given(settings=st.binary(max_size=40))
def test_settings_of_trust_that_are_damaged_are_a_broken_certificate(settings: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_bundle(trusted_form(settings))
    with pytest.raises(ValueError, match="broken"):
        read_bundle(trusted_form(b"0\x20" + settings[:20]))


def test_a_text_that_is_not_a_certificate_is_named() -> None:
    assert _refusal(b"") == _refusal(b" \n") == "is empty"
    assert _refusal(b"hello") == "is not a certificate: expected PEM text that begins with -----BEGIN CERTIFICATE-----"
    assert _refusal(der(certificate())) == (
        "is a certificate in DER form: convert it with openssl x509 -inform der -outform pem"
    )
    request = b"-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n"
    assert _refusal(request) == "holds a certificate request, not a certificate"
    assert _refusal(CA.read_bytes().replace(b"CERTIFICATE", b"PKCS7")) == (
        "holds a PKCS7 bundle: convert it with openssl pkcs7 -print_certs"
    )
    signed_data = pkcs7.serialize_certificates([certificate()], Encoding.DER)
    assert (
        _refusal(signed_data) == "is a PKCS7 bundle in DER form: convert it with openssl pkcs7 -inform der -print_certs"
    )
    store = pkcs12.serialize_key_and_certificates(b"name", None, certificate(), None, NoEncryption())
    assert _refusal(store) == "is a PKCS12 store: export the certificates with openssl pkcs12 -nokeys"
    java = b"\xfe\xed\xfe\xed\x00\x00\x00\x02"
    assert _refusal(java) == "is a Java key store: export the certificate with keytool -exportcert -rfc"
    assert _refusal(CA.read_text().encode("utf-16")) == "is text in UTF-16: save it as UTF-8"
    assert _refusal(base64.encodebytes(CA.read_bytes())) == (
        "is a certificate encoded in base64 once more: decode it with base64 -d"
    )
    assert _refusal(CA.read_bytes().replace(b"\n", b"\\n")) == (
        "the certificate is in one line, its line breaks written as \\n: write them as line breaks"
    )
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


def test_a_certificate_outside_its_validity_is_refused() -> None:
    before, after = datetime(2025, 12, 31, 23, 59, tzinfo=UTC), datetime(2126, 1, 1, tzinfo=UTC)
    assert (
        _refusal(CA.read_bytes(), after) == "CN=pgwizard test CA ended on 2126-01-01 00:00 UTC: renew it at its source"
    )
    assert _refusal(CA.read_bytes(), before) == (
        "CN=pgwizard test CA is valid only from 2026-01-01 00:00 UTC on, and this machine's clock shows "
        "2025-12-31 23:59 UTC: set it if it is behind; otherwise the clock where the certificate was made is ahead"
    )


def test_a_bundle_with_one_invalid_member_is_accepted() -> None:
    for days in ((-9, -3), (3, 9)):
        other, good = issue("other", ca=True, days=days), issue("good", ca=True)
        now, bundle = datetime.now(UTC), read_bundle(other.pem + good.pem)
        check_dates(bundle, now)
        assert bundle.next_end(now) == good.certificate.not_valid_after_utc


@pytest.mark.parametrize(
    "data",
    [b"-----BEGIN CERTIFICATE-----\n", b"-----BEGIN A-----\n", b"-----BEGIN ", b"-----END CERTIFICATE-----", b"-----"],
)
def test_half_a_megabyte_of_anything_is_read_at_once(data: bytes) -> None:
    begin = time.process_time()
    _refusal((data * LIMIT_BYTES)[:LIMIT_BYTES])
    assert time.process_time() - begin < 60  # some milliseconds; quadratic takes minutes


@pytest.mark.filterwarnings("ignore")  # of the library, at the making
@pytest.mark.parametrize("odd", [{"number": 0}, {"country": "DEU"}, {"number": 5}])
def test_an_odd_serial_number_or_country_is_read_without_a_warning(odd: dict[str, Any]) -> None:
    usual = der(issue("minio.minio.svc", ca=True, **odd).certificate)
    data = ssl.DER_cert_to_PEM_cert(usual.replace(b"\x02\x01\x05", b"\x02\x01\xfb", 1)).encode()  # 5 becomes -5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (result,) = read_bundle(data).certificates
    assert Rules().refusal(result, "minio.minio.svc") == ""


def test_a_thousand_names_are_read_quickly() -> None:
    names = tuple(f"host-{number}.example.com" for number in range(1000))
    data = issue("many", names=names).pem
    begin = time.process_time()
    (result,) = read_bundle(data).certificates
    assert time.process_time() - begin < 0.1
    assert result.dns_names == names
