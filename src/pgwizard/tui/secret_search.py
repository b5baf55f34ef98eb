"""One search through the cluster's Secrets: what it found, what may not be read, how far it is. It shows nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pgwizard.errors import Finding, PgwizardError, describe_defect
from pgwizard.kube.api import SECRET, Ref
from pgwizard.wizard import browse, candidates
from pgwizard.wizard.browse import Batch, Denial
from pgwizard.wizard.candidate_index import CandidateIndex
from pgwizard.wizard.candidates import Candidate, Search

if TYPE_CHECKING:
    from pgwizard.kube.api import Cluster
    from pgwizard.tls.handshake import Handshake
    from pgwizard.wizard.browse import Readable

READS_AT_ONCE = 4


class SecretSearch:
    """on_change: called after each change, with whether these are the first rows."""

    def __init__(self, search: Search, now: Callable[[], datetime], on_change: Callable[[bool], None]) -> None:
        self.search = search
        self.findings = CandidateIndex()
        self.denials: list[Denial] = []
        self.failures: list[Finding] = []
        """What could not be read."""
        self.server_answer: Handshake | Finding | None = None
        """What the server sends, or why that is not known; None until it is asked."""
        self.state: Literal["connecting", "loading", "done", "failed"] = "connecting"
        self.count = self.expected = self.to_come = 0
        """Secrets seen, Secrets expected, namespaces still to come."""
        self.certificates_read = False
        self._now, self._on_change = now, on_change
        self._claims: set[tuple[str, str]] = set()
        self._gate = asyncio.Semaphore(READS_AT_ONCE)

    async def run(self, cluster: Cluster, readable: Readable) -> None:
        """Search to the end. readable: where Secrets may be listed, as far as it is known."""
        self.state = "loading"
        try:
            places = browse.browse(cluster, self.search, self._now, readable)
            async with contextlib.aclosing(places) as batches:
                async for batch in batches:
                    self.take(batch)
        except PgwizardError as error:
            self.state = "failed"
            self.failures.append(Finding(text=error.message, fix=error.hint))
        except Exception as error:
            self.state = "failed"
            self.failures.append(Finding(text=describe_defect(error)))
            raise
        finally:
            self._on_change(False)

    def take(self, batch: Batch) -> None:
        """Take in what was found."""
        first = not self.findings.by_place and bool(batch.rows)
        self.findings.learn(batch.rows)
        self.denials += batch.denials
        self.failures += batch.failures
        self.count, self.expected, self.to_come = batch.count, batch.expected, batch.namespaces_to_come
        if batch.server_answer is not None and self.server_answer is None:
            self._judge_again(batch.server_answer)
        self.server_answer = batch.server_answer or self.server_answer
        self.certificates_read = self.certificates_read or batch.certificates_read
        if batch.is_done:
            self.state = "done"
        self._on_change(first)

    def _judge_again(self, server_answer: Handshake | Finding) -> None:
        """What was read before it was known what the server sends."""
        row_groups = [self.findings.by_place.get(place, ()) for place in self._claims]
        rows_again = (
            candidates.judge(row, self.search, server_answer, self._now()) for rows in row_groups for row in rows
        )
        self.findings.learn(rows_again)

    def claim_unread(self, rows: Iterable[Candidate]) -> list[Candidate]:
        """Those of the rows that are not read yet. Each Secret is returned once, so that it is read once."""
        places = []
        for row in rows:
            place = (row.namespace, row.secret)
            if row.kind == "not read" and place not in self._claims:
                self._claims.add(place)
                places.append(row)
        return places

    async def read(self, cluster: Cluster, row: Candidate) -> None:
        """Read the contents of a Secret."""
        async with self._gate:
            rows = await self.contents(cluster, row.namespace, row.secret)
        self.findings.learn(candidates.keep_rank(row, rows))
        self._on_change(False)

    async def contents(self, cluster: Cluster, namespace: str, secret: str) -> tuple[Candidate, ...]:
        """Read a Secret, as candidates: one for each choice of its keys."""
        ref = Ref(SECRET, secret, namespace)
        return await browse.contents(cluster, ref, self.search, self.server_answer, self._now())
