"""The verbs that need neither answers nor a cluster: ``init``, ``schema``, ``completion``, and so on."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pgwizard import __version__
from pgwizard.cli.json_lines import JsonLine
from pgwizard.cli.options import Invocation
from pgwizard.cli.table import OUTPUT_FILE
from pgwizard.cli.writer import Writer


@dataclass(frozen=True, slots=True)
class VersionLine(JsonLine):
    """The version of the program."""

    type_name = "version"
    version: str


def init(call: Invocation, writer: Writer) -> None:
    """Raises OutputError where the file exists."""
    from pgwizard.answers.reference import commented_answers
    from pgwizard.local.files import write_text

    if (path := call[OUTPUT_FILE]) is not None:
        write_text(path, commented_answers())
    else:
        writer.put(commented_answers())


def schema(_: Invocation, writer: Writer) -> None:
    from pgwizard.answers.reference import schema as answers_schema

    writer.put(json.dumps(answers_schema(), indent=2) + "\n")


def completion(call: Invocation, writer: Writer) -> None:
    from pgwizard.cli.completion import SCRIPTS

    writer.put(SCRIPTS[call.word]())


def version(_: Invocation, writer: Writer) -> None:
    writer.line(f"pgwizard {__version__}", VersionLine(__version__))


def help_of(call: Invocation, writer: Writer) -> None:
    from pgwizard.cli.parse import verb_of
    from pgwizard.cli.usage import overview, usage

    writer.put(usage(verb_of(call.word)) if call.word else overview())
