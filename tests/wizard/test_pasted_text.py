"""A pasted text as the line of a question."""

from __future__ import annotations

import pytest

from pgwizard.answers.schema import field_at
from pgwizard.wizard.pasted_text import PasteRefused, one_line
from pgwizard.wizard.text_input import read_text

PGTUNE = """# DB Version: 15
# OS Type: linux

max_connections = 200
shared_buffers = 1GB
effective_cache_size = 3GB
random_page_cost = 1.1\t# SSD
huge_pages = off
log_line_prefix = '%m [%p] it''s \\'x\\' ; #1 '
Work_Mem 2621kB
"""
PEM = (
    "it is a PEM block, and an answer is the name of a file or of a Secret. Save the block as a file, and enter its "
    "path where a file is asked for"
)
CONTROL = "it holds a control character, U+{}. Copy it again as plain text, without colours"


def pasted(question: str, text: str) -> object:
    """What the question is answered with."""
    result = field_at(tuple(question.split(".")), lambda _: "")
    assert result is not None
    return read_text(result, one_line(text, result))


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n"])
def test_each_line_of_postgresql_conf_is_a_parameter(line_break: str) -> None:
    assert pasted("tuning.parameters", PGTUNE.replace("\n", line_break)) == {
        "max_connections": 200,
        "shared_buffers": "1GB",
        "effective_cache_size": "3GB",
        "random_page_cost": 1.1,
        "huge_pages": "off",
        "log_line_prefix": "%m [%p] it's 'x' ; #1 ",
        "work_mem": "2621kB",
    }


def test_alter_system_commands_become_parameters() -> None:
    text = "-- pgtune\nALTER SYSTEM SET\n max_wal_size = '4GB';\nALTER SYSTEM SET\n jit = 'off';\n"
    assert pasted("tuning.parameters", text) == {"max_wal_size": "4GB", "jit": "off"}
    with pytest.raises(PasteRefused, match="line 3 is not name = value"):
        pasted("tuning.parameters", "jit = off\n\nALTER SYSTEM SET")
    text = "ALTER SYSTEM SET max_wal_size = '4GB';\nalter system set jit to off;\n"
    assert pasted("tuning.parameters", text) == {"max_wal_size": "4GB", "jit": "off"}


@pytest.mark.parametrize(
    "text",
    [
        "SET jit TO off;\nSET work_mem = '8MB';",
        "SET LOCAL jit = off; -- for a test\nset session work_mem to '8MB' -- each sort\n",
        "jit = off -- slow\nwork_mem = '8MB'; --each",
        'tuning:\n  parameters:\n    jit: "off"\n    work_mem: 8MB # each sort\n',
        "  jit: off\n  work_mem: 8MB\n",
        "- jit: off\n- work_mem: '8MB'\n",
        '{"jit": "off", "work_mem": "8MB"}',
        '{\n  "jit": "off",\n  "work_mem": "8MB"\n}',
        "-c jit=off -c work_mem=8MB",
        "-c jit=off \\\n  -c work_mem=8MB",
    ],
)
def test_parameters_are_taken_from_sql_yaml_and_the_command_line(text: str) -> None:
    assert pasted("tuning.parameters", text) == {"jit": "off", "work_mem": "8MB"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ALTER SYSTEM SET jit = DEFAULT;\nSET work_mem TO '8MB';", 1),
        ("SET jit TO off;\nRESET work_mem;", 2),
        ("jit: off\nwork_mem:\n  - 8MB\n", 1),
        ("SET jit TO off; SET work_mem TO '8MB';\njit = on", 1),
    ],
)
def test_a_line_that_sets_no_parameter_is_named(text: str, line: int) -> None:
    with pytest.raises(PasteRefused, match=f"line {line} is not name = value"):
        pasted("tuning.parameters", text)


@pytest.mark.parametrize(
    "text", ["a=b,c=d", "a=b, c=d", "a=b,c=d\n", "a: b\nc: d", "a=b\nc=d", "labels:\n  a: b\n  c: d\n"]
)
def test_labels_are_taken_with_commas_between_them(text: str) -> None:
    assert pasted("pods.labels", text) == {"a": "b", "c": "d"}


def test_a_comma_belongs_to_the_value_of_an_annotation() -> None:
    assert pasted("pods.annotations", "ports=1,2\nb=c") == {"ports": "1,2", "b": "c"}


