"""The namespace of the release until a person chooses one, and whether to create it."""

from __future__ import annotations

from typing import Any, Protocol

from pgwizard.answers.schema import QuestionPath

NAMESPACE: QuestionPath = ("release", "namespace")
CREATE: QuestionPath = ("release", "createNamespace")


class Answering(Protocol):
    """Accepts answers from elsewhere than their own controls."""

    def give(self, path: QuestionPath, value: Any) -> None:
        """A person chose it."""

    def adopt(self, path: QuestionPath, value: Any) -> None:
        """It follows from the cluster."""


class Destination:
    """is_chosen: whether a person chose the namespace, so that no context's replaces it."""

    def __init__(self, pages: Answering, *, is_chosen: bool) -> None:
        self._pages = pages
        self.is_chosen = is_chosen
        self._creates = False
        """Whether a namespace was chosen that does not exist."""

    def follow_context(self, namespace: str) -> bool:
        """The context's own namespace is the default. Returns whether it is the answer now."""
        if not self.is_chosen:
            self._pages.adopt(NAMESPACE, namespace)
        return not self.is_chosen

    def choose(self, namespace: str, before: str, *, exists: bool | None) -> None:
        """A person chose one. exists: None where that is not known; before: the answer so far."""
        self._pages.give(NAMESPACE, namespace)
        if namespace != before or exists is not None:
            self._creates = exists is False
            self._pages.give(CREATE, self._creates)

    def follow_list(self, names: frozenset[str], namespace: str) -> None:
        """The namespaces of the cluster: the answer, to be created in the cluster before, may exist in this one."""
        if self._creates and namespace in names:
            self._creates = False
            self._pages.adopt(CREATE, False)
