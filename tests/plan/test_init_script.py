"""The scripts of backups beside programs that only pretend: real shells, in a folder in place of the container's."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from support.waiting import DEADLINE_SECONDS

FILES = Path(__file__).parents[2] / "templates" / "files"
FATAL = 'FATAL:  could not access file "pg_hint": No such file or directory'
PROGRAMS = {
    "pg_isready": "exit 0",
    "pgbackrest": 'echo "pgbackrest $* with $PGOPTIONS"',
    "psql": 'if [[ "$*" == --version ]]; then echo "psql (PostgreSQL) $VERSION.2 (Debian)"; exit; fi\n'
    'if [[ -n "$PROBLEM" ]]; then echo "$PROBLEM" >&2; exit 2; fi\n'
    "echo 0",
}


def run(folder: Path, script: str, *arguments: str, version: int = 17, problem: str = "") -> tuple[int, list[str]]:
    """The exit code and the lines of a script in whose folder pgBackRest, psql and pg_isready pretend."""
    programs = folder / "bin"
    programs.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    (folder / "pgbackrest.conf").write_text("[global]\n")
    for path in FILES.glob("*.sh"):
        text = path.read_text(encoding="utf-8")
        for old, new in (
            ("/etc/pgbackrest", folder),
            ("folder=/tmp", f"folder={folder}"),
            ("/tmp/info", f"{folder}/i"),
        ):
            text = text.replace(old, str(new))
        (folder / path.name).write_text(text.replace(" 30 session_opens", " 1 session_opens"))
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "POSTGRES_USER": "postgres",
        "POSTGRES_DB": "shop",
        "PGDATA": str(folder / "pgdata"),
        "VERSION": str(version),
        "PROBLEM": problem,
    }
    done = subprocess.run(
        ["bash", str(folder / script), *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("version", "added"),
    [
        (13, ""),
        (15, " -c idle_session_timeout=0"),
        (17, " -c idle_session_timeout=0 -c transaction_timeout=0"),
    ],
)
def test_no_timeout_of_the_server_ends_a_backup(tmp_path: Path, version: int, added: str) -> None:
    options = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
    options += f" -c search_path=pg_catalog{added}"
    assert run(tmp_path, "apart.sh", "backup.sh", "full", version=version) == (
        0,
        [f"pgbackrest --stanza=main --type=full backup with {options}"],
    )


def test_a_session_that_does_not_open_ends_the_hook_with_the_reason_of_the_server(tmp_path: Path) -> None:
    wanted = hashlib.sha256(b"[global]\n").hexdigest()
    code, lines = run(tmp_path, "init.sh", wanted, problem=f"psql: error: connection to server failed: {FATAL}")
    assert code == 1
    assert [line.partition(" ")[2].partition(" ")[2] for line in lines] == [
        f"waited 1 s in vain until a session opens: psql: error: connection to server failed: {FATAL}"
    ]


def test_where_sessions_open_the_hook_creates_the_stanza_and_takes_a_full_backup(tmp_path: Path) -> None:
    wanted = hashlib.sha256(b"[global]\n").hexdigest()
    code, lines = run(tmp_path, "init.sh", wanted)
    assert (code, [line.split(" with")[0] for line in lines]) == (
        0,
        [
            "pgbackrest --stanza=main stanza-create",
            "pgbackrest --stanza=main check",
            "pgbackrest --stanza=main --type=full backup",
        ],
    )


def test_the_hook_archives_the_histories_of_the_server_again_which_an_emptied_repository_lacks(tmp_path: Path) -> None:
    wal = tmp_path / "pgdata" / "pg_wal"
    wal.mkdir(parents=True)
    for name in ("00000002.history", "00000003.history", "000000030000000000000001"):
        (wal / name).touch()
    code, lines = run(tmp_path, "init.sh", hashlib.sha256(b"[global]\n").hexdigest())
    assert (code, [line.split(" with")[0] for line in lines if "archive-push" in line]) == (
        0,
        [f"pgbackrest --stanza=main archive-push {wal}/0000000{number}.history" for number in (2, 3)],
    )
