"""Files that answers name: read to their end, and never for longer than that takes.

It refuses what is no regular file. A pipe or a device may have no end, nothing can interrupt the read, and a process
cannot end while one of its threads sits in it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from pgwizard.errors import OutputError

_OTHERS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read(path: Path, limit_bytes: int) -> bytes:
    """The content of a regular file; of a larger one the limit and one byte more, which tells it.

    Blocking. Raises ValueError, which names the file.
    """
    try:
        mode = path.stat().st_mode  # before it is opened: opening a pipe waits for its other end
        for is_one, what in _OTHERS:
            if is_one(mode):
                raise ValueError(f"{path}: cannot be read: it is {what}, and only a regular file is taken")
        with path.open("rb") as file:
            return file.read(limit_bytes + 1)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from error


def write_text(path: str, text: str) -> None:
    """Write a file whole or not at all; an existing one is never replaced. Raises OutputError."""
    target = Path(path)
    try:
        file = target.open("x", encoding="utf-8")
    except FileExistsError:
        raise OutputError(
            f"{path} exists already: nothing was written", hint="Give another name, or remove it first."
        ) from None
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with file:
            file.write(text)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"{path} cannot be written: {error.strerror}: nothing was written") from error
        raise


def write_folder(
    folder: str, texts: Mapping[str, str], replaceable: Collection[str], *, force: bool | None = None
) -> None:
    """Write a folder whole or not at all: beside the target first, then by renaming.

    texts: by the path below the folder. A folder that holds anything but files of the names in ``replaceable`` is not
    touched; with ``force`` its other files are kept, and those of ``texts`` replaced: a link in their place is removed,
    and what it points to is left alone. None: as False, where there is no ``--force`` to advise. Raises OutputError.

    A process that is killed leaves a hidden folder beside the target, and between two renames the old folder is in it:
    the next write puts that back, and removes what is left.
    """
    target = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow a link and replace what it points to
    work: Path | None = None
    lock: int | None = None
    try:
        if target in (Path.cwd(), *Path.cwd().parents):
            raise OutputError(
                f"{target} is the current folder or contains it, and is replaced as a whole: nothing was written",
                hint="Give a folder of its own.",
            )
        put_back(folder)
        other = _find_other_entry(target, replaceable)
        is_folder = target.is_dir() and not target.is_symlink()
        if other and not (force and is_folder):
            force_note = " --force keeps its other files and replaces those of the export."
            raise OutputError(
                f"{target} is not a folder: nothing was written"
                if other == _NO_FOLDER
                else f"{target} holds {other}, which this export does not write: nothing was written",
                hint=f"Give a folder of its own.{force_note if is_folder and force is not None else ''}",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=_work_prefix(target), dir=target.parent))
        lock = _lock(work)
        new, old = work / "new", work / _OLD
        if other:
            shutil.copytree(target, new, symlinks=True)
        for name, text in texts.items():
            for part in (Path(name), *Path(name).parents):
                if (new / part).is_symlink():
                    (new / part).unlink()
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_text(text, encoding="utf-8")
        new.chmod(0o755)
        if target.exists():
            target.rename(old)
        new.rename(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{target} cannot be written: {reason}: nothing was written", hint=_advice(error)) from error
    finally:
        if work is not None:
            _remove(work, target)
        if lock is not None:
            os.close(lock)


_OLD = "old"


def _advice(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Give a folder that you may write to."
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Free some space there, or give a folder on another disk."
    return "Give another folder."


def _work_prefix(target: Path) -> str:
    return f".{target.name}.pgwizard-"


def put_back(folder: str) -> None:
    """Remove what writes of a folder left that were killed, and put back the old one if such a write had moved it."""
    target = Path(os.path.abspath(folder))  # noqa: PTH100 - as in write_folder
    prefix = _work_prefix(target)
    for place in target.parent.glob(f"{glob.escape(prefix)}*"):
        if re.fullmatch(r"\w+", place.name.removeprefix(prefix)) and (lock := _lock(place)) is not None:
            try:
                _remove(place, target)
            finally:
                os.close(lock)


def _lock(folder: Path) -> int | None:
    """A lock that the kernel lets go of with the process; None where another process has it, or it cannot be had."""
    handle = None
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if handle is not None:
            os.close(handle)
        return None
    return handle


def _remove(work: Path, target: Path) -> None:
    """Remove a work folder; the old folder in it is put back where the target is missing."""
    with contextlib.suppress(OSError):
        if (work / _OLD).exists():  # it loses its name before its files, so that it is never put back half
            (work / _OLD).rename(work / "replaced" if target.exists() else target)
        shutil.rmtree(work)


_NO_FOLDER = "no folder"


def _find_other_entry(target: Path, ours: Collection[str]) -> str | None:
    """The first entry of the target that an earlier run did not write; its own name where it is no folder."""
    if not target.exists() and not target.is_symlink():
        return None
    if target.is_symlink() or not target.is_dir():
        return _NO_FOLDER
    folders = {str(parent) for name in ours for parent in Path(name).parents}
    entries = ((entry, str(entry.relative_to(target))) for entry in sorted(target.rglob("*")))
    return next(
        (name for entry, name in entries if entry.is_symlink() or name not in (folders if entry.is_dir() else ours)),
        None,
    )
