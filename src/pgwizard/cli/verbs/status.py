"""``status``: the live screen where a person can see it, else the status once, with an exit code."""

from __future__ import annotations

from pgwizard.cli.options import Invocation
from pgwizard.cli.table import JSON, NAMESPACE
from pgwizard.cli.terminal import at_a_terminal, face
from pgwizard.cli.writer import Writer
from pgwizard.errors import NotProven
from pgwizard.plan.names import PartialReleaseRef

SCREEN = "pgwizard.tui.screens.status:StatusScreen"


def status(call: Invocation, writer: Writer) -> int:
    """Print the status, then raise NotProven unless the verdict is recoverable."""
    if at_a_terminal() and not call[JSON]:
        return face(call, screen=SCREEN, release=PartialReleaseRef(call[NAMESPACE], call.word or None))
    _once(call, writer)
    return 0


def _once(call: Invocation, writer: Writer) -> None:
    """Imported late: the screen loads none of this before its first paint."""
    from pgwizard.cli import connect
    from pgwizard.cli.json_lines import explain_command
    from pgwizard.cli.verbs.status_line import status_line
    from pgwizard.status.report import status_lines
    from pgwizard.status.verdict import judge

    snapshot = connect.snapshot_of(call, writer, call.word)
    verdict = judge(snapshot)
    writer.line("\n".join([str(snapshot.ref), *status_lines(snapshot, verdict)]), status_line(snapshot, verdict))
    if verdict.state != "recoverable":
        why = f": {verdict.reasons[0]}" if verdict.reasons else ""
        key = next((reason.key for reason in verdict.reasons if reason.key), "")
        raise NotProven(f"{snapshot.ref}: {verdict.state}{why}", hint=f"More: {explain_command(key)}" if key else "")
