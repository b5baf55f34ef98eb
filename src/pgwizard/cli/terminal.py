"""Whether a person is at the terminal, and the screens for one. Loads no Textual before a screen opens."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from pgwizard.cli.options import Invocation
from pgwizard.cli.table import CONTEXT, DEMO, KUBECONFIG


def at_a_terminal() -> bool:
    """Whether a person sees what is drawn and can answer."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def face(call: Invocation, **start: Any) -> int:
    """Open the terminal face and return its exit code. Imports nothing that the first paint does not need."""
    from pgwizard.cli import start as cli_start
    from pgwizard.tui.app import WizardApp

    place: dict[str, Any] = {"context": call[CONTEXT], "kubeconfig": call[KUBECONFIG], "demo": call[DEMO]}
    app = WizardApp(cli_start.start(**place, **start))
    code = app.run() or 0
    if app.remarks and sys.stderr is not None:
        from pgwizard.text import fit_line

        with contextlib.suppress(OSError):
            sys.stderr.writelines(f"{fit_line(line)}\n" for line in "".join(app.remarks).splitlines())
    for name in ("stdout", "stderr"):  # a terminal that was closed: the interpreter would fail on it at its end
        try:
            getattr(sys, name).flush()
        except (OSError, AttributeError):
            setattr(sys, name, None)
    return code
