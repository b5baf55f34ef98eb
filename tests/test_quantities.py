"""Sizes and CPU shares: what Kubernetes and PostgreSQL would read, and slips named before they are misread."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pgwizard import quantities
from pgwizard.answers.questions import Cpu, Size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10Gi", 10 * 1024**3),
        ("500Mi", 500 * 1024**2),
        ("1.5Gi", 1536 * 1024**2),
        ("1k", 1000),
        ("2G", 2 * 10**9),
        ("7", 7),
        ("1.3Gi", 1395864372),
        ("0.0001Gi", 107375),
        ("1e9", 10**9),
        ("1.5e9", 1_500_000_000),
        ("6E9", 6 * 10**9),
        ("12e6", 12 * 10**6),
        ("1E", 10**18),
        ("1Ei", 1024**6),
        ("+7Mi", 7 * 1024**2),
        (".5Gi", 512 * 1024**2),
        ("5.Gi", 5 * 1024**3),
        ("010Gi", 10 * 1024**3),
        ("1395864371200m", 1395864372),
    ],
)
def test_a_size_is_read_as_kubernetes_reads_it(text: str, size: int) -> None:
    assert quantities.size_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10GB", "'10GB' is not a size: did you mean 10Gi?"),
        ("10 Gi", "'10 Gi' is not a size: did you mean 10Gi?"),
        ("-1Gi", "'-1Gi' is not a size: did you mean 1Gi?"),
        ("10gb", "'10gb' is not a size: did you mean 10Gi?"),
        ("1,5Gi", "'1,5Gi' is not a size: did you mean 1.5Gi?"),
        ("1,500Mi", "'1,500Mi' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("0GB", "'0GB' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("9999PB", "'9999PB' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("0.0001KB", "'0.0001KB' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("ten", "'ten' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("", "'' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("1e3Mi", "'1e3Mi' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("0x40", "'0x40' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("1_000", "'1_000' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("128m", "'128m' is not a size above zero: m is a thousandth, did you mean 128Mi?"),
        ("1e-3", "'1e-3' is not a size above zero"),
        ("10Ei", "'10Ei' is larger than Kubernetes can count; expected less than 8192Pi"),
        ("1e400", "'1e400' is larger than Kubernetes can count; expected less than 8192Pi"),
        ("10Gi\n", "'10Gi\\n' is not a size: did you mean 10Gi?"),
        ("٣Gi", "'٣Gi' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("0Gi", "'0Gi' is not a size above zero"),
        ("0.2", "'0.2' is not a size above zero"),
        ("8192Pi", "'8192Pi' is larger than Kubernetes can count; expected less than 8192Pi"),
    ],
)
def test_a_typo_in_a_size_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"size|larger") as caught:
        quantities.size_bytes(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("2", 2000),
        ("0.5", 500),
        ("500m", 500),
        ("1.125", 1125),
        ("2e0", 2000),
        (".5", 500),
        ("2.", 2000),
        ("0.0001", 1),
        ("1500u", 2),
    ],
)
def test_a_cpu_share_is_read_as_kubernetes_reads_it(text: str, millis: int) -> None:
    assert quantities.cpu_millis(text) == millis


@pytest.mark.parametrize(
    "text", ["", "0", "0m", "-1", "2 cores", "1,5", "500M", "2Gi", "2k", "m", "1e30", "0x2", "1_0"]
)
def test_a_typo_in_a_cpu_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a CPU share"):
        quantities.cpu_millis(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("500M", ": M is a million, did you mean 500m?"),
        ("1k", ": k is a thousand, did you mean 1?"),
        ("2Gi", ": Gi is a unit of sizes; expected cores or thousandths of one, such as 2, 0.5 or 500m"),
        ("64M", ": M is a million, did you mean 64m?"),
        ("0k", ": k is a unit of sizes; expected cores or thousandths of one, such as 2, 0.5 or 500m"),
        ("1.2.3M", "; expected cores or thousandths of one, such as 2, 0.5 or 500m"),
    ],
)
def test_a_cpu_share_with_a_unit_of_sizes_is_refused_with_what_may_be_meant(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match="is not a CPU share") as caught:
        quantities.cpu_millis(text)
    assert str(caught.value) == f"{text!r} is not a CPU share{meant}"


@given(
    number=st.from_regex(r"[0-9]{1,6}([.,][0-9]{1,4})?", fullmatch=True, alphabet="0123456789.,"),
    unit=st.sampled_from(["k", "K", "M", "m", "g", "GB", "mb", "Gi", "PiB", " GiB", "TB", "p", "E", "Ki", "cores"]),
)
@pytest.mark.parametrize(("read", "kind"), [(quantities.size_bytes, Size), (quantities.cpu_millis, Cpu)])
def test_what_is_suggested_is_an_answer(read: Callable[[str], int], kind: Any, number: str, unit: str) -> None:
    try:
        read(number + unit)
    except ValueError as error:
        if suggested := re.search(r"did you mean (.*)\?", str(error)):
            TypeAdapter(kind).validate_python(suggested[1])


@pytest.mark.parametrize(
    ("kilobytes", "text"), [(1, "1kB"), (1536, "1536kB"), (262144, "256MB"), (1048576, "1GB"), (0, "0kB")]
)
def test_kilobytes_are_written_in_the_largest_whole_unit(kilobytes: int, text: str) -> None:
    assert quantities.postgres_size(kilobytes) == text


@pytest.mark.parametrize(
    ("size", "text"), [(1536 * 1024**2, "1.5Gi"), (1024, "1Ki"), (1000, "1000 bytes"), (1024**4, "1Ti")]
)
def test_bytes_for_people_have_two_decimals_at_most(size: int, text: str) -> None:
    assert quantities.human_size(size) == text


# ---- quantities of live objects ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10Gi", "10737418240"),
        ("1395864371200m", "1395864371.2"),
        ("1.3Gi", "1395864371.2"),
        ("6e9", "6000000000"),
        ("1E3", "1000"),
        ("1e-3", "0.001"),
        ("1E+3", "1000"),
        ("12E", "12000000000000000000"),
        ("2Ei", "2305843009213693952"),
        ("5u", "0.000005"),
        ("5n", "0.000000005"),
        ("-1.5k", "-1500"),
        ("+7", "7"),
        ("007", "7"),
        (".5Gi", "536870912"),
        ("1.Gi", "1073741824"),
        ("0", "0"),
        ("10Ei", "9223372036854775807"),
        ("-10Ei", "-9223372036854775807"),
        ("0.1n", "0.000000001"),
        ("-0.1n", "-0.000000001"),
        ("0.00000000000001Ki", "0.000000001"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1e30", "1000000000000000000000000000000"),
    ],
)
def test_a_live_quantity_is_read_by_the_api_server_s_grammar(text: str, number: str) -> None:
    assert quantities.read_quantity(text) == Decimal(number)


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "1 Gi", "1Gi ", "10GB", "1K", "1ki", "1e", "1e1.5", "1e0x", "1_0", "--1", "1.2.3", "Gi0", "٣Gi"),
        *("1e999999999999", "9" * 2_000, "nan", "Infinity", "1\n", None, 7, 1.5, True, ["1Gi"], {}),
    ],
)
def test_an_invalid_quantity_is_none_and_raises_nothing(value: object) -> None:
    assert quantities.read_quantity(value) is None


_SUFFIXES = ["", *"numkMGTPE", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E3", "e-3", "E+12"]


@given(st.from_regex(r"[+-]?[0-9]{1,15}(\.[0-9]{0,6})?", fullmatch=True), st.sampled_from(_SUFFIXES))
def test_every_spelling_of_the_grammar_is_read(number: str, suffix: str) -> None:
    assert quantities.read_quantity(number + suffix) is not None


@given(st.text(max_size=20))
def test_any_text_is_a_quantity_or_none(text: str) -> None:
    quantities.read_quantity(text)


@given(
    st.decimals(min_value=1, max_value=8_000, places=2), st.sampled_from(["", "Ki", "Mi", "Gi", "Ti", "k", "M", "G"])
)
def test_a_size_of_the_answers_equals_its_live_quantity(number: Decimal, unit: str) -> None:
    text = f"{number}{unit}"
    quantity = quantities.read_quantity(text)
    assert quantity is not None
    assert quantities.size_bytes(text) == math.ceil(quantity)
    assert quantities.live_bytes(quantities.whole_size(text)) == quantities.live_bytes(text) == math.ceil(quantity)
    shown = quantities.size_text(text)
    assert quantities.size_text(f"{quantity * 1000:f}m") == quantities.size_text(quantities.whole_size(text)) == shown
    assert quantities.size_bytes(shown) == quantities.size_bytes(text)


@pytest.mark.parametrize(
    ("answer", "sent"),
    [("10Gi", "10Gi"), ("1.5Gi", "1.5Gi"), ("1.3Gi", "1395864372"), ("20.5G", "20.5G"), ("1.3", "2"), ("7", "7")],
)
def test_a_size_is_sent_as_it_is_answered_unless_it_has_a_fraction_of_a_byte(answer: str, sent: str) -> None:
    assert quantities.whole_size(answer) == sent


@pytest.mark.parametrize(
    ("live", "shown"),
    [
        ("10Gi", "10Gi"),
        ("1395864371200m", "1.3Gi"),
        ("6e9", "6G"),
        ("7838315315200m", "7.3Gi"),
        ("1073741824", "1Gi"),
        ("2048Mi", "2Gi"),
        ("1Ei", "1024Pi"),
        ("1001", "1001"),
        ("1395864372", "1.3Gi"),
        ("1395864373", "1395864373"),
        ("1500m", "2"),
        ("0", "0"),
        ("-1Gi", "-1Gi"),
        ("\x1b[2J", "\\x1b[2J"),
        (None, "None"),
    ],
)
def test_a_live_size_is_shown_as_an_answer_would_write_it(live: object, shown: str) -> None:
    assert quantities.size_text(live) == shown
