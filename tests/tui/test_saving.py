"""The answers as a file, and the manifests as a folder."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from pgwizard.errors import OutputError
from pgwizard.plan.plan import Facts
from pgwizard.tls.certificates import read_bundle
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.saving import Saving
from pgwizard.wizard.draft import Draft
from support.alone import with_screen
from support.headless import GOLDEN
from support.screens import notices, painted, press, settled, until

BUNDLE = read_bundle((GOLDEN / "ca.crt").read_bytes())
CHANGED = {"storage": {"size": "77Gi"}}


async def begin_saving(pilot: Pilot[int], screen: BaseScreen[None]) -> list[bool]:
    """Save up to the question for the name. Returns what will hold whether the answers were saved."""
    results: list[bool] = []

    async def save() -> None:
        results.append(await Saving(screen).save(Draft(CHANGED)))

    screen.run_worker(save())
    await until(pilot, lambda: "Save the answers as" in painted(pilot))
    return results


def test_the_answers_are_saved_under_the_name_that_is_typed() -> None:
    saved: dict[str, str] = {}

    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        results = await begin_saving(pilot, screen)
        await press(pilot, "ctrl+u", *"mine.yaml", "enter")
        await until(pilot, lambda: results == [True])
        assert saved == {"mine.yaml": "storage:\n  size: 77Gi\n"}
        await until(pilot, lambda: any("saved as mine.yaml" in notice for notice in notices(pilot)))

    with_screen(scenario, save=saved.__setitem__)


def test_an_existing_file_is_kept_and_another_name_is_requested() -> None:
    names: list[str] = []

    def save_unless_it_exists(name: str, _: str) -> None:
        names.append(name)
        if len(names) == 1:
            raise OutputError(f"{name} exists already", hint="Give another name.")

    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        results = await begin_saving(pilot, screen)
        await press(pilot, "enter")
        await until(pilot, lambda: any("exists already. Give another name." in notice for notice in notices(pilot)))
        await press(pilot, "ctrl+u", *"other.yaml", "enter")
        await until(pilot, lambda: results == [True])
        assert names == ["/work/answers.yaml", "other.yaml"]

    with_screen(scenario, save=save_unless_it_exists, folder=Path("/work"))


def test_esc_saves_nothing() -> None:
    saved: dict[str, str] = {}

    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        results = await begin_saving(pilot, screen)
        await press(pilot, "escape")
        await until(pilot, lambda: results == [False])
        assert saved == {}

    with_screen(scenario, save=saved.__setitem__)


def test_saved_answers_with_problems_point_to_the_review() -> None:
    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        async def save() -> None:
            await Saving(screen).save(Draft({"storage": {"size": "20GB"}, "release": {"name": "Post_gres"}}))

        screen.run_worker(save())
        await until(pilot, lambda: "Save the answers as" in painted(pilot))
        await press(pilot, "enter")
        await until(pilot, lambda: any("see the Review page" in notice for notice in notices(pilot)))

    with_screen(scenario)


def test_each_object_is_exported_as_a_file_of_the_folder() -> None:
    exported: dict[str, dict[str, str]] = {}
    draft = Draft({})
    draft.learn(Facts(ca=BUNDLE), (), ())

    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        await Saving(screen).export(draft, "out")
        (names,) = (set(texts) for texts in exported.values())
        assert exported.keys() == {"out"}
        assert any(name.endswith("-statefulset.yaml") for name in names)
        await settled(pilot)
        assert notices(pilot) == [f"exported {len(names)} manifests to out"]

    with_screen(scenario, export=exported.__setitem__)


def test_answers_with_problems_are_not_exported() -> None:
    exported: dict[str, dict[str, str]] = {}

    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        await Saving(screen).export(Draft({"storage": {"size": "20GB"}}), "out")
        await settled(pilot)
        assert notices(pilot) == ["not exported: the answers have problems"]
        assert exported == {}

    with_screen(scenario, export=exported.__setitem__)


def test_a_folder_that_cannot_be_written_is_an_error_with_its_reason() -> None:
    def refuse(folder: str, _: dict[str, str]) -> None:
        raise OutputError(f"{folder} cannot be written", hint="Choose another folder")

    draft = Draft({})
    draft.learn(Facts(ca=BUNDLE), (), ())

    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        await Saving(screen).export(draft, "out")
        await settled(pilot)
        assert notices(pilot) == ["out cannot be written. Choose another folder"]

    with_screen(scenario, export=refuse)