def test_a_secret_in_a_block_of_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(PasteRefused, match="line 3 holds a secret"):
        pasted("advanced.options", "options:\n  delta: y\n  repo1-cipher-pass: hunter2\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("work_mem=16MB; jit=off", "work_mem=16MB; jit=off"),
        ("64MB", "64MB"),
        ("work_mem = 4MB  # per sort\n", "work_mem=4MB"),
        ("log_line_prefix = '%m '  # with a blank\n", "log_line_prefix='%m '"),
        ("log_line_prefix = ''\n", "log_line_prefix="),
        ("jit: off", "jit: off"),
    ],
)
def test_one_line_is_pasted_as_it_is_unless_it_is_one_of_a_configuration_file(text: str, line: str) -> None:
    assert one_line(text, field_at(("tuning", "parameters"), lambda _: "")) == line


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("--process-max=4", {"process-max": 4}),
        ("--process-max=4\n--buffer-size=1MiB\n--archive-copy\n", {"process-max": 4, "buffer-size": "1MiB"}),
        ("--process-max 4 --no-archive-copy \\\n  --compress-level=3", {"process-max": 4, "compress-level": 3}),
        ("-- faster\nprocess-max=4\n--\n--buffer-size=1MiB", {"process-max": 4, "buffer-size": "1MiB"}),
    ],
)
def test_switches_of_a_command_are_options(text: str, options: dict[str, object]) -> None:
    answers = pasted("advanced.options", text)
    assert isinstance(answers, dict)
    copies = {"archive-copy": "n" if "--no-" in text else "y"} if "archive-copy" in text else {}
    assert answers == options | copies


def test_switches_of_the_server_are_parameters() -> None:
    text = "--work-mem=8MB --max_wal_size=4GB\n-- a comment of SQL\n--jit=off"
    assert pasted("tuning.parameters", text) == {"work_mem": "8MB", "max_wal_size": "4GB", "jit": "off"}


def test_lines_of_pgbackrest_conf_are_options() -> None:
    text = "[global]\n# slow network\ncompress-level=3\nbuffer-size = 16MiB\nlog-subprocess: y\n"
    assert pasted("advanced.options", text) == {"compress-level": 3, "buffer-size": "16MiB", "log-subprocess": "y"}


@pytest.mark.parametrize("line", ["delta=y; db-timeout=3600", "delta=y;", r"cmd=a\; b", "delta: y"])
def test_options_are_pasted_as_they_are_shown(line: str) -> None:
    field = field_at(("advanced", "options"), lambda _: "")
    assert one_line(line, field) == line.replace(": ", "=")


@pytest.mark.parametrize("text", ["one\ntwo\n", "- one\n- two\n", "one,\n# three\ntwo"])
def test_each_line_is_an_item_of_a_list(text: str) -> None:
    assert pasted("images.pullSecrets", text) == ["one", "two"]


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("", "", "a=1; b=2"),
        ("c=3", "", "; a=1; b=2"),
        ("c=3; ", "d=4", "a=1; b=2; "),
        ("", " ; d=4", "a=1; b=2"),
    ],
)
def test_pasted_entries_are_separated_from_those_beside_them(before: str, after: str, line: str) -> None:
    field = field_at(("tuning", "parameters"), lambda _: "")
    assert one_line("a = 1\nb = 2\n", field, before, after) == line


@pytest.mark.parametrize(
    ("before", "text", "line"),
    [
        ("c=3", "a = 1\n", "; a=1"),
        ("c=3", "a=1; b=2", "; a=1; b=2"),
        ("c=", "a=1", "a=1"),
        ("c=64", "MB", "MB"),
        ("", "a = 1", "a=1"),
    ],
)
def test_a_pasted_entry_is_separated_and_a_pasted_part_of_one_is_not(before: str, text: str, line: str) -> None:
    assert one_line(text, field_at(("tuning", "parameters"), lambda _: ""), before) == line


def test_a_line_break_at_the_end_is_not_a_second_line() -> None:
    assert pasted("release.name", "shop\r\n") == "shop"


@pytest.mark.parametrize(
    ("question", "text", "reason"),
    [
        ("release.name", "shop\nstaging\n", "it has 2 lines, and the answer is one line. Paste one of them"),
        (
            "tls.caFile",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            PEM,
        ),
        (
            "tuning.parameters",
            "work_mem = 4MB\n\ninclude 'other.conf'\n",
            "line 3 is not name = value. Correct that line, and paste again",
        ),
        (
            "tuning.parameters",
            "jit = off\nlog_line_prefix = '%m\\n'\n",
            "the value in line 2 has a line break or another character that does not print. Leave that line out",
        ),
        (
            "advanced.options",
            "delta=y\nrepo1-cipher-pass=secret\n",
            "line 2 holds a secret, and an answer never does. Leave that line out",
        ),
        (
            "advanced.options",
            "delta=y; repo1-cipher-pass=secret",
            "line 1 holds a secret, and an answer never does. Leave that line out",
        ),
        (
            "advanced.options",
            "log-subprocess=y\ndelta=y; db-timeout=3600\n",
            "line 2 is not name = value. Correct that line, and paste again",
        ),
        ("storage.size", "10Gi\x1b[201~\r", CONTROL.format("001B")),
        (
            "storage.size",
            "1\x080Gi",
            "it holds a control character, U+0008. Copy it again as plain text, without colours",
        ),
        (
            "storage.size",
            "1\x9b2J",
            "it holds a control character, U+009B. Copy it again as plain text, without colours",
        ),
    ],
)
def test_what_cannot_be_pasted_is_refused_with_the_reason(question: str, text: str, reason: str) -> None:
    with pytest.raises(PasteRefused) as refused:
        pasted(question, text)
    assert str(refused.value) == reason
