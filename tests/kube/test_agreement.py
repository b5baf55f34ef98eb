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


@pytest.mark.parametrize(
    ("name", "end", "words"),
    [
        ("SOCKS with a login", "served", ""),
        ("SOCKS with a wrong login", "unreachable a.lab.test", "the SOCKS proxy refused the name and password"),
        ("SOCKS that refuses", "unreachable closed.test", "has no way to the server: connection refused"),
        ("by socks5 of the environment", "served", ""),
    ],
)
def test_an_api_server_is_reached_by_a_socks_proxy(name: str, end: str, words: str) -> None:
    with open_lab() as (lab, folder):
        case = next(case for case in cases(lab) if case.name == f"proxy: {name}")
        outcome = run_pgwizard(lab, Place(case, folder / "case"))
    assert outcome.end in (end, "distrusted")
    assert (outcome.request is not None) is (end == "served")
    assert words in outcome.words
    assert "wrong" not in outcome.words
