"""Odd certificates and bundles get the verdict of the real pgBackRest, but for declared differences."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from pgwizard.tls.certificates import read_bundle
from pgwizard.tls.chain import would_verify
from pgwizard.tls.names import Rules
from support.agreement_pgbackrest import installed
from support.odd_certificates import DIFFERENCES, odd_cases
from support.pgbackrest_cases import ServerCase


def verdict(case: ServerCase) -> str:
    """Empty where pgwizard trusts the server, else why not, in pgBackRest's words if it gets as far as a handshake."""
    try:
        result = would_verify(
            read_bundle(case.trusted), read_bundle(b"".join(case.sent)), case.host, datetime.now(UTC), Rules()
        )
    except ValueError as error:
        return str(error)
    return "" if result.ok else result.message or result.why


@pytest.mark.filterwarnings("ignore")  # of cryptography, about odd certificates
def test_odd_certificates_get_the_verdict_of_the_real_pgbackrest() -> None:
    program = installed()
    if isinstance(program, str):
        pytest.skip(f"not compared with pgbackrest: {program}")
    cases = list(odd_cases())
    answers = program.answers(cases)
    tried = Counter(
        case.label.partition(":")[0] for case, answer in zip(cases, answers, strict=True) if answer is not None
    )
    differing = {}
    for case, answer in zip(cases, answers, strict=True):
        ours = verdict(case)
        if answer is None or (bool(ours) is bool(answer) and (not ours.startswith("[") or ours.startswith(answer))):
            continue
        differing[case.label] = f"pgbackrest {answer or 'trusts it'}, pgwizard {ours or 'trusts it'}"
    assert differing.keys() == DIFFERENCES.keys(), differing
    assert tried.keys() == {"bundle", "shape", "constraint", "key", "purpose", "name"}


def test_each_odd_certificate_has_a_label_of_its_own() -> None:
    assert max(Counter(case.label for case in odd_cases()).values()) == 1
