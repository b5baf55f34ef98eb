"""What every cluster speaks, real or simulated: the ``Cluster`` protocol and the values that cross it.

Objects are plain dicts as the API server sends them. No kind is known here: a REST path follows from apiVersion, kind
and namespace by rule. Does no I/O.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from pgwizard.errors import (
    Gone,
    NotFound,
)
from pgwizard.kube.commands import Commands

Object = dict[str, Any]
"""A Kubernetes object as parsed JSON."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind at an API version, such as ``Resource("apps/v1", "StatefulSet")``."""

    api_version: str
    kind: str

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def plural(self) -> str:
        """The name in REST paths and RBAC rules, by English rule (NetworkPolicy -> networkpolicies)."""
        name = self.kind.lower()
        if name.endswith("y"):
            return f"{name[:-1]}ies"
        return f"{name}es" if re.search(r"(s|x|ch|sh)$", name) else f"{name}s"

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The REST path of the collection, of one object, or of its subresource. Parts are DNS names, never quoted."""
        parts = ["apis" if self.group else "api", self.api_version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name is not None:
            parts.append(name)
        if subresource is not None:
            parts.append(subresource)
        return "/" + "/".join(parts)


@dataclass(frozen=True, slots=True)
class Ref:
    """One object. ``namespace`` is None for cluster-scoped kinds."""

    resource: Resource
    name: str
    namespace: str | None = None

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Ref:
        """The reference of an object that carries apiVersion, kind and metadata.name."""
        metadata = obj["metadata"]
        return cls(Resource(obj["apiVersion"], obj["kind"]), metadata["name"], metadata.get("namespace"))

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.resource.kind} {place}{self.name}"


@dataclass(frozen=True, slots=True)
class Access:
    """One question to the authorizer: may I ``verb`` this? ``resource`` may be ``pods/exec``. Empty name: all names."""

    verb: str
    resource: str
    group: str = ""
    namespace: str | None = None
    name: str = ""

    def command(self, commands: Commands) -> str:
        """The kubectl line that asks the same."""
        name = f"/{self.name}" if self.name else ""
        resource, _, subresource = self.resource.partition("/")
        group = f".{self.group}" if self.group else ""
        sub = [f"--subresource={subresource}"] if subresource else []
        everywhere = [] if self.namespace else ["-A"]  # else kubectl asks about the context's namespace
        words = ("auth", "can-i", self.verb, f"{resource}{group}{name}", *sub, *everywhere)
        return commands.kubectl(*words, namespace=self.namespace)


@dataclass(frozen=True, slots=True)
class ListPage:
    """One chunk of a list. ``remaining`` is the server's estimate of what is still to come; None if it does not say.

    resource_version: where a watch may begin once the last page is read.
    """

    items: tuple[Object, ...]
    resource_version: str
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change. ``SYNCED`` carries no object: all that existed has been sent; again after each relist.

    After a relist objects that vanished meanwhile come as ``DELETED`` with their last known state.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED", "SYNCED"]
    object: Object


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What the server made of a write, and the warnings it sent along (Pod Security, deprecations)."""

    object: Object
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecResult:
    """The end of a command in a container. exit_code is None where the connection ended before it."""

    stdout: bytes
    stderr: bytes
    exit_code: int | None


class ByteStream(Protocol):
    """A connection to a port of a pod."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""

    async def write(self, data: bytes) -> None:
        """Send all of data."""


class Cluster(Protocol):
    """The verbs. Every call has a deadline and ends in a value or in an error of ``errors.ClusterError``'s branch.

    Reads and writes are retried by the cluster itself (429, 5xx, resets), so a caller never loops. Writes that may be
    repeated are: apply, patch and delete; a create whose answer was lost is looked up before it counts as a failure.
    """

    @property
    def server(self) -> str:
        """Who is spoken to, for people: the context or URL, without credentials."""

    @property
    def namespace(self) -> str:
        """The namespace that the kubeconfig's context names, or ``default``."""

    @property
    def commands(self) -> Commands:
        """Command lines that reach this cluster."""

    async def version(self) -> str:
        """The server's gitVersion, such as ``v1.34.4``."""

    async def get(self, ref: Ref) -> Object:
        """Raises NotFound."""

    def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
        limit: int | None = 500,
    ) -> AsyncGenerator[ListPage, None]:
        """A list in chunks of ``limit`` (None: unpaged). Namespace None: all namespaces. Use ``contextlib.aclosing``.

        With metadata_only the server sends PartialObjectMetadata: no data leaves it. An expired continuation (410)
        ends with ``Gone``; begin again.
        """

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> AsyncGenerator[WatchEvent, None]:
        """List, then watch, without end: relists on 410 and after a silent stall. Use ``contextlib.aclosing``."""

    async def apply(self, obj: Object, *, dry_run: bool = False, force: bool = False) -> WriteResult:
        """Server-side apply as field manager ``pgwizard``, strict validation. Raises Conflict, Invalid, Forbidden."""

    async def create(self, obj: Object, *, dry_run: bool = False) -> WriteResult:
        """Raises AlreadyExists."""

    async def patch(self, ref: Ref, patch: Object, *, dry_run: bool = False) -> WriteResult:
        """JSON merge patch."""

    async def replace(self, obj: Object) -> WriteResult:
        """PUT; with metadata.resourceVersion it is a compare-and-swap that raises Conflict."""

    async def delete(
        self,
        ref: Ref,
        *,
        uid: str | None = None,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
    ) -> None:
        """With uid it deletes only that very object (Conflict otherwise). An absent object is not an error."""

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        previous: bool = False,
    ) -> AsyncGenerator[str, None]:
        """Lines without their ends, as they come; ends with the container unless not followed.

        previous: of the run that ended last, also once the container was started again.
        """

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout_seconds: float = 60,
    ) -> ExecResult:
        """Run a command. Secrets go by stdin, never by command: arguments end in the audit log.

        Raises errors.DeadlineError where it does not end in time.
        """

    def port_forward(self, namespace: str, pod: str, port: int) -> AbstractAsyncContextManager[ByteStream]:
        """A connection to a pod's port by way of the API server."""

    async def check_access(self, accesses: Sequence[Access]) -> dict[Access, bool]:
        """SelfSubjectAccessReview for each, side by side."""

    async def close(self) -> None:
        """Close every connection. Calls after it are errors."""


