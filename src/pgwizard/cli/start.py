"""What the wizard may touch of the machine it runs on: the kubeconfig's contexts, files to save to, and its draft.

Contains no rules and no widgets: it makes the ``Start`` of the terminal face.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgwizard.clock import Clock, utc_now
from pgwizard.plan.names import ANY_RELEASE, PartialReleaseRef
from pgwizard.tui.navigation import WIZARD
from pgwizard.tui.start import ClusterChoice, Connector, Start

if TYPE_CHECKING:
    from pgwizard.cli.connect import ClusterSource
    from pgwizard.kube.api import Cluster


def start(
    *,
    context: str | None = None,
    kubeconfig: str | None = None,
    demo: bool = False,
    screen: str = WIZARD,
    release: PartialReleaseRef = ANY_RELEASE,
    raw: dict[str, Any] | None = None,
    folder: Path | None = None,
) -> Start:
    """What the terminal face starts with. Imports nothing that the first paint does not need."""
    clock: Clock = utc_now
    state = "pgwizard-demo" if demo else "pgwizard"

    sources: dict[str | None, ClusterSource] = {}
    login_followers: list[Callable[[str], object]] = []

    def show(line: str) -> None:
        for follow in login_followers:
            follow(line)

    def connector(name: str | None) -> Connector:
        async def connect(stack: AsyncExitStack) -> Cluster:
            from pgwizard.cli import connect as cli_connect

            source = cli_connect.ClusterSource(name, kubeconfig, demo, has_release=screen != WIZARD, show=show)
            nonlocal clock
            cluster = await stack.enter_async_context(cli_connect.open_cluster(sources.setdefault(name, source)))
            clock = cli_connect.clock_of(cluster, demo=demo)
            return cluster

        return connect

    def places() -> Sequence[ClusterChoice]:
        if demo:
            return (ClusterChoice("demo", "inside this process", "default", connector(None), current=True),)
        from pgwizard.kube.kubeconfig import contexts

        return [
            ClusterChoice(
                each.name,
                each.server,
                each.namespace,
                connector(each.name or None),
                runs=each.runs,
                current=each.name == context if context else each.current,
            )
            for each in contexts(kubeconfig)
        ]

    def drafts() -> Any:
        from pgwizard.local.autosave import Drafts, state_folder

        return Drafts(state_folder(state))

    return Start(
        connector(context),
        _save,
        lambda: clock(),  # noqa: PLW0108 - another one once the simulated cluster is there
        screen=screen,
        demo=demo,
        raw=raw,
        release=release,
        places=places,
        export=_export,
        drafts=drafts,
        folder=folder or Path(),
        follow_login=login_followers.append,
        on_load=gc.freeze,  # loaded modules stay: no collection has to scan them again
    )


def _save(path: str, text: str) -> None:
    from pgwizard.local.files import write_text

    write_text(path, text)


def _export(folder: str, texts: dict[str, str], replaceable: frozenset[str]) -> None:
    from pgwizard.cli.export_files import write_export

    write_export(folder, texts, replaceable)
