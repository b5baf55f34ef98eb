"""Whether pgBackRest would trust a chain: OpenSSL's rules for chains and pgBackRest's rules for names. Pure."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pgwizard.tls.certificates import DAY_SECONDS, Bundle, Certificate

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as X509Certificate


# ---- whether a server would be trusted -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """Whether pgBackRest would take the server's certificate; ``ok`` is None where that is not known. why: always.

    is_direct_issuer: whether the authority signed the server's certificate itself, with no intermediate between.
    """

    ok: bool | None
    why: str
    is_direct_issuer: bool = False


class _Untrusted(Exception):
    """The chain is not trusted; its text says why, in words for people."""


@dataclass(frozen=True)
class _Link:
    """A certificate on its way into a chain. Its ASN.1 is read only where names match."""

    about: Certificate
    pem: str

    @cached_property
    def x509(self) -> X509Certificate:
        from cryptography import x509

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
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

    @property
    def called(self) -> str:
        return self.about.subject or f"the certificate with serial number {self.about.serial}"


def would_verify(
    bundle: Bundle, server_chain: Bundle, host: str, now: datetime, *, by_address: bool = False
) -> ChainVerdict:
    """Whether pgBackRest, given these certificates as its only authorities, would trust what the server sends.

    It follows OpenSSL: from the server's own certificate over what else the server sent, an authority given here
    being preferred at each step, to a self-signed one that is given here. An intermediate alone is no anchor. Then
    purposes, key sizes, signatures and times of the whole chain, and pgBackRest's rules for the name.

    server_chain: as sent, the server's own certificate first. Without network; pure.
    """
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    given, sent = list(_links(bundle)), _sent_links(server_chain)
    try:
        chain, untrusted = _build(given, sent, now)
        _check_purposes(chain)
        _check_strength(chain)
        _check_signatures(chain, now)
    except _Untrusted as refused:
        return ChainVerdict(False, _plain_reason(bundle, server_chain, now) or str(refused))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return ChainVerdict(None, "uses cryptography that is not known here: only a real handshake can tell")
    if not sent[0].about.names(host, by_address=by_address):
        return ChainVerdict(False, f"the server's certificate is for {_names_text(sent[0].about)}, not for {host}")
    if any(x509.NameConstraints in link.extensions for link in chain[1:]):
        return ChainVerdict(None, "an authority may sign certain names only: only a real handshake can tell")
    if len(chain) == 1:
        return ChainVerdict(True, "this very certificate is what the server sends")
    if untrusted == 1:
        return ChainVerdict(True, "signed the server's certificate", is_direct_issuer=True)
    return ChainVerdict(True, f"signed {chain[untrusted - 1].called}, which the server sends along")


def _links(bundle: Bundle) -> Iterator[_Link]:
    end = "-----END CERTIFICATE-----\n"
    for about, block in zip(bundle.certificates, bundle.pem.split(end), strict=False):
        yield _Link(about, block + end)


@lru_cache(maxsize=4)
def _sent_links(server_chain: Bundle) -> list[_Link]:
    """Parsed once, not for each of hundreds of candidates."""
    return list(_links(server_chain))


def _same_name(one: str, other: str) -> bool:
    """As OpenSSL compares names: without regard to case and to the number of blanks."""
    return one == other or " ".join(one.lower().split()) == " ".join(other.lower().split())


def _issuer(of: _Link, among: Sequence[_Link], chain: Sequence[_Link], now: datetime) -> _Link | None:
    """The first that is valid now, else the one that ends last; never one that is in the chain already."""
    used = {link.about.sha256 for link in chain} if len(chain) > 1 or not of.self_signed else set()
    fitting = [link for link in among if link.about.sha256 not in used and link.may_have_signed(of)]
    valid = [link for link in fitting if link.about.is_valid(now)]
    return valid[0] if valid else max(fitting, key=lambda link: link.about.not_after, default=None)


def _build(given: Sequence[_Link], sent: Sequence[_Link], now: datetime) -> tuple[list[_Link], int]:
    """The chain from the server's certificate to its anchor, and how many of its links the server sent alone."""
    chain, rest = [sent[0]], list(sent[1:])
    while True:
        top = chain[-1]
        if top.self_signed:
            # it must be given, byte by byte: another one of the same name is an impostor
            if any(link.about.sha256 == top.about.sha256 for link in given):
                return chain, len(chain) - 1
            alone = "the server's certificate is self-signed" if len(chain) == 1 else f"{top.called} did, not here"
            raise _Untrusted(f"did not sign this one: {alone}")
        issuer = _issuer(top, given, chain, now)
        if issuer is not None:
            return _up_to_root([*chain, issuer], given, now), len(chain)
        issuer = _issuer(top, rest, chain, now)
        if issuer is None:
            raise _Untrusted(_missing(chain, rest))
        rest.remove(issuer)
        chain.append(issuer)


