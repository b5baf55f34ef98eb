"""Options, arguments and verbs of the command line, and a parsed command line, as values. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")

Completion = Literal["", "file", "folder"]


@dataclass(frozen=True, slots=True, eq=False)
class Option(Generic[T]):
    """One option. flags: short before long; value: its placeholder in the help, empty for a switch.

    read: what was typed, each time it was, to the value; raises ValueError with what was expected.
    """

    flags: tuple[str, ...]
    help: str
    default: T
    value: str
    read: Callable[[Sequence[str]], T]
    choices: tuple[str, ...] = ()
    completes: Completion = ""

    @property
    def flag(self) -> str:
        """The long form, for messages."""
        return self.flags[-1]


def switch(*flags: str, about: str) -> Option[bool]:
    return Option(flags, about, default=False, value="", read=bool)


def text(*flags: str, value: str, about: str, completes: Completion = "") -> Option[str | None]:
    def read(values: Sequence[str]) -> str:
        if not values[-1]:  # an unset variable of the shell must not select the default namespace or cluster
            raise ValueError(f"expected {value}, not an empty text")
        return values[-1]

    return Option(flags, about, default=None, value=value, read=read, completes=completes)


def texts(*flags: str, value: str, about: str) -> Option[tuple[str, ...]]:
    """An option that may be repeated."""
    return Option(flags, f"{about}; may be repeated", default=(), value=value, read=tuple)


def choice(*flags: str, choices: tuple[str, ...], default: str, about: str) -> Option[str]:
    def read(values: Sequence[str]) -> str:
        if values[-1] not in choices:
            raise ValueError(f"expected {' or '.join(choices)}")
        return values[-1]

    return Option(flags, f"{about}; {default} by default", default, "|".join(choices), read, choices)


def number(*flags: str, value: str, default: int, about: str) -> Option[int]:
    def read(values: Sequence[str]) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", values[-1], re.ASCII) or int(values[-1]) == 0:
            raise ValueError("expected a whole number above 0")
        return int(values[-1])

    return Option(flags, f"{about}; {default} by default", default, value, read)


def duration(*flags: str, default: str, about: str) -> Option[float]:
    """In seconds."""
    return Option(
        flags, f"{about}; {default} by default", seconds_of(default), "TIME", lambda values: seconds_of(values[-1])
    )


_UNITS = {"h": 3_600.0, "m": 60.0, "s": 1.0}
_NUMBER = r"[0-9]{1,7}(?:\.[0-9]{1,3})?"


def seconds_of(text: str) -> float:
    """``90s``, ``10m``, ``1h30m``; a bare number is seconds. Raises ValueError for anything else, and for 0."""
    parts = re.findall(rf"({_NUMBER})([hms])", text, re.ASCII)
    if re.fullmatch(_NUMBER, text, re.ASCII):
        seconds = float(text)
    elif re.fullmatch(rf"(?:{_NUMBER}[hms])+", text, re.ASCII):
        seconds = sum(float(count) * _UNITS[unit] for count, unit in parts)
    else:
        seconds = 0
    if seconds <= 0:
        raise ValueError("expected a time above 0, such as 90s, 10m or 1h30m")
    return seconds


@dataclass(frozen=True, slots=True)
class Argument:
    """One word after the verb, or several if ``many``."""

    name: str
    help: str
    is_required: bool = True
    many: bool = False
    choices: tuple[str, ...] = ()
    completes: Completion = ""

    def __str__(self) -> str:
        text = f"{self.name}..." if self.many else self.name
        return text if self.is_required else f"[{text}]"


@dataclass(frozen=True, slots=True, eq=False)
class Verb:
    """One thing that the program does. It takes its options and refuses all others.

    summary: one line, without a full stop; example: commands, a line each. function: ``module:name`` in
    ``pgwizard.cli.verbs``, loaded when it runs; it takes the ``Invocation`` and the ``Writer``, and may return
    an exit code. synonyms: what other tools call it. instead: by the long form of an option that it
    refuses, what to do instead.
    """

    name: str
    summary: str
    description: str
    example: str
    function: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option[Any], ...] = ()
    synonyms: tuple[str, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Invocation:
    """A verb with what was typed: ``call[TIMEOUT]`` is the value of an option, its default where it was not typed."""

    verb: Verb
    words: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, option: Option[T]) -> T:
        if option not in self.verb.options:
            raise KeyError(option.flag)
        value: T = self.values.get(option.flag, option.default)
        return value

    @property
    def word(self) -> str:
        """The first argument; empty where there is none."""
        return self.words[0] if self.words else ""
