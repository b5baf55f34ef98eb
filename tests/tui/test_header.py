"""The first line of the wizard, as wide as the terminal allows."""

from __future__ import annotations

from textual.pilot import Pilot

from pgwizard.tui.pages.header import NARROW
from pgwizard.tui.screens.wizard import Wizard
from support.screens import painted, resize, settled
from support.wizards import with_wizard


def head(pilot: Pilot[int]) -> str:
    return painted(pilot).partition("\n")[0].strip()


def test_the_header_names_the_release_and_the_connection() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        wizard.pages.give(("release", "name"), "db")
        await settled(pilot)
        assert head(pilot) == f"pgwizard   default/db   {wizard.host.link}"

    with_wizard(scenario)


def test_the_header_follows_the_connection() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        wizard.host.link = "not connected: connection refused"
        await settled(pilot)
        assert head(pilot).endswith("default/postgresql   not connected: connection refused")
        await resize(pilot, NARROW - 1, 24)
        assert head(pilot).endswith("default/postgresql   not connected")

    with_wizard(scenario)


def test_in_a_narrow_terminal_the_header_has_the_place_and_the_counts_of_problems() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Storage")
        wizard.pages.give(("storage", "size"), "20GB")
        await resize(pilot, NARROW - 1, 24)
        assert head(pilot).startswith("pgwizard   4/10 Storage 1✗   default/postgresql   ")
        await resize(pilot, NARROW, 24)
        assert head(pilot).startswith("pgwizard   default/postgresql   ")

    with_wizard(scenario)


def test_a_demo_is_named_in_every_width() -> None:
    async def scenario(pilot: Pilot[int], _: Wizard) -> None:
        assert head(pilot).startswith("pgwizard   DEMO: a simulated cluster in this process   default/postgresql   ")
        await resize(pilot, 80, 24)
        assert head(pilot).startswith("pgwizard   DEMO: simulated   1/10 Connect")

    with_wizard(scenario, demo=True)
