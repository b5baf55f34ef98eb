"""The file of answers: every problem at once, each at its place, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from pgwizard.answers import file as answers_file
from pgwizard.answers.questions import Answers, Section, sections_in
from pgwizard.errors import Finding


def _problems(text: str, *overrides: str) -> list[str]:
    return [str(problem) for problem in answers_file.load(text.encode(), overrides).problems]


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    text = """\
relese:
  name: x
release:
  name: Shop
  databse: x
storage:
  size: 10GB
tuning:
  connections: "100"
  profile: OLTP
  cpu: two
credentials:
  from: env
  username: 1
compression:
  type: zip
tls:
  verify: yes
images:
  pgbackrestVersion: 2.5
  pullSecrets: registry
repository:
  credentials:
    secret: x
"""
    assert _problems(text) == [
        "line 1: relese: is not known: did you mean release?",
        (
            "line 4: release.name: 'Shop' is not a release's name; expected lower-case letters, digits and hyphens, "
            "beginning with a letter"
        ),
        "line 5: release.databse: is not known: did you mean database?",
        "line 7: storage.size: '10GB' is not a size: did you mean 10Gi?",
        "line 9: tuning.connections: expected a whole number, found text",
        "line 10: tuning.profile: expected one of web, oltp, dw, desktop, mixed, found text 'OLTP': did you mean oltp?",
        "line 11: tuning.cpu: 'two' is not a CPU share; expected cores or thousandths of one, such as 2, 0.5 or 500m",
        "line 12: credentials.password: is required",
        "line 14: credentials.username: expected text, found the number 1: put it in quotes",
        "line 15: compression: expected one of gz, zst, lz4, bz2, none, found text 'zip'",
        "line 18: tls.verify: expected true or false, found text",
        "line 20: images.pgbackrestVersion: expected text, found the number 2.5: put it in quotes",
        "line 21: images.pullSecrets: expected a list, found text",
        "line 23: repository.credentials: from: is required; expected one of existing, env, file",
    ]


def test_a_value_out_of_bounds_is_reported_with_the_bound() -> None:
    text = "tuning: {connections: 3}\nrepository: {bucket: ab}\nadvanced: {processMax: 1000}\nstorage: {size: %s}\n"
    assert _problems(text % ("1" * 40)) == [
        "line 1: tuning.connections: expected 4 or more, found the number 3",
        "line 2: repository.bucket: expected 3 characters or more",
        "line 3: advanced.processMax: expected 999 or less, found the number 1000",
        "line 4: storage.size: expected 32 characters or fewer",
    ]


def test_invalid_answers_do_not_keep_others_from_being_checked() -> None:
    loaded = answers_file.load(b"storage: {size: 10GB}\nrelease: {name: shop}\n")
    assert loaded.answers is not None
    assert (loaded.answers.release.name, loaded.answers.storage.size) == ("shop", "10Gi")
    assert loaded.wrong == {"storage.size"}
    assert not loaded.about_right_answers(Finding("storage.size", "too small"))
    assert loaded.about_right_answers(Finding("release.name", "x"))


def test_a_block_that_lacks_several_keys_hides_no_problem_elsewhere() -> None:
    loaded = answers_file.load(b"repository: {path: /shop, credentials: {from: env}}\n")
    assert loaded.answers is not None
    assert (loaded.answers.repository.path, loaded.answers.repository.credentials.source) == ("/shop", "existing")


@pytest.mark.parametrize("text", ["", "# comment\n", "null\n"])
def test_an_empty_file_points_to_init(text: str) -> None:
    assert _problems(text) == ["the file is empty: pgwizard init prints one with every default"]


@pytest.mark.parametrize(
    ("text", "kind"), [("- a\n", "a list"), ("12\n", "the number 12"), ("hello\n", "text 'hello'")]
)
def test_a_value_in_place_of_a_block_is_named(text: str, kind: str) -> None:
    assert _problems(text) == [f"line 1: expected a block of keys, found {kind}; the first line is usually release:"]


def test_an_override_wins_and_makes_the_blocks_that_it_needs() -> None:
    overrides = (
        "storage.size=20Gi",
        "tuning.parameters.auto_explain.log_level=log",
        "images.pullSecrets=[a, b]",
        "tls.source=null",
    )
    loaded = answers_file.load(b"storage: {size: 1Gi}\n", overrides)
    assert loaded.problems == ()
    assert loaded.answers is not None
    assert loaded.answers.storage.size == "20Gi"
    assert loaded.answers.tuning.parameters == {"auto_explain.log_level": "log"}
    assert loaded.answers.images.pull_secrets == ["a", "b"]
    assert loaded.answers.tls.source is None


def test_an_override_replaces_an_invalid_answer() -> None:
    assert _problems("storage: 7\n", "storage.size=20Gi") == []


def test_a_wrong_override_is_reported_without_a_line_of_the_file() -> None:
    assert _problems("storage:\n  size: 10Gi\n", "storage.size=10GB") == [
        "storage.size: '10GB' is not a size: did you mean 10Gi? (from --set)"
    ]


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("storage.size", "--set storage.size: expected path=value, such as storage.size=20Gi"),
        ("=x", "--set : expected path=value, such as storage.size=20Gi"),
        ("a..b=x", "--set a..b: expected path=value, such as storage.size=20Gi"),
        ("a.b.c.d.e.f.g.h.i=x", "--set a.b.c.d.e.f.g.h.i: expected path=value, such as storage.size=20Gi"),
        (
            "storage.size=[",
            "storage.size: '[' is not a size; expected a number and a unit, such as 10Gi or 500Mi (from --set)",
        ),
        (
            "images.pullSecrets=[a",
            "images.pullSecrets: --set: not YAML: a list in [ ] lacks a comma or its end",
        ),
        (
            "repository.endpoint=fd00::1",
            (
                "repository.endpoint: 'fd00::1' is an IPv6 address without brackets; expected such as [fd00::1]:9000 "
                "(from --set)"
            ),
        ),
        (
            "repository.endpoint=[fe80::1%eth0]:9000",
            (
                "repository.endpoint: fe80::1%eth0 has a zone, which pgBackRest does not take; expected an address "
                "without % (from --set)"
            ),
        ),
        (
            "repository.endpoint=[zz::1]:9000",
            "repository.endpoint: zz::1 is not an IPv6 address; expected such as [fd00::1]:9000 (from --set)",
        ),
        (
            "repository.endpoint=minio:",
            (
                "repository.endpoint: 'minio:' is not an S3 endpoint; expected host or host:port, such as "
                "minio.minio.svc:9000, without bucket and path (from --set)"
            ),
        ),
        (
            "storage.size=@x",
            "storage.size: '@x' is not a size; expected a number and a unit, such as 10Gi or 500Mi (from --set)",
        ),
        ("release.name=*\udc80", "release.name: --set: byte 0xed is not UTF-8: save the file as UTF-8"),
        ("storage.sise=x", "storage.sise: is not known: did you mean size? (from --set)"),
        ("release.name=\udc80", "release.name: --set: byte 0xed is not UTF-8: save the file as UTF-8"),
        ("storage.size=", "storage.size: expected text, found nothing (from --set)"),
    ],
)
def test_a_wrong_override_is_named(override: str, problem: str) -> None:
    assert _problems("release: {}\n", override) == [problem]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("repository.endpoint", "[fd00::1]:9000"),
        ("repository.endpoint", "[::1]"),
        ("repository.endpoint", "https://[fd00::1]:9000/"),
        ("repository.endpoint", "HTTPS://minio:9000"),
    ],
)
def test_an_endpoint_of_an_override_needs_no_quotes(path: str, text: str) -> None:
    loaded = answers_file.load(b"release: {}\n", [f"{path}={text}"])
    assert loaded.problems == ()
    assert loaded.answers is not None
    assert loaded.answers.repository.endpoint == text


@pytest.mark.parametrize("text", ['"$user", public', "[a] b", "{%m}", "a: b", ""])
def test_a_parameter_of_an_override_is_text_where_it_is_no_yaml(text: str) -> None:
    loaded = answers_file.load(b"release: {}\n", [f"tuning.parameters.search_path={text}"])
    assert loaded.answers is not None
    assert loaded.answers.tuning.parameters == {"search_path": text}


@pytest.mark.parametrize("schedule", ["@daily", "*/15 * * * *", "0 0 * * *"])
def test_a_schedule_of_an_override_needs_no_quotes(schedule: str) -> None:
    loaded = answers_file.load(b"release: {}\n", [f"schedule.full={schedule}"])
    assert loaded.problems == ()
    assert loaded.answers is not None
    assert loaded.answers.schedule.full == schedule


def _paths(section: type[Section], parents: tuple[str, ...] = ()) -> Iterator[str]:
    """The dotted path of every question, also of those in alternatives."""
    for field in section.model_fields.values():
        path = (*parents, str(field.alias))
        yield ".".join(path)
        for inner in sections_in(field.annotation):
            yield from _paths(inner, path)


WRONG = (
    *("text", "1", "1.5", "-1", "9" * 30, "true", "null", "2001-01-01", '""', '"\\u0007"', '"a\\nb"', "x" * 5_000),
    *("[]", "[1]", "[a, [b]]", "{}", "{a: b}", "{a: {b: c}}", "{1: 2}", "{1: [2]}"),
)
PARSER_WORDS = re.compile(
    r"\b(input|str|string|int|integer|bool|boolean|dict|dictionary|float|NoneType|None|should|valid)\b"
)


@pytest.mark.parametrize("path", sorted(set(_paths(Answers))))
def test_messages_about_wrong_values_do_not_quote_the_parser(path: str) -> None:
    for value in WRONG:
        for problem in answers_file.load(b"release: {}\n", [f"{path}={value}"]).problems:
            assert not PARSER_WORDS.search(problem.text.replace("/", " ")), f"{path}={value}: {problem.text}"


def test_the_spelling_of_a_value_in_the_file_is_kept() -> None:
    text = "tuning:\n  cpu: 0.50\n"
    text += "  parameters: {a: 08, b: 1e3, c: 12345678.25, d: 12345678901234567890, e: no, f: 1.10, g: true}\n"
    loaded = answers_file.load(text.encode())
    assert loaded.answers is not None
    assert loaded.answers.tuning.cpu == "0.50"
    expected = {
        "a": "08",
        "b": "1e3",
        "c": "12345678.25",
        "d": "12345678901234567890",
        "e": "no",
        "f": "1.10",
        "g": "on",
    }
    assert loaded.answers.tuning.parameters == expected


def test_control_characters_in_a_key_are_escaped() -> None:
    (problem,) = _problems('"\\e[31mred\\u202e": 1\n')
    assert problem.startswith("line 1: \\x1b[31mred\\u202e: is not known")


def test_a_very_long_key_is_shortened() -> None:
    assert max(map(len, _problems(f"? {'k' * 100_000}\n: 1\n"))) < 500


def test_an_empty_set_of_answers_has_no_problem() -> None:
    assert answers_file.load(b"{}\n").answers == Answers()
