"""Servers of every shape for pgBackRest to connect to: chains, anchors and names, the same ones at each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import product
from random import Random
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID

from pgwizard.answers.questions import Answers
from support.chains import NETSCAPE_TYPE, UNKNOWN, Hash, Issued, Key, issue, short_dsa

T = TypeVar("T")

HOSTS = ("minio.minio.svc", "ab.example.com", "a.example.com", "x.ab.example.com", "backups.minio.minio.svc", "single")
"""Names that have to lead to the loopback address where pgBackRest runs."""
ADDRESSES = ("127.0.0.1",)
NAMES = (
    "minio.minio.svc",
    "MINIO.Minio.svc",
    "minio.minio.svc.",
    "*.minio.svc",
    "*.minio.minio.svc",
    "*.example.com",
    "*.ab.example.com",
    "*.com",
    "*",
    "*.",
    "a*.example.com",
    "**.example.com",
    "*.*.example.com",
    "ab.example.com",
    "a.example.com",
    "x.ab.example.com",
    "single",
    "*ingle",
    "127.0.0.1",
    "other.example.org",
)


@dataclass(frozen=True, slots=True)
class ServerCase:
    """What a server sends with its key, what is trusted, and the host that is dialled. All of it PEM text.

    what: ``chains`` or ``names``. label: how it was made, for a person who reads a disagreement.
    """

    what: str
    host: str
    trusted: bytes
    sent: tuple[bytes, ...]
    key: bytes
    label: str


def cases(count: int, seed: int = 12) -> Iterator[ServerCase]:
    """So many; every third one is about names, the others about chains."""
    random, keys = Random(seed), _Keys()
    for number in range(count):
        yield _names_case(random) if number % 3 == 2 else _chain_case(random, keys)


class _Keys:
    """RSA keys take long to make, so there is one of each length."""

    def __init__(self) -> None:
        self._rsa: dict[int, rsa.RSAPrivateKey] = {}

    def pick(self, flaws: _Flaws, *, is_ca: bool) -> Key | None:
        """None: the usual curve. DSA is for authorities alone: no server can use it in TLS."""
        kind = flaws.random.choice([0, 0, 0, 0, 256, 384, 2048, 25519])
        if flaws.next():
            kind = flaws.random.choice([224, 1024, 1536, 1984, *([160] if is_ca else [])])
        if kind == 160:
            return short_dsa(flaws.random.getrandbits(150) + 2)
        if kind == 25519:
            return ed25519.Ed25519PrivateKey.from_private_bytes(flaws.random.randbytes(32))
        curves = {224: ec.SECP224R1(), 256: ec.SECP256R1(), 384: ec.SECP384R1()}
        if kind in curves:
            return ec.derive_private_key(flaws.random.getrandbits(150) + 2, curves[kind])
        if kind and kind not in self._rsa:
            self._rsa[kind] = rsa.generate_private_key(65537, kind)
        return self._rsa.get(kind)


@dataclass(frozen=True, slots=True)
class _Flaws:
    """Whether the next thing has a flaw: in most cases few things do, in some of them many."""

    random: Random
    rate: float

    def next(self) -> bool:
        return self.random.random() < self.rate

    def pick(self, usual: T, *flawed: T) -> T:
        """One of the latter where the next thing has a flaw."""
        return self.random.choice(flawed) if self.next() else usual


_HASHES: tuple[Hash, ...] = (hashes.SHA224(), hashes.SHA256(), hashes.SHA384())
_OID = ExtendedKeyUsageOID
_PURPOSES = {
    "server": [_OID.SERVER_AUTH],
    "both": [_OID.CLIENT_AUTH, _OID.SERVER_AUTH],
    "client": [_OID.CLIENT_AUTH],
    "any": [_OID.ANY_EXTENDED_KEY_USAGE],
    "netscape": [x509.ObjectIdentifier("2.16.840.1.113730.4.1")],
    "microsoft": [x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3")],
}


def _pick_usages(flaws: _Flaws, *, is_ca: bool) -> tuple[x509.ExtensionType, ...]:
    random = flaws.random
    purpose = flaws.pick(random.choice(["", "server", "both"]), "client", "any", "netscape", "microsoft")
    items: list[x509.ExtensionType] = [x509.ExtendedKeyUsage(_PURPOSES[purpose])] if purpose else []
    usual = ["", "c", "sc", "scr"] if is_ca else ["", "s", "k", "a", "sk"]
    flags = flaws.pick(random.choice(usual), "s", "k", "a", "c", "d", "r")
    if flags:
        usage = x509.KeyUsage(
            digital_signature="s" in flags,
            content_commitment=False,
            key_encipherment="k" in flags,
            data_encipherment="d" in flags,
            key_agreement="a" in flags,
            key_cert_sign="c" in flags,
            crl_sign="r" in flags,
            encipher_only=False,
            decipher_only=False,
        )
        items.append(usage)
    if flaws.next():  # what OpenVPN's easy-rsa writes
        kind = random.choice([0x40, 0x80, 0x04, 0x44, 0x07])
        items.append(x509.UnrecognizedExtension(x509.ObjectIdentifier(NETSCAPE_TYPE), bytes([3, 2, 0, kind])))
    return tuple(items)


def _pick_constraints(flaws: _Flaws) -> tuple[x509.ExtensionType, ...]:
    if not flaws.next():
        return ()
    permitted, excluded = flaws.random.choice(
        [
            (["svc"], None),
            (["minio.svc"], None),
            (["example.com"], None),
            (None, ["minio.svc"]),
            (None, ["example.org"]),
        ]
    )
    trees = [[x509.DNSName(name) for name in names] if names else None for names in (permitted, excluded)]
    return (x509.NameConstraints(*trees),)


def _authority(flaws: _Flaws, keys: _Keys, name: str, issuer: Issued | None) -> Issued:
    random = flaws.random
    return issue(
        name,
        issuer,
        ca=flaws.pick(True, False, None),
        days=flaws.pick((-10, 10), (-10, -1), (1, 10)),
        number=random.choice([1, 1, 1, 3]),
        path_length=flaws.pick(None, 0, 1),
        identifiers=random.random() < 0.6,
        kind=random.choice([_ASN1Type.UTF8String, _ASN1Type.PrintableString]),
        key=keys.pick(flaws, is_ca=True),
        extensions=(*_pick_usages(flaws, is_ca=True), *_pick_constraints(flaws)),
        hash_=random.choice(_HASHES),
        weak_hash=flaws.pick("", "sha1"),
        is_version_1=flaws.next(),
    )


def _chain_case(random: Random, keys: _Keys) -> ServerCase:
    host, flaws = HOSTS[0], _Flaws(random, random.choice([0, 0.04, 0.04, 0.15, 0.4]))
    above = [_authority(flaws, keys, "root", None)]
    for depth in range(random.choice([0, 1, 1, 2])):
        above.append(_authority(flaws, keys, f"middle {depth}", above[-1]))
    leaf = issue(
        random.choice(["leaf", host]),
        None if random.random() < 0.15 else above[-1],
        ca=random.choice([False, False, False, True, None]),
        names=(host,),
        days=flaws.pick((-10, 10), (-10, -1), (1, 10)),
        identifiers=random.random() < 0.6,
        kind=random.choice([_ASN1Type.UTF8String, _ASN1Type.PrintableString]),
        key=keys.pick(flaws, is_ca=False),
        extensions=(*_pick_usages(flaws, is_ca=False), *_pick_critical(flaws)),
        hash_=random.choice(_HASHES),
        weak_hash=flaws.pick("", "sha1"),
    )
    sent = [leaf, *(item for item in reversed(above) if random.random() < 0.7)]
    if random.random() < 0.1:
        sent[1:] = random.sample(sent[1:], len(sent) - 1)
    trusted = [item for item in above if random.random() < 0.6]
    if random.random() < 0.6 and above[0] not in trusted:
        trusted.append(above[0])
    trusted += [leaf] if random.random() < 0.25 else []
    trusted += [issue("stranger", ca=True)] if random.random() < 0.3 or not trusted else []
    if random.random() < 0.12:  # an impostor
        trusted.append(issue("root", ca=True, number=2, identifiers=random.random() < 0.5, kind=_ASN1Type.UTF8String))
    if random.random() < 0.12:
        trusted.append(issue("old", ca=True, days=(-9, -3)))
    random.shuffle(trusted)
    return _case("chains", host, trusted, sent, leaf)


def _pick_critical(flaws: _Flaws) -> tuple[x509.ExtensionType, ...]:
    """An extension that nobody knows; ``issue`` makes it critical."""
    if not flaws.next():
        return ()
    return (x509.UnrecognizedExtension(x509.ObjectIdentifier(UNKNOWN), b"\x05\x00"),)


def _names_case(random: Random) -> ServerCase:
    host = random.choice([*HOSTS, *HOSTS, *ADDRESSES])
    makers = [_dns, _dns, _dns, _dns, _address, _other]
    kinds = [random.choice(makers)(random, host) for _ in range(random.choice([0, 0, 1, 1, 1, 2, 3]))]
    common = random.choice(["leaf", host, random.choice(NAMES)])
    root = issue("root", ca=True)
    wide = random.random() < 0.08
    leaf = issue(
        common,
        root,
        general_names=None if not kinds and random.random() < 0.7 else tuple(kinds),
        kind=_ASN1Type.BMPString if wide else None,
    )
    return _case("names", host, [root], [leaf], leaf, f"CN={common}{' (BMP)' if wide else ''} {kinds}")


@dataclass(frozen=True, slots=True)
class DialCase:
    """Answers that change where pgBackRest connects to. since: the first version that accepts them."""

    answers: Answers
    since: tuple[int, ...] = ()


def dials() -> Iterator[DialCase]:
    """Every combination of endpoint, style, host and port."""
    for endpoint, style in product(("minio.minio.svc", "minio.minio.svc:9990", "127.0.0.1:9990"), ("path", "host")):
        hosts = ("", "ab.example.com", "ab.example.com:9991", "https://ab.example.com:9991", "127.0.0.1")
        for host, port in product(hosts, ("", "9992")):
            if style == "host" and endpoint.startswith("127."):
                continue  # a bucket before an address leads nowhere
            given = {"repo1-storage-host": host, "repo1-storage-port": port}
            yield DialCase(
                Answers.model_validate(
                    {
                        "repository": {"endpoint": endpoint, "uriStyle": style},
                        "advanced": {"options": {name: value for name, value in given.items() if value}},
                    }
                )
            )
    plain = ("http://minio.minio.svc", "http://minio.minio.svc:9990")
    for endpoint, host in [*product(plain, ("", "ab.example.com")), ("minio.minio.svc:9990", "http://ab.example.com")]:
        options = {"repo1-storage-host": host} if host else {}
        sections = {"repository": {"endpoint": endpoint}, "tls": {"verify": False}, "advanced": {"options": options}}
        yield DialCase(Answers.model_validate(sections), (2, 58))


def _dns(random: Random, host: str) -> x509.GeneralName:
    name = random.choice([host, *NAMES, *NAMES[:4], host.upper(), f"{host}.", f"*.{host.partition('.')[2]}"])
    if random.random() < 0.06:
        name = random.choice([f"{host}\0", f"{host}\0.example.org"])
    return x509.DNSName(name)


def _address(random: Random, host: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(random.choice(["127.0.0.1", "127.0.0.2", "::1"])))


def _other(random: Random, host: str) -> x509.GeneralName:
    return random.choice([x509.RFC822Name(f"root@{host}"), x509.UniformResourceIdentifier(f"https://{host}")])


def _case(
    what: str, host: str, trusted: Sequence[Issued], sent: Sequence[Issued], leaf: Issued, label: str = ""
) -> ServerCase:
    made = label or f"sends {_subjects(sent)}, trusts {_subjects(trusted)}"
    return ServerCase(
        what, host, b"".join(i.pem for i in trusted), tuple(i.pem for i in sent), leaf.key_pem, f"{host}: {made}"
    )


def _subjects(items: Sequence[Issued]) -> str:
    return ", ".join(item.certificate.subject.rfc4514_string().removeprefix("CN=") for item in items) or "nothing"
