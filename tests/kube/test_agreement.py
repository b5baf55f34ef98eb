"""A part of the kubeconfigs of ``make agreement``, compared with the kubectl of this machine."""

from __future__ import annotations

import pytest

from support.agreement import table
from support.agreement_kubeconfigs import WITHOUT_PODS, Place, compare_with, kubectl_binary, open_lab, run_pgwizard
from support.kubeconfig_cases import cases


def test_pgwizard_goes_where_kubectl_goes_and_refuses_what_kubectl_refuses() -> None:
    binary = kubectl_binary()
    if binary is None:
        pytest.skip("kubectl is neither on PATH nor in KUBEBUILDER_ASSETS")
    row = compare_with(binary, lambda number, _: number % 5 == 0)
    assert not row.disagreements, table([row])
    assert row.tried >= 60
    if WITHOUT_PODS in row.oracle:
        pytest.skip(f"all agreed, but {row.oracle}")


def test_an_api_server_is_trusted_by_an_intermediate_alone_and_never_by_its_common_name() -> None:
    with open_lab() as (lab, folder):
        chosen = {case.name: case for case in cases(lab)}
        ends = {}
        for name in ("trust: the intermediate alone", "trust: a server with a common name alone"):
            place = Place(chosen[name], folder / name.rpartition(" ")[2])
            ends[name] = run_pgwizard(lab, place).end
    assert list(ends.values()) == ["served", "distrusted"], ends
