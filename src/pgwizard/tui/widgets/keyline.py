"""The keys at the foot of every screen: one line of text that shows what works here and now, and can be clicked.

Textual's ``Footer`` makes a widget of each key again at every step from question to question: 35 ms, even behind
another screen. It does not know what any key does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

DIVIDER = "▏"


@dataclass(frozen=True, slots=True)
class _Key:
    """common: it stays in sight, as the way back, the way out and the help do."""

    key: str
    label: str
    does: str
    is_enabled: bool
    common: bool

    @property
    def width(self) -> int:
        return cell_len(f" {self.label} {self.does} ")

    def text(self, key: Style, does: Style) -> Text:
        click = Style(meta={"@click": f"app.simulate_key({self.key!r})"}, dim=not self.is_enabled)
        return Text.assemble((f" {self.label} ", key + click), (f"{self.does} ", does + click))


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
        self._visible_keys: list[_Key] = []
        self._palette: _Key | None = None
        self._late = False

    def on_mount(self) -> None:
        """Follow the screen's keys."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def _follow(self, screen: Screen[object]) -> None:
        # what is behind another screen is not used; it is called again when that screen comes back
        if screen.is_active and not self._late:
            self._late = True
            self.call_after_refresh(self._catch_up)

    def _catch_up(self) -> None:
        self._late = False
        keys, palette, keys_before = [], None, set[tuple[DOMNode, str]]()
        for node, binding, is_enabled, _ in self.screen.active_bindings.values():
            display = self.app.get_key_display(binding)
            common = node is self.app or binding.key == "escape"
            entry = _Key(binding.key, display, binding.description, is_enabled, common)
            if binding.action == "command_palette":
                palette = entry
            elif binding.show and (node, binding.action) not in keys_before:
                keys_before.add((node, binding.action))
                keys.append(entry)
        if (keys, palette) != (self._visible_keys, self._palette):
            self._visible_keys, self._palette = keys, palette
            self.refresh()

    def render(self) -> Text:
        """The line, as wide as the screen."""
        key, does = (self.get_component_rich_style(f"keys--{part}", partial=True) for part in ("key", "does"))
        text = Text(no_wrap=True, overflow="ellipsis")
        for entry in self._fitting():
            text.append_text(entry.text(key, does))
        if self._palette is not None:
            palette = self._palette.text(key, does)
            room = self.size.width - cell_len(text.plain) - cell_len(palette.plain) - 1
            if room >= 0:
                text.append(" " * room).append(DIVIDER, does + Style(dim=True)).append_text(palette)
        return text

    def _fitting(self) -> list[_Key]:
        """What there is room for: the common ones stay, and the help has all of them."""
        own_keys = [entry for entry in self._visible_keys if not entry.common]
        common = [entry for entry in self._visible_keys if entry.common]
        while own_keys and sum(entry.width for entry in (*own_keys, *common)) > self.size.width:
            own_keys.pop()
        return [*own_keys, *common]
