"""An S3 endpoint taken apart: scheme, host and port. It is parsed here alone. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Literal

from pgwizard.text import plain

_PATTERN = re.compile(r"(?:(https?)://)?(\[[^\[\]/\s]*\]|[^/:\s]+)(?::([0-9]{1,5}))?/?", re.ASCII | re.IGNORECASE)
_NUMBERS = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?", re.ASCII | re.IGNORECASE)
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class ServiceName:
    """A Service of the cluster that a host may be the name of. pod: before it, the name of one of its pods.

    is_certain: it can be nothing else; one or two labels may also be a host outside the cluster.
    """

    namespace: str
    name: str
    pod: str = ""
    is_certain: bool = True

    def __str__(self) -> str:
        return f"Service {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """host: a name or an address, without the brackets of IPv6. port: the scheme's own where none is written."""

    scheme: Literal["https", "http"]
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Of ``host``, ``host:port`` or a URL without a path; https where no scheme is written. Raises ValueError."""
        match = _PATTERN.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{plain(text, 80)} is not an endpoint: expected host:port")
        scheme: Literal["https", "http"] = "http" if (match[1] or "").lower() == "http" else "https"
        port = int(match[3] or _DEFAULT_PORTS[scheme])
        if not 0 < port < 65536:
            raise ValueError(f"{port} is not a port; expected 1 to 65535")
        host = match[2]
        if _NUMBERS.fullmatch(host) and not _is_address(host):  # libc, Go and browsers disagree about it
            raise ValueError(
                f"{plain(text, 80)}: numbers that are not an IPv4 address; expected four from 0 to 255 without leading "
                "zeros, or a name"
            )
        return cls(scheme, _ipv6_text(host[1:-1]) if host.startswith("[") else host, port)

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address."""
        return _is_address(self.host)

    @property
    def is_loopback(self) -> bool:
        """Whether a host reaches only itself by it. Linux connects 0.0.0.0 and :: to itself as well."""
        host = self.host.lower().removesuffix(".")
        if host == "localhost" or host.endswith(".localhost"):  # RFC 6761
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return address.is_loopback or address.is_unspecified

    def service(self, namespace: str) -> ServiceName | None:
        """The Service that the cluster's DNS finds for a pod of this namespace; None where the host names none."""
        if self.is_address:
            return None
        labels = self.host.lower().removesuffix(".").split(".")
        if "svc" in labels[2:4]:
            *pods, name, home = labels[: labels.index("svc", 2)]
            return ServiceName(home, name, pods[0] if pods else "")
        if len(labels) == 2:
            return ServiceName(labels[1], labels[0], is_certain=False)
        return ServiceName(namespace, labels[0], is_certain=False) if len(labels) == 1 else None

    @property
    def has_possible_host(self) -> bool:
        """Whether DNS could hold the host: labels of 1 to 63 characters, 253 in all."""
        try:
            return len(self.host.encode("idna").removesuffix(b".")) <= 253
        except UnicodeError:
            return False

    @property
    def authority(self) -> str:
        """``host:port``; without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        """The form of pgBackRest's options: the authority, with the scheme only where it is http."""
        return f"http://{self.authority}" if self.scheme == "http" else self.authority

    def url(self, bucket: str, path: str, *, in_host: bool) -> str:
        """Where a path of a bucket is; in_host: the bucket is part of the host's name, else of the path."""
        place = f"{bucket}.{self.authority}" if in_host else f"{self.authority}/{bucket}"
        return f"{self.scheme}://{place}{path}"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _ipv6_text(text: str) -> str:
    """The address in the form of pgBackRest: without dots, and without a zone, which is of one machine alone."""
    try:
        address = IPv6Address(text)
    except ValueError:
        raise ValueError(f"{plain(text, 80)} is not an IPv6 address; expected such as [fd00::1]:9000") from None
    if address.scope_id is not None:
        raise ValueError(f"{plain(text, 80)} has a zone, which pgBackRest does not take; expected an address without %")
    return str(address) if "." in text else text
