"""The simulated server writes quantities as the real one does."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgwizard.errors import Invalid
from pgwizard.kube.api import Cluster, Object
from pgwizard.quantities import read_quantity
from pgwizard.simulator.quantity import canonical
from support.simulated import run, statefulset


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1.3Gi", "1395864371200m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        (".5Gi", "512Mi"),
        ("10Gi", "10Gi"),
        ("10Ei", "9223372036854775807"),
        ("0.000000001Ki", "1m"),
        ("1000Ki", "1000Ki"),
        ("512Ki", "512Ki"),
        ("0.5Ki", "512"),
        ("6e9", "6e9"),
        ("1E4", "10e3"),
        ("1e100", "10e99"),
        ("1e-3", "1e-3"),
        ("1e-12", "1e-3"),
        ("12e6", "12e6"),
        ("1E", "1E"),
        ("0.5", "500m"),
        ("1.0", "1"),
        ("100m", "100m"),
        ("1n", "1m"),
        ("1000k", "1M"),
        ("1500", "1500"),
        ("0Gi", "0"),
        (5, "5"),
        (1.5, "1500m"),
        ("10GB", "10GB"),
    ],
)
def test_a_quantity_comes_back_in_the_server_s_own_form(written: object, stored: str) -> None:
    assert canonical(written) == stored


@given(
    st.decimals(min_value=0, max_value=10**6, places=3),
    st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E-3"]),
)
def test_the_server_s_form_has_the_same_value_and_no_other_form(number: Decimal, suffix: str) -> None:
    stored = canonical(f"{number}{suffix}")
    assert canonical(stored) == stored
    before, after = read_quantity(f"{number}{suffix}"), read_quantity(stored)
    assert before is not None
    assert after is not None
    assert 0 <= after - before < Decimal("0.001")


def with_claim(size: str) -> Object:
    obj = statefulset()
    obj["spec"]["volumeClaimTemplates"][0]["spec"]["resources"] = {"requests": {"storage": size}}
    return obj


def test_a_claim_template_may_be_applied_again_in_another_spelling_of_the_same_size() -> None:
    async def scenario(sim: Cluster) -> None:
        await sim.apply(with_claim("1Gi"))
        for same in ("1024Mi", "1073741824", "1073741824000m", "1.0Gi"):
            await sim.apply(with_claim(same))
        with pytest.raises(Invalid, match="updates to statefulset spec"):
            await sim.apply(with_claim("1.0001Gi"))

    run(scenario)
