"""A log that grows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from pgwizard.tui.widgets.log import Log, wrap
from support import screens, simtime
from support.screens import opened, resize, settled

LINE = "INFO: WAL segment 000000010000000000000002 successfully archived to '/archive/main/15-1' on repo1"


class Alone(App[None]):
    CSS = "Log { border-top: solid red; }"

    def compose(self) -> ComposeResult:
        yield Log(id="log", max_lines=50)


def played(scenario: Callable[[Pilot[None], Log], Awaitable[None]], size: tuple[int, int] = (120, 11)) -> None:
    async def main() -> None:
        app = Alone()
        async with opened(app, size) as pilot:
            await scenario(pilot, app.query_one(Log))

    simtime.run(main())


def painted(log: Log) -> list[str]:
    """What is seen of it, without its border."""
    return [log.render_line(y).text.rstrip() for y in range(log.size.height)]


async def written(pilot: Pilot[None], log: Log, *numbers: int) -> None:
    for number in numbers:
        log.write(f"line {number}")
    await settled(pilot)


def test_a_line_is_as_wide_as_the_log_and_wraps_again_when_that_changes() -> None:
    async def scenario(pilot: Pilot[None], log: Log) -> None:
        log.write(LINE)
        await settled(pilot)
        assert painted(log)[:2] == [LINE, ""]
        await resize(pilot, 60, 11)
        assert painted(log)[:3] == [
            "INFO: WAL segment 000000010000000000000002 successfully",
            "archived to '/archive/main/15-1' on repo1",
            "",
        ]
        await resize(pilot, 120, 11)
        assert painted(log)[:2] == [LINE, ""]

    played(scenario)


@pytest.mark.parametrize("count", [1, 30])
def test_no_line_goes_beyond_the_edge_of_what_is_seen(count: int) -> None:
    """Neither padding nor the scroll bar hides the end of a row."""

    async def scenario(pilot: Pilot[None], log: Log) -> None:
        words = [f"word{number}" for number in range(60)]
        for _ in range(count):
            log.write(" ".join(words))
        await settled(pilot)
        assert screens.painted(pilot).split()[-len(words) :] == words

    played(scenario)


@pytest.mark.parametrize(
    ("line", "width", "rows"),
    [
        ("", 10, [""]),
        ("one two", 10, ["one two"]),
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 8, ["one two", "three"]),
        ("  indented words", 12, ["  indented", "words"]),
        ("x" * 25, 10, ["x" * 10, "x" * 10, "x" * 5]),
        ("日本語日本語", 7, ["日本語", "日本語"]),
        ("日本", 1, ["日", "本"]),
    ],
)
def test_a_line_wraps_between_words_where_one_fits(line: str, width: int, rows: list[str]) -> None:
    assert wrap(line, width) == rows


def test_it_follows_the_newest_line_until_a_reader_scrolls_up_and_again_from_the_end_on() -> None:
    async def scenario(pilot: Pilot[None], log: Log) -> None:
        await written(pilot, log, *range(30))
        assert painted(log)[-1] == "line 29"
        log.scroll_to(y=3, animate=False)
        await settled(pilot)
        await written(pilot, log, *range(30, 35))
        assert painted(log)[0] == "line 3"
        log.scroll_end(animate=False)
        await settled(pilot)
        await written(pilot, log, *range(35, 40))
        assert painted(log)[-1] == "line 39"

    played(scenario)


def test_a_reader_keeps_the_line_at_the_top_when_the_width_changes() -> None:
    async def scenario(pilot: Pilot[None], log: Log) -> None:
        for number in range(30):
            log.write(f"{number} {LINE}")
        await settled(pilot)
        log.scroll_to(y=10, animate=False)
        await settled(pilot)
        for width in (60, 40, 120):
            await resize(pilot, width, 11)
            assert painted(log)[0].startswith("10 INFO:"), width

    played(scenario)


def test_a_followed_log_stays_at_its_end_when_the_size_changes() -> None:
    async def scenario(pilot: Pilot[None], log: Log) -> None:
        await written(pilot, log, *range(30))
        for width, height in ((120, 6), (60, 6), (60, 20)):
            await resize(pilot, width, height)
            assert painted(log)[-1] == "line 29", (width, height)

    played(scenario)


def test_the_newest_lines_are_kept_and_a_reader_stays_at_the_same_ones() -> None:
    async def scenario(pilot: Pilot[None], log: Log) -> None:
        await written(pilot, log, *range(50))
        log.scroll_to(y=30, animate=False)
        await settled(pilot)
        await written(pilot, log, *range(50, 60))
        assert (log.lines[0], log.lines[-1], len(log.lines)) == ("line 10", "line 59", 50)
        assert painted(log)[0] == "line 30"

    played(scenario)


def test_another_log_begins_at_its_end() -> None:
    async def scenario(pilot: Pilot[None], log: Log) -> None:
        await written(pilot, log, *range(30))
        log.scroll_to(y=3, animate=False)
        await settled(pilot)
        log.clear()
        await written(pilot, log, *range(100, 130))
        assert painted(log)[-1] == "line 129"

    played(scenario)


def test_the_same_log_that_comes_again_leaves_a_reader_in_place() -> None:
    async def scenario(pilot: Pilot[None], log: Log) -> None:
        await written(pilot, log, *range(30))
        log.scroll_to(y=3, animate=False)
        await settled(pilot)
        log.restart()
        await written(pilot, log, *range(32))
        assert log.lines == [f"line {number}" for number in range(32)]
        assert painted(log)[0] == "line 3"
        log.restart()
        await written(pilot, log, *range(5), 500, 501)
        assert log.lines == [*(f"line {number}" for number in range(5)), "line 500", "line 501"]

    played(scenario)
