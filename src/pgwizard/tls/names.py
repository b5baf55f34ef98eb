"""pgBackRest's own rules for the name in a server's certificate, version by version. Pure.

Source: ``tlsClientHostVerify`` and ``tlsClientHostVerifyName`` in its src/common/io/tls/client.c.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from pgwizard.tls.certificates import Certificate

IP_SAN_SINCE = (2, 53)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one version, such as ``2.45``."""

    version: str = "2.45"

    @property
    def has_addresses(self) -> bool:
        """Whether an endpoint that is an address is looked for among a certificate's addresses."""
        return tuple(int(part) for part in self.version.split(".")) >= IP_SAN_SINCE

    def fit(self, certificate: Certificate, host: str) -> bool:
        """Whether the certificate is for this host.

        The common name counts only where there is no alternative name of any kind. A name with a NUL in it ends the
        search: pgBackRest fails there, whatever name follows.
        """
        if self.has_addresses and not any("\0" in name for name in certificate.dns_names):
            address = _address(host)
            if address is not None and address in map(_address, certificate.ip_addresses):
                return True
        for name in names_of(certificate):
            if "\0" in name:
                return False
            if _matches(name.lower(), host.lower()):
                return True
        return False


def names_of(certificate: Certificate) -> tuple[str, ...]:
    """The names that are compared with a host, in their order."""
    if certificate.dns_names or certificate.ip_addresses or certificate.other_names or not certificate.common_name:
        return certificate.dns_names
    return (certificate.common_name,)


def names_text(certificate: Certificate) -> str:
    """The names and addresses for people; the first three of many."""
    names = [*names_of(certificate), *certificate.ip_addresses]
    if not names:
        return "no name at all"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


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
