"""The time that what a cluster says is judged by."""

from __future__ import annotations

import json

from support.headless import run


def test_a_demonstration_is_judged_by_its_own_time_which_has_run_ahead() -> None:
    ended = run("status", "--demo", "--json")
    said = json.loads(ended.out.splitlines()[-1])
    assert said["at"] >= said["backups"][-1]["stop"]
