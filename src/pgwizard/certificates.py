"""Reads PEM certificates and says what is wrong with them before anything trusts them.

Owns the judgement whether pgBackRest would take a server's certificate, too: OpenSSL's way of building a chain, and
pgBackRest's way of comparing names. It refuses private keys: a file or a Secret's key that holds one is never passed
on. ``cryptography`` does the parsing, and is loaded when the first certificate is read.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Any

from pgwizard import files

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.x509 import Certificate as X509Certificate

LIMIT_BYTES = 512 * 1024
DAY_SECONDS = 24 * 3600
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, as far as people and checks need it. Times are UTC.

    key_type: such as ``RSA 2048`` or ``EC P-256``. dns_names, ip_addresses: its subject alternative names of these
    kinds, other_names: how many there are of other kinds. common_name: the first of the subject; empty where it has
    none. serial: in hexadecimal.
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

    def days_left(self, now: datetime) -> int:
        """Whole days until it ends; below zero once it has ended."""
        return int((self.not_after - now).total_seconds() // DAY_SECONDS)

    def names(self, host: str, *, by_address: bool = False) -> bool:
        """Whether it is for this host, by pgBackRest's rules.

        The common name counts only where no DNS name is there; a wildcard stands for exactly one label. An address is
        compared with addresses from pgBackRest 2.53 on: ``by_address``.
        """
        wanted = host.lower()
        if by_address and _address(wanted) is not None:
            return _address(wanted) in map(_address, self.ip_addresses)
        return any(_matches(name.lower(), wanted) for name in self.dns_names or (self.common_name,))


@dataclass(frozen=True, slots=True)
class Bundle:
    """One or more certificates, and their PEM text with nothing else in it."""

    pem: str
    certificates: tuple[Certificate, ...]

    @property
    def ends(self) -> datetime:
        """When the first of them ends."""
        return min(certificate.not_after for certificate in self.certificates)


def read_file(path: Path, now: datetime) -> Bundle:
    """The certificates of a file. Raises ValueError, which names the file."""
    data = files.read(path, LIMIT_BYTES)
    try:
        return read_bundle(data, now)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


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
    from cryptography.x509.oid import NameOID

    found = {type(extension.value): extension.value for extension in certificate.extensions}
    constraints: Any = found.get(x509.BasicConstraints)
    sans: Any = found.get(x509.SubjectAlternativeName) or ()
    subject, names = certificate.subject, list(sans)
    common = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
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
        common_name=str(common[0].value) if common else "",
        dns_names=dns,
        ip_addresses=addresses,
        other_names=len(names) - len(dns) - len(addresses),
        serial=f"{certificate.serial_number:x}",
    )


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
        known = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
        return f"EC {known.get(key.curve.name, key.curve.name)}"
    return type(key).__name__.strip("_").removesuffix("PublicKey")


def _check_validity(certificate: Certificate, now: datetime) -> None:
    name = certificate.subject or "the certificate"
    if certificate.not_after <= now:
        raise ValueError(f"{name} ended on {_day(certificate.not_after)}: renew it at its source")
    if certificate.not_before > now:
        raise ValueError(f"{name} is valid only from {_day(certificate.not_before)} on: check the clock, or wait")


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


# ---- names ---------------------------------------------------------------------------------------------------------


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _matches(pattern: str, host: str) -> bool:
    """Both in lower case."""
    if pattern == host:
        return bool(host)
    first, _, rest = host.partition(".")
    return pattern.startswith("*.") and bool(first) and bool(rest) and pattern[2:] == rest


# ---- whether a server would be trusted -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether pgBackRest would take the server's certificate; ``ok`` is None where that cannot be told. why: always."""

    ok: bool | None
    why: str


class _Refused(Exception):
    """The chain is not trusted; its text says why, in words for people."""


