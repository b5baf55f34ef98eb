"""What an application or a printer shows, as a text that can be read in a diff, and as an SVG picture.

Both are made from the same output: of an application it is its screen as the compositor paints it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from html import escape, unescape
from itertools import groupby
from operator import itemgetter
from typing import Any, cast
from unittest.mock import patch

from rich.ansi import AnsiDecoder
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text
from textual._compositor import LayoutUpdate
from textual.app import App


def terminal_output(app: App[Any]) -> str:
    """What the application shows now: rows of text with the escape sequences of a terminal."""
    with patch.object(Console, "export_svg", lambda console, **_: recorded_output(console)):
        return app.export_screenshot()


def recorded_output(console: Console) -> str:
    """What a console recorded, with the escape sequences of a terminal with all colours.

    Rich keeps the sequence that a style had on the first console that it was printed on, maybe one of eight colours.
    """
    for segment in console._record_buffer:
        if segment.style is not None:
            segment.style._ansi = None
    return console.export_text(styles=True, clear=False)


def text(app: App[Any]) -> str:
    """What the application shows now, without colours: cheap, for those who look again and again."""
    shown = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    assert isinstance(shown, LayoutUpdate)
    return "\n".join("".join(strip.text for strip in row) for row in shown.strips)


def svg(app: App[Any]) -> str:
    """What the application shows now, as a picture."""
    return tidy(app.export_screenshot())


# ---- text ----------------------------------------------------------------------------------------------------------


def golden_text(output: str) -> str:
    """Output with escape sequences as a text without: the rows, and below them the styles with their places.

    A row of the screen is the line of the same number. A place is row:column-column, or row-row:column-column for the
    same columns of several rows, from 1; every ten rows begin a new line, so that a change stays on one. The commonest
    background and the commonest style of letters are named alone: they are wherever no other is. A blank has a style
    of letters only where it shows (underline, reverse).
    """
    rows = list(AnsiDecoder().decode(output.rstrip("\n")))
    cells = [list(_cells(row)) for row in rows]
    backgrounds = [[_name(style.bgcolor) for _, style in row] for row in cells]
    letters = [[_letters(style) if _is_seen(character, style) else "" for character, style in row] for row in cells]
    lines = [*(row.plain.rstrip() for row in rows), *_layer("background", backgrounds), *_layer("letters", letters)]
    return "\n".join(lines) + "\n"


def _cells(row: Text) -> Iterator[tuple[str, Style]]:
    """The character and the style of each column; a wide character has two, a combining one has none."""
    styles = [Style.null()] * len(row.plain)
    for start, end, style in row.spans:
        styles[start:end] = [cast("Style", style)] * (end - start)
    for character, style in zip(row.plain, styles, strict=True):
        yield from [(character, style)] * cell_len(character)


def _name(color: Color | None) -> str:
    return color.name if color is not None else "default"


def _letters(style: Style) -> str:
    attributes = str(style.without_color)
    return _name(style.color) + (f" {attributes}" if attributes != "none" else "")


def _is_seen(character: str, style: Style) -> bool:
    drawn = style.underline or style.underline2 or style.reverse or style.strike or style.overline
    return bool(drawn) or not character.isspace()


def _layer(title: str, rows: Sequence[Sequence[str]]) -> list[str]:
    """The names of styles, each with its places; a cell without a name has none, and does not end a run."""
    counts = Counter(name for row in rows for name in row if name)
    common = max(counts, key=counts.__getitem__, default="none")
    places: dict[str, dict[tuple[int, int], list[list[int]]]] = {}
    for number, row in enumerate(rows, 1):
        named = [(column, name) for column, name in enumerate(row, 1) if name]
        for name, run in groupby(named, key=itemgetter(1)):
            columns = [column for column, _ in run]
            same_columns = places.setdefault(name, {}).setdefault((columns[0], columns[-1]), [])
            if same_columns and same_columns[-1][-1] == number - 1:
                same_columns[-1][-1] = number
            else:
                same_columns.append([number, number])
    lines = [f"-- {title}: {common}"]
    for name in sorted(places.keys() - {common}):
        where = sorted((*rows_, *columns) for columns, spans in places[name].items() for rows_ in spans)
        for _, near in groupby(where, key=lambda place: (place[0] - 1) // 10):
            runs = (f"{_span(top, bottom)}:{_span(left, right)}" for top, bottom, left, right in near)
            lines.append(f"{name}  {' '.join(runs)}")
    return lines


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


# ---- SVG -----------------------------------------------------------------------------------------------------------

_CELL, _LINE = 12.2, 24.4
_FONT = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_CLIP = re.compile(r'<clipPath id="[^"]*-line-\d+">.*?</clipPath>\s*', re.DOTALL)
_RECT = re.compile(
    r'<rect fill="([^"]*)" x="([^"]*)" y="([^"]*)" width="([^"]*)" height="[^"]*" shape-rendering="crispEdges"/>'
)
_TEXT = re.compile(r'<text class="([^"]*)" x="([^"]*)" y="([^"]*)" textLength="[^"]*" clip-path="[^"]*">(.*?)</text>')
_WORDS = re.compile(r"\S+(?: \S+)*")


def tidy(svg: str) -> str:
    """A picture as Rich makes it, without fonts of other hosts; one element a line, the fewest that look the same.

    Words with blanks between are placed apart: not every renderer keeps blanks, or has a font as wide as it should be.
    """
    svg = re.sub(r"terminal-\d+-", "", _CLIP.sub("", _FONT.sub("", svg)))
    svg = svg.replace("Fira Code, monospace", '"Fira Code", monospace')
    svg = _replaced(_RECT, svg, _areas)
    svg = _replaced(_TEXT, svg, _words)
    return "\n".join(line.rstrip() for line in svg.replace("&#160;", " ").splitlines() if line.strip()) + "\n"


def _replaced(pattern: re.Pattern[str], svg: str, made: Callable[[list[tuple[str, ...]]], list[str]]) -> str:
    """Replace adjacent matches of the pattern by other lines."""
    items = list(pattern.finditer(svg))
    if not items:
        return svg
    lines = "\n".join(made([match.groups() for match in items]))
    return f"{svg[: items[0].start()]}\n{lines}\n{svg[items[-1].end() :]}"


def _areas(cells: list[tuple[str, ...]]) -> list[str]:
    """Backgrounds: neighbours of one colour are one."""
    rows: dict[tuple[str, float, float], list[float]] = {}
    areas: list[tuple[str, float, float, list[float]]] = []
    for (fill, y), side_by_side in groupby(cells, key=lambda cell: (cell[0], float(cell[2]))):
        run = list(side_by_side)
        x, width = float(run[0][1]), sum(float(cell[3]) for cell in run)
        place = (fill, x, round(width, 1))
        height = rows.get(place)
        if height is not None and abs(height[0] + height[1] * _LINE - y) < 1:
            height[1] += 1
        else:
            rows[place] = [y, 1]
            areas.append((*place, rows[place]))
    return [
        f'<rect fill="{fill}" x="{x:g}" y="{top:g}" width="{width:g}" height="{count * _LINE + 0.25:g}" '
        'shape-rendering="crispEdges"/>'
        for fill, x, width, (top, count) in areas
    ]


def _words(texts: list[tuple[str, ...]]) -> list[str]:
    lines = []
    for style, x, y, coded in texts:
        text = unescape(coded).replace("\xa0", " ")
        for words in _WORDS.finditer(text):
            left = float(x) + cell_len(text[: words.start()]) * _CELL
            length = cell_len(words[0]) * _CELL
            shown = escape(words[0], quote=False)
            lines.append(f'<text class="{style}" x="{left:g}" y="{y}" textLength="{length:g}">{shown}</text>')
    return lines
