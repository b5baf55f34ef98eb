"""One row of the tables: a pattern of error text, its cause and its fix. Pure."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from enum import IntEnum

from pgwizard.errors import Finding
from pgwizard.text import plain


@dataclass(frozen=True, slots=True)
class Diagnosis(Finding):
    """A fault that text of a program shows. cause and fix: one or two sentences each; key: always there.

    text: the line that shows it. question: the answer that is most likely at fault; empty for none.
    exit_code: what the failed program ended with, as the text states it; else None.
    """

    exit_code: int | None = None


class Rank(IntEnum):
    """How specific a row is."""

    CAUSE = 0
    BROAD = 1
    """The fault is known, but has several possible causes."""
    SYMPTOM = 2
    """Something else failed before."""
    REMARK = 3
    """A warning of something that did not fail."""


@dataclass(frozen=True, slots=True)
class KnownFault:
    """One kind of fault. cause and fix may name groups of the pattern in braces.

    A pattern stays within a line, begins with fixed text wherever it can, and repeats only with a bound: the text is
    hostile. Runs of blanks have been replaced by one blank.
    """

    key: str
    rank: Rank
    pattern: re.Pattern[str]
    cause: str
    fix: str
    question: str = ""


_CODE = re.compile(r"(?:ERROR: |with exception )\[(\d{3})\]|[Ee]xit ?[Cc]ode\"?:? ?(\d{1,3})\b")


def latest(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    last = deque(pattern.finditer(text), maxlen=1)
    return last[0] if last else None


def line_start(text: str, match: re.Match[str]) -> int:
    return text.rfind("\n", 0, match.start()) + 1


def _line(text: str, match: re.Match[str]) -> str:
    start = line_start(text, match)
    if match.start() - start > 150:  # the matched text must be visible
        start = match.start()
    end = text.find("\n", match.end())
    return plain(text[start : min(end if end >= 0 else len(text), start + 1000)])


def _exit_code(text: str, match: re.Match[str]) -> int | None:
    """The first exit code at or after the line, else the last one before it."""
    after = _CODE.search(text, line_start(text, match))
    code = after or latest(_CODE, text[: match.start()])
    return int(code[1] or code[2]) if code else None


def diagnosis(row: KnownFault, match: re.Match[str], text: str) -> Diagnosis:
    groups = {name: plain(value or "", 120) for name, value in match.groupdict().items()}
    return Diagnosis(
        key=row.key,
        cause=row.cause.format_map(groups),
        fix=row.fix.format_map(groups),
        text=_line(text, match),
        exit_code=_exit_code(text, match),
        question=row.question,
    )


# ---- the table -----------------------------------------------------------------------------------------------------


def row(key: str, pattern: str, cause: str, fix: str, question: str = "", *, rank: Rank = Rank.CAUSE) -> KnownFault:
    return KnownFault(key, rank, re.compile(pattern), cause, fix, question)
