"""postgresql.conf as the real PostgreSQL reads it, pgbackrest.conf as the real pgBackRest does."""

from __future__ import annotations

import functools
import json
import random
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import TypeAdapter, ValidationError

from pgwizard.answers.questions import OptionValue, ParameterValue, RepositoryPath
from pgwizard.plan import manifests, pgbackrest
from pgwizard.plan.plan import Plan
from support.rigtools import (
    LIVE,
    LONG,
    Shell,
    configuration,
    golden_cases,
    golden_plan,
    own_namespace,
    plan_of,
    pod_object,
)
from support.waiting import KUBECTL_DEADLINE

T = TypeVar("T")
pytest_plugins = ["support.rigfixtures"]
pytestmark = [*LIVE, LONG]
INSTALLED = pgbackrest.version("2.45")
"""pgBackRest of the image."""
CASES = pytest.mark.parametrize("answers", golden_cases(), ids=lambda path: path.parent.name)


@pytest.fixture(scope="module")
def shell(kubectl_binary: str) -> Iterator[Shell]:
    """The image of the chart, with nothing but a shell in it."""
    with own_namespace(kubectl_binary, "pgw-shell") as kubectl:
        kubectl.run("apply", "--filename=-", data=json.dumps(pod_object("shell")).encode())
        kubectl.run("wait", "--for=condition=Ready", "pod/shell", KUBECTL_DEADLINE)
        yield Shell(kubectl, "shell")


# ---- the real readers ----------------------------------------------------------------------------------------------

READ_PARAMETERS = r"""
set -euo pipefail
while IFS= read -r name; do
  postgres -D "$PWD" -C "$name" -c config_file="$PWD/postgresql.conf" 2>>errors || echo "FAILED: $(tail -1 errors)"
  printf '\0'
done <names
"""
READ_GIVEN_PARAMETERS = r"""
set -euo pipefail
touch empty.conf
while IFS= read -r name && IFS= read -r value <&3; do
  postgres -D "$PWD" -C "$name" -c config_file="$PWD/empty.conf" -c "$name=$value" 2>>errors ||
    echo "FAILED: $(tail -1 errors)"
  printf '\0'
done <names 3<values
"""
# An option is shown by the help of a command that knows it; "current" is left out where it is the default.
READ_OPTIONS = r"""
set -uo pipefail
touch warnings
while IFS=' ' read -r file name; do
  shown=
  for command in backup archive-push expire; do
    if pgbackrest --config="$PWD/$file" --stanza=main help "$command" "$name" >help 2>messages; then
      break
    fi
  done
  while IFS= read -r line; do
    case "$line" in
      'current: '*) shown="${line#current: }" && break ;;
      'default: '*) shown="${line#default: }" ;;
    esac
  done <help
  printf '%s\0' "$shown"
  cat messages >>warnings
done <names
sort -u warnings
"""


def parameters_read(shell: Shell, conf: str, names: list[str]) -> list[str]:
    """The values of these parameters as ``postgres -C`` prints them."""
    lines = "".join(f"{name}\n" for name in names)
    return _split(shell.run(READ_PARAMETERS, {"postgresql.conf": conf, "names": lines}))


def parameters_given(shell: Shell, values: Mapping[str, str]) -> list[str]:
    """How ``postgres -C`` prints these values when they are given as arguments, where nothing is quoted."""
    files = {"names": "".join(f"{name}\n" for name in values), "values": "".join(f"{v}\n" for v in values.values())}
    return _split(shell.run(READ_GIVEN_PARAMETERS, files))


def options_read(shell: Shell, pairs: list[tuple[str, str]], files: Mapping[str, str]) -> tuple[list[str], str]:
    """The values of (file, option) as pgBackRest's help shows them, and what it warned of."""
    lines = "".join(f"{file} {name}\n" for file, name in pairs)
    *values, warnings = shell.run(READ_OPTIONS, {**files, "names": lines}).decode().split("\0")
    return values, warnings


def _split(output: bytes) -> list[str]:
    return [value.removesuffix("\n") for value in output.decode().split("\0")[:-1]]


def in_pgbackrest_words(value: str) -> str:
    return {"true": "y", "false": "n"}.get(value, value)


