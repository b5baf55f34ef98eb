"""Owns what pg_waldump prints of the simulated WAL: a commit a segment, 5 s after it began, and what a test adds.

Not simulated: where the pod gets the segments from, and records that cross from one segment into the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pgwizard.simulator.repository import SEGMENT_SECONDS, SimulatedRepository

NAME = "wal-scan"
"""How the script calls itself."""
_FIRST_XID = 700


def scan(repository: SimulatedRepository, words: Sequence[str], stdin: str, now: float) -> list[str]:
    """What the script prints. words: its arguments; stdin: the names of the segments, a line each."""
    _, kind, value, _, since, until, _ = words
    names = [line.split()[0] for line in stdin.splitlines() if line.strip() and not line.startswith("+")]
    if kind == "times":
        ends = {name: repository.moment(_number(name), int(name[:8], 16)) + SEGMENT_SECONDS for name in names}
        return [f"{name} {at:.0f}" for name, at in ends.items() if at <= now]
    records = [(name, at, text) for name in names for at, text in _records(repository, name) if at <= now]
    if kind in ("name", "xid"):
        sought = f"desc: RESTORE_POINT {value}" if kind == "name" else f"tx: {value:>10}, "
        return [
            f"{name} {text}" for name, _, text in records if text.endswith(sought) or (kind == "xid" and sought in text)
        ]
    if kind == "last":
        return _last(records, value, until)
    inside = [each for each in records if since <= _time_text(each[1]) <= until]
    commits = sum("desc: COMMIT" in text for _, _, text in inside)
    lines = [f"{name} {_time_text(at).replace(' ', 'T')} {text}" for name, at, text in inside]
    end = [f"reached {_time_text(at).replace(' ', 'T')}" for _, at, _ in records[-1:]]
    return [*lines, f"commits {commits}", "unlisted 0", *end]


def _last(records: Sequence[tuple[str, float, str]], bound: str, until: str) -> list[str]:
    """The last commit before a position, or before the first that is later than a moment."""
    newest = ""
    for name, at, text in records:
        if "desc: COMMIT" not in text:
            continue
        lsn = text.partition("lsn: ")[2].partition(",")[0]
        if _position(lsn) >= _position(bound) if bound else _time_text(at) > until:
            return [*([newest] if newest else ()), "past"]
        newest = f"last {name} {lsn} {_time_text(at)}"
    return [newest] if newest else []


def _position(lsn: str) -> int:
    high, _, low = lsn.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def _records(repository: SimulatedRepository, name: str) -> Iterator[tuple[float, str]]:
    number, timeline = _number(name), int(name[:8], 16)
    at = repository.moment(number, timeline) + 5
    lsn = f"{number >> 8:X}/{number & 0xFF:02X}"
    effects = "; rels: base/16384/16385 base/16384/16388; dropped stats: 2/16384/16388 2/16384/16385"
    parts = effects if number in repository.removals else ""
    yield (
        at,
        (
            f"rmgr: Transaction len (rec/tot):     34/    34, tx: {_FIRST_XID + number:>10}, lsn: {lsn}000108, prev "
            f"{lsn}0000C8, desc: COMMIT {_time_text(at)} UTC{parts}"
        ),
    )
    if number in repository.points:
        yield (
            at,
            (
                f"rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: {lsn}000200, prev {lsn}000108, "
                f"desc: RESTORE_POINT {repository.points[number]}"
            ),
        )


def _number(name: str) -> int:
    return int(name[8:16], 16) * 256 + int(name[16:], 16)


def _time_text(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S.%f}"
