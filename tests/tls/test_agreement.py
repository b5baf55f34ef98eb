"""A few of the cases of ``make agreement``, compared with the pgBackRest of this machine."""

from __future__ import annotations

import pytest

from support.agreement import Row, table
from support.agreement_pgbackrest import compare_with, installed
from support.pgbackrest_cases import cases


@pytest.mark.filterwarnings("ignore")  # of cryptography, about odd certificates
def test_chains_and_names_get_the_verdict_of_the_real_pgbackrest() -> None:
    program = installed()
    if isinstance(program, str):
        pytest.skip(f"not compared with pgbackrest: {program}")
    rows = compare_with(program, list(cases(24)))
    assert [(row.what, row.tried, row.disagreements) for row in rows] == [("chains", 16, ()), ("names", 8, ())], table(
        rows
    )


def test_the_table_shows_what_disagreed_and_what_was_absent() -> None:
    rows = [Row("chains", "pgbackrest 2.45", 1500, ("a: trusts it, pgwizard False",)), Row("cron", "Go", absent="gone")]
    assert table(rows).splitlines() == [
        "what        program                                 tried  agreed",
        "chains      pgbackrest 2.45                         1,500   1,499",
        "cron        Go                                      gone",
        "chains, pgbackrest 2.45: a: trusts it, pgwizard False",
    ]
