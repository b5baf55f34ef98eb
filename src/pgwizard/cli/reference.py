"""The generated pages of the documentation: of the questions, and of the command line. ``make docs`` writes them."""

from __future__ import annotations

import json
import signal
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pgwizard import errors
from pgwizard.answers import reference as answers_reference
from pgwizard.cli import json_lines, usage
from pgwizard.cli.json_lines import ErrorLine, JsonLine, NoteLine, WarningLine
from pgwizard.cli.main import BROKEN_PIPE
from pgwizard.cli.options import Option, Verb
from pgwizard.cli.run_lines import ChangeLine, EventLine
from pgwizard.cli.table import EXCLUSIVE, EXIT_CODE, VERBS, WITHOUT_VERB
from pgwizard.cli.verbs.apply import DIFFERENCES, OutcomeLine
from pgwizard.cli.verbs.backup import FaultLine, JobLine, LogLine
from pgwizard.cli.verbs.drill import DrillLine
from pgwizard.cli.verbs.explain import MessageLine
from pgwizard.cli.verbs.fleet import FleetLine
from pgwizard.cli.verbs.history import HistoryEventLine, HistoryLine
from pgwizard.cli.verbs.offline import VersionLine
from pgwizard.cli.verbs.releases import ReleaseLine
from pgwizard.cli.verbs.render import FilesLine
from pgwizard.cli.verbs.restore import PreviewLine, ReceiptLine, RestorePlanLine, UnreachableLine
from pgwizard.cli.verbs.status_line import StatusLine
from pgwizard.cli.verbs.verify import VerificationLine

LINES: tuple[type[JsonLine], ...] = (
    EventLine,
    ChangeLine,
    OutcomeLine,
    StatusLine,
    FleetLine,
    JobLine,
    LogLine,
    FaultLine,
    HistoryEventLine,
    HistoryLine,
    RestorePlanLine,
    UnreachableLine,
    ReceiptLine,
    PreviewLine,
    VerificationLine,
    DrillLine,
    ReleaseLine,
    FilesLine,
    MessageLine,
    VersionLine,
    WarningLine,
    NoteLine,
    ErrorLine,
)
"""Every type of line, those on standard error last."""

WRITTEN_BY: dict[str, tuple[type[JsonLine], ...]] = {
    "render": (FilesLine, WarningLine, NoteLine),
    "export": (FilesLine, WarningLine, NoteLine),
    "import": (WarningLine,),
    "apply": (EventLine, ChangeLine, OutcomeLine),
    "diff": (EventLine, ChangeLine, OutcomeLine),
    "status": (StatusLine, FleetLine, NoteLine),
    "backup": (JobLine, LogLine, WarningLine, NoteLine),
    "verify": (VerificationLine, NoteLine),
    "history": (HistoryEventLine, HistoryLine, NoteLine),
    "restore": (RestorePlanLine, UnreachableLine, EventLine, ReceiptLine, PreviewLine),
    "drill": (EventLine, DrillLine),
    "logs": (LogLine, NoteLine, FaultLine),
    "releases": (ReleaseLine, WarningLine, NoteLine),
    "uninstall": (ChangeLine, EventLine),
    "explain": (MessageLine, NoteLine),
    "version": (VersionLine,),
}
"""The types of lines by verb; every verb may also end with an error."""


def pages() -> dict[str, str]:
    """Every generated page, by file name."""
    return {
        **answers_reference.pages(),
        "cli.md": _command_line(),
        "exit-codes.md": _exit_codes(),
        "output.schema.json": json.dumps(json_lines.schema_of(LINES), indent=2) + "\n",
    }


# ---- cli.md --------------------------------------------------------------------------------------------------------


def _command_line() -> str:
    lines = ["# The command line", ""]
    lines += _text("Generated from the table of verbs by `make docs`. `pgwizard VERB --help` prints the same.")
    lines += ["| verb | what it does |", "|---|---|"]
    lines += [f"| [`{verb.name}`](#{verb.name}) | {verb.summary} |" for verb in VERBS.values()]
    lines += ["", *_text(_ACCEPTANCE), "## Without a verb", "", *_text(_WITHOUT)]
    lines += [*_options(WITHOUT_VERB), ""]
    lines += [line for verb in VERBS.values() for line in _verb(verb)]
    lines += ["## Options that exclude each other", ""]
    lines += [f"- `{first.flag}` and `{second.flag}`" for first, second in EXCLUSIVE]
    lines += [
        "",
        *_text(_DRY_RUN),
        "## Output",
        "",
        *_text(_OUTPUT),
        *_text(_JSON),
        "| type | what it is |",
        "|---|---|",
    ]
    lines += [f"| `{line.type_name}` | {' '.join((line.__doc__ or '').split())} |" for line in LINES]
    lines += ["", "| verb | types of its lines |", "|---|---|"]
    for verb, kinds in WRITTEN_BY.items():
        types: tuple[type[JsonLine], ...] = (*kinds, ErrorLine)
        lines.append(f"| `{verb}` | {', '.join(f'`{line.type_name}`' for line in types)} |")
    return "\n".join(lines) + "\n"


