"""Whether the cluster has what the answers of ``pods`` name, and a node that would take the pods.

A dry run does not show it: controllers make the pods, and only then are they refused, or wait for a node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pgwizard.answers.questions import Answers, Pods
from pgwizard.errors import Finding, Forbidden
from pgwizard.kube.api import PRIORITY_CLASS, RUNTIME_CLASS, SERVICE_ACCOUNT, Cluster, Object, Ref, find_object
from pgwizard.plan.plan import Toleration
from pgwizard.text import plain

_TAINTS_SHOWN = 3
_KEEPS_AWAY = ("NoSchedule", "NoExecute")


async def missing(cluster: Cluster, answers: Answers) -> list[Finding]:
    """The classes and the ServiceAccount that do not exist, each an error: admission refuses every pod."""
    pods, namespace = answers.pods, answers.release.namespace
    refs = {
        "pods.priorityClass": pods.priority_class and Ref(PRIORITY_CLASS, pods.priority_class),
        "pods.runtimeClass": pods.runtime_class and Ref(RUNTIME_CLASS, pods.runtime_class),
        "pods.serviceAccount": pods.service_account and Ref(SERVICE_ACCOUNT, pods.service_account, namespace),
    }
    missing_labels = []
    for question, ref in refs.items():
        if not ref:
            continue
        try:
            if await find_object(cluster, ref) is None:
                text = f"{ref} does not exist: the API server would refuse the pods"
                missing_labels.append(Finding(question, text, fix=f"Create it, or correct {question}."))
        except Forbidden:
            missing_labels.append(Finding(question, f"not checked: no permission to get {ref}", severity="warning"))
    return missing_labels


def takes(node: Object, pods: Pods) -> bool:
    """Whether a node has the labels that the pods ask for, and no taint that keeps them away."""
    return _has_labels(node, pods.node_selector) and not _keeping_away(node, pods)


def unlisted_findings(pods: Pods) -> list[Finding]:
    """That nodes may not be listed, where the pods ask for labels."""
    text = "not checked: no permission to list nodes"
    return [Finding("pods.nodeSelector", text, severity="warning")] if pods.node_selector else []


def unplaceable(nodes: Sequence[Object], pods: Pods) -> list[Finding]:
    """The warning that no node takes the pods. nodes: all there are, at least one."""
    if any(takes(node, pods) for node in nodes):
        return []
    labels = pods.node_selector
    taints = dict.fromkeys(taint for node in nodes if _has_labels(node, labels) for taint in _keeping_away(node, pods))
    if taints:
        examples = ", ".join(list(taints)[:_TAINTS_SHOWN]) + (", ..." if len(taints) > _TAINTS_SHOWN else "")
        text = f"every node that could run the pods has a taint that they do not tolerate: {examples}"
        fix = "Name the taints in pods.tolerations, or remove them from a node."
        return [Finding("pods.tolerations", text, severity="warning", fix=fix)]
    selector = ", ".join(f"{name}={value}" for name, value in labels.items())
    text = f"no node has the labels {selector}: the pods would wait for one"
    return [Finding("pods.nodeSelector", text, severity="warning", fix="Correct pods.nodeSelector, or label a node.")]


def _has_labels(node: Object, labels: Mapping[str, str]) -> bool:
    there = node["metadata"].get("labels") or {}
    return all(there.get(name) == value for name, value in labels.items())


def _keeping_away(node: Object, pods: Pods) -> list[str]:
    """The taints that no toleration matches, as ``kubectl taint`` spells them."""
    tolerations, away = list(map(Toleration.of, pods.tolerations)), []
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint.get("effect") in _KEEPS_AWAY and not any(_tolerates(item, taint) for item in tolerations):
            value = f"={taint['value']}" if taint.get("value") else ""
            away.append(plain(f"{taint.get('key', '')}{value}:{taint['effect']}", 120))
    return away


def _tolerates(toleration: Toleration, taint: Mapping[str, Any]) -> bool:
    if toleration.key != taint.get("key") or toleration.effect not in ("", taint.get("effect")):
        return False
    return toleration.operator == "Exists" or toleration.value == (taint.get("value") or "")
