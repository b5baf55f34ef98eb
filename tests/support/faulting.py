"""Applies on the simulated cluster, in time that jumps; and every fault at every request of them, as a table.

``python tests/support/faulting.py`` tries all cases and prints the figures; the tests try a sample of the same cases.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import copy
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pgwizard.answers.questions import Answers
from pgwizard.answers.secrets import SecretInputs, Sensitive
from pgwizard.clock import Clock
from pgwizard.errors import PgwizardError
from pgwizard.kube.api import Object, Ref, Resource
from pgwizard.plan.cron import next_run
from pgwizard.release import apply
from pgwizard.release.changes import Change
from pgwizard.release.stages import Event
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import FaultKind, Killed, Request
from support.simtime import LoopClock, run

NAMESPACE = Resource("v1", "Namespace")
SECRET = Resource("v1", "Secret")
CONFIGMAP = Resource("v1", "ConfigMap")
SERVICE = Resource("v1", "Service")
POD = Resource("v1", "Pod")
CLAIM = Resource("v1", "PersistentVolumeClaim")
EVENT = Resource("v1", "Event")
LEASE = Resource("coordination.k8s.io/v1", "Lease")
STATEFULSET = Resource("apps/v1", "StatefulSet")
CRONJOB = Resource("batch/v1", "CronJob")
JOB = Resource("batch/v1", "Job")
ROLE = Resource("rbac.authorization.k8s.io/v1", "Role")


# ---- applies -------------------------------------------------------------------------------------------------------


def answers_of(**sections: Any) -> Answers:
    """Answers for a namespace with S3 credentials (``default`` in the example world)."""
    return Answers.model_validate(sections)


def given(**values: str) -> SecretInputs:
    """``given(s3_accessKey="...")``: the contents of variables or files."""
    parts = {tuple(name.split("_", 1)): Sensitive(value.encode()) for name, value in values.items()}
    return SecretInputs({(role, key): value for (role, key), value in parts.items()})


def cluster(*, behind_seconds: float = 0, **options: Any) -> SimCluster:
    """A simulated cluster with the example world, whose time the loop moves; its clock may be behind."""
    return SimCluster(clock=LoopClock(behind_seconds), next_run=next_run, **options)


def clock(sim: SimCluster) -> Clock:
    """The cluster's own time."""
    return lambda: datetime.fromtimestamp(sim.clock.now(), UTC)


@dataclass
class ApplyRun:
    """One apply: how it ended, what it reported and what it requested."""

    outcome: apply.ApplyOutcome | None = None
    error: PgwizardError | None = None
    events: list[Event] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    shown: tuple[Change, ...] = ()
    requests: list[Request] = field(default_factory=list)

    @property
    def writes(self) -> list[str]:
        """What was written, as ``apply secrets/postgresql``; the Lease left out."""
        return [
            f"{request.verb} {request.resource}/{request.name}"
            for request in self.requests
            if request.is_write and request.resource != "leases"
        ]

    def texts(self, *kinds: str) -> list[str]:
        """The events' texts of these kinds; of all without any."""
        return [event.text for event in self.events if not kinds or event.kind in kinds]

    def actions(self) -> dict[str, str]:
        """What was to become of each object: ``{"StatefulSet default/postgresql": "create"}``."""
        changes = self.outcome.changes if self.outcome else self.shown
        return {str(change.ref): change.action for change in changes}


async def applied(
    sim: SimCluster, answers: Answers | None = None, secrets: SecretInputs | None = None, **options: Any
) -> ApplyRun:
    """One apply; what it raises is in ``error``."""
    result, first = ApplyRun(), len(sim.requests)
    approval = options.pop("approve", True)
    loop = asyncio.get_running_loop()
    start = loop.time()

    def report(event: Event) -> None:
        result.events.append(event)
        result.at.append(loop.time() - start)

    async def approve(changes: Sequence[Change]) -> bool:
        result.shown = tuple(changes)
        return bool(approval)

    release = apply.ReleaseRequest(answers or answers_of(), secrets or SecretInputs())
    try:
        result.outcome = await apply.run(release, sim, report, approve, apply.Options(**options), now=clock(sim))
    except PgwizardError as error:
        result.error = error
    finally:
        result.requests = sim.requests[first:]
    return result


def settle(sim: SimCluster) -> None:
    """The Job's controller sees the end of the first backup after pgwizard does."""

    async def wait() -> None:
        async with sim:
            sim.runtime.ensure_running()
            await sim.clock.sleep(5)

    run(wait())


async def deployed(sim: SimCluster, answers: Answers | None = None, secrets: SecretInputs | None = None) -> ApplyRun:
    """One apply that must succeed."""
    result = await applied(sim, answers, secrets)
    if result.error is not None:
        raise result.error
    return result


def on(scenario: Callable[[SimCluster], Awaitable[None]], **options: Any) -> None:
    """A scenario on a cluster of its own."""

    async def main() -> None:
        async with cluster(**options) as sim:
            await scenario(sim)

    run(main())


