#!/bin/bash
# Prints what pg_waldump finds in archived WAL: scan.sh STANZA WHAT VALUE VOLUME SINCE UNTIL MOST. Standard input has a
# line a segment: its name, and where the segment beside it was read just before, that one's name and a WAL position
# behind the record that crosses from one to the other. Of a name behind + only that record is printed.
# WHAT: "times" prints when each was archived; "name" and "xid" the restore point or the commit VALUE; "events" all
# commits, restore points and dropped databases between SINCE and UNTIL, at most MOST plain commits and 1000 others;
# "last" the last commit before the WAL position VALUE, or without one before the first commit that is later than UNTIL,
# and "past" where that was read.
# VOLUME: not empty in a pod with the volume of the database.
set -uo pipefail
export LC_ALL=C TZ=UTC
readonly stanza=$1 what=$2 value=$3 volume=$4 since=$5 until=$6 most=$7

backrest() { timeout 120 pgbackrest --log-level-console=off --log-level-stderr=error "$@" </dev/null; }

if [ "$what" = times ] || [ -z "$volume" ]; then
  id=$(backrest repo-ls "archive/$stanza" | sed -n '/^[0-9.]*-[0-9]*$/p' | sort -t- -k2,2n | tail -n 1)
fi
if [ "$what" = times ]; then
  while read -r name; do
    backrest repo-ls --output=json --filter="^$name-" "archive/$stanza/$id/${name:0:16}" |
      sed -n "s/.*\"time\":\([0-9]*\).*/$name \1/p"
  done
  exit 0
fi

find /tmp -maxdepth 1 -name 'pgwizard-wal.*' -mmin +30 -exec rm -rf {} + 2>/dev/null # of a pod that was killed
folder=$(mktemp -d /tmp/pgwizard-wal.XXXXXX) || exit 1
trap 'rm -rf "$folder"' EXIT

stored() { # archive-get would ask pg_control whose WAL it is to get, and without a database there is none
  local path="archive/$stanza/$id/${1:0:16}" name tool
  name=$(backrest repo-ls --filter="^$1-" "$path" 2>&1 | head -n 1) && [ -n "$name" ] || {
    echo "${name:-it is not in the archive}"
    return 1
  }
  case "$name" in
    "$1"-*.gz) tool=gzip ;; "$1"-*.lz4) tool=lz4 ;; "$1"-*.zst) tool=zstd ;; "$1"-*.bz2) tool=bzip2 ;;
    "$1"-*) tool= ;; *) echo "$name" && return 1 ;;
  esac
  if [ -n "$tool" ] && ! command -v "$tool" >/dev/null; then
    echo "it is compressed, and the image has no $tool"
    return 1
  fi
  # -f: what is not compressed any more is let through
  backrest repo-get "$path/$name" 2>&1 >"$folder/stored" && ${tool:-cat} ${tool:+-dcf} <"$folder/stored" >"$folder/$1"
}

archived() {
  timeout 120 pgbackrest --stanza="$stanza" --log-level-console=off --no-archive-async archive-get "$1" "$folder/$1" \
    </dev/null 2>&1
}

get() { # what is not archived yet is still on the volume, unless it is archived and removed at that moment
  if [ -z "$volume" ]; then
    stored "$1"
    return
  fi
  archived "$1" >/dev/null || cp "$PGDATA/pg_wal/$1" "$folder/$1" 2>/dev/null || archived "$1"
}

records() {
  pg_waldump --rmgr=Transaction --rmgr=XLOG --rmgr=Database "$@" 2>/dev/null |
    grep -E 'desc: (COMMIT|COMMIT_PREPARED [0-9]+:|RESTORE_POINT|DROP) '
}

chosen() {
  case "$what" in
    xid) grep -E "tx: +$value, .*desc: COMMIT |desc: COMMIT_PREPARED $value: " ;;
    name) point="$value" awk 'substr($0, index($0, "desc: RESTORE_POINT ") + 20) == ENVIRON["point"]' ;;
    last) awk -v bound="${value/\//:}" -v until="$until" '
      function place(lsn, parts) { split(lsn, parts, /[\/:]/); return sprintf("%8s%8s", parts[1], parts[2]) }
      !match($0, /lsn: [0-9A-F]+\/[0-9A-F]+/) { next }
      { lsn = substr($0, RSTART + 5, RLENGTH - 5); sub(/\/0*/, "/", lsn) }
      !match($0, /desc: COMMIT(_PREPARED [0-9]+:)? /) { next }
      { at = substr($0, RSTART + RLENGTH, 26) }
      bound != "" ? place(lsn) >= place(bound) : at > until { past = 1; exit }
      { found = substr($0, 1, 24) " " lsn " " at }
      END { if (found != "") print "last", found; if (past) print "past" }' ;;
    *) awk -v since="$since" -v until="$until" -v most="$most" '
      !match($0, /lsn: [0-9A-F]+\/[0-9A-F]+/) { next }
      {
        lsn = substr($0, RSTART + 5, RLENGTH - 5); slash = index(lsn, "/"); timeline = substr($0, 1, 8)
        place = sprintf("%8s%8s", substr(lsn, 1, slash - 1), substr(lsn, slash + 1))
        if (timeline == before && place <= last) next # a segment that is read once more
        before = timeline; last = place
        is_commit = match($0, /desc: COMMIT(_PREPARED [0-9]+:)? /) > 0
        if (is_commit) at = substr($0, RSTART + RLENGTH, 26)
        if (at != "" && (at < since || at > until)) next
        commits += is_commit
        if (is_commit && $0 !~ /; rels:/) { if (++plain > most) next }
        else if (++others > 1000) next
        sub(/; inval msgs:.*/, "; inval msgs:") # that there are some says that the catalog changed
        moment = at; sub(/ /, "T", moment)
        print substr($0, 1, 24), (moment == "" ? "-" : moment), substr($0, 26, 4000)
      }
      END {
        print "commits", commits + 0
        print "unlisted", (plain > most ? plain - most : 0) + (others > 1000 ? others - 1000 : 0)
        if (at != "") { sub(/ /, "T", at); print "reached", at }
      }' ;;
  esac
}

declare -A ends
unreadable=0 last=
exec 3>&1
{
  while read -r word beside end; do
    name=${word#+}
    if ! error=$(get "$name"); then
      unreadable=$((unreadable + 1)) last="$name: ${error:-it is not in the archive}"
      continue
    fi
    records "$folder/$name" >"$folder/records"
    ends[$name]=$(tail -n 1 "$folder/records" | sed -n 's/.*lsn: \([0-9A-F/]*\),.*/\1/p')
    if [ -n "$beside" ] && [ -f "$folder/$beside" ]; then
      lower=$beside upper=$name
      if [[ "$name" < "$beside" ]]; then lower=$name upper=$beside; fi
      start=${ends[$lower]:-}
      records ${start:+"--start=$start"} --end="$end" "$folder/$lower" "$upper" |
        tail -n "+$((${#start} ? 2 : 1))" | sed "s/^/$lower /"
    fi
    [ "$word" != "$name" ] || sed "s/^/$name /" "$folder/records"
    find "$folder" -type f ! -name "$name" -delete
  done
  [ "$unreadable" = 0 ] || printf 'unreadable %s %s\n' "$unreadable" "${last//$'\n'/ }" >&3
} | chosen
exit 0
