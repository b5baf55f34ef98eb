"""Speed and memory against their floors, measured side by side in one run: ``python bench/run.py``.

Each target is a ratio to something measured in the same rounds (A B A B ...), so that a slow or busy machine slows both
down. Targets are judged by the minimum of each side, which is the figure least disturbed by others. Exit code 1 where a
target is missed.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pgwizard.restore.target import RepositoryView

CHECKOUT = Path(__file__).parents[1]
ANSWERS = "release: {name: postgresql}\n"
CERTIFICATE = CHECKOUT / "examples" / "minio-ca.crt"
FLOOR = """
import jinja2
import pydantic
import yaml

class Model(pydantic.BaseModel):
    name: str = "postgresql"
    size: int = 10

Model(name="x")
"""
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Result:
    """One target. Figures are milliseconds, or MiB where ``unit`` says so; ``ratio`` is of the minima."""

    name: str
    minimum: float
    median: float
    floor_name: str
    floor_minimum: float
    floor_median: float
    ratio: float
    target: float
    unit: str = "ms"

    @property
    def met(self) -> bool:
        return self.ratio <= self.target


def main() -> int:
    options = _options()
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "answers.yaml"
        answers.write_text(ANSWERS)
        # As installed: modules are compiled, on both sides. The first run of each, which is not counted, does it.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/compiled"
        # first, while this process is small: what a child inherits from its parent counts in its peak
        results += _processes(answers, options.rounds)
        if helm := _helm():
            results.append(_against_helm(answers, helm, Path(folder), options.rounds))
        else:
            print("helm is neither in RIG_HELM nor in KUBEBUILDER_ASSETS nor on PATH: not measured against it")
    results.append(_first_target(options.rounds))
    _print_table(results)
    print(json.dumps([{**asdict(result), "met": result.met} for result in results]))
    return 0 if all(result.met for result in results) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=21, help="measurements of each side (default 21)")
    return parser.parse_args()


# ---- processes -----------------------------------------------------------------------------------------------------


def _processes(answers: Path, rounds: int) -> list[Result]:
    headless = [*_pgwizard(), "--headless", str(answers), "--ca-file", str(CERTIFICATE)]
    peaks: list[float] = []
    results = [
        _compared(
            "process start to printed default manifests",
            lambda: _process(headless, peaks),
            "process that imports jinja2, yaml, pydantic and builds a model",
            lambda: _process([sys.executable, "-c", FLOOR]),
            rounds,
            target=1.5,
        ),
        _compared(
            "pgwizard --version",
            lambda: _process([*_pgwizard(), "--version"]),
            "python -c pass",
            lambda: _process([sys.executable, "-c", "pass"]),
            rounds,
            target=3,
        ),
    ]
    results.append(
        _compared(
            "process start to the wizard's first paint",
            _first_paint,
            'python -c "import textual.app"',
            lambda: _process([sys.executable, "-c", "import textual.app"]),
            rounds,
            target=1.6,
        )
    )
    peak = max(peaks)
    results.append(Result("peak memory of a render", min(peaks), peak, "60 MiB", 60, 60, peak / 60, 1, "MiB"))
    return results


def _first_paint() -> float:
    """Seconds from exec until the wizard's first words are on a terminal of 120 columns."""
    begin = time.perf_counter()
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="120", LINES="40")
        command = [*_pgwizard(), "--demo"]
        os.execvp(command[0], command)
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        seen = b""
        while b"loading the questions" not in seen:
            ready, _, _ = select.select([terminal], [], [], 20)
            if not ready:
                raise SystemExit("the wizard painted nothing within 20 s")
            seen += os.read(terminal, 65536)
        return time.perf_counter() - begin
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)


def _pgwizard() -> list[str]:
    script = Path(sys.executable).with_name("pgwizard")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "pgwizard"]


def _process(command: Sequence[str], peaks: list[float] | None = None) -> float:
    """Seconds that a process takes; its peak resident memory in MiB is added to ``peaks``."""
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}")
    if peaks is not None:
        peaks.append(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MIB)
    return seconds


# ---- in-process against helm ---------------------------------------------------------------------------------------


