"""Runs a command in a pod of a release, for what it prints: one error for all that can keep it from that."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pgwizard.errors import ClusterError, DeadlineError, PreflightError
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import Names, ReleaseRef
from pgwizard.text import plain


async def read_output(
    cluster: Cluster,
    release: ReleaseRef,
    command: Sequence[str],
    *,
    seconds: float,
    pod: str = "",
    stdin: bytes = b"",
    name: str = "",
    purpose: str = "",
    codes: Collection[int | None] = (0,),
    hint: str = "",
) -> str:
    """What a command prints. pod: by default the database's; name: of the command, where its first word is not it.

    purpose: what is not possible without it, for the message; codes: exit codes that are no failure.

    Raises PreflightError where it fails, cannot be run, or does not end in time.
    """
    what = f"release {release}: {f'{purpose}: ' if purpose else ''}{name or command[0]}"
    try:
        result = await cluster.exec(
            release.namespace,
            pod or Names.of(release.name).pod,
            "postgresql",
            command,
            stdin=stdin,
            timeout_seconds=seconds,
        )
    except (ClusterError, DeadlineError) as error:
        raise PreflightError(f"{what} cannot be run: {error.message}", hint=hint or error.hint) from error
    if result.exit_code not in codes:
        text = plain((result.stderr or result.stdout).decode(errors="replace"))
        raise PreflightError(f"{what} ended with {result.exit_code}: {text}", hint=hint)
    return result.stdout.decode(errors="replace")
