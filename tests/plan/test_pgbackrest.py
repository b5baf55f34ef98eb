"""What a version of pgBackRest knows."""

from __future__ import annotations

from typing import Any

import pytest

from pgwizard.plan import pgbackrest
from support.headless import answers_of, rendered


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


def test_another_spelling_of_the_endpoint_restarts_no_pod() -> None:
    """An earlier version wrote a default port as it was answered; this one leaves it out."""

    def objects(endpoint: str) -> dict[str, Any]:
        return rendered(answers_of(repository={"endpoint": endpoint}))

    without, with_default, other = map(objects, ("s3.example.com", "s3.example.com:443", "s3.example.com:8443"))
    assert without == with_default
    changed = {obj["kind"]: obj["metadata"]["name"] for role, obj in without.items() if obj != other[role]}
    assert changed == {"ConfigMap": "postgresql-pgbackrest-config", "Job": "postgresql-pgbackrest-init"}
