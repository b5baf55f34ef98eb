"""What a version of pgBackRest knows."""

from __future__ import annotations

import pytest

from pgwizard.plan import pgbackrest


def test_versions_compare_as_numbers() -> None:
    assert (
        pgbackrest.version("2.9")
        < pgbackrest.version("2.45")
        < pgbackrest.version("2.52.1")
        < pgbackrest.version("2.53")
    )
    assert pgbackrest.version_text((2, 52, 1)) == "2.52.1"


@pytest.mark.parametrize(
    ("plain", "indexed"), [("repo-path", "repo1-path"), ("pg-path", "pg1-path"), ("process-max", "process-max")]
)
def test_an_option_is_spelt_with_its_index_in_a_file(plain: str, indexed: str) -> None:
    assert pgbackrest.add_index(plain) == indexed
    assert pgbackrest.strip_index(indexed) == plain
    assert pgbackrest.add_index(indexed) == indexed


def test_only_repository_1_and_cluster_1_exist() -> None:
    assert pgbackrest.since("repo2-path") is None


@pytest.mark.parametrize(
    ("option", "since"), [("delta", (0,)), ("repo1-bundle", (2, 39)), ("repo-block", (2, 46)), ("no-such", None)]
)
def test_an_option_has_the_version_that_brought_it(option: str, since: tuple[int, ...] | None) -> None:
    assert pgbackrest.since(option) == since


def test_secret_options_are_known_so_that_they_can_be_refused() -> None:
    assert {pgbackrest.add_index(option) for option in pgbackrest.SECRET} <= set(pgbackrest.known_options())
