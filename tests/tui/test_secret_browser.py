"""The browser of Secrets, driven by a pilot on a simulated cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Literal

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static
from textual.worker import WorkerCancelled

from pgwizard.clock import utc_now
from pgwizard.endpoint import Endpoint
from pgwizard.errors import Unreachable
from pgwizard.kube.api import Cluster
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault
from pgwizard.tls.names import Rules
from pgwizard.tui.app import WizardApp
from pgwizard.tui.screens.secret_browser import SecretBrowser
from pgwizard.tui.secret_choice import SecretChoice
from pgwizard.tui.secret_feed import REPAINT_SECONDS
from pgwizard.tui.start import Start
from pgwizard.tui.widgets import candidate_text
from pgwizard.tui.widgets.browser_parts import Filter
from pgwizard.tui.widgets.keyline import KeyLine
from pgwizard.tui.widgets.secret_list import fit_cell
from pgwizard.wizard import browse as wizard_browse
from pgwizard.wizard import candidates
from pgwizard.wizard.candidate_index import CandidateIndex
from pgwizard.wizard.candidates import Candidate
from support import simtime
from support.faulting import cluster as simulated
from support.screens import notices, opened, painted, press, settled, until

Scenario = Callable[[Pilot[int], SecretBrowser], Awaitable[None]]
NOTHING = "nothing yet"
ENDPOINT = Endpoint("https", "minio.minio.svc", 9000)
ARGUMENTS: tuple[Literal["ca"], Endpoint, str, tuple[str, str], Rules] = ("ca", ENDPOINT, "default", ("", ""), Rules())


def driven(
    scenario: Scenario,
    *arguments: Any,
    size: tuple[int, int] = (120, 40),
    prepare: Callable[[SimCluster], None] = lambda _: None,
    done: bool = True,
    first: Callable[[Pilot[int], SecretBrowser], Awaitable[None]] | None = None,
) -> list[SecretChoice | str | None]:
    """Open the browser over an empty screen, wait until all is read, play the scenario; what the browser ended with.

    first: before it is opened.
    """
    ended: list[SecretChoice | str | None] = []

    async def connect(stack: AsyncExitStack) -> Cluster:
        sim = await stack.enter_async_context(simulated())
        prepare(sim)
        return sim

    async def main() -> None:
        app = WizardApp(Start(connect, lambda _path, _text: None, utc_now, screen="textual.screen:Screen", demo=True))
        async with opened(app, size) as pilot:
            await until(pilot, lambda: app.connection.cluster is not None)
            browser = SecretBrowser(*arguments, *ARGUMENTS[len(arguments) :])
            if first is not None:
                await first(pilot, browser)
            await app.push_screen(browser, ended.append)
            if done:
                await searched(pilot, browser)
            await scenario(pilot, browser)
            await settled(pilot)

    simtime.run(main())
    return ended


async def searched(pilot: Pilot[int], browser: SecretBrowser) -> None:
    """The search has ended, and what it found last is listed."""
    await until(pilot, lambda: browser.feed.secrets.state in {"done", "failed"})
    await asyncio.sleep(REPAINT_SECONDS)
    await settled(pilot)


def text(browser: SecretBrowser, name: str) -> str:
    return str(browser.query_one(f"#{name}", Static).render())


def places(browser: SecretBrowser) -> list[str]:
    return [row.place for row in browser.feed.secrets.findings.visible_rows]


async def move_to(pilot: Pilot[int], browser: SecretBrowser, place: str) -> Candidate:
    while browser.listing.row is None or browser.listing.row.place != place:
        before = browser.listing.cursor
        await press(pilot, "down")
        assert browser.listing.cursor != before, f"{place} is not in the list"
    return browser.listing.row


def test_the_best_candidate_is_first_and_enter_chooses_it() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        row = browser.listing.row
        assert row is not None
        assert row.place == "minio/minio-tls"
        assert text(browser, "question") == "Which certificate should pgBackRest trust for minio.minio.svc:9000 ?"
        assert "The server sends 1 certificate, self-signed, the same as this.  TLS 1.3" in text(browser, "detail")
        await press(pilot, "enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, SecretBrowser))

    assert driven(scenario) == [SecretChoice("minio", "minio-tls", ("tls.crt",))]


def test_the_details_of_a_certificate_are_copied_whole() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        row = browser.listing.row
        assert row is not None
        assert row.first is not None
        await press(pilot, "f8")
        copied = pilot.app.clipboard
        assert copied.startswith(
            "minio/minio-tls/tls.crt\nself-signed: this very certificate is what the server sends\n"
        )
        assert f"sha256       {row.first.sha256}\n" in copied
        assert copied.count("SAN  ") == len(row.first.dns_names) + len(row.first.ip_addresses)
        assert "PRIVATE" not in copied

    driven(scenario)


def test_copied_text_can_be_written_to_a_file() -> None:
    async def scenario(pilot: Pilot[int], _: SecretBrowser) -> None:
        await press(pilot, "f9")
        assert "Write minio/minio-tls to which file?" in painted(pilot)
        assert "minio-tls.txt" in painted(pilot)

    driven(scenario)


def test_a_certificate_that_would_not_verify_is_chosen_by_a_second_enter() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        await move_to(pilot, browser, "cert-manager/root-ca")
        await press(pilot, "enter")
        await until(pilot, lambda: any("Enter again selects it" in notice for notice in notices(pilot)))
        assert pilot.app.screen is browser
        await press(pilot, "enter")
        await until(pilot, lambda: pilot.app.screen is not browser)

    assert driven(scenario) == [SecretChoice("cert-manager", "root-ca", ("tls.crt",))]


def test_escape_closes_the_browser_without_a_choice() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        await press(pilot, "escape")

    assert driven(scenario) == [None]


def test_typing_filters_the_list_and_escape_clears_the_filter() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        every = len(places(browser))
        await press(pilot, *"tenant-3")
        assert places(browser) == ["ingress-nginx/tenant-3-tls"]
        assert text(browser, "counts").startswith(f"1 of {every} match the filter")
        await press(pilot, *" nowhere")
        assert text(browser, "detail") == "Nothing matches the filter. Esc clears it."
        await press(pilot, "escape")
        assert len(places(browser)) == every
        assert pilot.app.screen is browser

    driven(scenario)


def test_promising_rows_are_read_when_they_come_into_view() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        await until(
            pilot, lambda: browser.feed.secrets.findings.by_place["cert-manager", "trust-bundle"][0].kind == "CA"
        )
        assert browser.feed.secrets.findings.by_place["cert-manager", "trust-bundle"][0].keys == ("ca.crt",)
        assert browser.feed.secrets.findings.by_place["default", "api-token"][0].kind == "not read"

    driven(scenario)


def test_the_row_under_the_cursor_stays_there_while_others_come() -> None:
    findings = CandidateIndex()
    findings.learn([Candidate("b", "b", "CA", rank=30)])
    findings.arrange()
    here = findings.visible_rows[0]
    findings.learn([Candidate("a", "a", "CA", rank=0), Candidate("c", "c", "CA", rank=40)])
    findings.arrange()
    assert [row.place for row in findings.visible_rows] == ["a/a", "b/b", "c/c"]
    assert findings.place_of(here) == 1
    findings.learn(
        [Candidate("b", "b", "CA", ("ca.crt",), rank=50), Candidate("b", "b", "leaf", ("tls.crt",), rank=60)]
    )
    findings.arrange("b/ CA")
    assert [row.keys for row in findings.visible_rows] == [("ca.crt",)]


def test_rows_that_came_before_the_browser_are_shown_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[candidates.Search] = []
    browse = wizard_browse.browse

    def counted(cluster: Cluster, search: candidates.Search, *more: Any) -> Any:
        searches.append(search)
        return browse(cluster, search, *more)

    monkeypatch.setattr(wizard_browse, "browse", counted)

    async def first(pilot: Pilot[int], browser: SecretBrowser) -> None:
        browser.begin()
        await until(pilot, lambda: browser.feed.secrets.state == "done")

    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        def below() -> int:
            return len(browser.listing.rows) - browser.listing.size.height

        assert list(browser.listing.rows) == browser.feed.secrets.findings.visible_rows != []
        await until(pilot, lambda: text(browser, "counts").startswith(f"{below()} more in 7 namespaces · DEMO"))
        assert searches == [browser.search]

    driven(scenario, first=first, done=False)


def test_a_change_by_a_key_is_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[str] = []

    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        def display(_: object, lines: Any) -> None:
            painted.append(lines.render_segments(pilot.app.console) if lines is not None else "")

        monkeypatch.setattr(pilot.app, "_display", display)
        browser.listing.move(1)
        await until(pilot, lambda: f"▸ {browser.feed.secrets.findings.visible_rows[1].place}" in "".join(painted))
        await press(pilot, *"zz")
        assert "Nothing matches the filter" in "".join(painted)

    driven(scenario)


def test_denied_is_not_empty_and_not_failed() -> None:
    def deny(sim: SimCluster) -> None:
        sim.rules.deny("list", "secrets")

    async def denied(pilot: Pilot[int], browser: SecretBrowser) -> None:
        assert "10 namespaces may not be read (why: F7)" in text(browser, "counts")
        assert "You can still type a name: F6" in text(browser, "detail")
        await press(pilot, "f7")
        assert "shop: Secrets may not be listed there. Check: kubectl -n shop auth can-i list secrets" in painted(pilot)
        await press(pilot, "escape")
        assert pilot.app.screen is browser

    async def empty(_: Pilot[int], browser: SecretBrowser) -> None:
        assert text(browser, "detail") == "There is no Secret in this namespace kube-public. You can type a name: F6"

    async def failed(_: Pilot[int], browser: SecretBrowser) -> None:
        assert browser.feed.secrets.state == "failed"
        assert text(browser, "detail").startswith("The list could not be read: ")

    driven(denied, prepare=deny)
    driven(empty, "database", ENDPOINT, "kube-public")
    driven(failed, prepare=lambda sim: setattr(sim, "faults", [Fault("401", times=None, resource="secrets")]))


def test_before_there_is_a_cluster_it_says_so() -> None:
    released = asyncio.Event()

    async def refused(_: AsyncExitStack) -> Cluster:
        await released.wait()
        raise Unreachable("no kubeconfig")

    async def main() -> None:
        app = WizardApp(Start(refused, lambda _path, _text: None, utc_now, screen="textual.screen:Screen"))
        async with opened(app, size=(120, 40)) as pilot:
            await until(pilot, lambda: len(app.screen_stack) == 2)
            browser = SecretBrowser(*ARGUMENTS)
            await app.push_screen(browser)
            assert text(browser, "counts") == "connecting to the cluster …"
            released.set()
            await until(pilot, lambda: text(browser, "counts") == "not connected: no kubeconfig")

    simtime.run(main())


async def typed(pilot: Pilot[int], browser: SecretBrowser, name: str) -> None:
    await press(pilot, "f6")
    browser.query_one("#typed", Input).value = name
    await press(pilot, "enter")


def test_a_name_can_be_typed() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        await typed(pilot, browser, "minio/minio-tls")
        await until(pilot, lambda: pilot.app.screen is not browser)

    assert driven(scenario) == [SecretChoice("minio", "minio-tls", ("tls.crt",))]


def test_the_name_of_an_unreadable_secret_is_accepted() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        await typed(pilot, browser, "shop/hidden/ca.crt")
        await until(pilot, lambda: pilot.app.screen is not browser)

    def deny(sim: SimCluster) -> None:
        sim.rules.deny("*", "secrets", "shop")
        sim.faults = [lambda r: "403" if r.verb == "get" and r.namespace == "shop" else None]

    assert driven(scenario, prepare=deny) == [SecretChoice("shop", "hidden", ("ca.crt",))]


@pytest.mark.parametrize("name", ["shop/never", "A B", "shop/database", "minio/minio-tls/other.crt"])
def test_an_invalid_name_is_refused_in_place(name: str) -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        await typed(pilot, browser, name)
        await until(pilot, lambda: notices(pilot) != [])
        assert pilot.app.screen is browser
        assert browser.query("#typed")
        await press(pilot, "escape")
        assert not browser.query("#typed")

    assert driven(scenario) == []


class Gate:
    """A function of ``discovery`` that does its work only once it may; how often it was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.calls = 0
        self._open = asyncio.Event()
        self._behind = getattr(wizard_browse, name)
        monkeypatch.setattr(wizard_browse, name, self)

    async def __call__(self, *given: Any) -> Any:
        self.calls += 1
        await self._open.wait()
        return await self._behind(*given)

    def open(self) -> None:
        self._open.set()


