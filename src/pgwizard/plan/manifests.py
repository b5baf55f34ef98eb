"""Renders a plan into the release's objects, in apply order.

Injection is impossible by construction: every expression in a template is written as one JSON-quoted YAML scalar (or as
what its configuration file calls a value), undefined names are errors, and what was rendered is parsed again and must
hold every value that was placed. Decisions are the plan's.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
import os
import pickle
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import yaml
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined, Template
from jinja2.bccache import Bucket

from pgwizard.plan.plan import Pair, Plan

ORDER = (
    "namespace",
    "network-policy",
    "service-account",
    "credentials-secret",
    "s3-secret",
    "cipher-secret",
    "ca-secret",
    "postgresql-configmap",
    "pgbackrest-configmap",
    "role",
    "role-binding",
    "service",
    "statefulset",
    "full-cronjob",
    "incremental-cronjob",
    "init-job",
    "verify-cronjob",
    "drill-cronjob",
    "prometheus-rule",
)
"""The roles of the objects, each a template, in the order in which they are applied. What the first backup does not
need comes behind the hook Job.
"""
SECRETS_TO_CREATE = frozenset({"credentials-secret", "s3-secret", "cipher-secret"})
"""The roles of the Secrets that are rendered without values: whoever applies them adds the values."""
FILE_NAMES = tuple(f"{number:02d}-{role}.yaml" for number, role in enumerate(ORDER))
"""What the files of the objects are called: names that sort in apply order."""

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object: its role, its YAML text as a person reads it, and the same parsed."""

    role: str
    text: str
    object: dict[str, Any]

    @property
    def file_name(self) -> str:
        return FILE_NAMES[ORDER.index(self.role)]


class _Block(str):
    """Text that is already YAML: a block scalar."""

    __slots__ = ()


class _Raw(str):
    """Text that is already quoted for its configuration file."""

    __slots__ = ()


class PlacementError(Exception):
    """A value did not come back from the rendered text: a defect of a template."""


def templates_dir() -> Path:
    """The templates shipped with the package; in a checkout, the folder beside src."""
    package_folder = Path(__file__).parents[1] / "templates"
    return package_folder if package_folder.is_dir() else Path(__file__).parents[3] / "templates"


def render(plan: Plan) -> list[Manifest]:
    """The manifests of a plan, in apply order. The same plan gives the same bytes.

    Raises PlacementError where a template is defective.
    """
    return list(_Rendering(plan).manifests())


def render_file(plan: Plan, name: str) -> str:
    """One configuration file or script, such as ``postgresql.conf``, as the pod reads it."""
    return _Rendering(plan).file(name)


_BEFORE = {"drill.sh": "recovery.sh"}
"""Whose text comes before that of a script."""


@functools.cache
def script(name: str) -> str:
    """A script of the templates, such as ``drill.sh``, as a pod runs it. None depends on a plan."""
    folder = templates_dir() / "files"
    names = (_BEFORE[name], name) if name in _BEFORE else (name,)
    return "".join((folder / each).read_text(encoding="utf-8") for each in names)


def repository_options(plan: Plan) -> list[Pair]:
    """The [global] section of pgbackrest.conf; empty without a repository."""
    if not plan.backups:
        return []
    section = render_file(plan, "pgbackrest.conf").partition("[global]\n")[2].partition("\n\n")[0]
    return [Pair(name, value) for name, _, value in (line.partition("=") for line in section.splitlines())]


# ---- rendering -----------------------------------------------------------------------------------------------------


class _Rendering:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._values: dict[str, Any] = {
            field.name: getattr(plan, field.name) for field in fields(plan) if field.name != "ca_certificate"
        }
        self._values.update(file=self.file, checksum=self.checksum, ca_certificate=self._ca_certificate)
        self._files: dict[str, str] = {}

    def manifests(self) -> Iterator[Manifest]:
        for role in ORDER:
            _placements.clear()
            text = _yaml_environment().get_template(f"{role}.yaml").render(self._values)
            if not text.strip():
                continue
            content = yaml.load(text, Loader)  # noqa: S506 - the safe loader, in C where it is there
            _require_placed(role, content)
            yield Manifest(role, text, content)

    def file(self, name: str) -> str:
        if name not in self._files:
            is_script = name.endswith(".sh")
            self._files[name] = script(name) if is_script else _configuration(name).render(self._values)
        return self._files[name]

    def checksum(self, name: str) -> str:
        return hashlib.sha256(self.file(name).encode()).hexdigest()

    def _ca_certificate(self) -> str:
        if self._plan.ca_certificate is None:
            raise PlacementError("the plan mirrors a certificate and has none")
        return self._plan.ca_certificate


_placements: Counter[Any] = Counter()
"""The scalars of the current manifest; rendering is neither concurrent nor nested."""


