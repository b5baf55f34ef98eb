"""The scripts that restore, as a pod runs them: each after what all of them share. Pure."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal


@cache
def script_of(purpose: Literal["restore", "preview", "drill"]) -> str:
    """The text of ``restore.sh`` and so on. A drill's is with the templates: a scheduled one needs no pgwizard."""
    from pgwizard.plan.manifests import script  # loads the engine of the templates

    if purpose == "drill":
        return script("drill.sh")
    own = resources.files("pgwizard.restore").joinpath(f"{purpose}.sh").read_text(encoding="utf-8")
    return script("recovery.sh") + own
