"""Simulated time, on which all tests of screens and of the simulated cluster rely."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from support import simtime


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


def test_outside_of_a_simulated_loop_the_clocks_are_the_machines() -> None:
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
        async with asyncio.timeout(simtime.OUTSIDE_SECONDS):
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


def test_a_task_that_is_left_over_is_an_error() -> None:
    async def main() -> None:
        task = asyncio.create_task(asyncio.sleep(60), name="forgotten")
        await asyncio.sleep(0)
        assert not task.done()

    with pytest.raises(AssertionError, match="forgotten"):
        simtime.run(main())
