"""Simulated time, on which tests of screens and of the simulated cluster rely; no test relies on a fast machine."""

from __future__ import annotations

import ast
import asyncio
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

from support import simtime
from support.headless import ROOT
from support.waiting import DEADLINE_SECONDS


def test_sleeping_takes_no_time_and_all_clocks_agree() -> None:
    async def sleep() -> None:
        loop, cluster = asyncio.get_running_loop(), simtime.LoopClock()
        begin = loop.time(), time.monotonic(), time.perf_counter(), cluster.now()
        await asyncio.sleep(86_400)
        end = loop.time(), time.monotonic(), time.perf_counter(), cluster.now()
        assert [round(after - before) for before, after in zip(begin, end, strict=True)] == [86_400] * 4

    begin = time.monotonic()
    simtime.run(sleep())
    assert time.monotonic() - begin < 3_600


def test_outside_a_simulated_loop_the_machines_clock_is_used() -> None:
    async def sleep() -> None:
        begin = time.monotonic()
        await asyncio.sleep(0.01)
        assert time.monotonic() - begin >= 0.01

    asyncio.run(sleep())


def test_a_loop_is_idle_once_only_time_is_left() -> None:
    done: list[str] = []

    async def work() -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        done.append("work")
        await asyncio.sleep(0.001)
        done.append("timer")

    async def main() -> None:
        task = asyncio.create_task(work())
        loop = asyncio.get_running_loop()
        assert isinstance(loop, simtime.Loop)
        await loop.idle()
        assert done == ["work"]
        await task

    simtime.run(main())


def test_while_a_process_runs_time_passes_as_outside() -> None:
    async def main() -> bytes:
        async with asyncio.timeout(DEADLINE_SECONDS):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "import time; time.sleep(0.2); print('done')", stdout=asyncio.subprocess.PIPE
            )
            output, _ = await process.communicate()
            return output

    assert simtime.run(main()) == b"done\n"


def test_a_function_for_a_thread_runs_at_once() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await asyncio.to_thread(lambda: None)
        return loop.time() - begin

    assert simtime.run(main()) == 0


def test_a_hang_is_an_error() -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="hangs"):
        simtime.run(hang())


def test_a_process_of_an_earlier_test_that_ends_meanwhile_does_not_hide_a_hang() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, name="waitpid-0")
    thread.start()
    threading.Timer(0.1, ended.set).start()
    test_a_hang_is_an_error()
    thread.join()


def test_a_task_that_is_left_over_is_an_error() -> None:
    async def main() -> None:
        task = asyncio.create_task(asyncio.sleep(60), name="forgotten")
        await asyncio.sleep(0)
        assert not task.done()

    with pytest.raises(AssertionError, match="forgotten"):
        simtime.run(main())


# ---- guards --------------------------------------------------------------------------------------------------------

CLOCKS = ("time.monotonic", "time.perf_counter", "time.sleep", "asyncio.wait_for")
WAITS = ("run", "communicate", "wait", "join", "get", "result", "check_output", "check_call", "call", "acquire")


def is_short(limit: ast.expr) -> bool:
    """Whether a deadline is a number below five minutes."""
    if "DEADLINE_SECONDS" in ast.unparse(limit):
        return False
    numbers = [part.value for part in ast.walk(limit) if isinstance(part, ast.Constant)]
    return any(isinstance(number, int | float) and number < 300 for number in numbers)


def impatient(source: str) -> Iterator[str]:
    """Calls that depend on the speed of the machine."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        call = ast.unparse(node)
        name = ast.unparse(node.func)
        limits = [item.value for item in node.keywords if item.arg == "timeout" and name.rpartition(".")[2] in WAITS]
        if name == "asyncio.timeout":
            limits += node.args
        if name == "settings":
            limits += [item.value for item in node.keywords if item.arg == "deadline"]
        short = any(map(is_short, limits))
        waits = any(isinstance(part, ast.Constant) and "--timeout=" in str(part.value) for part in node.args)
        if name in CLOCKS or name.endswith(".run_test") or short or waits:
            yield call


@pytest.mark.parametrize(
    "source",
    [
        "time.sleep(1)",
        "end = time.monotonic() + 3_600",
        "process.communicate(timeout=60)",
        "subprocess.run(command, timeout=2 * 60)",
        "asyncio.timeout(20)",
        "kubectl.run('wait', '--for=create', 'pod/a', '--timeout=30s')",
        "settings(deadline=200)",
        "app.run_test(size=size)",
    ],
)
def test_an_impatient_test_is_found(source: str) -> None:
    assert len(list(impatient(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "process.communicate(timeout=DEADLINE_SECONDS)",
        "process.communicate(timeout=2 * DEADLINE_SECONDS)",
        "asyncio.timeout(7_200)",
        "kubectl.run('wait', KUBECTL_DEADLINE)",
        "settings(deadline=None)",
        "applied(sim, timeout_seconds=30)",
    ],
)
def test_a_patient_test_is_left_alone(source: str) -> None:
    assert list(impatient(source)) == []


def test_no_test_depends_on_the_speed_of_the_machine() -> None:
    tests = ROOT / "tests"
    allowed = {tests / "test_simtime.py", *(tests / "support").glob("*.py")}
    files = [path for path in tests.rglob("*.py") if path not in allowed]
    assert len(files) > 80
    items = {str(path.relative_to(tests)): list(impatient(path.read_text())) for path in files}
    assert {path: calls for path, calls in items.items() if calls} == {}


def test_no_example_of_hypothesis_has_a_deadline() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None
