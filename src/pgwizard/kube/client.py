"""``KubeCluster``: the ``Cluster`` protocol on a real API server.

Owns the verbs, list-then-watch, and the streams of a pod (logs, commands, ports). ``http`` sends, ``kubeconfig``
says where to and as whom. It knows no kinds: objects are dicts, and a path follows from apiVersion and kind.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, Self, TypeVar

import aiohttp

from pgwizard.errors import ApiError, ClusterError, Gone, NotFound, ServerFailure, Unreachable
from pgwizard.kube import credentials, kubeconfig, streams
from pgwizard.kube.api import (
    FIELD_MANAGER,
    POD,
    Access,
    ByteStream,
    ExecResult,
    ListPage,
    Object,
    Ref,
    Resource,
    WatchEvent,
    WriteResult,
)
from pgwizard.kube.commands import Commands
from pgwizard.kube.http import Call, Http, Patience, Response, api_error
from pgwizard.text import plain

T = TypeVar("T")
WATCH_SECONDS = 290  # less than the five minutes after which many load balancers cut a connection
WATCH_LINE_BYTES = 1 << 26
LOG_LINE_BYTES = 1 << 16
SIDE_BY_SIDE = 8
_METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_REVIEW = Resource("authorization.k8s.io/v1", "SelfSubjectAccessReview")
_RULES = Resource("authorization.k8s.io/v1", "SelfSubjectRulesReview")


async def connect(
    context: str | None = None,
    kubeconfig_file: str | None = None,
    namespace: str | None = None,
    *,
    manager: str = FIELD_MANAGER,
    patience: Patience | None = None,
    show: Callable[[str], object] = lambda _: None,
) -> KubeCluster:
    """Read the kubeconfig and the credentials; nothing is sent yet. Use it by ``async with``.

    show: called with each line that a credentials plug-in writes to stderr, such as a device code, now and whenever
    the credentials are renewed. Raises KubeconfigError.
    """
    target = await asyncio.to_thread(kubeconfig.load, context, kubeconfig_file, namespace)
    login = credentials.Login(target, show=show)
    await login.current()
    return KubeCluster(Http(target, login, patience or Patience()), manager)


class KubeCluster:
    """The real cluster; see ``api.Cluster``."""

    def __init__(self, http: Http, manager: str = FIELD_MANAGER) -> None:
        self._http = http
        self._manager = manager

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.close()

    @property
    def server(self) -> str:
        """The context and the URL."""
        return self._http.target.label

    @property
    def namespace(self) -> str:
        return self._http.target.namespace

    @property
    def commands(self) -> Commands:
        """Commands with the context and the kubeconfig of this connection."""
        return self._http.target.commands

    async def version(self) -> str:
        """The server's gitVersion, in printable text."""
        answer = await self._http.call(Call("GET", "/version", "ask for the server's version", tries=3))
        return plain(str(answer.body.get("gitVersion", "")), 60)

    # -- objects ------------------------------------------------------------------------------------------------------

    async def get(self, ref: Ref) -> Object:
        return (await self._http.call(_on(ref, "GET", "get"))).body

    async def apply(self, obj: Object, *, dry_run: bool = False, force: bool = False) -> WriteResult:
        params = [*self._write(dry_run=dry_run), ("force", str(force).lower())]
        call = _on(
            Ref.of(obj), "PATCH", "apply", params, obj, content_type="application/apply-patch+yaml", verb="patch"
        )
        return _write_result(await self._http.call(call))

    async def create(self, obj: Object, *, dry_run: bool = False) -> WriteResult:
        """Raises AlreadyExists, unless the object was created by a request whose answer was lost."""
        ref = Ref.of(obj)
        call = Call(
            "POST",
            ref.resource.path(ref.namespace),
            f"create {ref}",
            tuple(self._write(dry_run=dry_run)),
            obj,
            access=_access("create", ref.resource, ref.namespace),
        )
        return _write_result(await self._http.call(call, None if dry_run else lambda: self._find_written(ref, obj)))

    async def patch(self, ref: Ref, patch: Object, *, dry_run: bool = False) -> WriteResult:
        params = self._write(dry_run=dry_run)
        return _write_result(
            await self._http.call(
                _on(ref, "PATCH", "patch", params, patch, content_type="application/merge-patch+json")
            )
        )

    async def replace(self, obj: Object) -> WriteResult:
        ref = Ref.of(obj)
        call = _on(ref, "PUT", "replace", self._write(dry_run=False), obj, verb="update")
        return _write_result(await self._http.call(call, lambda: self._find_written(ref, obj)))

    async def delete(
        self,
        ref: Ref,
        *,
        uid: str | None = None,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
    ) -> None:
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        with contextlib.suppress(NotFound):
            await self._http.call(_on(ref, "DELETE", "delete", body=options))

    def _write(self, *, dry_run: bool) -> list[tuple[str, str]]:
        params = [("fieldManager", self._manager), ("fieldValidation", "Strict")]
        return [*params, ("dryRun", "All")] if dry_run else params

    async def _find_written(self, ref: Ref, intent: Object) -> Response | None:
        """The live object if it contains everything that was sent: the write was done although its answer was lost."""
        try:
            live = await self.get(ref)
        except NotFound:
            return None
        content = {key: value for key, value in intent.items() if key != "stringData"}
        content["metadata"] = {key: value for key, value in intent["metadata"].items() if key not in _SERVERS_OWN}
        if texts := intent.get("stringData"):
            encoded_texts = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
            content["data"] = {**(intent.get("data") or {}), **encoded_texts}
        return Response(live) if _holds(live, content) else None

    # -- lists --------------------------------------------------------------------------------------------------------

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
        limit: int | None = 500,
    ) -> AsyncGenerator[ListPage, None]:
        token = ""
        while True:
            params = [*_selectors(labels, fields), *([("limit", str(limit))] if limit else [])]
            if token:
                params.append(("continue", token))
            call = Call(
                "GET",
                resource.path(namespace),
                f"list {resource.plural}{_within(namespace)}",
                tuple(params),
                accept=_METADATA if metadata_only else "application/json",
                access=_access("list", resource, namespace),
            )
            answer = (await self._http.call(call)).body
            metadata = answer.get("metadata") or {}
            # Items of a list come without apiVersion and kind, or as PartialObjectMetadata.
            about = {"apiVersion": resource.api_version, "kind": resource.kind}
            yield ListPage(
                tuple({**item, **about} for item in answer.get("items") or ()),
                str(metadata.get("resourceVersion", "")),
                metadata.get("remainingItemCount"),
            )
            token = metadata.get("continue") or ""
            if not token:
                return

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> AsyncGenerator[WatchEvent, None]:
        """List, then watch, without end. Raises an error only after ``Patience.watch_failures`` in a row."""
        objects: dict[tuple[str, str], Object] = {}
        version = ""
        failures = 0
        while True:
            try:
                if not version:
                    # Unpaged: continuations are often served by etcd, an order of magnitude slower than the cache.
                    pages = self.pages(resource, namespace, labels=labels, fields=fields, limit=None)
                    listing = [page async for page in pages]
                    for event in _difference(objects, [item for page in listing for item in page.items]):
                        yield event
                    yield WatchEvent("SYNCED", {})
                    version = listing[-1].resource_version
                async with contextlib.aclosing(
                    self._changes(resource, namespace, [*_selectors(labels, fields), ("resourceVersion", version)])
                ) as changes:
                    async for kind, obj in changes:
                        failures = 0
                        version = str(obj["metadata"].get("resourceVersion") or version)
                        for event in _change(objects, kind, obj):
                            yield event
                failures = 0
                continue
            except Gone as error:
                version = ""
                problem: ClusterError = error
            except (Unreachable, ServerFailure) as error:
                problem = error
            failures += 1
            if failures > 1:
                version = ""  # as client-go does: it may be the version that the server cannot serve
            if failures > self._http.patience.watch_failures:
                raise problem
            await self._http.patience.sleep(self._http.patience.delay(failures))

    async def _changes(
        self, resource: Resource, namespace: str | None, params: list[tuple[str, str]]
    ) -> AsyncGenerator[tuple[str, Object], None]:
        """One connection's events, until the server ends it, or until it is silent for too long (both are normal)."""
        call = Call(
            "GET",
            resource.path(namespace),
            f"watch {resource.plural}{_within(namespace)}",
            (*params, ("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", str(WATCH_SECONDS))),
            access=_access("watch", resource, namespace),
            tries=1,
        )
        begin = self._http.patience.clock()
        empty = True
        async with self._http.stream(call) as response:
            lines = _lines(response, WATCH_LINE_BYTES, self._http.patience.liveness_seconds)
            async with contextlib.aclosing(lines):
                while True:
                    with self._http.translate_errors(call):
                        try:
                            line, whole = await anext(lines)
                        except StopAsyncIteration:
                            break
                        except TimeoutError:
                            return
                        if not whole:
                            raise ValueError("a line without its end")
                        kind, obj = _event(line)
                    if kind == "ERROR":
                        raise _watch_error(call, obj, self.commands)
                    empty = False
                    yield kind, obj
        # A server that hangs up at once again and again must not be called without a pause.
        if empty and self._http.patience.clock() - begin < 1:
            raise Unreachable(f"cannot {call.purpose}: {self.server}: the server ends the watch at once")

    # -- pods ---------------------------------------------------------------------------------------------------------

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        previous: bool = False,
    ) -> AsyncGenerator[str, None]:
        """Lines; one that is longer than 64 KiB comes in pieces."""
        params = [("container", container), ("follow", str(follow).lower())]
        if tail is not None:
            params.append(("tailLines", str(tail)))
        if previous:
            params.append(("previous", "true"))
        call = Call(
            "GET",
            POD.path(namespace, pod, "log"),
            f"read the logs of pod {namespace}/{pod}, container {container}",
            tuple(params),
            accept="*/*",
            access=Access("get", "pods/log", "", namespace, pod),
        )
        async with self._http.stream(call) as response:
            # A container may be silent for as long as it likes; a dead connection is noticed by TCP's own probes.
            idle = None if follow else self._http.patience.request_seconds
            lines = _lines(response, LOG_LINE_BYTES, idle)
            async with contextlib.aclosing(lines):
                while True:
                    with self._http.translate_errors(call):
                        try:
                            line, _ = await anext(lines)
                        except StopAsyncIteration:
                            return
                    yield line.decode(errors="replace").removesuffix("\r")

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
        """Run a command. Raises DeadlineError after ``timeout_seconds``; the command itself may go on in the pod."""
        call = Call(
            "GET",
            POD.path(namespace, pod, "exec"),
            f"run {plain(command[0], 60)} in pod {namespace}/{pod}, container {container}",
            (
                ("container", container),
                *(("command", part) for part in command),
                *((("stdin", "true"),) if stdin else ()),
                ("stdout", "true"),
                ("stderr", "true"),
            ),
            access=Access("create", "pods/exec", "", namespace, pod),
            repeatable=False,
        )
        return await streams.run(self._http, call, stdin, timeout_seconds)

    @contextlib.asynccontextmanager
    async def port_forward(self, namespace: str, pod: str, port: int) -> AsyncIterator[ByteStream]:
        call = Call(
            "GET",
            POD.path(namespace, pod, "portforward"),
            f"connect to port {port} of pod {namespace}/{pod}",
            (("ports", str(port)),),
            access=Access("create", "pods/portforward", "", namespace, pod),
        )
        async with streams.port(self._http, call) as stream:
            yield stream

    # -- permissions --------------------------------------------------------------------------------------------------

    async def check_access(self, accesses: Sequence[Access]) -> dict[Access, bool]:
        """One rules review of the namespace answers most accesses, a SelfSubjectAccessReview each of the others."""
        gate = asyncio.Semaphore(SIDE_BY_SIDE)

        async def ask(access: Access) -> bool:
            async with gate:
                return await self._review(access)

        questions = list(dict.fromkeys(accesses))
        namespaces = sorted({access.namespace for access in questions if access.namespace})
        rules = dict(zip(namespaces, await _all([self._rules(name) for name in namespaces]), strict=True))
        permissions = {
            access: any(_grants(rule, access) for rule in rules.get(access.namespace or "", [])) for access in questions
        }
        unclear = [access for access, is_granted in permissions.items() if not is_granted]
        return {**permissions, **dict(zip(unclear, await _all([ask(access) for access in unclear]), strict=True))}

    async def _rules(self, namespace: str) -> list[Object]:
        """What this user may do there, as far as the server lists it: the list may be incomplete, or denied."""
        review: Object = {"apiVersion": _RULES.api_version, "kind": _RULES.kind, "spec": {"namespace": namespace}}
        try:
            answer = await self._http.call(Call("POST", _RULES.path(), "ask for permissions", body=review))
        except ApiError:
            return []
        return list((answer.body.get("status") or {}).get("resourceRules") or [])

    async def _review(self, access: Access) -> bool:
        resource, _, subresource = access.resource.partition("/")
        attributes = {
            "verb": access.verb,
            "group": access.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": access.namespace,
            "name": access.name,
        }
        review: Object = {
            "apiVersion": _REVIEW.api_version,
            "kind": _REVIEW.kind,
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        answer = await self._http.call(Call("POST", _REVIEW.path(), "ask for permissions", body=review))
        return bool((answer.body.get("status") or {}).get("allowed"))


# -- requests and answers ---------------------------------------------------------------------------------------------

_SERVERS_OWN = frozenset({"resourceVersion", "uid", "generation", "creationTimestamp", "managedFields"})


def _on(
    ref: Ref,
    method: str,
    word: str,
    params: Sequence[tuple[str, str]] = (),
    body: Object | None = None,
    *,
    content_type: str = "application/json",
    verb: str = "",
) -> Call:
    """A request about one object."""
    return Call(
        method,
        ref.resource.path(ref.namespace, ref.name),
        f"{word} {ref}",
        tuple(params),
        body,
        content_type,
        access=_access(verb or word, ref.resource, ref.namespace, ref.name),
    )


def _access(verb: str, resource: Resource, namespace: str | None, name: str = "") -> Access:
    return Access(verb, resource.plural, resource.group, namespace, name)


def _grants(rule: Object, access: Access) -> bool:
    """Whether a rule of a SelfSubjectRulesReview covers the access."""
    _, _, subresource = access.resource.partition("/")
    kinds = {access.resource, "*", *([f"*/{subresource}"] if subresource else [])}
    names = rule.get("resourceNames") or []
    return (
        not {access.verb, "*"}.isdisjoint(rule.get("verbs") or [])
        and not {access.group, "*"}.isdisjoint(rule.get("apiGroups") or [])
        and not kinds.isdisjoint(rule.get("resources") or [])
        and (not names or access.name in names)
    )


def _within(namespace: str | None) -> str:
    return f" in namespace {namespace}" if namespace else ""


def _selectors(labels: str, fields: str) -> list[tuple[str, str]]:
    pairs = (("labelSelector", labels), ("fieldSelector", fields))
    return [(key, value) for key, value in pairs if value]


def _write_result(answer: Response) -> WriteResult:
    return WriteResult(answer.body, answer.warnings)


def _holds(live: Any, intent: Any) -> bool:
    """Whether ``live``, to which the server may have added defaults, contains all of ``intent``."""
    if isinstance(intent, Mapping):
        return isinstance(live, Mapping) and all(_holds(live.get(key), value) for key, value in intent.items())
    if isinstance(intent, list):
        return isinstance(live, list) and len(live) == len(intent) and all(map(_holds, live, intent))
    return bool(live == intent) or (not live and not intent)


async def _all(questions: list[Coroutine[Any, Any, T]]) -> list[T]:
    """The results in order. The first error cancels the others; no task is left behind."""
    if len(questions) == 1:
        return [await questions[0]]  # without a task, which would wait for every other task first
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(question) for question in questions]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


