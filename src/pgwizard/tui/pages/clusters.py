"""The clusters of the kubeconfig, each with whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import work
from textual.message import Message
from textual.timer import Timer

from pgwizard.errors import PgwizardError, describe_defect
from pgwizard.text import visible
from pgwizard.tui.pages.column import Column
from pgwizard.tui.widgets.filtered_list import FilteredList, Item

if TYPE_CHECKING:
    from pgwizard.tui.start import ClusterChoice

PROBE_SECONDS = 8.0
SHOW_SECONDS = 0.1
"""Between two updates of a list where hundreds of clusters answer."""
_SIDE_BY_SIDE = 8


class ClusterColumn(Column):
    """Choosing one connects to it."""

    TITLE = "Cluster"
    LIST = "clusters"
    WAITING = ""

    class Unreadable(Message):
        """The kubeconfig cannot be read."""

        def __init__(self, error: PgwizardError) -> None:
            super().__init__()
            self.error = error

    class Loaded(Message):
        """The clusters of the kubeconfig are listed."""

    def __init__(self) -> None:
        super().__init__()
        self.choices: Sequence[ClusterChoice] = ()
        self._states: dict[str, str] = {}
        self._showing: Timer | None = None

    def on_mount(self) -> None:
        self.note("")
        self.watch(self.app, "link", self._show)
        self.load()

    @work(group="clusters", exclusive=True, exit_on_error=False)
    async def load(self) -> None:
        """Read the kubeconfig, then try its clusters."""
        self._states.clear()
        try:
            self.choices = await asyncio.to_thread(self.start.places)
        except PgwizardError as error:
            self.post_message(self.Unreadable(error))
            return
        self._mark_chosen()
        self._show()
        self.post_message(self.Loaded())
        gate = asyncio.Semaphore(_SIDE_BY_SIDE)
        async with asyncio.TaskGroup() as group:
            for choice in self.choices:
                if not choice.runs and not choice.current:
                    group.create_task(self._probe(choice, gate))

    async def _probe(self, choice: ClusterChoice, gate: asyncio.Semaphore) -> None:
        """Try one. A context whose log-in runs a program is left alone until it is chosen."""
        async with gate:
            loop = asyncio.get_running_loop()
            begin = loop.time()
            try:
                async with asyncio.timeout(PROBE_SECONDS), AsyncExitStack() as stack:
                    version = await (await choice.connect(stack)).version()
                state = f"✓ answers in {(loop.time() - begin) * 1000:.0f} ms · {version}"
            except TimeoutError:
                state = f"✗ no answer within {PROBE_SECONDS:.0f} s"
            except PgwizardError as error:
                state = f"✗ {error.message.replace(f' to {choice.server}', '')}"  # it is on the line above
            except Exception as defect:  # noqa: BLE001 - one odd context must not stop the others
                state = f"✗ {describe_defect(defect)}"
        self._states[choice.name] = state
        if self._showing is None:
            self._showing = self.set_timer(SHOW_SECONDS, self._show)

    def _show(self) -> None:
        self._showing = None
        items = [Item(visible(each.name), "", (visible(each.server), self._state(each))) for each in self.choices]
        self.filtered_list.fill(items, next((visible(each.name) for each in self.choices if each.current), ""))

    def _state(self, choice: ClusterChoice) -> str:
        if choice.current:
            if self.connection.cluster is not None:
                return "✓ connected"
            return "✗ not connected" if self.connection.trouble else "connecting"
        first_state = f"· logs in with {visible(choice.runs)} when selected" if choice.runs else "· connecting"
        return self._states.get(choice.name, first_state)

    def on_filtered_list_chosen(self, event: FilteredList.Chosen) -> None:
        event.stop()
        place = next((choice for choice in self.choices if visible(choice.name) == event.value), None)
        if place is not None:
            self.connection.connect(place)
            self._mark_chosen()
            self._show()

    def _mark_chosen(self) -> None:
        place = self.connection.place
        if place is not None:
            self.choices = [replace(choice, current=choice.name == place.name) for choice in self.choices]
