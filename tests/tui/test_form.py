"""The form and its draft say the same, whoever gave the answer: a key, another screen, or the default."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, get_origin

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input

from pgwizard.answers import file as answers_file
from pgwizard.answers.questions import Answers, sections_in
from pgwizard.answers.schema import QuestionPath as Question
from pgwizard.answers.schema import alternatives
from pgwizard.tui.pages.choice import Choice
from pgwizard.tui.pages.form import Form
from pgwizard.tui.pages.question import QuestionRow
from pgwizard.wizard.draft import Draft
from pgwizard.wizard.text_input import write_text
from support import simtime
from support.screens import opened, painted, press, settled


class Host(App[None]):
    """One page of questions. answered: the form's messages, in their order."""

    CSS: ClassVar[str] = "Form { height: 1fr; } .nested { height: auto; }"

    def __init__(self, raw: dict[str, Any], *sections: str) -> None:
        super().__init__()
        self.draft = Draft(raw)
        self.answered: list[Question] = []
        self._sections = sections

    def compose(self) -> ComposeResult:
        yield Form(self.draft, self._sections)

    def on_form_answered(self, event: Form.Answered) -> None:
        self.answered.append(event.path)

    @property
    def form(self) -> Form:
        return self.query_one(Form)

    def give(self, path: str, value: Any) -> None:
        """An answer from elsewhere, as the wizard passes it on."""
        question = tuple(path.split("."))
        self.draft.give(question, value)
        self.form.show_answer(question)

    def shown(self) -> dict[str, str]:
        """What each control says."""
        return {".".join(row.path): value_of(row.control) for row in self.query(QuestionRow)}

    def control(self, path: str) -> Any:
        return next(row.control for row in self.query(QuestionRow) if ".".join(row.path) == path)


def value_of(control: Any) -> str:
    assert isinstance(control, (Choice, Input))
    return control.value


def driven(scenario: Callable[[Pilot[None], Host], Awaitable[None]], raw: dict[str, Any], *sections: str) -> None:
    async def main() -> None:
        host = Host(raw, *sections)
        async with opened(host, size=(100, 60)) as pilot:
            await settled(pilot)
            await scenario(pilot, host)
            await settled(pilot)
            for path, painted_text in host.shown().items():  # whatever happened
                assert painted_text == text_in_draft(host.draft, tuple(path.split("."))), path

    simtime.run(main())


def text_in_draft(draft: Draft, path: Question) -> str:
    """What the draft says of a question, as a control shows it."""
    return draft.tag(path) if alternatives(path) else write_text(draft.value(path))


COLLECTIONS: dict[Question, Any] = {
    (str(section.alias), str(field.alias)): get_origin(field.annotation)
    for section in Answers.model_fields.values()
    for model in sections_in(section.annotation)
    for field in model.model_fields.values()
    if get_origin(field.annotation) in (dict, list)
}
"""Each question that takes several entries, and whether they have names."""


@pytest.mark.parametrize("question", COLLECTIONS, ids=".".join)
def test_a_wrong_entry_is_shown_at_its_question_in_the_words_of_the_file(question: Question) -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        assert f"✗ {entry}: {problem.text}" in " ".join(painted(pilot).split())

    section, key = question
    value, entry = (
        ({"No name!": "x"}, "No name!") if COLLECTIONS[question] is dict else (["right", "No name!"], "entry 2")
    )
    raw = {section: {key: value}}
    [problem] = answers_file.load(json.dumps(raw).encode()).problems
    assert problem.question == f"{section}.{key}.{'No name!' if COLLECTIONS[question] is dict else 1}"
    driven(scenario, raw, section)


@pytest.mark.parametrize(
    ("raw", "question", "shown"),
    [
        (
            {"tuning": {"parameters": {"work_mem": "8MB", "shared_buffers": "128M"}}},
            "tuning.parameters",
            "✗ shared_buffers: '128M': 'M' is not a unit of it; expected B, kB, MB, GB, TB: did you mean 128MB?",
        ),
        (
            {"tuning": {"parameters": {"wal_level": "minimal", "port": "1", "pg_stat_statements.max": "5"}}},
            "tuning.parameters",
            "✗ wal_level: 'minimal' turns archiving off; expected replica or logical · and 1 more",
        ),
        (
            {"tuning": {"parameters": {"fsync": "off"}}},
            "tuning.parameters",
            "! fsync: off can destroy the database at a power failure",
        ),
        (
            {"advanced": {"options": {"delta": "y", "db-timout": 5}}},
            "advanced.options",
            "✗ db-timout: is not an option of pgBackRest: did you mean db-timeout?",
        ),
    ],
)
def test_an_entry_that_does_not_go_with_the_answers_is_shown_at_its_question(
    raw: dict[str, Any], question: str, shown: str
) -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        host.control(question).focus()
        await settled(pilot)
        assert shown in " ".join(painted(pilot).split())

    driven(scenario, raw, question.partition(".")[0])


TLS = ("tls.source.namespace", "tls.source.secret", "tls.source.key")


def test_an_answer_within_an_empty_block_opens_the_block() -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        assert host.shown()["tls.source"] == "null"
        assert not host.shown().keys() & {*TLS}
        host.control("tls.source").focus()
        for path, value in taken.items():
            host.give(f"tls.source.{path}", value)
        await settled(pilot)
        assert host.shown()["tls.source"] == "given"
        assert [host.shown()[path] for path in TLS] == [*taken.values()]
        assert host.control("tls.source").has_focus
        assert host.draft.raw == {"tls": {"source": taken}}
        assert host.answered == []

    taken = {"namespace": "storage", "secret": "store-tls", "key": "ca.crt"}
    driven(scenario, {"tls": {"source": None}}, "tls")


