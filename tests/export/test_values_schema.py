"""The schema of the chart's values and the models accept the same, also near the borders, and Helm reads it so."""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pgwizard.answers.questions import Answers
from pgwizard.export.chart import chart, values
from pgwizard.export.values import VALUES
from pgwizard.export.values_schema import values_schema
from pgwizard.plan.cron import CronSchedule, NeverFires
from support.headless import GOLDEN, planned
from support.helm import HELM, helm, write

SCHEMA = values_schema()
CHART_ONLY = {
    "tuning.sharedMemoryBytes",
    "tuning.parameters",
    "repository.port",
    "tls.enabled",
    "tls.source",
    "tls.certificate",
    "schedule.fullDeadlineSeconds",
    "schedule.incrementalDeadlineSeconds",
    "schedule.full",
    "schedule.incremental",
    "schedule.verify",
    "schedule.drill",
    "schedule.drillCpuRequest",
    "schedule.drillMemoryRequest",
    "advanced.archivePushQueueMax",
    "advanced.options",
    "pods.tolerations",
}
"""Values that are computed, or have another form than the answer: tried by tests of their own."""
ELSEWHERE = {
    "credentials.secret": ("credentials", {"from": "existing"}, "secret"),
    "credentials.usernameKey": ("credentials", {"from": "existing", "secret": "a"}, "usernameKey"),
    "credentials.passwordKey": ("credentials", {"from": "existing", "secret": "a"}, "passwordKey"),
    "credentials.username": ("credentials", {"from": "generate"}, "username"),
    "repository.serverNamespace": ("repository.credentials", {"from": "existing"}, "namespace"),
    "repository.credentials.accessKeyKey": ("repository.credentials", {"from": "existing"}, "accessKeyKey"),
    "repository.credentials.secretKeyKey": ("repository.credentials", {"from": "existing"}, "secretKeyKey"),
    "repository.credentials.secret": ("repository.credentials", {"from": "existing"}, "secret"),
    "compression.level": ("compression", {"type": "gz"}, "level"),
}
"""Where the answer to a value is: its section, what else must be there, and its key."""
PATHS = [value.path for value in VALUES if value.path not in {*CHART_ONLY, "repository.cipher", "compression.type"}]
NULL_OF_THE_CHART = {
    "credentials.username": True,  # the Secret has the name
    "resources.memoryRequest": False,  # what null means is computed, which Helm cannot do
    "resources.cpuLimit": False,
    "advanced.processMax": False,
}
"""Whether null is a value, where the chart differs from the answers."""


# ---- both sides ----------------------------------------------------------------------------------------------------


