"""What is typed, and the verb with the options that it becomes; whatever means nothing is refused."""

from __future__ import annotations

import itertools
import math
from importlib import import_module
from typing import Any

import pytest

from pgwizard.cli.options import Option, seconds_of
from pgwizard.cli.parse import parse
from pgwizard.cli.table import (
    CONTEXT,
    DRY_RUN,
    EXCLUSIVE,
    JSON,
    KUBECONFIG,
    NAMESPACE,
    OPTIONS,
    OUTPUT_FOLDER,
    SET,
    TIMEOUT,
    VERBS,
    WITHOUT_VERB,
)
from pgwizard.errors import UsageError

WORDS = {
    "render": ["f"],
    "export": ["f"],
    "apply": ["f"],
    "diff": ["f"],
    "import": ["shop"],
    "uninstall": ["shop"],
    "restore": ["shop"],
    "completion": ["bash"],
}
"""What a verb cannot do without."""
SAMPLES = {"--timeout": "5m", "--type": "full", "--tail": "7"}
TAKING = [(name, option) for name, verb in VERBS.items() for option in verb.options]
REFUSING = [
    (name, option)
    for name, verb in VERBS.items()
    for flag, option in OPTIONS.items()
    if flag not in {taken.flag for taken in (*verb.options, *WITHOUT_VERB)}
]


def typed(option: Option[Any]) -> list[str]:
    last = option.choices[-1] if option.choices else "x"
    return [option.flag, SAMPLES.get(option.flag, last)] if option.value else [option.flag]


def refused(*argv: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse(argv)
    return caught.value


@pytest.mark.parametrize(("name", "option"), TAKING, ids=lambda value: getattr(value, "flag", value))
def test_a_verb_takes_each_of_its_options_before_and_after_it(name: str, option: Option[Any]) -> None:
    verb = [name, *WORDS.get(name, [])]
    before, after = parse([*typed(option), *verb]), parse([*verb, *typed(option)])
    assert before[option] == after[option] != option.default
    assert (before.verb.name, list(before.words)) == (after.verb.name, list(after.words)) == (name, verb[1:])
    assert parse(verb)[option] == option.default


@pytest.mark.parametrize(("name", "option"), REFUSING, ids=lambda value: getattr(value, "flag", value))
def test_a_verb_refuses_every_other_option_before_and_after_it(name: str, option: Option[Any]) -> None:
    verb = [name, *WORDS.get(name, [])]
    for argv in ([*typed(option), *verb], [*verb, *typed(option)]):
        assert str(refused(*argv)).endswith(f" takes no {'/'.join(option.flags)}")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--answers", "f", "--set", "x=y"], "the wizard takes no --set"),
        (["--headless", "f", "--apply", "-o", "out"], "--headless --apply takes no -o/--output"),
        (["--headless", "f", "--dry-run", "-o", "out"], "--headless --dry-run takes no -o/--output"),
        (["--headless", "f", "--diff", "--yes"], "--headless --diff takes no --yes"),
        (["--headless", "f", "--yes"], "--headless without --apply takes no --yes"),
        (["--headless", "f", "--demo"], "--headless without --apply takes no --demo"),
        (["--headless", "f", "status"], "--headless takes no verb or other argument: status"),
        (["status", "--headless", "f"], "--headless takes no verb or other argument: status"),
        (["--headless", "f", "--answers", "g"], "--headless without --apply takes no --answers"),
        (["--demo", "-o", "out"], "the wizard takes no -o/--output"),
        (["--demo", "init"], "init takes no --demo"),
        (["init", "--yes"], "init takes no --yes"),
        (["--apply"], "the wizard takes no --apply"),
        (["--json"], "the wizard takes no --json"),
        (["apply", "f", "--apply"], "apply takes no --apply"),
        (["apply", "f", "-n", "shop"], "apply takes no -n/--namespace"),
    ],
)
def test_a_mode_refuses_options_that_it_would_ignore(argv: list[str], message: str) -> None:
    assert str(refused(*argv)) == message


@pytest.mark.parametrize(("first", "second"), EXCLUSIVE, ids=lambda option: option.flag)
def test_options_that_exclude_each_other_are_refused_together(first: Option[Any], second: Option[Any]) -> None:
    name = next(name for name, verb in VERBS.items() if {first, second} <= set(verb.options))
    error = refused(name, *WORDS.get(name, []), *typed(second), *typed(first))
    assert str(error) == f"{first.flag} cannot be used with {second.flag}"


def test_headless_is_render_and_with_apply_it_is_apply() -> None:
    rendered = parse(["--headless", "f", "-o", "out", "--set", "a=b", "--set", "c=d"])
    assert (rendered.verb.name, rendered.words, rendered[OUTPUT_FOLDER]) == ("render", ("f",), "out")
    assert rendered[SET] == ("a=b", "c=d")
    applied = parse(["--apply", "--timeout=90s", "--headless=f", "--json"])
    assert (applied.verb.name, applied.words, applied[TIMEOUT], applied[JSON]) == ("apply", ("f",), 90, True)
    assert parse(["--headless", "-", "--diff"]).verb.name == "diff"
    assert parse(["--headless", "f", "--apply", "--diff"]).verb.name == "apply"
    assert parse(["--headless", "f", "--dry-run"])[DRY_RUN] is True


def test_without_a_verb_the_wizard_opens() -> None:
    assert parse([]).verb.name == parse(["--demo"]).verb.name == "wizard"


def test_options_before_and_after_a_verb_count_together() -> None:
    call = parse(["--context", "prod", "--json", "status", "-nshop", "db", "--kubeconfig=k"])
    assert (call.word, call[CONTEXT], call[NAMESPACE], call[KUBECONFIG], call[JSON]) == (
        *("db", "prod", "shop", "k"),
        True,
    )
    assert parse(["status", "-n", "a", "-n", "b"])[NAMESPACE] == "b"


