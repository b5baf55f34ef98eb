"""The help of the command line, from the table, always 80 columns wide. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

from pgwizard.cli.options import Option, Verb
from pgwizard.cli.table import HELP, VERBS, WITHOUT_VERB

WIDTH = 80
_TERM_WIDTH = 26
"""Columns of the names of options; a longer one has its text below it."""

ABOUT = "Installs PostgreSQL with pgBackRest backups on Kubernetes, and shows whether the backups can be restored."


def overview() -> str:
    """The help of ``pgwizard --help``."""
    verbs = [(verb.name, verb.summary) for verb in VERBS.values()]
    return "\n".join(
        [
            *textwrap.wrap(ABOUT, WIDTH),
            "",
            "Usage:",
            "  pgwizard                            open the wizard",
            "  pgwizard VERB [OPTION]...",
            "  pgwizard --headless FILE [--apply]  the same as render, or apply",
            "",
            "Verbs:",
            *_rows(verbs, 14),
            "",
            "Options:",
            *_rows([(_name_column(option), option.help) for option in WITHOUT_VERB], _TERM_WIDTH),
            "",
            *textwrap.wrap(
                "Options may come before or after the verb. See pgwizard VERB --help for those of a verb.", WIDTH
            ),
            "",
        ]
    )


def usage(verb: Verb) -> str:
    """The help of one verb."""
    lines = [*textwrap.wrap(f"{verb.summary}.", WIDTH), "", "Usage:", f"  {synopsis(verb)}", ""]
    lines += [*textwrap.wrap(verb.description, WIDTH), ""]
    lines += ["Examples:", *(f"  {line}" for line in verb.example.splitlines()), ""]
    if verb.arguments:
        lines += [
            "Arguments:",
            *_rows([(argument.name, argument.help) for argument in verb.arguments], _TERM_WIDTH),
            "",
        ]
    options = [(_name_column(option), option.help) for option in (*verb.options, HELP)]
    return "\n".join([*lines, "Options:", *_rows(options, _TERM_WIDTH), ""])


def synopsis(verb: Verb) -> str:
    """``pgwizard apply FILE [OPTION]...``."""
    options = ("[OPTION]...",) if verb.options else ()
    return " ".join(["pgwizard", verb.name, *map(str, verb.arguments), *options])


def spelling(option: Option[Any]) -> str:
    """``-n, --namespace NAME``."""
    return f"{', '.join(option.flags)} {option.value}".rstrip()


def _name_column(option: Option[Any]) -> str:
    return spelling(option) if option.flags[0].count("-") == 1 else f"    {spelling(option)}"


def _rows(rows: Iterable[tuple[str, str]], width: int) -> list[str]:
    lines: list[str] = []
    for term, text in rows:
        first, *more = textwrap.wrap(text, WIDTH - width - 2)
        lines += [f"  {term:{width}}{first}"] if len(term) < width - 1 else [f"  {term}", f"  {'':{width}}{first}"]
        lines += [f"  {'':{width}}{line}" for line in more]
    return lines
