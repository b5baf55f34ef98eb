"""Unsaved answers on disk, so that a crash, a closed terminal or Ctrl+C loses nothing.

One file a running wizard, readable by its owner alone; what an ended one left behind is offered to the next. A lock
that the kernel lets go of with its process tells the one from the other. Answers hold references only, so no secret is
in it. It never fails: a disk that cannot be written costs the draft, not the wizard.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pgwizard.answers import strict_yaml
from pgwizard.answers.reference import answers_text

_NAME = re.compile(r"draft-[0-9a-f]{16}\.yaml")
_MOST_DRAFTS = 5


def state_folder(name: str = "pgwizard") -> Path | None:
    """``$XDG_STATE_HOME/name``, by default ``~/.local/state/name``.

    None for a user id that has no home: neither HOME nor an entry in passwd, as containers on OpenShift and CI have it.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # noqa: PTH117 - the specification has relative ones ignored
        return Path(state, name)
    try:
        return Path.home() / ".local/state" / name
    except RuntimeError:
        return None


@dataclass(frozen=True, slots=True)
class AbandonedDraft:
    """Answers that an ended wizard left. at: when they were last changed, UTC."""

    path: Path
    at: datetime
    raw: dict[str, Any]


class Drafts:
    """The draft of one wizard, and those that others left. Its calls may come from several threads at once.

    folder: None where there is nowhere to keep a draft; then ``keep`` fails as on a disk that cannot be written.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder or Path(os.devnull)  # no folder can exist below it
        self._own = self._folder / f"draft-{secrets.token_hex(8)}.yaml"
        self._lock: int | None = None
        self._turn = threading.RLock()

    def find_abandoned(self) -> list[AbandonedDraft]:
        """The drafts of wizards that have ended, newest first; only the newest few are kept. Blocking."""
        drafts: list[AbandonedDraft] = []
        with contextlib.suppress(OSError):
            for path in sorted(self._folder.iterdir()):
                if not _NAME.fullmatch(path.name) or path == self._own or _is_locked(_lock_of(path)):
                    continue
                if (one := _read(path)) is not None:
                    drafts.append(one)
        drafts.sort(key=lambda one: one.at, reverse=True)
        for old in drafts[_MOST_DRAFTS:]:
            self.drop(old)
        return drafts[:_MOST_DRAFTS]

    def keep(self, raw: dict[str, Any]) -> bool:
        """Write this wizard's draft whole or not at all, mode 0600. Blocking. Returns False if it cannot be written."""
        with self._turn:
            return self._keep(raw)

    def _keep(self, raw: dict[str, Any]) -> bool:
        beside = self._own.with_suffix(".tmp")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._lock is None:
                self._lock = os.open(_lock_of(self._own), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            beside.unlink(missing_ok=True)
            beside.touch(mode=0o600, exist_ok=False)
            beside.write_text(answers_text(raw), encoding="utf-8")
            beside.replace(self._own)
        except OSError:
            return False
        return True

    def drop(self, draft: AbandonedDraft | None = None) -> None:
        """Delete a draft that another wizard left, or (None) this one's."""
        path = draft.path if draft else self._own
        with self._turn:
            for file in (path, _lock_of(path)):
                with contextlib.suppress(OSError):
                    file.unlink()
            if draft is None:
                self.close()

    def close(self) -> None:
        """Release the lock: the next wizard may offer this draft."""
        with self._turn:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _read(path: Path) -> AbandonedDraft | None:
    try:
        data, at = path.read_bytes(), datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None
    value = strict_yaml.read(data).value
    return AbandonedDraft(path, at, value) if isinstance(value, dict) and value else None


def _is_locked(lock: Path) -> bool:
    """Whether a running wizard has the draft locked."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
