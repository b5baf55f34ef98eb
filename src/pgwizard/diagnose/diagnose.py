"""The cause of an error text, and its fix: ``diagnose(text) -> Diagnosis | None``.

Owns the table of the errors of pgBackRest, S3 stores, PostgreSQL and Kubernetes. Pure. It never guesses: a
text that no row knows gives None. It looks at the text alone, so it knows neither the answers nor the cluster.

How a row is chosen where several fit. The same fault has many shells: an unknown authority is exit code 95 of
``stanza-create``, 103 of ``archive-push``, 82 of ``check`` and 99 inside ``info``. So the exit code is never matched;
what names a cause wins over what leaves several open, that over a mere symptom, and a remark comes last. Among equals
the latest line wins, since a log holds earlier tries too; on one line the earlier row. pgBackRest's ``HINT`` lines are
never matched: ``is or was the repo encrypted?`` also follows a refused certificate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pgwizard.diagnose.cluster import IMAGES, PODS, RESOURCES
from pgwizard.diagnose.database import POSTGRESQL
from pgwizard.diagnose.row import Diagnosis, KnownFault, Rank, diagnosis, latest, line_start
from pgwizard.diagnose.store import NETWORK, PGBACKREST, REPOSITORY, S3, TLS
from pgwizard.errors import Finding

MAX_CHARACTERS = 1_000_000
"""Only the end of a longer text is read: a log ends with the reason."""


def diagnose(text: str) -> Diagnosis | None:
    """The fault that explains the text best; None if no row matches."""
    causes = diagnoses(text)
    return causes[0] if causes else None


def diagnoses(text: str) -> tuple[Diagnosis, ...]:
    """Every fault in the text, the best explanation first; each kind once, at its latest line."""
    text = _readable(text)
    matches = [(row, match) for row in ROWS if (match := latest(row.pattern, text)) is not None]
    matches.sort(key=lambda pair: (pair[0].rank, -line_start(text, pair[1])))  # stable: the table's order decides a tie
    return tuple(diagnosis(row, match, text) for row, match in matches)


def sharper(fault: Finding, others: Iterable[Finding]) -> Finding:
    """A fault; or of others the one that knows more of the same matter, such as why an S3 store refused a request.

    One that came of no row of the table, as the fault or among the others, changes nothing.
    """
    if fault.key not in _PLACES:
        return fault
    matter, _ = _PLACES[fault.key]
    same = [fault, *(other for other in others if _PLACES.get(other.key, (None,))[0] == matter)]
    return min(same, key=lambda cause: _PLACES[cause.key][1])  # the first of equals: the fault itself


def is_remark(fault: Finding) -> bool:
    """Whether it is only a warning of something that did not fail: it explains no failure."""
    return fault.key in _PLACES and _PLACES[fault.key][1] == Rank.REMARK


_ESCAPES = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
_INVISIBLE = r"\t\r\v\f\x00-\x08\x0e-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\ufeff\ufffd"
_BLANKS = re.compile(rf"[{_INVISIBLE}][ {_INVISIBLE}]*| [ {_INVISIBLE}]+")


def _readable(text: str) -> str:
    """The end of the text, without colours and control characters; an encrypted file may have been printed as text."""
    return _BLANKS.sub(" ", _ESCAPES.sub("", text[-MAX_CHARACTERS:]))


_MATTERS = (TLS, NETWORK, S3, REPOSITORY, PGBACKREST, POSTGRESQL, IMAGES, PODS, RESOURCES)

ROWS: tuple[KnownFault, ...] = tuple(row for rows in _MATTERS for row in rows)
"""All that is known; on one line and in one rank the earlier row wins."""

_PLACES = {row.key: (matter, row.rank) for matter, rows in enumerate(_MATTERS) for row in rows}
