"""The certificate that is trusted, the answer of the server to it, and the best one of the cluster."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text
from textual import work
from textual.message import Message

from pgwizard.errors import PgwizardError
from pgwizard.plan.pgbackrest import compares_addresses
from pgwizard.text import plain
from pgwizard.tls import handshake
from pgwizard.tls.certificates import Certificate
from pgwizard.tui.panels.base import Panel
from pgwizard.wizard import browse, candidates
from pgwizard.wizard.candidates import Candidate
from pgwizard.wizard.draft import Draft


class TlsPanel(Panel):
    """The certificate that is trusted, what the server says to it, and the best one that the cluster holds."""

    FOLLOW_SECONDS = 0.3
    """A handshake is asked for, not only text made."""

    class Proposed(Message):
        """Another candidate is the best one now; None where there is none."""

        def __init__(self, candidate: Candidate | None) -> None:
            super().__init__()
            self.candidate = candidate

    _asked: tuple[str, str] | None = None
    _answer = ""
    _best: Candidate | None = None
    _looked = "looking through the cluster's Secrets"

    def on_mount(self) -> None:
        """The candidates are looked for once a visit."""
        super().on_mount()
        self._look()

    def refresh_from(self, draft: Draft) -> None:
        """Another certificate or endpoint is tried anew."""
        super().refresh_from(draft)
        endpoint, bundle = draft.answers.repository.endpoint, draft.facts.ca
        asked = (endpoint, bundle.pem) if bundle and draft.answers.tls.verify else None
        if asked != self._asked and self._there:
            self._asked, self._answer = asked, "· asking the server" if asked else ""
            super().refresh_from(draft)
            if asked is not None:
                self._try(*asked)

    @work(group="handshake", exclusive=True, exit_on_error=False)
    async def _try(self, endpoint: str, pem: str) -> None:
        cluster = await self.connection.once_connected()
        try:
            by_address = compares_addresses(self.draft.answers.images.pgbackrest_version)
            found = await handshake.verify(cluster, endpoint, pem, by_address=by_address)
            self._answer = f"{'✓' if found.ok else '✗'} {endpoint}: {plain(found.message)}"
        except PgwizardError as error:
            self._answer = f"! {error.message}" + (f"\n  {error.hint}" if error.hint else "")
        super().refresh_from(self.draft)

    @work(group="candidates", exclusive=True, exit_on_error=False)
    async def _look(self) -> None:
        cluster = await self.connection.once_connected()
        answers = self.draft.answers
        by_address = compares_addresses(answers.images.pgbackrest_version)
        search = candidates.Search("ca", answers.repository.endpoint, answers.release.namespace, by_address)
        try:
            self._best = await browse.best(cluster, search, self.start.now, self.connection.readable)
            self._looked = "" if self._best else "none of those that could be read would verify this endpoint"
        except PgwizardError as error:
            self._looked = f"! {error.message}"
        self.post_message(self.Proposed(self._best))
        super().refresh_from(self.draft)

    def text(self) -> Text:
        """See the class."""
        text, answers, bundle = Text(), self.draft.answers, self.draft.facts.ca
        if not answers.repository.enabled:
            return text.append("There is no repository to speak to.")
        if not answers.tls.verify:
            text.append("! Whoever answers at the endpoint gets every backup\n", "bold")
            return text.append("For a test, never for data you need.")
        text.append("pgBackRest will trust\n", "bold")
        if answers.tls.source is None and answers.tls.ca_file is None:
            text.append("  the public authorities of its image\n")
        elif bundle is None:
            waiting = self.connection.cluster is None
            text.append("  not read yet: it is looked up in the cluster\n" if waiting else "  ✗ see the question\n")
        else:
            for certificate in bundle.certificates[:4]:
                _certificate(text, certificate, self.start.now())
            if len(bundle.certificates) > 4:
                text.append(f"  and {len(bundle.certificates) - 4} more\n")
            text.append(f"\n{self._answer}\n")
            text.append(
                f"\nIt is mirrored to Secret {answers.release.namespace}/{answers.release.name}-minio-ca, and compared "
                "with its source at each apply.\n",
                "dim",
            )
        text.append("\nBest candidate in the cluster\n", "bold")
        best, source = self._best, answers.tls.source
        if best is None:
            return text.append(f"  {self._looked}\n")
        text.append(f"  {plain(best.place)} · {plain(best.keys[0])}\n", "bold")
        text.append(f"  ✓ {plain(best.why)}\n")
        if source and (source.namespace, source.secret, source.key) == (best.namespace, best.secret, best.keys[0]):
            return text.append("  It is the one that is chosen.\n", "dim")
        return text.append("  f3 takes it, f4 lists all\n")


def _certificate(text: Text, certificate: Certificate, now: datetime) -> None:
    kind, days = candidates.kind_of_one(certificate), certificate.days_left(now)
    names = [*certificate.dns_names[:3], *certificate.ip_addresses[:1]]
    more = len(certificate.dns_names) + len(certificate.ip_addresses) - len(names)
    text.append(f"  {plain(certificate.subject)}\n", "bold")
    text.append(f"    {kind} · {certificate.key_type} · ends in {days} d, {certificate.not_after:%Y-%m-%d}\n")
    if names:
        text.append(f"    SANs {plain(', '.join(names))}{f' and {more:,} more' if more else ''}\n", "dim")
    if not certificate.self_signed:
        text.append(f"    issuer {plain(certificate.issuer)}\n", "dim")
    text.append(f"    sha256 {certificate.sha256[:29]}…\n", "dim")
