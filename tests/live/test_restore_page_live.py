"""The page of a restore in a real terminal against a real release; what is compared is what the table holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.archives import write
from support.live_releases import Site, site
from support.painted_terminals import NEEDS_TMUX, terminal
from support.rigtools import KUBECONFIG, LIVE

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, NEEDS_TMUX]


@pytest.fixture
def place(kubectl_binary: str, tmp_path: Path) -> Iterator[Site]:
    with site(kubectl_binary, tmp_path) as found:
        found.apply()
        found.sql("CREATE TABLE moments (n int)")
        yield found


def test_a_time_is_typed_in_the_page_confirmed_and_reached_and_undone_in_a_larger_terminal(place: Site) -> None:
    write(place, 1)
    before = place.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    write(place, 2)
    arguments = ("status", "postgresql", f"--namespace={place.kubectl.namespace}", f"--kubeconfig={KUBECONFIG}")
    with terminal(place.folder, 80, 24, arguments) as page:
        page.shows("RECOVERABLE")
        page.press("R")
        page.shows("Target the newest state")
        page.press("C-u", before)
        page.shows(f"Target {before.replace('T', ' ').rstrip('0Z')}")
        page.shows("Loses")
        page.press("Enter")
        page.shows("Type the release's name, postgresql, and press Enter")
        page.press("postgresql", "Enter")
        done = page.shows("is restored to")
        assert [line.split()[1] for line in done.splitlines() if line.startswith(" ✓ ")][:2] == ["restore", "suspend"]
        assert "timeline 2, before" in done
        assert "last commit" in done
        assert rows_of(place) == "1"

        page.resize(120, 40)
        page.press("F7")
        page.shows("Target the newest state of timeline 1")
        page.press("postgresql", "Enter")
        page.shows("is restored to the newest state of timeline 1")
        assert rows_of(place) == "1,2"
        page.press("Enter")
        page.shows("RECOVERABLE")
        page.press("C-q")
        page.until("it has ended", lambda: not page.alive)


def rows_of(place: Site) -> str:
    return place.sql("SELECT string_agg(n::text, ',' ORDER BY n) FROM moments")