def test_another_answer_within_a_block_leaves_its_questions_in_place() -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        secret = host.control("tls.source.secret")
        secret.focus()
        host.give("tls.source.secret", "store-tls")
        await settled(pilot)
        assert host.control("tls.source.secret") is secret
        assert secret.has_focus
        assert secret.value == "store-tls"

    driven(scenario, {}, "tls")


def test_closing_a_block_from_elsewhere_removes_its_questions_and_keeps_the_focus_near() -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        host.control("tls.source.secret").focus()
        host.give("tls.source", None)
        await settled(pilot)
        assert not host.shown().keys() & {*TLS}
        assert host.control("tls.source").has_focus
        await press(pilot, "right")
        await settled(pilot)
        assert host.shown()["tls.source.secret"] == "minio-tls"

    driven(scenario, {}, "tls")


ENV = {"from": "env", "accessKey": "S3_KEY", "secretKey": "S3_SECRET"}


def test_the_default_of_a_block_is_shown_with_its_questions() -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        choice = host.control("repository.credentials")
        assert choice.value == "env"
        choice.focus()
        await press(pilot, "ctrl+r")
        await settled(pilot)
        assert host.draft.raw == {}
        assert choice.value == "existing"
        assert "repository.credentials.accessKey" not in host.shown()
        assert host.shown()["repository.credentials.secret"] == "postgresql-pgbackrest-s3"
        assert choice.has_focus
        assert host.answered == [("repository", "credentials")]
        await press(pilot, "right")  # what was typed is not lost, and the control continues from where it is
        await settled(pilot)
        assert host.draft.answers.repository.credentials.source == "existing"  # two variables are still wanted
        assert host.draft.tag(("repository", "credentials")) == "env"

    driven(scenario, {"repository": {"credentials": ENV}}, "repository")


def test_the_default_of_a_block_whose_shape_stays_puts_back_the_answers_in_it() -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        host.control("repository.credentials").focus()
        await press(pilot, "ctrl+r")
        await settled(pilot)
        assert host.draft.raw == {}
        assert host.shown()["repository.credentials.secret"] == "postgresql-pgbackrest-s3"
        assert host.shown()["repository.credentials.namespace"] == ""

    existing = {"from": "existing", "secret": "own", "namespace": "storage"}
    driven(scenario, {"repository": {"credentials": existing}}, "repository")


@pytest.mark.parametrize("presses", [1, 2, 3])
def test_fast_choices_end_at_the_last_one(presses: int) -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        choice = host.control("repository.credentials")
        for _ in range(presses):
            choice.action_move(1)
        await settled(pilot)
        assert choice.value == ("env", "file", "existing")[presses - 1]
        assert host.draft.tag(("repository", "credentials")) == choice.value
        assert host.draft.raw.keys() == ({"repository"} if presses < 3 else set())

    driven(scenario, {}, "repository")


def test_an_answer_from_elsewhere_is_not_undone_by_a_choice_on_its_way() -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        host.control("tls.source").action_move(1)
        host.give("tls.source.secret", "store-tls")
        await settled(pilot)
        assert host.draft.raw == {"tls": {"source": {"secret": "store-tls"}}}
        assert host.shown()["tls.source"] == "given"

    driven(scenario, {}, "tls")


def test_an_answer_from_elsewhere_is_not_undone_by_one_before_it() -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        given: list[Any] = []
        give = host.draft.give

        def noted(path: Question, value: object) -> None:
            given.append(value)
            give(path, value)

        host.draft.give = noted  # type: ignore[method-assign]
        host.give("tls.source.secret", "one")
        host.give("tls.source.secret", "two")
        await settled(pilot)
        assert given == ["one", "two"]

    driven(scenario, {}, "tls")


def test_what_is_typed_keeps_its_order_and_its_focus() -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        secret = host.control("tls.source.secret")
        secret.focus()
        await press(pilot, "ctrl+u", *"store-tls")
        assert secret.value == "store-tls"
        assert secret.has_focus
        assert host.draft.raw == {"tls": {"source": {"secret": "store-tls"}}}

    driven(scenario, {}, "tls")


def test_up_and_down_walk_between_questions_and_change_no_answer() -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        before = host.shown()
        paths = [*before]
        host.control(paths[0]).focus()
        for path in paths[1:]:
            await press(pilot, "down")
            assert host.control(path).has_focus, path
        await press(pilot, "down")
        assert host.control(paths[-1]).has_focus, "the last question keeps the focus"
        for path in reversed(paths[:-1]):
            await press(pilot, "up")
            assert host.control(path).has_focus, path
        await press(pilot, "up")
        assert host.control(paths[0]).has_focus
        assert host.shown() == before
        assert host.answered == []

    driven(scenario, {}, "repository", "tls")


@pytest.mark.parametrize(("key", "word"), [("right", "env"), ("left", "file"), ("space", "env")])
def test_left_and_right_choose(key: str, word: str) -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        host.control("repository.credentials").focus()
        await press(pilot, key)
        assert host.shown()["repository.credentials"] == word
        assert host.draft.tag(("repository", "credentials")) == word

    driven(scenario, {}, "repository")


@pytest.mark.parametrize("columns", [1, 2, 3, 4, 24])
def test_a_page_is_painted_in_a_terminal_of_a_few_columns(columns: int) -> None:
    async def scenario(pilot: Pilot[None], host: Host) -> None:
        await pilot.resize_terminal(columns, 20)
        await settled(pilot)
        assert {row.size.width for row in host.query(QuestionRow)} <= {columns, max(columns - 2, 0)}

    driven(scenario, {}, "release")
