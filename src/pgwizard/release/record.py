"""The record of a release in the cluster: answers, inventory, and the last revisions, in one Secret.

Any machine can open, compare, upgrade and remove a release from it. Answers hold references only, so no secret is in
it; it is a Secret because answers and names are not public either. No I/O.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from pgwizard.kube.api import LEASE, SECRET, Object, Ref, Resource
from pgwizard.plan.names import ReleaseRef
from pgwizard.text import fit, plain

TYPE = "pgwizard/release.v1"
_REVISIONS = 10
_RESTORATIONS = 10
_KEY = "record"
VERIFICATION_KEY = "verification"
DRILLS_KEY = "drills"
_DRILLS = 5
LARGEST = 2**64
"""Above all counts, sizes and WAL positions."""
LONGEST_SECONDS = 1e9
"""Nothing that a record tells of took longer."""
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_KIND = re.compile(r"[A-Z][A-Za-z]*")
_VERSION = re.compile(r"([-.a-z0-9]+/)?v[a-z0-9]+")

RevisionOutcome = Literal["applying", "interrupted", "deployed", "damaged", "failed"]
"""interrupted: stopped before its end, while the cluster continues. damaged: deployed, but its first full backup has
page checksum errors.
"""


@dataclass(frozen=True, slots=True)
class Revision:
    """One apply. spec is the checksum of everything that it rendered; at is UTC, ISO 8601."""

    number: int
    at: str
    outcome: RevisionOutcome
    spec: str
    answers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DamagedBackup:
    """A backup that pgBackRest did not find valid. files: how many are damaged; unread: how many it could not read."""

    label: str
    files: int
    unread: int = 0


@dataclass(frozen=True, slots=True)
class RepositoryVerification:
    """The result of ``pgbackrest verify``. at: its end, UTC, ISO 8601; backups: how many were read.

    damaged: those that are not valid; files, segments: names of damaged files and WAL segments. Of each the first ones.
    """

    at: str
    seconds: float
    backups: int
    damaged: tuple[DamagedBackup, ...]
    files: tuple[str, ...]
    segments_checked: int
    segments_valid: int
    segments: tuple[str, ...]

    @property
    def moment(self) -> datetime:
        """Its end."""
        return datetime.fromisoformat(self.at)

    @property
    def is_valid(self) -> bool:
        """Whether everything that was read is as it was written."""
        return not self.damaged and self.segments_checked == self.segments_valid


DrillOutcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class DrillCheck:
    """One step of a drill. text: what it found, or why it was skipped."""

    name: str
    outcome: DrillOutcome
    seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class DrillResult:
    """A restore into a throw-away volume. at: its end, UTC, ISO 8601. checks: in the order in which they were made.

    reached_at: when the newest commit was made that was replayed, UTC, ISO 8601; empty where there was none.
    lsn: the WAL position at which recovery ended. bytes, segments: how much was restored, and replayed.
    """

    at: str
    seconds: float
    backup: str
    timeline: int
    lsn: str
    reached_at: str
    bytes: int
    segments: int
    checks: tuple[DrillCheck, ...]

    @property
    def moment(self) -> datetime:
        """Its end."""
        return datetime.fromisoformat(self.at)

    @property
    def failed_check(self) -> DrillCheck | None:
        """The first check that failed."""
        return next((check for check in self.checks if check.outcome == "failed"), None)

    def seconds_of(self, name: str) -> float:
        """How long a check took; 0 where it was not made."""
        return sum(check.seconds for check in self.checks if check.name == name)


@dataclass(frozen=True, slots=True)
class Restoration:
    """One restore in place. at: when it began, UTC, ISO 8601; details: plan, stage and receipt, as ``restore`` keeps
    them.
    """

    at: str
    is_finished: bool
    details: Mapping[str, Any]

    @property
    def has_receipt(self) -> bool:
        """Whether the target was reached: from then on the server may be started."""
        return bool(self.details.get("receipt"))


@dataclass(frozen=True, slots=True)
class Origin:
    """The repository that a clone was restored from, which stays its source's. release: the source, as
    namespace/name; empty where only its bucket was known. backup: what was restored, and reached_at the last commit
    behind it that was replayed, UTC, ISO 8601; empty until then, and where there was none.
    """

    release: str
    endpoint: str
    bucket: str
    region: str
    path: str
    uri_style: str
    backup: str = ""
    reached_at: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        """What distinguishes two repositories."""
        return self.endpoint, self.bucket, self.path

    def __str__(self) -> str:
        place = fit(f"{self.bucket}{self.path}")
        return f"{fit(self.release)} ({place})" if self.release else place


@dataclass(frozen=True, slots=True)
class Record:
    """inventory: every object that may exist because of this release, so that pruning survives an interruption.

    salt: random; without it a value derived from a secret reveals nothing. restorations: oldest first; only the last
    one can be unfinished, and until it is finished nothing else may start the server. verification: the last one of the
    repository; drills: the last ones, oldest first. Each is in a key of its own of the Secret, so that an apply does
    not overwrite it.
    """

    ref: ReleaseRef
    inventory: tuple[Ref, ...] = ()
    revisions: tuple[Revision, ...] = ()
    salt: str = ""
    restorations: tuple[Restoration, ...] = ()
    verification: RepositoryVerification | None = None
    drills: tuple[DrillResult, ...] = ()
    awaits_restore: bool = False
    """Whether its objects were made for a restore that has not begun: until then nothing may start the server."""
    origin: Origin | None = None
    """Where its data came from, where it is a clone."""

    @property
    def reads_origin(self) -> bool:
        """Whether the repository to restore from is still the source's: until the restore has reached its target."""
        return self.origin is not None and not any(each.has_receipt for each in self.restorations)

    @property
    def unfinished_restore(self) -> Restoration | None:
        """The restore that was begun and has not ended."""
        last = self.restorations[-1] if self.restorations else None
        return last if last is not None and not last.is_finished else None

    def with_restore(self, restoration: Restoration) -> Record:
        """With a restore in place of the unfinished one, or else behind the others."""
        earlier = self.restorations[:-1] if self.unfinished_restore else self.restorations
        return replace(self, restorations=(*earlier, restoration)[-_RESTORATIONS:], awaits_restore=False)

    def with_newest_restore(self, restoration: Restoration) -> Record:
        """With a restore in place of the newest one."""
        return replace(self, restorations=(*self.restorations[:-1], restoration))

    @property
    def last(self) -> Revision | None:
        """The newest revision."""
        return self.revisions[-1] if self.revisions else None

    @property
    def deployed_revision(self) -> Revision | None:
        """The newest revision that succeeded, even if later ones failed."""
        return next(
            (revision for revision in reversed(self.revisions) if revision.outcome in ("deployed", "damaged")), None
        )

    def begin(self, inventory: Iterable[Ref], at: str, spec: str, answers: Mapping[str, Any]) -> Record:
        """With a new revision, and an inventory that covers both what is there and what will be.

        An interrupted revision of the same spec keeps its number.
        """
        union = tuple(dict.fromkeys((*self.inventory, *inventory)))
        last, earlier = self.last, self.revisions
        number = last.number + 1 if last else 1
        if last is not None and last.outcome != "deployed" and last.spec == spec:
            number, earlier = last.number, earlier[:-1]
        revision = Revision(number, at, "applying", spec, answers)
        return replace(self, inventory=union, revisions=(*earlier, revision)[-_REVISIONS:])

    def finish(self, inventory: Iterable[Ref], outcome: RevisionOutcome) -> Record:
        """With the last revision's outcome, and the inventory that is left."""
        *earlier, last = self.revisions
        return replace(self, inventory=tuple(inventory), revisions=(*earlier, replace(last, outcome=outcome)))

    def secret(self) -> Object:
        """The Secret that holds it."""
        data: dict[str, Any] = {
            "inventory": [
                [ref.resource.api_version, ref.resource.kind, ref.namespace, ref.name] for ref in self.inventory
            ],
            "revisions": [asdict(revision) for revision in self.revisions],
            "salt": self.salt,
        }
        if self.awaits_restore:
            data["awaitsRestore"] = True
        if self.origin is not None:
            data["origin"] = asdict(self.origin)
        if self.restorations:
            data["restorations"] = [asdict(restoration) for restoration in self.restorations]
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": secret_ref(self.ref).name,
                "namespace": self.ref.namespace,
                "labels": {
                    "app.kubernetes.io/name": "postgresql",
                    "app.kubernetes.io/instance": self.ref.name,
                    "app.kubernetes.io/managed-by": "pgwizard",
                },
            },
            "type": TYPE,
            "data": {_KEY: base64.b64encode(json.dumps(data, sort_keys=True).encode()).decode()},
        }


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A release whose record another version wrote, or that is damaged. problem: which Secret it is."""

    ref: ReleaseRef
    problem: str


def secret_ref(release: ReleaseRef) -> Ref:
    """The Secret that holds the record of a release."""
    return Ref(SECRET, f"{release.name}-pgwizard", release.namespace)


def lease_ref(release: ReleaseRef) -> Ref:
    """The Lease that keeps a second writer away from a release."""
    return Ref(LEASE, f"{release.name}-pgwizard", release.namespace)


def absence(release: ReleaseRef) -> str:
    """The message for a release that has no record."""
    return f"there is no release {release.name} in namespace {release.namespace}"


def release_of(secret: Object) -> ReleaseRef:
    """The release whose record a Secret is, by the Secret's name. Raises ValueError for an invalid name."""
    metadata = secret["metadata"]
    secret_ref = _ref("v1", "Secret", metadata["namespace"], metadata["name"].removesuffix("-pgwizard"))
    return ReleaseRef(metadata["namespace"], secret_ref.name)


