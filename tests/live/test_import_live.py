"""A release goes between kubectl, Helm and pgwizard, with the same pod and valid backups all along."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.test_chart_live import SECRETS, exported, helm
from live.test_chart_live import place as chart_place
from live.test_unrecorded_live import certificate as certificate_of_the_store
from live.test_unrecorded_live import manifests
from support.helm import HELM
from support.live_releases import HOOK, Site
from support.rigtools import LIVE, LONG
from support.waiting import KUBECTL_DEADLINE

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, pytest.mark.skipif(HELM is None, reason="helm is neither in RIG_HELM nor on PATH")]
place, certificate = chart_place, certificate_of_the_store


def imported(place: Site, name: str = "live.yaml") -> str:
    """The file of answers that the running release is imported as, without a warning."""
    file = str(place.folder / name)
    release = ("postgresql", f"--namespace={place.kubectl.namespace}")
    place.pgwizard(*place.command(None, "import", *release, "--output", file, "--exit-code"))
    return file


def apply(place: Site, file: str, *arguments: str, expect: int = 0) -> str:
    return place.pgwizard(*place.command(None, "apply", file, "--yes", *arguments), expect=expect).output


def test_an_applied_release_is_imported_without_a_difference(place: Site) -> None:
    place.apply(SECRETS)
    place.pgwizard(*place.command(None, "diff", imported(place), "--exit-code"))


@LONG
def test_a_release_goes_to_helm_and_back_without_a_restart(place: Site) -> None:
    place.apply(SECRETS, "--adoptable")
    pod = place.pod_uid()
    assert place.backups() == ["full"]

    chart = exported(place, {})
    helm(place, "upgrade", "--install", "postgresql", chart, "--wait", KUBECTL_DEADLINE)
    assert (place.pod_uid(), place.backups()) == (pod, ["full"])

    answers = imported(place)
    refused = apply(place, answers, expect=6)
    assert "belongs to Helm release postgresql" in refused
    assert "--take-over" in refused

    apply(place, answers, "--take-over")
    assert (place.pod_uid(), place.backups()) == (pod, ["full"])
    assert helm(place, "list", "--short").strip() == ""
    place.pgwizard(*place.command(None, "diff", imported(place, "again.yaml"), "--exit-code"))


@LONG
def test_a_release_of_helm_is_taken_over_and_changed_without_force(place: Site) -> None:
    helm(place, "install", "postgresql", exported(place, {}), "--wait", KUBECTL_DEADLINE)
    pod = place.pod_uid()
    assert place.backups() == ["full"]

    answers = imported(place)
    apply(place, answers, "--take-over")
    assert (place.pod_uid(), place.backups()) == (pod, ["full"])
    apply(place, answers, "--set", "jobs.memoryLimit=192Mi")
    assert (place.pod_uid(), place.backups()) == (pod, ["full"])


@LONG
def test_a_release_of_kubectl_is_taken_over_and_keeps_what_no_answer_expresses(place: Site, certificate: Path) -> None:
    text = manifests(place, certificate)
    aliases = "      hostAliases: [{ip: 10.1.2.3, hostnames: [ledger]}]\n"
    file = place.folder / "manifests.yaml"
    file.write_text(
        text.replace("      terminationGracePeriodSeconds", f"{aliases}      terminationGracePeriodSeconds", 1)
    )
    assert aliases in file.read_text()
    place.kubectl.run("apply", "-f", str(file))
    place.ended(HOOK)
    pod = place.pod_uid()

    answers = str(place.folder / "live.yaml")
    release = ("postgresql", f"--namespace={place.kubectl.namespace}", "--output", answers)
    assert "hostAliases" in place.pgwizard(*place.command(None, "import", *release)).err
    refused = apply(place, answers, expect=6)
    assert "kubectl-client-side-apply" in refused
    assert "--take-over" in refused

    apply(place, answers, "--take-over")
    apply(place, answers, "--set", "jobs.memoryLimit=192Mi")
    template = place.kubectl.json("get", "statefulset", "postgresql")["spec"]["template"]
    assert template["spec"]["hostAliases"] == [{"ip": "10.1.2.3", "hostnames": ["ledger"]}]
    assert (place.pod_uid(), place.backups()) == (pod, ["full"])
