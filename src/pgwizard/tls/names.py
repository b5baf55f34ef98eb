"""pgBackRest's own rules for the name in a server's certificate. Pure.

Source: ``tlsClientHostVerify`` and ``tlsClientHostVerifyName`` in its src/common/io/tls/client.c.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from pgwizard.tls.certificates import Certificate

NULL_IN_NAME = "TLS certificate name contains embedded null"
NO_NAME = "common name is missing"


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs between versions; ``plan.pgbackrest.rules`` has those of one. The strictest ones by default.

    has_addresses: whether an endpoint that is an address is looked for among a certificate's addresses.
    """

    has_addresses: bool = False

    def has_unread_address(self, certificate: Certificate, host: str) -> bool:
        """Whether the certificate has this address as one, where pgBackRest does not look for it."""
        return not self.has_addresses and _has_address(certificate, host)

    def refusal(self, certificate: Certificate, host: str) -> str:
        """The words of pgBackRest for a certificate that is not for this host; empty where it is.

        The common name counts only where there is no alternative name of any kind. A name with a NUL in it ends the
        search: pgBackRest fails there, whatever name follows.
        """
        has_null = any("\0" in name for name in certificate.dns_names)
        if self.has_addresses and not has_null and _has_address(certificate, host):
            return ""
        names = names_of(certificate)
        for name in names:
            if "\0" in name:
                return NULL_IN_NAME
            if _matches(name.lower(), host.lower()):
                return ""
        if not names and not _has_alternative(certificate):
            return NO_NAME
        return f"unable to find hostname '{host}' in certificate common name or subject alternative names"


def names_of(certificate: Certificate) -> tuple[str, ...]:
    """The names to compare with a host, in order."""
    if _has_alternative(certificate) or not certificate.common_name:
        return certificate.dns_names
    return (certificate.common_name,)


def _has_alternative(certificate: Certificate) -> bool:
    return bool(certificate.dns_names or certificate.ip_addresses or certificate.other_names)


def names_text(certificate: Certificate) -> str:
    """The names and addresses for people; the first three of many."""
    names = [*names_of(certificate), *certificate.ip_addresses]
    if not names:
        return "no name at all"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _has_address(certificate: Certificate, host: str) -> bool:
    address = _address(host)
    return address is not None and address in map(_address, certificate.ip_addresses)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _matches(pattern: str, host: str) -> bool:
    """Both in lower case. A wildcard is one label of two characters at least: the name is shorter than the host."""
    if pattern == host:
        return True
    if not pattern.startswith("*.") or not 2 < len(pattern) < len(host):
        return False
    return host.endswith(pattern[1:]) and host.find(".") >= len(host) - len(pattern)
