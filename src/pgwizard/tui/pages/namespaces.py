"""The namespaces of the cluster, one of which the release goes to."""

from __future__ import annotations

from textual import work
from textual.message import Message

from pgwizard.errors import ClusterError, Forbidden
from pgwizard.tui.pages.column import Column
from pgwizard.tui.widgets.filtered_list import FilteredList, Item
from pgwizard.wizard.choices import choices
from pgwizard.wizard.draft import Draft


class NamespaceColumn(Column):
    """A name that is not listed may be typed."""

    TITLE = "Namespace"
    LIST = "namespaces"
    FREE = True

    class Chosen(Message):
        """The release goes there. exists: None where that is not known."""

        def __init__(self, target: str, *, exists: bool | None) -> None:
            super().__init__()
            self.target = target
            self.exists = exists

    class Loaded(Message):
        """The namespaces of this cluster are known."""

        def __init__(self, names: frozenset[str]) -> None:
            super().__init__()
            self.names = names

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target
        self._names: frozenset[str] | None = None

    def stop(self) -> None:
        """What the cluster before still answers is not about this one."""
        self.workers.cancel_node(self)
        self._names = None

    def clear(self, note: str) -> None:
        """Nothing is known of the namespaces."""
        self.filtered_list.fill([], self.target)
        self.note(note)

    @work(group="namespaces", exclusive=True, exit_on_error=False)
    async def load(self) -> None:
        cluster = await self.connection.once_connected()
        self.note("loading namespaces")
        self._names = None
        try:
            namespaces = await choices(cluster, "namespaces")
        except Forbidden as error:
            self.clear(f"! no permission to list namespaces: type the name and press Enter\n{error.message}")
            return
        except ClusterError as error:
            self.note(f"✗ {error.message}\nF5 retries")
            return
        self._names = frozenset(choice.value for choice in namespaces)
        self.post_message(self.Loaded(self._names))
        self.filtered_list.fill([Item(choice.value, choice.note) for choice in namespaces], self.target)
        self.note(f"the release goes to {self.target}")

    def on_filtered_list_chosen(self, event: FilteredList.Chosen) -> None:
        event.stop()
        if problem := Draft({"release": {"namespace": event.value}}).problem_of(("release", "namespace")):
            self.note(f"✗ {problem}")
            return
        self.target = event.value
        exists = self.target in self._names if self._names is not None else None
        self.filtered_list.mark(self.target)
        self.note(f"the release goes to {self.target}" + (", which will be created" if exists is False else ""))
        self.post_message(self.Chosen(self.target, exists=exists))
