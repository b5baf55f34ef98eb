"""What the drills of a release have shown: the receipt of a pod, in words, and as rates. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pgwizard.diagnose.diagnose import diagnose
from pgwizard.errors import Finding
from pgwizard.kube.api import Object
from pgwizard.kube.commands import Commands
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.backups import FIND_DAMAGE, full_backup_command
from pgwizard.release.record import DrillResult, drill_result
from pgwizard.text import plain, span, time_text

KEY = "status-drill"
CONTAINER = "drill"
"""The name of the container that drills, in a Job of pgwizard and in one of the schedule."""
_MARKS: Mapping[str, str] = {"passed": "✓", "failed": "✗", "skipped": "·"}
_OF_DATABASE = {"rows", "indexes", "checksums"}
"""Checks that fail where the database was damaged before it was backed up."""
_OF_IMAGE = {"library-missing", "extension-library-missing"}
"""Messages about what the image lacks: no backup is to blame."""
_USED_DRILLS = 2
START_SECONDS = 20.0
"""What a restore in place takes beside restore and replay: stop, start of the Job's pod, and start of the server."""


@dataclass(frozen=True, slots=True)
class RestoreRates:
    """How fast a release is restored and its WAL replayed. start_seconds: what a restore in place takes beside.

    basis: what has shown it, such as ``the last two drills``; empty where nothing of this release has.
    """

    bytes_per_second: float
    segments_per_second: float
    start_seconds: float = START_SECONDS
    basis: str = ""

    def seconds(self, bytes_: int, segments: int) -> float:
        """How long a restore in place of that much would take."""
        return self.start_seconds + bytes_ / self.bytes_per_second + segments / self.segments_per_second


def receipt_of(pod: Object, at: datetime, seconds: float) -> DrillResult:
    """The receipt in the status of a Job's pod. Raises ValueError where there is none, or another text."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    own: Object = next((status for status in statuses if status.get("name") == CONTAINER), {})
    message = str((own.get("state") or {}).get("terminated", {}).get("message") or "")
    if not message:
        raise ValueError("its pod has left no receipt")
    try:
        receipt: Any = json.loads(message)
        return drill_result(receipt, at.isoformat(), round(seconds, 1))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise ValueError(f"the receipt of its pod cannot be read: {plain(message, 120)}") from None


def without_receipt(at: datetime) -> DrillResult:
    """A drill that passed, of which the Job alone is known: its pod is gone."""
    return DrillResult(at.isoformat(), 0, "", 0, "0/0", "", 0, 0, ())


def rates(drills: Sequence[DrillResult]) -> RestoreRates | None:
    """The rates of the last two drills that restored and replayed something; of one, where there are no more."""
    sample = [each for each in drills if each.bytes and each.segments][-_USED_DRILLS:]
    restore, recovery = (sum(each.seconds_of(name) for each in sample) for name in ("restore", "recovery"))
    if not sample or not restore or not recovery:
        return None
    return RestoreRates(
        sum(each.bytes for each in sample) / restore,
        sum(each.segments for each in sample) / recovery,
        basis="the last two drills" if len(sample) == _USED_DRILLS else "the last drill",
    )


def proof_text(drill: DrillResult) -> str:
    """What a drill that did not fail has proven: ``to 2026-11-27 21:00:04 UTC, 4 min 12 s``."""
    if not drill.backup:
        return "whose receipt is gone with its pod"
    end = f"of backup {drill.backup}, behind which nothing was committed"
    if drill.reached_at:
        end = f"to {time_text(drill.reached_at)}"
    return f"{end}, {span(drill.seconds)}"


def failure(drill: DrillResult, release: ReleaseRef, commands: Commands) -> Finding | None:
    """Why a drill failed, and what to do; None where it did not."""
    failed_check = drill.failed_check
    if failed_check is None:
        return None
    fault = diagnose(failed_check.text)
    again = commands.pgwizard("drill", release.name, namespace=release.namespace)
    if failed_check.name == "query":
        fix = f"Run the query on the running database too; then drill again: {again}"
    elif fault is not None and fault.key in _OF_IMAGE:
        fix = f"{fault.fix} Then drill again: {again}"
    elif failed_check.name in _OF_DATABASE:
        fix = f"The running database may be damaged as well: {FIND_DAMAGE} Then drill again: {again}"
    else:
        fix = f"Take a full backup now: {full_backup_command(release, commands)}; then drill again: {again}"
    return Finding(
        text=f"the drill of {drill.moment:%Y-%m-%d} failed: {failed_check.name}: {failed_check.text}",
        cause=fault.cause if fault else "",
        fix=fix,
        key=KEY,
    )


def result_lines(drill: DrillResult) -> list[str]:
    """A drill as text, the result first."""
    failed_check = drill.failed_check
    if failed_check is not None:
        first = f"✗ drill failed after {span(drill.seconds)}: {failed_check.name}: {failed_check.text}"
    else:
        first = f"✓ proven by a restore {proof_text(drill)}"
    rows = (f"{_MARKS[each.outcome]} {each.name:10} {each.seconds:7.1f} s  {each.text}" for each in drill.checks)
    return [first, *rows]