def _require_placed(role: str, content: object) -> None:
    missing = _placements - Counter(_scalars(content))
    if missing:
        raise PlacementError(f"{role}: {next(iter(missing))[1]!r} did not come back from the rendered manifest")


def _scalars(node: object) -> Iterator[tuple[type, object]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield str, key
            yield from _scalars(value)
    elif isinstance(node, list):
        for item in node:
            yield from _scalars(item)
    else:
        yield type(node), node


def _place(value: object) -> str:
    """Format every expression of a manifest."""
    if isinstance(value, _Block):
        return value
    if not isinstance(value, (str, bool, int)):
        raise PlacementError(f"a template places {value!r}, which is no scalar")
    _placements[type(value), value] += 1
    return yaml_value(value) if isinstance(value, str) else json.dumps(value)


_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def yaml_value(text: str) -> str:
    """A double-quoted scalar that JSON, YAML 1.1 and YAML 1.2 readers take for the same text."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


_NOT_IN_A_BLOCK = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def _block(text: str, indent: int) -> _Block:
    """A file as a literal block, so that people can read it; each line is indented by ``indent`` blanks."""
    if not text.endswith("\n") or text[0].isspace() or _NOT_IN_A_BLOCK.search(text):
        raise PlacementError("a file holds what a YAML block cannot")
    _placements[str, text] += 1
    pad = " " * indent
    return _Block("|\n" + "\n".join(f"{pad}{line}" if line else "" for line in text.rstrip("\n").split("\n")))


# ---- configuration files -------------------------------------------------------------------------------------------

BARE_VALUE = re.compile(
    r"-?[0-9]+(B|kB|MB|GB|TB|us|ms|s|min|h|d)?|-?[0-9]+\.[0-9]+|[A-Za-z][A-Za-z0-9_]*"
)  # no unit after a fraction
_ESCAPES = {"\\": "\\\\", "'": "''", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def postgresql_value(value: str) -> str:
    r"""A value in the syntax of postgresql.conf: bare where it is a number or a word, else quoted.

    Quotes and backslashes are doubled, control characters escaped (``DeescapeQuotedString`` of PostgreSQL).
    """
    if BARE_VALUE.fullmatch(value):
        return value
    return "'" + "".join(_ESCAPES.get(character, character) for character in value) + "'"


def pgbackrest_value(value: str) -> str:
    """A value for pgbackrest.conf, unchanged. The file has no quoting: a value that would need it is refused."""
    if not value or value != value.strip() or any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise PlacementError("pgbackrest.conf cannot hold this value")
    return value


def _comment(text: str) -> _Raw:
    if not text.isprintable():
        raise PlacementError("a comment holds more than one line of text")
    return _Raw(text)


def _finalizer(quote: Callable[[str], str]) -> Callable[[object], str]:
    def finalize(value: object) -> str:
        if isinstance(value, _Raw):
            return value
        if not isinstance(value, str):
            raise PlacementError(f"a configuration file places {value!r}, which is no text")
        return quote(value)

    return finalize


class _CompiledTemplates(BytecodeCache):
    """Keeps compiled templates where Python keeps compiled modules, and by its rules.

    Whoever may write there may write this module as well. Where it cannot be written, nothing is kept.
    """

    def get_source_checksum(self, source: str) -> str:
        """Also of this module: its finalizers are compiled into the templates."""
        changed_at = Path(__file__).stat().st_mtime_ns
        return hashlib.sha256(f"{changed_at} {source}".encode()).hexdigest()

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            bucket.bytecode_from_string(self._file(bucket).read_bytes())
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        if sys.dont_write_bytecode:
            return
        target = self._file(bucket)
        fresh = target.with_suffix(f".{os.getpid()}")
        try:
            fresh.write_bytes(bucket.bytecode_to_string())
            fresh.replace(target)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink()

    @staticmethod
    def _file(bucket: Bucket) -> Path:
        return Path(cache_from_source(__file__)).with_name(f"template-{bucket.key}.{sys.implementation.cache_tag}")


def _environment(finalize: Callable[[Any], str]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates_dir()),
        undefined=StrictUndefined,
        finalize=finalize,
        autoescape=False,  # noqa: S701 - finalize quotes every expression
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        bytecode_cache=_CompiledTemplates(),
    )
    environment.filters = {
        "block": _block,
        "sha256": lambda text: hashlib.sha256(base64.b64decode(text)).hexdigest(),
        "bare": _Raw,
        "comment": _comment,
    }
    environment.tests = {}
    environment.globals = {}
    return environment


@functools.cache
def _yaml_environment() -> Environment:
    return _environment(_place)


def _configuration(name: str) -> Template:
    quote = postgresql_value if name == "postgresql.conf" else pgbackrest_value
    return _conf_environment(quote).get_template(f"files/{name}")


@functools.cache
def _conf_environment(quote: Callable[[str], str]) -> Environment:
    return _environment(_finalizer(quote))
