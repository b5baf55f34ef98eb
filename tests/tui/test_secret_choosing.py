"""Choosing a row of the list, or a Secret by its name, without a screen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from pgwizard.clock import utc_now
from pgwizard.errors import Finding
from pgwizard.kube.api import Cluster
from pgwizard.simulator.faults import Fault
from pgwizard.tls.chain import ChainReason, ChainVerdict
from pgwizard.tui.secret_choice import SecretChoice
from pgwizard.tui.secret_choosing import SecretChoosing
from pgwizard.wizard import browse
from pgwizard.wizard.candidates import Candidate, Search
from tui.test_secret_feed import SEARCH, Feeding, fed


class Picking:
    """What is chosen in a list that a feed fills, and what a person is shown. attempts: the rows that were tried."""

    def __init__(self, feeding: Feeding) -> None:
        self.feeding, self.feed, self.listing = feeding, feeding.feed, feeding.listing
        self.warnings: list[str] = []
        self.attempts: list[str] = []
        self.filters: list[str] = []
        self.choices: list[SecretChoice] = []
        self.choosing = SecretChoosing(
            feeding.feed,
            feeding.listing,
            lambda: feeding.connection,
            warn=self.warnings.append,
            on_change=self._changed,
            leave_name=self._leave_name,
            choose=self.choices.append,
            now=utc_now,
        )

    def _changed(self) -> None:
        self.attempts.append(self.choosing.attempt.place if self.choosing.attempt else "")

    async def _leave_name(self, filter_: str) -> None:
        self.filters.append(filter_)

    async def choose(self, place: str) -> None:
        """Enter on this row."""
        rows = self.listing.rows
        self.listing.cursor = next(number for number, row in enumerate(rows) if row.place == place)
        self.choosing.follow()
        assert self.listing.row is not None
        await self.choosing.choose(self.listing.row)


def picked(scenario: Callable[[Picking], Awaitable[None]], search: Search = SEARCH) -> None:
    async def main(feeding: Feeding) -> None:
        feeding.feed.open()
        feeding.feed.begin()
        await feeding.searched()
        await scenario(Picking(feeding))

    fed(main, search)


def test_a_certificate_that_verifies_is_chosen_after_it_was_tried() -> None:
    async def scenario(one: Picking) -> None:
        await one.choose("minio/minio-tls")
        assert one.attempts == ["minio/minio-tls", ""]
        assert one.choices == [SecretChoice("minio", "minio-tls", ("tls.crt",))]

    picked(scenario)


def test_a_certificate_that_would_not_verify_is_chosen_by_a_second_enter() -> None:
    async def scenario(one: Picking) -> None:
        await one.choose("cert-manager/root-ca")
        (warning,) = one.warnings
        assert warning.startswith("It would not verify minio.minio.svc:9000: ")
        assert warning.endswith(". Enter again selects it anyway.")
        await one.choose("cert-manager/root-ca")
        assert one.choices == [SecretChoice("cert-manager", "root-ca", ("tls.crt",))]

    picked(scenario)


def test_a_refusal_is_forgotten_once_the_cursor_moves() -> None:
    async def scenario(one: Picking) -> None:
        await one.choose("cert-manager/root-ca")
        one.listing.cursor = 0
        one.choosing.follow()
        await one.choose("cert-manager/root-ca")
        assert len(one.warnings) == 2
        assert one.choices == []

    picked(scenario)


def test_a_certificate_that_only_the_handshake_refuses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> ChainVerdict:
        return ChainVerdict(False, ChainReason.OTHER_ISSUER, detail="CN=another")

    monkeypatch.setattr(browse, "confirm", refuse)

    async def scenario(one: Picking) -> None:
        await one.choose("minio/minio-tls")
        (warning,) = one.warnings
        assert "did not sign this one: CN=another did" in warning

    picked(scenario)


def test_a_certificate_that_cannot_be_tried_is_chosen_by_a_second_enter() -> None:
    async def scenario(one: Picking) -> None:
        one.feeding.sim.rules.deny("create", "pods/portforward")
        await one.choose("minio/minio-tls")
        (warning,) = one.warnings
        assert warning.startswith("It was not tried on minio.minio.svc:9000: ")
        assert warning.endswith(". Enter again selects it anyway.")
        assert one.choices == []
        await one.choose("minio/minio-tls")
        assert one.choices == [SecretChoice("minio", "minio-tls", ("tls.crt",))]

    picked(scenario)


def test_moving_the_cursor_during_the_handshake_chooses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, confirm = asyncio.Event(), browse.confirm

    async def slow(cluster: Cluster, row: Candidate, search: Search, now: datetime) -> ChainVerdict | Finding:
        await gate.wait()
        return await confirm(cluster, row, search, now)

    monkeypatch.setattr(browse, "confirm", slow)

    async def scenario(one: Picking) -> None:
        best = one.listing.row
        assert best is not None
        task = asyncio.create_task(one.choose(best.place))
        await asyncio.sleep(0)
        assert one.choosing.is_trying(best)
        one.listing.cursor += 1
        gate.set()
        await task
        assert not one.choosing.is_trying(best)
        assert one.choices == []

    picked(scenario)


def test_a_secret_that_was_not_read_is_read_instead_of_chosen() -> None:
    async def scenario(one: Picking) -> None:
        await one.choose("default/api-token")
        assert one.warnings == ["It had not been read yet: look at what it contains, then choose."]
        await one.choose("default/api-token")
        assert one.warnings[1:] == ["holds no certificate"]
        assert one.choices == []

    picked(scenario)


def test_a_named_certificate_is_shown_in_the_list_and_then_chosen_like_a_row() -> None:
    async def scenario(one: Picking) -> None:
        one.feed.filter_by("minio-tls")
        await one.choosing.choose_named("cert-manager/root-ca")
        assert one.filters == [""]
        assert one.listing.row is not None
        assert one.listing.row.place == "cert-manager/root-ca"
        assert len(one.warnings) == 1
        await one.choose("cert-manager/root-ca")
        assert one.choices == [SecretChoice("cert-manager", "root-ca", ("tls.crt",))]

    picked(scenario)


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("A B", "'A B' is not a name: expected namespace/secret, or namespace/secret/key"),
        ("shop/never", "shop/never: does not exist"),
        ("minio/minio-tls/other.crt", "minio/minio-tls: it does not have the key other.crt"),
    ],
)
def test_a_name_that_cannot_be_chosen_is_refused_with_its_reason(name: str, warning: str) -> None:
    async def scenario(one: Picking) -> None:
        await one.choosing.choose_named(name)
        assert one.warnings == [warning]
        assert (one.choices, one.filters) == ([], [])

    picked(scenario)


def test_a_name_that_may_not_be_read_is_accepted() -> None:
    async def scenario(one: Picking) -> None:
        one.feeding.sim.faults = [Fault("403", "get", "secrets", times=None)]
        await one.choosing.choose_named("shop/hidden/ca.crt")
        assert one.choices == [SecretChoice("shop", "hidden", ("ca.crt",))]

    picked(scenario)


def test_a_name_is_not_looked_up_before_there_is_a_connection() -> None:
    async def scenario(feeding: Feeding) -> None:
        one = Picking(feeding)
        feeding.connection.cluster = None
        await one.choosing.choose_named("shop/our-ca")
        assert one.warnings == ["Still connecting to the cluster: press Enter again in a moment."]

    fed(scenario)
