"""How PostgreSQL reads the values of its parameters."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgwizard.answers import reference
from pgwizard.plan import settings


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("shared_buffers", "131072", 131072),
        ("shared_buffers", "1GB", 131072),
        ("shared_buffers", "1073741824B", 131072),
        ("shared_buffers", " 1024 MB ", 131072),
        ("shared_buffers", "0x20000", 131072),
        ("shared_buffers", "0.5GB", 65536),
        ("shared_buffers", "1e3MB", 128000),
        ("work_mem", "010MB", 8192),
        ("max_wal_size", "20480", 20480),
        ("archive_timeout", "1min", 60),
        ("archive_timeout", "1500ms", 2),
        ("log_min_duration_statement", "-1", -1),
        ("random_page_cost", "1.1", "1.1"),
        ("fsync", "f", False),
        ("fsync", "OFF", False),
        ("fsync", "Ye", True),
        ("huge_pages", "0", "off"),
        ("wal_level", "hot_standby", "hot_standby"),
        ("log_min_messages", "DEBUG", "debug2"),
        ("default_transaction_isolation", "repeatable read", "repeatable read"),
        ("log_line_prefix", "%m ", "%m "),
    ],
)
def test_every_spelling_that_the_server_accepts_is_read(name: str, text: str, value: object) -> None:
    setting = settings.of(name, 15)
    assert setting is not None
    read = setting.read(text)
    assert str(read) == value if isinstance(value, str) else read == value


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("shared_buffers", "128M", "'M' is not a unit of it; expected B, kB, MB, GB, TB: did you mean 128MB?"),
        ("shared_buffers", "512mb", "did you mean 512MB?"),
        ("shared_buffers", "1GiB", "did you mean 1GB?"),
        ("checkpoint_timeout", "5m", "expected us, ms, s, min, h, d: did you mean 5min?"),
        ("checkpoint_timeout", "300sec", "did you mean 300s?"),
        ("shared_buffers", "many", "is not a number"),
        ("shared_buffers", "", "is not a number"),
        ("shared_buffers", "8", "is outside 16 to 1073741823 (in 8kB)"),
        ("shared_buffers", "08", "is not a number"),
        ("max_connections", "10kB", "has a unit; expected a number alone"),
        (
            "archive_timeout",
            "5 minutes",
            "expected us, ms, s, min, h, d: did you mean 5min?",
        ),
        ("random_page_cost", "cheap", "is not a number"),
        ("fsync", "o", "neither on nor off"),
        ("fsync", " on", "neither on nor off"),
        ("wal_level", "full", "is not one of minimal, replica, logical"),
        ("block_size", "8192", "cannot be set"),
    ],
)
def test_what_the_server_refuses_is_refused_with_what_it_expects(name: str, text: str, expected: str) -> None:
    setting = settings.of(name, 15)
    assert setting is not None
    with pytest.raises(ValueError, match=r".") as caught:
        setting.read(text)
    assert expected in str(caught.value)


FIXTURE = Path(__file__).parents[1] / "fixtures/postgresql_values.jsonl"
"""[version, parameter, spelling, what ``postgres -C`` prints], which tests/live/test_settings_live.py writes."""
OLD_LEVELS = {("archive", "replica"), ("hot_standby", "replica"), ("on", "pglz")}
"""What an old spelling of a level means."""

EXCEPTIONS = {("wal_buffers", "0"), ("bgwriter_lru_multiplier", "0x1p1"), ("max_worker_processes", "262143")}
"""What a server makes of the sum of several parameters, and a spelling that only C has."""


def test_every_spelling_is_read_or_refused_as_by_the_servers() -> None:
    rows = [json.loads(line) for line in FIXTURE.read_text(encoding="utf-8").splitlines()]
    assert {version for version, *_ in rows} == {*settings.VERSIONS}
    assert len(rows) > 900
    assert [
        (version, name, text, printed, own)
        for version, name, text, printed in rows
        if (own := as_server_prints(name, text, version)) != printed
        and not is_same(own, printed)
        and not (name == "datestyle" and "REFUSED" not in (own, printed))  # the server completes it
        and (name, text) not in EXCEPTIONS
    ] == []


def as_server_prints(name: str, text: str, version: int) -> str:
    setting = settings.of(name, version)
    assert setting is not None
    try:
        value = setting.read(text)
    except ValueError:
        return "REFUSED"
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def is_same(own: str, printed: str) -> bool:
    """Numbers in another spelling, and old spellings of a level."""
    if (own, printed) in OLD_LEVELS:
        return True
    try:
        return abs(Decimal(own) - Decimal(printed)) <= Decimal("1e-9")
    except ArithmeticError:
        return False


def test_a_name_that_the_version_does_not_have_is_known_where_the_table_has_the_version() -> None:
    assert (
        settings.find_unknown("shared_bufers", 15)
        == "is not a parameter of PostgreSQL 15: did you mean shared_buffers?"
    )
    assert settings.find_unknown("io_method", 17) is not None
    assert settings.find_unknown("io_method", 18) is None
    assert settings.find_unknown("promote_trigger_file", 15) is None
    assert settings.find_unknown("promote_trigger_file", 17) is not None


def test_names_are_not_checked_for_a_version_without_a_table() -> None:
    assert settings.find_unknown("vacuum_cleanup_index_scale_factor", 13) is None
    assert settings.find_unknown("promote_trigger_file", 16) is None
    assert settings.find_unknown("reserved_connections", 16) is None
    assert settings.find_unknown("shared_bufers", 16) is not None
    assert settings.find_unknown("pg_stat_statements.max", 18) is None


@given(text=st.text(max_size=30), name=st.sampled_from(["work_mem", "fsync", "wal_level", "random_page_cost", "port"]))
def test_any_text_is_either_read_or_refused(text: str, name: str) -> None:
    setting = settings.of(name, 18)
    assert setting is not None
    with contextlib.suppress(ValueError):
        setting.read(text)


@pytest.mark.parametrize("version", settings.VERSIONS)
def test_a_refusal_by_the_table_of_the_version_itself_names_no_other(version: int) -> None:
    assert settings.origin("work_mem", version) == ""


def test_a_parameter_of_16_that_15_does_not_have_is_checked_by_17() -> None:
    assert settings.origin("allow_alter_system", 16).startswith(" (checked by the parameters of PostgreSQL 17;")


def test_the_reference_of_answers_names_the_versions_that_have_a_table() -> None:
    *others, last = map(str, settings.VERSIONS)
    assert f"pg_settings of PostgreSQL {', '.join(others)} and {last}." in reference.documentation()


def test_the_reference_of_answers_is_true_of_the_versions_without_a_table() -> None:
    assert settings.find_unknown("no_such_parameter", 14) is None
    assert settings.find_unknown("no_such_parameter", 16) is not None
    assert settings.of("allow_alter_system", 15) is None
    assert settings.of("allow_alter_system", 16) == settings.of("allow_alter_system", 17)