NAMESPACE = Resource("v1", "Namespace")
NODE = Resource("v1", "Node")
SECRET = Resource("v1", "Secret")
CONFIGMAP = Resource("v1", "ConfigMap")
SERVICE = Resource("v1", "Service")
POD = Resource("v1", "Pod")
TRUST_BUNDLE = Resource("certificates.k8s.io/v1beta1", "ClusterTrustBundle")
CLAIM = Resource("v1", "PersistentVolumeClaim")
EVENT = Resource("v1", "Event")
STATEFULSET = Resource("apps/v1", "StatefulSet")
CRONJOB = Resource("batch/v1", "CronJob")
JOB = Resource("batch/v1", "Job")
STORAGE_CLASS = Resource("storage.k8s.io/v1", "StorageClass")
DEFAULT_STORAGE_CLASS = "storageclass.kubernetes.io/is-default-class"
"""Annotation of the class that a claim without one gets."""
ROLE = Resource("rbac.authorization.k8s.io/v1", "Role")
ROLE_BINDING = Resource("rbac.authorization.k8s.io/v1", "RoleBinding")
SERVICE_ACCOUNT = Resource("v1", "ServiceAccount")
NETWORK_POLICY = Resource("networking.k8s.io/v1", "NetworkPolicy")
PROMETHEUS_RULE = Resource("monitoring.coreos.com/v1", "PrometheusRule")
"""A kind of the Prometheus Operator; most clusters do not have it."""
LIMIT_RANGE = Resource("v1", "LimitRange")
RESOURCE_QUOTA = Resource("v1", "ResourceQuota")
PRIORITY_CLASS = Resource("scheduling.k8s.io/v1", "PriorityClass")
RUNTIME_CLASS = Resource("node.k8s.io/v1", "RuntimeClass")
LEASE = Resource("coordination.k8s.io/v1", "Lease")

FIELD_MANAGER = "pgwizard"
"""The field manager of every write."""

T = TypeVar("T")
SIDE_BY_SIDE = 8


async def side_by_side(questions: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results, a few requests at a time; the first error ends the others."""
    gate = asyncio.Semaphore(SIDE_BY_SIDE)
    every = list(questions)

    async def through(question: Coroutine[Any, Any, T]) -> T:
        async with gate:
            return await question

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(through(question)) for question in every]
    except BaseExceptionGroup as errors:  # the first is what happened, the others are its consequences
        raise errors.exceptions[0] from None
    finally:
        for question in every:  # one whose turn never came must not complain of it
            question.close()
    return [task.result() for task in tasks]


async def find_object(cluster: Cluster, ref: Ref) -> Object | None:
    """The object, or None."""
    try:
        return await cluster.get(ref)
    except NotFound:
        return None


async def list_objects(
    cluster: Cluster,
    resource: Resource,
    namespace: str | None = None,
    *,
    labels: str = "",
    metadata_only: bool = False,
) -> list[Object]:
    """All objects of a list, in the order of the server; begun again where its continuation has expired."""
    for attempt in range(3):
        objects: list[Object] = []
        try:
            async with aclosing(
                cluster.pages(resource, namespace, labels=labels, metadata_only=metadata_only)
            ) as pages:
                async for page in pages:
                    objects += page.items
        except Gone:
            if attempt == 2:
                raise
        else:
            break
    return objects


def owners(obj: Object, kind: str) -> list[str]:
    """Names of the owners of an object that are of a kind, such as ``Job`` for a pod."""
    there = obj["metadata"].get("ownerReferences") or []
    return [str(owner.get("name", "")) for owner in there if owner.get("kind") == kind]
