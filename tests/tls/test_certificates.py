"""Certificates: what bytes are, said before anything trusts them."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pgwizard.tls.certificates import LIMIT_BYTES, Certificate, check_dates, read_bundle
from pgwizard.tls.chain import ChainVerdict, would_verify
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


def test_a_bundle_with_one_member_out_of_its_dates_is_taken() -> None:
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


# ---- names ---------------------------------------------------------------------------------------------------------


def _named(*names: str, common: str = "", addresses: tuple[str, ...] = ()) -> Certificate:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Certificate("", "", moment, moment, False, "", "", common, names, addresses)


@pytest.mark.parametrize(
    ("certificate_", "host", "fits"),
    [
        (_named("a.example.com"), "a.example.com", True),
        (_named("A.Example.com"), "a.eXample.COM", True),
        (_named("*.example.com"), "a.example.com", True),
        (_named("*.example.com"), "a.b.example.com", False),
        (_named("*.example.com"), "example.com", False),
        (_named("a*.example.com"), "ab.example.com", False),
        (_named("*"), "localhost", False),
        (_named(common="a"), "a", True),
        (_named("b", common="a"), "a", False),
        (_named(), "", False),
        (_named(addresses=("10.0.0.1",)), "10.0.0.1", False),
        (_named(common="10.0.0.1", addresses=("10.0.0.2",)), "10.0.0.1", False),
        (replace(_named(common="a"), other_names=1), "a", False),
    ],
)
def test_names_are_compared_as_pgbackrest_does(certificate_: Certificate, host: str, fits: bool) -> None:
    assert certificate_.names(host) == fits


@pytest.mark.filterwarnings("ignore")  # of the library, at the making
@pytest.mark.parametrize("odd", [{"number": 0}, {"country": "DEU"}, {"number": 5}])
def test_an_odd_serial_number_or_country_is_read_without_a_warning(odd: dict[str, Any]) -> None:
    usual = der(issue("minio.minio.svc", ca=True, **odd).certificate)
    data = ssl.DER_cert_to_PEM_cert(usual.replace(b"\x02\x01\x05", b"\x02\x01\xfb", 1)).encode()  # 5 becomes -5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = read_bundle(data).certificates
    assert found.names("minio.minio.svc")


def test_addresses_count_from_pgbackrest_2_53_on() -> None:
    server = _named("minio", addresses=("10.0.0.1", "2001:db8::1"))
    assert server.names("10.0.0.1", by_address=True)
    assert server.names("2001:DB8:0::1", by_address=True)
    assert not server.names("10.0.0.2", by_address=True)
    assert server.names("minio", by_address=True)


def test_a_thousand_names_are_read_in_no_time() -> None:
    names = tuple(f"host-{number}.example.com" for number in range(1000))
    data = issue("many", names=names).pem
    begin = time.process_time()
    (found,) = read_bundle(data).certificates
    assert time.process_time() - begin < 0.1
    assert found.dns_names == names


# ---- whether a server would be trusted, against OpenSSL itself -----------------------------------------------------

HOST = "minio.minio.svc"


Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Issued:
    """A certificate and its key. Keys follow from a number, so that a name may come with another key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return pem(self.certificate)

    @property
    def key_pem(self) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def issue(
    name: str,
    issuer: Issued | None = None,
    *,
    ca: bool | None = False,
    names: tuple[str, ...] = (),
    days: tuple[int, int] = (-10, 10),
    number: int = 1,
    path_length: int | None = None,
    usage: str = "",
    identifiers: bool = True,
    kind: _ASN1Type | None = None,
    country: str = "",
    key: Key | None = None,
) -> Issued:
    """ca None: no basic constraints at all. usage: ``client`` or ``sign`` narrows what it may do.

    kind: the string type in which the names are written.
    """
    key = key or ec.derive_private_key(1000 + 7 * number + sum(name.encode()), ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name, kind)])
    if country:
        subject = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, country, _validate=False), *subject])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        x509.Name([x509.NameAttribute(part.oid, str(part.value), kind) for part in issuer.certificate.subject])
        if issuer
        else subject,
        subject,
        key.public_key(),
        number,
        now + timedelta(days=days[0]),
        now + timedelta(days=days[1]),
    )
    if ca is not None:
        constraints = x509.BasicConstraints(ca=ca, path_length=path_length if ca else None)
        builder = builder.add_extension(constraints, critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    if usage == "client":
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    if usage == "sign":
        flags = dict.fromkeys(
            [
                "digital_signature",
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            ],
            False,
        )
        builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, **flags), critical=True)
    signer = issuer.key if issuer else key
    if identifiers:
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        theirs = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(own, critical=False).add_extension(theirs, critical=False)
    hash_ = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Issued(builder.sign(signer, hash_), key)


