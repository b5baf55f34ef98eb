"""Whether pgBackRest would trust a chain. Pure, and the only judge of it: OpenSSL's own, by pyOpenSSL.

OpenSSL builds the chain and verifies signatures, dates, authorities and name constraints, as it does inside pgBackRest.
A TLS connection asks for two things more, which pyOpenSSL does not offer and which are checked here: the purpose
"server", and the strength of keys and hashes. pgBackRest's own rules for names are in ``names``. pyOpenSSL is loaded
when the first chain is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from pgwizard.tls.certificates import DAY_SECONDS, Bundle, Certificate
from pgwizard.tls.names import NULL_IN_NAME, Rules, names_text

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as X509Certificate
    from OpenSSL.crypto import X509, X509StoreContextError

    _Pair = tuple[X509Certificate, Certificate]

_END = "-----END CERTIFICATE-----\n"


class ChainReason(Enum):
    """Why a chain is trusted or not. Each value is its text; ``about`` names a certificate."""

    IS_SERVER = "this very certificate is what the server sends"
    IS_ISSUER = "signed the server's certificate"
    SIGNED_SENT = "signed {about}, which the server sends along"

    ALL_EXPIRED = "expired {detail} ago"
    ALL_EARLY = "begins only in {detail}"
    NO_AUTHORITY = "not a CA, and it is not what the server sends"
    LEAF_ALONE = "the server's own certificate, but {detail} signed it: that authority is needed"
    SELF_SIGNED = "did not sign this one: the server's certificate is self-signed"
    OTHER_ROOT = "did not sign this one: {about} did, not here"
    OTHER_ISSUER = "did not sign this one: {detail} did"
    SENT_ALONE = "did not sign this one: the server's certificate is signed by {detail}, and comes alone"
    ROOT_MISSING = "{about} is an intermediate: its root, {detail}, must be here as well"
    OTHER_KEY = "has the name of the authority that signed {about}, but another key"
    EXPIRED = "{about} expired {detail} ago"
    EARLY = "{about} begins only in {detail}"
    NOT_CA = "{about} signed, but is not a CA"
    TOO_LONG = "{about} allows a shorter chain only"
    NAME_CONSTRAINT = "an authority of the chain may not sign for the names of {about}"
    CRITICAL = "{about} has a critical extension that OpenSSL does not know"
    PURPOSE = "{about} is not for servers: {detail} says what it is for"
    SHORT_KEY = "the key of {about} is too short for OpenSSL: {detail}"
    WEAK_HASH = "{about} is signed by way of a hash that OpenSSL no longer accepts"
    OTHER = "OpenSSL refuses {about}: {detail}"
    HOST = "the server's certificate is for {about}, not for {detail}"
    ADDRESS = (
        "the server's certificate has {detail} as an address, which this pgBackRest does not read: use a host name"
    )
    NULL_IN_NAME = "a name in the server's certificate holds a NUL, which pgBackRest refuses"

    UNKNOWN = "uses cryptography that is not known here: only pgBackRest itself can tell"


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """Whether pgBackRest would accept the server's certificate; ``ok`` is None where that is not known.

    reason: None where nothing was judged. message: pgBackRest's own words where it refuses, with OpenSSL's code where
    that refuses, such as ``[18] self-signed certificate``. ends: when the trust ends: the first of the trusted
    certificates that the chain leads to.
    """

    ok: bool | None
    reason: ChainReason | None = None
    about: str = ""
    detail: str = ""
    message: str = ""
    ends: datetime | None = None

    @property
    def why(self) -> str:
        """The reason in words; empty only without a reason."""
        return self.reason.value.format(about=self.about, detail=self.detail) if self.reason else ""


def would_verify(bundle: Bundle, server_chain: Bundle, host: str, now: datetime, rules: Rules) -> ChainVerdict:
    """Whether pgBackRest, with these certificates as its only authorities, would trust what the server sends.

    server_chain: as sent, the server's own certificate first. Without network; pure.
    """
    own = server_chain.certificates[0]
    is_related = not _names_looked_for(server_chain).isdisjoint(_loose(item.subject) for item in bundle.certificates)
    verdict = _verify(bundle, server_chain, now) if is_related else _without_anchors(server_chain)
    if verdict.ok is False:
        return _in_plain_words(verdict, bundle, server_chain, now)
    if verdict.ok and (message := rules.refusal(own, host)):
        reason = ChainReason.NULL_IN_NAME if message == NULL_IN_NAME else ChainReason.HOST
        if rules.has_unread_address(own, host):
            reason = ChainReason.ADDRESS
        return ChainVerdict(False, reason, names_text(own), host, message)
    return verdict


# ---- anchors that OpenSSL would never look at --------------------------------------------------------------------


@lru_cache(maxsize=4)
def _names_looked_for(server_chain: Bundle) -> frozenset[str]:
    """OpenSSL looks for an anchor by the name of an issuer: one of any other name cannot change the verdict."""
    return frozenset(_loose(item.issuer) for item in server_chain.certificates)


@lru_cache(maxsize=4)
def _without_anchors(server_chain: Bundle) -> ChainVerdict:
    """The verdict without an anchor: no chain is built, no date checked. It saves the browser thousands of calls."""
    return _verify(Bundle("", ()), server_chain, server_chain.certificates[0].not_before)


def _loose(name: str) -> str:
    """Equal for two names at least wherever OpenSSL takes them for the same one: without case, blanks and escapes."""
    return "".join(name.lower().replace("\\", "").split())


# ---- OpenSSL -------------------------------------------------------------------------------------------------------


def _verify(bundle: Bundle, server_chain: Bundle, now: datetime) -> ChainVerdict:
    """The verdict, the host left aside. Of several problems, the one that OpenSSL finds first."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from OpenSSL import crypto

    unknown = (UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)

    by_hash = {item.sha256: item for item in (*server_chain.certificates, *bundle.certificates)}
    try:
        server_certificates, own = _read_sent(server_chain)
        if refusal := _short_key(own, server_chain.certificates[0], 0):
            return refusal
        store, anchors = crypto.X509Store(), list(_x509s(bundle))
        for item in anchors:
            store.add_cert(item)
        store.set_time(now.astimezone(UTC))
        try:
            chain = crypto.X509StoreContext(store, server_certificates[0], server_certificates).get_verified_chain()
        except crypto.X509StoreContextError as error:
            refusal = _refusal(error, by_hash, server_chain, now)
            if error.errors[0] in _UNBUILT:
                return refusal
            pairs = [(item.to_cryptography(), by_hash[_sha256(item)]) for item in (*server_certificates, *anchors)]
            return _tls_refusal(_likely_path(pairs), *error.errors[:2]) or refusal
        path = [(item.to_cryptography(), by_hash[_sha256(item)]) for item in chain]
        if any(item.signature_algorithm_oid.dotted_string in _SHA3_BY_CURVE for item, _ in path):
            return ChainVerdict(None, ChainReason.UNKNOWN)
        return _tls_refusal(path) or _accept([about for _, about in path], bundle)
    except (crypto.Error, ValueError, KeyError, *unknown):
        return ChainVerdict(None, ChainReason.UNKNOWN)