# ---- the golden cases ----------------------------------------------------------------------------------------------


@CASES
def test_postgresql_reads_each_parameter_as_written(shell: Shell, answers: Path) -> None:
    plan = golden_plan(answers, "images.postgresqlVersion=15", 'images.pgbackrestVersion="2.60"')
    conf = configuration(manifests.render(plan), "postgresql.conf")
    values = {parameter.name: parameter.value for parameter in plan.parameters}

    read = dict(zip(values, parameters_read(shell, conf, list(values)), strict=True))

    assert read == dict(zip(values, parameters_given(shell, values), strict=True))
    assert not [value for value in read.values() if value.startswith("FAILED")]


def test_the_seeds_settings_are_what_the_defaults_give(shell: Shell, tmp_path: Path) -> None:
    conf = configuration(manifests.render(_plan(tmp_path, {})), "postgresql.conf")
    seed = {
        "archive_mode": "on",
        "archive_command": "pgbackrest --stanza=main archive-push %p",
        "max_connections": "100",
        "shared_buffers": str(256 * 1024 // 8),
        "listen_addresses": "*",
        "wal_level": "replica",
    }

    assert dict(zip(seed, parameters_read(shell, conf, list(seed)), strict=True)) == seed


@CASES
def test_pgbackrest_reads_each_option_as_written(shell: Shell, answers: Path) -> None:
    plan = golden_plan(answers)
    if not plan.backups:
        pytest.skip("no backups, no pgbackrest.conf")
    conf = configuration(manifests.render(plan), "pgbackrest.conf")
    options = manifests.repository_options(plan)
    newer = [pair.name for pair in options if (pgbackrest.since(pair.name) or ()) > INSTALLED]
    conf = "".join(line for line in conf.splitlines(keepends=True) if line.partition("=")[0] not in newer)
    expected = {pair.name: pair.value for pair in options if pair.name not in newer}
    expected |= {
        "pg1-path": "/var/lib/postgresql/data/pgdata",
        "pg1-port": "5432",
        "pg1-socket-path": "/var/run/postgresql",
    }

    read, warnings = options_read(shell, [("case.conf", name) for name in expected], {"case.conf": conf})

    assert warnings == ""
    assert dict(zip(expected, map(in_pgbackrest_words, read), strict=True)) == expected


def test_every_option_that_is_offered_is_one_that_a_configuration_may_hold(shell: Shell) -> None:
    """The table of options in ``pgwizard.pgbackrest`` against the real one."""
    files = {
        f"{name}.conf": f"[global]\n{name}=\n[main]\npg1-path=/x\n"
        for name in [*pgbackrest.known_options(), "no-such-option"]
        if (pgbackrest.since(name) or ()) <= INSTALLED
    }
    _, warnings = options_read(shell, [(file, "pg1-path") for file in files], files)

    assert re.findall("invalid option '(.*)'", warnings) == ["no-such-option"]
    assert "command-line only" not in warnings


# ---- hostile values ------------------------------------------------------------------------------------------------

PIECES: list[str] = [
    *"'\"\\`${}()[]<>|&;*?!#%@~^=,:/ \t\n\r\0\x07\x1b\x7f\x85",
    *("''", '""', "\\'", "\\\\", "\\n", "\\x41", "\\101", "{{", "}}", "{%", "%}", "{#", "#}", "${X}", "$(X)", "$$(X)"),
    *("`id`", "; rm -rf /", "| cat", "&& true", "--", "-", "_", "%p", "%f", "%%", "%(x)s", "{0}", "{{ names }}"),
    *("1e3", "no", "yes", "y", "n", "on", "off", "null", "~", "true", "08", "0o14", "0x1F", "1_000", ".5", "5.", "-1"),
    *("12:30:45", "2001-01-01", "<<", "=", "!!str", "&a", "*a", "? a", "- a", "a: b", "# c", " # c", "---", "..."),
    *(
        "\u00a0",
        "\u2028",
        "\u2029",
        "\u200b",
        "\u202e",
        "\ufeff",
        "\u0301",
        "é",
        "ß",
        "İ",
        "中文",
        "😀",
        "👩‍👩‍👧",
        "🇩🇪",
    ),
    *("include 'x'", "port = 1234", "[global]", "repo1-path=/x", "'\nport = 1234", "5GB", "10ms", "A" * 300, "é" * 200),
]


def hostile(
    seed: str, accepts: Callable[[str], object], count: int, *, prefix: str = "", singles: bool = True
) -> tuple[list[str], int]:
    """So many different hostile strings that the answers accept, and how many they refused on the way."""
    dice, result, refused = random.Random(seed), dict[str, None](), 0
    alone: Iterator[str] = iter(PIECES if singles else [])
    while len(result) < count:
        text = next(alone, None) or "".join(_piece(dice) for _ in range(dice.randint(1, 6)))
        try:
            accepts(prefix + text)
        except ValidationError:
            refused += 1
        else:
            result[prefix + text] = None
    return list(result), refused


def _piece(dice: random.Random) -> str:
    kind = dice.random()
    if kind < 0.75:
        return str(dice.choice(PIECES))
    if kind < 0.9:
        return "".join(dice.choices(string.printable, k=dice.randint(1, 8)))
    first, last = dice.choice([(0x20, 0x2FF), (0x2000, 0x2FFF), (0x10000, 0x1FBFF)])
    return chr(dice.randint(first, last))


@functools.cache
def accepts(kind: str) -> Callable[[str], object]:
    kinds: dict[str, Any] = {"parameter": ParameterValue, "option": OptionValue, "path": RepositoryPath}
    adapter: TypeAdapter[str] = TypeAdapter(kinds[kind])
    return adapter.validate_python


def batched(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    rest = iter(items)
    while batch := tuple(islice(rest, size)):
        yield batch


def _plan(folder: Path, answers: dict[str, object]) -> Plan:
    file = folder / "answers.yaml"
    # JSON is YAML: the whole way from the file on is walked.
    file.write_text(json.dumps({"tls": {"source": None}, **answers}, ensure_ascii=False))
    return plan_of(file)


@pytest.mark.parametrize("part", range(3))
def test_hostile_parameters_come_back_from_postgresql(shell: Shell, tmp_path: Path, part: int) -> None:
    values, refused = hostile(f"parameters {part}", accepts("parameter"), 700, singles=part == 0)
    quoted = [value for value in values if len(value) > 1 and value[0] == value[-1] == "'"]  # refused by the checks
    values = [value for value in values if value not in quoted]
    wrong: dict[str, str] = {}
    for chunk in batched(values, 60):
        # the last one also covers PostgreSQL's own text parameters
        given = {f"app.p{number}": value for number, value in enumerate(chunk)} | {"log_line_prefix": chunk[-1]}
        conf = configuration(manifests.render(_plan(tmp_path, {"tuning": {"parameters": given}})), "postgresql.conf")
        read = parameters_read(shell, conf, [*given, "port"])
        wrong |= {value: back for value, back in zip([*given.values(), "5432"], read, strict=True) if value != back}

    print(f"{len(values)} hostile parameters through postgres -C, {refused + len(quoted)} refused by the answers")
    assert wrong == {}


def test_hostile_options_come_back_from_pgbackrest(shell: Shell, tmp_path: Path) -> None:
    options, refused_options = hostile("options", accepts("option"), 300)
    paths, refused_paths = hostile("paths", accepts("path"), 300, prefix="/")
    wrong: dict[str, str] = {}
    warned = ""
    for chunk in batched(zip(options, paths, strict=True), 100):
        files = {
            f"{number}.conf": configuration(
                manifests.render(
                    _plan(
                        tmp_path,
                        {"repository": {"path": path}, "advanced": {"options": {"repo1-s3-kms-key-id": option}}},
                    )
                ),
                "pgbackrest.conf",
            )
            for number, (option, path) in enumerate(chunk)
        }
        pairs = [(file, name) for file in files for name in ("repo1-s3-kms-key-id", "repo1-path")]
        read, warnings = options_read(shell, pairs, files)
        wrong |= {value: back for value, back in zip(sum(chunk, ()), read, strict=True) if value != back}
        warned += warnings

    refused = refused_options + refused_paths
    print(f"{len(options) + len(paths)} hostile options and paths through pgBackRest, {refused} refused by the answers")
    assert wrong == {}
    assert warned == ""
