"""Lines by object, as they are drawn."""

from __future__ import annotations

from textual.app import App, ComposeResult

from pgwizard.simulator.world import HOSTILE
from pgwizard.tui.widgets.folds import Fold, Folds
from support import simtime
from support.screens import opened, painted, press


def lines(widget: Folds) -> list[str]:
    return painted(widget).rstrip("\n").splitlines()


def test_a_line_that_is_cut_off_says_so_until_it_is_scrolled_to_its_end() -> None:
    class Small(App[None]):
        def compose(self) -> ComposeResult:
            yield Folds()

    async def main() -> None:
        app = Small()
        async with opened(app, size=(16, 6)) as pilot:
            shown = app.query_one(Folds)
            shown.show([Fold("abcdefghijklmnopqr")])
            shown.focus()
            await press(pilot)
            assert lines(shown) == ["›   abcdefghijk…"]
            await press(pilot, "shift+right")
            assert lines(shown) == ["efghijklmnopqr"]

    simtime.run(main())


def test_foreign_text_cannot_reach_the_terminal() -> None:
    class Small(App[None]):
        def compose(self) -> ComposeResult:
            yield Folds()

    async def main() -> None:
        app = Small()
        async with opened(app) as pilot:
            shown = app.query_one(Folds)
            shown.show([Fold(HOSTILE, tuple(HOSTILE.splitlines()))])
            await press(pilot, "a")
            seen = lines(shown)
            assert seen[1] == "      \\x1b]0;owned\\x07\\x1b[31mred\\x1b[0m [bold red]markup[/] \\u202egnp.exe\\u202c"
            assert all(line.isprintable() for line in seen)

    simtime.run(main())
