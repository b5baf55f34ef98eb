"""What is shipped: the wheel holds the templates, and both kinds of installation find theirs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pgwizard.diagnose import messages
from pgwizard.plan import manifests
from support.headless import GOLDEN, ROOT
from support.waiting import DEADLINE_SECONDS


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=DEADLINE_SECONDS)
    (built,) = folder.glob("*.whl")
    return built


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_checkout_uses_its_own_templates() -> None:
    assert manifests.templates_dir() == ROOT / "templates"


def test_the_wheel_holds_every_template_and_the_types_marker(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"pgwizard/py.typed", *(f"pgwizard/templates/{name}" for name in _files(ROOT / "templates"))} <= names
    assert not [name for name in names if name.startswith(("tests", "templates"))]


def test_the_wheel_holds_the_page_of_messages(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    script = "from pgwizard.diagnose import messages; print(len(messages.entries()))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == f"{len(messages.entries())}\n", done.stderr


def test_the_wheel_renders_from_the_templates_that_it_holds(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    script = (
        "from pgwizard.cli.main import main\nfrom pgwizard.plan import manifests\n"
        f"assert str(manifests.templates_dir()) == {str(tmp_path / 'pgwizard' / 'templates')!r}\n"
        f"main(['--headless', {str(GOLDEN / 'defaults' / 'answers.yaml')!r}])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    expected = sorted((GOLDEN / "defaults" / "manifests").iterdir())
    assert done.stdout == "---\n".join(path.read_text(encoding="utf-8") for path in expected), done.stderr
