"""An export against a plain render, and the exported chart against a static one: ``python bench/export.py``.

Both sides of each figure run in turn, as processes, and are judged by the minimum: a busy machine slows both.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from figures import Figure, show

ROOT = Path(__file__).parents[1]
CA = ROOT / "tests" / "golden" / "ca.crt"
SECONDS = 300


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="runs of each side (default 15)")
    rounds = parser.parse_args().rounds
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: modules are compiled
    with tempfile.TemporaryDirectory() as name:
        return show(list(_figures(Path(name), rounds)))


def _figures(folder: Path, rounds: int) -> list[Figure]:
    answers = folder / "answers.yaml"
    answers.write_text("{}\n", encoding="utf-8")
    chart, static = folder / "chart", folder / "static"

    def pgwizard(*words: str | Path) -> str:
        return _run(sys.executable, "-m", "pgwizard", *words, f"--ca-file={CA}")

    def export() -> str:
        return pgwizard("export", answers, "-o", chart)

    def render() -> str:
        return pgwizard("render", answers, "-o", folder / "manifests")

    value, anchor = _in_turn(export, render, rounds)
    items = [Figure("pgwizard export to a chart", value, anchor, "pgwizard render to files", 2.0)]
    helm = os.environ.get("RIG_HELM")
    if helm is None:
        print("helm template is left out: RIG_HELM is not set")
        return items
    words = (f"--set-file=tls.certificate={CA}",)
    (static / "templates").mkdir(parents=True)
    (static / "Chart.yaml").write_text((chart / "Chart.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    rendered = _run(helm, "template", "postgresql", chart, *words).replace("{{", '{{ "{{" }}')
    (static / "templates" / "all.yaml").write_text(rendered, encoding="utf-8")
    value, anchor = _in_turn(
        lambda: _run(helm, "template", "postgresql", chart, *words),
        lambda: _run(helm, "template", "postgresql", static),
        rounds,
    )
    return [*items, Figure("helm template of the exported chart", value, anchor, "a static chart of its objects", 1.2)]


def _in_turn(side: Callable[[], object], other: Callable[[], object], rounds: int) -> tuple[float, float]:
    """The shortest run of each, in milliseconds; the first, which compiles, is not counted."""
    best = [float("inf"), float("inf")]
    for number in range(rounds + 1):
        for index, work in enumerate((side, other)):
            start = time.perf_counter()
            work()
            if number:
                best[index] = min(best[index], (time.perf_counter() - start) * 1000)
    return best[0], best[1]


def _run(*words: str | Path) -> str:
    command = list(map(str, words))
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout


if __name__ == "__main__":
    sys.exit(main())