# -- watches ----------------------------------------------------------------------------------------------------------


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _difference(objects: dict[tuple[str, str], Object], items: list[Object]) -> list[WatchEvent]:
    """The changes between the known objects and a new list. Updates the known objects."""
    present = {_key(item) for item in items}
    events = [WatchEvent("DELETED", objects.pop(key)) for key in [key for key in objects if key not in present]]
    for item in items:
        events += _change(objects, "ADDED", item)
    return events


def _change(objects: dict[tuple[str, str], Object], kind: str, obj: Object) -> list[WatchEvent]:
    if kind == "BOOKMARK":
        return []
    key = _key(obj)
    before = objects.get(key)
    if kind == "DELETED":
        objects.pop(key, None)
        return [WatchEvent("DELETED", obj)] if before is not None else []
    objects[key] = obj
    if before is None:
        return [WatchEvent("ADDED", obj)]
    if before["metadata"].get("uid") != obj["metadata"].get("uid"):
        return [WatchEvent("DELETED", before), WatchEvent("ADDED", obj)]
    same = before["metadata"].get("resourceVersion") == obj["metadata"].get("resourceVersion")
    return [] if same else [WatchEvent("MODIFIED", obj)]


def _event(line: bytes) -> tuple[str, Object]:
    event = json.loads(line)
    kind = event.get("type") if isinstance(event, dict) else None
    obj = event.get("object") if kind else None
    if not isinstance(obj, dict) or not (kind == "ERROR" or isinstance(obj.get("metadata"), dict)):
        raise ValueError("not a watch event")
    return str(kind), obj


def _watch_error(call: Call, status: Object, commands: Commands) -> ApiError:
    code = status.get("code")
    is_expired = status.get("reason") in {"Expired", "Gone"}
    return api_error(call, code if isinstance(code, int) else 410 if is_expired else 500, status, commands=commands)


async def _lines(
    response: aiohttp.ClientResponse, limit: int, idle_seconds: float | None
) -> AsyncGenerator[tuple[bytes, bool], None]:
    """Lines without their ends, each with whether it is whole: longer ones than ``limit`` bytes come in pieces.

    TimeoutError after ``idle_seconds`` without a byte.
    """
    rest = b""
    while True:
        async with asyncio.timeout(idle_seconds):
            chunk = await response.content.readany()
        if not chunk:
            break
        *lines, last = chunk.split(b"\n")
        for line in lines:
            whole, rest = rest + line, b""
            for start in range(0, max(len(whole), 1), limit):
                yield whole[start : start + limit], start + limit >= len(whole)
        rest += last
        while len(rest) > limit:
            yield rest[:limit], False
            rest = rest[limit:]
    if rest:
        yield rest, False