async def quiet(browser: SecretBrowser) -> None:
    """Whatever was chosen has come to its end."""
    for worker in [worker for worker in browser.workers if worker.group == "choose" and not worker.is_finished]:
        with contextlib.suppress(WorkerCancelled):
            await worker.wait()


def test_escape_while_a_typed_name_is_read_closes_the_field_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        gate = Gate(monkeypatch, "contents")
        await typed(pilot, browser, "minio/minio-tls")
        await until(pilot, lambda: gate.calls > 0)
        await press(pilot, "escape")
        assert not browser.query("#typed")
        gate.open()
        await quiet(browser)
        await settled(pilot)
        assert pilot.app.screen is browser

    assert driven(scenario) == []


def test_a_running_try_is_shown_and_a_second_enter_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        gate = Gate(monkeypatch, "confirm")
        await press(pilot, "enter", "enter", "enter")
        await until(pilot, lambda: gate.calls > 0)
        assert text(browser, "counts") == "trying minio/minio-tls on minio.minio.svc:9000 …"
        await press(pilot, "enter")
        gate.open()
        await until(pilot, lambda: pilot.app.screen is not browser)
        assert gate.calls == 1

    assert driven(scenario) == [SecretChoice("minio", "minio-tls", ("tls.crt",))]


def test_moving_the_cursor_during_a_try_chooses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        gate = Gate(monkeypatch, "confirm")
        await press(pilot, "enter")
        await until(pilot, lambda: gate.calls > 0)
        await press(pilot, "down")
        gate.open()
        await quiet(browser)
        await settled(pilot)
        assert pilot.app.screen is browser
        assert "trying" not in text(browser, "counts")

    assert driven(scenario) == []


