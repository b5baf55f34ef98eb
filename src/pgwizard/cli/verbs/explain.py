"""``explain``: a message by its words, or why the status of a release is not better."""

from __future__ import annotations

from dataclasses import dataclass

from pgwizard.cli.json_lines import JsonLine, NoteLine
from pgwizard.cli.options import Invocation
from pgwizard.cli.table import RELEASE_WORD, WITH_RELEASE_WORD
from pgwizard.cli.writer import Writer
from pgwizard.diagnose import messages
from pgwizard.errors import UsageError


@dataclass(frozen=True, slots=True)
class MessageLine(JsonLine):
    """A message of docs/errors.md, or a finding about a release, whose key is empty where no message explains it.

    answer: the question that is most likely at fault; empty where there is none.
    """

    type_name = "message"
    key: str
    text: str
    cause: str
    answer: str
    fix: str


def explain(call: Invocation, writer: Writer) -> None:
    """Print messages or a release's findings. Raises UsageError if no message contains all words."""
    if call.word.startswith(RELEASE_WORD) and len(call.words) == 1:
        _explain_release(call, writer)
        return
    for option in WITH_RELEASE_WORD:
        if option.flag in call.values:
            message = f"{option.flag} needs a release"
            raise UsageError(message, hint=f"Name one: pgwizard explain {RELEASE_WORD}NAME.")
    words = " ".join(call.words)
    entries = [entry for entry in messages.entries() if entry.holds(words)]
    if not entries:
        raise UsageError(
            f"no message contains all of: {words}", hint="Try fewer words; without any, every message is listed."
        )
    for number, entry in enumerate(entries):
        line = MessageLine(entry.key, entry.text, entry.cause, entry.answer, entry.fix)
        writer.line(_paragraph(line, number) if words else f"{entry.key:40} {entry.text}", line)


def _explain_release(call: Invocation, writer: Writer) -> None:
    from pgwizard.cli import connect
    from pgwizard.status.verdict import judge

    snapshot = connect.snapshot_of(call, writer, call.word.removeprefix(RELEASE_WORD))
    verdict = judge(snapshot)
    state = f"{snapshot.ref}: {verdict.state}"
    writer.note(state, NoteLine(state))
    answers = {entry.key: entry.answer for entry in messages.entries()}
    for number, reason in enumerate(verdict.reasons):
        answer = reason.question or answers.get(reason.key, "")
        line = MessageLine(reason.key, reason.text, reason.cause, answer, reason.fix)
        writer.line(_paragraph(line, number), line)


def _paragraph(line: MessageLine, number: int) -> str:
    """The text, with cause and fix below it; an empty line separates paragraphs."""
    link = messages.link(line.key) if line.key else ""
    parts = (("why", line.cause), ("answer", line.answer), ("fix", line.fix), ("link", link))
    lines = [line.text, *(f"  {title:7} {text}" for title, text in parts if text)]
    return "\n".join(["", *lines] if number else lines)
