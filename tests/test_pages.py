"""Every page and every screen as a golden picture: in two sizes, dark and light, empty, filled, wrong and loading.

The golden files are those of ``screenshots/``. Each scene opens the application once, in leaping time, and takes many.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from faulting import answers_of
from pages import NOW, SCREENSHOTS, SIZES, Camera, Moment, Remote, Scene, played, steady
from pgwizard.answers import schema
from pgwizard.answers.questions import Answers
from pgwizard.errors import Unreachable
from pgwizard.kube.api import Cluster, ExecResult
from pgwizard.local.autosave import Drafts, Left
from pgwizard.release import apply
from pgwizard.release.changes import Change
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, Outcome
from pgwizard.tui.pages.panels import PANELS as WITH_PANEL
from pgwizard.tui.screens.apply import Apply
from pgwizard.tui.screens.messages import Messages
from pgwizard.tui.screens.secret_browser import SecretBrowser
from pgwizard.tui.screens.status import Dashboard
from pgwizard.tui.screens.wizard import MIDDLE, Wizard
from pgwizard.tui.start import Connect, Place, Start
from pgwizard.tui.widgets.dialogs import Ask, Help, Line, Offer, Pick, TextWindow

QUESTIONS = tuple(page.lower() for page in schema.pages())
PAGES = ("connect", *QUESTIONS, "review")
PANELS = tuple(f"{page.lower()}-panel" for page in WITH_PANEL)
SHOP: dict[str, Any] = {
    "release": {"namespace": "shop", "database": "shop"},
    "storage": {"size": "50Gi"},
    "tuning": {"profile": "oltp", "memory": "4Gi", "cpu": 4, "parameters": {"log_min_duration_statement": "250"}},
    "repository": {"path": "/shop", "credentials": {"from": "existing", "namespace": "default"}},
    "schedule": {"timeZone": "Europe/Berlin"},
    "retention": {"full": 4},
}
SHOP["repository"]["credentials"]["secret"] = "postgresql-pgbackrest-s3"
WRONG: dict[str, Any] = {
    "release": {"name": "Post_gres", "database": "my shop"},
    "storage": {"size": "20GB"},
    "tuning": {"memory": "64Mi", "connections": 0, "parameters": {"shared_bufers": "1GB"}},
    "repository": {"endpoint": "http://minio:9000", "bucket": "Back_ups", "path": "shop"},
    "tls": {"source": {"namespace": "MinIO", "secret": "minio tls"}},
    "schedule": {"full": "0 2 * * sonntag", "incremental": "*/5", "timeZone": "Europe/Berlim"},
    "retention": {"full": 0},
    "advanced": {"processMax": 0, "archivePushQueueMax": "5GB", "options": {"repo1-cipher-pass": "secret"}},
}
UNTRUSTED = (
    "2026-11-23 10:22:31.004 P00   INFO: stanza-create command begin 2.45: --stanza=main",
    (
        "2026-11-23 10:22:31.106 P00  ERROR: [095]: unable to verify certificate presented by "
        "'minio.minio.svc:9000 (10.96.4.7)': [20] unable to get local issuer certificate"
    ),
)
THEMES = {"dark": "", "light": "-light", "contrast": "-contrast"}
LOOKS = [*product(SIZES, ("dark", "light")), ((120, 40), "contrast"), ((200, 50), "dark")]
DENIED_KEY = "P00  ERROR: [039]: HTTP request failed with 403 (Forbidden): <Code>InvalidAccessKeyId</Code>"


@pytest.fixture(autouse=True)
def _steady(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        steady(patched)
        time.tzset()
        yield
    time.tzset()


# ---- clusters ------------------------------------------------------------------------------------------------------


def joined(cluster: SimCluster) -> Connect:
    """A connection to a cluster that is there."""

    async def connect(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(cluster)

    return connect


async def refused(_: AsyncExitStack) -> Cluster:
    await asyncio.sleep(0.05)
    raise Unreachable("no connection to https://10.0.0.9:6443: connection refused", hint="Is the VPN up?")


async def never(_: AsyncExitStack) -> Cluster:
    await asyncio.Event().wait()
    raise AssertionError


async def released(cluster: SimCluster, **sections: Any) -> None:
    """A release that stands, in namespace shop."""

    async def approve(_: Sequence[Change]) -> bool:
        return True

    answers = answers_of(**(SHOP | sections))
    await apply.run(apply.Release(answers), cluster, lambda _: None, approve, apply.Options())


def df(command: list[str], _: bytes) -> ExecResult | None:
    return ExecResult(b"1B-blocks Avail\n53687091200 32749125632\n", b"", 0) if command[0] == "df" else None


def started(connect: Connect, **more: Any) -> Start:
    """Where every scene begins: the clock of the loop, and no disk."""
    return Start(connect, lambda *_: None, now=lambda: Moment.now(UTC), **more)


def places(current: Connect) -> list[Place]:
    return [
        Place("prod-eu", "https://10.0.0.1:6443", "shop", current, current=True),
        Place("staging", "https://10.0.0.2:6443", "staging", joined(Remote(example=False))),
        Place("old", "https://10.0.0.9:6443", "default", refused),
        Place("cloud", "https://eks.example.com", "shop", never, runs="aws"),
    ]


class Unsaved(Drafts):
    """What an ended wizard left; nothing is written."""

    def left(self) -> list[Left]:
        return [Left(Path("draft.yaml"), NOW - timedelta(hours=14), SHOP)]

    def keep(self, _: dict[str, Any]) -> bool:
        return True

    def drop(self, _: Left | None = None) -> None:
        return


# ---- the wizard ----------------------------------------------------------------------------------------------------


async def empty() -> Start:
    connect = joined(Remote(example=False))
    here = Place("dev", "https://10.0.0.1:6443", "default", connect, current=True)
    return started(connect, drafts=lambda: Unsaved(Path()), places=lambda: [here])


async def filled() -> Start:
    cluster = Remote()
    await released(cluster, release={"namespace": "staging"}, repository={**SHOP["repository"], "path": "/staging"})
    return started(joined(cluster), raw=deepcopy(SHOP), places=lambda: places(joined(cluster)))


async def wrong() -> Start:
    return started(refused, raw=deepcopy(WRONG), places=lambda: places(refused))


async def loading() -> Start:
    return started(never, places=lambda: places(never))


async def pages(camera: Camera) -> None:
    """Every page of the wizard, by its keys."""
    wizard = await camera.shown(Wizard)
    await camera.until(lambda: wizard.page != "")
    while wizard.page != wizard.order[0]:
        await camera.pilot.press("ctrl+b")
    for page in wizard.order:
        assert wizard.page == page
        await camera.take(page.lower())
        await camera.pilot.press("ctrl+n")


async def asked(camera: Camera, page: str, question: str) -> None:
    """The list or the browser of a question."""
    await camera.screen(Wizard).go(page, tuple(question.split(".")))
    await camera.pilot.press("f4")


async def windows(camera: Camera) -> None:
    """The browser of Secrets, and a list of the cluster."""
    await asked(camera, "TLS", "tls.source.secret")
    await camera.shown(SecretBrowser)
    await camera.take("secrets")
    await camera.pilot.press("escape")
    await asked(camera, "Storage", "storage.storageClass")
    await camera.shown(Pick)
    await camera.take("pick")
    await camera.pilot.press("escape")
    await camera.shown(Wizard)


async def of_empty(camera: Camera) -> None:
    await camera.shown(Offer)
    await camera.take("draft")
    await camera.pilot.press("escape")
    await pages(camera)
    await windows(camera)


async def of_filled(camera: Camera) -> None:
    await pages(camera)
    for key, name in (("2", "answers"), ("3", "manifests"), ("d", "live")):
        await camera.pilot.press(key)
        await camera.take(f"review-{name}")
    for page in WITH_PANEL if camera.app.size.width < MIDDLE else ():
        await camera.screen(Wizard).go(page)
        await camera.pilot.press("f2")
        await camera.take(f"{page.lower()}-panel")
    await windows(camera)
    await asked(camera, "Repository", "repository.credentials.secret")
    await camera.shown(SecretBrowser)
    await camera.take("secrets-s3")
    await camera.pilot.press("escape", "f1")
    await camera.shown(Help)
    await camera.take("help")
    await camera.pilot.press("escape", "ctrl+s")
    await camera.shown(Line)
    await camera.take("save")


async def of_others(camera: Camera) -> None:
    await pages(camera)
    await windows(camera)


# ---- what is denied ------------------------------------------------------------------------------------------------


async def denied() -> Start:
    faults = [
        Fault("403", "list", "namespaces", times=None),
        Fault("403", "list", "secrets", times=None),
        Fault("403", "list", "storageclasses", times=None),
    ]
    return started(joined(Remote(faults=faults)))


async def of_denied(camera: Camera) -> None:
    await camera.shown(Wizard)
    await camera.take("connect-denied")
    await asked(camera, "TLS", "tls.source.secret")
    await camera.shown(SecretBrowser)
    await camera.take("secrets-denied")


# ---- apply ---------------------------------------------------------------------------------------------------------


async def new_release() -> Start:
    return started(joined(Remote()), raw=deepcopy(SHOP))


async def begun(camera: Camera) -> Apply:
    wizard = await camera.shown(Wizard)
    await camera.until(camera.app.connection.connected.is_set)
    await camera.settled()
    assert not wizard.draft.problems
    await camera.pilot.press("f9")
    screen = await camera.shown(Apply)
    await camera.until(lambda: screen.asked)
    return screen


async def of_apply(camera: Camera) -> None:
    screen = await begun(camera)
    await camera.take("apply-asked")
    await camera.pilot.press("y")
    await camera.until(lambda: "full backup" in "".join(screen._log) or "backup start" in "".join(screen._log))
    await camera.take("apply-running")
    await camera.until(lambda: screen.state == "ended")
    await camera.take("apply-done")
    await camera.pilot.press("f1")
    await camera.shown(Help)
    await camera.take("apply-help")


async def unconnected() -> Start:
    return started(never)


async def of_unconnected(camera: Camera) -> None:
    await camera.shown(Wizard)
    camera.app.push_screen(Apply(Answers()))  # no key leads there before there is a connection, but one may end
    await camera.shown(Apply)
    await camera.take("apply")


async def smaller() -> Start:
    cluster = Remote()
    await released(cluster)
    raw = deepcopy(SHOP) | {"repository": {"enabled": False}, "storage": {"size": "80Gi"}}
    return started(joined(cluster), raw=raw)


async def of_smaller(camera: Camera) -> None:
    await begun(camera)
    await camera.take("apply-costs")
    await camera.pilot.press("y")
    await camera.take("apply-typed")


async def untrusted() -> Start:
    cluster = Remote(outcomes=[Outcome("job-failed", "shop/postgresql-pgbackrest-init*", lines=UNTRUSTED)])
    return started(joined(cluster), raw=deepcopy(SHOP))


async def of_untrusted(camera: Camera) -> None:
    screen = await begun(camera)
    await camera.pilot.press("y")
    await camera.until(lambda: screen.state == "failed")
    await camera.take("apply-failed")
    await camera.pilot.press("e")
    await camera.shown(Messages)
    await camera.take("messages-one")
    camera.screen(Messages).query_one(Input).value = "certificate"
    await camera.take("messages")


# ---- the dashboard -------------------------------------------------------------------------------------------------

DASHBOARD = {"screen": "pgwizard.tui.screens.status:Dashboard", "release": ("", "shop")}


async def observed() -> Start:
    """A release that has run for nine days."""
    cluster = Remote()
    cluster.runtime.programs.answers.append(df)
    await released(cluster)
    await asyncio.sleep(timedelta(days=9).total_seconds())
    return started(joined(cluster), **DASHBOARD)


async def of_observed(camera: Camera) -> None:
    screen = await loaded(camera)
    await camera.take("dashboard")
    await camera.pilot.press("f1")
    await camera.shown(Help)
    await camera.take("dashboard-help")
    await camera.pilot.press("escape", "b")
    await camera.shown(Ask)
    await camera.take("dashboard-ask")
    await camera.pilot.press("i")
    await camera.until(lambda: bool(screen.snapshot and screen.snapshot.runs and screen.run))


async def loaded(camera: Camera) -> Dashboard:
    screen = await camera.shown(Dashboard)
    await camera.until(lambda: screen.snapshot is not None and not screen.snapshot.loading)
    return screen


async def failing() -> Start:
    """The key of the repository was withdrawn two days ago."""
    cluster = Remote()
    cluster.runtime.programs.answers.append(df)
    await released(cluster)
    await asyncio.sleep(timedelta(days=9).total_seconds())
    cluster.outcomes.append(Outcome("job-failed", "*/postgresql-pgbackrest-incr*", lines=(DENIED_KEY,), exit_code=39))
    await asyncio.sleep(timedelta(days=2).total_seconds())
    return started(joined(cluster), **DASHBOARD)


async def of_failing(camera: Camera) -> None:
    await loaded(camera)
    await camera.take("dashboard")
    camera.screen(Dashboard).query_one("#jobs").focus()
    await camera.pilot.press("enter")
    await camera.shown(TextWindow)
    await camera.take("dashboard-details")


async def no_release() -> Start:
    return started(joined(Remote(example=False)), screen=DASHBOARD["screen"])


async def no_cluster() -> Start:
    return started(refused, **DASHBOARD)


async def no_answer() -> Start:
    return started(never, **DASHBOARD)


async def of_dashboard(camera: Camera) -> None:
    await camera.shown(Dashboard)
    await camera.settled()
    await camera.take("dashboard-unreachable" if camera.app.connection.trouble else "dashboard")


# ---- the pictures --------------------------------------------------------------------------------------------------

WINDOWS = ("secrets", "pick")


@dataclass(frozen=True)
class Play:
    """A start, what is done from there, and the pictures that it gives. folded: those of a narrow terminal alone."""

    state: str
    start: Callable[[], Awaitable[Start]]
    scene: Scene
    names: tuple[str, ...]
    folded: tuple[str, ...] = ()


OF_FILLED = ("review-answers", "review-manifests", "review-live", *WINDOWS, "secrets-s3", "help", "save")
PLAYS = {
    "fresh": Play("empty", empty, of_empty, ("draft", *PAGES, *WINDOWS)),
    "changed": Play("filled", filled, of_filled, (*PAGES, *OF_FILLED), PANELS),
    "wrong": Play("errors", wrong, of_others, (*PAGES, *WINDOWS)),
    "waiting": Play("loading", loading, of_others, (*PAGES, *WINDOWS)),
    "unconnected": Play("loading", unconnected, of_unconnected, ("apply",)),
    "denied": Play("errors", denied, of_denied, ("connect-denied", "secrets-denied")),
    "apply": Play("filled", new_release, of_apply, ("apply-asked", "apply-running", "apply-done", "apply-help")),
    "costs": Play("filled", smaller, of_smaller, ("apply-costs", "apply-typed")),
    "untrusted": Play("errors", untrusted, of_untrusted, ("apply-failed", "messages-one", "messages")),
    "observed": Play("filled", observed, of_observed, ("dashboard", "dashboard-help", "dashboard-ask")),
    "failing": Play("errors", failing, of_failing, ("dashboard", "dashboard-details")),
    "no-release": Play("empty", no_release, of_dashboard, ("dashboard",)),
    "no-cluster": Play("errors", no_cluster, of_dashboard, ("dashboard-unreachable",)),
    "no-answer": Play("loading", no_answer, of_dashboard, ("dashboard",)),
}


def files(play: Play, size: tuple[int, int], theme: str) -> dict[str, str]:
    """The pictures of a play: their files, by name."""
    names = (*play.names, *(play.folded if size[0] < MIDDLE else ()))
    return {name: f"{play.state}/{name}-{size[0]}x{size[1]}{THEMES[theme]}.svg" for name in names}


ALL = [file for play in PLAYS.values() for size, theme in LOOKS for file in files(play, size, theme).values()]


@pytest.mark.parametrize(("size", "theme"), LOOKS, ids=lambda part: part if isinstance(part, str) else str(part[0]))
@pytest.mark.parametrize("name", PLAYS)
def test_the_pictures_of(
    name: str, size: tuple[int, int], theme: str, update_golden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGWIZARD_THEME", theme)
    play = PLAYS[name]
    wanted, taken = files(play, size, theme), played(play.scene, play.start, size)
    assert taken.keys() == wanted.keys()
    different = []
    for picture, file in ((taken[made], wanted[made]) for made in wanted):
        target = SCREENSHOTS / file
        if update_golden:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(picture, encoding="utf-8")
        if not target.exists() or target.read_text(encoding="utf-8") != picture:
            different.append(file)
    assert not different, (
        f"{len(different)} pictures differ from screenshots/: {' '.join(different)}\n"
        "Were they meant to? `make golden` writes them anew, `git diff --stat screenshots` names them, and "
        "`rsvg-convert -w 1400 FILE.svg -o FILE.png` shows one."
    )


def test_no_picture_is_left_of_a_page_that_is_gone() -> None:
    assert sorted(str(path.relative_to(SCREENSHOTS)) for path in SCREENSHOTS.glob("*/*")) == sorted(ALL)


@pytest.mark.parametrize("state", ["empty", "filled", "errors", "loading"])
def test_every_page_has_its_pictures_in_every_state(state: str) -> None:
    ends = [f"{width}x{height}{THEMES[theme]}" for (width, height), theme in LOOKS]
    assert {f"{state}/{page}-{end}.svg" for page in PAGES for end in ends} <= set(ALL)


def test_no_picture_asks_another_host_for_anything() -> None:
    for path in SCREENSHOTS.rglob("*.svg"):
        assert not re.findall(r"@import|@font-face|href|url\((?!#)", path.read_text(encoding="utf-8")), path
