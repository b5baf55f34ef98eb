"""Reading YAML: the core schema, the place of everything, and every trick refused."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml

from pgwizard.answers import strict_yaml
from pgwizard.errors import Finding


@pytest.fixture(params=[yaml.SafeLoader, yaml.CSafeLoader], ids=["pure", "c"], autouse=True)
def _both_loaders(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_yaml, "Loader", request.param)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("12", 12),
        ("-3", -3),
        ("0.5", 0.5),
        ("no", "no"),
        ("off", "off"),
        ("y", "y"),
        ("08", "08"),
        ("0o14", "0o14"),
        ("0x1F", "0x1F"),
        ("1e3", "1e3"),
        ("1.10", "1.10"),
        ("+5", "+5"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-11-23", "2026-11-23"),
        ("12345678901234567890", "12345678901234567890"),
        (".inf", ".inf"),
        ('"12"', "12"),
        ("'~'", "~"),
    ],
)
def test_a_scalar_is_what_the_core_schema_says_or_the_text_that_was_written(text: str, value: object) -> None:
    document = strict_yaml.read(f"a: {text}\n".encode())
    assert (document.value, document.problems) == ({"a": value}, [])
    assert type(document.value["a"]) is type(value)


def test_every_key_and_item_has_its_place() -> None:
    document = strict_yaml.read(b"a:\n  b: 1\n  c:\n    - x\n    - y\n")
    assert document.places == {
        ("a",): (1, 1),
        ("a", "b"): (2, 3),
        ("a", "c"): (3, 3),
        ("a", "c", 0): (4, 7),
        ("a", "c", 1): (5, 7),
    }
    assert document.place(("a", "b", "deeper")) == (2, 3)
    assert document.place(("elsewhere",)) is None


def test_a_byte_order_mark_is_ignored() -> None:
    assert strict_yaml.read(b"\xef\xbb\xbfa: 1\n").value == {"a": 1}


REFUSED: dict[str, tuple[bytes, Finding]] = {
    "anchor": (b"a: &x 1\n", Finding("a", "anchors (&) and aliases (*) are not supported: write the value out", 1, 4)),
    "alias": (b"a: *x\n", Finding("a", "anchors (&) and aliases (*) are not supported: write the value out", 1, 4)),
    "tag": (b"a: !!python/name:os.system\n", Finding("a", "tags (!) are not supported: write a plain value", 1, 4)),
    "merge": (b"<<: {a: 1}\n<<: {b: 1}\n", Finding("<<", "set twice; the first is on line 1: keep one", 2, 1)),
    "duplicate": (b"a: 1\nb: 1\na: 2\n", Finding("a", "set twice; the first is on line 1: keep one", 3, 1)),
    "documents": (b"a: 1\n---\nb: 1\n", Finding("", "the file holds more than one YAML document: keep one", 2, 1)),
    "tab": (b"a:\n\tb: 1\n", Finding("", "a tab indents this line: YAML indents with spaces only", 2, 1)),
    "list as key": (b"? [a]\n: 1\n", Finding("", "a key must be a word", 1, 3)),
    "nul": (b"a: 1\nb: \0\n", Finding("", "character U+0000 is not allowed in YAML", 2)),
    "escape": (b"a: \x1b[31m\n", Finding("", "character U+001B is not allowed in YAML", 1)),
    "latin-1": (b"a: 1\nb: \xe4\n", Finding("", "byte 0xe4 is not UTF-8: save the file as UTF-8", 2)),
    "large": (b"#" * (strict_yaml.LIMIT_BYTES + 1), Finding("", "larger than 256 KiB: not a file of answers")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_yaml_features_that_no_answer_needs_are_refused(name: str) -> None:
    data, problem = REFUSED[name]
    assert strict_yaml.read(data).problems == [problem]


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b"{a: " * 60_000, b"- " * 100_000, b"\n".join(b" " * n + b"a:" for n in range(400))]
)
def test_deep_nesting_is_refused_at_once(data: bytes) -> None:
    begin = time.process_time()
    (problem,) = strict_yaml.read(data).problems
    assert problem.text in (
        "nested more than 16 levels deep",
        "not YAML: a list begins on the line below its key",
    )
    assert time.process_time() - begin < 60  # about 0.5 s; building all of it takes hours


BROKEN: dict[bytes, tuple[int, str]] = {
    b"a: 1\nb: 'open\n": (3, "a quote is opened and never closed"),
    b"a: [1\n": (2, "a list in [ ] lacks a comma or its end"),
    b"a: {b: 1\n": (2, "a block in { } lacks a comma or its end"),
    b"a: [}\n": (1, "a value is missing here, or a bracket is in its place"),
    b"a: b: c\n": (1, "a colon that fits no key: check the indent, or put the value in quotes"),
    b"a: 1\n b: 2\n": (2, "a colon that fits no key: check the indent, or put the value in quotes"),
    b"a:\n  b: 1\n c: 2\n": (3, "this does not continue what is above it: check indent and quotes"),
    b"a: 1\n- 2\n": (2, "this does not continue what is above it: check indent and quotes"),
    b"- 1\na: 2\n": (2, "this does not continue what is above it: check indent and quotes"),
    b"a: 1\nb\n": (3, "this line has no colon: write name: value, or indent it below its key"),
    b"a: - 1\n": (1, "a list begins on the line below its key"),
    b"a: ? b\n": (1, "? begins no key: write name: value"),
    b"a: | b\n": (1, "text after | or > begins on the next line"),
    b'a: "\\q"\n': (1, "within double quotes \\ begins an escape sequence: use single quotes"),
    b"a: @daily\n": (1, "a value cannot begin with @: put it in quotes"),
    b"a: */15 * * * *\n": (1, "a value cannot begin with * or &: put it in quotes"),
    b"%YAML 3.0\n---\na: 1\n": (1, "this is outside of the document: delete it"),
    b"a: !e!x 1\n": (1, "tags (!) are not supported: write a plain value"),
}


@pytest.mark.parametrize("loader", [yaml.SafeLoader, strict_yaml.Loader])
@pytest.mark.parametrize("data", BROKEN)
def test_broken_yaml_is_one_problem_with_its_line_in_our_own_words(
    data: bytes, loader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strict_yaml, "Loader", loader)
    (problem,) = strict_yaml.read(data).problems
    line, text = BROKEN[data]
    assert problem.text == f"not YAML: {text}"
    assert loader is yaml.SafeLoader or problem.line == line


def test_an_empty_file_has_no_value_and_no_problem() -> None:
    for data in (b"", b"\n\n", b"# only a comment\n", b"---\n"):
        document = strict_yaml.read(data)
        assert (document.value, document.problems) == (None, [])


@pytest.mark.parametrize("text", ["abc", "10Gi", "no", "1:30", "a/b"])
def test_plain_text_is_text_to_every_reader(text: str) -> None:
    assert strict_yaml.is_plain_text(text)


@pytest.mark.parametrize(
    "text", ["", "~", "true", "Null", "08", "1e3", "1.", ".5", "0x1F", "0o14", ".inf", "-.INF", ".nan", "+1"]
)
def test_text_that_some_reader_takes_for_another_type_is_not_plain(text: str) -> None:
    assert not strict_yaml.is_plain_text(text)
    value: Any = strict_yaml.scalar(text)
    assert value is None or isinstance(value, (str, int, float, bool))
