"""The namespace of a release: the context's until a person chooses one, created where it does not exist."""

from __future__ import annotations

from typing import Any

from pgwizard.answers.schema import QuestionPath
from pgwizard.tui.destination import CREATE, NAMESPACE, Destination


class Pages:
    def __init__(self) -> None:
        self.calls: list[tuple[str, QuestionPath, Any]] = []

    def give(self, path: QuestionPath, value: Any) -> None:
        self.calls.append(("give", path, value))

    def adopt(self, path: QuestionPath, value: Any) -> None:
        self.calls.append(("adopt", path, value))


def test_each_cluster_brings_the_namespace_of_its_context() -> None:
    pages = Pages()
    destination = Destination(pages, is_chosen=False)
    assert destination.follow_context("shop")
    assert destination.follow_context("staging")
    assert pages.calls == [("adopt", NAMESPACE, "shop"), ("adopt", NAMESPACE, "staging")]


def test_a_chosen_namespace_is_kept() -> None:
    pages = Pages()
    assert not Destination(pages, is_chosen=True).follow_context("shop")
    assert pages.calls == []


def test_a_namespace_that_does_not_exist_is_created() -> None:
    pages = Pages()
    Destination(pages, is_chosen=False).choose("fresh", "default", exists=False)
    assert pages.calls == [("give", NAMESPACE, "fresh"), ("give", CREATE, True)]


def test_another_namespace_that_may_exist_is_not_created() -> None:
    for exists in (True, None):
        pages = Pages()
        Destination(pages, is_chosen=False).choose("shop", "default", exists=exists)
        assert pages.calls == [("give", NAMESPACE, "shop"), ("give", CREATE, False)]


def test_an_unknown_namespace_keeps_the_answer_about_its_creation() -> None:
    pages = Pages()
    Destination(pages, is_chosen=False).choose("shop", "shop", exists=None)
    assert pages.calls == [("give", NAMESPACE, "shop")]


def test_a_namespace_to_create_that_another_cluster_has_is_not_created_there() -> None:
    pages = Pages()
    destination = Destination(pages, is_chosen=False)
    destination.choose("fresh", "default", exists=False)
    pages.calls.clear()
    destination.follow_list(frozenset({"default"}), "fresh")
    assert pages.calls == []
    destination.follow_list(frozenset({"default", "fresh"}), "fresh")
    destination.follow_list(frozenset({"default", "fresh"}), "fresh")
    assert pages.calls == [("adopt", CREATE, False)]
