"""Odd certificates and bundles get the verdict of the real pgBackRest, but for declared differences."""

from __future__ import annotations

from collections import Counter

import pytest

from support.agreement_pgbackrest import compare_odd, installed
from support.odd_certificates import odd_cases


@pytest.mark.filterwarnings("ignore")  # of cryptography, about odd certificates
def test_odd_certificates_get_the_verdict_of_the_real_pgbackrest() -> None:
    program = installed()
    if isinstance(program, str):
        pytest.skip(f"not compared with pgbackrest: {program}")
    row = compare_odd(program)
    assert row.disagreements == ()
    assert row.tried > 130


def test_each_odd_certificate_has_a_label_of_its_own() -> None:
    assert max(Counter(case.label for case in odd_cases()).values()) == 1
