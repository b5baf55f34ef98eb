"""What a version of pgBackRest knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pgwizard.plan import pgbackrest

VALUES = [
    json.loads(line) for line in Path("tests/fixtures/pgbackrest_values.jsonl").read_text(encoding="ascii").splitlines()
]
"""[release, option, value, whether it is accepted], as tools/pgbackrest_options made them."""
MISREAD = {("2.45", value) for value in ("5m", "5M", "500ms", "1d", "2d", "1w", "90 s", "100x", "30m", "1e2", "8d")}
"""Times that 2.45 accepts, and of which it ignores the unit."""


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


def test_seconds_may_lack_the_whole_part_where_they_may_have_a_fraction() -> None:
    """pgBackRest 2.45 starts with it, as compared with the real one; 2.60 does not."""
    option = pgbackrest.of("io-timeout", (2, 45))
    assert option is not None
    option.check(".5", (2, 45))
    with pytest.raises(ValueError, match="is not a time"):
        option.check(".5", (2, 60))


def test_only_repository_1_and_cluster_1_exist() -> None:
    assert pgbackrest.since("repo2-path") is None


@pytest.mark.parametrize(
    ("option", "since"), [("delta", (0,)), ("repo1-bundle", (2, 39)), ("repo-block", (2, 46)), ("no-such", None)]
)
def test_an_option_has_the_version_that_brought_it(option: str, since: tuple[int, ...] | None) -> None:
    assert pgbackrest.since(option) == since


@pytest.mark.parametrize(
    ("option", "release", "reason"),
    [
        ("delta", "2.45", None),
        ("repo1-storage-tag", "2.45", None),  # it is too new, which names the release
        ("db-timout", "2.45", "is not an option of pgBackRest: did you mean db-timeout?"),
        ("repo-storage-prt", "2.45", "is not an option of pgBackRest: did you mean repo1-storage-port?"),
        ("type", "2.60", "is an option of the command line; pgBackRest ignores it in a file"),
        ("repo2-path", "2.60", "there is one repository and one cluster, of index 1"),
        ("pg2-path", "2.60", "there is one repository and one cluster, of index 1"),
        ("repo1-s3-verify-ssl", "2.45", "is an old name: use repo1-storage-verify-tls"),
        ("archive-queue-max", "2.45", "is an old name: use archive-push-queue-max"),
    ],
)
def test_an_option_that_may_not_be_in_a_file_has_its_reason(option: str, release: str, reason: str | None) -> None:
    assert pgbackrest.find_unknown(option, pgbackrest.version(release)) == reason


@pytest.mark.parametrize(
    ("release", "maximum"), [("2.40", None), ("2.45", "1TiB"), ("2.57.1", "1TiB"), ("2.58", "1GiB"), ("2.99", "1GiB")]
)
def test_an_option_has_the_range_of_its_release(release: str, maximum: str | None) -> None:
    option = pgbackrest.of("repo1-storage-upload-chunk-size", pgbackrest.version(release))
    assert (option and option.maximum) == maximum


def test_every_value_is_accepted_or_refused_as_by_the_releases_themselves() -> None:
    assert len(VALUES) > 200
    different = []
    for release, name, value, accepted in VALUES:
        option = pgbackrest.of(name, pgbackrest.version(release))
        own = option is not None
        if option is not None:
            try:
                option.check(value, pgbackrest.version(release))
            except ValueError:
                own = False
        if own != accepted and (release, value) not in MISREAD:
            different.append((release, name, value, accepted))
    assert different == []


def test_a_unit_that_an_old_release_would_ignore_is_refused_with_the_reason() -> None:
    option = pgbackrest.of("archive-timeout", (2, 45))
    assert option is not None
    with pytest.raises(ValueError, match=r"'5m' is not a number of seconds: pgBackRest accepts a unit from 2.53 on"):
        option.check("5m", (2, 45))


@pytest.mark.parametrize(
    ("option", "secret"),
    [
        ("repo1-s3-key", True),
        ("repo3-cipher-pass", True),
        ("REPO1-S3-SSE-CUSTOMER-KEY", True),
        ("repo1-azure-key", True),
        ("repo1-s3-key-type", False),
        ("repo1-s3-kms-key-id", False),
        ("no-such-password", True),
        ("no-such-option", False),
    ],
)
def test_a_secret_option_is_known_from_the_table_or_by_its_name(option: str, secret: bool) -> None:
    assert pgbackrest.is_secret(option) is secret


@pytest.mark.parametrize("release", [(2, 45), (2, 55), (2, 60)])
def test_the_limits_of_every_option_are_values_of_it(release: pgbackrest.Version) -> None:
    for name in [line.partition("\t")[0] for line in pgbackrest.TABLE.read_text(encoding="ascii").splitlines()]:
        option = pgbackrest.of(name, release)
        if option is not None and (option.kind != "time" or release >= pgbackrest.TIME_UNITS_SINCE):
            for value in filter(None, (option.minimum, option.maximum, *option.choices)):
                option.check(value, release)
