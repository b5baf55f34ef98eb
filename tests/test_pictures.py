"""What a golden file of a screen says of its rows and styles."""

from __future__ import annotations

import io

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text

from support.pictures import golden_text, recorded_output


def _golden(*rows: str) -> str:
    console = Console(record=True, width=20, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for row in rows:
        console.print(Text.from_markup(row), soft_wrap=True)
    return golden_text(recorded_output(console))


def test_rows_come_first_and_the_commonest_styles_are_named_alone() -> None:
    assert _golden("[#aaaaaa on #111111]one two  ", "[#aaaaaa on #111111]three    ") == (
        "one two\nthree\n-- background: #111111\n-- letters: #aaaaaa\n"
    )


def test_other_styles_are_named_with_their_rows_and_columns() -> None:
    golden = _golden(
        "plain [bold #ff0000]red and bold[/] plain",
        "plain text [reverse] [/] text",
        "[on #222222]  [/]text [italic]text[/]",
        "[on #222222]  [/]text",
    )
    assert golden.splitlines()[4:] == [
        "-- background: default",
        "#222222  3-4:1-2",
        "-- letters: default",
        "#ff0000 bold  1:7-18",
        "default italic  3:8-11",
        "default reverse  2:12",
    ]


def test_every_ten_rows_begin_a_new_line_of_places() -> None:
    assert _golden(*["some text [bold]b[/]", "some text"] * 6).splitlines()[-2:] == [
        "default bold  1:11 3:11 5:11 7:11 9:11",
        "default bold  11:11",
    ]


def test_columns_are_those_of_the_terminal() -> None:
    assert "default bold  1:5-8" in _golden("世界[bold]世界[/] some text")


def test_another_colour_is_another_text() -> None:
    assert _golden("text [#ff0000]x") != _golden("text [#ff0001]x")
    assert _golden("text [on #ff0000] ") != _golden("text [on #ff0001] ")
    assert _golden("text [underline] ") != _golden("text  ")


def test_a_screen_without_a_letter_has_a_text() -> None:
    assert _golden("[on #111111]   ") == "\n-- background: #111111\n-- letters: none\n"


def test_a_style_that_was_printed_with_eight_colours_before_has_its_own_colour() -> None:
    style = Style(color="#123456")
    style.render("x", color_system=ColorSystem.STANDARD)
    console = Console(record=True, width=20, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("x", style))
    assert "letters: #123456" in golden_text(recorded_output(console))
