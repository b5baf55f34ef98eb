"""Tables of the status, as they are painted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from pgwizard.tui.widgets.rows import Rows
from support import simtime
from support.screens import opened, resize, settled

TITLES = ("Job", "started", "took", "result")
DONE = ("✓ full", "Fri 27 Nov 10:00", "18 s", "29.3Mi → 3.66Mi")


class Alone(App[None]):
    def compose(self) -> ComposeResult:
        yield Rows(TITLES, id="jobs", spare=(2,))


def played(scenario: Callable[[Pilot[None], Rows], Awaitable[None]], size: tuple[int, int] = (80, 10)) -> None:
    async def main() -> None:
        app = Alone()
        async with opened(app, size) as pilot:
            await scenario(pilot, app.query_one(Rows))

    simtime.run(main())


def painted(table: Rows) -> list[list[str]]:
    """The cells of each line, as a terminal shows them."""
    lines = [table.render_line(y).text.rstrip() for y in range(1 + sum(row.height for row in table.ordered_rows))]
    return [[cell.strip() for cell in line.strip().split("  ") if cell.strip()] for line in lines]


def test_cells_are_whole_although_a_paint_comes_before_textual_has_measured_them() -> None:
    async def scenario(pilot: Pilot[None], table: Rows) -> None:
        table.show({"a": DONE})
        at_once = painted(table)
        await settled(pilot)
        assert painted(table) == at_once == [list(TITLES), list(DONE)]

    played(scenario)


def test_a_cell_that_grows_is_whole_at_once() -> None:
    async def scenario(pilot: Pilot[None], table: Rows) -> None:
        table.show({"a": (*DONE[:2], "9 s", ""), "b": DONE})
        await settled(pilot)
        painted(table)
        table.show({"a": (*DONE[:2], "1 min 10 s", ""), "b": DONE})
        at_once = painted(table)
        await settled(pilot)
        assert painted(table) == at_once == [list(TITLES), [*DONE[:2], "1 min 10 s"], list(DONE)]

    played(scenario)


def test_a_growing_table_keeps_the_cursor_and_the_view() -> None:
    async def scenario(pilot: Pilot[None], table: Rows) -> None:
        rows = {str(number): (*DONE[:2], f"{number} s", "") for number in range(30)}
        table.show(rows)
        await settled(pilot)
        table.move_cursor(row=20)
        await settled(pilot)
        above = table.scroll_offset.y
        table.show(rows | {"3": (*DONE[:2], "1 min 10 s", "")})
        await settled(pilot)
        assert (table.here, table.scroll_offset.y) == ("20", above)

    played(scenario)


def test_a_column_that_does_not_fit_is_left_out_and_comes_back() -> None:
    async def scenario(pilot: Pilot[None], table: Rows) -> None:
        table.show({"a": DONE})
        await resize(pilot, 46, 10)
        table.show({"a": DONE})
        assert painted(table)[0] == ["Job", "started", "result"]
        await resize(pilot, 80, 10)
        table.show({"a": DONE})
        assert painted(table) == [list(TITLES), list(DONE)]

    played(scenario)
