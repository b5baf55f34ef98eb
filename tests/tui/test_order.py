"""The order of the pages: what is beside the shown one, and the mark of each."""

from __future__ import annotations

from pgwizard.answers import schema
from pgwizard.errors import Finding
from pgwizard.tui.pages.order import PageOrder
from pgwizard.wizard.draft import Draft


def order(*visits: str) -> PageOrder:
    pages = PageOrder()
    for page in visits:
        pages.visit(page)
    return pages


def test_the_pages_of_the_questions_are_between_the_connection_and_the_review() -> None:
    assert order().names == ["Connect", *schema.pages(), "Review"]


def test_a_page_has_neighbours_up_to_the_ends() -> None:
    first, last = order("Connect"), order("Review")
    assert (first.beside(-1), first.beside(1)) == (None, "Release")
    assert (last.beside(-1), last.beside(1)) == ("Advanced", None)


def test_the_place_is_the_number_and_the_name_of_the_page() -> None:
    assert order("Connect", "Storage").place == "4/10 Storage"


def test_the_pages_ahead_are_those_after_the_shown_one() -> None:
    assert order("Advanced").ahead == ["Review"]
    assert order("Review").ahead == []


def test_before_the_first_page_there_is_none_beside_it_and_none_ahead() -> None:
    assert (order().beside(1), order().ahead) == (None, ())


def test_pages_are_marked_as_current_answered_or_in_need_of_attention() -> None:
    draft = Draft({"storage": {"size": "20GB"}})
    marks = order("Connect", "Release").marks(draft)
    assert marks[:4] == [("✓", "Connect"), ("●", "Release"), ("·", "Database"), ("!", "Storage")]


def test_a_warning_of_the_cluster_marks_the_page_of_its_question() -> None:
    draft = Draft()
    draft.learn(draft.facts, (), (Finding("storage.storageClass", "cannot grow", severity="warning"),))
    assert ("!", "Storage") in order("Connect").marks(draft)