_SHA3_BY_CURVE = frozenset(f"2.16.840.1.101.3.4.3.{number}" for number in range(5, 13))
"""DSA and ECDSA with SHA-3: OpenSSL 3.0, as in Debian 12, finds no issuer for them. This process may have another."""


def _x509s(bundle: Bundle) -> Iterator[X509]:
    from OpenSSL.crypto import FILETYPE_PEM, load_certificate

    for block in bundle.pem.split(_END)[:-1]:
        yield load_certificate(FILETYPE_PEM, (block + _END).encode())


@lru_cache(maxsize=4)
def _read_sent(server_chain: Bundle) -> tuple[list[X509], X509Certificate]:
    """What the server sends, and its own certificate; parsed once, not for each of hundreds of candidates."""
    server_certificates = list(_x509s(server_chain))
    return server_certificates, server_certificates[0].to_cryptography()


def _likely_path(pairs: Sequence[_Pair]) -> list[_Pair]:
    """The chain that OpenSSL built and then refused, which pyOpenSSL does not tell: by names, those trusted first.

    pairs: what the server sends, its own first, then what is trusted.
    """
    path = [pairs[0]]
    while (issuer := _loose(path[-1][1].issuer)) != _loose(path[-1][1].subject):
        above = (pair for pair in reversed(pairs) if _loose(pair[1].subject) == issuer and pair not in path)
        if (signer := next(above, None)) is None:
            break
        path.append(signer)
    return path