def read(secret: Object) -> Record:
    """The record in a Secret. Raises ValueError if this version cannot read it."""
    metadata = secret["metadata"]
    try:
        release = release_of(secret)
        data = json.loads(base64.b64decode(secret["data"][_KEY]))
        inventory = tuple(_ref(*parts) for parts in data["inventory"])
        revisions = tuple(_revision(**revision) for revision in data["revisions"])
        salt = str(data.get("salt", ""))
        awaits_restore = bool(data.get("awaitsRestore"))
        origin = _origin(**data["origin"]) if data.get("origin") else None
        restorations = tuple(_restoration(**each) for each in data.get("restorations", ()))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        where = plain(f"{metadata['namespace']}/{metadata['name']}")
        raise ValueError(f"Secret {where} holds no record of a release") from error
    verification = _verification(secret["data"].get(VERIFICATION_KEY))
    drills = _drills(secret["data"].get(DRILLS_KEY))
    return Record(release, inventory, revisions, salt, restorations, verification, drills, awaits_restore, origin)


def drills_patch(record: Record, drill: DrillResult) -> Object:
    """The patch of the record's Secret that adds a drill to those that are kept."""
    entries = [asdict(each) for each in (*record.drills, drill)[-_DRILLS:]]
    return {"data": {DRILLS_KEY: base64.b64encode(json.dumps(entries, sort_keys=True).encode()).decode()}}


