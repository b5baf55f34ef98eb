"""The kubeconfig against kubectl: what it refuses is refused, what it reads is read the same way."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pgwizard.errors import KubeconfigError
from pgwizard.kube import kubeconfig
from support.rigtools import KUBECONFIG, LIVE
from support.waiting import DEADLINE_SECONDS

pytest_plugins = ["support.rigfixtures"]
pytestmark = LIVE
VALUES = ['"text"', '"false"', "true", "yes", "off", "5", "1.5", "0x10", "1:30", "2026-01-01", "~", '""', "!!str 5"]
VALUES += ["[]", '["a"]', "[5]", "[~]", "{}", "{a: b}", "{a: 5}", '"YWJj\\nYWJj"', '"YW Jj"', "'%'"]
FIELDS = {
    "{clusters: [{name: one, cluster: {%s}}]}": (
        *("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority", "proxy-url"),
        *("certificate-authority-data", "disable-compression", "extensions"),
    ),
    "{users: [{name: one, user: {%s}}]}": (
        *("client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile"),
        *("as", "as-uid", "as-groups", "as-user-extra", "username", "password", "auth-provider", "exec"),
    ),
    "{users: [{name: one, user: {exec: {%s}}}]}": (
        *("command", "args", "env", "apiVersion", "installHint", "provideClusterInfo", "interactiveMode"),
    ),
    "{users: [{name: one, user: {exec: {env: [{%s}]}}}]}": ("name", "value"),
    "{users: [{name: one, user: {auth-provider: {%s}}}]}": ("name", "config"),
    "{contexts: [{name: one, context: {%s}}]}": ("cluster", "user", "namespace"),
    "{contexts: [{%s}]}": ("name", "context"),
    "{%s}": ("apiVersion", "kind", "current-context", "clusters", "users", "contexts", "preferences", "unknown"),
}
BYTES_AS_NUMBERS = ("[]", "[5]", "[~]")
"""Go reads bytes from a list of numbers as well; nobody writes them so."""


def chosen() -> list[str]:
    """Some dozens of all variants, others at each seed."""
    every = [
        form % f"{field}: {value}"
        for form, fields in FIELDS.items()
        for field in fields
        for value in VALUES
        if not (field.endswith("-data") and value in BYTES_AS_NUMBERS)
    ]
    dice = random.Random(int(os.environ.get("PGWIZARD_TEST_SEED", "1")))
    return dice.sample(every, int(os.environ.get("PGWIZARD_TEST_KUBECONFIGS", "80")))


def test_files_are_read_and_refused_as_kubectl_reads_and_refuses_them(kubectl_binary: str, tmp_path: Path) -> None:
    different = []
    for text in chosen():
        path = tmp_path / "config"
        path.write_text(text)
        done = subprocess.run(
            [kubectl_binary, f"--kubeconfig={path}", "config", "view", "--raw", "-o", "json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS,
        )
        try:
            ours: Any = {part.name: part.values for part in _parts(path)}
        except KubeconfigError as error:
            ours = error.message
        if (done.returncode == 0) != isinstance(ours, dict):
            different.append((text, done.stderr or "kubectl reads it", ours))
        elif done.returncode == 0:
            read = json.loads(done.stdout)
            theirs = {
                item["name"]: item[kind]
                for kind in ("cluster", "user", "context")
                for item in read.get(f"{kind}s") or []
            }
            if _simple(theirs) != _simple(ours):
                different.append((text, str(_simple(theirs)), str(_simple(ours))))
    assert different == []


def _parts(path: Path) -> list[kubeconfig.Part]:
    merged = kubeconfig._merge([(path, kubeconfig._content(str(path)) or {})])
    return [part for parts in merged.values() for part in parts.values()]


def _simple(parts: dict[str, Any]) -> dict[str, Any]:
    """What is set and has one spelling."""
    return {
        name: {
            key: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for key, value in values.items()
            if value and key not in ("exec", "auth-provider", "extensions")
        }
        for name, values in parts.items()
    }


@pytest.mark.parametrize("flag", ["false", "true", 0, [], {}], ids=repr)
def test_a_flag_of_another_type_is_refused_by_both(kubectl_binary: str, tmp_path: Path, flag: object) -> None:
    assert KUBECONFIG is not None
    mine = yaml.safe_load(Path(KUBECONFIG).read_bytes())
    mine["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = flag
    path = tmp_path / "config"
    path.write_text(json.dumps(mine))
    ask = [kubectl_binary, f"--kubeconfig={path}", "get", "--raw", "/version"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS)
    assert done.returncode != 0
    assert "insecure-skip-tls-verify of type bool" in done.stderr
    with pytest.raises(KubeconfigError, match="insecure-skip-tls-verify is"):
        kubeconfig.load(kubeconfig=str(path))
