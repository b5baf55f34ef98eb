"""argv to one verb, by a lazy import of its function. Exit codes leave here, and no traceback ever does."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from pgwizard import __version__

if TYPE_CHECKING:
    from pgwizard.cli.writer import Writer

BROKEN_PIPE = 141
"""128 + SIGPIPE, as a shell reports a program whose output was closed."""
GC_THRESHOLD = 100_000
"""Nearly all that a start allocates lives until the end: one collection of it costs a twentieth of the time."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if argv == ["--version"] and sys.stdout is not None:
        with contextlib.suppress(OSError):  # if it cannot be written, the usual path reports that
            sys.stdout.write(f"pgwizard {__version__}\n")
            sys.stdout.flush()
            sys.exit(0)
    if arguments is not None:
        sys.exit(_run(argv))
    import gc
    import os

    gc.set_threshold(GC_THRESHOLD)
    # Plugins of other packages have no part in our models, and looking for one reads what every package installed says.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    code = _run(argv)
    gc.freeze()  # the interpreter's last collection skips it
    sys.exit(code)


def _run(argv: list[str]) -> int:
    from pgwizard.cli.writer import Writer, use_utf8
    from pgwizard.errors import Interrupted, PgwizardError, describe_defect

    use_utf8()
    writer = Writer(
        as_json=any(word.partition("=")[0] == "--json" for word in argv)
    )  # before the command line is read: its errors are JSON too
    try:
        return _call(argv, writer)
    except PgwizardError as error:
        writer.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return Interrupted.exit_code
    except BrokenPipeError:
        return BROKEN_PIPE
    except Exception as error:
        import os

        if os.environ.get("PGWIZARD_TRACEBACK"):
            raise
        defect = PgwizardError(
            f"{describe_defect(error)}. Your answers are not the cause.",
            hint="Set PGWIZARD_TRACEBACK=1 to see where it happened, and report it.",
        )
        writer.error(defect)
        return defect.exit_code
    finally:
        writer.close()


def _call(argv: list[str], writer: Writer) -> int:
    from importlib import import_module

    from pgwizard.cli.parse import parse

    call = parse(argv)
    module, _, name = call.verb.function.partition(":")
    code: int | None = getattr(import_module(f"pgwizard.cli.verbs.{module}"), name)(call, writer)
    return code or 0
