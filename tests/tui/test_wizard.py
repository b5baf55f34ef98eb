"""The wizard, driven by a pilot: pages from the models, problems in place, the same answers as a file gives."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from pgwizard.answers import file as answers_file
from pgwizard.answers.questions import Answers
from pgwizard.answers.schema import pages
from pgwizard.clock import utc_now
from pgwizard.errors import Finding, Unreachable
from pgwizard.kube.api import Cluster, Resource
from pgwizard.local.autosave import Drafts
from pgwizard.plan import manifests
from pgwizard.plan.names import ReleaseRef
from pgwizard.plan.plan import Facts, resolve
from pgwizard.release.record import Record, UnreadableRecord
from pgwizard.simulator.cluster import SimCluster
from pgwizard.tui.app import WizardApp
from pgwizard.tui.navigation import Applied
from pgwizard.tui.pages.choice import Choice
from pgwizard.tui.pages.connect import Connect
from pgwizard.tui.pages.panel_dock import MIDDLE
from pgwizard.tui.pages.question import QuestionRow, in_words
from pgwizard.tui.pages.releases import ReleaseColumn
from pgwizard.tui.pages.review import Review
from pgwizard.tui.panels.base import Panel
from pgwizard.tui.screens.apply import ApplyScreen
from pgwizard.tui.screens.secret_browser import SecretBrowser
from pgwizard.tui.screens.status import StatusScreen
from pgwizard.tui.screens.wizard import Wizard
from pgwizard.tui.start import ClusterChoice, Start
from pgwizard.tui.widgets.dialogs import ChoiceDialog, Line, Offer, Pick
from pgwizard.tui.widgets.filtered_list import FilteredList, FilterInput
from pgwizard.tui.widgets.help import Help
from pgwizard.tui.widgets.rail import Rail
from pgwizard.tui.widgets.secret_list import SecretList
from pgwizard.tui.widgets.stages import Stages
from pgwizard.wizard.draft import Draft
from support import simtime
from support.faulting import answers_of, deployed
from support.faulting import cluster as simulated
from support.screens import notices, opened, press, settled, until, words

Scenario = Callable[[Pilot[int], Wizard, dict[str, str]], Awaitable[None]]


def driven(
    scenario: Scenario,
    size: tuple[int, int] = (120, 40),
    *,
    cluster: Callable[[], SimCluster] = simulated,
    ready: Callable[[Wizard], bool] = lambda wizard: not wizard.draft.problems,
    places: Callable[[], Sequence[ClusterChoice]] = tuple,
    drafts: Callable[[], Drafts] | None = None,
    raw: dict[str, Any] | None = None,
) -> None:
    """Open the wizard on a simulated cluster, wait until it has read the certificate, and play the scenario."""
    saved: dict[str, str] = {}

    async def connect(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(cluster())

    async def main() -> None:
        start = Start(
            connect,
            saved.__setitem__,
            utc_now,
            demo=True,
            raw=raw,
            places=places,
            export=lambda folder, texts, _: saved.update({f"{folder}/{name}": text for name, text in texts.items()}),
            drafts=drafts,
        )
        app = WizardApp(start)
        async with opened(app, size) as pilot:
            await until(pilot, lambda: any(isinstance(screen, Wizard) and ready(screen) for screen in app.screen_stack))
            wizard = next(screen for screen in app.screen_stack if isinstance(screen, Wizard))
            await settled(pilot)
            await scenario(pilot, wizard, saved)

    simtime.run(main())


def row(wizard: Wizard, path: str) -> QuestionRow:
    """The row of a question on the page that is shown."""
    return next(each for each in wizard.query(QuestionRow) if ".".join(each.path) == path)


async def listed(pilot: Pilot[int]) -> Pick:
    """The list of a question, once the cluster has answered."""
    await until(pilot, lambda: isinstance(pilot.app.screen, Pick))
    await settled(pilot)
    window = cast("Pick", pilot.app.screen)
    note = window.query_one("#note", Static)
    await until(pilot, lambda: str(note.content) != "loading from the cluster")
    return window


def test_every_question_page_comes_from_the_models() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        assert wizard.pages.order.names == ["Connect", *pages(), "Review"]
        for page in wizard.pages.order.names[1:-1]:
            await wizard.go(page)
            assert wizard.query(f"#page-{page} QuestionRow")

    driven(scenario)


def test_a_wrong_answer_is_marked_at_its_question_and_in_the_rail() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Storage")
        size = row(wizard, "storage.size")
        cast("Input", size.control).value = "20GB"
        await settled(pilot)
        assert wizard.draft.problem_of(("storage", "size")) == "'20GB' is not a size: did you mean 20Gi?"
        assert size.has_class("wrong")
        await wizard.go("Tuning")
        assert ("!", "Storage") in wizard.query_one("#rail").entries  # type: ignore[attr-defined]

    driven(scenario)


def test_another_alternative_brings_its_own_questions_and_gives_the_old_ones_back() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Repository")
        choice = cast("Choice", row(wizard, "repository.credentials").control)
        choice.focus()
        await press(pilot, "right")
        await settled(pilot)
        cast("Input", row(wizard, "repository.credentials.accessKey").control).value = "S3_ACCESS_KEY"
        cast("Input", row(wizard, "repository.credentials.secretKey").control).value = "S3_SECRET_KEY"
        await settled(pilot)
        given = {"from": "env", "accessKey": "S3_ACCESS_KEY", "secretKey": "S3_SECRET_KEY"}
        assert wizard.draft.raw == {"repository": {"credentials": given}}
        await press(pilot, "left")
        await settled(pilot)
        assert wizard.draft.answers.repository.credentials.source == "existing"
        await press(pilot, "right")
        await settled(pilot)
        assert wizard.draft.raw == {"repository": {"credentials": given}}

    driven(scenario)


def test_saved_answers_give_the_same_bytes_as_the_wizard() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, saved: dict[str, str]) -> None:
        await wizard.go("Tuning")
        cast("Input", row(wizard, "tuning.memory").control).value = "4Gi"
        cast("Input", row(wizard, "tuning.parameters").control).value = "work_mem=16MB; log_min_duration_statement=250"
        await wizard.go("Storage")
        cast("Input", row(wizard, "storage.size").control).value = "50Gi"
        await settled(pilot)
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, Line))
        await press(pilot, "enter")
        await until(pilot, lambda: bool(saved))
        loaded = answers_file.load(saved["answers.yaml"].encode())
        assert loaded.problems == ()
        assert loaded.answers == wizard.draft.answers
        shown = manifests.render(resolve(wizard.draft.answers, wizard.draft.facts))
        assert loaded.answers is not None
        assert manifests.render(resolve(loaded.answers, wizard.draft.facts)) == shown

    driven(scenario)


def test_from_the_first_page_to_a_valid_backup_by_keyboard_alone() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await press(pilot, "f9")
        await until(pilot, lambda: isinstance(pilot.app.screen, ApplyScreen))
        screen = cast("ApplyScreen", pilot.app.screen)
        await until(pilot, lambda: screen.is_asking)
        await press(pilot, "y")
        await until(pilot, lambda: screen.run.progress.outcome is not None)
        assert screen.run.progress.outcome is not None
        assert screen.run.progress.outcome.result == "deployed"
        await press(pilot, "escape")
        await until(pilot, lambda: pilot.app.screen is wizard)

    driven(scenario)


def test_nothing_is_applied_while_an_answer_is_invalid() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        wizard.draft.give(("storage", "size"), "10 Gi")
        await press(pilot, "f9")
        await until(pilot, lambda: wizard.page == "Review")
        assert pilot.app.screen is wizard

    driven(scenario)


def test_an_answer_equal_to_the_default_is_left_out() -> None:
    draft = Draft()
    draft.give(("storage", "size"), "20Gi")
    assert draft.text() == "storage:\n  size: 20Gi\n"
    draft.give(("storage", "size"), "10Gi")
    assert draft.text() == "{}\n"


def test_a_number_in_the_place_of_text_stays_text_in_the_file() -> None:
    draft = Draft()
    draft.give(("release", "database"), "no")
    draft.give(("repository", "credentials", "secret"), "123")
    loaded = answers_file.load(draft.text().encode())
    assert loaded.answers == draft.answers


# ---- the first page ------------------------------------------------------------------------------------------------


def note(wizard: Wizard, what: str) -> str:
    """What the first page says of one of its lists."""
    line = "#trouble" if what == "clusters" else f"#{what}-note"
    return str(wizard.query_one(line, Static).content)


def options(wizard: Wizard, name: str) -> list[str]:
    """The rows of a list, their first lines."""
    widget = wizard.query_one(name, OptionList)
    return [str(widget.get_option_at_index(number).prompt).partition("\n")[0] for number in range(widget.option_count)]


async def unreachable(_: AsyncExitStack) -> Cluster:
    raise Unreachable("no connection to https://10.0.0.9:6443: connection refused", hint="is the VPN up?")


def test_the_first_page_shows_clusters_with_their_reachability_namespaces_and_releases() -> None:
    async def another(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(simulated())

    def places() -> list[ClusterChoice]:
        return [
            ClusterChoice("demo", "here", "default", another, current=True),
            ClusterChoice("prod", "https://10.0.0.1:6443", "shop", another),
            ClusterChoice("gone", "https://10.0.0.9:6443", "shop", unreachable),
            ClusterChoice("cloud", "https://eks.test", "shop", unreachable, runs="aws"),
        ]

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        page = wizard.query_one(Connect)

        def rows() -> list[str]:
            widget = wizard.query_one("#clusters OptionList", OptionList)
            return [str(widget.get_option_at_index(number).prompt) for number in range(widget.option_count)]

        await until(pilot, lambda: any("✗" in row for row in rows()) and "no releases" in note(wizard, "releases"))
        await until(pilot, lambda: not any("· connecting" in row for row in rows()))
        states = [" ".join(line.strip() for line in row.splitlines()[2:]) for row in rows()]
        assert states[0] == "✓ connected"
        assert states[1].startswith("✓ answers in ")
        assert states[2:] == [
            "✗ no connection: connection refused",
            "· logs in with aws when selected",
        ]
        page.query_one("#namespaces FilterInput").focus()
        await press(pilot, *"sho", "enter")
        await until(pilot, lambda: wizard.draft.answers.release.namespace == "shop")
        assert options(wizard, "#releases OptionList") == ["  + new release in shop"]
        await press(pilot, "enter")
        await until(pilot, lambda: wizard.page == "Release")

    driven(scenario, places=places)


def test_an_unreachable_cluster_is_shown_and_the_wizard_continues() -> None:
    saved: dict[str, str] = {}

    async def main() -> None:
        app = WizardApp(Start(unreachable, saved.__setitem__, utc_now))
        async with opened(app, size=(120, 40)) as pilot:
            await until(pilot, lambda: isinstance(app.screen, Wizard) and app.connection.trouble is not None)
            wizard = cast("Wizard", app.screen)
            await until(pilot, lambda: "connection refused" in note(wizard, "clusters"))
            assert "is the VPN up?" in note(wizard, "clusters")
            await wizard.go("Storage")
            cast("Input", row(wizard, "storage.size").control).value = "20Gi"
            await settled(pilot)
            assert wizard.draft.raw == {"storage": {"size": "20Gi"}}
            await press(pilot, "ctrl+s")
            await until(pilot, lambda: isinstance(app.screen, Line))
            await press(pilot, "enter")
            await until(pilot, lambda: bool(saved))
        assert saved == {"answers.yaml": "storage:\n  size: 20Gi\n"}

    simtime.run(main())


def test_a_list_of_the_cluster_answers_a_question() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Storage")
        row(wizard, "storage.storageClass").control.focus()
        await press(pilot, "f4")
        await listed(pilot)
        await press(pilot, *"fix", "enter")
        await until(pilot, lambda: pilot.app.screen is wizard)
        assert wizard.draft.raw == {"storage": {"storageClass": "fixed"}}
        assert cast("Input", row(wizard, "storage.storageClass").control).value == "fixed"

    driven(scenario)


def test_enter_on_everything_goes_through_every_page() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Release")
        seen = []
        for _press in range(200):
            if wizard.page == "Review":
                break
            if wizard.page not in seen:
                seen.append(wizard.page)
            await press(pilot, "enter")
        assert seen == pages()
        assert wizard.draft.raw == {}

    driven(scenario)


def test_help_is_a_key_away_on_every_page() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        for page in wizard.pages.order.names:
            await wizard.go(page)
            await press(pilot, "f1")
            await until(pilot, lambda: isinstance(pilot.app.screen, Help))
            shown = words(pilot.app.screen.query_one("VerticalScroll"))
            await press(pilot, "end")
            shown += words(pilot.app.screen.query_one("VerticalScroll"))
            assert "F9 " in shown
            assert "delete" not in shown.lower()  # how a line is edited everybody knows
            await press(pilot, "escape")
            await until(pilot, lambda: pilot.app.screen is wizard)

    driven(scenario)


# ---- unsaved answers -----------------------------------------------------------------------------------------------


def test_unsaved_answers_survive_and_are_offered_at_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "state"

    async def leave(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Storage")
        cast("Input", row(wizard, "storage.size").control).value = "77Gi"
        await until(pilot, lambda: any(folder.glob("draft-*.yaml")))

    driven(leave, drafts=lambda: Drafts(folder))
    (kept,) = folder.glob("draft-*.yaml")
    assert kept.read_text() == "storage:\n  size: 77Gi\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    async def take_up(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await until(pilot, lambda: isinstance(pilot.app.screen, Offer))
        await press(pilot, "enter")
        await until(pilot, lambda: wizard.draft.answers.storage.size == "77Gi")

    driven(take_up, drafts=lambda: Drafts(folder), ready=lambda _: True)
    (taken,) = folder.glob("draft-*.yaml")
    assert taken != kept


def test_drafts_are_offered_one_after_the_other_until_one_is_restored(tmp_path: Path) -> None:
    for number, name in enumerate(["oldest", "older", "newest"]):
        path = tmp_path / f"draft-{number:016x}.yaml"
        path.write_text(f"release: {{name: {name}, namespace: shop}}\n")
        os.utime(path, (1_000 + number, 1_000 + number))

    def elsewhere() -> SimCluster:
        class Elsewhere(SimCluster):
            namespace = "shop"

        return Elsewhere()

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        def offered() -> str:
            screen = pilot.app.screen
            return str(screen.query(".title").first(Static).render()) if isinstance(screen, Offer) else ""

        await until(pilot, lambda: offered() == "Unsaved answers for shop/newest")
        await press(pilot, "x", "f8")
        assert offered() == "Unsaved answers for shop/newest"
        await press(pilot, "f8")
        await until(pilot, lambda: offered() == "Unsaved answers for shop/older")
        await press(pilot, "escape")
        await until(pilot, lambda: offered() == "Unsaved answers for shop/oldest")
        await press(pilot, "enter")
        await until(pilot, lambda: wizard.draft.answers.release.name == "oldest")

    driven(scenario, cluster=elsewhere, drafts=lambda: Drafts(tmp_path), ready=lambda _: True)
    assert "newest" not in "".join(path.read_text() for path in tmp_path.glob("*.yaml"))
    assert (tmp_path / f"draft-{1:016x}.yaml").exists()


def test_hundreds_of_clusters_are_filtered_as_one_types() -> None:
    async def another(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(simulated(example=False))

    def places() -> list[ClusterChoice]:
        items = [
            ClusterChoice(f"team-{n}", f"https://10.0.0.{n}:6443", "shop", another, runs="aws") for n in range(300)
        ]
        return [ClusterChoice("demo", "here", "default", another, current=True), *items]

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        listed = "#clusters OptionList"
        await until(pilot, lambda: len(options(wizard, listed)) == 301)
        wizard.query_one("#clusters FilterInput").focus()
        await press(pilot, *"team-271")
        await until(pilot, lambda: len(options(wizard, listed)) == 1)
        await press(pilot, "enter")
        await until(pilot, lambda: wizard.host.link.startswith("demo") and "● team-271" in options(wizard, listed)[0])

    driven(scenario, places=places)


def test_f5_stays_with_the_cluster_that_was_chosen() -> None:
    async def another(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(simulated(example=False))

    def places() -> list[ClusterChoice]:
        return [
            ClusterChoice("prod-eu", "here", "default", another, current=True),
            ClusterChoice("prod", "there", "default", another, runs="aws"),
        ]

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        def shown() -> list[str]:
            return [line.splitlines()[0] for line in options(wizard, "#clusters OptionList")]

        await until(pilot, lambda: len(shown()) == 2)
        wizard.query_one("#clusters FilterInput").focus()
        await press(pilot, *"prod", "enter")  # the very name, although prod-eu is there
        await until(pilot, lambda: shown() == ["● prod", "  prod-eu"])
        await press(pilot, "f5", "ctrl+u")
        await until(pilot, lambda: shown() == ["  prod-eu", "● prod"])

    driven(scenario, places=places)


@pytest.mark.parametrize(
    ("page", "title", "does"),
    [
        ("Review", "export", "the focused widget's"),
        ("Storage", "next", "the screen's"),
        ("Storage", "help", "the application's"),
        ("Storage", "page Review", "a page's"),
    ],
)
def test_the_palette_does_what_the_key_does(page: str, title: str, does: str) -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go(page)
        await settled(pilot)
        commands = [command for command in pilot.app.get_system_commands(pilot.app.screen) if command.title == title]
        assert len(commands) == 1, does
        commands[0].callback()
        done = {
            "export": lambda: isinstance(pilot.app.screen, ChoiceDialog),
            "next": lambda: wizard.page == "Tuning",
            "help": lambda: isinstance(pilot.app.screen, Help),
            "page Review": lambda: wizard.page == "Review",
        }
        await until(pilot, done[title])

    driven(scenario)


def test_the_palette_has_every_key_with_what_it_does() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Database")
        await settled(pilot)
        commands = pilot.app.get_system_commands(pilot.app.screen)
        assert [f"{each.title}: {each.help}" for each in commands if not each.title.startswith("page ")] == [
            "quit: Ctrl+Q: leave pgwizard",
            "theme: choose other colours",
            "messages: every message with its cause and fix",
            "next: Ctrl+N: next page",
            "back: F7: previous page; every answer is kept",
            "apply: F9: show what would change, and apply it after you approve",
            "save: Ctrl+S: save the answers as a file: references only, no secret values",
            "help: F1",
        ]

    driven(scenario)


def test_a_namespace_to_create_is_not_created_in_a_cluster_that_has_it() -> None:
    async def bare(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(simulated(example=False))

    async def example(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(simulated())

    def places() -> list[ClusterChoice]:
        return [
            ClusterChoice("bare", "here", "default", bare),
            ClusterChoice("other", "there", "default", example),
            ClusterChoice("gone", "https://10.0.0.9:6443", "default", unreachable),
        ]

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        async def chosen(column: str, name: str) -> None:
            wizard.query_one(f"#{column} FilterInput").focus()
            await press(pilot, "ctrl+u", *name, "enter")

        def namespaces() -> list[str]:
            return options(wizard, "#namespaces OptionList")

        await until(pilot, lambda: len(options(wizard, "#clusters OptionList")) == 3)
        await chosen("clusters", "bare")
        await until(pilot, lambda: namespaces()[:1] == ["● default"] and "shop" not in " ".join(namespaces()))
        await chosen("namespaces", "shop")
        await until(pilot, lambda: wizard.draft.answers.release.create_namespace)
        await chosen("clusters", "other")
        await until(pilot, lambda: not wizard.draft.answers.release.create_namespace)
        await chosen("clusters", "gone")
        await until(pilot, lambda: pilot.app.connection.trouble is not None)  # type: ignore[attr-defined]
        await chosen("namespaces", "brandnew")
        await until(pilot, lambda: wizard.draft.answers.release.namespace == "brandnew")
        assert not wizard.draft.answers.release.create_namespace

    driven(scenario, places=places)


def test_a_saved_answer_leaves_no_draft(tmp_path: Path) -> None:
    folder = tmp_path / "state"

    async def scenario(pilot: Pilot[int], wizard: Wizard, saved: dict[str, str]) -> None:
        await wizard.go("Storage")
        cast("Input", row(wizard, "storage.size").control).value = "77Gi"
        await until(pilot, lambda: any(folder.glob("draft-*.yaml")))
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, Line))
        await press(pilot, "enter")
        await until(pilot, lambda: bool(saved) and not any(folder.iterdir()))

    driven(scenario, drafts=lambda: Drafts(folder))


# ---- the certificate -----------------------------------------------------------------------------------------------


def panel(wizard: Wizard) -> str:
    """The text beside the page; empty until it is there."""
    return "".join(each.shown_text.plain for each in wizard.query(Panel))


def test_the_chosen_certificate_is_tried_on_the_server_and_a_better_one_proposed() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("TLS")
        await until(pilot, lambda: "✓ minio.minio.svc:9000: verified in" in panel(wizard))
        await until(pilot, lambda: "It is already selected." in panel(wizard))
        cast("Input", row(wizard, "tls.source.namespace").control).value = "staging"
        cast("Input", row(wizard, "tls.source.secret").control).value = "minio-wrong-name"
        await until(pilot, lambda: "✗ minio.minio.svc:9000: " in panel(wizard))
        assert "minio/minio-tls · tls.crt" in panel(wizard)
        await press(pilot, "f3")
        await until(pilot, lambda: "✓ minio.minio.svc:9000: verified in" in panel(wizard))
        assert wizard.draft.answers == Answers()

    driven(scenario)


def test_secrets_are_requested_before_their_browser_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("begin", "compose"):
        method = getattr(SecretBrowser, name)

        def noted(browser: SecretBrowser, name: str = name, method: Any = method) -> Any:
            done.append(name)
            return method(browser)

        monkeypatch.setattr(SecretBrowser, name, noted)

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Repository")
        row(wizard, "repository.credentials.secret").control.focus()
        await press(pilot, "f4")
        await until(pilot, lambda: isinstance(pilot.app.screen, SecretBrowser) and pilot.app.screen.is_mounted)
        assert done == ["begin", "compose"]

    driven(scenario)


def test_the_browser_of_secrets_answers_the_question_in_focus() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Repository")
        row(wizard, "repository.credentials.secret").control.focus()
        await press(pilot, "f4")
        await until(pilot, lambda: isinstance(pilot.app.screen, SecretBrowser))
        browser = cast("SecretBrowser", pilot.app.screen)
        await press(pilot, *"s3-back")

        def read() -> bool:
            widget = browser.query_one(SecretList).row
            return widget is not None and "s3-b" in widget.secret and widget.kind != "not read"

        await until(pilot, read)
        await press(pilot, "enter")
        await until(pilot, lambda: pilot.app.screen is wizard)
        await settled(pilot)
        assert wizard.draft.raw["repository"]["credentials"] == {
            "from": "existing",
            "secret": "s3-backup",
            "namespace": "shop",
            "accessKeyKey": "AWS_ACCESS_KEY_ID",
            "secretKeyKey": "AWS_SECRET_ACCESS_KEY",
        }

    driven(scenario)


def test_a_missing_object_is_reported_at_its_question() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Release")
        cast("Input", row(wizard, "release.namespace").control).value = "nowhere"
        await until(pilot, lambda: bool(wizard.draft.problems))
        assert {problem.question: problem.text for problem in wizard.draft.problems} == {
            "release.namespace": "namespace nowhere does not exist: set release.createNamespace to true, or run "
            "kubectl create namespace nowhere",
            "repository.credentials.secret": "Secret nowhere/postgresql-pgbackrest-s3 does not exist",
        }
        cast("Input", row(wizard, "release.namespace").control).value = "shop"
        await wizard.go("Repository")
        wizard.draft.give(("repository", "credentials", "secret"), "s3-backup")
        cast("Input", row(wizard, "repository.credentials.namespace").control).value = "staging"
        await until(pilot, lambda: "does not exist" in wizard.draft.problem_of(("repository", "credentials", "secret")))
        assert row(wizard, "repository.credentials.secret").has_class("wrong")

    driven(scenario)


def test_another_cluster_shows_nothing_of_the_previous_one() -> None:
    async def empty(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(simulated(example=False))

    async def example(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(simulated())

    def places() -> list[ClusterChoice]:
        return [
            ClusterChoice("demo", "here", "default", example, current=True),
            ClusterChoice("other", "there", "default", empty),
        ]

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await until(pilot, lambda: "no releases" in note(wizard, "releases"))
        assert "not read yet" not in wizard.draft.problem_of(("tls", "source"))
        await until(pilot, lambda: len(options(wizard, "#clusters OptionList")) == 2)
        wizard.query_one("#clusters FilterInput").focus()
        await press(pilot, "down", "enter")
        await until(
            pilot, lambda: "Secret minio/minio-tls does not exist" in wizard.draft.problem_of(("tls", "source"))
        )
        assert wizard.draft.facts.ca is None
        await until(pilot, lambda: options(wizard, "#namespaces OptionList")[:1] == ["● default"])
        assert not any("minio" in option for option in options(wizard, "#namespaces OptionList"))

    driven(scenario, places=places)


# ---- several screens ------------------------------------------------------------------------------------------------


def test_a_wizard_that_was_opened_over_another_screen_is_left_by_escape_and_keeps_its_own_draft(tmp_path: Path) -> None:
    folder = tmp_path / "state"

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Storage")
        cast("Input", row(wizard, "storage.size").control).value = "77Gi"
        await press(pilot, "escape")
        over = Wizard({"storage": {"size": "55Gi"}})
        await pilot.app.push_screen(over)
        await until(pilot, lambda: over.page == "Release")
        cast("Input", row(over, "release.database").control).value = "other"
        await until(pilot, lambda: len(list(folder.glob("draft-*.yaml"))) == 2)
        await press(pilot, "escape")
        await until(pilot, lambda: pilot.app.screen is wizard)
        assert wizard.draft.answers.storage.size == "77Gi"
        assert sorted(path.read_text() for path in folder.glob("draft-*.yaml")) == [
            "storage:\n  size: 55Gi\nrelease:\n  database: other\n",
            "storage:\n  size: 77Gi\n",
        ]

    driven(scenario, drafts=lambda: Drafts(folder))


def test_ctrl_c_leaves_at_the_second_press() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Storage")
        await press(pilot, "ctrl+c")
        assert notices(pilot) == ["Press Ctrl+C again to leave."]
        assert pilot.app.return_value is None
        await press(pilot, "ctrl+c")
        await until(pilot, lambda: pilot.app.return_value == 130)

    driven(scenario)


def test_a_name_that_is_part_of_another_can_be_typed() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Storage")
        row(wizard, "storage.storageClass").control.focus()
        await press(pilot, "f4")
        await listed(pilot)
        await press(pilot, *"fix", "down", "enter")
        await until(pilot, lambda: pilot.app.screen is wizard)
        assert wizard.draft.raw == {"storage": {"storageClass": "fix"}}

    driven(scenario)


def test_a_defect_in_the_background_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> list[object]:
        raise KeyError("nobody thought of this")

    monkeypatch.setattr("pgwizard.tui.pages.namespaces.choices", broken)

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        defect = "a bug in pgwizard: KeyError"
        await until(pilot, lambda: any(defect in notice for notice in notices(pilot)))
        await wizard.go("Storage")

    driven(scenario)


def test_the_namespace_is_the_context_s_until_one_is_chosen() -> None:
    class Elsewhere(SimCluster):
        @property
        def namespace(self) -> str:
            return "shop"

    async def adopted(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await until(pilot, lambda: wizard.draft.answers.release.namespace == "shop")
        await wizard.go("Release")
        cast("Input", row(wizard, "release.namespace").control).value = "default"
        await until(pilot, lambda: wizard.pages.destination.is_chosen)
        app = cast("WizardApp", pilot.app)
        app.connection.connect()
        await until(pilot, app.connection.connect_event.is_set)
        await settled(pilot)
        assert wizard.draft.answers.release.namespace == "default"

    async def from_a_file(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        assert wizard.draft.answers.release.namespace == "default"

    driven(adopted, cluster=Elsewhere, ready=lambda _: True)
    driven(from_a_file, cluster=Elsewhere, raw={"storage": {"size": "20Gi"}})


def test_a_certificate_of_one_server_is_not_proposed_for_another() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        cast("Any", wizard).draft.give(("tls", "source", "namespace"), "staging")
        await wizard.go("TLS")
        await until(pilot, lambda: wizard.chooser.proposal is not None)
        wizard.pages.give(("repository", "endpoint"), "elsewhere.example.com:443")
        await until(pilot, lambda: wizard.chooser.proposal is None)
        wizard.pages.give(("repository", "endpoint"), "minio.minio.svc:9000")
        await wizard.go("TLS")
        await until(pilot, lambda: wizard.chooser.proposal is not None)
        app = cast("WizardApp", pilot.app)
        app.connection.cluster = None
        app.link = "not connected"
        await until(pilot, lambda: wizard.chooser.proposal is None)

    driven(scenario)


# ---- what a person meets --------------------------------------------------------------------------------------------


def test_a_certificate_that_would_not_verify_is_reported_before_the_apply() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        wizard.pages.give(("tls", "source", "namespace"), "staging")
        wizard.pages.give(("tls", "source", "secret"), "minio-wrong-name")
        await until(pilot, lambda: bool(wizard.draft.cluster_warnings))
        (doubt,) = wizard.draft.cluster_warnings
        refused = "minio.minio.svc:9000 would be refused: [18] self-signed certificate"
        assert str(doubt) == f"tls.source: {refused}: the first backup would fail"
        assert ("!", "TLS") in wizard.query_one(Rail).entries
        assert doubt in wizard.draft.warnings
        wizard.pages.give(("repository", "endpoint"), "minio.minio.svc:9111")
        await until(pilot, lambda: [each.question for each in wizard.draft.cluster_warnings] == ["repository.endpoint"])

    driven(scenario)


def test_a_problem_that_was_just_fixed_does_not_stop_an_apply() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        wizard.pages.give(("repository", "credentials", "secret"), "is-not-there")
        await until(pilot, lambda: any("does not exist" in each.text for each in wizard.draft.problems))
        wizard.pages.give(("repository", "credentials", "secret"), "postgresql-pgbackrest-s3")
        assert wizard.draft.problems
        await press(pilot, "f9")
        await until(pilot, lambda: isinstance(pilot.app.screen, ApplyScreen))

    driven(scenario)


def test_a_path_of_another_release_is_reported_and_shown_above_the_changes() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        sim = cast("SimCluster", cast("WizardApp", pilot.app).connection.cluster)
        s3 = {"from": "existing", "namespace": "default", "secret": "postgresql-pgbackrest-s3"}
        await deployed(sim, answers_of(release={"namespace": "staging"}, repository={"credentials": s3}))
        await wizard.go("Repository")
        await press(pilot, *["ctrl+b"] * 5)
        wizard.checks.start()
        warning_text = "staging/postgresql backs up to backups/postgresql at minio.minio.svc:9000 as well"
        await until(pilot, lambda: any(warning_text in doubt.text for doubt in wizard.draft.cluster_warnings))
        assert ("!", "Repository") in wizard.query_one(Rail).entries
        there = "#releases OptionList"
        await until(pilot, lambda: any("staging/postgresql" in option for option in options(wizard, there)))
        await press(pilot, "f9")
        await until(pilot, lambda: isinstance(pilot.app.screen, ApplyScreen) and pilot.app.screen.is_asking)
        stages = pilot.app.screen.query_one(Stages).stages
        warnings = [warning for stage in stages for warning in stage.warnings]
        assert any(warning_text in warning for warning in warnings)

    driven(scenario)


def test_a_missing_namespace_is_created_and_an_invalid_name_is_refused() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await until(pilot, lambda: "the release goes to default" in note(wizard, "namespaces"))
        wizard.query_one("#namespaces FilterInput").focus()
        await press(pilot, "question_mark", "enter")
        await until(pilot, lambda: "✗ '?' is not a namespace" in note(wizard, "namespaces"))
        assert wizard.draft.raw == {}
        await press(pilot, "backspace", *"fresh", "enter")
        await until(pilot, lambda: wizard.draft.answers.release.create_namespace)
        assert note(wizard, "namespaces") == "the release goes to fresh, which will be created"
        wizard.query_one("#namespaces FilterInput").focus()
        await press(pilot, "ctrl+u", *"shop", "enter")
        await until(pilot, lambda: wizard.draft.raw == {"release": {"namespace": "shop"}})

    driven(scenario)


def test_invisible_characters_are_removed_from_a_paste() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Release")
        control = cast("Input", row(wizard, "release.database").control)
        control.value = "my\x1b[31m\u202eapp"
        await until(pilot, lambda: control.value == "my[31mapp")

    driven(scenario)


def test_a_list_opens_before_the_cluster_has_answered_and_accepts_typing() -> None:
    class Slow(SimCluster):
        listed = asyncio.Event()
        released = asyncio.Event()

        def pages(self, resource: Resource, *given: Any, **how: Any) -> Any:
            result = super().pages(resource, *given, **how)
            return self.late(result) if resource.kind == "StorageClass" and self.listed is not None else result

        async def late(self, pages: Any) -> Any:
            self.listed.set()
            await self.released.wait()
            async for page in pages:
                yield page

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Storage", ("storage", "storageClass"))
        await until(pilot, Slow.listed.is_set)
        await press(pilot, "f4", *"fast")
        window = pilot.app.screen
        assert isinstance(window, Pick)
        assert str(window.query_one("#note", Static).content) == "loading from the cluster"
        assert window.query_one(FilterInput).value == "fast"
        Slow.released.set()
        await until(pilot, lambda: not window.query_one("#note").display)
        await press(pilot, "enter")
        await until(pilot, lambda: wizard.draft.raw["storage"]["storageClass"] == "fast")

    driven(scenario, cluster=lambda: Slow(speed=50))


def test_help_speaks_of_the_control_and_not_of_the_file() -> None:
    assert in_words("null takes the default; false is not true.", nothing="empty") == (
        "empty takes the default; no is not yes."
    )


def test_help_keeps_the_value_of_a_label_that_kubernetes_has_to_match() -> None:
    assert in_words('pods labelled x-client: "true"', nothing="empty") == 'pods labelled x-client: "true"'


def test_a_parameter_in_focus_shows_its_reason_whole() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Tuning")
        profile = row(wizard, "tuning.profile").control
        await until(pilot, lambda: profile.has_focus)
        await press(pilot, "f2")
        parameters = wizard.query_one("#parameters", OptionList)
        await until(pilot, lambda: parameters.has_focus)
        await press(pilot, "end")
        await until(pilot, lambda: "short queries compile longer" in str(wizard.query_one("#reason", Static).content))
        await press(pilot, "f2")
        await until(pilot, lambda: profile.has_focus)

    driven(scenario)


def test_manifests_that_can_no_longer_be_rendered_are_not_exported() -> None:
    """The certificate goes with the connection, after the export was requested."""

    async def scenario(pilot: Pilot[int], wizard: Wizard, saved: dict[str, str]) -> None:
        wizard.draft.learn(Facts(), (Finding("tls.source", "is gone"),))
        wizard.post_message(Review.ExportRequested())
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await press(pilot, "y")
        await until(pilot, lambda: notices(pilot) != [])
        assert notices(pilot) == ["not exported: the answers have problems"]
        assert saved == {}

    driven(scenario)


def test_another_version_of_pgbackrest_repeats_the_checks() -> None:
    """It decides whether an IP address is compared with a certificate."""

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await until(pilot, lambda: wizard.checks.is_settled)
        wizard.pages.give(("images", "pgbackrestVersion"), "2.53")
        await until(pilot, lambda: not wizard.checks.is_settled)
        await until(pilot, lambda: wizard.checks.is_settled)

    driven(scenario)


def test_a_release_that_is_chosen_is_the_one_that_was_highlighted_whatever_was_read_since() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        page = wizard.query_one(ReleaseColumn)
        await until(pilot, lambda: "release" in str(page.query_one("#releases-note", Static).content))
        page.show_releases([Record(ReleaseRef("x", "a")), Record(ReleaseRef("x", "b"))])
        page.query_one("#releases FilterInput").focus()
        await press(pilot, *"x/b")
        await until(pilot, lambda: page.query_one("#releases", FilteredList).here == "x/b")
        page.query_one("#releases OptionList", OptionList).action_select()
        page.show_releases([Record(ReleaseRef("x", name)) for name in ("a0", "a", "b")])
        await until(pilot, lambda: isinstance(pilot.app.screen, StatusScreen))
        assert cast("StatusScreen", pilot.app.screen).release_watch.release == ReleaseRef("x", "b")

    driven(scenario)


def test_a_release_whose_record_cannot_be_read_is_listed_and_not_changed() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        page = wizard.query_one(ReleaseColumn)
        await until(pilot, lambda: "release" in str(page.query_one("#releases-note", Static).content))
        page.show_releases([UnreadableRecord(ReleaseRef("x", "a"), "Secret x/a-pgwizard holds no record of a release")])
        page.query_one("#releases FilterInput").focus()
        await press(pilot, *"x/a")
        await until(pilot, lambda: page.query_one("#releases", FilteredList).here == "x/a")
        await until(pilot, lambda: "its record cannot be read" in words(pilot))
        await press(pilot, "f6")
        await until(pilot, lambda: "! Secret x/a-pgwizard holds no record" in words(page.query_one("#releases-note")))
        assert pilot.app.screen is wizard

    driven(scenario)


def test_a_deleted_draft_is_not_offered_again(tmp_path: Path) -> None:
    (tmp_path / "draft-0000000000000001.yaml").write_text("storage: {size: 20Gi}\n")

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await until(pilot, lambda: isinstance(pilot.app.screen, Offer))
        await press(pilot, "f8")
        await until(pilot, lambda: notices(pilot) == ["Press F8 again to delete permanently"])
        await press(pilot, "f8")
        await until(pilot, lambda: pilot.app.screen is wizard and not list(tmp_path.iterdir()))

    driven(scenario, drafts=lambda: Drafts(tmp_path), ready=lambda _: True)


def test_a_panel_is_shown_with_its_page() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Schedule")
        await settled(pilot)
        assert panel(wizard).startswith("In words\n")

    driven(scenario)


def test_undo_restores_the_previous_answer_on_its_page() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Storage", ("storage", "size"))
        size = cast("Input", row(wizard, "storage.size").control)
        await until(pilot, lambda: size.has_focus)
        await press(pilot, *"25Gi")
        await until(pilot, lambda: wizard.draft.answers.storage.size == "25Gi")
        await wizard.go("Repository", ("repository", "credentials"))
        kinds = row(wizard, "repository.credentials").control
        await until(pilot, lambda: kinds.has_focus)
        await press(pilot, "right")
        await until(pilot, lambda: wizard.draft.tag(("repository", "credentials")) == "env")
        await press(pilot, "ctrl+z")
        await until(pilot, lambda: "repository" not in wizard.draft.raw)
        await until(pilot, lambda: row_is_there(wizard, "repository.credentials.secret"))
        await press(pilot, "ctrl+z")
        await until(pilot, lambda: wizard.page == "Storage" and size.has_focus and size.value == "10Gi")
        await press(pilot, "ctrl+z")
        await until(pilot, lambda: notices(pilot) != [])
        assert notices(pilot) == ["nothing to undo"]
        wizard.pages.give(("storage", "size"), "30Gi")
        await wizard.go("Review")
        await press(pilot, "ctrl+z")
        await until(pilot, lambda: "storage" not in wizard.draft.raw)
        assert notices(pilot) == ["undone: Size"]

    driven(scenario)


def row_is_there(wizard: Wizard, path: str) -> bool:
    return any(".".join(row.path) == path for row in wizard.query(QuestionRow))


def test_unsaved_changes_of_a_release_are_offered_when_it_is_opened_again(tmp_path: Path) -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        release = {"release": {"namespace": "shop", "name": "db"}}
        await pilot.app.push_screen(Wizard(release))
        over = cast("Wizard", pilot.app.screen)
        await until(pilot, lambda: over.page == "Release" and over.autosave.is_open)
        over.pages.give(("storage", "size"), "77Gi")
        await press(pilot, "escape")
        await until(pilot, lambda: pilot.app.screen is wizard)
        other = Wizard({"release": {"namespace": "shop", "name": "another"}})
        await pilot.app.push_screen(other)
        await until(pilot, lambda: other.autosave.is_open and other.page == "Release")
        assert pilot.app.screen is other
        await press(pilot, "escape")
        await until(pilot, lambda: pilot.app.screen is wizard)
        again = Wizard(release)
        await pilot.app.push_screen(again)
        await until(pilot, lambda: isinstance(pilot.app.screen, Offer))
        await press(pilot, "enter")
        await until(pilot, lambda: again.draft.answers.storage.size == "77Gi")
        assert again.draft.answers.release.name == "db"

    driven(scenario, drafts=lambda: Drafts(tmp_path))


def test_unknown_answers_can_be_removed_from_the_review() -> None:
    """A file may hold it; nothing else in the wizard could take it away."""
    raw = {"storage": {"sise": "1Gi"}}

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Review")
        problems = wizard.query_one("#problems", OptionList)
        await until(pilot, lambda: problems.has_focus)
        await press(pilot, "enter")
        await until(pilot, lambda: not wizard.draft.problems)
        assert wizard.draft.raw == {}
        assert notices(pilot) == ["removed: storage.sise"]

    driven(scenario, raw=raw, ready=lambda wizard: wizard.page != "" and len(wizard.draft.problems) == 1)


def test_escape_folds_the_panel_before_it_leaves_the_page() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Schedule")
        await press(pilot, "f2")
        await until(pilot, lambda: bool(wizard.query_one("#panel").display))
        await press(pilot, "escape")
        await until(pilot, lambda: not wizard.query_one("#panel").display)
        assert pilot.app.screen is wizard

    driven(scenario, (80, 24))


def test_choices_stay_whole_beside_the_panel() -> None:
    """Just above the width from which on it does, there is still room for a word and its mark."""

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        await wizard.go("Tuning")
        await until(pilot, lambda: row(wizard, "tuning.profile").control.size.width > 0)
        for choice in wizard.query("#page-Tuning Choice").results(Choice):
            widest = max(len(f"(•) {option}") for option in choice.options)
            assert choice.size.width >= widest, choice.id

    for width in (90, 100, MIDDLE - 1, MIDDLE):
        driven(scenario, (width, 40))


def test_applied_answers_replace_older_answers_of_the_wizard_below() -> None:
    """Status leads from one wizard to another; to apply in the first one again must not undo the second's."""

    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        wizard.drafting.release = ReleaseRef("default", "postgresql")
        wizard.pages.give(("tuning", "connections"), 50)
        await wizard.go("Tuning")
        over = Wizard({"tuning": {"connections": 70}, "release": {"namespace": "default"}})
        await pilot.app.push_screen(over)
        await until(pilot, lambda: over.page != "")
        pilot.app.post_message(Applied(over.draft.answers, complete=True))
        await until(pilot, lambda: wizard.draft.answers.tuning.connections == 70)
        await settled(pilot)
        assert wizard.query_one("#page-Tuning").display, "the page is created again and shown"
        await until(pilot, lambda: cast("Input", row(wizard, "tuning.connections").control).value == "70")

    driven(scenario)


def test_a_size_is_compared_with_the_volume_of_the_release_that_was_opened() -> None:
    async def scenario(pilot: Pilot[int], wizard: Wizard, _: dict[str, str]) -> None:
        sim = cast("SimCluster", cast("WizardApp", pilot.app).connection.cluster)
        await deployed(sim, answers_of())
        await pilot.app.push_screen(Wizard({"release": {"namespace": "default"}}))
        over = cast("Wizard", pilot.app.screen)
        await until(pilot, lambda: over.page == "Release" and over.checks.is_settled)
        over.pages.give(("storage", "size"), "5Gi")
        shrinks = "the volume has 10Gi and cannot shrink to 5Gi: set storage.size to 10Gi, or more"
        await until(pilot, lambda: shrinks in [problem.text for problem in over.draft.problems])

    driven(scenario)
