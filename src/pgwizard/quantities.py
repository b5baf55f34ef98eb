"""Sizes and CPU shares as Kubernetes and PostgreSQL write them, both ways.

Quantities are read by the API server's own grammar, in answers as in live objects. An answer must be above zero as
well, and what looks like a slip (``10GB``, ``128m`` of memory, ``500M`` of CPU) is refused with the likely meaning.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_UP, Context, Decimal

from pgwizard.text import visible

_BINARY = {unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), start=1)}
_DECIMAL = {unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T", "P"), start=1)}
_SLIP = re.compile(r"\s*([+-]?)\s*([0-9]+(?:[.,][0-9]+)?)\s*([kmgtp]?)i?b?(?:yte)?s?\s*", re.IGNORECASE)
_THOUSANDS = re.compile(r",[0-9]{3}(?![0-9])")
"""Such as in ``1,500``: one and a half for some, and for others a thousand times that."""
_LARGEST_SUGGESTED = 1024**5
_MANY_CORES = re.compile(r"\+?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[kMGTPE])")

_POSTGRES_KB = {"kB": 1, "MB": 1024, "GB": 1024**2, "TB": 1024**3}


def size_bytes(text: str) -> int:
    """The bytes of a Kubernetes quantity such as ``10Gi`` or ``1e9``, a fraction of one rounded up, as the server does.

    Raises ValueError with what was expected, and the likely meaning where there is one.
    """
    exact = read_quantity(text)
    if exact is None or exact < 0:
        raise ValueError(f"{text!r} is not a size{_suggestion(text)}")
    if exact < 1:
        suggestion = f": m is a thousandth, did you mean {text[:-1]}Mi?" if exact and text.endswith("m") else ""
        raise ValueError(f"{text!r} is not a size above zero{suggestion}")
    if exact >= _LARGEST_BINARY:
        raise ValueError(f"{text!r} is larger than Kubernetes can count; expected less than 8192Pi")
    return _round_up(exact)


def whole_size(text: str) -> str:
    """The size as it is, or as bytes where it is not a whole number of them: the server warns of each ``1.3Gi``."""
    exact = read_quantity(text)
    return text if exact is not None and exact == int(exact) else str(size_bytes(text))


def _suggestion(text: str) -> str:
    """``10GB``, ``10 Gi`` and ``-1Gi`` are typos: suggest what was probably meant."""
    match = _SLIP.fullmatch(text)
    likely = f"{match[2].replace(',', '.')}{match[3].upper()}i" if match is not None and match[3] else ""
    if not 1 <= (read_quantity(likely) or 0) <= _LARGEST_SUGGESTED or _THOUSANDS.search(text):
        return "; expected a number and a unit, such as 10Gi or 500Mi"
    return f": did you mean {likely}?"


def cpu_millis(text: str) -> int:
    """The thousandths of a core of a Kubernetes CPU quantity such as ``2``, ``0.5`` or ``500m``, rounded up.

    Raises ValueError with what was expected.
    """
    if slip := _MANY_CORES.fullmatch(text):
        raise ValueError(f"{text!r} is not a CPU share{_likely_cores(slip[1], slip[2])}")
    cores = read_quantity(text)
    if cores is None or cores < 0:
        raise ValueError(f"{text!r} is not a CPU share; expected cores or thousandths of one, such as 2, 0.5 or 500m")
    if not cores:
        raise ValueError(f"{text!r} is not a CPU share above zero")
    if cores * 1000 >= _LARGEST_BINARY:
        raise ValueError(f"{text!r} is not a CPU share: it is larger than Kubernetes can count")
    return _round_up(cores * 1000)


def _likely_cores(number: str, unit: str) -> str:
    """M is a slip for m; k counts thousands of cores, which nobody has; anything else is a size."""
    likely = {"M": f"{number}m", "k": number}.get(unit, "")
    if not read_quantity(likely):
        return f": {unit} is a unit of sizes; expected cores or thousandths of one, such as 2, 0.5 or 500m"
    unit_text = "M is a million" if unit == "M" else "k is a thousand"
    return f": {unit_text}, did you mean {likely}?"


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


# ---- quantities of live objects ------------------------------------------------------------------------------------

_LIVE = re.compile(
    r"([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:([KMGTPE]i)|([numkMGTPE]?)|[eE]([+-]?[0-9]{1,3}))", re.ASCII
)
_LIVE_BINARY = {**_BINARY, "Ei": 1024**6}
_LIVE_POWERS = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_LONGEST = 100
"""Characters of a quantity. A longer text, or an exponent of four digits, is an attack and not a size."""
_EXACT = Context(prec=2_000)
_NANO, _LARGEST_BINARY = Decimal("1e-9"), Decimal(2**63 - 1)


def read_quantity(value: object) -> Decimal | None:
    """The value of a quantity of a live object, such as ``10Gi``, ``1395864371200m`` or ``6e9``.

    Exact, but as in the server rounded away from zero to 1e-9, and binary ones end at 2^63 - 1. None for what is no
    quantity. Source: apimachinery ``resource.ParseQuantity``, v0.34.
    """
    match = _LIVE.fullmatch(value) if isinstance(value, str) and 0 < len(value) <= _LONGEST else None
    if match is None:
        return None
    sign, whole, fraction, binary, power, exponent = match.groups(default="")
    number = Decimal(f"{whole or '0'}.{fraction or '0'}")
    if binary:
        number = min(_EXACT.multiply(number, Decimal(_LIVE_BINARY[binary])), _LARGEST_BINARY)
    else:
        number = _EXACT.scaleb(number, int(exponent) if exponent else _LIVE_POWERS[power])
    if int(number.as_tuple().exponent) < -9:
        number = number.quantize(_NANO, ROUND_UP, _EXACT)
    return number.copy_negate() if sign == "-" else number


def smaller(one: str, other: str) -> str:
    """The smaller one of two quantities; the first where they are equal."""
    first, second = read_quantity(one), read_quantity(other)
    return other if first is not None and second is not None and second < first else one


def live_bytes(value: object) -> int | None:
    """The bytes of a live quantity, a fraction of one rounded up; None for what is no quantity.

    Sizes are compared by it: older releases have ``1395864371200m`` where 1.3Gi is sent as ``1395864372`` now.
    """
    exact = read_quantity(value)
    return None if exact is None else _round_up(exact)


def _round_up(exact: Decimal) -> int:
    return math.ceil(exact)


def size_text(value: object) -> str:
    """A live size as an answer could have it, of the same bytes: ``1.3Gi`` where the server has ``1395864371200m``.

    What is no size above zero comes back as it is, as plain text.
    """
    size = live_bytes(value)
    if size is None or size <= 0:
        return visible(str(value)[:_LONGEST])
    spellings = [str(size)]
    for unit, factor in (*_BINARY.items(), *_DECIMAL.items()):
        hundredths = size * 100 // factor
        if hundredths >= 100 and size * 100 - hundredths * factor < 100:  # rounded up to a byte it is this size
            spellings.append(f"{Decimal(hundredths).scaleb(-2).normalize(_EXACT):f}{unit}")
    return min(spellings, key=len)
