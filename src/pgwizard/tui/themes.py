"""How pgwizard is coloured: dark, light, high contrast. Colours repeat what marks and words say, never more."""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

DARK, LIGHT, CONTRAST = "textual-dark", "textual-light", "high-contrast"
THEMES = (
    Theme(
        name=CONTRAST,
        primary="#ffff00",
        secondary="#00ffff",
        accent="#ffffff",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#303030",
        boost="#303030",
        success="#00ff00",
        warning="#ffff00",
        error="#ff8080",
        dark=True,
        variables={"text-muted": "#ffffff", "text-disabled": "#c0c0c0", "footer-key-foreground": "#ffff00"},
    ),
)
_NAMES = {"dark": DARK, "light": LIGHT, "contrast": CONTRAST}


def theme_from(environment: Mapping[str, str], default: str) -> str:
    """The theme that PGWIZARD_THEME names: dark, light or contrast."""
    return _NAMES.get(environment.get("PGWIZARD_THEME", ""), default)


def next_theme(theme: str) -> str:
    """The next one in turn."""
    names = list(_NAMES.values())
    return names[(names.index(theme) + 1) % len(names)] if theme in names else DARK
