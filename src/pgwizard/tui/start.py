"""What the terminal face gets from the machine it runs on: how to connect, where to save, where to begin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pgwizard.clock import Clock
from pgwizard.plan.names import ANY_RELEASE, PartialReleaseRef
from pgwizard.tui.navigation import WIZARD

if TYPE_CHECKING:
    from pgwizard.kube.api import Cluster

Connector = Callable[[AsyncExitStack], Awaitable["Cluster"]]
Save = Callable[[str, str], None]
Export = Callable[[str, dict[str, str], frozenset[str]], None]
DEMO = "DEMO: a simulated cluster in this process"


@dataclass(frozen=True, slots=True)
class ClusterChoice:
    """A cluster to choose: a context of the kubeconfig. runs: the program that logs it in; empty for none."""

    name: str
    server: str
    namespace: str
    connect: Connector
    runs: str = ""
    current: bool = False


class LeftDraft(Protocol):
    """Answers that an ended wizard left."""

    @property
    def at(self) -> datetime:
        """When they were last changed, UTC."""

    @property
    def raw(self) -> dict[str, Any]:
        """The answers, as nested keys of the file."""


class DraftStore(Protocol):
    """Unsaved answers on disk. Every call is short and blocking."""

    def find_abandoned(self) -> list[Any]:
        """Each a ``LeftDraft``, the newest first."""

    def keep(self, raw: dict[str, Any]) -> bool:
        """Keep this wizard's answers; False where they cannot be kept."""

    def drop(self, draft: Any = None) -> None:
        """Forget what another wizard left, or (None) this one's."""

    def close(self) -> None:
        """This wizard has ended: its answers may be offered to the next."""


@dataclass(frozen=True, slots=True)
class Start:
    """How to begin. connect: opens the cluster, to be closed by the stack; save: writes a new file, or OutputError.
    now: the time, in UTC.

    screen: the module and class to show; raw: answers from a file, as nested keys of it. release: the one to look
    at. places: the clusters to choose from, blocking, or KubeconfigError. export: writes a folder of files, or
    OutputError; of what is there it replaces only files of the names in its last argument. drafts: made when first
    needed; None keeps none. folder: what the names of files are relative to.
    follow_login: takes what is to be called with each line that a log-in writes for a person.
    on_load: called once the screen is open.
    """

    connect: Connector
    save: Save
    now: Clock
    screen: str = WIZARD
    demo: bool = False
    raw: dict[str, Any] | None = None
    release: PartialReleaseRef = ANY_RELEASE
    places: Callable[[], Sequence[ClusterChoice]] = tuple
    export: Export = lambda _folder, _texts, _replaceable: None
    drafts: Callable[[], DraftStore] | None = None
    folder: Path = Path()
    follow_login: Callable[[Callable[[str], object]], object] = lambda _: None
    on_load: Callable[[], object] = lambda: None
