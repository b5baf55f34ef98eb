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
    """What the size buys while S3 is away, and the cluster's StorageClasses."""

    _found: list[Suggestion] | str = "waiting for the cluster"

    def on_mount(self) -> None:
        """The classes come when they come."""
        super().on_mount()
        self._read()

    @work(group="storage-classes", exclusive=True, exit_on_error=False)
    async def _read(self) -> None:
        cluster = await self.connection.once_connected()
        try:
            self._found = await choices(cluster, "storageClasses")
        except ClusterError as error:
            self._found = f"! {error.message}"
        self.refresh_from(self.draft)

    def text(self) -> Text:
        """See the class."""
        text, answers = Text(), self.draft.answers
        size = quantities.size_bytes(answers.storage.size)
        text.append("How long the volume lasts while S3 is away\n", "bold")
        timeout = answers.tuning.archive_timeout_seconds
        rates = [("busy: a segment in 10 s", 10.0), ("steady: one a minute", 60.0), ("calm: one in 10 min", 600.0)]
        if timeout:
            rates[1] = (f"archive_timeout: in {timeout} s", float(timeout))
        text.append(f"  {'WAL written':25} data ½   data ¼\n", "dim")
        for name, seconds in rates:
            half, quarter = (_lasting(size * share, seconds) for share in (0.5, 0.75))
            text.append(f"  {name:25}{half:>9}{quarter:>9}\n")
        text.append("  data ½: the database fills half of the volume; a segment has 16 MB\n\n", "dim")
        text.append("StorageClasses\n", "bold")
        if isinstance(self._found, str):
            text.append(f"  {self._found}\n", "dim")
            return text
        chosen = answers.storage.storage_class
        for found in self._found:
            here = found.value == chosen or (chosen is None and found.best)
            text.append(f"{'●' if here else ' '} {found.value}\n", "bold" if here else "")
            text.append(f"    {found.note}\n", "dim")
        if not self._found:
            text.append("  none: the cluster cannot make volumes\n")
        elif chosen is not None and chosen not in {found.value for found in self._found}:
            text.append(f"! {chosen} is not there: the volume would wait for it\n", "bold")
        elif chosen is None and not any(found.best for found in self._found):
            text.append("! none is the default: name one\n", "bold")
        return text


def _lasting(free_bytes: float, seconds_a_segment: float) -> str:
    return span(free_bytes / SEGMENT_BYTES * seconds_a_segment)
