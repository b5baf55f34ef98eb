"""Pastes: taken apart where an answer has several entries, and refused with the reason where it is one line."""

from __future__ import annotations

from textual.events import Key, Paste
from textual.pilot import Pilot

from pgwizard.tui.screens.wizard import Wizard
from support.screens import notices, painted, press, settled, words
from support.wizards import with_wizard

PARAMETERS, NAME, CERTIFICATE = ("tuning", "parameters"), ("release", "name"), ("tls", "caFile")
PEM = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmg\n-----END CERTIFICATE-----\n"


async def paste(pilot: Pilot[int], text: str) -> None:
    """As a terminal reports it."""
    pilot.app.post_message(Paste(text))
    await settled(pilot)


def test_each_line_of_a_paste_is_a_parameter() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Tuning", PARAMETERS)
        await paste(pilot, "# pgtune\nmax_wal_size = 4GB\nrandom_page_cost = 1.1  # SSD\n")
        assert "max_wal_size=4GB; random_page_cost=1.1" in painted(pilot)
        assert wizard.draft.raw["tuning"]["parameters"] == {"max_wal_size": "4GB", "random_page_cost": 1.1}
        await press(pilot, "end")
        await paste(pilot, "jit = off\nwork_mem = 8MB\n")
        assert list(wizard.draft.raw["tuning"]["parameters"]) == ["max_wal_size", "random_page_cost", "jit", "work_mem"]
        assert notices(pilot) == []

    with_wizard(scenario, (200, 50))


def test_several_lines_in_a_question_of_one_line_change_nothing() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Release", NAME)
        await paste(pilot, "shop\nstaging\n")
        assert "Name                  postgresql" in painted(pilot)
        assert wizard.draft.raw == {}
        assert notices(pilot) == ["not pasted into Name: it has 2 lines, and the answer is one line. Paste one of them"]
        await paste(pilot, "shop\n")
        assert wizard.draft.raw == {"release": {"name": "shop"}}

    with_wizard(scenario)


def test_a_certificate_in_place_of_its_path_is_refused_with_what_to_do() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("TLS", CERTIFICATE)
        await paste(pilot, PEM)
        assert "Save the block as a file, and enter its path where a file is asked for" in notices(pilot)[0]
        assert "MIIB" not in words(pilot)
        assert wizard.draft.raw == {}

    with_wizard(scenario)


def test_escape_sequences_in_a_paste_are_not_keys() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Release", NAME)
        await paste(pilot, "shop\x1b[20~\x1b\x0e\r")  # F9, Esc, Ctrl+N and Enter
        assert wizard.page == "Release"
        assert wizard.draft.raw == {}
        assert "it holds a control character, U+001B" in notices(pilot)[0]

    with_wizard(scenario)


def test_a_paste_goes_to_the_question_that_the_key_before_it_leads_to() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Release", NAME)
        pilot.app.post_message(Key("enter", "\r"))
        await paste(pilot, "shop")
        assert wizard.draft.raw == {"release": {"namespace": "shop"}}

    with_wizard(scenario)


def test_several_lines_in_a_filter_are_refused_too() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Connect")
        await paste(pilot, "shop\nstaging\n")
        assert notices(pilot) == ["not pasted: it has 2 lines, and the answer is one line. Paste one of them"]

    with_wizard(scenario)
