"""A draft keeps and shows what was answered, and never what may be a secret."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgwizard.answers.questions import Answers
from pgwizard.answers.schema import NOTHING, QuestionPath, field_at, label_at, tag_key
from pgwizard.local.autosave import Drafts
from pgwizard.tui.panels.repository import RepositoryPanel
from pgwizard.tui.widgets.review_parts import answer_text
from pgwizard.wizard.draft import Draft, without_defaults, without_secrets, worth_keeping
from pgwizard.wizard.text_input import read_text

OPTIONS = ("advanced", "options")
SECRET = "hunTer2"


def everything_written(draft: Draft) -> str:
    """What leaves the input that it was typed into: the file, the draft on disk, panel, review, problems."""
    with tempfile.TemporaryDirectory() as folder:
        Drafts(Path(folder)).keep(without_secrets(draft.raw))
        kept = "".join(path.read_text() for path in Path(folder).glob("draft-*.yaml"))
    panel = RepositoryPanel(draft).text().plain
    table = [answer_text(value) for _, value, _ in draft.rows()]
    problems = [f"{problem.question} {problem.text}" for problem in (*draft.problems, *draft.warnings)]
    return "\n".join([draft.text(), kept, panel, *table, *problems])


@given(
    st.sampled_from(
        ["repo1-s3-key-secret", "repo-s3-key", "repo1-s3-token", "repo1-cipher-pass", "repo2-s3-key", "repo1-azure-key"]
    ),
    st.sampled_from("=:"),
    st.text(),
    st.text(),
)
def test_text_typed_into_a_secret_option_appears_nowhere(option: str, sign: str, before: str, after: str) -> None:
    draft = Draft()
    result = field_at(OPTIONS, draft.tag)
    assert result is not None
    draft.give(OPTIONS, read_text(result, f"delta=y; {option}{sign}{before}{SECRET}{after}"))
    assert SECRET not in everything_written(draft)
    assert without_secrets(draft.raw) == {"advanced": {"options": {"delta": "y"}}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("repository", "endpoint"), f"https://me:{SECRET}@minio.example.com"),
        (("repository", "endpoint"), f"https://me:a/{SECRET}@minio.example.com"),
        (("repository", "endpoint"), f"me:{SECRET}@minio.example.com"),
        (("images", "postgresql"), f"https://me:a@{SECRET}@ghcr.io/postgres:15"),
        (("credentials", "password"), SECRET),
        (("repository", "cipher", "passphrase"), SECRET),
        (("tuning", "connections"), SECRET),
        (("advanced", "options"), f"repo1-s3-key-secret={SECRET}"),
        (("release", "password"), SECRET),
    ],
)
def test_a_value_that_messages_do_not_repeat_is_not_saved(path: tuple[str, ...], value: str) -> None:
    draft = Draft({"credentials": {"from": "env", "username": "DB_USER"}, "repository": {"cipher": {"from": "env"}}})
    draft.give(path, value)
    assert draft.problems
    assert SECRET not in everything_written(draft)
    assert draft.text().startswith("# What may be a secret was left out: ")


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"storage": {"size": "10 Gi"}, "tuning": {"profile": "fast", "connections": 1, "parameters": {}}},
        {"advanced": {"options": {"archive-tiemout": 5, "repo1-s3-kms-key-id": "a", "repo1-path": "/x"}}},
        {"credentials": {"from": "env", "username": "DB_USER"}, "repository": {"endpoint": "not an endpoint"}},
        {"images": {"postgresql": "Postgres@sha256:abc"}},
    ],
)
def test_an_invalid_answer_is_kept_unchanged(raw: dict[str, Any]) -> None:
    assert without_secrets(raw) == raw
    assert "left out" not in Draft(raw).text()


def test_complete_answers_are_reduced_to_those_that_differ() -> None:
    changes = {
        "release": {"namespace": "shop"},
        "tuning": {"parameters": {"work_mem": "8MB"}},
        "repository": {"credentials": {"from": "env", "accessKey": "KEY", "secretKey": "SECRET"}},
        "tls": {"source": None, "caFile": "ca.crt"},
    }
    answers = Answers.model_validate(changes)
    whole = answers.model_dump(by_alias=True, mode="json")
    assert without_defaults(whole) == changes
    assert Answers.model_validate(without_defaults(whole)) == answers
    assert without_defaults(Answers().model_dump(by_alias=True, mode="json")) == {}


@pytest.mark.parametrize(
    ("raw", "worth"),
    [
        ({}, False),
        ({"release": {"namespace": "shop"}}, False),
        ({"release": None}, False),
        ({"release": "shop"}, True),
        ({"release": {"namespace": "shop", "name": "db"}}, True),
        ({"storage": {}}, True),
    ],
)
def test_a_chosen_namespace_alone_is_not_worth_a_draft(raw: dict[str, Any], worth: bool) -> None:
    assert worth_keeping(raw) == worth


def test_an_answer_does_not_change_the_original_answers() -> None:
    """They may be those of a release's record."""
    applied = {"repository": {"credentials": {"from": "existing", "secret": "s3"}}}
    Draft(without_defaults(applied)).give(("repository", "credentials", "secret"), "another")
    assert applied == {"repository": {"credentials": {"from": "existing", "secret": "s3"}}}


