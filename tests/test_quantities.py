"""Sizes and CPU shares: what Kubernetes and PostgreSQL would read, and slips named before they are misread."""

from __future__ import annotations

import pytest

from pgwizard import quantities


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10Gi", 10 * 1024**3),
        ("500Mi", 500 * 1024**2),
        ("1.5Gi", 1536 * 1024**2),
        ("1k", 1000),
        ("2G", 2 * 10**9),
        ("7", 7),
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
        ("ten", "'ten' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("", "'' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("1e3", "'1e3' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("10Gi\n", "'10Gi\\n' is not a size: did you mean 10Gi?"),
        ("٣Gi", "'٣Gi' is not a size; expected a number and a unit, such as 10Gi or 500Mi"),
        ("0Gi", "'0Gi' is not a size above zero"),
        ("0.2", "'0.2' is not a size above zero"),
        ("8192Pi", "'8192Pi' is larger than Kubernetes can count; expected less than 8192Pi"),
    ],
)
def test_a_slip_in_a_size_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"size|larger") as caught:
        quantities.size_bytes(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(("text", "millis"), [("2", 2000), ("0.5", 500), ("500m", 500), ("1.125", 1125)])
def test_a_cpu_share_is_read_as_kubernetes_reads_it(text: str, millis: int) -> None:
    assert quantities.cpu_millis(text) == millis


@pytest.mark.parametrize("text", ["", "0", "0m", "-1", "2 cores", "0.0001", "1,5", "500M", "m", "1e3"])
def test_a_slip_in_a_cpu_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a CPU share"):
        quantities.cpu_millis(text)


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
