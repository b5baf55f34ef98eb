"""pgwizard on a real terminal: a pseudo-terminal in a session of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from support.waiting import wait_until

MODES = {"alternate screen": 1049, "mouse": 1000, "every move of the mouse": 1003, "paste": 2004}

AS_NOBODY = ("unshare", "--user", "--map-user=987654")
"""Before a command: it runs with a user id that nobody has, as in OpenShift and in many pipelines."""


def _control(terminal: int) -> None:
    """Make it the controlling terminal of this session, which then gets its Ctrl+C."""
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


class Terminal:
    """A wizard on a terminal of its own, in a session of its own."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        program: Sequence[str] = ("-m", "pgwizard"),
        stderr: int | None = None,
        nobody: bool = False,
        is_controlling: bool = True,
    ) -> None:
        """program: what Python runs. is_controlling: the terminal sends it Ctrl+C and a hangup.

        nobody: as a user id without an entry in passwd, and without HOME.
        """
        self.ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, 120))
        self.settings = termios.tcgetattr(theirs)
        self.theirs = theirs
        home = {} if nobody else {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
        self.process = subprocess.Popen(
            [*(AS_NOBODY if nobody else ()), sys.executable, *program, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs if stderr is None else stderr,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color", **home},
            cwd=folder,
            start_new_session=True,
            preexec_fn=partial(_control, theirs) if is_controlling else None,  # noqa: PLW1509 - the tests have no threads
        )
        self.output = b""

    def read_until(self, text: str) -> None:
        def is_printed() -> bool:
            self.read()
            return text.encode() in self.output

        wait_until(f"{text!r} is printed", is_printed, lambda: repr(self.output[-2000:]))

    def read(self) -> bool:
        """Takes what is printed, in the kernel's portions of at most 4 KiB; False where nothing is."""
        before = len(self.output)
        while select.select([self.ours], [], [], 0.1 if len(self.output) == before else 0)[0]:
            self.output += os.read(self.ours, 65536)
        return len(self.output) > before

    def end(self) -> int:
        """Its exit code, once it has ended."""

        def has_ended() -> bool:
            self.read()
            return self.process.poll() is not None

        wait_until("the program has ended", has_ended, lambda: repr(self.output[-2000:]))
        while self.read():  # the kernel holds many portions of what it printed last
            pass
        return self.process.returncode

    def on(self) -> list[str]:
        """The modes that are switched on."""
        return [name for name, mode in MODES.items() if self.last(rf"\x1b\[\?{mode}([hl])") == b"h"]

    def last(self, pattern: str) -> bytes:
        matches = re.findall(pattern.encode(), self.output)
        return bytes(matches[-1]) if matches else b""

    def press(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def close_terminal(self) -> None:
        os.close(self.theirs)
        os.close(self.ours)
        self.ours = self.theirs = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.ours >= 0:
            self.close_terminal()


@contextmanager
def terminals(folder: Path) -> Iterator[Any]:
    """Opens terminals in a folder, and closes them at the end."""
    opened: list[Terminal] = []

    def start(*arguments: str, **options: Any) -> Terminal:
        opened.append(Terminal(folder, *arguments, **options))
        return opened[-1]

    try:
        yield start
    finally:
        for terminal in opened:
            terminal.close()


def assert_restored(terminal: Terminal) -> None:
    assert terminal.on() == []
    assert terminal.last(r"\x1b\[\?25([hl])") == b"h"
    pushed, popped = (len(re.findall(mode, terminal.output)) for mode in (rb"\x1b\[>[0-9]+u", rb"\x1b\[<u"))
    assert pushed == popped, "the way in which keys are reported"
    assert termios.tcgetattr(terminal.theirs) == terminal.settings
