"""How far a restore has come, as the release's record keeps it: one that was stopped resumes from it. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from pgwizard.release.drills import RestoreRates
from pgwizard.release.record import LARGEST, LONGEST_SECONDS, Restoration
from pgwizard.restore.job import Receipt
from pgwizard.restore.target import RestorePlan, is_point_name
from pgwizard.status.repository import is_label
from pgwizard.text import fit

RestoreStage = Literal["restore point", "suspend", "stop", "restore", "start", "archive", "backup", "resume", "end"]
"""What is to be done next."""
ORDER: tuple[RestoreStage, ...] = get_args(RestoreStage)


@dataclass(frozen=True, slots=True)
class Journal:
    """One restore. id: part of the names of its Job and its restore point; at: when it began, UTC, ISO 8601.

    undo: the restore that brings the state before this one back, None until its restore point is archived. suspended:
    of each CronJob, whether it was suspended before. backup: the Job of the full backup that follows. claim: the uid of
    the volume claim that was restored: on another one, the server would begin with an empty database. is_touched:
    whether the data directory may have been changed; until then the server can be started on it as it is. is_clone:
    whether the repository is another release's. is_finished: whether its undo is no longer offered. is_undo: whether it
    brings back what an earlier restore left. down_seconds: from the stop of the server until it was ready again; 0
    where the restore was resumed in between.
    """

    id: str
    at: str
    plan: RestorePlan
    stage: RestoreStage = "restore point"
    undo: RestorePlan | None = None
    suspended: Mapping[str, bool] = field(default_factory=dict)
    receipt: Receipt | None = None
    backup: str = ""
    claim: str = ""
    is_touched: bool = False
    is_clone: bool = False
    is_finished: bool = False
    is_undo: bool = False
    down_seconds: float = 0

    @property
    def is_untouched_undo(self) -> bool:
        """Whether it only starts the server again, on its data directory as it was."""
        return not self.is_touched and self.receipt is None and not self.is_before("start")

    def is_before(self, stage: RestoreStage) -> bool:
        """Whether a stage is still to come."""
        return ORDER.index(self.stage) < ORDER.index(stage)

    def at_stage(self, stage: RestoreStage) -> Journal:
        """The same restore, further on."""
        return replace(self, stage=stage)

    def restoration(self) -> Restoration:
        """For the record."""
        details: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return Restoration(self.at, self.stage == "end", details)


_ADAPTER = TypeAdapter(Journal)
_ID = re.compile(r"[0-9]{8}-[0-9]{6}(?:-[0-9]{1,3})?u?")
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")


def read_journal(restoration: Restoration) -> Journal:
    """The restore that a record keeps. Raises ValueError where this version cannot read it.

    Whoever may write Secrets of that namespace can write records: no text of one is taken on trust.
    """
    refusal = ValueError("the record holds a restore that this version of pgwizard cannot read")
    try:
        journal = _ADAPTER.validate_python(restoration.details)
    except ValidationError:
        raise refusal from None
    plans = [plan for plan in (journal.plan, journal.undo) if plan is not None]
    names = [name for name in (*journal.suspended, journal.backup) if name]
    if not _ID.fullmatch(journal.id) or not all(map(_can_be_followed, plans)) or not all(map(_NAME.fullmatch, names)):
        raise refusal
    if journal.receipt is not None and not _is_possible(journal.receipt):
        raise refusal
    receipt = journal.receipt and replace(journal.receipt, reason=fit(journal.receipt.reason))
    undo = journal.undo and _fit(journal.undo)
    return replace(journal, at=restoration.at, plan=_fit(journal.plan), undo=undo, receipt=receipt)


def _is_possible(receipt: Receipt) -> bool:
    """Seconds are below 0 where the node's clock was set back."""
    numbers = (receipt.timeline, receipt.lsn, receipt.restore_seconds, receipt.recovery_seconds)
    return all(abs(number) < LARGEST for number in numbers)


def _can_be_followed(plan: RestorePlan) -> bool:
    numbers = (plan.timeline, plan.left, plan.must_reach, plan.position, plan.segments, plan.bytes)
    moments = filter(None, (plan.at, plan.lost_since, plan.lost_until, plan.archived_until))
    return (
        is_label(plan.backup)
        and (not plan.value or is_point_name(plan.value))
        and 0 <= plan.seconds <= LONGEST_SECONDS
        and all(0 <= number < LARGEST for number in numbers)
        and all(moment.tzinfo for moment in moments)
    )


def _fit(plan: RestorePlan) -> RestorePlan:
    return replace(plan, target=fit(plan.target), silence=fit(plan.silence), basis=fit(plan.basis))


def rates(restorations: Sequence[Restoration]) -> RestoreRates | None:
    """How fast the newest restore was that ran in one go; None where there is none.

    restorations: oldest first.
    """
    for restoration in reversed(restorations):
        with contextlib.suppress(ValueError):
            journal = read_journal(restoration)
            if journal.receipt is not None and 0 < journal.down_seconds <= LONGEST_SECONDS:
                return _rates(journal, journal.receipt)
    return None


def _rates(journal: Journal, receipt: Receipt) -> RestoreRates:
    restore, recovery = max(receipt.restore_seconds, 1), max(receipt.recovery_seconds, 1)  # whole seconds
    return RestoreRates(
        max(journal.plan.bytes, 1) / restore,
        max(journal.plan.segments, 1) / recovery,
        max(journal.down_seconds - receipt.restore_seconds - receipt.recovery_seconds, 0),
        f"the restore of {journal.at[:10]}",
    )
