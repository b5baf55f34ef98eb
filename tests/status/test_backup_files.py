"""The files of the backups beside their manifests: what the scripts in the pod print, and what is read of that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pgwizard.status import backup_files
from pgwizard.status.backup_files import BackupFiles, ComparedBackup
from pgwizard.status.repository import DamagedPages, FileFault
from support.local_repository import LocalRepository

FULL = "20261128-102540F"
FIRST, SECOND = f"{FULL}_20261128-110000I", f"{FULL}_20261128-120000I"
BIG = "pg_data/base/16384/16385"
FILES: Mapping[str, Mapping[str, Any]] = {
    "pg_data/PG_VERSION": {"bni": 1, "bno": 30, "repo-size": 23, "size": 3},
    "pg_data/backup_label": {"repo-size": 194, "size": 258},
    "pg_data/base/16384/112": {"bni": 1, "repo-size": 30, "size": 8192},
    "pg_data/base/16384/113": {"bni": 2, "repo-size": 84, "size": 8192},
    "pg_data/base/16384/2604": {"size": 0},
    BIG: {"checksum-page": True, "repo-size": 832, "size": 7340032},
    "pg_data/odd, {name}": {"repo-size": 5, "size": 5},
}
STORED = {
    "bundle/1": 53,
    "bundle/2": 84,
    "pg_data/backup_label.gz": 194,
    f"{BIG}.gz": 832,
    "pg_data/odd, {name}.gz": 5,
}
LATER: dict[str, Mapping[str, Any]] = {
    name: {**about, "reference": FULL} for name, about in FILES.items() if about["size"]
}
LABEL: dict[str, Mapping[str, Any]] = {"pg_data/backup_label": {"repo-size": 194, "size": 258}}
LABEL_STORED = {"pg_data/backup_label.gz": 194}


@pytest.fixture
def repository(tmp_path: Path) -> LocalRepository:
    """A full backup and two incremental ones: of these the second has a copy of its own of the big file."""
    store = LocalRepository(tmp_path)
    store.add(FULL, FILES, STORED)
    store.add(FIRST, LATER | LABEL, LABEL_STORED)
    own: dict[str, Mapping[str, Any]] = {BIG: {"repo-size": 900, "size": 7340032}}
    store.add(SECOND, LATER | LABEL | own, {**LABEL_STORED, f"{BIG}.gz": 900})
    return store


def compared(repository: LocalRepository, known: BackupFiles | None = None) -> BackupFiles:
    if known is None:
        return backup_files.read_first(repository.run(backup_files.first_command(5)))
    fingerprints = backup_files.read_listing(repository.run(backup_files.listing_command(5)))
    requested = backup_files.choose_due(fingerprints, known)
    if not requested:
        return backup_files.drop_expired(fingerprints, known)
    text = repository.run(backup_files.comparison_command(5, requested))
    return backup_files.read_comparison(text, requested, fingerprints, known)


def faults(files: BackupFiles) -> dict[str, tuple[tuple[FileFault, ...], tuple[str, ...]]]:
    return {label: (each.faults, each.needs) for label, each in files.comparisons.items() if each.is_damaged}


def test_backups_whose_files_are_all_there_are_whole_and_not_read_again(repository: LocalRepository) -> None:
    result = compared(repository)
    assert sorted(result.comparisons) == [FULL, FIRST, SECOND]
    assert faults(result) == {}
    assert compared(repository, result) == result
    assert repository.manifests_read == [FULL, FIRST, SECOND]


@pytest.mark.parametrize("size", [None, 0, 831])
def test_a_missing_or_shorter_file_is_named_with_the_backup_that_needs_it(
    repository: LocalRepository, size: int | None
) -> None:
    before = compared(repository)
    file = repository.main / FULL / f"{BIG}.gz"
    file.unlink()
    if size is not None:
        file.write_text("x" * size)
    broken = {FULL: ((FileFault(f"{BIG}.gz", 832, size),), ()), FIRST: ((), (FULL,))}
    assert faults(compared(repository, before)) == faults(compared(repository)) == broken, "the second has its own copy"

    file.write_text("y" * 832)
    assert faults(compared(repository, compared(repository, before))) == {}


def test_a_bundle_that_is_cut_off_makes_all_that_draw_on_it_useless(repository: LocalRepository) -> None:
    (repository.main / FULL / "bundle" / "1").write_text("x" * 52)
    broken = compared(repository)
    assert faults(broken) == {
        FULL: ((FileFault("bundle/1", 53, 52),), ()),
        FIRST: ((), (FULL,)),
        SECOND: ((), (FULL,)),
    }
    repository.add(f"{FULL}_20261128-130000I", LATER | LABEL, LABEL_STORED)
    assert compared(repository, broken).comparisons[f"{FULL}_20261128-130000I"].needs == (FULL,), (
        "of a later backup too"
    )


def test_a_bundle_with_bytes_after_its_last_file_is_whole(repository: LocalRepository) -> None:
    (repository.main / FULL / "bundle" / "1").write_text("x" * 60)
    assert faults(compared(repository)) == {}


def test_an_incremental_copy_by_blocks_needs_the_former_copies(tmp_path: Path) -> None:
    store = LocalRepository(tmp_path)
    store.add(FULL, {BIG: {"bi": 1, "bim": 9, "repo-size": 832, "size": 9000}}, {f"{BIG}.pgbi": 832})
    store.add(FIRST, {BIG: {"bi": 1, "bim": 9, "repo-size": 40, "size": 9000}}, {f"{BIG}.pgbi": 40})
    (store.main / FULL / f"{BIG}.pgbi").unlink()
    assert faults(compared(store)) == {FULL: ((FileFault(f"{BIG}.pgbi", 832),), ()), FIRST: ((), (FULL,))}


@pytest.mark.parametrize(("compression", "ending"), [("none", ""), ("gz", ".gz"), ("zst", ".zst")])
def test_without_bundles_each_file_is_compared_empty_ones_too(tmp_path: Path, compression: str, ending: str) -> None:
    store = LocalRepository(tmp_path)
    files = {"pg_data/a": {"size": 3}, "pg_data/b": {"repo-size": 0, "size": 0}}
    stored = {f"pg_data/a{ending}": 3, f"pg_data/b{ending}": 0}
    store.add(FULL, files, stored, bundles=False, compression=compression)
    assert faults(compared(store)) == {}
    (store.main / FULL / f"pg_data/b{ending}").unlink()
    assert faults(compared(store)) == {FULL: ((FileFault(f"pg_data/b{ending}", 0),), ())}


def test_only_the_first_faults_are_named_and_all_are_counted(tmp_path: Path) -> None:
    store = LocalRepository(tmp_path)
    store.add(FULL, {f"pg_data/{number}": {"size": 9} for number in range(12)}, {})
    broken = compared(store).comparisons[FULL]
    assert (len(broken.faults), broken.fault_count) == (backup_files.FAULTS_NAMED, 12)


def test_a_manifest_may_be_missing_as_long_as_its_copy_is_there(repository: LocalRepository) -> None:
    (repository.main / FULL / "backup.manifest").write_text("cut off")
    assert faults(compared(repository)) == {}
    (repository.main / FULL / "backup.manifest.copy").unlink()
    assert faults(compared(repository))[FULL] == ((FileFault("backup.manifest", 0),), ())


def test_a_backup_that_expires_meanwhile_is_no_fault(repository: LocalRepository) -> None:
    fingerprints = backup_files.read_listing(repository.run(backup_files.listing_command(5)))
    repository.forget(SECOND)
    (repository.main / SECOND / f"{BIG}.gz").unlink()
    requested = backup_files.choose_due(fingerprints, BackupFiles())
    text = repository.run(backup_files.comparison_command(5, requested))
    result = backup_files.read_comparison(text, requested, fingerprints, BackupFiles())
    assert sorted(result.comparisons) == [FULL, FIRST]
    assert faults(result) == {}


def test_a_folder_that_is_gone_is_a_backup_without_a_manifest(repository: LocalRepository) -> None:
    before = compared(repository)
    for file in sorted((repository.main / SECOND).rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    assert faults(compared(repository, before)) == {SECOND: ((FileFault("backup.manifest", 0),), ())}


def test_damaged_pages_are_named_by_file_and_database(tmp_path: Path) -> None:
    store = LocalRepository(tmp_path)
    damage = {"checksum-page": False, "checksum-page-error": [3, [7, 8]], "repo-size": 832, "size": 9000}
    store.add(FULL, {BIG: damage}, {f"{BIG}.gz": 832})
    page = DamagedPages("base/16384/16385", "3, 7-8", "shop")
    assert compared(store).comparisons[FULL].pages == (page,)
    assert page.filenode == (0, 16385)
    assert DamagedPages("pg_tblspc/99/PG_15_202209061/16384/16390.1", "0").filenode == (99, 16390)


def test_an_empty_repository_has_no_backups(tmp_path: Path) -> None:
    assert compared(LocalRepository(tmp_path)) == BackupFiles()


def test_a_store_that_refuses_is_a_failure_and_no_missing_file(repository: LocalRepository) -> None:
    refusal = "ERROR: [039]: HTTP request failed with 403 (Forbidden)"
    assert refusal in repository.run(backup_files.listing_command(5), refusal=refusal, expect=1)
    assert refusal in repository.run(backup_files.comparison_command(5, [FULL]), refusal=refusal, expect=1)


@pytest.mark.parametrize("unreadable", ["backup.manifest", "backup.info"])
def test_a_store_that_fails_for_a_single_file_is_a_failure_too(repository: LocalRepository, unreadable: str) -> None:
    repository.run(backup_files.comparison_command(5, [FULL]), unreadable=unreadable, expect=49)
    if unreadable == "backup.info":
        repository.run(backup_files.listing_command(5), unreadable=unreadable, expect=49)


@pytest.mark.parametrize("line", ["backup x", "what", "files", "fault a b c d", "backup 20261128-102540F more"])
def test_anything_else_than_the_scripts_print_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="has the line"):
        backup_files.read_listing(line)
    with pytest.raises(ValueError, match="has the line"):
        backup_files.read_comparison(f"{line} \x1b[2J", (), {}, BackupFiles())


def test_a_listing_of_many_backups_is_compared_in_parts_the_newest_first() -> None:
    labels = [f"2026{month:02}{day:02}-020000F" for month in range(1, 4) for day in range(1, 29)]
    text = "".join(f"backup {label}\nfiles {label} 5 1 1\n" for label in labels)
    fingerprints = backup_files.read_listing(text)
    requested = backup_files.choose_due(fingerprints, BackupFiles())
    assert requested == tuple(labels[-len(requested) :])
    known = BackupFiles({label: ComparedBackup("5 1 1") for label in requested})
    assert backup_files.choose_due(fingerprints, known) == tuple(labels[-2 * len(requested) : -len(requested)])


def test_of_many_backups_the_newest_are_compared_by_the_command_that_lists_them_too(tmp_path: Path) -> None:
    store = LocalRepository(tmp_path)
    labels = [f"2026{month:02}{day:02}-020000F" for month in (1, 2) for day in range(1, 29)]
    for label in labels:
        store.add(label, {"pg_data/PG_VERSION": {"size": 3}}, {"pg_data/PG_VERSION.gz": 3})
    first = compared(store)
    assert sorted(first.comparisons) == labels[-len(first.comparisons) :]
    assert sorted(compared(store, first).comparisons) == labels


@pytest.mark.parametrize("text", ["", "backup 20260101-020000F\n", "listed and more\n"])
def test_an_answer_that_ends_within_the_listing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has the line"):
        backup_files.read_first(text)
