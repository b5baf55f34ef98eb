"""The panel beside the TLS questions, in words."""

from __future__ import annotations

from textual.pilot import Pilot

from pgwizard.simulator.cluster import SimCluster
from pgwizard.tui.screens.wizard import Wizard
from support.screens import painted, until
from support.wizards import with_wizard

UNCHECKED = "! not checked: no permission to port-forward to the S3"


def without_port_forward(sim: SimCluster) -> None:
    sim.rules.deny("create", "pods/portforward")


def test_without_the_right_to_port_forward_the_panel_and_the_endpoint_say_that_nothing_was_checked() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("TLS")
        await until(pilot, lambda: UNCHECKED in painted(pilot))
        await wizard.go("Repository")
        await until(pilot, lambda: UNCHECKED in painted(pilot))

    with_wizard(scenario, (160, 40), prepare=without_port_forward)