def test_a_typed_name_that_the_filter_hides_is_the_one_that_enter_chooses() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        await press(pilot, *"minio-tls")
        await typed(pilot, browser, "cert-manager/root-ca")
        await until(pilot, lambda: any("Enter again selects it" in notice for notice in notices(pilot)))
        assert browser.query_one(Filter).value == ""
        await press(pilot, "enter")
        await until(pilot, lambda: pilot.app.screen is not browser)

    assert driven(scenario) == [SecretChoice("cert-manager", "root-ca", ("tls.crt",))]


def test_certificates_read_before_the_handshake_get_their_verdict_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch, "ask_endpoint")

    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        def bundle() -> Candidate:
            return browser.feed.secrets.findings.by_place["cert-manager", "trust-bundle"][0]

        await until(pilot, lambda: ("cert-manager", "trust-bundle") in browser.feed.secrets.findings.by_place)
        await until(pilot, lambda: bundle().bundle is not None)
        assert bundle().ok is None
        gate.open()
        await until(pilot, lambda: browser.feed.secrets.state == "done" and bundle().ok is False)

    driven(scenario, done=False)


def test_a_failed_list_is_not_shown_as_empty() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        assert text(browser, "detail").startswith("Not everything could be read: namespace default: ")

    fault = Fault("500", "list", "secrets", times=None)
    driven(scenario, "database", ENDPOINT, "default", prepare=lambda sim: setattr(sim, "faults", [fault]))


