"""Certificates and bundles as people have them, odd in one way each: encodings, loops, curves, names, purposes."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from support.chains import UNKNOWN, Hash, Issued, issue
from support.pgbackrest_cases import HOSTS, ServerCase

_HOST, _ADDRESS = HOSTS[0], "127.0.0.1"

DIFFERENCES = {
    "bundle: CR alone": "pgwizard mirrors a bundle that it has rewritten",
    "bundle: indented": "pgwizard mirrors a bundle that it has rewritten",
    "bundle: no break between two": "pgwizard mirrors a bundle that it has rewritten",
}
"""Why pgwizard trusts by design what pgBackRest refuses, by label."""


def odd_cases() -> Iterator[ServerCase]:
    """All of them, each with a label of its own."""
    root = issue("root", ca=True)
    yield from _bundles(root)
    yield from _shapes(root)
    yield from _constraints()
    yield from _keys(root)
    yield from _purposes(root)
    yield from _names(root)


def _case(label: str, trusted: bytes | Sequence[Issued], sent: Sequence[Issued], host: str = _HOST) -> ServerCase:
    bundle = trusted if isinstance(trusted, bytes) else b"".join(item.pem for item in trusted)
    return ServerCase("odd", host, bundle, tuple(item.pem for item in sent), sent[0].key_pem, label)


def _leaf(
    issuer: Issued | None, name: str = "leaf", *extensions: x509.ExtensionType, hash_: Hash | None = None
) -> Issued:
    return issue(name, issuer, names=(_HOST,), extensions=extensions, hash_=hash_)


def _bundles(root: Issued) -> Iterator[ServerCase]:
    stranger, pem = issue("stranger", ca=True), root.pem
    now = datetime.now(UTC)
    revoked = x509.RevokedCertificateBuilder().serial_number(1).revocation_date(now).build()
    revocations = x509.CertificateRevocationListBuilder(root.certificate.subject, now, now + timedelta(days=3))
    crl = revocations.add_revoked_certificate(revoked).sign(root.key, hashes.SHA256()).public_bytes(Encoding.PEM)
    public = root.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    body = b"".join(pem.splitlines()[1:-1])
    texts = {
        "comments": b"# My root\nIssuer: x\n\n" + pem + b"\n# other\n" + stranger.pem,
        "CRLF": pem.replace(b"\n", b"\r\n"),
        "a mark": b"\xef\xbb\xbf" + pem,
        "a mark before a comment": b"\xef\xbb\xbf# c\n" + pem,
        "CR alone": pem.replace(b"\n", b"\r"),
        "three times the same": pem * 3,
        "indented": b"\n".join(b"    " + line for line in pem.splitlines()) + b"\n",
        "blanks after each line": pem.replace(b"\n", b"  \n"),
        "blank lines within": pem.replace(b"\n", b"\n\n"),
        "no last line break": pem.rstrip(),
        "no break between two": stranger.pem.rstrip() + pem,
        "one line of base64": b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----\n",
        "backslash n": pem.replace(b"\n", b"\\n"),
        "base64 twice": base64.b64encode(pem),
        "UTF-16": pem.decode().encode("utf-16"),
        "X509 CERTIFICATE": pem.replace(b"CERTIFICATE", b"X509 CERTIFICATE"),
        "PKCS7": pkcs7.serialize_certificates([root.certificate], Encoding.PEM),
        "PKCS7 and a plain one": pkcs7.serialize_certificates([stranger.certificate], Encoding.PEM) + pem,
        "DER": root.certificate.public_bytes(Encoding.DER),
        "a list of revocations": pem + crl,
        "a list of revocations first": crl + pem,
        "a public key beside": public + pem,
        "a broken one beside": stranger.pem.replace(b"M", b"N", 6) + pem,
        "one that is cut off": pem + stranger.pem[:200],
        "TRUSTED": _trusted(root),
        "TRUSTED, CRLF": _trusted(root).replace(b"\n", b"\r\n"),
        "TRUSTED for servers": _trusted(root, trust=[_SERVERS]),
        "TRUSTED for any": _trusted(root, trust=[_ANY]),
        "TRUSTED for clients": _trusted(root, trust=[_CLIENTS]),
        "TRUSTED, not for servers": _trusted(root, reject=[_SERVERS]),
        "TRUSTED, not for any": _trusted(root, reject=[_ANY]),
        "TRUSTED, not for clients": _trusted(root, reject=[_CLIENTS]),
        "TRUSTED for servers, not for clients": _trusted(root, trust=[_SERVERS], reject=[_CLIENTS]),
        "TRUSTED with a name": _trusted(root, name=b"bob"),
        "TRUSTED beside": stranger.pem + _trusted(root),
        "TRUSTED stranger for clients beside": _trusted(stranger, trust=[_CLIENTS]) + pem,
        "PKCS7 in DER": pkcs7.serialize_certificates([root.certificate], Encoding.DER),
        "a mark between two": stranger.pem + b"\xef\xbb\xbf" + pem,
        "DER before PEM": root.certificate.public_bytes(Encoding.DER) + b"\n" + pem,
    }
    for label, text in texts.items():
        yield _case(f"bundle: {label}", text, [_leaf(root)])


_SERVERS, _CLIENTS, _ANY = b"\x2b\x06\x01\x05\x05\x07\x03\x01", b"\x2b\x06\x01\x05\x05\x07\x03\x02", b"\x55\x1d\x25\x00"


def _trusted(item: Issued, *, trust: Sequence[bytes] = (), reject: Sequence[bytes] = (), name: bytes = b"") -> bytes:
    """As ``openssl x509 -trustout`` writes it, with purposes by their object identifiers."""
    settings = _der(0x30, *(_der(0x06, each) for each in trust)) if trust else b""
    settings += _der(0xA0, *(_der(0x06, each) for each in reject)) if reject else b""
    settings += _der(0x0C, name) if name else b""
    content = base64.encodebytes(item.certificate.public_bytes(Encoding.DER) + _der(0x30, settings))
    return b"-----BEGIN TRUSTED CERTIFICATE-----\n" + content + b"-----END TRUSTED CERTIFICATE-----\n"


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes((tag, len(content))) + content


def _shapes(root: Issued) -> Iterator[ServerCase]:
    stranger, middle = issue("stranger", ca=True), issue("middle", root, ca=True)
    old, other = issue("root", ca=True, days=(-10, -2)), issue("root", ca=True, number=2)
    leaf, below = _leaf(root), _leaf(middle)
    yield _case("shape: old root first", [old, root], [leaf])
    yield _case("shape: old root last", [root, old], [leaf])
    yield _case("shape: another root of its name first", [other, root], [leaf])
    yield _case("shape: another root of its name last", [root, other], [leaf])
    ended = issue("ended", ca=True, days=(-10, -2))
    crossed = Issued(issue("root", ended, ca=True).certificate, root.key)
    for label, trusted in (("new", [root]), ("both", [ended, root]), ("old", [ended])):
        yield _case(f"shape: cross-signed by one that ended, trusts the {label}", trusted, [below, middle, crossed])
    one, two = issue("one", ca=True), issue("two", ca=True)
    one_by_two = Issued(issue("one", two, ca=True).certificate, one.key)
    two_by_one = Issued(issue("two", one, ca=True).certificate, two.key)
    yield _case("shape: a loop that is trusted", [one_by_two, two_by_one], [_leaf(one)])
    yield _case("shape: a loop that is sent, its root trusted", [one], [_leaf(one), one_by_two, two_by_one])
    yield _case("shape: a loop that is sent, a stranger trusted", [stranger], [_leaf(one), one_by_two, two_by_one])
    yield _case("shape: sent twice", [root], [leaf, leaf, root, root])
    yield _case("shape: strangers sent", [root], [leaf, stranger, middle])
    short = issue("short", root, ca=True, path_length=0)
    deep = issue("deep", short, ca=True)
    yield _case("shape: path length kept", [root], [_leaf(short), short])
    yield _case("shape: path length exceeded", [root], [_leaf(deep), deep, short])
    first = issue("first", is_version_1=True)
    first_middle = issue("first middle", root, is_version_1=True)
    yield _case("shape: version 1 root", [first], [_leaf(first)])
    yield _case("shape: version 1 intermediate", [root], [_leaf(first_middle), first_middle])
    yield _case("shape: version 1 server", [root], [issue(_HOST, root, is_version_1=True)])
    for label, ca in (("unmarked", None), ("no authority", False)):
        signer = issue("signer", ca=ca)
        yield _case(f"shape: signed by one that is {label}", [signer], [_leaf(signer)])
    alone = _leaf(None)
    yield _case("shape: self-signed and trusted", [alone], [alone])
    yield _case("shape: self-signed and another trusted", [root], [alone])
    yield _case("shape: the server's own, its root unknown", [leaf], [leaf])
    yield _case("shape: an intermediate without its root", [middle], [below, middle])
    weird = issue("critical", root, ca=True, extensions=(x509.UnrecognizedExtension(_oid(UNKNOWN), b"\x05\x00"),))
    yield _case("shape: a critical extension that nobody knows", [root], [_leaf(weird), weird])


def _oid(text: str) -> x509.ObjectIdentifier:
    return x509.ObjectIdentifier(text)


def _constraints() -> Iterator[ServerCase]:
    german = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")])
    names: dict[str, tuple[list[x509.GeneralName] | None, list[x509.GeneralName] | None]] = {
        "its domain": ([x509.DNSName("minio.svc")], None),
        "a leading dot": ([x509.DNSName(".minio.svc")], None),
        "another domain": ([x509.DNSName("example.com")], None),
        "addresses alone": ([x509.IPAddress(ip_network("10.0.0.0/8"))], None),
        "no address": (None, [x509.IPAddress(ip_network("0.0.0.0/0"))]),
        "e-mail": ([x509.RFC822Name("example.com")], None),
        "a directory name": ([x509.DirectoryName(german)], None),
        "an empty domain": ([x509.DNSName("")], None),
    }
    for label, (permitted, excluded) in names.items():
        root = issue("narrow", ca=True, extensions=(x509.NameConstraints(permitted, excluded),))
        yield _case(f"constraint: {label}", [root], [_leaf(root)])
        both = (x509.DNSName(_HOST), x509.IPAddress(ip_address(_ADDRESS)))
        yield _case(f"constraint: {label}, with an address", [root], [issue("leaf", root, general_names=both)])


def _keys(root: Issued) -> Iterator[ServerCase]:
    for bits in (1024, 2047, 2048, 4096):
        key = rsa.generate_private_key(65537, bits)
        signer = issue("rsa", ca=True, key=key)
        yield _case(f"key: RSA {bits} root", [signer], [_leaf(signer)])
        yield _case(f"key: RSA {bits} server", [root], [issue("leaf", root, names=(_HOST,), key=key)])
    for curve in (ec.SECP192R1(), ec.SECP224R1(), ec.SECP256K1(), ec.SECP521R1(), ec.BrainpoolP256R1()):
        signer = issue("curve", ca=True, key=ec.derive_private_key(4711, curve))
        yield _case(f"key: {curve.name} root", [signer], [_leaf(signer)])
    for label, edwards in (
        ("Ed25519", ed25519.Ed25519PrivateKey.generate()),
        ("Ed448", ed448.Ed448PrivateKey.generate()),
    ):
        signer = issue("edwards", ca=True, key=edwards)
        yield _case(f"key: {label} root", [signer], [_leaf(signer)])
    for label, signer_hash, leaf_hash in (("root", hashes.SHA3_256(), None), ("server", None, hashes.SHA3_256())):
        signer = issue("sponge", ca=True, hash_=signer_hash)
        yield _case(f"key: {label} signed by ECDSA with SHA-3", [signer], [_leaf(signer, hash_=leaf_hash)])
    weak_root, weak_middle = issue("weak", ca=True, weak_hash="sha1"), issue("weak", root, ca=True, weak_hash="sha1")
    yield _case("key: SHA-1 root", [weak_root], [_leaf(weak_root)])
    yield _case("key: SHA-1 intermediate", [root], [_leaf(weak_middle), weak_middle])
    yield _case("key: SHA-1 server", [root], [issue("leaf", root, names=(_HOST,), weak_hash="sha1")])


def _purposes(root: Issued) -> Iterator[ServerCase]:
    kinds = ExtendedKeyUsageOID
    for label, purposes in {
        "client": [kinds.CLIENT_AUTH],
        "code": [kinds.CODE_SIGNING],
        "any": [kinds.ANY_EXTENDED_KEY_USAGE],
        "server and any": [kinds.SERVER_AUTH, kinds.ANY_EXTENDED_KEY_USAGE],
        "OCSP": [kinds.OCSP_SIGNING],
    }.items():
        usage = x509.ExtendedKeyUsage(purposes)
        yield _case(f"purpose: server for {label}", [root], [_leaf(root, "leaf", usage)])
        middle = issue("middle", root, ca=True, extensions=(usage,))
        yield _case(f"purpose: authority for {label}", [root], [_leaf(middle), middle])


def _names(root: Issued) -> Iterator[ServerCase]:
    spellings = [
        "*.minio.svc",
        "*.svc",
        "*",
        "",
        "m*.minio.svc",
        "*.*.svc",
        "*inio.minio.svc",
        f" {_HOST}",
        f"{_HOST} ",
    ]
    spellings += [_HOST.upper(), f"{_HOST}.", "*.minio.svc.", f"https://{_HOST}", f"{_HOST}:9000", "min_io.minio.svc"]
    for spelling in spellings:
        leaf = issue("leaf", root, general_names=(x509.DNSName(spelling),))
        yield _case(f"name: {spelling!r}", [root], [leaf])
    others: dict[str, x509.GeneralName] = {
        "e-mail": x509.RFC822Name("a@b.example"),
        "URI": x509.UniformResourceIdentifier(f"https://{_HOST}"),
        "directory": x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _HOST)])),
        "registered": x509.RegisteredID(_oid("1.2.3")),
        "other": x509.OtherName(_oid("1.2.3"), b"\x0c\x01a"),
    }
    for label, name in others.items():
        yield _case(f"name: {label} beside the common name", [root], [issue(_HOST, root, general_names=(name,))])
    for text in (_ADDRESS, "::1", "::ffff:127.0.0.1"):
        leaf = issue("leaf", root, general_names=(x509.IPAddress(ip_address(text)),))
        yield _case(f"name: address {text}", [root], [leaf], _ADDRESS)
    yield _case("name: address as DNS name", [root], [issue("leaf", root, names=(_ADDRESS,))], _ADDRESS)
    yield _case("name: address as common name", [root], [issue(_ADDRESS, root)], _ADDRESS)
    for common in (_HOST.upper(), "*.minio.svc", "b\u00fccher"):
        yield _case(f"name: common name {common}", [root], [issue(common, root)])
    yield _case("name: no alternative name in the list", [root], [issue(_HOST, root, general_names=())])
