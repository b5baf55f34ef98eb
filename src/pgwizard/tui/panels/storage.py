"""How long the volume lasts without S3, and the StorageClasses of the cluster."""

from __future__ import annotations

from rich.text import Text
from textual import work

from pgwizard import quantities
from pgwizard.errors import ClusterError
from pgwizard.plan.tuning import SEGMENT_BYTES
from pgwizard.text import span
from pgwizard.tui.panels.base import Panel
from pgwizard.wizard.choices import Suggestion, choices


class StoragePanel(Panel):
    """The classes are listed once a visit."""

    _classes_listing: list[Suggestion] | str = "waiting for the cluster"
    """Or why they cannot be listed."""

    def on_mount(self) -> None:
        super().on_mount()
        self._load()

    @work(group="storage-classes", exclusive=True, exit_on_error=False)
    async def _load(self) -> None:
        cluster = await self.connection.once_connected()
        try:
            self._classes_listing = await choices(cluster, "storageClasses")
        except ClusterError as error:
            self._classes_listing = f"! {error.message}"
        self.refresh_from(self.draft)

    def text(self) -> Text:
        text, answers = Text(), self.draft.answers
        text.append("How long the volume lasts without S3\n", "bold")
        _append_endurance(text, quantities.size_bytes(answers.storage.size), answers.tuning.archive_timeout_seconds)
        text.append("StorageClasses\n", "bold")
        if isinstance(self._classes_listing, str):
            return text.append(f"  {self._classes_listing}\n", "dim")
        _append_classes(text, self._classes_listing, answers.storage.storage_class)
        return text


def _append_endurance(text: Text, size: float, archive_timeout_seconds: int) -> None:
    rates = [("busy: a segment in 10 s", 10.0), ("steady: one a minute", 60.0), ("calm: one in 10 min", 600.0)]
    if archive_timeout_seconds:
        rates[1] = (f"timeout: one in {archive_timeout_seconds} s", float(archive_timeout_seconds))
    text.append(f"  {'WAL written':23}{'data ½':>12}{'data ¼':>12}\n", "dim")
    for name, seconds in rates:
        half, quarter = (_lasting(size * share, seconds) for share in (0.5, 0.75))
        text.append(f"  {name:23}{half:>12}{quarter:>12}\n")
    text.append("  data ½: the database fills half of the volume; a segment has 16 MB\n\n", "dim")


def _append_classes(text: Text, classes: list[Suggestion], choice: str | None) -> None:
    for each in classes:
        is_chosen = each.value == choice or (choice is None and each.best)
        text.append(f"{'●' if is_chosen else ' '} {each.value}\n", "bold" if is_chosen else "")
        text.append(f"    {each.note}\n", "dim")
    if not classes:
        text.append("  none: the cluster cannot create volumes\n")


def _lasting(free_bytes: float, seconds_a_segment: float) -> str:
    return span(free_bytes / SEGMENT_BYTES * seconds_a_segment)
