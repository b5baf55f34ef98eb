"""The help: golden files, 80 columns wide, and the same by each way."""

from __future__ import annotations

import re

import pytest

from pgwizard.cli.table import VERBS, WITHOUT_VERB
from support import goldens
from support.headless import GOLDEN, run

HELP = GOLDEN / "help"


def test_the_help_of_every_verb_is_that_of_its_golden_file(update_golden: bool) -> None:
    seen = {HELP / f"{name}.txt": run(name, "--help").out for name in VERBS}
    seen[HELP / "pgwizard.txt"] = run("--help").out
    goldens.compare(seen, update_golden)
    assert set(HELP.iterdir()) == set(seen)


@pytest.mark.parametrize("name", VERBS)
def test_the_help_of_a_verb_names_what_it_takes_and_fits_80_columns(name: str) -> None:
    shown = run(name, "-h").out
    offered = set(re.findall(r"(?<![\w-])--?[A-Za-z][a-z-]*", shown.partition("\nOptions:\n")[2]))
    taken = {flag for option in VERBS[name].options for flag in option.flags}
    assert taken | {"-h", "--help"} <= offered
    assert max(map(len, shown.splitlines())) <= 80
    assert "\nExamples:\n  " in shown


def test_the_overview_names_every_verb_and_the_calls_without_one() -> None:
    shown = run("--help").out
    assert re.findall(r"^  ([a-z]+)  ", shown.partition("\nVerbs:\n")[2], re.MULTILINE) == list(VERBS)
    assert all(option.flag in shown for option in WITHOUT_VERB)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments", [["help", "apply"], ["apply", "f", "--help"], ["-h", "apply"], ["apply", "-h", "--json"]]
)
def test_every_way_to_the_help_of_a_verb_shows_the_same(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.code, done.out, done.err) == (0, run("apply", "--help").out, "")
    assert run("help").out == run("--help").out


def test_help_of_no_verb_is_refused_with_what_was_meant() -> None:
    assert (run("help", "aply").code, run("help", "aply").err) == (
        2,
        "pgwizard: unknown verb aply\nDid you mean apply?\n",
    )
