"""Printable text."""

from __future__ import annotations

import pytest

from pgwizard.text import time_text


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        ("2026-11-27T22:00:04.5+01:00", "2026-11-27 21:00:04 UTC"),
        ("", ""),
        ("soon\x1b[2J", "soon [2J"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_time_is_shown_in_utc_and_anything_else_made_plain(timestamp: str, text: str) -> None:
    assert time_text(timestamp) == text
