"""Combinations of options in pgbackrest.conf against the real pgBackRest: does it start with what pgwizard takes?

Only answers in which pgwizard finds nothing that it refuses by a rule of its own are compared.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pgwizard.answers.questions import Answers
from pgwizard.plan import pgbackrest
from pgwizard.plan.checks import check
from pgwizard.plan.manifests import render_file
from pgwizard.plan.pgbackrest import ConfigOption
from pgwizard.plan.plan import Facts, resolve
from pgwizard.tls.certificates import read_bundle
from support.agreement import Row
from support.chains import issue

PAIRS = 140
_CONTEXTS: tuple[dict[str, dict[str, Any]], ...] = (
    {},
    {"advanced": {"archiveAsync": True, "archivePushQueueMax": "1Gi"}, "compression": {"type": "zst", "level": 3}},
    {"advanced": {"bundle": False}, "retention": {"full": None}, "compression": {"type": "none"}},
    {"repository": {"cipher": {"from": "existing", "secret": "cipher"}}, "tls": {"source": None}},
)
_SAMPLES: dict[str, Sequence[str]] = {
    "boolean": ("y", "n", "yes"),
    "integer": ("1", "999999999", "x"),
    "size": ("1MiB", "0", "1XB"),
    "time": ("60", "100000000", "x"),
    "path": ("/somewhere", "relative"),
    "hash": ("key=value", "key"),
    "list": ("one",),
    "string": ("text",),
}
_HOUSE = ("cannot be set", "is already answered", "is a secret", "is an old name", "set twice", "there is one")
"""How refusals of pgwizard's own begin: those of options that pgBackRest itself may well accept."""
_IGNORED = "and ignores it before"
"""A unit that pgBackRest 2.45 accepts and ignores."""
_LENIENT = ("repo1-block-", "repo1-bundle-", "repo1-s3-key-type", "annotation")
"""pgBackRest does not look at these without bundles, or before they are used, and 2.45 has an unfinished repo-block:
pgwizard is stricter.
"""


@dataclass(frozen=True, slots=True)
class OptionCase:
    """answers, and what pgwizard has against their options; empty where it takes them."""

    answers: Answers
    refusal: str

    @property
    def label(self) -> str:
        return f"{self.answers.advanced.options}, bundle {self.answers.advanced.bundle}, {self.refusal or 'taken'}"

    @property
    def is_stricter(self) -> bool:
        """Whether pgwizard may refuse what pgBackRest takes."""
        return bool(self.refusal) and any(name.startswith(_LENIENT) for name in self.answers.advanced.options)

    def file(self) -> bytes:
        """Its pgbackrest.conf."""
        return render_file(resolve(self.answers, _facts()), "pgbackrest.conf").encode()


def _facts() -> Facts:
    return Facts(ca=read_bundle(issue("root", ca=True).pem))


def option_cases(version: str) -> Iterator[OptionCase]:
    """Each option with values of its kind in each context, and pairs of options; the same each time."""
    chosen = random.Random(12)
    release = pgbackrest.version(version)
    values = {name: _values(pgbackrest.of(name, release)) for name in pgbackrest.known_options()}
    for name, samples in values.items():
        for number, value in enumerate(samples):
            yield from _case(version, {name: value}, _CONTEXTS[number % len(_CONTEXTS)])
    for _ in range(PAIRS):
        pair = {name: chosen.choice(values[name]) for name in chosen.sample(sorted(values), 2)}
        yield from _case(version, pair, chosen.choice(_CONTEXTS))


def _values(option: ConfigOption | None) -> Sequence[str]:
    if option is None:
        return ("1",)
    if option.choices:
        return (*option.choices, "other")
    ends = [end for end in (option.minimum, option.maximum) if end]
    return (*_SAMPLES.get(option.kind or "string", ("text",)), *ends)


def _case(version: str, options: Mapping[str, str], context: Mapping[str, dict[str, Any]]) -> Iterator[OptionCase]:
    sections = {**context, "advanced": {**context.get("advanced", {}), "options": dict(options)}}
    answers = Answers.model_validate({**sections, "images": {"pgbackrestVersion": version}})
    texts = [finding.text for finding in check(answers, _facts()).errors]
    if not any(text.startswith(_HOUSE) or _IGNORED in text for text in texts):
        yield OptionCase(answers, "; ".join(texts))


_CODE = re.compile(r"ERROR: \[[0-9]+\]: ")


def compare_options(version: str, place: str, run: Callable[[Mapping[str, bytes]], str]) -> Row:
    """run: the lines of pgbackrest_options.sh for files by their names."""
    cases = list(option_cases(version))
    files = {
        f"{number}{'.cipher' if case.answers.repository.cipher else ''}.conf": case.file()
        for number, case in enumerate(cases)
    }
    refusals: dict[int, str] = {}
    for line in run(files).splitlines():
        name, _, refusal = line.partition("\t")
        refusals[int(name.partition(".")[0])] = _CODE.sub("", refusal)
    wrong = [
        f"{case.label}: pgbackrest {refusals.get(number) or 'accepts it'}"
        for number, case in enumerate(cases)
        if bool(refusals.get(number)) is not bool(case.refusal) and not case.is_stricter
    ]
    return Row("options", f"pgbackrest {version}, {place}", len(cases), tuple(wrong))
