"""Values of the type that their place wants, and nothing else, whatever a file has there."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pgwizard.kube import typed_yaml
from pgwizard.kube.kubeconfig import SHAPE
from pgwizard.kube.typed_yaml import WrongType

Path = tuple[str | int, ...]


def fields(shape: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every place of a shape that has a type."""
    if isinstance(shape, dict):
        for key, below in shape.items():
            yield (*path, "any" if key == "*" else key), below
            yield from fields(below, (*path, "any" if key == "*" else key))
    if isinstance(shape, list):
        yield (*path, 0), shape[0]
        yield from fields(shape[0], (*path, 0))


def within(path: Path, value: Any) -> Any:
    """A document that has the value at a place and nothing else."""
    for step in reversed(path):
        value = [value] if step == 0 else {step: value}
    return value


def at(path: Path, document: Any) -> Any:
    for step in path:
        document = document[step]
    return document


FIELDS = list(fields(SHAPE))
KINDS = {str: "text", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["true", "false", "1", "null", "", "yes", "~", "2026-01-01", "<<", "!!bool true"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
    st.lists(st.nothing()),
    st.builds(dict),
)


def fits(value: Any, shape: Any) -> bool:
    if value is None or shape is object:
        return True
    if shape is bytes:
        try:
            return isinstance(value, str) and base64.b64decode(value, validate=True) is not None
        except ValueError:
            return False
    return type(value) is (type(shape) if isinstance(shape, list | dict) else shape)


@settings(max_examples=1_000, deadline=None)
@given(st.sampled_from(FIELDS), VALUES)
def test_a_value_is_accepted_where_its_type_fits_and_refused_elsewhere(field: tuple[Path, Any], value: Any) -> None:
    path, shape = field
    content = json.dumps(within(path, value)).encode()
    if not fits(value, shape):
        with pytest.raises(WrongType) as caught:
            typed_yaml.read(content, SHAPE)
        assert caught.value.actual in ("not base64", KINDS[type(value)])
        assert caught.value.line == 1
        return
    document = typed_yaml.read(content, SHAPE)
    if value is not None:
        assert at(path, document) == (base64.b64decode(value) if shape is bytes else value)
    elif isinstance(shape, dict) and path[-1] not in (0, "any"):
        assert path[-1] not in at(path[:-1], document)
    else:
        assert not at(path, document)


@pytest.mark.parametrize(
    ("plain", "kind"),
    [
        *((text, "text") for text in ("!!str 5", "!!str true", "!foo 5", "!!binary YWJj", "'true'", '"5"')),
        ("|\n  true", "text"),
        ("1E400", "text"),
        *((text, "a number") for text in (".5", "5.", "1e5", ".inf", "-.Inf", ".nan", "!!int '5'", "!!float 5")),
        *((text, "a number") for text in ("99999999999999999999",)),
        *((text, "a boolean") for text in ("y", "Y", "yes", "on", "True", "TRUE", "n", "NO", "off", "!!bool 'true'")),
        *((text, "null") for text in ("", "~", "null", "Null", "NULL", "!!null ''")),
    ],
)
def test_a_scalar_has_the_type_that_the_yaml_reader_of_kubernetes_gives_it(plain: str, kind: str) -> None:
    content = f"value: {plain}\n".encode()
    if kind == "null":
        assert typed_yaml.read(content, {"value": str}) == {"value": ""}
    elif kind == "text":
        assert isinstance(typed_yaml.read(content, {"value": str})["value"], str)
    else:
        with pytest.raises(WrongType) as caught:
            typed_yaml.read(content, {"value": str})
        assert caught.value.actual == kind
    if kind == "a boolean":
        assert typed_yaml.read(content, {"value": bool}) == {"value": plain not in ("n", "NO", "off")}


@pytest.mark.parametrize("tagged", ["!!null x", "!!bool 5", "!!int x", "!!int true", "!!float x"])
def test_a_tag_that_its_value_contradicts_is_refused(tagged: str) -> None:
    with pytest.raises(yaml.YAMLError):
        typed_yaml.read(f"value: {tagged}\n".encode(), {"value": str})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("flag: true\nflag: false", {"flag": False}),
        ("flag: 5\nflag: true", {"flag": True}),
        ("<<: {flag: true}", {"flag": True}),
        ("<<: {flag: text}\nflag: false", {"flag": False}),
        ("flag: false\n<<: {flag: true}", {"flag": True}),
        ("<<: [{flag: true}, {flag: false}]", {"flag": True}),
        ("'<<': {flag: true}", {}),
        ("x: &a true\nflag: *a", {"flag": True}),
        ("Flag: text\n5: x\nyes: y", {}),
        ("flag: true\n---\nflag: [", {"flag": True}),
        ("", {}),
        ("# nothing\n", {}),
        ("null", {}),
        ("\ufeffflag: true", {"flag": True}),
        ('{"flag": true}', {"flag": True}),
        ("%YAML 1.1\n---\nflag: true", {"flag": True}),
        ("flag: true\n---\n%YAML 1.2\n", {"flag": True}),
        ("x: '\\/'\ny: \\/\nflag: true # \\/", {"flag": True}),
        ("# x\n\ufeffflag: true", {"flag": True}),
    ],
)
def test_a_document_is_read_as_kubernetes_reads_it(text: str, value: object) -> None:
    assert typed_yaml.read(text.encode(), {"flag": bool}) == value


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "~: x",
        "[a]: x",
        "<<: text",
        "<<: [text]",
        "flag: &a [*a]",
        "x: &a {y: *a}",
        "x: &a {<<: *a}",
        b"\xff\xfe\xfa".decode("latin-1"),
        "x: " + "[" * 500,
        "x: !!binary '%'",
        "%YAML 1.2\n---\nflag: [x]",
        "# x\n\n%TAG !t! tag:x\n%YAML 1.2 # y\n---\nflag: [x]",
        'x: "https:\\/\\/y"',
        'x: ["a", {"b\\/": c}]',
        'x: "a\\\\\\/b"',
        "\ufeff\ufeffflag: [x]",
        "flag: [x]\n\ufeff",
    ],
)
def test_an_invalid_document_is_a_yaml_error(text: str) -> None:
    content = text.encode("latin-1" if "\xff" in text else "utf-8")
    with pytest.raises(yaml.YAMLError):
        typed_yaml.read(content, {"flag": [object], "x": object})


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_an_error(content: bytes) -> None:
    try:
        typed_yaml.read(content, SHAPE)
    except (WrongType, yaml.YAMLError):
        return


def test_anything_is_read_as_json_would_have_it() -> None:
    content = b"x: {a: [1, -2.5, 0x10, 1_000, true, null, text], 5: z, 'no': z}"
    result = typed_yaml.read(content, {"x": object})
    assert result == {"x": {"a": [1, -2.5, 16, 1000, True, None, "text"], "5": "z", "no": "z"}}
    assert json.loads(json.dumps(result)) == result


def test_the_place_of_a_wrong_value_has_the_names_of_the_file() -> None:
    text = "items:\n- name: first\n- name: second\n  flag: 'true'\n- flag: x\n"
    with pytest.raises(WrongType) as caught:
        typed_yaml.read(text.encode(), {"items": [{"name": str, "flag": bool}]})
    assert (caught.value.line, caught.value.place) == (4, "items[second].flag")
    assert (caught.value.actual, caught.value.expected) == ("text", "true or false, without quotes")
