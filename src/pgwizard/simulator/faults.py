"""Owns what a test can make go wrong: failing requests, a killed client, and scripted fates of pods and Jobs.

It does not retry: a fault surfaces as the error that the real client raises once its retries are used up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from pgwizard import errors
from pgwizard.simulator import statuses

FaultKind = Literal[
    "401",
    "403",
    "409",
    "410",
    "422",
    "429",
    "500",
    "503",
    "reset-before",
    "reset-after",
    "timeout-after",
    "truncated",
    "kill-before",
    "kill-after",
]
AFTER_COMMIT: frozenset[FaultKind] = frozenset({"reset-after", "timeout-after", "truncated", "kill-after"})
"""The kinds that strike when the write has persisted."""


class Killed(BaseException):
    """The client was killed at a request. No ``except Exception`` may catch it, as none could catch SIGKILL."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as recorded. ``number`` counts from 1; ``resource`` is the plural, or ``pods/exec``."""

    number: int
    verb: str
    resource: str
    path: str
    namespace: str | None = None
    name: str = ""
    dry_run: bool = False

    @property
    def is_write(self) -> bool:
        """Whether it changes the cluster where it succeeds."""
        writes = self.verb in {"create", "apply", "patch", "update", "delete"}
        is_connection = self.resource in {"pods/portforward", "pods/exec"}  # which is a create as well
        return writes and not self.dry_run and not is_connection


@dataclass(slots=True)
class Fault:
    """Fail matching requests: from the ``nth`` match on, ``times`` times (None: always). Globs; empty matches all."""

    kind: FaultKind
    verb: str = "*"
    resource: str = "*"
    name: str = "*"
    nth: int = 1
    times: int | None = 1
    number: int | None = None
    writes_only: bool = False
    calls: int = 0

    def strikes(self, request: Request) -> FaultKind | None:
        """Called once for every request, in order."""
        if self.number is not None and request.number != self.number:
            return None
        if self.writes_only and not request.is_write:
            return None
        pairs = ((request.verb, self.verb), (request.resource, self.resource), (request.name, self.name))
        if not all(fnmatchcase(value, pattern or "*") for value, pattern in pairs):
            return None
        self.calls += 1
        due = self.calls >= self.nth and (self.times is None or self.calls < self.nth + self.times)
        return self.kind if due else None


FaultRule = Fault | Callable[[Request], FaultKind | None]
"""A fault, or a function asked at each request."""


def due_fault(rules: Sequence[FaultRule], request: Request) -> FaultKind | None:
    """The first fault that is due. Every rule is asked, so that each counts its own matches."""
    answers = [rule.strikes(request) if isinstance(rule, Fault) else rule(request) for rule in rules]
    return next((answer for answer in answers if answer is not None), None)


def failure(kind: FaultKind, request: Request, purpose: str, server: str) -> BaseException:
    """What the client raises for this fault; API errors still to be ``statuses.explain``."""
    what = f"cannot {purpose}: {server}"
    refusals: dict[str, Callable[[], BaseException]] = {
        "401": lambda: errors.Unauthorized("Unauthorized", status=401, reason="Unauthorized"),
        "403": lambda: errors.Forbidden(
            f'{request.resource} "{request.name}" is forbidden: denied by a fault', status=403, reason="Forbidden"
        ),
        "409": lambda: errors.Conflict(
            f'Operation cannot be fulfilled on {request.resource} "{request.name}": the object has been modified; '
            "please apply your changes to the latest version and try again",
            status=409,
            reason="Conflict",
        ),
        "410": lambda: statuses.outdated_list(
            "The provided continue parameter is too old to display a consistent list result."
        ),
        "422": lambda: errors.Invalid(
            f'{request.resource} "{request.name}" is invalid: spec: Invalid value: refused by a fault',
            status=422,
            reason="Invalid",
            causes=[("spec", "Invalid value: refused by a fault")],
        ),
        "429": lambda: errors.ServerFailure(
            "the server has received too many requests and has asked us to try again later",
            status=429,
            reason="TooManyRequests",
        ),
        "500": lambda: errors.ServerFailure(
            "Internal error occurred: etcdserver: leader changed", status=500, reason="InternalError"
        ),
        "503": lambda: errors.ServerFailure(
            "the server is currently unable to handle the request", status=503, reason="ServiceUnavailable"
        ),
        "timeout-after": lambda: errors.Unreachable(f"{what}: no answer to {request.path} in time"),
        "truncated": lambda: errors.Unreachable(f"{what}: the answer to {request.path} is cut off or not JSON"),
        "kill-before": lambda: Killed(f"before {request.verb} {request.path}"),
        "kill-after": lambda: Killed(f"after {request.verb} {request.path}"),
    }
    make = refusals.get(kind)
    return make() if make else errors.Unreachable(f"{what}: closed by the other side")


OutcomeKind = Literal[
    "image-pull",
    "crash-loop",
    "unschedulable",
    "quota",
    "pvc-pending",
    "pod-security",
    "webhook-silent",
    "job-failed",
    "never-ready",
    "slow",
    "sidecar",
]


@dataclass(frozen=True, slots=True)
class ScriptedOutcome:
    """A scripted fate for pods, claims or Jobs whose ``namespace/name`` matches the glob ``who``.

    message: replaces the usual text. lines: what the container logs. seconds: how much longer "slow" takes.
    "sidecar": a mesh puts a container before those of a Job's pod, which does not end by itself.
    """

    kind: OutcomeKind
    who: str = "*"
    message: str = ""
    lines: tuple[str, ...] = ()
    exit_code: int = 1
    container: str = "*"
    seconds: float = 60

    def concerns(self, namespace: str, name: str, container: str = "") -> bool:
        """Whether this fate is meant for that object."""
        return fnmatchcase(f"{namespace}/{name}", self.who) and (
            not container or fnmatchcase(container, self.container)
        )
