"""How far a restore has come, as the release's record keeps it: one that was stopped resumes from it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from pgwizard.release.record import Restoration
from pgwizard.restore.job import Receipt
from pgwizard.restore.target import RestorePlan

RestoreStage = Literal["restore point", "suspend", "stop", "restore", "start", "archive", "backup", "resume", "end"]
"""What is to be done next."""
ORDER: tuple[RestoreStage, ...] = get_args(RestoreStage)


@dataclass(frozen=True, slots=True)
class Journal:
    """One restore. id: part of the names of its Job and its restore point; at: when it began, UTC, ISO 8601.

    undo: the restore that brings the state before this one back, None until its restore point is archived. suspended:
    of each CronJob, whether it was suspended before. backup: the Job of the full backup that follows. claim: the uid of
    the volume claim that was restored: on another one, the server would begin with an empty database.
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


def read_journal(restoration: Restoration) -> Journal:
    """The restore that a record keeps. Raises ValueError where this version cannot read it."""
    try:
        return _ADAPTER.validate_python(restoration.details)
    except ValidationError:
        raise ValueError("the record holds a restore that this version of pgwizard cannot read") from None