def test_everything_after_two_dashes_is_an_argument() -> None:
    assert parse(["explain", "--", "--archive-async"]).words == ("--archive-async",)


@pytest.mark.parametrize("abbreviated", ["--kubec", "--name", "--js", "--dem"])
def test_options_are_not_abbreviated(abbreviated: str) -> None:
    assert str(refused("status", abbreviated, "x")) == f"unknown option {abbreviated}"


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (["stauts"], "status"),
        (["relase"], "releases"),
        (["install", "f"], "apply"),
        (["list"], "releases"),
        (["rm", "x"], "uninstall"),
        (["status", "--name-space", "x"], "--namespace"),
        (["apply", "f", "--time"], "--timeout"),
        (["help", "aply"], None),
    ],
)
def test_a_typo_is_answered_with_a_suggestion(argv: list[str], meant: str | None) -> None:
    if meant is None:
        assert parse(argv).words == ("aply",)  # its function refuses it
    else:
        assert refused(*argv).hint == f"Did you mean {meant}?"


@pytest.mark.parametrize("argv", [["zzzz"], ["status", "--zzzz"]])
def test_an_unknown_word_is_answered_with_a_pointer_to_help(argv: list[str]) -> None:
    assert refused(*argv).hint == "See pgwizard --help."


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["apply"], "apply needs FILE: the answers; - reads standard input"),
        (["uninstall"], "uninstall needs NAME: the release"),
        (["completion"], "completion needs SHELL: bash, zsh or fish"),
        (["completion", "tcsh"], "completion: tcsh is not one of bash, zsh, fish"),
        (["status", "a", "b"], "status takes no argument b"),
        (["--version", "x"], "--version takes no argument x"),
        (["--headless"], "--headless needs FILE"),
        (["apply", "f", "--timeout", "-5m"], "--timeout needs TIME"),
        (["status", "-n"], "--namespace needs NAME"),
        (["apply", "f", "--dry-run=yes"], "--dry-run takes no value, found 'yes'"),
        (["status", "--x\x1b[31m"], "unknown option --x\\x1b[31m"),
    ],
)
def test_wrong_words_are_refused(argv: list[str], message: str) -> None:
    assert str(refused(*argv)) == message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5_400), ("600", 600), ("0.5", 0.5), ("1.5h", 5_400), ("1h1m1s", 3_661)],
)
def test_a_time_is_read_as_it_is_written(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-1", "-5m", "nan", "inf", "1e3", "10 m", "m", "10d", "٣m", "9" * 400])
def test_an_invalid_time_and_zero_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time above 0, such as 90s, 10m or 1h30m"):
        seconds_of(text)
    assert "--timeout" in str(refused("apply", "f", f"--timeout={text}"))


@pytest.mark.parametrize("option", ["--namespace", "--context", "--kubeconfig"])
def test_an_empty_text_is_not_taken_for_the_default(option: str) -> None:
    """An unset variable of a script would otherwise uninstall a release of another namespace."""
    assert f"{option}: expected " in str(refused("uninstall", "postgresql", f"{option}="))


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "²"])
def test_a_number_of_lines_is_a_whole_number_above_0(text: str) -> None:
    assert str(refused("logs", f"--tail={text}")) == f"--tail {text}: expected a whole number above 0"


# ---- the table -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_has_a_function_and_words_for_its_help(name: str) -> None:
    verb = VERBS[name]
    module, _, function = verb.function.partition(":")
    assert callable(getattr(import_module(f"pgwizard.cli.verbs.{module}"), function))
    assert verb.summary[-1] != "."
    assert verb.description[-1] == "."
    assert verb.example


def test_the_examples_of_the_table_are_understood() -> None:
    for verb in VERBS.values():
        for line in verb.example.splitlines():
            command = line.removeprefix("source <(").partition(" > ")[0].partition(" | ")[0].rstrip(")")
            assert parse(command.split()[1:]).verb is verb, line


def test_flags_mean_one_thing_within_a_verb_and_its_words_leave_no_doubt() -> None:
    for verb in VERBS.values():
        flags = [flag for option in verb.options for flag in option.flags]
        assert len(flags) == len(set(flags))
        assert set(verb.instead).isdisjoint(flags)
        assert not any(argument.is_required or argument.many for argument in verb.arguments[1:])
    for one, other in itertools.combinations(OPTIONS.values(), 2):
        assert set(one.flags) == set(other.flags) or set(one.flags).isdisjoint(other.flags)
    synonyms = [word for verb in VERBS.values() for word in verb.synonyms]
    assert len({*synonyms, *VERBS}) == len(synonyms) + len(VERBS)


def test_every_default_is_finite() -> None:
    assert math.isfinite(TIMEOUT.default)


@pytest.mark.parametrize("verb", ["render", "apply", "diff"])
def test_a_file_after_f_is_answered_with_how_to_write_it(verb: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse([verb, "-f", "answers.yaml"])
    assert refused.value.hint == f"Write the file without -f: pgwizard {verb} answers.yaml."


def test_a_log_that_is_followed_has_no_last_lines() -> None:
    with pytest.raises(UsageError, match="--tail cannot be used with --follow"):
        parse(["logs", "-f", "--tail", "5"])


@pytest.mark.parametrize("options", [["--yes"], ["--no-wait"], ["--timeout", "5m"]])
def test_a_dry_run_takes_every_option_of_the_command_that_it_tries(options: list[str]) -> None:
    assert parse(["apply", "answers.yaml", "--dry-run", *options])[DRY_RUN]
