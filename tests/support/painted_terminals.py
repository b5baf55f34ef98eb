"""pgwizard in a real terminal against a real cluster: keys go in, what is on the screen is read back."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.rigtools import KUBECONFIG
from support.waiting import DEADLINE_SECONDS, wait_until

NEEDS_TMUX = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is missing: there is no terminal")


@dataclass(frozen=True, slots=True)
class PaintedTerminal:
    """A terminal of tmux, on a server of its own."""

    socket: str

    def tmux(self, *arguments: str) -> str:
        return subprocess.run(
            ["tmux", "-L", self.socket, "-f", "/dev/null", *arguments],
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=True,
        ).stdout

    def press(self, *keys: str) -> None:
        """Keys by their names in tmux, and texts; without a pause between them."""
        self.tmux("send-keys", *keys)

    def click(self, column: int, row: int) -> None:
        """The left button, down and up, as a terminal reports it; counted from 1."""
        for end in ("M", "m"):
            self.tmux("send-keys", "-l", f"\x1b[<0;{column};{row}{end}")

    def resize(self, columns: int, rows: int) -> None:
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    @property
    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    @property
    def colours(self) -> set[str]:
        """Every SGR code that what is on the screen needs."""
        sequences: list[str] = re.findall(r"\x1b\[([0-9;:]*)m", self.tmux("capture-pane", "-e", "-p"))
        return {code for sequence in sequences for code in sequence.split(";")}

    def shows(self, text: str) -> str:
        """Wait for a text; the screen that has it. What breaks a line in the terminal is a blank in the text."""
        return self.until(f"the screen shows {text!r}", lambda: text in " ".join(self.screen.split()))

    def until(self, what: str, reached: Callable[[], bool]) -> str:
        wait_until(what, reached, lambda: self.screen)
        return self.screen if self.alive else ""

    @property
    def alive(self) -> bool:
        return subprocess.run(["tmux", "-L", self.socket, "ls"], capture_output=True, check=False).returncode == 0


@contextmanager
def terminal(
    folder: Path, columns: int = 120, rows: int = 40, arguments: Sequence[str] = (), **variables: str
) -> Iterator[PaintedTerminal]:
    """pgwizard in a new terminal, in this folder, which also keeps its drafts."""
    found = PaintedTerminal(f"pgwizard-{uuid.uuid4().hex[:8]}")
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "KUBECONFIG": str(KUBECONFIG), **variables}
    size = ("-x", str(columns), "-y", str(rows))
    program = (sys.executable, "-m", "pgwizard", *arguments)
    subprocess.run(
        ["tmux", "-L", found.socket, "-f", "/dev/null", "new-session", "-d", *size, *program],
        cwd=folder,
        env=environment,
        check=True,
        timeout=DEADLINE_SECONDS,
    )
    try:
        yield found
    finally:
        subprocess.run(
            ["tmux", "-L", found.socket, "kill-server"], capture_output=True, check=False, timeout=DEADLINE_SECONDS
        )
        folder = Path(os.environ.get("TMUX_TMPDIR", "/tmp"), f"tmux-{os.getuid()}")
        (folder / found.socket).unlink(missing_ok=True)  # tmux leaves it behind
