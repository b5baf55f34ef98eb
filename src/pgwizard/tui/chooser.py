"""Answers that are chosen from the cluster: names of a list, a Secret, the best certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgwizard.answers.questions import Question
from pgwizard.answers.schema import QuestionPath
from pgwizard.endpoint import Endpoint
from pgwizard.errors import ClusterError
from pgwizard.plan.server import name_rules, s3_server
from pgwizard.tui.navigation import OpenSecretBrowser
from pgwizard.tui.pages.pages import Pages
from pgwizard.tui.widgets.dialogs import Pick
from pgwizard.tui.widgets.filtered_list import Item
from pgwizard.wizard.candidates import Candidate
from pgwizard.wizard.choices import LISTS, choices
from pgwizard.wizard.secret_questions import SecretQuestion, secret_question_of

if TYPE_CHECKING:
    from pgwizard.kube.api import Cluster
    from pgwizard.tls.names import Rules
    from pgwizard.tui.secret_choice import SecretChoice


class Chooser:
    """Opens the choices over the pages, and passes the choice on."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._best: Candidate | None = None
        self._best_for: tuple[Cluster, Endpoint, Rules] | None = None
        """The cluster that was searched, and the server that the best candidate was compared with."""

    async def choose(self, path: QuestionPath, question: Question) -> None:
        """Open the choices of a question before they are known: keys that are typed ahead go into the window."""
        if question.choices in LISTS:
            current = str(self._pages.draft.value(path))
            window = Pick(question.label, (), current=current, note="loading from the cluster")
            await self._pages.app.push_screen(window, lambda value: self._answer(path, value))
            self._pages.run_worker(
                self._fill(window, question.choices), group="choose", exclusive=True, exit_on_error=False
            )
        else:
            self._browse(path)

    async def _fill(self, window: Pick, name: str) -> None:
        cluster = self._pages.connection.cluster
        items: list[Item] = []
        note = ""
        if cluster is None:
            note = f"! {self._pages.host.link}: type the name"
        else:
            try:
                items = [Item(choice.value, choice.note) for choice in await choices(cluster, name)]
            except ClusterError as error:
                note = f"! {error.message}: type the name"
        if window.is_attached:
            window.fill(items, note)

    def _answer(self, path: QuestionPath, value: str | None) -> None:
        if value is not None:
            self._pages.give(path, value)

    def _browse(self, path: QuestionPath) -> None:
        question, draft = secret_question_of(path), self._pages.draft
        own, answers = draft.answers.release.namespace, draft.answers
        place = str(draft.value(question.namespace) or "") if question.namespace else ""
        current = (place or own, str(draft.value(question.secret) or ""))
        rules = name_rules(answers)
        self._pages.open_screen(
            OpenSecretBrowser(question.purpose, s3_server(answers), own, current, rules),
            lambda choice: self._answer_with_secret(question, choice),
        )

    def _answer_with_secret(self, question: SecretQuestion, choice: SecretChoice | None) -> None:
        if choice is not None:
            own = self._pages.draft.answers.release.namespace
            for path, value in question.answers(choice.namespace, choice.secret, choice.keys, own):
                self._pages.give(path, value)

    # ---- the best certificate --------------------------------------------------------------------------------------

    def propose(self, best: Candidate | None) -> None:
        """The best candidate for the server of the answers; None if there is none, or it is not known."""
        self._best, self._best_for = best, self._server()

    def _server(self) -> tuple[Cluster, Endpoint, Rules] | None:
        cluster, answers = self._pages.connection.cluster, self._pages.draft.answers
        return (cluster, s3_server(answers), name_rules(answers)) if cluster else None

    @property
    def proposal(self) -> Candidate | None:
        """The best candidate, unless it is chosen already, or was compared with another server than that of now."""
        source, best = self._pages.draft.answers.tls.source, self._best
        place = (source.namespace, source.secret, source.key) if source else ()
        if best is None or (best.namespace, best.secret, best.keys[0]) == place:
            return None
        return best if self._best_for is not None and self._best_for == self._server() else None

    def take_proposed(self) -> None:
        """Choose it."""
        best = self.proposal
        if best is not None:
            values: dict[str, Any] = {"namespace": best.namespace, "secret": best.secret, "key": best.keys[0]}
            for key, value in values.items():
                self._pages.give(("tls", "source", key), value)
