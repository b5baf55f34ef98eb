"""The commands that connect to a database, run by a shell with fakes of kubectl and psql."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from pgwizard.kube.commands import CURRENT_CONTEXT, Commands
from pgwizard.release.report import connect_commands
from support.headless import answers_of, planned

KUBECTL = """#!/bin/sh
printf '%s\\n' "$*" >> calls
case "$*" in
    *port-forward*) exec tail -f /dev/null ;;
    *'{.data.password}'* | *'{.data.the\\.key}'*) printf 'it'\\''s "$secret"' | base64 ;;
    *username*) printf 'app user' | base64 ;;
esac
"""
SLEEP = """#!/bin/sh
until grep -q port-forward calls; do :; done
"""
"""Until the port-forward has begun, however busy the machine is."""
PSQL = """#!/bin/sh
{ printf '%s\\n' "$PGPASSWORD"; printf '%s\\n' "$@"; } > psql
"""


def _run(**sections: Any) -> tuple[list[str], list[str]]:
    """What psql got, its password first; and the calls of kubectl."""
    plan = planned(answers_of(release={"namespace": "shop", "database": "db"}, **sections))
    commands = connect_commands(plan, Commands("my context", "/tmp/it's one"))
    for name, text in (("kubectl", KUBECTL), ("psql", PSQL), ("sleep", SLEEP)):
        Path(name).write_text(text)
        Path(name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{Path.cwd()}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", "\n".join(commands)], capture_output=True, check=True, timeout=300, env=environment
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    return Path("psql").read_text().splitlines(), Path("calls").read_text().splitlines()


def test_psql_gets_the_password_by_a_variable_and_the_forwarded_port() -> None:
    psql, calls = _run()
    assert psql == ['it\'s "$secret"', *("-h", "127.0.0.1", "-p", "15432", "-U", "postgres", "-d", "db")]
    place = "--context my context --kubeconfig /tmp/it's one -n shop"
    assert calls == [
        f"{place} get secret postgresql -o jsonpath={{.data.password}}",
        f"{place} port-forward service/postgresql 15432:5432",
    ]


def test_a_superuser_in_a_secret_is_read_from_it() -> None:
    keys = {"from": "existing", "secret": "mine", "usernameKey": "username", "passwordKey": "the.key"}
    psql, calls = _run(credentials=keys)
    assert psql[0] == 'it\'s "$secret"'
    assert psql[-3:] == ["app user", "-d", "db"]
    assert "get secret mine -o jsonpath={.data.the\\.key}" in calls[0]


def test_no_password_is_in_the_commands() -> None:
    commands = connect_commands(planned(answers_of()), CURRENT_CONTEXT)
    assert json.dumps(commands).count("PGPASSWORD") == 1
