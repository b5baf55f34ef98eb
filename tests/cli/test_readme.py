"""The apply in the README is what the command line really prints, on a terminal, on the simulated cluster."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pgwizard.cli import connect, prompt
from pgwizard.kube.api import Ref
from pgwizard.simulator.cluster import SimCluster
from support import headless
from support.faulting import NAMESPACE
from support.headless import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMAND = "pgwizard apply answers.yaml"
IMAGE = "registry.example.com/postgres-pgbackrest:15.0"
NODE_WITH_THE_IMAGE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "node-with-the-image"},
    "status": {"images": [{"names": [IMAGE], "sizeBytes": 300_000_000}]},
}
"""The README has built and pushed the image before."""


def fenced(language: str) -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for each, text in fences if each == language]


class Terminal(io.TextIOWrapper):
    """Standard output, as a person has it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def at_a_terminal(sim: SimCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster without the namespace, and a person who approves."""

    @contextlib.asynccontextmanager
    async def connected(_: connect.ClusterSource) -> AsyncIterator[SimCluster]:
        async with sim:
            sim.store.remove(Ref(NAMESPACE, "shop"))
            sim.store.put(NODE_WITH_THE_IMAGE)
            yield sim

    async def approves(question: str) -> bool:
        sys.stdout.write(f"{question}y\n")
        return True

    monkeypatch.setattr(connect, "open_cluster", connected)
    monkeypatch.setattr(SimCluster, "server", "prod-eu (https://10.0.0.1:6443)")
    monkeypatch.setattr(prompt, "is_interactive", lambda *, yes: not yes)
    monkeypatch.setattr(prompt, "confirm", approves)
    monkeypatch.setattr(headless, "_stream", lambda: Terminal(io.BytesIO(), encoding="utf-8", newline=""))
    monkeypatch.setenv("TERM", "dumb")  # the same lines, without a spinner in between


def normalised(text: str) -> str:
    """Without what differs from run to run: how long a stage took, and when a backup was taken."""
    text = re.sub(r"\d+\.\d s$", "0.0 s", text, flags=re.MULTILINE)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}|\d{8}-\d{6}F", "TIME", text)


def test_the_apply_is_what_a_terminal_shows(at_a_terminal: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """``...`` replaces lines of the log that are left out."""
    (answers,) = fenced("yaml")
    block = next(text for text in fenced("") if COMMAND in text)
    before, _, shown = block.partition(f"$ {COMMAND}\n")
    for name in re.findall(r"^\$ export ([A-Z0-9_]+)=", before, re.MULTILINE):
        monkeypatch.setenv(name, "minioadmin")
    Path("answers.yaml").write_text(answers)
    done = headless.run(*COMMAND.split()[1:])
    assert (done.code, done.err) == (0, "")
    lines = [
        "(?:    .*\n)+" if line == "    ..." else re.escape(f"{line}\n") for line in normalised(shown).splitlines()
    ]
    assert re.fullmatch("".join(lines), normalised(done.out)), done.out


def test_every_variable_of_the_answers_is_exported_first() -> None:
    (answers,) = fenced("yaml")
    named = re.findall(r"(?:accessKey|secretKey): ([A-Z0-9_]+)", answers)
    exported = re.findall(r"^\$ export ([A-Z0-9_]+)=", README.partition(f"$ {COMMAND}\n")[0], re.MULTILINE)
    assert named
    assert exported == named