def test_read_again_begins_with_the_best_one() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        await press(pilot, "down", "down", "f5")
        await searched(pilot, browser)
        row = browser.listing.row
        assert row is not None
        assert row.place == "minio/minio-tls"

    driven(scenario)


def test_without_a_connection_a_name_is_accepted_and_f5_connects() -> None:
    tries = []

    async def refused(_: AsyncExitStack) -> Cluster:
        tries.append(1)
        raise Unreachable("no connection to https://10.0.0.9:6443: connection refused")

    ended: list[SecretChoice | None] = []

    async def main() -> None:
        app = WizardApp(Start(refused, lambda _path, _text: None, utc_now, screen="textual.screen:Screen"))
        async with opened(app, size=(120, 40)) as pilot:
            await until(pilot, lambda: app.connection.trouble is not None)
            browser = SecretBrowser(*ARGUMENTS)
            await app.push_screen(browser, ended.append)
            await press(pilot, "f5")
            await until(pilot, lambda: len(tries) == 2 and app.connection.trouble is not None)
            await typed(pilot, browser, "shop/our-ca/ca.crt")
            await until(pilot, lambda: bool(ended))

    simtime.run(main())
    assert ended == [SecretChoice("shop", "our-ca", ("ca.crt",))]


def test_credentials_show_their_keys_and_never_a_value() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        await press(pilot, *"s3-backup")
        await until(pilot, lambda: "AWS_SECRET_ACCESS_KEY" in text(browser, "detail"))
        picture = pilot.app.export_screenshot()
        assert "demo-shop" not in picture
        await press(pilot, "enter")
        await until(pilot, lambda: pilot.app.screen is not browser)

    assert driven(scenario, "s3") == [SecretChoice("shop", "s3-backup", ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))]


