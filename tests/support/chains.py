"""Chains of certificates of any shape, made from numbers: the same ones at each run, but for their dates."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL.crypto import X509, PKey

from support.headless import pem

UNKNOWN = "1.3.6.1.4.1.55555.1"
"""An extension that nobody knows."""
NETSCAPE_TYPE = "2.16.840.1.113730.1.1"
_CRITICAL = frozenset({UNKNOWN, "2.5.29.30"})
"""These are marked critical; the second one is name constraints."""

_DSA_P, _DSA_Q, _DSA_G = (
    (
        "e0218d68f570837739661a8f8137aa9cebc1a1bad274e479bd34f89304f17e0e0a0807fe3b1a5559faafd5d780df6d7d1a06"
        "87627fe303526a6ffd80de6c5a0c91f5c9d9b780cff2a43eb550f7d35c6e0931e36459a426625f5c42bd72faacd76c72dbfd"
        "cc153a6709c882afb4c4ea14ec1640ca6b07f24171427909ccbdcdb8d88e0158007614537a1638335fe415ff2d861df76cbc"
        "6ba5e6d60b0a4f3801b50bac823d4c483f8eed241e36bcdecc9200cf9f5c4f78d854d4d743891e61326940ac6b1f739c5414"
        "646b7f846f4dfc7b5e875376d933d14bc9286a684baf2960b8151f243cde7c93ed2d17212529b99e579bd6aa4fe109e65005"
        "09d8e9476577"
    ),
    "864fa117fcd747a9823540c89dde688185a54395",
    (
        "6dc87dac5bb7c00015cf994d461a827ab36a5e2f96e133258104b02f92d00a217c77c0bc4bf82648e8fdaea836efcb8b43fb"
        "185b43942bdc52bf61710426bb9a8a748a8ef75d2d5633c587fec506345abaca958baee5d861d08f667a868f42f5e9cf71ac"
        "3575968a6b082226133a1c1f4065c5156de7c9ee1647d3278b068ee01a8a4f184d35920ae7b0756e5438fd64610c26dd6eed"
        "b2ebe7cbcaa3797c45dfed17d4c99be5d8f754e936a5bc20ed7779a05a483c93e70baca3e8ccc6144d2863d03154a832ad23"
        "4ea1d1411b3a200516dc9961c6bc3cd797a36931fe062f216c6f70bf5b03373ed942791f5be8726e73c6a9ec07443486068a"
        "e8e831221d32"
    ),
)
"""Of 2048 and 160 bits, as ``openssl genpkey -genparam -algorithm DSA`` makes them."""
SHORT_DSA = dsa.DSAParameterNumbers(*(int(number, 16) for number in (_DSA_P, _DSA_Q, _DSA_G)))

Hash = hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA3_256
Edwards = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
Key = dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey | Edwards | rsa.RSAPrivateKey


def short_dsa(secret: int) -> dsa.DSAPrivateKey:
    """A key whose p is long enough for OpenSSL, and whose q is not."""
    public = dsa.DSAPublicNumbers(pow(SHORT_DSA.g, secret, SHORT_DSA.p), SHORT_DSA)
    return dsa.DSAPrivateNumbers(secret, public).private_key()


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
    general_names: tuple[x509.GeneralName, ...] | None = None,
    extensions: tuple[x509.ExtensionType, ...] = (),
    hash_: Hash | None = None,
    weak_hash: str = "",
    is_version_1: bool = False,
) -> Issued:
    """ca None: no basic constraints at all. usage: ``client`` or ``sign`` narrows what it may do.

    kind: the string type in which the names are written. general_names: alternative names of every kind, which may be
    none; extensions: any further ones. weak_hash: such as ``sha1``, which cryptography no longer signs with.
    is_version_1: without any extension, as some old authorities are.
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
    if is_version_1:
        extensions, identifiers, ca = (), False, None
    if ca is not None:
        constraints = x509.BasicConstraints(ca=ca, path_length=path_length if ca else None)
        builder = builder.add_extension(constraints, critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    if general_names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(general_names), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=extension.oid.dotted_string in _CRITICAL)
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
    if isinstance(signer, Edwards):
        return Issued(builder.sign(signer, None), key)
    made = builder.sign(signer, hash_ or hashes.SHA256())
    if weak_hash or is_version_1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # for certificates in earnest
            again = X509.from_cryptography(made)
            again.set_version(0 if is_version_1 else 2)
            again.sign(PKey.from_cryptography_key(signer), weak_hash or "sha256")
            made = again.to_cryptography()
    return Issued(made, key)
