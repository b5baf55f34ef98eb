"""pgwizard against the programs whose behaviour it foretells: ``make agreement`` prints the table.

A comparison is a function that yields rows, one for each program that it could ask; ``COMPARISONS`` lists them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass

COMPARISONS = (
    "support.agreement_pgbackrest:compare",
    "support.agreement_cron:compare",
    "support.agreement_kubeconfigs:compare",
)
"""``module:function``; each is called without arguments and returns an iterable of ``Row``."""


@dataclass(frozen=True, slots=True)
class Row:
    """what: is compared, such as ``chains``. oracle: the program, with its version. tried: cases that it decided.

    disagreements: one line each. absent: why the oracle could not be run; then nothing was tried.
    """

    what: str
    oracle: str
    tried: int = 0
    disagreements: tuple[str, ...] = ()
    absent: str = ""

    @property
    def agreed(self) -> int:
        """How many of the cases."""
        return self.tried - len(self.disagreements)


def table(rows: Iterable[Row]) -> str:
    """One line a row, and below them each disagreement."""
    lines = [f"{'what':<12}{'program':<38}{'tried':>7}{'agreed':>8}"]
    below: list[str] = []
    for row in rows:
        figures = f"  {row.absent}" if row.absent else f"{row.tried:>7,}{row.agreed:>8,}"
        lines.append(f"{row.what:<12}{row.oracle:<38}{figures}")
        below += [f"{row.what}, {row.oracle}: {text}" for text in row.disagreements]
    return "\n".join(lines + below)


def main() -> int:
    """1 where a program disagrees; a program that is absent is named in the table and changes nothing."""
    rows: list[Row] = []
    for dotted in COMPARISONS:
        module, _, function = dotted.partition(":")
        rows += getattr(importlib.import_module(module), function)()
    print(table(rows))
    return 1 if any(row.disagreements for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
