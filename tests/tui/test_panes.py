"""Text that is painted only when it changes."""

from __future__ import annotations

from textual.app import App, ComposeResult

from pgwizard.tui.widgets.panes import TextPart
from support import simtime
from support.screens import opened, painted, settled


class OnePart(App[None]):
    CSS = "TextPart { width: 12; height: auto; }"

    def compose(self) -> ComposeResult:
        yield TextPart("part")


def test_a_growing_age_is_painted_without_laying_the_screen_out_again() -> None:
    async def main() -> None:
        app = OnePart()
        async with opened(app) as pilot:
            part, layouts = app.query_one(TextPart), list[str]()
            part.show("9 s ago")
            await settled(pilot)
            app.screen.screen_layout_refresh_signal.subscribe(part, lambda _: layouts.append(part.text))
            for text, lines, is_laid_out in (
                ("8 s ago", ["8 s ago"], False),
                ("10 s ago", ["10 s ago"], True),
                ("checked 10 s ago", ["checked 10 s", "ago"], True),
                ("checked 11 s ago", ["checked 11 s", "ago"], False),
            ):
                layouts.clear()
                part.show(text)
                await settled(pilot)
                assert [line.rstrip() for line in painted(part).rstrip("\n").splitlines()] == lines
                assert bool(layouts) is is_laid_out, text

    simtime.run(main())
