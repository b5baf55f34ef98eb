"""Commands for a person to paste reach the cluster that the program reached."""

from __future__ import annotations

import shlex
from pathlib import Path

from pgwizard.kube import kubeconfig
from pgwizard.kube.api import Access
from pgwizard.kube.commands import CURRENT_CONTEXT, Commands

NAMED = Commands("prod eu", "/home/ada/it's one")


def test_a_command_has_the_context_and_the_kubeconfig_that_were_named() -> None:
    line = NAMED.kubectl("get", "pods", namespace="shop")
    assert line == """kubectl --context 'prod eu' --kubeconfig '/home/ada/it'"'"'s one' -n shop get pods"""
    assert shlex.split(line)[2] == "prod eu"
    assert NAMED.pgwizard("logs", "-f", namespace="shop").startswith("pgwizard logs -f -n shop --context 'prod eu'")


def test_a_command_for_the_current_context_has_neither() -> None:
    assert CURRENT_CONTEXT.kubectl("get", "pods") == "kubectl get pods"


def test_of_an_option_only_the_value_is_quoted() -> None:
    assert CURRENT_CONTEXT.kubectl("get", "-o", "jsonpath={.data}") == "kubectl get -o jsonpath='{.data}'"


def test_names_of_a_cluster_cannot_leave_their_word() -> None:
    assert CURRENT_CONTEXT.kubectl("get", "pod", "a; reboot\x1b[2J") == r"kubectl get pod 'a; reboot\x1b[2J'"


def test_a_permission_without_a_namespace_is_checked_in_all_namespaces() -> None:
    assert Access("list", "secrets").command(CURRENT_CONTEXT) == "kubectl auth can-i list secrets -A"
    exec_access = Access("create", "pods/exec", "", "shop", "postgresql-0")
    assert exec_access.command(Commands("prod")) == (
        "kubectl --context prod -n shop auth can-i create pods/postgresql-0 --subresource=exec"
    )


def test_a_connection_knows_how_it_was_named(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "contexts: [{name: here, context: {cluster: c}}, {name: there, context: {cluster: c}}]\n"
    )
    assert kubeconfig.load("there", str(file)).commands == Commands("there", str(file))
    assert kubeconfig.load(None, str(file)).commands == Commands(None, str(file))
