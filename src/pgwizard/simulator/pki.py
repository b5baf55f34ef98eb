"""Owns the certificates of the example world. Keys follow from a name, so every run has the same; none is RSA."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate in binary."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        """The private key."""
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


class Authority:
    """Issues certificates relative to one moment."""

    def __init__(self, now: float) -> None:
        self._now = datetime.fromtimestamp(now, UTC)

    def issue(
        self,
        name: str,
        hosts: tuple[str, ...] = (),
        *,
        issuer: KeyPair | None = None,
        ca: bool = False,
        days: tuple[float, float] = (-30, 824),
    ) -> KeyPair:
        """A certificate for a common name; days: when it begins and ends, counted from now."""
        number = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big") % (_ORDER - 1) + 1
        key = ec.derive_private_key(number, ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(number >> 128)
            .not_valid_before(self._now + timedelta(days=days[0]))
            .not_valid_after(self._now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if hosts:
            names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256(), ecdsa_deterministic=True)
        return KeyPair(certificate, key)
