"""``status``: the live screen where a person can see it, else the status once, with an exit code."""

from __future__ import annotations

from pgwizard.cli.options import Invocation
from pgwizard.cli.table import ALL_NAMESPACES, JSON, NAMESPACE, STATUS_FORMAT, WATCH
from pgwizard.cli.terminal import at_a_terminal, face
from pgwizard.cli.writer import Writer
from pgwizard.errors import NotProven, UsageError
from pgwizard.plan.names import PartialReleaseRef
from pgwizard.text import fit

SCREEN = "pgwizard.tui.screens.status:StatusScreen"
FLEET_SCREEN = "pgwizard.tui.screens.fleet:FleetScreen"


def status(call: Invocation, writer: Writer) -> int:
    """Print the status, then raise NotProven unless the verdict is recoverable."""
    is_text = not call[JSON] and call[STATUS_FORMAT] == "text"
    if call[ALL_NAMESPACES]:
        return _all(call, writer, is_text=is_text)
    if call[WATCH]:
        raise UsageError("--watch needs -A", hint="On a terminal the status of one release is live without it.")
    if at_a_terminal() and is_text:
        return face(call, screen=SCREEN, release=PartialReleaseRef(call[NAMESPACE], call.word or None))
    _once(call, writer)
    return 0


def _all(call: Invocation, writer: Writer, *, is_text: bool) -> int:
    if call.word:
        raise UsageError(f"-A shows all releases, not {fit(call.word)} alone", hint="Leave out one of the two.")
    if at_a_terminal() and is_text and not call[WATCH]:
        return face(call, screen=FLEET_SCREEN)
    from pgwizard.cli.verbs.fleet import status_of_all  # imported late, as below

    status_of_all(call, writer, metrics=not is_text and not call[JSON])
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
    if call[STATUS_FORMAT] == "prometheus":
        from pgwizard.status.fleet import Fleet
        from pgwizard.status.metrics import exposition

        writer.put(exposition(Fleet(snapshot.at, {snapshot.ref: snapshot}, releases=(snapshot.ref,))))
    else:
        writer.line("\n".join([str(snapshot.ref), *status_lines(snapshot, verdict)]), status_line(snapshot, verdict))
    if verdict.state != "recoverable":
        why = f": {verdict.reasons[0]}" if verdict.reasons else ""
        key = next((reason.key for reason in verdict.reasons if reason.key), "")
        raise NotProven(f"{snapshot.ref}: {verdict.state}{why}", hint=f"More: {explain_command(key)}" if key else "")
