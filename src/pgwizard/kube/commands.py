"""Command lines to paste into a shell, for the cluster that the program is connected to. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pgwizard.text import visible


@dataclass(frozen=True, slots=True)
class Commands:
    """context, kubeconfig: as named for the connection; None for the default."""

    context: str | None = None
    kubeconfig: str | None = None

    def kubectl(self, *words: str, namespace: str | None = None) -> str:
        return self._line(["kubectl", *self._options, *_place(namespace), *words])

    def pgwizard(self, *words: str, namespace: str | None = None) -> str:
        return self._line(["pgwizard", *words, *_place(namespace), *self._options])

    @property
    def _options(self) -> list[str]:
        flags = (("--context", self.context), ("--kubeconfig", self.kubeconfig))
        return [part for flag, value in flags if value for part in (flag, value)]

    @staticmethod
    def _line(words: list[str]) -> str:
        return " ".join(_quote(visible(word)) for word in words)


def _quote(word: str) -> str:
    """Quoted for a shell; of ``name=value`` only the value, for readability."""
    name, equals, value = word.partition("=")
    return f"{name}={shlex.quote(value)}" if equals and shlex.quote(name) == name else shlex.quote(word)


def _place(namespace: str | None) -> list[str]:
    return ["-n", namespace] if namespace else []


CURRENT_CONTEXT = Commands()
"""Commands for the kubeconfig's current context."""
