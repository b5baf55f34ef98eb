"""The page of messages on the screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from rich.console import Console
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Static

from pgwizard.diagnose import messages
from pgwizard.errors import Finding
from pgwizard.tui.navigation import message_link
from pgwizard.tui.screens.messages import ENTRIES_SHOWN, Messages
from support import simtime
from support.screens import click, opened, press, settled

KEY = "docs/errors.md#s3-unknown-key"


class Alone(App[None]):
    """Something failed, and a link says where it is explained."""

    def compose(self) -> ComposeResult:
        yield Static(message_link(KEY), id="link", markup=False)

    def action_messages(self, words: str = "") -> None:
        self.push_screen(Messages(words))


def played(scenario: Callable[[Pilot[None]], Awaitable[None]]) -> None:
    async def main() -> None:
        async with opened(Alone(), size=(120, 40)) as pilot:
            await scenario(pilot)

    simtime.run(main())


def shown(pilot: Pilot[None]) -> tuple[str, str]:
    """How many were found, and they."""
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        console.print(pilot.app.screen.query_one("#found", Static).content)
    return str(pilot.app.screen.query_one("#count", Static).content), captured.get()


def test_a_click_on_a_link_opens_its_message_alone() -> None:
    async def scenario(pilot: Pilot[None]) -> None:
        await click(pilot, "#link", offset=(3, 0))
        await settled(pilot)
        count, result = shown(pilot)
        assert count == f"1 of {len(messages.entries())}"
        assert result.startswith("The S3 store does not know this access key")
        assert KEY in result
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, Messages)

    played(scenario)


def test_typing_replaces_the_link_and_arrows_walk_through_the_matches() -> None:
    async def scenario(pilot: Pilot[None]) -> None:
        await pilot.app.run_action(f"app.messages({KEY!r})")
        await settled(pilot)
        await press(pilot, *"backup")
        count, _ = shown(pilot)
        holding = sum(entry.holds("backup") for entry in messages.entries())
        assert count == f"{holding} of {len(messages.entries())}, the first {ENTRIES_SHOWN} shown"
        widget = pilot.app.screen.query_one(VerticalScroll)
        await press(pilot, "pagedown", "down", "up", "up")
        assert widget.scroll_offset.y == 9
        await press(pilot, *" nowhere")
        assert shown(pilot) == (f"0 of {len(messages.entries())}", "")
        assert widget.scroll_offset.y == 0

    played(scenario)


def test_findings_of_a_release_come_before_the_messages_and_are_found_by_their_words() -> None:
    reason = Finding(text="the schedule x is suspended", fix="Resume it: pgwizard status, key s.")

    async def scenario(pilot: Pilot[None]) -> None:
        await pilot.app.push_screen(Messages("", [reason]))
        await settled(pilot)
        count, result = shown(pilot)
        assert count.startswith(f"{len(messages.entries()) + 1} of ")
        assert result.startswith("the schedule x is suspended\n  fix    Resume it: pgwizard status, key s."), result
        assert "errors.md#\n" not in result
        await press(pilot, *"key s.")
        await settled(pilot)
        count, result = shown(pilot)
        assert result.startswith("the schedule x is suspended")

    played(scenario)