def on_release(scenario: Callable[[SimCluster], Awaitable[None]]) -> None:
    """A scenario on a cluster with a release that is ten minutes old."""

    async def aged(sim: SimCluster) -> None:
        await deployed(sim)
        await sim.clock.sleep(600)
        await scenario(sim)

    on(aged)


def live(sim: SimCluster, resource: Resource, name: str, namespace: str | None = "default") -> Object:
    """An object as it is stored."""
    obj = sim.store.peek(Ref(resource, name, namespace))
    assert obj is not None, f"{resource.kind} {name} does not exist"
    return obj


def data(sim: SimCluster, name: str, namespace: str = "default") -> dict[str, str]:
    """The values of a Secret."""
    stored = live(sim, SECRET, name, namespace).get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in stored.items()}


def taken_over(sim: SimCluster, ref: Ref) -> None:
    """``helm upgrade --take-ownership`` has adopted the object."""
    obj = live(sim, ref.resource, ref.name)
    labels = {**obj["metadata"]["labels"], "app.kubernetes.io/managed-by": "Helm"}
    annotations = {**obj["metadata"].get("annotations", {}), "meta.helm.sh/release-name": "shop"}
    sim.store.put({**obj, "metadata": {**obj["metadata"], "labels": labels, "annotations": annotations}})


def secret(name: str, namespace: str = "default", **text: str) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": text}


# ---- every fault at every request ----------------------------------------------------------------------------------

KINDS: tuple[FaultKind, ...] = (
    "429",
    "500",
    "503",
    "reset-before",
    "reset-after",
    "timeout-after",
    "truncated",
    "401",
    "403",
    "409",
    "422",
    "kill-before",
    "kill-after",
)
_LASTING = frozenset({"401", "kill-before", "kill-after"})
"""What does not go away by itself within a run."""
INSTALLED = answers_of(
    repository={"credentials": {"from": "env", "accessKey": "A", "secretKey": "S"}},
    credentials={"from": "generate"},
)
UPGRADED = INSTALLED.model_copy(
    update={
        "storage": INSTALLED.storage.model_copy(update={"size": "20Gi"}),
        "tuning": INSTALLED.tuning.model_copy(update={"connections": 200}),
        "schedule": INSTALLED.schedule.model_copy(update={"full": "0 3 * * 0"}),
    }
)
CANARIES = {"s3_accessKey": "canary-access-key-7f3a", "s3_secretKey": "canary-secret-key-91bc"}


@dataclass(frozen=True)
class Case:
    """A fault of this kind at the nth request of an install or an upgrade."""

    verb: str
    kind: FaultKind
    nth: int


@dataclass(frozen=True)
class Verdict:
    """How a case ended: at once, or after how clean an error; violations make it a failure."""

    case: Case
    at_once: bool
    error: str
    violations: tuple[str, ...]


class _Once:
    """Strikes at the nth request from now on; and at all that follow, where the kind lasts."""

    def __init__(self, sim: SimCluster, case: Case) -> None:
        self._at = len(sim.requests) + case.nth
        self._kind = case.kind

    def __call__(self, request: Request) -> FaultKind | None:
        if request.number == self._at:
            return self._kind
        if request.number > self._at and self._kind in _LASTING:
            return "kill-before" if self._kind.startswith("kill") else self._kind
        return None


class _Witness:
    """Watches the store for what must never happen, whatever the client saw."""

    def __init__(self, sim: SimCluster) -> None:
        self._complete: Counter[str] = Counter()
        self._ended: set[str] = set()
        self._password: str | None = None
        self.violations: list[str] = []
        for obj in sim.store.everything():
            self._look(obj, "ADDED")
        sim.store.listeners.append(lambda change: self._look(change[2], change[1]))

    def _look(self, obj: Object, kind: str) -> None:
        name = obj["metadata"]["name"]
        if obj["kind"] == "Secret" and obj["metadata"].get("namespace") == "default" and name == "postgresql":
            password = (obj.get("data") or {}).get("password")
            if kind == "DELETED" or (self._password is not None and password != self._password):
                self.violations.append("the password was lost or changed")
            self._password = password
        if kind == "DELETED" and obj["kind"] == "PersistentVolumeClaim":
            self.violations.append(f"{name} was deleted")
        if obj["kind"] == "Job" and name.endswith("-init"):
            over = {item["type"] for item in obj.get("status", {}).get("conditions", ()) if item["status"] == "True"}
            uid, spec = obj["metadata"]["uid"], obj["metadata"]["annotations"][apply.HASH]
            if "Complete" in over and uid not in self._ended:
                self._ended.add(uid)
                self._complete[spec] += 1
                if self._complete[spec] > 1:
                    self.violations.append("the hook Job succeeded twice for one spec")


