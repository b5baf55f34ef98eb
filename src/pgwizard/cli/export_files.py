"""Writes the folder of an export; values that a person has edited are replaced only on request."""

from __future__ import annotations

from pathlib import Path

from pgwizard.errors import OutputError
from pgwizard.local.files import put_back, write_folder

_VALUES = "values.yaml"


def write_export(folder: str, texts: dict[str, str], replaceable: frozenset[str], *, force: bool | None = None) -> None:
    """Raises OutputError, also where the values of an earlier export have been edited and ``force`` is not set.

    force: None in the wizard, which has no such option.
    """
    put_back(folder)
    values = Path(folder) / _VALUES
    if _VALUES in texts and not force and _is_edited(values):
        raise OutputError(
            f"{values} was edited since it was exported: nothing was written",
            hint=f"{'Give another folder. pgwizard export FILE ' if force is None else ''}--force replaces it. "
            "To compare first: pgwizard export FILE --values-only prints the new values.",
        )
    write_folder(folder, texts, replaceable, force=force)


def _is_edited(values: Path) -> bool:
    from pgwizard.export.chart import is_edited

    try:
        return is_edited(values.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):  # there is none, or what is there is no file: the write says so
        return False
