"""Completion scripts for bash, zsh and fish, from the table. Pure.

A script finds the verb among what was typed, wherever the options are, and offers that verb's options, and the choices
or the files that an option or an argument takes. The scripts call nothing: pgwizard is not started for a Tab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pgwizard.cli.options import Argument, Option, Verb
from pgwizard.cli.table import HELP, OPTIONS, VERBS


def _options(verb: Verb | None) -> tuple[Option[Any], ...]:
    """The options that are offered; before a verb is typed, all of them."""
    return (*verb.options, HELP) if verb is not None else tuple(OPTIONS.values())


def _flags(options: Iterable[Option[Any]]) -> str:
    return " ".join(flag for option in options for flag in option.flags)


_VALUE_OPTIONS = [option for option in _options(None) if option.value]


# ---- bash ----------------------------------------------------------------------------------------------------------


def bash() -> str:
    """For ``source <(pgwizard completion bash)``, and for a folder of bash-completion."""
    files = [option for option in _VALUE_OPTIONS if option.completes]  # the same -o takes a file or a folder
    choice_options = [option for option in _VALUE_OPTIONS if option.choices]
    plain = [option for option in _VALUE_OPTIONS if not option.completes and not option.choices]
    cases = [f"        {_pattern(files)}) _pgwizard_offer -f; return ;;"]
    cases += [
        f"        {_pattern([option])}) _pgwizard_offer -W '{' '.join(option.choices)}'; return ;;"
        for option in choice_options
    ]
    cases += [f"        {_pattern(plain)}) return ;;"]
    options = [f"            {verb.name}) _pgwizard_offer -W '{_flags(_options(verb))}' ;;" for verb in VERBS.values()]
    words = [
        f"        {verb.name}) {offer} ;;"
        for verb in VERBS.values()
        for argument in verb.arguments[:1]
        if (offer := _bash_argument(argument))
    ]
    return "\n".join(
        [
            "# bash completion of pgwizard, written by: pgwizard completion bash",
            "_pgwizard_offer() {",
            "    local found",
            "    [[ $1 == -W ]] || compopt -o filenames 2>/dev/null",
            '    while IFS= read -r found; do COMPREPLY+=("$found"); done < <(compgen "$@" -- "$cur")',
            "}",
            "_pgwizard() {",
            '    local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb="" word skip="" i',
            "    COMPREPLY=()",
            "    [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]}",
            "    [[ $cur == = ]] && cur=''",
            "    for ((i = 1; i < COMP_CWORD; i++)); do",
            "        word=${COMP_WORDS[i]}",
            "        if [[ $word == = ]]; then skip=1; continue; fi",  # bash takes --set=x apart
            '        if [[ -n $skip ]]; then skip=""; continue; fi',
            "        case $word in",
            f"            {_pattern(_VALUE_OPTIONS)}) skip=1 ;;",
            "            -*) ;;",
            "            *) verb=$word; break ;;",
            "        esac",
            "    done",
            "    case $before in",
            *cases,
            "    esac",
            "    if [[ $cur == -* ]]; then",
            "        case $verb in",
            f"            '') _pgwizard_offer -W '{_flags(_options(None))}' ;;",
            *options,
            "        esac",
            "        return",
            "    fi",
            "    case $verb in",
            f"        '') _pgwizard_offer -W '{' '.join(VERBS)}' ;;",
            *words,
            "    esac",
            "}",
            "complete -F _pgwizard pgwizard",
            "",
        ]
    )


def _pattern(options: Iterable[Option[Any]]) -> str:
    return "|".join(_flags(options).split())


def _bash_argument(argument: Argument) -> str:
    if argument.completes:
        return "_pgwizard_offer -f"
    return f"_pgwizard_offer -W '{' '.join(_words(argument))}'" if _words(argument) else ""


def _words(argument: Argument) -> tuple[str, ...]:
    return tuple(VERBS) if argument.name == "VERB" else argument.choices


# ---- zsh -----------------------------------------------------------------------------------------------------------


def zsh() -> str:
    """For a file ``_pgwizard`` in a folder of ``$fpath``."""
    verbs = [f"    {_quote(f'{verb.name}:{verb.summary}')}" for verb in VERBS.values()]
    cases = [line for verb in VERBS.values() for line in _zsh_case(verb)]
    return "\n".join(
        [
            "#compdef pgwizard",
            "# zsh completion of pgwizard, written by: pgwizard completion zsh",
            "_pgwizard() {",
            "  local -a verbs=(",
            *verbs,
            "  )",
            '  local verb="" skip="" state line i',
            "  for ((i = 2; i < CURRENT; i++)); do",
            '    if [[ -n $skip ]]; then skip=""; continue; fi',
            "    case $words[i] in",
            f"      ({_pattern(_VALUE_OPTIONS)}) skip=1 ;;",
            "      (-*) ;;",
            "      (*) verb=$words[i]; break ;;",
            "    esac",
            "  done",
            "  case $verb in",
            "    ('')",
            "      _arguments -C \\",
            *(f"        {spec} \\" for option in _options(None) for spec in _zsh_option(option)),
            "        '1:verb:->verb'",
            "      [[ $state == verb ]] && _describe verb verbs ;;",
            *cases,
            "  esac",
            "}",
            '_pgwizard "$@"',
            "",
        ]
    )


def _zsh_case(verb: Verb) -> list[str]:
    arguments = [
        f"'{number}:{argument.name}:{_zsh_action(argument)}'" for number, argument in enumerate(verb.arguments, 2)
    ]
    if verb.arguments and verb.arguments[-1].many:
        arguments[-1] = f"'*:{verb.arguments[-1].name}:'"
    specs = [spec for option in _options(verb) for spec in _zsh_option(option)]
    lines = [f"        {spec} \\" for spec in [*specs, *arguments]]
    return [f"    ({verb.name})", "      _arguments \\", *lines, f"        '1:verb:({verb.name})' ;;"]


def _zsh_option(option: Option[Any]) -> list[str]:
    about = option.help.replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    value = f":{option.value.replace('|', ' or ')}:{_zsh_value(option)}" if option.value else ""
    return [_quote(f"{flag}[{about}]{value}") for flag in option.flags]


def _zsh_value(option: Option[Any]) -> str:
    if option.choices:
        return f"({' '.join(option.choices)})"
    return {"file": "_files", "folder": "_files -/", "": ""}[option.completes]


def _zsh_action(argument: Argument) -> str:
    if argument.completes:
        return "_files"
    return f"({' '.join(_words(argument))})" if _words(argument) else ""


# ---- fish ----------------------------------------------------------------------------------------------------------


def fish() -> str:
    """For a file ``pgwizard.fish`` in fish's folder of completions."""
    lines = [
        "# fish completion of pgwizard, written by: pgwizard completion fish",
        "complete -c pgwizard -f",
        *(
            f"complete -c pgwizard -n __fish_use_subcommand -a {verb.name} -d {_quote(verb.summary)}"
            for verb in VERBS.values()
        ),
        *(_fish_option("__fish_use_subcommand", option) for option in _options(None)),
    ]
    for verb in VERBS.values():
        condition = f"'__fish_seen_subcommand_from {verb.name}'"
        for argument in verb.arguments:
            if argument.completes:
                lines.append(f"complete -c pgwizard -n {condition} -F")
            elif _words(argument):
                lines.append(f"complete -c pgwizard -n {condition} -a '{' '.join(_words(argument))}'")
        lines += [_fish_option(condition, option) for option in _options(verb)]
    return "\n".join(lines) + "\n"


def _fish_option(condition: str, option: Option[Any]) -> str:
    flags = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
    value = ""
    if option.choices:
        value = f" -x -a '{' '.join(option.choices)}'"
    elif option.completes:
        value = " -r -F" if option.completes == "file" else " -x -a '(__fish_complete_directories)'"
    elif option.value:
        value = " -x"
    return f"complete -c pgwizard -n {condition} {flags}{value} -d {_quote(option.help)}"


def _quote(text: str) -> str:
    """One word of a shell, in single quotes."""
    inner_text = text.replace("'", "'\\''")
    return f"'{inner_text}'"


SCRIPTS: Mapping[str, Callable[[], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