def _of_python(node: Any) -> Any:
    """The schema with patterns of Python's, where ``$`` also matches before a line break at the end."""
    if isinstance(node, list):
        return [_of_python(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    return {
        key.replace("$", r"\Z") if key.endswith(("$", "$)")) else key: item.replace("$", r"\Z")
        if key == "pattern" and isinstance(item, str)
        else _of_python(item)
        for key, item in node.items()
    }


VALIDATOR = jsonschema.Draft7Validator(_of_python(SCHEMA))


def _at(path: str) -> dict[str, Any]:
    result: Any = SCHEMA
    for key in path.split("."):
        result = result["properties"][key]
    return dict(result)


def _schema_accepts(path: str, value: Any) -> bool:
    return bool(VALIDATOR.evolve(schema=_of_python(_at(path))).is_valid(value)) and (
        path != "compression.level" or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 9)
    )


def _models_accept(path: str, value: Any) -> bool:
    if value is None and path in NULL_OF_THE_CHART:
        return NULL_OF_THE_CHART[path]
    section, others, key = ELSEWHERE.get(path, (path.rpartition(".")[0], {}, path.rpartition(".")[2]))
    answers: Any = {**others, key: value}
    for name in reversed(section.split(".")):
        answers = {name: answers}
    try:
        Answers.model_validate(answers)
    except ValidationError:
        return False
    return True


# ---- values near the borders ---------------------------------------------------------------------------------------

_ODD = st.sampled_from(
    [None, True, False, 0, -1, 1, 0.5, 10**15 - 1, 10**15, 10**18, "", " ", "a", "a ", " a", "A", "-", ".", "..", "a\n"]
    + ["a" * length for length in (36, 37, 63, 64, 253, 254, 317, 318, 512, 513, 1024, 1025)]
    + ["\x85", "\xa0", "\u200b", "\u2028", "\ufeff", "\U0001f600", "\U000e0001", "pg_a", "ä", "a/b", "1e3", "+1", "[]"]
    + [
        "1 Gi",
        "1Gi ",
        "1gi",
        "1,5Gi",
        "1_000",
        "0x10",
        "Infinity",
        "null",
        "yes",
        "~",
        "\uff11Gi",
        [],
        ["a"],
        {},
        {"a": "b"},
    ]
)
_NUMBERS = ["0", "1", "0.5", ".5", "5.", ".", "0.001", "0.0009", "010", "1000", "7999", "8000", "9" * 18, "0" * 31]
_UNITS = ["", "n", "u", "m", "k", "K", "Ki", "M", "Mi", "G", "Gi", "T", "Ti", "P", "Pi", "E", "Ei", "e3", "B"]
_SIZES = st.builds(
    lambda sign, number, unit: f"{sign}{number}{unit}",
    st.sampled_from(["", "+", "-"]),
    st.sampled_from(_NUMBERS) | st.integers(0, 10**19).map(str),
    st.sampled_from(_UNITS),
)
_ENDPOINTS = st.builds(
    lambda scheme, host, port, end: f"{scheme}{host}{port}{end}",
    st.sampled_from(["", "http://", "https://", "HTTPS://", "ftp://", "//"]),
    st.sampled_from(["a", "a.b.", "a..b", "-a", "10.0.0.1", "[::1]", "[::]", "[fd00::1:2]", "[1:2:3:4:5:6:7:8]", "::1"])
    | st.sampled_from(["[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7:8:9]", "[::ffff:1.2.3.4]", "[::1.2.3.256]", "[1::2::3]"])
    | st.sampled_from(["[fe80::1%eth0]", "[12345::]", "[1:2:3:4:5:6:1.2.3.4]", "[1:2:3:4:5:6:7:1.2.3.4]", "[:1]", "[]"])
    | st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.sampled_from(["", ":0", ":1", ":65535", ":65536", ":99999", ":080", ":", ":a", ":100000"]),
    st.sampled_from(["", "/", "/a", "//"]),
)


def _near(node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a part of the schema accepts, and such that it barely refuses."""
    if "$ref" in node:
        return _near(SCHEMA["definitions"][node["$ref"].rpartition("/")[2]])
    if "anyOf" in node:
        return st.one_of([_near(item) for item in node["anyOf"]])
    kinds = node["type"] if isinstance(node.get("type"), list) else [node.get("type")]
    if len(kinds) > 1:
        return st.one_of([_near({**node, "type": kind}) for kind in kinds])
    if "enum" in node:
        return st.sampled_from([*node["enum"], *(str(item).upper() for item in node["enum"])])
    if "array" in kinds:
        return st.lists(_near(node["items"]), max_size=2)
    if "patternProperties" in node:
        maps = [
            st.dictionaries(_near({"type": "string", "pattern": key}), _near(item or {}) | _ODD, max_size=2)
            for key, item in node["patternProperties"].items()
        ]
        return st.one_of(maps)
    if "properties" in node:
        return st.fixed_dictionaries({}, optional={key: _near(item) for key, item in node["properties"].items()})
    if "integer" in kinds or "number" in kinds:
        borders = [node[key] for key in node if "imum" in key or "Maximum" in key] or [0]
        return st.sampled_from([border + step for border in borders for step in (-1, 0, 1)])
    if "string" not in kinds:
        return st.booleans()
    matching = st.from_regex(node.get("pattern", "^.*$").replace("$", r"\Z"))
    return matching | _mutated(matching)


@st.composite
def _mutated(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text with one character more, less or other."""
    text: str = draw(texts)
    place = draw(st.integers(0, len(text)))
    character: str = draw(st.sampled_from([*"aZ0-_./:@= ,[]%\n\x7f\u200b", "é", ""]))
    return text[:place] + character + text[place + draw(st.integers(0, 1)) :]


def _candidates(path: str) -> st.SearchStrategy[Any]:
    others = {
        "repository.endpoint": _ENDPOINTS,
        "repository.path": st.sampled_from(["/", "/a/..", "/..a", "//", "/a/"]),
    }
    if any(word in path for word in ("storage.size", "emory", "cpu", "ephemeral")):
        others[path] = _SIZES
    return st.one_of(_near(_at(path)), others.get(path, _ODD), _ODD)


# ---- claims --------------------------------------------------------------------------------------------------------


def test_the_schema_reads_ipv6_addresses_as_python_does() -> None:
    """Every place of ``::`` among up to ten groups, with and without an IPv4 address at the end."""
    for count in range(1, 11):
        for groups in itertools.product(["a", ""], repeat=count):
            for end in ([], ["1.2.3.4"], ["1.2.3.256"]):
                address = ":".join([*groups, *end])
                assert _schema_accepts("repository.endpoint", f"[{address}]:1") == _is_ipv6(address), address


@pytest.mark.parametrize(
    ("path", "value", "is_right"),
    [
        ("images.postgresql", f"db:{'a' * 128}", True),
        ("images.postgresql", f"db:{'a' * 129}", False),
        ("images.postgresql", f"{'a' * 200}:1@sha256:{'0' * 64}", True),
        ("images.postgresql", f"db@sha256:{'0' * 65}", False),
        ("repository.endpoint", f"{'a' * 60}:443", True),
        ("repository.endpoint", "[2001:0db8::00001]", False),
        ("repository.endpoint", "[20011::1]:443", False),
        ("pods.labels", {"a" * 63: "a" * 63, f"{'a' * 100}.b/{'a' * 63}": "1"}, True),
        ("pods.labels", {"a" * 64: "1"}, False),
        ("pods.labels", {"a": "a" * 64}, False),
        ("pods.nodeSelector", {f"b/{'a' * 64}": "1"}, False),
    ],
)
def test_a_part_of_a_value_has_a_length(path: str, value: object, is_right: bool) -> None:
    assert (_schema_accepts(path, value), _models_accept(path, value)) == (is_right, is_right)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_read(schedule: str) -> bool:
    try:
        CronSchedule(schedule)
    except NeverFires:  # Kubernetes accepts it, and so does the chart
        return True
    except ValueError:
        return False
    return True


_NUMBER = st.integers(0, 61).map(str) | st.sampled_from(["00", "007", "09", "7", "L", "5W", "", "-1", "*", "?"])
_NAMED = st.sampled_from(["Jan", "dec", "SUN", "sat", "mon", "tues", "janu", "jul", "feb"])
_STEP = st.sampled_from(["", "", "", "/1", "/2", "/15", "/100", "/0", "/00", "/", "/x", "/2/2", "/2-3"])


@st.composite
def _cron_field(draw: st.DrawFn) -> str:
    """Mostly what is right for some field."""

    def part() -> str:
        number = _NUMBER if draw(st.integers(0, 3)) else _NAMED
        ends = draw(st.lists(number, min_size=1, max_size=draw(st.sampled_from([1, 1, 1, 2, 2, 3]))))
        return "-".join(ends) + draw(_STEP)

    return ",".join(part() for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))))


