"""Fixtures for the tests on a real cluster; a test module names this one in its ``pytest_plugins``."""

from __future__ import annotations

import pytest

from support.rigtools import find_kubectl


@pytest.fixture(scope="session")
def kubectl_binary() -> str:
    result = find_kubectl()
    if result is None:
        pytest.skip("kubectl is neither on PATH nor in KUBEBUILDER_ASSETS")
    return result
