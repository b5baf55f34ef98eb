"""Reads PEM certificates and finds their defects before anything trusts them.

Whether pgBackRest would trust a server's chain is decided in ``chain``. Private keys are refused: a file or a Secret's
key that holds one is never passed on. ``cryptography`` does the parsing, and is loaded when the first certificate is
read.
"""

from __future__ import annotations

import base64
import codecs
import re
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from pgwizard.tls.trusted_form import split_trusted

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as X509Certificate
    from cryptography.x509 import Name as X509Name

LIMIT_BYTES = 512 * 1024
DAY_SECONDS = 24 * 3600
_CACHE_SIZE = 2048
"""Certificates, of some 4 KB each. Every search reads the same ones, and one bundle is in many namespaces."""
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_BEGIN_IN_BASE64 = base64.b64encode(b"-----BEGIN CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, as far as people and checks need it. Times are UTC.

    key_type: such as ``RSA 2048`` or ``EC P-256``. dns_names, ip_addresses: its subject alternative names of these
    kinds, other_names: how many there are of other kinds. common_name: the first of the subject, as pgBackRest reads
    it; empty where there is none. serial: in hexadecimal.
    """

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    is_ca: bool
    sha256: str
    key_type: str = ""
    common_name: str = ""
    dns_names: tuple[str, ...] = field(default=(), repr=False)
    ip_addresses: tuple[str, ...] = ()
    other_names: int = 0
    serial: str = ""

    @property
    def self_signed(self) -> bool:
        """Whether subject and issuer are the same name."""
        return self.subject == self.issuer

    def is_valid(self, now: datetime) -> bool:
        """Whether the certificate is valid at ``now``."""
        return self.not_before <= now < self.not_after

    def days_left(self, now: datetime) -> int:
        """Whole days until it expires; negative once it has expired."""
        return int((self.not_after - now).total_seconds() // DAY_SECONDS)


@dataclass(frozen=True, slots=True)
class Bundle:
    """One or more certificates, and their PEM text with nothing else in it."""

    pem: str
    certificates: tuple[Certificate, ...]

    def next_end(self, now: datetime) -> datetime:
        """When the first of those that are valid at ``now`` ends; where none is, when the last one ended.

        A member that ended long ago beside valid ones is harmless, see ``check_dates``.
        """
        valid = [certificate.not_after for certificate in self.certificates if certificate.is_valid(now)]
        return min(valid) if valid else max(certificate.not_after for certificate in self.certificates)

    def is_valid(self, now: datetime) -> bool:
        """Whether at least one of them is valid at ``now``."""
        return any(certificate.is_valid(now) for certificate in self.certificates)


def read_bundle(data: bytes) -> Bundle:
    """The certificates of PEM bytes, whatever their dates.

    Raises ValueError that says what the bytes are instead (a private key, DER, no certificate, a broken one). A key is
    refused even beside certificates.
    """
    if len(data) > LIMIT_BYTES:
        raise ValueError(f"larger than {LIMIT_BYTES // 1024} KiB: not a certificate")
    labels = [label.decode() for label in _BEGIN.findall(data)]
    if any("PRIVATE KEY" in label for label in labels):
        raise ValueError("holds a private key: give the certificate alone (the key must not leave the server)")
    blocks = [block for block in map(_without_trust, _blocks(data)) if block]
    if not blocks:
        raise ValueError(_instead(data, labels))
    certificates = [_parse(block, number, len(blocks)) for number, block in enumerate(blocks, start=1)]
    return Bundle("".join(pem for _, pem in certificates), tuple(certificate for certificate, _ in certificates))


def is_der(data: bytes) -> bool:
    """Whether the bytes are one certificate in DER form."""
    from cryptography import x509

    if data[:1] != b"\x30":
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            x509.load_der_x509_certificate(data)
        except (ValueError, x509.InvalidVersion):
            return False
    return True


def _blocks(data: bytes) -> list[bytes]:
    """Each certificate from its BEGIN to its END line. Raises ValueError where an END line is missing."""
    blocks = []
    begins = [match for match in _BEGIN.finditer(data) if match[1] in _LABELS]
    for match, following in zip_longest(begins, begins[1:]):
        end_line = b"-----END " + match[1] + b"-----"
        end = data.find(end_line, match.end(), following.start() if following else len(data))
        if end < 0:
            raise ValueError("holds a certificate that is cut off: the END line is missing")
        blocks.append(data[match.start() : end + len(end_line)])
    return blocks


_LABELS = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"})
_TRUSTED_MARK = b"-----BEGIN TRUSTED CERTIFICATE-----"


def _without_trust(block: bytes) -> bytes:
    """A block as a plain certificate; empty for one that OpenSSL would not trust for servers."""
    if not block.startswith(_TRUSTED_MARK):
        return block
    try:
        certificate, is_trusted = split_trusted(base64.b64decode(b"".join(block.splitlines()[1:-1])))
    except ValueError:
        return block  # reported as broken where it is parsed
    plain = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(certificate) + b"-----END CERTIFICATE-----"
    return plain if is_trusted else b""


_PKCS7_DER = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
"""The object identifier of signed data, with which it begins."""
_PKCS12_DER = b"\x02\x01\x03\x30"
_JAVA_KEY_STORES = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")


def _instead_binary(data: bytes) -> str:
    """What bytes are that are no text; empty where that is not known."""
    if data.startswith(_JAVA_KEY_STORES):
        return "is a Java key store: export the certificate with keytool -exportcert -rfc"
    if data[:1] != b"\x30":
        return ""
    if _PKCS7_DER in data[:24]:
        return "is a PKCS7 bundle in DER form: convert it with openssl pkcs7 -inform der -print_certs"
    if _PKCS12_DER in data[:12]:
        return "is a PKCS12 store: export the certificates with openssl pkcs12 -nokeys"
    return "is a certificate in DER form: convert it with openssl x509 -inform der -outform pem"


def _instead(data: bytes, labels: list[str]) -> str:
    if "PKCS7" in labels:
        return "holds a PKCS7 bundle: convert it with openssl pkcs7 -print_certs"
    if "TRUSTED CERTIFICATE" in labels:
        return "holds a TRUSTED CERTIFICATE, OpenSSL's own form, that is not trusted for servers"
    if labels:
        return f"holds a {labels[0].lower()}, not a certificate"
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "is text in UTF-16: save it as UTF-8"
    if data.startswith(_BEGIN_IN_BASE64):
        return "is a certificate encoded in base64 once more: decode it with base64 -d"
    if binary := _instead_binary(data):
        return binary
    if not data.strip():
        return "is empty"
    return "is not a certificate: expected PEM text that begins with -----BEGIN CERTIFICATE-----"


def _parse(block: bytes, number: int, total: int) -> tuple[Certificate, str]:
    """The certificate, and its PEM text rewritten without headers, carriage returns and odd line lengths."""
    which = f"certificate {number} of {total}" if total > 1 else "the certificate"
    if b"\\n" in block:
        raise ValueError(f"{which} is in one line, its line breaks written as \\n: write them as line breaks")
    try:
        return _parse_block(block)
    except ValueError as error:
        raise ValueError(f"{which} is broken: its PEM text does not hold a certificate") from error


@lru_cache(_CACHE_SIZE)
def _parse_block(block: bytes) -> tuple[Certificate, str]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    with warnings.catch_warnings():
        # odd serial numbers and names, which OpenSSL accepts: the library's words are not for our users
        warnings.simplefilter("ignore")
        try:
            certificate = x509.load_pem_x509_certificate(block)
            summary = _summary(certificate)
        except x509.InvalidVersion as error:
            raise ValueError(str(error)) from error
    return summary, certificate.public_bytes(Encoding.PEM).decode("ascii")


def _summary(certificate: X509Certificate) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    try:
        extensions = {type(extension.value): extension.value for extension in certificate.extensions}
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        extensions = {}  # OpenSSL may accept it: ``chain`` decides what it is good for
    constraints: Any = extensions.get(x509.BasicConstraints)
    sans: Any = extensions.get(x509.SubjectAlternativeName) or ()
    subject, names = certificate.subject, list(sans)
    dns = tuple(name.value for name in names if isinstance(name, x509.DNSName))
    addresses = tuple(str(name.value) for name in names if isinstance(name, x509.IPAddress))
    return Certificate(
        subject=subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        is_ca=constraints is not None and constraints.ca,
        sha256=certificate.fingerprint(hashes.SHA256()).hex(":"),
        key_type=_key_type(certificate),
        common_name=_common_name(subject),
        dns_names=dns,
        ip_addresses=addresses,
        other_names=len(names) - len(dns) - len(addresses),
        serial=f"{certificate.serial_number:x}",
    )


def _common_name(subject: X509Name) -> str:
    """The first one; empty where there is none. pgBackRest takes each byte of wide characters for one of its own."""
    from cryptography.x509.oid import NameOID

    common = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name, encoding = str(common[0].value) if common else "", subject.public_bytes()
    if name.encode() in encoding:
        return name
    narrow = name.encode("latin-1", "replace")
    return (narrow if narrow in encoding else name.encode("utf-16-be")).decode("latin-1")


def _key_type(certificate: X509Certificate) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "unknown"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        names = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
        return f"EC {names.get(key.curve.name, key.curve.name)}"
    return type(key).__name__.strip("_").removesuffix("PublicKey")


def check_dates(bundle: Bundle, now: datetime) -> None:
    """Raises ValueError where no certificate is valid at ``now``.

    One that is out of its dates beside a valid one is harmless: OpenSSL builds its chain past it, and the bundles of
    distributions have such members.
    """
    if bundle.is_valid(now):
        return
    certificate = bundle.certificates[0]
    name = certificate.subject or "the certificate"
    if certificate.not_after <= now:
        raise ValueError(f"{name} ended on {_day(certificate.not_after)}: renew it at its source")
    raise ValueError(
        f"{name} is valid only from {_day(certificate.not_before)} on, and this machine's clock shows {_day(now)}: "
        "set it if it is behind; otherwise the clock where the certificate was made is ahead"
    )


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