_RIGHT_FIELDS = [
    ["0", "*", "*/15", "5,10", "0-30/5", "59", "?", "05"],
    ["2", "*", "*/6", "1-5", "23", "0,12", "?/2", "*/1"],
    ["*", "1", "31", "1-7", "?", "*/2", "?/2", "L", "15W", "?/1"],
    ["*", "1", "12", "jan", "JAN-mar", "1,apr", "2/2", "feb-3"],
    ["*", "0", "6", "7", "sun", "Mon-Fri", "1-5", "?", "5L", "1#2", "0-7", "*/7", "07", "*/2,?/3"],
]
_SCHEDULES = st.one_of(
    st.tuples(*map(st.sampled_from, _RIGHT_FIELDS)).map(" ".join),
    st.tuples(*(st.sampled_from(right) | _cron_field() for right in _RIGHT_FIELDS)).map(" ".join),
    st.lists(st.sampled_from([*"*?0159-,/ "]) | _cron_field(), max_size=8).map(" ".join),
    st.sampled_from(
        ["@daily", "@Daily", "@every 5m", "@reboot", "@", "TZ=UTC 0 0 * * *", "0  0 * *   *", "0\t0 * * *"]
    ),
    st.sampled_from(["0 0 30 2 *", "0 0 31 4,6 *", "61 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * *"]),
)


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(schedule=_SCHEDULES | _mutated(_SCHEDULES))
def test_a_schedule_is_accepted_if_it_can_be_read_unless_a_range_of_it_is_reversed(schedule: str) -> None:
    """A reversed range is refused by a helper of the chart: no regular expression of a fit length orders numbers."""
    reversed_range = any(_is_reversed(*ends) for ends in re.findall(r"(\w+)-(\w+)", schedule))
    accepted = _schema_accepts("schedule.full", schedule)
    is_right = _models_accept("schedule.full", schedule) and _is_read(schedule)
    assert (accepted and not reversed_range) == is_right, schedule
    assert accepted == _schema_accepts("schedule.verify", schedule)


