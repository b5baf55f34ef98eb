"""Owns what happens to a request: it is recorded, fails where a fault is due, is authorized, and performed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pgwizard import errors
from pgwizard.kube.api import Access, Ref, Resource
from pgwizard.simulator.faults import AFTER_COMMIT, FaultRule, Request, due_fault, failure
from pgwizard.simulator.policy import ADMINISTRATOR, PolicyRules
from pgwizard.simulator.statuses import explain, no_permission

T = TypeVar("T")
_RBAC_VERBS = {"apply": "patch"}


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One request. ``access`` is None where no permission is needed; ``what`` is the plural or ``pods/exec``."""

    verb: str
    what: str
    path: str
    purpose: str
    access: Access | None = None
    dry_run: bool = False

    @classmethod
    def about(cls, verb: str, ref: Ref, *, word: str = "", dry_run: bool = False) -> ApiCall:
        """A request about one object."""
        resource = ref.resource
        name = None if verb == "create" else ref.name
        access = Access(_RBAC_VERBS.get(verb, verb), resource.plural, resource.group, ref.namespace, ref.name)
        path = resource.path(ref.namespace, name)
        return cls(verb, resource.plural, path, f"{word or verb} {ref}", access, dry_run)

    @classmethod
    def within(cls, verb: str, resource: Resource, namespace: str | None) -> ApiCall:
        """A list or watch."""
        access = Access(verb, resource.plural, resource.group, namespace)
        where = f" in namespace {namespace}" if namespace else ""
        return cls(verb, resource.plural, resource.path(namespace), f"{verb} {resource.plural}{where}", access)

    @classmethod
    def of_pod(cls, verb: str, part: str, ref: Ref, purpose: str) -> ApiCall:
        """A subresource of a pod."""
        access = Access(verb, f"pods/{part}", "", ref.namespace, ref.name)
        return cls(verb, f"pods/{part}", ref.resource.path(ref.namespace, ref.name, part), purpose, access)


class Gate:
    """What every request of every user passes."""

    def __init__(self, rules: PolicyRules, server: str, prepare: Callable[[], None]) -> None:
        self.faults: list[FaultRule] = []
        self.requests: list[Request] = []
        self._rules = rules
        self._server = server
        self._prepare = prepare

    async def perform(self, call: ApiCall, action: Callable[[], T], user: str = ADMINISTRATOR) -> T:
        """Do it, or raise what the client would raise."""
        self._prepare()
        access = call.access
        namespace, name = (access.namespace, access.name) if access else (None, "")
        request = Request(len(self.requests) + 1, call.verb, call.what, call.path, namespace, name, call.dry_run)
        self.requests.append(request)
        fault = due_fault(self.faults, request)
        await asyncio.sleep(0)  # as any request, it lets others run
        try:
            if fault is not None and fault not in AFTER_COMMIT:
                raise failure(fault, request, call.purpose, self._server)
            if access is not None and not self._rules.allows(access, user):
                raise no_permission(user, access)
            result = action()
            if fault is not None:
                raise failure(fault, request, call.purpose, self._server)
        except errors.ApiError as error:
            raise explain(error, call.purpose, access) from None
        return result
