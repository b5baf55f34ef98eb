"""The verification of a repository: what pgBackRest's report means, and that the record keeps it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pgwizard.errors import PreflightError
from pgwizard.kube.api import SECRET, ExecResult
from pgwizard.plan.names import ReleaseRef
from pgwizard.release import record, records, verification
from pgwizard.release.layout import Layout
from pgwizard.release.record import DamagedBackup
from pgwizard.simulator.cluster import SimCluster
from support.faulting import clock, live
from support.observing import on

BEGAN = datetime(2026, 11, 28, 11, 0, tzinfo=UTC)
ENDED = BEGAN + timedelta(seconds=16)
FULL = "20261128-102540F"
INCREMENTAL = f"{FULL}_20261128-102601I"
RELEASE = ReleaseRef("default", "postgresql")
VALID = f"""stanza: main
status: ok
  archiveId: 18-1, total WAL checked: 14, total valid WAL: 14
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: {FULL}, status: valid, total files checked: 1268, total valid files: 1268
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: {INCREMENTAL}, status: valid, total files checked: 1271, total valid files: 1271
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
"""
DAMAGED = f"""stanza: main
status: error
  archiveId: 15-1, total WAL checked: 20, total valid WAL: 19
    missing: 0, checksum invalid: 0, size invalid: 0, other: 1
  backup: {FULL}, status: invalid, total files checked: 1262, total valid files: 1260
    missing: 1, checksum invalid: 1, size invalid: 0, other: 0
  backup: {INCREMENTAL}, status: invalid, total files checked: 1266, total valid files: 1265
    missing: 0, checksum invalid: 0, size invalid: 0, other: 1
"""
SEGMENT = "000000010000000000000007"
LOG = f"""P01   INFO: invalid checksum '{FULL}/pg_data/base/1/1255.gz'
P01   INFO: file missing '{FULL}/bundle/2'
P02   INFO: invalid result 15-1/0000000100000000/{SEGMENT}-1573eb30f14263bb14d56f6a4f6a6f41dc00793b.gz: [29] raised from
                                    [FormatError] on retry after 0ms
P00 DETAIL: archiveId: 15-1, wal start: 000000010000000000000001, wal stop: 000000010000000000000008
"""


def test_a_report_without_faults_is_valid() -> None:
    result = verification.read(VALID, "", BEGAN, ENDED)
    assert (result.is_valid, result.backups, result.segments_checked, result.damaged) == (True, 2, 14, ())
    assert verification.result_lines(result) == ["✓ valid: 2 backups and 14 WAL segments were read in 16 s"]


def test_damaged_backups_files_and_segments_are_named_whatever_the_exit_code() -> None:
    result = verification.read(DAMAGED, LOG, BEGAN, ENDED)
    assert result.damaged == (DamagedBackup(FULL, 2), DamagedBackup(INCREMENTAL, 0, 1))
    assert result.segments == (SEGMENT,)
    assert verification.result_lines(result) == [
        "✗ damaged: 2 backups and 20 WAL segments were read in 16 s",
        f"! backup {FULL}: 2 damaged files",
        f"! backup {INCREMENTAL}: 0 damaged files, 1 not readable",
        "! 1 WAL segment is damaged",
        f"  {FULL}/pg_data/base/1/1255.gz",
        f"  {FULL}/bundle/2",
        f"  {SEGMENT}",
    ]


def test_a_backup_in_progress_is_not_counted() -> None:
    report = f"{VALID}  backup: 20261128-120000F, status: in-progress, total files checked: 0, total valid files: 0\n"
    assert verification.read(report, "", BEGAN, ENDED).backups == 2


@pytest.mark.parametrize("report", ["", "stanza: main\n", "ERROR: [055]: unable to load info file"])
def test_a_report_that_is_not_complete_proves_nothing(report: str) -> None:
    with pytest.raises(ValueError, match="no report"):
        verification.read(report, "", BEGAN, ENDED)


def test_the_result_is_kept_in_the_record_and_outlives_an_apply() -> None:
    async def scenario(sim: SimCluster) -> None:
        label = sim.runtime.programs.repository("default").backups[0]["label"]
        sim.runtime.programs.repository("default").damaged_contents[label] = ["pg_data/base/1/1255.gz"]
        result = await verification.verify(sim, Layout.of(RELEASE), clock(sim))
        assert result.damaged == (DamagedBackup(label, 1),)
        await verification.keep(sim, Layout.of(RELEASE), result)
        before, _ = await records.get(sim, RELEASE)
        assert before.verification == result
        await sim.apply(before.finish(before.inventory, "deployed").secret(), force=True)
        after, _ = await records.get(sim, RELEASE)
        assert after.verification == result

    on(scenario)


def test_a_verification_that_does_not_end_leaves_the_record_as_it_was() -> None:
    async def scenario(sim: SimCluster) -> None:
        refusal = ExecResult(b"", b"ERROR: [039]: HTTP request failed with 403 (Forbidden)", 39)
        sim.runtime.programs.answers.append(lambda command, _: refusal if "verify" in command else None)
        with pytest.raises(PreflightError, match="HTTP request failed with 403"):
            await verification.verify(sim, Layout.of(RELEASE), clock(sim))
        assert (await records.get(sim, RELEASE))[0].verification is None

    on(scenario)


@pytest.mark.parametrize("coded", ["", "!", "bnVsbA==", "e30=", "eyJhdCI6ICJ4In0="])
def test_a_verification_that_cannot_be_read_does_not_hide_the_record(coded: str) -> None:
    async def scenario(sim: SimCluster) -> None:
        secret = live(sim, SECRET, record.secret_ref(RELEASE).name)
        release_record = record.read({**secret, "data": {**secret["data"], record.VERIFICATION_KEY: coded}})
        assert (release_record.verification, release_record.last is not None) == (None, True)

    on(scenario)