def _up_to_root(chain: list[_Link], given: Sequence[_Link], now: datetime) -> list[_Link]:
    """Once a given authority is in the chain, only given ones follow."""
    while not chain[-1].self_signed:
        issuer = _issuer(chain[-1], given, chain, now)
        if issuer is None:
            raise _Untrusted(
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
            raise _Untrusted(f"{link.called} has a critical extension that OpenSSL does not know")
        extended = link.extensions.get(x509.ExtendedKeyUsage)
        fit = {ExtendedKeyUsageOID.SERVER_AUTH, x509.ObjectIdentifier("2.16.840.1.113730.4.1")}
        if depth == 0:
            fit.add(x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"))
        if extended is not None and fit.isdisjoint(extended):
            raise _Untrusted(f"{link.called} is not for servers: its extended key usage says what it is for")
        usage = link.extensions.get(x509.KeyUsage)
        if depth == 0:
            if usage is not None and not (usage.digital_signature or usage.key_encipherment or usage.key_agreement):
                raise _Untrusted(f"{link.called} is not for servers: its key usage forbids TLS")
            continue
        if not _may_sign(link, anchor=depth == len(chain) - 1):
            raise _Untrusted(f"{link.called} signed, but is not a CA")
        constraints = link.extensions.get(x509.BasicConstraints)
        longest = constraints.path_length if constraints is not None else None
        if longest is not None and depth - 1 - self_issued > longest:
            raise _Untrusted(f"{link.called} allows a shorter chain only (its path length is {longest})")
        self_issued += _same_name(link.about.subject, link.about.issuer)


def _may_sign(link: _Link, *, anchor: bool) -> bool:
    """An old anchor need not say that it is a CA; an intermediate must."""
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
            raise _Untrusted(f"the key of {link.called} is too short for OpenSSL: {link.about.key_type}")
    for link in chain[:-1]:
        if isinstance(link.x509.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
            raise _Untrusted(f"{link.called} is signed by way of a hash that OpenSSL takes no more")


def _check_signatures(chain: Sequence[_Link], now: datetime) -> None:
    """From the anchor down: signature, then time."""
    from cryptography.exceptions import InvalidSignature

    for issuer, link in pairwise([None, *reversed(chain)]):
        if link is None:
            continue
        if issuer is not None:
            try:
                _check_signature(link.x509, issuer.x509)
            except InvalidSignature:
                raise _Untrusted(f"has the name of the authority that signed {link.called}, but another key") from None
        if not link.about.is_valid(now):
            raise _Untrusted(f"{link.called} {_out_of_time(link.about, now)}")


def _check_signature(signed: X509Certificate, issuer: X509Certificate) -> None:
    """Raises InvalidSignature. Names were compared before, as OpenSSL does: without regard to their string types."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

    key, how, hash_ = issuer.public_key(), signed.signature_algorithm_parameters, signed.signature_hash_algorithm
    signature, content = signed.signature, signed.tbs_certificate_bytes
    if isinstance(key, rsa.RSAPublicKey) and isinstance(how, padding.PSS | padding.PKCS1v15) and hash_ is not None:
        key.verify(signature, content, how, hash_)
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(how, ec.ECDSA):
        key.verify(signature, content, how)
    elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        key.verify(signature, content)
    else:
        signed.verify_directly_issued_by(issuer)


def _plain_reason(bundle: Bundle, server_chain: Bundle, now: datetime) -> str:
    """The simplest true reason against what is given, as a person would say it; empty where there is none."""
    own = server_chain.certificates[0]
    if not bundle.is_valid(now):
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


def _names_text(certificate: Certificate) -> str:
    names = [*certificate.host_names, *certificate.ip_addresses]
    if not names:
        return "no name at all"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
