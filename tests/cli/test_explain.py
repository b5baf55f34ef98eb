"""``explain``: the messages of docs/errors.md, by their words."""

from __future__ import annotations

import json

import pytest

from pgwizard.diagnose import messages
from pgwizard.kube.api import STATEFULSET, Ref
from pgwizard.simulator.cluster import SimCluster
from support.headless import run


def test_a_link_finds_its_own_message_alone() -> None:
    done = run("explain", "docs/errors.md#s3-access-denied")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "The key pair is valid, but its policy does not allow this request.\n"
        "  answer  repository.credentials\n"
        "  fix     Allow s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject on the "
        "repository's path.\n"
        "  link    docs/errors.md#s3-access-denied\n"
    )


def test_all_words_are_in_each_message_that_is_found() -> None:
    items = [json.loads(line) for line in run("explain", "CERTIFICATE", "expired", "--json").out.splitlines()]
    assert 0 < len(items) < len(messages.entries())
    for line in items:
        text = " ".join(map(str, line.values())).lower()
        assert "certificate" in text
        assert "expired" in text


def test_without_words_every_message_is_listed() -> None:
    lines = run("explain").out.splitlines()
    assert [line.split()[0] for line in lines] == [entry.key for entry in messages.entries()]


def test_words_that_are_in_no_message_are_refused() -> None:
    done = run("explain", "no", "such-thing")
    assert (done.code, done.err) == (
        2,
        "pgwizard: no message contains all of: no such-thing\nTry fewer words; without any, every message is listed.\n",
    )


def test_a_release_that_is_recoverable_has_nothing_to_explain(sim: SimCluster, answers: str, volume: None) -> None:
    assert run("apply", answers, "--demo").code == 0
    done = run("explain", "release/postgresql", "--demo")
    assert (done.code, done.out, done.err) == (0, "", "default/postgresql: recoverable\n")


def test_a_finding_of_a_release_is_explained_with_its_fix(sim: SimCluster, answers: str, volume: None) -> None:
    assert run("apply", answers, "--demo").code == 0
    scaled = Ref(STATEFULSET, "postgresql", "default")
    sim.runtime.change(scaled, lambda obj: obj["spec"].update(replicas=0))
    done = run("explain", "release/", "--demo")  # the only one in the namespace
    assert done.code == 0
    assert done.out.splitlines()[:3] == [
        "the database is down: its StatefulSet is scaled to 0",
        "  fix     kubectl -n default scale statefulset postgresql --replicas=1, or apply again.",
        "  link    docs/errors.md#status-down",
    ]
    lines = [json.loads(line) for line in run("explain", "release/postgresql", "--demo", "--json").out.splitlines()]
    assert (lines[0]["type"], lines[0]["key"]) == ("message", "status-down")


def test_a_missing_release_is_not_searched_for_as_words(sim: SimCluster) -> None:
    done = run("explain", "release/other", "--demo")
    assert (done.code, done.err.splitlines()[0]) == (5, "pgwizard: there is no release other in namespace default")


@pytest.mark.parametrize("option", [["-n", "shop"], ["--demo"], ["--context", "prod"]])
def test_a_cluster_option_needs_a_release(option: list[str]) -> None:
    done = run("explain", "certificate", *option)
    assert (done.code, done.err.splitlines()[-1]) == (2, "Name one: pgwizard explain release/NAME.")


def test_the_first_option_that_needs_a_release_is_named_in_the_order_of_the_help() -> None:
    for options in (["--demo", "-n", "shop"], ["-n", "shop", "--demo"]):
        assert run("explain", "s3", *options).err.startswith("pgwizard: --namespace needs a release\n")
