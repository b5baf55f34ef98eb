"""Keeps one release observed over the application's connection, or reports why it cannot.

``release_watch`` keeps what is known. This begins to observe, continues over a new connection, and lets a person choose
where it is not clear which release is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual.worker import Worker

from pgwizard.errors import ClusterError, PgwizardError
from pgwizard.plan.names import ANY_RELEASE
from pgwizard.release.report import error_lines
from pgwizard.text import about, fit, visible
from pgwizard.tui.base import BaseScreen
from pgwizard.tui.release_watch import ReleaseWatch
from pgwizard.tui.widgets.dialogs import Pick
from pgwizard.tui.widgets.filtered_list import Item

if TYPE_CHECKING:
    from pgwizard.plan.names import ReleaseRef
    from pgwizard.release.records import ListedRelease


class ReleaseObserver:
    """Runs in a worker of the screen. release: None for the one of ``Start``, or for the only one of the namespace.

    on_change: called after each change.
    """

    def __init__(self, screen: BaseScreen[Any], release: ReleaseRef | None, on_change: Callable[[], None]) -> None:
        self._screen, self._on_change = screen, on_change
        self._work: Worker[None] | None = None
        self.watch = ReleaseWatch(release or ANY_RELEASE, self._now, on_change, self._offer)

    def _now(self) -> datetime:
        return self._screen.start.now()

    @property
    def trouble(self) -> PgwizardError | None:
        """Why nothing is observed; None while a release is observed, or may be soon."""
        return self.watch.trouble or self._screen.connection.trouble

    def begin(self) -> None:
        """Observe, once there is a connection; what is observed until then ends."""
        if self.watch.release is None:
            self.watch.target = self._screen.start.release
        self.watch.trouble = None
        self._work = self._screen.run_worker(
            self._observe, name="observe", group="observe", exclusive=True, exit_on_error=False
        )

    async def _observe(self) -> None:
        await self.watch.run(await self._screen.connection.once_connected())

    def follow_connection(self) -> None:
        """Continue over a new connection to the same cluster; what was read from one says nothing about another."""
        before, now = self.watch.cluster, self._screen.connection.cluster
        if before is None or now is None or before is now:
            self._on_change()
        elif before.server == now.server:
            self.begin()
        else:
            if self._work is not None:
                self._work.cancel()
            self.watch.end(ClusterError(f"another cluster was chosen: {now.server}"))

    def reload(self) -> None:
        """Read everything again; restart a watch that has ended."""
        if self._screen.connection.cluster is None:
            self._screen.connection.connect()
        if self.watch.trouble is not None:
            self.begin()
        self.watch.ask_again()

    def _offer(self, there: Sequence[ListedRelease], namespace: str) -> None:
        """Offer the choice among several releases, or of another namespace; the verdict explains why there is none."""
        refs = {str(release.ref): release.ref for release in there}
        is_here = bool(there) and there[0].ref.namespace == namespace
        title = "Which release?" if is_here else f"No release in {fit(namespace)}. Choose another one?"

        def take(choice: str | None) -> None:
            if choice is not None:
                self.watch.target = refs[choice]
                self.begin()

        if refs:
            items = [Item(ref, label=fit(ref)) for ref in refs]
            self._screen.app.push_screen(Pick(title, items, free=False), take)

    def trouble_lines(self) -> list[str]:
        """Why nothing is observed, and the age of the shown state."""
        cluster, trouble = self._screen.connection.cluster, self.trouble
        if trouble is None:
            lines = ["· reading" if cluster else f"· {self._screen.host.link}"]
            if self._screen.connection.is_logging_in:
                lines = ["· logging in", *self._screen.connection.login_lines]
        else:
            lines = [f"✗ {error_lines(trouble)[0]}", *error_lines(trouble)[1:], "Press r to try again."]
        if self.watch.age_seconds is not None:
            server = self.watch.server
            elsewhere = f" of {server}" if cluster is not None and cluster.server != server else ""
            lines.append(f"Showing the last known state{elsewhere}, {about(self.watch.age_seconds)} old.")
        return [visible(line) for part in lines for line in part.splitlines()]
