"""Where a named restore point or a transaction is in the archived WAL, which neither its name nor its number tells.

pgBackRest does not choose a backup for either: it takes the newest, which may lie behind the target.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pgwizard.errors import ClusterError, DeadlineError, PreflightError
from pgwizard.kube.api import Cluster
from pgwizard.plan.names import STANZA, Names, ReleaseRef
from pgwizard.restore.reader import reader_pod
from pgwizard.restore.target import RecoveryTarget, RepositoryView, TargetRefusal, lsn_text
from pgwizard.status.repository import read_lsn
from pgwizard.status.walk import whole_backups
from pgwizard.text import plain

_MOST_SEGMENTS = 1_000
"""So many of the newest segments are searched, at five a second or so."""
_SECONDS = 600.0
SCRIPT = rf"""set -uo pipefail
export LC_ALL=C TZ=UTC
kind=$1 value=$2 label=$3 folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
repository() {{ pgbackrest --log-level-console=off --log-level-stderr=error "$@"; }}
control() {{ # archive-get asks pg_control which database's WAL it is to get
  local name
  name=$(repository repo-ls "$1" | grep -m 1 '^pg_control') || return
  repository repo-get "$1/$name" | case "$name" in
    *.gz) gzip -dc ;; *.lz4) lz4 -dc ;; *.zst) zstd -dc ;; *.bz2) bzip2 -dc ;; *) cat ;;
  esac
}}
if [ -n "$label" ]; then
  mkdir -p "$PGDATA/global"
  control "backup/{STANZA}/$label/pg_data/global" >"$PGDATA/global/pg_control" || exit 1
fi
get() {{
  pgbackrest --stanza={STANZA} --log-level-console=off --no-archive-async archive-get "$1" "$folder/$1" </dev/null 2>&1
}}
readable=0 unreadable=0 last=
while read -r name; do
  if ! error=$(get "$name"); then
    unreadable=$((unreadable + 1)) last=$error
    continue
  fi
  readable=$((readable + 1))
  pg_waldump --rmgr="$([ "$kind" = xid ] && echo Transaction || echo XLOG)" "$folder/$name" 2>/dev/null |
    grep -E 'desc: (COMMIT|RESTORE_POINT) ' | sed "s/^/$name /" | if [ "$kind" = xid ]; then
      grep -E "tx: +$value, " || true
    else
      value="$value" awk 'substr($0, index($0, "desc: RESTORE_POINT ") + 20) == ENVIRON["value"]'
    fi
  rm -f "$folder/$name"
done
if [ "$unreadable" -gt 0 ]; then
  [ "$readable" -gt 0 ] || {{ echo "none of $unreadable segments could be read: $last" >&2; exit 1; }}
  echo "unreadable $unreadable"
fi
"""
_UNREADABLE = re.compile(r"unreadable (\d+)")
_FOUND = re.compile(
    r"(?P<name>[0-9A-F]{24}) .*lsn: (?P<lsn>[0-9A-F]+/[0-9A-F]+), .*desc: "
    r"(?:COMMIT (?P<at>[0-9-]+ [0-9:.]+) UTC|RESTORE_POINT)"
)


def segments(view: RepositoryView) -> list[str]:
    """The names of the segments in which a target can be, newest first: from the first backup to the server's own end.

    A timeline that was left is searched too, as far as it goes.
    """
    archive = view.archive
    firsts = [backup.wal_start for backup in whole_backups(view.backups)]
    begin = min((archive.number(first) for first in firsts), default=0)
    return [
        archive.name(timeline, number)
        for timeline in reversed(archive.timelines)
        for run in reversed(archive.runs.get(timeline, ()))
        for number in range(run.last, max(run.first, begin) - 1, -1)
    ]


async def locate(
    cluster: Cluster, release: ReleaseRef, view: RepositoryView, target: RecoveryTarget
) -> RecoveryTarget | TargetRefusal:
    """The target with its place; as it is where it was not found. A name that is there twice is refused.

    Raises PreflightError where the WAL cannot be read.
    """
    if target.kind not in ("name", "xid"):
        return target
    names = segments(view)
    searched = names[:_MOST_SEGMENTS]
    label = view.backups[-1].label if view.silence else ""
    command = ("bash", "-c", SCRIPT, "locate", target.kind, target.value, label)
    try:
        async with contextlib.AsyncExitStack() as stack:
            pod = Names.of(release.name).pod
            if view.silence:
                pod = await stack.enter_async_context(reader_pod(cluster, release))
            result = await cluster.exec(
                release.namespace,
                pod,
                "postgresql",
                command,
                stdin="".join(f"{name}\n" for name in searched).encode(),
                timeout_seconds=_SECONDS,
            )
    except (ClusterError, DeadlineError) as error:
        raise PreflightError(f"release {release}: the WAL cannot be searched: {error.message}") from error
    if result.exit_code != 0:
        text = plain(result.stderr.decode(errors="replace"))
        raise PreflightError(f"release {release}: the WAL cannot be searched: {text}")
    lines = result.stdout.decode(errors="replace").splitlines()
    place = placed(target, lines)
    if place == target:
        return doubt(target, lines, len(searched), len(names)) or target
    return place


def placed(target: RecoveryTarget, lines: Sequence[str]) -> RecoveryTarget | TargetRefusal:
    """The target where the lines of pg_waldump say that it is."""
    found = list(dict.fromkeys(_places(lines)))
    if not found:
        return target
    if len({(timeline, lsn) for timeline, lsn, _ in found}) > 1:
        shown = " and ".join(f"{lsn_text(lsn)} on timeline {timeline}" for timeline, lsn, _ in found[:5])
        return TargetRefusal(
            "ambiguous-point", f"{target} is in the WAL more than once: {shown}", "Give the one that you mean: lsn:X."
        )
    timeline, lsn, at = found[0]
    return replace(target, timeline=timeline, lsn=lsn, at=at)


def doubt(target: RecoveryTarget, lines: Sequence[str], searched: int, there: int) -> TargetRefusal | None:
    """Why a target that was not found may still be in the WAL; None where all of it was searched."""
    unreadable = sum(int(match[1]) for match in map(_UNREADABLE.fullmatch, lines) if match)
    if not unreadable and searched == there:
        return None
    newest = f"the newest {searched:,} of {there:,} segments" if searched < there else f"the {searched:,} segments"
    but = f", of which {unreadable:,} could not be read" if unreadable else ""
    return TargetRefusal(
        "unknown-point",
        f"{target} was not found in the archived WAL; searched: {newest}{but}",
        "Check its name or number, or give the time.",
    )


def _places(lines: Sequence[str]) -> Iterator[tuple[int, int, datetime | None]]:
    """Timeline, position and time of each. The segment in which a timeline begins repeats what came before it."""
    seen = set[int]()
    for match in filter(None, map(_FOUND.match, lines)):
        lsn = read_lsn(match["lsn"])
        at = datetime.fromisoformat(match["at"]).replace(tzinfo=UTC) if match["at"] else None
        timeline = int(match["name"][:8], 16)
        if lsn not in seen:
            seen.add(lsn)
            yield timeline, lsn, at