def _sha256(item: X509) -> str:
    return item.digest("sha256").decode("ascii").lower()


def _accept(path: Sequence[Certificate], bundle: Bundle) -> ChainVerdict:
    """path: from the server's certificate up to its anchor."""
    mine = {item.sha256 for item in bundle.certificates}
    ends = min(item.not_after for item in path if item.sha256 in mine)
    if len(path) == 1:
        return ChainVerdict(True, ChainReason.IS_SERVER, ends=ends)
    signer = next(depth for depth, item in enumerate(path) if depth and item.sha256 in mine)
    if signer == 1:
        return ChainVerdict(True, ChainReason.IS_ISSUER, ends=ends)
    return ChainVerdict(True, ChainReason.SIGNED_SENT, _name(path[signer - 1]), ends=ends)


_REASONS: Mapping[int, ChainReason] = {
    2: ChainReason.ROOT_MISSING,
    7: ChainReason.OTHER_KEY,
    9: ChainReason.EARLY,
    10: ChainReason.EXPIRED,
    18: ChainReason.SELF_SIGNED,
    19: ChainReason.OTHER_ROOT,
    20: ChainReason.OTHER_ISSUER,
    24: ChainReason.NOT_CA,
    25: ChainReason.TOO_LONG,
    34: ChainReason.CRITICAL,
    47: ChainReason.NAME_CONSTRAINT,
    48: ChainReason.NAME_CONSTRAINT,
    79: ChainReason.NOT_CA,
}
"""By OpenSSL's code, which is the same in all its versions."""
_UNBUILT = frozenset({2, 18, 19, 20, 21, 22})
"""Codes without a chain: none was built."""


def _refusal(
    error: X509StoreContextError, by_hash: Mapping[str, Certificate], server_chain: Bundle, now: datetime
) -> ChainVerdict:
    code, depth, text = error.errors
    about = by_hash[_sha256(error.certificate)]
    reason, detail = _REASONS.get(code, ChainReason.OTHER), ""
    if reason in {ChainReason.EARLY, ChainReason.EXPIRED}:
        detail = _distance(about, now)
    elif reason in {ChainReason.ROOT_MISSING, ChainReason.OTHER_ISSUER}:
        detail = about.issuer
        if code == 20 and depth == 0 and len(server_chain.certificates) == 1:
            reason = ChainReason.SENT_ALONE
    elif reason is ChainReason.OTHER:
        detail = text
    return ChainVerdict(False, reason, _name(about), detail, f"[{code}] {text}")


def _in_plain_words(verdict: ChainVerdict, bundle: Bundle, server_chain: Bundle, now: datetime) -> ChainVerdict:
    """The refusal with the simplest true reason against the candidate, where there is one."""
    first, own = bundle.certificates[0], server_chain.certificates[0]
    theirs = {item.sha256 for item in server_chain.certificates}
    reason, detail = verdict.reason, verdict.detail
    if not bundle.is_valid(now):
        reason = ChainReason.ALL_EXPIRED if first.not_after <= now else ChainReason.ALL_EARLY
        detail = _distance(first, now)
    elif not any(item.is_ca or item.self_signed or item.sha256 in theirs for item in bundle.certificates):
        reason = ChainReason.NO_AUTHORITY
    elif [item.sha256 for item in bundle.certificates] == [own.sha256] and not own.self_signed:
        reason, detail = ChainReason.LEAF_ALONE, own.issuer
    return ChainVerdict(False, reason, verdict.about, detail, verdict.message)


def _name(certificate: Certificate) -> str:
    return certificate.subject or f"the certificate with serial number {certificate.serial}"


def _distance(certificate: Certificate, now: datetime) -> str:
    """How long ago it expired, or how long until it is valid."""
    is_over = certificate.not_after <= now
    seconds = (now - certificate.not_after if is_over else certificate.not_before - now).total_seconds()
    if seconds >= DAY_SECONDS:
        return f"{int(seconds // DAY_SECONDS)} d"
    return f"{int(seconds // 3600)} h" if seconds >= 3600 else f"{max(1, int(seconds // 60))} min"


