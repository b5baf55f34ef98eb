"""The keys at the foot of every screen: one line of text that shows what works here and now, and can be clicked.

Textual's ``Footer`` makes a widget of each key, anew at every step from question to question: 35 ms, even behind
another screen. It refuses to know what any key does.
"""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.screen import Screen
from textual.widget import Widget

DIVIDER = "▏"
APPLICATION_S = 2
"""Keys that every screen has: to quit, and for help."""


class KeyLine(Widget):
    """``key what it does`` for each binding that is shown; the palette's at the right, where there is room for it."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--key", "keys--does"}
    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; color: $footer-foreground; background: $footer-background;
        link-style: none; link-background: transparent; link-style-hover: none; }
    KeyLine > .keys--key { color: $footer-key-foreground; background: $footer-key-background; text-style: bold; }
    KeyLine > .keys--does { color: $footer-description-foreground; background: $footer-description-background; }
    """

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._shown: list[tuple[str, str, str, bool]] = []
        self._palette: tuple[str, str, str, bool] | None = None
        self._late = False

    def on_mount(self) -> None:
        """Follow the screen's keys."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def _follow(self, screen: Screen[object]) -> None:
        # what is behind another screen is not used; it is told anew when it comes back
        if screen.is_active and not self._late:
            self._late = True
            self.call_after_refresh(self._catch_up)

    def _catch_up(self) -> None:
        self._late = False
        screen = self.screen
        shown, palette, seen = [], None, set()
        for _, binding, enabled, _ in screen.active_bindings.values():
            entry = binding.key, self.app.get_key_display(binding), binding.description, enabled
            if binding.action == "command_palette":
                palette = entry
            elif binding.show and binding.action not in seen:
                seen.add(binding.action)
                shown.append(entry)
        if (shown, palette) != (self._shown, self._palette):
            self._shown, self._palette = shown, palette
            self.refresh()

    def render(self) -> Text:
        """The line, as wide as the screen."""
        key, does = (self.get_component_rich_style(f"keys--{part}", partial=True) for part in ("key", "does"))
        text = Text(no_wrap=True, overflow="ellipsis")
        for entry in self._fitting():
            text.append_text(_entry(entry, key, does))
        if self._palette is not None:
            palette = _entry(self._palette, key, does)
            room = self.size.width - cell_len(text.plain) - cell_len(palette.plain) - 1
            if room >= 0:
                text.append(" " * room).append(DIVIDER, does + Style(dim=True)).append_text(palette)
        return text

    def _fitting(self) -> list[tuple[str, str, str, bool]]:
        """What there is room for: the last ones, those of the whole application, stay; the help has all of them."""
        kept, last = self._shown[:-APPLICATION_S], self._shown[-APPLICATION_S:]
        while kept and sum(cell_len(f" {shown} {does} ") for _, shown, does, _ in (*kept, *last)) > self.size.width:
            kept = kept[:-1]
        return [*kept, *last]


def _entry(entry: tuple[str, str, str, bool], key: Style, does: Style) -> Text:
    name, shown, description, enabled = entry
    click = Style(meta={"@click": f"app.simulate_key({name!r})"}, dim=not enabled)
    return Text.assemble((f" {shown} ", key + click), (f"{description} ", does + click))
