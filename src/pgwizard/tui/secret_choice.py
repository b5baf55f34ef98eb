"""What is chosen in the browser of Secrets, and what a typed name chooses. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pgwizard.tui.widgets.candidate_text import reason_text
from pgwizard.wizard import candidates
from pgwizard.wizard.candidates import Candidate, Search


@dataclass(frozen=True, slots=True)
class SecretChoice:
    """keys: one for a certificate or a passphrase, for a key pair that of the name and that of the secret."""

    namespace: str
    secret: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TypedName:
    """A Secret that was named rather than selected. keys: empty where none were typed."""

    namespace: str
    secret: str
    keys: tuple[str, ...]

    def unread(self, search: Search) -> SecretChoice:
        """The choice where the Secret cannot be read: the keys that were typed, or the usual ones."""
        return SecretChoice(self.namespace, self.secret, self.keys or candidates.usual_keys(search))

    def choice(self, rows: tuple[Candidate, ...], search: Search) -> Candidate | SecretChoice | str:
        """By what was read of the Secret: the candidate that it names, the name as it is, or why it cannot be chosen.

        rows: at least one. A Secret that may not be read is accepted, and any keys of one that has them; a certificate
        has to be one.
        """
        fitting = [row for row in rows if row.keys and (not self.keys or row.keys == self.keys)]
        if fitting:
            return min(fitting, key=lambda row: row.order)
        if rows[0].kind == "cannot be read" and rows[0].hopeful:
            return self.unread(search)
        if self.keys and candidates.has_keys(rows, self.keys) and search.purpose != "ca":
            return SecretChoice(self.namespace, self.secret, self.keys)
        return f"{self.namespace}/{self.secret}: {self._refusal(rows)}"

    def _refusal(self, rows: tuple[Candidate, ...]) -> str:
        missing = [key for key in self.keys if not candidates.has_keys(rows, (key,))]
        if missing and any(row.keys for row in rows):  # which is why the rows' own reasons are about other keys
            return f"it does not have the key {' or '.join(missing)}"
        if rows[0].keys:
            return f"{self.keys[0]} holds no certificate"
        return reason_text(rows[0]) or "it contains nothing to choose"
