"""What a question can be answered with in a cluster."""

from __future__ import annotations

import asyncio

import pytest

from pgwizard.answers.questions import Answers, Section, question_of, sections_in
from pgwizard.errors import Forbidden
from pgwizard.kube.api import Object
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.world import HOSTILE
from pgwizard.wizard.choices import LISTS, Suggestion, choices


def suggestions(name: str, *more: Object) -> list[Suggestion]:
    async def ask() -> list[Suggestion]:
        async with SimCluster() as cluster:
            for obj in more:
                await cluster.create(obj)
            return await choices(cluster, name)

    return asyncio.run(ask())


def test_storage_classes_show_what_happens_to_a_volume() -> None:
    assert suggestions("storageClasses") == [
        Suggestion(
            "standard", "default · can expand · Delete: the volume goes with its claim · demo.local/path", best=True
        ),
        Suggestion("fixed", "cannot expand · Retain: the volume outlives it · demo.local/path"),
    ]


def test_namespaces_show_their_pod_security_level() -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    strict = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "aaa-strict", "labels": labels}}
    assert suggestions("namespaces", strict)[:2] == [
        Suggestion("aaa-strict", "Pod Security restricted"),
        Suggestion("cert-manager"),
    ]


def test_services_that_look_like_s3_come_first() -> None:
    names = [(choice.value, choice.note, choice.best) for choice in suggestions("services")]
    assert names == [("minio.minio.svc:9000", "api", True), ("minio.minio.svc:9001", "console", False)]


def test_text_from_the_cluster_cannot_control_the_terminal() -> None:
    hostile = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "hostile"},
        "provisioner": HOSTILE,
    }
    (choice,) = (one for one in suggestions("storageClasses", hostile) if one.value == "hostile")
    assert choice.note.isprintable()


def test_a_denied_list_raises_the_server_s_refusal() -> None:
    async def ask() -> None:
        async with SimCluster() as cluster:
            await choices(cluster.guest(user="nobody"), "namespaces")

    with pytest.raises(Forbidden, match="cannot list resource"):
        asyncio.run(ask())


def _named(section: type[Section]) -> set[str]:
    names = set()
    for field in section.model_fields.values():
        ask = question_of(field.metadata)
        names |= {ask.choices} if ask and ask.choices else set()
        for inner in sections_in(field.annotation):
            names |= _named(inner)
    return names


def test_every_list_that_a_question_names_exists() -> None:
    """Secrets are browsed instead."""
    assert _named(Answers) == LISTS | {"secrets", "tlsSecrets"}