# Whoever may write Secrets in some namespace can write records: what is shown of one is not taken on trust.


def _ref(api_version: str, kind: str, namespace: str | None, name: str) -> Ref:
    """A pattern raises TypeError for a value that is not text."""
    names = (name,) if namespace is None else (name, namespace)
    if not (_VERSION.fullmatch(api_version) and _KIND.fullmatch(kind) and all(map(_NAME.fullmatch, names))):
        raise ValueError
    return Ref(Resource(api_version, kind), name, namespace)


def _verification(encoding: Any) -> RepositoryVerification | None:
    """The last verification; None where there is none that this version can read, as it is no reason to refuse."""
    try:
        data = json.loads(base64.b64decode(encoding))
        damaged_backups = tuple(
            DamagedBackup(plain(str(each["label"])), _whole(each["files"]), _whole(each["unread"]))
            for each in data["damaged"]
        )
        verification = RepositoryVerification(
            at=datetime.fromisoformat(data["at"]).astimezone(UTC).isoformat(),
            seconds=_seconds(data["seconds"]),
            backups=_whole(data["backups"]),
            damaged=damaged_backups,
            files=tuple(plain(str(name), 200) for name in data["files"]),
            segments_checked=_whole(data["segments_checked"]),
            segments_valid=_whole(data["segments_valid"]),
            segments=tuple(plain(str(name)) for name in data["segments"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return None
    return verification


def _drills(encoding: Any) -> tuple[DrillResult, ...]:
    """The drills that are kept; none where this version cannot read them, as that is no reason to refuse."""
    try:
        return tuple(
            drill_result(each, each["at"], _seconds(each["seconds"])) for each in json.loads(base64.b64decode(encoding))
        )
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return ()


def drill_result(data: Mapping[str, Any], at: str, seconds: float) -> DrillResult:
    """A drill from JSON of the record or of its Job.

    Raises KeyError, TypeError, ValueError, OverflowError for anything else.
    """
    checks = tuple(
        DrillCheck(fit(str(each["name"])), each["outcome"], _seconds(each["seconds"]), plain(str(each["text"])))
        for each in data["checks"]
    )
    if not all(check.outcome in get_args(DrillOutcome) for check in checks):
        raise ValueError
    reached_at = str(data["reached_at"])
    return DrillResult(
        at=datetime.fromisoformat(at).astimezone(UTC).isoformat(),
        seconds=seconds,
        backup=fit(str(data["backup"])),
        timeline=_whole(data["timeline"]),
        lsn=fit(str(data["lsn"])),
        reached_at=datetime.fromisoformat(reached_at).astimezone(UTC).isoformat() if reached_at else "",
        bytes=_whole(data["bytes"]),
        segments=_whole(data["segments"]),
        checks=checks,
    )


def _whole(value: Any) -> int:
    """Raises TypeError and ValueError for what is no count: JSON has numbers of any length."""
    number = int(value)
    if not 0 <= number < LARGEST:
        raise ValueError
    return number


def _seconds(value: Any) -> float:
    """Raises TypeError and ValueError for what is no time that anything takes; JSON may have infinity.

    Below 0 where a clock was set back.
    """
    seconds = float(value)
    if not abs(seconds) <= LONGEST_SECONDS:
        raise ValueError
    return seconds


def _revision(number: Any, at: Any, outcome: Any, spec: Any, answers: Any) -> Revision:
    fits = (
        type(number) is int
        and isinstance(spec, str)
        and isinstance(answers, dict)
        and outcome in get_args(RevisionOutcome)
    )
    if not fits or not _is_moment(at):
        raise ValueError
    return Revision(number, at, outcome, spec, answers)


def _origin(**parts: Any) -> Origin:
    if not all(isinstance(part, str) and part.isprintable() and len(part) <= 1024 for part in parts.values()):
        raise ValueError
    if parts.get("reached_at") and not _is_moment(parts["reached_at"]):
        raise ValueError
    return Origin(**parts)


def _restoration(at: Any, is_finished: Any, details: Any) -> Restoration:
    if not _is_moment(at) or not isinstance(is_finished, bool) or not isinstance(details, dict):
        raise ValueError
    return Restoration(at, is_finished, details)


def _is_moment(at: Any) -> bool:
    """Whether it is a time with its zone. Python takes any character between date and time."""
    if re.fullmatch(r"[-+:.TZ0-9]+", at) is None:
        return False
    moment = datetime.fromisoformat(at)
    try:
        moment.astimezone(UTC)
    except OverflowError:  # in the first or the last hours of the calendar
        return False
    return moment.tzinfo is not None
