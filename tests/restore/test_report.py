"""A restore in words, and what the repository can reach as a strip."""

from __future__ import annotations

from pgwizard.restore.report import row_lines, strip_lines
from restore.test_target import HOLE, NOW, WHOLE, Left, backup, moment, view

BRANCHES = view({1: "1-30", 2: "19-39"}, [backup(3, 4), backup(30, 31, 2)], left={2: [Left(1, 19.5, 25)]})


def test_a_strip_shows_what_is_reachable_the_backups_and_the_target() -> None:
    assert strip_lines(WHOLE, moment(22), moment(NOW), 52) == [
        "timeline 1 ●━━━━━━●━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━",
        "                               ▲",
        "           2026-11-01 00:04:01 UTC               now",
    ]


def test_behind_a_hole_nothing_is_reachable_until_the_next_backup() -> None:
    assert strip_lines(HOLE, None, moment(NOW), 41) == [
        "timeline 1 ●━···●━━━━━━━━━━━━━━━━━━━━━━━━",
        "           2026-11-01 00:04:01 UTC    now",
    ]


def test_each_timeline_has_a_line_and_the_newest_comes_first() -> None:
    assert strip_lines(BRANCHES, None, moment(NOW), 41) == [
        "timeline 2 ·················━━━━━●━━━━━━━",
        "timeline 1 ●━━━━━━━━━━━━━━━━━············",
        "           2026-11-01 00:04:01 UTC    now",
    ]


def test_a_narrow_strip_has_no_dates_and_one_without_anything_reachable_no_lines() -> None:
    assert strip_lines(WHOLE, None, moment(NOW), 21) == ["timeline 1 ●●━━━━━━━━"]
    assert strip_lines(view({1: "1-39"}, []), None, moment(NOW), 40) == []


def test_long_rows_break_between_words_on_a_terminal_and_nowhere_else() -> None:
    rows = {"Loses": "1 min 31 s: all that was committed until 2026-11-28 21:14:01 UTC", "Undo": "2026-11-28"}
    assert row_lines(rows, 40) == [
        "Loses    1 min 31 s: all that was",
        "         committed until 2026-11-28",
        "         21:14:01 UTC",
        "Undo     2026-11-28",
    ]
    assert len(row_lines(rows)) == 2