# ---- what a TLS connection asks for beside ---------------------------------------------------------------------------


_BEFORE_PURPOSE = frozenset({24, 34, 37, 40, 79})
"""What OpenSSL looks for in each certificate of a chain just before its purpose."""
_PATH_LENGTH = 25
"""And just after it."""


def _tls_refusal(path: Sequence[_Pair], code: int = 0, at_depth: int = 0) -> ChainVerdict | None:
    """What refuses a chain when it is a TLS server's, and OpenSSL comes upon first.

    path: from the server's certificate up to its anchor. code, at_depth: what else OpenSSL refuses of it; 0 for
    nothing.
    """
    for depth, (certificate, about) in enumerate(path):
        if code in _BEFORE_PURPOSE and depth == at_depth:
            return None
        if refusal := _wrong_purpose(certificate, about, depth):
            return refusal
        if code == _PATH_LENGTH and depth == at_depth:
            return None
    for depth, (certificate, about) in enumerate(path):
        if depth and (refusal := _short_key(certificate, about, depth)):
            return refusal
        if depth < len(path) - 1 and _is_weakly_signed(certificate):  # the signature of an anchor is not checked
            message = "[68] CA signature digest algorithm too weak"
            return ChainVerdict(False, ChainReason.WEAK_HASH, _name(about), message=message)
    return None


def _wrong_purpose(certificate: X509Certificate, about: Certificate, depth: int) -> ChainVerdict | None:
    detail = _other_purpose(certificate, is_server=depth == 0)
    message = "[26] unsuitable certificate purpose"
    return ChainVerdict(False, ChainReason.PURPOSE, _name(about), detail, message) if detail else None


def _short_key(certificate: X509Certificate, about: Certificate, depth: int) -> ChainVerdict | None:
    message = "[67] CA certificate key too weak" if depth else "[66] EE certificate key too weak"
    is_short = _is_short(certificate)
    return ChainVerdict(False, ChainReason.SHORT_KEY, _name(about), about.key_type, message) if is_short else None


_SERVER_PURPOSES = frozenset({"1.3.6.1.5.5.7.3.1", "2.16.840.1.113730.4.1", "1.3.6.1.4.1.311.10.3.3"})
"""Server authentication, and the two old kinds of server gated cryptography. "Any purpose" is not among them."""
_NETSCAPE_TYPE = "2.16.840.1.113730.1.1"
_NETSCAPE_SERVER = 0x40


def _other_purpose(certificate: X509Certificate, *, is_server: bool) -> str:
    """The extension that forbids it; empty where none does. Source: ``check_purpose_ssl_server``, v3_purp.c."""
    from cryptography import x509

    for extension in certificate.extensions:
        value = extension.value
        if isinstance(value, x509.ExtendedKeyUsage):
            if _SERVER_PURPOSES.isdisjoint(usage.dotted_string for usage in value):
                return "its extended key usage"
        elif not is_server:
            continue
        elif isinstance(value, x509.KeyUsage):
            if not (value.digital_signature or value.key_encipherment or value.key_agreement):
                return "its key usage"
        elif extension.oid.dotted_string == _NETSCAPE_TYPE and isinstance(value, x509.UnrecognizedExtension):
            return "" if value.value[-1] & _NETSCAPE_SERVER else "its Netscape type"
    return ""


_SHORTEST_RSA = 1963
"""The shortest that counts as 112 bits: ``openssl verify -auth_level 2``."""


def _is_short(certificate: X509Certificate) -> bool:
    """By OpenSSL's security level 2, Debian's default: less than 112 bits of security, rounded to the next 8."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size < _SHORTEST_RSA
    if isinstance(key, dsa.DSAPublicKey):
        return key.key_size < 2048 or key.parameters().parameter_numbers().q.bit_length() < 224
    return isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < 224


def _is_weakly_signed(certificate: X509Certificate) -> bool:
    from cryptography.hazmat.primitives import hashes

    return isinstance(certificate.signature_hash_algorithm, hashes.SHA1 | hashes.MD5)