def _against_helm(answers: Path, helm: str, folder: Path, rounds: int) -> Result:
    """Rendering and re-parsing a resolved plan, warm, against ``helm template`` of the same objects as they are."""
    from pgwizard.cli.source import Source, resolve_plan
    from pgwizard.plan import manifests

    plan, _ = resolve_plan(Source(str(answers), ca_file=str(CERTIFICATE)))
    chart = folder / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: static\nversion: 0.1.0\n")
    for manifest in manifests.render(plan):
        (chart / "templates" / manifest.file_name).write_text(manifest.text.replace("{{", '{{ "{{" }}'))

    def render() -> float:
        begin = time.perf_counter()
        manifests.render(plan)
        return time.perf_counter() - begin

    command = [helm, "template", "postgresql", str(chart)]
    return _compared(
        "render and re-parse a plan, in-process and warm",
        render,
        "helm template of the same objects",
        lambda: _process(command),
        rounds,
        target=0.25,
    )


def _helm() -> str | None:
    return os.environ.get("RIG_HELM") or shutil.which(
        "helm", path=os.pathsep.join([os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ.get("PATH", "")])
    )


# ---- the choice of a restore's target ------------------------------------------------------------------------------


def _first_target(rounds: int) -> Result:
    """What the page of a restore computes when it opens, and at each key: the plan, and the strip of all moments."""
    from pgwizard.restore.report import strip_lines
    from pgwizard.restore.target import RecoveryTarget, RestorePlan, choose

    times = []
    for _ in range(rounds):
        view, now = _large_repository()
        begin = time.perf_counter()
        plan = choose(view, RecoveryTarget("latest"), now)
        strip_lines(view, None, now, 120)
        times.append((time.perf_counter() - begin) * 1000)
        if not isinstance(plan, RestorePlan):
            raise SystemExit(f"no plan: {plan.text}")
    name = "first target, 5,000 backups, 500,000 segments"
    return Result(name, min(times), statistics.median(times), "16 ms", 16, 16, min(times) / 16, 1)


def _large_repository() -> tuple[RepositoryView, datetime]:
    """A segment a minute and a backup every 100 of them, on ten timelines; and now."""
    from pgwizard.restore.target import RepositoryView
    from pgwizard.status.repository import Backup
    from pgwizard.status.wal import Archive, Fork, History, SegmentRun

    begin, size, count = datetime(2026, 1, 1, tzinfo=UTC), 16 * MIB, 50_000
    minutes = [begin + timedelta(minutes=minute) for minute in range(10 * count + 1)]
    archive = Archive(
        {
            timeline: [SegmentRun(timeline, last - count, last - 1, count * 10**6, minutes[last - 1])]
            for timeline, last in ((each, each * count) for each in range(1, 11))
        },
        {
            timeline: History(
                tuple(Fork(left, left * count * size) for left in range(1, timeline)), minutes[(timeline - 1) * count]
            )
            for timeline in range(2, 11)
        },
    )
    backups = []
    for number in range(1, 10 * count, 100):
        name = archive.name(1 + number // count, number)
        at, lsn = minutes[number], number * size + 0x138
        stop = at + timedelta(seconds=50)
        backups.append(Backup(f"{at:%Y%m%d-%H%M%S}F", "full", at, stop, 10**9, 10**8, name, name, lsn_stop=lsn))
    return RepositoryView(archive, tuple(backups), 10, is_answering=True), minutes[-1]


# ---- measuring and showing -----------------------------------------------------------------------------------------


def _compared(
    name: str, measured: Callable[[], float], floor_name: str, floor: Callable[[], float], rounds: int, *, target: float
) -> Result:
    measured(), floor()  # the first of each warms the caches of the disk and of the interpreter
    times: list[float] = []
    floors: list[float] = []
    for _ in range(rounds):
        times.append(measured() * 1000)
        floors.append(floor() * 1000)
    ratio = min(times) / min(floors)
    medians = statistics.median(times), statistics.median(floors)
    return Result(name, min(times), medians[0], floor_name, min(floors), medians[1], ratio, target)


def _print_table(results: Sequence[Result]) -> None:
    heads = ("min", "median", "floor min", "median", "ratio", "target")
    print(f"{'measured':<44}", *(f"{head:>9}" for head in heads))
    for result in results:
        figures = (
            (result.minimum, result.median, result.floor_minimum, result.floor_median),
            (result.ratio, result.target),
        )
        print(
            f"{result.name:<44}",
            *(f"{figure:9.1f}" for figure in figures[0]),
            *(f"{figure:9.2f}" for figure in figures[1]),
            f" {'met' if result.met else 'MISSED'} ({result.unit}; against {result.floor_name})",
        )


if __name__ == "__main__":
    sys.exit(main())
