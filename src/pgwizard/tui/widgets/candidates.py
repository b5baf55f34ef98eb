"""A candidate in words, on a line of the list or below it, and the list that stays quick at ten thousand of them.

Only lines that are seen are drawn. It refuses requests, rules, and values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from pgwizard.text import plain
from pgwizard.wizard import candidates
from pgwizard.wizard.candidates import Candidate, Search

if TYPE_CHECKING:
    from datetime import datetime

    from pgwizard.tls.handshake import Served

WIDE = 100
"""Columns from which the subject has one of its own."""
FAINT = Style(dim=True)


class CandidateIndex:
    """The rows in order, filtered; a row of a Secret replaces what was known of it."""

    def __init__(self) -> None:
        self.by_place: dict[tuple[str, str], tuple[Candidate, ...]] = {}
        self.shown: list[Candidate] = []
        self.namespaces: set[str] = set()
        self._sorted: list[tuple[tuple[int, str, str, tuple[str, ...]], Candidate, str]] = []
        self._filter = ""

    def learn(self, rows: Iterable[Candidate]) -> None:
        """Take rows in; they are shown after ``arrange``."""
        fresh = candidates.by_secret(rows)
        self.namespaces |= {namespace for namespace, _ in fresh}
        if stale := fresh.keys() & self.by_place.keys():
            self._sorted = [entry for entry in self._sorted if (entry[1].namespace, entry[1].secret) not in stale]
        for place, found in fresh.items():
            self.by_place[place] = tuple(found)
            self._sorted += [(row.order, row, _haystack(row)) for row in found]

    def arrange(self, wanted: str | None = None) -> None:
        """Sort, and keep what the filter lets through: every word of it somewhere in the row."""
        if wanted is not None:
            self._filter = wanted
        self._sorted.sort(key=lambda entry: entry[0])
        words = self._filter.lower().split()
        if words:
            self.shown = [row for _, row, text in self._sorted if all(word in text for word in words)]
        else:
            self.shown = [row for _, row, _ in self._sorted]

    def place_of(self, row: Candidate) -> int | None:
        """Where a Secret's row is shown now: the same key, else the Secret's first."""
        same = [number for number, shown in enumerate(self.shown) if shown.identity == row.identity]
        if same:
            return same[0]
        place = (row.namespace, row.secret)
        return next((n for n, shown in enumerate(self.shown) if (shown.namespace, shown.secret) == place), None)


def _haystack(row: Candidate) -> str:
    first = row.first
    words = [row.place, row.kind, *row.keys]
    if first is not None:
        words += [first.subject, *first.dns_names]
    return " ".join(words).lower()


class SecretList(ScrollView, can_focus=False):
    """The rows, one line each, of which only those in view are drawn. The filter has the keys."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"secret-list--cursor", "secret-list--good", "secret-list--bad"}
    DEFAULT_CSS = """
    SecretList { height: 1fr; overflow-x: hidden; overflow-y: scroll; }
    SecretList > .secret-list--cursor { background: $block-cursor-background; color: $block-cursor-foreground;
        text-style: bold; }
    SecretList > .secret-list--good { color: $text-success; text-style: bold; }
    SecretList > .secret-list--bad { color: $text-warning; }
    """

    class Highlighted(Message):
        """The mouse has put the cursor on a row, or has scrolled."""

    class Wanted(Message):
        """The row under the cursor was chosen by the mouse."""

    def __init__(self, search: Search, current: tuple[str, str]) -> None:
        super().__init__(id="secrets")
        self.search = search
        self.current = current
        self.rows: Sequence[Candidate] = ()
        self.cursor = 0
        self.moved = False
        self.today: datetime | None = None
        self._ground, self._columns, self._width = Style.null(), (0, 0, 0, 0, 0), 0

    @property
    def row(self) -> Candidate | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    @property
    def in_view(self) -> Sequence[Candidate]:
        """The rows that are seen."""
        top = round(self.scroll_offset.y)
        return self.rows[top : top + max(1, self.size.height)]

    def show(self, rows: Sequence[Candidate], cursor: int) -> None:
        """Other rows."""
        self.rows = rows
        self.cursor = max(0, min(cursor, len(rows) - 1))
        self.set_reactive(SecretList.virtual_size, Size(0, len(rows)))  # to assign it would lay out the whole screen
        self.vertical_scrollbar.window_virtual_size = len(rows)
        self.vertical_scrollbar.window_size = self.container_size.height
        self.scroll_y = self.validate_scroll_y(self.scroll_y)
        with self.prevent(self.Highlighted):
            self._follow()
        self.refresh()

    def _follow(self) -> None:
        top, height = round(self.scroll_offset.y), max(1, self.size.height)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def _go(self, cursor: int) -> None:
        self.moved = True
        before, self.cursor = self.cursor, max(0, min(cursor, len(self.rows) - 1))
        if before != self.cursor:
            with self.prevent(self.Highlighted):
                self._follow()
            top, width = round(self.scroll_offset.y), self.size.width
            self.refresh(*(Region(0, line - top, width, 1) for line in (before, self.cursor)))

    def move(self, step: int) -> None:
        """So many rows up or down."""
        self._go(self.cursor + step)

    def page(self, step: int) -> None:
        """As many rows as are seen."""
        self._go(self.cursor + step * max(1, self.size.height - 1))

    def end(self, *, last: bool) -> None:
        """The first or the last row."""
        self._go(len(self.rows) - 1 if last else 0)

    def on_click(self, event: Click) -> None:
        """A click moves here, a second one chooses."""
        number = round(self.scroll_offset.y) + event.y
        if number < len(self.rows):
            self._go(number)
            self.post_message(self.Highlighted())
            if event.chain > 1:
                self.post_message(self.Wanted())

    def on_resize(self) -> None:
        """The cursor stays in sight."""
        self._follow()

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Other rows are in view."""
        super().watch_scroll_y(old, new)
        if round(old) != round(new):
            self.post_message(self.Highlighted())

    def heads(self) -> str:
        """The line above the list."""
        wanted = {"ca": ("kind", "subject", "ends", "would it verify?")}
        names = wanted.get(self.search.purpose, ("kind", "keys", "", "what speaks for it"))
        return "".join(
            fitted(name, width) for name, width in zip(("  namespace/secret", *names), self._widths(), strict=True)
        )

    def _widths(self) -> tuple[int, int, int, int, int]:
        """Columns: place, kind, subject or keys, end, verdict."""
        width = max(40, self.scrollable_content_region.width)
        ends = 10 if self.search.purpose == "ca" else 0
        kind = 18 if width >= WIDE - 2 else 15
        rest = width - kind - ends
        if width < WIDE - 2:
            place = min(40, rest * 3 // 5)
            return place, kind, 0, ends, rest - place
        place, subject = min(60, rest * 36 // 100), min(60, rest * 26 // 100)
        return place, kind, subject, ends, rest - place - subject

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines in view. Textual's own way looks up style, border and padding anew for each: most of a paint.

        So there is none of these: no border, padding or opacity would be drawn.
        """
        self._ground, self._columns = self.rich_style, self._widths()
        self._width = self.scrollable_content_region.width
        filters, (_, background) = self.get_line_filters(), self.background_colors
        strips = [self.render_line(y).crop_extend(crop.x, crop.right, self._ground) for y in crop.line_range]
        for line_filter in filters:
            strips = [strip.apply_filter(line_filter, background) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """One row, or a blank line."""
        number = round(self.scroll_offset.y) + y
        width, plain_style = self._width, self._ground
        if not 0 <= number < len(self.rows):
            return Strip.blank(width, plain_style)
        row = self.rows[number]
        cells = [
            fitted(text, size)
            for text, size in zip(self._cells(row, here=number == self.cursor), self._columns, strict=True)
        ]
        if number == self.cursor:
            style = self.get_component_rich_style("secret-list--cursor")
            return Strip([Segment("".join(cells), style)]).adjust_cell_length(width, style)
        tone = "good" if row.ok else "bad" if row.ok is False else None
        toned = self.get_component_rich_style(f"secret-list--{tone}", partial=True) if tone else FAINT
        body = plain_style if row.keys else plain_style + FAINT
        segments = [Segment("".join(cells[:4]), body), Segment(cells[4], plain_style + toned)]
        return Strip(segments).adjust_cell_length(width, plain_style)

    def _cells(self, row: Candidate, *, here: bool) -> tuple[str, str, str, str, str]:
        mark = "▸" if here else "•" if (row.namespace, row.secret) == self.current else " "
        first = row.first
        if self.search.purpose != "ca":
            place = row.place
            what = ", ".join(row.keys or row.others)
        else:
            place = row.place if row.keys in {(), ("tls.crt",)} else f"{row.place} · {row.keys[0]}"
            what = first.subject if first else ", ".join(row.others)
        ends = until(first.days_left(self.today)) if first and self.today else ""
        count = len(row.bundle.certificates) if row.bundle else 1
        kind = f"{row.kind} ({count})" if count > 1 else str(row.kind)
        if kind == "not a certificate" and self._widths()[1] < len(kind):
            kind = "no certificate"
        return f"{mark} {plain(place, 200)}", kind, plain(what, 120), ends, verdict(row)


def fitted(text: str, size: int) -> str:
    """Exactly so many cells, the last one blank; what is cut off says so. Nothing for a column of no size."""
    if not size:
        return ""
    return f"{set_cell_size(text, size - 2)}… " if cell_len(text) >= size else set_cell_size(text, size)


def verdict(row: Candidate) -> str:
    """A mark and the reason, in few words."""
    if row.ok is not None:
        return f"✓ yes: {plain(row.why)}" if row.ok else f"✗ {plain(row.why)}"
    if row.kind == "not read":
        return "· read when it is in view" if row.hopeful else "· not read"
    if not row.keys:
        return f"✗ {plain(row.why)}"
    return f"? {plain(row.why)}" if row.why else "… asking the server"


def until(days: int) -> str:
    """Days left, as a person says it."""
    if days < 0:
        return "expired"
    if days >= 3 * 365:
        return f"in {days // 365} y"
    return f"in {days} d"


# ---- one row, in words ---------------------------------------------------------------------------------------------


def outlined(row: Candidate, search: Search) -> Text:
    """A Secret by what is known of its keys."""
    chosen = f" · {', '.join(map(plain, row.keys))}" if row.keys else ""
    keys = ", ".join(plain(key, 60) for key in (*row.keys, *row.others)[:12])
    lines = [f"{row.kind}; its keys: {keys} (values are not shown)" if keys else str(row.kind)]
    if row.kind == "not read":
        lines.append("It is read when it comes into view, or when you select it.")
    elif row.why:
        lines.append(plain(row.why, 400))
    if row.kind == "other keys" and search.purpose != "ca" and row.others:
        usual = ",".join(f"KEY{number}" for number, _ in enumerate(candidates.usual_keys(search), start=1))
        lines.append(f"To use its keys anyway: F6, then {plain(row.place)}/{usual}")
    if row.keys and search.purpose == "s3" and row.namespace != search.namespace:
        lines.append(f"It will be mirrored into namespace {search.namespace}.")
    return _lines(f"{plain(row.place)}{chosen}", lines)


def _lines(head: str, lines: Iterable[str]) -> Text:
    text = Text(head, "bold")
    text.append("\n" + "\n".join(lines), "not bold")
    return text


def certified(row: Candidate, search: Search, served: Served | str | None, today: datetime | None) -> Text:
    """A certificate, with what the server says to it."""
    first, bundle = row.first, row.bundle
    if first is None or bundle is None:
        return Text("")
    subject = plain(first.subject, 120) or "no subject"
    signed = "" if first.self_signed else f", signed by {plain(first.issuer, 120)}"
    more = [plain(other.subject, 60) for other in bundle.certificates[1:4]]
    names = [*first.dns_names[:4], *first.ip_addresses[:2]]
    count = len(first.dns_names) + len(first.ip_addresses) + first.other_names
    left = f", … {count:,} in all" if count > len(names) else ""
    ends = f" ({until(first.days_left(today))})" if today else ""
    times = f"{first.not_before:%Y-%m-%d} to {first.not_after:%Y-%m-%d}{ends}"
    lines = [
        f"{subject}{signed}" + (f", with {', '.join(more)}" if more else ""),
        f"SANs {plain(', '.join(names), 160) or 'none'}{left}",
        f"{first.key_type} · {'CA' if first.is_ca else 'not a CA'} · {times} · sha256 {first.sha256[:17]}…",
        verdict(row),
        _sent(row, search, served),
    ]
    if row.ok:
        lines.append(f"It will be mirrored into namespace {search.namespace}, and compared at each upgrade.")
    return _lines(f"{plain(row.place)} · {plain(row.keys[0])}", lines)


def whole(row: Candidate) -> Iterator[str]:
    """Everything that is known of a row."""
    yield plain("/".join([row.place, *row.keys]), 1_000)
    yield f"{row.kind}: {plain(row.why, 1_000)}" if row.why else str(row.kind)
    for one in row.bundle.certificates if row.bundle else ():
        yield ""
        yield f"subject      {plain(one.subject, 1_000) or 'none'}"
        yield f"issuer       {plain(one.issuer, 1_000) or 'none'}"
        for name in (*one.dns_names, *one.ip_addresses):
            yield f"SAN          {plain(name, 300)}"
        yield f"valid        {one.not_before:%Y-%m-%d %H:%M} to {one.not_after:%Y-%m-%d %H:%M} UTC"
        yield f"key          {one.key_type}, {'CA' if one.is_ca else 'not a CA'}"
        yield f"serial       {one.serial}"
        yield f"sha256       {one.sha256}"


def _sent(row: Candidate, search: Search, served: Served | str | None) -> str:
    if served is None:
        return f"Asking {plain(search.endpoint)} what it sends …"
    if isinstance(served, str):
        return f"What the server sends is not known: {plain(served, 400)}"
    chain = served.chain.certificates
    own = chain[0]
    count = f"{len(chain)} certificate{'s' if len(chain) != 1 else ''}"
    same = row.first is not None and own.sha256 == row.first.sha256
    signed = "self-signed" if own.self_signed else f"signed by {plain(own.issuer, 80)}"
    what = ", the same as this" if same else f": {plain(own.subject, 80)}"
    return f"The server sends {count}, {signed}{what}.  {served.tls}, handshake in {served.seconds * 1000:.0f} ms."
