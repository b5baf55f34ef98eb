"""Files that answers name: read to their end, and never for longer than that takes.

It refuses what is no regular file. A pipe or a device may have no end, nothing can interrupt the read, and a process
cannot end while one of its threads sits in it.
"""

from __future__ import annotations

import os
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


def write_folder(folder: str, texts: Mapping[str, str], replaceable: Collection[str], *, force: bool = False) -> None:
    """Write a folder whole or not at all: beside the target first, then by renaming.

    texts: by the path below the folder. A folder that holds anything but files of the names in ``replaceable`` is not
    touched; with ``force`` its other files are kept, and those of ``texts`` replaced: a link in their place is removed,
    and what it points to is left alone.
    """
    target = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow a link and replace what it points to
    old: Path | None = None
    try:
        if target in (Path.cwd(), *Path.cwd().parents):
            raise OutputError(
                f"{target} is the current folder or contains it, and is replaced as a whole: nothing was written",
                hint="Give a folder of its own with -o.",
            )
        other = _find_other_entry(target, replaceable)
        if other and not (force and target.is_dir() and not target.is_symlink()):
            raise OutputError(
                f"{target} is not a folder: nothing was written"
                if other == _NO_FOLDER
                else f"{target} holds {other}, which this export does not write: nothing was written",
                hint="Give a folder of its own with -o.",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            if other:
                shutil.copytree(target, fresh, symlinks=True, dirs_exist_ok=True)
            for name, text in texts.items():
                for part in (Path(name), *Path(name).parents):
                    if (fresh / part).is_symlink():
                        (fresh / part).unlink()
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                (fresh / name).write_text(text, encoding="utf-8")
            fresh.chmod(0o755)
            if target.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
                target.rename(old / target.name)
            fresh.rename(target)
        except BaseException:
            if old is not None and not target.exists():
                (old / target.name).rename(target)
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}: nothing was written") from error
    finally:
        if old is not None and target.exists():
            shutil.rmtree(old, ignore_errors=True)


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
