"""One search through the cluster's Secrets, without a screen."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from pgwizard.endpoint import Endpoint
from pgwizard.errors import Finding
from pgwizard.kube.api import Cluster
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault
from pgwizard.tui.secret_search import SecretSearch
from pgwizard.wizard import browse
from pgwizard.wizard.browse import Batch
from pgwizard.wizard.candidates import Candidate, Search
from support import simtime
from support.faulting import cluster as simulated

SEARCH = Search("ca", Endpoint.parse("minio.minio.svc:9000"), "default")


def searched(
    scenario: Callable[[SecretSearch, SimCluster], Awaitable[None]], prepare: Callable[[SimCluster], None] | None = None
) -> list[bool]:
    """Play the scenario with a search that has not begun; returns what it called ``changed``, call by call."""
    calls: list[bool] = []

    async def main() -> None:
        async with simulated() as cluster:
            if prepare is not None:
                prepare(cluster)
            await scenario(SecretSearch(SEARCH, lambda: datetime.now(UTC), calls.append), cluster)

    simtime.run(main())
    return calls


def test_a_search_ends_with_every_secret_and_what_the_server_sends() -> None:
    async def scenario(search: SecretSearch, cluster: SimCluster) -> None:
        await search.run(cluster, set())
        assert search.state == "done"
        assert ("minio", "minio-tls") in search.findings.by_place
        assert search.server_answer is not None
        assert not isinstance(search.server_answer, Finding)

    searched(scenario)


def test_only_the_first_rows_are_announced_as_the_first() -> None:
    async def scenario(search: SecretSearch, _: SimCluster) -> None:
        search.take(Batch())
        search.take(Batch(rows=(Candidate("a", "a", "CA"),)))
        search.take(Batch(rows=(Candidate("b", "b", "CA"),)))

    assert searched(scenario) == [False, True, False]


def test_a_secret_is_claimed_for_reading_once() -> None:
    async def scenario(search: SecretSearch, _: SimCluster) -> None:
        rows = [Candidate("a", "a", "not read"), Candidate("b", "b", "CA"), Candidate("a", "a", "not read")]
        assert [row.place for row in search.claim_unread(rows)] == ["a/a"]
        assert search.claim_unread(rows) == []

    searched(scenario)


def test_contents_replace_metadata_of_a_secret() -> None:
    async def scenario(search: SecretSearch, cluster: SimCluster) -> None:
        await search.read(cluster, Candidate("cert-manager", "trust-bundle", "not read"))
        assert [row.kind for row in search.findings.by_place["cert-manager", "trust-bundle"]] == ["CA"]

    assert searched(scenario) == [False]


def test_refused_credentials_fail_the_search_with_their_reason() -> None:
    async def scenario(search: SecretSearch, cluster: SimCluster) -> None:
        await search.run(cluster, set())
        assert search.state == "failed"
        assert search.failures != []

    searched(scenario, lambda cluster: setattr(cluster, "faults", [Fault("401", times=None, resource="secrets")]))


def test_a_defect_fails_the_search_and_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> AsyncGenerator[Batch, None]:
        yield Batch()
        raise ZeroDivisionError

    monkeypatch.setattr(browse, "browse", broken)

    async def scenario(search: SecretSearch, cluster: Cluster) -> None:
        with pytest.raises(ZeroDivisionError):
            await search.run(cluster, set())
        assert search.state == "failed"
        assert search.failures == [Finding(text="a bug in pgwizard: ZeroDivisionError")]

    assert searched(scenario)[-1] is False
