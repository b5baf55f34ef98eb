"""A fault at every request, and a kill around it: a sample of the table that ``make faults`` prints in full."""

from __future__ import annotations

import asyncio
import functools

import pytest

from pgwizard.answers.secrets import Sensitive
from pgwizard.errors import Finding
from pgwizard.release import apply, secret_values
from pgwizard.release.apply import ApplyOutcome
from support import faulting, simtime
from support.faulting import Bench, Case

SAMPLE = 83


@functools.cache
def bench() -> Bench:
    return Bench.built()


@pytest.mark.parametrize("kind", faulting.KINDS)
def test_an_apply_survives_a_fault_at_any_request(kind: str) -> None:
    cases = [case for case in bench().cases()[::SAMPLE] if case.kind == kind]
    assert {case.verb for case in cases} == {"install", "upgrade"}
    assert [verdict for verdict in map(bench().judge, cases) if verdict.violations] == []


def test_a_run_is_reported_at_its_first_and_its_last_request() -> None:
    for verb in ("install", "upgrade"):
        for nth in (1, bench().lengths[verb]):
            for kind in ("kill-before", "kill-after"):
                verdict = bench().judge(Case(verb, kind, nth))
                assert (verdict.error, verdict.violations) == ("killed", ())


def test_the_table_counts() -> None:
    cases = [Case("install", "429", 1), Case("install", "429", 2), Case("install", "429", 3)]
    verdicts = [
        faulting.Verdict(cases[0], True, "", ()),
        faulting.Verdict(cases[1], False, "ServerFailure", ()),
        faulting.Verdict(cases[2], False, "", ("hung",)),
    ]
    assert faulting.table(verdicts).splitlines() == [
        "fault  during   tried  converged at once  clean error, then converged  violations",
        "429    install  3      1                  1                            1",
        "all             3      1                  1                            1",
    ]


def test_a_hang_is_a_violation() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="hangs"):
        simtime.run(forever())


def test_a_password_that_an_apply_changes_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_values, "_missing", lambda _, given, __: given)
    monkeypatch.setattr(secret_values, "_lost_password", lambda *_: Finding(text="lost", severity="warning"))
    verdict = bench().judge(Case("upgrade", "500", 1))
    assert "the password was lost or changed" in verdict.violations


def test_a_leaked_password_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sensitive, "__repr__", lambda self: self.reveal().decode())
    monkeypatch.setattr(
        ApplyOutcome, "__repr__", lambda _: f"{Sensitive(faulting.CANARIES['s3_secretKey'].encode())!r}"
    )
    verdict = bench().judge(Case("install", "429", bench().lengths["install"]))
    assert "a secret leaked" in verdict.violations


def test_an_error_of_another_class_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise KeyError("defect")

    monkeypatch.setattr(apply, "_is_up_to_date", broken)
    verdict = bench().judge(Case("install", "429", 1))
    assert "not a classified error: KeyError: 'defect'" in verdict.violations