def test_answers_are_undone_question_by_question() -> None:
    draft = Draft({"storage": {"size": "20Gi"}})
    for size in ("2", "25", "25Gi"):
        draft.give(("storage", "size"), size)
    draft.choose(("repository", "credentials"), "env")
    draft.give(("repository", "credentials", "accessKey"), "KEY")
    draft.forget(("storage", "size"))
    assert draft.raw == {"repository": {"credentials": {"from": "env", "accessKey": "KEY"}}}
    assert [(draft.undo(), draft.value(("storage", "size"))) for _ in range(5)] == [
        (("storage", "size"), "25Gi"),
        (("repository", "credentials", "accessKey"), "25Gi"),
        (("repository", "credentials"), "25Gi"),
        (("storage", "size"), "20Gi"),
        (None, "20Gi"),
    ]
    assert draft.raw == {"storage": {"size": "20Gi"}}


def test_adopted_values_are_not_undone() -> None:
    draft = Draft()
    draft.give(("storage", "size"), "20Gi")
    draft.adopt(("release", "namespace"), "shop")
    assert draft.undo() is None
    assert draft.raw == {"storage": {"size": "20Gi"}, "release": {"namespace": "shop"}}


@given(st.lists(st.tuples(st.sampled_from(["size", "storageClass"]), st.sampled_from(["10Gi", "20Gi", None, 5]))))
def test_undoing_everything_restores_the_original_answers(answers: list[tuple[str, object]]) -> None:
    begun = {"storage": {"size": "30Gi"}, "release": {"name": "db"}}
    draft = Draft(begun)
    for question, value in answers:
        draft.give(("storage", question), value)
    while draft.undo() is not None:
        pass
    assert draft.raw == begun


def test_a_section_with_nothing_below_it_has_its_defaults() -> None:
    draft = Draft({"release": None, "storage": {"size": "20Gi"}})
    assert draft.raw == {"storage": {"size": "20Gi"}}
    assert draft.tag(("release",)) != NOTHING


def test_an_undone_answer_does_not_return_with_its_alternative() -> None:
    draft = Draft()
    draft.choose(("repository", "credentials"), "env")
    draft.give(("repository", "credentials", "accessKey"), "KEY")
    while draft.undo() is not None:
        pass
    draft.choose(("repository", "credentials"), "env")
    assert draft.raw == {"repository": {"credentials": {"from": "env"}}}


@pytest.mark.parametrize(
    ("block", "tag"),
    [
        (("credentials",), "existing"),
        (("repository", "credentials"), "env"),
        (("repository", "cipher"), "env"),
    ],
)
def test_an_alternative_whose_questions_are_open_is_listed_as_it_was_chosen(block: QuestionPath, tag: str) -> None:
    draft = Draft()
    draft.choose(block, tag)
    rows = {path: value for path, value, _ in draft.rows() if path[: len(block)] == block}
    assert rows == {(*block, tag_key(block)): tag}
    questions = [label_at(path, draft.tag)[1] for path, _, _ in draft.rows()]
    assert len(set(questions)) == len(questions), "two rows of one question"