_NAMES = {
    name: number
    for start, names in ((1, "jan feb mar apr may jun jul aug sep oct nov dec"), (0, "sun mon tue wed thu fri sat"))
    for number, name in enumerate(names.split(), start)
}


def _is_reversed(first: str, last: str) -> bool:
    numbers = [int(end) if end.isdigit() else _NAMES.get(end.lower()) for end in (first, last)]
    return None not in numbers and numbers != sorted(numbers, key=lambda number: number or 0)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("path", PATHS)
@given(data=st.data())
def test_the_schema_accepts_what_the_models_accept_and_nothing_else(path: str, data: st.DataObject) -> None:
    value = data.draw(_candidates(path))
    assert _schema_accepts(path, value) == _models_accept(path, value), value


def _patterns(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, item in node.items():
            yield from [item] if key == "pattern" and isinstance(item, str) else _patterns(item)
    elif isinstance(node, list):
        for item in node:
            yield from _patterns(item)


def test_patterns_use_what_go_python_and_javascript_read_alike() -> None:
    for pattern in {*_patterns(SCHEMA), *_patterns(Answers.model_json_schema())}:
        assert not re.search(r"\(\?|\\[^.\[\]/+\-?]|\[\[|\{,|\*\+|\+\+", pattern), pattern
        assert all(int(number) <= 1000 for number in re.findall(r"[{,]([0-9]+)\}", pattern)), pattern


def test_every_value_is_tried_here_or_by_name() -> None:
    assert {value.path for value in VALUES} == {*PATHS, *CHART_ONLY, "repository.cipher", "compression.type"}


RIGHT = values(planned(Answers()))


@pytest.mark.parametrize(
    ("section", "changed"),
    [
        ("tuning", {"parameters": [{"name": "Work_mem", "value": "1"}]}),
        ("tuning", {"parameters": [{"name": "work_mem", "value": "1\nfsync = off"}]}),
        ("tuning", {"parameters": [{"name": "work_mem", "value": "1", "reason": "x\nfsync = off"}]}),
        ("tuning", {"parameters": [{"name": "work_mem", "value": 1}]}),
        ("tuning", {"sharedMemoryBytes": "64Mi"}),
        ("repository", {"port": 65536}),
        ("repository", {"credentials": None}),
        ("repository", {"cipher": {"secret": "a"}}),
        ("repository", {"cipher": {"secret": "a", "passphraseKey": ".."}}),
        ("tls", {"enabled": None}),
        ("tls", {"source": {"namespace": "a", "secret": "b", "key": "c/d"}}),
        ("advanced", {"options": [{"name": "delta", "value": "y\n[main]"}]}),
        ("advanced", {"options": [{"name": "Delta", "value": "y"}]}),
        ("advanced", {"processMax": None}),
        ("advanced", {"archivePushQueueMax": "1Gi"}),
        ("pods", {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}),
        ("pods", {"tolerations": [{"key": "a b", "operator": "Exists"}]}),
        ("compression", {"type": "gz", "level": 10}),
        ("compression", {"type": "gz", "level": None}),
        ("compression", {"type": "bz2", "level": 0}),
        ("compression", {"type": "none", "level": 1}),
        ("storage", {"size": None}),
        ("resources", {"cpuLimit": None}),
    ],
)
def test_what_no_answer_would_give_is_refused(section: str, changed: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(RIGHT)
    assert not VALIDATOR.is_valid({**RIGHT, section: {**RIGHT[section], **changed}})


@pytest.mark.parametrize(
    ("section", "changed"),
    [
        ("compression", {"type": "none", "level": None}),
        ("compression", {"type": "lz4", "level": -5}),
        ("repository", {"cipher": {"secret": "a", "passphraseKey": "b"}}),
        ("pods", {"tolerations": [{"key": "a", "operator": "Equal", "value": "b", "effect": ""}]}),
        ("advanced", {"archivePushQueueMax": "1"}),
        ("global", {"anything": 1}),
    ],
)
def test_what_an_answer_gives_is_accepted(section: str, changed: dict[str, Any]) -> None:
    VALIDATOR.validate({**RIGHT, section: {**RIGHT.get(section, {}), **changed}})


# ---- helm ----------------------------------------------------------------------------------------------------------

NEEDS_HELM = pytest.mark.skipif(HELM is None, reason="helm is neither in RIG_HELM nor on PATH")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("chart") / "postgresql", chart(planned(Answers())))


@st.composite
def _whole(draw: st.DrawFn) -> dict[str, Any]:
    """A value near the border in the place of every value."""
    drawn = {path: draw(_candidates(path)) for path in PATHS if path != "compression.level"}
    return {path: value for path, value in drawn.items() if value is not None}


@NEEDS_HELM
@settings(max_examples=15, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(drawn=_whole())
def test_helm_refuses_the_values_that_the_models_refuse(drawn: dict[str, Any], folder: Path) -> None:
    """Helm names every value that its validator refuses: all values are tried in one run."""
    file: dict[str, Any] = {}
    for path, value in drawn.items():
        *sections, key = path.split(".")
        place = file
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value
    text = re.sub("[^\x20-\x7e]", lambda match: f"\\U{ord(match[0]):08X}", json.dumps(file, ensure_ascii=False))
    (folder.parent / "values.yaml").write_text(text, encoding="utf-8")
    done = helm("template", "a", folder, "-f", folder.parent / "values.yaml")
    refused = {place.replace("/", ".") for place in re.findall(r"at '/([^'/]+/[^'/]+(?:/[^'/]+)?)'", done.stderr)}
    rejected = {path for path in drawn if any(f"{place}.".startswith(f"{path}.") for place in refused)}
    assert rejected == {path for path, value in drawn.items() if not _models_accept(path, value)}


@NEEDS_HELM
def test_helm_refuses_null_where_there_must_be_a_value(folder: Path) -> None:
    needed = [path for path in PATHS if not _models_accept(path, None)]
    done = helm("template", "a", folder, *(f"--set={path}=null" for path in needed))
    assert done.returncode != 0
    missing = set(re.findall(r"'(\w+)'", " ".join(re.findall(r"missing propert(?:y|ies) (.*)", done.stderr))))
    assert {path.rpartition(".")[2] for path in needed} <= missing


@NEEDS_HELM
@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("0 2 * * 0,fri-SUN", "schedule.full is 0 2 * * 0,fri-SUN, but the range fri-SUN ends before it begins"),
        ("0 5-03/2 * * *", "but the range 5-03 ends before it begins"),
        ("61 * * * *", "at '/schedule/full': '61 * * * *' does not match pattern"),
        ("0 2 * * 7", "does not match pattern"),
        ("1-2-3 2 * * *", "at '/schedule/full': 'not' failed"),
        ("0 2 * *", "does not match pattern"),
    ],
)
def test_helm_refuses_a_schedule_that_cannot_be_read(schedule: str, expected: str, folder: Path) -> None:
    (folder.parent / "schedule.yaml").write_text(json.dumps({"schedule": {"full": schedule}}), encoding="utf-8")
    done = helm("template", "a", folder, "-f", folder.parent / "schedule.yaml")
    assert expected in done.stderr


@NEEDS_HELM
@pytest.mark.parametrize("schedule", ["0 2 * jan-DEC mon-6", "*/5,7-9/2 ? 1,31 * ?/2", "@weekly", "00 02 * * 0"])
def test_helm_takes_a_schedule_that_can_be_read(schedule: str, folder: Path) -> None:
    (folder.parent / "schedule.yaml").write_text(json.dumps({"schedule": {"drill": schedule}}), encoding="utf-8")
    ca = f"--set-file=tls.certificate={GOLDEN / 'ca.crt'}"
    assert helm("template", "a", folder, "-f", folder.parent / "schedule.yaml", ca).returncode == 0


@NEEDS_HELM
def test_helm_refuses_null_for_a_section_within_another(folder: Path) -> None:
    done = helm("template", "a", folder, "--set=repository.credentials=null")
    assert "at '/repository': missing property 'credentials'" in done.stderr
