"""The listing of the archive that a command in the pod prints.

The listing of a large archive is far too long for a connection to the pod: 70 MB for 500,000 segments. So it is reduced
there, to a line for each run of segments without a gap in one folder, by awk; ``Listing`` keeps the lines by folder, so
that a poll reads the newest folders alone. Pure.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pgwizard.plan.names import STANZA
from pgwizard.plan.pgbackrest import version_text
from pgwizard.release.image_version import printed_version
from pgwizard.status.repository import read_lsn
from pgwizard.status.wal import Archive, Fork, History, SegmentRun
from pgwizard.text import fit, plain

_RUNS = r"""
BEGIN { RS = ","; FS = "\""; for (i = 0; i < 256; i++) byte[sprintf("%02X", i)] = i }
function number(name) { return byte[substr(name, 21, 2)] * 256 + byte[substr(name, 23, 2)] }
function flush() { if (first != "") printf "run %s %s %.0f %.0f\n", first, last, bytes, at; first = "" }
$2 ~ /[0-9A-F]-[0-9a-f]+(\.(gz|lz4|zst|bz2))?$/ {
  n = split($2, parts, "/"); name = parts[n]; is_segment = index(name, "-") == 25 && name ~ /^[0-9A-F]+-/
  name = substr(name, 1, 24); next
}
!is_segment { next }
/^"size":/ { size = substr($0, 8) + 0 }
/^"time":/ {
  is_segment = 0
  if (name == last && first != "") { print "double", name; next }
  if (first != "" && (substr(name, 1, 16) != substr(last, 1, 16) || number(name) != number(last) + 1)) flush()
  if (first == "") { first = name; bytes = 0 }
  last = name; bytes += size; at = substr($0, 8) + 0
}
END { flush() }
"""
_TOP = r"""
BEGIN { RS = ","; FS = "\"" }
$2 ~ /^[0-9A-F]+$/ && length($2) == 16 { print "folder", $2 }
$2 ~ /^[0-9A-F]+\.history$/ && length($2) == 16 { history = substr($2, 1, 8) }
/^"time":/ { if (history != "") print "history", history, substr($0, 8) + 0; history = "" }
"""
SCRIPT = f"""set -euo pipefail
io_timeout=$1 scope=$2 known=$3 root=archive/$4
repository() {{ pgbackrest --log-level-console=off --log-level-stderr=error --io-timeout="$io_timeout" "$@"; }}
pgbackrest version
names=$(repository repo-ls "$root")
id=$(printf '%s\\n' "$names" | sed -n '/^[0-9.]*-[0-9]*$/p' | sort -t- -k2,2n | tail -n 1)
if [ -z "$id" ]; then exit 0; fi
echo "archive $id"
top=$(repository repo-ls --output=json "$root/$id" | awk '{_TOP}')
while read -r kind name at; do
  if [ "$kind" = folder ]; then echo "folder $name"; fi
  if [ "$kind" != history ]; then continue; fi
  case " $known " in *" $name "*) echo "history $name $at"; continue ;; esac
  text=$(repository repo-get "$root/$id/$name.history" | base64 -w0)
  echo "history $name $at $text"
done <<< "$top"
runs() {{ awk '{_RUNS}'; }}
if [ "$scope" = all ]; then
  repository repo-ls --output=json --recurse "$root/$id" | runs
