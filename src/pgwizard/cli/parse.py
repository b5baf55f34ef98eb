"""Parses argv into an ``Invocation``: one verb, its words, and only options of that verb. Raises UsageError."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from pgwizard.cli.options import Invocation, Verb
from pgwizard.cli.table import APPLY, DIFF, DRY_RUN, EXCLUSIVE, HEADLESS, HELP, OPTIONS, VERBS, VERSION
from pgwizard.errors import UsageError
from pgwizard.text import fit


def parse(argv: Sequence[str]) -> Invocation:
    """What was typed. Options are taken before and after the verb; what means nothing to it is refused, never ignored.

    Without a verb it is ``--headless``, else the wizard.
    """
    texts, words = _split(argv)
    verb, typed_verb, words = _choose_verb(texts, words)
    if typed_verb != HELP.flag:
        _refuse_others(verb, typed_verb, texts)
    _check_words(verb, typed_verb, words)
    return Invocation(verb, tuple(words), _values(verb, texts))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Its two complaints about an option that is known, in our words."""
        flags, _, complaint = message.removeprefix("argument ").partition(": ")
        flag = flags.rpartition("/")[2]
        option = OPTIONS.get(flag)
        if option is None:
            raise UsageError(message, hint="See pgwizard --help.")
        if option.value:
            raise UsageError(f"{flag} needs {option.value}", hint=f"Such as: {flag}={option.value}.")
        value = complaint.removeprefix("ignored explicit argument ")
        raise UsageError(f"{flag} takes no value, found {value}", hint=f"Write {flag} alone, or leave it out.")


def _split(argv: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Options by their long form with what was typed for each, and all other words.

    One parser knows every option, whatever the verb: so it does not matter on which side of the verb one is.
    """
    parser = _Parser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for option in OPTIONS.values():
        if option.value:
            parser.add_argument(*option.flags, dest=option.flag, action="append", metavar=option.value)
        else:
            parser.add_argument(*option.flags, dest=option.flag, action="append_const", const="")
    end = argv.index("--") if "--" in argv else len(argv)
    namespace, rest = parser.parse_known_args(argv[:end])
    for word in rest:
        if word.startswith("-") and word != "-":
            flag = word.partition("=")[0]
            raise UsageError(f"unknown option {fit(flag)}", hint=_suggestion(flag, OPTIONS) or "See pgwizard --help.")
    return vars(namespace), [*rest, *argv[end + 1 :]]


def _choose_verb(texts: dict[str, list[str]], words: list[str]) -> tuple[Verb, str, list[str]]:
    """The verb, its name in messages, and its words."""
    if HELP.flag in texts:
        return VERBS["help"], "--help", words[:1]
    if texts.pop(VERSION.flag, None) is not None:
        return VERBS["version"], "--version", words
    if (files := texts.pop(HEADLESS.flag, None)) is not None:
        if words:
            raise UsageError(
                f"--headless takes no verb or other argument: {fit(words[0])}",
                hint=f"Use pgwizard --headless {fit(files[-1])} [--apply], or a verb.",
            )
        return (*_headless(texts), files[-1:])
    if not words:
        return VERBS["wizard"], "the wizard", words
    return verb_of(words[0]), words[0], words[1:]


def verb_of(name: str) -> Verb:
    """A verb by its name. Raises UsageError with a suggestion."""
    if name not in VERBS:
        raise UsageError(f"unknown verb {fit(name)}", hint=_suggestion(name, VERBS) or "See pgwizard --help.")
    return VERBS[name]


def _headless(texts: dict[str, list[str]]) -> tuple[Verb, str]:
    """``--headless`` is render; with ``--apply`` or ``--dry-run`` apply; with ``--diff`` alone diff."""
    if texts.pop(APPLY.flag, None) is not None:
        return VERBS["apply"], "--headless --apply"
    if DRY_RUN.flag in texts:
        return VERBS["apply"], "--headless --dry-run"
    if texts.pop(DIFF.flag, None) is not None:
        return VERBS["diff"], "--headless --diff"
    return VERBS["render"], "--headless without --apply"


def _refuse_others(verb: Verb, typed_verb: str, texts: Mapping[str, Any]) -> None:
    flags = {option.flag for option in verb.options}
    for flag in texts:
        if flag not in flags:
            hint = verb.instead.get(flag, f"See pgwizard {verb.name} --help.")
            raise UsageError(f"{typed_verb} takes no {'/'.join(OPTIONS[flag].flags)}", hint=hint)
    for meaningless, other in EXCLUSIVE:
        options = (meaningless, other)
        if all(option in verb.options and option.flag in texts for option in options):
            raise UsageError(f"{meaningless.flag} cannot be used with {other.flag}", hint="Leave out one of the two.")


def _check_words(verb: Verb, typed_verb: str, words: Sequence[str]) -> None:
    hint = f"See pgwizard {verb.name} --help."
    required_arguments = [argument for argument in verb.arguments if argument.is_required]
    if len(words) < len(required_arguments):
        raise UsageError(
            f"{typed_verb} needs {required_arguments[len(words)].name}: {required_arguments[len(words)].help}",
            hint=hint,
        )
    if len(words) > len(verb.arguments) and not any(argument.many for argument in verb.arguments):
        extra = words[len(verb.arguments)]
        raise UsageError(f"{typed_verb} takes no argument {fit(extra)}", hint=hint)
    for argument, word in zip(verb.arguments, words, strict=False):
        if argument.choices and word not in argument.choices:
            raise UsageError(f"{typed_verb}: {fit(word)} is not one of {', '.join(argument.choices)}", hint=hint)


def _values(verb: Verb, texts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    values = {}
    for option in verb.options:
        if option.flag in texts:
            try:
                values[option.flag] = option.read(texts[option.flag])
            except ValueError as error:
                text = f"{option.flag} {fit(texts[option.flag][-1])}".rstrip()
                raise UsageError(f"{text}: {error}") from None
    return values


def _suggestion(name: str, names: Iterable[str]) -> str:
    """``Did you mean diff?``; empty where nothing is near."""
    import difflib

    synonyms = {word: verb.name for verb in VERBS.values() for word in verb.synonyms}
    near = [word for word in names if word.startswith(name)] + difflib.get_close_matches(name, names, n=1)
    best = synonyms.get(name) or (near[0] if near else "")
    return f"Did you mean {best}?" if best else ""
