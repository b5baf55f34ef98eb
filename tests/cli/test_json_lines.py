"""The lines of ``--json``: what every verb really prints is what the published schema describes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from pgwizard.cli.json_lines import JsonLine, as_json, line_of, schema_of
from pgwizard.cli.reference import LINES, WRITTEN_BY
from pgwizard.cli.table import JSON, VERBS
from pgwizard.kube.api import STATEFULSET, Ref
from pgwizard.release import record
from pgwizard.simulator.cluster import SimCluster
from pgwizard.simulator.faults import ScriptedOutcome
from support import faulting, headless
from support.headless import GOLDEN, ROOT

PUBLISHED = jsonschema.Draft202012Validator(json.loads((ROOT / "docs" / "output.schema.json").read_text()))
FAULT = "P00  ERROR: [103]: unable to find a valid repository"


@dataclass(frozen=True, slots=True)
class Part:
    """Some value."""

    long_name: int | None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class SampleLine(JsonLine):
    """Some line."""

    type_name = "sample"
    at_all: datetime
    parts: tuple[Part, ...]
    others: dict[str, Part]


SAMPLE = SampleLine(datetime(2026, 11, 23, tzinfo=UTC), (Part(1), Part(None, "x")), {"ü\x1b": Part(2)})


def test_a_line_is_its_fields_in_camel_case_after_version_and_type() -> None:
    assert json.loads(line_of(SAMPLE)) == {
        "apiVersion": "pgwizard/v1",
        "type": "sample",
        "atAll": "2026-11-23T00:00:00+00:00",
        "parts": [{"longName": 1}, {"longName": None}],
        "others": {"ü\x1b": {"longName": 2}},
    }
    assert line_of(SAMPLE).isascii()
    assert line_of(SAMPLE).count("\n") == 1


def test_the_schema_of_a_line_accepts_it_and_nothing_else() -> None:
    validator = jsonschema.Draft202012Validator(schema_of([SampleLine]))
    right = json.loads(line_of(SAMPLE))
    validator.validate(right)
    wrong: list[dict[str, Any]] = [
        {**right, "type": "other"},
        {**right, "apiVersion": "pgwizard/v2"},
        {**right, "more": 1},
        {**right, "parts": [{"longName": "1"}]},
        {**right, "others": {"x": None}},
        {key: value for key, value in right.items() if key != "parts"},
    ]
    assert [value for value in wrong if validator.is_valid(value)] == []


def test_a_type_without_json_is_refused() -> None:
    @dataclass
    class Odd(JsonLine):
        """Odd."""

        type_name = "odd"
        value: complex

    with pytest.raises(TypeError, match="has no JSON"):
        schema_of([Odd])
    assert as_json((1, "a", None, True)) == [1, "a", None, True]


# ---- the verbs -----------------------------------------------------------------------------------------------------


def _lines(*arguments: str, code: int = 0) -> Iterator[tuple[str, str]]:
    """Verb and type of each line that a run prints, once the published schema has taken it."""
    done = headless.run(*arguments, "--json")
    assert done.code == code, done
    for line in (done.out + done.err).splitlines():
        value = json.loads(line)
        PUBLISHED.validate(value)
        yield arguments[0], value["type"]


def test_every_line_of_every_verb_is_as_the_schema_says(sim: SimCluster, answers: str, volume: None) -> None:
    warned = str(GOLDEN / "backups-without-tls" / "answers.yaml")
    failing = ScriptedOutcome("job-failed", "default/*full*", lines=(FAULT,))
    seen = {
        *_lines("version"),
        *_lines("explain", "s3"),
        *_lines("render", warned, "-o", "out"),
        *_lines("export", warned, "-o", "exported"),
        *_lines("apply", answers, "--demo", "--diff"),
        *_lines("diff", answers, "--demo", "--set", "tuning.connections=200"),
        *_lines("status", "--demo"),
        *_lines("backup", "--demo", "-f"),
        *_lines("logs", "--demo"),
        *_lines("restore", "postgresql", "--to", "latest", "--yes", "--demo"),
        *_lines("restore", "postgresql", "--to", "2001-01-01T00:00:00Z", "--yes", "--demo", code=2),
        *_lines("restore", "postgresql", "--to", "latest", "--preview", "--demo"),
        *_lines("restore", "postgresql", "--preview", "--end", "--demo"),
        *_lines("verify", "--demo"),
        *_lines("drill", "--demo"),
        *_lines("history", "postgresql", "--demo"),
        *_lines("releases", "--demo", "-A"),
    }
    sim.outcomes.append(failing)
    seen |= {
        *_lines("backup", "--type", "full", "--demo", "-f", code=9),
        *_lines("logs", "--demo"),
        *_lines("status", "--demo", code=11),
        *_lines("explain", "release/postgresql", "--demo"),
    }
    sim.runtime.change(
        Ref(STATEFULSET, "postgresql", "default"), lambda obj: obj["spec"].update(replicas=0, minReadySeconds=5)
    )
    seen |= {
        *_lines("import", "postgresql", "--demo", "-o", "imported.yaml"),
        *_lines("backup", "--demo"),
        *_lines("uninstall", "postgresql", "--demo"),
        *_lines("uninstall", "postgresql", "--demo", code=5),
        *_lines("releases", "--demo"),
        *_lines("render", "missing.yaml", code=2),
    }
    sim.store.put({**faulting.secret("broken-pgwizard", "default"), "type": record.TYPE})
    seen |= {*_lines("releases", "--demo"), *_lines("status", "-A", "--demo", code=11)}
    described = {(verb, line.type_name) for verb, lines in WRITTEN_BY.items() for line in lines}
    errors = {(verb, kind) for verb, kind in seen if kind == "error"}
    assert seen - errors == described - {("logs", "note")}, "only a Job that runs has remarks"
    assert {verb for verb, _ in errors} == {"backup", "status", "uninstall", "render", "restore"}


def test_every_verb_that_takes_json_and_every_type_is_described() -> None:
    assert {name for name, verb in VERBS.items() if JSON in verb.options} == set(WRITTEN_BY)
    assert {kind for lines in WRITTEN_BY.values() for kind in lines} == {*LINES} - {LINES[-1]}
    names = [line.type_name for line in LINES]
    assert len(names) == len(set(names))
