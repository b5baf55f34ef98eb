"""Where kubectl goes and as whom, pgwizard goes as well; what kubectl refuses, pgwizard refuses."""

from __future__ import annotations

import pytest

from support import agreement_kubeconfigs as agreement
from support.kubeconfig_cases import GROUPS


@pytest.mark.parametrize("group", GROUPS)
def test_kubectl_and_pgwizard_agree_on_every_kubeconfig_and_environment(group: str) -> None:
    if agreement.kubectl_binary() is None:
        pytest.skip("kubectl is neither on PATH nor in KUBEBUILDER_ASSETS")
    if group == "pods" and not agreement.can_mount():
        pytest.skip("a service account cannot be mounted here: unshare has no permission")
    tried, agreed, disagreements = agreement.compare(group)
    assert not disagreements, "\n".join(disagreements)
    assert agreed == tried > 0
