"""The certificate that is trusted, the answer of the server to it, and the best one of the cluster."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text
from textual import work
from textual.message import Message

from pgwizard.answers.questions import Answers
from pgwizard.endpoint import Endpoint
from pgwizard.errors import Forbidden, PgwizardError
from pgwizard.plan.names import Names
from pgwizard.plan.server import name_rules, s3_server
from pgwizard.release import checks
from pgwizard.text import plain
from pgwizard.tls.certificates import Bundle, Certificate
from pgwizard.tls.names import Rules
from pgwizard.tui.panels.base import Panel
from pgwizard.tui.widgets.candidate_text import reason_text
from pgwizard.wizard import browse, candidates
from pgwizard.wizard.candidates import Candidate
from pgwizard.wizard.draft import Draft

_MOST_SHOWN = 4
"""Certificates of a bundle that are shown."""


class TlsPanel(Panel):
    """The certificate is tried on the server; the candidates are searched once a visit."""

    FOLLOW_SECONDS = 0.3
    """More than text is made: a handshake is sent."""

    class Proposed(Message):
        """Another candidate is the best one now; None where there is none."""

        def __init__(self, candidate: Candidate | None) -> None:
            super().__init__()
            self.candidate = candidate

    _last_target: tuple[Endpoint, Bundle | None, Rules] | None = None
    """The server, what is trusted (None: the public authorities), and by which rules."""
    _answer = ""
    _best: Candidate | None = None
    _no_best = "searching the cluster's Secrets"
    """Why there is no best candidate."""

    def on_mount(self) -> None:
        super().on_mount()
        self.post_message(self.Proposed(None))  # what a visit before has found may be gone
        self._search()

    def refresh_from(self, draft: Draft) -> None:
        """Another certificate or endpoint is tried."""
        super().refresh_from(draft)
        answers, bundle = draft.answers, draft.facts.ca
        rules = name_rules(answers)
        is_chosen = bundle is not None or not answers.has_tls_mirror()
        target = (s3_server(answers), bundle, rules) if is_chosen and answers.tls.verify else None
        if target != self._last_target and self.is_composed:
            self._last_target, self._answer = target, "· trying it on the server" if target else ""
            super().refresh_from(draft)
            if target is not None:
                self._try(answers, bundle, rules)

    @work(group="handshake", exclusive=True, exit_on_error=False)
    async def _try(self, answers: Answers, bundle: Bundle | None, rules: Rules) -> None:
        cluster, endpoint = await self.connection.once_connected(), s3_server(answers)
        try:
            result = await checks.try_server(cluster, answers, bundle, rules, self.start.now())
            if result is None:
                self._answer = f"! {endpoint} can be reached, and has no certificate to verify"
            elif result.finding is None:
                self._answer = f"✓ {endpoint}: verified in {result.seconds * 1000:.0f} ms"
            elif result.finding.severity == "warning":
                self._answer = f"! not checked: {endpoint}: {plain(result.finding.text)}"
            else:
                self._answer = f"✗ {endpoint}: {plain(result.finding.text)}"
        except Forbidden:
            self._answer = "! not checked: no permission to port-forward to the S3 server"
        except PgwizardError as error:
            self._answer = f"! {error.message}" + (f"\n  {error.hint}" if error.hint else "")
        super().refresh_from(self.draft)

    @work(group="candidates", exclusive=True, exit_on_error=False)
    async def _search(self) -> None:
        cluster = await self.connection.once_connected()
        answers = self.draft.answers
        rules = name_rules(answers)
        search = candidates.Search("ca", s3_server(answers), answers.release.namespace, rules)
        try:
            self._best = await browse.best(cluster, search, self.start.now, self.connection.readable)
            self._no_best = "" if self._best else "no readable Secret would verify this endpoint"
        except PgwizardError as error:
            self._no_best = f"! {error.message}"
        self.post_message(self.Proposed(self._best))
        super().refresh_from(self.draft)

    def text(self) -> Text:
        text, answers = Text(), self.draft.answers
        if not answers.repository.enabled:
            return text.append("There is no repository to connect to.")
        if not answers.tls.verify:
            text.append("! Any server at the endpoint can receive every backup\n", "bold")
            return text.append("For a test, never for data that you need.")
        self._append_trusted(text)
        self._append_best(text)
        return text

    def _append_trusted(self, text: Text) -> None:
        answers, bundle = self.draft.answers, self.draft.facts.ca
        text.append("pgBackRest will trust\n", "bold")
        if answers.tls.source is None and answers.tls.ca_file is None:
            text.append(f"  the public authorities of its image\n\n{self._answer}\n")
            return
        if bundle is None:
            is_waiting = self.connection.cluster is None
            text.append("  not read yet: waiting for the cluster\n" if is_waiting else "  ✗ see the question\n")
            return
        for certificate in bundle.certificates[:_MOST_SHOWN]:
            _append_certificate(text, certificate, self.start.now())
        if len(bundle.certificates) > _MOST_SHOWN:
            text.append(f"  and {len(bundle.certificates) - _MOST_SHOWN} more\n")
        mirror = f"{answers.release.namespace}/{Names.of(answers.release.name).ca}"
        text.append(f"\n{self._answer}\n")
        text.append(f"\nMirrored to Secret {mirror}, and compared with its source at each apply.\n", "dim")

    def _append_best(self, text: Text) -> None:
        text.append("\nBest candidate in the cluster\n", "bold")
        best, source = self._best, self.draft.answers.tls.source
        if best is None:
            text.append(f"  {self._no_best}\n")
            return
        text.append(f"  {plain(best.place)} · {plain(best.keys[0])}\n", "bold")
        text.append(f"  ✓ {reason_text(best)}\n")
        if source and (source.namespace, source.secret, source.key) == (best.namespace, best.secret, best.keys[0]):
            text.append("  It is already selected.\n", "dim")
        else:
            text.append("  F3 selects it, F4 lists all\n")


def _append_certificate(text: Text, certificate: Certificate, now: datetime) -> None:
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
