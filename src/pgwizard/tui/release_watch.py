"""What is known of one release as it changes. It shows nothing, and knows no screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pgwizard.errors import PgwizardError, describe_defect
from pgwizard.plan.names import PartialReleaseRef, ReleaseRef
from pgwizard.release import records
from pgwizard.status import observe
from pgwizard.status.snapshot import Snapshot

if TYPE_CHECKING:
    from pgwizard.kube.api import Cluster
    from pgwizard.release.records import ListedRelease


class ReleaseWatch:
    """target: the release to observe, as far as it is known; what is missing is filled in once there is a connection.

    on_change: called after each change; choose: called with the releases to choose from and the namespace, where it is
    not clear which one is meant.
    """

    def __init__(
        self,
        target: ReleaseRef | PartialReleaseRef,
        now: Callable[[], datetime],
        on_change: Callable[[], None],
        choose: Callable[[Sequence[ListedRelease], str], None],
    ) -> None:
        self.target = target
        self.snapshot: Snapshot | None = None
        """The newest one; see also ``current``."""
        self.trouble: PgwizardError | None = None
        """Why nothing is observed."""
        self.is_stale = False
        """Whether the snapshot is from before observing ended."""
        self.server = ""
        """The server that the snapshot is from."""
        self.cluster: Cluster | None = None
        """The connection that is observed."""
        self._now, self._on_change, self._choose = now, on_change, choose
        self._again = observe.Again()

    async def run(self, cluster: Cluster) -> None:
        """Observe until that fails; ``trouble`` says why."""
        self.trouble, self.cluster = None, cluster
        try:
            await self._observe(cluster)
        except PgwizardError as error:
            self.end(error)
        except Exception as defect:  # noqa: BLE001 - shown in the place of the verdict: nothing else would say it
            self.end(PgwizardError(describe_defect(defect)))

    async def _observe(self, cluster: Cluster) -> None:
        release = self.target = await self._complete(cluster, self.target)
        observation = observe.observe(cluster, release, now=self._now, again=self._again)
        async with aclosing(observation) as snapshots:
            async for snapshot in snapshots:
                self.snapshot, self.is_stale, self.server = snapshot, False, cluster.server
                self._on_change()

    async def _complete(self, cluster: Cluster, target: ReleaseRef | PartialReleaseRef) -> ReleaseRef:
        """Raises PreflightError and AnswersError where it is not clear which release is meant."""
        namespace = target.namespace or cluster.namespace
        if target.name is not None:
            return ReleaseRef(namespace, target.name)
        self.target = PartialReleaseRef(namespace)
        there = await records.choices(cluster, namespace)
        if len(there) != 1 or there[0].ref.namespace != namespace:
            self._choose(there, namespace)
        return records.only_release(there, namespace)

    @property
    def release(self) -> ReleaseRef | None:
        """The release that is observed; None while it is not known which one that is."""
        return self.target if isinstance(self.target, ReleaseRef) else None

    def end(self, trouble: PgwizardError) -> None:
        """Nothing is observed any more."""
        self.trouble, self.is_stale = trouble, True
        self._on_change()

    def ask_again(self, *sources: str) -> None:
        """Ask these sources at once, or all of them."""
        self._again.ask(*(sources or observe.POLL_SOURCES))

    @property
    def current(self) -> Snapshot | None:
        """What is known as of now; what is no longer observed ages."""
        if self.snapshot is None:
            return None
        now = self._now()
        return self.snapshot.without_watch(now) if self.is_stale else replace(self.snapshot, at=now)

    @property
    def age_seconds(self) -> float | None:
        """How old the snapshot is; None where there is none."""
        return None if self.snapshot is None else (self._now() - self.snapshot.at).total_seconds()