@dataclass(frozen=True)
class _Link:
    """A certificate on its way into a chain. Its ASN.1 is read only where names match."""

    about: Certificate
    pem: str

    @cached_property
    def x509(self) -> X509Certificate:
        from cryptography import x509

        return x509.load_pem_x509_certificate(self.pem.encode())

    @cached_property
    def extensions(self) -> dict[type, Any]:
        return {type(extension.value): extension.value for extension in self.x509.extensions}

    @cached_property
    def self_signed(self) -> bool:
        """As OpenSSL sees it while it builds a chain: no signature is looked at yet."""
        return _same_name(self.about.subject, self.about.issuer) and self.may_have_signed(self)

    def may_have_signed(self, other: _Link) -> bool:
        """Names and key identifiers agree, and its key is of the kind of the signature."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        if not _same_name(other.about.issuer, self.about.subject):
            return False
        claimed, own = other.extensions.get(x509.AuthorityKeyIdentifier), self.extensions.get(x509.SubjectKeyIdentifier)
        if claimed is not None:
            if claimed.key_identifier is not None and own is not None and claimed.key_identifier != own.digest:
                return False
            number = claimed.authority_cert_serial_number
            if number is not None and number != self.x509.serial_number:
                return False
        key, signature = self.x509.public_key(), str(other.x509.signature_algorithm_oid.dotted_string)
        if isinstance(key, rsa.RSAPublicKey):
            return signature.startswith("1.2.840.113549.1.1.")
        if isinstance(key, ec.EllipticCurvePublicKey):
            return signature.startswith("1.2.840.10045.4.")
        return True

    def is_valid(self, now: datetime) -> bool:
        return self.about.not_before <= now < self.about.not_after

    @property
    def called(self) -> str:
        return self.about.subject or f"the certificate with serial number {self.about.serial}"


def would_verify(
    bundle: Bundle, server_chain: Bundle, host: str, now: datetime, *, by_address: bool = False
) -> Verdict:
    """Whether pgBackRest, given these certificates as its only authorities, would trust what the server sends.

    It follows OpenSSL: from the server's own certificate over what else the server sent, an authority given here
    being preferred at each step, to a self-signed one that is given here. An intermediate alone is no anchor. Then
    purposes, key sizes, signatures and times of the whole chain, and pgBackRest's rules for the name.

    server_chain: as sent, the server's own certificate first. Without network; pure.
    """
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    given, sent = list(_links(bundle)), _sent(server_chain)
    try:
        chain, untrusted = _built(given, sent, now)
        _check_purposes(chain)
        _check_strength(chain)
        _check_signatures(chain, now)
    except _Refused as refused:
        return Verdict(False, _plainer(bundle, server_chain, now) or str(refused))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return Verdict(None, "uses cryptography that is not known here: only a real handshake can tell")
    if not sent[0].about.names(host, by_address=by_address):
        return Verdict(False, f"the server's certificate is for {_named(sent[0].about)}, not for {host}")
    if any(x509.NameConstraints in link.extensions for link in chain[1:]):
        return Verdict(None, "an authority may sign certain names only: only a real handshake can tell")
    if len(chain) == 1:
        return Verdict(True, "this very certificate is what the server sends")
    if untrusted == 1:
        return Verdict(True, "signed the server's certificate")
    return Verdict(True, f"signed {chain[untrusted - 1].called}, which the server sends along")


def _links(bundle: Bundle) -> Iterator[_Link]:
    end = "-----END CERTIFICATE-----\n"
    for about, block in zip(bundle.certificates, bundle.pem.split(end), strict=False):
        yield _Link(about, block + end)


@lru_cache(maxsize=4)
def _sent(server_chain: Bundle) -> list[_Link]:
    """Parsed once, not for each of hundreds of candidates."""
    return list(_links(server_chain))


def _same_name(one: str, other: str) -> bool:
    """As OpenSSL compares names: without regard to case and to the number of blanks."""
    return one == other or " ".join(one.lower().split()) == " ".join(other.lower().split())


def _issuer(of: _Link, among: Sequence[_Link], chain: Sequence[_Link], now: datetime) -> _Link | None:
    """The first that is valid now, else the one that ends last; never one that is in the chain already."""
    used = {link.about.sha256 for link in chain} if len(chain) > 1 or not of.self_signed else set()
    fitting = [link for link in among if link.about.sha256 not in used and link.may_have_signed(of)]
    valid = [link for link in fitting if link.is_valid(now)]
    return valid[0] if valid else max(fitting, key=lambda link: link.about.not_after, default=None)


def _built(given: Sequence[_Link], sent: Sequence[_Link], now: datetime) -> tuple[list[_Link], int]:
    """The chain from the server's certificate to its anchor, and how many of its links the server sent alone."""
    chain, rest = [sent[0]], list(sent[1:])
    while True:
        top = chain[-1]
        if top.self_signed:
            # it must be given, byte by byte: another one of the same name is an impostor
            if any(link.about.sha256 == top.about.sha256 for link in given):
                return chain, len(chain) - 1
            alone = "the server's certificate is self-signed" if len(chain) == 1 else f"{top.called} did, not here"
            raise _Refused(f"did not sign this one: {alone}")
        issuer = _issuer(top, given, chain, now)
        if issuer is not None:
            return _up_to_root([*chain, issuer], given, now), len(chain)
        issuer = _issuer(top, rest, chain, now)
        if issuer is None:
            raise _Refused(_missing(chain, rest))
        rest.remove(issuer)
        chain.append(issuer)


def _up_to_root(chain: list[_Link], given: Sequence[_Link], now: datetime) -> list[_Link]:
    """Once a given authority is in the chain, only given ones follow."""
    while not chain[-1].self_signed:
        issuer = _issuer(chain[-1], given, chain, now)
        if issuer is None:
            raise _Refused(
                f"{chain[-1].called} is an intermediate: its root, {chain[-1].about.issuer}, must be here as well"
            )
        chain.append(issuer)
    return chain


