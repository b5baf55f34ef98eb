"""Events and changes as lines."""

from __future__ import annotations

from typing import get_args

import pytest

from pgwizard.changes import Action, Change
from pgwizard.events import Event, Kind
from pgwizard.kubeapi import Ref, Resource
from pgwizard.present import change_line, event_line

REF = Ref(Resource("apps/v1", "StatefulSet"), "postgresql", "shop")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event("survey", "began"), "● survey"),
        (Event("apply", "progress", "create Service shop/a"), "· apply         create Service shop/a"),
        (Event("apply", "done", "14 to create", 0.94), "✓ apply         14 to create   0.9 s"),
        (Event("first backup", "failed", "no", 61.0), "✗ first backup  no   61.0 s"),
        (Event("checks", "warning", "careful"), "! checks        careful"),
        (Event("first backup", "log", "P00 INFO: done"), "    P00 INFO: done"),
        (Event("prune", "skipped"), "- prune"),
    ],
)
def test_an_event_is_a_line(event: Event, line: str) -> None:
    assert event_line(event) == line


def test_every_kind_of_event_and_change_has_a_sign() -> None:
    for kind in get_args(Kind):
        assert event_line(Event("x", kind, "text"))
    assert [change_line(Change(REF, action)) for action in get_args(Action)] == [
        "+ create    StatefulSet shop/postgresql",
        "~ update    StatefulSet shop/postgresql",
        "± replace   StatefulSet shop/postgresql",
        "= unchanged StatefulSet shop/postgresql",
        "- delete    StatefulSet shop/postgresql",
        "= keep      StatefulSet shop/postgresql",
    ]


def test_a_reason_stands_behind_a_change() -> None:
    change = Change(REF, "replace", why="the volume grows from 10Gi; the pod goes on")
    assert change_line(change) == (
        "± replace   StatefulSet shop/postgresql   (the volume grows from 10Gi; the pod goes on)"
    )
