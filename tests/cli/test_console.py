"""The headless face: what goes where, whole or not at all, and every bad file answered in words."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from support.headless import CA, GOLDEN, certificate, der, pem, private_key, run

DEFAULTS = GOLDEN / "defaults" / "answers.yaml"
TREE = {path.name: path.read_text(encoding="utf-8") for path in (GOLDEN / "defaults" / "manifests").iterdir()}

# ---- bad input -----------------------------------------------------------------------------------------------------

BAD: dict[str, bytes] = {
    "unknown keys": b"relese: {}\nstorage: {sise: 1Gi}\nadvanced: {options: {db-timout: 1}}\n",
    "wrong types": b"release: []\nstorage: {size: [1]}\ntuning: {connections: 1.5}\nimages: {pullSecrets: {a: b}}\n",
    "units": b"storage: {size: 10GB}\ntuning: {memory: 10 Gi}\nresources: {memoryRequest: -1Gi}\n",
    "duplicate keys": b"release: {name: a}\nstorage: {}\nrelease: {name: b}\n",
    "tabs": b"release:\n\tname: a\n",
    "anchor bomb": b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "ten megabytes": b"#" * 10_000_000,
    "not UTF-8": b"release:\n  name: caf\xe9\n",
    "empty": b"",
    "a list at the top": b"- release\n",
    "cron nonsense": b"schedule:\n  full: every sunday\n  incremental: 0 25 * * *\n  timeZone: Berlin\n",
    "deep nesting": b"[" * 5000,
    "several documents": b"release: {}\n---\nrelease: {}\n",
    "a tag": b"release: !!python/object/apply:os.system [id]\n",
    "control characters": b"release:\n  name: a\x07\n",
    "across fields": b"tuning: {cpu: 1}\nresources: {cpuRequest: 4}\nstorage: {size: 4Gi}\nadvanced: {block: true}\n",
    "a secret as a variable": b"credentials: {from: env, username: U, password: hunter2!}\n",
    "no alternative": b"credentials: {form: env}\ncompression: {type: zip}\n",
}

BAD_CERTIFICATES: dict[str, Callable[[], bytes]] = {
    "hello": lambda: b"hello\n",
    "a private key": private_key,
    "DER": lambda: der(certificate()),
    "cut off": lambda: CA.read_bytes()[:200],
    "broken": lambda: CA.read_bytes().replace(b"MII", b"AAA"),
    "nothing": lambda: b"",
    "a request": lambda: b"-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n",
}


def _printed() -> str:
    """What every bad input is answered with, one after the other."""
    parts = []
    for name, data in BAD.items():
        done = run("--headless", "-", "--set", "tls.verify=false", stdin=data)
        assert (done.code, done.out) == (2, ""), name
        parts.append(f"== {name}\n{done.err}")
    for name, make in BAD_CERTIFICATES.items():
        Path("ca.crt").write_bytes(make())
        done = run("--headless", "-", stdin=b"tls:\n  caFile: ca.crt\n")
        assert (done.code, done.out) == (2, ""), name
        parts.append(f"== certificate: {name}\n{done.err}")
    return "\n".join(parts)


def test_bad_input_is_answered_in_the_words_of_the_golden_file(update_golden: bool) -> None:
    """Every problem with its path, its line, what was expected; exit code 2, nothing on stdout, never a traceback."""
    printed, golden = _printed(), GOLDEN / "bad-input.txt"
    if update_golden:
        golden.write_text(printed, encoding="utf-8")
    assert printed == golden.read_text(encoding="utf-8")


def test_bad_input_never_leaves_a_folder() -> None:
    for data in BAD.values():
        assert run("--headless", "-", "-o", "out", stdin=data).code == 2
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(("begins", "ends", "words"), [(-9, -1, "ended on"), (1, 9, "is valid only from")])
def test_a_certificate_outside_its_validity_is_refused(begins: int, ends: int, words: str, folder: Path) -> None:
    result = certificate(begins=timedelta(days=begins), ends=timedelta(days=ends))
    (folder / "ca.crt").write_bytes(pem(result))
    done = run("--headless", "-", "--ca-file", "ca.crt", stdin=b"release: {}\n")
    assert done.code == 2
    assert f"--ca-file: ca.crt: CN=minio {words}" in done.err


# ---- where answers come from ---------------------------------------------------------------------------------------


def test_a_file_reference_is_relative_to_the_file_of_answers(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "ca.crt").write_bytes(CA.read_bytes())
    (folder / "deep" / "answers.yaml").write_text("tls: {caFile: ca.crt}\n")
    assert run("--headless", "deep/answers.yaml").out == "---\n".join(TREE[name] for name in sorted(TREE))
    assert run("--headless", "-", stdin=b"tls: {caFile: ca.crt}\n").code == 2
    assert run("--headless", "-", stdin=b"tls: {caFile: deep/ca.crt}\n").code == 0


def test_the_certificate_of_the_command_line_wins(folder: Path) -> None:
    (folder / "answers.yaml").write_text("tls: {caFile: missing.crt}\n")
    assert run("--headless", "answers.yaml", "--ca-file", CA).code == 0


def test_a_certificate_that_nothing_asks_for_is_named() -> None:
    done = run("--headless", "-", "--ca-file", CA, "--set", "tls.source=null", stdin=b"release: {}\n")
    assert (done.code, done.err.splitlines()[1]) == (
        2,
        "  tls.source: null trusts the public authorities only, but --ca-file gives a certificate (from --set)",
    )


@pytest.mark.parametrize("name", ["missing.yaml", ".", "missing/answers.yaml"])
def test_a_file_that_cannot_be_read_is_named(name: str) -> None:
    done = run("--headless", name)
    assert done.code == 2
    assert done.err.startswith(f"pgwizard: {name}: 1 problem\n  cannot be read: ")


def test_a_folder_in_place_of_the_certificate_is_named() -> None:
    done = run("--headless", "-", stdin=b"tls: {caFile: .}\n")
    assert (done.code, done.err.splitlines()[1]) == (2, "  line 1: tls.caFile: .: cannot be read: Is a directory")


def test_json_gives_a_list_and_lines_of_what_to_know() -> None:
    done = run("--headless", GOLDEN / "backups-without-tls" / "answers.yaml", "--json")
    output = json.loads(done.out)
    assert (output["apiVersion"], output["kind"]) == ("v1", "List")
    expected = sorted((GOLDEN / "backups-without-tls" / "manifests").iterdir())
    assert output["items"] == [yaml.safe_load(path.read_bytes()) for path in expected]
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert [line["type"] for line in lines] == ["warning", "note"]
    assert lines[0]["path"] == "tls.verify"


def test_json_gives_every_problem_as_data() -> None:
    done = run("--headless", "-", "--json", stdin=b"storage: {size: 1GB}\n")
    output = json.loads(done.err)
    assert (done.code, output["exitCode"], output["error"]) == (2, 2, "standard input: 2 problems")
    assert [(item["path"], item["line"], item["column"]) for item in output["problems"]] == [
        ("tls.source", None, None),
        ("storage.size", 1, 11),
    ]


# ---- writing a folder ----------------------------------------------------------------------------------------------


def _written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def _no_leftovers(folder: Path) -> bool:
    return not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_folder_is_written_with_its_parents_and_listed(folder: Path) -> None:
    done = run("--headless", DEFAULTS, "-o", "a/b/out")
    assert done.out.splitlines() == [f"a/b/out/{name}" for name in sorted(TREE)]
    assert _written(folder / "a/b/out") == TREE
    assert _no_leftovers(folder / "a/b")


def test_a_folder_that_is_replaced_keeps_nothing_stale(folder: Path) -> None:
    run("--headless", GOLDEN / "everything-changed" / "answers.yaml", "-o", "out")
    assert run("--headless", DEFAULTS, "-o", "out").code == 0
    assert _written(folder / "out") == TREE
    assert _no_leftovers(folder)


def _foreign_file(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "notes.txt").write_text("mine")


def _foreign_folder(folder: Path) -> None:
    (folder / "out" / "00-namespace.yaml").mkdir(parents=True)


def _symlink(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "out").symlink_to("elsewhere")


def _dangling(folder: Path) -> None:
    (folder / "out").symlink_to("nowhere")


def _file(folder: Path) -> None:
    (folder / "out").write_text("mine")


@pytest.mark.parametrize("obstacle", [_foreign_file, _foreign_folder, _symlink, _dangling, _file])
def test_what_is_not_ours_is_not_touched(obstacle: Callable[[Path], None], folder: Path) -> None:
    obstacle(folder)
    before = sorted((path.name, path.lstat().st_mtime_ns) for path in folder.rglob("*"))
    done = run("--headless", DEFAULTS, "-o", "out")
    assert (done.code, done.out) == (3, "")
    assert "nothing was written" in done.err
    assert sorted((path.name, path.lstat().st_mtime_ns) for path in folder.rglob("*")) == before


def test_the_current_folder_is_not_pulled_from_under_a_shell(folder: Path) -> None:
    done = run("--headless", DEFAULTS, "-o", ".")
    assert done.code == 3
    assert "is the current folder or contains it" in done.err
    assert list(folder.iterdir()) == []


def test_a_file_in_the_way_of_a_parent_is_named(folder: Path) -> None:
    (folder / "a").write_text("mine")
    done = run("--headless", DEFAULTS, "-o", "a/out")
    assert done.code == 3
    assert "cannot be written" in done.err


@pytest.mark.parametrize("earlier", [False, True], ids=["fresh", "replaced"])
@pytest.mark.parametrize("failing", ["write_text", "chmod", "rename"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_folder_is_written_whole_or_not_at_all(
    earlier: bool, failing: str, number: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if earlier:
        run("--headless", GOLDEN / "no-backups" / "answers.yaml", "-o", "out")
    before = _written(folder / "out") if earlier else None
    real, calls = getattr(Path, failing), list[Path]()

    def fails(path: Path, *arguments: object, **options: object) -> object:
        calls.append(path)
        if len(calls) == (2 if earlier and failing == "rename" else 1):
            raise OSError(number, os.strerror(number))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, failing, fails)
    done = run("--headless", DEFAULTS, "-o", "out")
    monkeypatch.undo()
    assert (done.code, done.out) == (3, "")
    assert os.strerror(number) in done.err
    assert (_written(folder / "out") if earlier else None) == before
    assert (folder / "out").exists() == earlier
    assert _no_leftovers(folder)
