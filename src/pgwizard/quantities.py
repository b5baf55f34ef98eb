"""Sizes and CPU shares as Kubernetes and PostgreSQL write them, both ways.

It refuses what either would misread: a unit that looks right and is not, a sign, a blank, a zero.
"""

from __future__ import annotations

import re
from decimal import Decimal

_BINARY = {unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), start=1)}
_DECIMAL = {unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T", "P"), start=1)}
_UNITS = {"": 1, **_DECIMAL, **_BINARY}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(" + "|".join(sorted(filter(None, _UNITS), key=len, reverse=True)) + r")?")
_CPU = re.compile(r"([0-9]+)m|([0-9]+(?:\.[0-9]{1,3})?)")
_SLIP = re.compile(r"\s*([+-]?)\s*([0-9]+(?:[.,][0-9]+)?)\s*([kmgtp]?)i?b?(?:yte)?s?\s*", re.IGNORECASE)

SIZE_PATTERN = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$"
CPU_PATTERN = r"^([0-9]+m|[0-9]+(\.[0-9]{1,3})?)$"
_POSTGRES_KB = {"kB": 1, "MB": 1024, "GB": 1024**2, "TB": 1024**3}


def size_bytes(text: str) -> int:
    """The bytes of a Kubernetes quantity such as ``10Gi``.

    Raises ValueError that says what was expected, and the likely meaning where there is one.
    Source: apimachinery ``resource.Quantity``; exponents and sub-byte units are left out, nobody means them.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size{_meant(text)}")
    size = int(Decimal(match[1]) * _UNITS[match[2] or ""])
    if size <= 0:
        raise ValueError(f"{text!r} is not a size above zero")
    if size >= 2**63:
        raise ValueError(f"{text!r} is larger than Kubernetes can count; expected less than 8192Pi")
    return size


def _meant(text: str) -> str:
    """``10GB``, ``10 Gi`` and ``-1Gi`` are slips of the hand: name what was probably meant."""
    match = _SLIP.fullmatch(text)
    if match is None or not match[3]:
        return "; expected a number and a unit, such as 10Gi or 500Mi"
    return f": did you mean {match[2].replace(',', '.')}{match[3].upper()}i?"


def cpu_millis(text: str) -> int:
    """The thousandths of a core of a Kubernetes CPU quantity such as ``2``, ``0.5`` or ``500m``. Raises ValueError."""
    match = _CPU.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a CPU share; expected cores or thousandths of one, such as 2, 0.5 or 500m")
    millis = int(match[1]) if match[1] else int(Decimal(match[2]) * 1000)
    if millis <= 0:
        raise ValueError(f"{text!r} is not a CPU share above zero")
    return millis


def postgres_size(kilobytes: int) -> str:
    """Kilobytes as PostgreSQL writes them, in the largest unit that keeps the number whole: ``256MB``."""
    for unit, factor in sorted(_POSTGRES_KB.items(), key=lambda item: -item[1]):
        if kilobytes >= factor and kilobytes % factor == 0:
            return f"{kilobytes // factor}{unit}"
    return f"{kilobytes}kB"


def human_size(size: int) -> str:
    """Bytes for people, in binary units, two decimals at most: ``1.5Gi``."""
    for unit, factor in sorted(_BINARY.items(), key=lambda item: -item[1]):
        if size >= factor:
            return f"{Decimal(size) / factor:.2f}".rstrip("0").rstrip(".") + unit
    return f"{size} bytes"
