"""What runs apart from the stream that started it: real shells, in a folder in place of the container's."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from pgwizard.quantities import size_bytes
from support.waiting import DEADLINE_SECONDS, wait_until

SCRIPT = Path(__file__).parents[2] / "templates" / "files" / "apart.sh"
BACKUP = """
kind="$1"
echo "begin $kind" | tee -a "$PLACE/runs"
until [[ -e "$PLACE/go.$kind" ]]; do sleep 0.05; done
printf 'end %s' "$kind"
exit "$(<"$PLACE/go.$kind")"
"""
"""It runs until it is let go, and ends with the code that is given to it, its last line without an end."""


class Place:
    """A folder in place of the container's /tmp and /etc/pgbackrest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "apart.sh"
        self._change(SCRIPT, "scripts=/etc/pgbackrest folder=/tmp", f"scripts={folder} folder={folder}")
        (folder / "backup.sh").write_text(BACKUP)

    def _change(self, script: Path, line: str, to: str) -> None:
        text = script.read_text(encoding="utf-8")
        assert line in text
        (self.folder / script.name).write_text(text.replace(line, to))

    def bound(self, begin_bytes: int, end_bytes: int) -> None:
        """Of a log, in place of what the script has."""
        self._change(self.script, "begin_bytes=33554432 end_bytes=65536", f"{begin_bytes=} {end_bytes=}")

    def ask(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", str(self.script), "backup.sh", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PLACE": str(self.folder)},
        )

    def runs(self) -> list[str]:
        path = self.folder / "runs"
        return path.read_text().splitlines() if path.exists() else []

    def let_go(self, kind: str, code: int) -> None:
        new = self.folder / "go.new"
        new.write_text(f"{code}\n")
        new.rename(self.folder / f"go.{kind}")

    def kill_what_runs(self) -> None:
        """As the kernel does when memory is short."""
        pattern = f"{self.folder}/backup.sh"
        result = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True, check=False).stdout.split()
        for pid in map(int, result):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    return process.returncode, output.splitlines()


@pytest.mark.parametrize("code", [0, 1, 50, 103])
def test_the_whole_output_is_copied_and_the_exit_code_is_kept(place: Place, code: int) -> None:
    place.let_go("full", code)
    assert ended(place.ask("full")) == (code, ["begin full", "end full"])


def test_a_lost_stream_does_not_end_the_run_and_the_next_caller_follows_it(place: Place) -> None:
    first = place.ask("full")
    wait_until("it runs", lambda: place.runs() == ["begin full"])
    first.kill()
    first.communicate()
    second = place.ask("full")
    assert second.stdout is not None
    assert second.stdout.readline() == "backup.sh full is running: following it\n"
    place.let_go("full", 0)
    assert ended(second) == (0, ["begin full", "end full"])
    assert place.runs() == ["begin full"]


@pytest.mark.parametrize("code", [0, 103])
def test_another_script_waits_for_its_turn_and_each_caller_gets_its_own_exit_code(place: Place, code: int) -> None:
    """The next one begins the moment the last one ends, and must not take its log and its code away from who reads."""
    full = place.ask("full")
    wait_until("it runs", lambda: place.runs() == ["begin full"])
    others = [place.ask("incr") for _ in range(2)]
    for other in others:
        assert other.stdout is not None
        assert other.stdout.readline() == "backup.sh full is running: following it\n"
    place.let_go("incr", 7)
    place.let_go("full", code)
    assert ended(full) == (code, ["begin full", "end full"])
    for other in others:
        status, lines = ended(other)
        assert (status, lines[-2:]) == (7, ["begin incr", "end incr"])


def test_many_callers_at_once_get_their_own_exit_codes(place: Place) -> None:
    for number in range(6):
        place.let_go(str(number), number * 10)
    requests = [place.ask(str(number)) for number in range(6)]
    assert [ended(process)[0] for process in requests] == [0, 10, 20, 30, 40, 50]


