"""A log that grows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from rich.text import Text
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from pgwizard.tui.widgets.log import Log
from support import simtime
from support.screens import opened, resize, settled

LINE = "INFO: WAL segment 000000010000000000000002 successfully archived to '/archive/main/15-1' on repo1"


class Alone(App[None]):
    def compose(self) -> ComposeResult:
        yield Log(id="log", kept=50)


def played(scenario: Callable[[Pilot[None], Log], Awaitable[None]], size: tuple[int, int] = (120, 10)) -> None:
    async def main() -> None:
        app = Alone()
        async with opened(app, size) as pilot:
            await scenario(pilot, app.query_one(Log))

    simtime.run(main())


def lines(log: Log) -> list[str]:
    return [strip.text.rstrip() for strip in log.lines]


async def heard(pilot: Pilot[None], log: Log, count: int) -> None:
    for number in range(count):
        log.hear(Text(f"line {number}"))
    await settled(pilot)


def test_a_line_takes_the_width_that_there_is_and_is_broken_anew_where_that_changes() -> None:
    async def scenario(pilot: Pilot[None], log: Log) -> None:
        log.hear(Text(LINE))
        await settled(pilot)
        assert lines(log) == [LINE]
        await resize(pilot, 60, 10)
        assert lines(log) == [
            "INFO: WAL segment 000000010000000000000002 successfully",
            "archived to '/archive/main/15-1' on repo1",
        ]
        await resize(pilot, 120, 10)
        assert lines(log) == [LINE]

    played(scenario)


def test_it_follows_the_newest_line_until_somebody_scrolls_up_and_again_from_the_end_on() -> None:
    async def scenario(pilot: Pilot[None], log: Log) -> None:
        await heard(pilot, log, 30)
        assert log.scroll_offset.y == log.max_scroll_y == 20
        log.scroll_to(y=3, animate=False)
        await settled(pilot)
        await heard(pilot, log, 5)
        assert (log.scroll_offset.y, log.max_scroll_y) == (3, 25)
        log.scroll_end(animate=False)
        await settled(pilot)
        await heard(pilot, log, 5)
        assert log.scroll_offset.y == log.max_scroll_y == 30

    played(scenario)


def test_it_keeps_the_newest_lines_and_forgets_them_all_when_told() -> None:
    async def scenario(pilot: Pilot[None], log: Log) -> None:
        await heard(pilot, log, 60)
        assert (lines(log)[0], len(log.lines)) == ("line 10", 50)
        await resize(pilot, 100, 10)
        assert (lines(log)[0], lines(log)[-1], len(log.lines)) == ("line 10", "line 59", 50)
        log.forget()
        await heard(pilot, log, 30)
        assert (log.scroll_offset.y, len(log.lines)) == (20, 30)

    played(scenario)
