"""Kubeconfigs whose user is logged in by a program."""

from __future__ import annotations

import json
from pathlib import Path

from support.waiting import wait_until

CODE = "printf 'open https://log.in\\nand enter \\033[31mAB-12\\n' >&2"


def kubeconfig(folder: Path, script: str) -> Path:
    """A kubeconfig whose plug-in is this shell script, which runs in the folder and leaves its process id there."""
    plugin = folder / "log-in"
    plugin.write_text(f"#!/bin/sh\ncd '{folder}'\necho $$ > pid\n{script}\n")
    plugin.chmod(0o755)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "IfAvailable"}
    path = folder / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "current-context": "one",
                "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
                "clusters": [{"name": "one", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "one", "user": {"exec": run}}],
            }
        )
    )
    return path


def pid_of_plugin(folder: Path) -> int:
    return int((folder / "pid").read_text())


def has_ended(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def wait_for_the_end(pid: int) -> None:
    wait_until(f"process {pid} has ended", lambda: has_ended(pid))
