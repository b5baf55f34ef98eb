"""Whether a person is at the terminal, and the screens for one. Loads no Textual before a screen opens."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any

from pgwizard.cli.options import Invocation
from pgwizard.cli.table import CONTEXT, DEMO, KUBECONFIG
from pgwizard.errors import PgwizardError


def at_a_terminal() -> bool:
    """Whether a person sees what is drawn and can answer."""
    return not is_dumb() and all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def is_dumb() -> bool:
    """Whether the terminal, by its type, prints the sequences that move a cursor as text."""
    return os.environ.get("TERM") == "dumb"


def face(call: Invocation, **start: Any) -> int:
    """Open the terminal face and return its exit code. Imports nothing that the first paint does not need.

    Raises PgwizardError where a screen failed: Textual would print a traceback with every local variable, and exit 0.
    """
    from rich.console import Console

    from pgwizard.cli import start as cli_start
    from pgwizard.tui.app import WizardApp

    place: dict[str, Any] = {"context": call[CONTEXT], "kubeconfig": call[KUBECONFIG], "demo": call[DEMO]}
    app = WizardApp(cli_start.start(**place, **start))
    last_words = io.StringIO()
    if not (shows_traceback := "PGWIZARD_TRACEBACK" in os.environ):
        app.error_console = Console(file=last_words, width=app.error_console.width)
    code = app.run() or app.return_code or 0
    has_failed = code == 1  # what Textual returns after an exception
    if sys.stderr is not None and not has_failed:
        with contextlib.suppress(OSError):
            sys.stderr.write(last_words.getvalue())
    if app.remarks and sys.stderr is not None:
        from pgwizard.text import fit_line

        with contextlib.suppress(OSError):
            sys.stderr.writelines(f"{fit_line(line)}\n" for line in "".join(app.remarks).splitlines())
    for name in ("stdout", "stderr"):  # a terminal that was closed: the interpreter would fail on it at its end
        try:
            getattr(sys, name).flush()
        except (OSError, AttributeError):
            setattr(sys, name, None)
    if has_failed and not shows_traceback:
        raise PgwizardError(
            f"{PgwizardError.meaning}: a screen failed. Your answers are not the cause; the wizard offers them again.",
            hint="Set PGWIZARD_TRACEBACK=1 to see where it happened, and report it.",
        )
    return code