async def _attempt(sim: SimCluster, answers: Answers, verdicts: list[str]) -> ApplyRun | None:
    """One run as a process of its own; None where it was killed. Nothing of it is left running."""
    task = asyncio.create_task(applied(sim, answers, given(**CANARIES)), name="the run")
    await asyncio.wait([task])
    error = task.exception()
    for _ in range(3):
        await asyncio.sleep(0)
    names = {str(ref) for ref in sim.runtime._tasks}
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    if any(task.get_name().startswith(("renew", "log of", "the run")) for task in left):
        verdicts.append(f"tasks are left: {sorted({task.get_name() for task in left} - names)}")
    if isinstance(error, Killed):
        return None
    if error is not None:
        verdicts.append(f"not a classified error: {type(error).__name__}: {error}")
        return None
    return task.result()


def _leaks(sim: SimCluster, result: ApplyRun) -> Iterable[str]:
    password = data(sim, "postgresql")["password"] if sim.store.peek(Ref(SECRET, "postgresql", "default")) else ""
    texts = [
        *result.texts(),
        str(result.error),
        repr(result.error),
        getattr(result.error, "hint", ""),
        repr(result.outcome),
    ]
    record = sim.store.peek(Ref(SECRET, "postgresql-pgwizard", "default"))
    texts.append(base64.b64decode(record["data"]["record"]).decode() if record else "")
    for value in (password, *CANARIES.values()):
        if value and any(form in text for text in texts for form in (value, base64.b64encode(value.encode()).decode())):
            yield "a secret leaked"


async def _tried(case: Case, sim: SimCluster) -> Verdict:
    violations: list[str] = []
    answers = INSTALLED if case.verb == "install" else UPGRADED
    async with sim:
        witness = _Witness(sim)
        sim.faults.append(_Once(sim, case))
        first = await _attempt(sim, answers, violations)
        sim.faults.clear()
        error = "killed" if first is None else "" if first.error is None else type(first.error).__name__
        if first is not None:
            violations += _leaks(sim, first)
            if first.error is not None and first.error.exit_code in (1, 130):
                violations.append(f"not a classified error: {first.error}")
        if error:
            second = await _attempt(sim, answers, violations)
            if second is None or second.error is not None:
                violations.append(f"the second run does not converge: {second and second.error}")
            else:
                violations += _leaks(sim, second)
        last = await _attempt(sim, answers, violations)
        if last is None or last.outcome is None or last.outcome.result != "unchanged" or last.writes:
            violations.append(f"not converged: {last and (last.error or last.writes or last.outcome)}")
        fulls = [backup for backup in sim.runtime.programs.repository("default").backups if backup["type"] == "full"]
        if len(fulls) != 1:
            violations.append(f"{len(fulls)} full backups")
        violations += witness.violations
    return Verdict(case, not error, error, tuple(dict.fromkeys(violations)))


@dataclass
class Bench:
    """The two states that cases begin with, and how many requests each run makes from there."""

    states: dict[str, SimCluster] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)

    @classmethod
    def built(cls) -> Bench:
        bench = cls()
        sim = cluster()

        async def one(answers: Answers) -> int:
            async with sim:
                return len((await deployed(sim, answers, given(**CANARIES))).requests)

        for verb, answers in (("install", INSTALLED), ("upgrade", UPGRADED)):
            bench.states[verb] = copy.deepcopy(sim)
            bench.lengths[verb] = run(one(answers))
        return bench

    def cases(self) -> list[Case]:
        """A fault of every kind at every request."""
        return [Case(verb, kind, nth) for kind in KINDS for verb in self.lengths for nth in self.every(verb)]

    def every(self, verb: str) -> range:
        return range(1, self.lengths[verb] + 1)

    def judge(self, case: Case) -> Verdict:
        """Try one case on a cluster of its own."""
        try:
            return run(_tried(case, copy.deepcopy(self.states[case.verb])))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the table is there to show
            return Verdict(case, False, "", (f"{type(error).__name__}: {error}",))


_bench: list[Bench] = []


def _prepare() -> None:
    _bench.append(Bench.built())


def _judge(case: Case) -> Verdict:
    return _bench[0].judge(case)


def table(verdicts: Sequence[Verdict]) -> str:
    """A line for each kind of fault and verb, and a sum."""
    rows = [("fault", "during", "tried", "converged at once", "clean error, then converged", "violations")]
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.case.kind, verdict.case.verb), []).append(verdict)
    for (kind, verb), group in [*groups.items(), (("all", ""), list(verdicts))]:
        bad = [verdict for verdict in group if verdict.violations]
        fine = [verdict for verdict in group if not verdict.violations]
        once = sum(verdict.at_once for verdict in fine)
        rows.append((kind, verb, str(len(group)), str(once), str(len(fine) - once), str(len(bad))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def main() -> int:
    """Try all cases, side by side; 1 where one violates a rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth case")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    start = time.monotonic()
    cases = Bench.built().cases()[:: options.every]
    with multiprocessing.Pool(options.processes, _prepare) as pool:
        verdicts = pool.map(_judge, cases, chunksize=20)
    print(table(verdicts))
    print(f"{len(cases)} cases in {time.monotonic() - start:.0f} s")
    bad = [verdict for verdict in verdicts if verdict.violations]
    for verdict in bad[:40]:
        print(
            f"{verdict.case.verb}, {verdict.case.kind} at request {verdict.case.nth}: {'; '.join(verdict.violations)}"
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
