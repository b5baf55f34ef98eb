"""A release's manifests, and the LimitRanges and quotas that its pods are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgwizard.kube.api import Object
from pgwizard.plan import manifests
from support.faulting import answers_of
from support.headless import planned


def manifests_of(**sections: Any) -> list[Object]:
    """What these answers render to, with TLS."""
    return [item.object for item in manifests.render(planned(answers_of(**sections)))]


def limit_range(**item: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "limits", "namespace": "default"},
        "spec": {"limits": [{"type": "Container", **item}]},
    }


def quota(hard: Mapping[str, str], used: Mapping[str, str], **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": "default"},
        "spec": {"hard": dict(hard), **spec},
        "status": {"hard": dict(hard), "used": {**dict.fromkeys(hard, "0"), **used}},
    }