def test_a_caller_that_is_stalled_while_other_runs_come_and_go_gets_its_own_exit_code(place: Place) -> None:
    stalled = place.ask("full")
    wait_until("it runs", lambda: place.runs() == ["begin full"])
    stalled.send_signal(signal.SIGSTOP)
    place.let_go("full", 33)
    place.let_go("incr", 0)
    for _ in range(3):
        assert ended(place.ask("incr"))[0] == 0
    stalled.send_signal(signal.SIGCONT)
    assert ended(stalled) == (33, ["begin full", "end full"])


def test_a_killed_run_is_noticed(place: Place) -> None:
    process = place.ask("full")
    wait_until("it runs", lambda: place.runs() == ["begin full"])
    place.kill_what_runs()
    status, lines = ended(process)
    assert status != 0
    assert lines[0] == "begin full"


def test_old_runs_leave_no_files(place: Place) -> None:
    for number in range(5):
        place.let_go(str(number), 0)
        ended(place.ask(str(number)))
    assert len(list(place.folder.glob("apart.run.*.log"))) <= 2


def test_a_log_is_bounded_and_keeps_its_beginning_and_its_end(place: Place) -> None:
    """Each line is a write of its own, as pgBackRest makes them."""
    (place.folder / "backup.sh").write_text(
        'for ((i = 1; i <= 20000; i++)); do echo "line $i"; done\necho "ERROR: [082]: the cause"\nexit 82\n'
    )
    place.bound(begin_bytes=131072, end_bytes=512)
    status, lines = ended(place.ask("full"))
    assert status == 82
    assert lines[0] == "line 1"
    assert "... the log is longer than 0 MiB: only its end follows" in lines
    assert lines[-1] == "ERROR: [082]: the cause"
    (log,) = place.folder.glob("apart.run.*.log")
    assert 131072 < log.stat().st_size < 131072 + 1024


def test_a_log_that_is_longer_than_its_bound_by_one_line_loses_nothing(place: Place) -> None:
    (place.folder / "backup.sh").write_text("printf '123456\\n'\nprintf 'the cause'\nexit 1\n")
    place.bound(begin_bytes=7, end_bytes=512)
    status, lines = ended(place.ask("full"))
    assert status == 1
    assert (lines[0], lines[-1]) == ("123456", "the cause")


def test_two_logs_fit_into_the_volume_of_the_pod() -> None:
    bytes_kept = [int(number) for number in re.findall(r"_bytes=(\d+)", SCRIPT.read_text(encoding="utf-8"))]
    statefulset = (SCRIPT.parents[1] / "statefulset.yaml").read_text(encoding="utf-8")
    size = re.search(r"name: tmp\n +emptyDir:\n +sizeLimit: (\S+)", statefulset)
    assert size is not None
    assert 2 * sum(bytes_kept) < size_bytes(size[1]) / 2


def test_pgbackrest_s_own_logs_are_cut_before_they_fill_their_volume(tmp_path: Path) -> None:
    text = (SCRIPT.parent / "backup.sh").read_text(encoding="utf-8")
    line = "logs=/var/log/pgbackrest most_bytes=16777216 kept_bytes=1048576"
    assert line in text
    script, long, short = (tmp_path / name for name in ("backup.sh", "archive-push.log", "main-backup.log"))
    script.write_text(text.replace(line, f"logs={tmp_path} most_bytes=1000 kept_bytes=100"))
    long.write_text("".join(f"line {number}\n" for number in range(1000)))
    short.write_text("a line\n")
    (tmp_path / "pgbackrest").write_text("#!/bin/bash\nexit 0\n")
    (tmp_path / "pgbackrest").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", str(script), "full"], check=True, env=environment)
    assert long.read_text().splitlines()[-1] == "line 999"
    assert long.stat().st_size <= 101
    assert short.read_text() == "a line\n"
