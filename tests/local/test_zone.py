"""The time zone of this machine."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from pgwizard.local.zone import local_zone


@pytest.mark.parametrize(("name", "hours"), [("Europe/Berlin", 1), (":Europe/Berlin", 1), ("UTC", 0), ("No/Where", 0)])
def test_the_variable_tz_names_the_zone_and_an_unknown_one_is_utc(
    name: str, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", name)
    assert datetime(2026, 12, 1, tzinfo=local_zone()).utcoffset() == timedelta(hours=hours)
