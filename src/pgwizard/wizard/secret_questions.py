"""Which questions are answered with a Secret, and which keys each expects. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pgwizard.wizard.candidates import Purpose

if TYPE_CHECKING:
    from pgwizard.answers.schema import QuestionPath

# ---- the questions that a Secret answers ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SecretQuestion:
    """What the choice of a Secret answers. keys: the questions that its keys answer, in the order of a choice.

    namespace: the question of where it is; None where it must be in the release's own.
    """

    purpose: Purpose
    secret: QuestionPath
    keys: tuple[QuestionPath, ...]
    namespace: QuestionPath | None = None

    def answers(
        self, namespace: str, secret: str, keys: Sequence[str], own: str
    ) -> Iterator[tuple[QuestionPath, str | None]]:
        """A choice as answers, each with its question. own: the release's namespace, which is left out."""
        if self.namespace is not None:
            unsaid = self.purpose != "ca" and namespace == own
            yield self.namespace, None if unsaid else namespace
        yield self.secret, secret
        yield from zip(self.keys, keys, strict=False)


SECRET_QUESTIONS: Mapping[QuestionPath, SecretQuestion] = {
    ("tls",): SecretQuestion(
        "ca", ("tls", "source", "secret"), (("tls", "source", "key"),), ("tls", "source", "namespace")
    ),
    ("credentials",): SecretQuestion(
        "database", ("credentials", "secret"), (("credentials", "usernameKey"), ("credentials", "passwordKey"))
    ),
    ("repository", "credentials"): SecretQuestion(
        "s3",
        ("repository", "credentials", "secret"),
        (("repository", "credentials", "accessKeyKey"), ("repository", "credentials", "secretKeyKey")),
        ("repository", "credentials", "namespace"),
    ),
    ("repository", "cipher"): SecretQuestion(
        "passphrase", ("repository", "cipher", "secret"), (("repository", "cipher", "passphraseKey"),)
    ),
}
"""By the block that a question is in."""


def secret_question_of(path: QuestionPath) -> SecretQuestion:
    """The Secret that a question is about. Raises StopIteration where it is about none."""
    return next(question for block, question in SECRET_QUESTIONS.items() if path[: len(block)] == block)
