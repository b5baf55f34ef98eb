"""Whether a server would be trusted, against handshakes with this machine's OpenSSL."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pgwizard.tls.certificates import read_bundle
from pgwizard.tls.chain import ChainReason, ChainVerdict, would_verify
from pgwizard.tls.names import Rules
from support.chains import NETSCAPE_TYPE, UNKNOWN, Issued, Key, issue, short_dsa

HOST = "minio.minio.svc"


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


def verdicts(given: list[Issued], sent: list[Issued]) -> tuple[ChainVerdict, tuple[bool, str]]:
    now = datetime.now(UTC)
    ours, theirs = (b"".join(item.pem for item in items) for items in (given, sent))
    bundle, chain = read_bundle(ours), read_bundle(theirs)
    return would_verify(bundle, chain, HOST, now, Rules()), openssl_takes(ours, theirs, sent[0].key_pem)


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
def test_the_verdict_is_that_of_a_handshake_with_this_machine_s_openssl(
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
        gives = gives - {"impostor"}  # which of two equal names OpenSSL takes is not documented
    chosen = [everyone[name] for name in sorted(gives)]
    sent = [own, *(everyone[name] for name in ("middle", "root") if name in sends)]
    verdict, (ok, message) = verdicts(chosen, sent)
    assert verdict.ok == ok, (verdict, message)
    assert verdict.why


@pytest.mark.parametrize("kind", ["EC", "RSA", "Ed25519"])
def test_a_name_in_another_string_type_is_the_same_name(kind: str) -> None:
    key: Key | None = None
    if kind != "EC":
        key = rsa.generate_private_key(65537, 2048) if kind == "RSA" else ed25519.Ed25519PrivateKey.generate()
    root = issue("root", ca=True, kind=_ASN1Type.UTF8String, key=key)
    leaf = issue("leaf", root, names=(HOST,), kind=_ASN1Type.PrintableString)
    verdict, (ok, message) = verdicts([root], [leaf])
    assert (verdict.ok, verdict.reason, ok) == (True, ChainReason.IS_ISSUER, True), message


@pytest.mark.parametrize("days", [(-9, -3), (3, 9)])
def test_an_expired_authority_beside_a_valid_one_changes_nothing(days: tuple[int, int]) -> None:
    root, other = issue("root", ca=True), issue("other", ca=True, days=days)
    verdict, (ok, message) = verdicts([other, root], [issue("leaf", root, names=(HOST,))])
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
        verdict, (openssl, message) = verdicts(trusted_, sent)
        assert (verdict.ok, verdict.why, openssl) == (ok, why, ok), message


_CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
_ANY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
_NETSCAPE_CLIENT = x509.UnrecognizedExtension(x509.ObjectIdentifier(NETSCAPE_TYPE), b"\x03\x02\x07\x80")
_NETSCAPE_SERVER = x509.UnrecognizedExtension(x509.ObjectIdentifier(NETSCAPE_TYPE), b"\x03\x02\x06\x40")
_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier(UNKNOWN), b"\x05\x00")
_ELSEWHERE = x509.NameConstraints([x509.DNSName("example.com")], None)


@pytest.mark.parametrize(
    ("authority", "server", "message"),
    [
        ({}, {}, ""),
        ({"is_version_1": True}, {}, ""),
        ({"weak_hash": "sha1"}, {}, ""),
        ({"extensions": (_CLIENT,)}, {}, "[26] unsuitable certificate purpose"),
        ({}, {"extensions": (_CLIENT,)}, "[26] unsuitable certificate purpose"),
        ({}, {"extensions": (_ANY,)}, "[26] unsuitable certificate purpose"),
        ({}, {"extensions": (_NETSCAPE_CLIENT,)}, "[26] unsuitable certificate purpose"),
        ({}, {"extensions": (_NETSCAPE_SERVER,)}, ""),
        ({}, {"extensions": (_UNKNOWN,)}, "[34] unhandled critical extension"),
        ({}, {"weak_hash": "sha1"}, "[68] CA signature digest algorithm too weak"),
        ({}, {"key": 1024}, "[66] EE certificate key too weak"),
        ({}, {"key": 1984}, ""),
        ({"key": 1024}, {}, "[67] CA certificate key too weak"),
        ({"key": short_dsa(1000)}, {}, "[67] CA certificate key too weak"),
        ({}, {"key": short_dsa(1000)}, "[66] EE certificate key too weak"),
        ({"extensions": (_ELSEWHERE,)}, {}, "[47] permitted subtree violation"),
        ({}, {"extensions": (_CLIENT, _UNKNOWN)}, "[34] unhandled critical extension"),
        ({"key": 1024}, {"weak_hash": "sha1"}, "[68] CA signature digest algorithm too weak"),
        ({}, {"weak_hash": "sha1", "days": (-9, -1)}, "[68] CA signature digest algorithm too weak"),
        ({"extensions": (_CLIENT,)}, {"days": (-9, -1)}, "[26] unsuitable certificate purpose"),
    ],
)
def test_a_tls_server_must_meet_the_requirements_of_openssl(
    authority: dict[str, Any], server: dict[str, Any], message: str
) -> None:
    """Each case was compared with pgBackRest; ``make agreement`` does so again with many more of them."""
    for shape in (authority, server):
        if isinstance(shape.get("key"), int):
            shape["key"] = rsa.generate_private_key(65537, shape["key"])
    root = issue("root", **{"ca": True, **authority})
    leaf = issue("leaf", root, names=(HOST,), **server)
    verdict = would_verify(read_bundle(root.pem), read_bundle(leaf.pem), HOST, datetime.now(UTC), Rules())
    assert (verdict.ok, verdict.message) == (not message, message)


def test_an_anchor_is_found_regardless_of_case_and_blanks() -> None:
    named, signed = issue("The  Root", ca=True, identifiers=False), issue("the root", ca=True, identifiers=False)
    leaf = issue("leaf", replace(signed, key=named.key), names=(HOST,))
    verdict, (ok, message) = verdicts([named], [leaf])
    assert (verdict.ok, ok) == (True, True), message


@pytest.mark.parametrize(
    ("names", "host", "why", "message"),
    [
        (
            (x509.IPAddress(ip_address("10.0.0.1")),),
            "10.0.0.1",
            "the server's certificate has 10.0.0.1 as an address, which this pgBackRest does not read: use a host name",
            "unable to find hostname '10.0.0.1' in certificate common name or subject alternative names",
        ),
        (
            (x509.DNSName(f"{HOST}\0.example.com"),),
            HOST,
            "a name in the server's certificate holds a NUL, which pgBackRest refuses",
            "TLS certificate name contains embedded null",
        ),
    ],
)
def test_a_name_that_pgbackrest_does_not_take_is_refused_with_why(
    names: tuple[x509.GeneralName, ...], host: str, why: str, message: str
) -> None:
    root = issue("root", ca=True)
    sent = read_bundle(issue("leaf", root, general_names=names).pem)
    verdict = would_verify(read_bundle(root.pem), sent, host, datetime.now(UTC), Rules())
    assert (verdict.ok, verdict.why, verdict.message) == (False, why, message)
