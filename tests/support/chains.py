"""Chains of certificates of any shape, made from numbers: the same ones at each run, but for their dates."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL.crypto import X509, PKey

from support.headless import pem

UNKNOWN = "1.3.6.1.4.1.55555.1"
"""An extension that nobody knows."""
NETSCAPE_TYPE = "2.16.840.1.113730.1.1"
_CRITICAL = frozenset({UNKNOWN, "2.5.29.30"})
"""These are marked critical; the second one is name constraints."""

Hash = hashes.SHA224 | hashes.SHA256 | hashes.SHA384
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
    if isinstance(signer, ed25519.Ed25519PrivateKey):
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
