"""Every page and every screen against its golden file: in two sizes, empty, filled, with errors and while loading.

Each play opens the application once, in leaping time, and takes many scenes. Some are pictures in ``screenshots/`` too.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.widgets import Input

from pgwizard.answers import schema
from pgwizard.answers.questions import Answers
from pgwizard.errors import Unreachable
from pgwizard.kube.api import Cluster, ExecResult
from pgwizard.local.autosave import AbandonedDraft, Drafts
from pgwizard.plan.names import PartialReleaseRef, ReleaseRef
from pgwizard.release import apply
from pgwizard.release.changes import Change
from pgwizard.restore import drill as restore_drill
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault, ScriptedOutcome
from pgwizard.simulator.repository import DamagedFile, segment_name
from pgwizard.status import fleet
from pgwizard.status.fleet import Fleet
from pgwizard.tui.pages.panel_dock import MIDDLE
from pgwizard.tui.panels.by_page import PANELS as WITH_PANEL
from pgwizard.tui.screens.apply import ApplyScreen
from pgwizard.tui.screens.fleet import FleetScreen
from pgwizard.tui.screens.messages import Messages
from pgwizard.tui.screens.restore import RestoreScreen
from pgwizard.tui.screens.secret_browser import SecretBrowser
from pgwizard.tui.screens.status import StatusScreen
from pgwizard.tui.screens.wizard import Wizard
from pgwizard.tui.start import ClusterChoice, Connector, Start
from pgwizard.tui.widgets.dialogs import ChoiceDialog, Line, Offer, Pick, TextWindow
from pgwizard.tui.widgets.help import Help
from support import goldens
from support.camera import NOW, SIZES, Camera, Moment, Remote, Scene, play, use_simulated_machine
from support.faulting import answers_of, clock
from support.fleets import forty
from support.headless import GOLDEN, ROOT
from support.snapshots import NOW as SNAPSHOTS_NOW

SCREENS = GOLDEN / "screens"
SCREENSHOTS = ROOT / "screenshots"

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
    "repository": {"endpoint": "http://minio:9000", "bucket": "Back ups", "path": "shop"},
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
FLEET_SCREEN = "pgwizard.tui.screens.fleet:FleetScreen"
DENIED_KEY = "P00  ERROR: [039]: HTTP request failed with 403 (Forbidden): <Code>InvalidAccessKeyId</Code>"


@pytest.fixture(autouse=True)
def _simulated_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        use_simulated_machine(patched)
        patched.setattr(fleet, "observe", observe_forty)
        time.tzset()
        yield
    time.tzset()


# ---- clusters ------------------------------------------------------------------------------------------------------


def connection_to(cluster: SimCluster) -> Connector:
    """A connection to a cluster that is there."""

    async def connect(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(cluster)

    return connect


async def refuse(_: AsyncExitStack) -> Cluster:
    await asyncio.sleep(0.05)
    raise Unreachable("no connection to https://10.0.0.9:6443: connection refused", hint="Is the VPN up?")


async def hang(_: AsyncExitStack) -> Cluster:
    await asyncio.Event().wait()
    raise AssertionError


async def install(cluster: SimCluster, **sections: Any) -> None:
    """Install a release in namespace shop."""

    async def approve(_: Sequence[Change]) -> bool:
        return True

    answers = answers_of(**(SHOP | sections))
    await apply.run(
        apply.ReleaseRequest(answers), cluster, lambda _: None, approve, apply.Options(), now=clock(cluster)
    )


def df(command: list[str], _: bytes) -> ExecResult | None:
    return ExecResult(b"1B-blocks Avail\n53687091200 32749125632\n", b"", 0) if command[0] == "df" else None


def start_with(connect: Connector, **more: Any) -> Start:
    """Where every scene begins: the clock of the loop, and no disk."""
    return Start(connect, lambda *_: None, now=lambda: Moment.now(UTC), **more)


def places(current: Connector) -> list[ClusterChoice]:
    return [
        ClusterChoice("prod-eu", "https://10.0.0.1:6443", "shop", current, current=True),
        ClusterChoice("staging", "https://10.0.0.2:6443", "staging", connection_to(Remote(example=False))),
        ClusterChoice("old", "https://10.0.0.9:6443", "default", refuse),
        ClusterChoice("cloud", "https://eks.example.com", "shop", hang, runs="aws"),
    ]


class Unsaved(Drafts):
    """Unsaved answers of another wizard; nothing is written."""

    def find_abandoned(self) -> list[AbandonedDraft]:
        return [AbandonedDraft(Path("draft.yaml"), NOW - timedelta(hours=14), SHOP)]

    def keep(self, _: dict[str, Any]) -> bool:
        return True

    def drop(self, _: AbandonedDraft | None = None) -> None:
        return


# ---- the wizard ----------------------------------------------------------------------------------------------------


async def empty() -> Start:
    connect = connection_to(Remote(example=False))
    here = ClusterChoice("dev", "https://10.0.0.1:6443", "default", connect, current=True)
    return start_with(connect, drafts=lambda: Unsaved(Path()), places=lambda: [here])


async def filled() -> Start:
    cluster = Remote()
    await install(cluster, release={"namespace": "staging"}, repository={**SHOP["repository"], "path": "/staging"})
    return start_with(connection_to(cluster), raw=deepcopy(SHOP), places=lambda: places(connection_to(cluster)))


async def wrong() -> Start:
    return start_with(refuse, raw=deepcopy(WRONG), places=lambda: places(refuse))


async def loading() -> Start:
    return start_with(hang, places=lambda: places(hang))


async def pages(camera: Camera) -> None:
    """Every page of the wizard, by its keys."""
    wizard = await camera.reach(Wizard)
    await camera.settle()
    while wizard.page != wizard.pages.order.names[0]:
        await camera.pilot.press("ctrl+b")
        await camera.settle()
    for page in wizard.pages.order.names:
        await camera.take(page.lower())
        assert wizard.page == page
        await camera.pilot.press("ctrl+n")


async def open_list(camera: Camera, page: str, question: str) -> None:
    """The list or the browser of a question."""
    await camera.screen(Wizard).go(page, tuple(question.split(".")))
    await camera.pilot.press("f4")


async def windows(camera: Camera) -> None:
    """The browser of Secrets, and a list of the cluster."""
    await open_list(camera, "TLS", "tls.source.secret")
    await camera.reach(SecretBrowser)
    await camera.take("secrets")
    await camera.pilot.press("escape")
    await open_list(camera, "Storage", "storage.storageClass")
    await camera.reach(Pick)
    await camera.take("pick")
    await camera.pilot.press("escape")
    await camera.reach(Wizard)


async def of_empty(camera: Camera) -> None:
    await camera.reach(Offer)
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
    await open_list(camera, "Repository", "repository.credentials.secret")
    await camera.reach(SecretBrowser)
    await camera.take("secrets-s3")
    await camera.pilot.press("escape", "f1")
    await camera.reach(Help)
    await camera.take("help")
    await camera.pilot.press("escape", "ctrl+s")
    await camera.reach(Line)
    await camera.take("save")
    await camera.pilot.press("escape")
    await camera.reach(Wizard)
    await export_as_chart(camera)


async def export_as_chart(camera: Camera) -> None:
    """The format, the folder, and the result of an export."""
    await camera.screen(Wizard).go("Review")
    await camera.pilot.press("e")
    await camera.reach(ChoiceDialog)
    await camera.take("export-format")
    await camera.pilot.press("h")
    await camera.reach(Line)
    await camera.take("export-folder")
    await camera.pilot.press("enter")
    await camera.reach(TextWindow)
    await camera.take("export-result")


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
    return start_with(connection_to(Remote(faults=faults)))


async def of_denied(camera: Camera) -> None:
    await camera.reach(Wizard)
    await camera.take("connect-denied")
    await open_list(camera, "TLS", "tls.source.secret")
    await camera.reach(SecretBrowser)
    await camera.take("secrets-denied")


# ---- apply ---------------------------------------------------------------------------------------------------------


async def new_release() -> Start:
    return start_with(connection_to(Remote()), raw=deepcopy(SHOP))


async def of_palette(camera: Camera) -> None:
    """Every key of a page by its name, and those that match what is typed."""
    await camera.reach(Wizard)
    await camera.screen(Wizard).go("TLS")
    await camera.pilot.press("ctrl+p")
    await camera.reach(CommandPalette)
    await camera.take("palette")
    await camera.pilot.press(*"theme")
    await camera.take("palette-search")


async def begin_apply(camera: Camera) -> None:
    await camera.reach(Wizard)
    await camera.settle()
    await camera.pilot.press("f9")
    await camera.reach(ApplyScreen)
    await camera.settle()


async def of_apply(camera: Camera) -> None:
    await begin_apply(camera)
    await camera.take("apply-approval")
    await camera.pilot.press("y")
    await camera.see("pgBackRest runs backup")
    await camera.take("apply-running")
    await camera.see("✓ record")
    await camera.take("apply-done")
    await camera.pilot.press("f1")
    await camera.reach(Help)
    await camera.take("apply-help")


async def unconnected() -> Start:
    return start_with(hang)


async def of_unconnected(camera: Camera) -> None:
    await camera.reach(Wizard)
    camera.app.push_screen(ApplyScreen(Answers()))  # no key leads there before there is a connection, but one may end
    await camera.reach(ApplyScreen)
    await camera.take("apply")


async def smaller() -> Start:
    cluster = Remote()
    await install(cluster)
    raw = deepcopy(SHOP) | {"repository": {"enabled": False}, "storage": {"size": "80Gi"}}
    return start_with(connection_to(cluster), raw=raw)


async def of_smaller(camera: Camera) -> None:
    await begin_apply(camera)
    await camera.take("apply-costs")
    await camera.pilot.press("y")
    await camera.take("apply-typed")


async def untrusted() -> Start:
    cluster = Remote(outcomes=[ScriptedOutcome("job-failed", "shop/postgresql-pgbackrest-init*", lines=UNTRUSTED)])
    return start_with(connection_to(cluster), raw=deepcopy(SHOP))


async def of_untrusted(camera: Camera) -> None:
    await begin_apply(camera)
    await camera.pilot.press("y")
    await camera.see("✗ first backup")
    await camera.take("apply-failed")
    await camera.pilot.press("e")
    await camera.reach(Messages)
    await camera.take("messages-one")
    camera.screen(Messages).query_one(Input).value = "certificate"
    await camera.take("messages")


# ---- the dashboard -------------------------------------------------------------------------------------------------

DASHBOARD = {"screen": "pgwizard.tui.screens.status:StatusScreen", "release": PartialReleaseRef("shop")}


async def observed() -> Start:
    """A release that has run for nine days."""
    cluster = Remote()
    cluster.runtime.programs.answers.append(df)
    await install(cluster)
    await asyncio.sleep(timedelta(days=9).total_seconds())
    return start_with(connection_to(cluster), **DASHBOARD)


async def of_observed(camera: Camera) -> None:
    await camera.reach(StatusScreen)
    await camera.take("status")
    await camera.pilot.press("f1")
    await camera.reach(Help)
    await camera.take("status-help")
    await camera.pilot.press("escape", "b")
    await camera.reach(ChoiceDialog)
    await camera.take("status-ask")


async def failing() -> Start:
    """The key of the repository was withdrawn two days ago."""
    cluster = Remote()
    cluster.runtime.programs.answers.append(df)
    await install(cluster)
    await asyncio.sleep(timedelta(days=9).total_seconds())
    cluster.outcomes.append(
        ScriptedOutcome("job-failed", "*/postgresql-pgbackrest-incr*", lines=(DENIED_KEY,), exit_code=39)
    )
    await asyncio.sleep(timedelta(days=2).total_seconds())
    return start_with(connection_to(cluster), **DASHBOARD)


async def of_failing(camera: Camera) -> None:
    await camera.reach(StatusScreen)
    await camera.take("status")
    camera.screen(StatusScreen).query_one("#jobs").focus()
    await camera.pilot.press("enter")
    await camera.reach(TextWindow)
    await camera.take("status-details")


async def damaged() -> Start:
    """A restore left a timeline, a segment was deleted since, and a bundle of the newest backup was."""
    cluster = Remote()
    cluster.runtime.programs.answers.append(df)
    await install(cluster)
    repository = cluster.runtime.programs.repository("shop")
    await asyncio.sleep(timedelta(days=4).total_seconds())
    now = cluster.clock.now()
    repository.go_back(repository.number(now - timedelta(hours=12).total_seconds()), now)
    await asyncio.sleep(timedelta(days=5).total_seconds())
    repository.holes.add(repository.number(cluster.clock.now()) - 3_000)
    repository.damaged_files[repository.backups[-1]["label"]] = [DamagedFile("bundle/1", 2_855_426)]
    return start_with(connection_to(cluster), **DASHBOARD)


async def drilled(damage: Callable[[Remote], None]) -> Start:
    """A release that was drilled twice. damage: what was done to its repository before."""
    cluster = Remote()
    cluster.runtime.programs.answers.append(df)
    await install(cluster)
    await asyncio.sleep(timedelta(days=6).total_seconds())
    damage(cluster)
    release = ReleaseRef("shop", "postgresql")
    for _ in range(2):
        await restore_drill.run(cluster, release, lambda _: None, now=clock(cluster))
    await asyncio.sleep(timedelta(days=3).total_seconds())
    return start_with(connection_to(cluster), **DASHBOARD)


async def proven() -> Start:
    return await drilled(lambda _: None)


async def disproven() -> Start:
    def damage(cluster: Remote) -> None:
        repository = cluster.runtime.programs.repository("shop")
        repository.damaged_wal.add(repository.number(cluster.clock.now()) - 2)

    return await drilled(damage)


async def of_damaged(camera: Camera) -> None:
    await camera.reach(StatusScreen)
    await camera.take("status-damaged")


async def archived(change: Callable[[Remote], None], days_before: float, days_after: float) -> Start:
    """A release whose archive was changed. days_before, days_after: how long it ran before and after that."""
    cluster = Remote()
    cluster.runtime.programs.answers.append(df)
    await install(cluster)
    await asyncio.sleep(timedelta(days=days_before).total_seconds())
    change(cluster)
    await asyncio.sleep(timedelta(days=days_after).total_seconds())
    return start_with(connection_to(cluster), **DASHBOARD)


def remove_segments(cluster: Remote) -> None:
    repository = cluster.runtime.programs.repository("shop")
    newest = repository.number(cluster.clock.now())
    repository.holes |= {newest - 601, newest - 600}


def restore_two_days_back(cluster: Remote) -> None:
    repository, now = cluster.runtime.programs.repository("shop"), cluster.clock.now()
    repository.go_back(repository.number(now - timedelta(days=2).total_seconds()), now)


def archive_from_elsewhere(cluster: Remote) -> None:
    """Segments on a timeline without a history, as a copy of the database archives them that was promoted."""
    repository = cluster.runtime.programs.repository("shop")
    newest, begun = repository.number(cluster.clock.now()), cluster.clock.now()

    def listing(command: list[str], _: bytes) -> ExecResult | None:
        if command[3:4] != ["archive-listing"]:
            return None
        folder = segment_name(newest, 2)[:16]
        lines = repository.archive_listing(cluster.clock.now(), command[5])
        lines += [f"folder {folder}", *([f"read {folder}"] if command[5] == "newest" else [])]
        lines.append(f"run {segment_name(newest, 2)} {segment_name(newest, 2)} 16000 {begun:.0f}")
        return ExecResult("\n".join(lines).encode(), b"", 0)

    cluster.runtime.programs.answers.append(listing)


async def with_gap() -> Start:
    return await archived(remove_segments, 8.5, 0.2)


async def with_branches() -> Start:
    return await archived(restore_two_days_back, 7, 1.9)


async def with_foreign_writer() -> Start:
    return await archived(archive_from_elsewhere, 8.5, 0.2)


def of_archive(name: str, words: str) -> Scene:
    """words: what is seen once the archive has been walked through."""

    async def scene(camera: Camera) -> None:
        await camera.reach(StatusScreen)
        await camera.see(words)
        await camera.take(name)

    return scene


async def of_restore(camera: Camera) -> None:
    await camera.reach(StatusScreen)
    await camera.see("timeline 1")
    await camera.pilot.press("R")
    await camera.reach(RestoreScreen)
    await camera.see("Press Enter to go on")
    await camera.pilot.press("pagedown", "pagedown", "down")
    await camera.take("restore")
    await camera.pilot.press("enter")
    await camera.see("Type the release's name")
    await camera.take("restore-confirm")
    await camera.pilot.press(*"postgresql", "enter")
    await camera.see("● restore  ")
    await camera.take("restore-running")
    await camera.see("✓ resume")
    await camera.take("restore-done")
    await camera.pilot.press("f1")
    await camera.reach(Help)
    await camera.take("restore-help")


async def of_preview(camera: Camera) -> None:
    await camera.reach(StatusScreen)
    await camera.see("timeline 1")
    await camera.pilot.press("R")
    await camera.reach(RestoreScreen)
    await camera.see("Press Enter to go on")
    await camera.pilot.press("pagedown", "enter")
    await camera.see("Type the release's name")
    await camera.pilot.press("f8")
    await camera.see("restoring")
    await camera.take("preview-running")
    await camera.see("The preview shows")
    await camera.take("preview")
    await camera.pilot.press("t")
    await camera.see("Press Enter to move the preview")
    camera.screen(RestoreScreen).query_one("#target", Input).value = "2026-12-01T21:00:00Z"
    await camera.pilot.press("enter")
    await camera.see("✗ preview")
    await camera.take("preview-backwards")


async def of_refused_restore(camera: Camera) -> None:
    await camera.reach(StatusScreen)
    await camera.see("missing")
    await camera.pilot.press("R")
    await camera.reach(RestoreScreen)
    await camera.see("Press Enter to go on")
    camera.screen(RestoreScreen).query_one("#target", Input).value = "2026-12-01T21:00:00Z"
    await camera.take("restore-refused")


async def lost_repository() -> Start:
    missing = (
        "P00  ERROR: [055]: unable to load info file '/shop/backup/main/backup.info':",
        "       FileMissingError: unable to open missing file '/shop/backup/main/backup.info' for read",
        "       HINT: has a stanza-create been performed?",
    )
    outcome = ScriptedOutcome("job-failed", "shop/*-restore-*", lines=missing, exit_code=55)
    cluster = Remote(outcomes=[outcome])
    cluster.runtime.programs.answers.append(df)
    await install(cluster)
    await asyncio.sleep(timedelta(hours=30).total_seconds())
    return start_with(connection_to(cluster), **DASHBOARD)


async def of_failed_restore(camera: Camera) -> None:
    await camera.reach(StatusScreen)
    await camera.see("RECOVERABLE")
    await camera.pilot.press("R")
    await camera.reach(RestoreScreen)
    await camera.see("Press Enter to go on")
    await camera.pilot.press("enter")
    await camera.see("Type the release's name")
    await camera.pilot.press(*"postgresql", "enter")
    await camera.see("✗ restore")
    await camera.take("restore-failed")


async def no_release() -> Start:
    return start_with(connection_to(Remote(example=False)), screen=DASHBOARD["screen"])


async def no_cluster() -> Start:
    return start_with(refuse, **DASHBOARD)


async def no_answer() -> Start:
    return start_with(hang, **DASHBOARD)


async def of_status(camera: Camera) -> None:
    await camera.reach(StatusScreen)
    await camera.take("status")


async def observe_forty(_: Cluster, **__: Any) -> AsyncIterator[Fleet]:
    yield forty()
    await asyncio.Event().wait()


async def many() -> Start:
    start = start_with(connection_to(Remote(example=False)), screen=FLEET_SCREEN)
    return replace(start, now=lambda: SNAPSHOTS_NOW)


async def of_fleet(camera: Camera) -> None:
    await camera.reach(FleetScreen)
    await camera.take("fleet")
    await camera.pilot.press("slash", *"risk")
    await camera.take("fleet-filtered")


async def of_unreachable(camera: Camera) -> None:
    await camera.reach(StatusScreen)
    await camera.take("status-unreachable")


# ---- themes --------------------------------------------------------------------------------------------------------


async def of_themes(camera: Camera) -> None:
    """Three screens that have every mark and colour between them."""
    await camera.reach(StatusScreen)
    await camera.take("status")
    await camera.pilot.press("a")
    wizard = await camera.reach(Wizard)
    await camera.settle()
    await wizard.go("Tuning", ("tuning", "memory"))
    await camera.pilot.press("end", "x")
    await camera.take("tuning")
    await open_list(camera, "TLS", "tls.source.secret")
    await camera.reach(SecretBrowser)
    await camera.take("secrets")


# ---- the golden files ----------------------------------------------------------------------------------------------

WINDOWS = ("secrets", "pick")
EXPORT = ("export-format", "export-folder", "export-result")


@dataclass(frozen=True)
class Play:
    """A start, what is done from there, and the scenes that it gives. folded: those of a narrow terminal alone."""

    state: str
    start: Callable[[], Awaitable[Start]]
    scene: Scene
    names: tuple[str, ...]
    folded: tuple[str, ...] = ()


OF_FILLED = ("review-answers", "review-manifests", "review-live", *WINDOWS, "secrets-s3", "help", "save", *EXPORT)
PLAYS = {
    "fresh": Play("empty", empty, of_empty, ("draft", *PAGES, *WINDOWS)),
    "changed": Play("filled", filled, of_filled, (*PAGES, *OF_FILLED), PANELS),
    "wrong": Play("errors", wrong, of_others, (*PAGES, *WINDOWS)),
    "waiting": Play("loading", loading, of_others, (*PAGES, *WINDOWS)),
    "unconnected": Play("loading", unconnected, of_unconnected, ("apply",)),
    "denied": Play("errors", denied, of_denied, ("connect-denied", "secrets-denied")),
    "apply": Play("filled", new_release, of_apply, ("apply-approval", "apply-running", "apply-done", "apply-help")),
    "keys": Play("filled", new_release, of_palette, ("palette", "palette-search")),
    "costs": Play("filled", smaller, of_smaller, ("apply-costs", "apply-typed")),
    "untrusted": Play("errors", untrusted, of_untrusted, ("apply-failed", "messages-one", "messages")),
    "observed": Play("filled", observed, of_observed, ("status", "status-help", "status-ask")),
    "failing": Play("errors", failing, of_failing, ("status", "status-details")),
    "damaged": Play("errors", damaged, of_damaged, ("status-damaged",)),
    "gap": Play("errors", with_gap, of_archive("status-gap", "missing"), ("status-gap",)),
    "branches": Play("filled", with_branches, of_archive("status-branches", "timeline 1"), ("status-branches",)),
    "foreign": Play("errors", with_foreign_writer, of_archive("status-foreign", "another"), ("status-foreign",)),
    "restore": Play(
        "filled",
        with_branches,
        of_restore,
        ("restore", "restore-confirm", "restore-running", "restore-done", "restore-help"),
    ),
    "preview": Play("filled", with_branches, of_preview, ("preview-running", "preview", "preview-backwards")),
    "refused-restore": Play("errors", with_gap, of_refused_restore, ("restore-refused",)),
    "failed-restore": Play("errors", lost_repository, of_failed_restore, ("restore-failed",)),
    "proven": Play("filled", proven, of_archive("status-proven", "proven by"), ("status-proven",)),
    "disproven": Play("errors", disproven, of_archive("status-drill", "the drill of"), ("status-drill",)),
    "fleet": Play("errors", many, of_fleet, ("fleet", "fleet-filtered")),
    "no-release": Play("empty", no_release, of_status, ("status",)),
    "no-cluster": Play("errors", no_cluster, of_unreachable, ("status-unreachable",)),
    "no-answer": Play("loading", no_answer, of_status, ("status",)),
}
THEMED = Play("themes", failing, of_themes, ("status", "tuning", "secrets"))
LOOKS = {
    "light": ((120, 40), {"PGWIZARD_THEME": "light"}),
    "contrast": ((120, 40), {"PGWIZARD_THEME": "contrast"}),
    "no-color": ((120, 40), {"NO_COLOR": "1"}),
    "wide": ((200, 50), {"PGWIZARD_THEME": "dark"}),
}
PICTURED = {
    "fresh": {"draft": "draft"},
    "changed": {page: page for page in PAGES}
    | {"secrets": "secrets", "pick": "pick", "help": "help", "save": "save"}
    | {"export-format": "export", "export-result": "exported"},
    "apply": {"apply-done": "apply"},
    "untrusted": {"apply-failed": "apply-failed", "messages": "messages"},
    "observed": {"status": "status"},
    "failing": {"status": "status-failing"},
    "restore": {"restore": "restore"},
}
"""The scenes that are pictures in ``screenshots/`` as well, with their names there: of the larger size."""


def files(play: Play, size: tuple[int, int], look: str = "") -> dict[str, Path]:
    """The golden files of a play, by scene."""
    names = (*play.names, *(play.folded if size[0] < MIDDLE else ()))
    end = f"{size[0]}x{size[1]}{look and '-'}{look}.txt"
    return {name: SCREENS / play.state / f"{name}-{end}" for name in names}


def picture(name: str) -> Path:
    return SCREENSHOTS / f"{name}.svg"


ALL = [
    *(file for play in PLAYS.values() for size in SIZES for file in files(play, size).values()),
    *(file for look, (size, _) in LOOKS.items() for file in files(THEMED, size, look).values()),
]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", PLAYS)
def test_screens_are_as_in_their_golden_files(name: str, size: tuple[int, int], update_golden: bool) -> None:
    pictured = PICTURED.get(name, {}) if size == SIZES[-1] else {}
    camera = play(PLAYS[name].scene, PLAYS[name].start, size, pictured)
    texts = {files(PLAYS[name], size)[scene]: text for scene, text in camera.texts.items()}
    assert texts.keys() == set(files(PLAYS[name], size).values())
    goldens.compare(texts | {picture(pictured[scene]): svg for scene, svg in camera.pictures.items()}, update_golden)


@pytest.mark.parametrize("look", LOOKS)
def test_three_screens_are_as_in_their_golden_files_in_every_theme(
    look: str, update_golden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, environment = LOOKS[look]
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    texts = play(THEMED.scene, THEMED.start, size).texts
    goldens.compare({file: texts[scene] for scene, file in files(THEMED, size, look).items()}, update_golden)


def test_no_golden_file_is_left_of_a_removed_screen(update_golden: bool) -> None:
    pictures = {picture(name) for names in PICTURED.values() for name in names.values()} | {picture("apply-printed")}
    left = {path for path in SCREENS.glob("*/*") if path not in ALL} | set(SCREENSHOTS.iterdir()) - pictures
    if update_golden:
        for path in left:
            path.unlink()
    assert update_golden or not left


@pytest.mark.parametrize("state", ["empty", "filled", "errors", "loading"])
def test_every_page_has_its_golden_files_in_every_state(state: str) -> None:
    assert {SCREENS / state / f"{page}-{width}x{height}.txt" for page in PAGES for width, height in SIZES} <= set(ALL)


def test_no_picture_asks_another_host_for_anything() -> None:
    for path in SCREENSHOTS.iterdir():
        assert not re.findall(r"@import|@font-face|href|url\((?!#)", path.read_text(encoding="utf-8")), path
