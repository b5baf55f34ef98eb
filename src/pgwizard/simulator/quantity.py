"""How the API server writes a quantity: ``1.3Gi`` comes back as ``1395864371200m``, ``1024Mi`` as ``1Gi``.

Source: apimachinery ``Quantity.CanonicalizeBytes`` and the rounding to milli-units of ``SetDefaults_ResourceList``. It
leaves out that the server keeps a few odd spellings, such as ``+5`` and ``007``.
"""

from __future__ import annotations

from decimal import ROUND_UP, Context, Decimal

from pgwizard.quantities import read_quantity

_EXACT = Context(prec=2_000)
_MILLI = Decimal("0.001")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {-3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}


def canonical(value: object) -> object:
    """The quantity as the server stores it; what is none comes back as it is. A number counts as its text."""
    number = read_quantity(str(value))
    if number is None:
        return value
    if int(number.as_tuple().exponent) < -3:
        number = number.quantize(_MILLI, ROUND_UP, _EXACT)
    text = str(value)
    if text.endswith("i") and number == int(number) and abs(number) >= 1024:
        return _binary(int(number))
    exponential = not text.endswith("E") and text.lower().rpartition("e")[2] != text.lower()
    return _decimal(number, exponential=exponential)


def amount(value: object) -> object:
    """What quantities are compared by: ``1Gi`` and ``1073741824`` are the same size."""
    number = read_quantity(value)
    return value if number is None else number


def _binary(number: int) -> str:
    power = 0
    while number % 1024 == 0 and power < len(_BINARY) - 1:
        number, power = number // 1024, power + 1
    return f"{number}{_BINARY[power]}"


def _decimal(number: Decimal, *, exponential: bool) -> str:
    power = -3
    digits = int(number.scaleb(3, _EXACT))
    while digits % 1000 == 0 and (power < 18 or exponential) and digits:
        digits, power = digits // 1000, power + 3
    if not digits:
        return "0"
    if exponential:
        return f"{digits}e{power}" if power else str(digits)
    return f"{digits}{_DECIMAL[power]}"
