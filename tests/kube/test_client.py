"""Every retry and every error of ``KubeCluster``, against a scripted server; nothing here waits."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from pgwizard import errors
from pgwizard.errors import ApiError, ClusterError, DeadlineError, Gone, PgwizardError, ServerFailure, Unreachable
from pgwizard.kube.api import Access, ListPage, Object, Ref, Resource, WatchEvent, list_objects
from pgwizard.kube.client import KubeCluster
from pgwizard.kube.credentials import Login
from pgwizard.kube.http import Http
from support.apiscript import (
    TOKEN,
    Api,
    Clock,
    Step,
    everything_in,
    hangs,
    refuses,
    resets,
    run,
    says,
    scripted,
    streams,
    target,
    text,
)

SECRET_VALUE = "canary-password-91ab"
CONFIG_MAP = Resource("v1", "ConfigMap")
REF = Ref(CONFIG_MAP, "a", "ns")
LIVE: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "a", "namespace": "ns", "uid": "u1", "resourceVersion": "7"},
    "data": {"k": "v"},
}
OBJ: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "a", "namespace": "ns"},
    "data": {"k": "v"},
}
Verb = Callable[[KubeCluster], Awaitable[object]]
VERBS: dict[str, Verb] = {
    "GET": lambda c: c.get(REF),
    "PATCH apply": lambda c: c.apply(OBJ),
    "PATCH": lambda c: c.patch(REF, {"data": {"k": "v"}}),
    "PUT": lambda c: c.replace(OBJ),
    "DELETE": lambda c: c.delete(REF),
    "POST": lambda c: c.create(OBJ),
}


# -- what is repeated -------------------------------------------------------------------------------------------------


TRANSIENT = {
    "429": refuses(429),
    "500": refuses(500, message="etcdserver: leader changed"),
    "502": refuses(502),
    "503": refuses(503),
    "504": refuses(504),
    "reset": resets,
    "HTML": text("<html>", 502),
    "cut off": text("{"),
    "HTML with 200": text("<html>"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("fault", TRANSIENT)
def test_transient_faults_are_repeated(verb: str, fault: str) -> None:
    async def scenario() -> None:
        clock = Clock()
        method = verb.split(maxsplit=1)[0]
        # What must not be done twice is looked up first, unless the server answered that it had not begun.
        lookups = [refuses(404)] if method in {"PUT", "POST"} and fault != "429" else []
        async with scripted(TRANSIENT[fault], *lookups, says(LIVE), clock=clock) as (cluster, api):
            await VERBS[verb](cluster)
            assert api.methods == [method, *("GET" for _ in lookups), method]
            assert clock.slept == [0.25]

    run(scenario())


@pytest.mark.parametrize("verb", VERBS)
def test_late_answers_are_repeated(verb: str) -> None:
    async def scenario() -> None:
        async with scripted(hangs, request_seconds=0.05) as (cluster, api):
            with pytest.raises(Unreachable) as caught:
                await VERBS[verb](cluster)
            assert re.search(r"no answer to \w+ /api/v1/namespaces/ns/configmaps\S* within 0.05 s", str(caught.value))
            lookup = verb in {"PUT", "POST"}
            assert ("cannot be looked up" if lookup else "(6 tries)") in str(caught.value)
            assert set(api.methods[1:]) <= {"GET" if lookup else verb.split(maxsplit=1)[0]}  # if it is seen

    run(scenario())


def test_backoff_grows_and_ends() -> None:
    async def scenario() -> None:
        clock = Clock()
        async with scripted(refuses(503, "ServiceUnavailable", "busy"), clock=clock) as (cluster, api):
            with pytest.raises(ServerFailure, match=r"cannot get ConfigMap ns/a: busy \(6 tries\)") as caught:
                await cluster.get(REF)
            assert clock.slept == [0.25, 0.5, 1, 2, 4]
            assert len(api.seen) == 6
            assert caught.value.hint

    run(scenario())


def test_the_version_of_a_server_is_printable() -> None:
    async def scenario() -> None:
        async with scripted(says({"gitVersion": "v1.34.4\x1b]52;c;aGk=\x07\u202e"})) as (cluster, _):
            assert await cluster.version() == "v1.34.4 ]52;c;aGk="

    run(scenario())


def test_retry_after_is_obeyed() -> None:
    async def scenario() -> None:
        clock = Clock()
        busy = refuses(429, "TooManyRequests", headers={"Retry-After": "7"})
        async with scripted(busy, says(LIVE), clock=clock) as (cluster, _):
            await cluster.apply(OBJ)
            assert clock.slept == [7]

    run(scenario())


@pytest.mark.parametrize("verb", VERBS)
def test_retry_after_beyond_all_patience_fails_at_once(verb: str) -> None:
    async def scenario() -> None:
        clock = Clock()
        async with scripted(refuses(429, headers={"Retry-After": "3600"}), clock=clock) as (cluster, api):
            with pytest.raises(ServerFailure):
                await VERBS[verb](cluster)
            assert (len(api.seen), clock.slept) == (1, [])

    run(scenario())


def test_total_time_is_bounded() -> None:
    async def scenario() -> None:
        clock = Clock()
        async with scripted(refuses(503), clock=clock, tries=1000, total_seconds=20) as (cluster, _):
            with pytest.raises(ServerFailure):
                await cluster.get(REF)
            assert 10 < clock.now <= 20

    run(scenario())


REFUSALS = [
    (400, "BadRequest", errors.Invalid),
    (401, "Unauthorized", errors.Unauthorized),
    (403, "Forbidden", errors.Forbidden),
    (404, "NotFound", errors.NotFound),
    (405, "MethodNotAllowed", ApiError),
    (409, "Conflict", errors.Conflict),
    (409, "AlreadyExists", errors.AlreadyExists),
    (410, "Expired", errors.Gone),
    (413, "RequestEntityTooLarge", ApiError),
    (422, "Invalid", errors.Invalid),
    (302, "", ApiError),
]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("status", "reason", "kind"), REFUSALS)
def test_refusals_fail_at_once(verb: str, status: int, reason: str, kind: type[ApiError]) -> None:
    async def scenario() -> None:
        clock = Clock()
        async with scripted(refuses(status, reason, "the server's words"), clock=clock) as (cluster, api):
            if verb == "DELETE" and status == 404:
                await cluster.delete(REF)
            else:
                with pytest.raises(kind, match="the server's words") as caught:
                    await VERBS[verb](cluster)
                assert type(caught.value) is kind
                assert (caught.value.status, caught.value.reason) == (status, reason)
                assert "ConfigMap ns/a" in str(caught.value)
            assert (len(api.seen), clock.slept) == (1, [])

    run(scenario())


def test_an_unknown_field_in_apply_is_invalid_although_the_server_says_500() -> None:
    async def scenario() -> None:
        message = (
            "failed to create typed patch object (ns/a; /v1, Kind=ConfigMap): .bogus: field not declared in schema"
        )
        async with scripted(refuses(500, message=message)) as (cluster, api):
            with pytest.raises(errors.Invalid, match=r"\.bogus"):
                await cluster.apply(OBJ)
            assert len(api.seen) == 1

    run(scenario())


def test_a_closed_port_is_unreachable() -> None:
    async def scenario() -> None:
        clock = Clock()
        with socket.create_server(("127.0.0.1", 0)) as closed:
            place = target(f"http://127.0.0.1:{closed.getsockname()[1]}")
        async with KubeCluster(Http(place, Login(place), clock.patience())) as cluster:
            with pytest.raises(Unreachable, match="refused") as caught:
                await cluster.create(OBJ)
            assert len(clock.slept) == 5
            assert "reach" in caught.value.hint

    run(scenario())


def test_a_server_that_does_not_take_the_connection() -> None:
    async def scenario() -> None:
        with socket.socket() as full, contextlib.ExitStack() as others:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(3):
                other = others.enter_context(socket.socket())
                other.setblocking(False)
                other.connect_ex(full.getsockname())
            place = target(f"http://127.0.0.1:{full.getsockname()[1]}")
            patience = Clock().patience(connect_seconds=0.05, tries=2)
            async with KubeCluster(Http(place, Login(place), patience)) as cluster:
                # It was not sent: nothing is looked up before it is repeated.
                with pytest.raises(Unreachable, match=r"no connection within 0\.05 s \(2 tries\)"):
                    await cluster.create(OBJ)

    run(scenario())


def test_a_host_name_that_does_not_resolve_is_unreachable() -> None:
    async def scenario() -> None:
        place = target("http://no-such-host.invalid")
        async with KubeCluster(Http(place, Login(place), Clock().patience(tries=2))) as cluster:
            with pytest.raises(Unreachable, match="cannot get ConfigMap ns/a"):
                await cluster.get(REF)

    run(scenario())


# -- answers that were lost -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [resets, refuses(504), text("{")])
@pytest.mark.parametrize("verb", ["POST", "PUT"])
def test_a_lost_answer_is_looked_up(verb: str, loss: Step) -> None:
    async def scenario() -> None:
        async with scripted(loss, says(LIVE)) as (cluster, api):
            write = cluster.create if verb == "POST" else cluster.replace
            sent = {**OBJ, "metadata": {**OBJ["metadata"], "resourceVersion": "6"}} if verb == "PUT" else OBJ
            assert (await write(sent)).object == LIVE
            assert api.methods == [verb, "GET"]

    run(scenario())


def test_an_object_that_another_tool_created_at_the_same_time_is_not_taken_for_ours() -> None:
    async def scenario() -> None:
        other = {**LIVE, "data": {"k": "another's"}}
        exists = refuses(409, "AlreadyExists", 'configmaps "a" already exists')
        async with scripted(resets, says(other), exists, says(other)) as (cluster, api):
            with pytest.raises(errors.AlreadyExists):
                await cluster.create(OBJ)
            assert api.methods == ["POST", "GET", "POST", "GET"]

    run(scenario())


def test_a_create_that_was_served_late() -> None:
    async def scenario() -> None:
        exists = refuses(409, "AlreadyExists", 'configmaps "a" already exists')
        async with scripted(resets, refuses(404), exists, says(LIVE)) as (cluster, _):
            assert (await cluster.create(OBJ)).object == LIVE

    run(scenario())


@pytest.mark.parametrize(("there", "ours"), [(SECRET_VALUE, True), ("another", False)])
def test_a_lost_secret_is_ours_only_with_our_password(there: str, *, ours: bool) -> None:
    async def scenario() -> None:
        sent = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "ns"}}
        live = {**sent, "type": "Opaque", "data": {"password": base64.b64encode(there.encode()).decode()}}
        exists = refuses(409, "AlreadyExists", 'secrets "a" already exists')
        async with scripted(resets, says(live), exists, says(live)) as (cluster, _):
            created = cluster.create({**sent, "stringData": {"password": SECRET_VALUE}})
            if ours:
                assert (await created).object == live
            else:
                with pytest.raises(errors.AlreadyExists):
                    await created

    run(scenario())


# -- what is sent -----------------------------------------------------------------------------------------------------


def test_apply_as_it_is_sent() -> None:
    async def scenario() -> None:
        warn = [("Warning", '299 - "would violate \\"restricted\\""'), ("Warning", '299 - "old"')]
        async with scripted(says(LIVE, headers=warn)) as (cluster, api):
            written = await cluster.apply(OBJ, dry_run=True, force=True)
        (seen,) = api.seen
        assert (seen.method, seen.path) == ("PATCH", "/api/v1/namespaces/ns/configmaps/a")
        expected = {"fieldManager": "pgwizard", "fieldValidation": "Strict", "dryRun": "All", "force": "true"}
        assert seen.query == expected
        assert seen.headers["Content-Type"] == ["application/apply-patch+yaml"]
        assert seen.headers["Accept-Encoding"] == ["identity"]
        assert "Authorization" not in seen.headers  # it is http
        assert seen.body == OBJ
        assert written.warnings == ('would violate "restricted"', "old")

    run(scenario())


def test_delete_as_it_is_sent() -> None:
    async def scenario() -> None:
        async with scripted(says({})) as (cluster, api):
            await cluster.delete(REF, uid="u1", propagation="Orphan")
        assert api.seen[0].body["preconditions"] == {"uid": "u1"}
        assert api.seen[0].body["propagationPolicy"] == "Orphan"

    run(scenario())


@pytest.mark.parametrize("name", ["", ".", "..", "a/../b", "a//b"])
def test_a_name_never_becomes_another_path(name: str) -> None:
    async def scenario() -> None:
        async with scripted(says({})) as (cluster, api):
            with pytest.raises(PgwizardError):
                await cluster.delete(Ref(CONFIG_MAP, name, "ns"))
            assert api.seen == []

    run(scenario())


def test_odd_names_are_quoted() -> None:
    async def scenario() -> None:
        async with scripted(says(LIVE)) as (cluster, api):
            await cluster.get(Ref(CONFIG_MAP, "system:a?b#c%2f", "ns"))
            assert api.seen[0].path == "/api/v1/namespaces/ns/configmaps/system:a?b#c%2f"
            assert api.seen[0].query == {}

    run(scenario())


def rules_review(*rules: dict[str, list[str]]) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    """A server that lists these rules, and allows a single access only if its verb is get."""

    async def review(request: web.BaseRequest) -> web.StreamResponse:
        if request.path.endswith("/selfsubjectrulesreviews"):
            return web.json_response({"status": {"resourceRules": rules, "incomplete": True}}, status=201)
        wanted = (await request.json())["spec"]["resourceAttributes"]
        return web.json_response({"status": {"allowed": wanted["verb"] == "get"}}, status=201)

    return review


def test_permissions_side_by_side() -> None:
    async def scenario() -> None:
        accesses = [Access(verb, "pods/exec", namespace="ns", name="db-0") for verb in ("get", "create")]
        async with scripted(rules_review()) as (cluster, api):
            assert list((await cluster.check_access(accesses)).values()) == [True, False]
        rules, *reviews = api.seen
        assert rules.body["spec"] == {"namespace": "ns"}
        assert len(reviews) == 2
        assert reviews[0].body["spec"]["resourceAttributes"] == {
            "verb": reviews[0].body["spec"]["resourceAttributes"]["verb"],
            "resource": "pods",
            "subresource": "exec",
            "namespace": "ns",
            "name": "db-0",
        }

    run(scenario())


def test_permissions_that_the_rules_of_a_namespace_grant_need_no_review() -> None:
    async def scenario() -> None:
        rule = {"verbs": ["*"], "apiGroups": ["", "apps"], "resources": ["*"]}
        accesses = [Access(verb, "secrets", namespace=place) for verb in ("create", "patch") for place in ("a", "b")]
        async with scripted(rules_review(rule)) as (cluster, api):
            allowed = await cluster.check_access([*accesses, Access("get", "namespaces", name="a")])
        assert set(allowed.values()) == {True}
        assert [request.path.rpartition("/")[2] for request in api.seen] == [
            "selfsubjectrulesreviews",
            "selfsubjectrulesreviews",
            "selfsubjectaccessreviews",
        ]

    run(scenario())


@pytest.mark.parametrize(
    ("rule", "granted"),
    [
        ({"verbs": ["create"], "apiGroups": [""], "resources": ["pods/exec"]}, True),
        ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, True),
        ({"verbs": ["create"], "apiGroups": [""], "resources": ["*/exec"]}, True),
        ({"verbs": ["create"], "apiGroups": [""], "resources": ["pods/exec"], "resourceNames": ["db-0"]}, True),
        ({"verbs": ["create"], "apiGroups": [""], "resources": ["pods/exec"], "resourceNames": ["db-1"]}, False),
        ({"verbs": ["create"], "apiGroups": [""], "resources": ["pods"]}, False),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/exec"]}, False),
        ({"verbs": ["create"], "apiGroups": ["apps"], "resources": ["pods/exec"]}, False),
        ({}, False),
    ],
)
def test_a_rule_grants_no_more_than_it_says(rule: dict[str, list[str]], granted: bool) -> None:
    async def scenario() -> None:
        access = Access("create", "pods/exec", namespace="ns", name="db-0")
        async with scripted(rules_review(rule)) as (cluster, _):
            assert await cluster.check_access([access]) == {access: granted}

    run(scenario())


def test_permissions_that_cannot_be_reviewed_are_an_error() -> None:
    async def scenario() -> None:
        async with scripted(refuses(403, "Forbidden")) as (cluster, _):
            with pytest.raises(errors.Forbidden):
                await cluster.check_access([Access("get", f"r{n}") for n in range(30)])

    run(scenario())


def test_a_closed_cluster() -> None:
    async def scenario() -> None:
        async with scripted(says(LIVE)) as (cluster, _):
            await cluster.close()
            with pytest.raises(ClusterError, match="was closed"):
                await cluster.get(REF)

    run(scenario())


def test_closing_leaves_no_connection() -> None:
    async def scenario() -> None:
        async with scripted(hangs) as (cluster, api):
            late = asyncio.create_task(cluster.get(REF))
            follower = cluster.logs("ns", "p", "c", follow=True)
            reading = asyncio.create_task(anext(follower))
            while len(api.seen) < 2:  # noqa: ASYNC110 - the server's side has no event to wait for
                await asyncio.sleep(0)
            late.cancel()
            reading.cancel()
            await asyncio.gather(late, reading, return_exceptions=True)
            await cluster.close()
            assert [connection for connection in cluster._http._sockets if connection.fileno() >= 0] == []

    run(scenario())


# -- what errors say --------------------------------------------------------------------------------------------------


def test_conflicts_name_manager_and_field() -> None:
    async def scenario() -> None:
        causes = [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl" using apps/v1',
                "field": f".spec.f{n}",
            }
            for n in range(7)
        ]
        async with scripted(refuses(409, "Conflict", "Apply failed", causes=causes)) as (cluster, _):
            with pytest.raises(errors.Conflict) as caught:
                await cluster.apply(OBJ)
        assert '.spec.f0: conflict with "kubectl" using apps/v1; .spec.f1' in str(caught.value)
        assert str(caught.value).endswith("and 2 more")
        assert len(caught.value.causes) == 7
        assert "force" in caught.value.hint

    run(scenario())


def test_forbidden_says_how_to_ask() -> None:
    async def scenario() -> None:
        message = 'User "u" cannot patch resource "configmaps"'
        async with scripted(refuses(403, "Forbidden", message)) as (cluster, _):
            with pytest.raises(errors.Forbidden) as caught:
                await cluster.apply(OBJ)
        assert "kubectl -n ns auth can-i patch configmaps/a" in caught.value.hint

    run(scenario())


def test_the_servers_words_are_made_harmless() -> None:
    async def scenario() -> None:
        async with scripted(refuses(422, "Invalid", "\x1b[31mred\r\n\x00" + "x" * 5000)) as (cluster, _):
            with pytest.raises(errors.Invalid) as caught:
                await cluster.apply(OBJ)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400

    run(scenario())


@pytest.mark.parametrize("details", [None, [], "x", {"causes": None}, {"causes": ["x", {}]}])
def test_unusual_failures_are_classified(details: Any) -> None:
    async def scenario() -> None:
        async with scripted(says({"details": details, "message": 7}, 422)) as (cluster, _):
            with pytest.raises(errors.Invalid):
                await cluster.apply(OBJ)
        async with scripted(says([], 404)) as (cluster, _):
            with pytest.raises(errors.NotFound):
                await cluster.get(REF)

    run(scenario())


FAULTS = {
    **{
        str(status): refuses(status, "R", f"bad value {SECRET_VALUE}", {"X-Private": TOKEN})
        for status in (401, 422, 500)
    },
    "echo": text(f"<html>{TOKEN}</html>", 403),
    "reset": resets,
    "late": hangs,
    "cut off": text(f'{{"token": "{TOKEN}'),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_error_holds_a_secret(fault: str) -> None:
    async def scenario() -> None:
        sent = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "ns"}}
        async with scripted(FAULTS[fault], request_seconds=0.1) as (cluster, _):
            for write in (cluster.apply, cluster.create):
                with pytest.raises(ClusterError) as caught:
                    await write({**sent, "stringData": {"password": SECRET_VALUE}})
                assert TOKEN not in everything_in(caught.value)
                assert SECRET_VALUE not in everything_in(caught.value)

    run(scenario())


# -- lists ------------------------------------------------------------------------------------------------------------


async def listed(cluster: KubeCluster, **options: Any) -> list[ListPage]:
    async with contextlib.aclosing(cluster.pages(CONFIG_MAP, "ns", **options)) as pages:
        return [page async for page in pages]


def bare(name: str, version: str = "1", uid: str = "") -> Object:
    return {"metadata": {"name": name, "namespace": "ns", "resourceVersion": version, "uid": uid or f"uid-{name}"}}


def listing(*items: Object, version: str = "10", **metadata: Any) -> Step:
    return says({"metadata": {"resourceVersion": version, **metadata}, "items": list(items)})


def test_pages_continue() -> None:
    async def scenario() -> None:
        first = listing(bare("a"), **{"continue": "t&1"}, remainingItemCount=1)
        async with scripted(first, refuses(503), listing(bare("b"), version="11")) as (cluster, api):
            pages = await listed(cluster, labels="a in (b,c)", fields="metadata.name!=x", metadata_only=True, limit=1)
        assert [(len(page.items), page.remaining, page.resource_version) for page in pages] == [
            (1, 1, "10"),
            (1, None, "11"),
        ]
        assert Ref.of(pages[0].items[0]) == REF
        assert api.seen[0].query == {"labelSelector": "a in (b,c)", "fieldSelector": "metadata.name!=x", "limit": "1"}
        assert api.seen[2].query["continue"] == "t&1"
        assert "as=PartialObjectMetadataList" in api.seen[0].headers["Accept"][0]

    run(scenario())


def test_an_expired_continuation_is_gone() -> None:
    async def scenario() -> None:
        async with scripted(listing(bare("a"), **{"continue": "t"}), refuses(410, "Expired")) as (cluster, _):
            with pytest.raises(Gone):
                await listed(cluster)

    run(scenario())


def test_a_list_whose_continuation_has_expired_is_read_again_from_its_start() -> None:
    async def scenario() -> None:
        half, gone = listing(bare("old"), **{"continue": "t"}), refuses(410, "Expired")
        async with scripted(half, gone, listing(bare("a"), **{"continue": "u"}), listing(bare("b"))) as (cluster, _):
            objects = await list_objects(cluster, CONFIG_MAP, "ns")
        assert [obj["metadata"]["name"] for obj in objects] == ["a", "b"]
        async with scripted(*(half, gone) * 3) as (cluster, api):
            with pytest.raises(Gone):
                await list_objects(cluster, CONFIG_MAP, "ns")
            assert len(api.seen) == 6

    run(scenario())


# -- watches ----------------------------------------------------------------------------------------------------------


def event(kind: str, obj: Object) -> Object:
    return {"type": kind, "object": obj}


async def watched(cluster: KubeCluster, count: int) -> list[tuple[str, str]]:
    got: list[WatchEvent] = []
    async with contextlib.aclosing(cluster.watch(CONFIG_MAP, "ns")) as events:
        async for one in events:
            got.append(one)
            if len(got) == count:
                break
    return [(one.type, one.object["metadata"]["name"] if one.object else "") for one in got]


EXPIRED = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
SYNCED = ("SYNCED", "")


def test_watch_resumes_where_it_was() -> None:
    async def scenario() -> None:
        one = streams(event("ADDED", bare("b", "11")), event("BOOKMARK", bare("", "15")))
        two = streams(event("MODIFIED", bare("a", "16")), event("DELETED", bare("b", "17")), end="silent")
        async with scripted(listing(bare("a")), one, two) as (cluster, api):
            got = await watched(cluster, 5)
        assert got == [("ADDED", "a"), SYNCED, ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
        assert [seen.query.get("resourceVersion") for seen in api.seen] == [None, "10", "15"]
        assert api.seen[1].query["allowWatchBookmarks"] == "true"
        assert api.seen[1].query["timeoutSeconds"] == "290"

    run(scenario())


@pytest.mark.parametrize(
    "expired",
    [refuses(410, "Expired"), streams(event("ERROR", EXPIRED)), streams(event("ERROR", {"reason": "Expired"}))],
    ids=["at start", "as event", "without code"],
)
def test_watch_lists_again_after_410(expired: Step) -> None:
    async def scenario() -> None:
        again = listing(bare("b", "2"), bare("c", "1"), bare("d", "3"), version="20")
        end = streams(event("ADDED", bare("e", "21")), end="silent")
        async with scripted(listing(bare("a"), bare("b"), bare("c")), expired, again, end) as (cluster, api):
            got = await watched(cluster, 9)
        assert got[:4] == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c"), SYNCED]
        assert got[4:] == [("DELETED", "a"), ("MODIFIED", "b"), ("ADDED", "d"), SYNCED, ("ADDED", "e")]
        assert api.seen[-1].query["resourceVersion"] == "20"

    run(scenario())


@pytest.mark.parametrize(
    "fault",
    [
        streams(event("ADDED", bare("b", "11")), end="silent"),
        streams(event("ADDED", bare("b", "11")), end="reset"),
        streams(event("ADDED", bare("b", "11")), b'{"type": "ADD'),
        streams(event("ADDED", bare("b", "11")), b"not json\n"),
        streams(event("ADDED", bare("b", "11")), {"type": "ADDED"}),
        streams(event("ADDED", bare("b", "11")), event("ERROR", {"message": "etcd"})),
        streams(event("ADDED", bare("b", "11")), event("ERROR", {"code": 500})),
        streams(event("BOOKMARK", bare("", "10")), event("ADDED", bare("b", "11")), event("ADDED", bare("b", "11"))),
    ],
    ids=["silent", "reset", "cut line", "not json", "no object", "error without code", "error 500", "duplicate"],
)
def test_watch_survives(fault: Step) -> None:
    async def scenario() -> None:
        end = streams(event("ADDED", bare("c", "12")), end="silent")
        async with scripted(listing(bare("a")), fault, end, liveness_seconds=0.05) as (cluster, api):
            assert await watched(cluster, 4) == [("ADDED", "a"), SYNCED, ("ADDED", "b"), ("ADDED", "c")]
        assert api.seen[-1].query["resourceVersion"] == "11"

    run(scenario())


def test_watch_of_a_recreated_object() -> None:
    async def scenario() -> None:
        again = streams(event("MODIFIED", bare("a", "12", "other")), end="silent")
        async with scripted(listing(bare("a")), again) as (cluster, _):
            assert await watched(cluster, 4) == [("ADDED", "a"), SYNCED, ("DELETED", "a"), ("ADDED", "a")]

    run(scenario())


@pytest.mark.parametrize(
    ("fault", "error"),
    [(streams(), Unreachable), (resets, Unreachable), (refuses(503), ServerFailure), (refuses(410, "Expired"), Gone)],
    ids=["ends at once", "reset", "503", "410"],
)
def test_watch_gives_up_in_the_end(fault: Step, error: type[Exception]) -> None:
    async def scenario() -> None:
        clock = Clock()

        async def step(request: web.BaseRequest) -> web.StreamResponse:
            return await (fault if "watch" in request.query else listing(bare("a")))(request)

        async with scripted(step, clock=clock) as (cluster, _):
            with pytest.raises(error):
                await watched(cluster, 1000)
            assert len(clock.slept) == 8

    run(scenario())


def test_watch_that_is_forbidden() -> None:
    async def scenario() -> None:
        async with scripted(listing(), refuses(403, "Forbidden", "cannot watch")) as (cluster, api):
            with pytest.raises(errors.Forbidden):
                await watched(cluster, 2)
            assert len(api.seen) == 2

    run(scenario())


def test_cancelling_a_watch_leaves_nothing() -> None:
    async def scenario() -> None:
        async with scripted(listing(), streams(end="silent")) as (cluster, api):
            task = asyncio.create_task(watched(cluster, 2))
            while len(api.seen) < 2:  # noqa: ASYNC110 - the server's side has no event to wait for
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(scenario())


# -- pods -------------------------------------------------------------------------------------------------------------


def frames(*messages: bytes, protocol: str = "v5.channel.k8s.io", until_close: bool = False) -> Step:
    async def step(request: web.BaseRequest) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=(protocol,))
        await ws.prepare(request)
        for message in messages:
            await ws.send_bytes(message)
        if until_close:
            await ws.receive()
        await ws.close()
        return ws

    return step


def ran(step: Step, check: Callable[[KubeCluster, Api], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with scripted(step) as (cluster, api):
            await check(cluster, api)

    run(scenario())


EXIT_3 = (
    b'\x03{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}'
)


@pytest.mark.parametrize(
    ("status", "code"),
    [(b'\x03{"status":"Success"}', 0), (EXIT_3, 3), (b"\x03", None), (b"\x03nonsense", None), (b"\x03[]", None)],
)
def test_exec_exit_codes(status: bytes, code: int | None) -> None:
    async def check(cluster: KubeCluster, api: Api) -> None:
        result = await cluster.exec("ns", "p", "c", ["sh", "-c", "a & b"])
        assert (result.stdout, result.stderr, result.exit_code) == (b"out", b"err", code)
        assert api.seen[0].query["command"] == "a & b" or api.seen[0].query["command"] == "sh"

    ran(frames(b"\x01", b"\x01o", b"\x02err", b"\x01ut", status), check)


def test_exec_without_a_status() -> None:
    async def check(cluster: KubeCluster, _: Api) -> None:
        assert (await cluster.exec("ns", "p", "c", ["x"])).exit_code is None

    ran(frames(b"\x01out"), check)


def test_exec_does_not_wait_for_a_server_that_does_not_hang_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgwizard.kube.streams.GRACE_SECONDS", 0.05)

    async def check(cluster: KubeCluster, _: Api) -> None:
        assert (await cluster.exec("ns", "p", "c", ["x"])).exit_code == 3

    ran(frames(EXIT_3, until_close=True), check)


def test_exec_deadline() -> None:
    async def check(cluster: KubeCluster, _: Api) -> None:
        with pytest.raises(DeadlineError, match=r"run x in pod ns/p, container c: it did not end within 0.05 s"):
            await cluster.exec("ns", "p", "c", ["x"], timeout_seconds=0.05)

    ran(frames(b"\x01out", until_close=True), check)


def test_exec_input_needs_an_end() -> None:
    async def check(cluster: KubeCluster, _: Api) -> None:
        assert (await cluster.exec("ns", "p", "c", ["x"])).exit_code == 3
        with pytest.raises(ClusterError, match="cannot end a command's input"):
            await cluster.exec("ns", "p", "c", ["x"], stdin=b"x")

    ran(frames(EXIT_3, protocol="v4.channel.k8s.io"), check)


@pytest.mark.parametrize(
    ("step", "error", "words"),
    [
        (refuses(403, "Forbidden", 'cannot create resource "pods/exec"'), errors.Forbidden, "pods/exec"),
        (refuses(404, "NotFound", 'pods "p" not found'), errors.NotFound, "not found"),
        (refuses(500, "", "container not found"), ServerFailure, "container not found"),
        (says({}), Unreachable, "no WebSocket"),
        (resets, Unreachable, "connection was lost"),
        (
            frames(b'\x03{"status":"Failure","message":"a: unable to start container process: no sh"}'),
            ApiError,
            "no sh",
        ),
    ],
)
def test_exec_refused_is_not_run_again(step: Step, error: type[Exception], words: str) -> None:
    async def check(cluster: KubeCluster, api: Api) -> None:
        with pytest.raises(error, match=words):
            await cluster.exec("ns", "p", "c", ["x", SECRET_VALUE])
        assert len(api.seen) == 1

    ran(step, check)


def test_logs() -> None:
    async def check(cluster: KubeCluster, api: Api) -> None:
        async with contextlib.aclosing(cluster.logs("ns", "p", "c", follow=True, tail=5)) as lines:
            assert [line async for line in lines] == ["one", "", "b\ufffdd", "x" * 65536, "x" * 10, "end"]
        assert api.seen[0].query == {"container": "c", "follow": "true", "tailLines": "5"}
        async with contextlib.aclosing(cluster.logs("ns", "p", "c", previous=True)) as lines:
            assert await anext(lines) == "one"
        assert api.seen[1].query == {"container": "c", "follow": "false", "previous": "true"}

    ran(streams(b"one\n\nb\xffd\r\n", b"x" * 65546, b"\nen", b"d"), check)


def test_logs_that_break_off() -> None:
    async def check(cluster: KubeCluster, _: Api) -> None:
        async with contextlib.aclosing(cluster.logs("ns", "p", "c", follow=True)) as lines:
            assert await anext(lines) == "one"
            with pytest.raises(Unreachable, match="read the logs of pod ns/p, container c"):
                await anext(lines)

    ran(streams(b"one\n", end="reset"), check)


def test_a_forwarded_port() -> None:
    async def check(cluster: KubeCluster, _: Api) -> None:
        async with cluster.port_forward("ns", "p", 80) as stream:
            assert [await stream.read() for _ in range(3)] == [b"hello", b" you", b""]

    ran(frames(b"\x00\x50\x00", b"\x01\x50\x00", b"\x00hello", b"\x00 you", protocol="v4.channel.k8s.io"), check)


def test_a_forwarded_port_that_fails() -> None:
    async def check(cluster: KubeCluster, _: Api) -> None:
        async with cluster.port_forward("ns", "p", 80) as stream:
            with pytest.raises(Unreachable, match="connect to port 80 of pod ns/p: refused"):
                await stream.read()

    ran(frames(b"\x00\x50\x00", b"\x01\x50\x00", b"\x01refused", protocol="v4.channel.k8s.io"), check)


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="Linux alone has it")
def test_data_after_a_request_is_acknowledged_at_once() -> None:
    """Whatever the system has learned from requests before."""

    async def scenario() -> None:
        place = target("http://127.0.0.1:1")
        with socket.create_server(("127.0.0.1", 0)) as server:
            async with KubeCluster(http := Http(place, Login(place), Clock().patience())):
                with http._socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", server.getsockname())) as client:
                    client.setblocking(True)
                    client.connect(server.getsockname())
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
                    client.send(b"GET")
                    assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)

    run(scenario())
