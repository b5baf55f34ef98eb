"""Unsaved answers on disk, so that a crash, a closed terminal or Ctrl-C loses nothing.

One file a running wizard, readable by its owner alone; what an ended one left behind is offered to the next. Answers
hold references only, so no secret is in it. It refuses to fail: a disk that cannot be written costs the draft, not the
wizard.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pgwizard import yamlfile
from pgwizard.reference import answers_text

_NAME = re.compile(r"draft-([0-9]{1,10})\.yaml")
_KEPT = 5


def state_folder() -> Path:
    """``$XDG_STATE_HOME/pgwizard``, by default ``~/.local/state/pgwizard``."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "pgwizard"


@dataclass(frozen=True, slots=True)
class Left:
    """Answers that an ended wizard left. at: when they were last changed, UTC."""

    path: Path
    at: datetime
    raw: dict[str, Any]


class Drafts:
    """The draft of this process, and those that others left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = folder / f"draft-{os.getpid()}.yaml"

    def left(self) -> Left | None:
        """The newest draft whose wizard has ended. Blocking."""
        found: list[Left] = []
        with contextlib.suppress(OSError):
            for path in sorted(self._folder.iterdir()):
                match = _NAME.fullmatch(path.name)
                if match and not _runs(int(match[1])) and (one := _read(path)) is not None:
                    found.append(one)
        found.sort(key=lambda one: one.at)
        for old in found[:-_KEPT]:
            self.drop(old)
        return found[-1] if found else None

    def keep(self, raw: dict[str, Any]) -> bool:
        """Write this process's draft whole or not at all, mode 0600. Blocking. False where it cannot be kept."""
        beside = self._own.with_suffix(".tmp")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside.unlink(missing_ok=True)
            beside.touch(mode=0o600, exist_ok=False)
            beside.write_text(answers_text(raw), encoding="utf-8")
            beside.replace(self._own)
        except OSError:
            return False
        return True

    def drop(self, left: Left | None = None) -> None:
        """Forget what another wizard left, or (None) this one's draft."""
        with contextlib.suppress(OSError):
            (left.path if left else self._own).unlink()


def _read(path: Path) -> Left | None:
    try:
        data, at = path.read_bytes(), datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None
    value = yamlfile.read(data).value
    return Left(path, at, value) if isinstance(value, dict) and value else None


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not _has_ended(pid)


def _has_ended(pid: int) -> bool:
    """Whether it is a zombie: in a container, process 1 may be slow to collect what was left to it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False  # no Linux, or gone by now
    return state.rpartition(b")")[2].split()[:1] == [b"Z"]
