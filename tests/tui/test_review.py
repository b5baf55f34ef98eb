"""The review: problems, what differs, manifests that fold, what an apply would change; by keys and by mouse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import DataTable, OptionList, Static

from pgwizard.errors import Finding
from pgwizard.kube.api import STATEFULSET, Cluster, Ref, Resource
from pgwizard.plan import manifests
from pgwizard.plan.plan import Facts
from pgwizard.release.changes import Change
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault
from pgwizard.tui.app import WizardApp
from pgwizard.tui.pages.review import Review
from pgwizard.tui.screens.apply import ApplyScreen
from pgwizard.tui.start import ClusterChoice, Start
from pgwizard.tui.widgets.change_folds import change_folds
from pgwizard.tui.widgets.comparison import NOT_COMPARED, Comparison
from pgwizard.tui.widgets.folds import Fold, Folds
from pgwizard.tui.widgets.review_parts import Jump
from pgwizard.wizard.draft import Draft
from support import simtime
from support.faulting import answers_of, deployed, taken_over
from support.faulting import cluster as simulated
from support.headless import NOW, planned, trusted
from support.screens import click, opened, painted, press, settled, until
from tui.test_folds import lines


class Host(Screen[None]):
    """In place of a wizard over another screen: shows a review, and keeps what it asks for."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "leave"), ("f9", "apply", "apply")]
    draft: Draft

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, ...]] = []

    def compose(self) -> ComposeResult:
        yield Review(self.draft)

    @property
    def review(self) -> Review:
        return self.query_one(Review)

    def shown(self) -> None:
        self.review.enter()
        self.review.focus()

    def action_leave(self) -> None:
        self.events.append(("leave",))

    def on_jump(self, event: Jump) -> None:
        self.events.append(("jump", event.path))

    def on_review_export_requested(self) -> None:
        self.events.append(("export",))

    def action_apply(self) -> None:
        self.events.append(("apply",))


Scenario = Callable[[Pilot[int], Host, SimCluster], Awaitable[None]]


