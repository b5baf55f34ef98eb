"""The first page: which cluster, which namespace, and what is there already.

Every list is filled as the answers come in; what is loading, denied, unreachable or empty says so in its place. It
refuses to decide: what is chosen goes out as a message.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import OptionList, Static

from pgwizard.errors import ClusterError, Forbidden, PgwizardError
from pgwizard.release import records
from pgwizard.release.record import Record
from pgwizard.text import visible
from pgwizard.tui.base import Hosted
from pgwizard.tui.defects import SaysDefects
from pgwizard.tui.widgets.dialogs import FilteredList, Item
from pgwizard.wizard.choices import choices
from pgwizard.wizard.draft import Draft

if TYPE_CHECKING:
    from pgwizard.tui.start import ClusterChoice

PROBE_SECONDS = 8.0
SHOW_SECONDS = 0.1
"""Between two looks at what hundreds of clusters answer."""
_SIDE_BY_SIDE = 8
_NEW = "+"
"""Stands for a new release in the list of those that there are; no namespace/name."""
_WITHOUT = "f5 tries again; the questions can be answered without a cluster"


class Connect(Hosted, SaysDefects, Vertical):
    """Three lists, from the left: clusters, namespaces, releases."""

    DEFAULT_CSS = """
    Connect { padding: 0 1; }
    Connect #lists { height: 1fr; }
    Connect .column { width: 1fr; padding: 0 1 0 0; }
    Connect .title { text-style: bold; }
    Connect .column:focus-within { padding: 0 1 0 0; }
    Connect .column:focus-within .title { text-style: bold reverse; }
    Connect .said { color: $text-muted; height: auto; max-height: 16; }
    Connect #clusters-said { padding: 0 0 1 0; }
    Connect FilteredList { height: auto; }
    Connect FilteredList OptionList { height: auto; max-height: 24; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "retry", "again", tooltip="reconnect, and reload every list"),
        Binding("f6", "change", "change it", tooltip="open the answers of the release that is highlighted"),
    ]

    class NamespaceChosen(Message):
        """The release is to live there. exists: None where that is not known."""

        def __init__(self, namespace: str, *, exists: bool | None) -> None:
            super().__init__()
            self.target = namespace
            self.exists = exists

    class NamespacesRead(Message):
        """Which there are in this cluster."""

        def __init__(self, names: frozenset[str]) -> None:
            super().__init__()
            self.names = names

    class ReleaseChosen(Message):
        """An existing release. change: its answers are to be changed, rather than its status seen."""

        def __init__(self, record: Record, *, change: bool) -> None:
            super().__init__()
            self.record = record
            self.change = change

    class Begun(Message):
        """A new release: on to its questions."""

    def __init__(self, namespace: str) -> None:
        super().__init__()
        self.target = namespace
        self._places: Sequence[ClusterChoice] = ()
        self._states: dict[str, str] = {}
        self._records: list[Record] = []
        self._namespaces: frozenset[str] | None = None
        self._showing: Timer | None = None
        self._read_of: object = self  # whose releases stand in the list; nobody's so far

    def compose(self) -> ComposeResult:
        """The lists, each with a line that says what is up with it; what is up with the cluster takes the width."""
        yield Static("reading the kubeconfig", id="clusters-said", classes="said", markup=False)
        with Horizontal(id="lists"):
            with Vertical(classes="column"):
                yield Static("Cluster", classes="title")
                yield FilteredList(free=False, id="clusters")
            with Vertical(classes="column"):
                yield Static("Namespace", classes="title")
                yield FilteredList(id="namespaces")
                yield Static("waiting for the cluster", id="namespaces-said", classes="said", markup=False)
            with Vertical(classes="column"):
                yield Static("Releases", classes="title")
                yield FilteredList(free=False, id="releases")
                yield Static("waiting for the cluster", id="releases-said", classes="said", markup=False)

    def on_mount(self) -> None:
        """Begin to read; nothing waits for it."""
        self.watch(self.app, "link", self._linked)
        self._read_places()
        self._show_releases()

    def read_again(self) -> None:
        """What was applied or removed meanwhile is seen."""
        if self.connection.cluster is not None:
            self._read_namespaces()
            self._read_releases()

    def focus_first(self) -> None:
        """The list that is to be answered first: the clusters only where there are several."""
        first = "#clusters" if len(self._places) > 1 else "#namespaces"
        self.query_one(f"{first} FilterInput").focus()

    # ---- clusters --------------------------------------------------------------------------------------------------

    @work(group="places", exclusive=True, exit_on_error=False)
    async def _read_places(self) -> None:
        try:
            self._places = await asyncio.to_thread(self.start.places)
        except PgwizardError as error:
            self._say("clusters", f"✗ {error.message}\n{error.hint}")
            return
        self._mark_chosen()
        self._show_places()
        self._say_trouble()
        gate = asyncio.Semaphore(_SIDE_BY_SIDE)
        async with asyncio.TaskGroup() as group:
            for place in self._places:
                if not place.runs and not place.current:
                    group.create_task(self._probe(place, gate))

    async def _probe(self, place: ClusterChoice, gate: asyncio.Semaphore) -> None:
        """Whether it answers; a context whose log-in runs a program is tried only when it is chosen."""
        async with gate:
            started = time.monotonic()
            try:
                async with asyncio.timeout(PROBE_SECONDS), AsyncExitStack() as stack:
                    version = await (await place.connect(stack)).version()
                state = f"✓ answers in {(time.monotonic() - started) * 1000:.0f} ms · {version}"
            except TimeoutError:
                state = f"✗ no answer within {PROBE_SECONDS:.0f} s"
            except PgwizardError as error:
                state = f"✗ {error.message}"
            except Exception as defect:  # noqa: BLE001 - one odd context must not end the others' turn
                state = f"✗ a defect of pgwizard itself: {type(defect).__name__}"
        self._states[place.name] = state
        if self._showing is None:
            self._showing = self.set_timer(SHOW_SECONDS, self._show_places)

    def _show_places(self) -> None:
        self._showing = None
        items = [Item(visible(place.name), "", (visible(place.server), self._state(place))) for place in self._places]
        current = next((visible(place.name) for place in self._places if place.current), "")
        self.query_one("#clusters", FilteredList).fill(items, current)

    def _state(self, place: ClusterChoice) -> str:
        if place.current:
            if self.connection.cluster is not None:
                return "✓ connected"
            return "✗ not connected" if self.connection.trouble else "connecting"
        waits = f"· logs in by {visible(place.runs)}: tried when it is chosen" if place.runs else "· asking"
        return self._states.get(place.name, waits)

    def _choose_place(self, name: str) -> None:
        chosen = next((place for place in self._places if visible(place.name) == name), None)
        if chosen is None:
            return
        self.connection.connect(chosen)
        self._mark_chosen()
        self._show_places()

    def _mark_chosen(self) -> None:
        chosen = self.connection.place
        if chosen is not None:
            self._places = [replace(place, current=place.name == chosen.name) for place in self._places]

    # ---- what is in the cluster ------------------------------------------------------------------------------------

    def _linked(self) -> None:
        self._show_places()
        self._namespaces = None
        for group in ("namespaces", "releases"):  # what the cluster before still says is not this one's
            self.workers.cancel_group(self, group)
        if self._places or self.connection.trouble is not None:
            self._say_trouble()
        if self.connection.trouble is not None:
            self._empty()
            self._say("namespaces", "· not known without a cluster: type the name and press enter")
            self._say("releases", "· not known without a cluster")
        elif self.connection.cluster is not None:
            self._read_namespaces()
            self._read_releases()
        else:
            if (
                self._read_of is not self.connection.place
            ):  # else it is the same cluster anew, and nobody loses his place
                self._empty()
            self._say("namespaces", "waiting for the cluster")
            self._say("releases", "waiting for the cluster")

    def _empty(self) -> None:
        """Nothing is known of this cluster."""
        self._records = []
        self._show_releases()
        self.query_one("#namespaces", FilteredList).fill([], self.target)

    def _say_trouble(self) -> None:
        trouble = self.connection.trouble
        lines = [f"✗ {trouble.message}", trouble.hint, _WITHOUT] if trouble else []
        self._say("clusters", "\n".join(filter(None, lines)))

    @work(group="namespaces", exclusive=True, exit_on_error=False)
    async def _read_namespaces(self) -> None:
        cluster = await self.connection.once_connected()
        self._say("namespaces", "reading the namespaces")
        self._namespaces = None
        listed = self.query_one("#namespaces", FilteredList)
        try:
            found = await choices(cluster, "namespaces")
        except Forbidden as error:
            listed.fill([], self.target)
            self._say("namespaces", f"! may not be listed: type the name and press enter\n{error.message}")
            return
        except ClusterError as error:
            self._say("namespaces", f"✗ {error.message}\nf5 tries again")
            return
        self._namespaces = frozenset(choice.value for choice in found)
        self.post_message(self.NamespacesRead(self._namespaces))
        listed.fill([Item(choice.value, choice.note) for choice in found], self.target)
        self._say("namespaces", f"the release goes to {self.target}")

    @work(group="releases", exclusive=True, exit_on_error=False)
    async def _read_releases(self) -> None:
        cluster = await self.connection.once_connected()
        self._say("releases", "looking for releases")
        where = "in this cluster"
        try:
            try:
                self._records = await records.releases(cluster, None)
            except Forbidden:
                where = f"in {self.target} (other namespaces may not be read)"
                self._records = await records.releases(cluster, self.target)
        except ClusterError as error:
            self._records = []
            self._show_releases()
            self._say("releases", f"! not known: {error.message}")
            return
        self._read_of = self.connection.place
        self._show_releases()
        count = len(self._records)
        open_it = "\nenter shows its status, f6 changes its answers" if count else ""
        self._say("releases", f"{count or 'no'} release{'' if count == 1 else 's'} {where}{open_it}")

    def _show_releases(self) -> None:
        items = [Item(_NEW, shown=f"+ a new release in {self.target}")]
        for record in self._records:
            last, place = record.last, f"{record.namespace}/{record.name}"
            told = f"revision {last.number}, {visible(last.outcome)} {visible(last.at[:16])}" if last else "begun"
            items.append(Item(place, "", (told,), visible(place)))
        self.query_one("#releases", FilteredList).fill(items, "")

    def _choose_release(self, place: str, *, change: bool) -> None:
        """place: of the release, by which it is found whatever has been read since."""
        if place == _NEW:
            self.post_message(self.Begun())
            return
        record = next((record for record in self._records if f"{record.namespace}/{record.name}" == place), None)
        if record is not None:
            self.post_message(self.ReleaseChosen(record, change=change))

    def on_filtered_list_taken(self, event: FilteredList.Taken) -> None:
        """A cluster, a release, or a namespace, chosen or typed."""
        event.stop()
        if event.control is self.query_one("#releases"):
            self._choose_release(event.value, change=False)
            return
        if event.control is self.query_one("#clusters"):
            self._choose_place(event.value)
            return
        if problem := Draft({"release": {"namespace": event.value}}).said_of(("release", "namespace")):
            self._say("namespaces", f"✗ {problem}")
            return
        self.target = event.value
        self._show_releases()
        exists = event.value in self._namespaces if self._namespaces is not None else None
        made = ", which it makes" if exists is False else ""
        self.query_one("#namespaces", FilteredList).mark(event.value)
        self._say("namespaces", f"the release goes to {event.value}{made}")
        self.post_message(self.NamespaceChosen(event.value, exists=exists))
        self.query_one("#releases FilterInput").focus()
        if self.connection.cluster is not None:
            self._read_releases()

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """A release is changed only where one is highlighted."""
        if action != "change":
            return True
        return any(listed.here not in ("", _NEW) for listed in self.query("#releases").results(FilteredList))

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Its keys follow."""
        event.stop()
        self.refresh_bindings()

    def action_retry(self) -> None:
        """Everything anew."""
        self._states.clear()
        self._read_places()
        self.connection.connect()

    def action_change(self) -> None:
        """The answers of the release that is highlighted."""
        here = self.query_one("#releases", FilteredList).here
        if here not in ("", _NEW):
            self._choose_release(here, change=True)

    def _say(self, what: str, text: str) -> None:
        said = self.query_one(f"#{what}-said", Static)
        said.update(text.rstrip())
        said.display = bool(text)