def _missing(chain: Sequence[_Link], rest: Sequence[_Link]) -> str:
    top = chain[-1]
    if len(chain) == 1 and not rest:
        return f"did not sign this one: the server's certificate is signed by {top.about.issuer}, and comes alone"
    return f"did not sign this one: {top.about.issuer} did"


def _check_purposes(chain: Sequence[_Link]) -> None:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    self_issued = 0
    for depth, link in enumerate(chain):
        if any(e.critical and isinstance(e.value, x509.UnrecognizedExtension) for e in link.x509.extensions):
            raise _Refused(f"{link.called} has a critical extension that OpenSSL does not know")
        extended = link.extensions.get(x509.ExtendedKeyUsage)
        fit = {ExtendedKeyUsageOID.SERVER_AUTH, x509.ObjectIdentifier("2.16.840.1.113730.4.1")}
        if depth == 0:
            fit.add(x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"))
        if extended is not None and fit.isdisjoint(extended):
            raise _Refused(f"{link.called} is not for servers: its extended key usage says what it is for")
        usage = link.extensions.get(x509.KeyUsage)
        if depth == 0:
            if usage is not None and not (usage.digital_signature or usage.key_encipherment or usage.key_agreement):
                raise _Refused(f"{link.called} is not for servers: its key usage forbids TLS")
            continue
        if not _may_sign(link, anchor=depth == len(chain) - 1):
            raise _Refused(f"{link.called} signed, but is not a CA")
        constraints = link.extensions.get(x509.BasicConstraints)
        longest = constraints.path_length if constraints is not None else None
        if longest is not None and depth - 1 - self_issued > longest:
            raise _Refused(f"{link.called} allows a shorter chain only (its path length is {longest})")
        self_issued += _same_name(link.about.subject, link.about.issuer)


def _may_sign(link: _Link, *, anchor: bool) -> bool:
    """An old anchor need not say that it is a CA; what stands between must."""
    from cryptography import x509

    usage, constraints = link.extensions.get(x509.KeyUsage), link.extensions.get(x509.BasicConstraints)
    if usage is not None and not usage.key_cert_sign:
        return False
    if constraints is not None:
        return bool(constraints.ca)
    return anchor and (usage is not None or link.x509.version is x509.Version.v1)


def _check_strength(chain: Sequence[_Link]) -> None:
    """OpenSSL's security level 2, Debian's default: 112 bits."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    for link in chain:
        key = link.x509.public_key()
        short = isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey) and key.key_size < 2048
        if short or (isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < 224):
            raise _Refused(f"the key of {link.called} is too short for OpenSSL: {link.about.key_type}")
    for link in chain[:-1]:
        if isinstance(link.x509.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
            raise _Refused(f"{link.called} is signed by way of a hash that OpenSSL takes no more")


def _check_signatures(chain: Sequence[_Link], now: datetime) -> None:
    """From the anchor down: signature, then time."""
    from cryptography.exceptions import InvalidSignature

    for issuer, link in pairwise([None, *reversed(chain)]):
        if link is None:
            continue
        if issuer is not None:
            try:
                link.x509.verify_directly_issued_by(issuer.x509)
            except InvalidSignature:
                raise _Refused(f"has the name of the authority that signed {link.called}, but another key") from None
        if not link.is_valid(now):
            raise _Refused(f"{link.called} {_out_of_time(link.about, now)}")


def _plainer(bundle: Bundle, server_chain: Bundle, now: datetime) -> str:
    """The simplest true reason against what is given, as a person would say it; empty where there is none."""
    own = server_chain.certificates[0]
    if all(certificate.not_after <= now or certificate.not_before > now for certificate in bundle.certificates):
        return _out_of_time(bundle.certificates[0], now)
    theirs = {certificate.sha256 for certificate in server_chain.certificates}
    if not any(item.is_ca or item.self_signed or item.sha256 in theirs for item in bundle.certificates):
        return "not a CA, and it is not what the server sends"
    if [item.sha256 for item in bundle.certificates] == [own.sha256] and not own.self_signed:
        return f"the server's own certificate, but {own.issuer} signed it: that authority is needed"
    return ""


def _out_of_time(certificate: Certificate, now: datetime) -> str:
    if certificate.not_after <= now:
        return f"expired {_ago((now - certificate.not_after).total_seconds())} ago"
    return f"begins only in {_ago((certificate.not_before - now).total_seconds())}"


def _ago(seconds: float) -> str:
    if seconds >= DAY_SECONDS:
        return f"{int(seconds // DAY_SECONDS)} d"
    return f"{int(seconds // 3600)} h" if seconds >= 3600 else f"{max(1, int(seconds // 60))} min"


def _named(certificate: Certificate) -> str:
    names = [*(certificate.dns_names or ((certificate.common_name,) if certificate.common_name else ()))]
    names += certificate.ip_addresses
    if not names:
        return "no name at all"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