def openssl_takes(given: bytes, sent: bytes, key: bytes) -> tuple[bool, str]:
    """What the real library says of the same server, over two buffers in memory."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(sent + key)
        file.flush()
        server_context.load_cert_chain(file.name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags &= ~(ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT)
    context.load_verify_locations(cadata=given.decode())
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=HOST)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as error:
            return False, f"[{error.verify_code}] {error.verify_message}"
        else:
            return True, ""
        with contextlib.suppress(ssl.SSLWantReadError):
            server.do_handshake()
    raise AssertionError("no end of the handshake")


def judged(given: list[Issued], sent: list[Issued]) -> tuple[ChainVerdict, tuple[bool, str]]:
    now = datetime.now(UTC)
    ours, theirs = (b"".join(item.pem for item in items) for items in (given, sent))
    bundle, chain = read_bundle(ours), read_bundle(theirs)
    return would_verify(bundle, chain, HOST, now), openssl_takes(ours, theirs, sent[0].key_pem)


DAYS = st.sampled_from([(-10, 10)] * 6 + [(-10, -1), (1, 10)])
KINDS = st.sampled_from([_ASN1Type.UTF8String, _ASN1Type.PrintableString])
AUTHORITY = st.fixed_dictionaries(
    {
        "ca": st.sampled_from([True] * 6 + [False, None]),
        "days": DAYS,
        "path_length": st.sampled_from([None, None, None, 0, 1]),
        "usage": st.sampled_from(["", "", "", "sign", "client"]),
        "identifiers": st.booleans(),
        "kind": KINDS,
    }
)
LEAF = st.fixed_dictionaries(
    {
        "ca": st.sampled_from([False, False, True, None]),
        "days": DAYS,
        "names": st.sampled_from([(HOST,), (HOST,), (HOST,), ("*.minio.svc",), ("other.example.com",), ()]),
        "usage": st.sampled_from(["", "", "", "sign", "client"]),
        "identifiers": st.booleans(),
        "kind": KINDS,
    }
)


@settings(max_examples=500, deadline=None)
@given(
    root=AUTHORITY,
    middle=AUTHORITY,
    leaf=LEAF,
    depth=st.sampled_from([0, 1, 1, 2, 2]),
    sends=st.sets(st.sampled_from(["middle", "root"])),
    gives=st.sets(st.sampled_from(["root", "middle", "leaf", "impostor", "stranger"]), min_size=1),
    leaf_name=st.sampled_from(["leaf", HOST]),
)
def test_the_verdict_is_openssl_s_own(
    root: dict[str, Any],
    middle: dict[str, Any],
    leaf: dict[str, Any],
    depth: int,
    sends: set[str],
    gives: set[str],
    leaf_name: str,
) -> None:
    """depth: how many authorities are above the server's certificate; impostor: the root's name with another key."""
    top = issue("root", **root)
    between = issue("middle", top, **middle)
    above = {0: None, 1: top, 2: between}[depth]
    own = issue(leaf_name, above, **leaf)
    everyone = {"root": top, "middle": between, "leaf": own}
    everyone |= {"impostor": issue("root", number=2, **root), "stranger": issue("stranger", ca=True)}
    if {"root", "impostor"} <= gives:
        gives = gives - {"impostor"}  # which of two equal names OpenSSL takes is not said anywhere
    chosen = [everyone[name] for name in sorted(gives)]
    sent = [own, *(everyone[name] for name in ("middle", "root") if name in sends)]
    verdict, (ok, message) = judged(chosen, sent)
    assert verdict.ok == ok, (verdict, message)
    assert verdict.why


@pytest.mark.parametrize("kind", ["EC", "RSA", "Ed25519"])
def test_a_name_in_another_string_type_is_the_same_name(kind: str) -> None:
    key: Key | None = None
    if kind != "EC":
        key = rsa.generate_private_key(65537, 2048) if kind == "RSA" else ed25519.Ed25519PrivateKey.generate()
    root = issue("root", ca=True, kind=_ASN1Type.UTF8String, key=key)
    leaf = issue("leaf", root, names=(HOST,), kind=_ASN1Type.PrintableString)
    verdict, (ok, message) = judged([root], [leaf])
    assert (verdict, ok) == (ChainVerdict(True, "signed the server's certificate", is_direct_issuer=True), True), (
        message
    )


@pytest.mark.parametrize("days", [(-9, -3), (3, 9)])
def test_an_authority_out_of_its_dates_beside_the_good_one_changes_nothing(days: tuple[int, int]) -> None:
    root, other = issue("root", ca=True), issue("other", ca=True, days=days)
    verdict, (ok, message) = judged([other, root], [issue("leaf", root, names=(HOST,))])
    assert (verdict.ok, ok) == (True, True), message


def test_the_reasons_in_words() -> None:
    root, other = issue("root", ca=True), issue("other", ca=True)
    impostor = issue("root", ca=True, number=2, identifiers=False)
    middle = issue("middle", root, ca=True)
    leaf = issue("leaf", middle, names=(HOST,))
    bare = issue("bare", root, names=(HOST,), identifiers=False)
    alone = issue("alone", names=(HOST,))
    cases: list[tuple[list[Issued], list[Issued], bool, str]] = [
        ([root], [issue("a", root, names=(HOST,))], True, "signed the server's certificate"),
        ([root], [leaf, middle], True, "signed CN=middle, which the server sends along"),
        ([root, middle], [leaf], True, "signed the server's certificate"),
        ([alone], [alone], True, "this very certificate is what the server sends"),
        ([middle], [leaf], False, "CN=middle is an intermediate: its root, CN=root, must be here as well"),
        ([other], [alone], False, "did not sign this one: the server's certificate is self-signed"),
        ([other], [leaf, middle], False, "did not sign this one: CN=root did"),
        ([other], [leaf, middle, root], False, "did not sign this one: CN=root did, not here"),
        (
            [root],
            [leaf],
            False,
            "did not sign this one: the server's certificate is signed by CN=middle, and comes alone",
        ),
        (
            [leaf],
            [leaf, middle],
            False,
            "the server's own certificate, but CN=middle signed it: that authority is needed",
        ),
        ([impostor], [bare], False, "has the name of the authority that signed CN=bare, but another key"),
        ([issue("old", ca=True, days=(-9, -3))], [leaf], False, "expired 3 d ago"),
        ([issue("shop", middle)], [leaf, middle], False, "not a CA, and it is not what the server sends"),
        (
            [root],
            [issue("x", root, names=("a", "b", "c", "d"))],
            False,
            f"the server's certificate is for a, b, c and 1 more, not for {HOST}",
        ),
        ([root], [issue("x", root, names=(HOST,), days=(-9, -1))], False, "CN=x expired 1 d ago"),
    ]
    for trusted_, sent, ok, why in cases:
        verdict, (openssl, message) = judged(trusted_, sent)
        assert (verdict.ok, verdict.why, openssl) == (ok, why, ok), message
        assert verdict.is_direct_issuer == (why == "signed the server's certificate")
