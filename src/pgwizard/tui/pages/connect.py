"""The first page: which cluster, which namespace, and the releases that are there already."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from pgwizard.errors import PgwizardError
from pgwizard.tui.base import HostAccess
from pgwizard.tui.pages.clusters import ClusterColumn
from pgwizard.tui.pages.column import Column
from pgwizard.tui.pages.namespaces import NamespaceColumn
from pgwizard.tui.pages.releases import ReleaseColumn

_WITHOUT = "F5 reconnects. The questions can be answered without a cluster."


class Connect(HostAccess, Vertical):
    """Three columns, from the left: clusters, namespaces, releases; trouble with the cluster above them."""

    DEFAULT_CSS = """
    Connect { padding: 0 1; }
    Connect #columns { height: 1fr; }
    Connect #trouble { color: $text-muted; height: auto; max-height: 16; padding: 0 0 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "reconnect", "retry", tooltip="connect again, and reload every list"),
        Binding("escape", "cancel_login", "cancel", tooltip="cancel the log-in"),
    ]

    def __init__(self, target: str) -> None:
        super().__init__()
        self._clusters, self._namespaces = ClusterColumn(), NamespaceColumn(target)
        self._releases = ReleaseColumn(target)
        self._is_read = False
        """Whether the kubeconfig was read, or could not be."""

    def compose(self) -> ComposeResult:
        yield Static("reading the kubeconfig", id="trouble", markup=False)
        with Horizontal(id="columns"):
            yield self._clusters
            yield self._namespaces
            yield self._releases

    def on_mount(self) -> None:
        self.watch(self.app, "link", self._follow_link)

    def aim(self, target: str) -> None:
        """The release goes to another namespace."""
        self._namespaces.target = target
        self._releases.aim(target)

    def reload(self) -> None:
        """List what is in the cluster now."""
        if self.connection.cluster is not None:
            self._namespaces.load()
            self._releases.load()

    def focus_first(self) -> None:
        """The list that is to be answered first: the clusters only where there are several."""
        first: Column = self._clusters if len(self._clusters.choices) > 1 else self._namespaces
        first.focus_filter()

    def _follow_link(self) -> None:
        self._namespaces.stop()
        self._releases.stop()
        if self._is_read or self.connection.trouble is not None or self.connection.is_logging_in:
            self._show_trouble()
        self.refresh_bindings()
        if self.connection.trouble is not None:
            self._namespaces.clear("· no connection: type the name and press Enter")
            self._releases.clear("· no connection")
        elif self.connection.cluster is not None:
            self.reload()
        elif self._releases.loaded_of is not self.connection.place:
            self._namespaces.clear(Column.WAITING)
            self._releases.clear(Column.WAITING)
        else:  # the same cluster again: the lists keep their cursors
            self._namespaces.note(Column.WAITING)
            self._releases.note(Column.WAITING)

    def on_cluster_column_loaded(self) -> None:
        self._is_read = True
        self._show_trouble()

    def on_cluster_column_unreadable(self, event: ClusterColumn.Unreadable) -> None:
        self._is_read = True
        self._show_trouble(event.error)

    def _show_trouble(self, error: PgwizardError | None = None) -> None:
        trouble = error or self.connection.trouble
        lines = [f"✗ {trouble.message}", trouble.hint, "" if error else _WITHOUT] if trouble else []
        if self.connection.is_logging_in:
            lines = ["This cluster asks you to log in. Esc cancels.", *self.connection.login_lines]
        line = self.query_one("#trouble", Static)
        line.update("\n".join(filter(None, lines)))
        line.display = bool(lines)

    def on_namespace_column_chosen(self, event: NamespaceColumn.Chosen) -> None:
        """Continues with the wizard, which has the answers."""
        self._releases.aim(event.target)
        self._releases.focus_filter()
        if self.connection.cluster is not None:
            self._releases.load()

    def check_action(self, action: str, _: tuple[object, ...]) -> bool | None:
        """Esc is the screen's own key where no log-in waits."""
        return action != "cancel_login" or self.connection.is_logging_in

    def action_cancel_login(self) -> None:
        self.connection.cancel_login()

    def action_reconnect(self) -> None:
        self._clusters.load()
        self.connection.connect()
