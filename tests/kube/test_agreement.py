"""A part of the kubeconfigs of ``make agreement``, compared with the kubectl of this machine."""

from __future__ import annotations

import pytest

from support.agreement import table
from support.agreement_kubeconfigs import WITHOUT_PODS, compare_with, kubectl_binary


def test_pgwizard_goes_where_kubectl_goes_and_refuses_what_kubectl_refuses() -> None:
    binary = kubectl_binary()
    if binary is None:
        pytest.skip("kubectl is neither on PATH nor in KUBEBUILDER_ASSETS")
    row = compare_with(binary, lambda number, _: number % 5 == 0)
    assert not row.disagreements, table([row])
    assert row.tried >= 60
    if WITHOUT_PODS in row.oracle:
        pytest.skip(f"all agreed, but {row.oracle}")