else
  newest=$(awk '$1 == "folder" {{ if (!count++) print $2; last[substr($2, 1, 8)] = $2 }}
    END {{ for (timeline in last) print last[timeline] }}' <<< "$top" | sort -u)
  for folder in $newest; do
    echo "read $folder"
    repository repo-ls --output=json "$root/$id/$folder" | runs
  done
fi
"""
NAME = "archive-listing"


def command(io_timeout_seconds: int, last: Listing | None, stanza: str = STANZA) -> tuple[str, ...]:
    """The command that prints the listing; with an earlier one only what may have changed since.

    io_timeout_seconds: how long one request to the store is tried, see ``probes.info_command``.
    """
    scope, histories = ("newest", " ".join(sorted(last.histories))) if last else ("all", "")
    return ("bash", "-c", SCRIPT, NAME, str(io_timeout_seconds), scope, histories, stanza)


@dataclass(frozen=True, slots=True)
class _FolderRun:
    """A run by the names of its first and last segment, in one folder."""

    first: str
    last: str
    bytes: int
    archived_at: datetime


@dataclass(frozen=True, slots=True)
class Listing:
    """The archive of the newest database in a stanza, as it was listed. id: such as ``15-1``; empty for none.

    runs: by folder, which is the first 16 digits of a segment's name; histories: by the 8 digits of their timeline.
    pgbackrest: the version that listed it; here because a command of its own would double what its start costs.
    """

    id: str = ""
    runs: Mapping[str, tuple[_FolderRun, ...]] = field(default_factory=dict)
    histories: Mapping[str, History] = field(default_factory=dict)
    doubles: tuple[str, ...] = ()
    pgbackrest: str = ""

    @property
    def count(self) -> int:
        """How many segments there are."""
        return sum(int(run.last[16:], 16) - int(run.first[16:], 16) + 1 for runs in self.runs.values() for run in runs)

    def archive(self, segment_bytes: int, *others: Listing) -> Archive:
        """The archive with everything that is in this listing, or in any of the others of the same id."""
        same = [self, *(other for other in others if other.id == self.id)]
        archive = Archive(
            {},
            {int(name, 16): history for each in same for name, history in each.histories.items()},
            tuple(sorted({name for each in same for name in each.doubles})),
            segment_bytes,
        )
        runs: dict[int, list[SegmentRun]] = {}
        for each in sorted(
            (run for one in same for group in one.runs.values() for run in group), key=lambda run: run.first
        ):
            run = SegmentRun(
                int(each.first[:8], 16),
                archive.number(each.first),
                archive.number(each.last),
                each.bytes,
                each.archived_at,
            )
            there = runs.setdefault(run.timeline, [])
            if there and run.first <= there[-1].last + 1:
                there[-1] = _join(there[-1], run)
            else:
                there.append(run)
        return Archive(runs, archive.histories, archive.doubles, segment_bytes)


def _join(before: SegmentRun, after: SegmentRun) -> SegmentRun:
    """Two runs that touch or overlap, as one; what both hold counts once."""
    further = after if after.last > before.last else before
    size = before.bytes + after.bytes if after.first > before.last else max(before.bytes, after.bytes)
    return SegmentRun(before.timeline, before.first, further.last, size, further.archived_at)


_HEX = re.compile(r"[0-9A-F]+")


def read(text: str, last: Listing | None = None) -> Listing | None:
    """The listing that the command prints. last: the one that the command was given.

    None where what has changed cannot be put into the last one, because more did than a poll reads: it must be read as
    a whole. Raises ValueError for anything else than the command prints.
    """
    id_, folders, fresh = "", set[str](), set[str]()
    runs: dict[str, list[_FolderRun]] = {}
    histories: dict[str, History] = {}
    doubles = set[str]()
    lines = text.splitlines()
    image_version = printed_version(lines[0]) if lines else None
    version = version_text(image_version) if image_version else ""
    for line in lines[1:] if image_version else lines:
        refusal = ValueError(f"the listing of the archive has the line {plain(line, 80)}")
        try:
            match line.split(" "):
                case ["archive", name]:
                    id_ = fit(name)
                case ["folder", name] if _is_hex(name, 16):
                    folders.add(name)
                case ["read", name] if _is_hex(name, 16):
                    fresh.add(name)
                case ["history", name, at] if last and name in last.histories:
                    histories[name] = History(last.histories[name].forks, _moment(at))
                case ["history", name, at, content] if _is_hex(name, 8):
                    histories[name] = History(tuple(_forks(content)), _moment(at))
                case ["run", first, end, size, at] if _is_hex(first, 24) and _is_hex(end, 24) and first <= end:
                    runs.setdefault(first[:16], []).append(_FolderRun(first, end, int(size), _moment(at)))
                case ["double", name] if _is_hex(name, 24):
                    doubles.add(name)
                case _:
                    raise refusal
        except (ValueError, OverflowError, OSError):
            raise refusal from None
    if last is None:
        whole = {name: tuple(ranges) for name, ranges in runs.items()}
        return Listing(id_, whole, histories, tuple(sorted(doubles)), version)
    if id_ != last.id or folders - last.runs.keys() - fresh:
        return None
    old = {name: last.runs[name] for name in folders - fresh}
    doubles |= {name for name in last.doubles if name[:16] in old}
    runs_by_folder = {**old, **{name: tuple(runs.get(name, ())) for name in fresh}}
    return Listing(id_, runs_by_folder, histories, tuple(sorted(doubles)), version)


def _is_hex(text: str, digits: int) -> bool:
    return len(text) == digits and _HEX.fullmatch(text) is not None


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _forks(content: str) -> Iterable[Fork]:
    """The lines of a history file: timeline in decimal, position, reason, with tabs between them."""
    for line in base64.b64decode(content, validate=True).decode(errors="replace").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        timeline, position, *reason = line.split("\t")
        yield Fork(int(timeline), read_lsn(position), fit(" ".join(reason)))
