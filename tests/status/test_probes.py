"""What answers become: pgBackRest's info, the archiver's statistics, the volume, the certificate, the record."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgwizard.kube.api import ExecResult, Ref
from pgwizard.plan.names import ReleaseRef
from pgwizard.release.image_version import ImageVersion
from pgwizard.release.layout import Layout
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import Fault
from pgwizard.status import observe, probes
from pgwizard.status.repository import Backup, RepositoryInfo, Wal
from pgwizard.status.snapshot import Archiver, Volume
from pgwizard.status.verdict import judge
from pgwizard.tls.certificates import read_bundle
from support.faulting import POD, SECRET, clock, live
from support.headless import certificate, pem
from support.observing import on, recorded
from support.snapshots import SYSTEM, segment

RELEASE = ReleaseRef("default", "postgresql")

# ---- reading -------------------------------------------------------------------------------------------------------


def info(**changes: Any) -> Any:
    """What pgBackRest 2.45 says of one backup."""
    ok = {"code": 0, "message": "ok"}
    return [
        {
            "name": "main",
            "status": {**ok, "lock": {"backup": {"held": False}}},
            "repo": [{"cipher": "none", "key": 1, "status": ok}],
            "db": [{"id": 1, "repo-key": 1, "system-id": 7, "version": "15"}],
            "archive": [
                {"database": {"id": 1, "repo-key": 1}, "id": "15-1", "min": segment(1), "max": segment(5)},
            ],
            "backup": [
                {
                    "label": "20261116-020000F",
                    "type": "full",
                    "database": {"id": 1, "repo-key": 1},
                    "archive": {"start": segment(2), "stop": segment(3)},
                    "timestamp": {"start": 1_795_000_000, "stop": 1_795_000_240},
                    "info": {"delta": 30_723_875, "repository": {"delta": 3_900_000, "size": 3_900_000}, "size": 30},
                    "error": None,
                }
            ],
            **changes,
        }
    ]


def having(code: int, message: str) -> dict[str, Any]:
    """The status of a stanza with one repository."""
    status = {"code": code, "message": message}
    return {"status": status, "repo": [{"cipher": "none", "key": 1, "status": status}]}


def test_info_becomes_backups_and_the_range_of_the_archive() -> None:
    assert probes.repository_of(info()) == RepositoryInfo(
        (
            Backup(
                "20261116-020000F",
                "full",
                datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC),
                datetime(2026, 11, 18, 11, 10, 40, tzinfo=UTC),
                30,
                3_900_000,
                segment(2),
                segment(3),
            ),
        ),
        "",
        Wal(segment(1), segment(5)),
        system_id="7",
        version="15",
    )


def test_numbers_that_are_written_as_text_give_the_same_repository() -> None:
    def as_text(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: as_text(item) for key, item in value.items()}
        if isinstance(value, list):
            return [as_text(item) for item in value]
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    assert probes.repository_of(as_text(info())) == probes.repository_of(info())
    assert probes.repository_of(as_text(info())).backups
    other = {"key": "2", "status": {"code": "99", "message": "unreachable"}}
    own = {"key": "1", "status": {"code": "0", "message": "ok"}}
    assert probes.repository_of(info(repo=[other, own])) == probes.repository_of(info())


@pytest.mark.parametrize("figures", [{"delta": None, "size": None}, None])
def test_a_figure_that_is_not_known_does_not_hide_the_backup(figures: Any) -> None:
    answer = info()
    for backup in answer[0]["backup"]:
        backup["info"] = {"size": None, "repository": figures}
    known = probes.repository_of(info()).backups
    assert probes.repository_of(answer).backups == tuple(replace(backup, size=0, stored=0) for backup in known)


def test_backups_of_an_earlier_cluster_are_left_out() -> None:
    two = [{"id": 1, "system-id": 7}, {"id": 2, "system-id": 8}]
    assert probes.repository_of(info(db=two)) == RepositoryInfo((), "", None, system_id="8")
    assert probes.repository_of(info(db=two[::-1])) == RepositoryInfo((), "", None, system_id="8")


@pytest.mark.parametrize(
    ("answer", "stanza"),
    [
        ([], "the stanza has not been created"),
        (info(**having(1, "missing stanza path"), backup=[], archive=[]), "missing stanza path"),
        (info(**having(2, "no valid backups"), backup=[]), ""),
        (info(status={"code": 1, "message": "missing stanza path"}, repo=[], backup=[]), "missing stanza path"),
    ],
)
def test_a_missing_stanza_differs_from_an_empty_one(answer: Any, stanza: str) -> None:
    result = probes.repository_of(answer)
    assert (result.backups, result.stanza) == ((), stanza)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            info(
                status={"code": 99, "message": "other"},
                repo=[{"status": {"code": 99, "message": "[CryptoError] unable to\x1b[2J verify"}}],
            ),
            r"^\[CryptoError\] unable to \[2J verify$",
        ),
        (info(status={"code": 99, "message": "other"}, repo=[]), "^other$"),
        ({"name": "main"}, "answered with something else: TypeError"),
        (info(backup=[{"label": "x"}]), "answered with something else: KeyError"),
        (
            info(backup=[{**info()[0]["backup"][0], "timestamp": {"start": 10**30, "stop": 10**30}}]),
            "answered with something else: OverflowError",
        ),
        (info(backup=[{**info()[0]["backup"][0], "error": "false"}]), "answered with something else: TypeError"),
        (info(repo=[{"key": "one", "status": {"code": 0, "message": "ok"}}]), "something else: ValueError"),
        (info(repo=[{"key": True, "status": {"code": 0, "message": "ok"}}]), "something else: TypeError"),
        (info(repo=[{"key": 1, "status": {"code": None, "message": "ok"}}]), "something else: TypeError"),
        (None, "answered with something else: TypeError"),
    ],
)
def test_a_repository_that_could_not_be_read_is_not_an_empty_one(answer: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        probes.repository_of(answer)


def test_the_archiver_is_read_with_and_without_waiting_segments() -> None:
    failed = f"2|{segment(8)}|2026-11-20 10:00:00+00"
    line = f"1204|{segment(9)}|2026-11-23 11:59:22.5+00|{failed}|{SYSTEM}|60|3|67108864|98304\n"
    result = Archiver(
        1204,
        segment(9),
        datetime(2026, 11, 23, 11, 59, 22, 500_000, tzinfo=UTC),
        2,
        segment(8),
        datetime(2026, 11, 20, 10, 0, tzinfo=UTC),
        system_id=SYSTEM,
        timeout_seconds=60,
        timeline=3,
        segment_bytes=67_108_864,
        lsn=98_304,
    )
    assert probes.archiver_of(line) == result
    assert probes.archiver_of(f"{line}3|75\n") == replace(result, waiting=3, waiting_seconds=75)
    assert probes.archiver_of("0|||0|||7|0|1|16777216|0") == Archiver(
        0, "", None, 0, "", None, system_id="7", timeline=1
    )
    for wrong in (
        "",
        "psql: error: connection failed",
        "x|||0|||7|60|1|1|0",
        "0|||0||",
        "0|||0||||60|1|1|0",
        "0|||0|||7|60",
    ):
        with pytest.raises(ValueError, match=r".+"):
            probes.archiver_of(wrong)


def test_the_volume_is_the_last_line_of_df() -> None:
    assert probes.volume_of("    1B-blocks        Avail\n  1000  610\n") == Volume(1000, 610)
    for wrong in ("", "df: no such file", "1B-blocks Avail\n0 0\n"):
        with pytest.raises(ValueError, match=r".+"):
            probes.volume_of(wrong)


def test_psql_gets_the_superuser_or_the_container_s_variable() -> None:
    known, unknown = probes.archiver_command("owner"), probes.archiver_command(None)
    database = (
        "dbname=postgres options='-c statement_timeout=15s -c lock_timeout=0 -c search_path=pg_catalog "
        "-c datestyle=ISO -c timezone=UTC'"
    )
    assert known[:8] == ("psql", "-XAtq", "-U", "owner", "-d", database, "-v", "ON_ERROR_STOP=1")
    assert unknown[:4] == ("bash", "-c", 'exec psql -XAtq -U "${POSTGRES_USER:-postgres}" "$@"', "psql")
    assert known[4:] == unknown[4:]


# ---- asking a cluster ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", [None, "text", 7, ["list"]])
def test_answers_of_another_shape_are_errors(odd: Any) -> None:
    async def scenario(sim: SimCluster) -> None:
        recorded(sim, credentials=odd, repository=odd)
        snapshot = (await observe.look(sim, RELEASE, now=clock(sim))).release
        assert snapshot is not None
        assert (snapshot.backups, snapshot.superuser) == (True, None)

    on(scenario)


def test_a_certificate_whose_source_changed_or_went_is_seen() -> None:
    source = Ref(SECRET, "minio-tls", "minio")

    async def scenario(sim: SimCluster) -> None:
        await sim.patch(source, {"data": {"tls.crt": base64.b64encode(b"no certificate").decode()}})
        snapshot = await observe.look(sim, RELEASE, now=clock(sim))
        assert snapshot.certificate is not None
        assert snapshot.certificate.source == "differs"
        await sim.delete(source)
        snapshot = await observe.look(sim, RELEASE, now=clock(sim))
        assert snapshot.certificate is not None
        assert snapshot.certificate.source == "gone"

    on(scenario)


def test_of_a_bundle_only_what_the_server_s_chain_leads_to_has_an_end() -> None:
    """A member that ends soon is of no account where the server is verified without it."""

    async def scenario(sim: SimCluster) -> None:
        mirror = Ref(SECRET, "postgresql-minio-ca", "default")
        own = base64.b64decode((await sim.get(mirror))["data"]["tls.crt"])
        soon = pem(certificate("other", ends=timedelta(days=2)))
        await sim.patch(mirror, {"data": {"tls.crt": base64.b64encode(soon + own).decode()}})
        at = clock(sim)()
        result = await probes.certificate(sim, Layout.of(RELEASE), ImageVersion(sim, RELEASE), at)
        assert result is not None
        assert result.ends == read_bundle(own).certificates[0].not_after
        sim.faults = [Fault("403", "create", "pods/portforward", times=None)]
        result = await probes.certificate(sim, Layout.of(RELEASE), ImageVersion(sim, RELEASE), at)
        assert result is not None
        assert result.ends == read_bundle(soon).certificates[0].not_after

    on(scenario)


def test_archiving_that_fails_names_its_cause_from_the_server_s_log() -> None:
    line = (
        "P00  ERROR: [103]: unable to find a valid repository: HTTP request failed with 403: <Code>NoSuchBucket</Code>"
    )

    own: list[int] = []

    def psql(command: list[str], _: bytes) -> ExecResult | None:
        failing = (
            f"1|{segment(1)}|2026-11-23 11:00:00+00|3|{segment(2)}|2026-11-23 11:05:00+00|{own[0]}|60|1|16777216|0\n"
            "4|9\n"
        )
        return ExecResult(failing.encode(), b"", 0) if command[0] == "psql" else None

    async def scenario(sim: SimCluster) -> None:
        own.append(sim.runtime.programs.repository("default").system_id)
        sim.runtime.programs.answers.append(psql)
        pod = live(sim, POD, "postgresql-0")
        sim.runtime.logs[pod["metadata"]["uid"], "postgresql"].write(line)
        snapshot = await observe.look(sim, RELEASE, now=clock(sim))
        assert snapshot.archiver is not None
        assert (snapshot.archiver.is_failing, snapshot.archiver.waiting) == (True, 4)
        worst = judge(snapshot).reasons[0]
        assert worst.text == f"archiving fails: {segment(2)} at 2026-11-23 11:05 UTC"
        assert worst.key == "s3-no-bucket"

    on(scenario)


def test_archiving_that_fails_names_its_cause_from_the_collected_log_where_the_container_has_none() -> None:
    line = (
        "P00  ERROR: [103]: unable to find a valid repository: HTTP request failed with 403: <Code>NoSuchBucket</Code>"
    )

    def in_pod(command: list[str], _: bytes) -> ExecResult | None:
        if command[0] == "psql":
            return ExecResult(f"0|||3|{segment(2)}|2026-11-23 11:05:00+00|7|60|1|16777216|0\n4|9\n".encode(), b"", 0)
        return ExecResult(line.encode(), b"", 0) if tuple(command) == probes.COLLECTED_LOG_COMMAND else None

    async def scenario(sim: SimCluster) -> None:
        sim.runtime.programs.answers.append(in_pod)
        result = await probes.archiver(sim, Layout.of(RELEASE), "postgres")
        assert result.fault is not None
        assert result.fault.key == "s3-no-bucket"

    on(scenario)
