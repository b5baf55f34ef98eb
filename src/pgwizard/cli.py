"""argv to one verb, by a lazy import of its face. Exit codes leave here, and no traceback ever does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from pgwizard import __version__

if TYPE_CHECKING:
    import argparse

BROKEN_PIPE = 141
"""128 + SIGPIPE, as a shell reports a program whose reader went away."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run and exit."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if argv == ["--version"]:
        sys.stdout.write(f"pgwizard {__version__}\n")
        sys.exit(0)
    if arguments is not None:
        sys.exit(_run(argv))
    import gc

    # Nearly all of what a start allocates stays until the end: looking through it again and again costs a tenth of it.
    gc.set_threshold(50_000)
    code = _run(argv)
    gc.freeze()  # the interpreter's last collection has nothing to look through
    sys.exit(code)


def _run(argv: list[str]) -> int:
    from pgwizard.errors import Interrupted, OutputError, PgwizardError

    parser = _parser()
    options = parser.parse_args(argv)
    if options.verb is None and options.headless is None:
        parser.error("expected --headless FILE or a verb; begin with: pgwizard init -o answers.yaml")
    try:
        _dispatch(options)
    except PgwizardError as error:
        from pgwizard.console import report

        report(error, as_json=getattr(options, "json", False))
        if isinstance(error, OutputError):
            sys.stdout = None  # so that the interpreter does not flush into it again
        return error.exit_code
    except KeyboardInterrupt:
        return Interrupted.exit_code
    except BrokenPipeError:
        sys.stdout = None  # so that the interpreter does not flush into it again
        return BROKEN_PIPE
    except Exception as error:
        import os

        if os.environ.get("PGWIZARD_TRACEBACK"):
            raise
        sys.stderr.write(
            f"pgwizard: a defect of pgwizard itself: {type(error).__name__}. Nothing is known to be wrong with your "
            "answers.\nSet PGWIZARD_TRACEBACK=1 to see where, and report it.\n"
        )
        return PgwizardError.exit_code
    return 0


def _dispatch(options: argparse.Namespace) -> None:
    if options.verb == "init":
        from pgwizard.console import put, write_text
        from pgwizard.reference import commented_answers

        if options.output:
            write_text(options.output, commented_answers())
        else:
            put(commented_answers())
    elif options.verb == "schema":
        import json

        from pgwizard.console import put
        from pgwizard.reference import schema

        put(json.dumps(schema(), indent=2) + "\n")
    else:
        from pgwizard.console import Source, render

        render(
            Source(options.headless, tuple(options.set), options.ca_file), folder=options.output, as_json=options.json
        )


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog="pgwizard",
        description="From an empty namespace and a bucket to a PostgreSQL whose backups are proven to work.",
        epilog="Exit codes: docs/exit-codes.md. Begin with: pgwizard init -o answers.yaml",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pgwizard {__version__}")
    parser.add_argument("--headless", metavar="FILE", help="the answers; - reads standard input. Prints the manifests")
    parser.add_argument("-o", "--output", metavar="DIR", help="write the manifests there, one file an object")
    parser.add_argument(
        "--set",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        help="override one answer, such as storage.size=20Gi",
    )
    parser.add_argument(
        "--ca-file", metavar="FILE", help="the certificate to trust, where its Secret cannot be looked up"
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout, and JSON lines on stderr")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    init = verbs.add_parser("init", help="print a commented file of answers with every default")
    init.add_argument("-o", "--output", metavar="FILE", help="write it there instead; an existing file is kept")
    verbs.add_parser("schema", help="print the JSON schema of the answers, for an editor")
    return parser
