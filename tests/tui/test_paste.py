"""Pastes: taken apart where an answer has several entries, and refused with the reason where it is one line."""

from __future__ import annotations

import ast
from collections.abc import Awaitable, Callable

import pytest
from textual.events import Key, Paste
from textual.pilot import Pilot
from textual.widgets import Input

from pgwizard.tui.screens.messages import Messages
from pgwizard.tui.screens.secret_browser import SecretBrowser
from pgwizard.tui.screens.wizard import Wizard
from support.headless import ROOT
from support.screens import notices, painted, press, settled, until, words
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


def test_entries_that_tab_leads_to_are_kept_by_a_paste() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await wizard.go("Tuning", PARAMETERS)
        await paste(pilot, "jit = off\nwork_mem = 8MB\n")
        await press(pilot, "shift+tab", "tab")
        await paste(pilot, "max_wal_size = 4GB\n")
        await press(pilot, "shift+tab", "tab")
        await paste(pilot, "SET wal_level = 'replica';\nSET jit TO on;\n")
        assert wizard.draft.raw["tuning"]["parameters"] == {
            "jit": "on",
            "work_mem": "8MB",
            "max_wal_size": "4GB",
            "wal_level": "replica",
        }
        focused = pilot.app.focused
        assert isinstance(focused, Input)
        focused.select_all()
        await paste(pilot, "jit = off\n")
        assert wizard.draft.raw["tuning"]["parameters"] == {"jit": "off"}

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


async def _namespaces(pilot: Pilot[int], wizard: Wizard) -> None:
    await wizard.go("Connect")


async def _filter_of_secrets(pilot: Pilot[int], wizard: Wizard) -> None:
    await wizard.go("TLS", ("tls", "source", "secret"))
    await press(pilot, "f4")
    await until(pilot, lambda: isinstance(pilot.app.screen, SecretBrowser))


async def _name_of_a_secret(pilot: Pilot[int], wizard: Wizard) -> None:
    await _filter_of_secrets(pilot, wizard)
    await press(pilot, "f6")


async def _words_of_a_message(pilot: Pilot[int], wizard: Wizard) -> None:
    pilot.app.push_screen(Messages())
    await settled(pilot)


async def _search_in_the_review(pilot: Pilot[int], wizard: Wizard) -> None:
    await wizard.go("Review")
    await press(pilot, "3", "slash")


async def _file_to_save(pilot: Pilot[int], wizard: Wizard) -> None:
    await press(pilot, "ctrl+s")


Inputs = Callable[[Pilot[int], Wizard], Awaitable[None]]


@pytest.mark.parametrize(
    "open_input",
    [
        _namespaces,
        _filter_of_secrets,
        _name_of_a_secret,
        _words_of_a_message,
        _search_in_the_review,
        _file_to_save,
    ],
)
def test_several_lines_are_refused_by_an_input_that_is_no_question(open_input: Inputs) -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard) -> None:
        await open_input(pilot, wizard)
        focused = pilot.app.focused
        assert isinstance(focused, Input)
        before = focused.value
        await paste(pilot, "shop\nstaging\n")
        assert focused.value == before
        assert notices(pilot) == ["not pasted: it has 2 lines, and the answer is one line. Paste one of them"]

    with_wizard(scenario)


def test_no_input_is_one_of_textual_s_which_drops_lines_silently() -> None:
    bare = [
        path.name
        for path in sorted((ROOT / "src/pgwizard").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if _makes_an_input(node) and path.name != "text_line.py"
    ]
    assert bare == []


def _makes_an_input(node: ast.AST) -> bool:
    named: list[ast.expr] = []
    if isinstance(node, ast.Call):
        named = [node.func]
    elif isinstance(node, ast.ClassDef):
        named = node.bases
    return any(isinstance(each, ast.Name) and each.id == "Input" for each in named)
