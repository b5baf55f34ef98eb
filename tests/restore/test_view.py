"""What a restore knows of a repository without its server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pgwizard.plan.names import ReleaseRef
from pgwizard.release.record import Record, Revision
from pgwizard.restore.view import has_own_repository, segment_bytes
from pgwizard.status.repository import Backup

AT = datetime(2026, 11, 28, 11, 42, 34, tzinfo=UTC)
BACKUP = Backup("A", "full", AT, AT, 1, 1, "", "")
MIB = 2**20


@pytest.mark.parametrize(
    ("ends", "size"),
    [
        ([], 16 * MIB),
        ([(0x3000138, "000000010000000000000003")], 16 * MIB),
        ([(0x4000000, "000000010000000000000003")], 16 * MIB),
        ([(0x3000138, "000000010000000000000030")], MIB),
        ([(0x1_0000_0138, "000000010000000100000000"), (0xC000138, "000000010000000000000003")], 64 * MIB),
        ([(0, "000000010000000000000030")], 16 * MIB),
        ([(0x3000138, "no segment")], 16 * MIB),
    ],
)
def test_the_size_of_a_segment_follows_from_the_ends_of_backups(ends: list[tuple[int, str]], size: int) -> None:
    assert segment_bytes([replace(BACKUP, lsn_stop=lsn, wal_stop=name) for lsn, name in ends]) == size


def test_a_repository_is_the_release_s_own_once_an_apply_has_succeeded_with_it() -> None:
    def kept(*revisions: tuple[str, str]) -> Record:
        made = [
            Revision(number, AT.isoformat(), outcome, "", {"repository": {"path": path}})  # type: ignore[arg-type]
            for number, (outcome, path) in enumerate(revisions, start=1)
        ]
        return Record(ReleaseRef("shop", "db"), revisions=tuple(made))

    assert has_own_repository(kept(("deployed", "/a")))
    assert has_own_repository(kept(("deployed", "/a"), ("failed", "/a")))
    assert not has_own_repository(kept(("deployed", "/a"), ("failed", "/b")))
    assert not has_own_repository(kept(("failed", "/a")))
    assert not has_own_repository(kept())
