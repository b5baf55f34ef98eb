"""OpenSSL's own form of a certificate, ``TRUSTED CERTIFICATE``: more DER follows, with what it is trusted for. Pure.

Source: ``X509_CERT_AUX`` and ``obj_trust`` of OpenSSL 3.0, x_x509a.c and x509_trust.c.
"""

from __future__ import annotations

from collections.abc import Iterator

_SEQUENCE, _REJECTIONS, _OBJECT = 0x30, 0xA0, 0x06
_FOR_SERVERS = frozenset(
    {
        b"\x2b\x06\x01\x05\x05\x07\x03\x01",  # server authentication
        b"\x55\x1d\x25\x00",  # any purpose
    }
)


def split_trusted(data: bytes) -> tuple[bytes, bool]:
    """The certificate alone in DER, and whether OpenSSL trusts it for servers.

    Raises ValueError for what is cut off. A list of trusted purposes that lacks servers is a refusal.
    """
    _, _, end = _element(data, 0)
    certificate = data[:end]
    if end == len(data):
        return certificate, True
    tag, begin, end = _element(data, end)
    if tag != _SEQUENCE:
        raise ValueError("no settings of trust follow the certificate")
    lists = {
        tag: {value for kind, value in _inside(content) if kind == _OBJECT}
        for tag, content in _inside(data[begin:end])
        if tag in (_SEQUENCE, _REJECTIONS)
    }
    if not _FOR_SERVERS.isdisjoint(lists.get(_REJECTIONS, ())):
        return certificate, False
    return certificate, _SEQUENCE not in lists or not _FOR_SERVERS.isdisjoint(lists[_SEQUENCE])


def _inside(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(data):
        tag, begin, place = _element(data, place)
        yield tag, data[begin:place]


def _element(data: bytes, place: int) -> tuple[int, int, int]:
    """The tag of the element at a place, and where its content begins and ends."""
    try:
        tag, length, begin = data[place], data[place + 1], place + 2
    except IndexError:
        raise ValueError("cut off") from None
    if length & 0x80:
        size = length & 0x7F
        length, begin = int.from_bytes(data[begin : begin + size], "big"), begin + size
    if begin + length > len(data):
        raise ValueError("cut off")
    return tag, begin, begin + length
