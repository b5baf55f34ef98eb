"""The answers as a file, and a folder for another tool."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from pgwizard.errors import OutputError
from pgwizard.plan.plan import Facts
from pgwizard.tls.certificates import read_bundle
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.saving import Saving
from pgwizard.tui.widgets.dialogs import TextWindow
from pgwizard.wizard.draft import Draft
from support.alone import with_screen
from support.headless import GOLDEN
from support.screens import notices, painted, press, until

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


# ---- export --------------------------------------------------------------------------------------------------------


@dataclass
class Folders:
    """What was exported, by folder. refused: a folder that cannot be written."""

    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    replaceable: dict[str, frozenset[str]] = field(default_factory=dict)
    refused: str = ""

    def export(self, folder: str, texts: dict[str, str], replaceable: frozenset[str]) -> None:
        if folder == self.refused:
            raise OutputError(f"{folder} cannot be written", hint="Choose another folder")
        self.texts[folder], self.replaceable[folder] = texts, replaceable


async def begin_exporting(pilot: Pilot[int], screen: BaseScreen[None], raw: dict[str, Any] | None = None) -> None:
    """Export up to the question for the format."""
    draft = Draft(raw or {})
    draft.learn(Facts(ca=BUNDLE), (), ())
    screen.run_worker(Saving(screen).export(draft))
    await until(pilot, lambda: "Export the answers as" in painted(pilot))


@pytest.mark.parametrize(
    ("key", "folder", "file"),
    [
        ("h", "chart", "templates/statefulset.yaml"),
        ("k", "deploy", "overlays/default/kustomization.yaml"),
        ("y", "manifests", "12-statefulset.yaml"),
    ],
)
def test_each_format_is_written_into_its_folder_and_names_the_secrets_that_must_exist(
    key: str, folder: str, file: str
) -> None:
    folders = Folders()

    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        await begin_exporting(pilot, screen)
        await press(pilot, key)
        await until(pilot, lambda: "Write into the folder" in painted(pilot))
        await press(pilot, "enter")
        await until(pilot, lambda: "Exported" in painted(pilot))
        assert file in folders.texts[folder]
        assert folders.texts[folder].keys() <= folders.replaceable[folder]
        shown = str(cast("TextWindow", pilot.app.screen).text)
        assert f"{len(folders.texts[folder])} files in {folder}:" in shown
        assert "Secret postgresql-pgbackrest-s3 with the keys accessKey and secretKey must exist" in shown
        await press(pilot, "escape")
        await until(pilot, lambda: "Exported" not in painted(pilot))

    with_screen(scenario, export=folders.export)


@pytest.mark.parametrize("is_hidden", [False, True])
def test_an_export_that_takes_long_is_named_until_it_has_ended(
    monkeypatch: pytest.MonkeyPatch, *, is_hidden: bool
) -> None:
    may_end = asyncio.Event()

    async def write_slowly(_: Any, *arguments: Any) -> None:
        if "chart" in arguments:
            await may_end.wait()

    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        await begin_exporting(pilot, screen)
        await press(pilot, "h")
        await until(pilot, lambda: "Write into the folder" in painted(pilot))
        monkeypatch.setattr(asyncio, "to_thread", write_slowly)
        await press(pilot, "enter")
        await until(pilot, lambda: "Writing" in painted(pilot) and "Esc hides it" in painted(pilot))
        if is_hidden:
            await press(pilot, "escape")
            await until(pilot, lambda: "Writing" not in painted(pilot))
        may_end.set()
        await until(pilot, lambda: isinstance(pilot.app.screen, TextWindow))
        assert "Writing" not in painted(pilot)

    with_screen(scenario, export=Folders().export)


def test_esc_exports_nothing() -> None:
    folders = Folders()

    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        await begin_exporting(pilot, screen)
        await press(pilot, "h")
        await until(pilot, lambda: "Write into the folder" in painted(pilot))
        await press(pilot, "escape")
        await until(pilot, lambda: "Write into the folder" not in painted(pilot))
        assert folders.texts == {}

    with_screen(scenario, export=folders.export)


def test_answers_with_problems_are_not_exported() -> None:
    folders = Folders()

    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        await begin_exporting(pilot, screen, {"storage": {"size": "20GB"}})
        await press(pilot, "h")
        await until(pilot, lambda: notices(pilot) == ["not exported: the answers have problems"])
        assert folders.texts == {}

    with_screen(scenario, export=folders.export)


def test_for_a_folder_that_cannot_be_written_another_one_is_requested() -> None:
    folders = Folders(refused="chart")

    async def scenario(pilot: Pilot[int], screen: BaseScreen[None]) -> None:
        await begin_exporting(pilot, screen)
        await press(pilot, "h")
        await until(pilot, lambda: "Write into the folder" in painted(pilot))
        await press(pilot, "enter")
        await until(pilot, lambda: notices(pilot) == ["chart cannot be written. Choose another folder"])
        await until(pilot, lambda: "Write into the folder" in painted(pilot))
        await press(pilot, "ctrl+u", *"other", "enter")
        await until(pilot, lambda: "Exported" in painted(pilot))
        assert folders.texts.keys() == {"other"}

    with_screen(scenario, export=folders.export)
