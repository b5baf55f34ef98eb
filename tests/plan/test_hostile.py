"""Hostile text in every answer: refused with a problem at its place, or given back unchanged by every reader.

The readers: both loaders of PyYAML for manifests; for postgresql.conf the lexer of PostgreSQL's ``guc-file.l`` and for
pgbackrest.conf the rules of pgBackRest's ``ini.c``, both rewritten here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pgwizard.answers import file as answers_file
from pgwizard.answers.questions import Answers
from pgwizard.plan import checks, manifests
from pgwizard.plan.plan import Facts
from support.headless import planned, trusted
from support.hostile_texts import HOSTILE, fragments, texts
from test_guards import texts_that_kubernetes_expands

CASES = 270
"""For each place of a text, in one run."""

HOLDING_TEXT = tuple(
    role for role in manifests.ORDER if role not in ("role", "role-binding", "incremental-cronjob", "init-job")
)

# ---- the readers ---------------------------------------------------------------------------------------------------

_GUC = {
    "eol": re.compile(r"\n"),
    "blank": re.compile(r"[ \t\r]+"),
    "comment": re.compile(r"#.*"),
    "string": re.compile(r"'([^'\\\n]|\\.|'')*'"),
    "unquoted": re.compile(r"[A-Za-z_\x80-\xff]([A-Za-z_0-9\x80-\xff]|[-._:/])*"),
    "real": re.compile(r"[-+]?[0-9]*\.[0-9]*([Ee][-+]?[0-9]+)?"),
    "integer": re.compile(r"[-+]?(0x[0-9a-fA-F]+|[0-9]+)[a-zA-Z]*"),
    "equals": re.compile(r"="),
}
_ID = re.compile(r"[A-Za-z_\x80-\xff][A-Za-z_0-9\x80-\xff]*(\.[A-Za-z_\x80-\xff][A-Za-z_0-9\x80-\xff]*)?")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """flex takes the longest match; bytes are latin-1 characters here."""
    position = 0
    while position < len(text):
        matches = {kind: match for kind, pattern in _GUC.items() if (match := pattern.match(text, position))}
        assert matches, f"guc-file.l: error near {text[position : position + 20]!r}"
        kind = max(matches, key=lambda kind: matches[kind].end())
        yield kind, matches[kind][0]
        position = matches[kind].end()


def _deescaped(token: str) -> str:
    """``DeescapeQuotedString`` of guc-file.l."""
    simple = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

    def one(match: re.Match[str]) -> str:
        result = match[0]
        if result == "''":
            return "'"
        if result[1:].isdigit():
            return chr(int(result[1:], 8) & 0xFF)
        return simple.get(result[1], result[1])

    return re.sub(r"''|\\[0-7]{1,3}|\\.", one, token[1:-1], flags=re.DOTALL)


def postgresql_conf(text: str) -> dict[str, str]:
    """Names and values, as ``ParseConfigFp`` reads them; the last one wins."""
    items: dict[str, str] = {}
    line: list[tuple[str, str]] = []
    for kind, token in [*_tokens(text.encode().decode("latin-1")), ("eol", "\n")]:
        if kind in ("blank", "comment"):
            continue
        if kind != "eol":
            line.append((kind, token))
            continue
        if line:
            (first, name), *rest = line
            assert first == "unquoted", line
            assert _ID.fullmatch(name), line
            assert not name.lower().startswith("include"), line
            rest = rest[1:] if rest[0][0] == "equals" else rest
            assert len(rest) == 1, line
            (kind_of_value, value) = rest[0]
            assert kind_of_value in ("string", "unquoted", "integer", "real"), line
            items[name] = (_deescaped(value) if kind_of_value == "string" else value).encode("latin-1").decode()
        line = []
    return items


def pgbackrest_conf(text: str) -> dict[tuple[str, str], str]:
    """Sections, keys and values, as ``iniNext`` reads them; a key that comes twice is an error."""
    items: dict[tuple[str, str], str] = {}
    section = ""
    for raw in text.split("\n"):
        line = raw.strip(" \t\r\n")
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            assert line.endswith("]"), line
            section = line[1:-1]
            continue
        key, equals, value = line.partition("=")
        assert equals, line
        assert key.strip(" \t"), line
        assert (section, key.strip(" \t")) not in items, line
        items[section, key.strip(" \t")] = value.strip(" \t\r\n")
    return items


# ---- the places ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a text is put, and where it must come back: answers around it, and what to look up in the objects."""

    path: str
    read: Callable[[dict[str, Any]], object] | None
    around: dict[str, Any]


