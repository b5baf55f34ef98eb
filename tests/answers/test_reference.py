"""What is derived from the questions: the commented file, the schema, the documentation."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
import yaml

from pgwizard.answers import file as answers_file
from pgwizard.answers import reference, strict_yaml
from pgwizard.answers.questions import Answers
from support.headless import GOLDEN

CASES = sorted(GOLDEN.glob("*/answers.yaml"))


def test_the_commented_file_is_the_defaults() -> None:
    loaded = answers_file.load(reference.commented_answers().encode())
    assert loaded.problems == ()
    assert loaded.answers == Answers()


def test_lines_of_the_commented_file_fit_a_terminal() -> None:
    assert [line for line in reference.commented_answers().splitlines() if len(line) > 120] == []


def test_every_alternative_of_the_commented_file_reads_once_uncommented() -> None:
    """``# or:`` and the block below it can replace the block above."""
    text = reference.commented_answers()
    blocks = re.findall(r"^( *)# or: .*\n(\1# \w+:\n(?:\1#   .*\n)*)", text, re.MULTILINE)
    assert len(blocks) >= 10
    for indent, block in blocks:
        uncommented = yaml.safe_load("".join(line.removeprefix(f"{indent}# ") + "\n" for line in block.splitlines()))
        (key,) = uncommented
        answers = {"repository": uncommented} if indent else uncommented
        loaded = answers_file.load(yaml.safe_dump(answers).encode())
        wrong = {problem.question.rpartition(".")[2] for problem in loaded.problems}
        assert not wrong - {"secret"}, (key, loaded.problems)  # SECRET is a placeholder, and no object's name


def test_the_schema_is_a_schema_and_the_defaults_are_valid() -> None:
    schema = reference.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(reference.commented_answers()), schema)
    json.dumps(schema)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.parent.name)
def test_the_schema_takes_every_golden_case(path: object) -> None:
    value = strict_yaml.read((GOLDEN / str(path)).read_bytes()).value
    jsonschema.validate(value, reference.schema())


@pytest.mark.parametrize(
    "answers",
    [
        {"release": {"nmae": "x"}},
        {"storage": {"size": "10GB"}},
        {"tuning": {"connections": "many"}},
        {"credentials": {"from": "vault"}},
        {"tuning": {"profile": "fast"}},
        {"compression": {"type": "none", "level": 3}},
    ],
)
def test_the_schema_refuses_what_the_program_refuses(answers: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answers, reference.schema())


def test_every_question_is_in_the_documentation_once() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| (?:required|`)", reference.documentation(), re.MULTILINE)
    assert {"name", "size", "source.secret", "credentials.accessKey", "cipher.passphrase", "level"} <= set(rows)
    assert "PydanticUndefined" not in reference.documentation()


@pytest.mark.parametrize(
    "value",
    ["10Gi", "no", "08", "1e3", "~", "true", "", "a: b", "# x", "it's", 'a"b', "2", "2.45", None, True, 7, [], "ü"],
)
def test_a_written_value_reads_back_the_same(value: object) -> None:
    text = reference.yaml_value(value)
    result = strict_yaml.read(f"a: {text}\n".encode()).value["a"]
    assert result == (int(str(value)) if text == "2" else value)
