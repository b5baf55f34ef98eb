"""The page of a restore in a real terminal against a real release; what is compared is what the table holds."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from support.archives import archive, write
from support.live_releases import Site, site
from support.painted_terminals import NEEDS_TMUX, PaintedTerminal, terminal
from support.rigtools import KUBECONFIG, LIVE, LONG

pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, NEEDS_TMUX]


@pytest.fixture(scope="module")
def place(kubectl_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A release; each test has a table of its own."""
    with site(kubectl_binary, tmp_path_factory.mktemp("release")) as found:
        found.apply()
        yield found


def arguments(place: Site) -> tuple[str, ...]:
    return "status", "postgresql", f"--namespace={place.kubectl.namespace}", f"--kubeconfig={KUBECONFIG}"


def moment(place: Site) -> str:
    return place.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")


@LONG
def test_a_preview_is_opened_by_f8_shows_psql_the_dropped_table_moves_forward_and_leaves_nothing(place: Site) -> None:
    place.sql("CREATE TABLE dropped AS SELECT generate_series(1, 3) AS n")
    archive(place)
    before = moment(place)
    place.sql("INSERT INTO dropped VALUES (4)")
    later = moment(place)
    place.sql("DROP TABLE dropped")
    archive(place)
    with terminal(place.folder, 80, 24, arguments(place)) as page:
        page.shows("RECOVERABLE")
        page.press("R")
        page.shows("Target the newest state")
        page.press("C-u", before)
        page.shows("Loses")
        page.press("Enter")
        page.shows("Type the release's name, postgresql, and press Enter")
        page.press("F8")
        page.shows("The preview shows")
        assert rows_seen(page, "first") == "1,2,3"

        page.press("t")
        page.shows("Press Enter to move the preview")
        page.press("C-u", later, "Enter")
        page.shows(f"The preview shows {later.replace('T', ' ').rstrip('0Z')}")
        assert rows_seen(page, "later") == "1,2,3,4"

        page.press("x")
        page.shows("Press Enter to go on")
        assert "preview" not in place.kubectl.run("get", "jobs,pods,persistentvolumeclaims")[0].decode()
        assert place.sql("SELECT to_regclass('dropped') IS NULL") == "t", "the database is as it was"
        page.press("C-q")
        page.until("it has ended", lambda: not page.alive)


def rows_seen(page: PaintedTerminal, label: str) -> str:
    """What the dropped table holds by psql, which the page opens and which gives the terminal back.

    label: of the answer, as the terminal still shows what an earlier psql has printed.
    """
    page.press("p")
    page.shows("myapp=#")
    page.press(f"SELECT '{label} ' || string_agg(n::text, ',' ORDER BY n) FROM dropped \\g", "Enter")
    answer = re.compile(rf"^ {label} (\S+)$", re.MULTILINE)
    page.until(f"the {label} answer is shown", lambda: answer.search(page.screen) is not None)
    [rows] = answer.findall(page.screen)
    page.press("\\q", "Enter")
    page.shows("The preview shows")
    return str(rows)


def test_a_time_is_typed_in_the_page_confirmed_and_reached_and_undone_in_a_larger_terminal(place: Site) -> None:
    place.sql("CREATE TABLE moments (n int)")
    write(place, 1)
    before = moment(place)
    write(place, 2)
    with terminal(place.folder, 80, 24, arguments(place)) as page:
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