def test_the_keys_of_a_key_pair_can_be_typed() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        await typed(pilot, browser, "grafana-admin/admin-user,admin-password")
        await until(pilot, lambda: pilot.app.screen is not browser)

    keys = ("admin-user", "admin-password")
    assert driven(scenario, "database", ENDPOINT, "monitoring") == [SecretChoice("monitoring", "grafana-admin", keys)]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (220, 60), (40, 12)])
def test_hostile_names_are_lines_like_others_at_every_size(size: tuple[int, int]) -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        await press(pilot, *"hostile")
        lines = [
            "".join(segment.text for segment in browser.listing.render_line(number))
            for number in range(browser.listing.size.height)
        ]
        width = browser.listing.scrollable_content_region.width
        assert {len(line) for line in lines} == {width}
        assert all(line.isprintable() for line in lines)
        assert text(browser, "detail").replace("\n", "").isprintable()

    driven(scenario, size=size)


def test_help_is_the_application_s() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        await press(pilot, "f1")
        assert pilot.app.screen is not browser
        await press(pilot, "escape")
        assert pilot.app.screen is browser
        await settled(pilot)
        assert str(browser.query_one(KeyLine).render()).startswith(
            " Enter choose  F5 reload  F6 type a name  F7 why denied  F8 copy  Esc back  Ctrl+Q quit  F1 help "
        )

    driven(scenario)


def test_words() -> None:
    assert [candidate_text.days_text(days) for days in (-1, 0, 824, 1095)] == [
        "expired",
        "in 0 d",
        "in 824 d",
        "in 3 y",
    ]
    assert [fit_cell("abcd", size) for size in (0, 4, 5, 6)] == ["", "ab… ", "abcd ", "abcd  "]


def test_of_ten_thousand_rows_the_last_is_a_key_away_and_a_filter_reaches_each() -> None:
    async def scenario(pilot: Pilot[int], browser: SecretBrowser) -> None:
        browser.feed.secrets.findings.learn(
            Candidate(f"ns-{n % 20}", f"secret-{n}", "not read", rank=80) for n in range(10_000)
        )
        await press(pilot, "s", "backspace")  # a filter lists them
        await press(pilot, "end")
        assert browser.listing.cursor == len(browser.feed.secrets.findings.visible_rows) - 1
        await press(pilot, "home", *"secret-9999")
        assert [row.secret for row in browser.feed.secrets.findings.visible_rows] == ["secret-9999"]

    driven(scenario)
