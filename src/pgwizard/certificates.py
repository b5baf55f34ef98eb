"""Reads PEM certificates and says what is wrong with them before anything trusts them.

It refuses private keys: a file or a Secret's key that holds one is never passed on. ``cryptography`` does the parsing,
and is loaded when the first certificate is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as X509Certificate

LIMIT_BYTES = 512 * 1024
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, as far as people and checks need it. Times are UTC."""

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    is_ca: bool
    sha256: str

    @property
    def self_signed(self) -> bool:
        """Whether subject and issuer are the same name."""
        return self.subject == self.issuer


@dataclass(frozen=True, slots=True)
class Bundle:
    """One or more certificates, and their PEM text with nothing else in it."""

    pem: str
    certificates: tuple[Certificate, ...]

    @property
    def ends(self) -> datetime:
        """When the first of them ends."""
        return min(certificate.not_after for certificate in self.certificates)


def read_bundle(data: bytes, now: datetime, *, valid: bool = True) -> Bundle:
    """The certificates of PEM bytes.

    Raises ValueError that says what the bytes are instead (a private key, DER, no certificate, a broken one); with
    ``valid`` also that a certificate has ended or not yet begun at ``now``. A key is refused even where
    certificates stand beside it.
    """
    if len(data) > LIMIT_BYTES:
        raise ValueError(f"larger than {LIMIT_BYTES // 1024} KiB: not a certificate")
    labels = [label.decode() for label in _BEGIN.findall(data)]
    if any("PRIVATE KEY" in label for label in labels):
        raise ValueError("holds a private key: give the certificate alone (the key must not leave the server)")
    blocks = _blocks(data)
    if not blocks:
        raise ValueError(_instead(data, labels))
    parsed = [_parse(block, number, len(blocks)) for number, block in enumerate(blocks, start=1)]
    for certificate, _ in parsed if valid else ():
        _check_validity(certificate, now)
    return Bundle("".join(pem for _, pem in parsed), tuple(certificate for certificate, _ in parsed))


def _blocks(data: bytes) -> list[bytes]:
    """Each certificate from its BEGIN to its END line. Raises ValueError where an END line is missing."""
    blocks = []
    begins = [match for match in _BEGIN.finditer(data) if match[1] in (b"CERTIFICATE", b"X509 CERTIFICATE")]
    for match, following in zip_longest(begins, begins[1:]):
        end_line = b"-----END " + match[1] + b"-----"
        end = data.find(end_line, match.end(), following.start() if following else len(data))
        if end < 0:
            raise ValueError("holds a certificate that is cut off: the END line is missing")
        blocks.append(data[match.start() : end + len(end_line)])
    return blocks


def _instead(data: bytes, labels: list[str]) -> str:
    if labels:
        return f"holds a {labels[0].lower()}, not a certificate"
    if data[:1] == b"\x30":
        return "is a certificate in DER form: convert it with openssl x509 -inform der -outform pem"
    if not data.strip():
        return "is empty"
    return "is not a certificate: expected PEM text that begins with -----BEGIN CERTIFICATE-----"


def _parse(block: bytes, number: int, total: int) -> tuple[Certificate, str]:
    """The certificate, and its PEM text written anew: without headers, carriage returns and odd line lengths."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    which = f"certificate {number} of {total}" if total > 1 else "the certificate"
    try:
        certificate = x509.load_pem_x509_certificate(block)
        return _summary(certificate), certificate.public_bytes(Encoding.PEM).decode("ascii")
    except (ValueError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(f"{which} is broken: its PEM text does not hold a certificate") from error


def _summary(certificate: X509Certificate) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    try:
        is_ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_ca = False
    return Certificate(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        is_ca=is_ca,
        sha256=certificate.fingerprint(hashes.SHA256()).hex(":"),
    )


def _check_validity(certificate: Certificate, now: datetime) -> None:
    name = certificate.subject or "the certificate"
    if certificate.not_after <= now:
        raise ValueError(f"{name} ended on {_day(certificate.not_after)}: renew it at its source")
    if certificate.not_before > now:
        raise ValueError(f"{name} is valid only from {_day(certificate.not_before)} on: check the clock, or wait")


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
