"""The listing of an archive: what the script in the pod prints of pgBackRest's answers, and what is read of that."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pgwizard.status import listing
from pgwizard.status.listing import Listing, read
from pgwizard.status.wal import Fork, History, SegmentRun
from support.snapshots import lines_of, listed, segment

FORKS = "1\t0/5000028\tbefore 2026-11-27 21:00:05.473485+00\n\n2\t1/8000000\tno recovery target specified\n"
AT = 1_795_814_944


def sha(number: int) -> str:
    return f"{number:040x}"


@pytest.fixture
def pgbackrest(tmp_path: Path) -> Path:
    """A folder for PATH with a pgbackrest that prints the files of ``tree``, and writes down its arguments."""
    if shutil.which("awk") is None:
        pytest.skip("awk is not installed")
    program = tmp_path / "bin" / "pgbackrest"
    program.parent.mkdir()
    program.write_text(
        """#!/bin/bash
if [ "$1" = version ]; then echo "pgBackRest 2.45"; exit; fi
place="${@: -1}"; what=tree
case " $* " in *" repo-get "*) what=files ;; *" --recurse "*) what=all ;; *" --output=json "*) what=json ;; esac
echo "$what $place" >> "$ROOT/requests"
file="$ROOT/$what/${place//\\//_}"
[ -f "$file" ] || { echo "[055]: no $place" >&2; exit 55; }
cat "$file"
"""
    )
    program.chmod(0o755)
    return tmp_path


def give(folder: Path, kind: str, place: str, text: str) -> None:
    (folder / kind).mkdir(exist_ok=True)
    (folder / kind / place.replace("/", "_")).write_text(text)


def entries(names: Sequence[str], *, size: int = 16_000) -> str:
    """What ``repo-ls --output=json`` prints: sorted, on one line."""
    items = {".": {"type": "path"}}
    for name in sorted(names):
        is_file = "-" in name or "." in name
        items[name] = {"type": "file", "size": size, "time": AT} if is_file else {"type": "path"}  # type: ignore[dict-item]
    return json.dumps(items, separators=(",", ":"))


def printed(folder: Path, scope: str = "all", known: str = "") -> list[str]:
    """The lines of the script, run by bash, after the first, which is the version."""
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "ROOT": str(folder)}
    command = ["bash", "-c", listing.SCRIPT, listing.NAME, "5", scope, known, "main"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    version, *lines = done.stdout.splitlines()
    assert version == "pgBackRest 2.45"
    return lines


def archive(folder: Path, files: Mapping[str, Sequence[str]], *histories: str) -> None:
    """An archive with these files by folder."""
    give(folder, "tree", "archive/main", "14-1\n15-2\narchive.info\narchive.info.copy\n")
    give(folder, "json", "archive/main/15-2", entries([*files, *histories]))
    for name in histories:
        give(folder, "files", f"archive/main/15-2/{name}", FORKS)
    for name, there in files.items():
        give(folder, "json", f"archive/main/15-2/{name}", entries(there))
    give(
        folder,
        "all",
        "archive/main/15-2",
        entries([*files, *histories, *(f"{name}/{each}" for name, there in files.items() for each in there)]),
    )


def stored(*numbers: int, timeline: int = 1) -> list[str]:
    return [f"{segment(number, timeline)}-{sha(number)}.gz" for number in numbers]


FIRST, SECOND, LATER = "0000000100000000", "0000000100000001", "0000000200000001"


def test_each_run_of_segments_in_a_folder_is_a_line(pgbackrest: Path) -> None:
    odd = [
        f"{segment(4)}.00000028.backup",
        f"{segment(9)}.partial-{sha(9)}.gz",
        "nothing-of-ours.gz",
        f"{segment(12)}-{sha(12)}.gz.pgbackrest.tmp",
    ]
    archive(
        pgbackrest,
        {FIRST: [*stored(1, 2, 3, 5, 6, 254, 255), *odd], SECOND: stored(256, 257), LATER: stored(257, timeline=2)},
        "00000002.history",
    )
    assert printed(pgbackrest) == [
        "archive 15-2",
        f"folder {FIRST}",
        f"folder {SECOND}",
        f"history 00000002 {AT} {base64.b64encode(FORKS.encode()).decode()}",
        f"folder {LATER}",
        f"run {segment(1)} {segment(3)} 48000 {AT}",
        f"run {segment(5)} {segment(6)} 32000 {AT}",
        f"run {segment(254)} {segment(255)} 32000 {AT}",
        f"run {segment(256)} {segment(257)} 32000 {AT}",
        f"run {segment(257, 2)} {segment(257, 2)} 16000 {AT}",
    ]


def test_a_segment_with_two_contents_is_named_and_breaks_no_run(pgbackrest: Path) -> None:
    archive(pgbackrest, {FIRST: [*stored(1, 2, 3), f"{segment(2)}-{sha(99)}.zst"]})
    assert printed(pgbackrest)[2:] == [f"double {segment(2)}", f"run {segment(1)} {segment(3)} 48000 {AT}"]


def test_a_poll_reads_the_first_folder_and_the_newest_of_each_timeline_alone(pgbackrest: Path) -> None:
    third = "0000000100000002"
    archive(
        pgbackrest,
        {FIRST: stored(1), SECOND: stored(256), third: stored(512), LATER: stored(257, timeline=2)},
        "00000002.history",
    )
    lines = printed(pgbackrest, "newest", "00000002")
    assert [line for line in lines if line.startswith(("read", "history"))] == [
        f"history 00000002 {AT}",
        f"read {FIRST}",
        f"read {third}",
        f"read {LATER}",
    ]
    assert "files archive/main/15-2/00000002.history" not in (pgbackrest / "requests").read_text()


def test_without_a_folder_for_a_database_there_is_no_archive(pgbackrest: Path) -> None:
    give(pgbackrest, "tree", "archive/main", "archive.info\n")
    assert (printed(pgbackrest), read("")) == ([], Listing())


def test_a_request_that_fails_fails_the_script_with_the_reason(pgbackrest: Path) -> None:
    environment = {**os.environ, "PATH": f"{pgbackrest / 'bin'}:{os.environ['PATH']}", "ROOT": str(pgbackrest)}
    command = ["bash", *listing.command(5, None)[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)
    assert (done.returncode, done.stderr) == (55, "[055]: no archive/main\n")


def test_the_script_is_clean_shell() -> None:
    checker = shutil.which("shellcheck") or str(Path(os.sys.executable).parent / "shellcheck")  # type: ignore[attr-defined]
    done = subprocess.run(
        [checker, "--shell=bash", "-"], input=listing.SCRIPT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stdout == ""


# ---- what is read ----------------------------------------------------------------------------------------------------


def test_runs_of_neighbouring_folders_are_one_whatever_the_size_of_a_segment() -> None:
    result = read(
        "\n".join(
            [
                "archive 15-1",
                *(
                    f"run {a} {b} 7 {AT}"
                    for a, b in (
                        ("000000010000000000000001", "00000001000000000000003F"),
                        ("000000010000000100000000", "000000010000000100000002"),
                    )
                ),
            ]
        )
    )
    assert result is not None
    at = datetime.fromtimestamp(AT, UTC)
    assert result.archive(64 * 1024**2).runs == {1: [SegmentRun(1, 1, 66, 14, at)]}
    assert [run.first for run in result.archive(16 * 1024**2).runs[1]] == [1, 256]


def test_histories_have_their_timelines_positions_and_reasons() -> None:
    result = read(f"archive 15-1\nhistory 0000000A {AT} {base64.b64encode(FORKS.encode()).decode()}")
    assert result is not None
    forks = (
        Fork(1, 0x5000028, "before 2026-11-27 21:00:05.473485+00"),
        Fork(2, 2**32 + 0x8000000, "no recovery target specified"),
    )
    assert result.archive(16 * 1024**2).histories == {10: History(forks, datetime.fromtimestamp(AT, UTC))}
    assert forks[0].moment == datetime(2026, 11, 27, 21, 0, 5, 473_485, tzinfo=UTC)


def test_the_version_of_pgbackrest_is_that_of_the_last_poll() -> None:
    known = read("pgBackRest 2.45\narchive 15-1")
    assert known is not None
    assert known.pgbackrest == "2.45"
    again = read("pgBackRest 2.60\narchive 15-1", known)
    assert again is not None
    assert again.pgbackrest == "2.60"
    assert read("pgBackRest 2.55") == Listing(pgbackrest="2.55"), "before the first WAL"


def test_a_poll_replaces_the_folders_that_it_read_and_forgets_those_that_are_gone() -> None:
    known = listed(1, 600)
    lines = [f"folder {SECOND}", "folder 0000000100000002", f"read {SECOND}", "read 0000000100000002"]
    result = read("\n".join(["archive 15-1", *lines, *lines_of(300, 610)]), known)
    assert result is not None
    assert result.archive(16 * 1024**2).runs[1][0].first == 300
    assert result.archive(16 * 1024**2).runs[1][-1].last == 610


def test_a_poll_that_finds_folders_which_it_did_not_read_is_not_enough() -> None:
    known = listed(1, 10)
    lines = [f"folder {FIRST}", f"folder {SECOND}", f"folder {LATER}", f"read {FIRST}", f"read {LATER}"]
    assert read("\n".join(["archive 15-1", *lines]), known) is None
    assert read("archive 16-2", known) is None, "the stanza was upgraded"


@pytest.mark.parametrize(
    "line",
    [
        "run x y 1 1",
        f"run {segment(2)} {segment(1)} 1 1",
        f"run {segment(1)} {segment(2)} 1 99999999999999999999",
        "history 00000002 1 !!!",
        "history 00000002 1 " + base64.b64encode(b"no history").decode(),
        "\x1b[2J",
        "folder ../../etc",
    ],
)
def test_an_unknown_line_of_the_script_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        read(f"archive 15-1\n{line}")
    assert "\x1b" not in str(refused.value)
