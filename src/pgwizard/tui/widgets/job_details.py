"""All that is known of one backup Job, for a window."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from pgwizard.status import report
from pgwizard.status.snapshot import Run, Snapshot
from pgwizard.tui.navigation import message_link
from pgwizard.tui.widgets.panes import grid


def job_details(snapshot: Snapshot, run: Run, link: str) -> Group:
    """Its backup, the cause and the fix where it failed, and the end of its log. link: to the message that explains."""
    _, start, took, result = report.run_cells(snapshot, run)
    backup, fault = snapshot.backup_of(run), run.fault
    rows = {"state": run.state, "started": f"{start} UTC", "took": took}
    if backup is not None:
        rows |= {"backup": backup.label, "size": result}
    if run.state == "failed":
        rows |= {"Kubernetes": run.message, "cause": _cause(run)}
    if fault is not None:
        rows |= {"fix": fault.fix, "log line": fault.text}
    cells = [(Text(label, "bold"), Text(text)) for label, text in rows.items()]
    if link:
        cells.append((Text("more", "bold"), message_link(link)))
    tail = (Text("\nend of the log", "bold"), Text("\n".join(run.tail))) if run.tail else ()
    return Group(grid(cells), *tail)


def _cause(run: Run) -> str:
    if run.fault is not None:
        return run.fault.cause
    if run.tail is not None:
        return "unknown"
    return f"unknown: its log cannot be read: {run.unread}" if run.unread else "reading its log"
