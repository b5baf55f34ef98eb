"""The pages of the wizard and the draft behind them."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from pgwizard.answers import schema
from pgwizard.kube.api import Ref, Resource
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.pods import NODE
from pgwizard.tui.pages.form import Form
from pgwizard.tui.pages.review import Review
from pgwizard.tui.screens.wizard import Wizard
from support.screens import painted, press, resize, settled, until
from support.wizards import with_wizard


def without_images(sim: SimCluster) -> None:
    node = sim.store.peek(Ref(Resource("v1", "Node"), NODE))
    assert node is not None
    sim.store.put({**node, "status": {"images": []}})


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_an_image_that_no_node_lists_is_marked_on_the_first_page_of_questions(size: tuple[int, int]) -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        assert wizard.pages.order.names[:2] == ["Connect", "Release"]
        await wizard.go("Release")
        await until(
            pilot, lambda: "! no node lists aryan-laptophp/postgres-pgbackrest:15.0: build it" in painted(pilot)
        )
        assert "PostgreSQL image" in painted(pilot)
        await press(pilot, "ctrl+n")
        await resize(pilot, 120, 40)
        assert "! Release" in painted(pilot)

    with_wizard(scenario, size, prepare=without_images)


def test_later_pages_are_built_while_the_first_one_is_shown() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        assert wizard.page == "Connect"
        await until(pilot, lambda: len(wizard.query(Form)) == len(schema.pages()))
        assert not wizard.query(Review)  # it would compare with the cluster
        assert painted(pilot).count("✓") == 0  # a page that was only made was not visited

    with_wizard(scenario)


def test_a_page_that_was_built_ahead_has_the_present_answers() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await until(pilot, lambda: bool(wizard.query("#page-Storage")))
        wizard.pages.give(("storage", "size"), "77Gx")
        await wizard.go("Storage")
        await settled(pilot)
        assert "77Gx" in painted(pilot)
        assert "✗ '77Gx' is not a size" in painted(pilot)

    with_wizard(scenario)


def test_an_answer_from_elsewhere_is_shown_by_its_control_and_can_be_undone() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Storage")
        wizard.pages.give(("storage", "size"), "77Gi")
        await settled(pilot)
        assert "77Gi" in painted(pilot)
        assert wizard.pages.undo() == ("storage", "size")
        await settled(pilot)
        assert "77Gi" not in painted(pilot)
        assert wizard.pages.undo() is None

    with_wizard(scenario)


def test_values_adopted_from_the_cluster_cannot_be_undone() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Release")
        wizard.pages.adopt(("release", "namespace"), "shop")
        await settled(pilot)
        assert "Namespace             shop" in painted(pilot)
        assert wizard.pages.undo() is None

    with_wizard(scenario)


def test_a_question_back_at_its_default_is_no_longer_answered() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Storage")
        wizard.pages.give(("storage", "size"), "77Gi")
        wizard.pages.forget(("storage", "size"))
        await settled(pilot)
        assert "Size                  10Gi" in painted(pilot)
        assert wizard.draft.raw == {}

    with_wizard(scenario)


def test_new_answers_appear_on_every_existing_page() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Storage")
        await wizard.pages.replace({"storage": {"size": "55Gi"}})
        await wizard.go("Storage")
        await settled(pilot)
        assert "55Gi" in painted(pilot)

    with_wizard(scenario)


def test_a_page_keeps_what_was_typed_while_another_one_is_shown() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Storage")
        await press(pilot, "end", "x", "ctrl+n", "f7")
        assert isinstance(pilot.app.focused, Input)
        assert "10Gix" in painted(pilot)
        assert "✗" in painted(pilot)

    with_wizard(scenario)