_ACCEPTANCE = """\
Options may come before or after the verb, and their names cannot be abbreviated. A verb accepts the options that are
listed with it and refuses all others with exit code 2; none is ignored. Everything after `--` is an argument."""
_WITHOUT = """\
`pgwizard` opens the wizard. `pgwizard --headless FILE` is `render`, and `pgwizard --headless FILE --apply` is
`apply`, each with its options."""
_DRY_RUN = """\
`apply --dry-run` accepts every option of `apply`, even those that only matter when it writes, such as `--yes`,
`--no-wait` and `--timeout`: a pipeline can try the same command that it runs next."""
_OUTPUT = """\
Data goes to standard output, everything else to standard error. Both are UTF-8 in every locale. If standard
output cannot be written, the run ends with exit code 3: see [exit codes](exit-codes.md)."""
_JSON = f"""\
With `--json` each line is one JSON object, on standard error too. `type` is the kind of the line, and `apiVersion` is
`{json_lines.API_VERSION}` until a key changes its meaning or is removed. Every key of a type is always present; `null`
means none, or not known. Times are ISO 8601 in UTC, sizes are bytes. [output.schema.json](output.schema.json) is the
JSON schema of a line. There are four exceptions: `render --json` without `-o` prints one Kubernetes `List` for
`kubectl apply -f -`, `export --values-only --json` prints the values of the chart, `import --json` prints the answers,
and a question on a terminal is plain text on standard error (`--yes` skips it)."""


def _text(text: str) -> list[str]:
    return [*textwrap.wrap(" ".join(text.split()), 118, break_long_words=False, break_on_hyphens=False), ""]


def _verb(verb: Verb) -> Iterator[str]:
    yield from (f"## {verb.name}", "", *_text(f"{verb.summary}. {verb.description}"))
    yield from ("```", *(f"$ {line}" for line in verb.example.splitlines()), "```", "")
    yield from (f"`{usage.synopsis(verb)}`", "")
    if verb.arguments:
        yield from ("| argument | meaning |", "|---|---|")
        yield from (f"| `{argument}` | {_cell(argument.help)} |" for argument in verb.arguments)
        yield ""
    if verb.options:
        yield from (*_options(verb.options), "")


def _options(options: tuple[Option[Any], ...]) -> Iterator[str]:
    yield from ("| option | meaning |", "|---|---|")
    yield from (f"| `{_cell(usage.spelling(option))}` | {_cell(option.help)} |" for option in options)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# ---- exit-codes.md -------------------------------------------------------------------------------------------------


def _exit_codes() -> str:
    rows: dict[int, tuple[str, list[str]]] = {}
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.PgwizardError):
            rows.setdefault(error.exit_code, (error.meaning, []))[1].append(f"`{error.__name__}`")
    others = {
        DIFFERENCES: f"; with `diff {EXIT_CODE.flag}`: there are differences",
        128 + signal.SIGHUP: "ended by SIGHUP: the terminal was closed. Nothing is left half done, as with 130",
        128 + signal.SIGQUIT: "the wizard was ended by SIGQUIT. Nothing is left half done, as with 130",
        128 + signal.SIGTERM: "ended by SIGTERM. Nothing is left half done, as with 130",
        BROKEN_PIPE: "the reader of standard output ended, as in `pgwizard ... \\| head`",
    }
    for code in others:
        rows.setdefault(code, ("", []))
    lines = [
        "# Exit codes",
        "",
        "Generated from the tree of errors by `make docs`.",
        "",
        "| code | meaning | errors |",
        "|---|---|---|",
        "| 0 | success | |",
        *(
            f"| {code} | {meaning}{others.get(code, '')} | {', '.join(names)} |".replace("|  |", "| |")
            for code, (meaning, names) in sorted(rows.items())
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the generated pages into the folder that the command line names."""
    folder = Path(sys.argv[1])
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