def reviewed(scenario: Scenario, raw: dict[str, Any] | None = None, size: tuple[int, int] = (104, 40)) -> None:
    """Show a review of these answers on a simulated cluster, and play the scenario."""
    sim = simulated()

    async def connect(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(sim)

    async def main() -> None:
        Host.draft = Draft(raw or {}, Facts(ca=trusted()))
        app = WizardApp(Start(connect, lambda *_: None, screen=f"{__name__}:Host", now=lambda: NOW))
        async with opened(app, size) as pilot:
            await until(pilot, lambda: isinstance(app.screen, Host) and app.connection.connect_event.is_set())
            host = cast("Host", app.screen)
            host.shown()
            await settled(pilot)
            await scenario(pilot, host, sim)

    simtime.run(main())


def text(host: Host, selector: str) -> str:
    """What a line of the review says."""
    return str(host.query_one(selector, Static).content)


def headings(host: Host) -> str:
    return text(host, "#headings")


def table(host: Host) -> list[list[str]]:
    """The rows of the answers."""
    widget: DataTable[Any] = host.query_one(DataTable)
    return [[str(cell) for cell in widget.get_row_at(number)] for number in range(widget.row_count)]


# ---- problems ------------------------------------------------------------------------------------------------------


def test_problems_come_first_and_enter_goes_to_their_question() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        assert headings(host) == "[1 problems 1✗ 1!] 2 answers 2≠  3 manifests  4 diff against live "
        assert host.review.sections.section == "problems"
        await press(pilot, "enter", "down", "enter")
        assert host.events == [("jump", "storage.size"), ("jump", "tls.verify")]

    reviewed(scenario, {"storage": {"size": "10 Gi"}, "tls": {"verify": False, "source": None}})


def test_enter_goes_to_the_question_under_the_cursor_though_the_lists_are_rebuilt() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        host.query_one("#problems", OptionList).action_select()
        host.draft.give(("storage", "size"), "20Gi")
        host.shown()
        await settled(pilot)
        assert host.events == [("jump", "storage.size")]
        await press(pilot, "2", "o", "ctrl+end")
        widget: DataTable[Any] = host.query_one(DataTable)
        widget.action_select_cursor()
        host.review.action_only_changed()
        await settled(pilot)
        assert host.events == [("jump", "storage.size"), ("jump", "tls.source")]

    reviewed(scenario, {"storage": {"size": "10 Gi"}, "tls": {"verify": False, "source": None}})


def test_a_review_of_the_defaults_has_no_problems() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        assert headings(host).startswith(" 1 problems ✓ ")
        await press(pilot, "1", "enter")
        assert host.query_one(OptionList).get_option_at_index(0).prompt == ("✓ no problems and no warnings")
        assert host.events == []

    reviewed(scenario)


# ---- answers -------------------------------------------------------------------------------------------------------

CHANGED = {
    "storage": {"size": "50Gi"},
    "repository": {"credentials": {"from": "env", "accessKey": "A", "secretKey": "B"}},
}


def test_answers_that_differ_are_marked_by_a_sign_and_can_be_shown_alone() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        assert ["", " Workload", "mixed", ""] in table(host)
        await press(pilot, "o")
        assert table(host) == [
            ["", "Storage", "", ""],
            ["≠", " Size", "50Gi", "10Gi"],
            ["", "Repository", "", ""],
            ["≠", " S3 credentials", "env", "existing"],
            ["≠", " Variable of the access key", "A", "none"],
            ["≠", " Variable of the secret key", "B", "none"],
        ]
        await press(pilot, "enter", "down", "down", "enter")
        assert host.events == [("jump", "storage.size"), ("jump", "repository.credentials")]
        await press(pilot, "o")
        assert len(table(host)) > 60

    reviewed(scenario, CHANGED)


def test_a_chosen_alternative_without_its_answers_is_shown_as_chosen() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        await press(pilot, "2", "o")
        assert table(host) == [
            ["", "Database", "", ""],
            ["≠", " Credentials", "existing", "generate"],
            ["", "Repository", "", ""],
            ["≠", " S3 credentials", "env", "existing"],
        ]

    reviewed(scenario, {"credentials": {"from": "existing"}, "repository": {"credentials": {"from": "env"}}})


def test_an_answer_of_null_is_shown_as_what_the_container_gets() -> None:
    async def scenario(_: Pilot[int], host: Host, __: SimCluster) -> None:
        rows = {row[1].strip(): row[2] for row in table(host)}
        assert (rows["Memory request"], rows["CPU limit"]) == ("4Gi", "3")

    reviewed(scenario, {"tuning": {"memory": "4Gi", "cpu": "3"}})


def test_an_empty_storage_class_is_shown_as_the_default_one() -> None:
    async def scenario(_: Pilot[int], host: Host, __: SimCluster) -> None:
        assert ["", " StorageClass", "the cluster's default", ""] in table(host)

    reviewed(scenario)


def test_each_entry_of_an_answer_with_several_has_a_line() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        await press(pilot, "o")
        await settled(pilot)
        assert [line.split() for line in painted(host).splitlines()[2:6]] == [
            ["Tuning"],
            ["≠", "Overrides", "work_mem=8MB", "none"],
            ["max_wal_size=4GB"],
            ["jit=off"],
        ]

    reviewed(scenario, {"tuning": {"parameters": {"work_mem": "8MB", "max_wal_size": "4GB", "jit": False}}})


def test_all_columns_of_the_answers_fit_a_small_terminal() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        await settled(pilot)
        widget: DataTable[Any] = host.query_one(DataTable)
        assert widget.virtual_size.width <= widget.size.width

    reviewed(scenario, CHANGED, size=(80, 24))


# ---- manifests -----------------------------------------------------------------------------------------------------


def test_manifests_fold_by_object() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        await press(pilot, "3")
        shown = host.query_one("#manifests", Folds)
        assert lines(shown)[:2] == [
            "› ▸ ServiceAccount postgresql-pgbackrest   12 lines",
            "  ▸ Secret postgresql   14 lines",
        ]
        await press(pilot, "enter")
        assert lines(shown)[:3] == [
            "› ▾ ServiceAccount postgresql-pgbackrest",
            "      apiVersion: v1",
            "      kind: ServiceAccount",
        ]
        await press(pilot, "down", "down", "left")
        assert lines(shown)[1] == "  ▸ Secret postgresql   14 lines"
        await press(pilot, "a")
        assert shown.virtual_size.height > 800
        await press(pilot, "a")
        assert shown.virtual_size.height == 13
        await click(pilot, shown, offset=(6, 1))
        assert lines(shown)[1] == "› ▾ Secret postgresql"

    reviewed(scenario)


def test_a_search_unfolds_its_matches() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        await press(pilot, "3", "slash", *"ARCHIVE_mode")
        assert text(host, "#hint") == "'archive_mode': 1 of 1"
        await press(pilot, "enter")
        shown = host.query_one("#manifests", Folds)
        assert shown.current is not None
        assert shown.current.title == "ConfigMap postgresql-config"
        assert next(line for line in lines(shown) if line.startswith("›")).endswith(
            "archive_mode = on  # WAL goes to the repository"
        )
        await press(pilot, "home", "slash", *"kind: cronjob", "enter", "n")
        assert text(host, "#hint") == "'kind: cronjob': 2 of 3"
        await press(pilot, "n")
        assert text(host, "#hint") == "'kind: cronjob': 3 of 3"
        await press(pilot, "N")
        assert text(host, "#hint") == "'kind: cronjob': 2 of 3"
        await press(pilot, "slash", *"nowhere")
        assert text(host, "#hint") == "'nowhere' was not found"
        await press(pilot, "escape")
        assert shown.has_focus
        assert host.events == []

    reviewed(scenario)


def test_no_manifest_is_shown_while_an_answer_is_invalid() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        await press(pilot, "3")
        shown = host.query_one("#manifests", Folds)
        assert lines(shown) == ["›   The manifests appear here once there are no problems."]
        host.draft.give(("storage", "size"), "20Gi")
        host.shown()
        await press(pilot, "3")
        assert len(shown.folds) == 13

    reviewed(scenario, {"storage": {"size": "10 Gi"}})


def test_manifests_follow_the_certificate_as_well() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        await press(pilot, "3")
        shown = host.query_one("#manifests", Folds)
        await press(pilot, "enter")
        host.shown()
        assert shown.open  # nothing is new: what was unfolded stays so
        rotated = replace(trusted(), pem=trusted().pem * 2)
        host.draft.learn(Facts(ca=rotated))
        host.shown()
        wanted = [tuple(item.text.splitlines()) for item in manifests.render(planned(host.draft.answers, rotated))]
        assert [fold.lines for fold in shown.folds] == wanted

    reviewed(scenario)


# ---- diff against live ---------------------------------------------------------------------------------------------


AT = f" · compared {NOW.astimezone():%d %b %H:%M}"


async def compared(pilot: Pilot[int], host: Host) -> str:
    """Compare, and wait for the result."""
    await press(pilot, "d")
    await until(pilot, lambda: all(worker.is_finished for worker in host.workers))
    await settled(pilot)
    return comparison(host)


def comparison(host: Host) -> str:
    from rich.console import Console

    widget = host.query_one("#compared", Static).content
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(widget, markup=False, highlight=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def test_every_object_of_a_new_release_is_new() -> None:
    async def scenario(pilot: Pilot[int], host: Host, sim: SimCluster) -> None:
        assert await compared(pilot, host) == f"+ new release: all 13 objects are created{AT}"
        assert [request for request in sim.requests if request.is_write] == []
        shown = host.query_one("#changes", Folds)
        assert lines(shown)[0] == "› ▸ + create    ServiceAccount default/postgresql-pgbackrest   12 lines"

    reviewed(scenario)


def test_an_installed_release_is_compared_object_by_object() -> None:
    async def scenario(pilot: Pilot[int], host: Host, sim: SimCluster) -> None:
        await deployed(sim, answers_of())
        assert await compared(pilot, host) == f"= already up to date: all 13 objects{AT}"
        host.draft.give(("schedule", "full"), "0 3 * * 0")
        host.shown()
        assert comparison(host) == NOT_COMPARED
        assert await compared(pilot, host) == f"~ 1 to update, 1 to replace, 11 unchanged; Enter shows the changes{AT}"
        await press(pilot, "enter")
        shown = lines(host.query_one("#changes", Folds))
        assert shown[0] == "› ▾ ~ update    CronJob default/postgresql-pgbackrest-full"
        assert [line.split() for line in shown if " schedule: " in line] == [
            ["-", "schedule:", "0", "2", "*", "*", "0"],
            ["+", "schedule:", "0", "3", "*", "*", "0"],
        ]

    reviewed(scenario)


def test_a_release_of_another_tool_is_compared_as_if_taken_over_and_its_owner_is_named() -> None:
    async def scenario(pilot: Pilot[int], host: Host, sim: SimCluster) -> None:
        await deployed(sim, answers_of())
        taken_over(sim, Ref(STATEFULSET, "postgresql", "default"))
        written = len([request for request in sim.requests if request.is_write])
        host.draft.give(("schedule", "full"), "0 3 * * 0")
        result = " ".join((await compared(pilot, host)).split())
        assert result.startswith("✗ another tool owns what would be written; nothing was written StatefulSet")
        assert "StatefulSet default/postgresql belongs to Helm release shop" in result
        changes = "~ 2 to update, 1 to replace, 10 unchanged; Enter shows the changes"
        assert result.endswith(f"else an apply with --take-over: {changes}{AT}")
        shown = lines(host.query_one("#changes", Folds))
        assert "~ update    StatefulSet default/postgresql" in "\n".join(shown)
        assert len([request for request in sim.requests if request.is_write]) == written

    reviewed(scenario)


def test_a_failed_comparison_shows_its_reason_and_can_be_retried() -> None:
    async def scenario(pilot: Pilot[int], host: Host, sim: SimCluster) -> None:
        sim.faults.append(Fault("401", times=None))
        assert await compared(pilot, host) == (
            "✗   cannot ask for permissions: Unauthorized\n"
            "fix Log in again: the credentials of the kubeconfig are not accepted.\n"
            "d   tries again"
        )
        sim.faults.clear()
        assert await compared(pilot, host) == f"+ new release: all 13 objects are created{AT}"

    reviewed(scenario)


def test_a_comparison_is_forgotten_with_the_connection_that_it_was_made_by() -> None:
    async def another(stack: AsyncExitStack) -> Cluster:
        return await stack.enter_async_context(simulated())

    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        app = cast("WizardApp", pilot.app)
        await compared(pilot, host)
        host.shown()
        assert comparison(host).endswith(AT)  # shown again, it is still of this cluster
        app.connection.connect(ClusterChoice("another", "https://another", "default", another))
        await until(pilot, lambda: app.connection.connect_event.is_set() and comparison(host) == NOT_COMPARED)
        assert host.query_one(Comparison).outcome is None
        assert host.query_one("#changes", Folds).folds == ()

    reviewed(scenario)


def test_a_comparison_that_waits_for_the_connection_is_made_by_it() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        app = cast("WizardApp", pilot.app)
        gate, connect = asyncio.Event(), app.start.connect

        async def slow(stack: AsyncExitStack) -> Cluster:
            await gate.wait()
            return await connect(stack)

        app.connection.connect(ClusterChoice("slow", "https://slow", "default", slow))
        await press(pilot, "d")
        assert comparison(host) == "● waiting for the cluster: connecting"
        gate.set()
        await until(pilot, lambda: host.query_one(Comparison).outcome is not None)
        await settled(pilot)
        assert comparison(host).endswith(AT)

    reviewed(scenario)


def test_a_comparison_from_before_an_apply_is_forgotten_unless_nothing_was_approved() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        await compared(pilot, host)
        for approves in (False, True):
            screen = ApplyScreen(host.draft.answers)
            await pilot.app.push_screen(screen)
            await until(pilot, lambda screen=screen: screen.is_asking)  # type: ignore[misc]
            if approves:
                await press(pilot, "y")
                await until(pilot, lambda screen=screen: screen.run.state == "ended")  # type: ignore[misc]
            await press(pilot, "escape")
            assert pilot.app.screen is host
            assert comparison(host).endswith(AT) is not approves
        assert comparison(host) == NOT_COMPARED
        assert await compared(pilot, host) == f"= already up to date: all 13 objects{AT}"

    reviewed(scenario)


def test_the_differences_never_show_a_secret() -> None:
    wanted = Ref(Resource("v1", "Secret"), "postgresql", "shop")
    folds = change_folds([Change(wanted, "unchanged"), Change(wanted, "create", "", "data:\n  password: '***'\n")])
    assert folds == [
        Fold("+ create    Secret shop/postgresql", ("data:", "  password: '***'")),
        Fold("= unchanged Secret shop/postgresql", (), diff=True),
    ]


# ---- copying, exporting, applying ----------------------------------------------------------------------------------


def test_the_content_can_be_copied() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        await press(pilot, "2", "c")
        assert pilot.app.clipboard == "storage:\n  size: 50Gi\n"
        await press(pilot, "3", "c")
        assert pilot.app.clipboard.startswith("apiVersion: v1\nkind: ServiceAccount\n")

    reviewed(scenario, {"storage": {"size": "50Gi"}})


def test_export_and_apply_are_requests_to_the_wizard() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        await press(pilot, "e", "f9")
        assert host.events == [("export",), ("apply",)]
        await press(pilot, "escape")
        assert host.events[2:] == [("leave",)]

    reviewed(scenario)


def test_nothing_is_exported_while_an_answer_is_invalid() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        await press(pilot, "e")
        assert ("export",) not in host.events

    reviewed(scenario, {"storage": {"size": "10 Gi"}})


def test_a_click_on_a_heading_shows_its_section() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        await click(pilot, "#headings", offset=(headings(host).index("manifests") + 1, 0))
        assert host.review.sections.section == "manifests"

    reviewed(scenario)


def test_new_results_do_not_scroll_the_review() -> None:
    async def scenario(pilot: Pilot[int], host: Host, _: SimCluster) -> None:
        review = host.review
        await press(pilot, "2")
        await until(pilot, lambda: review.sections.section == "answers")
        host.draft.learn(Facts(), (Finding("tls.source", "gone"), Finding("storage.storageClass", "is not there")))
        review.follow()
        assert review.sections.section == "answers"
        assert headings(host).startswith(" 1 problems 2✗")
        await press(pilot, "1")
        problems = host.query_one("#problems", OptionList)
        await until(pilot, lambda: problems.has_focus)
        await press(pilot, "down")
        await until(pilot, lambda: problems.highlighted == 1)
        wrong = ("release.namespace", "tls.source", "storage.storageClass")
        host.draft.learn(Facts(), tuple(Finding(path, "wrong") for path in wrong))
        review.follow()
        assert problems.highlighted == 2
        await press(pilot, "2")
        await until(pilot, lambda: review.sections.section == "answers")
        review.enter()
        assert headings(host).startswith("[1 problems 3✗]")

    reviewed(scenario)
