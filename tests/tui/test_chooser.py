"""Answers that are chosen from the cluster: a name of a list, a Secret, the best certificate."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault
from pgwizard.tui.screens.wizard import Wizard
from pgwizard.wizard.candidates import Candidate
from support.screens import notices, painted, press, until
from support.wizards import with_wizard

BEST = Candidate("shop", "our-ca", "CA", ("ca.crt",), ok=True)


async def open_choices(pilot: Pilot[int], wizard: Wizard, page: str, question: str) -> None:
    await wizard.go(page, tuple(question.split(".")))
    await press(pilot, "f4")


def test_a_chosen_name_is_the_answer() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await open_choices(pilot, wizard, "Release", "release.namespace")
        await until(pilot, lambda: "monitoring" in painted(pilot))
        await press(pilot, *"monit", "enter")
        assert wizard.draft.answers.release.namespace == "monitoring"
        assert "Namespace             monitoring" in painted(pilot)

    with_wizard(scenario)


def test_esc_does_not_change_the_answer() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await open_choices(pilot, wizard, "Release", "release.namespace")
        await until(pilot, lambda: "monitoring" in painted(pilot))
        await press(pilot, *"monit", "escape")
        assert wizard.draft.answers.release.namespace == "default"

    with_wizard(scenario)


def test_where_the_list_may_not_be_read_the_reason_is_shown_and_a_name_can_be_typed() -> None:
    def refuse(sim: SimCluster) -> None:
        sim.faults.append(Fault("403", "list", "storageclasses", times=None))

    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await open_choices(pilot, wizard, "Storage", "storage.storageClass")
        await until(pilot, lambda: ": type the name" in painted(pilot))
        await press(pilot, *"fast", "enter")
        assert wizard.draft.answers.storage.storage_class == "fast"

    with_wizard(scenario, prepare=refuse)


def test_a_defect_while_a_list_is_read_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> list[object]:
        raise KeyError("defect")

    monkeypatch.setattr("pgwizard.tui.chooser.choices", broken)

    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await open_choices(pilot, wizard, "Storage", "storage.storageClass")
        await until(pilot, lambda: any("a bug in pgwizard: KeyError" in notice for notice in notices(pilot)))

    with_wizard(scenario)


def test_a_chosen_secret_answers_its_namespace_its_name_and_its_keys() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await open_choices(pilot, wizard, "Repository", "repository.credentials.secret")
        await until(pilot, lambda: "s3-backup" in painted(pilot))
        await press(pilot, *"shop/s3-backup")
        await until(pilot, lambda: "AWS_SECRET_ACCESS_KEY" in painted(pilot))
        await press(pilot, "enter")
        await until(pilot, lambda: pilot.app.screen is wizard)
        assert wizard.draft.raw["repository"]["credentials"] == {
            "from": "existing",
            "namespace": "shop",
            "secret": "s3-backup",
            "accessKeyKey": "AWS_ACCESS_KEY_ID",
            "secretKeyKey": "AWS_SECRET_ACCESS_KEY",
        }

    with_wizard(scenario)


def test_the_best_certificate_is_proposed_unless_it_is_chosen_already() -> None:
    async def scenario(_: Pilot[int], wizard: Wizard) -> None:
        def proposal(best: Candidate | None) -> Candidate | None:
            wizard.chooser.propose(best)
            return wizard.chooser.proposal

        assert proposal(None) is None
        for key, value in (("namespace", "shop"), ("secret", "our-ca"), ("key", "ca.crt")):
            assert proposal(BEST) == BEST
            wizard.pages.give(("tls", "source", key), value)
        assert proposal(BEST) is None

    with_wizard(scenario)


@pytest.mark.parametrize("question", ["repository.endpoint", "images.pgbackrestVersion"])
def test_a_certificate_that_was_compared_with_another_server_is_not_proposed(question: str) -> None:
    path = tuple(question.split("."))

    async def scenario(_: Pilot[int], wizard: Wizard) -> None:
        wizard.chooser.propose(BEST)
        before = wizard.draft.value(path)
        wizard.pages.give(path, "2.53" if "Version" in question else "elsewhere:9000")
        assert wizard.chooser.proposal is None
        wizard.pages.give(path, before)
        assert wizard.chooser.proposal == BEST

    with_wizard(scenario)


def test_a_certificate_of_another_cluster_is_not_proposed() -> None:
    async def scenario(_: Pilot[int], wizard: Wizard) -> None:
        wizard.chooser.propose(BEST)
        wizard.connection.connect()
        assert wizard.chooser.proposal is None
        await wizard.connection.once_connected()
        assert wizard.chooser.proposal is None

    with_wizard(scenario)


def test_accepting_the_proposal_answers_the_certificate_s_questions() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("TLS")
        wizard.chooser.propose(BEST)
        wizard.chooser.take_proposed()
        source = wizard.draft.answers.tls.source
        assert source is not None
        assert (source.namespace, source.secret, source.key) == ("shop", "our-ca", "ca.crt")
        wizard.chooser.take_proposed()
        assert wizard.chooser.proposal is None

    with_wizard(scenario)
