"""Fixtures for the tests on a real cluster; a test module names this one in its ``pytest_plugins``."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.rigtools import Shell, find_kubectl, own_namespace, pod_object
from support.waiting import KUBECTL_DEADLINE


@pytest.fixture(scope="session")
def kubectl_binary() -> str:
    result = find_kubectl()
    if result is None:
        pytest.skip("kubectl is neither on PATH nor in KUBEBUILDER_ASSETS")
    return result


@pytest.fixture(scope="session")
def shell(kubectl_binary: str) -> Iterator[Shell]:
    """The image of the chart, with nothing but a shell in it; one a worker."""
    with own_namespace(kubectl_binary, "pgw-shell") as kubectl:
        kubectl.run("apply", "--filename=-", data=json.dumps(pod_object("shell")).encode())
        kubectl.run("wait", "--for=condition=Ready", "pod/shell", KUBECTL_DEADLINE)
        yield Shell(kubectl, "shell")
