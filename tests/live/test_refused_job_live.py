"""The status while a real cluster refuses the pod of the first Job: it never promises that the Job may fix it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.admission import policy
from support.live_releases import HOOK, Site, site
from support.rigtools import LIVE, LONG, RESTRICTED
from support.waiting import wait_until

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]

WORDS = "the platform team takes no backups on Sundays"
NOT_BACKUP = "object.metadata.labels['app.kubernetes.io/component'] != 'backup'"


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path, *RESTRICTED, create=False, prefix="pgw-refused") as scene:
        yield scene


def lines(place: Site) -> str:
    """The status in words, which is not RECOVERABLE."""
    where = f"--namespace={place.kubectl.namespace}"
    return " ".join(place.pgwizard(*place.command(None, "status", "postgresql", where), expect=11).out.split())


def test_a_first_job_that_the_cluster_refuses_is_shown_with_its_words(place: Site) -> None:
    with policy(place.kubectl, "", "pods", NOT_BACKUP, WORDS):
        assert WORDS in place.apply({}, expect=9).output
        refused = lines(place)
        assert WORDS in refused
        assert "may fix that" not in refused

        place.kubectl.run("delete", "events", "--all")
        wait_until("the missing pod is the reason", lambda: "it has had no pod for" in lines(place))
        assert "may fix that" not in lines(place)

    place.kubectl.run("create", "quota", "full", "--hard=pods=1")
    place.kubectl.run("label", "job", HOOK, "tried=again")  # its controller looks at it at once
    wait_until("the quota's refusal replaces the policy's", lambda: "exceeded quota: full" in lines(place))
    after = lines(place)
    assert WORDS not in after
    assert "may fix that" not in after
    place.kubectl.run("delete", "quota", "full")
    place.apply({})
    wait_until("the backup is in the repository", lambda: place.backups() == ["full"])
