from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path
from typing import Literal

import pytest

from pgwizard.restore.scripts import script_of


@pytest.mark.parametrize("purpose", ["restore", "preview"])
def test_a_script_that_restores_is_one_that_shellcheck_passes(purpose: Literal["restore", "preview"]) -> None:
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    command = [str(shellcheck), "--shell=bash", "--severity=style", "-"]
    checked = subprocess.run(command, input=script_of(purpose), capture_output=True, text=True, check=False)
    assert (checked.stdout, checked.returncode) == ("", 0)
