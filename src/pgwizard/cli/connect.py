"""The cluster of a verb, real or simulated, and work on it that a signal ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar, cast

from pgwizard.cli.json_lines import NoteLine
from pgwizard.cli.options import Invocation
from pgwizard.cli.table import CONTEXT, DEMO, KUBECONFIG, NAMESPACE
from pgwizard.cli.writer import Writer
from pgwizard.clock import Clock, utc_now
from pgwizard.errors import Interrupted
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import records

if TYPE_CHECKING:
    from pgwizard.release.changes import Change
    from pgwizard.simulator.cluster import SimCluster
    from pgwizard.status.snapshot import Snapshot

T = TypeVar("T")


@dataclass(slots=True)
class ClusterSource:
    """Which cluster. demo: the simulated one, in this process; has_release: with a release in it, to look at.

    simulation: the one of an earlier connection, which the next one finds as it was left. show: called with each line
    that a log-in writes for a person.
    """

    context: str | None = None
    kubeconfig: str | None = None
    demo: bool = False
    has_release: bool = False
    simulation: SimCluster | None = None
    show: Callable[[str], object] = lambda _: None


@contextlib.asynccontextmanager
async def open_cluster(place: ClusterSource) -> AsyncIterator[Cluster]:
    """The cluster, closed on every way out."""
    if place.simulation is not None:
        try:
            async with place.simulation.guest() as guest:
                yield guest
        finally:
            await place.simulation.runtime.stop()  # until the next request
    elif place.demo:
        from pgwizard.plan.cron import next_run
        from pgwizard.simulator.clock import ScaledClock
        from pgwizard.simulator.cluster import SimCluster

        clock = ScaledClock(_HURRY if place.has_release else 1)
        async with SimCluster(clock=clock, next_run=next_run) as simulation:
            if place.has_release:
                from pgwizard.answers.questions import Answers
                from pgwizard.release import apply  # most verbs need none of it

                await apply.run(
                    apply.ReleaseRequest(Answers()),
                    simulation,
                    lambda _: None,
                    _yes,
                    apply.Options(),
                    now=clock_of(simulation, demo=True),
                )
                clock.run_at(1)
            place.simulation = simulation
            yield simulation
    else:
        from pgwizard.kube.client import connect

        async with await connect(place.context, place.kubeconfig, show=place.show) as cluster:
            yield cluster


def clock_of(cluster: Cluster, *, demo: bool) -> Clock:
    """The clock of a cluster: the machine's, or that of the simulated cluster, which runs ahead of it."""
    if not demo:
        return utc_now
    simulation = cast("SimCluster", cluster)
    return lambda: datetime.fromtimestamp(simulation.clock.now(), UTC)


_HURRY = 30
"""How many times faster than real time the demo is prepared."""


async def _yes(_: Sequence[Change]) -> bool:
    return True


def run(
    call: Invocation,
    writer: Writer,
    work: Callable[[Cluster, Clock], Awaitable[T]],
    *,
    has_release: bool = False,
    interruption: Callable[[], Interrupted] = lambda: Interrupted("stopped"),
) -> T:
    """Work on the cluster that the options name, by its time. Ctrl+C, SIGTERM and a closed terminal end it in order.

    has_release: the simulated cluster has a release to look at; interruption: the error for whoever stopped it, whose
    exit code becomes 128 + the signal.
    """

    def show(line: str) -> None:
        writer.note(line, NoteLine(line))

    place = ClusterSource(call[CONTEXT], call[KUBECONFIG], call[DEMO], has_release, show=show)

    signals: list[int] = []

    async def guard() -> T:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def end_by(number: int) -> None:
            signals.append(number)
            if task is not None:
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end_by, number)
        async with open_cluster(place) as cluster:
            return await work(cluster, clock_of(cluster, demo=place.demo))

    try:
        return asyncio.run(guard())
    except (asyncio.CancelledError, Interrupted) as cause:
        error = cause if isinstance(cause, Interrupted) else interruption()
        if signals:
            error.exit_code = 128 + signals[0]
        raise error from None


@contextlib.contextmanager
def until_unread() -> Iterator[None]:
    """Around what waits for news and prints them. Raises BrokenPipeError once nobody reads standard output.

    Only the next line would show that, as in ``pgwizard ... | head``, and it may never come. A pipe alone tells.
    """
    task, loop, pipe = asyncio.current_task(), asyncio.get_running_loop(), _output_pipe()
    if task is None or pipe is None:
        yield
        return
    is_unread = False

    def end() -> None:
        nonlocal is_unread
        is_unread = True
        loop.remove_reader(pipe)
        task.cancel()

    loop.add_reader(pipe, end)  # the end that is written to reports errors alone
    try:
        yield
    except asyncio.CancelledError:
        if is_unread:
            task.uncancel()
            raise BrokenPipeError from None
        raise
    finally:
        loop.remove_reader(pipe)


def _output_pipe() -> int | None:
    """The descriptor of standard output where it is a pipe."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        number = sys.stdout.fileno()
        return number if stat.S_ISFIFO(os.fstat(number).st_mode) else None
    return None


async def choose_release(call: Invocation, cluster: Cluster, name: str | None = None) -> ReleaseRef:
    """The release that the command line names, or else the only one.

    name: where it is not the first argument as it was typed.
    Raises PreflightError for none, AnswersError for several.
    """
    namespace = call[NAMESPACE] or cluster.namespace
    if name := call.word if name is None else name:
        return ReleaseRef(namespace, name)
    return records.only_release(await records.choices(cluster, namespace), namespace)


def snapshot_of(call: Invocation, writer: Writer, name: str) -> Snapshot:
    """A release as it is now. name: empty for the only one."""
    from pgwizard.status import observe  # most verbs need no status

    async def work(cluster: Cluster, now: Clock) -> Snapshot:
        release = await choose_release(call, cluster, name)
        with writer.waiting(f"Reading release {release} and its repository ..."):
            return await observe.look(cluster, release, now=now)

    return run(call, writer, work, has_release=True)
