"""The releases of the cluster: begin a new one, look at one, or change its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList

from pgwizard.errors import ClusterError, Forbidden
from pgwizard.release import records
from pgwizard.release.record import UnreadableRecord
from pgwizard.text import visible
from pgwizard.tui.navigation import OpenStatus, OpenWizard
from pgwizard.tui.pages.column import Column
from pgwizard.tui.widgets.filtered_list import FilteredList, Item

_NEW = "+"
"""The value of a new release in the list; it is no namespace/name."""


class ReleaseColumn(Column):
    """See the module. Status and wizard of a release open over the page."""

    TITLE = "Releases"
    LIST = "releases"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f6", "change", "change", tooltip="change the answers of the highlighted release"),
    ]

    class NewWanted(Message):
        """A new release is wanted."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.loaded_of: object = self
        """The cluster whose releases are listed; none so far."""
        self._target = target
        self._records: Sequence[records.AnyRecord] = ()

    def on_mount(self) -> None:
        self._show()

    def stop(self) -> None:
        """What the cluster before still answers is not about this one."""
        self.workers.cancel_node(self)

    def clear(self, note: str) -> None:
        """Nothing is known of the releases."""
        self.show_releases(())
        self.note(note)

    def aim(self, target: str) -> None:
        """A new release goes to another namespace."""
        self._target = target
        self._show()

    @work(group="releases", exclusive=True, exit_on_error=False)
    async def load(self) -> None:
        """List them: those of all namespaces, or of the namespace where these may not be listed."""
        cluster = await self.connection.once_connected()
        self.note("loading releases")
        where = "in this cluster"
        try:
            try:
                there = await records.releases(cluster, None)
            except Forbidden:
                where = f"in {self._target} (no permission to list other namespaces)"
                there = await records.releases(cluster, self._target)
        except ClusterError as error:
            self.clear(f"! {error.message}")
            return
        self.loaded_of = self.connection.place
        self.show_releases(there)
        count = len(there)
        keys = "\nEnter: status · F6: change its answers" if count else ""
        self.note(f"{count or 'no'} release{'' if count == 1 else 's'} {where}{keys}")

    def show_releases(self, there: Sequence[records.AnyRecord]) -> None:
        """List these, in this order."""
        self._records = there
        self._show()

    def _show(self) -> None:
        items = [Item(_NEW, label=f"+ new release in {self._target}")]
        for record in self._records:
            name = str(record.ref)
            items.append(Item(name, "", (_state(record),), visible(name)))
        self.filtered_list.fill(items, "")

    def on_filtered_list_chosen(self, event: FilteredList.Chosen) -> None:
        event.stop()
        if event.value == _NEW:
            self.post_message(self.NewWanted())
        elif (record := self._record(event.value)) is not None:
            self.open_screen(OpenStatus(record.ref), self._reload)

    def action_change(self) -> None:
        """Open the answers of the highlighted release, as they were applied last."""
        record = self._record(self.filtered_list.here)
        if isinstance(record, UnreadableRecord):
            self.note(f"! {record.problem}\n{records.UNREADABLE}")
        elif record is not None:
            last = record.last
            self.open_screen(OpenWizard(dict(last.answers) if last else None), self._reload)

    def _reload(self, _: object) -> None:
        self.load()

    def _record(self, name: str) -> records.AnyRecord | None:
        """By its namespace/name, whatever has been listed since."""
        return next((record for record in self._records if str(record.ref) == name), None)

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """A release is changed only where one is highlighted."""
        return action != "change" or any(
            filtered_list.here not in ("", _NEW) for filtered_list in self.query(FilteredList)
        )

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Its keys follow."""
        event.stop()
        self.refresh_bindings()


def _state(release: records.AnyRecord) -> str:
    if isinstance(release, UnreadableRecord):
        return "its record cannot be read"
    last = release.last
    return f"revision {last.number}, {visible(last.outcome)} {visible(last.at[:16])}" if last else "no revision"
