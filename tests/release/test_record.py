"""What a release remembers of itself, there and back."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from typing import Any

import pytest

from pgwizard.kube.api import Ref, Resource
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import record
from pgwizard.release.record import Record, Restoration, Revision

SERVICE = Ref(Resource("v1", "Service"), "db", "shop")
STATEFULSET = Ref(Resource("apps/v1", "StatefulSet"), "db", "shop")
NAMESPACE = Ref(Resource("v1", "Namespace"), "shop")
AT = "2026-11-23T09:00:00+00:00"
ANSWERS = {"release": {"name": "db"}}


def begun(spec: str = "a", before: Record | None = None) -> Record:
    return (before or Record(ReleaseRef("shop", "db"))).begin([SERVICE], AT, spec, ANSWERS)


def numbers(record: Record) -> list[tuple[int, str]]:
    return [(revision.number, revision.outcome) for revision in record.revisions]


def test_the_secret_of_a_record() -> None:
    secret = Record(
        ReleaseRef("shop", "db"), (SERVICE, NAMESPACE), (Revision(1, AT, "applying", "a", ANSWERS),), "salt"
    ).secret()
    content = json.loads(base64.b64decode(secret["data"].pop("record")))
    assert secret == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "db-pgwizard",
            "namespace": "shop",
            "labels": {
                "app.kubernetes.io/name": "postgresql",
                "app.kubernetes.io/instance": "db",
                "app.kubernetes.io/managed-by": "pgwizard",
            },
        },
        "type": "pgwizard/release.v1",
        "data": {},
    }
    assert content == {
        "inventory": [["v1", "Service", "shop", "db"], ["v1", "Namespace", None, "shop"]],
        "revisions": [{"number": 1, "at": AT, "outcome": "applying", "spec": "a", "answers": ANSWERS}],
        "salt": "salt",
    }


def test_a_record_reads_back_the_same() -> None:
    before = Record(
        ReleaseRef("shop", "db"), (SERVICE, NAMESPACE), (Revision(1, AT, "deployed", "a", ANSWERS),), "salt"
    )
    assert record.read(before.secret()) == before


def test_restores_read_back_the_same_and_only_the_last_can_be_unfinished() -> None:
    first, second = (Restoration(AT, is_finished, {"stage": "stop"}) for is_finished in (True, False))
    kept = begun().with_restore(first).with_restore(second)
    assert kept.restorations == (first, second)
    assert kept.unfinished_restore == second
    assert (second.has_receipt, Restoration(AT, False, {"receipt": {"timeline": 2}}).has_receipt) == (False, True)
    assert record.read(kept.secret()) == kept
    ended = kept.with_restore(first)
    assert (ended.restorations, ended.unfinished_restore) == ((first, first), None)
    many = Record(ReleaseRef("shop", "db"))
    for _ in range(12):
        many = many.with_restore(first)
    assert len(many.restorations) == 10
    assert begun(before=kept).restorations == kept.restorations, "an apply keeps them"


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        {},
        {"at": "now"},
        {"at": AT, "is_finished": 1, "details": {}},
        {"at": AT, "is_finished": True, "details": []},
    ],
)
def test_a_record_with_an_invalid_restore_is_refused(wrong: Any) -> None:
    secret = begun().secret()
    content = {**json.loads(base64.b64decode(secret["data"]["record"])), "restorations": [wrong]}
    secret["data"]["record"] = base64.b64encode(json.dumps(content).encode()).decode()
    with pytest.raises(ValueError, match="holds no record of a release"):
        record.read(secret)


def test_a_record_without_a_salt_is_read() -> None:
    secret = begun().secret()
    content = json.loads(base64.b64decode(secret["data"]["record"]))
    del content["salt"]
    secret["data"]["record"] = base64.b64encode(json.dumps(content).encode()).decode()
    assert record.read(secret) == begun()


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"other": ""},
        {"record": "***"},
        {"record": base64.b64encode(b"no json").decode()},
        {"record": base64.b64encode(b"[]").decode()},
        {"record": base64.b64encode(b'{"inventory": []}').decode()},
        {"record": base64.b64encode(b'{"inventory": [1], "revisions": []}').decode()},
        {"record": base64.b64encode(b'{"inventory": [], "revisions": [{"number": 1}]}').decode()},
        {"record": base64.b64encode(b'{"inventory": [["v1", "Pod"]], "revisions": []}').decode()},
        {"record": base64.b64encode(b"\xff\xfe").decode()},
        {"record": base64.b64encode(b"[" * 100_000).decode()},
    ],
)
def test_an_invalid_record_is_refused(data: dict[str, Any]) -> None:
    secret = {"metadata": {"name": "db-pgwizard", "namespace": "shop"}, "data": data}
    with pytest.raises(ValueError, match="Secret shop/db-pgwizard holds no record of a release"):
        record.read(secret)


def test_a_secret_without_data_is_not_a_record() -> None:
    with pytest.raises(ValueError, match="holds no record"):
        record.read({"metadata": {"name": "db-pgwizard", "namespace": "shop"}})


OSC = "\x1b]52;c;aGVsbG8=\x07"


WRONG: dict[str, list[Any]] = {
    "outcome": [f"deployed{OSC}", "\u202edeployed", None, ["deployed"]],
    "number": ["1", 1.5, True, None],
    "at": [
        5,
        None,
        "now",
        "2026-11-23",
        "2026-11-23T09:00",
        "2026-11-23\u202e09:00+00:00",
        "0001-01-01T00:00:00+14:00",
    ],
    "answers": [[], "x", None],
    "spec": [5],
    "more": [5],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_a_record_with_an_invalid_revision_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match="holds no record"):
        record.read(changed("revisions", [{**asdict(Revision(1, AT, "deployed", "a", ANSWERS)), key: value}]))


@pytest.mark.parametrize(
    "parts",
    [
        ["v1", "Pod", "shop", f"db{OSC}"],
        ["v1", "Pod", "sh\u202eop", "db"],
        ["v1", OSC, "shop", "db"],
        [OSC, "Pod", "shop", "db"],
        ["v1", "Pod", 5, "db"],
        ["v1", "Pod", "shop", None],
        ["v1", "Pod", "shop", ""],
    ],
)
def test_a_record_with_an_invalid_object_name_is_refused(parts: list[Any]) -> None:
    with pytest.raises(ValueError, match="holds no record"):
        record.read(changed("inventory", [parts]))


@pytest.mark.parametrize("key", ["name", "namespace"])
def test_a_record_with_an_invalid_release_name_is_refused(key: str) -> None:
    secret = begun().secret()
    secret["metadata"][key] += OSC
    with pytest.raises(ValueError, match="holds no record") as caught:
        record.read(secret)
    assert str(caught.value).isprintable()


def changed(key: str, value: Any) -> dict[str, Any]:
    """The Secret of a record, with another value inside."""
    secret = begun().secret()
    content = json.loads(base64.b64decode(secret["data"]["record"]))
    secret["data"]["record"] = base64.b64encode(json.dumps({**content, key: value}).encode()).decode()
    return secret


def test_an_inventory_covers_present_and_future_objects() -> None:
    before = Record(ReleaseRef("shop", "db"), (STATEFULSET, SERVICE))
    assert before.begin([SERVICE, NAMESPACE], "now", "a", {}).inventory == (STATEFULSET, SERVICE, NAMESPACE)
    assert begun().finish([NAMESPACE], "deployed").inventory == (NAMESPACE,)


def test_revisions_are_counted() -> None:
    first = begun("a").finish([SERVICE], "deployed")
    second = begun("b", first)
    assert numbers(second) == [(1, "deployed"), (2, "applying")]
    assert second.last is not None
    assert second.last.answers == ANSWERS
    assert Record(ReleaseRef("shop", "db")).last is None


@pytest.mark.parametrize("outcome", ["applying", "failed"])
def test_an_interrupted_revision_keeps_its_number(outcome: Any) -> None:
    interrupted = begun("a") if outcome == "applying" else begun("a").finish([], outcome)
    assert numbers(begun("a", interrupted)) == [(1, "applying")]
    assert numbers(begun("b", interrupted)) == [(1, outcome), (2, "applying")]


def test_only_the_last_ten_revisions_are_kept() -> None:
    result = Record(ReleaseRef("shop", "db"))
    for number in range(12):
        result = begun(str(number), result).finish([], "deployed")
    assert [number for number, _ in numbers(result)] == list(range(3, 13))
