"""argv to one verb, by a lazy import of its face. Exit codes leave here, and no traceback ever does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from pgwizard import __version__

if TYPE_CHECKING:
    import argparse

    from pgwizard.cli.connect import ClusterSource

DASHBOARD = "pgwizard.tui.screens.status:Dashboard"
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
    if options.verb is None and options.headless is None and not _at_a_terminal():
        parser.error("expected --headless FILE or a verb; begin with: pgwizard init -o answers.yaml")
    for flag in _APPLYING if options.verb in _TAKEN else ():
        name = flag.removeprefix("--").replace("-", "_")
        if flag not in _TAKEN[options.verb] and getattr(options, name) != parser.get_default(name):
            parser.error(f"{options.verb} takes no {flag}")
    try:
        _dispatch(options)
    except PgwizardError as error:
        from pgwizard.cli.printer import report

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
    if options.verb is None and options.headless is None:
        _wizard(options)
        return
    verb = {
        "init": _init,
        "schema": _schema,
        "diff": _apply,
        "uninstall": _uninstall,
        "releases": _releases,
        "status": _status,
    }.get(options.verb, _apply if options.apply or options.dry_run or options.diff else _render)
    verb(options)


def _at_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _wizard(options: argparse.Namespace) -> None:
    from pathlib import Path

    folder = Path(options.answers).parent if options.answers not in (None, "-") else Path()
    _open(options, raw=_answers(options) if options.answers else None, folder=folder)


def _open(options: argparse.Namespace, **start: Any) -> None:
    """The terminal face. Imports nothing that the first paint does not need."""
    from pgwizard.cli import start as cli_start
    from pgwizard.tui.app import WizardApp

    place = {"context": options.context, "kubeconfig": options.kubeconfig, "demo": options.demo}
    code = WizardApp(cli_start.start(**place, **start)).run()
    if code:
        sys.exit(code)


def _answers(options: argparse.Namespace) -> dict[str, Any]:
    """The answers of a file, right or wrong: the wizard says what is wrong with them. Raises AnswersError."""
    from pgwizard.answers import strict_yaml
    from pgwizard.cli.source import Source, read
    from pgwizard.errors import AnswersError, Finding

    document = strict_yaml.read(read(Source(options.answers)))
    if document.problems or not isinstance(document.value, dict):
        found = document.problems or [Finding("", "expected a block of keys: begin with release:")]
        raise AnswersError(options.answers, found)
    return document.value


def _init(options: argparse.Namespace) -> None:
    from pgwizard.answers.reference import commented_answers
    from pgwizard.cli.printer import put
    from pgwizard.local.files import write_text

    if options.output:
        write_text(options.output, commented_answers())
    else:
        put(commented_answers())


def _schema(_: argparse.Namespace) -> None:
    import json

    from pgwizard.answers.reference import schema
    from pgwizard.cli.printer import put

    put(json.dumps(schema(), indent=2) + "\n")


def _render(options: argparse.Namespace) -> None:
    from pgwizard.cli.render import render
    from pgwizard.cli.source import Source

    source = Source(options.headless, tuple(options.set), options.ca_file)
    render(source, folder=options.output, as_json=options.json)


def _apply(options: argparse.Namespace) -> None:
    from pgwizard.cli import verbs as cli_verbs
    from pgwizard.cli.source import Source
    from pgwizard.release.apply import Options

    looking = options.verb == "diff" or not options.apply or options.dry_run
    cli_verbs.apply(
        Source(options.file if options.verb == "diff" else options.headless, tuple(options.set), options.ca_file),
        _place(options),
        Options(
            dry_run=looking,
            wait=not options.no_wait,
            timeout_seconds=options.timeout,
            force_conflicts=options.force_conflicts,
        ),
        yes=options.yes,
        whole=options.verb == "diff" or options.diff,
        as_json=options.json,
    )


def _uninstall(options: argparse.Namespace) -> None:
    from pgwizard.cli import verbs as cli_verbs

    cli_verbs.uninstall(
        options.release,
        options.namespace,
        _place(options),
        purge_data=options.purge_data,
        yes=options.yes,
        as_json=options.json,
    )


def _releases(options: argparse.Namespace) -> None:
    from pgwizard.cli import verbs as cli_verbs

    cli_verbs.releases(options.namespace, _place(options), everywhere=options.all, as_json=options.json)


def _status(options: argparse.Namespace) -> None:
    """The screen where a person can see it, else one snapshot; the latter loads no Textual."""
    if options.json or not _at_a_terminal():
        from pgwizard.cli import verbs as cli_verbs

        cli_verbs.status(options.release or "", options.namespace, _place(options), as_json=options.json)
    else:
        _open(options, screen=DASHBOARD, release=(options.release or "", options.namespace))


def _place(options: argparse.Namespace) -> ClusterSource:
    from pgwizard.cli.connect import ClusterSource

    return ClusterSource(options.context, options.kubeconfig, options.demo, released=options.verb == "status")


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog="pgwizard",
        description="From an empty namespace and a bucket to a PostgreSQL whose backups are proven to work.",
        epilog="Without a verb and --headless it opens the wizard; --demo on a simulated cluster. Exit codes: "
        "docs/exit-codes.md.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pgwizard {__version__}")
    parser.add_argument("--headless", metavar="FILE", help="the answers; - reads standard input. Prints the manifests")
    parser.add_argument("--answers", metavar="FILE", help="open the wizard with the answers of a file")
    parser.add_argument("-o", "--output", metavar="DIR", help="write the manifests there, one file an object")
    parser.add_argument(
        "--apply", action="store_true", help="bring them into the cluster, and wait for the first backup"
    )
    _shared(parser, suppressed=False)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    init = verbs.add_parser("init", help="print a commented file of answers with every default")
    init.add_argument("-o", "--output", metavar="FILE", help="write it there instead; an existing file is kept")
    verbs.add_parser("schema", help="print the JSON schema of the answers, for an editor")
    diff = verbs.add_parser("diff", help="show what an apply would change; nothing is written")
    diff.add_argument("file", metavar="FILE", help="the answers; - reads standard input")
    uninstall = verbs.add_parser("uninstall", help="remove a release; its volume, Secrets and backups stay")
    uninstall.add_argument("release", metavar="NAME", help="the release")
    uninstall.add_argument("--purge-data", metavar="NAME", help="delete volume and Secrets as well; repeat the name")
    releases = verbs.add_parser("releases", help="list the releases of a namespace")
    releases.add_argument("-A", "--all", action="store_true", help="of all namespaces")
    status = verbs.add_parser("status", help="whether a release could be recovered, and why not; 0 only if it could")
    status.add_argument("release", metavar="NAME", nargs="?", help="the release; the only one there is by default")
    for verb in (uninstall, releases, status):
        verb.add_argument("-n", "--namespace", help="the namespace; the kubeconfig's by default")
    _shared(diff, suppressed=True)
    for name, verb in (("uninstall", uninstall), ("releases", releases), ("status", status)):
        _shared(verb, suppressed=True, only=_TAKEN[name])
    return parser


_WHERE = ("--json", "--context", "--kubeconfig", "--demo")
_APPLYING = ("--set", "--ca-file", "--dry-run", "--diff", "--yes", "--no-wait", "--timeout", "--force-conflicts")
"""What means something to an apply; to be ignored would be worse than to be refused: an uninstall has no dry run."""
_TAKEN = {"uninstall": (*_WHERE, "--yes"), "releases": _WHERE, "status": _WHERE}
"""By verb, the shared options that it takes; the others take all."""


def _shared(parser: argparse.ArgumentParser, *, suppressed: bool, only: Sequence[str] = ()) -> None:
    """Options that stand before or after a verb; a verb's own must not overwrite what stood before it.

    only: those that mean something to the verb; empty for all.
    """
    from argparse import SUPPRESS

    def add(flag: str, default: object, **settings: Any) -> None:
        if not only or flag in only:
            parser.add_argument(flag, default=SUPPRESS if suppressed else default, **settings)

    add("--set", [], metavar="PATH=VALUE", action="append", help="override one answer, such as storage.size=20Gi")
    add("--ca-file", None, metavar="FILE", help="the certificate to trust, where its Secret cannot be looked up")
    add("--json", False, action="store_true", help="JSON on stdout, and JSON lines on stderr")
    add("--context", None, help="the kubeconfig's context; its current one by default")
    add("--kubeconfig", None, metavar="FILE", help="instead of $KUBECONFIG or ~/.kube/config")
    add("--demo", False, action="store_true", help="a simulated cluster inside this process")
    add("--dry-run", False, action="store_true", help="try everything on the server, write nothing")
    add("--diff", False, action="store_true", help="show whole objects and differences before anything is written")
    add("--yes", False, action="store_true", help="do not ask")
    add("--no-wait", False, action="store_true", help="do not wait for the pod and the first backup")
    add("--timeout", 600.0, metavar="SECONDS", type=float, help="how long to wait for the pod; 600 by default")
    add("--force-conflicts", False, action="store_true", help="take over fields that another tool owns")