def _conf(objects: dict[str, Any]) -> dict[str, str]:
    return postgresql_conf(objects["postgresql-configmap"]["data"]["postgresql.conf"])


def _ini(objects: dict[str, Any]) -> dict[tuple[str, str], str]:
    return pgbackrest_conf(objects["pgbackrest-configmap"]["data"]["pgbackrest.conf"])


def _container(objects: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = objects["statefulset"]["spec"]["template"]["spec"]["containers"][0]
    return result


def _env(objects: dict[str, Any]) -> dict[str, Any]:
    return {
        item["name"]: item.get("value", item.get("valueFrom", {}).get("secretKeyRef"))
        for item in _container(objects)["env"]
    }


def _annotation(role: str, key: str = "pgwizard/values-from") -> Callable[[dict[str, Any]], object]:
    return lambda objects: objects[role]["metadata"]["annotations"][key]


def _claim(objects: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = objects["statefulset"]["spec"]["volumeClaimTemplates"][0]["spec"]
    return result


EXISTING = {"from": "existing", "secret": "one"}
ENV = {"from": "env", "username": "U", "password": "P"}
FILE = {"from": "file", "username": "u", "password": "p"}
S3_ENV = {"from": "env", "accessKey": "A", "secretKey": "S"}
S3_FILE = {"from": "file", "accessKey": "a", "secretKey": "s"}
FAR = {"from": "existing", "secret": "one", "namespace": "far", "accessKeyKey": "a", "secretKeyKey": "s"}

PLACES = [
    Place("release.name", lambda o: o["statefulset"]["metadata"]["name"], {}),
    Place("release.namespace", lambda o: o["service"]["metadata"]["namespace"], {}),
    Place("release.database", lambda o: _env(o)["POSTGRES_DB"], {}),
    Place(
        "credentials.username", lambda o: _stripped(_annotation("credentials-secret")(o), "generated once, for "), {}
    ),
    Place("credentials.secret", lambda o: _env(o)["POSTGRES_USER"]["name"], {"credentials": EXISTING}),
    Place("credentials.usernameKey", lambda o: _env(o)["POSTGRES_USER"]["key"], {"credentials": EXISTING}),
    Place("credentials.passwordKey", lambda o: _env(o)["POSTGRES_PASSWORD"]["key"], {"credentials": EXISTING}),
    Place(
        "credentials.password",
        lambda o: _stripped(_annotation("credentials-secret")(o), "variables U and "),
        {"credentials": ENV},
    ),
    Place(
        "credentials.password",
        lambda o: _stripped(_annotation("credentials-secret")(o), "files u and "),
        {"credentials": FILE},
    ),
    Place("storage.storageClass", lambda o: _claim(o)["storageClassName"], {}),
    Place("storage.size", lambda o: _claim(o)["resources"]["requests"]["storage"], {}),
    Place("tuning.memory", lambda o: _container(o)["resources"]["limits"]["memory"], {}),
    Place("tuning.cpu", lambda o: _container(o)["resources"]["limits"]["cpu"], {}),
    Place("tuning.parameters.application_name", lambda o: _conf(o)["application_name"], {}),
    Place("tuning.parameters.work_mem", lambda o: _conf(o)["work_mem"], {}),
    Place("tuning.parameters.auto_explain.log_level", lambda o: _conf(o)["auto_explain.log_level"], {}),
    Place("repository.endpoint", None, {}),
    Place("repository.bucket", lambda o: _ini(o)["global", "repo1-s3-bucket"], {}),
    Place("repository.region", lambda o: _ini(o)["global", "repo1-s3-region"], {}),
    Place("repository.path", lambda o: _ini(o)["global", "repo1-path"], {}),
    Place(
        "repository.credentials.secret",
        lambda o: _env(o)["PGBACKREST_REPO1_S3_KEY"]["name"],
        {"repository": {"credentials": EXISTING}},
    ),
    Place("repository.credentials.namespace", None, {"repository": {"credentials": EXISTING}}),
    Place(
        "repository.credentials.secretKeyKey",
        lambda o: _stripped(_annotation("s3-secret")(o), "Secret far/one, keys a and "),
        {"repository": {"credentials": FAR}},
    ),
    Place(
        "repository.credentials.secretKey",
        lambda o: _stripped(_annotation("s3-secret")(o), "variables A and "),
        {"repository": {"credentials": S3_ENV}},
    ),
    Place(
        "repository.credentials.secretKey",
        lambda o: _stripped(_annotation("s3-secret")(o), "files a and "),
        {"repository": {"credentials": S3_FILE}},
    ),
    Place(
        "repository.cipher.passphrase",
        lambda o: _stripped(_annotation("cipher-secret")(o), "file "),
        {"repository": {"cipher": {"from": "file"}}},
    ),
    Place(
        "repository.cipher.secret",
        lambda o: _env(o)["PGBACKREST_REPO1_CIPHER_PASS"]["name"],
        {"repository": {"cipher": {"from": "existing"}}},
    ),
    Place("tls.source.secret", lambda o: str(_annotation("ca-secret", "pgwizard/source")(o)).split("/")[1], {}),
    Place(
        "tls.source.key", lambda o: _stripped(_annotation("ca-secret", "pgwizard/source")(o), "minio/minio-tls/"), {}
    ),
    Place(
        "tls.caFile",
        lambda o: _stripped(_annotation("ca-secret", "pgwizard/source")(o), "file "),
        {"tls": {"source": None}},
    ),
    Place("schedule.full", lambda o: o["full-cronjob"]["spec"]["schedule"], {}),
    Place("schedule.timeZone", lambda o: o["full-cronjob"]["spec"]["timeZone"], {}),
    Place("images.postgresql", lambda o: _container(o)["image"], {}),
    Place("images.pgbackrestVersion", None, {}),
    Place(
        "images.pullSecrets.0",
        lambda o: o["statefulset"]["spec"]["template"]["spec"]["imagePullSecrets"][0]["name"],
        {},
    ),
    Place("advanced.archivePushQueueMax", None, {}),
    Place("advanced.options.db-timeout", lambda o: _ini(o)["global", "db-timeout"], {}),
    Place("advanced.options.repo-s3-role", lambda o: _ini(o)["global", "repo1-s3-role"], {}),
]


def _stripped(text: object, prefix: str) -> str:
    assert str(text).startswith(prefix)
    return str(text).removeprefix(prefix)


def _put(around: dict[str, Any], path: str, text: str) -> dict[str, Any]:
    """The answers with the text at its path; what follows tuning.parameters and advanced.options is one key."""
    answers: dict[str, Any] = json.loads(json.dumps(around))
    parts = path.split(".")
    if parts[1] in ("parameters", "options"):
        parts = [*parts[:2], ".".join(parts[2:])]
    node: Any = answers
    for part in parts[:-1]:
        node = node.setdefault(part, {}) if part != "pullSecrets" else node.setdefault(part, [])
    if isinstance(node, list):
        node.append(text)
    else:
        node[parts[-1]] = text
    return answers


def _quoted(answers: object) -> bytes:
    """As YAML in which every text is quoted and everything is ASCII."""
    return json.dumps(answers, ensure_ascii=True).encode()


# ---- the promise ---------------------------------------------------------------------------------------------------


def _refused_or_unchanged(place: Place, text: str) -> None:
    loaded = answers_file.load(_quoted(_put(place.around, place.path, text)))
    facts = Facts(ca=trusted())
    problems = loaded.problems  # what is refused is left out of the answers: no check sees it
    if not problems and loaded.answers is not None:
        problems = checks.check(loaded.answers, facts).errors
    for problem in problems:
        printed = str(problem)
        assert printed.isprintable(), printed
        assert len(printed) < 1500
    if problems:
        paths = {problem.question for problem in problems}
        yaml_refuses = any("not YAML" in problem.text or "not allowed in YAML" in problem.text for problem in problems)
        assert (
            yaml_refuses
            or any(path and (place.path.startswith(path) or path.startswith(place.path)) for path in paths)
            or (place.path == "images.pgbackrestVersion" or place.path.startswith("tuning."))
        ), problems
        return
    assert loaded.answers is not None
    rendered = manifests.render(planned(loaded.answers))
    objects = {item.role: item.object for item in rendered}  # parsed by the loader in C
    if place.read is not None:
        assert place.read(objects) == text
    if place.path.startswith(("tuning.", "repository.", "advanced.")):
        _conf(objects)
        _ini(objects)
    assert [each for item in objects.values() for each in texts_that_kubernetes_expands(item) if "$(" in each] == []
    escaped = manifests.yaml_value(text)
    changed = [item for item in rendered if escaped in item.text or f"={text}\n" in item.text]
    for item in changed[:2]:
        assert yaml.load(item.text, yaml.SafeLoader) == item.object


@pytest.mark.parametrize("place", PLACES, ids=[f"{number}-{place.path}" for number, place in enumerate(PLACES)])
def test_a_hostile_text_is_refused_at_its_place_or_comes_back_unchanged(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The examples go through every object, the generated texts through those that hold an answer's text."""
    for text in HOSTILE:
        _refused_or_unchanged(place, text)
    monkeypatch.setattr(manifests, "ORDER", HOLDING_TEXT)

    @settings(
        max_examples=CASES - len(HOSTILE),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(texts)
    def generated(text: str) -> None:
        _refused_or_unchanged(place, text)

    generated()


def test_there_are_ten_thousand_cases() -> None:
    assert CASES * len(PLACES) >= 10_000
    assert len(HOSTILE) > 100


@pytest.mark.parametrize("key", ["tuning.parameters", "advanced.options"])
def test_a_hostile_name_is_refused_at_its_place(key: str) -> None:
    section, block = key.split(".")
    for name in HOSTILE:
        loaded = answers_file.load(_quoted({section: {block: {name: "x"}}}))
        result = checks.check(loaded.answers, Facts(ca=trusted())) if loaded.answers else None
        problems = [*loaded.problems, *(result.errors if result else ())]
        assert problems or (loaded.answers is not None and name in loaded.answers.tuning.parameters), name
        assert all(str(problem).isprintable() for problem in problems)
        if not problems:
            assert (
                _conf({item.role: item.object for item in manifests.render(planned(loaded.answers or Answers()))})[name]
                == "x"
            )


@settings(max_examples=1500, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=200)
    | st.lists(fragments, max_size=12).map(lambda parts: "\n".join(parts).encode("utf-8", "replace"))
)
def test_bytes_of_any_kind_are_answers_or_problems_and_never_an_exception(data: bytes) -> None:
    loaded = answers_file.load(data)
    assert loaded.problems or loaded.answers == Answers()
    assert all(str(problem).isprintable() for problem in loaded.problems)


@settings(max_examples=1000, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts, texts)
def test_overrides_of_any_kind_are_answers_or_problems_and_never_an_exception(path: str, value: str) -> None:
    loaded = answers_file.load(
        b"release: {}\n", [f"{path}={value}", f"release.{path}={value}", f"tuning.parameters.{path}={value}"]
    )
    assert all(str(problem).isprintable() for problem in loaded.problems)


@settings(max_examples=1500, derandomize=True, database=None, deadline=None)
@given(st.text(max_size=40))
def test_a_quoted_text_is_the_same_to_every_reader(text: str) -> None:
    if re.search("[\ud800-\udfff]", text):
        return
    written = manifests.yaml_value(text)
    assert json.loads(written) == text
    assert yaml.load(written, yaml.SafeLoader) == yaml.load(written, yaml.CSafeLoader) == text
    assert re.search("[\x7f-\x9f\u2028\u2029\ufeff]", written) is None


@settings(max_examples=3000, derandomize=True, database=None, deadline=None)
@given(texts)
def test_a_value_comes_back_from_the_lexer_of_postgresql(value: str) -> None:
    if re.search("[\ud800-\udfff\x00]", value):
        return
    line = f"x = {manifests.postgresql_value(value)}  # why\nlast = 1\n"
    assert postgresql_conf(line) == {"x": value, "last": "1"}


def test_the_lexer_refuses_what_postgresql_refuses() -> None:
    """As ``postgres -C`` did in version 15."""
    for line in ("x = 1.5GB", "x = a b", "x = 'open", "x = a'b'", "x = *", "x =", "1x = 1", "x = 'a'b"):
        with pytest.raises((AssertionError, IndexError)):
            postgresql_conf(f"{line}\n")
    assert postgresql_conf("x = 'it''s \\\\ \\t\\101'\nx2=-1.5e3\nx3 0x1F\n") == {
        "x": "it's \\ \tA",
        "x2": "-1.5e3",
        "x3": "0x1F",
    }
